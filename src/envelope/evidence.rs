//! Evidence that an originator signed twice under one header. SPEC §10.3.

use alloc::vec::Vec;

use super::header;
use super::hop::before_hop_0;
use super::verified::{Role, Verified};
use crate::cbor::{Decoder, Encoder};
use crate::digest::{HeaderDigest, HopId};
use crate::identity::AgentId;
use crate::limits::within;
use crate::{Error, Limits};

/// Two hop 0 over one header: its originator told different readers different things in one name.
///
/// Nothing else accuses anybody: another `next` is a new envelope with a new id, a draft is consumed by signing, and two
/// continuations by later hops may be honest fan-out. Anybody can recompute the verdict with [`OriginFork::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginFork {
    header: Vec<u8>,
    /// The two statements, in ascending order of their ids.
    hops: [Vec<u8>; 2],
    culprit: AgentId,
    ids: [HopId; 2],
}

impl OriginFork {
    pub(crate) fn between<R: Role, S: Role>(
        one: &Verified<'_, R>,
        other: &Verified<'_, S>,
    ) -> Option<Self> {
        let mut pair =
            [(one.origin(), &one.envelope.hops[0]), (other.origin(), &other.envelope.hops[0])];
        if one.digest() != other.digest() || pair[0].0 == pair[1].0 {
            return None;
        }
        pair.sort_by_key(|(id, _)| *id);
        Some(Self {
            header: one.envelope.encoded_header.to_vec(),
            hops: pair.map(|(_, hop)| hop.encoded.to_vec()),
            culprit: one.envelope.header.from,
            ids: pair.map(|(id, _)| id),
        })
    }

    /// Returns who signed both.
    pub const fn culprit(&self) -> AgentId {
        self.culprit
    }

    /// Returns the origin ids of the two.
    pub const fn ids(&self) -> [HopId; 2] {
        self.ids
    }

    /// Writes the evidence, to hand on.
    ///
    /// ```cddl
    /// origin-fork = [ "agent-envelope/1/origin-fork", header: bstr .cbor header, hop-statement, hop-statement ]
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(4).text(LABEL).bytes(&self.header);
        out.raw(&self.hops[0]).raw(&self.hops[1]);
        out.finish()
    }

    /// Checks evidence that came from somebody else: both hops are over this header, differ, and bear its originator's
    /// signature.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] and encoding errors; [`Error::HopSignature`] with index 0 or 1 for the statement that is not by the originator;
    /// [`Error::DuplicateMember`] or [`Error::UnsortedSet`] if the two are not different and in order.
    pub fn verify(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        within(limits.bytes, bytes.len(), "bytes")?;
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4)?;
        crate::context::expect_label(&mut decoder, LABEL)?;
        let (mut inner, encoded_header) = decoder.embedded()?;
        let header = header::Header::decode(&mut inner, limits)?;
        inner.finish()?;
        let digest: HeaderDigest = header::digest(encoded_header);
        let mut hops = [const { Vec::new() }; 2];
        let mut ids = [HopId([0; 32]); 2];
        let signer = header.from;
        let mut second = 0;
        for index in 0..2 {
            let start = decoder.offset();
            let raw = super::hop::RawHop::decode(&mut decoder, 0, &header, limits)?;
            let bound = raw.bind(before_hop_0(&digest));
            bound
                .check(&signer)
                .and_then(|check| check.verify())
                .map_err(|_| Error::HopSignature { hop: index, signer })?;
            hops[index] = decoder.since(start).to_vec();
            ids[index] = HopId(bound.id().0);
            second = start;
        }
        decoder.finish()?;
        match ids[0].cmp(&ids[1]) {
            core::cmp::Ordering::Equal => Err(Error::DuplicateMember { offset: second }),
            core::cmp::Ordering::Greater => Err(Error::UnsortedSet { offset: second }),
            core::cmp::Ordering::Less => {
                Ok(Self { header: encoded_header.to_vec(), hops, culprit: signer, ids })
            }
        }
    }
}

const LABEL: &str = "agent-envelope/1/origin-fork";
