//! Starting more tasks.

use super::error::{Error, Result, said};
use super::vm::{Vm, unexpected};
use crate::ids::TaskId;
use crate::session::{spawn_launch, variable};
use crate::wire::control::{
    App, Failure, FailureCode, HostSlots, Placement, Spawn, from_daemon, to_daemon,
};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What to spawn: a program, its arguments and surroundings, and how often.
///
/// ```no_run
/// # fn main() -> pvm::Result<()> {
/// # let vm = pvm::Vm::attach()?;
/// for result in vm.spawn(pvm::Command::new("worker").arg("--fast").count(3))? {
///     match result {
///         Ok(task) => vm.send_value(task, 1, "hello")?,
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<Vec<u8>>,
    directory: Option<PathBuf>,
    count: u32,
    hosts: Vec<HostSlots>,
}

impl Command {
    /// One task of a program: a path, or a name that is looked up in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            count: 1,
            hosts: Vec::new(),
        }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// An environment variable, besides those of the job.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push(variable(name, value));
        self
    }

    /// The working directory; without it, that of the job.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How many tasks.
    pub fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// A host for the tasks, by its name or index; call it again for more hosts. Without, the tasks
    /// go to all hosts of the virtual machine in turn.
    pub fn on_host(mut self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.hosts.push(HostSlots {
            host,
            slots: 1,
            ..HostSlots::default()
        });
        self
    }

    fn into_app(self) -> App {
        App {
            count: self.count,
            program: self.program.into_vec(),
            arguments: self.arguments.into_iter().map(OsString::into_vec).collect(),
            extra_environment: self.environment,
            directory: self
                .directory
                .map_or_else(Vec::new, |dir| dir.into_os_string().into_vec()),
            placement: Some(Placement {
                hosts: self.hosts,
                by_host: true,
                ..Placement::default()
            }),
            ..App::default()
        }
    }
}

/// Why one task was not started.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct SpawnError {
    code: FailureCode,
    text: String,
}

impl SpawnError {
    fn new(failure: Failure) -> Self {
        Self {
            code: failure.code(),
            text: said(&failure),
        }
    }

    /// Whether there is no such program.
    pub fn is_not_found(&self) -> bool {
        self.code == FailureCode::FailureProgramNotFound
    }

    /// Whether the host has no room for another task.
    pub fn is_out_of_resources(&self) -> bool {
        matches!(
            self.code,
            FailureCode::FailureResources | FailureCode::FailureCount
        )
    }
}

impl Vm {
    /// Starts tasks in the job of this one. They have a world of their own, and this task as
    /// parent. One result for each task.
    ///
    /// # Errors
    /// When the daemon could not even try; what went wrong with one task is in its result.
    pub fn spawn(&self, command: Command) -> Result<Vec<std::result::Result<TaskId, SpawnError>>> {
        let launch = spawn_launch(command.into_app(), self.shared.job.0 != 0);
        let spawn = Spawn {
            launch: Some(launch),
            inherit: true,
        };
        let from_daemon::Body::Spawned(spawned) = self.shared.ask(to_daemon::Body::Spawn(spawn))?
        else {
            return Err(unexpected());
        };
        let result = |result: crate::wire::control::SpawnResult| match result.failure {
            Some(failure) => Ok(Err(SpawnError::new(failure))),
            None => TaskId::from_bits(result.task)
                .map(Ok)
                .ok_or(Error::BadWelcome("a task without an id")),
        };
        spawned.results.into_iter().map(result).collect()
    }
}
