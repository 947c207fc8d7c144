//! Between hosts: what two tasks say to each other, whatever carries it.
//!
//! - [`packet`]: packets as bytes;
//! - [`frame`]: what a carrier moves;
//! - [`session`]: numbers, confirmations and going on with another carrier;
//! - [`meeting`], [`direct`]: a carrier, one TCP connection between the two, perhaps in the `records` of
//!   TLS; [`tls`] and [`greeting`] make sure who is at the other end;
//!   `path` chooses how the system sends.
//!
//! The first three do no input or output. The other carrier, the daemons, is in
//! [`route`](super::route).

pub mod direct;
pub mod frame;
pub mod greeting;
mod kept;
pub mod meeting;
pub mod packet;
mod path;
mod records;
pub mod session;
pub mod tls;

#[cfg(all(test, not(loom)))]
mod tests;
