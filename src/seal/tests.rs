//! What audiences and bodies are bound to, each binding alone.

use zeroize::Zeroizing;

use super::{AudienceSecret, Place, SealedAudience, SealedBody, SealingSecret, seal};
use crate::cbor::Decoder;
use crate::digest::{HeaderDigest, Use, hash};
use crate::identity::{AgentId, KeyPackage, SigningKey};
use crate::{Entropy, Limits, Timestamp};

const ENVELOPE: HeaderDigest = HeaderDigest([2; 32]);

fn secret() -> AudienceSecret {
    AudienceSecret::new(Zeroizing::new([1; 32]), &ENVELOPE)
}

fn agent(seed: u8) -> AgentId {
    SigningKey::from_seed(&[seed; 32]).id()
}

fn body(encoded: &[u8]) -> SealedBody<'_> {
    SealedBody::decode(&mut Decoder::new(encoded)).expect("it was sealed here")
}

/// A package in which the agent of `seed` publishes the sealing key of `sealing`.
fn package(seed: u8, sealing: u8) -> KeyPackage {
    let key = SigningKey::from_seed(&[seed; 32]);
    let public = SealingSecret::from_bytes([sealing; 32]).public();
    let [begin, end] = [0, 3600].map(Timestamp::from_unix_seconds);
    KeyPackage::sign(&key, public, begin, end).expect("an hour is a lifetime")
}

fn audience(readers: &[&KeyPackage]) -> alloc::vec::Vec<u8> {
    let entropy = Entropy::new([9; 32]).expect("not zero");
    let seed = entropy.bind(&hash(Use::Inputs, 0, |_| {}));
    secret().encrypt(&ENVELOPE, readers, &seed, 0).expect("readers with keys of their own")
}

fn decrypts(encoded: &[u8], envelope: &HeaderDigest, reader: u8, sealing: u8) -> bool {
    let limits = Limits::default();
    let audience =
        SealedAudience::decode(&mut Decoder::new(encoded), &limits).expect("it was made here");
    let keys = [SealingSecret::from_bytes([sealing; 32])];
    audience.decrypt(envelope, &agent(reader), &keys).is_some()
}

#[test]
fn two_contents_at_one_place_share_no_key_stream() {
    let author = agent(4);
    let ciphertext = |plain: &[u8; 32], commit: u8| {
        let commit = [commit; 32];
        let place = Place { before: &[3; 32], author: &author, kind: 0, commit: &commit };
        let sealed = seal(&secret(), &place, plain);
        let start = sealed.len() - plain.len() - 16;
        sealed[start..start + plain.len()].to_vec()
    };
    let xor = |a: &[u8], b: &[u8]| -> alloc::vec::Vec<u8> {
        a.iter().zip(b).map(|(a, b)| a ^ b).collect()
    };
    let [one, other] = [[0x11; 32], [0x2c; 32]];
    assert_ne!(xor(&ciphertext(&one, 5), &ciphertext(&other, 6)), xor(&one, &other));
}

#[test]
fn a_body_opens_for_its_author_kind_commit_and_place_only() {
    let [author, other] = [4, 5].map(agent);
    let place = Place { before: &[3; 32], author: &author, kind: 1, commit: &[6; 32] };
    let sealed = seal(&secret(), &place, b"plain");
    let opens =
        |secret: &AudienceSecret, place: &Place<'_>| body(&sealed).open(secret, place).is_some();
    assert!(opens(&secret(), &place));
    assert!(!opens(&secret(), &Place { author: &other, ..place }));
    assert!(!opens(&secret(), &Place { before: &[0; 32], ..place }));
    assert!(!opens(&secret(), &Place { kind: 2, ..place }));
    assert!(!opens(&secret(), &Place { commit: &[0; 32], ..place }));
    let stranger = AudienceSecret::new(Zeroizing::new([0; 32]), &ENVELOPE);
    assert!(!opens(&stranger, &place));
}

#[test]
fn a_wrap_opens_for_its_reader_in_its_envelope_only() {
    let readers = [package(1, 11), package(2, 12)];
    let encoded = audience(&[&readers[0], &readers[1]]);
    assert!(decrypts(&encoded, &ENVELOPE, 1, 11));
    assert!(decrypts(&encoded, &ENVELOPE, 2, 12));
    // The second reader's own id does not help with the first one's key, nor the other way round.
    assert!(!decrypts(&encoded, &ENVELOPE, 2, 11));
    assert!(!decrypts(&encoded, &ENVELOPE, 1, 12));
    assert!(!decrypts(&encoded, &HeaderDigest([0; 32]), 1, 11));
    assert!(!decrypts(&encoded, &ENVELOPE, 3, 13));
}

#[test]
fn mail_to_a_thief_of_a_sealing_key_is_not_opened_by_its_owner() {
    let stolen = package(2, 11);
    let encoded = audience(&[&stolen]);
    assert!(!decrypts(&encoded, &ENVELOPE, 1, 11));
}

#[test]
fn the_id_of_an_audience_commits_to_its_secret_and_envelope() {
    let id = *secret().id();
    assert_eq!(*AudienceSecret::new(Zeroizing::new([1; 32]), &ENVELOPE).id(), id);
    assert_ne!(*AudienceSecret::new(Zeroizing::new([0; 32]), &ENVELOPE).id(), id);
    let elsewhere = HeaderDigest([0; 32]);
    assert_ne!(*AudienceSecret::new(Zeroizing::new([1; 32]), &elsewhere).id(), id);
}

#[test]
fn a_ciphertext_holds_its_tag_at_least() {
    let author = agent(4);
    let place = Place { before: &[3; 32], author: &author, kind: 1, commit: &[6; 32] };
    let sealed = seal(&secret(), &place, b"");
    let shortest = body(&sealed);
    assert_eq!(shortest.plain_size(), 0);
    assert!(shortest.open(&secret(), &place).is_some_and(|plain| plain.is_empty()));
    // The last item is the tag, as a byte string of 16: take one byte off.
    let mut shorter = sealed.clone();
    shorter.pop();
    let head = shorter.len() - 16;
    assert_eq!(shorter[head], 0x40 + 16);
    shorter[head] -= 1;
    assert_eq!(
        SealedBody::decode(&mut Decoder::new(&shorter)).err(),
        Some(
            crate::Error::InvalidValue {
                offset: head,
                expected: "a ciphertext of 16 bytes or more"
            }
            .into()
        )
    );
}
