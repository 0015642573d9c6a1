//! SPEC §9.3: everything that a verifier compares once the form is right, in its order.

use serde_json::{Value, json};

use super::super::build::{
    Cast, Family, cover_again, edit_control, entropy, extend, few, resigned, verify,
};
use super::super::run::hex;
use crate::adversary::cbor::{Item, array, bytes, text, uint};
use crate::adversary::forge::{self, ASSISTANT, AUTHORITY, Element, Forgery};
use crate::adversary::{Agent, HOUR, ISSUER, NOW, SECONDS};
use agent_envelope::{DelegationChain, Draft, Grant, Kind, Narrow};

const DAY: u64 = 86_400;

/// From the user to the worker through the planner: 0 chain, 1 key package, 2 user, 3 audience, 4 sealed to the worker;
/// hop 1 adds 5 the planner's own chain and 6 a remark.
pub(super) fn relayed(cast: &Cast) -> Forgery {
    let (chain, own) = (cast.authority(&cast.user), cast.package(&cast.user));
    let reader = cast.package(&cast.worker);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .next(cast.planner.id())
        .expires_in(HOUR)
        .label("skill", "summarise")
        .authority(&chain)
        .key_package(&own)
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .sealed(Kind::Artifact, "text/plain", &b"the secret"[..], [&reader])
        .sign(NOW, entropy("verification/relayed"))
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    let own = cast.authority(&cast.planner);
    forged.elements.push(Element::control(&cast.planner, AUTHORITY, own.as_bytes().to_vec()));
    forged.elements.push(Element::clear(&cast.planner, ASSISTANT, b"a remark"));
    forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
    forged
}

/// From the user straight to the worker under a chain: 0 chain, 1 user.
fn under(cast: &Cast, chain: &[u8]) -> Vec<u8> {
    let usual = cast.authority(&cast.user);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .expires_in(HOUR)
        .authority(&usual)
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .sign(NOW, entropy("verification/under"))
        .expect("a complete draft");
    resigned(&Forgery::of(sent.as_bytes()), &[&cast.user], |forged| {
        forged.elements[0] = Element::control(&cast.user, AUTHORITY, chain.to_vec());
    })
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "verification",
        "Everything of SPEC §9.3 but replay and budgets: times, addressees, hashes, policy, revocation, trust, signatures, contents.",
    );
    family.verifiers_of(cast);
    let signers = [&cast.user, &cast.planner];
    let path = relayed(cast);
    let honest = path.encode();
    let read = |bytes: &[u8]| verify("reader", bytes, "worker", SECONDS);
    family.accept(
        "relayed",
        "two hops with authority of their own, clear and sealed content, read by the recipient",
        [read(&honest)],
    );
    family.variant(
        "relayed-as-relay",
        "relayed",
        "the same, by a relay that may hand it on",
        [verify("relay", &honest, "worker", SECONDS)],
    );
    family.variant(
        "relayed-as-observer",
        "relayed",
        "the same, by an observer",
        [verify("observer", &honest, "worker", SECONDS)],
    );
    family.accept(
        "observed-by-anybody",
        "an observer need not be named",
        [verify("observer", &honest, "stranger", SECONDS)],
    );
    let changed = |edit: &dyn Fn(&mut Forgery)| resigned(&path, &signers, edit);

    // 1. Times.
    let lives = |seconds: u64| changed(&|forged| forged.header.set(6, uint(SECONDS + seconds)));
    family.variant("lifetime-a-day", "relayed", "a lifetime of exactly a day", [read(&lives(DAY))]);
    family.refuse(
        "lifetime-beyond-a-day",
        "relayed",
        323,
        "a lifetime of a day and a second",
        [read(&lives(DAY + 1))],
    );
    family.verifier_like("worker-short-lived", "worker", json!({ "limits": { "lifetime": 3599 } }));
    family.refuse(
        "lifetime-beyond-the-limit",
        "relayed",
        323,
        "the verifier's own limit is a second less than the lifetime",
        [verify("reader", &honest, "worker-short-lived", SECONDS)],
    );
    family.verifier_like("worker-exact-clock", "worker", json!({ "skew": 0 }));
    family.variant(
        "created-within-skew",
        "relayed",
        "created 30 s after now, with a skew of 30 s",
        [verify("reader", &honest, "worker", SECONDS - 30)],
    );
    family.refuse(
        "created-in-the-future",
        "relayed",
        320,
        "created 31 s after now, with a skew of 30 s",
        [verify("reader", &honest, "worker", SECONDS - 31)],
    );
    family.accept(
        "exact-clock",
        "without skew, at the second of created",
        [verify("reader", &honest, "worker-exact-clock", SECONDS)],
    );
    family.refuse(
        "created-in-the-future-exactly",
        "exact-clock",
        320,
        "a second earlier",
        [verify("reader", &honest, "worker-exact-clock", SECONDS - 1)],
    );
    // The chain of an hour and the key package end with the envelope; only an envelope that nobody vouches for outlives them.
    family.verifier_like("worker-trusting", "worker", json!({ "admit_untrusted_origins": true }));
    family.accept(
        "expires-within-skew",
        "29 s after expires, with a skew of 30 s; the chain has as long",
        [verify("reader", &honest, "worker", SECONDS + 3629)],
    );
    family.refuse(
        "expired",
        "expires-within-skew",
        321,
        "30 s after expires: the second that expires names is over",
        [verify("reader", &honest, "worker", SECONDS + 3630)],
    );
    family.variant(
        "last-second",
        "exact-clock",
        "without skew, the second before expires",
        [verify("reader", &honest, "worker-exact-clock", SECONDS + 3599)],
    );
    family.refuse(
        "expired-exactly",
        "exact-clock",
        321,
        "without skew, at the second of expires",
        [verify("reader", &honest, "worker-exact-clock", SECONDS + 3600)],
    );
    let dated = |seconds: u64| {
        changed(&|forged| forged.edit_hop(1, |hop| hop.set(3, uint(SECONDS + seconds))))
    };
    family.variant(
        "hop-within-skew",
        "relayed",
        "hop 1 is dated 30 s after now",
        [read(&dated(30))],
    );
    family.refuse(
        "hop-in-the-future",
        "relayed",
        304,
        "hop 1 is dated 31 s after now",
        [read(&dated(31))],
    );
    let bytes = dated(1);
    family.refuse(
        "hop-in-the-future-exactly",
        "exact-clock",
        304,
        "without skew, hop 1 is dated a second after now",
        [verify("reader", &bytes, "worker-exact-clock", SECONDS)],
    );

    // 2. Addressees.
    family.refuse(
        "not-next-as-reader",
        "relayed",
        330,
        "the auditor is not in the last next",
        [verify("reader", &honest, "auditor", SECONDS)],
    );
    family.refuse(
        "not-next-as-relay",
        "relayed-as-relay",
        330,
        "the planner was next before, and is no more",
        [verify("relay", &honest, "planner", SECONDS)],
    );
    let first = {
        let mut forged = path.clone();
        forged.hops.truncate(1);
        forged.elements.truncate(5);
        cover_again(&mut forged, &[&cast.user]);
        forged
    };
    let at_planner = first.encode();
    family.accept(
        "at-the-planner",
        "the planner, who is next and no recipient, relays",
        [verify("relay", &at_planner, "planner", SECONDS)],
    );
    family.refuse(
        "relay-reads",
        "at-the-planner",
        331,
        "the planner reads",
        [verify("reader", &at_planner, "planner", SECONDS)],
    );
    family.refuse(
        "recipient-not-next",
        "at-the-planner",
        330,
        "the recipient relays before its turn",
        [verify("relay", &at_planner, "worker", SECONDS)],
    );
    let let_in = changed(&|forged| {
        forged.edit_hop(1, |hop| {
            let mut next = [cast.worker.id(), cast.auditor.id()];
            next.sort();
            hop.set(2, forge::agents(&next));
        })
    });
    family.accept(
        "next-beside-the-recipient",
        "next are the recipient and the auditor; the auditor relays",
        [verify("relay", &let_in, "auditor", SECONDS)],
    );
    family.refuse(
        "next-but-no-recipient",
        "next-beside-the-recipient",
        331,
        "the auditor reads",
        [verify("reader", &let_in, "auditor", SECONDS)],
    );

    // 4. and 5. Hashes, and whose a chain is.
    family.refuse(
        "head-of-hop-0",
        "relayed",
        401,
        "hop 0 signs another head",
        [read(&{
            let mut forged = path.clone();
            forged.edit_hop(0, |hop| hop.set(5, bytes_of(&[7; 32])));
            forged.sign_hop(0, &cast.user);
            forged.sign_hop(1, &cast.planner);
            forged.encode()
        })],
    );
    family.refuse(
        "head-of-hop-1",
        "relayed",
        401,
        "hop 1 signs the head of hop 0",
        [read(&{
            let mut forged = path.clone();
            let head = forged.head(5);
            forged.edit_hop(1, |hop| hop.set(5, bytes_of(&head)));
            forged.sign_hop(1, &cast.planner);
            forged.encode()
        })],
    );
    let mut moved = path.clone();
    moved.elements.swap(5, 6);
    family.refuse(
        "elements-swapped",
        "relayed",
        401,
        "the two elements of hop 1 are swapped after it was signed",
        [read(&moved.encode())],
    );
    let mut altered = path.clone();
    altered.elements[6].record.set(5, uint(1));
    family.refuse(
        "record-altered",
        "relayed",
        401,
        "a record is altered after it was signed",
        [read(&altered.encode())],
    );
    family.refuse(
        "control-commit-of-a-chain",
        "relayed",
        402,
        "the record of a chain commits to something else",
        [read(&changed(&|forged| {
            forged.elements[0].record.set(2, bytes_of(&[7; 32]));
        }))],
    );
    family.refuse(
        "control-commit-in-anothers-name",
        "relayed",
        402,
        "the planner's chain is committed to in the user's name",
        [read(&changed(&|forged| {
            let body = forged.elements[5].body.clone().expect("a chain");
            let commit = forge::control_commit(&cast.user.id(), AUTHORITY, &body);
            forged.elements[5].record.set(2, bytes_of(&commit));
        }))],
    );
    family.refuse(
        "control-commit-of-another-kind",
        "relayed",
        402,
        "the commitment of the audience is made for kind 64",
        [read(&changed(&|forged| {
            let body = forged.elements[3].body.clone().expect("an audience");
            let commit = forge::control_commit(&cast.user.id(), AUTHORITY, &body);
            forged.elements[3].record.set(2, bytes_of(&commit));
        }))],
    );
    let others = cast.authority(&cast.planner);
    family.refuse(
        "chain-of-another",
        "relayed",
        501,
        "the user brings a chain that ends in the planner",
        [read(&changed(&|forged| {
            forged.elements[0] =
                Element::control(&cast.user, AUTHORITY, others.as_bytes().to_vec());
        }))],
    );
    let users = cast.authority(&cast.user);
    family.refuse(
        "chain-of-the-originator",
        "relayed",
        501,
        "the planner brings the user's chain",
        [read(&changed(&|forged| {
            forged.elements[5] =
                Element::control(&cast.planner, AUTHORITY, users.as_bytes().to_vec());
        }))],
    );

    // 6. Policy.
    family.verifier_like("worker-sealed-only", "worker", json!({ "require_sealed": true }));
    family.refuse(
        "clear-content",
        "relayed",
        606,
        "the verifier asks for sealed content",
        [verify("reader", &honest, "worker-sealed-only", SECONDS)],
    );
    let only_sealed = {
        let chain = cast.authority(&cast.user);
        let reader = cast.package(&cast.worker);
        Draft::new(&cast.user.identity)
            .to(cast.worker.id())
            .expires_in(HOUR)
            .authority(&chain)
            .sealed(Kind::User, "text/plain", &b"summarise"[..], [&reader])
            .sign(NOW, entropy("verification/only-sealed"))
            .expect("a complete draft")
    };
    family.accept(
        "only-sealed",
        "all content is sealed, as the verifier asks",
        [verify("reader", only_sealed.as_bytes(), "worker-sealed-only", SECONDS)],
    );
    let clear = resigned(&Forgery::of(only_sealed.as_bytes()), &[&cast.user], |forged| {
        forged.elements[2] = Element::clear(&cast.user, 0, b"summarise");
    });
    family.refuse(
        "clear-instead-of-sealed",
        "only-sealed",
        606,
        "the same content is clear",
        [verify("reader", &clear, "worker-sealed-only", SECONDS)],
    );

    // 7. Revocation.
    let list =
        |as_of: u64, max_age: u64| json!({ "revocations": { "as_of": as_of, "max_age": max_age } });
    family.verifier_like("worker-list-new", "worker", list(SECONDS + 30, 3600));
    family.verifier_like("worker-list-from-the-future", "worker", list(SECONDS + 31, 3600));
    family.verifier_like("worker-list-old", "worker", list(SECONDS - 3629, 3600));
    family.verifier_like("worker-list-too-old", "worker", list(SECONDS - 3630, 3600));
    for (name, comment) in [
        ("worker-list-new", "the list was made 30 s after now, with a skew of 30 s"),
        ("worker-list-old", "the list is 3629 s old, of 3600 and a skew of 30 s"),
    ] {
        family.variant(
            &name.replace("worker-", ""),
            "relayed",
            comment,
            [verify("reader", &honest, name, SECONDS)],
        );
    }
    for (name, comment) in [
        ("worker-list-from-the-future", "the list was made 31 s after now"),
        ("worker-list-too-old", "the list is 3630 s old, of 3600 and a skew of 30 s"),
    ] {
        family.refuse(
            &name.replace("worker-", ""),
            "relayed",
            511,
            comment,
            [verify("reader", &honest, name, SECONDS)],
        );
    }
    let revoked = |key: &str, value: String| {
        let mut list = list(SECONDS, 3600);
        list["revocations"][key] = json!([value]);
        list
    };
    family.verifier_like(
        "worker-user-revoked",
        "worker",
        revoked("keys", hex(cast.user.id().as_bytes())),
    );
    family.verifier_like(
        "worker-planner-revoked",
        "worker",
        revoked("keys", hex(cast.planner.id().as_bytes())),
    );
    family.verifier_like(
        "worker-auditor-revoked",
        "worker",
        revoked("keys", hex(cast.auditor.id().as_bytes())),
    );
    family.variant(
        "another-revoked",
        "relayed",
        "a key is revoked that plays no part",
        [verify("reader", &honest, "worker-auditor-revoked", SECONDS)],
    );
    family.refuse(
        "originator-revoked",
        "relayed",
        512,
        "the key of the originator is revoked",
        [verify("reader", &honest, "worker-user-revoked", SECONDS)],
    );
    family.refuse(
        "hop-signer-revoked",
        "relayed",
        512,
        "the key of hop 1's signer is revoked",
        [verify("reader", &honest, "worker-planner-revoked", SECONDS)],
    );

    trust(cast, &mut family);

    // 10. and 11. Signatures.
    let signed = |hop: usize, agent: &Agent| {
        let mut forged = path.clone();
        forged.sign_hop(hop, agent);
        forged.encode()
    };
    family.refuse(
        "hop-0-by-another",
        "relayed",
        410,
        "hop 0 is signed by a stranger",
        [read(&signed(0, &cast.stranger))],
    );
    family.refuse(
        "hop-1-by-another",
        "relayed",
        410,
        "hop 1 is signed by a stranger",
        [read(&signed(1, &cast.stranger))],
    );
    family.refuse(
        "hop-0-for-another-use",
        "relayed",
        410,
        "hop 0 is signed as a link",
        [read(&{
            let mut forged = path.clone();
            let aad = array([text("agent-envelope/1/link"), bytes_of(&forged.digest())]);
            let payload = forged.hop(0).encode();
            forged.hops[0] = forge::statement(&cast.user, &forge::protected(None), &aad, &payload);
            forged.sign_hop(1, &cast.planner);
            forged.encode()
        })],
    );
    family.refuse(
        "hop-1-over-another-hop-0",
        "relayed",
        410,
        "hop 1 is signed over another id of hop 0",
        [read(&{
            let mut forged = path.clone();
            let payload = forged.hop(1).encode();
            forged.hops[1] = forge::statement(
                &cast.planner,
                &forge::protected(None),
                &forge::hop_aad(&[7; 32]),
                &payload,
            );
            forged.encode()
        })],
    );
    let claims = forge::root_claims(ISSUER, &cast.user, forge::scope(&[(&["summarise"], &[])]), 2);
    let link = |signer: &Agent| forge::chain(&cast.login.id(), &[(signer, claims.clone())]);
    let with_chain = |chain: Vec<u8>| {
        changed(&move |forged| {
            forged.elements[0] = Element::control(&cast.user, AUTHORITY, chain.clone())
        })
    };
    family.variant(
        "chain-by-the-root",
        "relayed",
        "another chain, signed by its root key",
        [read(&with_chain(link(&cast.login)))],
    );
    family.refuse(
        "link-by-another",
        "chain-by-the-root",
        411,
        "the same chain, signed by a stranger",
        [read(&with_chain(link(&cast.stranger)))],
    );
    family.refuse(
        "link-of-a-hop",
        "relayed",
        411,
        "the signature of the planner's chain is spoilt",
        [read(&changed(&|forged| {
            edit_control(forged, 5, &cast.planner, |chain| flip(&mut chain.items()[0].items()[3]));
        }))],
    );
    family.refuse(
        "key-package-by-another",
        "relayed",
        412,
        "the user's key package is signed by a stranger",
        [read(&changed(&|forged| {
            let package = forge::key_package(cast.user.id(), &[9; 32], &cast.stranger);
            forged.elements[1] = Element::control(&cast.user, 66, package);
        }))],
    );
    family.refuse(
        "key-package-altered",
        "relayed",
        412,
        "the sealing key in the user's key package is another one",
        [read(&changed(&|forged| {
            edit_control(forged, 1, &cast.user, |package| {
                let mut payload = Item::read(package.items()[2].as_bytes());
                payload.set(3, bytes_of(&[9; 32]));
                package.items()[2] = bytes_of(&payload.encode());
            });
        }))],
    );

    // 12. Contents.
    let replaced = |content: &[u8]| forge::plain([7; 16], "text/plain", content).encode();
    family.refuse(
        "content-replaced",
        "relayed",
        403,
        "the body of the user's element is replaced",
        [read(&{
            let mut forged = path.clone();
            forged.replace_body(2, replaced(b"delete all"));
            forged.encode()
        })],
    );
    family.refuse(
        "content-commit-in-anothers-name",
        "relayed",
        403,
        "the planner commits to its remark in the user's name",
        [read(&changed(&|forged| {
            let plain = Item::read(forged.elements[6].body.as_deref().expect("clear"));
            let commit = forge::content_commit(&cast.user.id(), &plain);
            forged.elements[6].record.set(2, bytes_of(&commit));
        }))],
    );
    family.refuse(
        "content-type-replaced",
        "relayed",
        403,
        "the content type of a remark is replaced",
        [read(&{
            let mut forged = path.clone();
            forged.replace_body(6, forge::plain([7; 16], "text/html", b"a remark").encode());
            forged.encode()
        })],
    );
    family.refuse(
        "sealed-body-replaced",
        "relayed",
        404,
        "a byte of the sealed body is another one",
        [read(&{
            let mut forged = path.clone();
            let mut body = forged.elements[4].body.clone().expect("sealed");
            *body.last_mut().expect("bytes") ^= 1;
            forged.replace_body(4, body);
            forged.encode()
        })],
    );
    family.refuse(
        "sealed-digest-replaced",
        "relayed",
        404,
        "the record has another digest of the sealed body",
        [read(&changed(&|forged| {
            forged.elements[4].record.set(3, array([uint(3), bytes_of(&[7; 32])]));
        }))],
    );
    carriers(cast, &mut family, &path);
    packages(cast, &mut family);
    family.finish()
}

fn bytes_of(value: &[u8]) -> Item {
    bytes(value)
}

fn flip(item: &mut Item) {
    let mut flipped = item.as_bytes().to_vec();
    flipped[0] ^= 1;
    *item = bytes(flipped);
}

/// Step 8, what chains are worth: each way in which one counts for nothing, by a verifier that admits origins without
/// authority, and by one that does not.
fn trust(cast: &Cast, family: &mut Family) {
    let read = |bytes: &[u8], verifier: &str| verify("reader", bytes, verifier, SECONDS);
    let usual = cast.authority(&cast.user);
    let honest = under(cast, usual.as_bytes());
    family.accept(
        "under-a-chain",
        "one link from the anchor to the originator",
        [read(&honest, "worker")],
    );

    family.variant(
        "under-a-chain-trusting",
        "under-a-chain",
        "the same, by a verifier that admits origins without authority",
        [read(&honest, "worker-trusting")],
    );

    // The anchor narrows, the chain does not.
    let anchor = cast.anchor_json();
    let mut narrower = |name: &str, key: &str, value: Value| {
        let mut anchor = anchor.clone();
        anchor[key] = value;
        let both = json!({ "anchors": [anchor], "admit_untrusted_origins": true });
        family.verifier_like(&format!("worker-{name}-trusting"), "worker", both.clone());
        family.verifier_like(
            &format!("worker-{name}"),
            "worker",
            json!({ "anchors": both["anchors"] }),
        );
    };
    narrower("other-issuer", "issuer", json!("https://other.example"));
    narrower("other-subjects", "subjects", json!(["alice", "bob"]));
    narrower("less-scope", "scope", json!([[["mail.read", "mail.send"], ["mail"]]]));
    narrower("less-depth", "depth", json!(1));
    narrower("less-lifetime", "max_lifetime", json!(3599));
    narrower("other-key", "key", json!(hex(cast.auditor.id().as_bytes())));
    let revoked = |key: &str, value: String| json!({ "revocations": { "as_of": SECONDS, "max_age": 3600, key: [value] } });
    let mut lists = |name: &str, mut config: Value| {
        family.verifier_like(&format!("worker-{name}"), "worker", config.clone());
        config["admit_untrusted_origins"] = json!(true);
        family.verifier_like(&format!("worker-{name}-trusting"), "worker", config);
    };
    lists("link-revoked", revoked("links", hex(usual.id().as_bytes())));
    lists("token-revoked", revoked("tokens", hex(token(&usual))));
    lists("root-revoked", revoked("keys", hex(cast.login.id().as_bytes())));
    for (name, comment) in [
        ("other-key", "the root key is no anchor"),
        ("other-issuer", "the anchor has another name than the root states"),
        ("other-subjects", "the anchor vouches for other subjects"),
        ("less-scope", "the anchor has less to give than the root grants"),
        ("less-depth", "the anchor allows fewer links below"),
        ("less-lifetime", "the root lives a second longer than the anchor allows"),
        ("link-revoked", "the link's id is revoked"),
        ("token-revoked", "the link's token id is revoked"),
        ("root-revoked", "the root key is revoked"),
    ] {
        let admitted = format!("{comment}; the verifier admits origins without authority");
        family.variant(
            &format!("{name}-admitted"),
            "under-a-chain",
            &admitted,
            [read(&honest, &format!("worker-{name}-trusting"))],
        );
        family.refuse(
            name,
            "under-a-chain",
            510,
            comment,
            [read(&honest, &format!("worker-{name}"))],
        );
    }

    // The chain differs.
    let grant = || Grant::new("user", few("summarise", &[])).depth(2);
    let granted =
        |label: &str, grant: Grant| under(cast, cast.grant(&cast.user, grant, label).as_bytes());
    let claims = |edit: &dyn Fn(&mut Item)| {
        let mut claims =
            forge::root_claims(ISSUER, &cast.user, forge::scope(&[(&["summarise"], &[])]), 2);
        edit(&mut claims);
        under(cast, &forge::chain(&cast.login.id(), &[(&cast.login, claims)]))
    };
    let window = |begin: u64, end: u64| {
        claims(&move |claims| {
            claims.set(5, uint(begin));
            claims.set(4, uint(end));
        })
    };
    let for_audience =
        |audience: &'static str| claims(&move |claims| claims.set(3, text(audience)));
    for (name, comment, bytes) in [
        (
            "chain-begins-within-skew",
            "the chain begins 30 s after now",
            window(SECONDS + 30, SECONDS + 3600),
        ),
        (
            "chain-ends-within-skew",
            "the chain ended 29 s before now",
            window(SECONDS - 60, SECONDS - 29),
        ),
        (
            "chain-for-the-reader",
            "the chain is made out to the reader's name",
            for_audience("summaries.example"),
        ),
        (
            "chain-with-a-ceiling",
            "the chain has a budget within the anchor's",
            granted(
                "with a ceiling",
                grant().budget(
                    super::super::run::terms(&super::super::build::purse_of(10, 2)).expect("terms"),
                ),
            ),
        ),
    ] {
        family.variant(name, "under-a-chain", comment, [read(&bytes, "worker")]);
    }
    let wide = {
        let too_much =
            super::super::run::terms(&super::super::build::purse_of(101, 2)).expect("terms");
        let mut anchor = cast.anchor();
        anchor = anchor.budget(too_much.clone());
        let chain = DelegationChain::issue(
            cast.login.key(),
            &anchor,
            cast.user.id(),
            grant().budget(too_much),
            NOW,
            entropy("too wide"),
        )
        .expect("within that anchor");
        under(cast, chain.as_bytes())
    };
    let conversation = claims(&|claims| {
        let mut grant = claims.get(-65537).expect("a grant").clone();
        grant.set(5, bytes([7; 32]));
        claims.set(-65537, grant);
    });
    let two_links = |narrow: Narrow, label: &str| {
        let root = cast.grant(
            &cast.planner,
            Grant::new("planner", few("summarise", &[])).depth(2),
            "for the planner",
        );
        under(cast, extend(&root, &cast.planner, &cast.user, narrow, label).as_bytes())
    };
    for (name, comment, bytes) in [
        (
            "chain-not-yet-valid",
            "the chain begins 31 s after now",
            window(SECONDS + 31, SECONDS + 3600),
        ),
        ("chain-expired", "the chain ended 30 s before now", window(SECONDS - 60, SECONDS - 30)),
        (
            "chain-for-another-reader",
            "the chain is made out to another name",
            for_audience("other.example"),
        ),
        (
            "chain-for-another-conversation",
            "the chain is made out to another conversation",
            conversation,
        ),
        ("chain-with-too-much", "the ceiling of the chain is above the anchor's", wide),
    ] {
        let admitted = format!("{comment}; the verifier admits origins without authority");
        family.variant(
            &format!("{name}-admitted"),
            "under-a-chain-trusting",
            &admitted,
            [read(&bytes, "worker-trusting")],
        );
        family.refuse(name, "under-a-chain", 510, comment, [read(&bytes, "worker")]);
    }
    family.variant(
        "chain-of-two-links",
        "under-a-chain",
        "the login lets the planner let the user",
        [read(&two_links(Narrow::default(), "two links"), "worker")],
    );
    family.verifier_like(
        "worker-middle-revoked",
        "worker",
        revoked("keys", hex(cast.planner.id().as_bytes())),
    );
    family.refuse(
        "holder-on-the-way-revoked",
        "chain-of-two-links",
        510,
        "the key of a holder on the way is revoked",
        [read(&two_links(Narrow::default(), "two links"), "worker-middle-revoked")],
    );
    // An audience that the verifier does not have.
    family.verifier_like("worker-without-a-name", "worker", json!({ "audience": null }));
    family.accept(
        "for-a-name",
        "a chain made out to the reader's name",
        [read(&for_audience("summaries.example"), "worker")],
    );
    family.refuse(
        "for-a-name-that-is-not-configured",
        "for-a-name",
        510,
        "the reader has no name",
        [read(&for_audience("summaries.example"), "worker-without-a-name")],
    );
    family.accept(
        "for-a-name-observed",
        "to an observer, chains made out to any name count",
        [verify("observer", &for_audience("other.example"), "worker", SECONDS)],
    );

    // Of several reasons for which a chain counts for nothing, the first is told.
    let mut anchor = cast.anchor_json();
    anchor["depth"] = json!(1);
    let over = json!({ "anchors": [anchor], "admit_untrusted_origins": true });
    let mut revoked_too = over.clone();
    let keys = [hex(cast.login.id().as_bytes())];
    let list = json!({ "as_of": SECONDS - 30, "max_age": 3600, "keys": keys });
    revoked_too["revocations"] = list.clone();
    family.verifier_like("worker-less-depth-and-root-revoked", "worker", revoked_too.clone());
    family.verifier_like(
        "worker-root-revoked-trusting-earlier",
        "worker",
        json!({ "admit_untrusted_origins": true, "revocations": list }),
    );
    let mut foreign = json!([cast.anchor_json()]);
    foreign[0]["key"] = json!(hex(cast.auditor.id().as_bytes()));
    revoked_too["anchors"] = foreign;
    family.verifier_like("worker-other-key-and-root-revoked", "worker", revoked_too);
    let odd = claims(&|claims| {
        claims.set(5, uint(SECONDS + 31));
        claims.set(3, text("other.example"));
    });
    for (name, verifier, comment, bytes) in [
        (
            "unknown-before-revoked",
            "worker-other-key-and-root-revoked",
            "the root key is no anchor, and revoked",
            &honest,
        ),
        (
            "beyond-before-revoked",
            "worker-less-depth-and-root-revoked",
            "the chain goes beyond its anchor, whose key is revoked",
            &honest,
        ),
        (
            "revoked-before-not-yet-valid",
            "worker-root-revoked-trusting-earlier",
            "the root key is revoked, and the chain is not valid yet",
            &odd,
        ),
        (
            "not-yet-valid-before-not-for-me",
            "worker-trusting",
            "the chain is not valid yet, and made out to somebody else",
            &odd,
        ),
    ] {
        family.accept(name, comment, [read(bytes, verifier)]);
    }

    // Without a chain.
    let bare = {
        let sent = Draft::new(&cast.login.identity)
            .to(cast.worker.id())
            .expires_in(HOUR)
            .clear(Kind::User, "text/plain", &b"summarise"[..])
            .sign(NOW, entropy("verification/bare"))
            .expect("a complete draft");
        Forgery::of(sent.as_bytes())
    };
    family.accept(
        "by-the-anchor",
        "the originator is an anchor and brings no chain",
        [read(&bare.encode(), "worker")],
    );
    let stranger = resigned(&bare, &[&cast.stranger], |forged| {
        forged.header.set(3, bytes(cast.stranger.id().as_bytes()));
        forged.elements[0] = Element::clear(&cast.stranger, 0, b"summarise");
    });
    family.refuse(
        "by-a-stranger",
        "by-the-anchor",
        510,
        "the originator is a stranger and brings no chain",
        [read(&stranger, "worker")],
    );
    let without = {
        let mut forged = Forgery::of(&honest);
        forged.elements.remove(0);
        forged.edit_hop(0, |hop| hop.set(4, uint(1)));
        cover_again(&mut forged, &[&cast.user]);
        forged.encode()
    };
    family.refuse(
        "without-a-chain",
        "under-a-chain",
        510,
        "the originator brings no chain",
        [read(&without, "worker")],
    );
}

/// What hops say, altered by somebody who carries them and cannot sign; and refusals in the other roles.
fn carriers(cast: &Cast, family: &mut Family, path: &Forgery) {
    let altered = |hop: usize, edit: &dyn Fn(&mut Item)| {
        let mut forged = path.clone();
        forged.edit_hop(hop, edit);
        // Later hops stand on the id of this one, and their signers go along with it.
        for later in hop + 1..forged.hops.len() {
            forged.sign_hop(later, [&cast.user, &cast.planner][later]);
        }
        forged.encode()
    };
    let wider = |agent: &Agent, other: &Agent| {
        let mut next = [agent.id(), other.id()];
        next.sort();
        forge::agents(&next)
    };
    for (name, comment, bytes) in [
        (
            "next-of-hop-0-altered",
            "somebody else is next after hop 0 besides; not signed again",
            altered(0, &|hop| hop.set(2, wider(&cast.planner, &cast.auditor))),
        ),
        (
            "next-of-hop-1-altered",
            "somebody else is next after hop 1 besides; not signed again",
            altered(1, &|hop| hop.set(2, wider(&cast.worker, &cast.auditor))),
        ),
        (
            "time-of-hop-1-altered",
            "hop 1 is dated a second later; not signed again",
            altered(1, &|hop| hop.set(3, uint(SECONDS + 1))),
        ),
        (
            "absent-of-hop-1-added",
            "hop 1 is signed without the list of absent bodies that it has",
            {
                let mut forged = path.clone();
                forged.elements[6].record.set(5, uint(1));
                cover_again(&mut forged, &[&cast.user, &cast.planner]);
                forged.edit_hop(1, |hop| hop.set(6, array([uint(6)])));
                forged.encode()
            },
        ),
    ] {
        family.refuse(name, "relayed", 410, comment, [verify("reader", &bytes, "worker", SECONDS)]);
    }
    let signed = |hop: usize| {
        let mut forged = path.clone();
        forged.sign_hop(hop, &cast.stranger);
        forged.encode()
    };
    let mut moved = path.clone();
    moved.elements.swap(5, 6);
    let mut replaced = path.clone();
    replaced.replace_body(2, forge::plain([7; 16], "text/plain", b"delete all").encode());
    for (role, base) in [("relay", "relayed-as-relay"), ("observer", "relayed-as-observer")] {
        for (name, code, comment, bytes) in [
            ("hop-0-by-another", 410, "hop 0 is signed by a stranger", signed(0)),
            ("hop-1-by-another", 410, "hop 1 is signed by a stranger", signed(1)),
            ("elements-swapped", 401, "the two elements of hop 1 are swapped", moved.encode()),
            ("content-replaced", 403, "a clear body is replaced", replaced.encode()),
        ] {
            let step = verify(role, &bytes, "worker", SECONDS);
            family.refuse(&format!("{name}-as-{role}"), base, code, comment, [step]);
        }
    }
    let late = verify("observer", &path.encode(), "worker", SECONDS + 3630);
    family.refuse("expired-as-observer", "relayed-as-observer", 321, "30 s after expires", [late]);
    let early = verify("observer", &path.encode(), "worker", SECONDS - 31);
    family.refuse("early-as-observer", "relayed-as-observer", 320, "31 s before created", [early]);
}

/// The token id of a chain's last link.
fn token(chain: &DelegationChain) -> Vec<u8> {
    let mut links = Item::read(chain.as_bytes());
    let link = links.items().last_mut().expect("a link");
    let claims = Item::read(link.items()[2].as_bytes());
    claims.get(7).expect("a token id").as_bytes().to_vec()
}

/// Which of several key packages is the one to answer to.
fn packages(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.user);
    let package = |begin: u64, end: u64, key: u8| {
        let payload = crate::adversary::cbor::map([
            (1, bytes(cast.user.id().as_bytes())),
            (2, uint(1)),
            (3, bytes([key; 32])),
            (4, uint(begin)),
            (5, uint(end)),
        ]);
        let aad = array([text("agent-envelope/1/key-package")]);
        forge::statement(&cast.user, &forge::protected(None), &aad, &payload.encode()).encode()
    };
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .expires_in(HOUR)
        .authority(&chain)
        .sign(NOW, entropy("verification/packages"))
        .expect("a complete draft");
    let with = |packages: &[Vec<u8>]| {
        resigned(&Forgery::of(sent.as_bytes()), &[&cast.user], |forged| {
            for package in packages {
                forged.elements.push(Element::control(&cast.user, 66, package.clone()));
            }
            let count = forge::size(forged.elements.len());
            forged.edit_hop(0, |hop| hop.set(4, count));
        })
    };
    let read = |bytes: &[u8]| verify("reader", bytes, "worker", SECONDS);
    let (old, new, same) = (
        package(SECONDS - 60, SECONDS + 60, 1),
        package(SECONDS - 30, SECONDS + 60, 2),
        package(SECONDS - 30, SECONDS + 90, 3),
    );
    let (future, past) =
        (package(SECONDS + 31, SECONDS + 90, 4), package(SECONDS - 60, SECONDS - 30, 5));
    let edge = package(SECONDS + 30, SECONDS + 90, 6);
    for (name, comment, packages) in [
        (
            "packages-latest",
            "the one with the latest begin is to be answered to",
            vec![new.clone(), old.clone()],
        ),
        ("packages-last-of-equals", "of two with one begin, the last", vec![new.clone(), same]),
        (
            "packages-in-their-window",
            "those that have not begun, or are over, do not count",
            vec![old.clone(), future.clone(), past.clone()],
        ),
        ("packages-within-skew", "one that begins 30 s after now counts", vec![old, edge]),
        (
            "packages-none",
            "none is in its window, so there is none to answer to",
            vec![future, past],
        ),
    ] {
        family.accept(name, comment, [read(&with(&packages))]);
    }
}
