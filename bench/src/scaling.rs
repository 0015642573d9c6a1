//! How time grows with the work: size, readers, hops, links, and threads. Each series beside another's of the same work.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::peers::{self, Ring, Worlds, reading, writing};
use crate::race::{Job, Race, job, median, race};
use crate::world::{World, content, verify_chain};

/// One curve of ours beside one of another's.
pub struct Curve {
    pub name: &'static str,
    /// Names the file.
    pub file: &'static str,
    pub other: &'static str,
    pub x_label: &'static str,
    pub points: Vec<Point>,
    scale: Scale,
}

impl Curve {
    /// Says in words where a point is.
    pub fn at(&self, point: &Point) -> String {
        match self.scale {
            Scale::Bytes => point.label.clone(),
            Scale::Steps | Scale::Linear => format!("{}: {}", self.x_label, point.label),
        }
    }

    /// Whether steps are factors, and so should those of time be.
    pub const fn logarithmic(&self) -> bool {
        !matches!(self.scale, Scale::Linear)
    }
}

pub struct Point {
    pub x: f64,
    pub label: String,
    pub race: Race,
}

/// Times everything, and shows each curve when it is there.
pub fn curves(worlds: &Worlds, time: Duration, show: &mut dyn FnMut(&Curve)) -> Vec<Curve> {
    let plans = [
        Plan {
            name: "sign and seal for 1",
            file: "seal-by-size",
            other: "coset + hpke",
            x_label: "size of content",
            at: &SIZES,
            scale: Scale::Bytes,
            jobs: seal_by_size,
        },
        Plan {
            name: "verify and open",
            file: "open-by-size",
            other: "coset + hpke",
            x_label: "size of content",
            at: &SIZES,
            scale: Scale::Bytes,
            jobs: open_by_size,
        },
        Plan {
            name: "sign and seal 4 KiB",
            file: "seal-by-readers",
            other: "age (unsigned)",
            x_label: "readers",
            at: &READERS,
            scale: Scale::Steps,
            jobs: seal_by_readers,
        },
        Plan {
            name: "verify and open 4 KiB",
            file: "open-by-readers",
            other: "age (unsigned)",
            x_label: "readers",
            at: &READERS,
            scale: Scale::Steps,
            jobs: open_by_readers,
        },
        Plan {
            name: "verify an envelope",
            file: "verify-by-hops",
            other: "verify_strict, each hop",
            x_label: "hops",
            at: &LENGTHS,
            scale: Scale::Linear,
            jobs: verify_by_hops,
        },
        Plan {
            name: "verify a chain",
            file: "verify-by-links",
            other: "biscuit-auth",
            x_label: "links",
            at: &LENGTHS,
            scale: Scale::Linear,
            jobs: verify_by_links,
        },
    ];
    let mut curves = Vec::new();
    for Plan { name, file, other, x_label, at, scale, jobs } in plans {
        let point = |(index, value): (usize, &usize)| {
            let (ours, theirs) = jobs(worlds, *value);
            let (x, label) = scale.place(index, *value);
            Point { x, label, race: race(time, &ours, &theirs) }
        };
        let points = at.iter().enumerate().map(point).collect();
        let curve = Curve { name, file, other, x_label, scale, points };
        show(&curve);
        curves.push(curve);
    }
    curves
}

const SIZES: [usize; 5] = [0, 256, 4 << 10, 64 << 10, 1 << 20];
const READERS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LENGTHS: [usize; 6] = [1, 2, 4, 8, 12, 16];

struct Plan {
    name: &'static str,
    file: &'static str,
    other: &'static str,
    x_label: &'static str,
    at: &'static [usize],
    scale: Scale,
    /// Ours and the other for one of `at`.
    jobs: fn(&Worlds, usize) -> (Job, Job),
}

fn seal_by_size(worlds: &Worlds, size: usize) -> (Job, Job) {
    let (body, same) = (content(size), content(size));
    let both = Ring::new(worlds, peers::hpke::Both::new);
    let ours = writing(worlds, move |world| world.seal(&body, 1));
    (ours, job(move |turn| both.at(turn).seal(&same)))
}

fn open_by_size(worlds: &Worlds, size: usize) -> (Job, Job) {
    let body = content(size);
    let both = Ring::new(worlds, peers::hpke::Both::new);
    let theirs = both.map(|both| both.seal(&body));
    let ours = reading(worlds, envelopes(worlds, &body, 1), World::open);
    (ours, job(move |turn| both.at(turn).open(theirs.at(turn))))
}

fn seal_by_readers(worlds: &Worlds, readers: usize) -> (Job, Job) {
    let (body, same) = (content(peers::KIB_4), content(peers::KIB_4));
    let peer = Ring::new(worlds, |_| peers::age::Readers::new(readers));
    let ours = writing(worlds, move |world| world.seal(&body, readers));
    (ours, job(move |turn| peer.at(turn).encrypt(&same)))
}

fn open_by_readers(worlds: &Worlds, readers: usize) -> (Job, Job) {
    let body = content(peers::KIB_4);
    let peer = Ring::new(worlds, |_| peers::age::Readers::new(readers));
    let theirs = peer.map(|peer| peer.encrypt(&body));
    let ours = reading(worlds, envelopes(worlds, &body, readers), World::open);
    (ours, job(move |turn| peer.at(turn).decrypt(theirs.at(turn))))
}

fn verify_by_hops(worlds: &Worlds, hops: usize) -> (Job, Job) {
    let ours = Ring::new(worlds, |world| world.relayed(&content(256), hops));
    let straight = Ring::new(worlds, |world| Straight::many(world, hops));
    let ours = reading(worlds, ours, |world, bytes| world.admit(bytes).elements().count());
    (ours, job(move |turn| assert!(straight.at(turn).iter().all(Straight::verify))))
}

fn verify_by_links(worlds: &Worlds, links: usize) -> (Job, Job) {
    let ours = Ring::new(worlds, |world| world.chain(links).as_bytes().to_vec());
    let issuers = Ring::new(worlds, |world| peers::biscuit::Issuer::new(world, links));
    let theirs = issuers.map(peers::biscuit::Issuer::issue);
    let ours = reading(worlds, ours, |_, bytes| verify_chain(bytes));
    (ours, job(move |turn| issuers.at(turn).verify(theirs.at(turn))))
}

fn envelopes(worlds: &Worlds, body: &[u8], readers: usize) -> Ring<Vec<u8>> {
    Ring::new(worlds, |world| world.seal(body, readers).as_bytes().to_vec())
}

/// How values lie on the axis.
#[derive(Clone, Copy)]
enum Scale {
    /// As they are.
    Linear,
    /// One step each, since each is a multiple of the one before.
    Steps,
    /// The same, as powers of two of bytes.
    Bytes,
}

impl Scale {
    fn place(self, index: usize, value: usize) -> (f64, String) {
        let place = |value: usize| f64::from(u32::try_from(value).expect("small"));
        match self {
            Self::Linear => (place(value), value.to_string()),
            Self::Steps => (place(index), value.to_string()),
            Self::Bytes => (
                place(index),
                match value {
                    _ if value >= 1 << 20 => format!("{} MiB", value >> 20),
                    _ if value >= 1 << 10 => format!("{} KiB", value >> 10),
                    _ => format!("{value} B"),
                },
            ),
        }
    }
}

/// A signature as straight code verifies it: the key as bytes, about as many bytes as a hop signs.
struct Straight {
    key: [u8; 32],
    message: [u8; 224],
    signature: [u8; 64],
}

impl Straight {
    fn many(world: &World, count: usize) -> Vec<Self> {
        let one = |at: usize| {
            let at = u8::try_from(at).expect("few");
            let key = SigningKey::from_bytes(&world.peer_seed(60 + at));
            let message = [at; 224];
            let signature = key.sign(&message).to_bytes();
            Self { key: key.verifying_key().to_bytes(), message, signature }
        };
        (0..count).map(one).collect()
    }

    fn verify(&self) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }
}

/// Jobs in a second, from so many threads.
pub struct Threads {
    pub threads: usize,
    pub ours: u64,
    pub other: u64,
}

/// Verifies the same envelopes (4 hops) and as many single signatures from 1 to all threads, in turns.
pub fn threads(worlds: &Worlds, time: Duration) -> Vec<Threads> {
    const HOPS: usize = 4;
    const SLICE: Duration = Duration::from_millis(40);
    let envelopes = Ring::new(worlds, |world| world.relayed(&content(256), HOPS));
    let straight = Ring::new(worlds, |world| Straight::many(world, HOPS));
    let ours = |turn: usize| {
        let admitted = worlds[turn % worlds.len()].admit(envelopes.at(turn));
        assert_eq!(admitted.elements().count(), 1);
    };
    let other = |turn: usize| assert!(straight.at(turn).iter().all(Straight::verify));
    let most = thread::available_parallelism().map_or(1, usize::from).min(8);
    let mut found = vec![(Vec::new(), Vec::new()); most];
    let start = Instant::now();
    while found[0].0.len() < 5 || start.elapsed() < time {
        for (count, (found_ours, found_other)) in (1..).zip(&mut found) {
            found_ours.push(rate(count, SLICE, &ours));
            found_other.push(rate(count, SLICE, &other));
        }
    }
    (1..)
        .zip(&mut found)
        .map(|(threads, (ours, other))| Threads {
            threads,
            ours: median(ours),
            other: median(other),
        })
        .collect()
}

/// Jobs in a second from `count` threads, over a slice of time.
fn rate(count: usize, slice: Duration, job: &(impl Fn(usize) + Sync)) -> u64 {
    let (begin, stop, done) =
        (Barrier::new(count + 1), AtomicBool::new(false), AtomicUsize::new(0));
    let work = |first: usize| {
        begin.wait();
        let mut turn = first;
        while !stop.load(Ordering::Relaxed) {
            job(turn);
            turn += 1;
        }
        done.fetch_add(turn - first, Ordering::Relaxed);
    };
    let start = thread::scope(|scope| {
        for first in 0..count {
            let work = &work;
            scope.spawn(move || work(first));
        }
        begin.wait();
        let start = Instant::now();
        thread::sleep(slice);
        stop.store(true, Ordering::Relaxed);
        start
    });
    let elapsed = start.elapsed();
    let jobs = u128::try_from(done.into_inner()).expect("it fits");
    u64::try_from(jobs * 1_000_000 / elapsed.as_micros().max(1)).expect("it fits")
}
