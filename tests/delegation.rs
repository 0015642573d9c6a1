//! Delegation chains by honest grantors and by others: which link goes too far, and what a chain is worth.

use crate::adversary;

use std::time::Duration;

use adversary::cbor::{self, array, bytes, map, text, uint};
use adversary::forge::{self, Element, Forgery, link_claims, root_claims};
use adversary::{
    Agent, HOUR, ISSUER, NOW, SECONDS, World, entropy, everything, extend, later, scope,
};
use agent_envelope::budget::{Amounts, Dimension, Terms, Wider};
use agent_envelope::{
    ChainStatus, DelegationChain, Draft, Error, Grant, Inbox, Item, Limits, Narrow, Place,
    Resource, Revocations, Sent, Step, Subjects, Timestamp, TrustAnchor, TrustAnchors,
};

struct Family {
    world: World,
    a: Agent,
    b: Agent,
    c: Agent,
    reader: Agent,
    mallory: Agent,
}

const READ: &[&str] = &["mail.read"];
const BOTH: &[&str] = &["mail.read", "mail.send"];

/// An encoded scope over all mail.
fn mail(actions: &[&str]) -> cbor::Item {
    forge::scope(&[(actions, &["mail"])])
}

impl Family {
    fn new() -> Self {
        let [a, b, c, reader, mallory] =
            ["agent a", "agent b", "agent c", "reader", "mallory"].map(Agent::new);
        Self { world: World::new(), a, b, c, reader, mallory }
    }

    /// Lets `author` carry the bytes of a chain that no builder would take.
    fn carry(&self, author: &Agent, chain: Vec<u8>) -> Vec<u8> {
        let sent = Draft::new(&author.identity)
            .to(self.reader.id())
            .sign(NOW, entropy())
            .expect("a complete draft");
        let mut forged = Forgery::of(sent.as_bytes());
        forged.elements.push(Element::control(author, forge::AUTHORITY, chain));
        forged.elements.push(Element::clear(author, forge::ASSISTANT, b"by this authority"));
        forged.sealed_by_originator(author)
    }

    /// What a reader says to a chain, and what a chain that comes by itself is told.
    fn refusals(&self, author: &Agent, chain: Vec<u8>) -> [Error; 2] {
        let alone = DelegationChain::verify(&chain, &Limits::default()).expect_err("refused alone");
        [self.world.refusal(&self.reader, &self.carry(author, chain)), alone]
    }

    /// A root to A as the login would sign it.
    fn root(&self, scope: cbor::Item, depth: u64) -> (&Agent, cbor::Item) {
        (&self.world.login, root_claims(ISSUER, &self.a, scope, depth))
    }

    fn chain(&self, links: &[(&Agent, cbor::Item)]) -> Vec<u8> {
        forge::chain(&self.world.login.id(), links)
    }

    fn send(&self, author: &Agent, chain: &DelegationChain) -> Sent {
        Draft::new(&author.identity)
            .to(self.reader.id())
            .expires_in(HOUR)
            .authority(chain)
            .sign(NOW, entropy())
            .expect("a complete draft")
    }

    /// Why the reader trusts none of the originator's chains.
    fn reasons(&self, bytes: &[u8]) -> Vec<ChainStatus> {
        reasons(&mut self.world.inbox(&self.reader), bytes, NOW)
    }
}

fn reasons(inbox: &mut Inbox, bytes: &[u8], now: Timestamp) -> Vec<ChainStatus> {
    let error = inbox.receive(bytes, now).map(|_| ()).expect_err("must be refused");
    assert_eq!(error.place(), Place::Header);
    match error {
        Error::UntrustedOrigin { reasons } => reasons,
        other => panic!("{other}"),
    }
}

fn steps(chain: &DelegationChain) -> Vec<agent_envelope::LinkId> {
    let mut ids = Vec::new();
    chain.for_each_step(|step: Step<'_>| ids.push(step.id()));
    ids
}

#[test]
fn a_forged_chain_that_is_in_order_is_accepted() {
    let family = Family::new();
    let chain = family.chain(&[
        family.root(mail(BOTH), 2),
        (&family.a, link_claims(&family.b, [(1, mail(READ)), (2, uint(1))])),
        (&family.b, link_claims(&family.c, [])),
    ]);
    assert_eq!(
        DelegationChain::verify(&chain, &Limits::default()).map(|chain| chain.holder()),
        Ok(family.c.id())
    );
    let carried = family.carry(&family.c, chain);
    let mut inbox = family.world.inbox(&family.reader);
    let received = inbox.receive(&carried, NOW).expect("in order");
    let authority = received.verified().authorities().next().expect("one");
    assert_eq!(authority.depth(), 0);
    assert_eq!(authority.scope(), scope(&[(READ, "mail")]));
}

#[test]
fn d1_a_link_that_grants_more_actions_than_it_holds_widens_the_scope() {
    let family = Family::new();
    let wider = forge::scope(&[(READ, &["mail"]), (&["mail.send"], &["mail"])]);
    let chain = family
        .chain(&[family.root(mail(READ), 2), (&family.a, link_claims(&family.b, [(1, wider)]))]);
    let [carried, alone] = family.refusals(&family.b, chain);
    assert_eq!(carried, Error::ScopeWidened { element: Some(0), link: 1, permission: 1 });
    assert_eq!(carried.place(), Place::Link { element: Some(0), link: 1 });
    assert_eq!(alone, Error::ScopeWidened { element: None, link: 1, permission: 1 });
    assert_eq!(alone.place(), Place::Link { element: None, link: 1 });
}

#[test]
fn d1_a_link_that_grants_a_shorter_path_than_it_holds_widens_the_scope() {
    let family = Family::new();
    let narrow = forge::scope(&[(READ, &["mail", "inbox"])]);
    for wider in
        [mail(READ), forge::scope(&[(READ, &[])]), forge::scope(&[(READ, &["mail", "inb"])])]
    {
        let chain = family.chain(&[
            family.root(narrow.clone(), 2),
            (&family.a, link_claims(&family.b, [(1, wider)])),
        ]);
        let [carried, _] = family.refusals(&family.b, chain);
        assert_eq!(carried, Error::ScopeWidened { element: Some(0), link: 1, permission: 0 });
    }
}

#[test]
fn d1_a_builder_does_not_sign_a_wider_scope() {
    let family = Family::new();
    let chain = family.world.issue(&family.a, scope(&[(READ, "mail")]), 2);
    let wider = Narrow::default().scope(scope(&[(BOTH, "mail")]));
    let signed = chain.extend(family.a.key(), family.b.id(), wider, NOW, entropy());
    let expected = Error::ScopeWidened { element: None, link: 1, permission: 0 };
    assert_eq!(signed.map(|_| ()), Err(expected));
}

#[test]
fn d2_a_root_deeper_than_its_anchor_counts_for_nothing() {
    let family = Family::new();
    // The anchor allows chains of three links, so a root may allow two more.
    for (depth, counts) in [(2, true), (3, false), (4, false)] {
        let chain = family.chain(&[family.root(mail(READ), depth)]);
        let carried = family.carry(&family.a, chain);
        if counts {
            family.world.receive(&family.reader, &carried).expect("within the anchor");
        } else {
            let beyond = ChainStatus::BeyondAnchor { link: 0, what: "depth" };
            assert_eq!(family.reasons(&carried), [beyond]);
        }
    }
    let grant = Grant::new("a", everything()).depth(4);
    let login = &family.world.login;
    let anchor = &family.world.anchor;
    let issued = DelegationChain::issue(login.key(), anchor, family.a.id(), grant, NOW, entropy());
    assert_eq!(issued.map(|_| ()), Err(Error::BeyondAnchor { what: "depth" }));
}

#[test]
fn d2_a_child_that_raises_its_depth_is_refused() {
    let family = Family::new();
    for depth in [2, 3, 4, (1 << 53) - 1] {
        let chain = family.chain(&[
            family.root(mail(READ), 2),
            (&family.a, link_claims(&family.b, [(2, uint(depth))])),
        ]);
        let [carried, alone] = family.refusals(&family.b, chain);
        let allowed = Some(1);
        assert_eq!(carried, Error::DepthExceeded { element: Some(0), link: 1, allowed });
        assert_eq!(carried.place(), Place::Link { element: Some(0), link: 1 });
        assert_eq!(alone, Error::DepthExceeded { element: None, link: 1, allowed });
    }
}

#[test]
fn d2_a_child_under_depth_0_is_refused() {
    let family = Family::new();
    for grant in [None, Some((2, uint(0)))] {
        let chain = family.chain(&[
            family.root(mail(READ), 1),
            (&family.a, link_claims(&family.b, grant.clone())),
            (&family.b, link_claims(&family.c, grant)),
        ]);
        let [carried, _] = family.refusals(&family.c, chain);
        assert_eq!(carried, Error::DepthExceeded { element: Some(0), link: 2, allowed: None });
        assert_eq!(carried.place(), Place::Link { element: Some(0), link: 2 });
    }
}

/// Terms of so many tool calls.
fn calls(calls: u64, wall: Option<u64>) -> cbor::Item {
    let amounts = array([array([uint(Dimension::TOOL_CALLS.id()), uint(calls)])]);
    let mut terms = map([(1, amounts), (2, uint(SECONDS + 60)), (3, uint(1))]);
    if let Some(wall) = wall {
        terms.set(4, uint(wall));
    }
    terms
}

#[test]
fn d3_what_the_middle_link_omits_the_last_cannot_widen() {
    let family = Family::new();
    let link = 2;
    let at = |element| {
        let budget = |wider| Error::BudgetWidened { element, link, wider: Some(wider) };
        [
            (1, mail(READ), mail(BOTH), Error::ScopeWidened { element, link, permission: 0 }),
            (4, calls(10, None), calls(11, None), budget(Wider::Amount(Dimension::TOOL_CALLS))),
            (4, calls(10, Some(5)), calls(10, Some(6)), budget(Wider::Wall)),
            (5, bytes([1; 32]), bytes([2; 32]), Error::ConversationChanged { element, link }),
        ]
    };
    for ((key, set, widened, carried), alone) in at(Some(0)).into_iter().zip(at(None)) {
        let (signer, mut root) = family.root(mail(READ), 2);
        let mut grant = root.get(-65537).expect("a grant").clone();
        grant.set(key, set);
        root.set(-65537, grant);
        let chain = family.chain(&[
            (signer, root),
            (&family.a, link_claims(&family.b, [])),
            (&family.b, link_claims(&family.c, [(key, widened)])),
        ]);
        assert_eq!(family.refusals(&family.c, chain), [carried.clone(), alone.3], "key {key}");
        assert_eq!(carried.place(), Place::Link { element: Some(0), link: 2 });
    }
}

#[test]
fn d3_an_audience_or_a_depth_that_is_omitted_stays_as_it_was() {
    let family = Family::new();
    let (signer, mut root) = family.root(mail(READ), 2);
    root.set(3, text("reader"));
    let mut last = link_claims(&family.c, []);
    last.set(3, text("somebody else"));
    let chain =
        family.chain(&[(signer, root), (&family.a, link_claims(&family.b, [])), (&family.b, last)]);
    let [carried, _] = family.refusals(&family.c, chain);
    assert_eq!(carried, Error::AudienceChanged { element: Some(0), link: 2 });

    let chain = family.chain(&[
        family.root(mail(READ), 2),
        (&family.a, link_claims(&family.b, [])),
        (&family.b, link_claims(&family.c, [(2, uint(1))])),
    ]);
    let [carried, _] = family.refusals(&family.c, chain);
    assert_eq!(carried, Error::DepthExceeded { element: Some(0), link: 2, allowed: Some(0) });
}

#[test]
fn d3_the_window_is_never_omitted_and_never_widened() {
    let family = Family::new();
    for key in [4, 5] {
        let mut last = link_claims(&family.b, []);
        last.remove(key);
        let chain = family.chain(&[family.root(mail(READ), 2), (&family.a, last)]);
        let error = DelegationChain::verify(&chain, &Limits::default()).expect_err("no window");
        let Error::MissingKey { key: missing, map: "link claims", .. } = error else {
            panic!("{error}")
        };
        assert_eq!(missing, key);
    }
    for (key, value) in [(4, SECONDS + 3601), (5, SECONDS - 1)] {
        let mut last = link_claims(&family.c, []);
        last.set(key, uint(value));
        let chain = family.chain(&[
            family.root(mail(READ), 2),
            (&family.a, link_claims(&family.b, [])),
            (&family.b, last),
        ]);
        let [carried, _] = family.refusals(&family.c, chain);
        let (not_before, expires) = (NOW, later(3600));
        let expected = Error::WindowWidened { element: Some(0), link: 2, not_before, expires };
        assert_eq!(carried, expected);
    }
}

#[test]
fn d3_a_budget_that_the_anchor_does_not_have_counts_for_nothing() {
    let family = Family::new();
    let chain = family.chain(&[
        family.root(mail(READ), 2),
        (&family.a, link_claims(&family.b, [(4, calls(1, None))])),
    ]);
    let beyond = ChainStatus::BeyondAnchor { link: 1, what: "budget" };
    assert_eq!(family.reasons(&family.carry(&family.b, chain)), [beyond]);

    // Under an anchor that has one, an omitted ceiling is the anchor's, not infinite.
    let amounts = Amounts::new().with(Dimension::TOOL_CALLS, 10).expect("an amount");
    let ceiling = Terms::new(amounts, later(60), 1);
    let anchor = family.world.anchor.clone().budget(ceiling.clone());
    let chain = family.world.issue(&family.a, everything(), 2);
    let anchors = TrustAnchors::new([anchor]).expect("one anchor");
    let verifier = agent_envelope::Verifier::new(
        family.reader.id(),
        None,
        anchors,
        Revocations::none(),
        Limits::default(),
    );
    let mut inbox = Inbox::new(verifier.expect("limits that admit something"));
    let sent = family.send(&family.a, &chain);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("trusted");
    let authority = received.verified().authorities().next().expect("one");
    assert_eq!(authority.ceiling(), Some(&ceiling));
}

#[test]
fn d4_a_root_that_is_no_anchor_is_an_untrusted_origin() {
    let family = Family::new();
    let other = Agent::new("another login");
    let anchor = TrustAnchor::new(other.id(), ISSUER, Subjects::Any, everything())
        .expect("an issuer with a name");
    let chain = DelegationChain::issue(
        other.key(),
        &anchor,
        family.a.id(),
        Grant::new("agent a", everything()),
        NOW,
        entropy(),
    )
    .expect("within its own anchor");
    let unknown = ChainStatus::UnknownRoot { root: other.id() };
    assert_eq!(family.reasons(family.send(&family.a, &chain).as_bytes()), [unknown]);
}

#[test]
fn d4_a_verifier_without_anchors_cannot_be_configured() {
    let error = TrustAnchors::new([]).map(|_| ()).expect_err("nobody to trust");
    assert_eq!(error, Error::NoAnchors);
    assert_eq!(error.place(), Place::Call);
}

#[test]
fn d4_a_root_beyond_its_anchor_counts_for_nothing() {
    let family = Family::new();
    let only = TrustAnchor::new(
        family.world.login.id(),
        ISSUER,
        Subjects::only(["agent b"]),
        scope(&[(READ, "mail")]),
    )
    .expect("an issuer with a name")
    .max_lifetime(Duration::from_secs(3600));
    let anchors = TrustAnchors::new([only]).expect("one anchor");
    let judge = |chain: Vec<u8>, author: &Agent| {
        let verifier = agent_envelope::Verifier::new(
            family.reader.id(),
            None,
            anchors.clone(),
            Revocations::none(),
            Limits::default(),
        );
        let mut inbox = Inbox::new(verifier.expect("limits that admit something"));
        reasons(&mut inbox, &family.carry(author, chain), NOW)
    };
    let beyond = |what| [ChainStatus::BeyondAnchor { link: 0, what }];
    let login = &family.world.login;

    let subject = family.chain(&[family.root(mail(READ), 2)]);
    assert_eq!(judge(subject, &family.a), beyond("subject"));
    let issuer = root_claims("https://elsewhere.example", &family.b, mail(READ), 0);
    assert_eq!(judge(family.chain(&[(login, issuer)]), &family.b), beyond("issuer"));
    let wider = root_claims(ISSUER, &family.b, mail(BOTH), 0);
    assert_eq!(judge(family.chain(&[(login, wider)]), &family.b), beyond("scope"));
    let mut longer = root_claims(ISSUER, &family.b, mail(READ), 0);
    longer.set(4, uint(SECONDS + 3601));
    assert_eq!(judge(family.chain(&[(login, longer)]), &family.b), beyond("lifetime"));
}

#[test]
fn d5_a_link_is_signed_by_the_holder_above_it_and_nobody_else() {
    let family = Family::new();
    for impostor in [&family.mallory, &family.b, &family.world.login] {
        let chain =
            family.chain(&[family.root(mail(READ), 2), (impostor, link_claims(&family.b, []))]);
        let [carried, alone] = family.refusals(&family.b, chain);
        let signer = family.a.id();
        assert_eq!(carried, Error::LinkSignature { element: Some(0), link: 1, signer });
        assert_eq!(carried.place(), Place::Link { element: Some(0), link: 1 });
        assert_eq!(alone, Error::LinkSignature { element: None, link: 1, signer });
    }
}

#[test]
fn d5_a_link_under_one_root_does_not_hang_under_another() {
    let family = Family::new();
    let [one, other] = [1, 2].map(|depth| family.world.issue(&family.a, everything(), depth));
    let extended = extend(&one, &family.a, &family.b, Narrow::default());
    let mut grafted = cbor::Item::read(other.as_bytes());
    let link = cbor::Item::read(extended.as_bytes()).into_items().remove(1);
    grafted.items().push(link);
    let [carried, _] = family.refusals(&family.b, grafted.encode());
    let signer = family.a.id();
    assert_eq!(carried, Error::LinkSignature { element: Some(0), link: 1, signer });
}

#[test]
fn d5_a_link_taken_from_the_middle_leaves_a_signature_that_does_not_fit() {
    let family = Family::new();
    let chain = family.world.issue(&family.a, everything(), 2);
    let chain = extend(&chain, &family.a, &family.b, Narrow::default());
    let chain = extend(&chain, &family.b, &family.c, Narrow::default());
    let mut cut = cbor::Item::read(chain.as_bytes());
    cut.items().remove(1);
    let [carried, _] = family.refusals(&family.c, cut.encode());
    let signer = family.a.id();
    assert_eq!(carried, Error::LinkSignature { element: Some(0), link: 1, signer });
}

#[test]
fn d6_a_stolen_chain_serves_nobody_but_its_leaf() {
    let family = Family::new();
    let chain = family.world.authority(&family.a);
    let carried = family.carry(&family.mallory, chain.as_bytes().to_vec());
    let error = family.world.refusal(&family.reader, &carried);
    let (holder, author) = (family.a.id(), family.mallory.id());
    assert_eq!(error, Error::LeafNotAuthor { element: 0, holder, author });
    assert_eq!(error.place(), Place::Element(0));

    let drafted = Draft::new(&family.mallory.identity)
        .to(family.reader.id())
        .authority(&chain)
        .sign(NOW, entropy());
    let (expected, found) = (family.a.id(), family.mallory.id());
    assert_eq!(drafted.map(|_| ()), Err(Error::WrongIdentity { expected, found }));
    let extended =
        chain.extend(family.mallory.key(), family.mallory.id(), Narrow::default(), NOW, entropy());
    assert_eq!(extended.map(|_| ()), Err(Error::WrongIdentity { expected, found }));
}

#[test]
fn d6_an_envelope_in_the_name_of_the_leaf_needs_its_signature() {
    let family = Family::new();
    let chain = family.world.authority(&family.a);
    let honest = family.send(&family.a, &chain);
    let mut forged = Forgery::of(honest.as_bytes());
    forged.cover(0, 1, &family.mallory);
    let error = family.world.refusal(&family.reader, &forged.encode());
    assert_eq!(error, Error::HopSignature { hop: 0, signer: family.a.id() });
}

#[test]
fn d8_a_revoked_link_key_or_token_ends_what_hangs_under_it() {
    let family = Family::new();
    let root = family.world.issue(&family.a, everything(), 2);
    let middle = extend(&root, &family.a, &family.b, Narrow::default());
    let chain = extend(&middle, &family.b, &family.c, Narrow::default());
    let sent = family.send(&family.c, &chain);
    let links = steps(&chain);
    let tokens = cbor::Item::read(chain.as_bytes()).into_items().into_iter().map(|link| {
        let claims = cbor::Item::read(forge::statement_part(&link, 2));
        let token = claims.get(7).expect("a token id").as_bytes().try_into();
        agent_envelope::TokenId::from_bytes(token.expect("16 bytes"))
    });
    let none = || Revocations::as_of(NOW, HOUR);
    let mut lists: Vec<(Revocations, Option<usize>)> = Vec::new();
    for (index, (link, token)) in links.into_iter().zip(tokens).enumerate() {
        lists.push((none().link(link), Some(index)));
        lists.push((none().token(token), Some(index)));
    }
    lists.push((none().key(family.a.id()), Some(0)));
    lists.push((none().key(family.b.id()), Some(1)));
    lists.push((none().key(family.world.login.id()), None));
    for (list, link) in lists {
        let verifier = family.world.verifier_with(&family.reader, list, Limits::default());
        let reasons = reasons(&mut Inbox::new(verifier), sent.as_bytes(), NOW);
        assert_eq!(reasons, [ChainStatus::Revoked { link }]);
    }
    family.world.receive(&family.reader, sent.as_bytes()).expect("nothing revoked");
}

#[test]
fn d8_a_revoked_key_signs_no_hop() {
    let family = Family::new();
    let chain = family.world.authority(&family.a);
    let sent = family.send(&family.a, &chain);
    let list = Revocations::as_of(NOW, HOUR).key(family.a.id());
    let verifier = family.world.verifier_with(&family.reader, list, Limits::default());
    let refused = Inbox::new(verifier).receive(sent.as_bytes(), NOW).map(|_| ());
    let error = refused.expect_err("a revoked key");
    assert_eq!(error, Error::SignerRevoked { hop: 0, signer: family.a.id() });
    assert_eq!(error.place(), Place::Hop(0));
}

#[test]
fn d8_a_revocation_counts_also_for_a_chain_that_was_seen_before() {
    let family = Family::new();
    let chain = family.world.authority(&family.a);
    let mut inbox = family.world.inbox(&family.reader);
    inbox.receive(family.send(&family.a, &chain).as_bytes(), NOW).expect("not revoked yet");
    inbox.set_revocations(Revocations::as_of(NOW, HOUR).link(chain.id()));
    let reasons = reasons(&mut inbox, family.send(&family.a, &chain).as_bytes(), NOW);
    assert_eq!(reasons, [ChainStatus::Revoked { link: Some(0) }]);
}

#[test]
fn d8_a_revocation_list_that_was_rolled_back_or_comes_from_the_future_is_stale() {
    let family = Family::new();
    let chain = family.world.authority(&family.a);
    let sent = family.send(&family.a, &chain);
    let old = Timestamp::from_unix_seconds(SECONDS - 3600);
    for as_of in [old, later(31)] {
        let list = Revocations::as_of(as_of, Duration::from_secs(3600 - 31));
        let verifier = family.world.verifier_with(&family.reader, list, Limits::default());
        let refused = Inbox::new(verifier).receive(sent.as_bytes(), NOW).map(|_| ());
        let error = refused.expect_err("a stale list");
        assert_eq!(error, Error::RevocationsStale { as_of, now: NOW, max_age: 3569 });
        assert_eq!(error.place(), Place::Call);
    }
}

#[test]
fn d9_a_chain_from_ones_own_key_is_worth_nothing_however_consistent() {
    let family = Family::new();
    let mallory = &family.mallory;
    let links = [
        (mallory, root_claims(ISSUER, &family.a, mail(BOTH), 2)),
        (&family.a, link_claims(&family.b, [(1, mail(READ)), (2, uint(0))])),
    ];
    let chain = forge::chain(&mallory.id(), &links);
    let reasons = family.reasons(&family.carry(&family.b, chain));
    assert_eq!(reasons, [ChainStatus::UnknownRoot { root: mallory.id() }]);
    // In the anchor's name, the anchor's signature is asked for.
    let [carried, alone] = family.refusals(&family.b, family.chain(&links));
    let signer = family.world.login.id();
    assert_eq!(carried, Error::LinkSignature { element: Some(0), link: 0, signer });
    assert_eq!(carried.place(), Place::Link { element: Some(0), link: 0 });
    assert_eq!(alone, Error::LinkSignature { element: None, link: 0, signer });
}

#[test]
fn d9_a_grant_to_oneself_is_no_grant() {
    let family = Family::new();
    let chain =
        family.chain(&[family.root(mail(READ), 2), (&family.a, link_claims(&family.a, []))]);
    let [carried, _] = family.refusals(&family.a, chain);
    let holder = family.a.id();
    assert_eq!(carried, Error::HolderRepeated { element: Some(0), link: 1, holder });
}

#[test]
fn d10_a_chain_bound_to_one_conversation_counts_in_no_other() {
    let family = Family::new();
    let free = family.world.authority(&family.a);
    let first = family.send(&family.a, &free);
    let bound = Grant::new("agent a", everything()).conversation(first.conversation());
    let bound = family.world.grant(&family.a, bound);

    let mut inbox = family.world.inbox(&family.reader);
    inbox.receive(first.as_bytes(), NOW).expect("trusted");
    let second = Draft::in_conversation(&family.a.identity, &first.line())
        .authority(&bound)
        .sign(NOW, entropy())
        .expect("a complete draft");
    inbox.receive(second.as_bytes(), NOW).expect("its own conversation");

    // Another context, and the same context among other parties.
    let elsewhere = family.send(&family.a, &bound);
    let with_others = Draft::branching_from(&family.a.identity, &second.line())
        .to([family.reader.id(), family.b.id()])
        .authority(&bound)
        .sign(NOW, entropy())
        .expect("a complete draft");
    for sent in [elsewhere, with_others] {
        let reasons = reasons(&mut inbox, sent.as_bytes(), NOW);
        assert_eq!(reasons, [ChainStatus::OtherConversation]);
    }
}

#[test]
fn d10_a_chain_for_another_audience_counts_for_nothing() {
    let family = Family::new();
    let chain = family
        .world
        .grant(&family.a, Grant::new("agent a", everything()).audience("somebody else"));
    let reasons = family.reasons(family.send(&family.a, &chain).as_bytes());
    assert_eq!(reasons, [ChainStatus::NotForMe]);
}

#[test]
fn d12_a_key_that_its_message_outlived_has_no_authority_left() {
    let family = Family::new();
    let minute = Grant::new("agent a", everything()).lifetime(Duration::from_secs(60));
    let chain = family.world.grant(&family.a, minute);
    let sent = family.send(&family.a, &chain);
    let mut inbox = family.world.inbox(&family.reader);
    // The tolerated difference between clocks is 30 seconds.
    let (expires, now) = (later(60), later(90));
    let reasons = reasons(&mut inbox, sent.as_bytes(), now);
    assert_eq!(reasons, [ChainStatus::Expired { expires, now }]);
    inbox.receive(sent.as_bytes(), later(89)).expect("in time");
}

#[test]
fn d12_a_chain_that_begins_later_does_not_count_yet() {
    let family = Family::new();
    let (signer, mut root) = family.root(mail(READ), 0);
    root.set(5, uint(SECONDS + 31));
    let carried = family.carry(&family.a, family.chain(&[(signer, root)]));
    let not_yet = ChainStatus::NotYetValid { not_before: later(31), now: NOW };
    assert_eq!(family.reasons(&carried), [not_yet]);
}

#[test]
fn one_chain_authorizes_one_action_and_several_never_add_up() {
    let family = Family::new();
    let read = family.world.issue(&family.a, scope(&[(READ, "mail")]), 0);
    let send = family.world.issue(&family.a, scope(&[(&["mail.send"], "outbox")]), 0);
    let sent = Draft::new(&family.a.identity)
        .to(family.reader.id())
        .authority(&read)
        .authority(&send)
        .clear(agent_envelope::Kind::ToolCall, "text/plain", &b"send"[..])
        .sign(NOW, entropy())
        .expect("a complete draft");
    let mut inbox = family.world.inbox(&family.reader);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("trusted");
    let Some(Item::Present(call)) = received.elements().next() else { panic!("clear content") };
    let [mail, outbox] =
        ["mail/1", "outbox/1"].map(|path| -> Resource { path.parse().expect("a resource") });
    assert!(call.authorize("mail.read", &mail).is_ok());
    assert!(call.authorize("mail.send", &outbox).is_ok());
    let error = call.authorize("mail.send", &mail).expect_err("neither chain alone grants it");
    assert_eq!(error, Error::NotAuthorized { element: 2, author: family.a.id() });
    assert_eq!(error.place(), Place::Element(2));
}
