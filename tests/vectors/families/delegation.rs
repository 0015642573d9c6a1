//! SPEC §6.1 and §6.2: links, scopes and how they narrow; chains that come by themselves.

use serde_json::{Value, json};

use super::super::build::{Cast, Family};
use super::super::run::hex;
use crate::adversary::cbor::{Item, array, bytes, int, map, text, uint};
use crate::adversary::forge::{chain, link_claims, protected, root_claims, scope, statement};
use crate::adversary::{Agent, ISSUER, SECONDS};

fn step(bytes: &[u8]) -> Value {
    json!({ "do": "chain", "bytes": hex(bytes) })
}

/// Terms as they are encoded, with so many calls.
fn terms_item(calls: u64, deadline: u64, depth: u64, wall: Option<u64>) -> Item {
    let amounts = array([array([uint(20), uint(calls)]), array([uint(65), uint(1 << 30)])]);
    let mut terms = map([(1, amounts), (2, uint(deadline)), (3, uint(depth))]);
    if let Some(wall) = wall {
        terms.set(4, uint(wall));
    }
    terms
}

fn granted(claims: &mut Item, key: i64, value: Item) {
    let mut grant = claims.get(-65537).expect("a grant").clone();
    grant.set(key, value);
    claims.set(-65537, grant);
}

/// login → user → planner → worker. The root narrows everything that can be narrowed, the middle link nothing, so that
/// the last one is compared with what the root says.
struct Links<'c> {
    cast: &'c Cast,
    claims: Vec<Item>,
}

impl<'c> Links<'c> {
    fn new(cast: &'c Cast) -> Self {
        let mut root = root_claims(
            ISSUER,
            &cast.user,
            scope(&[(&["mail.read"], &["mail"]), (&["mail.send"], &["mail"])]),
            4,
        );
        root.set(3, text("summaries.example"));
        granted(&mut root, 4, terms_item(10, SECONDS + 1800, 4, Some(30_000)));
        granted(&mut root, 5, bytes([7; 32]));
        let middle = link_claims(&cast.planner, []);
        let last = link_claims(&cast.worker, []);
        Self { cast, claims: vec![root, middle, last] }
    }

    fn encode(&self) -> Vec<u8> {
        self.signed_by([&self.cast.login, &self.cast.user, &self.cast.planner])
    }

    fn signed_by(&self, signers: [&Agent; 3]) -> Vec<u8> {
        let links: Vec<_> = signers.into_iter().zip(self.claims.iter().cloned()).collect();
        chain(&self.cast.login.id(), &links)
    }

    /// The chain with one link's claims changed, signed again from there on.
    fn with(&self, link: usize, edit: impl FnOnce(&mut Item)) -> Vec<u8> {
        let mut claims = self.claims.clone();
        edit(&mut claims[link]);
        Self { cast: self.cast, claims }.encode()
    }
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "delegation",
        "Chains by themselves: the form of links and scopes, narrowing from the root's own literals, signatures (SPEC §6.1, §6.2).",
    );
    let links = Links::new(cast);
    family.accept(
        "three-links",
        "the root narrows everything, the others state nothing",
        [step(&links.encode())],
    );
    let grant = |key: i64, value: Item| links.with(2, |claims| granted(claims, key, value));
    let narrower = terms_item(9, SECONDS + 1800, 3, None);
    for (name, comment, bytes) in [
        (
            "scope-repeated",
            "the last link repeats the scope",
            grant(1, scope(&[(&["mail.read"], &["mail"]), (&["mail.send"], &["mail"])])),
        ),
        (
            "scope-narrower",
            "the last link has one action on a longer prefix",
            grant(1, scope(&[(&["mail.read"], &["mail", "inbox"])])),
        ),
        (
            "scope-joined",
            "one permission with both actions: each has a permission above that covers it",
            grant(1, scope(&[(&["mail.read", "mail.send"], &["mail", "inbox"])])),
        ),
        ("depth-2", "the depth left is 2, and stated", grant(2, uint(2))),
        ("depth-0", "a depth of 0 is stated", grant(2, uint(0))),
        (
            "audience-repeated",
            "the last link repeats the audience",
            links.with(2, |claims| claims.set(3, text("summaries.example"))),
        ),
        (
            "conversation-repeated",
            "the last link repeats the conversation",
            grant(5, bytes([7; 32])),
        ),
        (
            "budget-narrower",
            "the last link lowers the ceiling and leaves wall unsaid",
            grant(4, narrower.clone()),
        ),
        (
            "window-narrower",
            "the last link lives a second less at both ends",
            links.with(2, |claims| {
                claims.set(5, uint(SECONDS + 1));
                claims.set(4, uint(SECONDS + 3599));
            }),
        ),
        ("holder-named", "the last link has a name for its holder", grant(3, text("the worker"))),
    ] {
        family.variant(name, "three-links", comment, [step(&bytes)]);
    }
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "three-links", code, comment, [step(&bytes)]);
    };
    case(
        "scope-other-action",
        502,
        "the last link has an action that the root lacks",
        grant(1, scope(&[(&["summarise"], &["mail"])])),
    );
    case(
        "scope-shorter-prefix",
        502,
        "the last link's prefix is shorter than the root's",
        grant(1, scope(&[(&["mail.read"], &[])])),
    );
    case(
        "scope-other-prefix",
        502,
        "the last link's prefix is another one",
        grant(1, scope(&[(&["mail.read"], &["mails"])])),
    );
    case(
        "scope-second-permission",
        502,
        "of two permissions the second is wider",
        grant(1, scope(&[(&["mail.read"], &["mail"]), (&["mail.send"], &["post"])])),
    );
    case(
        "depth-not-less",
        503,
        "the last link states the depth that the link above it has left",
        grant(2, uint(3)),
    );
    case(
        "depth-of-the-root",
        503,
        "the middle link states the root's depth",
        links.with(1, |claims| granted(claims, 2, uint(4))),
    );
    case(
        "depth-used-up",
        503,
        "the root has a depth of 1, and there are two links below",
        links.with(0, |claims| granted(claims, 2, uint(1))),
    );
    case(
        "window-begins-earlier",
        504,
        "the last link begins a second before the root",
        links.with(2, |claims| claims.set(5, uint(SECONDS - 1))),
    );
    case(
        "window-ends-later",
        504,
        "the last link ends a second after the root",
        links.with(2, |claims| claims.set(4, uint(SECONDS + 3601))),
    );
    case(
        "window-of-a-middle-link",
        504,
        "the middle link ends earlier, and the last one as late as the root",
        links.with(1, |claims| claims.set(4, uint(SECONDS + 3599))),
    );
    case(
        "audience-other",
        505,
        "the last link names another audience than the root",
        links.with(2, |claims| claims.set(3, text("other.example"))),
    );
    case(
        "audience-other-in-the-middle",
        505,
        "the middle link names another audience",
        links.with(1, |claims| claims.set(3, text("Summaries.example"))),
    );
    case(
        "conversation-other",
        506,
        "the last link names another conversation than the root",
        grant(5, bytes([8; 32])),
    );
    case(
        "conversation-other-in-the-middle",
        506,
        "the middle link names another conversation",
        links.with(1, |claims| granted(claims, 5, bytes([8; 32]))),
    );
    for (name, comment, terms) in [
        ("budget-amount", "the last link has more calls", terms_item(11, SECONDS + 1800, 3, None)),
        (
            "budget-deadline",
            "the last link has a later deadline",
            terms_item(9, SECONDS + 1801, 3, None),
        ),
        (
            "budget-depth",
            "the last link's terms have more depth",
            terms_item(9, SECONDS + 1800, 5, None),
        ),
        (
            "budget-wall",
            "the last link has more wall",
            terms_item(9, SECONDS + 1800, 3, Some(30_001)),
        ),
        (
            "budget-ceiling-left-out",
            "the last link leaves out the ceiling of memory",
            map([
                (1, array([array([uint(20), uint(9)])])),
                (2, uint(SECONDS + 1800)),
                (3, uint(3)),
            ]),
        ),
        (
            "budget-other-unit",
            "the last link has money, of which the root has none",
            map([
                (
                    1,
                    array([
                        array([uint(20), uint(9)]),
                        array([uint(24), uint(1), text("USD:6")]),
                        array([uint(65), uint(1 << 30)]),
                    ]),
                ),
                (2, uint(SECONDS + 1800)),
                (3, uint(3)),
            ]),
        ),
    ] {
        case(name, 507, comment, grant(4, terms));
    }
    let holder = |agent: &Agent| {
        map([(1, map([(1, int(1)), (-1, int(6)), (-2, bytes(agent.id().as_bytes()))]))])
    };
    case(
        "holder-is-the-root",
        508,
        "the last link makes the root key a holder",
        links.with(2, |claims| claims.set(8, holder(&cast.login))),
    );
    case(
        "holder-above",
        508,
        "the last link makes the first holder a holder again",
        links.with(2, |claims| claims.set(8, holder(&cast.user))),
    );
    case(
        "holder-is-the-signer",
        508,
        "the last link is for its own signer",
        links.with(2, |claims| claims.set(8, holder(&cast.planner))),
    );

    // Signatures.
    case(
        "root-by-another",
        411,
        "the root link is signed by a stranger",
        links.signed_by([&cast.stranger, &cast.user, &cast.planner]),
    );
    case(
        "middle-by-the-root",
        411,
        "the middle link is signed by the root key",
        links.signed_by([&cast.login, &cast.login, &cast.planner]),
    );
    case(
        "last-by-the-first-holder",
        411,
        "the last link is signed by the first holder, not by the one above",
        links.signed_by([&cast.login, &cast.user, &cast.user]),
    );
    case("link-moved", 411, "the last link was signed over another middle link", {
        let honest = Item::read(&links.encode()).into_items();
        let other = Item::read(&links.with(1, |claims| claims.set(7, bytes([9; 16])))).into_items();
        array([honest[0].clone(), honest[1].clone(), other[2].clone()]).encode()
    });

    // Forms.
    case(
        "window-reversed",
        322,
        "the last link ends when it begins",
        links.with(2, |claims| claims.set(4, uint(SECONDS))),
    );
    case(
        "root-without-a-subject",
        112,
        "the root has no subject",
        links.with(0, |claims| claims.remove(2)),
    );
    case(
        "root-without-a-scope",
        112,
        "the root's grant has no scope",
        links.with(0, |claims| {
            let mut grant = claims.get(-65537).expect("a grant").clone();
            grant.remove(1);
            claims.set(-65537, grant);
        }),
    );
    case(
        "issuer-below-the-root",
        111,
        "the last link has an issuer",
        links.with(2, |claims| claims.set(1, text(ISSUER))),
    );
    case(
        "subject-empty",
        122,
        "the subject is empty",
        links.with(0, |claims| claims.set(2, text(""))),
    );
    case(
        "subject-257",
        122,
        "the subject has 257 bytes",
        links.with(0, |claims| claims.set(2, text(&"s".repeat(257)))),
    );
    case("name-control", 122, "the name of the holder has a tab", grant(3, text("a\tb")));
    case(
        "key-type",
        121,
        "the holder's key is of type EC2 (2) instead of OKP (1)",
        links.with(2, |claims| {
            claims.set(
                8,
                map([(
                    1,
                    map([(1, int(2)), (-1, int(6)), (-2, bytes(cast.worker.id().as_bytes()))]),
                )]),
            );
        }),
    );
    case(
        "token-15-bytes",
        115,
        "the token id has 15 bytes",
        links.with(2, |claims| claims.set(7, bytes([1; 15]))),
    );
    case("empty-chain", 120, "there is no link", array([]).encode());
    case(
        "root-missing",
        112,
        "the root link is taken out, and with it the key id that a root has",
        {
            let mut short = Item::read(&links.encode());
            short.items().remove(0);
            short.encode()
        },
    );
    case("key-id-below-the-root", 111, "the last link has a key id in its protected header", {
        let mut all = Item::read(&links.encode());
        let payload = links.claims[2].encode();
        all.items()[2] =
            statement(&cast.planner, &protected(Some(&cast.planner.id())), &Item::Null, &payload);
        all.encode()
    });
    for (name, comment, actions, segments) in [
        (
            "action-upper-case",
            "an action has an upper-case letter",
            &["Mail.read"][..],
            &["mail"][..],
        ),
        ("action-star", "an action is a star", &["*"], &["mail"]),
        ("action-empty", "an action is empty", &[""], &["mail"]),
        ("segment-dots", "a segment is two dots", &["mail.read"], &["mail", ".."]),
        ("segment-dot", "a segment is one dot", &["mail.read"], &["mail", "."]),
        ("segment-slash", "a segment has a slash", &["mail.read"], &["mail/inbox"]),
        ("segment-percent", "a segment is percent-encoded", &["mail.read"], &["mail", "%2e"]),
        ("segment-empty", "a segment is empty", &["mail.read"], &["mail", ""]),
    ] {
        case(name, 122, comment, grant(1, scope(&[(actions, segments)])));
    }
    case(
        "action-65",
        122,
        "an action has 65 bytes",
        grant(1, scope(&[(&["a".repeat(65).as_str()], &["mail"])])),
    );
    case(
        "actions-unsorted",
        117,
        "two actions stand in the wrong order",
        grant(1, scope(&[(&["mail.send", "mail.read"], &["mail"])])),
    );
    case(
        "actions-twice",
        118,
        "an action is there twice",
        grant(1, scope(&[(&["mail.read", "mail.read"], &["mail"])])),
    );
    case("actions-none", 120, "a permission has no action", grant(1, scope(&[(&[], &["mail"])])));
    case("scope-empty", 120, "the scope has no permission", grant(1, array([])));
    case(
        "permissions-unsorted",
        117,
        "two permissions stand in the wrong order",
        grant(1, scope(&[(&["mail.send"], &["mail"]), (&["mail.read"], &["mail"])])),
    );
    let many: Vec<_> = (0..65).map(|index| format!("p{index:02}")).collect();
    case(
        "permissions-65",
        201,
        "a scope has 65 permissions",
        links.with(2, |claims| {
            granted(
                claims,
                1,
                array(many.iter().map(|segment| {
                    array([array([text("mail.read")]), array([text("mail"), text(segment)])])
                })),
            );
        }),
    );
    case(
        "segments-17",
        201,
        "a prefix has 17 segments",
        grant(
            1,
            array([array([array([text("mail.read")]), array((0..17).map(|_| text("mail")))])]),
        ),
    );
    family.finish()
}
