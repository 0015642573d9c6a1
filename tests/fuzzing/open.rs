//! Sealed envelopes that their author, or a reader who passes them on, has worked on and signed again: whatever opens is what
//! was sealed, in the place it was sealed for.

use std::sync::OnceLock;

use crate::adversary::cbor::{Item, bytes, uint};
use crate::adversary::forge::{self, Forgery};
use crate::adversary::{self, Agent};
use crate::support::NOW;
use agent_envelope::{Draft, Entropy, Error, Inbox, Item as Received, Kind, NewElement};
use arbitrary::{Result, Unstructured};

struct Sealed {
    world: adversary::World,
    author: Agent,
    readers: [Agent; 2],
    /// Two envelopes of the author's, and the content of each of their elements.
    envelopes: [(Forgery, Vec<Option<&'static [u8]>>); 2],
}

fn sealed() -> &'static Sealed {
    static SEALED: OnceLock<Sealed> = OnceLock::new();
    SEALED.get_or_init(|| {
        let (author, readers) = (Agent::new("author"), [Agent::new("one"), Agent::new("other")]);
        let world = adversary::World::new();
        let chain = world.authority(&author);
        let packages = readers.each_ref().map(Agent::package);
        let [one, other] = packages.each_ref();
        let envelopes = [&b"first"[..], b"second"].map(|name| {
            let sent = Draft::new(&author.identity)
                .to(readers.each_ref().map(Agent::id))
                .authority(&chain)
                .sealed(Kind::User, "text/plain", &b"for both"[..], [one, other])
                .sealed(Kind::Artifact, "text/plain", name, [one])
                .element(NewElement::sealed(Kind::Memory, "", &b""[..], [one, other]).elidable())
                .sealed(Kind::Artifact, "text/plain", &b"for the other"[..], [other])
                .clear(Kind::Memory, "text/plain", &b"for everybody"[..])
                .sign(NOW, Entropy::new(adversary_seed(name)).expect("not all zero"))
                .expect("a complete draft");
            let forgery = Forgery::of(sent.as_bytes());
            let mut contents =
                [&b"for both"[..], name, b"", b"for the other", b"for everybody"].into_iter();
            let is_content = |kind: &Item| matches!(kind, Item::Uint(0..64));
            let contents = forgery.elements.iter().map(|element| {
                let content = element.record.get(1).is_some_and(is_content);
                content.then(|| contents.next()).flatten()
            });
            let contents = contents.collect();
            (forgery, contents)
        });
        Sealed { world, author, readers, envelopes }
    })
}

fn adversary_seed(name: &[u8]) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..name.len()].copy_from_slice(name);
    seed
}

pub(crate) fn run(data: &[u8]) {
    let _ = work(&mut Unstructured::new(data));
}

fn work(input: &mut Unstructured<'_>) -> Result<()> {
    let sealed = sealed();
    let (original, _) = &sealed.envelopes[0];
    let mut forgery = original.clone();
    let honest = input.is_empty();
    let mut passed_on = false;
    while !input.is_empty() {
        let act = input.arbitrary::<u8>()?;
        let (length, other) = (forgery.elements.len(), &sealed.envelopes[1].0);
        let at = |input: &mut Unstructured<'_>| -> Result<usize> {
            Ok(usize::from(input.arbitrary::<u8>()?) % length.max(1))
        };
        if length == 0 || length > 30 {
            break;
        }
        match act % 12 {
            0 => {
                let at = at(input)?;
                flip(input, &mut forgery.elements[at].body)?;
            }
            1 => {
                let (from, to) = (at(input)?, at(input)?);
                forgery.elements[to].body = forgery.elements[from].body.clone();
            }
            2 => {
                let (from, to) = (at(input)? % other.elements.len(), at(input)?);
                forgery.elements[to].body.clone_from(&other.elements[from].body);
            }
            3 => {
                let (one, two) = (at(input)?, at(input)?);
                forgery.elements.swap(one, two);
            }
            4 => {
                let (from, to) = (at(input)?, at(input)?);
                let again = forgery.elements[from].clone();
                forgery.elements.insert(to, again);
            }
            5 => {
                forgery.elements.remove(at(input)?);
            }
            6 => {
                let (from, to) = (at(input)? % other.elements.len(), at(input)?);
                forgery.elements.insert(to, other.elements[from].clone());
            }
            7 => {
                let (index, audience) = (at(input)?, at(input)?);
                if forgery.elements[index].record.get(3).is_some() {
                    forgery.reseal_to(index, audience);
                }
            }
            8 => {
                let kind = input.arbitrary::<u8>()?;
                forgery.elements[at(input)?].record.set(1, uint(kind.into()));
            }
            9 => {
                let (from, to) = (at(input)?, at(input)?);
                let commit = forgery.elements[from].record.get(2).cloned().unwrap_or(Item::Null);
                forgery.elements[to].record.set(2, commit);
            }
            10 => {
                let at = at(input)?;
                recipients(input, at, &mut forgery, original)?;
            }
            _ => {
                let key = input.arbitrary::<u8>()?;
                match key % 4 {
                    0 => forgery.header = other.header.clone(),
                    1 => forgery.header.set(6, uint(NOW.as_unix_seconds() + u64::from(key))),
                    2 => forgery.elements[at(input)?].record.set(5, uint(1)),
                    _ => {
                        passed_on = true;
                        break;
                    }
                }
            }
        }
    }
    let bytes = if passed_on {
        // One of the readers adds what it got as its own.
        let elements = original.elements.len();
        let taken: Vec<_> = forgery.elements.iter().take(8).cloned().collect();
        let mut onward = original.clone();
        onward.elements.extend(taken);
        let [one, reader] = &sealed.readers;
        consistent(&mut onward, elements, one);
        onward.add_hop(one, one.id(), &[reader.id()]);
        onward.encode()
    } else {
        consistent(&mut forgery, 0, &sealed.author);
        forgery.sealed_by_originator(&sealed.author)
    };
    for reader in &sealed.readers {
        read(&bytes, reader, honest);
    }
    Ok(())
}

/// Lets the records of an author's elements, from the first of them on, say what their bodies are.
fn consistent(forgery: &mut Forgery, from: usize, author: &Agent) {
    for element in forgery.elements.iter_mut().skip(from) {
        let Some(body) = element.body.clone() else { continue };
        match (element.record.get(1), element.record.get(3).cloned()) {
            (Some(Item::Uint(kind @ 64..96)), _) => {
                let commit = forge::control_commit(&author.id(), *kind, &body);
                element.record.set(2, bytes(commit));
            }
            (_, Some(Item::Array(mut to))) => {
                to[1] = bytes(forge::hash("sealed", [bytes(&body)]));
                element.record.set(3, Item::Array(to));
            }
            _ => {}
        }
    }
}

fn flip(input: &mut Unstructured<'_>, body: &mut Option<Vec<u8>>) -> Result<()> {
    let (at, with) = (usize::from(input.arbitrary::<u16>()?), input.arbitrary::<u8>()?);
    if let Some(body) = body
        && !body.is_empty()
    {
        let at = at % body.len();
        body[at] ^= with;
    }
    Ok(())
}

/// Changes who is let into an audience, if the element is one as it was made.
fn recipients(
    input: &mut Unstructured<'_>,
    at: usize,
    forgery: &mut Forgery,
    original: &Forgery,
) -> Result<()> {
    let element = &mut forgery.elements[at];
    let audience = uint(65);
    let made = original
        .elements
        .iter()
        .any(|one| one.record.get(1) == Some(&audience) && one.body == element.body);
    if !made {
        return Ok(());
    }
    let mut audience = Item::read(element.body.as_deref().unwrap_or_default());
    let all = audience.items()[1].items()[3].items();
    let (act, index) =
        (input.arbitrary::<u8>()?, usize::from(input.arbitrary::<u8>()?) % all.len());
    match act % 4 {
        0 => all.swap(0, index),
        1 => {
            let again = all[index].clone();
            all.push(again);
        }
        2 => {
            all.remove(index);
        }
        _ => {
            let parts = (all.len() - 1, usize::from(act / 4) % 3);
            let part = all[parts.0].items()[parts.1].clone();
            all[index].items()[parts.1] = part;
        }
    }
    element.body = Some(audience.encode());
    Ok(())
}

fn read(envelope: &[u8], reader: &Agent, honest: bool) {
    let sealed = sealed();
    let mut inbox: Inbox = sealed.world.inbox(reader);
    let admitted = match inbox.receive(envelope, NOW) {
        Ok(admitted) => admitted,
        Err(error) => {
            assert!(!honest, "{error}");
            super::refused(&error, envelope);
            return;
        }
    };
    let found = Forgery::of(envelope);
    // Whoever takes all of another envelope of the author's, its header included, has that envelope.
    let made = sealed.envelopes.iter().find(|(made, _)| made.header == found.header);
    let mut opener = admitted.opener(&reader.identity).expect("the reader's own inbox");
    let mut opened = 0;
    for item in admitted.elements() {
        let index = item.provenance().index();
        let content = match &item {
            Received::Sealed(one) => match opener.open(one) {
                Ok(plain) => plain.content().to_vec(),
                Err(error) => {
                    assert_eq!(error, Error::CannotOpen { element: index });
                    continue;
                }
            },
            Received::Present(present) => present.content().to_vec(),
            Received::Absent(_) => continue,
        };
        opened += 1;
        if !matches!(item, Received::Sealed(_)) {
            let mut contents = sealed.envelopes.iter().flat_map(|(_, contents)| contents).flatten();
            let said = contents.any(|made| *made == content);
            assert!(said, "clear content that nobody wrote");
            continue;
        }
        // It was sealed for this place in this envelope, after exactly these elements.
        let (original, contents) = made.expect("a header under which something was sealed");
        assert_eq!(contents.get(index).copied().flatten(), Some(&content[..]));
        for (one, made) in found.elements.iter().zip(&original.elements).take(index) {
            assert_eq!(one.record, made.record);
        }
        let (one, made) = (&found.elements[index].record, &original.elements[index].record);
        assert_eq!((one.get(1), one.get(2)), (made.get(1), made.get(2)));
        assert_eq!(item.provenance().author(), sealed.author.id());
    }
    assert!(!honest || opened == 4, "{opened} of the four for {} opened", reader.name);
}
