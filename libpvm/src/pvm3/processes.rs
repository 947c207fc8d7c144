//! Starting, listing and ending tasks.

use super::machine::Machine;
use super::{Error, Pvm, Result, tid};
use crate::session::{spawn_launch, variable};
use crate::settings;
use crate::wire::control::{
    App, HostSlots, Kill, ListTasks, Placement, Spawn, from_daemon, to_daemon,
};

/// `PvmTaskHost`: the place is a host.
pub const TASK_HOST: i32 = 1;
/// `PvmTaskArch`: the place is an architecture.
pub const TASK_ARCH: i32 = 2;
/// `PvmTaskDebug`: under a debugger.
pub const TASK_DEBUG: i32 = 4;
/// `PvmHostCompl`: anywhere but there.
pub const HOST_COMPLEMENT: i32 = 32;
/// `PvmNoSpawnParent`: the tasks get no parent.
pub const NO_SPAWN_PARENT: i32 = 64;

/// Where tasks go: the `where` argument, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpawnPlace {
    /// Host or architecture, as the flags say.
    pub name: String,
    /// Working directory; empty: the usual one.
    pub directory: String,
}

impl SpawnPlace {
    /// Reads `name`, `name:directory` or `:directory`.
    pub fn parse(text: &str) -> Self {
        let (name, directory) = text.split_once(':').unwrap_or((text, ""));
        Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
        }
    }
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct SpawnRequest {
    /// The program.
    pub program: Vec<u8>,
    /// Its arguments, without the name.
    pub arguments: Vec<Vec<u8>>,
    /// Spawn flags.
    pub flags: i32,
    /// Where.
    pub place: SpawnPlace,
    /// How many.
    pub count: u32,
}

/// One line of `pvm_tasks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEntry {
    /// Its id.
    pub tid: i32,
    /// Its parent's, or 0.
    pub parent: i32,
    /// Its host's.
    pub host: i32,
    /// State bits.
    pub flag: i32,
    /// The program's file name.
    pub program: String,
    /// Process id.
    pub pid: i32,
}

/// State bits of [`TaskEntry::flag`].
const STARTED_BY_DAEMON: i32 = 0x2;
const CONNECTED: i32 = 0x4;

impl<M: Machine> Pvm<M> {
    /// Id of the task that spawned this one.
    pub fn parent(&mut self) -> Result<i32> {
        let parent = self.machine()?.standing().parent;
        if std::env::var_os(settings::PVM_NO_PARENT).is_some() {
            return Err(Error::ParentNotSet);
        }
        parent.map(|task| task.tid()).ok_or(Error::NoParent)
    }

    /// Ids of the tasks that were started together with this one, itself included.
    pub fn siblings(&mut self) -> Result<Vec<i32>> {
        let world = &self.machine()?.standing().world;
        Ok(world.iter().map(|task| task.tid()).collect())
    }

    /// Starts tasks. For each the answer holds its id, or why it did not start.
    pub fn spawn(&mut self, mut request: SpawnRequest) -> Result<Vec<Result<i32>>> {
        request.flags |= flags_from_environment();
        if request.flags & TASK_DEBUG != 0 {
            return Err(Error::NotImpl);
        }
        let context = self.context();
        let count = request.count as usize;
        let placement = self.placement(&request)?;
        let app = App {
            count: request.count,
            program: request.program,
            arguments: request.arguments,
            extra_environment: environment_of_children(request.flags, context),
            directory: request.place.directory.into_bytes(),
            placement: Some(placement),
            ..App::default()
        };
        let launch = spawn_launch(app, self.machine()?.standing().has_job);
        let answer = self.call(to_daemon::Body::Spawn(Spawn {
            launch: Some(launch),
            inherit: true,
        }));
        match answer {
            Ok(from_daemon::Body::Spawned(spawned)) => Ok(self.spawned(spawned.results, count)),
            Ok(_) => Err(Error::SysErr),
            // Nothing could be started: the program sees it in every slot.
            Err(Error::SysErr) => Err(Error::SysErr),
            Err(error) => Ok(vec![Err(error); count]),
        }
    }

    /// Whether a task is alive.
    pub fn status(&mut self, tid: i32) -> Result<()> {
        self.machine()?;
        self.names.task(tid)?;
        match self.tasks(tid)?.is_empty() {
            true => Err(Error::NoTask),
            false => Ok(()),
        }
    }

    /// Lists tasks: all (0), those of a host, or one.
    pub fn tasks(&mut self, place: i32) -> Result<Vec<TaskEntry>> {
        self.machine()?;
        let task = match place {
            0 => 0,
            place if tid::is_task(place) => self.names.task(place)?.bits(),
            place if tid::is_host(place) => {
                self.host_exists(place)?;
                0
            }
            _ => return Err(Error::BadParam),
        };
        let answer = self.call(to_daemon::Body::ListTasks(ListTasks { task, job: 0 }));
        let tasks = match answer {
            Ok(from_daemon::Body::TaskList(list)) => list.tasks,
            Ok(_) => return Err(Error::SysErr),
            Err(Error::NoTask) => Vec::new(),
            Err(error) => return Err(error),
        };
        let entries = tasks.iter().map(|info| TaskEntry {
            tid: self.names.learn_bits(info.task),
            parent: self.names.learn_bits(info.parent),
            host: tid::to_host(self.names.learn_bits(info.task)),
            flag: (i32::from(info.attached) * CONNECTED)
                | (i32::from(!info.foreign) * STARTED_BY_DAEMON),
            program: file_name(&info.program).to_owned(),
            pid: info.pid as i32,
        });
        let wanted = |entry: &TaskEntry| !tid::is_host(place) || entry.host == tid::to_host(place);
        Ok(entries.filter(wanted).collect())
    }

    /// Sends a signal to a task; one that has ended is no error.
    pub fn signal(&mut self, tid: i32, signal: i32) -> Result<()> {
        self.machine()?;
        let task = self.names.task(tid)?.bits();
        let request = Kill {
            task,
            job: 0,
            signal,
            ..Kill::default()
        };
        match self.call(to_daemon::Body::Kill(request)) {
            Ok(_) | Err(Error::NoTask) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn spawned(
        &mut self,
        results: Vec<crate::wire::control::SpawnResult>,
        count: usize,
    ) -> Vec<Result<i32>> {
        let mut started: Vec<_> = results
            .iter()
            .map(|result| match &result.failure {
                Some(failure) => Err(Error::from(failure)),
                None => match self.names.learn_bits(result.task) {
                    0 => Err(Error::SysErr),
                    tid => Ok(tid),
                },
            })
            .collect();
        started.resize(count, Err(Error::SysErr));
        // PVM fills its array from the front with the tasks, the codes follow.
        started.sort_by_key(|result| result.is_err());
        started
    }

    /// Where the tasks go: one on each host in turn, unless a host or an architecture is named.
    fn placement(&mut self, request: &SpawnRequest) -> Result<Placement> {
        let own = self.machine()?.standing().host.clone();
        let name = request.place.name.as_str();
        let mut placement = Placement {
            by_host: true,
            others: request.flags & HOST_COMPLEMENT != 0,
            ..Placement::default()
        };
        match request.flags & (TASK_HOST | TASK_ARCH) {
            0 => placement.others = false,
            TASK_HOST => {
                let host = if name == "." { own } else { name.to_owned() };
                placement.hosts = vec![HostSlots {
                    host,
                    slots: 1,
                    ..HostSlots::default()
                }];
            }
            TASK_ARCH => {
                placement.hosts = self.hosts_of(name)?;
                // Nobody has it, unless it is the daemons' own name of one.
                if placement.hosts.is_empty() {
                    placement.architecture = name.to_owned();
                }
            }
            _ => return Err(Error::BadParam),
        }
        Ok(placement)
    }

    /// The hosts that PVM calls by this architecture: the daemons have finer names.
    fn hosts_of(&mut self, architecture: &str) -> Result<Vec<HostSlots>> {
        let hosts = self.config()?.hosts.into_iter();
        let named = hosts.filter(|host| host.architecture == architecture);
        let slots = named.map(|host| HostSlots {
            host: host.index.to_string(),
            slots: 1,
            ..HostSlots::default()
        });
        Ok(slots.collect())
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Flags that the user adds to every spawn.
fn flags_from_environment() -> i32 {
    let value = std::env::var(settings::PVMTASK).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The exported variables, the context and what the flags say.
fn environment_of_children(flags: i32, context: i32) -> Vec<Vec<u8>> {
    let exported = std::env::var(settings::PVM_EXPORT).unwrap_or_default();
    let names = exported.split(':').chain([settings::PVM_EXPORT]);
    let mut environment: Vec<Vec<u8>> = names
        .filter(|name| !name.is_empty())
        .filter_map(|name| Some(variable(name, std::env::var_os(name)?)))
        .collect();
    environment.push(variable(settings::PVM_CONTEXT, context.to_string()));
    if flags & NO_SPAWN_PARENT != 0 {
        environment.push(variable(settings::PVM_NO_PARENT, "1"));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_apart() {
        let place = SpawnPlace::parse("node7:/tmp/a:b");
        assert_eq!(place.name, "node7");
        assert_eq!(place.directory, "/tmp/a:b");
        assert_eq!(SpawnPlace::parse(":/x").name, "");
        assert_eq!(SpawnPlace::parse("."), SpawnPlace::parse(".:"));
        assert_eq!(file_name("/usr/bin/true"), "true");
    }
}
