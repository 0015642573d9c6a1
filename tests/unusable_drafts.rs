//! What no verifier would take, or no path could carry, is not signed.

use agent_envelope::{AgentId, Draft, Entropy, Error, Identity, Timestamp};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

fn sign(change: impl FnOnce(Draft<'_>) -> Draft<'_>) -> Result<(), Error> {
    let user = agent(1);
    let draft = change(Draft::new(&user).to(agent(2).id()));
    draft.sign(NOW, Entropy::new([7; 32])?).map(|_| ())
}

#[test]
fn a_path_leaves_a_hop_for_every_station() {
    let stations = |count| -> Vec<AgentId> { (0..count).map(|at| agent(10 + at).id()).collect() };
    assert_eq!(sign(|draft| draft.via(stations(15))), Ok(()));
    let reason = "its path has more than 15 stations";
    assert_eq!(sign(|draft| draft.via(stations(16))), Err(Error::IncompleteDraft { reason }));
}

#[test]
fn no_station_is_its_own_next() {
    let (one, other) = (agent(3).id(), agent(4).id());
    assert_eq!(sign(|draft| draft.via([one, other, one])), Ok(()));
    let reason = "a station of its path would be its own next";
    assert_eq!(sign(|draft| draft.via([one, one])), Err(Error::IncompleteDraft { reason }));
}

#[test]
fn an_envelope_lives_a_day_at_most() {
    const DAY: u64 = 24 * 60 * 60;
    assert_eq!(sign(|draft| draft.expires_in(Duration::from_secs(DAY))), Ok(()));
    let refused = Error::LifetimeTooLong { seconds: DAY + 1, maximum: DAY };
    assert_eq!(sign(|draft| draft.expires_in(Duration::from_secs(DAY + 1))), Err(refused));
}
