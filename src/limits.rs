//! What one envelope may cost a verifier, counted in bytes, items and signatures, never in time. SPEC §9.1.

use core::time::Duration;

use crate::Error;

/// Upper bounds that are checked before any cryptography. Whatever is beyond one is refused with
/// [`Error::LimitExceeded`].
///
/// Within the defaults, decoding holds at most 9 bytes of heap for each byte of input and 32 KiB besides; verifying, 384 KiB
/// more; 64 KiB of stack do for decoding, 128 KiB for verifying. Bytes beyond the limit cost nothing at all. `docs/assurance.md` has the
/// figures, and says how they are measured.
///
/// The defaults fit conversations of language-model agents; raise or lower single fields:
///
/// ```
/// use agent_envelope::Limits;
///
/// let mut limits = Limits::default();
/// limits.bytes = 64 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of an envelope, or of a chain, key package or fork that comes by itself. 4 MiB hold a long context; it is also the default limit of a gRPC message.
    pub bytes: usize,
    /// Elements of an envelope. 1024: a turn of an agent has tens.
    pub elements: usize,
    /// Hops. 16: a path longer than that is a loop.
    pub hops: usize,
    /// Agents in each of `to`, `next` and `via`. 16, as many as hops.
    pub agents: usize,
    /// Audiences of an envelope. 16, one for each hop.
    pub audiences: usize,
    /// Readers of one audience. 64.
    pub readers: usize,
    /// Readers of all audiences together. 256: each costs a sender one key agreement.
    pub readers_in_all: usize,
    /// Delegation chains. 8: two for each of four hops that act.
    pub chains: usize,
    /// Links of one chain. 16, as many as hops.
    pub links: usize,
    /// Allotments. 16, as many as agents that a hop can fund.
    pub allotments: usize,
    /// References of one element. 64.
    pub refs: usize,
    /// Labels. 16 of at most 64 bytes for the key and 256 for the value.
    pub labels: usize,
    /// Signatures checked in one batch, after hop 0's. 64, which take about a millisecond.
    pub signatures: usize,
    /// Seconds from `created` to `expires`. A day: a replay window remembers each envelope for as long.
    pub lifetime: Duration,
    /// Seconds from `not-before` to `expires` of a key package. A day: who steals a sealing key reads what was
    /// sealed to it.
    pub key_package_lifetime: Duration,
}

/// Bytes of a label's key.
pub(crate) const LABEL_KEY: usize = 64;
/// Bytes of a label's value.
pub(crate) const LABEL_VALUE: usize = 256;
/// Bytes of a name: issuer, subject, audience, label of a holder, content type. RFC 6838 allows 127 for a media type
/// and its subtype each.
pub(crate) const NAME: usize = 256;

/// Tells whether a text that people and logs will see has no control characters (Unicode category Cc).
pub(crate) fn is_printable(text: &str) -> bool {
    // Nearly every name is ASCII, of which nothing needs to be decoded, and eight bytes are looked at as fast as one.
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let ascii =
        |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
    (eights.iter().all(|eight| ascii(eight)) && ascii(rest)) || !text.chars().any(char::is_control)
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            bytes: 4 * 1024 * 1024,
            elements: 1024,
            hops: 16,
            agents: 16,
            audiences: 16,
            readers: 64,
            readers_in_all: 256,
            chains: 8,
            links: 16,
            allotments: 16,
            refs: 64,
            labels: 16,
            signatures: 64,
            lifetime: DAY,
            key_package_lifetime: DAY,
        }
    }
}

impl Limits {
    /// No limits: for bytes that this agent made itself.
    pub(crate) const fn none() -> Self {
        const ALL: usize = usize::MAX;
        Self {
            bytes: ALL,
            elements: ALL,
            hops: ALL,
            agents: ALL,
            audiences: ALL,
            readers: ALL,
            readers_in_all: ALL,
            chains: ALL,
            links: ALL,
            allotments: ALL,
            refs: ALL,
            labels: ALL,
            signatures: ALL,
            lifetime: Duration::MAX,
            key_package_lifetime: Duration::MAX,
        }
    }
}

/// Compares a count with its limit.
pub(crate) fn within(limit: usize, found: usize, what: &'static str) -> Result<usize, Error> {
    if found > limit { Err(Error::LimitExceeded { what, limit, found }) } else { Ok(found) }
}
