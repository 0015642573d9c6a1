use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;

mod budgets;
mod encoding;
mod integrity;
mod negotiation;
mod structure;
mod usage;

const AGENT: &str = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw";
const OTHER: &str = "did:key:z6MkiaMbhXHNA4eJVCCj8dbzKzTgYDKf6crKgHVHid1F1WCT";
const AB: &str = "abababababababababababababababababababababababababababababababab";
const CD: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

fn agent() -> AgentId {
    AGENT.parse().expect("the key of RFC 8032 §7.1, test 1")
}

fn other() -> AgentId {
    OTHER.parse().expect("the key of RFC 8032 §7.1, test 2")
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

struct Row {
    error: Error,
    code: u16,
    name: &'static str,
    culprit: Culprit,
    place: Place,
    text: String,
}

fn row(
    error: Error,
    code: u16,
    name: &'static str,
    culprit: Culprit,
    place: Place,
    text: &str,
) -> Row {
    Row { error, code, name, culprit, place, text: text.to_string() }
}

/// Every variant, and every text that one of them may take.
fn rows() -> Vec<Row> {
    [
        encoding::rows(),
        structure::rows(),
        integrity::rows(),
        usage::rows(),
        budgets::rows(),
        negotiation::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_error_says_what_was_refused_and_where_and_whose_fault_it_is() {
    for Row { error, code, name, culprit, place, text } in rows() {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.code(), code, "{text}");
        assert_eq!(error.name(), name, "{text}");
        assert_eq!(error.culprit(), culprit, "{text}");
        assert_eq!(error.place(), place, "{text}");
    }
}

#[test]
fn the_registry_lists_every_variant_once_and_in_order() {
    let spelled_out: BTreeSet<_> = rows().iter().map(|row| (row.code, row.name)).collect();
    assert_eq!(Error::REGISTRY, spelled_out.into_iter().collect::<Vec<_>>());
    assert!(Error::REGISTRY.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let names: BTreeSet<_> = Error::REGISTRY.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), Error::REGISTRY.len());
    for (_, name) in Error::REGISTRY {
        let parts = name.split('_').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        assert!(parts, "{name} is not snake_case");
    }
}

#[test]
fn texts_are_single_lower_case_phrases() {
    for Row { text, .. } in rows() {
        let first = text.chars().next().expect("a text");
        assert!(!first.is_uppercase(), "{text}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}

#[test]
fn an_error_is_small_enough_to_return_by_value() {
    assert!(size_of::<Error>() <= 80, "{}", size_of::<Error>());
    assert!(size_of::<Place>() <= 32);
}
