use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::cbor::{Decoder, Encoder};
use crate::digest::{Digest, HeaderDigest};
use crate::entropy::Entropy;
use crate::seal::{AudienceSecret, SealingSecret};
use crate::statement::{Parent, StatementKind, sign};
use crate::{Error, Limits, Place, Timestamp};

const SIGNING: [u8; 32] = [0x5a; 32];
const SEALING: [u8; 32] = [0xc3; 32];
const HOUR: Duration = Duration::from_secs(3600);

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn entropy(byte: u8) -> Entropy {
    Entropy::new([byte; 32]).expect("not all zero")
}

fn identity() -> Identity {
    Identity::from_seeds(&SIGNING, &SEALING)
}

fn verify(bytes: &[u8], now: u64) -> Result<KeyPackage, Error> {
    KeyPackage::verify(bytes, at(now), &Limits::default())
}

// --- keys ---

#[test]
fn an_agent_is_named_by_its_signing_key_alone() {
    let other = Identity::from_seeds(&SIGNING, &[1; 32]);
    assert_eq!(other.id(), identity().id());
    assert_eq!(SigningKey::from_seed(&SIGNING).id(), identity().id());
    assert_eq!(identity().signing_key().id(), identity().id());
}

#[test]
fn what_is_generated_depends_on_the_entropy_and_on_what_is_made_of_it() {
    let id = |byte| Identity::generate(entropy(byte)).id();
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    // Two calls with the same entropy have nothing in common.
    assert_ne!(SigningKey::generate(entropy(1)).id(), id(1));
    let package = Identity::generate(entropy(1)).key_package(at(0), HOUR).expect("an hour");
    let mut rotated = Identity::generate(entropy(1));
    rotated.rotate_sealing_key(entropy(1));
    let other = rotated.key_package(at(0), HOUR).expect("an hour");
    assert_ne!(package.claims().sealing_key, other.claims().sealing_key);
}

#[test]
fn sealing_keys_rotate_and_are_forgotten() {
    let public = |key: &[u8; 32]| SealingSecret::from_bytes(*key).public();
    let mut agent = identity().with_older_sealing_key(&[1; 32]);
    let known = |agent: &Identity| -> Vec<[u8; 32]> {
        agent.sealing_secrets().iter().map(SealingSecret::public).collect()
    };
    let package =
        |agent: &Identity| agent.key_package(at(0), HOUR).expect("an hour").claims().sealing_key;
    assert_eq!(known(&agent), [public(&SEALING), public(&[1; 32])]);
    assert_eq!(package(&agent), public(&SEALING));
    agent.rotate_sealing_key(entropy(1));
    let newest = package(&agent);
    assert_eq!(known(&agent), [newest, public(&SEALING), public(&[1; 32])]);
    agent.forget_older_sealing_keys();
    assert_eq!(known(&agent), [newest]);
    assert_eq!(agent.id(), identity().id());
}

#[test]
fn nothing_secret_is_printed() {
    let secret = SealingSecret::from_bytes(SEALING);
    assert_eq!(format!("{secret:?}"), "SealingSecret(..)");
    let audience = AudienceSecret::new(SEALING.into(), &HeaderDigest([0; 32]));
    assert_eq!(format!("{audience:?}"), "AudienceSecret(..)");
    assert_eq!(format!("{:?}", identity().signing_key()), "SigningKey(..)");
    assert_eq!(format!("{:?}", identity().signing_key().inner()), "SigningKey(..)");
    assert_eq!(format!("{:?}", entropy(1)), "Entropy(..)");
    assert_eq!(format!("{:?}", identity()), format!("Identity({})", identity().id()));
}

#[test]
fn entropy_that_failed_is_refused() {
    assert_eq!(Entropy::new([0; 32]).err(), Some(Error::ZeroEntropy));
    let mut almost = [0; 32];
    almost[31] = 1;
    assert!(Entropy::new(almost).is_ok());
}

#[test]
fn what_entropy_gives_depends_on_inputs_label_and_index() {
    let derive = |byte, inputs, label: &str, index| {
        *entropy(byte).bind(&Digest([inputs; 32])).derive::<32>(label, index)
    };
    let one = derive(1, 1, "salt", 1);
    assert_eq!(derive(1, 1, "salt", 1), one);
    let others = [derive(2, 1, "salt", 1), derive(1, 2, "salt", 1), derive(1, 1, "id", 1)];
    assert!(!others.contains(&one) && derive(1, 1, "salt", 2) != one);
}

// --- key packages ---

#[test]
fn a_key_package_says_what_its_agent_said() {
    let package = identity().key_package(at(1000), HOUR).expect("an hour");
    let read = verify(package.as_bytes(), 1000).expect("its own bytes");
    assert_eq!(read, package);
    assert_eq!(read.agent(), identity().id());
    assert_eq!(read.suite(), Suite::X25519ChaCha20Poly1305);
    assert_eq!(read.suite().number(), 1);
    assert_eq!((read.not_before(), read.expires()), (at(1000), at(4600)));
    assert_eq!(read.claims().sealing_key, SealingSecret::from_bytes(SEALING).public());
}

#[test]
fn a_key_package_is_used_in_its_window_only() {
    let package = identity().key_package(at(1000), HOUR).expect("an hour");
    let outside = |now| {
        let (not_before, expires) = (at(1000), at(4600));
        Some(Error::KeyPackageWindow { not_before, expires, now: at(now) })
    };
    // The agent's clock may be a minute ahead; its end is the end.
    assert_eq!(verify(package.as_bytes(), 939).err(), outside(939));
    assert_eq!(verify(package.as_bytes(), 940).err(), None);
    assert_eq!(verify(package.as_bytes(), 4599).err(), None);
    assert_eq!(verify(package.as_bytes(), 4600).err(), outside(4600));
}

#[test]
fn a_key_package_lasts_a_second_at_least_and_a_day_at_most() {
    let day = Duration::from_secs(24 * 3600);
    let made = |lifetime| identity().key_package(at(1000), lifetime);
    let place = Place::Call;
    let refused = Error::WindowReversed { place, not_before: at(1000), expires: at(1000) };
    assert_eq!(made(Duration::from_millis(999)).err(), Some(refused));
    let verified = |lifetime| verify(made(lifetime).expect("a window").as_bytes(), 1000).err();
    assert_eq!(verified(Duration::from_secs(1)), None);
    assert_eq!(verified(day), None);
    let (seconds, maximum) = (86_401, 86_400);
    let refused = Error::LifetimeTooLong { place, seconds, maximum };
    assert_eq!(verified(day + Duration::from_secs(1)), Some(refused));
}

/// A key package with these claims, rightly signed.
fn signed(suite: u64, sealing_key: &[u8], begin: u64, end: u64) -> Vec<u8> {
    let agent = identity();
    let mut payload = Encoder::new();
    payload.map(5).uint(1).bytes(agent.id().as_bytes()).uint(2).uint(suite);
    payload.uint(3).bytes(sealing_key).uint(4).uint(begin).uint(5).uint(end);
    let key = agent.signing_key().inner();
    sign(key, StatementKind::KeyPackage, Parent::None, None, &payload.finish()).0
}

#[test]
fn other_forms_of_key_packages_are_refused() {
    let refused = |bytes: &[u8]| verify(bytes, 1000).err();
    assert_eq!(refused(&signed(1, &[9; 32], 1000, 1001)), None);
    let expected = "a suite that is known here (1)";
    for suite in [0, 2] {
        let offset = payload_offset() + 37;
        assert_eq!(
            refused(&signed(suite, &[9; 32], 1000, 1001)),
            Some(Error::InvalidValue { offset, expected })
        );
    }
    let (offset, expected, found) = (payload_offset() + 39, 32, 31);
    assert_eq!(
        refused(&signed(1, &[9; 31], 1000, 1001)),
        Some(Error::WrongLength { offset, expected, found })
    );
    let place = Place::Call;
    let reversed = Error::WindowReversed { place, not_before: at(1000), expires: at(1000) };
    assert_eq!(refused(&signed(1, &[9; 32], 1000, 1000)), Some(reversed));
    let mut trailing = signed(1, &[9; 32], 1000, 1001);
    let offset = trailing.len();
    trailing.push(0);
    assert_eq!(refused(&trailing), Some(Error::TrailingBytes { offset, count: 1 }));
}

/// Where the payload of a key package begins: after the heads of array, protected header, unprotected header and payload.
fn payload_offset() -> usize {
    1 + 4 + 1 + 2
}

#[test]
fn a_key_package_that_another_agent_signed_is_refused() {
    let (mallory, agent) = (SigningKey::from_seed(&[1; 32]), identity().id());
    let bytes = signed(1, &[9; 32], 1000, 1001);
    let payload = bytes[payload_offset()..bytes.len() - 66].to_vec();
    assert_eq!(payload[0], 0xa5);
    let (forged, _) =
        sign(mallory.inner(), StatementKind::KeyPackage, Parent::None, None, &payload);
    let refused = Error::KeyPackageSignature { element: None, agent };
    assert_eq!(verify(&forged, 1000).err(), Some(refused.clone()));
    // Nor does the agent's signature of another kind of statement serve.
    let agent = identity();
    let key = agent.signing_key().inner();
    let (other, _) = sign(key, StatementKind::Allotment, Parent::None, None, &payload);
    assert_eq!(verify(&other, 1000).err(), Some(refused));
}

#[test]
fn a_carried_key_package_says_in_which_element() {
    let bytes = signed(1, &[9; 32], 1000, 1001);
    let mut damaged = bytes.clone();
    let last = damaged.len() - 1;
    // Beyond the order of the base point, so that it shows before the equation.
    damaged[last] = 0xff;
    let package =
        UnverifiedKeyPackage::decode(&mut Decoder::new(&damaged), &Limits::default(), None)
            .expect("of the right form");
    let refused = Error::KeyPackageSignature { element: Some(3), agent: identity().id() };
    assert_eq!(package.check(Some(3)).err(), Some(refused));
}
