use super::fixture::{NOW, agents, later, open, open_within, root, tokens, tokens_and_agents};
use super::*;
use crate::cbor::Encoder;
use crate::digest::AllotmentId;
use crate::identity::Identity;
use crate::{Error, Limits, Timestamp};
use core::time::Duration;

fn terms(amounts: Amounts) -> Terms {
    Terms::new(amounts, later(3600), 3)
}

fn ledger(amounts: Amounts) -> Ledger {
    open(&root(&agents()[1], &terms(amounts), 0), &agents()[1], NOW)
}

fn part(to: usize, amounts: Amounts) -> Split {
    Split::new(agents()[to].id(), Terms::new(amounts, later(3600), 2))
}

fn child(of: &mut Ledger, to: usize, amount: u64) -> Ledger {
    let split = part(to, tokens(amount));
    let lineage = of.split(&agents()[1], &split, None, &Amounts::new(), NOW).expect("it is free");
    open(&lineage.persisted(), &agents()[to], NOW)
}

fn lacking(dimension: Dimension, available: u64, needed: u64) -> Error {
    Error::AmountLacking { dimension, available, needed }
}

/// Asserts that an operation fails so and changes nothing.
fn refuses<T: core::fmt::Debug>(
    ledger: &mut Ledger,
    error: &Error,
    operation: impl FnOnce(&mut Ledger) -> Result<T, Error>,
) {
    let before = ledger.to_bytes();
    let found = operation(ledger).map(|_| ());
    assert_eq!(found.as_ref(), Err(error));
    assert_eq!(ledger.to_bytes(), before, "{error} changed something");
}

#[test]
fn a_ledger_opens_for_its_holder_alone() {
    let lineage = root(&agents()[1], &terms(tokens(1)), 0);
    let mut decoder = crate::cbor::Decoder::new(&lineage);
    let lineage = Lineage::decode(&mut decoder, &crate::Limits::none(), None).expect("a lineage");
    let opened = Ledger::open(Funded::assertion(&lineage), &agents()[2], NOW);
    let (expected, found) = (agents()[1].id(), agents()[2].id());
    assert_eq!(opened, Err(Error::WrongIdentity { expected, found }));
}

/// Limits are for what others send. A verifier that takes longer lineages must not lose the ledgers that they open.
#[test]
fn a_ledger_under_more_splits_than_the_default_limits_allow_goes_on() {
    let limits = Limits { links: 32, ..Limits::default() };
    let terms = |depth: u32| Terms::new(tokens_and_agents(1, u64::from(depth)), later(3600), depth);
    let mut lineage = root(&agents()[1], &terms(32), 0);
    for (number, depth) in (1..32).zip((0..32).rev()) {
        let [holder, next] = [number % 2, (number + 1) % 2].map(|odd| &agents()[2 - odd]);
        let mut ledger = open_within(&limits, &lineage, holder, NOW);
        let split = Split::new(next.id(), terms(depth));
        let made = ledger.split(holder, &split, None, &Amounts::new(), NOW).expect("it is free");
        lineage = made.persisted();
        assert_eq!(Ledger::resume(&ledger.to_bytes()), Ok(ledger));
    }
    assert_eq!(splits(&lineage).expect("a lineage").len(), 31);
}

#[test]
fn every_dimension_or_none() {
    let amounts = tokens(10).with(Dimension::TOOL_CALLS, 1).expect("an amount");
    let mut ledger = ledger(amounts.with(Dimension::MEMORY, 64).expect("a ceiling"));
    let both = tokens(5).with(Dimension::TOOL_CALLS, 2).expect("an amount");
    refuses(&mut ledger, &lacking(Dimension::TOOL_CALLS, 1, 2), |ledger| ledger.charge(&both));
    refuses(&mut ledger, &lacking(Dimension::TOOL_CALLS, 1, 2), |ledger| ledger.reserve(&both));
    let give = |ledger: &mut Ledger| ledger.give_back(&agents()[1], &both, Basis::Declared);
    refuses(&mut ledger, &lacking(Dimension::TOOL_CALLS, 1, 2), give);
    let memory = |most| tokens(1).with(Dimension::MEMORY, most).expect("a ceiling");
    let above = lacking(Dimension::MEMORY, 64, 65);
    refuses(&mut ledger, &above, |ledger| ledger.charge(&memory(65)));
    // A ceiling is compared, not used up.
    assert_eq!(ledger.charge(&memory(64)), Ok(()));
    assert_eq!(ledger.charge(&memory(64)), Ok(()));
    assert_eq!(ledger.own(), &tokens(2));
    let money = Amounts::new().with_unit(Dimension::MONEY, 1, "EUR:2").expect("money");
    refuses(&mut ledger, &lacking(Dimension::MONEY, 0, 1), |ledger| ledger.charge(&money));
}

#[test]
fn a_ceiling_in_a_unit_bounds_what_is_used_in_that_unit() {
    let disk = Dimension::private(1 << 20, DimensionKind::Ceiling).expect("a private number");
    let on_disk =
        |most, unit| tokens(1).with_unit(disk, most, unit).expect("a ceiling with its unit");
    let mut ledger = ledger(on_disk(64, "GB"));
    refuses(&mut ledger, &lacking(disk, 64, 65), |ledger| ledger.charge(&on_disk(65, "GB")));
    refuses(&mut ledger, &lacking(disk, 64, 65), |ledger| ledger.reserve(&on_disk(65, "GB")));
    assert_eq!(ledger.charge(&on_disk(64, "GB")), Ok(()));
}

#[test]
fn a_ledger_tells_what_it_granted_and_what_each_child_returned() {
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let mut one = child(&mut ledger, 2, 60);
    let _two = child(&mut ledger, 3, 10);
    assert_eq!(ledger.granted(), &tokens(70));
    one.charge(&tokens(20)).expect("it is free");
    let told = |ledger: &Ledger| {
        let told = |(_, child): (_, &Child)| (child.returned().clone(), child.is_done());
        ledger.children().map(told).collect::<Vec<_>>()
    };
    let part = one.give_back(&agents()[2], &tokens(15), Basis::Declared).expect("it is free");
    let _ = ledger.credit(&agents()[1], &part.persisted()).expect("an honest report");
    assert_eq!(told(&ledger), [(tokens(15), false), (Amounts::new(), false)]);
    let rest = one.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let _ = ledger.credit(&agents()[1], &rest.persisted()).expect("an honest report");
    assert_eq!(told(&ledger), [(tokens(40), true), (Amounts::new(), false)]);
    // What came back was granted all the same.
    assert_eq!(ledger.granted(), &tokens(70));
}

#[test]
fn the_edges_of_numbers_neither_wrap_nor_panic() {
    for limit in [1, 1 << 63, u64::MAX] {
        for used in [0, 1, 1 << 63, u64::MAX - 1, u64::MAX] {
            let mut ledger = ledger(tokens(limit));
            match limit.checked_sub(used) {
                Some(left) => {
                    assert_eq!(ledger.charge(&tokens(used)), Ok(()));
                    assert_eq!(ledger.free(), tokens(left));
                }
                None => {
                    let error = lacking(Dimension::OUTPUT_TOKENS, limit, used);
                    refuses(&mut ledger, &error, |ledger| ledger.charge(&tokens(used)));
                }
            }
            let free = ledger.free();
            let hold = ledger.reserve(&free).expect("it is free");
            let beyond = ledger.commit(hold, &tokens(u64::MAX)).expect("a hold of this ledger");
            assert_eq!(beyond, minus(&tokens(u64::MAX), &free));
            assert_eq!(ledger.own(), &tokens(limit));
            assert_eq!(ledger.free(), Amounts::new());
        }
    }
    let mut ledger = ledger(tokens_and_agents(u64::MAX, u64::MAX));
    let dimension = Dimension::OUTPUT_TOKENS;
    assert_eq!(ledger.record(&tokens(u64::MAX)), Ok(Amounts::new()));
    assert_eq!(ledger.record(&tokens(u64::MAX)), Ok(tokens(u64::MAX)));
    refuses(&mut ledger, &Error::AmountOverflow { dimension }, |ledger| ledger.record(&tokens(1)));
    let dimension = Dimension::AGENTS;
    let keep = Amounts::new().with(dimension, u64::MAX).expect("an amount");
    refuses(&mut ledger, &Error::AmountOverflow { dimension }, |ledger| {
        ledger.split(&agents()[1], &part(2, Amounts::new()), None, &keep, NOW)
    });
}

fn minus(one: &Amounts, other: &Amounts) -> Amounts {
    one.checked_sub(other).expect("less")
}

#[test]
fn a_split_is_exact_or_refused() {
    let by = &agents()[1];
    let deadline = later(3600);
    let concurrency =
        |amounts: Amounts| amounts.with(Dimension::CONCURRENCY, 2).expect("a ceiling");
    let mut ledger = ledger(concurrency(tokens_and_agents(100, 5)));
    let split = |to: usize, amount, agents_, depth, deadline| {
        Split::new(
            agents()[to].id(),
            Terms::new(concurrency(tokens_and_agents(amount, agents_)), deadline, depth),
        )
    };
    let none = Amounts::new();
    let tokens_ = Dimension::OUTPUT_TOKENS;
    let widened = |wider| Error::SplitWidened { wider };
    let reason = "a split is for somebody else";
    let cases: [(Error, Split, Amounts, Timestamp); 10] = [
        (lacking(tokens_, 100, 101), split(2, 100, 1, 2, deadline), tokens(1), NOW),
        (lacking(Dimension::AGENTS, 5, 6), split(2, 1, 5, 2, deadline), none.clone(), NOW),
        (widened(Wider::Amount(tokens_)), split(2, 101, 1, 2, deadline), none.clone(), NOW),
        (widened(Wider::Depth), split(2, 1, 1, 3, deadline), none.clone(), NOW),
        (widened(Wider::Deadline), split(2, 1, 1, 2, later(3601)), none.clone(), NOW),
        (widened(Wider::Amount(Dimension::CONCURRENCY)), part(2, tokens(1)), none.clone(), NOW),
        (Error::LedgerRefused { reason }, split(1, 1, 1, 2, deadline), none.clone(), NOW),
        (
            Error::DeadlinePassed { deadline, now: deadline },
            split(2, 1, 1, 2, deadline),
            none.clone(),
            deadline,
        ),
        // Nobody could open what is over already.
        (
            Error::DeadlinePassed { deadline: NOW, now: NOW },
            split(2, 1, 1, 2, NOW),
            none.clone(),
            NOW,
        ),
        (
            Error::DeadlinePassed { deadline: later(1), now: later(2) },
            split(2, 1, 1, 2, later(1)),
            none.clone(),
            later(2),
        ),
    ];
    for (error, split, keep, now) in &cases {
        refuses(&mut ledger, error, |ledger| ledger.split(by, split, None, keep, *now));
    }
    let (expected, found) = (by.id(), agents()[2].id());
    refuses(&mut ledger, &Error::WrongIdentity { expected, found }, |ledger| {
        ledger.split(&agents()[2], &split(3, 1, 1, 2, deadline), None, &none, NOW)
    });
    // All of it but what finishing takes.
    for to in [2, 3] {
        let _ = ledger
            .split(by, &split(to, 45, 1, 2, deadline), None, &tokens(10), NOW)
            .expect("it is free");
    }
    assert_eq!(ledger.free(), tokens_and_agents(10, 1));
    refuses(&mut ledger, &Error::TooManyChildren { running: 2 }, |ledger| {
        ledger.split(by, &split(4, 1, 0, 2, deadline), None, &none, NOW)
    });
}

#[test]
fn wall_time_runs_out_and_does_not_come_back() {
    let terms =
        terms(tokens_and_agents(100, 9)).with_wall(Duration::from_secs(30)).expect("a wall");
    let lineage = root(&agents()[1], &terms, 0);
    let mut ledger = open(&lineage, &agents()[1], NOW);
    let split = part(2, tokens(1));
    let at = |ledger: &mut Ledger, now| {
        let before = ledger.children().count();
        let done = ledger.split(&agents()[1], &split, None, &Amounts::new(), now).map(|_| ());
        assert_eq!(ledger.children().count(), before + usize::from(done.is_ok()));
        done.map(|()| ledger.children().last().and_then(|(_, child)| child.terms().wall()))
    };
    assert_eq!(at(&mut ledger, later(10)), Ok(Some(Duration::from_secs(20))));
    // A restart begins no new time.
    let mut ledger = Ledger::resume(&ledger.to_bytes()).expect("it was written");
    assert_eq!(at(&mut ledger, later(29)), Ok(Some(Duration::from_secs(1))));
    let over = Error::DeadlinePassed { deadline: later(30), now: later(30) };
    assert_eq!(at(&mut ledger, later(30)), Err(over));
    let longer = part(2, tokens(1)).terms.with_wall(Duration::from_secs(21)).expect("a wall");
    let longer = Split::new(agents()[2].id(), longer);
    let wider = Wider::Wall;
    refuses(&mut ledger, &Error::SplitWidened { wider }, |ledger| {
        ledger.split(&agents()[1], &longer, None, &Amounts::new(), later(10))
    });
}

#[test]
fn holds_are_of_one_ledger_and_of_one_life() {
    let mut ledger = ledger(tokens(100));
    let other = open(&root(&agents()[1], &terms(tokens(100)), 1), &agents()[1], NOW);
    let mut other = other;
    let strange = other.reserve(&tokens(5)).expect("it is free");
    let hold = ledger.reserve(&tokens(20)).expect("it is free");
    let released = ledger.reserve(&tokens(30)).expect("it is free");
    assert_eq!(ledger.release(released), Ok(()));
    assert_eq!((ledger.held(), ledger.free()), (&tokens(20), tokens(80)));
    assert!(!ledger.quiescent());
    let reason = "the hold is not one of this ledger, or from before it was resumed";
    let refused = Error::LedgerRefused { reason };
    refuses(&mut ledger, &refused, |ledger| ledger.commit(strange, &tokens(5)));
    let mut resumed = Ledger::resume(&ledger.to_bytes()).expect("it was written");
    assert_eq!((resumed.own(), resumed.held()), (&tokens(20), &Amounts::new()));
    let _fresh = resumed.reserve(&tokens(7)).expect("it is free");
    refuses(&mut resumed, &refused, |ledger| ledger.release(hold));
}

#[test]
fn nothing_follows_the_last_report() {
    let by = &agents()[1];
    let mut ledger = ledger(tokens_and_agents(100, 5));
    let mut one = child(&mut ledger, 2, 10);
    let report = one.close(&agents()[2], Basis::Declared, Outcome::Failed).expect("it was open");
    let report = report.persisted();
    let hold = ledger.reserve(&tokens(20)).expect("it is free");
    let _ = ledger.close(by, Basis::Declared, Outcome::Exceeded).expect("it was open");
    // What was held counts as used, and what the child holds is not returned.
    assert_eq!(ledger.returned(), &tokens_and_agents(70, 4));
    assert_eq!(ledger.own(), &tokens_and_agents(20, 1));
    let closed = Error::LedgerClosed;
    let nothing = Amounts::new();
    refuses(&mut ledger, &closed, |ledger| ledger.charge(&nothing));
    refuses(&mut ledger, &closed, |ledger| ledger.record(&nothing));
    refuses(&mut ledger, &closed, |ledger| ledger.reserve(&nothing));
    refuses(&mut ledger, &closed, |ledger| {
        ledger.split(by, &part(2, tokens(1)), None, &nothing, NOW)
    });
    refuses(&mut ledger, &closed, |ledger| ledger.credit(by, &report));
    refuses(&mut ledger, &closed, |ledger| ledger.give_back(by, &nothing, Basis::Declared));
    refuses(&mut ledger, &closed, |ledger| ledger.close(by, Basis::Declared, Outcome::Done));
    let reason = "the hold is not one of this ledger, or from before it was resumed";
    refuses(&mut ledger, &Error::LedgerRefused { reason }, |ledger| ledger.commit(hold, &nothing));
    let resumed = Ledger::resume(&ledger.to_bytes()).expect("it was written");
    assert!(resumed.is_closed());
    assert_eq!(resumed, ledger);
}

#[test]
fn refunds_need_the_childs_whole_and_honest_ledger() {
    let by = &agents()[1];
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let mut one = child(&mut ledger, 2, 60);
    one.charge(&tokens(10)).expect("it is free");
    let first = one.give_back(&agents()[2], &tokens(10), Basis::Declared);
    let first = first.expect("it is free").persisted();
    let second = one.give_back(&agents()[2], &tokens(10), Basis::Declared);
    let second = second.expect("it is free").persisted();
    let refused = |reason| Error::ReportRefused { reason };
    let expected = refused("it is about no allotment of this ledger");
    let mut other = open(&root(&agents()[2], &terms(tokens(9)), 7), &agents()[2], NOW);
    let foreign = other.close(&agents()[2], Basis::Declared, Outcome::Done);
    let foreign = foreign.expect("it was open").persisted();
    refuses(&mut ledger, &expected, |ledger| ledger.credit(by, &foreign));
    let pieces = entries(&second).expect("a history");
    let tail = encode(&pieces[1..]);
    let missing = refused("an entry is missing, or is of another ledger");
    refuses(&mut ledger, &missing, |ledger| ledger.credit(by, &tail));
    refuses(&mut ledger, &missing, |ledger| ledger.credit(by, &encode(&[pieces[0], pieces[0]])));
    refuses(&mut ledger, &Error::Empty { offset: 0, what: "ledger history" }, |ledger| {
        ledger.credit(by, &encode(&[]))
    });
    let (expected, found) = (by.id(), agents()[2].id());
    refuses(&mut ledger, &Error::WrongIdentity { expected, found }, |ledger| {
        ledger.credit(&agents()[2], &second)
    });
    let mut unsigned = second.clone();
    *unsigned.last_mut().expect("bytes") ^= 1;
    let unsigned_entry = Error::EntrySignature { entry: 1, signer: agents()[2].id() };
    refuses(&mut ledger, &unsigned_entry, |ledger| ledger.credit(by, &unsigned));
    let _ = one
        .split(
            &agents()[2],
            &Split::new(agents()[3].id(), Terms::new(Amounts::new(), later(9), 0)),
            None,
            &Amounts::new(),
            NOW,
        )
        .expect_err("there are no agents to pay it with");

    // In any order, any number of times.
    let credit = |ledger: &mut Ledger, report: &[u8]| {
        ledger.credit(by, report).expect("an honest report").is_some()
    };
    let mut backwards = Ledger::resume(&ledger.to_bytes()).expect("it was written");
    assert_eq!(
        [&first, &first, &second, &first, &second].map(|report| credit(&mut ledger, report)),
        [true, false, true, false, false]
    );
    assert_eq!(
        [&second, &first, &second].map(|report| credit(&mut backwards, report)),
        [true, false, false]
    );
    assert_eq!((ledger.credited(), ledger.free()), (backwards.credited(), backwards.free()));
    assert_eq!(ledger.credited(), &tokens(20));

    // The same child with another history.
    let mut forked = ledger_of_child(&ledger, &one);
    let less = forked.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let more = one.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let (less, more) = (less.persisted(), more.persisted());
    assert!(credit(&mut ledger, &more));
    assert!(!credit(&mut ledger, &more) && !credit(&mut ledger, &first));
    let contradicts = refused("it contradicts a report that was credited");
    refuses(&mut ledger, &contradicts, |ledger| ledger.credit(by, &less));
    assert_eq!(ledger.credited(), &tokens(50));
}

/// A second life of a child's ledger, as a node that was restored from its very first backup would have it.
fn ledger_of_child(_parent: &Ledger, child: &Ledger) -> Ledger {
    open(&child.lineage, &agents()[2], NOW)
}

pub(super) fn encode(entries: &[&[u8]]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(entries.len());
    entries.iter().for_each(|entry| {
        out.raw(entry);
    });
    out.finish()
}

#[test]
fn a_restart_from_an_older_backup_is_evidence_unless_abandoned() {
    let by = &agents()[1];
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let mut one = child(&mut ledger, 2, 60);
    let backup = one.to_bytes();
    let before = one.give_back(&agents()[2], &tokens(10), Basis::Declared).expect("it is free");
    let _ = ledger.credit(by, &before.persisted()).expect("an honest report");

    let abandoned = Ledger::resume(&backup).expect("it was written").abandon();
    assert_eq!((abandoned.allotment(), abandoned.entries()), (one.id(), 0));
    let abandoned = Ledger::resume(&one.to_bytes()).expect("it was written").abandon();
    assert_eq!(abandoned.entries(), 1);

    let mut again = Ledger::resume(&backup).expect("it was written");
    again.charge(&tokens(60)).expect("it is free");
    let after = again.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let after = after.persisted();
    let contradicts = Error::ReportRefused { reason: "it contradicts a report that was credited" };
    refuses(&mut ledger, &contradicts, |ledger| ledger.credit(by, &after));
    let [told, now] = [one.entries(), after];
    let (told, now) = (entries(&told).expect("a history"), entries(&now).expect("a history"));
    let evidence = Evidence::between(told[0], now[0]).expect("both are signed").expect("a fork");
    assert_eq!((evidence.culprit(), evidence.breach()), (agents()[2].id(), Breach::Fork));
    assert_eq!(evidence.allotment(), one.id());
    assert_eq!(Evidence::verify(evidence.as_bytes()).as_ref(), Ok(&evidence));
    // There is one way to write it.
    let mut swapped = [told[0], now[0]];
    if evidence_of(None, &swapped, None) == evidence.as_bytes() {
        swapped.reverse();
    }
    assert_ne!(evidence_of(None, &swapped, None), evidence.as_bytes());
    assert_eq!(Evidence::verify(&evidence_of(None, &swapped, None)), Err(Error::NoEvidence));
    // From the latest point there is none.
    let mut latest = Ledger::resume(&one.to_bytes()).expect("it was written");
    let last = latest.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let last = last.persisted();
    let last = entries(&last).expect("a history");
    assert_eq!(Evidence::between(told[0], last[1]), Ok(None));
    assert_eq!(Evidence::between(last[1], told[0]), Ok(None));
    assert_eq!(Evidence::between(told[0], told[0]), Ok(None));
}

#[test]
fn forged_statements_accuse_nobody() {
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let mut one = child(&mut ledger, 2, 60);
    one.charge(&tokens(50)).expect("it is free");
    let history = one.close(&agents()[2], Basis::Declared, Outcome::Done).expect("it was open");
    let history = history.persisted();
    let entry = entries(&history).expect("a history")[0];
    // A grant of less than was used, in the grantor's name and in another's.
    for forger in [1, 9] {
        let claims = RootClaims {
            payer: agents()[forger].id(),
            to: agents()[2].id(),
            terms: terms(tokens(5)),
            request: None,
            nonce: [1; 16],
            audit: None,
            authority: None,
        };
        let (grant, _) = claims.sign(agents()[forger].signing_key());
        assert_eq!(
            Evidence::verify(&evidence_of(Some(&grant), &[entry], None)),
            Err(Error::NoEvidence)
        );
    }
    assert_eq!(Evidence::verify(&evidence_of(None, &[entry, entry], None)), Err(Error::NoEvidence));
    let found = Err(Error::WrongCount { offset: 29, expected: 3, found: 4 });
    assert_eq!(Evidence::verify(&evidence_of(None, &[entry; 4], None)), found);
    // A second entry under the first one's key, signed by somebody else.
    let mut forged =
        super::super::entry::SignedEntry::decode(&mut crate::cbor::Decoder::new(entry))
            .expect("an entry")
            .claims
            .clone();
    forged.own = tokens(51);
    let intruder = super::super::entry::EntryClaims { holder: agents()[9].id(), ..forged.clone() };
    let (intruder, _) = intruder.sign(agents()[9].signing_key());
    assert_eq!(Evidence::between(entry, &intruder), Ok(None), "no ledger has two writers");
    let (forged, _) = forged.sign(agents()[9].signing_key());
    let refused = |entry| Error::EntrySignature { entry, signer: agents()[2].id() };
    assert_eq!(Evidence::between(entry, &forged), Err(refused(1)));
    assert_eq!(Evidence::verify(&evidence_of(None, &[&forged, entry], None)), Err(refused(0)));
    let lineage = root(&agents()[1], &terms(tokens_and_agents(100, 9)), 0);
    assert_eq!(audit(&lineage, [entry, entry, &forged]), Err(refused(2)));
    let mut unpaid = lineage;
    *unpaid.last_mut().expect("bytes") ^= 1;
    let signer = agents()[0].id();
    let unsigned = Error::AllotmentSignature { element: None, entry: 0, signer };
    assert_eq!(audit(&unpaid, [entry]), Err(unsigned));
}

#[test]
fn what_is_returned_later_was_there_before() {
    let lineage = root(&agents()[1], &terms(tokens_and_agents(100, 9)), 0);
    let mut ledger = open(&lineage, &agents()[1], NOW);
    let mut one = child(&mut ledger, 2, 60);
    let all = one.close(&agents()[2], Basis::Declared, Outcome::Cancelled).expect("it was open");
    let _ = ledger.credit(&agents()[1], &all.persisted()).expect("an honest report");
    let given = ledger.give_back(&agents()[1], &tokens(100), Basis::Declared).expect("it is free");
    let given = given.persisted();
    let told = entries(&given).expect("a history");
    let mut decoder = crate::cbor::Decoder::new(&lineage);
    let above = Lineage::decode(&mut decoder, &crate::Limits::none(), None).expect("a lineage");
    // The split of 60 and the return of 100 out of 100 stand in one honest ledger, in this order.
    for shown in [[told[2], told[0]], [told[0], told[2]]] {
        let made = evidence_of(Some(above.root.encoded), &shown, None);
        assert_eq!(Evidence::verify(&made), Err(Error::NoEvidence));
    }
}

#[test]
fn a_credit_is_held_against_the_split_and_the_report_that_it_names() {
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let [mut one, mut two] = [child(&mut ledger, 2, 60), child(&mut ledger, 3, 10)];
    let [of_one, of_two] = [(&mut one, 2), (&mut two, 3)].map(|(child, holder)| {
        let history = child.close(&agents()[holder], Basis::Declared, Outcome::Done);
        history.expect("it was open").persisted()
    });
    let _ = ledger.credit(&agents()[1], &of_one).expect("an honest report");
    let told = ledger.close(&agents()[1], Basis::Declared, Outcome::Done).expect("it was open");
    let told = told.persisted();
    let told = entries(&told).expect("a history");
    let (split_one, split_two, credit) = (told[0], told[1], told[2]);
    let [report_one, report_two] =
        [&of_one, &of_two].map(|told| *entries(told).expect("a history").last().expect("a report"));
    for (split, report) in
        [(split_one, report_one), (split_two, report_one), (split_one, report_two)]
    {
        let made = evidence_of(None, &[split, credit], Some(report));
        assert_eq!(Evidence::verify(&made), Err(Error::NoEvidence));
    }
}

pub(super) fn evidence_of(
    grant: Option<&[u8]>,
    entries: &[&[u8]],
    report: Option<&[u8]>,
) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(4).text("agent-envelope/1/evidence");
    match grant {
        Some(grant) => out.raw(grant),
        None => out.null(),
    };
    out.raw(&encode(entries));
    match report {
        Some(report) => out.raw(report),
        None => out.null(),
    };
    out.finish()
}

#[test]
fn an_audit_gives_accounts_to_what_leads_back_to_the_root_alone() {
    let lineage = root(&agents()[1], &terms(tokens_and_agents(100, 9)), 0);
    let mut ledger = open(&lineage, &agents()[1], NOW);
    let one = child(&mut ledger, 2, 60);
    // Somebody else grants what is not theirs, in a ledger that they call their own.
    let forger: &Identity = &agents()[9];
    let first = entries(&ledger.entries()).expect("a history")[0].to_vec();
    let mut decoder = crate::cbor::Decoder::new(&first);
    let claims = super::super::entry::SignedEntry::decode(&mut decoder).expect("an entry").claims;
    let claims = super::super::entry::EntryClaims { holder: forger.id(), ..claims };
    let (forged, forged_id) = claims.sign(forger.signing_key());
    let found = audit(&lineage, [&first[..], &forged[..]]).expect("all is signed");
    assert_eq!(found.evidence, []);
    let known: Vec<_> = found.accounts.keys().copied().collect();
    let mut expected = [ledger.id(), one.id()];
    expected.sort_unstable();
    assert_eq!(known, expected);
    assert!(!found.gaps.contains(&AllotmentId(*forged_id.as_bytes())));
    assert_eq!(found.gaps.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_state_whose_sums_do_not_follow_is_refused() {
    let mut ledger = ledger(tokens_and_agents(100, 9));
    let _ = child(&mut ledger, 2, 60);
    let entry = ledger.last_entry().expect("a split").to_vec();
    let mut decoder = crate::cbor::Decoder::new(&entry);
    let claims = super::super::entry::SignedEntry::decode(&mut decoder).expect("an entry").claims;
    // A split of 60 that counts as one of 10: what comes back would be more than went out.
    let claims = super::super::entry::EntryClaims { out: tokens(10), ..claims };
    let (entry, id) = claims.sign(agents()[1].signing_key());
    (ledger.entries, ledger.last) = (vec![entry], Some(id));
    let refused = Ledger::resume(&ledger.to_bytes());
    let reason = "an entry breaks the rules of the ledger";
    assert!(matches!(refused, Err(Error::BadState { reason: found, .. }) if found == reason));
}

#[test]
fn damaged_states_are_refused() {
    let mut ledger = ledger(tokens_and_agents(u64::MAX, 9));
    let _one = ledger.reserve(&tokens(1 << 63)).expect("it is free");
    let _ = child(&mut ledger, 2, 60);
    let state = ledger.to_bytes();
    assert!(Ledger::resume(&state).is_ok());
    // Two holds of all there is.
    let mut out = Encoder::new();
    out.array(8).text("agent-envelope/1/state/ledger").bytes(&ledger.lineage);
    out.uint(NOW.as_unix_seconds()).array(0).array(0).uint(2).array(2);
    tokens(u64::MAX).encode(&mut out);
    tokens(u64::MAX).encode(&mut out);
    out.array(0);
    let doubled = out.finish();
    let reason = "more is spoken for than was granted";
    assert!(
        matches!(Ledger::resume(&doubled), Err(Error::BadState { reason: found, .. }) if found == reason)
    );
    // Less than was signed for, as if the split had cost nothing.
    let mut out = Encoder::new();
    out.array(8).text("agent-envelope/1/state/ledger").bytes(&ledger.lineage);
    out.uint(NOW.as_unix_seconds()).array(0).array(0).uint(1).array(0);
    out.array(1).raw(&ledger.entries[0]);
    let reason = "an entry is not of this ledger, or out of order";
    let forgotten = Ledger::resume(&out.finish());
    assert!(matches!(forgotten, Err(Error::BadState { reason: found, .. }) if found == reason));
    // No bit of what is stored makes it panic, and few changes are invisible.
    for at in 0..state.len() {
        for bit in 0..8 {
            let mut changed = state.clone();
            changed[at] ^= 1 << bit;
            if let Ok(resumed) = Ledger::resume(&changed) {
                let _ = (resumed.free(), resumed.outstanding(), resumed.quiescent());
            }
        }
        assert!(Ledger::resume(&state[..at]).is_err());
    }
}

#[test]
fn a_ledger_shows_its_balance_to_a_debugger() {
    let mut ledger = ledger(tokens(100));
    ledger.charge(&tokens(30)).expect("it is free");
    let shown = alloc::format!("{ledger:?}");
    let (own, free) = (tokens(30), tokens(70));
    for field in [
        alloc::format!("Ledger {{ id: {:?}", ledger.id()),
        alloc::format!("own: {own:?}"),
        alloc::format!("free: {free:?}"),
        "entries: 0".into(),
    ] {
        assert!(shown.contains(&field), "{field} in {shown}");
    }
}

#[test]
fn a_report_is_read_with_the_outcome_and_the_basis_that_were_stated() {
    let outcomes = [
        Outcome::Done,
        Outcome::Partial,
        Outcome::Exceeded,
        Outcome::TooLate,
        Outcome::Cancelled,
        Outcome::Failed,
    ];
    let bases = [Basis::Declared, Basis::Attested(crate::Digest([7; 32])), Basis::Replayable];
    for (outcome, basis) in outcomes.into_iter().zip(bases.into_iter().cycle()) {
        let mut ledger = ledger(tokens(5));
        let history = ledger.close(&agents()[1], basis, outcome).expect("it was open").persisted();
        let history = entries(&history).expect("a history");
        let mut decoder = crate::cbor::Decoder::new(history[0]);
        let entry = SignedEntry::decode(&mut decoder).expect("an entry");
        let Event::Report(report) = entry.claims.event else { panic!("it is a report") };
        assert_eq!((report.outcome, report.basis, report.last), (outcome, basis, true));
    }
}
