//! The seeds of the fuzz targets, replayed: what was found once stays found. And where the first of them come from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_envelope::budget::{Amounts, Dimension, Ledger, Quota};
use agent_envelope::{Conversations, Envelope, Limits, ReplayWindow};

use crate::adversary::cbor::Item;
use crate::adversary::forge::{Forgery, statement_part};
use crate::cddl::{budgets, messages, origin_fork};
use crate::fuzzing::TARGETS;
use crate::support::{NOW, World, corpus, package};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a folder of `fuzz/`, or nothing in a package for the registry, which comes without.
fn files(folder: &str) -> Option<Vec<PathBuf>> {
    fuzz().join("Cargo.toml").exists().then(|| {
        let folder = fuzz().join(folder);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        files.map(|file| file.expect("a file").path()).collect()
    })
}

#[test]
fn every_seed_is_replayed() {
    for (target, run) in TARGETS {
        let Some(seeds) = files(&format!("seeds/{target}")) else { return };
        assert!(seeds.len() >= 10, "{target} has {} seeds", seeds.len());
        for path in seeds {
            // So that a panic names the seed.
            println!("{}", path.display());
            run(&fs::read(path).expect("a seed"));
        }
    }
}

#[test]
fn every_target_is_among_those_that_are_replayed() {
    let Some(programs) = files("fuzz_targets") else { return };
    let mut programs: Vec<_> = programs
        .iter()
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        // The codec is private: src/fuzzing.rs replays its seeds.
        .filter(|name| name != "codec")
        .collect();
    programs.sort();
    assert_eq!(programs, TARGETS.map(|(name, _)| name));
}

/// Seeds of another version of the format would be refused for their form and reach nothing.
#[test]
fn seeds_are_of_this_version() {
    let Some(seeds) = files("seeds/decode") else { return };
    let decoded = seeds.iter().filter(|path| {
        let seed = fs::read(path).expect("a seed");
        Envelope::decode(&seed, &Limits::default()).is_ok()
    });
    assert!(decoded.count() >= 13, "write them again: cargo test -- --ignored write_seeds");
}

/// Envelopes and what else is on the wire or stored, under the name that says what it is.
fn samples() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let world = World::new();
    let mut all: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    let budgets = budgets();
    let envelopes = corpus(&world).into_iter().map(|case| case.bytes);
    let envelopes: Vec<_> =
        envelopes.chain(budgets.envelopes.into_iter().map(|(_, bytes)| bytes)).collect();
    for envelope in &envelopes {
        for element in Forgery::of(envelope).elements {
            let rule = match element.record.get(1) {
                Some(Item::Uint(64)) => "chain",
                Some(Item::Uint(66)) => "key-package-statement",
                Some(Item::Uint(67)) => "lineage",
                Some(Item::Uint(68)) => "ledger-history",
                _ => "body",
            };
            all.entry(rule).or_default().extend(element.body);
            all.entry("record").or_default().push(element.record.encode());
        }
        let forgery = Forgery::of(envelope);
        all.entry("header").or_default().push(forgery.header.encode());
        let payloads = forgery.hops.iter().map(|hop| statement_part(hop, 2).to_vec());
        all.entry("hop").or_default().extend(payloads);
    }
    all.entry("key-package-statement").or_default().push(package(&world.user).as_bytes().to_vec());
    all.entry("lineage").or_default().push(budgets.lineage);
    all.entry("ledger-history").or_default().push(budgets.history);
    all.insert("evidence", vec![budgets.evidence]);
    all.insert("origin-fork", vec![origin_fork()]);
    all.insert("negotiation", messages().iter().map(|message| message.to_bytes()).collect());
    all.insert("envelope", envelopes);
    for samples in all.values_mut() {
        samples.sort_by_key(|sample| (sample.len(), sample.clone()));
        samples.dedup();
    }
    all
}

/// Stored states, each after the byte that selects what reads it in the target.
fn states(samples: &BTreeMap<&'static str, Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let world = World::new();
    let mut states = Vec::new();
    let mut add = |form: u8, state: &[u8]| states.push([&[form], state].concat());
    for reader in [&world.planner, &world.worker, &world.auditor, &world.user] {
        let mut inbox = world.inbox(reader.id());
        for envelope in &samples["envelope"] {
            let _ = inbox.receive(envelope, NOW);
        }
        add(0, &inbox.to_bytes());
        add(1, &inbox.window().to_bytes());
        add(2, &inbox.conversations().to_bytes());
    }
    add(1, &ReplayWindow::new(Default::default()).to_bytes());
    add(2, &Conversations::new(2, 2).to_bytes());
    samples["envelope"].iter().for_each(|envelope| add(3, envelope));
    for state in crate::fuzzing::ledger::stored() {
        assert!(Ledger::resume(&state).is_ok());
        add(4, &state);
    }
    let limits = Amounts::new()
        .with(Dimension::TOOL_CALLS, 10)
        .and_then(|limits| limits.with(Dimension::OUTPUT_TOKENS.advisory(), 1000))
        .expect("limits");
    let mut quota = Quota::new(limits.clone(), Duration::from_secs(60), 8).expect("a quota");
    add(5, &quota.to_bytes());
    for subject in ["alice", "bob"] {
        let principal = agent_envelope::Principal::new("login", subject);
        quota.ask(principal, &limits, NOW).expect("within the quota");
    }
    add(5, &quota.to_bytes());
    samples["negotiation"].iter().for_each(|message| add(6, message));
    states
}

const TEXTS: [&str; 26] = [
    "\0did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw",
    "\0did:key:z6Mkf5rGMoatrSj1f4CyvuHBeXJELe9RPdzo2PKGNCKVtZxP",
    "\0did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",
    "\0did:key:z",
    "\0did:web:example.com",
    "\x01mail/inbox/42",
    "\x01",
    "\x01a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
    "\x01a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q",
    "\x01mail/../keys",
    "\x01mail//inbox",
    "\x01.",
    "\x02\x01\x05\x04read\x04mail\x05\x04send\x03box\x00\x05\x04read\x04mail",
    "\x02\x00\x01\x04read\x00\x01\x04read",
    "\x02\x00\x09\x04read\x04mail\x05inbox\x00\x05\x04read\x04mail",
    "\x03\0\0\0\0\0\0\0\x05",
    "\x03\0\0\0\0\0\x01\0\0",
    "\x03\0\x1f\x7f\x7f\x7f\x7f\x7f\x7f",
    "\x03\0\0\0\0\0\0\0\x40",
    "\x04\x02\x14\x05\x02\x18\x09\x01\x01\x14\x03\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02",
    "\x04\x01\x41\x7f\x02\x01\x41\x01\x02",
    "\x04\x01\x14\x05\x02\x01\x14\x06\x02",
    "\x04\x00\x01\x14\x06\x02",
    "\x05https://login.example",
    "\x05",
    "\x05a\u{85}b",
];

/// SplitMix64: the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// Below `bound`, which is above zero.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("lengths fit 64 bits");
        usize::try_from(self.next() % bound).expect("less than a length")
    }
}

/// A program for the targets that read their input as one.
fn program(number: u64, length: usize) -> Vec<u8> {
    let mut random = Random(number);
    std::iter::repeat_with(|| random.byte()).take(length).collect()
}

/// Changes a seed in a few places, by bits, bytes, cuts, repetitions and parts of another.
fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() + 1);
        let until = bytes.len().min(at + random.below(24));
        match (random.below(6), bytes.get_mut(at)) {
            (0, Some(byte)) => *byte ^= 1 << random.below(8),
            (1, Some(byte)) => *byte = random.byte(),
            (2, _) => bytes.insert(at, random.byte()),
            (3, _) => drop(bytes.drain(at..until)),
            (4, _) => {
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let from = random.below(other.len() + 1);
                let to = other.len().min(from + random.below(64));
                bytes.splice(at..until, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

/// What machines without libFuzzer can do: `AGENT_ENVELOPE_FUZZ` says how many inputs to make up for each target.
#[test]
fn what_is_made_of_seeds_keeps_the_promises() {
    let wanted = std::env::var("AGENT_ENVELOPE_FUZZ").ok();
    let inputs =
        wanted.map_or(200, |wanted| wanted.parse().expect("AGENT_ENVELOPE_FUZZ is a number"));
    let only = std::env::var("AGENT_ENVELOPE_FUZZ_TARGET").ok();
    for (target, run) in TARGETS {
        if only.as_ref().is_some_and(|only| only != target) {
            continue;
        }
        let Some(mut seeds) = files(&format!("seeds/{target}")) else { return };
        seeds.sort();
        let seeds: Vec<_> = seeds.iter().map(|path| fs::read(path).expect("a seed")).collect();
        for number in 0..inputs {
            let mut random = Random(number);
            let [seed, other] = [(); 2].map(|()| &seeds[random.below(seeds.len())]);
            let input = mutated(seed, other, &mut random);
            let kept = std::panic::catch_unwind(|| run(&input));
            assert!(kept.is_ok(), "{target}, input {number}: {}", hex(&input));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the seeds to begin with; what fuzzing finds comes beside them.
#[test]
#[ignore = "it writes into fuzz/seeds"]
fn write_seeds() {
    let samples = samples();
    let rules = [
        "envelope",
        "chain",
        "key-package-statement",
        "negotiation",
        "evidence",
        "origin-fork",
        "lineage",
        "ledger-history",
    ];
    let mut seeds: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    seeds.insert("codec", samples.values().flatten().cloned().collect());
    seeds.insert("decode", samples["envelope"].clone());
    seeds.insert("state", states(&samples));
    seeds.insert("text", TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect());
    for (form, rule) in (0..).zip(rules) {
        for sample in &samples[rule] {
            for asks_cddl in [0, 128] {
                let seed = [&[form | asks_cddl][..], sample].concat();
                seeds.entry("differential").or_default().push(seed);
            }
        }
    }
    for (number, case) in (0..).zip(corpus(&World::new())) {
        for agent in 0..4 {
            // By itself, and after a cache has seen it.
            let form = (agent & 1) * (4 + 8 * number);
            let seed = [&[form, agent, 32][..], &case.bytes].concat();
            seeds.entry("verify").or_default().push(seed);
        }
    }
    for number in 0..40 {
        for (target, length) in [("verify", 48), ("open", 24), ("seal", 160), ("ledger", 120)] {
            let length = length - usize::try_from(number).expect("few") % 16;
            seeds.entry(target).or_default().push(program(number, length));
        }
    }
    seeds.entry("open").or_default().push(Vec::new());
    for (form, rule) in [(6, "ledger-history"), (6, "lineage"), (7, "evidence")] {
        let ledger = seeds.entry("ledger").or_default();
        ledger.extend(samples[rule].iter().map(|sample| [&[form], &sample[..]].concat()));
    }
    for (target, seeds) in seeds {
        let folder = fuzz().join("seeds").join(target);
        fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("made-{number:03}")), seed).expect("a seed");
        }
    }
}
