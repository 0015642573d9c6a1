//! One link of a chain: a CWT claims set (RFC 8392) signed by the holder of the link above. SPEC §6.1.
//!
//! Knows the form of claims, not what they may say.

use alloc::vec::Vec;

use super::narrow::At;
use crate::budget::Terms;
use crate::cbor::{Decoder, Encoder, Fault};
use crate::digest::{ConversationId, LinkId, TokenId};
use crate::identity::{AgentId, agent_id};
use crate::limits::is_name;
use crate::scope::ScopeRef;
use crate::statement::{Parent, Statement, StatementKind};
use crate::{Error, Place, Timestamp};

const ISS: i64 = 1;
const SUB: i64 = 2;
const AUD: i64 = 3;
const EXP: i64 = 4;
const NBF: i64 = 5;
const CTI: i64 = 7;
const CNF: i64 = 8;
/// The claim of this protocol, from the range for private use (RFC 8392 §9.1).
const GRANT: i64 = -65537;

/// What a link says.
///
/// ```cddl
/// link-claims = {
///   ? 1: issuer: tstr, ? 2: subject: tstr,          ; both at the root and nowhere else
///   ? 3: audience: tstr, 4: expires: uint, 5: not-before: uint, 7: token-id: bstr .size 16,
///   8: { 1: { 1: 1, -1: 6, -2: agent-id } },        ; the holder's key, RFC 8747 §3.2
///   -65537: { ? 1: scope, ? 2: depth: uint, ? 3: name: tstr, ? 4: terms, ? 5: conversation: bstr .size 32 },
/// }                                                 ; scope and depth required at the root
/// ```
#[derive(Clone, Debug)]
pub(crate) struct LinkClaims<'a> {
    pub(crate) root: Option<RootClaims<'a>>,
    pub(crate) audience: Option<&'a str>,
    pub(crate) expires: Timestamp,
    pub(crate) not_before: Timestamp,
    pub(crate) token: TokenId,
    pub(crate) holder: AgentId,
    pub(crate) scope: Option<ScopeRef<'a>>,
    pub(crate) depth: Option<u64>,
    pub(crate) name: Option<&'a str>,
    pub(crate) terms: Option<Terms>,
    pub(crate) conversation: Option<ConversationId>,
}

/// What only a root says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootClaims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
}

impl<'a> LinkClaims<'a> {
    fn decode(decoder: &mut Decoder<'a>, at: At) -> Result<Self, Fault> {
        let mut map = decoder.map("link claims")?;
        let is_root = at.link == 0;
        let root = if is_root {
            let issuer = name(map.required(ISS)?)?;
            let subject = name(map.required(SUB)?)?;
            Some(RootClaims { issuer, subject })
        } else {
            None
        };
        let audience = map.optional(AUD)?.map(name).transpose()?;
        let expires = Timestamp::from_unix_seconds(map.required(EXP)?.uint()?);
        let not_before = Timestamp::from_unix_seconds(map.required(NBF)?.uint()?);
        if expires <= not_before {
            let place = Place::Link { element: at.element, link: at.link };
            return Err(Error::WindowReversed { place, not_before, expires }.into());
        }
        let token = TokenId(*map.required(CTI)?.fixed()?);
        let holder = map.required(CNF).and_then(confirmation)?;
        let mut grant = map.required(GRANT)?.map("grant")?;
        let (scope, depth) = if is_root {
            let scope = ScopeRef::decode(grant.required(1)?)?;
            (Some(scope), Some(grant.required(2)?.uint()?))
        } else {
            let scope = grant.optional(1)?.map(ScopeRef::decode).transpose()?;
            (scope, grant.optional(2)?.map(Decoder::uint).transpose()?)
        };
        let label = grant.optional(3)?.map(name).transpose()?;
        let terms = grant.optional(4)?.map(Terms::decode).transpose()?;
        let conversation =
            grant.optional(5)?.map(Decoder::fixed).transpose()?.map(|id| ConversationId(*id));
        grant.end()?;
        map.end()?;
        Ok(Self {
            root,
            audience,
            expires,
            not_before,
            token,
            holder,
            scope,
            depth,
            name: label,
            terms,
            conversation,
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        let optional = usize::from(self.audience.is_some());
        out.map(5 + optional + if self.root.is_some() { 2 } else { 0 });
        if let Some(root) = &self.root {
            out.int(ISS).text(root.issuer);
            out.int(SUB).text(root.subject);
        }
        if let Some(audience) = self.audience {
            out.int(AUD).text(audience);
        }
        out.int(EXP).uint(self.expires.as_unix_seconds());
        out.int(NBF).uint(self.not_before.as_unix_seconds());
        out.int(CTI).bytes(self.token.as_bytes());
        out.int(CNF).map(1).int(1).map(3);
        out.int(1).int(1).int(-1).int(6).int(-2).bytes(self.holder.as_bytes());
        out.int(GRANT).map(
            usize::from(self.scope.is_some())
                + usize::from(self.depth.is_some())
                + usize::from(self.name.is_some())
                + usize::from(self.terms.is_some())
                + usize::from(self.conversation.is_some()),
        );
        if let Some(scope) = &self.scope {
            out.uint(1);
            scope.encode(&mut out);
        }
        if let Some(depth) = self.depth {
            out.uint(2).uint(depth);
        }
        if let Some(name) = self.name {
            out.uint(3).text(name);
        }
        if let Some(terms) = &self.terms {
            out.uint(4);
            terms.encode(&mut out);
        }
        if let Some(conversation) = &self.conversation {
            out.uint(5).bytes(conversation.as_bytes());
        }
        out.finish()
    }
}

/// Reads a name: 1 to 256 bytes of text.
pub(crate) fn name<'a>(decoder: &mut Decoder<'a>) -> Result<&'a str, Fault> {
    let offset = decoder.offset();
    let text = decoder.text()?;
    if !is_name(text) {
        let expected = "a name of 1 to 256 bytes without control characters";
        return Err(Error::InvalidValue { offset, expected }.into());
    }
    Ok(text)
}

/// Reads `{1: {1: 1, -1: 6, -2: key}}`: a confirmation claim with an Ed25519 COSE_Key.
fn confirmation(decoder: &mut Decoder<'_>) -> Result<AgentId, Fault> {
    let mut cnf = decoder.map("confirmation")?;
    let mut key = cnf.required(1)?.map("COSE_Key")?;
    key.required(1)?.constant(1, "key type 1 (OKP)")?;
    key.required(-1)?.constant(6, "curve 6 (Ed25519)")?;
    let holder = key.required(-2).and_then(agent_id)?;
    key.end()?;
    cnf.end()?;
    Ok(holder)
}

/// A link in its chain: nothing checked but its form.
#[derive(Clone, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) claims: LinkClaims<'a>,
    pub(crate) id: LinkId,
    /// The root key, or the holder of the link above.
    pub(crate) signer: AgentId,
    pub(crate) statement: Statement<'a>,
}

impl<'a> Link<'a> {
    /// Reads the link that follows `above`, or a root; `at` is its place.
    pub(crate) fn decode(
        decoder: &mut Decoder<'a>,
        above: Option<&Link<'a>>,
        at: At,
    ) -> Result<Self, Fault> {
        let (statement, signer) = match above {
            None => Statement::decode_with_key_id(decoder)?,
            Some(above) => (Statement::decode(decoder)?, above.claims.holder),
        };
        let mut payload = statement.payload();
        let claims = LinkClaims::decode(&mut payload, at)?;
        payload.finish()?;
        let id = statement.bind(StatementKind::Link, parent(above.map(|above| &above.id))).id();
        Ok(Self { claims, id: LinkId(id.0), signer, statement })
    }
}

/// What a link under `above` is bound to.
pub(crate) fn parent(above: Option<&LinkId>) -> Parent<'_> {
    above.map_or(Parent::Root, |id| Parent::Id(id.as_bytes()))
}
