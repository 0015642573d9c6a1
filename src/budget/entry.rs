//! What is signed about budgets: root allotments, and the entries of ledgers. SPEC §11.2.
//!
//! Knows the form of each statement and what one alone may say. Every statement names its signer and holds all that its
//! check needs besides the allotment it draws on, so that it can be verified, and held against its signer, by anybody.

use alloc::vec::Vec;

use super::{Amounts, DepthRule, Dimension, Terms, Wider};
use crate::Error;
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{AllotmentId, Digest, EntryId, LinkId};
use crate::identity::{AgentId, SigningKey, agent_id};
use crate::signature::Check;
use crate::statement::{Parent, Statement, StatementKind, sign};

/// What a payer signs to begin a budget.
///
/// ```cddl
/// root-allotment = { 1: payer agent-id, 2: to agent-id, 3: terms, 4: request bstr .size 32 / null,
///                    5: nonce bstr .size 16, ? 6: audit agent-id, ? 7: authority bstr .size 32 }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RootClaims {
    pub(crate) payer: AgentId,
    pub(crate) to: AgentId,
    pub(crate) terms: Terms,
    /// The place that it funds; `None` makes it a purse.
    pub(crate) request: Option<[u8; 32]>,
    pub(crate) nonce: [u8; 16],
    pub(crate) audit: Option<AgentId>,
    pub(crate) authority: Option<LinkId>,
}

/// One entry of the ledger that an allotment's holder keeps.
///
/// ```cddl
/// entry = { 1: holder agent-id, 2: allotment bstr .size 32, 3: prev bstr .size 32 / null, 4: seq uint,
///           5: own amounts, 6: out amounts, 7: back amounts, 8: event }
/// event = [0, to agent-id, terms, request bstr .size 32 / null]             ; split
///       / [1, split uint, report bstr .size 32, total amounts, last 0 / 1]   ; credit
///       / [2, returned amounts, last 0 / 1, basis, outcome uint, overrun amounts]   ; report
/// basis = [0] / [1, digest bstr .size 32] / [2]                             ; declared, attested, replayable
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryClaims {
    pub(crate) holder: AgentId,
    pub(crate) allotment: AllotmentId,
    pub(crate) prev: Option<EntryId>,
    pub(crate) seq: u64,
    /// Used by the holder itself, so far.
    pub(crate) own: Amounts,
    /// Granted to others, so far.
    pub(crate) out: Amounts,
    /// Returned by others, so far.
    pub(crate) back: Amounts,
    pub(crate) event: Event,
}

/// What an entry records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part is granted to somebody else; the entry's id is the new allotment's.
    Split { to: AgentId, terms: Terms, request: Option<[u8; 32]> },
    /// What the holder of the split with this sequence number has returned in all, by this report.
    Credit { split: u64, report: EntryId, total: Amounts, last: bool },
    /// What is returned to whoever granted the allotment.
    Report(ReportClaims),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportClaims {
    /// Returned in all, so far.
    pub(crate) returned: Amounts,
    pub(crate) last: bool,
    pub(crate) basis: Basis,
    pub(crate) outcome: Outcome,
    /// What was used beyond what was held: a fact about the past, not a claim on anybody.
    pub(crate) overrun: Amounts,
}

/// On what the use that a report states is based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// The holder says so.
    Declared,
    /// There is evidence with this digest, such as a provider's signed usage record.
    Attested(Digest),
    /// Whoever runs the same work with the same meter gets the same numbers.
    Replayable,
}

/// How the work that a report closes has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Done.
    Done,
    /// Done in part.
    Partial,
    /// Stopped because the budget was used up.
    Exceeded,
    /// Stopped at the deadline.
    TooLate,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Failed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 6] =
        [Self::Done, Self::Partial, Self::Exceeded, Self::TooLate, Self::Cancelled, Self::Failed];

    fn encode(self, out: &mut Encoder) {
        let number = Self::ALL.iter().position(|one| *one == self).unwrap_or_default();
        out.count(number);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let offset = decoder.offset();
        let number = usize::try_from(decoder.uint()?).ok();
        number
            .and_then(|number| Self::ALL.get(number).copied())
            .ok_or(Error::InvalidValue { offset, expected: "an outcome (0 to 5)" })
    }
}

impl Basis {
    fn encode(self, out: &mut Encoder) {
        match self {
            Self::Declared => out.array(1).uint(0),
            Self::Attested(digest) => out.array(2).uint(1).bytes(digest.as_bytes()),
            Self::Replayable => out.array(1).uint(2),
        };
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let offset = decoder.offset();
        let items = decoder.array()?;
        match (items, decoder.uint()?) {
            (1, 0) => Ok(Self::Declared),
            (2, 1) => Ok(Self::Attested(Digest(*decoder.fixed()?))),
            (1, 2) => Ok(Self::Replayable),
            _ => Err(Error::InvalidValue { offset, expected: "a basis ([0], [1, digest] or [2])" }),
        }
    }
}

/// A statement about a budget with its id and its bytes; its signature is not checked.
#[derive(Clone, Debug)]
pub(crate) struct Signed<'a, T> {
    pub(crate) claims: T,
    /// The id: of a root and of a split, the allotment's.
    pub(crate) id: [u8; 32],
    pub(crate) encoded: &'a [u8],
    statement: Statement<'a>,
    kind: StatementKind,
}

pub(crate) type SignedRoot<'a> = Signed<'a, RootClaims>;
pub(crate) type SignedEntry<'a> = Signed<'a, EntryClaims>;

impl<'a> SignedRoot<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        Self::read(decoder, StatementKind::Allotment, RootClaims::decode)
    }

    pub(crate) fn check(&self) -> Option<Check> {
        self.check_by(&self.claims.payer)
    }
}

impl<'a> SignedEntry<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        Self::read(decoder, StatementKind::Entry, EntryClaims::decode)
    }

    pub(crate) fn check(&self) -> Option<Check> {
        self.check_by(&self.claims.holder)
    }

    pub(crate) const fn entry_id(&self) -> EntryId {
        EntryId(self.id)
    }
}

impl<'a, T> Signed<'a, T> {
    fn read(
        decoder: &mut Decoder<'a>,
        kind: StatementKind,
        claims: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let start = decoder.offset();
        let statement = Statement::decode(decoder)?;
        let encoded = decoder.since(start);
        let mut payload = statement.payload();
        let claims = claims(&mut payload)?;
        payload.finish()?;
        let id = statement.bind(kind, Parent::None).id().0;
        Ok(Self { claims, id, encoded, statement, kind })
    }

    fn check_by(&self, signer: &AgentId) -> Option<Check> {
        self.statement.bind(self.kind, Parent::None).check(signer).ok()
    }
}

impl RootClaims {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut map = decoder.map("root allotment")?;
        let payer = map.required(1).and_then(agent_id)?;
        let to = map.required(2).and_then(agent_id)?;
        let terms = Terms::decode(map.required(3)?)?;
        let request = map.required(4).and_then(request)?;
        let nonce = *map.required(5)?.fixed()?;
        let audit = map.optional(6)?.map(agent_id).transpose()?;
        let authority = map.optional(7)?.map(Decoder::fixed).transpose()?.map(|id| LinkId(*id));
        map.end()?;
        Ok(Self { payer, to, terms, request, nonce, audit, authority })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        out.map(5 + usize::from(self.audit.is_some()) + usize::from(self.authority.is_some()));
        out.uint(1).bytes(self.payer.as_bytes());
        out.uint(2).bytes(self.to.as_bytes());
        out.uint(3);
        self.terms.encode(&mut out);
        out.uint(4);
        encode_request(&mut out, self.request.as_ref());
        out.uint(5).bytes(&self.nonce);
        if let Some(audit) = &self.audit {
            out.uint(6).bytes(audit.as_bytes());
        }
        if let Some(authority) = &self.authority {
            out.uint(7).bytes(authority.as_bytes());
        }
        out.finish()
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> (Vec<u8>, AllotmentId) {
        let payload = self.encode();
        let (bytes, id) = sign(key.inner(), StatementKind::Allotment, Parent::None, None, &payload);
        (bytes, AllotmentId(id.0))
    }
}

impl EntryClaims {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut map = decoder.map("ledger entry")?;
        let holder = map.required(1).and_then(agent_id)?;
        let allotment = AllotmentId(*map.required(2)?.fixed()?);
        let prev = map.required(3).and_then(request)?.map(EntryId);
        let seq = map.required(4)?.uint()?;
        let own = totals(map.required(5)?)?;
        let out = totals(map.required(6)?)?;
        let back = totals(map.required(7)?)?;
        let event = Event::decode(map.required(8)?)?;
        map.end()?;
        Ok(Self { holder, allotment, prev, seq, own, out, back, event })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(320);
        out.map(8);
        out.uint(1).bytes(self.holder.as_bytes());
        out.uint(2).bytes(self.allotment.as_bytes());
        out.uint(3);
        encode_request(&mut out, self.prev.as_ref().map(EntryId::as_bytes));
        out.uint(4).uint(self.seq);
        for (key, totals) in [(5, &self.own), (6, &self.out), (7, &self.back)] {
            out.uint(key);
            totals.encode(&mut out);
        }
        out.uint(8);
        self.event.encode(&mut out);
        out.finish()
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> (Vec<u8>, EntryId) {
        let (bytes, id) =
            sign(key.inner(), StatementKind::Entry, Parent::None, None, &self.encode());
        (bytes, EntryId(id.0))
    }

    /// Says in what this entry, taken alone, breaks what its holder was granted, of which an earlier report has
    /// `returned` a part. An entry that does is a signed confession.
    pub(crate) fn check_alone(&self, granted: &Terms, returned: &Amounts) -> Result<(), Breach> {
        if (self.seq == 0) != self.prev.is_none() {
            return Err(Breach::Order);
        }
        let outstanding = self.out.checked_sub(&self.back).map_err(|_| Breach::FalseCredit)?;
        if self.seq == 0 {
            // Nothing can have been granted before the first entry, nor come back.
            let granted = match &self.event {
                Event::Split { terms, .. } => terms.amounts().consumables(),
                _ => Amounts::new(),
            };
            if self.out != granted {
                return Err(Breach::OverSplit);
            }
            if !self.back.is_empty() {
                return Err(Breach::FalseCredit);
            }
        }
        let returned = match &self.event {
            Event::Report(report) => &report.returned,
            _ => returned,
        };
        let claimed = self
            .own
            .checked_add(&outstanding)
            .and_then(|sum| sum.checked_add(returned))
            .map_err(|_| Breach::OverUse)?;
        let limit = granted.amounts().consumables();
        if !claimed.le(&limit) {
            return Err(if matches!(self.event, Event::Split { .. }) {
                Breach::OverSplit
            } else {
                Breach::OverUse
            });
        }
        match &self.event {
            Event::Split { terms, .. } => {
                let narrowed = granted.narrow(terms, DepthRule::Less).map_err(Breach::Widened)?;
                // What is inherited is spelt out, so that the next split can be held against this one alone.
                if narrowed != *terms {
                    return Err(Breach::Widened(Wider::Wall));
                }
                let agents = self.own.get(Dimension::AGENTS).unwrap_or(0);
                if !terms.amounts().consumables().le(&self.out) || agents == 0 {
                    return Err(Breach::OverSplit);
                }
            }
            Event::Credit { split, total, .. } => {
                if *split >= self.seq || !total.le(&self.out) {
                    return Err(Breach::FalseCredit);
                }
            }
            // A last report returns exactly what is left.
            Event::Report(report) if report.last && claimed != limit => {
                return Err(Breach::OverUse);
            }
            Event::Report(_) => {}
        }
        Ok(())
    }

    /// Says in what this entry does not follow from an earlier one of the same ledger, not necessarily the one before.
    pub(crate) fn check_after(&self, earlier: &Self, earlier_id: &EntryId) -> Result<(), Breach> {
        if matches!(&earlier.event, Event::Report(report) if report.last) {
            return Err(Breach::AfterLast);
        }
        let adjacent = earlier.seq.checked_add(1) == Some(self.seq);
        if adjacent && self.prev != Some(*earlier_id) {
            return Err(Breach::Fork);
        }
        let risen = |now: &Amounts, then: &Amounts| now.checked_sub(then).map_err(|_| Breach::Fell);
        let own = risen(&self.own, &earlier.own)?;
        let out = risen(&self.out, &earlier.out)?;
        let back = risen(&self.back, &earlier.back)?;
        if let (Event::Report(now), Event::Report(then)) = (&self.event, &earlier.event) {
            risen(&now.returned, &then.returned)?;
        }
        let (granted, credited) = match &self.event {
            Event::Split { terms, .. } => {
                if own.get(Dimension::AGENTS).unwrap_or(0) == 0 {
                    return Err(Breach::OverSplit);
                }
                (terms.amounts().consumables(), Amounts::new())
            }
            Event::Credit { split, report, total, .. } => {
                (Amounts::new(), earlier.credited(*split, report, total)?)
            }
            Event::Report(_) => (Amounts::new(), Amounts::new()),
        };
        // The split itself must be in `out`; between adjacent entries nothing else may be.
        if !granted.le(&out) || (adjacent && out != granted) {
            return Err(Breach::OverSplit);
        }
        if adjacent && !back.le(&credited) {
            return Err(Breach::FalseCredit);
        }
        Ok(())
    }

    /// Says by how much at most a credit that follows this entry grows what came back.
    fn credited(&self, split: u64, report: &EntryId, total: &Amounts) -> Result<Amounts, Breach> {
        let refused = Breach::FalseCredit;
        match &self.event {
            Event::Split { terms, .. } if self.seq == split => {
                if total.le(&terms.amounts().consumables()) {
                    Ok(total.clone())
                } else {
                    Err(refused)
                }
            }
            _ if self.seq == split => Err(refused),
            // A report is credited once.
            Event::Credit { report: same, .. } if same == report => Err(refused),
            Event::Credit { split: same, total: then, .. } if *same == split => {
                total.checked_sub(then).map_err(|_| refused)
            }
            _ => Ok(total.clone()),
        }
    }
}

/// In what an entry breaks the rules of its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// E1: two entries for one place in a ledger, or one that does not follow the one before.
    Fork,
    /// E2: more is granted than there is, or a grant is missing from the totals.
    OverSplit,
    /// E3: more is used or returned than there is, or a last report that does not return what is left.
    OverUse,
    /// E4: running totals fall.
    Fell,
    /// E5: more is credited than was granted or reported.
    FalseCredit,
    /// E6: a grant is wider than what it is made of.
    Widened(Wider),
    /// E7: something follows a last report.
    AfterLast,
    /// The first entry has a predecessor, or a later one has none.
    Order,
}

impl core::fmt::Display for Breach {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Fork => "two entries for one place in the ledger",
            Self::OverSplit => "grants that are more than there is, or missing from the totals",
            Self::OverUse => "use or returns that do not fit what was granted",
            Self::Fell => "running totals that fall",
            Self::FalseCredit => "a credit beyond what was granted or reported",
            Self::Widened(wider) => {
                return write!(f, "a grant wider than what it is made of: {wider}");
            }
            Self::AfterLast => "an entry after a last report",
            Self::Order => "a first entry with a predecessor, or a later one without",
        })
    }
}

impl Event {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let offset = decoder.offset();
        let items = decoder.array()?;
        match (items, decoder.uint()?) {
            (4, 0) => {
                let to = agent_id(decoder)?;
                let terms = Terms::decode(decoder)?;
                Ok(Self::Split { to, terms, request: request(decoder)? })
            }
            (5, 1) => {
                let split = decoder.uint()?;
                let report = EntryId(*decoder.fixed()?);
                let total = totals(decoder)?;
                Ok(Self::Credit { split, report, total, last: decoder.uint_up_to(1)? == 1 })
            }
            (6, 2) => {
                let returned = totals(decoder)?;
                let last = decoder.uint_up_to(1)? == 1;
                let basis = Basis::decode(decoder)?;
                let outcome = Outcome::decode(decoder)?;
                let overrun = totals(decoder)?;
                Ok(Self::Report(ReportClaims { returned, last, basis, outcome, overrun }))
            }
            _ => Err(Error::InvalidValue { offset, expected: "a split, a credit or a report" }),
        }
    }

    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Split { to, terms, request } => {
                out.array(4).uint(0).bytes(to.as_bytes());
                terms.encode(out);
                encode_request(out, request.as_ref());
            }
            Self::Credit { split, report, total, last } => {
                out.array(5).uint(1).uint(*split).bytes(report.as_bytes());
                total.encode(out);
                out.uint(u64::from(*last));
            }
            Self::Report(report) => {
                out.array(6).uint(2);
                report.returned.encode(out);
                out.uint(u64::from(report.last));
                report.basis.encode(out);
                report.outcome.encode(out);
                report.overrun.encode(out);
            }
        }
    }
}

/// Reads amounts that are totals: consumables only.
pub(super) fn totals(decoder: &mut Decoder<'_>) -> Result<Amounts, Error> {
    let offset = decoder.offset();
    let amounts = Amounts::decode(decoder)?;
    if amounts.iter().any(|amount| amount.dimension().is_ceiling()) {
        return Err(Error::InvalidValue { offset, expected: "totals of consumables" });
    }
    Ok(amounts)
}

fn request(decoder: &mut Decoder<'_>) -> Result<Option<[u8; 32]>, Fault> {
    if decoder.null() { Ok(None) } else { decoder.fixed().map(|request| Some(*request)) }
}

fn encode_request(out: &mut Encoder, request: Option<&[u8; 32]>) {
    match request {
        Some(request) => out.bytes(request),
        None => out.null(),
    };
}
