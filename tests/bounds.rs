//! What hostile bytes may cost: heap in proportion to the input, and next to no stack.

use crate::support;

use agent_envelope::{
    Conversations, DelegationChain, Draft, Envelope, Error, Grant, Identity, Inbox, KeyPackage,
    Kind, Limits, Narrow, OriginFork, Permission, ReplayCapacity, ReplayWindow, Resource, Scope,
    Sent, SigningKey, Subjects, TrustAnchor, Verifier,
};
use allocation_counter::measure;
use support::{NOW, World, cbor, corpus, entropy, later, package, terms};

/// Heap that decoding may take for each byte of input. An element of 42 bytes is the worst: it takes some 330 bytes
/// decoded.
const DECODE_PER_BYTE: usize = 9;
/// Heap that decoding may take whatever the input: the sorted grants of the one scope that another is compared with.
const DECODE_AT_MOST: usize = 32 * 1024;
/// Heap that verification may take besides, whatever the input: tables of 130 points for a batch of 64 signatures.
const VERIFY_AT_MOST: usize = 384 * 1024;

/// Runs `work` and returns the most heap that it held at any time.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let mut result = None;
    let heap = measure(|| result = Some(work())).bytes_max;
    (result.expect("it ran"), usize::try_from(heap).expect("it fits in memory"))
}

#[track_caller]
fn assert_bounded(what: &str, bytes: &[u8], verifier: &Verifier) -> Result<(), Error> {
    let limits = verifier.limits();
    let (decoded, heap) = peak(|| Envelope::decode(bytes, limits).map(|_| ()));
    let bound = DECODE_PER_BYTE * bytes.len() + DECODE_AT_MOST;
    assert!(heap <= bound, "{what}: decoding {} bytes takes {heap}", bytes.len());
    decoded?;
    let (verified, heap) =
        peak(|| Envelope::decode(bytes, limits)?.verify_as_observer(verifier, NOW).map(|_| ()));
    let bound = bound + VERIFY_AT_MOST;
    assert!(heap <= bound, "{what}: verifying {} bytes takes {heap}", bytes.len());
    verified
}

#[test]
fn the_heap_is_bounded_for_honest_envelopes() {
    let world = World::new();
    for case in corpus(&world) {
        assert_bounded(case.name, &case.bytes, &world.verifier(case.reader)).expect(case.name);
    }
}

fn signed(draft: Draft<'_>) -> Vec<u8> {
    draft.sign(NOW, entropy(1000)).expect("within the default limits").as_bytes().to_vec()
}

/// Readers that nobody needs the secrets of.
fn packages(count: u64) -> Vec<KeyPackage> {
    (0..count).map(|number| package(&Identity::generate(entropy(2000 + number)))).collect()
}

fn chain_of(world: &World, links: u64, number: u64, narrow: &Narrow) -> DelegationChain {
    let agent = |link| SigningKey::generate(entropy(number + link));
    let grant = Grant::new("alice", widest()).depth(links - 1).budget(terms(100, 8));
    let holder = if links == 1 { world.user.id() } else { agent(0).id() };
    let anchor = TrustAnchor::new(world.login.id(), support::ISSUER, Subjects::Any, widest())
        .expect("an anchor")
        .depth(links)
        .budget(terms(100, 8));
    let mut chain =
        DelegationChain::issue(&world.login, &anchor, holder, grant, NOW, entropy(number))
            .expect("a root");
    for link in 1..links {
        let to = if link + 1 == links { world.user.id() } else { agent(link).id() };
        chain = chain
            .extend(&agent(link - 1), to, narrow.clone(), NOW, entropy(number + link))
            .expect("a link");
    }
    chain
}

/// The scope that costs most to compare with: 512 grants in the fewest bytes.
fn widest() -> Scope {
    let letters: Vec<String> = ('a'..='z').chain('0'..='5').map(String::from).collect();
    let permissions = (0..16).map(|number| {
        let resource: Resource = char::from(b'a' + number).to_string().parse().expect("a letter");
        Permission::new(letters.iter().map(String::as_str), &resource).expect("32 actions")
    });
    Scope::new(permissions).expect("512 actions")
}

#[test]
fn the_heap_is_bounded_for_all_that_the_limits_allow() {
    let world = World::new();
    let verifier = world.verifier(world.worker.id());
    let to_worker = || Draft::new(&world.user).to(world.worker.id());

    let many = (0..1024).fold(to_worker(), |draft, _| draft.clear(Kind::Memory, "", &b""[..]));
    assert_bounded("1024 elements", &signed(many), &verifier).expect("allowed");

    let readers = packages(64);
    let audiences = (0..4).fold(to_worker(), |draft, number| {
        draft.sealed(
            Kind::Memory,
            "",
            &b""[..],
            &readers[..64 - usize::from(number == 0)][number..],
        )
    });
    assert_bounded("four audiences of some sixty", &signed(audiences), &verifier).expect("allowed");

    let four = [3000, 3100, 3200, 3300]
        .map(|number| chain_of(&world, 15, number, &Narrow::default().budget(terms(100, 8))));
    let chains = four.iter().fold(to_worker(), Draft::authority);
    assert_bounded("60 links", &signed(chains), &verifier).expect("allowed");

    let wide = chain_of(&world, 4, 3400, &Narrow::default().scope(widest()));
    assert_bounded("wide scopes", &signed(to_worker().authority(&wide)), &verifier)
        .expect("allowed");

    let mut bytes = signed(Draft::new(&world.user).to(world.worker.id()).next(world.planner.id()));
    for hop in 1..16 {
        let (from, to) = if hop % 2 == 1 {
            (&world.planner, &world.user)
        } else {
            (&world.user, &world.planner)
        };
        let relay = world.verifier(from.id());
        bytes = Envelope::decode(&bytes, relay.limits())
            .and_then(|envelope| envelope.verify_as_relay(&relay, NOW))
            .and_then(|verified| verified.forward(from, to.id(), NOW))
            .expect("a hop");
    }
    assert_bounded("16 hops", &bytes, &verifier).expect("allowed");

    let long = to_worker().clear(Kind::Artifact, "text/plain", vec![b'x'; 4_000_000]);
    let (bytes, encoding) = peak(|| signed(long));
    assert_bounded("one body of 4 MB", &bytes, &verifier).expect("allowed");
    assert!(encoding <= 5 * bytes.len(), "signing takes {encoding} for {}", bytes.len());
}

/// Envelopes that are refused, with what they were made to cost.
fn hostile(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let honest = signed(Draft::new(&world.user).to(world.worker.id()));
    let version = cbor::text("agent-envelope/1");
    let header_end = {
        // Version and header come first: the header is a byte string with a two-byte head.
        let start = 1 + version.len();
        assert_eq!(honest[start], 0x58);
        start + 2 + usize::from(honest[start + 1])
    };
    let front = &honest[..header_end];
    let hops = &honest[header_end + 1..];
    let record =
        cbor::map(&[(cbor::uint(1), cbor::uint(0)), (cbor::uint(2), cbor::bytes(&[7; 32]))]);
    let bare = cbor::array(&[cbor::bytes(&record), vec![0xf6]]);
    assert_eq!(bare.len(), 42, "the least element");
    let with_elements = |elements: &[u8]| [front, elements, hops].concat();
    let control = |kind, body: &[u8]| {
        let record =
            cbor::map(&[(cbor::uint(1), cbor::uint(kind)), (cbor::uint(2), cbor::bytes(&[7; 32]))]);
        cbor::array(&[cbor::bytes(&record), cbor::bytes(body)])
    };
    let chain = chain_of(world, 16, 3500, &Narrow::default());
    let audience = audience_of_64();
    let huge = |rest: &[u8]| with_elements(&[&[0x9b, 0, 0, 0, 1, 0, 0, 0, 0][..], rest].concat());
    vec![
        ("1024 elements without body", with_elements(&cbor::array(&vec![bare.clone(); 1024]))),
        ("1025 elements", with_elements(&cbor::array(&vec![bare.clone(); 1025]))),
        ("2^32 elements announced", huge(&[])),
        ("2^32 elements announced and some there", huge(&bare.repeat(2000))),
        ("as many elements announced as bytes", {
            let rest = bare.repeat(500);
            with_elements(&[cbor::head(4, 21_000), rest].concat())
        }),
        ("1024 elements announced in as many bytes", {
            with_elements(&[cbor::head(4, 1024), bare.repeat(22)].concat())
        }),
        ("an element of deep arrays", with_elements(&[&[0x81][..], &[0x81; 10_000]].concat())),
        ("a header of deep arrays", {
            let deep = [0x81; 10_000];
            [&[0x84][..], &version, &cbor::bytes(&deep)].concat()
        }),
        ("a header of deep maps", {
            let deep = [0xa1, 0x00].repeat(5_000);
            [&[0x84][..], &version, &cbor::bytes(&deep)].concat()
        }),
        ("a header whose keys come in another order", {
            // To tell disorder from absence the decoder looks ahead; the value it passes over is deep.
            let deep = [&[0xa2, 0x02][..], &[0x81; 10_000], &[0x00, 0x01]].concat();
            [&[0x84][..], &version, &cbor::bytes(&deep)].concat()
        }),
        ("deep arrays", vec![0x81; 10_000]),
        ("deep maps", [0xa1, 0x00].repeat(5_000)),
        ("deep byte strings", vec![0x58; 10_000]),
        ("an array of 2^64 - 1", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("16 hops announced and one there", {
            let rest = &hops[1..];
            [front, &[0x80], &cbor::head(4, 16), rest].concat()
        }),
        ("128 links", with_elements(&cbor::array(&vec![control(64, chain.as_bytes()); 8]))),
        ("16 audiences of 64", with_elements(&cbor::array(&vec![control(65, &audience); 16]))),
        ("zeros", vec![0; 100_000]),
        ("ones", vec![0xff; 100_000]),
    ]
}

/// An audience of the right form, whose wraps open for nobody.
fn audience_of_64() -> Vec<u8> {
    let wrap = |number: u8| {
        let hint = [number; 8];
        let protected =
            cbor::map(&[(cbor::uint(1), cbor::uint(50)), (cbor::uint(4), cbor::bytes(&hint))]);
        // -4 is the encapsulated key.
        let unprotected = cbor::map(&[(vec![0x23], cbor::bytes(&[1; 32]))]);
        cbor::array(&[cbor::bytes(&protected), unprotected, cbor::bytes(&[2; 48])])
    };
    let content_key = cbor::map(&[(cbor::uint(5), cbor::bytes(&[3; 12]))]);
    let encrypted = cbor::array(&[
        cbor::bytes(&[0xa1, 0x01, 0x18, 0x18]),
        content_key,
        cbor::bytes(&[4; 48]),
        cbor::array(&(0..64).map(wrap).collect::<Vec<_>>()),
    ]);
    cbor::array(&[cbor::bytes(&[5; 32]), encrypted])
}

#[test]
fn the_heap_is_bounded_for_hostile_bytes() {
    let world = World::new();
    let verifier = world.verifier(world.worker.id());
    for (what, bytes) in hostile(&world) {
        assert_bounded(what, &bytes, &verifier).expect_err(what);
        let limits = Limits::default();
        let (_, heap) = peak(|| {
            (
                DelegationChain::verify(&bytes, &limits).is_err(),
                KeyPackage::verify(&bytes, NOW, &limits).is_err(),
                OriginFork::verify(&bytes, &limits).is_err(),
                ReplayWindow::from_bytes(&bytes).is_err(),
                Conversations::from_bytes(&bytes).is_err(),
            )
        });
        let bound = DECODE_PER_BYTE * bytes.len() + DECODE_AT_MOST;
        assert!(heap <= bound, "{what}: {heap} for {} bytes of something else", bytes.len());
    }
}

#[test]
fn what_an_agent_remembers_stops_growing() {
    let world = World::new();
    let chain = world.chain(world.user.id(), 4000);
    let mut capacity = ReplayCapacity::default();
    capacity.envelopes = 16;
    capacity.principals = 2;
    let mut inbox = Inbox::with_state(
        world.verifier(world.worker.id()),
        ReplayWindow::new(capacity),
        Conversations::new(8, 4),
    );
    let first = Draft::new(&world.user).to(world.worker.id()).sign(NOW, entropy(4999));
    let mut line = first.expect("a conversation begins").line();
    let mut receive = |inbox: &mut Inbox, number: u64| {
        let now = later(number);
        // Half of them come under a chain in one conversation, half from nobody in conversations of their own.
        let draft = if number.is_multiple_of(2) {
            Draft::in_conversation(&world.user, &line).authority(&chain)
        } else {
            Draft::new(&world.user).to(world.worker.id())
        };
        let sent = draft.sign(now, entropy(5000 + number)).expect("a draft");
        if number.is_multiple_of(2) {
            line = sent.line();
        }
        inbox.receive(sent.as_bytes(), now).map(|_| ()).expect("the oldest makes room");
    };
    let heap = measure(|| (0..64).for_each(|number| receive(&mut inbox, number))).bytes_current;
    let state = inbox.to_bytes().len();
    let grown = measure(|| (64..256).for_each(|number| receive(&mut inbox, number))).bytes_current;
    assert_eq!(inbox.window().len(), 32);
    // A counter of what was recorded takes a byte or two more.
    assert!(inbox.to_bytes().len() <= state + 8);
    // Trees that are filled and emptied in another order have other spare room in their nodes.
    assert!(grown <= heap / 2, "by {grown} after {heap} bytes");
}

/// Stack for decoding, in a build without optimisation: 13 bytes for each level of the deepest input.
const STACK: usize = 128 * 1024;
/// Stack for verifying, most of it for the curve arithmetic of a build without optimisation.
const VERIFY_STACK: usize = 256 * 1024;

#[test]
fn no_input_takes_more_than_a_small_stack() {
    let world = World::new();
    let limits = Limits::default();
    for (what, bytes) in hostile(&world) {
        let limits = limits.clone();
        let refused = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || {
                Envelope::decode(&bytes, &limits).is_err()
                    && DelegationChain::verify(&bytes, &limits).is_err()
                    && KeyPackage::verify(&bytes, NOW, &limits).is_err()
                    && OriginFork::verify(&bytes, &limits).is_err()
                    && Sent::from_bytes(bytes.clone()).is_err()
                    && ReplayWindow::from_bytes(&bytes).is_err()
                    && Conversations::from_bytes(&bytes).is_err()
            })
            .expect("a thread")
            .join()
            .expect("no overflow");
        assert!(refused, "{what}");
    }
    for case in corpus(&world) {
        let verifier = world.verifier(case.reader);
        std::thread::Builder::new()
            .stack_size(VERIFY_STACK)
            .spawn(move || support::read(&case.bytes, &verifier).map(|_| ()).expect(case.name))
            .expect("a thread")
            .join()
            .expect("no overflow");
    }
}
