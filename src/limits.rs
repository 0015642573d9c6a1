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

/// Tells whether a text may be a name of somebody: 1 to 256 bytes without control characters.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME && is_printable(text)
}

/// Tells whether a text that people and logs will see has no control characters (Unicode category Cc).
pub(crate) fn is_printable(text: &str) -> bool {
    is_printable_ascii(text.as_bytes()) || !text.chars().any(char::is_control)
}

/// Tells whether these bytes are ASCII without control characters, as nearly every name is: nothing needs to be decoded.
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    match bytes.last_chunk::<8>() {
        // The last eight overlap those before.
        Some(last) => bytes.as_chunks::<8>().0.iter().chain([last]).all(eight_are_printable_ascii),
        None => bytes.iter().all(|byte| (b' '..=b'~').contains(byte)),
    }
}

/// Looks at eight bytes as fast as at one: each gets its highest bit if it is no ASCII, is DEL, or is below a space. What is
/// carried into a neighbour comes from a byte that has got it.
fn eight_are_printable_ascii(bytes: &[u8; 8]) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let bytes = u64::from_le_bytes(*bytes);
    let refused = bytes | bytes.wrapping_add(EACH) | bytes.wrapping_sub(0x20 * EACH);
    refused & (0x80 * EACH) == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    /// All bytes, beside those at which something changes, at every place of texts shorter than eight bytes, as long, and
    /// longer.
    #[test]
    fn eight_bytes_at_a_time_say_what_each_byte_says() {
        let is_printable = |byte: &u8| (b' '..=b'~').contains(byte);
        let beside = [0, 0x1f, b' ', b'~', 0x7f, 0x80, 0xff];
        for length in [2, 7, 8, 9, 15, 16, 17] {
            for at in 0..length - 1 {
                for pair in (0..=255).flat_map(|byte| beside.map(|other| [byte, other])) {
                    for pair in [pair, [pair[1], pair[0]]] {
                        let mut bytes = [b'~'; 17];
                        bytes[at..at + 2].copy_from_slice(&pair);
                        let found = is_printable_ascii(&bytes[..length]);
                        assert_eq!(found, pair.iter().all(is_printable), "{pair:x?} at {at}");
                    }
                }
            }
        }
        assert!(is_printable_ascii(b""));
    }
}
