//! How daemons on many hosts become one virtual machine.
//!
//! - [`trust`]: who belongs to it

pub mod trust;
