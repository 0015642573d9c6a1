use super::*;

use crate::{Error, Timestamp};
use alloc::string::ToString;
use core::time::Duration;

fn calls(amount: u64) -> Amounts {
    Amounts::new().with(Dimension::TOOL_CALLS, amount).expect("calls")
}

fn memory(amount: u64) -> Amounts {
    Amounts::new().with(Dimension::MEMORY, amount).expect("memory")
}

fn terms(amounts: Amounts, deadline: u64, depth: u32) -> Terms {
    Terms::new(amounts, Timestamp::from_unix_seconds(deadline), depth)
}

fn with_wall(terms: Terms, millis: u64) -> Terms {
    terms.with_wall(Duration::from_millis(millis)).expect("a wall time")
}

#[test]
fn a_consumable_left_out_is_zero_and_a_ceiling_left_out_is_no_limit() {
    assert!(Amounts::new().le(&calls(1)));
    assert!(!calls(1).le(&Amounts::new()));
    assert!(memory(1).le(&Amounts::new()));
    assert!(!Amounts::new().le(&memory(1)));
    assert!(!memory(2).le(&memory(1)));
}

#[test]
fn an_advisory_dimension_is_another_dimension() {
    let advisory = Amounts::new().with(Dimension::MEMORY.advisory(), 1).expect("memory");
    assert!(!advisory.le(&memory(1)));
    let advisory = Amounts::new().with(Dimension::TOOL_CALLS.advisory(), 1).expect("calls");
    assert!(!advisory.le(&calls(1)));
    assert_eq!(
        calls(1).checked_sub(&advisory),
        Err(Error::AmountLacking {
            dimension: Dimension::TOOL_CALLS.advisory(),
            available: 0,
            needed: 1
        })
    );
}

#[test]
fn units_are_never_converted() {
    let money = |unit| Amounts::new().with_unit(Dimension::MONEY, 5, unit).expect("money");
    assert!(!money("USD:6").le(&money("USD:5")));
    let both = money("USD:6").checked_add(&money("EUR:2")).expect("two units");
    assert_eq!(both.get_in(Dimension::MONEY, "USD:6"), Some(5));
    assert_eq!(both.get_in(Dimension::MONEY, "EUR:2"), Some(5));
    assert_eq!(both.get(Dimension::MONEY), None);
}

#[test]
fn arithmetic_stops_at_both_ends() {
    let dimension = Dimension::TOOL_CALLS;
    assert_eq!(calls(u64::MAX).checked_add(&calls(1)), Err(Error::AmountOverflow { dimension }));
    assert_eq!(calls(1 << 63).checked_add(&calls((1 << 63) - 1)), Ok(calls(u64::MAX)));
    assert_eq!(
        calls(1).checked_sub(&calls(u64::MAX)),
        Err(Error::AmountLacking { dimension, available: 1, needed: u64::MAX })
    );
    assert_eq!(calls(u64::MAX).checked_sub(&calls(u64::MAX)), Ok(Amounts::new()));
}

#[test]
fn ceilings_are_not_spent() {
    let (budget, spent) = (
        calls(5).with(Dimension::MEMORY, 7).expect("memory"),
        calls(5).with(Dimension::MEMORY, 9).expect("memory"),
    );
    assert_eq!(budget.checked_sub(&spent), Ok(memory(7)));
    assert_eq!(memory(7).checked_add(&spent), Ok(budget.clone()));
    assert_eq!(budget.consumables(), calls(5));
}

#[test]
fn more_than_32_amounts_are_refused_wherever_they_arise() {
    let many = |from: u64, count, kind| {
        (from..from + count).fold(Amounts::new(), |amounts, number| {
            let dimension = Dimension::private((1 << 20) + number, kind).expect("private");
            amounts.with(dimension, 1).expect("at most 32")
        })
    };
    let expected = "one of at most 32 amounts";
    for kind in [DimensionKind::Consumable, DimensionKind::Ceiling] {
        let full = many(0, 32, kind);
        let last = Dimension::private((1 << 20) + 32, kind).expect("private");
        let refused = Err(Error::AmountRefused { dimension: last, expected });
        assert_eq!(full.clone().with(last, 1), refused);
        match kind {
            DimensionKind::Consumable => assert_eq!(full.checked_add(&many(32, 1, kind)), refused),
            DimensionKind::Ceiling => assert_eq!(full.meet(&many(32, 1, kind)), refused),
        }
    }
    assert_eq!(
        many(0, 32, DimensionKind::Ceiling).share(&[1]),
        Ok([many(0, 32, DimensionKind::Ceiling)].into())
    );
}

#[test]
fn amounts_that_may_not_stand_are_refused_with_what_would() {
    let digest = "0".repeat(64);
    let long = "x".repeat(65);
    let (money, compute) = (Dimension::MONEY, Dimension::COMPUTE);
    let unknown = Dimension::from_id(1234 << 2).expect("an id");
    let asset = "an amount in an asset with its decimal places, such as USD:6";
    let table = "an amount in units of a cost table, named by its SHA-256 in hex";
    let visible = "an amount in a unit of 1 to 64 visible ASCII characters";
    for (dimension, unit, refused) in [
        (money, None, Some(asset)),
        (money, Some("USD"), Some(asset)),
        (money, Some(":6"), Some(asset)),
        (money, Some("USD:"), Some(asset)),
        (money, Some("USD:06"), Some(asset)),
        (money, Some("USD:+6"), Some(asset)),
        (money, Some("USD:100"), Some(asset)),
        (money, Some("US D:6"), Some(asset)),
        (money, Some("€:6"), Some(asset)),
        (money, Some("USD:0"), None),
        (money, Some("eip155:1/slip44:60:18"), None),
        (money.advisory(), None, Some(asset)),
        (compute, None, Some(table)),
        (compute, Some("abc"), Some(table)),
        (compute, Some(&"A".repeat(64)), Some(table)),
        (compute, Some(&digest), None),
        (Dimension::CPU, Some("us"), Some("an amount without a unit")),
        (Dimension::MEMORY.advisory(), Some("MB"), Some("an amount without a unit")),
        (unknown, None, None),
        (unknown, Some("kg"), None),
        (unknown, Some(""), Some(visible)),
        (unknown, Some("k g"), Some(visible)),
        (unknown, Some(&long), Some(visible)),
        (unknown, Some(&long[1..]), None),
    ] {
        let made = match unit {
            Some(unit) => Amounts::new().with_unit(dimension, 1, unit),
            None => Amounts::new().with(dimension, 1),
        };
        let refused = refused.map(|expected| Error::AmountRefused { dimension, expected });
        assert_eq!(made.err(), refused, "{dimension} {unit:?}");
    }
    let refused =
        |expected| Err(Error::AmountRefused { dimension: Dimension::TOOL_CALLS, expected });
    assert_eq!(Amounts::new().with(Dimension::TOOL_CALLS, 0), refused("an amount above zero"));
    assert_eq!(
        calls(1).with(Dimension::TOOL_CALLS, 1),
        refused("the only one of its dimension and unit")
    );
}

#[test]
fn private_dimensions_begin_at_2_to_the_20() {
    for number in [0, (1 << 20) - 1, 1 << 51, u64::MAX] {
        assert!(Dimension::private(number, DimensionKind::Ceiling).is_err(), "{number}");
    }
    for (number, kind) in
        [(1 << 20, DimensionKind::Consumable), ((1 << 51) - 1, DimensionKind::Ceiling)]
    {
        let dimension = Dimension::private(number, kind).expect("private");
        assert_eq!((dimension.number(), dimension.kind()), (number, kind));
        assert!(!dimension.is_advisory() && dimension.advisory().is_advisory());
        assert_eq!(dimension.advisory().kind(), kind);
    }
    assert!(Dimension::from_id((1 << 53) - 1).is_ok());
    assert!(Dimension::from_id(1 << 53).is_err());
    assert_eq!(Dimension::MEMORY.id(), 65);
}

#[test]
fn budgets_are_written_for_people() {
    let price = |amount, unit| {
        Amounts::new().with_unit(Dimension::MONEY, amount, unit).expect("money").to_string()
    };
    for (amount, unit, text) in [
        (2_000_000, "USD:6", "2.000000 USD"),
        (5, "USD:6", "0.000005 USD"),
        (5, "JPY:0", "5 JPY"),
        (u64::MAX, "ETH:18", "18.446744073709551615 ETH"),
    ] {
        assert_eq!(price(amount, unit), text);
    }
    let unknown = Dimension::private(1 << 20, DimensionKind::Consumable).expect("private");
    let amounts = calls(3)
        .with(Dimension::CONCURRENCY.advisory(), 4)
        .and_then(|amounts| amounts.with_unit(Dimension::MONEY.advisory(), 150, "EUR:2"))
        .and_then(|amounts| amounts.with_unit(unknown, 7, "kg"))
        .expect("amounts");
    let text = "3 tool-calls, 1.50 EUR (advisory), at most 4 advisory concurrency, 7 consumable-1048576 (kg)";
    assert_eq!(amounts.to_string(), text);
    assert_eq!(Amounts::new().to_string(), "nothing");
    assert_eq!(
        with_wall(terms(calls(3), 9, 2), 50).to_string(),
        "3 tool-calls until 9, depth 2, within 50 ms"
    );
    for (wider, text) in [
        (Wider::Amount(Dimension::TOOL_CALLS), "there is more tool-calls"),
        (Wider::Amount(Dimension::MEMORY), "the ceiling of memory is higher or left out"),
        (Wider::Deadline, "the deadline is later"),
        (Wider::Depth, "the depth is greater"),
        (Wider::Wall, "the wall time is longer or left out"),
    ] {
        assert_eq!(wider.to_string(), text);
    }
    for (error, text) in [
        (calls(1).with(Dimension::CPU, 0), "amount of cpu is not an amount above zero"),
        (calls(1).checked_sub(&calls(2)), "2 tool-calls are needed, 1 are there"),
        (
            calls(u64::MAX).checked_add(&calls(2)),
            "amounts of tool-calls add up to more than 2^64 - 1",
        ),
        (Err(Error::ZeroWeights), "the weights of the shares add up to zero"),
    ] {
        assert_eq!(error.expect_err(text).to_string(), text);
    }
}

#[test]
fn narrowing_names_what_is_wider() {
    let parent = with_wall(terms(calls(5).with(Dimension::MEMORY, 5).expect("memory"), 100, 1), 50);
    let amounts = |n, m| calls(n).with(Dimension::MEMORY, m).expect("memory");
    for (child, rule, result) in [
        (terms(amounts(5, 5), 100, 1), DepthRule::AtMost, Ok(Some(50))),
        (terms(amounts(5, 5), 100, 0), DepthRule::Less, Ok(Some(50))),
        (with_wall(terms(amounts(1, 1), 99, 0), 49), DepthRule::Less, Ok(Some(49))),
        (terms(amounts(6, 5), 100, 0), DepthRule::Less, Err(Wider::Amount(Dimension::TOOL_CALLS))),
        (terms(amounts(5, 6), 100, 0), DepthRule::Less, Err(Wider::Amount(Dimension::MEMORY))),
        (terms(calls(5), 100, 0), DepthRule::Less, Err(Wider::Amount(Dimension::MEMORY))),
        (terms(amounts(5, 5), 101, 0), DepthRule::Less, Err(Wider::Deadline)),
        (terms(amounts(5, 5), 100, 1), DepthRule::Less, Err(Wider::Depth)),
        (terms(amounts(5, 5), 100, 2), DepthRule::AtMost, Err(Wider::Depth)),
        (with_wall(terms(amounts(5, 5), 100, 0), 51), DepthRule::Less, Err(Wider::Wall)),
    ] {
        let wall = parent.narrow(&child, rule).map(|terms| terms.wall());
        assert_eq!(wall, result.map(|wall| wall.map(Duration::from_millis)), "{child}");
    }
    let leaf = terms(calls(5), 100, 0);
    assert_eq!(leaf.narrow(&leaf, DepthRule::Less), Err(Wider::Depth));
    assert_eq!(leaf.narrow(&leaf, DepthRule::AtMost), Ok(leaf));
}

#[test]
fn a_wall_time_is_whole_milliseconds_above_zero() {
    let grant = || terms(calls(1), 1, 1);
    for wall in
        [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(1 << 53), Duration::MAX]
    {
        assert!(matches!(grant().with_wall(wall), Err(Error::Configuration { .. })), "{wall:?}");
    }
    let rounded = grant().with_wall(Duration::from_micros(1999)).expect("a wall time");
    assert_eq!(rounded.wall(), Some(Duration::from_millis(1)));
}

#[test]
fn shares_are_exact_and_ties_go_to_the_first() {
    for (total, weights, shares) in [
        (0, &[1, 2][..], &[0, 0][..]),
        (1, &[0, 5, 5], &[0, 1, 0]),
        (10, &[1, 1, 1], &[4, 3, 3]),
        (u64::MAX, &[u64::MAX, u64::MAX], &[1 << 63, (1 << 63) - 1]),
        (u64::MAX, &[1], &[u64::MAX]),
        (1 << 63, &[u64::MAX, 1], &[1 << 63, 0]),
        (1 << 63, &[1, u64::MAX], &[1, (1 << 63) - 1]),
    ] {
        assert_eq!(share(total, weights).as_deref(), Ok(shares), "{total} by {weights:?}");
    }
    assert_eq!(share(5, &[]), Err(Error::ZeroWeights));
    assert_eq!(share(5, &[0, 0]), Err(Error::ZeroWeights));
    assert_eq!(Amounts::new().share(&[0]), Err(Error::ZeroWeights));
}

proptest! {
    #[test]
    fn le_is_a_partial_order(
        top in any_amounts(),
        seeds in proptest::collection::vec(any::<u64>(), 1..8),
        more in proptest::collection::vec(any::<u64>(), 1..8),
        extra in any_amount(),
        other in any_amounts(),
    ) {
        let middle = within(&top, &seeds, extra);
        let bottom = within(&middle, &more, 1);
        prop_assert!(top.le(&top));
        prop_assert!(middle.le(&top) && bottom.le(&middle) && bottom.le(&top));
        for (a, b) in [(&top, &other), (&top, &middle), (&middle, &bottom)] {
            if a.le(b) && b.le(a) {
                prop_assert_eq!(a, b);
            }
        }
        if other.le(&bottom) {
            prop_assert!(other.le(&top));
        }
    }

    #[test]
    fn meet_is_the_greatest_lower_bound(
        a in any_amounts(),
        b in any_amounts(),
        seeds in proptest::collection::vec(any::<u64>(), 1..8),
        extra in any_amount(),
        other in any_amounts(),
    ) {
        let meet = a.meet(&b).expect("few amounts");
        prop_assert!(meet.le(&a) && meet.le(&b));
        prop_assert_eq!(&meet, &b.meet(&a).expect("few amounts"));
        prop_assert_eq!(a.le(&b), meet == a);
        prop_assert_eq!(&a.meet(&a).expect("few amounts"), &a);
        for lower in [&other, &within(&a, &seeds, extra), &within(&meet, &seeds, extra)] {
            prop_assert_eq!(lower.le(&a) && lower.le(&b), lower.le(&meet));
        }
    }

    #[test]
    fn addition_and_subtraction_undo_each_other(a in any_amounts(), b in any_amounts()) {
        if let Ok(sum) = a.checked_add(&b) {
            prop_assert_eq!(&sum.checked_sub(&b), &Ok(a.clone()));
            prop_assert!(a.consumables().le(&sum.consumables()));
            let (ours, theirs) = (a.consumables(), b.consumables());
            prop_assert_eq!(theirs.checked_add(&ours), Ok(sum.consumables()));
        }
        // Subtraction works exactly where the consumables are within.
        prop_assert_eq!(a.checked_sub(&b).is_ok(), b.consumables().le(&a.consumables()));
        if let Ok(left) = a.checked_sub(&b) {
            prop_assert_eq!(left.checked_add(&b), Ok(a));
        }
    }

    #[test]
    fn shares_are_exact_and_within_one_of_the_quotient(
        total in prop_oneof![Just(0), any_amount()],
        weights in proptest::collection::vec(prop_oneof![Just(0), any_amount()], 0..8),
    ) {
        let sum: u128 = weights.iter().copied().map(u128::from).sum();
        let Ok(shares) = share(total, &weights) else {
            prop_assert_eq!(sum, 0);
            return Ok(());
        };
        prop_assert_eq!(shares.iter().copied().map(u128::from).sum::<u128>(), u128::from(total));
        for (share, weight) in shares.iter().zip(&weights) {
            let floor = u128::from(total) * u128::from(*weight) / sum;
            let exact = u128::from(total) * u128::from(*weight) % sum == 0;
            let share = u128::from(*share);
            prop_assert!(share == floor || share == floor + 1 && !exact);
        }
    }

    #[test]
    fn shares_of_amounts_add_up_and_lie_within(
        whole in any_amounts(),
        weights in proptest::collection::vec(1_u64.., 1..6),
    ) {
        let shares = whole.share(&weights).expect("weights above zero");
        let sum = shares.iter().try_fold(Amounts::new(), |sum, share| sum.checked_add(share));
        prop_assert_eq!(sum, Ok(whole.consumables()));
        prop_assert!(shares.iter().all(|share| share.le(&whole)));
    }

    #[test]
    fn whoever_narrows_never_widens(
        amounts in any_amounts(),
        seeds in proptest::collection::vec(any::<u64>(), 1..8),
        walls in proptest::collection::vec(proptest::option::of(1_u64..100), 3),
    ) {
        let make = |index: usize, amounts| {
            let terms = terms(amounts, 9, [7, 4, 1][index]);
            walls[index].map_or(terms.clone(), |wall| with_wall(terms, wall))
        };
        let root = make(0, amounts.clone());
        let middle = make(1, within(&amounts, &seeds, 3));
        let leaf = make(2, within(middle.amounts(), &seeds, 3));
        let running = root.narrow(&middle, DepthRule::Less).and_then(|running| running.narrow(&leaf, DepthRule::Less));
        let stated: Vec<u64> = walls.iter().flatten().copied().collect();
        let Ok(running) = running else {
            prop_assert_eq!(running, Err(Wider::Wall));
            prop_assert!(!stated.is_sorted_by(|above, below| above >= below));
            return Ok(());
        };
        prop_assert_eq!(root.narrow(&running, DepthRule::Less), Ok(running.clone()));
        let least = stated.iter().min().copied().map(Duration::from_millis);
        prop_assert_eq!(running.wall(), least);
    }
}

#[test]
fn each_dimension_has_its_name() {
    for (dimension, name) in [
        (Dimension::CPU, "cpu"),
        (Dimension::COMPUTE, "compute"),
        (Dimension::INPUT_TOKENS, "input-tokens"),
        (Dimension::OUTPUT_TOKENS, "output-tokens"),
        (Dimension::TOOL_CALLS, "tool-calls"),
        (Dimension::MONEY, "money"),
        (Dimension::AGENTS, "agents"),
        (Dimension::OUTPUT_BYTES, "output-bytes"),
        (Dimension::NETWORK_BYTES, "network-bytes"),
        (Dimension::MEMORY, "memory"),
        (Dimension::CONCURRENCY, "concurrency"),
    ] {
        assert_eq!(dimension.name(), Some(name));
        assert_eq!(dimension.to_string(), name);
        assert_eq!(dimension.advisory().name(), Some(name));
        assert_eq!(dimension.advisory().to_string(), alloc::format!("advisory {name}"));
    }
    for (kind, name) in [
        (DimensionKind::Consumable, "consumable-1048576"),
        (DimensionKind::Ceiling, "ceiling-1048576"),
    ] {
        let private = Dimension::private(1 << 20, kind).expect("a private number");
        assert_eq!((private.kind(), private.name()), (kind, None));
        assert_eq!(private.to_string(), name);
        assert_eq!(private.advisory().to_string(), alloc::format!("advisory {name}"));
    }
    let debug = alloc::format!("{:?}", Dimension::CPU.advisory());
    assert_eq!(debug, "Dimension(advisory cpu)");
}

#[test]
fn who_gets_no_unit_of_a_dimension_has_no_amount_of_it() {
    let memory = Amounts::new().with(Dimension::MEMORY, 64).expect("a ceiling");
    let both = memory.clone().with(Dimension::CPU, 1).expect("an amount");
    assert_eq!(both.share(&[1, 1]), Ok(vec![both.clone(), memory.clone()]));
    assert_eq!(both.share(&[0, 3]), Ok(vec![memory, both]));
}
