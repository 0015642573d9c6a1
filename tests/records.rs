//! Rules on hops, records and readers' keys that only bytes from another builder can break.

use crate::adversary;

use adversary::cbor::{Item, array, bytes, uint};
use adversary::forge::{self, ASSISTANT, AUTHORITY, Element, Forgery};
use adversary::{Agent, NOW, SECONDS, World, entropy, malformed};
use agent_envelope::{Draft, Error, KeyPackage, Kind, Limits};

/// From a user through a relay to a reader: 0 chain, 1 clear content; hop 1 adds nothing.
fn path() -> ([Agent; 3], Forgery) {
    let [user, relay, reader] = ["user", "relay", "reader"].map(Agent::new);
    let chain = World::new().authority(&user);
    let sent = Draft::new(&user.identity)
        .to(reader.id())
        .next(relay.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"do"[..])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.add_hop(&relay, relay.id(), &[reader.id()]);
    ([user, relay, reader], forged)
}

#[test]
fn hop_0_has_neither_signer_nor_time_and_every_other_hop_has_both() {
    let ([user, relay, reader], honest) = path();
    let world = World::new();
    assert_eq!(world.receive(&reader, &honest.encode()), Ok(()));
    type Edit<'e> = &'e dyn Fn(&mut Item);
    let edits: [(usize, Edit<'_>); 4] = [
        (0, &|hop| hop.set(1, bytes(user.id().as_bytes()))),
        (0, &|hop| hop.set(3, uint(SECONDS))),
        (1, &|hop| hop.remove(1)),
        (1, &|hop| hop.remove(3)),
    ];
    for (hop, edit) in edits {
        let mut forged = honest.clone();
        forged.edit_hop(hop, edit);
        forged.sign_hop(0, &user);
        forged.sign_hop(1, &relay);
        assert_eq!(malformed(&forged.encode()), Error::HopKeys { hop });
    }
}

#[test]
fn kinds_that_this_version_does_not_assign_are_refused() {
    let ([user, relay, reader], honest) = path();
    let world = World::new();
    for (kind, is_assigned) in [
        (10, true),
        (63, true),
        (69, false),
        (95, false),
        (96, false),
        (65_535, false),
        (65_536, true),
    ] {
        let mut forged = honest.clone();
        forged.elements[1] = Element::clear(&user, kind, b"do");
        forged.cover(0, 2, &user);
        forged.cover(1, 2, &relay);
        let expected =
            if is_assigned { Ok(()) } else { Err(Error::UnassignedKind { element: 1, kind }) };
        assert_eq!(world.receive(&reader, &forged.encode()), expected, "kind {kind}");
    }
}

#[test]
fn control_data_is_there_and_has_no_options() {
    let ([user, relay, _], honest) = path();
    assert_eq!(honest.of_kind(AUTHORITY), [0]);
    let edits: [&dyn Fn(&mut Element); 4] = [
        &|chain| chain.record.set(3, array([uint(0), bytes([7; 32])])),
        &|chain| chain.record.set(4, array([bytes([7; 32])])),
        &|chain| chain.record.set(5, uint(1)),
        &|chain| chain.body = None,
    ];
    for edit in edits {
        let mut forged = honest.clone();
        edit(&mut forged.elements[0]);
        forged.cover(0, 2, &user);
        forged.cover(1, 2, &relay);
        assert_eq!(malformed(&forged.encode()), Error::ControlRecord { element: 0 });
    }
    // The same options on content are no fault of a control record.
    let mut forged = honest;
    forged.elements[1] = Element::clear(&user, ASSISTANT, b"do");
    forged.elements[1].record.set(5, uint(1));
    forged.cover(0, 2, &user);
    forged.cover(1, 2, &relay);
    assert!(agent_envelope::Envelope::decode(&forged.encode(), &Limits::default()).is_ok());
}

/// What sealing to these keys comes to.
fn seal_to(keys: &[(&Agent, Vec<u8>)]) -> Result<(), Error> {
    let user = Agent::new("user");
    let package = |(agent, key): &(&Agent, Vec<u8>)| {
        let bytes = forge::key_package(agent.id(), key, agent);
        KeyPackage::verify(&bytes, NOW, &Limits::default()).expect("its agent signed it")
    };
    let packages: Vec<_> = keys.iter().map(package).collect();
    Draft::new(&user.identity)
        .to(keys.iter().map(|(agent, _)| agent.id()).collect::<Vec<_>>())
        .sealed(Kind::Artifact, "text/plain", &b"the secret"[..], &packages)
        .sign(NOW, entropy())
        .map(|_| ())
}

#[test]
fn readers_whose_wraps_could_not_be_told_apart_are_not_sealed_to() {
    let [one, other] = ["one", "other"].map(Agent::new);
    let key = forge::sealing_key(one.package().as_bytes());
    for (byte, is_refused) in [(31, true), (8, true), (7, false), (0, false)] {
        let mut twin = key.clone();
        twin[byte] ^= 2;
        let sealed = seal_to(&[(&one, key.clone()), (&other, twin)]);
        if is_refused {
            let Err(Error::DuplicateHint { first, second }) = sealed else { panic!("{sealed:?}") };
            assert!(
                [first, second] == [one.id(), other.id()]
                    || [first, second] == [other.id(), one.id()]
            );
        } else {
            assert_eq!(sealed, Ok(()), "byte {byte}");
        }
    }
}

#[test]
fn a_key_that_yields_no_secret_is_not_sealed_to() {
    let reader = Agent::new("reader");
    for first in [0, 1] {
        let mut key = vec![0; 32];
        key[0] = first;
        let refused = Error::WeakSealingKey { agent: reader.id() };
        assert_eq!(seal_to(&[(&reader, key)]), Err(refused));
    }
    let honest = forge::sealing_key(reader.package().as_bytes());
    assert_eq!(seal_to(&[(&reader, honest)]), Ok(()));
}
