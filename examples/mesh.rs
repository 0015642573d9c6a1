//! A mesh: peers talk to each other directly, and the conversation changes shape while it goes on.
//!
//! Each peer has its own line of envelopes in the conversation, each one bound to the one before, so that a lost message,
//! a second history or a newcomer shows. A reader is let in late; a branch brings in a new party.

use agent_envelope::{
    AgentId, DelegationChain, Draft, Entropy, Error, Grant, Identity, Inbox, Item, Kind, Limits,
    Permission, Resource, Revocations, Scope, SigningKey, Standing, Subjects, Timestamp,
    TrustAnchor, TrustAnchors, Verifier,
};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let now = Timestamp::now()?;
    let [ada, ben, cleo, dan] = [agent()?, agent()?, agent()?, agent()?];
    let names = [(ada.id(), "Ada"), (ben.id(), "Ben"), (cleo.id(), "Cleo"), (dan.id(), "Dan")];
    let name =
        |id: AgentId| names.iter().find(|(known, _)| *known == id).map_or("?", |(_, name)| name);
    let hour = Duration::from_secs(3600);
    let [ben_box, cleo_box, dan_box] =
        [ben.key_package(now, hour)?, cleo.key_package(now, hour)?, dan.key_package(now, hour)?];

    // One lab vouches for each peer; nobody stands above the others.
    let lab = SigningKey::generate(Entropy::from_os()?);
    let talk = Scope::new([Permission::new(["discuss"], &Resource::everything())?])?;
    let anchor = TrustAnchor::new(lab.id(), "https://lab.example", Subjects::Any, talk.clone())?;
    let vouch = |peer: &Identity, subject: &str| {
        let grant = Grant::new(subject, talk.clone());
        DelegationChain::issue(&lab, &anchor, peer.id(), grant, now, Entropy::from_os()?)
    };
    let [for_ada, for_ben] = [vouch(&ada, "ada@lab")?, vouch(&ben, "ben@lab")?];
    let inbox = |me: &Identity| {
        let anchors = TrustAnchors::new([anchor.clone()])?;
        Verifier::new(me.id(), None, anchors, Revocations::none(), Limits::default())
            .map(Inbox::new)
    };
    let [mut ada_in, mut ben_in, mut cleo_in, mut dan_in] =
        [inbox(&ada)?, inbox(&ben)?, inbox(&cleo)?, inbox(&dan)?];

    println!("Ada opens a conversation with Ben and Cleo");
    let first = Draft::new(&ada)
        .to([ben.id(), cleo.id()])
        .authority(&for_ada)
        .sealed(Kind::Assistant, "text/plain", &b"Run 12 is odd."[..], [&ben_box, &cleo_box])
        .sign(now, Entropy::from_os()?)?;
    ada_in.record_sent(&first);
    for (inbox, me) in [(&mut ben_in, &ben), (&mut cleo_in, &cleo)] {
        let received = inbox.receive(first.as_bytes(), now)?;
        for item in received.elements() {
            let Item::Sealed(sealed) = item else { continue };
            let text = sealed.open(me)?;
            println!("  {} reads: {}", name(me.id()), String::from_utf8_lossy(text.content()));
        }
        println!("  {} sees that it {}", name(me.id()), standing(received.standing()));
    }

    println!("Ada goes on, twice; the second of the three never reaches Cleo");
    let second = Draft::in_conversation(&ada, &first.line())
        .authority(&for_ada)
        .clear(Kind::Assistant, "text/plain", &b"It repeats in run 13."[..])
        .sign(now, Entropy::from_os()?)?;
    // What she says now is sealed to Ben alone, though Cleo is a party too.
    let third = Draft::in_conversation(&ada, &second.line())
        .authority(&for_ada)
        .sealed(Kind::Artifact, "text/plain", &b"run 13: 4.2 V"[..], [&ben_box])
        .sign(now, Entropy::from_os()?)?;
    ada_in.record_sent(&second);
    ada_in.record_sent(&third);
    let received = ben_in.receive(second.as_bytes(), now)?;
    println!("  Ben sees that it {}", standing(received.standing()));
    let received = ben_in.receive(third.as_bytes(), now)?;
    println!("  Ben sees that it {}", standing(received.standing()));

    println!("Ben lets Cleo read what was sealed to him, and passes it on");
    let mut opener = received.opener(&ben)?;
    let sealed = received.elements().find_map(|item| match item {
        Item::Sealed(sealed) => Some(sealed),
        Item::Present(_) | Item::Absent(_) => None,
    });
    let audience = opener.audience(&sealed.expect("Ada sealed one"))?;
    let passed_on = received
        .onward(&ben)
        .authority(&for_ben)
        .let_in(&audience, [&cleo_box])
        .clear(Kind::Assistant, "text/plain", &b"Cleo, look at this."[..])
        .next(cleo.id())
        .sign(now, Entropy::from_os()?)?;
    let received = cleo_in.receive(&passed_on, now)?;
    for item in received.elements() {
        let author = name(item.provenance().author());
        match item {
            Item::Sealed(sealed) => {
                let text = sealed.open(&cleo)?;
                println!(
                    "  Cleo opens what {author} wrote: {}",
                    String::from_utf8_lossy(text.content())
                );
            }
            Item::Present(present) => {
                println!(
                    "  Cleo reads what {author} wrote: {}",
                    String::from_utf8_lossy(present.content())
                );
            }
            Item::Absent(_) => println!("  Cleo misses something that {author} wrote"),
        }
    }
    println!("  Cleo sees that it {}", standing(received.standing()));

    println!("Ada brings in Dan, which makes it another conversation");
    let branch = Draft::branching_from(&ada, &third.line())
        .to([ben.id(), cleo.id(), dan.id()])
        .authority(&for_ada)
        .sealed(
            Kind::Assistant,
            "text/plain",
            &b"Dan, you built it."[..],
            [&ben_box, &cleo_box, &dan_box],
        )
        .sign(now, Entropy::from_os()?)?;
    ada_in.record_sent(&branch);
    for (inbox, me) in [(&mut ben_in, &ben), (&mut dan_in, &dan)] {
        let received = inbox.receive(branch.as_bytes(), now)?;
        println!("  {} sees that it {}", name(me.id()), standing(received.standing()));
    }
    Ok(())
}

fn standing(standing: Option<Standing>) -> &'static str {
    match standing {
        Some(Standing::Continues) => "follows what came before",
        Some(Standing::Gap { .. }) => "builds on something that never arrived",
        Some(Standing::Fork { .. }) => "contradicts an earlier one: two histories by one author",
        Some(Standing::Branch { .. }) => {
            "leaves a conversation that is known here, for new parties"
        }
        Some(Standing::Joined) => "has a past that is not known here",
        _ => "has no place in a conversation",
    }
}

fn agent() -> Result<Identity, Error> {
    Ok(Identity::generate(Entropy::from_os()?))
}
