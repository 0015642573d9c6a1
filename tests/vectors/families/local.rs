//! What concerns this implementation alone: arithmetic, quotas, configuration, stored state, builders, ledgers. Of a
//! builder, the very bytes that come of its inputs and its entropy.

use agent_envelope::budget::{Basis, Ledger};
use agent_envelope::{Budget, Draft, Grant, Inbox, Kind};
use serde_json::{Value, json};

use super::super::build::{
    Cast, Family, entropy, few, inbox, later, purse_of, receive, seed, with,
};
use super::super::run::{amounts, hex, outcomes, terms};
use super::funding;
use crate::adversary::cbor::{Item, array, bytes, text, uint};
use crate::adversary::forge;
use crate::adversary::{Agent, HOUR, ISSUER, NOW, SECONDS};

const MOST: &str = "18446744073709551615";

pub(super) fn arithmetic(_: &Cast) -> Value {
    let mut family = Family::local(
        "arithmetic",
        "Amounts, shares, tariffs and quotas (SPEC §11.1, §11.7). Prices are of the format; the others are how this implementation counts.",
    );
    let of = |amounts: Value| json!({ "do": "amounts", "amounts": amounts });
    family.accept(
        "amounts",
        "a consumable, money and a ceiling",
        [of(json!([[16, 5], [24, 5, "USD:6"], [65, 1024]]))],
    );
    family.variant("amounts-most", "amounts", "the greatest amount", [of(json!([[16, MOST]]))]);
    for (name, comment, amounts) in [
        ("amount-zero", "an amount of 0", json!([[16, 0]])),
        ("amount-twice", "an amount that is there already", json!([[16, 5], [16, 5]])),
        ("amount-money-without-unit", "money without a unit", json!([[24, 5]])),
        (
            "amount-money-without-places",
            "money in a unit without decimal places",
            json!([[24, 5, "USD"]]),
        ),
        (
            "amount-money-leading-zero",
            "money with a leading zero in its decimal places",
            json!([[24, 5, "USD:06"]]),
        ),
        ("amount-tokens-with-unit", "tokens with a unit", json!([[16, 5, "k"]])),
        ("amount-compute-unit", "compute in a unit that is no digest", json!([[8, 5, "table"]])),
    ] {
        family.refuse(name, "amounts", 1001, comment, [of(amounts)]);
    }
    let two =
        |what: &str, one: Value, other: Value| json!({ "do": what, "one": one, "other": other });
    family.accept(
        "add",
        "sums by dimension and unit",
        [two("add", json!([[16, 5], [24, 5, "USD:6"]]), json!([[16, 7], [24, 5, "EUR:2"]]))],
    );
    family.accept(
        "add-most",
        "up to 2^64 - 1",
        [two("add", json!([[16, "18446744073709551614"]]), json!([[16, 1]]))],
    );
    family.refuse(
        "add-overflow",
        "add-most",
        1002,
        "one more",
        [two("add", json!([[16, "18446744073709551614"]]), json!([[16, 2]]))],
    );
    family.refuse(
        "add-overflow-of-money",
        "add",
        1002,
        "too much of one of two",
        [two("add", json!([[16, 5], [24, 5, "USD:6"]]), json!([[16, MOST]]))],
    );
    family.accept(
        "subtract",
        "what is left, without what is 0",
        [two("subtract", json!([[16, 5], [20, 7]]), json!([[16, 5], [20, 2]]))],
    );
    family.refuse(
        "subtract-too-much",
        "subtract",
        1003,
        "one more than there is",
        [two("subtract", json!([[16, 5], [20, 7]]), json!([[16, 6]]))],
    );
    family.refuse(
        "subtract-another-unit",
        "subtract",
        1003,
        "another dimension",
        [two("subtract", json!([[16, 5], [20, 7]]), json!([[28, 1]]))],
    );
    let share =
        |total: Value, weights: Value| json!({ "do": "share", "total": total, "weights": weights });
    family.accept("share", "10 by weights 1, 1 and 1", [share(json!(10), json!([1, 1, 1]))]);
    family.variant(
        "share-by-weight",
        "share",
        "10 by weights 3, 2 and 0",
        [share(json!(10), json!([3, 2, 0]))],
    );
    family.accept(
        "share-most",
        "2^64 - 1 by the greatest weights",
        [share(json!(MOST), json!([MOST, MOST]))],
    );
    family.refuse(
        "share-by-nothing",
        "share",
        1004,
        "all weights are 0",
        [share(json!(10), json!([0, 0]))],
    );
    family.refuse(
        "share-among-nobody",
        "share",
        1004,
        "there is no weight",
        [share(json!(10), json!([]))],
    );
    prices(&mut family);
    quotas(&mut family);
    let offer = |need: Value, meters: Value| {
        json!({
            "do": "offer", "max": { "amounts": [[16, 1000], [28, 4]], "deadline": SECONDS, "depth": 1 }, "need": need, "meters": meters, "valid_until": SECONDS,
        })
    };
    family.accept(
        "offer",
        "an offer that meters all that it takes",
        [offer(json!([[16, 1000]]), json!([[16], [28]]))],
    );
    family.refuse(
        "offer-beyond",
        "offer",
        1118,
        "its need is more than it takes",
        [offer(json!([[16, 1001]]), json!([[16], [28]]))],
    );
    family.refuse(
        "offer-unmetered",
        "offer",
        1106,
        "it cannot meter agents",
        [offer(json!([[16, 1000]]), json!([[16]]))],
    );
    let ask = |floor: Value| json!({ "do": "ask", "want": { "amounts": [[16, 1000]], "deadline": SECONDS, "depth": 1 }, "floor": floor });
    family.accept("ask", "an ask with as much floor as it wants", [ask(json!([[16, 1000]]))]);
    family.refuse(
        "ask-beyond",
        "ask",
        1118,
        "the floor is more than it wants",
        [ask(json!([[16, 1001]]))],
    );
    let meter = |amounts: Value| {
        json!({
            "do": "can-meter", "meters": [[16], [24, "USD:6"]], "terms": { "amounts": amounts, "deadline": SECONDS, "depth": 0 },
        })
    };
    family.accept(
        "can-meter",
        "tokens, and money of its unit; what is advisory need not be metered",
        [meter(json!([[16, 1], [22, 1], [24, 1, "USD:6"]]))],
    );
    family.refuse(
        "cannot-meter",
        "can-meter",
        1106,
        "a dimension that is not advisory",
        [meter(json!([[16, 1], [20, 1], [24, 1, "USD:6"]]))],
    );
    family.refuse(
        "cannot-meter-another-unit",
        "can-meter",
        1106,
        "money of another unit",
        [meter(json!([[16, 1], [24, 1, "EUR:2"]]))],
    );
    family.finish()
}

fn prices(family: &mut Family) {
    let price = |prices: Value, free: Value, used: Value| {
        let mut tariff = json!({ "unit": "USD:6", "prices": prices });
        if free.as_array().is_some_and(|free| !free.is_empty()) {
            tariff["free"] = free;
        }
        json!({ "do": "price", "tariff": tariff, "used": used })
    };
    let usual = || json!([[12, 3, 1000], [16, 15, 1000]]);
    family.accept(
        "price",
        "15 for 1000 each of two, rounded up one by one",
        [price(usual(), json!([20]), json!([[12, 1], [16, 1], [20, 9]]))],
    );
    family.variant(
        "price-nothing",
        "price",
        "nothing was used",
        [price(usual(), json!([20]), json!([]))],
    );
    family.variant(
        "price-ceiling",
        "price",
        "ceilings cost nothing",
        [price(usual(), json!([20]), json!([[65, 9]]))],
    );
    family.refuse(
        "unpriced",
        "price",
        1101,
        "a dimension that is neither priced nor free",
        [price(usual(), json!([20]), json!([[28, 1]]))],
    );
    let money = |used: Value| price(json!([[24, 2, 1, "USD:6"]]), json!([]), used);
    family.accept(
        "price-outlay",
        "outlay in the tariff's own unit",
        [money(json!([[24, 5, "USD:6"]]))],
    );
    family.refuse(
        "unpriced-unit",
        "price-outlay",
        1101,
        "outlay in another unit",
        [money(json!([[24, 5, "EUR:2"]]))],
    );
    let wide = |used: &str| price(json!([[16, MOST, MOST]]), json!([]), json!([[16, used]]));
    family.accept(
        "price-wide",
        "the product has 128 bits, the cost is what was used",
        [wide(MOST)],
    );
    let dear = |used: u64| price(json!([[16, MOST, 1]]), json!([]), json!([[16, used]]));
    family.accept("price-most", "a cost of 2^64 - 1", [dear(1)]);
    family.refuse("price-overflow", "price-most", 1002, "twice that", [dear(2)]);
    let two = |used: Value| price(json!([[12, MOST, 1], [16, 1, 1]]), json!([]), used);
    family.accept("price-sum", "one of two", [two(json!([[12, 1]]))]);
    family.refuse(
        "price-sum-overflow",
        "price-sum",
        1002,
        "both add up to more than 2^64 - 1",
        [two(json!([[12, 1], [16, 1]]))],
    );
    let tariff = |prices: Value, free: Value| price(prices, free, json!([]));
    family.accept("tariff", "a price and something free", [tariff(usual(), json!([20]))]);
    let refused =
        |name: &str, comment: &str, prices: Value| (name.to_owned(), comment.to_owned(), prices);
    for (name, comment, prices) in [
        refused("rate-zero", "a price of 0", json!([[12, 0, 1]])),
        refused("rate-per-zero", "a price for 0", json!([[12, 1, 0]])),
        refused("rate-ceiling", "a price of a ceiling", json!([[65, 1, 1]])),
        refused("rate-twice", "two prices of one dimension", json!([[12, 1, 1], [12, 2, 1]])),
        refused(
            "rate-other-money",
            "a price of money of another unit",
            json!([[24, 1, 1, "EUR:2"]]),
        ),
    ] {
        family.refuse(
            &name,
            "tariff",
            1102,
            &comment,
            [with_tariff(&tariff(usual(), json!([20])), "prices", prices)],
        );
    }
    family.refuse(
        "rate-priced-and-free",
        "tariff",
        1102,
        "a dimension that has a price is free",
        [with_tariff(&tariff(usual(), json!([20])), "free", json!([12]))],
    );
}

fn with_tariff(step: &Value, key: &str, value: Value) -> Value {
    let mut step = step.clone();
    step["tariff"][key] = value;
    step
}

fn quotas(family: &mut Family) {
    let quota = |limits: Value| json!({ "do": "quota", "as": "quota", "limits": limits, "period": 60, "principals": 2 });
    let ask = |subject: &str, amounts: Value, now: u64| {
        json!({
            "do": "ask-quota", "quota": "quota", "principal": [ISSUER, subject], "amounts": amounts, "now": now,
        })
    };
    let usual = || quota(json!([[20, 10]]));
    let asked =
        |more: &[Value]| [&[usual(), ask("alice", json!([[20, 6]]), SECONDS)], more].concat();
    family.accept("quota", "6 of 10", asked(&[]));
    family.variant(
        "quota-rest",
        "quota",
        "and 4",
        asked(&[ask("alice", json!([[20, 4]]), SECONDS)]),
    );
    family.refuse(
        "quota-more",
        "quota",
        1103,
        "and 5",
        asked(&[ask("alice", json!([[20, 5]]), SECONDS)]),
    );
    family.accept(
        "quota-back",
        "and 5, 6 seconds later, when 1 is back",
        asked(&[ask("alice", json!([[20, 5]]), SECONDS + 6)]),
    );
    family.refuse(
        "quota-not-yet-back",
        "quota-back",
        1103,
        "5 seconds later",
        asked(&[ask("alice", json!([[20, 5]]), SECONDS + 5)]),
    );
    family.refuse(
        "quota-clock-back",
        "quota-back",
        1103,
        "an hour earlier",
        asked(&[ask("alice", json!([[20, 5]]), SECONDS - 3600)]),
    );
    family.refuse(
        "quota-burst",
        "quota-back",
        1104,
        "11, which is never granted at once",
        asked(&[ask("alice", json!([[20, 11]]), SECONDS + 6)]),
    );
    family.refuse(
        "quota-unlimited",
        "quota-back",
        1104,
        "a dimension without a limit",
        asked(&[ask("alice", json!([[28, 1]]), SECONDS + 6)]),
    );
    let three = |third: &str| {
        asked(&[ask("bob", json!([[20, 1]]), SECONDS), ask(third, json!([[20, 1]]), SECONDS)])
    };
    family.accept("quota-two", "room for two principals", three("alice"));
    family.refuse("quota-full", "quota-two", 1105, "a third one", three("carol"));
    family.refuse(
        "quota-full-another-name",
        "quota-two",
        1105,
        "a third one with a name that begins alike",
        three("alice2"),
    );
    family.accept("quota-config", "a quota", [usual()]);
    family.refuse("quota-nothing", "quota-config", 907, "no limit", [quota(json!([]))]);
    family.refuse(
        "quota-of-memory",
        "quota-config",
        907,
        "a limit of a ceiling",
        [quota(json!([[65, 1]]))],
    );
    family.refuse(
        "quota-period",
        "quota-config",
        907,
        "a period of 0",
        [with(usual(), "period", json!(0))],
    );
    family.refuse(
        "quota-for-nobody",
        "quota-config",
        907,
        "room for nobody",
        [with(usual(), "principals", json!(0))],
    );
    family.variant(
        "quota-with-burst",
        "quota-config",
        "a burst of its own",
        [with(usual(), "burst", json!([[20, 20]]))],
    );
    family.refuse(
        "quota-burst-of-another",
        "quota-with-burst",
        907,
        "a burst of another dimension",
        [with(usual(), "burst", json!([[28, 20]]))],
    );
}

/// Configuration and stored state.
pub(super) fn configuration(cast: &Cast) -> Value {
    let mut family = Family::local(
        "configuration",
        "What a program gives and stores: verifiers, entropy, state (SPEC §2.4, §6.3, §9.1, §10).",
    );
    family.verifiers_of(cast);
    let configure = |config: Value| json!({ "do": "configure", "config": config });
    let usual = cast.verifier(&cast.worker);
    let changed = |key: &str, value: Value| {
        let mut config = usual.clone();
        config[key] = value;
        [configure(config)]
    };
    let anchor = |key: &str, value: Value| {
        let mut anchor = cast.anchor_json();
        anchor[key] = value;
        changed("anchors", json!([anchor]))
    };
    family.accept("verifier", "a verifier with one anchor", [configure(usual.clone())]);
    family.variant("skew-60", "verifier", "a skew of 60 s", changed("skew", json!(60)));
    family.refuse("skew-61", "verifier", 907, "a skew of 61 s", changed("skew", json!(61)));
    family.refuse("anchors-none", "verifier", 906, "no anchor", changed("anchors", json!([])));
    family.refuse("anchors-none-trusting", "skew-60", 906, "no anchor and a skew", {
        let mut config = usual.clone();
        config["skew"] = json!(60);
        config["anchors"] = json!([]);
        [configure(config)]
    });
    family.refuse(
        "anchors-of-one-key",
        "verifier",
        907,
        "two anchors of one key",
        changed("anchors", json!([cast.anchor_json(), cast.anchor_json()])),
    );
    family.refuse(
        "issuer-empty",
        "verifier",
        907,
        "an anchor without a name",
        anchor("issuer", json!("")),
    );
    family.refuse(
        "issuer-257",
        "verifier",
        907,
        "an anchor with a name of 257 bytes",
        anchor("issuer", json!("i".repeat(257))),
    );
    family.refuse(
        "issuer-control",
        "verifier",
        907,
        "an anchor with a line feed in its name",
        anchor("issuer", json!("a\nb")),
    );
    family.refuse(
        "scope-empty",
        "verifier",
        907,
        "an anchor with an empty scope",
        anchor("scope", json!([])),
    );
    family.refuse(
        "scope-action",
        "verifier",
        907,
        "an anchor with an action in upper case",
        anchor("scope", json!([[["Mail"], []]])),
    );
    family.refuse(
        "scope-33-actions",
        "verifier",
        907,
        "an anchor with 33 actions in a permission",
        anchor(
            "scope",
            json!([[(0..33).map(|index| format!("a{index}")).collect::<Vec<_>>(), []]]),
        ),
    );
    family.refuse(
        "limits-no-hops",
        "verifier",
        907,
        "limits that admit no hop",
        changed("limits", json!({ "hops": 0 })),
    );
    family.refuse(
        "limits-no-bytes",
        "verifier",
        907,
        "limits that admit no byte",
        changed("limits", json!({ "bytes": 0 })),
    );

    let one = |entropy: [u8; 32]| json!({ "do": "entropy", "entropy": hex(entropy) });
    let mut least = [0; 32];
    least[31] = 1;
    family.accept("entropy", "32 bytes of which one is not 0", [one(least)]);
    family.refuse("entropy-zero", "entropy", 901, "32 zeros: a source that failed", [one([0; 32])]);
    let key = |entropy: [u8; 32]| json!({ "do": "new-signing-key", "entropy": hex(entropy) });
    family.accept("signing-key", "a signing key from entropy", [key(seed("a signing key"))]);
    family.refuse(
        "signing-key-zero",
        "signing-key",
        901,
        "a signing key from nothing",
        [key([0; 32])],
    );
    let identity = |entropy: [u8; 32]| json!({ "do": "new-identity", "entropy": hex(entropy), "now": SECONDS });
    family.accept(
        "identity",
        "an identity from entropy, and its key package of a minute",
        [identity(seed("an identity"))],
    );
    family.refuse(
        "identity-zero",
        "identity",
        901,
        "an identity from nothing",
        [identity([0; 32])],
    );

    // State.
    let mut mailbox = Inbox::new(cast.made(&cast.worker));
    let note = |seconds: u64| {
        let chain = cast.authority(&cast.user);
        let draft = Draft::new(&cast.user.identity).to(cast.worker.id()).authority(&chain);
        draft
            .sign(later(seconds), entropy(&format!("configuration/note {seconds}")))
            .expect("a complete draft")
    };
    for seconds in 0..2 {
        mailbox.receive(note(seconds).as_bytes(), later(2)).expect("new");
    }
    let stored = mailbox.to_bytes();
    let restore = |bytes: &[u8]| {
        [json!({ "do": "restore-inbox", "verifier": "worker", "bytes": hex(bytes) })]
    };
    let state = |edit: &dyn Fn(&mut Item)| {
        let mut item = Item::read(&stored);
        edit(&mut item);
        restore(&item.encode())
    };
    family.accept(
        "inbox",
        "an inbox that has received two envelopes, stored and read again",
        restore(&stored),
    );
    family.refuse(
        "inbox-cut",
        "inbox",
        101,
        "the last byte is missing",
        restore(&stored[..stored.len() - 1]),
    );
    family.refuse(
        "inbox-of-another-kind",
        "inbox",
        121,
        "the label of another state",
        state(&|item| item.items()[0] = text("agent-envelope/1/state/ledger")),
    );
    family.refuse(
        "inbox-more-than-room",
        "inbox",
        909,
        "room for one envelope of a principal, and two are there",
        state(&|item| item.items()[1].items()[1] = uint(1)),
    );
    family.refuse(
        "inbox-no-principals",
        "inbox",
        909,
        "room for no principal, and one is there",
        state(&|item| item.items()[1].items()[2] = uint(0)),
    );
    let quota = {
        let limits = amounts(&json!([[20, 10]])).expect("amounts");
        let mut quota = agent_envelope::budget::Quota::new(
            limits.clone(),
            std::time::Duration::from_secs(60),
            2,
        )
        .expect("a quota");
        quota
            .ask(agent_envelope::Principal::new(ISSUER, "alice"), &limits, NOW)
            .expect("as much as there is");
        quota.to_bytes()
    };
    let restore_quota = |edit: &dyn Fn(&mut Item)| {
        let mut item = Item::read(&quota);
        edit(&mut item);
        [json!({ "do": "restore-quota", "bytes": hex(item.encode()) })]
    };
    family.accept("stored-quota", "a quota that one principal has used up", restore_quota(&|_| ()));
    family.refuse(
        "stored-quota-without-room",
        "stored-quota",
        909,
        "room for nobody, and one principal is there",
        restore_quota(&|item| item.items()[4] = uint(0)),
    );
    family.refuse(
        "stored-quota-without-period",
        "stored-quota",
        909,
        "a period of 0",
        restore_quota(&|item| item.items()[3] = uint(0)),
    );
    family.finish()
}

fn clear(content: &str) -> Value {
    json!({ "clear": { "kind": 0, "type": "text/plain", "content": hex(content) } })
}

/// Builders: what they make, to the byte, and what they do not sign.
pub(super) fn builders(cast: &Cast) -> Value {
    let mut family = Family::local(
        "builders",
        "What this implementation builds of its inputs and 32 bytes of entropy, to the byte (SPEC §2.4, §7.6, Appendix B), and what it does not sign.",
    );
    family.verifiers_of(cast);
    family.everybody(cast);
    let id = |agent: &Agent| json!(hex(agent.id().as_bytes()));
    let package = |agent: &Agent| json!(hex(cast.package(agent).as_bytes()));
    let draft = |to: &[&Agent]| {
        json!({
            "do": "draft", "identity": "user", "now": SECONDS, "entropy": hex(seed("builders")),
            "to": to.iter().map(|agent| id(agent)).collect::<Vec<_>>(),
        })
    };
    let usual = || draft(&[&cast.worker]);
    let one = |key: &str, value: Value| [with(usual(), key, value)];
    family.accept("draft", "an envelope without elements", [usual()]);
    family.variant(
        "draft-of-other-entropy",
        "draft",
        "the same of other entropy",
        one("entropy", json!(hex(seed("other entropy")))),
    );
    family.variant(
        "draft-a-second-later",
        "draft",
        "the same a second later: ids and salts are other ones",
        one("now", json!(SECONDS + 1)),
    );
    family.variant("draft-clear", "draft", "clear content", one("parts", json!([clear("hello")])));
    family.variant(
        "draft-labels",
        "draft",
        "two labels",
        one("labels", json!([["tenant", "acme"], ["skill", "summarise"]])),
    );
    family.variant(
        "draft-via",
        "draft",
        "a path",
        one("via", json!([id(&cast.planner), id(&cast.auditor)])),
    );
    family.variant(
        "draft-next",
        "draft",
        "first to the planner",
        one("next", json!([id(&cast.planner)])),
    );
    family.variant("draft-terms", "draft", "declared terms", one("terms", purse_of(3, 1)));
    family.variant(
        "draft-chain",
        "draft",
        "a chain",
        one("parts", json!([{ "authority": hex(cast.authority(&cast.user).as_bytes()) }])),
    );
    family.variant(
        "draft-key-package",
        "draft",
        "the sender's key package",
        one("parts", json!([{ "key_package": package(&cast.user) }])),
    );
    let sealed = |readers: Value| json!([{ "sealed": { "kind": 6, "type": "text/plain", "content": hex("the secret"), "readers": readers } }]);
    family.variant(
        "draft-sealed",
        "draft",
        "content sealed to one reader",
        one("parts", sealed(json!([package(&cast.worker)]))),
    );
    family.variant(
        "draft-sealed-to-two",
        "draft",
        "content sealed to two readers",
        one("parts", sealed(json!([package(&cast.worker), package(&cast.auditor)]))),
    );
    family.variant(
        "draft-lifetime",
        "draft",
        "a lifetime of a day",
        one("expires_in", json!(86_400)),
    );
    family.refuse(
        "draft-lifetime-too-long",
        "draft-lifetime",
        323,
        "a lifetime of a day and a second",
        one("expires_in", json!(86_401)),
    );
    family.refuse(
        "draft-lifetime-none",
        "draft-lifetime",
        322,
        "a lifetime of 0",
        one("expires_in", json!(0)),
    );
    family.refuse(
        "draft-zero-entropy",
        "draft",
        901,
        "entropy that is all zero",
        one("entropy", json!(hex([0; 32]))),
    );
    family.refuse("draft-to-nobody", "draft", 904, "no recipient", one("to", json!([])));
    family.refuse(
        "draft-to-oneself-first",
        "draft-next",
        904,
        "next is the sender",
        one("next", json!([id(&cast.user)])),
    );
    family.refuse(
        "draft-label-without-key",
        "draft-labels",
        904,
        "a label without a key",
        one("labels", json!([["", "acme"]])),
    );
    family.refuse(
        "draft-label-control",
        "draft-labels",
        904,
        "a label with a control character",
        one("labels", json!([["skill", "\u{85}"]])),
    );
    family.refuse(
        "draft-label-twice",
        "draft-labels",
        904,
        "a label is set twice",
        one("labels", json!([["skill", "a"], ["skill", "b"]])),
    );
    family.refuse(
        "draft-via-twice",
        "draft-via",
        904,
        "a station is its own next",
        one("via", json!([id(&cast.planner), id(&cast.planner)])),
    );
    family.refuse(
        "draft-via-16",
        "draft-via",
        904,
        "a path of 16 stations",
        one(
            "via",
            json!(
                (0..16)
                    .map(|index| id(if index % 2 == 0 { &cast.planner } else { &cast.auditor }))
                    .collect::<Vec<_>>()
            ),
        ),
    );
    let path = json!([id(&cast.planner), id(&cast.auditor)]);
    family.refuse(
        "draft-next-off-via",
        "draft-via",
        305,
        "next departs from the path",
        [with(with(usual(), "via", path), "next", json!([id(&cast.auditor)]))],
    );
    family.refuse(
        "draft-key-package-of-another",
        "draft-key-package",
        905,
        "a key package of the worker",
        one("parts", json!([{ "key_package": package(&cast.worker) }])),
    );
    let old = cast
        .worker
        .identity
        .key_package(super::super::build::later(0), HOUR)
        .expect("an hour is a lifetime");
    let late = |now: u64| {
        [with(with(usual(), "parts", sealed(json!([hex(old.as_bytes())]))), "now", json!(now))]
    };
    family.accept(
        "draft-sealed-in-time",
        "sealed in the last second of the reader's key package",
        late(SECONDS + 3599),
    );
    family.refuse(
        "draft-sealed-too-late",
        "draft-sealed-in-time",
        602,
        "a second later",
        late(SECONDS + 3600),
    );
    family.accept(
        "draft-sealed-ahead",
        "sealed 60 s before the reader's key package begins",
        late(SECONDS - 60),
    );
    family.refuse(
        "draft-sealed-too-early",
        "draft-sealed-ahead",
        602,
        "a second earlier",
        late(SECONDS - 61),
    );
    let twin = forge::key_package(
        cast.auditor.id(),
        &{
            let mut key = forge::sealing_key(cast.package(&cast.worker).as_bytes());
            key[31] ^= 1;
            key
        },
        &cast.auditor,
    );
    family.refuse(
        "draft-one-hint",
        "draft-sealed-to-two",
        604,
        "two readers whose keys begin with the same 8 bytes",
        one("parts", sealed(json!([package(&cast.worker), hex(&twin)]))),
    );
    let same = forge::key_package(
        cast.auditor.id(),
        &forge::sealing_key(cast.package(&cast.worker).as_bytes()),
        &cast.auditor,
    );
    family.refuse(
        "draft-one-key",
        "draft-sealed-to-two",
        604,
        "two readers with one key",
        one("parts", sealed(json!([package(&cast.worker), hex(&same)]))),
    );
    let mut low = [0; 32];
    for (name, comment, key) in [
        ("draft-key-zero", "a sealing key of 0", 0),
        ("draft-key-low-order", "a sealing key of 1, which is of low order", 1),
    ] {
        low[0] = key;
        let weak = forge::key_package(cast.worker.id(), &low, &cast.worker);
        family.refuse(
            name,
            "draft-sealed",
            605,
            comment,
            one("parts", sealed(json!([hex(&weak)]))),
        );
    }
    let allot = |terms: Value, to: &Agent| {
        [with(
            with(usual(), "identity", json!("login")),
            "allot",
            json!([{ "to": id(to), "terms": terms }]),
        )]
    };
    family.accept("draft-allotment", "an anchor pays", allot(purse_of(9, 1), &cast.worker));
    family.refuse(
        "draft-allotment-elsewhere",
        "draft-allotment",
        1013,
        "an allotment for somebody who is not next",
        allot(purse_of(9, 1), &cast.auditor),
    );
    family.refuse(
        "draft-allotment-for-oneself",
        "draft-allotment",
        1010,
        "an allotment for its payer",
        allot(purse_of(9, 1), &cast.login),
    );
    let under = |chain: Value| {
        let mut step = usual();
        step["allot"] =
            json!([{ "to": id(&cast.worker), "terms": purse_of(9, 1), "under": chain }]);
        [step]
    };
    let ceiling = terms(&purse_of(10, 2)).expect("terms");
    let chain = |agent: &Agent| {
        let grant = Grant::new(agent.name, few("summarise", &[])).depth(2).budget(ceiling.clone());
        json!(hex(cast.grant(agent, grant, &format!("builders/{}", agent.name)).as_bytes()))
    };
    family.accept("draft-allotment-under", "the user pays under a chain", under(chain(&cast.user)));
    family.refuse(
        "draft-allotment-under-anothers",
        "draft-allotment-under",
        905,
        "the chain is the planner's",
        under(chain(&cast.planner)),
    );

    // Hops.
    let both = {
        let chain = cast.authority(&cast.user);
        let note =
            agent_envelope::NewElement::clear(Kind::Memory, "text/plain", &b"a log"[..]).elidable();
        let draft = Draft::new(&cast.user.identity)
            .to([cast.planner.id(), cast.worker.id()])
            .next(cast.planner.id())
            .expires_in(HOUR)
            .authority(&chain)
            .element(note)
            .clear(Kind::User, "text/plain", &b"do"[..]);
        draft.sign(NOW, entropy("builders/onward")).expect("a complete draft")
    };
    let onward = |edit: &dyn Fn(&mut Value)| {
        let mut step = json!({
            "do": "onward", "received": "it", "identity": "planner", "now": SECONDS + 1, "entropy": hex(seed("builders/onward")),
            "next": [id(&cast.worker)], "parts": [{ "clear": { "kind": 1, "type": "text/plain", "content": hex("a remark") } }],
        });
        edit(&mut step);
        vec![inbox("in", "planner"), receive("in", both.as_bytes(), SECONDS, "it"), step]
    };
    family.accept("onward", "a hop that adds a remark", onward(&|_| ()));
    family.variant(
        "onward-without",
        "onward",
        "and leaves out a body",
        onward(&|step| step["without"] = json!([1])),
    );
    family.variant(
        "onward-slow-clock",
        "onward",
        "by a clock that is behind: the hop has the time of the one before",
        onward(&|step| step["now"] = json!(SECONDS - 9)),
    );
    family.refuse(
        "onward-to-nobody",
        "onward",
        904,
        "nobody is next",
        onward(&|step| step["next"] = json!([])),
    );
    family.refuse(
        "onward-to-oneself",
        "onward",
        302,
        "the signer is its own next",
        onward(&|step| step["next"] = json!([id(&cast.planner)])),
    );
    family.refuse(
        "onward-by-another",
        "onward",
        905,
        "the worker signs what the planner received",
        onward(&|step| step["identity"] = json!("worker")),
    );
    family.refuse(
        "onward-expired",
        "onward",
        321,
        "a second after expires",
        onward(&|step| step["now"] = json!(SECONDS + 3601)),
    );
    family.refuse(
        "onward-user-turn",
        "onward",
        307,
        "a turn of a user",
        onward(&|step| step["parts"][0]["clear"]["kind"] = json!(0)),
    );
    family.refuse(
        "onward-without-what-must-stay",
        "onward-without",
        311,
        "the body of an element that is not elidable",
        onward(&|step| step["without"] = json!([2])),
    );
    family.refuse(
        "onward-without-what-is-not-there",
        "onward-without",
        311,
        "an element that is not there",
        onward(&|step| step["without"] = json!([9])),
    );

    // Key packages and chains.
    let publish = |lifetime: u64| json!({ "do": "make-key-package", "identity": "worker", "now": SECONDS, "lifetime": lifetime });
    family.accept("key-package", "a key package of an hour", [publish(3600)]);
    family.refuse("key-package-of-no-time", "key-package", 322, "a lifetime of 0", [publish(0)]);
    let issue = |identity: &str, key: &str, value: Value| {
        let mut grant = json!({ "subject": "alice", "scope": [[["summarise"], []]], "depth": 2, "lifetime": 3600 });
        if !key.is_empty() {
            grant[key] = value;
        }
        [json!({
            "do": "issue", "identity": identity, "verifier": "worker", "holder": id(&cast.user), "grant": grant,
            "now": SECONDS, "entropy": hex(seed("builders/issue")),
        })]
    };
    family.accept("issue", "a root link", issue("login", "", Value::Null));
    family.refuse(
        "issue-scope",
        "issue",
        513,
        "a scope beyond the anchor's",
        issue("login", "scope", json!([[["delete"], []]])),
    );
    family.refuse(
        "issue-depth",
        "issue",
        513,
        "more depth than the anchor has",
        issue("login", "depth", json!(5)),
    );
    family.refuse(
        "issue-lifetime",
        "issue",
        513,
        "a lifetime beyond the anchor's",
        issue("login", "lifetime", json!(86_401)),
    );
    family.refuse(
        "issue-budget",
        "issue",
        513,
        "a budget beyond the anchor's",
        issue("login", "budget", purse_of(101, 2)),
    );
    family.refuse(
        "issue-by-another",
        "issue",
        905,
        "by a key that is not the anchor's",
        issue("user", "", Value::Null),
    );
    family.refuse(
        "issue-without-a-subject",
        "issue",
        907,
        "an empty subject",
        issue("login", "subject", json!("")),
    );
    family.refuse(
        "issue-control",
        "issue",
        907,
        "a subject with a control character",
        issue("login", "subject", json!("a\u{9f}")),
    );
    let root = cast.grant(
        &cast.user,
        Grant::new("alice", few("mail.read", &["mail"])).depth(1),
        "builders/root",
    );
    let extend = |identity: &str, holder: &Agent, narrow: Value| {
        [json!({
            "do": "extend", "identity": identity, "chain": hex(root.as_bytes()), "holder": id(holder), "narrow": narrow,
            "now": SECONDS, "entropy": hex(seed("builders/extend")),
        })]
    };
    family.accept(
        "extend",
        "a link that narrows nothing",
        extend("user", &cast.planner, json!({})),
    );
    family.variant(
        "extend-narrower",
        "extend",
        "a link that narrows the scope",
        extend(
            "user",
            &cast.planner,
            json!({ "scope": [[["mail.read"], ["mail", "inbox"]]], "depth": 0, "lifetime": 600 }),
        ),
    );
    family.refuse(
        "extend-scope",
        "extend",
        502,
        "a wider scope",
        extend("user", &cast.planner, json!({ "scope": [[["mail.read"], []]] })),
    );
    family.refuse(
        "extend-depth",
        "extend",
        503,
        "more depth",
        extend("user", &cast.planner, json!({ "depth": 1 })),
    );
    family.refuse(
        "extend-lifetime",
        "extend",
        504,
        "a later end",
        extend("user", &cast.planner, json!({ "lifetime": 3601 })),
    );
    family.refuse(
        "extend-holder",
        "extend",
        508,
        "to the root key",
        extend("user", &cast.login, json!({})),
    );
    family.refuse(
        "extend-by-another",
        "extend",
        905,
        "by somebody who is not the holder",
        extend("worker", &cast.planner, json!({})),
    );
    family.refuse(
        "extend-name",
        "extend",
        907,
        "with an empty name",
        extend("user", &cast.planner, json!({ "name": "" })),
    );
    family.finish()
}

/// Ledgers: what their holder may do, and what it may credit.
pub(super) fn ledgers(cast: &Cast) -> Value {
    let mut family = Family::local(
        "ledgers",
        "The ledger of an allotment (SPEC §11.4, §11.5): use, holds, splits, reports, credits, and stored state.",
    );
    family.verifiers_of(cast);
    family.everybody(cast);
    let granted = |calls: u64, children: Option<u64>, depth: u64| {
        let mut terms = purse_of(calls, depth);
        if let Some(children) = children {
            terms["amounts"].as_array_mut().expect("amounts").push(json!([69, children]));
        }
        terms
    };
    let request = |terms: &Value| {
        let terms = super::super::run::terms(terms).expect("terms");
        let sent = Draft::new(&cast.login.identity)
            .to(cast.planner.id())
            .expires_in(HOUR)
            .clear(Kind::User, "text/plain", &b"plan and do"[..])
            .allot(agent_envelope::Allotment::new(cast.planner.id(), terms))
            .sign(NOW, entropy("ledgers/request"))
            .expect("an anchor may pay")
            .persisted();
        sent.as_bytes().to_vec()
    };
    let asked = request(&granted(10, Some(2), 2));
    let open = |more: &[Value]| {
        let mut steps = vec![
            inbox("in", "planner"),
            receive("in", &asked, SECONDS, "it"),
            json!({ "do": "open-ledger", "as": "ledger", "received": "it", "identity": "planner", "now": SECONDS }),
        ];
        steps.extend_from_slice(more);
        steps
    };
    let on =
        |what: &str, amounts: Value| json!({ "do": what, "ledger": "ledger", "amounts": amounts });
    let calls = |number: u64| json!([[20, number]]);
    family.accept("open", "a ledger is opened", open(&[]));
    family.refuse("open-by-another", "open", 905, "by somebody who does not hold the allotment", {
        let mut steps = open(&[]);
        steps[2]["identity"] = json!("worker");
        steps
    });
    family.variant("charge", "open", "all 10 calls are used", open(&[on("charge", calls(10))]));
    family.refuse("charge-too-much", "charge", 1003, "11 calls", open(&[on("charge", calls(11))]));
    family.refuse(
        "charge-another-unit",
        "charge",
        1003,
        "money of another unit",
        open(&[on("charge", json!([[24, 1, "EUR:2"]]))]),
    );
    family.refuse(
        "charge-beyond-a-ceiling",
        "charge",
        1003,
        "more children at once than the ceiling",
        open(&[on("charge", json!([[69, 3]]))]),
    );
    let hold = with(on("reserve", calls(6)), "as", json!("hold"));
    family.variant("reserve", "open", "6 calls are set aside", open(std::slice::from_ref(&hold)));
    family.accept(
        "reserve-and-charge",
        "and 4 others used",
        open(&[hold.clone(), on("charge", calls(4))]),
    );
    family.refuse(
        "charge-what-is-held",
        "reserve-and-charge",
        1003,
        "5 others",
        open(&[hold.clone(), on("charge", calls(5))]),
    );
    family.accept(
        "commit",
        "what was set aside was more than it took",
        open(&[hold.clone(), with(on("commit", calls(5)), "hold", json!("hold"))]),
    );
    family.accept(
        "commit-overrun",
        "what was set aside, and all that was free, was less than it took",
        open(&[hold.clone(), with(on("commit", calls(12)), "hold", json!("hold"))]),
    );
    let release = json!({ "do": "release", "ledger": "ledger", "hold": "hold" });
    family.accept(
        "release",
        "what was set aside is free again",
        open(&[hold.clone(), release.clone(), on("charge", calls(10))]),
    );
    // A hold that was closed over, and one of another ledger.
    let close = |outcome: &str| json!({ "do": "close", "ledger": "ledger", "identity": "planner", "outcome": outcome });
    family.accept("close", "the last report", open(&[close("done")]));
    family.accept(
        "closed-hold",
        "what is held when the ledger closes counts as used",
        open(&[hold.clone(), close("partial")]),
    );
    family.accept("hold-released", "a hold is given up", open(&[hold.clone(), release.clone()]));
    let mut closed_over = open(&[hold.clone(), close("done"), release]);
    family.refuse(
        "hold-after-close",
        "hold-released",
        1021,
        "after the ledger was closed",
        closed_over.clone(),
    );
    closed_over[5] = with(on("commit", calls(5)), "hold", json!("hold"));
    family.refuse("commit-after-close", "commit", 1021, "after the ledger was closed", closed_over);
    family.refuse(
        "charge-after-close",
        "charge",
        1020,
        "after the last report",
        open(&[close("done"), on("charge", calls(10))]),
    );
    family.refuse(
        "close-twice",
        "close",
        1020,
        "a second last report",
        open(&[close("done"), close("done")]),
    );
    let give = |number: u64| with(on("give-back", calls(number)), "identity", json!("planner"));
    family.accept("give-back", "3 calls are returned early", open(&[give(3)]));
    family.refuse("give-back-too-much", "give-back", 1003, "11 calls", open(&[give(11)]));
    family.refuse(
        "give-back-after-close",
        "give-back",
        1020,
        "after the last report",
        open(&[close("done"), give(3)]),
    );
    family.refuse(
        "close-by-another",
        "close",
        905,
        "by somebody who does not hold the ledger",
        open(&[with(close("done"), "identity", json!("worker"))]),
    );

    // Splits.
    let split = |terms: Value, now: u64| {
        json!({
            "do": "split", "ledger": "ledger", "identity": "planner", "to": hex(cast.worker.id().as_bytes()), "terms": terms,
            "request": hex([8; 32]), "keep": [], "now": now,
        })
    };
    let part = || granted(4, Some(2), 1);
    family.accept("split", "a part for the worker", open(&[split(part(), SECONDS)]));
    let mut split_case = |name: &str, code: u16, comment: &str, step: Value| {
        family.refuse(name, "split", code, comment, open(&[step]));
    };
    split_case(
        "split-too-much",
        1022,
        "more than was granted",
        split(granted(11, Some(2), 1), SECONDS),
    );
    split_case(
        "split-all-agents",
        1003,
        "all agents, where the split costs one more",
        split(granted(10, Some(2), 1), SECONDS),
    );
    split_case(
        "split-and-keep",
        1003,
        "a part, where more than the rest is to be kept",
        with(split(part(), SECONDS), "keep", calls(7)),
    );
    split_case(
        "split-as-deep",
        1022,
        "as much depth as there is",
        split(granted(4, Some(2), 2), SECONDS),
    );
    split_case(
        "split-ceiling-left-out",
        1022,
        "a ceiling is left out",
        split(granted(4, None, 1), SECONDS),
    );
    split_case(
        "split-later",
        1022,
        "a later deadline",
        split(with(part(), "deadline", json!(SECONDS + 1801)), SECONDS),
    );
    split_case(
        "split-more-wall",
        1022,
        "more wall than is left after a second",
        split(part(), SECONDS + 1),
    );
    split_case(
        "split-after-wall",
        1023,
        "when the wall of 30 s has passed",
        split(part(), SECONDS + 30),
    );
    split_case(
        "split-after-the-deadline",
        1023,
        "when the deadline of the split has passed",
        split(with(part(), "deadline", json!(SECONDS)), SECONDS),
    );
    split_case(
        "split-to-oneself",
        1021,
        "for its own holder",
        with(split(part(), SECONDS), "to", json!(hex(cast.planner.id().as_bytes()))),
    );
    let small = || granted(1, Some(2), 1);
    family.accept(
        "split-two",
        "two children, as many as may run at once",
        open(&[split(small(), SECONDS), split(small(), SECONDS)]),
    );
    family.refuse(
        "split-three",
        "split-two",
        1024,
        "and a third one",
        open(&[split(small(), SECONDS), split(small(), SECONDS), split(small(), SECONDS)]),
    );
    let one = request(&granted(10, Some(1), 2));
    let alone = |more: &[Value]| {
        let mut steps = open(more);
        steps[1]["bytes"] = json!(hex(&one));
        steps
    };
    let only = || granted(1, Some(1), 1);
    family.accept(
        "split-one",
        "one child, as many as may run at once",
        alone(&[split(only(), SECONDS)]),
    );
    family.refuse(
        "split-second-of-one",
        "split-one",
        1024,
        "and a second one",
        alone(&[split(only(), SECONDS), split(only(), SECONDS)]),
    );

    // Credits: the worker reports, and the planner looks at its history.
    let lineage = |steps: &[Value]| {
        let file = with(
            json!({ "verifiers": { "planner": cast.verifier(&cast.planner) } }),
            "identities",
            json!({ "planner": super::super::build::identity_json(&cast.planner) }),
        );
        let found = outcomes(&file, &json!({ "steps": steps }));
        let last = found.last().expect("a step");
        super::super::run::unhex(last["ok"]["lineage"].as_str().unwrap_or_else(|| panic!("{last}")))
    };
    let below = lineage(&open(&[split(part(), SECONDS)]));
    let history = history(cast, &below);
    let credit = |history: &[u8]| json!({ "do": "credit", "ledger": "ledger", "identity": "planner", "history": hex(history) });
    let credited = |history: &[u8]| open(&[split(part(), SECONDS), credit(history)]);
    family.accept("credit", "the worker used 1 call and returns the rest", credited(&history));
    family.accept(
        "credit-again",
        "the same report again changes nothing",
        open(&[split(part(), SECONDS), credit(&history), credit(&history)]),
    );
    let entries = Item::read(&history).into_items();
    let rewritten = |edit: &dyn Fn(usize, &mut Item)| {
        let mut before: Option<[u8; 32]> = None;
        let written = entries.iter().enumerate().map(|(index, entry)| {
            let mut claims = Item::read(entry.clone().into_items()[2].as_bytes());
            if let Some(before) = before {
                claims.set(3, bytes(before));
            }
            edit(index, &mut claims);
            let aad = array([text("agent-envelope/1/entry")]);
            let payload = claims.encode();
            let signed = forge::to_be_signed(&forge::protected(None), &aad, &payload);
            before = Some(<sha2::Sha256 as sha2::Digest>::digest(signed).into());
            forge::statement(&cast.worker, &forge::protected(None), &aad, &payload)
        });
        array(written).encode()
    };
    assert_eq!(rewritten(&|_, _| ()), history, "an entry that is written by hand is the same");
    let mut case = |name: &str, code: u16, comment: &str, history: Vec<u8>| {
        family.refuse(name, "credit", code, comment, credited(&history));
    };
    case(
        "credit-first-missing",
        1025,
        "the first entry is left out",
        array(entries[1..].iter().cloned()).encode(),
    );
    case(
        "credit-without-a-report",
        1025,
        "the history ends in the split",
        array(entries[..1].iter().cloned()).encode(),
    );
    case(
        "credit-of-another-ledger",
        1025,
        "the history is about another allotment",
        rewritten(&|_, claims| claims.set(2, bytes([7; 32]))),
    );
    case(
        "credit-of-another-holder",
        1025,
        "the entries name another holder",
        rewritten(&|_, claims| claims.set(1, bytes(cast.auditor.id().as_bytes()))),
    );
    let last = entries.len() - 1;
    case(
        "credit-overuse",
        1026,
        "the last report says more was used than was granted",
        rewritten(&|index, claims| {
            if index == last {
                claims.set(5, array([array([uint(20), uint(5)])]));
            }
        }),
    );
    case(
        "credit-own-falls",
        1026,
        "own falls",
        rewritten(&|index, claims| {
            if index == last {
                claims.set(5, array([]));
            }
        }),
    );
    case(
        "credit-not-all-returned",
        1026,
        "the last report returns less than is left",
        rewritten(&|index, claims| {
            if index == last {
                event_amounts(claims, json!([[20, 1]]));
            }
        }),
    );
    case(
        "credit-prev",
        1026,
        "the last entry names another predecessor",
        rewritten(&|index, claims| {
            if index == last {
                claims.set(3, bytes([7; 32]));
            }
        }),
    );
    let mut spoilt = entries.clone();
    spoilt[last].items()[3] = bytes([0; 64]);
    case(
        "credit-signature",
        1027,
        "the signature of the last entry is spoilt",
        array(spoilt).encode(),
    );
    let mut spoilt = entries.clone();
    spoilt[0].items()[3] = bytes([0; 64]);
    case(
        "credit-first-signature",
        1027,
        "the signature of the first entry is spoilt",
        array(spoilt).encode(),
    );
    family.refuse("credit-after-close", "credit", 1020, "after the planner's own last report", {
        let mut steps = credited(&history);
        steps.insert(4, close("done"));
        steps
    });
    stored(cast, &mut family, &asked);
    family.finish()
}

/// Another amount in the report of an entry.
fn event_amounts(claims: &mut Item, returned: Value) {
    let mut event = claims.get(8).expect("an event").clone();
    let amount = |one: &Value| {
        array([
            uint(one[0].as_u64().expect("a dimension")),
            uint(one[1].as_u64().expect("an amount")),
        ])
    };
    event.items()[1] = array(returned.as_array().expect("amounts").iter().map(amount));
    claims.set(8, event);
}

/// The worker's ledger below: it splits off a part for the auditor, uses a call, and makes its last report.
fn history(cast: &Cast, lineage: &[u8]) -> Vec<u8> {
    let worker = &cast.worker;
    let mut statements = Item::read(lineage).into_items().remove(1).into_items();
    let allotment = funding::statement_id("entry", &statements.pop().expect("a split"));
    let mut part = purse_of(1, 0);
    part["amounts"].as_array_mut().expect("amounts").push(json!([69, 1]));
    let event = funding::split_event(&cast.auditor, funding::terms_item(&part), Some([9; 32]));
    let out = funding::amounts_item(1);
    let mut split = funding::entry_claims(worker, allotment, event);
    split.set(5, array([array([uint(28), uint(1)])]));
    split.set(6, out.clone());
    let split = funding::signed("entry", worker, &split);
    // Of 4 calls and agents, one of each is granted, one of each is used.
    let returned = json!([[20, 2], [24, 3000, "USD:6"], [28, 2]]);
    let returned = funding::terms_item(&json!({ "amounts": returned, "deadline": 0, "depth": 0 }));
    let event = funding::report_event(returned.get(1).expect("amounts").clone(), 1);
    let mut report = funding::entry_claims(worker, allotment, event);
    report.set(3, bytes(split.id));
    report.set(4, uint(1));
    report.set(5, array([array([uint(20), uint(1)]), array([uint(28), uint(1)])]));
    report.set(6, out);
    array([split.item, funding::signed("entry", worker, &report).item]).encode()
}

fn stored(cast: &Cast, family: &mut Family, asked: &[u8]) {
    let mut mailbox = Inbox::new(cast.made(&cast.planner));
    let mut admitted = mailbox.receive(asked, NOW).expect("for the planner");
    let Budget::Funded(mut funded) = admitted.take_funding() else { panic!("it is funded") };
    let mut ledger =
        Ledger::open(funded.remove(0), &cast.planner.identity, NOW).expect("the planner holds it");
    ledger.charge(&amounts(&json!([[20, 3]])).expect("amounts")).expect("there is more");
    ledger
        .give_back(
            &cast.planner.identity,
            &amounts(&json!([[20, 2]])).expect("amounts"),
            Basis::Declared,
        )
        .expect("there is more")
        .persisted();
    let stored = ledger.to_bytes();
    let resume = |edit: &dyn Fn(&mut Item)| {
        let mut item = Item::read(&stored);
        edit(&mut item);
        [json!({ "do": "resume-ledger", "as": "ledger", "bytes": hex(item.encode()) })]
    };
    family.accept("resume", "a ledger with one report, stored and read again", resume(&|_| ()));
    family.refuse(
        "resume-overspent",
        "resume",
        909,
        "more is used than was granted",
        resume(&|item| item.items()[3] = array([array([uint(20), uint(9)])])),
    );
    family.refuse(
        "resume-entry-twice",
        "resume",
        909,
        "an entry is there twice",
        resume(&|item| {
            let again = item.items()[7].items()[0].clone();
            item.items()[7].items().push(again);
        }),
    );
    family.refuse(
        "resume-of-another-kind",
        "resume",
        121,
        "the label of another state",
        resume(&|item| item.items()[0] = text("agent-envelope/1/state/inbox")),
    );
}
