//! A mesh: app, planner and tools are peers in one conversation, each with its own line of envelopes.
//!
//! An auditor is a party from the start and can open nothing until it is let in. In the end an expert is brought in, which
//! makes it another conversation.

use agent_envelope::{
    Admitted, Draft, Entropy, Error, Inbox, Item, Kind, Line, Opener, Sent, Standing,
};

use crate::cast::{Agent, Cast, Chains, NOW};
use crate::chat::{Body, Conversation};
use crate::check::{Tally, element, read};
use crate::report::{Out, preview, times};

const APP: usize = 0;
const PLANNER: usize = 1;
const TOOLS: usize = 2;
const AUDITOR: usize = 3;

/// A peer with what it remembers.
struct Peer<'c> {
    agent: &'c Agent,
    inbox: Inbox,
    line: Option<Line>,
    sent: usize,
}

/// What somebody says before somebody else speaks.
struct Speech<'c> {
    by: usize,
    bodies: Vec<&'c Body>,
}

pub(crate) fn run(
    cast: &Cast,
    chains: &Chains,
    conversation: &Conversation,
    out: &mut Out,
) -> Result<Tally, Error> {
    let mut tally = Tally::of(conversation);
    let mut peers = Vec::new();
    for agent in [&cast.app, &cast.planner, &cast.tools, &cast.auditor] {
        peers.push(Peer { agent, inbox: cast.inbox(agent)?, line: None, sent: 0 });
    }
    let speeches = speeches(conversation);
    let mut last: Option<(Sent, &Speech<'_>)> = None;
    let mut late = None;
    for speech in &speeches {
        // All others get the last envelope first; who speaks now answers it.
        let said_before = last.take();
        let mut answered = None;
        if let Some((sent, before)) = &said_before {
            for (index, received) in deliver(&mut peers, sent, before.by)? {
                let agent = peers[index].agent;
                tally.continues(&received, agent);
                read(&received, agent, &before.bodies, (cast, chains), &mut tally)?;
                if index == PLANNER && before.by == APP && late.is_none() {
                    late = let_in(cast, chains, &received)?;
                    if let Some(bytes) = &late {
                        let opened = auditor_opens(&mut peers[AUDITOR], bytes)?;
                        describe_late(&before.bodies, opened, out);
                        tally.expect(opened, "the late reader cannot open");
                        tally.arrived(bytes)?;
                    }
                }
                if index == speech.by {
                    answered = Some(received);
                }
            }
            tally.arrived(sent.as_bytes())?;
        }
        let speaker = &mut peers[speech.by];
        let sent = speak(cast, chains, speaker, speech, answered.as_ref())?;
        speaker.inbox.record_sent(&sent);
        speaker.line = Some(sent.line());
        speaker.sent += 1;
        last = Some((sent, speech));
    }
    if let Some((sent, before)) = &last {
        for (index, received) in deliver(&mut peers, sent, before.by)? {
            tally.continues(&received, peers[index].agent);
            let agent = peers[index].agent;
            read(&received, agent, &before.bodies, (cast, chains), &mut tally)?;
        }
        tally.arrived(sent.as_bytes())?;
        branch(cast, chains, &mut peers, before.by, &mut tally, out)?;
    }
    let counts: Vec<_> =
        peers.iter().map(|peer| format!("{} {}", peer.agent.name, peer.sent)).collect();
    out.tell(format!("  envelopes on each line: {}", counts.join(", ")));
    out.tell(format!("  {} somebody held a sealed text that was not for it", times(tally.closed)));
    Ok(tally)
}

/// Cuts the conversation where another peer speaks.
fn speeches(conversation: &Conversation) -> Vec<Speech<'_>> {
    let mut speeches: Vec<Speech<'_>> = Vec::new();
    for turn in conversation.turns() {
        let mut first = true;
        for body in turn.bodies() {
            let by = match body.kind {
                Kind::User => APP,
                Kind::ToolResult => TOOLS,
                _ => PLANNER,
            };
            match speeches.last_mut() {
                // A turn that was cut for its size is cut here too.
                Some(speech) if speech.by == by && !first => speech.bodies.push(body),
                _ => speeches.push(Speech { by, bodies: vec![body] }),
            }
            first = false;
        }
    }
    speeches
}

fn speak(
    cast: &Cast,
    chains: &Chains,
    speaker: &Peer<'_>,
    speech: &Speech<'_>,
    answered: Option<&Admitted<'_>>,
) -> Result<Sent, Error> {
    let me = &speaker.agent.identity;
    let draft = match (&speaker.line, answered) {
        // Whoever has spoken before goes on with its own line.
        (Some(line), _) => Draft::in_conversation(me, line),
        (None, Some(received)) => Draft::reply_to(received, me),
        (None, None) => {
            let everybody = [&cast.app, &cast.planner, &cast.tools, &cast.auditor];
            let others = everybody.into_iter().map(Agent::id).filter(|id| *id != me.id());
            Draft::new(me).to(others.collect::<Vec<_>>())
        }
    };
    let mut draft = match speech.by {
        APP => draft.authority(&chains.app),
        TOOLS => draft.authority(&chains.tools),
        _ => draft.authority(&chains.planner).authority(&chains.planner_at_company),
    };
    for body in &speech.bodies {
        let reader = match body.kind {
            Kind::User | Kind::ToolResult => &cast.planner,
            Kind::ToolCall => &cast.tools,
            _ => &cast.app,
        };
        draft = draft.element(element(body, &[reader]));
    }
    draft.sign(NOW, cast.counter.next())
}

/// Gives everybody but the sender the same bytes.
fn deliver<'s>(
    peers: &mut [Peer<'_>],
    sent: &'s Sent,
    by: usize,
) -> Result<Vec<(usize, Admitted<'s>)>, Error> {
    let others = peers.iter_mut().enumerate().filter(|(index, _)| *index != by);
    others.map(|(index, peer)| Ok((index, peer.inbox.receive(sent.as_bytes(), NOW)?))).collect()
}

/// The planner lets the auditor into the audience of what it was sent, and passes the envelope on.
fn let_in(cast: &Cast, chains: &Chains, received: &Admitted<'_>) -> Result<Option<Vec<u8>>, Error> {
    let mut opener: Opener<'_> = received.opener(&cast.planner.identity)?;
    let Some(sealed) = received.elements().find_map(|item| match item {
        Item::Sealed(sealed) => Some(sealed),
        Item::Present(_) | Item::Absent(_) => None,
    }) else {
        return Ok(None);
    };
    let audience = opener.audience(&sealed)?;
    let onward = received.onward(&cast.planner.identity).authority(&chains.planner);
    let entropy: Entropy = cast.counter.next();
    onward
        .let_in(&audience, [&cast.auditor.package])
        .next(cast.auditor.id())
        .sign(NOW, entropy)
        .map(Some)
}

/// The auditor has seen the envelope before, closed. Now it opens.
fn auditor_opens(auditor: &mut Peer<'_>, bytes: &[u8]) -> Result<bool, Error> {
    let received = auditor.inbox.receive(bytes, NOW)?;
    let mut opener = received.opener(&auditor.agent.identity)?;
    let mut opened = false;
    for item in received.elements() {
        if let Item::Sealed(sealed) = item {
            opened |= opener.open(&sealed).is_ok();
        }
    }
    Ok(opened)
}

fn describe_late(said: &[&Body], opened: bool, out: &mut Out) {
    let text = said.iter().find(|body| body.kind == Kind::User).map_or(&[][..], |body| &body.bytes);
    let can = if opened { "opens" } else { "cannot open" };
    out.tell(format!("  the planner lets the auditor in late; it {can} {:?}", preview(text)));
}

/// Whoever spoke last brings in an expert. Others see which conversation it left; the expert sees a past it does not hold.
fn branch(
    cast: &Cast,
    chains: &Chains,
    peers: &mut [Peer<'_>],
    by: usize,
    tally: &mut Tally,
    out: &mut Out,
) -> Result<(), Error> {
    let Some(line) = peers[by].line.clone() else { return Ok(()) };
    let others = peers.iter().map(|peer| peer.agent.id()).filter(|id| *id != peers[by].agent.id());
    let chain = [&chains.app, &chains.planner, &chains.tools, &chains.app][by];
    let sent = Draft::branching_from(&peers[by].agent.identity, &line)
        .to(others.collect::<Vec<_>>())
        .to(cast.expert.id())
        .authority(chain)
        .sealed(Kind::Summary, "text/plain", &b"please have a look"[..], [&cast.expert.package])
        .sign(NOW, cast.counter.next())?;
    let branched = deliver(peers, &sent, by)?;
    let seen = branched.iter().filter(|(_, received)| {
        matches!(received.standing(), Some(Standing::Branch { from }) if from == line.conversation())
    });
    let seen = seen.count();
    tally.expect(seen == branched.len(), "an old party does not see the branch");
    let mut inbox = cast.inbox(&cast.expert)?;
    let received = inbox.receive(sent.as_bytes(), NOW)?;
    let joined = received.standing() == Some(Standing::Joined);
    tally.expect(joined, "the new party takes a branch for a beginning");
    tally.arrived(sent.as_bytes())?;
    out.tell(format!(
        "  {} brings in the expert: {seen} old parties see which conversation it left, the new one that it has a past",
        peers[by].agent.name
    ));
    Ok(())
}
