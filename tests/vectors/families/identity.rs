//! SPEC §2.3 and §5: agent ids in bytes and text, key packages, resources; and the one rule for signatures.

use agent_envelope::AgentId;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use serde_json::{Value, json};

use super::super::build::{Cast, Family, verify, with};
use super::super::run::hex;
use super::verification::relayed;
use crate::adversary::cbor::{Item, array, bytes, map, text, uint};
use crate::adversary::forge::{self, Forgery, protected, statement};
use crate::adversary::{Agent, SECONDS};
use crate::why::odd_signature;

fn package(bytes: &[u8], now: u64) -> Value {
    json!({ "do": "key-package", "bytes": hex(bytes), "now": now })
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "identity",
        "Agent ids in bytes and text, key packages by themselves, resources and scopes (SPEC §5, §6.1).",
    );
    key_packages(cast, &mut family);
    agent_ids(cast, &mut family);
    resources(&mut family);
    family.finish()
}

fn claims(agent: &Agent) -> Item {
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(agent.sealing));
    map([
        (1, bytes(agent.id().as_bytes())),
        (2, uint(1)),
        (3, bytes(public.as_bytes())),
        (4, uint(SECONDS)),
        (5, uint(SECONDS + 3600)),
    ])
}

fn key_packages(cast: &Cast, family: &mut Family) {
    let aad = array([text("agent-envelope/1/key-package")]);
    let signed = |signer: &Agent, edit: &dyn Fn(&mut Item)| {
        let mut claims = claims(&cast.worker);
        edit(&mut claims);
        statement(signer, &protected(None), &aad, &claims.encode()).encode()
    };
    let worker = &cast.worker;
    let honest = signed(worker, &|_| ());
    family.accept("key-package", "at the second at which it begins", [package(&honest, SECONDS)]);
    family.variant(
        "key-package-ahead",
        "key-package",
        "60 s before it begins",
        [package(&honest, SECONDS - 60)],
    );
    family.refuse(
        "key-package-too-early",
        "key-package",
        602,
        "61 s before it begins",
        [package(&honest, SECONDS - 61)],
    );
    family.variant(
        "key-package-last-second",
        "key-package",
        "the second before it expires",
        [package(&honest, SECONDS + 3599)],
    );
    family.refuse(
        "key-package-expired",
        "key-package",
        602,
        "at the second at which it expires: there is no skew at this end",
        [package(&honest, SECONDS + 3600)],
    );
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "key-package", code, comment, [package(&bytes, SECONDS)]);
    };
    case(
        "key-package-by-another",
        412,
        "it is signed by a stranger",
        signed(&cast.stranger, &|_| ()),
    );
    case("key-package-as-a-hop", 412, "it is signed as a hop", {
        let aad = array([text("agent-envelope/1/hop")]);
        statement(worker, &protected(None), &aad, &claims(worker).encode()).encode()
    });
    case("key-package-altered", 412, "the sealing key is replaced after signing", {
        let mut altered = Item::read(&honest);
        let mut payload = claims(worker);
        payload.set(3, bytes([9; 32]));
        altered.items()[2] = bytes(payload.encode());
        altered.encode()
    });
    case(
        "key-package-suite-0",
        122,
        "the suite is 0",
        signed(worker, &|claims| claims.set(2, uint(0))),
    );
    case(
        "key-package-suite-2",
        122,
        "the suite is 2",
        signed(worker, &|claims| claims.set(2, uint(2))),
    );
    case(
        "key-package-reversed",
        322,
        "it expires when it begins",
        signed(worker, &|claims| claims.set(5, uint(SECONDS))),
    );
    case(
        "key-package-long-lived",
        323,
        "it lives a day and a second",
        signed(worker, &|claims| claims.set(5, uint(SECONDS + 86_401))),
    );
    case(
        "key-package-short-key",
        115,
        "the sealing key has 31 bytes",
        signed(worker, &|claims| claims.set(3, bytes([9; 31]))),
    );
    case(
        "key-package-key-6",
        111,
        "there is a key 6",
        signed(worker, &|claims| claims.set(6, uint(0))),
    );
    case(
        "key-package-of-small-order",
        123,
        "the agent is a point of small order",
        signed(worker, &|claims| {
            claims.set(1, bytes(EIGHT_TORSION[1].compress().as_bytes()));
        }),
    );
    let day = signed(worker, &|claims| claims.set(5, uint(SECONDS + 86_400)));
    family.variant(
        "key-package-of-a-day",
        "key-package",
        "it lives exactly a day",
        [package(&day, SECONDS)],
    );
    family.accept(
        "key-package-limit",
        "a limit of its own lifetime",
        [with(package(&honest, SECONDS), "limits", json!({ "key_package_lifetime": 3600 }))],
    );
    family.refuse(
        "key-package-beyond-limit",
        "key-package-limit",
        323,
        "a limit of a second less",
        [with(package(&honest, SECONDS), "limits", json!({ "key_package_lifetime": 3599 }))],
    );
}

fn agent_ids(cast: &Cast, family: &mut Family) {
    let bytes = |bytes: &[u8]| json!({ "do": "agent-id", "bytes": hex(bytes) });
    let id = cast.worker.id();
    family.accept("agent-id", "an Ed25519 public key", [bytes(id.as_bytes())]);
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    family.variant(
        "agent-id-off-the-curve",
        "agent-id",
        "y = 2 has no point on the curve; nothing verifies under it, but its bytes are in order",
        [bytes(&off_curve)],
    );
    let mixed = (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress();
    family.variant(
        "agent-id-mixed-order",
        "agent-id",
        "a point of mixed order",
        [bytes(mixed.as_bytes())],
    );
    let mut last = [0xff; 32];
    (last[0], last[31]) = (0xeb, 0x7f);
    family.variant("agent-id-p-less-2", "agent-id", "y = p - 2", [bytes(&last)]);
    for (index, torsion) in EIGHT_TORSION.iter().enumerate() {
        let key = torsion.compress();
        family.refuse(
            &format!("agent-id-small-order-{index}"),
            "agent-id",
            123,
            "a point of small order",
            [bytes(key.as_bytes())],
        );
    }
    let mut minus_zero = [0; 32];
    (minus_zero[0], minus_zero[31]) = (1, 0x80);
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    let mut p_plus_3 = p;
    p_plus_3[0] = 0xf0;
    for (name, comment, key) in [
        ("agent-id-minus-zero", "x = 0 with the sign bit", minus_zero),
        ("agent-id-p", "y = p, which is 0 again", p),
        ("agent-id-p-plus-3", "y = p + 3", p_plus_3),
        ("agent-id-all-ones", "all bits are set", [0xff; 32]),
    ] {
        family.refuse(name, "agent-id", 123, comment, [bytes(&key)]);
    }
    let text = |text: &str| json!({ "do": "agent-id-text", "text": text });
    let honest = id.to_string();
    family.accept("did-key", "an agent id as text", [text(&honest)]);
    let multibase = |prefix: &[u8], key: &[u8]| {
        format!("did:key:z{}", bs58::encode([prefix, key].concat()).into_string())
    };
    for (name, comment, written) in [
        ("did-key-other-method", "another DID method", honest.replace("did:key:", "did:web:")),
        ("did-key-upper-case", "the scheme in upper case", honest.replace("did:", "DID:")),
        ("did-key-other-base", "a multibase prefix other than z", honest.replace(":z", ":m")),
        (
            "did-key-not-base58",
            "a character that base58btc does not have",
            format!("{}0", &honest[..honest.len() - 1]),
        ),
        ("did-key-x25519", "the multicodec of X25519", multibase(&[0xec, 1], id.as_bytes())),
        ("did-key-short", "31 bytes", multibase(&[0xed, 1], &id.as_bytes()[..31])),
        ("did-key-long", "33 bytes", multibase(&[0xed, 1], &[&id.as_bytes()[..], &[0]].concat())),
        (
            "did-key-small-order",
            "a key of small order",
            multibase(&[0xed, 1], EIGHT_TORSION[2].compress().as_bytes()),
        ),
        ("did-key-fragment", "a fragment follows", format!("{honest}#{}", &honest[8..])),
        ("did-key-space", "a space follows", format!("{honest} ")),
        (
            "did-key-leading-one",
            "a leading 1 stands for a zero byte that is not there",
            honest.replace(":z", ":z1"),
        ),
    ] {
        family.refuse(name, "did-key", 123, comment, [text(&written)]);
    }
}

fn resources(family: &mut Family) {
    let resource = |text: &str| json!({ "do": "resource", "text": text });
    family.accept("resource", "two segments", [resource("mail/inbox")]);
    family.variant(
        "resource-everything",
        "resource",
        "no segment: a prefix of everything",
        [resource("")],
    );
    family.variant(
        "resource-all-characters",
        "resource",
        "every kind of character that a segment may have",
        [resource("AZaz09._~:@+-/...")],
    );
    family.variant(
        "resource-16",
        "resource",
        "16 segments of 64 bytes in the last",
        [resource(&format!("{}{}", "a/".repeat(15), "b".repeat(64)))],
    );
    for (name, code, comment, text) in [
        ("resource-leading-slash", 122, "the first segment is empty", "/mail".to_owned()),
        ("resource-trailing-slash", 122, "the last segment is empty", "mail/".to_owned()),
        ("resource-dots", 122, "a segment is two dots", "mail/../admin".to_owned()),
        ("resource-star", 122, "a segment is a star", "mail/*".to_owned()),
        ("resource-percent", 122, "a segment is percent-encoded", "mail/%2e".to_owned()),
        ("resource-not-ascii", 122, "a segment is not ASCII", "mail/äpfel".to_owned()),
        ("resource-65", 122, "a segment has 65 bytes", "b".repeat(65)),
        ("resource-17", 201, "there are 17 segments", format!("{}a", "a/".repeat(16))),
    ] {
        family.refuse(name, "resource", code, comment, [resource(&text)]);
    }
    let scope = json!([[["mail.read"], ["mail", "inbox"]], [["mail.send"], []]]);
    let allows = |action: &str, resource: &str| json!({ "do": "allows", "scope": scope, "action": action, "resource": resource });
    family.accept(
        "allows-exactly",
        "the resource is the prefix",
        [allows("mail.read", "mail/inbox")],
    );
    for (name, comment, action, resource) in [
        ("allows-below", "the resource is below the prefix", "mail.read", "mail/inbox/42"),
        ("allows-not-above", "the resource is above the prefix", "mail.read", "mail"),
        (
            "allows-no-part-of-a-segment",
            "a segment that only begins like the prefix's",
            "mail.read",
            "mail/inboxes",
        ),
        (
            "allows-other-action",
            "another action on everything does not help this one",
            "mail.delete",
            "mail/inbox",
        ),
    ] {
        family.accept(name, comment, [allows(action, resource)]);
    }
    family.accept("allows-everything", "an empty prefix", [allows("mail.send", "anything/at/all")]);
    family.accept(
        "allows-no-part-of-an-action",
        "an action that only begins like one",
        [allows("mail.sen", "mail")],
    );
}

// ---- signatures ---------------------------------------------------------------------------------

/// S plus L, which is S again.
fn plus_order(mut signature: [u8; 64]) -> [u8; 64] {
    let order = (-Scalar::ONE).to_bytes();
    let mut carry = 1;
    for (byte, order) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    signature
}

fn message(forged: &Forgery, hop: usize) -> Vec<u8> {
    let aad = forge::hop_aad(&forged.before(hop));
    forge::to_be_signed(&protected(None), &aad, &forged.hop(hop).encode())
}

/// The same signatures on hop 0, which is checked alone, and on hop 1, which is checked in a batch.
pub(super) fn signatures(cast: &Cast) -> Value {
    let mut family = Family::new(
        "signatures",
        "The one rule for Ed25519 (SPEC §2.3): on hop 0, which a verifier checks alone, on hop 1, which it checks in a batch, and on a key package.",
    );
    family.verifiers_of(cast);
    let path = relayed(cast);
    let agents = [&cast.user, &cast.planner];
    let read = |bytes: &[u8]| verify("reader", bytes, "worker", SECONDS);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut minus_zero = neutral;
    minus_zero[31] = 0x80;
    let mut beyond_p = [0xff; 32];
    (beyond_p[0], beyond_p[31]) = (0xee, 0x7f);
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for (hop, signer) in agents.into_iter().enumerate() {
        let base = format!("hop-{hop}");
        let signed = |sign: &dyn Fn(&[u8]) -> [u8; 64]| {
            let mut forged = path.clone();
            let signature = sign(&message(&forged, hop));
            forged.hops[hop].items()[3] = bytes(signature);
            // A hop's id does not cover its signature, so later hops stand.
            forged.encode()
        };
        let odd = |nonce: u64, torsion: usize, written: Option<[u8; 32]>| {
            signed(&move |message| {
                odd_signature(signer, &signer.id(), message, nonce, torsion, written)
            })
        };
        family.accept(&base, "R is of prime order", [read(&odd(7, 0, None))]);
        for torsion in 1..8 {
            family.variant(
                &format!("{base}-torsion-{torsion}"),
                &base,
                "R has a part of small order, which the cofactor clears",
                [read(&odd(7, torsion, None))],
            );
        }
        family.variant(
            &format!("{base}-r-neutral"),
            &base,
            "R is the neutral element",
            [read(&odd(0, 0, None))],
        );
        family.variant(
            &format!("{base}-r-small-order"),
            &base,
            "R is of small order",
            [read(&odd(0, 3, None))],
        );
        for (name, comment, bytes) in [
            (
                "r-minus-zero",
                "R is the neutral element, written with the sign bit",
                odd(0, 0, Some(minus_zero)),
            ),
            ("r-beyond-p", "R is the neutral element, written as p + 1", odd(0, 0, Some(beyond_p))),
            ("r-no-point", "R is no point of the curve", odd(7, 0, Some(no_point))),
            (
                "s-plus-l",
                "S + L for S",
                signed(&|message| {
                    plus_order(odd_signature(signer, &signer.id(), message, 7, 0, None))
                }),
            ),
            (
                "s-zero",
                "S is 0",
                signed(&|message| {
                    let mut signature = odd_signature(signer, &signer.id(), message, 7, 0, None);
                    signature[32..].fill(0);
                    signature
                }),
            ),
            (
                "other-message",
                "the signature is over the message with one bit changed",
                signed(&|message| {
                    let mut other = message.to_vec();
                    other[40] ^= 1;
                    odd_signature(signer, &signer.id(), &other, 7, 0, None)
                }),
            ),
            (
                "other-key",
                "k is made with another key",
                signed(&|message| odd_signature(signer, &cast.stranger.id(), message, 7, 0, None)),
            ),
        ] {
            family.refuse(&format!("{base}-{name}"), &base, 410, comment, [read(&bytes)]);
        }
    }

    // A key of mixed order: it may sign. A key that is no point: nothing verifies.
    let aad = array([text("agent-envelope/1/key-package")]);
    let owned = |key: &[u8; 32], sign: &dyn Fn(&[u8]) -> [u8; 64]| {
        let mut payload = claims(&cast.worker);
        payload.set(1, bytes(key));
        let payload = payload.encode();
        let message = forge::to_be_signed(&protected(None), &aad, &payload);
        array([bytes(protected(None).encode()), map([]), bytes(&payload), bytes(sign(&message))])
            .encode()
    };
    let worker = &cast.worker;
    let own = *worker.id().as_bytes();
    let sign_as = |key: [u8; 32]| {
        move |message: &[u8]| {
            let key = AgentId::from_bytes(key).expect("bytes in order");
            odd_signature(worker, &key, message, 7, 0, None)
        }
    };
    let package = |bytes: &[u8]| package(bytes, SECONDS);
    family.accept(
        "key-of-prime-order",
        "a key package of a key of prime order",
        [package(&owned(&own, &sign_as(own)))],
    );
    let point = curve25519_dalek::edwards::CompressedEdwardsY(own).decompress().expect("a point");
    let mixed = (point + EIGHT_TORSION[1]).compress().to_bytes();
    family.variant(
        "key-of-mixed-order",
        "key-of-prime-order",
        "a key of mixed order: the cofactor clears what it adds",
        [package(&owned(&mixed, &sign_as(mixed)))],
    );
    family.refuse(
        "key-no-point",
        "key-of-prime-order",
        412,
        "a key that is no point of the curve",
        [package(&owned(&no_point, &sign_as(no_point)))],
    );
    family.finish()
}
