//! Attach: becoming a task of the virtual machine.

use super::{Reply, failure, no_such_task, task_id};
use crate::server::connection::{Attached, make_inbox};
use crate::server::hub::{Asked, ClientId, Hub, Role};
use crate::server::launch::{capability, no_resources};
use crate::server::tasks::{Attachment, Link, Origin, Task};
use pvm::ids::TaskId;
use pvm::wire::control::{Attach, Failure, FailureCode, Welcome};
use std::rc::Rc;
use std::time::Instant;

/// Longest program name that is kept for listings.
const PROGRAM_MAX: usize = 4096;

impl Hub {
    /// Attaches the process `pid` over connection `client`.
    pub(in crate::server) fn attach(
        &mut self,
        client: ClientId,
        pid: u32,
        attach: Attach,
    ) -> Result<Attached, Failure> {
        self.check_serves("attaching to the virtual machine")?;
        let task = match attach.task {
            0 => self.enter_foreign(pid, &attach)?,
            bits => self.check_claim(task_id(bits, "attach as")?, &attach)?,
        };
        let made = make_inbox();
        let (inbox, bell) = made.inspect_err(|_| {
            if attach.task == 0 {
                self.tasks.remove(&task);
            }
        })?;
        if let Some(entry) = self.tasks.get_mut(&task) {
            let attachment = Attachment::new(client, pid, inbox.clone(), bell.clone());
            entry.link = Link::Attached(attachment);
            if entry.origin != Origin::Started {
                entry.pid = pid;
            }
        }
        Ok(Attached { task, inbox, bell })
    }

    fn enter_foreign(&mut self, pid: u32, attach: &Attach) -> Result<TaskId, Failure> {
        let id = self.numbers.next(|id| self.tasks.contains_key(&id));
        let id = id.ok_or_else(|| no_resources(1, &"no task id is free"))?;
        let program = attach.program.chars().take(PROGRAM_MAX).collect();
        let task = Task {
            parent: None,
            job: None,
            number: 0,
            home_number: 0,
            rank: 0,
            world: Rc::new([id]),
            capability: capability()?,
            program,
            pid,
            since: Instant::now(),
            origin: Origin::Foreign,
            link: Link::Never,
            exit: None,
            last_call: None,
        };
        self.tasks.insert(id, task);
        Ok(id)
    }

    fn check_claim(&self, id: TaskId, attach: &Attach) -> Result<TaskId, Failure> {
        let refused = |why: &str, next: &str| {
            let what = format!("cannot attach as {id}");
            failure(FailureCode::FailureNotAllowed, what, why, next)
        };
        let task = self
            .tasks
            .get(&id)
            .ok_or_else(|| no_such_task(id, "attach as"))?;
        if !equal_in_constant_time(&task.capability, &attach.capability) {
            return Err(refused(
                "the capability is not this task's",
                "unset PVM_TASK",
            ));
        }
        match task.link {
            Link::Never if task.exit.is_none() => Ok(id),
            Link::Never => Err(no_such_task(id, "attach as")),
            Link::Attached(_) => Err(refused(
                "another process, or this one before, is attached as it",
                "attach once per task",
            )),
            Link::Left | Link::Lost => Err(no_such_task(id, "attach again as")),
        }
    }

    /// What every client is told.
    pub(in crate::server) fn welcome(&self, version: u32) -> Welcome {
        Welcome {
            version,
            software: concat!("pvmd ", env!("CARGO_PKG_VERSION")).to_owned(),
            host: self.facts.host.clone(),
            host_index: self.hosts.me.index.into(),
            incarnation: self.hosts.me.incarnation.into(),
            daemon_pid: std::process::id(),
            ..Welcome::default()
        }
    }

    /// What a task is told of itself.
    pub(in crate::server) fn describe(&self, id: TaskId, welcome: &mut Welcome) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        welcome.task = id.bits();
        welcome.parent = task.parent.map_or(0, TaskId::bits);
        welcome.job = task.job.map_or(0, |job| job.0);
        welcome.rank = task.rank;
        welcome.world = task.world.iter().map(|id| id.bits()).collect();
    }

    /// Detach: the task leaves; its connection stays, as a tool's.
    pub(super) fn leave(&mut self, asked: Asked) -> Reply {
        let task = self.caller(asked, "leaving the virtual machine")?;
        if let Some(client) = self.clients.get_mut(&asked.client) {
            client.role = Role::Tool;
        }
        self.unwatch(asked.client, |watches| watches.forget(asked.client));
        self.detach(task);
        super::DONE
    }
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_compare_whole() {
        assert!(equal_in_constant_time(&[1, 2], &[1, 2]));
        assert!(!equal_in_constant_time(&[1, 2], &[1, 3]));
        assert!(!equal_in_constant_time(&[1, 2], &[1]));
        assert!(!equal_in_constant_time(&[1, 2], &[]));
    }
}
