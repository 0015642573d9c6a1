//! The only source of randomness: 32 bytes that the caller hands over, once. SPEC §2.4.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;
use crate::digest::Digest;
use crate::seal::primitives::{Prk, hkdf_extract};

/// Thirty-two bytes of fresh randomness, consumed by the one call they are given to.
///
/// Every secret, id and salt of that call is derived from them by HKDF-SHA256 (RFC 5869) with a label and a
/// hash of all inputs of the call, so that a result can be reproduced from its entropy, and a seed used twice
/// with other inputs gives unrelated keys.
pub struct Entropy(Zeroizing<[u8; 32]>);

impl Entropy {
    /// Takes 32 bytes from a cryptographic random generator.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroEntropy`] if all are zero, as a generator that failed would leave them.
    pub fn new(bytes: [u8; 32]) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes);
        // In constant time: that a good seed is not zero says nothing, how far a comparison came would.
        if bool::from(bytes.ct_eq(&[0; 32])) { Err(Error::ZeroEntropy) } else { Ok(Self(bytes)) }
    }

    /// Asks the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] if it has none to give.
    #[cfg(feature = "std")]
    pub fn from_os() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| Error::NoEntropy)?;
        Self::new(*bytes)
    }

    /// Binds the seed to a hash of all inputs of the call; what comes out of it is bound to them too.
    pub(crate) fn bind(self, inputs: &Digest) -> Seed {
        Seed(Prk::new(&hkdf_extract(inputs.as_bytes(), &[&*self.0])))
    }
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// Entropy bound to the inputs of one call.
pub(crate) struct Seed(Prk);

impl Seed {
    /// Derives the `index`-th value for `label`.
    pub(crate) fn derive<const N: usize>(&self, label: &str, index: usize) -> Zeroizing<[u8; N]> {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        // A label has no zero byte, so label and index cannot flow into each other.
        self.0.expand(&[b"agent-envelope/1/entropy/", label.as_bytes(), &[0], &index.to_be_bytes()])
    }
}
