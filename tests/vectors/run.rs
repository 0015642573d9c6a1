//! Replays one case through the public interface of the crate, from nothing but its JSON.

mod local;

use std::collections::BTreeMap;
use std::time::Duration;

use agent_envelope::budget::negotiation::{Message, Settled, Transcript};
use agent_envelope::budget::{
    Amounts, Basis, Breach, Dimension, Evidence, Funded, Hold, Ledger, Outcome, Quota, Rate, Split,
    Tariff, Terms, Unfunded, share,
};
use agent_envelope::{
    Admission, Admitted, AgentId, Authority, Budget, ChainStatus, Conversations, DelegationChain,
    Digest, Draft, Entropy, Envelope, Error, Grant, Identity, Inbox, Item, KeyPackage, Kind,
    Limits, LinkId, Narrow, NewElement, Observer, OriginFork, Permission, Place, Plaintext,
    Principal, Reader, Relay, ReplayCapacity, ReplayWindow, Reply, Resource, Revocations, Role,
    Scope, Seen, Sent, SigningKey, Standing, Subjects, Timestamp, TokenId, TrustAnchor,
    TrustAnchors, Verified, Verifier,
};
use serde_json::{Value, json};

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

/// An integer as vectors write it: beyond what every JSON reader keeps, in decimal digits.
pub(crate) fn integer(value: u64) -> Value {
    if value < 1 << 53 { json!(value) } else { json!(value.to_string()) }
}

fn read_integer(value: &Value) -> u64 {
    match value {
        Value::String(digits) => digits.parse().expect("decimal digits"),
        value => value.as_u64().expect("an unsigned integer"),
    }
}

fn size(value: &Value) -> usize {
    usize::try_from(read_integer(value)).expect("a size")
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(read_integer(value))
}

fn time(value: &Value) -> Timestamp {
    Timestamp::from_unix_seconds(read_integer(value))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(text(value))
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("bytes of this length")
}

fn agent(value: &Value) -> AgentId {
    AgentId::from_bytes(fixed(value)).expect("an agent id")
}

fn agents(value: &Value) -> Vec<AgentId> {
    list(value).iter().map(agent).collect()
}

fn is_set(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

pub(crate) fn amounts(value: &Value) -> Result<Amounts, Error> {
    list(value).iter().try_fold(Amounts::new(), |amounts, one| {
        let dimension = Dimension::from_id(read_integer(&one[0]))?;
        match one.get(2) {
            Some(unit) => amounts.with_unit(dimension, read_integer(&one[1]), text(unit)),
            None => amounts.with(dimension, read_integer(&one[1])),
        }
    })
}

pub(crate) fn amounts_json(amounts: &Amounts) -> Value {
    let one = |amount: agent_envelope::budget::Amount<'_>| {
        let mut parts = vec![integer(amount.dimension().id()), integer(amount.value())];
        parts.extend(amount.unit().map(|unit| json!(unit)));
        Value::Array(parts)
    };
    amounts.iter().map(one).collect()
}

pub(crate) fn terms(value: &Value) -> Result<Terms, Error> {
    let depth = u32::try_from(read_integer(&value["depth"])).expect("a depth");
    let terms = Terms::new(amounts(&value["amounts"])?, time(&value["deadline"]), depth);
    match value.get("wall") {
        Some(wall) => terms.with_wall(Duration::from_millis(read_integer(wall))),
        None => Ok(terms),
    }
}

pub(crate) fn terms_json(terms: &Terms) -> Value {
    let mut json = json!({
        "amounts": amounts_json(terms.amounts()),
        "deadline": integer(terms.deadline().as_unix_seconds()),
        "depth": integer(terms.depth()),
    });
    if let Some(wall) = terms.wall() {
        json["wall"] = json!(u64::try_from(wall.as_millis()).expect("milliseconds"));
    }
    json
}

fn resource(value: &Value) -> Result<Resource, Error> {
    text(value).parse()
}

pub(crate) fn scope(value: &Value) -> Result<Scope, Error> {
    let permission = |one: &Value| {
        let path: Vec<_> = list(&one[1]).iter().map(text).collect();
        Permission::new(list(&one[0]).iter().map(text), &path.join("/").parse()?)
    };
    Scope::new(list(value).iter().map(permission).collect::<Result<Vec<_>, _>>()?)
}

pub(crate) fn scope_json(scope: &Scope) -> Value {
    let one = |permission: Permission| {
        let resource = permission.resource();
        json!([permission.actions().collect::<Vec<_>>(), resource.segments().collect::<Vec<_>>()])
    };
    scope.permissions().map(one).collect()
}

fn limits(value: Option<&Value>) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in value.and_then(Value::as_object).into_iter().flatten() {
        match key.as_str() {
            "bytes" => limits.bytes = size(value),
            "elements" => limits.elements = size(value),
            "hops" => limits.hops = size(value),
            "agents" => limits.agents = size(value),
            "audiences" => limits.audiences = size(value),
            "readers" => limits.readers = size(value),
            "readers_in_all" => limits.readers_in_all = size(value),
            "chains" => limits.chains = size(value),
            "links" => limits.links = size(value),
            "allotments" => limits.allotments = size(value),
            "refs" => limits.refs = size(value),
            "labels" => limits.labels = size(value),
            "signatures" => limits.signatures = size(value),
            "lifetime" => limits.lifetime = seconds(value),
            "key_package_lifetime" => limits.key_package_lifetime = seconds(value),
            other => panic!("{other} is no limit"),
        }
    }
    limits
}

fn anchor(value: &Value) -> Result<TrustAnchor, Error> {
    let subjects = match value.get("subjects") {
        Some(subjects) => Subjects::only(list(subjects).iter().map(text)),
        None => Subjects::Any,
    };
    let scope = scope(&value["scope"])?;
    let mut anchor =
        TrustAnchor::new(agent(&value["key"]), text(&value["issuer"]), subjects, scope)?
            .depth(read_integer(&value["depth"]))
            .max_lifetime(seconds(&value["max_lifetime"]));
    if let Some(budget) = value.get("budget") {
        anchor = anchor.budget(terms(budget)?);
    }
    Ok(anchor)
}

fn revocations(value: Option<&Value>) -> Revocations {
    let Some(value) = value else { return Revocations::none() };
    let all = |key: &str| value.get(key).map(list).unwrap_or_default();
    let mut found = Revocations::as_of(time(&value["as_of"]), seconds(&value["max_age"]));
    for id in all("links") {
        found = found.link(LinkId::from_bytes(fixed(id)));
    }
    for id in all("tokens") {
        found = found.token(TokenId::from_bytes(fixed(id)));
    }
    for key in all("keys") {
        found = found.key(agent(key));
    }
    found
}

fn verifier(value: &Value) -> Result<Verifier, Error> {
    let anchors = list(&value["anchors"]).iter().map(anchor).collect::<Result<Vec<_>, _>>()?;
    let mut verifier = Verifier::new(
        agent(&value["agent"]),
        value.get("audience").map(text),
        TrustAnchors::new(anchors)?,
        revocations(value.get("revocations")),
        limits(value.get("limits")),
    )?;
    if let Some(skew) = value.get("skew") {
        verifier = verifier.clock_skew(seconds(skew))?;
    }
    if is_set(&value["require_sealed"]) {
        verifier = verifier.require_sealed_content();
    }
    if is_set(&value["require_funding"]) {
        verifier = verifier.require_funding();
    }
    if is_set(&value["admit_untrusted_origins"]) {
        verifier = verifier.dangerously_admit_untrusted_origins();
    }
    Ok(verifier)
}

fn identity(value: &Value) -> Identity {
    let sealing: Vec<[u8; 32]> = list(&value["sealing"]).iter().map(fixed).collect();
    let identity = Identity::from_seeds(&fixed(&value["signing"]), &sealing[0]);
    let identity = sealing[1..].iter().fold(identity, Identity::with_older_sealing_key);
    assert_eq!(identity.id(), agent(&value["agent"]), "the public key is that of the seed");
    identity
}

fn entropy(value: &Value) -> Result<Entropy, Error> {
    Entropy::new(fixed(value))
}

/// Where a fault lies, in the words of the vectors.
fn place(place: Place) -> String {
    match place {
        Place::Offset(offset) => format!("offset {offset}"),
        Place::Envelope => "envelope".to_owned(),
        Place::Header => "header".to_owned(),
        Place::Hop(hop) => format!("hop {hop}"),
        Place::Element(element) => format!("element {element}"),
        Place::Link { element: Some(element), link } => format!("link {link} of element {element}"),
        Place::Link { element: None, link } => format!("link {link}"),
        Place::Entry(entry) => format!("entry {entry}"),
        Place::Call => "call".to_owned(),
        other => panic!("{other:?} has no words here"),
    }
}

fn status(status: ChainStatus) -> &'static str {
    match status {
        ChainStatus::Trusted => "counts",
        ChainStatus::UnknownRoot { .. } => "unknown-root",
        ChainStatus::BeyondAnchor { .. } => "beyond-anchor",
        ChainStatus::Revoked { .. } => "revoked",
        ChainStatus::NotYetValid { .. } => "not-yet-valid",
        ChainStatus::Expired { .. } => "expired",
        ChainStatus::NotForMe => "not-for-me",
        ChainStatus::OtherConversation => "other-conversation",
        other => panic!("{other} has no words here"),
    }
}

fn unfunded(reason: Unfunded) -> &'static str {
    match reason {
        Unfunded::UnknownPayer { .. } => "unknown-payer",
        Unfunded::BeyondCeiling { .. } => "beyond-ceiling",
        Unfunded::TooLate { .. } => "too-late",
        Unfunded::Revoked { .. } => "revoked",
        other => panic!("{other} has no words here"),
    }
}

fn breach(breach: Breach) -> &'static str {
    match breach {
        Breach::Fork => "E1",
        Breach::OverSplit => "E2",
        Breach::OverUse => "E3",
        Breach::Fell => "E4",
        Breach::FalseCredit => "E5",
        Breach::Widened(_) => "E6",
        Breach::AfterLast => "E7",
        Breach::Order => "order",
        other => panic!("{other} has no words here"),
    }
}

fn authority_json(authority: &Authority<'_>) -> Value {
    let window =
        authority.window().map(|(begin, end)| [begin, end].map(Timestamp::as_unix_seconds));
    json!({
        "holder": hex(authority.agent().as_bytes()),
        "issuer": authority.issuer(),
        "subject": authority.subject(),
        "anchor": hex(authority.anchor().as_bytes()),
        "scope": scope_json(&authority.scope()),
        "depth": integer(authority.depth()),
        "window": window,
        "audience": authority.audience(),
        "conversation": authority.conversation().map(|id| hex(id.as_bytes())),
        "budget": authority.ceiling().map(terms_json),
    })
}

fn plain_json(plain: &Plaintext<'_>) -> Value {
    json!({ "type": plain.content_type(), "content": hex(plain.content()) })
}

fn verified_json<R: Role>(verified: &Verified<'_, R>) -> Value {
    let hops = verified.hops().map(|hop| {
        json!({
            "id": hex(hop.id().as_bytes()),
            "signer": hex(hop.signer().as_bytes()),
            "at": hop.at().as_unix_seconds(),
            "next": hop.next().iter().map(|agent| hex(agent.as_bytes())).collect::<Vec<_>>(),
            "count": hop.count(),
        })
    });
    let elements = verified.elements().map(|seen| {
        let (provenance, state, plain) = match seen {
            Seen::Clear(provenance, plain) => (provenance, "clear", Some(plain)),
            Seen::Sealed(provenance, _) => (provenance, "sealed", None),
            Seen::Absent(provenance) => (provenance, "absent", None),
        };
        let mut json = json!({
            "index": provenance.index(),
            "id": hex(provenance.id().as_bytes()),
            "author": hex(provenance.author().as_bytes()),
            "hop": provenance.hop(),
            "kind": provenance.kind().number(),
            "state": state,
        });
        if let Some(plain) = plain {
            json["type"] = json!(plain.content_type());
            json["content"] = json!(hex(plain.content()));
        }
        json
    });
    let chains = verified.chains().map(
        |(author, worth)| json!({ "author": hex(author.as_bytes()), "status": status(worth) }),
    );
    let header = verified.header();
    json!({
        "envelope": hex(verified.digest().as_bytes()),
        "origin": hex(verified.origin().as_bytes()),
        "tip": hex(verified.tip().as_bytes()),
        "from": hex(header.from().as_bytes()),
        "conversation": hex(verified.conversation().as_bytes()),
        "labels": header.labels().iter().map(|(key, value)| [key, value]).collect::<Vec<_>>(),
        "terms": header.terms().map(terms_json),
        "hops": hops.collect::<Vec<_>>(),
        "elements": elements.collect::<Vec<_>>(),
        "chains": chains.collect::<Vec<_>>(),
        "authorities": verified.authorities().map(authority_json).collect::<Vec<_>>(),
        "key_package": verified.key_package().map(|package| hex(package.as_bytes())),
    })
}

fn funded_json(funded: &Funded) -> Value {
    json!({
        "id": hex(funded.id().as_bytes()),
        "payer": hex(funded.payer().as_bytes()),
        "grantor": hex(funded.grantor().as_bytes()),
        "audit": funded.audit().map(|agent| hex(agent.as_bytes())),
        "terms": terms_json(funded.terms()),
    })
}

fn ledger_json(ledger: &Ledger) -> Value {
    json!({
        "own": amounts_json(ledger.own()),
        "out": amounts_json(ledger.granted()),
        "back": amounts_json(ledger.credited()),
        "returned": amounts_json(ledger.returned()),
        "held": amounts_json(ledger.held()),
        "free": amounts_json(&ledger.free()),
        "closed": ledger.is_closed(),
    })
}

fn tariff(value: &Value) -> Result<Tariff, Error> {
    let mut tariff = Tariff::new(text(&value["unit"]))?;
    for one in list(&value["prices"]) {
        let dimension = Dimension::from_id(read_integer(&one[0]))?;
        let rate = Rate { price: read_integer(&one[1]), per: read_integer(&one[2]) };
        tariff = match one.get(3) {
            Some(unit) => tariff.with_unit(dimension, rate, text(unit))?,
            None => tariff.with(dimension, rate)?,
        };
    }
    for one in value.get("free").map(list).unwrap_or_default() {
        tariff = tariff.free_of_charge(Dimension::from_id(read_integer(one))?)?;
    }
    Ok(tariff)
}

/// The objects that the steps of one case made.
struct Runner<'f> {
    file: &'f Value,
    identities: BTreeMap<String, Identity>,
    inboxes: BTreeMap<String, Inbox>,
    received: BTreeMap<String, Admitted<'f>>,
    sent: BTreeMap<String, Sent>,
    replies: BTreeMap<String, Reply<'f>>,
    funded: BTreeMap<String, Vec<Funded>>,
    ledgers: BTreeMap<String, Ledger>,
    holds: BTreeMap<String, Hold>,
    quotas: BTreeMap<String, Quota>,
    transcripts: BTreeMap<String, Transcript>,
    settled: BTreeMap<String, Settled>,
}

/// What each step of a case comes to: `{"ok": …}` or `{"error": …}`.
pub(crate) fn outcomes(file: &Value, case: &Value) -> Vec<Value> {
    let steps = list(&case["steps"]);
    let inputs: Vec<Vec<u8>> =
        steps.iter().map(|step| step.get("bytes").map(bytes).unwrap_or_default()).collect();
    let identities = file.get("identities").and_then(Value::as_object).into_iter().flatten();
    let mut runner = Runner {
        file,
        identities: identities.map(|(name, one)| (name.clone(), identity(one))).collect(),
        inboxes: BTreeMap::new(),
        received: BTreeMap::new(),
        sent: BTreeMap::new(),
        replies: BTreeMap::new(),
        funded: BTreeMap::new(),
        ledgers: BTreeMap::new(),
        holds: BTreeMap::new(),
        quotas: BTreeMap::new(),
        transcripts: BTreeMap::new(),
        settled: BTreeMap::new(),
    };
    let mut found = Vec::with_capacity(steps.len());
    for (step, bytes) in steps.iter().zip(&inputs) {
        found.push(match runner.step(step, bytes) {
            Ok(result) => json!({ "ok": result }),
            Err(error) => json!({ "error": {
                "code": error.code(), "name": error.name(), "at": place(error.place()),
            }}),
        });
    }
    found
}

impl<'f> Runner<'f> {
    fn verifier(&self, step: &Value) -> Verifier {
        let config = &self.file["verifiers"][text(&step["verifier"])];
        verifier(config).expect("a verifier that may be made")
    }

    fn identity(&self, step: &Value) -> &Identity {
        &self.identities[text(&step["identity"])]
    }

    fn inbox(&mut self, name: &Value) -> &mut Inbox {
        self.inboxes.get_mut(text(name)).expect("an inbox that was made")
    }

    fn admitted(&self, step: &Value) -> &Admitted<'f> {
        &self.received[text(&step["received"])]
    }

    fn item(&self, step: &Value) -> Item<'_> {
        let index = size(&step["element"]);
        let mut items = self.admitted(step).elements();
        items.find(|item| item.provenance().index() == index).expect("a content element")
    }

    fn ledger(&mut self, step: &Value) -> &mut Ledger {
        self.ledgers.get_mut(text(&step["ledger"])).expect("a ledger that was opened")
    }

    fn name(step: &Value) -> String {
        text(&step["as"]).to_owned()
    }

    fn step(&mut self, step: &Value, bytes: &'f [u8]) -> Result<Value, Error> {
        match text(&step["do"]) {
            "key-package" => {
                let package =
                    KeyPackage::verify(bytes, time(&step["now"]), &limits(step.get("limits")))?;
                Ok(json!({
                    "agent": hex(package.agent().as_bytes()),
                    "suite": package.suite().number(),
                    "not_before": package.not_before().as_unix_seconds(),
                    "expires": package.expires().as_unix_seconds(),
                }))
            }
            "chain" => {
                let chain = DelegationChain::verify(bytes, &limits(step.get("limits")))?;
                Ok(
                    json!({ "holder": hex(chain.holder().as_bytes()), "id": hex(chain.id().as_bytes()) }),
                )
            }
            "decode" => {
                let envelope = Envelope::decode(bytes, &limits(step.get("limits")))?;
                Ok(json!({
                    "envelope": hex(envelope.digest().as_bytes()),
                    "origin": hex(envelope.origin().as_bytes()),
                    "tip": hex(envelope.tip().as_bytes()),
                }))
            }
            "verify" => {
                let (verifier, now) = (self.verifier(step), time(&step["now"]));
                let envelope = Envelope::decode(bytes, verifier.limits())?;
                match text(&step["role"]) {
                    "observer" => envelope
                        .verify_as_observer(&verifier, now)
                        .map(|it| verified_json::<Observer>(&it)),
                    "relay" => envelope
                        .verify_as_relay(&verifier, now)
                        .map(|it| verified_json::<Relay>(&it)),
                    "reader" => envelope
                        .verify_as_reader(&verifier, now)
                        .map(|it| verified_json::<Reader>(&it)),
                    other => panic!("{other} is no role"),
                }
            }
            "origin-fork" => {
                let fork = OriginFork::verify(bytes, &limits(step.get("limits")))?;
                let ids = fork.ids().map(|id| hex(id.as_bytes()));
                Ok(json!({ "culprit": hex(fork.culprit().as_bytes()), "ids": ids }))
            }
            "evidence" => {
                let evidence = Evidence::verify(bytes)?;
                Ok(json!({
                    "culprit": hex(evidence.culprit().as_bytes()),
                    "allotment": hex(evidence.allotment().as_bytes()),
                    "breach": breach(evidence.breach()),
                }))
            }
            "message" => {
                Message::from_bytes(bytes).map(|message| json!({ "type": message.name() }))
            }
            "agent-id" => {
                let bytes = bytes.try_into().expect("32 bytes");
                AgentId::from_bytes(bytes).map(|agent| json!({ "text": agent.to_string() }))
            }
            "agent-id-text" => {
                let agent: AgentId = text(&step["text"]).parse()?;
                Ok(json!({ "bytes": hex(agent.as_bytes()) }))
            }
            "resource" => {
                let resource = resource(&step["text"])?;
                Ok(json!({ "segments": resource.segments().collect::<Vec<_>>() }))
            }
            "allows" => {
                let allowed = scope(&step["scope"])?
                    .allows(text(&step["action"]), &resource(&step["resource"])?);
                Ok(json!({ "allowed": allowed }))
            }
            "inbox" => {
                let mut capacity = ReplayCapacity::default();
                if let Some(envelopes) = step.get("envelopes") {
                    capacity.envelopes = size(envelopes);
                }
                if let Some(principals) = step.get("principals") {
                    capacity.principals = size(principals);
                }
                let window = ReplayWindow::new(capacity);
                let inbox =
                    Inbox::with_state(self.verifier(step), window, Conversations::new(1024, 64));
                self.inboxes.insert(Self::name(step), inbox);
                Ok(json!({}))
            }
            "receive" => self.receive(step, bytes),
            "open" => match self.item(step) {
                Item::Sealed(sealed) => {
                    sealed.open(self.identity(step)).map(|plain| plain_json(&plain))
                }
                other => panic!("{other:?} is not sealed"),
            },
            "attach" => {
                let Item::Absent(absent) = self.item(step) else { panic!("it is there") };
                match self.admitted(step).with_body(&absent, bytes)? {
                    Item::Present(present) => Ok(plain_json(&present.plaintext())),
                    _ => Ok(json!({})),
                }
            }
            "authorize" => self.authorize(step),
            "sent" => {
                let sent = Sent::from_bytes(bytes.to_vec())?;
                let origin = hex(sent.origin().as_bytes());
                self.sent.insert(Self::name(step), sent);
                Ok(json!({ "origin": origin }))
            }
            "record-sent" => {
                let sent = self.sent[text(&step["sent"])].clone();
                self.inbox(&step["inbox"]).record_sent(&sent);
                Ok(json!({}))
            }
            "accept-reply" => {
                let received =
                    self.received.remove(text(&step["received"])).expect("it was received");
                let reply = self.sent[text(&step["sent"])].accept_reply(received)?;
                self.replies.insert(Self::name(step), reply);
                Ok(json!({}))
            }
            "check-path" => {
                let verifier = self.verifier(step);
                let known = Envelope::decode(bytes, verifier.limits())?
                    .verify_as_observer(&verifier, time(&step["now"]))?;
                self.replies[text(&step["reply"])].check_path(&known).map(|()| json!({}))
            }
            "merge" => {
                let other = self.inboxes[text(&step["other"])].window().clone();
                self.inbox(&step["inbox"]).merge_window(&other).map(|()| json!({}))
            }
            "transcript" | "transcript-send" | "transcript-receive" | "settle"
            | "check-request" => self.negotiate(step, bytes),
            other => self.local(other, step, bytes),
        }
    }

    fn receive(&mut self, step: &Value, bytes: &'f [u8]) -> Result<Value, Error> {
        let mut admitted = self.inbox(&step["inbox"]).receive(bytes, time(&step["now"]))?;
        let admission = match admitted.admission() {
            Admission::New => "new",
            Admission::Continued { .. } => "continued",
            Admission::Forked { .. } => "forked",
            Admission::OtherPath { .. } => "another-path",
            other => panic!("{other:?} has no words here"),
        };
        let standing = match admitted.standing().expect("an inbox places what it receives") {
            Standing::Continues => "continues",
            Standing::Gap { .. } => "gap",
            Standing::Fork { .. } => "fork",
            Standing::Branch { .. } => "branch",
            Standing::Joined => "joined",
            other => panic!("{other:?} has no words here"),
        };
        let reasons: Vec<_> = admitted.unfunded().map(unfunded).collect();
        let (funding, mut funded) = match admitted.take_funding() {
            Budget::Funded(funded) => (funded.iter().map(funded_json).collect(), funded),
            Budget::Declared(_) => (json!("declared"), Vec::new()),
            Budget::None => (json!("none"), Vec::new()),
        };
        let purses = admitted.take_purses();
        let mut result = json!({
            "admission": admission,
            "after": admitted.admission().after(),
            "standing": standing,
            "funding": funding,
            "verified": verified_json(admitted.verified()),
        });
        if !reasons.is_empty() {
            result["unfunded"] = json!(reasons);
        }
        if !purses.is_empty() {
            result["purses"] = purses.iter().map(funded_json).collect();
        }
        funded.extend(purses);
        self.funded.insert(Self::name(step), funded);
        self.received.insert(Self::name(step), admitted);
        Ok(result)
    }

    fn authorize(&self, step: &Value) -> Result<Value, Error> {
        let (action, resource) = (text(&step["action"]), resource(&step["resource"])?);
        let item = self.item(step);
        let found = match step.get("principals") {
            None => vec![match &item {
                Item::Present(present) => present.authorize(action, &resource)?,
                Item::Sealed(sealed) => sealed.authorize(action, &resource)?,
                Item::Absent(_) => panic!("what is absent authorizes nothing"),
            }],
            Some(principals) => {
                let [one, other] = list(principals) else { panic!("two principals") };
                let principals =
                    [one, other].map(|one| Principal::new(text(&one[0]), text(&one[1])));
                match &item {
                    Item::Present(present) => {
                        present.authorize_jointly(principals, action, &resource)?
                    }
                    Item::Sealed(sealed) => {
                        sealed.authorize_jointly(principals, action, &resource)?
                    }
                    Item::Absent(_) => panic!("what is absent authorizes nothing"),
                }
                .to_vec()
            }
        };
        let found: Vec<_> = found.into_iter().map(authority_json).collect();
        Ok(json!({ "authorities": found }))
    }
}
