//! `H(use, …)`: SHA-256 over a deterministic CBOR array that begins with what the hash is for. SPEC §2.2.
//!
//! Uses are an enum, so no two can share a label, and fields carry their lengths, so no two inputs can share bytes.

use core::fmt;

use sha2::digest::Update;
use sha2::{Digest as _, Sha256};

use crate::cbor::{Encoder, Sink};

/// What a hash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The header bytes.
    Envelope,
    /// One step of the element chain.
    Element,
    /// A content element's commitment to author, salt, content type and content.
    Commit,
    /// A control element's commitment to author, kind and body.
    Control,
    /// A sealed body.
    Sealed,
    /// A context and its parties.
    Conversation,
    /// Whom a replay window counts together: anchor and subject.
    Principal,
    /// The bytes of a delegation chain, as a cache key.
    Chain,
    /// The bytes of a key package, as a cache key.
    KeyPackage,
    /// All inputs of a call that consumes entropy.
    Inputs,
}

impl Use {
    const fn label(self) -> &'static str {
        match self {
            Self::Envelope => "agent-envelope/1/envelope",
            Self::Element => "agent-envelope/1/element",
            Self::Commit => "agent-envelope/1/commit",
            Self::Control => "agent-envelope/1/control",
            Self::Sealed => "agent-envelope/1/sealed",
            Self::Conversation => "agent-envelope/1/conversation",
            Self::Principal => "agent-envelope/1/principal",
            Self::Chain => "agent-envelope/1/chain",
            Self::KeyPackage => "agent-envelope/1/package",
            Self::Inputs => "agent-envelope/1/inputs",
        }
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        Update::update(self, bytes);
    }
}

/// Hashes `use` and `fields` items, which `write` encodes.
pub(crate) fn hash(
    purpose: Use,
    fields: usize,
    write: impl FnOnce(&mut Encoder<Sha256>),
) -> Digest {
    #[cfg(test)]
    crate::cost::hash();
    let mut encoder = Encoder::over(Sha256::new());
    encoder.array(fields + 1).text(purpose.label());
    write(&mut encoder);
    Digest(encoder.finish().finalize().into())
}

macro_rules! digests {
    ($( $(#[doc = $doc:literal])+ $name:ident($size:literal); )+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) [u8; $size]);

        impl $name {
            /// Takes the bytes as they are; nothing is claimed about what they name.
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )+ };
}

digests! {
    /// A SHA-256 digest of something that has no name of its own.
    Digest(32);
    /// `g`, the digest of an envelope's header, to which everything in the envelope is bound.
    HeaderDigest(32);
    /// The id of an element: the value of the element chain after it.
    ElementId(32);
    /// The id of a hop. Hop 0's is the envelope's origin id, the last hop's its tip.
    HopId(32);
    /// The id of a delegation link.
    LinkId(32);
    /// The id of a conversation: a context and the parties to it.
    ConversationId(32);
    /// The id of an audience, which commits to its secret.
    AudienceId(32);
    /// The id of an allotment, root or split.
    AllotmentId(32);
    /// The id of a ledger entry; of a split, also the id of the allotment that it makes.
    EntryId(32);
    /// The random id that the originator gives an envelope.
    EnvelopeId(16);
    /// The random id that the first originator gives a conversation.
    ContextId(16);
    /// The random id that makes every delegation link unique and revocable (`cti`, RFC 8392 §3.1.7).
    TokenId(16);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_sha256_of_the_labelled_cbor_array() {
        let mut expected = vec![0x82, 0x78, 26];
        expected.extend_from_slice(b"agent-envelope/1/principal");
        expected.extend_from_slice(&[0x42, 7, 8]);
        let expected: [u8; 32] = Sha256::digest(expected).into();
        let found = hash(Use::Principal, 1, |fields| {
            fields.bytes(&[7, 8]);
        });
        assert_eq!(found.0, expected);
    }

    #[test]
    fn fields_cannot_flow_into_each_other() {
        let split = |a: &[u8], b: &[u8]| {
            hash(Use::Element, 2, |fields| {
                fields.bytes(a).bytes(b);
            })
        };
        assert_ne!(split(b"ab", b"c"), split(b"a", b"bc"));
    }
}
