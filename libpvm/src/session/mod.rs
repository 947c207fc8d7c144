//! The link to the daemon of this host: a blocking client over its unix socket.
//!
//! - [`Link`]: one connection; requests, answers and events;
//! - [`passing`]: bytes with file descriptors beside them;
//! - [`runtime_dir`], [`socket_path`]: where the socket is;
//! - [`start_daemon`]: starts the daemon when none runs;
//! - [`identity_from_environment`]: who the daemon says this process is;
//! - [`own_environment`], [`own_directory`]: what a launch passes on.
//!
//! No thread and no runtime: a link reads only when it is told to. The socket's directory belongs to
//! the user alone, and a link trusts only a daemon of the same user; its messages are checked all
//! the same.

mod identity;
mod link;
pub mod passing;
mod peer;
mod place;
mod start;
mod surroundings;

pub use identity::{IdentityError, identity_from_environment};
pub use link::{Answer, Line, Link, LinkError, Ticket, hello_tool};
pub use place::{
    NoSecretPlace, PlaceError, daemon_name, runtime_dir, secret_path, socket_path, sockets_of,
};
pub use start::{DaemonOptions, StartError, start_daemon};
pub use surroundings::{
    own_directory, own_environment, own_umask, spawn_launch, split_variable, variable,
};
