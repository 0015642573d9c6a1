//! A ledger as stored bytes. SPEC §11.4.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::entry::{Event, SignedEntry, totals};
use super::history::History;
use super::ledger::{Child, Ledger};
use super::lineage::Lineage;
use super::{Amounts, Terms};
use crate::cbor::{Decoder, Encoder};
use crate::context::expect_label;
use crate::digest::AllotmentId;
use crate::{Error, Limits, Timestamp};

const STATE: &str = "agent-envelope/1/state/ledger";

impl Ledger {
    /// Writes the whole ledger, for storage. All that it has signed is in it, to be re-sent and never re-made.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.lineage.len() + 512 * (self.entries.len() + 1));
        out.array(8).text(STATE).bytes(&self.lineage).uint(self.opened.as_unix_seconds());
        self.own.encode(&mut out);
        self.overrun.encode(&mut out);
        // Numbers of holds are never used twice, so that one from before a restart is of no use after it.
        out.uint(self.next_hold).array(self.holds.len());
        for held in self.holds.values() {
            held.encode(&mut out);
        }
        out.array(self.entries.len());
        for entry in &self.entries {
            out.raw(entry);
        }
        out.finish()
    }

    /// Goes on with what [`Ledger::to_bytes`] wrote. It must be the *latest* that was written: what was signed after an older
    /// state would be signed again, differently, and that is evidence against this agent. Work that was under way when the
    /// ledger was stored counts as done: open holds become charges.
    ///
    /// # Errors
    ///
    /// Encoding errors, and [`Error::BadState`] for a state that would never have been written.
    pub fn resume(latest: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(latest);
        decoder.array_of(8)?;
        expect_label(&mut decoder, STATE)?;
        let (mut inner, encoded) = decoder.embedded()?;
        let lineage = Lineage::decode(&mut inner, &Limits::none(), None)?;
        inner.finish()?;
        let opened = Timestamp::from_unix_seconds(decoder.uint()?);
        let own = totals(&mut decoder)?;
        let overrun = totals(&mut decoder)?;
        let next_hold = decoder.uint()?;
        let holds = decoder.array()?;
        let holds = (0..holds)
            .map(|hold| Ok((u64::try_from(hold).unwrap_or(u64::MAX), totals(&mut decoder)?)))
            .collect::<Result<BTreeMap<_, _>, Error>>()?;
        let offset = decoder.offset();
        let bad = |reason| Error::BadState { offset, reason };
        let count = decoder.array()?;
        let mut ledger = Self {
            lineage: encoded.to_vec(),
            holder: lineage.holder(),
            id: lineage.id(),
            audit: lineage.root.claims.audit,
            terms: lineage.terms.clone(),
            opened,
            own,
            out: Amounts::new(),
            back: Amounts::new(),
            returned: Amounts::new(),
            overrun,
            next_hold,
            holds,
            held: Amounts::new(),
            entries: Vec::new(),
            last: None,
            children: BTreeMap::new(),
            closed: false,
        };
        let mut history = History { entries: Vec::new() };
        for seq in 0..count {
            let entry = SignedEntry::decode(&mut decoder)?;
            let seq = u64::try_from(seq).unwrap_or(u64::MAX);
            ledger
                .replay(&entry, seq)
                .ok_or(bad("an entry is not of this ledger, or out of order"))?;
            history.entries.push(entry);
        }
        decoder.finish()?;
        // What was written here follows; sums that do not could not be gone on with.
        history
            .check_rules(&ledger.terms, &ledger.holder)
            .map_err(|_| bad("an entry breaks the rules of the ledger"))?;
        let own =
            ledger.holds.values().try_fold(ledger.own.clone(), |own, hold| own.checked_add(hold));
        let spoken_for = own.and_then(|own| {
            let outstanding = ledger.out.checked_sub(&ledger.back)?;
            Ok((outstanding.checked_add(&own)?.checked_add(&ledger.returned)?, own))
        });
        let limit = ledger.terms.amounts().consumables();
        match spoken_for {
            Ok((sum, own)) if sum.le(&limit) => ledger.own = own,
            _ => return Err(bad("more is spoken for than was granted")),
        }
        ledger.holds.clear();
        Ok(ledger)
    }

    /// Takes over one entry that was signed before.
    fn replay(&mut self, entry: &SignedEntry<'_>, seq: u64) -> Option<()> {
        let claims = &entry.claims;
        let follows = claims.holder == self.holder
            && claims.allotment == self.id
            && claims.seq == seq
            && claims.prev == self.last
            && !self.closed
            && claims.own.le(&self.own);
        if !follows {
            return None;
        }
        match &claims.event {
            Event::Split { to, terms, .. } => {
                let child = self.child(*to, AllotmentId(entry.id), terms);
                self.children.insert(seq, child);
            }
            Event::Credit { split, total, last, .. } => {
                let child = self.children.get_mut(split)?;
                child.returned.clone_from(total);
                child.done |= *last;
            }
            Event::Report(report) => {
                self.returned.clone_from(&report.returned);
                self.closed = report.last;
            }
        }
        self.out.clone_from(&claims.out);
        self.back.clone_from(&claims.back);
        self.last = Some(entry.entry_id());
        self.entries.push(entry.encoded.to_vec());
        Some(())
    }

    fn child(&self, holder: crate::AgentId, id: AllotmentId, terms: &Terms) -> Child {
        Child { id, holder, terms: terms.clone(), returned: Amounts::new(), done: false }
    }
}
