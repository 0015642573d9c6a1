//! Reads deterministic CBOR without copying, and refuses every other form at its offset.

use alloc::boxed::Box;
use core::cmp::Ordering;

use super::{ARRAY, BYTES, MAP, MAX_UINT, NEGATIVE, NULL, TEXT, UINT};
use crate::Error;

#[cfg(any(test, fuzzing))]
mod walk;
#[cfg(any(test, fuzzing))]
pub(crate) use walk::rewrite;

/// An error on its way out of a decoder. One word, so that the results of reading stay in registers: an [`Error`] has ten, and
/// what reads an envelope's elements would write and look through them for each item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(Box<Error>);

impl From<Error> for Fault {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        *fault.0
    }
}

#[cold]
fn refuse<T>(error: Error) -> Result<T, Fault> {
    Err(error.into())
}

/// A cursor over borrowed bytes. Offsets in errors count from the start of the outermost input.
#[derive(Clone, Debug)]
pub(crate) struct Decoder<'a> {
    input: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self::at(input, 0)
    }

    /// Reads `input`, which stands `base` bytes into the outermost input.
    pub(crate) fn at(input: &'a [u8], base: usize) -> Self {
        Self { input, at: 0, base }
    }

    /// Returns the offset of the next byte in the outermost input.
    pub(crate) fn offset(&self) -> usize {
        self.base + self.at
    }

    /// Returns the bytes read since `from`, an earlier [`offset`](Self::offset) of this decoder.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        &self.input[from - self.base..self.at]
    }

    /// Reads one more of what was read before and found right, or nothing at the end.
    pub(crate) fn again<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Option<T> {
        if self.at == self.input.len() { None } else { read(self).ok() }
    }

    /// Tells whether the next item is this integer and takes one byte.
    #[inline(always)]
    fn starts_with(&self, value: i64) -> bool {
        let next = self.input.get(self.at).copied().map(i64::from);
        match value {
            0..24 => next == Some(value),
            -24..0 => next == Some((i64::from(NEGATIVE) << 5) - 1 - value),
            _ => false,
        }
    }

    /// Ends the reading: nothing may be left.
    #[inline(always)]
    pub(crate) fn finish(self) -> Result<(), Fault> {
        match self.input.len() - self.at {
            0 => Ok(()),
            count => refuse(Error::TrailingBytes { offset: self.offset(), count }),
        }
    }

    /// Reads an unsigned integer up to 2^53 − 1.
    #[inline(always)]
    pub(crate) fn uint(&mut self) -> Result<u64, Fault> {
        self.uint_up_to(MAX_UINT)
    }

    #[inline(always)]
    pub(crate) fn uint_up_to(&mut self, maximum: u64) -> Result<u64, Fault> {
        let offset = self.offset();
        let value = self.expect(UINT)?;
        if value > maximum { refuse(Error::IntegerTooLarge { offset, maximum }) } else { Ok(value) }
    }

    /// Reads the integer `value`, which the format fixes; `name` says what it stands for.
    #[inline(always)]
    pub(crate) fn constant(&mut self, value: i64, name: &'static str) -> Result<(), Fault> {
        if self.starts_with(value) {
            self.at += 1;
            return Ok(());
        }
        self.constant_any(value, name)
    }

    #[inline(never)]
    fn constant_any(&mut self, value: i64, name: &'static str) -> Result<(), Fault> {
        let offset = self.offset();
        if self.integer()? == value {
            Ok(())
        } else {
            refuse(Error::WrongConstant { offset, expected: name })
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let offset = self.offset();
        let length = self.expect(BYTES)?;
        self.take(offset, length)
    }

    /// Reads a byte string of exactly `N` bytes.
    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<&'a [u8; N], Fault> {
        // The one head that it can have, where that takes two bytes.
        if let (24..=255, Some([0x58, length, rest @ ..])) = (N, self.input.get(self.at..))
            && usize::from(*length) == N
            && let Some(fixed) = rest.first_chunk()
        {
            self.at += 2 + N;
            return Ok(fixed);
        }
        let offset = self.offset();
        let bytes = self.bytes()?;
        match bytes.try_into() {
            Ok(fixed) => Ok(fixed),
            Err(_) => refuse(Error::WrongLength { offset, expected: N, found: bytes.len() }),
        }
    }

    /// Reads a byte string and opens its content for reading; offsets go on counting.
    #[inline(always)]
    pub(crate) fn embedded(&mut self) -> Result<(Decoder<'a>, &'a [u8]), Fault> {
        let bytes = self.bytes()?;
        Ok((Decoder::at(bytes, self.offset() - bytes.len()), bytes))
    }

    #[inline(always)]
    pub(crate) fn text(&mut self) -> Result<&'a str, Fault> {
        let offset = self.offset();
        core::str::from_utf8(self.text_bytes()?).or_else(|_| refuse(Error::InvalidUtf8 { offset }))
    }

    /// Reads the bytes of a text. That they are UTF-8 is for the caller to see.
    #[inline(always)]
    pub(crate) fn text_bytes(&mut self) -> Result<&'a [u8], Fault> {
        let offset = self.offset();
        let length = self.expect(TEXT)?;
        self.take(offset, length)
    }

    /// Reads the head of an array and returns its number of items, which is at most the bytes that are left.
    #[inline(always)]
    pub(crate) fn array(&mut self) -> Result<usize, Fault> {
        let offset = self.offset();
        let items = self.expect(ARRAY)?;
        self.countable(offset, items)
    }

    /// Reads the head of an array whose items take at least `size` bytes each, and returns their number.
    pub(crate) fn items(&mut self, size: usize) -> Result<usize, Fault> {
        let offset = self.offset();
        let items = self.array()?;
        // So that what is reserved for the items stays in proportion to the input.
        if items > (self.input.len() - self.at) / size {
            return refuse(Error::Truncated { offset });
        }
        Ok(items)
    }

    /// Reads the head of an array of exactly `expected` items.
    #[inline(always)]
    pub(crate) fn array_of(&mut self, expected: usize) -> Result<(), Fault> {
        let offset = self.offset();
        let found = self.array()?;
        if found == expected {
            Ok(())
        } else {
            refuse(Error::WrongCount { offset, expected, found })
        }
    }

    /// Reads the head of an array that must not be empty and returns its number of items.
    pub(crate) fn array_nonempty(&mut self, what: &'static str) -> Result<usize, Fault> {
        let offset = self.offset();
        match self.array()? {
            0 => refuse(Error::Empty { offset, what }),
            items => Ok(items),
        }
    }

    /// Reads the head of a map and returns its number of pairs.
    #[inline(always)]
    pub(crate) fn pairs(&mut self) -> Result<usize, Fault> {
        let offset = self.offset();
        let pairs = self.expect(MAP)?;
        self.countable(offset, pairs.saturating_mul(2)).map(|items| items / 2)
    }

    /// Opens a map whose keys are integers; `name` appears in errors.
    #[inline(always)]
    pub(crate) fn map(&mut self, name: &'static str) -> Result<Map<'_, 'a>, Fault> {
        let left = self.pairs()?;
        Ok(Map { decoder: self, name, left, last: None, next: None })
    }

    /// Reads a null, if that is what comes next.
    #[inline(always)]
    pub(crate) fn null(&mut self) -> bool {
        let null = self.input.get(self.at) == Some(&NULL);
        if null {
            self.at += 1;
        }
        null
    }

    /// Reads the members of a set of `count` items, strictly ascending by their encoded bytes.
    pub(crate) fn set<T>(
        &mut self,
        count: usize,
        mut member: impl FnMut(&mut Self) -> Result<T, Fault>,
        mut each: impl FnMut(T),
    ) -> Result<(), Fault> {
        let mut last: Option<&[u8]> = None;
        for _ in 0..count {
            let offset = self.offset();
            let value = member(self)?;
            let encoded = self.since(offset);
            match last.map(|last| last.cmp(encoded)) {
                Some(Ordering::Equal) => return refuse(Error::DuplicateMember { offset }),
                Some(Ordering::Greater) => return refuse(Error::UnsortedSet { offset }),
                _ => last = Some(encoded),
            }
            each(value);
        }
        Ok(())
    }

    /// Passes over one item of any shape, for [`Map::later`] only; counts what is open instead of recursing.
    fn skip(&mut self) -> Result<(), Fault> {
        let mut open = 1_u64;
        while open > 0 {
            let offset = self.offset();
            let (major, argument) = self.head()?;
            open = open.saturating_sub(1).saturating_add(match major {
                ARRAY => argument,
                MAP => argument.saturating_mul(2),
                _ => 0,
            });
            if major == BYTES || major == TEXT {
                self.take(offset, argument)?;
            }
        }
        Ok(())
    }

    pub(super) fn integer(&mut self) -> Result<i64, Fault> {
        let offset = self.offset();
        let (major, argument) = self.head()?;
        if major != UINT && major != NEGATIVE {
            return refuse(wrong_type(offset, UINT, major));
        }
        let magnitude = i64::try_from(argument).or_else(|_| {
            refuse(Error::IntegerTooLarge { offset, maximum: i64::MAX.cast_unsigned() })
        })?;
        Ok(if major == UINT { magnitude } else { -1 - magnitude })
    }

    /// Reads the head of an item of this major type and returns its argument.
    ///
    /// Heads of one byte, and those of two or three whose argument needs them, are nearly all that there are; what else may be
    /// there, and all errors, are for [`head`](Self::head), which reads these as well.
    #[inline(always)]
    fn expect(&mut self, expected: u8) -> Result<u64, Fault> {
        if let Some([first, rest @ ..]) = self.input.get(self.at..) {
            // Below 32 if it is of this type.
            match (first ^ (expected << 5), rest) {
                (info @ 0..24, _) => {
                    self.at += 1;
                    return Ok(u64::from(info));
                }
                (24, [argument, ..]) if *argument >= 24 => {
                    self.at += 2;
                    return Ok(u64::from(*argument));
                }
                (25, [high, low, ..]) if *high > 0 => {
                    self.at += 3;
                    return Ok(u64::from(u16::from_be_bytes([*high, *low])));
                }
                _ => {}
            }
        }
        self.expect_any(expected)
    }

    #[inline(never)]
    fn expect_any(&mut self, expected: u8) -> Result<u64, Fault> {
        let offset = self.offset();
        let (major, argument) = self.head()?;
        if major == expected { Ok(argument) } else { refuse(wrong_type(offset, expected, major)) }
    }

    /// Reads a head in its shortest form: RFC 8949 §3 and §4.2.1.
    pub(super) fn head(&mut self) -> Result<(u8, u64), Fault> {
        let offset = self.offset();
        let Some(&first) = self.input.get(self.at) else {
            return refuse(Error::Truncated { offset });
        };
        let (major, info) = (first >> 5, first & 0x1f);
        if info == 31 {
            return refuse(Error::IndefiniteLength { offset });
        }
        if (28..=30).contains(&info) {
            return refuse(Error::ReservedEncoding { offset });
        }
        match (major, info) {
            (6, _) => return refuse(Error::Tag { offset }),
            (7, 25..=27) => return refuse(Error::Float { offset }),
            (7, 22) => {
                self.at += 1;
                return Ok((7, 22));
            }
            (7, _) => return refuse(Error::SimpleValue { offset }),
            (_, 0..=23) => {
                self.at += 1;
                return Ok((major, u64::from(info)));
            }
            _ => {}
        }
        let width = 1 << (info - 24);
        let end = self.at + 1 + width;
        let Some(argument) = self.input.get(self.at + 1..end) else {
            return refuse(Error::Truncated { offset });
        };
        let argument = argument.iter().fold(0, |value, byte| (value << 8) + u64::from(*byte));
        let least = if width == 1 { 24 } else { 1 << (4 * width) };
        if argument < least {
            return refuse(Error::LongInteger { offset });
        }
        self.at = end;
        Ok((major, argument))
    }

    #[inline(always)]
    fn take(&mut self, offset: usize, length: u64) -> Result<&'a [u8], Fault> {
        let rest = &self.input[self.at..];
        match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => refuse(Error::Truncated { offset }),
        }
    }

    /// Every item takes a byte at least, so a count beyond the bytes left is a lie told before any memory is spent.
    #[inline(always)]
    fn countable(&self, offset: usize, items: u64) -> Result<usize, Fault> {
        match usize::try_from(items) {
            Ok(items) if items <= self.input.len() - self.at => Ok(items),
            _ => refuse(Error::Truncated { offset }),
        }
    }
}

/// A map with integer keys, read in ascending order of the keys' encoded bytes, which is the order of the CDDL.
pub(crate) struct Map<'d, 'a> {
    decoder: &'d mut Decoder<'a>,
    name: &'static str,
    left: usize,
    last: Option<i64>,
    next: Option<(i64, usize)>,
}

impl<'a> Map<'_, 'a> {
    /// Goes to the value of `key`, which must be there.
    #[inline(always)]
    pub(crate) fn required(&mut self, key: i64) -> Result<&mut Decoder<'a>, Fault> {
        if self.find(key)? {
            return Ok(self.decoder);
        }
        refuse(self.missing(key))
    }

    /// Goes to the value of `key`, if it is there.
    #[inline(always)]
    pub(crate) fn optional(&mut self, key: i64) -> Result<Option<&mut Decoder<'a>>, Fault> {
        Ok(if self.find(key)? { Some(self.decoder) } else { None })
    }

    /// Ends the map: no other key may be left.
    #[inline(always)]
    pub(crate) fn end(self) -> Result<(), Fault> {
        if self.is_exhausted() { Ok(()) } else { self.refuse_rest() }
    }

    #[inline(always)]
    fn is_exhausted(&self) -> bool {
        self.left == 0 && self.next.is_none()
    }

    #[inline(never)]
    fn refuse_rest(mut self) -> Result<(), Fault> {
        match self.peek()? {
            None => Ok(()),
            Some((key, offset)) => refuse(Error::UnknownKey { offset, key, map: self.name }),
        }
    }

    #[inline(never)]
    fn missing(&self, key: i64) -> Error {
        let offset = self.next.map_or(self.decoder.offset(), |(_, offset)| offset);
        match self.later(key) {
            Some(offset) => Error::UnsortedKey { offset },
            None => Error::MissingKey { offset, key, map: self.name },
        }
    }

    /// Looks ahead for a key that is missing here, so that the error tells disorder from absence.
    fn later(&self, key: i64) -> Option<usize> {
        let mut ahead = self.decoder.clone();
        for _ in 0..self.left {
            ahead.skip().ok()?;
            let offset = ahead.offset();
            if ahead.integer().ok()? == key {
                return Some(offset);
            }
        }
        None
    }

    #[inline(always)]
    fn find(&mut self, key: i64) -> Result<bool, Fault> {
        if self.is_exhausted() {
            return Ok(false);
        }
        if self.is_next(key) {
            self.decoder.at += 1;
            self.left -= 1;
            self.last = Some(key);
            return Ok(true);
        }
        self.find_any(key)
    }

    /// Tells whether the next key has not been looked at, takes one byte, and is this one, in its place: the usual case.
    #[inline(always)]
    fn is_next(&self, key: i64) -> bool {
        self.next.is_none()
            && self.decoder.starts_with(key)
            && self.last.is_none_or(|last| order(last) < order(key))
    }

    #[inline(never)]
    fn find_any(&mut self, key: i64) -> Result<bool, Fault> {
        let Some((found, offset)) = self.peek()? else {
            return Ok(false);
        };
        match order(found).cmp(&order(key)) {
            Ordering::Less => refuse(Error::UnknownKey { offset, key: found, map: self.name }),
            Ordering::Greater => Ok(false),
            Ordering::Equal => {
                self.next = None;
                Ok(true)
            }
        }
    }

    fn peek(&mut self) -> Result<Option<(i64, usize)>, Fault> {
        if self.next.is_none() && self.left > 0 {
            let offset = self.decoder.offset();
            let key = self.decoder.integer()?;
            match self.last.map(|last| order(last).cmp(&order(key))) {
                Some(Ordering::Equal) => return refuse(Error::DuplicateKey { offset }),
                Some(Ordering::Greater) => return refuse(Error::UnsortedKey { offset }),
                _ => {}
            }
            self.left -= 1;
            self.last = Some(key);
            self.next = Some((key, offset));
        }
        Ok(self.next)
    }
}

/// Orders integer keys as their encoded bytes: 0, 1, 2 … then −1, −2 …
fn order(key: i64) -> (bool, u64) {
    (key < 0, key.unsigned_abs())
}

fn wrong_type(offset: usize, expected: u8, found: u8) -> Error {
    Error::WrongType { offset, expected: type_name(expected), found: type_name(found) }
}

fn type_name(major: u8) -> &'static str {
    match major {
        UINT => "an unsigned integer",
        NEGATIVE => "a negative integer",
        BYTES => "a byte string",
        TEXT => "a text string",
        ARRAY => "an array",
        MAP => "a map",
        _ => "null",
    }
}
