//! What a well-formed, correctly signed chain is worth to one verifier at one time.

use core::fmt;

use crate::identity::AgentId;
use crate::time::Timestamp;

/// Whether a delegation chain counts, and if not, why. A chain that counts for nothing does no harm: it
/// only authorizes nothing. SPEC §6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainStatus {
    /// The chain counts.
    Trusted,
    /// The root key is no trust anchor.
    UnknownRoot {
        /// The root key.
        root: AgentId,
    },
    /// The root or a link grants what its trust anchor does not have to give.
    BeyondAnchor {
        /// The first link that does.
        link: usize,
        /// What is beyond the anchor.
        what: &'static str,
    },
    /// The chain is not valid yet.
    NotYetValid {
        /// When it begins.
        not_before: Timestamp,
        /// The verification time.
        now: Timestamp,
    },
    /// The chain has expired.
    Expired {
        /// When it ended.
        expires: Timestamp,
        /// The verification time.
        now: Timestamp,
    },
    /// A link, its token id, or a key of the chain is revoked.
    Revoked {
        /// The first link that is; `None` if it is the root key itself.
        link: Option<usize>,
    },
    /// The chain is made out to an audience that this reader is not.
    NotForMe,
    /// The chain counts in one conversation only, and this is another.
    OtherConversation,
}

impl fmt::Display for ChainStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => write!(f, "trusted"),
            Self::UnknownRoot { root } => write!(f, "its root {root} is no trust anchor"),
            Self::BeyondAnchor { link, what } => {
                write!(f, "link {link} goes beyond its trust anchor: {what}")
            }
            Self::NotYetValid { not_before, now } => {
                write!(f, "valid from {not_before}, verification time is {now}")
            }
            Self::Expired { expires, now } => {
                write!(f, "expired at {expires}, verification time is {now}")
            }
            Self::Revoked { link: Some(link) } => write!(f, "link {link} is revoked"),
            Self::Revoked { link: None } => write!(f, "its root key is revoked"),
            Self::NotForMe => write!(f, "made out to another audience"),
            Self::OtherConversation => write!(f, "made out to another conversation"),
        }
    }
}
