//! The forger's tools: CBOR taken apart and put together at will, and signatures under keys that the adversary owns.
//!
//! None of this goes through the library, which would not make what is made here.

use agent_envelope::AgentId;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

/// A CBOR item. `Raw` is what an honest encoder would not write.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Cbor {
    Uint(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Cbor>),
    Map(Vec<(Cbor, Cbor)>),
    Null,
    Raw(Vec<u8>),
}

use Cbor::{Array, Bytes, Map, Negative, Null, Raw, Text, Uint};

impl Cbor {
    /// Takes apart bytes that an honest encoder wrote.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self::read(&mut &*bytes)
    }

    fn read(bytes: &mut &[u8]) -> Self {
        let first = take(bytes, 1)[0];
        let argument = match first & 31 {
            small @ 0..24 => u64::from(small),
            long => {
                let length = 1 << (long - 24);
                take(bytes, length).iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            }
        };
        let length = usize::try_from(argument).unwrap_or(usize::MAX);
        match first >> 5 {
            0 => Uint(argument),
            1 => Negative(argument),
            2 => Bytes(take(bytes, length).to_vec()),
            3 => Text(String::from_utf8_lossy(take(bytes, length)).into_owned()),
            4 => Array((0..length).map(|_| Self::read(bytes)).collect()),
            5 => Map((0..length).map(|_| (Self::read(bytes), Self::read(bytes))).collect()),
            _ => Null,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Uint(value) => head(out, 0, *value),
            Negative(value) => head(out, 1, *value),
            Bytes(bytes) => {
                head(out, 2, wide(bytes.len()));
                out.extend_from_slice(bytes);
            }
            Text(text) => {
                head(out, 3, wide(text.len()));
                out.extend_from_slice(text.as_bytes());
            }
            Array(items) => {
                head(out, 4, wide(items.len()));
                items.iter().for_each(|item| item.write(out));
            }
            Map(entries) => {
                head(out, 5, wide(entries.len()));
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Null => out.push(0xf6),
            Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    pub(crate) fn items(&mut self) -> &mut Vec<Self> {
        match self {
            Array(items) => items,
            _ => unreachable!("the forger knows where arrays are"),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Bytes(bytes) => bytes,
            _ => unreachable!("the forger knows where byte strings are"),
        }
    }

    /// Sets a key of a map, keeping small keys in order.
    pub(crate) fn set(&mut self, key: u64, value: Self) {
        let Map(entries) = self else { unreachable!("the forger knows where maps are") };
        let small = |one: &Self| if let Uint(found) = one { *found } else { u64::MAX };
        match entries.iter().position(|(found, _)| small(found) >= key) {
            Some(at) if entries[at].0 == Uint(key) => entries[at].1 = value,
            Some(at) => entries.insert(at, (Uint(key), value)),
            None => entries.push((Uint(key), value)),
        }
    }

    /// Finds a key of a map.
    pub(crate) fn get(&mut self, key: &Self) -> &mut Self {
        let Map(entries) = self else { unreachable!("the forger knows where maps are") };
        let found = entries.iter_mut().find(|(found, _)| found == key);
        &mut found.expect("the forger knows the keys").1
    }

    /// Changes CBOR that is wrapped in a byte string.
    pub(crate) fn inside(&mut self, change: impl FnOnce(&mut Self)) {
        let mut inner = Self::parse(self.bytes());
        change(&mut inner);
        *self = Bytes(inner.encode());
    }
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> &'b [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let bytes = value.to_be_bytes();
    let (info, from) = match value {
        0..24 => (bytes[7], 8),
        24..0x100 => (24, 7),
        0x100..0x1_0000 => (25, 6),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 0),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(&bytes[from..]);
}

pub(crate) fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("lengths fit 64 bits")
}

fn hash(purpose: &str, fields: Vec<Cbor>) -> Vec<u8> {
    let mut items = vec![Text(format!("agent-envelope/1/{purpose}"))];
    items.extend(fields);
    Sha256::digest(Array(items).encode()).to_vec()
}

/// An envelope in pieces.
pub(crate) struct Pieces {
    pub(crate) header: Cbor,
    /// Arrays of record and body.
    pub(crate) elements: Vec<Cbor>,
    pub(crate) hops: Vec<Cbor>,
}

impl Pieces {
    pub(crate) fn of(envelope: &[u8]) -> Self {
        let mut top = Cbor::parse(envelope);
        let hops = std::mem::take(top.items()[3].items());
        let elements = std::mem::take(top.items()[2].items());
        Self { header: Cbor::parse(top.items()[1].bytes()), elements, hops }
    }

    pub(crate) fn join(&self) -> Vec<u8> {
        Array(vec![
            Text("agent-envelope/1".to_owned()),
            Bytes(self.header.encode()),
            Array(self.elements.clone()),
            Array(self.hops.clone()),
        ])
        .encode()
    }

    /// Changes the record of an element.
    pub(crate) fn record(&mut self, element: usize, change: impl FnOnce(&mut Cbor)) {
        self.elements[element].items()[0].inside(change);
    }

    /// Changes the body of an element.
    pub(crate) fn body(&mut self, element: usize, change: impl FnOnce(&mut Cbor)) {
        self.elements[element].items()[1].inside(change);
    }

    /// Finds the first element of a kind.
    pub(crate) fn find(&self, kind: u64) -> usize {
        let is_kind = |element: &Cbor| {
            let mut element = element.clone();
            *Cbor::parse(element.items()[0].bytes()).get(&Uint(1)) == Uint(kind)
        };
        self.elements.iter().position(is_kind).expect("the forger knows what is there")
    }

    /// Makes the record of a control element fit its body and its new author.
    pub(crate) fn recommit_control(&mut self, element: usize, author: AgentId) {
        let body = self.elements[element].items()[1].clone();
        self.record(element, |record| {
            let kind = record.get(&Uint(1)).clone();
            let author = Bytes(author.as_bytes().to_vec());
            record.set(2, Bytes(hash("control", vec![author, kind, body])));
        });
    }

    /// Signs a hop anew, over `count` elements as they are now.
    pub(crate) fn resign(&mut self, hop: usize, count: usize, key: &SigningKey) {
        let digest = hash("envelope", vec![Bytes(self.header.encode())]);
        let mut chain = digest.clone();
        for element in &mut self.elements[..count] {
            chain = hash("element", vec![Bytes(chain), element.items()[0].clone()]);
        }
        let mut prev = digest;
        for earlier in &mut self.hops[..hop] {
            prev = statement_id(earlier, "hop", Bytes(prev));
        }
        self.hops[hop].items()[2].inside(|payload| {
            payload.set(4, Uint(wide(count)));
            payload.set(5, Bytes(chain));
        });
        sign_statement(&mut self.hops[hop], "hop", Bytes(prev), key);
    }

    /// Changes what a hop says, without signing it.
    pub(crate) fn hop(&mut self, hop: usize, change: impl FnOnce(&mut Cbor)) {
        self.hops[hop].items()[2].inside(change);
    }
}

/// The Sig_structure of RFC 9052 with this protocol's external data.
fn to_be_signed(statement: &mut Cbor, kind: &str, parent: Option<Cbor>) -> Vec<u8> {
    let mut aad = vec![Text(format!("agent-envelope/1/{kind}"))];
    aad.extend(parent);
    let [protected, payload] = [0, 2].map(|index| statement.items()[index].clone());
    let aad = Bytes(Array(aad).encode());
    Array(vec![Text("Signature1".to_owned()), protected, aad, payload]).encode()
}

pub(crate) fn statement_id(statement: &mut Cbor, kind: &str, parent: Cbor) -> Vec<u8> {
    Sha256::digest(to_be_signed(statement, kind, Some(parent))).to_vec()
}

pub(crate) fn sign_statement(statement: &mut Cbor, kind: &str, parent: Cbor, key: &SigningKey) {
    let message = to_be_signed(statement, kind, Some(parent));
    statement.items()[3] = Bytes(key.sign(&message).to_bytes().to_vec());
}

/// Signs a statement that has no parent.
pub(crate) fn sign_alone(statement: &mut Cbor, kind: &str, key: &SigningKey) {
    let message = to_be_signed(statement, kind, None);
    statement.items()[3] = Bytes(key.sign(&message).to_bytes().to_vec());
}

/// Changes the last link of a chain and signs it anew.
pub(crate) fn forge_link(
    chain: &[u8],
    key: &SigningKey,
    change: impl FnOnce(&mut Cbor),
) -> Vec<u8> {
    let mut links = Cbor::parse(chain);
    let mut parent = Null;
    let count = links.items().len();
    for link in &mut links.items()[..count - 1] {
        parent = Bytes(statement_id(link, "link", parent));
    }
    let last = &mut links.items()[count - 1];
    last.items()[2].inside(change);
    sign_statement(last, "link", parent, key);
    links.encode()
}

/// The claim that holds scope and depth.
pub(crate) const GRANT: Cbor = Negative(65536);
