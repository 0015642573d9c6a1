//! A star: the app asks through an orchestrator, which picks one of two specialists by a label and reads nothing.

use std::collections::BTreeMap;

use agent_envelope::{
    AgentId, Draft, Envelope, Error, Line, Relay, Seen, Sent, Standing, Verified, Verifier,
};

use crate::cast::{Agent, Cast, Chains, NOW};
use crate::chat::{Body, Conversation};
use crate::check::{Tally, read};
use crate::report::{Out, name, number, tail, times};

/// What the orchestrator got to see.
#[derive(Default)]
struct Sight {
    envelopes: usize,
    labels: BTreeMap<String, usize>,
    parties: Vec<AgentId>,
    subjects: BTreeMap<String, usize>,
    clear: usize,
    sealed: usize,
    sealed_bytes: usize,
    /// Envelopes that it tried to take for its own.
    refused: usize,
    found: usize,
}

pub(crate) fn run(
    cast: &Cast,
    chains: &Chains,
    conversation: &Conversation,
    out: &mut Out,
) -> Result<Tally, Error> {
    let mut tally = Tally::of(conversation);
    let mut sight = Sight::default();
    let desk = cast.verifier(&cast.orchestrator)?;
    let mut app_inbox = cast.inbox(&cast.app)?;
    let mut inboxes = [cast.inbox(&cast.operator)?, cast.inbox(&cast.advisor)?];
    let mut lines: [Option<Line>; 2] = [None, None];
    let mut app_line: Option<Line> = None;
    let mut gaps = 0;
    let mut asked = [0, 0];
    for turn in conversation.turns() {
        // The app says in a label what it needs, and seals to both who may be picked.
        let skill = if turn.steps.is_empty() { "answer" } else { "operate" };
        let draft = match &app_line {
            None => Draft::new(&cast.app.identity)
                .to([cast.operator.id(), cast.advisor.id()])
                .key_package(&cast.app.package),
            Some(line) => Draft::in_conversation(&cast.app.identity, line),
        };
        let mut draft = draft.next(cast.orchestrator.id());
        draft = draft.label("skill", skill).authority(&chains.app);
        for body in &turn.opening {
            draft = draft.element(sealed(body, &[&cast.operator, &cast.advisor]));
        }
        let sent = draft.sign(NOW, cast.counter.next())?;
        app_inbox.record_sent(&sent);
        app_line = Some(sent.line());

        // The orchestrator routes on the label alone.
        let route = relay(&desk, &sent, &mut sight)?;
        look(cast, &route, &turn.opening, &mut sight);
        let picked = usize::from(route.header().labels().get("skill") != Some("operate"));
        let specialist = [&cast.operator, &cast.advisor][picked];
        let bytes = route.forward(&cast.orchestrator.identity, specialist.id(), NOW)?;
        asked[picked] += 1;

        // The specialist opens, works and answers. What it was not sent before, it knows to be missing.
        let received = inboxes[picked].receive(&bytes, NOW)?;
        gaps += usize::from(received.standing() != Some(Standing::Continues));
        read(&received, specialist, &turn.opening, (cast, chains), &mut tally)?;
        tally.arrived(&bytes)?;
        let chain = [&chains.operator, &chains.advisor][picked];
        let answers: Vec<&Body> = turn.bodies().skip(turn.opening.len()).collect();
        let mut draft = Draft::reply_to(&received, &specialist.identity)
            .next(cast.orchestrator.id())
            .label("skill", skill)
            .authority(chain);
        if let Some(line) = &lines[picked] {
            draft = draft.continuing(line);
        }
        for body in &answers {
            draft = draft.element(sealed(body, &[&cast.app]));
        }
        let answer = draft.sign(NOW, cast.counter.next())?;
        lines[picked] = Some(answer.line());

        // Back the same way.
        let route = relay(&desk, &answer, &mut sight)?;
        look(cast, &route, &answers, &mut sight);
        let bytes = route.forward(&cast.orchestrator.identity, cast.app.id(), NOW)?;
        let received = app_inbox.receive(&bytes, NOW)?;
        tally.continues(&received, &cast.app);
        let reply = sent.accept_reply(received)?;
        read(reply.received(), &cast.app, &answers, (cast, chains), &mut tally)?;
        tally.arrived(&bytes)?;
        tally.replies += 1;
    }
    tally.expect(sight.found == 0, "the orchestrator holds plain text");
    tally.expect(sight.refused == sight.envelopes, "the orchestrator reads as if it were asked");
    describe(cast, &sight, asked, gaps, out);
    Ok(tally)
}

/// In a star everything is sealed, instructions too.
fn sealed<'d>(body: &'d Body, readers: &[&'d Agent]) -> agent_envelope::NewElement<'d> {
    let packages = readers.iter().map(|reader| &reader.package);
    agent_envelope::NewElement::sealed(body.kind, body.content_type, &body.bytes[..], packages)
}

fn relay<'s>(
    desk: &Verifier,
    sent: &'s Sent,
    sight: &mut Sight,
) -> Result<Verified<'s, Relay>, Error> {
    let bytes = sent.as_bytes();
    // It is next, so it may pass on. It is no recipient, so it may not read.
    let as_reader = Envelope::decode(bytes, desk.limits())?.verify_as_reader(desk, NOW);
    sight.refused += usize::from(matches!(as_reader, Err(Error::NotARecipient { .. })));
    Envelope::decode(bytes, desk.limits())?.verify_as_relay(desk, NOW)
}

/// Notes what a relay sees, and looks for what it should not find.
fn look(cast: &Cast, route: &Verified<'_, Relay>, said: &[&Body], sight: &mut Sight) {
    sight.envelopes += 1;
    for (key, value) in route.header().labels().iter() {
        *sight.labels.entry(format!("{key} = {value}")).or_default() += 1;
    }
    for party in route.header().parties() {
        if !sight.parties.contains(&party) {
            sight.parties.push(party);
        }
    }
    for authority in route.authorities() {
        let subject = format!("{} for {}", name(cast, authority.agent()), authority.subject());
        *sight.subjects.entry(subject).or_default() += 1;
    }
    for element in route.elements() {
        match element {
            Seen::Sealed(_, size) => {
                sight.sealed += 1;
                sight.sealed_bytes += size;
            }
            Seen::Clear(..) | Seen::Absent(_) => sight.clear += 1,
        }
    }
    // Shorter texts might occur by chance.
    let long = said.iter().filter(|body| body.bytes.len() >= 8);
    let bytes = route.as_bytes();
    sight.found += long.filter(|body| contains(bytes, &body.bytes)).count();
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn describe(cast: &Cast, sight: &Sight, asked: [usize; 2], gaps: usize, out: &mut Out) {
    let envelopes = sight.envelopes;
    let list = |map: &BTreeMap<String, usize>| {
        let items: Vec<_> =
            map.iter().map(|(what, count)| format!("{what} ({})", times(*count))).collect();
        items.join(", ")
    };
    let parties: Vec<_> = sight
        .parties
        .iter()
        .map(|party| format!("{} {}", name(cast, *party), tail(*party)))
        .collect();
    out.tell(format!(
        "  app > orchestrator > operator ({}) or advisor ({}), and back",
        times(asked[0]),
        times(asked[1])
    ));
    out.tell(format!("  what the orchestrator sees in {envelopes} envelopes"));
    out.tell(format!("    labels     {}", list(&sight.labels)));
    out.tell(format!("    parties    {}", parties.join(", ")));
    out.tell(format!("    authority  {}", list(&sight.subjects)));
    out.tell(format!(
        "    contents   {} clear; {} sealed, of which it learns kind, author and size ({} bytes)",
        sight.clear,
        sight.sealed,
        number(sight.sealed_bytes)
    ));
    out.tell(format!(
        "  what it does not: every text it carried was searched for in its bytes, found {}; as a reader it was refused {}",
        times(sight.found),
        times(sight.refused)
    ));
    if gaps > 0 {
        out.tell(format!(
            "  {} a specialist sees that it missed what the other one was asked",
            times(gaps)
        ));
    }
}
