//! An envelope that is all right if its signatures and contents are: hop 0's signature, the batch of all others, and whom to
//! blame if one does not hold. SPEC §9.3, steps 10 to 12.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::decoded::{ControlBody, ControlElement, Envelope};
use super::verified::{Attestation, Verified};
use crate::Error;
use crate::delegation::AuthorityCache;
use crate::digest::Digest;
use crate::identity::AgentId;
use crate::signature::{Check, Keys, verify_batch};

/// An envelope that is all right if its signatures and contents are.
pub(super) struct Plausible<'a, R> {
    pub(super) verified: Verified<'a, R>,
    /// Hop 0's signature.
    pub(super) origin: Check,
    /// All others, once they are prepared.
    pub(super) batch: Batch,
}

#[derive(Default)]
pub(super) struct Batch {
    pub(super) signatures: Vec<Prepared>,
    /// The chains and key packages of trusted origins that were not in the cache.
    pub(super) fresh: Vec<Digest>,
}

/// A signature that waits for its equation, and what to say if that fails.
pub(super) struct Prepared {
    pub(super) check: Check,
    blame: Blame,
}

impl Borrow<Check> for Prepared {
    fn borrow(&self) -> &Check {
        &self.check
    }
}

impl Batch {
    fn push(&mut self, blame: Blame, check: Check) {
        self.signatures.push(Prepared { check, blame });
    }

    /// Tells whether the cache knows these statements, and if not, notes that it could.
    fn is_known(&mut self, statements: Digest, cache: &AuthorityCache) -> bool {
        let known = cache.contains(&statements);
        if !known {
            self.fresh.push(statements);
        }
        known
    }
}

impl<R> Plausible<'_, R> {
    pub(super) fn check_origin(&self, keys: &mut Keys<'_>) -> Result<(), Error> {
        self.origin.verify_with(keys).map_err(|_| self.verified.envelope.hop_error(0))
    }

    pub(super) fn check_contents(&self) -> Result<(), Error> {
        self.verified.envelope.check_contents()
    }

    /// Prepares all signatures but hop 0's.
    pub(super) fn prepare_batch(&mut self, cache: Option<&AuthorityCache>) -> Result<(), Error> {
        if self.verified.path.is_empty() {
            self.verified.path = self.verified.envelope.path(self.verified.digest);
        }
        let Verified { envelope, path, .. } = &self.verified;
        let signatures = Vec::with_capacity(envelope.signatures);
        let mut batch = Batch { signatures, fresh: Vec::new() };
        for (hop, (prev, _)) in (1..envelope.hops.len()).zip(path) {
            batch.push(Blame::Hop(hop), envelope.hop_check(hop, prev.as_bytes())?);
        }
        for ControlElement { element: index, body } in &envelope.controls {
            let index = *index;
            match body {
                ControlBody::Authority(chain) => {
                    if let Some(cache) = cache
                        && self.counts(index)
                        && batch.is_known(chain.digest(), cache)
                    {
                        continue;
                    }
                    for (link, check) in chain.checks(Some(index)).enumerate() {
                        batch.push(Blame::Link { element: index, link }, check?);
                    }
                }
                ControlBody::KeyPackage(package) => {
                    if let Some(cache) = cache
                        && self.origin_counts()
                        && batch.is_known(package.digest(), cache)
                    {
                        continue;
                    }
                    batch.push(Blame::KeyPackage { element: index }, package.check(Some(index))?);
                }
                ControlBody::Allotment(lineage) => {
                    for (position, check) in lineage.checks(Some(index))?.into_iter().enumerate() {
                        batch.push(Blame::Allotment { element: index, position }, check);
                    }
                }
                ControlBody::Report(entries) => {
                    for (entry, signed) in entries.iter().enumerate() {
                        let signer = signed.claims.holder;
                        let check =
                            signed.check().ok_or(Error::EntrySignature { entry, signer })?;
                        batch.push(Blame::Entry { entry, signer }, check);
                    }
                }
                ControlBody::Audience(_) => {}
            }
        }
        self.batch = batch;
        Ok(())
    }

    /// Tells whether the chain in this element counts if its signatures hold.
    fn counts(&self, element: usize) -> bool {
        let this = |one: &Attestation<'_>| one.element == Some(element) && one.judged.is_ok();
        self.verified.attestations.iter().any(this)
    }

    /// Tells whether the originator has an authority that counts if the signatures hold.
    fn origin_counts(&self) -> bool {
        let from = self.verified.envelope.header.from;
        let trusted = |one: &Attestation<'_>| one.author == from && one.judged.is_ok();
        self.verified.attestations.iter().any(trusted)
    }

    pub(super) fn check_batch(&self, keys: &mut Keys<'_>) -> Result<(), Error> {
        let signatures = &self.batch.signatures;
        verify_batch(signatures, keys).map_err(|first| self.error(signatures[first].blame))
    }

    fn error(&self, blame: Blame) -> Error {
        let envelope = &self.verified.envelope;
        match blame {
            Blame::Hop(hop) => envelope.hop_error(hop),
            Blame::Link { element, link } => match envelope.control(element) {
                Some(ControlBody::Authority(chain)) => chain.signature_error(Some(element), link),
                _ => Error::ControlRecord { element },
            },
            Blame::Allotment { element, position } => match envelope.allotment(element) {
                Some(lineage) => lineage.signature_error(Some(element), position),
                None => Error::ControlRecord { element },
            },
            Blame::Entry { entry, signer } => Error::EntrySignature { entry, signer },
            Blame::KeyPackage { element } => {
                let agent = envelope.header.from;
                Error::KeyPackageSignature { element: Some(element), agent }
            }
        }
    }
}

impl Envelope<'_> {
    /// Prepares a hop's signature; `prev` is the id of the hop before, or the header's digest.
    pub(super) fn hop_check(&self, hop: usize, prev: &[u8; 32]) -> Result<Check, Error> {
        let raw = &self.hops[hop];
        raw.bind(prev).check(&raw.signer).map_err(|_| self.hop_error(hop))
    }

    fn hop_error(&self, hop: usize) -> Error {
        Error::HopSignature { hop, signer: self.hops[hop].signer }
    }

    /// Compares the content bodies with what their records commit to.
    pub(super) fn check_contents(&self) -> Result<(), Error> {
        for (index, element) in self.elements.iter().enumerate() {
            element.body.check(&element.record, &self.author(element), index)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Blame {
    Hop(usize),
    Link { element: usize, link: usize },
    KeyPackage { element: usize },
    Allotment { element: usize, position: usize },
    Entry { entry: usize, signer: AgentId },
}
