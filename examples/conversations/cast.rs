//! Who takes part: agents with their keys, those who vouch for them, and the chains under which they act.

use std::cell::Cell;
use std::time::Duration;

use agent_envelope::{
    DelegationChain, Entropy, Error, Grant, Identity, Inbox, KeyPackage, Kind, Limits, Narrow,
    Permission, Principal, Resource, Revocations, Scope, SigningKey, Subjects, Timestamp,
    TrustAnchor, TrustAnchors, Verifier,
};

/// The time at which everything here happens. A real program asks `Timestamp::now`.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// Counts instead of drawing at random, so that every run makes the same bytes. Whoever knows the count knows every
/// secret: a real program asks `Entropy::from_os`.
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn next(&self) -> Entropy {
        let count = self.0.get() + 1;
        self.0.set(count);
        let mut bytes = *b"conversations example: \0\0\0\0\0\0\0\0\0";
        bytes[24..].copy_from_slice(&count.to_be_bytes());
        Entropy::new(bytes).expect("the text is not zero")
    }
}

/// An agent: its secrets, and the key package that others seal to.
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) identity: Identity,
    pub(crate) package: KeyPackage,
}

impl Agent {
    fn new(name: &'static str, counter: &Counter) -> Result<Self, Error> {
        Self::of(name, Identity::generate(counter.next()))
    }

    pub(crate) fn of(name: &'static str, identity: Identity) -> Result<Self, Error> {
        let package = identity.key_package(NOW, Duration::from_secs(3600))?;
        Ok(Self { name, identity, package })
    }

    pub(crate) const fn id(&self) -> agent_envelope::AgentId {
        self.identity.id()
    }
}

/// Everybody, in all three topologies.
pub(crate) struct Cast {
    pub(crate) counter: Counter,
    /// Vouches for users.
    login: SigningKey,
    /// Vouches for what the company runs.
    company: SigningKey,
    login_anchor: TrustAnchor,
    company_anchor: TrustAnchor,
    pub(crate) app: Agent,
    pub(crate) planner: Agent,
    pub(crate) tools: Agent,
    pub(crate) writer: Agent,
    pub(crate) orchestrator: Agent,
    pub(crate) operator: Agent,
    pub(crate) advisor: Agent,
    pub(crate) auditor: Agent,
    pub(crate) expert: Agent,
}

/// What the agents may do in one conversation, in whose name.
pub(crate) struct Chains {
    /// Whom the user's chains represent.
    pub(crate) customer: String,
    pub(crate) app: DelegationChain,
    pub(crate) planner: DelegationChain,
    /// The planner works for the company too: a tool is called only if both agree.
    pub(crate) planner_at_company: DelegationChain,
    pub(crate) tools: DelegationChain,
    pub(crate) writer: DelegationChain,
    pub(crate) operator: DelegationChain,
    pub(crate) advisor: DelegationChain,
}

pub(crate) const LOGIN: &str = "https://login.example";
pub(crate) const COMPANY: &str = "https://company.example";
pub(crate) const DESK: &str = "support-desk";

impl Cast {
    pub(crate) fn new() -> Result<Self, Error> {
        let counter = Counter(Cell::new(0));
        let login = SigningKey::generate(counter.next());
        let company = SigningKey::generate(counter.next());
        let all = scope(&["answer", "ask", "call", "instruct", "report"])?;
        let agent = |name| Agent::new(name, &counter);
        Ok(Self {
            login_anchor: TrustAnchor::new(login.id(), LOGIN, Subjects::Any, all.clone())?,
            company_anchor: TrustAnchor::new(company.id(), COMPANY, Subjects::only([DESK]), all)?,
            app: agent("app")?,
            planner: agent("planner")?,
            tools: agent("tools")?,
            writer: agent("writer")?,
            orchestrator: agent("orchestrator")?,
            operator: agent("operator")?,
            advisor: agent("advisor")?,
            auditor: agent("auditor")?,
            expert: agent("expert")?,
            login,
            company,
            counter,
        })
    }

    pub(crate) fn everybody(&self) -> [&Agent; 9] {
        let Self { app, planner, tools, writer, orchestrator, operator, advisor, .. } = self;
        let late = [&self.auditor, &self.expert];
        [app, planner, tools, writer, orchestrator, operator, advisor, late[0], late[1]]
    }

    /// Lets everybody act for one customer: the login service lets the app, the app lets the others do their part.
    pub(crate) fn chains(&self, line: usize) -> Result<Chains, Error> {
        let customer = format!("customer-{line}");
        let app = self.issue(&customer, &self.app, "app", 2)?;
        let hand_on = |chain: &DelegationChain, by: &Agent, to: &Agent, may: &[&str]| {
            let less = Narrow::default().name(to.name).scope(scope(may)?);
            chain.extend(by.identity.signing_key(), to.id(), less, NOW, self.counter.next())
        };
        let planner = hand_on(&app, &self.app, &self.planner, &["answer", "call", "report"])?;
        let desk = Grant::new(DESK, scope(&["answer", "call", "instruct"])?).name("planner");
        Ok(Chains {
            tools: hand_on(&planner, &self.planner, &self.tools, &["report"])?,
            writer: hand_on(&app, &self.app, &self.writer, &["answer"])?,
            operator: hand_on(&app, &self.app, &self.operator, &["answer", "call", "report"])?,
            advisor: hand_on(&app, &self.app, &self.advisor, &["answer"])?,
            planner_at_company: DelegationChain::issue(
                &self.company,
                &self.company_anchor,
                self.planner.id(),
                desk,
                NOW,
                self.counter.next(),
            )?,
            customer,
            app,
            planner,
        })
    }

    /// Issues a chain of one link from the login service.
    pub(crate) fn issue(
        &self,
        subject: &str,
        to: &Agent,
        name: &str,
        depth: u64,
    ) -> Result<DelegationChain, Error> {
        let may = scope(&["answer", "ask", "call", "instruct", "report"])?;
        self.issue_grant(Grant::new(subject, may).name(name).depth(depth), to)
    }

    pub(crate) fn issue_grant(&self, grant: Grant, to: &Agent) -> Result<DelegationChain, Error> {
        let (login, anchor) = (&self.login, &self.login_anchor);
        DelegationChain::issue(login, anchor, to.id(), grant, NOW, self.counter.next())
    }

    /// Configures a verifier: both anchors are trusted, nothing is revoked, limits are the default.
    pub(crate) fn verifier(&self, agent: &Agent) -> Result<Verifier, Error> {
        let anchors = TrustAnchors::new([self.login_anchor.clone(), self.company_anchor.clone()])?;
        Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default())
    }

    pub(crate) fn verifier_with(
        &self,
        agent: &Agent,
        revocations: Revocations,
    ) -> Result<Verifier, Error> {
        let mut verifier = self.verifier(agent)?;
        verifier.set_revocations(revocations);
        Ok(verifier)
    }

    pub(crate) fn inbox(&self, agent: &Agent) -> Result<Inbox, Error> {
        self.verifier(agent).map(Inbox::new)
    }
}

pub(crate) fn scope(actions: &[&str]) -> Result<Scope, Error> {
    Scope::new([Permission::new(actions.iter().copied(), &Resource::everything())?])
}

/// The action that an author must be allowed to say something of this kind.
pub(crate) const fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "ask",
        Kind::System => "instruct",
        Kind::ToolCall => "call",
        Kind::ToolResult => "report",
        _ => "answer",
    }
}

/// What the action is on: the tool, where its name can be written as a resource.
pub(crate) fn resource(tool: Option<&str>) -> Resource {
    let named = tool.and_then(|tool| format!("tools/{tool}").parse().ok());
    named.unwrap_or_else(Resource::everything)
}

/// The two who must agree to a tool call.
pub(crate) fn both<'p>(chains: &'p Chains) -> [Principal<'p>; 2] {
    [Principal::new(LOGIN, &chains.customer), Principal::new(COMPANY, DESK)]
}
