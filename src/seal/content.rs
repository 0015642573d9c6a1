//! One sealed body: encrypted to an audience, for one author at one place. SPEC §8.3.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::audience::AudienceSecret;
use super::cose::{Info, content_headers, enc_structure, write_content_headers};
use super::primitives::{SecretBytes, TAG_LEN, aead_open, aead_seal};
use crate::Error;
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{Digest, Use, hash};
use crate::identity::AgentId;

/// What a sealed body is bound to, and what its key is derived from.
///
/// The commit is in it because one author may seal twice at one place, to fan out or to try again: other content, other
/// key. The author is in it so that nobody can strip the signature and sign the ciphertext as its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The element chain before this element.
    pub(crate) before: &'a [u8; 32],
    pub(crate) author: &'a AgentId,
    pub(crate) kind: u64,
    pub(crate) commit: &'a [u8; 32],
}

impl Place<'_> {
    fn encode(&self) -> Info {
        let mut out = Encoder::on_stack();
        out.array(5).text("agent-envelope/1/content").bytes(self.before);
        out.bytes(self.author.as_bytes()).uint(self.kind).bytes(self.commit);
        out.finish()
    }
}

/// Encrypts an encoded plain body.
///
/// ```cddl
/// sealed-body = [ h'a1011818', { 5: bstr .size 12 }, ciphertext: bstr ]   ; COSE_Encrypt0 of a plain body
/// ```
pub(crate) fn seal(secret: &AudienceSecret, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
    let info = place.encode();
    let (key, iv) = key_and_iv(secret, &info);
    let ciphertext = aead_seal(&key, &iv, &enc_structure("Encrypt0", &info), plain)
        .expect("a body fits in memory, and so within what RFC 8439 allows");
    let mut out = Encoder::with_capacity(ciphertext.len() + 32);
    out.array(3);
    write_content_headers(&mut out, &iv);
    out.bytes(&ciphertext);
    out.finish()
}

/// A sealed body as received: its form is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedBody<'a> {
    bytes: &'a [u8],
    iv: &'a [u8; 12],
    ciphertext: &'a [u8],
}

impl<'a> SealedBody<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        let start = decoder.offset();
        decoder.array_of(3)?;
        let iv = content_headers(decoder)?;
        let offset = decoder.offset();
        let ciphertext = decoder.bytes()?;
        if ciphertext.len() < TAG_LEN {
            return Err(Error::InvalidValue {
                offset,
                expected: "a ciphertext of 16 bytes or more",
            }
            .into());
        }
        Ok(Self { bytes: decoder.since(start), iv, ciphertext })
    }

    /// Names the bytes, so that a router without keys detects any change.
    pub(crate) fn digest(&self) -> Digest {
        digest(self.bytes)
    }

    /// Returns the size of the plain body in bytes, salt and content type included.
    pub(crate) const fn plain_size(&self) -> usize {
        self.ciphertext.len() - TAG_LEN
    }

    /// Decrypts the plain body. Fails in one way only.
    pub(crate) fn open(&self, secret: &AudienceSecret, place: &Place<'_>) -> Option<SecretBytes> {
        let info = place.encode();
        let (key, iv) = key_and_iv(secret, &info);
        if !bool::from(iv.ct_eq(self.iv)) {
            return None;
        }
        aead_open(&key, &iv, &enc_structure("Encrypt0", &info), self.ciphertext)
            .map(SecretBytes::new)
    }
}

/// Names the bytes of a sealed body.
pub(crate) fn digest(body: &[u8]) -> Digest {
    hash(Use::Sealed, 1, |fields| {
        fields.bytes(body);
    })
}

fn key_and_iv(secret: &AudienceSecret, info: &[u8]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 12]>) {
    let derived: Zeroizing<[u8; 44]> = secret.derive(info);
    let (key, iv) = derived.split_at(32);
    let mut out = (Zeroizing::new([0; 32]), Zeroizing::new([0; 12]));
    out.0.copy_from_slice(key);
    out.1.copy_from_slice(iv);
    out
}
