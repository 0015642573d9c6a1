//! What arrives, compared with what was said: authorized, opened where it can be, and compared byte for byte.

use std::collections::BTreeSet;

use agent_envelope::{
    Admitted, BodyClaim, ElementId, Envelope, Error, Item, Kind, Limits, NewElement, Standing,
};

use crate::cast::{Agent, Cast, Chains, action, both, resource};
use crate::chat::{Body, Conversation};

/// What a topology cost, and what came through.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) bodies: usize,
    pub(crate) plain: usize,
    pub(crate) envelopes: usize,
    pub(crate) hops: usize,
    pub(crate) wire: usize,
    pub(crate) parts: Parts,
    /// Bodies that a reader for whom they were meant got byte for byte.
    pub(crate) recovered: usize,
    seen: BTreeSet<usize>,
    /// How often an agent held a sealed element that it could not open.
    pub(crate) closed: usize,
    /// Tool calls to which both principals had agreed.
    pub(crate) jointly: usize,
    /// Replies that were accepted, and summaries that stood for all they should.
    pub(crate) replies: usize,
    /// What should not have happened.
    pub(crate) faults: Vec<String>,
}

/// Where the bytes go.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) headers: usize,
    pub(crate) hops: usize,
    pub(crate) chains: usize,
    pub(crate) audiences: usize,
    pub(crate) key_packages: usize,
    /// Contents with their records, and with salt, type and tag.
    pub(crate) contents: usize,
}

impl Tally {
    pub(crate) fn of(conversation: &Conversation) -> Self {
        let (bodies, plain) = (conversation.bodies.len(), conversation.plain_size());
        Self { bodies, plain, ..Self::default() }
    }

    /// Counts an envelope as it arrives at its last reader.
    pub(crate) fn arrived(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let limits = Limits::default();
        let envelope = Envelope::decode(bytes, &limits)?;
        let outline = envelope.outline();
        self.envelopes += 1;
        self.wire += bytes.len();
        self.hops += outline.hops().len();
        self.parts.headers += outline.header_size();
        self.parts.hops += outline.hops().map(|hop| hop.size()).sum::<usize>();
        for element in outline.elements() {
            let part = match element.body() {
                BodyClaim::Authority(_) => &mut self.parts.chains,
                BodyClaim::Audience { .. } => &mut self.parts.audiences,
                BodyClaim::KeyPackage { .. } => &mut self.parts.key_packages,
                _ => &mut self.parts.contents,
            };
            *part += element.size();
        }
        Ok(())
    }

    pub(crate) fn expect(&mut self, holds: bool, what: &str) {
        if !holds {
            self.faults.push(what.to_owned());
        }
    }

    /// Tells whether all came through and nothing happened that should not.
    pub(crate) fn is_whole(&self) -> bool {
        self.recovered == self.bodies && self.faults.is_empty()
    }

    pub(crate) fn continues(&mut self, received: &Admitted<'_>, reader: &Agent) {
        let holds = received.standing() == Some(Standing::Continues);
        self.expect(holds, &format!("{} sees a gap where there is none", reader.name));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.bodies += other.bodies;
        self.plain += other.plain;
        self.envelopes += other.envelopes;
        self.hops += other.hops;
        self.wire += other.wire;
        self.recovered += other.recovered;
        self.closed += other.closed;
        self.jointly += other.jointly;
        self.replies += other.replies;
        self.parts.headers += other.parts.headers;
        self.parts.hops += other.parts.hops;
        self.parts.chains += other.parts.chains;
        self.parts.audiences += other.parts.audiences;
        self.parts.key_packages += other.parts.key_packages;
        self.parts.contents += other.parts.contents;
        self.faults.extend(other.faults.iter().cloned());
    }

    fn compare(&mut self, body: &Body, kind: Kind, content_type: &str, content: &[u8]) {
        let same = kind == body.kind && content_type == body.content_type && content == body.bytes;
        if !same {
            self.faults.push(format!("body {} arrived as another", body.number));
        } else if self.seen.insert(body.number) {
            self.recovered += 1;
        }
    }
}

/// A body that has become an element.
pub(crate) struct Heard {
    pub(crate) body: usize,
    pub(crate) id: ElementId,
}

/// Reads what `agent` was sent: `said`, in this order, and summaries between.
pub(crate) fn read(
    received: &Admitted<'_>,
    agent: &Agent,
    said: &[&Body],
    (cast, chains): (&Cast, &Chains),
    tally: &mut Tally,
) -> Result<Vec<Heard>, Error> {
    let mut opener = received.opener(&agent.identity)?;
    let mut said = said.iter();
    let mut heard = Vec::new();
    for item in received.elements() {
        let provenance = item.provenance();
        let kind = provenance.kind();
        if kind == Kind::Summary {
            continue;
        }
        let Some(body) = said.next() else {
            tally.faults.push(format!("{} hears what nobody said", agent.name));
            continue;
        };
        heard.push(Heard { body: body.number, id: provenance.id() });
        // Before anything is done with an element: may its author say this, and for whom?
        let (may, on) = (action(kind), resource(body.tool.as_deref()));
        let jointly = kind == Kind::ToolCall && provenance.author() == cast.planner.id();
        let authorized = match &item {
            Item::Present(one) if jointly => {
                one.authorize_jointly(both(chains), may, &on).map(drop)
            }
            Item::Sealed(one) if jointly => one.authorize_jointly(both(chains), may, &on).map(drop),
            Item::Present(one) => one.authorize(may, &on).map(drop),
            Item::Sealed(one) => one.authorize(may, &on).map(drop),
            Item::Absent(_) => Ok(()),
        };
        match authorized {
            Ok(()) => tally.jointly += usize::from(jointly),
            // What came on an earlier hop is read again, and acted on once.
            Err(Error::AlreadyActedOn { .. }) => {}
            Err(refused) => return Err(refused),
        }
        match &item {
            Item::Present(one) => tally.compare(body, kind, one.content_type(), one.content()),
            Item::Sealed(one) => match opener.open(one) {
                Ok(plain) => tally.compare(body, kind, plain.content_type(), plain.content()),
                Err(Error::CannotOpen { .. }) => tally.closed += 1,
                Err(refused) => return Err(refused),
            },
            Item::Absent(_) => tally.faults.push(format!("body {} is missing", body.number)),
        }
    }
    tally.expect(said.next().is_none(), &format!("{} does not hear all that was said", agent.name));
    Ok(heard)
}

/// Makes an element of a body: clear for instructions, which are no secret, sealed for all else.
pub(crate) fn element<'d>(body: &'d Body, readers: &[&'d Agent]) -> NewElement<'d> {
    if body.kind == Kind::System {
        return NewElement::clear(body.kind, body.content_type, &body.bytes[..]);
    }
    let packages = readers.iter().map(|reader| &reader.package);
    NewElement::sealed(body.kind, body.content_type, &body.bytes[..], packages)
}
