use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::Error;
use crate::cbor::Encoder;
use crate::digest::{ContextId, ConversationId, Digest, HeaderDigest, HopId};
use crate::identity::AgentId;

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number + 2; 32]).expect("a canonical encoding of no small order")
}

/// One envelope of a sender, in a conversation with another agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    conversation: u8,
    from: u8,
    number: u8,
    base: Option<Stand>,
    answers: Option<HopId>,
}

impl Turn {
    const fn new(conversation: u8, from: u8, number: u8) -> Self {
        Self { conversation, from, number, base: None, answers: None }
    }

    /// Names everything of this turn that has to be unlike everything else.
    const fn name(&self) -> [u8; 32] {
        let mut name = [0; 32];
        name[0] = self.conversation;
        name[1] = self.from;
        name[2] = self.number;
        name
    }

    fn after(&self) -> Stand {
        Stand { count: self.base.map_or(0, |base| base.count()) + 3, head: self.name() }
    }

    const fn envelope(&self) -> HeaderDigest {
        HeaderDigest(self.name())
    }

    const fn origin(&self) -> HopId {
        HopId(self.name())
    }

    fn on(self, base: &Self) -> Self {
        Self { base: Some(base.after()), ..self }
    }

    fn advance(&self, conversations: &mut Conversations) -> Standing {
        // All senders are parties to all conversations, so that their numbers alone tell these apart.
        self.advance_among(conversations, &[agent(0), agent(1), agent(2)])
    }

    fn advance_among(&self, conversations: &mut Conversations, parties: &[AgentId]) -> Standing {
        conversations.advance(&Entry {
            principal: Some(Digest([self.from; 32])),
            conversation: ConversationId([self.conversation; 32]),
            parties,
            from: agent(self.from),
            base: self.base,
            answers: self.answers,
            after: self.after(),
            envelope: self.envelope(),
            origin: self.origin(),
        })
    }
}

#[test]
fn a_line_begins_and_goes_on() {
    let mut conversations = Conversations::new(4, 8);
    let first = Turn::new(0, 0, 1);
    let second = Turn::new(0, 0, 2).on(&first);
    assert_eq!(first.advance(&mut conversations), Standing::Continues);
    assert_eq!(second.advance(&mut conversations), Standing::Continues);
    let line = conversations
        .line(&ConversationId([0; 32]), ContextId([9; 16]), &agent(0))
        .expect("it has begun");
    assert_eq!(line.stand(), second.after());
    assert_eq!(line.stand().count(), 6);
    assert_eq!(conversations.line(&ConversationId([0; 32]), ContextId([9; 16]), &agent(1)), None);
}

#[test]
fn a_lost_envelope_shows_as_a_gap_until_it_arrives() {
    let mut conversations = Conversations::new(4, 8);
    let first = Turn::new(0, 0, 1);
    let second = Turn::new(0, 0, 2).on(&first);
    let third = Turn::new(0, 0, 3).on(&second);
    assert_eq!(first.advance(&mut conversations), Standing::Continues);
    let missing = Missing::Base(second.after());
    assert_eq!(third.advance(&mut conversations), Standing::Gap { missing });
    assert_eq!(second.advance(&mut conversations), Standing::Continues);
    assert_eq!(third.advance(&mut conversations), Standing::Continues);
}

#[test]
fn two_envelopes_on_one_base_are_a_fork_in_either_order() {
    let mut conversations = Conversations::new(4, 8);
    let [one, other] = [1, 2].map(|number| Turn::new(0, 0, number));
    assert_eq!(one.advance(&mut conversations), Standing::Continues);
    let fork = |turn: &Turn| Standing::Fork { other: turn.envelope() };
    assert_eq!(other.advance(&mut conversations), fork(&one));
    assert_eq!(one.advance(&mut conversations), fork(&other));
    // What follows one of the two is in order: the fork has been told.
    let next = Turn::new(0, 0, 3).on(&other);
    assert_eq!(next.advance(&mut conversations), Standing::Continues);
}

#[test]
fn an_answer_to_something_unknown_is_a_gap() {
    let mut conversations = Conversations::new(4, 8);
    let question = Turn::new(0, 0, 1);
    let answer = Turn { answers: Some(question.origin()), ..Turn::new(0, 1, 1) };
    let missing = Missing::Answered(question.origin());
    assert_eq!(answer.advance(&mut conversations), Standing::Gap { missing });
    assert_eq!(question.advance(&mut conversations), Standing::Continues);
    assert_eq!(answer.advance(&mut conversations), Standing::Continues);
}

#[test]
fn only_an_old_party_branches() {
    let mut conversations = Conversations::new(4, 8);
    let old = Turn::new(0, 0, 1);
    let among_two = [agent(0), agent(1)];
    assert_eq!(old.advance_among(&mut conversations, &among_two), Standing::Continues);
    let branch = Turn::new(1, 0, 2).on(&old);
    let from = ConversationId([0; 32]);
    assert_eq!(branch.advance(&mut conversations), Standing::Branch { from });
    // Somebody who was no party there can name that point, and shows as a newcomer.
    let stranger = Turn::new(2, 2, 1).on(&old);
    assert_eq!(stranger.advance(&mut conversations), Standing::Joined);
    // So does a party that brings what this agent never held.
    let unheld = Turn::new(3, 0, 4).on(&Turn::new(0, 0, 3));
    assert_eq!(unheld.advance(&mut conversations), Standing::Joined);
}

#[test]
fn what_is_forgotten_never_shows_as_in_order() {
    let mut conversations = Conversations::new(1, 2);
    let mut line = vec![Turn::new(0, 0, 0)];
    for number in 1..5 {
        line.push(Turn::new(0, 0, number).on(&line[line.len() - 1]));
    }
    for turn in &line {
        assert_eq!(turn.advance(&mut conversations), Standing::Continues);
    }
    // Two are remembered; a second one on the first base is no longer known to be a fork, nor in order.
    let late = Turn::new(0, 0, 9).on(&line[0]);
    let missing = Missing::Base(line[0].after());
    assert_eq!(late.advance(&mut conversations), Standing::Gap { missing });
    // Another conversation takes the only place.
    Turn::new(1, 0, 1).advance(&mut conversations);
    let next = Turn::new(0, 0, 10).on(&line[4]);
    assert_eq!(next.advance(&mut conversations), Standing::Joined);
}

#[test]
fn what_comes_again_changes_neither_the_line_nor_its_room() {
    let mut conversations = Conversations::new(4, 2);
    let first = Turn::new(0, 0, 1);
    let second = Turn::new(0, 0, 2).on(&first);
    for turn in [first, second, first, first] {
        assert_eq!(turn.advance(&mut conversations), Standing::Continues);
    }
    let line = conversations.line(&ConversationId([0; 32]), ContextId([9; 16]), &agent(0));
    assert_eq!(line.expect("it has begun").stand(), second.after());
    assert_eq!(conversations.lines().collect::<Vec<_>>(), [2]);
    let third = Turn::new(0, 0, 3).on(&second);
    assert_eq!(third.advance(&mut conversations), Standing::Continues);
}

#[test]
fn without_room_nothing_is_remembered() {
    for mut conversations in [Conversations::new(0, 8), Conversations::new(8, 0)] {
        let before = conversations.clone();
        assert_eq!(Turn::new(0, 0, 1).advance(&mut conversations), Standing::Continues);
        assert_eq!(conversations, before);
    }
}

// --- any order of things ---

/// All that the senders of a few conversations ever write: each turn on one before, or as a first one.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0..3_u8, 0..3_u8, prop::option::weighted(0.8, any::<Index>()), any::<Index>());
    prop::collection::vec((turn, prop::bool::weighted(0.2)), 1..24).prop_map(|written| {
        let mut turns: Vec<Turn> = Vec::new();
        for ((conversation, from, base, answered), answers) in written {
            let number = u8::try_from(turns.len()).expect("few turns");
            let mut turn = Turn::new(conversation, from, number);
            let own: Vec<Turn> =
                turns.iter().filter(|one| same_line(one, &turn)).copied().collect();
            if let (Some(base), false) = (base, own.is_empty()) {
                turn = turn.on(&own[base.index(own.len())]);
            }
            if answers && !turns.is_empty() {
                turn.answers = Some(turns[answered.index(turns.len())].origin());
            }
            turns.push(turn);
        }
        turns
    })
}

fn same_line(one: &Turn, other: &Turn) -> bool {
    (one.conversation, one.from) == (other.conversation, other.from)
}

/// What should be said of `turn` when `arrived` came before, in that order.
fn expected(turn: &Turn, arrived: &[Turn]) -> Standing {
    let line: Vec<_> = arrived.iter().filter(|one| same_line(one, turn)).collect();
    if let Some(other) = line.iter().find(|one| one.base == turn.base && ***one != *turn) {
        return Standing::Fork { other: other.envelope() };
    }
    match turn.base {
        Some(base) if !line.iter().any(|one| one.after() == base) => {
            if line.is_empty() {
                return Standing::Joined;
            }
            Standing::Gap { missing: Missing::Base(base) }
        }
        _ => match turn.answers {
            Some(origin) if !arrived.iter().any(|one| one.origin() == origin) => {
                Standing::Gap { missing: Missing::Answered(origin) }
            }
            _ => Standing::Continues,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Lost, repeated and disordered envelopes fit as their lines say, and restarts change nothing.
    #[test]
    fn every_envelope_fits_as_its_line_says(
        turns in turns(),
        arrivals in prop::collection::vec((any::<Index>(), prop::bool::weighted(0.1)), 0..60),
    ) {
        let mut conversations = Conversations::new(4, 64);
        let mut arrived: Vec<Turn> = Vec::new();
        for (index, restart) in arrivals {
            let turn = turns[index.index(turns.len())];
            prop_assert_eq!(turn.advance(&mut conversations), expected(&turn, &arrived));
            if !arrived.contains(&turn) {
                arrived.push(turn);
            }
            if restart {
                let restored = Conversations::from_bytes(&conversations.to_bytes());
                prop_assert_eq!(restored.as_ref(), Ok(&conversations));
                conversations = restored.expect("it is equal to one");
            }
        }
    }

    /// What others write, and in other conversations, is nothing to a line.
    #[test]
    fn a_line_fares_as_if_it_were_alone(
        turns in turns(),
        arrivals in prop::collection::vec(any::<Index>(), 0..60),
    ) {
        let mut shared = Conversations::new(4, 3);
        let mut alone = vec![Conversations::new(1, 3); 9];
        for index in arrivals {
            let turn = Turn { answers: None, ..turns[index.index(turns.len())] };
            let line = usize::from(3 * turn.conversation + turn.from);
            prop_assert_eq!(turn.advance(&mut shared), turn.advance(&mut alone[line]));
        }
    }

    #[test]
    fn memory_is_bounded_whatever_comes(
        turns in turns(),
        arrivals in prop::collection::vec(any::<Index>(), 0..60),
        capacity in 0..3_usize,
        history in 0..3_usize,
    ) {
        let mut conversations = Conversations::new(capacity, history);
        for index in arrivals {
            turns[index.index(turns.len())].advance(&mut conversations);
            prop_assert!(conversations.lines().all(|length| length <= history));
            prop_assert!(conversations.lines().count() <= 3 * capacity);
        }
    }
}

// --- stored state ---

fn populated() -> Conversations {
    let mut conversations = Conversations::new(2, 2);
    let first = Turn::new(0, 0, 1);
    for turn in [first, Turn::new(0, 0, 2).on(&first), Turn::new(0, 1, 1), Turn::new(1, 2, 1)] {
        turn.advance(&mut conversations);
    }
    conversations
}

#[test]
fn a_state_comes_back_as_it_was() {
    for state in [populated(), Conversations::new(1024, 64)] {
        assert_eq!(Conversations::from_bytes(&state.to_bytes()), Ok(state));
    }
}

/// A damaged state is refused, or it is one that might have been written.
#[test]
fn a_damaged_state_is_refused_or_reads_as_another() {
    let bytes = populated().to_bytes();
    let check = |damaged: &[u8]| {
        if let Ok(state) = Conversations::from_bytes(damaged) {
            assert_eq!(state.to_bytes(), damaged);
        }
    };
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        check(&damaged);
    }
    for at in 0..bytes.len() {
        assert!(Conversations::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        let mut damaged = bytes.clone();
        damaged.remove(at);
        check(&damaged);
    }
}

#[test]
fn states_that_are_never_written_are_refused() {
    use crate::cbor::Encoder;

    let head = |out: &mut Encoder, conversations| {
        out.array(5).text("agent-envelope/1/state/conversations").uint(2).uint(1).uint(7);
        out.array(conversations);
    };
    let conversation = |out: &mut Encoder, id: u8, last_used, lines: &[(u8, usize)]| {
        out.array(5).bytes(&[id; 32]).uint(last_used).null().array(2);
        out.bytes(agent(0).as_bytes()).bytes(agent(1).as_bytes()).array(lines.len());
        for (of, steps) in lines {
            out.array(2).bytes(agent(*of).as_bytes()).array(*steps);
            for _ in 0..*steps {
                out.array(4).null().array(2).uint(1).bytes(&[0; 32]);
                out.bytes(&[0; 32]).bytes(&[0; 32]);
            }
        }
    };
    type Written<'w> = &'w [(u8, u64, &'w [(u8, usize)])];
    let read = |written: Written<'_>| {
        let mut out = Encoder::new();
        head(&mut out, written.len());
        for (id, last_used, lines) in written {
            conversation(&mut out, *id, *last_used, lines);
        }
        match Conversations::from_bytes(&out.finish()) {
            Ok(_) => None,
            Err(Error::BadState { reason, .. }) => Some(reason),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(read(&[(1, 7, &[(0, 1), (1, 1)]), (2, 3, &[])]), None);
    let out_of_order = Some("something is listed twice or out of order");
    assert_eq!(read(&[(2, 3, &[]), (1, 3, &[])]), out_of_order);
    assert_eq!(read(&[(1, 3, &[]), (1, 3, &[])]), out_of_order);
    assert_eq!(read(&[(1, 3, &[(1, 1), (0, 1)])]), out_of_order);
    assert_eq!(read(&[(1, 3, &[(1, 1), (1, 1)])]), out_of_order);
    let line = Some("a line is too long or of no party");
    assert_eq!(read(&[(1, 3, &[(0, 2)])]), line);
    assert_eq!(read(&[(1, 3, &[(2, 1)])]), line);
    let later = Some("a conversation was used later than anything was recorded");
    assert_eq!(read(&[(1, 8, &[])]), later);
    let more = Some("there are more conversations than it may hold");
    assert_eq!(read(&[(1, 1, &[]), (2, 1, &[]), (3, 1, &[])]), more);
}

#[test]
fn each_kind_has_its_number_and_its_name() {
    for (kind, number, name) in [
        (Kind::User, 0, "user"),
        (Kind::Assistant, 1, "assistant"),
        (Kind::System, 2, "system"),
        (Kind::ToolCall, 3, "tool-call"),
        (Kind::ToolResult, 4, "tool-result"),
        (Kind::Reasoning, 5, "reasoning"),
        (Kind::Artifact, 6, "artifact"),
        (Kind::Memory, 7, "memory"),
        (Kind::Summary, 8, "summary"),
        (Kind::Negotiation, 9, "negotiation"),
        (Kind::Unassigned(63), 63, "kind-63"),
        (Kind::Private(65_536), 65_536, "private-65536"),
    ] {
        assert_eq!(kind.number(), number);
        assert_eq!(Kind::from_number(number), Some(kind));
        assert_eq!(alloc::string::ToString::to_string(&kind), name);
    }
    assert_eq!(Kind::from_number(64), None);
    assert_eq!(Kind::from_number(65_535), None);
}

#[test]
fn a_content_type_is_short_text_without_control_characters() {
    let read = |bytes: &[u8]| {
        let mut encoded = Encoder::new();
        encoded.array(3).bytes(&[7; 16]).text_bytes(bytes).bytes(b"x");
        let encoded = encoded.finish();
        let plain = Plain::whole(&encoded).map_err(Error::from)?;
        assert_eq!(plain.encode(), encoded);
        Ok(String::from(plain.content_type.as_str()))
    };
    let refused = |offset| Error::InvalidValue {
        offset,
        expected: "a content type of 256 bytes at most without control characters",
    };
    for text in ["", "text/plain", &"a".repeat(256), &"é".repeat(128), "naïve; x=\u{a0}"] {
        assert_eq!(read(text.as_bytes()), Ok(String::from(text)));
        assert!(ContentType::new(text).is_some());
    }
    for text in
        [&"a".repeat(257)[..], &"é".repeat(129), "a\n", "text/pla\u{7f}n", "caf\u{e9}\u{85}"]
    {
        assert_eq!(read(text.as_bytes()), Err(refused(18)));
        assert!(ContentType::new(text).is_none());
    }
    // Form comes before size.
    for bytes in [&b"text/plain\xff"[..], &[0xc3; 300]] {
        assert_eq!(read(bytes), Err(Error::InvalidUtf8 { offset: 18 }));
    }
}
