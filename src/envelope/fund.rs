//! Envelopes that pay: allotments are made out while the envelope is signed, for the very place where they stand. SPEC §11.3.

use alloc::vec::Vec;

use super::assemble::Assembler;
use super::decoded::Envelope;
use super::draft::Draft;
use super::onward::Onward;
use super::sent::Sent;
use crate::budget::{Amounts, Ledger, Prepared, RootClaims, Split, Terms};
use crate::cbor::Encoder;
use crate::context::Control;
use crate::delegation::DelegationChain;
use crate::identity::{AgentId, Identity};
use crate::{Entropy, Error, Limits, Timestamp};

/// A budget that the sender itself pays for, as a trust anchor with a ceiling or as the holder of a chain that has one.
#[derive(Clone, Debug)]
pub struct Allotment<'d> {
    to: AgentId,
    terms: Terms,
    audit: Option<AgentId>,
    authority: Option<&'d DelegationChain>,
    purse: bool,
}

impl<'d> Allotment<'d> {
    /// Grants `terms` to `to`, who must be among those that may act next.
    pub const fn new(to: AgentId, terms: Terms) -> Self {
        Self { to, terms, audit: None, authority: None, purse: false }
    }

    /// Asks for copies of all splits and reports for this agent.
    #[must_use]
    pub const fn audited_by(mut self, agent: AgentId) -> Self {
        self.audit = Some(agent);
        self
    }

    /// Pays as the holder of this chain, within its budget ceiling. Without it the sender must be a trust anchor.
    #[must_use]
    pub const fn under(mut self, chain: &'d DelegationChain) -> Self {
        self.authority = Some(chain);
        self
    }

    /// Pays for no request in particular: the holder splits from it and funds requests of its own.
    #[must_use]
    pub const fn as_purse(mut self) -> Self {
        self.purse = true;
        self
    }
}

/// What pays.
#[derive(Debug)]
enum Fund<'d> {
    Root(Allotment<'d>),
    Split { ledger: &'d mut Ledger, split: Split, keep: Amounts },
}

/// A draft that pays for what it asks. Signing it also signs ledger entries, so what comes out is
/// [`Prepared`]: the ledger is to be stored before the envelope leaves.
#[derive(Debug)]
#[must_use = "a draft does nothing until it is signed"]
pub struct FundedDraft<'d> {
    draft: Draft<'d>,
    fund: Vec<Fund<'d>>,
}

/// An envelope on its way on that pays the next agent.
#[derive(Debug)]
#[must_use = "an envelope goes nowhere until the hop is signed"]
pub struct FundedOnward<'v> {
    onward: Onward<'v>,
    fund: Vec<Fund<'v>>,
}

macro_rules! funding {
    ($($from:ident => $to:ident { $field:ident });+) => { $(
        impl<'d> $from<'d> {
            /// Pays out of the sender's own means. Nothing can be added after what pays, which covers all before it.
            pub fn allot(self, allotment: Allotment<'d>) -> $to<'d> {
                $to { $field: self, fund: Vec::new() }.allot(allotment)
            }

            /// Pays with a part of an allotment that the sender holds; `keep` of it stays free for the sender's own
            /// finish. Nothing can be added after what pays, which covers all before it.
            pub fn fund(self, ledger: &'d mut Ledger, split: Split, keep: Amounts) -> $to<'d> {
                $to { $field: self, fund: Vec::new() }.fund(ledger, split, keep)
            }
        }

        impl<'d> $to<'d> {
            /// Pays out of the sender's own means besides.
            pub fn allot(mut self, allotment: Allotment<'d>) -> Self {
                self.fund.push(Fund::Root(allotment));
                self
            }

            /// Pays with a part of an allotment that the sender holds besides.
            pub fn fund(mut self, ledger: &'d mut Ledger, split: Split, keep: Amounts) -> Self {
                self.fund.push(Fund::Split { ledger, split, keep });
                self
            }
        }
    )+ };
}

funding!(Draft => FundedDraft { draft }; Onward => FundedOnward { onward });

impl FundedDraft<'_> {
    /// Signs the envelope, created `now`. If that fails, every ledger is as it was.
    ///
    /// # Errors
    ///
    /// As [`Draft::sign`] and [`Ledger::split`]; [`Error::WrongIdentity`] for a chain that does not end in the sender;
    /// [`Error::AllotmentPlace`] for a holder who may not act next; [`Error::DeclaredBeyondAllotment`].
    pub fn sign(self, now: Timestamp, entropy: Entropy) -> Result<Prepared<Sent>, Error> {
        let Self { draft, mut fund } = self;
        let (identity, inputs) = (draft.signer(), encode(&fund));
        pay(&mut fund, |fund| {
            let pay = |assembler: &mut Assembler<'_>| assembler.pay(fund, identity, now);
            let sent = draft.sign_with(now, entropy, &inputs, pay)?;
            check_places(sent.as_bytes())?;
            Ok(sent)
        })
    }
}

impl FundedOnward<'_> {
    /// Signs the hop. If that fails, every ledger is as it was.
    ///
    /// # Errors
    ///
    /// As [`Onward::sign`] and [`Ledger::split`]; [`Error::WrongIdentity`] for a chain that does not end in the signer;
    /// [`Error::AllotmentPlace`] for a holder who may not act next.
    pub fn sign(self, now: Timestamp, entropy: Entropy) -> Result<Prepared<Vec<u8>>, Error> {
        let Self { onward, mut fund } = self;
        let (identity, inputs) = (onward.signer(), encode(&fund));
        pay(&mut fund, |fund| {
            let pay = |assembler: &mut Assembler<'_>| assembler.pay(fund, identity, now);
            let bytes = onward.sign_with(now, entropy, &inputs, pay)?;
            check_places(&bytes)?;
            Ok(bytes)
        })
    }
}

/// What a verifier would refuse for its place is not handed out: it would be spent and fund nothing.
fn check_places(bytes: &[u8]) -> Result<(), Error> {
    let mut envelope = Envelope::decode(bytes, &Limits::default())?;
    let digest = envelope.digest();
    envelope.check_element_chain(&digest)?;
    envelope.check_allotments(&digest)
}

/// Runs what signs, and puts every ledger back if it fails.
fn pay<'d, T>(
    fund: &mut [Fund<'d>],
    sign: impl FnOnce(&mut [Fund<'d>]) -> Result<T, Error>,
) -> Result<Prepared<T>, Error> {
    let before: Vec<Option<Ledger>> = fund
        .iter()
        .map(|one| match one {
            Fund::Root(_) => None,
            Fund::Split { ledger, .. } => Some((**ledger).clone()),
        })
        .collect();
    let signed = sign(fund);
    if signed.is_err() {
        for (one, before) in fund.iter_mut().zip(before) {
            if let (Fund::Split { ledger, .. }, Some(before)) = (one, before) {
                **ledger = before;
            }
        }
    }
    signed.map(Prepared::new)
}

/// Encodes what pays, so that what is derived from the call's entropy is bound to it.
fn encode(fund: &[Fund<'_>]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(fund.len());
    for one in fund {
        match one {
            Fund::Root(allotment) => {
                out.array(5).bytes(allotment.to.as_bytes());
                allotment.terms.encode(&mut out);
                out.bytes(allotment.audit.as_ref().map_or(&[], |audit| audit.as_bytes()));
                out.bytes(allotment.authority.map_or(&[], DelegationChain::as_bytes));
                out.uint(u64::from(allotment.purse));
            }
            Fund::Split { ledger, split, keep } => {
                out.array(5).bytes(&ledger.to_bytes()).bytes(split.to.as_bytes());
                split.terms.encode(&mut out);
                keep.encode(&mut out);
                out.uint(u64::from(split.purse));
            }
        }
    }
    out.finish()
}

impl Assembler<'_> {
    /// Makes out what pays, each for the place where it stands.
    fn pay(
        &mut self,
        fund: &mut [Fund<'_>],
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(), Error> {
        for one in fund {
            let place = self.chain.0;
            let lineage = match one {
                Fund::Root(allotment) => self.root(allotment, identity, place)?,
                Fund::Split { ledger, split, keep } => {
                    let request = (!split.purse).then_some(place);
                    ledger.split_off(identity, split, request, keep, now)?
                }
            };
            self.control(Control::Allotment, &lineage);
        }
        Ok(())
    }

    pub(super) fn root(
        &self,
        allotment: &Allotment<'_>,
        identity: &Identity,
        place: [u8; 32],
    ) -> Result<Vec<u8>, Error> {
        if let Some(chain) = allotment.authority {
            identity.id().must_be(chain.holder())?;
        }
        let root = RootClaims {
            payer: identity.id(),
            to: allotment.to,
            terms: allotment.terms.clone(),
            request: (!allotment.purse).then_some(place),
            nonce: *self.seed.derive("allotment-nonce", self.next),
            audit: allotment.audit,
            authority: allotment.authority.map(DelegationChain::id),
        };
        let (root, _) = root.sign(identity.signing_key());
        let mut out = Encoder::with_capacity(root.len() + 16);
        out.array(2);
        match allotment.authority {
            Some(chain) => out.raw(chain.as_bytes()),
            None => out.null(),
        };
        out.array(1).raw(&root);
        Ok(out.finish())
    }
}

#[cfg(test)]
mod tests;
