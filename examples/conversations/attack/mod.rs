//! Adversaries: each has a try at the conversation, and the library is to refuse it by the right rule.
//!
//! Honest parties use the library as a user would. Adversaries edit bytes, own keys, or both.

mod delegation;
mod forge;
mod mesh;
mod star;
mod workflow;

use agent_envelope::{DelegationChain, Draft, Envelope, Error, Identity, Kind, Limits, Sent};
use ed25519_dalek::SigningKey;

use crate::cast::{Agent, Cast, Chains, NOW};
use crate::chat::{Body, Conversation, Turn, Worker};
use crate::check::element;
use crate::report::Out;

/// An agent whose key the adversary has: it signs what the library would not.
pub(crate) struct Traitor {
    pub(crate) agent: Agent,
    pub(crate) key: SigningKey,
}

impl Traitor {
    fn new(name: &'static str, seed: u8) -> Result<Self, Error> {
        let (signing, sealing) = ([seed; 32], [seed + 100; 32]);
        let key = SigningKey::from_bytes(&signing);
        let agent = Agent::of(name, Identity::from_seeds(&signing, &sealing))?;
        Ok(Self { agent, key })
    }
}

/// What the adversaries find.
pub(crate) struct Stage<'c> {
    pub(crate) cast: &'c Cast,
    pub(crate) chains: &'c Chains,
    /// The key of the planner, who has turned.
    pub(crate) planner: SigningKey,
    /// The key of the orchestrator, whom nobody trusted.
    pub(crate) orchestrator: SigningKey,
    /// An outsider.
    pub(crate) mallory: Traitor,
    /// What the user says, and what planner and tools add.
    pub(crate) opening: Vec<&'c Body>,
    pub(crate) planned: Vec<&'c Body>,
    pub(crate) reported: Vec<&'c Body>,
    out: &'c mut Out,
    missed: usize,
    tried: usize,
}

/// Lets all adversaries have a try. Tells how many were not refused as they should be, and how many there are.
pub(crate) fn run(conversation: &Conversation, out: &mut Out) -> Result<(usize, usize), Error> {
    let mut cast = Cast::new()?;
    let (planner, orchestrator) = (Traitor::new("planner", 1)?, Traitor::new("orchestrator", 2)?);
    cast.planner = planner.agent;
    cast.orchestrator = orchestrator.agent;
    let chains = cast.chains(conversation.line)?;
    // The turn with the most work in it is the most worth attacking.
    let turn = conversation.turns().into_iter().max_by_key(|turn| turn.steps.len());
    let turn = turn.unwrap_or_default();
    let spare = spare();
    let (opening, planned, reported) = parts(&turn, &spare);
    let mut stage = Stage {
        cast: &cast,
        chains: &chains,
        planner: planner.key,
        orchestrator: orchestrator.key,
        mallory: Traitor::new("mallory", 3)?,
        opening,
        planned,
        reported,
        out,
        missed: 0,
        tried: 0,
    };
    stage.family(
        "WORKFLOW  app > planner > tools > writer; the planner has turned, and so has the store",
    );
    workflow::run(&mut stage)?;
    stage.family("STAR  app > orchestrator > operator; the orchestrator has turned");
    star::run(&mut stage)?;
    stage.family("DELEGATION  chains that are widened, stolen, invented, revoked");
    delegation::run(&mut stage)?;
    stage.family("MESH  peers and strangers");
    mesh::run(&mut stage)?;
    Ok((stage.missed, stage.tried))
}

/// What is said in the turn under attack, and something to attack where it says nothing.
fn parts<'c>(
    turn: &Turn<'c>,
    [ask, call, result]: &'c [Body; 3],
) -> (Vec<&'c Body>, Vec<&'c Body>, Vec<&'c Body>) {
    let by = |worker, spare| {
        let step = turn.steps.iter().find(|step| step.by == worker);
        step.map_or(vec![spare], |step| step.bodies.clone())
    };
    let mut opening = turn.opening.clone();
    if !opening.iter().any(|body| body.kind == Kind::User) {
        opening.push(ask);
    }
    (opening, by(Worker::Planner, call), by(Worker::Tools, result))
}

fn spare() -> [Body; 3] {
    [Kind::User, Kind::ToolCall, Kind::ToolResult].map(|kind| Body {
        number: 0,
        kind,
        content_type: "text/plain",
        bytes: b"something to attack".to_vec(),
        tool: None,
        call_id: None,
    })
}

impl<'c> Stage<'c> {
    fn family(&mut self, title: &str) {
        self.out.say("");
        self.out.say(title);
    }

    /// Expects one rule to refuse.
    pub(crate) fn refused<T>(&mut self, id: &str, tried: &str, by: &str, got: Result<T, Error>) {
        let (held, said) = match got {
            Ok(_) => (false, "NOT REFUSED".to_owned()),
            Err(error) => {
                let text = self.shorten(&error.to_string());
                (error.name() == by, format!("{} {}: {text}", error.code(), error.name()))
            }
        };
        let expected = if held { String::new() } else { format!(" (expected {by})") };
        self.print(id, tried, held, &format!("{said}{expected}"));
    }

    /// Expects the library not to refuse, but to show what has happened.
    pub(crate) fn shown(&mut self, id: &str, tried: &str, held: bool, what: &str) {
        self.print(id, tried, held, what);
    }

    fn print(&mut self, id: &str, tried: &str, held: bool, said: &str) {
        self.tried += 1;
        self.missed += usize::from(!held);
        let mark = if held { " " } else { "!" };
        self.out.say(format!("{mark} {id:4} {tried}"));
        self.out.say(format!("{mark}      -> {said}"));
    }

    /// Puts names for keys, and cuts digests short.
    fn shorten(&self, text: &str) -> String {
        let everybody = self.cast.everybody().into_iter().chain([&self.mallory.agent]);
        let text = everybody
            .fold(text.to_owned(), |text, agent| text.replace(&agent.id().to_string(), agent.name));
        let words = text.split(' ').map(|word| match word.len() {
            64 if word.bytes().all(|byte| byte.is_ascii_hexdigit()) => format!("{}…", &word[..8]),
            _ if word.starts_with("did:key:") => format!("…{}", &word[word.len().max(6) - 6..]),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Begins what the app says, to the writer by way of planner and tools.
    pub(crate) fn request(&self) -> Result<Sent, Error> {
        let mut draft = Draft::new(&self.cast.app.identity)
            .to(self.cast.writer.id())
            .via([self.cast.planner.id(), self.cast.tools.id()])
            .label("skill", "operate")
            .key_package(&self.cast.app.package)
            .authority(&self.chains.app)
            .clear(Kind::Memory, "text/plain", &b"do not e-mail customers"[..]);
        for body in &self.opening {
            draft = draft.element(element(body, &[&self.cast.planner, &self.cast.writer]));
        }
        draft.sign(NOW, self.cast.counter.next())
    }

    /// What the app says to the operator by way of the orchestrator.
    pub(crate) fn star_request(&self) -> Result<Sent, Error> {
        let mut draft = self.star_draft();
        for body in &self.opening {
            let reader = [&self.cast.operator.package];
            draft = draft.sealed(body.kind, body.content_type, &body.bytes[..], reader);
        }
        draft.sign(NOW, self.cast.counter.next())
    }

    pub(crate) fn star_draft(&self) -> Draft<'c> {
        Draft::new(&self.cast.app.identity)
            .to(self.cast.operator.id())
            .next(self.cast.orchestrator.id())
            .label("skill", "operate")
            .key_package(&self.cast.app.package)
            .authority(&self.chains.app)
    }

    /// The envelope after the planner.
    pub(crate) fn planned(&self, request: &[u8]) -> Result<Vec<u8>, Error> {
        let mut inbox = self.cast.inbox(&self.cast.planner)?;
        let received = inbox.receive(request, NOW)?;
        let mut onward = received
            .onward(&self.cast.planner.identity)
            .authority(&self.chains.planner)
            .authority(&self.chains.planner_at_company)
            .next(self.cast.tools.id());
        for body in &self.planned {
            onward = onward.element(element(body, &[&self.cast.tools, &self.cast.writer]));
        }
        onward.sign(NOW, self.cast.counter.next())
    }

    /// The envelope after the tools.
    pub(crate) fn reported(&self, planned: &[u8]) -> Result<Vec<u8>, Error> {
        let mut inbox = self.cast.inbox(&self.cast.tools)?;
        let received = inbox.receive(planned, NOW)?;
        let mut onward = received
            .onward(&self.cast.tools.identity)
            .authority(&self.chains.tools)
            .next(self.cast.writer.id());
        for body in &self.reported {
            onward = onward.element(element(body, &[&self.cast.writer]));
        }
        onward.sign(NOW, self.cast.counter.next())
    }

    /// Receives in a fresh inbox.
    pub(crate) fn receive(&self, agent: &Agent, bytes: &[u8]) -> Result<(), Error> {
        self.cast.inbox(agent)?.receive(bytes, NOW).map(drop)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<(), Error> {
        Envelope::decode(bytes, &Limits::default()).map(drop)
    }

    /// A short envelope from one agent to the tools.
    pub(crate) fn note(
        &self,
        from: &Agent,
        chain: Option<&DelegationChain>,
    ) -> Result<Sent, Error> {
        let draft = Draft::new(&from.identity).to(self.cast.tools.id());
        let draft = match chain {
            Some(chain) => draft.authority(chain),
            None => draft,
        };
        let content = &b"a job of a million tokens, please"[..];
        draft.clear(Kind::Assistant, "text/plain", content).sign(NOW, self.cast.counter.next())
    }
}
