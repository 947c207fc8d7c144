//! The transport inside a host: shared memory.

mod arena;
mod attach;
mod calibration;
mod channel;
mod cma;
mod doorbell;
mod host;
mod inbox;
mod introducer;
mod layout;
mod ring;
mod segment;
mod transport;

pub use crate::sync::WaitPolicy;
pub use attach::{AttachError, AttachOptions, Identity};
pub use calibration::calibrate;
pub use channel::Segment;
pub use host::{HostFacts, HostPage};
pub use inbox::{Call, Inbox, InboxBell, Sleeper};
pub use introducer::Introducer;
pub use segment::MapError;
pub use transport::ShmTransport;

#[cfg(all(test, not(loom)))]
mod tests;
