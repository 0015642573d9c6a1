//! What the documents refer to exists: tests by name, files, and links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 10] = [
    "README.md",
    "SPEC.md",
    "DESIGN.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/assurance.md",
    "docs/budgets.md",
    "docs/otel.md",
    "docs/performance.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a document that are no code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The parts of a line that are set as code.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn tests_and_files_that_documents_name_exist() {
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let rows = read("tests/why.rs");
    let mut named = 0;
    for document in DOCUMENTS {
        let text = read(document);
        for part in prose(&text).flat_map(code) {
            if let Some(row) = part.strip_prefix("row_").filter(|row| row.parse::<u8>().is_ok()) {
                let found = rows.contains(&format!("fn row_{row}_"));
                assert!(found, "{document} names {part}, which is no test of tests/why.rs");
                named += 1;
            }
            let (file, test) = part.split_once("::").unwrap_or((part, ""));
            let ours = ["src/", "tests/", "docs/", "examples/", "benches/"];
            if !ours.iter().any(|start| file.starts_with(start)) || file.contains(['*', ' ']) {
                continue;
            }
            named += 1;
            if test.is_empty() {
                assert!(root().join(file).exists(), "{document} names {file}, which is not there");
            } else {
                let source = sources.entry(file.to_owned()).or_insert_with(|| read(file));
                let found = source.contains(&format!("fn {test}("));
                assert!(found, "{document} names {part}, which is not there");
            }
        }
    }
    assert!(named > 50, "only {named} names found: has the form of the documents changed?");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        let folder = root().join(document).parent().map(PathBuf::from).expect("a file has one");
        for line in prose(&text) {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let (path, heading) = link.split_once('#').unwrap_or((link, ""));
                // Elsewhere, or a formula that looks like a link.
                let ours = path.is_empty() || path.ends_with(".md") || path.ends_with(".cddl");
                if link.contains("://") || !ours {
                    continue;
                }
                let target =
                    if path.is_empty() { root().join(document) } else { folder.join(path) };
                let linked = fs::read_to_string(&target);
                let linked = linked.unwrap_or_else(|error| panic!("{document}: {link}: {error}"));
                let found = heading.is_empty() || headings(&linked).any(|one| one == heading);
                assert!(found, "{document} links to {link}, and there is no such heading");
            }
        }
    }
}

/// The anchors of a document's headings: lower case, spaces become hyphens, punctuation goes.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    })
}
