//! SPEC §11: allotments where they stand, what they are worth, reports, and evidence.

use agent_envelope::budget::Evidence;
use agent_envelope::{DelegationChain, Draft, Grant, Kind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::build::{
    Cast, Family, cover_again, edit_control, entropy, few, inbox, purse_of, receive, resigned,
    verify,
};
use super::super::run::{hex, terms};
use crate::adversary::cbor::{Item, array, bytes, map, text, uint};
use crate::adversary::forge::{self, Element, Forgery, protected, statement};
use crate::adversary::{Agent, HOUR, NOW, SECONDS};

const ALLOTMENT: u64 = 67;
const REPORT: u64 = 68;

/// The encoding of terms that are given as vectors write them.
pub(super) fn terms_item(terms: &Value) -> Item {
    let number = |value: &Value| uint(value.as_u64().expect("a number"));
    let amount = |one: &Value| {
        let unit = one.get(2).and_then(Value::as_str).map(text);
        array([number(&one[0]), number(&one[1])].into_iter().chain(unit))
    };
    let amounts = terms["amounts"].as_array().expect("amounts").iter().map(amount);
    let mut item =
        map([(1, array(amounts)), (2, number(&terms["deadline"])), (3, number(&terms["depth"]))]);
    if let Some(wall) = terms.get("wall") {
        item.set(4, number(wall));
    }
    item
}

pub(super) fn amounts_item(calls: u64) -> Item {
    if calls == 0 {
        return array([]);
    }
    terms_item(&purse_of(calls, 0)).get(1).expect("amounts").clone()
}

fn agents_used(number: u64) -> Item {
    array((number > 0).then(|| array([uint(28), uint(number)])))
}

/// A statement that hangs on nothing, with its id.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) item: Item,
    pub(super) id: [u8; 32],
}

/// The id of a statement that hangs on nothing.
pub(super) fn statement_id(kind: &str, statement: &Item) -> [u8; 32] {
    let aad = array([text(&format!("agent-envelope/1/{kind}"))]);
    let payload = forge::statement_part(statement, 2);
    Sha256::digest(forge::to_be_signed(&protected(None), &aad, payload)).into()
}

pub(super) fn signed(kind: &str, signer: &Agent, claims: &Item) -> Signed {
    let aad = array([text(&format!("agent-envelope/1/{kind}"))]);
    let payload = claims.encode();
    let id = Sha256::digest(forge::to_be_signed(&protected(None), &aad, &payload)).into();
    Signed { item: statement(signer, &protected(None), &aad, &payload), id }
}

fn root_claims(payer: &Agent, to: &Agent, terms: Item, request: Option<[u8; 32]>) -> Item {
    map([
        (1, bytes(payer.id().as_bytes())),
        (2, bytes(to.id().as_bytes())),
        (3, terms),
        (4, request.map_or(Item::Null, bytes)),
        (5, bytes([5; 16])),
    ])
}

/// An entry of a ledger in which nothing has happened yet but this.
pub(super) fn entry_claims(holder: &Agent, allotment: [u8; 32], event: Item) -> Item {
    map([
        (1, bytes(holder.id().as_bytes())),
        (2, bytes(allotment)),
        (3, Item::Null),
        (4, uint(0)),
        (5, array([])),
        (6, array([])),
        (7, array([])),
        (8, event),
    ])
}

pub(super) fn split_event(to: &Agent, terms: Item, request: Option<[u8; 32]>) -> Item {
    array([uint(0), bytes(to.id().as_bytes()), terms, request.map_or(Item::Null, bytes)])
}

pub(super) fn report_event(returned: Item, last: u64) -> Item {
    array([uint(2), returned, uint(last), array([uint(0)]), uint(0), array([])])
}

/// The user pays the planner under a chain, and the planner grants a part to the worker:
/// 0 chain, 1 user, 2 allotment; hop 1 adds 3 tool-call, 4 the split.
struct Story<'c> {
    cast: &'c Cast,
    chain: DelegationChain,
    declared: Option<Value>,
    root: Box<dyn Fn(&mut Item) + 'c>,
    split: Box<dyn Fn(&mut Item) + 'c>,
    signers: [&'c Agent; 2],
    /// The chain that the allotment brings along, if it is not the user's own.
    brought: Option<Item>,
}

impl<'c> Story<'c> {
    fn new(cast: &'c Cast) -> Self {
        let ceiling = terms(&purse_of(10, 2)).expect("terms");
        let grant = Grant::new("user", few("summarise", &[])).depth(2).budget(ceiling);
        let chain = cast.grant(&cast.user, grant, "funding/chain");
        let nothing = || Box::new(|_: &mut Item| ());
        let signers = [&cast.user, &cast.planner];
        Self {
            cast,
            chain,
            declared: None,
            root: nothing(),
            split: nothing(),
            signers,
            brought: None,
        }
    }

    fn root(cast: &'c Cast, edit: impl Fn(&mut Item) + 'c) -> Vec<u8> {
        Self { root: Box::new(edit), ..Self::new(cast) }.encode()
    }

    fn split(cast: &'c Cast, edit: impl Fn(&mut Item) + 'c) -> Vec<u8> {
        Self { split: Box::new(edit), ..Self::new(cast) }.encode()
    }

    fn encode(&self) -> Vec<u8> {
        self.forged().encode()
    }

    fn forged(&self) -> Forgery {
        let cast = self.cast;
        let draft = Draft::new(&cast.user.identity)
            .to([cast.planner.id(), cast.worker.id()])
            .next(cast.planner.id())
            .expires_in(HOUR)
            .authority(&self.chain)
            .clear(Kind::User, "text/plain", &b"plan and do"[..]);
        let sent = draft.sign(NOW, entropy("funding/story")).expect("a complete draft");
        let mut forged = Forgery::of(sent.as_bytes());
        if let Some(declared) = &self.declared {
            forged.header.set(9, terms_item(declared));
        }
        let mut root = root_claims(
            &cast.user,
            &cast.planner,
            terms_item(&purse_of(9, 1)),
            Some(forged.head(2)),
        );
        root.set(7, bytes(self.chain.id().as_bytes()));
        (self.root)(&mut root);
        let root = signed("allotment", self.signers[0], &root);
        let brought = self.brought.clone().unwrap_or_else(|| Item::read(self.chain.as_bytes()));
        let lineage = |statements: Vec<Item>| array([brought.clone(), array(statements)]).encode();
        let paid = lineage(vec![root.item.clone()]);
        forged.elements.push(Element::control(&cast.user, ALLOTMENT, paid));
        forged.cover(0, 3, &cast.user);
        forged.elements.push(Element::clear(&cast.planner, 3, b"do"));
        let event = split_event(&cast.worker, terms_item(&purse_of(4, 0)), Some(forged.head(4)));
        let mut split = entry_claims(&cast.planner, root.id, event);
        split.set(5, agents_used(1));
        split.set(6, amounts_item(4));
        (self.split)(&mut split);
        let split = signed("entry", self.signers[1], &split);
        let granted = lineage(vec![root.item, split.item]);
        forged.elements.push(Element::control(&cast.planner, ALLOTMENT, granted));
        forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
        forged
    }
}

/// Changes what a split says in its event.
fn event(claims: &mut Item, item: usize, value: Item) {
    let mut event = claims.get(8).expect("an event").clone();
    event.items()[item] = value;
    claims.set(8, event);
}

fn with_terms(calls: u64, depth: u64, edit: impl Fn(&mut Item)) -> Item {
    let mut terms = terms_item(&purse_of(calls, depth));
    edit(&mut terms);
    terms
}

pub(super) fn allotments(cast: &Cast) -> Value {
    let mut family = Family::new(
        "funding",
        "Allotments in envelopes (SPEC §11.3): lineage, breach, place, signatures, what they are worth to a reader; reports by their form.",
    );
    family.verifiers_of(cast);
    let read = |bytes: &[u8]| verify("reader", bytes, "worker", SECONDS);
    let story = Story::new(cast);
    let honest = story.encode();
    family.accept(
        "split",
        "the user pays the planner under a chain, and the planner grants a part to the worker",
        [read(&honest)],
    );
    family.accept(
        "split-received",
        "what the worker is funded with: all that the last statement says",
        [inbox("in", "worker"), receive("in", &honest, SECONDS, "it")],
    );
    family.accept("root-received", "what the planner is funded with, at hop 0", {
        let mut first = story.forged();
        first.hops.truncate(1);
        first.elements.truncate(3);
        [inbox("in", "planner"), receive("in", &first.encode(), SECONDS, "it")]
    });
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "split", code, comment, [read(&bytes)]);
    };
    // Lineage.
    case(
        "chain-left-out",
        1010,
        "the root names a chain, and none is brought",
        Story { brought: Some(Item::Null), ..Story::new(cast) }.encode(),
    );
    case(
        "chain-not-named",
        1010,
        "a chain is brought that the root does not name",
        Story::root(cast, |root| root.remove(7)),
    );
    case(
        "chain-of-another-id",
        1010,
        "the root names another link",
        Story::root(cast, |root| root.set(7, bytes([7; 32]))),
    );
    case("chain-of-another-holder", 1010, "the chain is the auditor's, and so is its id", {
        let other = cast.grant(
            &cast.auditor,
            Grant::new("auditor", few("summarise", &[]))
                .depth(2)
                .budget(terms(&purse_of(10, 2)).expect("terms")),
            "funding/auditor",
        );
        let id = *other.id().as_bytes();
        let mut story = Story::new(cast);
        story.brought = Some(Item::read(other.as_bytes()));
        story.root = Box::new(move |root| root.set(7, bytes(id)));
        story.encode()
    });
    case(
        "root-for-its-payer",
        1010,
        "the root grants to its payer",
        Story::root(cast, |root| root.set(2, bytes(cast.user.id().as_bytes()))),
    );
    case(
        "split-of-another-allotment",
        1010,
        "the split names another allotment",
        Story::split(cast, |split| split.set(2, bytes([7; 32]))),
    );
    case(
        "split-by-another-holder",
        1010,
        "the root grants to the auditor, and the planner splits it",
        Story::root(cast, |root| root.set(2, bytes(cast.auditor.id().as_bytes()))),
    );
    case(
        "split-for-its-holder",
        1010,
        "the split is for its own holder",
        Story::split(cast, |split| event(split, 1, bytes(cast.planner.id().as_bytes()))),
    );
    case(
        "split-is-a-report",
        1010,
        "a report stands where a split should",
        Story::split(cast, |split| {
            split.set(6, array([]));
            split.set(8, report_event(array([]), 0));
        }),
    );
    // Breach.
    case(
        "split-of-more",
        1011,
        "the split grants more calls than there are",
        Story::split(cast, |split| {
            event(split, 2, terms_item(&purse_of(10, 0)));
            split.set(6, amounts_item(10));
        }),
    );
    case(
        "split-of-all",
        1011,
        "the split grants all agents, and its own costs one more",
        Story::split(cast, |split| {
            event(split, 2, terms_item(&purse_of(9, 0)));
            split.set(6, amounts_item(9));
        }),
    );
    case(
        "split-without-its-agent",
        1011,
        "own does not count the agent that a split costs",
        Story::split(cast, |split| split.set(5, array([]))),
    );
    case(
        "split-missing-from-out",
        1011,
        "out is less than what the split grants",
        Story::split(cast, |split| split.set(6, amounts_item(3))),
    );
    case(
        "split-out-too-much",
        1011,
        "at seq 0, out is more than what the split grants",
        Story::split(cast, |split| split.set(6, amounts_item(5))),
    );
    case(
        "split-with-back",
        1011,
        "at seq 0, something has come back",
        Story::split(cast, |split| split.set(7, amounts_item(1))),
    );
    case(
        "split-with-a-predecessor",
        1011,
        "at seq 0, prev is not null",
        Story::split(cast, |split| split.set(3, bytes([7; 32]))),
    );
    case(
        "split-late-without-one",
        1011,
        "at seq 1, prev is null",
        Story::split(cast, |split| split.set(4, uint(1))),
    );
    case(
        "split-as-deep",
        1011,
        "the depth is not less",
        Story::split(cast, |split| event(split, 2, terms_item(&purse_of(4, 1)))),
    );
    case(
        "split-later",
        1011,
        "the deadline is a second later",
        Story::split(cast, |split| {
            event(split, 2, with_terms(4, 0, |terms| terms.set(2, uint(SECONDS + 1801))))
        }),
    );
    case(
        "split-longer-wall",
        1011,
        "wall is a millisecond longer",
        Story::split(cast, |split| {
            event(split, 2, with_terms(4, 0, |terms| terms.set(4, uint(30_001))))
        }),
    );
    case(
        "split-without-wall",
        1011,
        "wall is left out, where a statement must repeat it",
        Story::split(cast, |split| event(split, 2, with_terms(4, 0, |terms| terms.remove(4)))),
    );
    // Signatures.
    case(
        "root-signed-by-another",
        1012,
        "the root is signed by a stranger",
        Story { signers: [&cast.stranger, &cast.planner], ..Story::new(cast) }.encode(),
    );
    case(
        "split-signed-by-another",
        1012,
        "the split is signed by the user",
        Story { signers: [&cast.user, &cast.user], ..Story::new(cast) }.encode(),
    );
    case("chain-of-the-payer-spoilt", 411, "a signature in the payer's chain is spoilt", {
        let mut spoilt = Item::read(story.chain.as_bytes());
        spoilt.items()[0].items()[3] = bytes([0; 64]);
        Story { brought: Some(spoilt), ..Story::new(cast) }.encode()
    });
    // Place.
    case(
        "request-of-another-place",
        1013,
        "the split is for another place",
        Story::split(cast, |split| event(split, 3, bytes([7; 32]))),
    );
    case(
        "root-of-another-place",
        1013,
        "the root is for another place",
        Story::root(cast, |root| root.set(4, bytes([7; 32]))),
    );
    case(
        "holder-not-next",
        1013,
        "the split is for the auditor, who is not next",
        Story::split(cast, |split| event(split, 1, bytes(cast.auditor.id().as_bytes()))),
    );
    case(
        "grantor-not-author",
        1013,
        "the planner repeats the user's allotment instead of splitting it",
        {
            let mut forged = story.forged();
            forged.elements[4] = Element::control(
                &cast.planner,
                ALLOTMENT,
                forged.elements[2].body.clone().expect("a lineage"),
            );
            cover_again(&mut forged, &[&cast.user, &cast.planner]);
            forged.encode()
        },
    );
    // Hop 0 by itself.
    let mut first = story.forged();
    first.hops.truncate(1);
    first.elements.truncate(3);
    let at_planner = |bytes: &[u8]| verify("reader", bytes, "planner", SECONDS);
    family.accept("root", "what the planner receives", [at_planner(&first.encode())]);
    let again = resigned(&first, &[&cast.user], |forged| {
        edit_control(forged, 2, &cast.user, |lineage| {
            let root = &mut lineage.items()[1].items()[0];
            let claims = Item::read(forge::statement_part(root, 2));
            *root = signed("entry", &cast.user, &claims).item;
        });
    });
    family.refuse(
        "root-signed-as-an-entry",
        "root",
        1012,
        "the root is signed as an entry of a ledger",
        [at_planner(&again)],
    );

    // Purses.
    let purse = Story::split(cast, |split| event(split, 3, Item::Null));
    family.variant("purse", "split", "the split is for no place: a purse", [read(&purse)]);
    family.accept(
        "purse-received",
        "what the worker holds is a purse, and the request is funded by nothing",
        [inbox("in", "worker"), receive("in", &purse, SECONDS, "it")],
    );
    let twice = resigned(&Forgery::of(&purse), &[&cast.user, &cast.planner], |forged| {
        let again = forged.elements[4].clone();
        forged.elements.push(again);
        forged.edit_hop(1, |hop| hop.set(4, uint(6)));
    });
    family.refuse("purse-twice", "purse", 1013, "the same purse is there twice", [read(&twice)]);

    // Declared terms.
    let declared =
        |declared: Value| Story { declared: Some(declared), ..Story::new(cast) }.encode();
    let exactly = |key: &str, value: Value| {
        let mut terms = purse_of(9, 1);
        if !key.is_empty() {
            terms[key] = value;
        }
        declared(terms)
    };
    family.variant(
        "declared-within",
        "split",
        "the header declares less than the allotment grants, and leaves wall unsaid",
        [read(&declared(json!({
            "amounts": [[20, 8]], "deadline": SECONDS + 1800, "depth": 1,
        })))],
    );
    family.variant(
        "declared-exactly",
        "split",
        "the header declares what the allotment grants",
        [read(&exactly("", Value::Null))],
    );
    let amounts = |calls: u64, unit: &str| json!([[20, calls], [24, 9000, unit], [28, 9]]);
    for (name, comment, bytes) in [
        ("declared-more", "it declares a call more", exactly("amounts", amounts(10, "USD:6"))),
        ("declared-deeper", "it declares more depth", exactly("depth", json!(2))),
        (
            "declared-later",
            "its deadline is a second later",
            exactly("deadline", json!(SECONDS + 1801)),
        ),
        ("declared-longer", "its wall is a millisecond longer", exactly("wall", json!(30_001))),
        (
            "declared-another-unit",
            "it declares money of another unit",
            exactly("amounts", amounts(9, "EUR:6")),
        ),
    ] {
        family.refuse(name, "declared-exactly", 1014, comment, [read(&bytes)]);
    }
    worth(cast, &mut family, &honest, &purse);
    reports(cast, &mut family);
    family.finish()
}

/// What an allotment is worth, to a reader that takes any envelope and to one that asks to be funded.
fn worth(cast: &Cast, family: &mut Family, honest: &[u8], purse: &[u8]) {
    family.verifier_like("worker-funded", "worker", json!({ "require_funding": true }));
    let poor = |change: &dyn Fn(&mut Value)| {
        let mut anchor = cast.anchor_json();
        change(&mut anchor);
        json!({ "anchors": [anchor] })
    };
    let taken = |bytes: &[u8], verifier: &str, now: u64| {
        [inbox("in", verifier), receive("in", bytes, now, "it")]
    };
    family.accept(
        "funded",
        "the reader asks to be funded, and is",
        taken(honest, "worker-funded", SECONDS),
    );
    family.refuse(
        "purse-is-no-funding",
        "funded",
        1016,
        "the split is a purse, which funds no request",
        taken(purse, "worker-funded", SECONDS),
    );
    let unpaid = {
        let mut forged = Forgery::of(honest);
        forged.elements.truncate(4);
        forged.edit_hop(1, |hop| hop.set(4, uint(4)));
        cover_again(&mut forged, &[&cast.user, &cast.planner]);
        forged.encode()
    };
    family.refuse(
        "not-funded",
        "funded",
        1016,
        "the planner grants nothing to the worker",
        taken(&unpaid, "worker-funded", SECONDS),
    );
    // A hop that is signed again is another path, and brings the same split at the same place.
    let again = resigned(&Forgery::of(honest), &[&cast.user, &cast.planner], |forged| {
        forged.edit_hop(1, |hop| hop.set(3, uint(SECONDS + 1)));
    });
    let twice = |verifier: &str| {
        let first = receive("in", honest, SECONDS, "it");
        [inbox("in", verifier), first, receive("in", &again, SECONDS + 1, "again")]
    };
    family.accept(
        "one-split-on-two-paths",
        "the planner signs its hop twice, over one split: the second path funds nothing",
        twice("worker"),
    );
    family.refuse(
        "one-split-pays-once",
        "one-split-on-two-paths",
        1016,
        "the same, by a reader that asks to be funded",
        twice("worker-funded"),
    );
    // The deadline is 1800 s after created.
    family.variant(
        "deadline-within-skew",
        "funded",
        "29 s after the deadline, with a skew of 30 s",
        taken(honest, "worker-funded", SECONDS + 1829),
    );
    family.refuse(
        "deadline-passed",
        "funded",
        1016,
        "30 s after the deadline",
        taken(honest, "worker-funded", SECONDS + 1830),
    );
    family.accept(
        "deadline-passed-taken",
        "the same, by a reader that takes what is not funded",
        taken(honest, "worker", SECONDS + 1830),
    );
    // One chain vouches for the user, another one pays, if it is brought.
    let chain = Story::new(cast).chain;
    let paid = |under: Option<&DelegationChain>| {
        let usual = cast.grant(
            &cast.user,
            Grant::new("user", few("summarise", &[])).depth(2),
            "funding/usual",
        );
        let sent = Draft::new(&cast.user.identity)
            .to(cast.worker.id())
            .expires_in(HOUR)
            .authority(&usual)
            .clear(Kind::User, "text/plain", &b"do"[..])
            .sign(NOW, entropy("funding/both"))
            .expect("a complete draft");
        let mut forged = Forgery::of(sent.as_bytes());
        let terms = terms_item(&purse_of(9, 1));
        let mut claims = root_claims(&cast.user, &cast.worker, terms, Some(forged.head(2)));
        if let Some(chain) = under {
            claims.set(7, bytes(chain.id().as_bytes()));
        }
        let root = signed("allotment", &cast.user, &claims).item;
        let chain = under.map_or(Item::Null, |chain| Item::read(chain.as_bytes()));
        let lineage = array([chain, array([root])]).encode();
        forged.elements.push(Element::control(&cast.user, ALLOTMENT, lineage));
        forged.sealed_by_originator(&cast.user)
    };
    let (both, paying) = (paid(Some(&chain)), chain.id());
    family.verifier_like(
        "worker-less-budget",
        "worker",
        poor(&|anchor| anchor["budget"] = purse_of(9, 2)),
    );
    family.verifier_like(
        "worker-less-budget-funded",
        "worker-less-budget",
        json!({ "require_funding": true }),
    );
    family.verifier_like(
        "worker-no-budget",
        "worker",
        poor(&|anchor| drop(anchor.as_object_mut().expect("members").remove("budget"))),
    );
    family.verifier_like(
        "worker-no-budget-funded",
        "worker-no-budget",
        json!({ "require_funding": true }),
    );
    let revoked = json!({ "revocations": { "as_of": SECONDS, "max_age": 3600, "links": [hex(paying.as_bytes())] } });
    family.verifier_like("worker-payer-revoked", "worker", revoked);
    family.verifier_like(
        "worker-payer-revoked-funded",
        "worker-payer-revoked",
        json!({ "require_funding": true }),
    );
    family.accept(
        "paid-under-another-chain",
        "one chain vouches, another pays",
        taken(&both, "worker-funded", SECONDS),
    );
    for (name, comment) in [
        ("less-budget", "the anchor has less to give than the ceiling of the chain that pays"),
        ("no-budget", "the anchor has no budget to hand on"),
        ("payer-revoked", "the chain that pays is revoked"),
    ] {
        family.accept(
            &format!("{name}-taken"),
            &format!("{comment}; the reader takes what is not funded"),
            taken(&both, &format!("worker-{name}"), SECONDS),
        );
        let mut steps = taken(&both, "worker-funded", SECONDS);
        steps[0]["verifier"] = json!(format!("worker-{name}-funded"));
        family.refuse(name, "paid-under-another-chain", 1016, comment, steps);
    }
    // An anchor pays by its own key, up to its ceiling.
    let by_anchor = |calls: u64| {
        let sent = Draft::new(&cast.login.identity)
            .to(cast.worker.id())
            .expires_in(HOUR)
            .clear(Kind::User, "text/plain", &b"do"[..])
            .sign(NOW, entropy("funding/anchor"))
            .expect("a complete draft");
        let mut forged = Forgery::of(sent.as_bytes());
        let claims = root_claims(
            &cast.login,
            &cast.worker,
            terms_item(&purse_of(calls, 8)),
            Some(forged.head(1)),
        );
        let root = signed("allotment", &cast.login, &claims).item;
        forged.elements.push(Element::control(
            &cast.login,
            ALLOTMENT,
            array([Item::Null, array([root])]).encode(),
        ));
        forged.sealed_by_originator(&cast.login)
    };
    family.accept(
        "paid-by-the-anchor",
        "an anchor pays as much as its ceiling",
        taken(&by_anchor(100), "worker-funded", SECONDS),
    );
    family.refuse(
        "anchor-beyond-its-ceiling",
        "paid-by-the-anchor",
        1016,
        "an anchor pays more than its ceiling",
        taken(&by_anchor(101), "worker-funded", SECONDS),
    );
    family.accept(
        "anchor-beyond-its-ceiling-taken",
        "the same, by a reader that takes what is not funded",
        taken(&by_anchor(101), "worker", SECONDS),
    );
    // Without a chain to pay under.
    let stranger = paid(None);
    family.accept(
        "unknown-payer-taken",
        "the user pays without a chain to pay under",
        taken(&stranger, "worker", SECONDS),
    );
    family.refuse(
        "unknown-payer",
        "paid-under-another-chain",
        1016,
        "the user pays without a chain to pay under, and the reader asks to be funded",
        taken(&stranger, "worker-funded", SECONDS),
    );
}

/// A report element: its author's history, up to a report.
fn reports(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.worker);
    let split = |seq: u64, prev: Option<[u8; 32]>, id: [u8; 32]| {
        let event = split_event(&cast.auditor, terms_item(&purse_of(2, 0)), Some([8; 32]));
        let mut claims = entry_claims(&cast.worker, id, event);
        claims.set(3, prev.map_or(Item::Null, bytes));
        claims.set(4, uint(seq));
        claims.set(5, agents_used(1));
        claims.set(6, amounts_item(2));
        claims
    };
    let report = |seq: u64, prev: Option<[u8; 32]>, id: [u8; 32]| {
        let mut claims = entry_claims(&cast.worker, id, report_event(amounts_item(1), 0));
        claims.set(3, prev.map_or(Item::Null, bytes));
        claims.set(4, uint(seq));
        claims.set(5, agents_used(1));
        claims.set(6, amounts_item(2));
        claims
    };
    let carried = |entries: &[(&Agent, Item)]| {
        let sent = Draft::new(&cast.worker.identity)
            .to(cast.planner.id())
            .expires_in(HOUR)
            .authority(&chain)
            .sign(NOW, entropy("funding/report"))
            .expect("a complete draft");
        let mut forged = Forgery::of(sent.as_bytes());
        let history =
            array(entries.iter().map(|(signer, claims)| signed("entry", signer, claims).item));
        forged.elements.push(Element::control(&cast.worker, REPORT, history.encode()));
        forged.sealed_by_originator(&cast.worker)
    };
    let id = [6; 32];
    let worker = &cast.worker;
    let first = split(0, None, id);
    let prev = signed("entry", worker, &first).id;
    let read = |bytes: &[u8]| verify("reader", bytes, "planner", SECONDS);
    let last = report(1, Some(prev), id);
    family.accept(
        "report",
        "a split and a report",
        [read(&carried(&[(worker, first.clone()), (worker, last.clone())]))],
    );
    let mut case = |name: &str, code: u16, comment: &str, entries: &[(&Agent, Item)]| {
        family.refuse(name, "report", code, comment, [read(&carried(entries))]);
    };
    case("report-missing", 1015, "the history ends in a split", &[(worker, first.clone())]);
    case(
        "report-without-the-beginning",
        1015,
        "the history begins with seq 1",
        &[(worker, last.clone())],
    );
    case(
        "report-of-two-ledgers",
        1015,
        "the report is about another allotment",
        &[(worker, first.clone()), (worker, report(1, Some(prev), [7; 32]))],
    );
    let other = |claims: &Item| {
        let mut claims = claims.clone();
        claims.set(1, bytes(cast.auditor.id().as_bytes()));
        claims
    };
    case(
        "report-of-another",
        1015,
        "the history is the auditor's",
        &[(&cast.auditor, other(&first)), (&cast.auditor, other(&last))],
    );
    case(
        "report-entry-left-out",
        1015,
        "an entry between is left out",
        &[(worker, first.clone()), (worker, report(2, Some(prev), id))],
    );
    case(
        "report-signed-by-another",
        1027,
        "the report is signed by a stranger",
        &[(worker, first.clone()), (&cast.stranger, last.clone())],
    );
    case(
        "report-split-signed-by-another",
        1027,
        "the split is signed by the auditor",
        &[(&cast.auditor, first.clone()), (worker, last)],
    );
    case("report-empty", 120, "the history is empty", &[]);
}

/// SPEC §11.6 and §10.3: what convicts, and what does not.
pub(super) fn evidence(cast: &Cast) -> Value {
    let mut family = Family::new(
        "evidence",
        "Evidence against the holder of a ledger (SPEC §11.6) and against an originator (§10.3).",
    );
    let step = |bytes: &[u8]| json!({ "do": "evidence", "bytes": hex(bytes) });
    let holder = &cast.planner;
    let root = signed(
        "allotment",
        &cast.user,
        &root_claims(&cast.user, holder, terms_item(&purse_of(9, 3)), None),
    );
    let none = || Item::Null;
    let written = |grant: Item, entries: &[&Signed], report: Item| {
        array([
            text("agent-envelope/1/evidence"),
            grant,
            array(entries.iter().map(|entry| entry.item.clone())),
            report,
        ])
        .encode()
    };
    let entry = |edit: &dyn Fn(&mut Item)| {
        let mut claims = entry_claims(holder, root.id, report_event(array([]), 0));
        edit(&mut claims);
        claims
    };
    let sign = |claims: &Item| signed("entry", holder, claims);
    let follow = |before: &Signed, seq: u64, edit: &dyn Fn(&mut Item)| {
        let mut claims = entry(edit);
        claims.set(3, bytes(before.id));
        claims.set(4, uint(seq));
        claims
    };
    // E3: more used than granted. The proof needs the grant.
    let over = sign(&entry(&|claims| claims.set(5, amounts_item(10))));
    let within = sign(&entry(&|claims| claims.set(5, amounts_item(9))));
    family.accept(
        "over-use",
        "own is more than was granted",
        [step(&written(root.item.clone(), &[&over], none()))],
    );
    family.refuse(
        "no-over-use",
        "over-use",
        1028,
        "own is as much as was granted",
        [step(&written(root.item.clone(), &[&within], none()))],
    );
    family.refuse(
        "over-use-without-grant",
        "over-use",
        1028,
        "the grant is left out",
        [step(&written(none(), &[&over], none()))],
    );
    let forged = signed("entry", &cast.stranger, &entry(&|claims| claims.set(5, amounts_item(10))));
    family.refuse(
        "over-use-by-another",
        "over-use",
        1027,
        "the entry is signed by a stranger",
        [step(&written(root.item.clone(), &[&forged], none()))],
    );
    let foreign = signed(
        "allotment",
        &cast.stranger,
        &root_claims(&cast.user, holder, terms_item(&purse_of(9, 3)), None),
    );
    family.refuse(
        "over-use-of-a-forged-grant",
        "over-use",
        1012,
        "the grant is signed by a stranger",
        [step(&written(foreign.item, &[&over], none()))],
    );
    let other_root = signed(
        "allotment",
        &cast.user,
        &root_claims(&cast.user, holder, terms_item(&purse_of(8, 3)), None),
    );
    family.refuse(
        "over-use-of-another-grant",
        "over-use",
        1028,
        "the grant is another allotment of the same payer and holder",
        [step(&written(other_root.item, &[&over], none()))],
    );
    family.refuse(
        "over-use-with-more",
        "over-use",
        1028,
        "a statement is there that the proof does not need",
        [step(&written(root.item.clone(), &[&over, &within], none()))],
    );
    family.refuse(
        "no-entries",
        "over-use",
        120,
        "there is no entry",
        [step(&written(root.item.clone(), &[], none()))],
    );
    family.refuse(
        "other-label",
        "over-use",
        121,
        "the label is another one",
        [step(
            &array([
                text("agent-envelope/1/origin-fork"),
                root.item.clone(),
                array([over.item.clone()]),
                none(),
            ])
            .encode(),
        )],
    );

    // E1: two entries with one seq.
    let (one, other) = (
        sign(&entry(&|claims| claims.set(5, agents_used(1)))),
        sign(&entry(&|claims| claims.set(5, agents_used(2)))),
    );
    let between = |one: &Signed, other: &Signed| {
        Evidence::between(&one.item.encode(), &other.item.encode())
            .expect("entries")
            .expect("they convict")
            .as_bytes()
            .to_vec()
    };
    family.accept("two-of-one-seq", "two entries with seq 0", [step(&between(&one, &other))]);
    family.refuse(
        "one-twice",
        "two-of-one-seq",
        1028,
        "the same entry twice",
        [step(&written(none(), &[&one, &one], none()))],
    );
    let pair = Item::read(&between(&one, &other));
    let mut swapped = pair.clone();
    swapped.items()[2].items().swap(0, 1);
    family.refuse(
        "two-of-one-seq-swapped",
        "two-of-one-seq",
        1028,
        "the two stand the other way round",
        [step(&swapped.encode())],
    );
    let elsewhere = sign(&{
        let mut claims = entry(&|claims| claims.set(5, agents_used(2)));
        claims.set(2, bytes([9; 32]));
        claims
    });
    family.refuse(
        "two-ledgers",
        "two-of-one-seq",
        1028,
        "the second is of another ledger",
        [step(&written(none(), &[&one, &elsewhere], none()))],
    );
    let others = {
        let mut claims = entry(&|claims| claims.set(5, agents_used(2)));
        claims.set(1, bytes(cast.worker.id().as_bytes()));
        signed("entry", &cast.worker, &claims)
    };
    family.refuse(
        "two-holders",
        "two-of-one-seq",
        1028,
        "the second is by another holder",
        [step(&written(none(), &[&one, &others], none()))],
    );
    family.refuse(
        "second-by-another",
        "two-of-one-seq",
        1027,
        "the second is not signed by its holder",
        [step(&{
            let forged =
                signed("entry", &cast.stranger, &entry(&|claims| claims.set(5, agents_used(2))));
            let order: Vec<&Signed> =
                if one.id < other.id { vec![&one, &forged] } else { vec![&forged, &one] };
            written(none(), &order, none())
        })],
    );
    // E1, E4, E7 and E5 of two entries in order.
    let skipped = sign(&follow(&other, 1, &|claims| claims.set(5, agents_used(3))));
    family.accept(
        "prev-of-another",
        "the second entry names another predecessor than the first",
        [step(&between(&one, &skipped))],
    );
    let next = sign(&follow(&one, 1, &|claims| claims.set(5, agents_used(3))));
    family.refuse(
        "prev-of-the-first",
        "prev-of-another",
        1028,
        "the second entry names the first",
        [step(&written(none(), &[&one, &next], none()))],
    );
    let fallen = sign(&follow(&other, 1, &|claims| claims.set(5, agents_used(1))));
    family.accept("own-falls", "own falls", [step(&between(&other, &fallen))]);
    let equal = sign(&follow(&other, 1, &|claims| claims.set(5, agents_used(2))));
    family.refuse(
        "own-stays",
        "own-falls",
        1028,
        "own stays as it is",
        [step(&written(none(), &[&other, &equal], none()))],
    );
    let closed = sign(&entry(&|claims| claims.set(8, report_event(amounts_item(9), 1))));
    let after =
        sign(&follow(&closed, 1, &|claims| claims.set(8, report_event(amounts_item(9), 1))));
    family.accept(
        "after-the-last",
        "a report follows the last one",
        [step(&between(&closed, &after))],
    );
    let open = sign(&entry(&|claims| claims.set(8, report_event(amounts_item(9), 0))));
    let after_open =
        sign(&follow(&open, 1, &|claims| claims.set(8, report_event(amounts_item(9), 1))));
    family.refuse(
        "after-one-that-is-not-the-last",
        "after-the-last",
        1028,
        "the first report is not the last",
        [step(&written(none(), &[&open, &after_open], none()))],
    );
    // E6 and E2 of a split under its grant.
    let split = |calls: u64, edit: &dyn Fn(&mut Item), own: u64| {
        let mut terms = terms_item(&purse_of(calls, 2));
        edit(&mut terms);
        sign(&entry(&|claims| {
            claims.set(5, agents_used(own));
            claims.set(6, terms.get(1).expect("amounts").clone());
            claims.set(8, split_event(&cast.worker, terms.clone(), None));
        }))
    };
    let later = split(4, &|terms| terms.set(2, uint(SECONDS + 1801)), 1);
    let honest = split(4, &|_| (), 1);
    family.accept(
        "split-widened",
        "a split with a later deadline",
        [step(&written(root.item.clone(), &[&later], none()))],
    );
    family.refuse(
        "split-within",
        "split-widened",
        1028,
        "a split with the same deadline",
        [step(&written(root.item.clone(), &[&honest], none()))],
    );
    family.accept(
        "split-too-much",
        "a split of more than there is",
        [step(&written(root.item.clone(), &[&split(10, &|_| (), 1)], none()))],
    );
    family.accept(
        "split-without-its-agent",
        "a split that does not count its agent",
        [step(&written(root.item.clone(), &[&split(4, &|_| (), 0)], none()))],
    );
    // E5: a credit that its report does not bear out.
    let child = |returned: u64, last: u64| {
        let claims =
            entry_claims(&cast.worker, honest.id, report_event(amounts_item(returned), last));
        signed("entry", &cast.worker, &claims)
    };
    let credit = |report: &Signed, total: u64, last: u64| {
        sign(&follow(&honest, 1, &|claims| {
            claims.set(5, agents_used(1));
            claims.set(6, amounts_item(4));
            claims.set(7, amounts_item(total));
            claims.set(
                8,
                array([uint(1), uint(0), bytes(report.id), amounts_item(total), uint(last)]),
            );
        }))
    };
    let (two, three) = (child(2, 0), child(3, 0));
    family.accept(
        "credit-beyond-the-report",
        "a credit of 3, where the report that it names says 2",
        [step(&written(none(), &[&credit(&two, 3, 0)], two.item.clone()))],
    );
    family.refuse(
        "credit-as-reported",
        "credit-beyond-the-report",
        1028,
        "a credit of 2",
        [step(&written(none(), &[&credit(&two, 2, 0)], two.item.clone()))],
    );
    family.refuse(
        "credit-of-another-report",
        "credit-beyond-the-report",
        1028,
        "the report is not the one that the credit names",
        [step(&written(none(), &[&credit(&two, 3, 0)], three.item.clone()))],
    );
    family.accept(
        "credit-last",
        "a credit that says it was the last, where the report does not",
        [step(&written(none(), &[&credit(&two, 2, 1)], two.item.clone()))],
    );
    family.accept(
        "credit-beyond-the-split",
        "a credit of more than the split granted",
        [step(&between(&honest, &credit(&two, 5, 0)))],
    );
    family.refuse(
        "credit-within-the-split",
        "credit-beyond-the-split",
        1028,
        "a credit of less",
        [step(&written(none(), &[&honest, &credit(&two, 2, 0)], none()))],
    );
    let stranger = {
        let claims = entry_claims(&cast.auditor, honest.id, report_event(amounts_item(2), 0));
        signed("entry", &cast.auditor, &claims)
    };
    family.accept(
        "credit-of-a-stranger",
        "a split for the worker, and a credit for it that rests on a report by the auditor",
        [step(&written(none(), &[&honest, &credit(&stranger, 2, 0)], stranger.item.clone()))],
    );
    family.refuse(
        "credit-of-the-child",
        "credit-of-a-stranger",
        1028,
        "the report is by the worker",
        [step(&written(none(), &[&honest, &credit(&two, 2, 0)], two.item.clone()))],
    );
    // Rules 9 to 11 of two entries, and rule 3 of a report and what follows it.
    let report = |returned: u64| report_event(amounts_item(returned), 0);
    let begun = sign(&entry(&|claims| claims.set(8, report(0))));
    let granting = |before: &Signed, out: u64| {
        sign(&follow(before, 1, &|claims| {
            claims.set(5, agents_used(1));
            claims.set(6, amounts_item(out));
            claims.set(8, split_event(&cast.worker, terms_item(&purse_of(4, 2)), None));
        }))
    };
    let pair = |one: &Signed, other: &Signed| step(&written(none(), &[one, other], none()));
    family.accept(
        "split-missing-from-out",
        "a split of 4, by which out grew by 3",
        [step(&between(&begun, &granting(&begun, 3)))],
    );
    family.refuse(
        "split-counted-in-out",
        "split-missing-from-out",
        1028,
        "out grew by 4",
        [pair(&begun, &granting(&begun, 4))],
    );
    let idle = |out: u64| sign(&follow(&begun, 1, &|claims| claims.set(6, amounts_item(out))));
    family.accept(
        "out-without-a-split",
        "out grew, and the entry is a report",
        [step(&between(&begun, &idle(2)))],
    );
    let still = sign(&follow(&begun, 1, &|_| ()));
    family.refuse(
        "out-as-it-was",
        "out-without-a-split",
        1028,
        "out stayed",
        [pair(&begun, &still)],
    );
    let returning = |returned: u64| sign(&entry(&|claims| claims.set(8, report(returned))));
    let three_back = returning(3);
    let later =
        |returned: u64| sign(&follow(&three_back, 1, &|claims| claims.set(8, report(returned))));
    family.accept(
        "returned-falls",
        "what was returned falls from 3 to 2",
        [step(&between(&three_back, &later(2)))],
    );
    family.refuse(
        "returned-stays",
        "returned-falls",
        1028,
        "it stays",
        [pair(&three_back, &later(3))],
    );
    let first = credit(&two, 2, 0);
    let second = |report: &Signed, total: u64, back: u64| {
        sign(&follow(&first, 2, &|claims| {
            claims.set(5, agents_used(1));
            claims.set(6, amounts_item(4));
            claims.set(7, amounts_item(back));
            let total = amounts_item(total);
            claims.set(8, array([uint(1), uint(0), bytes(report.id), total, uint(0)]));
        }))
    };
    family.accept(
        "total-falls",
        "a second credit for the same split has a smaller total",
        [step(&between(&first, &second(&three, 1, 2)))],
    );
    family.refuse(
        "total-stays",
        "total-falls",
        1028,
        "it has the same total",
        [pair(&first, &second(&three, 2, 2))],
    );
    family.accept(
        "report-credited-twice",
        "two credits name one report",
        [step(&between(&first, &second(&two, 3, 3)))],
    );
    family.refuse(
        "two-reports-credited",
        "report-credited-twice",
        1028,
        "the second names another report",
        [pair(&first, &second(&three, 3, 3))],
    );
    family.accept(
        "back-beyond-the-difference",
        "back grew by 2, the total by 1",
        [step(&between(&first, &second(&three, 3, 4)))],
    );
    let given = |returned: u64| {
        let earlier = returning(returned);
        let later = granting(&earlier, 4);
        step(&written(root.item.clone(), &[&earlier, &later], none()))
    };
    family.accept(
        "granted-after-returning",
        "5 were returned, and then 4 granted and an agent used of 9",
        [given(5)],
    );
    family.refuse(
        "granted-within-the-rest",
        "granted-after-returning",
        1028,
        "4 were returned",
        [given(4)],
    );
    origin_forks(cast, &mut family);
    family.finish()
}

fn origin_forks(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.user);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"pay 10"[..])
        .sign(NOW, entropy("evidence/origin-fork"))
        .expect("a complete draft");
    let one = Forgery::of(sent.as_bytes());
    let version = |content: &[u8], signer: &Agent| {
        let mut forged = one.clone();
        forged.elements[1] = Element::clear(&cast.user, 0, content);
        forged.cover(0, 2, signer);
        forged
    };
    let id = |forged: &Forgery| {
        let payload = forge::statement_part(&forged.hops[0], 2).to_vec();
        let aad = forge::hop_aad(&forged.before(0));
        let id: [u8; 32] =
            Sha256::digest(forge::to_be_signed(&protected(None), &aad, &payload)).into();
        id
    };
    let written = |first: &Forgery, second: &Forgery| {
        array([
            text("agent-envelope/1/origin-fork"),
            bytes(one.header.encode()),
            first.hops[0].clone(),
            second.hops[0].clone(),
        ])
        .encode()
    };
    let step = |bytes: &[u8]| json!({ "do": "origin-fork", "bytes": hex(bytes) });
    let sorted = |other: &Forgery| {
        if id(&one) < id(other) { written(&one, other) } else { written(other, &one) }
    };
    let other = version(b"pay 1000", &cast.user);
    family.accept("origin-fork", "two hops 0 over one header", [step(&sorted(&other))]);
    let swapped = if id(&one) < id(&other) { written(&other, &one) } else { written(&one, &other) };
    family.refuse(
        "origin-fork-swapped",
        "origin-fork",
        117,
        "the two stand the other way round",
        [step(&swapped)],
    );
    family.refuse(
        "origin-fork-of-one",
        "origin-fork",
        118,
        "the same hop twice",
        [step(&written(&one, &one))],
    );
    family.refuse(
        "origin-fork-forged",
        "origin-fork",
        410,
        "one of the two is signed by a stranger",
        [step(&sorted(&version(b"pay 1000", &cast.stranger)))],
    );
    let mut elsewhere = other.clone();
    elsewhere.header.set(10, Item::Map(vec![(text("skill"), text("other"))]));
    elsewhere.cover(0, 2, &cast.user);
    family.refuse(
        "origin-fork-of-two-headers",
        "origin-fork",
        410,
        "one of the two is signed over another header",
        [step(&sorted(&elsewhere))],
    );
}
