//! ListTasks, ListHosts and ListJobs.

use crate::server::hub::{HOST_INDEX, Hub, INCARNATION};
use crate::server::tasks::{Origin, Task};
use pvm::ids::TaskId;
use pvm::wire::control::{
    HostInfo, HostList, JobInfo, JobList, ListTasks, TaskInfo, TaskList, from_daemon,
};
use std::time::Instant;

impl Hub {
    pub(super) fn list_tasks(&self, list: &ListTasks) -> from_daemon::Body {
        let is_wanted = |(id, task): &(&TaskId, &Task)| {
            (list.task == 0 || id.bits() == list.task)
                && (list.job == 0 || task.job.is_some_and(|job| job.0 == list.job))
        };
        let present = self.tasks.iter().filter(|(_, task)| task.exit.is_none());
        let tasks = present
            .filter(is_wanted)
            .map(|(id, task)| task_info(*id, task))
            .collect();
        from_daemon::Body::TaskList(TaskList { tasks })
    }

    pub(super) fn list_hosts(&self) -> from_daemon::Body {
        let host = HostInfo {
            name: self.facts.host.clone(),
            index: HOST_INDEX.into(),
            incarnation: INCARNATION.into(),
            architecture: std::env::consts::ARCH.to_owned(),
            software: concat!("pvmd ", env!("CARGO_PKG_VERSION")).to_owned(),
            cpus: self.facts.cpus,
            tasks: self.tasks.len() as u32,
            jobs: self.jobs.len() as u32,
            daemon_pid: std::process::id(),
            socket: self.facts.socket.to_string_lossy().into_owned(),
            up_ms: self.facts.since.elapsed().as_millis() as u64,
        };
        from_daemon::Body::HostList(HostList { hosts: vec![host] })
    }

    pub(super) fn list_jobs(&self) -> from_daemon::Body {
        let now = Instant::now();
        let jobs = self.jobs.iter().map(|(id, entry)| JobInfo {
            job: id.0,
            command: entry.command.clone(),
            size: entry.life.size(),
            running: entry.life.running(),
            running_ms: entry.life.age(now).as_millis() as u64,
            launcher_pid: entry
                .lease
                .and_then(|lease| self.clients.get(&lease))
                .map_or(0, |client| client.pid),
        });
        from_daemon::Body::JobList(JobList {
            jobs: jobs.collect(),
        })
    }
}

fn task_info(id: TaskId, task: &Task) -> TaskInfo {
    TaskInfo {
        task: id.bits(),
        parent: task.parent.map_or(0, TaskId::bits),
        job: task.job.map_or(0, |job| job.0),
        rank: task.number,
        pid: task.pid,
        program: task.program.clone(),
        attached: task.attachment().is_some(),
        running_ms: task.since.elapsed().as_millis() as u64,
        foreign: task.origin == Origin::Foreign,
    }
}
