//! What an agent may do: actions on resources, and whether one set of them lies within another. SPEC §6.2.
//!
//! Knows sets of permissions only: who grants them, when and how often is the business of the delegation chain.
//!
//! ```cddl
//! scope      = [+ permission]                          ; a set
//! permission = [actions: [+ action], prefix: [* segment]]
//! action     = tstr .regexp "[a-z0-9._-]{1,64}"        ; actions: a set
//! segment    = tstr .regexp "[A-Za-z0-9._~:@+-]{1,64}" ; never "." or ".."
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::Error;
use crate::cbor::{Decoder, Encoder, Fault, Sink};

/// What an agent may do: a set of permissions, their union.
///
/// Permissions only ever add up; nothing subtracts. There are no wildcards, no patterns and no negation, so whether one
/// scope lies within another is decided exactly (see [`Scope::is_within`]).
///
/// Two scopes are equal if they are the same set of permissions; two different sets may still mean the same, and then
/// each lies within the other.
///
/// ```
/// use agent_envelope::{Permission, Resource, Scope};
///
/// let inbox: Resource = "mail/inbox".parse()?;
/// let scope = Scope::new([
///     Permission::new(["mail.read", "mail.send"], &inbox)?,
///     Permission::new(["summarise"], &Resource::everything())?,
/// ])?;
///
/// assert!(scope.allows("mail.read", &"mail/inbox/42".parse()?));
/// assert!(!scope.allows("mail.read", &"mail/inboxes".parse()?));
/// assert!(!scope.allows("mail.delete", &"mail/inbox/42".parse()?));
/// assert_eq!(scope.to_string(), "summarise on everything; mail.read, mail.send on mail/inbox");
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    encoded: Vec<u8>,
}

impl Scope {
    /// Makes a scope of `permissions`, in any order; repeated ones count once.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for no permission at all, for more than 64, and for more than 512 actions over all of them.
    pub fn new(permissions: impl IntoIterator<Item = Permission>) -> Result<Self, Error> {
        let mut permissions: Vec<Permission> = permissions.into_iter().collect();
        permissions.sort_unstable();
        permissions.dedup();
        let actions = permissions.iter().map(|permission| permission.view().actions.count);
        let reason = match permissions.len() {
            0 => "a scope has at least one permission",
            count if count > MAX_PERMISSIONS => "a scope has at most 64 permissions",
            _ if actions.sum::<usize>() > MAX_SCOPE_ACTIONS => {
                "a scope has at most 512 actions over all its permissions"
            }
            _ => {
                let mut encoder = Encoder::new();
                encoder.array(permissions.len());
                for permission in &permissions {
                    encoder.raw(&permission.encoded);
                }
                return Ok(Self { encoded: encoder.finish() });
            }
        };
        Err(Error::Configuration { reason })
    }

    /// Tells whether this scope grants `action` on `resource`.
    ///
    /// An `action` that no permission could name, such as one with capital letters, is granted by none.
    pub fn allows(&self, action: &str, resource: &Resource) -> bool {
        self.view().covers(action, resource)
    }

    /// Tells whether whatever this scope grants, `other` grants too.
    pub fn is_within(&self, other: &Self) -> bool {
        self.view().first_not_within(&other.view()).is_none()
    }

    /// Returns the permissions, in the order in which they are encoded.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> + '_ {
        self.view().permissions().map(|view| Permission { encoded: view.encoded.to_vec() })
    }

    pub(crate) fn view(&self) -> ScopeRef<'_> {
        ScopeRef { encoded: &self.encoded }
    }
}

impl fmt::Display for Scope {
    /// Writes, for example, `mail.read, mail.send on mail/inbox; summarise on everything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

/// A set of actions on everything under one resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// Ordered as a scope orders its members.
    encoded: Vec<u8>,
}

impl Permission {
    /// Grants each of `actions` on `resource` and on all that lies under it.
    ///
    /// Actions come in any order; repeated ones count once. What an action means is up to whoever carries it out.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for no action at all, for more than 32, and for an action that is not 1 to 64 of
    /// `a-z 0-9 . _ -`, such as `Read`, `mail.*` or the empty one.
    pub fn new<'a>(
        actions: impl IntoIterator<Item = &'a str>,
        resource: &Resource,
    ) -> Result<Self, Error> {
        let mut actions: Vec<&str> = actions.into_iter().collect();
        actions.sort_unstable_by_key(|action| rank(action));
        actions.dedup();
        let reason = match actions.len() {
            0 => "a permission has at least one action",
            count if count > MAX_ACTIONS => "a permission has at most 32 actions",
            _ if !actions.iter().all(|action| is_action(action)) => {
                "an action is 1 to 64 of a-z 0-9 . _ -"
            }
            _ => {
                let mut encoder = Encoder::new();
                encoder.array(2).array(actions.len());
                for action in actions {
                    encoder.text(action);
                }
                encoder.array(resource.segments().count());
                for segment in resource.segments() {
                    encoder.text(segment);
                }
                return Ok(Self { encoded: encoder.finish() });
            }
        };
        Err(Error::Configuration { reason })
    }

    /// Returns the actions, shorter ones first.
    pub fn actions(&self) -> impl Iterator<Item = &str> + '_ {
        self.view().actions.iter()
    }

    /// Returns the resource at the top of what this permission covers.
    pub fn resource(&self) -> Resource {
        self.view().resource()
    }

    fn view(&self) -> PermissionRef<'_> {
        PermissionRef::decode(&mut Decoder::new(&self.encoded)).expect(CHECKED)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permission({self})")
    }
}

/// What actions are done to: a path of segments, in text joined by `/`.
///
/// A path without segments stands for everything. Paths are names, not file paths or URLs: nothing is decoded, folded or
/// normalized, and `.` and `..` are refused.
///
/// ```
/// use agent_envelope::{Error, Resource};
///
/// let message: Resource = "mail/inbox/42".parse()?;
/// assert_eq!(message.to_string(), "mail/inbox/42");
/// assert_eq!("".parse(), Ok(Resource::everything()));
/// assert!(matches!("mail/../keys".parse::<Resource>(), Err(Error::InvalidValue { offset: 5, .. })));
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(String);

impl Resource {
    /// Returns the path without segments, under which everything lies.
    pub const fn everything() -> Self {
        Self(String::new())
    }

    /// Returns the segments from the top down.
    pub fn segments(&self) -> impl Iterator<Item = &str> + '_ {
        // Splitting "" would give one empty segment.
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

impl FromStr for Resource {
    type Err = Error;

    /// Parses segments joined by `/`; the empty text is [`Resource::everything`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] with the offset of the first segment that is not 1 to 64 of `A-Z a-z 0-9 . _ ~ : @ + -`, or
    /// that is `.` or `..`: `/mail`, `mail//inbox`, `mail/`, `mail/*`, `a%2Fb`. [`Error::LimitExceeded`] for more than 16 segments.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::everything());
        }
        at_most(MAX_SEGMENTS, "segments in a resource", text.split('/').count())?;
        let mut offset = 0;
        for segment in text.split('/') {
            if !is_segment(segment) {
                return Err(Error::InvalidValue { offset, expected: SEGMENT });
            }
            offset += segment.len() + 1;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({:?})", self.0)
    }
}

/// A scope as it stands in the bytes that were signed. Only [`ScopeRef::decode`] and [`Scope::view`] make one, so
/// reading it again cannot fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeRef<'a> {
    encoded: &'a [u8],
}

impl fmt::Debug for ScopeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeRef({self})")
    }
}

impl<'a> ScopeRef<'a> {
    pub(crate) fn encode<S: Sink>(&self, encoder: &mut Encoder<S>) {
        encoder.raw(self.encoded);
    }

    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        let from = decoder.offset();
        let count = decoder.array_nonempty("scope")?;
        at_most(MAX_PERMISSIONS, "permissions in a scope", count)?;
        let mut actions = 0;
        decoder.set(count, PermissionRef::decode, |permission| {
            actions += permission.actions.count;
        })?;
        at_most(MAX_SCOPE_ACTIONS, "actions in a scope", actions)?;
        Ok(Self { encoded: decoder.since(from) })
    }

    pub(crate) fn covers(&self, action: &str, resource: &Resource) -> bool {
        self.permissions().any(|permission| {
            let mut rest = resource.segments();
            permission.prefix.iter().all(|segment| rest.next() == Some(segment))
                && permission.actions.iter().any(|granted| granted == action)
        })
    }

    /// Returns the index of the first permission here that `parent` does not grant in full.
    ///
    /// A permission is granted in full if for each of its actions *one* permission of `parent` has that action and a prefix
    /// of its prefix. This is exact: what a permission grants includes its own prefix as a resource, and whatever grants
    /// that grants all below it.
    pub(crate) fn first_not_within(&self, parent: &ScopeRef<'_>) -> Option<usize> {
        // Who grants all that it holds often repeats it word for word.
        if self.encoded == parent.encoded {
            return None;
        }
        let mut grants: Vec<(&str, &[u8])> = Vec::new();
        for permission in parent.permissions() {
            let prefix = permission.prefix.items;
            grants.extend(permission.actions.iter().map(|action| (action, prefix)));
        }
        grants.sort_unstable();
        // An encoded string says where it ends, so a prefix in bytes is a prefix in whole segments. Whatever sorts between
        // a prefix and a path begins with that prefix too; where such grants are dropped, the only one that can cover a
        // path is the last that does not sort after it.
        grants.dedup_by(|next, kept| next.0 == kept.0 && next.1.starts_with(kept.1));
        self.permissions().position(|child| {
            let path = child.prefix.items;
            !child.actions.iter().all(|action| {
                let after = grants.partition_point(|grant| *grant <= (action, path));
                let last = grants[..after].last();
                last.is_some_and(|(granted, prefix)| *granted == action && path.starts_with(prefix))
            })
        })
    }

    pub(crate) fn to_scope(self) -> Scope {
        Scope { encoded: self.encoded.to_vec() }
    }

    fn permissions(self) -> impl Iterator<Item = PermissionRef<'a>> {
        let mut decoder = Decoder::new(self.encoded);
        let count = decoder.array().expect(CHECKED);
        (0..count).map(move |_| PermissionRef::decode(&mut decoder).expect(CHECKED))
    }
}

impl fmt::Display for ScopeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, permission) in self.permissions().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{permission}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct PermissionRef<'a> {
    encoded: &'a [u8],
    actions: Texts<'a>,
    prefix: Texts<'a>,
}

impl<'a> PermissionRef<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Fault> {
        let from = decoder.offset();
        decoder.array_of(2)?;
        let count = decoder.array_nonempty("list of actions")?;
        at_most(MAX_ACTIONS, "actions in a permission", count)?;
        let items = decoder.offset();
        decoder.set(count, |decoder| checked(decoder, is_action, ACTION), drop)?;
        let actions = Texts { items: decoder.since(items), count };

        let count = decoder.array()?;
        at_most(MAX_SEGMENTS, "segments in a permission", count)?;
        let items = decoder.offset();
        for _ in 0..count {
            checked(decoder, is_segment, SEGMENT)?;
        }
        let prefix = Texts { items: decoder.since(items), count };
        Ok(Self { encoded: decoder.since(from), actions, prefix })
    }

    fn resource(&self) -> Resource {
        Resource(self.prefix.iter().collect::<Vec<_>>().join("/"))
    }
}

impl fmt::Display for PermissionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, action) in self.actions.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{action}")?;
        }
        match self.prefix.count {
            0 => f.write_str(" on everything"),
            _ => write!(f, " on {}", self.resource()),
        }
    }
}

/// Text strings that stand one after the other.
#[derive(Clone, Copy)]
struct Texts<'a> {
    items: &'a [u8],
    count: usize,
}

impl<'a> Texts<'a> {
    fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut decoder = Decoder::new(self.items);
        (0..self.count).map(move |_| decoder.text().expect(CHECKED))
    }
}

/// Orders texts as their encodings.
fn rank(text: &str) -> (usize, &str) {
    (text.len(), text)
}

fn checked<'a>(
    decoder: &mut Decoder<'a>,
    valid: fn(&str) -> bool,
    expected: &'static str,
) -> Result<&'a str, Fault> {
    let offset = decoder.offset();
    let text = decoder.text()?;
    if valid(text) { Ok(text) } else { Err(Error::InvalidValue { offset, expected }.into()) }
}

fn is_action(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

fn is_segment(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:@+-".contains(&byte))
        && text != "."
        && text != ".."
}

fn at_most(limit: usize, what: &'static str, found: usize) -> Result<(), Error> {
    if found <= limit { Ok(()) } else { Err(Error::LimitExceeded { what, limit, found }) }
}

const ACTION: &str = "an action: 1 to 64 of a-z 0-9 . _ -";
const SEGMENT: &str = "a resource segment: 1 to 64 of A-Z a-z 0-9 . _ ~ : @ + -, and not . or ..";
const CHECKED: &str = "checked when the scope was made";

/// A hex SHA-256, the longest name without structure, fits.
const MAX_TEXT: usize = 64;
/// One per tool of a richly equipped agent. Past it the scope is refused.
const MAX_PERMISSIONS: usize = 64;
/// Every verb that one tool has. Past it the scope is refused.
const MAX_ACTIONS: usize = 32;
/// Twice the depth of the deepest paths of public REST interfaces. Past it the scope is refused.
const MAX_SEGMENTS: usize = 16;
/// Eight for each permission. Narrowing sorts them before any signature is checked: 64 × 32 took 0.7 ms for each link,
/// and links come by the hundred. Past it the scope is refused.
const MAX_SCOPE_ACTIONS: usize = 512;

#[cfg(test)]
mod tests;
