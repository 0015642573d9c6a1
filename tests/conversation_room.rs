//! No principal makes an agent forget its conversations with others.

use agent_envelope::{
    Conversations, DelegationChain, Draft, ElementId, Entropy, Envelope, Error, Grant, Identity,
    Inbox, Kind, Limits, Permission, ReplayCapacity, ReplayWindow, Resource, Revocations, Scope,
    Seen, Standing, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

fn seed(number: u8) -> Result<Entropy, Error> {
    Entropy::new([number; 32])
}

#[test]
fn a_flood_of_conversations_takes_the_room_of_who_began_them() -> Result<(), Error> {
    let (login, alice, mallory, worker) = (agent(1), agent(2), agent(3), agent(4));
    let scope = Scope::new([Permission::new(["act"], &Resource::everything())?])?;
    let anchor = TrustAnchor::new(login.id(), "login.example", Subjects::Any, scope.clone())?;
    let chain = |holder: &Identity, subject: &str| {
        let (grant, key) = (Grant::new(subject, scope.clone()), login.signing_key());
        DelegationChain::issue(key, &anchor, holder.id(), grant, NOW, seed(1)?)
    };
    let (of_alice, of_mallory) = (chain(&alice, "alice")?, chain(&mallory, "mallory")?);
    let anchors = TrustAnchors::new([anchor.clone()])?;
    let verifier =
        Verifier::new(worker.id(), None, anchors, Revocations::none(), Limits::default())?;
    let window = ReplayWindow::new(ReplayCapacity::default());
    let mut inbox = Inbox::with_state(verifier.clone(), window, Conversations::new(4, 8));

    let say = |draft: Draft<'_>, number| {
        draft.clear(Kind::User, "text/plain", &b"hello"[..]).sign(NOW, seed(number)?)
    };
    let asked = say(Draft::new(&worker).to(mallory.id()), 2)?;
    inbox.record_sent(&asked);
    let first = say(Draft::new(&alice).to(worker.id()).authority(&of_alice), 3)?;
    inbox.receive(first.as_bytes(), NOW)?;
    for number in 10..30 {
        let one = say(Draft::new(&mallory).to(worker.id()).authority(&of_mallory), number)?;
        inbox.receive(one.as_bytes(), NOW)?;
    }
    // The room of each survives a restart.
    let mut inbox = Inbox::restore(verifier, &inbox.to_bytes())?;
    for number in 30..50 {
        let one = say(Draft::new(&mallory).to(worker.id()).authority(&of_mallory), number)?;
        inbox.receive(one.as_bytes(), NOW)?;
    }
    let second = say(Draft::in_conversation(&alice, &first.line()).authority(&of_alice), 4)?;
    let standing = inbox.receive(second.as_bytes(), NOW)?.standing();
    assert_eq!(standing, Some(Standing::Continues));
    let context = Envelope::decode(asked.as_bytes(), &Limits::default())?.header().context();
    assert_eq!(inbox.line(&asked.conversation(), context), Some(asked.line()));
    Ok(())
}

#[test]
fn a_line_stands_at_the_last_element_of_its_party() -> Result<(), Error> {
    let (user, worker) = (agent(1), agent(2));
    let verifier = Verifier::new(
        worker.id(),
        None,
        TrustAnchors::new([TrustAnchor::new(
            user.id(),
            "user.example",
            Subjects::Any,
            Scope::new([Permission::new(["act"], &Resource::everything())?])?,
        )?])?,
        Revocations::none(),
        Limits::default(),
    )?;
    let first = Draft::new(&user)
        .to(worker.id())
        .clear(Kind::User, "text/plain", &b"one"[..])
        .clear(Kind::User, "text/plain", &b"two"[..])
        .sign(NOW, seed(1)?)?;
    let second = Draft::in_conversation(&user, &first.line())
        .clear(Kind::User, "text/plain", &b"three"[..])
        .sign(NOW, seed(2)?)?;
    for (sent, count) in [(first, 2), (second, 3)] {
        let verified = Envelope::decode(sent.as_bytes(), &Limits::default())?
            .verify_as_reader(&verifier, NOW)?;
        let last = verified.elements().last().map(|seen| match seen {
            Seen::Clear(from, _) | Seen::Sealed(from, _) | Seen::Absent(from) => from.id(),
        });
        let stand = sent.line().stand();
        assert_eq!(
            (stand.count(), Some(stand.head())),
            (count, last.as_ref().map(ElementId::as_bytes))
        );
    }
    Ok(())
}

#[test]
fn a_sender_among_its_recipients_is_one_party() -> Result<(), Error> {
    let mut agents = [agent(1), agent(2), agent(3)];
    agents.sort_unstable_by_key(Identity::id);
    let ids = agents.each_ref().map(Identity::id);
    for user in &agents {
        let others: Vec<_> = ids.into_iter().filter(|id| *id != user.id()).collect();
        let parties = |to: &[_]| {
            let sent = Draft::new(user).to(to.to_vec()).next(others[0]).sign(NOW, seed(1)?)?;
            let header = Envelope::decode(sent.as_bytes(), &Limits::default())?.header().parties();
            Ok::<_, Error>(header)
        };
        assert_eq!((parties(&ids)?, parties(&others)?), (ids.to_vec(), ids.to_vec()));
    }
    Ok(())
}
