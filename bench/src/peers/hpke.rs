//! HPKE by `hpke`, alone and inside a COSE_Sign1.

use std::rc::Rc;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal,
};

use super::coset::Agent;
use super::{KIB_4, Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::{World, content};

type Key = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

const INFO: &[u8] = b"a bench";
const ENCAPSULATED: usize = 32;

/// One who can read.
pub struct Reader {
    key: Key,
    public: PublicKey,
}

impl Reader {
    pub fn new(world: &World) -> Self {
        let (key, public) = X25519HkdfSha256::derive_keypair(&world.peer_seed(2));
        Self { key, public }
    }

    pub fn seal(&self, content: &[u8]) -> Vec<u8> {
        let mode = OpModeS::Base;
        let (encapsulated, ciphertext) = single_shot_seal::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(&mode, &self.public, INFO, content, &[])
        .expect("a good key");
        [encapsulated.to_bytes().as_slice(), &ciphertext].concat()
    }

    pub fn open(&self, bytes: &[u8]) -> Vec<u8> {
        let (encapsulated, ciphertext) = bytes.split_at(ENCAPSULATED);
        let encapsulated = Encapsulated::from_bytes(encapsulated).expect("32 bytes");
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.key,
            &encapsulated,
            INFO,
            ciphertext,
            &[],
        )
        .expect("for this reader")
    }
}

/// A sender and a reader who put HPKE's output into a COSE_Sign1: about what one would build without a library for it.
pub struct Both {
    agent: Agent,
    reader: Reader,
}

impl Both {
    pub fn new(world: &World) -> Self {
        Self { agent: Agent::new(world), reader: Reader::new(world) }
    }

    pub fn seal(&self, content: &[u8]) -> Vec<u8> {
        self.agent.sign(self.reader.seal(content))
    }

    pub fn open(&self, bytes: &[u8]) -> Vec<u8> {
        self.reader.open(&self.agent.verify(bytes))
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let body = content(KIB_4);
    let both = Rc::new(Ring::new(worlds, Both::new));
    let envelopes =
        || Ring::new(worlds, |world| world.seal(&content(KIB_4), 1).as_bytes().to_vec());
    let our_size = envelopes().at(0).len();
    let bare = both.map(|both| both.reader.seal(&body));
    let signed = both.map(|both| both.seal(&body));
    let (bare_size, signed_size) = (bare.at(0).len(), signed.at(0).len());
    let seal = {
        let body = body.clone();
        move || {
            let body = body.clone();
            writing(worlds, move |world: &World| world.seal(&body, 1))
        }
    };
    let open = || reading(worlds, envelopes(), |world, bytes| world.open(bytes));
    let share = || (Rc::clone(&both), body.clone());
    let ((sealing, to_seal), (signing, to_sign), (opening, _), (verifying, _)) =
        (share(), share(), share(), share());
    vec![
        Pair {
            name: "seal 4 KiB for 1",
            peer: "hpke (unsigned)",
            theirs: "base mode: nobody knows who sealed it; no signature",
            ours: "sealed, committed to, and signed",
            our_job: seal(),
            their_job: job(move |turn| sealing.at(turn).reader.seal(&to_seal)),
            bytes: Some((our_size, bare_size)),
        },
        Pair {
            name: "open 4 KiB",
            peer: "hpke (unsigned)",
            theirs: "base mode: no signature to verify",
            ours: "verified, admitted once, opened",
            our_job: open(),
            their_job: job(move |turn| opening.at(turn).reader.open(bare.at(turn))),
            bytes: Some((our_size, bare_size)),
        },
        Pair {
            name: "sign and seal 4 KiB for 1",
            peer: "coset + hpke",
            theirs: "HPKE's output in a COSE_Sign1: one reader, and no more meaning than that",
            ours: "a whole envelope",
            our_job: seal(),
            their_job: job(move |turn| signing.at(turn).seal(&to_sign)),
            bytes: Some((our_size, signed_size)),
        },
        Pair {
            name: "verify and open 4 KiB",
            peer: "coset + hpke",
            theirs: "one verification, one opening; no replay window",
            ours: "verified, admitted once, opened",
            our_job: open(),
            their_job: job(move |turn| verifying.at(turn).open(signed.at(turn))),
            bytes: Some((our_size, signed_size)),
        },
    ]
}
