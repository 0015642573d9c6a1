//! A seed that is used twice with other inputs gives unrelated envelopes.

use agent_envelope::{AgentId, Draft, Entropy, Error, Identity, Kind, Sent, Timestamp};

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

#[test]
fn another_next_under_the_same_seed_is_another_envelope() -> Result<(), Error> {
    let (user, one, other) = (agent(1), agent(2), agent(3));
    let to_next = |next: AgentId| -> Result<Sent, Error> {
        Draft::new(&user)
            .to([one.id(), other.id()])
            .next(next)
            .clear(Kind::User, "text/plain", &b"hello"[..])
            .sign(Timestamp::from_unix_seconds(1_800_000_000), Entropy::new([7; 32])?)
    };
    // Two hop 0 over one header would accuse an honest originator.
    assert_ne!(to_next(one.id())?.digest(), to_next(other.id())?.digest());
    assert_eq!(to_next(one.id())?, to_next(one.id())?);
    Ok(())
}

#[test]
fn the_same_recipients_are_the_same_envelope_in_whatever_list_they_come() -> Result<(), Error> {
    let (user, one, other) = (agent(1), agent(2).id(), agent(3).id());
    let sign = |draft: Draft<'_>| {
        draft.sign(Timestamp::from_unix_seconds(1_800_000_000), Entropy::new([7; 32])?)
    };
    let both = sign(Draft::new(&user).to([one, other]))?;
    assert_eq!(sign(Draft::new(&user).to(one).to(other))?, both);
    assert_eq!(sign(Draft::new(&user).to(vec![one, other]))?, both);
    assert_eq!(sign(Draft::new(&user).to(&[one, other][..]))?, both);
    Ok(())
}
