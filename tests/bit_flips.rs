//! Whatever is done to the bytes of an envelope, a chain or a key package, it is refused.

use crate::support;

use agent_envelope::{
    DelegationChain, Envelope, Error, KeyPackage, Limits, Narrow, Seen, Verifier,
};
use support::{Case, NOW, World, corpus, entropy, observe, package, read};

/// Bytes that are put in: an integer, a null, and the byte that begins nothing.
const INSERTED: [u8; 3] = [0x00, 0xf6, 0xff];

/// Refuses bytes in every way in which a test may accept them.
#[track_caller]
fn assert_refused(case: &Case, verifier: &Verifier, bytes: &[u8], change: &str) {
    let Ok(envelope) = Envelope::decode(bytes, verifier.limits()) else { return };
    let observed = envelope.verify_as_observer(verifier, NOW);
    assert!(observed.is_err(), "{}: an observer accepts {change}", case.name);
    assert!(read(bytes, verifier).is_err(), "{}: a reader accepts {change}", case.name);
}

fn for_each_case(each: impl Fn(&Case, &Verifier)) {
    let world = World::new();
    for case in corpus(&world) {
        let verifier = world.verifier(case.reader);
        read(&case.bytes, &verifier).expect(case.name);
        observe(&case.bytes, &verifier).expect(case.name);
        each(&case, &verifier);
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for_each_case(|case, verifier| {
        let mut bytes = case.bytes.clone();
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_refused(case, verifier, &bytes, &format!("bit {bit} flipped"));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    });
}

#[test]
fn every_truncation_is_refused() {
    for_each_case(|case, verifier| {
        for length in 0..case.bytes.len() {
            let change = format!("a cut at byte {length}");
            assert_refused(case, verifier, &case.bytes[..length], &change);
        }
    });
}

#[test]
fn every_inserted_byte_is_refused() {
    for_each_case(|case, verifier| {
        for at in 0..=case.bytes.len() {
            let mut bytes = case.bytes.clone();
            bytes.insert(at, 0);
            for inserted in INSERTED {
                bytes[at] = inserted;
                assert_refused(case, verifier, &bytes, &format!("{inserted:#x} put in at {at}"));
            }
        }
    });
}

#[test]
fn every_deleted_byte_is_refused() {
    for_each_case(|case, verifier| {
        for at in 0..case.bytes.len() {
            let mut bytes = case.bytes.clone();
            bytes.remove(at);
            assert_refused(case, verifier, &bytes, &format!("byte {at} deleted"));
        }
    });
}

/// Every change above to bytes that stand by themselves.
fn assert_unchangeable(bytes: &[u8], accept: impl Fn(&[u8]) -> Result<(), Error>) {
    accept(bytes).expect("the bytes as they are");
    let refused = |bytes: &[u8], change: &str| assert!(accept(bytes).is_err(), "{change}");
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        refused(&changed, &format!("bit {bit} flipped"));
    }
    for at in 0..bytes.len() {
        refused(&bytes[..at], &format!("a cut at byte {at}"));
        let mut changed = bytes.to_vec();
        changed.remove(at);
        refused(&changed, &format!("byte {at} deleted"));
        for inserted in INSERTED {
            let mut changed = bytes.to_vec();
            changed.insert(at, inserted);
            refused(&changed, &format!("{inserted:#x} put in at {at}"));
        }
    }
}

#[test]
fn every_change_to_a_chain_by_itself_is_refused() {
    let world = World::new();
    let chain = world
        .chain(world.user.id(), 300)
        .extend(
            world.user.signing_key(),
            world.planner.id(),
            Narrow::default().name("planner"),
            NOW,
            entropy(301),
        )
        .expect("a link");
    let limits = Limits::default();
    assert_unchangeable(chain.as_bytes(), |bytes| {
        DelegationChain::verify(bytes, &limits).map(|_| ())
    });
}

#[test]
fn every_change_to_a_key_package_by_itself_is_refused() {
    let limits = Limits::default();
    assert_unchangeable(package(&World::new().user).as_bytes(), |bytes| {
        KeyPackage::verify(bytes, NOW, &limits).map(|_| ())
    });
}

/// The one change that needs no signature: what a hop lists as absent comes and goes.
#[test]
fn a_listed_body_comes_and_goes_without_a_signature() {
    let world = World::new();
    let cases = corpus(&world);
    let mut listed = 0;
    for case in &cases {
        let verifier = world.verifier(case.reader);
        let verified = read(&case.bytes, &verifier).expect(case.name);
        for seen in verified.elements() {
            let (Seen::Clear(provenance, _) | Seen::Sealed(provenance, _)) = seen else { continue };
            let index = provenance.index();
            if provenance.listed_absent_by().is_none() {
                assert!(verified.detached(&[index]).is_err(), "{}: element {index}", case.name);
                continue;
            }
            listed += 1;
            let body = verified.body(index).expect("it is there");
            let without = verified.detached(&[index]).expect("it is listed");
            let again = read(&without, &verifier).expect("it may be absent");
            assert_eq!(again.tip(), verified.tip());
            assert_eq!(again.attached(index, body).expect("its own body"), case.bytes);
        }
    }
    assert_eq!(listed, 1, "the corpus has one body that is listed and present");
}

/// The corpus is worth its name only as long as it uses every part of the format.
#[test]
fn the_corpus_uses_every_part_of_the_format() {
    let world = World::new();
    let mut seen = std::collections::BTreeSet::new();
    for case in corpus(&world) {
        let verifier = world.verifier(case.reader);
        let verified = read(&case.bytes, &verifier).expect(case.name);
        let header = verified.header();
        let mut note = |what, is: bool| {
            if is {
                seen.insert(what);
            }
        };
        let mut inbox = world.inbox(case.reader);
        let admitted = inbox.receive(&case.bytes, NOW).expect(case.name);
        note("split allotment", admitted.allotments().count() == 2);
        note("report", admitted.reports().count() == 1);
        note("no element", verified.elements().next().is_none());
        note("base", header.base().is_some());
        note("in-reply-to", header.in_reply_to().is_some());
        note("tip answered", header.in_reply_to().is_some_and(|reply| reply.tip().is_some()));
        note("terms", header.terms().is_some());
        note("labels", header.labels().len() > 1);
        note("via", header.via().len() > 1);
        note("key package", verified.key_package().is_some());
        note("several recipients", header.to().len() > 2);
        note("three hops", verified.hops().len() == 3);
        note("two trusted chains", verified.authorities().count() == 2);
        for authority in verified.authorities() {
            note("three links", authority.path().len() == 3);
            note("audience name", authority.audience().is_some());
            note("one conversation", authority.conversation().is_some());
            note("budget", authority.ceiling().is_some());
            note("named holder", authority.path().iter().any(|step| step.name().is_some()));
        }
        for element in verified.elements() {
            let provenance = match element {
                Seen::Clear(provenance, _) => {
                    note("clear", true);
                    note("listed and there", provenance.listed_absent_by().is_some());
                    provenance
                }
                Seen::Sealed(provenance, _) => {
                    note("sealed", true);
                    note("sealed by a later hop", provenance.hop() > 0);
                    provenance
                }
                Seen::Absent(provenance) => {
                    note("absent", true);
                    note("absent and sealed", provenance.is_sealed());
                    provenance
                }
            };
            note("added by a hop", provenance.hop() > 0);
            note("references", provenance.refs().count() > 1);
            note("private kind", provenance.kind().number() > 65_535);
        }
    }
    let expected = [
        "split allotment",
        "report",
        "no element",
        "base",
        "in-reply-to",
        "tip answered",
        "terms",
        "labels",
        "via",
        "key package",
        "several recipients",
        "three hops",
        "two trusted chains",
        "three links",
        "audience name",
        "one conversation",
        "budget",
        "named holder",
        "clear",
        "listed and there",
        "sealed",
        "sealed by a later hop",
        "absent",
        "absent and sealed",
        "added by a hop",
        "references",
        "private kind",
    ];
    let missing: Vec<_> = expected.iter().filter(|what| !seen.contains(*what)).collect();
    assert!(missing.is_empty(), "the corpus lacks {missing:?}");
}
