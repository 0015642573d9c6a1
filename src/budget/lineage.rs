//! From a payer down to one allotment: what an allotment element carries. SPEC §11.3.
//!
//! ```cddl
//! lineage = [ chain / null, [ root-allotment-statement, * entry-statement ] ]
//! ```

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::entry::{Breach, Event, SignedEntry, SignedRoot};
use super::{Amounts, DepthRule, Terms};
use crate::cbor::Decoder;
use crate::delegation::{Chain, Judge, TrustAnchor};
use crate::digest::AllotmentId;
use crate::identity::AgentId;
use crate::limits::within;
use crate::signature::Check;
use crate::{Error, Limits, Timestamp};

/// A root allotment and the splits below it, as received: who grants what to whom fits together, signatures are not
/// checked.
#[derive(Clone, Debug)]
pub(crate) struct Lineage<'a> {
    /// The payer's delegation chain, where the payer is no anchor.
    pub(crate) chain: Option<Chain<'a>>,
    pub(crate) root: SignedRoot<'a>,
    pub(crate) splits: Vec<SignedEntry<'a>>,
    /// What the last statement grants, with all that it left unsaid.
    pub(crate) terms: Terms,
    pub(crate) encoded: &'a [u8],
}

/// Why an allotment that is well formed and rightly placed funds nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfunded {
    /// The payer is no trust anchor, and no chain that counts makes it one's holder.
    UnknownPayer {
        /// The payer.
        payer: AgentId,
    },
    /// The payer may not grant that much: its ceiling is lower, or it has none.
    BeyondCeiling {
        /// The payer.
        payer: AgentId,
    },
    /// The deadline has passed.
    TooLate {
        /// The deadline.
        deadline: Timestamp,
        /// The verification time.
        now: Timestamp,
    },
    /// The key of the payer or of a holder on the way is revoked.
    Revoked {
        /// Whose.
        agent: AgentId,
    },
}

impl core::fmt::Display for Unfunded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::UnknownPayer { payer } => write!(f, "the payer {payer} is not trusted to pay"),
            Self::BeyondCeiling { payer } => write!(f, "the payer {payer} may not grant that much"),
            Self::TooLate { deadline, now } => {
                write!(f, "the deadline was {deadline}, verification time is {now}")
            }
            Self::Revoked { agent } => write!(f, "the key of {agent} is revoked"),
        }
    }
}

impl<'a> Lineage<'a> {
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        element: Option<usize>,
    ) -> Result<Self, Error> {
        let start = decoder.offset();
        decoder.array_of(2)?;
        let chain =
            if decoder.null() { None } else { Some(Chain::decode(decoder, limits, element)?) };
        let count = decoder.array_nonempty("lineage")?;
        within(limits.links, count, "statements of an allotment")?;
        let root = SignedRoot::decode(decoder)?;
        let splits =
            (1..count).map(|_| SignedEntry::decode(decoder)).collect::<Result<Vec<_>, _>>()?;
        let encoded = decoder.since(start);
        let terms = effective(&root, &splits, element)?;
        let lineage = Self { chain, root, splits, terms, encoded };
        lineage.check_payer(element)?;
        Ok(lineage)
    }

    /// The chain, if there is one, is the one that the root names, and ends in the payer.
    fn check_payer(&self, element: Option<usize>) -> Result<(), Error> {
        let leaf = self.chain.as_ref().and_then(|chain| chain.links.last());
        let fits = match (leaf, self.root.claims.authority) {
            (None, None) => true,
            (Some(leaf), Some(id)) => leaf.id == id && leaf.claims.holder == self.root.claims.payer,
            _ => false,
        };
        if fits { Ok(()) } else { Err(Error::AllotmentLineage { element, entry: 0 }) }
    }

    /// Returns the allotment's id.
    pub(crate) fn id(&self) -> AllotmentId {
        AllotmentId(self.splits.last().map_or(self.root.id, |split| split.id))
    }

    /// Returns who signed the last statement.
    pub(crate) fn grantor(&self) -> AgentId {
        self.splits.last().map_or(self.root.claims.payer, |split| split.claims.holder)
    }

    /// Returns for whom the allotment is.
    pub(crate) fn holder(&self) -> AgentId {
        self.splits.last().map_or(self.root.claims.to, split_to)
    }

    /// Returns the place that the allotment funds; `None` for a purse.
    pub(crate) fn request(&self) -> Option<[u8; 32]> {
        match self.splits.last().map(|split| &split.claims.event) {
            None => self.root.claims.request,
            Some(Event::Split { request, .. }) => *request,
            Some(_) => None,
        }
    }

    /// Returns how many signatures there are.
    pub(crate) fn signatures(&self) -> usize {
        1 + self.splits.len() + self.chain.as_ref().map_or(0, |chain| chain.links.len())
    }

    /// Prepares all signatures.
    pub(crate) fn checks(&self, element: Option<usize>) -> Result<Vec<Check>, Error> {
        let mut checks = Vec::with_capacity(self.signatures());
        let prepared =
            core::iter::once(self.root.check()).chain(self.splits.iter().map(SignedEntry::check));
        for (entry, check) in prepared.enumerate() {
            checks.push(check.ok_or_else(|| self.signature_error(element, entry))?);
        }
        if let Some(chain) = &self.chain {
            for check in chain.checks(element) {
                checks.push(check?);
            }
        }
        Ok(checks)
    }

    /// Names the statement whose signature, in the order of [`Lineage::checks`], does not hold.
    pub(crate) fn signature_error(&self, element: Option<usize>, index: usize) -> Error {
        let own = 1 + self.splits.len();
        match (&self.chain, index.checked_sub(own)) {
            (Some(chain), Some(link)) => chain.signature_error(element, link),
            _ => {
                let signer = match index.checked_sub(1) {
                    None => self.root.claims.payer,
                    Some(split) => self.splits[split].claims.holder,
                };
                Error::AllotmentSignature { element, entry: index, signer }
            }
        }
    }

    /// Says whether the payer is good for it, if the signatures hold.
    pub(crate) fn judge(&self, judge: &Judge<'_>) -> Result<(), Unfunded> {
        let payer = self.root.claims.payer;
        let unknown = Unfunded::UnknownPayer { payer };
        let (deadline, now) = (self.terms.deadline(), judge.clock.now());
        if judge.clock.is_past(deadline) {
            return Err(Unfunded::TooLate { deadline, now });
        }
        let holders = self.splits.iter().map(|split| split.claims.holder);
        if let Some(agent) =
            core::iter::once(payer).chain(holders).find(|agent| judge.revocations.has_key(agent))
        {
            return Err(Unfunded::Revoked { agent });
        }
        // What the ceiling bounds is repeated or lowered: all below rest on what the root itself states.
        let granted = &self.root.claims.terms;
        let within = |ceiling: Option<&Terms>| {
            ceiling
                .filter(|ceiling| {
                    ceiling.narrow(granted, DepthRule::AtMost).is_ok_and(|terms| terms == *granted)
                })
                .map(|_| ())
                .ok_or(Unfunded::BeyondCeiling { payer })
        };
        match &self.chain {
            None => {
                let anchor: &Arc<TrustAnchor> = judge.anchors.find(&payer).ok_or(unknown)?;
                within(anchor.budget.as_ref())
            }
            Some(chain) => {
                let authority = chain.judge(judge).map_err(|_| unknown)?;
                within(authority.ceiling())
            }
        }
    }
}

/// Each split is by the holder of what is above it, draws on that, and narrows it.
fn effective(
    root: &SignedRoot<'_>,
    splits: &[SignedEntry<'_>],
    element: Option<usize>,
) -> Result<Terms, Error> {
    let mut terms = root.claims.terms.clone();
    let (mut holder, mut id) = (root.claims.to, root.id);
    if holder == root.claims.payer {
        return Err(Error::AllotmentLineage { element, entry: 0 });
    }
    for (split, entry) in splits.iter().zip(1..) {
        let claims = &split.claims;
        let Event::Split { to, terms: granted, .. } = &claims.event else {
            return Err(Error::AllotmentLineage { element, entry });
        };
        if claims.holder != holder || *claims.allotment.as_bytes() != id || *to == holder {
            return Err(Error::AllotmentLineage { element, entry });
        }
        claims.check_alone(&terms, &Amounts::new()).map_err(|breach| Error::AllotmentBreach {
            element,
            entry,
            breach,
        })?;
        terms = terms.narrow(granted, DepthRule::Less).map_err(|wider| Error::AllotmentBreach {
            element,
            entry,
            breach: Breach::Widened(wider),
        })?;
        (holder, id) = (*to, split.id);
    }
    Ok(terms)
}

fn split_to(split: &SignedEntry<'_>) -> AgentId {
    match &split.claims.event {
        Event::Split { to, .. } => *to,
        _ => split.claims.holder,
    }
}

/// Splits an allotment, encoded with its lineage, into the ledger entries by which it came down from its root, each an
/// encoded statement: what an [`audit`](super::audit) learns from an envelope about the ledgers above. Nothing but their
/// form is checked.
///
/// # Errors
///
/// Encoding errors, [`Error::AllotmentLineage`] and [`Error::AllotmentBreach`].
pub fn splits(lineage: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut decoder = Decoder::new(lineage);
    let above = Lineage::decode(&mut decoder, &Limits::none(), None)?;
    decoder.finish()?;
    Ok(above.splits.iter().map(|split| split.encoded).collect())
}

/// An allotment that was verified and is made out to this agent: it opens one ledger.
///
/// It comes from an admitted envelope, which hands it out once. It is not `Clone`.
#[derive(Debug)]
pub struct Funded {
    pub(crate) lineage: Vec<u8>,
    pub(crate) id: AllotmentId,
    pub(crate) holder: AgentId,
    pub(crate) grantor: AgentId,
    pub(crate) payer: AgentId,
    pub(crate) audit: Option<AgentId>,
    pub(crate) terms: Terms,
    pub(crate) purse: bool,
}

impl Funded {
    /// Wraps what a verified envelope carried. Only envelope verification may call this, for what it judged to count.
    pub(crate) fn assertion(lineage: &Lineage<'_>) -> Self {
        Self {
            lineage: lineage.encoded.to_vec(),
            id: lineage.id(),
            holder: lineage.holder(),
            grantor: lineage.grantor(),
            payer: lineage.root.claims.payer,
            audit: lineage.root.claims.audit,
            terms: lineage.terms.clone(),
            purse: lineage.request().is_none(),
        }
    }

    /// Returns the allotment's id.
    pub const fn id(&self) -> AllotmentId {
        self.id
    }

    /// Returns what is granted, with all that the last statement left unsaid.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns who pays in the end.
    pub const fn payer(&self) -> AgentId {
        self.payer
    }

    /// Returns who made this allotment out, and takes the report.
    pub const fn grantor(&self) -> AgentId {
        self.grantor
    }

    /// Returns who gets a copy of splits and reports.
    pub const fn audit(&self) -> Option<AgentId> {
        self.audit
    }

    /// Tells whether it pays for no particular request: a purse to split from.
    pub const fn is_purse(&self) -> bool {
        self.purse
    }
}
