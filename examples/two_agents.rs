//! Two agents: one asks for something that only the other can read. The smallest whole program.

use agent_envelope::{
    DelegationChain, Draft, Entropy, Error, Grant, Identity, Inbox, Item, Kind, Limits, Permission,
    Revocations, Scope, SigningKey, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let now = Timestamp::now()?;
    // A login service vouches for people: its key is where trust begins.
    let login = SigningKey::generate(Entropy::from_os()?);
    let mail = Scope::new([Permission::new(["mail.read"], &"mail/alice".parse()?)?])?;
    let anchor =
        TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, mail.clone())?;

    // An agent's name is its public key. Others seal to the key package that it signs.
    let asker = Identity::generate(Entropy::from_os()?);
    let helper = Identity::generate(Entropy::from_os()?);
    let package = helper.key_package(now, Duration::from_secs(3600))?;

    // The login service lets the asker read Alice's mail in her name.
    let grant = Grant::new("alice@example", mail);
    let chain =
        DelegationChain::issue(&login, &anchor, asker.id(), grant, now, Entropy::from_os()?)?;

    // The asker signs one envelope: whom it is for, on whose behalf, and what is asked.
    let sent = Draft::new(&asker)
        .to(helper.id())
        .authority(&chain)
        .sealed(Kind::User, "text/plain", &b"Any mail from the tax office?"[..], [&package])
        .sign(now, Entropy::from_os()?)?;
    println!("sent {} bytes; any transport may carry them", sent.as_bytes().len());

    // The helper decides from the bytes and its own configuration alone. One call checks everything.
    let anchors = TrustAnchors::new([anchor])?;
    let verifier =
        Verifier::new(helper.id(), None, anchors, Revocations::none(), Limits::default())?;
    let mut inbox = Inbox::new(verifier);
    let received = inbox.receive(sent.as_bytes(), now)?;
    for item in received.elements() {
        // Each element has an author, and authority belongs to the author of an element.
        match item {
            Item::Sealed(element) => {
                let authority = element.authorize("mail.read", &"mail/alice/inbox".parse()?)?;
                let opened = element.open(&helper)?;
                println!("{} asks: {}", authority.subject(), opened.content().escape_ascii());
            }
            Item::Present(_) | Item::Absent(_) => println!("this program reads sealed mail only"),
        }
    }
    // The same bytes again are refused: what they ask for is not to be done twice.
    let again = inbox.receive(sent.as_bytes(), now).expect_err("it is a replay");
    println!("a second delivery: {again} ({}, {})", again.code(), again.name());
    Ok(())
}
