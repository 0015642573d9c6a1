//! Limits over a whole envelope are reached while it is read, not after everything has been read.

use agent_envelope::{
    DelegationChain, Draft, Entropy, Envelope, Error, Grant, Identity, Kind, Limits, Permission,
    Scope, Subjects, Timestamp, TrustAnchor,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

#[test]
fn a_chain_too_many_is_not_even_read() -> Result<(), Error> {
    let (login, user, worker) = (agent(1), agent(2), agent(3));
    let scope = Scope::new([Permission::new(["mail.read"], &"mail".parse()?)?])?;
    let anchor = TrustAnchor::new(login.id(), "login.example", Subjects::Any, scope.clone())?;
    let chain = |subject: &str, seed: u8| {
        let (grant, entropy) = (Grant::new(subject, scope.clone()), Entropy::new([seed; 32])?);
        DelegationChain::issue(login.signing_key(), &anchor, user.id(), grant, NOW, entropy)
    };
    let (first, second) = (chain("alice", 4)?, chain("bob", 5)?);
    let sent = Draft::new(&user)
        .to(worker.id())
        .authority(&first)
        .authority(&second)
        .clear(Kind::User, "text/plain", &b"hello"[..])
        .sign(NOW, Entropy::new([6; 32])?)?;

    let size = second.as_bytes().len();
    let at = sent.as_bytes().windows(size).position(|window| window == second.as_bytes());
    let at = at.expect("the envelope carries the chain");
    let with = |offset: usize, byte: u8| {
        let mut bytes = sent.as_bytes().to_vec();
        bytes[offset] = byte;
        bytes
    };
    let decode = |bytes: &[u8], limits: &Limits| Envelope::decode(bytes, limits).map(|_| ());
    let mut one_chain = Limits::default();
    one_chain.chains = 1;
    let mut one_signature = Limits::default();
    one_signature.signatures = 1;

    // What the second chain holds is no chain any more: reading it would be an encoding error.
    let empty = with(at, 0x80);
    let no_links = Err(Error::Empty { offset: at, what: "delegation chain" });
    assert_eq!(decode(&empty, &Limits::default()), no_links);
    let refused = Error::LimitExceeded { what: "delegation chains", limit: 1, found: 2 };
    assert_eq!(decode(&empty, &one_chain), Err(refused));
    // Its signatures count once it has been read.
    assert_eq!(decode(&empty, &one_signature), no_links);
    let refused = Error::LimitExceeded { what: "signatures", limit: 1, found: 2 };
    assert_eq!(decode(sent.as_bytes(), &one_signature), Err(refused));
    // It counts as a chain when it is opened, for which it must be a byte string; its head has two bytes.
    let endless = with(at - 2, 0x5f);
    assert_eq!(decode(&endless, &one_chain), Err(Error::IndefiniteLength { offset: at - 2 }));
    Ok(())
}
