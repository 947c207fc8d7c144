//! Pure state: no clock, no sockets, no processes. Events go in with `now`, actions come out.

pub mod barrier;
pub mod binding;
pub mod environment;
pub mod group;
pub mod life;
pub mod numbers;
pub mod place;
pub mod watch;
