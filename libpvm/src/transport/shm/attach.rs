//! Becoming a task.

use super::host::HostPage;
use super::inbox::InboxBell;
use super::segment::MapError;
use super::transport::ShmTransport;
use crate::ids::TaskId;
use crate::limits::CONTROL_VERSIONS;
use crate::session::{
    IdentityError, Link, LinkError, PlaceError, daemon_name, identity_from_environment,
    runtime_dir, socket_path,
};
use crate::sync::WaitPolicy;
use crate::wire::control::{Attach, Hello, Welcome, hello};
use std::path::PathBuf;

/// Who to become.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The task that the daemon said this process is; without that, a new task of the daemon that
    /// the user's environment names.
    Environment,
    /// A task that the daemon made before.
    Given {
        /// The daemon's socket.
        socket: PathBuf,
        /// Bits of the task's id.
        task: u64,
        /// Proof that this process may be it.
        capability: Vec<u8>,
    },
    /// A new task.
    New {
        /// The daemon's socket.
        socket: PathBuf,
    },
}

/// How to attach.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// Who to become.
    pub identity: Identity,
    /// Name of the program, for listings.
    pub program: String,
    /// How to wait for messages.
    pub wait: WaitPolicy,
}

impl Default for AttachOptions {
    /// As the environment says.
    fn default() -> Self {
        Self {
            identity: Identity::Environment,
            program: std::env::args_os()
                .next()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            wait: WaitPolicy::from_environment(),
        }
    }
}

/// Why this process is not a task.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The environment makes no sense.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no place for a daemon's socket.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The daemon cannot be reached, or refuses.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What the daemon handed over cannot be used.
    #[error("attaching to the daemon: {0}; use one release of daemon and program")]
    Map(#[from] MapError),
}

impl Identity {
    /// A new task of the daemon that this process knows, for one whose own identity was used.
    ///
    /// # Errors
    /// When the environment names none.
    pub fn new_task() -> Result<Self, AttachError> {
        let (socket, ..) = Identity::Environment.resolve()?;
        Ok(Identity::New { socket })
    }

    /// Socket, task and capability; 0 and nothing for a new task.
    fn resolve(self) -> Result<(PathBuf, u64, Vec<u8>), AttachError> {
        match self {
            Identity::Given {
                socket,
                task,
                capability,
            } => Ok((socket, task, capability)),
            Identity::New { socket } => Ok((socket, 0, Vec::new())),
            Identity::Environment => match identity_from_environment()? {
                Some(identity) => Ok(identity),
                None => Ok((socket_path(&runtime_dir()?, &daemon_name()), 0, Vec::new())),
            },
        }
    }
}

impl ShmTransport<Link> {
    /// Attaches this process to the daemon as a task.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(options: AttachOptions) -> Result<(Self, Welcome), AttachError> {
        let (socket, task, capability) = options.identity.resolve()?;
        let hello = Hello {
            version_min: CONTROL_VERSIONS.0,
            version_max: CONTROL_VERSIONS.1,
            software: concat!("libpvm ", env!("CARGO_PKG_VERSION")).to_owned(),
            role: Some(hello::Role::Attach(Attach {
                task,
                capability,
                program: options.program,
            })),
        };
        let (link, welcome, fds) = Link::connect(&socket, hello)?;
        let me = TaskId::from_bits(welcome.task)
            .ok_or(LinkError::Nonsense("a welcome without a task id"))?;
        let [inbox, host] = <[_; 2]>::try_from(fds)
            .map_err(|_| LinkError::Nonsense("a welcome without an inbox"))?;
        let inbox = InboxBell::map(inbox)?;
        let host = HostPage::map(host)?;
        Ok((Self::new(link, me, inbox, host, options.wait), welcome))
    }
}
