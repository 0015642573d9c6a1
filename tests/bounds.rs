//! What hostile bytes may cost: heap in proportion to the input, and next to no stack.

use crate::{cddl, support};

use agent_envelope::budget::negotiation::Message;
use agent_envelope::budget::{self, Amounts, Basis, Dimension, Evidence, Ledger, Outcome, Quota};
use agent_envelope::{
    Conversations, DelegationChain, Draft, Envelope, Error, Grant, Identity, Inbox, Item,
    KeyPackage, Kind, Limits, Narrow, NewElement, OriginFork, Permission, ReplayCapacity,
    ReplayWindow, Resource, Scope, Sent, SigningKey, Subjects, TrustAnchor, Verifier,
};
use allocation_counter::measure;
use support::{ISSUER, NOW, World, cbor, corpus, entropy, later, package, terms};

/// Heap that decoding may take for each byte of input. The worst is an entry full of amounts: 840 bytes take some 5500 decoded.
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
    println!("{what}: {heap} to decode {} bytes", bytes.len());
    decoded?;
    let (verified, heap) =
        peak(|| Envelope::decode(bytes, limits)?.verify_as_observer(verifier, NOW).map(|_| ()));
    println!("{what}: {heap} to verify {} bytes", bytes.len());
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
    let grant = Grant::new("alice", widest()).budget(terms(100, 8));
    chain_granting(grant, world, links, number, narrow)
}

fn chain_granting(
    grant: Grant,
    world: &World,
    links: u64,
    number: u64,
    narrow: &Narrow,
) -> DelegationChain {
    let agent = |link| SigningKey::generate(entropy(number + link));
    let grant = grant.depth(links - 1);
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

    // 4 × 16 links, each with 512 actions of its own: the fewest bytes for the most comparisons.
    let widest = chain_of(&world, 16, 3500, &Narrow::default().scope(widest()));
    let chains = (0..4).fold(to_worker(), |draft, _| draft.authority(&widest));
    assert_bounded("64 links of 512 actions", &signed(chains), &verifier).expect("allowed");

    let labels = (0..16)
        .fold(to_worker(), |draft, number| draft.label(&format!("{number:064}"), &"v".repeat(256)));
    assert_bounded("16 labels", &signed(labels), &verifier).expect("allowed");

    let clear = || NewElement::clear(Kind::Memory, "", &b""[..]);
    let known = (0..64).fold(to_worker(), |draft, _| draft.element(clear()));
    let refers = || {
        let refs = (0..64).map(agent_envelope::Reference::Here);
        NewElement::clear(Kind::Summary, "", &b""[..]).refers_to(refs)
    };
    let known = (0..200).fold(known, |draft, _| draft.element(refers()));
    assert_bounded("200 times 64 references", &signed(known), &verifier).expect("allowed");

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

/// Stack of the threads in which everything is decoded, in a build without optimisation too.
const STACK: usize = 64 * 1024;
/// Stack of the threads in which everything is verified and opened. Without optimisation, curve arithmetic takes more.
const VERIFY_STACK: usize = 128 * 1024;

/// Runs `work` in a thread with next to no stack.
fn cramped<T: Send + 'static>(stack: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(stack).spawn(work).expect("a thread");
    thread.join().expect("no overflow and no panic")
}

#[test]
fn no_input_takes_more_than_a_small_stack() {
    let world = World::new();
    let limits = Limits::default();
    for (what, bytes) in hostile(&world) {
        let limits = limits.clone();
        let refused = cramped(STACK, move || {
            Envelope::decode(&bytes, &limits).is_err()
                && DelegationChain::verify(&bytes, &limits).is_err()
                && KeyPackage::verify(&bytes, NOW, &limits).is_err()
                && OriginFork::verify(&bytes, &limits).is_err()
                && Sent::from_bytes(bytes.clone()).is_err()
                && ReplayWindow::from_bytes(&bytes).is_err()
                && Conversations::from_bytes(&bytes).is_err()
        });
        assert!(refused, "{what}");
    }
    for case in corpus(&world) {
        let inbox = world.inbox(case.reader);
        let reader = (2..=5).map(support::identity).find(|one| one.id() == case.reader);
        cramped(VERIFY_STACK, move || {
            let (mut inbox, reader) = (inbox, reader.expect("one of four"));
            let admitted = inbox.receive(&case.bytes, NOW).or_else(|_| {
                // Some were signed a second later.
                Ok::<_, Error>(inbox.receive(&case.bytes, later(1)).expect(case.name))
            });
            let admitted = admitted.expect(case.name);
            let mut opener = admitted.opener(&reader).expect("it verified");
            for item in admitted.elements() {
                if let Item::Sealed(sealed) = item {
                    let _ = opener.open(&sealed);
                }
            }
            let outline = Envelope::decode(&case.bytes, &Limits::default());
            let outline = outline.expect(case.name);
            let shown = outline.outline();
            assert!(shown.hops().len() > 0);
            shown.elements().for_each(|element| {
                let _ = format!("{:?}", element.body());
            });
        });
    }
}

type Read = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Everything that reads bytes from outside or from storage, each with bytes that it accepts.
fn formats(world: &World) -> Vec<(&'static str, Vec<u8>, Read)> {
    let limits = Limits::default;
    let budgets = cddl::budgets();
    let (request, _) = support::funded_request(world, 7000);
    let mut inbox = world.inbox(world.planner.id());
    let mut admitted = inbox.receive(request.as_bytes(), NOW).expect("the planner is next");
    let mut ledger = support::open_ledger(world, &mut admitted);
    let two = Amounts::new().with(Dimension::TOOL_CALLS, 2).expect("two calls");
    let _ = ledger.give_back(&world.planner, &two, Basis::Replayable).expect("more is there");
    let chain = world.chain(world.user.id(), 7001);
    let chain = chain
        .extend(world.user.signing_key(), world.worker.id(), Narrow::default(), NOW, entropy(7002))
        .expect("a link");
    let calls = |count| Amounts::new().with(Dimension::TOOL_CALLS, count).expect("calls");
    let mut quota = Quota::new(calls(60), support::HOUR, 8).expect("a quota");
    quota.ask(agent_envelope::Principal::new(ISSUER, "alice"), &calls(3), NOW).expect("more");
    let verifier = world.verifier(world.planner.id());
    let observer = verifier.clone();
    let mut all: Vec<(&'static str, Vec<u8>, Read)> = vec![
        ("an envelope", request.as_bytes().to_vec(), {
            Box::new(move |bytes| support::observe(bytes, &observer).is_ok())
        }),
        ("an envelope kept", request.as_bytes().to_vec(), {
            Box::new(|bytes| Sent::from_bytes(bytes.to_vec()).is_ok())
        }),
        ("a chain", chain.as_bytes().to_vec(), {
            Box::new(move |bytes| DelegationChain::verify(bytes, &limits()).is_ok())
        }),
        ("a key package", package(&world.user).as_bytes().to_vec(), {
            Box::new(move |bytes| KeyPackage::verify(bytes, NOW, &limits()).is_ok())
        }),
        ("a fork of an origin", cddl::origin_fork(), {
            Box::new(move |bytes| OriginFork::verify(bytes, &limits()).is_ok())
        }),
        ("an inbox", inbox.to_bytes(), {
            Box::new(move |bytes| Inbox::restore(verifier.clone(), bytes).is_ok())
        }),
        ("a replay window", inbox.window().to_bytes(), {
            Box::new(|bytes| ReplayWindow::from_bytes(bytes).is_ok())
        }),
        ("conversations", inbox.conversations().to_bytes(), {
            Box::new(|bytes| Conversations::from_bytes(bytes).is_ok())
        }),
        ("a ledger", ledger.to_bytes(), Box::new(|bytes| Ledger::resume(bytes).is_ok())),
        ("a quota", quota.to_bytes(), Box::new(|bytes| Quota::from_bytes(bytes).is_ok())),
        ("a lineage", budgets.lineage, Box::new(|bytes| budget::splits(bytes).is_ok())),
        ("a history", budgets.history, Box::new(|bytes| budget::entries(bytes).is_ok())),
        ("evidence", budgets.evidence, Box::new(|bytes| Evidence::verify(bytes).is_ok())),
    ];
    for message in cddl::messages() {
        all.push((message.name(), message.to_bytes(), {
            Box::new(|bytes| Message::from_bytes(bytes).is_ok())
        }));
    }
    all
}

/// What an honest beginning goes on with: nesting, and lengths that nothing follows.
fn tails() -> [Vec<u8>; 7] {
    let huge = |major: u8| vec![major << 5 | 27, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff];
    [
        vec![0x81; 5_000],
        [0xa1, 0x00].repeat(2_500),
        // A map whose second key is the one that is asked for, so that the decoder looks past the first value.
        [&[0xa2, 0x18, 0x7f][..], &[0x81; 5_000], &[0x01, 0x01]].concat(),
        huge(2),
        huge(4),
        huge(5),
        // As many items as there are bytes.
        [cbor::head(4, 5_000), vec![0x81; 5_000]].concat(),
    ]
}

/// At every byte of everything that is read: nesting takes no stack, and what is announced takes no heap.
#[test]
fn nothing_hostile_at_any_place_of_any_format_takes_stack_or_heap() {
    let world = World::new();
    for (what, honest, read) in formats(&world) {
        let work = move || {
            assert!(read(&honest), "{what} is honest");
            for at in 0..honest.len() {
                for tail in tails() {
                    let bytes = [&honest[..at], &tail].concat();
                    if bytes.len() == honest.len() {
                        // The end of a signature, say, which what an agent keeps for itself is not asked for.
                        continue;
                    }
                    let (accepted, heap) = peak(|| read(&bytes));
                    assert!(!accepted, "{what}, cut at {at}");
                    // What was read before the cut, and an error's own text.
                    let bound = DECODE_PER_BYTE * bytes.len() + DECODE_AT_MOST;
                    assert!(heap <= bound, "{what}, cut at {at}: {heap} for {}", bytes.len());
                }
            }
        };
        cramped(VERIFY_STACK, work);
    }
}

/// The worst of a ledger: every sum in it states 32 amounts of one byte each.
#[test]
fn the_heap_is_bounded_for_amounts() {
    use crate::adversary::cbor::{Item, array, bytes, uint};
    let amounts = || array((0..32).map(|number| array([uint(100 + 4 * number), uint(1)])));
    let history = cddl::budgets().history;
    let entry = Item::read(&history).into_items().pop().expect("a report ends it");
    let mut parts = entry.into_items();
    let mut claims = Item::read(parts[2].as_bytes());
    [5, 6, 7].into_iter().for_each(|sum| claims.set(sum, amounts()));
    let mut report = claims.get(8).expect("an event").clone();
    (report.items()[1], report.items()[5]) = (amounts(), amounts());
    claims.set(8, report);
    parts[2] = bytes(claims.encode());
    let history = array(vec![array(parts); 64]).encode();
    let (entries, heap) = peak(|| budget::entries(&history).map(|entries| entries.len()));
    assert_eq!(entries, Ok(64));
    let bound = DECODE_PER_BYTE * history.len() + DECODE_AT_MOST;
    println!("64 entries of 160 amounts: {heap} for {}", history.len());
    assert!(heap <= bound, "{heap} for {}", history.len());
}

/// Control elements are kept apart from the others, with room for as many again when their room is used up.
#[test]
fn the_heap_is_bounded_for_many_control_elements() {
    let world = World::new();
    let (request, _) = support::funded_request(&world, 7100);
    let mut inbox = world.inbox(world.planner.id());
    let mut admitted = inbox.receive(request.as_bytes(), NOW).expect("the planner is next");
    let mut ledger = support::open_ledger(&world, &mut admitted);
    let history = ledger.close(&world.planner, Basis::Declared, Outcome::Done);
    let history = history.expect("it is open").persisted();
    assert_eq!(budget::entries(&history).map(|entries| entries.len()), Ok(1));
    let package = package(&world.planner);
    let verifier = world.verifier(world.user.id());
    for count in [33, 64] {
        let draft = || Draft::new(&world.planner).to(world.user.id());
        let reports = (0..count).fold(draft(), |draft, _| draft.report(&history));
        let what = format!("{count} reports of one entry");
        assert_bounded(&what, &signed(reports), &verifier).expect("allowed");
        let packages = (0..count).fold(draft(), |draft, _| draft.key_package(&package));
        let what = format!("{count} key packages");
        assert_bounded(&what, &signed(packages), &verifier).expect("allowed");
    }
}

/// What opening takes besides the content itself: the vector of audiences, and the structures that keys are derived from.
const OPEN_AT_MOST: usize = 4 * 1024;

#[test]
fn opening_takes_the_content_once() {
    let world = World::new();
    let readers = [&world.worker, &world.auditor].map(package);
    for size in [0, 1_000, 1_000_000] {
        let content = vec![b'x'; size];
        let sent = Draft::new(&world.user)
            .to(world.worker.id())
            .sealed(Kind::Artifact, "text/plain", &content[..], &readers)
            .sign(NOW, entropy(8000))
            .expect("a draft");
        let admitted = world.inbox(world.worker.id());
        let mut inbox = admitted;
        let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
        let Some(Item::Sealed(sealed)) = admitted.elements().next() else { panic!("sealed") };
        let (opened, heap) = peak(|| sealed.open(&world.worker).map(|one| one.content().len()));
        assert_eq!(opened, Ok(size));
        println!("opening {size}: {heap}");
        assert!(heap <= size + OPEN_AT_MOST, "{heap} for {size}");
        let stranger = Identity::from_seeds(&[2; 32], &[9; 32]);
        let (opened, heap) = peak(|| sealed.open(&stranger).is_ok());
        assert!(!opened && heap <= OPEN_AT_MOST, "{heap} for what does not open");
    }
}

/// Bytes beyond the limit cost nothing: they are not even looked at.
#[test]
fn nothing_is_allocated_for_what_is_too_long() {
    let world = World::new();
    let limits = Limits::default();
    let long = vec![0x84; limits.bytes + 1];
    let refused =
        Error::LimitExceeded { what: "bytes", limit: limits.bytes, found: limits.bytes + 1 };
    let mut inbox = world.inbox(world.worker.id());
    let mut found = Vec::with_capacity(5);
    let cost = measure(|| {
        found.push(Envelope::decode(&long, &limits).map(|_| ()));
        found.push(DelegationChain::verify(&long, &limits).map(|_| ()));
        found.push(KeyPackage::verify(&long, NOW, &limits).map(|_| ()));
        found.push(OriginFork::verify(&long, &limits).map(|_| ()));
        found.push(inbox.receive(&long, NOW).map(|_| ()));
    });
    assert_eq!((cost.count_total, cost.bytes_total), (0, 0));
    for (index, found) in found.into_iter().enumerate() {
        assert_eq!(found, Err(refused.clone()), "{index}");
    }
}

/// Decoding allocates for lists, not for what is in them: elements, control bodies, hops, and the links of a chain.
#[test]
fn decoding_allocates_for_lists_alone() {
    let world = World::new();
    let limits = Limits::default();
    let allocations = |bytes: &[u8]| {
        let mut decoded = None;
        let cost = measure(|| decoded = Some(Envelope::decode(bytes, &limits)));
        decoded.expect("it ran").expect("within the limits");
        cost.count_total
    };
    let body = vec![b'x'; 4096];
    let draft = |elements: usize| {
        let draft = Draft::new(&world.user).to(world.worker.id()).label("task", "42");
        (0..elements).fold(draft, |draft, _| draft.clear(Kind::User, "text/plain", &body[..]))
    };
    let package = package(&world.user);
    for elements in [1, 100] {
        assert_eq!(allocations(&signed(draft(elements))), 2);
        for links in [1, 2, 16] {
            let grant = Grant::new("alice", support::scope(&[(&["a"], "a")]));
            let chain = chain_granting(grant, &world, links, 4000, &Narrow::default());
            let draft = draft(elements).authority(&chain).key_package(&package);
            assert_eq!(allocations(&signed(draft)), 4, "{links} links");
        }
    }
}
