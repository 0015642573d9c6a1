//! Measures the crate against its goals and prints `name ours floor ratio goal [range of the ratio]`, one line for each.
//!
//! A floor is the same work in straight code, from the same primitives (`support/floor.rs`). Ours and its floor take turns,
//! so whatever else the machine does meets both. Each pass gives the first decile of the times of each, since all that
//! disturbs a run adds to its time; what is printed is the medians over the passes, of times and of ratios, and how far the
//! ratios lie apart. Ratios travel between machines, times do not.

mod support;

use std::fmt::Display;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_envelope::{Aids, Envelope, Error, Limits, Reader, ReplayCapacity, ReplayWindow};
use allocation_counter::measure;

use support::floor::{self, Floor};
use support::{KIB_4, MIB, NOW, Seen, World, content, decode};

fn main() {
    print_machine();
    println!("{:44} {:>10} {:>10} {:>7}  goal", "name", "ours", "floor", "ratio");
    let bench = Bench { worlds: World::all(), floors: Floor::all() };
    bench.reading();
    bench.reading_many();
    bench.writing();
    bench.opening_a_large_body();
    bench.decoding();
    bench.memory();
    bench.long_conversations();
    bench.refusing();
    bench.sizes();
}

/// Enough that a decile settles; the rounds before them warm caches and clocks.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;
/// Enough for a median that a neighbour of this machine does not move.
const PASSES: usize = 9;

struct Bench {
    worlds: Vec<World>,
    floors: Vec<Floor>,
}

impl Bench {
    /// The standard job: chain of three links, four hops, key package, 4 KiB for one of three readers.
    fn reading(&self) {
        let jobs = self.each(|world| world.job(&content(KIB_4)));
        let mut seen = Seen::nothing();
        for (world, job) in self.worlds.iter().zip(&jobs) {
            world.read_again(job, &mut seen);
        }
        let [first, again, relayed, read, signed] = race(
            ROUNDS,
            [
                &mut |at| timed(|| self.world(at).read(pick(&jobs, at))),
                &mut |at| timed(|| self.world(at).read_again(pick(&jobs, at), &mut seen)),
                &mut |at| timed(|| self.world(at).relay(pick(&jobs, at))),
                &mut |at| timed(|| self.floor(at).read()),
                &mut |at| timed(|| self.floor(at).sign_any()),
            ],
        );
        times("verify + open, first sight", first, read.clone(), "0.62");
        times("the same, chain, package, keys seen before", again, read.clone(), "0.48");
        let relayed = relayed.less(&signed);
        times("verify + forward, less one signature", relayed, read, "0.50");
    }

    /// 64 envelopes of different senders to one reader, no two of which share a key or a signature.
    fn reading_many(&self) {
        const COUNT: u8 = 64;
        let (worlds, verifier) = World::with_common_readers(COUNT);
        let jobs: Vec<_> = worlds.iter().map(|world| world.job(&content(KIB_4))).collect();
        let read = || {
            let envelopes = jobs.iter().map(|job| decode(job));
            let aids = Aids::default();
            Envelope::verify_many::<Reader>(envelopes, &verifier, NOW, aids)
        };
        assert!(read().iter().all(Result::is_ok));
        let forged = {
            let mut jobs = jobs.clone();
            jobs[40] = worlds[40].forged_job(&content(KIB_4));
            jobs
        };
        let refuse = || {
            let envelopes = forged.iter().map(|job| decode(job));
            Envelope::verify_many::<Reader>(envelopes, &verifier, NOW, Aids::default())
        };
        let culprits = refuse().iter().enumerate().filter(|(_, one)| one.is_err()).count();
        assert!(culprits == 1 && refuse()[40].is_err());
        let [many, with_one_forged, singly] = race(
            ROUNDS / 15,
            [&mut |_| timed(read), &mut |_| timed(refuse), &mut |_| {
                timed(|| (0..COUNT).all(|at| self.floor(at.into()).verify_all()))
            }],
        );
        // 2.2 times as many signatures in the same time.
        times("verify_many, 64 (floor: verify_strict)", many, singly.clone(), "0.4545");
        times("the same, hop 0 of one of them forged", with_one_forged, singly, "1");
    }

    fn writing(&self) {
        let body = content(KIB_4);
        let jobs = self.each(|world| world.job(&body));
        let admitted: Vec<_> = self
            .worlds
            .iter()
            .zip(&jobs)
            .map(|(world, job)| world.admit(job, Aids::default()))
            .collect();
        let [created, appended, sealed, verified_and_signed] = race(
            ROUNDS,
            [
                &mut |at| timed(|| self.world(at).sealed(&body, 3, 0)),
                &mut |at| timed(|| self.world(at).append(&admitted[at % admitted.len()])),
                &mut |at| timed(|| self.floor(at).create(&body)),
                &mut |at| timed(|| (self.verify_one(at), self.floor(at).sign_any())),
            ],
        );
        times("sign, 4 KiB sealed for 3", created, sealed, "1.02");
        times("append a hop (floor: verify 1, sign 1)", appended, verified_and_signed, "1.10");
    }

    fn opening_a_large_body(&self) {
        let (world, floor) = (&self.worlds[0], Floor::new(0, &content(MIB)));
        let bytes = world.sealed(&content(MIB), 3, 3);
        let admitted = world.admit(&bytes, Aids::default());
        let [opened, straight] = race(
            ROUNDS / 5,
            [&mut |_| timed(|| world.open(&admitted)), &mut |_| timed(|| floor.open_and_hash())],
        );
        times("open 1 MiB", opened, straight, "1.10");
    }

    fn decoding(&self) {
        let envelopes = self.each(|world| world.many(16, 256));
        assert!(envelopes.iter().all(|bytes| floor::decode(bytes).is_some()));
        let [ours, by_hand] = race(
            ROUNDS,
            [&mut |at| often(|| decode(pick(&envelopes, at))), &mut |at| {
                often(|| floor::decode(pick(&envelopes, at)))
            }],
        );
        times("decode, 16 elements of 256 B", ours, by_hand, "1.30");
    }

    fn memory(&self) {
        let world = &self.worlds[0];
        let job = world.job(&content(KIB_4));
        let ours = measure(|| assert_eq!(world.read(&job), KIB_4));
        let straight = measure(|| assert_eq!(self.floors[0].read(), KIB_4));
        let (count, floor) = (ours.count_total, straight.count_total);
        line("allocations, verify + open", count, floor, None, "3");
        let (peak, floor) = (ours.bytes_max, straight.bytes_max);
        line("peak heap, verify + open, bytes", peak, floor, None, "4 KiB + a small constant");
    }

    fn long_conversations(&self) {
        let world = &self.worlds[0];
        let [short, long] = [10, 1_000_000].map(|elements| world.after(elements, &content(KIB_4)));
        let [after_long, after_short] = race(
            ROUNDS,
            [&mut |_| timed(|| world.read(&long)), &mut |_| timed(|| world.read(&short))],
        );
        times("after 10^6 elements (floor: after 10)", after_long, after_short, "1.05");
    }

    fn refusing(&self) {
        let forged = self.each(|world| world.forged_job(&content(KIB_4)));
        let malformed = self.each(|world| {
            let mut bytes = world.many(16, 512);
            // What stands after the end is found last.
            bytes.push(0);
            bytes
        });
        let unknown = self.each(|world| world.many(16, 512));
        let world = &self.worlds[0];
        let (job, mut window) =
            (world.job(&content(KIB_4)), ReplayWindow::new(ReplayCapacity::default()));
        let verified = decode(&job).verify_as_reader(&world.verifier, NOW);
        verified.and_then(|verified| verified.admit(&mut window)).expect("new");
        self.check_refusals(&forged, &malformed, &unknown, &job, &window);

        let [forged, malformed, unknown, replayed, verified] = race(
            ROUNDS,
            [
                &mut |at| timed(|| self.world(at).refuse(pick(&forged, at), None)),
                &mut |at| {
                    often(|| Envelope::decode(pick(&malformed, at), &Limits::default()).err())
                },
                &mut |at| often(|| self.world(at).refuse(pick(&unknown, at), None)),
                &mut |_| often(|| world.refuse(&job, Some(&window))),
                &mut |at| timed(|| self.verify_one(at)),
            ],
        );
        times("refuse a forged hop 0 (floor: verify 1)", forged, verified.clone(), "1.10");
        times("refuse a malformed envelope, 8 KiB", malformed, verified.clone(), "5 µs");
        times("refuse an unknown origin, 8 KiB", unknown, verified.clone(), "1.10");
        times("refuse a replay", replayed, verified, "1.10");
    }

    /// Makes sure that each is refused where it is said to be.
    fn check_refusals(
        &self,
        forged: &[Vec<u8>],
        malformed: &[Vec<u8>],
        unknown: &[Vec<u8>],
        replayed: &[u8],
        window: &ReplayWindow,
    ) {
        let world = &self.worlds[0];
        let refusal = |bytes: &[u8]| world.refuse(bytes, Some(window));
        assert!(matches!(refusal(&malformed[0]), Error::TrailingBytes { .. }));
        assert!(matches!(refusal(&unknown[0]), Error::UntrustedOrigin { .. }));
        assert!(matches!(refusal(replayed), Error::Replayed { .. }));
        let forgery = world.refuse(&forged[0], None);
        assert!(matches!(forgery, Error::HopSignature { hop: 0, .. }));
    }

    fn sizes(&self) {
        let (world, body) = (&self.worlds[0], content(KIB_4));
        let [none, one, three] = [0, 1, 3].map(|links| world.sealed(&body, 1, links).len());
        line("bytes over content, sealed for 1", none - KIB_4, 0, None, "700");
        line("bytes of each further link", (three - one) / 2, 0, None, "165");
    }

    fn verify_one(&self, at: usize) -> bool {
        self.floor(at).signatures[at % 8].verify()
    }

    fn each(&self, make: impl Fn(&World) -> Vec<u8>) -> Vec<Vec<u8>> {
        self.worlds.iter().map(make).collect()
    }

    fn world(&self, at: usize) -> &World {
        &self.worlds[at % self.worlds.len()]
    }

    fn floor(&self, at: usize) -> &Floor {
        &self.floors[at % self.floors.len()]
    }
}

fn pick(envelopes: &[Vec<u8>], at: usize) -> &[u8] {
    &envelopes[at % envelopes.len()]
}

/// What a job took in each pass: the first decile of its rounds.
#[derive(Clone)]
struct Passes([Duration; PASSES]);

impl Passes {
    fn less(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|pass| self.0[pass].saturating_sub(other.0[pass])))
    }

    fn median(mut self) -> Duration {
        self.0.sort_unstable();
        self.0[PASSES / 2]
    }

    /// This over the other, pass by pass, in ascending order.
    fn ratios(&self, floor: &Self) -> [f64; PASSES] {
        let ratio = |pass: usize| self.0[pass].as_secs_f64() / floor.0[pass].as_secs_f64();
        let mut ratios: [f64; PASSES] = std::array::from_fn(ratio);
        ratios.sort_unstable_by(f64::total_cmp);
        ratios
    }
}

/// Lets the jobs take turns.
fn race<const N: usize>(
    rounds: usize,
    mut jobs: [&mut dyn FnMut(usize) -> Duration; N],
) -> [Passes; N] {
    let mut passes = [const { Passes([Duration::ZERO; PASSES]) }; N];
    for pass in 0..PASSES {
        let mut found = [const { Vec::new() }; N];
        for round in 0..WARM_UP + rounds {
            for (job, found) in jobs.iter_mut().zip(&mut found) {
                let elapsed = job(round);
                if round >= WARM_UP {
                    found.push(elapsed);
                }
            }
        }
        for (passes, mut times) in passes.iter_mut().zip(found) {
            times.sort_unstable();
            passes.0[pass] = times[times.len() / 10];
        }
    }
    passes
}

/// Times one call, and the end of what it returns.
fn timed<T>(job: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    drop(black_box(job()));
    start.elapsed()
}

/// Times one of many calls of a job too short for the clock.
fn often<T>(mut job: impl FnMut() -> T) -> Duration {
    const TIMES: u32 = 16;
    timed(|| (0..TIMES).for_each(|_| drop(black_box(job())))) / TIMES
}

fn times(name: &str, ours: Passes, floor: Passes, goal: &str) {
    let microseconds = |time: Duration| format!("{:.2} µs", time.as_secs_f64() * 1e6);
    let ratios = ours.ratios(&floor);
    let (ours, floor) = (microseconds(ours.median()), microseconds(floor.median()));
    let range = format!("{goal}  [{:.3} to {:.3}]", ratios[0], ratios[PASSES - 1]);
    line(name, ours, floor, Some(ratios[PASSES / 2]), &range);
}

fn line(name: &str, ours: impl Display, floor: impl Display, ratio: Option<f64>, goal: &str) {
    let (ours, floor) = (ours.to_string(), floor.to_string());
    let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    println!("{name:44} {ours:>10} {floor:>10} {ratio:>7}  <= {goal}");
}

fn print_machine() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(|_| "rustc unknown".into(), |out| out.stdout);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = civil(since.as_secs() / 86_400);
    println!("# {model}, {cores} cores");
    println!("# {}", String::from_utf8_lossy(&rustc).trim());
    println!(
        "# {year}-{month:02}-{day:02}, medians of {PASSES} passes, each the first deciles of {ROUNDS} interleaved rounds"
    );
}

/// The date of a day since 1970-01-01, counted in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = (if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1);
    (era * 400 + year + u64::from(date.0 <= 2), date.0, date.1)
}
