//! Times what a holder does with a ledger. Charges and holds only count; splits, credits and reports sign or verify, and a
//! signature costs what it costs: `signing one entry` is the floor under them.

use std::hint::black_box;
use std::time::Duration;

use agent_envelope::budget::{
    Amounts, Basis, Dimension, Ledger, Outcome, Split, Terms, audit, entries,
};
use agent_envelope::{
    Allotment, Budget, Draft, Entropy, Identity, Inbox, Limits, Permission, Resource, Revocations,
    Scope, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

criterion_group!(benches, counting, signing, auditing);
criterion_main!(benches);

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// Three dimensions, one of them with a unit.
fn three(amount: u64) -> Amounts {
    Amounts::new()
        .with(Dimension::OUTPUT_TOKENS, amount)
        .and_then(|amounts| amounts.with(Dimension::TOOL_CALLS, amount))
        .and_then(|amounts| amounts.with_unit(Dimension::MONEY, amount, "USD:6"))
        .expect("amounts")
}

fn terms(amount: u64, agents: u64, depth: u32) -> Terms {
    let amounts = three(amount).with(Dimension::AGENTS, agents).expect("an amount");
    Terms::new(amounts, NOW.saturating_add(Duration::from_secs(600)), depth)
}

struct World {
    user: Identity,
    planner: Identity,
    worker: Identity,
}

impl World {
    fn new() -> Self {
        let [user, planner, worker] =
            [1, 2, 3].map(|number| Identity::from_seeds(&[number; 32], &[number + 100; 32]));
        Self { user, planner, worker }
    }

    /// Opens the ledger of the one allotment that an envelope brings, and returns the allotment too.
    fn open(&self, envelope: &[u8], holder: &Identity) -> (Ledger, Vec<u8>) {
        let all = Permission::new(["do"], &Resource::everything()).expect("a permission");
        let scope = Scope::new([all]).expect("a scope");
        let anchor = TrustAnchor::new(self.user.id(), "user", Subjects::Any, scope)
            .expect("an anchor")
            .budget(terms(u64::MAX, u64::MAX, 8));
        let anchors = TrustAnchors::new([anchor]).expect("an anchor");
        let (agent, limits) = (holder.id(), Limits::default());
        let verifier = Verifier::new(agent, None, anchors, Revocations::none(), limits)
            .expect("limits that admit something")
            .dangerously_admit_untrusted_origins();
        let mut inbox = Inbox::new(verifier);
        let mut received = inbox.receive(envelope, NOW).expect("an honest envelope");
        let lineage = received.allotments().next().expect("it is paid").to_vec();
        let Budget::Funded(funded) = received.take_funding() else { panic!("it is paid") };
        let funded = funded.into_iter().next().expect("one allotment");
        (Ledger::open(funded, holder, NOW).expect("it is the holder's"), lineage)
    }

    /// The planner's ledger, and the lineage by which it was paid.
    fn ledger(&self) -> (Ledger, Vec<u8>) {
        let sent = Draft::new(&self.user)
            .to(self.planner.id())
            .allot(Allotment::new(self.planner.id(), terms(u64::MAX, u64::MAX, 8)))
            .sign(NOW, Entropy::new([9; 32]).expect("not all zero"))
            .expect("an envelope")
            .persisted();
        self.open(sent.as_bytes(), &self.planner)
    }

    fn split(&self, ledger: &mut Ledger) -> Vec<u8> {
        let part = Split::new(self.worker.id(), terms(1000, 10, 1)).as_purse();
        let split = ledger.split(&self.planner, &part, None, &Amounts::new(), NOW);
        split.expect("it is free").persisted()
    }
}

fn counting(c: &mut Criterion) {
    let mut group = c.benchmark_group("count 3 dimensions");
    let world = World::new();
    let (one, two) = (three(1), three(2));
    let (mut ledger, _) = world.ledger();
    group.bench_function("charge", |b| b.iter(|| ledger.charge(black_box(&one))));
    group.bench_function("reserve and commit", |b| {
        b.iter(|| {
            let hold = ledger.reserve(black_box(&two)).expect("it is free");
            ledger.commit(hold, black_box(&one))
        });
    });
    group.bench_function("reserve and release", |b| {
        b.iter(|| {
            let hold = ledger.reserve(black_box(&two)).expect("it is free");
            ledger.release(hold)
        });
    });
    let _held: Vec<_> = (0..16).map(|_| ledger.reserve(&one).expect("it is free")).collect();
    group.bench_function("charge while 16 are held", |b| b.iter(|| ledger.charge(black_box(&one))));
    group.bench_function("free", |b| b.iter(|| black_box(&ledger).free()));
    group.finish();
}

fn signing(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign or verify");
    let world = World::new();
    let (ledger, _) = world.ledger();
    let fresh = || ledger.clone();
    group.bench_function("signing one entry", |b| {
        // A report of nothing, which is little but its signature.
        let report = |mut ledger: Ledger| {
            ledger.give_back(&world.planner, &Amounts::new(), Basis::Declared).expect("open")
        };
        b.iter_batched(fresh, report, BatchSize::SmallInput);
    });
    group.bench_function("split", |b| {
        b.iter_batched_ref(fresh, |ledger| world.split(ledger), BatchSize::SmallInput);
    });
    let (history, granted) = reported(&world);
    group.bench_function("credit a report of 3 entries", |b| {
        let credit = |ledger: &mut Ledger| {
            let credit = ledger.credit(&world.planner, &history).expect("an honest report");
            credit.expect("it is new").persisted()
        };
        b.iter_batched_ref(|| granted.clone(), credit, BatchSize::SmallInput);
    });
    group.finish();
}

/// A child's history of three entries, and the ledger that waits for it.
fn reported(world: &World) -> (Vec<u8>, Ledger) {
    let (mut ledger, _) = world.ledger();
    let part = Split::new(world.worker.id(), terms(1000, 10, 1));
    let sent = Draft::new(&world.planner)
        .to(world.worker.id())
        .fund(&mut ledger, part, Amounts::new())
        .sign(NOW, Entropy::new([8; 32]).expect("not all zero"))
        .expect("it is free")
        .persisted();
    let (mut child, _) = world.open(sent.as_bytes(), &world.worker);
    for _ in 0..2 {
        let report = child.give_back(&world.worker, &three(1), Basis::Declared);
        let _ = report.expect("it is free").persisted();
    }
    let closed = child.close(&world.worker, Basis::Declared, Outcome::Done);
    (closed.expect("it was open").persisted(), ledger)
}

fn auditing(c: &mut Criterion) {
    let mut group = c.benchmark_group("audit");
    let world = World::new();
    let (mut ledger, lineage) = world.ledger();
    for _ in 0..500 {
        world.split(&mut ledger);
        let report = ledger.give_back(&world.planner, &three(1), Basis::Declared);
        let _ = report.expect("it is free").persisted();
    }
    let history = ledger.entries();
    let all = entries(&history).expect("a history");
    group.throughput(Throughput::Elements(1000)).sample_size(10);
    group.bench_function("1000 entries", |b| {
        b.iter(|| audit(&lineage, all.iter().copied()).expect("all is signed"));
    });
    group.finish();
}
