//! A whole ledger, checked from its first entry to its last. SPEC §11.5.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::entry::{Event, SignedEntry};
use super::ledger::VerifiedReport;
use super::{Amounts, Breach, Terms};
use crate::Error;
use crate::cbor::{Decoder, Encoder};
use crate::digest::AllotmentId;
use crate::identity::AgentId;
use crate::limits::within;
use crate::signature::{Keys, verify_batch};

/// Splits the history of a ledger into its entries, each an encoded statement, as [`audit`](super::audit) and
/// [`Evidence::between`](super::Evidence::between) take them. Nothing but their form is checked.
///
/// # Errors
///
/// Encoding errors.
pub fn entries(history: &[u8]) -> Result<Vec<&[u8]>, Error> {
    Ok(History::decode(history)?.entries.iter().map(|entry| entry.encoded).collect())
}

/// All entries of one ledger, in order, as received.
///
/// ```cddl
/// ledger-history = [ + entry-statement ]
/// ```
pub(super) struct History<'a> {
    pub(super) entries: Vec<SignedEntry<'a>>,
}

/// The fewest bytes of an entry: its signature and three ids.
const ENTRY: usize = 160;

/// Reads a history of at most `limit` entries, each of which costs a signature.
pub(crate) fn read<'a>(
    decoder: &mut Decoder<'a>,
    limit: usize,
) -> Result<Vec<SignedEntry<'a>>, Error> {
    let offset = decoder.offset();
    let count = within(limit, decoder.items(ENTRY)?, "signatures")?;
    if count == 0 {
        return Err(Error::Empty { offset, what: "ledger history" });
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(SignedEntry::decode(decoder)?);
    }
    Ok(entries)
}

impl<'a> History<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let entries = read(&mut decoder, usize::MAX)?;
        decoder.finish()?;
        Ok(Self { entries })
    }

    pub(super) fn encode(entries: &[Vec<u8>]) -> Vec<u8> {
        let length: usize = entries.iter().map(Vec::len).sum();
        let mut out = Encoder::with_capacity(length + 9);
        out.array(entries.len());
        entries.iter().for_each(|entry| {
            out.raw(entry);
        });
        out.finish()
    }

    /// Returns the allotment that the first entry names; [`History::check`] sees to it that all do.
    pub(super) fn allotment(&self) -> AllotmentId {
        self.entries[0].claims.allotment
    }

    /// Checks every rule over every entry, then all signatures, and returns the report at the end.
    pub(super) fn check(&self, granted: &Terms, holder: &AgentId) -> Result<VerifiedReport, Error> {
        self.check_rules(granted, holder)?;
        let reason = "the ledger does not end in a report";
        let report = self.entries.last().and_then(VerifiedReport::of);
        let report = report.ok_or(Error::ReportRefused { reason })?;
        self.check_signatures()?;
        Ok(report)
    }

    /// Checks every rule over every entry.
    pub(super) fn check_rules(&self, granted: &Terms, holder: &AgentId) -> Result<(), Error> {
        let refuse = |reason| Error::ReportRefused { reason };
        let mut credited: BTreeMap<u64, &Amounts> = BTreeMap::new();
        let mut reports = BTreeSet::new();
        let none = Amounts::new();
        let mut returned = &none;
        let mut earlier: Option<&SignedEntry<'_>> = None;
        for (entry, seq) in self.entries.iter().zip(0..) {
            let claims = &entry.claims;
            if claims.holder != *holder || claims.allotment != self.allotment() || claims.seq != seq
            {
                return Err(refuse("an entry is missing, or is of another ledger"));
            }
            let breach = |breach| Error::HistoryBreach { entry: seq, breach };
            claims.check_alone(granted, returned).map_err(breach)?;
            if let Event::Report(report) = &claims.event {
                if !returned.le(&report.returned) {
                    return Err(breach(Breach::Fell));
                }
                returned = &report.returned;
            }
            let mut back = &none;
            if let Some(earlier) = earlier {
                claims.check_after(&earlier.claims, &earlier.entry_id()).map_err(breach)?;
                back = &earlier.claims.back;
            }
            if let Event::Credit { split, report, total, .. } = &claims.event {
                let then = credited.insert(*split, total).unwrap_or(&none);
                let exact = total
                    .checked_sub(then)
                    .is_ok_and(|new| claims.back.checked_sub(back).is_ok_and(|grown| grown == new));
                let grant = usize::try_from(*split).ok().and_then(|split| self.entries.get(split));
                let within = grant.is_some_and(|grant| match &grant.claims.event {
                    Event::Split { terms, .. } => total.le(&terms.amounts().consumables()),
                    _ => false,
                });
                if !exact || !within || !reports.insert(*report) {
                    return Err(breach(Breach::FalseCredit));
                }
            }
            earlier = Some(entry);
        }
        Ok(())
    }

    fn check_signatures(&self) -> Result<(), Error> {
        let refuse = |entry: usize| Error::EntrySignature {
            entry,
            signer: self.entries[entry].claims.holder,
        };
        let mut checks = Vec::with_capacity(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate() {
            checks.push(entry.check().ok_or_else(|| refuse(index))?);
        }
        verify_batch(&checks, &mut Keys::default()).map_err(refuse)
    }
}
