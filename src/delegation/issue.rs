//! Making chains: issue a root, extend by a link. What would be refused is not signed. SPEC §6.6.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::chain::Chain;
use super::link::{LinkClaims, RootClaims, parent};
use super::narrow::under_anchor;
use super::{Step, TrustAnchor};
use crate::budget::Terms;
use crate::cbor::{Decoder, Encoder};
use crate::digest::{ConversationId, LinkId, TokenId, Use, hash};
use crate::identity::{AgentId, SigningKey};
use crate::limits::{is_name, within};
use crate::scope::Scope;
use crate::signature::{Keys, verify_batch};
use crate::statement::{StatementKind, sign};
use crate::{Entropy, Error, Limits, Timestamp};

/// What a root grants.
#[derive(Clone, Debug)]
pub struct Grant {
    subject: String,
    scope: Scope,
    depth: u64,
    lifetime: Duration,
    rest: Narrow,
}

impl Grant {
    /// Grants `scope` on behalf of `subject`, for an hour, to a holder who may not delegate it.
    pub fn new(subject: &str, scope: Scope) -> Self {
        Self {
            subject: subject.to_owned(),
            scope,
            depth: 0,
            lifetime: Duration::from_secs(3600),
            rest: Narrow::default(),
        }
    }

    /// Lets the chain grow by this many links.
    #[must_use]
    pub const fn depth(mut self, links: u64) -> Self {
        self.depth = links;
        self
    }

    /// Sets how long the grant is valid, in whole seconds.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Makes the grant count only with readers known by this name.
    #[must_use]
    pub fn audience(mut self, name: &str) -> Self {
        self.rest = self.rest.audience(name);
        self
    }

    /// Calls the holder something, for people to read.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.rest = self.rest.name(name);
        self
    }

    /// Sets the ceiling of each allotment that the holder may sign.
    #[must_use]
    pub fn budget(mut self, ceiling: Terms) -> Self {
        self.rest = self.rest.budget(ceiling);
        self
    }

    /// Makes the grant count only in this conversation.
    #[must_use]
    pub fn conversation(mut self, id: ConversationId) -> Self {
        self.rest = self.rest.conversation(id);
        self
    }
}

/// What a further link takes away. Whatever is not set stays as it is above.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    scope: Option<Scope>,
    depth: Option<u64>,
    lifetime: Option<Duration>,
    audience: Option<String>,
    name: Option<String>,
    terms: Option<Terms>,
    conversation: Option<ConversationId>,
}

impl Narrow {
    /// Limits the scope to this one.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Limits how many further links the holder may have below it.
    #[must_use]
    pub const fn depth(mut self, links: u64) -> Self {
        self.depth = Some(links);
        self
    }

    /// Limits how long the link is valid from now, in whole seconds. Longer than the link above is an error.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Makes the link count only with readers known by this name.
    #[must_use]
    pub fn audience(mut self, name: &str) -> Self {
        self.audience = Some(name.to_owned());
        self
    }

    /// Calls the holder something, for people to read.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Limits the ceiling of each allotment that the holder may sign.
    #[must_use]
    pub fn budget(mut self, ceiling: Terms) -> Self {
        self.terms = Some(ceiling);
        self
    }

    /// Makes the link count only in this conversation.
    #[must_use]
    pub const fn conversation(mut self, id: ConversationId) -> Self {
        self.conversation = Some(id);
        self
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if !is_name(name) {
        let reason = "names in a grant have 1 to 256 bytes and no control characters";
        return Err(Error::Configuration { reason });
    }
    Ok(())
}

/// A delegation chain whose signatures hold: who granted what to whom, from a root key down to its holder.
///
/// It proves nothing by itself. An agent shows that it is the holder by signing an envelope that carries the chain, and
/// a verifier decides whether it trusts the root.
///
/// ```
/// use agent_envelope::{
///     DelegationChain, Entropy, Grant, Identity, Narrow, Permission, Scope, SigningKey, Subjects, Timestamp, TrustAnchor,
/// };
///
/// let now = Timestamp::now()?;
/// let login = SigningKey::generate(Entropy::from_os()?);
/// let mail = Scope::new([Permission::new(["mail.read", "mail.send"], &"mail".parse()?)?])?;
/// let anchor = TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, mail.clone())?;
///
/// let planner = Identity::generate(Entropy::from_os()?);
/// let grant = Grant::new("alice@example", mail).depth(1);
/// let chain = DelegationChain::issue(&login, &anchor, planner.id(), grant, now, Entropy::from_os()?)?;
///
/// let worker = Identity::generate(Entropy::from_os()?);
/// let inbox_only = Scope::new([Permission::new(["mail.read"], &"mail/inbox".parse()?)?])?;
/// let narrower = Narrow::default().scope(inbox_only);
/// let chain = chain.extend(planner.signing_key(), worker.id(), narrower, now, Entropy::from_os()?)?;
/// assert_eq!(chain.holder(), worker.id());
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DelegationChain {
    bytes: Vec<u8>,
    holder: AgentId,
}

impl DelegationChain {
    /// Issues a root under `anchor`, signed by the anchor's key.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] if `root` is not the anchor's key; [`Error::BeyondAnchor`] if the grant goes beyond it;
    /// [`Error::HolderRepeated`] if the anchor grants to itself; [`Error::WindowReversed`] for a lifetime under a second;
    /// [`Error::Configuration`] for names that are empty or longer than 256 bytes.
    pub fn issue(
        root: &SigningKey,
        anchor: &TrustAnchor,
        holder: AgentId,
        grant: Grant,
        now: Timestamp,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        root.id().must_be(anchor.key)?;
        check_name(&grant.subject)?;
        let rest = Narrow { scope: Some(grant.scope), depth: Some(grant.depth), ..grant.rest };
        let expires = now.saturating_add(grant.lifetime);
        let claims = LinkClaims {
            root: Some(RootClaims { issuer: &anchor.issuer, subject: &grant.subject }),
            ..claims(&rest, holder, now, expires)?
        };
        under_anchor(anchor, &claims).map_err(|what| Error::BeyondAnchor { what })?;
        let link = sign_link(root, None, claims, entropy);
        let mut bytes = Encoder::with_capacity(link.len() + 1);
        bytes.array(1).raw(&link);
        Self::checked(bytes.finish(), holder)
    }

    /// Adds a link by which the present holder hands a part of its authority on.
    ///
    /// # Errors
    ///
    /// [`Error::WrongIdentity`] if `holder` is not the present holder; the error of the first field in which the link
    /// would widen what is above it ([`Error::ScopeWidened`], [`Error::DepthExceeded`], [`Error::WindowWidened`], …);
    /// [`Error::HolderRepeated`] if the new holder is in the chain already.
    pub fn extend(
        &self,
        holder: &SigningKey,
        to: AgentId,
        narrower: Narrow,
        now: Timestamp,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        holder.id().must_be(self.holder)?;
        let chain = self.chain()?;
        let effective = chain.effective(None)?;
        let not_before = now.max(effective.not_before);
        let expires =
            narrower.lifetime.map_or(effective.expires, |lifetime| now.saturating_add(lifetime));
        let claims = claims(&narrower, to, not_before, expires)?;
        let link = sign_link(holder, chain.links.last().map(|link| &link.id), claims, entropy);
        let mut links = Decoder::new(&self.bytes);
        let count = links.array()?;
        let mut bytes = Encoder::with_capacity(self.bytes.len() + link.len() + 1);
        bytes.array(count + 1).raw(&self.bytes[links.offset()..]).raw(&link);
        Self::checked(bytes.finish(), to)
    }

    /// Verifies a chain that came by itself: its form, that no link widens, and its signatures. Whether its root is to be
    /// trusted is the verifier's business.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`], encoding errors, the narrowing errors, and [`Error::LinkSignature`].
    pub fn verify(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        within(limits.bytes, bytes.len(), "bytes")?;
        let mut decoder = Decoder::new(bytes);
        let chain = Chain::decode(&mut decoder, limits, None)?;
        decoder.finish()?;
        let checks = chain.checks(None).collect::<Result<Vec<_>, _>>()?;
        verify_batch(&checks, &mut Keys::default())
            .map_err(|link| chain.signature_error(None, link))?;
        Ok(Self { bytes: bytes.to_vec(), holder: chain.holder() })
    }

    /// Returns the agent that the chain ends in.
    pub const fn holder(&self) -> AgentId {
        self.holder
    }

    /// Returns the encoded chain: about 250 bytes for the root and 155 for each further link that narrows nothing.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Calls `each` with every link from the root on.
    pub fn for_each_step(&self, each: impl FnMut(Step<'_>)) {
        if let Ok(chain) = self.chain() {
            chain.links.iter().map(Step::of).for_each(each);
        }
    }

    /// Returns the id of the last link, by which this delegation can be revoked.
    pub fn id(&self) -> LinkId {
        let mut last = LinkId([0; 32]);
        self.for_each_step(|step| last = step.id());
        last
    }

    /// Runs the verifier's own checks over what was just signed, before anybody gets it.
    fn checked(bytes: Vec<u8>, holder: AgentId) -> Result<Self, Error> {
        let made = Self { bytes, holder };
        made.chain()?;
        Ok(made)
    }

    fn chain(&self) -> Result<Chain<'_>, Error> {
        // Made or verified here, so within the limits of whoever made it.
        let limits = Limits { links: usize::MAX, ..Limits::default() };
        Chain::decode(&mut Decoder::new(&self.bytes), &limits, None)
    }
}

impl fmt::Debug for DelegationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DelegationChain(to {}, {} bytes)", self.holder, self.bytes.len())
    }
}

fn claims<'a>(
    narrow: &'a Narrow,
    holder: AgentId,
    not_before: Timestamp,
    expires: Timestamp,
) -> Result<LinkClaims<'a>, Error> {
    for name in [&narrow.audience, &narrow.name].into_iter().flatten() {
        check_name(name)?;
    }
    Ok(LinkClaims {
        root: None,
        audience: narrow.audience.as_deref(),
        expires,
        not_before,
        token: TokenId([0; 16]),
        holder,
        scope: narrow.scope.as_ref().map(Scope::view),
        depth: narrow.depth,
        name: narrow.name.as_deref(),
        terms: narrow.terms.clone(),
        conversation: narrow.conversation,
    })
}

/// Gives the claims their random token id and signs them.
fn sign_link(
    signer: &SigningKey,
    above: Option<&LinkId>,
    mut claims: LinkClaims<'_>,
    entropy: Entropy,
) -> Vec<u8> {
    let inputs = hash(Use::Inputs, 3, |fields| {
        fields.bytes(signer.id().as_bytes());
        fields.bytes(above.map_or(&[], |id| id.as_bytes()));
        fields.bytes(&claims.encode());
    });
    claims.token = TokenId(*entropy.bind(&inputs).derive("token-id", 0));
    let signer_id = signer.id();
    let key_id = above.is_none().then_some(&signer_id);
    sign(signer.inner(), StatementKind::Link, parent(above), key_id, &claims.encode()).0
}
