//! Any bytes as an envelope: no panic, no other reading than one, and nothing that cannot be shown.

use crate::adversary::cbor::Item;
use agent_envelope::{BodyClaim, ChainClaim, Envelope, Error, Limits, Sent};

pub(crate) fn run(data: &[u8]) {
    let envelope = match Envelope::decode(data, &Limits::default()) {
        Ok(envelope) => envelope,
        Err(error) => {
            super::refused(&error, data);
            // What is refused for its form is refused without limits too.
            let again = Sent::from_bytes(data.to_vec());
            assert!(again.is_err() || matches!(error, Error::LimitExceeded { .. }), "{error}");
            return;
        }
    };
    assert_eq!(envelope.as_bytes(), data);
    show(&envelope);
    assert_eq!(Item::read(data).encode(), data, "another encoder writes the same");

    let sent = Sent::from_bytes(data.to_vec()).expect("limits refuse and never admit");
    assert_eq!((sent.digest(), sent.origin()), (envelope.digest(), envelope.origin()));
    assert_eq!(sent.conversation(), envelope.header().conversation());
    let detached = sent.detached();
    let detached = Envelope::decode(&detached, &Limits::default()).expect("its bodies may go");
    assert_eq!(detached.tip(), envelope.tip());

    // What is one more than allowed is refused for that.
    let (elements, hops) = (envelope.outline().elements().len(), envelope.outline().hops().len());
    for (field, found) in [(0, data.len()), (1, elements), (2, hops)] {
        let Some(limit) = found.checked_sub(1) else { continue };
        let mut limits = Limits::default();
        *[&mut limits.bytes, &mut limits.elements, &mut limits.hops][field] = limit;
        let refused = Envelope::decode(data, &limits).map(|_| ());
        assert!(matches!(refused, Err(Error::LimitExceeded { .. })), "{refused:?}");
    }
    assert!(Envelope::decode(&data[..data.len() - 1], &Limits::default()).is_err());
    assert!(Envelope::decode(&[data, &[0]].concat(), &Limits::default()).is_err());
}

/// Goes through all that a decoded envelope claims.
pub(crate) fn show(envelope: &Envelope<'_>) {
    let header = envelope.header();
    let parties = header.parties();
    assert!(parties.is_sorted() && parties.contains(&header.from()));
    assert_eq!(header.to().iter().count(), header.to().len());
    assert_eq!(header.via().iter().count(), header.via().len());
    assert!(header.to().iter().all(|agent| header.to().contains(&agent)));
    for (key, value) in header.labels().iter() {
        assert_eq!(header.labels().get(key), Some(value));
    }
    let _ = format!("{envelope:?} {header:?} {:?}", header.terms().map(ToString::to_string));

    let outline = envelope.outline();
    let size: usize = outline.elements().map(|element| element.size()).sum::<usize>()
        + outline.hops().map(|hop| hop.size()).sum::<usize>()
        + outline.header_size();
    assert!(size < envelope.as_bytes().len());
    let hops: Vec<_> = outline.hops().collect();
    assert_eq!(
        hops.last().map(|hop| (hop.id(), hop.count())),
        Some((envelope.tip(), outline.elements().len()))
    );
    for pair in hops.windows(2) {
        assert!(pair[0].count() <= pair[1].count() && pair[0].at() <= pair[1].at());
        assert!(pair[0].next().contains(&pair[1].signer()));
    }
    for element in outline.elements() {
        let hop = hops[element.hop()];
        assert_eq!(element.author(), hop.signer());
        assert!(element.index() < hop.count());
        assert!(element.refs() <= 64);
        let _ = (element.kind().map(|kind| kind.to_string()), element.is_elidable());
        let absent = element.listed_absent_by();
        assert!(absent.is_none_or(|by| by >= element.hop() && element.is_elidable()));
        match element.body() {
            BodyClaim::Absent => assert!(absent.is_some()),
            BodyClaim::Clear(plain) => {
                assert!(plain.content().len() + plain.content_type().len() < element.size());
            }
            BodyClaim::Sealed { audience, plain_size } => {
                assert!(audience < element.index() && plain_size < element.size());
            }
            BodyClaim::Authority(chain) => show_chain(&chain),
            BodyClaim::Allotment { terms, entries, .. } => {
                let _ = terms.to_string();
                assert!(entries > 0);
            }
            BodyClaim::Report { entries } => assert!(entries > 0),
            BodyClaim::Audience { readers, .. } => assert!(readers > 0),
            other => {
                let _ = format!("{other:?}");
            }
        }
    }
}

fn show_chain(chain: &ChainClaim<'_>) {
    assert!(!chain.issuer().is_empty() && !chain.subject().is_empty());
    let _ = chain.root().to_string();
    let mut above = None;
    for link in chain.links() {
        let _ = (link.id(), link.holder(), link.name(), link.audience(), link.conversation());
        let (not_before, expires) = link.window();
        assert!(not_before < expires);
        // What is stated lies within what was stated last, so that nobody above need be asked.
        if let Some(scope) = link.scope() {
            assert!(above.as_ref().is_none_or(|above| scope.is_within(above)), "{scope}");
            above = Some(scope);
        }
    }
}
