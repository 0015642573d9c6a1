//! HKDF-SHA256, ChaCha20-Poly1305 and X25519 as total functions on byte arrays. SPEC §5.
//!
//! The one place that names the crates behind them. It knows neither HPKE nor COSE, nor what any
//! secret is for, and it makes no randomness.

use alloc::vec::Vec;
use core::ops::Deref;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of the Poly1305 tag that ends every ciphertext.
pub(crate) const TAG_LEN: usize = 16;

/// Secret bytes of any length, wiped on drop.
#[derive(Clone)]
pub(crate) struct SecretBytes(Zeroizing<Block>);

/// Bytes that are wiped as one slice. `Vec<u8>` would go byte by byte, which for long content takes
/// a tenth of the time of decrypting it.
#[derive(Clone)]
struct Block(Vec<u8>);

impl Zeroize for Block {
    fn zeroize(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl SecretBytes {
    /// Takes bytes that have not been moved from one allocation to another.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(Block(bytes)))
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.0
    }
}

/// Concentrates the `ikm` parts into one uniform secret. RFC 5869 §2.2.
pub(crate) fn hkdf_extract(salt: &[u8], ikm: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // PRK = HMAC-Hash(salt, IKM); a salt not provided is HashLen zeros, which HMAC pads alike.
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(salt).expect("HMAC takes keys of any length");
    ikm.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A pseudorandom key ready to expand, its HMAC key schedule computed once.
pub(crate) struct Prk(Hkdf<Sha256>);

impl Prk {
    /// Keys HMAC with `prk`, which must be uniform: extracted, or drawn as 32 random bytes.
    pub(crate) fn new(prk: &[u8; 32]) -> Self {
        Self(Hkdf::from_prk(prk).expect("32 bytes, one SHA-256 output"))
    }

    /// Derives `N` bytes bound to the concatenation of `info`. RFC 5869 §2.3.
    pub(crate) fn expand<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "HKDF counts its blocks in one byte") };
        let mut okm = Zeroizing::new([0; N]);
        self.0.expand_multi_info(info, okm.as_mut()).expect("N is at most 255 blocks");
        okm
    }
}

/// Encrypts `plaintext` in one allocation and appends the tag. RFC 8439 §2.8.
///
/// A pair of key and nonce must never seal twice. `None` for a plaintext past 256 GiB, where the
/// 32-bit block counter ends.
pub(crate) fn aead_seal(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let mut sealed = Vec::with_capacity(plaintext.len().checked_add(TAG_LEN)?);
    sealed.extend_from_slice(plaintext);
    let tag = aead_seal_in_place(key, nonce, aad, &mut sealed)?;
    sealed.extend_from_slice(&tag);
    Some(sealed)
}

/// Decrypts what [`aead_seal`] made, in one allocation; `None` unless the tag holds.
pub(crate) fn aead_open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    ciphertext: &[u8],
) -> Option<Vec<u8>> {
    let (body, tag) = ciphertext.split_last_chunk()?;
    let mut opened = body.to_vec();
    aead_open_in_place(key, nonce, aad, &mut opened, tag)?;
    Some(opened)
}

/// Encrypts `buffer` where it lies and returns the tag; limits as in [`aead_seal`].
pub(crate) fn aead_seal_in_place(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    let cipher = ChaCha20Poly1305::new(key.into());
    let tag = cipher.encrypt_inout_detached(nonce.into(), aad, buffer.into()).ok()?;
    Some(tag.into())
}

/// Decrypts `buffer` where it lies; `None`, and still ciphertext, unless the tag holds.
pub(crate) fn aead_open_in_place(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    let cipher = ChaCha20Poly1305::new(key.into());
    cipher.decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag.into()).ok()
}

/// Multiplies `public` by the clamped `secret`. RFC 7748 §5.
///
/// `None` if the result is all zero: `public` was of low order, and everybody would know the
/// shared secret. RFC 7748 §6.1; compared in constant time.
pub(crate) fn x25519(secret: &[u8; 32], public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    #[cfg(test)]
    crate::cost::agreement();
    // The Edwards form of the curve has vector code for AVX2, which takes two thirds of the
    // ladder's time. Both take the same time for every secret; which of them runs is the public
    // point's choice: half of all u are on the twist, which has no such form.
    let edwards = if cfg!(target_arch = "x86_64") { on_curve(public) } else { None };
    let shared = match edwards {
        Some(point) => {
            Zeroizing::new(Zeroizing::new(point.mul_clamped(*secret)).to_montgomery().to_bytes())
        }
        None => ladder(secret, public),
    };
    let all_zero = bool::from(shared.ct_eq(&[0; 32]));
    (!all_zero).then_some(shared)
}

/// One of the two points with this u, if there is any on the curve. Which, does not matter: their
/// multiples have the same u.
fn on_curve(u: &[u8; 32]) -> Option<EdwardsPoint> {
    MontgomeryPoint(*u).to_edwards(0)
}

fn ladder(secret: &[u8; 32], public: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(x25519_dalek::x25519(*secret, *public))
}

/// Computes the public key of `secret`, from the precomputed table of the base point.
pub(crate) fn x25519_public(secret: &[u8; 32]) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

// A build whose features left one of these unwiped would not compile.
const _: () = {
    const fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<StaticSecret>();
    wiped::<ChaCha20Poly1305>();
    wiped::<Sha256>();
};

#[cfg(test)]
mod tests;
