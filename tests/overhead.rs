//! What an envelope costs in bytes: measured, and compared with the table in the README.

use std::time::Duration;

use agent_envelope::budget::{Amounts, Dimension, Funded, Ledger, Split, Terms};
use agent_envelope::{
    Allotment, Budget, DelegationChain, Draft, Entropy, Envelope, Error, Grant, Identity, Inbox,
    KeyPackage, Kind, Limits, Narrow, Permission, Revocations, Scope, Subjects, Timestamp,
    TrustAnchor, TrustAnchors, Verifier,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const CONTENT: &[u8] = &[b'x'; 1000];

fn entropy(byte: u8) -> Result<Entropy, Error> {
    Entropy::new([byte; 32])
}

fn agent(byte: u8) -> Identity {
    Identity::from_seeds(&[byte; 32], &[byte + 100; 32])
}

/// Hop 0 by agent 1 to agent 2, with what `with` adds.
fn size<'d>(from: &'d Identity, with: impl FnOnce(Draft<'d>) -> Draft<'d>) -> Result<usize, Error> {
    let draft = with(Draft::new(from).to(agent(2).id()));
    Ok(draft.sign(NOW, entropy(9)?)?.as_bytes().len())
}

fn clear(draft: Draft<'_>) -> Draft<'_> {
    draft.clear(Kind::Assistant, "text/plain", CONTENT)
}

fn sealed<'d>(draft: Draft<'d>, readers: &'d [KeyPackage]) -> Draft<'d> {
    draft.sealed(Kind::Assistant, "text/plain", CONTENT, readers)
}

#[test]
fn the_table_in_the_readme_is_what_is_measured() -> Result<(), Error> {
    let me = agent(1);
    let one_clear = size(&me, clear)?;
    let mut rows = vec![("one clear element, one hop", one_clear - CONTENT.len())];

    let hour = Duration::from_secs(3600);
    let packages = [agent(2).key_package(NOW, hour)?, agent(3).key_package(NOW, hour)?];
    let one_sealed = size(&me, |draft| sealed(draft, &packages[..1]))?;
    rows.push(("one element sealed to one reader, one hop", one_sealed - CONTENT.len()));
    let two_clear = size(&me, |draft| clear(clear(draft)))?;
    rows.push(("each further clear element", two_clear - one_clear - CONTENT.len()));
    let two_sealed = size(&me, |draft| sealed(sealed(draft, &packages[..1]), &packages[..1]))?;
    rows.push((
        "each further element sealed to the same readers",
        two_sealed - one_sealed - CONTENT.len(),
    ));
    let two_readers = size(&me, |draft| sealed(draft, &packages))?;
    rows.push(("each further reader", two_readers - one_sealed));
    rows.extend(hops(&me)?);
    rows.extend(chains(&me, one_clear)?);
    let package = me.key_package(NOW, hour)?;
    let with_package = size(&me, |draft| clear(draft.key_package(&package)))?;
    rows.push(("the sender's key package", with_package - one_clear));
    rows.extend(budgets(&me, one_clear)?);

    let table: String =
        rows.iter().map(|(what, bytes)| format!("| {what} | {bytes} |\n")).collect();
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- overhead -->\n").expect("the table has its mark");
    let (stated, _) = rest.split_once("\n\n").expect("the table ends");
    let stated: Vec<_> = stated.lines().skip(2).collect();
    assert_eq!(stated, table.lines().collect::<Vec<_>>(), "the table would be\n{table}");
    Ok(())
}

fn hops(me: &Identity) -> Result<Vec<(&'static str, usize)>, Error> {
    let sent =
        clear(Draft::new(me).to(agent(2).id()).next(agent(3).id())).sign(NOW, entropy(9)?)?;
    let scope = Scope::new([Permission::new(["x"], &"".parse()?)?])?;
    let anchors = TrustAnchors::new([TrustAnchor::new(me.id(), "me", Subjects::Any, scope)?])?;
    let relay = agent(3);
    let verifier =
        Verifier::new(relay.id(), None, anchors, Revocations::none(), Limits::default())?;
    let route =
        Envelope::decode(sent.as_bytes(), verifier.limits())?.verify_as_relay(&verifier, NOW)?;
    let onward = route.forward(&relay, agent(2).id(), NOW)?;
    Ok(vec![("each further hop", onward.len() - sent.as_bytes().len())])
}

fn chains(me: &Identity, without: usize) -> Result<Vec<(&'static str, usize)>, Error> {
    let (login, between) = (agent(4), agent(5));
    let scope = Scope::new([Permission::new(["mail.read"], &"mail/alice".parse()?)?])?;
    let anchor =
        TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, scope.clone())?;
    let issue = |holder, seed| {
        let grant = Grant::new("alice@example", scope.clone()).depth(1);
        DelegationChain::issue(login.signing_key(), &anchor, holder, grant, NOW, entropy(seed)?)
    };
    let root = issue(me.id(), 6)?;
    let one = size(me, |draft| clear(draft.authority(&root)))?;
    let longer = issue(between.id(), 7)?.extend(
        between.signing_key(),
        me.id(),
        Narrow::default(),
        NOW,
        entropy(8)?,
    )?;
    let two = size(me, |draft| clear(draft.authority(&longer)))?;
    Ok(vec![
        ("a delegation chain of one link", one - without),
        ("each further link that narrows nothing", two - one),
    ])
}

fn budgets(me: &Identity, without: usize) -> Result<Vec<(&'static str, usize)>, Error> {
    let (worker, child) = (agent(2), agent(3));
    let deadline = NOW.saturating_add(Duration::from_secs(600));
    let amounts = |tokens, agents| {
        Amounts::new().with(Dimension::OUTPUT_TOKENS, tokens)?.with(Dimension::AGENTS, agents)
    };
    let terms = Terms::new(amounts(100_000, 4)?, deadline, 2);
    let scope = Scope::new([Permission::new(["x"], &"".parse()?)?])?;
    let anchor = TrustAnchor::new(me.id(), "me", Subjects::Any, scope)?.budget(terms.clone());
    let inbox = |agent| {
        let anchors = TrustAnchors::new([anchor.clone()])?;
        let verifier = Verifier::new(agent, None, anchors, Revocations::none(), Limits::default())?;
        Ok::<_, Error>(Inbox::new(verifier.dangerously_admit_untrusted_origins()))
    };
    let paid = clear(Draft::new(me).to(worker.id()))
        .allot(Allotment::new(worker.id(), terms))
        .sign(NOW, entropy(9)?)?
        .persisted();
    let mut received = inbox(worker.id())?;
    let mut received = received.receive(paid.as_bytes(), NOW)?;
    let Budget::Funded(funded) = received.take_funding() else {
        panic!("the sender is an anchor with a ceiling")
    };
    let funded: Funded = funded.into_iter().next().expect("one allotment");
    let mut ledger = Ledger::open(funded, &worker, NOW)?;
    let split = Split::new(child.id(), Terms::new(amounts(10_000, 1)?, deadline, 1));
    let below = clear(Draft::new(&worker).to(child.id()))
        .fund(&mut ledger, split, Amounts::new())
        .sign(NOW, entropy(10)?)?
        .persisted();
    let (root, split) = (paid.as_bytes().len(), below.as_bytes().len());
    Ok(vec![
        ("an allotment of two dimensions by an anchor", root - without),
        ("each further split that leads to it", split - root),
    ])
}
