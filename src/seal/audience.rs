//! An audience: one random secret, encrypted once to a set of readers. SPEC §8.2.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::cose::{
    ALG_HPKE_4_KE, HEADER_ALG, HEADER_EK, HEADER_KID, Info, content_headers, enc_structure,
    recipient_structure, write_content_headers,
};
use super::hpke::{SealingSecret, WRAPPED_KEY_LEN, open_key, seal_key};
use super::primitives::{Prk, TAG_LEN, aead_open_in_place, aead_seal};
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{AudienceId, HeaderDigest};
use crate::entropy::Seed;
use crate::identity::{AgentId, KeyPackage};
use crate::{Error, Limits};

/// Bytes of a hint: enough to tell 64 keys apart.
const HINT: usize = 8;
const SECRET: usize = 32;

/// The secret of an audience: whoever has it opens everything sealed to the audience.
pub(crate) struct AudienceSecret {
    /// In a box, so that a vector of audiences that grows leaves no copy in the block it had before.
    secret: Box<Zeroizing<[u8; SECRET]>>,
    id: AudienceId,
}

impl AudienceSecret {
    /// Takes a secret and computes the id that commits to it.
    pub(crate) fn new(secret: Zeroizing<[u8; SECRET]>, envelope: &HeaderDigest) -> Self {
        let mut info: Encoder<Info> = Encoder::on_stack();
        info.array(2).text("agent-envelope/1/audience-id").bytes(envelope.as_bytes());
        let id = AudienceId(*Prk::new(&secret).expand(&[&info.finish()]));
        Self { secret: Box::new(secret), id }
    }

    /// Makes a second handle to the same secret, for an agent that lets others in.
    pub(crate) fn share(&self) -> Self {
        Self { secret: self.secret.clone(), id: self.id }
    }

    pub(crate) const fn id(&self) -> &AudienceId {
        &self.id
    }

    /// Derives `N` bytes for `info`.
    pub(super) fn derive<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        Prk::new(&self.secret).expand(&[info])
    }

    /// Encrypts the secret to `readers`, which share no hint; `index` tells the audiences of one call apart.
    ///
    /// ```cddl
    /// audience = [ aid: bstr .size 32, COSE_Encrypt ]
    /// COSE_Encrypt = [ h'a1011818', { 5: bstr .size 12 }, bstr .size 48, [ + recipient ] ]
    /// recipient = [ bstr .cbor { 1: 50, 4: bstr .size 8 }, { -4: bstr .size 32 }, bstr .size 48 ]
    /// ```
    pub(crate) fn encrypt(
        &self,
        envelope: &HeaderDigest,
        readers: &[&KeyPackage],
        seed: &Seed,
        index: usize,
    ) -> Result<Vec<u8>, Error> {
        let readers = by_hint(readers)?;
        let key: Zeroizing<[u8; 32]> = seed.derive("audience-key", index);
        let iv: Zeroizing<[u8; 12]> = seed.derive("audience-iv", index);
        let aad = enc_structure("Encrypt", &external_aad(envelope, &self.id));
        let ciphertext = aead_seal(&key, &iv, &aad, &self.secret[..])
            .expect("32 bytes are within what RFC 8439 allows");
        let mut out = Encoder::with_capacity(160 + 112 * readers.len());
        out.array(2).bytes(self.id.as_bytes()).array(4);
        write_content_headers(&mut out, &iv);
        out.bytes(&ciphertext).array(readers.len());
        for (position, reader) in readers.iter().enumerate() {
            let claims = reader.claims();
            // One ephemeral key for each reader of each audience, so that a seed never serves two wraps.
            let ephemeral = SealingSecret::from_bytes(
                *seed.derive(&alloc::format!("ephemeral/{index}"), position),
            );
            let mut protected = Encoder::with_capacity(16);
            protected.map(2).int(HEADER_ALG).int(ALG_HPKE_4_KE);
            protected.int(HEADER_KID).bytes(hint(&claims.sealing_key));
            let protected = protected.finish();
            let info = recipient_structure(&protected, &extra_info(envelope, &claims.agent));
            let (ek, wrap) = seal_key(&claims.sealing_key, &info, &[], &key, ephemeral)
                .ok_or(Error::WeakSealingKey { agent: claims.agent })?;
            out.array(3).bytes(&protected).map(1).int(HEADER_EK).bytes(&ek).bytes(&wrap);
        }
        Ok(out.finish())
    }
}

impl fmt::Debug for AudienceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AudienceSecret(..)")
    }
}

/// Sorts readers by hint; two with the same hint could not be told apart, nor could one given twice.
fn by_hint<'k>(readers: &[&'k KeyPackage]) -> Result<Vec<&'k KeyPackage>, Error> {
    let mut readers = readers.to_vec();
    readers.sort_by_key(|reader| *hint(&reader.claims().sealing_key));
    for pair in readers.windows(2) {
        let [first, second] = [pair[0].claims(), pair[1].claims()];
        if hint(&first.sealing_key) == hint(&second.sealing_key) {
            return Err(Error::DuplicateHint { first: first.agent, second: second.agent });
        }
    }
    Ok(readers)
}

fn hint(sealing_key: &[u8; 32]) -> &[u8; HINT] {
    sealing_key.first_chunk().expect("32 bytes have 8 in front")
}

/// An audience as received: its form is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedAudience<'a> {
    id: &'a [u8; 32],
    iv: &'a [u8; 12],
    ciphertext: &'a [u8; SECRET + TAG_LEN],
    wraps: Wraps<'a>,
}

/// The wraps of an audience, one for each reader, in ascending order of their hints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wraps<'a> {
    count: usize,
    encoded: &'a [u8],
}

struct Wrap<'a> {
    protected: &'a [u8],
    hint: &'a [u8; HINT],
    ek: &'a [u8; 32],
    wrapped: &'a [u8; WRAPPED_KEY_LEN],
}

impl<'a> SealedAudience<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>, limits: &Limits) -> Result<Self, Fault> {
        decoder.array_of(2)?;
        let id = decoder.fixed()?;
        decoder.array_of(4)?;
        let iv = content_headers(decoder)?;
        let ciphertext = decoder.fixed()?;
        let count = decoder.array_nonempty("audience")?;
        crate::limits::within(limits.readers, count, "readers of an audience")?;
        let start = decoder.offset();
        let mut last = None;
        for _ in 0..count {
            let offset = decoder.offset();
            let wrap = Wrap::decode(decoder)?;
            // Ascending hints: at most one wrap is for any key, so nobody can make a reader try many.
            match last.map(|last: &[u8; HINT]| last.cmp(wrap.hint)) {
                Some(core::cmp::Ordering::Equal) => {
                    return Err(Error::DuplicateMember { offset }.into());
                }
                Some(core::cmp::Ordering::Greater) => {
                    return Err(Error::UnsortedSet { offset }.into());
                }
                _ => last = Some(wrap.hint),
            }
        }
        let wraps = Wraps { count, encoded: decoder.since(start) };
        Ok(Self { id, iv, ciphertext, wraps })
    }

    pub(crate) const fn id(&self) -> AudienceId {
        AudienceId(*self.id)
    }

    /// Returns how many readers there are.
    pub(crate) const fn readers(&self) -> usize {
        self.wraps.count
    }

    /// Decrypts the secret for `reader`, trying each of its keys on at most one wrap. Fails in one way only.
    pub(crate) fn decrypt(
        &self,
        envelope: &HeaderDigest,
        reader: &AgentId,
        keys: &[SealingSecret],
    ) -> Option<AudienceSecret> {
        keys.iter().find_map(|key| self.decrypt_with(envelope, reader, key))
    }

    fn decrypt_with(
        &self,
        envelope: &HeaderDigest,
        reader: &AgentId,
        key: &SealingSecret,
    ) -> Option<AudienceSecret> {
        let wrap = self.wraps.find(hint(&key.public()))?;
        let info = recipient_structure(wrap.protected, &extra_info(envelope, reader));
        let content_key = open_key(key, wrap.ek, &info, &[], wrap.wrapped)?;
        let aad = enc_structure("Encrypt", &external_aad(envelope, &self.id()));
        let (body, tag) = self.ciphertext.split_last_chunk()?;
        let mut secret = Zeroizing::new([0; SECRET]);
        secret.copy_from_slice(body);
        aead_open_in_place(&content_key, self.iv, &aad, secret.as_mut(), tag)?;
        let opened = AudienceSecret::new(secret, envelope);
        // The id commits to the secret, so that no two readers can be given different ones.
        bool::from(opened.id.as_bytes().ct_eq(self.id)).then_some(opened)
    }
}

impl<'a> Wraps<'a> {
    fn find(&self, hint: &[u8; HINT]) -> Option<Wrap<'a>> {
        let mut decoder = Decoder::new(self.encoded);
        (0..self.count)
            .map_while(|_| Wrap::decode(&mut decoder).ok())
            .find(|wrap| wrap.hint == hint)
    }
}

impl<'a> Wrap<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        decoder.array_of(3)?;
        let (mut inner, protected) = decoder.embedded()?;
        let mut header = inner.map("protected header")?;
        header.required(HEADER_ALG)?.constant(ALG_HPKE_4_KE, "algorithm 50 (HPKE-4-KE)")?;
        let hint = header.required(HEADER_KID)?.fixed()?;
        header.end()?;
        inner.finish()?;
        let mut unprotected = decoder.map("unprotected header")?;
        let ek = unprotected.required(HEADER_EK)?.fixed()?;
        unprotected.end()?;
        let wrapped = decoder.fixed()?;
        Ok(Self { protected, hint, ek, wrapped })
    }
}

/// Binds the encrypted secret to its envelope and its id.
fn external_aad(envelope: &HeaderDigest, id: &AudienceId) -> Info {
    let mut out = Encoder::on_stack();
    out.array(3).text("agent-envelope/1/audience");
    out.bytes(envelope.as_bytes()).bytes(id.as_bytes());
    out.finish()
}

/// `recipient_extra_info`: binds a wrap to its envelope and its reader, so that nobody who published another agent's
/// sealing key as its own can have mail meant for itself opened by that agent.
fn extra_info(envelope: &HeaderDigest, reader: &AgentId) -> Info {
    let mut out = Encoder::on_stack();
    out.array(3).text("agent-envelope/1/wrap");
    out.bytes(envelope.as_bytes()).bytes(reader.as_bytes());
    out.finish()
}
