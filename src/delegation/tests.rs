use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::chain::Chain;
use super::link::{LinkClaims, RootClaims, parent};
use super::*;
use crate::budget::{Amounts, Dimension, Terms};
use crate::cbor::{Decoder, Encoder};
use crate::digest::{ConversationId, LinkId, TokenId};
use crate::identity::SigningKey;
use crate::scope::{Permission, Resource, Scope};
use crate::statement::{StatementKind, sign};
use crate::time::Clock;
use crate::{Entropy, Error, Limits, Timestamp};

const NOW: u64 = 100;
const ACTIONS: [&str; 2] = ["a", "b"];
const PREFIXES: [&str; 7] = ["", "x", "y", "x/x", "x/y", "y/x", "y/y"];
const AUDIENCES: [&str; 2] = ["one.example", "two.example"];

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn key(number: usize) -> SigningKey {
    let number = u8::try_from(number).expect("few keys");
    SigningKey::from_seed(&[number + 1; 32])
}

fn entropy() -> Entropy {
    Entropy::new([7; 32]).expect("not all zero")
}

const fn conversation(number: u8) -> ConversationId {
    ConversationId([number; 32])
}

/// What a link states, written so that a model can reckon with it.
#[derive(Clone, Debug)]
struct Stated {
    /// Actions as bits, on a prefix.
    scope: Option<Vec<(u8, usize)>>,
    depth: Option<u64>,
    not_before: u64,
    expires: u64,
    audience: Option<usize>,
    conversation: Option<u8>,
    budget: Option<Budget>,
}

/// Tool calls, deadline, depth and wall time of a budget ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    calls: u64,
    deadline: u64,
    depth: u32,
    wall: u64,
}

impl Budget {
    fn terms(self) -> Terms {
        let calls = Amounts::new().with(Dimension::TOOL_CALLS, self.calls).expect("some");
        Terms::new(calls, at(self.deadline), self.depth)
            .with_wall(Duration::from_millis(self.wall))
            .expect("some")
    }

    const fn is_within(self, above: Self) -> bool {
        self.calls <= above.calls
            && self.deadline <= above.deadline
            && self.depth <= above.depth
            && self.wall <= above.wall
    }
}

fn scope(permissions: &[(u8, usize)]) -> Scope {
    let permission = |(actions, prefix): &(u8, usize)| {
        let actions = (0..2).filter(|bit| actions >> bit & 1 == 1).map(|bit| ACTIONS[bit]);
        let resource: Resource = PREFIXES[*prefix].parse().expect("a resource");
        Permission::new(actions, &resource).expect("some action")
    };
    Scope::new(permissions.iter().map(permission)).expect("some permission")
}

/// All resources with at most three segments: one more than any prefix has.
fn resources() -> Vec<String> {
    let mut all = alloc::vec![String::new()];
    let mut last = all.clone();
    for _ in 0..3 {
        let longer = |path: &String| {
            ["x", "y"]
                .map(|segment| format!("{path}/{segment}").trim_start_matches('/').to_string())
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// What permissions cover of the universe, straight from the definition: a bit for each action on each resource.
fn extent(permissions: &[(u8, usize)]) -> u32 {
    let covers = |prefix: &str, resource: &str| {
        prefix.is_empty() || resource == prefix || resource.starts_with(&format!("{prefix}/"))
    };
    let mut bits = 0;
    for (index, resource) in resources().iter().enumerate() {
        for (actions, prefix) in permissions {
            if covers(PREFIXES[*prefix], resource) {
                bits |= u32::from(*actions) << (2 * index);
            }
        }
    }
    bits
}

/// The same of a real scope, asked one by one.
fn extent_of(authority: &Authority<'_>) -> u32 {
    let mut bits = 0;
    for (index, resource) in resources().iter().enumerate() {
        let resource = resource.parse().expect("a resource");
        for (bit, action) in ACTIONS.into_iter().enumerate() {
            bits |= u32::from(authority.allows(action, &resource)) << (2 * index + bit);
        }
    }
    bits
}

/// What is held after some links, as the model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    extent: u32,
    depth: u64,
    not_before: u64,
    expires: u64,
    audience: Option<usize>,
    conversation: Option<u8>,
    /// `None` if nobody has said.
    budget: Option<Budget>,
    /// Whether a budget may be stated where nobody has said.
    funds: bool,
}

impl Held {
    fn of_root(root: &Stated) -> Self {
        Self {
            extent: extent(root.scope.as_deref().expect("a root states it")),
            depth: root.depth.expect("a root states it"),
            not_before: root.not_before,
            expires: root.expires,
            audience: root.audience,
            conversation: root.conversation,
            budget: root.budget,
            funds: true,
        }
    }

    /// The intersection with what one more link states, or the first field in which that goes beyond.
    fn narrowed(&self, link: &Stated) -> Result<Self, &'static str> {
        let stated = link.scope.as_deref().map_or(self.extent, extent);
        if stated & !self.extent != 0 {
            return Err("scope");
        }
        let left = self.depth.checked_sub(1).ok_or("depth")?;
        if link.depth.is_some_and(|depth| depth > left) {
            return Err("depth");
        }
        if link.not_before < self.not_before || link.expires > self.expires {
            return Err("window");
        }
        let differs = |set: Option<u64>, stated: Option<u64>| {
            set.is_some() && stated.is_some() && set != stated
        };
        let index = |audience: Option<usize>| audience.and_then(|one| u64::try_from(one).ok());
        if differs(index(self.audience), index(link.audience)) {
            return Err("audience");
        }
        if differs(self.conversation.map(u64::from), link.conversation.map(u64::from)) {
            return Err("conversation");
        }
        match (self.budget, link.budget) {
            (None, Some(_)) if !self.funds => return Err("budget"),
            (Some(set), Some(stated)) if !stated.is_within(set) => return Err("budget"),
            _ => {}
        }
        Ok(Self {
            extent: stated,
            depth: link.depth.unwrap_or(left),
            not_before: link.not_before,
            expires: link.expires,
            audience: self.audience.or(link.audience),
            conversation: self.conversation.or(link.conversation),
            budget: link.budget.or(self.budget),
            funds: self.funds,
        })
    }
}

/// Folds the links from what the root says. Where a link widens: which, and in what.
fn model(links: &[Stated]) -> Result<Held, (usize, &'static str)> {
    let root = Held::of_root(&links[0]);
    links[1..]
        .iter()
        .zip(1..)
        .try_fold(root, |held, (link, index)| held.narrowed(link).map_err(|field| (index, field)))
}

/// Signs links as they are, whatever they say: what a dishonest holder can do.
fn forge(links: &[Stated]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(links.len());
    let mut above: Option<LinkId> = None;
    for (index, link) in links.iter().enumerate() {
        let signer = key(index);
        let scope = link.scope.as_deref().map(scope);
        let claims = LinkClaims {
            root: above.is_none().then_some(RootClaims { issuer: "issuer", subject: "alice" }),
            audience: link.audience.map(|audience| AUDIENCES[audience]),
            expires: at(link.expires),
            not_before: at(link.not_before),
            token: TokenId([u8::try_from(index).expect("few links"); 16]),
            holder: key(index + 1).id(),
            scope: scope.as_ref().map(Scope::view),
            depth: link.depth,
            name: None,
            terms: link.budget.map(Budget::terms),
            conversation: link.conversation.map(conversation),
        };
        let id = signer.id();
        let key_id = above.is_none().then_some(&id);
        let (bytes, id) = sign(
            signer.inner(),
            StatementKind::Link,
            parent(above.as_ref()),
            key_id,
            &claims.encode(),
        );
        out.raw(&bytes);
        above = Some(LinkId(id.0));
    }
    out.finish()
}

/// Says in which link and field an error finds a chain too wide.
fn place(error: &Error) -> (usize, &'static str) {
    match error {
        Error::ScopeWidened { link, .. } => (*link, "scope"),
        Error::DepthExceeded { link, .. } => (*link, "depth"),
        Error::WindowWidened { link, .. } => (*link, "window"),
        Error::AudienceChanged { link, .. } => (*link, "audience"),
        Error::ConversationChanged { link, .. } => (*link, "conversation"),
        Error::BudgetWidened { link, .. } => (*link, "budget"),
        other => panic!("{other}"),
    }
}

// --- chances ---

fn permissions() -> impl Strategy<Value = Vec<(u8, usize)>> {
    prop::collection::vec((1..4_u8, 0..PREFIXES.len()), 1..4)
}

fn budget() -> impl Strategy<Value = Budget> {
    (1..4_u64, 190..194_u64, 0..4_u32, 1..4_u64).prop_map(|(calls, deadline, depth, wall)| Budget {
        calls,
        deadline,
        depth,
        wall,
    })
}

/// Links that are often narrower than those above them, and often not.
fn stated() -> impl Strategy<Value = Stated> {
    let rare = |range| prop::option::weighted(0.3, range);
    (
        prop::option::weighted(0.6, permissions()),
        rare(0..6_u64),
        (0..4_u64, 0..4_u64),
        prop::option::weighted(0.3, 0..AUDIENCES.len()),
        prop::option::weighted(0.3, 1..3_u8),
        prop::option::weighted(0.3, budget()),
    )
        .prop_map(|(scope, depth, (begin, end), audience, conversation, budget)| Stated {
            scope,
            depth,
            not_before: 90 + begin,
            expires: 210 - end,
            audience,
            conversation,
            budget,
        })
}

fn chain() -> impl Strategy<Value = Vec<Stated>> {
    let root = (stated(), prop_oneof![Just(alloc::vec![(3, 0)]), permissions()], 1..6_u64);
    (root, prop::collection::vec((stated(), any::<bool>()), 0..4)).prop_map(
        |((root, scope, depth), below)| {
            let root = Stated { scope: Some(scope), depth: Some(depth), ..root };
            let mut links = alloc::vec![root];
            for (link, keeps) in below {
                // Half of the links keep to the window above, so that chains get long.
                let above = &links[links.len() - 1];
                let (not_before, expires) = (above.not_before, above.expires);
                links.push(if keeps { Stated { not_before, expires, ..link } } else { link });
            }
            links
        },
    )
}

fn anchor(scope_of: &[(u8, usize)], depth: u64, budget: Option<Budget>) -> TrustAnchor {
    let anchor = TrustAnchor::new(key(0).id(), "issuer", Subjects::Any, scope(scope_of))
        .expect("an anchor")
        .depth(depth);
    match budget {
        Some(budget) => anchor.budget(budget.terms()),
        None => anchor,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_chain_is_read_exactly_if_each_link_is_within_those_above(links in chain()) {
        let bytes = forge(&links);
        let read = Chain::decode(&mut Decoder::new(&bytes), &Limits::default(), Some(9));
        match (model(&links), read) {
            (Ok(_), Ok(_)) => {
                prop_assert!(DelegationChain::verify(&bytes, &Limits::default()).is_ok());
            }
            (Err(expected), Err(error)) => prop_assert_eq!(place(&error), expected),
            (expected, read) => prop_assert!(false, "{:?}, but {:?}", expected, read.err()),
        }
    }

    /// What counts is the intersection of all that was stated, anchor included, and so never more than the anchor has.
    #[test]
    fn authority_is_the_intersection_of_anchor_and_links(
        links in chain(),
        granted in prop_oneof![Just(alloc::vec![(3, 0)]), permissions()],
        depth in 1..8_u64,
        ceiling in prop::option::of(budget()),
    ) {
        let bytes = forge(&links);
        let read = Chain::decode(&mut Decoder::new(&bytes), &Limits::default(), None);
        let Ok(read) = read else { return Ok(()) };
        let anchors = TrustAnchors::new([anchor(&granted, depth, ceiling)]).expect("one anchor");
        let revocations = Revocations::none();
        let judged = read.judge(&Judge {
            anchors: &anchors,
            revocations: &revocations,
            clock: Clock::exact(at(NOW)),
            audience: Audience::Ignored,
            conversation: links
                .iter()
                .find_map(|link| link.conversation)
                .map_or(ConversationId([0; 32]), conversation),
        });
        let above = Held {
            extent: extent(&granted),
            depth,
            not_before: 0,
            expires: u64::MAX,
            audience: None,
            conversation: None,
            budget: ceiling,
            funds: ceiling.is_some(),
        };
        let expected = links.iter().zip(0..).try_fold(above.clone(), |held, (link, index)| {
            held.narrowed(link).map_err(|what| (index, what))
        });
        match (expected, judged) {
            (Ok(held), Ok(authority)) => {
                prop_assert_eq!(extent_of(&authority), held.extent);
                prop_assert_eq!(held.extent & !above.extent, 0);
                prop_assert_eq!(authority.depth(), held.depth);
                prop_assert!(authority.depth() < depth);
                let window = Some((at(held.not_before), at(held.expires)));
                prop_assert_eq!(authority.window(), window);
                prop_assert_eq!(authority.audience(), held.audience.map(|one| AUDIENCES[one]));
                prop_assert_eq!(authority.conversation(), held.conversation.map(conversation));
                prop_assert_eq!(authority.ceiling().cloned(), held.budget.map(Budget::terms));
                prop_assert_eq!(authority.agent(), key(links.len()).id());
                prop_assert_eq!(authority.path().len(), links.len());
            }
            (Err((link, what)), Err(status)) => {
                prop_assert_eq!(status, ChainStatus::BeyondAnchor { link, what });
            }
            (expected, judged) => prop_assert!(false, "{:?}, but {:?}", expected, judged),
        }
    }

    /// Whatever the verifier would refuse in a link, the builder refuses to sign, with the same words.
    #[test]
    fn a_builder_refuses_what_a_verifier_refuses(
        links in chain(),
        lifetimes in prop::collection::vec(prop::option::of(80..130_u64), 5),
    ) {
        let root = &links[0];
        let whole = alloc::vec![(3, 0)];
        let highest = Budget { calls: 9, deadline: 999, depth: 9, wall: 9 };
        let anchor = anchor(&whole, 9, Some(highest));
        let now = at(root.not_before);
        let lifetime = Duration::from_secs(root.expires - root.not_before);
        let grant = Grant::new("alice", scope(root.scope.as_deref().expect("a root states it")))
            .depth(root.depth.expect("a root states it"))
            .lifetime(lifetime);
        let grant = with_rest(grant, root);
        let mut built =
            DelegationChain::issue(&key(0), &anchor, key(1).id(), grant, now, entropy())
                .expect("within the anchor");
        let mut forged = alloc::vec![root.clone()];
        for (index, link) in links.iter().enumerate().skip(1) {
            let Held { not_before, expires, .. } = model(&forged).expect("each so far narrows");
            let lifetime = lifetimes[index].map(Duration::from_secs);
            let expires = lifetimes[index].map_or(expires, |lifetime| NOW + lifetime);
            forged.push(Stated { not_before: not_before.max(NOW), expires, ..link.clone() });
            let extended = built.extend(
                &key(index),
                key(index + 1).id(),
                narrow(link, lifetime),
                at(NOW),
                entropy(),
            );
            let bytes = forge(&forged);
            match (extended, DelegationChain::verify(&bytes, &Limits::default())) {
                (Ok(longer), Ok(_)) => built = longer,
                (Err(ours), Err(theirs)) => {
                    prop_assert_eq!(ours, theirs);
                    return Ok(());
                }
                (ours, theirs) => prop_assert!(false, "{:?}, but {:?}", ours, theirs),
            }
        }
        let again = DelegationChain::verify(built.as_bytes(), &Limits::default());
        prop_assert_eq!(again.as_ref(), Ok(&built));
    }
}

/// What a builder is told of a link.
fn narrow(link: &Stated, lifetime: Option<Duration>) -> Narrow {
    let mut narrow = Narrow::default();
    if let Some(permissions) = &link.scope {
        narrow = narrow.scope(scope(permissions));
    }
    if let Some(depth) = link.depth {
        narrow = narrow.depth(depth);
    }
    if let Some(lifetime) = lifetime {
        narrow = narrow.lifetime(lifetime);
    }
    if let Some(audience) = link.audience {
        narrow = narrow.audience(AUDIENCES[audience]);
    }
    if let Some(number) = link.conversation {
        narrow = narrow.conversation(conversation(number));
    }
    if let Some(budget) = link.budget {
        narrow = narrow.budget(budget.terms());
    }
    narrow
}

fn with_rest(mut grant: Grant, root: &Stated) -> Grant {
    if let Some(audience) = root.audience {
        grant = grant.audience(AUDIENCES[audience]);
    }
    if let Some(number) = root.conversation {
        grant = grant.conversation(conversation(number));
    }
    if let Some(budget) = root.budget {
        grant = grant.budget(budget.terms());
    }
    grant
}

#[test]
fn an_authority_tells_under_whom_it_is_held_and_what_its_holders_are_called() {
    let anchor = anchor(&[(3, 0)], 3, None);
    assert_eq!(anchor.issuer(), "issuer");
    let grant = Grant::new("alice", scope(&[(1, 1)])).depth(2).name("the desk");
    let chain = DelegationChain::issue(&key(0), &anchor, key(1).id(), grant, at(NOW), entropy())
        .and_then(|chain| {
            let below = Narrow::default().name("the doctor").depth(0);
            chain.extend(&key(1), key(2).id(), below, at(NOW), entropy())
        })
        .expect("within the anchor");
    let read = Chain::decode(&mut Decoder::new(chain.as_bytes()), &Limits::default(), None);
    let anchors = TrustAnchors::new([anchor]).expect("one anchor");
    let authority = read.expect("narrowing").judge(&Judge {
        anchors: &anchors,
        revocations: &Revocations::none(),
        clock: Clock::exact(at(NOW)),
        audience: Audience::Ignored,
        conversation: conversation(1),
    });
    let authority = authority.expect("it counts");
    assert_eq!((authority.issuer(), authority.subject()), ("issuer", "alice"));
    assert_eq!((authority.anchor(), authority.agent()), (key(0).id(), key(2).id()));
    let path: Vec<_> = authority.path().iter().map(|step| (step.holder(), step.name())).collect();
    assert_eq!(path, [(key(1).id(), Some("the desk")), (key(2).id(), Some("the doctor"))]);
    assert_eq!(authority.path()[1].id(), chain.id());

    let own = Authority::of_anchor(alloc::sync::Arc::clone(
        anchors.find(&key(0).id()).expect("the only one"),
    ));
    assert_eq!((own.issuer(), own.subject()), ("issuer", "issuer"));
    assert_eq!((own.anchor(), own.agent()), (key(0).id(), key(0).id()));
    assert!(own.path().is_empty());
    assert_eq!((own.depth(), own.window(), own.audience()), (3, None, None));
}

/// A chain of one link that names whom it is for, with a name that no builder checked.
fn forged_for(audience: &str) -> Vec<u8> {
    let signer = key(0);
    let whole = scope(&[(3, 0)]);
    let claims = LinkClaims {
        root: Some(RootClaims { issuer: "issuer", subject: "alice" }),
        audience: Some(audience),
        expires: at(200),
        not_before: at(NOW),
        token: TokenId([0; 16]),
        holder: key(1).id(),
        scope: Some(whole.view()),
        depth: Some(1),
        name: None,
        terms: None,
        conversation: None,
    };
    let claims = claims.encode();
    let (link, _) =
        sign(signer.inner(), StatementKind::Link, parent(None), Some(&signer.id()), &claims);
    let mut out = Encoder::new();
    out.array(1).raw(&link);
    out.finish()
}

#[test]
fn names_have_1_to_256_bytes_and_no_control_characters() {
    let anchor = anchor(&[(3, 0)], 3, None);
    for (name, good) in [
        ("x".repeat(256), true),
        ("é".repeat(128), true),
        (String::new(), false),
        ("x".repeat(257), false),
        ("é".repeat(128) + "x", false),
        ("two\nlines".to_string(), false),
        ("\u{9b}31m".to_string(), false),
    ] {
        let grant = Grant::new("alice", scope(&[(3, 0)])).audience(&name);
        let made = DelegationChain::issue(&key(0), &anchor, key(1).id(), grant, at(NOW), entropy());
        let read = DelegationChain::verify(&forged_for(&name), &Limits::default());
        if good {
            assert!(made.is_ok() && read.is_ok(), "{name:?}");
        } else {
            let reason = "names in a grant have 1 to 256 bytes and no control characters";
            assert_eq!(made.err(), Some(Error::Configuration { reason }), "{name:?}");
            assert!(
                matches!(
                    read,
                    Err(Error::InvalidValue {
                        expected: "a name of 1 to 256 bytes without control characters",
                        ..
                    })
                ),
                "{name:?}: {read:?}"
            );
        }
    }
}

#[test]
fn a_chain_may_be_as_long_as_the_limits_of_its_reader_say() {
    let anchor = anchor(&[(3, 0)], 20, None);
    let grant = Grant::new("alice", scope(&[(3, 0)])).depth(19);
    let mut chain =
        DelegationChain::issue(&key(0), &anchor, key(1).id(), grant, at(NOW), entropy())
            .expect("within the anchor");
    for index in 1..18 {
        let narrow = Narrow::default();
        chain = chain
            .extend(&key(index), key(index + 1).id(), narrow, at(NOW), entropy())
            .expect("within the root");
    }
    let read = DelegationChain::verify(chain.as_bytes(), &Limits::default());
    assert!(matches!(read, Err(Error::LimitExceeded { .. })), "{read:?}");
    let limits = Limits { links: 18, ..Limits::default() };
    let read = DelegationChain::verify(chain.as_bytes(), &limits).expect("18 links");
    let mut holders = Vec::new();
    read.for_each_step(|step| holders.push(step.holder()));
    assert_eq!(holders, (1..=18).map(|index| key(index).id()).collect::<Vec<_>>());
}

#[test]
fn a_chain_shows_its_holder_and_size_to_a_debugger() {
    let bytes = forged_for("one.example");
    let chain = DelegationChain::verify(&bytes, &Limits::default()).expect("it is well formed");
    let shown = format!("DelegationChain(to {}, {} bytes)", key(1).id(), bytes.len());
    assert_eq!(format!("{chain:?}"), shown);
}
