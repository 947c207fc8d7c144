//! Everything that concurrent code is built from; the only room that names `std::sync::atomic`.
//!
//! - [`atomic`]: atomics of one process, of std or, under `cfg(loom)`, of loom;
//! - [`shared`]: atomics in memory that processes share (always std's), and [`shared::Word`], the
//!   trait that lets one algorithm run on either kind;
//! - [`clock`]: the time that all processes of a host have in common;
//! - [`futex`]: waiting for a word of shared memory;
//! - [`gate`]: one thread at a time, without a lock when there is only one;
//! - [`ladder`]: how a waiting thread passes the time;
//! - [`slots`]: objects under numbers that detect staleness.

pub mod clock;
pub mod futex;
pub mod gate;
pub mod ladder;
pub mod shared;
pub mod slots;

pub use gate::{Gate, GateError, Level, Pass};
pub use ladder::{Ladder, Step, WaitPolicy, give_way};

/// Atomics, of std or, under `cfg(loom)`, of loom.
pub mod atomic {
    #[cfg(loom)]
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    #[cfg(not(loom))]
    pub use std::sync::atomic::{
        AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}
