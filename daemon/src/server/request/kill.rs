//! Kill: a signal for a task or a job.

use super::{Reply, malformed, no_such_job, no_such_task, task_id};
use crate::server::hub::{Asked, Hub, Role};
use crate::server::tasks::Origin;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{KeeperSignal, Kill, ToKeeper, to_daemon, to_keeper};
use rustix::process::{Pid, Signal, kill_process};

/// Highest signal number of Linux.
const SIGNAL_MAX: i32 = 64;

impl Hub {
    pub(super) fn kill(&mut self, asked: Asked, mut kill: Kill) -> Reply {
        if !(1..=SIGNAL_MAX).contains(&kill.signal) {
            return Err(malformed(
                "sending a signal",
                "its number is not between 1 and 64",
            ));
        }
        let role = self.clients.get(&asked.client).map(|client| client.role);
        kill.by_task = match role {
            Some(Role::Host(_)) => kill.by_task,
            role => matches!(role, Some(Role::Task(_))),
        };
        let by_task = kill.by_task;
        if kill.task != 0 {
            let id = task_id(kill.task, "signal")?;
            if let Some(host) = self.hosts.of(id) {
                self.ask_for(asked, host, to_daemon::Body::Kill(kill));
                return Ok(None);
            }
            self.signal_task(id, kill.signal, by_task)?;
            return super::DONE;
        }
        let job = JobId(kill.job);
        if let Some(home) = self.home_elsewhere(job) {
            self.ask_for(asked, home, to_daemon::Body::Kill(kill));
            return Ok(None);
        }
        let entry = self
            .jobs
            .get(&job)
            .ok_or_else(|| no_such_job(job, "signal"))?;
        for id in entry.tasks.clone() {
            if let Some(host) = self.hosts.of(id) {
                let order = Kill {
                    task: id.bits(),
                    job: 0,
                    ..kill
                };
                self.tell_host(host, to_daemon::Body::Kill(order));
                continue;
            }
            // Those that have ended meanwhile need no signal.
            let _ = self.signal_task(id, kill.signal, by_task);
        }
        super::DONE
    }

    fn signal_task(
        &mut self,
        id: TaskId,
        signal: i32,
        by_task: bool,
    ) -> Result<(), pvm::wire::control::Failure> {
        let task = self.tasks.get(&id).filter(|task| task.exit.is_none());
        let task = task.ok_or_else(|| no_such_task(id, "signal"))?;
        match task.origin {
            Origin::Started => {
                let (number, job) = (task.number, task.job);
                let entry = job.and_then(|job| self.jobs.get_mut(&job));
                let entry = entry.ok_or_else(|| no_such_task(id, "signal"))?;
                if by_task {
                    entry.life.asked(number);
                }
                if let Some(keeper) = &entry.keeper {
                    let order = KeeperSignal {
                        task: id.bits(),
                        signal,
                    };
                    let body = Some(to_keeper::Body::Signal(order));
                    keeper.outbox.push(&ToKeeper { body }, Vec::new());
                }
            }
            // Its process may hold other tasks too: only the deadly signals mean something, the
            // loss of the connection.
            Origin::Adopted => {
                let client = task.attachment().and_then(|a| self.clients.get(&a.client));
                if let Some(client) = client.filter(|_| is_deadly(signal)) {
                    client.outbox.close();
                }
            }
            Origin::Foreign => {
                let pid = Pid::from_raw(task.pid as i32);
                let signal = Signal::from_named_raw(signal);
                if let (Some(pid), Some(signal)) = (pid, signal) {
                    // It has ended by itself when this fails.
                    let _ = kill_process(pid, signal);
                }
            }
        }
        Ok(())
    }
}

fn is_deadly(signal: i32) -> bool {
    [libc::SIGTERM, libc::SIGKILL, libc::SIGINT].contains(&signal)
}
