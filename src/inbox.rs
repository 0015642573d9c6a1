//! The front door: everything that receiving takes, in the right order. SPEC §9.6.

use alloc::vec::Vec;

use crate::cbor::{Decoder, Encoder};
use crate::context::expect_label;
use crate::digest::{ContextId, ConversationId};
use crate::envelope::{Admitted, Aids, Envelope, Reader};
use crate::{
    AgentId, AuthorityCache, Conversations, Error, KeyCache, Line, ReplayCapacity, ReplayWindow,
    Revocations, Sent, Timestamp, Verifier,
};

/// A verifier with the state it needs: replay window, conversations, chains and keys seen before.
///
/// What an agent has sent is to be [recorded](Inbox::record_sent), so that answers to it are known. The state is written
/// with [`Inbox::to_bytes`] before anything is acted on that must not be acted on twice, and read back after a restart.
///
/// ```
/// use agent_envelope::{Draft, Entropy, Error, Identity, Inbox, Kind, Limits, Permission, Resource, Revocations, Scope};
/// use agent_envelope::{Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier};
///
/// let now = Timestamp::from_unix_seconds(1_800_000_000);
/// let [app, worker] = [Identity::generate(Entropy::from_os()?), Identity::generate(Entropy::from_os()?)];
/// let work = Scope::new([Permission::new(["work"], &Resource::everything())?])?;
/// let anchors = TrustAnchors::new([TrustAnchor::new(app.id(), "app.example", Subjects::Any, work)?])?;
/// let verifier = Verifier::new(worker.id(), None, anchors, Revocations::none(), Limits::default())?;
/// let sent = Draft::new(&app)
///     .to(worker.id())
///     .clear(Kind::User, "text/plain", &b"go"[..])
///     .sign(now, Entropy::from_os()?)?;
///
/// let mut inbox = Inbox::new(verifier.clone());
/// let received = inbox.receive(sent.as_bytes(), now)?;
/// let stored = inbox.to_bytes(); // written to disk before the work begins
///
/// let mut restarted = Inbox::restore(verifier, &stored)?;
/// assert!(matches!(restarted.receive(sent.as_bytes(), now), Err(Error::Replayed { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Inbox {
    verifier: Verifier,
    window: ReplayWindow,
    conversations: Conversations,
    cache: AuthorityCache,
    keys: KeyCache,
}

/// Chains and key packages remembered, at about 100 bytes each.
const CACHE: usize = 1024;
/// Keys remembered, at about 300 bytes each.
const KEYS: usize = 1024;
/// Conversations remembered, and envelopes of each party's line in each.
const CONVERSATIONS: (usize, usize) = (1024, 64);

impl Inbox {
    /// Opens an inbox with room for 4096 envelopes of each of 1024 principals, and for 1024 conversations.
    pub fn new(verifier: Verifier) -> Self {
        let (conversations, history) = CONVERSATIONS;
        Self::with_state(
            verifier,
            ReplayWindow::new(ReplayCapacity::default()),
            Conversations::new(conversations, history),
        )
    }

    /// Opens an inbox with state of another size or from elsewhere.
    pub const fn with_state(
        verifier: Verifier,
        window: ReplayWindow,
        conversations: Conversations,
    ) -> Self {
        Self {
            verifier,
            window,
            conversations,
            cache: AuthorityCache::new(CACHE),
            keys: KeyCache::new(KEYS),
        }
    }

    /// Decodes, verifies and admits an envelope for this agent to read, and says how it fits its conversation.
    ///
    /// # Errors
    ///
    /// Those of [`Envelope::decode`], of [`Envelope::verify_as_reader`] and of
    /// [`Verified::admit`](crate::Verified::admit). Whatever is refused leaves no trace in conversations, none in the caches
    /// unless all its signatures hold, and none in the replay window but that expired envelopes are forgotten.
    pub fn receive<'a>(&mut self, bytes: &'a [u8], now: Timestamp) -> Result<Admitted<'a>, Error> {
        let envelope = Envelope::decode(bytes, self.verifier.limits())?;
        let aids = Aids {
            window: Some(&self.window),
            cache: Some(&mut self.cache),
            keys: Some(&mut self.keys),
        };
        let verified = envelope.verify_with::<Reader>(&self.verifier, now, aids)?;
        let admitted = verified.admit(&mut self.window)?;
        Ok(admitted.advance(&mut self.conversations))
    }

    /// Records an envelope that this agent sent.
    pub fn record_sent(&mut self, sent: &Sent) {
        self.conversations.record_sent(sent);
    }

    /// Returns this agent's own line in a conversation, to go on with.
    pub fn line(&self, conversation: &ConversationId, context: ContextId) -> Option<Line> {
        self.conversations.line(conversation, context, &self.agent())
    }

    /// Replaces the revocation list.
    pub fn set_revocations(&mut self, revocations: Revocations) {
        self.verifier.set_revocations(revocations);
    }

    /// Takes over what a replica of this agent has admitted.
    ///
    /// # Errors
    ///
    /// [`Error::ReplayWindowFull`], in which case nothing is changed.
    pub fn merge_window(&mut self, other: &ReplayWindow) -> Result<(), Error> {
        self.window.merge(other)
    }

    /// Returns the agent whose inbox this is.
    pub const fn agent(&self) -> AgentId {
        self.verifier.agent()
    }

    /// Returns the verifier.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Returns the replay window.
    pub const fn window(&self) -> &ReplayWindow {
        &self.window
    }

    /// Returns the conversations.
    pub const fn conversations(&self) -> &Conversations {
        &self.conversations
    }

    /// Writes replay window and conversations, for storage. The verifier is configuration, and the caches fill again.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(3).text(STATE);
        self.window.encode(&mut out);
        self.conversations.encode(&mut out);
        out.finish()
    }

    /// Goes on with what [`Inbox::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Encoding errors, and [`Error::BadState`] for a state that would never have been written.
    pub fn restore(verifier: Verifier, bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(3)?;
        expect_label(&mut decoder, STATE)?;
        let window = ReplayWindow::decode(&mut decoder)?;
        let conversations = Conversations::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(Self::with_state(verifier, window, conversations))
    }
}

const STATE: &str = "agent-envelope/1/state/inbox";
