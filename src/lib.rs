//! Signed, end-to-end encrypted envelopes for AI agents.
//!
//! Transports protect a channel to the next endpoint. An envelope protects what agents say to each other over many
//! hops: it carries all that a receiver needs to decide, offline and from bytes alone. Who wrote each part, for whom
//! that agent acts and how far, who may read it, which way it came, and what the work it asks for may cost.
//!
//! There is no I/O here, no clock and no random generator: bytes in, bytes out, with the time and [`Entropy`] as
//! arguments. The core is `no_std` with `alloc`; feature `std` adds [`Entropy::from_os`] and [`Timestamp::now`], feature
//! `serde` typed content. No feature changes a check.
//!
//! # One question, through an orchestrator that cannot read it
//!
//! ```
//! use agent_envelope::*;
//! use std::time::Duration;
//!
//! let now = Timestamp::now()?;
//! let hour = Duration::from_secs(3600);
//! let agent = || Ok::<_, Error>(Identity::generate(Entropy::from_os()?));
//! let (app, desk, doctor) = (agent()?, agent()?, agent()?);
//!
//! // A clinic's key is where trust begins. It lets the app ask for Alice, and the app lets the doctor answer.
//! let clinic = SigningKey::generate(Entropy::from_os()?);
//! let advise = Scope::new([Permission::new(["advise"], &"drugs".parse()?)?])?;
//! let anchor = TrustAnchor::new(clinic.id(), "https://clinic.example", Subjects::Any, advise.clone())?;
//! let grant = Grant::new("alice", advise).depth(1);
//! let for_app = DelegationChain::issue(&clinic, &anchor, app.id(), grant, now, Entropy::from_os()?)?;
//! let for_doctor =
//!     for_app.extend(app.signing_key(), doctor.id(), Narrow::default(), now, Entropy::from_os()?)?;
//! let verifier = |me: AgentId| {
//!     let anchors = TrustAnchors::new([anchor.clone()])?;
//!     Verifier::new(me, None, anchors, Revocations::none(), Limits::default())
//! };
//!
//! // The app seals its question to the doctor, and names the desk as the one to act next.
//! let (app_box, doctor_box) = (app.key_package(now, hour)?, doctor.key_package(now, hour)?);
//! let sent = Draft::new(&app)
//!     .to(doctor.id())
//!     .next(desk.id())
//!     .label("skill", "pharmacy")
//!     .key_package(&app_box)
//!     .authority(&for_app)
//!     .sealed(Kind::User, "text/plain", &b"Ibuprofen with warfarin?"[..], [&doctor_box])
//!     .sign(now, Entropy::from_os()?)?;
//!
//! // The desk verifies, routes by the label, and signs a hop. Its type has no way to open.
//! let at_desk = verifier(desk.id())?;
//! let route = Envelope::decode(sent.as_bytes(), at_desk.limits())?.verify_as_relay(&at_desk, now)?;
//! assert_eq!(route.header().labels().get("skill"), Some("pharmacy"));
//! let forwarded = route.forward(&desk, doctor.id(), now)?;
//!
//! // The doctor's inbox checks everything in the right order, and admits each envelope once.
//! let mut inbox = Inbox::new(verifier(doctor.id())?);
//! let received = inbox.receive(&forwarded, now)?;
//! let Some(Item::Sealed(question)) = received.elements().next() else { panic!("it is sealed") };
//! let authority = question.authorize("advise", &"drugs/warfarin".parse()?)?;
//! assert_eq!((authority.issuer(), authority.subject()), ("https://clinic.example", "alice"));
//! assert_eq!(question.open(&doctor)?.content(), b"Ibuprofen with warfarin?");
//!
//! // The answer is sealed to a key that the app itself signed, and is an answer to this question only.
//! let app_box = received.verified().key_package().expect("the app brought one");
//! let answer = Draft::reply_to(&received, &doctor)
//!     .authority(&for_doctor)
//!     .sealed(Kind::Assistant, "text/plain", &b"No."[..], [&app_box])
//!     .sign(now, Entropy::from_os()?)?;
//! let mut inbox = Inbox::new(verifier(app.id())?);
//! inbox.record_sent(&sent);
//! let reply = sent.accept_reply(inbox.receive(answer.as_bytes(), now)?)?;
//! assert_eq!(reply.received().from(), doctor.id());
//! # Ok::<(), Error>(())
//! ```
//!
//! # The types, in the order in which one meets them
//!
//! | | |
//! |---|---|
//! | [`Identity`], [`SigningKey`], [`AgentId`], [`KeyPackage`] | who an agent is, and the key to which others seal |
//! | [`TrustAnchor`], [`DelegationChain`], [`Grant`], [`Narrow`], [`Scope`] | authority, handed on and never widened |
//! | [`Draft`], [`NewElement`], [`Kind`], [`Sent`] | an envelope in the making, and what its originator keeps |
//! | [`Verifier`], [`TrustAnchors`], [`Revocations`], [`Limits`] | what a receiver brings along: nothing of it comes from the wire |
//! | [`Inbox`] | the front door: verifier, replay window, conversations and caches in the right order |
//! | [`Envelope`] → [`Verified`] → [`Admitted`] | decoded, verified for a role, admitted once: the steps behind the inbox |
//! | [`Observer`], [`Relay`], [`Reader`] | the roles: see; see and forward; open, authorize, be funded and answer |
//! | [`Item`], [`Provenance`], [`Authority`], [`Opener`] | an element, where it comes from, what its author may do, its content |
//! | [`Onward`] | one more hop |
//! | [`Reply`], [`Standing`], [`OriginFork`] | an answer, how an envelope fits its conversation, proof of two versions |
//! | [`ReplayWindow`], [`Conversations`], [`AuthorityCache`], [`KeyCache`] | the state that a receiver keeps: bounded values, without a clock |
//! | [`Aids`], [`Envelope::verify_many`] | that state lent to one verification, and the verification of many envelopes at once |
//! | [`budget`], [`Allotment`], [`Budget`] | what work may cost: negotiated, granted, split, spent, returned, audited |
//! | [`Outline`] | what an envelope claims, for tools that show bytes nobody has verified |
//! | [`Error`], [`Culprit`], [`Place`] | what was refused, whose fault it is, where, and what was expected |
//!
//! # What holds
//!
//! The type is the proof: only verification makes a [`Verified`], only a replay window an [`Admitted`], only an
//! admitted envelope opens, authorizes and funds, and only a request of one's own makes a [`Reply`]. No option turns a
//! check off but the one that says so, [`Verifier::dangerously_admit_untrusted_origins`].
//!
//! The nine guarantees, what is *not* claimed, and the attackers are in `README.md` and `SECURITY.md`, the rules by
//! number in `SPEC.md` (rule V-*n* is behind the error with [code](Error::code) *n*), the reasons in `DESIGN.md`. They come
//! with the source of the crate.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate self as agent_envelope;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

pub mod budget;
mod cbor;
mod context;
#[cfg(test)]
mod cost;
mod delegation;
mod digest;
mod entropy;
mod envelope;
mod error;
mod fifo;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
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
pub use signature::KeyCache;
pub use time::Timestamp;
pub use verifier::Verifier;

/// Compiles and runs the examples of the documents.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/budgets.md")]
    struct Budgets;

    #[doc = include_str!("../docs/otel.md")]
    struct OpenTelemetry;
}
