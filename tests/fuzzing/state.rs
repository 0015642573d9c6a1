//! Any bytes as stored state: no panic, and what is accepted is written again as it was.

use std::sync::OnceLock;

use crate::support::{World, identity};
use agent_envelope::budget::negotiation::Message;
use agent_envelope::budget::{Ledger, Quota};
use agent_envelope::{Conversations, Error, Inbox, ReplayWindow, Sent, Verifier};

pub(crate) fn run(data: &[u8]) {
    let Some((form, data)) = data.split_first() else { return };
    match form % 7 {
        0 => same(data, inbox(data)),
        1 => window(data),
        2 => same(data, Conversations::from_bytes(data).map(|one| one.to_bytes())),
        3 => same(data, Sent::from_bytes(data.to_vec()).map(|one| one.as_bytes().to_vec())),
        4 => ledger(data),
        5 => same(data, Quota::from_bytes(data).map(|one| one.to_bytes())),
        _ => same(data, Message::from_bytes(data).map(|one| one.to_bytes())),
    }
}

fn same(data: &[u8], again: Result<Vec<u8>, Error>) {
    match again {
        Ok(again) => assert_eq!(again, data),
        Err(error) => super::refused(&error, data),
    }
}

fn inbox(data: &[u8]) -> Result<Vec<u8>, Error> {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    let verifier = VERIFIER.get_or_init(|| World::new().verifier(identity(4).id()));
    Inbox::restore(verifier.clone(), data).map(|inbox| inbox.to_bytes())
}

fn window(data: &[u8]) {
    let read = ReplayWindow::from_bytes(data);
    if let Ok(window) = &read {
        // Merging with itself adds nothing, and forgets only what is over.
        let mut merged = window.clone();
        merged.merge(window).expect("there is room for what is there");
        assert!(merged.len() <= window.len());
        let again = merged.clone();
        merged.merge(&again).expect("there is room for what is there");
        assert_eq!(merged, again);
    }
    same(data, read.map(|one| one.to_bytes()));
}

fn ledger(data: &[u8]) {
    match Ledger::resume(data) {
        Ok(ledger) => {
            // Holds have become charges; from then on nothing changes.
            let written = ledger.to_bytes();
            assert_eq!(Ledger::resume(&written).as_ref(), Ok(&ledger));
            assert!(written == data || ledger.held().is_empty());
            super::assert_conserved(&ledger);
        }
        Err(error) => super::refused(&error, data),
    }
}
