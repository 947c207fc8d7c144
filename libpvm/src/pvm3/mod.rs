//! The semantics of PVM 3: what each `pvm_` call means, in Rust types and without C.
//!
//! # Layout
//! - [`Error`]: the error codes and their texts; [`tid`]: the 32-bit view of task ids
//! - [`item`], [`encoding`], [`header`], [`buffer`], [`buffers`]: messages, from items to bytes
//! - [`inbox`]: arrived messages and which of them a receive takes
//! - [`machine`]: what PVM needs of the machine below, and [`attached`], the real one
//! - [`Pvm`]: the state of one task; its calls are in the files named after the chapters of the
//!   PVM manual: `messages`, `processes`, `hosts`, `notify`, `groups`, [`options`]
//!
//! Every PVM message is a message of the engine in [`Context::PVM`](crate::ids::Context::PVM); PVM's own contexts are in
//! the message's header and are matched here, in the [`inbox`].

mod arrivals;
pub mod attached;
pub mod buffer;
pub mod buffers;
pub mod encoding;
mod error;
mod groups;
pub mod header;
mod hosts;
pub mod inbox;
pub mod item;
pub mod machine;
mod messages;
pub mod notify;
pub mod options;
pub mod processes;
mod state;
pub mod tid;

#[cfg(test)]
mod rehearsal;

pub use error::{Error, Result, TEXT_COUNT, text};
pub use groups::{Gathered, Part};
pub use hosts::{Host, HostTable};
pub use messages::Received;
pub use processes::{SpawnPlace, SpawnRequest, TaskEntry};
pub use state::Pvm;
