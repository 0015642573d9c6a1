//! The account of one allotment, kept by its holder: what is used, held, granted, returned. SPEC §11.4.
//!
//! `allotment = own + held + out − back + returned + free`, always, in every dimension, to the unit.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::entry::{Basis, EntryClaims, Event, Outcome, ReportClaims, SignedEntry};
use super::history::History;
use super::lineage::{Funded, Lineage};
use super::{Amounts, DepthRule, Dimension, Terms};
use crate::cbor::Decoder;
use crate::digest::{AllotmentId, EntryId};
use crate::identity::{AgentId, Identity};
use crate::{Error, Limits, Timestamp};

/// A ledger: one for each allotment, one writer for each ledger.
///
/// All operations take every dimension or none: on an error the ledger is as it was. What they sign comes out through
/// [`Prepared`], after the ledger has been stored; [`entries`](Ledger::entries) gives it again, to be re-sent. After a restart it goes on from the *latest*
/// stored state with [`Ledger::resume`]; a node that is restored from an older backup must [`abandon`](Ledger::abandon)
/// it, or it will sign a second history, which convicts it.
///
/// Keep the ledger of an allotment for as long as the allotment lives: opening it anew would spend it twice. An
/// admitted envelope hands its allotment out once, and a retry resumes.
#[derive(Clone, PartialEq, Eq)]
pub struct Ledger {
    pub(super) lineage: Vec<u8>,
    pub(super) holder: AgentId,
    pub(super) id: AllotmentId,
    pub(super) terms: Terms,
    pub(super) audit: Option<AgentId>,
    pub(super) opened: Timestamp,
    pub(super) own: Amounts,
    pub(super) out: Amounts,
    pub(super) back: Amounts,
    pub(super) returned: Amounts,
    pub(super) overrun: Amounts,
    pub(super) holds: BTreeMap<u64, Amounts>,
    /// The sum of the holds.
    pub(super) held: Amounts,
    pub(super) next_hold: u64,
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) last: Option<EntryId>,
    pub(super) children: BTreeMap<u64, Child>,
    pub(super) closed: bool,
}

/// What is known of an allotment that was split off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    pub(super) id: AllotmentId,
    pub(super) holder: AgentId,
    pub(super) terms: Terms,
    pub(super) returned: Amounts,
    pub(super) done: bool,
}

impl Child {
    /// Returns the allotment's id.
    pub const fn id(&self) -> AllotmentId {
        self.id
    }

    /// Returns who holds it.
    pub const fn holder(&self) -> AgentId {
        self.holder
    }

    /// Returns what was granted.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns what came back so far.
    pub const fn returned(&self) -> &Amounts {
        &self.returned
    }

    /// Tells whether its last report has come.
    pub const fn is_done(&self) -> bool {
        self.done
    }
}

/// Resources set aside for work that is about to begin. It is spent by [`Ledger::commit`] or given back by
/// [`Ledger::release`]; a hold that is dropped stays held until the ledger is resumed, and then counts as used.
#[derive(Debug)]
#[must_use = "what is held stays held until it is committed or released"]
pub struct Hold {
    ledger: AllotmentId,
    number: u64,
}

/// Something signed that must not leave before the ledger's new state is stored.
#[derive(Debug)]
#[must_use = "store the ledger, then take what was signed"]
pub struct Prepared<T>(T);

impl<T> Prepared<T> {
    pub(crate) const fn new(signed: T) -> Self {
        Self(signed)
    }

    /// Says that the ledger, with what was signed in it, is stored, and hands out what was signed.
    pub fn persisted(self) -> T {
        self.0
    }
}

/// A part to be granted to somebody else.
#[derive(Clone, Debug)]
pub struct Split {
    pub(crate) to: AgentId,
    pub(crate) terms: Terms,
    pub(crate) purse: bool,
}

impl Split {
    /// Grants `terms` to `to`.
    pub const fn new(to: AgentId, terms: Terms) -> Self {
        Self { to, terms, purse: false }
    }

    /// Pays for no request in particular: the holder splits from it and funds requests of its own.
    #[must_use]
    pub const fn as_purse(mut self) -> Self {
        self.purse = true;
        self
    }
}

/// A ledger that will never sign again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever granted the allotment should hear that it is abandoned"]
pub struct Abandoned {
    allotment: AllotmentId,
    entries: usize,
}

impl Abandoned {
    /// Returns the allotment.
    pub const fn allotment(&self) -> AllotmentId {
        self.allotment
    }

    /// Returns how many entries this copy of the ledger had.
    pub const fn entries(&self) -> usize {
        self.entries
    }
}

impl Ledger {
    /// Opens the ledger of an allotment that was made out to `identity`, admitted `now`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] if it is made out to somebody else.
    pub fn open(funded: Funded, identity: &Identity, now: Timestamp) -> Result<Self, Error> {
        identity.id().must_be(funded.holder)?;
        Ok(Self {
            lineage: funded.lineage,
            holder: funded.holder,
            id: funded.id,
            terms: funded.terms,
            audit: funded.audit,
            opened: now,
            own: Amounts::new(),
            out: Amounts::new(),
            back: Amounts::new(),
            returned: Amounts::new(),
            overrun: Amounts::new(),
            holds: BTreeMap::new(),
            held: Amounts::new(),
            next_hold: 0,
            entries: Vec::new(),
            last: None,
            children: BTreeMap::new(),
            closed: false,
        })
    }

    /// Returns the allotment's id.
    pub const fn id(&self) -> AllotmentId {
        self.id
    }

    /// Returns who keeps the ledger.
    pub const fn holder(&self) -> AgentId {
        self.holder
    }

    /// Returns what was granted.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns who gets a copy of splits and reports.
    pub const fn audit(&self) -> Option<AgentId> {
        self.audit
    }

    /// Returns what the holder itself has used.
    pub const fn own(&self) -> &Amounts {
        &self.own
    }

    /// Returns what was granted to others, whether or not it came back.
    pub const fn granted(&self) -> &Amounts {
        &self.out
    }

    /// Returns what others have returned.
    pub const fn credited(&self) -> &Amounts {
        &self.back
    }

    /// Returns what this ledger's reports have returned.
    pub const fn returned(&self) -> &Amounts {
        &self.returned
    }

    /// Returns what was used beyond what was there.
    pub const fn overrun(&self) -> &Amounts {
        &self.overrun
    }

    /// Returns what is held for work under way.
    pub const fn held(&self) -> &Amounts {
        &self.held
    }

    /// Returns what can still be used, held or granted.
    pub fn free(&self) -> Amounts {
        let spoken_for = [&self.own, &self.outstanding(), &self.returned, &self.held];
        let limit = self.terms.amounts().consumables();
        spoken_for.into_iter().fold(limit, |free, one| {
            free.checked_sub(one).expect("no operation takes more than is free")
        })
    }

    /// Returns what others hold of it.
    pub fn outstanding(&self) -> Amounts {
        self.out.checked_sub(&self.back).expect("a credit never exceeds the grant it returns")
    }

    /// Goes through the allotments that were split off, by the sequence number of their entry.
    pub fn children(&self) -> impl Iterator<Item = (u64, &Child)> {
        self.children.iter().map(|(seq, child)| (*seq, child))
    }

    /// Tells whether nothing is held and every child has sent its last report: the whole tree below has finished.
    pub fn quiescent(&self) -> bool {
        self.holds.is_empty() && self.children.values().all(|child| child.done)
    }

    /// Tells whether the last report has been made.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Records use, of all dimensions or of none. Ceilings in `used` are compared with those granted and not added up.
    ///
    /// # Errors
    ///
    /// [`Error::AmountLacking`] with the first dimension of which less is free; [`Error::LedgerClosed`].
    pub fn charge(&mut self, used: &Amounts) -> Result<(), Error> {
        self.check_open()?;
        self.check_fits(used, &Amounts::new())?;
        self.own = self.own.checked_add(used)?;
        Ok(())
    }

    /// Sets resources aside for work that is about to begin.
    ///
    /// # Errors
    ///
    /// As [`Ledger::charge`].
    pub fn reserve(&mut self, amounts: &Amounts) -> Result<Hold, Error> {
        self.check_open()?;
        self.check_fits(amounts, &Amounts::new())?;
        let number = self.next_hold;
        let next = number.checked_add(1).ok_or(Error::LedgerRefused {
            reason: "there were more holds than there are numbers for",
        })?;
        self.held = self.held.checked_add(amounts)?;
        self.next_hold = next;
        self.holds.insert(number, amounts.consumables());
        Ok(Hold { ledger: self.id, number })
    }

    /// Replaces a hold by what was really used. Use beyond the hold comes out of what is free; what is beyond that too is
    /// returned, recorded as overrun and never claimed.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerRefused`] for a hold of another ledger, or one from before a restart, which counts as used already;
    /// [`Error::AmountOverflow`] if overruns add up to more than 2^64 − 1, and [`Error::AmountRefused`] if they are of more
    /// than 32 dimensions, in which case what was held stays held, and counts as used when the ledger is closed.
    pub fn commit(&mut self, hold: Hold, actual: &Amounts) -> Result<Amounts, Error> {
        let held = self.hold(&hold)?;
        let available = self.free().checked_add(held)?;
        let left = self.held.checked_sub(held)?;
        let overrun = self.take(actual, &available)?;
        self.holds.remove(&hold.number);
        self.held = left;
        Ok(overrun)
    }

    /// Records use that has happened without a hold, as far as there is anything left. What is beyond that is returned,
    /// recorded as overrun and never claimed.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerClosed`]; [`Error::AmountOverflow`] if overruns add up to more than 2^64 − 1.
    pub fn record(&mut self, actual: &Amounts) -> Result<Amounts, Error> {
        self.check_open()?;
        self.take(actual, &self.free())
    }

    /// Gives a hold back.
    ///
    /// # Errors
    ///
    /// As [`Ledger::commit`].
    pub fn release(&mut self, hold: Hold) -> Result<(), Error> {
        self.held = self.held.checked_sub(self.hold(&hold)?)?;
        self.holds.remove(&hold.number);
        Ok(())
    }

    /// Grants a part to somebody else, exactly or not at all; `keep` stays free for the holder's own finish. Splitting costs
    /// one of `agents`, and the child's own `agents` besides. `request` is the place in an envelope that the part pays for;
    /// without one it is a purse. [`Draft::fund`](crate::Draft::fund) does this where an envelope is made.
    ///
    /// # Errors
    ///
    /// [`Error::AmountLacking`] if less is free; [`Error::SplitWidened`] if the terms go beyond those of this ledger;
    /// [`Error::DeadlinePassed`], also for the part's own; [`Error::TooManyChildren`] beyond the ceiling `concurrency`; [`Error::LedgerClosed`];
    /// [`Error::WrongIdentity`].
    pub fn split(
        &mut self,
        identity: &Identity,
        split: &Split,
        request: Option<[u8; 32]>,
        keep: &Amounts,
        now: Timestamp,
    ) -> Result<Prepared<Vec<u8>>, Error> {
        self.split_off(identity, split, request, keep, now).map(Prepared::new)
    }

    /// Splits where the envelope that carries the part is made, which is not signed before the ledger is stored either.
    pub(crate) fn split_off(
        &mut self,
        identity: &Identity,
        split: &Split,
        request: Option<[u8; 32]>,
        keep: &Amounts,
        now: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        self.check_open()?;
        self.check_identity(identity)?;
        let deadline = self.terms.deadline().min(split.terms.deadline());
        if now >= deadline {
            return Err(Error::DeadlinePassed { deadline, now });
        }
        if split.to == self.holder {
            return Err(Error::LedgerRefused { reason: "a split is for somebody else" });
        }
        let narrowed = self
            .terms_left(now)?
            .narrow(&split.terms, DepthRule::Less)
            .map_err(|wider| Error::SplitWidened { wider })?;
        let running = self.children.values().filter(|child| !child.done).count();
        let most = self.terms.amounts().get(Dimension::CONCURRENCY);
        if most.is_some_and(|most| u64::try_from(running).unwrap_or(u64::MAX) >= most) {
            return Err(Error::TooManyChildren { running });
        }
        let one_agent = Amounts::new().with(Dimension::AGENTS, 1)?;
        let granted = split.terms.amounts().consumables();
        self.check_fits(&granted, &one_agent.checked_add(keep)?)?;
        let own = self.own.checked_add(&one_agent)?;
        let out = self.out.checked_add(&granted)?;
        // From here on nothing fails.
        (self.own, self.out) = (own, out);
        let seq = self.next_seq();
        // The narrowed terms, so that what is inherited is spelt out for whoever sees this entry alone.
        let event = Event::Split { to: split.to, terms: narrowed.clone(), request };
        let entry = self.append(identity, event);
        let id = AllotmentId(*entry.as_bytes());
        let returned = Amounts::new();
        let child = Child { id, holder: split.to, terms: narrowed, returned, done: false };
        self.children.insert(seq, child);
        Ok(self.lineage_with_last())
    }

    /// Takes back what a child returns: its report together with the whole ledger that leads to it. No ledger, no refund. A
    /// report that was credited before changes nothing, in whatever order reports come.
    ///
    /// # Errors
    ///
    /// [`Error::ReportRefused`] if the ledger is not that of a child, is incomplete, or contradicts a report that was
    /// credited, of which the two ledgers are the proof; [`Error::HistoryBreach`] if it breaks its terms or returns more
    /// than is left; [`Error::EntrySignature`]; [`Error::LedgerClosed`]; [`Error::WrongIdentity`]; encoding errors.
    pub fn credit(
        &mut self,
        identity: &Identity,
        ledger: &[u8],
    ) -> Result<Option<Prepared<Vec<u8>>>, Error> {
        self.check_open()?;
        self.check_identity(identity)?;
        let history = History::decode(ledger)?;
        let allotment = history.allotment();
        let (seq, child) =
            self.children.iter().find(|(_, child)| child.id == allotment).ok_or(
                Error::ReportRefused { reason: "it is about no allotment of this ledger" },
            )?;
        let seq = *seq;
        let report = history.check(&child.terms, &child.holder)?;
        let (returned, last) = (&report.claims.returned, report.claims.last);
        let old = if last {
            child.done && *returned == child.returned
        } else {
            returned.le(&child.returned)
        };
        if old {
            return Ok(None);
        }
        // Only the difference is new.
        let new = returned.checked_sub(&child.returned).ok().filter(|_| !child.done);
        let new = new
            .ok_or(Error::ReportRefused { reason: "it contradicts a report that was credited" })?;
        self.back = self.back.checked_add(&new)?;
        // From here on nothing fails.
        let (total, last) = (report.claims.returned.clone(), report.claims.last);
        if let Some(child) = self.children.get_mut(&seq) {
            child.returned = report.claims.returned;
            child.done |= last;
        }
        self.append(identity, Event::Credit { split: seq, report: report.id, total, last });
        let entry = self.entries.last().cloned().unwrap_or_default();
        Ok(Some(Prepared::new(entry)))
    }

    /// Returns everything that is left, and closes the ledger. What is outstanding with children stays with them: wait until
    /// the ledger is [`quiescent`](Ledger::quiescent), or accept that what they return later is lost. Holds count as used.
    ///
    /// The result is the ledger's whole history, which the grantor [credits](Ledger::credit).
    ///
    /// # Errors
    ///
    /// [`Error::LedgerClosed`]; [`Error::WrongIdentity`].
    pub fn close(
        &mut self,
        identity: &Identity,
        basis: Basis,
        outcome: Outcome,
    ) -> Result<Prepared<Vec<u8>>, Error> {
        self.check_open()?;
        self.check_identity(identity)?;
        let own = self.own.checked_add(&self.held)?;
        let returned = self.returned.checked_add(&self.free())?;
        // From here on nothing fails.
        (self.own, self.returned) = (own, returned);
        self.holds.clear();
        self.held = Amounts::new();
        self.closed = true;
        self.report_entry(identity, true, basis, outcome);
        Ok(Prepared::new(self.history()))
    }

    /// Returns a part of what is free ahead of the last report.
    ///
    /// # Errors
    ///
    /// [`Error::AmountLacking`]; [`Error::LedgerClosed`]; [`Error::WrongIdentity`].
    pub fn give_back(
        &mut self,
        identity: &Identity,
        amounts: &Amounts,
        basis: Basis,
    ) -> Result<Prepared<Vec<u8>>, Error> {
        self.check_open()?;
        self.check_identity(identity)?;
        self.check_fits(amounts, &Amounts::new())?;
        self.returned = self.returned.checked_add(&amounts.consumables())?;
        self.report_entry(identity, false, basis, Outcome::Partial);
        Ok(Prepared::new(self.history()))
    }

    /// Never signs again. For a node that was restored from anything but the latest state: whoever granted the allotment
    /// has the newer entries, or hears by the deadline.
    pub fn abandon(self) -> Abandoned {
        Abandoned { allotment: self.id, entries: self.entries.len() }
    }

    /// Returns all entries, as the grantor needs them to credit a report and anybody to audit.
    ///
    /// ```cddl
    /// ledger-history = [ * entry-statement ]
    /// ```
    fn history(&self) -> Vec<u8> {
        History::encode(&self.entries)
    }

    /// Returns the bytes that were signed last, to send again after a loss: re-sent, never re-made.
    pub fn last_entry(&self) -> Option<&[u8]> {
        self.entries.last().map(Vec::as_slice)
    }

    /// Returns all that was signed so far, for an auditor or to send again. Store the ledger first.
    pub fn entries(&self) -> Vec<u8> {
        self.history()
    }

    fn report_entry(&mut self, identity: &Identity, last: bool, basis: Basis, outcome: Outcome) {
        let (returned, overrun) = (self.returned.clone(), self.overrun.clone());
        let report = ReportClaims { returned, last, basis, outcome, overrun };
        self.append(identity, Event::Report(report));
    }

    fn append(&mut self, identity: &Identity, event: Event) -> EntryId {
        let claims = EntryClaims {
            holder: self.holder,
            allotment: self.id,
            prev: self.last,
            seq: self.next_seq(),
            own: self.own.clone(),
            out: self.out.clone(),
            back: self.back.clone(),
            event,
        };
        let (bytes, id) = claims.sign(identity.signing_key());
        self.entries.push(bytes);
        self.last = Some(id);
        id
    }

    fn next_seq(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// The lineage of the allotment that the last entry split off.
    fn lineage_with_last(&self) -> Vec<u8> {
        let mut decoder = Decoder::new(&self.lineage);
        let above = Lineage::decode(&mut decoder, &Limits::none(), None)
            .expect("the lineage was decoded when the ledger was opened");
        let mut out = crate::cbor::Encoder::with_capacity(self.lineage.len() + 512);
        out.array(2);
        match &above.chain {
            Some(chain) => out.raw(chain.bytes()),
            None => out.null(),
        };
        out.array(2 + above.splits.len()).raw(above.root.encoded);
        above.splits.iter().for_each(|split| {
            out.raw(split.encoded);
        });
        if let Some(last) = self.entries.last() {
            out.raw(last);
        }
        out.finish()
    }

    /// A child gets at most what is left of the wall time.
    fn terms_left(&self, now: Timestamp) -> Result<Terms, Error> {
        let Some(wall) = self.terms.wall() else { return Ok(self.terms.clone()) };
        let passed = now.as_unix_seconds().saturating_sub(self.opened.as_unix_seconds());
        let left = wall.checked_sub(Duration::from_secs(passed)).filter(|left| !left.is_zero());
        let deadline = self.opened.saturating_add(wall);
        let left = left.ok_or(Error::DeadlinePassed { deadline, now })?;
        self.terms.clone().with_wall(left)
    }

    /// Compares amounts, and `besides` them, with what is free, and ceilings with those granted.
    fn check_fits(&self, amounts: &Amounts, besides: &Amounts) -> Result<(), Error> {
        self.free().checked_sub(&amounts.consumables().checked_add(besides)?)?;
        for amount in amounts.iter().filter(|amount| amount.dimension().is_ceiling()) {
            let dimension = amount.dimension();
            if let Some(available) = self.terms.amounts().find(dimension, amount.unit())
                && amount.value() > available
            {
                return Err(Error::AmountLacking { dimension, available, needed: amount.value() });
            }
        }
        Ok(())
    }

    /// Takes `actual` as far as it is available and records the rest as overrun, or fails and changes nothing.
    fn take(&mut self, actual: &Amounts, available: &Amounts) -> Result<Amounts, Error> {
        let actual = actual.consumables();
        let taken = actual.meet(available)?;
        let beyond = actual.checked_sub(&taken)?;
        let own = self.own.checked_add(&taken)?;
        let overrun = self.overrun.checked_add(&beyond)?;
        (self.own, self.overrun) = (own, overrun);
        Ok(beyond)
    }

    fn hold(&self, hold: &Hold) -> Result<&Amounts, Error> {
        let reason = "the hold is not one of this ledger, or from before it was resumed";
        self.holds
            .get(&hold.number)
            .filter(|_| hold.ledger == self.id)
            .ok_or(Error::LedgerRefused { reason })
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed { Err(Error::LedgerClosed) } else { Ok(()) }
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), Error> {
        identity.id().must_be(self.holder)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("id", &self.id)
            .field("own", &self.own)
            .field("out", &self.out)
            .field("back", &self.back)
            .field("free", &self.free())
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// A report as found at the end of a verified history.
pub(super) struct VerifiedReport {
    pub(super) id: EntryId,
    pub(super) claims: ReportClaims,
}

impl VerifiedReport {
    pub(super) fn of(entry: &SignedEntry<'_>) -> Option<Self> {
        match &entry.claims.event {
            Event::Report(claims) => Some(Self { id: entry.entry_id(), claims: claims.clone() }),
            _ => None,
        }
    }
}
