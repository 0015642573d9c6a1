//! SPEC §7 and §9.2: the path, the kinds, absent bodies, audiences. All of it is seen before any signature is looked at.

use serde_json::Value;

use super::super::build::{Cast, Family, cover_again, decode, entropy, resigned};
use super::super::run::terms;
use crate::adversary::cbor::{Item, array, bytes, map, text, uint};
use crate::adversary::forge::{self, ARTIFACT, ASSISTANT, Element, Forgery, SYSTEM, USER};
use crate::adversary::{Agent, HOUR, NOW, SECONDS};
use agent_envelope::{Allotment, Draft, Kind, NewElement};

/// From the user through planner and auditor to the worker, without `via`: 0 chain, 1 user, 2 elidable memory and
/// 3 elidable artifact of hop 0; 4 assistant of hop 1; hop 2 adds nothing.
fn three_hops(cast: &Cast) -> Forgery {
    let chain = cast.authority(&cast.user);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .next(cast.planner.id())
        .expires_in(HOUR)
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .element(NewElement::clear(Kind::Memory, "text/plain", &b"a long log"[..]).elidable())
        .element(NewElement::clear(Kind::Artifact, "text/plain", &b"a file"[..]).elidable())
        .sign(NOW, entropy("structure/three-hops"))
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.elements.push(Element::clear(&cast.planner, ASSISTANT, b"a remark"));
    forged.add_hop(&cast.planner, cast.planner.id(), &[cast.auditor.id()]);
    forged.add_hop(&cast.auditor, cast.auditor.id(), &[cast.worker.id()]);
    forged
}

/// The same way, laid out by the originator, and one station more.
fn laid_out(cast: &Cast) -> Forgery {
    let chain = cast.authority(&cast.user);
    let sent = Draft::new(&cast.user.identity)
        .to([cast.worker.id(), cast.login.id()])
        .via([cast.planner.id(), cast.auditor.id()])
        .expires_in(HOUR)
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .sign(NOW, entropy("structure/laid-out"))
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.add_hop(&cast.planner, cast.planner.id(), &[cast.auditor.id()]);
    forged.add_hop(&cast.auditor, cast.auditor.id(), &[cast.worker.id()]);
    forged
}

/// 0 chain, 1 key package, 2 audience, 3 sealed artifact, 4 sealed artifact to the same audience.
fn sealed(cast: &Cast) -> Forgery {
    let chain = cast.authority(&cast.user);
    let (own, reader) = (cast.package(&cast.user), cast.package(&cast.worker));
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .authority(&chain)
        .key_package(&own)
        .sealed(Kind::Artifact, "text/plain", &b"one"[..], [&reader])
        .sealed(Kind::Artifact, "text/plain", &b"two"[..], [&reader])
        .sign(NOW, entropy("structure/sealed"))
        .expect("a complete draft");
    Forgery::of(sent.as_bytes())
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "structure",
        "Path, kinds, control records, absent bodies, audiences (SPEC §7, §9.2): what a decoder refuses though every part has its form.",
    );
    let signers = [&cast.user, &cast.planner, &cast.auditor];
    let path = three_hops(cast);
    family.accept("three-hops", "three hops; the second adds an element", [decode(&path.encode())]);
    let hop = |index: usize, edit: &dyn Fn(&mut Item)| {
        resigned(&path, &signers, |forged| forged.edit_hop(index, edit))
    };
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "three-hops", code, comment, [decode(&bytes)]);
    };

    case(
        "signer-not-next",
        301,
        "hop 0 names the auditor, but the planner signs hop 1",
        hop(0, &|hop| hop.set(2, forge::agents(&[cast.auditor.id()]))),
    );
    case("signer-skipped", 301, "hop 1 is taken out, and hop 2 signed again over hop 0", {
        let mut forged = path.clone();
        forged.hops.remove(1);
        // What hop 1 wrote is now the auditor's.
        forged.elements[4] = Element::clear(&cast.auditor, ASSISTANT, b"a remark");
        cover_again(&mut forged, &[&cast.user, &cast.auditor]);
        forged.encode()
    });
    case("signer-stranger", 301, "hop 2 is by a stranger", {
        let mut forged = path.clone();
        forged.edit_hop(2, |hop| hop.set(1, bytes(cast.stranger.id().as_bytes())));
        cover_again(&mut forged, &[&cast.user, &cast.planner, &cast.stranger]);
        forged.encode()
    });
    case(
        "own-next-originator",
        302,
        "hop 0 names the user beside the planner",
        hop(0, &|hop| {
            let mut next = [cast.user.id(), cast.planner.id()];
            next.sort();
            hop.set(2, forge::agents(&next));
        }),
    );
    case(
        "own-next-last",
        302,
        "hop 2 names its signer beside the worker",
        hop(2, &|hop| {
            let mut next = [cast.auditor.id(), cast.worker.id()];
            next.sort();
            hop.set(2, forge::agents(&next));
        }),
    );
    case(
        "count-falls",
        303,
        "hop 1 counts fewer elements than hop 0",
        resigned(&path, &signers, |forged| {
            forged.edit_hop(1, |hop| hop.set(4, uint(3)));
            // What hop 1 wrote is now the auditor's.
            forged.elements[4] = Element::clear(&cast.auditor, ASSISTANT, b"a remark");
        }),
    );
    case(
        "count-short-at-the-end",
        303,
        "the last hop leaves out the last element",
        hop(2, &|hop| hop.set(4, uint(4))),
    );
    case(
        "count-beyond-the-elements",
        303,
        "the last hop counts an element that is not there",
        hop(2, &|hop| hop.set(4, uint(6))),
    );
    case(
        "line-too-long",
        303,
        "base and count of hop 0 add up to 2^53",
        resigned(&path, &signers, |forged| {
            forged.header.set(7, array([uint((1 << 53) - 4), bytes([7; 32])]));
        }),
    );
    family.variant(
        "line-longest",
        "three-hops",
        "base and count of hop 0 add up to 2^53 - 1",
        [decode(&resigned(&path, &signers, |forged| {
            forged.header.set(7, array([uint((1 << 53) - 5), bytes([7; 32])]));
        }))],
    );
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "three-hops", code, comment, [decode(&bytes)]);
    };
    case(
        "time-before-created",
        304,
        "hop 1 is dated a second before created",
        hop(1, &|hop| hop.set(3, uint(SECONDS - 1))),
    );
    case(
        "time-falls",
        304,
        "hop 1 is dated a second after hop 2",
        hop(1, &|hop| hop.set(3, uint(SECONDS + 1))),
    );
    case(
        "time-after-expires",
        304,
        "hop 2 is dated a second after expires",
        hop(2, &|hop| hop.set(3, uint(SECONDS + 3601))),
    );
    family.variant(
        "time-at-expires",
        "three-hops",
        "hop 2 is dated at expires",
        [decode(&hop(2, &|hop| hop.set(3, uint(SECONDS + 3600))))],
    );
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "three-hops", code, comment, [decode(&bytes)]);
    };
    case(
        "hop-0-with-signer",
        306,
        "hop 0 has key 1",
        hop(0, &|hop| hop.set(1, bytes(cast.user.id().as_bytes()))),
    );
    case("hop-0-with-time", 306, "hop 0 has key 3", hop(0, &|hop| hop.set(3, uint(SECONDS))));
    case("hop-1-without-signer", 306, "hop 1 has no key 1", hop(1, &|hop| hop.remove(1)));
    case("hop-2-without-time", 306, "hop 2 has no key 3", hop(2, &|hop| hop.remove(3)));
    let record = |element: usize, edit: &dyn Fn(&mut Item)| {
        resigned(&path, &signers, |forged| edit(&mut forged.elements[element].record))
    };
    let content = |element: usize, author: &Agent, kind: u64| {
        resigned(&path, &signers, |forged| {
            forged.elements[element] = Element::clear(author, kind, b"a remark")
        })
    };
    case("user-by-a-hop", 307, "hop 1 adds a turn of a user", content(4, &cast.planner, USER));
    case("system-by-a-hop", 307, "hop 1 adds an instruction", content(4, &cast.planner, SYSTEM));
    case(
        "negotiation-by-a-hop",
        307,
        "hop 1 adds a message of a negotiation",
        content(4, &cast.planner, 9),
    );
    let package = cast.package(&cast.planner);
    case(
        "key-package-by-a-hop",
        307,
        "hop 1 adds its own key package",
        resigned(&path, &signers, |forged| {
            forged.elements[4] = Element::control(&cast.planner, 66, package.as_bytes().to_vec());
        }),
    );
    case(
        "kind-69",
        308,
        "the content of hop 1 is of kind 69, control data of the future",
        content(4, &cast.planner, 69),
    );
    case(
        "kind-95",
        308,
        "the content of hop 1 is of kind 95, the last of them",
        content(4, &cast.planner, 95),
    );
    case(
        "kind-96",
        308,
        "the content of hop 1 is of kind 96, which is reserved",
        content(4, &cast.planner, 96),
    );
    case(
        "kind-65535",
        308,
        "the content of hop 1 is of kind 65535, the last that is reserved",
        content(4, &cast.planner, 65_535),
    );
    for (kind, comment) in [
        (63, "unassigned content"),
        (65_536, "the first private kind"),
        ((1 << 53) - 1, "the last private kind"),
    ] {
        family.variant(
            &format!("kind-{kind}"),
            "three-hops",
            comment,
            [decode(&content(4, &cast.planner, kind))],
        );
    }
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "three-hops", code, comment, [decode(&bytes)]);
    };
    case(
        "control-elidable",
        309,
        "the chain is elidable",
        record(0, &|record| record.set(5, uint(1))),
    );
    case(
        "control-with-references",
        309,
        "the chain refers to an element",
        record(0, &|record| record.set(4, array([bytes([7; 32])]))),
    );
    case(
        "control-sealed",
        309,
        "the chain is sealed",
        resigned(&path, &signers, |forged| {
            let chain = forged.elements[0].body.clone().expect("a chain");
            let digest = forge::hash("sealed", [bytes(chain)]);
            forged.elements[0].record.set(3, array([uint(0), bytes(digest)]));
        }),
    );
    case(
        "control-without-body",
        309,
        "the chain has no body",
        resigned(&path, &signers, |forged| forged.elements[0].body = None),
    );

    case(
        "body-missing",
        310,
        "the body of an element that is not elidable is taken out",
        resigned(&path, &signers, |forged| forged.elements[1].body = None),
    );
    case(
        "body-missing-unlisted",
        310,
        "the body of an elidable element is taken out, and no hop lists it",
        resigned(&path, &signers, |forged| forged.elements[2].body = None),
    );
    let listed = |hop: usize, indices: &[u64], body: bool| {
        resigned(&path, &signers, |forged| {
            forged.edit_hop(hop, |hop| hop.set(6, array(indices.iter().map(|index| uint(*index)))));
            if !body {
                for index in indices {
                    forged.elements[usize::try_from(*index).expect("an index")].body = None;
                }
            }
        })
    };
    case(
        "absence-of-what-must-stay",
        311,
        "hop 1 lists an element that is not elidable",
        listed(1, &[1], true),
    );
    case(
        "absence-beyond-the-count",
        311,
        "hop 0 lists element 4, which is not yet there",
        listed(0, &[4], true),
    );
    case("absence-of-control", 311, "hop 1 lists the chain", listed(1, &[0], true));
    case("absence-set-twice", 118, "hop 1 lists an element twice", listed(1, &[2, 2], true));
    case(
        "absence-unsorted",
        117,
        "hop 1 lists two elements out of order",
        listed(1, &[3, 2], true),
    );
    case("absence-empty", 120, "hop 1 lists nothing as absent", listed(1, &[], true));
    family.variant(
        "absent-by-hop-0",
        "three-hops",
        "hop 0 lists an elidable element, which is not there",
        [decode(&listed(0, &[2], false))],
    );
    family.variant(
        "absent-by-hop-2",
        "three-hops",
        "hop 2 lists two elidable elements, which are not there",
        [decode(&listed(2, &[2, 3], false))],
    );
    family.variant(
        "listed-but-there",
        "three-hops",
        "hop 1 lists an elidable element that is there all the same",
        [decode(&listed(1, &[2], true))],
    );
    let twice = {
        let mut forged = path.clone();
        for hop in [1, 2] {
            forged.edit_hop(hop, |hop| hop.set(6, array([uint(2)])));
        }
        cover_again(&mut forged, &signers);
        forged.encode()
    };
    family.refuse(
        "absence-listed-by-two",
        "listed-but-there",
        311,
        "hop 2 lists the element that hop 1 lists already",
        [decode(&twice)],
    );

    reversed(cast, &mut family, &path);
    via(cast, &mut family);
    audiences(cast, &mut family);
    budgets(cast, &mut family);
    family.finish()
}

fn reversed(cast: &Cast, family: &mut Family, path: &Forgery) {
    let mut short = path.clone();
    short.header.set(6, uint(SECONDS + 1));
    let signers = [&cast.user, &cast.planner, &cast.auditor];
    let bytes = resigned(&short, &signers, |_| ());
    family.variant(
        "window-of-a-second",
        "three-hops",
        "the envelope expires a second after created",
        [decode(&bytes)],
    );
    for (name, seconds, comment) in [
        ("window-empty", 0, "the envelope expires when it is created"),
        ("window-reversed", 1, "the envelope expires a second before it is created"),
    ] {
        let bytes =
            resigned(path, &signers, |forged| forged.header.set(6, uint(SECONDS - seconds)));
        family.refuse(name, "three-hops", 322, comment, [decode(&bytes)]);
    }
}

fn via(cast: &Cast, family: &mut Family) {
    let path = laid_out(cast);
    let signers = [&cast.user, &cast.planner, &cast.auditor];
    family.accept(
        "laid-out",
        "the path keeps to via, and ends at a recipient",
        [decode(&path.encode())],
    );
    let next = |hop: usize, agents: &[&Agent]| {
        let mut ids: Vec<_> = agents.iter().map(|agent| agent.id()).collect();
        ids.sort();
        resigned(&path, &signers, |forged| {
            forged.edit_hop(hop, |hop| hop.set(2, forge::agents(&ids)))
        })
    };
    let both = next(2, &[&cast.worker, &cast.login]);
    family.variant(
        "laid-out-to-both",
        "laid-out",
        "after the last station, next are all recipients",
        [decode(&both)],
    );
    for (name, comment, bytes) in [
        (
            "via-another-first",
            "hop 0 goes to the planner and the auditor, via to the planner alone",
            next(0, &[&cast.planner, &cast.auditor]),
        ),
        (
            "via-another-second",
            "hop 1 goes to the auditor and the worker",
            next(1, &[&cast.auditor, &cast.worker]),
        ),
        (
            "via-to-a-stranger",
            "after the last station the hop goes to somebody who is no recipient",
            next(2, &[&cast.worker, &cast.stranger]),
        ),
        (
            "via-back-to-a-station",
            "after the last station the hop goes back to the first",
            next(2, &[&cast.planner]),
        ),
    ] {
        family.refuse(name, "laid-out", 305, comment, [decode(&bytes)]);
    }
    let mut swapped = path.clone();
    swapped
        .header
        .set(11, array([cast.auditor.id(), cast.planner.id()].map(|id| bytes(id.as_bytes()))));
    cover_again(&mut swapped, &signers);
    family.refuse(
        "via-in-another-order",
        "laid-out",
        305,
        "via names the same stations the other way round",
        [decode(&swapped.encode())],
    );
    let mut skipped = path.clone();
    skipped.hops.truncate(1);
    cover_again(&mut skipped, &signers[..1]);
    family.variant(
        "laid-out-first-hop",
        "laid-out",
        "only the first hop of the same path",
        [decode(&skipped.encode())],
    );
    skipped.edit_hop(0, |hop| hop.set(2, forge::agents(&[cast.worker.id()])));
    cover_again(&mut skipped, &signers[..1]);
    family.refuse(
        "via-passed-over",
        "laid-out-first-hop",
        305,
        "hop 0 goes to the recipient at once",
        [decode(&skipped.encode())],
    );
}

fn audiences(cast: &Cast, family: &mut Family) {
    let forged = sealed(cast);
    family.accept(
        "sealed",
        "two elements sealed to one audience below them, and a key package",
        [decode(&forged.encode())],
    );
    let named = |element: usize, audience: usize| {
        resigned(&forged, &[&cast.user], |forged| forged.reseal_to(element, audience))
    };
    for (name, comment, bytes) in [
        ("audience-is-a-chain", "a sealed element names the chain as its audience", named(3, 0)),
        ("audience-is-itself", "a sealed element names itself as its audience", named(3, 3)),
        ("audience-above", "a sealed element names an element above it", named(3, 4)),
        ("audience-beyond", "a sealed element names an element that is not there", named(4, 9)),
        ("audience-is-content", "a sealed element names another sealed element", named(4, 3)),
    ] {
        family.refuse(name, "sealed", 312, comment, [decode(&bytes)]);
    }
    let after = resigned(&forged, &[&cast.user], |forged| {
        forged.elements.swap(2, 3);
        for element in [2, 4] {
            forged.reseal_to(element, 3);
        }
    });
    family.refuse(
        "audience-after",
        "sealed",
        312,
        "the audience stands above an element that is sealed to it",
        [decode(&after)],
    );
    for (name, agent) in
        [("key-package-of-the-worker", &cast.worker), ("key-package-of-a-stranger", &cast.stranger)]
    {
        let package = cast.package(agent);
        let bytes = resigned(&forged, &[&cast.user], |forged| {
            forged.elements[1] = Element::control(&cast.user, 66, package.as_bytes().to_vec());
        });
        family.refuse(
            name,
            "sealed",
            313,
            "the key package is good, but of another agent",
            [decode(&bytes)],
        );
    }
    carried(cast, family, &forged);
    let bytes = resigned(&forged, &[&cast.user], |forged| {
        forged.elements[3].record = map([(1, uint(ARTIFACT)), (2, bytes([7; 32]))]);
    });
    family.refuse(
        "sealed-body-under-a-clear-record",
        "sealed",
        115,
        "the record does not say that the body is sealed, whose first item would be a salt",
        [decode(&bytes)],
    );
}

/// Chains and key packages in their elements: the same rules as where they come by themselves, and where they stand.
fn carried(cast: &Cast, family: &mut Family, forged: &Forgery) {
    let package = |edit: &dyn Fn(&mut Item)| {
        let honest = Item::read(cast.package(&cast.user).as_bytes());
        let mut claims = Item::read(forge::statement_part(&honest, 2));
        edit(&mut claims);
        let aad = array([text("agent-envelope/1/key-package")]);
        let payload = claims.encode();
        let package = forge::statement(&cast.user, &forge::protected(None), &aad, &payload);
        resigned(forged, &[&cast.user], |forged| {
            forged.elements[1] = Element::control(&cast.user, 66, package.encode());
        })
    };
    for (name, code, comment, bytes) in [
        (
            "carried-package-reversed",
            322,
            "the key package expires when it begins",
            package(&|claims| claims.set(5, uint(SECONDS))),
        ),
        (
            "carried-package-long-lived",
            323,
            "the key package lives a day and a second",
            package(&|claims| claims.set(5, uint(SECONDS + 86_401))),
        ),
        (
            "carried-package-suite",
            122,
            "the key package is of suite 2",
            package(&|claims| claims.set(2, uint(2))),
        ),
    ] {
        family.refuse(name, "sealed", code, comment, [decode(&bytes)]);
    }
    // login → planner → user, the root narrow.
    let root = || {
        let scope = forge::scope(&[(&["mail.read"], &["mail"])]);
        let mut claims = forge::root_claims(crate::adversary::ISSUER, &cast.planner, scope, 1);
        claims.set(3, text("summaries.example"));
        claims
    };
    let chained = |edit: &dyn Fn(&mut Item)| {
        let mut last = forge::link_claims(&cast.user, []);
        edit(&mut last);
        let links = [(&cast.login, root()), (&cast.planner, last)];
        let chain = forge::chain(&cast.login.id(), &links);
        resigned(forged, &[&cast.user], |forged| {
            forged.elements[0] = Element::control(&cast.user, forge::AUTHORITY, chain);
        })
    };
    let granted = |claims: &mut Item, key: i64, value: Item| {
        let mut grant = claims.get(-65537).expect("a grant").clone();
        grant.set(key, value);
        claims.set(-65537, grant);
    };
    family.variant(
        "carried-chain",
        "sealed",
        "the originator's chain has two links",
        [decode(&chained(&|_| ()))],
    );
    for (name, code, comment, bytes) in [
        (
            "carried-chain-scope",
            502,
            "the second link has another action",
            chained(&|claims| granted(claims, 1, forge::scope(&[(&["mail.send"], &["mail"])]))),
        ),
        (
            "carried-chain-depth",
            503,
            "the second link states as much depth as the root",
            chained(&|claims| granted(claims, 2, uint(1))),
        ),
        (
            "carried-chain-window",
            504,
            "the second link ends a second later",
            chained(&|claims| claims.set(4, uint(SECONDS + 3601))),
        ),
        (
            "carried-chain-audience",
            505,
            "the second link has another audience",
            chained(&|claims| claims.set(3, text("other.example"))),
        ),
        (
            "carried-chain-window-reversed",
            322,
            "the second link ends when it begins",
            chained(&|claims| claims.set(4, uint(SECONDS))),
        ),
        (
            "carried-chain-without-a-grant",
            112,
            "the second link has no grant",
            chained(&|claims| claims.remove(-65537)),
        ),
    ] {
        family.refuse(name, "carried-chain", code, comment, [decode(&bytes)]);
    }
}

/// Allotments last in their hop, and reports in their form.
fn budgets(cast: &Cast, family: &mut Family) {
    let granted = terms(&super::super::build::purse_of(9, 1)).expect("terms");
    let sent = Draft::new(&cast.login.identity)
        .to(cast.worker.id())
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .allot(Allotment::new(cast.worker.id(), granted))
        .sign(NOW, entropy("structure/allotment"))
        .expect("an anchor may pay")
        .persisted();
    let forged = Forgery::of(sent.as_bytes());
    family.accept(
        "allotment-last",
        "an allotment after the content that it pays for",
        [decode(sent.as_bytes())],
    );
    let swapped = resigned(&forged, &[&cast.login], |forged| forged.elements.swap(0, 1));
    family.refuse(
        "allotment-before-content",
        "allotment-last",
        1013,
        "content of the same hop follows the allotment",
        [decode(&swapped)],
    );
    let control = resigned(&forged, &[&cast.login], |forged| {
        let package = cast.package(&cast.login);
        forged.elements.push(Element::control(&cast.login, 66, package.as_bytes().to_vec()));
        forged.edit_hop(0, |hop| hop.set(4, uint(3)));
    });
    family.refuse(
        "allotment-before-control",
        "allotment-last",
        1013,
        "a key package of the same hop follows the allotment",
        [decode(&control)],
    );
}
