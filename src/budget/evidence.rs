//! Proof that somebody broke the rules of a ledger: its own signatures. SPEC §11.6.
//!
//! Evidence is sound: no part of an honest history, in any order and with any part missing, accuses anybody. A report that
//! never came is a gap, not evidence.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::entry::{Event, SignedEntry, SignedRoot};
use super::{Amounts, Breach, Terms};
use crate::cbor::{Decoder, Encoder};
use crate::digest::AllotmentId;
use crate::identity::AgentId;
use crate::signature::{Keys, verify_batch};
use crate::{Error, Limits};

/// The statements that convict one key, and nothing else. Anybody can recompute the verdict with [`Evidence::verify`].
///
/// ```cddl
/// evidence = [ "agent-envelope/1/evidence",
///              grant: root-allotment-statement / entry-statement / null,   ; by which the culprit held what it broke
///              entries: [1*3 entry-statement],                            ; by the culprit, in the order of their seq
///              report: entry-statement / null ]                           ; that a false credit rests on
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    bytes: Vec<u8>,
    culprit: AgentId,
    allotment: AllotmentId,
    breach: Breach,
}

impl Evidence {
    /// Returns whose key signed what convicts it.
    pub const fn culprit(&self) -> AgentId {
        self.culprit
    }

    /// Returns the allotment whose ledger it is about.
    pub const fn allotment(&self) -> AllotmentId {
        self.allotment
    }

    /// Returns what was done.
    pub const fn breach(&self) -> Breach {
        self.breach
    }

    /// Returns the evidence to hand on.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Compares two entries of one ledger, each an encoded statement, and says whether together they convict their signer.
    ///
    /// # Errors
    ///
    /// Encoding errors, and [`Error::EntrySignature`].
    pub fn between(one: &[u8], other: &[u8]) -> Result<Option<Self>, Error> {
        let (one, other) = (entry(one)?, entry(other)?);
        check_signatures(&[&one, &other])?;
        Ok(pair(&one, &other))
    }

    /// Recomputes the verdict of evidence that came from somebody else.
    ///
    /// # Errors
    ///
    /// Encoding errors; [`Error::EntrySignature`]; [`Error::NoEvidence`] if the statements convict nobody.
    pub fn verify(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4)?;
        crate::context::expect_label(&mut decoder, LABEL)?;
        let grant = if decoder.null() { None } else { Some(Grant::decode(&mut decoder)?) };
        let offset = decoder.offset();
        let count = decoder.array_nonempty("entries")?;
        if count > 3 {
            return Err(Error::WrongCount { offset, expected: 3, found: count });
        }
        let entries =
            (0..count).map(|_| SignedEntry::decode(&mut decoder)).collect::<Result<Vec<_>, _>>()?;
        let report = if decoder.null() { None } else { Some(SignedEntry::decode(&mut decoder)?) };
        decoder.finish()?;
        if let Some(grant) = &grant {
            grant.check_signature()?;
        }
        let refs: Vec<_> = entries.iter().chain(&report).collect();
        check_signatures(&refs)?;
        let found = match (&grant, &entries[..], &report) {
            (Some(grant), [one], None) => alone(grant, None, one),
            (Some(grant), [given_back, one], None) => alone(grant, Some(given_back), one),
            (None, [one, other], None) => pair(one, other),
            (None, [one], Some(report)) => false_report(one, report),
            (None, [split, one], Some(report)) => foreign_report(split, one, report),
            (None, [credit, before, one], None) => false_difference(credit, before, one),
            _ => None,
        };
        // What is not in the form that would be made here is not evidence either.
        found.filter(|found| found.bytes == bytes).ok_or(Error::NoEvidence)
    }
}

const LABEL: &str = "agent-envelope/1/evidence";

/// What an allotment was granted by.
enum Grant<'a> {
    Root(SignedRoot<'a>),
    Split(SignedEntry<'a>),
}

impl<'a> Grant<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        // The two payloads differ in their number of keys, so what is not the one may be the other.
        let mut ahead = decoder.clone();
        match SignedEntry::decode(&mut ahead) {
            Ok(split) => {
                *decoder = ahead;
                Ok(Self::Split(split))
            }
            Err(_) => SignedRoot::decode(decoder).map(Self::Root),
        }
    }

    fn id(&self) -> AllotmentId {
        AllotmentId(match self {
            Self::Root(root) => root.id,
            Self::Split(split) => split.id,
        })
    }

    /// Whom it is made out to, and for how much.
    fn holder(&self) -> Option<(AgentId, &Terms)> {
        match self {
            Self::Root(root) => Some((root.claims.to, &root.claims.terms)),
            Self::Split(split) => match &split.claims.event {
                Event::Split { to, terms, .. } => Some((*to, terms)),
                _ => None,
            },
        }
    }

    fn check_signature(&self) -> Result<(), Error> {
        let (signer, check) = match self {
            Self::Root(root) => (root.claims.payer, root.check()),
            Self::Split(split) => (split.claims.holder, split.check()),
        };
        let held = check.is_some_and(|check| check.verify().is_ok());
        if held {
            Ok(())
        } else {
            Err(Error::AllotmentSignature { element: None, entry: 0, signer })
        }
    }

    fn encoded(&self) -> &'a [u8] {
        match self {
            Self::Root(root) => root.encoded,
            Self::Split(split) => split.encoded,
        }
    }
}

fn entry(bytes: &[u8]) -> Result<SignedEntry<'_>, Error> {
    let mut decoder = Decoder::new(bytes);
    let entry = SignedEntry::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(entry)
}

fn check_signatures(entries: &[&SignedEntry<'_>]) -> Result<(), Error> {
    for (index, entry) in entries.iter().enumerate() {
        let refused = Error::EntrySignature { entry: index, signer: entry.claims.holder };
        let held = entry.check().is_some_and(|check| check.verify().is_ok());
        if !held {
            return Err(refused);
        }
    }
    Ok(())
}

fn convict(
    grant: Option<&Grant<'_>>,
    entries: &[&SignedEntry<'_>],
    report: Option<&SignedEntry<'_>>,
    breach: Breach,
) -> Option<Evidence> {
    let claims = &entries.first()?.claims;
    let mut out = Encoder::new();
    out.array(4).text(LABEL);
    match grant {
        Some(grant) => out.raw(grant.encoded()),
        None => out.null(),
    };
    out.array(entries.len());
    entries.iter().for_each(|entry| {
        out.raw(entry.encoded);
    });
    match report {
        Some(report) => out.raw(report.encoded),
        None => out.null(),
    };
    let (culprit, allotment) = (claims.holder, claims.allotment);
    Some(Evidence { bytes: out.finish(), culprit, allotment, breach })
}

/// Tells whether entries are of one ledger: one allotment, one key.
fn same_ledger(one: &SignedEntry<'_>, other: &SignedEntry<'_>) -> bool {
    one.claims.allotment == other.claims.allotment && one.claims.holder == other.claims.holder
}

/// An entry that breaks its grant by itself, or what a report before it has left of the grant. The grant's content is
/// fixed by the id that the entry names.
fn alone(
    grant: &Grant<'_>,
    given_back: Option<&SignedEntry<'_>>,
    one: &SignedEntry<'_>,
) -> Option<Evidence> {
    let (holder, terms) = grant.holder()?;
    if grant.id() != one.claims.allotment || holder != one.claims.holder {
        return None;
    }
    if let Err(breach) = one.claims.check_alone(terms, &Amounts::new()) {
        return convict(Some(grant), &[one], None, breach);
    }
    let report = given_back?;
    let Event::Report(claims) = &report.claims.event else { return None };
    if !same_ledger(report, one) || report.claims.seq >= one.claims.seq {
        return None;
    }
    let breach = one.claims.check_alone(terms, &claims.returned).err()?;
    convict(Some(grant), &[report, one], None, breach)
}

/// Two entries of one ledger that do not go together.
fn pair(one: &SignedEntry<'_>, other: &SignedEntry<'_>) -> Option<Evidence> {
    if !same_ledger(one, other) || one.id == other.id {
        return None;
    }
    let mut pair = [one, other];
    pair.sort_by_key(|entry| (entry.claims.seq, entry.id));
    let [earlier, later] = pair;
    if earlier.claims.seq == later.claims.seq {
        return convict(None, &pair, None, Breach::Fork);
    }
    let breach = later.claims.check_after(&earlier.claims, &earlier.entry_id()).err()?;
    convict(None, &pair, None, breach)
}

/// A credit that states another total than the report on which it says to rest.
fn false_report(credit: &SignedEntry<'_>, report: &SignedEntry<'_>) -> Option<Evidence> {
    let Event::Credit { report: id, total, last, .. } = &credit.claims.event else {
        return None;
    };
    let honest = match &report.claims.event {
        Event::Report(report) => report.returned == *total && report.last == *last,
        _ => false,
    };
    if *id != report.entry_id() || honest {
        return None;
    }
    convict(None, &[credit], Some(report), Breach::FalseCredit)
}

/// A credit that rests on a report about another allotment than the split that it names, or by another holder.
fn foreign_report(
    split: &SignedEntry<'_>,
    credit: &SignedEntry<'_>,
    report: &SignedEntry<'_>,
) -> Option<Evidence> {
    let (Event::Split { to, .. }, Event::Credit { split: seq, report: id, .. }) =
        (&split.claims.event, &credit.claims.event)
    else {
        return None;
    };
    let named = *seq == split.claims.seq && *id == report.entry_id();
    let own = *report.claims.allotment.as_bytes() == split.id && report.claims.holder == *to;
    if !same_ledger(split, credit) || !named || own {
        return None;
    }
    convict(None, &[split, credit], Some(report), Breach::FalseCredit)
}

/// A credit by more than its total has grown since an earlier credit for the same child.
fn false_difference(
    credit: &SignedEntry<'_>,
    before: &SignedEntry<'_>,
    one: &SignedEntry<'_>,
) -> Option<Evidence> {
    let entries = [credit, before, one];
    let adjacent = before.claims.seq.checked_add(1) == Some(one.claims.seq)
        && one.claims.prev == Some(before.entry_id());
    let ordered = credit.claims.seq < before.claims.seq;
    if !entries.iter().all(|entry| same_ledger(entry, one)) || !adjacent || !ordered {
        return None;
    }
    let (Event::Credit { split, total: then, .. }, Event::Credit { split: same, total: now, .. }) =
        (&credit.claims.event, &one.claims.event)
    else {
        return None;
    };
    if split != same {
        return None;
    }
    let grown = one.claims.back.checked_sub(&before.claims.back).ok()?;
    let honest = now.checked_sub(then).is_ok_and(|new| grown.le(&new));
    if honest { None } else { convict(None, &entries, None, Breach::FalseCredit) }
}

/// What an audit of a budget found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// For each allotment that leads back to the root by what was shown, its holder and what the newest entry there says.
    pub accounts: BTreeMap<AllotmentId, Account>,
    /// What convicts somebody.
    pub evidence: Vec<Evidence>,
    /// Those of them of whose ledgers nothing was shown, or not all of it. What may be missing below them is not known.
    pub gaps: BTreeSet<AllotmentId>,
}

/// The state of one allotment, as far as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Who holds it.
    pub holder: AgentId,
    /// What was granted.
    pub terms: Terms,
    /// Used by the holder itself.
    pub own: Amounts,
    /// Granted to others.
    pub out: Amounts,
    /// Returned by others.
    pub back: Amounts,
    /// Returned to the grantor.
    pub returned: Amounts,
    /// Used beyond what was there.
    pub overrun: Amounts,
    /// Whether the last report was shown.
    pub closed: bool,
}

/// Goes through all that is known of a budget: a root allotment, as its statement or as the lineage that an allotment
/// element carries, and any entries of any ledgers below it, in any order, complete or not.
///
/// # Errors
///
/// Encoding errors of the root or an entry, and [`Error::EntrySignature`] for an entry that its holder did not sign: whoever
/// collected it was deceived, and it proves nothing.
pub fn audit<'e>(root: &[u8], entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Audit, Error> {
    let root = decode_root(root)?;
    let all = entries.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let mut checks = Vec::with_capacity(all.len());
    for (index, one) in all.iter().enumerate() {
        let signer = one.claims.holder;
        checks.push(one.check().ok_or(Error::EntrySignature { entry: index, signer })?);
    }
    verify_batch(&checks, &mut Keys::default())
        .map_err(|entry| Error::EntrySignature { entry, signer: all[entry].claims.holder })?;
    Ok(examine_all(root, all))
}

/// Audits statements whose signatures hold.
pub(super) fn examine_all(root: SignedRoot<'_>, mut all: Vec<SignedEntry<'_>>) -> Audit {
    all.sort_by_key(|entry| (entry.claims.seq, entry.id));
    all.dedup_by_key(|entry| entry.id);

    let by_id: BTreeMap<_, _> = all.iter().map(|entry| (entry.id, entry)).collect();
    let mut ledgers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in &all {
        ledgers.entry((one.claims.allotment, one.claims.holder)).or_default().push(one);
    }
    let mut found =
        Audit { accounts: BTreeMap::new(), evidence: Vec::new(), gaps: BTreeSet::new() };
    let root = Grant::Root(root);
    for ((id, _), ledger) in &ledgers {
        let split = by_id.get(id.as_bytes()).map(|split| Grant::Split((*split).clone()));
        let grant = if root.id() == *id { Some(&root) } else { split.as_ref() };
        examine(grant, ledger, &by_id, &mut found.evidence);
    }
    // From the root down, so that nobody gets an account by granting what it does not hold.
    let mut open = Vec::from([root]);
    while let Some(grant) = open.pop() {
        let Some((holder, terms)) = grant.holder() else { continue };
        let ledger = ledgers.get(&(grant.id(), holder)).map_or(&[][..], Vec::as_slice);
        found.accounts.insert(grant.id(), account(holder, terms, ledger));
        let complete = ledger.iter().zip(0..).all(|(entry, seq)| entry.claims.seq == seq)
            && ledger.last().is_some_and(
                |last| matches!(&last.claims.event, Event::Report(report) if report.last),
            );
        if !complete {
            found.gaps.insert(grant.id());
        }
        open.extend(ledger.iter().map(|entry| Grant::Split((*entry).clone())));
    }
    found
}

/// Collects what convicts the writer of one ledger, whose entries come in the order of their seq.
fn examine(
    grant: Option<&Grant<'_>>,
    ledger: &[&SignedEntry<'_>],
    by_id: &BTreeMap<[u8; 32], &SignedEntry<'_>>,
    evidence: &mut Vec<Evidence>,
) {
    let mut by_seq: BTreeMap<u64, &SignedEntry<'_>> = BTreeMap::new();
    let mut credits: BTreeMap<u64, &SignedEntry<'_>> = BTreeMap::new();
    let mut credited: BTreeMap<_, &SignedEntry<'_>> = BTreeMap::new();
    let (mut before, mut given_back) = (None, None);
    for one in ledger.iter().copied() {
        // All that is found here ends in this entry, and so is none of what was found before.
        let first = evidence.len();
        let mut convict = |found: Option<Evidence>| {
            if let Some(found) = found
                && !evidence[first..].contains(&found)
            {
                evidence.push(found);
            }
        };
        if let Some(grant) = grant {
            convict(alone(grant, given_back, one));
        }
        if let Some(before) = before {
            convict(pair(before, one));
        }
        match &one.claims.event {
            Event::Split { .. } => {}
            Event::Credit { split, report, .. } => {
                let named = by_seq.get(split).copied();
                let earlier = credits.insert(*split, one);
                let same = credited.insert(*report, one);
                for known in [named, earlier, same].into_iter().flatten() {
                    convict(pair(known, one));
                }
                if let (Some(credit), Some(before)) = (earlier, before) {
                    convict(false_difference(credit, before, one));
                }
                if let Some(report) = by_id.get(report.as_bytes()) {
                    convict(false_report(one, report));
                    convict(named.and_then(|split| foreign_report(split, one, report)));
                }
            }
            Event::Report(_) => {
                if let Some(earlier) = given_back {
                    convict(pair(earlier, one));
                }
                given_back = Some(one);
            }
        }
        by_seq.insert(one.claims.seq, one);
        before = Some(one);
    }
}

fn account(holder: AgentId, terms: &Terms, ledger: &[&SignedEntry<'_>]) -> Account {
    let mut account = Account {
        holder,
        terms: terms.clone(),
        own: Amounts::new(),
        out: Amounts::new(),
        back: Amounts::new(),
        returned: Amounts::new(),
        overrun: Amounts::new(),
        closed: false,
    };
    for entry in ledger {
        let claims = &entry.claims;
        account.own.clone_from(&claims.own);
        account.out.clone_from(&claims.out);
        account.back.clone_from(&claims.back);
        if let Event::Report(report) = &claims.event {
            account.returned.clone_from(&report.returned);
            account.overrun.clone_from(&report.overrun);
            account.closed |= report.last;
        }
    }
    account
}

/// Reads a root allotment, from its statement or from a lineage that begins with it.
fn decode_root(bytes: &[u8]) -> Result<SignedRoot<'_>, Error> {
    let mut decoder = Decoder::new(bytes);
    let root =
        if let Ok(lineage) = super::lineage::Lineage::decode(&mut decoder, &Limits::none(), None) {
            lineage.root
        } else {
            decoder = Decoder::new(bytes);
            SignedRoot::decode(&mut decoder)?
        };
    decoder.finish()?;
    let signer = root.claims.payer;
    let held = root.check().is_some_and(|check| check.verify().is_ok());
    if held { Ok(root) } else { Err(Error::AllotmentSignature { element: None, entry: 0, signer }) }
}
