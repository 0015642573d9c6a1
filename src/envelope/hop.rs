//! A hop: who acts, who may act next, and what the envelope holds when it leaves. SPEC §7.4.

use alloc::vec::Vec;

use super::header::{Agents, Header, encode_agents};
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{HeaderDigest, HopId};
use crate::identity::{AgentId, SigningKey, agent_id};
use crate::limits::within;
use crate::statement::{Bound, Parent, Statement, StatementKind, sign};
use crate::{Error, Limits, Timestamp};

/// A hop as received: its form is checked.
///
/// ```cddl
/// hop = { ? 1: signer agent-id, 2: next [+ agent-id], ? 3: at uint, 4: count uint, 5: head bstr .size 32,
///         ? 6: absent [+ uint] }                     ; 1 and 3 required except in hop 0, and forbidden there
/// ```
#[derive(Clone, Debug)]
pub(crate) struct RawHop<'a> {
    pub(crate) encoded: &'a [u8],
    pub(crate) statement: Statement<'a>,
    pub(crate) signer: AgentId,
    pub(crate) at: Timestamp,
    pub(crate) next: Agents<'a>,
    pub(crate) count: u64,
    pub(crate) head: &'a [u8; 32],
    pub(crate) absent: Absences<'a>,
}

impl<'a> RawHop<'a> {
    /// Reads the hop with this index.
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        index: usize,
        header: &Header<'a>,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let start = decoder.offset();
        let statement = Statement::decode(decoder)?;
        let encoded = decoder.since(start);
        let mut payload = statement.payload();
        let mut map = payload.map("hop")?;
        let signer = map.optional(1)?.map(agent_id).transpose()?;
        let next = Agents::decode_set(map.required(2)?, limits, "agents in next")?;
        let at = map.optional(3)?.map(Decoder::uint).transpose()?;
        let count = map.required(4)?.uint()?;
        let head = map.required(5)?.fixed()?;
        let absent = match map.optional(6)? {
            Some(value) => Absences::decode(value)?,
            None => Absences::default(),
        };
        map.end()?;
        payload.finish()?;
        let (signer, at) = match (index, signer, at) {
            (0, None, None) => (header.from, header.created),
            (1.., Some(signer), Some(at)) => (signer, Timestamp::from_unix_seconds(at)),
            _ => return Err(Error::HopKeys { hop: index }.into()),
        };
        Ok(Self { encoded, statement, signer, at, next, count, head, absent })
    }

    /// Computes the hop's id; `prev` is the id of the hop before, or the header's digest.
    pub(crate) fn id(&self, prev: &[u8; 32]) -> HopId {
        HopId(self.bind(prev).id().0)
    }

    /// Binds the hop to what comes before it.
    pub(crate) fn bind(&self, prev: &[u8; 32]) -> Bound<'a> {
        self.statement.bind(StatementKind::Hop, Parent::Id(prev))
    }
}

/// The elements that a hop states to be absent, ascending.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Absences<'a> {
    encoded: &'a [u8],
}

impl<'a> Absences<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        let count = decoder.array_nonempty("set of absent elements")?;
        let start = decoder.offset();
        decoder.set(count, Decoder::uint, |_| {})?;
        Ok(Self { encoded: decoder.since(start) })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + use<'a> {
        let mut decoder = Decoder::new(self.encoded);
        core::iter::from_fn(move || decoder.again(Decoder::uint))
    }
}

/// What a new hop says.
pub(crate) struct HopFields<'f> {
    /// Signer and time; `None` in hop 0, where the header says them.
    pub(crate) later: Option<(AgentId, Timestamp)>,
    /// Ascending.
    pub(crate) next: &'f [AgentId],
    pub(crate) count: usize,
    pub(crate) head: &'f [u8; 32],
    /// Ascending.
    pub(crate) absent: &'f [usize],
}

impl HopFields<'_> {
    /// Signs the hop under `prev` and returns its bytes and id.
    pub(crate) fn sign(&self, key: &SigningKey, prev: &[u8; 32]) -> (Vec<u8>, HopId) {
        let mut out = Encoder::with_capacity(128 + 34 * self.next.len());
        let later = if self.later.is_some() { 2 } else { 0 };
        out.map(3 + later + usize::from(!self.absent.is_empty()));
        if let Some((signer, _)) = &self.later {
            out.uint(1).bytes(signer.as_bytes());
        }
        out.uint(2);
        encode_agents(&mut out, self.next);
        if let Some((_, at)) = self.later {
            out.uint(3).uint(at.as_unix_seconds());
        }
        out.uint(4).count(self.count);
        out.uint(5).bytes(self.head);
        if !self.absent.is_empty() {
            out.uint(6).array(self.absent.len());
            for index in self.absent {
                out.count(*index);
            }
        }
        let payload = out.finish();
        let (bytes, id) = sign(key.inner(), StatementKind::Hop, Parent::Id(prev), None, &payload);
        (bytes, HopId(id.0))
    }
}

/// What hop 0 is bound to.
pub(crate) const fn before_hop_0(header: &HeaderDigest) -> &[u8; 32] {
    header.as_bytes()
}

/// The fewest bytes of a hop: its signature, the id of one next agent, and the head.
const HOP: usize = 128;

/// Checks the number of hops before any is read.
pub(crate) fn hop_count(decoder: &mut Decoder<'_>, limits: &Limits) -> Result<usize, Fault> {
    let offset = decoder.offset();
    match within(limits.hops, decoder.items(HOP)?, "hops")? {
        0 => Err(Error::Empty { offset, what: "array of hops" }.into()),
        count => Ok(count),
    }
}
