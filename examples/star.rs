//! A star: a client asks through an orchestrator, which picks a specialist by the labels and reads nothing else.
//!
//! The orchestrator is trusted to deliver, not to know: it verifies the envelope, routes it and signs a hop, and cannot
//! open, alter or answer it.

use agent_envelope::{
    AgentId, DelegationChain, Draft, Entropy, Envelope, Error, Grant, Identity, Inbox, Item, Kind,
    Limits, Narrow, Permission, Resource, Revocations, Scope, Seen, SigningKey, Subjects,
    Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let now = Timestamp::now()?;
    let [client, orchestrator, legal, medical] = [agent()?, agent()?, agent()?, agent()?];
    let hour = Duration::from_secs(3600);
    let [client_box, legal_box, medical_box] = [
        client.key_package(now, hour)?,
        legal.key_package(now, hour)?,
        medical.key_package(now, hour)?,
    ];

    // A clinic's key vouches for the client; the client lets both specialists answer in its matter.
    let clinic = SigningKey::generate(Entropy::from_os()?);
    let advice = Scope::new([Permission::new(["advise"], &Resource::everything())?])?;
    let anchor =
        TrustAnchor::new(clinic.id(), "https://clinic.example", Subjects::Any, advice.clone())?;
    let grant = Grant::new("ward-7", advice).name("client").depth(1);
    let chain =
        DelegationChain::issue(&clinic, &anchor, client.id(), grant, now, Entropy::from_os()?)?;
    let let_answer = |whom: &Identity, name: &str| {
        let less = Narrow::default().name(name);
        chain.extend(client.signing_key(), whom.id(), less, now, Entropy::from_os()?)
    };
    let for_medical = let_answer(&medical, "medical")?;
    let verifier = |me: AgentId| {
        let anchors = TrustAnchors::new([anchor.clone()])?;
        Verifier::new(me, None, anchors, Revocations::none(), Limits::default())
    };

    println!("Client");
    // Both specialists are recipients, so the orchestrator may choose between them, and nobody else.
    let question = b"May a patient on warfarin take ibuprofen?";
    let sent = Draft::new(&client)
        .to([legal.id(), medical.id()])
        .next(orchestrator.id())
        .label("skill", "medical")
        .label("priority", "2")
        .key_package(&client_box)
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &question[..], [&legal_box, &medical_box])
        .sign(now, Entropy::from_os()?)?;
    println!(
        "  seals a question of {} bytes to two specialists: {} bytes in all",
        question.len(),
        sent.as_bytes().len()
    );

    println!("\nOrchestrator");
    let desk = verifier(orchestrator.id())?;
    let route = Envelope::decode(sent.as_bytes(), desk.limits())?.verify_as_relay(&desk, now)?;
    for (key, value) in route.header().labels().iter() {
        println!("  sees label {key} = {value}");
    }
    for authority in route.authorities() {
        println!("  sees that {} asks, vouched for by {}", authority.subject(), authority.issuer());
    }
    for element in route.elements() {
        match element {
            Seen::Clear(from, plain) => println!("  sees {}: {plain:?}", from.kind()),
            // All that it learns. A relay's type has no way to open.
            Seen::Sealed(from, size) => println!("  sees {} of {size} bytes, sealed", from.kind()),
            Seen::Absent(from) => println!("  sees {} left out", from.kind()),
        }
    }
    let chosen = match route.header().labels().get("skill") {
        Some("legal") => legal.id(),
        _ => medical.id(),
    };
    let forwarded = route.forward(&orchestrator, chosen, now)?;
    println!(
        "  forwards to the medical specialist: one hop, {} bytes",
        forwarded.len() - sent.as_bytes().len()
    );
    // It can send the envelope to no one else, and change nothing about it.
    let mut meddled = sent.as_bytes().to_vec();
    let label = meddled.windows(7).position(|text| text == b"medical").expect("labels are clear");
    meddled[label..label + 7].copy_from_slice(b"surgery");
    let refused = Envelope::decode(&meddled, desk.limits())?.verify_as_relay(&desk, now);
    println!("  changes a label: {}", refused.expect_err("the header is signed"));

    println!("\nSpecialist");
    let mut inbox = Inbox::new(verifier(medical.id())?);
    let received = inbox.receive(&forwarded, now)?;
    let client_box = received.verified().key_package().expect("the client brought one");
    for item in received.elements() {
        let Item::Sealed(sealed) = item else { continue };
        let authority = sealed.authorize("advise", &"drugs/warfarin".parse()?)?;
        let opened = sealed.open(&medical)?;
        println!(
            "  reads, for {}: {}",
            authority.subject(),
            String::from_utf8_lossy(opened.content())
        );
    }
    // The answer takes the same way back, and is sealed to a key that the client itself signed.
    let answer = Draft::reply_to(&received, &medical)
        .next(orchestrator.id())
        .authority(&for_medical)
        .sealed(
            Kind::Assistant,
            "text/plain",
            &b"No: the risk of bleeding rises."[..],
            [&client_box],
        )
        .sign(now, Entropy::from_os()?)?;
    let route = Envelope::decode(answer.as_bytes(), desk.limits())?.verify_as_relay(&desk, now)?;
    let returned = route.forward(&orchestrator, client.id(), now)?;
    println!(
        "  seals its answer to the client: {} bytes by way of the orchestrator",
        returned.len()
    );

    println!("\nClient");
    let mut inbox = Inbox::new(verifier(client.id())?);
    inbox.record_sent(&sent);
    let reply = sent.accept_reply(inbox.receive(&returned, now)?)?;
    for item in reply.received().elements() {
        let Item::Sealed(sealed) = item else { continue };
        println!("  reads: {}", String::from_utf8_lossy(sealed.open(&client)?.content()));
    }
    // The reply names the path that the specialist saw, so a detour would show here.
    let archive = Envelope::decode(&forwarded, desk.limits())?.verify_as_observer(&desk, now)?;
    reply.check_path(&archive)?;
    println!(
        "  and knows that the question went client > orchestrator > medical, and no other way"
    );
    Ok(())
}

fn agent() -> Result<Identity, Error> {
    Ok(Identity::generate(Entropy::from_os()?))
}
