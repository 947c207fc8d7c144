//! Making a virtual machine of several hosts: which hosts, and how a daemon gets started on each.
//!
//! - [`hostfile`]: host files of PVM and of MPI, and lists on command lines
//! - [`spec`], [`names`]: one host as it was written; names, ranges, IPv6 addresses
//! - [`problem`]: what can be wrong with them
//! - [`members`]: which of them are hosts of the virtual machine already
//! - [`ssh`]: starting a daemon on other hosts through the user's own ssh

pub mod hostfile;
pub mod members;
pub mod names;
pub mod problem;
pub mod spec;
pub mod ssh;
