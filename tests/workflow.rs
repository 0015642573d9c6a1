//! A workflow U → A → B → C over stores that may be hostile: what each tampering is called, and where.

use crate::adversary;

use adversary::cbor::{array, bytes, uint};
use adversary::forge::{self, ASSISTANT, AUTHORITY, Element, Forgery};
use adversary::{Agent, NOW, World, entropy, later, malformed};
use agent_envelope::{
    Admission, Draft, Envelope, Error, Item, Kind, Limits, Missing, NewElement, Onward, Place,
    Reference, Sent, Standing,
};

const PLAN: usize = 1;
const SEALED: usize = 3;
const ELIDABLE: usize = 4;
const WARNING: usize = 6;
const FINDING: usize = 7;

struct Workflow {
    world: World,
    u: Agent,
    a: Agent,
    b: Agent,
    c: Agent,
}

/// The envelope at three stations: 5 elements from U, 3 from A, 2 from B.
struct Stations {
    sent: Sent,
    from_a: Vec<u8>,
    from_b: Vec<u8>,
}

impl Workflow {
    fn new() -> Self {
        let [u, a, b, c] = ["user", "analyst", "writer", "mailer"].map(Agent::new);
        Self { world: World::new(), u, a, b, c }
    }

    fn send(&self) -> Sent {
        let chain = self.world.authority(&self.u);
        let reader = self.c.package();
        Draft::new(&self.u.identity)
            .to(self.c.id())
            .via([self.a.id(), self.b.id()])
            .authority(&chain)
            .clear(Kind::User, "text/plain", &b"answer the complaints"[..])
            .sealed(Kind::Artifact, "text/csv", &b"name,card"[..], [&reader])
            .element(NewElement::clear(Kind::Memory, "text/plain", &b"a long log"[..]).elidable())
            .sign(NOW, entropy())
            .expect("a complete draft")
    }

    /// Lets an agent on the way receive an envelope and pass it on under its own authority.
    fn pass(
        &self,
        agent: &Agent,
        bytes: &[u8],
        next: &Agent,
        add: impl for<'v> FnOnce(Onward<'v>) -> Onward<'v>,
    ) -> Vec<u8> {
        let mut inbox = self.world.inbox(agent);
        let chain = self.world.authority(agent);
        let received = inbox.receive(bytes, NOW).expect("an honest envelope");
        let onward = received.onward(&agent.identity).authority(&chain).next(next.id());
        add(onward).sign(NOW, entropy()).expect("an honest hop")
    }

    fn run(&self) -> Stations {
        let sent = self.send();
        let from_a = self.pass(&self.a, sent.as_bytes(), &self.b, |hop| {
            hop.clear(Kind::Assistant, "text/plain", &b"do not e-mail customers"[..]).clear(
                Kind::Assistant,
                "text/plain",
                &b"two complaints"[..],
            )
        });
        let from_b = self.pass(&self.b, &from_a, &self.c, |hop| {
            hop.clear(Kind::Assistant, "text/plain", &b"two answers"[..])
        });
        Stations { sent, from_a, from_b }
    }

    fn refusal(&self, forgery: &Forgery) -> Error {
        self.world.refusal(&self.c, &forgery.encode())
    }
}

#[test]
fn an_honest_workflow_arrives_with_every_author_named() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut inbox = flow.world.inbox(&flow.c);
    let received = inbox.receive(&stations.from_b, NOW).expect("an honest envelope");
    let authors: Vec<_> = received.elements().map(|item| item.provenance().author()).collect();
    let [u, a, b] = [&flow.u, &flow.a, &flow.b].map(Agent::id);
    assert_eq!(authors, [u, u, u, a, a, b]);
    assert_eq!(received.admission(), Admission::New);
    assert_eq!(received.standing(), Some(Standing::Continues));
}

#[test]
fn w1_a_dropped_element_breaks_the_chain_at_its_hop() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.remove(WARNING);
    // B signs what it left over.
    forged.cover(2, 9, &flow.b);
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ElementChain { hop: 1, from: 5, until: 8 });
    assert_eq!(error.place(), Place::Hop(1));
}

#[test]
fn w1_an_element_dropped_by_a_store_leaves_the_count_of_the_last_hop_wrong() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.remove(WARNING);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::HopCount { hop: 2, at_least: 9, at_most: 9, found: 10 });
    assert_eq!(error.place(), Place::Hop(2));
}

#[test]
fn w1_a_hop_cannot_be_dropped_with_its_elements() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.drain(5..8);
    forged.hops.remove(1);
    forged.cover(1, 7, &flow.b);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::SignerNotNext { hop: 1, signer: flow.b.id() });
    assert_eq!(error.place(), Place::Hop(1));
}

#[test]
fn w1_a_body_that_was_not_made_elidable_cannot_be_blanked() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[WARNING].body = None;
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::BodyMissing { element: WARNING, elidable: false });
    assert_eq!(error.place(), Place::Element(WARNING));
}

#[test]
fn w1_a_hop_cannot_sign_away_a_body_that_was_not_made_elidable() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[WARNING].body = None;
    forged.edit_hop(2, |hop| hop.set(6, array([forge::size(WARNING)])));
    forged.sign_hop(2, &flow.b);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::AbsenceNotAllowed { hop: 2, element: 6 });
    assert_eq!(error.place(), Place::Hop(2));
}

#[test]
fn w1_a_hop_cannot_make_a_body_elidable_for_its_author() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[WARNING].body = None;
    forged.elements[WARNING].record.set(5, uint(1));
    forged.edit_hop(2, |hop| hop.set(6, array([forge::size(WARNING)])));
    forged.cover(2, 10, &flow.b);
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ElementChain { hop: 1, from: 5, until: 8 });
}

#[test]
fn w1_a_builder_does_not_leave_out_what_it_may_not() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut inbox = flow.world.inbox(&flow.b);
    let received = inbox.receive(&stations.from_a, NOW).expect("an honest envelope");
    let signed =
        received.onward(&flow.b.identity).next(flow.c.id()).without([WARNING]).sign(NOW, entropy());
    assert_eq!(signed, Err(Error::AbsenceNotAllowed { hop: 2, element: 6 }));
}

#[test]
fn w1_another_text_in_the_place_of_a_body_does_not_match_its_commitment() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    let other = Element::clear(&flow.a, ASSISTANT, b"do e-mail customers");
    forged.replace_body(WARNING, other.body.clone().expect("clear content"));
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ContentCommit { element: WARNING });
    assert_eq!(error.place(), Place::Element(WARNING));
    // With a commitment that fits, the chain no longer does.
    forged.elements[WARNING] = other;
    forged.cover(2, 10, &flow.b);
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 1, from: 5, until: 8 });
}

#[test]
fn w1_an_elidable_body_is_left_out_only_with_a_hop_that_says_so() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut forged = Forgery::of(&stations.from_b);
    forged.elements[ELIDABLE].body = None;
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::BodyMissing { element: ELIDABLE, elidable: true });
    assert_eq!(error.place(), Place::Element(ELIDABLE));

    let without = flow.pass(&flow.b, &stations.from_a, &flow.c, |hop| hop.without([ELIDABLE]));
    let mut inbox = flow.world.inbox(&flow.c);
    let received = inbox.receive(&without, NOW).expect("left out with consent");
    let absent = received.elements().find_map(|item| match item {
        Item::Absent(absent) => Some(absent),
        _ => None,
    });
    let absent = absent.expect("it stays visible that something is missing");
    assert_eq!((absent.author(), absent.kind()), (flow.u.id(), Kind::Memory));
    assert_eq!(absent.by_hop(), 2);
    assert_eq!(absent.provenance().index(), ELIDABLE);
}

#[test]
fn w2_swapped_elements_break_the_chain_at_their_hop() {
    let flow = Workflow::new();
    let honest = Forgery::of(&flow.run().from_b);
    let mut forged = honest.clone();
    forged.elements.swap(WARNING, FINDING);
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ElementChain { hop: 1, from: 5, until: 8 });
    assert_eq!(error.place(), Place::Hop(1));

    let mut forged = honest;
    forged.elements.swap(PLAN, ELIDABLE);
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 0, from: 0, until: 5 });
}

#[test]
fn w2_elements_swapped_over_a_hop_break_the_chain_at_the_first_of_both() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.swap(FINDING, 9);
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 1, from: 5, until: 8 });
}

#[test]
fn w2_swapped_bodies_do_not_match_their_commitments() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    let body = forged.elements[WARNING].body.take();
    forged.elements[WARNING].body = forged.elements[FINDING].body.take();
    forged.elements[FINDING].body = body;
    assert_eq!(flow.refusal(&forged), Error::ContentCommit { element: WARNING });
}

#[test]
fn w2_swapped_hops_do_not_follow_the_path() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.hops.swap(1, 2);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::SignerNotNext { hop: 1, signer: flow.b.id() });
}

#[test]
fn w3_elements_cut_from_the_end_leave_the_last_count_wrong() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.truncate(8);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::HopCount { hop: 2, at_least: 8, at_most: 8, found: 10 });
    assert_eq!(error.place(), Place::Hop(2));
    // A count that fits is no longer what B signed: head first, then the signature.
    forged.edit_hop(2, |hop| hop.set(4, uint(8)));
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 2, from: 8, until: 8 });
    let head = forged.head(8);
    forged.edit_hop(2, |hop| hop.set(5, bytes(head)));
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::HopSignature { hop: 2, signer: flow.b.id() });
    assert_eq!(error.place(), Place::Hop(2));
}

#[test]
fn w3_an_earlier_version_is_not_addressed_to_a_later_station() {
    let flow = Workflow::new();
    let stations = flow.run();
    let error = flow.world.refusal(&flow.c, &stations.from_a);
    assert_eq!(error, Error::NotAddressed { agent: flow.c.id() });
    assert_eq!(error.place(), Place::Envelope);
}

#[test]
fn w3_an_earlier_version_is_a_replay_where_it_was_admitted() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut inbox = flow.world.inbox(&flow.b);
    inbox.receive(&stations.from_a, NOW).expect("the first time");
    let error = inbox.receive(&stations.from_a, NOW).map(|_| ()).expect_err("the second time");
    assert_eq!(error, Error::Replayed { envelope: stations.sent.digest() });
    assert_eq!(error.place(), Place::Envelope);
}

#[test]
fn w3_an_earlier_version_on_an_open_path_authorizes_nothing_again() {
    let flow = Workflow::new();
    let chain = flow.world.authority(&flow.u);
    let sent = Draft::new(&flow.u.identity)
        .to(flow.c.id())
        .next([flow.a.id(), flow.c.id()])
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"pay 10"[..])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let relay = flow.world.verifier(&flow.a);
    let envelope = Envelope::decode(sent.as_bytes(), relay.limits()).expect("well formed");
    let verified = envelope.verify_as_relay(&relay, NOW).expect("addressed to A");
    let longer = verified
        .onward(&flow.a.identity)
        .clear(Kind::Assistant, "text/plain", &b"not twice"[..])
        .next(flow.c.id())
        .sign(NOW, entropy())
        .expect("an honest hop");

    let mut inbox = flow.world.inbox(&flow.c);
    inbox.receive(&longer, NOW).expect("the whole");
    let shorter = inbox.receive(sent.as_bytes(), NOW).expect("the earlier version");
    assert_eq!(shorter.admission(), Admission::OtherPath { after: 2 });
    let Some(Item::Present(order)) = shorter.elements().next() else { panic!("clear content") };
    let refused = order.authorize("summarise", &agent_envelope::Resource::everything());
    assert_eq!(refused.map(|_| ()), Err(Error::AlreadyActedOn { element: 1 }));
}

#[test]
fn w3_w4_what_was_cut_from_a_line_shows_as_a_gap_at_the_next_envelope() {
    let flow = Workflow::new();
    let chain = flow.world.authority(&flow.u);
    let talk = |draft: Draft<'_>| -> Sent {
        draft.clear(Kind::User, "text/plain", &b"and"[..]).sign(NOW, entropy()).expect("complete")
    };
    let first = talk(Draft::new(&flow.u.identity).to(flow.c.id()).authority(&chain));
    let follow = |last: &Sent| {
        talk(Draft::in_conversation(&flow.u.identity, &last.line()).authority(&chain))
    };
    let second = follow(&first);
    let third = follow(&second);
    let fourth = follow(&third);

    let mut inbox = flow.world.inbox(&flow.c);
    let mut standing =
        |sent: &Sent| inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope").standing();
    assert_eq!(standing(&first), Some(Standing::Continues));
    let missing = Missing::Base(second.line().stand());
    assert_eq!(standing(&third), Some(Standing::Gap { missing }));
    // From a head that the reader holds, the suffix is accepted.
    assert_eq!(standing(&fourth), Some(Standing::Continues));
    // The missing one, delivered late, fits too.
    assert_eq!(standing(&second), Some(Standing::Continues));

    // To a reader that holds nothing of this line, it does not pass for a beginning.
    let mut stranger = flow.world.inbox(&flow.c);
    let received = stranger.receive(third.as_bytes(), NOW).expect("an honest envelope");
    assert_eq!(received.standing(), Some(Standing::Joined));
}

#[test]
fn w4_elements_cut_from_the_front_break_the_chain_of_hop_0() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.remove(0);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::HopCount { hop: 2, at_least: 9, at_most: 9, found: 10 });

    // With counts that fit, sealed content no longer finds its audience where it says.
    forged.edit_hop(0, |hop| hop.set(4, uint(4)));
    forged.edit_hop(1, |hop| hop.set(4, uint(7)));
    forged.cover(2, 9, &flow.b);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::NoSuchAudience { element: 2, audience: 2 });

    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.drain(0..2);
    forged.reseal_to(1, 0);
    forged.edit_hop(0, |hop| hop.set(4, uint(3)));
    forged.edit_hop(1, |hop| hop.set(4, uint(6)));
    forged.cover(2, 8, &flow.b);
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 0, from: 0, until: 3 });
}

#[test]
fn w6_an_element_of_another_conversation_breaks_the_chain() {
    let flow = Workflow::new();
    let elsewhere = Forgery::of(&flow.run().from_b);
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[FINDING] = elsewhere.elements[WARNING].clone();
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ElementChain { hop: 1, from: 5, until: 8 });
    assert_eq!(error.place(), Place::Hop(1));
}

#[test]
fn w6_an_element_of_another_author_is_not_taken_into_ones_own_range() {
    let flow = Workflow::new();
    let elsewhere = Forgery::of(&flow.run().from_b);
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.push(elsewhere.elements[WARNING].clone());
    forged.cover(2, 11, &flow.b);
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::ContentCommit { element: 10 });
    assert_eq!(error.place(), Place::Element(10));
}

#[test]
fn w6_a_sealed_element_of_another_conversation_does_not_open() {
    let flow = Workflow::new();
    let elsewhere = Forgery::of(&flow.run().from_b);
    let mut forged = Forgery::of(&flow.run().from_b);
    // B brings the audience as its own, and the sealed element after it.
    let audience = elsewhere.elements[2].body.clone().expect("an audience");
    forged.elements.push(Element::control(&flow.b, forge::AUDIENCE, audience));
    forged.elements.push(elsewhere.elements[SEALED].clone());
    forged.reseal_to(11, 10);
    forged.cover(2, 12, &flow.b);

    let bytes = forged.encode();
    let mut inbox = flow.world.inbox(&flow.c);
    let received = inbox.receive(&bytes, NOW).expect("nobody without keys can tell");
    let sealed: Vec<_> = received
        .elements()
        .filter_map(|item| match item {
            Item::Sealed(sealed) => Some(sealed),
            _ => None,
        })
        .collect();
    assert_eq!(sealed[0].open(&flow.c.identity).map(|plain| plain.content().to_vec()), {
        Ok(b"name,card".to_vec())
    });
    let error = sealed[1].open(&flow.c.identity).expect_err("from elsewhere");
    assert_eq!(error, Error::CannotOpen { element: 11 });
    assert_eq!(error.place(), Place::Element(11));
}

#[test]
fn w7_a_summary_that_leaves_out_an_element_or_invents_one_says_so() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut inbox = flow.world.inbox(&flow.b);
    let received = inbox.receive(&stations.from_a, NOW).expect("an honest envelope");
    let ids: Vec<_> = received.elements().map(|item| item.provenance().id()).collect();
    let unknown = agent_envelope::ElementId::from_bytes([9; 32]);
    let summarise = |refs: Vec<Reference>| {
        let summary = NewElement::clear(Kind::Summary, "text/plain", &b"in short"[..]);
        received
            .onward(&flow.b.identity)
            .element(summary.refers_to(refs))
            .next(flow.c.id())
            .sign(NOW, entropy())
            .expect("an honest hop")
    };
    let coverage = |bytes: &[u8]| {
        let mut inbox = flow.world.inbox(&flow.c);
        let received = inbox.receive(bytes, NOW).expect("an honest envelope");
        let summary = received.elements().last().expect("the summary").provenance();
        assert_eq!(summary.kind(), Kind::Summary);
        summary.covers(ids.iter().copied())
    };
    let known = || ids.iter().copied().map(Reference::from);

    assert!(coverage(&summarise(known().collect())).is_complete());
    let one_too_few = coverage(&summarise(known().skip(1).collect()));
    assert!(!one_too_few.is_complete());
    assert_eq!((one_too_few.missing, one_too_few.unknown), (vec![ids[0]], vec![]));
    let one_too_many = coverage(&summarise(known().chain([unknown.into()]).collect()));
    assert!(!one_too_many.is_complete());
    assert_eq!((one_too_many.missing, one_too_many.unknown), (vec![], vec![unknown]));
}

#[test]
fn w7_a_store_cannot_complete_a_summary() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[9].record.set(4, array([bytes([9; 32])]));
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 2, from: 8, until: 10 });
}

#[test]
fn w9_clear_text_in_the_place_of_a_sealed_body_is_no_sealed_body() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    let clear = forge::plain([0; 16], "text/csv", b"name,card");
    forged.replace_body(SEALED, clear.encode());
    let bytes = forged.encode();
    // The salt stands where the protected header should.
    let offset = adversary::position(&bytes, &clear.encode()) + 2;
    let expected = Error::WrongType { offset, expected: "a map", found: "an unsigned integer" };
    let error = malformed(&bytes);
    assert_eq!(error, expected);
    assert_eq!(error.place(), Place::Offset(offset));
}

#[test]
fn w9_a_record_that_no_longer_says_sealed_breaks_the_chain() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    let clear = forge::plain([0; 16], "text/csv", b"name,card");
    forged.replace_body(SEALED, clear.encode());
    forged.elements[SEALED].record.remove(3);
    let commit = forge::content_commit(&flow.u.id(), &clear);
    forged.elements[SEALED].record.set(2, bytes(commit));
    assert_eq!(flow.refusal(&forged), Error::ElementChain { hop: 0, from: 0, until: 5 });
}

#[test]
fn w9_another_sealed_body_does_not_match_the_digest() {
    let flow = Workflow::new();
    let elsewhere = Forgery::of(&flow.run().from_b);
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements[SEALED].body = elsewhere.elements[SEALED].body.clone();
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::SealedDigest { element: SEALED });
    assert_eq!(error.place(), Place::Element(SEALED));
}

#[test]
fn w9_a_reader_whose_policy_asks_for_sealed_content_refuses_clear_content() {
    let flow = Workflow::new();
    let stations = flow.run();
    let verifier = flow.world.verifier(&flow.c).require_sealed_content();
    let mut inbox = agent_envelope::Inbox::new(verifier);
    let error = inbox.receive(&stations.from_b, NOW).map(|_| ()).expect_err("clear content");
    assert_eq!(error, Error::MustBeSealed { element: PLAN });
    assert_eq!(error.place(), Place::Element(PLAN));
}

#[test]
fn w11_ten_thousand_elements_exceed_the_limit_before_any_signature() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_b);
    let tiny = Element::clear(&flow.b, ASSISTANT, b"");
    forged.elements.extend(std::iter::repeat_n(tiny, 10_000));
    forged.cover(2, 10_010, &flow.b);
    let expected = Error::LimitExceeded { what: "elements", limit: 1024, found: 10_010 };
    assert_eq!(flow.refusal(&forged), expected);
    assert_eq!(expected.place(), Place::Envelope);
    for hop in 0..3 {
        forged.hops[hop].items()[3] = bytes([0; 64]);
    }
    assert_eq!(flow.refusal(&forged), expected);
}

#[test]
fn w11_a_builder_adds_no_more_than_a_verifier_takes() {
    let flow = Workflow::new();
    let stations = flow.run();
    let mut inbox = flow.world.inbox(&flow.b);
    let received = inbox.receive(&stations.from_a, NOW).expect("an honest envelope");
    let mut onward = received.onward(&flow.b.identity).next(flow.c.id());
    for _ in 0..1020 {
        onward = onward.clear(Kind::Assistant, "", &b""[..]);
    }
    let expected = Error::LimitExceeded { what: "elements", limit: 1024, found: 1028 };
    assert_eq!(onward.sign(NOW, entropy()), Err(expected));
}

#[test]
fn w11_bytes_beyond_the_limit_are_not_even_read() {
    let expected = Error::LimitExceeded { what: "bytes", limit: 1 << 22, found: 1 + (1 << 22) };
    assert_eq!(malformed(&vec![0xff; 1 + (1 << 22)]), expected);
}

#[test]
fn w12_a_tool_result_is_its_authors_report_and_nobody_elses() {
    let flow = Workflow::new();
    let stations = flow.run();
    let reported = flow.pass(&flow.b, &stations.from_a, &flow.c, |hop| {
        hop.clear(Kind::ToolResult, "text/plain", &b"balance: 10"[..])
    });
    let mut inbox = flow.world.inbox(&flow.c);
    let received = inbox.receive(&reported, NOW).expect("an honest envelope");
    let result = received.elements().last().expect("the result").provenance();
    assert_eq!((result.kind(), result.author()), (Kind::ToolResult, flow.b.id()));
}

#[test]
fn w12_a_hop_in_the_name_of_a_tool_that_never_signed_is_refused() {
    let flow = Workflow::new();
    let tool = Agent::new("tool");
    // On the laid-down path the tool is not next.
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.push(Element::clear(&tool, 4, b"balance: 10"));
    forged.add_hop(&flow.b, tool.id(), &[flow.c.id()]);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::SignerNotNext { hop: 3, signer: tool.id() });

    // Where it is, B's key does not sign for it.
    let chain = flow.world.authority(&flow.u);
    let sent = Draft::new(&flow.u.identity)
        .to(flow.c.id())
        .next(tool.id())
        .authority(&chain)
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.elements.push(Element::clear(&tool, 4, b"balance: 10"));
    forged.add_hop(&flow.b, tool.id(), &[flow.c.id()]);
    let error = flow.refusal(&forged);
    assert_eq!(error, Error::HopSignature { hop: 1, signer: tool.id() });
    assert_eq!(error.place(), Place::Hop(1));
}

#[test]
fn w12_a_hop_cannot_bring_the_authority_of_a_tool() {
    let flow = Workflow::new();
    let tool = Agent::new("tool");
    let chain = flow.world.authority(&tool);
    let mut forged = Forgery::of(&flow.run().from_b);
    forged.elements.push(Element::control(&flow.b, AUTHORITY, chain.as_bytes().to_vec()));
    forged.cover(2, 11, &flow.b);
    let error = flow.refusal(&forged);
    let (holder, author) = (tool.id(), flow.b.id());
    assert_eq!(error, Error::LeafNotAuthor { element: 10, holder, author });
    assert_eq!(error.place(), Place::Element(10));
}

#[test]
fn a_workflow_that_comes_too_late_has_expired() {
    let flow = Workflow::new();
    let stations = flow.run();
    let envelope = Envelope::decode(&stations.from_b, &Limits::default()).expect("well formed");
    let now = later(3600);
    let refused = envelope.verify_as_reader(&flow.world.verifier(&flow.c), now).map(|_| ());
    assert_eq!(refused, Err(Error::Expired { expires: later(60), now }));
}

#[test]
fn w4_sealed_content_names_an_audience_and_nothing_else() {
    let flow = Workflow::new();
    let honest = Forgery::of(&flow.run().from_b);
    for audience in [0, PLAN, SEALED, 9, 1_000] {
        let mut forged = honest.clone();
        forged.reseal_to(SEALED, audience);
        let error = malformed(&forged.encode());
        let named = u64::try_from(audience).expect("a small number");
        assert_eq!(error, Error::NoSuchAudience { element: SEALED, audience: named });
        assert_eq!(error.place(), Place::Element(SEALED));
    }
}

#[test]
fn a_station_on_a_laid_down_path_is_neither_skipped_nor_added() {
    let flow = Workflow::new();
    let stations = flow.run();
    let stranger = Agent::new("stranger");
    let [b, c] = [&flow.b, &flow.c].map(Agent::id);
    // A names somebody else than B, or somebody besides B; B somebody else than the recipient.
    for (hop, signer, next) in [
        (1, &flow.a, vec![c]),
        (1, &flow.a, vec![b, c]),
        (2, &flow.b, vec![stranger.id()]),
        (2, &flow.b, vec![c, stranger.id()]),
    ] {
        let mut forged = Forgery::of(&stations.from_b);
        forged.hops.truncate(hop + 1);
        let count = [5, 8, 10][hop];
        forged.elements.truncate(count);
        let mut next = next;
        next.sort();
        forged.edit_hop(hop, |hop| hop.set(2, forge::agents(&next)));
        forged.sign_hop(hop, signer);
        let error = malformed(&forged.encode());
        assert_eq!(error, Error::DepartsFromVia { hop });
        assert_eq!(error.place(), Place::Hop(hop));
    }
    // U itself names another than the first station.
    let mut forged = Forgery::of(stations.sent.as_bytes());
    forged.edit_hop(0, |hop| hop.set(2, forge::agents(&[b])));
    forged.sign_hop(0, &flow.u);
    assert_eq!(malformed(&forged.encode()), Error::DepartsFromVia { hop: 0 });
    // And a builder does not depart from the path either.
    let mut inbox = flow.world.inbox(&flow.a);
    let received = inbox.receive(stations.sent.as_bytes(), NOW).expect("an honest envelope");
    let signed = received.forward(&flow.a.identity, flow.c.id(), NOW);
    assert_eq!(signed, Err(Error::DepartsFromVia { hop: 1 }));
}

#[test]
fn a_hop_does_not_name_its_own_signer_as_next() {
    let flow = Workflow::new();
    let mut forged = Forgery::of(&flow.run().from_a);
    let mut next = [flow.a.id(), flow.b.id()];
    next.sort();
    forged.edit_hop(1, |hop| hop.set(2, forge::agents(&next)));
    forged.sign_hop(1, &flow.a);
    let error = malformed(&forged.encode());
    assert_eq!(error, Error::SignerInNext { hop: 1 });
    assert_eq!(error.place(), Place::Hop(1));
}
