//! What a replay window must not be brought to forget, whoever tries.

use agent_envelope::{
    Conversations, DelegationChain, Draft, Entropy, Envelope, Error, Grant, Identity, Inbox, Item,
    Kind, Limits, Permission, ReplayCapacity, ReplayWindow, Resource, Revocations, Scope, Sent,
    Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000 + seconds)
}

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

fn seed(number: u16) -> Result<Entropy, Error> {
    let mut bytes = [1; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Entropy::new(bytes)
}

fn scope() -> Result<Scope, Error> {
    Scope::new([Permission::new(["pay"], &Resource::everything())?])
}

fn anchor(login: &Identity) -> Result<TrustAnchor, Error> {
    TrustAnchor::new(login.id(), "login.example", Subjects::Any, scope()?)
}

fn chain(
    login: &Identity,
    holder: &Identity,
    subject: &str,
    lifetime: u64,
) -> Result<DelegationChain, Error> {
    let grant = Grant::new(subject, scope()?).lifetime(Duration::from_secs(lifetime));
    let anchor = anchor(login)?;
    DelegationChain::issue(login.signing_key(), &anchor, holder.id(), grant, at(0), seed(0)?)
}

fn verifier(login: &Identity, agent: &Identity) -> Result<Verifier, Error> {
    let anchors = TrustAnchors::new([anchor(login)?])?;
    Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default())
}

/// An inbox that remembers this many envelopes of each principal.
fn inbox(login: &Identity, agent: &Identity, envelopes: usize) -> Result<Inbox, Error> {
    let mut capacity = ReplayCapacity::default();
    capacity.envelopes = envelopes;
    let window = ReplayWindow::new(capacity);
    Ok(Inbox::with_state(verifier(login, agent)?, window, Conversations::new(8, 8)))
}

#[test]
fn what_was_forgotten_under_one_principal_is_not_new_under_another() -> Result<(), Error> {
    let (login, user, worker) = (agent(1), agent(2), agent(3));
    let (short, long) = (chain(&login, &user, "alice", 100)?, chain(&login, &user, "bob", 3600)?);
    let mut inbox = inbox(&login, &worker, 2)?;
    let pay = |second: u16| -> Result<Sent, Error> {
        Draft::new(&user)
            .to(worker.id())
            .expires_in(Duration::from_secs(3600))
            .authority(&short)
            .authority(&long)
            .clear(Kind::User, "text/plain", &b"pay 10"[..])
            .sign(at(second.into()), seed(second)?)
    };
    let first = pay(0)?;
    for item in inbox.receive(first.as_bytes(), at(0))?.elements() {
        assert!(
            matches!(item, Item::Present(one) if one.authorize("pay", &Resource::everything()).is_ok())
        );
    }
    for second in 1..4 {
        inbox.receive(pay(second)?.as_bytes(), at(second.into()))?;
    }
    let refused = Some(Error::BelowReplayFloor { created: at(0), floor: at(1) });
    assert_eq!(inbox.receive(first.as_bytes(), at(5)).err(), refused);
    // Alice's chain is over now, so that the envelope counts for Bob, who has room.
    assert_eq!(inbox.receive(first.as_bytes(), at(200)).err(), refused);
    Ok(())
}

/// What is forgotten of one principal is no reason to refuse another's, whoever passes that on.
#[test]
fn the_floor_of_somebody_on_the_way_does_not_count() -> Result<(), Error> {
    let (login, user, relay, worker) = (agent(1), agent(2), agent(3), agent(4));
    let alice = chain(&login, &user, "alice", 3600)?;
    let bob = chain(&login, &relay, "bob", 3600)?;
    let mut inbox = inbox(&login, &worker, 1)?;
    let of_bob = |second: u16| -> Result<Sent, Error> {
        Draft::new(&relay)
            .to(worker.id())
            .expires_in(Duration::from_secs(3600))
            .authority(&bob)
            .sign(at(second.into()), seed(second)?)
    };
    for second in 10..12 {
        inbox.receive(of_bob(second)?.as_bytes(), at(second.into()))?;
    }
    let refused = Error::BelowReplayFloor { created: at(9), floor: at(10) };
    assert_eq!(inbox.receive(of_bob(9)?.as_bytes(), at(12)).err(), Some(refused));
    let sent = Draft::new(&user)
        .to(worker.id())
        .next(relay.id())
        .expires_in(Duration::from_secs(3600))
        .authority(&alice)
        .sign(at(9), seed(20)?)?;
    let onward = Envelope::decode(sent.as_bytes(), &Limits::default())?
        .verify_as_relay(&verifier(&login, &relay)?, at(12))?
        .onward(&relay)
        .authority(&bob)
        .next(worker.id())
        .sign(at(12), seed(21)?)?;
    assert!(inbox.receive(&onward, at(12)).is_ok());
    Ok(())
}

#[test]
fn a_hop_that_signs_many_paths_does_not_keep_replicas_from_merging() -> Result<(), Error> {
    let (login, user, relay, worker) = (agent(1), agent(2), agent(3), agent(4));
    let chain = chain(&login, &user, "alice", 3600)?;
    let sent = Draft::new(&user)
        .to(worker.id())
        .next(relay.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"pay 10"[..])
        .sign(at(0), seed(1)?)?;
    let received = Envelope::decode(sent.as_bytes(), &Limits::default())?
        .verify_as_relay(&verifier(&login, &relay)?, at(0))?;
    let path = |number: u16| {
        let note = number.to_be_bytes().to_vec();
        let onward = received.onward(&relay).clear(Kind::Assistant, "text/plain", note);
        onward.next(worker.id()).sign(at(0), seed(number)?)
    };
    let mut one = Inbox::new(verifier(&login, &worker)?);
    let mut other = Inbox::new(verifier(&login, &worker)?);
    for number in 100..140 {
        one.receive(&path(number)?, at(0))?;
        other.receive(&path(100 + number)?, at(0))?;
    }
    one.merge_window(other.window())?;
    // What fitted is known, what did not is refused all the same.
    for number in (100..140).chain(200..240) {
        let refused = one.receive(&path(number)?, at(0)).err();
        let known =
            matches!(refused, Some(Error::Replayed { .. } | Error::ReplayWindowFull { .. }));
        assert!(known, "{number}: {refused:?}");
    }
    Ok(())
}
