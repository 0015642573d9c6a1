//! Whom a verifier trusts to begin chains, and with what: configuration, never taken from the wire. SPEC §6.3.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::budget::Terms;
use crate::identity::AgentId;
use crate::limits::is_name;
use crate::scope::Scope;
use crate::{Error, Timestamp};

/// Whom the chains of an anchor may represent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subjects {
    /// Anybody: the anchor speaks for a whole organisation.
    Any,
    /// Exactly these.
    Only(BTreeSet<String>),
}

impl Subjects {
    /// Lists the subjects that are allowed.
    pub fn only<S: Into<String>>(subjects: impl IntoIterator<Item = S>) -> Self {
        Self::Only(subjects.into_iter().map(Into::into).collect())
    }

    pub(crate) fn allow(&self, subject: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(subjects) => subjects.contains(subject),
        }
    }
}

/// A key that may begin delegation chains, and the most it may grant: link −1 of every chain.
///
/// ```
/// use agent_envelope::{AgentId, Resource, Permission, Scope, Subjects, TrustAnchor};
/// use std::time::Duration;
///
/// # let key: AgentId = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw".parse()?;
/// let scope = Scope::new([Permission::new(["mail.read", "mail.send"], &"mail".parse()?)?])?;
/// let anchor = TrustAnchor::new(key, "https://login.example", Subjects::only(["alice@example"]), scope)?
///     .depth(3)
///     .max_lifetime(Duration::from_secs(8 * 60 * 60));
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    pub(crate) key: AgentId,
    pub(crate) issuer: String,
    pub(crate) subjects: Subjects,
    pub(crate) scope: Scope,
    pub(crate) depth: u64,
    pub(crate) max_lifetime: Duration,
    pub(crate) budget: Option<Terms>,
}

impl TrustAnchor {
    /// Trusts `key` under the name `issuer` to grant at most `scope` on behalf of `subjects`. Depth is 3 and lifetime a
    /// day until set otherwise; there is no budget ceiling, so that the anchor funds nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an issuer name that is empty or longer than 256 bytes.
    pub fn new(
        key: AgentId,
        issuer: &str,
        subjects: Subjects,
        scope: Scope,
    ) -> Result<Self, Error> {
        if !is_name(issuer) {
            let reason = "an issuer's name has 1 to 256 bytes and no control characters";
            return Err(Error::Configuration { reason });
        }
        Ok(Self {
            key,
            issuer: issuer.to_owned(),
            subjects,
            scope,
            depth: 3,
            max_lifetime: Duration::from_secs(24 * 60 * 60),
            budget: None,
        })
    }

    /// Sets how many links a chain may have.
    #[must_use]
    pub const fn depth(mut self, links: u64) -> Self {
        self.depth = links;
        self
    }

    /// Sets the longest time from a root's not-before to its expiry, in whole seconds.
    #[must_use]
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Sets the ceiling of each allotment that this anchor, or a holder under it, may sign.
    #[must_use]
    pub fn budget(mut self, ceiling: Terms) -> Self {
        self.budget = Some(ceiling);
        self
    }

    /// Returns the anchor's key.
    pub const fn key(&self) -> AgentId {
        self.key
    }

    /// Returns the name under which it is trusted.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// The anchors of a verifier, one for each key.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    anchors: Vec<Arc<TrustAnchor>>,
}

impl TrustAnchors {
    /// Collects anchors.
    ///
    /// Anchors may share an issuer's name, as the old and the new key of one login service do. Principals go by issuer's
    /// name and subject, not by key: to [`authorize_jointly`](crate::Present::authorize_jointly) and to a
    /// [`Quota`](crate::budget::Quota), anchors with one name are one issuer. Give different names to those that must not
    /// stand in for each other. (Room in the replay window goes by the anchor's key.)
    ///
    /// # Errors
    ///
    /// [`Error::NoAnchors`] if there is none; [`Error::Configuration`] for two with the same key.
    pub fn new(anchors: impl IntoIterator<Item = TrustAnchor>) -> Result<Self, Error> {
        let mut anchors: Vec<_> = anchors.into_iter().map(Arc::new).collect();
        anchors.sort_by_key(|anchor| anchor.key);
        if anchors.is_empty() {
            return Err(Error::NoAnchors);
        }
        if anchors.windows(2).any(|pair| pair[0].key == pair[1].key) {
            return Err(Error::Configuration { reason: "two trust anchors have the same key" });
        }
        Ok(Self { anchors })
    }

    pub(crate) fn find(&self, key: &AgentId) -> Option<&Arc<TrustAnchor>> {
        let index = self.anchors.binary_search_by_key(key, |anchor| anchor.key).ok()?;
        self.anchors.get(index)
    }
}

/// What has been revoked, as of a point in time. Asked for every link, token id and key of every chain, and for every
/// hop signer and anchor.
///
/// ```
/// use agent_envelope::{Revocations, Timestamp};
/// use std::time::Duration;
///
/// let as_of = Timestamp::from_unix_seconds(1_800_000_000);
/// # let stolen: agent_envelope::AgentId = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw".parse()?;
/// let revocations = Revocations::as_of(as_of, Duration::from_secs(3600)).key(stolen);
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// When the list was made, and how old it may become; `None` if there is no list.
    freshness: Option<(Timestamp, Duration)>,
    links: BTreeSet<crate::LinkId>,
    tokens: BTreeSet<crate::TokenId>,
    keys: BTreeSet<AgentId>,
}

impl Revocations {
    /// Says that nothing is ever revoked here, so that expiry alone ends authority.
    pub const fn none() -> Self {
        Self {
            freshness: None,
            links: BTreeSet::new(),
            tokens: BTreeSet::new(),
            keys: BTreeSet::new(),
        }
    }

    /// Begins a list made at `as_of`. Verification fails once it is older than `max_age`, so that a list that is rolled
    /// back or no longer delivered is noticed.
    pub const fn as_of(as_of: Timestamp, max_age: Duration) -> Self {
        let mut list = Self::none();
        list.freshness = Some((as_of, max_age));
        list
    }

    /// Revokes one link, and with it what was delegated under it.
    #[must_use]
    pub fn link(mut self, id: crate::LinkId) -> Self {
        self.links.insert(id);
        self
    }

    /// Revokes the link with this token id (`cti`).
    #[must_use]
    pub fn token(mut self, id: crate::TokenId) -> Self {
        self.tokens.insert(id);
        self
    }

    /// Revokes a key in every role: root, holder, hop signer.
    #[must_use]
    pub fn key(mut self, key: AgentId) -> Self {
        self.keys.insert(key);
        self
    }

    pub(crate) fn check_age(&self, clock: &crate::time::Clock) -> Result<(), Error> {
        let Some((as_of, max_age)) = self.freshness else { return Ok(()) };
        let now = clock.now();
        if clock.is_before(as_of) || clock.is_past(as_of.saturating_add(max_age)) {
            return Err(Error::RevocationsStale { as_of, now, max_age: max_age.as_secs() });
        }
        Ok(())
    }

    pub(crate) fn has_key(&self, key: &AgentId) -> bool {
        self.keys.contains(key)
    }

    pub(crate) fn has_link(&self, link: &super::Link<'_>) -> bool {
        self.links.contains(&link.id)
            || self.tokens.contains(&link.claims.token)
            || self.keys.contains(&link.claims.holder)
    }
}
