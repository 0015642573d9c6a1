//! The one error type: what was refused, whose fault it is, where, and what was expected. SPEC §12.
//!
//! Every variant has a stable number and a stable name for logs and protocol mappings; neither is ever reused.

use alloc::vec::Vec;
use core::fmt;

use crate::budget::negotiation::Refusal;
use crate::budget::{Breach, Dimension, Unfunded, Wider};
use crate::delegation::ChainStatus;
use crate::digest::{HeaderDigest, HopId};
use crate::identity::AgentId;
use crate::time::Timestamp;

/// Whose fault a refusal is, as far as the bytes can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Culprit {
    /// Whoever made the bytes did not use a conforming encoder, or they were damaged on the way.
    Encoder,
    /// The agent that made the envelope: header and hop 0.
    Originator,
    /// The agent that signed a later hop.
    Hop,
    /// The agent that signed a delegation link.
    Issuer,
    /// Whoever delivered the bytes: altered, replayed, cut or misdelivered.
    Carrier,
    /// The agent on the other side of a budget: payer, holder or negotiator.
    Peer,
    /// The local program: its arguments, its configuration or its stored state.
    Caller,
}

/// Where in the input a refusal arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// A byte offset from the start of the input.
    Offset(usize),
    /// The envelope as a whole.
    Envelope,
    /// The header.
    Header,
    /// The hop with this index; 0 is the originator's.
    Hop(usize),
    /// The element with this index.
    Element(usize),
    /// A link of the delegation chain carried by an element; link 0 is the root.
    Link {
        /// Index of the element that carries the chain; `None` for a chain outside an envelope.
        element: Option<usize>,
        /// Index of the link in its chain.
        link: usize,
    },
    /// A signed entry of a budget: allotment, split or report.
    Entry(usize),
    /// The call itself: an argument, the configuration or stored state.
    Call,
}

/// Writes " of element 3" where a chain came in an element.
struct InElement(Option<usize>);

impl fmt::Display for InElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(element) => write!(f, " of element {element}"),
            None => Ok(()),
        }
    }
}

macro_rules! errors {
    ($(
        $(#[doc = $doc:literal])+
        $code:literal $name:literal $culprit:ident $place:expr =>
        $variant:ident $({ $( $(#[doc = $field_doc:literal])+ $field:ident : $type:ty ),+ $(,)? })?
        $message:literal $(, $argument:expr)* ;
    )+) => {
        /// Why something was refused. One variant per rule; see [`Error::code`] and [`Error::name`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $(
                $(#[doc = $doc])+
                $variant $({ $( $(#[doc = $field_doc])+ $field: $type ),+ })?,
            )+
        }

        impl fmt::Display for Error {
            #[allow(unused_variables, reason = "each row binds all fields of its variant")]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Error::$variant $({ $($field),+ })? => write!(f, $message $(, $argument)*), )+
                }
            }
        }

        impl Error {
            /// Returns the stable number of this error. Hundreds group by stage: 1 encoding, 2 limits,
            /// 3 structure, time and addressing, 4 integrity, 5 delegation, 6 sealing, 7 authorization,
            /// 8 replies, 9 the caller, 10 and 11 budgets.
            pub const fn code(&self) -> u16 {
                match self { $( Error::$variant { .. } => $code, )+ }
            }

            /// Returns the stable `snake_case` name of this error.
            pub const fn name(&self) -> &'static str {
                match self { $( Error::$variant { .. } => $name, )+ }
            }

            /// Returns whose fault this is, as far as the bytes can tell.
            pub const fn culprit(&self) -> Culprit {
                match self { $( Error::$variant { .. } => Culprit::$culprit, )+ }
            }

            /// Returns where the fault lies.
            #[allow(unused_variables, reason = "each row binds all fields of its variant")]
            pub fn place(&self) -> Place {
                match self { $( Error::$variant $({ $($field),+ })? => $place, )+ }
            }

            /// Every code with its name, in ascending order: the error registry of SPEC §12.
            pub const REGISTRY: &'static [(u16, &'static str)] = &[ $( ($code, $name), )+ ];
        }
    };
}

impl core::error::Error for Error {}

errors! {
    /// The input ends inside an item.
    101 "truncated" Encoder Place::Offset(*offset) =>
    Truncated {
        /// Where the item that is cut begins.
        offset: usize,
    }
    "input ends inside the item at byte {offset}";

    /// An integer or length is not in its shortest form (RFC 8949 §4.2.1).
    102 "long_integer" Encoder Place::Offset(*offset) =>
    LongInteger {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} has a head longer than need be; the shortest form is required";

    /// A string, array or map has indefinite length (RFC 8949 §4.2.1).
    103 "indefinite_length" Encoder Place::Offset(*offset) =>
    IndefiniteLength {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} has indefinite length; only definite lengths are allowed";

    /// Additional information 28 to 30, which RFC 8949 §3 reserves.
    104 "reserved_encoding" Encoder Place::Offset(*offset) =>
    ReservedEncoding {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} uses additional information that is reserved (28 to 30)";

    /// A floating-point number; the protocol has none.
    105 "float" Encoder Place::Offset(*offset) =>
    Float {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} is a floating-point number; there are none in this format";

    /// A CBOR tag; the protocol has none.
    106 "tag" Encoder Place::Offset(*offset) =>
    Tag {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} is tagged; there are no tags in this format";

    /// A simple value other than null.
    107 "simple_value" Encoder Place::Offset(*offset) =>
    SimpleValue {
        /// Where the item begins.
        offset: usize,
    }
    "item at byte {offset} is a simple value other than null";

    /// Bytes follow the item that should have been the last.
    108 "trailing_bytes" Encoder Place::Offset(*offset) =>
    TrailingBytes {
        /// Where the first surplus byte stands.
        offset: usize,
        /// How many bytes are left over.
        count: usize,
    }
    "{count} bytes too many from byte {offset} on";

    /// A text string is not valid UTF-8.
    109 "invalid_utf8" Encoder Place::Offset(*offset) =>
    InvalidUtf8 {
        /// Where the string begins.
        offset: usize,
    }
    "text at byte {offset} is not valid UTF-8";

    /// An item of another type than the one the format has here.
    110 "wrong_type" Encoder Place::Offset(*offset) =>
    WrongType {
        /// Where the item begins.
        offset: usize,
        /// The type that belongs here.
        expected: &'static str,
        /// The type that was met.
        found: &'static str,
    }
    "expected {expected} at byte {offset}, found {found}";

    /// A map has a key that the format does not know.
    111 "unknown_key" Encoder Place::Offset(*offset) =>
    UnknownKey {
        /// Where the key begins.
        offset: usize,
        /// The key.
        key: i64,
        /// The name of the map.
        map: &'static str,
    }
    "{map} has key {key} at byte {offset}, which does not belong there";

    /// A map lacks a required key.
    112 "missing_key" Encoder Place::Offset(*offset) =>
    MissingKey {
        /// Where the key would have to stand.
        offset: usize,
        /// The key.
        key: i64,
        /// The name of the map.
        map: &'static str,
    }
    "{map} lacks key {key}, expected at byte {offset}";

    /// A map has one key twice.
    113 "duplicate_key" Encoder Place::Offset(*offset) =>
    DuplicateKey {
        /// Where the second of the two begins.
        offset: usize,
    }
    "map key at byte {offset} is there already";

    /// Map keys are not in ascending order of their encoded bytes (RFC 8949 §4.2.1).
    114 "unsorted_key" Encoder Place::Offset(*offset) =>
    UnsortedKey {
        /// Where the misplaced key begins.
        offset: usize,
    }
    "map key at byte {offset} belongs before the one it follows";

    /// A byte or text string has another length than the format gives.
    115 "wrong_length" Encoder Place::Offset(*offset) =>
    WrongLength {
        /// Where the string begins.
        offset: usize,
        /// The length that belongs here, in bytes.
        expected: usize,
        /// The length that was met.
        found: usize,
    }
    "expected {expected} bytes at byte {offset}, found {found}";

    /// An integer is larger than the format allows here.
    116 "integer_too_large" Encoder Place::Offset(*offset) =>
    IntegerTooLarge {
        /// Where the integer begins.
        offset: usize,
        /// The largest value allowed.
        maximum: u64,
    }
    "integer at byte {offset} is larger than {maximum}";

    /// An array that stands for a set is not in ascending order.
    117 "unsorted_set" Encoder Place::Offset(*offset) =>
    UnsortedSet {
        /// Where the misplaced member begins.
        offset: usize,
    }
    "set member at byte {offset} belongs before the one it follows";

    /// An array that stands for a set has one member twice.
    118 "duplicate_member" Encoder Place::Offset(*offset) =>
    DuplicateMember {
        /// Where the second of the two begins.
        offset: usize,
    }
    "set member at byte {offset} is there already";

    /// An array has another number of items than the format gives.
    119 "wrong_count" Encoder Place::Offset(*offset) =>
    WrongCount {
        /// Where the array begins.
        offset: usize,
        /// The number of items that belongs here.
        expected: usize,
        /// The number that was met.
        found: usize,
    }
    "expected an array of {expected} items at byte {offset}, found {found}";

    /// An array, map or string that must have content has none.
    120 "empty" Encoder Place::Offset(*offset) =>
    Empty {
        /// Where the empty item begins.
        offset: usize,
        /// What it is.
        what: &'static str,
    }
    "{what} at byte {offset} must not be empty";

    /// A value that the format fixes is another one.
    121 "wrong_constant" Encoder Place::Offset(*offset) =>
    WrongConstant {
        /// Where the value begins.
        offset: usize,
        /// The value that belongs here.
        expected: &'static str,
    }
    "expected {expected} at byte {offset}";

    /// A value of the right type that the format does not allow.
    122 "invalid_value" Encoder Place::Offset(*offset) =>
    InvalidValue {
        /// Where the value begins.
        offset: usize,
        /// What is allowed.
        expected: &'static str,
    }
    "value at byte {offset} is not {expected}";

    /// Bytes that cannot be an agent's Ed25519 key: y ≥ p, x = 0 with the sign bit set, or small order.
    123 "invalid_agent_id" Encoder Place::Offset(*offset) =>
    InvalidAgentId {
        /// Where the key or text begins.
        offset: usize,
        /// What is wrong with it.
        reason: &'static str,
    }
    "agent id at byte {offset} is refused: {reason}";

    /// More bytes, items or signatures than the verifier's limits allow. Nothing was checked beyond the count.
    201 "limit_exceeded" Originator Place::Envelope =>
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// How many the limit allows.
        limit: usize,
        /// How many there are.
        found: usize,
    }
    "{found} {what} exceed the limit of {limit}";

    /// A hop is signed by an agent that the hop before does not name in its `next`.
    301 "signer_not_next" Hop Place::Hop(*hop) =>
    SignerNotNext {
        /// The hop.
        hop: usize,
        /// Its signer.
        signer: AgentId,
    }
    "hop {hop} is by {signer}, whom the hop before does not name as next";

    /// A hop names its own signer as next.
    302 "signer_in_next" Hop Place::Hop(*hop) =>
    SignerInNext {
        /// The hop.
        hop: usize,
    }
    "hop {hop} names its own signer as next";

    /// Element counts fall from hop to hop, or the last one is not the number of elements.
    303 "hop_count" Hop Place::Hop(*hop) =>
    HopCount {
        /// The hop.
        hop: usize,
        /// The smallest count that would be right.
        at_least: usize,
        /// The largest count that would be right.
        at_most: usize,
        /// The count it states.
        found: u64,
    }
    "hop {hop} counts {found} elements, expected {at_least} to {at_most}";

    /// A hop's time lies outside the envelope's window, before the hop before it, or in the future.
    304 "hop_time" Hop Place::Hop(*hop) =>
    HopTime {
        /// The hop.
        hop: usize,
        /// The time it states.
        at: Timestamp,
        /// The earliest time that would be right.
        not_before: Timestamp,
        /// The latest time that would be right.
        not_after: Timestamp,
    }
    "hop {hop} is dated {at}, expected {not_before} to {not_after}";

    /// A hop's signer or `next` departs from the path the originator laid down in `via`.
    305 "departs_from_via" Hop Place::Hop(*hop) =>
    DepartsFromVia {
        /// The hop.
        hop: usize,
    }
    "hop {hop} departs from the path that the header lays down in via";

    /// Hop 0 repeats what the header says, or a later hop lacks its signer or time.
    306 "hop_keys" Hop Place::Hop(*hop) =>
    HopKeys {
        /// The hop.
        hop: usize,
    }
    "hop {hop} must have signer and time exactly if it is not hop 0";

    /// A kind that only the originator may use stands in a later hop's range.
    307 "kind_out_of_place" Hop Place::Element(*element) =>
    KindOutOfPlace {
        /// The element.
        element: usize,
        /// Its kind's number.
        kind: u64,
        /// The hop whose signer wrote it.
        hop: usize,
    }
    "element {element} of kind {kind} was added by hop {hop}; only the originator may write that kind";

    /// A kind number that is not assigned: 69 to 95 are control data of the future, 96 to 65535 nobody's.
    308 "unassigned_kind" Encoder Place::Element(*element) =>
    UnassignedKind {
        /// The element.
        element: usize,
        /// Its kind's number.
        kind: u64,
    }
    "element {element} has kind {kind}, which is not assigned";

    /// A control element is sealed, elidable, without body, or has references.
    309 "control_record" Encoder Place::Element(*element) =>
    ControlRecord {
        /// The element.
        element: usize,
    }
    "control element {element} must be clear, complete and without further record keys";

    /// A body is missing that its author did not allow to be left out, or that no hop lists as absent.
    310 "body_missing" Carrier Place::Element(*element) =>
    BodyMissing {
        /// The element.
        element: usize,
        /// Whether its author made it elidable.
        elidable: bool,
    }
    "element {element} has no body, and {}",
    if *elidable { "no hop lists it as absent" } else { "its author did not make it elidable" };

    /// A hop lists an element as absent that is not elidable, not below its count, or listed already.
    311 "absence_not_allowed" Hop Place::Hop(*hop) =>
    AbsenceNotAllowed {
        /// The hop.
        hop: usize,
        /// The element it lists.
        element: u64,
    }
    "hop {hop} lists element {element} as absent, which is not elidable, not yet there, or listed already";

    /// A sealed element names an audience that is not an audience element below it.
    312 "no_such_audience" Encoder Place::Element(*element) =>
    NoSuchAudience {
        /// The element.
        element: usize,
        /// The index it names.
        audience: u64,
    }
    "element {element} is sealed to the audience in element {audience}, which is not an audience below it";

    /// The originator's `from` signs but is not what its key package says, or a package stands in a later hop.
    313 "key_package_of_another" Originator Place::Element(*element) =>
    KeyPackageOfAnother {
        /// The element.
        element: usize,
    }
    "element {element} is a key package of an agent other than the sender";

    /// Verification time is before the envelope was created.
    320 "not_yet_valid" Originator Place::Header =>
    NotYetValid {
        /// When the envelope says it was made.
        created: Timestamp,
        /// The verification time, skew not included.
        now: Timestamp,
    }
    "envelope is created at {created}, verification time is {now}";

    /// The envelope has expired.
    321 "expired" Originator Place::Header =>
    Expired {
        /// When it expired.
        expires: Timestamp,
        /// The verification time, skew not included.
        now: Timestamp,
    }
    "envelope expired at {expires}, verification time is {now}";

    /// An envelope, a key package or a link of a chain ends before it begins.
    322 "window_reversed" Originator *place =>
    WindowReversed {
        /// Whose window it is.
        place: Place,
        /// When it begins.
        not_before: Timestamp,
        /// When it ends.
        expires: Timestamp,
    }
    "window ends at {expires}, which is not after its begin at {not_before}";

    /// An envelope or a key package lives longer than is allowed.
    323 "lifetime_too_long" Originator *place =>
    LifetimeTooLong {
        /// Whose lifetime it is.
        place: Place,
        /// Its lifetime in seconds.
        seconds: u64,
        /// The longest lifetime allowed in seconds.
        maximum: u64,
    }
    "lifetime of {seconds} s exceeds the {maximum} s allowed";

    /// The last hop does not name this agent as next.
    330 "not_addressed" Carrier Place::Envelope =>
    NotAddressed {
        /// The agent that verifies.
        agent: AgentId,
    }
    "the last hop does not name {agent} as next";

    /// The header names this agent neither as recipient nor on the path.
    331 "not_a_recipient" Carrier Place::Header =>
    NotARecipient {
        /// The agent that verifies.
        agent: AgentId,
    }
    "the header names {agent} neither in to nor in via; it may relay, not read";

    /// This envelope was admitted already, with this very path.
    340 "replayed" Carrier Place::Envelope =>
    Replayed {
        /// The envelope.
        envelope: HeaderDigest,
    }
    "envelope {envelope} was admitted already";

    /// The envelope is older than what the replay window of its principal still remembers.
    341 "below_replay_floor" Carrier Place::Header =>
    BelowReplayFloor {
        /// When it was created.
        created: Timestamp,
        /// The time up to which the window has forgotten.
        floor: Timestamp,
    }
    "envelope is created at {created}; replays up to {floor} can no longer be told apart";

    /// The replay window has no room for another principal, or for another path of this envelope.
    342 "replay_window_full" Caller Place::Call =>
    ReplayWindowFull {
        /// What has run out.
        what: &'static str,
        /// How many it holds.
        capacity: usize,
    }
    "replay window is full: {capacity} {what}";

    /// The elements do not hash to the head that a hop signs: one was altered, moved, added or dropped.
    401 "element_chain" Carrier Place::Hop(*hop) =>
    ElementChain {
        /// The first hop whose head differs.
        hop: usize,
        /// The first element that may be at fault.
        from: usize,
        /// The element after the last that may be at fault.
        until: usize,
    }
    "the element chain does not reach the head that hop {hop} signs; elements from {from} on, before {until}, may be at fault";

    /// A control element's body does not match the commitment in its record.
    402 "control_commit" Carrier Place::Element(*element) =>
    ControlCommit {
        /// The element.
        element: usize,
    }
    "body of control element {element} does not match its commitment";

    /// A content body does not match the commitment in its record.
    403 "content_commit" Carrier Place::Element(*element) =>
    ContentCommit {
        /// The element.
        element: usize,
    }
    "body of element {element} does not match its commitment";

    /// A sealed body does not match the digest in its record.
    404 "sealed_digest" Carrier Place::Element(*element) =>
    SealedDigest {
        /// The element.
        element: usize,
    }
    "sealed body of element {element} does not match its digest";

    /// A hop's signature is not valid.
    410 "hop_signature" Carrier Place::Hop(*hop) =>
    HopSignature {
        /// The hop.
        hop: usize,
        /// The agent that would have signed.
        signer: AgentId,
    }
    "signature of hop {hop} is not one by {signer}";

    /// A delegation link's signature is not valid.
    411 "link_signature" Issuer Place::Link { element: *element, link: *link } =>
    LinkSignature {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// The agent that would have signed: the holder of the link before.
        signer: AgentId,
    }
    "signature of link {link}{} is not one by {signer}", InElement(*element);

    /// A key package's signature is not valid.
    412 "key_package_signature" Carrier element.map_or(Place::Call, Place::Element) =>
    KeyPackageSignature {
        /// The element that carries the package; `None` for one that came by itself.
        element: Option<usize>,
        /// The agent that would have signed.
        agent: AgentId,
    }
    "signature of the key package is not one by {agent}";

    /// A chain's last holder is not the agent that wrote the element that carries it.
    501 "leaf_not_author" Carrier Place::Element(*element) =>
    LeafNotAuthor {
        /// The element.
        element: usize,
        /// The chain's last holder.
        holder: AgentId,
        /// The element's author.
        author: AgentId,
    }
    "chain in element {element} ends in {holder}, but {author} wrote it";

    /// A link grants a permission that the running authority does not hold.
    502 "scope_widened" Issuer Place::Link { element: *element, link: *link } =>
    ScopeWidened {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// The index of the offending permission in the link's scope.
        permission: usize,
    }
    "link {link}{} widens the scope with its permission {permission}", InElement(*element);

    /// A link allows more re-delegation than the running authority, or stands where none is left.
    503 "depth_exceeded" Issuer Place::Link { element: *element, link: *link } =>
    DepthExceeded {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// The depth that the running authority still allows it; `None` if there must be no such link.
        allowed: Option<u64>,
    }
    "link {link}{} {}", InElement(*element), DepthAllowed(*allowed);

    /// A link's window reaches beyond the running one.
    504 "window_widened" Issuer Place::Link { element: *element, link: *link } =>
    WindowWidened {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// The earliest begin allowed.
        not_before: Timestamp,
        /// The latest end allowed.
        expires: Timestamp,
    }
    "link {link}{} is valid outside the window {not_before} to {expires} above it", InElement(*element);

    /// A link names another audience than the one set above it.
    505 "audience_changed" Issuer Place::Link { element: *element, link: *link } =>
    AudienceChanged {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
    }
    "link {link}{} names another audience than the links above it", InElement(*element);

    /// A link names another conversation than the one set above it.
    506 "conversation_changed" Issuer Place::Link { element: *element, link: *link } =>
    ConversationChanged {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
    }
    "link {link}{} names another conversation than the links above it", InElement(*element);

    /// A link's budget ceiling is above the running one.
    507 "budget_widened" Issuer Place::Link { element: *element, link: *link } =>
    BudgetWidened {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// In what; `None` if the anchor has no budget to hand on.
        wider: Option<Wider>,
    }
    "link {link}{} goes beyond the budget ceiling above it: {}", InElement(*element), Ceiling(*wider);

    /// A link makes an agent holder that is in the chain already, or grants to its own signer.
    508 "holder_repeated" Issuer Place::Link { element: *element, link: *link } =>
    HolderRepeated {
        /// The element that carries the chain.
        element: Option<usize>,
        /// The link.
        link: usize,
        /// The holder.
        holder: AgentId,
    }
    "link {link}{} makes {holder} a holder, who is in the chain already", InElement(*element);

    /// The originator is no anchor and has no chain that counts.
    510 "untrusted_origin" Originator Place::Header =>
    UntrustedOrigin {
        /// Why each of its chains counts for nothing, in their order; empty if it brought none.
        reasons: Vec<ChainStatus>,
    }
    "the originator has no authority that counts: {}", Reasons(reasons);

    /// The revocation list is too old, or from the future.
    511 "revocations_stale" Caller Place::Call =>
    RevocationsStale {
        /// When the list was made.
        as_of: Timestamp,
        /// The verification time.
        now: Timestamp,
        /// The greatest age allowed, in seconds.
        max_age: u64,
    }
    "revocation list is as of {as_of}, verification time is {now}, and at most {max_age} s are allowed";

    /// The key of a hop's signer has been revoked.
    512 "signer_revoked" Hop Place::Hop(*hop) =>
    SignerRevoked {
        /// The hop.
        hop: usize,
        /// Its signer.
        signer: AgentId,
    }
    "the key of {signer}, who signs hop {hop}, is revoked";

    /// A chain cannot be issued from this anchor: subject, scope, depth or lifetime is beyond it.
    513 "beyond_anchor" Caller Place::Call =>
    BeyondAnchor {
        /// What is beyond it.
        what: &'static str,
    }
    "the grant goes beyond its trust anchor: {what}";

    /// The body cannot be opened. Why is not told, so that nobody can use the answer as an oracle.
    601 "cannot_open" Carrier Place::Element(*element) =>
    CannotOpen {
        /// The element.
        element: usize,
    }
    "element {element} cannot be opened";

    /// A key package is used outside its window, or lives too long.
    602 "key_package_window" Originator Place::Call =>
    KeyPackageWindow {
        /// When it begins.
        not_before: Timestamp,
        /// When it ends.
        expires: Timestamp,
        /// The time of use.
        now: Timestamp,
    }
    "key package is valid from {not_before} to {expires}, time of use is {now}";

    /// A suite is weaker than the policy asks for.
    603 "suite_too_weak" Originator Place::Call =>
    SuiteTooWeak {
        /// The weakest suite allowed.
        minimum: u64,
        /// The suite that was met.
        found: u64,
    }
    "suite {found} is weaker than suite {minimum}, which the policy asks for";

    /// Two readers' sealing keys begin with the same eight bytes, so that their wraps could not be told apart.
    604 "duplicate_hint" Caller Place::Call =>
    DuplicateHint {
        /// The reader of the one package.
        first: AgentId,
        /// The reader of the other.
        second: AgentId,
    }
    "the sealing keys of {first} and {second} share their first eight bytes; ask one of them for a fresh key package";

    /// A sealing key that yields an all-zero shared secret (RFC 7748 §6.1).
    605 "weak_sealing_key" Originator Place::Call =>
    WeakSealingKey {
        /// The agent whose package carries it.
        agent: AgentId,
    }
    "the sealing key of {agent} is not a usable X25519 key";

    /// Policy: content of this kind must be sealed.
    606 "must_be_sealed" Originator Place::Element(*element) =>
    MustBeSealed {
        /// The element.
        element: usize,
    }
    "element {element} is clear text, but the policy asks for sealed content";

    /// The author has no chain that counts.
    701 "unattested" Hop Place::Element(*element) =>
    Unattested {
        /// The element.
        element: usize,
        /// Its author.
        author: AgentId,
    }
    "element {element} is by {author}, who has no authority that counts";

    /// None of the author's chains grants this action on this resource.
    702 "not_authorized" Hop Place::Element(*element) =>
    NotAuthorized {
        /// The element.
        element: usize,
        /// Its author.
        author: AgentId,
    }
    "element {element} is by {author}, none of whose chains grants this action on this resource";

    /// The element was admitted before, on this or another path; it authorizes once.
    703 "already_acted_on" Carrier Place::Element(*element) =>
    AlreadyActedOn {
        /// The element.
        element: usize,
    }
    "element {element} was admitted before and authorizes once only";

    /// The body is absent, so nothing can be authorized by it.
    704 "absent" Hop Place::Element(*element) =>
    Absent {
        /// The element.
        element: usize,
    }
    "the body of element {element} is absent";

    /// The envelope is not a reply at all.
    801 "not_a_reply" Originator Place::Header =>
    NotAReply
    "the envelope is not a reply";

    /// The envelope answers another envelope.
    802 "reply_to_another" Originator Place::Header =>
    ReplyToAnother {
        /// The envelope it answers.
        answers: HopId,
    }
    "the reply answers {answers}, which is another envelope";

    /// The reply comes from an agent that was not asked.
    803 "reply_from_stranger" Originator Place::Header =>
    ReplyFromStranger {
        /// Who replied.
        from: AgentId,
    }
    "the reply is from {from}, who was not asked";

    /// The reply is in another conversation: other parties or another context.
    804 "reply_elsewhere" Originator Place::Header =>
    ReplyElsewhere
    "the reply belongs to another conversation than the request";

    /// The reply was made on a path other than the one it is compared with.
    805 "reply_path" Originator Place::Header =>
    ReplyPath
    "the replier saw another path of the request";

    /// Entropy of 32 zero bytes: a source that failed.
    901 "zero_entropy" Caller Place::Call =>
    ZeroEntropy
    "entropy is all zeros; the source of randomness has failed";

    /// The operating system gave no randomness.
    902 "no_entropy" Caller Place::Call =>
    NoEntropy
    "the operating system gives no randomness";

    /// The clock is before 1970, or beyond the year 285 million.
    903 "clock" Caller Place::Call =>
    Clock
    "the system clock does not give a usable time";

    /// A builder lacks what it needs, or got what cannot stand together.
    904 "incomplete_draft" Caller Place::Call =>
    IncompleteDraft {
        /// What is wrong.
        reason: &'static str,
    }
    "the draft cannot be signed: {reason}";

    /// The acting identity is not the agent that the call is about.
    905 "wrong_identity" Caller Place::Call =>
    WrongIdentity {
        /// The agent that must act.
        expected: AgentId,
        /// The agent that was given.
        found: AgentId,
    }
    "{found} cannot act here; expected {expected}";

    /// A verifier without trust anchors: it could never accept anything.
    906 "no_anchors" Caller Place::Call =>
    NoAnchors
    "no trust anchors are configured, so no origin could be trusted";

    /// A value of the configuration is out of its range.
    907 "configuration" Caller Place::Call =>
    Configuration {
        /// What is wrong.
        reason: &'static str,
    }
    "configuration: {reason}";

    /// The content does not have the form that was asked for.
    908 "content_form" Hop Place::Call =>
    ContentForm {
        /// The form that was asked for.
        expected: &'static str,
    }
    "the content is not {expected}";

    /// Stored state was written by something else, or was altered.
    909 "bad_state" Caller Place::Offset(*offset) =>
    BadState {
        /// Where it departs from what would have been written.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    }
    "stored state is damaged at byte {offset}: {reason}";

    /// An amount that cannot be added to others: zero, there already, with a wrong unit, or one too many.
    1001 "amount_refused" Caller Place::Call =>
    AmountRefused {
        /// What it would be an amount of.
        dimension: Dimension,
        /// What is allowed.
        expected: &'static str,
    }
    "amount of {dimension} is not {expected}";

    /// Amounts add up to more than 2^64 − 1.
    1002 "amount_overflow" Caller Place::Call =>
    AmountOverflow {
        /// The first dimension in which they do.
        dimension: Dimension,
    }
    "amounts of {dimension} add up to more than 2^64 - 1";

    /// Less is there than is to be taken away.
    1003 "amount_lacking" Caller Place::Call =>
    AmountLacking {
        /// The first dimension of which there is too little.
        dimension: Dimension,
        /// How much there is.
        available: u64,
        /// How much is to be taken.
        needed: u64,
    }
    "{needed} {dimension} are needed, {available} are there";

    /// Nothing can be divided by weights that add up to zero.
    1004 "zero_weights" Caller Place::Call =>
    ZeroWeights
    "the weights of the shares add up to zero";

    /// A carried allotment does not follow from the one above it: another holder, another allotment, another payer.
    1010 "allotment_lineage" Peer element.map_or(Place::Entry(*entry), Place::Element) =>
    AllotmentLineage {
        /// The element that carries it.
        element: Option<usize>,
        /// The statement, the root allotment being 0.
        entry: usize,
    }
    "statement {entry} of the allotment{} does not follow from the one above it", InElement(*element);

    /// A carried split breaks what its holder was granted.
    1011 "allotment_breach" Peer element.map_or(Place::Entry(*entry), Place::Element) =>
    AllotmentBreach {
        /// The element that carries it.
        element: Option<usize>,
        /// The statement, the root allotment being 0.
        entry: usize,
        /// What it breaks.
        breach: Breach,
    }
    "statement {entry} of the allotment{} is in breach: {breach}", InElement(*element);

    /// The signature of a carried allotment is not valid.
    1012 "allotment_signature" Peer element.map_or(Place::Entry(*entry), Place::Element) =>
    AllotmentSignature {
        /// The element that carries it.
        element: Option<usize>,
        /// The statement, the root allotment being 0.
        entry: usize,
        /// The agent that would have signed.
        signer: AgentId,
    }
    "signature of statement {entry} of the allotment{} is not one by {signer}", InElement(*element);

    /// An allotment is not made out for the place where it stands.
    1013 "allotment_place" Peer Place::Element(*element) =>
    AllotmentPlace {
        /// The element.
        element: usize,
        /// What does not fit.
        reason: &'static str,
    }
    "allotment in element {element} is not made out for this place: {reason}";

    /// The header declares more than the originator's allotment grants.
    1014 "declared_beyond_allotment" Originator Place::Header =>
    DeclaredBeyondAllotment {
        /// The element with the allotment.
        element: usize,
        /// In what.
        wider: Wider,
    }
    "the header declares more than the allotment in element {element} grants: {wider}";

    /// A report element is not the history of its author's ledger, or does not end in a report.
    1015 "report_form" Peer Place::Element(*element) =>
    ReportForm {
        /// The element.
        element: usize,
    }
    "element {element} is not a history of its author's ledger that ends in a report";

    /// Policy: nothing is done without an allotment that counts.
    1016 "must_be_funded" Originator Place::Envelope =>
    MustBeFunded {
        /// Why each allotment for this agent funds nothing; empty if there is none.
        reasons: Vec<Unfunded>,
    }
    "no allotment for this agent counts: {}", Unpaid(reasons);

    /// The ledger has made its last report.
    1020 "ledger_closed" Caller Place::Call =>
    LedgerClosed
    "the ledger has made its last report";

    /// An operation that does not fit the ledger.
    1021 "ledger_refused" Caller Place::Call =>
    LedgerRefused {
        /// Why.
        reason: &'static str,
    }
    "the ledger refuses: {reason}";

    /// A split goes beyond the terms of its ledger.
    1022 "split_widened" Caller Place::Call =>
    SplitWidened {
        /// In what.
        wider: Wider,
    }
    "the split goes beyond the terms of this ledger: {wider}";

    /// The deadline, or the end of the wall time, has passed.
    1023 "deadline_passed" Caller Place::Call =>
    DeadlinePassed {
        /// When it was.
        deadline: Timestamp,
        /// The time of the call.
        now: Timestamp,
    }
    "the deadline was {deadline}, the time is {now}";

    /// As many children are running as the ceiling `concurrency` allows.
    1024 "too_many_children" Caller Place::Call =>
    TooManyChildren {
        /// How many.
        running: usize,
    }
    "{running} children are running, which is as many as the concurrency granted";

    /// A report cannot be credited.
    1025 "report_refused" Peer Place::Call =>
    ReportRefused {
        /// Why.
        reason: &'static str,
    }
    "the report cannot be credited: {reason}";

    /// An entry of a reported ledger breaks a rule.
    1026 "history_breach" Peer Place::Entry(usize::try_from(*entry).unwrap_or(usize::MAX)) =>
    HistoryBreach {
        /// The sequence number of the entry.
        entry: u64,
        /// What it breaks.
        breach: Breach,
    }
    "entry {entry} of the ledger is in breach: {breach}";

    /// The signature of a ledger entry is not valid.
    1027 "entry_signature" Peer Place::Entry(*entry) =>
    EntrySignature {
        /// The position of the entry among those given.
        entry: usize,
        /// The agent that would have signed.
        signer: AgentId,
    }
    "signature of ledger entry {entry} is not one by {signer}";

    /// Statements that convict nobody.
    1028 "no_evidence" Peer Place::Call =>
    NoEvidence
    "the statements convict nobody";

    /// A tariff neither prices a dimension nor lists it as free of charge.
    1101 "unpriced" Peer Place::Call =>
    Unpriced {
        /// The first such dimension.
        dimension: Dimension,
    }
    "the tariff has no price for {dimension} and does not list it as free of charge";

    /// A price that a tariff cannot state.
    1102 "rate_refused" Caller Place::Call =>
    RateRefused {
        /// What it would be the price of.
        dimension: Dimension,
        /// What is allowed.
        expected: &'static str,
    }
    "price of {dimension} is not {expected}";

    /// A principal has used up its quota for now.
    1103 "quota_exceeded" Peer Place::Call =>
    QuotaExceeded {
        /// The dimension that is longest in coming back.
        dimension: Dimension,
        /// The seconds after which the same would be granted, if nothing else is asked for until then.
        retry_after: u64,
    }
    "the quota of {dimension} is used up; ask again in {retry_after} s";

    /// More is asked for at once than a quota ever grants.
    1104 "beyond_quota" Peer Place::Call =>
    BeyondQuota {
        /// The first such dimension.
        dimension: Dimension,
        /// The most that is ever granted at once.
        burst: u64,
        /// How much is asked for.
        asked: u64,
    }
    "{asked} {dimension} are asked for, and the quota never grants more than {burst} at once";

    /// A quota has no room for another principal.
    1105 "quota_full" Caller Place::Call =>
    QuotaFull {
        /// How many principals it holds.
        capacity: usize,
    }
    "quota is full: {capacity} principals have used some of theirs";

    /// A worker cannot meter a dimension that is not advisory.
    1106 "cannot_meter" Peer Place::Call =>
    CannotMeter {
        /// The first such dimension.
        dimension: Dimension,
    }
    "{dimension} cannot be metered here, and it is not advisory";

    /// A message of a negotiation that does not follow the one before it.
    1107 "negotiation_turn" Peer Place::Envelope =>
    NegotiationTurn {
        /// What may follow.
        expected: &'static str,
        /// What came.
        found: &'static str,
        /// From whom.
        from: AgentId,
    }
    "the negotiation is open for {expected}, not for {found} from {from}";

    /// A message of a negotiation from an agent that is not negotiated with.
    1108 "negotiation_stranger" Peer Place::Header =>
    NegotiationStranger {
        /// With whom the negotiation is.
        expected: AgentId,
        /// Who sent the message.
        from: AgentId,
    }
    "the negotiation is with {expected}, not with {from}";

    /// An envelope carries no message of a negotiation, or more than one.
    1109 "negotiation_messages" Originator Place::Envelope =>
    NegotiationMessages {
        /// How many it carries.
        found: usize,
    }
    "the envelope carries {found} negotiation messages instead of one";

    /// A negotiation goes on for too long.
    1110 "too_many_rounds" Peer Place::Envelope =>
    TooManyRounds {
        /// How many asks there may be.
        limit: usize,
    }
    "the negotiation has had {limit} rounds and may not have another";

    /// An offer is no longer valid.
    1111 "offer_expired" Peer Place::Call =>
    OfferExpired {
        /// From when on.
        valid_until: Timestamp,
        /// The time given.
        now: Timestamp,
    }
    "the offer was valid until {valid_until}, the time is {now}";

    /// A negotiation has not come to an acceptance.
    1112 "not_settled" Caller Place::Call =>
    NotSettled {
        /// What it has come to.
        last: &'static str,
    }
    "the negotiation is not settled: its last message is {last}";

    /// A negotiation ended in a refusal.
    1113 "negotiation_refused" Peer Place::Call =>
    NegotiationRefused {
        /// Why.
        refusal: Refusal,
    }
    "the negotiation was refused: {refusal}";

    /// A request that rests on a negotiation declares no terms.
    1114 "terms_missing" Originator Place::Header =>
    TermsMissing
    "the request rests on a negotiation and declares no terms";

    /// The terms of a request give less than the accepted offer needs.
    1115 "terms_below_need" Peer Place::Call =>
    TermsBelowNeed {
        /// The first dimension of which there is too little.
        dimension: Dimension,
        /// How much the offer needs.
        needed: u64,
    }
    "the terms give less {dimension} than the {needed} that the accepted offer needs";

    /// The terms of a request go beyond the accepted offer.
    1116 "terms_not_accepted" Peer Place::Call =>
    TermsNotAccepted {
        /// In what.
        wider: Wider,
    }
    "the terms go beyond the accepted offer: {wider}";

    /// A settled negotiation has had its request.
    1117 "settlement_used" Peer Place::Call =>
    SettlementUsed
    "the negotiation has had its one request";

    /// A message of a negotiation that contradicts itself.
    1118 "negotiation_form" Caller Place::Call =>
    NegotiationForm {
        /// What it must be.
        expected: &'static str,
    }
    "the message is not {expected}";
}

struct Unpaid<'a>(&'a [Unfunded]);

impl fmt::Display for Unpaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there is none");
        }
        for (index, reason) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

struct DepthAllowed(Option<u64>);

impl fmt::Display for DepthAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(allowed) => write!(f, "allows more re-delegation than the {allowed} left to it"),
            None => f.write_str("stands where no re-delegation is left"),
        }
    }
}

struct Reasons<'a>(&'a [ChainStatus]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("its key is no anchor and it brought no chain");
        }
        for (index, reason) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}chain {index}: {reason}")?;
        }
        Ok(())
    }
}

struct Ceiling(Option<Wider>);

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(wider) => wider.fmt(f),
            None => f.write_str("there is none to hand on"),
        }
    }
}

#[cfg(test)]
mod tests;
