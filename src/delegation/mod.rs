//! Authority handed on from a trust anchor, link by link, and never widened. SPEC §6.

mod anchor;
mod authority;
mod cache;
mod chain;
mod issue;
mod link;
mod narrow;
mod status;
#[cfg(test)]
mod tests;

pub use anchor::{Revocations, Subjects, TrustAnchor, TrustAnchors};
pub use authority::{Authority, Step};
pub use cache::AuthorityCache;
pub(crate) use chain::{Audience, Chain, Judge};
pub use issue::{DelegationChain, Grant, Narrow};
pub(crate) use link::Link;
pub use status::ChainStatus;
