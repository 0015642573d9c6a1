//! Carries recorded conversations through a workflow, a star and a mesh of agents, and compares what arrives.
//!
//! ```text
//! cargo run --release --example conversations [FILE.jsonl] [--attack]
//! ```
//!
//! Without a file, two small conversations are carried that come with the example. A file has one conversation a line, as
//! `{"messages": [{"role": …, "content": …, "tool_calls": […]}, …]}`; `-` reads standard input. With `--attack`,
//! adversaries have a try at the first conversation, and each line says which rule refused them.

mod attack;
mod cast;
mod chat;
mod check;
mod mesh;
mod report;
mod star;
mod workflow;

use std::io::Read as _;
use std::process::ExitCode;

use cast::{Cast, Chains, NOW};
use chat::Conversation;
use check::Tally;
use report::{Out, Progress, number};

const SAMPLE: &str = include_str!("sample.jsonl");
const USAGE: &str = "usage: conversations [FILE.jsonl] [--attack]

  FILE.jsonl   conversations to carry, one JSON object a line; - for standard input
  --attack     let adversaries have a try at the first conversation";

fn main() -> ExitCode {
    let mut file = None;
    let mut attack = false;
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--attack") => attack = true,
            Some("--help" | "-h") => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some(option) if option.starts_with('-') && option != "-" => {
                return refuse(&format!("there is no option {option}\n{USAGE}"));
            }
            _ if file.is_some() => return refuse(&format!("one file at a time\n{USAGE}")),
            _ => file = Some(argument),
        }
    }
    let name = file.as_ref().map_or("sample.jsonl".into(), |file| file.to_string_lossy());
    let bytes = match &file {
        None => Ok(SAMPLE.as_bytes().to_vec()),
        Some(dash) if dash == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        Some(file) => std::fs::read(file),
    };
    let conversations = match bytes {
        Ok(bytes) => chat::parse(&name, &bytes),
        Err(error) => Err(format!("{name}: cannot be read: {error}")),
    };
    let conversations = match conversations {
        Ok(conversations) => conversations,
        Err(error) => return refuse(&error),
    };
    let run = if attack { attack_first } else { carry_all };
    match run(&name, &conversations) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conversations: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends the program for an input that cannot be used.
fn refuse(error: &str) -> ExitCode {
    eprintln!("conversations: {error}");
    ExitCode::from(2)
}

fn carry_all(name: &str, conversations: &[Conversation]) -> Result<ExitCode, String> {
    let mut out = Out::new();
    let cast = Cast::new().map_err(|error| error.to_string())?;
    out.say(format!("{} conversations from {name}", conversations.len()));
    out.say(format!(
        "Everything is reproducible: keys and randomness come from a counter, and the time stands at {NOW}."
    ));
    let mut totals =
        [("workflow", Tally::default()), ("star", Tally::default()), ("mesh", Tally::default())];
    let progress = Progress::new(conversations.len());
    for (index, conversation) in conversations.iter().enumerate() {
        out.detail = index == 0;
        let carried = carry(&cast, conversation, &mut out)
            .map_err(|error| format!("line {}: {error}", conversation.line))?;
        if index == 1 {
            heading(&mut out);
        }
        if index > 0 {
            line(&mut out, conversation, &carried);
        }
        for ((_, total), tally) in totals.iter_mut().zip(&carried) {
            total.add(tally);
        }
        progress.show(index + 1);
    }
    progress.end();
    report::totals(&mut out, conversations.len(), &totals);
    let whole = totals.iter().all(|(_, tally)| tally.is_whole());
    out.say(if whole {
        "  All came through, byte for byte."
    } else {
        "  NOT ALL CAME THROUGH AS IT SHOULD."
    });
    out.flush();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Carries one conversation through all three topologies.
fn carry(
    cast: &Cast,
    conversation: &Conversation,
    out: &mut Out,
) -> Result<[Tally; 3], agent_envelope::Error> {
    let chains: Chains = cast.chains(conversation.line)?;
    let (messages, bodies) = (conversation.messages, conversation.bodies.len());
    out.tell(format!(
        "\nThe first, from line {}: {messages} messages with {bodies} bodies, {} bytes of text",
        conversation.line,
        number(conversation.plain_size())
    ));
    out.tell(
        "\nWORKFLOW  each agent adds what is its own to one envelope, under its own signature",
    );
    let workflow = workflow::run(cast, &chains, conversation, out)?;
    report::result(out, &workflow);
    out.tell("\nSTAR  an orchestrator routes what it cannot read");
    let star = star::run(cast, &chains, conversation, out)?;
    report::result(out, &star);
    out.tell("\nMESH  peers speak to each other, each on its own line");
    let mesh = mesh::run(cast, &chains, conversation, out)?;
    report::result(out, &mesh);
    Ok([workflow, star, mesh])
}

fn heading(out: &mut Out) {
    out.say("\nThe others: envelopes, bytes on the wire, and overhead in each topology");
    let columns = "envs      bytes   more";
    out.say(format!("  line  bodies       text    {columns}    {columns}    {columns}  recovered"));
}

fn line(out: &mut Out, conversation: &Conversation, carried: &[Tally; 3]) {
    let [workflow, star, mesh] = carried.each_ref().map(report::compact);
    let whole = carried.iter().all(Tally::is_whole);
    out.say(format!(
        "  {:>4} {:>7} {:>10}  {workflow}  {star}  {mesh}  {}",
        conversation.line,
        conversation.bodies.len(),
        number(conversation.plain_size()),
        if whole { "all" } else { "NOT ALL" },
    ));
}

/// Lets the adversaries have a try. Whatever is not refused as it should be makes the program fail.
fn attack_first(name: &str, conversations: &[Conversation]) -> Result<ExitCode, String> {
    let Some(conversation) = conversations.first() else { return Ok(ExitCode::SUCCESS) };
    let mut out = Out::new();
    out.say(format!(
        "Adversaries have a try at the conversation on line {} of {name}.",
        conversation.line
    ));
    out.say(
        "Each line says what was tried, and by which rule it was refused: code, name and text.",
    );
    let (missed, tried) = attack::run(conversation, &mut out).map_err(|error| error.to_string())?;
    out.say("");
    out.say(match missed {
        0 => format!("All {tried} were refused, or shown, as they should be."),
        _ => format!("{missed} OF {tried} WERE NOT REFUSED AS THEY SHOULD BE, marked with !"),
    });
    out.flush();
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
