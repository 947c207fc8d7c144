//! What several daemons need to be one virtual machine.

pub mod ledger;
pub mod registry;
