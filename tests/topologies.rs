//! Whole conversations of a customer, an agent and its tools through a workflow, a star and a mesh: every byte arrives,
//! from whom it is, in order.
//!
//! A small set is generated. A larger one is read from the file that `AGENT_ENVELOPE_CONVERSATIONS` names, or from
//! `../shared/data/airline-conversations.jsonl` beside the repository: one JSON object a line, its `messages` in the
//! common chat form.

use crate::adversary;

use std::path::PathBuf;

use adversary::{Agent, HOUR, NOW, World, entropy};
use agent_envelope::{
    Admitted, AgentId, DelegationChain, Draft, Envelope, Inbox, Item, KeyPackage, Kind, Limits,
    Line, NewElement, Sent, Standing,
};
use serde_json::{Value, json};

/// One message: who speaks, as what, and the bytes of it.
#[derive(Clone, Debug, PartialEq)]
struct Turn {
    speaker: usize,
    kind: Kind,
    content: Vec<u8>,
}

const CUSTOMER: usize = 0;
const AGENT: usize = 1;
const TOOL: usize = 2;

fn turn(message: &Value) -> Turn {
    let (speaker, kind) = match message["role"].as_str() {
        Some("system") => (AGENT, Kind::System),
        Some("user") => (CUSTOMER, Kind::User),
        Some("tool") => (TOOL, Kind::ToolResult),
        _ if message["tool_calls"].is_array() => (AGENT, Kind::ToolCall),
        _ => (AGENT, Kind::Assistant),
    };
    let content = serde_json::to_vec(message).expect("JSON can be written");
    Turn { speaker, kind, content }
}

/// Conversations that are always there: an ordinary one, one with odd contents, one of a single message.
fn generated() -> Vec<Vec<Turn>> {
    let say = |role: &str, content: &str| json!({ "role": role, "content": content });
    let long = "a long passage, ".repeat(5_000);
    let conversations = [
        vec![
            say("system", "You book flights."),
            say("user", "Book me to Oslo."),
            json!({ "role": "assistant", "content": null, "tool_calls": [{ "name": "search" }] }),
            say("tool", "[\"OS 1\", \"OS 2\"]"),
            say("assistant", "There are two."),
            say("user", "The first, please."),
            say("assistant", "Done."),
        ],
        vec![
            say("user", ""),
            say("assistant", "\u{0}\u{7f}\u{fffd} zażółć 日本語 🛫"),
            say("tool", &long),
            say("tool", &long),
        ],
        vec![say("user", "anybody there?")],
    ];
    conversations.iter().map(|messages| messages.iter().map(turn).collect()).collect()
}

/// Conversations that were recorded, if they are at hand.
fn recorded() -> Option<Vec<Vec<Turn>>> {
    let path = std::env::var_os("AGENT_ENVELOPE_CONVERSATIONS").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../shared/data/airline-conversations.jsonl")
        },
        PathBuf::from,
    );
    let lines = match std::fs::read_to_string(&path) {
        Ok(lines) => lines,
        Err(error) => {
            println!("recorded conversations skipped: {}: {error}", path.display());
            return None;
        }
    };
    let conversation = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("each line is a JSON object");
        value["messages"].as_array().expect("an array of messages").iter().map(turn).collect()
    };
    Some(lines.lines().map(conversation).collect())
}

fn each_conversation(check: impl Fn(&[Turn])) {
    for conversation in generated().into_iter().chain(recorded().into_iter().flatten()) {
        check(&conversation);
    }
}

/// Customer, agent and tool, with a mailbox and an inbox each.
struct Party {
    agent: Agent,
    chain: DelegationChain,
    package: KeyPackage,
    inbox: Inbox,
    /// The agent's own line.
    line: Option<Line>,
    heard: Vec<Turn>,
}

fn parties(world: &World) -> [Party; 3] {
    ["customer", "agent", "tool"].map(Agent::new).map(|agent| Party {
        chain: world.authority(&agent),
        package: agent.package(),
        inbox: world.inbox(&agent),
        line: None,
        heard: Vec::new(),
        agent,
    })
}

/// Opens all that an envelope holds, whatever it is.
fn contents(received: &Admitted<'_>, reader: &Agent) -> Vec<(Kind, Vec<u8>)> {
    let mut opener = received.opener(&reader.identity).expect("verified for this reader");
    received
        .elements()
        .map(|item| {
            let kind = item.provenance().kind();
            match &item {
                Item::Present(present) => (kind, present.content().to_vec()),
                Item::Sealed(sealed) => {
                    (kind, opener.open(sealed).expect("sealed to this reader").content().to_vec())
                }
                Item::Absent(_) => panic!("nothing was left out"),
            }
        })
        .collect()
}

/// Makes the envelope by which a party takes its turn, to all others, next to `next`.
fn speak(parties: &mut [Party; 3], turn: &Turn, next: Option<&Agent>) -> Sent {
    let speaker = &parties[turn.speaker];
    let others: Vec<_> = (0..3).filter(|index| *index != turn.speaker).collect();
    let draft = match &speaker.line {
        Some(line) => Draft::in_conversation(&speaker.agent.identity, line),
        None => Draft::new(&speaker.agent.identity)
            .to(others.iter().map(|index| parties[*index].agent.id()).collect::<Vec<_>>()),
    };
    let draft = match next {
        Some(next) => draft.next(next.id()),
        None => draft,
    };
    let readers = others.iter().map(|index| &parties[*index].package);
    let sent = draft
        .expires_in(HOUR)
        .authority(&speaker.chain)
        .sealed(turn.kind, "application/json", &turn.content[..], readers)
        .sign(NOW, entropy())
        .expect("a complete draft");
    parties[turn.speaker].line = Some(sent.line());
    parties[turn.speaker].inbox.record_sent(&sent);
    parties[turn.speaker].heard.push(turn.clone());
    sent
}

/// Lets a party hear a turn.
fn hear(party: &mut Party, speaker: usize, from: AgentId, bytes: &[u8]) {
    let received = party.inbox.receive(bytes, NOW).expect("an honest envelope");
    assert_eq!(received.standing(), Some(Standing::Continues));
    assert_eq!(received.from(), from);
    for (kind, content) in contents(&received, &party.agent) {
        party.heard.push(Turn { speaker, kind, content });
    }
}

#[test]
fn conversations_pass_through_a_workflow() {
    let world = World::new();
    let [customer, agent, tool, archive] = ["customer", "agent", "tool", "archive"].map(Agent::new);
    let reader = archive.package();
    let chains = [&customer, &agent, &tool].map(|agent| world.authority(agent));
    each_conversation(|conversation| {
        // Each station adds what it said, with its place in the whole.
        let said = |by: usize| {
            let reader = &reader;
            conversation.iter().enumerate().filter(move |(_, turn)| turn.speaker == by).map(
                move |(index, turn)| {
                    // Instructions that an agent reports on its way are its memory, not a command to those after it.
                    let kind = if turn.kind == Kind::System { Kind::Memory } else { turn.kind };
                    let content =
                        [&index.to_string().into_bytes()[..], b" ", &turn.content].concat();
                    NewElement::sealed(kind, "application/json", content, [reader])
                },
            )
        };
        let mut draft = Draft::new(&customer.identity)
            .to(archive.id())
            .via([agent.id(), tool.id()])
            .authority(&chains[CUSTOMER]);
        for element in said(CUSTOMER) {
            draft = draft.element(element);
        }
        let sent = draft.sign(NOW, entropy()).expect("a complete draft");
        let pass = |station: usize, at: &Agent, bytes: &[u8], next: &Agent| {
            let mut inbox = world.inbox(at);
            let received = inbox.receive(bytes, NOW).expect("an honest envelope");
            let mut onward =
                received.onward(&at.identity).authority(&chains[station]).next(next.id());
            for element in said(station) {
                onward = onward.element(element);
            }
            onward.sign(NOW, entropy()).expect("an honest hop")
        };
        let onward = pass(AGENT, &agent, sent.as_bytes(), &tool);
        let onward = pass(TOOL, &tool, &onward, &archive);

        let mut inbox = world.inbox(&archive);
        let received = inbox.receive(&onward, NOW).expect("an honest envelope");
        let authors: Vec<_> = received.elements().map(|item| item.provenance().author()).collect();
        let mut arrived = vec![None; conversation.len()];
        for ((_, content), author) in contents(&received, &archive).into_iter().zip(authors) {
            let space = content.iter().position(|byte| *byte == b' ').expect("place and content");
            let place = std::str::from_utf8(&content[..space]).expect("digits");
            let place: usize = place.parse().expect("a number");
            arrived[place] = Some((author, content[space + 1..].to_vec()));
        }
        let speakers = [customer.id(), agent.id(), tool.id()];
        let expected: Vec<_> = conversation
            .iter()
            .map(|turn| Some((speakers[turn.speaker], turn.content.clone())))
            .collect();
        assert!(arrived == expected, "every byte, from whom it is");
    });
}

#[test]
fn conversations_pass_through_a_star() {
    let world = World::new();
    let orchestrator = Agent::new("orchestrator");
    let relay = world.verifier(&orchestrator);
    each_conversation(|conversation| {
        let mut parties = parties(&world);
        for turn in conversation {
            let sent = speak(&mut parties, turn, Some(&orchestrator));
            let envelope =
                Envelope::decode(sent.as_bytes(), &Limits::default()).expect("well formed");
            let verified = envelope.verify_as_relay(&relay, NOW).expect("addressed to it");
            let from = parties[turn.speaker].agent.id();
            for (index, party) in parties.iter_mut().enumerate() {
                if index == turn.speaker {
                    continue;
                }
                let forwarded = verified
                    .forward(&orchestrator.identity, party.agent.id(), NOW)
                    .expect("an honest hop");
                hear(party, turn.speaker, from, &forwarded);
            }
        }
        assert!(parties.iter().all(|party| party.heard == conversation), "every byte to everybody");
    });
}

#[test]
fn conversations_pass_through_a_mesh() {
    let world = World::new();
    each_conversation(|conversation| {
        let mut parties = parties(&world);
        for turn in conversation {
            let sent = speak(&mut parties, turn, None);
            let from = parties[turn.speaker].agent.id();
            for (index, party) in parties.iter_mut().enumerate() {
                if index != turn.speaker {
                    hear(party, turn.speaker, from, sent.as_bytes());
                }
            }
        }
        assert!(parties.iter().all(|party| party.heard == conversation), "every byte to everybody");
    });
}
