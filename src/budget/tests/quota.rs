use super::*;

use crate::{Error, Principal, Timestamp};
use alloc::string::ToString;
use alloc::vec;
use core::time::Duration;

const ALICE: Principal<'static> = Principal::new("https://login.example", "alice");
const CALLS: Dimension = Dimension::TOOL_CALLS;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn calls(amount: u64) -> Amounts {
    Amounts::new().with(CALLS, amount).expect("calls")
}

fn both(calls_asked: u64, cpu: u64) -> Amounts {
    calls(calls_asked).with(Dimension::CPU, cpu).expect("cpu")
}

fn quota(limit: u64, period: u64, burst: u64, principals: usize) -> Quota {
    Quota::new(calls(limit), Duration::from_secs(period), principals)
        .and_then(|quota| quota.with_burst(calls(burst)))
        .expect("a quota")
}

fn exceeded(retry_after: u64) -> Result<(), Error> {
    Err(Error::QuotaExceeded { dimension: CALLS, retry_after })
}

#[test]
fn a_quota_comes_back_steadily_and_no_more_than_the_burst() {
    let mut quota = quota(60, 3600, 10, 1);
    assert_eq!(quota.ask(ALICE, &calls(10), at(10_000)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(1), at(10_000)), exceeded(60));
    assert_eq!(quota.ask(ALICE, &calls(1), at(10_059)), exceeded(1));
    assert_eq!(quota.ask(ALICE, &calls(1), at(10_060)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(10), at(10_060)), exceeded(600));
    assert_eq!(quota.ask(ALICE, &calls(10), at(10_660)), Ok(()));
    // An age later there is one burst, not an age of them.
    assert_eq!(quota.ask(ALICE, &calls(10), at(1 << 50)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(1), at(1 << 50)), exceeded(60));
}

#[test]
fn nothing_is_lost_to_rounding() {
    // 7 in 3 seconds: not a whole number each second.
    let mut quota = quota(7, 3, 7, 1);
    let granted = (0..3000).fold(0, |granted, second| {
        let once = (0..8).filter(|_| quota.ask(ALICE, &calls(1), at(second)).is_ok()).count();
        granted + once
    });
    assert_eq!(granted, 7 + 2999 * 7 / 3);
}

#[test]
fn more_than_the_burst_is_refused_for_good() {
    let mut quota = quota(100, 1, 10, 1);
    let beyond = Error::BeyondQuota { dimension: CALLS, burst: 10, asked: 11 };
    assert_eq!(
        beyond.to_string(),
        "11 tool-calls are asked for, and the quota never grants more than 10 at once"
    );
    assert_eq!(quota.ask(ALICE, &calls(11), at(1)), Err(beyond));
    assert_eq!(
        exceeded(5).expect_err("refused").to_string(),
        "the quota of tool-calls is used up; ask again in 5 s"
    );
}

#[test]
fn all_dimensions_are_granted_or_none_and_the_slowest_is_named() {
    let mut quota = Quota::new(both(10, 100), Duration::from_secs(100), 1).expect("a quota");
    assert_eq!(quota.ask(ALICE, &both(9, 100), at(0)), Ok(()));
    let before = quota.to_bytes();
    // CPU is back in 5 s, a second call in 10.
    let refused = Error::QuotaExceeded { dimension: CALLS, retry_after: 10 };
    assert_eq!(quota.ask(ALICE, &both(2, 5), at(0)), Err(refused));
    let refused = Error::QuotaExceeded { dimension: Dimension::CPU, retry_after: 5 };
    assert_eq!(quota.ask(ALICE, &both(1, 5), at(0)), Err(refused));
    assert_eq!(quota.to_bytes(), before);
    assert_eq!(quota.ask(ALICE, &calls(1), at(0)), Ok(()));
}

#[test]
fn what_has_no_limit_is_never_granted_unless_nobody_has_to_meter_it() {
    let dollars = Amounts::new().with_unit(Dimension::MONEY, 5, "USD:6").expect("money");
    let limits = dollars.with(CALLS, 5).expect("calls");
    let mut quota = Quota::new(limits, Duration::from_secs(1), 1).expect("a quota");
    let refused = |dimension| Err(Error::BeyondQuota { dimension, burst: 0, asked: 1 });
    let one = |dimension| Amounts::new().with(dimension, 1).expect("an amount");
    let euro = |dimension| Amounts::new().with_unit(dimension, 1, "EUR:2").expect("money");
    let mut ask = |amounts: Amounts| quota.ask(ALICE, &amounts, at(0));
    assert_eq!(ask(one(Dimension::CPU)), refused(Dimension::CPU));
    assert_eq!(ask(euro(Dimension::MONEY)), refused(Dimension::MONEY));
    let advisory = Dimension::MONEY.advisory();
    assert_eq!(ask(euro(advisory)), refused(advisory));
    assert_eq!(ask(one(CALLS.advisory())), refused(CALLS.advisory()));
    assert_eq!(ask(one(Dimension::CPU.advisory())), Ok(()));
    assert_eq!(ask(one(Dimension::MEMORY)), Ok(()));
    assert_eq!(ask(Amounts::new()), Ok(()));
    assert!(quota.is_empty());
}

#[test]
fn a_clock_that_steps_back_gives_nothing() {
    let mut quota = quota(1, 10, 3, 1);
    assert_eq!(quota.ask(ALICE, &calls(2), at(1000)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(1), at(5)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(1), at(5)), exceeded(1000 - 5 + 10));
    assert_eq!(quota.ask(ALICE, &calls(1), at(1009)), exceeded(1));
    assert_eq!(quota.ask(ALICE, &calls(1), at(1010)), Ok(()));
}

#[test]
fn principals_are_forgotten_only_when_they_have_all_of_it_back() {
    let mut quota = quota(1, 10, 1, 2);
    let principal = |subject| Principal::new("https://login.example", subject);
    assert!(quota.is_empty());
    assert_eq!(quota.ask(ALICE, &calls(1), at(100)), Ok(()));
    assert!(!quota.is_empty());
    assert_eq!(quota.ask(principal("bob"), &calls(1), at(105)), Ok(()));
    let before = quota.to_bytes();
    let full = Error::QuotaFull { capacity: 2 };
    assert_eq!(full.to_string(), "quota is full: 2 principals have used some of theirs");
    assert_eq!(quota.ask(principal("carol"), &calls(1), at(109)), Err(full));
    assert_eq!(quota.to_bytes(), before);
    assert_eq!(quota.ask(principal("carol"), &calls(1), at(110)), Ok(()));
    assert_eq!(quota.len(), 2);
    // Forgotten, Alice has no more than she would have had; and no earlier time brings her back.
    let full = Err(Error::QuotaFull { capacity: 2 });
    assert_eq!(quota.ask(ALICE, &calls(1), at(90)), full);
    assert_eq!(quota.ask(ALICE, &calls(1), at(115)), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(1), at(115)), exceeded(10));
}

#[test]
fn a_principal_that_lacks_one_dimension_only_is_not_forgotten() {
    let mut quota = Quota::new(both(1, 10), Duration::from_secs(10), 1).expect("a quota");
    assert_eq!(quota.ask(ALICE, &both(1, 1), at(0)), Ok(()));
    // CPU is back after 1 s, the call after 10.
    let bob = Principal::new("https://login.example", "bob");
    let full = Err(Error::QuotaFull { capacity: 1 });
    assert_eq!(quota.ask(bob, &calls(1), at(9)), full);
    assert_eq!(quota.ask(bob, &calls(1), at(10)), Ok(()));
}

#[test]
fn principals_are_told_apart_by_issuer_and_subject() {
    let mut quota = quota(1, 10, 1, 9);
    for (issuer, subject) in [("a", "bc"), ("ab", "c"), ("bc", "a"), ("", "abc")] {
        assert_eq!(quota.ask(Principal::new(issuer, subject), &calls(1), at(0)), Ok(()));
        assert_eq!(quota.ask(Principal::new(issuer, subject), &calls(1), at(0)), exceeded(10));
    }
}

#[test]
fn nothing_wraps_at_the_ends() {
    let max = u64::MAX;
    let longest = (1 << 53) - 1;
    let mut quota = quota(max, longest, max, 1);
    let end = Timestamp::MAX;
    assert_eq!(quota.ask(ALICE, &calls(max), end), Ok(()));
    assert_eq!(quota.ask(ALICE, &calls(max), end), exceeded(longest));
    assert_eq!(quota.ask(ALICE, &calls(1), at(0)), exceeded(end.as_unix_seconds() + 1));
    assert_eq!(Quota::from_bytes(&quota.to_bytes()), Ok(quota));
    let mut slow = super::quota::quota(1, longest, max, 1);
    assert_eq!(slow.ask(ALICE, &calls(max), at(0)), Ok(()));
    assert_eq!(slow.ask(ALICE, &calls(max), at(0)), exceeded(max));
}

#[test]
fn a_quota_that_would_grant_nothing_is_not_made() {
    let second = Duration::from_secs(1);
    let memory = Amounts::new().with(Dimension::MEMORY, 1).expect("memory");
    for (limits, period, principals, reason) in [
        (Amounts::new(), second, 1, "a quota needs a limit; one without would grant nothing"),
        (memory, second, 1, "a quota limits consumables; a ceiling is not spent"),
        (calls(1), Duration::ZERO, 1, "the period of a quota is 1 to 2^53 - 1 seconds"),
        (calls(1), Duration::MAX, 1, "the period of a quota is 1 to 2^53 - 1 seconds"),
        (calls(1), second, 0, "a quota without principals would grant nothing"),
    ] {
        assert_eq!(Quota::new(limits, period, principals), Err(Error::Configuration { reason }));
    }
    let half = Duration::from_millis(500);
    assert_eq!(Quota::new(calls(1), half, 1), Quota::new(calls(1), second, 1));
    let like = "the burst of a quota has the dimensions and units of its limits";
    for burst in [Amounts::new(), both(1, 1), Amounts::new().with(Dimension::CPU, 1).expect("cpu")]
    {
        let made = quota(1, 1, 1, 1).with_burst(burst);
        assert_eq!(made, Err(Error::Configuration { reason: like }));
    }
    let mut used = quota(1, 1, 1, 1);
    used.ask(ALICE, &calls(1), at(0)).expect("granted");
    let reason = "the burst of a quota is set before anything is asked for";
    assert_eq!(used.with_burst(calls(2)), Err(Error::Configuration { reason }));
}

#[test]
fn a_stored_state_that_was_never_written_is_refused() {
    let mut quota = quota(1, 10, 2, 2);
    for subject in ["alice", "bob"] {
        quota.ask(Principal::new("issuer", subject), &calls(1), at(7)).expect("granted");
    }
    let bytes = quota.to_bytes();
    assert_eq!(Quota::from_bytes(&bytes), Ok(quota));
    for length in 0..bytes.len() {
        assert!(Quota::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let trailing = [&bytes[..], &[0]].concat();
    assert!(matches!(Quota::from_bytes(&trailing), Err(Error::TrailingBytes { count: 1, .. })));

    let bad = |offset, reason| Err(Error::BadState { offset, reason });
    let size = bytes.len();
    // Each principal: array head, 2 + 32 bytes of principal, 1 + 16 bytes of time.
    let (first, second) = (size - 104, size - 52);
    let swapped = [&bytes[..first], &bytes[second..], &bytes[first..second]].concat();
    assert_eq!(Quota::from_bytes(&swapped), bad(second, "principals are out of order"));
    let twice = [&bytes[..second], &bytes[first..second]].concat();
    assert_eq!(Quota::from_bytes(&twice), bad(second, "principals are out of order"));
    let mut beyond = bytes.clone();
    // Time 7, and 20 seconds for the burst of 2.
    beyond[size - 1] = 27;
    assert!(Quota::from_bytes(&beyond).is_ok());
    beyond[size - 1] = 28;
    let reason = "more was granted than is ever granted";
    assert_eq!(Quota::from_bytes(&beyond), bad(size - 17, reason));
    let state = 2 + b"agent-envelope/1/state/quota".len() + 1;
    // Limits and burst take 4 bytes each; then come period and capacity.
    let mut small = bytes.clone();
    small[state + 9] = 1;
    let reason = "there are more principals than it may hold";
    assert_eq!(Quota::from_bytes(&small), bad(state, reason));
    small[state + 9] = 0;
    let reason = "its limits are none that a quota can have";
    assert_eq!(Quota::from_bytes(&small), bad(state, reason));
    let mut other = bytes;
    other[state - 1] = b'b';
    let expected = "agent-envelope/1/state/quota";
    assert_eq!(Quota::from_bytes(&other), Err(Error::WrongConstant { offset: 1, expected }));
}

#[derive(Clone, Debug)]
struct Asked {
    who: usize,
    amount: u64,
    step: i64,
}

fn any_asks() -> impl Strategy<Value = Vec<Asked>> {
    let step = prop_oneof![4 => 0_i64..20, 1 => -30_i64..0, 1 => Just(0)];
    proptest::collection::vec(
        (0_usize..4, 1_u64..14, step).prop_map(|(who, amount, step)| Asked { who, amount, step }),
        1..60,
    )
}

proptest! {
    #[test]
    fn in_any_window_at_most_the_burst_and_what_comes_back_in_it(
        limit in 1_u64..20,
        period in 1_u64..20,
        burst in 1_u64..12,
        principals in 1_usize..4,
        asks in any_asks(),
    ) {
        let mut quota = quota(limit, period, burst, principals);
        let mut granted: Vec<(usize, u64, u64)> = vec![];
        let mut highest = 0;
        let mut now = 1000_i64;
        for Asked { who, amount, step } in asks {
            now = (now + step).max(0);
            let subject = ["alice", "bob", "carol", "dave"][who];
            let before = quota.to_bytes();
            let seconds = u64::try_from(now).expect("not negative");
            match quota.ask(Principal::new("issuer", subject), &calls(amount), at(seconds)) {
                Ok(()) => {
                    // A clock that steps back counts as standing still.
                    highest = highest.max(seconds);
                    granted.push((who, highest, amount));
                }
                Err(error) => {
                    prop_assert_eq!(&quota.to_bytes(), &before);
                    if let Error::QuotaExceeded { retry_after, .. } = error {
                        // Just then, and not a second sooner.
                        let mut later = quota.clone();
                        let principal = Principal::new("issuer", subject);
                        let early = at(seconds + retry_after - 1);
                        prop_assert!(later.ask(principal, &calls(amount), early).is_err());
                        let then = at(seconds + retry_after);
                        prop_assert_eq!(later.ask(principal, &calls(amount), then), Ok(()));
                    } else if amount > burst {
                        let dimension = CALLS;
                        prop_assert_eq!(error, Error::BeyondQuota { dimension, burst, asked: amount });
                    } else {
                        prop_assert_eq!(error, Error::QuotaFull { capacity: principals });
                    }
                }
            }
            prop_assert!(quota.len() <= principals);
            prop_assert_eq!(&Quota::from_bytes(&quota.to_bytes()), &Ok(quota.clone()));
        }
        for first in 0..granted.len() {
            let (who, from, _) = granted[first];
            let mut sum = 0;
            for (_, until, amount) in granted[first..].iter().filter(|one| one.0 == who) {
                sum += amount;
                prop_assert!(sum * period <= burst * period + limit * (until - from));
            }
        }
    }

    #[test]
    fn forgetting_those_who_have_it_all_back_changes_no_answer(asks in any_asks()) {
        let (mut tight, mut roomy) = (quota(3, 10, 5, 2), quota(3, 10, 5, 4));
        let mut now = 1000_i64;
        for Asked { who, amount, step } in asks {
            now = (now + step).max(0);
            let seconds = at(u64::try_from(now).expect("not negative"));
            let principal = Principal::new("issuer", ["alice", "bob", "carol", "dave"][who]);
            let mut roomier = roomy.clone();
            let answer = roomier.ask(principal, &calls(amount), seconds);
            match tight.ask(principal, &calls(amount), seconds) {
                Err(Error::QuotaFull { .. }) => {}
                other => {
                    prop_assert_eq!(other, answer);
                    roomy = roomier;
                }
            }
        }
    }
}
