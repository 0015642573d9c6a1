//! The COSE numbers and structures of sealing, each in one place. SPEC §8.1.

use crate::cbor::{Buffer, Decoder, Encoder, Fault};

/// `alg` (RFC 9052 §3.1).
pub(super) const HEADER_ALG: i64 = 1;
/// `kid` (RFC 9052 §3.1).
pub(super) const HEADER_KID: i64 = 4;
/// `IV` (RFC 9052 §3.1).
pub(super) const HEADER_IV: i64 = 5;
/// `ek`, the encapsulated key (draft-ietf-cose-hpke).
pub(super) const HEADER_EK: i64 = -4;
/// ChaCha20/Poly1305 (RFC 9053 §4.3).
pub(super) const ALG_CHACHA20_POLY1305: i64 = 24;
/// HPKE-4-KE (draft-ietf-cose-hpke): X25519, HKDF-SHA256, ChaCha20-Poly1305, base mode.
pub(super) const ALG_HPKE_4_KE: i64 = 50;

/// The protected header of every content layer: `{1: 24}`.
pub(super) const CONTENT_HEADER: [u8; 4] = [0xa1, 0x01, 0x18, 0x18];

/// Reads the headers of a content layer, `{1: 24}` protected and `{5: iv}` unprotected, and returns the iv.
pub(super) fn content_headers<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8; 12], Fault> {
    let (mut protected, _) = decoder.embedded()?;
    let mut header = protected.map("protected header")?;
    header
        .required(HEADER_ALG)?
        .constant(ALG_CHACHA20_POLY1305, "algorithm 24 (ChaCha20/Poly1305)")?;
    header.end()?;
    protected.finish()?;
    let mut unprotected = decoder.map("unprotected header")?;
    let iv = unprotected.required(HEADER_IV)?.fixed()?;
    unprotected.end()?;
    Ok(iv)
}

/// Writes what [`content_headers`] reads.
pub(super) fn write_content_headers(out: &mut Encoder, iv: &[u8; 12]) {
    out.bytes(&CONTENT_HEADER).map(1).int(HEADER_IV).bytes(iv);
}

/// What is bound into keys and tags. The longest is the Enc_structure of a body, of 155 bytes.
pub(super) type Info = Buffer<160>;

/// Enc_structure (RFC 9052 §5.3) of a content layer.
pub(super) fn enc_structure(context: &str, external_aad: &[u8]) -> Info {
    let mut out = Encoder::on_stack();
    out.array(3).text(context).bytes(&CONTENT_HEADER).bytes(external_aad);
    out.finish()
}

/// Recipient_structure (draft-ietf-cose-hpke), which becomes the `info` of HPKE.
pub(super) fn recipient_structure(protected: &[u8], extra_info: &[u8]) -> Info {
    let mut out = Encoder::on_stack();
    out.array(4).text("HPKE Recipient").int(ALG_CHACHA20_POLY1305);
    out.bytes(protected).bytes(extra_info);
    out.finish()
}
