//! COSE_Sign1 by `coset`, with signatures by `ed25519-dalek`.

use std::rc::Rc;

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::{Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::{World, content};

const PEER: &str = "coset";
const AAD: &[u8; 32] = &[5; 32];

/// One who signs, and whose key everybody knows.
pub struct Agent {
    key: SigningKey,
    id: [u8; 32],
}

impl Agent {
    pub fn new(world: &World) -> Self {
        let key = SigningKey::from_bytes(&world.peer_seed(1));
        Self { id: key.verifying_key().to_bytes(), key }
    }

    pub fn sign(&self, payload: Vec<u8>) -> Vec<u8> {
        let header =
            HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(self.id.to_vec());
        CoseSign1Builder::new()
            .protected(header.build())
            .payload(payload)
            .create_signature(AAD, |bytes| self.key.sign(bytes).to_vec())
            .build()
            .to_vec()
            .expect("it is whole")
    }

    /// Verifies as one who knows this agent by its key's bytes, as a reader of ours knows a sender.
    pub fn verify(&self, bytes: &[u8]) -> Vec<u8> {
        let message = CoseSign1::from_slice(bytes).expect("well-formed");
        let id = &message.protected.header.key_id;
        assert_eq!(id.as_slice(), self.id);
        let key = VerifyingKey::from_bytes(&self.id).expect("a key");
        let verified = message.verify_signature(AAD, |signature, bytes| {
            key.verify_strict(bytes, &Signature::from_slice(signature)?)
        });
        verified.map(|()| message.payload).ok().flatten().expect("valid")
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let body = content(256);
    let agents = Rc::new(Ring::new(worlds, Agent::new));
    let ours = Ring::new(worlds, |world| world.sign(&body).as_bytes().to_vec());
    let theirs = agents.map(|agent| agent.sign(body.clone()));
    let bytes = Some((ours.at(0).len(), theirs.at(0).len()));
    let (signing, to_sign) = (Rc::clone(&agents), body.clone());
    vec![
        Pair {
            name: "sign 256 B",
            peer: PEER,
            theirs: "one COSE_Sign1 with external_aad; no addressee, time, conversation or commitment to single elements",
            ours: "a whole envelope of one clear element",
            our_job: writing(worlds, move |world| world.sign(&body)),
            their_job: job(move |turn| signing.at(turn).sign(to_sign.clone())),
            bytes,
        },
        Pair {
            name: "verify 256 B",
            peer: PEER,
            theirs: "decoding, the signer compared with the one who is trusted, one strict verification; no replay window",
            ours: "the same, with all other rules, the replay window, and an origin that is an anchor itself",
            our_job: reading(worlds, ours, |world, bytes| world.admit(bytes).elements().count()),
            their_job: job(move |turn| agents.at(turn).verify(theirs.at(turn))),
            bytes,
        },
    ]
}
