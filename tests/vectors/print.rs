//! Writes vectors so that people can read them and tools can compare them: one step a line, members in a fixed order.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Members that come first, in this order; the others follow by name.
const FIRST: &[&str] = &[
    "format", "family", "about", "local", "do", "as", "name", "comment", "rule", "base", "role",
    "inbox", "received", "bytes", "verifier", "identity", "now",
];
/// Members that come last.
const LAST: &[&str] = &["verifiers", "identities", "cases", "steps", "expect"];

fn rank(key: &str) -> (usize, usize) {
    if let Some(first) = FIRST.iter().position(|one| *one == key) {
        return (0, first);
    }
    LAST.iter().position(|one| *one == key).map_or((1, 0), |last| (2, last))
}

fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(key, _)| (rank(key), key.as_str()));
    members
}

fn line(out: &mut String, value: &Value) {
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{}"),
        Value::Object(members) => {
            for (index, (key, value)) in ordered(members).into_iter().enumerate() {
                out.push_str(if index == 0 { "{ " } else { ", " });
                write!(out, "{}: ", Value::String(key.clone())).expect("a string takes all");
                line(out, value);
            }
            out.push_str(" }");
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                line(out, item);
            }
            out.push(']');
        }
        other => write!(out, "{other}").expect("a string takes all"),
    }
}

/// Members a line each; what is called `nested` is broken up further.
fn broken(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent + 2);
    match value {
        Value::Object(members) => {
            out.push_str("{\n");
            let members = ordered(members);
            let last = members.len() - 1;
            for (index, (key, value)) in members.into_iter().enumerate() {
                write!(out, "{pad}{}: ", Value::String(key.clone())).expect("a string takes all");
                match key.as_str() {
                    "verifiers" | "identities" | "cases" | "steps" => {
                        broken(out, value, indent + 2)
                    }
                    _ => line(out, value),
                }
                out.push_str(if index == last { "\n" } else { ",\n" });
            }
        }
        Value::Array(items) => {
            out.push_str("[\n");
            for (index, item) in items.iter().enumerate() {
                out.push_str(&pad);
                // A case is broken up, a step is not.
                match item.get("steps") {
                    Some(_) => broken(out, item, indent + 2),
                    None => line(out, item),
                }
                out.push_str(if index + 1 == items.len() { "\n" } else { ",\n" });
            }
        }
        other => return line(out, other),
    }
    write!(out, "{}{}", " ".repeat(indent), if value.is_array() { ']' } else { '}' })
        .expect("a string takes all");
}

/// A whole file.
pub(crate) fn file(value: &Value) -> String {
    let mut out = String::new();
    broken(&mut out, value, 0);
    out.push('\n');
    out
}
