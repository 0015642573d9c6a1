//! One more hop: what a relay or a reader adds when it passes an envelope on. SPEC §7.6.
//!
//! Nothing old is hashed again: the new hop is bound to the last one, which commits to all before it.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::VERSION;
use super::assemble::{Assembler, Part, inputs};
use super::decoded::{Body, Envelope};
use super::draft::{IntoRecipients, check_packages};
use super::element::{Audience, NewElement};
use super::hop::HopFields;
use super::received::Admitted;
use super::verified::{Relay, Role, Verified};
use crate::cbor::{Decoder, Encoder};
use crate::context::{ElementChain, Kind};
use crate::delegation::DelegationChain;
use crate::digest::{HeaderDigest, HopId};
use crate::identity::{AgentId, Identity, KeyPackage};
use crate::{Entropy, Error, Timestamp};

/// An envelope on its way on, with what this hop adds.
#[derive(Debug)]
#[must_use = "an envelope goes nowhere until the hop is signed"]
pub struct Onward<'v> {
    envelope: &'v Envelope<'v>,
    digest: HeaderDigest,
    tip: HopId,
    signer: &'v Identity,
    expected: AgentId,
    next: BTreeSet<AgentId>,
    parts: Vec<Part<'v>>,
    withheld: BTreeSet<usize>,
}

impl<'a> Verified<'a, Relay> {
    /// Passes the envelope on as it is, to the agents of `next`.
    ///
    /// # Errors
    ///
    /// As [`Onward::sign`].
    pub fn forward(
        &self,
        signer: &Identity,
        next: impl IntoRecipients,
        now: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        Onward::new(self, signer).next(next).sign_alone(now)
    }

    /// Passes the envelope on with something added.
    pub fn onward<'v>(&'v self, signer: &'v Identity) -> Onward<'v> {
        Onward::new(self, signer)
    }
}

impl Admitted<'_> {
    /// Passes the envelope on as it is, to the agents of `next`.
    ///
    /// # Errors
    ///
    /// As [`Onward::sign`].
    pub fn forward(
        &self,
        signer: &Identity,
        next: impl IntoRecipients,
        now: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        Onward::new(self.verified(), signer).next(next).sign_alone(now)
    }

    /// Passes the envelope on with something added.
    pub fn onward<'v>(&'v self, signer: &'v Identity) -> Onward<'v> {
        Onward::new(self.verified(), signer)
    }
}

impl<'v> Onward<'v> {
    fn new<R: Role>(verified: &'v Verified<'v, R>, signer: &'v Identity) -> Self {
        Self {
            envelope: &verified.envelope,
            digest: verified.digest,
            tip: verified.tip(),
            signer,
            expected: verified.agent,
            next: BTreeSet::new(),
            parts: Vec::new(),
            withheld: BTreeSet::new(),
        }
    }

    /// Names who may act next. Where the header lays down a path, its next station, and the recipients after the last.
    pub fn next(mut self, agents: impl IntoRecipients) -> Self {
        self.next.extend(agents.into_recipients());
        self
    }

    /// Adds clear content in the name of this hop's signer.
    pub fn clear(
        self,
        kind: Kind,
        content_type: impl Into<Cow<'v, str>>,
        content: impl Into<Cow<'v, [u8]>>,
    ) -> Self {
        self.element(NewElement::clear(kind, content_type, content))
    }

    /// Adds content that only the agents of these key packages can read.
    pub fn sealed(
        self,
        kind: Kind,
        content_type: impl Into<Cow<'v, str>>,
        content: impl Into<Cow<'v, [u8]>>,
        readers: impl IntoIterator<Item = &'v KeyPackage>,
    ) -> Self {
        self.element(NewElement::sealed(kind, content_type, content, readers))
    }

    /// Adds an element.
    pub fn element(mut self, element: NewElement<'v>) -> Self {
        self.parts.push(Part::Content(element));
        self
    }

    /// Carries a delegation chain that ends in this hop's signer.
    pub fn authority(mut self, chain: &'v DelegationChain) -> Self {
        self.parts.push(Part::Authority(chain));
        self
    }

    /// Reports on an allotment that the signer holds, as [`Draft::report`](crate::Draft::report).
    pub fn report(mut self, history: &'v [u8]) -> Self {
        self.parts.push(Part::Report(history));
        self
    }

    /// Lets further readers into an audience: into all that is sealed to it, before and after.
    pub fn let_in(
        mut self,
        audience: &'v Audience,
        readers: impl IntoIterator<Item = &'v KeyPackage>,
    ) -> Self {
        self.parts.push(Part::Admit(audience, readers.into_iter().collect()));
        self
    }

    /// Leaves out the bodies of these elements, which their authors must have made elidable. It stays visible that they
    /// are missing and who left them out; the bodies can be attached again.
    pub fn without(mut self, elements: impl IntoIterator<Item = usize>) -> Self {
        self.withheld.extend(elements);
        self
    }

    /// Signs the hop.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] if the signer is not the agent that verified; [`Error::IncompleteDraft`] without a next
    /// agent; [`Error::Expired`] if it is too late; the structural errors that a verifier would raise
    /// ([`Error::SignerInNext`], [`Error::DepartsFromVia`], [`Error::KindOutOfPlace`], [`Error::AbsenceNotAllowed`],
    /// [`Error::LimitExceeded`]); and those of the readers' key packages.
    pub fn sign(self, now: Timestamp, entropy: Entropy) -> Result<Vec<u8>, Error> {
        self.sign_with(now, entropy, &[], |_| Ok(()))
    }

    pub(super) const fn signer(&self) -> &'v Identity {
        self.signer
    }

    /// Signs with `last` written after all other elements; `more` is what goes into that.
    pub(super) fn sign_with(
        self,
        now: Timestamp,
        entropy: Entropy,
        more: &[u8],
        last: impl FnOnce(&mut Assembler<'_>) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        self.check(now)?;
        let tip = self.envelope.last_hop();
        let mut context = Encoder::new();
        context.array(5).bytes(self.tip.as_bytes()).bytes(self.signer.id().as_bytes());
        context.uint(now.as_unix_seconds());
        context.array(self.next.len());
        self.next.iter().for_each(|agent| {
            context.bytes(agent.as_bytes());
        });
        context.array(self.withheld.len());
        self.withheld.iter().for_each(|index| {
            context.count(*index);
        });
        let seed = entropy.bind(&inputs(&context.finish(), &self.parts, more));
        let mut assembler = Assembler::new(
            &seed,
            self.digest,
            self.signer.id(),
            ElementChain(*tip.head),
            self.envelope.elements.len(),
        );
        for part in &self.parts {
            assembler.push(part)?;
        }
        last(&mut assembler)?;
        let Assembler { chain, next, encoded, absent, .. } = assembler;
        self.finish(now, &chain, next, &encoded.finish(), &absent)
    }

    /// Signs a hop that adds nothing, which takes no entropy.
    fn sign_alone(self, now: Timestamp) -> Result<Vec<u8>, Error> {
        self.check(now)?;
        let chain = ElementChain(*self.envelope.last_hop().head);
        self.finish(now, &chain, self.envelope.elements.len(), &[], &[])
    }

    fn check(&self, now: Timestamp) -> Result<(), Error> {
        self.signer.id().must_be(self.expected)?;
        if self.next.is_empty() {
            return Err(Error::IncompleteDraft { reason: "the hop names nobody as next" });
        }
        let expires = self.envelope.header.expires;
        if self.at(now) > expires {
            return Err(Error::Expired { expires, now });
        }
        check_packages(&self.parts, now)
    }

    /// A slow clock must not make an honest hop invalid.
    fn at(&self, now: Timestamp) -> Timestamp {
        now.max(self.envelope.last_hop().at)
    }

    fn finish(
        &self,
        now: Timestamp,
        chain: &ElementChain,
        count: usize,
        added: &[u8],
        withheld_here: &[usize],
    ) -> Result<Vec<u8>, Error> {
        let next: Vec<_> = self.next.iter().copied().collect();
        let absent: Vec<_> = self.withheld.iter().chain(withheld_here).copied().collect();
        let hop = HopFields {
            later: Some((self.signer.id(), self.at(now))),
            next: &next,
            count,
            head: &chain.0,
            absent: &absent,
        };
        let (hop, _) = hop.sign(self.signer.signing_key(), self.tip.as_bytes());
        let mut bytes =
            Encoder::with_capacity(self.envelope.bytes.len() + added.len() + hop.len() + 8);
        bytes.array(4).text(VERSION).bytes(self.envelope.encoded_header).array(count);
        if self.withheld.is_empty() {
            bytes.raw(self.envelope.encoded_elements);
        } else {
            for (index, element) in self.envelope.elements.iter().enumerate() {
                let body = element.encoded_body.filter(|_| !self.withheld.contains(&index));
                write_element(&mut bytes, element.encoded_record, body);
            }
        }
        bytes.raw(added).array(self.envelope.hops.len() + 1);
        bytes.raw(self.envelope.encoded_hops).raw(&hop);
        let bytes = bytes.finish();
        // What a verifier would refuse for its form is not handed out.
        Envelope::decode(&bytes, &crate::Limits::default())?;
        Ok(bytes)
    }
}

impl Envelope<'_> {
    /// Returns the encoded body of an element, to keep it apart from the envelope.
    pub fn body(&self, element: usize) -> Option<&[u8]> {
        self.elements.get(element)?.encoded_body
    }

    /// Writes the envelope without the bodies of these elements, which a hop must list as absent. This and
    /// [`attached`](Verified::attached) are the only changes that need no signature.
    ///
    /// # Errors
    ///
    /// [`Error::BodyMissing`] for an element that no hop lists.
    pub fn detached(&self, elements: &[usize]) -> Result<Vec<u8>, Error> {
        for index in elements {
            let raw = self.elements.get(*index);
            if raw.is_none_or(|raw| raw.absent_by.is_none()) {
                let elidable = raw.is_some_and(|raw| raw.record.elidable);
                return Err(Error::BodyMissing { element: *index, elidable });
            }
        }
        Ok(self.rewritten(|index, body| body.filter(|_| !elements.contains(&index))))
    }

    /// Writes the envelope without any body that a hop lists as absent.
    pub(super) fn without_listed(&self) -> Vec<u8> {
        self.rewritten(|index, body| body.filter(|_| self.elements[index].absent_by.is_none()))
    }

    fn rewritten<'b>(
        &'b self,
        body: impl Fn(usize, Option<&'b [u8]>) -> Option<&'b [u8]>,
    ) -> Vec<u8> {
        let mut bytes = Encoder::with_capacity(self.bytes.len());
        bytes.array(4).text(VERSION).bytes(self.encoded_header).array(self.elements.len());
        for (index, element) in self.elements.iter().enumerate() {
            write_element(&mut bytes, element.encoded_record, body(index, element.encoded_body));
        }
        bytes.array(self.hops.len()).raw(self.encoded_hops);
        bytes.finish()
    }

    /// Reads a body that came apart from its envelope, and compares it with what its author committed to.
    pub(super) fn absent_body<'b>(
        &self,
        element: usize,
        body: &'b [u8],
    ) -> Result<Body<'b>, Error> {
        let raw =
            self.elements.get(element).filter(|raw| matches!(raw.body, Body::None)).ok_or(
                Error::Configuration { reason: "a body belongs only where one is absent" },
            )?;
        let mut decoder = Decoder::new(body);
        let decoded = Body::decode_content(&mut decoder, raw.record.sealed.is_some())?;
        decoder.finish()?;
        decoded.check(&raw.record, &self.author(raw), element)?;
        Ok(decoded)
    }
}

impl<R: Role> Verified<'_, R> {
    /// Returns the encoded body of an element, to keep it apart from the envelope.
    pub fn body(&self, element: usize) -> Option<&[u8]> {
        self.envelope.body(element)
    }

    /// Writes the envelope without the bodies of these elements, as [`Envelope::detached`].
    ///
    /// # Errors
    ///
    /// [`Error::BodyMissing`] for an element that no hop lists as absent.
    pub fn detached(&self, elements: &[usize]) -> Result<Vec<u8>, Error> {
        self.envelope.detached(elements)
    }

    /// Writes the envelope with the body of an element that is absent, to pass it on whole. A reader that has admitted the
    /// envelope already takes the body by [`Admitted::with_body`].
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the element is not absent; encoding errors, [`Error::ContentCommit`] or
    /// [`Error::SealedDigest`] if it is not the body that the author committed to.
    pub fn attached(&self, element: usize, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.envelope.absent_body(element, body)?;
        Ok(self.envelope.rewritten(|index, old| if index == element { Some(body) } else { old }))
    }
}

fn write_element(out: &mut Encoder, record: &[u8], body: Option<&[u8]>) {
    out.array(2).bytes(record);
    match body {
        Some(body) => out.bytes(body),
        None => out.null(),
    };
}
