//! The one Ed25519 acceptance rule, the same alone and in a batch: RFC 8032 §5.1.7, with the
//! cofactored equation `[8](SB − R − kA) = 0`.
//!
//! Of the bytes, every check is made here, whatever the curve library accepts: S < L; for A and R,
//! y < p and no "−0"; A not of small order. A mixed-order A and any small-order R pass.
//!
//! This module refuses to know what is signed, who may sign, and why: it is given parts of a
//! message and never looks inside them.

mod keys;

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_dalek::ed25519::signature::MultipartSigner;
use sha2::{Digest, Sha512};

pub use self::keys::KeyCache;
pub(crate) use self::keys::{Keys, Met};

/// Says why 32 bytes can't be the public key of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// Another encoding exists for the same point: y ≥ p, or x = 0 with the sign bit set.
    NonCanonical,
    /// The point is one of eight, under which anyone can sign any message.
    SmallOrder,
}

/// Says why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    /// The key would be refused by [`check_key`].
    Key(KeyFault),
    /// R has another encoding: y ≥ p, or x = 0 with the sign bit set.
    NonceNonCanonical,
    /// S ≥ L.
    ScalarNotReduced,
    /// No point of the curve has the y of A.
    KeyNotOnCurve,
    /// No point of the curve has the y of R.
    NonceNotOnCurve,
    /// Everything has its form, but this key didn't sign this message so.
    Equation,
}

/// Refuses bytes that must never become an agent's key, by comparing bytes. Whether a point of the
/// curve has this y is left to verification, which has to find the point anyway.
pub(crate) fn check_key(bytes: &[u8; 32]) -> Result<(), KeyFault> {
    if !is_canonical(bytes) {
        return Err(KeyFault::NonCanonical);
    }
    let y = without_sign(bytes);
    // The first byte tells nearly all other keys from these.
    if SMALL_ORDER_Y.iter().any(|small| small[0] == y[0] && *small == y) {
        return Err(KeyFault::SmallOrder);
    }
    Ok(())
}

/// A signature whose bytes passed, waiting for its curve equation. Equal ones are the same equation.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Check {
    key: [u8; 32],
    nonce: [u8; 32],
    scalar: [u8; 32],
    /// SHA-512(R ‖ A ‖ M): k before its reduction, and what a batch is bound to.
    digest: [u8; 64],
}

impl Check {
    /// Checks the bytes of `key` and `signature`, and hashes the parts of `message` in their order.
    pub(crate) fn new(
        key: &[u8; 32],
        message: &[&[u8]],
        signature: &[u8; 64],
    ) -> Result<Self, SignatureFault> {
        let mut nonce = [0; 32];
        let mut scalar = [0; 32];
        nonce.copy_from_slice(&signature[..32]);
        scalar.copy_from_slice(&signature[32..]);

        check_key(key).map_err(SignatureFault::Key)?;
        if !is_canonical(&nonce) {
            return Err(SignatureFault::NonceNonCanonical);
        }
        // S + L would be a second signature, for the same key and message.
        if !is_below(&scalar, &L) {
            return Err(SignatureFault::ScalarNotReduced);
        }

        let hash = Sha512::new().chain_update(nonce).chain_update(key);
        let hash = message.iter().fold(hash, |hash, part| hash.chain_update(part));
        Ok(Self { key: *key, nonce, scalar, digest: hash.finalize().into() })
    }

    /// Verifies the curve equation of this signature alone.
    pub(crate) fn verify(&self) -> Result<(), SignatureFault> {
        self.holds_under(decompress(&self.key))
    }

    /// The same, with what is known of keys.
    pub(crate) fn verify_with(&self, keys: &mut Keys<'_>) -> Result<(), SignatureFault> {
        self.holds_under(keys.point(&self.key))
    }

    fn holds_under(&self, key: Option<EdwardsPoint>) -> Result<(), SignatureFault> {
        #[cfg(test)]
        crate::cost::signatures(1);
        let a = key.ok_or(SignatureFault::KeyNotOnCurve)?;
        let r = decompress(&self.nonce).ok_or(SignatureFault::NonceNotOnCurve)?;
        let sb_minus_ka = EdwardsPoint::vartime_double_scalar_mul_basepoint(
            &self.challenge(),
            &-a,
            &self.response(),
        );
        // Equal encodings of R and SB − kA would be the cofactorless rule, which no batch can keep.
        if !(sb_minus_ka - r).mul_by_cofactor().is_identity() {
            return Err(SignatureFault::Equation);
        }
        Ok(())
    }

    /// k of RFC 8032 §5.1.7. Reduced mod L, which under a mixed-order A moves kA only by a point
    /// the cofactor clears.
    fn challenge(&self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.digest)
    }

    fn response(&self) -> Scalar {
        Scalar::from_bytes_mod_order(self.scalar)
    }
}

/// Accepts exactly the batches of which [`Check::verify`] accepts each, and costs less, above all
/// when keys recur. Otherwise returns the index of the first it refuses.
pub(crate) fn verify_batch<C: Borrow<Check>>(
    checks: &[C],
    keys: &mut Keys<'_>,
) -> Result<(), usize> {
    if all_hold(checks, keys) {
        return Ok(());
    }
    // Equations that hold have a combination that holds, so one of them fails alone. If none does,
    // the machine has miscalculated, and no answer of it is worth an acceptance.
    let fails = |check: &C| check.borrow().verify_with(keys).is_err();
    Err(checks.iter().position(fails).unwrap_or(0))
}

/// Tells whether [`Check::verify`] accepts each, without naming one that it refuses.
pub(crate) fn all_hold<C: Borrow<Check>>(checks: &[C], keys: &mut Keys<'_>) -> bool {
    match checks {
        [] => true,
        [alone] => alone.borrow().verify_with(keys).is_ok(),
        several => combination_vanishes(several, keys),
    }
}

/// `[8](Σ zᵢRᵢ + Σ zᵢkᵢAᵢ − (Σ zᵢSᵢ)B) = 0`, with the terms of equal keys made one.
fn combination_vanishes<C: Borrow<Check>>(checks: &[C], keys: &mut Keys<'_>) -> bool {
    #[cfg(test)]
    crate::cost::signatures(checks.len());
    let mut base = Scalar::ZERO;
    let mut terms = Vec::with_capacity(checks.len());
    for (check, z) in checks.iter().map(Borrow::borrow).zip(coefficients(checks)) {
        base -= z * check.response();
        terms.push(Term { check, of_nonce: z, of_key: z * check.challenge() });
    }
    // One term for each key goes to the front and takes up the others of this key.
    terms.sort_unstable_by_key(|term| &term.check.key);
    let mut distinct = 0_usize;
    for index in 0..terms.len() {
        let (key, of_key) = (&terms[index].check.key, terms[index].of_key);
        match distinct.checked_sub(1) {
            Some(last) if terms[last].check.key == *key => terms[last].of_key += of_key,
            _ => {
                terms.swap(distinct, index);
                distinct += 1;
            }
        }
    }
    let with_key = &terms[..distinct];

    // The signs leave R its short coefficients, which halves the additions it takes.
    let nonces = terms.iter().map(|term| decompress(&term.check.nonce));
    let points = nonces.chain(with_key.iter().map(|term| keys.point(&term.check.key)));
    let scalars = terms.iter().map(|term| &term.of_nonce);
    let scalars = scalars.chain(with_key.iter().map(|term| &term.of_key));
    EdwardsPoint::optional_multiscalar_mul(
        scalars.chain([&base]),
        points.chain([Some(ED25519_BASEPOINT_POINT)]),
    )
    .is_some_and(|sum| sum.mul_by_cofactor().is_identity())
}

/// What one check adds to the combination.
struct Term<'c> {
    check: &'c Check,
    /// The coefficient of its R.
    of_nonce: Scalar,
    /// That of its A.
    of_key: Scalar,
}

/// One 128-bit coefficient for each check, from a hash of all of them: whoever changes a signature
/// changes every coefficient, so faults can't be made to cancel. S is hashed, and R, A and M are
/// through what they were hashed to; each hash of the result gives four coefficients.
fn coefficients<C: Borrow<Check>>(checks: &[C]) -> impl Iterator<Item = Scalar> {
    let mut seed = Sha512::new();
    for check in checks.iter().map(Borrow::borrow) {
        seed.update(check.scalar);
        seed.update(check.digest);
    }
    let seed = seed.finalize();

    (0_u64..).flat_map(move |block| {
        let hash = Sha512::new().chain_update(seed).chain_update(block.to_le_bytes()).finalize();
        [0, 16, 32, 48].map(|at| {
            let mut short = [0; 16];
            short.copy_from_slice(&hash[at..at + 16]);
            Scalar::from(u128::from_le_bytes(short))
        })
    })
}

/// The secret half of an agent's signing key. Wiped when dropped.
///
/// It makes its own public half: a signer that is handed one apart from the secret can be brought
/// to sign under two, and that gives the secret away.
pub(crate) struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Derives the key from its 32-byte seed, RFC 8032 §5.1.5.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Returns the public key, which always passes [`check_key`].
    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs the parts of `message`, one after the other, RFC 8032 §5.1.6.
    pub(crate) fn sign(&self, message: &[&[u8]]) -> [u8; 64] {
        self.0.multipart_sign(message).to_bytes()
    }
}

// A build whose features left it unwiped would not compile.
const _: () = {
    const fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<ed25519_dalek::SigningKey>();
};

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Whether these are the bytes RFC 8032 §5.1.2 gives the point: y < p, and no sign on x = 0.
fn is_canonical(point: &[u8; 32]) -> bool {
    let y = without_sign(point);
    // y² = 1 is where x = 0.
    let minus_zero = point[31] != y[31] && (y == ONE || y == MINUS_ONE);
    is_below(&y, &P) && !minus_zero
}

fn without_sign(point: &[u8; 32]) -> [u8; 32] {
    let mut y = *point;
    y[31] &= 0x7f;
    y
}

/// Compares little-endian numbers.
fn is_below(number: &[u8; 32], bound: &[u8; 32]) -> bool {
    number.iter().rev().lt(bound.iter().rev())
}

fn decompress(point: &[u8; 32]) -> Option<EdwardsPoint> {
    CompressedEdwardsY(*point).decompress()
}

/// p = 2²⁵⁵ − 19, RFC 8032 §5.1.
const P: [u8; 32] = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// L = 2²⁵² + 27742317777372353535851937790883648493, the order of B, RFC 8032 §5.1.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];

const ONE: [u8; 32] = [
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];

const MINUS_ONE: [u8; 32] = [
    0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// The y of the eight points whose order divides 8: of order 1 and 2, which have x = 0; of the two
/// of order 4; and of the four of order 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    ONE,
    MINUS_ONE,
    [0; 32],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests;
