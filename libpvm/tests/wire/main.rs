//! What is on the wire: byte for byte, and as hosts of another kind write and read it.
//!
//! The files in `golden` are the wire. They are changed only together with a version of the protocol.

mod golden;
#[allow(dead_code, reason = "tests/tests/unlike.rs uses the rest")]
mod peer;
mod unlike;
mod vectors;
