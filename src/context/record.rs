//! One element: a record that the element chain covers, and a body that may be sealed or left out. SPEC §7.1.

use alloc::vec::Vec;

use super::kind::AnyKind;
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{Digest, ElementId, HeaderDigest, Use, hash};
use crate::identity::AgentId;
use crate::limits::{NAME, is_printable, is_printable_ascii, within};
use crate::{Error, Limits};

/// What the element chain covers of an element.
///
/// ```cddl
/// record = { 1: kind uint, 2: commit bstr .size 32, ? 3: [audience uint, digest bstr .size 32],
///            ? 4: refs [+ bstr .size 32], ? 5: elidable 1 }
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: AnyKind,
    pub(crate) commit: &'a [u8; 32],
    pub(crate) sealed: Option<SealedTo<'a>>,
    pub(crate) refs: Refs<'a>,
    pub(crate) elidable: bool,
}

/// Where a sealed body's audience stands, and what the body's bytes are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedTo<'a> {
    pub(crate) audience: usize,
    pub(crate) digest: &'a [u8; 32],
}

/// A set of element ids, ascending; each takes 34 bytes encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refs<'a> {
    encoded: &'a [u8],
}

impl<'a> Refs<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = ElementId> + 'a {
        let mut decoder = Decoder::new(self.encoded);
        core::iter::from_fn(move || decoder.again(Decoder::fixed).map(|id| ElementId(*id)))
    }
}

impl<'a> Record<'a> {
    /// Reads the record of element `index`.
    #[inline(always)]
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        index: usize,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let mut map = decoder.map("record")?;
        let number = map.required(1)?.uint()?;
        let kind = AnyKind::from_number(number)
            .ok_or(Error::UnassignedKind { element: index, kind: number })?;
        let commit = map.required(2)?.fixed()?;
        let sealed = map.optional(3)?.map(SealedTo::decode).transpose()?;
        let refs = match map.optional(4)? {
            None => Refs::default(),
            Some(value) => {
                let count = value.array_nonempty("set of references")?;
                within(limits.refs, count, "references of an element")?;
                let start = value.offset();
                value.set(count, Decoder::fixed::<32>, |_| {})?;
                Refs { encoded: value.since(start) }
            }
        };
        let elidable = match map.optional(5)? {
            None => false,
            Some(value) => value.constant(1, "1 (elidable)").map(|()| true)?,
        };
        map.end()?;
        if matches!(kind, AnyKind::Control(_))
            && (sealed.is_some() || elidable || !refs.encoded.is_empty())
        {
            return Err(Error::ControlRecord { element: index }.into());
        }
        Ok(Self { kind, commit, sealed, refs, elidable })
    }
}

impl<'a> SealedTo<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        decoder.array_of(2)?;
        let offset = decoder.offset();
        let audience = usize::try_from(decoder.uint()?)
            .map_err(|_| Error::IntegerTooLarge { offset, maximum: u64::from(u32::MAX) })?;
        Ok(Self { audience, digest: decoder.fixed()? })
    }
}

/// Writes a record: the counterpart of [`Record::decode`].
pub(crate) fn encode_record(
    kind: AnyKind,
    commit: &Digest,
    sealed: Option<(usize, Digest)>,
    refs: &[ElementId],
    elidable: bool,
) -> Vec<u8> {
    let mut out = Encoder::with_capacity(96 + 34 * refs.len());
    out.map(
        2 + usize::from(sealed.is_some()) + usize::from(!refs.is_empty()) + usize::from(elidable),
    );
    out.uint(1).uint(kind.number());
    out.uint(2).bytes(commit.as_bytes());
    if let Some((audience, digest)) = sealed {
        out.uint(3).array(2).count(audience).bytes(digest.as_bytes());
    }
    if !refs.is_empty() {
        out.uint(4).array(refs.len());
        for id in refs {
            out.bytes(id.as_bytes());
        }
    }
    if elidable {
        out.uint(5).uint(1);
    }
    out.finish()
}

/// A clear body, and what a sealed body opens to.
///
/// ```cddl
/// plain = [ salt: bstr .size 16, content-type: tstr, content: bstr ]
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'a> {
    pub(crate) salt: &'a [u8; 16],
    pub(crate) content_type: ContentType<'a>,
    pub(crate) content: &'a [u8],
}

/// The type of a content: 256 bytes at most, without control characters.
///
/// It stays bytes until somebody asks for its text, since to find UTF-8 in a short text takes as long as to read all else of
/// its element. Printable ASCII is UTF-8; whatever else it is has been looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentType<'a>(&'a [u8]);

impl<'a> ContentType<'a> {
    /// Takes a text, if it may be one.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        (text.len() <= NAME && is_printable(text)).then_some(Self(text.as_bytes()))
    }

    #[inline(always)]
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        let offset = decoder.offset();
        let bytes = decoder.text_bytes()?;
        if bytes.len() <= NAME && is_printable_ascii(bytes) {
            return Ok(Self(bytes));
        }
        Ok(Self::decode_other(bytes, offset)?)
    }

    #[inline(never)]
    fn decode_other(bytes: &'a [u8], offset: usize) -> Result<Self, Error> {
        let text = core::str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8 { offset })?;
        let expected = "a content type of 256 bytes at most without control characters";
        Self::new(text).ok_or(Error::InvalidValue { offset, expected })
    }

    // Not inline, for the same reason as `Plain::whole`.
    #[inline(never)]
    pub(crate) fn as_str(self) -> &'a str {
        core::str::from_utf8(self.0).expect("it was UTF-8 when it was read")
    }
}

impl<'a> Plain<'a> {
    #[inline(always)]
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        decoder.array_of(3)?;
        let salt = decoder.fixed()?;
        let content_type = ContentType::decode(decoder)?;
        let content = decoder.bytes()?;
        Ok(Self { salt, content_type, content })
    }

    /// Reads a plain body that takes all of `bytes`: what a sealed body opened to.
    // Not inline, so that what branches on opened bytes has this name where secrets are followed (tests/ctgrind).
    #[inline(never)]
    pub(crate) fn whole(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut decoder = Decoder::new(bytes);
        let plain = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(plain)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let content_type = self.content_type.0;
        let mut out = Encoder::with_capacity(self.content.len() + content_type.len() + 32);
        out.array(3).bytes(self.salt).text_bytes(content_type).bytes(self.content);
        out.finish()
    }

    /// Commits to this body in its author's name: the salt hides small values, and under the hop's signature every reader
    /// gets the same bytes.
    pub(crate) fn commit(&self, author: &AgentId) -> Digest {
        hash(Use::Commit, 4, |fields| {
            fields.bytes(author.as_bytes()).bytes(self.salt);
            fields.text_bytes(self.content_type.0).bytes(self.content);
        })
    }
}

/// Commits to the body of a control element.
pub(crate) fn control_commit(author: &AgentId, kind: u64, body: &[u8]) -> Digest {
    hash(Use::Control, 3, |fields| {
        fields.bytes(author.as_bytes()).uint(kind).bytes(body);
    })
}

/// The element chain: the header's digest, then one hash for each record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ElementChain(pub(crate) [u8; 32]);

impl ElementChain {
    pub(crate) const fn begin(header: &HeaderDigest) -> Self {
        Self(*header.as_bytes())
    }

    pub(crate) fn push(&mut self, record: &[u8]) -> ElementId {
        let next = hash(Use::Element, 2, |fields| {
            fields.bytes(&self.0).bytes(record);
        });
        self.0 = next.0;
        ElementId(next.0)
    }
}
