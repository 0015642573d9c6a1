//! HPKE of RFC 9180, base mode, single-shot, one suite, for wrapping 32-byte keys. SPEC §5.
//!
//! The suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. The module knows
//! neither COSE nor who the reader is: `info` and `aad` come from outside, and so does the
//! ephemeral key. There is no sequence number, no exporter and no other mode.

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroizing;

use super::primitives::{
    Prk, TAG_LEN, aead_open_in_place, aead_seal_in_place, hkdf_extract, x25519, x25519_public,
};

/// Length of a wrapped key: the 32 bytes of the key and the tag.
pub(crate) const WRAPPED_KEY_LEN: usize = 32 + TAG_LEN;

/// An X25519 private key with its public key, wiped on drop.
///
/// The public key is kept because decapsulation hashes it, and computing it anew would cost every
/// [`open_key`] a second scalar multiplication.
pub(crate) struct SealingSecret {
    /// In a box, so that a vector of keys that grows leaves no copy in the block it had before.
    secret: Box<Zeroizing<[u8; 32]>>,
    public: [u8; 32],
}

impl SealingSecret {
    /// Takes 32 uniform bytes; any 32 bytes are a private key, clamped at use.
    pub(crate) fn from_bytes(secret: [u8; 32]) -> Self {
        let secret = Box::new(Zeroizing::new(secret));
        let public = x25519_public(&secret);
        Self { secret, public }
    }

    /// Returns the public key, which others seal to.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingSecret(..)")
    }
}

/// Wraps `key` for the holder of `recipient`, returning `enc` and the ciphertext. RFC 9180 §6.1.
///
/// `ephemeral` must be fresh from the caller's entropy, which is why it is consumed. `None` if
/// `recipient` is a point of low order, to which nothing can be sealed.
pub(crate) fn seal_key(
    recipient: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    key: &[u8; 32],
    ephemeral: SealingSecret,
) -> Option<([u8; 32], [u8; WRAPPED_KEY_LEN])> {
    // enc, ctx = SetupBaseS(pkR, info)
    let (enc, context) = setup_base_s(recipient, info, ephemeral)?;
    // ct = ctx.Seal(aad, pt)
    let mut ciphertext = [0; WRAPPED_KEY_LEN];
    let (body, tag) = ciphertext.split_at_mut(32);
    body.copy_from_slice(key);
    let computed = aead_seal_in_place(&context.key, &context.base_nonce, aad, body)?;
    tag.copy_from_slice(&computed);
    // return enc, ct
    Some((enc, ciphertext))
}

/// Unwraps a key that [`seal_key`] wrapped for `secret`. RFC 9180 §6.1.
///
/// `None` whatever the reason, and nothing is decrypted before the tag holds.
pub(crate) fn open_key(
    secret: &SealingSecret,
    enc: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8; WRAPPED_KEY_LEN],
) -> Option<Zeroizing<[u8; 32]>> {
    // ctx = SetupBaseR(enc, skR, info)
    let context = setup_base_r(enc, secret, info)?;
    // return ctx.Open(aad, ct)
    let (body, tag) = ciphertext.split_last_chunk()?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(body);
    aead_open_in_place(&context.key, &context.base_nonce, aad, key.as_mut(), tag)?;
    Some(key)
}

/// What seals the first message of a context, and here the only one: at sequence number 0,
/// ComputeNonce (RFC 9180 §5.2) returns the base nonce itself.
struct Context {
    key: Zeroizing<[u8; 32]>,
    base_nonce: Zeroizing<[u8; 12]>,
}

/// SetupBaseS(pkR, info). RFC 9180 §5.1.1.
fn setup_base_s(
    recipient: &[u8; 32],
    info: &[u8],
    ephemeral: SealingSecret,
) -> Option<([u8; 32], Context)> {
    // shared_secret, enc = Encap(pkR)
    let (shared_secret, enc) = encap(recipient, &ephemeral)?;
    // return enc, KeyScheduleS(mode_base, shared_secret, info, default_psk, default_psk_id)
    Some((enc, key_schedule(&shared_secret, info)))
}

/// SetupBaseR(enc, skR, info). RFC 9180 §5.1.1.
fn setup_base_r(enc: &[u8; 32], secret: &SealingSecret, info: &[u8]) -> Option<Context> {
    // shared_secret = Decap(enc, skR)
    let shared_secret = decap(enc, secret)?;
    // return KeyScheduleR(mode_base, shared_secret, info, default_psk, default_psk_id)
    Some(key_schedule(&shared_secret, info))
}

/// Encap(pkR), with the key pair of GenerateKeyPair() as an argument. RFC 9180 §4.1.
fn encap(
    recipient: &[u8; 32],
    ephemeral: &SealingSecret,
) -> Option<(Zeroizing<[u8; 32]>, [u8; 32])> {
    // dh = DH(skE, pkR), never all zero: §7.1.4
    let dh = x25519(&ephemeral.secret, recipient)?;
    // enc = SerializePublicKey(pkE)
    let enc = ephemeral.public;
    // kem_context = concat(enc, SerializePublicKey(pkR))
    // return ExtractAndExpand(dh, kem_context), enc
    Some((extract_and_expand(&dh, [&enc, recipient]), enc))
}

/// Decap(enc, skR). RFC 9180 §4.1.
fn decap(enc: &[u8; 32], secret: &SealingSecret) -> Option<Zeroizing<[u8; 32]>> {
    // pkE = DeserializePublicKey(enc), the identity on 32 bytes: §7.1.1
    // dh = DH(skR, pkE), never all zero: §7.1.4
    let dh = x25519(&secret.secret, enc)?;
    // kem_context = concat(enc, SerializePublicKey(pk(skR)))
    // return ExtractAndExpand(dh, kem_context)
    Some(extract_and_expand(&dh, [enc, &secret.public]))
}

/// ExtractAndExpand(dh, kem_context). RFC 9180 §4.1.
fn extract_and_expand(dh: &[u8; 32], kem_context: [&[u8; 32]; 2]) -> Zeroizing<[u8; 32]> {
    // eae_prk = LabeledExtract("", "eae_prk", dh)
    let eae_prk = labeled_extract(b"", KEM_SUITE_ID, b"eae_prk", dh);
    // return LabeledExpand(eae_prk, "shared_secret", kem_context, Nsecret)
    labeled_expand(&Prk::new(&eae_prk), KEM_SUITE_ID, b"shared_secret", kem_context.map(|k| &k[..]))
}

/// KeySchedule(mode_base, shared_secret, info, "", ""). RFC 9180 §5.1.
fn key_schedule(shared_secret: &[u8; 32], info: &[u8]) -> Context {
    // psk_id_hash = LabeledExtract("", "psk_id_hash", psk_id): in `BASE_MODE_CONTEXT`
    // info_hash = LabeledExtract("", "info_hash", info)
    let info_hash = labeled_extract(b"", HPKE_SUITE_ID, b"info_hash", info);
    // key_schedule_context = concat(mode, psk_id_hash, info_hash)
    let context = [&BASE_MODE_CONTEXT[..], &info_hash[..]];
    // secret = LabeledExtract(shared_secret, "secret", psk)
    let secret = Prk::new(&labeled_extract(shared_secret, HPKE_SUITE_ID, b"secret", b""));
    Context {
        // key = LabeledExpand(secret, "key", key_schedule_context, Nk)
        key: labeled_expand(&secret, HPKE_SUITE_ID, b"key", context),
        // base_nonce = LabeledExpand(secret, "base_nonce", key_schedule_context, Nn)
        base_nonce: labeled_expand(&secret, HPKE_SUITE_ID, b"base_nonce", context),
        // exporter_secret: we export nothing
    }
}

/// LabeledExtract(salt, label, ikm). RFC 9180 §4.
fn labeled_extract(salt: &[u8], suite_id: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<[u8; 32]> {
    // labeled_ikm = concat("HPKE-v1", suite_id, label, ikm)
    hkdf_extract(salt, &[b"HPKE-v1", suite_id, label, ikm])
}

/// LabeledExpand(prk, label, info, L), with `info` in two parts. RFC 9180 §4.
fn labeled_expand<const L: usize>(
    prk: &Prk,
    suite_id: &[u8],
    label: &[u8],
    [left, right]: [&[u8]; 2],
) -> Zeroizing<[u8; L]> {
    // labeled_info = concat(I2OSP(L, 2), "HPKE-v1", suite_id, label, info)
    let [.., high, low] = L.to_be_bytes();
    prk.expand(&[&[high, low], b"HPKE-v1", suite_id, label, left, right])
}

/// concat("KEM", I2OSP(kem_id, 2)). RFC 9180 §4.1.
const KEM_SUITE_ID: &[u8] = b"KEM\x00\x20";

/// concat("HPKE", I2OSP(kem_id, 2), I2OSP(kdf_id, 2), I2OSP(aead_id, 2)). RFC 9180 §5.1.
const HPKE_SUITE_ID: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x03";

/// concat(mode_base, psk_id_hash): with no PSK the hash is the same for every message, so it is
/// written out here; a test computes it.
const BASE_MODE_CONTEXT: [u8; 33] = [
    0x00, //
    0x43, 0x1d, 0xf6, 0xcd, 0x95, 0xe1, 0x1f, 0xf4, 0x9d, 0x70, 0x13, 0x56, 0x3b, 0xaf, 0x7f, 0x11,
    0x58, 0x8c, 0x75, 0xa6, 0x61, 0x1e, 0xe2, 0xa4, 0x40, 0x4a, 0x49, 0x30, 0x6a, 0xe4, 0xcf, 0xc5,
];

#[cfg(test)]
mod tests;
