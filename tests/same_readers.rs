//! Elements share an audience exactly if they have the same readers.

use agent_envelope::{Draft, Entropy, Error, Identity, Kind, Timestamp};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

#[test]
fn two_agents_with_each_others_keys_are_two_audiences() -> Result<(), Error> {
    let hour = Duration::from_secs(3600);
    let of = |signing: u8, sealing: u8| Identity::from_seeds(&[signing; 32], &[sealing; 32]);
    let user = of(1, 1);
    let (one, other) = (of(2, 4).key_package(NOW, hour)?, of(3, 5).key_package(NOW, hour)?);
    let (one_crossed, other_crossed) =
        (of(2, 5).key_package(NOW, hour)?, of(3, 4).key_package(NOW, hour)?);
    let size = |second: [&_; 2]| -> Result<usize, Error> {
        let sent = Draft::new(&user)
            .to([one.agent(), other.agent()])
            .sealed(Kind::Artifact, "text/plain", &b"first"[..], [&one, &other])
            .sealed(Kind::Artifact, "text/plain", &b"second"[..], second)
            .sign(NOW, Entropy::new([7; 32])?)?;
        Ok(sent.as_bytes().len())
    };
    let shared = size([&other, &one])?;
    assert!(size([&one_crossed, &other_crossed])? > shared + 300);
    Ok(())
}
