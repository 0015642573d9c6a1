//! Negotiations in real envelopes: settled, forged, replayed, foreign, ignored.

use crate::support;

use std::time::Duration;

use agent_envelope::budget::negotiation::{
    Ask, CONTENT_TYPE, Message, Meters, Offer, Refusal, Refuse, Settled, Transcript,
};
use agent_envelope::budget::{Amounts, Dimension, Terms, Wider};
use agent_envelope::{
    Admission, Allotment, Budget, Draft, Error, Identity, Inbox, Item, Kind, NewElement, Sent,
    Standing,
};
use support::{HOUR, NOW, World, entropy, later, package};

const CALLS: Dimension = Dimension::TOOL_CALLS;

fn calls(amount: u64) -> Amounts {
    Amounts::new().with(CALLS, amount).expect("calls")
}

fn terms(amount: u64) -> Terms {
    let terms = Terms::new(calls(amount), later(1800), 1);
    terms.with_wall(Duration::from_secs(30)).expect("a wall time")
}

fn timed(amount: u64) -> Terms {
    terms(amount).with_wall(Duration::from_secs(30)).expect("a wall time")
}

fn ask(amount: u64) -> Message {
    Message::Ask(Ask::new(terms(amount), Amounts::new()).expect("an ask"))
}

/// Offers to work for 2 calls at least and `most` at most, for ten minutes.
fn offer(most: u64) -> Message {
    let meters = Meters::new().with(CALLS).expect("meters");
    let offer = Offer::new(terms(most), meters, later(600));
    Message::Offer(offer.and_then(|offer| offer.with_need(calls(2))).expect("an offer"))
}

fn refuse() -> Message {
    Message::Refuse(Refuse::new(Refusal::Busy))
}

/// The user asks, the worker answers; each keeps a transcript and an inbox.
struct Table {
    world: World,
    user: Transcript,
    worker: Transcript,
    user_inbox: Inbox,
    worker_inbox: Inbox,
    entropy: u64,
}

impl Table {
    fn new() -> Self {
        let world = World::new();
        Self {
            user: Transcript::asking(&world.user, world.worker.id()),
            worker: Transcript::answering(&world.worker, world.user.id()),
            user_inbox: world.inbox(world.user.id()),
            worker_inbox: world.inbox(world.worker.id()),
            world,
            entropy: 1000,
        }
    }

    fn number(&mut self) -> u64 {
        self.entropy += 1;
        self.entropy
    }

    /// The user sends a message to the worker, in reply to `to` and after its own `line`.
    fn user_says(&mut self, message: Message, to: Option<&Sent>, line: Option<&Sent>) -> Sent {
        let number = self.number();
        let Self { world, user, user_inbox, .. } = self;
        let mut inbox = world.inbox(world.user.id());
        let admitted = to.map(|to| inbox.receive(to.as_bytes(), NOW).expect("admitted"));
        let mut draft = match &admitted {
            None => Draft::new(&world.user).to(world.worker.id()),
            Some(admitted) => Draft::reply_to(admitted, &world.user),
        };
        if let Some(line) = line {
            draft = draft.continuing(&line.line());
        }
        let sent = user.send(draft, message, NOW, entropy(number)).expect("in turn");
        user_inbox.record_sent(&sent);
        let received = self.worker_inbox.receive(sent.as_bytes(), NOW).expect("admitted");
        assert_eq!(received.standing(), Some(Standing::Continues));
        self.worker.receive(&received, &world.worker, NOW).expect("in turn");
        sent
    }

    /// The worker answers the user.
    fn worker_says(&mut self, message: Message, to: &Sent, line: Option<&Sent>) -> Sent {
        let number = self.number();
        let Self { world, worker, worker_inbox, .. } = self;
        let mut inbox = world.inbox(world.worker.id());
        let admitted = inbox.receive(to.as_bytes(), NOW).expect("admitted");
        let mut draft = Draft::reply_to(&admitted, &world.worker);
        if let Some(line) = line {
            draft = draft.continuing(&line.line());
        }
        let sent = worker.send(draft, message, NOW, entropy(number)).expect("in turn");
        worker_inbox.record_sent(&sent);
        let received = self.user_inbox.receive(sent.as_bytes(), NOW).expect("admitted");
        assert_eq!(received.standing(), Some(Standing::Continues));
        self.user.receive(&received, &world.user, NOW).expect("in turn");
        sent
    }

    /// Asks for 20, is offered 5, accepts.
    fn accepted() -> (Self, Sent) {
        let mut table = Self::new();
        let asked = table.user_says(ask(20), None, None);
        let offered = table.worker_says(offer(5), &asked, None);
        let accept = table.user_says(Message::Accept, Some(&offered), Some(&asked));
        (table, accept)
    }
}

/// What both sides hold after [`Table::accepted`], the acceptance, and the rest.
fn settled() -> (World, Settled, Settled, Inbox, Sent) {
    let (table, accept) = Table::accepted();
    let user = table.user.settled(NOW).expect("accepted");
    let worker = table.worker.settled(NOW).expect("accepted");
    assert_eq!(user, worker);
    (table.world, user, worker, table.worker_inbox, accept)
}

/// Takes one envelope to a new transcript of the worker that has got as far as an offer of 5.
fn after_offer(accept: impl FnOnce(&World, &Sent, &Sent) -> Sent) -> Result<Message, Error> {
    let mut table = Table::new();
    let asked = table.user_says(ask(20), None, None);
    let offered = table.worker_says(offer(5), &asked, None);
    let sent = accept(&table.world, &asked, &offered);
    let bytes = sent.detached();
    let received = table.worker_inbox.receive(&bytes, NOW)?;
    let before = format!("{:?}", table.worker);
    let result = table.worker.receive(&received, &table.world.worker, NOW).cloned();
    if result.is_err() {
        assert_eq!(format!("{:?}", table.worker), before);
    }
    result
}

/// A reply by `from` to an envelope, not yet signed.
fn reply<T>(world: &World, from: &Identity, to: &Sent, then: impl FnOnce(Draft<'_>) -> T) -> T {
    let mut inbox = world.inbox(from.id());
    let received = inbox.receive(to.as_bytes(), NOW).expect("admitted");
    then(Draft::reply_to(&received, from))
}

fn sign(draft: Draft<'_>) -> Sent {
    draft.sign(NOW, entropy(2000)).expect("complete")
}

#[test]
fn a_sealed_negotiation_with_a_counter_offer_is_settled_and_its_request_funded() {
    let world = World::new();
    let (user_package, worker_package) = (package(&world.user), package(&world.worker));
    let mut user_inbox = world.inbox(world.user.id());
    let mut worker_inbox = world.inbox(world.worker.id());
    let mut user = Transcript::asking(&world.user, world.worker.id());
    let mut worker = Transcript::answering(&world.worker, world.user.id());

    let draft = Draft::new(&world.user).to(world.worker.id()).key_package(&user_package);
    let asked =
        user.send_sealed(draft, ask(20), [&worker_package], NOW, entropy(1)).expect("an ask");
    user_inbox.record_sent(&asked);

    let received = worker_inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    assert!(matches!(received.elements().next(), Some(Item::Sealed(_))));
    let message = worker.receive(&received, &world.worker, NOW).expect("an ask");
    assert_eq!(message, &ask(20));
    let draft = Draft::reply_to(&received, &world.worker);
    let low =
        worker.send_sealed(draft, offer(3), [&user_package], NOW, entropy(2)).expect("an offer");

    let received = user_inbox.receive(low.as_bytes(), NOW).expect("admitted");
    user.receive(&received, &world.user, NOW).expect("an offer");
    // Too little: the user counters, and the worker goes higher.
    let draft = Draft::reply_to(&received, &world.user).continuing(&asked.line());
    let counter =
        user.send_sealed(draft, ask(8), [&worker_package], NOW, entropy(3)).expect("an ask");
    let received = worker_inbox.receive(counter.as_bytes(), NOW).expect("admitted");
    worker.receive(&received, &world.worker, NOW).expect("an ask");
    let draft = Draft::reply_to(&received, &world.worker).continuing(&low.line());
    let high =
        worker.send_sealed(draft, offer(5), [&user_package], NOW, entropy(4)).expect("an offer");

    let received = user_inbox.receive(high.as_bytes(), NOW).expect("admitted");
    user.receive(&received, &world.user, NOW).expect("an offer");
    let draft = Draft::reply_to(&received, &world.user).continuing(&counter.line());
    let accept = user
        .send_sealed(draft, Message::Accept, [&worker_package], NOW, entropy(5))
        .expect("an acceptance");
    let received = worker_inbox.receive(accept.as_bytes(), NOW).expect("admitted");
    worker.receive(&received, &world.worker, NOW).expect("an acceptance");
    assert_eq!((user.rounds(), worker.rounds()), (2, 2));

    let mut ours = user.settled(NOW).expect("accepted");
    let mut theirs = worker.settled(NOW).expect("accepted");
    assert_eq!(ours, theirs);
    assert_eq!((ours.asker(), ours.worker()), (world.user.id(), world.worker.id()));
    assert_eq!(ours.accept(), accept.origin());
    assert_eq!(ours.conversation(), accept.conversation());
    assert_eq!(Message::Offer(ours.offer().clone()), offer(5));

    // The login service is an anchor with a budget that has a wall time, and hands the user a chain with a part of it.
    let grant = agent_envelope::Grant::new("alice", support::scope(&[(&["summarise"], "")]))
        .budget(timed(10));
    let chain = world.issue(world.user.id(), grant, 6);
    let request = ours
        .request(&world.user, &accept, timed(5), NOW)
        .expect("within the offer")
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"summarise"[..], [&worker_package])
        .allot(Allotment::new(world.worker.id(), timed(5)).under(&chain))
        .sign(NOW, entropy(7))
        .expect("signed")
        .persisted();
    let mut received = worker_inbox.receive(request.as_bytes(), NOW).expect("admitted");
    assert_eq!(received.standing(), Some(Standing::Continues));
    assert_eq!(theirs.check_request(&received, NOW), Ok(timed(5)));
    let Budget::Funded(funded) = received.take_funding() else { panic!("not funded") };
    assert_eq!(funded.len(), 1);
    assert_eq!(theirs.check_terms(funded[0].terms(), NOW), Ok(()));
}

#[test]
fn an_acceptance_forged_by_an_orchestrator_is_from_a_stranger() {
    let planner_says = |world: &World, _: &Sent, _: &Sent| {
        sign(Draft::new(&world.planner).to(world.worker.id()).negotiate(&Message::Accept))
    };
    let world = World::new();
    let (expected, from) = (world.user.id(), world.planner.id());
    let stranger = Error::NegotiationStranger { expected, from };
    assert_eq!(
        stranger.to_string(),
        format!("the negotiation is with {expected}, not with {from}")
    );
    assert_eq!(after_offer(planner_says), Err(stranger.clone()));

    // Nor does it help to be a party and to answer the offer itself.
    let mut table = Table::new();
    let both = [world.worker.id(), world.planner.id()];
    let draft = Draft::new(&world.user).to(both);
    let asked = table.user.send(draft, ask(20), NOW, entropy(1)).expect("an ask");
    let received = table.worker_inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    table.worker.receive(&received, &world.worker, NOW).expect("an ask");
    let draft = Draft::reply_to(&received, &world.worker);
    let offered = table.worker.send(draft, offer(5), NOW, entropy(2)).expect("an offer");
    let forged =
        reply(&world, &world.planner, &offered, |draft| sign(draft.negotiate(&Message::Accept)));
    let received = table.worker_inbox.receive(forged.as_bytes(), NOW).expect("admitted");
    assert_eq!(table.worker.receive(&received, &world.worker, NOW), Err(stranger));

    // What the user really says to all of them counts.
    let accept = reply(&world, &world.user, &offered, |draft| {
        sign(draft.continuing(&asked.line()).negotiate(&Message::Accept))
    });
    let received = table.worker_inbox.receive(accept.as_bytes(), NOW).expect("admitted");
    assert_eq!(table.worker.receive(&received, &world.worker, NOW), Ok(&Message::Accept));
}

#[test]
fn an_acceptance_added_on_the_way_refuses_the_envelope() {
    let world = World::new();
    let sent = sign(Draft::new(&world.user).via(world.planner.id()).to(world.worker.id()));
    let mut inbox = world.inbox(world.planner.id());
    let received = inbox.receive(sent.as_bytes(), NOW).expect("admitted");
    let onward = received
        .onward(&world.planner)
        .clear(Kind::Negotiation, CONTENT_TYPE, Message::Accept.to_bytes())
        .next(world.worker.id())
        .sign(NOW, entropy(1));
    assert_eq!(onward, Err(Error::KindOutOfPlace { element: 0, kind: 9, hop: 1 }));
}

#[test]
fn an_acceptance_of_another_offer_is_none_of_this_one() {
    // The user accepted an offer of 50 elsewhere in the conversation; here the offer is 5.
    let result = after_offer(|world, asked, _| {
        reply(world, &world.worker, asked, |draft| {
            let other = sign(draft.negotiate(&offer(50)));
            reply(world, &world.user, &other, |draft| {
                sign(draft.continuing(&asked.line()).negotiate(&Message::Accept))
            })
        })
    });
    assert!(matches!(result, Err(Error::ReplyToAnother { .. })), "{result:?}");
    // Or none at all.
    let result = after_offer(|world, asked, _| {
        sign(Draft::in_conversation(&world.user, &asked.line()).negotiate(&Message::Accept))
    });
    assert_eq!(result, Err(Error::NotAReply));
    // Or it is in another conversation, with one more listening.
    let result = after_offer(|world, _, offered| {
        reply(world, &world.user, offered, |draft| {
            sign(draft.to(world.planner.id()).negotiate(&Message::Accept))
        })
    });
    assert_eq!(result, Err(Error::ReplyElsewhere));
}

#[test]
fn an_altered_acceptance_is_refused_at_any_bit() {
    let (table, accept) = Table::accepted();
    for index in 0..accept.as_bytes().len() {
        let mut bytes = accept.as_bytes().to_vec();
        bytes[index] ^= 1;
        let mut inbox = table.world.inbox(table.world.worker.id());
        assert!(inbox.receive(&bytes, NOW).is_err(), "byte {index}");
    }
}

#[test]
fn a_replayed_message_is_refused_by_the_inbox_and_by_the_transcript() {
    let mut table = Table::new();
    let asked = table.user_says(ask(20), None, None);
    let replayed = table.worker_inbox.receive(asked.as_bytes(), NOW);
    assert!(matches!(replayed, Err(Error::Replayed { .. })));
    // Even where the replay window was lost.
    let mut inbox = table.world.inbox(table.world.worker.id());
    let received = inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    let again = table.worker.receive(&received, &table.world.worker, NOW).cloned();
    let (expected, from) = ("an offer or a refusal by the worker", table.world.user.id());
    assert_eq!(again, Err(Error::NegotiationTurn { expected, found: "ask", from }));

    let offered = table.worker_says(offer(5), &asked, None);
    table.user_says(Message::Accept, Some(&offered), Some(&asked));
    let again = table.worker.receive(&received, &table.world.worker, NOW).cloned();
    let (expected, from) = ("nothing more", table.world.user.id());
    assert_eq!(again, Err(Error::NegotiationTurn { expected, found: "ask", from }));
}

#[test]
fn a_message_that_comes_again_on_a_longer_path_is_not_acted_on_again() {
    let world = World::new();
    let draft = Draft::new(&world.user).to([world.planner.id(), world.worker.id()]);
    let mut user = Transcript::asking(&world.user, world.worker.id());
    let asked = user.send(draft, ask(20), NOW, entropy(1)).expect("an ask");
    let mut planner_inbox = world.inbox(world.planner.id());
    let received = planner_inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    let onward = received.forward(&world.planner, world.worker.id(), NOW).expect("forwarded");

    let mut inbox = world.inbox(world.worker.id());
    inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    let received = inbox.receive(&onward, NOW).expect("continued");
    assert!(matches!(received.admission(), Admission::Continued { .. }));
    let mut worker = Transcript::answering(&world.worker, world.user.id());
    let result = worker.receive(&received, &world.worker, NOW).cloned();
    assert_eq!(result, Err(Error::AlreadyActedOn { element: 0 }));
}

#[test]
fn messages_are_refused_out_of_order_and_a_cut_negotiation_settles_nothing() {
    let mut table = Table::new();
    let asked = table.user_says(ask(20), None, None);
    let offered = table.worker_says(offer(5), &asked, None);
    let accept = table.user_says(Message::Accept, Some(&offered), Some(&asked));
    let world = &table.world;
    let (begin, from) = ("an ask by the asker", world.user.id());
    // The acceptance first.
    let mut inbox = world.inbox(world.worker.id());
    let mut late = Transcript::answering(&world.worker, world.user.id());
    let received = inbox.receive(accept.as_bytes(), NOW).expect("admitted");
    let result = late.receive(&received, &world.worker, NOW).cloned();
    assert_eq!(result, Err(Error::NegotiationTurn { expected: begin, found: "accept", from }));
    // The offer is lost.
    let received = inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    late.receive(&received, &world.worker, NOW).expect("an ask");
    let mut inbox = world.inbox(world.worker.id());
    let received = inbox.receive(accept.as_bytes(), NOW).expect("admitted");
    let result = late.receive(&received, &world.worker, NOW).cloned();
    let expected = "an offer or a refusal by the worker";
    assert_eq!(result, Err(Error::NegotiationTurn { expected, found: "accept", from }));
    assert_eq!(late.settled(NOW).err(), Some(Error::NotSettled { last: "ask" }));
}

#[test]
fn an_envelope_carries_one_message_that_can_be_read() {
    let clear = |kind, content_type: &'static str| {
        NewElement::clear(kind, content_type, Message::Accept.to_bytes())
    };
    let right = || clear(Kind::Negotiation, CONTENT_TYPE);
    let with = |elements: Vec<NewElement<'static>>| {
        after_offer(|world, asked, offered| {
            reply(world, &world.user, offered, |draft| {
                let draft = draft.continuing(&asked.line());
                sign(elements.into_iter().fold(draft, Draft::element))
            })
        })
    };
    assert_eq!(with(vec![right()]), Ok(Message::Accept));
    assert_eq!(with(vec![clear(Kind::User, CONTENT_TYPE), right()]), Ok(Message::Accept));
    let none = Error::NegotiationMessages { found: 0 };
    assert_eq!(none.to_string(), "the envelope carries 0 negotiation messages instead of one");
    assert_eq!(with(vec![]), Err(none.clone()));
    assert_eq!(with(vec![clear(Kind::User, CONTENT_TYPE)]), Err(none));
    assert_eq!(with(vec![right(), right()]), Err(Error::NegotiationMessages { found: 2 }));
    assert_eq!(with(vec![right().detachable()]), Err(Error::Absent { element: 0 }));
    assert_eq!(
        with(vec![clear(Kind::Negotiation, "application/cbor")]),
        Err(Error::ContentForm { expected: CONTENT_TYPE })
    );
    let trailing = [Message::Accept.to_bytes(), vec![0]].concat();
    assert_eq!(
        with(vec![NewElement::clear(Kind::Negotiation, CONTENT_TYPE, trailing)]),
        Err(Error::TrailingBytes { offset: 3, count: 1 })
    );
    let sealed_to_another = after_offer(|world, asked, offered| {
        let other = package(&world.planner);
        reply(world, &world.user, offered, |draft| {
            let draft = draft.continuing(&asked.line());
            draft
                .negotiate_sealed(&Message::Accept, [&other])
                .sign(NOW, entropy(1))
                .expect("signed")
        })
    });
    assert!(matches!(sealed_to_another, Err(Error::CannotOpen { .. })), "{sealed_to_another:?}");
}

#[test]
fn only_those_whom_a_message_is_for_negotiate() {
    let world = World::new();
    let mut user = Transcript::asking(&world.user, world.worker.id());
    let draft = Draft::new(&world.user).to(world.worker.id()).via(world.planner.id());
    let asked = user.send(draft, ask(20), NOW, entropy(1)).expect("an ask");
    let mut inbox = world.inbox(world.planner.id());
    let received = inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    let mut planner = Transcript::answering(&world.planner, world.user.id());
    let agent = world.planner.id();
    let result = planner.receive(&received, &world.planner, NOW).cloned();
    assert_eq!(result, Err(Error::NotARecipient { agent }));
    let result = planner.receive(&received, &world.worker, NOW).cloned();
    let (expected, found) = (world.planner.id(), world.worker.id());
    assert_eq!(result, Err(Error::WrongIdentity { expected, found }));
    // Nor does an agent read with its own transcript what was admitted for another.
    let mut worker = Transcript::answering(&world.worker, world.user.id());
    let result = worker.receive(&received, &world.worker, NOW).cloned();
    assert_eq!(result, Err(Error::WrongIdentity { expected, found }));
}

#[test]
fn what_would_not_follow_is_not_sent() {
    let mut table = Table::new();
    let (user, worker) = (table.world.user.id(), table.world.worker.id());
    let world = World::new();
    let fresh = || Draft::new(&world.user).to(worker);
    let begin = "an ask by the asker";
    let mut send = |draft, message| table.user.send(draft, message, NOW, entropy(1)).map(|_| ());
    assert_eq!(
        send(fresh(), Message::Accept),
        Err(Error::NegotiationTurn { expected: begin, found: "accept", from: user })
    );
    // It is not even signed: a draft that could not be is refused for its turn.
    assert_eq!(
        send(Draft::new(&world.user), Message::Accept),
        Err(Error::NegotiationTurn { expected: begin, found: "accept", from: user })
    );
    let (expected, found) = (user, world.planner.id());
    assert_eq!(
        send(Draft::new(&world.planner).to(worker), ask(20)),
        Err(Error::WrongIdentity { expected, found })
    );
    assert_eq!(
        send(Draft::new(&world.user).to(world.planner.id()), ask(20)),
        Err(Error::NotARecipient { agent: worker })
    );
    assert_eq!(
        send(fresh().negotiate(&ask(20)), ask(20)),
        Err(Error::NegotiationMessages { found: 2 })
    );
    assert!(table.user.last().is_none());

    let asked = table.user_says(ask(20), None, None);
    let offered = table.worker_says(offer(5), &asked, None);
    let mut send = |draft, message| table.user.send(draft, message, NOW, entropy(2)).map(|_| ());
    assert_eq!(
        send(Draft::in_conversation(&world.user, &asked.line()), Message::Accept),
        Err(Error::NotAReply)
    );
    assert_eq!(
        send(Draft::following(&asked, &world.user), Message::Accept),
        Err(Error::ReplyToAnother { answers: asked.origin() })
    );
    assert_eq!(send(fresh(), Message::Accept), Err(Error::ReplyElsewhere));
    let from = user;
    let expected = "an acceptance, an ask or a refusal by the asker";
    assert_eq!(
        reply(&world, &world.user, &offered, |draft| {
            table.user.send(draft, offer(5), NOW, entropy(2)).map(|_| ())
        }),
        Err(Error::NegotiationTurn { expected, found: "offer", from })
    );
    reply(&world, &world.user, &offered, |draft| {
        let late = table.user.send(draft, Message::Accept, later(600), entropy(3)).map(|_| ());
        let (valid_until, now) = (later(600), later(600));
        assert_eq!(late, Err(Error::OfferExpired { valid_until, now }));
    });
    assert_eq!(table.user.last(), Some(&offer(5)));
    table.user_says(refuse(), Some(&offered), Some(&asked));
    let refusal = Refusal::Busy;
    assert_eq!(table.worker.settled(NOW), Err(Error::NegotiationRefused { refusal }));
}

#[test]
fn a_request_that_ignores_the_counter_offer_is_not_accepted() {
    // 20 were asked for, 5 offered and accepted.
    let (world, mut ours, mut theirs, mut inbox, accept) = settled();
    let beyond = Error::TermsNotAccepted { wider: Wider::Amount(CALLS) };
    assert_eq!(ours.request(&world.user, &accept, terms(20), NOW).err(), Some(beyond.clone()));
    let mut check = |draft: Draft<'_>, number, now| {
        let sent = draft.sign(NOW, entropy(number)).expect("complete");
        let received = inbox.receive(sent.as_bytes(), NOW).expect("admitted");
        theirs.check_request(&received, now)
    };
    let following = || Draft::following(&accept, &world.user);
    assert_eq!(check(following().declare(terms(20)), 1, NOW), Err(beyond));
    let needed = 2;
    let below = Error::TermsBelowNeed { dimension: CALLS, needed };
    assert_eq!(check(following().declare(terms(1)), 2, NOW), Err(below));
    assert_eq!(check(following(), 3, NOW), Err(Error::TermsMissing));
    let aside = Draft::in_conversation(&world.user, &accept.line()).declare(terms(5));
    assert_eq!(check(aside, 4, NOW), Err(Error::NotAReply));
    let elsewhere = Draft::new(&world.user).to(world.worker.id()).declare(terms(5));
    assert_eq!(check(elsewhere, 5, NOW), Err(Error::ReplyElsewhere));
    let (expected, from) = (world.user.id(), world.planner.id());
    let stranger = Draft::new(&world.planner).to(world.worker.id()).declare(terms(5));
    assert_eq!(check(stranger, 6, NOW), Err(Error::NegotiationStranger { expected, from }));
    let (valid_until, now) = (later(600), later(600));
    let expired = Error::OfferExpired { valid_until, now };
    assert_eq!(check(following().declare(terms(5)), 7, now), Err(expired));
    // None of this has used it up.
    assert_eq!(check(following().declare(terms(5)), 8, later(599)), Ok(terms(5)));
    assert_eq!(check(following().declare(terms(5)), 9, NOW), Err(Error::SettlementUsed));
}

#[test]
fn a_request_in_reply_to_the_offer_rests_on_nothing() {
    let mut table = Table::new();
    let asked = table.user_says(ask(20), None, None);
    let offered = table.worker_says(offer(5), &asked, None);
    table.user_says(Message::Accept, Some(&offered), Some(&asked));
    let mut theirs = table.worker.settled(NOW).expect("accepted");
    let world = &table.world;
    let request = reply(world, &world.user, &offered, |draft| sign(draft.declare(terms(5))));
    let received = table.worker_inbox.receive(request.as_bytes(), NOW).expect("admitted");
    let answers = offered.origin();
    assert_eq!(theirs.check_request(&received, NOW), Err(Error::ReplyToAnother { answers }));
}

#[test]
fn a_request_that_comes_again_on_a_longer_path_is_not_acted_on_again() {
    let world = World::new();
    let both = [world.planner.id(), world.worker.id()];
    let mut user = Transcript::asking(&world.user, world.worker.id());
    let mut worker = Transcript::answering(&world.worker, world.user.id());
    let mut inbox = world.inbox(world.worker.id());
    let asked =
        user.send(Draft::new(&world.user).to(both), ask(20), NOW, entropy(1)).expect("an ask");
    let received = inbox.receive(asked.as_bytes(), NOW).expect("admitted");
    worker.receive(&received, &world.worker, NOW).expect("an ask");
    let draft = Draft::reply_to(&received, &world.worker);
    let offered = worker.send(draft, offer(5), NOW, entropy(2)).expect("an offer");
    let accept = {
        let mut inbox = world.inbox(world.user.id());
        let received = inbox.receive(offered.as_bytes(), NOW).expect("admitted");
        user.receive(&received, &world.user, NOW).expect("an offer");
        let draft = Draft::reply_to(&received, &world.user).continuing(&asked.line());
        user.send(draft, Message::Accept, NOW, entropy(3)).expect("an acceptance")
    };
    let received = inbox.receive(accept.as_bytes(), NOW).expect("admitted");
    worker.receive(&received, &world.worker, NOW).expect("an acceptance");
    let mut ours = user.settled(NOW).expect("accepted");
    let mut theirs = worker.settled(NOW).expect("accepted");
    let request = ours.request(&world.user, &accept, terms(5), NOW).expect("within the offer");
    let request = sign(request);
    let mut planner_inbox = world.inbox(world.planner.id());
    let received = planner_inbox.receive(request.as_bytes(), NOW).expect("admitted");
    let onward = received.forward(&world.planner, world.worker.id(), NOW).expect("forwarded");
    inbox.receive(request.as_bytes(), NOW).expect("admitted, and lost by its reader");
    let received = inbox.receive(&onward, NOW).expect("continued");
    let again = theirs.check_request(&received, NOW);
    assert_eq!(again, Err(Error::AlreadyActedOn { element: 0 }));
}

#[test]
fn the_asker_makes_one_request_in_reply_to_its_acceptance() {
    let (world, mut ours, _, _, accept) = settled();
    let (expected, found) = (world.user.id(), world.worker.id());
    let refused = ours.request(&world.worker, &accept, terms(5), NOW).err();
    assert_eq!(refused, Some(Error::WrongIdentity { expected, found }));
    let other = sign(Draft::in_conversation(&world.user, &accept.line()));
    let refused = ours.request(&world.user, &other, terms(5), NOW).err();
    assert_eq!(refused, Some(Error::ReplyToAnother { answers: other.origin() }));
    let (valid_until, now) = (later(600), later(600));
    let refused = ours.request(&world.user, &accept, terms(5), now).err();
    assert_eq!(refused, Some(Error::OfferExpired { valid_until, now }));
    assert!(ours.request(&world.user, &accept, terms(5), NOW).is_ok());
    let refused = ours.request(&world.user, &accept, terms(5), NOW).err();
    assert_eq!(refused, Some(Error::SettlementUsed));
}

#[test]
fn following_up_continues_ones_own_line_and_answers_ones_own_envelope() {
    let world = World::new();
    let first = sign(Draft::new(&world.user).to([world.worker.id(), world.planner.id()]));
    let second = Draft::following(&first, &world.user).expires_in(HOUR).sign(NOW, entropy(1));
    let second = second.expect("complete");
    let mut inbox = world.inbox(world.worker.id());
    inbox.receive(first.as_bytes(), NOW).expect("admitted");
    let received = inbox.receive(second.as_bytes(), NOW).expect("admitted");
    assert_eq!(received.standing(), Some(Standing::Continues));
    let header = received.verified().header();
    let answers = header.in_reply_to().expect("a reply");
    assert_eq!((answers.origin(), answers.tip()), (first.origin(), None));
    assert_eq!(header.conversation(), first.conversation());
    // It is no answer from somebody who was asked.
    let from = world.user.id();
    assert_eq!(first.accept_reply(received).err(), Some(Error::ReplyFromStranger { from }));
    let foreign = Draft::following(&first, &world.worker).sign(NOW, entropy(2));
    let (expected, found) = (world.user.id(), world.worker.id());
    assert_eq!(foreign.err(), Some(Error::WrongIdentity { expected, found }));
}
