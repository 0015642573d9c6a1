//! What no verifier would take, or no path could carry, is not signed.

use crate::support::{NOW, World, package, sealed_elements};

use std::time::Duration;

use agent_envelope::{
    Admitted, AgentId, Draft, Entropy, Error, Identity, KeyPackage, Kind, NewElement, Place,
    Timestamp,
};

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

fn sign(change: impl FnOnce(Draft<'_>) -> Draft<'_>) -> Result<(), Error> {
    let user = agent(1);
    let draft = change(Draft::new(&user).to(agent(2).id()));
    draft.sign(NOW, Entropy::new([7; 32])?).map(|_| ())
}

#[test]
fn a_path_leaves_a_hop_for_every_station() {
    let stations = |count| -> Vec<AgentId> { (0..count).map(|at| agent(10 + at).id()).collect() };
    assert_eq!(sign(|draft| draft.via(stations(15))), Ok(()));
    let reason = "its path has more than 15 stations";
    assert_eq!(sign(|draft| draft.via(stations(16))), Err(Error::IncompleteDraft { reason }));
}

#[test]
fn no_station_is_its_own_next() {
    let (one, other) = (agent(3).id(), agent(4).id());
    assert_eq!(sign(|draft| draft.via([one, other, one])), Ok(()));
    let reason = "a station of its path would be its own next";
    assert_eq!(sign(|draft| draft.via([one, one])), Err(Error::IncompleteDraft { reason }));
}

#[test]
fn an_envelope_lives_a_day_at_most() {
    const DAY: u64 = 24 * 60 * 60;
    assert_eq!(sign(|draft| draft.expires_in(Duration::from_secs(DAY))), Ok(()));
    let place = Place::Header;
    let refused = Error::LifetimeTooLong { place, seconds: DAY + 1, maximum: DAY };
    assert_eq!(sign(|draft| draft.expires_in(Duration::from_secs(DAY + 1))), Err(refused));
}

#[test]
fn a_draft_has_recipients_a_future_and_readers_and_is_not_for_its_sender_next() {
    let unusable = |reason| Err(Error::IncompleteDraft { reason });
    let user = agent(1);
    let nobody = Draft::new(&user).sign(NOW, Entropy::new([7; 32]).expect("not zero")).map(|_| ());
    assert_eq!(nobody, unusable("it has no recipient"));
    let next = sign(|draft| draft.next(agent(1).id()));
    assert_eq!(next, unusable("the sender would be its own next"));
    let place = Place::Header;
    let over = Error::WindowReversed { place, not_before: NOW, expires: NOW };
    assert_eq!(sign(|draft| draft.expires_in(Duration::ZERO)), Err(over));
    let none: [&KeyPackage; 0] = [];
    let sealed = sign(|draft| draft.sealed(Kind::User, "text/plain", &b"for whom?"[..], none));
    assert_eq!(sealed, unusable("an element is sealed to nobody"));
}

#[test]
fn an_element_has_an_assigned_kind_and_a_type_that_can_be_shown() {
    let element = |kind, content_type: &str| {
        sign(|draft| draft.element(NewElement::clear(kind, content_type.to_owned(), &b"x"[..])))
    };
    assert_eq!(element(Kind::Private(65_536), ""), Ok(()));
    assert_eq!(element(Kind::User, &"x".repeat(256)), Ok(()));
    let reason = "an element's kind is not assigned";
    for kind in [Kind::Unassigned(10), Kind::Unassigned(0), Kind::Private(65_535)] {
        assert_eq!(element(kind, ""), Err(Error::IncompleteDraft { reason }), "{kind:?}");
    }
    for content_type in ["x".repeat(257), "text/\u{7f}".to_owned()] {
        let refused = element(Kind::User, &content_type);
        assert!(matches!(refused, Err(Error::IncompleteDraft { .. })), "{refused:?}");
    }
}

#[test]
fn labels_are_short_can_be_shown_and_are_set_once() {
    let label = |key: &str, value: &str| sign(|draft| draft.label(key, value));
    assert_eq!(label(&"k".repeat(64), &"v".repeat(256)), Ok(()));
    assert_eq!(label("k", ""), Ok(()));
    let reason =
        "a label has a key of 1 to 64 bytes, a value of 256 at most, and no control characters";
    for (key, value) in [
        (String::new(), String::new()),
        ("k".repeat(65), String::new()),
        ("k".to_owned(), "v".repeat(257)),
        ("\t".to_owned(), String::new()),
        ("k".to_owned(), "\n".to_owned()),
    ] {
        assert_eq!(label(&key, &value), Err(Error::IncompleteDraft { reason }), "{key:?}");
    }
    let reason = "a label is set twice";
    let twice = sign(|draft| draft.label("k", "v").label("k", "w"));
    assert_eq!(twice, Err(Error::IncompleteDraft { reason }));
}

/// Its secret opens nothing elsewhere, so that nobody could read what is sealed to it there.
#[test]
fn an_audience_is_used_in_its_own_envelope_alone() -> Result<(), Error> {
    let world = World::new();
    let (worker, next) = (&world.worker, world.auditor.id());
    let [to_worker, to_auditor] = [worker, &world.auditor].map(package);
    let fresh = |byte| Entropy::new([byte; 32]).expect("not zero");
    let send = |byte| {
        let draft = Draft::new(&world.user).to(worker.id());
        let sealed = draft.sealed(Kind::User, "text/plain", &b"for you"[..], [&to_worker]);
        sealed.sign(NOW, fresh(byte))
    };
    let (one, other) = (send(7)?, send(8)?);
    let mut inbox = world.inbox(worker.id());
    let one = inbox.receive(one.as_bytes(), NOW)?;
    let other = inbox.receive(other.as_bytes(), NOW)?;
    let audience = one.opener(worker)?.audience(&sealed_elements(&one)[0])?;
    let answer =
        || NewElement::sealed_to_existing(Kind::Assistant, "text/plain", &b"x"[..], &audience);

    let onward = |envelope: &Admitted<'_>| {
        let add = envelope.onward(worker).next(next).element(answer());
        let let_in = envelope.onward(worker).next(next).let_in(&audience, [&to_auditor]);
        [add, let_in].map(|onward| onward.sign(NOW, fresh(9)).map(|_| ()))
    };
    let refused =
        Err(Error::IncompleteDraft { reason: "the audience belongs to another envelope" });
    assert_eq!(onward(&one), [Ok(()), Ok(())]);
    assert_eq!(onward(&other), [refused.clone(), refused.clone()]);
    let reply = Draft::reply_to(&one, worker).element(answer()).sign(NOW, fresh(9));
    assert_eq!(reply.map(|_| ()), refused);
    Ok(())
}

#[test]
fn no_key_package_is_brought_that_is_no_longer_valid() {
    let user = agent(1);
    let hour = Duration::from_secs(3600);
    let package = |not_before| {
        let not_before = Timestamp::from_unix_seconds(not_before);
        user.key_package(not_before, hour).expect("an hour is a lifetime")
    };
    let brought = |package: &KeyPackage| {
        let draft = Draft::new(&user).to(agent(2).id()).key_package(package);
        draft.sign(NOW, Entropy::new([7; 32]).expect("not zero")).map(|_| ())
    };
    assert_eq!(brought(&package(NOW.as_unix_seconds() - 3599)), Ok(()));
    let not_before = Timestamp::from_unix_seconds(NOW.as_unix_seconds() - 3600);
    let refused = Error::KeyPackageWindow { not_before, expires: NOW, now: NOW };
    assert_eq!(brought(&package(NOW.as_unix_seconds() - 3600)), Err(refused));
}
