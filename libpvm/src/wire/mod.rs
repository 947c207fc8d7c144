//! Bytes between processes: control messages, their frames, and typed values.
//!
//! Everything read here comes from another process: every decode has a limit and returns an error,
//! never a panic.

pub mod frame;
pub mod value;

/// The control messages of `proto/control.proto`.
#[allow(missing_docs, reason = "generated; documented in the .proto file")]
pub mod control {
    include!(concat!(env!("OUT_DIR"), "/pvm.control.rs"));
}
