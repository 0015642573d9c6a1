//! Envelopes that somebody without the keys has worked on, in all three roles: whatever is accepted was signed as it is.

use std::sync::OnceLock;

use crate::adversary::Agent;
use crate::adversary::cbor::{Item, bytes, uint};
use crate::adversary::forge::{self, AUTHORITY, Element, Forgery};
use crate::support::{Case, NOW, World, corpus, identity};
use agent_envelope::{
    AgentId, Aids, AuthorityCache, Envelope, Error, Limits, Observer, Reader, Relay, Revocations,
    Role, Timestamp, TrustAnchors, Verifier,
};
use arbitrary::{Result, Unstructured};

struct Known {
    cases: Vec<(Case, Forgery)>,
    /// For each agent, one that admits origins without authority and one that does not.
    verifiers: Vec<[Verifier; 2]>,
    mallory: Agent,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let world = World::new();
        let cases = corpus(&world).into_iter().map(|case| {
            let forgery = Forgery::of(&case.bytes);
            (case, forgery)
        });
        let anchors = TrustAnchors::new([world.anchor.clone()]).expect("one anchor");
        let verifiers = (2..=5).map(|agent| {
            let verifier = Verifier::new(
                identity(agent).id(),
                Some(crate::support::AUDIENCE),
                anchors.clone(),
                Revocations::none(),
                Limits::default(),
            )
            .expect("limits that admit something");
            [verifier.clone().dangerously_admit_untrusted_origins(), verifier]
        });
        Known {
            cases: cases.collect(),
            verifiers: verifiers.collect(),
            mallory: Agent::new("mallory"),
        }
    })
}

pub(crate) fn run(data: &[u8]) {
    let _ = attack(&mut Unstructured::new(data));
}

/// Reads: form, verifier, clock; then the bytes, or an envelope of the corpus and what is done to it.
fn attack(input: &mut Unstructured<'_>) -> Result<()> {
    let (form, agent, clock) =
        (input.arbitrary::<u8>()?, input.arbitrary::<u8>()?, input.arbitrary::<u8>()?);
    let known = known();
    let (bytes, signed) =
        if form % 4 == 0 { (input.bytes(input.len())?.to_vec(), false) } else { forged(input)? };
    // A stranger may say what it likes in its own name to those who listen to strangers.
    let [listens, strict] = &known.verifiers[usize::from(agent) % known.verifiers.len()];
    let verifier = if signed { strict } else { listens };
    let seconds = NOW.as_unix_seconds() + u64::from(clock % 128) - 32;
    let now = Timestamp::from_unix_seconds(seconds);
    let accepted = [
        verify::<Observer>(&bytes, verifier, now),
        verify::<Relay>(&bytes, verifier, now),
        verify::<Reader>(&bytes, verifier, now),
    ];
    for pair in accepted.windows(2) {
        assert!(pair[0].is_ok() || pair[1].is_err(), "the narrower role alone accepts");
    }
    if accepted[0].is_ok() {
        assert_signed(&bytes);
    }
    if form % 8 >= 4 {
        // What a cache remembers of an honest envelope changes no answer.
        let mut cache = AuthorityCache::new(16);
        let (case, _) = &known.cases[usize::from(form / 8) % known.cases.len()];
        let honest = Envelope::decode(&case.bytes, verifier.limits()).expect("a known envelope");
        let mut aids = Aids::default();
        aids.cache = Some(&mut cache);
        let _ = honest.verify_with::<Observer>(verifier, NOW, aids);
        if let Ok(envelope) = Envelope::decode(&bytes, verifier.limits()) {
            let mut aids = Aids::default();
            aids.cache = Some(&mut cache);
            let again = envelope.verify_with::<Observer>(verifier, now, aids).map(|_| ());
            assert_eq!(again, accepted[0]);
        }
    }
    Ok(())
}

fn verify<R: Role>(
    bytes: &[u8],
    verifier: &Verifier,
    now: Timestamp,
) -> std::result::Result<(), Error> {
    let refused = match Envelope::decode(bytes, verifier.limits()) {
        Err(error) => error,
        Ok(envelope) => match envelope.verify_with::<R>(verifier, now, Aids::default()) {
            Ok(verified) => {
                assert_eq!(verified.as_bytes(), bytes);
                let _ = format!("{:?}", verified.elements().collect::<Vec<_>>());
                return Ok(());
            }
            Err(error) => error,
        },
    };
    super::refused(&refused, bytes);
    Err(refused)
}

/// Sees to it that an envelope is one of those that were made, up to one of its hops, with bodies that its hops list there or
/// not.
fn assert_signed(bytes: &[u8]) {
    let found = Forgery::of(bytes);
    let header = found.header.encode();
    let original = known().cases.iter().map(|(_, case)| case);
    let original = original.filter(|case| case.header.encode() == header).find(|case| {
        let same =
            |element: &Element, made: &Element| element.record.encode() == made.record.encode();
        case.hops.starts_with(&found.hops)
            && found.elements.len() <= case.elements.len()
            && found.elements.iter().zip(&case.elements).all(|(one, made)| same(one, made))
    });
    let original = original.expect("somebody signed it");
    let hops = found.hops.len();
    let last = found.hop(hops - 1);
    assert_eq!(last.get(4), Some(&forge::size(found.elements.len())));
    for (index, (element, made)) in found.elements.iter().zip(&original.elements).enumerate() {
        let listed = (0..hops).any(|hop| match found.hop(hop).get(6) {
            Some(Item::Array(listed)) => listed.contains(&forge::size(index)),
            _ => false,
        });
        let unchanged = element.body == made.body;
        assert!(unchanged || listed && element.body.is_none(), "element {index}");
    }
}

/// What a forger does to an envelope, and whether it signed anything itself.
fn forged(input: &mut Unstructured<'_>) -> Result<(Vec<u8>, bool)> {
    let known = known();
    let pick = |input: &mut Unstructured<'_>| -> Result<&Forgery> {
        Ok(&known.cases[usize::from(input.arbitrary::<u8>()?) % known.cases.len()].1)
    };
    let mut forgery = pick(input)?.clone();
    let mut signed = false;
    let mut flips = Vec::new();
    while !input.is_empty() {
        let act = input.arbitrary::<u8>()?;
        let (elements, hops) = (forgery.elements.len(), forgery.hops.len());
        let at = |input: &mut Unstructured<'_>, length: usize| -> Result<Option<usize>> {
            let byte = usize::from(input.arbitrary::<u8>()?);
            Ok((length > 0).then(|| byte % length))
        };
        match act % 20 {
            0 => {
                let key = i64::from(input.arbitrary::<u8>()? % 13);
                let other = &pick(input)?.header;
                forgery.header.set(key, item(input, other)?);
            }
            1 => forgery.header.remove(i64::from(input.arbitrary::<u8>()? % 13)),
            2 => forgery.header = pick(input)?.header.clone(),
            3 => {
                if let (Some(one), Some(other)) = (at(input, elements)?, at(input, elements)?) {
                    forgery.elements.swap(one, other);
                }
            }
            4 => {
                if let Some(index) = at(input, elements)? {
                    let again = forgery.elements[index].clone();
                    forgery.elements.insert(index, again);
                }
            }
            5 => {
                if let Some(index) = at(input, elements)? {
                    forgery.elements.remove(index);
                }
            }
            6 => {
                let from = &pick(input)?.elements;
                if let (Some(index), Some(to)) = (at(input, from.len())?, at(input, elements + 1)?)
                {
                    forgery.elements.insert(to, from[index].clone());
                }
            }
            7 => {
                if let Some(index) = at(input, elements)? {
                    forgery.elements[index].body = None;
                }
            }
            8 => {
                let from = &pick(input)?.elements;
                if let (Some(index), Some(to)) = (at(input, from.len())?, at(input, elements)?) {
                    forgery.elements[to].body.clone_from(&from[index].body);
                }
            }
            9 => {
                if let Some(index) = at(input, elements)?
                    && let Some(body) = &mut forgery.elements[index].body
                {
                    flip(input, body)?;
                }
            }
            10 => {
                if let Some(index) = at(input, elements)? {
                    let key = i64::from(input.arbitrary::<u8>()? % 7);
                    let other = &pick(input)?.header;
                    forgery.elements[index].record.set(key, item(input, other)?);
                }
            }
            11 => {
                if let Some(index) = at(input, elements)? {
                    forgery.elements[index].record.remove(i64::from(input.arbitrary::<u8>()? % 7));
                }
            }
            12 => {
                if let Some(hop) = at(input, hops)? {
                    let key = i64::from(input.arbitrary::<u8>()? % 8);
                    let other = &pick(input)?.header;
                    let value = item(input, other)?;
                    forgery.edit_hop(hop, |payload| payload.set(key, value));
                }
            }
            13 => {
                if let Some(hop) = at(input, hops)? {
                    let key = i64::from(input.arbitrary::<u8>()? % 8);
                    forgery.edit_hop(hop, |payload| payload.remove(key));
                }
            }
            14 => {
                let from = &pick(input)?.hops;
                if let (Some(index), Some(to)) = (at(input, from.len())?, at(input, hops + 1)?) {
                    forgery.hops.insert(to, from[index].clone());
                }
            }
            15 => {
                if hops > 1
                    && let Some(hop) = at(input, hops)?
                {
                    forgery.hops.remove(hop);
                }
            }
            16 => {
                if let Some(hop) = at(input, hops)? {
                    let mut signature = forge::statement_part(&forgery.hops[hop], 3).to_vec();
                    resign(input, &mut signature)?;
                    forgery.hops[hop].items()[3] = bytes(signature);
                }
            }
            17 => {
                // What the last hop says of the elements becomes true, and its signature false.
                let (count, last) = (forgery.elements.len(), hops - 1);
                let head = forgery.head(count);
                forgery.edit_hop(last, |hop| {
                    hop.set(4, forge::size(count));
                    hop.set(5, bytes(head));
                });
            }
            18 => {
                signed = true;
                by_mallory(input, &mut forgery)?;
            }
            _ => {
                if flips.len() < 4 {
                    flips.push(input.arbitrary::<u32>()?);
                }
            }
        }
        if forgery.elements.len() > 40 || forgery.hops.len() > 20 {
            break;
        }
    }
    let mut encoded = forgery.encode();
    for flip in flips {
        let bit = usize::try_from(flip).expect("32 bits") % (8 * encoded.len());
        encoded[bit / 8] ^= 1 << (bit % 8);
    }
    Ok((encoded, signed))
}

/// A value to put into a map: a number, or what another header has.
fn item(input: &mut Unstructured<'_>, other: &Item) -> Result<Item> {
    let choice = input.arbitrary::<u8>()?;
    Ok(match choice % 16 {
        0 => uint(input.arbitrary::<u8>()?.into()),
        1 => uint(NOW.as_unix_seconds() + u64::from(input.arbitrary::<u8>()?)),
        2 => uint(input.arbitrary()?),
        3 => bytes([input.arbitrary::<u8>()?; 32]),
        4 => Item::Null,
        key => other.get(key.into()).cloned().unwrap_or(Item::Null),
    })
}

fn flip(input: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    let at = usize::from(input.arbitrary::<u16>()?);
    let with = input.arbitrary::<u8>()?;
    match bytes.len() {
        0 => bytes.push(with),
        length => bytes[at % length] ^= with,
    }
    Ok(())
}

/// The order of the group, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Makes another signature of one, as one can without the key.
fn resign(input: &mut Unstructured<'_>, signature: &mut Vec<u8>) -> Result<()> {
    match input.arbitrary::<u8>()? % 4 {
        // The same S by another name.
        0 if signature.len() == 64 => {
            let mut carry = false;
            for (byte, order) in signature[32..].iter_mut().zip(L) {
                let (sum, over) = byte.overflowing_add(order);
                let (sum, more) = sum.overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, over || more);
            }
        }
        1 => signature.fill(0),
        2 => {
            signature.truncate(32);
            signature.extend([0; 32]);
        }
        _ => flip(input, signature)?,
    }
    Ok(())
}

/// Lets a stranger sign with the key it has.
fn by_mallory(input: &mut Unstructured<'_>, forgery: &mut Forgery) -> Result<()> {
    let mallory = &known().mallory;
    let act = input.arbitrary::<u8>()?;
    let hop = usize::from(input.arbitrary::<u8>()?) % forgery.hops.len();
    let count = forgery.elements.len();
    let next: Vec<AgentId> = (2..=5).map(|number| identity(number).id()).collect();
    match act % 5 {
        0 => forgery.sign_hop(hop, mallory),
        1 => forgery.cover(hop, count, mallory),
        2 => forgery.add_hop(mallory, mallory.id(), &next),
        3 => {
            let signer = next[usize::from(act / 5) % next.len()];
            forgery.add_hop(mallory, signer, &next);
        }
        _ => {
            // The whole envelope in its own name, with the chains of others.
            forgery.header.set(3, bytes(mallory.id().as_bytes()));
            for index in forgery.of_kind(AUTHORITY) {
                if let Some(chain) = forgery.elements[index].body.clone() {
                    forgery.elements[index] = Element::control(mallory, AUTHORITY, chain);
                }
            }
            forgery.hops.truncate(1);
            forgery.cover(0, count, mallory);
        }
    }
    Ok(())
}
