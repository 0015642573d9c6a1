//! Measures agent-envelope beside other crates that do a part of what it does, and beside itself as work grows; and counts
//! instructions. A crate of its own, so that the library's dependency tree knows none of the others.

#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod plot;
pub mod race;
#[cfg(feature = "peers")]
pub mod report;
#[cfg(feature = "peers")]
pub mod scaling;
#[cfg(feature = "peers")]
pub mod world;
