//! Shows the bytes of vectors to people: every item on a line of its own, with its offset, its bytes and what it is.
//!
//! The reader is lenient, so that it can show what a decoder refuses: what it cannot read, it shows as it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::run::{hex, unhex};

/// What stands in a place of the format.
#[derive(Clone, Copy)]
enum What {
    Any,
    Envelope,
    Header,
    Element,
    Record,
    /// A body, of the kind that its record states.
    Body(u64),
    Statement(Of),
    Protected,
    Payload(Of),
    Chain,
    Lineage,
    History,
    Message,
}

/// Of what a statement is.
#[derive(Clone, Copy)]
enum Of {
    Hop,
    Link,
    KeyPackage,
    Allotment,
    Entry,
}

/// One line: where, how deep, which bytes, and what they are.
struct Line {
    offset: usize,
    depth: usize,
    bytes: Vec<u8>,
    about: String,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    lines: Vec<Line>,
    /// The kind in the record read last.
    kind: u64,
    sealed: bool,
}

/// A head: its major type, its additional information, its argument, and how long it is.
fn head(bytes: &[u8]) -> Option<(u8, u8, u64, usize)> {
    let first = *bytes.first()?;
    let (major, info) = (first >> 5, first & 0x1f);
    let width = match info {
        24..=27 => 1_usize << (info - 24),
        _ => 0,
    };
    let argument = bytes.get(1..=width)?;
    let argument = match width {
        0 => u64::from(info),
        _ => argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    };
    Some((major, info, argument, 1 + width))
}

impl<'b> Reader<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, lines: Vec::new(), kind: u64::MAX, sealed: false }
    }

    fn line(&mut self, depth: usize, length: usize, about: String) {
        let end = (self.at + length).min(self.bytes.len());
        let bytes = self.bytes[self.at..end].to_vec();
        self.lines.push(Line { offset: self.at, depth, bytes, about });
        self.at = end;
    }

    /// Reads one item, up to `end`; says whether it could be read to its own end.
    fn item(&mut self, end: usize, depth: usize, what: What, name: &str) -> bool {
        let Some((major, info, argument, length)) = head(&self.bytes[self.at..end]) else {
            self.rest(end, depth);
            return false;
        };
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let count = usize::try_from(argument).unwrap_or(usize::MAX);
        if info >= 28 {
            self.line(depth, 1, format!("{name}not allowed in this format"));
            self.rest(end, depth);
            return false;
        }
        match major {
            0 => self.line(depth, length, format!("{name}{argument}")),
            1 => self.line(depth, length, format!("{name}{}", -1 - i128::from(argument))),
            2 | 3 if count > end - self.at - length => {
                self.line(depth, length, format!("{name}{argument} bytes, more than there are"));
                self.rest(end, depth);
                return false;
            }
            2 => return self.byte_string(depth, length, count, what, &name),
            3 => {
                let text = &self.bytes[self.at + length..self.at + length + count];
                let shown = String::from_utf8_lossy(text).escape_debug().to_string();
                self.line(depth, length + count, format!("{name}\"{shown}\""));
            }
            4 => {
                self.line(depth, length, format!("{name}array of {argument}"));
                for index in 0..count {
                    let (what, name) = self.member(what, index);
                    if self.at >= end || !self.item(end, depth + 1, what, &name) {
                        return false;
                    }
                }
            }
            5 => {
                self.line(depth, length, format!("{name}map of {argument}"));
                for _ in 0..count {
                    let key = head(&self.bytes[self.at..end]);
                    if self.at >= end || !self.item(end, depth + 1, What::Any, "key") {
                        return false;
                    }
                    let name = key.map(|(major, _, key, _)| key_name(what, major, key));
                    if matches!((what, key), (What::Record, Some((0, _, 1, _)))) {
                        self.kind = head(&self.bytes[self.at..end]).map_or(u64::MAX, |head| head.2);
                    }
                    if matches!((what, key), (What::Record, Some((0, _, 3, _)))) {
                        self.sealed = true;
                    }
                    let value =
                        if self.at < end { name.unwrap_or_default() } else { return false };
                    if !self.item(end, depth + 2, What::Any, value) {
                        return false;
                    }
                }
            }
            6 => {
                self.line(depth, length, format!("{name}tag {argument}"));
                return self.item(end, depth, what, "");
            }
            _ if info == 22 => self.line(depth, length, format!("{name}null")),
            _ => self.line(depth, length, format!("{name}simple value or float")),
        }
        true
    }

    /// A byte string, whose content is shown item by item where the format has CBOR in it.
    fn byte_string(
        &mut self,
        depth: usize,
        head: usize,
        count: usize,
        what: What,
        name: &str,
    ) -> bool {
        let end = self.at + head + count;
        let inside = matches!(
            what,
            What::Body(_) | What::Header | What::Record | What::Protected | What::Payload(_)
        );
        if !inside {
            self.line(depth, head + count, format!("{name}{count} bytes"));
            return true;
        }
        self.line(depth, head, format!("{name}{count} bytes of CBOR"));
        let what = match what {
            What::Body(64) => What::Chain,
            What::Body(66) => What::Statement(Of::KeyPackage),
            What::Body(67) => What::Lineage,
            What::Body(68) => What::History,
            What::Body(_) => What::Any,
            other => other,
        };
        let whole = self.at < end && self.item(end, depth + 1, what, "");
        if self.at < end {
            self.rest(end, depth + 1);
        }
        whole || self.at == end
    }

    fn rest(&mut self, end: usize, depth: usize) {
        if self.at < end {
            self.line(depth, end - self.at, "not read any further".to_owned());
        }
    }

    /// What the members of an array are, and how they are called.
    fn member(&mut self, what: What, index: usize) -> (What, String) {
        let statement = |of: Of| match index {
            0 => (What::Protected, "protected"),
            1 => (What::Any, "unprotected"),
            2 => (What::Payload(of), "payload"),
            _ => (What::Any, "signature"),
        };
        let (what, name) = match what {
            What::Envelope => match index {
                0 => (What::Any, "version"),
                1 => (What::Header, "header"),
                2 => (What::Element, "elements"),
                _ => (What::Statement(Of::Hop), "hops"),
            },
            // An array of elements, or one element: elements are arrays of byte strings.
            What::Element => {
                if head(&self.bytes[self.at..]).is_some_and(|head| head.0 == 4) {
                    return (What::Element, format!("element {index}"));
                }
                match index {
                    0 => {
                        (self.kind, self.sealed) = (u64::MAX, false);
                        (What::Record, "record")
                    }
                    _ => (What::Body(if self.sealed { u64::MAX } else { self.kind }), "body"),
                }
            }
            What::Statement(of) => {
                if head(&self.bytes[self.at..]).is_some_and(|head| head.0 == 4) {
                    return (What::Statement(of), format!("{} {index}", statement_name(of)));
                }
                statement(of)
            }
            What::Chain => (What::Statement(Of::Link), "link"),
            What::History => (What::Statement(Of::Entry), "entry"),
            What::Lineage => {
                if index == 0 {
                    (What::Chain, "chain")
                } else {
                    (What::Statement(Of::Allotment), "statements")
                }
            }
            _ => (What::Any, ""),
        };
        (what, name.to_owned())
    }
}

const fn statement_name(of: Of) -> &'static str {
    match of {
        Of::Hop => "hop",
        Of::Link => "link",
        Of::KeyPackage => "key package",
        Of::Allotment => "statement",
        Of::Entry => "entry",
    }
}

/// What the value of a key is called.
const fn key_name(what: What, major: u8, key: u64) -> &'static str {
    match (what, major, key) {
        (What::Header, 0, 1) => "id",
        (What::Header, 0, 2) => "context",
        (What::Header, 0, 3) => "from",
        (What::Header, 0, 4) => "to",
        (What::Header, 0, 5) => "created",
        (What::Header, 0, 6) => "expires",
        (What::Header, 0, 7) => "base",
        (What::Header, 0, 8) => "in-reply-to",
        (What::Header, 0, 9) => "terms",
        (What::Header, 0, 10) => "labels",
        (What::Header, 0, 11) => "via",
        (What::Record, 0, 1) => "kind",
        (What::Record, 0, 2) => "commitment",
        (What::Record, 0, 3) => "sealed",
        (What::Record, 0, 4) => "references",
        (What::Record, 0, 5) => "elidable",
        (What::Payload(Of::Hop), 0, 1) => "signer",
        (What::Payload(Of::Hop), 0, 2) => "next",
        (What::Payload(Of::Hop), 0, 3) => "at",
        (What::Payload(Of::Hop), 0, 4) => "count",
        (What::Payload(Of::Hop), 0, 5) => "head",
        (What::Payload(Of::Hop), 0, 6) => "absent",
        (What::Payload(Of::Link), 0, 1) => "issuer",
        (What::Payload(Of::Link), 0, 2) => "subject",
        (What::Payload(Of::Link), 0, 3) => "audience",
        (What::Payload(Of::Link), 0, 4) => "expires",
        (What::Payload(Of::Link), 0, 5) => "not-before",
        (What::Payload(Of::Link), 0, 7) => "token id",
        (What::Payload(Of::Link), 0, 8) => "confirmation",
        (What::Payload(Of::Link), 1, 65_536) => "grant",
        (What::Payload(Of::KeyPackage), 0, 1) => "agent",
        (What::Payload(Of::KeyPackage), 0, 2) => "suite",
        (What::Payload(Of::KeyPackage), 0, 3) => "sealing key",
        (What::Payload(Of::KeyPackage), 0, 4) => "not-before",
        (What::Payload(Of::KeyPackage), 0, 5) => "expires",
        (What::Payload(Of::Allotment | Of::Entry), 0, 1) => "payer or holder",
        (What::Payload(Of::Allotment | Of::Entry), 0, 2) => "to, or allotment",
        (What::Payload(Of::Allotment | Of::Entry), 0, 3) => "terms, or prev",
        (What::Payload(Of::Allotment | Of::Entry), 0, 4) => "request, or seq",
        (What::Payload(Of::Allotment | Of::Entry), 0, 5) => "nonce, or own",
        (What::Payload(Of::Allotment | Of::Entry), 0, 6) => "audit, or out",
        (What::Payload(Of::Allotment | Of::Entry), 0, 7) => "authority, or back",
        (What::Payload(Of::Entry | Of::Allotment), 0, 8) => "event",
        (What::Protected, 0, 1) => "algorithm",
        (What::Protected, 0, 4) => "key id",
        (What::Message, 0, 1) => "message",
        _ => "",
    }
}

/// All lines of an input.
fn lines(operation: &str, bytes: &[u8]) -> Vec<Line> {
    let what = match operation {
        "decode" | "verify" | "receive" | "sent" | "check-path" => What::Envelope,
        "chain" => What::Chain,
        "key-package" => What::Statement(Of::KeyPackage),
        "message" => What::Message,
        _ => What::Any,
    };
    let mut reader = Reader::new(bytes);
    if !bytes.is_empty() {
        reader.item(bytes.len(), 0, what, "");
        reader.rest(bytes.len(), 0);
    }
    reader.lines
}

fn print(out: &mut String, line: &Line) {
    let mut shown = hex(&line.bytes);
    if shown.len() > 48 {
        shown = format!("{}..{}", &shown[..32], &shown[shown.len() - 12..]);
    }
    let indent = "  ".repeat(line.depth);
    writeln!(out, "{:>6} {indent}{shown}  # {}", line.offset, line.about).expect(ALL);
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The bytes of a step that carries any.
fn carried(step: &Value) -> Option<(&str, Vec<u8>)> {
    Some((text(&step["do"]), unhex(step.get("bytes")?.as_str()?)))
}

/// Of a base, the whole; of what departs from it, the lines that the base does not have. What was shown before is named.
pub(crate) fn family(file: &Value) -> String {
    let cases = file["cases"].as_array().expect("cases");
    let by_name: BTreeMap<_, _> = cases.iter().map(|case| (text(&case["name"]), case)).collect();
    let mut shown_in: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    let mut out = format!("{}: {}\n\n{HEAD}", text(&file["family"]), text(&file["about"]));
    for case in cases {
        let name = text(&case["name"]);
        let steps = case["steps"].as_array().expect("steps");
        let base = case["base"].as_str().map(|base| steps_of(by_name[base]));
        let known: Vec<_> = base.into_iter().flatten().filter_map(carried).collect();
        let mut shown = String::new();
        for (index, step) in steps.iter().enumerate() {
            let Some((operation, bytes)) = carried(step) else { continue };
            if known.iter().any(|(_, known)| *known == bytes) {
                continue;
            }
            let size = bytes.len();
            match shown_in.get(&bytes) {
                Some(before) => {
                    writeln!(shown, " ({operation}, {size} bytes, shown in {before})").expect(ALL);
                    continue;
                }
                None => writeln!(shown, " ({operation}, {size} bytes)").expect(ALL),
            }
            let old = base.and_then(|base| carried(base.get(index)?));
            let old = old.map(|(_, bytes)| lines(operation, &bytes)).unwrap_or_default();
            let new = lines(operation, &bytes);
            changed(&old, &new).into_iter().for_each(|index| print(&mut shown, &new[index]));
            shown_in.insert(bytes, name);
        }
        if shown.is_empty() {
            continue;
        }
        let rule = case["rule"].as_str().map_or("accepted".to_owned(), |rule| {
            let error = &steps.last().expect("a step")["expect"]["error"];
            format!("{rule} {} at {}", text(&error["name"]), text(&error["at"]))
        });
        let base = case["base"].as_str().map(|base| format!(", like {base}, but"));
        let base = base.unwrap_or_default();
        let comment = text(&case["comment"]);
        write!(out, "\n== {name}: {rule}{base}\n   {comment}\n{shown}").expect(ALL);
    }
    out
}

const HEAD: &str = "Offset, bytes, meaning. Long strings are shortened. Of a case with a base, only what the base does not have.\n";
const ALL: &str = "a string takes all";

fn steps_of(case: &Value) -> &[Value] {
    case["steps"].as_array().expect("steps")
}

/// In how many places one input has items that another has not, in this order, but for what is computed of others:
/// heads, commitments, signatures, and the counts and lengths of what is around.
pub(crate) fn places(operation: &str, old: &[u8], new: &[u8]) -> usize {
    let (old, new) = (lines(operation, old), lines(operation, new));
    let runs = |old: &[Line], new: &[Line]| {
        let changed = changed(old, new);
        let runs = changed.chunk_by(|one, other| one + 1 == *other);
        runs.filter(|run| run.iter().any(|index| !is_computed(&new[*index].about))).count()
    };
    runs(&old, &new).max(runs(&new, &old))
}

fn is_computed(about: &str) -> bool {
    ["head: ", "commitment: ", "signature: ", "count: "].iter().any(|name| about.starts_with(name))
        || ["array of ", "map of ", " bytes of CBOR"].iter().any(|name| about.contains(name))
}

/// The indices of the lines of `new` that are not, in this order, among those of `old`.
fn changed(old: &[Line], new: &[Line]) -> Vec<usize> {
    let same = |(one, other): (&Line, &Line)| one.bytes == other.bytes && one.about == other.about;
    let before = old.iter().zip(new).take_while(|pair| same(*pair)).count();
    let (old, new) = (&old[before..], &new[before..]);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|pair| same(*pair)).count();
    let (old, new) = (&old[..old.len() - after], &new[..new.len() - after]);
    // The longest common subsequence of what is left.
    let mut rows = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (row, one) in old.iter().enumerate().rev() {
        for (column, other) in new.iter().enumerate().rev() {
            rows[row][column] = if same((one, other)) {
                rows[row + 1][column + 1] + 1
            } else {
                rows[row + 1][column].max(rows[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut found) = (0, 0, Vec::new());
    while column < new.len() {
        if row < old.len() && same((&old[row], &new[column])) {
            (row, column) = (row + 1, column + 1);
        } else if row < old.len() && rows[row + 1][column] >= rows[row][column + 1] {
            row += 1;
        } else {
            found.push(before + column);
            column += 1;
        }
    }
    found
}
