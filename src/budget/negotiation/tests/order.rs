//! The order of messages, with carriers made up: what envelopes guarantee is tested with envelopes.

use super::*;

use crate::budget::negotiation::transcript::{Carrier, Role};
use crate::digest::{ConversationId, HopId};
use crate::{AgentId, Entropy, SigningKey};
use alloc::format;
use proptest::prelude::*;

const HERE: ConversationId = ConversationId::from_bytes([1; 32]);

fn agents() -> (AgentId, AgentId) {
    let id = |byte| SigningKey::generate(Entropy::new([byte; 32]).expect("not zero")).id();
    (id(1), id(2))
}

fn origin(number: usize) -> HopId {
    HopId::from_bytes([u8::try_from(number).expect("few"); 32])
}

fn message(name: char) -> Message {
    match name {
        'a' => Message::Ask(ask()),
        'o' => Message::Offer(offer()),
        'y' => Message::Accept,
        _ => Message::Refuse(Refuse::new(Refusal::Busy)),
    }
}

/// Plays messages, each answering the one before it and each by whom its kind is, from the side of `role`.
fn play(role: Role, script: &str, now: u64) -> Result<Transcript, (usize, Error)> {
    let (asker, worker) = agents();
    let mut transcript = match role {
        Role::Asker => Transcript::new(asker, Role::Asker, worker),
        Role::Worker => Transcript::new(worker, Role::Worker, asker),
    };
    for (index, name) in script.char_indices() {
        let after_ask = script[..index].ends_with('a');
        let from = match name {
            'a' | 'y' => asker,
            'n' if !after_ask => asker,
            _ => worker,
        };
        let answers = index.checked_sub(1).map(origin);
        let carrier = Carrier { from, conversation: HERE, answers, origin: origin(index) };
        transcript.follow(message(name), &carrier, at(now)).map_err(|error| (index, error))?;
    }
    Ok(transcript)
}

#[test]
fn both_sides_take_every_negotiation_in_order() {
    for role in [Role::Asker, Role::Worker] {
        for script in ["", "a", "ao", "aoy", "an", "aon", "aoaoy", "aoan", "aoaoaoaoaoaoaoaoy"] {
            let transcript = play(role, script, 10).expect(script);
            assert_eq!(transcript.rounds(), script.matches('a').count());
            let last = script.chars().last().map(message);
            assert_eq!(transcript.last(), last.as_ref(), "{script}");
            assert_eq!(transcript.offer().is_some(), script.contains('o'));
            let settled = transcript.settled(at(10));
            match last {
                Some(Message::Accept) => {
                    let settled = settled.expect("accepted");
                    assert_eq!((settled.asker(), settled.worker()), agents());
                    assert_eq!(settled.accept(), origin(script.len() - 1));
                    assert_eq!((settled.conversation(), settled.offer()), (HERE, &offer()));
                }
                Some(Message::Refuse(_)) => {
                    assert_eq!(settled, Err(Error::NegotiationRefused { refusal: Refusal::Busy }))
                }
                last => {
                    let last = last.map_or("none", |message| message.name());
                    assert_eq!(settled, Err(Error::NotSettled { last }));
                }
            }
        }
    }
}

#[test]
fn messages_out_of_order_are_refused_with_what_may_come() {
    let (asker, worker) = agents();
    let begin = "an ask by the asker";
    let asked = "an offer or a refusal by the worker";
    let offered = "an acceptance, an ask or a refusal by the asker";
    let over = "nothing more";
    for (script, expected, found, from) in [
        ("o", begin, "offer", worker),
        ("y", begin, "accept", asker),
        ("n", begin, "refuse", asker),
        ("aa", asked, "ask", asker),
        ("ay", asked, "accept", asker),
        ("aoo", offered, "offer", worker),
        ("aoya", over, "ask", asker),
        ("aoyy", over, "accept", asker),
        ("aoyo", over, "offer", worker),
        ("aoyn", over, "refuse", asker),
        ("ana", over, "ask", asker),
        ("ano", over, "offer", worker),
        ("any", over, "accept", asker),
        ("aona", over, "ask", asker),
    ] {
        for role in [Role::Asker, Role::Worker] {
            let error = Error::NegotiationTurn { expected, found, from };
            let refused = play(role, script, 10).expect_err(script);
            assert_eq!(refused, (script.len() - 1, error), "{script}");
        }
    }
    assert_eq!(
        Error::NegotiationTurn { expected: asked, found: "ask", from: asker }.to_string(),
        format!(
            "the negotiation is open for an offer or a refusal by the worker, not for ask from {asker}"
        )
    );
}

#[test]
fn nobody_speaks_for_the_other_side() {
    let (asker, worker) = agents();
    for (script, name, wrong) in [
        ("", 'a', worker),
        ("a", 'o', asker),
        ("a", 'n', asker),
        ("ao", 'y', worker),
        ("ao", 'a', worker),
        ("ao", 'n', worker),
    ] {
        for role in [Role::Asker, Role::Worker] {
            let mut transcript = play(role, script, 10).expect(script);
            let answers = script.len().checked_sub(1).map(origin);
            let carrier = Carrier { from: wrong, conversation: HERE, answers, origin: origin(99) };
            let refused = transcript.follow(message(name), &carrier, at(10)).cloned();
            assert!(
                matches!(refused, Err(Error::NegotiationTurn { from, .. }) if from == wrong),
                "{script} {name}: {refused:?}"
            );
            assert_eq!(transcript.last(), script.chars().last().map(message).as_ref());
        }
    }
}

#[test]
fn there_are_eight_rounds() {
    let eight = "ao".repeat(8);
    for role in [Role::Asker, Role::Worker] {
        assert!(play(role, &eight, 10).is_ok());
        let refused = play(role, &format!("{eight}a"), 10).expect_err("nine");
        assert_eq!(refused, (16, Error::TooManyRounds { limit: 8 }));
        assert!(play(role, &format!("{eight}y"), 10).is_ok());
    }
    assert_eq!(
        Error::TooManyRounds { limit: 8 }.to_string(),
        "the negotiation has had 8 rounds and may not have another"
    );
}

#[test]
fn an_offer_ends_when_it_says() {
    let expired = Error::OfferExpired { valid_until: at(500), now: at(500) };
    assert_eq!(expired.to_string(), "the offer was valid until 500, the time is 500");
    for role in [Role::Asker, Role::Worker] {
        assert_eq!(play(role, "ao", 500).expect_err("expired"), (1, expired.clone()));
        assert!(play(role, "ao", 499).is_ok());
        let answer = |name, now| {
            let mut transcript = play(role, "ao", 499).expect("in time");
            let (from, _) = agents();
            let carrier =
                Carrier { from, conversation: HERE, answers: Some(origin(1)), origin: origin(2) };
            transcript.follow(message(name), &carrier, at(now)).map(|_| ())?;
            transcript.settled(at(now)).map(|_| ())
        };
        assert_eq!(answer('y', 499), Ok(()));
        assert_eq!(answer('y', 500), Err(expired.clone()));
        // An offer that has expired can still be countered or refused.
        assert_eq!(answer('a', 500), Err(Error::NotSettled { last: "ask" }));
        let refusal = Refusal::Busy;
        assert_eq!(answer('n', 500), Err(Error::NegotiationRefused { refusal }));
        assert_eq!(play(role, "aoy", 499).expect("in time").settled(at(500)), Err(expired.clone()));
    }
}

#[test]
fn what_is_accepted_is_the_last_offer() {
    let (asker, worker) = agents();
    let mut transcript = Transcript::new(asker, Role::Asker, worker);
    let lower = Offer::new(terms(tokens(7), 0), meters(), at(400)).expect("an offer");
    let script = [
        (asker, message('a')),
        (worker, message('o')),
        (asker, message('a')),
        (worker, Message::Offer(lower.clone())),
        (asker, message('y')),
    ];
    for (index, (from, message)) in script.into_iter().enumerate() {
        let answers = index.checked_sub(1).map(origin);
        let carrier = Carrier { from, conversation: HERE, answers, origin: origin(index) };
        transcript.follow(message, &carrier, at(10)).expect("in order");
    }
    assert_eq!(transcript.settled(at(10)).expect("accepted").offer(), &lower);
}

#[test]
fn terms_lie_between_what_is_needed_and_what_is_offered() {
    let settled =
        || play(Role::Worker, "aoy", 10).expect("in order").settled(at(10)).expect("accepted");
    use crate::budget::Wider;
    let below = |dimension, needed| Err(Error::TermsBelowNeed { dimension, needed });
    let beyond = |wider| Err(Error::TermsNotAccepted { wider });
    for (amounts, deadline, depth, result) in [
        (tokens(5), 1000, 1, Ok(())),
        (tokens(50), 1, 0, Ok(())),
        (tokens(50).with(MEMORY, 1).expect("memory"), 1000, 1, Ok(())),
        (tokens(4), 1000, 1, below(TOKENS, 5)),
        (memory(4), 1000, 1, below(TOKENS, 5)),
        (tokens(51), 1000, 1, beyond(Wider::Amount(TOKENS))),
        (tokens(50), 1001, 1, beyond(Wider::Deadline)),
        (tokens(50), 1000, 2, beyond(Wider::Depth)),
    ] {
        let terms = Terms::new(amounts, at(deadline), depth);
        assert_eq!(settled().check_terms(&terms, at(10)).map(|_| ()), result, "{terms}");
    }
    let ok = terms(tokens(5), 1);
    let expired = Error::OfferExpired { valid_until: at(500), now: at(500) };
    assert_eq!(settled().check_terms(&ok, at(500)), Err(expired));
    for (error, text) in [
        (
            Error::TermsBelowNeed { dimension: TOKENS, needed: 5 },
            "the terms give less output-tokens than the 5 that the accepted offer needs",
        ),
        (
            Error::TermsNotAccepted { wider: Wider::Deadline },
            "the terms go beyond the accepted offer: the deadline is later",
        ),
        (
            Error::NotSettled { last: "offer" },
            "the negotiation is not settled: its last message is offer",
        ),
        (
            Error::NegotiationRefused { refusal: Refusal::TooDeep },
            "the negotiation was refused: too-deep",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_wall_time_and_agents_below_are_part_of_what_was_accepted() {
    let agents_too = |amount| tokens(amount).with(Dimension::AGENTS, 2).expect("agents");
    let wall =
        |terms: Terms, millis| terms.with_wall(Duration::from_millis(millis)).expect("a wall");
    let offer = Offer::new(wall(terms(agents_too(50), 2), 70), meters(), at(500))
        .and_then(|offer| offer.with_need(agents_too(5)))
        .expect("an offer");
    let (asker, worker) = agents();
    let settled = Settled::new(asker, worker, HERE, origin(2), offer);
    let check = |terms| settled.check_terms(&terms, at(10));
    let wider = crate::budget::Wider::Wall;
    for (terms, result) in [
        (wall(terms(agents_too(5), 1), 70), Ok(())),
        (wall(terms(agents_too(5), 1), 1), Ok(())),
        (wall(terms(agents_too(5), 1), 71), Err(Error::TermsNotAccepted { wider })),
        (terms(agents_too(5), 1), Err(Error::TermsNotAccepted { wider })),
    ] {
        assert_eq!(check(terms), result);
    }
    let flat = Error::TermsBelowNeed { dimension: Dimension::AGENTS, needed: 2 };
    assert_eq!(check(wall(terms(agents_too(5), 0), 70)), Err(flat));
}

#[derive(Clone, Debug)]
struct Event {
    name: char,
    by_asker: bool,
    here: bool,
    /// Which earlier message it answers, counted back from the last that stands; 0 answers nothing.
    answers: usize,
    now: u64,
}

fn any_event() -> impl Strategy<Value = Event> {
    let now = prop_oneof![9 => Just(10_u64), 1 => Just(500)];
    let answers = prop_oneof![8 => Just(1_usize), 1 => Just(0), 1 => Just(2)];
    let here = prop_oneof![9 => Just(true), 1 => Just(false)];
    let name = proptest::sample::select(vec!['a', 'a', 'o', 'o', 'o', 'y', 'n']);
    (name, any::<bool>(), here, answers, now).prop_map(|(name, by_asker, here, answers, now)| {
        Event { name, by_asker, here, answers, now }
    })
}

proptest! {
    /// Whatever comes, what stands is the longest negotiation in order, and both sides agree on it.
    #[test]
    fn only_what_follows_stands(events in proptest::collection::vec(any_event(), 0..60)) {
        let (asker, worker) = agents();
        let mut sides = [
            Transcript::new(asker, Role::Asker, worker),
            Transcript::new(worker, Role::Worker, asker),
        ];
        let mut stands: Vec<(char, HopId)> = vec![];
        let mut asks = 0;
        for (index, event) in events.into_iter().enumerate() {
            let Event { name, by_asker, here, answers, now } = event;
            let answers = match answers {
                0 => None,
                back => Some(stands.len().checked_sub(back).map_or(origin(99), |index| stands[index].1)),
            };
            let carrier = Carrier {
                from: if by_asker { asker } else { worker },
                conversation: if here { HERE } else { ConversationId::from_bytes([2; 32]) },
                answers,
                origin: origin(index),
            };
            let last = stands.last();
            let in_turn = match (last.map(|last| last.0), name) {
                (None, 'a') => by_asker && here,
                (Some('a'), 'o' | 'n') => !by_asker,
                (Some('o'), 'a' | 'y' | 'n') => by_asker,
                _ => false,
            };
            let answered = last.is_none_or(|last| answers == Some(last.1));
            let in_time = now < 500 || matches!(name, 'a' | 'n');
            // The first ask may begin anywhere; here it is made to begin at one place.
            if last.is_none() && !here {
                continue;
            }
            let follows = in_turn && answered && in_time && here && (name != 'a' || asks < 8);
            for side in &mut sides {
                let before = format!("{side:?}");
                let taken = side.follow(message(name), &carrier, at(now)).is_ok();
                prop_assert_eq!(taken, follows);
                if !taken {
                    prop_assert_eq!(format!("{side:?}"), before);
                }
            }
            if follows {
                stands.push((name, carrier.origin));
                asks += usize::from(name == 'a');
            }
        }
        let accepted = stands.last().filter(|last| last.0 == 'y').map(|last| last.1);
        let [ours, theirs] = sides.map(|side| side.settled(at(10)));
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(ours.ok().map(|settled| settled.accept()), accepted);
    }
}
