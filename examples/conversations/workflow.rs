//! A workflow: the app asks; planner and tools take turns; the writer answers. One envelope goes the whole way.

use std::collections::BTreeSet;

use agent_envelope::{
    Admitted, AgentId, Draft, Envelope, Error, Item, Kind, Limits, Line, NewElement, Reference,
    Seen,
};

use crate::cast::{Agent, Cast, Chains, NOW};
use crate::chat::{Conversation, Turn, Worker};
use crate::check::{Heard, Tally, element, read};
use crate::report::{Out, authority, name, preview, tail};

pub(crate) fn run(
    cast: &Cast,
    chains: &Chains,
    conversation: &Conversation,
    out: &mut Out,
) -> Result<Tally, Error> {
    let mut tally = Tally::of(conversation);
    let mut app_inbox = cast.inbox(&cast.app)?;
    let mut planner_inbox = cast.inbox(&cast.planner)?;
    let mut tools_inbox = cast.inbox(&cast.tools)?;
    let mut writer_inbox = cast.inbox(&cast.writer)?;
    let mut app_line: Option<Line> = None;
    let mut writer_line: Option<Line> = None;
    let mut known = BTreeSet::new();
    for (number, turn) in conversation.turns().into_iter().enumerate() {
        // Hop 0: the app fixes the path and says what the user says.
        let path = path(cast, &turn);
        let draft = match &app_line {
            None => {
                let first = Draft::new(&cast.app.identity).to(cast.writer.id());
                first.key_package(&cast.app.package)
            }
            Some(line) => Draft::in_conversation(&cast.app.identity, line),
        };
        let mut draft = draft
            .via(path.iter().map(|agent| agent.id()).collect::<Vec<AgentId>>())
            .authority(&chains.app)
            .label("turn", &number.to_string());
        for body in &turn.opening {
            draft = draft.element(element(body, &[&cast.planner, &cast.writer]));
        }
        let sent = draft.sign(NOW, cast.counter.next())?;
        app_inbox.record_sent(&sent);
        app_line = Some(sent.line());

        // Hops 1 and on: each agent reads what is for it and adds what is its own.
        let mut bytes = sent.as_bytes().to_vec();
        let mut said = turn.opening.clone();
        for (station, agent) in path.iter().enumerate() {
            let is_planner = agent.id() == cast.planner.id();
            let inbox = if is_planner { &mut planner_inbox } else { &mut tools_inbox };
            let step = turn.steps.get(station);
            bytes = {
                let received = inbox.receive(&bytes, NOW)?;
                let heard = read(&received, agent, &said, (cast, chains), &mut tally)?;
                let next = path.get(station + 1).map_or(cast.writer.id(), |next| next.id());
                let mut onward = received.onward(&agent.identity).next(next);
                // An agent's authority holds for all that it says in this envelope.
                if !path[..station].iter().any(|before| before.id() == agent.id()) {
                    onward = match is_planner {
                        true => {
                            onward.authority(&chains.planner).authority(&chains.planner_at_company)
                        }
                        false => onward.authority(&chains.tools),
                    };
                }
                let worker = if is_planner { &cast.tools } else { &cast.planner };
                for body in step.map_or(&[][..], |step| &step.bodies) {
                    let mut new = element(body, &[worker, &cast.writer]);
                    let calls = || said.iter().filter(|one| one.kind == Kind::ToolCall);
                    let answered = calls().find(|call| call.call_id == body.call_id);
                    if let (Kind::ToolResult, Some(call)) = (body.kind, answered) {
                        new = new.refers_to(ids(&heard, |one| one.body == call.number));
                    }
                    onward = onward.element(new);
                }
                onward.sign(NOW, cast.counter.next())?
            };
            said.extend(step.into_iter().flat_map(|step| &step.bodies));
        }

        // The writer reads all of it, and answers the app in an envelope of its own.
        let received = writer_inbox.receive(&bytes, NOW)?;
        tally.continues(&received, &cast.writer);
        let heard = read(&received, &cast.writer, &said, (cast, chains), &mut tally)?;
        tally.arrived(&bytes)?;
        describe_authority(cast, &received, &mut known, out);
        describe_path(cast, number, &turn, &received, out);
        let mut draft = Draft::reply_to(&received, &cast.writer.identity).authority(&chains.writer);
        if let Some(line) = &writer_line {
            draft = draft.continuing(line);
        }
        for body in &turn.closing {
            draft = draft.element(element(body, &[&cast.app]));
        }
        let (calls, results) = count(&turn);
        let text = format!("turn {number}: {calls} tool calls, {results} results");
        let summary =
            NewElement::sealed(Kind::Summary, "text/plain", text.into_bytes(), [&cast.app.package]);
        let answer = draft
            .element(summary.refers_to(ids(&heard, |_| true)))
            .sign(NOW, cast.counter.next())?;
        writer_line = Some(answer.line());

        // The app takes it for the answer to what it sent, and for nothing else.
        let received = app_inbox.receive(answer.as_bytes(), NOW)?;
        tally.continues(&received, &cast.app);
        let reply = sent.accept_reply(received)?;
        read(reply.received(), &cast.app, &turn.closing, (cast, chains), &mut tally)?;
        tally.arrived(answer.as_bytes())?;
        tally.replies += 1;
        // An archive kept the request as it reached the writer: the reply saw this path, and the summary stands for all.
        let limits = Limits::default();
        let archive = Envelope::decode(&bytes, &limits)?
            .verify_as_observer(&cast.verifier(&cast.auditor)?, NOW)?;
        reply.check_path(&archive)?;
        let all = || archive.elements().map(|seen| seen_id(&seen));
        let complete = reply.received().elements().any(|item| {
            let summary = item.provenance();
            matches!(item, Item::Sealed(_))
                && summary.kind() == Kind::Summary
                && summary.covers(all()).is_complete()
        });
        tally.expect(complete, "a summary leaves something out");
    }
    Ok(tally)
}

/// Planner and tools take turns, as the recording says; the planner sees each request.
fn path<'c>(cast: &'c Cast, turn: &Turn<'_>) -> Vec<&'c Agent> {
    let agent = |by| if by == Worker::Planner { &cast.planner } else { &cast.tools };
    if turn.steps.is_empty() {
        return vec![&cast.planner];
    }
    turn.steps.iter().map(|step| agent(step.by)).collect()
}

fn ids(heard: &[Heard], which: impl Fn(&Heard) -> bool) -> Vec<Reference> {
    heard.iter().filter(|one| which(one)).map(|one| one.id.into()).collect()
}

fn seen_id(seen: &Seen<'_>) -> agent_envelope::ElementId {
    match seen {
        Seen::Clear(from, _) | Seen::Sealed(from, _) | Seen::Absent(from) => from.id(),
    }
}

fn count(turn: &Turn<'_>) -> (usize, usize) {
    let count = |kind| turn.bodies().filter(|body| body.kind == kind).count();
    (count(Kind::ToolCall), count(Kind::ToolResult))
}

/// Says who speaks for whom, once for each.
fn describe_authority(
    cast: &Cast,
    received: &Admitted<'_>,
    known: &mut BTreeSet<(AgentId, String)>,
    out: &mut Out,
) {
    for held in received.verified().authorities() {
        let agent = held.agent();
        if !known.insert((agent, held.subject().to_owned())) {
            continue;
        }
        out.tell(format!("    {:9} {}  {}", name(cast, agent), tail(agent), authority(held)));
    }
}

fn describe_path(
    cast: &Cast,
    number: usize,
    turn: &Turn<'_>,
    received: &Admitted<'_>,
    out: &mut Out,
) {
    let hops: Vec<_> = received.verified().hops().map(|hop| name(cast, hop.signer())).collect();
    let size = received.verified().as_bytes().len();
    out.tell(format!("  turn {number}: {} > writer, {size} bytes", hops.join(" > ")));
    for (item, body) in received.elements().zip(turn.bodies()) {
        let author = name(cast, item.provenance().author());
        let how = if matches!(item, Item::Sealed(_)) { "sealed" } else { "clear" };
        out.tell(format!("    {author:8} {:11} {how:6} {}", body.kind, preview(&body.bytes)));
    }
    for body in &turn.closing {
        out.tell(format!("    writer   {:11} sealed {}", body.kind, preview(&body.bytes)));
    }
}
