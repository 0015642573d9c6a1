//! A negotiation as one side sees it. SPEC §11.8.

use alloc::vec::Vec;

use super::{Message, Offer, Settled};
use crate::context::AnyKind;
use crate::digest::{ConversationId, HopId};
use crate::envelope::Envelope;
use crate::{
    Admitted, AgentId, Draft, Entropy, Error, Identity, Item, KeyPackage, Kind, Limits, Sent,
    Timestamp,
};

/// Asks and offers of one negotiation. One ask and its offer are a round.
pub const MAX_ROUNDS: usize = 8;

/// A negotiation of two agents, message by message: what was sent and what was received, each checked to follow.
///
/// Messages are read from admitted envelopes and written into drafts here, so that none can be shown to a transcript that
/// its envelope does not carry. A transcript is a working memory of minutes: it is neither stored nor cloned, since what it
/// settles is used once.
///
/// ```
/// use agent_envelope::budget::negotiation::{Ask, Message, Meters, Offer, Transcript};
/// use agent_envelope::budget::{Amounts, Dimension, Terms};
/// use agent_envelope::{Draft, Entropy, Error, Kind};
/// # use agent_envelope::{
/// #     Identity, Inbox, Limits, Permission, Revocations, Scope, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
/// # };
/// # let now = Timestamp::from_unix_seconds(1_800_000_000);
/// # let later = Timestamp::from_unix_seconds(1_800_000_600);
/// # let entropy = |n| Entropy::new([n; 32]);
/// # let (asker, worker) = (Identity::generate(entropy(1)?), Identity::generate(entropy(2)?));
/// # let anchor = |id, name| {
/// #     let scope = Scope::new([Permission::new(["summarise"], &"".parse()?)?])?;
/// #     TrustAnchor::new(id, name, Subjects::Any, scope)
/// # };
/// # let anchors = TrustAnchors::new([anchor(asker.id(), "asker")?, anchor(worker.id(), "worker")?])?;
/// # let inbox = |id| {
/// #     let verifier = Verifier::new(id, None, anchors.clone(), Revocations::none(), Limits::default())?;
/// #     Ok::<_, Error>(Inbox::new(verifier))
/// # };
/// # let (mut asker_inbox, mut worker_inbox) = (inbox(asker.id())?, inbox(worker.id())?);
/// let calls = |n| Amounts::new().with(Dimension::TOOL_CALLS, n);
///
/// // The asker would grant 20 calls.
/// let mut ours = Transcript::asking(&asker, worker.id());
/// let ask = Message::Ask(Ask::new(Terms::new(calls(20)?, later, 0), Amounts::new())?);
/// let ask = ours.send(Draft::new(&asker).to(worker.id()), ask, now, entropy(3)?)?;
///
/// // The worker takes 5 at most.
/// let received = worker_inbox.receive(ask.as_bytes(), now)?;
/// let mut theirs = Transcript::answering(&worker, received.from());
/// let Message::Ask(asked) = theirs.receive(&received, &worker, now)? else { panic!("not an ask") };
/// let meters = Meters::new().with(Dimension::TOOL_CALLS)?;
/// let answer = Offer::new(Terms::new(calls(5)?, later, 0), meters, later)?.answer(asked, now);
/// let offer = theirs.send(Draft::reply_to(&received, &worker), answer, now, entropy(4)?)?;
///
/// // That will do.
/// let received = asker_inbox.receive(offer.as_bytes(), now)?;
/// ours.receive(&received, &asker, now)?;
/// let draft = Draft::reply_to(&received, &asker).continuing(&ask.line());
/// let accept = ours.send(draft, Message::Accept, now, entropy(5)?)?;
/// let received = worker_inbox.receive(accept.as_bytes(), now)?;
/// theirs.receive(&received, &worker, now)?;
///
/// // The request rests on the acceptance, and the worker checks that it does.
/// let request = ours
///     .settled(now)?
///     .request(&asker, &accept, Terms::new(calls(5)?, later, 0), now)?
///     .clear(Kind::User, "text/plain", &b"summarise my mail"[..])
///     .sign(now, entropy(6)?)?;
/// let received = worker_inbox.receive(request.as_bytes(), now)?;
/// let terms = theirs.settled(now)?.check_request(&received, now)?;
/// assert_eq!(terms.amounts(), &calls(5)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Transcript {
    me: AgentId,
    role: Role,
    other: AgentId,
    conversation: Option<ConversationId>,
    rounds: usize,
    offer: Option<Offer>,
    last: Option<(Message, HopId)>,
}

/// Which side an agent is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Asker,
    Worker,
}

/// What the envelope says that carries a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carrier {
    pub(super) from: AgentId,
    pub(super) conversation: ConversationId,
    pub(super) answers: Option<HopId>,
    pub(super) origin: HopId,
}

impl Transcript {
    /// Begins a negotiation in which `me` asks `worker`.
    pub const fn asking(me: &Identity, worker: AgentId) -> Self {
        Self::new(me.id(), Role::Asker, worker)
    }

    /// Begins a negotiation in which `asker` asks `me`.
    pub const fn answering(me: &Identity, asker: AgentId) -> Self {
        Self::new(me.id(), Role::Worker, asker)
    }

    pub(super) const fn new(me: AgentId, role: Role, other: AgentId) -> Self {
        Self { me, role, other, conversation: None, rounds: 0, offer: None, last: None }
    }

    /// Returns the last message.
    pub fn last(&self) -> Option<&Message> {
        self.last.as_ref().map(|(message, _)| message)
    }

    /// Returns the offer that stands: the last one made.
    pub const fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// Returns how many asks there have been, of at most [`MAX_ROUNDS`].
    pub const fn rounds(&self) -> usize {
        self.rounds
    }

    /// Adds the next message to a draft in the clear and signs it.
    ///
    /// The draft begins a conversation, or answers what was received by [`Draft::reply_to`].
    ///
    /// # Errors
    ///
    /// [`Error::NegotiationTurn`], [`Error::TooManyRounds`] and [`Error::OfferExpired`] for a message that may not come
    /// now; those of [`Draft::sign`]; [`Error::WrongIdentity`] for a draft of another agent, [`Error::NotARecipient`] for
    /// one that does not go to the other side, [`Error::NotAReply`], [`Error::ReplyToAnother`] and
    /// [`Error::ReplyElsewhere`] for one that does not answer the last message, and [`Error::NegotiationMessages`] for one
    /// with another message in it. Nothing is sent then, and the transcript is as it was.
    pub fn send(
        &mut self,
        draft: Draft<'_>,
        message: Message,
        now: Timestamp,
        entropy: Entropy,
    ) -> Result<Sent, Error> {
        let draft = draft.negotiate(&message);
        self.sign(draft, message, now, entropy)
    }

    /// Adds the next message to a draft so that only the agents of these key packages can read it, and signs it.
    ///
    /// # Errors
    ///
    /// As [`Transcript::send`].
    pub fn send_sealed<'d>(
        &mut self,
        draft: Draft<'d>,
        message: Message,
        readers: impl IntoIterator<Item = &'d KeyPackage>,
        now: Timestamp,
        entropy: Entropy,
    ) -> Result<Sent, Error> {
        let draft = draft.negotiate_sealed(&message, readers);
        self.sign(draft, message, now, entropy)
    }

    /// Reads the next message from an envelope, opening it as `me` if it is sealed.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] for another agent than began the transcript; [`Error::NegotiationStranger`] for an envelope
    /// from anybody but the other side, [`Error::NotARecipient`] for one that is not for this agent;
    /// [`Error::NegotiationMessages`], [`Error::AlreadyActedOn`], [`Error::Absent`] and [`Error::CannotOpen`] for one
    /// without one message to be read; those of [`Message::from_plaintext`]; [`Error::ReplyElsewhere`] for another
    /// conversation, [`Error::NegotiationTurn`] for a message that may not come now, [`Error::NotAReply`] and
    /// [`Error::ReplyToAnother`] for one that does not answer the last, [`Error::TooManyRounds`], and
    /// [`Error::OfferExpired`] for an offer that has expired, or its acceptance. The transcript is as it was then.
    pub fn receive(
        &mut self,
        received: &Admitted<'_>,
        me: &Identity,
        now: Timestamp,
    ) -> Result<&Message, Error> {
        let verified = received.verified();
        let header = verified.header();
        me.id().must_be(self.me)?;
        let (expected, from) = (self.other, header.from());
        if expected != from {
            return Err(Error::NegotiationStranger { expected, from });
        }
        if !header.to().contains(&self.me) {
            return Err(Error::NotARecipient { agent: self.me });
        }
        let message = read(received, me)?;
        let carrier = Carrier {
            from,
            conversation: verified.conversation(),
            answers: header.in_reply_to().map(|reply| reply.origin()),
            origin: verified.origin(),
        };
        self.follow(message, &carrier, now)
    }

    /// Closes the negotiation and returns what was agreed on.
    ///
    /// # Errors
    ///
    /// [`Error::NegotiationRefused`] if it ended in a refusal, [`Error::NotSettled`] if it has not ended, and
    /// [`Error::OfferExpired`] if what was accepted is no longer valid.
    pub fn settled(self, now: Timestamp) -> Result<Settled, Error> {
        let (asker, worker) = match self.role {
            Role::Asker => (self.me, self.other),
            Role::Worker => (self.other, self.me),
        };
        match (self.last, self.offer, self.conversation) {
            (Some((Message::Accept, accept)), Some(offer), Some(conversation)) => {
                check_valid(&offer, now)?;
                Ok(Settled::new(asker, worker, conversation, accept, offer))
            }
            (Some((Message::Refuse(refuse), _)), ..) => {
                Err(Error::NegotiationRefused { refusal: refuse.refusal() })
            }
            (last, ..) => {
                let last = last.map_or("none", |(message, _)| message.name());
                Err(Error::NotSettled { last })
            }
        }
    }

    fn sign(
        &mut self,
        draft: Draft<'_>,
        message: Message,
        now: Timestamp,
        entropy: Entropy,
    ) -> Result<Sent, Error> {
        // Before anything is signed that could be mistaken for a message in turn.
        self.check_turn(&message, self.me, now)?;
        let sent = draft.sign(now, entropy)?;
        let limits = Limits::none();
        let envelope = Envelope::decode(sent.as_bytes(), &limits)?;
        let header = envelope.header();
        header.from().must_be(self.me)?;
        if !header.to().contains(&self.other) {
            return Err(Error::NotARecipient { agent: self.other });
        }
        let kind = AnyKind::Content(Kind::Negotiation);
        match envelope.elements.iter().filter(|element| element.record.kind == kind).count() {
            1 => {}
            found => return Err(Error::NegotiationMessages { found }),
        }
        let carrier = Carrier {
            from: header.from(),
            conversation: sent.conversation(),
            answers: header.in_reply_to().map(|reply| reply.origin()),
            origin: sent.origin(),
        };
        self.follow(message, &carrier, now)?;
        Ok(sent)
    }

    /// Takes the next message, or refuses it and changes nothing.
    pub(super) fn follow(
        &mut self,
        message: Message,
        carrier: &Carrier,
        now: Timestamp,
    ) -> Result<&Message, Error> {
        if self.conversation.is_some_and(|conversation| conversation != carrier.conversation) {
            return Err(Error::ReplyElsewhere);
        }
        self.check_turn(&message, carrier.from, now)?;
        if let Some((_, last)) = &self.last {
            match carrier.answers {
                None => return Err(Error::NotAReply),
                Some(answers) if answers != *last => return Err(Error::ReplyToAnother { answers }),
                Some(_) => {}
            }
        }
        match &message {
            Message::Ask(_) => self.rounds += 1,
            Message::Offer(offer) => self.offer = Some(offer.clone()),
            _ => {}
        }
        self.conversation = Some(carrier.conversation);
        let (message, _) = self.last.insert((message, carrier.origin));
        Ok(message)
    }

    /// Checks whether `from` may send this message now.
    fn check_turn(&self, message: &Message, from: AgentId, now: Timestamp) -> Result<(), Error> {
        use Message::{Accept, Ask, Offer, Refuse};
        let (turn, follows, expected) = match self.last() {
            None => (Role::Asker, matches!(message, Ask(_)), "an ask by the asker"),
            Some(Ask(_)) => {
                let follows = matches!(message, Offer(_) | Refuse(_));
                (Role::Worker, follows, "an offer or a refusal by the worker")
            }
            Some(Offer(_)) => {
                let follows = matches!(message, Accept | Ask(_) | Refuse(_));
                (Role::Asker, follows, "an acceptance, an ask or a refusal by the asker")
            }
            Some(Accept | Refuse(_)) => (self.role, false, "nothing more"),
        };
        let in_turn = (from == self.me) == (turn == self.role);
        if !in_turn || !follows {
            return Err(Error::NegotiationTurn { expected, found: message.name(), from });
        }
        match (message, &self.offer) {
            (Ask(_), _) if self.rounds >= MAX_ROUNDS => {
                Err(Error::TooManyRounds { limit: MAX_ROUNDS })
            }
            (Offer(offer), _) | (Accept, Some(offer)) => check_valid(offer, now),
            _ => Ok(()),
        }
    }
}

pub(super) fn check_valid(offer: &Offer, now: Timestamp) -> Result<(), Error> {
    let valid_until = offer.valid_until();
    if now >= valid_until { Err(Error::OfferExpired { valid_until, now }) } else { Ok(()) }
}

/// Reads the one message that an envelope carries.
fn read(received: &Admitted<'_>, me: &Identity) -> Result<Message, Error> {
    let mut opener = received.opener(me)?;
    let messages: Vec<_> =
        received.elements().filter(|item| item.provenance().kind() == Kind::Negotiation).collect();
    let [item] = &messages[..] else {
        return Err(Error::NegotiationMessages { found: messages.len() });
    };
    let element = item.provenance().index();
    if element < received.admission().after() {
        return Err(Error::AlreadyActedOn { element });
    }
    match item {
        Item::Present(present) => Message::from_plaintext(&present.clone().plaintext()),
        Item::Sealed(sealed) => Message::from_plaintext(&opener.open(sealed)?),
        Item::Absent(_) => Err(Error::Absent { element }),
    }
}
