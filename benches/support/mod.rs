//! What the benches work on: agents from fixed seeds, the envelopes that they send each other, and the jobs that are timed.
#![allow(dead_code, reason = "each bench uses a part")]

pub(crate) mod floor;

use std::time::Duration;

use agent_envelope::{
    Admitted, Aids, AuthorityCache, DelegationChain, Draft, Entropy, Envelope, Error, Grant,
    Identity, Item, KeyCache, KeyPackage, Kind, Limits, Narrow, Permission, Reader, Relay,
    ReplayCapacity, ReplayWindow, Revocations, Scope, SigningKey, Subjects, Timestamp, TrustAnchor,
    TrustAnchors, Verifier,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
pub(crate) const KIB_4: usize = 4 * 1024;
pub(crate) const MIB: usize = 1024 * 1024;

/// As many worlds as a bench goes around in: over one key again and again, branch prediction flatters verification.
pub(crate) const WORLDS: u8 = 16;

/// A sender with a chain of three links, three stations on the way, and three readers. No two worlds share a key.
pub(crate) struct World {
    number: u8,
    pub(crate) sender: Identity,
    pub(crate) stations: [Identity; 3],
    pub(crate) readers: [Identity; 3],
    pub(crate) packages: [KeyPackage; 3],
    pub(crate) sender_package: KeyPackage,
    /// Chains of one, two and three links, all of which end in the sender.
    pub(crate) chains: [DelegationChain; 3],
    anchor: TrustAnchor,
    anchors: TrustAnchors,
    /// The first reader's.
    pub(crate) verifier: Verifier,
}

impl World {
    pub(crate) fn all() -> Vec<Self> {
        (0..WORLDS).map(Self::new).collect()
    }

    pub(crate) fn new(number: u8) -> Self {
        Self::with_readers_of(number, number)
    }

    /// Worlds that differ in everything but their readers, and one verifier that trusts the anchors of all.
    pub(crate) fn with_common_readers(count: u8) -> (Vec<Self>, Verifier) {
        let worlds: Vec<_> = (0..count).map(|number| Self::with_readers_of(number, 0)).collect();
        let anchors = TrustAnchors::new(worlds.iter().map(|world| world.anchor.clone()));
        let verifier = verifier(&worlds[0].readers[0], anchors.expect("no two have a key"));
        (worlds, verifier)
    }

    fn with_readers_of(number: u8, of: u8) -> Self {
        let identity = |role| Identity::generate(entropy(number, role));
        let key = |role| SigningKey::generate(entropy(number, role));
        let (login, user, planner) = (key(1), key(2), key(3));
        let sender = identity(4);
        let stations = [5, 6, 7].map(identity);
        let readers = [8, 9, 10].map(|role| Identity::generate(entropy(of, role)));

        let mail = "mail/alice".parse().expect("a resource");
        let mail = Permission::new(["mail.read", "mail.send"], &mail).expect("two actions");
        let mail = Scope::new([mail]).expect("one permission");
        let anchor =
            TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, mail.clone())
                .expect("a name and a scope");
        let issue = |holder| {
            let grant = Grant::new("alice@example", mail.clone()).depth(2);
            DelegationChain::issue(&login, &anchor, holder, grant, NOW, entropy(number, 11))
                .expect("within the anchor")
        };
        let extend = |chain: &DelegationChain, holder: &SigningKey, to| {
            chain
                .extend(holder, to, Narrow::default(), NOW, entropy(number, 12))
                .expect("nothing is widened")
        };
        let chains = [
            issue(sender.id()),
            extend(&issue(user.id()), &user, sender.id()),
            extend(&extend(&issue(user.id()), &user, planner.id()), &planner, sender.id()),
        ];
        let anchors = TrustAnchors::new([anchor.clone()]).expect("one anchor");
        Self {
            number,
            packages: readers.each_ref().map(package),
            sender_package: package(&sender),
            verifier: verifier(&readers[0], anchors.clone()),
            sender,
            stations,
            readers,
            chains,
            anchor,
            anchors,
        }
    }

    /// A verifier of this world's envelopes for another of its agents.
    pub(crate) fn verifier_of(&self, agent: &Identity) -> Verifier {
        verifier(agent, self.anchors.clone())
    }

    /// One clear element of `content`, without a chain.
    pub(crate) fn clear(&self, content: &[u8]) -> Vec<u8> {
        let to = self.readers[0].id();
        self.sign(Draft::new(&self.sender).to(to).clear(Kind::User, "text/plain", content))
    }

    /// `content` sealed for the first `readers`, under a chain of `links`, as it leaves the sender.
    pub(crate) fn sealed(&self, content: &[u8], readers: usize, links: usize) -> Vec<u8> {
        let draft = Draft::new(&self.sender).to(self.readers[0].id());
        let draft = match links.checked_sub(1) {
            Some(index) => draft.authority(&self.chains[index]),
            None => draft,
        };
        let packages = &self.packages[..readers];
        self.sign(draft.sealed(Kind::User, "text/plain", content, packages))
    }

    /// `count` clear elements of `size` bytes, without a chain.
    pub(crate) fn many(&self, count: usize, size: usize) -> Vec<u8> {
        let draft = Draft::new(&self.sender).to(self.readers[0].id());
        self.sign(
            (0..count)
                .fold(draft, |draft, _| draft.clear(Kind::ToolResult, "text/plain", content(size))),
        )
    }

    /// The standard job: a chain of three links, a key package and `content` sealed for three readers; four hops.
    pub(crate) fn job(&self, content: &[u8]) -> Vec<u8> {
        let path = self.stations.each_ref().map(Identity::id);
        let mut bytes = self.origin(content);
        for (index, station) in self.stations.iter().enumerate() {
            let next = path.get(index + 1).copied().unwrap_or(self.readers[0].id());
            let verifier = self.verifier_of(station);
            let verified = decode(&bytes).verify_as_relay(&verifier, NOW).expect("valid");
            bytes = verified.forward(station, next, NOW).expect("a station may forward");
        }
        bytes
    }

    /// The standard job with one bit of hop 0's signature changed, which shows in its curve equation only.
    pub(crate) fn forged_job(&self, content: &[u8]) -> Vec<u8> {
        let (mut bytes, origin) = (self.job(content), self.origin(content));
        // Hop 0 ends what left the sender, with R and S. The lowest bit of S keeps it below the order.
        let scalar = &origin[origin.len() - 32..];
        let at = bytes.windows(32).position(|window| window == scalar);
        bytes[at.expect("hop 0 is still there")] ^= 1;
        bytes
    }

    /// The standard job as it leaves the sender.
    fn origin(&self, content: &[u8]) -> Vec<u8> {
        let draft = Draft::new(&self.sender)
            .to(self.readers.each_ref().map(Identity::id))
            .via(self.stations.each_ref().map(Identity::id))
            .key_package(&self.sender_package)
            .authority(&self.chains[2])
            .sealed(Kind::User, "text/plain", content, &self.packages);
        self.sign(draft)
    }

    /// What the sender sends to all readers after `elements` elements of conversation.
    pub(crate) fn after(&self, elements: usize, content: &[u8]) -> Vec<u8> {
        /// Below the limit of one envelope.
        const MOST: usize = 1000;
        let parties = self.readers.each_ref().map(Identity::id);
        let mut draft = Draft::new(&self.sender).to(parties);
        let mut left = elements;
        while left > 0 {
            let count = left.min(MOST);
            draft = (0..count).fold(draft, |draft, _| draft.clear(Kind::User, "", &b"so"[..]));
            let sent = draft.sign(NOW, entropy(self.number, 101)).expect("a whole draft");
            draft = Draft::in_conversation(&self.sender, &sent.line());
            left -= count;
        }
        let draft = draft.authority(&self.chains[2]);
        self.sign(draft.sealed(Kind::User, "text/plain", content, &self.packages))
    }

    fn sign(&self, draft: Draft<'_>) -> Vec<u8> {
        let sent = draft.sign(NOW, entropy(self.number, 100)).expect("a whole draft");
        sent.as_bytes().to_vec()
    }

    // What is timed.

    /// Decodes, verifies, admits and opens, as one who has never seen any of it; returns the size of the content.
    pub(crate) fn read(&self, bytes: &[u8]) -> usize {
        self.open(&self.admit(bytes, Aids::default()))
    }

    /// The same, with chains and keys that were seen before.
    pub(crate) fn read_again(&self, bytes: &[u8], seen: &mut Seen) -> usize {
        self.open(&self.admit(bytes, seen.aids()))
    }

    pub(crate) fn admit<'e>(&self, bytes: &'e [u8], aids: Aids<'_>) -> Admitted<'e> {
        let verified =
            decode(bytes).verify_with::<Reader>(&self.verifier, NOW, aids).expect("valid");
        verified.admit(&mut ReplayWindow::new(ReplayCapacity::default())).expect("new")
    }

    pub(crate) fn open(&self, admitted: &Admitted<'_>) -> usize {
        let mut sealed = admitted.elements().filter_map(|item| match item {
            Item::Sealed(sealed) => Some(sealed),
            _ => None,
        });
        let sealed = sealed.next().expect("something sealed");
        sealed.open(&self.readers[0]).expect("for this reader").content().len()
    }

    /// Verifies as an agent that is to pass the envelope on, and does so.
    pub(crate) fn relay(&self, bytes: &[u8]) -> Vec<u8> {
        let verified = decode(bytes)
            .verify_with::<Relay>(&self.verifier, NOW, Aids::default())
            .expect("valid");
        verified.forward(&self.readers[0], self.readers[1].id(), NOW).expect("a recipient is next")
    }

    /// Adds a hop with an element of its own to what was admitted.
    pub(crate) fn append(&self, admitted: &Admitted<'_>) -> Vec<u8> {
        admitted
            .onward(&self.readers[0])
            .clear(Kind::Assistant, "text/plain", &b"done"[..])
            .next(self.readers[1].id())
            .sign(NOW, entropy(self.number, 102))
            .expect("a recipient is next")
    }

    /// Decodes and verifies what is to be refused.
    pub(crate) fn refuse(&self, bytes: &[u8], window: Option<&ReplayWindow>) -> Error {
        let mut aids = Aids::default();
        aids.window = window;
        Envelope::decode(bytes, self.verifier.limits())
            .and_then(|envelope| envelope.verify_with::<Reader>(&self.verifier, NOW, aids))
            .expect_err("something is wrong with it")
    }
}

/// What a verifier remembers from one envelope to the next.
pub(crate) struct Seen {
    chains: AuthorityCache,
    keys: KeyCache,
}

impl Seen {
    pub(crate) fn nothing() -> Self {
        Self { chains: AuthorityCache::new(1024), keys: KeyCache::new(1024) }
    }

    pub(crate) fn aids(&mut self) -> Aids<'_> {
        let mut aids = Aids::default();
        aids.cache = Some(&mut self.chains);
        aids.keys = Some(&mut self.keys);
        aids
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Envelope<'_> {
    Envelope::decode(bytes, &Limits::default()).expect("well-formed")
}

/// A seed of its own for every agent of every world.
pub(crate) fn entropy(world: u8, role: u8) -> Entropy {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&[world, role]);
    Entropy::new(seed).expect("not zero")
}

/// Content that does not compress into a pattern of equal blocks.
pub(crate) fn content(size: usize) -> Vec<u8> {
    (0_u8..=250).cycle().take(size).collect()
}

fn package(of: &Identity) -> KeyPackage {
    of.key_package(NOW, Duration::from_secs(3600)).expect("an hour is a window")
}

fn verifier(agent: &Identity, anchors: TrustAnchors) -> Verifier {
    Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default())
        .expect("limits that admit something")
}
