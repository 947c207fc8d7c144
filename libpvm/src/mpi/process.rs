//! This process as a task of the virtual machine that runs an MPI program.

use super::buffered::Buffer;
use super::debug::Debug;
use super::error::{Class, Error, Result};
use crate::engine::{AskError, EngineError, Task, TaskEngine, WaitError};
use crate::group::Group;
use crate::limits::DAEMON_IDLE_S;
use crate::session::{
    DaemonOptions, LinkError, StartError, daemon_name, runtime_dir, start_daemon,
};
use crate::settings;
use crate::sync::{GateError, Level};
use crate::transport::Call;
use crate::transport::route::{Route, Routes};
use crate::transport::shm::{AttachError, AttachOptions, Identity};
use crate::wire::control::{Kill, ListHosts, from_daemon, to_daemon};
use std::sync::Arc;
use std::time::Duration;

/// The attached process; what communicators are made in.
pub struct Process {
    /// The task.
    pub task: Task,
    /// Where buffered sends go whose communicator has no buffer.
    pub buffer: Buffer,
    /// What the program is checked for.
    pub debug: Debug,
    /// Whether the others go on when a process of the job fails.
    pub goes_on: bool,
}

/// Where communicators and groups belong: this process, and the session that they descend from. Clones
/// are the same scope.
#[derive(Clone)]
pub struct Scope {
    /// This process.
    pub process: Arc<Process>,
    /// Where buffered sends go whose communicator has no buffer, before the process's; `None`: they do
    /// not descend from a session.
    pub session: Option<Buffer>,
}

impl Scope {
    /// The scope of the world.
    pub fn world(process: &Arc<Process>) -> Self {
        Self {
            process: Arc::clone(process),
            session: None,
        }
    }
}

impl std::ops::Deref for Scope {
    type Target = Process;

    #[inline]
    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Process {
    /// Attaches this process, for programs of this thread level. Where no daemon runs, as for a program
    /// that was started by hand, one is started, which leaves again when it has nothing to do.
    /// `again`: this process was attached before; it becomes another task.
    ///
    /// # Errors
    /// `MPI_ERR_OTHER` when there is no daemon or it refuses; the text says what to type.
    pub fn attach(level: Level, again: bool) -> Result<Arc<Self>> {
        let debug = Debug::from_environment()?;
        let options = match again {
            true => Identity::new_task().map(|identity| AttachOptions {
                identity,
                ..AttachOptions::default()
            }),
            false => Ok(AttachOptions::default()),
        };
        let options = options.map_err(not_attached)?;
        let attach = || Routes::attach(options.clone(), Route::from_environment());
        let (transport, welcome) = match attach() {
            Err(AttachError::Link(LinkError::NoDaemon { .. })) if !was_started() => {
                start_daemon(&daemon_here()?).map_err(not_started)?;
                attach()
            }
            other => other,
        }
        .map_err(not_attached)?;
        let task = Task::new(transport, &welcome, level)
            .map_err(|error| Error::new(Class::Intern, error.to_string()))?;
        Ok(Arc::new(Self {
            task,
            buffer: Buffer::default(),
            debug,
            goes_on: std::env::var(settings::ON_FAILURE).is_ok_and(|what| what == "continue"),
        }))
    }

    /// Ends the other processes of a group, where the end of this one does not end them.
    pub fn end_others(&self, group: &Group) {
        if !self.goes_on {
            return;
        }
        for task in group.tasks().iter().filter(|&&task| task != self.task.me) {
            // The best that can be done: this process ends whatever comes of it.
            let _ = self.task.tell(to_daemon::Body::Kill(Kill {
                task: task.bits(),
                signal: libc::SIGKILL,
                ..Kill::default()
            }));
        }
    }

    /// The processors of all hosts of the virtual machine.
    ///
    /// # Errors
    /// `MPI_ERR_OTHER` when the daemon cannot be asked.
    pub fn processors(&self) -> Result<usize> {
        let question = to_daemon::Body::ListHosts(ListHosts::default());
        match self.task.ask(question)? {
            from_daemon::Body::HostList(list) => {
                Ok(list.hosts.iter().map(|host| host.cpus as usize).sum())
            }
            _ => Err(Error::new(Class::Intern, "the daemon does not list hosts")),
        }
    }

    /// Does something with the engine that does not wait.
    ///
    /// # Errors
    /// `MPI_ERR_OTHER` when this thread may not enter, or is inside already (in a callback).
    #[inline(always)]
    pub fn with<R>(&self, action: impl FnOnce(&mut TaskEngine) -> R) -> Result<R> {
        Ok(self.task.core.with(action)?)
    }

    /// Waits until `ready` gives a result.
    ///
    /// # Errors
    /// As [`Process::with`].
    #[inline]
    pub fn wait<R>(&self, ready: impl FnMut(&mut TaskEngine) -> Option<R>) -> Result<R> {
        Ok(self.task.wait(ready)?)
    }

    /// As [`Process::wait`]; `call` says what for, to those who look.
    ///
    /// # Errors
    /// As [`Process::with`].
    #[inline]
    pub fn wait_in<R>(
        &self,
        call: impl Fn(&TaskEngine) -> Call,
        ready: impl FnMut(&mut TaskEngine) -> Option<R>,
    ) -> Result<R> {
        Ok(self.task.core.wait_in(call, ready)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.leave();
    }
}

/// Whether a daemon has started this process.
fn was_started() -> bool {
    std::env::var_os(settings::TASK).is_some_and(|task| !task.is_empty())
}

/// The daemon that the user's environment names.
fn daemon_here() -> Result<DaemonOptions> {
    let dir = runtime_dir().map_err(|error| Error::new(Class::Other, error.to_string()))?;
    let idle = std::env::var(settings::IDLE);
    let idle = idle.ok().and_then(|seconds| seconds.parse().ok());
    Ok(DaemonOptions {
        dir,
        name: daemon_name(),
        idle: Some(Duration::from_secs(idle.unwrap_or(DAEMON_IDLE_S))),
        pvmd: None,
        secret: None,
        join: Vec::new(),
    })
}

#[cold]
fn not_started(error: StartError) -> Error {
    let program = AttachOptions::default().program;
    let detail = format!("{error}; or type: mpiexec -n 1 {program}");
    Error::new(Class::Other, detail)
}

#[cold]
fn not_attached(error: AttachError) -> Error {
    let text = match error {
        AttachError::Link(LinkError::NoDaemon { path }) => format!(
            "no virtual machine runs on this host (nobody listens at {}); type: mpiexec -n 4 {}",
            path.display(),
            AttachOptions::default().program
        ),
        other => other.to_string(),
    };
    Error::new(Class::Other, text)
}

impl From<GateError> for Error {
    #[cold]
    fn from(error: GateError) -> Self {
        let text = match error {
            GateError::WrongThread => {
                "called from another thread than the one that initialized MPI; \
                 ask for MPI_THREAD_MULTIPLE"
            }
            GateError::Reentered => "called from inside a callback that must not communicate",
        };
        Error::new(Class::Other, text)
    }
}

impl From<WaitError> for Error {
    #[cold]
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Gate(error) => error.into(),
            WaitError::TimedOut => Error::new(Class::Intern, "a wait without a deadline timed out"),
        }
    }
}

impl From<AskError> for Error {
    #[cold]
    fn from(error: AskError) -> Self {
        match error {
            AskError::Wait(error) => error.into(),
            AskError::Link(error) => Error::new(Class::Other, error.to_string()),
        }
    }
}

impl From<EngineError> for Error {
    #[cold]
    fn from(error: EngineError) -> Self {
        let class = match error {
            EngineError::PeerGone(_) | EngineError::Lost => Class::ProcAborted,
            EngineError::Truncated { .. } => Class::Truncate,
            EngineError::NoSuchContext(_) => Class::Comm,
            _ => Class::Other,
        };
        Error::new(class, error.to_string())
    }
}
