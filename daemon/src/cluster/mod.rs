//! How daemons on many hosts become one virtual machine.
//!
//! - [`trust`]: who belongs to it
//! - [`mesh`]: connections between its daemons

pub mod mesh;
pub mod trust;
