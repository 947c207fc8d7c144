//! What each call of MPI 5.0 means, without C: objects, semantics, errors.
//!
//! The C interface turns handles and memory into what is here; constants have the values of the
//! standard ABI (MPI 5.0, chapter 20).

pub mod error;

pub use error::{Class, Error, Result};
