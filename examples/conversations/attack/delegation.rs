//! Chains that are widened, stolen, invented or revoked.

use std::time::Duration;

use agent_envelope::{
    DelegationChain, Draft, Envelope, Error, Grant, Kind, Limits, Narrow, Revocations, Sent,
    Subjects, TrustAnchor, TrustAnchors,
};

use super::Stage;
use super::forge::{Cbor, GRANT, Pieces, forge_link};
use crate::cast::{LOGIN, NOW, scope};

const AUTHORITY: u64 = 64;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (cast, chains) = (stage.cast, stage.chains);
    let limits = Limits::default();

    // D1 to D3: the planner signs links that the library would not make.
    let delete = || {
        let permission = vec![Cbor::Array(vec![Cbor::Text("delete".into())]), Cbor::Array(vec![])];
        Cbor::Array(vec![Cbor::Array(permission)])
    };
    let tools = chains.tools.as_bytes();
    let wide = forge_link(tools, &stage.planner, |link| link.get(&GRANT).set(1, delete()));
    stage.refused(
        "D1",
        "the planner hands on an action that it does not hold",
        "scope_widened",
        DelegationChain::verify(&wide, &limits),
    );
    let deep = forge_link(tools, &stage.planner, |link| link.get(&GRANT).set(2, Cbor::Uint(5)));
    stage.refused(
        "D2",
        "the planner allows more re-delegation than is left to it",
        "depth_exceeded",
        DelegationChain::verify(&deep, &limits),
    );
    let less = Narrow::default().depth(0);
    let (mallory, planner) = (stage.mallory.agent.id(), cast.planner.identity.signing_key());
    let leaf = chains.app.extend(
        cast.app.identity.signing_key(),
        cast.planner.id(),
        less,
        NOW,
        cast.counter.next(),
    )?;
    let got = leaf.extend(planner, mallory, Narrow::default(), NOW, cast.counter.next());
    stage.refused("D2", "the planner hands on what may not be handed on", "depth_exceeded", got);
    // The middle link says nothing about the scope; comparing neighbours would find nothing to exceed.
    let silent = chains.app.extend(
        cast.app.identity.signing_key(),
        cast.planner.id(),
        Narrow::default(),
        NOW,
        cast.counter.next(),
    )?;
    let last =
        silent.extend(planner, cast.tools.id(), Narrow::default(), NOW, cast.counter.next())?;
    let wide =
        forge_link(last.as_bytes(), &stage.planner, |link| link.get(&GRANT).set(1, delete()));
    stage.refused(
        "D3",
        "a link says nothing about scope, and the next one widens it",
        "scope_widened",
        DelegationChain::verify(&wide, &limits),
    );

    // D4, D5, D9: roots and signatures.
    let invented = invent(stage, "https://mallory.example")?;
    let note = stage.note(&stage.mallory.agent, Some(&invented))?;
    stage.refused(
        "D4",
        "a chain begins with a key that is no anchor",
        "untrusted_origin",
        stage.receive(&cast.tools, note.as_bytes()),
    );
    stage.refused(
        "D4",
        "a verifier is set up without any anchor",
        "no_anchors",
        TrustAnchors::new([]),
    );
    let forged = forge_link(tools, &stage.mallory.key, |_| {});
    stage.refused(
        "D5",
        "a link is signed by somebody who does not hold the one above it",
        "link_signature",
        DelegationChain::verify(&forged, &limits),
    );

    let got = steal(stage, &invented)?;
    stage.refused(
        "D6",
        "mallory puts the app's chain into an envelope of its own",
        "leaf_not_author",
        got,
    );

    revoke(stage)?;

    let invented = invent(stage, LOGIN)?;
    let note = stage.note(&stage.mallory.agent, Some(&invented))?;
    stage.refused(
        "D9",
        "mallory invents a chain and calls itself the login service",
        "untrusted_origin",
        stage.receive(&cast.tools, note.as_bytes()),
    );

    // D10: only in one conversation.
    let here = stage.note(&cast.app, Some(&chains.app))?;
    let grant = Grant::new(&chains.customer, scope(&["ask"])?).conversation(here.conversation());
    let bound = cast.issue_grant(grant, &cast.app)?;
    let elsewhere = stage.note(&cast.app, Some(&bound))?;
    stage.refused(
        "D10",
        "a chain that is bound to one conversation is used in another",
        "untrusted_origin",
        stage.receive(&cast.tools, elsewhere.as_bytes()),
    );

    // D12: authority shorter than the queue.
    let grant = Grant::new(&chains.customer, scope(&["ask"])?).lifetime(Duration::from_secs(10));
    let short = cast.issue_grant(grant, &cast.app)?;
    let queued = Draft::new(&cast.app.identity)
        .to(cast.tools.id())
        .authority(&short)
        .expires_in(Duration::from_secs(600))
        .clear(Kind::User, "text/plain", &b"later"[..])
        .sign(NOW, cast.counter.next())?;
    let later = NOW.saturating_add(Duration::from_secs(100));
    let got = cast.inbox(&cast.tools)?.receive(queued.as_bytes(), later).map(drop);
    stage.refused(
        "D12",
        "an agent's authority ends while its message waits in a queue",
        "untrusted_origin",
        got,
    );
    Ok(())
}

/// A chain from mallory's second key to its first.
fn invent(stage: &Stage<'_>, issuer: &str) -> Result<DelegationChain, Error> {
    let root = agent_envelope::SigningKey::from_seed(&[44; 32]);
    let may = scope(&["answer", "ask"])?;
    let anchor = TrustAnchor::new(root.id(), issuer, Subjects::Any, may.clone())?;
    let grant = Grant::new("customer-1", may).name("app");
    let holder = stage.mallory.agent.id();
    DelegationChain::issue(&root, &anchor, holder, grant, NOW, stage.cast.counter.next())
}

/// An envelope by mallory that carries the app's chain in the place of mallory's own.
fn steal(stage: &Stage<'_>, own: &DelegationChain) -> Result<Result<(), Error>, Error> {
    let note: Sent = stage.note(&stage.mallory.agent, Some(own))?;
    let mut pieces = Pieces::of(note.as_bytes());
    let (authority, count) = (pieces.find(AUTHORITY), pieces.elements.len());
    let stolen = Cbor::Bytes(stage.chains.app.as_bytes().to_vec());
    pieces.elements[authority].items()[1] = stolen;
    pieces.recommit_control(authority, stage.mallory.agent.id());
    pieces.resign(0, count, &stage.mallory.key);
    Ok(stage.receive(&stage.cast.tools, &pieces.join()))
}

/// D8: what has been taken back.
fn revoke(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (cast, chains) = (stage.cast, stage.chains);
    let request = stage.request()?;
    let planned = stage.planned(request.as_bytes())?;
    let read = |revocations| {
        let verifier = cast.verifier_with(&cast.tools, revocations)?;
        Envelope::decode(&planned, &Limits::default())?.verify_as_reader(&verifier, NOW).map(drop)
    };
    let got = read(Revocations::none().key(cast.planner.id()));
    stage.refused("D8", "the planner's key has been revoked", "signer_revoked", got);
    let got = read(Revocations::none().link(chains.app.id()));
    stage.refused("D8", "the app's grant has been revoked", "untrusted_origin", got);
    let old = Revocations::as_of(
        NOW.saturating_sub(Duration::from_secs(7200)),
        Duration::from_secs(3600),
    );
    let got = read(old);
    stage.refused(
        "D8",
        "somebody rolls the revocation list back by two hours",
        "revocations_stale",
        got,
    );
    Ok(())
}
