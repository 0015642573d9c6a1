//! What people get to see: the story of the first conversation, a line for each, and the totals.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use agent_envelope::{AgentId, Authority};

use crate::cast::Cast;
use crate::check::Tally;

/// Standard output. A reader that has gone away ends the program quietly.
pub(crate) struct Out {
    stream: BufWriter<StdoutLock<'static>>,
    /// Whether the details of the present conversation are told.
    pub(crate) detail: bool,
}

impl Out {
    pub(crate) fn new() -> Self {
        Self { stream: BufWriter::new(io::stdout().lock()), detail: true }
    }

    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        if let Err(error) = writeln!(self.stream, "{}", line.as_ref()) {
            gone(&error);
        }
    }

    /// Says something about the present conversation, if its details are told.
    pub(crate) fn tell(&mut self, line: impl AsRef<str>) {
        if self.detail {
            self.say(line);
        }
    }

    pub(crate) fn flush(&mut self) {
        if let Err(error) = self.stream.flush() {
            gone(&error);
        }
    }
}

fn gone(error: &io::Error) -> ! {
    if error.kind() != io::ErrorKind::BrokenPipe {
        eprintln!("cannot write: {error}");
        std::process::exit(1);
    }
    std::process::exit(0)
}

/// Progress on standard error: a bar where somebody watches it.
pub(crate) struct Progress {
    all: usize,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(all: usize) -> Self {
        Self { all, shown: all >= 5 && io::stderr().is_terminal() }
    }

    pub(crate) fn show(&self, done: usize) {
        if self.shown {
            let filled = done * 40 / self.all.max(1);
            let bar: String = (0..40).map(|cell| if cell < filled { '#' } else { '.' }).collect();
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r[{bar}] {done} of {} ", self.all);
        }
    }

    pub(crate) fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{:70}\r", "");
        }
    }
}

/// Writes a number with its thousands apart.
pub(crate) fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Counts occasions.
pub(crate) fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{} times", number(count)),
    }
}

/// An agent's did:key, short: the beginning is the same for all.
pub(crate) fn tail(id: AgentId) -> String {
    let text = id.to_string();
    format!("did:key:…{}", &text[text.len() - 6..])
}

/// The name that this program has for an agent.
pub(crate) fn name(cast: &Cast, id: AgentId) -> &'static str {
    cast.everybody().into_iter().find(|agent| agent.id() == id).map_or("?", |agent| agent.name)
}

/// Spells out an authority: whom it represents, who vouches for that, and by whose hands it went.
pub(crate) fn authority(authority: &Authority<'_>) -> String {
    let (subject, issuer) = (authority.subject(), authority.issuer());
    let mut path = issuer.trim_start_matches("https://").to_owned();
    for step in authority.path() {
        path.push_str(" > ");
        path.push_str(step.name().unwrap_or("?"));
    }
    format!("acts for {subject}, by {path}")
}

/// Begins a text so that it fits a line, with nothing in it that moves a cursor.
pub(crate) fn preview(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = |c: &char| !c.is_control() && !matches!(c, '\u{200b}'..='\u{206f}' | '\u{feff}');
    let mut line: String = words.join(" ").chars().filter(plain).take(58).collect();
    if line.len() < text.trim().len() {
        line.push('…');
    }
    line
}

/// A topology's part of the compact line.
pub(crate) fn compact(tally: &Tally) -> String {
    format!("{:>4} {:>10} {:>6}", tally.envelopes, number(tally.wire), overhead(tally))
}

fn overhead(tally: &Tally) -> String {
    let more = tally.wire.saturating_sub(tally.plain);
    format!("+{} %", more * 100 / tally.plain.max(1))
}

/// What a topology made of one conversation.
pub(crate) fn result(out: &mut Out, tally: &Tally) {
    let Tally { bodies, recovered, envelopes, hops, wire, plain, parts, .. } = tally;
    out.tell(format!(
        "  recovered {recovered} of {bodies} bodies, byte for byte; {envelopes} envelopes, {hops} hops"
    ));
    out.tell(format!(
        "  {} bytes of text became {} on the wire ({}):",
        number(*plain),
        number(*wire),
        overhead(tally)
    ));
    let rest = [
        ("contents", parts.contents),
        ("chains", parts.chains),
        ("audiences", parts.audiences),
        ("hops", parts.hops),
        ("headers", parts.headers),
        ("key packages", parts.key_packages),
    ];
    let rest: Vec<_> =
        rest.iter().map(|(what, bytes)| format!("{what} {}", number(*bytes))).collect();
    out.tell(format!("  {}", rest.join(", ")));
    for fault in &tally.faults {
        out.tell(format!("  UNEXPECTED: {fault}"));
    }
}

/// All conversations together.
pub(crate) fn totals(out: &mut Out, conversations: usize, tallies: &[(&str, Tally); 3]) {
    out.say("");
    out.say(format!("In all {conversations} conversations"));
    out.say("  topology  envelopes    hops       text    on the wire  overhead  recovered");
    for (topology, tally) in tallies {
        let recovered = format!("{} of {} bodies", number(tally.recovered), number(tally.bodies));
        out.say(format!(
            "  {topology:9} {:>9} {:>7} {:>10} {:>14} {:>9}  {recovered}",
            number(tally.envelopes),
            number(tally.hops),
            number(tally.plain),
            number(tally.wire),
            overhead(tally),
        ));
    }
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(|(_, tally)| count(tally)).sum();
    let (replies, closed): (usize, usize) = (sum(|tally| tally.replies), sum(|tally| tally.closed));
    let jointly: usize = sum(|tally| tally.jointly);
    out.say(format!(
        "  {} replies matched to what they answer; {} an agent held something sealed that was not for it",
        number(replies),
        times(closed)
    ));
    out.say(format!(
        "  {} a reader found that customer and company both let the planner call a tool",
        times(jointly)
    ));
}
