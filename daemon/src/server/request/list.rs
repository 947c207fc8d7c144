//! ListTasks, ListHosts and ListJobs: each host lists its own; the one that a client asks puts the
//! lists together.

use crate::host::usage;
use crate::server::hosts::Other;
use crate::server::hub::{Asked, Hub};
use crate::server::tasks::{Origin, Task};
use pvm::ids::TaskId;
use pvm::wire::control::{
    DataFormat, HostInfo, HostList, JobInfo, JobList, ListTasks, TaskInfo, TaskList, from_daemon,
    to_daemon,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// Lists that are still to come.
struct Gathering {
    asked: Asked,
    list: from_daemon::Body,
    waiting: usize,
}

impl Hub {
    /// Answers with our own list and those of the other hosts; `None`: the answer comes later. A host
    /// that is lost meanwhile has nothing to list.
    pub(super) fn gather(
        &mut self,
        asked: Asked,
        own: from_daemon::Body,
        body: to_daemon::Body,
    ) -> Option<from_daemon::Body> {
        let hosts: Vec<u16> = self.hosts.others.keys().copied().collect();
        if hosts.is_empty() || self.host_of_client(asked.client).is_some() {
            return Some(own);
        }
        let gathering = Rc::new(RefCell::new(Gathering {
            asked,
            list: own,
            waiting: hosts.len(),
        }));
        for host in hosts {
            let gathering = gathering.clone();
            self.ask_host_soon(host, body.clone(), move |hub, result| {
                let mut gathering = gathering.borrow_mut();
                match (result, &gathering.list) {
                    (Ok(list), _) => append(&mut gathering.list, list),
                    // It belongs still, as far as is known here.
                    (Err(_), from_daemon::Body::HostList(_)) if hub.hosts.place(host).is_some() => {
                        append(&mut gathering.list, hub.silent(host));
                    }
                    (Err(_), _) => {}
                }
                gathering.waiting -= 1;
                if gathering.waiting == 0 {
                    hub.answer(gathering.asked, gathering.list.clone());
                }
            });
        }
        None
    }

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
        let state = match self.is_returning {
            true => ", lost for the others, joins again",
            false => "",
        };
        let host = HostInfo {
            name: self.facts.host.clone(),
            index: self.hosts.me.index.into(),
            incarnation: self.hosts.me.incarnation.into(),
            architecture: std::env::consts::ARCH.to_owned(),
            software: format!("pvmd {}{state}", env!("CARGO_PKG_VERSION")),
            cpus: self.facts.cpus,
            tasks: self.tasks.len() as u32,
            jobs: self.jobs.len() as u32,
            daemon_pid: std::process::id(),
            socket: self.facts.socket.to_string_lossy().into_owned(),
            up_ms: self.facts.since.elapsed().as_millis() as u64,
            addresses: self.mesh_addresses(),
            format: Some(DataFormat::here()),
            votes: self.fabric.as_ref().is_none_or(|it| it.ledger.votes()),
        };
        from_daemon::Body::HostList(HostList { hosts: vec![host] })
    }

    /// Our own list and what is known of the other hosts without asking them.
    pub(super) fn list_known_hosts(&self) -> from_daemon::Body {
        let mut list = self.list_hosts();
        if let from_daemon::Body::HostList(list) = &mut list {
            let others = self.hosts.others.values();
            list.hosts.extend(others.map(|other| HostInfo {
                addresses: self.addresses_of(other),
                ..known(other)
            }));
        }
        list
    }

    /// Where another host is now.
    fn addresses_of(&self, other: &Other) -> Vec<String> {
        let found = self.fabric.as_ref().and_then(|it| it.find(other.id));
        let addresses = found.map(|(_, addresses)| addresses).unwrap_or_default();
        addresses.iter().map(ToString::to_string).collect()
    }

    /// What is said of a host that does not answer.
    fn silent(&self, host: u16) -> from_daemon::Body {
        let hosts = self.hosts.others.get(&host).map(|other| HostInfo {
            software: "does not answer".to_owned(),
            ..known(other)
        });
        from_daemon::Body::HostList(HostList {
            hosts: hosts.into_iter().collect(),
        })
    }

    pub(super) fn list_jobs(&self) -> from_daemon::Body {
        let now = Instant::now();
        let jobs = self.jobs.iter().filter(|(_, entry)| entry.part.is_none());
        let jobs = jobs.map(|(id, entry)| JobInfo {
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

/// What a host has said of itself when it came.
fn known(other: &Other) -> HostInfo {
    let facts = &other.facts;
    HostInfo {
        name: facts.name.clone(),
        index: other.id.index.into(),
        incarnation: other.id.incarnation.into(),
        architecture: facts.architecture.clone(),
        software: facts.software.clone(),
        cpus: facts.cpus,
        format: Some(facts.format),
        ..HostInfo::default()
    }
}

/// Adds one list to another of the same kind.
fn append(list: &mut from_daemon::Body, more: from_daemon::Body) {
    use from_daemon::Body;
    match (list, more) {
        (Body::TaskList(list), Body::TaskList(more)) => list.tasks.extend(more.tasks),
        (Body::HostList(list), Body::HostList(more)) => list.hosts.extend(more.hosts),
        (Body::JobList(list), Body::JobList(more)) => list.jobs.extend(more.jobs),
        _ => {}
    }
}

fn task_info(id: TaskId, task: &Task) -> TaskInfo {
    let pid = task.attachment().map(|attachment| attachment.pid);
    let used = pid.and_then(usage::processor_time).unwrap_or_default();
    TaskInfo {
        task: id.bits(),
        parent: task.parent.map_or(0, TaskId::bits),
        job: task.job.map_or(0, |job| job.0),
        rank: task.home_number,
        pid: task.pid,
        program: task.program.clone(),
        attached: task.attachment().is_some(),
        running_ms: task.since.elapsed().as_millis() as u64,
        foreign: task.origin == Origin::Foreign,
        call: task.call(),
        cpu_ms: used.as_millis() as u64,
    }
}
