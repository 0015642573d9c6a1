//! What an envelope claims, for tools that show or measure it. SPEC §9.2.
//!
//! Everything here is read from an envelope of the right form and nothing is verified. Whoever decides by what an
//! envelope says verifies it and reads [`Verified`](super::Verified).

use super::decoded::{Body, ControlBody, Envelope, RawElement};
use super::{Agents, Plaintext};
use crate::Timestamp;
use crate::budget::Terms;
use crate::context::{AnyKind, Kind};
use crate::delegation::{Chain, Link};
use crate::digest::{AudienceId, ConversationId, HopId, LinkId};
use crate::identity::{AgentId, Suite};
use crate::scope::Scope;

impl<'a> Envelope<'a> {
    /// Returns what the envelope claims about itself, element by element and hop by hop. Verification alone tells whether
    /// any of it is true.
    pub const fn outline(&self) -> Outline<'_> {
        Outline { envelope: self }
    }
}

/// What an envelope claims. Nothing of it is verified.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'e> {
    envelope: &'e Envelope<'e>,
}

impl<'e> Outline<'e> {
    /// Goes through all elements in their order, control data included.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = ElementClaim<'e>> + use<'e> {
        let envelope = self.envelope;
        (0..envelope.elements.len()).map(move |index| ElementClaim { envelope, index })
    }

    /// Goes through all hops from the originator's on.
    pub fn hops(&self) -> impl ExactSizeIterator<Item = HopClaim<'e>> + use<'e> {
        let envelope = self.envelope;
        // From hop to hop, so that the ids of all cost one hash each.
        let ids = envelope.hop_ids(envelope.digest()).enumerate();
        ids.map(move |(index, id)| HopClaim { envelope, id, index })
    }

    /// Returns how many bytes the header takes.
    pub const fn header_size(&self) -> usize {
        self.envelope.encoded_header.len()
    }
}

/// What a hop claims.
#[derive(Clone, Copy, Debug)]
pub struct HopClaim<'e> {
    envelope: &'e Envelope<'e>,
    id: HopId,
    index: usize,
}

impl<'e> HopClaim<'e> {
    /// Returns the hop's id, which names its content and not its signature.
    pub const fn id(&self) -> HopId {
        self.id
    }

    /// Returns the agent that would have signed.
    pub fn signer(&self) -> AgentId {
        self.envelope.hops[self.index].signer
    }

    /// Returns when, by the signer's clock.
    pub fn at(&self) -> Timestamp {
        self.envelope.hops[self.index].at
    }

    /// Returns who may act next.
    pub fn next(&self) -> Agents<'e> {
        self.envelope.hops[self.index].next
    }

    /// Returns how many elements the envelope held when the hop left.
    pub fn count(&self) -> usize {
        self.envelope.count_at(self.index)
    }

    /// Returns how many bytes the hop takes.
    pub fn size(&self) -> usize {
        self.envelope.hops[self.index].encoded.len()
    }
}

/// What an element claims.
#[derive(Clone, Copy, Debug)]
pub struct ElementClaim<'e> {
    envelope: &'e Envelope<'e>,
    index: usize,
}

impl<'e> ElementClaim<'e> {
    fn raw(&self) -> &'e RawElement<'e> {
        &self.envelope.elements[self.index]
    }

    /// Returns the element's index.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns the hop in whose range it stands.
    pub fn hop(&self) -> usize {
        self.raw().hop
    }

    /// Returns the signer of that hop, who is its author.
    pub fn author(&self) -> AgentId {
        self.envelope.author(self.raw())
    }

    /// Returns the kind of a content element; `None` for control data.
    pub fn kind(&self) -> Option<Kind> {
        match self.raw().record.kind {
            AnyKind::Content(kind) => Some(kind),
            AnyKind::Control(_) => None,
        }
    }

    /// Tells whether its author allows it to be left out.
    pub fn is_elidable(&self) -> bool {
        self.raw().record.elidable
    }

    /// Returns the hop that lists its body as absent, whether or not it is there.
    pub fn listed_absent_by(&self) -> Option<usize> {
        self.raw().absent_by
    }

    /// Returns to how many elements it refers.
    pub fn refs(&self) -> usize {
        self.raw().record.refs.iter().count()
    }

    /// Returns how many bytes its record and its body take.
    pub fn size(&self) -> usize {
        let raw = self.raw();
        raw.encoded_record.len() + raw.encoded_body.map_or(0, <[u8]>::len)
    }

    /// Returns what the body is.
    pub fn body(&self) -> BodyClaim<'e> {
        let raw = self.raw();
        match &raw.body {
            Body::None => BodyClaim::Absent,
            Body::Clear(plain) => BodyClaim::Clear(Plaintext::borrowed(*plain)),
            Body::Sealed(body) => BodyClaim::Sealed {
                audience: raw.record.sealed.map_or(0, |sealed| sealed.audience),
                plain_size: body.plain_size(),
            },
            Body::Control(at) => BodyClaim::of_control(&self.envelope.controls[*at].body),
        }
    }
}

/// What the body of an element is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BodyClaim<'e> {
    /// Content that was left out.
    Absent,
    /// Clear content.
    Clear(Plaintext<'e>),
    /// Sealed content.
    Sealed {
        /// The index of the audience element that it is sealed to.
        audience: usize,
        /// The size of the plaintext in bytes, salt and content type included.
        plain_size: usize,
    },
    /// A delegation chain of the element's author.
    Authority(ChainClaim<'e>),
    /// An audience: a secret, encrypted to its readers. It does not say who they are.
    Audience {
        /// Its id. Several with one id let readers into the same audience.
        id: AudienceId,
        /// How many readers this element lets in.
        readers: usize,
    },
    /// A key package of the originator.
    KeyPackage {
        /// Whose it is.
        agent: AgentId,
        /// Its suite.
        suite: Suite,
        /// The first second in which it may be used.
        not_before: Timestamp,
        /// The second from which on it may no longer be used.
        expires: Timestamp,
    },
    /// A budget that is handed down.
    Allotment {
        /// Who would pay.
        payer: AgentId,
        /// For whom it is.
        to: AgentId,
        /// What is granted in the end.
        terms: &'e Terms,
        /// How many signed entries lead from the payer to it.
        entries: usize,
    },
    /// Entries of a ledger.
    Report {
        /// How many.
        entries: usize,
    },
}

impl<'e> BodyClaim<'e> {
    fn of_control(body: &'e ControlBody<'e>) -> Self {
        match body {
            ControlBody::Authority(chain) => Self::Authority(ChainClaim { chain }),
            ControlBody::Audience(audience) => {
                Self::Audience { id: audience.id(), readers: audience.readers() }
            }
            ControlBody::KeyPackage(package) => Self::KeyPackage {
                agent: package.claims.agent,
                suite: package.claims.suite,
                not_before: package.claims.not_before,
                expires: package.claims.expires,
            },
            ControlBody::Allotment(lineage) => Self::Allotment {
                payer: lineage.root.claims.payer,
                to: lineage.holder(),
                terms: &lineage.terms,
                entries: 1 + lineage.splits.len(),
            },
            ControlBody::Report(entries) => Self::Report { entries: entries.len() },
        }
    }
}

/// What a delegation chain claims. No link widens what is above it: decoding has seen to that. Whether the signatures hold
/// and the root is trusted, it has not.
#[derive(Clone, Copy, Debug)]
pub struct ChainClaim<'e> {
    chain: &'e Chain<'e>,
}

impl<'e> ChainClaim<'e> {
    /// Returns the key that would have begun the chain.
    pub fn root(&self) -> AgentId {
        self.chain.root()
    }

    /// Returns the name that the root gives itself.
    pub fn issuer(&self) -> &'e str {
        self.chain.links[0].claims.root.map_or("", |root| root.issuer)
    }

    /// Returns whom the chain would represent.
    pub fn subject(&self) -> &'e str {
        self.chain.subject()
    }

    /// Goes through the links from the root's on.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkClaim<'e>> + use<'e> {
        self.chain.links.iter().map(|link| LinkClaim { link })
    }
}

/// What one link claims. What it does not say stays as it is above.
#[derive(Clone, Copy, Debug)]
pub struct LinkClaim<'e> {
    link: &'e Link<'e>,
}

impl<'e> LinkClaim<'e> {
    /// Returns the link's id, by which it can be revoked.
    pub const fn id(&self) -> LinkId {
        self.link.id
    }

    /// Returns the agent that would hold the authority from here on.
    pub const fn holder(&self) -> AgentId {
        self.link.claims.holder
    }

    /// Returns what the grantor calls the holder.
    pub const fn name(&self) -> Option<&'e str> {
        self.link.claims.name
    }

    /// Returns the scope that the link states.
    pub fn scope(&self) -> Option<Scope> {
        self.link.claims.scope.map(|scope| scope.to_scope())
    }

    /// Returns how many further links it states to be allowed below it.
    pub const fn depth(&self) -> Option<u64> {
        self.link.claims.depth
    }

    /// Returns its first second and the second at which it is over.
    pub const fn window(&self) -> (Timestamp, Timestamp) {
        (self.link.claims.not_before, self.link.claims.expires)
    }

    /// Returns the audience that it states.
    pub const fn audience(&self) -> Option<&'e str> {
        self.link.claims.audience
    }

    /// Returns the only conversation in which it says it counts.
    pub const fn conversation(&self) -> Option<ConversationId> {
        self.link.claims.conversation
    }
}
