//! An agent's sealing key, signed by the agent itself. SPEC §5.2.

use alloc::vec::Vec;

use super::{AgentId, SigningKey};
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{Digest, Use, hash};
use crate::limits::within;
use crate::signature::Check;
use crate::statement::{Parent, Statement, StatementKind, sign};
use crate::time::{Clock, MAX_SKEW};
use crate::{Error, Limits, Place, Timestamp};

/// A set of algorithms for sealing. Larger numbers are stronger, so that a policy can state a minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Suite 1: X25519, HKDF-SHA256, ChaCha20-Poly1305 (COSE HPKE-4-KE).
    X25519ChaCha20Poly1305,
}

impl Suite {
    /// Returns the suite's number on the wire.
    pub const fn number(self) -> u64 {
        match self {
            Self::X25519ChaCha20Poly1305 => 1,
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Fault> {
        let offset = decoder.offset();
        match decoder.uint()? {
            1 => Ok(Self::X25519ChaCha20Poly1305),
            _ => {
                Err(Error::InvalidValue { offset, expected: "a suite that is known here (1)" }
                    .into())
            }
        }
    }
}

/// A verified key package: the agent itself says that mail sealed to this key is for it.
///
/// ```cddl
/// key-package = { 1: agent-id, 2: suite, 3: sealing-key: bstr .size 32, 4: not-before: uint, 5: expires: uint }
/// ```
///
/// Senders seal to this type only, so a key that somebody else put in its place is never sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackage {
    claims: Claims,
    bytes: Vec<u8>,
}

/// What a key package says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) agent: AgentId,
    pub(crate) suite: Suite,
    pub(crate) sealing_key: [u8; 32],
    pub(crate) not_before: Timestamp,
    pub(crate) expires: Timestamp,
}

impl KeyPackage {
    /// Verifies a key package that came by itself, from a directory or an agent card.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] and encoding errors; [`Error::KeyPackageWindow`] from its end on, and more than a minute before its beginning; [`Error::LifetimeTooLong`] beyond
    /// [`Limits::key_package_lifetime`]; [`Error::KeyPackageSignature`].
    pub fn verify(bytes: &[u8], now: Timestamp, limits: &Limits) -> Result<Self, Error> {
        within(limits.bytes, bytes.len(), "bytes")?;
        let mut decoder = Decoder::new(bytes);
        let package = Unverified::decode(&mut decoder, limits, None)?;
        decoder.finish()?;
        package.claims.check_sealable(now)?;
        let agent = package.claims.agent;
        let refused = Error::KeyPackageSignature { element: None, agent };
        package.check(None)?.verify().map_err(|_| refused)?;
        Ok(Self { claims: package.claims, bytes: bytes.to_vec() })
    }

    pub(crate) fn sign(
        key: &SigningKey,
        sealing_key: [u8; 32],
        not_before: Timestamp,
        expires: Timestamp,
    ) -> Result<Self, Error> {
        if expires <= not_before {
            let place = Place::Call;
            return Err(Error::WindowReversed { place, not_before, expires });
        }
        let suite = Suite::X25519ChaCha20Poly1305;
        let claims = Claims { agent: key.id(), suite, sealing_key, not_before, expires };
        let mut payload = Encoder::new();
        payload.map(5);
        payload.uint(1).bytes(claims.agent.as_bytes());
        payload.uint(2).uint(suite.number());
        payload.uint(3).bytes(&sealing_key);
        payload.uint(4).uint(not_before.as_unix_seconds());
        payload.uint(5).uint(expires.as_unix_seconds());
        let payload = payload.finish();
        let (bytes, _) = sign(key.inner(), StatementKind::KeyPackage, Parent::None, None, &payload);
        Ok(Self { claims, bytes })
    }

    /// Returns the agent that opens what is sealed to this package.
    pub const fn agent(&self) -> AgentId {
        self.claims.agent
    }

    /// Returns the suite.
    pub const fn suite(&self) -> Suite {
        self.claims.suite
    }

    /// Returns the first second in which the package may be used.
    pub const fn not_before(&self) -> Timestamp {
        self.claims.not_before
    }

    /// Returns the second from which on the package may no longer be used.
    pub const fn expires(&self) -> Timestamp {
        self.claims.expires
    }

    /// Returns the bytes to hand out: 196 to 204 of them, depending on the dates.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Wraps what a verified envelope carried. Only envelope verification may call this, after the batch.
    pub(crate) fn assertion(package: &Unverified<'_>) -> Self {
        Self { claims: package.claims, bytes: package.bytes.to_vec() }
    }
}

impl Claims {
    pub(crate) fn check_window(&self, clock: &Clock) -> Result<(), Error> {
        let (not_before, expires) = (self.not_before, self.expires);
        if clock.is_before(not_before) || clock.is_past(expires) {
            return Err(Error::KeyPackageWindow { not_before, expires, now: clock.now() });
        }
        Ok(())
    }

    /// Checks that mail may be sealed to the package: its agent's clock may be ahead, but nothing is sealed to what is over.
    pub(crate) fn check_sealable(&self, now: Timestamp) -> Result<(), Error> {
        let (not_before, expires) = (self.not_before, self.expires);
        if Clock::new(now, MAX_SKEW).is_before(not_before) || Clock::exact(now).is_past(expires) {
            return Err(Error::KeyPackageWindow { not_before, expires, now });
        }
        Ok(())
    }
}

/// A key package as received: its form is checked, its signature is not.
#[derive(Clone, Debug)]
pub(crate) struct Unverified<'a> {
    pub(crate) claims: Claims,
    statement: Statement<'a>,
    bytes: &'a [u8],
}

impl<'a> Unverified<'a> {
    /// Reads a key package; `element` carries it, if it does not come by itself.
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        element: Option<usize>,
    ) -> Result<Self, Fault> {
        let place = element.map_or(Place::Call, Place::Element);
        let start = decoder.offset();
        let statement = Statement::decode(decoder)?;
        let bytes = decoder.since(start);
        let mut payload = statement.payload();
        let mut map = payload.map("key package")?;
        let agent = map.required(1).and_then(agent_id)?;
        let suite = Suite::decode(map.required(2)?)?;
        let sealing_key = *map.required(3)?.fixed()?;
        let not_before = Timestamp::from_unix_seconds(map.required(4)?.uint()?);
        let expires = Timestamp::from_unix_seconds(map.required(5)?.uint()?);
        map.end()?;
        payload.finish()?;
        let (begin, end) = (not_before.as_unix_seconds(), expires.as_unix_seconds());
        if end <= begin {
            return Err(Error::WindowReversed { place, not_before, expires }.into());
        }
        let (seconds, maximum) = (end - begin, limits.key_package_lifetime.as_secs());
        if seconds > maximum {
            return Err(Error::LifetimeTooLong { place, seconds, maximum }.into());
        }
        let claims = Claims { agent, suite, sealing_key, not_before, expires };
        Ok(Self { claims, statement, bytes })
    }

    /// Names the whole key package, signature included, for a cache.
    pub(crate) fn digest(&self) -> Digest {
        hash(Use::KeyPackage, 1, |fields| {
            fields.bytes(self.bytes);
        })
    }

    pub(crate) fn check(&self, element: Option<usize>) -> Result<Check, Error> {
        let agent = self.claims.agent;
        self.statement
            .bind(StatementKind::KeyPackage, Parent::None)
            .check(&agent)
            .map_err(|_| Error::KeyPackageSignature { element, agent })
    }
}

/// Reads an agent id.
pub(crate) fn agent_id(decoder: &mut Decoder<'_>) -> Result<AgentId, Fault> {
    let offset = decoder.offset();
    Ok(AgentId::at(decoder.fixed()?, offset)?)
}
