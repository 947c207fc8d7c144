//! The task in the virtual machine.

use super::communicator::Communicator;
use super::error::{Error, Result};
use super::info::{self, HostInfo, TaskInfo};
use super::shared::{Shared, TaskEngine};
use crate::ids::{JobId, TaskId};
use crate::session::LinkError;
use crate::sync::Level;
use crate::transport::route::{Route, Routes};
use crate::transport::shm::{AttachError, AttachOptions, Identity};
use crate::wire::control::{Kill, ListHosts, ListTasks, from_daemon, to_daemon};
use std::path::PathBuf;
use std::sync::Arc;

/// Which threads of the program will use the virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// The attaching thread alone: no lock is taken. Calls of other threads are errors.
    Single,
    /// Any thread at any time.
    #[default]
    Multiple,
}

/// How to attach; see [`Vm::attach_with`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    threads: Threads,
    identity: Option<(PathBuf, TaskId, Vec<u8>)>,
    route: Option<Route>,
}

impl Options {
    /// The default: any thread, and the task that the environment names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which threads will use the virtual machine.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// When this task connects directly to tasks of other hosts, in place of what the environment says.
    pub fn route(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Attach as a given task: the daemon's socket, the task and its capability, as the daemon
    /// gave them out.
    pub fn identity(mut self, socket: PathBuf, task: TaskId, capability: Vec<u8>) -> Self {
        self.identity = Some((socket, task, capability));
        self
    }
}

/// This task in the virtual machine. Clones are the same task; it detaches when the last of them,
/// and of the communicators and requests made from them, is dropped.
#[derive(Clone)]
pub struct Vm {
    pub(super) shared: Arc<Shared>,
    world: Communicator,
}

impl Vm {
    /// Attaches this process, usable from all its threads.
    ///
    /// A process that was started by `pvm run` or by another task becomes the task that it was
    /// started as. Any other becomes a new task of the daemon that runs on this host.
    ///
    /// # Errors
    /// [`Error::NotInVm`] when there is no daemon; its text says what to type.
    pub fn attach() -> Result<Self> {
        Self::attach_with(Options::new())
    }

    /// Attaches this process.
    ///
    /// # Errors
    /// As [`Vm::attach`].
    pub fn attach_with(options: Options) -> Result<Self> {
        let identity = match options.identity {
            Some((socket, task, capability)) => Identity::Given {
                socket,
                task: task.bits(),
                capability,
            },
            None => Identity::Environment,
        };
        let route = options.route.unwrap_or_else(Route::from_environment);
        let attach = AttachOptions {
            identity,
            ..AttachOptions::default()
        };
        let (transport, welcome) = Routes::attach(attach, route).map_err(not_attached)?;
        let level = match options.threads {
            Threads::Single => Level::Single,
            Threads::Multiple => Level::Multiple,
        };
        let shared = Arc::new(Shared::new(transport, &welcome, level)?);
        let world = Communicator::world(&shared)?;
        Ok(Self { shared, world })
    }

    /// The id of this task.
    pub fn task_id(&self) -> TaskId {
        self.shared.me
    }

    /// Whether this task has a direct connection to a task of another host. There may be one at any
    /// time, or none again; messages go all the same.
    ///
    /// # Errors
    /// When this thread may not use the virtual machine.
    pub fn is_connected_directly(&self, task: TaskId) -> Result<bool> {
        let ask = |engine: &mut TaskEngine| engine.transport().is_direct(task);
        Ok(self.shared.core.with(ask)?)
    }

    /// The task that spawned this one; `None` when a launcher or nobody did.
    pub fn parent(&self) -> Option<TaskId> {
        self.shared.parent
    }

    /// The job of this task.
    pub fn job(&self) -> JobId {
        self.shared.job
    }

    /// The tasks of the same launch or spawn, by rank; just this one if it was started by hand.
    pub fn world(&self) -> Communicator {
        self.world.clone()
    }

    /// All tasks of the virtual machine.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn tasks(&self) -> Result<Vec<TaskInfo>> {
        match self
            .shared
            .ask(to_daemon::Body::ListTasks(ListTasks { task: 0, job: 0 }))?
        {
            from_daemon::Body::TaskList(list) => Ok(info::tasks(list)),
            _ => Err(unexpected()),
        }
    }

    /// All hosts of the virtual machine.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn hosts(&self) -> Result<Vec<HostInfo>> {
        match self
            .shared
            .ask(to_daemon::Body::ListHosts(ListHosts::default()))?
        {
            from_daemon::Body::HostList(list) => Ok(info::hosts(list)),
            _ => Err(unexpected()),
        }
    }

    /// Asks a task to end (SIGTERM).
    ///
    /// # Errors
    /// When there is no such task.
    pub fn kill(&self, task: TaskId) -> Result<()> {
        self.signal(task, libc::SIGTERM)
    }

    /// Sends a signal to a task.
    ///
    /// # Errors
    /// When there is no such task.
    pub fn signal(&self, task: TaskId, signal: i32) -> Result<()> {
        let kill = Kill {
            task: task.bits(),
            job: 0,
            signal,
            ..Kill::default()
        };
        self.shared.ask(to_daemon::Body::Kill(kill)).map(drop)
    }
}

/// The error of an answer to another question.
pub(super) fn unexpected() -> Error {
    Error::Link(LinkError::Nonsense("the answer to another question"))
}

/// The error of an attach, with what to type when there is no virtual machine.
fn not_attached(error: AttachError) -> Error {
    match error {
        AttachError::Link(LinkError::NoDaemon { path }) => Error::NotInVm(format!(
            "no virtual machine runs on this host (nobody listens at {}); type: pvm run -n 4 {}",
            path.display(),
            AttachOptions::default().program
        )),
        AttachError::Link(error) => error.into(),
        other => Error::NotInVm(other.to_string()),
    }
}
