//! A workflow: Alice's app asks, a planner plans, a calendar agent looks things up, a writer answers.
//!
//! One envelope travels the whole way. Each agent adds what it has to say under its own signature and its own authority;
//! none can change, drop or reorder what the others said, or leave the path that the app laid down.

use agent_envelope::{
    Admitted, AgentId, DelegationChain, Draft, Entropy, Error, Grant, Identity, Inbox, Item, Kind,
    Limits, Narrow, NewElement, Permission, Reference, Revocations, Scope, SigningKey, Subjects,
    Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let now = Timestamp::now()?;
    let [app, planner, calendar, writer] = [agent()?, agent()?, agent()?, agent()?];
    let hour = Duration::from_secs(3600);
    let [app_box, calendar_box, writer_box] = [
        app.key_package(now, hour)?,
        calendar.key_package(now, hour)?,
        writer.key_package(now, hour)?,
    ];

    println!("Who may do what");
    let login = SigningKey::generate(Entropy::from_os()?);
    let everything = scope(&["calendar.read", "mail.draft"])?;
    let anchor =
        TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, everything.clone())?;
    // Alice signs in: the login service lets her app act for her, and hand that on twice.
    let grant = Grant::new("alice@example", everything).name("app").depth(2);
    let for_app =
        DelegationChain::issue(&login, &anchor, app.id(), grant, now, Entropy::from_os()?)?;
    // The app hands on what each step needs. Only less can be handed on, never more.
    let hand_on = |from: &DelegationChain, by: &Identity, to: &Identity, name: &str, may: &str| {
        let less = Narrow::default().name(name).scope(scope(&[may])?);
        from.extend(by.signing_key(), to.id(), less, now, Entropy::from_os()?)
    };
    let for_planner = hand_on(&for_app, &app, &planner, "planner", "calendar.read")?;
    let for_calendar = hand_on(&for_planner, &planner, &calendar, "calendar", "calendar.read")?;
    let for_writer = hand_on(&for_app, &app, &writer, "writer", "mail.draft")?;
    let more = hand_on(&for_calendar, &calendar, &writer, "writer", "mail.draft");
    println!("  the calendar agent hands on more than it has: {}", more.expect_err("it is more"));

    println!("\nOn the way");
    // Hop 0: the app fixes the path, asks, and brings a key to which the answer can be sealed.
    let sent = Draft::new(&app)
        .to(writer.id())
        .via([planner.id(), calendar.id()])
        .key_package(&app_box)
        .authority(&for_app)
        .label("task", "schedule")
        .clear(Kind::User, "text/plain", &b"Find me an hour with Bob this week."[..])
        .sign(now, Entropy::from_os()?)?;
    println!("  app      -> planner   {:5} bytes", sent.as_bytes().len());

    // Each agent verifies with its own configuration: whom it trusts, and who it is.
    let inbox = |me: AgentId| {
        let anchors = TrustAnchors::new([anchor.clone()])?;
        Verifier::new(me, None, anchors, Revocations::none(), Limits::default()).map(Inbox::new)
    };
    // Hop 1: the planner calls a tool. The arguments are for the calendar agent's eyes only.
    let mut planner_inbox = inbox(planner.id())?;
    let received = planner_inbox.receive(sent.as_bytes(), now)?;
    let call = br#"{"with":"bob","minutes":60}"#;
    let bytes = received
        .onward(&planner)
        .authority(&for_planner)
        .sealed(Kind::ToolCall, "application/json", &call[..], [&calendar_box])
        .next(calendar.id())
        .sign(now, Entropy::from_os()?)?;
    println!("  planner  -> calendar  {:5} bytes", bytes.len());

    // Hop 2: the calendar agent checks that the call is covered before it answers it.
    let mut calendar_inbox = inbox(calendar.id())?;
    let received = calendar_inbox.receive(&bytes, now)?;
    let mut result = NewElement::sealed(
        Kind::ToolResult,
        "application/json",
        &br#"{"free":"Thursday 14:00"}"#[..],
        [&writer_box],
    );
    for item in received.elements() {
        if let (Item::Sealed(call), Kind::ToolCall) = (&item, item.provenance().kind()) {
            let authority = call.authorize("calendar.read", &"calendars/alice".parse()?)?;
            let arguments = call.open(&calendar)?;
            println!("    looks up {}", String::from_utf8_lossy(arguments.content()));
            println!("    for {}, by way of {}", authority.subject(), path(authority.path()));
            result = result.refers_to([Reference::from(call.provenance())]);
        }
    }
    let bytes = received
        .onward(&calendar)
        .authority(&for_calendar)
        .element(result)
        .next(writer.id())
        .sign(now, Entropy::from_os()?)?;
    println!("  calendar -> writer    {:5} bytes", bytes.len());

    // The writer is the recipient. It reads everything that was said, and who said it.
    let mut writer_inbox = inbox(writer.id())?;
    let received = writer_inbox.receive(&bytes, now)?;
    print_elements(&received, &writer)?;
    let app_box = received.verified().key_package().expect("the app brought one");
    let answer = Draft::reply_to(&received, &writer)
        .authority(&for_writer)
        .sealed(Kind::Assistant, "text/plain", &b"Bob is free on Thursday at two."[..], [&app_box])
        .sign(now, Entropy::from_os()?)?;
    println!("  writer   -> app       {:5} bytes", answer.as_bytes().len());

    // An answer is one only to what was asked, and only from whom it was asked.
    let mut app_inbox = inbox(app.id())?;
    app_inbox.record_sent(&sent);
    let reply = sent.accept_reply(app_inbox.receive(answer.as_bytes(), now)?)?;
    print_elements(reply.received(), &app)
}

fn print_elements(received: &Admitted<'_>, me: &Identity) -> Result<(), Error> {
    for item in received.elements() {
        let from = item.provenance();
        let by = from.authorities().next().map_or("somebody".to_owned(), |one| path(one.path()));
        let says = match &item {
            Item::Present(present) => String::from_utf8_lossy(present.content()).into_owned(),
            Item::Sealed(sealed) => match sealed.open(me) {
                Ok(opened) => String::from_utf8_lossy(opened.content()).into_owned(),
                Err(refused) => format!("({refused})"),
            },
            Item::Absent(_) => "(left out)".to_owned(),
        };
        println!("    {:11} by {by}: {says}", from.kind());
    }
    Ok(())
}

/// Spells out a chain by the names that the grantors gave: labels for people, not a basis for decisions.
fn path(steps: &[agent_envelope::Step<'_>]) -> String {
    let names: Vec<_> = steps.iter().map(|step| step.name().unwrap_or("?")).collect();
    names.join(" > ")
}

fn scope(actions: &[&str]) -> Result<Scope, Error> {
    let resource = "calendars/alice".parse()?;
    Scope::new([Permission::new(actions.iter().copied(), &resource)?])
}

fn agent() -> Result<Identity, Error> {
    Ok(Identity::generate(Entropy::from_os()?))
}
