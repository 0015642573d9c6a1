//! An orchestrator O between U and the agents A and B: it routes, and is trusted with nothing else.

use crate::adversary;

use adversary::cbor::{self, array, bytes, map, text, uint};
use adversary::forge::{self, Element, Forgery};
use adversary::{Agent, HOUR, NOW, World, entropy, later, malformed};
use agent_envelope::{
    Admission, Draft, Envelope, Error, Item, KeyPackage, Kind, Limits, Missing, Place,
    ReplayCapacity, ReplayWindow, Resource, Seen, Sent, Standing, Verified,
};
use agent_envelope::{Inbox, Relay};

struct Star {
    world: World,
    u: Agent,
    o: Agent,
    a: Agent,
    b: Agent,
}

impl Star {
    fn new() -> Self {
        let [u, o, a, b] = ["user", "orchestrator", "agent a", "agent b"].map(Agent::new);
        Self { world: World::new(), u, o, a, b }
    }

    /// U's envelope: 0 authority, 1 key package, 2 clear, 3 audience, 4 sealed to A.
    fn send(&self) -> Sent {
        let chain = self.world.authority(&self.u);
        let (mine, reader) = (self.u.package(), self.a.package());
        Draft::new(&self.u.identity)
            .to(self.a.id())
            .next(self.o.id())
            .label("priority", "low")
            .label("skill", "summarise")
            .authority(&chain)
            .key_package(&mine)
            .clear(Kind::User, "text/plain", &b"summarise this"[..])
            .sealed(Kind::Artifact, "text/plain", &b"the secret"[..], [&reader])
            .sign(NOW, entropy())
            .expect("a complete draft")
    }

    fn relayed<'a>(&self, bytes: &'a [u8]) -> Verified<'a, Relay> {
        let envelope = Envelope::decode(bytes, &Limits::default()).expect("well formed");
        envelope.verify_as_relay(&self.world.verifier(&self.o), NOW).expect("addressed to O")
    }

    /// What an honest O forwards.
    fn forward(&self, sent: &Sent) -> Vec<u8> {
        self.relayed(sent.as_bytes())
            .forward(&self.o.identity, self.a.id(), NOW)
            .expect("an honest hop")
    }

    /// What A says to an envelope to which O has added its hop.
    fn refusal(&self, mut forgery: Forgery) -> Error {
        forgery.add_hop(&self.o, self.o.id(), &[self.a.id()]);
        self.world.refusal(&self.a, &forgery.encode())
    }
}

#[test]
fn s1_an_orchestrator_routes_and_forwards_what_it_cannot_read() {
    let star = Star::new();
    let sent = star.send();
    let relayed = star.relayed(sent.as_bytes());
    assert_eq!(relayed.header().labels().get("skill"), Some("summarise"));
    let sealed = relayed.elements().filter(|seen| matches!(seen, Seen::Sealed(..))).count();
    assert_eq!(sealed, 1);

    let forwarded = star.forward(&sent);
    let mut inbox = star.world.inbox(&star.a);
    let received = inbox.receive(&forwarded, NOW).expect("an honest envelope");
    let Some(Item::Sealed(sealed)) = received.elements().nth(1) else { panic!("sealed") };
    assert_eq!(sealed.open(&star.a.identity).expect("A reads").content(), b"the secret");
}

#[test]
fn s1_an_orchestrator_is_no_reader() {
    let star = Star::new();
    let sent = star.send();
    let error = star.world.refusal(&star.o, sent.as_bytes());
    assert_eq!(error, Error::NotARecipient { agent: star.o.id() });
    assert_eq!(error.place(), Place::Header);
}

#[test]
fn s1_an_orchestrator_that_is_a_party_opens_only_what_is_sealed_to_it() {
    let star = Star::new();
    let chain = star.world.authority(&star.u);
    let reader = star.a.package();
    let sent = Draft::new(&star.u.identity)
        .to(star.a.id())
        .via(star.o.id())
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"the secret"[..], [&reader])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut inbox = star.world.inbox(&star.o);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("O is on the path");
    let Some(Item::Sealed(sealed)) = received.elements().next() else { panic!("sealed") };
    let error = sealed.open(&star.o.identity).expect_err("not sealed to O");
    assert_eq!(error, Error::CannotOpen { element: 2 });
    assert_eq!(error.place(), Place::Element(2));
    let (expected, found) = (star.o.id(), star.a.id());
    let error = sealed.open(&star.a.identity).expect_err("verified for O");
    assert_eq!(error, Error::WrongIdentity { expected, found });
}

/// Every part of the clear header that O might like to change.
fn header_edits(star: &Star) -> Vec<(&'static str, i64, cbor::Item)> {
    let labels = |priority, skill| {
        cbor::Item::Map(vec![(text("skill"), text(skill)), (text("priority"), text(priority))])
    };
    let amounts = array([array([uint(16), uint(1_000_000)])]);
    let terms = map([(1, amounts), (2, uint(adversary::SECONDS + 60)), (3, uint(1))]);
    vec![
        ("id", 1, bytes([9; 16])),
        ("context", 2, bytes([9; 16])),
        ("skill", 10, labels("low", "delete")),
        ("priority", 10, labels("top", "summarise")),
        ("recipient", 4, forge::agents(&[star.b.id()])),
        ("lifetime", 6, uint(adversary::SECONDS + 600)),
        ("base", 7, array([uint(3), bytes([9; 32])])),
        ("answer", 8, array([bytes([9; 32])])),
        ("budget", 9, terms),
        ("path", 11, forge::agents(&[star.o.id(), star.b.id()])),
    ]
}

#[test]
fn s2_a_changed_header_is_not_the_one_that_hop_0_signs() {
    let star = Star::new();
    let sent = star.send();
    for (name, key, value) in header_edits(&star) {
        let mut forged = Forgery::of(sent.as_bytes());
        forged.header.set(key, value);
        // The elements hang on the header's digest, so the chain says it first.
        let plain = forged.encode();
        let observe = |bytes: &[u8]| {
            let envelope = Envelope::decode(bytes, &Limits::default()).expect("well formed");
            let verified = envelope.verify_as_observer(&star.world.verifier(&star.b), NOW);
            verified.map(|_| ()).expect_err("must be refused")
        };
        let error = observe(&plain);
        assert_eq!(error, Error::ElementChain { hop: 0, from: 0, until: 5 }, "{name}");
        assert_eq!(error.place(), Place::Hop(0));
        // With a head that fits, hop 0 is no longer what U signed.
        let head = forged.head(5);
        forged.edit_hop(0, |hop| hop.set(5, bytes(head)));
        let error = observe(&forged.encode());
        assert_eq!(error, Error::HopSignature { hop: 0, signer: star.u.id() }, "{name}");
        assert_eq!(error.place(), Place::Hop(0));
        // Nor is O's signature U's.
        forged.sign_hop(0, &star.o);
        let error = observe(&forged.encode());
        assert_eq!(error, Error::HopSignature { hop: 0, signer: star.u.id() }, "{name}");
    }
}

#[test]
fn s2_an_orchestrator_that_signs_as_originator_has_not_the_originators_authority() {
    let star = Star::new();
    let sent = star.send();
    let mut forged = Forgery::of(sent.as_bytes());
    forged.header.set(3, bytes(star.o.id().as_bytes()));
    forged.edit_hop(0, |hop| hop.set(2, forge::agents(&[star.a.id()])));
    // U's key package is not O's to bring.
    forged.cover(0, 5, &star.o);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::KeyPackageOfAnother { element: 1 });
    assert_eq!(error.place(), Place::Element(1));
    // Nor is U's chain, even where the commitments are made anew.
    let chain = forged.elements[0].body.clone().expect("a chain");
    forged.elements = vec![Element::control(&star.o, forge::AUTHORITY, chain)];
    forged.cover(0, 1, &star.o);
    let error = star.world.refusal(&star.a, &forged.encode());
    let (holder, author) = (star.u.id(), star.o.id());
    assert_eq!(error, Error::LeafNotAuthor { element: 0, holder, author });
    // And without a chain nobody knows O.
    forged.elements.clear();
    forged.cover(0, 0, &star.o);
    let error = star.world.refusal(&star.a, &forged.encode());
    assert_eq!(error, Error::UntrustedOrigin { reasons: vec![] });
    assert_eq!(error.place(), Place::Header);
}

/// Adds a wrap for O to the audience of U.
fn with_another_reader(audience: &[u8], reader: &Agent) -> Vec<u8> {
    let mut audience = cbor::Item::read(audience);
    let recipients = audience.items()[1].items()[3].items();
    let mut wrap = recipients[0].clone();
    let hint = forge::sealing_key(reader.package().as_bytes())[..8].to_vec();
    wrap.items()[0] = bytes(map([(1, uint(50)), (4, bytes(hint))]).encode());
    recipients.push(wrap);
    recipients.sort_by_key(cbor::Item::encode);
    audience.encode()
}

#[test]
fn s3_a_reader_added_to_an_audience_breaks_its_commitment() {
    let star = Star::new();
    let sent = star.send();
    let mut forged = Forgery::of(sent.as_bytes());
    let audience = forged.elements[3].body.clone().expect("an audience");
    let wider = with_another_reader(&audience, &star.o);
    forged.replace_body(3, wider.clone());
    let error = star.refusal(forged.clone());
    assert_eq!(error, Error::ControlCommit { element: 3 });
    assert_eq!(error.place(), Place::Element(3));
    // With a commitment that fits, the chain no longer does.
    forged.elements[3] = Element::control(&star.u, forge::AUDIENCE, wider);
    let error = star.refusal(forged);
    assert_eq!(error, Error::ElementChain { hop: 0, from: 0, until: 5 });
}

#[test]
fn s3_an_audience_appended_by_the_orchestrator_changes_nothing_for_the_reader() {
    let star = Star::new();
    let chain = star.world.authority(&star.u);
    let reader = star.a.package();
    let sent = Draft::new(&star.u.identity)
        .to(star.a.id())
        .via(star.o.id())
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"the secret"[..], [&reader])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    let audience = forged.elements[1].body.clone().expect("an audience");
    let wider = with_another_reader(&audience, &star.o);
    forged.elements.push(Element::control(&star.o, forge::AUDIENCE, wider));
    forged.add_hop(&star.o, star.o.id(), &[star.a.id()]);
    let bytes = forged.encode();
    // A still opens by the wrap that U made, and O's copy changes nothing.
    let mut inbox = star.world.inbox(&star.a);
    let received = inbox.receive(&bytes, NOW).expect("an odd hop, but O's own");
    let Some(Item::Sealed(sealed)) = received.elements().next() else { panic!("sealed") };
    assert_eq!(sealed.open(&star.a.identity).expect("A reads").content(), b"the secret");
}

#[test]
fn s5_an_orchestrator_cannot_swap_the_key_to_which_answers_are_sealed() {
    let star = Star::new();
    let sent = star.send();
    let honest = Forgery::of(sent.as_bytes());
    let own = forge::sealing_key(star.o.package().as_bytes());

    // Its own package is of another agent.
    let mut forged = honest.clone();
    forged.replace_body(1, star.o.package().as_bytes().to_vec());
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::KeyPackageOfAnother { element: 1 });
    assert_eq!(error.place(), Place::Element(1));

    // One in U's name is not what U committed to.
    let mut forged = honest.clone();
    let false_package = forge::key_package(star.u.id(), &own, &star.o);
    forged.replace_body(1, false_package.clone());
    assert_eq!(star.refusal(forged.clone()), Error::ControlCommit { element: 1 });
    forged.elements[1] = Element::control(&star.u, forge::KEY_PACKAGE, false_package.clone());
    let expected = Error::ElementChain { hop: 0, from: 0, until: 5 };
    assert_eq!(star.refusal(forged), expected);

    // One in O's own range is out of place.
    let mut forged = honest;
    forged.elements.push(Element::control(&star.o, forge::KEY_PACKAGE, false_package));
    let error = star.refusal(forged);
    assert_eq!(error, Error::KindOutOfPlace { element: 5, kind: 66, hop: 1 });
    assert_eq!(error.place(), Place::Element(5));
}

#[test]
fn s5_a_key_package_is_signed_by_its_agent_even_in_its_own_envelope() {
    let star = Star::new();
    let sent = star.send();
    let mut forged = Forgery::of(sent.as_bytes());
    let own = forge::sealing_key(star.o.package().as_bytes());
    let false_package = forge::key_package(star.u.id(), &own, &star.o);
    forged.elements[1] = Element::control(&star.u, forge::KEY_PACKAGE, false_package);
    forged.cover(0, 5, &star.u);
    let error = star.refusal(forged);
    assert_eq!(error, Error::KeyPackageSignature { element: Some(1), agent: star.u.id() });
    assert_eq!(error.place(), Place::Element(1));
}

#[test]
fn s6_what_is_left_without_the_envelope_is_no_envelope() {
    let message = br#"{"jsonrpc":"2.0","method":"message/send","params":{"text":"pay 10"}}"#;
    let expected = Error::WrongType { offset: 0, expected: "an array", found: "a text string" };
    assert_eq!(malformed(message), expected);
    assert_eq!(malformed(b""), Error::Truncated { offset: 0 });
}

#[test]
fn s6_an_envelope_stripped_of_its_signatures_is_refused() {
    let star = Star::new();
    let sent = star.send();
    let mut forged = Forgery::of(sent.as_bytes());
    forged.hops.clear();
    let bytes = forged.encode();
    let offset = bytes.len() - 1;
    let error = malformed(&bytes);
    assert_eq!(error, Error::Empty { offset, what: "array of hops" });
    assert_eq!(error.place(), Place::Offset(offset));
}

#[test]
fn s7_a_withheld_message_shows_at_the_next_one() {
    let star = Star::new();
    let chain = star.world.authority(&star.u);
    let mut inbox = star.world.inbox(&star.a);
    let mut last: Option<Sent> = None;
    let mut sent = Vec::new();
    for _ in 0..5 {
        let line = last.as_ref().map(Sent::line);
        let draft = match &line {
            None => Draft::new(&star.u.identity).to(star.a.id()),
            Some(line) => Draft::in_conversation(&star.u.identity, line),
        };
        let next = draft
            .next(star.o.id())
            .authority(&chain)
            .clear(Kind::User, "text/plain", &b"next"[..])
            .sign(NOW, entropy())
            .expect("a complete draft");
        sent.push(next.clone());
        last = Some(next);
    }
    let missing = Missing::Base(sent[2].line().stand());
    let expected = [
        Some(Standing::Continues),
        Some(Standing::Continues),
        None,
        Some(Standing::Gap { missing }),
        Some(Standing::Continues),
    ];
    for (sent, expected) in sent.iter().zip(expected) {
        let Some(expected) = expected else { continue };
        let forwarded = star.forward(sent);
        let received = inbox.receive(&forwarded, NOW).expect("an honest envelope");
        assert_eq!(received.standing(), Some(expected));
    }
}

#[test]
fn s7_an_answer_to_a_withheld_message_names_what_is_missing() {
    let star = Star::new();
    let question = star.send();
    let forwarded = star.forward(&question);
    let mut inbox = star.world.inbox(&star.a);
    let received = inbox.receive(&forwarded, NOW).expect("an honest envelope");
    let chain = star.world.authority(&star.a);
    let answer = Draft::reply_to(&received, &star.a.identity)
        .authority(&chain)
        .sign(NOW, entropy())
        .expect("a complete draft");
    // U has lost its own records.
    let mut restored = star.world.inbox(&star.u);
    let received = restored.receive(answer.as_bytes(), NOW).expect("an honest envelope");
    let missing = Missing::Answered(question.origin());
    assert_eq!(received.standing(), Some(Standing::Gap { missing }));
}

#[test]
fn s8_a_second_delivery_is_a_replay() {
    let star = Star::new();
    let sent = star.send();
    let forwarded = star.forward(&sent);
    let mut inbox = star.world.inbox(&star.a);
    inbox.receive(&forwarded, NOW).expect("the first time");
    let error = inbox.receive(&forwarded, NOW).map(|_| ()).expect_err("the second time");
    assert_eq!(error, Error::Replayed { envelope: sent.digest() });
    assert_eq!(error.place(), Place::Envelope);
    // Also after a restart.
    let mut restored =
        Inbox::restore(star.world.verifier(&star.a), &inbox.to_bytes()).expect("its own state");
    let error = restored.receive(&forwarded, NOW).map(|_| ()).expect_err("the third time");
    assert_eq!(error, Error::Replayed { envelope: sent.digest() });
}

#[test]
fn s8_a_delivery_on_another_path_acts_on_nothing_again() {
    let star = Star::new();
    let sent = star.send();
    let forwarded = star.forward(&sent);
    // The same content by a hop of another time.
    let relayed = star.relayed(sent.as_bytes());
    let again = relayed.forward(&star.o.identity, star.a.id(), later(1)).expect("O's own hop");
    let mut inbox = star.world.inbox(&star.a);
    inbox.receive(&forwarded, NOW).expect("the first time");
    let received = inbox.receive(&again, NOW).expect("another path");
    assert_eq!(received.admission(), Admission::OtherPath { after: 5 });
    let Some(Item::Present(order)) = received.elements().next() else { panic!("clear content") };
    let error = order.authorize("summarise", &Resource::everything()).expect_err("done already");
    assert_eq!(error, Error::AlreadyActedOn { element: 2 });
    assert_eq!(error.place(), Place::Element(2));
}

fn capacity(envelopes: usize, principals: usize) -> ReplayCapacity {
    let mut capacity = ReplayCapacity::default();
    capacity.envelopes = envelopes;
    capacity.principals = principals;
    capacity
}

/// Something from `agent` to A, made at a time of its own.
fn note(star: &Star, agent: &Agent, seconds: u64) -> Sent {
    let chain = star.world.authority(agent);
    Draft::new(&agent.identity)
        .to(star.a.id())
        .expires_in(HOUR)
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"a note"[..])
        .sign(later(seconds), entropy())
        .expect("a complete draft")
}

#[test]
fn s8_what_was_forgotten_is_refused_by_the_floor() {
    let star = Star::new();
    let mut inbox = star.world.small_inbox(&star.a, capacity(2, 2));
    let notes = [0, 1, 2].map(|seconds| note(&star, &star.u, seconds));
    for note in &notes {
        inbox.receive(note.as_bytes(), later(3)).expect("new");
    }
    let error = inbox.receive(notes[0].as_bytes(), later(3)).map(|_| ()).expect_err("forgotten");
    assert_eq!(error, Error::BelowReplayFloor { created: NOW, floor: NOW });
    assert_eq!(error.place(), Place::Header);
}

#[test]
fn s8_a_full_store_fails_closed() {
    let star = Star::new();
    // No room for a third principal.
    let mut inbox = star.world.small_inbox(&star.a, capacity(2, 2));
    inbox.receive(note(&star, &star.u, 0).as_bytes(), NOW).expect("new");
    inbox.receive(note(&star, &star.o, 0).as_bytes(), NOW).expect("new");
    let third = note(&star, &star.b, 0);
    let error = inbox.receive(third.as_bytes(), NOW).map(|_| ()).expect_err("full");
    assert_eq!(error, Error::ReplayWindowFull { what: "principals", capacity: 2 });
    assert_eq!(error.place(), Place::Call);
    // No room for a third envelope of the same age: forgetting one would let it in again.
    inbox.receive(note(&star, &star.u, 0).as_bytes(), NOW).expect("new");
    let third = note(&star, &star.u, 0);
    let error = inbox.receive(third.as_bytes(), NOW).map(|_| ()).expect_err("full");
    let what = "envelopes of this principal";
    assert_eq!(error, Error::ReplayWindowFull { what, capacity: 2 });
}

#[test]
fn s8_replicas_that_merge_their_windows_refuse_what_the_other_admitted() {
    let star = Star::new();
    let sent = star.send();
    let forwarded = star.forward(&sent);
    let mut one = star.world.inbox(&star.a);
    let mut other = star.world.inbox(&star.a);
    one.receive(&forwarded, NOW).expect("new");
    let window = ReplayWindow::from_bytes(&one.window().to_bytes()).expect("its own state");
    other.merge_window(&window).expect("room enough");
    let error = other.receive(&forwarded, NOW).map(|_| ()).expect_err("admitted there");
    assert_eq!(error, Error::Replayed { envelope: sent.digest() });
}

#[test]
fn s9_a_sealing_key_put_in_the_place_of_anothers_is_not_sealed_to() {
    let star = Star::new();
    let own = forge::sealing_key(star.o.package().as_bytes());
    let limits = Limits::default();
    let false_package = forge::key_package(star.a.id(), &own, &star.o);
    let error = KeyPackage::verify(&false_package, NOW, &limits).expect_err("O signed it");
    assert_eq!(error, Error::KeyPackageSignature { element: None, agent: star.a.id() });
    assert_eq!(error.place(), Place::Call);
    // A's own package with the key exchanged.
    let mut package = cbor::Item::read(star.a.package().as_bytes());
    let mut payload = cbor::Item::read(package.items()[2].as_bytes());
    payload.set(3, bytes(&own));
    package.items()[2] = bytes(payload.encode());
    let error = KeyPackage::verify(&package.encode(), NOW, &limits).expect_err("A never said so");
    assert_eq!(error, Error::KeyPackageSignature { element: None, agent: star.a.id() });
    // O's honest package says whose it is.
    let package = star.o.package();
    let package = KeyPackage::verify(package.as_bytes(), NOW, &limits).expect("honest");
    assert_eq!(package.agent(), star.o.id());
}

#[test]
fn s10_an_envelope_for_one_agent_is_not_read_by_another_that_shares_its_mailbox() {
    let star = Star::new();
    let twin = Agent::with_mailbox("twin", star.a.sealing);
    let sent = star.send();
    // Undelivered, it is not addressed to the twin; delivered to the twin, it is not for the twin to read.
    let error = star.world.refusal(&twin, sent.as_bytes());
    assert_eq!(error, Error::NotAddressed { agent: twin.id() });
    assert_eq!(error.place(), Place::Envelope);
    let misdelivered = star
        .relayed(sent.as_bytes())
        .forward(&star.o.identity, twin.id(), NOW)
        .expect("O signs what it likes");
    let error = star.world.refusal(&twin, &misdelivered);
    assert_eq!(error, Error::NotARecipient { agent: twin.id() });
    assert_eq!(error.place(), Place::Header);
}

#[test]
fn s10_a_recipient_with_the_same_sealing_key_does_not_open_what_is_wrapped_for_another() {
    let star = Star::new();
    let twin = Agent::with_mailbox("twin", star.a.sealing);
    let chain = star.world.authority(&star.u);
    let reader = star.a.package();
    let sent = Draft::new(&star.u.identity)
        .to([star.a.id(), twin.id()])
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"for A alone"[..], [&reader])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut inbox = star.world.inbox(&twin);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("addressed to both");
    let Some(Item::Sealed(sealed)) = received.elements().next() else { panic!("sealed") };
    let error = sealed.open(&twin.identity).expect_err("wrapped for A");
    assert_eq!(error, Error::CannotOpen { element: 2 });
}

#[test]
fn s14_a_gateway_that_rechunks_or_recodes_changes_no_byte() {
    let star = Star::new();
    let forwarded = star.forward(&star.send());

    let rechunked: Vec<u8> = forwarded.chunks(7).collect::<Vec<_>>().concat();
    assert_eq!(rechunked, forwarded);
    assert_eq!(unbase64(&base64(&forwarded)), forwarded);
    // A gateway that parses CBOR and writes it as RFC 8949 §4.2.1 has it.
    let parsed: ciborium::Value = ciborium::from_reader(&forwarded[..]).expect("it is CBOR");
    let mut rewritten = Vec::new();
    ciborium::into_writer(&parsed, &mut rewritten).expect("a buffer takes it");
    assert_eq!(rewritten, forwarded);

    star.world.receive(&star.a, &unbase64(&base64(&rechunked))).expect("not a byte has changed");
}

#[test]
fn s14_a_gateway_that_writes_cbor_in_another_form_is_noticed() {
    let star = Star::new();
    let forwarded = star.forward(&star.send());
    let whole = cbor::Item::read(&forwarded);
    assert_eq!(malformed(&whole.indefinite().encode()), Error::IndefiniteLength { offset: 0 });
    assert_eq!(malformed(&whole.long().encode()), Error::LongInteger { offset: 0 });
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 without padding.
fn base64(input: &[u8]) -> String {
    let mut out = String::new();
    for chunk in input.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..=chunk.len() {
            let index = usize::try_from(bits >> (18 - 6 * digit) & 63).expect("six bits");
            out.push(char::from(DIGITS[index]));
        }
    }
    out
}

fn unbase64(input: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in input.as_bytes().chunks(4) {
        let mut bits = 0;
        for (place, digit) in chunk.iter().enumerate() {
            let value = DIGITS.iter().position(|known| known == digit).expect("a digit");
            bits |= u32::try_from(value).expect("six bits") << (18 - 6 * place);
        }
        out.extend(&bits.to_be_bytes()[1..chunk.len()]);
    }
    out
}
