//! COSE_Sign1 (RFC 9052 §4.2) as the protocol uses it: signed bytes with a kind and the parent they are bound to. SPEC §4.
//!
//! Knows no payload. The `external_aad` is `["agent-envelope/1/" + kind, …parent]`, so a statement of one kind, or one
//! made under another parent, is none of another.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::cbor::{Buffer, Decoder, Encoder, Fault};
use crate::digest::Digest;
use crate::identity::AgentId;
use crate::signature::{Check, SignatureFault, SigningKey};

/// COSE algorithm Ed25519, fully specified (RFC 9864 §2.2).
const ALG_ED25519: i64 = -19;
const HEADER_ALG: i64 = 1;
const HEADER_KID: i64 = 4;
const SIGNATURE_SIZE: usize = 64;

/// What a statement states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementKind {
    /// A sealing key, by the agent itself.
    KeyPackage,
    /// A delegation link; the parent is the link above it, or none.
    Link,
    /// A hop; the parent is the hop before, or the header.
    Hop,
    /// A root allotment.
    Allotment,
    /// An entry of a ledger.
    Entry,
}

impl StatementKind {
    const fn label(self) -> &'static str {
        match self {
            Self::KeyPackage => "agent-envelope/1/key-package",
            Self::Link => "agent-envelope/1/link",
            Self::Hop => "agent-envelope/1/hop",
            Self::Allotment => "agent-envelope/1/allotment",
            Self::Entry => "agent-envelope/1/entry",
        }
    }
}

/// What a statement is bound to besides its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parent<'a> {
    /// The kind has no parent.
    None,
    /// The kind has a parent, but this statement is the first.
    Root,
    /// The parent's id.
    Id(&'a [u8; 32]),
}

/// A statement as received: nothing checked but its form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    protected: &'a [u8],
    /// The payload's bytes and their offset in the input.
    payload: &'a [u8],
    payload_offset: usize,
    signature: &'a [u8; SIGNATURE_SIZE],
}

impl<'a> Statement<'a> {
    /// Reads a statement whose protected header is exactly `{1: -19}`.
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        Self::read(decoder, false).map(|(statement, _)| statement)
    }

    /// Reads a statement whose protected header is exactly `{1: -19, 4: kid}`, the kid a public key.
    pub(crate) fn decode_with_key_id(decoder: &mut Decoder<'a>) -> Result<(Self, AgentId), Fault> {
        let offset = decoder.offset();
        let (statement, key_id) = Self::read(decoder, true)?;
        let key_id =
            key_id.ok_or(Error::MissingKey { offset, key: HEADER_KID, map: "protected header" })?;
        Ok((statement, key_id))
    }

    fn read(
        decoder: &mut Decoder<'a>,
        with_key_id: bool,
    ) -> Result<(Self, Option<AgentId>), Fault> {
        decoder.array_of(4)?;
        let (mut inner, protected) = decoder.embedded()?;
        let mut header = inner.map("protected header")?;
        header.required(HEADER_ALG)?.constant(ALG_ED25519, "algorithm -19 (Ed25519)")?;
        let key_id = if with_key_id {
            let value = header.required(HEADER_KID)?;
            let offset = value.offset();
            Some(AgentId::at(value.fixed()?, offset)?)
        } else {
            None
        };
        header.end()?;
        inner.finish()?;
        decoder.map("unprotected header")?.end()?;
        let payload = decoder.bytes()?;
        let payload_offset = decoder.offset() - payload.len();
        let signature = decoder.fixed()?;
        Ok((Self { protected, payload, payload_offset, signature }, key_id))
    }

    /// Opens the payload for reading.
    pub(crate) fn payload(&self) -> Decoder<'a> {
        Decoder::at(self.payload, self.payload_offset)
    }

    /// Binds the statement to its kind and parent, which gives it an id and makes its signature checkable.
    pub(crate) fn bind(&self, kind: StatementKind, parent: Parent<'_>) -> Bound<'a> {
        let head = head(self.protected, kind, parent, self.payload.len());
        Bound { head, payload: self.payload, signature: self.signature }
    }
}

/// A statement together with what it is bound to.
pub(crate) struct Bound<'a> {
    head: Head,
    payload: &'a [u8],
    signature: &'a [u8; SIGNATURE_SIZE],
}

impl Bound<'_> {
    /// Returns the statement's id, the SHA-256 of its Sig_structure: it names content, not signature bytes.
    pub(crate) fn id(&self) -> Digest {
        id(&self.head, self.payload)
    }

    /// Checks the form of the signature and prepares its equation.
    pub(crate) fn check(&self, signer: &AgentId) -> Result<Check, SignatureFault> {
        Check::new(signer.as_bytes(), &[&self.head, self.payload], self.signature)
    }
}

/// Makes a statement: its encoded bytes and its id.
pub(crate) fn sign(
    key: &SigningKey,
    kind: StatementKind,
    parent: Parent<'_>,
    key_id: Option<&AgentId>,
    payload: &[u8],
) -> (Vec<u8>, Digest) {
    let mut protected = Encoder::new();
    protected.map(1 + usize::from(key_id.is_some())).int(HEADER_ALG).int(ALG_ED25519);
    if let Some(key_id) = key_id {
        protected.int(HEADER_KID).bytes(key_id.as_bytes());
    }
    let protected = protected.finish();
    let head = head(&protected, kind, parent, payload.len());
    let signature = key.sign(&[&head, payload]);
    let mut statement =
        Encoder::with_capacity(protected.len() + payload.len() + SIGNATURE_SIZE + 16);
    statement.array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature);
    (statement.finish(), id(&head, payload))
}

/// Everything of the Sig_structure `["Signature1", protected, external_aad, payload]` before the payload's bytes.
fn head(protected: &[u8], kind: StatementKind, parent: Parent<'_>, payload: usize) -> Head {
    let mut external_aad: Encoder<Head> = Encoder::on_stack();
    match parent {
        Parent::None => external_aad.array(1).text(kind.label()),
        Parent::Root => external_aad.array(2).text(kind.label()).null(),
        Parent::Id(id) => external_aad.array(2).text(kind.label()).bytes(id),
    };
    let mut head: Encoder<Head> = Encoder::on_stack();
    head.array(4).text("Signature1").bytes(protected).bytes(&external_aad.finish());
    head.bytes_head(payload);
    head.finish()
}

fn id(head: &Head, payload: &[u8]) -> Digest {
    #[cfg(test)]
    crate::cost::hash();
    Digest(Sha256::new().chain_update(&**head).chain_update(payload).finalize().into())
}

/// The longest head is a root link's, with 41 bytes of protected header and 76 of external_aad: 144 in all.
type Head = Buffer<160>;

#[cfg(test)]
mod tests;
