//! The orchestrator has turned: it holds every envelope, and its own keys.

use std::time::Duration;

use agent_envelope::{
    Draft, Envelope, Error, Identity, Inbox, KeyPackage, Kind, Limits, Missing, Standing,
};

use super::Stage;
use super::forge::{Cbor, Pieces, sign_alone};
use super::workflow::AUDIENCE;
use crate::cast::{Agent, NOW};

const KEY_PACKAGE: u64 = 66;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<(), Error> {
    let cast = stage.cast;
    let sent = stage.star_request()?;
    let limits = Limits::default();
    let desk = cast.verifier(&cast.orchestrator)?;

    let got = Envelope::decode(sent.as_bytes(), &limits)?.verify_as_reader(&desk, NOW).map(drop);
    stage.refused(
        "S1",
        "the orchestrator opens what is sealed to the operator",
        "not_a_recipient",
        got,
    );
    let route = Envelope::decode(sent.as_bytes(), &limits)?.verify_as_relay(&desk, NOW)?;
    let forwarded = route.forward(&cast.orchestrator.identity, cast.operator.id(), NOW)?;
    let works = stage.receive(&cast.operator, &forwarded).is_ok();
    stage.shown(
        "S1",
        "it verifies, routes and forwards all the same",
        works,
        "the operator receives it",
    );

    let mut pieces = Pieces::of(&forwarded);
    let label = |header: &mut Cbor| {
        *header.get(&Cbor::Uint(10)).get(&Cbor::Text("skill".into())) = Cbor::Text("refund".into());
    };
    label(&mut pieces.header);
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused("S2", "it changes a label", "element_chain", got);
    let count = pieces.elements.len();
    pieces.resign(0, count, &stage.orchestrator);
    pieces.resign(1, count, &stage.orchestrator);
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused(
        "S2",
        "it changes a label and signs hop 0 with its own key",
        "hop_signature",
        got,
    );

    // S3: one more wrap, for itself.
    let mut pieces = Pieces::of(&forwarded);
    let audience = pieces.find(AUDIENCE);
    pieces.body(audience, |body| {
        let recipients = body.items()[1].items()[3].items();
        let mut own = recipients[0].clone();
        own.items()[0].inside(|protected| protected.set(4, Cbor::Bytes(vec![0; 8])));
        recipients.insert(0, own);
    });
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused("S3", "it adds itself to the readers", "control_commit", got);

    swap_keys(stage, &forwarded)?;

    let text = stage.opening.first().map_or(&b""[..], |body| &body.bytes);
    let bare =
        serde_json::json!({"role": "user", "parts": [{"text": String::from_utf8_lossy(text)}]});
    let got = stage.decode(bare.to_string().as_bytes());
    stage.refused("S6", "it strips the envelope and delivers the bare text", "wrong_type", got);

    withhold(stage)?;

    // S8: twice, and to the other replica.
    let mut replicas = [cast.inbox(&cast.operator)?, cast.inbox(&cast.operator)?];
    replicas[0].receive(&forwarded, NOW)?;
    let got = replicas[0].receive(&forwarded, NOW).map(drop);
    stage.refused("S8", "it delivers twice", "replayed", got);
    let window = replicas[0].window().clone();
    replicas[1].merge_window(&window)?;
    let got = replicas[1].receive(&forwarded, NOW).map(drop);
    stage.refused(
        "S8",
        "it delivers again, to the second replica, which has merged the window of the first",
        "replayed",
        got,
    );
    let stored = replicas[0].to_bytes();
    let mut restarted = Inbox::restore(cast.verifier(&cast.operator)?, &stored)?;
    let got = restarted.receive(&forwarded, NOW).map(drop);
    stage.refused("S8", "it delivers again after a restart from stored state", "replayed", got);

    // S9: a directory that hands out another key for the operator.
    let mut forged = Cbor::parse(cast.operator.package.as_bytes());
    forged.items()[2].inside(|claims| claims.set(3, Cbor::Bytes(vec![9; 32])));
    sign_alone(&mut forged, "key-package", &stage.orchestrator);
    let got = KeyPackage::verify(&forged.encode(), NOW, &limits);
    stage.refused(
        "S9",
        "it hands out a sealing key of its own for the operator's",
        "key_package_signature",
        got,
    );

    // S10: to somebody for whom it is not, who may even have stolen the operator's sealing key.
    let elsewhere = route.forward(&cast.orchestrator.identity, cast.advisor.id(), NOW)?;
    let got = stage.receive(&cast.advisor, &elsewhere);
    stage.refused(
        "S10",
        "it forwards to the advisor what is for the operator",
        "not_a_recipient",
        got,
    );
    thief(stage)?;

    // S14: what gateways do to bytes.
    let hex: String = forwarded.iter().map(|byte| format!("{byte:02x}")).collect();
    let digits = hex.as_bytes().chunks(2);
    let recoded: Vec<u8> =
        digits.filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
    let same = recoded == forwarded && stage.receive(&cast.operator, &recoded).is_ok();
    stage.shown(
        "S14",
        "a gateway takes the bytes apart, recodes them as text, and back",
        same,
        "received: the bytes are the same",
    );
    Ok(())
}

/// S5: the key to which the operator will seal its answer.
fn swap_keys(stage: &mut Stage<'_>, forwarded: &[u8]) -> Result<(), Error> {
    let (cast, count) = (stage.cast, Pieces::of(forwarded).elements.len());
    let mut pieces = Pieces::of(forwarded);
    let element = pieces.find(KEY_PACKAGE);
    let own = cast.orchestrator.identity.key_package(NOW, Duration::from_secs(60))?;
    pieces.elements[element].items()[1] = Cbor::Bytes(own.as_bytes().to_vec());
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused(
        "S5",
        "it puts its own key package in the place of the app's",
        "key_package_of_another",
        got,
    );

    let mut pieces = Pieces::of(forwarded);
    pieces.elements[element].items()[1].inside(|package| {
        package.items()[2].inside(|claims| claims.set(3, Cbor::Bytes(vec![9; 32])));
        sign_alone(package, "key-package", &stage.orchestrator);
    });
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused(
        "S5",
        "it puts its own sealing key into the app's key package",
        "control_commit",
        got,
    );
    pieces.recommit_control(element, cast.app.id());
    pieces.resign(1, count, &stage.orchestrator);
    let got = stage.receive(&cast.operator, &pieces.join());
    stage.refused("S5", "and makes the record fit", "element_chain", got);
    Ok(())
}

/// S7: one of five messages stays away.
fn withhold(stage: &mut Stage<'_>) -> Result<(), Error> {
    let cast = stage.cast;
    let mut inbox = cast.inbox(&cast.operator)?;
    let mut lines = Vec::new();
    let mut gap = None;
    for message in 1..=5 {
        let draft = match lines.last() {
            None => stage.star_draft(),
            Some(line) => {
                let draft = Draft::in_conversation(&cast.app.identity, line);
                draft.next(cast.orchestrator.id()).authority(&stage.chains.app)
            }
        };
        let draft =
            draft.clear(Kind::User, "text/plain", format!("message {message}").into_bytes());
        let sent = draft.sign(NOW, cast.counter.next())?;
        lines.push(sent.line());
        let desk = cast.verifier(&cast.orchestrator)?;
        let route =
            Envelope::decode(sent.as_bytes(), desk.limits())?.verify_as_relay(&desk, NOW)?;
        let bytes = route.forward(&cast.orchestrator.identity, cast.operator.id(), NOW)?;
        if message == 3 {
            continue;
        }
        let received = inbox.receive(&bytes, NOW)?;
        if let Some(Standing::Gap { missing: Missing::Base(stand) }) = received.standing() {
            gap = Some((message, stand));
        }
    }
    let held = gap == Some((4, lines[2].stand()));
    stage.shown(
        "S7",
        "it withholds message 3 of 5",
        held,
        "message 4 shows a gap, which names where message 3 would end",
    );
    Ok(())
}

/// S10: an agent with the operator's sealing key and a name of its own.
fn thief(stage: &mut Stage<'_>) -> Result<(), Error> {
    let cast = stage.cast;
    let sealing = [77; 32];
    let victim = Agent::of("operator", Identity::from_seeds(&[70; 32], &sealing))?;
    let thief = Agent::of("advisor", Identity::from_seeds(&[71; 32], &sealing))?;
    let sent = Draft::new(&cast.app.identity)
        .to(victim.id())
        .next(cast.orchestrator.id())
        .authority(&stage.chains.app)
        .sealed(Kind::User, "text/plain", &b"for the operator"[..], [&victim.package])
        .sign(NOW, cast.counter.next())?;
    let desk = cast.verifier(&cast.orchestrator)?;
    let route = Envelope::decode(sent.as_bytes(), desk.limits())?.verify_as_relay(&desk, NOW)?;
    let bytes = route.forward(&cast.orchestrator.identity, thief.id(), NOW)?;
    let got = stage.receive(&thief, &bytes).map_err(|error| match error {
        Error::NotARecipient { .. } => Error::NotARecipient { agent: cast.advisor.id() },
        other => other,
    });
    stage.refused(
        "S10",
        "it forwards to somebody with the operator's sealing key under another name",
        "not_a_recipient",
        got,
    );
    Ok(())
}
