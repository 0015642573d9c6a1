//! Elements to be: what a draft or a hop adds. SPEC §7.6.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use super::received::Opener;
use super::{Sealed, verified::Provenance};
use crate::Error;
use crate::context::Kind;
use crate::digest::{ElementId, HeaderDigest};
use crate::identity::KeyPackage;
use crate::seal::AudienceSecret;

/// An element to be added to an envelope.
///
/// ```
/// use agent_envelope::{Kind, NewElement};
///
/// let note = NewElement::clear(Kind::Memory, "text/plain", &b"prefers aisle seats"[..]).elidable();
/// ```
#[derive(Clone)]
pub struct NewElement<'d> {
    pub(crate) kind: Kind,
    pub(crate) content_type: Cow<'d, str>,
    pub(crate) content: Cow<'d, [u8]>,
    pub(crate) readers: Readers<'d>,
    pub(crate) refs: Vec<Reference>,
    pub(crate) elidable: bool,
    pub(crate) detachable: bool,
}

/// Who may read an element.
#[derive(Clone, Debug)]
pub(crate) enum Readers<'d> {
    /// Whoever sees the envelope.
    Everybody,
    /// The agents of these packages.
    Of(Vec<&'d KeyPackage>),
    /// An audience that somebody else made.
    Existing(&'d Audience),
}

/// What an element refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// An element of this or an earlier envelope.
    Element(ElementId),
    /// A content element added before by the same builder, counted from 0.
    Here(usize),
}

impl From<ElementId> for Reference {
    fn from(id: ElementId) -> Self {
        Self::Element(id)
    }
}

impl From<Provenance<'_>> for Reference {
    fn from(provenance: Provenance<'_>) -> Self {
        Self::Element(provenance.id())
    }
}

impl<'d> NewElement<'d> {
    /// Makes an element that whoever sees the envelope can read.
    pub fn clear(
        kind: Kind,
        content_type: impl Into<Cow<'d, str>>,
        content: impl Into<Cow<'d, [u8]>>,
    ) -> Self {
        Self {
            kind,
            content_type: content_type.into(),
            content: content.into(),
            readers: Readers::Everybody,
            refs: Vec::new(),
            elidable: false,
            detachable: false,
        }
    }

    /// Makes an element that only the agents of these key packages can read. Elements with the same readers share one
    /// audience: they cost one key agreement a reader, not one for each element.
    pub fn sealed(
        kind: Kind,
        content_type: impl Into<Cow<'d, str>>,
        content: impl Into<Cow<'d, [u8]>>,
        readers: impl IntoIterator<Item = &'d KeyPackage>,
    ) -> Self {
        let readers = Readers::Of(readers.into_iter().collect());
        Self { readers, ..Self::clear(kind, content_type, content) }
    }

    /// Makes an element that is sealed to an audience somebody else made. Whoever was let into it, now or later, can read
    /// the element; its readers cannot be listed.
    pub fn sealed_to_existing(
        kind: Kind,
        content_type: impl Into<Cow<'d, str>>,
        content: impl Into<Cow<'d, [u8]>>,
        audience: &'d Audience,
    ) -> Self {
        let readers = Readers::Existing(audience);
        Self { readers, ..Self::clear(kind, content_type, content) }
    }

    /// Lets others leave the body out later, visibly. Without this, a body that is missing refuses the envelope.
    #[must_use]
    pub const fn elidable(mut self) -> Self {
        self.elidable = true;
        self
    }

    /// Lets the body travel apart from the start: this hop lists it as absent, so that it may be there or not. The signed bytes
    /// have it; [`Sent::detached`](crate::Sent::detached) and [`Envelope::detached`](crate::Envelope::detached) write them
    /// without. Implies elidable.
    #[must_use]
    pub const fn detachable(mut self) -> Self {
        self.elidable = true;
        self.detachable = true;
        self
    }

    /// Refers to other elements: a result to its call, a summary to what it stands for.
    #[must_use]
    pub fn refers_to<R: Into<Reference>>(mut self, elements: impl IntoIterator<Item = R>) -> Self {
        self.refs.extend(elements.into_iter().map(Into::into));
        self
    }
}

impl fmt::Debug for NewElement<'_> {
    /// Writes all but the content, which may be about to be sealed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewElement({}, {} bytes)", self.kind, self.content.len())
    }
}

/// An audience that this agent was let into: it can let others in, and seal to it.
#[derive(Debug)]
pub struct Audience {
    pub(crate) secret: AudienceSecret,
    pub(crate) index: usize,
    pub(crate) envelope: HeaderDigest,
}

impl Opener<'_> {
    /// Returns the audience that an element is sealed to, for letting others in or sealing to it.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if this agent is not in it.
    pub fn audience(&mut self, sealed: &Sealed<'_>) -> Result<Audience, Error> {
        let element = sealed.provenance().index();
        let envelope = self.envelope();
        let found = self.audience_index(sealed).and_then(|(index, id)| {
            let secret = self.secret(&id)?.share();
            Some(Audience { secret, index, envelope })
        });
        found.ok_or(Error::CannotOpen { element })
    }
}
