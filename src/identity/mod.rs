//! Who an agent is and how to seal to it. SPEC §5.

mod agent_id;
mod key_package;
mod keys;
#[cfg(test)]
mod tests;

pub use agent_id::AgentId;
pub use key_package::{KeyPackage, Suite};
pub(crate) use key_package::{Unverified as UnverifiedKeyPackage, agent_id};
pub use keys::{Identity, SigningKey};
