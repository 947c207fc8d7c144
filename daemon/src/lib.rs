//! The daemon of the parallel virtual machine and its command line.
//!
//! # Layout
//! - [`job`]: pure state machines: a job's life, groups, subscriptions, task numbers
//! - [`host`]: the operating system's side: programs, processes, limits, the keeper
//! - [`cluster`]: what several daemons need to be one virtual machine
//! - [`server`]: sockets and the requests of clients, one file per request
//! - [`cli`]: the `pvm` program; [`ui`]: how things are shown

pub mod cli;
pub mod cluster;
pub mod host;
pub mod job;
pub mod server;
pub mod ui;
