//! What the strict decoders accept, a lenient one reads the same way, in the one form that it could have; and of what has this
//! form and fits the CDDL, none is refused for its encoding.

use std::sync::OnceLock;

use super::lenient::{self, canonical};
use crate::support::NOW;
use agent_envelope::budget::negotiation::Message;
use agent_envelope::budget::{Evidence, entries, splits};
use agent_envelope::{
    AgentId, BodyClaim, DelegationChain, Envelope, Error, KeyPackage, Limits, OriginFork, Timestamp,
};
use cddl_cat::{cbor::validate_cbor, context::BasicContext, flatten::flatten_from_str};
use ciborium::Value;

type Read = fn(&[u8]) -> Result<(), Error>;

/// Rules of the CDDL, each with what reads it.
const RULES: [(&str, Read); 8] = [
    ("envelope", |bytes| Envelope::decode(bytes, &Limits::default()).map(|_| ())),
    ("chain", |bytes| DelegationChain::verify(bytes, &Limits::default()).map(|_| ())),
    ("key-package-statement", |bytes| {
        KeyPackage::verify(bytes, NOW, &Limits::default()).map(|_| ())
    }),
    ("negotiation", |bytes| Message::from_bytes(bytes).map(|_| ())),
    ("evidence", |bytes| Evidence::verify(bytes).map(|_| ())),
    ("origin-fork", |bytes| OriginFork::verify(bytes, &Limits::default()).map(|_| ())),
    ("lineage", |bytes| splits(bytes).map(|_| ())),
    ("ledger-history", |bytes| entries(bytes).map(|_| ())),
];

pub(crate) fn run(data: &[u8]) {
    let Some((form, data)) = data.split_first() else { return };
    let (rule, read) = RULES[usize::from(*form) % RULES.len()];
    let value = lenient::read(data);
    match read(data) {
        Ok(()) => {
            let value = value.expect("another decoder reads it too");
            assert!(is_deterministic(rule, &value, data), "{rule} in another form");
            // The last half of the selectors also asks the CDDL, which takes long.
            assert!(*form < 128 || fits(rule, &value), "{rule} that the CDDL refuses");
            if rule == "envelope" {
                compare(data, &value);
            }
        }
        Err(error) => {
            super::refused(&error, data);
            let encoding = (101..=109).contains(&error.code())
                || matches!(error, Error::DuplicateKey { .. } | Error::UnsortedKey { .. });
            if encoding
                && let Some(value) = value
                && is_deterministic(rule, &value, data)
            {
                assert!(!fits(rule, &value), "{error}: refused, though nothing is wrong with it");
            }
        }
    }
}

fn fits(rule: &str, value: &Value) -> bool {
    static CDDL: OnceLock<BasicContext> = OnceLock::new();
    let cddl = CDDL.get_or_init(|| {
        BasicContext::new(
            flatten_from_str(include_str!("../../agent-envelope.cddl")).expect("CDDL"),
        )
    });
    validate_cbor(&cddl.rules[rule], value, cddl).is_ok()
}

/// Tells whether an item, and each that it carries in a byte string, is written in the one form that it has.
fn is_deterministic(rule: &str, value: &Value, encoded: &[u8]) -> bool {
    let mut carried = Vec::new();
    carried_by(rule, value, &mut carried);
    canonical(value).as_deref() == Some(encoded)
        && carried.into_iter().all(|(rule, bytes)| {
            lenient::read(bytes).is_some_and(|value| is_deterministic(rule, &value, bytes))
        })
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn get(map: &Value, key: i64) -> Option<&Value> {
    let key = Value::from(key);
    map.as_map()?.iter().find(|(at, _)| *at == key).map(|(_, value)| value)
}

/// Collects the CBOR that stands in byte strings of an item, with its rule.
fn carried_by<'v>(rule: &str, value: &'v Value, into: &mut Vec<(&'static str, &'v [u8])>) {
    let parts = items(value);
    let mut carry = |rule, part: Option<&'v Value>| {
        if let Some(bytes) = part.and_then(Value::as_bytes) {
            into.push((rule, bytes.as_slice()));
        }
    };
    match (rule, parts) {
        ("envelope", [_, header, elements, hops]) => {
            carry("", Some(header));
            for element in items(elements) {
                let parts = items(element);
                carry("", parts.first());
                let record = parts.first().and_then(Value::as_bytes);
                let record = record.and_then(|record| lenient::read(record));
                carry(record.as_ref().map_or("", body_rule), parts.get(1));
            }
            items(hops).iter().for_each(|hop| carried_by("statement", hop, into));
        }
        ("statement", [protected, _, payload, _]) => {
            carry("", Some(protected));
            carry("", Some(payload));
        }
        ("key-package-statement", _) => carried_by("statement", value, into),
        ("chain" | "ledger-history", links) => {
            links.iter().for_each(|link| carried_by("statement", link, into));
        }
        ("lineage", [chain, grants]) => {
            carried_by("chain", chain, into);
            items(grants).iter().for_each(|grant| carried_by("statement", grant, into));
        }
        ("evidence", [_, grant, entries, report]) => {
            let all = [grant].into_iter().chain(items(entries)).chain([report]);
            all.for_each(|one| carried_by("statement", one, into));
        }
        ("origin-fork", [_, header, one, other]) => {
            carry("", Some(header));
            [one, other].iter().for_each(|hop| carried_by("statement", hop, into));
        }
        ("audience", [_, encrypted]) => {
            let parts = items(encrypted);
            carry("", parts.first());
            let recipients = parts.get(3).map_or(&[][..], items);
            recipients.iter().for_each(|one| carry("", items(one).first()));
        }
        ("sealed-body", [protected, ..]) => carry("", Some(protected)),
        _ => {}
    }
}

/// The rule of a body, by its record.
fn body_rule(record: &Value) -> &'static str {
    let kind = get(record, 1).and_then(Value::as_integer).and_then(|kind| u64::try_from(kind).ok());
    match kind {
        Some(64) => "chain",
        Some(65) => "audience",
        Some(66) => "key-package-statement",
        Some(67) => "lineage",
        Some(68) => "ledger-history",
        _ if get(record, 3).is_some() => "sealed-body",
        _ => "",
    }
}

/// Compares what the crate says of an envelope with what another decoder reads.
fn compare(data: &[u8], value: &Value) {
    let envelope = Envelope::decode(data, &Limits::default()).expect("decoded before");
    let [version, header, elements, hops] = items(value) else { panic!("four items") };
    assert_eq!(version.as_text(), Some("agent-envelope/1"));
    let inner = |bytes: &Value| lenient::read(bytes.as_bytes().expect("bytes")).expect("CBOR");
    let (said, header) = (envelope.header(), inner(header));
    let agents = |value: Option<&Value>| -> Vec<AgentId> {
        let agent = |one: &Value| {
            let bytes = one.as_bytes().expect("bytes").as_slice().try_into();
            AgentId::from_bytes(bytes.expect("32 bytes")).expect("an agent")
        };
        value.map_or(&[][..], items).iter().map(agent).collect()
    };
    let number = |value: Option<&Value>| -> Option<u64> {
        value?.as_integer().and_then(|one| u64::try_from(one).ok())
    };
    let bytes = |value: Option<&Value>| value.and_then(Value::as_bytes).cloned();
    assert_eq!(bytes(get(&header, 1)).as_deref(), Some(&said.id().as_bytes()[..]));
    assert_eq!(bytes(get(&header, 2)).as_deref(), Some(&said.context().as_bytes()[..]));
    assert_eq!(bytes(get(&header, 3)).as_deref(), Some(&said.from().as_bytes()[..]));
    assert_eq!(agents(get(&header, 4)), said.to().iter().collect::<Vec<_>>());
    assert_eq!(number(get(&header, 5)), Some(said.created().as_unix_seconds()));
    assert_eq!(number(get(&header, 6)), Some(said.expires().as_unix_seconds()));
    let base = get(&header, 7).map(items).map(|base| (number(base.first()), bytes(base.get(1))));
    let told = said.base().map(|base| (Some(base.count()), Some(base.head().to_vec())));
    assert_eq!(base, told);
    let reply = get(&header, 8).map(items).map(|one| (bytes(one.first()), bytes(one.get(1))));
    let told = said.in_reply_to().map(|reply| {
        (Some(reply.origin().as_bytes().to_vec()), reply.tip().map(|tip| tip.as_bytes().to_vec()))
    });
    assert_eq!(reply, told);
    let terms = get(&header, 9);
    assert_eq!(
        terms.map(|terms| (number(get(terms, 2)), number(get(terms, 3)), number(get(terms, 4)))),
        said.terms().map(|terms| {
            let wall = terms.wall().map(|wall| u64::try_from(wall.as_millis()).expect("53 bits"));
            (Some(terms.deadline().as_unix_seconds()), Some(terms.depth()), wall)
        })
    );
    if let (Some(terms), Some(said)) = (terms, said.terms()) {
        let amounts = items(get(terms, 1).expect("terms have amounts")).iter().map(items);
        let amounts = amounts.map(|one| {
            (number(one.first()), number(one.get(1)), one.get(2).and_then(Value::as_text))
        });
        let told = said
            .amounts()
            .iter()
            .map(|one| (Some(one.dimension().id()), Some(one.value()), one.unit()));
        assert!(amounts.eq(told));
    }
    let labels = get(&header, 10).and_then(Value::as_map).map_or(&[][..], Vec::as_slice);
    let labels = labels.iter().map(|(key, value)| (key.as_text(), value.as_text()));
    assert!(labels.eq(said.labels().iter().map(|(key, value)| (Some(key), Some(value)))));
    assert_eq!(agents(get(&header, 11)), said.via().iter().collect::<Vec<_>>());

    let outline = envelope.outline();
    assert_eq!(outline.elements().len(), items(elements).len());
    for (said, element) in outline.elements().zip(items(elements)) {
        let [record, body] = items(element) else { panic!("two items") };
        let record = inner(record);
        let kind = number(get(&record, 1)).expect("a kind");
        let content = !(64..96).contains(&kind);
        assert_eq!(said.kind().map(|kind| kind.number()), content.then_some(kind));
        assert_eq!(said.is_elidable(), get(&record, 5).is_some());
        assert_eq!(said.refs(), get(&record, 4).map_or(0, |refs| items(refs).len()));
        match said.body() {
            BodyClaim::Absent => assert!(body.is_null()),
            BodyClaim::Clear(plain) => {
                let body = inner(body);
                let parts = items(&body);
                assert_eq!(parts.get(1).and_then(Value::as_text), Some(plain.content_type()));
                assert_eq!(bytes(parts.get(2)).as_deref(), Some(plain.content()));
            }
            BodyClaim::Sealed { audience, plain_size } => {
                let to = get(&record, 3).map(items).and_then(|to| number(to.first()));
                assert_eq!(to, u64::try_from(audience).ok());
                let sealed = bytes(items(&inner(body)).get(2)).expect("ciphertext");
                assert_eq!(sealed.len(), plain_size + 16);
            }
            BodyClaim::Authority(chain) => {
                assert_eq!(chain.links().len(), items(&inner(body)).len());
            }
            BodyClaim::Audience { id, readers } => {
                let body = inner(body);
                assert_eq!(bytes(items(&body).first()).as_deref(), Some(&id.as_bytes()[..]));
                let recipients = items(&items(&body)[1]).get(3).map_or(0, |all| items(all).len());
                assert_eq!(recipients, readers);
            }
            BodyClaim::KeyPackage { agent, not_before, expires, .. } => {
                let claims = inner(&items(&inner(body))[2]);
                assert_eq!(bytes(get(&claims, 1)).as_deref(), Some(&agent.as_bytes()[..]));
                let times = [4, 5].map(|key| number(get(&claims, key)));
                assert_eq!(times, [not_before, expires].map(|at| Some(at.as_unix_seconds())));
            }
            BodyClaim::Allotment { entries, .. } => {
                assert_eq!(items(&items(&inner(body))[1]).len(), entries);
            }
            BodyClaim::Report { entries } => assert_eq!(items(&inner(body)).len(), entries),
            other => panic!("{other:?} is new"),
        }
    }
    assert_eq!(outline.hops().len(), items(hops).len());
    for (index, (said, hop)) in outline.hops().zip(items(hops)).enumerate() {
        let hop = inner(&items(hop)[2]);
        let signer = if index == 0 { get(&header, 3) } else { get(&hop, 1) };
        assert_eq!(bytes(signer).as_deref(), Some(&said.signer().as_bytes()[..]));
        assert_eq!(agents(get(&hop, 2)), said.next().iter().collect::<Vec<_>>());
        let at = if index == 0 { get(&header, 5) } else { get(&hop, 3) };
        assert_eq!(number(at).map(Timestamp::from_unix_seconds), Some(said.at()));
        assert_eq!(number(get(&hop, 4)), u64::try_from(said.count()).ok());
    }
}
