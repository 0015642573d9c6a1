//! What holds a secret, or content that is or was sealed, prints none of it.

use crate::support;

use agent_envelope::{Draft, Envelope, Identity, Item, Kind, NewElement, Opener, Sent, SigningKey};
use support::{NOW, World, entropy, package, sealed_elements};

const CONTENT: &[u8] = b"the launch code is 0000";

fn draft<'d>(world: &'d World, reader: &'d agent_envelope::KeyPackage) -> Draft<'d> {
    Draft::new(&world.user).to(world.worker.id()).sealed(
        Kind::User,
        "text/secret",
        CONTENT,
        [reader],
    )
}

/// Refuses the content in any form in which `Debug` might show it.
#[track_caller]
fn assert_hidden(debug: &str) {
    let numbers = format!("{CONTENT:?}");
    let text = String::from_utf8_lossy(CONTENT);
    for shown in [&numbers[1..numbers.len() - 1], &text[..], "text/secret"] {
        assert!(!debug.contains(shown), "{debug}");
    }
}

#[test]
fn keys_and_entropy_print_nothing_of_themselves() {
    let seed = [0x5a; 32];
    assert_eq!(format!("{:?}", entropy(1)), "Entropy(..)");
    assert_eq!(format!("{:?}", SigningKey::from_seed(&seed)), "SigningKey(..)");
    let identity = Identity::from_seeds(&seed, &[0xc3; 32]);
    let expected = format!("Identity({})", identity.id());
    assert_eq!(format!("{identity:?}"), expected);
    assert_eq!(format!("{:?}", identity.with_older_sealing_key(&[0x3c; 32])), expected);
}

#[test]
fn what_is_about_to_be_sealed_is_not_printed() {
    let world = World::new();
    let reader = package(&world.worker);
    let element = NewElement::sealed(Kind::User, "text/secret", CONTENT, [&reader]);
    assert_eq!(format!("{element:?}"), "NewElement(user, 23 bytes)");
    assert_hidden(&format!("{:?}", draft(&world, &reader)));

    let sent = draft(&world, &reader).sign(NOW, entropy(2)).expect("a draft");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    assert_hidden(&format!("{:?}", admitted.onward(&world.worker).element(element)));
}

#[test]
fn what_was_opened_is_not_printed() {
    let world = World::new();
    let reader = package(&world.worker);
    let sent: Sent = draft(&world, &reader).sign(NOW, entropy(2)).expect("a draft");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let sealed = &sealed_elements(&admitted)[0];
    let mut opener: Opener<'_> = admitted.opener(&world.worker).expect("the worker verified");
    let plaintext = opener.open(sealed).expect("the worker is a reader");
    assert_eq!(plaintext.content(), CONTENT);
    assert_eq!(format!("{plaintext:?}"), "Plaintext(23 bytes)");

    let audience = opener.audience(sealed).expect("the worker is a reader");
    let expected = format!(
        "Audience {{ secret: AudienceSecret(..), index: 0, envelope: HeaderDigest({}) }}",
        sent.digest()
    );
    assert_eq!(format!("{audience:?}"), expected);
    let opener = format!("{opener:?}");
    assert_hidden(&opener);
    assert!(opener.contains("AudienceSecret(..)"), "{opener}");
}

/// Not secret, but a log has better uses than four megabytes of numbers.
#[test]
fn an_envelope_prints_no_bodies() {
    let world = World::new();
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/secret", CONTENT)
        .sign(NOW, entropy(2))
        .expect("a draft");
    assert_hidden(&format!("{sent:?}"));
    let verifier = world.verifier(world.worker.id());
    let envelope = Envelope::decode(sent.as_bytes(), verifier.limits()).expect("it was sent");
    let (digest, from) = (sent.digest(), world.user.id());
    assert_eq!(
        format!("{envelope:?}"),
        format!("Envelope {{ digest: {digest:?}, from: {from:?}, elements: 1, hops: 1, .. }}")
    );
    assert_hidden(&format!("{:?}", support::read(sent.as_bytes(), &verifier)));
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    assert_hidden(&format!("{admitted:?}"));
    for item in admitted.elements() {
        assert!(matches!(item, Item::Present(_)));
        assert_hidden(&format!("{item:?}"));
    }
    assert_hidden(&format!("{inbox:?}"));
}
