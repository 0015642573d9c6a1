use alloc::collections::BTreeSet;
use alloc::vec;
use core::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn clock(now: u64) -> Clock {
    Clock::exact(at(now))
}

fn capacity(envelopes: usize, principals: usize) -> ReplayCapacity {
    ReplayCapacity { envelopes, principals }
}

fn principal(number: u8) -> Digest {
    Digest([number; 32])
}

fn hop(envelope: u8, number: u8) -> HopId {
    let mut id = [envelope; 32];
    id[1] = number;
    HopId(id)
}

/// Hops of envelope 1, each with how many elements there are after it.
fn hops<const N: usize>(hops: [(u8, usize); N]) -> [(HopId, usize); N] {
    hops.map(|(number, count)| (hop(1, number), count))
}

fn path(envelope: u8, created: u64, hops: &[(HopId, usize)]) -> Path<'_> {
    let (created, expires) = (at(created), at(created + 100));
    Path { envelope: HeaderDigest([envelope; 32]), created, expires, hops }
}

/// Admits envelope `number` of principal 1 on its first hop.
fn admit_one(
    window: &mut ReplayWindow,
    number: u8,
    created: u64,
    now: u64,
) -> Result<Admission, Error> {
    let hops = [(hop(number, 0), 2)];
    window.admit(&path(number, created, &hops), &principal(1), &[], &clock(now))
}

// --- one envelope on its paths ---

#[test]
fn a_path_is_admitted_once() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    assert_eq!(admit_one(&mut window, 1, 0, 0), Ok(Admission::New));
    let envelope = HeaderDigest([1; 32]);
    assert_eq!(admit_one(&mut window, 1, 0, 1), Err(Error::Replayed { envelope }));
}

#[test]
fn a_longer_path_continues_after_what_was_admitted() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    let mut admit =
        |hops: &[(HopId, usize)]| window.admit(&path(1, 0, hops), &principal(1), &[], &clock(0));
    let longest = hops([(0, 2), (1, 3), (2, 3), (3, 5)]);
    assert_eq!(admit(&longest[..1]), Ok(Admission::New));
    assert_eq!(admit(&longest[..3]), Ok(Admission::Continued { after: 2 }));
    assert_eq!(admit(&longest), Ok(Admission::Continued { after: 3 }));
}

#[test]
fn a_path_that_parts_authorizes_only_what_follows_the_fork() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    let mut admit =
        |hops: &[(HopId, usize)]| window.admit(&path(1, 0, hops), &principal(1), &[], &clock(0));
    assert_eq!(admit(&hops([(0, 2), (1, 3), (2, 4)])), Ok(Admission::New));
    assert_eq!(admit(&hops([(0, 2), (1, 3), (7, 6)])), Ok(Admission::OtherPath { after: 3 }));
    assert_eq!(admit(&hops([(0, 2), (8, 6)])), Ok(Admission::OtherPath { after: 2 }));
    // A cut path ends where another one passed: nothing of it is new.
    assert_eq!(admit(&hops([(0, 2), (1, 3)])), Ok(Admission::OtherPath { after: 3 }));
}

/// The originator may have signed hop 0 twice over one header; its elements authorize once all the same.
#[test]
fn the_elements_of_a_second_hop_0_authorize_nothing() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    let mut admit =
        |hops: &[(HopId, usize)]| window.admit(&path(1, 0, hops), &principal(1), &[], &clock(0));
    assert_eq!(admit(&hops([(0, 2), (1, 3)])), Ok(Admission::New));
    assert_eq!(admit(&hops([(9, 5), (10, 6)])), Ok(Admission::Forked { after: 5 }));
}

#[test]
fn the_hops_of_an_envelope_are_limited() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    // 63 paths of one hop beyond hop 0, and hop 0 itself, are 64 hops.
    for number in 1..=63 {
        let hops = hops([(0, 2), (number, 3)]);
        window.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)).expect("there is room");
    }
    let before = window.clone();
    let hops = hops([(0, 2), (64, 3)]);
    let full = Error::ReplayWindowFull { what: "hops of this envelope", capacity: 64 };
    assert_eq!(window.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)), Err(full));
    assert_eq!(window, before);
}

#[test]
fn a_merge_remembers_no_more_hops_of_an_envelope_than_its_state_may_hold() {
    let all_paths = |numbers: core::ops::RangeInclusive<u8>| {
        let mut window = ReplayWindow::new(capacity(4, 4));
        for number in numbers {
            let hops = hops([(0, 2), (number, 3)]);
            window.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)).expect("there is room");
        }
        window
    };
    let mut window = all_paths(1..=63);
    window.merge(&all_paths(64..=126)).expect("there is room for the principal");
    assert_eq!(ReplayWindow::from_bytes(&window.to_bytes()), Ok(window.clone()));
    // What did not fit is not admitted on that account.
    let hops = hops([(0, 2), (64, 3)]);
    let full = Error::ReplayWindowFull { what: "hops of this envelope", capacity: 64 };
    assert_eq!(window.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)), Err(full));
}

#[test]
fn of_one_envelope_64_allotments_are_handed_out_once_each() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    assert_eq!(admit_one(&mut window, 1, 0, 0), Ok(Admission::New));
    let envelope = HeaderDigest([1; 32]);
    for number in 0..64 {
        assert!(window.hand_out(&envelope, AllotmentId([number; 32])));
        assert!(!window.hand_out(&envelope, AllotmentId([number; 32])));
    }
    assert!(!window.hand_out(&envelope, AllotmentId([64; 32])));
    assert!(!window.handed_out(&envelope, &AllotmentId([64; 32])));
}

// --- time ---

#[test]
fn a_clock_that_steps_back_re_admits_nothing() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    assert_eq!(admit_one(&mut window, 1, 0, 50), Ok(Admission::New));
    assert_eq!(admit_one(&mut window, 2, 90, 100), Ok(Admission::New));
    assert_eq!(window.len(), 1, "envelope 1 has expired and is forgotten");
    let expired = Error::Expired { expires: at(100), now: at(100) };
    assert_eq!(admit_one(&mut window, 1, 0, 50), Err(expired));
}

#[test]
fn skew_is_left_to_what_expires() {
    let mut window = ReplayWindow::new(capacity(4, 4));
    assert_eq!(admit_one(&mut window, 1, 0, 0), Ok(Admission::New));
    let hops = [(hop(2, 0), 2)];
    let skewed = Clock::new(at(129), Duration::from_secs(30));
    window.admit(&path(2, 90, &hops), &principal(1), &[], &skewed).expect("there is room");
    assert_eq!(window.len(), 2, "at 99 on the slowest clock, envelope 1 is not over");
}

// --- room ---

#[test]
fn a_full_principal_forgets_its_oldest_and_refuses_what_is_as_old() {
    let mut window = ReplayWindow::new(capacity(2, 4));
    for (number, created) in [(1, 10), (2, 20), (3, 30)] {
        assert_eq!(admit_one(&mut window, number, created, 30), Ok(Admission::New));
    }
    assert_eq!(window.len(), 2);
    for (number, created) in [(1, 10), (4, 10), (5, 3)] {
        let refused = Error::BelowReplayFloor { created: at(created), floor: at(10) };
        assert_eq!(admit_one(&mut window, number, created, 30), Err(refused));
    }
    assert_eq!(admit_one(&mut window, 6, 21, 30), Ok(Admission::New));
}

#[test]
fn a_floor_falls_when_all_below_it_has_expired() {
    let mut window = ReplayWindow::new(capacity(1, 1));
    assert_eq!(admit_one(&mut window, 1, 10, 10), Ok(Admission::New));
    assert_eq!(admit_one(&mut window, 2, 11, 11), Ok(Admission::New));
    assert!(window.principals[&principal(1)].floor.is_some());
    assert_eq!(admit_one(&mut window, 3, 120, 120), Ok(Admission::New));
    assert_eq!(window.principals[&principal(1)].floor, None);
}

/// What was forgotten is refused for that, whatever else is wrong with its path.
#[test]
fn the_floor_comes_before_the_room() {
    let mut window = ReplayWindow::new(capacity(1, 1));
    assert_eq!(admit_one(&mut window, 1, 10, 10), Ok(Admission::New));
    assert_eq!(admit_one(&mut window, 2, 20, 20), Ok(Admission::New));
    let mut hops = [(hop(3, 0), 2); HOPS + 1];
    for (number, (id, _)) in (0..).zip(&mut hops) {
        *id = hop(3, number);
    }
    let mut admit =
        |created| window.admit(&path(3, created, &hops), &principal(1), &[], &clock(20));
    let refused = Error::BelowReplayFloor { created: at(10), floor: at(10) };
    assert_eq!(admit(10), Err(refused));
    let full = Error::ReplayWindowFull { what: "hops of this envelope", capacity: HOPS };
    assert_eq!(admit(11), Err(full));
}

/// The second envelope outlives the floor that the first one left.
#[test]
fn a_floor_whose_envelopes_have_all_expired_refuses_nothing() {
    let mut window = ReplayWindow::new(capacity(1, 1));
    assert_eq!(admit_one(&mut window, 1, 10, 10), Ok(Admission::New));
    assert_eq!(admit_one(&mut window, 2, 30, 30), Ok(Admission::New));
    let hops = [(hop(3, 0), 2)];
    let mut admit = |now| {
        let long = Path { expires: at(200), ..path(3, 5, &hops) };
        window.admit(&long, &principal(1), &[], &clock(now))
    };
    let refused = Error::BelowReplayFloor { created: at(5), floor: at(10) };
    assert_eq!(admit(109), Err(refused));
    // At 110 envelope 1 is over, and so is the floor; envelope 2 still fills the room, and is younger.
    let full = Error::ReplayWindowFull { what: "envelopes of this principal", capacity: 1 };
    assert_eq!(admit(110), Err(full));
    assert_eq!(admit(130), Ok(Admission::New));
}

#[test]
fn what_was_made_in_the_same_second_as_the_oldest_finds_no_room() {
    let mut window = ReplayWindow::new(capacity(2, 4));
    for number in [1, 2] {
        assert_eq!(admit_one(&mut window, number, 10, 10), Ok(Admission::New));
    }
    let before = window.clone();
    let full = Error::ReplayWindowFull { what: "envelopes of this principal", capacity: 2 };
    assert_eq!(admit_one(&mut window, 3, 10, 10), Err(full));
    assert_eq!(window, before);
}

#[test]
fn a_window_without_room_admits_nothing() {
    let full = |what| Err(Error::ReplayWindowFull { what, capacity: 0 });
    let mut window = ReplayWindow::new(capacity(4, 0));
    assert_eq!(admit_one(&mut window, 1, 0, 0), full("principals"));
    let mut window = ReplayWindow::new(capacity(0, 4));
    assert_eq!(admit_one(&mut window, 1, 0, 0), full("envelopes of this principal"));
    assert!(window.is_empty());
}

#[test]
fn a_principal_too_many_waits_until_another_is_gone() {
    let mut window = ReplayWindow::new(capacity(4, 1));
    assert_eq!(admit_one(&mut window, 1, 0, 0), Ok(Admission::New));
    let hops = [(hop(2, 0), 2)];
    let mut second = |now| {
        let path = path(2, 90, &hops);
        window.admit(&path, &principal(2), &[], &clock(now))
    };
    let full = Error::ReplayWindowFull { what: "principals", capacity: 1 };
    assert_eq!(second(90), Err(full));
    assert_eq!(second(100), Ok(Admission::New));
}

#[test]
fn a_merge_without_room_changes_nothing() {
    let mut one = ReplayWindow::new(capacity(4, 1));
    let mut two = ReplayWindow::new(capacity(4, 1));
    let hops = [(hop(1, 0), 2)];
    one.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)).expect("there is room");
    two.admit(&path(1, 0, &hops), &principal(1), &[], &clock(0)).expect("there is room");
    one.merge(&two).expect("the same envelope takes no more room");
    assert_eq!(one, two);

    let other = [(hop(2, 0), 2)];
    let mut three = ReplayWindow::new(capacity(4, 1));
    three.admit(&path(2, 0, &other), &principal(2), &[], &clock(0)).expect("there is room");
    let full = Error::ReplayWindowFull { what: "principals", capacity: 1 };
    assert_eq!(one.merge(&three), Err(full));
    assert_eq!(one, two);
}

/// A replica that has forgotten an envelope may have acted on paths that the other never saw.
#[test]
fn what_either_replica_has_forgotten_is_refused_after_a_merge() {
    let [shorter, longer] = [&hops([(0, 2)])[..], &hops([(0, 2), (1, 3)])];
    let mut forgetful = ReplayWindow::new(capacity(1, 1));
    forgetful.admit(&path(1, 0, longer), &principal(1), &[], &clock(0)).expect("there is room");
    assert_eq!(admit_one(&mut forgetful, 2, 10, 10), Ok(Admission::New));
    let mut mindful = ReplayWindow::new(capacity(1, 1));
    mindful.admit(&path(1, 0, shorter), &principal(1), &[], &clock(0)).expect("there is room");

    let mut one = forgetful.clone();
    one.merge(&mindful).expect("there is room");
    let mut two = mindful.clone();
    two.merge(&forgetful).expect("there is room");
    assert_eq!(one, two);
    let refused = Error::BelowReplayFloor { created: at(0), floor: at(0) };
    assert_eq!(one.admit(&path(1, 0, longer), &principal(1), &[], &clock(10)), Err(refused));
}

#[test]
fn a_merge_keeps_what_neither_replica_can_have_forgotten() {
    let mut forgetful = ReplayWindow::new(capacity(2, 1));
    for (number, created) in [(1, 0), (2, 10), (3, 20)] {
        assert_eq!(admit_one(&mut forgetful, number, created, 20), Ok(Admission::New));
    }
    // Older than the floor, but it ends after all that is below it.
    let mut mindful = ReplayWindow::new(capacity(2, 1));
    let hops = [(hop(4, 0), 2)];
    let long = Path { expires: at(150), ..path(4, 0, &hops) };
    mindful.admit(&long, &principal(1), &[], &clock(0)).expect("there is room");
    // All that the other still knows is left out, so that its floor alone is taken over.
    mindful.merge(&ReplayWindow { envelopes: BTreeMap::new(), ..forgetful.clone() }).expect("room");
    assert_eq!(mindful.seen(&long), Err(Error::Replayed { envelope: long.envelope }));
    // As old as the floor, and known to both.
    assert_eq!(admit_one(&mut mindful, 2, 10, 20), Ok(Admission::New));
    forgetful.merge(&mindful).expect("there is room");
    let envelope = HeaderDigest([2; 32]);
    let hops = [(hop(2, 0), 2)];
    assert_eq!(forgetful.seen(&path(2, 10, &hops)), Err(Error::Replayed { envelope }));
}

#[test]
fn what_has_expired_takes_no_room_in_a_merge() {
    let mut one = ReplayWindow::new(capacity(4, 1));
    assert_eq!(admit_one(&mut one, 1, 0, 0), Ok(Admission::New));
    let mut two = ReplayWindow::new(capacity(4, 1));
    let hops = [(hop(2, 0), 2)];
    two.admit(&path(2, 90, &hops), &principal(2), &[], &clock(100)).expect("there is room");
    one.merge(&two).expect("by then, the first principal is gone");
    assert_eq!(one, two);
}

// --- any order of things ---

/// An envelope with all the hops that anybody ever adds to it: a tree, whose root is hop 0.
#[derive(Clone, Debug)]
struct Tree {
    principal: u8,
    created: u64,
    expires: u64,
    /// Each hop's parent, and how many elements it adds.
    nodes: Vec<(usize, usize)>,
}

impl Tree {
    /// Returns the hops from the root to `node`.
    fn line(&self, node: usize) -> Vec<usize> {
        let mut line = vec![node];
        while let Some(last) = line.last().copied().filter(|last| *last > 0) {
            line.push(self.nodes[last].0);
        }
        line.reverse();
        line
    }

    /// Names the elements on the way to `node`: by envelope, the hop that added them, and their number there.
    fn elements(&self, envelope: usize, node: usize) -> Vec<(usize, usize, usize)> {
        let of = |hop: usize| (0..self.nodes[hop].1).map(move |number| (envelope, hop, number));
        self.line(node).into_iter().flat_map(of).collect()
    }

    /// Returns what a window sees of the way to `node`.
    fn hops(&self, envelope: u8, node: usize) -> Vec<(HopId, usize)> {
        let mut count = 0;
        let step = |hop: usize| {
            count += self.nodes[hop].1;
            (super::tests::hop(envelope, u8::try_from(hop).expect("few hops")), count)
        };
        self.line(node).into_iter().map(step).collect()
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let node = (any::<Index>(), 0..3_usize);
    (0..3_u8, 0..50_u64, 1..40_u64, 0..3_usize, prop::collection::vec(node, 0..7)).prop_map(
        |(principal, created, lifetime, first, rest)| {
            let mut nodes = vec![(0, first)];
            for (parent, added) in rest {
                nodes.push((parent.index(nodes.len()), added));
            }
            Tree { principal, created, expires: created + lifetime, nodes }
        },
    )
}

#[derive(Clone, Debug)]
enum Event {
    /// The envelope arrives at a replica on the way to one of its hops.
    Arrives { replica: Index, tree: Index, node: Index, now: u64 },
    /// The replica is stopped, and goes on from what it wrote.
    Restarts { replica: Index },
    /// The one replica takes over what the other admitted.
    Merges { into: Index, from: Index },
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<Index>;
    prop_oneof![
        12 => (index(), index(), index(), 0..90_u64)
            .prop_map(|(replica, tree, node, now)| Event::Arrives { replica, tree, node, now }),
        1 => index().prop_map(|replica| Event::Restarts { replica }),
        2 => (index(), index()).prop_map(|(into, from)| Event::Merges { into, from }),
    ]
}

/// A replica, and all that it or a replica it merged has ever acted on.
#[derive(Clone)]
struct Replica {
    window: ReplayWindow,
    elements: BTreeSet<(usize, usize, usize)>,
    /// Envelope and last hop of what was admitted.
    paths: BTreeSet<(usize, usize)>,
}

impl Replica {
    fn receive(&mut self, index: usize, tree: &Tree, node: usize, now: u64) {
        let clock = clock(now);
        if clock.is_before(at(tree.created)) || clock.is_past(at(tree.expires)) {
            // Verification would have refused it.
            return;
        }
        let envelope = u8::try_from(index).expect("few envelopes");
        let hops = tree.hops(envelope, node);
        let path = Path {
            envelope: HeaderDigest([envelope; 32]),
            created: at(tree.created),
            expires: at(tree.expires),
            hops: &hops,
        };
        let before = self.window.clone();
        let elements = tree.elements(index, node);
        let done = elements.iter().filter(|element| self.elements.contains(element)).count();
        match self.window.admit(&path, &principal(tree.principal), &[], &clock) {
            Ok(admission) => {
                // Exactly what was not acted on yet may be acted on now.
                assert_eq!(admission.after(), done);
                assert!(elements[done..].iter().all(|element| !self.elements.contains(element)));
                let line = tree.line(node);
                let earlier = &line[..line.len() - 1];
                let continued = earlier.iter().any(|hop| self.paths.contains(&(index, *hop)));
                assert_eq!(matches!(admission, Admission::Continued { .. }), continued);
                assert!(self.paths.insert((index, node)), "admitted twice");
                self.elements.extend(elements);
            }
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        Error::Replayed { .. }
                            | Error::Expired { .. }
                            | Error::BelowReplayFloor { .. }
                            | Error::ReplayWindowFull { .. }
                    ),
                    "{error}"
                );
                if matches!(error, Error::Replayed { .. }) {
                    assert!(self.paths.contains(&(index, node)));
                }
                assert_same_but_expired(before, &self.window);
            }
        }
    }
}

/// Compares windows but for what has expired in either.
fn assert_same_but_expired(mut before: ReplayWindow, after: &ReplayWindow) {
    let mut after = after.clone();
    before.past = after.past;
    before.forget_expired();
    after.forget_expired();
    assert_eq!(before, after);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_ever_acted_on_twice(
        trees in prop::collection::vec(tree(), 1..7),
        events in prop::collection::vec(event(), 1..80),
        envelopes in 1..4_usize,
        principals in 1..4_usize,
    ) {
        let window = ReplayWindow::new(capacity(envelopes, principals));
        let fresh = Replica { window, elements: BTreeSet::new(), paths: BTreeSet::new() };
        let mut replicas = vec![fresh; 2];
        for event in events {
            match event {
                Event::Arrives { replica, tree, node, now } => {
                    let index = tree.index(trees.len());
                    let tree = &trees[index];
                    let node = node.index(tree.nodes.len());
                    let replica = replica.index(replicas.len());
                    replicas[replica].receive(index, tree, node, now);
                }
                Event::Restarts { replica } => {
                    let replica = replica.index(replicas.len());
                    let window = &mut replicas[replica].window;
                    let restored = ReplayWindow::from_bytes(&window.to_bytes());
                    prop_assert_eq!(restored.as_ref(), Ok(&*window));
                    *window = restored.expect("it is equal to one");
                }
                Event::Merges { into, from } => {
                    let from = replicas[from.index(replicas.len())].clone();
                    let into = into.index(replicas.len());
                    let into = &mut replicas[into];
                    let before = into.window.clone();
                    match into.window.merge(&from.window) {
                        Ok(()) => {
                            into.elements.extend(from.elements);
                            into.paths.extend(from.paths);
                        }
                        Err(_) => prop_assert_eq!(&into.window, &before),
                    }
                }
            }
            for Replica { window, .. } in &replicas {
                prop_assert!(window.principals.len() <= principals);
                prop_assert!(window.principals.values().all(|one| one.by_age.len() <= envelopes));
                prop_assert_eq!(window.envelopes.len(), window.by_expiry.len());
                let by_age: usize = window.principals.values().map(|one| one.by_age.len()).sum();
                prop_assert_eq!(window.envelopes.len(), by_age);
            }
        }
    }

    /// With a clock that runs forward, and room for all principals, each fares as if it were alone.
    #[test]
    fn no_principal_is_refused_on_account_of_another(
        trees in prop::collection::vec(tree(), 1..9),
        arrivals in prop::collection::vec((any::<Index>(), any::<Index>(), 0..3_u64), 1..80),
        envelopes in 1..4_usize,
    ) {
        let mut shared = ReplayWindow::new(capacity(envelopes, 3));
        let mut alone = vec![ReplayWindow::new(capacity(envelopes, 1)); 3];
        let mut now = 0;
        for (tree, node, passed) in arrivals {
            now += passed;
            let index = tree.index(trees.len());
            let tree = &trees[index];
            let clock = clock(now);
            if clock.is_before(at(tree.created)) || clock.is_past(at(tree.expires)) {
                continue;
            }
            let envelope = u8::try_from(index).expect("few envelopes");
            let hops = tree.hops(envelope, node.index(tree.nodes.len()));
            let path = Path {
                envelope: HeaderDigest([envelope; 32]),
                created: at(tree.created),
                expires: at(tree.expires),
                hops: &hops,
            };
            let id = principal(tree.principal);
            let own = alone[usize::from(tree.principal)].admit(&path, &id, &[], &clock);
            prop_assert_eq!(shared.admit(&path, &id, &[], &clock), own);
        }
    }
}

// --- stored state ---

fn populated() -> ReplayWindow {
    let mut window = ReplayWindow::new(capacity(2, 3));
    for (number, created) in [(1, 10), (2, 20), (3, 30)] {
        admit_one(&mut window, number, created, 30).expect("there is room");
    }
    let long = [(hop(4, 0), 2), (hop(4, 1), 2), (hop(4, 2), 300)];
    window.admit(&path(4, 40, &long), &principal(2), &[], &clock(40)).expect("there is room");
    let other = [(hop(4, 0), 2), (hop(4, 7), 5)];
    window.admit(&path(4, 40, &other), &principal(2), &[], &clock(40)).expect("there is room");
    window
}

#[test]
fn a_state_comes_back_as_it_was() {
    let window = populated();
    assert_eq!(ReplayWindow::from_bytes(&window.to_bytes()), Ok(window));
    let empty = ReplayWindow::new(ReplayCapacity::default());
    assert_eq!(ReplayWindow::from_bytes(&empty.to_bytes()), Ok(empty));
}

/// A damaged state is refused, or it is one that might have been written.
#[test]
fn a_damaged_state_is_refused_or_reads_as_another() {
    let bytes = populated().to_bytes();
    let check = |damaged: &[u8]| {
        if let Ok(window) = ReplayWindow::from_bytes(damaged) {
            assert_eq!(window.to_bytes(), damaged);
        }
    };
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        check(&damaged);
    }
    for at in 0..bytes.len() {
        assert!(ReplayWindow::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        let mut damaged = bytes.clone();
        damaged.remove(at);
        check(&damaged);
    }
}

#[test]
fn states_that_are_never_written_are_refused() {
    let state = |envelopes, principals: &[u8], known: &[(u8, u8)]| {
        let mut out = Encoder::new();
        out.array(6).text(STATE).count(envelopes).count(2).uint(0);
        out.array(principals.len());
        for id in principals {
            out.array(2).bytes(&[*id; 32]).null();
        }
        out.array(known.len());
        for (id, principal) in known {
            out.array(5).bytes(&[*id; 32]).bytes(&[*principal; 32]).uint(1).uint(2);
            out.array(1).array(3).bytes(&[0; 32]).uint(0).uint(1);
        }
        ReplayWindow::from_bytes(&out.finish()).map(|window| window.len())
    };
    let refused = |state, expected: &str| match state {
        Err(Error::BadState { reason, .. }) => assert_eq!(reason, expected),
        other => panic!("{other:?}, expected: {expected}"),
    };
    assert_eq!(state(2, &[1, 2], &[(3, 1), (4, 1), (5, 2)]), Ok(3));
    refused(state(1, &[1, 2], &[(3, 1), (4, 1), (5, 2)]), "it holds more than it may");
    refused(state(2, &[1, 2, 3], &[]), "it holds more than it may");
    refused(state(2, &[2, 1], &[]), "something is listed twice or out of order");
    refused(state(2, &[1, 1], &[]), "something is listed twice or out of order");
    refused(state(2, &[1], &[(4, 1), (3, 1)]), "something is listed twice or out of order");
    refused(state(2, &[1], &[(3, 1), (3, 1)]), "something is listed twice or out of order");
    refused(state(2, &[1], &[(3, 2)]), "an envelope has too many hops or no principal");
}

#[test]
fn a_state_holds_as_many_hops_of_an_envelope_as_are_ever_remembered() {
    let state = |hops: usize| {
        let mut out = Encoder::new();
        out.array(6).text(STATE).count(1).count(1).uint(0);
        out.array(1).array(2).bytes(&[1; 32]).null();
        out.array(1).array(5).bytes(&[2; 32]).bytes(&[1; 32]).uint(1).uint(2).array(hops);
        for _ in 0..hops {
            out.array(3).bytes(&[0; 32]).uint(0).uint(1);
        }
        ReplayWindow::from_bytes(&out.finish()).map(|window| window.len())
    };
    assert_eq!(state(HOPS), Ok(1));
    assert!(matches!(
        state(HOPS + 1),
        Err(Error::BadState { reason: "an envelope has too many hops or no principal", .. })
    ));
}

#[test]
fn a_floor_under_which_nothing_is_valid_any_more_takes_no_room() {
    let mut window = ReplayWindow::new(capacity(1, 1));
    assert!(window.is_empty());
    let hops = [(hop(1, 0), 2)];
    let long = Path { expires: at(105), ..path(1, 0, &hops) };
    window.admit(&long, &principal(1), &[], &clock(0)).expect("there is room");
    assert_eq!(admit_one(&mut window, 2, 1, 1), Ok(Admission::New));
    assert!(!window.is_empty());
    // What is left of principal 1 is a floor, until 105.
    let hops = [(hop(3, 0), 2)];
    let mut other = |now| {
        let path = path(3, 90, &hops);
        window.admit(&path, &principal(2), &[], &clock(now))
    };
    let full = Error::ReplayWindowFull { what: "principals", capacity: 1 };
    assert_eq!(other(104), Err(full));
    assert_eq!(other(105), Ok(Admission::New));
}

#[test]
fn a_merge_forgets_what_the_other_replica_has_forgotten_whatever_room_there_is() {
    let mut forgetful = ReplayWindow::new(capacity(1, 1));
    assert_eq!(admit_one(&mut forgetful, 1, 0, 0), Ok(Admission::New));
    assert_eq!(admit_one(&mut forgetful, 2, 10, 10), Ok(Admission::New));
    let mut mindful = ReplayWindow::new(capacity(4, 4));
    assert_eq!(admit_one(&mut mindful, 1, 0, 0), Ok(Admission::New));
    assert_eq!(admit_one(&mut mindful, 3, 10, 10), Ok(Admission::New));
    mindful.merge(&forgetful).expect("there is room");
    assert_eq!(mindful.len(), 2);
    let longer = hops([(0, 2), (1, 3)]);
    let refused = Error::BelowReplayFloor { created: at(0), floor: at(0) };
    assert_eq!(mindful.admit(&path(1, 0, &longer), &principal(1), &[], &clock(10)), Err(refused));
}
