//! A budget spent by a tree of agents that do not trust one another, from the first dollar to the proof of fraud.
//!
//! ```text
//! cargo run --release --example fan_out [FILE.jsonl]
//! ```
//!
//! A file has one conversation a line, as the example `conversations` takes them; without one, its sample is worked on.

#[path = "../conversations/chat.rs"]
#[expect(dead_code, reason = "only the sizes of the bodies are of interest here")]
mod chat;
mod cheat;
mod company;
mod show;

use std::error::Error as Failure;
use std::process::ExitCode;

use agent_envelope::budget::negotiation::{Ask, Message, Meters, Offer, Transcript};
use agent_envelope::budget::{Basis, Dimension, Evidence, Ledger, Outcome, Split, audit, entries};
use agent_envelope::{Allotment, Draft, Inbox, Kind};
use company::{Agent, Company, NOW, amounts, cost, deadline, tariff, terms};
use show::{LEGEND, bar, dollars, money, tokens};

const SAMPLE: &str = include_str!("../conversations/sample.jsonl");

/// How a helper behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    RunsDear,
    Silent,
    OverClaims,
    Forks,
}

const HELPERS: [(&str, Manner); 6] = [
    ("north-1", Manner::Honest),
    ("north-2", Manner::RunsDear),
    ("north-3", Manner::Silent),
    ("south-1", Manner::Honest),
    ("south-2", Manner::OverClaims),
    ("south-3", Manner::Forks),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (file, more) = (arguments.next(), arguments.next());
    if more.is_some() || file.as_ref().is_some_and(|file| file.to_string_lossy().starts_with('-')) {
        eprintln!("usage: fan_out [FILE.jsonl]");
        return ExitCode::from(2);
    }
    let name = file.as_ref().map_or("sample.jsonl".into(), |file| file.to_string_lossy());
    let bytes = file.as_ref().map_or(Ok(SAMPLE.as_bytes().to_vec()), std::fs::read);
    let work = bytes
        .map_err(|error| format!("{name}: {error}"))
        .and_then(|bytes| chat::parse(&name, &bytes));
    let work = match work {
        Ok(work) => work.iter().flat_map(|one| &one.bodies).map(|body| body.bytes.len()).collect(),
        Err(reason) => {
            eprintln!("fan_out: {reason}");
            return ExitCode::from(2);
        }
    };
    match run(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fan_out: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(work: Vec<usize>) -> Result<(), Box<dyn Failure>> {
    println!(
        "A user pays a planner 100,000 output tokens and 2 USD. The planner negotiates with two leads and splits the\n\
         budget among them, they split it among three helpers each. Everything travels in signed envelopes; one helper\n\
         runs dear, one falls silent, one claims too much, one keeps two sets of books. Tokens are estimated from the text:\n\
         bytes / 4, rounded up, and ten written for each one read. Time and entropy are fixed, so that runs can be compared.\n"
    );
    let mut company = Company::new()?;
    let mut planner = company.first("planner")?;
    let mut leads =
        [company.under(&planner, "lead-north")?, company.under(&planner, "lead-south")?];

    // The user pays.
    let entropy = company.seeds.next()?;
    let funded = Draft::new(&company.user)
        .to(planner.identity.id())
        .clear(Kind::User, "text/plain", &b"Work through these conversations."[..])
        .allot(Allotment::new(planner.identity.id(), terms(100_000, 2_000_000, 20, 3)?))
        .sign(NOW, entropy)?
        .persisted();
    let lineage = {
        let mut received = planner.inbox.receive(funded.as_bytes(), NOW)?;
        let lineage = received.allotments().next().ok_or("an allotment is carried")?.to_vec();
        planner.ledger = Some(company::open(&planner.name, &planner.identity, &mut received)?);
        lineage
    };
    planner.ledger()?.charge(&cost(1_200)?)?;
    let summing_up = planner.ledger()?.reserve(&cost(5_000)?)?;
    println!("1. user → planner     100000 tokens, 2.000000 USD, up to 20 agents in 3 levels");

    // The planner negotiates with each lead and funds what was agreed on.
    for lead in &mut leads {
        negotiate(&mut company, &mut planner, lead)?;
    }

    // The leads hire and pay helpers, who work and report.
    let share = work_shares(&work);
    let mut shown: Vec<Vec<u8>> = Vec::new();
    let mut helpers: Vec<(Agent, String)> = Vec::new();
    for (index, (name, manner)) in HELPERS.into_iter().enumerate() {
        let lead = &mut leads[index / 3];
        let mut helper = company.under(lead, name)?;
        let note = task(&mut company, lead, &mut helper, manner, share[index], &mut shown)?;
        println!("3. {:<12} → {name:<10} {note}", lead.name);
        helpers.push((helper, note));
    }

    println!("\n   Books while the leads wait:\n{LEGEND}");
    print_tree(&planner, &leads, &helpers);

    // Leads and planner close and report upwards.
    for lead in &mut leads {
        let ledger = lead.ledger.as_mut().ok_or("a lead holds an allotment")?;
        ledger.charge(&cost(400)?)?;
        let history = ledger.close(&lead.identity, Basis::Declared, Outcome::Partial)?.persisted();
        let credited = planner.ledger.as_mut().ok_or("the planner holds one")?;
        if let Some(entry) = credited.credit(&planner.identity, &history)? {
            entry.persisted();
        }
        shown.push(history);
    }
    let ledger = planner.ledger.as_mut().ok_or("the planner holds an allotment")?;
    ledger.commit(summing_up, &cost(3_700)?)?;
    shown.push(ledger.close(&planner.identity, Basis::Declared, Outcome::Partial)?.persisted());
    println!("\n4. Leads and planner report what is left, and close.\n{LEGEND}");
    print_tree(&planner, &leads, &helpers);
    settle(&planner, &leads, &helpers)?;
    convict(&lineage, &shown, &planner, &leads, &helpers)
}

/// Ask, offer, accept, and the request that rests on it.
fn negotiate(
    company: &mut Company,
    planner: &mut Agent,
    lead: &mut Agent,
) -> Result<(), Box<dyn Failure>> {
    let mut ours = Transcript::asking(&planner.identity, lead.identity.id());
    let mut theirs = Transcript::answering(&lead.identity, planner.identity.id());
    let ask = Ask::new(terms(45_000, 900_000, 6, 2)?, amounts(10_000, 0, 0)?)?;
    let draft = Draft::new(&planner.identity).to(lead.identity.id()).authority(&planner.chain);
    let asked = ours.send(draft, Message::Ask(ask), NOW, company.seeds.next()?)?;
    planner.inbox.record_sent(&asked);

    let received = lead.inbox.receive(asked.as_bytes(), NOW)?;
    theirs.receive(&received, &lead.identity, NOW)?;
    let meters = Meters::new()
        .with(Dimension::OUTPUT_TOKENS)?
        .with_unit(Dimension::MONEY, company::MONEY)?
        .with(Dimension::AGENTS)?;
    let offer = Offer::new(terms(40_000, 800_000, 6, 2)?, meters, deadline())?
        .with_need(amounts(10_000, 0, 3)?)?
        .with_tariff(tariff()?);
    let draft = Draft::reply_to(&received, &lead.identity).authority(&lead.chain);
    let offered = theirs.send(draft, Message::Offer(offer), NOW, company.seeds.next()?)?;
    lead.inbox.record_sent(&offered);

    let reply = planner.inbox.receive(offered.as_bytes(), NOW)?;
    ours.receive(&reply, &planner.identity, NOW)?;
    let draft = Draft::reply_to(&reply, &planner.identity)
        .continuing(&asked.line())
        .authority(&planner.chain);
    let accepted = ours.send(draft, Message::Accept, NOW, company.seeds.next()?)?;
    planner.inbox.record_sent(&accepted);
    let received = lead.inbox.receive(accepted.as_bytes(), NOW)?;
    theirs.receive(&received, &lead.identity, NOW)?;

    // The request lies within the offer, answers the acceptance, and is paid out of the planner's ledger.
    let agreed = terms(40_000, 800_000, 6, 2)?;
    let entropy = company.seeds.next()?;
    let ledger = planner.ledger.as_mut().ok_or("the planner holds an allotment")?;
    let request = ours
        .settled(NOW)?
        .request(&planner.identity, &accepted, agreed.clone(), NOW)?
        .authority(&planner.chain)
        .clear(Kind::Assistant, "text/plain", &b"Take your half."[..])
        .fund(ledger, Split::new(lead.identity.id(), agreed), cost(1_000)?)
        .sign(NOW, entropy)?
        .persisted();
    let mut received = lead.inbox.receive(request.as_bytes(), NOW)?;
    theirs.settled(NOW)?.check_request(&received, NOW)?;
    lead.ledger = Some(company::open(&lead.name, &lead.identity, &mut received)?);
    println!(
        "2. planner → {}   asked 45000 tokens, offered and settled 40000 and 0.800000 USD ({} bytes in 4 envelopes)",
        lead.name,
        [&asked, &offered, &accepted, &request]
            .iter()
            .map(|sent| sent.as_bytes().len())
            .sum::<usize>()
    );
    Ok(())
}

/// A lead pays a helper, who works, and reports in its manner. Returns what happened, in words.
fn task(
    company: &mut Company,
    lead: &mut Agent,
    helper: &mut Agent,
    manner: Manner,
    work: u64,
    shown: &mut Vec<Vec<u8>>,
) -> Result<String, Box<dyn Failure>> {
    let granted = terms(12_000, 200_000, 0, 0)?;
    let entropy = company.seeds.next()?;
    let ledger = lead.ledger.as_mut().ok_or("a lead holds an allotment")?;
    let request = Draft::new(&lead.identity)
        .to(helper.identity.id())
        .authority(&lead.chain)
        .clear(Kind::Assistant, "text/plain", &b"Work through your part."[..])
        .fund(ledger, Split::new(helper.identity.id(), granted), cost(500)?)
        .sign(NOW, entropy)?
        .persisted();
    lead.inbox.record_sent(&request);
    let mut received = helper.inbox.receive(request.as_bytes(), NOW)?;
    let mut ledger = company::open(&helper.name, &helper.identity, &mut received)?;
    let before = ledger.to_bytes();

    let (history, note) = match manner {
        Manner::Silent => {
            helper.ledger = Some(ledger);
            return Ok("takes 12000 tokens and is never heard of again".into());
        }
        Manner::OverClaims => {
            let forged = cheat::report_twice_the_grant(&ledger, &helper.seed);
            (forged, "claims to return twice what it got".to_owned())
        }
        Manner::Honest | Manner::Forks => {
            ledger.charge(&cost(work)?)?;
            let report = ledger.close(&helper.identity, Basis::Declared, Outcome::Done)?;
            (report.persisted(), format!("uses {work} of 12000 tokens and returns the rest"))
        }
        Manner::RunsDear => {
            let dear = work + 14_000;
            let refused = ledger.charge(&cost(dear)?).expect_err("more than was granted");
            let overrun = ledger.record(&cost(dear)?)?;
            let report = ledger.close(&helper.identity, Basis::Declared, Outcome::Exceeded)?;
            let note = format!("runs dear: {refused}; overrun of {} noted", tokens(&overrun));
            (report.persisted(), note)
        }
    };
    let entropy = company.seeds.next()?;
    let answer = Draft::reply_to(&received, &helper.identity)
        .authority(&helper.chain)
        .report(&history)
        .sign(NOW, entropy)?;
    helper.ledger = Some(ledger);
    let note = match credit(
        &mut lead.inbox,
        lead.ledger.as_mut(),
        &lead.identity,
        &request,
        answer.as_bytes(),
    ) {
        Ok(()) => note,
        Err(refused) => format!("{note}; refused: {refused}"),
    };
    shown.push(history);
    if manner == Manner::Forks {
        // From an older copy of its books it signs another end, in which it used almost nothing.
        let mut older = Ledger::resume(&before)?;
        older.charge(&cost(10)?)?;
        shown.push(older.close(&helper.identity, Basis::Declared, Outcome::Done)?.persisted());
        return Ok(format!("{note}; tells the auditor it used 10"));
    }
    Ok(note)
}

/// Takes a report in and credits it.
fn credit(
    inbox: &mut Inbox,
    ledger: Option<&mut Ledger>,
    identity: &agent_envelope::Identity,
    request: &agent_envelope::Sent,
    answer: &[u8],
) -> Result<(), Box<dyn Failure>> {
    let reply = request.accept_reply(inbox.receive(answer, NOW)?)?;
    let ledger = ledger.ok_or("a lead holds an allotment")?;
    for report in reply.received().reports() {
        if let Some(entry) = ledger.credit(identity, report)? {
            entry.persisted();
        }
    }
    Ok(())
}

/// Deals what was said out and estimates the tokens of each share: ten for each that is read, at most 10,000.
fn work_shares(work: &[usize]) -> [u64; 6] {
    let mut shares = [0_u64; 6];
    for (index, bytes) in work.iter().enumerate() {
        let tokens = u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX).saturating_mul(10);
        let share = &mut shares[index % 6];
        *share = share.saturating_add(tokens).min(10_000);
    }
    shares.map(|share| share.max(100))
}

fn print_tree(planner: &Agent, leads: &[Agent; 2], helpers: &[(Agent, String)]) {
    let line = |indent, agent: &Agent| {
        if let Some(ledger) = &agent.ledger {
            let state = if ledger.is_closed() { "closed" } else { "open" };
            println!("{}", bar(indent, &agent.name, ledger, state));
        }
    };
    line(0, planner);
    for (lead, team) in leads.iter().zip(helpers.chunks(3)) {
        line(2, lead);
        team.iter().for_each(|(helper, _)| line(4, helper));
    }
}

/// Adds everything up: not a token may appear or vanish.
fn settle(
    planner: &Agent,
    leads: &[Agent; 2],
    helpers: &[(Agent, String)],
) -> Result<(), Box<dyn Failure>> {
    println!("\n5. Settlement");
    let root = planner.ledger.as_ref().ok_or("the planner holds an allotment")?;
    let mut used = (0, 0);
    let mut lost = (0, 0);
    for agent in std::iter::once(planner).chain(leads) {
        let ledger = agent.ledger.as_ref().ok_or("an allotment is held")?;
        used.0 += tokens(ledger.own());
        used.1 += money(ledger.own());
        println!(
            "   {:<12} used {:>6} tokens  {}",
            agent.name,
            tokens(ledger.own()),
            dollars(money(ledger.own()))
        );
        for (_, child) in ledger.children() {
            let Some((helper, _)) =
                helpers.iter().find(|(one, _)| one.identity.id() == child.holder())
            else {
                continue;
            };
            let granted = child.terms().amounts();
            if child.is_done() {
                let spent = granted.checked_sub(child.returned())?;
                used.0 += tokens(&spent);
                used.1 += money(&spent);
                println!(
                    "   {:<12} used {:>6} tokens  {}",
                    helper.name,
                    tokens(&spent),
                    dollars(money(&spent))
                );
            } else {
                lost.0 += tokens(granted);
                lost.1 += money(granted);
                println!(
                    "   {:<12} owes {:>6} tokens  {}  no report that counts",
                    helper.name,
                    tokens(granted),
                    dollars(money(granted))
                );
            }
        }
    }
    let returned = (tokens(root.returned()), money(root.returned()));
    println!("   returned to the user {:>6} tokens  {}", returned.0, dollars(returned.1));
    let whole = (tokens(root.terms().amounts()), money(root.terms().amounts()));
    let sum = (used.0 + lost.0 + returned.0, used.1 + lost.1 + returned.1);
    println!(
        "   used {} + owed {} + returned {} = {} of {} tokens",
        used.0, lost.0, returned.0, sum.0, whole.0
    );
    if sum == whole { Ok(()) } else { Err("the books do not balance".into()) }
}

/// Lets an auditor look at all that was signed, and prints what anybody can recompute.
fn convict(
    lineage: &[u8],
    shown: &[Vec<u8>],
    planner: &Agent,
    leads: &[Agent; 2],
    helpers: &[(Agent, String)],
) -> Result<(), Box<dyn Failure>> {
    let mut all = Vec::new();
    for history in shown {
        all.extend(entries(history)?);
    }
    let found = audit(lineage, all)?;
    println!("\n6. Audit of {} ledgers", found.accounts.len());
    let agents = || std::iter::once(planner).chain(leads).chain(helpers.iter().map(|(one, _)| one));
    let name =
        |id| agents().find(|one| one.identity.id() == id).map_or("somebody", |one| &one.name);
    for (allotment, account) in &found.accounts {
        if found.gaps.contains(allotment) {
            println!(
                "   gap        {:<10} its ledger was not shown whole, which accuses nobody",
                name(account.holder)
            );
        }
    }
    for evidence in &found.evidence {
        let verdict = Evidence::verify(evidence.as_bytes())?;
        println!(
            "   convicted  {:<10} {} ({} bytes that anybody can verify)",
            name(verdict.culprit()),
            verdict.breach(),
            verdict.as_bytes().len()
        );
    }
    let culprits: std::collections::BTreeSet<_> =
        found.evidence.iter().map(|one| name(one.culprit())).collect();
    if culprits.into_iter().eq(["south-2", "south-3"]) {
        Ok(())
    } else {
        Err("the audit convicted others than those who cheated".into())
    }
}
