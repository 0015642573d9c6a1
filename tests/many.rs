//! Envelopes verified together have the outcomes that they have alone, and what a verifier remembers changes none.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use agent_envelope::{
    Aids, AuthorityCache, Envelope, Error, KeyCache, Limits, Observer, Reader, Role, Timestamp,
    Verified, Verifier,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::adversary::Agent;
use crate::adversary::forge::{AUTHORITY, Element, Forgery, KEY_PACKAGE, size};
use crate::support::{NOW, World, corpus, identity, later, sealing_secret};

/// Envelopes of the corpus, and of each one changed by a bit for every way in which that makes it fail.
struct Pool {
    strict: Verifier,
    open: Verifier,
    envelopes: Vec<Vec<u8>>,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let world = World::new();
    let open = world.verifier(world.worker.id());
    let strict = world.verifier_within(world.worker.id(), Limits::default());
    let mut envelopes = Vec::new();
    for case in corpus(&world) {
        let mut failures = BTreeMap::new();
        let mut keep = |bytes: Vec<u8>| {
            if let Ok(envelope) = Envelope::decode(&bytes, open.limits())
                && let Err(error) = envelope.verify_as_observer(&open, NOW)
            {
                failures.entry(error.to_string()).or_insert(bytes);
            }
        };
        for at in (0..case.bytes.len()).step_by(5) {
            let mut bytes = case.bytes.clone();
            bytes[at] ^= 1;
            keep(bytes);
        }
        by_its_originator(&case.bytes, &mut keep);
        envelopes.push(case.bytes);
        envelopes.extend(failures.into_values());
    }
    Pool { strict, open, envelopes }
});

/// The envelope with a bit of control data changed, by an originator who commits to that and signs it, so that it fails at
/// a signature within.
fn by_its_originator(bytes: &[u8], keep: &mut impl FnMut(Vec<u8>)) {
    let from = decode(bytes).header().from();
    let originator = (2..=5).map(agent).find(|agent| agent.id() == from).expect("one of the world");
    // As it left the originator.
    let mut origin = Forgery::of(bytes);
    let is_count = |count: &usize| origin.hop(0).get(4) == Some(&size(*count));
    let count = (0..=origin.elements.len()).find(is_count).expect("hop 0 covers some");
    origin.elements.truncate(count);
    for kind in [AUTHORITY, KEY_PACKAGE, ALLOTMENT, REPORT] {
        for index in origin.of_kind(kind) {
            let body = origin.elements[index].body.clone().expect("control data");
            for at in (0..body.len()).step_by(11) {
                let (mut forgery, mut body) = (origin.clone(), body.clone());
                body[at] ^= 1;
                forgery.elements[index] = Element::control(&originator, kind, body);
                keep(forgery.sealed_by_originator(&originator));
            }
        }
    }
}

const ALLOTMENT: u64 = 67;
const REPORT: u64 = 68;

/// The agent of the world with this number, with its secrets.
fn agent(number: u8) -> Agent {
    let (seed, sealing) = ([number; 32], sealing_secret(number));
    Agent { name: "", identity: identity(number), seed, sealing }
}

/// What a verifier may remember.
struct Memory {
    chains: AuthorityCache,
    keys: KeyCache,
}

impl Memory {
    fn new(capacity: usize) -> Self {
        Self { chains: AuthorityCache::new(capacity), keys: KeyCache::new(capacity) }
    }

    fn aids(&mut self) -> Aids<'_> {
        let mut aids = Aids::default();
        aids.cache = Some(&mut self.chains);
        aids.keys = Some(&mut self.keys);
        aids
    }

    fn sizes(&self) -> (usize, usize) {
        (self.chains.len(), self.keys.len())
    }
}

fn decode(bytes: &[u8]) -> Envelope<'_> {
    Envelope::decode(bytes, &Limits::default()).expect("the pool is well-formed")
}

/// Everything that can be told of an outcome.
fn told<R: Role>(outcome: Result<Verified<'_, R>, Error>) -> Result<String, Error> {
    outcome.map(|verified| {
        let chains: Vec<_> = verified.chains().collect();
        let elements: Vec<_> = verified.elements().collect();
        format!("{verified:?} {:?} {chains:?} {elements:?}", verified.tip())
    })
}

fn compare<R: Role>(picked: &[&[u8]], verifier: &Verifier, now: Timestamp) {
    let alone =
        |aids: Aids<'_>, bytes: &[u8]| told(decode(bytes).verify_with::<R>(verifier, now, aids));
    let expected: Vec<_> = picked.iter().map(|bytes| alone(Aids::default(), bytes)).collect();
    let together = |aids: Aids<'_>| -> Vec<_> {
        let envelopes = picked.iter().map(|bytes| decode(bytes));
        let outcomes = Envelope::verify_many::<R>(envelopes, verifier, now, aids);
        outcomes.into_iter().map(told).collect()
    };
    assert_eq!(together(Aids::default()), expected);

    // One after the other with a memory, and together with one that begins empty and then is full.
    let (mut one_by_one, mut memory) = (Memory::new(1000), Memory::new(1000));
    for (bytes, expected) in picked.iter().zip(&expected) {
        assert_eq!(&alone(one_by_one.aids(), bytes), expected);
    }
    assert_eq!(together(memory.aids()), expected);
    assert_eq!(memory.sizes(), one_by_one.sizes());
    assert_eq!(together(memory.aids()), expected);
    assert_eq!(memory.sizes(), one_by_one.sizes());
    // A memory of one forgets all the time.
    assert_eq!(together(Memory::new(1).aids()), expected);
}

#[test]
fn the_pool_holds_envelopes_that_fail_at_every_kind_of_signature_and_others() {
    let mut codes: Vec<_> = POOL
        .envelopes
        .iter()
        .filter_map(|bytes| decode(bytes).verify_as_observer(&POOL.open, NOW).err())
        .map(|error| error.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    for code in [401, 402, 403, 404, 410, 411, 412, 1012, 1027] {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    let first = |error: &Error| matches!(error, Error::HopSignature { hop: 0, .. });
    let fails = |bytes: &Vec<u8>| decode(bytes).verify_as_observer(&POOL.open, NOW).err();
    assert!(POOL.envelopes.iter().filter_map(fails).any(|error| first(&error)));
}

#[test]
fn all_of_the_pool_together() {
    let all: Vec<_> = POOL.envelopes.iter().map(Vec::as_slice).collect();
    compare::<Observer>(&all, &POOL.open, NOW);
}

#[test]
fn good_envelopes_together_with_each_bad_one() {
    let is_good = |bytes: &&[u8]| decode(bytes).verify_as_observer(&POOL.open, NOW).is_ok();
    let (good, bad): (Vec<_>, Vec<_>) = POOL.envelopes.iter().map(Vec::as_slice).partition(is_good);
    assert!(good.len() > 10 && bad.len() > 50, "{} and {}", good.len(), bad.len());
    for (at, bad) in bad.into_iter().enumerate() {
        let mut mixed = good[at % 3..][..3].to_vec();
        mixed.insert(at % 4, bad);
        let envelopes = mixed.iter().map(|bytes| decode(bytes));
        let outcomes =
            Envelope::verify_many::<Observer>(envelopes, &POOL.open, NOW, Aids::default());
        let refused: Vec<_> = outcomes.iter().map(Result::is_err).collect();
        let expected: Vec<_> = (0..4).map(|position| position == at % 4).collect();
        assert_eq!(refused, expected);
        let alone = decode(bad).verify_as_observer(&POOL.open, NOW);
        assert_eq!(outcomes[at % 4].as_ref().err(), alone.as_ref().err());
    }
}

#[test]
fn none_is_fine() {
    let none = Envelope::verify_many::<Reader>([], &POOL.open, NOW, Aids::default());
    assert!(none.is_empty());
}

#[test]
fn what_is_refused_is_not_remembered() {
    let mut memory = Memory::new(1000);
    for bytes in &POOL.envelopes {
        if decode(bytes).verify_as_observer(&POOL.open, NOW).is_err() {
            let refused = decode(bytes).verify_with::<Observer>(&POOL.open, NOW, memory.aids());
            assert!(refused.is_err());
        }
    }
    assert_eq!(memory.sizes(), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_envelopes_in_any_order(
        picked in prop::collection::vec(any::<Index>(), 0..12),
        seconds in prop::sample::select(vec![0_u64, 0, 0, 60, 4000, 200_000]),
    ) {
        let picked: Vec<_> =
            picked.iter().map(|index| index.get(&POOL.envelopes).as_slice()).collect();
        let now = later(seconds);
        compare::<Observer>(&picked, &POOL.open, now);
        compare::<Observer>(&picked, &POOL.strict, now);
        compare::<Reader>(&picked, &POOL.open, now);
    }
}
