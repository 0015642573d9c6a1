//! Verification, in the one order in which it happens. SPEC §9.3.
//!
//! Everything cheap comes first: until an origin is found that would be trusted, no signature is checked; then hop 0's
//! alone, which no outsider can make; then all others in one batch.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::decoded::{ControlBody, ControlElement, Envelope};
use super::hop::before_hop_0;
use super::plausible::{Batch, Plausible};
use super::verified::{Attestation, Funding, Role, Verified, principal, principal_of};
use crate::budget::DepthRule;
use crate::context::{AnyKind, control_commit};
use crate::delegation::{Audience, Authority, AuthorityCache, Judge};
use crate::digest::{AllotmentId, Digest, HeaderDigest, HopId};
use crate::identity::AgentId;
use crate::replay::{Path, ReplayWindow};
use crate::signature::{Check, KeyCache, Keys, Met, all_hold};
use crate::time::Clock;
use crate::verifier::{FundingPolicy, Sealing, UntrustedOrigin, Verifier};
use crate::{Error, Place, Timestamp};

/// State that verification may use: a replay window to refuse early, and caches to save signatures and parts of them.
/// Begin with `Aids::default()`, which has none, and set what there is; an [`Inbox`](crate::Inbox) does so itself.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Aids<'s> {
    /// Refuses replays before any signature is checked. Admission, which remembers, comes after verification.
    pub window: Option<&'s ReplayWindow>,
    /// Saves the signatures of chains and key packages that were verified before.
    pub cache: Option<&'s mut AuthorityCache>,
    /// Saves a tenth of each signature under a key that was met before.
    pub keys: Option<&'s mut KeyCache>,
}

impl Aids<'_> {
    /// Remembers what was verified along with the rest of its envelope.
    fn learn<R>(&mut self, of: &Plausible<'_, R>, met: &Met) {
        if let Some(cache) = &mut self.cache {
            of.batch.fresh.iter().for_each(|statements| cache.insert(*statements));
        }
        if let Some(keys) = &mut self.keys {
            let others = of.batch.signatures.iter().map(|one| &one.check);
            keys.learn(met, [&of.origin].into_iter().chain(others));
        }
    }
}

impl<'a> Envelope<'a> {
    /// Verifies for an archive or a router that is named nowhere in the envelope: everything but the addressee.
    ///
    /// # Errors
    ///
    /// In this order: time (304, 320, 321, 323), stale revocations (511), the element chain (401), control data (402, 501),
    /// policy (603, 606), authority (510, 512), the places of allotments (1013, 1014), hop 0's signature (410), all other
    /// signatures (410 to 412, 1012, 1027), contents (403, 404).
    pub fn verify_as_observer(
        self,
        verifier: &Verifier,
        now: Timestamp,
    ) -> Result<Verified<'a, super::Observer>, Error> {
        self.verify_with(verifier, now, Aids::default())
    }

    /// Verifies for an agent that the last hop names as next, and that may forward but not open.
    ///
    /// # Errors
    ///
    /// As [`Envelope::verify_as_observer`], and [`Error::NotAddressed`].
    pub fn verify_as_relay(
        self,
        verifier: &Verifier,
        now: Timestamp,
    ) -> Result<Verified<'a, super::Relay>, Error> {
        self.verify_with(verifier, now, Aids::default())
    }

    /// Verifies for an agent that the last hop names as next and that the header names in `to` or `via`.
    ///
    /// # Errors
    ///
    /// As [`Envelope::verify_as_relay`], [`Error::NotARecipient`], and [`Error::MustBeFunded`] by policy.
    pub fn verify_as_reader(
        self,
        verifier: &Verifier,
        now: Timestamp,
    ) -> Result<Verified<'a, super::Reader>, Error> {
        self.verify_with(verifier, now, Aids::default())
    }

    /// Verifies for a role, with the help of state that the caller keeps.
    ///
    /// # Errors
    ///
    /// As the role's own method, and what [`ReplayWindow`] refuses (340, 321).
    pub fn verify_with<R: Role>(
        self,
        verifier: &Verifier,
        now: Timestamp,
        mut aids: Aids<'_>,
    ) -> Result<Verified<'a, R>, Error> {
        let mut plausible = self.up_to_signatures(verifier, now, aids.window)?;
        let mut keys = Keys::new(aids.keys.as_deref());
        // V-410: hop 0's signature, alone.
        plausible.check_origin(&mut keys)?;
        // V-410 to V-412, V-1012, V-1027: all other signatures, as one batch.
        plausible.prepare_batch(aids.cache.as_deref())?;
        plausible.check_batch(&mut keys)?;
        // V-403, V-404: content bodies.
        plausible.check_contents()?;
        let met = keys.into_met();
        aids.learn(&plausible, &met);
        Ok(plausible.verified)
    }

    /// Verifies many envelopes for a role, each with the outcome that [`Envelope::verify_with`] has for it, and hands the
    /// outcomes back in the order of the envelopes. It costs less: their signatures make common batches, and one that
    /// stands in several envelopes, such as a link of a chain, is checked once.
    ///
    /// Hop 0's of all are one batch, before any other signature, and all other signatures are another. A batch that fails
    /// names nobody, so what is in it is then checked as it would be for each envelope alone. So whoever spoils a batch makes
    /// the envelopes in it cost what they cost alone and their share of the batch, less than twice as much; outsiders can
    /// spoil the batch of hop 0's only. Work and memory grow with the signatures of all envelopes together; what there is to
    /// gain is gained with some dozens of envelopes.
    ///
    /// `aids` are those of before the call for every envelope: none of them is a replay of another here, and admission tells.
    ///
    /// ```
    /// use agent_envelope::*;
    ///
    /// # let now = Timestamp::from_unix_seconds(1_800_000_000);
    /// # let [app, worker] = [Identity::generate(Entropy::from_os()?), Identity::generate(Entropy::from_os()?)];
    /// # let work = Scope::new([Permission::new(["work"], &Resource::everything())?])?;
    /// # let anchors = TrustAnchors::new([TrustAnchor::new(app.id(), "app.example", Subjects::Any, work)?])?;
    /// # let verifier = Verifier::new(worker.id(), None, anchors, Revocations::none(), Limits::default())?;
    /// // What an archive holds. The second was altered there.
    /// let mut stored = Vec::new();
    /// for text in ["one", "two", "three"] {
    ///     let draft = Draft::new(&app).to(worker.id()).clear(Kind::User, "text/plain", text.as_bytes());
    ///     stored.push(draft.sign(now, Entropy::from_os()?)?.as_bytes().to_vec());
    /// }
    /// *stored[1].last_mut().expect("it ends in a signature") ^= 1;
    ///
    /// let decode = |bytes| Envelope::decode(bytes, verifier.limits());
    /// let envelopes = stored.iter().map(|bytes| decode(bytes)).collect::<Result<Vec<_>, Error>>()?;
    /// let mut keys = KeyCache::new(1024); // kept from call to call
    /// let mut aids = Aids::default();
    /// aids.keys = Some(&mut keys);
    /// let outcomes = Envelope::verify_many::<Observer>(envelopes, &verifier, now, aids);
    /// assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    /// assert!(matches!(outcomes[1], Err(Error::HopSignature { hop: 0, .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn verify_many<R: Role>(
        envelopes: impl IntoIterator<Item = Self>,
        verifier: &Verifier,
        now: Timestamp,
        mut aids: Aids<'_>,
    ) -> Vec<Result<Verified<'a, R>, Error>> {
        let begin = |envelope: Self| envelope.up_to_signatures(verifier, now, aids.window);
        let mut all: Vec<Result<Plausible<'a, R>, Error>> =
            envelopes.into_iter().map(begin).collect();
        let mut keys = Keys::new(aids.keys.as_deref());
        let origins: Vec<&Check> = all.iter().flatten().map(|one| &one.origin).collect();
        if !all_hold(&origins, &mut keys) {
            go_on(&mut all, |one| one.check_origin(&mut keys));
        }
        go_on(&mut all, |one| one.prepare_batch(aids.cache.as_deref()));
        let others = all.iter().flatten().flat_map(|one| &one.batch.signatures);
        let mut others: Vec<&Check> = others.map(|one| &one.check).collect();
        others.sort_unstable();
        others.dedup();
        if !all_hold(&others, &mut keys) {
            go_on(&mut all, |one| one.check_batch(&mut keys));
        }
        let met = keys.into_met();
        go_on(&mut all, |one| {
            one.check_contents()?;
            aids.learn(one, &met);
            Ok(())
        });
        all.into_iter().map(|one| one.map(|one| one.verified)).collect()
    }

    /// Checks everything that takes no signature and comes before those, and prepares hop 0's: steps 1 to 9.
    fn up_to_signatures<R: Role>(
        mut self,
        verifier: &Verifier,
        now: Timestamp,
        window: Option<&ReplayWindow>,
    ) -> Result<Plausible<'a, R>, Error> {
        let clock = verifier.clock(now);
        // V-320, V-321, V-323, V-304: the window.
        self.check_window(verifier, &clock)?;
        // V-330, V-331: the addressee.
        R::check_addressee(&self, &verifier.agent)?;
        // V-340: not admitted before.
        let digest = self.digest();
        let (path, after) = match window {
            Some(window) => {
                // The path of what is new is hashed for the signatures, after hop 0's.
                let known = window.remembers(&digest);
                let path = if known { self.path(digest) } else { Vec::new() };
                let after = window.seen(&self.replay_path(digest, &path))?.after();
                (path, after)
            }
            None => (Vec::new(), 0),
        };
        // V-401: the element chain, up to the head of every hop.
        self.check_element_chain(&digest)?;
        // V-402, V-501: control data is what its record commits to, and of its author.
        self.check_control()?;
        // V-603, V-606: the reader's own policy.
        self.check_policy(verifier)?;
        // V-511, V-512: chains and the keys of all who sign.
        verifier.revocations.check_age(&clock)?;
        self.check_signers(verifier)?;
        let conversation = self.header.conversation();
        let judge = Judge {
            anchors: &verifier.anchors,
            revocations: &verifier.revocations,
            clock,
            audience: if R::READS {
                Audience::Reader(verifier.audience.as_deref())
            } else {
                Audience::Ignored
            },
            conversation,
        };
        let attestations = self.attestations(&judge);
        // V-510: an origin that would be trusted if its signatures hold.
        let origin =
            attestations.iter().find(|one| one.author == self.header.from && one.judged.is_ok());
        if origin.is_none() && verifier.untrusted_origin == UntrustedOrigin::Refused {
            return Err(self.untrusted_origin(&attestations));
        }
        let counted = principal(origin.and_then(|one| one.judged.as_ref().ok()));
        let other_principals = self.other_principals(origin, &attestations);
        // V-1013, V-1014, V-1016: allotments are made out for their place; what each is worth here.
        self.check_allotments(&digest)?;
        let fundings = self.fundings(&judge);
        if R::READS && verifier.funding == FundingPolicy::Required {
            let paid = |id| window.is_some_and(|window| window.handed_out(&digest, &id));
            self.check_funding(&verifier.agent, &fundings, after, paid)?;
        }
        let origin = self.hop_check(0, before_hop_0(&digest))?;
        let verified = Verified {
            envelope: self,
            digest,
            attestations,
            fundings,
            conversation,
            path,
            principal: counted,
            other_principals,
            clock,
            agent: verifier.agent,
            role: PhantomData,
        };
        Ok(Plausible { verified, origin, batch: Batch::default() })
    }

    /// Computes the id of every hop, with its count.
    pub(super) fn path(&self, digest: HeaderDigest) -> Vec<(HopId, usize)> {
        let ids = self.hop_ids(digest).enumerate();
        ids.map(|(index, id)| (id, self.count_at(index))).collect()
    }

    pub(crate) fn replay_path<'e>(
        &self,
        digest: HeaderDigest,
        hops: &'e [(HopId, usize)],
    ) -> Path<'e> {
        Path { envelope: digest, created: self.header.created, expires: self.header.expires, hops }
    }

    fn check_window(&self, verifier: &Verifier, clock: &Clock) -> Result<(), Error> {
        let (created, expires, now) = (self.header.created, self.header.expires, clock.now());
        let seconds = expires.as_unix_seconds() - created.as_unix_seconds();
        let maximum = verifier.limits.lifetime.as_secs();
        if seconds > maximum {
            return Err(Error::LifetimeTooLong { place: Place::Header, seconds, maximum });
        }
        if clock.is_before(created) {
            return Err(Error::NotYetValid { created, now });
        }
        if clock.is_past(expires) {
            return Err(Error::Expired { expires, now });
        }
        for (index, hop) in self.hops.iter().enumerate() {
            if clock.is_before(hop.at) {
                let (at, not_before, not_after) = (hop.at, created, clock.latest());
                return Err(Error::HopTime { hop: index, at, not_before, not_after });
            }
        }
        Ok(())
    }

    fn check_control(&self) -> Result<(), Error> {
        for ControlElement { element, body } in &self.controls {
            let (element, raw) = (*element, &self.elements[*element]);
            let encoded = raw.encoded_body.expect("control data that was read");
            let author = self.author(raw);
            let commit = control_commit(&author, raw.record.kind.number(), encoded);
            if commit.as_bytes() != raw.record.commit {
                return Err(Error::ControlCommit { element });
            }
            if let ControlBody::Authority(chain) = body
                && chain.holder() != author
            {
                let holder = chain.holder();
                return Err(Error::LeafNotAuthor { element, holder, author });
            }
        }
        Ok(())
    }

    fn check_policy(&self, verifier: &Verifier) -> Result<(), Error> {
        for (index, element) in self.elements.iter().enumerate() {
            match self.control(index) {
                Some(ControlBody::KeyPackage(package))
                    if package.claims.suite < verifier.minimum_suite =>
                {
                    return Err(Error::SuiteTooWeak {
                        minimum: verifier.minimum_suite.number(),
                        found: package.claims.suite.number(),
                    });
                }
                _ if verifier.sealed_content == Sealing::Required
                    && matches!(element.record.kind, AnyKind::Content(_))
                    && element.record.sealed.is_none() =>
                {
                    return Err(Error::MustBeSealed { element: index });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_signers(&self, verifier: &Verifier) -> Result<(), Error> {
        for (index, hop) in self.hops.iter().enumerate() {
            if verifier.revocations.has_key(&hop.signer) {
                return Err(Error::SignerRevoked { hop: index, signer: hop.signer });
            }
        }
        Ok(())
    }

    /// Says what every chain is worth if its signatures hold, and which signers are anchors themselves.
    fn attestations(&self, judge: &Judge<'_>) -> Vec<Attestation<'a>> {
        let mut found = Vec::new();
        for ControlElement { element, body } in &self.controls {
            if let ControlBody::Authority(chain) = body {
                let (author, judged) = (self.author(&self.elements[*element]), chain.judge(judge));
                found.push(Attestation { element: Some(*element), author, judged });
            }
        }
        for hop in &self.hops {
            let author = hop.signer;
            let known = |one: &Attestation<'_>| one.element.is_none() && one.author == author;
            if let Some(anchor) = judge.anchors.find(&author)
                && !found.iter().any(known)
            {
                let judged = Ok(Authority::of_anchor(anchor.clone()));
                found.push(Attestation { element: None, author, judged });
            }
        }
        found
    }

    /// An allotment is by the element's author, for an agent that may act next, and pays for this very place: a copy funds
    /// nothing anywhere else.
    pub(super) fn check_allotments(&self, digest: &HeaderDigest) -> Result<(), Error> {
        for (index, lineage) in self.allotments() {
            let element = &self.elements[index];
            let refuse = |reason| Error::AllotmentPlace { element: index, reason };
            if lineage.grantor() != self.author(element) {
                return Err(refuse("its author did not make it out"));
            }
            if !self.hops[element.hop].next.contains(&lineage.holder()) {
                return Err(refuse("its holder may not act next"));
            }
            let Some(place) = lineage.request() else {
                // A purse names no place, so that only this keeps it from being delivered twice at once.
                let id = lineage.id();
                let earlier = self.allotments().take_while(|(other, _)| *other < index);
                if earlier.map(|(_, lineage)| lineage.id()).any(|other| other == id) {
                    return Err(refuse("it is there already"));
                }
                continue;
            };
            if place != *self.before(index, digest) {
                return Err(refuse("it pays for another request"));
            }
            if let (0, Some(declared)) = (element.hop, &self.header.terms)
                && let Err(wider) = lineage.terms.narrow(declared, DepthRule::AtMost)
            {
                return Err(Error::DeclaredBeyondAllotment { element: index, wider });
            }
        }
        Ok(())
    }

    /// Says what every allotment is worth here if its signatures hold.
    fn fundings(&self, judge: &Judge<'_>) -> Vec<Funding> {
        self.allotments()
            .map(|(element, lineage)| Funding { element, judged: lineage.judge(judge) })
            .collect()
    }

    /// The reader's own policy: nothing is done for nothing, and nothing more for what has paid before.
    fn check_funding(
        &self,
        agent: &AgentId,
        fundings: &[Funding],
        after: usize,
        paid: impl Fn(AllotmentId) -> bool,
    ) -> Result<(), Error> {
        let mut reasons = Vec::new();
        for funding in fundings.iter().filter(|funding| funding.element >= after) {
            let Some(lineage) = self.allotment(funding.element) else { continue };
            if lineage.holder() == *agent && lineage.request().is_some() && !paid(lineage.id()) {
                match funding.judged {
                    Ok(()) => return Ok(()),
                    Err(reason) => reasons.push(reason),
                }
            }
        }
        Err(Error::MustBeFunded { reasons })
    }

    /// Whom a replay window may have counted the envelope for at another time: a chain that has expired since, or has been
    /// revoked, must not make a forgotten envelope new.
    fn other_principals(
        &self,
        origin: Option<&Attestation<'_>>,
        attestations: &[Attestation<'_>],
    ) -> Vec<Digest> {
        let another = |one: &&Attestation<'_>| !origin.is_some_and(|it| core::ptr::eq(*one, it));
        let of_sender = |one: &&Attestation<'_>| one.author == self.header.from;
        let claimed =
            |one: &Attestation<'_>| match one.element.and_then(|element| self.control(element)) {
                Some(ControlBody::Authority(chain)) => principal_of(&chain.root(), chain.subject()),
                _ => principal(one.judged.as_ref().ok()),
            };
        attestations.iter().filter(of_sender).filter(another).map(claimed).collect()
    }

    fn untrusted_origin(&self, attestations: &[Attestation<'_>]) -> Error {
        let reasons = attestations
            .iter()
            .filter(|one| one.author == self.header.from)
            .filter_map(|one| one.judged.as_ref().err().copied())
            .collect();
        Error::UntrustedOrigin { reasons }
    }
}

/// Takes each that has not failed a step further.
fn go_on<T>(all: &mut [Result<T, Error>], mut step: impl FnMut(&mut T) -> Result<(), Error>) {
    for one in all {
        if let Ok(going) = one
            && let Err(error) = step(going)
        {
            *one = Err(error);
        }
    }
}
