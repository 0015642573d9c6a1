//! Where every party of every conversation stands, so that gaps, forks and outsiders show. SPEC §10.2.
//!
//! Each party has its own line: its envelopes in one conversation, each naming the one before. What later hops add belongs
//! to the envelope, not to the line, so that sender and reader agree on it whatever happens on the way.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::cbor::{Decoder, Encoder};
use crate::digest::{ContextId, ConversationId, Digest, HeaderDigest, HopId};
use crate::envelope::header;
use crate::identity::{AgentId, agent_id};
use crate::{Error, Sent};

/// A point in a party's line: how many elements it has written in the conversation, and the element chain after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stand {
    pub(crate) count: u64,
    pub(crate) head: [u8; 32],
}

impl Stand {
    /// Returns how many elements the party has written up to here.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the value of the element chain here.
    pub const fn head(&self) -> &[u8; 32] {
        &self.head
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array_of(2)?;
        Ok(Self { count: decoder.uint()?, head: *decoder.fixed()? })
    }

    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.array(2).uint(self.count).bytes(&self.head);
    }
}

/// An agent's own line in a conversation: what its next envelope there begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub(crate) context: ContextId,
    pub(crate) parties: Vec<AgentId>,
    pub(crate) stand: Stand,
}

impl Line {
    /// Returns the conversation.
    pub fn conversation(&self) -> ConversationId {
        header::conversation(&self.context, self.parties.iter().copied())
    }

    /// Returns where the line stands.
    pub const fn stand(&self) -> Stand {
        self.stand
    }
}

/// How an envelope fits what this agent holds of its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It follows the sender's last envelope, or begins the sender's line.
    Continues,
    /// Something that it builds on never arrived here.
    Gap {
        /// What is missing.
        missing: Missing,
    },
    /// The sender has built on the same point before: two histories by one author.
    Fork {
        /// The other envelope.
        other: HeaderDigest,
    },
    /// The sender, who was a party there, has gone on from another conversation, with other parties.
    Branch {
        /// The conversation that it left.
        from: ConversationId,
    },
    /// The sender brings a history that this agent does not hold, or was no party to. Nothing older is attached.
    Joined,
}

/// What an envelope builds on that is not held here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The sender's envelopes up to this point of its line.
    Base(Stand),
    /// The envelope that is answered.
    Answered(HopId),
}

/// What an agent remembers of its conversations: bounded, and a value that can be stored.
///
/// A conversation is known by its context *and* its parties. An envelope among other parties is in another
/// conversation; it can neither continue nor block this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    capacity: usize,
    history: usize,
    /// Counts what was recorded, to find the conversation that was quiet for longest.
    ticks: u64,
    known: BTreeMap<ConversationId, Known>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// Whom the conversation takes room from: the principal that began it here, or nobody once this agent has spoken in it.
    room_of: Option<Digest>,
    parties: Vec<AgentId>,
    last_used: u64,
    lines: BTreeMap<AgentId, VecDeque<Step>>,
}

/// One envelope of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    base: Option<Stand>,
    after: Stand,
    envelope: HeaderDigest,
    origin: HopId,
}

/// What an envelope says about its place in a conversation.
pub(crate) struct Entry<'e> {
    /// Whom the envelope counts for in a replay window; `None` for this agent's own.
    pub(crate) principal: Option<Digest>,
    pub(crate) conversation: ConversationId,
    pub(crate) parties: &'e [AgentId],
    pub(crate) from: AgentId,
    pub(crate) base: Option<Stand>,
    pub(crate) answers: Option<HopId>,
    pub(crate) after: Stand,
    pub(crate) envelope: HeaderDigest,
    pub(crate) origin: HopId,
}

impl Conversations {
    /// Remembers up to `capacity` conversations and the last `history` envelopes of each party's line, at some 250 bytes an
    /// envelope. When there are more, the principal that has begun most of them loses the one that was quiet for longest, so
    /// that nobody makes an agent forget what it talks about with others, least of all where it has spoken itself. Should a
    /// forgotten conversation go on, its next envelope shows as [`Standing::Joined`] or a [`Standing::Gap`], never as in
    /// order.
    pub const fn new(capacity: usize, history: usize) -> Self {
        Self { capacity, history, ticks: 0, known: BTreeMap::new() }
    }

    /// Records an envelope that this agent sent, so that answers to it are recognised.
    pub fn record_sent(&mut self, sent: &Sent) {
        self.advance(&sent.entry());
    }

    /// Returns this agent's own line in a conversation, to go on with.
    pub fn line(
        &self,
        conversation: &ConversationId,
        context: ContextId,
        agent: &AgentId,
    ) -> Option<Line> {
        let known = self.known.get(conversation)?;
        let stand = known.lines.get(agent)?.back()?.after;
        Some(Line { context, parties: known.parties.clone(), stand })
    }

    /// Records an envelope and says how it fits. An envelope that was recorded before changes nothing.
    pub(crate) fn advance(&mut self, entry: &Entry<'_>) -> Standing {
        let standing = self.standing(entry);
        self.record(entry);
        standing
    }

    fn standing(&self, entry: &Entry<'_>) -> Standing {
        let line =
            self.known.get(&entry.conversation).and_then(|known| known.lines.get(&entry.from));
        if let Some(other) = line
            .into_iter()
            .flatten()
            .find(|step| step.base == entry.base && step.envelope != entry.envelope)
        {
            return Standing::Fork { other: other.envelope };
        }
        if let Some(base) = entry.base
            && !line.into_iter().flatten().any(|step| step.after == base)
        {
            if line.is_some() {
                return Standing::Gap { missing: Missing::Base(base) };
            }
            let from = self.branches_from(entry, &base);
            return from.map_or(Standing::Joined, |from| Standing::Branch { from });
        }
        match entry.answers {
            Some(origin) if !self.holds(&origin) => {
                Standing::Gap { missing: Missing::Answered(origin) }
            }
            _ => Standing::Continues,
        }
    }

    /// Only an old party brings in a new one: the sender must have been a party where its base comes from.
    fn branches_from(&self, entry: &Entry<'_>, base: &Stand) -> Option<ConversationId> {
        self.known
            .iter()
            .filter(|(_, known)| known.parties.binary_search(&entry.from).is_ok())
            .find(|(_, known)| known.lines.values().flatten().any(|step| step.after == *base))
            .map(|(id, _)| *id)
    }

    fn holds(&self, origin: &HopId) -> bool {
        self.known
            .values()
            .flat_map(|known| known.lines.values().flatten())
            .any(|step| step.origin == *origin)
    }

    fn record(&mut self, entry: &Entry<'_>) {
        if self.capacity == 0 || self.history == 0 {
            return;
        }
        if !self.known.contains_key(&entry.conversation) && self.known.len() >= self.capacity {
            self.make_room(entry.principal);
        }
        self.ticks = self.ticks.saturating_add(1);
        let known = self.known.entry(entry.conversation).or_insert_with(|| Known {
            room_of: entry.principal,
            parties: entry.parties.to_vec(),
            last_used: 0,
            lines: BTreeMap::new(),
        });
        known.last_used = self.ticks;
        known.room_of = known.room_of.and(entry.principal);
        let line = known.lines.entry(entry.from).or_default();
        if line.iter().any(|step| step.envelope == entry.envelope) {
            return;
        }
        if line.len() >= self.history {
            line.pop_front();
        }
        line.push_back(Step {
            base: entry.base,
            after: entry.after,
            envelope: entry.envelope,
            origin: entry.origin,
        });
    }

    /// Forgets the quietest conversation of the principal that has most, counting the one to come, and one of this agent's
    /// own only if all are.
    fn make_room(&mut self, newcomer: Option<Digest>) {
        let mut rooms = BTreeMap::<Digest, usize>::new();
        let others = self.known.values().filter_map(|known| known.room_of);
        for principal in others.chain(newcomer) {
            *rooms.entry(principal).or_default() += 1;
        }
        let known = self.known.values().filter_map(|known| known.room_of);
        let most = known.filter_map(|principal| rooms.get(&principal)).max();
        let quietest = self
            .known
            .iter()
            .filter(|(_, known)| known.room_of.and_then(|principal| rooms.get(&principal)) == most)
            .min_by_key(|(_, known)| known.last_used);
        if let Some(id) = quietest.map(|(id, _)| *id) {
            self.known.remove(&id);
        }
    }

    /// Writes the whole state, for storage.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        self.encode(&mut out);
        out.finish()
    }

    /// Reads what [`Conversations::to_bytes`] wrote.
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

    /// Returns the length of every line.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> impl Iterator<Item = usize> {
        self.known.values().flat_map(|known| known.lines.values().map(VecDeque::len))
    }

    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.array(5).text(STATE).count(self.capacity).count(self.history).uint(self.ticks);
        out.array(self.known.len());
        for (id, known) in &self.known {
            out.array(5).bytes(id.as_bytes()).uint(known.last_used);
            match &known.room_of {
                Some(principal) => out.bytes(principal.as_bytes()),
                None => out.null(),
            };
            out.array(known.parties.len());
            for party in &known.parties {
                out.bytes(party.as_bytes());
            }
            out.array(known.lines.len());
            for (agent, line) in &known.lines {
                out.array(2).bytes(agent.as_bytes()).array(line.len());
                for step in line {
                    out.array(4);
                    match &step.base {
                        Some(base) => base.encode(out),
                        None => {
                            out.null();
                        }
                    }
                    step.after.encode(out);
                    out.bytes(step.envelope.as_bytes()).bytes(step.origin.as_bytes());
                }
            }
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array_of(5)?;
        expect_label(decoder, STATE)?;
        let capacity = count(decoder)?;
        let history = count(decoder)?;
        let ticks = decoder.uint()?;
        let offset = decoder.offset();
        let conversations = decoder.array()?;
        let bad = |reason| Error::BadState { offset, reason };
        let mut known = BTreeMap::new();
        let mut last = None;
        for _ in 0..conversations {
            decoder.array_of(5)?;
            let id = ConversationId(*decoder.fixed()?);
            ascending(&mut last, id, offset)?;
            let last_used = decoder.uint()?;
            let room_of = if decoder.null() { None } else { Some(Digest(*decoder.fixed()?)) };
            let mut parties = Vec::new();
            let members = decoder.array()?;
            decoder.set(members, agent_id, |party| parties.push(party))?;
            let mut lines = BTreeMap::new();
            let mut last = None;
            for _ in 0..decoder.array()? {
                decoder.array_of(2)?;
                let agent = agent_id(decoder)?;
                ascending(&mut last, agent, offset)?;
                let steps = decoder.array()?;
                let line = (0..steps)
                    .map(|_| Step::decode(decoder))
                    .collect::<Result<VecDeque<_>, _>>()?;
                if line.len() > history || parties.binary_search(&agent).is_err() {
                    return Err(bad("a line is too long or of no party"));
                }
                lines.insert(agent, line);
            }
            if last_used > ticks {
                return Err(bad("a conversation was used later than anything was recorded"));
            }
            known.insert(id, Known { room_of, parties, last_used, lines });
        }
        if conversations > capacity {
            return Err(bad("there are more conversations than it may hold"));
        }
        Ok(Self { capacity, history, ticks, known })
    }
}

impl Step {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array_of(4)?;
        let base = if decoder.null() { None } else { Some(Stand::decode(decoder)?) };
        let after = Stand::decode(decoder)?;
        let envelope = HeaderDigest(*decoder.fixed()?);
        let origin = HopId(*decoder.fixed()?);
        Ok(Self { base, after, envelope, origin })
    }
}

const STATE: &str = "agent-envelope/1/state/conversations";

/// Reads the label that says what a stored state is.
pub(crate) fn expect_label(decoder: &mut Decoder<'_>, label: &'static str) -> Result<(), Error> {
    let offset = decoder.offset();
    if decoder.text()? == label {
        Ok(())
    } else {
        Err(Error::WrongConstant { offset, expected: label })
    }
}

/// Reads a number of things.
pub(crate) fn count(decoder: &mut Decoder<'_>) -> Result<usize, Error> {
    let offset = decoder.offset();
    usize::try_from(decoder.uint()?)
        .map_err(|_| Error::BadState { offset, reason: "a number is too large for this machine" })
}

/// Checks that what a state lists by id comes in ascending order, so that it reads as one state only.
pub(crate) fn ascending<T: Copy + Ord>(
    last: &mut Option<T>,
    id: T,
    offset: usize,
) -> Result<(), Error> {
    if last.replace(id).is_some_and(|last| last >= id) {
        return Err(Error::BadState {
            offset,
            reason: "something is listed twice or out of order",
        });
    }
    Ok(())
}
