//! What an element is: content for agents, or control data for verifiers. SPEC §7.2.

use core::fmt;

/// The kind of a content element. It is a claim of the element's author: a tool result is a result *as reported by* whoever
/// wrote the element.
///
/// The names follow draft-birkholz-verifiable-agent-conversations; numbers 10 to 63 are content of the future, and numbers
/// from 65536 on are for private use. A kind that is not known here is opaque: it verifies, opens and forwards like any
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A turn of a person. Only the originator writes it.
    User,
    /// A turn of an agent.
    Assistant,
    /// Instructions. Only the originator writes them.
    System,
    /// A call of a tool.
    ToolCall,
    /// What its author reports that a tool returned.
    ToolResult,
    /// Thoughts of a model.
    Reasoning,
    /// A document, a file, a piece of code.
    Artifact,
    /// What an agent wants to remember.
    Memory,
    /// A shorter form of the elements that it refers to.
    Summary,
    /// An ask, offer, acceptance or refusal of a budget. Only the originator writes it.
    Negotiation,
    /// A kind that later versions define, 10 to 63.
    Unassigned(u8),
    /// A kind that the parties have agreed on, 65536 or more.
    Private(u64),
}

/// The kinds of control elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// A delegation chain of the element's author.
    Authority,
    /// An audience.
    Audience,
    /// A key package of the originator.
    KeyPackage,
    /// An allotment for an agent that may act next.
    Allotment,
    /// The history of a ledger, up to a report.
    Report,
}

/// Any kind that a record may bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyKind {
    Content(Kind),
    Control(Control),
}

/// The first number for private use.
const PRIVATE: u64 = 1 << 16;

impl Kind {
    /// Returns the number on the wire.
    pub const fn number(self) -> u64 {
        match self {
            Self::User => 0,
            Self::Assistant => 1,
            Self::System => 2,
            Self::ToolCall => 3,
            Self::ToolResult => 4,
            Self::Reasoning => 5,
            Self::Artifact => 6,
            Self::Memory => 7,
            Self::Summary => 8,
            Self::Negotiation => 9,
            // Widening; `From` is not const.
            #[expect(clippy::as_conversions, reason = "u8 to u64 loses nothing")]
            Self::Unassigned(number) => number as u64,
            Self::Private(number) => number,
        }
    }

    /// Finds the content kind with this number: 0 to 63, or 65536 and more.
    pub fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::User,
            1 => Self::Assistant,
            2 => Self::System,
            3 => Self::ToolCall,
            4 => Self::ToolResult,
            5 => Self::Reasoning,
            6 => Self::Artifact,
            7 => Self::Memory,
            8 => Self::Summary,
            9 => Self::Negotiation,
            10..=63 => Self::Unassigned(u8::try_from(number).ok()?),
            PRIVATE..=crate::cbor::MAX_UINT => Self::Private(number),
            _ => return None,
        })
    }

    /// Tells whether only the originator may write this kind: who speaks for a person, or instructs, is never a hop.
    pub const fn is_originators(self) -> bool {
        matches!(self, Self::User | Self::System | Self::Negotiation)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::ToolCall => "tool-call",
            Self::ToolResult => "tool-result",
            Self::Reasoning => "reasoning",
            Self::Artifact => "artifact",
            Self::Memory => "memory",
            Self::Summary => "summary",
            Self::Negotiation => "negotiation",
            Self::Unassigned(number) => return write!(f, "kind-{number}"),
            Self::Private(number) => return write!(f, "private-{number}"),
        })
    }
}

impl Control {
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Authority => 64,
            Self::Audience => 65,
            Self::KeyPackage => 66,
            Self::Allotment => 67,
            Self::Report => 68,
        }
    }
}

impl AnyKind {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            64 => Self::Control(Control::Authority),
            65 => Self::Control(Control::Audience),
            66 => Self::Control(Control::KeyPackage),
            67 => Self::Control(Control::Allotment),
            68 => Self::Control(Control::Report),
            _ => Self::Content(Kind::from_number(number)?),
        })
    }

    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Content(kind) => kind.number(),
            Self::Control(control) => control.number(),
        }
    }

    /// Tells whether only hop 0's range may hold this kind.
    pub(crate) const fn is_originators(self) -> bool {
        match self {
            Self::Content(kind) => kind.is_originators(),
            Self::Control(control) => matches!(control, Control::KeyPackage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_kind_or_none() {
        for number in (0..100).chain([255, 65535, 65536, 1 << 40]) {
            match AnyKind::from_number(number) {
                Some(kind) => assert_eq!(kind.number(), number),
                None => assert!((69..=65535).contains(&number), "{number}"),
            }
        }
        assert_eq!(Kind::from_number(64), None);
        assert_eq!(Kind::from_number(1 << 53), None);
    }

    #[test]
    fn kinds_have_the_names_of_the_registry() {
        assert_eq!(Kind::ToolResult.to_string(), "tool-result");
        assert_eq!(Kind::Unassigned(10).to_string(), "kind-10");
        assert_eq!(Kind::Private(65536).to_string(), "private-65536");
    }
}
