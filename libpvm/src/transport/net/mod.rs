//! Between hosts: what two tasks say to each other, whatever carries it.
//!
//! - [`packet`]: packets as bytes;
//! - [`frame`]: what a carrier moves;
//! - [`session`]: numbers, confirmations and going on with another carrier.
//!
//! Nothing here does input or output; [`route`](super::route) does.

pub mod frame;
mod kept;
pub mod packet;
pub mod session;

#[cfg(all(test, not(loom)))]
mod tests;
