//! What each call of MPI 5.0 means, without C: objects, semantics, errors.
//!
//! The C interface turns handles and memory into what is here; constants have the values of the
//! standard ABI (MPI 5.0, chapter 20).

pub mod attribute;
pub mod buffered;
pub mod code;
pub mod collective;
pub mod comm;
pub mod datatype;
pub mod debug;
pub mod errhandler;
pub mod error;
pub mod group;
pub mod info;
mod object;
pub mod op;
pub mod partitioned;
pub mod point;
pub mod process;
pub mod request;
pub mod session;
pub mod status;
pub mod topology;

pub use comm::Comm;
pub use datatype::Datatype;
pub use errhandler::Errhandler;
pub use error::{Class, Error, Result};
pub use group::Group;
pub use info::Info;
pub use op::Op;
pub use process::Process;
pub use request::Request;
pub use session::Session;
pub use status::{Ended, Status};
pub use topology::Topology;
