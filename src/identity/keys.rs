//! The secrets of an agent: one key to sign with, which is its name, and keys to open with, which rotate.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use super::{AgentId, KeyPackage};
use crate::digest::{Use, hash};
use crate::seal::SealingSecret;
use crate::signature;
use crate::{Entropy, Error, Timestamp};

/// An Ed25519 private key (RFC 8032), which knows its public half. Wiped on drop; never printed, cloned or compared.
pub struct SigningKey {
    key: signature::SigningKey,
    id: AgentId,
}

impl SigningKey {
    /// Makes a key from fresh randomness.
    pub fn generate(entropy: Entropy) -> Self {
        let seed = entropy.bind(&hash(Use::Inputs, 0, |_| {}));
        Self::from_seed(&seed.derive("signing-key", 0))
    }

    /// Restores a key from the 32-byte seed of RFC 8032 §5.1.5.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = signature::SigningKey::from_seed(seed);
        let id = AgentId::at(&key.public(), 0)
            .expect("a clamped scalar times the base point is canonical and of large order");
        Self { key, id }
    }

    /// Returns the public key, which names the agent.
    pub const fn id(&self) -> AgentId {
        self.id
    }

    pub(crate) const fn inner(&self) -> &signature::SigningKey {
        &self.key
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// An agent with its secrets: what signs its hops and opens what is sealed to it.
///
/// The signing key is the agent's name and stays; sealing keys come and go. Neither is derived from the other.
/// Secrets are wiped on drop and never printed.
///
/// ```
/// use agent_envelope::{Entropy, Identity};
///
/// let worker = Identity::generate(Entropy::from_os()?);
/// println!("{}", worker.id());                       // did:key:z6Mk…
/// assert_eq!(format!("{worker:?}"), format!("Identity({})", worker.id()));
/// # Ok::<(), agent_envelope::Error>(())
/// ```
pub struct Identity {
    signing: SigningKey,
    /// Newest first, never empty.
    sealing: Vec<SealingSecret>,
}

impl Identity {
    /// Makes a new agent from fresh randomness.
    pub fn generate(entropy: Entropy) -> Self {
        let call = hash(Use::Inputs, 1, |fields| {
            fields.text("identity");
        });
        let seed = entropy.bind(&call);
        Self::from_seeds(&seed.derive("signing-key", 0), &seed.derive("sealing-key", 0))
    }

    /// Restores an agent from the seed of its signing key (RFC 8032 §5.1.5) and the bytes of its X25519 sealing key
    /// (RFC 7748 §5), which must be independent of each other.
    pub fn from_seeds(signing: &[u8; 32], sealing: &[u8; 32]) -> Self {
        Self {
            signing: SigningKey::from_seed(signing),
            sealing: alloc::vec![SealingSecret::from_bytes(*sealing)],
        }
    }

    /// Adds the bytes of an older sealing key, so that mail sealed to it still opens.
    #[must_use]
    pub fn with_older_sealing_key(mut self, sealing: &[u8; 32]) -> Self {
        self.sealing.push(SealingSecret::from_bytes(*sealing));
        self
    }

    /// Makes a new sealing key. Key packages from now on carry it; older keys still open.
    pub fn rotate_sealing_key(&mut self, entropy: Entropy) {
        let inputs = hash(Use::Inputs, 1, |fields| {
            fields.bytes(self.id().as_bytes());
        });
        let secret: Zeroizing<[u8; 32]> = entropy.bind(&inputs).derive("sealing-key", 0);
        self.sealing.insert(0, SealingSecret::from_bytes(*secret));
    }

    /// Forgets all sealing keys but the newest: what was sealed to the others can never be opened again.
    pub fn forget_older_sealing_keys(&mut self) {
        self.sealing.truncate(1);
    }

    /// Returns the agent's name.
    pub const fn id(&self) -> AgentId {
        self.signing.id
    }

    /// Returns the key that signs, which also issues and extends delegation chains.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// Signs a key package for the newest sealing key, valid from `now` for `lifetime`. Others seal to it.
    ///
    /// Whoever verifies it takes none that lives longer than [`Limits::key_package_lifetime`](crate::Limits), a day by
    /// default.
    ///
    /// # Errors
    ///
    /// [`Error::WindowReversed`] for a lifetime under one second.
    pub fn key_package(&self, now: Timestamp, lifetime: Duration) -> Result<KeyPackage, Error> {
        let newest = self
            .sealing
            .first()
            .ok_or(Error::Configuration { reason: "an identity needs a sealing key" })?;
        KeyPackage::sign(&self.signing, newest.public(), now, now.saturating_add(lifetime))
    }

    pub(crate) fn sealing_secrets(&self) -> &[SealingSecret] {
        &self.sealing
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.id())
    }
}
