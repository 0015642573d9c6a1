//! Allotments and ledgers without envelopes, for tests that need many.

use super::*;
use crate::cbor::{Decoder, Encoder};
use crate::identity::Identity;
use crate::{Limits, Timestamp};
use std::sync::OnceLock;

pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

pub(super) fn later(seconds: u64) -> Timestamp {
    NOW.saturating_add(core::time::Duration::from_secs(seconds))
}

/// A few agents, made once: 0 pays.
pub(super) fn agents() -> &'static [Identity] {
    static AGENTS: OnceLock<Vec<Identity>> = OnceLock::new();
    AGENTS.get_or_init(|| {
        (1..=16).map(|byte| Identity::from_seeds(&[byte; 32], &[byte + 100; 32])).collect()
    })
}

pub(super) fn tokens(amount: u64) -> Amounts {
    match amount {
        0 => Amounts::new(),
        amount => Amounts::new().with(Dimension::OUTPUT_TOKENS, amount).expect("an amount"),
    }
}

pub(super) fn tokens_and_agents(amount: u64, agents: u64) -> Amounts {
    match agents {
        0 => tokens(amount),
        agents => tokens(amount).with(Dimension::AGENTS, agents).expect("an amount"),
    }
}

/// The lineage of a root allotment by agent 0.
pub(super) fn root(to: &Identity, terms: &Terms, nonce: u64) -> Vec<u8> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&nonce.to_be_bytes());
    let claims = RootClaims {
        payer: agents()[0].id(),
        to: to.id(),
        terms: terms.clone(),
        request: None,
        nonce: bytes,
        audit: None,
        authority: None,
    };
    let (root, _) = claims.sign(agents()[0].signing_key());
    let mut out = Encoder::new();
    out.array(2).null().array(1).raw(&root);
    out.finish()
}

/// Reads a lineage as verification does, and opens the ledger.
pub(super) fn open(lineage: &[u8], holder: &Identity, now: Timestamp) -> Ledger {
    open_within(&Limits::default(), lineage, holder, now)
}

pub(super) fn open_within(
    limits: &Limits,
    lineage: &[u8],
    holder: &Identity,
    now: Timestamp,
) -> Ledger {
    let mut decoder = Decoder::new(lineage);
    let lineage = Lineage::decode(&mut decoder, limits, None).expect("a lineage");
    decoder.finish().expect("nothing follows");
    Ledger::open(Funded::assertion(&lineage), holder, now).expect("it is the holder's")
}

/// SplitMix64: the same trees in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is above zero.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("no more than 2^64 of anything");
        usize::try_from(self.next() % bound).expect("less than a usize")
    }

    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        if most == u64::MAX { self.next() } else { self.next() % (most + 1) }
    }

    /// True once in `times`.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// Says which case failed.
pub(super) struct Case(pub(super) &'static str, pub(super) u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("{} {}", self.0, self.1);
        }
    }
}

/// How many trees to grow; `AGENT_ENVELOPE_TREES` says otherwise.
pub(super) fn trees(usual: u64) -> u64 {
    let wanted = std::env::var("AGENT_ENVELOPE_TREES").ok();
    wanted.map_or(usual, |wanted| wanted.parse().expect("AGENT_ENVELOPE_TREES is a number"))
}
