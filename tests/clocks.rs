//! Clocks differ: what an agent with a fast clock sends can be answered at once.

use agent_envelope::{
    Draft, Entropy, Envelope, Error, Identity, KeyPackage, Kind, Limits, Permission,
    ReplayCapacity, ReplayWindow, Resource, Revocations, Scope, Subjects, Timestamp, TrustAnchor,
    TrustAnchors, Verifier,
};
use std::time::Duration;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000 + seconds)
}

#[test]
fn answers_are_sealed_to_a_key_package_of_a_fast_clock() -> Result<(), Error> {
    let agent = |byte: u8| Identity::from_seeds(&[byte; 32], &[byte + 100; 32]);
    let (user, worker) = (agent(1), agent(2));
    let package = user.key_package(at(20), Duration::from_secs(3600))?;
    let sent = Draft::new(&user)
        .to(worker.id())
        .key_package(&package)
        .clear(Kind::User, "text/plain", &b"hello"[..])
        .sign(at(20), Entropy::new([7; 32])?)?;

    let scope = Scope::new([Permission::new(["act"], &Resource::everything())?])?;
    let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope)?;
    let anchors = TrustAnchors::new([anchor])?;
    let verifier =
        Verifier::new(worker.id(), None, anchors, Revocations::none(), Limits::default())?;
    let received = Envelope::decode(sent.as_bytes(), &Limits::default())?
        .verify_as_reader(&verifier, at(0))?
        .admit(&mut ReplayWindow::new(ReplayCapacity::default()))?;
    let carried = received.verified().key_package().expect("the envelope carries one");
    Draft::reply_to(&received, &worker)
        .sealed(Kind::Assistant, "text/plain", &b"hello"[..], [&carried])
        .sign(at(0), Entropy::new([8; 32])?)?;
    Ok(())
}

#[test]
fn a_key_package_is_taken_a_minute_early_and_never_late() -> Result<(), Error> {
    let agent = Identity::from_seeds(&[1; 32], &[2; 32]);
    let package = agent.key_package(at(100), Duration::from_secs(100))?;
    let taken =
        |seconds| KeyPackage::verify(package.as_bytes(), at(seconds), &Limits::default()).is_ok();
    assert_eq!([39, 40, 199, 200].map(taken), [false, true, true, false]);
    Ok(())
}
