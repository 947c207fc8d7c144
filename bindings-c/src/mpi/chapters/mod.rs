//! The functions of each chapter of the standard.

pub(super) mod abi;
pub(super) mod buffers;
pub(super) mod caching;
pub(super) mod collectives;
pub(super) mod communicators;
pub(super) mod contents;
pub(super) mod datatypes;
pub(super) mod environment;
pub(super) mod errors;
pub(super) mod external;
pub(super) mod groups;
pub(super) mod info;
pub(super) mod intercommunicators;
pub(super) mod operations;
pub(super) mod packing;
pub(super) mod partitioned;
pub(super) mod point;
pub(super) mod processes;
pub(super) mod requests;
pub(super) mod sessions;
pub(super) mod statuses;
pub(super) mod topologies;
