//! Prints our jobs beside the same jobs by others, as lines `name ours peer ratio`; with `--docs`, writes them into the
//! documents as well.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use agent_envelope_bench::peers::pairs;
use agent_envelope_bench::race::race;
use agent_envelope_bench::report::{self, Goal, Report, Setting};
use agent_envelope_bench::scaling;
use agent_envelope_bench::world::World;

const USAGE: &str = "\
usage: agent-envelope-bench [--docs] [--quick] [--no-goals]
  --docs      write the tables and plots of docs/performance.md
  --quick     a tenth of the time, to see that all runs; its numbers say little
  --no-goals  leave out the library's own bench (cargo bench --bench goals)";

fn main() -> ExitCode {
    let (mut docs, mut quick, mut goals) = (false, false, true);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--docs" => docs = true,
            "--quick" => quick = true,
            "--no-goals" => goals = false,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match run(docs, quick, goals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(docs: bool, quick: bool, with_goals: bool) -> Result<(), String> {
    if docs && !with_goals {
        return Err("the documents hold the goals too; leave out --no-goals".into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no library above")?;
    let time = |millis| Duration::from_millis(if quick { millis / 10 } else { millis });
    let setting = Setting::here();
    report::print_setting(&setting);
    let goals = if with_goals { goals(root)? } else { Vec::new() };

    let worlds = Arc::new(World::all());
    report::print_head("The same jobs by others");
    let mut raced = Vec::new();
    for pair in pairs(&worlds) {
        let result = race(time(3000), &pair.our_job, &pair.their_job);
        report::print_pair(&pair, &result);
        raced.push((pair, result));
    }
    report::print_head("As work grows");
    let curves = scaling::curves(&worlds, time(1500), &mut report::print_curve);
    report::print_head("From several threads");
    let threads = scaling::threads(&worlds, time(8000));
    report::print_threads(&threads);

    if docs {
        Report { setting, goals, pairs: raced, curves, threads }.write(root)?;
    }
    Ok(())
}

/// Runs the library's own bench, shows what it prints, and reads its lines.
fn goals(root: &Path) -> Result<Vec<Goal>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--locked", "--bench", "goals"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo bench: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("\n# The library's goals\n{}", text.trim_end());
    let goals: Vec<_> = text.lines().filter_map(Goal::parse).collect();
    match (output.status.success(), goals.is_empty()) {
        (false, _) => Err("cargo bench --bench goals failed".into()),
        (true, true) => Err("cargo bench --bench goals printed no goal".into()),
        (true, false) => Ok(goals),
    }
}
