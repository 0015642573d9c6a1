//! A small world of agents, and envelopes that between them use every part of the format.

pub(crate) mod cbor;

use std::time::Duration;

use agent_envelope::budget::{Amounts, Basis, Dimension, Ledger, Outcome, Split, Terms};
use agent_envelope::{
    Admitted, AgentId, Allotment, Budget, DelegationChain, Draft, Entropy, Envelope, Grant,
    Identity, Inbox, Item, KeyPackage, Kind, Limits, Narrow, NewElement, Observer, Permission,
    Reader, Reference, Revocations, Scope, Sealed, Sent, SigningKey, Subjects, Timestamp,
    TrustAnchor, TrustAnchors, Verified, Verifier,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const AUDIENCE: &str = "summaries.example";
pub(crate) const ISSUER: &str = "https://login.example";

/// Entropy that is the same in every run.
pub(crate) fn entropy(number: u64) -> Entropy {
    let mut bytes = [0xa5; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Entropy::new(bytes).expect("not all zero")
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

pub(crate) fn scope(permissions: &[(&[&str], &str)]) -> Scope {
    Scope::new(permissions.iter().map(|(actions, resource)| {
        let resource = resource.parse().expect("a resource");
        Permission::new(actions.iter().copied(), &resource).expect("a permission")
    }))
    .expect("a scope")
}

pub(crate) fn terms(calls: u64, depth: u32) -> Terms {
    let amounts = Amounts::new()
        .with(Dimension::TOOL_CALLS, calls)
        .and_then(|amounts| amounts.with(Dimension::AGENTS, calls))
        .and_then(|amounts| amounts.with_unit(Dimension::MONEY, 1_000 * calls, "USD:6"))
        .expect("amounts");
    Terms::new(amounts, later(1800), depth).with_wall(Duration::from_secs(30)).expect("a wall time")
}

/// The agent with this number. Worker and auditor are 4 and 5.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_seeds(&[number; 32], &sealing_secret(number))
}

/// The X25519 private key of the agent with this number.
pub(crate) fn sealing_secret(number: u8) -> [u8; 32] {
    [number + 100; 32]
}

/// Agents with their keys, and the anchor that all of them trust.
pub(crate) struct World {
    pub(crate) login: SigningKey,
    pub(crate) anchor: TrustAnchor,
    pub(crate) user: Identity,
    pub(crate) planner: Identity,
    pub(crate) worker: Identity,
    pub(crate) auditor: Identity,
}

impl World {
    pub(crate) fn new() -> Self {
        let login = SigningKey::generate(entropy(1));
        let whole = scope(&[(&["mail.read", "mail.send"], "mail"), (&["summarise"], "")]);
        let anchor = TrustAnchor::new(login.id(), ISSUER, Subjects::Any, whole)
            .expect("an anchor")
            .depth(4)
            .budget(terms(100, 8));
        Self {
            login,
            anchor,
            user: identity(2),
            planner: identity(3),
            worker: identity(4),
            auditor: identity(5),
        }
    }

    /// A verifier that refuses as little as one can: it admits origins that nobody vouches for.
    pub(crate) fn verifier(&self, agent: AgentId) -> Verifier {
        self.verifier_within(agent, Limits::default()).dangerously_admit_untrusted_origins()
    }

    pub(crate) fn verifier_within(&self, agent: AgentId, limits: Limits) -> Verifier {
        let anchors = TrustAnchors::new([self.anchor.clone()]).expect("one anchor");
        Verifier::new(agent, Some(AUDIENCE), anchors, Revocations::none(), limits)
            .expect("limits that admit something")
    }

    /// The least chain: one link that states nothing it may leave out.
    pub(crate) fn chain(&self, holder: AgentId, number: u64) -> DelegationChain {
        let grant = Grant::new("alice", scope(&[(&["summarise"], "")])).depth(3);
        self.issue(holder, grant, number)
    }

    pub(crate) fn issue(&self, holder: AgentId, grant: Grant, number: u64) -> DelegationChain {
        DelegationChain::issue(&self.login, &self.anchor, holder, grant, NOW, entropy(number))
            .expect("a grant within the anchor")
    }

    pub(crate) fn inbox(&self, agent: AgentId) -> Inbox {
        Inbox::new(self.verifier(agent))
    }
}

pub(crate) fn package(agent: &Identity) -> KeyPackage {
    agent.key_package(NOW, HOUR).expect("an hour is a lifetime")
}

/// An envelope of the corpus and one of its readers.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reader: AgentId,
}

impl Case {
    fn new(name: &'static str, sent: &Sent, reader: &Identity) -> Self {
        Self { name, bytes: sent.as_bytes().to_vec(), reader: reader.id() }
    }
}

/// Decodes and verifies as a reader.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    verifier: &Verifier,
) -> Result<Verified<'a, Reader>, agent_envelope::Error> {
    Envelope::decode(bytes, verifier.limits())?.verify_as_reader(verifier, NOW)
}

/// Decodes and verifies as an observer.
pub(crate) fn observe<'a>(
    bytes: &'a [u8],
    verifier: &Verifier,
) -> Result<Verified<'a, Observer>, agent_envelope::Error> {
    Envelope::decode(bytes, verifier.limits())?.verify_as_observer(verifier, NOW)
}

pub(crate) fn sealed_elements<'e>(admitted: &'e Admitted<'e>) -> Vec<Sealed<'e>> {
    admitted
        .elements()
        .filter_map(|item| match item {
            Item::Sealed(sealed) => Some(sealed),
            Item::Present(_) | Item::Absent(_) => None,
        })
        .collect()
}

/// Envelopes that between them use every part of the format.
pub(crate) fn corpus(world: &World) -> Vec<Case> {
    vec![
        minimal(world),
        one_link_with_every_claim(world),
        three_links_that_narrow_everything(world),
        two_roles(world),
        two_audiences(world),
        hops_with_a_late_reader(world),
        elidable_bodies(world),
        a_withheld_body_attached(world),
        a_reply_on_a_laid_out_path(world),
        a_summary(world),
        a_branch(world),
        a_split_allotment(world),
        a_report(world),
    ]
}

fn minimal(world: &World) -> Case {
    let sent = Draft::new(&world.user).to(world.worker.id()).sign(NOW, entropy(100));
    Case::new("minimal", &sent.expect("no element is fine"), &world.worker)
}

fn one_link_with_every_claim(world: &World) -> Case {
    let first = Draft::new(&world.user)
        .to(world.worker.id())
        .sign(NOW, entropy(110))
        .expect("a conversation begins");
    let grant = Grant::new("alice", scope(&[(&["mail.read"], "mail/inbox"), (&["summarise"], "")]))
        .depth(2)
        .lifetime(HOUR)
        .audience(AUDIENCE)
        .name("the mail agent")
        .budget(terms(10, 2))
        .conversation(first.conversation());
    let chain = world.issue(world.user.id(), grant, 111);
    let sent = Draft::in_conversation(&world.user, &first.line())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"what is new?"[..])
        .sign(NOW, entropy(112))
        .expect("a second turn");
    Case::new("one link with every claim", &sent, &world.worker)
}

fn three_links_that_narrow_everything(world: &World) -> Case {
    let sent = Draft::new(&world.worker)
        .to(world.auditor.id())
        .sign(NOW, entropy(120))
        .expect("a conversation begins");
    let conversation = sent.conversation();
    let grant = Grant::new("alice", scope(&[(&["mail.read", "mail.send"], "mail")])).depth(3);
    let chain = world
        .issue(world.user.id(), grant, 121)
        .extend(
            world.user.signing_key(),
            world.planner.id(),
            Narrow::default()
                .scope(scope(&[(&["mail.read"], "mail")]))
                .depth(1)
                .lifetime(Duration::from_secs(1800))
                .audience(AUDIENCE)
                .name("planner")
                .budget(terms(20, 4)),
            NOW,
            entropy(122),
        )
        .and_then(|chain| {
            chain.extend(
                world.planner.signing_key(),
                world.worker.id(),
                Narrow::default()
                    .scope(scope(&[(&["mail.read"], "mail/inbox")]))
                    .depth(0)
                    .lifetime(Duration::from_secs(600))
                    .audience(AUDIENCE)
                    .name("worker")
                    .budget(terms(5, 0))
                    .conversation(conversation),
                NOW,
                entropy(123),
            )
        })
        .expect("each link narrows");
    let sent = Draft::in_conversation(&world.worker, &sent.line())
        .authority(&chain)
        .clear(Kind::ToolCall, "application/json", &b"{\"read\":\"mail/inbox/1\"}"[..])
        .sign(NOW, entropy(124))
        .expect("a chain of three links");
    Case::new("three links that narrow everything", &sent, &world.auditor)
}

fn two_roles(world: &World) -> Case {
    let private = world.chain(world.user.id(), 130);
    let grant = Grant::new("acme", scope(&[(&["mail.send"], "mail/outbox")]));
    let work = world.issue(world.user.id(), grant, 131);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .authority(&private)
        .authority(&work)
        .clear(Kind::User, "text/plain", &b"send it for me and for the firm"[..])
        .sign(NOW, entropy(132))
        .expect("two chains");
    Case::new("two roles", &sent, &world.worker)
}

fn two_audiences(world: &World) -> Case {
    let [planner, worker, auditor] = [&world.planner, &world.worker, &world.auditor].map(package);
    let chain = world.chain(world.user.id(), 140);
    let sent = Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id(), world.auditor.id()])
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"for all of you"[..], [&planner, &worker, &auditor])
        .sealed(Kind::Artifact, "application/octet-stream", &[7; 40][..], [&worker, &auditor])
        .sealed(Kind::Memory, "text/plain", &b""[..], [&planner, &worker, &auditor])
        .sign(NOW, entropy(141))
        .expect("two audiences");
    Case::new("two audiences", &sent, &world.worker)
}

fn hops_with_a_late_reader(world: &World) -> Case {
    let [planner, auditor] = [&world.planner, &world.auditor].map(package);
    let chain = world.chain(world.user.id(), 150);
    let handed_on = chain
        .extend(
            world.user.signing_key(),
            world.planner.id(),
            Narrow::default().depth(0),
            NOW,
            entropy(151),
        )
        .expect("a link");
    let sent = Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id(), world.auditor.id()])
        .next(world.planner.id())
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"plan and do"[..], [&planner])
        .sign(NOW, entropy(152))
        .expect("a first hop");

    let mut inbox = world.inbox(world.planner.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let audience = {
        let mut opener = admitted.opener(&world.planner).expect("the planner verified");
        opener.audience(&sealed_elements(&admitted)[0]).expect("the planner is a reader")
    };
    let onward = admitted
        .onward(&world.planner)
        .authority(&handed_on)
        .let_in(&audience, [&auditor])
        .element(NewElement::sealed_to_existing(
            Kind::Reasoning,
            "text/plain",
            &b"one thing after the other"[..],
            &audience,
        ))
        .clear(Kind::Assistant, "text/plain", &b"the plan"[..])
        .next([world.worker.id(), world.auditor.id()])
        .sign(later(1), entropy(153))
        .expect("a second hop");

    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(&onward, later(1)).expect("the worker is next");
    let bytes = admitted.forward(&world.worker, world.auditor.id(), later(1)).expect("a third hop");
    Case { name: "hops with a late reader", bytes, reader: world.auditor.id() }
}

/// The first hop of envelopes with bodies that may be left out.
fn with_elidable_bodies(world: &World, number: u64) -> Sent {
    let worker = package(&world.worker);
    let note = |text: &'static [u8]| NewElement::clear(Kind::Memory, "text/plain", text);
    Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id()])
        .element(note(b"must stay"))
        .element(note(b"may go and stays").elidable())
        .element(note(b"may go and goes").elidable())
        .element(note(b"kept back").detachable())
        .element(
            NewElement::sealed(Kind::Artifact, "text/plain", &b"sealed, may go"[..], [&worker])
                .elidable(),
        )
        .sign(NOW, entropy(number))
        .expect("elidable elements")
}

fn elidable_bodies(world: &World) -> Case {
    let sent = with_elidable_bodies(world, 160).detached();
    let mut inbox = world.inbox(world.planner.id());
    let admitted = inbox.receive(&sent, NOW).expect("the planner is next");
    // Element 4 is the audience of element 5.
    let bytes = admitted
        .onward(&world.planner)
        .without([2, 5])
        .next(world.worker.id())
        .sign(NOW, entropy(161))
        .expect("both may be left out");
    Case { name: "elidable bodies", bytes, reader: world.worker.id() }
}

/// What a hop lists as absent is there all the same.
fn a_withheld_body_attached(world: &World) -> Case {
    let sent = with_elidable_bodies(world, 170).detached();
    let planner = world.verifier(world.planner.id());
    let whole = read(&sent, &planner).expect("the planner is next");
    let kept = whole.body(2).expect("element 2 has a body").to_vec();
    let admitted = world
        .inbox(world.planner.id())
        .receive(&sent, NOW)
        .expect("the planner is next")
        .onward(&world.planner)
        .without([2])
        .next(world.worker.id())
        .sign(NOW, entropy(171))
        .expect("element 2 may be left out");
    let worker = world.verifier(world.worker.id());
    let bytes = read(&admitted, &worker)
        .and_then(|verified| verified.attached(2, &kept))
        .expect("the body is the one committed to");
    Case { name: "a withheld body attached", bytes, reader: world.worker.id() }
}

fn a_reply_on_a_laid_out_path(world: &World) -> Case {
    let key_package = package(&world.user);
    let request = Draft::new(&world.user)
        .to(world.worker.id())
        .key_package(&key_package)
        .clear(Kind::User, "text/plain", &b"question"[..])
        .next(world.planner.id())
        .sign(NOW, entropy(180))
        .expect("a request");
    let relay = world.verifier(world.planner.id());
    let onward = Envelope::decode(request.as_bytes(), relay.limits())
        .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
        .and_then(|verified| verified.forward(&world.planner, world.worker.id(), NOW))
        .expect("the planner relays");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(&onward, NOW).expect("the worker is next");
    let first = Draft::reply_to(&admitted, &world.worker)
        .clear(Kind::Assistant, "text/plain", &b"wait"[..])
        .sign(NOW, entropy(181))
        .expect("a first answer");
    let own_package = package(&world.worker);
    let reply = Draft::reply_to(&admitted, &world.worker)
        .continuing(&first.line())
        .via([world.planner.id(), world.auditor.id()])
        .label("skill", "summarise")
        .label("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .declare(terms(3, 1))
        .key_package(&own_package)
        .clear(Kind::Assistant, "text/plain", &b"answer"[..])
        .sign(NOW, entropy(182))
        .expect("a second answer");
    let mut inbox = world.inbox(world.planner.id());
    let admitted = inbox.receive(reply.as_bytes(), NOW).expect("the planner is first in via");
    let bytes = admitted
        .onward(&world.planner)
        .clear(Kind::ToolResult, "text/plain", &b"checked"[..])
        .next(world.auditor.id())
        .sign(NOW, entropy(183))
        .expect("the auditor is second in via");
    Case { name: "a reply on a laid out path", bytes, reader: world.auditor.id() }
}

fn a_summary(world: &World) -> Case {
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::System, "text/plain", &b"be brief"[..])
        .clear(Kind::Private(70_000), "application/x-mood", &b"\x01"[..])
        .element(
            NewElement::clear(Kind::Summary, "text/plain", &b"brief, in a mood"[..])
                .refers_to([Reference::Here(0), Reference::Here(1)]),
        )
        .sign(NOW, entropy(190))
        .expect("a summary");
    Case::new("a summary", &sent, &world.worker)
}

fn a_branch(world: &World) -> Case {
    let first = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/plain", &b"between us"[..])
        .sign(NOW, entropy(200))
        .expect("a conversation begins");
    let sent = Draft::branching_from(&world.user, &first.line())
        .to([world.worker.id(), world.auditor.id()])
        .clear(Kind::User, "text/plain", &b"among three"[..])
        .sign(NOW, entropy(201))
        .expect("a branch");
    Case::new("a branch", &sent, &world.auditor)
}

/// A request that its sender pays for under a chain, and the planner to whom it is made out.
pub(crate) fn funded_request(world: &World, number: u64) -> (Sent, DelegationChain) {
    let grant = Grant::new("alice", scope(&[(&["summarise"], "")])).budget(terms(10, 2));
    let chain = world.issue(world.user.id(), grant, number);
    let sent = Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id()])
        .next(world.planner.id())
        .declare(terms(9, 1))
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"plan and do"[..])
        .allot(
            Allotment::new(world.planner.id(), terms(9, 1))
                .under(&chain)
                .audited_by(world.auditor.id()),
        )
        .sign(NOW, entropy(number + 1))
        .expect("an allotment within the chain's ceiling")
        .persisted();
    (sent, chain)
}

pub(crate) fn open_ledger(world: &World, admitted: &mut Admitted<'_>) -> Ledger {
    let Budget::Funded(mut funded) = admitted.take_funding() else {
        panic!("the envelope is funded")
    };
    let funded = funded.pop().expect("one allotment");
    Ledger::open(funded, &world.planner, NOW).expect("made out to the planner")
}

fn a_split_allotment(world: &World) -> Case {
    let (sent, _) = funded_request(world, 210);
    let mut inbox = world.inbox(world.planner.id());
    let mut admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let mut ledger = open_ledger(world, &mut admitted);
    let bytes = admitted
        .onward(&world.planner)
        .clear(Kind::ToolCall, "text/plain", &b"do"[..])
        .next(world.worker.id())
        .fund(&mut ledger, Split::new(world.worker.id(), terms(4, 0)), Amounts::new())
        .sign(NOW, entropy(212))
        .expect("a part of the allotment")
        .persisted();
    Case { name: "a split allotment", bytes, reader: world.worker.id() }
}

fn a_report(world: &World) -> Case {
    let (sent, _) = funded_request(world, 220);
    let mut inbox = world.inbox(world.planner.id());
    let mut admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let mut ledger = open_ledger(world, &mut admitted);
    let two = Amounts::new().with(Dimension::TOOL_CALLS, 2).expect("two calls");
    ledger.give_back(&world.planner, &two, Basis::Replayable).expect("there is more").persisted();
    let history = ledger
        .close(
            &world.planner,
            Basis::Attested(agent_envelope::Digest::from_bytes([7; 32])),
            Outcome::Done,
        )
        .expect("it is open")
        .persisted();
    let sent = Draft::reply_to(&admitted, &world.planner)
        .report(&history)
        .clear(Kind::Assistant, "text/plain", &b"done"[..])
        .sign(NOW, entropy(222))
        .expect("a reply that reports");
    Case::new("a report", &sent, &world.user)
}
