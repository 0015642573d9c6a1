//! Each limit admits what it states and refuses one more.

use crate::support;

use std::time::Duration;

use agent_envelope::budget::{Basis, Outcome};
use agent_envelope::{
    AgentId, Allotment, DelegationChain, Draft, Envelope, Error, Grant, Identity, KeyPackage, Kind,
    Limits, Narrow, NewElement, Place, Reference, SigningKey,
};
use support::{
    HOUR, NOW, World, corpus, entropy, funded_request, open_ledger, package, read, scope, terms,
};

fn with(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

/// Accepts the bytes under `count`, and under one less refuses them for `what`.
#[track_caller]
fn assert_limit(
    world: &World,
    bytes: &[u8],
    field: fn(&mut Limits) -> &mut usize,
    what: &'static str,
    count: usize,
) {
    let decode = |limit| {
        let limits = with(|limits| *field(limits) = limit);
        let verifier = world.verifier_within(world.worker.id(), limits);
        read(bytes, &verifier.dangerously_admit_untrusted_origins()).map(|_| ())
    };
    assert_eq!(decode(count), Ok(()));
    let limit = count - 1;
    assert_eq!(decode(limit), Err(Error::LimitExceeded { what, limit, found: count }));
}

fn signed(draft: Draft<'_>) -> Vec<u8> {
    draft.sign(NOW, entropy(10)).expect("within the default limits").as_bytes().to_vec()
}

fn agents(count: u64) -> Vec<Identity> {
    (0..count).map(|number| Identity::generate(entropy(100 + number))).collect()
}

fn ids(agents: &[Identity]) -> Vec<AgentId> {
    agents.iter().map(Identity::id).collect()
}

#[test]
fn bytes() {
    let world = World::new();
    let bytes = signed(Draft::new(&world.user).to(world.worker.id()));
    assert_limit(&world, &bytes, |limits| &mut limits.bytes, "bytes", bytes.len());
}

#[test]
fn elements() {
    let world = World::new();
    let draft = (0..5).fold(Draft::new(&world.user).to(world.worker.id()), |draft, _| {
        draft.clear(Kind::Memory, "text/plain", &b"one of five"[..])
    });
    assert_limit(&world, &signed(draft), |limits| &mut limits.elements, "elements", 5);
}

#[test]
fn hops() {
    let world = World::new();
    let draft = Draft::new(&world.user).to(world.worker.id()).next(world.planner.id());
    let first = signed(draft);
    let relay = world.verifier(world.planner.id());
    let second = Envelope::decode(&first, relay.limits())
        .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
        .and_then(|verified| verified.forward(&world.planner, world.worker.id(), NOW))
        .expect("the planner relays");
    assert_limit(&world, &second, |limits| &mut limits.hops, "hops", 2);
}

#[test]
fn agents_in_to_next_and_via() {
    let world = World::new();
    let others = agents(4);
    let to = Draft::new(&world.user).to(ids(&others)).to(world.worker.id()).next(world.worker.id());
    assert_limit(&world, &signed(to), |limits| &mut limits.agents, "recipients", 5);

    let next = Draft::new(&world.user).to(world.worker.id()).next(ids(&others));
    let next = signed(next.next(world.worker.id()));
    assert_limit(&world, &next, |limits| &mut limits.agents, "agents in next", 5);

    let via = Draft::new(&world.user).to(others[0].id()).via(world.worker.id());
    let via = signed(via.via(ids(&others)));
    assert_limit(&world, &via, |limits| &mut limits.agents, "agents in via", 5);
}

#[test]
fn audiences_and_their_readers() {
    let world = World::new();
    let packages: Vec<_> = agents(4).iter().map(package).collect();
    let bytes = signed(
        Draft::new(&world.user)
            .to(world.worker.id())
            .sealed(Kind::User, "text/plain", &b"to one"[..], &packages[..1])
            .sealed(Kind::User, "text/plain", &b"to four"[..], &packages)
            .sealed(Kind::User, "text/plain", &b"to two"[..], &packages[1..3]),
    );
    assert_limit(&world, &bytes, |limits| &mut limits.audiences, "audiences", 3);
    assert_limit(&world, &bytes, |limits| &mut limits.readers, "readers of an audience", 4);
    assert_limit(&world, &bytes, |limits| &mut limits.readers_in_all, "readers in all", 7);
}

#[test]
fn chains_their_links_and_all_signatures() {
    let world = World::new();
    let holder = SigningKey::generate(entropy(20));
    let two = world
        .chain(holder.id(), 21)
        .extend(&holder, world.user.id(), Narrow::default(), NOW, entropy(22))
        .expect("a link");
    let one = world.chain(world.user.id(), 23);
    let key_package = package(&world.user);
    let first = signed(
        Draft::new(&world.user)
            .to(world.worker.id())
            .next(world.planner.id())
            .authority(&one)
            .authority(&two)
            .key_package(&key_package),
    );
    let relay = world.verifier(world.planner.id());
    let bytes = Envelope::decode(&first, relay.limits())
        .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
        .and_then(|verified| verified.forward(&world.planner, world.worker.id(), NOW))
        .expect("the planner relays");
    assert_limit(&world, &bytes, |limits| &mut limits.chains, "delegation chains", 2);
    assert_limit(&world, &bytes, |limits| &mut limits.links, "links of a delegation chain", 2);
    // Three links, a key package and a second hop; hop 0 is checked before the batch.
    assert_limit(&world, &bytes, |limits| &mut limits.signatures, "signatures", 5);

    let links =
        |links| DelegationChain::verify(two.as_bytes(), &with(|limits| limits.links = links));
    assert_eq!(links(2).as_ref(), Ok(&two));
    let what = "links of a delegation chain";
    assert_eq!(links(1), Err(Error::LimitExceeded { what, limit: 1, found: 2 }));
}

#[test]
fn allotments() {
    let world = World::new();
    let chain = {
        let grant = Grant::new("alice", scope(&[(&["summarise"], "")])).budget(terms(10, 2));
        world.issue(world.user.id(), grant, 40)
    };
    let allotment = || Allotment::new(world.worker.id(), terms(1, 0)).under(&chain);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"twice"[..])
        .allot(allotment())
        .allot(allotment())
        .sign(NOW, entropy(41))
        .expect("two allotments")
        .persisted();
    let bytes = sent.as_bytes();
    assert_limit(&world, bytes, |limits| &mut limits.allotments, "allotments", 2);
    // The chain by itself and under each allotment, and what each allotment says.
    assert_limit(&world, bytes, |limits| &mut limits.signatures, "signatures", 5);
}

/// Decodes the bytes under a limit of two signatures, and not under one.
#[track_caller]
fn assert_two_signatures(bytes: &[u8]) {
    let decode =
        |limit| Envelope::decode(bytes, &with(|limits| limits.signatures = limit)).map(|_| ());
    assert_eq!(decode(2), Ok(()));
    let what = "signatures";
    assert_eq!(decode(1), Err(Error::LimitExceeded { what, limit: 1, found: 2 }));
}

#[test]
fn entries_of_a_report_count_as_signatures() {
    let world = World::new();
    let case = corpus(&world).pop().expect("the last one reports");
    assert_two_signatures(&case.bytes);
}

/// Each is within the limit by itself, so that only their sum is beyond it.
#[test]
fn entries_of_a_report_count_beside_other_signatures() {
    let world = World::new();
    let (sent, _) = funded_request(&world, 50);
    let mut inbox = world.inbox(world.planner.id());
    let mut admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let mut ledger = open_ledger(&world, &mut admitted);
    let history = ledger.close(&world.planner, Basis::Declared, Outcome::Done);
    let history = history.expect("it is open").persisted();
    let key_package = package(&world.planner);
    let reply = Draft::reply_to(&admitted, &world.planner);
    let reply = reply.key_package(&key_package).report(&history).sign(NOW, entropy(52));
    let reply = reply.expect("a reply that reports");
    assert_two_signatures(reply.as_bytes());
}

#[test]
fn references() {
    let world = World::new();
    let draft = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/plain", &b"first"[..])
        .clear(Kind::User, "text/plain", &b"second"[..])
        .element(
            NewElement::clear(Kind::Summary, "text/plain", &b"both"[..])
                .refers_to([Reference::Here(0), Reference::Here(1)]),
        );
    let what = "references of an element";
    assert_limit(&world, &signed(draft), |limits| &mut limits.refs, what, 2);
}

#[test]
fn labels() {
    let world = World::new();
    let draft = Draft::new(&world.user)
        .to(world.worker.id())
        .label("skill", "summarise")
        .label("priority", "low")
        .label("topic", "mail");
    assert_limit(&world, &signed(draft), |limits| &mut limits.labels, "labels", 3);
}

#[test]
fn the_lifetime_of_an_envelope() {
    let world = World::new();
    let bytes = signed(Draft::new(&world.user).to(world.worker.id()).expires_in(HOUR));
    let verify = |lifetime| {
        let limits = with(|limits| limits.lifetime = Duration::from_secs(lifetime));
        let verifier = world.verifier_within(world.worker.id(), limits);
        read(&bytes, &verifier.dangerously_admit_untrusted_origins()).map(|_| ())
    };
    assert_eq!(verify(3600), Ok(()));
    let place = Place::Header;
    assert_eq!(verify(3599), Err(Error::LifetimeTooLong { place, seconds: 3600, maximum: 3599 }));
}

#[test]
fn the_lifetime_of_a_key_package() {
    let world = World::new();
    let key_package = package(&world.user);
    let bytes = signed(Draft::new(&world.user).to(world.worker.id()).key_package(&key_package));
    let limits =
        |lifetime| with(|limits| limits.key_package_lifetime = Duration::from_secs(lifetime));
    let carried = |lifetime| {
        let verifier = world.verifier_within(world.worker.id(), limits(lifetime));
        read(&bytes, &verifier.dangerously_admit_untrusted_origins()).map(|_| ())
    };
    let alone =
        |lifetime| KeyPackage::verify(key_package.as_bytes(), NOW, &limits(lifetime)).map(|_| ());
    let refused = |place| Err(Error::LifetimeTooLong { place, seconds: 3600, maximum: 3599 });
    assert_eq!((carried(3600), alone(3600)), (Ok(()), Ok(())));
    assert_eq!(carried(3599), refused(Place::Element(0)));
    assert_eq!(alone(3599), refused(Place::Call));
}

#[test]
fn the_defaults_are_those_of_the_specification() {
    let Limits {
        bytes,
        elements,
        hops,
        agents,
        audiences,
        readers,
        readers_in_all,
        chains,
        links,
        allotments,
        refs,
        labels,
        signatures,
        lifetime,
        key_package_lifetime,
        ..
    } = Limits::default();
    assert_eq!((bytes, elements, hops, agents), (4 * 1024 * 1024, 1024, 16, 16));
    assert_eq!((audiences, readers, readers_in_all), (16, 64, 256));
    assert_eq!((chains, links, allotments), (8, 16, 16));
    assert_eq!((refs, labels, signatures), (64, 16, 64));
    assert_eq!((lifetime, key_package_lifetime), (24 * HOUR, 24 * HOUR));
}

/// A draft that no verifier with default limits would take is not signed.
#[test]
fn a_builder_keeps_to_the_default_limits() {
    let world = World::new();
    let sign = |count| {
        let draft = Draft::new(&world.user).to(world.worker.id());
        (0..count)
            .fold(draft, |draft, _| draft.clear(Kind::Memory, "text/plain", &b"one of many"[..]))
            .sign(NOW, entropy(30))
            .map(|_| ())
    };
    assert_eq!(sign(1024), Ok(()));
    let (what, limit, found) = ("elements", 1024, 1025);
    assert_eq!(sign(1025), Err(Error::LimitExceeded { what, limit, found }));
}
