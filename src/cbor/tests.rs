use super::*;

use crate::Error;
use proptest::prelude::*;

/// What the tests below read at one place of an input.
fn uint(input: &[u8]) -> Result<u64, Error> {
    let mut decoder = Decoder::new(input);
    let value = decoder.uint_up_to(u64::MAX)?;
    decoder.finish()?;
    Ok(value)
}

fn map(input: &[u8]) -> Result<(u64, Option<u64>, u64), Error> {
    let mut decoder = Decoder::new(input);
    let mut map = decoder.map("sample")?;
    let first = map.required(1)?.uint()?;
    let second = map.optional(2)?.map(Decoder::uint).transpose()?;
    let third = map.required(-1)?.uint()?;
    map.end()?;
    decoder.finish()?;
    Ok((first, second, third))
}

#[test]
fn the_integers_of_rfc_8949_appendix_a_come_back() {
    for (value, encoded) in [
        (0, &b"\x00"[..]),
        (1, b"\x01"),
        (10, b"\x0a"),
        (23, b"\x17"),
        (24, b"\x18\x18"),
        (25, b"\x18\x19"),
        (100, b"\x18\x64"),
        (1000, b"\x19\x03\xe8"),
        (1_000_000, b"\x1a\x00\x0f\x42\x40"),
        (1_000_000_000_000, b"\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"),
        (u64::MAX, b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let mut encoder = Encoder::new();
        encoder.uint(value);
        assert_eq!(encoder.finish(), encoded);
        assert_eq!(uint(encoded), Ok(value));
    }
}

#[test]
fn signed_integers_of_rfc_8949_appendix_a_are_written() {
    for (value, encoded) in [
        (0, &b"\x00"[..]),
        (10, b"\x0a"),
        (-1, b"\x20"),
        (-10, b"\x29"),
        (-100, b"\x38\x63"),
        (-1000, b"\x39\x03\xe7"),
        (i64::MIN, b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let mut encoder = Encoder::new();
        encoder.int(value);
        assert_eq!(encoder.finish(), encoded);
        assert_eq!(Decoder::new(encoded).constant(value, "it"), Ok(()));
        assert_eq!(
            Decoder::new(encoded).constant(5, "five"),
            Err(Error::WrongConstant { offset: 0, expected: "five" }.into())
        );
    }
}

/// An item of any shape, as the examples of RFC 8949 have them.
#[derive(Debug, PartialEq)]
enum Value {
    Uint(u64),
    Negative(i64),
    Bytes(&'static [u8]),
    Text(&'static str),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Null,
}

impl Value {
    fn read(decoder: &mut Decoder<'static>) -> Result<Self, Error> {
        let first = decoder.clone().head()?.0;
        Ok(match first {
            UINT => Self::Uint(decoder.uint_up_to(u64::MAX)?),
            NEGATIVE => Self::Negative(decoder.integer()?),
            BYTES => Self::Bytes(decoder.bytes()?),
            TEXT => Self::Text(decoder.text()?),
            ARRAY => {
                let count = decoder.array()?;
                Self::Array((0..count).map(|_| Self::read(decoder)).collect::<Result<_, _>>()?)
            }
            MAP => {
                let count = decoder.pairs()?;
                let mut pair = || Ok((Self::read(decoder)?, Self::read(decoder)?));
                Self::Map((0..count).map(|_| pair()).collect::<Result<_, Error>>()?)
            }
            _ => {
                assert!(decoder.null());
                Self::Null
            }
        })
    }

    fn write(&self, out: &mut Encoder) {
        match self {
            Self::Uint(value) => out.uint(*value),
            Self::Negative(value) => out.int(*value),
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::Text(text) => out.text(text),
            Self::Null => out.null(),
            Self::Array(items) => {
                items.iter().fold(out.array(items.len()), |out, item| {
                    item.write(out);
                    out
                });
                out
            }
            Self::Map(pairs) => {
                out.map(pairs.len());
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
                out
            }
        };
    }
}

/// All 81 rows of RFC 8949, Appendix A, Table 6: what has a place in the format is read and written back, byte for byte;
/// everything else is refused for what it is.
#[test]
fn the_examples_of_rfc_8949_appendix_a_are_read_or_refused() {
    use Value::{Array, Bytes, Map, Negative, Null, Text, Uint};
    let hex = |text: &str| -> &'static [u8] {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        Vec::leak((0..text.len()).step_by(2).map(digit).collect())
    };
    let count = |range: core::ops::RangeInclusive<u64>| Array(range.map(Uint).collect());
    let mut read = 0;
    for (encoded, expected) in [
        ("00", Uint(0)),
        ("01", Uint(1)),
        ("0a", Uint(10)),
        ("17", Uint(23)),
        ("1818", Uint(24)),
        ("1819", Uint(25)),
        ("1864", Uint(100)),
        ("1903e8", Uint(1000)),
        ("1a000f4240", Uint(1_000_000)),
        ("1b000000e8d4a51000", Uint(1_000_000_000_000)),
        ("1bffffffffffffffff", Uint(u64::MAX)),
        ("20", Negative(-1)),
        ("29", Negative(-10)),
        ("3863", Negative(-100)),
        ("3903e7", Negative(-1000)),
        ("f6", Null),
        ("40", Bytes(b"")),
        ("4401020304", Bytes(&[1, 2, 3, 4])),
        ("60", Text("")),
        ("6161", Text("a")),
        ("6449455446", Text("IETF")),
        ("62225c", Text("\"\\")),
        ("62c3bc", Text("\u{fc}")),
        ("63e6b0b4", Text("\u{6c34}")),
        ("64f0908591", Text("\u{10151}")),
        ("80", Array(vec![])),
        ("83010203", count(1..=3)),
        ("8301820203820405", Array(vec![Uint(1), count(2..=3), count(4..=5)])),
        ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", count(1..=25)),
        ("a0", Map(vec![])),
        ("a201020304", Map(vec![(Uint(1), Uint(2)), (Uint(3), Uint(4))])),
        ("a26161016162820203", Map(vec![(Text("a"), Uint(1)), (Text("b"), count(2..=3))])),
        ("826161a161626163", Array(vec![Text("a"), Map(vec![(Text("b"), Text("c"))])])),
        (
            "a56161614161626142616361436164614461656145",
            Map(["aA", "bB", "cC", "dD", "eE"]
                .map(|pair| (Text(&pair[..1]), Text(&pair[1..])))
                .into()),
        ),
    ] {
        let mut decoder = Decoder::new(hex(encoded));
        assert_eq!(Value::read(&mut decoder).as_ref(), Ok(&expected), "{encoded}");
        assert_eq!(decoder.finish(), Ok(()), "{encoded}");
        let mut out = Encoder::new();
        expected.write(&mut out);
        assert_eq!(out.finish(), hex(encoded));
        read += 1;
    }

    let float = |offset| Error::Float { offset };
    let tag = |offset| Error::Tag { offset };
    let simple = |offset| Error::SimpleValue { offset };
    let indefinite = |offset| Error::IndefiniteLength { offset };
    let large = Error::IntegerTooLarge { offset: 0, maximum: i64::MAX.cast_unsigned() };
    let mut refused = 0;
    for (encoded, error) in [
        // Below -2^63, and numbers beyond 64 bits.
        ("3bffffffffffffffff", large),
        ("c249010000000000000000", tag(0)),
        ("c349010000000000000000", tag(0)),
        ("f90000", float(0)),
        ("f98000", float(0)),
        ("f93c00", float(0)),
        ("fb3ff199999999999a", float(0)),
        ("f93e00", float(0)),
        ("f97bff", float(0)),
        ("fa47c35000", float(0)),
        ("fa7f7fffff", float(0)),
        ("fb7e37e43c8800759c", float(0)),
        ("f90001", float(0)),
        ("f90400", float(0)),
        ("f9c400", float(0)),
        ("fbc010666666666666", float(0)),
        ("f97c00", float(0)),
        ("f97e00", float(0)),
        ("f9fc00", float(0)),
        ("fa7f800000", float(0)),
        ("fa7fc00000", float(0)),
        ("faff800000", float(0)),
        ("fb7ff0000000000000", float(0)),
        ("fb7ff8000000000000", float(0)),
        ("fbfff0000000000000", float(0)),
        ("f4", simple(0)),
        ("f5", simple(0)),
        ("f7", simple(0)),
        ("f0", simple(0)),
        ("f8ff", simple(0)),
        ("c074323031332d30332d32315432303a30343a30305a", tag(0)),
        ("c11a514b67b0", tag(0)),
        ("c1fb41d452d9ec200000", tag(0)),
        ("d74401020304", tag(0)),
        ("d818456449455446", tag(0)),
        ("d82076687474703a2f2f7777772e6578616d706c652e636f6d", tag(0)),
        ("5f42010243030405ff", indefinite(0)),
        ("7f657374726561646d696e67ff", indefinite(0)),
        ("9fff", indefinite(0)),
        ("9f018202039f0405ffff", indefinite(0)),
        ("9f01820203820405ff", indefinite(0)),
        ("83018202039f0405ff", indefinite(5)),
        ("83019f0203ff820405", indefinite(2)),
        ("9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", indefinite(0)),
        ("bf61610161629f0203ffff", indefinite(0)),
        ("826161bf61626163ff", indefinite(3)),
        ("bf6346756ef563416d7421ff", indefinite(0)),
    ] {
        let found = Value::read(&mut Decoder::new(hex(encoded)));
        assert_eq!(found, Err(error), "{encoded}");
        refused += 1;
    }
    assert_eq!(read + refused, 81);
}

#[test]
fn every_long_form_of_an_integer_is_refused() {
    for encoded in [
        &b"\x18\x00"[..],
        b"\x18\x17",
        b"\x19\x00\x18",
        b"\x19\x00\xff",
        b"\x1a\x00\x00\xff\xff",
        b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff",
    ] {
        assert_eq!(uint(encoded), Err(Error::LongInteger { offset: 0 }), "{encoded:x?}");
    }
}

#[test]
fn a_long_length_is_refused_like_a_long_integer() {
    for encoded in [&b"\x58\x01a"[..], b"\x59\x00\x01a"] {
        assert_eq!(Decoder::new(encoded).bytes(), Err(Error::LongInteger { offset: 0 }.into()));
    }
    assert_eq!(Decoder::new(b"\x78\x01a").text(), Err(Error::LongInteger { offset: 0 }.into()));
    assert_eq!(Decoder::new(b"\x98\x01\x00").array(), Err(Error::LongInteger { offset: 0 }.into()));
    assert_eq!(
        Decoder::new(b"\xb8\x01\x00\x00").pairs(),
        Err(Error::LongInteger { offset: 0 }.into())
    );
}

#[test]
fn each_foreign_form_has_its_own_error() {
    let offset = 0;
    for (first, error) in [
        (0x1c, Error::ReservedEncoding { offset }),
        (0x1f, Error::IndefiniteLength { offset }),
        (0x5f, Error::IndefiniteLength { offset }),
        (0x7f, Error::IndefiniteLength { offset }),
        (0x9f, Error::IndefiniteLength { offset }),
        (0xbf, Error::IndefiniteLength { offset }),
        (0xc0, Error::Tag { offset }),
        (0xd8, Error::Tag { offset }),
        (0xf4, Error::SimpleValue { offset }),
        (0xf7, Error::SimpleValue { offset }),
        (0xf8, Error::SimpleValue { offset }),
        (0xf9, Error::Float { offset }),
        (0xfa, Error::Float { offset }),
        (0xfb, Error::Float { offset }),
        (0xff, Error::IndefiniteLength { offset }),
        (0xf6, Error::WrongType { offset, expected: "an unsigned integer", found: "null" }),
        (
            0x20,
            Error::WrongType {
                offset,
                expected: "an unsigned integer",
                found: "a negative integer",
            },
        ),
    ] {
        assert_eq!(uint(&[first, 0, 0, 0, 0, 0, 0, 0, 0]), Err(error), "{first:x}");
    }
}

#[test]
fn every_first_byte_is_read_or_refused_at_its_offset() {
    for first in 0..=u8::MAX {
        let mut input = vec![0x01, first];
        input.extend_from_slice(&[0xff; 9]);
        let mut decoder = Decoder::new(&input);
        decoder.uint().expect("a one");
        if let Err(error) = decoder.uint_up_to(u64::MAX) {
            assert_eq!(Error::from(error).place(), crate::Place::Offset(1), "{first:x}");
        } else {
            assert!(first < 0x1c, "{first:x}");
        }
    }
}

#[test]
fn lengths_beyond_the_input_are_refused_before_memory_is_spent() {
    let huge = [0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(Decoder::new(&huge).array(), Err(Error::Truncated { offset: 0 }.into()));
    for major in [0x40, 0x60, 0x80, 0xa0] {
        let input = [major | 27, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let mut decoder = Decoder::new(&input);
        let error = match major {
            0x40 => decoder.bytes().err(),
            0x60 => decoder.text().err(),
            0x80 => decoder.array().err(),
            _ => decoder.pairs().err(),
        };
        assert_eq!(error, Some(Error::Truncated { offset: 0 }.into()));
    }
    assert_eq!(Decoder::new(&[0xa2, 1, 1, 1]).pairs(), Err(Error::Truncated { offset: 0 }.into()));
    assert_eq!(Decoder::new(&[0xa1, 1, 1]).pairs(), Ok(1));
}

#[test]
fn items_that_could_not_all_be_there_are_refused_before_the_first() {
    let fits = |input: &'static [u8]| {
        let mut decoder = Decoder::new(input);
        decoder.uint()?;
        decoder.items(3)
    };
    assert_eq!(fits(b"\x01\x82ssssss"), Ok(2));
    assert_eq!(fits(b"\x01\x82ssssssss"), Ok(2));
    assert_eq!(fits(b"\x01\x82sssss"), Err(Error::Truncated { offset: 1 }.into()));
    assert_eq!(fits(b"\x01\x83ssssssss"), Err(Error::Truncated { offset: 1 }.into()));
}

#[test]
fn input_may_end_nowhere_inside_an_item() {
    let whole = [0x83, 0x19, 0x01, 0x00, 0x42, 1, 2, 0x61, 0x61];
    for cut in 0..whole.len() {
        let mut decoder = Decoder::new(&whole[..cut]);
        let result = decoder
            .array()
            .and_then(|_| decoder.uint())
            .and_then(|_| decoder.bytes())
            .and_then(|_| decoder.text());
        let result = result.map_err(Error::from);
        assert!(matches!(result, Err(Error::Truncated { .. })), "{cut}: {result:?}");
    }
}

#[test]
fn text_must_be_utf8() {
    assert_eq!(Decoder::new(b"\x62\xc3\xa9").text(), Ok("é"));
    for bad in [&b"\x61\xff"[..], b"\x62\xc0\x80", b"\x63\xed\xa0\x80"] {
        assert_eq!(Decoder::new(bad).text(), Err(Error::InvalidUtf8 { offset: 0 }.into()));
    }
}

#[test]
fn bytes_left_over_are_refused() {
    assert_eq!(uint(b"\x01\x02\x03"), Err(Error::TrailingBytes { offset: 1, count: 2 }));
}

#[test]
fn map_keys_are_read_in_order_and_nothing_else_is_let_through() {
    assert_eq!(map(b"\xa3\x01\x05\x02\x06\x20\x07"), Ok((5, Some(6), 7)));
    assert_eq!(map(b"\xa2\x01\x05\x20\x07"), Ok((5, None, 7)));
    let refused = |input| map(input).expect_err("not canonical");
    assert_eq!(
        refused(b"\xa3\x02\x82\x41\x01\xa1\x01\x02\x01\x05\x20\x07"),
        Error::UnsortedKey { offset: 8 }
    );
    assert_eq!(refused(b"\xa3\x01\x05\x20\x07\x02\x06"), Error::UnsortedKey { offset: 5 });
    assert_eq!(refused(b"\xa3\x01\x05\x01\x06\x20\x07"), Error::DuplicateKey { offset: 3 });
    assert_eq!(
        refused(b"\xa3\x01\x05\x03\x06\x20\x07"),
        Error::UnknownKey { offset: 3, key: 3, map: "sample" }
    );
    assert_eq!(
        refused(b"\xa3\x01\x05\x20\x07\x21\x07"),
        Error::UnknownKey { offset: 5, key: -2, map: "sample" }
    );
    assert_eq!(refused(b"\xa1\x01\x05"), Error::MissingKey { offset: 3, key: -1, map: "sample" });
    assert_eq!(refused(b"\xa1\x20\x05"), Error::MissingKey { offset: 1, key: 1, map: "sample" });
    assert_eq!(
        refused(b"\xa2\x61\x61\x05\x20\x07"),
        Error::WrongType { offset: 1, expected: "an unsigned integer", found: "a text string" }
    );
    // Whatever else it claims, an array is no integer that is too large.
    assert_eq!(
        refused(b"\xa2\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x05\x20\x07"),
        Error::WrongType { offset: 1, expected: "an unsigned integer", found: "an array" }
    );
}

#[test]
fn sets_ascend_strictly() {
    let set = |input: &[u8]| {
        let mut decoder = Decoder::new(input);
        let count = decoder.array()?;
        let mut members = Vec::new();
        decoder.set(count, Decoder::uint, |member| members.push(member))?;
        Ok(members)
    };
    assert_eq!(set(b"\x83\x01\x02\x18\x18"), Ok(vec![1, 2, 24]));
    assert_eq!(set(b"\x82\x02\x01"), Err(Error::UnsortedSet { offset: 2 }));
    assert_eq!(set(b"\x82\x01\x01"), Err(Error::DuplicateMember { offset: 2 }));
}

#[test]
fn offsets_count_from_the_outermost_input() {
    let mut decoder = Decoder::new(b"\x82\x43\x01\xf9\x00\x05");
    decoder.array_of(2).expect("an array of two");
    let (mut inner, bytes) = decoder.embedded().expect("a byte string");
    assert_eq!(bytes, b"\x01\xf9\x00");
    assert_eq!(inner.uint(), Ok(1));
    assert_eq!(inner.uint(), Err(Error::Float { offset: 3 }.into()));
}

#[test]
fn no_other_byte_is_taken_for_an_integer_of_one_byte() {
    for value in -30_i64..30 {
        let mut encoder = Encoder::new();
        encoder.int(value);
        let encoded = encoder.finish();
        for byte in 0..=255 {
            let constant = Decoder::new(&[byte]).constant(value, "it");
            assert_eq!(constant.is_ok(), encoded == [byte], "{byte:#x} for {value}");
            let input = [0xa1, byte, 0x05];
            let mut decoder = Decoder::new(&input);
            let mut map = decoder.map("sample").expect("a map of one pair");
            let found = map.required(value).and_then(Decoder::uint);
            assert_eq!(found == Ok(5), encoded == [byte], "{byte:#x} for key {value}");
        }
    }
}

#[test]
fn a_byte_string_of_fixed_size_is_read_whole_and_no_further() {
    let read = |length: u8, bytes: usize| {
        let mut input = vec![0x58, length];
        input.extend((1..=32).cycle().take(bytes));
        input.push(0x05);
        let mut decoder = Decoder::new(&input);
        let fixed = *decoder.fixed::<32>()?;
        assert_eq!(decoder.uint(), Ok(5));
        decoder.finish()?;
        Ok(fixed)
    };
    assert_eq!(read(32, 32).map(Vec::from), Ok((1..=32).collect()));
    let refused = |found| Err(Error::WrongLength { offset: 0, expected: 32, found });
    assert_eq!((read(31, 31), read(33, 33)), (refused(31), refused(33)));
    assert_eq!(read(32, 30), Err(Error::Truncated { offset: 0 }));
}

#[test]
fn sizes_that_the_format_fixes_are_checked() {
    assert_eq!(Decoder::new(b"\x42ab").fixed::<2>(), Ok(b"ab"));
    assert_eq!(
        Decoder::new(b"\x42ab").fixed::<3>(),
        Err(Error::WrongLength { offset: 0, expected: 3, found: 2 }.into())
    );
    assert_eq!(
        Decoder::new(b"\x81\x01").array_of(2),
        Err(Error::WrongCount { offset: 0, expected: 2, found: 1 }.into())
    );
    assert_eq!(
        Decoder::new(b"\x80").array_nonempty("list"),
        Err(Error::Empty { offset: 0, what: "list" }.into())
    );
    assert_eq!(
        Decoder::new(b"\x1b\x00\x20\x00\x00\x00\x00\x00\x00").uint(),
        Err(Error::IntegerTooLarge { offset: 0, maximum: MAX_UINT }.into())
    );
}

/// A tree of items, so that encoder and decoder can be compared on arbitrary shapes.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Null,
}

impl Item {
    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::Uint(value) => encoder.uint(*value),
            Self::Bytes(bytes) => encoder.bytes(bytes),
            Self::Text(text) => encoder.text(text),
            Self::Null => encoder.null(),
            Self::Array(items) => {
                encoder.array(items.len());
                items.iter().for_each(|item| item.write(encoder));
                encoder
            }
        };
    }

    /// Reads an item of the same shape as `self`.
    fn read_alike(&self, decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        Ok(match self {
            Self::Uint(_) => Self::Uint(decoder.uint_up_to(u64::MAX)?),
            Self::Bytes(_) => Self::Bytes(decoder.bytes()?.to_vec()),
            Self::Text(_) => Self::Text(decoder.text()?.into()),
            Self::Null => {
                if decoder.null() {
                    Self::Null
                } else {
                    Self::Uint(decoder.uint()?)
                }
            }
            Self::Array(items) => {
                decoder.array_of(items.len())?;
                Self::Array(
                    items.iter().map(|item| item.read_alike(decoder)).collect::<Result<_, _>>()?,
                )
            }
        })
    }
}

fn items() -> impl Strategy<Value = Item> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Item::Uint),
        (0..300u64).prop_map(Item::Uint),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Item::Bytes),
        ".{0,40}".prop_map(Item::Text),
        Just(Item::Null),
    ];
    leaf.prop_recursive(4, 64, 30, |inner| {
        prop::collection::vec(inner, 0..30).prop_map(Item::Array)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(item in items()) {
        let mut encoder = Encoder::new();
        item.write(&mut encoder);
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(item.read_alike(&mut decoder), Ok(item));
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    /// Exactly one encoding: if changed bytes are still read as the same shape, they encode to themselves.
    #[test]
    fn changed_bytes_are_refused_or_mean_something_else(
        item in items(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut encoder = Encoder::new();
        item.write(&mut encoder);
        let mut bytes = encoder.finish();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let mut decoder = Decoder::new(&bytes);
        if let Ok(other) = item.read_alike(&mut decoder) && decoder.finish().is_ok() {
            prop_assert_ne!(&other, &item);
            let mut encoder = Encoder::new();
            other.write(&mut encoder);
            prop_assert_eq!(encoder.finish(), bytes);
        }
    }
}
