//! Chains as they arrive, and what they are worth. SPEC §6.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::link::{Link, parent};
use super::narrow::{At, Running, field, narrow, under_anchor};
use super::{Authority, ChainStatus, Revocations, Step, TrustAnchor, TrustAnchors};
use crate::cbor::Decoder;
use crate::digest::{ConversationId, Digest, Use, hash};
use crate::identity::AgentId;
use crate::limits::within;
use crate::signature::Check;
use crate::statement::StatementKind;
use crate::time::Clock;
use crate::{Error, Limits};

/// A chain as received: form, narrowing over its own links and distinct holders are checked, signatures are not.
#[derive(Clone, Debug)]
pub(crate) struct Chain<'a> {
    /// Root first, never empty.
    pub(crate) links: Vec<Link<'a>>,
    bytes: &'a [u8],
}

/// As many links as a chain has by the default limits: room is made for these before any is read, and up to here each is
/// compared with each other.
const USUAL: usize = 16;

/// What a chain is judged by.
pub(crate) struct Judge<'v> {
    pub(crate) anchors: &'v TrustAnchors,
    pub(crate) revocations: &'v Revocations,
    pub(crate) clock: Clock,
    /// The reader's audience name; `None` for roles that ignore audiences.
    pub(crate) audience: Audience<'v>,
    pub(crate) conversation: ConversationId,
}

/// How the audience of a chain is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience<'v> {
    /// Observers and relays: the chain is not made out to them anyway.
    Ignored,
    /// A reader known by this name, or by none.
    Reader(Option<&'v str>),
}

impl<'a> Chain<'a> {
    /// Reads `[+ link]` and refuses what widens over its own links, whatever the anchors are.
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        limits: &Limits,
        element: Option<usize>,
    ) -> Result<Self, Error> {
        let start = decoder.offset();
        let count = decoder.array_nonempty("delegation chain")?;
        within(limits.links, count, "links of a delegation chain")?;
        // Where nothing limits it, the count is but a claim.
        let mut links: Vec<Link<'a>> = Vec::with_capacity(count.min(USUAL));
        for link in 0..count {
            let link = Link::decode(decoder, links.last(), At { element, link })?;
            links.push(link);
        }
        let chain = Self { links, bytes: decoder.since(start) };
        chain.check_holders(element)?;
        chain.effective(element)?;
        Ok(chain)
    }

    /// A holder appears once: neither again, nor as the root, nor as the signer that grants to itself.
    fn check_holders(&self, element: Option<usize>) -> Result<(), Error> {
        let holders = self.links.iter().map(|link| &link.claims.holder);
        match first_repeated(&self.root(), holders) {
            Some((link, holder)) => Err(Error::HolderRepeated { element, link, holder: *holder }),
            None => Ok(()),
        }
    }

    /// Folds the chain from what its root says.
    pub(crate) fn effective(&self, element: Option<usize>) -> Result<Running<'a>, Error> {
        let (root, others) = self.links.split_first().expect("a chain has a root");
        let running = Running::of_root(&root.claims).expect("a root states scope and depth");
        fold(running, others, element)
    }

    /// Returns the agent that the chain ends in.
    pub(crate) fn holder(&self) -> AgentId {
        self.links.last().expect("a chain has a root").claims.holder
    }

    /// Returns the key that began the chain.
    pub(crate) fn root(&self) -> AgentId {
        self.links[0].signer
    }

    /// Returns the encoded chain.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns whom the chain represents.
    pub(crate) fn subject(&self) -> &'a str {
        self.links[0].claims.root.map_or("", |root| root.subject)
    }

    /// Names the whole chain, signatures included, for a cache.
    pub(crate) fn digest(&self) -> Digest {
        hash(Use::Chain, 1, |fields| {
            fields.bytes(self.bytes);
        })
    }

    /// Prepares the signature of every link.
    pub(crate) fn checks(
        &self,
        element: Option<usize>,
    ) -> impl Iterator<Item = Result<Check, Error>> + '_ {
        self.links.iter().enumerate().map(move |(index, link)| {
            let above = index.checked_sub(1).map(|above| &self.links[above].id);
            link.statement
                .bind(StatementKind::Link, parent(above))
                .check(&link.signer)
                .map_err(|_| self.signature_error(element, index))
        })
    }

    pub(crate) fn signature_error(&self, element: Option<usize>, link: usize) -> Error {
        Error::LinkSignature { element, link, signer: self.links[link].signer }
    }

    /// Says what the chain is worth if its signatures hold, and what authority it gives if it counts.
    pub(crate) fn judge(&self, judge: &Judge<'_>) -> Result<Authority<'a>, ChainStatus> {
        let root = self.root();
        let anchor = judge.anchors.find(&root).ok_or(ChainStatus::UnknownRoot { root })?;
        let effective = self.under(anchor)?;
        self.not_revoked(judge.revocations)?;
        let (now, not_before, expires) =
            (judge.clock.now(), effective.not_before, effective.expires);
        if judge.clock.is_before(not_before) {
            return Err(ChainStatus::NotYetValid { not_before, now });
        }
        if judge.clock.is_past(expires) {
            return Err(ChainStatus::Expired { expires, now });
        }
        if let (Audience::Reader(name), Some(audience)) = (judge.audience, effective.audience)
            && name != Some(audience)
        {
            return Err(ChainStatus::NotForMe);
        }
        if effective.conversation.is_some_and(|only| only != judge.conversation) {
            return Err(ChainStatus::OtherConversation);
        }
        let path = self.links.iter().map(Step::of).collect();
        Ok(Authority::delegated(Arc::clone(anchor), self.subject(), path, effective))
    }

    fn under(&self, anchor: &TrustAnchor) -> Result<Running<'a>, ChainStatus> {
        let (root, others) = self.links.split_first().expect("a chain has a root");
        let running = under_anchor(anchor, &root.claims)
            .map_err(|what| ChainStatus::BeyondAnchor { link: 0, what })?;
        fold(running, others, None).map_err(|error| ChainStatus::BeyondAnchor {
            link: match error.place() {
                crate::Place::Link { link, .. } => link,
                _ => 0,
            },
            what: field(&error),
        })
    }

    fn not_revoked(&self, revocations: &Revocations) -> Result<(), ChainStatus> {
        if revocations.has_key(&self.root()) {
            return Err(ChainStatus::Revoked { link: None });
        }
        match self.links.iter().position(|link| revocations.has_link(link)) {
            Some(link) => Err(ChainStatus::Revoked { link: Some(link) }),
            None => Ok(()),
        }
    }
}

/// Finds the first holder that is the root or a holder before it. Each signs the link after its own, so these are all signers.
fn first_repeated<'h>(
    root: &'h AgentId,
    holders: impl ExactSizeIterator<Item = &'h AgentId> + Clone,
) -> Option<(usize, &'h AgentId)> {
    let mut numbered = holders.clone().enumerate();
    if holders.len() <= USUAL {
        // Sooner done than a set of them is made.
        let before = |link| [root].into_iter().chain(holders.clone().take(link));
        return numbered.find(|(link, holder)| before(*link).any(|other| other == *holder));
    }
    let mut known = BTreeSet::from([root]);
    numbered.find(|(_, holder)| !known.insert(*holder))
}

/// Narrows by every link below the root.
fn fold<'a>(
    running: Running<'a>,
    below_root: &[Link<'a>],
    element: Option<usize>,
) -> Result<Running<'a>, Error> {
    below_root.iter().zip(1..).try_fold(running, |running, (link, index)| {
        narrow(running, &link.claims, At { element, link: index })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, for all ways in which four agents can follow each other: alone, and after so many others that few
    /// become many.
    #[test]
    fn the_first_holder_that_repeats_is_found() {
        let agent = |number: usize| AgentId::checked([u8::try_from(number).expect("small"); 32]);
        for others in [0, USUAL - 5, USUAL - 4, USUAL] {
            for path in 0..4_usize.pow(6) {
                let followers = (0..6).map(|place| agent(path / 4_usize.pow(place) % 4));
                let path: Vec<_> = (10..10 + others).map(agent).chain(followers).collect();
                let (root, holders) = path.split_first().expect("six agents");
                let repeats = |link: &usize| path[..=*link].contains(&holders[*link]);
                let expected = (0..holders.len()).find(repeats).map(|link| (link, &holders[link]));
                assert_eq!(first_repeated(root, holders.iter()), expected);
            }
        }
    }
}
