//! The specification and the code name the same rules and sections.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use agent_envelope::Error;

const SPEC: &str = include_str!("../SPEC.md");

/// The table between the two marks, without its head: code, name and rule of each row.
fn registry() -> Vec<(u16, &'static str, &'static str)> {
    let (_, after) = SPEC.split_once("<!-- registry -->\n").expect("the table begins");
    let (table, _) = after.split_once("<!-- /registry -->").expect("the table ends");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("| code | name | rule |"));
    assert_eq!(lines.next(), Some("|---|---|---|"));
    let row = |line: &'static str| {
        let inner = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let cells: Vec<_> = inner.expect("a row of a table").split(" | ").collect();
        let [code, name, rule] = cells[..] else { panic!("not three cells: {line}") };
        (code.parse().expect("a number"), name, rule)
    };
    lines.map(row).collect()
}

/// The numbers of all headings: `2` and `2.1` and so on.
fn headings() -> BTreeSet<&'static str> {
    SPEC.lines()
        .filter(|line| line.starts_with("## ") || line.starts_with("### "))
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split(' ').next())
        .map(|number| number.trim_end_matches('.'))
        .filter(|number| number.starts_with(|first: char| first.is_ascii_digit()))
        .collect()
}

/// Every Rust source file of the crate with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the crate") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the crate has more source files than {}", found.len());
    found
}

/// What follows each `mark` in `text`, as long as it is made of `part`s.
fn cited<'t>(text: &'t str, mark: &str, part: fn(char) -> bool) -> Vec<&'t str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(mark) {
        let rest = &text[at + mark.len()..];
        let end = rest.find(|one| !part(one)).unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        if !number.is_empty() {
            found.push(number);
        }
    }
    found
}

const fn is_digit(one: char) -> bool {
    one.is_ascii_digit()
}

const fn is_section(one: char) -> bool {
    one.is_ascii_digit() || one == '.'
}

#[test]
fn the_registry_of_the_specification_is_that_of_the_code() {
    let specified: Vec<_> = registry().iter().map(|(code, name, _)| (*code, *name)).collect();
    assert_eq!(specified, Error::REGISTRY);
}

#[test]
fn every_rule_is_one_normative_sentence_and_names_its_section() {
    let headings = headings();
    for (code, name, rule) in registry() {
        let sections = cited(rule, "§", is_section);
        assert!(!sections.is_empty(), "{code} {name} names no section");
        assert!(sections.iter().all(|section| headings.contains(section)), "{code}: {rule}");
        if (101..=123).contains(&code) {
            assert_eq!(rule, "§3", "{code} {name}");
        } else {
            assert!(rule.contains("MUST"), "{code} {name}: {rule}");
        }
    }
}

#[test]
fn every_rule_that_is_cited_is_in_the_registry() {
    let known: BTreeSet<_> = Error::REGISTRY.iter().map(|(code, _)| code.to_string()).collect();
    let mut all = 0;
    let files = sources();
    let texts = files.iter().map(|(path, text)| (path.as_path(), text.as_str()));
    for (path, text) in texts.chain([(Path::new("SPEC.md"), SPEC)]) {
        for number in cited(text, "V-", is_digit) {
            assert!(known.contains(number), "{} cites V-{number}", path.display());
            all += 1;
        }
    }
    assert!(all > 100, "only {all} citations were found");
}

#[test]
fn every_section_that_is_cited_exists() {
    let headings = headings();
    let mut all = 0;
    for (path, text) in sources() {
        for section in cited(&text, "SPEC §", is_section) {
            assert!(headings.contains(section), "{} cites SPEC §{section}", path.display());
            all += 1;
        }
    }
    assert!(all > 50, "only {all} citations were found");
    for section in cited(SPEC, "§", is_section) {
        let foreign = ["4.2", "4.2.1"];
        let known = headings.contains(section) || foreign.contains(&section);
        assert!(known, "SPEC.md refers to §{section}");
    }
}
