//! SPEC §8: audiences and sealed bodies, and the one way in which opening fails.

use serde_json::{Value, json};

use super::super::build::{
    Cast, Family, entropy, identity_json, inbox, later, open, receive, resigned,
};
use super::super::run::hex;
use crate::adversary::cbor::{Item, array, bytes, map, text, uint};
use crate::adversary::forge::{self, ASSISTANT, AUDIENCE, Element, Forgery};
use crate::adversary::{Agent, HOUR, NOW, SECONDS};
use agent_envelope::{Draft, Inbox, Item as Received, Kind, NewElement};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use hpke::Deserializable;
use sha2::Sha256;

/// To worker and auditor: 0 chain, 1 audience of both, 2 sealed user, 3 audience of the worker, 4 sealed artifact,
/// 5 sealed memory to the first audience.
fn sealed(cast: &Cast) -> Forgery {
    let chain = cast.authority(&cast.user);
    let [worker, auditor] = [&cast.worker, &cast.auditor].map(|agent| cast.package(agent));
    let sent = Draft::new(&cast.user.identity)
        .to([cast.worker.id(), cast.auditor.id()])
        .expires_in(HOUR)
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"for both of you"[..], [&worker, &auditor])
        .sealed(Kind::Artifact, "application/octet-stream", &[7; 40][..], [&worker])
        .sealed(Kind::Memory, "", &b""[..], [&worker, &auditor])
        .sign(NOW, entropy("opening/sealed"))
        .expect("a complete draft");
    Forgery::of(sent.as_bytes())
}

fn opened(bytes: &[u8], by: &str, element: usize) -> [Value; 3] {
    [inbox("in", by), receive("in", bytes, SECONDS, "it"), open("it", by, element)]
}

fn flip(item: &mut Item) {
    let mut flipped = item.as_bytes().to_vec();
    flipped[0] ^= 1;
    *item = bytes(flipped);
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "opening",
        "Audiences and sealed bodies (SPEC §8): what a reader opens, and the one way in which opening fails. Everything up to the opening is in order.",
    );
    family.verifiers_of(cast);
    family.everybody(cast);
    let user = &cast.user;
    let honest = sealed(cast);
    let whole = honest.encode();
    for (name, by, element, comment) in [
        ("both-worker", "worker", 2, "a body for two readers, by one of them"),
        ("both-auditor", "auditor", 2, "the same body, by the other"),
        ("one", "worker", 4, "a body for one reader"),
        (
            "same-audience",
            "worker",
            5,
            "a second body for the first audience; content and type are empty",
        ),
    ] {
        family.accept(name, comment, opened(&whole, by, element));
    }
    family.refuse(
        "not-a-reader",
        "both-auditor",
        601,
        "the auditor is no reader of this element",
        opened(&whole, "auditor", 4),
    );
    // Keys.
    let mut stolen = identity_json(&cast.worker);
    stolen["sealing"] = json!([hex(cast.auditor.sealing)]);
    stolen["public"] = identity_json(&cast.auditor)["public"].clone();
    family.identity("worker-with-the-auditors-mailbox", stolen);
    let mut rotated = identity_json(&cast.worker);
    let old = rotated["sealing"][0].clone();
    let old_public = rotated["public"][0].clone();
    let fresh = identity_json(&Agent::new("a fresh sealing key"));
    rotated["sealing"] = json!([fresh["sealing"][0], old]);
    rotated["public"] = json!([fresh["public"][0], old_public]);
    family.identity("worker-rotated", rotated.clone());
    rotated["sealing"] = json!([fresh["sealing"][0]]);
    rotated["public"] = json!([fresh["public"][0]]);
    family.identity("worker-forgot", rotated);
    let with_keys = |identity: &str, element: usize| {
        [inbox("in", "worker"), receive("in", &whole, SECONDS, "it"), open("it", identity, element)]
    };
    family.variant(
        "older-key",
        "both-worker",
        "the key that the body is sealed to is an older one of the reader",
        with_keys("worker-rotated", 2),
    );
    family.refuse(
        "forgotten-key",
        "both-worker",
        601,
        "the reader has another sealing key now, and has forgotten the old one",
        with_keys("worker-forgot", 2),
    );
    family.refuse(
        "stolen-key",
        "both-worker",
        601,
        "the worker tries the auditor's sealing key: a wrap is bound to the agent that it is for",
        with_keys("worker-with-the-auditors-mailbox", 2),
    );

    // The originator itself sends something broken, signed and committed to.
    let mut case = |name: &str, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "both-worker", 601, comment, opened(&bytes, "worker", 2));
    };
    let audience = |edit: &dyn Fn(&mut Item)| {
        resigned(&honest, &[user], |forged| {
            let mut body = Item::read(forged.elements[1].body.as_deref().expect("an audience"));
            edit(&mut body);
            forged.elements[1] = Element::control(user, AUDIENCE, body.encode());
        })
    };
    let hint: Vec<u8> = forge::sealing_key(cast.package(&cast.worker).as_bytes())[..8].to_vec();
    let recipient = |edit: &dyn Fn(&mut Item)| {
        audience(&|body| {
            let recipients = body.items()[1].items()[3].items();
            let own = |recipient: &&mut Item| {
                let protected = Item::clone(recipient).into_items().remove(0);
                let protected = Item::read(protected.as_bytes());
                protected.get(4).is_some_and(|found| found.as_bytes() == hint)
            };
            edit(recipients.iter_mut().find(own).expect("the worker is a reader"));
        })
    };
    let record = |edit: &dyn Fn(&mut Item)| {
        resigned(&honest, &[user], |forged| edit(&mut forged.elements[2].record))
    };
    let body = |edit: &dyn Fn(&mut Item)| {
        resigned(&honest, &[user], |forged| {
            let mut body = Item::read(forged.elements[2].body.as_deref().expect("a body"));
            edit(&mut body);
            let digest = forge::hash("sealed", [bytes(body.encode())]);
            forged.elements[2].record.set(3, array([uint(1), bytes(digest)]));
            forged.replace_body(2, body.encode());
        })
    };
    case(
        "audience-id",
        "the audience has another id than its secret gives",
        audience(&|body| flip(&mut body.items()[0])),
    );
    case(
        "audience-iv",
        "the iv of the audience's secret is another one",
        audience(&|body| flip_iv(&mut body.items()[1])),
    );
    case(
        "audience-secret",
        "the audience's encrypted secret is spoilt",
        audience(&|body| flip(&mut body.items()[1].items()[2])),
    );
    case(
        "wrapped-key",
        "the wrapped key is spoilt",
        recipient(&|recipient| flip(&mut recipient.items()[2])),
    );
    case(
        "encapsulated-key",
        "the encapsulated key is another one",
        recipient(&|recipient| {
            let mut key = recipient.items()[1].get(-4).expect("ek").clone();
            flip(&mut key);
            recipient.items()[1].set(-4, key);
        }),
    );
    case(
        "encapsulated-key-zero",
        "the encapsulated key is 0, which gives an all-zero shared secret",
        recipient(&|recipient| recipient.items()[1].set(-4, bytes([0; 32]))),
    );
    case(
        "encapsulated-key-low-order",
        "the encapsulated key is 1, which is of low order",
        recipient(&|recipient| {
            let mut one = [0; 32];
            one[0] = 1;
            recipient.items()[1].set(-4, bytes(one));
        }),
    );
    case("no-such-hint", "no recipient has the reader's hint", {
        audience(&|body| {
            let recipients = body.items()[1].items()[3].items();
            for (recipient, byte) in recipients.iter_mut().zip(1_u8..) {
                let protected = map([(1, uint(50)), (4, bytes([byte; 8]))]);
                recipient.items()[0] = bytes(protected.encode());
            }
        })
    });
    case(
        "body-spoilt",
        "the ciphertext is spoilt; its digest fits",
        body(&|body| flip(&mut body.items()[2])),
    );
    case("body-iv", "the iv is another than the derived one", body(&flip_iv));
    case(
        "body-tag-missing",
        "the ciphertext lacks its last byte",
        body(&|body| {
            let mut short = body.items()[2].as_bytes().to_vec();
            short.pop();
            body.items()[2] = bytes(short);
        }),
    );
    case(
        "kind-of-another",
        "the record says that it is of kind 1 instead of 0",
        record(&|record| record.set(1, uint(ASSISTANT))),
    );
    case(
        "commitment-of-another",
        "the record commits to something else",
        record(&|record| record.set(2, bytes([7; 32]))),
    );
    let mut other_header = honest.clone();
    other_header.header.set(10, Item::Map(vec![(text("skill"), text("other"))]));
    case(
        "another-envelope",
        "audience and body stand under another header",
        resigned(&other_header, &[user], |_| ()),
    );
    let others = cast.grant(
        &cast.user,
        agent_envelope::Grant::new("user", super::super::build::few("summarise", &[])),
        "another chain",
    );
    case(
        "another-element-below",
        "the chain below is another one, so that the body stands in another place",
        resigned(&honest, &[user], |forged| {
            forged.elements[0] =
                Element::control(user, forge::AUTHORITY, others.as_bytes().to_vec());
        }),
    );
    let named = resigned(&honest, &[user], |forged| forged.reseal_to(5, 3));
    family.refuse(
        "audience-of-another-element",
        "same-audience",
        601,
        "the element names the other audience, of which the worker is a reader too",
        opened(&named, "worker", 5),
    );
    plaintexts(cast, &mut family, &honest);
    late(cast, &mut family);
    attached(cast, &mut family);
    family.finish()
}

fn flip_iv(layer: &mut Item) {
    let mut iv = layer.items()[1].get(5).expect("an iv").clone();
    flip(&mut iv);
    layer.items()[1].set(5, iv);
}

/// The planner passes an envelope on and lets the worker into an audience; then it does so wrongly.
fn late(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.user);
    let [planner, worker] = [&cast.planner, &cast.worker].map(|agent| cast.package(agent));
    let sent = Draft::new(&cast.user.identity)
        .to([cast.planner.id(), cast.worker.id()])
        .next(cast.planner.id())
        .expires_in(HOUR)
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"plan and do"[..], [&planner])
        .sign(NOW, entropy("opening/late"))
        .expect("a complete draft");
    let mut mailbox = Inbox::new(cast.made(&cast.planner));
    let admitted = mailbox.receive(sent.as_bytes(), NOW).expect("the planner is next");
    let Some(Received::Sealed(element)) = admitted.elements().next() else {
        panic!("it is sealed")
    };
    let audience = admitted
        .opener(&cast.planner.identity)
        .and_then(|mut opener| opener.audience(&element))
        .expect("the planner is a reader");
    let onward = admitted
        .onward(&cast.planner.identity)
        .let_in(&audience, [&worker])
        .element(NewElement::sealed_to_existing(
            Kind::Reasoning,
            "text/plain",
            &b"first one, then the other"[..],
            &audience,
        ))
        .next(cast.worker.id())
        .sign(later(1), entropy("opening/late onward"))
        .expect("the planner may let others in");
    // 0 chain, 1 audience, 2 sealed user; 3 the second audience, 4 sealed reasoning.
    family.accept(
        "late-reader",
        "a reader lets another one into its audience, who opens what was sealed before",
        opened(&onward, "worker", 2),
    );
    family.variant(
        "late-reader-new-body",
        "late-reader",
        "and what the first reader sealed to that audience",
        opened(&onward, "worker", 4),
    );
    let forged = Forgery::of(&onward);
    let mut other = forged.clone();
    let mut body = Item::read(other.elements[3].body.as_deref().expect("an audience"));
    flip(&mut body.items()[0]);
    other.elements[3] = Element::control(&cast.planner, AUDIENCE, body.encode());
    let bytes = resigned(&other, &[&cast.user, &cast.planner], |_| ());
    family.refuse(
        "late-reader-of-another-audience",
        "late-reader",
        601,
        "the second audience has another id than the first",
        opened(&bytes, "worker", 2),
    );
}

/// The secret of an audience, as its reader gets it, by other libraries than the crate's.
fn audience_secret(forged: &Forgery, element: usize, reader: &Agent) -> Vec<u8> {
    type Kem = hpke::kem::X25519HkdfSha256;
    let digest = bytes(forged.digest());
    let mut body = Item::read(forged.elements[element].body.as_deref().expect("an audience"));
    let id = body.items()[0].clone();
    let mut encrypted = body.items()[1].clone();
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(reader.sealing));
    let own = |recipient: &&mut Item| {
        let protected = Item::clone(recipient).into_items().remove(0);
        let protected = Item::read(protected.as_bytes());
        protected.get(4).is_some_and(|hint| *hint.as_bytes() == public.as_bytes()[..8])
    };
    let recipient = encrypted.items()[3].items().iter_mut().find(own).expect("a reader");
    let [protected, unprotected, wrapped]: [Item; 3] =
        recipient.clone().into_items().try_into().expect("three items");
    let label = text("agent-envelope/1/wrap");
    let extra = array([label, digest.clone(), bytes(reader.id().as_bytes())]);
    let info = array([text("HPKE Recipient"), uint(24), protected, bytes(extra.encode())]).encode();
    let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&reader.sealing).expect("32 bytes");
    let ek = unprotected.get(-4).expect("an encapsulated key");
    let ek = <Kem as hpke::Kem>::EncappedKey::from_bytes(ek.as_bytes()).expect("32 bytes");
    let key = hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, Kem>(
        &hpke::OpModeR::Base,
        &private,
        &ek,
        &info,
        wrapped.as_bytes(),
        &[],
    )
    .expect("the wrap for this reader");
    let aad = array([text("agent-envelope/1/audience"), digest, id]);
    let aad = array([text("Encrypt"), bytes([0xa1, 1, 0x18, 24]), bytes(aad.encode())]).encode();
    let iv = encrypted.items()[1].get(5).expect("an iv").as_bytes().to_vec();
    let msg = encrypted.items()[2].as_bytes();
    let cipher = ChaCha20Poly1305::new(&Key::try_from(&key[..]).expect("32 bytes"));
    let nonce = Nonce::try_from(&iv[..]).expect("12 bytes");
    cipher.decrypt(&nonce, Payload { msg, aad: &aad }).expect("the secret of the audience")
}

/// Seals a plaintext of any form for the place of an element, under a commitment of any kind.
fn seal(
    forged: &mut Forgery,
    element: usize,
    author: &Agent,
    secret: &[u8],
    commit: [u8; 32],
    plaintext: &[u8],
) {
    let Some(Item::Uint(kind)) = forged.elements[element].record.get(1).cloned() else {
        panic!("a kind")
    };
    let label = text("agent-envelope/1/content");
    let before = bytes(forged.head(element));
    let s =
        array([label, before, bytes(author.id().as_bytes()), uint(kind), bytes(commit)]).encode();
    let mut key = [0; 44];
    Hkdf::<Sha256>::from_prk(secret).expect("32 bytes").expand(&s, &mut key).expect("few bytes");
    let aad = array([text("Encrypt0"), bytes([0xa1, 1, 0x18, 24]), bytes(&s)]).encode();
    let cipher = ChaCha20Poly1305::new(&Key::try_from(&key[..32]).expect("32 bytes"));
    let nonce = Nonce::try_from(&key[32..]).expect("12 bytes");
    let sealed = cipher.encrypt(&nonce, Payload { msg: plaintext, aad: &aad }).expect("few bytes");
    let body =
        array([bytes([0xa1, 1, 0x18, 24]), map([(5, bytes(&key[32..]))]), bytes(sealed)]).encode();
    let audience =
        forged.elements[element].record.get(3).expect("sealed").clone().into_items().remove(0);
    let digest = forge::hash("sealed", [bytes(&body)]);
    forged.elements[element].record.set(2, bytes(commit));
    forged.elements[element].record.set(3, array([audience, bytes(digest)]));
    forged.replace_body(element, body);
}

/// Sealed plaintexts made by one who has the audience's secret: what decrypts need not be what was committed to.
fn plaintexts(cast: &Cast, family: &mut Family, honest: &Forgery) {
    let user = &cast.user;
    let secret = audience_secret(honest, 1, &cast.worker);
    let sealed = |committed: &Item, plaintext: &[u8]| {
        resigned(honest, &[user], |forged| {
            let commit = forge::content_commit(&user.id(), committed);
            seal(forged, 2, user, &secret, commit, plaintext);
        })
    };
    let plain = forge::plain([3; 16], "text/plain", b"for both of you");
    let other = forge::plain([3; 16], "text/plain", b"for one of you");
    family.variant(
        "sealed-again",
        "both-worker",
        "the body, sealed again with another salt",
        opened(&sealed(&plain, &plain.encode()), "worker", 2),
    );
    let short = array([bytes([3; 15]), text("text/plain"), bytes(b"for both of you")]);
    let long_head = array([bytes([3; 16]).long(), text("text/plain"), bytes(b"for both of you")]);
    for (name, comment, bytes) in [
        (
            "other-content",
            "what decrypts is not what the record commits to: two readers could be shown two contents",
            sealed(&plain, &other.encode()),
        ),
        (
            "plaintext-trailing",
            "a byte follows in the plaintext",
            sealed(&plain, &[&plain.encode()[..], &[0]].concat()),
        ),
        ("plaintext-empty", "the plaintext is empty", sealed(&plain, &[])),
        (
            "plaintext-salt-15",
            "the salt has 15 bytes, and the commitment fits that",
            sealed(&short, &short.encode()),
        ),
        (
            "plaintext-not-deterministic",
            "a length in the plaintext is not in its shortest form",
            sealed(&plain, &long_head.encode()),
        ),
        (
            "plaintext-control-character",
            "the content type has a line feed, and the commitment fits that",
            {
                let odd = forge::plain([3; 16], "text/\n", b"for both of you");
                sealed(&odd, &odd.encode())
            },
        ),
    ] {
        family.refuse(name, "sealed-again", 601, comment, opened(&bytes, "worker", 2));
    }
    let commit = forge::content_commit(&cast.planner.id(), &plain);
    let bytes =
        resigned(honest, &[user], |forged| seal(forged, 2, user, &secret, commit, &plain.encode()));
    family.refuse(
        "commitment-in-anothers-name",
        "sealed-again",
        601,
        "the commitment is made in the planner's name",
        opened(&bytes, "worker", 2),
    );
    let bytes = resigned(honest, &[user], |forged| {
        let commit = forge::content_commit(&user.id(), &plain);
        seal(forged, 2, &cast.planner, &secret, commit, &plain.encode());
    });
    family.refuse(
        "sealed-in-anothers-name",
        "sealed-again",
        601,
        "the body is sealed in the planner's name",
        opened(&bytes, "worker", 2),
    );
}

/// Bodies that came apart from their envelope.
fn attached(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.user);
    let reader = cast.package(&cast.worker);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .expires_in(HOUR)
        .authority(&chain)
        .element(NewElement::clear(Kind::Memory, "text/plain", &b"a long log"[..]).detachable())
        .element(
            NewElement::sealed(Kind::Artifact, "text/plain", &b"the secret"[..], [&reader])
                .detachable(),
        )
        .sign(NOW, entropy("opening/attached"))
        .expect("a complete draft");
    let forged = Forgery::of(sent.as_bytes());
    let without = sent.detached();
    let body = |element: usize| forged.elements[element].body.clone().expect("it is there");
    let attach = |element: usize, body: &[u8]| {
        [
            inbox("in", "worker"),
            receive("in", &without, SECONDS, "it"),
            json!({ "do": "attach", "received": "it", "bytes": hex(body), "element": element }),
        ]
    };
    family.accept(
        "attached-clear",
        "a clear body that came apart from its envelope",
        attach(1, &body(1)),
    );
    family.accept(
        "attached-sealed",
        "a sealed body that came apart from its envelope",
        attach(3, &body(3)),
    );
    family.refuse(
        "attached-another-clear",
        "attached-clear",
        403,
        "another clear body",
        attach(1, &forge::plain([7; 16], "text/plain", b"another log").encode()),
    );
    let mut spoilt = body(3);
    *spoilt.last_mut().expect("bytes") ^= 1;
    family.refuse(
        "attached-another-sealed",
        "attached-sealed",
        404,
        "a spoilt sealed body",
        attach(3, &spoilt),
    );
    family.refuse(
        "attached-clear-for-sealed",
        "attached-sealed",
        110,
        "a clear body where a sealed one belongs",
        attach(3, &body(1)),
    );
}
