//! Agents from fixed seeds, what they send each other, and the jobs of ours that are timed.
//!
//! All that a job of ours takes beside keys and the message is inside: new randomness from the operating system, a replay
//! window, the sender's key as the bytes of its name.

use std::time::Duration;

use agent_envelope::{
    Admitted, AgentId, DelegationChain, Draft, Entropy, Envelope, Grant, Identity, Item,
    KeyPackage, Kind, Limits, Narrow, Permission, ReplayCapacity, ReplayWindow, Resource,
    Revocations, Scope, Sent, SigningKey, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};

pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
pub const ACTION: &str = "mail.read";
pub const RESOURCE: &str = "mail/alice";

/// As many as a bench goes around in: one key again and again flatters verification.
pub const WORLDS: u8 = 8;

/// What the limits of the library allow.
const READERS: u8 = 64;
const STATIONS: u8 = 15;
const HOLDERS: u8 = 15;

/// A login service, a sender, stations on the way, and readers. No two worlds share a key.
pub struct World {
    number: u8,
    login: SigningKey,
    anchor: TrustAnchor,
    anchors: TrustAnchors,
    mail: Scope,
    resource: Resource,
    narrower: Scope,
    holders: Vec<SigningKey>,
    pub sender: Identity,
    stations: Vec<Identity>,
    readers: Vec<Identity>,
    packages: Vec<KeyPackage>,
    verifier: Verifier,
}

impl World {
    pub fn all() -> Vec<Self> {
        (0..WORLDS).map(Self::new).collect()
    }

    pub fn new(number: u8) -> Self {
        let identity = |role| Identity::generate(entropy(number, role));
        let login = SigningKey::generate(entropy(number, 1));
        let sender = identity(2);
        let resource: Resource = RESOURCE.parse().expect("a resource");
        let scope = |actions: &[&str]| {
            let permission = Permission::new(actions.iter().copied(), &resource);
            Scope::new([permission.expect("few actions")]).expect("one permission")
        };
        let mail = scope(&[ACTION, "mail.send"]);
        let anchor = |id, name| {
            let anchor = TrustAnchor::new(id, name, Subjects::Any, mail.clone());
            anchor.expect("a name and a scope").depth(u64::from(HOLDERS) + 1)
        };
        let (anchor, itself) =
            (anchor(login.id(), "https://login.example"), anchor(sender.id(), "sender"));
        let anchors = TrustAnchors::new([anchor.clone(), itself]).expect("two keys");
        let readers: Vec<_> = (0..READERS).map(|reader| identity(100 + reader)).collect();
        let package = |reader: &Identity| {
            reader.key_package(NOW, Duration::from_secs(3600)).expect("an hour is a window")
        };
        Self {
            number,
            packages: readers.iter().map(package).collect(),
            verifier: verifier(&readers[0], &anchors),
            holders: (0..HOLDERS)
                .map(|at| SigningKey::generate(entropy(number, 10 + at)))
                .collect(),
            stations: (0..STATIONS).map(|at| identity(40 + at)).collect(),
            narrower: scope(&[ACTION]),
            mail,
            login,
            anchor,
            anchors,
            resource,
            sender,
            readers,
        }
    }

    // Jobs that write.

    /// Signs clear content.
    pub fn sign(&self, content: &[u8]) -> Sent {
        let draft = Draft::new(&self.sender).to(self.reader());
        sent(draft.clear(Kind::User, "text/plain", content))
    }

    /// Signs, and seals for so many readers.
    pub fn seal(&self, content: &[u8], readers: usize) -> Sent {
        let draft = Draft::new(&self.sender).to(self.reader());
        sent(draft.sealed(Kind::User, "text/plain", content, &self.packages[..readers]))
    }

    /// Signs a request under a chain.
    pub fn request(&self, chain: &DelegationChain) -> Sent {
        let draft = Draft::new(&self.sender).to(self.reader()).authority(chain);
        sent(draft.clear(Kind::User, "text/plain", &b"Any mail from the tax office?"[..]))
    }

    /// Issues a chain of so many links that ends in the sender; each link but the first takes an action away or leaves it
    /// away.
    pub fn chain(&self, links: usize) -> DelegationChain {
        let between = &self.holders[..links - 1];
        let to = |link: usize| between.get(link).map_or(self.sender.id(), SigningKey::id);
        let depth = u64::try_from(links - 1).expect("few");
        let grant = Grant::new("alice@example", self.mail.clone()).depth(depth);
        let root =
            DelegationChain::issue(&self.login, &self.anchor, to(0), grant, NOW, os_entropy());
        let mut chain = root.expect("within the anchor");
        for (at, holder) in between.iter().enumerate() {
            let narrower = Narrow::default().scope(self.narrower.clone());
            let extended = chain.extend(holder, to(at + 1), narrower, NOW, os_entropy());
            chain = extended.expect("nothing is widened");
        }
        chain
    }

    /// What arrives at the first reader by way of `hops - 1` stations.
    pub fn relayed(&self, content: &[u8], hops: usize) -> Vec<u8> {
        let stations = &self.stations[..hops - 1];
        let draft = Draft::new(&self.sender).to(self.reader());
        let draft = match stations {
            [] => draft,
            _ => draft.via(stations.iter().map(Identity::id).collect::<Vec<_>>()),
        };
        let first = sent(draft.clear(Kind::User, "text/plain", content));
        let mut bytes = first.as_bytes().to_vec();
        for (at, station) in stations.iter().enumerate() {
            let next = stations.get(at + 1).map_or(self.reader(), Identity::id);
            let verifier = verifier(station, &self.anchors);
            let verified = decode(&bytes).verify_as_relay(&verifier, NOW).expect("valid");
            bytes = verified.forward(station, next, NOW).expect("a station may forward");
        }
        bytes
    }

    // Jobs that read.

    /// Decodes, verifies and admits.
    pub fn admit<'e>(&self, bytes: &'e [u8]) -> Admitted<'e> {
        let verified = decode(bytes).verify_as_reader(&self.verifier, NOW).expect("valid");
        verified.admit(&mut ReplayWindow::new(ReplayCapacity::default())).expect("new")
    }

    /// Decodes, verifies, admits and opens; returns the size of the content.
    pub fn open(&self, bytes: &[u8]) -> usize {
        let admitted = self.admit(bytes);
        let Some(Item::Sealed(sealed)) = admitted.elements().next() else { panic!("not sealed") };
        sealed.open(&self.readers[0]).expect("for this reader").content().len()
    }

    /// Decodes, verifies, admits, and decides whether the request's author may have it done.
    pub fn authorize(&self, bytes: &[u8]) -> usize {
        let admitted = self.admit(bytes);
        let Some(Item::Present(request)) = admitted.elements().next() else { panic!("not clear") };
        let authority = request.authorize(ACTION, &self.resource).expect("granted");
        authority.subject().len()
    }

    fn reader(&self) -> AgentId {
        self.readers[0].id()
    }

    /// The seed of a peer's key for a role that is none of ours.
    pub fn peer_seed(&self, role: u8) -> [u8; 32] {
        let mut seed = [2; 32];
        seed[..2].copy_from_slice(&[self.number, role]);
        seed
    }
}

/// Verifies the links of a chain.
pub fn verify_chain(bytes: &[u8]) -> DelegationChain {
    DelegationChain::verify(bytes, &Limits::default()).expect("valid")
}

/// Content that does not repeat in blocks.
pub fn content(size: usize) -> Vec<u8> {
    (0_u8..=250).cycle().take(size).collect()
}

fn sent(draft: Draft<'_>) -> Sent {
    draft.sign(NOW, os_entropy()).expect("a whole draft")
}

fn decode(bytes: &[u8]) -> Envelope<'_> {
    Envelope::decode(bytes, &Limits::default()).expect("well-formed")
}

fn verifier(agent: &Identity, anchors: &TrustAnchors) -> Verifier {
    let limits = Limits::default();
    Verifier::new(agent.id(), None, anchors.clone(), Revocations::none(), limits).expect("limits")
}

fn os_entropy() -> Entropy {
    Entropy::from_os().expect("the operating system has randomness")
}

fn entropy(world: u8, role: u8) -> Entropy {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&[world, role]);
    Entropy::new(seed).expect("not zero")
}
