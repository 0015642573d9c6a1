//! The one rule by which authority is handed on: each link within the running value above it. SPEC §6.2.
//!
//! Builder and verifier call the same [`narrow`]. It compares with the *running effective value*, never with the
//! neighbouring link's literals: what a link omits stays as it was, so that nothing omitted in the middle can be widened
//! at the end.

use super::link::LinkClaims;
use crate::budget::{DepthRule, Terms};
use crate::digest::ConversationId;
use crate::scope::ScopeRef;
use crate::{Error, Timestamp};

/// Which link of which chain is being looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) element: Option<usize>,
    pub(crate) link: usize,
}

/// What is held after the links so far.
#[derive(Clone, Debug)]
pub(crate) struct Running<'a> {
    pub(crate) scope: ScopeRef<'a>,
    /// Re-delegations still allowed.
    pub(crate) depth: u64,
    pub(crate) not_before: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) audience: Option<&'a str>,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) ceiling: Ceiling,
}

/// The most that one allotment of a holder may come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ceiling {
    /// No link has said, and the anchor was not asked.
    Unstated,
    /// The anchor has no budget to hand on.
    Nothing,
    /// At most this.
    Terms(Terms),
}

impl<'a> Running<'a> {
    /// Begins with what the root itself says, to see whether a chain widens over its own links.
    pub(crate) fn of_root(claims: &LinkClaims<'a>) -> Option<Self> {
        Some(Self {
            scope: claims.scope?,
            depth: claims.depth?,
            not_before: claims.not_before,
            expires: claims.expires,
            audience: claims.audience,
            conversation: claims.conversation,
            ceiling: claims.terms.clone().map_or(Ceiling::Unstated, Ceiling::Terms),
        })
    }

    /// Begins with an anchor, link −1 of the chain, to see what a chain is worth under it.
    pub(crate) fn of_anchor(anchor: &'a super::TrustAnchor) -> Self {
        Self {
            scope: anchor.scope.view(),
            depth: anchor.depth,
            not_before: Timestamp::from_unix_seconds(0),
            expires: Timestamp::MAX,
            audience: None,
            conversation: None,
            ceiling: anchor.budget.clone().map_or(Ceiling::Nothing, Ceiling::Terms),
        }
    }
}

/// Narrows what is held by one more link, or says in what the link goes beyond it.
pub(crate) fn narrow<'a>(
    running: Running<'a>,
    claims: &LinkClaims<'a>,
    At { element, link }: At,
) -> Result<Running<'a>, Error> {
    let scope = match &claims.scope {
        None => running.scope,
        Some(scope) => match scope.first_not_within(&running.scope) {
            None => *scope,
            Some(permission) => return Err(Error::ScopeWidened { element, link, permission }),
        },
    };
    let left = running.depth.checked_sub(1);
    let depth = match (left, claims.depth) {
        (None, _) => return Err(Error::DepthExceeded { element, link, allowed: None }),
        (Some(left), Some(stated)) if stated > left => {
            return Err(Error::DepthExceeded { element, link, allowed: Some(left) });
        }
        (Some(left), stated) => stated.unwrap_or(left),
    };
    if claims.not_before < running.not_before || claims.expires > running.expires {
        let (not_before, expires) = (running.not_before, running.expires);
        return Err(Error::WindowWidened { element, link, not_before, expires });
    }
    let audience = match (running.audience, claims.audience) {
        (Some(set), Some(stated)) if set != stated => {
            return Err(Error::AudienceChanged { element, link });
        }
        (set, stated) => set.or(stated),
    };
    let conversation = match (running.conversation, claims.conversation) {
        (Some(set), Some(stated)) if set != stated => {
            return Err(Error::ConversationChanged { element, link });
        }
        (set, stated) => set.or(stated),
    };
    let ceiling = match (running.ceiling, &claims.terms) {
        (set, None) => set,
        (Ceiling::Unstated, Some(stated)) => Ceiling::Terms(stated.clone()),
        (Ceiling::Nothing, Some(_)) => {
            return Err(Error::BudgetWidened { element, link, wider: None });
        }
        (Ceiling::Terms(set), Some(stated)) => match set.narrow(stated, DepthRule::AtMost) {
            Ok(narrowed) => Ceiling::Terms(narrowed),
            Err(wider) => {
                return Err(Error::BudgetWidened { element, link, wider: Some(wider) });
            }
        },
    };
    let (not_before, expires) = (claims.not_before, claims.expires);
    Ok(Running { scope, depth, not_before, expires, audience, conversation, ceiling })
}

/// Narrows an anchor by the root of a chain.
pub(crate) fn under_anchor<'a>(
    anchor: &super::TrustAnchor,
    claims: &LinkClaims<'a>,
) -> Result<Running<'a>, &'static str> {
    let root = claims.root.as_ref().ok_or("issuer")?;
    if root.issuer != anchor.issuer {
        return Err("issuer");
    }
    if !anchor.subjects.allow(root.subject) {
        return Err("subject");
    }
    let span = claims.expires.as_unix_seconds().saturating_sub(claims.not_before.as_unix_seconds());
    if span > anchor.max_lifetime.as_secs() {
        return Err("lifetime");
    }
    let at = At { element: None, link: 0 };
    let narrowed = narrow(Running::of_anchor(anchor), claims, at).map_err(|error| field(&error))?;
    // A root states its scope and depth, so all it takes from the anchor is the budget ceiling.
    let own = Running::of_root(claims).ok_or("scope")?;
    Ok(Running { ceiling: narrowed.ceiling, ..own })
}

/// Names the field in which a link went beyond what is above it.
pub(crate) fn field(error: &Error) -> &'static str {
    match error {
        Error::ScopeWidened { .. } => "scope",
        Error::DepthExceeded { .. } => "depth",
        Error::BudgetWidened { .. } => "budget",
        _ => "claims",
    }
}
