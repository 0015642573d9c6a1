//! A relay that remembers what it passed on cannot be made to sign the same continuation twice.

use agent_envelope::{
    Admission, Draft, Entropy, Envelope, Error, Identity, Kind, Limits, Permission, ReplayCapacity,
    ReplayWindow, Resource, Revocations, Scope, Subjects, Timestamp, TrustAnchor, TrustAnchors,
    Verifier,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

#[test]
fn a_relay_is_shown_an_envelope_twice() -> Result<(), Error> {
    let agent = |byte: u8| Identity::from_seeds(&[byte; 32], &[byte + 100; 32]);
    let (user, relay, worker) = (agent(1), agent(2), agent(3));
    let sent = Draft::new(&user)
        .to(worker.id())
        .next(relay.id())
        .clear(Kind::User, "text/plain", &b"hello"[..])
        .sign(NOW, Entropy::new([7; 32])?)?;
    let scope = Scope::new([Permission::new(["act"], &Resource::everything())?])?;
    let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope)?;
    let anchors = TrustAnchors::new([anchor])?;
    let verifier =
        Verifier::new(relay.id(), None, anchors, Revocations::none(), Limits::default())?;
    let mut window = ReplayWindow::new(ReplayCapacity::default());
    let mut pass = || {
        Envelope::decode(sent.as_bytes(), &Limits::default())?
            .verify_as_relay(&verifier, NOW)?
            .remember(&mut window)
    };
    assert_eq!(pass(), Ok(Admission::New));
    assert_eq!(pass(), Err(Error::Replayed { envelope: sent.digest() }));
    Ok(())
}
