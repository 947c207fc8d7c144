//! Starting tasks: from what was asked to orders for the keeper.

use super::failure::failure;
use super::hub::{Asked, Hub};
use super::jobs::{Batch, JobEntry, Template};
use super::stage::Programs;
use super::tasks::{CAPABILITY, Link, Origin, Task};
use crate::host::stage::{self, store::Store};
use crate::host::{facts, program, topology};
use crate::job::binding::{self, bind};
use crate::job::life::{Job, Rules};
use crate::ui::text;
use pvm::ids::{JobId, TaskId};
use pvm::session::split_variable;
use pvm::settings;
use pvm::wire::control::{
    App, Binding, Failure, FailureCode, KeeperStart, Launch, SpawnResult, ToKeeper, to_keeper,
};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::{BTreeMap, HashMap};
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
    path: PathBuf,
    arguments: Vec<Vec<u8>>,
    environment: Environment,
    directory: PathBuf,
    umask: u32,
    binding: Option<Binding>,
}

impl Ready {
    /// Its program, for listings.
    pub fn program(&self) -> String {
        String::from_utf8_lossy(&self.arguments[0]).into_owned()
    }
}

/// Variables by name; what a task is given is in their order.
pub type Environment = BTreeMap<Vec<u8>, Vec<u8>>;

/// What one task reads from.
pub type Stdin = Rc<OwnedFd>;

/// Checks one app and resolves its program and directory. In place of a program that is missing here,
/// one that was copied here is taken.
///
/// # Errors
/// Why it cannot be started.
pub fn prepare(app: &App, launch: &Launch, store: &Store) -> Result<Ready, Failure> {
    let directory = match app.directory.is_empty() {
        true => PathBuf::from(path(&launch.directory)),
        false => path(&launch.directory).join(path(&app.directory)),
    };
    program::check_directory(&directory)?;
    let shown = String::from_utf8_lossy(&app.program);
    let environment = environment(&shown, launch, app)?;
    let folders = program::folders(&launch.environment, app);
    let found = program::find(
        path(&app.program).as_os_str(),
        &directory,
        folders.as_deref(),
    );
    let found = found.map_err(|error| error.failure(&shown));
    let found = found.or_else(|why| match staged(app, store) {
        Some(path) if is_missing(&why) => {
            let checked = program::check(&path).map_err(|error| error.failure(&shown));
            checked.map(|()| path)
        }
        _ => Err(why),
    })?;
    let mut arguments = vec![app.program.clone()];
    arguments.extend(app.arguments.iter().cloned());
    check_sizes(&shown, &arguments, &environment)?;
    Ok(Ready {
        path: found,
        arguments,
        environment,
        directory,
        umask: launch.umask,
        binding: launch.binding.clone(),
    })
}

/// Whether a program is not there: what is there and cannot be run is not replaced by a copy.
pub fn is_missing(failure: &Failure) -> bool {
    failure.code() == FailureCode::FailureProgramNotFound
}

fn staged(app: &App, store: &Store) -> Option<PathBuf> {
    store.find(&stage::hash(app.staged.as_ref()?)?)
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The environment of an app's tasks: that of the launch, unless it is bare, and over it the app's own.
fn environment(program: &str, launch: &Launch, app: &App) -> Result<Environment, Failure> {
    let mut environment = Environment::new();
    let inherited = launch.environment.iter().filter(|_| !app.bare);
    for variable in inherited.chain(&app.extra_environment) {
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
        numbers: HashMap::new(),
        part: None,
        parts: BTreeMap::new(),
        assemblies: Vec::new(),
        last_assembly: 0,
        held_output: Vec::new(),
        launch: None,
        held: Vec::new(),
        pipes: BTreeMap::new(),
        batches: Vec::new(),
        feeder: None,
        oom: crate::host::memory::OomCounter::now(),
        programs: Programs::default(),
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

/// A task's place among those of its launch on this host.
#[derive(Clone, Copy)]
struct Here {
    rank: usize,
    size: usize,
}

/// Where nothing comes from.
///
/// # Errors
/// When descriptors run out.
pub fn null() -> Result<Stdin, Failure> {
    let null = std::fs::File::open("/dev/null").map_err(|e| no_resources(1, &e))?;
    Ok(Rc::new(null.into()))
}

/// A task that is about to be entered.
pub struct Newcomer {
    /// Its id.
    pub id: TaskId,
    /// Its rank in its world.
    pub rank: u32,
    /// What the job's home calls it, when that is another host.
    pub home_number: Option<u32>,
    /// Its program, for listings.
    pub program: String,
    /// What it must show to attach.
    pub capability: [u8; CAPABILITY],
}

/// CPUs of a task, and words about them when they are to be told; none: it is not bound.
type Bound = Option<(Vec<u32>, Option<String>)>;

/// What the tasks that are started here together are bound to.
fn bindings(seats: &[(TaskId, Rc<Ready>)]) -> Result<Vec<Bound>, Failure> {
    let wanted = seats.first().and_then(|(_, app)| app.binding.as_ref());
    let Some(wanted) = wanted else {
        return Ok(vec![None; seats.len()]);
    };
    let cpus = topology::of_this_host();
    let bound = bind(wanted, &cpus, seats.len()).map_err(|error| {
        let what = format!("cannot bind {}", text::count(seats.len(), "task"));
        failure(
            FailureCode::FailureResources,
            what,
            error.to_string(),
            "write --bind-to none",
        )
    })?;
    let tell = |cpu_ids: Vec<u32>| {
        let words = wanted.report.then(|| binding::words(&cpu_ids, &cpus));
        Some((cpu_ids, words))
    };
    Ok(bound.into_iter().map(tell).collect())
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
    /// Gives out ids for tasks of this host.
    ///
    /// # Errors
    /// When no id is free.
    pub(super) fn allocate(&mut self, count: usize) -> Result<Vec<TaskId>, Failure> {
        let parts = self.jobs.values().filter_map(|entry| entry.part.as_ref());
        let parts: Vec<_> = parts.collect();
        let is_prepared = |id| parts.iter().any(|part| part.is_prepared(id));
        let ids = (0..count).map(|_| {
            let id = self
                .numbers
                .next(|id| self.tasks.contains_key(&id) || is_prepared(id));
            id.ok_or_else(|| no_resources(count, &"no task id is free"))
        });
        ids.collect()
    }

    /// Enters one task of a world into its job, and into the tables when it is one of this host.
    pub(super) fn enter_task(&mut self, birth: Birth, new: Newcomer, world: &Rc<[TaskId]>) {
        let id = new.id;
        let now = Instant::now();
        let Some(entry) = self.jobs.get_mut(&birth.job) else {
            return;
        };
        let number = entry.life.add(id, birth.parent.is_some(), now);
        entry.tasks.push(id);
        entry.numbers.insert(id, number);
        if !self.hosts.is_mine(id) {
            return;
        }
        let task = Task {
            parent: birth.parent,
            job: Some(birth.job),
            number,
            home_number: new.home_number.unwrap_or(number),
            rank: new.rank,
            world: world.clone(),
            capability: new.capability,
            program: new.program,
            pid: 0,
            since: now,
            origin: birth.origin,
            link: Link::Never,
            exit: None,
            last_call: None,
        };
        self.tasks.insert(id, task);
    }

    /// Enters all tasks of a new world, one per program name, by rank.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn enter_world(
        &mut self,
        birth: Birth,
        world: &Rc<[TaskId]>,
        programs: impl IntoIterator<Item = String>,
    ) -> Result<(), Failure> {
        let capabilities: Result<Vec<_>, _> = world.iter().map(|_| capability()).collect();
        let each = world.iter().zip(programs).zip(capabilities?);
        for (((id, program), capability), rank) in each.zip(0..) {
            let new = Newcomer {
                id: *id,
                rank,
                home_number: None,
                program,
                capability,
            };
            self.enter_task(birth, new, world);
        }
        Ok(())
    }

    /// Orders the keeper to start tasks of this host that have been entered. `stdin` gives each
    /// rank's standard input.
    ///
    /// # Errors
    /// When descriptors run out; nothing has been ordered then.
    pub(super) fn order_starts(
        &mut self,
        job: JobId,
        seats: &[(TaskId, Rc<Ready>)],
        stdin: &dyn Fn(u32) -> Stdin,
    ) -> Result<(), Failure> {
        let outputs = outputs(seats.len())?;
        let mut bindings = bindings(seats)?.into_iter();
        for (local_rank, ((id, app), outputs)) in seats.iter().zip(outputs).enumerate() {
            let Some(task) = self.tasks.get(id) else {
                continue;
            };
            let here = Here {
                rank: local_rank,
                size: seats.len(),
            };
            let mut start = self.order(*id, task, app, here);
            if let Some((cpus, words)) = bindings.next().flatten() {
                let host = self.host_name(self.hosts.me.index);
                start.notice = words.map_or_else(Vec::new, |words| {
                    format!(
                        "pvm run: rank {} on {host} is bound to {words}\n",
                        task.rank
                    )
                    .into_bytes()
                });
                start.cpus = cpus;
            }
            let number = task.number;
            let stdin = stdin(task.rank);
            let Some(entry) = self.jobs.get_mut(&job) else {
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
        Ok(())
    }

    fn order(&self, id: TaskId, task: &Task, app: &Ready, here: Here) -> KeeperStart {
        let mut environment = app.environment.clone();
        environment.extend(self.variables(id, task, here));
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
            ..KeeperStart::default()
        }
    }

    /// What a started task finds in its environment.
    fn variables(&self, id: TaskId, task: &Task, here: Here) -> Vec<(Vec<u8>, Vec<u8>)> {
        let hex: String = task
            .capability
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
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
        let mut each = |value: usize, names: &[&'static str]| {
            let value = value.to_string().into_bytes();
            variables.extend(names.iter().map(|name| (*name, value.clone())));
        };
        each(
            task.rank as usize,
            &[settings::RANK, settings::OMPI_RANK, settings::PMI_RANK],
        );
        each(
            task.world.len(),
            &[settings::SIZE, settings::OMPI_SIZE, settings::PMI_SIZE],
        );
        each(
            here.rank,
            &[
                settings::OMPI_LOCAL_RANK,
                settings::OMPI_NODE_RANK,
                settings::MPI_LOCALRANKID,
            ],
        );
        each(
            here.size,
            &[settings::OMPI_LOCAL_SIZE, settings::MPI_LOCALNRANKS],
        );
        variables
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect()
    }

    /// Notes a spawn whose starts are under way: those of `world`, which have no failure.
    pub(super) fn note_batch(
        &mut self,
        job: JobId,
        asked: Asked,
        results: Vec<Option<SpawnResult>>,
        world: &[TaskId],
    ) {
        let is_failure = |result: &SpawnResult| result.failure.is_some();
        let results: Vec<_> = results.into_iter().map(|r| r.filter(is_failure)).collect();
        let free = results
            .iter()
            .enumerate()
            .filter(|(_, result)| result.is_none());
        let entry = self.jobs.get(&job);
        let number = |id: &TaskId| entry?.numbers.get(id).copied();
        let numbers = world.iter().filter_map(number);
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
