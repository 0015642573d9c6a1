//! The specification and the code name the same rules and sections.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use agent_envelope::Error;

use crate::vectors;

const SPEC: &str = include_str!("../SPEC.md");

/// A row of the registry.
struct Rule {
    code: u16,
    name: &'static str,
    rule: &'static str,
    /// The test that fails without the rule, if there can be one.
    test: Option<&'static str>,
    /// Vectors that the rule refuses, each as family and case.
    vectors: Vec<(&'static str, &'static str)>,
}

/// What is between backticks; a dash stands for nothing.
fn quoted(cell: &'static str) -> Vec<&'static str> {
    if cell == "–" {
        return Vec::new();
    }
    let unquote = |one: &'static str| one.strip_prefix('`').and_then(|one| one.strip_suffix('`'));
    cell.split(' ').map(|one| unquote(one).expect("a name in backticks")).collect()
}

/// The table between the two marks, without its head.
fn registry() -> Vec<Rule> {
    let (_, after) = SPEC.split_once("<!-- registry -->\n").expect("the table begins");
    let (table, _) = after.split_once("<!-- /registry -->").expect("the table ends");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("| code | name | rule | test | vectors |"));
    assert_eq!(lines.next(), Some("|---|---|---|---|---|"));
    let row = |line: &'static str| {
        let inner = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let cells: Vec<_> = inner.expect("a row of a table").split(" | ").collect();
        let [code, name, rule, test, vectors] = cells[..] else { panic!("not five cells: {line}") };
        let tests = quoted(test);
        assert!(tests.len() <= 1, "one test at most: {line}");
        let vectors = quoted(vectors);
        Rule {
            code: code.parse().expect("a number"),
            name,
            rule,
            test: tests.first().copied(),
            vectors: vectors
                .into_iter()
                .map(|one| one.split_once('/').expect("family and case"))
                .collect(),
        }
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
    let found = files_below("src");
    assert!(found.len() > 50, "the crate has more source files than {}", found.len());
    found
}

/// Every Rust file below a folder of the repository with its text.
fn files_below(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
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
    found
}

/// The text of every test, by its name.
fn tests() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (_, text) in files_below("src").into_iter().chain(files_below("tests")) {
        for after in text.split("#[test]\n").skip(1) {
            let Some((_, rest)) = after.split_once("fn ") else { continue };
            let name: String = rest.chars().take_while(|one| *one != '(').collect();
            let indent: String = after.chars().take_while(|one| *one == ' ').collect();
            let body = after.split(&format!("\n{indent}}}\n")).next().unwrap_or(after);
            // Two tests of one name are told apart by their module, which the table does not name.
            found.entry(name).or_insert_with(String::new).push_str(body);
        }
    }
    assert!(found.len() > 300, "there are more tests than {}", found.len());
    found
}

/// The variant of a name: `wrong_type` is `WrongType`.
fn variant(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(capital).collect()
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
    let specified: Vec<_> = registry().iter().map(|row| (row.code, row.name)).collect();
    assert_eq!(specified, Error::REGISTRY);
}

#[test]
fn every_rule_is_one_normative_sentence_and_names_its_section() {
    let headings = headings();
    for Rule { code, name, rule, .. } in registry() {
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

#[test]
fn every_rule_names_a_test_that_expects_its_error() {
    let tests = tests();
    for Rule { code, name, test, .. } in registry() {
        let unreached = vectors::UNREACHED.contains(&code);
        assert_eq!(test.is_none(), unreached, "{code} {name}");
        let Some(test) = test else { continue };
        let body = tests.get(test).unwrap_or_else(|| panic!("{code} {name}: there is no {test}"));
        let error = format!("Error::{}", variant(name));
        let next = |at: usize| body[at + error.len()..].chars().next();
        let whole = |at: usize| next(at).is_none_or(|one| !one.is_alphanumeric());
        let expected = body.match_indices(&error).any(|(at, _)| whole(at));
        assert!(expected, "{code} {name}: {test} says nothing of {error}");
    }
}

#[test]
fn every_rule_names_two_vectors_that_it_refuses() {
    let files = vectors::kept();
    for Rule { code, name, vectors, .. } in registry() {
        let least = if vectors::UNREACHED.contains(&code) { 0 } else { 2 };
        assert_eq!(vectors.len(), least, "{code} {name}");
        for (family, case) in vectors {
            let file = files.get(family).unwrap_or_else(|| panic!("{code}: no family {family}"));
            let found = vectors::cases(file).iter().find(|one| one["name"] == case);
            let found = found.unwrap_or_else(|| panic!("{code} {name}: no {family}/{case}"));
            assert_eq!(vectors::code(found), Some(u64::from(code)), "{family}/{case}");
        }
    }
}
