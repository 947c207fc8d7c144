//! Starting tasks: from what was asked to orders for the keeper.

use super::failure::failure;
use super::hub::{Asked, Hub};
use super::jobs::{Batch, JobEntry, Template};
use super::tasks::{CAPABILITY, Link, Origin, Task};
use crate::host::{facts, program};
use crate::job::life::{Job, Rules};
use pvm::ids::{JobId, TaskId};
use pvm::session::split_variable;
use pvm::settings;
use pvm::wire::control::{
    App, Failure, FailureCode, KeeperStart, Launch, SpawnResult, ToKeeper, to_keeper,
};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// Arguments and environment of one task: what the kernel takes with its default stack limit.
const ARGUMENT_BYTES_MAX: usize = 6 << 20;

/// One app of a launch, ready to be started.
pub struct Ready {
    /// How many.
    pub count: u32,
    path: PathBuf,
    arguments: Vec<Vec<u8>>,
    environment: Environment,
    directory: PathBuf,
    umask: u32,
}

/// Variables by name; what a task is given is in their order.
pub type Environment = BTreeMap<Vec<u8>, Vec<u8>>;

/// What one task reads from.
pub type Stdin = Rc<OwnedFd>;

/// Checks one app and resolves its program and directory.
///
/// # Errors
/// Why it cannot be started.
pub fn prepare(app: &App, launch: &Launch) -> Result<Ready, Failure> {
    let directory = match app.directory.is_empty() {
        true => PathBuf::from(path(&launch.directory)),
        false => path(&launch.directory).join(path(&app.directory)),
    };
    program::check_directory(&directory)?;
    let shown = String::from_utf8_lossy(&app.program);
    let environment = environment(&shown, launch, app)?;
    let found = program::find(path(&app.program).as_os_str(), &directory, &environment);
    let found = found.map_err(|error| error.failure(&shown))?;
    let mut arguments = vec![app.program.clone()];
    arguments.extend(app.arguments.iter().cloned());
    check_sizes(&shown, &arguments, &environment)?;
    Ok(Ready {
        count: app.count,
        path: found,
        arguments,
        environment,
        directory,
        umask: launch.umask,
    })
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The environment of an app's tasks: that of the launch, and over it the app's own.
fn environment(program: &str, launch: &Launch, app: &App) -> Result<Environment, Failure> {
    let mut environment = Environment::new();
    for variable in launch.environment.iter().chain(&app.extra_environment) {
        let Some((name, value)) = split_variable(variable) else {
            let what = format!("cannot start '{program}'");
            let why = format!("'{}' is no variable", String::from_utf8_lossy(variable));
            let next = "write NAME=VALUE";
            return Err(failure(FailureCode::FailureMalformed, what, why, next));
        };
        environment.insert(name.to_vec(), value.to_vec());
    }
    Ok(environment)
}

fn check_sizes(
    program: &str,
    arguments: &[Vec<u8>],
    environment: &Environment,
) -> Result<(), Failure> {
    let what = format!("cannot start '{program}'");
    let pairs = environment.iter().flat_map(|(name, value)| [name, value]);
    let mut bytes = 0;
    for text in arguments.iter().chain(pairs) {
        bytes += text.len() + 1;
        if text.contains(&0) {
            let why = "an argument or variable holds a zero byte";
            return Err(failure(
                FailureCode::FailureMalformed,
                what,
                why,
                "remove it",
            ));
        }
    }
    if bytes <= ARGUMENT_BYTES_MAX {
        return Ok(());
    }
    let why = format!("arguments and environment take {bytes} bytes, at most {ARGUMENT_BYTES_MAX}");
    Err(failure(
        FailureCode::FailureResources,
        what,
        why,
        "shorten them",
    ))
}

/// The command line of a launch, for listings.
pub fn command_line(apps: &[App]) -> String {
    let app = |app: &App| {
        let words = std::iter::once(&app.program).chain(&app.arguments);
        let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word)).collect();
        words.join(" ")
    };
    apps.iter().map(app).collect::<Vec<_>>().join(" : ")
}

/// A job that is about to start its tasks.
pub fn entry(id: JobId, rules: Rules, template: Template, command: String) -> JobEntry {
    JobEntry {
        life: Job::new(id.0, rules, Instant::now()),
        lease: None,
        keeper: None,
        template,
        command,
        tasks: Vec::new(),
        launch: None,
        held: Vec::new(),
        pipes: BTreeMap::new(),
        batches: Vec::new(),
        feeder: None,
        oom: crate::host::memory::OomCounter::now(),
    }
}

/// The pipes of one task: the daemon's ends and the task's.
struct Outputs {
    ours: [OwnedFd; 2],
    theirs: [Rc<OwnedFd>; 2],
}

fn outputs(count: usize) -> Result<Vec<Outputs>, Failure> {
    let one = || {
        let (stdout, stdout_end) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, stderr_end) = pipe_with(PipeFlags::CLOEXEC)?;
        for ours in [&stdout, &stderr] {
            rustix::io::ioctl_fionbio(ours, true)?;
        }
        Ok(Outputs {
            ours: [stdout, stderr],
            theirs: [stdout_end.into(), stderr_end.into()],
        })
    };
    let made: rustix::io::Result<Vec<_>> = (0..count).map(|_| one()).collect();
    made.map_err(|e| no_resources(count, &e))
}

/// The system has run out of something.
pub fn no_resources(count: usize, error: &dyn std::fmt::Display) -> Failure {
    failure(
        FailureCode::FailureResources,
        format!("cannot start {count} tasks"),
        error.to_string(),
        "start fewer tasks, or raise the limits of pvmd (ulimit -Hn) and restart it",
    )
}

/// A random capability.
///
/// # Errors
/// When the system has no randomness.
pub fn capability() -> Result<[u8; CAPABILITY], Failure> {
    let mut bytes = [0; CAPABILITY];
    getrandom::fill(&mut bytes).map_err(|e| no_resources(1, &e))?;
    Ok(bytes)
}

/// What a set of new tasks has in common.
#[derive(Clone, Copy)]
pub struct Birth {
    /// Their job.
    pub job: JobId,
    /// The task that spawns them.
    pub parent: Option<TaskId>,
    /// How they come to be.
    pub origin: Origin,
}

impl Hub {
    /// Gives out ids and enters the tasks, one per program name; they are one world.
    ///
    /// # Errors
    /// When no id is free.
    pub(super) fn enter_tasks(
        &mut self,
        birth: Birth,
        programs: &[String],
    ) -> Result<Rc<[TaskId]>, Failure> {
        let mut world = Vec::with_capacity(programs.len());
        for _ in programs {
            let id = self.numbers.next(|id| self.tasks.contains_key(&id));
            world.push(id.ok_or_else(|| no_resources(programs.len(), &"no task id is free"))?);
        }
        let world: Rc<[TaskId]> = world.into();
        let capabilities: Result<Vec<_>, _> = programs.iter().map(|_| capability()).collect();
        let now = Instant::now();
        for (rank, (program, capability)) in programs.iter().zip(capabilities?).enumerate() {
            let id = world[rank];
            let Some(entry) = self.jobs.get_mut(&birth.job) else {
                break;
            };
            let number = entry.life.add(id, birth.parent.is_some(), now);
            entry.tasks.push(id);
            let task = Task {
                parent: birth.parent,
                job: Some(birth.job),
                number,
                rank: rank as u32,
                world: world.clone(),
                capability,
                program: program.clone(),
                pid: 0,
                since: now,
                origin: birth.origin,
                link: Link::Never,
                exit: None,
            };
            self.tasks.insert(id, task);
        }
        Ok(world)
    }

    /// Enters the tasks of these apps and orders the keeper to start them. `stdin` gives each
    /// rank's standard input.
    ///
    /// # Errors
    /// When descriptors or ids run out; nothing has been entered then.
    pub(super) fn start_tasks(
        &mut self,
        birth: Birth,
        apps: &[Ready],
        stdin: &dyn Fn(u32) -> Stdin,
    ) -> Result<Rc<[TaskId]>, Failure> {
        let per_task = || apps.iter().flat_map(|app| (0..app.count).map(move |_| app));
        let programs: Vec<_> = per_task()
            .map(|app| String::from_utf8_lossy(&app.arguments[0]).into_owned())
            .collect();
        let outputs = outputs(programs.len())?;
        let world = self.enter_tasks(birth, &programs)?;
        for ((id, app), outputs) in world.iter().zip(per_task()).zip(outputs) {
            let Some(task) = self.tasks.get(id) else {
                continue;
            };
            let start = self.order(*id, task, app);
            let number = task.number;
            let stdin = stdin(task.rank);
            let Some(entry) = self.jobs.get_mut(&birth.job) else {
                break;
            };
            let [stdout, stderr] = outputs.theirs;
            if let Some(keeper) = &entry.keeper {
                let body = Some(to_keeper::Body::Start(start));
                keeper
                    .outbox
                    .push(&ToKeeper { body }, vec![stdin, stdout, stderr]);
            }
            entry.pipes.insert(number, outputs.ours);
            entry.life.stream_opened();
            entry.life.stream_opened();
        }
        Ok(world)
    }

    fn order(&self, id: TaskId, task: &Task, app: &Ready) -> KeeperStart {
        let mut environment = app.environment.clone();
        environment.extend(self.variables(id, task));
        let pairs = environment
            .into_iter()
            .map(|(name, value)| [name, value].join(&b'='));
        KeeperStart {
            task: id.bits(),
            path: app.path.as_os_str().as_bytes().to_vec(),
            arguments: app.arguments.clone(),
            environment: pairs.collect(),
            directory: app.directory.as_os_str().as_bytes().to_vec(),
            umask: app.umask,
        }
    }

    /// What a started task finds in its environment.
    fn variables(&self, id: TaskId, task: &Task) -> Vec<(Vec<u8>, Vec<u8>)> {
        let hex: String = task
            .capability
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (rank, size) = (task.rank.to_string(), task.world.len().to_string());
        let job = task.job.map_or(0, |job| job.0).to_string();
        let mut variables = vec![
            (
                settings::TASK,
                format!("{:x}:{hex}", id.bits()).into_bytes(),
            ),
            (
                settings::SOCKET,
                self.facts.socket.as_os_str().as_bytes().to_vec(),
            ),
            (settings::JOB, job.into_bytes()),
            (settings::PVM_ARCH, facts::pvm_arch().into()),
        ];
        let ranks = [
            settings::RANK,
            settings::OMPI_RANK,
            settings::OMPI_LOCAL_RANK,
            settings::OMPI_NODE_RANK,
            settings::PMI_RANK,
            settings::MPI_LOCALRANKID,
        ];
        let sizes = [
            settings::SIZE,
            settings::OMPI_SIZE,
            settings::OMPI_LOCAL_SIZE,
            settings::PMI_SIZE,
            settings::MPI_LOCALNRANKS,
        ];
        variables.extend(ranks.map(|name| (name, rank.clone().into_bytes())));
        variables.extend(sizes.map(|name| (name, size.clone().into_bytes())));
        variables
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect()
    }

    /// Notes a spawn whose starts are under way.
    pub(super) fn note_batch(
        &mut self,
        job: JobId,
        asked: Asked,
        results: Vec<Option<SpawnResult>>,
        world: &[TaskId],
    ) {
        let free = results
            .iter()
            .enumerate()
            .filter(|(_, result)| result.is_none());
        let numbers = world
            .iter()
            .filter_map(|id| Some(self.tasks.get(id)?.number));
        let open: BTreeMap<_, _> = numbers.zip(free.map(|(at, _)| at)).collect();
        let batch = Batch {
            asked,
            results,
            open,
        };
        match self.jobs.get_mut(&job) {
            Some(entry) if !batch.open.is_empty() => entry.batches.push(batch),
            _ => self.answer_spawn(batch),
        }
    }
}
