//! The name of an agent: its Ed25519 public key, in text a `did:key`. SPEC §5.1.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::Error;
use crate::signature::{KeyFault, check_key};

/// Multicodec `ed25519-pub` (0xed) as an unsigned varint.
const MULTICODEC: [u8; 2] = [0xed, 0x01];

/// `did:key` with multibase `z`, which is base58btc.
const PREFIX: &str = "did:key:z";

/// Fifty-eight to the 47th is less than 256 to the 34th, so every Ed25519 `did:key` has 47 or 48 digits.
const MAX_DIGITS: usize = 48;

/// An agent's 32-byte Ed25519 public key (RFC 8032 §5.1.5), which is also its name.
///
/// The bytes are a canonical encoding and no point of small order. Whether they are on the curve shows with the first
/// signature: nothing verifies under a name that is not.
///
/// Text form is [`did:key`](https://w3c-ccg.github.io/did-key-spec/):
///
/// ```
/// use agent_envelope::AgentId;
///
/// let agent: AgentId = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw".parse()?;
/// assert_eq!(agent.as_bytes()[..4], [0xd7, 0x5a, 0x98, 0x01]);
/// assert_eq!(agent.to_string(), "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw");
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId([u8; 32]);

impl AgentId {
    /// Takes a public key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAgentId`] at offset 0 for an encoding that is not canonical (y ≥ p, or x = 0 with the sign bit
    /// set), and for the eight points of small order, under which one signature fits every message.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Error> {
        Self::at(&bytes, 0)
    }

    /// Takes a public key that stands at `offset` of the input.
    pub(crate) fn at(bytes: &[u8; 32], offset: usize) -> Result<Self, Error> {
        let reason = match check_key(bytes) {
            Ok(()) => return Ok(Self(*bytes)),
            Err(KeyFault::NonCanonical) => "the key is not in canonical form",
            Err(KeyFault::SmallOrder) => "the key is a point of small order",
        };
        Err(Error::InvalidAgentId { offset, reason })
    }

    /// Takes bytes that were checked where they were read.
    pub(crate) const fn checked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Refuses an agent that acts where another must.
    pub(crate) fn must_be(self, expected: Self) -> Result<(), Error> {
        if self == expected { Ok(()) } else { Err(Error::WrongIdentity { expected, found: self }) }
    }

    /// Returns the public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = Error;

    /// Parses a `did:key`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAgentId`] for another DID method or multibase (`did:web:…`, `did:key:f…`), a multicodec other than
    /// `ed25519-pub` (`did:key:z6LS…`), a digit outside base58btc, a fragment (`…#z6Mk…`), and whatever
    /// [`AgentId::from_bytes`] refuses.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |offset, reason| Error::InvalidAgentId { offset, reason };
        let digits = text
            .strip_prefix(PREFIX)
            .ok_or(refuse(0, "a did:key with base58btc begins with did:key:z"))?;
        // Base conversion is quadratic, so length comes first.
        if digits.len() > MAX_DIGITS {
            return Err(refuse(PREFIX.len(), "the did:key is too long for an Ed25519 key"));
        }
        let mut decoded = [0; 64];
        let length = bs58::decode(digits)
            .onto(&mut decoded[..])
            .map_err(|_| refuse(PREFIX.len(), "a character is not in base58btc"))?;
        let key = decoded[..length]
            .strip_prefix(&MULTICODEC)
            .and_then(|key| <&[u8; 32]>::try_from(key).ok())
            .ok_or(refuse(PREFIX.len(), "the multicodec is not ed25519-pub with 32 bytes"))?;
        Self::at(key, PREFIX.len())
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 34];
        bytes[..2].copy_from_slice(&MULTICODEC);
        bytes[2..].copy_from_slice(&self.0);
        let digits: String = bs58::encode(bytes).into_string();
        f.write_str(PREFIX)?;
        f.write_str(&digits)
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn unhex(text: &str) -> [u8; 32] {
        let bytes: Vec<u8> = (0..32)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
            .collect();
        bytes.try_into().expect("32 bytes")
    }

    /// The keys of RFC 8032 §7.1 and of the did:key specification's test vectors.
    const PAIRS: [(&str, &str); 5] = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "did:key:z6MkiaMbhXHNA4eJVCCj8dbzKzTgYDKf6crKgHVHid1F1WCT",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "did:key:z6MkwSD8dBdqcXQzKJZQFPy2hh2izzxskndKCjdmC2dBpfME",
        ),
        (
            "2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6",
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        ),
        (
            "095f9a1a595dde755d82786864ad03dfa5a4fbd68832566364e2b65e13cc9e44",
            "did:key:z6Mkf5rGMoatrSj1f4CyvuHBeXJELe9RPdzo2PKGNCKVtZxP",
        ),
    ];

    #[test]
    fn published_did_keys_are_parsed_and_printed() {
        for (hex, did) in PAIRS {
            let agent = AgentId::from_bytes(unhex(hex)).expect("a published key");
            assert_eq!(agent.to_string(), did);
            assert_eq!(alloc::format!("{agent:?}"), alloc::format!("AgentId({did})"));
            assert_eq!(did.parse(), Ok(agent));
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        let long = "did:key:z".to_string() + &"1".repeat(10_000);
        for (text, offset, reason) in [
            ("", 0, "a did:key with base58btc begins with did:key:z"),
            ("did:web:example.com", 0, "a did:key with base58btc begins with did:key:z"),
            ("did:key:f00", 0, "a did:key with base58btc begins with did:key:z"),
            (&long, 9, "the did:key is too long for an Ed25519 key"),
            (&long[..9 + 49], 9, "the did:key is too long for an Ed25519 key"),
            (&long[..9 + 48], 9, "the multicodec is not ed25519-pub with 32 bytes"),
            (
                "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMs0",
                9,
                "a character is not in base58btc",
            ),
            (
                "did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",
                9,
                "the multicodec is not ed25519-pub with 32 bytes",
            ),
            ("did:key:z", 9, "the multicodec is not ed25519-pub with 32 bytes"),
            (
                "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMs",
                9,
                "the multicodec is not ed25519-pub with 32 bytes",
            ),
        ] {
            assert_eq!(
                text.parse::<AgentId>(),
                Err(Error::InvalidAgentId { offset, reason }),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_that_sign_anything_or_have_two_names_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(
            AgentId::from_bytes(identity),
            Err(Error::InvalidAgentId { offset: 0, reason: "the key is a point of small order" })
        );
        assert_eq!(
            AgentId::from_bytes([0xff; 32]),
            Err(Error::InvalidAgentId { offset: 0, reason: "the key is not in canonical form" })
        );
    }
}
