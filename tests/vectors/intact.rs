//! What else would refuse an envelope: every hash and every hop's signature, computed again without the crate.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};

use crate::adversary::cbor::{Item, bytes, uint};
use crate::adversary::forge::{self, Forgery, protected};

/// What is not as it should be, each with the code that it would be refused for.
pub(crate) fn faults(envelope: &[u8]) -> Vec<(u64, String)> {
    let forged = Forgery::of(envelope);
    let mut found = Vec::new();
    let mut signers = Vec::new();
    for hop in 0..forged.hops.len() {
        let payload = forged.hop(hop);
        let signer = if hop == 0 { forged.header.get(3) } else { payload.get(1) };
        // Without a signer there is nothing to check; it is refused for that alone.
        let Some(signer) = signer.map(|signer| signer.as_bytes().to_vec()) else { return found };
        let count = match payload.get(4) {
            Some(Item::Uint(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
            other => panic!("{other:?} is no count"),
        };
        let head = payload.get(5).map(Item::as_bytes);
        if count <= forged.elements.len() && head != Some(&forged.head(count)[..]) {
            found.push((401, format!("the head of hop {hop}")));
        }
        if !is_signed(&forged, hop, &signer) {
            found.push((410, format!("the signature of hop {hop}")));
        }
        signers.push((count, signer));
    }
    for (index, element) in forged.elements.iter().enumerate() {
        let Some((_, author)) = signers.iter().find(|(count, _)| *count > index) else { continue };
        let (Some(Item::Uint(kind)), Some(body)) = (element.record.get(1), &element.body) else {
            continue;
        };
        let commit = element.record.get(2).map(Item::as_bytes);
        let author = bytes(author);
        if let Some(sealed) = element.record.get(3) {
            let digest = sealed.clone().into_items().pop().expect("a digest");
            if digest.as_bytes() != forge::hash("sealed", [bytes(body)]) {
                found.push((404, format!("the digest of element {index}")));
            }
        } else if (64..=68).contains(kind) {
            let expected = forge::hash("control", [author, uint(*kind), bytes(body)]);
            if commit != Some(&expected[..]) {
                found.push((402, format!("the commitment of element {index}")));
            }
        } else {
            let plain = Item::read(body).into_items();
            let expected = forge::hash("commit", [author].into_iter().chain(plain));
            if commit != Some(&expected[..]) {
                found.push((403, format!("the commitment of element {index}")));
            }
        }
    }
    found
}

fn is_signed(forged: &Forgery, hop: usize, signer: &[u8]) -> bool {
    let aad = forge::hop_aad(&forged.before(hop));
    let payload = forge::statement_part(&forged.hops[hop], 2);
    let message = forge::to_be_signed(&protected(None), &aad, payload);
    let signature = forge::statement_part(&forged.hops[hop], 3);
    let key = <[u8; 32]>::try_from(signer).ok().and_then(|key| VerifyingKey::from_bytes(&key).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(&message, &signature).is_ok())
}
