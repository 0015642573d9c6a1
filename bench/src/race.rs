//! Lets two jobs take turns, so that whatever else the machine does meets both.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// What two jobs took.
#[derive(Clone, Copy, Debug)]
pub struct Race {
    /// The median of ours.
    pub ours: Duration,
    /// The median of the other.
    pub other: Duration,
    /// Turns of each.
    pub turns: usize,
}

impl Race {
    /// Ours over the other's: below one, ours is the faster.
    pub fn ratio(&self) -> f64 {
        self.ours.as_secs_f64() / self.other.as_secs_f64()
    }
}

/// A job; its argument says which of its inputs to take.
pub type Job = Box<dyn Fn(usize)>;

/// Wraps what is timed: the call, and the end of what it returns.
pub fn job<T>(job: impl Fn(usize) -> T + 'static) -> Job {
    Box::new(move |turn| drop(black_box(job(turn))))
}

/// Runs two jobs for about `time`, at least 25 turns each after those that warm caches and clocks.
pub fn race(time: Duration, ours: &Job, other: &Job) -> Race {
    const WARM_UP: usize = 10;
    const LEAST: usize = 25;
    let (mut took_ours, mut took_other) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut turn = 0;
    while turn < WARM_UP + LEAST || start.elapsed() < time {
        // Who goes first changes, since each leaves the caches to the next.
        let (first, second) = match turn.count_ones() % 2 {
            0 => (timed(ours, turn), timed(other, turn)),
            _ => {
                let other = timed(other, turn);
                (timed(ours, turn), other)
            }
        };
        if turn >= WARM_UP {
            took_ours.push(first);
            took_other.push(second);
        }
        turn += 1;
    }
    Race { turns: took_ours.len(), ours: median(&mut took_ours), other: median(&mut took_other) }
}

fn timed(job: &Job, turn: usize) -> Duration {
    let start = Instant::now();
    job(turn);
    start.elapsed()
}

/// The middle one of some.
pub fn median<T: Ord + Copy>(of: &mut [T]) -> T {
    of.sort_unstable();
    of[of.len() / 2]
}
