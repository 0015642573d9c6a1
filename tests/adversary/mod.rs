//! What the tests of whole stories share: honest agents with a login that vouches for them, and tools for an adversary
//! that edits bytes outside the builder or signs with keys of its own.

pub(crate) mod cbor;
pub(crate) mod forge;

use std::cell::Cell;
use std::time::Duration;

use agent_envelope::{
    AgentId, DelegationChain, Entropy, Envelope, Error, Grant, Identity, Inbox, KeyPackage, Limits,
    Narrow, Permission, ReplayCapacity, ReplayWindow, Revocations, Scope, SigningKey, Subjects,
    Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use sha2::{Digest, Sha256};

pub(crate) const SECONDS: u64 = 1_800_000_000;
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(SECONDS);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const ISSUER: &str = "https://login.example";

/// A time relative to [`NOW`].
pub(crate) fn later(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(SECONDS + seconds)
}

/// Fresh entropy, the same in every run of a test: each test has a thread of its own.
pub(crate) fn entropy() -> Entropy {
    thread_local!(static DRAWN: Cell<u64> = const { Cell::new(0) });
    let drawn = DRAWN.with(|drawn| {
        drawn.set(drawn.get() + 1);
        drawn.get()
    });
    Entropy::new(Sha256::digest(drawn.to_be_bytes()).into()).expect("a hash is not zero")
}

/// An agent whose secrets a test may use outside the builder, should it turn hostile.
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) identity: Identity,
    pub(crate) seed: [u8; 32],
    pub(crate) sealing: [u8; 32],
}

impl Agent {
    pub(crate) fn new(name: &'static str) -> Self {
        let sealing = Sha256::digest([b"sealing ", name.as_bytes()].concat()).into();
        Self::with_mailbox(name, sealing)
    }

    /// An agent that opens with a sealing key known elsewhere.
    pub(crate) fn with_mailbox(name: &'static str, sealing: [u8; 32]) -> Self {
        let seed = Sha256::digest([b"signing ", name.as_bytes()].concat()).into();
        Self { name, identity: Identity::from_seeds(&seed, &sealing), seed, sealing }
    }

    pub(crate) fn id(&self) -> AgentId {
        self.identity.id()
    }

    pub(crate) fn key(&self) -> &SigningKey {
        self.identity.signing_key()
    }

    pub(crate) fn package(&self) -> KeyPackage {
        self.identity.key_package(NOW, HOUR).expect("an hour is a lifetime")
    }
}

/// A login service, and the agents that trust it.
pub(crate) struct World {
    pub(crate) login: Agent,
    pub(crate) anchor: TrustAnchor,
}

pub(crate) fn scope(permissions: &[(&[&str], &str)]) -> Scope {
    let permissions = permissions.iter().map(|(actions, resource)| {
        let resource = resource.parse().expect("a resource");
        Permission::new(actions.iter().copied(), &resource).expect("a permission")
    });
    Scope::new(permissions).expect("a scope")
}

/// All that the login has to give.
pub(crate) fn everything() -> Scope {
    scope(&[(&["mail.read", "mail.send", "summarise"], "")])
}

impl World {
    pub(crate) fn new() -> Self {
        let login = Agent::new("login");
        let anchor = TrustAnchor::new(login.id(), ISSUER, Subjects::Any, everything())
            .expect("an issuer with a name");
        Self { login, anchor }
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors::new([self.anchor.clone()]).expect("one anchor")
    }

    /// Issues a chain to `holder` in the holder's own name.
    pub(crate) fn issue(&self, holder: &Agent, scope: Scope, depth: u64) -> DelegationChain {
        self.grant(holder, Grant::new(holder.name, scope).depth(depth))
    }

    pub(crate) fn grant(&self, holder: &Agent, grant: Grant) -> DelegationChain {
        DelegationChain::issue(self.login.key(), &self.anchor, holder.id(), grant, NOW, entropy())
            .expect("within the anchor")
    }

    /// The usual authority of an agent.
    pub(crate) fn authority(&self, holder: &Agent) -> DelegationChain {
        self.issue(holder, everything(), 2)
    }

    pub(crate) fn verifier(&self, agent: &Agent) -> Verifier {
        self.verifier_with(agent, Revocations::none(), Limits::default())
    }

    pub(crate) fn verifier_with(
        &self,
        agent: &Agent,
        revocations: Revocations,
        limits: Limits,
    ) -> Verifier {
        Verifier::new(agent.id(), Some(agent.name), self.anchors(), revocations, limits)
            .expect("limits that admit something")
    }

    pub(crate) fn inbox(&self, agent: &Agent) -> Inbox {
        Inbox::new(self.verifier(agent))
    }

    pub(crate) fn small_inbox(&self, agent: &Agent, capacity: ReplayCapacity) -> Inbox {
        let conversations = agent_envelope::Conversations::new(16, 16);
        Inbox::with_state(self.verifier(agent), ReplayWindow::new(capacity), conversations)
    }

    /// What a reader that never saw anything before says to these bytes.
    pub(crate) fn receive(&self, agent: &Agent, bytes: &[u8]) -> Result<(), Error> {
        self.inbox(agent).receive(bytes, NOW).map(|_| ())
    }

    /// Why a reader that never saw anything before refuses these bytes.
    pub(crate) fn refusal(&self, agent: &Agent, bytes: &[u8]) -> Error {
        self.receive(agent, bytes).expect_err("must be refused")
    }
}

/// Hands authority on from one agent to another.
pub(crate) fn extend(
    chain: &DelegationChain,
    holder: &Agent,
    to: &Agent,
    narrower: Narrow,
) -> DelegationChain {
    chain.extend(holder.key(), to.id(), narrower, NOW, entropy()).expect("a narrower link")
}

/// Why bytes are refused for their form alone.
pub(crate) fn malformed(bytes: &[u8]) -> Error {
    Envelope::decode(bytes, &Limits::default()).map(|_| ()).expect_err("must be refused")
}

/// Where `needle` first stands.
pub(crate) fn position(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|window| window == needle).expect("it is there")
}
