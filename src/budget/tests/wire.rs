use super::*;

use crate::cbor::{Decoder, Encoder};
use crate::{Error, Timestamp};
use alloc::vec;
use core::time::Duration;

fn amounts(input: &[u8]) -> Result<Amounts, Error> {
    let mut decoder = Decoder::new(input);
    let amounts = Amounts::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(amounts)
}

fn terms(input: &[u8]) -> Result<Terms, Error> {
    let mut decoder = Decoder::new(input);
    let terms = Terms::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(terms)
}

fn encoded(terms: &Terms) -> Vec<u8> {
    let mut encoder = Encoder::new();
    terms.encode(&mut encoder);
    encoder.finish()
}

fn entries(entries: &[(u64, u64, Option<&str>)]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.array(entries.len());
    for (dimension, amount, unit) in entries {
        encoder.array(if unit.is_some() { 3 } else { 2 }).uint(*dimension).uint(*amount);
        if let Some(unit) = unit {
            encoder.text(unit);
        }
    }
    encoder.finish()
}

#[test]
fn encoded_terms_have_these_bytes() {
    let amounts = Amounts::new()
        .with_unit(Dimension::MONEY, u64::MAX, "USD:6")
        .and_then(|amounts| amounts.with(Dimension::OUTPUT_TOKENS, 1000))
        .and_then(|amounts| amounts.with(Dimension::MEMORY, 1))
        .expect("amounts");
    let made = Terms::new(amounts, Timestamp::from_unix_seconds(1_700_000_000), 2)
        .with_wall(Duration::from_secs(30))
        .expect("a wall time");
    let mut bytes = vec![0xa4, 1, 0x83]; // map(4); 1: array(3)
    bytes.extend(b"\x82\x10\x19\x03\xe8"); // [16, 1000]: output-tokens
    bytes.extend(b"\x83\x18\x18\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x65USD:6"); // [24, 2^64 - 1, "USD:6"]
    bytes.extend(b"\x82\x18\x41\x01"); // [65, 1]: memory
    bytes.extend(b"\x02\x1a\x65\x53\xf1\x00"); // 2: 1700000000
    bytes.extend(b"\x03\x02\x04\x19\x75\x30"); // 3: 2, 4: 30000
    assert_eq!(encoded(&made), bytes);
    assert_eq!(terms(&bytes), Ok(made));
}

#[test]
fn amounts_are_ordered_by_dimension_and_then_unit_whatever_the_amount() {
    for good in [
        &[][..],
        &[(4, 9, None), (12, 1, None)],
        &[(4, 1, None), (6, 1, None)],
        &[(400, 9, None), (400, 1, Some("b")), (400, 5, Some("aa"))],
        &[(24, u64::MAX, Some("EUR:2")), (24, 1, Some("USD:6")), (28, 1, None)],
        &[(0, 1, None), ((1 << 53) - 1, 1, None)],
    ] {
        assert!(amounts(&entries(good)).is_ok(), "{good:?}");
    }
    for (bad, error) in [
        (&[(12, 1, None), (4, 9, None)][..], Error::UnsortedSet { offset: 4 }),
        (&[(4, 1, None), (4, 2, None)], Error::DuplicateMember { offset: 4 }),
        (&[(400, 1, Some("b")), (400, 1, None)], Error::UnsortedSet { offset: 8 }),
        (&[(400, 1, Some("aa")), (400, 2, Some("b"))], Error::UnsortedSet { offset: 9 }),
        (&[(400, 1, Some("b")), (400, 1, Some("b"))], Error::DuplicateMember { offset: 8 }),
    ] {
        assert_eq!(amounts(&entries(bad)), Err(error), "{bad:?}");
    }
}

#[test]
fn every_malformed_amount_is_refused_at_its_offset() {
    let invalid = |offset, expected| Error::InvalidValue { offset, expected };
    let wrong = |offset, expected, found| Error::WrongType { offset, expected, found };
    let count = |expected, found| Error::WrongCount { offset: 1, expected, found };
    let asset = "an amount in an asset with its decimal places, such as USD:6";
    let many: Vec<_> = (0..33).map(|id| (4 * (100 + id), 1, None)).collect();
    for (input, error) in [
        (vec![], Error::Truncated { offset: 0 }),
        (vec![0xa0], wrong(0, "an array", "a map")),
        (vec![0x9f, 0xff], Error::IndefiniteLength { offset: 0 }),
        (vec![0x82, 0x82, 4, 1], Error::Truncated { offset: 4 }),
        (vec![0x81, 4], wrong(1, "an array", "an unsigned integer")),
        (vec![0x81, 0x80], count(2, 0)),
        (vec![0x81, 0x81, 4], count(2, 1)),
        (vec![0x81, 0x84, 4, 1, 0x61, b'a', 0], count(3, 4)),
        (vec![0x81, 0x82, 0x20, 1], wrong(2, "an unsigned integer", "a negative integer")),
        (vec![0x81, 0x82, 4, 0x20], wrong(3, "an unsigned integer", "a negative integer")),
        (vec![0x81, 0x82, 4, 0x18, 1], Error::LongInteger { offset: 3 }),
        (vec![0x81, 0x82, 4, 0xf6], wrong(3, "an unsigned integer", "null")),
        (vec![0x81, 0x82, 4, 0], invalid(3, "an amount above zero")),
        (vec![0x81, 0x83, 4, 1, 0x41, b'a'], wrong(4, "a text string", "a byte string")),
        (vec![0x81, 0x82, 4, 1, 0], Error::TrailingBytes { offset: 4, count: 1 }),
        (
            entries(&[(1 << 53, 1, None)]),
            Error::IntegerTooLarge { offset: 2, maximum: (1 << 53) - 1 },
        ),
        (entries(&[(24, 1, None)]), invalid(1, asset)),
        (entries(&[(26, 1, Some("USD"))]), invalid(1, asset)),
        (
            entries(&[(4, 1, None), (8, 1, Some("x"))]),
            invalid(4, "an amount in units of a cost table, named by its SHA-256 in hex"),
        ),
        (entries(&[(4, 1, Some("us"))]), invalid(1, "an amount without a unit")),
        (
            entries(&[(400, 1, Some(""))]),
            invalid(1, "an amount in a unit of 1 to 64 visible ASCII characters"),
        ),
        (entries(&many), Error::LimitExceeded { what: "amounts", limit: 32, found: 33 }),
    ] {
        assert_eq!(amounts(&input), Err(error), "{input:x?}");
    }
    assert!(amounts(&entries(&many[..32])).is_ok());
}

#[test]
fn every_malformed_terms_are_refused_at_their_offset() {
    let map = "terms";
    let large = |offset| Error::IntegerTooLarge { offset, maximum: (1 << 53) - 1 };
    let wide = [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0];
    for (input, error) in [
        (vec![0x80], Error::WrongType { offset: 0, expected: "a map", found: "an array" }),
        (vec![0xa0], Error::MissingKey { offset: 1, key: 1, map }),
        (vec![0xa2, 1, 0x80, 2, 0], Error::MissingKey { offset: 5, key: 3, map }),
        (vec![0xa2, 1, 0x80, 3, 0], Error::MissingKey { offset: 3, key: 2, map }),
        (vec![0xa2, 2, 0, 3, 0], Error::MissingKey { offset: 1, key: 1, map }),
        (vec![0xa3, 2, 0, 1, 0x80, 3, 0], Error::UnsortedKey { offset: 3 }),
        (vec![0xa3, 1, 0x80, 2, 0, 2, 0], Error::DuplicateKey { offset: 5 }),
        (vec![0xa4, 1, 0x80, 2, 0, 3, 0, 5, 0], Error::UnknownKey { offset: 7, key: 5, map }),
        (vec![0xa4, 0, 0, 1, 0x80, 2, 0, 3, 0], Error::UnknownKey { offset: 1, key: 0, map }),
        (
            vec![0xa4, 1, 0x80, 2, 0, 3, 0, 4, 0],
            Error::InvalidValue { offset: 8, expected: "a wall time above zero" },
        ),
        (
            vec![0xa4, 1, 0x80, 2, 0, 3, 0, 4, 0xf6],
            Error::WrongType { offset: 8, expected: "an unsigned integer", found: "null" },
        ),
        ([&[0xa3, 1, 0x80, 2][..], &wide, &[3, 0]].concat(), large(4)),
        ([&[0xa3, 1, 0x80, 2, 0, 3][..], &wide].concat(), large(6)),
        ([&[0xa4, 1, 0x80, 2, 0, 3, 0, 4][..], &wide].concat(), large(8)),
    ] {
        assert_eq!(terms(&input), Err(error), "{input:x?}");
    }
    assert!(terms(&[0xa3, 1, 0x80, 2, 0, 3, 0]).is_ok());
}

proptest! {
    #[test]
    fn terms_come_back_from_their_bytes(
        amounts in any_amounts(),
        deadline in any::<u64>(),
        depth in any::<u32>(),
        wall in proptest::option::of(1_u64..1 << 53),
    ) {
        let made = Terms::new(amounts, Timestamp::from_unix_seconds(deadline), depth);
        let made = match wall {
            Some(wall) => made.with_wall(Duration::from_millis(wall)).expect("a wall time"),
            None => made,
        };
        prop_assert_eq!(terms(&encoded(&made)), Ok(made));
    }

    #[test]
    fn hostile_bytes_are_refused_or_come_back(
        made in any_amounts(),
        at in any::<usize>(),
        byte in any::<u8>(),
    ) {
        let mut input = encoded(&Terms::new(made, Timestamp::MAX, 1));
        let at = at % input.len();
        input[at] = byte;
        if let Ok(other) = terms(&input) {
            prop_assert_eq!(encoded(&other), input);
        }
    }
}
