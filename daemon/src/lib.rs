//! The daemon of the parallel virtual machine and its command line.
//!
//! # Layout
//! - [`job`]: pure state machines: a job's life, groups, subscriptions, task numbers
//! - [`host`]: the operating system's side: programs, processes, limits, the keeper
//! - [`launch`]: which hosts there are to be, and starting a daemon on each through ssh
//! - [`cluster`]: how daemons on many hosts become one virtual machine
//! - [`doctor`]: what is wrong, judged by what hosts have found
//! - [`server`]: sockets and the requests of clients, one file per request
//! - [`cli`]: the `pvm` program; [`ui`]: how things are shown

pub mod cli;
pub mod cluster;
pub mod doctor;
mod hex;
pub mod host;
pub mod job;
pub mod launch;
pub mod server;
pub mod ui;
