//! The operating system's side of tasks: the only room of the daemon with unsafe code.
//!
//! - [`program`]: looking up what is to be started, and saying exactly why it cannot be
//! - [`keeper`]: the parent process of a job's processes
//! - [`descendants`]: finding and ending process trees
//! - [`cgroup`]: control groups of jobs, where they can be had
//! - [`detach`]: becoming a daemon
//! - [`terminal`]: whose turn it is at a terminal
//! - [`limits`], [`facts`], [`memory`], [`addresses`]: what this host allows and has

pub mod addresses;
pub mod cgroup;
pub mod descendants;
pub mod detach;
mod elf;
pub mod facts;
pub mod keeper;
pub mod limits;
pub mod memory;
pub mod program;
pub mod terminal;
