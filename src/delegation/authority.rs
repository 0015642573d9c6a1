//! What verification found an agent to hold: nobody else can make one. SPEC §6.5.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::TrustAnchor;
use super::link::Link;
use super::narrow::{Ceiling, Running};
use crate::Timestamp;
use crate::budget::Terms;
use crate::digest::{ConversationId, LinkId};
use crate::identity::AgentId;
use crate::scope::{Resource, Scope, ScopeRef};

/// Proof that an agent acts for a subject under a trust anchor, and how far. Only verification makes one.
#[derive(Clone, Debug)]
pub struct Authority<'a> {
    anchor: Arc<TrustAnchor>,
    held: Held<'a>,
}

#[derive(Clone, Debug)]
enum Held<'a> {
    /// By the anchor's own key.
    Anchor,
    /// By the holder of a chain under it.
    Delegated { subject: &'a str, path: Vec<Step<'a>>, effective: Running<'a> },
}

/// One link of an authority's path: who holds it, and what the grantor called the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    holder: AgentId,
    name: Option<&'a str>,
    id: LinkId,
}

impl<'a> Step<'a> {
    pub(crate) fn of(link: &Link<'a>) -> Self {
        Self { holder: link.claims.holder, name: link.claims.name, id: link.id }
    }

    /// Returns the agent that holds the authority from here on.
    pub const fn holder(&self) -> AgentId {
        self.holder
    }

    /// Returns what the grantor calls the holder: a label for people, never an input to a decision.
    pub const fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// Returns the link's id, by which it can be revoked.
    pub const fn id(&self) -> LinkId {
        self.id
    }
}

impl<'a> Authority<'a> {
    pub(crate) const fn of_anchor(anchor: Arc<TrustAnchor>) -> Self {
        Self { anchor, held: Held::Anchor }
    }

    pub(crate) const fn delegated(
        anchor: Arc<TrustAnchor>,
        subject: &'a str,
        path: Vec<Step<'a>>,
        effective: Running<'a>,
    ) -> Self {
        Self { anchor, held: Held::Delegated { subject, path, effective } }
    }

    /// Returns the name of the trust anchor.
    pub fn issuer(&self) -> &str {
        &self.anchor.issuer
    }

    /// Returns the key of the trust anchor.
    pub fn anchor(&self) -> AgentId {
        self.anchor.key
    }

    /// Returns whom the agent represents; for an anchor's own key, the anchor's name.
    pub fn subject(&self) -> &str {
        match &self.held {
            Held::Anchor => &self.anchor.issuer,
            Held::Delegated { subject, .. } => subject,
        }
    }

    /// Returns the agent that holds this authority.
    pub fn agent(&self) -> AgentId {
        self.path().last().map_or(self.anchor.key, Step::holder)
    }

    /// Returns the links from the root to the holder; none for an anchor's own key.
    pub fn path(&self) -> &[Step<'a>] {
        match &self.held {
            Held::Anchor => &[],
            Held::Delegated { path, .. } => path,
        }
    }

    /// Tells whether this authority covers `action` on `resource`.
    pub fn allows(&self, action: &str, resource: &Resource) -> bool {
        self.scope_ref().covers(action, resource)
    }

    /// Returns the effective scope.
    pub fn scope(&self) -> Scope {
        self.scope_ref().to_scope()
    }

    fn scope_ref(&self) -> ScopeRef<'_> {
        match &self.held {
            Held::Anchor => self.anchor.scope.view(),
            Held::Delegated { effective, .. } => effective.scope,
        }
    }

    /// Returns how many further links this holder may have below it.
    pub fn depth(&self) -> u64 {
        match &self.held {
            Held::Anchor => self.anchor.depth,
            Held::Delegated { effective, .. } => effective.depth,
        }
    }

    /// Returns the first second of this authority and the second at which it is over; none for an anchor's own key.
    pub fn window(&self) -> Option<(Timestamp, Timestamp)> {
        match &self.held {
            Held::Anchor => None,
            Held::Delegated { effective, .. } => Some((effective.not_before, effective.expires)),
        }
    }

    /// Returns the audience that this authority is made out to.
    pub fn audience(&self) -> Option<&str> {
        match &self.held {
            Held::Anchor => None,
            Held::Delegated { effective, .. } => effective.audience,
        }
    }

    /// Returns the only conversation in which this authority counts, if it is so limited.
    pub fn conversation(&self) -> Option<ConversationId> {
        match &self.held {
            Held::Anchor => None,
            Held::Delegated { effective, .. } => effective.conversation,
        }
    }

    /// Returns the ceiling of each allotment that this holder may sign; `None` if it may sign none.
    pub fn ceiling(&self) -> Option<&Terms> {
        match &self.held {
            Held::Anchor => self.anchor.budget.as_ref(),
            Held::Delegated {
                effective: Running { ceiling: Ceiling::Terms(terms), .. }, ..
            } => Some(terms),
            Held::Delegated { .. } => None,
        }
    }
}
