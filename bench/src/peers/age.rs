//! Encryption to several readers by `age`.

use std::io::Write;
use std::iter;
use std::rc::Rc;

use age::x25519::{Identity, Recipient};
use age::{Encryptor, decrypt};

use super::{KIB_4, Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::content;

/// Readers, and the one in the middle, who finds its stanza after trying half of the others: the average.
pub struct Readers {
    recipients: Vec<Recipient>,
    middle: Identity,
}

impl Readers {
    pub fn new(count: usize) -> Self {
        let identities: Vec<_> = iter::repeat_with(Identity::generate).take(count).collect();
        let recipients = identities.iter().map(Identity::to_public).collect();
        let middle = identities.into_iter().nth(count / 2).expect("at least one");
        Self { recipients, middle }
    }

    pub fn encrypt(&self, content: &[u8]) -> Vec<u8> {
        let recipients = self.recipients.iter().map(|recipient| recipient as _);
        let encryptor = Encryptor::with_recipients(recipients).expect("at least one");
        let mut bytes = Vec::with_capacity(content.len());
        let mut writer = encryptor.wrap_output(&mut bytes).expect("memory");
        writer.write_all(content).expect("memory");
        writer.finish().expect("memory");
        bytes
    }

    pub fn decrypt(&self, bytes: &[u8]) -> Vec<u8> {
        decrypt(&self.middle, bytes).expect("for this reader")
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    const READERS: usize = 3;
    let body = content(KIB_4);
    let peers = Rc::new(Ring::new(worlds, |_| Readers::new(READERS)));
    let ours = Ring::new(worlds, |world| world.seal(&body, READERS).as_bytes().to_vec());
    let theirs = peers.map(|peer| peer.encrypt(&body));
    let bytes = Some((ours.at(0).len(), theirs.at(0).len()));
    let (sealing, to_seal) = (Rc::clone(&peers), body.clone());
    vec![
        Pair {
            name: "seal 4 KiB for 3",
            peer: "age (unsigned)",
            theirs: "three X25519 stanzas and a header MAC; no signature: whoever knows a recipient can write it",
            ours: "sealed, committed to, and signed",
            our_job: writing(worlds, move |world| world.seal(&body, READERS)),
            their_job: job(move |turn| sealing.at(turn).encrypt(&to_seal)),
            bytes,
        },
        Pair {
            name: "open 4 KiB, one of 3 readers",
            peer: "age (unsigned)",
            theirs: "tries stanzas until one fits (the second does); no signature to verify",
            ours: "verified, admitted once, opened",
            our_job: reading(worlds, ours, |world, bytes| world.open(bytes)),
            their_job: job(move |turn| peers.at(turn).decrypt(theirs.at(turn))),
            bytes,
        },
    ]
}
