//! SPEC §11.8: messages by themselves, and negotiations as either side sees them.

use agent_envelope::budget::negotiation::{
    Ask, CONTENT_TYPE, Message, Meters, Offer, Refusal, Refuse,
};
use agent_envelope::budget::{Dimension, Rate, Tariff};
use agent_envelope::{
    Draft, Inbox, Kind, Limits, NewElement, Revocations, Sent, Subjects, Timestamp, TrustAnchor,
    TrustAnchors, Verifier,
};
use serde_json::{Value, json};

use super::super::build::{
    Cast, Family, edit_control, entropy, inbox, later, receive, resigned, seed, whole,
};
use super::super::run::{amounts, hex, outcomes, scope_json, terms};
use super::funding::terms_item;
use crate::adversary::cbor::{Item, array, bytes, map, text, uint};
use crate::adversary::forge::{self, Element, Forgery};
use crate::adversary::{Agent, NOW, SECONDS};

const NEGOTIATION: u64 = 9;
/// Until when offers are valid.
const VALID: u64 = SECONDS + 600;

/// Terms of so many output tokens and agents.
fn wanted(tokens: u64, agents: u64, depth: u64) -> Value {
    json!({ "amounts": [[16, tokens], [28, agents]], "deadline": SECONDS + 900, "depth": depth })
}

fn ask(tokens: u64) -> Message {
    let want = terms(&wanted(tokens, 4, 2)).expect("terms");
    Message::Ask(Ask::new(want, amounts(&json!([[16, 100]])).expect("amounts")).expect("covered"))
}

/// Needs 200 tokens and an agent, takes 1000 and 4.
fn offer() -> Offer {
    let meters = Meters::new()
        .with(Dimension::OUTPUT_TOKENS)
        .and_then(|meters| meters.with(Dimension::AGENTS));
    let max = terms(&wanted(1000, 4, 1)).expect("terms");
    Offer::new(max, meters.expect("meters"), Timestamp::from_unix_seconds(VALID))
        .and_then(|offer| offer.with_need(amounts(&json!([[16, 200], [28, 1]]))?))
        .expect("its need is within its terms")
}

/// Messages by themselves.
fn messages(family: &mut Family) {
    let step = |bytes: &[u8]| json!({ "do": "message", "bytes": hex(bytes) });
    let tariff = Tariff::new("USD:6")
        .and_then(|tariff| tariff.with(Dimension::OUTPUT_TOKENS, Rate { price: 15, per: 1 }))
        .and_then(|tariff| tariff.free_of_charge(Dimension::AGENTS))
        .expect("a tariff");
    let priced = Message::Offer(offer().with_tariff(tariff)).to_bytes();
    let asked = ask(2000).to_bytes();
    let lacking = Refuse::new(Refusal::Insufficient)
        .for_lack_of(amounts(&json!([[16, 200]])).expect("amounts"));
    let refused = Message::Refuse(lacking.retry_in(std::time::Duration::from_secs(60))).to_bytes();
    for (name, comment, bytes) in [
        ("ask", "an ask with a floor", &asked),
        ("offer", "an offer with a tariff", &priced),
        ("accept", "an acceptance", &Message::Accept.to_bytes()),
        ("refuse", "a refusal for lack of something, with a time to retry after", &refused),
    ] {
        family.accept(name, comment, [step(bytes)]);
    }
    let edited = |honest: &[u8], edit: &dyn Fn(&mut Item)| {
        let mut item = Item::read(honest);
        edit(&mut item);
        item.encode()
    };
    for (name, base, code, comment, bytes) in [
        (
            "message-4",
            "accept",
            122,
            "a message of kind 4",
            edited(&Message::Accept.to_bytes(), &|item| item.set(1, uint(4))),
        ),
        (
            "accept-with-more",
            "accept",
            111,
            "an acceptance with a key 2",
            edited(&Message::Accept.to_bytes(), &|item| item.set(2, uint(0))),
        ),
        (
            "ask-without-floor",
            "ask",
            112,
            "an ask without a floor",
            edited(&asked, &|item| item.remove(3)),
        ),
        (
            "ask-floor-beyond",
            "ask",
            122,
            "the floor is more than the terms wanted",
            edited(&asked, &|item| item.set(3, array([array([uint(16), uint(2001)])]))),
        ),
        (
            "ask-floor-of-another",
            "ask",
            122,
            "the floor is of a dimension that the terms lack",
            edited(&asked, &|item| item.set(3, array([array([uint(20), uint(1)])]))),
        ),
        (
            "offer-need-beyond",
            "offer",
            122,
            "the need is more than max",
            edited(&priced, &|item| item.set(2, array([array([uint(16), uint(1001)])]))),
        ),
        (
            "offer-agents-without-depth",
            "offer",
            122,
            "agents are needed, and max has a depth of 0",
            edited(&priced, &|item| item.set(4, terms_item(&wanted(1000, 4, 0)))),
        ),
        (
            "offer-unmetered",
            "offer",
            122,
            "the meters lack a dimension of max",
            edited(&priced, &|item| item.set(5, array([array([uint(16)])]))),
        ),
        (
            "offer-meters-unsorted",
            "offer",
            117,
            "two meters stand in the wrong order",
            edited(&priced, &|item| item.set(5, array([array([uint(28)]), array([uint(16)])]))),
        ),
        (
            "offer-meters-twice",
            "offer",
            118,
            "a meter is there twice",
            edited(&priced, &|item| {
                item.set(5, array([array([uint(16)]), array([uint(16)]), array([uint(28)])]))
            }),
        ),
        (
            "refuse-6",
            "refuse",
            122,
            "a refusal with code 6",
            edited(&refused, &|item| item.set(2, uint(6))),
        ),
        (
            "refuse-lacking-nothing",
            "refuse",
            120,
            "lacking is there and empty",
            edited(&refused, &|item| item.set(3, array([]))),
        ),
        (
            "refuse-retry-0",
            "refuse",
            122,
            "retry-after is 0",
            edited(&refused, &|item| item.set(4, uint(0))),
        ),
        (
            "amount-0",
            "ask",
            122,
            "an amount is 0",
            edited(&asked, &|item| item.set(3, array([array([uint(16), uint(0)])]))),
        ),
        (
            "amount-with-a-unit",
            "ask",
            122,
            "tokens have a unit",
            edited(&asked, &|item| item.set(3, array([array([uint(16), uint(1), text("k")])]))),
        ),
        (
            "amounts-unsorted",
            "ask",
            117,
            "two amounts stand in the wrong order",
            edited(&asked, &|item| {
                item.set(3, array([array([uint(28), uint(1)]), array([uint(16), uint(1)])]))
            }),
        ),
        (
            "amounts-twice",
            "ask",
            118,
            "an amount is there twice",
            edited(&asked, &|item| {
                item.set(3, array([array([uint(16), uint(1)]), array([uint(16), uint(2)])]))
            }),
        ),
        (
            "amounts-33",
            "ask",
            201,
            "33 amounts",
            edited(&asked, &|item| {
                item.set(
                    3,
                    array((0..33).map(|index| array([uint((1 << 22) + (index << 2)), uint(1)]))),
                );
            }),
        ),
    ] {
        family.refuse(name, base, code, comment, [step(&bytes)]);
    }
    let tariff = |edit: &dyn Fn(&mut Item)| {
        edited(&priced, &|item| {
            let mut tariff = item.get(7).expect("a tariff").clone();
            edit(&mut tariff);
            item.set(7, tariff);
        })
    };
    let price =
        |dimension: u64, price: u64, per: u64| array([uint(dimension), uint(price), uint(per)]);
    for (name, code, comment, bytes) in [
        (
            "tariff-unit",
            122,
            "the unit is none that money can have",
            tariff(&|tariff| tariff.set(1, text("USD"))),
        ),
        (
            "tariff-price-0",
            122,
            "a price of 0",
            tariff(&|tariff| tariff.set(2, array([price(16, 0, 1)]))),
        ),
        (
            "tariff-per-0",
            122,
            "a price per 0",
            tariff(&|tariff| tariff.set(2, array([price(16, 1, 0)]))),
        ),
        (
            "tariff-ceiling",
            122,
            "a price of memory, which is a ceiling",
            tariff(&|tariff| tariff.set(2, array([price(65, 1, 1)]))),
        ),
        (
            "tariff-priced-and-free",
            122,
            "a dimension is both priced and free",
            tariff(&|tariff| tariff.set(3, array([uint(16)]))),
        ),
        (
            "tariff-free-nothing",
            120,
            "the set of what is free is there and empty",
            tariff(&|tariff| tariff.set(3, array([]))),
        ),
        (
            "tariff-unsorted",
            117,
            "two prices stand in the wrong order",
            tariff(&|tariff| tariff.set(2, array([price(20, 1, 1), price(16, 1, 1)]))),
        ),
    ] {
        family.refuse(name, "offer", code, comment, [step(&bytes)]);
    }
}

fn anchors(cast: &Cast) -> Value {
    let one = |agent: &Agent| {
        json!({
            "key": hex(agent.id().as_bytes()), "issuer": format!("https://{}.example", agent.name),
            "scope": scope_json(&whole()), "depth": 4, "max_lifetime": 86_400,
        })
    };
    json!([one(&cast.user), one(&cast.worker), one(&cast.auditor)])
}

/// An inbox that trusts everybody here by their own keys.
fn mailbox(cast: &Cast, agent: &Agent) -> Inbox {
    let anchor = |agent: &Agent| {
        TrustAnchor::new(
            agent.id(),
            &format!("https://{}.example", agent.name),
            Subjects::Any,
            whole(),
        )
    };
    let anchors =
        [&cast.user, &cast.worker, &cast.auditor].map(|agent| anchor(agent).expect("an anchor"));
    let anchors = TrustAnchors::new(anchors).expect("three anchors");
    Inbox::new(
        Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default())
            .expect("limits"),
    )
}

struct Table<'c> {
    cast: &'c Cast,
    file: Value,
}

impl Table<'_> {
    fn opening(&self, from: &Agent, message: &Message, label: &str) -> Sent {
        Draft::new(&from.identity)
            .to(self.cast.worker.id())
            .negotiate(message)
            .sign(NOW, entropy(&format!("negotiation/{label}")))
            .expect("a complete draft")
    }

    /// An answer to an envelope that came.
    fn answer(&self, from: &Agent, to: &[u8], message: &Message, label: &str) -> Sent {
        let mut mailbox = mailbox(self.cast, from);
        let received = mailbox.receive(to, NOW).expect("it is for the one who answers");
        Draft::reply_to(&received, &from.identity)
            .negotiate(message)
            .sign(NOW, entropy(&format!("negotiation/{label}")))
            .expect("a complete draft")
    }

    /// The envelope that the last of some steps makes.
    fn made(&self, steps: &[Value]) -> Vec<u8> {
        let found = outcomes(&self.file, &json!({ "steps": steps }));
        let last = found.last().expect("a step");
        super::super::run::unhex(last["ok"]["bytes"].as_str().unwrap_or_else(|| panic!("{last}")))
    }
}

fn begin(side: &str, identity: &str, other: &Agent) -> Vec<Value> {
    vec![
        json!({ "do": "transcript", "as": "talk", "side": side, "identity": identity, "other": hex(other.id().as_bytes()) }),
        inbox("in", identity),
    ]
}

fn hear(bytes: &[u8], name: &str, identity: &str, now: u64) -> [Value; 2] {
    [
        receive("in", bytes, now, name),
        json!({ "do": "transcript-receive", "transcript": "talk", "received": name, "identity": identity, "now": now }),
    ]
}

fn say(
    message: &Message,
    answering: Option<&str>,
    to: Option<&Agent>,
    identity: &str,
    name: &str,
) -> Value {
    let mut step = json!({
        "do": "transcript-send", "as": name, "transcript": "talk", "identity": identity,
        "message": hex(message.to_bytes()), "now": SECONDS,
        "entropy": hex(seed(&format!("negotiation/{name} of {identity}"))),
    });
    if let Some(received) = answering {
        step["reply_to"] = json!(received);
    }
    if let Some(to) = to {
        step["to"] = json!([hex(to.id().as_bytes())]);
    }
    step
}

fn settle(now: u64) -> Value {
    json!({ "do": "settle", "as": "settled", "transcript": "talk", "now": now })
}

fn changed(steps: &[Value], index: usize, key: &str, value: Value) -> Vec<Value> {
    let mut steps = steps.to_vec();
    steps[index][key] = value;
    steps
}

fn without(steps: &[Value], index: usize) -> Vec<Value> {
    let mut steps = steps.to_vec();
    steps.remove(index);
    steps
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "negotiation",
        "Messages of a negotiation by themselves, and whole negotiations as the worker and the asker see them (SPEC §11.8).",
    );
    messages(&mut family);
    let config =
        |agent: &Agent| json!({ "agent": hex(agent.id().as_bytes()), "anchors": anchors(cast) });
    family.verifier("worker", config(&cast.worker));
    family.verifier("user", config(&cast.user));
    let identities = [("worker", &cast.worker), ("user", &cast.user)];
    for (name, agent) in identities {
        family.identity(name, super::super::build::identity_json(agent));
    }
    let file = json!({
        "verifiers": { "worker": config(&cast.worker), "user": config(&cast.user) },
        "identities": {
            "worker": super::super::build::identity_json(&cast.worker),
            "user": super::super::build::identity_json(&cast.user),
        },
    });
    let table = Table { cast, file };
    let (user, worker) = (&cast.user, &cast.worker);
    let offered = Message::Offer(offer());

    // The worker's side: 0 transcript, 1 inbox, 2 receive the ask, 3 hear it, 4 offer, 5 receive the acceptance, 6 hear it, 7 settle.
    let asked = table.opening(user, &ask(2000), "ask");
    let mut heard = begin("worker", "worker", user);
    heard.extend(hear(asked.as_bytes(), "ask", "worker", SECONDS));
    family.accept("heard", "the worker hears an ask", heard.clone());
    let mut offering = heard.clone();
    offering.push(say(&offered, Some("ask"), None, "worker", "offer"));
    family.accept("offered", "and offers", offering.clone());
    let offer_bytes = table.made(&offering);
    let accepted = table.answer(user, &offer_bytes, &Message::Accept, "accept");
    let mut accepting = offering.clone();
    accepting.extend(hear(accepted.as_bytes(), "accept", "worker", SECONDS));
    family.accept("accepted", "and hears that it is accepted", accepting.clone());
    let mut settled = accepting.clone();
    settled.push(settle(SECONDS));
    family.accept("settled", "and so it is settled", settled.clone());

    let other_ask = |bytes: &[u8]| changed(&heard, 2, "bytes", json!(hex(bytes)));
    family.refuse(
        "begins-with-an-acceptance",
        "heard",
        1107,
        "the first message is an acceptance",
        other_ask(table.opening(user, &Message::Accept, "accept first").as_bytes()),
    );
    family.refuse(
        "begins-with-an-offer",
        "heard",
        1107,
        "the first message is an offer by the asker",
        other_ask(table.opening(user, &offered, "offer first").as_bytes()),
    );
    family.refuse(
        "ask-by-the-worker",
        "offered",
        1107,
        "the worker answers with an ask",
        changed(&offering, 4, "message", json!(hex(ask(2000).to_bytes()))),
    );
    family.refuse(
        "accept-by-the-worker",
        "offered",
        1107,
        "the worker answers with an acceptance",
        changed(&offering, 4, "message", json!(hex(Message::Accept.to_bytes()))),
    );
    family.refuse(
        "ask-by-another",
        "heard",
        1108,
        "the ask is by the auditor",
        other_ask(table.opening(&cast.auditor, &ask(2000), "ask by the auditor").as_bytes()),
    );
    let others_accept = {
        let sent = Draft::new(&cast.auditor.identity)
            .to(worker.id())
            .negotiate(&Message::Accept)
            .sign(NOW, entropy("negotiation/accept by the auditor"));
        sent.expect("a complete draft").as_bytes().to_vec()
    };
    let other_accept = |bytes: &[u8]| changed(&accepting, 5, "bytes", json!(hex(bytes)));
    family.refuse(
        "accept-by-another",
        "accepted",
        1108,
        "the acceptance is by the auditor",
        other_accept(&others_accept),
    );
    let forged_ask =
        |edit: &dyn Fn(&mut Forgery)| resigned(&Forgery::of(asked.as_bytes()), &[user], edit);
    let forged_accept =
        |edit: &dyn Fn(&mut Forgery)| resigned(&Forgery::of(accepted.as_bytes()), &[user], edit);
    family.refuse(
        "no-message",
        "heard",
        1109,
        "the envelope carries a turn of the user instead",
        other_ask(&forged_ask(&|forged| forged.elements[0] = Element::clear(user, 0, b"please"))),
    );
    let again = |forged: &mut Forgery| {
        let again = forged.elements[0].clone();
        forged.elements.push(again);
        forged.edit_hop(0, |hop| hop.set(4, uint(2)));
    };
    family.refuse(
        "two-messages",
        "heard",
        1109,
        "the envelope carries the ask twice",
        other_ask(&forged_ask(&again)),
    );
    family.refuse(
        "two-acceptances",
        "accepted",
        1109,
        "the envelope carries the acceptance twice",
        other_accept(&forged_accept(&again)),
    );
    family.refuse(
        "accept-no-reply",
        "accepted",
        801,
        "the acceptance is in reply to nothing",
        other_accept(&forged_accept(&|forged| forged.header.remove(8))),
    );
    family.refuse(
        "accept-of-another",
        "accepted",
        802,
        "the acceptance is in reply to another envelope",
        other_accept(&forged_accept(&|forged| forged.header.set(8, array([bytes([7; 32])])))),
    );
    family.refuse(
        "accept-elsewhere",
        "accepted",
        804,
        "the acceptance is in another conversation",
        other_accept(&forged_accept(&|forged| forged.header.set(2, bytes([7; 16])))),
    );
    let typed = |message: &Message, content_type: &str| {
        let plain = array([bytes([7; 16]), text(content_type), bytes(message.to_bytes())]);
        let commit = forge::content_commit(&user.id(), &plain);
        Element {
            record: map([(1, uint(NEGOTIATION)), (2, bytes(commit))]),
            body: Some(plain.encode()),
        }
    };
    family.variant(
        "heard-again",
        "heard",
        "the same ask, its body made by hand",
        other_ask(&forged_ask(&|forged| forged.elements[0] = typed(&ask(2000), CONTENT_TYPE))),
    );
    family.refuse(
        "ask-of-another-type",
        "heard-again",
        908,
        "the ask is of type application/cbor",
        other_ask(&forged_ask(&|forged| {
            forged.elements[0] = typed(&ask(2000), "application/cbor")
        })),
    );
    family.refuse(
        "accept-of-another-type",
        "accepted",
        908,
        "the acceptance is of no type",
        other_accept(&forged_accept(&|forged| forged.elements[0] = typed(&Message::Accept, ""))),
    );
    family.refuse(
        "ask-that-contradicts-itself",
        "heard-again",
        122,
        "the floor of the ask is more than it wants",
        other_ask(&forged_ask(&|forged| {
            let mut item = Item::read(&ask(2000).to_bytes());
            item.set(3, array([array([uint(16), uint(2001)])]));
            let plain = array([bytes([7; 16]), text(CONTENT_TYPE), bytes(item.encode())]);
            let commit = forge::content_commit(&user.id(), &plain);
            forged.elements[0] = Element {
                record: map([(1, uint(NEGOTIATION)), (2, bytes(commit))]),
                body: Some(plain.encode()),
            };
        })),
    );
    // Absent, sealed to others, admitted before.
    let detached = |message: &Message, answering: Option<&[u8]>, label: &str| {
        let element =
            NewElement::clear(Kind::Negotiation, CONTENT_TYPE, message.to_bytes()).detachable();
        let seed = entropy(&format!("negotiation/{label}"));
        let mut mailbox = mailbox(cast, user);
        let received =
            answering.map(|bytes| mailbox.receive(bytes, NOW).expect("it is for the user"));
        let draft = match &received {
            Some(received) => Draft::reply_to(received, &user.identity),
            None => Draft::new(&user.identity).to(worker.id()),
        };
        draft.element(element).sign(NOW, seed).expect("a complete draft")
    };
    let apart = detached(&ask(2000), None, "ask that comes apart");
    family.variant(
        "heard-detachable",
        "heard",
        "an ask that may come apart from its envelope, and did not",
        other_ask(apart.as_bytes()),
    );
    family.refuse(
        "ask-absent",
        "heard-detachable",
        704,
        "the same, and it did",
        other_ask(&apart.detached()),
    );
    let apart = detached(&Message::Accept, Some(&offer_bytes), "acceptance that comes apart");
    family.refuse(
        "accept-absent",
        "accepted",
        704,
        "the acceptance came apart from its envelope",
        other_accept(&apart.detached()),
    );
    let reader = cast.package(worker);
    let sealed = Draft::new(&user.identity)
        .to([worker.id()])
        .negotiate_sealed(&ask(2000), [&reader])
        .sign(NOW, entropy("negotiation/sealed ask"))
        .expect("a complete draft");
    let secret = sealed.as_bytes();
    family.variant("heard-sealed", "heard", "an ask sealed to the worker", other_ask(secret));
    let elsewhere = resigned(&Forgery::of(secret), &[user], |forged| {
        edit_control(forged, 0, user, |audience| {
            let recipient = &mut audience.items()[1].items()[3].items()[0];
            let protected = map([(1, uint(50)), (4, bytes([7; 8]))]);
            recipient.items()[0] = bytes(protected.encode());
        });
    });
    family.refuse(
        "ask-sealed-to-another",
        "heard-sealed",
        601,
        "the recipient has another hint than the worker",
        other_ask(&elsewhere),
    );
    let version = forged_ask(&|forged| forged.elements[0] = typed(&ask(1999), CONTENT_TYPE));
    let mut twice = heard.clone();
    twice.insert(2, receive("in", &version, SECONDS, "another version"));
    family.refuse(
        "ask-admitted-before",
        "heard",
        703,
        "another version of the same envelope came before it",
        twice,
    );

    // Clocks. An offer is valid until 600 s after.
    family.refuse(
        "offer-not-valid",
        "offered",
        1111,
        "the offer is made when it is no longer valid",
        changed(&offering, 4, "now", json!(VALID)),
    );
    family.variant(
        "accepted-in-the-last-second",
        "accepted",
        "the acceptance is heard in the last second",
        changed(&accepting, 6, "now", json!(VALID - 1)),
    );
    family.refuse(
        "accepted-too-late",
        "accepted",
        1111,
        "the acceptance is heard at valid-until: there is no skew here",
        changed(&accepting, 6, "now", json!(VALID)),
    );
    family.refuse(
        "settled-too-late",
        "settled",
        1111,
        "it is settled at valid-until",
        changed(&settled, 7, "now", json!(VALID)),
    );
    family.refuse(
        "settled-without-an-acceptance",
        "settled",
        1112,
        "the acceptance is not heard",
        without(&settled, 6),
    );
    let mut early = heard.clone();
    early.push(settle(SECONDS));
    let mut refusing = heard.clone();
    refusing.push(say(
        &Message::Refuse(Refuse::new(Refusal::Busy)),
        Some("ask"),
        None,
        "worker",
        "refusal",
    ));
    family.accept("refused", "the worker refuses", refusing.clone());
    let mut refused_after = refusing.clone();
    refused_after.push(settle(SECONDS));
    family.refuse("settled-after-a-refusal", "refused", 1113, "and it is settled", refused_after);
    family.refuse(
        "settled-after-an-ask",
        "heard",
        1112,
        "the worker has heard an ask only, and it is settled",
        early,
    );
    let no = table.answer(
        user,
        &offer_bytes,
        &Message::Refuse(Refuse::new(Refusal::Insufficient)),
        "refusal",
    );
    family.refuse(
        "settled-after-the-askers-refusal",
        "settled",
        1113,
        "the asker refuses the offer",
        changed(&settled, 5, "bytes", json!(hex(no.as_bytes()))),
    );
    let mut after = accepting.clone();
    after.extend(hear(
        table.opening(user, &ask(2000), "ask after all").as_bytes(),
        "more",
        "worker",
        SECONDS,
    ));
    let more = table.answer(user, &offer_bytes, &ask(1500), "counter");
    let mut countered = offering.clone();
    countered.extend(hear(more.as_bytes(), "accept", "worker", SECONDS));
    family.variant("countered", "accepted", "the asker counters with another ask", countered);
    let late = {
        let mut steps = accepting.clone();
        steps.push(say(&offered, Some("ask"), None, "worker", "offer again"));
        steps
    };
    family.refuse(
        "offer-after-an-acceptance",
        "accepted",
        1107,
        "the worker offers again after the acceptance",
        late,
    );

    // The request.
    let request = |declared: Option<Value>, label: &str| {
        let draft =
            Draft::following(&accepted, &user.identity).clear(Kind::User, "text/plain", &b"do"[..]);
        let draft = match declared {
            Some(declared) => draft.declare(terms(&declared).expect("terms")),
            None => draft,
        };
        draft
            .sign(later(1), entropy(&format!("negotiation/{label}")))
            .expect("a complete draft")
            .as_bytes()
            .to_vec()
    };
    let requested = |bytes: &[u8], now: u64| {
        let mut steps = settled.clone();
        steps.push(receive("in", bytes, SECONDS + 1, "request"));
        steps.push(json!({ "do": "check-request", "settled": "settled", "received": "request", "now": now }));
        steps
    };
    let good = request(Some(wanted(500, 2, 1)), "request");
    family.accept(
        "requested",
        "the request declares terms between need and max",
        requested(&good, SECONDS + 1),
    );
    let exact = request(Some(wanted(200, 1, 1)), "request of what is needed");
    family.variant(
        "requested-as-needed",
        "requested",
        "the request declares exactly what is needed",
        requested(&exact, SECONDS + 1),
    );
    let most = request(Some(wanted(1000, 4, 1)), "request of the most");
    family.variant(
        "requested-the-most",
        "requested",
        "the request declares exactly max",
        requested(&most, SECONDS + 1),
    );
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "requested", code, comment, requested(&bytes, SECONDS + 1));
    };
    case(
        "request-without-terms",
        1114,
        "the request declares nothing",
        request(None, "request without terms"),
    );
    case(
        "request-below-need",
        1115,
        "a token less than is needed",
        request(Some(wanted(199, 1, 1)), "request below need"),
    );
    case(
        "request-without-agents",
        1115,
        "no agents, where one is needed",
        request(
            Some(json!({ "amounts": [[16, 500]], "deadline": SECONDS + 900, "depth": 1 })),
            "request without agents",
        ),
    );
    case(
        "request-without-depth",
        1115,
        "agents are needed, and the depth is 0",
        request(Some(wanted(500, 2, 0)), "request without depth"),
    );
    case(
        "request-beyond-max",
        1116,
        "a token more than max",
        request(Some(wanted(1001, 2, 1)), "request beyond max"),
    );
    case(
        "request-deeper",
        1116,
        "a depth of 2",
        request(Some(wanted(500, 2, 2)), "request deeper"),
    );
    case(
        "request-later",
        1116,
        "a later deadline",
        request(
            Some(json!({ "amounts": [[16, 500], [28, 2]], "deadline": SECONDS + 901, "depth": 1 })),
            "request later",
        ),
    );
    case(
        "request-no-reply",
        801,
        "the request is in reply to nothing",
        resigned(&Forgery::of(&good), &[user], |forged| forged.header.remove(8)),
    );
    case(
        "request-elsewhere",
        804,
        "the request is in another conversation",
        resigned(&Forgery::of(&good), &[user], |forged| forged.header.set(2, bytes([7; 16]))),
    );
    case("request-after-the-ask", 802, "the request is in reply to the ask", {
        let origin = *asked.origin().as_bytes();
        resigned(&Forgery::of(&good), &[user], |forged| {
            forged.header.set(8, array([bytes(origin)]))
        })
    });
    case("request-by-another", 1108, "the request is by the auditor", {
        let draft = Draft::new(&cast.auditor.identity)
            .to(worker.id())
            .declare(terms(&wanted(500, 2, 1)).expect("terms"));
        draft
            .sign(later(1), entropy("negotiation/request by the auditor"))
            .expect("a complete draft")
            .as_bytes()
            .to_vec()
    });
    family.refuse(
        "request-too-late",
        "requested",
        1111,
        "the request is looked at when the offer is over",
        requested(&good, VALID),
    );
    family.variant(
        "request-terms-missing-later",
        "requested",
        "in the last second of the offer",
        requested(&good, VALID - 1),
    );
    let check = json!({ "do": "check-request", "settled": "settled", "received": "request", "now": SECONDS + 1 });
    let mut again = requested(&good, SECONDS + 1);
    again.push(check);
    family.refuse("requested-twice", "requested", 1117, "the same request again", again);
    let mut two = requested(&good, SECONDS + 1);
    two.insert(8, receive("in", &exact, SECONDS + 1, "other request"));
    family.accept("two-requests-received", "another request came before", two.clone());
    two.push(json!({ "do": "check-request", "settled": "settled", "received": "other request", "now": SECONDS + 1 }));
    family.refuse("two-requests", "two-requests-received", 1117, "both are made", two);
    let missing = request(None, "another request without terms");
    let mut bare = settled.clone();
    bare.push(receive("in", &missing, SECONDS + 1, "request"));
    bare.push(json!({ "do": "check-request", "settled": "settled", "received": "request", "now": SECONDS + 1 }));
    family.refuse(
        "another-request-without-terms",
        "requested",
        1114,
        "another request that declares nothing",
        bare,
    );

    rounds(&mut family, &table, &offered);
    asker(&mut family, &table, &offered);
    family.finish()
}

/// Eight asks, and one too many.
fn rounds(family: &mut Family, table: &Table<'_>, offered: &Message) {
    let (user, worker) = (&table.cast.user, "worker");
    let mut steps = begin("worker", worker, user);
    let mut last: Option<Vec<u8>> = None;
    for round in 0..8_u64 {
        let label = format!("round {round}");
        let asked = match &last {
            None => table.opening(user, &ask(2000), &label),
            Some(offer) => table.answer(user, offer, &ask(2000 - round), &label),
        };
        let name = format!("ask {round}");
        steps.extend(hear(asked.as_bytes(), &name, worker, SECONDS));
        steps.push(say(offered, Some(&name), None, worker, &format!("offer {round}")));
        last = Some(table.made(&steps));
    }
    let offer = last.expect("eight offers");
    let mut ended = steps.clone();
    ended.extend(hear(
        table.answer(user, &offer, &Message::Accept, "accept after eight").as_bytes(),
        "last",
        worker,
        SECONDS,
    ));
    family.accept("eight-rounds", "eight asks, eight offers, and an acceptance", ended.clone());
    let index = ended.len() - 2;
    for (name, tokens, comment) in [
        ("nine-asks", 1000, "a ninth ask instead"),
        ("nine-asks-of-less", 100, "a ninth ask for as little as the floor"),
    ] {
        let ninth = table.answer(user, &offer, &ask(tokens), name);
        family.refuse(
            name,
            "eight-rounds",
            1110,
            comment,
            changed(&ended, index, "bytes", json!(hex(ninth.as_bytes()))),
        );
    }
}

/// The asker's side: 0 transcript, 1 inbox, 2 ask, 3 receive the offer, 4 hear it, 5 accept, 6 settle.
fn asker(family: &mut Family, table: &Table<'_>, offered: &Message) {
    let worker = &table.cast.worker;
    let mut steps = begin("asker", "user", worker);
    steps.push(say(&ask(2000), None, Some(worker), "user", "ask"));
    family.accept("asking", "the asker asks", steps.clone());
    family.refuse(
        "asking-nobody",
        "asking",
        331,
        "the ask goes to the auditor, who is not negotiated with",
        changed(&steps, 2, "to", json!([hex(table.cast.auditor.id().as_bytes())])),
    );
    family.refuse(
        "accepting-nothing",
        "asking",
        1107,
        "the asker begins with an acceptance",
        changed(&steps, 2, "message", json!(hex(Message::Accept.to_bytes()))),
    );
    family.refuse(
        "asking-with-zero-entropy",
        "asking",
        901,
        "the entropy is all zero",
        changed(&steps, 2, "entropy", json!(hex([0; 32]))),
    );
    let asked = table.made(&steps);
    let offer = table.answer(worker, &asked, offered, "offer to the asker");
    steps.extend(hear(offer.as_bytes(), "offer", "user", SECONDS));
    steps.push(say(&Message::Accept, Some("offer"), None, "user", "accept"));
    family.accept("accepting", "the asker accepts what is offered", steps.clone());
    family.refuse(
        "accepting-too-late",
        "accepting",
        1111,
        "the asker accepts at valid-until",
        changed(&steps, 5, "now", json!(VALID)),
    );
    steps.push(settle(SECONDS));
    family.accept("settled-for-the-asker", "and so it is settled", steps.clone());
    family.refuse(
        "asker-settles-without-accepting",
        "settled-for-the-asker",
        1112,
        "the asker does not accept",
        without(&steps, 5),
    );
    family.refuse(
        "asker-settles-after-refusing",
        "settled-for-the-asker",
        1113,
        "the asker refuses",
        changed(
            &steps,
            5,
            "message",
            json!(hex(Message::Refuse(Refuse::new(Refusal::TooLate)).to_bytes())),
        ),
    );
}
