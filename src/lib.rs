//! Signed, end-to-end encrypted envelopes for AI agents.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

pub mod budget;
mod cbor;
mod context;
mod delegation;
mod digest;
mod entropy;
mod envelope;
mod error;
mod identity;
mod inbox;
mod limits;
mod replay;
mod scope;
mod seal;
mod signature;
mod statement;
mod time;
mod verifier;

pub use context::{Conversations, Kind, Line, Missing, Stand, Standing};
pub use delegation::{
    Authority, AuthorityCache, ChainStatus, DelegationChain, Grant, Narrow, Revocations, Step,
    Subjects, TrustAnchor, TrustAnchors,
};
pub use digest::{
    AllotmentId, AudienceId, ContextId, ConversationId, Digest, ElementId, EntryId, EnvelopeId,
    HeaderDigest, HopId, LinkId, TokenId,
};
pub use entropy::Entropy;
pub use envelope::{
    Absent, Admitted, Agents, Aids, Allotment, Audience, BodyClaim, Budget, ChainClaim, Coverage,
    Draft, ElementClaim, Envelope, FundedDraft, FundedOnward, Header, Hop, HopClaim, InReplyTo,
    IntoRecipients, Item, Labels, LinkClaim, NewElement, Observer, Onward, Opener, OriginFork,
    Outline, Plaintext, Present, Principal, Provenance, Reader, Reference, Relay, Reply, Role,
    Sealed, Seen, Sent, Verified,
};
pub use error::{Culprit, Error, Place};
pub use identity::{AgentId, Identity, KeyPackage, SigningKey, Suite};
pub use inbox::Inbox;
pub use limits::Limits;
pub use replay::{Admission, ReplayCapacity, ReplayWindow};
pub use scope::{Permission, Resource, Scope};
pub use time::Timestamp;
pub use verifier::Verifier;

/// Compiles and runs the examples of the documents.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
}
