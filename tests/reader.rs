//! What a reader is told of an envelope that it has admitted.

use agent_envelope::{Draft, Error, Grant, Item, Kind, Principal, Resource};

use crate::support::{ISSUER, NOW, World, entropy, package, scope};

fn everything() -> Resource {
    "".parse().expect("the root of all resources")
}

#[test]
fn several_principals_authorize_jointly_only_if_each_of_them_does() {
    let world = World::new();
    let alice = Grant::new("alice", scope(&[(&["summarise"], "")]));
    let acme = Grant::new("acme", scope(&[(&["summarise"], ""), (&["mail.send"], "mail/outbox")]));
    let alice = world.issue(world.user.id(), alice, 1000);
    let acme = world.issue(world.user.id(), acme, 1001);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .authority(&alice)
        .authority(&acme)
        .clear(Kind::User, "text/plain", &b"for me and for the firm"[..])
        .sign(NOW, entropy(1002))
        .expect("two chains");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let Some(Item::Present(element)) = admitted.elements().next() else { panic!("it is clear") };

    let outbox = "mail/outbox".parse().expect("a resource");
    let [alice, acme] = ["alice", "acme"].map(|subject| Principal::new(ISSUER, subject));
    assert_eq!((acme.issuer(), acme.subject()), (ISSUER, "acme"));
    let both = element.authorize_jointly([acme, alice], "summarise", &everything());
    let both = both.expect("each of them may");
    assert_eq!(both.map(Principal::of), [acme, alice]);
    assert!(element.authorize_jointly([acme], "mail.send", &outbox).is_ok());

    let elsewhere = Principal::new("https://elsewhere.example", "alice");
    let nobody = Principal::new(ISSUER, "bob");
    for (principals, action, resource) in [
        ([acme, alice], "mail.send", &outbox),
        ([alice, acme], "mail.send", &outbox),
        ([acme, elsewhere], "summarise", &everything()),
        ([nobody, alice], "summarise", &everything()),
    ] {
        let refused = element.authorize_jointly(principals, action, resource).map(drop);
        assert!(
            matches!(refused, Err(Error::NotAuthorized { author, .. }) if author == world.user.id()),
            "{principals:?}: {refused:?}"
        );
    }
}

#[test]
fn a_reader_sees_the_form_of_content_and_the_size_of_what_is_sealed() {
    let world = World::new();
    let worker = package(&world.worker);
    let sent = Draft::new(&world.user)
        .to(world.worker.id())
        .clear(Kind::User, "text/markdown", &b"# hello"[..])
        .sealed(Kind::Artifact, "text/plain", &[7; 100][..], [&worker])
        .sealed(Kind::Artifact, "text/plain", &[7; 101][..], [&worker])
        .sign(NOW, entropy(1010))
        .expect("an envelope");
    let mut inbox = world.inbox(world.worker.id());
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let items: Vec<_> = admitted.elements().collect();
    let [Item::Present(clear), Item::Sealed(sealed), Item::Sealed(longer)] = &items[..] else {
        panic!("one is clear and two are sealed")
    };
    assert_eq!((clear.content(), clear.content_type()), (&b"# hello"[..], "text/markdown"));
    // A salt, the content's type and the heads of three items.
    assert!((110..200).contains(&sealed.plain_size()), "{}", sealed.plain_size());
    assert_eq!(longer.plain_size(), sealed.plain_size() + 1);

    let shown = format!("{admitted:?}");
    assert!(shown.starts_with("Admitted { verified: "), "{shown}");
    assert!(shown.contains("admission: New"), "{shown}");
    let shown = format!("{clear:?}");
    assert!(shown.contains(&format!("{:?}", clear.provenance())), "{shown}");
}
