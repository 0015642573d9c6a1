//! What the generator of the vectors works with: a cast with fixed keys, steps, and families of cases.

use std::collections::BTreeSet;

use agent_envelope::{
    DelegationChain, Entropy, Grant, KeyPackage, Limits, Narrow, Revocations, Scope, Subjects,
    Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::run::{hex, outcomes, scope, scope_json, terms};
use crate::adversary::cbor::{Item, bytes};
use crate::adversary::forge::{Element, Forgery};
use crate::adversary::{Agent, HOUR, ISSUER, NOW, SECONDS};

/// Entropy for one call: the same in every run, and another for every label.
pub(crate) fn seed(label: &str) -> [u8; 32] {
    Sha256::digest(format!("agent-envelope vectors: {label}")).into()
}

pub(crate) fn entropy(label: &str) -> Entropy {
    Entropy::new(seed(label)).expect("a hash is not zero")
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(SECONDS + seconds)
}

/// Five agents and the login that vouches for them.
pub(crate) struct Cast {
    pub(crate) login: Agent,
    pub(crate) user: Agent,
    pub(crate) planner: Agent,
    pub(crate) worker: Agent,
    pub(crate) auditor: Agent,
    pub(crate) stranger: Agent,
}

pub(crate) const WHOLE: &str = r#"[[["mail.read", "mail.send"], ["mail"]], [["summarise"], []]]"#;
pub(crate) const AUDIENCE: &str = "summaries.example";

pub(crate) fn whole() -> Scope {
    scope(&serde_json::from_str(WHOLE).expect("JSON")).expect("a scope")
}

pub(crate) fn few(action: &str, segments: &[&str]) -> Scope {
    scope(&json!([[[action], segments]])).expect("a scope")
}

/// What the anchor may grant at most.
pub(crate) fn ceiling() -> Value {
    purse_of(100, 8)
}

/// Calls, agents and money in proportion, for half an hour.
pub(crate) fn purse_of(calls: u64, depth: u64) -> Value {
    json!({
        "amounts": [[20, calls], [24, 1000 * calls, "USD:6"], [28, calls]],
        "deadline": SECONDS + 1800,
        "depth": depth,
        "wall": 30_000,
    })
}

impl Cast {
    pub(crate) fn new() -> Self {
        let [login, user, planner, worker, auditor, stranger] =
            ["login", "user", "planner", "worker", "auditor", "stranger"].map(Agent::new);
        Self { login, user, planner, worker, auditor, stranger }
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        TrustAnchor::new(self.login.id(), ISSUER, Subjects::Any, whole())
            .expect("an issuer with a name")
            .depth(4)
            .budget(terms(&ceiling()).expect("terms"))
    }

    /// That anchor as configuration.
    pub(crate) fn anchor_json(&self) -> Value {
        json!({
            "key": hex(self.login.id().as_bytes()),
            "issuer": ISSUER,
            "scope": scope_json(&whole()),
            "depth": 4,
            "max_lifetime": 86_400,
            "budget": ceiling(),
        })
    }

    /// A verifier that trusts the login.
    pub(crate) fn verifier(&self, agent: &Agent) -> Value {
        json!({
            "agent": hex(agent.id().as_bytes()),
            "audience": AUDIENCE,
            "anchors": [self.anchor_json()],
        })
    }

    /// The same as a verifier of the crate.
    pub(crate) fn made(&self, agent: &Agent) -> Verifier {
        let anchors = TrustAnchors::new([self.anchor()]).expect("one anchor");
        Verifier::new(agent.id(), Some(AUDIENCE), anchors, Revocations::none(), Limits::default())
            .expect("limits that admit something")
    }

    pub(crate) fn grant(&self, holder: &Agent, grant: Grant, label: &str) -> DelegationChain {
        let anchor = self.anchor();
        DelegationChain::issue(self.login.key(), &anchor, holder.id(), grant, NOW, entropy(label))
            .expect("within the anchor")
    }

    /// The usual authority of an agent: all that the login has, in its own name, with two more links.
    pub(crate) fn authority(&self, holder: &Agent) -> DelegationChain {
        let label = format!("authority of {}", holder.name);
        self.grant(holder, Grant::new(holder.name, whole()).depth(2), &label)
    }

    pub(crate) fn package(&self, agent: &Agent) -> KeyPackage {
        agent.identity.key_package(NOW, HOUR).expect("an hour is a lifetime")
    }

    pub(crate) fn named(&self) -> [(&'static str, &Agent); 6] {
        let all =
            [&self.login, &self.user, &self.planner, &self.worker, &self.auditor, &self.stranger];
        all.map(|agent| (agent.name, agent))
    }
}

pub(crate) fn extend(
    chain: &DelegationChain,
    from: &Agent,
    to: &Agent,
    narrow: Narrow,
    label: &str,
) -> DelegationChain {
    chain.extend(from.key(), to.id(), narrow, NOW, entropy(label)).expect("a narrower link")
}

pub(crate) fn identity_json(agent: &Agent) -> Value {
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(agent.sealing));
    json!({
        "agent": hex(agent.id().as_bytes()),
        "signing": hex(agent.seed),
        "sealing": [hex(agent.sealing)],
        "public": [hex(public.as_bytes())],
    })
}

/// Changes an envelope and lets all its signers sign again what their hops say, each over the elements as they are now.
pub(crate) fn resigned(
    forged: &Forgery,
    signers: &[&Agent],
    edit: impl FnOnce(&mut Forgery),
) -> Vec<u8> {
    let mut forged = forged.clone();
    edit(&mut forged);
    cover_again(&mut forged, signers);
    forged.encode()
}

pub(crate) fn cover_again(forged: &mut Forgery, signers: &[&Agent]) {
    for (hop, signer) in signers.iter().enumerate() {
        let count = match forged.hop(hop).get(4) {
            Some(Item::Uint(count)) => usize::try_from(*count).expect("a count"),
            other => panic!("{other:?} is no count"),
        };
        // A count beyond the elements cannot be covered; it is refused for its count alone.
        let head = forged.head(count.min(forged.elements.len()));
        forged.edit_hop(hop, |hop| hop.set(5, bytes(head)));
        forged.sign_hop(hop, signer);
    }
}

/// Changes the body of a control element, with its commitment.
pub(crate) fn edit_control(
    forged: &mut Forgery,
    element: usize,
    author: &Agent,
    edit: impl FnOnce(&mut Item),
) {
    let mut body = Item::read(forged.elements[element].body.as_deref().expect("control data"));
    edit(&mut body);
    let kind = match forged.elements[element].record.get(1) {
        Some(Item::Uint(kind)) => *kind,
        other => panic!("{other:?} is no kind"),
    };
    forged.elements[element] = Element::control(author, kind, body.encode());
}

/// A family of cases in the making.
pub(crate) struct Family {
    name: &'static str,
    about: &'static str,
    local: bool,
    verifiers: Map<String, Value>,
    identities: Map<String, Value>,
    cases: Vec<(Value, Option<u16>)>,
}

impl Family {
    pub(crate) fn new(name: &'static str, about: &'static str) -> Self {
        let (verifiers, identities) = (Map::new(), Map::new());
        Self { name, about, local: false, verifiers, identities, cases: Vec::new() }
    }

    pub(crate) fn local(name: &'static str, about: &'static str) -> Self {
        Self { local: true, ..Self::new(name, about) }
    }

    pub(crate) fn verifier(&mut self, name: &str, config: Value) {
        assert!(
            self.verifiers.insert(name.to_owned(), config).is_none(),
            "{name} is there already"
        );
    }

    /// A verifier that differs from another one in some members; null takes one out.
    pub(crate) fn verifier_like(&mut self, name: &str, other: &str, changes: Value) {
        let mut config = self.verifiers[other].clone();
        for (key, value) in changes.as_object().expect("members") {
            if value.is_null() {
                config.as_object_mut().expect("members").remove(key);
            } else {
                config[key] = value.clone();
            }
        }
        self.verifier(name, config);
    }

    pub(crate) fn identity(&mut self, name: &str, identity: Value) {
        assert!(
            self.identities.insert(name.to_owned(), identity).is_none(),
            "{name} is there already"
        );
    }

    /// The identities of the whole cast.
    pub(crate) fn everybody(&mut self, cast: &Cast) {
        for (name, agent) in cast.named() {
            self.identity(name, identity_json(agent));
        }
    }

    /// A verifier for each of the cast, under its name.
    pub(crate) fn verifiers_of(&mut self, cast: &Cast) {
        for (name, agent) in cast.named() {
            self.verifier(name, cast.verifier(agent));
        }
    }

    /// A case that is accepted and stands alone.
    pub(crate) fn accept(
        &mut self,
        name: &str,
        comment: &str,
        steps: impl IntoIterator<Item = Value>,
    ) {
        self.push(name, comment, None, None, steps);
    }

    /// A case that is accepted and one change away from another.
    pub(crate) fn variant(
        &mut self,
        name: &str,
        base: &str,
        comment: &str,
        steps: impl IntoIterator<Item = Value>,
    ) {
        self.push(name, comment, Some(base), None, steps);
    }

    /// A case whose last step is refused by the rule with this number.
    pub(crate) fn refuse(
        &mut self,
        name: &str,
        base: &str,
        code: u16,
        comment: &str,
        steps: impl IntoIterator<Item = Value>,
    ) {
        self.push(name, comment, Some(base), Some(code), steps);
    }

    fn push(
        &mut self,
        name: &str,
        comment: &str,
        base: Option<&str>,
        code: Option<u16>,
        steps: impl IntoIterator<Item = Value>,
    ) {
        let steps: Vec<Value> = steps.into_iter().collect();
        let case = json!({
            "name": name,
            "comment": comment,
            "rule": code.map(|code| format!("V-{code}")),
            "base": base,
            "steps": steps,
        });
        self.cases.push((case, code));
    }

    /// The whole file, with what each step comes to. A rule that is not the one that the case was made for is an error here.
    pub(crate) fn finish(self) -> Value {
        let mut file = json!({
            "format": "agent-envelope-vectors/1",
            "family": self.name,
            "about": self.about,
        });
        if self.local {
            file["local"] = json!(true);
        }
        if !self.verifiers.is_empty() {
            file["verifiers"] = Value::Object(self.verifiers);
        }
        if !self.identities.is_empty() {
            file["identities"] = Value::Object(self.identities);
        }
        let (mut cases, mut wrong, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        // What is accepted comes first, so that a base is read before what departs from it.
        let (accepted, refused): (Vec<_>, Vec<_>) =
            self.cases.into_iter().partition(|(_, code)| code.is_none());
        for (mut case, code) in accepted.into_iter().chain(refused) {
            let name = case["name"].as_str().expect("a name").to_owned();
            assert!(names.insert(name.clone()), "two cases of {} are called {name}", self.name);
            let mut found = outcomes(&file, &case);
            let last = found.len() - 1;
            for (index, outcome) in found.iter_mut().enumerate() {
                let refused = outcome["error"]["code"].as_u64();
                let expected = code.filter(|_| index == last).map(u64::from);
                if refused != expected {
                    wrong.push(format!(
                        "{name}, step {index}: expected {expected:?}, got {outcome}"
                    ));
                }
                shorten(&case["steps"][index], outcome, code.is_some());
                case["steps"][index]["expect"] = outcome.clone();
            }
            cases.push(case);
        }
        assert!(wrong.is_empty(), "{}:\n{}", self.name, wrong.join("\n"));
        file["cases"] = Value::Array(cases);
        file
    }
}

/// Leaves out of the results what other cases tell already.
fn shorten(step: &Value, outcome: &mut Value, refused: bool) {
    let Some(result) = outcome.get_mut("ok").and_then(Value::as_object_mut) else { return };
    match step["do"].as_str() {
        Some("receive") => {
            result.remove("verified");
            if refused {
                result.retain(|key, _| key == "admission");
            }
        }
        Some("verify" | "decode") if refused => result.clear(),
        _ => {}
    }
}

// ---- steps --------------------------------------------------------------------------------------

pub(crate) fn decode(bytes: &[u8]) -> Value {
    json!({ "do": "decode", "bytes": hex(bytes) })
}

pub(crate) fn decode_within(bytes: &[u8], limits: Value) -> Value {
    json!({ "do": "decode", "bytes": hex(bytes), "limits": limits })
}

pub(crate) fn verify(role: &str, bytes: &[u8], verifier: &str, now: u64) -> Value {
    json!({ "do": "verify", "role": role, "bytes": hex(bytes), "verifier": verifier, "now": now })
}

pub(crate) fn inbox(name: &str, verifier: &str) -> Value {
    json!({ "do": "inbox", "as": name, "verifier": verifier })
}

pub(crate) fn receive(inbox: &str, bytes: &[u8], now: u64, name: &str) -> Value {
    json!({ "do": "receive", "inbox": inbox, "bytes": hex(bytes), "now": now, "as": name })
}

pub(crate) fn open(received: &str, identity: &str, element: usize) -> Value {
    json!({ "do": "open", "received": received, "identity": identity, "element": element })
}

pub(crate) fn with(mut step: Value, key: &str, value: Value) -> Value {
    step[key] = value;
    step
}
