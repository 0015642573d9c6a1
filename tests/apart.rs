//! Bodies that travel apart from their envelope, versions of one envelope, and texts that people see.

use std::time::Duration;

use agent_envelope::{
    Admission, Draft, Entropy, Envelope, Error, Identity, Inbox, Item, Kind, Limits, NewElement,
    Permission, Resource, Revocations, Scope, Subjects, Timestamp, TrustAnchor, TrustAnchors,
    Verifier,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn entropy(seed: u8) -> Entropy {
    Entropy::new([seed; 32]).expect("not zero")
}

/// A sender that is its own trust anchor, and a reader.
struct Pair {
    sender: Identity,
    reader: Identity,
}

impl Pair {
    fn new() -> Self {
        Self { sender: Identity::generate(entropy(1)), reader: Identity::generate(entropy(2)) }
    }

    fn inbox(&self) -> Inbox {
        let permission = Permission::new(["pay"], &Resource::everything()).expect("an action");
        let scope = Scope::new([permission]).expect("one permission");
        let anchor = TrustAnchor::new(self.sender.id(), "bank", Subjects::Any, scope);
        let anchors = TrustAnchors::new([anchor.expect("a name")]).expect("one anchor");
        let verifier =
            Verifier::new(self.reader.id(), None, anchors, Revocations::none(), Limits::default());
        Inbox::new(verifier.expect("limits that admit"))
    }
}

#[test]
fn a_body_fetched_later_takes_its_place_and_authorizes() {
    let pair = Pair::new();
    let package = pair.reader.key_package(NOW, Duration::from_secs(60)).expect("a lifetime");
    let sent = Draft::new(&pair.sender)
        .to(pair.reader.id())
        .element(NewElement::clear(Kind::Artifact, "text/plain", &b"clear"[..]).detachable())
        .element(
            NewElement::sealed(Kind::Artifact, "text/plain", &b"sealed"[..], [&package])
                .detachable(),
        )
        .sign(NOW, entropy(3))
        .expect("complete");
    let whole = Envelope::decode(sent.as_bytes(), &Limits::default()).expect("honest");
    let apart = sent.detached();
    assert!(apart.len() < sent.as_bytes().len());
    let mut inbox = pair.inbox();
    let received = inbox.receive(&apart, NOW).expect("honest");
    let items: Vec<_> = received.elements().collect();
    let [Item::Absent(clear), Item::Absent(sealed)] = &items[..] else {
        panic!("both are absent: {items:?}")
    };
    let bodies = [0, 2].map(|index| whole.body(index).expect("the signed bytes are whole"));
    assert_eq!(
        received.with_body(clear, bodies[1]).map(|_| ()),
        Err(Error::WrongLength { offset: 1, expected: 16, found: 4 })
    );
    let Ok(Item::Present(present)) = received.with_body(clear, bodies[0]) else {
        panic!("it is the author's body")
    };
    assert_eq!(present.content(), b"clear");
    assert!(present.authorize("pay", &Resource::everything()).is_ok());
    let Ok(Item::Sealed(opened)) = received.with_body(sealed, bodies[1]) else {
        panic!("it is the author's body")
    };
    assert_eq!(opened.open(&pair.reader).expect("a reader").content(), b"sealed");
}

#[test]
fn a_body_of_somebody_elses_making_is_refused() {
    let pair = Pair::new();
    let note = |text: &'static [u8], seed| {
        Draft::new(&pair.sender)
            .to(pair.reader.id())
            .element(NewElement::clear(Kind::Artifact, "text/plain", text).detachable())
            .sign(NOW, entropy(seed))
            .expect("complete")
    };
    let (sent, other) = (note(b"ten", 3), note(b"thousand", 4));
    let other = Envelope::decode(other.as_bytes(), &Limits::default()).expect("honest");
    let apart = sent.detached();
    let mut inbox = pair.inbox();
    let received = inbox.receive(&apart, NOW).expect("honest");
    let item = received.elements().next().expect("one element");
    let Item::Absent(absent) = item else { panic!("it is absent") };
    let forged = received.with_body(&absent, other.body(0).expect("whole"));
    assert_eq!(forged.map(|_| ()), Err(Error::ContentCommit { element: 0 }));
}

#[test]
fn what_was_admitted_before_is_not_new() {
    let pair = Pair::new();
    let sent = Draft::new(&pair.sender)
        .to(pair.reader.id())
        .clear(Kind::User, "text/plain", &b"pay 10"[..])
        .sign(NOW, entropy(3))
        .expect("complete");
    let mut inbox = pair.inbox();
    let received = inbox.receive(sent.as_bytes(), NOW).expect("honest");
    assert_eq!(received.admission(), Admission::New);
    assert!(received.elements().all(|item| item.is_new()));
}

#[test]
fn texts_that_people_see_have_no_control_characters() {
    let pair = Pair::new();
    let draft = || Draft::new(&pair.sender).to(pair.reader.id());
    let reasons = [
        draft().label("a\nb", "c").sign(NOW, entropy(3)),
        draft().label("a", "b\u{7f}").sign(NOW, entropy(3)),
        draft().clear(Kind::User, "text/plain\r\nx: y", &b""[..]).sign(NOW, entropy(3)),
    ];
    for refused in reasons {
        assert!(matches!(refused, Err(Error::IncompleteDraft { .. })), "{refused:?}");
    }
    // The same on the wire: a label that another encoder made.
    let sent = draft().label("key", "value").sign(NOW, entropy(3)).expect("complete");
    let mut bytes = sent.as_bytes().to_vec();
    let at = bytes.windows(5).position(|part| part == b"value").expect("the label");
    bytes[at] = b'\n';
    assert_eq!(
        Envelope::decode(&bytes, &Limits::default()).map(|_| ()),
        Err(Error::InvalidValue {
            offset: at - 1,
            expected: "a label value of 256 bytes at most without control characters",
        })
    );
}
