//! Collectives: schedules over the engine.
//!
//! A collective goes through three hands:
//! - [`plan`] chooses an algorithm and writes down what this rank does: a [`Schedule`], made by
//!   the pure functions of [`algorithm`];
//! - a [`Run`] takes the schedule, the buffers, and what the communicator knows of the
//!   others, and goes through it with the engine's requests;
//! - an [`Op`] combines elements on the way.
//!
//! Blocking, non-blocking and persistent calls run the same schedules.

pub mod algorithm;
pub mod between;
mod by_host;
mod circle;
pub mod neighbours;
mod op;
mod run;
mod schedule;
mod select;
mod team;
mod topology;

pub use circle::Circle;
pub use op::{Builtin, Kind, Op, Scalar, UserFunction};
pub use run::{
    Beyond, Delivery, Difference, Finished, Member, Run, Scratch, Setup, Tags, WRONG_LENGTH,
    WRONG_TYPE,
};
pub use schedule::{Buffer, Schedule, Span, Step};
pub use select::{Call, CallError, Place, Vector, plan};
pub use team::{Blocks, Packed, Team};
pub use topology::Topology;

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;
