//! The outline of an envelope says what stands in it, control data included, and verifies nothing.

use agent_envelope::budget::{Amounts, Dimension, Terms};
use agent_envelope::{
    Allotment, BodyClaim, DelegationChain, Draft, Entropy, Envelope, Error, Grant, Identity, Inbox,
    Item, Kind, Limits, Narrow, NewElement, Permission, Reference, Revocations, Scope, Subjects,
    Suite, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

use crate::support::{World, corpus};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

fn entropy(byte: u8) -> Entropy {
    Entropy::new([byte; 32]).expect("not zero")
}

fn scope(action: &str) -> Result<Scope, Error> {
    Scope::new([Permission::new([action], &"mail".parse()?)?])
}

/// What an element is, in one line.
fn describe(body: &BodyClaim<'_>) -> String {
    match body {
        BodyClaim::Absent => "absent".to_owned(),
        BodyClaim::Clear(plain) => format!("clear {}", plain.content_type()),
        BodyClaim::Sealed { audience, plain_size } => format!("sealed {audience} {plain_size}"),
        BodyClaim::Authority(chain) => format!("authority {}", chain.links().len()),
        BodyClaim::Audience { readers, .. } => format!("audience {readers}"),
        BodyClaim::KeyPackage { suite, .. } => format!("key package {}", suite.number()),
        BodyClaim::Allotment { entries, .. } => format!("allotment {entries}"),
        BodyClaim::Report { entries } => format!("report {entries}"),
        _ => "new".to_owned(),
    }
}

#[test]
fn an_outline_lists_elements_hops_and_control_data() -> Result<(), Error> {
    let [login, user, worker, late] = [1, 2, 3, 4].map(agent);
    let [user_box, worker_box, late_box] = [
        user.key_package(NOW, HOUR)?,
        worker.key_package(NOW, HOUR)?,
        late.key_package(NOW, HOUR)?,
    ];
    let anchor = TrustAnchor::new(login.id(), "login", Subjects::Any, scope("mail.read")?)?;
    let grant = Grant::new("alice", scope("mail.read")?).name("user");
    let chain =
        DelegationChain::issue(login.signing_key(), &anchor, user.id(), grant, NOW, entropy(5))?;
    let terms = Terms::new(
        Amounts::new().with(Dimension::TOOL_CALLS, 3)?,
        NOW.saturating_add(Duration::from_secs(60)),
        1,
    );
    let sent = Draft::new(&user)
        .to([worker.id(), late.id()])
        .key_package(&user_box)
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"secret"[..], [&worker_box])
        .element(NewElement::clear(Kind::Memory, "text/plain", &b"x"[..]).detachable())
        .element(
            NewElement::clear(Kind::Summary, "text/html", &b"y"[..])
                .elidable()
                .refers_to([Reference::Here(0)]),
        )
        .allot(Allotment::new(worker.id(), terms.clone()))
        .sign(NOW, entropy(6))?
        .persisted();

    let anchors = TrustAnchors::new([anchor])?;
    let verifier =
        Verifier::new(worker.id(), None, anchors, Revocations::none(), Limits::default())?;
    let mut inbox = Inbox::new(verifier);
    let without_memory = sent.detached();
    let received = inbox.receive(&without_memory, NOW)?;
    let mut opener = received.opener(&worker)?;
    let sealed = received.elements().find_map(|item| match item {
        Item::Sealed(sealed) => Some(sealed),
        Item::Present(_) | Item::Absent(_) => None,
    });
    let audience = opener.audience(&sealed.expect("one is sealed"))?;
    let passed = received
        .onward(&worker)
        .let_in(&audience, [&late_box])
        .next(late.id())
        .sign(NOW.saturating_add(Duration::from_secs(2)), entropy(7))?;

    let limits = Limits::default();
    let envelope = Envelope::decode(&passed, &limits)?;
    let outline = envelope.outline();
    let bodies: Vec<String> = outline.elements().map(|one| describe(&one.body())).collect();
    // A sealed body holds a salt of 17 bytes, its type and its content, each with a head, in an array.
    let plain = format!("sealed 2 {}", 1 + 17 + 11 + 7);
    let expected = ["key package 1", "authority 1", "audience 1", plain.as_str(), "absent"];
    assert_eq!(bodies[..5], expected);
    assert_eq!(bodies[5..], ["clear text/html", "allotment 1", "audience 1"]);
    let kinds: Vec<_> = outline.elements().filter_map(|one| one.kind()).collect();
    assert_eq!(kinds, [Kind::User, Kind::Memory, Kind::Summary]);
    let all: Vec<_> = outline.elements().collect();
    let indices: Vec<_> = all.iter().map(|one| one.index()).collect();
    assert_eq!(indices, [0, 1, 2, 3, 4, 5, 6, 7]);
    let hops: Vec<_> = all.iter().map(|one| one.hop()).collect();
    assert_eq!(hops, [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!((all[6].author(), all[7].author()), (user.id(), worker.id()));
    let elidable: Vec<_> =
        all.iter().filter(|one| one.is_elidable()).map(|one| one.index()).collect();
    assert_eq!(elidable, [4, 5]);
    assert_eq!((all[4].listed_absent_by(), all[5].listed_absent_by()), (Some(0), None));
    assert_eq!((all[3].refs(), all[5].refs()), (0, 1));

    // Header, elements and hops are all there is, but for heads and the version.
    let elements: usize = all.iter().map(|one| one.size()).sum();
    let hops: usize = outline.hops().map(|hop| hop.size()).sum();
    let rest = passed.len() - outline.header_size() - elements - hops;
    assert!((20..80).contains(&rest), "{rest} bytes are left");

    let hops: Vec<_> = outline.hops().collect();
    assert_eq!((hops[0].id(), hops[1].id()), (envelope.origin(), envelope.tip()));
    assert_eq!((hops[0].signer(), hops[1].signer()), (user.id(), worker.id()));
    assert_eq!((hops[0].count(), hops[1].count()), (7, 8));
    assert_eq!(hops[1].at(), NOW.saturating_add(Duration::from_secs(2)));
    assert!(hops[1].next().iter().eq([late.id()]));

    // Both audiences are the same one: the second lets another reader in.
    let id = |index: usize| match all[index].body() {
        BodyClaim::Audience { id, .. } => Some(id),
        _ => None,
    };
    assert_eq!(id(2), id(7));
    let BodyClaim::KeyPackage { agent, suite, not_before, expires } = all[0].body() else {
        panic!("element 0 is the key package");
    };
    assert_eq!((agent, suite), (user.id(), Suite::X25519ChaCha20Poly1305));
    assert_eq!((not_before, expires), (NOW, NOW.saturating_add(HOUR)));
    let BodyClaim::Allotment { payer, to, terms: found, .. } = all[6].body() else {
        panic!("element 6 is the allotment");
    };
    assert_eq!((payer, to, found), (user.id(), worker.id(), &terms));
    Ok(())
}

#[test]
fn an_outline_counts_the_statements_by_which_an_allotment_came_down() {
    let world = World::new();
    let corpus = corpus(&world);
    let split = corpus.iter().find(|case| case.name == "a split allotment").expect("it is there");
    let limits = Limits::default();
    let envelope = Envelope::decode(&split.bytes, &limits).expect("it is well formed");
    let counts: Vec<_> = envelope
        .outline()
        .elements()
        .filter_map(|element| match element.body() {
            BodyClaim::Allotment { entries, .. } => Some(entries),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 2], "a root allotment, and a split of it");
}

#[test]
fn an_outline_spells_out_what_each_link_says() -> Result<(), Error> {
    let [login, user, worker] = [1, 2, 3].map(agent);
    let anchor = TrustAnchor::new(login.id(), "login", Subjects::Any, scope("mail.read")?)?;
    let context = Draft::new(&worker)
        .to(user.id())
        .clear(Kind::Assistant, "text/plain", &b"hello"[..])
        .sign(NOW, entropy(4))?;
    let grant = Grant::new("alice", scope("mail.read")?).depth(2).audience("mail.example");
    let root =
        DelegationChain::issue(login.signing_key(), &anchor, user.id(), grant, NOW, entropy(5))?;
    let narrower = Narrow::default()
        .name("worker")
        .lifetime(Duration::from_secs(60))
        .conversation(context.conversation());
    let chain = root.extend(user.signing_key(), worker.id(), narrower, NOW, entropy(6))?;
    let sent = Draft::new(&worker).to(user.id()).authority(&chain).sign(NOW, entropy(7))?;

    let limits = Limits::default();
    let envelope = Envelope::decode(sent.as_bytes(), &limits)?;
    let first = envelope.outline().elements().next().expect("there is one element");
    assert_eq!(first.kind(), None);
    let BodyClaim::Authority(claim) = first.body() else { panic!("it is a chain") };
    assert_eq!((claim.root(), claim.issuer(), claim.subject()), (login.id(), "login", "alice"));
    let [above, below] = claim.links().collect::<Vec<_>>().try_into().expect("two links");
    assert_eq!((above.holder(), below.holder()), (user.id(), worker.id()));
    assert_eq!((above.id(), below.id()), (root.id(), chain.id()));
    assert_eq!((above.name(), below.name()), (None, Some("worker")));
    assert_eq!((above.scope(), below.scope()), (Some(scope("mail.read")?), None));
    assert_eq!((above.depth(), below.depth()), (Some(2), None));
    assert_eq!((above.audience(), below.audience()), (Some("mail.example"), None));
    assert_eq!(above.conversation(), None);
    assert_eq!(below.conversation(), Some(context.conversation()));
    assert_eq!(above.window(), (NOW, NOW.saturating_add(HOUR)));
    assert_eq!(below.window(), (NOW, NOW.saturating_add(Duration::from_secs(60))));
    Ok(())
}

#[test]
fn an_outline_shows_what_verification_refuses() -> Result<(), Error> {
    let [user, worker] = [2, 3].map(agent);
    let sent = Draft::new(&user)
        .to(worker.id())
        .clear(Kind::User, "text/plain", &b"hello"[..])
        .sign(NOW, entropy(7))?;
    let mut bytes = sent.as_bytes().to_vec();
    let at = bytes.windows(5).position(|text| text == b"hello").expect("it is clear");
    bytes[at] = b'j';
    let limits = Limits::default();
    let envelope = Envelope::decode(&bytes, &limits)?;
    let first = envelope.outline().elements().next().expect("there is one element");
    let BodyClaim::Clear(plain) = first.body() else { panic!("it is clear") };
    assert_eq!(plain.content(), b"jello");
    Ok(())
}
