//! Which mutant is active.
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

const UNKNOWN: u32 = u32::MAX;
const NONE: u32 = u32::MAX - 1;
const TRACE: u32 = u32::MAX - 2;
static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
static SEEN: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];

#[inline]
pub fn on(id: u32) -> bool {
    match ACTIVE.load(Relaxed) {
        NONE => false,
        UNKNOWN | TRACE => slow(id),
        active => active == id,
    }
}

#[cold]
#[inline(never)]
fn slow(id: u32) -> bool {
    if ACTIVE.load(Relaxed) == UNKNOWN {
        let active = match std::env::var("MUTANT") {
            Ok(n) if n == "trace" => TRACE,
            Ok(n) => n.parse().unwrap(),
            Err(_) => NONE,
        };
        ACTIVE.store(active, Relaxed);
        return on(id);
    }
    let seen = &SEEN[usize::try_from(id).unwrap()];
    if !seen.load(Relaxed) && !seen.swap(true, Relaxed) {
        let path = std::env::var("MUTANT_TRACE").unwrap();
        let mut f = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        f.write_all(format!("{id}\n").as_bytes()).unwrap();
    }
    false
}

#[derive(Clone)]
pub enum Either<A, B> {
    Left(A),
    Right(B),
}

impl<A: Iterator, B: Iterator<Item = A::Item>> Iterator for Either<A, B> {
    type Item = A::Item;

    fn next(&mut self) -> Option<A::Item> {
        match self {
            Self::Left(a) => a.next(),
            Self::Right(b) => b.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Left(a) => a.size_hint(),
            Self::Right(b) => b.size_hint(),
        }
    }
}

impl<A: ExactSizeIterator, B: ExactSizeIterator<Item = A::Item>> ExactSizeIterator for Either<A, B> {}

impl<A: DoubleEndedIterator, B: DoubleEndedIterator<Item = A::Item>> DoubleEndedIterator for Either<A, B> {
    fn next_back(&mut self) -> Option<A::Item> {
        match self {
            Self::Left(a) => a.next_back(),
            Self::Right(b) => b.next_back(),
        }
    }
}
