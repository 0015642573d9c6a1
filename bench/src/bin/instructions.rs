//! Counts the instructions of jobs under callgrind and compares them with a committed table. Counts do not depend on what else
//! the machine does, so a regression of a few percent shows in one run.
//!
//! What is compared is the ratio to a floor of straight code that is counted in the same run: an update of a dependency, or a
//! better multiplication, moves both. Another compiler, or a processor without the same vector instructions, moves one more than
//! the other; then there is nothing to compare with. `.ci/callgrind` runs it all.

#[path = "../../../benches/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use agent_envelope::{Aids, AuthorityCache, Envelope, Limits, Reader};

use support::floor::{self, Floor};
use support::{KIB_4, NOW, Seen, World, content, decode};

const USAGE: &str = "\
usage: instructions run             does every job, to be run under callgrind
       instructions check DIRECTORY compares what callgrind left there with the table
       instructions write DIRECTORY makes it the table";
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.tsv");
/// Beyond what alignment and addresses change by themselves.
const TOLERANCE: f64 = 0.03;
/// Tells a script that the machine cannot do it.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["run"] => {
            run();
            Ok(ExitCode::SUCCESS)
        }
        ["check", directory] => Counted::read(Path::new(directory)).and_then(|found| found.check()),
        ["write", directory] => Counted::read(Path::new(directory)).and_then(|found| found.write()),
        _ => Err(USAGE.to_owned()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

// Under callgrind.

/// What callgrind counts, and dumps after each call.
#[inline(never)]
#[unsafe(no_mangle)]
fn counted(job: &mut dyn FnMut()) {
    job();
}

/// Does a job once for all that happens only once, and then to be counted.
fn count(mut job: impl FnMut()) {
    job();
    counted(&mut job);
}

/// Names a job and counts ours and its floor.
fn job<T, F>(name: &str, mut ours: impl FnMut() -> T, mut floor: impl FnMut() -> F) {
    println!("{name}");
    count(|| drop(black_box(ours())));
    count(|| drop(black_box(floor())));
}

fn run() {
    println!("{}", processor());
    let (world, floor) = (World::new(0), Floor::new(0, &content(KIB_4)));
    let body = content(KIB_4);
    let standard = world.job(&body);
    let read = || floor.read();
    let verify_one = || floor.signatures[0].verify();
    let verify_all = || assert!(floor.signatures.iter().all(floor::Signed::verify));
    let verify = |aids: Aids<'_>| {
        let verified = decode(&standard).verify_with::<Reader>(&world.verifier, NOW, aids);
        verified.expect("valid").hops().len()
    };

    let many = world.many(16, 256);
    job("decode, 16 elements of 256 B", || decode(&many), || floor::decode(&many));
    job("verify, first sight", || verify(Aids::default()), verify_all);
    let mut cache = AuthorityCache::new(1);
    job(
        "verify, chain in the cache",
        || {
            let mut aids = Aids::default();
            aids.cache = Some(&mut cache);
            verify(aids)
        },
        verify_all,
    );
    job("verify + open, first sight", || world.read(&standard), read);
    let mut seen = Seen::nothing();
    job(
        "verify + open, chain and keys seen before",
        || world.read_again(&standard, &mut seen),
        read,
    );
    let admitted = world.admit(&standard, Aids::default());
    job("open 4 KiB", || world.open(&admitted), || floor.open_and_hash());
    job("sign, 4 KiB sealed for 3", || world.sealed(&body, 3, 0), || floor.create(&body));
    let sign_and_verify = || (verify_one(), floor.sign_any());
    job("append a hop (floor: verify 1, sign 1)", || world.append(&admitted), sign_and_verify);
    let forged = world.forged_job(&body);
    job("refuse a forged hop 0 (floor: verify 1)", || world.refuse(&forged, None), verify_one);
    let mut malformed = world.many(16, 512);
    malformed.push(0);
    job(
        "refuse a malformed envelope, 8 KiB (floor: verify 1)",
        || Envelope::decode(&malformed, &Limits::default()).map(drop).expect_err("a byte too many"),
        verify_one,
    );
}

/// What decides which code the curve arithmetic chooses, as it looks from inside callgrind.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let vectors = if is_x86_feature_detected!("avx2") { " with AVX2" } else { " without AVX2" };
    #[cfg(not(target_arch = "x86_64"))]
    let vectors = "";
    format!("{}{vectors}", env::consts::ARCH)
}

// Afterwards.

/// What was counted, and with what.
#[derive(Debug, PartialEq)]
struct Counted {
    setting: String,
    lines: Vec<Line>,
}

#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    ours: u64,
    floor: u64,
}

impl Line {
    fn ratio(&self) -> f64 {
        let float = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        float(self.ours) / float(self.floor)
    }
}

impl Counted {
    /// Reads what a run printed (`names`) and what callgrind dumped (`out.1`, `out.2`, …).
    fn read(directory: &Path) -> Result<Self, String> {
        let names = read(&directory.join("names"))?;
        let mut names = names.lines();
        let processor = names.next().ok_or("the run printed nothing")?;
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.map_err(|error| format!("rustc: {error}"))?;
        let setting = format!("{}, {processor}", String::from_utf8_lossy(&rustc.stdout).trim());
        let total = |number: usize| {
            let dump = directory.join(format!("out.{number}"));
            total(&read(&dump)?).ok_or_else(|| format!("{}: no total", dump.display()))
        };
        let lines = names.enumerate().map(|(at, name)| {
            let (ours, floor) = (total(2 * at + 1)?, total(2 * at + 2)?);
            Ok(Line { name: name.to_owned(), ours, floor })
        });
        Ok(Self { setting, lines: lines.collect::<Result<_, String>>()? })
    }

    /// Reads a table.
    fn parse(table: &str) -> Result<Self, String> {
        let mut lines = table.lines();
        let setting = lines.next().and_then(|line| line.strip_prefix("# "));
        let setting = setting.ok_or("the table does not say with what it was counted")?.to_owned();
        let line = |line: &str| {
            let mut fields = line.split('\t');
            let name = fields.next()?.to_owned();
            let mut count = || fields.next()?.parse().ok();
            Some(Line { name, ours: count()?, floor: count()? })
        };
        let lines = lines
            .filter(|line| !line.starts_with('#'))
            .map(|text| line(text).ok_or_else(|| format!("not a line of the table: {text}")));
        Ok(Self { setting, lines: lines.collect::<Result<_, _>>()? })
    }

    fn table(&self) -> String {
        let mut table = format!("# {}\n", self.setting);
        table.push_str("# name\tours\tfloor\tratio (written by `bash .ci/callgrind --write`)\n");
        for line in &self.lines {
            let Line { name, ours, floor } = line;
            writeln!(table, "{name}\t{ours}\t{floor}\t{:.4}", line.ratio()).expect("memory");
        }
        table
    }

    fn write(&self) -> Result<ExitCode, String> {
        fs::write(TABLE, self.table()).map_err(|error| format!("{TABLE}: {error}"))?;
        print!("{}", self.table());
        Ok(ExitCode::SUCCESS)
    }

    fn check(&self) -> Result<ExitCode, String> {
        let expected = Self::parse(&read(Path::new(TABLE))?)?;
        println!("{:54} {:>10} {:>10} {:>7} {:>7}", "name", "ours", "floor", "ratio", "before");
        for line in &self.lines {
            let before = expected.lines.iter().find(|before| before.name == line.name);
            let before = before.map_or("-".to_owned(), |before| format!("{:.4}", before.ratio()));
            let Line { name, ours, floor } = line;
            println!("{name:54} {ours:>10} {floor:>10} {:>7.4} {before:>7}", line.ratio());
        }
        match self.compare(&expected) {
            Verdict::Incomparable => {
                println!("the table is of {}, this is {}", expected.setting, self.setting);
                Ok(ExitCode::from(SKIPPED))
            }
            Verdict::Compared { faults, remarks } => {
                remarks.iter().for_each(|remark| println!("note: {remark}"));
                faults.iter().for_each(|fault| println!("FAILED: {fault}"));
                Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }

    fn compare(&self, expected: &Self) -> Verdict {
        if self.setting != expected.setting {
            return Verdict::Incomparable;
        }
        let (mut faults, mut remarks) = (Vec::new(), Vec::new());
        let names = |of: &Self| of.lines.iter().map(|line| line.name.clone()).collect::<Vec<_>>();
        if names(self) != names(expected) {
            faults.push("the table is of other jobs; write it anew".to_owned());
        }
        for line in &self.lines {
            let Some(before) = expected.lines.iter().find(|before| before.name == line.name) else {
                continue;
            };
            let change = line.ratio() / before.ratio() - 1.0;
            let said = format!("{}: {:+.1} % against its floor", line.name, change * 100.0);
            if change > TOLERANCE {
                faults.push(format!(
                    "{said}; {} instructions before, {} now",
                    before.ours, line.ours
                ));
            } else if change < -TOLERANCE {
                remarks.push(format!("{said}; write the table anew to keep that"));
            }
        }
        Verdict::Compared { faults, remarks }
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    /// Another compiler or another kind of processor.
    Incomparable,
    Compared {
        faults: Vec<String>,
        remarks: Vec<String>,
    },
}

/// Finds the instructions of one dump.
fn total(dump: &str) -> Option<u64> {
    dump.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(ours: [u64; 2]) -> Counted {
        let line = |name: &str, ours| Line { name: name.to_owned(), ours, floor: 1_000 };
        Counted { setting: "rustc 1".into(), lines: vec![line("a", ours[0]), line("b", ours[1])] }
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let counted = counted([500, 600]);
        assert_eq!(Counted::parse(&counted.table()), Ok(counted));
    }

    #[test]
    fn four_percent_more_is_a_fault_and_four_percent_less_a_remark() {
        let Verdict::Compared { faults, remarks } =
            counted([520, 576]).compare(&counted([500, 600]))
        else {
            panic!("the same compiler")
        };
        assert_eq!((faults.len(), remarks.len()), (1, 1));
        assert!(faults[0].starts_with("a: +4.0 %"), "{faults:?}");
        assert!(remarks[0].starts_with("b: -4.0 %"), "{remarks:?}");
    }

    #[test]
    fn two_percent_are_nothing() {
        let verdict = counted([510, 588]).compare(&counted([500, 600]));
        assert_eq!(verdict, Verdict::Compared { faults: vec![], remarks: vec![] });
    }

    #[test]
    fn a_job_that_is_in_one_table_only_is_a_fault() {
        let mut fewer = counted([500, 600]);
        fewer.lines.pop();
        for (found, expected) in [(&fewer, &counted([500, 600])), (&counted([500, 600]), &fewer)] {
            let Verdict::Compared { faults, .. } = found.compare(expected) else { panic!("same") };
            assert_eq!(faults.len(), 1);
        }
    }

    #[test]
    fn another_compiler_is_not_compared() {
        let other = Counted { setting: "rustc 2".into(), ..counted([500, 600]) };
        assert_eq!(other.compare(&counted([500, 600])), Verdict::Incomparable);
    }

    #[test]
    fn the_total_of_a_dump_is_its_summary() {
        assert_eq!(total("events: Ir\nsummary: 1234\n\n"), Some(1234));
        assert_eq!(total("events: Ir\n"), None);
    }
}
