//! Every way to break the rules of a ledger that its holder can sign, and the proof of it.
//!
//! A cheat is written by hand over an honest story. Its evidence must be found among everything that was signed and among
//! nothing but the statements that show it, name the cheat and nobody else, and stand on every one of its bytes.

use super::super::entry::{EntryClaims, Event, ReportClaims};
use super::fixture::{
    Case, NOW, Random, agents, later, open, root, tokens, tokens_and_agents, trees,
};
use super::*;
use crate::cbor::Encoder;
use crate::digest::{AllotmentId, EntryId};
use crate::identity::Identity;
use crate::{Error, Timestamp};
use alloc::vec;
use std::time::Duration;

const CHEAT: usize = 2;

fn cheat() -> &'static Identity {
    &agents()[CHEAT]
}

type Statement = Vec<u8>;

/// A signed entry with its claims.
#[derive(Clone)]
struct Written {
    claims: EntryClaims,
    bytes: Statement,
    id: EntryId,
}

fn write(claims: EntryClaims, by: &Identity) -> Written {
    let (bytes, id) = claims.sign(by.signing_key());
    Written { claims, bytes, id }
}

fn read(history: &[u8]) -> Vec<Written> {
    let decode = |bytes: &[u8]| {
        let entry = SignedEntry::decode(&mut crate::cbor::Decoder::new(bytes)).expect("an entry");
        Written { id: entry.entry_id(), claims: entry.claims.clone(), bytes: bytes.to_vec() }
    };
    entries(history).expect("a history").into_iter().map(decode).collect()
}

/// What happened before anybody cheated: 0 paid 1, who granted a part to 2, who granted parts to 3, 4 and 5.
struct Story {
    lineage: Vec<u8>,
    grantor: Ledger,
    /// The ledger of 2: split, split, credit 0, credit 1, credit 0, report, last credit 1, split.
    told: Vec<Written>,
    terms: Terms,
    /// The last child's report, which nobody has credited, and the same child's split before it.
    heard: Vec<Written>,
    /// Another report of the first child, which nobody has credited.
    more: Written,
    /// A report by the last child about an allotment of another budget.
    foreign: Written,
    /// Everything that others signed.
    others: Vec<Statement>,
}

const FIRST_CREDIT: usize = 2;
const SECOND_CREDIT: usize = 4;
const REPORT: usize = 5;
const LAST_SPLIT: usize = 7;

impl Story {
    fn tell(random: &mut Random) -> Self {
        let part = |amounts: Amounts, depth| {
            let amounts = amounts.with(Dimension::MEMORY, 64).expect("a ceiling");
            Terms::new(amounts, later(600), depth)
                .with_wall(Duration::from_secs(30))
                .expect("a wall time")
        };
        let whole = part(tokens_and_agents(2000, 40), 5);
        let lineage = root(&agents()[1], &whole, random.next());
        let mut grantor = open(&lineage, &agents()[1], NOW);
        let granted = part(tokens_and_agents(1000 + random.up_to(500), 20), 4);
        let mut ledger = split(&mut grantor, CHEAT, &granted);
        let sizes = [0; 3].map(|_| 60 + random.up_to(100));
        let mut first = split(&mut ledger, 3, &part(tokens_and_agents(sizes[0], 1), 3));
        charge(&mut ledger, 1 + random.up_to(50));
        let mut second = split(&mut ledger, 4, &part(tokens_and_agents(sizes[1], 1), 3));
        give_back(&mut ledger, &mut first, 10 + random.up_to(9));
        charge(&mut ledger, random.up_to(50));
        give_back(&mut ledger, &mut second, 10 + random.up_to(9));
        give_back(&mut ledger, &mut first, 10 + random.up_to(9));
        let returned = ledger.give_back(cheat(), &tokens(50 + random.up_to(50)), Basis::Declared);
        let history = returned.expect("that much is free").persisted();
        let _ = grantor.credit(&agents()[1], &history).expect("an honest report");
        let closed = second.close(&agents()[4], Basis::Replayable, Outcome::Done);
        let closed = closed.expect("it was open").persisted();
        let _ = ledger.credit(cheat(), &closed).expect("an honest report");
        let mut last = split(&mut ledger, 5, &part(tokens_and_agents(sizes[2], 3), 3));
        let grandchild = split(&mut last, 6, &part(tokens(3), 2));
        let heard = last.give_back(&agents()[5], &tokens(20 + random.up_to(9)), Basis::Declared);
        let heard = read(&heard.expect("that much is free").persisted());
        let more = first.give_back(&agents()[3], &tokens(10), Basis::Declared);
        let more = read(&more.expect("that much is free").persisted()).pop().expect("a report");
        let other = root(&agents()[5], &whole, random.next());
        let mut other = open(&other, &agents()[5], NOW);
        let foreign = other.give_back(&agents()[5], &tokens(20), Basis::Declared);
        let foreign = read(&foreign.expect("that much is free").persisted());
        let foreign = foreign.into_iter().next().expect("a report");
        let written = |ledger: &Ledger| read(&ledger.entries()).into_iter().map(|one| one.bytes);
        let others = [&grantor, &first, &second, &last, &other].into_iter().flat_map(written);
        let others = others.collect();
        let (told, terms) = (read(&ledger.entries()), ledger.terms().clone());
        assert!(told.len() == LAST_SPLIT + 1 && grandchild.entries.is_empty());
        Self { lineage, grantor, told, terms, heard, more, foreign, others }
    }

    fn end(&self) -> &Written {
        self.told.last().expect("entries")
    }

    /// A credit that an honest holder could write next.
    fn honest_credit(&self) -> EntryClaims {
        let Event::Credit { total, .. } = &self.told[SECOND_CREDIT].claims.event else {
            panic!("entry 4 is a credit")
        };
        let now = returned_in(&self.more);
        self.next_credit(0, self.more.id, tokens(now), now - tokens_in(total))
    }

    /// What is left after the last entry, as an honest holder would count.
    fn free(&self) -> u64 {
        let end = &self.end().claims;
        let spoken = [&end.own, &end.out, &self.returned()].map(tokens_in).iter().sum::<u64>();
        tokens_in(self.terms.amounts()) + tokens_in(&end.back) - spoken
    }

    fn returned(&self) -> Amounts {
        match &self.told[REPORT].claims.event {
            Event::Report(report) => report.returned.clone(),
            _ => panic!("entry 5 is a report"),
        }
    }

    fn report(&self, last: bool) -> ReportClaims {
        ReportClaims {
            returned: self.returned(),
            last,
            basis: Basis::Declared,
            outcome: Outcome::Partial,
            overrun: Amounts::new(),
        }
    }

    /// An entry after the last one, with its totals.
    fn next(&self, event: Event) -> EntryClaims {
        follow(self.end(), event)
    }

    fn next_report(&self) -> EntryClaims {
        self.next(Event::Report(self.report(false)))
    }

    /// An entry that grants, with nothing counted yet.
    fn next_split(&self, amounts: Amounts) -> EntryClaims {
        let amounts = amounts.with(Dimension::MEMORY, 64).expect("a ceiling");
        let terms = Terms::new(amounts, later(600), 3).with_wall(Duration::from_secs(30));
        let terms = terms.expect("a wall time");
        self.next(Event::Split { to: agents()[7].id(), terms, request: None })
    }

    /// An entry that grants and counts it.
    fn next_counted_split(&self, amounts: Amounts) -> EntryClaims {
        let mut claims = self.next_split(amounts.clone());
        claims.out = plus(&claims.out, &amounts);
        claims.own = plus(&claims.own, &one_agent());
        claims
    }

    fn next_credit(
        &self,
        split: usize,
        report: EntryId,
        total: Amounts,
        grown: u64,
    ) -> EntryClaims {
        let split = u64::try_from(split).expect("small");
        let mut claims = self.next(Event::Credit { split, report, total, last: false });
        if grown > 0 {
            claims.back = plus(&claims.back, &tokens(grown));
        }
        claims
    }

    /// The last child's report and what it returns.
    fn unheard(&self) -> (&Written, u64) {
        let report = self.heard.last().expect("a report");
        (report, returned_in(report))
    }
}

fn follow(before: &Written, event: Event) -> EntryClaims {
    let claims = &before.claims;
    EntryClaims { prev: Some(before.id), seq: claims.seq + 1, event, ..claims.clone() }
}

fn split(ledger: &mut Ledger, to: usize, terms: &Terms) -> Ledger {
    let by = agents().iter().find(|agent| agent.id() == ledger.holder()).expect("an agent");
    let split = Split::new(agents()[to].id(), terms.clone());
    let lineage = ledger.split(by, &split, None, &Amounts::new(), NOW).expect("it is there");
    open(&lineage.persisted(), &agents()[to], NOW)
}

fn give_back(ledger: &mut Ledger, child: &mut Ledger, amount: u64) {
    let by = agents().iter().find(|agent| agent.id() == child.holder()).expect("an agent");
    let history = child.give_back(by, &tokens(amount), Basis::Declared).expect("it is free");
    let _ = ledger.credit(cheat(), &history.persisted()).expect("an honest report");
}

fn charge(ledger: &mut Ledger, amount: u64) {
    if amount > 0 {
        ledger.charge(&tokens(amount)).expect("it is free");
    }
}

fn tokens_in(amounts: &Amounts) -> u64 {
    amounts.get(Dimension::OUTPUT_TOKENS).unwrap_or(0)
}

fn returned_in(report: &Written) -> u64 {
    match &report.claims.event {
        Event::Report(report) => tokens_in(&report.returned),
        _ => panic!("a report"),
    }
}

fn plus(one: &Amounts, other: &Amounts) -> Amounts {
    one.checked_add(other).expect("small amounts")
}

fn minus(one: &Amounts, other: &Amounts) -> Amounts {
    one.checked_sub(other).expect("a part of it")
}

fn one_agent() -> Amounts {
    Amounts::new().with(Dimension::AGENTS, 1).expect("an amount")
}

#[test]
fn a_credit_of_less_than_came_back_is_refused_above() {
    let mut random = Random(0);
    let story = Story::tell(&mut random);
    let history = |credit: EntryClaims| {
        let credit = write(credit, cheat());
        let report = write(follow(&credit, Event::Report(story.report(false))), cheat());
        encoded(&[story.told.clone(), vec![credit, report]].concat())
    };
    let mut grantor = story.grantor.clone();
    let mut less = story.honest_credit();
    less.back = minus(&less.back, &tokens(1));
    let refused = grantor.credit(&agents()[1], &history(less)).map(|_| ());
    let (entry, breach) = (8, Breach::FalseCredit);
    assert_eq!(refused, Err(Error::HistoryBreach { entry, breach }));
    // What it returns is credited already.
    let taken = grantor.credit(&agents()[1], &history(story.honest_credit())).map(|_| ());
    assert_eq!(taken, Ok(()));
}

/// What a cheat signed, and which statements show it.
struct Cheat {
    breach: Breach,
    /// What it signed besides or instead of the story.
    signed: Vec<Written>,
    /// The statements that are enough, besides the grant if one entry breaks it.
    shown: Vec<Statement>,
    needs_grant: bool,
    /// Whether the story with `signed` at its end is one history, which the grantor must refuse.
    history: bool,
}

impl Cheat {
    /// One entry that is a confession.
    fn alone(breach: Breach, claims: EntryClaims) -> Self {
        let written = write(claims, cheat());
        let (shown, signed) = (vec![written.bytes.clone()], vec![written]);
        Self { breach, signed, shown, needs_grant: true, history: true }
    }

    /// One entry that contradicts others.
    fn beside<'w>(
        breach: Breach,
        others: impl IntoIterator<Item = &'w Written>,
        claims: EntryClaims,
    ) -> Self {
        let mut cheat = Self::alone(breach, claims);
        cheat.shown.extend(others.into_iter().map(|other| other.bytes.clone()));
        Self { needs_grant: false, ..cheat }
    }

    /// Nothing that the grantor could see in the history alone.
    fn unseen(self) -> Self {
        Self { history: false, ..self }
    }
}

/// All that a holder can do wrong, one after the other.
#[expect(clippy::too_many_lines, reason = "a list")]
fn cheats(story: &Story, random: &mut Random) -> Vec<(&'static str, Cheat)> {
    use Breach::*;
    let end = story.end();
    let told = &story.told;
    let free = story.free();
    let limit = tokens_in(story.terms.amounts());
    let (heard, heard_total) = story.unheard();
    let any = random.below(told.len());
    let mut all = Vec::new();
    let mut add = |name, cheat| all.push((name, cheat));

    // E1
    let mut fork = told[any].claims.clone();
    fork.own = plus(&fork.own, &tokens(1));
    add("a fork", Cheat::beside(Fork, [&told[any]], fork).unseen());
    let mut astray = story.next_report();
    astray.prev = Some(told[random.below(LAST_SPLIT)].id);
    add("another predecessor", Cheat::beside(Fork, [end], astray));

    // E2
    add(
        "a split of too much",
        Cheat::alone(OverSplit, story.next_counted_split(tokens(free + 1 + limit))),
    );
    let over = story.next_counted_split(tokens(free + tokens_in(&story.returned()) + 1));
    add("a split of more than is free", Cheat::alone(OverSplit, over));
    let over = story.next_counted_split(tokens(free + 1 + random.up_to(40)));
    let mut cheat_ = Cheat::beside(OverSplit, [&told[REPORT]], over);
    cheat_.needs_grant = true;
    add("a split of what was returned", cheat_);
    let mut uncounted = story.next_split(tokens(1 + random.up_to(20)));
    uncounted.own = plus(&uncounted.own, &one_agent());
    add("a split that is not counted", Cheat::beside(OverSplit, [end], uncounted.clone()));
    let skipped = story.next_report();
    let skipped = write(skipped, cheat());
    let mut later_on = follow(&skipped, uncounted.event);
    later_on.own = uncounted.own;
    let mut cheat_ = Cheat::beside(OverSplit, [end], later_on);
    cheat_.signed.insert(0, skipped);
    add("a split that is not counted, seen from afar", cheat_);
    let mut large = story.next_split(tokens(tokens_in(&end.claims.out) + 1));
    large.own = plus(&large.own, &one_agent());
    add("a split of more than was ever granted", Cheat::alone(OverSplit, large));
    let mut half = story.next_counted_split(tokens(20));
    half.out = minus(&half.out, &tokens(1));
    add("a split that is counted in part", Cheat::beside(OverSplit, [end], half));
    let mut unpaid = story.next_counted_split(tokens(1));
    unpaid.own = end.claims.own.clone();
    add("a split without its agent", Cheat::beside(OverSplit, [end], unpaid));
    let mut none = story.next_counted_split(tokens(1));
    none.own = tokens(1);
    add("a split without any agent", Cheat::alone(OverSplit, none));
    let mut grown = story.next_report();
    grown.out = plus(&grown.out, &tokens(1));
    add("grants without a split", Cheat::beside(OverSplit, [end], grown));
    let first = |claims: EntryClaims| EntryClaims { seq: 0, prev: None, ..claims };
    let mut early = first(story.next_report());
    (early.back, early.own) = (Amounts::new(), tokens(1));
    add("grants before the first entry", Cheat::alone(OverSplit, early).unseen());

    // E3
    let mut over = story.next_report();
    over.own = plus(&over.own, &tokens(free + 1));
    add("use of too much", Cheat::alone(OverUse, over));
    let mut over = story.next_credit(LAST_SPLIT, heard.id, tokens(heard_total), heard_total);
    over.own = plus(&over.own, &tokens(free + heard_total + 1));
    let mut cheat_ = Cheat::beside(OverUse, [&told[REPORT]], over);
    cheat_.needs_grant = true;
    add("use of what was returned", cheat_);
    let mut over = story.next_report();
    over.own = plus(&over.own, &Amounts::new().with(Dimension::CPU, 1).expect("an amount"));
    add("use of what was never granted", Cheat::alone(OverUse, over));
    let exact = plus(&story.returned(), &rest(story));
    for (name, returned) in [
        ("a last report that keeps", minus(&exact, &tokens(1))),
        ("a last report that invents", plus(&exact, &tokens(1))),
    ] {
        let report = ReportClaims { returned, ..story.report(true) };
        add(name, Cheat::alone(OverUse, story.next(Event::Report(report))));
    }
    let mut report = story.report(false);
    report.returned = plus(&report.returned, &tokens(free + 1));
    add("a report that invents", Cheat::alone(OverUse, story.next(Event::Report(report))));

    // E4
    let mut fallen = story.next_report();
    fallen.own = minus(&fallen.own, &tokens(1));
    add("use that falls", Cheat::beside(Fell, [&told[LAST_SPLIT]], fallen));
    let mut fallen = story.next_report();
    fallen.out = minus(&fallen.out, &tokens(1));
    add("grants that fall", Cheat::beside(Fell, [end], fallen));
    let mut fallen = story.next_report();
    fallen.back = minus(&fallen.back, &tokens(1));
    add("returns from below that fall", Cheat::beside(Fell, [end], fallen));
    let mut report = story.report(false);
    report.returned = minus(&report.returned, &tokens(1));
    let fallen = story.next(Event::Report(report));
    add("returns that fall", Cheat::beside(Fell, [&told[REPORT]], fallen));

    // E5
    let mut grown = story.next_report();
    grown.back = plus(&grown.back, &tokens(1));
    add("returns without a credit", Cheat::beside(FalseCredit, [end], grown));
    let credit = story.next_credit(LAST_SPLIT, heard.id, tokens(heard_total), heard_total + 1);
    add("a credit of more than its total", Cheat::beside(FalseCredit, [end], credit));
    let total = returned_in(&story.more);
    let credit = story.next_credit(0, story.more.id, tokens(total), 11);
    let shown = [&told[SECOND_CREDIT], end];
    add("a credit of more than its total grew", Cheat::beside(FalseCredit, shown, credit));
    let honest = write(story.honest_credit(), cheat());
    let another = EntryId([9; 32]);
    let event = Event::Credit { split: 0, report: another, total: tokens(total), last: false };
    let mut twice = follow(&honest, event);
    twice.back = plus(&twice.back, &tokens(5));
    let mut cheat_ = Cheat::beside(FalseCredit, [&honest], twice);
    cheat_.signed.insert(0, honest.clone());
    add("one total credited twice in a row", cheat_);
    let Event::Split { terms, .. } = &told[0].claims.event else { panic!("entry 0 is a split") };
    let Event::Credit { total: then, .. } = &told[SECOND_CREDIT].claims.event else {
        panic!("entry 4 is a credit")
    };
    let beyond = tokens_in(terms.amounts()) + 1;
    let grown = beyond - tokens_in(then);
    let credit = story.next_credit(0, EntryId([9; 32]), tokens(beyond), grown);
    add("a credit beyond its grant", Cheat::beside(FalseCredit, [&told[0]], credit));
    let credit = story.next_credit(FIRST_CREDIT, heard.id, tokens(heard_total), heard_total);
    add("a credit for no split", Cheat::beside(FalseCredit, [&told[FIRST_CREDIT]], credit));
    let credit = story.next_credit(told.len(), heard.id, tokens(heard_total), 1);
    add("a credit for itself", Cheat::alone(FalseCredit, credit));
    let credit = story.next_credit(LAST_SPLIT, heard.id, tokens(limit), 1);
    add("a credit of more than was ever granted", Cheat::alone(FalseCredit, credit));
    let Event::Credit { report, total, .. } = &told[SECOND_CREDIT].claims.event else {
        panic!("entry 4 is a credit")
    };
    let credit = story.next_credit(0, *report, total.clone(), 0);
    add("a report credited twice", Cheat::beside(FalseCredit, [&told[SECOND_CREDIT]], credit));
    let credit = story.next_credit(LAST_SPLIT, *report, total.clone(), tokens_in(total));
    add("a report credited to two", Cheat::beside(FalseCredit, [&told[SECOND_CREDIT]], credit));
    let credit = story.next_credit(0, EntryId([9; 32]), minus(total, &tokens(1)), 0);
    add("a total that falls", Cheat::beside(FalseCredit, [&told[SECOND_CREDIT]], credit));
    let credit = story.next_credit(LAST_SPLIT, heard.id, tokens(heard_total + 1), heard_total + 1);
    add("another total than reported", Cheat::beside(FalseCredit, [heard], credit).unseen());
    let mut credit = story.next_credit(LAST_SPLIT, heard.id, tokens(heard_total), heard_total);
    if let Event::Credit { last, .. } = &mut credit.event {
        *last = true;
    }
    add("a last report that is none", Cheat::beside(FalseCredit, [heard], credit).unseen());
    let credit = story.next_credit(LAST_SPLIT, story.heard[0].id, tokens(3), 3);
    add("a report that is none", Cheat::beside(FalseCredit, [&story.heard[0]], credit).unseen());
    let credit = story.next_credit(LAST_SPLIT, story.foreign.id, tokens(20), 20);
    let shown = [&told[LAST_SPLIT], &story.foreign];
    add("a report on another budget", Cheat::beside(FalseCredit, shown, credit).unseen());
    let puppet = EntryClaims { holder: agents()[8].id(), ..heard.claims.clone() };
    let puppet = write(puppet, &agents()[8]);
    let credit = story.next_credit(LAST_SPLIT, puppet.id, tokens(heard_total), heard_total);
    let shown = [&told[LAST_SPLIT], &puppet];
    add("a report by somebody else", Cheat::beside(FalseCredit, shown, credit).unseen());
    let mut more = story.next_report();
    more.back = plus(&more.out, &tokens(1));
    add("more back than out", Cheat::alone(FalseCredit, more));
    let mut early = first(story.next_report());
    (early.out, early.own) = (Amounts::new(), Amounts::new());
    early.back = tokens(1);
    add("returns before the first grant", Cheat::alone(FalseCredit, early).unseen());

    // E6
    let whole = tokens(5);
    let wide = |deadline: Timestamp, depth, wall: Option<u64>, memory: Option<u64>| {
        let mut claims = story.next_counted_split(whole.clone());
        let amounts = match memory {
            Some(memory) => whole.clone().with(Dimension::MEMORY, memory).expect("a ceiling"),
            None => whole.clone(),
        };
        let mut terms = Terms::new(amounts, deadline, depth);
        if let Some(wall) = wall {
            terms = terms.with_wall(Duration::from_secs(wall)).expect("a wall time");
        }
        claims.event = Event::Split { to: agents()[7].id(), terms, request: None };
        claims
    };
    let memory = Wider::Amount(Dimension::MEMORY);
    for (name, wider, claims) in [
        ("a later deadline", Wider::Deadline, wide(later(601), 3, Some(30), Some(64))),
        ("as many levels", Wider::Depth, wide(later(600), 4, Some(30), Some(64))),
        ("a longer wall time", Wider::Wall, wide(later(600), 3, Some(31), Some(64))),
        ("a wall time left out", Wider::Wall, wide(later(600), 3, None, Some(64))),
        ("a higher ceiling", memory, wide(later(600), 3, Some(30), Some(65))),
        ("a ceiling left out", memory, wide(later(600), 3, Some(30), None)),
    ] {
        add(name, Cheat::alone(Widened(wider), claims));
    }

    // E7
    let mut last = story.report(true);
    last.returned = plus(&last.returned, &rest(story));
    let last = write(story.next(Event::Report(last)), cheat());
    let again = follow(&last, last.claims.event.clone());
    let mut cheat_ = Cheat::beside(AfterLast, [&last], again.clone());
    cheat_.signed.insert(0, last.clone());
    add("a report after the last", cheat_);
    let again = write(again, cheat());
    let far = follow(&again, again.claims.event.clone());
    let mut cheat_ = Cheat::beside(AfterLast, [&last], far);
    cheat_.signed.splice(0..0, [last, again]);
    add("a report long after the last", cheat_);

    let mut orphan = story.next_report();
    orphan.prev = None;
    add("no predecessor", Cheat::alone(Order, orphan));
    let mut heir = told[0].claims.clone();
    heir.prev = Some(end.id);
    add("a first entry with a predecessor", Cheat::alone(Order, heir).unseen());
    all
}

/// Everything that is left of all dimensions, for a last report.
fn rest(story: &Story) -> Amounts {
    let end = &story.end().claims;
    let outstanding = minus(&end.out, &end.back);
    [&end.own, &outstanding, &story.returned()]
        .into_iter()
        .fold(story.terms.amounts().consumables(), |left, one| minus(&left, one))
}

fn audited(story: &Story, statements: &[Statement], random: &mut Random) -> Vec<Evidence> {
    let mut shown: Vec<_> = statements.iter().map(Vec::as_slice).collect();
    for at in (1..shown.len()).rev() {
        shown.swap(at, random.below(at + 1));
    }
    let found = audit(&story.lineage, shown).expect("all is signed").evidence;
    for evidence in &found {
        assert_eq!(
            evidence.culprit(),
            cheat().id(),
            "{:?} accuses the innocent",
            evidence.breach()
        );
        assert_eq!(evidence.allotment(), told_allotment(story));
        assert_eq!(Evidence::verify(evidence.as_bytes()).as_ref(), Ok(evidence));
    }
    found
}

fn told_allotment(story: &Story) -> AllotmentId {
    story.told[0].claims.allotment
}

fn encoded(entries: &[Written]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(entries.len());
    entries.iter().for_each(|entry| {
        out.raw(&entry.bytes);
    });
    out.finish()
}

fn check(story: &Story, cheat_: &Cheat, random: &mut Random, every_byte: bool) {
    // Nothing but what shows it.
    let mut shown = cheat_.shown.clone();
    let grant = splits_of(story);
    if cheat_.needs_grant {
        shown.push(grant.clone());
    }
    let found = audited(story, &shown, random);
    let exact = found.iter().find(|evidence| evidence.breach() == cheat_.breach);
    let exact = exact.unwrap_or_else(|| panic!("{:?} in {found:?}", cheat_.breach));

    // All of it among more, and among everything.
    let mut everything: Vec<_> = story.told.iter().map(|one| one.bytes.clone()).collect();
    everything.extend(cheat_.signed.iter().map(|one| one.bytes.clone()));
    everything.extend(story.others.iter().cloned());
    let some = everything.iter().filter(|_| random.one_in(3)).cloned().collect::<Vec<_>>();
    shown.extend(some);
    assert!(!audited(story, &shown, random).is_empty(), "among more");
    everything.extend(shown);
    assert!(!audited(story, &everything, random).is_empty(), "among everything");

    // Every byte of the evidence counts.
    let bytes = exact.as_bytes();
    let positions: Vec<_> = if every_byte {
        (0..bytes.len()).collect()
    } else {
        (0..4).map(|_| random.below(bytes.len())).collect()
    };
    for at in positions {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << random.below(8);
        assert!(Evidence::verify(&changed).is_err(), "byte {at} of {} is not checked", bytes.len());
    }

    // Whoever granted it is not fooled, and keeps what it has.
    if cheat_.history {
        let mut history = story.told.clone();
        history.extend(cheat_.signed.iter().cloned());
        let end = history.last().expect("entries");
        if !matches!(end.claims.event, Event::Report(_)) {
            // Honest by itself, so that it is the cheat that is refused.
            let last = follow(end, Event::Report(story.report(false)));
            history.push(write(last, cheat()));
        }
        let mut grantor = story.grantor.clone();
        let refused = grantor.credit(&agents()[1], &encoded(&history));
        assert!(
            matches!(refused, Err(Error::HistoryBreach { .. } | Error::ReportRefused { .. })),
            "{refused:?}"
        );
        assert_eq!(grantor.to_bytes(), story.grantor.to_bytes());
    }
}

/// The split by which the cheat holds what it broke.
fn splits_of(story: &Story) -> Statement {
    read(&story.grantor.entries())[0].bytes.clone()
}

#[test]
fn every_cheat_convicts_itself_and_nobody_else() {
    let mut count = 0;
    for number in 0..trees(10_000) / 1000 {
        let mut random = Random(number);
        let story = Story::tell(&mut random);
        let honest: Vec<_> = story.told.iter().map(|one| one.bytes.clone()).collect();
        let honest = [honest, story.others.clone()].concat();
        assert_eq!(audited(&story, &honest, &mut random), []);
        // A credit between two others is not shown: the total has grown by more than the last of them brought.
        let credit = write(story.honest_credit(), cheat());
        for earlier in [FIRST_CREDIT, SECOND_CREDIT] {
            let shown = [&story.told[earlier], story.end(), &credit].map(|one| one.bytes.clone());
            assert_eq!(audited(&story, &shown, &mut random), []);
        }
        for (name, cheat_) in cheats(&story, &mut random) {
            let _case = Case(name, number);
            check(&story, &cheat_, &mut random, number == 0);
            count += 1;
        }
    }
    std::println!("{count} cheats");
}

/// Changes something, anything, in an entry.
fn lie(claims: &mut EntryClaims, random: &mut Random) {
    let amount = match random.below(6) {
        0 => u64::MAX,
        1 => 1 << 63,
        2 => 1,
        _ => random.up_to(200),
    };
    let amount = tokens(amount);
    let change = |totals: &mut Amounts, random: &mut Random| {
        let changed = match random.below(3) {
            0 => Ok(amount.clone()),
            1 => totals.checked_add(&amount),
            _ => totals.checked_sub(&amount),
        };
        if let Ok(changed) = changed {
            *totals = changed;
        }
    };
    match random.below(6) {
        0 => change(&mut claims.own, random),
        1 => change(&mut claims.out, random),
        2 => change(&mut claims.back, random),
        3 => claims.seq = random.up_to(9),
        _ => match &mut claims.event {
            Event::Split { to, .. } => *to = random.pick(agents()).id(),
            Event::Credit { split, .. } if random.one_in(2) => *split = random.up_to(9),
            Event::Credit { total, last, .. } => {
                change(total, random);
                *last = random.one_in(2);
            }
            Event::Report(report) => {
                change(&mut report.returned, random);
                report.last = random.one_in(2);
            }
        },
    }
}

#[test]
fn whatever_those_below_say_an_honest_ledger_keeps_every_unit() {
    let (mut taken, mut refused) = (0, 0);
    for number in 0..trees(10_000) / 200 {
        let mut random = Random(number);
        let story = Story::tell(&mut random);
        for _ in 0..20 {
            let _case = Case("story", number);
            // A liar who keeps its chain in order, and an ending that a grantor would like.
            let mut history: Vec<Written> = Vec::new();
            let liar_tells = 1 + random.below(2);
            let lies: Vec<_> =
                (0..liar_tells).map(|_| random.below(story.told.len() + 1)).collect();
            let mut end = story.report(random.one_in(2));
            if end.last {
                end.returned = plus(&end.returned, &rest(&story));
            }
            let ending = story.next(Event::Report(end));
            let claims = story.told.iter().map(|one| &one.claims).chain([&ending]);
            for (index, claims) in claims.enumerate() {
                let mut claims = claims.clone();
                claims.prev = history.last().map(|last| last.id);
                if lies.contains(&index) {
                    lie(&mut claims, &mut random);
                }
                history.push(write(claims, cheat()));
            }
            let mut grantor = story.grantor.clone();
            let before = (grantor.to_bytes(), grantor.free(), tokens_in(grantor.credited()));
            match grantor.credit(&agents()[1], &encoded(&history)) {
                Ok(credited) => taken += usize::from(credited.is_some()),
                Err(_) => {
                    assert_eq!(grantor.to_bytes(), before.0);
                    refused += 1;
                }
            }
            let child = grantor.children().next().expect("the liar").1;
            assert!(child.returned().le(&child.terms().amounts().consumables()));
            let grown = tokens_in(grantor.credited()) - before.2;
            assert_eq!(grantor.free().checked_sub(&before.1).map(|new| tokens_in(&new)), Ok(grown));
            // Whoever is accused, it is not the one who believed.
            let shown = read(&grantor.entries()).into_iter().chain(history);
            let shown: Vec<_> = shown.map(|one| one.bytes).chain(story.others.clone()).collect();
            audited(&story, &shown, &mut random);
        }
    }
    assert!(taken > 0 && refused > taken, "{taken} taken, {refused} refused");
}
