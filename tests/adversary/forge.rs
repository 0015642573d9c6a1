//! An adversary's workshop: takes envelopes apart, puts them together again, and signs with the keys it has.

use agent_envelope::AgentId;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::cbor::{Item, array, bytes, int, map, text, uint};
use super::{Agent, SECONDS};

/// An envelope in pieces.
#[derive(Clone)]
pub(crate) struct Forgery {
    pub(crate) header: Item,
    pub(crate) elements: Vec<Element>,
    pub(crate) hops: Vec<Item>,
}

#[derive(Clone)]
pub(crate) struct Element {
    pub(crate) record: Item,
    pub(crate) body: Option<Vec<u8>>,
}

impl Element {
    /// Clear content as `author` would write it.
    pub(crate) fn clear(author: &Agent, kind: u64, content: &[u8]) -> Self {
        let plain = plain([7; 16], "text/plain", content);
        let commit = content_commit(&author.id(), &plain);
        Self { record: map([(1, uint(kind)), (2, bytes(commit))]), body: Some(plain.encode()) }
    }

    /// Control data as `author` would write it.
    pub(crate) fn control(author: &Agent, kind: u64, body: Vec<u8>) -> Self {
        let commit = control_commit(&author.id(), kind, &body);
        Self { record: map([(1, uint(kind)), (2, bytes(commit))]), body: Some(body) }
    }
}

/// A clear body.
pub(crate) fn plain(salt: [u8; 16], content_type: &str, content: &[u8]) -> Item {
    array([bytes(salt), text(content_type), bytes(content)])
}

pub(crate) fn content_commit(author: &AgentId, plain: &Item) -> [u8; 32] {
    let Item::Array(parts) = plain else { panic!("a plain body is an array") };
    hash("commit", [&[bytes(author.as_bytes())], &parts[..]].concat())
}

pub(crate) fn control_commit(author: &AgentId, kind: u64, body: &[u8]) -> [u8; 32] {
    hash("control", [bytes(author.as_bytes()), uint(kind), bytes(body)])
}

/// `H(use, …)`.
pub(crate) fn hash(purpose: &str, fields: impl IntoIterator<Item = Item>) -> [u8; 32] {
    let label = text(&format!("agent-envelope/1/{purpose}"));
    Sha256::digest(array([label].into_iter().chain(fields)).encode()).into()
}

impl Forgery {
    pub(crate) fn of(envelope: &[u8]) -> Self {
        let [_, header, elements, hops]: [Item; 4] =
            Item::read(envelope).into_items().try_into().expect("four items");
        let element = |item: Item| {
            let [record, body]: [Item; 2] = item.into_items().try_into().expect("two items");
            let body = match body {
                Item::Null => None,
                body => Some(body.as_bytes().to_vec()),
            };
            Element { record: Item::read(record.as_bytes()), body }
        };
        Self {
            header: Item::read(header.as_bytes()),
            elements: elements.into_items().into_iter().map(element).collect(),
            hops: hops.into_items(),
        }
    }

    /// The envelope as an item, its header and records not yet wrapped.
    pub(crate) fn item(&self) -> Item {
        let element = |element: &Element| {
            let body = element.body.as_ref().map_or(Item::Null, bytes);
            array([bytes(element.record.encode()), body])
        };
        array([
            text("agent-envelope/1"),
            bytes(self.header.encode()),
            array(self.elements.iter().map(element)),
            array(self.hops.iter().cloned()),
        ])
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.item().encode()
    }

    /// `g`.
    pub(crate) fn digest(&self) -> [u8; 32] {
        hash("envelope", [bytes(self.header.encode())])
    }

    /// The element chain after `count` elements.
    pub(crate) fn head(&self, count: usize) -> [u8; 32] {
        self.elements[..count].iter().fold(self.digest(), |before, element| {
            hash("element", [bytes(before), bytes(element.record.encode())])
        })
    }

    pub(crate) fn hop(&self, hop: usize) -> Item {
        Item::read(statement_part(&self.hops[hop], 2))
    }

    /// Changes what a hop says, and leaves its signature as it is.
    pub(crate) fn edit_hop(&mut self, hop: usize, edit: impl FnOnce(&mut Item)) {
        let mut payload = self.hop(hop);
        edit(&mut payload);
        self.hops[hop].items()[2] = bytes(payload.encode());
    }

    /// What a hop is bound to: the header's digest, or the id of the hop before.
    pub(crate) fn before(&self, hop: usize) -> [u8; 32] {
        match hop.checked_sub(1) {
            None => self.digest(),
            Some(earlier) => {
                let payload = statement_part(&self.hops[earlier], 2);
                let aad = hop_aad(&self.before(earlier));
                Sha256::digest(to_be_signed(&protected(None), &aad, payload)).into()
            }
        }
    }

    /// Lets `agent` sign what the hop says.
    pub(crate) fn sign_hop(&mut self, hop: usize, agent: &Agent) {
        let payload = statement_part(&self.hops[hop], 2).to_vec();
        let aad = hop_aad(&self.before(hop));
        self.hops[hop] = statement(agent, &protected(None), &aad, &payload);
    }

    /// Makes a hop cover the first `count` elements as they are now, and lets `agent` sign it.
    pub(crate) fn cover(&mut self, hop: usize, count: usize, agent: &Agent) {
        let head = self.head(count);
        self.edit_hop(hop, |hop| {
            hop.set(4, size(count));
            hop.set(5, bytes(head));
        });
        self.sign_hop(hop, agent);
    }

    /// Covers all elements by the only hop there is.
    pub(crate) fn sealed_by_originator(mut self, agent: &Agent) -> Vec<u8> {
        self.hops.truncate(1);
        self.cover(0, self.elements.len(), agent);
        self.encode()
    }

    /// Adds a hop over all elements, signed by `agent` in the name of `signer`.
    pub(crate) fn add_hop(&mut self, agent: &Agent, signer: AgentId, next: &[AgentId]) {
        let mut next = next.to_vec();
        next.sort();
        self.hops.push(array([bytes([]), map([]), bytes(map([]).encode()), bytes([])]));
        let hop = self.hops.len() - 1;
        self.edit_hop(hop, |hop| {
            hop.set(1, bytes(signer.as_bytes()));
            hop.set(2, agents(&next));
            hop.set(3, uint(SECONDS));
        });
        self.cover(hop, self.elements.len(), agent);
    }

    /// Replaces a body and leaves the record as it is.
    pub(crate) fn replace_body(&mut self, element: usize, body: Vec<u8>) {
        self.elements[element].body = Some(body);
    }

    /// Lets a sealed element name another audience.
    pub(crate) fn reseal_to(&mut self, element: usize, audience: usize) {
        let record = &mut self.elements[element].record;
        let mut sealed = record.get(3).expect("the element is sealed").clone();
        sealed.items()[0] = size(audience);
        record.set(3, sealed);
    }

    /// The indices of the elements of a kind.
    pub(crate) fn of_kind(&self, kind: u64) -> Vec<usize> {
        let is = |index: &usize| self.elements[*index].record.get(1) == Some(&uint(kind));
        (0..self.elements.len()).filter(is).collect()
    }
}

pub(crate) const USER: u64 = 0;
pub(crate) const ASSISTANT: u64 = 1;
pub(crate) const SYSTEM: u64 = 2;
pub(crate) const ARTIFACT: u64 = 6;
pub(crate) const AUTHORITY: u64 = 64;
pub(crate) const AUDIENCE: u64 = 65;
pub(crate) const KEY_PACKAGE: u64 = 66;

pub(crate) fn agents(agents: &[AgentId]) -> Item {
    array(agents.iter().map(|agent| bytes(agent.as_bytes())))
}

pub(crate) fn size(count: usize) -> Item {
    uint(u64::try_from(count).expect("counts fit 64 bits"))
}

/// A part of a COSE_Sign1: 0 protected, 2 payload, 3 signature.
pub(crate) fn statement_part(statement: &Item, part: usize) -> &[u8] {
    match statement {
        Item::Array(parts) => parts[part].as_bytes(),
        other => panic!("{other:?} is no statement"),
    }
}

pub(crate) fn hop_aad(before: &[u8; 32]) -> Item {
    array([text("agent-envelope/1/hop"), bytes(before)])
}

/// The protected header of a statement.
pub(crate) fn protected(key_id: Option<&AgentId>) -> Item {
    let mut header = map([(1, int(-19))]);
    if let Some(key_id) = key_id {
        header.set(4, bytes(key_id.as_bytes()));
    }
    header
}

/// Sig_structure.
pub(crate) fn to_be_signed(protected: &Item, aad: &Item, payload: &[u8]) -> Vec<u8> {
    array([text("Signature1"), bytes(protected.encode()), bytes(aad.encode()), bytes(payload)])
        .encode()
}

/// A COSE_Sign1 by `agent`.
pub(crate) fn statement(agent: &Agent, protected: &Item, aad: &Item, payload: &[u8]) -> Item {
    let signature =
        SigningKey::from_bytes(&agent.seed).sign(&to_be_signed(protected, aad, payload)).to_bytes();
    array([bytes(protected.encode()), map([]), bytes(payload), bytes(signature)])
}

/// The key package of `agent` for a sealing key that need not be its own, signed by `signer`.
pub(crate) fn key_package(agent: AgentId, sealing_key: &[u8], signer: &Agent) -> Vec<u8> {
    let payload = map([
        (1, bytes(agent.as_bytes())),
        (2, uint(1)),
        (3, bytes(sealing_key)),
        (4, uint(SECONDS)),
        (5, uint(SECONDS + 3600)),
    ]);
    let aad = array([text("agent-envelope/1/key-package")]);
    statement(signer, &protected(None), &aad, &payload.encode()).encode()
}

/// The sealing key that a key package publishes.
pub(crate) fn sealing_key(package: &[u8]) -> Vec<u8> {
    let payload = Item::read(statement_part(&Item::read(package), 2));
    payload.get(3).expect("a key package has a sealing key").as_bytes().to_vec()
}

/// A scope as it is encoded, in the order given.
pub(crate) fn scope(permissions: &[(&[&str], &[&str])]) -> Item {
    let texts = |all: &[&str]| array(all.iter().map(|one| text(one)));
    array(permissions.iter().map(|(actions, segments)| array([texts(actions), texts(segments)])))
}

/// What the root of a chain claims, valid for an hour.
pub(crate) fn root_claims(issuer: &str, holder: &Agent, scope: Item, depth: u64) -> Item {
    let mut claims = link_claims(holder, [(1, scope), (2, uint(depth))]);
    claims.set(1, text(issuer));
    claims.set(2, text(holder.name));
    claims
}

/// What a further link claims, valid for an hour.
pub(crate) fn link_claims(holder: &Agent, grant: impl IntoIterator<Item = (i64, Item)>) -> Item {
    map([
        (4, uint(SECONDS + 3600)),
        (5, uint(SECONDS)),
        (7, bytes(&Sha256::digest(holder.seed)[..16])),
        (8, map([(1, map([(1, int(1)), (-1, int(6)), (-2, bytes(holder.id().as_bytes()))]))])),
        (-65537, map(grant)),
    ])
}

/// A chain whose links are signed by whom the forger likes, under the root key `root`.
pub(crate) fn chain(root: &AgentId, links: &[(&Agent, Item)]) -> Vec<u8> {
    let mut above = Item::Null;
    let mut all = Vec::new();
    for (index, (signer, claims)) in links.iter().enumerate() {
        let header = protected((index == 0).then_some(root));
        let aad = array([text("agent-envelope/1/link"), above]);
        let payload = claims.encode();
        all.push(statement(signer, &header, &aad, &payload));
        above = bytes(Sha256::digest(to_be_signed(&header, &aad, &payload)));
    }
    array(all).encode()
}
