use super::*;

use crate::Error;
use crate::cbor::{Decoder, Encoder};
use alloc::string::ToString;
use alloc::vec;

fn tariff(input: &[u8]) -> Result<Tariff, Error> {
    let mut decoder = Decoder::new(input);
    let tariff = Tariff::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(tariff)
}

fn encoded(tariff: &Tariff) -> Vec<u8> {
    let mut encoder = Encoder::new();
    tariff.encode(&mut encoder);
    encoder.finish()
}

fn dollars() -> Tariff {
    Tariff::new("USD:6").expect("a unit of money")
}

fn rate(price: u64, per: u64) -> Rate {
    Rate { price, per }
}

fn money(amount: u64) -> Amounts {
    Amounts::new().with_unit(Dimension::MONEY, amount, "USD:6").expect("money")
}

fn used(dimension: Dimension, amount: u64) -> Amounts {
    Amounts::new().with(dimension, amount).expect("an amount")
}

/// Encodes prices of the form (dimension, price, per, unit), and free dimensions.
fn stated(unit: &str, prices: &[(u64, u64, u64, Option<&str>)], free: &[u64]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.map(if free.is_empty() { 2 } else { 3 }).uint(1).text(unit).uint(2).array(prices.len());
    for (dimension, price, per, unit) in prices {
        out.array(if unit.is_some() { 4 } else { 3 }).uint(*dimension).uint(*price).uint(*per);
        if let Some(unit) = unit {
            out.text(unit);
        }
    }
    if !free.is_empty() {
        out.uint(3).array(free.len());
        free.iter().for_each(|dimension| {
            out.uint(*dimension);
        });
    }
    out.finish()
}

#[test]
fn each_line_is_rounded_up_on_its_own() {
    let tariff = dollars()
        .with(Dimension::INPUT_TOKENS, rate(1, 3))
        .and_then(|tariff| tariff.with(Dimension::OUTPUT_TOKENS, rate(2, 3)))
        .expect("a tariff");
    for (input, output, price) in [(1, 0, 1), (3, 0, 1), (4, 0, 2), (1, 1, 2), (3, 3, 3), (1, 2, 3)]
    {
        let mut amounts = Amounts::new();
        for (dimension, amount) in
            [(Dimension::INPUT_TOKENS, input), (Dimension::OUTPUT_TOKENS, output)]
        {
            if amount > 0 {
                amounts = amounts.with(dimension, amount).expect("an amount");
            }
        }
        assert_eq!(tariff.price(&amounts), Ok(money(price)), "{amounts}");
    }
    assert_eq!(tariff.price(&Amounts::new()), Ok(Amounts::new()));
}

#[test]
fn what_a_tariff_forgets_is_an_error_and_not_a_gift() {
    let calls = Dimension::TOOL_CALLS;
    let tariff = dollars().with(calls, rate(1, 1)).expect("a tariff");
    let unpriced = |dimension| Err(Error::Unpriced { dimension });
    assert_eq!(tariff.price(&used(Dimension::CPU, 1)), unpriced(Dimension::CPU));
    assert_eq!(tariff.price(&used(calls.advisory(), 1)), unpriced(calls.advisory()));
    assert_eq!(tariff.price(&money(1)), unpriced(Dimension::MONEY));
    let free = tariff.free_of_charge(Dimension::CPU).expect("a tariff");
    assert_eq!(free.price(&used(Dimension::CPU, 1)), Ok(Amounts::new()));
    assert_eq!(free.price(&used(Dimension::MEMORY, u64::MAX)), Ok(Amounts::new()));
}

#[test]
fn money_costs_only_in_its_own_unit_and_compute_only_by_its_own_table() {
    let (one, other) = ("0".repeat(64), "1".repeat(64));
    let tariff = dollars()
        .with_unit(Dimension::MONEY, rate(105, 100), "USD:6")
        .and_then(|tariff| tariff.with_unit(Dimension::COMPUTE, rate(7, 1), &one))
        .expect("a tariff");
    assert_eq!(tariff.price(&money(1_000)), Ok(money(1_050)));
    let compute = |table: &str| Amounts::new().with_unit(Dimension::COMPUTE, 2, table);
    assert_eq!(tariff.price(&compute(&one).expect("compute")), Ok(money(14)));
    assert_eq!(
        tariff.price(&compute(&other).expect("compute")),
        Err(Error::Unpriced { dimension: Dimension::COMPUTE })
    );
    let euros = Amounts::new().with_unit(Dimension::MONEY, 5, "EUR:2").expect("money");
    assert_eq!(tariff.price(&euros), Err(Error::Unpriced { dimension: Dimension::MONEY }));
    assert_eq!(tariff.rate_in(Dimension::COMPUTE, &one), Some(rate(7, 1)));
    assert_eq!(tariff.rate_in(Dimension::COMPUTE, &other), None);
    assert_eq!(tariff.rate(Dimension::COMPUTE), None);
}

#[test]
fn a_price_stops_at_the_end_of_64_bits() {
    let overflow = Err(Error::AmountOverflow { dimension: Dimension::MONEY });
    let calls = Dimension::TOOL_CALLS;
    let with = |price, per| dollars().with(calls, rate(price, per)).expect("a tariff");
    let max = u64::MAX;
    for (tariff, amount, price) in [
        (with(max, max), max, Ok(money(max))),
        (with(1, 1), max, Ok(money(max))),
        (with(max, 1), 1, Ok(money(max))),
        (with(max, 1), 2, overflow.clone()),
        (with(2, 1), 1 << 63, overflow.clone()),
        (with(2, 1), (1 << 63) - 1, Ok(money(max - 1))),
        (with(max, max - 1), max, overflow.clone()),
        (with(1, max), max, Ok(money(1))),
    ] {
        assert_eq!(tariff.price(&used(calls, amount)), price, "{tariff} for {amount}");
    }
    let both = with(1, 1).with(Dimension::CPU, rate(1, 1)).expect("a tariff");
    let full = used(calls, max).with(Dimension::CPU, 1).expect("an amount");
    assert_eq!(both.price(&full), overflow);
}

#[test]
fn prices_that_cannot_stand_are_refused_with_what_would() {
    let calls = Dimension::TOOL_CALLS;
    let tariff = || {
        let priced = dollars().with(calls, rate(1, 1));
        priced.and_then(|tariff| tariff.free_of_charge(Dimension::CPU)).expect("a tariff")
    };
    let refused = |dimension, expected| Err(Error::RateRefused { dimension, expected });
    let zero = "above zero per more than zero";
    let consumable = "of a consumable; a ceiling is not spent";
    let once = "the only statement about its dimension and unit";
    let own = "of money in the tariff's own unit; money is never converted";
    let network = Dimension::NETWORK_BYTES;
    assert_eq!(tariff().with(network, rate(0, 1)), refused(network, zero));
    assert_eq!(tariff().with(network, rate(1, 0)), refused(network, zero));
    assert_eq!(
        tariff().with(Dimension::MEMORY, rate(1, 1)),
        refused(Dimension::MEMORY, consumable)
    );
    assert_eq!(tariff().with(calls, rate(2, 1)), refused(calls, once));
    assert_eq!(tariff().with(Dimension::CPU, rate(1, 1)), refused(Dimension::CPU, once));
    assert_eq!(
        tariff().with_unit(Dimension::MONEY, rate(1, 1), "EUR:2"),
        refused(Dimension::MONEY, own)
    );
    assert_eq!(
        tariff().with_unit(Dimension::MONEY.advisory(), rate(1, 1), "EUR:2"),
        refused(Dimension::MONEY.advisory(), own)
    );
    assert_eq!(tariff().free_of_charge(Dimension::MEMORY), refused(Dimension::MEMORY, consumable));
    assert_eq!(tariff().free_of_charge(calls), refused(calls, once));
    assert_eq!(tariff().free_of_charge(Dimension::CPU), refused(Dimension::CPU, once));
    let asset = "an amount in an asset with its decimal places, such as USD:6";
    let dimension = Dimension::MONEY;
    assert_eq!(Tariff::new("USD"), Err(Error::AmountRefused { dimension, expected: asset }));
    assert_eq!(
        tariff().with(Dimension::MONEY, rate(1, 1)),
        Err(Error::AmountRefused { dimension, expected: asset })
    );
    assert_eq!(
        refused(calls, once).expect_err("refused").to_string(),
        "price of tool-calls is not the only statement about its dimension and unit"
    );
    let private =
        |n: u64| Dimension::private((1 << 20) + n, DimensionKind::Consumable).expect("private");
    let full =
        (0..32).fold(dollars(), |tariff, n| tariff.with(private(n), rate(1, 1)).expect("few"));
    let last = private(32);
    assert_eq!(full.with(last, rate(1, 1)), refused(last, "one of at most 32"));
    let full = (0..32).fold(dollars(), |tariff, n| tariff.free_of_charge(private(n)).expect("few"));
    assert_eq!(full.free_of_charge(last), refused(last, "one of at most 32"));
}

#[test]
fn a_tariff_is_written_for_people() {
    assert_eq!(dollars().to_string(), "no prices in USD:6");
    let free = dollars().free_of_charge(Dimension::CPU).expect("a tariff");
    assert_eq!(free.to_string(), "free of charge: cpu");
    let tariff = free
        .with_unit(Dimension::MONEY, rate(105, 100), "USD:6")
        .and_then(|tariff| tariff.free_of_charge(Dimension::TOOL_CALLS))
        .expect("a tariff");
    assert_eq!(
        tariff.to_string(),
        "0.000105 USD per 0.000100 USD, free of charge: cpu, tool-calls"
    );
}

#[test]
fn a_tariff_tells_what_was_agreed() {
    let tariff = dollars()
        .with(Dimension::OUTPUT_TOKENS, rate(15, 2))
        .and_then(|tariff| tariff.with_unit(Dimension::MONEY, rate(21, 20), "USD:6"))
        .and_then(|tariff| tariff.free_of_charge(Dimension::CPU))
        .expect("a tariff");
    assert_eq!(tariff.unit(), "USD:6");
    assert_eq!(tariff.rate(Dimension::OUTPUT_TOKENS), Some(rate(15, 2)));
    assert_eq!(tariff.rate_in(Dimension::MONEY, "USD:6"), Some(rate(21, 20)));
    assert!(tariff.is_free(Dimension::CPU));
    // What is not priced in this unit has no price, and to be free is not one.
    assert_eq!(tariff.rate(Dimension::MONEY), None);
    assert_eq!(tariff.rate_in(Dimension::MONEY, "EUR:2"), None);
    assert_eq!(tariff.rate(Dimension::CPU), None);
    assert!(!tariff.is_free(Dimension::OUTPUT_TOKENS));
}

#[test]
fn an_encoded_tariff_has_these_bytes() {
    let made = dollars()
        .with_unit(Dimension::MONEY, rate(21, 20), "USD:6")
        .and_then(|tariff| tariff.with(Dimension::OUTPUT_TOKENS, rate(15_000_000, 1_000_000)))
        .and_then(|tariff| tariff.free_of_charge(Dimension::CPU))
        .expect("a tariff");
    let mut bytes = vec![0xa3, 1]; // map(3); 1:
    bytes.extend(b"\x65USD:6\x02\x82"); // "USD:6"; 2: array(2)
    bytes.extend(b"\x83\x10\x1a\x00\xe4\xe1\xc0\x1a\x00\x0f\x42\x40"); // [16, 15000000, 1000000]: output-tokens
    bytes.extend(b"\x84\x18\x18\x15\x14\x65USD:6"); // [24, 21, 20, "USD:6"]: money
    bytes.extend(b"\x03\x81\x04"); // 3: [4]: cpu
    assert_eq!(encoded(&made), bytes);
    assert_eq!(tariff(&bytes), Ok(made));
}

#[test]
fn every_malformed_tariff_is_refused_at_its_offset() {
    let invalid = |offset, expected| Error::InvalidValue { offset, expected };
    let consumable = "of a consumable; a ceiling is not spent";
    let many: Vec<_> = (0..33).map(|n| (4 * (100 + n), 1, 1, None)).collect();
    let free: Vec<_> = (0..33).map(|n| 4 * (100 + n)).collect();
    for (input, error) in [
        (vec![0x80], Error::WrongType { offset: 0, expected: "a map", found: "an array" }),
        (vec![0xa0], Error::MissingKey { offset: 1, key: 1, map: "tariff" }),
        (
            stated("USD", &[], &[]),
            invalid(2, "an amount in an asset with its decimal places, such as USD:6"),
        ),
        (stated("USD:6", &[(16, 0, 1, None)], &[]), invalid(12, "a number above zero")),
        (stated("USD:6", &[(16, 1, 0, None)], &[]), invalid(13, "a number above zero")),
        (stated("USD:6", &[(65, 1, 1, None)], &[]), invalid(10, consumable)),
        (
            stated("USD:6", &[(24, 1, 1, Some("EUR:2"))], &[]),
            invalid(10, "of money in the tariff's own unit; money is never converted"),
        ),
        (stated("USD:6", &[(4, 1, 1, Some("us"))], &[]), invalid(10, "an amount without a unit")),
        (
            stated("USD:6", &[(16, 1, 1, None), (12, 1, 1, None)], &[]),
            Error::UnsortedSet { offset: 14 },
        ),
        (
            stated("USD:6", &[(16, 1, 1, None), (16, 2, 1, None)], &[]),
            Error::DuplicateMember { offset: 14 },
        ),
        (
            stated("USD:6", &many, &[]),
            Error::LimitExceeded { what: "prices of a tariff", limit: 32, found: 33 },
        ),
        (stated("USD:6", &[], &[8, 4]), Error::UnsortedSet { offset: 13 }),
        (stated("USD:6", &[], &[4, 4]), Error::DuplicateMember { offset: 13 }),
        (stated("USD:6", &[], &[65]), invalid(12, consumable)),
        (
            stated("USD:6", &[(4, 1, 1, None)], &[4]),
            invalid(16, "the only statement about its dimension and unit"),
        ),
        (
            stated("USD:6", &[], &free),
            Error::LimitExceeded { what: "dimensions free of charge", limit: 32, found: 33 },
        ),
        (
            b"\xa3\x01\x65USD:6\x02\x80\x03\x80".to_vec(),
            Error::Empty { offset: 11, what: "dimensions free of charge" },
        ),
        (
            b"\xa3\x01\x65USD:6\x02\x80\x04\x80".to_vec(),
            Error::UnknownKey { offset: 10, key: 4, map: "tariff" },
        ),
        (
            b"\xa2\x01\x65USD:6\x02\x81\x82\x04\x01".to_vec(),
            Error::WrongCount { offset: 10, expected: 3, found: 2 },
        ),
        (
            b"\xa2\x01\x65USD:6\x02\x81\x85\x04\x01\x01\x61a\x00".to_vec(),
            Error::WrongCount { offset: 10, expected: 4, found: 5 },
        ),
    ] {
        assert_eq!(tariff(&input), Err(error), "{input:02x?}");
    }
}

proptest! {
    #[test]
    fn a_price_is_exact_to_the_unit(amount in any_amount(), price in any_amount(), per in any_amount()) {
        let calls = Dimension::TOOL_CALLS;
        let tariff = dollars().with(calls, rate(price, per)).expect("a tariff");
        let exact = u128::from(amount) * u128::from(price);
        match tariff.price(&used(calls, amount)) {
            Ok(charged) => {
                let charged = u128::from(charged.get_in(Dimension::MONEY, "USD:6").expect("above zero"));
                // Enough, and by less than one unit too much: charged - 1 < exact / per <= charged.
                prop_assert!(exact.div_ceil(u128::from(per)) == charged);
                prop_assert!(charged >= 1 && (charged - 1) * u128::from(per) < exact);
            }
            Err(error) => {
                prop_assert_eq!(error, Error::AmountOverflow { dimension: Dimension::MONEY });
                prop_assert!(exact > u128::from(u64::MAX) * u128::from(per));
            }
        }
    }

    #[test]
    fn more_use_never_costs_less_and_parts_never_less_than_the_whole(
        a in 0_u64..1 << 40,
        b in 0_u64..1 << 40,
        price in 1_u64..1 << 20,
        per in 1_u64..1 << 20,
    ) {
        let tariff = dollars().with(Dimension::CPU, rate(price, per)).expect("a tariff");
        let price = |amount| {
            let used = if amount == 0 { Amounts::new() } else { used(Dimension::CPU, amount) };
            tariff.price(&used).expect("small").get_in(Dimension::MONEY, "USD:6").unwrap_or(0)
        };
        prop_assert!(price(a) <= price(a + b));
        prop_assert!(price(a + b) <= price(a) + price(b));
        prop_assert!(price(a) + price(b) <= price(a + b) + 1);
    }

    #[test]
    fn a_tariff_is_read_back_as_written(
        keys in proptest::collection::btree_set(any_key(), 0..8),
        rates in proptest::collection::vec((any_amount(), any_amount()), 8),
        free in proptest::collection::vec(any_key(), 0..4),
    ) {
        let mut made = dollars();
        for ((dimension, unit), (price, per)) in keys.iter().zip(rates) {
            let priced = match unit {
                Some(unit) => made.clone().with_unit(*dimension, rate(price, per), unit),
                None => made.clone().with(*dimension, rate(price, per)),
            };
            made = priced.unwrap_or(made);
        }
        for (dimension, _) in free {
            made = made.clone().free_of_charge(dimension).unwrap_or(made);
        }
        let bytes = encoded(&made);
        prop_assert_eq!(tariff(&bytes), Ok(made));
        for length in 0..bytes.len() {
            prop_assert!(tariff(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn what_is_read_is_written_back_byte_for_byte(
        prices in proptest::collection::vec((any_key(), 0_u64..3, 0_u64..3), 0..4),
        free in proptest::collection::vec(0_u64..40, 0..3),
    ) {
        let prices: Vec<_> = prices
            .iter()
            .map(|((dimension, unit), price, per)| (dimension.id(), *price, *per, unit.as_deref()))
            .collect();
        let bytes = stated("USD:6", &prices, &free);
        if let Ok(tariff) = tariff(&bytes) {
            prop_assert_eq!(encoded(&tariff), bytes);
        }
    }
}
