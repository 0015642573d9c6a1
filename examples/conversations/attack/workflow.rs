//! The planner has turned, and whoever stores the envelopes in between as well.

use agent_envelope::{
    Draft, Envelope, Error, Item, Kind, Limits, Missing, NewElement, Reference, Standing,
};

use super::Stage;
use super::forge::{Cbor, Pieces, wide};
use crate::cast::NOW;

/// The kinds that a forger looks for.
pub(super) const MEMORY: u64 = 7;
pub(super) const AUDIENCE: u64 = 65;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (cast, chains) = (stage.cast, stage.chains);
    let request = stage.request()?;
    let planned = stage.planned(request.as_bytes())?;
    let reported = stage.reported(&planned)?;
    let untouched = stage.receive(&cast.writer, &reported).is_ok();
    stage.shown("W0", "nobody touches anything", untouched, "received and verified");

    // W1: what the planner would rather have unsaid.
    let mut pieces = Pieces::of(&planned);
    let memory = pieces.find(MEMORY);
    let count = pieces.elements.len();
    pieces.elements[memory] = pieces.elements[count - 1].clone();
    pieces.record(memory, |record| *record = own_words(record));
    pieces.elements[memory].items()[1] = Cbor::Null;
    pieces.hop(1, |hop| hop.set(6, Cbor::Array(vec![Cbor::Uint(wide(memory))])));
    pieces.resign(1, count, &stage.planner);
    let got = stage.receive(&cast.tools, &pieces.join());
    stage.refused(
        "W1",
        "the planner drops \"do not e-mail customers\", fills the place, and signs that",
        "element_chain",
        got,
    );

    let mut pieces = Pieces::of(&reported);
    pieces.elements[memory].items()[1] = Cbor::Null;
    let got = stage.receive(&cast.writer, &pieces.join());
    stage.refused("W1", "the store blanks its body", "body_missing", got);

    let mut pieces = Pieces::of(&planned);
    pieces.elements[memory].items()[1] = Cbor::Null;
    pieces.hop(1, |hop| hop.set(6, Cbor::Array(vec![Cbor::Uint(wide(memory))])));
    pieces.resign(1, count, &stage.planner);
    let got = stage.receive(&cast.tools, &pieces.join());
    stage.refused(
        "W1",
        "the planner signs that it was left out, which its author did not allow",
        "absence_not_allowed",
        got,
    );

    // W2, W3: order and end.
    let mut pieces = Pieces::of(&reported);
    pieces.elements.swap(memory - 1, memory);
    let got = stage.receive(&cast.writer, &pieces.join());
    stage.refused("W2", "the store swaps two elements", "element_chain", got);

    let mut pieces = Pieces::of(&reported);
    pieces.elements.truncate(pieces.elements.len() - 2);
    let got = stage.receive(&cast.writer, &pieces.join());
    stage.refused("W3", "the store cuts off the last two elements", "hop_count", got);

    let got = stage.receive(&cast.writer, &planned);
    stage.refused(
        "W3",
        "the store delivers the version before the last hop to the writer",
        "not_addressed",
        got,
    );

    let mut inbox = cast.inbox(&cast.planner)?;
    inbox.receive(request.as_bytes(), NOW)?;
    let got = inbox.receive(request.as_bytes(), NOW).map(drop);
    stage.refused(
        "W3",
        "the store delivers the first version to the planner again",
        "replayed",
        got,
    );

    // W4: only the end of a history.
    let mut inbox = cast.inbox(&cast.tools)?;
    let say = |line: Option<&agent_envelope::Line>| {
        let draft = match line {
            None => Draft::new(&cast.app.identity).to(cast.tools.id()),
            Some(line) => Draft::in_conversation(&cast.app.identity, line),
        };
        let draft = draft.authority(&chains.app).clear(Kind::User, "text/plain", &b"go on"[..]);
        draft.sign(NOW, cast.counter.next())
    };
    let first = say(None)?;
    let second = say(Some(&first.line()))?;
    let third = say(Some(&second.line()))?;
    inbox.receive(first.as_bytes(), NOW)?;
    let standing = inbox.receive(third.as_bytes(), NOW)?.standing();
    let named = matches!(standing, Some(Standing::Gap { missing: Missing::Base(stand) })
        if stand == second.line().stand());
    stage.shown(
        "W4",
        "the store keeps back the middle one of three envelopes",
        named,
        "a gap is shown, which names what is missing",
    );

    // W6: from another conversation.
    let other = stage.planned(stage.request()?.as_bytes())?;
    let mut pieces = Pieces::of(&planned);
    pieces.elements[count - 1] = Pieces::of(&other).elements[count - 1].clone();
    let got = stage.receive(&cast.tools, &pieces.join());
    stage.refused(
        "W6",
        "the store splices in an element of another conversation",
        "element_chain",
        got,
    );

    let got = splice_sealed(stage, &planned, &other, count);
    stage.refused(
        "W6",
        "the planner signs a sealed element of another conversation as its own",
        "cannot_open",
        got,
    );

    summary(stage, &reported)?;

    // W9: clear text in the place of sealed.
    let mut pieces = Pieces::of(&planned);
    let clear = pieces.elements[memory].items()[1].clone();
    pieces.elements[count - 1].items()[1] = clear;
    let got = stage.receive(&cast.tools, &pieces.join());
    let held = got.as_ref().is_err_and(|error| error.code() / 100 == 1);
    let said = got.map_or_else(
        |error| format!("{} {}: no sealed body has this form", error.code(), error.name()),
        |()| "NOT REFUSED".to_owned(),
    );
    stage.shown("W9", "the store puts clear text in the place of a sealed body", held, &said);
    pieces.record(count - 1, |record| *record = own_words(record));
    let got = stage.receive(&cast.tools, &pieces.join());
    stage.refused("W9", "and lets the record say that it was never sealed", "element_chain", got);

    let strict = cast.verifier(&cast.planner)?.require_sealed_content();
    let got = Envelope::decode(request.as_bytes(), &Limits::default())?
        .verify_as_reader(&strict, NOW)
        .map(drop);
    stage.refused(
        "W9",
        "clear text meets a reader whose policy asks for sealed content",
        "must_be_sealed",
        got,
    );

    // W11, W12: too much, and in another's name.
    let mut pieces = Pieces::of(&planned);
    let tiny = pieces.elements[memory].clone();
    pieces.elements.extend(std::iter::repeat_n(tiny, 10_000));
    pieces.resign(1, count + 10_000, &stage.planner);
    let got = stage.receive(&cast.tools, &pieces.join());
    stage.refused("W11", "the planner appends 10,000 tiny elements", "limit_exceeded", got);

    let mut inbox = cast.inbox(&cast.planner)?;
    let received = inbox.receive(request.as_bytes(), NOW)?;
    let bytes = received
        .onward(&cast.planner.identity)
        .authority(&chains.planner)
        .clear(Kind::ToolResult, "application/json", &b"{\"by\": \"tools\"}"[..])
        .next(cast.tools.id())
        .sign(NOW, cast.counter.next())?;
    let mut inbox = cast.inbox(&cast.tools)?;
    let received = inbox.receive(&bytes, NOW)?;
    let result = received.elements().map(|item| item.provenance());
    let author = result.filter(|from| from.kind() == Kind::ToolResult).map(|from| from.author());
    let held = author.eq([cast.planner.id()]);
    stage.shown(
        "W12",
        "the planner reports a tool result that the tools never gave",
        held,
        "its author is the planner, whatever it says of itself",
    );
    Ok(())
}

/// A record that allows its body to be left out.
fn own_words(record: &Cbor) -> Cbor {
    let mut own = record.clone();
    if let Cbor::Map(entries) = &mut own {
        entries.truncate(2);
    }
    own.set(5, Cbor::Uint(1));
    own
}

/// Copies an audience and what is sealed to it into another envelope, in the planner's range, and signs.
fn splice_sealed(
    stage: &Stage<'_>,
    planned: &[u8],
    other: &[u8],
    count: usize,
) -> Result<(), Error> {
    let mut from = Pieces::of(other);
    let mut pieces = Pieces::of(planned);
    // The last audience before the last element is what that element is sealed to.
    let audiences: Vec<usize> = (0..count)
        .filter(|index| {
            let mut record = Cbor::parse(from.elements[*index].items()[0].bytes());
            *record.get(&Cbor::Uint(1)) == Cbor::Uint(AUDIENCE)
        })
        .collect();
    let audience = *audiences.last().expect("the planner seals");
    pieces.elements.push(from.elements[audience].clone());
    pieces.recommit_control(count, stage.cast.planner.id());
    pieces.elements.push(from.elements[count - 1].clone());
    pieces.record(count + 1, |record| {
        record.get(&Cbor::Uint(3)).items()[0] = Cbor::Uint(wide(count));
    });
    pieces.resign(1, count + 2, &stage.planner);
    let bytes = pieces.join();
    let mut inbox = stage.cast.inbox(&stage.cast.tools)?;
    let received = inbox.receive(&bytes, NOW)?;
    match received.elements().last() {
        Some(Item::Sealed(sealed)) => sealed.open(&stage.cast.tools.identity).map(drop),
        _ => Ok(()),
    }
}

/// W7: a summary that leaves something out.
fn summary(stage: &mut Stage<'_>, reported: &[u8]) -> Result<(), Error> {
    let cast = stage.cast;
    let mut inbox = cast.inbox(&cast.writer)?;
    let received = inbox.receive(reported, NOW)?;
    let all: Vec<_> = received.elements().map(|item| item.provenance().id()).collect();
    let short = all.iter().skip(1).map(|id| Reference::from(*id));
    let summary = NewElement::clear(Kind::Summary, "text/plain", &b"nothing to see"[..]);
    let answer = Draft::reply_to(&received, &cast.writer.identity)
        .authority(&stage.chains.writer)
        .element(summary.refers_to(short))
        .sign(NOW, cast.counter.next())?;
    let mut inbox = cast.inbox(&cast.app)?;
    let reply = inbox.receive(answer.as_bytes(), NOW)?;
    let covered = reply.elements().next().map(|item| item.provenance().covers(all.clone()));
    let held = covered.is_some_and(|covered| covered.missing == all[..1]);
    stage.shown(
        "W7",
        "a summary stands for all elements but one",
        held,
        "the one is named as missing",
    );
    Ok(())
}
