//! What proves a false credit, statement by statement, and what only looks as if it did.
//!
//! Ledgers written by hand: nothing here needs an allotment that was ever granted.

use super::super::entry::{EntryClaims, Event, ReportClaims};
use super::fixture::{NOW, agents, later, open, root, tokens, tokens_and_agents};
use super::ledger::{encode, evidence_of};
use super::*;
use crate::Error;
use crate::digest::{AllotmentId, EntryId};

/// Who keeps the ledger, and who holds what is granted there.
const HOLDER: usize = 1;
const CHILD: usize = 2;
const OTHER: usize = 3;

/// A signed entry with its claims.
struct Entry {
    claims: EntryClaims,
    bytes: Vec<u8>,
    id: EntryId,
}

impl Entry {
    /// Signs claims as the agent with this number.
    fn by(agent: usize, claims: EntryClaims) -> Self {
        let agent = &agents()[agent];
        let claims = EntryClaims { holder: agent.id(), ..claims };
        let (bytes, id) = claims.sign(agent.signing_key());
        Self { claims, bytes, id }
    }

    fn first(event: Event) -> Self {
        let (own, out) = match &event {
            Event::Split { terms, .. } => (tokens_and_agents(0, 1), terms.amounts().consumables()),
            _ => (Amounts::new(), Amounts::new()),
        };
        let (allotment, back) = (AllotmentId([7; 32]), Amounts::new());
        let (holder, prev, seq) = (agents()[HOLDER].id(), None, 0);
        Self::by(HOLDER, EntryClaims { holder, allotment, prev, seq, own, out, back, event })
    }

    /// The claims of the entry after this one, as an honest holder would write them, but for what comes back.
    fn next(&self, event: Event) -> EntryClaims {
        let mut claims = self.claims.clone();
        (claims.prev, claims.seq) = (Some(self.id), self.claims.seq + 1);
        if let Event::Split { terms, .. } = &event {
            claims.own = claims.own.checked_add(&tokens_and_agents(0, 1)).expect("few agents");
            let granted = terms.amounts().consumables();
            claims.out = claims.out.checked_add(&granted).expect("few tokens");
        }
        claims.event = event;
        claims
    }

    fn then(&self, event: Event) -> Self {
        Self::by(HOLDER, self.next(event))
    }

    /// The entry after this one, of as many tokens more that came back.
    fn then_back(&self, event: Event, grown: u64) -> Self {
        let mut claims = self.next(event);
        claims.back = claims.back.checked_add(&tokens(grown)).expect("few tokens");
        Self::by(HOLDER, claims)
    }

    /// This one, with something else in it.
    fn but(&self, change: impl FnOnce(&mut EntryClaims)) -> Self {
        let mut claims = self.claims.clone();
        change(&mut claims);
        Self::by(HOLDER, claims)
    }
}

fn split(to: usize, amount: u64) -> Event {
    let terms = Terms::new(tokens(amount), later(600), 0);
    Event::Split { to: agents()[to].id(), terms, request: None }
}

fn credit(split: u64, report: EntryId, total: u64) -> Event {
    Event::Credit { split, report, total: tokens(total), last: false }
}

fn report(returned: u64) -> Event {
    Event::Report(ReportClaims {
        returned: tokens(returned),
        last: false,
        basis: Basis::Declared,
        outcome: Outcome::Done,
        overrun: Amounts::new(),
    })
}

/// A report that `agent` signs in a ledger of its own.
fn report_by(agent: usize, allotment: [u8; 32], returned: u64) -> Entry {
    let claims = Entry::first(report(returned)).claims;
    Entry::by(agent, EntryClaims { allotment: AllotmentId(allotment), ..claims })
}

/// The verdict on evidence that somebody made of these statements.
fn verdict(entries: &[&Entry], report: Option<&Entry>) -> Result<Breach, Error> {
    let entries: Vec<_> = entries.iter().map(|entry| &entry.bytes[..]).collect();
    let made = evidence_of(None, &entries, report.map(|report| &report.bytes[..]));
    Evidence::verify(&made).map(|evidence| evidence.breach())
}

const CONVICTED: Result<Breach, Error> = Ok(Breach::FalseCredit);
const NOTHING: Result<Breach, Error> = Err(Error::NoEvidence);

#[test]
fn a_credit_for_a_report_wrong_in_its_allotment_or_in_its_holder_convicts() {
    let grant = Entry::first(split(CHILD, 60));
    let id = *grant.id.as_bytes();
    for (agent, allotment, expected) in [
        (CHILD, id, NOTHING),
        (CHILD, [9; 32], CONVICTED),
        (OTHER, id, CONVICTED),
        (OTHER, [9; 32], CONVICTED),
    ] {
        let report = report_by(agent, allotment, 5);
        let credit = grant.then_back(credit(0, report.id, 5), 5);
        assert_eq!(verdict(&[&grant, &credit], Some(&report)), expected);
    }
}

#[test]
fn a_foreign_report_convicts_by_the_split_and_the_report_that_the_credit_names_and_no_others() {
    let grant = Entry::first(split(CHILD, 60));
    let foreign = report_by(OTHER, [9; 32], 5);
    let named = grant.then_back(credit(0, foreign.id, 5), 5);
    assert_eq!(verdict(&[&grant, &named], Some(&foreign)), CONVICTED);

    let another_report = grant.then_back(credit(0, EntryId([8; 32]), 5), 5);
    assert_eq!(verdict(&[&grant, &another_report], Some(&foreign)), NOTHING);
    let another_split = grant.then_back(credit(1, foreign.id, 5), 5);
    assert_eq!(verdict(&[&grant, &another_split], Some(&foreign)), NOTHING);
    let another_allotment = named.but(|claims| claims.allotment = AllotmentId([6; 32]));
    assert_eq!(verdict(&[&grant, &another_allotment], Some(&foreign)), NOTHING);
    let another_holder = Entry::by(OTHER, named.claims.clone());
    assert_eq!(verdict(&[&grant, &another_holder], Some(&foreign)), NOTHING);
    // Only a credit for a split rests on a report.
    let no_credit = grant.then(report(0));
    assert_eq!(verdict(&[&grant, &no_credit], Some(&foreign)), NOTHING);
    assert_eq!(verdict(&[&no_credit, &named], Some(&foreign)), NOTHING);
}

#[test]
fn a_credit_of_another_total_or_end_than_its_report_states_convicts() {
    let grant = Entry::first(split(CHILD, 60));
    let told = report_by(CHILD, *grant.id.as_bytes(), 5);
    let stating = |id, total, last| {
        grant.then_back(Event::Credit { split: 0, report: id, total: tokens(total), last }, total)
    };
    assert_eq!(verdict(&[&stating(told.id, 5, false)], Some(&told)), NOTHING);
    assert_eq!(verdict(&[&stating(told.id, 6, false)], Some(&told)), CONVICTED);
    assert_eq!(verdict(&[&stating(told.id, 5, true)], Some(&told)), CONVICTED);
    assert_eq!(verdict(&[&stating(EntryId([8; 32]), 6, false)], Some(&told)), NOTHING);
    // What is no report states nothing.
    assert_eq!(verdict(&[&stating(grant.id, 5, false)], Some(&grant)), CONVICTED);
    assert_eq!(verdict(&[&grant], Some(&told)), NOTHING);
}

/// A ledger with two splits and two credits for the first, between which `gap` reports were written. The second credit's
/// total grew by 5, and what came back by `grown`.
fn credited_twice(gap: usize, grown: u64) -> Vec<Entry> {
    let first = Entry::first(split(CHILD, 60));
    let second = first.then(split(OTHER, 60));
    let credited = second.then_back(credit(0, EntryId([1; 32]), 10), 10);
    let mut told = Vec::from([first, second, credited]);
    for _ in 0..gap {
        let next = told[told.len() - 1].then(report(0));
        told.push(next);
    }
    let again = told[told.len() - 1].then_back(credit(0, EntryId([2; 32]), 15), grown);
    told.push(again);
    told
}

#[test]
fn returns_that_grow_by_more_than_the_total_since_the_last_credit_convict() {
    let told = credited_twice(2, 6);
    let [_, _, credited, _, before, one] = &told[..] else { panic!("six entries") };
    assert_eq!(verdict(&[credited, before, one], None), CONVICTED);
    let honest = credited_twice(2, 5);
    let [_, _, credited, _, before, one] = &honest[..] else { panic!("six entries") };
    assert_eq!(verdict(&[credited, before, one], None), NOTHING);
    // An audit finds it, too.
    let lineage = root(&agents()[HOLDER], &Terms::new(tokens(200), later(600), 1), 0);
    let found = audit(&lineage, told.iter().map(|entry| &entry.bytes[..])).expect("all is signed");
    let found: Vec<_> = found.evidence.iter().map(Evidence::breach).collect();
    assert_eq!(found, [Breach::FalseCredit]);
}

#[test]
fn growth_is_measured_from_the_entry_just_before_by_its_number_and_its_id() {
    let told = credited_twice(2, 6);
    let [_, _, credited, earlier, before, one] = &told[..] else { panic!("six entries") };
    let by_number_alone = one.but(|claims| claims.prev = Some(EntryId([8; 32])));
    assert_eq!(verdict(&[credited, before, &by_number_alone], None), NOTHING);
    let by_id_alone = one.but(|claims| claims.seq += 1);
    assert_eq!(verdict(&[credited, before, &by_id_alone], None), NOTHING);
    // What lies between may have brought what came back.
    assert_eq!(verdict(&[credited, earlier, one], None), NOTHING);
}

#[test]
fn growth_is_measured_against_an_earlier_credit_for_the_same_split_in_the_same_ledger() {
    let told = credited_twice(1, 6);
    let [grant, _, credited, before, one] = &told[..] else { panic!("five entries") };
    assert_eq!(verdict(&[credited, before, one], None), CONVICTED);

    for changed in [
        credited.but(|claims| claims.event = credit(1, EntryId([1; 32]), 10)),
        credited.but(|claims| claims.seq = before.claims.seq),
        credited.but(|claims| claims.seq = before.claims.seq + 5),
        credited.but(|claims| claims.allotment = AllotmentId([6; 32])),
        Entry::by(OTHER, credited.claims.clone()),
    ] {
        assert_eq!(verdict(&[&changed, before, one], None), NOTHING);
    }
    assert_eq!(verdict(&[grant, before, one], None), NOTHING);
    let elsewhere = before.but(|claims| claims.allotment = AllotmentId([6; 32]));
    let follows = one.but(|claims| claims.prev = Some(elsewhere.id));
    assert_eq!(verdict(&[credited, &elsewhere, &follows], None), NOTHING);

    // Two entries show this one, so that three of which two are the same are not evidence.
    let adjacent = credited_twice(0, 6);
    let [_, _, credited, one] = &adjacent[..] else { panic!("four entries") };
    assert_eq!(verdict(&[credited, one], None), CONVICTED);
    assert_eq!(verdict(&[credited, credited, one], None), NOTHING);
}

#[test]
fn a_credit_is_bounded_by_its_own_split_and_by_no_other() {
    let small = Entry::first(split(CHILD, 10));
    let large = small.then(split(OTHER, 60));
    let credited = large.then_back(credit(1, EntryId([1; 32]), 50), 50);
    let verdict = |split: &Entry, credit: &Entry| {
        let found = Evidence::between(&split.bytes, &credit.bytes).expect("both are signed");
        found.map(|evidence| evidence.breach())
    };
    assert_eq!(verdict(&small, &credited), None);
    assert_eq!(verdict(&large, &credited), None);
    let beyond = large.then_back(credit(1, EntryId([1; 32]), 61), 61);
    assert_eq!(verdict(&small, &beyond), None);
    assert_eq!(verdict(&large, &beyond), Some(Breach::FalseCredit));
    let beyond = large.then_back(credit(0, EntryId([1; 32]), 50), 50);
    assert_eq!(verdict(&small, &beyond), Some(Breach::FalseCredit));
    // Nothing comes back for what is no split.
    let told = large.then(report(0));
    let for_a_report = told.then_back(credit(2, EntryId([1; 32]), 50), 50);
    assert_eq!(verdict(&told, &for_a_report), Some(Breach::FalseCredit));
}

/// What a grantor says to a history that goes on from two splits, of 10 and of 60, with these credits.
fn refusal(credits: &[Event]) -> Result<(), Error> {
    let first = Entry::first(split(CHILD, 10));
    let second = first.then(split(OTHER, 60));
    let mut told = Vec::from([first, second]);
    for event in credits {
        let grown = match event {
            Event::Credit { total, .. } => total.get(Dimension::OUTPUT_TOKENS).unwrap_or(0),
            _ => 0,
        };
        let next = told[told.len() - 1].then_back(event.clone(), grown);
        told.push(next);
    }
    let last = told[told.len() - 1].then(report(0));
    told.push(last);
    let terms = Terms::new(tokens_and_agents(100, 9), later(600), 1);
    let bytes: Vec<_> = told.iter().map(|entry| &entry.bytes[..]).collect();
    let bytes = encode(&bytes);
    let history = super::super::history::History::decode(&bytes).expect("a history");
    history.check(&terms, &agents()[HOLDER].id()).map(|_| ())
}

#[test]
fn a_history_is_refused_for_a_credit_beyond_its_split_or_for_a_report_credited_before() {
    let [one, two] = [EntryId([1; 32]), EntryId([2; 32])];
    let refused = |entry| Err(Error::HistoryBreach { entry, breach: Breach::FalseCredit });
    assert_eq!(refusal(&[credit(0, one, 5), report(0), credit(1, two, 5)]), Ok(()));
    // Neither adjacent entry shows it.
    assert_eq!(refusal(&[credit(0, one, 20)]), refused(2));
    assert_eq!(refusal(&[credit(0, one, 5), report(0), credit(1, one, 5)]), refused(4));
    // For what is no split.
    assert_eq!(refusal(&[credit(0, one, 5), report(0), credit(2, two, 5)]), refused(4));
}

#[test]
fn an_audit_holds_each_ledger_against_its_own_grant() {
    let lineage = root(&agents()[HOLDER], &Terms::new(tokens_and_agents(100, 9), later(600), 1), 0);
    let allotment = ledger_id(&lineage);
    let over = |claims: &mut EntryClaims| {
        claims.allotment = allotment;
        claims.own = tokens_and_agents(95, 1);
    };
    let grant = Entry::first(split(CHILD, 10));
    let (honest, over) = (grant.but(|claims| claims.allotment = allotment), grant.but(over));
    let child = report_by(CHILD, *honest.id.as_bytes(), 11);
    let found = |entries: &[&Entry]| -> Vec<_> {
        let entries = entries.iter().map(|entry| &entry.bytes[..]);
        let found = audit(&lineage, entries).expect("all is signed").evidence;
        found.iter().map(|evidence| (evidence.culprit(), evidence.breach())).collect()
    };
    assert_eq!(found(&[&honest]), []);
    assert_eq!(found(&[&over]), [(agents()[HOLDER].id(), Breach::OverSplit)]);
    assert_eq!(found(&[&honest, &child]), [(agents()[CHILD].id(), Breach::OverUse)]);
}

#[test]
fn a_credit_for_itself_or_of_more_than_was_ever_granted_convicts_alone() {
    let terms = Terms::new(tokens_and_agents(100, 9), later(600), 1);
    let lineage = root(&agents()[HOLDER], &terms, 0);
    let allotment = ledger_id(&lineage);
    let grant = Entry::first(split(CHILD, 60)).but(|claims| claims.allotment = allotment);
    let found = |event| -> Vec<_> {
        let credit = grant.then_back(event, 5);
        let found = audit(&lineage, [&credit.bytes[..]]).expect("it is signed").evidence;
        found.iter().map(Evidence::breach).collect()
    };
    assert_eq!(found(credit(0, EntryId([1; 32]), 60)), []);
    assert_eq!(found(credit(1, EntryId([1; 32]), 60)), [Breach::FalseCredit]);
    assert_eq!(found(credit(0, EntryId([1; 32]), 61)), [Breach::FalseCredit]);
}

#[test]
fn an_account_is_closed_by_a_last_report_and_by_nothing_else() {
    let terms = Terms::new(tokens(100), later(600), 1);
    let lineage = root(&agents()[HOLDER], &terms, 0);
    let mut ledger = open(&lineage, &agents()[HOLDER], NOW);
    let closed = |history: &[u8]| {
        let shown = entries(history).expect("a history");
        audit(&lineage, shown).expect("all is signed").accounts[&ledger_id(&lineage)].closed
    };
    let by = &agents()[HOLDER];
    let returned = ledger.give_back(by, &tokens(5), Basis::Declared).expect("it is free");
    assert!(!closed(&returned.persisted()));
    let last = ledger.close(by, Basis::Declared, Outcome::Done).expect("it was open");
    assert!(closed(&last.persisted()));
}

fn ledger_id(lineage: &[u8]) -> AllotmentId {
    open(lineage, &agents()[HOLDER], NOW).id()
}
