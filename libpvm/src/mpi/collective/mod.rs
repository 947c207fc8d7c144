//! Collective communication (MPI 5.0, chapter 6): blocking, non-blocking and persistent, in one group,
//! between two, and among neighbours.
//!
//! A call becomes a [`Prepared`] one: the schedule of this rank and its buffers. That can be gone
//! through at once, be a request, or be what a persistent request starts again and again. A blocking call
//! that was made before need not be prepared again ([`Again`]).
//!
//! Messages carry what must be equal in all ranks: the call, its root, its operation. So when ranks
//! disagree, the error says on what.

mod agreement;
mod buffers;
mod known;
mod local;
mod prepared;

pub use crate::collective::between::Root;
pub use agreement::Name;
pub(super) use agreement::failure;
pub use buffers::{Blocked, words};
pub use known::{Again, Calls, Part, Parts, Shape};
pub use local::reduce_local;
pub use prepared::{Ends, Job, Prepared, root_of};
