//! Bodies that only their readers can open: bytes in, bytes out. SPEC §8.
//!
//! Knows no envelope: what a body is bound to comes as arguments.

mod audience;
mod content;
mod cose;
mod hpke;
pub(crate) mod primitives;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use audience::{AudienceSecret, SealedAudience};
pub(crate) use content::{Place, SealedBody, digest as sealed_digest, seal};
pub(crate) use hpke::SealingSecret;
pub(crate) use primitives::SecretBytes;
