use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;

const AGENT: &str = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw";
const OTHER: &str = "did:key:z6MkiaMbhXHNA4eJVCCj8dbzKzTgYDKf6crKgHVHid1F1WCT";
const AB: &str = "abababababababababababababababababababababababababababababababab";
const CD: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

fn agent() -> AgentId {
    AGENT.parse().expect("the key of RFC 8032 §7.1, test 1")
}

fn other() -> AgentId {
    OTHER.parse().expect("the key of RFC 8032 §7.1, test 2")
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

struct Row {
    error: Error,
    code: u16,
    name: &'static str,
    culprit: Culprit,
    place: Place,
    text: String,
}

/// Every variant, and every text that one of them may take.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |error, code, name, culprit, place, text: &str| {
        let text = text.to_string();
        rows.push(Row { error, code, name, culprit, place, text });
    };
    row(
        Error::Truncated { offset: 7 },
        101,
        "truncated",
        Culprit::Encoder,
        Place::Offset(7),
        "input ends inside the item at byte 7",
    );
    row(
        Error::LongInteger { offset: 7 },
        102,
        "long_integer",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 has a head longer than need be; the shortest form is required",
    );
    row(
        Error::IndefiniteLength { offset: 7 },
        103,
        "indefinite_length",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 has indefinite length; only definite lengths are allowed",
    );
    row(
        Error::ReservedEncoding { offset: 7 },
        104,
        "reserved_encoding",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 uses additional information that is reserved (28 to 30)",
    );
    row(
        Error::Float { offset: 7 },
        105,
        "float",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 is a floating-point number; there are none in this format",
    );
    row(
        Error::Tag { offset: 7 },
        106,
        "tag",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 is tagged; there are no tags in this format",
    );
    row(
        Error::SimpleValue { offset: 7 },
        107,
        "simple_value",
        Culprit::Encoder,
        Place::Offset(7),
        "item at byte 7 is a simple value other than null",
    );
    row(
        Error::TrailingBytes { offset: 7, count: 2 },
        108,
        "trailing_bytes",
        Culprit::Encoder,
        Place::Offset(7),
        "2 bytes too many from byte 7 on",
    );
    row(
        Error::InvalidUtf8 { offset: 7 },
        109,
        "invalid_utf8",
        Culprit::Encoder,
        Place::Offset(7),
        "text at byte 7 is not valid UTF-8",
    );
    row(
        Error::WrongType { offset: 7, expected: "an array", found: "a map" },
        110,
        "wrong_type",
        Culprit::Encoder,
        Place::Offset(7),
        "expected an array at byte 7, found a map",
    );
    row(
        Error::UnknownKey { offset: 7, key: -4, map: "header" },
        111,
        "unknown_key",
        Culprit::Encoder,
        Place::Offset(7),
        "header has key -4 at byte 7, which does not belong there",
    );
    row(
        Error::MissingKey { offset: 7, key: 2, map: "header" },
        112,
        "missing_key",
        Culprit::Encoder,
        Place::Offset(7),
        "header lacks key 2, expected at byte 7",
    );
    row(
        Error::DuplicateKey { offset: 7 },
        113,
        "duplicate_key",
        Culprit::Encoder,
        Place::Offset(7),
        "map key at byte 7 is there already",
    );
    row(
        Error::UnsortedKey { offset: 7 },
        114,
        "unsorted_key",
        Culprit::Encoder,
        Place::Offset(7),
        "map key at byte 7 belongs before the one it follows",
    );
    row(
        Error::WrongLength { offset: 7, expected: 32, found: 31 },
        115,
        "wrong_length",
        Culprit::Encoder,
        Place::Offset(7),
        "expected 32 bytes at byte 7, found 31",
    );
    row(
        Error::IntegerTooLarge { offset: 7, maximum: 9_007_199_254_740_991 },
        116,
        "integer_too_large",
        Culprit::Encoder,
        Place::Offset(7),
        "integer at byte 7 is larger than 9007199254740991",
    );
    row(
        Error::UnsortedSet { offset: 7 },
        117,
        "unsorted_set",
        Culprit::Encoder,
        Place::Offset(7),
        "set member at byte 7 belongs before the one it follows",
    );
    row(
        Error::DuplicateMember { offset: 7 },
        118,
        "duplicate_member",
        Culprit::Encoder,
        Place::Offset(7),
        "set member at byte 7 is there already",
    );
    row(
        Error::WrongCount { offset: 7, expected: 4, found: 3 },
        119,
        "wrong_count",
        Culprit::Encoder,
        Place::Offset(7),
        "expected an array of 4 items at byte 7, found 3",
    );
    row(
        Error::Empty { offset: 7, what: "scope" },
        120,
        "empty",
        Culprit::Encoder,
        Place::Offset(7),
        "scope at byte 7 must not be empty",
    );
    row(
        Error::WrongConstant { offset: 7, expected: "agent-envelope/1" },
        121,
        "wrong_constant",
        Culprit::Encoder,
        Place::Offset(7),
        "expected agent-envelope/1 at byte 7",
    );
    row(
        Error::InvalidValue { offset: 7, expected: "a name of 1 to 256 bytes" },
        122,
        "invalid_value",
        Culprit::Encoder,
        Place::Offset(7),
        "value at byte 7 is not a name of 1 to 256 bytes",
    );
    row(
        Error::InvalidAgentId { offset: 7, reason: "the key is a point of small order" },
        123,
        "invalid_agent_id",
        Culprit::Encoder,
        Place::Offset(7),
        "agent id at byte 7 is refused: the key is a point of small order",
    );
    row(
        Error::LimitExceeded { what: "elements", limit: 1024, found: 1025 },
        201,
        "limit_exceeded",
        Culprit::Originator,
        Place::Envelope,
        "1025 elements exceed the limit of 1024",
    );
    row(
        Error::SignerNotNext { hop: 2, signer: agent() },
        301,
        "signer_not_next",
        Culprit::Hop,
        Place::Hop(2),
        &format!("hop 2 is by {AGENT}, whom the hop before does not name as next"),
    );
    row(
        Error::SignerInNext { hop: 2 },
        302,
        "signer_in_next",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 names its own signer as next",
    );
    row(
        Error::HopCount { hop: 2, at_least: 3, at_most: 5, found: 6 },
        303,
        "hop_count",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 counts 6 elements, expected 3 to 5",
    );
    row(
        Error::HopTime { hop: 2, at: at(90), not_before: at(100), not_after: at(160) },
        304,
        "hop_time",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 is dated 90, expected 100 to 160",
    );
    row(
        Error::DepartsFromVia { hop: 2 },
        305,
        "departs_from_via",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 departs from the path that the header lays down in via",
    );
    row(
        Error::HopKeys { hop: 2 },
        306,
        "hop_keys",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 must have signer and time exactly if it is not hop 0",
    );
    row(
        Error::KindOutOfPlace { element: 3, kind: 0, hop: 2 },
        307,
        "kind_out_of_place",
        Culprit::Hop,
        Place::Element(3),
        "element 3 of kind 0 was added by hop 2; only the originator may write that kind",
    );
    row(
        Error::UnassignedKind { element: 3, kind: 96 },
        308,
        "unassigned_kind",
        Culprit::Encoder,
        Place::Element(3),
        "element 3 has kind 96, which is not assigned",
    );
    row(
        Error::ControlRecord { element: 3 },
        309,
        "control_record",
        Culprit::Encoder,
        Place::Element(3),
        "control element 3 must be clear, complete and without further record keys",
    );
    row(
        Error::BodyMissing { element: 3, elidable: true },
        310,
        "body_missing",
        Culprit::Carrier,
        Place::Element(3),
        "element 3 has no body, and no hop lists it as absent",
    );
    row(
        Error::BodyMissing { element: 3, elidable: false },
        310,
        "body_missing",
        Culprit::Carrier,
        Place::Element(3),
        "element 3 has no body, and its author did not make it elidable",
    );
    row(
        Error::AbsenceNotAllowed { hop: 2, element: 3 },
        311,
        "absence_not_allowed",
        Culprit::Hop,
        Place::Hop(2),
        "hop 2 lists element 3 as absent, which is not elidable, not yet there, or listed already",
    );
    row(
        Error::NoSuchAudience { element: 3, audience: 4 },
        312,
        "no_such_audience",
        Culprit::Encoder,
        Place::Element(3),
        "element 3 is sealed to the audience in element 4, which is not an audience below it",
    );
    row(
        Error::KeyPackageOfAnother { element: 3 },
        313,
        "key_package_of_another",
        Culprit::Originator,
        Place::Element(3),
        "element 3 is a key package of an agent other than the sender",
    );
    row(
        Error::NotYetValid { created: at(100), now: at(90) },
        320,
        "not_yet_valid",
        Culprit::Originator,
        Place::Header,
        "envelope is created at 100, verification time is 90",
    );
    row(
        Error::Expired { expires: at(100), now: at(110) },
        321,
        "expired",
        Culprit::Originator,
        Place::Header,
        "envelope expired at 100, verification time is 110",
    );
    row(
        Error::WindowReversed { not_before: at(100), expires: at(90) },
        322,
        "window_reversed",
        Culprit::Originator,
        Place::Header,
        "window ends at 90, which is not after its begin at 100",
    );
    row(
        Error::LifetimeTooLong { seconds: 86_401, maximum: 86_400 },
        323,
        "lifetime_too_long",
        Culprit::Originator,
        Place::Header,
        "lifetime of 86401 s exceeds the 86400 s allowed",
    );
    row(
        Error::NotAddressed { agent: agent() },
        330,
        "not_addressed",
        Culprit::Carrier,
        Place::Envelope,
        &format!("the last hop does not name {AGENT} as next"),
    );
    row(
        Error::NotARecipient { agent: agent() },
        331,
        "not_a_recipient",
        Culprit::Carrier,
        Place::Header,
        &format!("the header names {AGENT} neither in to nor in via; it may relay, not read"),
    );
    row(
        Error::Replayed { envelope: HeaderDigest([0xab; 32]) },
        340,
        "replayed",
        Culprit::Carrier,
        Place::Envelope,
        &format!("envelope {AB} was admitted already"),
    );
    row(
        Error::BelowReplayFloor { created: at(90), floor: at(100) },
        341,
        "below_replay_floor",
        Culprit::Carrier,
        Place::Header,
        "envelope is created at 90; replays up to 100 can no longer be told apart",
    );
    row(
        Error::ReplayWindowFull { what: "principals", capacity: 1024 },
        342,
        "replay_window_full",
        Culprit::Caller,
        Place::Call,
        "replay window is full: 1024 principals",
    );
    row(
        Error::ElementChain { hop: 2, from: 3, until: 5 },
        401,
        "element_chain",
        Culprit::Carrier,
        Place::Hop(2),
        "the element chain does not reach the head that hop 2 signs; elements from 3 on, before 5, may be at fault",
    );
    row(
        Error::ControlCommit { element: 3 },
        402,
        "control_commit",
        Culprit::Carrier,
        Place::Element(3),
        "body of control element 3 does not match its commitment",
    );
    row(
        Error::ContentCommit { element: 3 },
        403,
        "content_commit",
        Culprit::Carrier,
        Place::Element(3),
        "body of element 3 does not match its commitment",
    );
    row(
        Error::SealedDigest { element: 3 },
        404,
        "sealed_digest",
        Culprit::Carrier,
        Place::Element(3),
        "sealed body of element 3 does not match its digest",
    );
    row(
        Error::HopSignature { hop: 2, signer: agent() },
        410,
        "hop_signature",
        Culprit::Carrier,
        Place::Hop(2),
        &format!("signature of hop 2 is not one by {AGENT}"),
    );
    row(
        Error::LinkSignature { element: Some(3), link: 1, signer: agent() },
        411,
        "link_signature",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        &format!("signature of link 1 of element 3 is not one by {AGENT}"),
    );
    row(
        Error::LinkSignature { element: None, link: 1, signer: agent() },
        411,
        "link_signature",
        Culprit::Issuer,
        Place::Link { element: None, link: 1 },
        &format!("signature of link 1 is not one by {AGENT}"),
    );
    row(
        Error::KeyPackageSignature { element: Some(3), agent: agent() },
        412,
        "key_package_signature",
        Culprit::Carrier,
        Place::Element(3),
        &format!("signature of the key package is not one by {AGENT}"),
    );
    row(
        Error::KeyPackageSignature { element: None, agent: agent() },
        412,
        "key_package_signature",
        Culprit::Carrier,
        Place::Call,
        &format!("signature of the key package is not one by {AGENT}"),
    );
    row(
        Error::LeafNotAuthor { element: 3, holder: agent(), author: other() },
        501,
        "leaf_not_author",
        Culprit::Carrier,
        Place::Element(3),
        &format!("chain in element 3 ends in {AGENT}, but {OTHER} wrote it"),
    );
    row(
        Error::ScopeWidened { element: Some(3), link: 1, permission: 4 },
        502,
        "scope_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 widens the scope with its permission 4",
    );
    row(
        Error::ScopeWidened { element: None, link: 1, permission: 4 },
        502,
        "scope_widened",
        Culprit::Issuer,
        Place::Link { element: None, link: 1 },
        "link 1 widens the scope with its permission 4",
    );
    row(
        Error::DepthExceeded { element: Some(3), link: 1, allowed: Some(2) },
        503,
        "depth_exceeded",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 allows more re-delegation than the 2 left to it",
    );
    row(
        Error::DepthExceeded { element: None, link: 1, allowed: None },
        503,
        "depth_exceeded",
        Culprit::Issuer,
        Place::Link { element: None, link: 1 },
        "link 1 stands where no re-delegation is left",
    );
    row(
        Error::WindowWidened { element: Some(3), link: 1, not_before: at(100), expires: at(160) },
        504,
        "window_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 is valid outside the window 100 to 160 above it",
    );
    row(
        Error::AudienceChanged { element: Some(3), link: 1 },
        505,
        "audience_changed",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 names another audience than the links above it",
    );
    row(
        Error::ConversationChanged { element: Some(3), link: 1 },
        506,
        "conversation_changed",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 names another conversation than the links above it",
    );
    row(
        Error::BudgetWidened {
            element: Some(3),
            link: 1,
            wider: Some(Wider::Amount(Dimension::TOOL_CALLS)),
        },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 goes beyond the budget ceiling above it: there is more tool-calls",
    );
    row(
        Error::BudgetWidened {
            element: Some(3),
            link: 1,
            wider: Some(Wider::Amount(Dimension::CONCURRENCY)),
        },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 goes beyond the budget ceiling above it: the ceiling of concurrency is higher or left out",
    );
    row(
        Error::BudgetWidened { element: Some(3), link: 1, wider: Some(Wider::Deadline) },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 goes beyond the budget ceiling above it: the deadline is later",
    );
    row(
        Error::BudgetWidened { element: Some(3), link: 1, wider: Some(Wider::Depth) },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        "link 1 of element 3 goes beyond the budget ceiling above it: the depth is greater",
    );
    row(
        Error::BudgetWidened { element: None, link: 1, wider: Some(Wider::Wall) },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: None, link: 1 },
        "link 1 goes beyond the budget ceiling above it: the wall time is longer or left out",
    );
    row(
        Error::BudgetWidened { element: None, link: 1, wider: None },
        507,
        "budget_widened",
        Culprit::Issuer,
        Place::Link { element: None, link: 1 },
        "link 1 goes beyond the budget ceiling above it: there is none to hand on",
    );
    row(
        Error::HolderRepeated { element: Some(3), link: 1, holder: agent() },
        508,
        "holder_repeated",
        Culprit::Issuer,
        Place::Link { element: Some(3), link: 1 },
        &format!("link 1 of element 3 makes {AGENT} a holder, who is in the chain already"),
    );
    row(
        Error::UntrustedOrigin { reasons: vec![] },
        510,
        "untrusted_origin",
        Culprit::Originator,
        Place::Header,
        "the originator has no authority that counts: its key is no anchor and it brought no chain",
    );
    row(
        Error::UntrustedOrigin {
            reasons: vec![
                ChainStatus::NotForMe,
                ChainStatus::Expired { expires: at(100), now: at(110) },
            ],
        },
        510,
        "untrusted_origin",
        Culprit::Originator,
        Place::Header,
        "the originator has no authority that counts: chain 0: made out to another audience; chain 1: expired at 100, verification time is 110",
    );
    row(
        Error::UntrustedOrigin {
            reasons: vec![
                ChainStatus::UnknownRoot { root: agent() },
                ChainStatus::BeyondAnchor { link: 1, what: "scope" },
            ],
        },
        510,
        "untrusted_origin",
        Culprit::Originator,
        Place::Header,
        &format!(
            "the originator has no authority that counts: chain 0: its root {AGENT} is no trust anchor; chain 1: link 1 goes beyond its trust anchor: scope"
        ),
    );
    row(
        Error::UntrustedOrigin {
            reasons: vec![
                ChainStatus::NotYetValid { not_before: at(100), now: at(90) },
                ChainStatus::Revoked { link: Some(1) },
            ],
        },
        510,
        "untrusted_origin",
        Culprit::Originator,
        Place::Header,
        "the originator has no authority that counts: chain 0: valid from 100, verification time is 90; chain 1: link 1 is revoked",
    );
    row(
        Error::UntrustedOrigin {
            reasons: vec![ChainStatus::Revoked { link: None }, ChainStatus::OtherConversation],
        },
        510,
        "untrusted_origin",
        Culprit::Originator,
        Place::Header,
        "the originator has no authority that counts: chain 0: its root key is revoked; chain 1: made out to another conversation",
    );
    row(
        Error::RevocationsStale { as_of: at(100), now: at(4000), max_age: 3600 },
        511,
        "revocations_stale",
        Culprit::Caller,
        Place::Call,
        "revocation list is as of 100, verification time is 4000, and at most 3600 s are allowed",
    );
    row(
        Error::SignerRevoked { hop: 2, signer: agent() },
        512,
        "signer_revoked",
        Culprit::Hop,
        Place::Hop(2),
        &format!("the key of {AGENT}, who signs hop 2, is revoked"),
    );
    row(
        Error::BeyondAnchor { what: "scope" },
        513,
        "beyond_anchor",
        Culprit::Caller,
        Place::Call,
        "the grant goes beyond its trust anchor: scope",
    );
    row(
        Error::CannotOpen { element: 3 },
        601,
        "cannot_open",
        Culprit::Carrier,
        Place::Element(3),
        "element 3 cannot be opened",
    );
    row(
        Error::KeyPackageWindow { not_before: at(100), expires: at(160), now: at(170) },
        602,
        "key_package_window",
        Culprit::Originator,
        Place::Call,
        "key package is valid from 100 to 160, time of use is 170",
    );
    row(
        Error::SuiteTooWeak { minimum: 2, found: 1 },
        603,
        "suite_too_weak",
        Culprit::Originator,
        Place::Call,
        "suite 1 is weaker than suite 2, which the policy asks for",
    );
    row(
        Error::DuplicateHint { first: agent(), second: other() },
        604,
        "duplicate_hint",
        Culprit::Caller,
        Place::Call,
        &format!(
            "the sealing keys of {AGENT} and {OTHER} share their first eight bytes; ask one of them for a fresh key package"
        ),
    );
    row(
        Error::WeakSealingKey { agent: agent() },
        605,
        "weak_sealing_key",
        Culprit::Originator,
        Place::Call,
        &format!("the sealing key of {AGENT} is not a usable X25519 key"),
    );
    row(
        Error::MustBeSealed { element: 3 },
        606,
        "must_be_sealed",
        Culprit::Originator,
        Place::Element(3),
        "element 3 is clear text, but the policy asks for sealed content",
    );
    row(
        Error::Unattested { element: 3, author: agent() },
        701,
        "unattested",
        Culprit::Hop,
        Place::Element(3),
        &format!("element 3 is by {AGENT}, who has no authority that counts"),
    );
    row(
        Error::NotAuthorized { element: 3, author: agent() },
        702,
        "not_authorized",
        Culprit::Hop,
        Place::Element(3),
        &format!(
            "element 3 is by {AGENT}, none of whose chains grants this action on this resource"
        ),
    );
    row(
        Error::AlreadyActedOn { element: 3 },
        703,
        "already_acted_on",
        Culprit::Carrier,
        Place::Element(3),
        "element 3 was admitted before and authorizes once only",
    );
    row(
        Error::Absent { element: 3 },
        704,
        "absent",
        Culprit::Hop,
        Place::Element(3),
        "the body of element 3 is absent",
    );
    row(
        Error::NotAReply,
        801,
        "not_a_reply",
        Culprit::Originator,
        Place::Header,
        "the envelope is not a reply",
    );
    row(
        Error::ReplyToAnother { answers: HopId([0xcd; 32]) },
        802,
        "reply_to_another",
        Culprit::Originator,
        Place::Header,
        &format!("the reply answers {CD}, which is another envelope"),
    );
    row(
        Error::ReplyFromStranger { from: agent() },
        803,
        "reply_from_stranger",
        Culprit::Originator,
        Place::Header,
        &format!("the reply is from {AGENT}, who was not asked"),
    );
    row(
        Error::ReplyElsewhere,
        804,
        "reply_elsewhere",
        Culprit::Originator,
        Place::Header,
        "the reply belongs to another conversation than the request",
    );
    row(
        Error::ReplyPath,
        805,
        "reply_path",
        Culprit::Originator,
        Place::Header,
        "the replier saw another path of the request",
    );
    row(
        Error::ZeroEntropy,
        901,
        "zero_entropy",
        Culprit::Caller,
        Place::Call,
        "entropy is all zeros; the source of randomness has failed",
    );
    row(
        Error::NoEntropy,
        902,
        "no_entropy",
        Culprit::Caller,
        Place::Call,
        "the operating system gives no randomness",
    );
    row(
        Error::Clock,
        903,
        "clock",
        Culprit::Caller,
        Place::Call,
        "the system clock does not give a usable time",
    );
    row(
        Error::IncompleteDraft { reason: "it has no recipient" },
        904,
        "incomplete_draft",
        Culprit::Caller,
        Place::Call,
        "the draft cannot be signed: it has no recipient",
    );
    row(
        Error::WrongIdentity { expected: agent(), found: other() },
        905,
        "wrong_identity",
        Culprit::Caller,
        Place::Call,
        &format!("{OTHER} cannot act here; expected {AGENT}"),
    );
    row(
        Error::NoAnchors,
        906,
        "no_anchors",
        Culprit::Caller,
        Place::Call,
        "no trust anchors are configured, so no origin could be trusted",
    );
    row(
        Error::Configuration { reason: "clock skew is at most 60 seconds" },
        907,
        "configuration",
        Culprit::Caller,
        Place::Call,
        "configuration: clock skew is at most 60 seconds",
    );
    row(
        Error::ContentForm { expected: "one CBOR item" },
        908,
        "content_form",
        Culprit::Hop,
        Place::Call,
        "the content is not one CBOR item",
    );
    row(
        Error::BadState { offset: 7, reason: "it holds more than it may, or something twice" },
        909,
        "bad_state",
        Culprit::Caller,
        Place::Offset(7),
        "stored state is damaged at byte 7: it holds more than it may, or something twice",
    );
    row(
        Error::AmountRefused {
            dimension: Dimension::MONEY,
            expected: "an amount in an asset with its decimal places, such as USD:6",
        },
        1001,
        "amount_refused",
        Culprit::Caller,
        Place::Call,
        "amount of money is not an amount in an asset with its decimal places, such as USD:6",
    );
    row(
        Error::AmountOverflow { dimension: Dimension::OUTPUT_TOKENS },
        1002,
        "amount_overflow",
        Culprit::Caller,
        Place::Call,
        "amounts of output-tokens add up to more than 2^64 - 1",
    );
    row(
        Error::AmountLacking { dimension: Dimension::TOOL_CALLS, available: 2, needed: 3 },
        1003,
        "amount_lacking",
        Culprit::Caller,
        Place::Call,
        "3 tool-calls are needed, 2 are there",
    );
    row(
        Error::ZeroWeights,
        1004,
        "zero_weights",
        Culprit::Caller,
        Place::Call,
        "the weights of the shares add up to zero",
    );
    row(
        Error::AllotmentLineage { element: Some(3), entry: 1 },
        1010,
        "allotment_lineage",
        Culprit::Peer,
        Place::Element(3),
        "statement 1 of the allotment of element 3 does not follow from the one above it",
    );
    row(
        Error::AllotmentBreach { element: None, entry: 1, breach: Breach::OverSplit },
        1011,
        "allotment_breach",
        Culprit::Peer,
        Place::Entry(1),
        "statement 1 of the allotment is in breach: grants that are more than there is, or missing from the totals",
    );
    row(
        Error::AllotmentSignature { element: Some(3), entry: 1, signer: agent() },
        1012,
        "allotment_signature",
        Culprit::Peer,
        Place::Element(3),
        &format!("signature of statement 1 of the allotment of element 3 is not one by {AGENT}"),
    );
    row(
        Error::AllotmentPlace { element: 3, reason: "another request" },
        1013,
        "allotment_place",
        Culprit::Peer,
        Place::Element(3),
        "allotment in element 3 is not made out for this place: another request",
    );
    row(
        Error::DeclaredBeyondAllotment { element: 3, wider: Wider::Depth },
        1014,
        "declared_beyond_allotment",
        Culprit::Originator,
        Place::Header,
        "the header declares more than the allotment in element 3 grants: the depth is greater",
    );
    row(
        Error::ReportForm { element: 3 },
        1015,
        "report_form",
        Culprit::Peer,
        Place::Element(3),
        "element 3 is not a history of its author's ledger that ends in a report",
    );
    row(
        Error::MustBeFunded { reasons: vec![] },
        1016,
        "must_be_funded",
        Culprit::Originator,
        Place::Envelope,
        "no allotment for this agent counts: there is none",
    );
    row(
        Error::MustBeFunded {
            reasons: vec![
                Unfunded::UnknownPayer { payer: agent() },
                Unfunded::TooLate { deadline: at(5), now: at(6) },
            ],
        },
        1016,
        "must_be_funded",
        Culprit::Originator,
        Place::Envelope,
        &format!(
            "no allotment for this agent counts: the payer {AGENT} is not trusted to pay; the deadline was 5, verification time is 6"
        ),
    );
    row(
        Error::MustBeFunded {
            reasons: vec![
                Unfunded::BeyondCeiling { payer: agent() },
                Unfunded::Revoked { agent: other() },
            ],
        },
        1016,
        "must_be_funded",
        Culprit::Originator,
        Place::Envelope,
        &format!(
            "no allotment for this agent counts: the payer {AGENT} may not grant that much; the key of {OTHER} is revoked"
        ),
    );
    row(
        Error::LedgerClosed,
        1020,
        "ledger_closed",
        Culprit::Caller,
        Place::Call,
        "the ledger has made its last report",
    );
    row(
        Error::LedgerRefused { reason: "no such child" },
        1021,
        "ledger_refused",
        Culprit::Caller,
        Place::Call,
        "the ledger refuses: no such child",
    );
    row(
        Error::SplitWidened { wider: Wider::Deadline },
        1022,
        "split_widened",
        Culprit::Caller,
        Place::Call,
        "the split goes beyond the terms of this ledger: the deadline is later",
    );
    row(
        Error::DeadlinePassed { deadline: at(5), now: at(6) },
        1023,
        "deadline_passed",
        Culprit::Caller,
        Place::Call,
        "the deadline was 5, the time is 6",
    );
    row(
        Error::TooManyChildren { running: 4 },
        1024,
        "too_many_children",
        Culprit::Caller,
        Place::Call,
        "4 children are running, which is as many as the concurrency granted",
    );
    row(
        Error::ReportRefused { reason: "no such child" },
        1025,
        "report_refused",
        Culprit::Peer,
        Place::Call,
        "the report cannot be credited: no such child",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::Fork },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: two entries for one place in the ledger",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::OverSplit },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: grants that are more than there is, or missing from the totals",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::OverUse },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: use or returns that do not fit what was granted",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::Fell },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: running totals that fall",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::FalseCredit },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: a credit beyond what was granted or reported",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::Widened(Wider::Wall) },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: a grant wider than what it is made of: the wall time is longer or left out",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::AfterLast },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: an entry after a last report",
    );
    row(
        Error::HistoryBreach { entry: 1, breach: Breach::Order },
        1026,
        "history_breach",
        Culprit::Peer,
        Place::Entry(1),
        "entry 1 of the ledger is in breach: a first entry with a predecessor, or a later one without",
    );
    row(
        Error::EntrySignature { entry: 1, signer: agent() },
        1027,
        "entry_signature",
        Culprit::Peer,
        Place::Entry(1),
        &format!("signature of ledger entry 1 is not one by {AGENT}"),
    );
    row(
        Error::NoEvidence,
        1028,
        "no_evidence",
        Culprit::Peer,
        Place::Call,
        "the statements convict nobody",
    );
    row(
        Error::Unpriced { dimension: Dimension::TOOL_CALLS },
        1101,
        "unpriced",
        Culprit::Peer,
        Place::Call,
        "the tariff has no price for tool-calls and does not list it as free of charge",
    );
    row(
        Error::RateRefused { dimension: Dimension::TOOL_CALLS, expected: "one of at most 32" },
        1102,
        "rate_refused",
        Culprit::Caller,
        Place::Call,
        "price of tool-calls is not one of at most 32",
    );
    row(
        Error::QuotaExceeded { dimension: Dimension::TOOL_CALLS, retry_after: 60 },
        1103,
        "quota_exceeded",
        Culprit::Peer,
        Place::Call,
        "the quota of tool-calls is used up; ask again in 60 s",
    );
    row(
        Error::BeyondQuota { dimension: Dimension::TOOL_CALLS, burst: 10, asked: 11 },
        1104,
        "beyond_quota",
        Culprit::Peer,
        Place::Call,
        "11 tool-calls are asked for, and the quota never grants more than 10 at once",
    );
    row(
        Error::QuotaFull { capacity: 3 },
        1105,
        "quota_full",
        Culprit::Caller,
        Place::Call,
        "quota is full: 3 principals have used some of theirs",
    );
    row(
        Error::CannotMeter { dimension: Dimension::TOOL_CALLS },
        1106,
        "cannot_meter",
        Culprit::Peer,
        Place::Call,
        "tool-calls cannot be metered here, and it is not advisory",
    );
    row(
        Error::NegotiationTurn { expected: "an ask by the asker", found: "accept", from: agent() },
        1107,
        "negotiation_turn",
        Culprit::Peer,
        Place::Envelope,
        &format!("the negotiation is open for an ask by the asker, not for accept from {AGENT}"),
    );
    row(
        Error::NegotiationStranger { expected: agent(), from: other() },
        1108,
        "negotiation_stranger",
        Culprit::Peer,
        Place::Header,
        &format!("the negotiation is with {AGENT}, not with {OTHER}"),
    );
    row(
        Error::NegotiationMessages { found: 2 },
        1109,
        "negotiation_messages",
        Culprit::Originator,
        Place::Envelope,
        "the envelope carries 2 negotiation messages instead of one",
    );
    row(
        Error::TooManyRounds { limit: 8 },
        1110,
        "too_many_rounds",
        Culprit::Peer,
        Place::Envelope,
        "the negotiation has had 8 rounds and may not have another",
    );
    row(
        Error::OfferExpired { valid_until: at(5), now: at(6) },
        1111,
        "offer_expired",
        Culprit::Peer,
        Place::Call,
        "the offer was valid until 5, the time is 6",
    );
    row(
        Error::NotSettled { last: "offer" },
        1112,
        "not_settled",
        Culprit::Caller,
        Place::Call,
        "the negotiation is not settled: its last message is offer",
    );
    row(
        Error::NegotiationRefused { refusal: Refusal::TooDeep },
        1113,
        "negotiation_refused",
        Culprit::Peer,
        Place::Call,
        "the negotiation was refused: too-deep",
    );
    row(
        Error::TermsMissing,
        1114,
        "terms_missing",
        Culprit::Originator,
        Place::Header,
        "the request rests on a negotiation and declares no terms",
    );
    row(
        Error::TermsBelowNeed { dimension: Dimension::TOOL_CALLS, needed: 5 },
        1115,
        "terms_below_need",
        Culprit::Peer,
        Place::Call,
        "the terms give less tool-calls than the 5 that the accepted offer needs",
    );
    row(
        Error::TermsNotAccepted { wider: Wider::Deadline },
        1116,
        "terms_not_accepted",
        Culprit::Peer,
        Place::Call,
        "the terms go beyond the accepted offer: the deadline is later",
    );
    row(
        Error::SettlementUsed,
        1117,
        "settlement_used",
        Culprit::Peer,
        Place::Call,
        "the negotiation has had its one request",
    );
    row(
        Error::NegotiationForm { expected: "an ask with a floor that its terms cover" },
        1118,
        "negotiation_form",
        Culprit::Caller,
        Place::Call,
        "the message is not an ask with a floor that its terms cover",
    );
    rows
}

#[test]
fn every_error_says_what_was_refused_and_where_and_whose_fault_it_is() {
    for Row { error, code, name, culprit, place, text } in rows() {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.code(), code, "{text}");
        assert_eq!(error.name(), name, "{text}");
        assert_eq!(error.culprit(), culprit, "{text}");
        assert_eq!(error.place(), place, "{text}");
    }
}

#[test]
fn the_registry_lists_every_variant_once_and_in_order() {
    let spelled_out: BTreeSet<_> = rows().iter().map(|row| (row.code, row.name)).collect();
    assert_eq!(Error::REGISTRY, spelled_out.into_iter().collect::<Vec<_>>());
    assert!(Error::REGISTRY.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let names: BTreeSet<_> = Error::REGISTRY.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), Error::REGISTRY.len());
    for (_, name) in Error::REGISTRY {
        let parts = name.split('_').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        assert!(parts, "{name} is not snake_case");
    }
}

#[test]
fn texts_are_single_lower_case_phrases() {
    for Row { text, .. } in rows() {
        let first = text.chars().next().expect("a text");
        assert!(!first.is_uppercase(), "{text}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}

#[test]
fn an_error_is_small_enough_to_return_by_value() {
    assert!(size_of::<Error>() <= 80, "{}", size_of::<Error>());
    assert!(size_of::<Place>() <= 32);
}
