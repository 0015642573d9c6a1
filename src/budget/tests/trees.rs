//! Random trees of ledgers, step by step beside a model that only adds and subtracts.
//!
//! Messages are lost, duplicated and reordered; nodes crash and resume from the latest stored point, also between signing
//! and storing. Every tree is a function of its number. `AGENT_ENVELOPE_TREES` sets how many are grown.

use super::super::entry::{Event, SignedEntry};
use super::super::evidence::examine_all;
use super::fixture::{Case, NOW, Random, agents, later, open, root, trees};
use super::*;
use crate::cbor::Decoder;
use crate::{Error, Timestamp};
use std::time::Duration;

const KINDS: usize = 4;

type Vector = [u64; KINDS];

const DIMENSIONS: [(Dimension, Option<&str>); KINDS] = [
    (Dimension::OUTPUT_TOKENS, None),
    (Dimension::TOOL_CALLS, None),
    (Dimension::MONEY, Some("USD:6")),
    (Dimension::AGENTS, None),
];
const AGENTS: usize = 3;
const NOTHING: Vector = [0; KINDS];

fn amounts(vector: &Vector) -> Amounts {
    let mut amounts = Amounts::new();
    for ((dimension, unit), amount) in DIMENSIONS.iter().zip(vector) {
        if *amount > 0 {
            amounts = put(amounts, *dimension, *unit, *amount);
        }
    }
    amounts
}

fn vector(amounts: &Amounts) -> Vector {
    DIMENSIONS.map(|(dimension, unit)| match unit {
        Some(unit) => amounts.get_in(dimension, unit).unwrap_or(0),
        None => amounts.get(dimension).unwrap_or(0),
    })
}

fn add(one: &Vector, other: &Vector) -> Vector {
    core::array::from_fn(|kind| one[kind].checked_add(other[kind]).expect("parts of a whole"))
}

fn sub(one: &Vector, other: &Vector) -> Vector {
    core::array::from_fn(|kind| one[kind].checked_sub(other[kind]).expect("a part of it"))
}

fn min(one: &Vector, other: &Vector) -> Vector {
    core::array::from_fn(|kind| one[kind].min(other[kind]))
}

fn fits(part: &Vector, whole: &Vector) -> bool {
    part.iter().zip(whole).all(|(part, whole)| part <= whole)
}

/// The sum of several, in numbers that cannot overflow.
fn wide<'v>(vectors: impl IntoIterator<Item = &'v Vector>) -> [u128; KINDS] {
    vectors.into_iter().fold([0; KINDS], |sum, vector| {
        core::array::from_fn(|kind| sum[kind] + u128::from(vector[kind]))
    })
}

fn fits_sum<'v>(parts: impl IntoIterator<Item = &'v Vector>, whole: &Vector) -> bool {
    wide(parts).iter().zip(whole).all(|(part, whole)| *part <= u128::from(*whole))
}

/// What a ledger should say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    limit: Vector,
    own: Vector,
    held: Vec<Vector>,
    /// Held for good.
    stuck: Vec<Vector>,
    out: Vector,
    back: Vector,
    returned: Vector,
    overrun: Vector,
    children: Vec<(u64, Vector, Vector, bool)>,
    concurrency: Option<u64>,
    depth: u64,
    deadline: Timestamp,
    opened: Timestamp,
    wall: Option<u64>,
    closed: bool,
}

impl Model {
    fn of(ledger: &Ledger, opened: Timestamp) -> Self {
        let terms = ledger.terms();
        let wall =
            terms.wall().map(|wall| u64::try_from(wall.as_millis()).expect("a wall of minutes"));
        Self {
            limit: vector(terms.amounts()),
            own: NOTHING,
            held: Vec::new(),
            stuck: Vec::new(),
            out: NOTHING,
            back: NOTHING,
            returned: NOTHING,
            overrun: NOTHING,
            children: Vec::new(),
            concurrency: terms.amounts().get(Dimension::CONCURRENCY),
            depth: terms.depth(),
            deadline: terms.deadline(),
            opened,
            wall,
            closed: false,
        }
    }

    fn held(&self) -> Vector {
        self.held.iter().chain(&self.stuck).fold(NOTHING, |sum, one| add(&sum, one))
    }

    fn free(&self) -> Vector {
        let outstanding = sub(&self.out, &self.back);
        [&self.own, &outstanding, &self.returned, &self.held()]
            .into_iter()
            .fold(self.limit, |free, one| sub(&free, one))
    }

    /// Local conservation, to the unit, and the ledger says the same.
    fn check(&self, ledger: &Ledger) {
        let parts = [self.own, self.held(), self.returned, self.free()];
        let outstanding = sub(&self.out, &self.back);
        assert_eq!(wide(parts.iter().chain([&outstanding])), wide([&self.limit]));
        assert_eq!(vector(ledger.own()), self.own);
        assert_eq!(vector(ledger.held()), self.held());
        assert_eq!(vector(ledger.granted()), self.out);
        assert_eq!(vector(ledger.credited()), self.back);
        assert_eq!(vector(ledger.returned()), self.returned);
        assert_eq!(vector(ledger.overrun()), self.overrun);
        assert_eq!(vector(&ledger.outstanding()), outstanding);
        assert_eq!(vector(&ledger.free()), self.free());
        assert_eq!(ledger.is_closed(), self.closed);
        let children: Vec<_> = ledger
            .children()
            .map(|(seq, child)| {
                (seq, vector(child.terms().amounts()), vector(child.returned()), child.is_done())
            })
            .collect();
        assert_eq!(children, self.children);
        let quiet = self.held.is_empty()
            && self.stuck.is_empty()
            && self.children.iter().all(|child| child.3);
        assert_eq!(ledger.quiescent(), quiet);
    }
}

struct Node {
    agent: usize,
    parent: Option<usize>,
    /// The allotment's number in the ledger of the parent.
    seq: u64,
    ledger: Ledger,
    model: Model,
    holds: Vec<Hold>,
    /// What a restart finds.
    stored: (Vec<u8>, Model),
    /// Reports that left, in their order.
    sent: Vec<Vec<u8>>,
}

impl Node {
    fn store(&mut self) {
        self.stored = (self.ledger.to_bytes(), self.model.clone());
    }

    /// Resumes from the latest stored point: what was held then counts as used, what came later is lost.
    fn crash(&mut self) {
        self.model = self.stored.1.clone();
        self.model.own = add(&self.model.own, &self.model.held());
        self.model.held.clear();
        self.model.stuck.clear();
        self.ledger = Ledger::resume(&self.stored.0).expect("what was stored");
        for stale in self.holds.drain(..) {
            let before = self.ledger.to_bytes();
            // Numbers start where the stored state ends, so only holds that were stored are told apart for sure.
            let refused = self.ledger.release(stale);
            assert!(matches!(refused, Err(Error::LedgerRefused { .. })), "{refused:?}");
            assert_eq!(self.ledger.to_bytes(), before);
        }
        self.store();
    }
}

/// How a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Small,
    Deep,
    Wide,
}

struct Tree {
    random: Random,
    lineage: Vec<u8>,
    nodes: Vec<Node>,
    now: Timestamp,
    /// Amounts at the edges of the numbers.
    extreme: bool,
    shape: Shape,
    most: usize,
}

/// What happened, so that a run can show that it tried everything.
#[derive(Debug, Default)]
struct Tally {
    trees: u64,
    steps: u64,
    refused: u64,
    splits: u64,
    credits: u64,
    crashes: u64,
    entries: u64,
    deepest: u64,
}

impl Tree {
    fn plant(number: u64, most: usize, shape: Shape) -> Self {
        let mut random = Random(number);
        let extreme = shape == Shape::Small && random.one_in(4);
        let (small, agents_left) = match shape {
            Shape::Small => (1000, 4 + random.up_to(12)),
            Shape::Deep | Shape::Wide => (1 << 40, 1000),
        };
        let limit: Vector = core::array::from_fn(|kind| match (extreme, kind) {
            (true, AGENTS) => *random.pick(&[0, 3, 9, u64::MAX]),
            (true, _) => *random.pick(&[0, 1, 1 << 63, u64::MAX]),
            (false, AGENTS) => agents_left,
            (false, _) => random.up_to(small),
        });
        let mut whole = amounts(&limit);
        if shape == Shape::Small && random.one_in(3) {
            whole = put(whole, Dimension::CONCURRENCY, None, 1 + random.up_to(2));
        }
        if random.one_in(4) {
            whole = put(whole, Dimension::MEMORY, None, 100);
        }
        let deepest = u32::try_from(random.up_to(4)).expect("small");
        let depth =
            if shape == Shape::Deep { 14 } else { deepest + u32::from(shape == Shape::Wide) };
        let time = if shape == Shape::Small { 60 } else { 10_000 };
        let mut terms = Terms::new(whole, later(time + random.up_to(100)), depth);
        if shape == Shape::Small && random.one_in(3) {
            terms = terms.with_wall(Duration::from_secs(50)).expect("a wall time");
        }
        let lineage = root(&agents()[1], &terms, number);
        let ledger = open(&lineage, &agents()[1], NOW);
        let mut tree = Self { random, lineage, nodes: Vec::new(), now: NOW, extreme, shape, most };
        tree.add(ledger, 1, None, 0);
        tree
    }

    fn add(&mut self, ledger: Ledger, agent: usize, parent: Option<usize>, seq: u64) {
        let model = Model::of(&ledger, self.now);
        let stored = (ledger.to_bytes(), model.clone());
        let (holds, sent) = (Vec::new(), Vec::new());
        self.nodes.push(Node { agent, parent, seq, ledger, model, holds, stored, sent });
    }

    /// A part of what there is; seldom all of it, a little more, or far too much.
    fn some_of(&mut self, whole: &Vector) -> Vector {
        let random = &mut self.random;
        let edge = random.one_in(if self.extreme { 6 } else { 30 });
        let over = random.one_in(12);
        let all = random.one_in(12);
        core::array::from_fn(|kind| match whole[kind] {
            _ if edge => *random.pick(&[0, 1, 1 << 63, u64::MAX]),
            whole if over => whole.saturating_add(random.up_to(1)),
            whole if all => whole,
            _ if random.one_in(3) => 0,
            whole if kind == AGENTS => random.up_to(whole / 3),
            whole => random.up_to(whole / 3),
        })
    }

    /// What work takes: seldom any of `agents`, which splits need.
    fn use_of(&mut self, whole: &Vector) -> Vector {
        if self.shape != Shape::Small {
            return core::array::from_fn(|kind| match kind {
                AGENTS => 0,
                kind => self.random.up_to(whole[kind] / 64),
            });
        }
        let mut used = self.some_of(whole);
        if !self.random.one_in(8) {
            used[AGENTS] = 0;
        }
        used
    }

    /// One step of one node, compared with the model. Whatever is refused leaves the ledger as it was.
    fn step(&mut self, tally: &mut Tally) {
        let at = self.random.below(self.nodes.len());
        let before = self.nodes[at].ledger.to_bytes();
        let model = self.nodes[at].model.clone();
        let done = match self.random.below(16) {
            0 | 1 => self.charge(at),
            2 | 3 => self.reserve(at),
            4 => self.settle(at),
            5 => self.record(at),
            6..=9 => self.split(at, tally),
            10..=12 => self.credit(at, tally),
            13 => self.give_back(at),
            14 if self.random.one_in(if self.shape == Shape::Small && at > 0 { 2 } else { 40 }) => {
                self.close(at)
            }
            15 if self.random.one_in(3) => {
                self.nodes[at].crash();
                tally.crashes += 1;
                true
            }
            _ => {
                self.now = self.now.saturating_add(Duration::from_secs(self.random.up_to(4)));
                true
            }
        };
        let node = &mut self.nodes[at];
        if !done {
            assert_eq!(node.ledger.to_bytes(), before, "what is refused changes nothing");
            assert_eq!(node.model, model);
            tally.refused += 1;
        }
        node.model.check(&node.ledger);
        assert!(monotone(&model, &node.model) || node.holds.is_empty());
        tally.steps += 1;
        if self.random.one_in(2) {
            self.nodes[at].store();
        }
    }

    fn charge(&mut self, at: usize) -> bool {
        let used = self.use_of(&self.nodes[at].model.free());
        let node = &mut self.nodes[at];
        let fits = !node.model.closed && fits(&used, &node.model.free());
        let done = node.ledger.charge(&amounts(&used));
        assert_eq!(done.is_ok(), fits, "{done:?}");
        if fits {
            node.model.own = add(&node.model.own, &used);
        }
        fits
    }

    fn reserve(&mut self, at: usize) -> bool {
        let held = self.use_of(&self.nodes[at].model.free());
        let node = &mut self.nodes[at];
        let fits = !node.model.closed && fits(&held, &node.model.free());
        let hold = node.ledger.reserve(&amounts(&held));
        assert_eq!(hold.is_ok(), fits, "{hold:?}");
        if let Ok(hold) = hold {
            node.holds.push(hold);
            node.model.held.push(held);
            // Stored, so that a number is never given twice.
            node.store();
        }
        fits
    }

    /// Commits or releases a hold.
    fn settle(&mut self, at: usize) -> bool {
        if self.nodes[at].holds.is_empty() {
            return true;
        }
        let number = self.random.below(self.nodes[at].holds.len());
        let held = self.nodes[at].model.held[number];
        let actual = self.use_of(&held);
        let release = self.random.one_in(3);
        let node = &mut self.nodes[at];
        let hold = node.holds.swap_remove(number);
        if release {
            node.ledger.release(hold).expect("a hold of this ledger");
            node.model.held.swap_remove(number);
            return true;
        }
        let available = add(&node.model.free(), &node.model.held[number]);
        let taken = min(&actual, &available);
        let beyond = sub(&actual, &taken);
        let over = wide([&node.model.overrun, &beyond]);
        let done = node.ledger.commit(hold, &amounts(&actual));
        if over.iter().any(|over| *over > u128::from(u64::MAX)) {
            assert!(matches!(done, Err(Error::AmountOverflow { .. })), "{done:?}");
            // The hold is gone; what it held counts as used in the end.
            let stuck = node.model.held.swap_remove(number);
            node.model.stuck.push(stuck);
            return true;
        }
        assert_eq!(done.map(|beyond| vector(&beyond)), Ok(beyond));
        node.model.held.swap_remove(number);
        node.model.own = add(&node.model.own, &taken);
        node.model.overrun = add(&node.model.overrun, &beyond);
        true
    }

    fn record(&mut self, at: usize) -> bool {
        let used = self.use_of(&self.nodes[at].model.free());
        let node = &mut self.nodes[at];
        let taken = min(&used, &node.model.free());
        let beyond = sub(&used, &taken);
        let over = wide([&node.model.overrun, &beyond]);
        let fits = !node.model.closed && over.iter().all(|over| *over <= u128::from(u64::MAX));
        let done = node.ledger.record(&amounts(&used));
        assert_eq!(done.is_ok(), fits, "{done:?}");
        if fits {
            node.model.own = add(&node.model.own, &taken);
            node.model.overrun = add(&node.model.overrun, &beyond);
        }
        fits
    }

    fn split(&mut self, at: usize, tally: &mut Tally) -> bool {
        let free = self.nodes[at].model.free();
        let mut part = self.some_of(&free);
        part[AGENTS] = match self.shape {
            Shape::Small if self.random.one_in(2) => part[AGENTS],
            Shape::Wide => free[AGENTS] / 16,
            // As far down as it goes.
            _ => free[AGENTS].saturating_sub(1 + self.random.up_to(4)),
        };
        let keep = if self.random.one_in(4) { self.use_of(&free) } else { NOTHING };
        let (random, node) = (&mut self.random, &self.nodes[at]);
        let model = &node.model;
        // Seldom wider than what it is made of.
        let wider = random.one_in(12);
        let depth = if wider && random.one_in(2) {
            model.depth
        } else {
            model.depth.saturating_sub(1 + random.up_to(1) * random.up_to(1))
        };
        let deadline = if wider && random.one_in(2) {
            model.deadline.saturating_add(Duration::from_secs(1))
        } else {
            model.deadline.saturating_sub(Duration::from_secs(random.up_to(9)))
        };
        let mut whole = amounts(&part);
        let ceilings = [Dimension::CONCURRENCY, Dimension::MEMORY];
        let mut ceiling_dropped = false;
        for ceiling in ceilings {
            match node.ledger.terms().amounts().get(ceiling) {
                Some(above) if wider && random.one_in(4) => {
                    ceiling_dropped = true;
                    if random.one_in(2) {
                        whole = put(whole, ceiling, None, above + 1);
                    }
                }
                Some(above) => whole = put(whole, ceiling, None, 1 + random.up_to(above - 1)),
                None => {}
            }
        }
        let passed = 1000 * (self.now.as_unix_seconds() - model.opened.as_unix_seconds());
        let left = model.wall.map(|wall| wall.saturating_sub(passed));
        let mut terms = Terms::new(whole, deadline, u32::try_from(depth).expect("small"));
        let mut wall = left;
        if random.one_in(4) {
            let stated = 1 + random.up_to(40_000);
            terms = terms.with_wall(Duration::from_millis(stated)).expect("a wall time");
            wall = Some(stated);
        }
        let mut one = NOTHING;
        one[AGENTS] = 1;
        let running = model.children.iter().filter(|child| !child.3).count();
        let fits = !model.closed
            && self.now < model.deadline
            && self.now < deadline
            && deadline <= model.deadline
            && depth < model.depth
            && !ceiling_dropped
            && left != Some(0)
            && left.is_none_or(|left| wall.is_some_and(|wall| wall <= left))
            && fits(&part, &model.limit)
            && fits_sum([&part, &keep, &one], &free)
            // Totals of what was ever granted have an end too.
            && wide([&model.out, &part]).iter().all(|sum| *sum <= u128::from(u64::MAX))
            && model.concurrency.is_none_or(|most| u64::try_from(running).expect("few") < most);
        let agent = (node.agent + 1 + random.below(agents().len() - 2)) % agents().len();
        let agent = if agent == 0 || agent == node.agent { node.agent % 15 + 1 } else { agent };
        let split = Split::new(agents()[agent].id(), terms).as_purse();
        let lost = self.random.one_in(10);
        let now = self.now;
        let node = &mut self.nodes[at];
        let holder = &agents()[node.agent];
        let done = node.ledger.split(holder, &split, None, &amounts(&keep), now);
        assert_eq!(done.is_ok(), fits, "{done:?}");
        let Ok(prepared) = done else { return false };
        node.model.own = add(&node.model.own, &one);
        node.model.out = add(&node.model.out, &part);
        let (seq, child) = node.ledger.children().last().expect("it was split off");
        // Nobody below has more, later, deeper or longer than this.
        assert!(node.ledger.terms().narrow(child.terms(), DepthRule::Less).is_ok());
        assert_eq!(child.terms().wall(), wall.map(Duration::from_millis));
        let grant = vector(child.terms().amounts());
        node.model.children.push((seq, grant, NOTHING, false));
        if lost {
            // Signed, but never stored, so it never left; and the node went down.
            drop(prepared);
            node.crash();
            return true;
        }
        node.store();
        let lineage = prepared.persisted();
        tally.splits += 1;
        if self.nodes.len() < self.most {
            let ledger = open(&lineage, &agents()[agent], now);
            assert_eq!(vector(ledger.terms().amounts()), grant);
            self.add(ledger, agent, Some(at), seq);
        }
        true
    }

    /// Any report that ever left, any number of times, in any order.
    fn credit(&mut self, at: usize, tally: &mut Tally) -> bool {
        let reports: Vec<_> = (self.nodes.iter())
            .filter(|node| node.parent == Some(at) || self.random.one_in(30))
            .flat_map(|node| node.sent.iter().map(|sent| (node.parent, node.seq, sent.clone())))
            .collect();
        if reports.is_empty() {
            return true;
        }
        let (parent, seq, report) = self.random.pick(&reports);
        let (total, last) = totals(report);
        let lost = self.random.one_in(10);
        let node = &mut self.nodes[at];
        let before = node.ledger.to_bytes();
        let done = node.ledger.credit(&agents()[node.agent], report);
        if node.model.closed {
            assert_eq!(done.map(|_| ()), Err(Error::LedgerClosed));
            return false;
        }
        // A child whose split was lost is none.
        let child = node.model.children.iter_mut().find(|child| child.0 == *seq);
        let (Some(child), true) = (child, *parent == Some(at)) else {
            assert!(matches!(done, Err(Error::ReportRefused { .. })), "{done:?}");
            return false;
        };
        assert!(fits(&total, &child.1), "no more comes back than was granted");
        let news = !child.3 && (last || !fits(&total, &child.2));
        let prepared = done.expect("an honest report");
        assert_eq!(prepared.is_some(), news);
        if !news {
            assert_eq!(node.ledger.to_bytes(), before, "a report is credited once");
            return true;
        }
        node.model.back = add(&node.model.back, &sub(&total, &child.2));
        (child.2, child.3) = (total, last);
        tally.credits += 1;
        if lost {
            drop(prepared);
            node.crash();
        } else {
            node.store();
        }
        true
    }

    fn give_back(&mut self, at: usize) -> bool {
        let part = self.use_of(&self.nodes[at].model.free());
        let node = &mut self.nodes[at];
        let fits = !node.model.closed && fits(&part, &node.model.free());
        let done = node.ledger.give_back(&agents()[node.agent], &amounts(&part), Basis::Declared);
        assert_eq!(done.is_ok(), fits, "{done:?}");
        if let Ok(prepared) = done {
            node.model.returned = add(&node.model.returned, &part);
            node.store();
            node.sent.push(prepared.persisted());
        }
        fits
    }

    fn close(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        let holder = &agents()[node.agent];
        let done = node.ledger.close(holder, Basis::Declared, Outcome::Done);
        let Ok(prepared) = done else {
            assert!(node.model.closed);
            assert_eq!(done.map(|_| ()), Err(Error::LedgerClosed));
            return false;
        };
        assert!(!node.model.closed, "there is one last report");
        node.model.returned = add(&node.model.returned, &node.model.free());
        node.model.own = add(&node.model.own, &node.model.held());
        node.model.held.clear();
        node.model.stuck.clear();
        node.model.closed = true;
        node.store();
        node.sent.push(prepared.persisted());
        for stale in node.holds.drain(..) {
            assert!(node.ledger.commit(stale, &Amounts::new()).is_err(), "nothing after the last");
        }
        true
    }

    /// Lets every node finish and every report arrive.
    fn finish(&mut self, tally: &mut Tally) {
        for at in (0..self.nodes.len()).rev() {
            let reports: Vec<_> = (self.nodes.iter())
                .filter(|node| node.parent == Some(at))
                .filter_map(|node| node.sent.last().map(|sent| (node.seq, sent.clone())))
                .collect();
            for (seq, report) in reports {
                let node = &mut self.nodes[at];
                if node.model.closed {
                    continue;
                }
                if let Some(child) = node.model.children.iter_mut().find(|child| child.0 == seq) {
                    let (total, last) = totals(&report);
                    let done = node.ledger.credit(&agents()[node.agent], &report);
                    if done.expect("an honest report").is_some() {
                        node.model.back = add(&node.model.back, &sub(&total, &child.2));
                        (child.2, child.3) = (total, last);
                    }
                }
            }
            if !self.nodes[at].model.closed {
                assert!(self.close(at));
            }
            let node = &self.nodes[at];
            node.model.check(&node.ledger);
        }
        self.conservation();
        self.soundness();
        tally.trees += 1;
        tally.entries += self.nodes.iter().map(|node| count(&node.ledger)).sum::<u64>();
        let deepest = self.nodes.iter().map(|node| node.model.depth).min().unwrap_or(0);
        tally.deepest = tally.deepest.max(self.nodes[0].model.depth - deepest);
    }

    /// Over the whole tree: what was granted is used, returned to the payer, or lost with a child that was not heard.
    fn conservation(&self) {
        let root = &self.nodes[0].model;
        let own =
            wide(self.nodes.iter().filter(|node| self.stands(node)).map(|node| &node.model.own));
        let mut unheard = [0; KINDS];
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| self.stands(node)) {
            for (seq, grant, returned, _) in &node.model.children {
                let child = self.nodes.iter().find(|child| {
                    child.parent == Some(at) && child.seq == *seq && self.stands(child)
                });
                // What a child says that it returned, and what arrived of it before its parent closed.
                let kept = child.map_or(*grant, |child| child.model.returned);
                let lost = sub(&kept, if child.is_some() { returned } else { &NOTHING });
                for (unheard, lost) in unheard.iter_mut().zip(lost) {
                    *unheard += u128::from(lost);
                }
            }
        }
        for kind in 0..KINDS {
            let spent = u128::from(root.limit[kind]) - u128::from(root.returned[kind]);
            assert_eq!(own[kind] + unheard[kind], spent, "dimension {kind}");
        }
        // Every allotment below the root was paid for with one of `agents`.
        assert!(
            u128::try_from(self.nodes.len() - 1).expect("few") <= u128::from(root.limit[AGENTS])
        );
    }

    /// Tells whether a node's allotment is one that its parent, and all above it, still know.
    fn stands(&self, node: &Node) -> bool {
        node.parent.is_none_or(|parent| {
            let parent = &self.nodes[parent];
            parent.model.children.iter().any(|child| child.0 == node.seq) && self.stands(parent)
        })
    }

    /// No part of what honest nodes signed accuses anybody.
    fn soundness(&mut self) {
        let mut decoder = Decoder::new(&self.lineage);
        let lineage =
            Lineage::decode(&mut decoder, &crate::Limits::none(), None).expect("a lineage");
        let histories: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.ledger.entries())
            .filter(|bytes| bytes.len() > 1)
            .collect();
        let all: Vec<_> = histories.iter().flat_map(|history| signed(history)).collect();
        let audit = examine_all(lineage.root.clone(), all.clone());
        assert!(audit.evidence.is_empty(), "{:?}", audit.evidence);
        self.agrees(&audit);
        for _ in 0..4 {
            let rarely = 1 + self.random.below(4);
            let mut some: Vec<_> =
                all.iter().filter(|_| self.random.one_in(rarely)).cloned().collect();
            for at in (1..some.len()).rev() {
                some.swap(at, self.random.below(at + 1));
            }
            let audit = examine_all(lineage.root.clone(), some);
            assert!(audit.evidence.is_empty(), "{:?}", audit.evidence);
        }
        // Any two, which leaves no order and no gap untried.
        for history in &histories {
            let entries = signed(history);
            for (index, later) in entries.iter().enumerate() {
                for earlier in &entries[..index] {
                    let found = later.claims.check_after(&earlier.claims, &earlier.entry_id());
                    assert_eq!(found, Ok(()), "{} after {}", later.claims.seq, earlier.claims.seq);
                }
            }
        }
    }

    fn agrees(&self, audit: &Audit) {
        for node in self.nodes.iter().filter(|node| self.stands(node)) {
            let account = audit.accounts.get(&node.ledger.id()).expect("it leads back to the root");
            assert_eq!(vector(&account.own), node.model.own);
            assert_eq!(vector(&account.returned), node.model.returned);
            assert_eq!(vector(&account.overrun), node.model.overrun);
            assert!(account.closed && !audit.gaps.contains(&node.ledger.id()));
        }
    }
}

/// What was signed for stays: totals only rise, but for what a crash took back before it left.
fn monotone(before: &Model, after: &Model) -> bool {
    fits(&before.out, &after.out)
        && fits(&before.back, &after.back)
        && fits(&before.returned, &after.returned)
}

fn signed(history: &[u8]) -> Vec<SignedEntry<'_>> {
    let encoded = entries(history).expect("a history");
    let decode = |entry| SignedEntry::decode(&mut Decoder::new(entry)).expect("an entry");
    encoded.into_iter().map(decode).collect()
}

/// What the report at the end returns in all, and whether it is the last.
fn totals(history: &[u8]) -> (Vector, bool) {
    match &signed(history).last().expect("a history").claims.event {
        Event::Report(report) => (vector(&report.returned), report.last),
        _ => panic!("a history that is sent ends in a report"),
    }
}

fn count(ledger: &Ledger) -> u64 {
    u64::try_from(ledger.entries.len()).expect("few")
}

fn grow(number: u64, most: usize, steps: usize, shape: Shape, tally: &mut Tally) {
    let _case = Case("tree", number);
    let mut tree = Tree::plant(number, most, shape);
    for _ in 0..steps {
        tree.step(tally);
    }
    tree.finish(tally);
}

#[test]
fn many_small_trees_keep_every_unit() {
    let mut tally = Tally::default();
    for number in 0..trees(10_000) {
        let most = 2 + usize::try_from(number % 7).expect("small");
        grow(number, most, 4 * most, Shape::Small, &mut tally);
    }
    // A generator that stopped trying something would pass in silence.
    assert!(tally.splits > tally.trees && tally.credits > tally.trees / 8, "{tally:?}");
    assert!(tally.crashes > 0 && tally.refused > tally.trees, "{tally:?}");
    std::println!("{tally:?}");
}

#[test]
fn deep_and_wide_trees_keep_every_unit() {
    let mut tally = Tally::default();
    for number in 0..trees(10_000) / 500 {
        let shape = if number % 2 == 0 { Shape::Deep } else { Shape::Wide };
        grow(1 << 32 | number, 60, 600, shape, &mut tally);
    }
    assert!(tally.splits > 10 * tally.trees && tally.deepest > 8, "{tally:?}");
    std::println!("{tally:?}");
}
