//! The envelope: decode, verify, open, forward, draft. SPEC §7 and §9.

mod assemble;
#[cfg(test)]
mod costs;
mod decoded;
mod draft;
mod element;
mod evidence;
mod fund;
pub(crate) mod header;
mod hop;
mod onward;
mod outline;
mod plausible;
mod received;
mod sent;
mod verified;
mod verify;

pub use decoded::Envelope;
pub(crate) use decoded::VERSION;
pub use draft::{Draft, IntoRecipients};
pub use element::{Audience, NewElement, Reference};
pub use evidence::OriginFork;
pub use fund::{Allotment, FundedDraft, FundedOnward};
pub use header::{Agents, Header, InReplyTo, Labels};
pub use onward::Onward;
pub use outline::{BodyClaim, ChainClaim, ElementClaim, HopClaim, LinkClaim, Outline};
pub use received::{Absent, Admitted, Budget, Item, Opener, Plaintext, Present, Principal, Sealed};
pub use sent::{Reply, Sent};
pub use verified::{Coverage, Hop, Observer, Provenance, Reader, Relay, Role, Seen, Verified};
pub use verify::Aids;
