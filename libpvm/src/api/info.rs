//! What the daemon tells of tasks and hosts.

use crate::datatype::Form;
use crate::ids::{JobId, Rank, TaskId};
use crate::wire::control::{HostList, TaskList};
use std::time::Duration;

/// A task of the virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub task: TaskId,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// Its job.
    pub job: JobId,
    /// Its rank in the world of its launch.
    pub rank: Rank,
    /// Its process.
    pub pid: u32,
    /// Its program, as it was called.
    pub program: String,
    /// Whether it uses the library.
    pub attached: bool,
    /// How long it has run.
    pub running: Duration,
}

/// A host of the virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostInfo {
    /// Its name.
    pub name: String,
    /// Its index, from 1.
    pub index: u32,
    /// Its architecture, e.g. `x86_64`.
    pub architecture: String,
    /// Release of its daemon.
    pub software: String,
    /// Number of processors.
    pub cpus: u32,
    /// Number of tasks on it.
    pub tasks: u32,
    /// Whether its numbers lie in memory as those of this host: then messages from there are taken as
    /// they are, else they are converted.
    pub is_like_this: bool,
}

pub(super) fn tasks(list: TaskList) -> Vec<TaskInfo> {
    let task = |info: crate::wire::control::TaskInfo| {
        Some(TaskInfo {
            task: TaskId::from_bits(info.task)?,
            parent: TaskId::from_bits(info.parent),
            job: JobId(info.job),
            rank: info.rank as Rank,
            pid: info.pid,
            program: info.program,
            attached: info.attached,
            running: Duration::from_millis(info.running_ms),
        })
    };
    list.tasks.into_iter().filter_map(task).collect()
}

pub(super) fn hosts(list: HostList) -> Vec<HostInfo> {
    let host = |info: crate::wire::control::HostInfo| HostInfo {
        name: info.name,
        index: info.index,
        architecture: info.architecture,
        software: info.software,
        cpus: info.cpus,
        tasks: info.tasks,
        is_like_this: !Form::of_host(info.format).is_foreign(),
    };
    list.hosts.into_iter().map(host).collect()
}
