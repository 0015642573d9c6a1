//! Bars and tables for people.

use agent_envelope::budget::{Amounts, Dimension, Ledger};

use crate::company::MONEY;

const WIDTH: u64 = 28;

pub(crate) fn tokens(amounts: &Amounts) -> u64 {
    amounts.get(Dimension::OUTPUT_TOKENS).unwrap_or(0)
}

pub(crate) fn money(amounts: &Amounts) -> u64 {
    amounts.get_in(Dimension::MONEY, MONEY).unwrap_or(0)
}

pub(crate) fn dollars(micros: u64) -> String {
    format!("{}.{:06} USD", micros / 1_000_000, micros % 1_000_000)
}

/// One line: a name, and how the tokens of its allotment are spoken for.
pub(crate) fn bar(indent: usize, name: &str, ledger: &Ledger, note: &str) -> String {
    let whole = tokens(ledger.terms().amounts()).max(1);
    let parts = [
        (tokens(ledger.own()), '█'),
        (tokens(ledger.held()), '▒'),
        (tokens(&ledger.outstanding()), '▚'),
        (tokens(ledger.returned()), '░'),
        (tokens(&ledger.free()), '·'),
    ];
    let mut bar = String::new();
    let (mut sum, mut drawn) = (0, 0);
    for (amount, sign) in parts {
        sum += amount;
        let until = sum * WIDTH / whole;
        bar.extend((drawn..until).map(|_| sign));
        drawn = until;
    }
    let name = format!("{:indent$}{name}", "");
    format!("  {name:<20} {bar} {whole:>7} tokens  {note}").trim_end().to_owned()
}

pub(crate) const LEGEND: &str =
    "  █ own use  ▒ held  ▚ out with others  ░ returned  · free     (output tokens)";
