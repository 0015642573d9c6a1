//! Operations that concern no other implementation: builders, ledgers, quotas, stored state; and negotiations, one
//! side of which this implementation writes.

use super::*;
use agent_envelope::Allotment;
use agent_envelope::budget::negotiation::{Ask, Meters, Offer};

/// What a draft or a hop adds, made before the builder that borrows it.
enum Part {
    Clear(Kind, String, Vec<u8>),
    Sealed(Kind, String, Vec<u8>, Vec<KeyPackage>),
    Authority(DelegationChain),
    KeyPackage(KeyPackage),
    Report(Vec<u8>),
}

fn package(value: &Value, now: Timestamp) -> KeyPackage {
    // At a time when it is valid; the builder looks at its window again.
    let bytes = bytes(value);
    [
        now,
        now.saturating_sub(Duration::from_secs(1800)),
        now.saturating_add(Duration::from_secs(1800)),
    ]
    .into_iter()
    .find_map(|time| KeyPackage::verify(&bytes, time, &Limits::default()).ok())
    .expect("a key package that its agent signed")
}

fn chain(value: &Value) -> DelegationChain {
    DelegationChain::verify(&bytes(value), &Limits::default()).expect("a well-formed chain")
}

fn part(value: &Value, now: Timestamp) -> Part {
    let content = |one: &Value| {
        let kind = Kind::from_number(read_integer(&one["kind"])).expect("a kind of content");
        (kind, text(&one["type"]).to_owned(), bytes(&one["content"]))
    };
    let (key, value) = value.as_object().and_then(|one| one.iter().next()).expect("one part");
    match key.as_str() {
        "clear" => {
            let (kind, content_type, content) = content(value);
            Part::Clear(kind, content_type, content)
        }
        "sealed" => {
            let (kind, content_type, content) = content(value);
            let readers = list(&value["readers"]).iter().map(|one| package(one, now)).collect();
            Part::Sealed(kind, content_type, content, readers)
        }
        "authority" => Part::Authority(chain(value)),
        "key_package" => Part::KeyPackage(package(value, now)),
        "report" => Part::Report(bytes(value)),
        other => panic!("{other} is no part"),
    }
}

fn parts(step: &Value, now: Timestamp) -> Vec<Part> {
    step.get("parts").map(list).unwrap_or_default().iter().map(|one| part(one, now)).collect()
}

/// Drafts and hops take the same parts.
macro_rules! with_part {
    ($builder:expr, $part:expr) => {
        match $part {
            Part::Clear(kind, content_type, content) => {
                $builder.clear(*kind, content_type.as_str(), content.as_slice())
            }
            Part::Sealed(kind, content_type, content, readers) => $builder.element(
                NewElement::sealed(*kind, content_type.as_str(), content.as_slice(), readers),
            ),
            Part::Authority(chain) => $builder.authority(chain),
            Part::Report(history) => $builder.report(history),
            Part::KeyPackage(_) => panic!("only an originator brings a key package"),
        }
    };
}

fn draft<'d>(mut draft: Draft<'d>, step: &Value, parts: &'d [Part]) -> Result<Draft<'d>, Error> {
    if let Some(to) = step.get("to") {
        draft = draft.to(agents(to));
    }
    if let Some(via) = step.get("via") {
        draft = draft.via(agents(via));
    }
    if let Some(next) = step.get("next") {
        draft = draft.next(agents(next));
    }
    if let Some(lifetime) = step.get("expires_in") {
        draft = draft.expires_in(seconds(lifetime));
    }
    for label in step.get("labels").map(list).unwrap_or_default() {
        draft = draft.label(text(&label[0]), text(&label[1]));
    }
    if let Some(declared) = step.get("terms") {
        draft = draft.declare(terms(declared)?);
    }
    Ok(parts.iter().fold(draft, |draft, part| match part {
        Part::KeyPackage(package) => draft.key_package(package),
        part => with_part!(draft, part),
    }))
}

fn narrow(value: &Value) -> Result<Narrow, Error> {
    let mut narrow = Narrow::default();
    for (key, value) in value.as_object().expect("what a link narrows") {
        narrow = match key.as_str() {
            "scope" => narrow.scope(scope(value)?),
            "depth" => narrow.depth(read_integer(value)),
            "lifetime" => narrow.lifetime(seconds(value)),
            "audience" => narrow.audience(text(value)),
            "name" => narrow.name(text(value)),
            "budget" => narrow.budget(terms(value)?),
            other => panic!("{other} is nothing that a link narrows"),
        };
    }
    Ok(narrow)
}

fn grant(value: &Value) -> Result<Grant, Error> {
    let mut grant = Grant::new(text(&value["subject"]), scope(&value["scope"])?)
        .depth(read_integer(&value["depth"]))
        .lifetime(seconds(&value["lifetime"]));
    if let Some(audience) = value.get("audience") {
        grant = grant.audience(text(audience));
    }
    if let Some(budget) = value.get("budget") {
        grant = grant.budget(terms(budget)?);
    }
    Ok(grant)
}

fn meters(value: &Value) -> Result<Meters, Error> {
    list(value).iter().try_fold(Meters::new(), |meters, one| {
        let dimension = Dimension::from_id(read_integer(&one[0]))?;
        match one.get(1) {
            Some(unit) => meters.with_unit(dimension, text(unit)),
            None => meters.with(dimension),
        }
    })
}

fn outcome(step: &Value) -> Outcome {
    match step.get("outcome").map_or("done", text) {
        "done" => Outcome::Done,
        "partial" => Outcome::Partial,
        other => panic!("{other} is no outcome here"),
    }
}

impl<'f> Runner<'f> {
    pub(super) fn negotiate(&mut self, step: &Value, bytes: &[u8]) -> Result<Value, Error> {
        let now = || time(&step["now"]);
        let transcript = || text(&step["transcript"]).to_owned();
        match text(&step["do"]) {
            "transcript" => {
                let (me, other) = (self.identity(step), agent(&step["other"]));
                let transcript = match text(&step["side"]) {
                    "asker" => Transcript::asking(me, other),
                    "worker" => Transcript::answering(me, other),
                    other => panic!("{other} is no side of a negotiation"),
                };
                self.transcripts.insert(Self::name(step), transcript);
                Ok(json!({}))
            }
            "transcript-send" => {
                let message = Message::from_bytes(&unhex(text(&step["message"])))?;
                let (now, entropy) = (now(), entropy(&step["entropy"])?);
                let parts = parts(step, now);
                let mut transcript =
                    self.transcripts.remove(&transcript()).expect("a transcript that was begun");
                let me = self.identity(step);
                let begun = match (step.get("reply_to"), step.get("following")) {
                    (Some(received), _) => Draft::reply_to(&self.received[text(received)], me),
                    (None, Some(sent)) => Draft::following(&self.sent[text(sent)], me),
                    (None, None) => Draft::new(me),
                };
                let sent = draft(begun, step, &parts)
                    .and_then(|draft| transcript.send(draft, message, now, entropy));
                self.transcripts.insert(text(&step["transcript"]).to_owned(), transcript);
                let sent = sent?;
                let bytes = hex(sent.as_bytes());
                self.sent.insert(Self::name(step), sent);
                Ok(json!({ "bytes": bytes }))
            }
            "transcript-receive" => {
                let transcript =
                    self.transcripts.get_mut(&transcript()).expect("a transcript that was begun");
                let me = &self.identities[text(&step["identity"])];
                let received = &self.received[text(&step["received"])];
                let message = transcript.receive(received, me, now())?;
                Ok(json!({ "type": message.name() }))
            }
            "settle" => {
                let transcript =
                    self.transcripts.remove(&transcript()).expect("a transcript that was begun");
                let settled = transcript.settled(now())?;
                let (asker, worker) = (settled.asker(), settled.worker());
                self.settled.insert(Self::name(step), settled);
                Ok(json!({ "asker": hex(asker.as_bytes()), "worker": hex(worker.as_bytes()) }))
            }
            "check-request" => {
                let settled = self.settled.get_mut(text(&step["settled"])).expect("settled before");
                let request = &self.received[text(&step["received"])];
                settled
                    .check_request(request, now())
                    .map(|terms| json!({ "terms": terms_json(&terms) }))
            }
            other => panic!("{other} is no step of a negotiation, {} bytes", bytes.len()),
        }
    }

    pub(super) fn local(&mut self, what: &str, step: &Value, bytes: &[u8]) -> Result<Value, Error> {
        let now = || time(&step["now"]);
        match what {
            "entropy" => entropy(&step["entropy"]).map(|_| json!({})),
            "new-signing-key" => {
                let key = SigningKey::generate(entropy(&step["entropy"])?);
                Ok(json!({ "agent": hex(key.id().as_bytes()) }))
            }
            "new-identity" => {
                let new = Identity::generate(entropy(&step["entropy"])?);
                let package = new.key_package(now(), Duration::from_secs(60))?;
                Ok(
                    json!({ "agent": hex(new.id().as_bytes()), "key_package": hex(package.as_bytes()) }),
                )
            }
            "make-key-package" => {
                let package = self.identity(step).key_package(now(), seconds(&step["lifetime"]))?;
                Ok(json!({ "bytes": hex(package.as_bytes()) }))
            }
            "configure" => verifier(&step["config"]).map(|_| json!({})),
            "issue" => {
                let anchor =
                    anchor(&self.file["verifiers"][text(&step["verifier"])]["anchors"][0])?;
                let grant = grant(&step["grant"])?;
                let chain = DelegationChain::issue(
                    self.identity(step).signing_key(),
                    &anchor,
                    agent(&step["holder"]),
                    grant,
                    now(),
                    entropy(&step["entropy"])?,
                )?;
                Ok(json!({ "bytes": hex(chain.as_bytes()) }))
            }
            "extend" => {
                let chain = chain(&step["chain"]).extend(
                    self.identity(step).signing_key(),
                    agent(&step["holder"]),
                    narrow(&step["narrow"])?,
                    now(),
                    entropy(&step["entropy"])?,
                )?;
                Ok(json!({ "bytes": hex(chain.as_bytes()) }))
            }
            "draft" => self.draft(step),
            "onward" => {
                let parts = parts(step, now());
                let mut onward = self.admitted(step).onward(self.identity(step));
                for part in &parts {
                    onward = with_part!(onward, part);
                }
                onward = onward.next(step.get("next").map(agents).unwrap_or_default());
                let without = step.get("without").map(list).unwrap_or_default();
                onward = onward.without(without.iter().map(size));
                let bytes = onward.sign(now(), entropy(&step["entropy"])?)?;
                Ok(json!({ "bytes": hex(bytes) }))
            }
            "amounts" => Ok(json!({ "amounts": amounts_json(&amounts(&step["amounts"])?) })),
            "add" => {
                let sum = amounts(&step["one"])?.checked_add(&amounts(&step["other"])?)?;
                Ok(json!({ "amounts": amounts_json(&sum) }))
            }
            "subtract" => {
                let rest = amounts(&step["one"])?.checked_sub(&amounts(&step["other"])?)?;
                Ok(json!({ "amounts": amounts_json(&rest) }))
            }
            "share" => {
                let weights: Vec<_> = list(&step["weights"]).iter().map(read_integer).collect();
                let shares = share(read_integer(&step["total"]), &weights)?;
                Ok(json!({ "shares": shares.into_iter().map(integer).collect::<Vec<_>>() }))
            }
            "price" => {
                let cost = tariff(&step["tariff"])?.price(&amounts(&step["used"])?)?;
                Ok(json!({ "cost": amounts_json(&cost) }))
            }
            "quota" => {
                let limits = amounts(&step["limits"])?;
                let mut quota =
                    Quota::new(limits, seconds(&step["period"]), size(&step["principals"]))?;
                if let Some(burst) = step.get("burst") {
                    quota = quota.with_burst(amounts(burst)?)?;
                }
                self.quotas.insert(Self::name(step), quota);
                Ok(json!({}))
            }
            "ask-quota" => {
                let principal = &step["principal"];
                let principal = Principal::new(text(&principal[0]), text(&principal[1]));
                let asked = amounts(&step["amounts"])?;
                let quota = self.quotas.get_mut(text(&step["quota"])).expect("a quota");
                quota.ask(principal, &asked, now()).map(|()| json!({}))
            }
            "can-meter" => {
                meters(&step["meters"])?.can_meter(&terms(&step["terms"])?).map(|()| json!({}))
            }
            "ask" => {
                let ask = Ask::new(terms(&step["want"])?, amounts(&step["floor"])?)?;
                Ok(json!({ "bytes": hex(Message::Ask(ask).to_bytes()) }))
            }
            "offer" => {
                let offer = Offer::new(
                    terms(&step["max"])?,
                    meters(&step["meters"])?,
                    time(&step["valid_until"]),
                )?
                .with_need(amounts(&step["need"])?)?;
                Ok(json!({ "bytes": hex(Message::Offer(offer).to_bytes()) }))
            }
            "restore-inbox" => Inbox::restore(self.verifier(step), bytes)
                .map(|inbox| json!({ "bytes": hex(inbox.to_bytes()) })),
            "restore-quota" => {
                Quota::from_bytes(bytes).map(|quota| json!({ "principals": quota.len() }))
            }
            "resume-ledger" => {
                let ledger = Ledger::resume(bytes)?;
                let state = ledger_json(&ledger);
                self.ledgers.insert(Self::name(step), ledger);
                Ok(state)
            }
            other => self.account(other, step),
        }
    }

    fn draft(&mut self, step: &Value) -> Result<Value, Error> {
        let (now, entropy) = (time(&step["now"]), entropy(&step["entropy"])?);
        let parts = parts(step, now);
        let me = self.identity(step);
        let begun = match step.get("reply_to") {
            Some(received) => Draft::reply_to(&self.received[text(received)], me),
            None => Draft::new(me),
        };
        let draft = draft(begun, step, &parts)?;
        let Some(allotments) = step.get("allot") else {
            return Ok(json!({ "bytes": hex(draft.sign(now, entropy)?.as_bytes()) }));
        };
        let mut under = Vec::new();
        for one in list(allotments) {
            under.push(one.get("under").map(chain));
        }
        let mut made = Vec::new();
        for (one, chain) in list(allotments).iter().zip(&under) {
            let mut allotment = Allotment::new(agent(&one["to"]), terms(&one["terms"])?);
            if let Some(audit) = one.get("audit") {
                allotment = allotment.audited_by(agent(audit));
            }
            if let Some(chain) = chain {
                allotment = allotment.under(chain);
            }
            if is_set(&one["purse"]) {
                allotment = allotment.as_purse();
            }
            made.push(allotment);
        }
        let mut made = made.into_iter();
        let first = made.next().expect("one allotment or more");
        let funded = made.fold(draft.allot(first), |funded, one| funded.allot(one));
        Ok(json!({ "bytes": hex(funded.sign(now, entropy)?.persisted().as_bytes()) }))
    }

    fn account(&mut self, what: &str, step: &Value) -> Result<Value, Error> {
        let named = |key: &str| amounts(&step[key]);
        match what {
            "open-ledger" => {
                let funded = self.funded.get_mut(text(&step["received"])).expect("it was received");
                let funded = funded.remove(0);
                let ledger = Ledger::open(funded, self.identity(step), time(&step["now"]))?;
                let state = ledger_json(&ledger);
                self.ledgers.insert(Self::name(step), ledger);
                return Ok(state);
            }
            "charge" => self.ledger(step).charge(&named("amounts")?)?,
            "reserve" => {
                let hold = self.ledger(step).reserve(&named("amounts")?)?;
                self.holds.insert(Self::name(step), hold);
            }
            "commit" => {
                let hold = self.holds.remove(text(&step["hold"])).expect("a hold");
                let overrun = self.ledger(step).commit(hold, &named("amounts")?)?;
                let mut state = ledger_json(self.ledger(step));
                state["overrun"] = amounts_json(&overrun);
                return Ok(state);
            }
            "release" => {
                let hold = self.holds.remove(text(&step["hold"])).expect("a hold");
                self.ledger(step).release(hold)?;
            }
            "split" => {
                let split = Split::new(agent(&step["to"]), terms(&step["terms"])?);
                let (keep, now) = (named("keep")?, time(&step["now"]));
                let request = step.get("request").map(fixed);
                let me = self.identities.remove(text(&step["identity"])).expect("an identity");
                let made = self.ledger(step).split(&me, &split, request, &keep, now);
                self.identities.insert(text(&step["identity"]).to_owned(), me);
                return Ok(json!({ "lineage": hex(made?.persisted()) }));
            }
            "credit" | "close" | "give-back" => return self.report(what, step),
            other => panic!("there is no operation {other}"),
        }
        Ok(ledger_json(self.ledger(step)))
    }

    fn report(&mut self, what: &str, step: &Value) -> Result<Value, Error> {
        let me = self.identities.remove(text(&step["identity"])).expect("an identity");
        let ledger = self.ledger(step);
        let made = match what {
            "credit" => ledger.credit(&me, &bytes(&step["history"])).map(|entry| {
                entry.map_or(
                    json!({ "entry": null }),
                    |entry| json!({ "entry": hex(entry.persisted()) }),
                )
            }),
            "close" => ledger
                .close(&me, Basis::Declared, outcome(step))
                .map(|history| json!({ "history": hex(history.persisted()) })),
            _ => amounts(&step["amounts"])
                .and_then(|amounts| {
                    ledger.give_back(&me, &amounts, Basis::Attested(Digest::from_bytes([7; 32])))
                })
                .map(|history| json!({ "history": hex(history.persisted()) })),
        };
        self.identities.insert(text(&step["identity"]).to_owned(), me);
        made
    }
}
