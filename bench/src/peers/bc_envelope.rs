//! Gordian Envelope by `bc-envelope`.

use std::rc::Rc;

use bc_components::{
    EncapsulationPrivateKey, EncapsulationPublicKey, EncapsulationScheme, SignatureScheme,
    SigningPrivateKey, SigningPublicKey,
};
use bc_envelope::prelude::{ByteString, CBOR, CBORTaggedDecodable, CBORTaggedEncodable};

use super::{KIB_4, Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::content;

struct Peer {
    sender: SigningPrivateKey,
    sender_public: SigningPublicKey,
    reader: EncapsulationPrivateKey,
    reader_public: EncapsulationPublicKey,
}

impl Peer {
    fn new() -> Self {
        let (sender, sender_public) = SignatureScheme::Ed25519.keypair();
        let (reader, reader_public) = EncapsulationScheme::X25519.keypair();
        Self { sender, sender_public, reader, reader_public }
    }

    fn seal(&self, content: &[u8]) -> Vec<u8> {
        bc_envelope::Envelope::new(CBOR::to_byte_string(content))
            .seal(&self.sender, &self.reader_public)
            .tagged_cbor_data()
    }

    fn open(&self, bytes: &[u8]) -> ByteString {
        bc_envelope::Envelope::from_tagged_cbor_data(bytes)
            .expect("well-formed")
            .unseal(&self.sender_public, &self.reader)
            .expect("signed by the sender, for this reader")
            .extract_subject()
            .expect("bytes")
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let body = content(KIB_4);
    let peers = Rc::new(Ring::new(worlds, |_| Peer::new()));
    let ours = Ring::new(worlds, |world| world.seal(&body, 1).as_bytes().to_vec());
    let theirs = peers.map(|peer| peer.seal(&body));
    let bytes = Some((ours.at(0).len(), theirs.at(0).len()));
    let (sealing, to_seal) = (Rc::clone(&peers), body.clone());
    vec![
        Pair {
            name: "sign and seal 4 KiB for 1",
            peer: "bc-envelope",
            theirs: "Ed25519, X25519, ChaCha20-Poly1305; digests of all parts; no addressee outside, no time, no replay window",
            ours: "a whole envelope",
            our_job: writing(worlds, move |world| world.seal(&body, 1)),
            their_job: job(move |turn| sealing.at(turn).seal(&to_seal)),
            bytes,
        },
        Pair {
            name: "verify and open 4 KiB",
            peer: "bc-envelope",
            theirs: "decrypts, then verifies the signature inside",
            ours: "verified, admitted once, opened",
            our_job: reading(worlds, ours, |world, bytes| world.open(bytes)),
            their_job: job(move |turn| peers.at(turn).open(theirs.at(turn))),
            bytes,
        },
    ]
}
