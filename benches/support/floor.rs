//! The same work in straight code: no format, no policy, no allocation that is not the content; the least that signing,
//! verifying, sealing and reading could cost with the same primitives used plainly.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use super::{KIB_4, WORLDS};

/// What COSE makes of a hop or of a link is about as long.
const MESSAGE: usize = 224;
/// Three links, four hops, one key package.
const SIGNATURES: usize = 8;
const NONCE: [u8; 12] = [3; 12];
/// What a body is bound to: the Enc_structure of SPEC §8.3 has as many bytes.
const BOUND_TO: [u8; 147] = [4; 147];

/// A signature with everything it takes to verify it.
pub(crate) struct Signed {
    key: [u8; 32],
    message: [u8; MESSAGE],
    signature: [u8; 64],
}

impl Signed {
    fn new(seed: u8, number: u8) -> Self {
        let key = SigningKey::from_bytes(&secret(seed, number));
        let message = [number; MESSAGE];
        let signature = key.sign(&message).to_bytes();
        Self { key: key.verifying_key().to_bytes(), message, signature }
    }

    /// Verifies under a key that comes as bytes.
    pub(crate) fn verify(&self) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }
}

/// One body, encrypted under a key that is wrapped for three readers.
pub(crate) struct Body {
    wraps: [Wrap; 3],
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

struct Wrap {
    ephemeral: [u8; 32],
    key: [u8; 32],
    tag: [u8; 16],
}

/// The keys and inputs of one run.
pub(crate) struct Floor {
    signer: SigningKey,
    pub(crate) signatures: [Signed; SIGNATURES],
    readers: [StaticSecret; 3],
    public: [PublicKey; 3],
    pub(crate) body: Body,
}

impl Floor {
    pub(crate) fn all() -> Vec<Self> {
        (0..WORLDS).map(|seed| Self::new(seed, &super::content(KIB_4))).collect()
    }

    pub(crate) fn new(seed: u8, content: &[u8]) -> Self {
        let readers = [20, 21, 22].map(|role| StaticSecret::from(secret(seed, role)));
        let public = readers.each_ref().map(PublicKey::from);
        // The sender signs its hop and its key package: seven keys for eight signatures.
        let signatures = [0, 1, 2, 3, 4, 5, 6, 6].map(|role| Signed::new(seed, role));
        let signer = SigningKey::from_bytes(&secret(seed, 6));
        let body = seal(&public, content);
        Self { signer, signatures, readers, public, body }
    }

    /// R: eight signatures, each alone, and the body for one of three readers.
    pub(crate) fn read(&self) -> usize {
        assert!(self.verify_all());
        self.open().len()
    }

    /// Eight signatures, each alone.
    pub(crate) fn verify_all(&self) -> bool {
        self.signatures.iter().all(Signed::verify)
    }

    /// Key agreement, key derivation, the wrapped key, the body.
    pub(crate) fn open(&self) -> Vec<u8> {
        let wrap = &self.body.wraps[0];
        let shared = self.readers[0].diffie_hellman(&PublicKey::from(wrap.ephemeral));
        let mut key = wrap.key;
        let (kek, nonce) = derive(shared.as_bytes(), &wrap.ephemeral, &self.public[0]);
        cipher(&kek)
            .decrypt_inout_detached(
                (&nonce).into(),
                &[],
                key.as_mut_slice().into(),
                (&wrap.tag).into(),
            )
            .expect("the key was wrapped for this reader");
        let mut content = self.body.ciphertext.clone();
        cipher(&key)
            .decrypt_inout_detached(
                (&NONCE).into(),
                &BOUND_TO,
                content.as_mut_slice().into(),
                (&self.body.tag).into(),
            )
            .expect("the body is under this key");
        content
    }

    /// Opens, and hashes the content once, since every reader must find the same.
    pub(crate) fn open_and_hash(&self) -> [u8; 32] {
        Sha256::digest(self.open()).into()
    }

    /// Commits to content, seals it for three, names the ciphertext and signs.
    pub(crate) fn create(&self, content: &[u8]) -> [u8; 64] {
        let commit = Sha256::digest(content);
        let body = seal(&self.public, content);
        let mut message = [0; MESSAGE];
        message[..32].copy_from_slice(&commit);
        message[32..64].copy_from_slice(&Sha256::digest(&body.ciphertext));
        self.sign(&message)
    }

    /// Signs one message of the usual length.
    pub(crate) fn sign(&self, message: &[u8; MESSAGE]) -> [u8; 64] {
        self.signer.sign(message).to_bytes()
    }

    pub(crate) fn sign_any(&self) -> [u8; 64] {
        self.sign(&[9; MESSAGE])
    }
}

fn seal(readers: &[PublicKey; 3], content: &[u8]) -> Body {
    let key = [7; 32];
    let mut role = 30;
    let wraps = readers.each_ref().map(|reader| {
        role += 1;
        let ephemeral = StaticSecret::from(secret(0, role));
        let public = PublicKey::from(&ephemeral).to_bytes();
        let (kek, nonce) = derive(ephemeral.diffie_hellman(reader).as_bytes(), &public, reader);
        let mut wrapped = key;
        let tag = cipher(&kek)
            .encrypt_inout_detached((&nonce).into(), &[], wrapped.as_mut_slice().into())
            .expect("short");
        Wrap { ephemeral: public, key: wrapped, tag: tag.into() }
    });
    let mut ciphertext = content.to_vec();
    let tag = cipher(&key)
        .encrypt_inout_detached((&NONCE).into(), &BOUND_TO, ciphertext.as_mut_slice().into())
        .expect("short");
    Body { wraps, ciphertext, tag: tag.into() }
}

fn derive(shared: &[u8; 32], ephemeral: &[u8; 32], reader: &PublicKey) -> ([u8; 32], [u8; 12]) {
    let (mut key, mut nonce) = ([0; 32], [0; 12]);
    let hkdf = Hkdf::<Sha256>::new(Some(ephemeral), shared);
    hkdf.expand_multi_info(&[b"key", reader.as_bytes()], &mut key).expect("32 bytes");
    hkdf.expand_multi_info(&[b"nonce", reader.as_bytes()], &mut nonce).expect("12 bytes");
    (key, nonce)
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(key.into())
}

/// A secret of its own for every role of every run.
fn secret(seed: u8, role: u8) -> [u8; 32] {
    let mut secret = [2; 32];
    secret[..2].copy_from_slice(&[seed, role]);
    secret
}

/// What a decoder written for exactly one envelope finds: an originator's clear elements under its chain.
pub(crate) struct Decoded<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) elements: Vec<Element<'a>>,
    pub(crate) hop: Hop<'a>,
}

pub(crate) struct Header<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) context: &'a [u8],
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
    pub(crate) created: u64,
    pub(crate) expires: u64,
}

pub(crate) struct Element<'a> {
    pub(crate) kind: u64,
    pub(crate) commit: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) salt: &'a [u8],
    pub(crate) content_type: &'a str,
    pub(crate) content: &'a [u8],
}

pub(crate) struct Hop<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) next: &'a [u8],
    pub(crate) count: u64,
    pub(crate) head: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// Reads an envelope of clear elements without a chain, with one recipient and one hop; `None` for anything else.
pub(crate) fn decode(bytes: &[u8]) -> Option<Decoded<'_>> {
    let mut outer = Cursor(bytes);
    outer.expect(ARRAY, 4)?;
    if outer.text()? != "agent-envelope/1" {
        return None;
    }
    let header = header(Cursor(outer.bytes()?))?;
    let count = usize::try_from(outer.head(ARRAY)?).ok()?;
    let elements = (0..count).map(|_| element(&mut outer)).collect::<Option<Vec<_>>>()?;
    outer.expect(ARRAY, 1)?;
    let hop = hop(&mut outer)?;
    outer.end()?;
    Some(Decoded { header, elements, hop })
}

fn header(mut map: Cursor<'_>) -> Option<Header<'_>> {
    map.expect(MAP, 6)?;
    let id = map.key(1)?.fixed(16)?;
    let context = map.key(2)?.fixed(16)?;
    let from = map.key(3)?.fixed(32)?;
    map.key(4)?.expect(ARRAY, 1)?;
    let to = map.fixed(32)?;
    let created = map.key(5)?.head(UINT)?;
    let expires = map.key(6)?.head(UINT)?;
    map.end()?;
    Some(Header { id, context, from, to, created, expires })
}

fn element<'a>(outer: &mut Cursor<'a>) -> Option<Element<'a>> {
    outer.expect(ARRAY, 2)?;
    let mut record = Cursor(outer.bytes()?);
    record.expect(MAP, 2)?;
    let kind = record.key(1)?.head(UINT)?;
    let commit = record.key(2)?.fixed(32)?;
    record.end()?;
    let body = outer.bytes()?;
    let mut plain = Cursor(body);
    plain.expect(ARRAY, 3)?;
    let salt = plain.fixed(16)?;
    let content_type = plain.text()?;
    let content = plain.bytes()?;
    plain.end()?;
    Some(Element { kind, commit, body, salt, content_type, content })
}

fn hop<'a>(outer: &mut Cursor<'a>) -> Option<Hop<'a>> {
    outer.expect(ARRAY, 4)?;
    if outer.bytes()? != [0xa1, 0x01, 0x32] {
        return None;
    }
    outer.expect(MAP, 0)?;
    let payload = outer.bytes()?;
    let signature = outer.fixed(64)?;
    let mut map = Cursor(payload);
    map.expect(MAP, 3)?;
    map.key(2)?.expect(ARRAY, 1)?;
    let next = map.fixed(32)?;
    let count = map.key(4)?.head(UINT)?;
    let head = map.key(5)?.fixed(32)?;
    map.end()?;
    Some(Hop { payload, next, count, head, signature })
}

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Reads CBOR heads in their shortest form and borrows what follows them.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn head(&mut self, major: u8) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if first >> 5 != major {
            return None;
        }
        let (value, rest, least) = match first & 0x1f {
            info @ 0..24 => (u64::from(info), rest, 0),
            24 => {
                let (bytes, rest) = rest.split_first()?;
                (u64::from(*bytes), rest, 24)
            }
            25 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*bytes)), rest, 1 << 8)
            }
            26 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from(u32::from_be_bytes(*bytes)), rest, 1 << 16)
            }
            27 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*bytes), rest, 1 << 32)
            }
            _ => return None,
        };
        self.0 = rest;
        (value >= least).then_some(value)
    }

    fn expect(&mut self, major: u8, value: u64) -> Option<()> {
        (self.head(major)? == value).then_some(())
    }

    fn key(&mut self, key: u64) -> Option<&mut Self> {
        self.expect(UINT, key)?;
        Some(self)
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.head(BYTES)?;
        self.take(length)
    }

    fn fixed(&mut self, size: usize) -> Option<&'a [u8]> {
        self.bytes().filter(|bytes| bytes.len() == size)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.head(TEXT)?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
