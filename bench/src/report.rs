//! Prints what was measured as lines, and writes it as tables between the markers of a document and as plots.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::peers::Pair;
use crate::plot::{self, Bar, Colour, Lines, Origin, Series, Tick};
use crate::race::Race;
use crate::scaling::{Curve, Threads};

pub const COMMAND: &str = "cargo run --release --manifest-path bench/Cargo.toml -- --docs";

/// The machine, the compiler, the day.
pub struct Setting {
    pub processor: String,
    pub cores: usize,
    pub rustc: String,
    pub date: String,
}

impl Setting {
    pub fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name| {
            let line = info.lines().find(|line| line.split('\t').next() == Some(name));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
        };
        let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let processor = match (field("cpu family"), field("model")) {
            (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
            _ => name,
        };
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.map_or_else(|_| "rustc unknown".into(), |output| output.stdout);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            rustc: String::from_utf8_lossy(&rustc).trim().to_owned(),
            date: date(since.as_secs() / 86_400),
        }
    }

    fn line(&self) -> String {
        format!("{}, {} cores · {} · {}", self.processor, self.cores, self.rustc, self.date)
    }

    fn origin(&self) -> Origin {
        [self.line(), COMMAND.to_owned()]
    }
}

/// The date of a day since 1970-01-01, counted in eras of 400 years that begin in March.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) =
        (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    format!("{}-{month:02}-{date:02}", era * 400 + year + u64::from(month <= 2))
}

// Lines.

pub fn print_setting(setting: &Setting) {
    println!("# {}", setting.line());
}

pub fn print_head(title: &str) {
    println!("\n# {title}");
    println!("{:64} {:>10} {:>10} {:>7}", "name", "ours", "peer", "ratio");
}

fn print_line(name: &str, ours: &str, other: &str, ratio: f64) {
    println!("{name:64} {ours:>10} {other:>10} {ratio:>7.3}");
}

pub fn print_pair(pair: &Pair, race: &Race) {
    let name = format!("{} [{}]", pair.name, pair.peer);
    print_line(&name, &micros(race.ours), &micros(race.other), race.ratio());
    if let Some((ours, theirs)) = pair.bytes {
        let name = format!("{}, bytes [{}]", pair.name, pair.peer);
        print_line(&name, &ours.to_string(), &theirs.to_string(), over(ours, theirs));
    }
}

pub fn print_curve(curve: &Curve) {
    for point in &curve.points {
        let name = format!("{}, {} [{}]", curve.name, curve.at(point), curve.other);
        print_line(&name, &micros(point.race.ours), &micros(point.race.other), point.race.ratio());
    }
}

/// Per second; the other is one thread's rate as often as there are threads, so that the ratio says how much of each is used.
pub fn print_threads(threads: &[Threads]) {
    let Some(one) = threads.first() else { return };
    for at in threads {
        for (what, rate, one) in
            [("envelopes of 4 hops", at.ours, one.ours), ("4 × verify_strict", at.other, one.other)]
        {
            let name = format!("{what} per second, threads: {} [one thread's, × {0}]", at.threads);
            let ideal = one * count(at.threads);
            print_line(&name, &rate.to_string(), &ideal.to_string(), ratio(rate, ideal));
        }
    }
}

// Goals.

/// A line of the library's own bench: `name ours floor ratio <= goal  [least to greatest ratio]`.
pub struct Goal {
    name: String,
    ours: String,
    floor: String,
    ratio: String,
    at_least: bool,
    goal: String,
    range: Option<String>,
}

impl Goal {
    /// Reads a line; `None` for a heading or a remark.
    pub fn parse(line: &str) -> Option<Self> {
        let at_least = line.contains(" >= ");
        let (rest, goal) = line.split_once(if at_least { " >= " } else { " <= " })?;
        let (goal, range) = match goal.split_once('[') {
            Some((goal, range)) => (goal, Some(range.trim().trim_end_matches(']').to_owned())),
            None => (goal, None),
        };
        let mut words: Vec<_> = rest.split_whitespace().collect();
        let ratio = words.pop()?.to_owned();
        // A value is a number, with its unit behind it if it has one.
        let mut value = || {
            let last = words.pop()?;
            let unit = last.parse::<f64>().is_err();
            Some(if unit { format!("{} {last}", words.pop()?) } else { last.to_owned() })
        };
        let (floor, ours) = (value()?, value()?);
        let name = words.join(" ");
        Some(Self { name, ours, floor, ratio, at_least, goal: goal.trim().to_owned(), range })
    }

    /// Whether the goal is met, where a number tells.
    fn met(&self) -> Option<bool> {
        let number = |text: &str| text.split(' ').next()?.parse::<f64>().ok();
        let unit = self.goal.split(' ').nth(1);
        let found = match unit {
            None => number(&self.ratio).or_else(|| number(&self.ours)),
            Some(unit) if self.ours.ends_with(unit) => number(&self.ours),
            Some(_) => None,
        };
        let goal = number(&self.goal)?;
        found.map(|found| if self.at_least { found >= goal } else { found <= goal })
    }
}

fn goals_table(goals: &[Goal]) -> String {
    let mut table =
        "| work | ratio | lowest to highest | goal | ours | floor | met |\n|---|---:|---:|---:|---:|---:|---|\n"
            .to_owned();
    for goal in goals {
        let sign = if goal.at_least { '≥' } else { '≤' };
        let met = goal.met().map_or("–", |met| if met { "yes" } else { "**no**" });
        let Goal { name, ours, floor, ratio, goal, range, .. } = goal;
        let range = range.as_deref().unwrap_or("–");
        push(
            &mut table,
            format_args!(
                "| {name} | {ratio} | {range} | {sign} {goal} | {ours} | {floor} | {met} |"
            ),
        );
    }
    table
}

// Documents.

/// What was measured.
pub struct Report {
    pub setting: Setting,
    pub goals: Vec<Goal>,
    pub pairs: Vec<(Pair, Race)>,
    pub curves: Vec<Curve>,
    pub threads: Vec<Threads>,
}

impl Report {
    /// Writes plots into `docs/performance`, tables into `docs/performance.md`, and a short one into the README if that has a
    /// place for it.
    pub fn write(&self, root: &Path) -> Result<(), String> {
        let document = root.join("docs/performance.md");
        let mut text = read(&document)?;
        let setting = format!("{}. Beside {}.\n", self.setting.line(), peers());
        for (name, content) in [
            ("setting", setting),
            ("goals", goals_table(&self.goals)),
            ("peers", self.peers_table()),
            ("jobs", self.jobs_table()),
            ("scaling", self.scaling_table()),
        ] {
            text = between(&text, name, &content)
                .ok_or_else(|| format!("{} has no place for {name}", document.display()))?;
        }
        let plots = root.join("docs/performance");
        fs::create_dir_all(&plots).map_err(|error| format!("{}: {error}", plots.display()))?;
        write(&plots.join("peers.svg"), &self.peers_plot())?;
        for curve in &self.curves {
            write(&plots.join(curve.file).with_extension("svg"), &self.curve_plot(curve))?;
        }
        write(&plots.join("threads.svg"), &self.threads_plot())?;
        write(&document, &text)?;
        let readme = root.join("README.md");
        match between(&read(&readme)?, "performance", &self.peers_table()) {
            Some(text) => write(&readme, &text),
            None => Ok(()),
        }
    }

    fn peers_table(&self) -> String {
        let mut table = "| job | beside | time, ours ÷ theirs | bytes, ours ÷ theirs | time, ours | time, theirs |\n\
                         |---|---|---:|---:|---:|---:|\n".to_owned();
        for (pair, race) in &self.pairs {
            let bytes = pair.bytes.map_or("–".to_owned(), |(ours, theirs)| {
                format!("{:.2} ({ours} ÷ {theirs})", over(ours, theirs))
            });
            let (ours, other) = (micros(race.ours), micros(race.other));
            let (Pair { name, peer, .. }, ratio) = (pair, race.ratio());
            push(
                &mut table,
                format_args!("| {name} | {peer} | **{ratio:.2}** | {bytes} | {ours} | {other} |"),
            );
        }
        table
    }

    fn jobs_table(&self) -> String {
        let mut table =
            "| job | beside | what they do | what ours does |\n|---|---|---|---|\n".to_owned();
        for (Pair { name, peer, theirs, ours, .. }, _) in &self.pairs {
            push(&mut table, format_args!("| {name} | {peer} | {theirs} | {ours} |"));
        }
        table
    }

    fn scaling_table(&self) -> String {
        let mut table = "| work | beside | time, ours ÷ theirs |\n|---|---|---|\n".to_owned();
        for curve in &self.curves {
            let points: Vec<_> = curve
                .points
                .iter()
                .map(|point| format!("{}: {:.2}", point.label, point.race.ratio()))
                .collect();
            let Curve { name, x_label, other, .. } = curve;
            push(
                &mut table,
                format_args!("| {name}, by {x_label} | {other} | {} |", points.join(" · ")),
            );
        }
        if let Some(one) = self.threads.first() {
            let rates = |rate: fn(&Threads) -> u64| {
                let rates: Vec<_> = self
                    .threads
                    .iter()
                    .map(|at| format!("{}: {:.2}", at.threads, ratio(rate(at), rate(one))))
                    .collect();
                rates.join(" · ")
            };
            let (ours, other) = (rates(|at| at.ours), rates(|at| at.other));
            push(
                &mut table,
                format_args!(
                    "| verified per second, 4 hops, by threads | one thread of ours | {ours} |"
                ),
            );
            push(
                &mut table,
                format_args!("| the same, 4 × `verify_strict` | one thread of theirs | {other} |"),
            );
        }
        table
    }

    fn peers_plot(&self) -> String {
        let bars: Vec<_> = self
            .pairs
            .iter()
            .map(|(pair, race)| Bar {
                label: pair.name.to_owned(),
                against: pair.peer.to_owned(),
                ratio: race.ratio(),
            })
            .collect();
        let subtitle = "Our time over theirs, medians of turns; below 1 ours is the faster.";
        plot::bars("The same jobs by others", subtitle, &bars, &self.setting.origin())
    }

    fn curve_plot(&self, curve: &Curve) -> String {
        let series = |label: &str, colour, time: fn(&Race) -> Duration| Series {
            label: label.to_owned(),
            colour,
            points: curve
                .points
                .iter()
                .map(|point| (point.x, time(&point.race).as_secs_f64() * 1e6))
                .collect(),
        };
        let title = format!("{}, by {}", curve.name, curve.x_label);
        let ticks = curve.points.iter().map(|point| Tick {
            x: point.x,
            label: point.label.clone(),
            note: format!("{:.2}", point.race.ratio()),
        });
        plot::lines(
            &Lines {
                title: &title,
                subtitle: &format!("Beside {}; medians of turns, lower is better.", curve.other),
                x_label: curve.x_label,
                note_label: "ours ÷ theirs",
                y_label: "time",
                format: time,
                logarithmic: curve.logarithmic(),
                ticks: ticks.collect(),
                series: vec![
                    series("agent-envelope", Colour::Ours, |race| race.ours),
                    series(curve.other, Colour::Other, |race| race.other),
                ],
            },
            &self.setting.origin(),
        )
    }

    fn threads_plot(&self) -> String {
        let at = |threads: usize| f64::from(u32::try_from(threads).expect("few"));
        let series = |label: &str, colour, rate: &dyn Fn(&Threads) -> f64| Series {
            label: label.to_owned(),
            colour,
            points: self.threads.iter().map(|point| (at(point.threads), rate(point))).collect(),
        };
        let one = self.threads.first().map_or((1, 1), |one| (one.ours, one.other));
        let ticks = self.threads.iter().map(|point| Tick {
            x: at(point.threads),
            label: point.threads.to_string(),
            note: format!("{:.2}", ratio(point.ours, one.0)),
        });
        plot::lines(
            &Lines {
                title: "Verifying from several threads",
                subtitle: "Envelopes of 4 hops per second over those of one thread; higher is better.",
                x_label: "threads",
                note_label: "ours × one thread",
                y_label: "× one thread",
                format: |value| format!("{value:.1}"),
                logarithmic: false,
                ticks: ticks.collect(),
                series: vec![
                    series("ideal", Colour::Ideal, &|point| at(point.threads)),
                    series("agent-envelope", Colour::Ours, &|point| ratio(point.ours, one.0)),
                    series("4 × verify_strict", Colour::Other, &|point| ratio(point.other, one.1)),
                ],
            },
            &self.setting.origin(),
        )
    }
}

/// The peers and their versions: of two in the lock file, which lists them in order, ours is the later.
fn peers() -> String {
    const LOCK: &str = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let head = format!("name = \"{name}\"\nversion = \"");
        let (_, rest) = LOCK.rsplit_once(&head).expect("a dependency");
        format!("{name} {}", rest.split('"').next().unwrap_or_default())
    };
    ["age", "bc-envelope", "biscuit-auth", "coset", "hpke", "jsonwebtoken"].map(version).join(", ")
}

/// Puts `content` between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
fn between(text: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{content}{end}{after}"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn push(table: &mut String, row: std::fmt::Arguments<'_>) {
    writeln!(table, "{row}").expect("memory");
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn time(micros: f64) -> String {
    if micros >= 1000.0 { format!("{} ms", micros / 1000.0) } else { format!("{micros} µs") }
}

fn over(ours: usize, theirs: usize) -> f64 {
    ratio(count(ours), count(theirs))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("it fits")
}

fn ratio(ours: u64, theirs: u64) -> f64 {
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    float(ours) / float(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_read_with_and_without_units() {
        let line = "verify + open, first sight     274.20 µs  446.00 µs   0.615  <= 0.62  [0.610 to 0.630]";
        let goal = Goal::parse(line).expect("a line");
        assert_eq!(goal.range.as_deref(), Some("0.610 to 0.630"));
        assert_eq!(
            (goal.name.as_str(), goal.ours.as_str()),
            ("verify + open, first sight", "274.20 µs")
        );
        assert_eq!((goal.floor.as_str(), goal.met()), ("446.00 µs", Some(true)));
        let goal = Goal::parse("allocations, verify + open   9   3   -  <= 3").expect("a line");
        assert_eq!((goal.ours.as_str(), goal.met()), ("9", Some(false)));
        let goal =
            Goal::parse("refuse, 8 KiB   4.20 µs  40.00 µs   0.105  <= 5 µs").expect("a line");
        assert_eq!((goal.goal.as_str(), goal.met()), ("5 µs", Some(true)));
        let goal = Goal::parse("many at once   2.4   1   2.400  >= 2.2").expect("a line");
        assert_eq!(goal.met(), Some(true));
        let goal = Goal::parse("peak heap, bytes   5000   4096   -  <= 4 KiB + a constant");
        assert_eq!(goal.expect("a line").met(), None);
        assert!(Goal::parse("# a processor, 2 cores").is_none());
    }

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        assert_eq!(
            between(text, "x", "new\n").as_deref(),
            Some("a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n")
        );
        assert_eq!(between(text, "y", "new\n"), None);
    }

    #[test]
    fn peers_have_versions() {
        assert!(peers().starts_with("age 0."), "{}", peers());
        assert!(peers().contains("hpke 0.15."), "{}", peers());
    }

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_783), "2026-11-26");
    }
}
