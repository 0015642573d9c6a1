//! The header: what the originator fixes for the whole way. SPEC §7.3.

use alloc::vec::Vec;

use crate::budget::Terms;
use crate::cbor::{Decoder, Encoder, Fault};
use crate::context::Stand;
use crate::digest::{ContextId, ConversationId, EnvelopeId, HeaderDigest, HopId, Use, hash};
use crate::identity::{AgentId, agent_id};
use crate::limits::{LABEL_KEY, LABEL_VALUE, is_printable, within};
use crate::{Error, Limits, Timestamp};

/// Bytes that an agent id takes in an array: head and key.
const ENCODED_AGENT: usize = 34;

/// The header of an envelope.
///
/// ```cddl
/// header = { 1: id bstr .size 16, 2: context bstr .size 16, 3: from agent-id, 4: to [+ agent-id],
///            5: created uint, 6: expires uint, ? 7: base [count uint, head bstr .size 32],
///            ? 8: in-reply-to [origin bstr .size 32, ? tip bstr .size 32], ? 9: terms,
///            ? 10: labels { + tstr => tstr }, ? 11: via [+ agent-id] }
/// ```
#[derive(Clone, Debug)]
pub struct Header<'a> {
    pub(crate) id: EnvelopeId,
    pub(crate) context: ContextId,
    pub(crate) from: AgentId,
    pub(crate) to: Agents<'a>,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) base: Option<Stand>,
    pub(crate) in_reply_to: Option<InReplyTo>,
    pub(crate) terms: Option<Terms>,
    pub(crate) labels: Labels<'a>,
    pub(crate) via: Agents<'a>,
}

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InReplyTo {
    pub(crate) origin: HopId,
    pub(crate) tip: Option<HopId>,
}

impl InReplyTo {
    /// Returns the origin id of the envelope that is answered.
    pub const fn origin(&self) -> HopId {
        self.origin
    }

    /// Returns the id of the last hop that the replier saw, if there was more than hop 0.
    pub const fn tip(&self) -> Option<HopId> {
        self.tip
    }
}

impl<'a> Header<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>, limits: &Limits) -> Result<Self, Fault> {
        let mut map = decoder.map("header")?;
        let id = EnvelopeId(*map.required(1)?.fixed()?);
        let context = ContextId(*map.required(2)?.fixed()?);
        let from = map.required(3).and_then(agent_id)?;
        let to = Agents::decode_set(map.required(4)?, limits, "recipients")?;
        let created = Timestamp::from_unix_seconds(map.required(5)?.uint()?);
        let expires = Timestamp::from_unix_seconds(map.required(6)?.uint()?);
        let base = map.optional(7)?.map(Stand::decode).transpose()?;
        let in_reply_to = map.optional(8)?.map(in_reply_to).transpose()?;
        let terms = map.optional(9)?.map(Terms::decode).transpose()?;
        let labels = match map.optional(10)? {
            Some(value) => Labels::decode(value, limits)?,
            None => Labels::default(),
        };
        let via = match map.optional(11)? {
            Some(value) => Agents::decode_list(value, limits, "agents in via")?,
            None => Agents::default(),
        };
        map.end()?;
        Ok(Self { id, context, from, to, created, expires, base, in_reply_to, terms, labels, via })
    }

    /// Returns the random id that the originator gave this envelope.
    pub const fn id(&self) -> EnvelopeId {
        self.id
    }

    /// Returns the context that this envelope belongs to.
    pub const fn context(&self) -> ContextId {
        self.context
    }

    /// Returns the originator.
    pub const fn from(&self) -> AgentId {
        self.from
    }

    /// Returns the agents for whom the envelope is.
    pub const fn to(&self) -> Agents<'a> {
        self.to
    }

    /// Returns the agents through whom it must go, in this order; none if the path is open.
    pub const fn via(&self) -> Agents<'a> {
        self.via
    }

    /// Returns when the envelope was made.
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Returns the second from which on it is refused.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns where the sender's line stood before this envelope; `None` in its first.
    pub const fn base(&self) -> Option<Stand> {
        self.base
    }

    /// Returns what this envelope answers.
    pub const fn in_reply_to(&self) -> Option<InReplyTo> {
        self.in_reply_to
    }

    /// Returns the terms that the originator declares.
    pub const fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Returns the signed clear labels that routers route on.
    pub const fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// Returns the id of the conversation: the context together with its parties.
    pub fn conversation(&self) -> ConversationId {
        conversation(&self.context, self.each_party())
    }

    /// Returns the parties, sender and recipients, in ascending order.
    pub fn parties(&self) -> Vec<AgentId> {
        self.each_party().collect()
    }

    /// Goes through the parties: recipients are ascending, and the sender may be one of them.
    fn each_party(&self) -> impl Iterator<Item = AgentId> + Clone {
        let (from, to) = (self.from, self.to);
        let before = to.iter().take_while(move |party| *party < from);
        let after = to.iter().skip_while(move |party| *party <= from);
        before.chain([from]).chain(after)
    }
}

/// Names a conversation: other parties are another conversation, which can neither continue nor block this one.
pub(crate) fn conversation(
    context: &ContextId,
    parties: impl Iterator<Item = AgentId> + Clone,
) -> ConversationId {
    ConversationId(
        hash(Use::Conversation, 2, |fields| {
            fields.bytes(context.as_bytes()).array(parties.clone().count());
            for party in parties {
                fields.bytes(party.as_bytes());
            }
        })
        .0,
    )
}

/// `g`: everything in an envelope is bound to it.
pub(crate) fn digest(header: &[u8]) -> HeaderDigest {
    HeaderDigest(
        hash(Use::Envelope, 1, |fields| {
            fields.bytes(header);
        })
        .0,
    )
}

fn in_reply_to(decoder: &mut Decoder<'_>) -> Result<InReplyTo, Error> {
    let offset = decoder.offset();
    let items = decoder.array()?;
    if !(1..=2).contains(&items) {
        return Err(Error::WrongCount { offset, expected: 2, found: items });
    }
    let origin = HopId(*decoder.fixed()?);
    let tip = if items == 2 { Some(HopId(*decoder.fixed()?)) } else { None };
    Ok(InReplyTo { origin, tip })
}

/// What goes into a header.
pub(crate) struct HeaderFields<'f> {
    pub(crate) id: EnvelopeId,
    pub(crate) context: ContextId,
    pub(crate) from: AgentId,
    pub(crate) to: &'f [AgentId],
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) base: Option<Stand>,
    pub(crate) in_reply_to: Option<InReplyTo>,
    pub(crate) terms: Option<&'f Terms>,
    /// In ascending order of their encoded keys.
    pub(crate) labels: &'f [(&'f str, &'f str)],
    pub(crate) via: &'f [AgentId],
}

impl HeaderFields<'_> {
    /// Writes a header: the counterpart of [`Header::decode`].
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        out.map(
            6 + usize::from(self.base.is_some())
                + usize::from(self.in_reply_to.is_some())
                + usize::from(self.terms.is_some())
                + usize::from(!self.labels.is_empty())
                + usize::from(!self.via.is_empty()),
        );
        out.uint(1).bytes(self.id.as_bytes());
        out.uint(2).bytes(self.context.as_bytes());
        out.uint(3).bytes(self.from.as_bytes());
        out.uint(4);
        encode_agents(&mut out, self.to);
        out.uint(5).uint(self.created.as_unix_seconds());
        out.uint(6).uint(self.expires.as_unix_seconds());
        if let Some(base) = &self.base {
            out.uint(7);
            base.encode(&mut out);
        }
        if let Some(reply) = &self.in_reply_to {
            out.uint(8).array(1 + usize::from(reply.tip.is_some()));
            out.bytes(reply.origin.as_bytes());
            if let Some(tip) = &reply.tip {
                out.bytes(tip.as_bytes());
            }
        }
        if let Some(terms) = self.terms {
            out.uint(9);
            terms.encode(&mut out);
        }
        if !self.labels.is_empty() {
            out.uint(10).map(self.labels.len());
            for (key, value) in self.labels {
                out.text(key).text(value);
            }
        }
        if !self.via.is_empty() {
            out.uint(11);
            encode_agents(&mut out, self.via);
        }
        out.finish()
    }
}

pub(crate) fn encode_agents(out: &mut Encoder, agents: &[AgentId]) {
    out.array(agents.len());
    for agent in agents {
        out.bytes(agent.as_bytes());
    }
}

/// Agent ids in an envelope, read where they stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agents<'a> {
    encoded: &'a [u8],
}

impl<'a> Agents<'a> {
    /// Reads a set: ascending, not empty.
    pub(crate) fn decode_set(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        what: &'static str,
    ) -> Result<Self, Fault> {
        Self::decode(decoder, limits, what, |decoder, count| decoder.set(count, agent_id, |_| {}))
    }

    /// Reads a list: in the order given, not empty.
    fn decode_list(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        what: &'static str,
    ) -> Result<Self, Fault> {
        Self::decode(decoder, limits, what, |decoder, count| {
            (0..count).try_for_each(|_| agent_id(decoder).map(|_| ()))
        })
    }

    fn decode(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        what: &'static str,
        read: impl FnOnce(&mut Decoder<'a>, usize) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let count = decoder.array_nonempty(what)?;
        within(limits.agents, count, what)?;
        let start = decoder.offset();
        read(decoder, count)?;
        Ok(Self { encoded: decoder.since(start) })
    }

    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.encoded.len() / ENCODED_AGENT
    }

    /// Tells whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Goes through them in their order.
    pub fn iter(&self) -> impl Iterator<Item = AgentId> + Clone + use<'a> {
        self.encoded
            .chunks_exact(ENCODED_AGENT)
            .filter_map(|one| Some(AgentId::checked(*one.last_chunk()?)))
    }

    /// Returns the one at this position.
    pub fn get(&self, index: usize) -> Option<AgentId> {
        self.iter().nth(index)
    }

    /// Tells whether this agent is among them.
    pub fn contains(&self, agent: &AgentId) -> bool {
        self.encoded.chunks_exact(ENCODED_AGENT).any(|one| one[2..] == *agent.as_bytes())
    }
}

/// Signed clear labels, read where they stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    encoded: &'a [u8],
}

impl<'a> Labels<'a> {
    fn decode(decoder: &mut Decoder<'a>, limits: &Limits) -> Result<Self, Error> {
        let offset = decoder.offset();
        let count = decoder.pairs()?;
        if count == 0 {
            return Err(Error::Empty { offset, what: "map of labels" });
        }
        within(limits.labels, count, "labels")?;
        let start = decoder.offset();
        let mut last: Option<&[u8]> = None;
        for _ in 0..count {
            let offset = decoder.offset();
            let key = decoder.text()?;
            let encoded = decoder.since(offset);
            match last.map(|last| last.cmp(encoded)) {
                Some(core::cmp::Ordering::Equal) => return Err(Error::DuplicateKey { offset }),
                Some(core::cmp::Ordering::Greater) => return Err(Error::UnsortedKey { offset }),
                _ => last = Some(encoded),
            }
            if key.is_empty() || key.len() > LABEL_KEY || !is_printable(key) {
                return Err(Error::InvalidValue {
                    offset,
                    expected: "a label key of 1 to 64 bytes without control characters",
                });
            }
            let offset = decoder.offset();
            let value = decoder.text()?;
            if value.len() > LABEL_VALUE || !is_printable(value) {
                return Err(Error::InvalidValue {
                    offset,
                    expected: "a label value of 256 bytes at most without control characters",
                });
            }
        }
        Ok(Self { encoded: decoder.since(start) })
    }

    /// Goes through keys and values, shorter keys first.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut decoder = Decoder::new(self.encoded);
        core::iter::from_fn(move || decoder.again(|label| Ok((label.text()?, label.text()?))))
    }

    /// Returns the value of the label with this key.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Tells whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }
}
