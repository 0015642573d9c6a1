mod messages;
mod order;

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::budget::{DimensionKind, Rate, Tariff};
use crate::{Error, Timestamp};

const TOKENS: Dimension = Dimension::OUTPUT_TOKENS;
const MEMORY: Dimension = Dimension::MEMORY;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn tokens(amount: u64) -> Amounts {
    Amounts::new().with(TOKENS, amount).expect("tokens")
}

fn memory(amount: u64) -> Amounts {
    Amounts::new().with(MEMORY, amount).expect("memory")
}

fn terms(amounts: Amounts, depth: u32) -> Terms {
    Terms::new(amounts, at(1000), depth)
}

fn meters() -> Meters {
    let meters = Meters::new().with(TOKENS).and_then(|meters| meters.with(MEMORY));
    meters.and_then(|meters| meters.with(Dimension::AGENTS)).expect("meters")
}

/// An ask for 20 tokens, depth 2, until 1000.
fn ask() -> Ask {
    Ask::new(terms(tokens(20), 2), Amounts::new()).expect("an ask")
}

/// An offer of 5 to 50 tokens, depth 1, until 1000, valid until 500.
fn offer() -> Offer {
    let offer = Offer::new(terms(tokens(50), 1), meters(), at(500));
    offer.and_then(|offer| offer.with_need(tokens(5))).expect("an offer")
}
