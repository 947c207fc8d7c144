//! How daemons on many hosts become one virtual machine.
//!
//! - [`trust`]: who belongs to it
//! - [`mesh`]: connections between its daemons
//! - [`registry`]: what they agree on: hosts, groups, mailboxes
//! - [`ledger`]: how they agree

pub mod ledger;
pub mod mesh;
pub mod registry;
pub mod trust;
