//! CBOR as another decoder reads it, and what can be told of a refusal by looking at the bytes alone.

use agent_envelope::{Error, Place};
use ciborium::Value;

/// Reads one item that takes all of `input`, in whatever encoding.
pub(crate) fn read(mut input: &[u8]) -> Option<Value> {
    let value = ciborium::from_reader(&mut input).ok()?;
    input.is_empty().then_some(value)
}

/// Writes a value in its deterministic form, if it has one in this format: no tags, no floats, no simple values but null,
/// and maps with integer keys, or with text keys in `labels`.
pub(crate) fn canonical(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Some(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Integer(value) => {
            let value = i128::from(*value);
            let (major, argument) = if value < 0 { (1, -1 - value) } else { (0, value) };
            head(out, major, u64::try_from(argument).ok()?);
        }
        Value::Bytes(bytes) => {
            head(out, 2, size(bytes.len()));
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            head(out, 3, size(text.len()));
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(out, 4, size(items.len()));
            items.iter().try_for_each(|item| write(item, out))?;
        }
        Value::Map(pairs) => {
            head(out, 5, size(pairs.len()));
            let mut encoded = pairs
                .iter()
                .map(|(key, value)| Some((canonical(key)?, canonical(value)?)))
                .collect::<Option<Vec<_>>>()?;
            encoded.sort();
            if encoded.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            for (key, value) in encoded {
                out.extend(key);
                out.extend(value);
            }
        }
        Value::Null => out.push(0xf6),
        _ => return None,
    }
    Some(())
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let width = match argument {
        0..=23 => {
            out.push(major << 5 | argument.to_be_bytes()[7]);
            return;
        }
        24..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    };
    out.push(major << 5 | (24 + width));
    out.extend_from_slice(&argument.to_be_bytes()[8 - (1 << width)..]);
}

fn size(length: usize) -> u64 {
    u64::try_from(length).expect("no platform has lengths beyond 64 bits")
}

/// The head of an item, in whatever form: its major type, its argument, and how many bytes it takes.
fn peek(input: &[u8], offset: usize) -> Option<(u8, u64, usize)> {
    let first = *input.get(offset)?;
    let (major, info) = (first >> 5, first & 0x1f);
    let width = match info {
        0..=23 => return Some((major, info.into(), 1)),
        24..=27 => 1 << (info - 24),
        _ => return None,
    };
    let bytes = input.get(offset + 1..offset + 1 + width)?;
    let argument = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((major, argument, 1 + width))
}

/// Sees to it that a refusal says of the bytes at its offset what is true of them.
pub(crate) fn assert_true(error: &Error, input: &[u8]) {
    let Place::Offset(offset) = error.place() else { return };
    assert!(offset <= input.len(), "{error}: beyond the input");
    let found = peek(input, offset);
    let info = input.get(offset).map(|first| first & 0x1f);
    let major = input.get(offset).map(|first| first >> 5);
    let integer = || match found {
        Some((0, argument, _)) => Some(i128::from(argument)),
        Some((1, argument, _)) => Some(-1 - i128::from(argument)),
        _ => None,
    };
    let length = |of: u8| match found {
        Some((major, argument, _)) if major == of => Some(argument),
        _ => None,
    };
    let holds = match error {
        // Where the enclosing string ends is not to be seen from here.
        Error::Truncated { .. } => true,
        Error::LongInteger { .. } => found.is_some_and(|(_, argument, width)| {
            let least = [24, 1 << 8, 1 << 16, 1 << 32];
            let index = [2, 3, 5, 9].iter().position(|one| *one == width);
            index.is_some_and(|index| argument < least[index])
        }),
        Error::IndefiniteLength { .. } => info == Some(31),
        Error::ReservedEncoding { .. } => matches!(info, Some(28..=30)),
        Error::Float { .. } => matches!(input[offset], 0xf9..=0xfb),
        Error::Tag { .. } => major == Some(6),
        Error::SimpleValue { .. } => major == Some(7) && input[offset] != 0xf6,
        Error::TrailingBytes { count, .. } => *count > 0 && offset + count <= input.len(),
        Error::InvalidUtf8 { .. } => found.is_some_and(|(major, argument, width)| {
            let text = usize::try_from(argument)
                .ok()
                .and_then(|length| input.get(offset + width..)?.get(..length));
            major == 3 && text.is_some_and(|text| std::str::from_utf8(text).is_err())
        }),
        Error::WrongType { expected, found, .. } => {
            let name = match major {
                Some(0) => "an unsigned integer",
                Some(1) => "a negative integer",
                Some(2) => "a byte string",
                Some(3) => "a text string",
                Some(4) => "an array",
                Some(5) => "a map",
                _ => "null",
            };
            *found == name && expected != found
        }
        Error::UnknownKey { key, .. } => integer() == Some((*key).into()),
        Error::DuplicateKey { .. } | Error::UnsortedKey { .. } => {
            integer().is_some() || major == Some(3)
        }
        Error::WrongLength { expected, found, .. } => {
            length(2) == Some(size(*found)) && expected != found
        }
        Error::IntegerTooLarge { maximum, .. } => {
            found.is_some_and(|(major, argument, _)| major < 2 && argument > *maximum)
        }
        Error::WrongCount { found, .. } => length(4) == Some(size(*found)),
        Error::Empty { .. } => length(4).or(length(5)) == Some(0) || length(3) == Some(0),
        _ => true,
    };
    assert!(holds, "{error}, which is not so");
}
