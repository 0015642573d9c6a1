//! Which envelopes were admitted already, and along which paths. SPEC §10.1.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::cbor::{Decoder, Encoder};
use crate::context::{ascending, count, expect_label};
use crate::digest::{AllotmentId, Digest, HeaderDigest, HopId};
use crate::time::Clock;
use crate::{Error, Timestamp};

/// Hops remembered of one envelope, over all the paths on which it came. 64 are four full paths.
const HOPS: usize = 64;
/// Allotments handed out of one envelope, over all paths. What does not fit is not handed out.
const ALLOTMENTS: usize = 64;

/// How an envelope relates to what was admitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Nothing of it was admitted before.
    New,
    /// It was admitted when its path was shorter: only the elements from `after` on are new.
    Continued {
        /// How many elements were admitted before.
        after: usize,
    },
    /// Another envelope under the same header was admitted: the originator has signed twice. Keep both; together they are an
    /// [`OriginFork`](crate::OriginFork).
    Forked {
        /// How many elements the originator wrote; they authorize nothing again.
        after: usize,
    },
    /// It was admitted on a path that parted from this one: only the elements from `after` on are new.
    OtherPath {
        /// How many elements the paths have in common; the originator's always count as common.
        after: usize,
    },
}

impl Admission {
    /// Returns how many elements, from the first on, were admitted before and authorize nothing again.
    pub const fn after(&self) -> usize {
        match self {
            Self::New => 0,
            Self::Continued { after } | Self::Forked { after } | Self::OtherPath { after } => {
                *after
            }
        }
    }
}

/// How much a replay window remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayCapacity {
    /// Envelopes remembered for each principal. 4096, at about 120 bytes each.
    pub envelopes: usize,
    /// Principals: the pairs of trust anchor and subject for whom envelopes come. 1024.
    pub principals: usize,
}

impl Default for ReplayCapacity {
    fn default() -> Self {
        Self { envelopes: 4096, principals: 1024 }
    }
}

/// What was admitted and may not be acted on again: bounded, and a value that can be stored and merged.
///
/// Each principal (the trust anchor and subject of the originator's first chain that counts) has room of its own, so
/// that nobody fills the window for others. When a principal's room is full, its oldest envelope is forgotten and
/// everything of that principal created up to then is refused. When there is no room for another principal, it is
/// refused. So what the window cannot tell apart, it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayWindow {
    capacity: ReplayCapacity,
    /// The highest verification time seen, less the skew: what expired by then is refused, so that a clock that steps back
    /// re-admits nothing.
    past: Timestamp,
    envelopes: BTreeMap<HeaderDigest, Remembered>,
    by_expiry: BTreeSet<(Timestamp, HeaderDigest)>,
    principals: BTreeMap<Digest, Principal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Remembered {
    principal: Digest,
    created: Timestamp,
    expires: Timestamp,
    hops: Vec<RememberedHop>,
    /// What was handed out of it, to open a ledger each: a hop that is signed anew can bring an old allotment again.
    allotments: BTreeSet<AllotmentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RememberedHop {
    id: HopId,
    /// How many elements there were when this hop left.
    count: usize,
    /// Whether an envelope was admitted that ended here.
    tip: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Principal {
    floor: Option<Floor>,
    /// Oldest first.
    by_age: BTreeSet<(Timestamp, HeaderDigest)>,
}

/// How far a principal's envelopes have been forgotten before they expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    /// What was created up to here is refused.
    created: Timestamp,
    /// When the last of what was forgotten expires, and with it the floor.
    expires: Timestamp,
}

/// What a window looks at in an envelope.
#[derive(Clone, Debug)]
pub(crate) struct Path<'e> {
    pub(crate) envelope: HeaderDigest,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    /// Id and count of each hop, in order; may be left empty for an envelope that the window does not remember.
    pub(crate) hops: &'e [(HopId, usize)],
}

impl ReplayWindow {
    /// Makes an empty window.
    pub const fn new(capacity: ReplayCapacity) -> Self {
        Self {
            capacity,
            past: Timestamp::from_unix_seconds(0),
            envelopes: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            principals: BTreeMap::new(),
        }
    }

    /// Returns how many envelopes are remembered.
    pub fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// Tells whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// Tells whether an envelope with this header was admitted.
    pub(crate) fn remembers(&self, envelope: &HeaderDigest) -> bool {
        self.envelopes.contains_key(envelope)
    }

    /// Says how an envelope relates to what was admitted. It runs before any signature is checked, so it gives a reason to
    /// refuse, never evidence.
    pub(crate) fn seen(&self, path: &Path<'_>) -> Result<Admission, Error> {
        if path.expires <= self.past {
            // The clock stepped back; what had expired, and may be forgotten, stays expired.
            return Err(Error::Expired { expires: path.expires, now: self.past });
        }
        let Some(known) = self.envelopes.get(&path.envelope) else { return Ok(Admission::New) };
        let (tip, earlier) = path.hops.split_last().expect("an envelope has hops");
        if known.hop(&tip.0).is_some_and(|hop| hop.tip) {
            return Err(Error::Replayed { envelope: path.envelope });
        }
        // A hop's id commits to the path before it, so the deepest known hop is where the paths part.
        let common = path.hops.iter().filter_map(|(id, _)| known.hop(id)).map(|hop| hop.count);
        let originators = path.hops[0].1;
        let after = common.max().unwrap_or(0).max(originators);
        if known.hop(&path.hops[0].0).is_none() {
            return Ok(Admission::Forked { after });
        }
        let continued = earlier.iter().any(|(id, _)| known.hop(id).is_some_and(|hop| hop.tip));
        Ok(if continued { Admission::Continued { after } } else { Admission::OtherPath { after } })
    }

    /// Remembers a verified envelope, or refuses it and changes nothing. `principal` gives it room; the others are those for
    /// whom it may have been remembered before, so that their floors count too.
    pub(crate) fn admit(
        &mut self,
        path: &Path<'_>,
        principal: &Digest,
        others: &[Digest],
        clock: &Clock,
    ) -> Result<Admission, Error> {
        let admission = self.seen(path)?;
        let past = self.past.max(clock.earliest());
        match self.envelopes.get_mut(&path.envelope) {
            Some(known) => known.add(path.hops)?,
            None => {
                for one in [principal].into_iter().chain(others) {
                    self.check_floor(one, path.created, past)?;
                }
                let mut remembered = Remembered {
                    principal: *principal,
                    created: path.created,
                    expires: path.expires,
                    hops: Vec::with_capacity(path.hops.len()),
                    allotments: BTreeSet::new(),
                };
                remembered.add(path.hops)?;
                self.make_room(principal, path.created, past)?;
                self.insert(path.envelope, remembered);
            }
        }
        self.past = past;
        Ok(admission)
    }

    /// Tells whether this allotment was handed out of the envelope before.
    pub(crate) fn handed_out(&self, envelope: &HeaderDigest, allotment: &AllotmentId) -> bool {
        self.envelopes.get(envelope).is_some_and(|known| known.allotments.contains(allotment))
    }

    /// Remembers that an allotment is handed out of an admitted envelope. Tells whether it may be: once.
    pub(crate) fn hand_out(&mut self, envelope: &HeaderDigest, allotment: AllotmentId) -> bool {
        self.envelopes.get_mut(envelope).is_some_and(|known| {
            known.allotments.len() < ALLOTMENTS && known.allotments.insert(allotment)
        })
    }

    /// Takes over all that another window of the same agent remembers, as when replicas exchange their state.
    ///
    /// # Errors
    ///
    /// [`Error::ReplayWindowFull`] if there is no room for a principal, in which case nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let mut merged = self.clone();
        merged.past = merged.past.max(other.past);
        for (envelope, theirs) in &other.envelopes {
            if let Some(ours) = merged.envelopes.get_mut(envelope) {
                ours.merge(theirs);
            } else if !self.may_have_forgotten(theirs) {
                merged.insert(*envelope, theirs.clone());
            }
        }
        // Of what one has forgotten, the other knows some paths only: the floor refuses it, as it did where it was forgotten.
        for (envelope, ours) in &self.envelopes {
            if !other.envelopes.contains_key(envelope) && other.may_have_forgotten(ours) {
                merged.forget(envelope);
            }
        }
        for (id, theirs) in &other.principals {
            let ours = merged.principals.entry(*id).or_default();
            ours.floor = Floor::max(ours.floor, theirs.floor);
        }
        merged.forget_expired();
        let (what, capacity) = ("principals", merged.capacity.principals);
        if merged.principals.len() > capacity {
            return Err(Error::ReplayWindowFull { what, capacity });
        }
        let ids: Vec<_> = merged.principals.keys().copied().collect();
        for id in ids {
            while merged
                .principals
                .get(&id)
                .is_some_and(|one| one.by_age.len() > merged.capacity.envelopes)
            {
                merged.forget_oldest(&id);
            }
        }
        *self = merged;
        Ok(())
    }

    /// Sees to it that one more envelope of this principal fits, or says why it never will; in that case nothing that is
    /// still valid has been forgotten.
    fn make_room(
        &mut self,
        principal: &Digest,
        created: Timestamp,
        past: Timestamp,
    ) -> Result<(), Error> {
        self.past = past;
        self.forget_expired();
        let full = |what, capacity| Error::ReplayWindowFull { what, capacity };
        let Some(known) = self.principals.get(principal) else {
            return if self.principals.len() >= self.capacity.principals {
                Err(full("principals", self.capacity.principals))
            } else if self.capacity.envelopes == 0 {
                Err(full("envelopes of this principal", 0))
            } else {
                Ok(())
            };
        };
        if known.by_age.len() < self.capacity.envelopes {
            return Ok(());
        }
        // Forgetting the oldest raises the floor to its creation, which must leave the new one above it.
        match known.by_age.first() {
            Some((oldest, _)) if *oldest < created => {
                self.forget_oldest(principal);
                Ok(())
            }
            _ => Err(full("envelopes of this principal", self.capacity.envelopes)),
        }
    }

    fn check_floor(
        &self,
        principal: &Digest,
        created: Timestamp,
        past: Timestamp,
    ) -> Result<(), Error> {
        match self.principals.get(principal).and_then(|known| known.floor) {
            Some(Floor { created: floor, expires }) if created <= floor && expires > past => {
                Err(Error::BelowReplayFloor { created, floor })
            }
            _ => Ok(()),
        }
    }

    /// Tells whether an envelope that is not known here may have been forgotten to make room.
    fn may_have_forgotten(&self, remembered: &Remembered) -> bool {
        let floor = self.principals.get(&remembered.principal).and_then(|known| known.floor);
        floor.is_some_and(|floor| {
            remembered.created <= floor.created && remembered.expires <= floor.expires
        })
    }

    fn insert(&mut self, envelope: HeaderDigest, remembered: Remembered) {
        let known = self.principals.entry(remembered.principal).or_default();
        known.by_age.insert((remembered.created, envelope));
        self.by_expiry.insert((remembered.expires, envelope));
        self.envelopes.insert(envelope, remembered);
    }

    /// Forgets the principal's oldest envelope, and with it refuses all that it created up to then.
    fn forget_oldest(&mut self, principal: &Digest) {
        let oldest = self.principals.get(principal).and_then(|known| known.by_age.first().copied());
        let Some((created, envelope)) = oldest else { return };
        let Some(gone) = self.forget(&envelope) else { return };
        if let Some(known) = self.principals.get_mut(principal) {
            let floor = Floor { created, expires: gone.expires };
            known.floor = Floor::max(known.floor, Some(floor));
        }
    }

    /// Forgets what is refused as expired from now on, and floors under which nothing valid can be left.
    fn forget_expired(&mut self) {
        while let Some((expires, envelope)) = self.by_expiry.first().copied()
            && expires <= self.past
        {
            self.forget(&envelope);
        }
        let past = self.past;
        self.principals.retain(|_, known| {
            known.floor = known.floor.filter(|floor| floor.expires > past);
            !known.by_age.is_empty() || known.floor.is_some()
        });
    }

    fn forget(&mut self, envelope: &HeaderDigest) -> Option<Remembered> {
        let gone = self.envelopes.remove(envelope)?;
        self.by_expiry.remove(&(gone.expires, *envelope));
        if let Some(known) = self.principals.get_mut(&gone.principal) {
            known.by_age.remove(&(gone.created, *envelope));
        }
        Some(gone)
    }

    /// Writes the whole state, for storage.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        self.encode(&mut out);
        out.finish()
    }

    /// Reads what [`ReplayWindow::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Encoding errors, and [`Error::BadState`] for a state that would never have been written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let state = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(state)
    }

    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.array(6).text(STATE).count(self.capacity.envelopes).count(self.capacity.principals);
        out.uint(self.past.as_unix_seconds());
        out.array(self.principals.len());
        for (id, known) in &self.principals {
            out.array(2).bytes(id.as_bytes());
            match known.floor {
                None => out.null(),
                Some(floor) => out
                    .array(2)
                    .uint(floor.created.as_unix_seconds())
                    .uint(floor.expires.as_unix_seconds()),
            };
        }
        out.array(self.envelopes.len());
        for (envelope, known) in &self.envelopes {
            out.array(if known.allotments.is_empty() { 5 } else { 6 });
            out.bytes(envelope.as_bytes()).bytes(known.principal.as_bytes());
            out.uint(known.created.as_unix_seconds()).uint(known.expires.as_unix_seconds());
            out.array(known.hops.len());
            for hop in &known.hops {
                out.array(3).bytes(hop.id.as_bytes()).count(hop.count).uint(u64::from(hop.tip));
            }
            if !known.allotments.is_empty() {
                out.array(known.allotments.len());
                known.allotments.iter().for_each(|id| {
                    out.bytes(id.as_bytes());
                });
            }
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array_of(6)?;
        expect_label(decoder, STATE)?;
        let capacity = ReplayCapacity { envelopes: count(decoder)?, principals: count(decoder)? };
        let mut window = Self { past: seconds(decoder)?, ..Self::new(capacity) };
        let offset = decoder.offset();
        let bad = |reason| Error::BadState { offset, reason };
        let principals = decoder.array()?;
        let mut last = None;
        for _ in 0..principals {
            decoder.array_of(2)?;
            let id = Digest(*decoder.fixed()?);
            ascending(&mut last, id, offset)?;
            let floor = if decoder.null() {
                None
            } else {
                decoder.array_of(2)?;
                Some(Floor { created: seconds(decoder)?, expires: seconds(decoder)? })
            };
            window.principals.insert(id, Principal { floor, by_age: BTreeSet::new() });
        }
        let envelopes = decoder.array()?;
        let mut last = None;
        for _ in 0..envelopes {
            let start = decoder.offset();
            let parts = decoder.array()?;
            if !(5..=6).contains(&parts) {
                return Err(Error::WrongCount { offset: start, expected: 5, found: parts });
            }
            let envelope = HeaderDigest(*decoder.fixed()?);
            ascending(&mut last, envelope, offset)?;
            let principal = Digest(*decoder.fixed()?);
            let (created, expires) = (seconds(decoder)?, seconds(decoder)?);
            let length = decoder.array_nonempty("array of hops")?;
            let hops = (0..length)
                .map(|_| RememberedHop::decode(decoder))
                .collect::<Result<Vec<_>, _>>()?;
            if hops.len() > HOPS || !window.principals.contains_key(&principal) {
                return Err(bad("an envelope has too many hops or no principal"));
            }
            let mut allotments = BTreeSet::new();
            if parts == 6 {
                let count = decoder.array_nonempty("set of allotments")?;
                decoder.set(count, Decoder::fixed, |id| {
                    allotments.insert(AllotmentId(*id));
                })?;
            }
            window.insert(envelope, Remembered { principal, created, expires, hops, allotments });
        }
        let overfull = window.principals.values().any(|one| one.by_age.len() > capacity.envelopes);
        if overfull || principals > capacity.principals {
            return Err(bad("it holds more than it may"));
        }
        Ok(window)
    }
}

impl Remembered {
    fn hop(&self, id: &HopId) -> Option<&RememberedHop> {
        self.hops.iter().find(|hop| hop.id == *id)
    }

    /// Adds a path, or nothing if it does not fit.
    fn add(&mut self, path: &[(HopId, usize)]) -> Result<(), Error> {
        let (tip, earlier) = path.split_last().expect("an envelope has hops");
        let earlier =
            earlier.iter().map(|(id, count)| RememberedHop { id: *id, count: *count, tip: false });
        let tip = RememberedHop { id: tip.0, count: tip.1, tip: true };
        self.extend(earlier.chain([tip]))
    }

    /// Takes over the hops of `other`. Those that do not fit are left out, and with no room left, nothing that ends in or
    /// passes one of them will ever be admitted: nobody who signs many paths can keep replicas from merging.
    fn merge(&mut self, other: &Self) {
        other.hops.iter().for_each(|hop| self.remember(*hop));
        self.allotments.extend(&other.allotments);
    }

    fn extend(&mut self, hops: impl Iterator<Item = RememberedHop> + Clone) -> Result<(), Error> {
        let new = hops.clone().filter(|hop| self.hop(&hop.id).is_none()).count();
        if self.hops.len() + new > HOPS {
            return Err(Error::ReplayWindowFull { what: "hops of this envelope", capacity: HOPS });
        }
        hops.for_each(|hop| self.remember(hop));
        Ok(())
    }

    fn remember(&mut self, hop: RememberedHop) {
        if let Some(known) = self.hops.iter_mut().find(|known| known.id == hop.id) {
            known.tip |= hop.tip;
        } else if self.hops.len() < HOPS {
            self.hops.push(hop);
        }
    }
}

impl RememberedHop {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array_of(3)?;
        let id = HopId(*decoder.fixed()?);
        Ok(Self { id, count: count(decoder)?, tip: decoder.uint_up_to(1)? == 1 })
    }
}

impl Floor {
    fn max(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => {
                Some(Self { created: a.created.max(b.created), expires: a.expires.max(b.expires) })
            }
            (a, b) => a.or(b),
        }
    }
}

fn seconds(decoder: &mut Decoder<'_>) -> Result<Timestamp, Error> {
    Ok(Timestamp::from_unix_seconds(decoder.uint()?))
}

const STATE: &str = "agent-envelope/1/state/replay-window";

#[cfg(test)]
mod tests;
