//! The CDDL beside the specification describes what this crate writes, and not much else.

use crate::adversary;
use crate::support;

use adversary::cbor::{Item, array, bytes, text, uint};
use adversary::forge::{self, Element, Forgery};
use agent_envelope::budget::negotiation::{Ask, Message, Meters, Offer, Refusal, Refuse};
use agent_envelope::budget::{
    Amounts, Basis, Dimension, Evidence, Ledger, Outcome, Rate, Split, Tariff, Terms,
};
use agent_envelope::{Admitted, Allotment, Budget, Draft, Grant, Kind, Limits, OriginFork, Sent};
use support::{NOW, World, corpus, entropy, later, package, scope};

const CDDL: &str = include_str!("../agent-envelope.cddl");

fn check(rule: &str, encoded: &[u8]) -> Result<(), String> {
    cddl_cat::validate_cbor_bytes(rule, CDDL, encoded).map_err(|error| error.to_string())
}

fn accept(rule: &str, name: &str, encoded: &[u8]) {
    if let Err(error) = check(rule, encoded) {
        panic!("{name} is no {rule}: {error}");
    }
}

fn amounts(calls: u64, agents: u64) -> Amounts {
    Amounts::new()
        .with(Dimension::TOOL_CALLS, calls)
        .and_then(|amounts| amounts.with(Dimension::AGENTS, agents))
        .and_then(|amounts| amounts.with(Dimension::MEMORY, 1 << 30))
        .and_then(|amounts| amounts.with_unit(Dimension::MONEY, 1_000 * calls, "USD:6"))
        .expect("amounts")
}

/// What a budget leaves behind on its way from a payer to a worker and its helper, and back.
pub(crate) struct Budgets {
    pub(crate) envelopes: Vec<(&'static str, Vec<u8>)>,
    pub(crate) lineage: Vec<u8>,
    pub(crate) history: Vec<u8>,
    pub(crate) evidence: Vec<u8>,
}

fn opened(received: &mut Admitted<'_>, holder: &agent_envelope::Identity) -> Ledger {
    let Budget::Funded(funded) = received.take_funding() else { panic!("it is funded") };
    let funded = funded.into_iter().next().expect("one allotment");
    Ledger::open(funded, holder, NOW).expect("the holder opens it")
}

pub(crate) fn budgets() -> Budgets {
    let mut world = World::new();
    let whole = Terms::new(amounts(100, 8), later(1800), 4);
    world.anchor = world.anchor.budget(whole.clone());
    let grant = Grant::new("alice", scope(&[(&["summarise"], "")])).budget(whole.clone());
    let chain = world.issue(world.user.id(), grant, 300);
    let World { user, worker, planner, auditor, .. } = &world;

    let paid = Draft::new(user)
        .to(worker.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"summarise"[..])
        .allot(Allotment::new(worker.id(), whole.clone()).under(&chain).audited_by(auditor.id()))
        .allot(Allotment::new(worker.id(), whole).under(&chain).as_purse())
        .sign(NOW, entropy(301))
        .expect("a funded request")
        .persisted();
    let mut inbox = world.inbox(worker.id());
    let mut received = inbox.receive(paid.as_bytes(), NOW).expect("it is for the worker");
    let lineage = received.allotments().next().expect("an allotment").to_vec();
    let mut ledger = opened(&mut received, worker);
    let mut twin = ledger.clone();

    let part = Terms::new(amounts(10, 1), later(600), 0);
    let below = Draft::new(worker)
        .to(planner.id())
        .clear(Kind::User, "text/plain", &b"a part"[..])
        .fund(&mut ledger, Split::new(planner.id(), part), Amounts::new())
        .sign(NOW, entropy(302))
        .expect("a split")
        .persisted();
    // The worker signs two entries for one place.
    let some = Amounts::new().with(Dimension::TOOL_CALLS, 1).expect("a call");
    let _ = twin.give_back(worker, &some, Basis::Replayable).expect("a report").persisted();
    let [one, other] = [&ledger, &twin].map(|ledger| ledger.last_entry().expect("an entry"));
    let fork = Evidence::between(one, other).expect("both are valid").expect("both are first");

    let mut inbox = world.inbox(planner.id());
    let mut received = inbox.receive(below.as_bytes(), NOW).expect("it is for the planner");
    let mut helper = opened(&mut received, planner);
    let _ = helper.record(&some).expect("it is open");
    let report = helper.close(planner, Basis::Declared, Outcome::Done).expect("a report");
    let report = report.persisted();
    let back = Draft::new(planner).to(worker.id()).report(&report).sign(NOW, entropy(303));
    let back = back.expect("a report in an envelope");
    let credit = ledger.credit(worker, &report).expect("it is honest").expect("it is news");
    let _ = credit.persisted();
    let history = ledger.close(worker, Basis::Replayable, Outcome::Partial).expect("a report");
    let envelope = |name, sent: &Sent| (name, sent.as_bytes().to_vec());
    Budgets {
        envelopes: vec![
            envelope("an allotment and a purse under a chain", &paid),
            envelope("a split", &below),
            envelope("a report", &back),
        ],
        lineage,
        history: history.persisted(),
        evidence: fork.as_bytes().to_vec(),
    }
}

pub(crate) fn messages() -> Vec<Message> {
    let terms = Terms::new(amounts(10, 2), later(600), 1);
    let tariff = Tariff::new("USD:6")
        .and_then(|tariff| tariff.with(Dimension::TOOL_CALLS, Rate { price: 500, per: 1 }))
        .and_then(|tariff| {
            tariff.with_unit(Dimension::MONEY, Rate { price: 105, per: 100 }, "USD:6")
        })
        .and_then(|tariff| tariff.free_of_charge(Dimension::AGENTS))
        .expect("a tariff");
    let meters = [Dimension::TOOL_CALLS, Dimension::AGENTS, Dimension::MEMORY];
    let meters = meters.into_iter().try_fold(Meters::new(), Meters::with).expect("meters");
    let meters = meters.with_unit(Dimension::MONEY, "USD:6").expect("meters");
    let offer = Offer::new(terms.clone(), meters, later(300))
        .and_then(|offer| offer.with_need(amounts(2, 1)))
        .expect("an offer");
    let refuse = Refuse::new(Refusal::Quota).for_lack_of(amounts(20, 1));
    vec![
        Message::Ask(Ask::new(terms, amounts(3, 1)).expect("an ask")),
        Message::Offer(offer.clone().with_estimate(amounts(5, 1)).with_tariff(tariff)),
        Message::Offer(offer),
        Message::Accept,
        Message::Refuse(refuse.retry_in(support::HOUR)),
        Message::Refuse(Refuse::new(Refusal::Busy)),
    ]
}

/// Two hop 0 over one header.
pub(crate) fn origin_fork() -> Vec<u8> {
    let world = adversary::World::new();
    let [u, b] = ["user", "agent b"].map(adversary::Agent::new);
    let chain = world.authority(&u);
    let sent = Draft::new(&u.identity)
        .to(b.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"pay 10"[..])
        .sign(NOW, adversary::entropy())
        .expect("a complete draft");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.elements[1] = Element::clear(&u, 0, b"pay 1000");
    let other = forged.sealed_by_originator(&u);
    let read = |bytes| {
        let envelope = agent_envelope::Envelope::decode(bytes, &Limits::default());
        let verified = envelope.and_then(|one| one.verify_as_observer(&world.verifier(&b), NOW));
        verified.expect("the originator signed it")
    };
    let fork =
        read(sent.as_bytes()).origin_fork(&read(&other)).expect("the originator signed both");
    let bytes = fork.to_bytes();
    assert!(OriginFork::verify(&bytes, &Limits::default()).is_ok());
    bytes
}

#[test]
fn every_envelope_is_one() {
    let world = World::new();
    let mut kinds = std::collections::BTreeSet::new();
    let corpus = corpus(&world).into_iter().map(|case| (case.name, case.bytes));
    for (name, bytes) in corpus.chain(budgets().envelopes) {
        accept("envelope", name, &bytes);
        for element in Forgery::of(&bytes).elements {
            let Some(Item::Uint(kind)) = element.record.get(1) else { panic!("a kind") };
            kinds.insert(*kind);
        }
    }
    let control: Vec<_> = kinds.range(64..96).copied().collect();
    assert_eq!(control, [64, 65, 66, 67, 68], "each control element is among them");
}

#[test]
fn what_travels_by_itself_is_what_it_is_said_to_be() {
    let world = World::new();
    let budgets = budgets();
    let chain = world.chain(world.user.id(), 310);
    accept("chain", "a chain", chain.as_bytes());
    accept("key-package-statement", "a key package", package(&world.user).as_bytes());
    accept("lineage", "a lineage", &budgets.lineage);
    accept("ledger-history", "a history", &budgets.history);
    accept("evidence", "evidence of a fork", &budgets.evidence);
    accept("origin-fork", "evidence of two hop 0", &origin_fork());
    for message in messages() {
        accept("negotiation", message.name(), &message.to_bytes());
    }
}

/// A step into an item.
#[derive(Clone, Copy, Debug)]
enum Into {
    /// The item of an array.
    Item(usize),
    /// The value of a map.
    Key(i64),
    /// The CBOR in a byte string.
    Bytes,
}

/// Changes what stands at the end of a path.
fn change(item: &mut Item, path: &[Into], edit: &dyn Fn(&mut Item)) {
    let Some((step, rest)) = path.split_first() else { return edit(item) };
    match (step, item) {
        (Into::Item(index), Item::Array(items)) => change(&mut items[*index], rest, edit),
        (Into::Key(key), Item::Map(pairs)) => {
            let key = adversary::cbor::int(*key);
            let pair = pairs.iter_mut().find(|(at, _)| *at == key).expect("the key is there");
            change(&mut pair.1, rest, edit);
        }
        (Into::Bytes, Item::Bytes(bytes)) => {
            let mut inner = Item::read(bytes);
            change(&mut inner, rest, edit);
            *bytes = inner.encode();
        }
        (step, item) => panic!("no way {step:?} into {item:?}"),
    }
}

/// Accepts what is given, and refuses it once it is changed.
#[track_caller]
fn refuse(rule: &str, encoded: &[u8], path: &[Into], edit: impl Fn(&mut Item)) {
    accept(rule, "what is not changed yet", encoded);
    let mut item = Item::read(encoded);
    change(&mut item, path, &edit);
    assert_ne!(item.encode(), encoded, "nothing was changed");
    assert!(check(rule, &item.encode()).is_err(), "{rule} changed at {path:?} is accepted");
}

const HEADER: [Into; 2] = [Into::Item(1), Into::Bytes];

/// The record of an element.
const fn record(element: usize) -> [Into; 4] {
    [Into::Item(2), Into::Item(element), Into::Item(0), Into::Bytes]
}

/// The body of an element.
const fn body(element: usize) -> [Into; 4] {
    [Into::Item(2), Into::Item(element), Into::Item(1), Into::Bytes]
}

/// The payload of a hop.
const fn hop(index: usize) -> [Into; 4] {
    [Into::Item(3), Into::Item(index), Into::Item(2), Into::Bytes]
}

fn case(name: &str) -> Vec<u8> {
    let world = World::new();
    let case = corpus(&world).into_iter().find(|case| case.name == name);
    case.expect("the corpus has it").bytes
}

#[test]
fn a_header_of_another_form_is_refused() {
    let minimal = case("minimal");
    let refuse = |path: &[Into], edit: &dyn Fn(&mut Item)| {
        refuse("envelope", &minimal, path, edit);
    };
    refuse(&[Into::Item(0)], &|version| *version = text("agent-envelope/2"));
    refuse(&[], &|envelope| envelope.items().push(Item::Null));
    refuse(&HEADER, &|header| header.remove(2));
    refuse(&HEADER, &|header| header.set(12, uint(1)));
    refuse(&HEADER, &|header| header.set(1, bytes([0; 15])));
    refuse(&HEADER, &|header| header.set(3, bytes([0; 31])));
    refuse(&HEADER, &|header| header.set(4, array([])));
    refuse(&HEADER, &|header| header.set(5, uint(1 << 53)));
    refuse(&HEADER, &|header| header.set(7, array([uint(1)])));
    refuse(&HEADER, &|header| header.set(8, array([])));
    refuse(&HEADER, &|header| header.set(10, Item::Map(vec![])));
    refuse(&HEADER, &|header| header.set(10, Item::Map(vec![(text(""), text("x"))])));
    refuse(&HEADER, &|header| header.set(10, Item::Map(vec![(uint(1), text("x"))])));
    refuse(&HEADER, &|header| header.set(11, array([])));
}

#[test]
fn hops_of_another_form_are_refused() {
    let hops = case("hops with a late reader");
    let refuse = |path: &[Into], edit: &dyn Fn(&mut Item)| refuse("envelope", &hops, path, edit);
    refuse(&[Into::Item(3)], &|hops| hops.items().clear());
    refuse(&hop(0), &|first| first.set(1, bytes([1; 32])));
    refuse(&hop(0), &|first| first.set(3, uint(1)));
    refuse(&hop(1), &|later| later.remove(1));
    refuse(&hop(1), &|later| later.remove(3));
    refuse(&hop(1), &|later| later.set(2, array([])));
    refuse(&hop(1), &|later| later.set(6, array([])));
    refuse(&[Into::Item(3), Into::Item(0), Into::Item(3)], &|signature| {
        *signature = bytes([0; 63]);
    });
    refuse(&[Into::Item(3), Into::Item(0), Into::Item(1)], &|unprotected| {
        unprotected.set(4, bytes([0; 32]));
    });
    refuse(&[Into::Item(3), Into::Item(0), Into::Item(0), Into::Bytes], &|protected| {
        protected.set(1, Item::Negative(7));
    });
}

#[test]
fn elements_of_another_form_are_refused() {
    // 0 authority, 1 audience of three, 2 sealed to it.
    let sealed = case("two audiences");
    let refuse = |path: &[Into], edit: &dyn Fn(&mut Item)| refuse("envelope", &sealed, path, edit);
    refuse(&record(2), &|record| record.set(1, uint(69)));
    refuse(&record(2), &|record| record.set(1, uint(65_535)));
    refuse(&record(2), &|record| record.remove(2));
    refuse(&record(2), &|record| record.set(4, array([])));
    refuse(&record(2), &|record| record.set(5, uint(0)));
    refuse(&record(2), &|record| record.set(6, uint(1)));
    // A sealed body under the record of a clear one, and a body of another kind.
    refuse(&record(2), &|record| record.remove(3));
    refuse(&record(0), &|record| record.set(1, uint(65)));
    refuse(&record(0), &|record| record.set(5, uint(1)));
    refuse(&[Into::Item(2), Into::Item(0), Into::Item(1)], &|body| *body = Item::Null);
    let recipients = [&body(1)[..], &[Into::Item(1), Into::Item(3)]].concat();
    refuse(&recipients, &|recipients| recipients.items().clear());
    let hint = [&recipients[..], &[Into::Item(0), Into::Item(0), Into::Bytes]].concat();
    refuse(&hint, &|protected| protected.set(4, bytes([0; 7])));
    refuse(&hint, &|protected| protected.set(1, uint(35)));
    let ek = [&recipients[..], &[Into::Item(0), Into::Item(1)]].concat();
    refuse(&ek, &|unprotected| unprotected.set(-4, bytes([0; 33])));
}

#[test]
fn chains_and_key_packages_of_another_form_are_refused() {
    let links = case("three links that narrow everything");
    let refuse = |path: &[Into], edit: &dyn Fn(&mut Item)| refuse("envelope", &links, path, edit);
    let claims = |link| [&body(0)[..], &[Into::Item(link), Into::Item(2), Into::Bytes]].concat();
    let grant = |link| [&claims(link)[..], &[Into::Key(-65_537)]].concat();
    refuse(&body(0), &|chain| chain.items().clear());
    refuse(&claims(0), &|root| root.remove(1));
    refuse(&claims(0), &|root| root.set(2, text("")));
    refuse(&claims(1), &|link| link.set(1, text("me")));
    refuse(&claims(1), &|link| link.remove(7));
    refuse(&claims(1), &|link| link.set(6, uint(1)));
    refuse(&grant(0), &|grant| grant.remove(2));
    refuse(&grant(1), &|grant| grant.set(1, array([])));
    // The tool takes a regular expression for true that any part of a text is true to.
    refuse(&grant(1), &|grant| grant.set(1, forge::scope(&[(&["!"], &["mail"])])));
    refuse(&grant(1), &|grant| grant.set(1, forge::scope(&[(&["mail"], &["/"])])));
    refuse(&[&claims(1)[..], &[Into::Key(8), Into::Key(1)]].concat(), &|key| key.remove(-1));

    let package = package(&World::new().user);
    let refuse = |edit: &dyn Fn(&mut Item)| {
        let path = [Into::Item(2), Into::Bytes];
        self::refuse("key-package-statement", package.as_bytes(), &path, edit);
    };
    refuse(&|claims| claims.set(2, uint(2)));
    refuse(&|claims| claims.set(3, bytes([0; 31])));
    refuse(&|claims| claims.remove(5));
}

#[test]
fn budgets_of_another_form_are_refused() {
    let Budgets { lineage, history, evidence, .. } = budgets();
    let root = [Into::Item(1), Into::Item(0), Into::Item(2), Into::Bytes];
    let refuse = |edit: &dyn Fn(&mut Item)| self::refuse("lineage", &lineage, &root, edit);
    refuse(&|root| root.remove(5));
    refuse(&|root| root.set(8, uint(1)));
    let terms = |amounts| adversary::cbor::map([(1, amounts), (2, uint(1)), (3, uint(0))]);
    refuse(&|root| root.set(3, terms(array([array([uint(16), uint(0)])]))));
    refuse(&|root| root.set(3, terms(array([array([uint(16)])]))));
    refuse(&|root| root.set(3, terms(array([array([uint(24), uint(1), text("")])]))));

    let refuse = |entry, path: &[Into], edit: &dyn Fn(&mut Item)| {
        let path = [&[Into::Item(entry), Into::Item(2), Into::Bytes], path].concat();
        self::refuse("ledger-history", &history, &path, edit);
    };
    refuse(0, &[], &|entry| entry.remove(3));
    refuse(0, &[Into::Key(8), Into::Item(0)], &|event| *event = uint(1));
    refuse(1, &[Into::Key(8), Into::Item(4)], &|last| *last = uint(2));
    refuse(2, &[Into::Key(8), Into::Item(4)], &|outcome| *outcome = uint(6));
    refuse(2, &[Into::Key(8), Into::Item(3)], &|basis| *basis = array([uint(1)]));

    let refuse = |path: &[Into], edit: &dyn Fn(&mut Item)| {
        self::refuse("evidence", &evidence, path, edit);
    };
    refuse(&[Into::Item(2)], &|entries| entries.items().clear());
    refuse(&[Into::Item(2)], &|entries| {
        let more = entries.items().clone();
        entries.items().extend(more);
    });
    refuse(&[Into::Item(0)], &|label| *label = text("agent-envelope/1/origin-fork"));
    self::refuse("origin-fork", &origin_fork(), &[], |fork| {
        fork.items().pop();
    });
}

#[test]
fn messages_of_another_form_are_refused() {
    let messages: Vec<_> = messages().iter().map(Message::to_bytes).collect();
    let refuse = |message: usize, path: &[Into], edit: &dyn Fn(&mut Item)| {
        self::refuse("negotiation", &messages[message], path, edit);
    };
    refuse(0, &[], &|ask| ask.remove(3));
    refuse(0, &[], &|ask| ask.set(1, uint(1)));
    refuse(1, &[], &|offer| offer.remove(6));
    refuse(1, &[Into::Key(7)], &|tariff| tariff.set(3, array([])));
    refuse(1, &[Into::Key(7)], &|tariff| tariff.set(1, text("")));
    refuse(1, &[Into::Key(7), Into::Key(2), Into::Item(0), Into::Item(2)], &|per| *per = uint(0));
    refuse(1, &[Into::Key(5), Into::Item(0)], &|meter| meter.items().clear());
    refuse(3, &[], &|accept| accept.set(2, uint(0)));
    refuse(4, &[], &|refuse| refuse.set(2, uint(6)));
    refuse(4, &[], &|refuse| refuse.set(4, uint(0)));
}
