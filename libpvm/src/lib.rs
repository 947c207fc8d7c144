//! The parallel virtual machine: tasks on any host, messages, groups, collectives.
//!
//! # Layout
//! Ground floor first; a module uses only those above it in this list (`cargo xtask tidy` checks):
//! - [`ids`], [`limits`], [`settings`], [`wire`], [`sync`]: names, bounds, knobs, bytes, atomics
//! - [`datatype`]: memory layouts and message ends; [`session`]: the link to the daemon
//! - [`transport`]: packets between tasks; [`group`]: ordered sets of tasks
//! - [`engine`]: matching and requests
//! - [`collective`]: schedules over the engine
//! - [`pvm3`], [`mpi`]: the semantics of PVM 3 and of MPI 5.0
//! - [`api`]: what Rust programs use, re-exported here; [`testing`]: private virtual machines

pub mod api;
pub mod collective;
pub mod datatype;
pub mod engine;
pub mod group;
pub mod ids;
pub mod limits;
pub mod mpi;
pub mod pvm3;
pub mod session;
pub mod settings;
pub mod sync;
pub mod testing;
pub mod transport;
pub mod wire;

pub use api::*;
