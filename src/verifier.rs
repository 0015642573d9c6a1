//! What a verifier brings along: whom it trusts, what it is called, what it refuses. SPEC §9.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::time::Duration;

use crate::delegation::{Revocations, TrustAnchors};
use crate::identity::{AgentId, Suite};
use crate::time::{Clock, MAX_SKEW};
use crate::{Error, Limits, Timestamp};

/// The configuration of a verifier. It holds no state and reads no clock.
///
/// What must not be forgotten is an argument of [`Verifier::new`]; what may be left alone has a method.
///
/// ```
/// use agent_envelope::{Limits, Revocations, TrustAnchors, Verifier};
/// # use agent_envelope::{AgentId, Permission, Scope, Subjects, TrustAnchor};
/// # let me: AgentId = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw".parse()?;
/// # let scope = Scope::new([Permission::new(["summarise"], &"".parse()?)?])?;
/// # let anchor = TrustAnchor::new(me, "https://login.example", Subjects::Any, scope)?;
///
/// let anchors = TrustAnchors::new([anchor])?;
/// let verifier = Verifier::new(me, Some("summaries.example"), anchors, Revocations::none(), Limits::default())?
///     .require_sealed_content();
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(crate) agent: AgentId,
    pub(crate) audience: Option<String>,
    pub(crate) anchors: TrustAnchors,
    pub(crate) revocations: Revocations,
    pub(crate) limits: Limits,
    pub(crate) skew: Duration,
    pub(crate) sealed_content: Sealing,
    pub(crate) minimum_suite: Suite,
    pub(crate) funding: FundingPolicy,
    pub(crate) untrusted_origin: UntrustedOrigin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FundingPolicy {
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UntrustedOrigin {
    Refused,
    Admitted,
}

impl Verifier {
    /// Configures a verifier for `agent`, which reads or relays. Chains made out to an audience count only if it is
    /// `audience`; with `None`, no such chain counts.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for limits that admit nothing.
    pub fn new(
        agent: AgentId,
        audience: Option<&str>,
        anchors: TrustAnchors,
        revocations: Revocations,
        limits: Limits,
    ) -> Result<Self, Error> {
        if limits.bytes == 0 || limits.hops == 0 || limits.agents == 0 {
            return Err(Error::Configuration { reason: "the limits admit no envelope at all" });
        }
        Ok(Self {
            agent,
            audience: audience.map(ToOwned::to_owned),
            anchors,
            revocations,
            limits,
            skew: Duration::from_secs(30),
            sealed_content: Sealing::Optional,
            minimum_suite: Suite::X25519ChaCha20Poly1305,
            funding: FundingPolicy::Optional,
            untrusted_origin: UntrustedOrigin::Refused,
        })
    }

    /// Sets the difference between clocks that is tolerated: 30 seconds until set otherwise, at most 60.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for more.
    pub fn clock_skew(mut self, skew: Duration) -> Result<Self, Error> {
        if skew > MAX_SKEW {
            return Err(Error::Configuration { reason: "clock skew is at most 60 seconds" });
        }
        self.skew = skew;
        Ok(self)
    }

    /// Refuses envelopes with clear content: [`Error::MustBeSealed`].
    #[must_use]
    pub const fn require_sealed_content(mut self) -> Self {
        self.sealed_content = Sealing::Required;
        self
    }

    /// Refuses envelopes that this agent would read without an allotment that counts: [`Error::MustBeFunded`].
    #[must_use]
    pub const fn require_funding(mut self) -> Self {
        self.funding = FundingPolicy::Required;
        self
    }

    /// Refuses key packages of a weaker suite: [`Error::SuiteTooWeak`].
    #[must_use]
    pub const fn minimum_suite(mut self, suite: Suite) -> Self {
        self.minimum_suite = suite;
        self
    }

    /// Admits envelopes whose originator has no authority that counts. Their elements are unattested and authorize nothing,
    /// but anybody can now make this verifier check signatures and fill the room that all strangers share in the replay
    /// window.
    #[must_use]
    pub const fn dangerously_admit_untrusted_origins(mut self) -> Self {
        self.untrusted_origin = UntrustedOrigin::Admitted;
        self
    }

    /// Replaces the revocation list.
    pub fn set_revocations(&mut self, revocations: Revocations) {
        self.revocations = revocations;
    }

    /// Returns the agent that verifies.
    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// Returns the limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) const fn clock(&self, now: Timestamp) -> Clock {
        Clock::new(now, self.skew)
    }
}
