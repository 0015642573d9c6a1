//! Whatever is sent arrives as it was sent, in its order, by whom it was sent, and is acted on once.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_envelope::{
    Admitted, Draft, Envelope, Error, Identity, Inbox, Item, KeyPackage, Kind, Narrow, NewElement,
    Resource, Sent, Standing,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{NOW, World, entropy, later, observe, package, read};

// --- round trips ---

/// An element, before anybody is asked to seal it.
#[derive(Clone, Debug)]
struct Written {
    kind: Kind,
    content_type: String,
    content: Vec<u8>,
    /// Which of planner, worker and auditor may read it; none of them for everybody.
    readers: [bool; 3],
    elidable: bool,
    detachable: bool,
}

impl Written {
    fn element<'d>(&'d self, packages: &'d [KeyPackage; 3]) -> NewElement<'d> {
        let (content_type, content) = (&self.content_type[..], &self.content[..]);
        let readers = packages.iter().zip(self.readers).filter(|(_, reads)| *reads);
        let element = if self.is_sealed() {
            let readers = readers.map(|(package, _)| package);
            NewElement::sealed(self.kind, content_type, content, readers)
        } else {
            NewElement::clear(self.kind, content_type, content)
        };
        match (self.elidable, self.detachable) {
            (_, true) => element.detachable(),
            (true, false) => element.elidable(),
            (false, false) => element,
        }
    }

    fn is_sealed(&self) -> bool {
        self.readers.contains(&true)
    }

    /// Compares an element as it arrived with one as it was written.
    fn assert_is(&self, item: &Item<'_>, author: &Identity, reader: &Identity, reads: bool) {
        let provenance = item.provenance();
        assert_eq!(provenance.kind(), self.kind);
        assert_eq!(provenance.author(), author.id());
        assert_eq!(provenance.is_sealed(), self.is_sealed());
        assert_eq!(provenance.is_elidable(), self.elidable || self.detachable);
        let listed = self.detachable.then(|| provenance.hop());
        assert_eq!(provenance.listed_absent_by(), listed);
        let plain = match item {
            Item::Absent(_) => panic!("nobody took a body away"),
            Item::Present(present) => {
                assert!(!self.is_sealed());
                present.clone().plaintext()
            }
            Item::Sealed(sealed) => match sealed.open(reader) {
                Ok(plain) => {
                    assert!(reads);
                    plain
                }
                Err(error) => {
                    assert!(!reads, "{error}");
                    assert_eq!(error, Error::CannotOpen { element: provenance.index() });
                    return;
                }
            },
        };
        assert_eq!(plain.content_type(), self.content_type);
        assert_eq!(plain.content(), self.content);
    }
}

fn kind(originator: bool) -> impl Strategy<Value = Kind> {
    let anybodys = [
        Kind::Assistant,
        Kind::ToolCall,
        Kind::ToolResult,
        Kind::Reasoning,
        Kind::Artifact,
        Kind::Memory,
        Kind::Summary,
        Kind::Private(65_536),
        Kind::Private((1 << 53) - 1),
    ];
    let mut kinds = anybodys.to_vec();
    if originator {
        kinds.extend([Kind::User, Kind::System]);
    }
    prop::sample::select(kinds)
}

fn written(originator: bool) -> impl Strategy<Value = Written> {
    (
        kind(originator),
        "[a-z/+.]{0,20}|\\PC{0,20}",
        prop::collection::vec(any::<u8>(), 0..300),
        any::<[bool; 3]>(),
        any::<bool>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(kind, content_type, content, readers, elidable, detachable)| Written {
            kind,
            content_type,
            content,
            readers,
            elidable,
            detachable,
        })
}

/// What nobody signs again is written again as it was.
fn assert_rewritten(bytes: &[u8], world: &World, reader: &Identity) {
    let verifier = world.verifier(reader.id());
    let verified = read(bytes, &verifier).expect("addressed to this reader");
    assert_eq!(verified.as_bytes(), bytes);
    assert_eq!(verified.detached(&[]).as_deref(), Ok(bytes));
    assert!(observe(bytes, &verifier).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sent_arrives(
        first in prop::collection::vec(written(true), 0..8),
        second in prop::collection::vec(written(false), 0..5),
        labels in prop::collection::btree_map("\\PC{1,16}", "\\PC{0,60}", 0..5),
        lifetime in 10..86_400_u64,
    ) {
        let world = World::new();
        let agents = [&world.planner, &world.worker, &world.auditor];
        let packages = agents.map(package);
        let mut draft = Draft::new(&world.user)
            .to(agents.map(Identity::id))
            .expires_in(Duration::from_secs(lifetime));
        for (key, value) in &labels {
            draft = draft.label(key, value);
        }
        let draft = first.iter().fold(draft, |draft, one| draft.element(one.element(&packages)));
        let sent = draft.sign(NOW, entropy(1)).expect("nothing is wrong with it");
        let stored = Sent::from_bytes(sent.as_bytes().to_vec());
        prop_assert_eq!(stored.as_ref(), Ok(&sent));

        for (position, reader) in agents.into_iter().enumerate() {
            assert_rewritten(sent.as_bytes(), &world, reader);
            let mut inbox = world.inbox(reader.id());
            let admitted = inbox.receive(sent.as_bytes(), NOW).expect("all are recipients");
            let header = admitted.verified().header();
            let found: BTreeMap<_, _> = header.labels().iter().collect();
            let expected: BTreeMap<_, _> =
                labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(header.created(), NOW);
            prop_assert_eq!(header.expires(), later(lifetime));
            prop_assert_eq!(admitted.elements().count(), first.len());
            for (item, written) in admitted.elements().zip(&first) {
                written.assert_is(&item, &world.user, reader, written.readers[position]);
            }
        }

        let mut inbox = world.inbox(world.planner.id());
        let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
        let onward = admitted.onward(&world.planner).next(world.worker.id());
        let onward = second.iter().fold(onward, |onward, one| onward.element(one.element(&packages)));
        let bytes = onward.sign(later(1), entropy(2)).expect("nothing is wrong with it");
        assert_rewritten(&bytes, &world, &world.worker);
        let mut inbox = world.inbox(world.worker.id());
        let admitted = inbox.receive(&bytes, later(1)).expect("the worker is next");
        let all = first.iter().map(|one| (one, &world.user));
        let all: Vec<_> = all.chain(second.iter().map(|one| (one, &world.planner))).collect();
        prop_assert_eq!(admitted.elements().count(), all.len());
        for (item, (written, author)) in admitted.elements().zip(all) {
            written.assert_is(&item, author, &world.worker, written.readers[1]);
        }
    }

    /// Bytes that nobody made are refused, and so is whatever is put into the place of some that somebody made.
    #[test]
    fn other_bytes_are_refused(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<Index>(),
        length in 0..40_usize,
    ) {
        let world = World::new();
        let verifier = world.verifier(world.worker.id());
        prop_assert!(Envelope::decode(&noise, verifier.limits()).is_err());
        let sent = Draft::new(&world.user)
            .to(world.worker.id())
            .clear(Kind::User, "text/plain", &b"hello"[..])
            .sign(NOW, entropy(1))
            .expect("a draft");
        let mut bytes = sent.as_bytes().to_vec();
        let begin = at.index(bytes.len());
        let end = bytes.len().min(begin + length);
        if bytes[begin..end] != noise {
            bytes.splice(begin..end, noise);
            prop_assert!(observe(&bytes, &verifier).is_err());
        }
    }
}

// --- once ---

/// One envelope on all the ways on which it can come to the auditor.
fn ways(world: &World) -> Vec<Vec<u8>> {
    let chain = world.chain(world.user.id(), 10);
    let handed_to = |agent: &Identity, number| {
        chain
            .extend(world.user.signing_key(), agent.id(), Narrow::default(), NOW, entropy(number))
            .expect("a link")
    };
    let (planners, workers) = (handed_to(&world.planner, 11), handed_to(&world.worker, 12));
    let everybody = [world.planner.id(), world.worker.id(), world.auditor.id()];
    let sent = Draft::new(&world.user)
        .to(everybody)
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"do it"[..])
        .clear(Kind::Memory, "text/plain", &b"as always"[..])
        .sign(NOW, entropy(13))
        .expect("a draft");
    let mut ways = vec![sent.as_bytes().to_vec()];
    let mut number = 100;
    // Each of the two adds to what came, in every order, twice with something else and once with nothing.
    for steps in [&["p"][..], &["w"], &["p", "w"], &["w", "p"], &["p", "w", "p"], &["w", "p", "w"]]
    {
        for additions in 0..3 {
            let mut bytes = sent.as_bytes().to_vec();
            for (index, step) in steps.iter().enumerate() {
                let (agent, chain) = match *step {
                    "p" => (&world.planner, &planners),
                    _ => (&world.worker, &workers),
                };
                let mut inbox = world.inbox(agent.id());
                let admitted = inbox.receive(&bytes, NOW).expect("addressed to it");
                let others = everybody.into_iter().filter(|other| *other != agent.id());
                let mut onward = admitted.onward(agent).next(others.collect::<Vec<_>>());
                // The first step of all ways is the same, so that they part later.
                let adds = if index == 0 { 1 } else { additions };
                if adds > 0 {
                    onward = onward.authority(chain);
                }
                for _ in 0..adds {
                    onward = onward.clear(Kind::ToolCall, "text/plain", step.as_bytes().to_vec());
                }
                number += 1;
                let entropy = entropy(if index == 0 { 50 } else { number });
                bytes = onward.sign(NOW, entropy).expect("nothing is wrong with it");
            }
            if !ways.contains(&bytes) {
                ways.push(bytes);
            }
        }
    }
    ways
}

/// Acts on all that may be acted on, and says what that was.
fn act(admitted: &Admitted<'_>) -> Vec<agent_envelope::ElementId> {
    let mut acted = Vec::new();
    for item in admitted.elements() {
        let Item::Present(present) = item else { panic!("all are clear") };
        match present.authorize("summarise", &Resource::everything()) {
            Ok(_) => acted.push(present.provenance().id()),
            Err(error) => {
                let element = present.provenance().index();
                assert_eq!(error, Error::AlreadyActedOn { element });
            }
        }
    }
    acted
}

#[test]
fn an_element_is_acted_on_once_on_whatever_ways_it_comes() {
    let world = World::new();
    let ways = ways(&world);
    assert!(ways.len() >= 12, "{} ways", ways.len());
    let mut everything = BTreeSet::new();
    for bytes in &ways {
        let mut inbox = world.inbox(world.auditor.id());
        everything.extend(act(&inbox.receive(bytes, NOW).expect("on this way alone")));
    }
    let arrivals = prop::collection::vec((any::<Index>(), prop::bool::weighted(0.2)), 1..24);
    proptest!(ProptestConfig::with_cases(128), |(arrivals in arrivals)| {
        let mut inbox = world.inbox(world.auditor.id());
        let (mut acted, mut came) = (BTreeSet::new(), BTreeSet::new());
        for (index, restart) in arrivals {
            let way = index.index(ways.len());
            match inbox.receive(&ways[way], NOW) {
                Ok(admitted) => {
                    prop_assert!(came.insert(way));
                    prop_assert_eq!(admitted.standing(), Some(Standing::Continues));
                    let new = act(&admitted);
                    prop_assert!(new.iter().all(|id| acted.insert(*id)), "acted on twice");
                    // Nothing is lost either: what is on this way has been acted on by now.
                    let all = admitted.elements().map(|item| item.provenance().id());
                    prop_assert!(all.into_iter().all(|id| acted.contains(&id)));
                }
                Err(error) => {
                    prop_assert!(matches!(error, Error::Replayed { .. }), "{}", error);
                    prop_assert!(came.contains(&way));
                }
            }
            if restart {
                let verifier = world.verifier(world.auditor.id());
                inbox = Inbox::restore(verifier, &inbox.to_bytes()).expect("its own state");
            }
        }
        prop_assert!(acted.is_subset(&everything));
    });
}

// --- state ---

/// A damaged state is refused, or it is one that might have been written.
#[test]
fn a_damaged_inbox_is_refused_or_reads_as_another() {
    let world = World::new();
    let mut inbox = world.inbox(world.worker.id());
    for number in 0..2 {
        let sent = Draft::new(&world.user)
            .to(world.worker.id())
            .sign(later(number), entropy(number + 1))
            .expect("a draft");
        inbox.receive(sent.as_bytes(), later(number)).expect("addressed to the worker");
    }
    let bytes = inbox.to_bytes();
    let restore = |bytes: &[u8]| {
        Inbox::restore(world.verifier(world.worker.id()), bytes).map(|inbox| inbox.to_bytes())
    };
    assert_eq!(restore(&bytes).as_ref(), Ok(&bytes));
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = restore(&damaged) {
            assert_eq!(read, damaged, "bit {bit}");
        }
    }
    for at in 0..bytes.len() {
        assert!(restore(&bytes[..at]).is_err(), "cut at {at}");
    }
}
