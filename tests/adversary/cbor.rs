//! A lenient CBOR tree: reads what the library writes, writes what no strict encoder would.

/// An item, in whatever order and however often its parts stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Uint(u64),
    /// −1 less the number.
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(Item, Item)>),
    Null,
    /// Bytes that are written as they are.
    Raw(Vec<u8>),
}

pub(crate) fn int(value: i64) -> Item {
    match u64::try_from(value) {
        Ok(value) => Item::Uint(value),
        Err(_) => Item::Negative((!value).cast_unsigned()),
    }
}

pub(crate) fn uint(value: u64) -> Item {
    Item::Uint(value)
}

pub(crate) fn text(value: &str) -> Item {
    Item::Text(value.to_owned())
}

pub(crate) fn bytes(value: impl AsRef<[u8]>) -> Item {
    Item::Bytes(value.as_ref().to_vec())
}

pub(crate) fn array(items: impl IntoIterator<Item = Item>) -> Item {
    Item::Array(items.into_iter().collect())
}

/// A map in the order given.
pub(crate) fn map(pairs: impl IntoIterator<Item = (i64, Item)>) -> Item {
    Item::Map(pairs.into_iter().map(|(key, value)| (int(key), value)).collect())
}

impl Item {
    /// Reads one item that takes all of `input`.
    pub(crate) fn read(input: &[u8]) -> Self {
        let mut rest = input;
        let item = Self::read_next(&mut rest);
        assert!(rest.is_empty(), "{} bytes too many", rest.len());
        item
    }

    fn read_next(rest: &mut &[u8]) -> Self {
        let (major, argument) = head(rest);
        let length = || usize::try_from(argument).expect("a length that fits");
        match major {
            0 => Self::Uint(argument),
            1 => Self::Negative(argument),
            2 => Self::Bytes(take(rest, length()).to_vec()),
            3 => Self::Text(String::from_utf8_lossy(take(rest, length())).into_owned()),
            4 => Self::Array((0..argument).map(|_| Self::read_next(rest)).collect()),
            5 => Self::Map(
                (0..argument).map(|_| (Self::read_next(rest), Self::read_next(rest))).collect(),
            ),
            7 if argument == 22 => Self::Null,
            _ => panic!("no item of major type {major} is in this format"),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uint(value) => out.extend(shortest(0, *value)),
            Self::Negative(value) => out.extend(shortest(1, *value)),
            Self::Bytes(value) => {
                out.extend(shortest(2, size(value.len())));
                out.extend(value);
            }
            Self::Text(value) => {
                out.extend(shortest(3, size(value.len())));
                out.extend(value.as_bytes());
            }
            Self::Array(items) => {
                out.extend(shortest(4, size(items.len())));
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(pairs) => {
                out.extend(shortest(5, size(pairs.len())));
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::Null => out.push(0xf6),
            Self::Raw(value) => out.extend(value),
        }
    }

    /// The same item with a head one size longer than need be.
    pub(crate) fn long(&self) -> Self {
        let encoded = self.encode();
        let mut rest = &encoded[..];
        let (major, argument) = head(&mut rest);
        let old = encoded.len() - rest.len();
        let mut out = match old {
            1 => vec![major << 5 | 24],
            2 => vec![major << 5 | 25],
            3 => vec![major << 5 | 26],
            _ => vec![major << 5 | 27],
        };
        let width = out[0] & 0x1f;
        let big = argument.to_be_bytes();
        out.extend(&big[8 - (1 << (width - 24))..]);
        out.extend(rest);
        Self::Raw(out)
    }

    /// The same array, map or string with indefinite length.
    pub(crate) fn indefinite(&self) -> Self {
        let encoded = self.encode();
        let mut rest = &encoded[..];
        let (major, _) = head(&mut rest);
        let mut out = vec![major << 5 | 31];
        match major {
            // A string of one chunk.
            2 | 3 => out.extend(&encoded),
            _ => out.extend(rest),
        }
        out.push(0xff);
        Self::Raw(out)
    }

    pub(crate) fn items(&mut self) -> &mut Vec<Item> {
        match self {
            Self::Array(items) => items,
            other => panic!("{other:?} is no array"),
        }
    }

    pub(crate) fn pairs(&mut self) -> &mut Vec<(Item, Item)> {
        match self {
            Self::Map(pairs) => pairs,
            other => panic!("{other:?} is no map"),
        }
    }

    pub(crate) fn into_items(self) -> Vec<Item> {
        match self {
            Self::Array(items) => items,
            other => panic!("{other:?} is no array"),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(value) => value,
            other => panic!("{other:?} is no byte string"),
        }
    }

    pub(crate) fn get(&self, key: i64) -> Option<&Item> {
        match self {
            Self::Map(pairs) => {
                pairs.iter().find(|(at, _)| *at == int(key)).map(|(_, value)| value)
            }
            other => panic!("{other:?} is no map"),
        }
    }

    /// Sets the value of a key, in the place where a strict decoder looks for it.
    pub(crate) fn set(&mut self, key: i64, value: Item) {
        let pairs = self.pairs();
        let new = int(key).encode();
        match pairs.iter().position(|(at, _)| at.encode() >= new) {
            Some(index) if pairs[index].0 == int(key) => pairs[index].1 = value,
            Some(index) => pairs.insert(index, (int(key), value)),
            None => pairs.push((int(key), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: i64) {
        self.pairs().retain(|(at, _)| *at != int(key));
    }
}

fn size(length: usize) -> u64 {
    u64::try_from(length).expect("lengths fit 64 bits")
}

fn shortest(major: u8, argument: u64) -> Vec<u8> {
    let big = argument.to_be_bytes();
    let major = major << 5;
    match argument {
        0..=23 => vec![major | big[7]],
        24..=0xff => vec![major | 24, big[7]],
        0x100..=0xffff => [&[major | 25], &big[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26], &big[4..]].concat(),
        _ => [&[major | 27], &big[..]].concat(),
    }
}

fn head(rest: &mut &[u8]) -> (u8, u64) {
    let first = take(rest, 1)[0];
    let (major, info) = (first >> 5, first & 0x1f);
    let argument = match info {
        0..=23 => u64::from(info),
        24..=27 => {
            take(rest, 1 << (info - 24)).iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
        }
        _ => panic!("no head of this kind is in this format"),
    };
    (major, argument)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}
