//! Times what agents do with envelopes, beside the same work in straight code. `goals` compares the two; this one follows
//! each job over time.

mod support;

use std::cell::Cell;
use std::hint::black_box;

use agent_envelope::{Aids, Envelope, Inbox, Limits, Reader, ReplayCapacity, ReplayWindow};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use support::floor::{self, Floor};
use support::{KIB_4, MIB, NOW, Seen, World, content, decode};

criterion_group!(benches, sign, read, relay, open, decoding, refuse, straight);
criterion_main!(benches);

/// Things to go around in, so that no job meets the same keys twice in a row.
struct Ring<T> {
    items: Vec<T>,
    at: Cell<usize>,
}

impl<T> Ring<T> {
    fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), at: Cell::new(0) }
    }

    fn next(&self) -> &T {
        let at = self.at.get();
        self.at.set((at + 1) % self.items.len());
        &self.items[at]
    }
}

/// Worlds with an envelope each.
fn ring(make: impl Fn(&World) -> Vec<u8>) -> Ring<(World, Vec<u8>)> {
    Ring::new(World::all().into_iter().map(|world| {
        let bytes = make(&world);
        (world, bytes)
    }))
}

fn sign(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign");
    let worlds = Ring::new(World::all());
    group.bench_function("1 clear element", |b| b.iter(|| worlds.next().clear(b"please")));
    let body = content(KIB_4);
    group.bench_function("4 KiB sealed for 3", |b| b.iter(|| worlds.next().sealed(&body, 3, 0)));
    group.finish();
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify as reader");
    // Nobody vouches for this one; all that is checked is its own signature.
    let strangers = ring(|world| world.clear(b"please"));
    let open_doors = Ring::new(strangers.items.iter().map(|(world, bytes)| {
        (world.verifier.clone().dangerously_admit_untrusted_origins(), bytes)
    }));
    group.bench_function("1 hop, no chain", |b| {
        b.iter(|| {
            let (verifier, bytes) = open_doors.next();
            black_box(decode(bytes).verify_as_reader(verifier, NOW).expect("valid"));
        });
    });
    let jobs = ring(|world| world.job(&content(KIB_4)));
    group.bench_function("3 links, 4 hops", |b| {
        b.iter(|| {
            let (world, bytes) = jobs.next();
            black_box(decode(bytes).verify_as_reader(&world.verifier, NOW).expect("valid"));
        });
    });
    group.bench_function("3 links, 4 hops, and open", |b| {
        b.iter(|| {
            let (world, bytes) = jobs.next();
            world.read(bytes)
        });
    });
    let mut seen = Seen::nothing();
    for (world, bytes) in &jobs.items {
        world.read_again(bytes, &mut seen);
    }
    group.bench_function("chain and keys seen before, 4 hops, and open", |b| {
        b.iter(|| {
            let (world, bytes) = jobs.next();
            world.read_again(bytes, &mut seen)
        });
    });
    group.bench_function("Inbox::receive", |b| {
        b.iter_batched(
            || {
                let (world, bytes) = jobs.next();
                (Inbox::new(world.verifier.clone()), bytes)
            },
            |(mut inbox, bytes)| {
                black_box(inbox.receive(bytes, NOW).expect("new"));
            },
            BatchSize::SmallInput,
        );
    });
    let world = World::new(0);
    for (name, elements) in [("after 10 elements", 10), ("after 10^6 elements", 1_000_000)] {
        let bytes = world.after(elements, &content(KIB_4));
        group.bench_function(format!("and open, {name}"), |b| b.iter(|| world.read(&bytes)));
    }
    let (worlds, verifier) = World::with_common_readers(64);
    let jobs: Vec<_> = worlds.iter().map(|world| world.job(&content(KIB_4))).collect();
    group.throughput(Throughput::Elements(64));
    group.bench_function("verify_many, 64", |b| {
        b.iter(|| {
            let envelopes = jobs.iter().map(|job| decode(job));
            Envelope::verify_many::<Reader>(envelopes, &verifier, NOW, Aids::default())
        });
    });
    group.finish();
}

fn relay(c: &mut Criterion) {
    let mut group = c.benchmark_group("pass on");
    let jobs = ring(|world| world.job(&content(KIB_4)));
    group.bench_function("verify as relay and forward", |b| {
        b.iter(|| {
            let (world, bytes) = jobs.next();
            world.relay(bytes)
        });
    });
    let admitted = Ring::new(
        jobs.items.iter().map(|(world, bytes)| (world, world.admit(bytes, Aids::default()))),
    );
    group.bench_function("append a hop", |b| {
        b.iter(|| {
            let (world, admitted) = admitted.next();
            world.append(admitted)
        });
    });
    group.finish();
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    for (name, size) in [("4 KiB", KIB_4), ("1 MiB", MIB)] {
        let world = World::new(0);
        let bytes = world.sealed(&content(size), 3, 3);
        let admitted = world.admit(&bytes, Aids::default());
        group.throughput(Throughput::Bytes(size.try_into().expect("small")));
        group.bench_function(name, |b| b.iter(|| world.open(&admitted)));
    }
    group.finish();
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let envelopes = ring(|world| world.many(16, 256));
    group.bench_function("16 elements of 256 B", |b| {
        b.iter(|| decode(&envelopes.next().1));
    });
    group.bench_function("16 elements of 256 B, straight", |b| {
        b.iter(|| floor::decode(&envelopes.next().1).expect("an envelope of its kind"));
    });
    group.finish();
}

fn refuse(c: &mut Criterion) {
    let mut group = c.benchmark_group("refuse");
    let forged = ring(|world| world.forged_job(&content(KIB_4)));
    group.bench_function("hop 0 forged", |b| {
        b.iter(|| {
            let (world, bytes) = forged.next();
            world.refuse(bytes, None)
        });
    });
    let malformed = ring(|world| [world.many(16, 512), vec![0]].concat());
    group.bench_function("malformed, 8 KiB", |b| {
        b.iter(|| Envelope::decode(&malformed.next().1, &Limits::default()).err());
    });
    let unknown = ring(|world| world.many(16, 512));
    group.bench_function("unknown origin, 8 KiB", |b| {
        b.iter(|| {
            let (world, bytes) = unknown.next();
            world.refuse(bytes, None)
        });
    });
    let (world, mut window) = (World::new(0), ReplayWindow::new(ReplayCapacity::default()));
    let job = world.job(&content(KIB_4));
    let verified = decode(&job).verify_as_reader(&world.verifier, NOW).expect("valid");
    verified.admit(&mut window).expect("new");
    group.bench_function("replayed", |b| b.iter(|| world.refuse(&job, Some(&window))));
    group.finish();
}

fn straight(c: &mut Criterion) {
    let mut group = c.benchmark_group("straight code");
    let floors = Ring::new(Floor::all());
    let body = content(KIB_4);
    group.bench_function("verify 1", |b| b.iter(|| floors.next().signatures[0].verify()));
    group.bench_function("sign 1", |b| b.iter(|| floors.next().sign_any()));
    group.bench_function("verify 8, open 4 KiB", |b| b.iter(|| floors.next().read()));
    group.bench_function("sign 1, seal 4 KiB for 3", |b| b.iter(|| floors.next().create(&body)));
    group.bench_function("open 4 KiB", |b| b.iter(|| floors.next().open_and_hash()));
    let large = Floor::new(0, &content(MIB));
    group.bench_function("open 1 MiB", |b| b.iter(|| large.open_and_hash()));
    group.finish();
}
