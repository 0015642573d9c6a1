//! What an admitted envelope gives its reader: elements, each with its author and that author's authority. SPEC §9.5.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;

use super::decoded::{Body, ControlBody, Envelope, RawElement};
use super::verified::{Provenance, Reader, Verified, content_indices};
use crate::Error;
use crate::budget::{Funded, Terms, Unfunded};
use crate::context::{Entry, Kind, Plain, Standing};
use crate::delegation::Authority;
use crate::digest::{AudienceId, HeaderDigest};
use crate::identity::{AgentId, Identity};
use crate::replay::Admission;
use crate::scope::Resource;
use crate::seal::{AudienceSecret, Place, SealedBody, SecretBytes};

/// A verified envelope that was admitted by a replay window: the only thing that opens, authorizes and is answered.
pub struct Admitted<'a> {
    pub(crate) verified: Verified<'a, Reader>,
    admission: Admission,
    standing: Option<Standing>,
}

impl<'a> Admitted<'a> {
    pub(crate) const fn new(verified: Verified<'a, Reader>, admission: Admission) -> Self {
        Self { verified, admission, standing: None }
    }

    pub(crate) const fn with_standing(mut self, standing: Standing) -> Self {
        self.standing = Some(standing);
        self
    }

    /// Returns the verified envelope: header, hops, authorities, key package.
    pub const fn verified(&self) -> &Verified<'a, Reader> {
        &self.verified
    }

    /// Says whether all of it is new. Elements that are not authorize nothing again.
    pub const fn admission(&self) -> Admission {
        self.admission
    }

    /// Says how it fits the conversation, if it came through an [`Inbox`](crate::Inbox) or was shown to
    /// [`Conversations`](crate::Conversations).
    pub const fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Returns the originator.
    pub const fn from(&self) -> AgentId {
        self.verified.envelope.header.from
    }

    /// Goes through all content elements in their order. What is absent is an item like any other.
    pub fn elements(&self) -> impl Iterator<Item = Item<'_>> {
        content_indices(&self.verified.envelope).map(|index| self.item(index))
    }

    fn item(&self, index: usize) -> Item<'_> {
        self.item_with(index, &self.verified.envelope.elements[index].body)
    }

    fn item_with<'e>(&'e self, index: usize, body: &Body<'e>) -> Item<'e> {
        let element = Element { of: self, index };
        match body {
            Body::Clear(plain) => {
                Item::Present(Present { element, plain: Plaintext::borrowed(*plain) })
            }
            Body::Sealed(body) => Item::Sealed(Sealed { element, body: *body }),
            _ => Item::Absent(Absent { element }),
        }
    }

    /// Gives an absent element the body that came apart from the envelope: the item that it would have been.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an element of another envelope; encoding errors, [`Error::ContentCommit`] or
    /// [`Error::SealedDigest`] if it is not the body that the author committed to.
    pub fn with_body<'e>(&'e self, absent: &Absent<'e>, body: &'e [u8]) -> Result<Item<'e>, Error> {
        let index = absent.element.index;
        if absent.element.of.verified.digest != self.verified.digest {
            return Err(Error::Configuration { reason: "the element is not one of this envelope" });
        }
        let body = self.verified.envelope.absent_body(index, body)?;
        Ok(self.item_with(index, &body))
    }

    /// Takes `identity`'s keys to what is sealed here. One opener opens any number of elements at the cost of one key
    /// agreement for each audience.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] if this envelope was verified for another agent.
    pub fn opener<'o>(&'o self, identity: &'o Identity) -> Result<Opener<'o>, Error> {
        identity.id().must_be(self.verified.agent)?;
        Ok(Opener { of: self, identity, audiences: Vec::new() })
    }

    /// Records the envelope among its conversations and says how it fits; [`Admitted::standing`] repeats it.
    #[must_use]
    pub fn advance(self, conversations: &mut crate::Conversations) -> Self {
        let verified = &self.verified;
        let header = &verified.envelope.header;
        let parties = header.parties();
        let standing = conversations.advance(&Entry {
            principal: Some(verified.principal),
            conversation: verified.conversation,
            parties: &parties,
            from: header.from,
            base: header.base,
            answers: header.in_reply_to.map(|reply| reply.origin),
            after: verified.stand_after(),
            envelope: verified.digest,
            origin: verified.origin(),
        });
        self.with_standing(standing)
    }

    /// Takes the allotments that are made out to this agent and pay for this envelope, each of which opens one
    /// [`Ledger`](crate::budget::Ledger). They are handed out once, over all paths on which the envelope comes: later calls, and
    /// calls on an envelope that was admitted before, give what the header declares, or nothing.
    pub fn take_funding(&mut self) -> Budget {
        let funded = self.take_allotments(false);
        if !funded.is_empty() {
            return Budget::Funded(funded);
        }
        let declared = self.verified.envelope.header.terms.clone();
        declared.map_or(Budget::None, Budget::Declared)
    }

    /// Takes the purses that this envelope delivers to this agent: allotments for no request in particular, to split from.
    /// They are handed out once; but a purse names no place, so the same one can come in another envelope. Open a ledger
    /// only if none is kept under its [id](Funded::id): two would convict this agent of what its payer did.
    pub fn take_purses(&mut self) -> Vec<Funded> {
        self.take_allotments(true)
    }

    fn take_allotments(&mut self, purses: bool) -> Vec<Funded> {
        let agent = self.verified.agent;
        let envelope = &self.verified.envelope;
        let mut taken = Vec::new();
        self.verified.fundings.retain(|funding| {
            let Some(lineage) = envelope.allotment(funding.element) else { return true };
            let mine = lineage.holder() == agent && lineage.request().is_none() == purses;
            // Admission has left only those that were not handed out before.
            if mine && funding.judged.is_ok() {
                taken.push(Funded::assertion(lineage));
                return false;
            }
            true
        });
        taken
    }

    /// Goes through the allotments for this agent that fund nothing, with the reasons.
    pub fn unfunded(&self) -> impl Iterator<Item = Unfunded> {
        let envelope = &self.verified.envelope;
        let mine = move |funding: &&super::verified::Funding| {
            let allotment = envelope.allotment(funding.element);
            allotment.is_some_and(|lineage| lineage.holder() == self.verified.agent)
        };
        self.verified.fundings.iter().filter(mine).filter_map(|funding| funding.judged.err())
    }

    /// Goes through the ledgers that others report, each to be [credited](crate::budget::Ledger::credit) to the ledger that
    /// granted it.
    pub fn reports(&self) -> impl Iterator<Item = &'a [u8]> {
        let envelope = &self.verified.envelope;
        envelope.controls.iter().filter_map(|control| match &control.body {
            ControlBody::Report(_) => envelope.elements[control.element].encoded_body,
            _ => None,
        })
    }

    /// Goes through the allotments that this envelope carries, encoded with their lineage, for an
    /// [audit](crate::budget::audit).
    pub fn allotments(&self) -> impl Iterator<Item = &'a [u8]> {
        let envelope = &self.verified.envelope;
        envelope.allotments().filter_map(|(element, _)| envelope.elements[element].encoded_body)
    }

    pub(crate) const fn envelope(&self) -> &Envelope<'a> {
        &self.verified.envelope
    }
}

/// What pays for a request.
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever spends must tell what is funded from what is only declared"
)]
#[derive(Debug)]
pub enum Budget {
    /// Allotments from payers that this agent trusts, made out to it for this request.
    Funded(Vec<Funded>),
    /// Nothing but what the originator says that the request may cost.
    Declared(Terms),
    /// Nothing is said.
    None,
}

impl fmt::Debug for Admitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("verified", &self.verified)
            .field("admission", &self.admission)
            .field("standing", &self.standing)
            .finish()
    }
}

/// A content element, as its reader meets it.
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever reads elements must say what happens to absent ones"
)]
#[derive(Clone, Debug)]
pub enum Item<'e> {
    /// Clear content.
    Present(Present<'e>),
    /// Sealed content, to be opened.
    Sealed(Sealed<'e>),
    /// Content that was left out with its author's consent.
    Absent(Absent<'e>),
}

impl<'e> Item<'e> {
    /// Tells whether it was not admitted before, on this path or another. What is not new authorizes nothing; whoever acts
    /// on elements without authorizing them must pass over those that are not.
    pub fn is_new(&self) -> bool {
        match self {
            Self::Present(Present { element, .. })
            | Self::Sealed(Sealed { element, .. })
            | Self::Absent(Absent { element }) => element.check_fresh().is_ok(),
        }
    }

    /// Returns where the element comes from.
    pub fn provenance(&self) -> Provenance<'e> {
        match self {
            Self::Present(present) => present.provenance(),
            Self::Sealed(sealed) => sealed.provenance(),
            Self::Absent(absent) => absent.provenance(),
        }
    }
}

#[derive(Clone, Copy)]
struct Element<'e> {
    of: &'e Admitted<'e>,
    index: usize,
}

impl<'e> Element<'e> {
    fn raw(self) -> &'e RawElement<'e> {
        &self.of.envelope().elements[self.index]
    }

    fn provenance(self) -> Provenance<'e> {
        self.of.verified.provenance(self.index)
    }

    fn check_fresh(self) -> Result<(), Error> {
        if self.index < self.of.admission.after() {
            return Err(Error::AlreadyActedOn { element: self.index });
        }
        Ok(())
    }

    fn authorize(self, action: &str, resource: &Resource) -> Result<&'e Authority<'e>, Error> {
        self.check_fresh()?;
        let provenance = self.provenance();
        let (element, author) = (self.index, provenance.author());
        let mut authorities = provenance.authorities().peekable();
        if authorities.peek().is_none() {
            return Err(Error::Unattested { element, author });
        }
        authorities
            .find(|authority| authority.allows(action, resource))
            .ok_or(Error::NotAuthorized { element, author })
    }

    fn authorize_jointly<const N: usize>(
        self,
        principals: [Principal<'_>; N],
        action: &str,
        resource: &Resource,
    ) -> Result<[&'e Authority<'e>; N], Error> {
        let first = self.authorize(action, resource)?;
        let mut found = [first; N];
        for (slot, principal) in found.iter_mut().zip(principals) {
            let provenance = self.provenance();
            *slot = provenance
                .authorities()
                .filter(|one| principal == Principal::of(one))
                .find(|one| one.allows(action, resource))
                .ok_or(Error::NotAuthorized { element: self.index, author: provenance.author() })?;
        }
        Ok(found)
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provenance().fmt(f)
    }
}

/// Whom an authority represents, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal<'p> {
    issuer: &'p str,
    subject: &'p str,
}

impl<'p> Principal<'p> {
    /// Names a subject under a trust anchor.
    pub const fn new(issuer: &'p str, subject: &'p str) -> Self {
        Self { issuer, subject }
    }

    /// Returns whom an authority represents.
    pub fn of(authority: &'p Authority<'_>) -> Self {
        Self { issuer: authority.issuer(), subject: authority.subject() }
    }

    /// Returns the name of the trust anchor.
    pub const fn issuer(&self) -> &'p str {
        self.issuer
    }

    /// Returns whom it vouches for.
    pub const fn subject(&self) -> &'p str {
        self.subject
    }
}

macro_rules! authorizing {
    ($name:ident) => {
        impl<'e> $name<'e> {
            /// Returns where the element comes from.
            pub fn provenance(&self) -> Provenance<'e> {
                self.element.provenance()
            }

            /// Finds the authority by which the element's author may do `action` on `resource`. One chain must grant
            /// both; several never add up.
            ///
            /// # Errors
            ///
            /// [`Error::AlreadyActedOn`] if the element was admitted before; [`Error::Unattested`] if its author has no
            /// authority that counts; [`Error::NotAuthorized`] if none of them grants this.
            pub fn authorize(
                &self,
                action: &str,
                resource: &Resource,
            ) -> Result<&'e Authority<'e>, Error> {
                self.element.authorize(action, resource)
            }

            /// Finds one authority for each of several principals, all of whom must agree to `action` on `resource`.
            ///
            /// # Errors
            ///
            /// As [`authorize`](Self::authorize), for the first principal that does not agree.
            pub fn authorize_jointly<const N: usize>(
                &self,
                principals: [Principal<'_>; N],
                action: &str,
                resource: &Resource,
            ) -> Result<[&'e Authority<'e>; N], Error> {
                self.element.authorize_jointly(principals, action, resource)
            }
        }
    };
}

authorizing!(Present);
authorizing!(Sealed);

/// A clear element.
#[derive(Clone, Debug)]
pub struct Present<'e> {
    element: Element<'e>,
    plain: Plaintext<'e>,
}

impl<'e> Present<'e> {
    /// Returns the content.
    pub fn content(&self) -> &[u8] {
        self.plain.content()
    }

    /// Returns the content with its type.
    pub fn plaintext(self) -> Plaintext<'e> {
        self.plain
    }

    /// Returns what form the content has, as its author says.
    pub fn content_type(&self) -> &str {
        self.plain.content_type()
    }
}

/// A sealed element.
#[derive(Clone, Debug)]
pub struct Sealed<'e> {
    element: Element<'e>,
    body: SealedBody<'e>,
}

impl<'e> Sealed<'e> {
    /// Opens the element for `identity`. For many elements, an [`Opener`] is cheaper.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] for whatever reason: not a reader, another place, damaged. It says nothing else, so that
    /// nobody can use the answer as an oracle. [`Error::WrongIdentity`] if the envelope was verified for another agent.
    pub fn open(&self, identity: &'e Identity) -> Result<Plaintext<'static>, Error> {
        self.element.of.opener(identity)?.open(self)
    }

    /// Returns the size of the plaintext in bytes, salt and content type included.
    pub const fn plain_size(&self) -> usize {
        self.body.plain_size()
    }
}

/// An element whose body was left out with its author's consent.
#[derive(Clone, Copy, Debug)]
pub struct Absent<'e> {
    element: Element<'e>,
}

impl<'e> Absent<'e> {
    /// Returns where the element comes from.
    pub fn provenance(&self) -> Provenance<'e> {
        self.element.provenance()
    }

    /// Returns the author.
    pub fn author(&self) -> AgentId {
        self.provenance().author()
    }

    /// Returns what the author said it was.
    pub fn kind(&self) -> Kind {
        self.provenance().kind()
    }

    /// Returns the hop that states it to be absent.
    pub fn by_hop(&self) -> usize {
        self.element.raw().absent_by.unwrap_or_default()
    }
}

/// Opens the sealed elements of one envelope, remembering the audiences it has been let into, and those it has not.
#[derive(Debug)]
pub struct Opener<'o> {
    of: &'o Admitted<'o>,
    identity: &'o Identity,
    /// What came of each audience tried. Failures count: an author can make each cost as many key agreements as there are
    /// audiences, and seal everything to it.
    audiences: Vec<(AudienceId, Option<AudienceSecret>)>,
}

impl Opener<'_> {
    /// Opens an element of this envelope.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`], whatever the reason.
    pub fn open(&mut self, sealed: &Sealed<'_>) -> Result<Plaintext<'static>, Error> {
        let element = sealed.element.index;
        self.try_open(sealed).ok_or(Error::CannotOpen { element })
    }

    fn try_open(&mut self, sealed: &Sealed<'_>) -> Option<Plaintext<'static>> {
        let raw = sealed.element.raw();
        let author = sealed.element.provenance().author();
        let id = self.audience_of(raw)?;
        let secret = self.secret(&id)?;
        let place = Place {
            before: sealed.element.of.verified.before(sealed.element.index),
            author: &author,
            kind: raw.record.kind.number(),
            commit: raw.record.commit,
        };
        let opened = Plaintext::opened(sealed.body.open(secret, &place)?)?;
        // The commitment is what makes all readers see the same content.
        let commit = opened.plain()?.commit(&author);
        bool::from(commit.as_bytes().ct_eq(raw.record.commit)).then_some(opened)
    }

    /// Lets the identity into the audience with this id, once.
    pub(crate) fn secret(&mut self, id: &AudienceId) -> Option<&AudienceSecret> {
        let tried = self.audiences.iter().position(|(tried, _)| tried == id);
        let index = tried.unwrap_or_else(|| {
            let secret = self.decrypt(id);
            self.audiences.push((*id, secret));
            self.audiences.len() - 1
        });
        self.audiences.get(index)?.1.as_ref()
    }

    fn decrypt(&self, id: &AudienceId) -> Option<AudienceSecret> {
        let envelope = self.of.envelope();
        envelope.controls.iter().find_map(|control| match &control.body {
            // A late reader finds itself in a later audience with the same id.
            ControlBody::Audience(audience) if audience.id() == *id => audience.decrypt(
                &self.of.verified.digest,
                &self.identity.id(),
                self.identity.sealing_secrets(),
            ),
            _ => None,
        })
    }

    pub(crate) const fn envelope(&self) -> HeaderDigest {
        self.of.verified.digest
    }

    /// Returns the index and id of the audience that an element is sealed to.
    pub(crate) fn audience_index(&self, sealed: &Sealed<'_>) -> Option<(usize, AudienceId)> {
        let raw = sealed.element.raw();
        Some((raw.record.sealed?.audience, self.audience_of(raw)?))
    }

    fn audience_of(&self, element: &RawElement<'_>) -> Option<AudienceId> {
        match self.of.envelope().control(element.record.sealed?.audience)? {
            ControlBody::Audience(audience) => Some(audience.id()),
            _ => None,
        }
    }
}

/// Content with its type. What was opened is wiped on drop.
#[derive(Clone)]
pub struct Plaintext<'e> {
    bytes: Bytes<'e>,
}

#[derive(Clone)]
enum Bytes<'e> {
    Borrowed(Plain<'e>),
    Opened(SecretBytes),
}

impl<'e> Plaintext<'e> {
    pub(crate) const fn borrowed(plain: Plain<'e>) -> Self {
        Self { bytes: Bytes::Borrowed(plain) }
    }

    /// Takes decrypted bytes, if they have the form of a plain body.
    fn opened(bytes: SecretBytes) -> Option<Plaintext<'static>> {
        Plain::whole(&bytes).ok()?;
        Some(Plaintext { bytes: Bytes::Opened(bytes) })
    }

    fn plain(&self) -> Option<Plain<'_>> {
        match &self.bytes {
            Bytes::Borrowed(plain) => Some(*plain),
            Bytes::Opened(bytes) => Plain::whole(bytes).ok(),
        }
    }

    /// Returns the content.
    pub fn content(&self) -> &[u8] {
        self.plain().map_or(&[], |plain| plain.content)
    }

    /// Returns what form the content has, as its author says: a media type.
    pub fn content_type(&self) -> &str {
        self.plain().map_or("", |plain| plain.content_type.as_str())
    }

    /// Reads CBOR content, in any encoding, as a `T`.
    ///
    /// # Errors
    ///
    /// [`Error::ContentForm`] if the content is not CBOR of this shape.
    #[cfg(feature = "serde")]
    pub fn content_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        let mut content = self.content();
        let value = ciborium::from_reader(&mut content)
            .map_err(|_| Error::ContentForm { expected: "CBOR of the type asked for" })?;
        if content.is_empty() {
            Ok(value)
        } else {
            Err(Error::ContentForm { expected: "one CBOR item" })
        }
    }
}

impl fmt::Debug for Plaintext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The type was sealed along with the content.
        write!(f, "Plaintext({} bytes)", self.content().len())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{
        Draft, Entropy, Limits, Permission, ReplayCapacity, ReplayWindow, Revocations, Scope,
        Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
    };

    #[test]
    fn an_audience_is_tried_once_also_if_it_does_not_open() -> Result<(), Error> {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let agent = |byte: u8| Identity::from_seeds(&[byte; 32], &[byte + 100; 32]);
        let (user, reader, other) = (agent(1), agent(2), agent(3));
        let package = other.key_package(now, Duration::from_secs(60))?;
        let sent = Draft::new(&user)
            .to([reader.id(), other.id()])
            .sealed(Kind::Artifact, "text/plain", &b"one"[..], [&package])
            .sealed(Kind::Artifact, "text/plain", &b"two"[..], [&package])
            .sign(now, Entropy::new([7; 32])?)?;
        let scope = Scope::new([Permission::new(["act"], &Resource::everything())?])?;
        let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope)?;
        let anchors = TrustAnchors::new([anchor])?;
        let verifier =
            Verifier::new(reader.id(), None, anchors, Revocations::none(), Limits::default())?;
        let admitted = Envelope::decode(sent.as_bytes(), &Limits::default())?
            .verify_as_reader(&verifier, now)?
            .admit(&mut ReplayWindow::new(ReplayCapacity::default()))?;
        let mut opener = admitted.opener(&reader)?;
        for item in admitted.elements() {
            let Item::Sealed(sealed) = item else { unreachable!("everything is sealed") };
            assert!(opener.open(&sealed).is_err());
            assert_eq!(opener.audiences.len(), 1);
        }
        Ok(())
    }
}
