//! What a reader is told of an envelope that it has admitted.

use agent_envelope::{
    Aids, AuthorityCache, ChainStatus, DelegationChain, Draft, Entropy, Envelope, Error, Grant,
    Identity, Item, KeyCache, Kind, Limits, NewElement, Principal, Reader, Reference, Reply,
    Resource, Revocations, Seen, Sent, SigningKey, Subjects, Timestamp, TrustAnchor, TrustAnchors,
    Verifier,
};
use std::time::Duration;

use crate::adversary::forge::Forgery;
use crate::support::{
    HOUR, ISSUER, NOW, World, entropy, later, observe, package, read, scope, sealed_elements,
};

fn everything() -> Resource {
    "".parse().expect("the root of all resources")
}

#[test]
fn several_principals_authorize_jointly_only_if_each_of_them_does() {
    let world = World::new();
    let alice = Grant::new("alice", scope(&[(&["summarise"], "")]));
    let acme = Grant::new("acme", scope(&[(&["summarise"], ""), (&["mail.send"], "mail/outbox")]));
    let alice = world.issue(world.user.id(), alice, 1000);
    let acme = world.issue(world.user.id(), acme, 1001);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .authority(&alice)
        .authority(&acme)
        .clear(Kind::User, "text/plain", &b"for me and for the firm"[..])
        .sign(NOW, entropy(1002))
        .expect("two chains");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let Some(Item::Present(element)) = admitted.elements().next() else { panic!("it is clear") };

    let outbox = "mail/outbox".parse().expect("a resource");
    let [alice, acme] = ["alice", "acme"].map(|subject| Principal::new(ISSUER, subject));
    assert_eq!((acme.issuer(), acme.subject()), (ISSUER, "acme"));
    let both = element.authorize_jointly([acme, alice], "summarise", &everything());
    let both = both.expect("each of them may");
    assert_eq!(both.map(Principal::of), [acme, alice]);
    assert!(element.authorize_jointly([acme], "mail.send", &outbox).is_ok());

    let elsewhere = Principal::new("https://elsewhere.example", "alice");
    let nobody = Principal::new(ISSUER, "bob");
    for (principals, action, resource) in [
        ([acme, alice], "mail.send", &outbox),
        ([alice, acme], "mail.send", &outbox),
        ([acme, elsewhere], "summarise", &everything()),
        ([nobody, alice], "summarise", &everything()),
    ] {
        let refused = element.authorize_jointly(principals, action, resource).map(drop);
        assert!(
            matches!(refused, Err(Error::NotAuthorized { author, .. }) if author == world.user.id()),
            "{principals:?}: {refused:?}"
        );
    }
}

#[test]
fn a_reader_sees_the_form_of_content_and_the_size_of_what_is_sealed() {
    let world = World::new();
    let worker = package(&world.worker);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/markdown", &b"# hello"[..])
        .sealed(Kind::Artifact, "text/plain", &[7; 100][..], [&worker])
        .sealed(Kind::Artifact, "text/plain", &[7; 101][..], [&worker])
        .sign(NOW, entropy(1010))
        .expect("an envelope");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let items: Vec<_> = admitted.elements().collect();
    let [Item::Present(clear), Item::Sealed(sealed), Item::Sealed(longer)] = &items[..] else {
        panic!("one is clear and two are sealed")
    };
    assert_eq!((clear.content(), clear.content_type()), (&b"# hello"[..], "text/markdown"));
    // A salt, the content's type and the heads of three items.
    assert!((110..200).contains(&sealed.plain_size()), "{}", sealed.plain_size());
    assert_eq!(longer.plain_size(), sealed.plain_size() + 1);

    let shown = format!("{admitted:?}");
    assert!(shown.starts_with("Admitted { verified: "), "{shown}");
    assert!(shown.contains("admission: New"), "{shown}");
    let shown = format!("{clear:?}");
    assert!(shown.contains(&format!("{:?}", clear.provenance())), "{shown}");
}

#[test]
fn a_path_is_told_hop_by_hop_and_each_anchor_on_it_counts_once() {
    let world = World::new();
    let (clinic, lab, worker) = (&world.user, &world.planner, &world.worker);
    let sent = Draft::new(clinic)
        .to(worker.id())
        .next(lab.id())
        .clear(Kind::User, "text/plain", &b"one"[..])
        .clear(Kind::User, "text/plain", &b"two"[..])
        .sign(NOW, entropy(1020))
        .expect("an envelope");
    let anchors = || {
        let anchor = |identity: &agent_envelope::Identity, name| {
            let whole = scope(&[(&["summarise"], "")]);
            TrustAnchor::new(identity.id(), name, Subjects::Any, whole).expect("an anchor")
        };
        TrustAnchors::new([anchor(clinic, "clinic"), anchor(lab, "lab")]).expect("two anchors")
    };
    let verifier = |agent| {
        Verifier::new(agent, None, anchors(), Revocations::none(), Limits::default())
            .expect("limits that admit something")
    };
    let forward = |bytes: &[u8], by: &agent_envelope::Identity, next| {
        let verifier = verifier(by.id());
        Envelope::decode(bytes, verifier.limits())
            .and_then(|envelope| envelope.verify_as_relay(&verifier, NOW))
            .and_then(|verified| verified.forward(by, next, NOW))
            .expect("a relay")
    };
    let there = forward(sent.as_bytes(), lab, clinic.id());
    let back = forward(&there, clinic, worker.id());

    let verifier = verifier(worker.id());
    let envelope = Envelope::decode(&back, verifier.limits()).expect("well formed");
    assert_eq!(envelope.as_bytes(), back);
    let verified = envelope.verify_as_reader(&verifier, NOW).expect("it is for the worker");
    let hops: Vec<_> = verified
        .hops()
        .map(|hop| (hop.signer(), hop.next().iter().collect::<Vec<_>>(), hop.count(), hop.at()))
        .collect();
    assert_eq!(
        hops,
        [
            (clinic.id(), vec![lab.id()], 2, NOW),
            (lab.id(), vec![clinic.id()], 2, NOW),
            (clinic.id(), vec![worker.id()], 2, NOW),
        ]
    );
    let mut issuers: Vec<_> = verified.authorities().map(|one| one.issuer()).collect();
    issuers.sort_unstable();
    assert_eq!(issuers, ["clinic", "lab"]);
    let shown = format!("{verified:?}");
    assert!(shown.starts_with("Verified { envelope: "), "{shown}");
    assert!(shown.contains("elements: 2, hops: 3"), "{shown}");
    let first = verified.elements().next().expect("two elements");
    let agent_envelope::Seen::Clear(provenance, _) = first else { panic!("it is clear") };
    let shown = format!("{provenance:?}");
    assert!(shown.starts_with("Provenance { index: 0, author: "), "{shown}");
}

#[test]
fn every_element_says_where_it_comes_from_and_how_it_travels() {
    let world = World::new();
    let [user, planner, worker] = [&world.user, &world.planner, &world.worker].map(Identity::id);
    let for_worker = package(&world.worker);
    let sent = Draft::new(&world.user)
        .to([planner, worker])
        .next(planner)
        .element(NewElement::clear(Kind::Memory, "text/plain", &b"may go"[..]).elidable())
        .sealed(Kind::User, "text/plain", &b"for the worker"[..], [&for_worker])
        .sign(NOW, entropy(1060))
        .expect("a first hop");
    let mut inbox = world.inbox(planner);
    let bytes = inbox
        .receive(sent.as_bytes(), NOW)
        .expect("the planner is next")
        .onward(&world.planner)
        .without([0])
        .clear(Kind::Reasoning, "text/plain", &b"the plan"[..])
        .next(worker)
        .sign(NOW, entropy(1061))
        .expect("a second hop");

    let verifier = world.verifier(world.auditor.id());
    let verified = observe(&bytes, &verifier).expect("anybody may observe");
    assert_eq!(verified.as_bytes(), bytes);
    let told: Vec<_> = verified
        .elements()
        .map(|seen| {
            let (Seen::Clear(from, _) | Seen::Sealed(from, _) | Seen::Absent(from)) = seen;
            let travels = (from.is_sealed(), from.is_elidable(), from.listed_absent_by());
            (from.index(), from.author(), from.hop(), from.kind(), travels)
        })
        .collect();
    // Element 1 is the audience of element 2.
    assert_eq!(
        told,
        [
            (0, user, 0, Kind::Memory, (false, true, Some(1))),
            (2, user, 0, Kind::User, (true, false, None)),
            (3, planner, 1, Kind::Reasoning, (false, false, None)),
        ]
    );
}

#[test]
fn a_cache_remembers_chains_of_trusted_roots_only() {
    let world = World::new();
    let trusted = world.chain(world.user.id(), 1030);
    let stranger = SigningKey::generate(entropy(1031));
    let anchor =
        TrustAnchor::new(stranger.id(), ISSUER, Subjects::Any, scope(&[(&["summarise"], "")]))
            .expect("an anchor");
    let grant = Grant::new("alice", scope(&[(&["summarise"], "")]));
    let rogue =
        DelegationChain::issue(&stranger, &anchor, world.user.id(), grant, NOW, entropy(1032))
            .expect("within the stranger's own anchor");
    let verifier = world.verifier(world.worker.id());
    let mut cache = AuthorityCache::new(8);
    let mut remembered = |chains: &[&DelegationChain], number| {
        let mut draft = Draft::new(&world.user).to(world.worker.id());
        for chain in chains {
            draft = draft.authority(chain);
        }
        let sent = draft.sign(NOW, entropy(number)).expect("an envelope");
        let mut aids = Aids::default();
        aids.cache = Some(&mut cache);
        Envelope::decode(sent.as_bytes(), verifier.limits())
            .and_then(|envelope| envelope.verify_with::<Reader>(&verifier, NOW, aids))
            .expect("it is for the worker");
        cache.len()
    };
    assert_eq!(remembered(&[&rogue], 1033), 0);
    assert_eq!(remembered(&[&trusted], 1034), 1);
    assert_eq!(remembered(&[&rogue, &trusted], 1035), 1);
    assert_eq!(remembered(&[&trusted, &rogue], 1036), 1);
}

/// Key packages are the originator's; that a hop on the way is trusted makes a stranger none.
#[test]
fn a_cache_remembers_key_packages_of_trusted_originators_only() {
    let world = World::new();
    let key_package = package(&world.user);
    let [of_user, of_planner] =
        [(&world.user, 1070), (&world.planner, 1071)].map(|(agent, n)| world.chain(agent.id(), n));
    let remembered = |authority: Option<&DelegationChain>, number| {
        let mut draft = Draft::new(&world.user)
            .to(world.worker.id())
            .next(world.planner.id())
            .key_package(&key_package);
        if let Some(chain) = authority {
            draft = draft.authority(chain);
        }
        let sent = draft.sign(NOW, entropy(number)).expect("an envelope");
        let relay = world.verifier(world.planner.id());
        let bytes = Envelope::decode(sent.as_bytes(), relay.limits())
            .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
            .expect("the planner is next")
            .onward(&world.planner)
            .authority(&of_planner)
            .next(world.worker.id())
            .sign(NOW, entropy(number + 1))
            .expect("a second hop");
        let verifier = world.verifier(world.worker.id());
        let (mut cache, mut keys) = (AuthorityCache::new(8), KeyCache::new(8));
        assert!(keys.is_empty());
        let mut aids = Aids::default();
        (aids.cache, aids.keys) = (Some(&mut cache), Some(&mut keys));
        Envelope::decode(&bytes, verifier.limits())
            .and_then(|envelope| envelope.verify_with::<Reader>(&verifier, NOW, aids))
            .expect("it is for the worker");
        // Whose signature held, whoever trusts them: the user, the planner, and the issuer of chains.
        assert!(!keys.is_empty());
        assert_eq!(format!("{keys:?}"), "KeyCache(3 keys)");
        cache.len()
    };
    assert_eq!(remembered(None, 1072), 1, "the planner's chain");
    assert_eq!(remembered(Some(&of_user), 1074), 3, "both chains and the key package");
}

#[test]
fn answers_are_sealed_to_the_latest_key_package_that_is_valid_now() {
    let world = World::new();
    let package = |before, lifetime| {
        let not_before = Timestamp::from_unix_seconds(NOW.as_unix_seconds() - before);
        world.user.key_package(not_before, lifetime).expect("no longer than a day")
    };
    let [brief, usual] = [package(10, Duration::from_secs(70)), package(20, HOUR)];
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .expires_in(HOUR)
        .key_package(&brief)
        .sign(NOW, entropy(1040))
        .expect("an envelope");
    let found = |bytes: &[u8], seconds| {
        let verifier = world.verifier(world.worker.id());
        let envelope = Envelope::decode(bytes, verifier.limits()).expect("well formed");
        let verified = envelope.verify_as_reader(&verifier, later(seconds)).expect("in its window");
        verified.key_package().map(|package| package.as_bytes().to_vec())
    };
    assert_eq!(found(sent.as_bytes(), 0), Some(brief.as_bytes().to_vec()));
    assert_eq!(found(sent.as_bytes(), 600), None);

    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .expires_in(HOUR)
        .key_package(&brief)
        .key_package(&usual)
        .sign(NOW, entropy(1041))
        .expect("an envelope");
    for (seconds, package) in [(30, &brief), (600, &usual)] {
        assert_eq!(found(sent.as_bytes(), seconds), Some(package.as_bytes().to_vec()), "{seconds}");
    }
}

/// What the worker answers to a request, as it has come.
fn answered(world: &World, request: &[u8], seed: u64) -> Sent {
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(request, NOW).expect("the worker is next");
    Draft::reply_to(&admitted, &world.worker)
        .clear(Kind::Assistant, "text/plain", &b"answer"[..])
        .sign(NOW, entropy(seed))
        .expect("an answer")
}

/// The answer, as the user that has sent the request takes it.
fn accepted<'r>(world: &World, request: &Sent, answer: &'r Sent) -> Reply<'r> {
    let mut inbox = world.inbox(world.user.id());
    inbox.record_sent(request);
    inbox
        .receive(answer.as_bytes(), NOW)
        .and_then(|answer| request.accept_reply(answer))
        .expect("it answers the request")
}

#[test]
fn a_reply_says_which_path_of_the_request_it_saw() {
    let world = World::new();
    let request = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/plain", &b"question"[..])
        .sign(NOW, entropy(1050))
        .expect("a request");
    assert_eq!(
        format!("{request:?}"),
        format!("Sent({}, {} bytes)", request.digest(), request.as_bytes().len())
    );
    let answer = answered(&world, request.as_bytes(), 1051);
    let reply = accepted(&world, &request, &answer);
    assert_eq!(reply.tip(), None);
    let observer = world.verifier(world.auditor.id());
    let seen = observe(request.as_bytes(), &observer).expect("anybody may look");
    assert_eq!(reply.check_path(&seen), Ok(()));
}

#[test]
fn a_reply_names_the_last_hop_of_the_path_that_the_replier_saw() {
    let world = World::new();
    let request = Draft::new(&world.user)
        .to(world.worker.id())
        .next(world.planner.id())
        .clear(Kind::User, "text/plain", &b"question"[..])
        .sign(NOW, entropy(1052))
        .expect("a request");
    let relay = world.verifier(world.planner.id());
    let onward = Envelope::decode(request.as_bytes(), relay.limits())
        .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
        .and_then(|verified| verified.forward(&world.planner, world.worker.id(), NOW))
        .expect("the planner is next");
    let answer = answered(&world, &onward, 1053);
    let reply = accepted(&world, &request, &answer);

    let observer = world.verifier(world.auditor.id());
    let seen = observe(&onward, &observer).expect("anybody may look");
    assert_eq!(reply.tip(), Some(seen.tip()));
    assert_eq!(reply.check_path(&seen), Ok(()));
    let before = observe(request.as_bytes(), &observer).expect("anybody may look");
    assert_eq!(reply.check_path(&before), Err(Error::ReplyPath));
}

#[test]
fn whoever_verifies_is_told_what_the_header_says_and_what_each_chain_is_worth() {
    let world = World::new();
    let trusted = world.chain(world.user.id(), 1060);
    let stranger = SigningKey::generate(entropy(1061));
    let whole = scope(&[(&["summarise"], "")]);
    let anchor = TrustAnchor::new(stranger.id(), ISSUER, Subjects::Any, whole.clone());
    let anchor = anchor.expect("an anchor");
    let grant = Grant::new("alice", whole);
    let rogue =
        DelegationChain::issue(&stranger, &anchor, world.user.id(), grant, NOW, entropy(1062))
            .expect("within the stranger's own anchor");
    let draft = || Draft::new(&world.user).to(world.worker.id());
    let plain = draft().sign(NOW, entropy(1063)).expect("an envelope");
    let sent = draft()
        .label("a", "1")
        .label("b", "2")
        .authority(&trusted)
        .authority(&rogue)
        .clear(Kind::User, "text/plain", &b"hello"[..])
        .sign(NOW, entropy(1064))
        .expect("an envelope");
    let verifier = world.verifier(world.worker.id());
    let verified = read(sent.as_bytes(), &verifier).expect("it is for the worker");
    let header = verified.header();
    assert_eq!(header.from(), world.user.id());
    assert_eq!((header.labels().len(), header.labels().is_empty()), (2, false));
    let other = read(plain.as_bytes(), &verifier).expect("it is for the worker");
    assert_ne!(other.header().id(), header.id());
    assert_eq!((other.header().labels().len(), other.header().labels().is_empty()), (0, true));
    let chains: Vec<_> = verified.chains().collect();
    let unknown = ChainStatus::UnknownRoot { root: stranger.id() };
    assert_eq!(chains, [(world.user.id(), ChainStatus::Trusted), (world.user.id(), unknown)]);
    let hop = verified.hops().next().expect("the originator's");
    assert_eq!((hop.id(), hop.signer()), (verified.tip(), world.user.id()));
    let line = sent.line();
    assert_eq!(line.conversation(), sent.conversation());

    let mut inbox = world.inbox(world.worker.id());
    assert!(inbox.window().is_empty());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let element = admitted.elements().next().expect("one element");
    let Item::Present(element) = element else { panic!("it is clear") };
    let id = element.provenance().id();
    assert_eq!(Reference::from(element.provenance()), Reference::Element(id));
    assert_eq!(inbox.window().len(), 1);
}

#[cfg(feature = "serde")]
#[test]
fn typed_content_comes_back_as_its_type_and_as_no_other() {
    let world = World::new();
    let worker = package(&world.worker);
    let value = ("aspirin".to_owned(), vec![100_u32, 500]);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .sealed_cbor(Kind::Artifact, &value, [&worker])
        .clear(Kind::Artifact, "application/cbor", &b"\x01\x02"[..])
        .sign(NOW, entropy(1070))
        .expect("an envelope");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let items: Vec<_> = admitted.elements().collect();
    let [Item::Sealed(sealed), Item::Present(two)] = &items[..] else { panic!("two elements") };
    let opened = sealed.open(&world.worker).expect("the worker is a reader");
    assert_eq!(opened.content_type(), "application/cbor");
    assert_eq!(opened.content_as(), Ok(value));
    let expected = "CBOR of the type asked for";
    assert_eq!(opened.content_as::<u32>(), Err(Error::ContentForm { expected }));
    let expected = "one CBOR item";
    assert_eq!(two.clone().plaintext().content_as::<u32>(), Err(Error::ContentForm { expected }));
}

#[test]
fn a_verifier_is_made_only_of_what_can_admit_something() {
    let world = World::new();
    let agent = world.worker.id();
    let whole = || scope(&[(&["summarise"], "")]);
    let anchor = |name: &str| TrustAnchor::new(agent, name, Subjects::Any, whole());
    let anchors = || TrustAnchors::new([anchor("one").expect("an anchor")]).expect("one anchor");
    for change in [
        |limits: &mut Limits| limits.bytes = 0,
        |limits: &mut Limits| limits.hops = 0,
        |limits: &mut Limits| limits.agents = 0,
    ] {
        let mut limits = Limits::default();
        change(&mut limits);
        let made = Verifier::new(agent, None, anchors(), Revocations::none(), limits);
        let reason = "the limits admit no envelope at all";
        assert_eq!(made.err(), Some(Error::Configuration { reason }));
    }
    let skew = |seconds| {
        Verifier::new(agent, None, anchors(), Revocations::none(), Limits::default())
            .and_then(|verifier| verifier.clock_skew(Duration::from_secs(seconds)))
            .map(drop)
    };
    assert_eq!(skew(60), Ok(()));
    let reason = "clock skew is at most 60 seconds";
    assert_eq!(skew(61), Err(Error::Configuration { reason }));

    let two = [anchor("one").expect("an anchor"), anchor("two").expect("an anchor")];
    let reason = "two trust anchors have the same key";
    assert_eq!(TrustAnchors::new(two).err(), Some(Error::Configuration { reason }));
    assert!(anchor(&"x".repeat(256)).is_ok());
    for name in [String::new(), "x".repeat(257), "\u{7}".to_owned()] {
        let reason = "an issuer's name has 1 to 256 bytes and no control characters";
        assert_eq!(anchor(&name).err(), Some(Error::Configuration { reason }), "{name:?}");
    }
}

#[test]
fn the_clock_and_the_randomness_of_the_system_are_there() {
    let now = Timestamp::now().expect("a clock after 1970");
    assert!(now > Timestamp::from_unix_seconds(1_700_000_000));
    assert!(now < Timestamp::from_unix_seconds(10_000_000_000));
    let key = || SigningKey::generate(Entropy::from_os().expect("a system with randomness")).id();
    assert_ne!(key(), key());
}

#[test]
fn a_reader_let_into_two_audiences_at_once_gets_a_key_of_its_own_for_each() {
    let world = World::new();
    let [planner, worker, auditor] = [&world.planner, &world.worker, &world.auditor].map(package);
    let sent = Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id()])
        .next(world.planner.id())
        .sealed(Kind::User, "text/plain", &b"one"[..], [&planner])
        .sealed(Kind::User, "text/plain", &b"two"[..], [&planner, &auditor])
        .sign(NOW, entropy(1080))
        .expect("two audiences");
    let mut inbox = world.inbox(world.planner.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let [one, two] = {
        let sealed = sealed_elements(&admitted);
        let mut opener = admitted.opener(&world.planner).expect("the planner verified");
        [0, 1].map(|at| opener.audience(&sealed[at]).expect("the planner is a reader"))
    };
    let onward = admitted
        .onward(&world.planner)
        .let_in(&one, [&worker])
        .let_in(&two, [&worker])
        .next(world.worker.id())
        .sign(NOW, entropy(1081))
        .expect("a second hop");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(&onward, NOW).expect("the worker is next");
    let opened: Vec<_> = sealed_elements(&admitted)
        .iter()
        .map(|sealed| sealed.open(&world.worker).expect("let in").content().to_vec())
        .collect();
    assert_eq!(opened, [b"one", b"two"]);
    // Neither an ephemeral key nor anything else that is long enough to be one is used twice.
    let elements = Forgery::of(&onward).elements;
    let [.., first, second] = &elements[..] else { panic!("two audiences were added") };
    let [first, second] = [first, second].map(|one| one.body.as_deref().expect("it is there"));
    assert!(first.windows(32).all(|key| !second.windows(32).any(|other| other == key)));
}
