//! Terminate and Halt: ending a job, ending the daemon.

use super::open::gone_is_done;
use super::{Reply, failure, no_such_job};
use crate::job::life::GRACE;
use crate::server::assembly::there;
use crate::server::hub::{Asked, Hub};
use crate::server::jobs::JobEntry;
use pvm::ids::JobId;
use pvm::wire::control::{EndReason, Failure, FailureCode, Halt, Terminate, to_daemon};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Longest wait for other hosts to say that they have begun to end.
const HALT_ANSWERS: Duration = Duration::from_secs(2);

impl Hub {
    pub(super) fn terminate(&mut self, asked: Asked, terminate: Terminate) -> Reply {
        let job = JobId(terminate.job);
        if let Some(home) = self.home_elsewhere(job)
            && self.host_of_client(asked.client) != Some(home)
        {
            self.ask_for(asked, home, to_daemon::Body::Terminate(terminate));
            return Ok(None);
        }
        if !self.jobs.contains_key(&job) {
            return Err(no_such_job(job, "end"));
        }
        if !terminate.reason.is_empty() {
            tracing::info!("{job} is ended: {}", terminate.reason);
        }
        let grace = if terminate.force {
            Duration::ZERO
        } else {
            GRACE
        };
        self.drive(job, |life, now, out| {
            life.terminate(EndReason::EndInterrupted, grace, now, out);
        });
        super::DONE
    }

    /// Ends this daemon, and those of all hosts when it is a tool that asks: nothing, if anybody on
    /// any host minds.
    pub(super) fn ask_halt(&mut self, asked: Asked, halt: Halt) -> Reply {
        let hosts: Vec<u16> = self.hosts.others.keys().copied().collect();
        let is_host = self.host_of_client(asked.client).is_some();
        if halt.ask_only {
            self.check_unused(Some(asked))?;
            return super::DONE;
        }
        if is_host && halt.everywhere {
            // Nobody is left to be told of the end.
            self.halt(None, GRACE);
            self.ends_everywhere = true;
            return super::DONE;
        }
        if is_host || hosts.is_empty() {
            return self.halt_here(asked, halt.force);
        }
        if halt.force {
            self.halt_all(asked);
            return Ok(None);
        }
        self.check_unused(Some(asked))?;
        let open = Rc::new(RefCell::new((hosts.len(), None::<Failure>)));
        let ask_only = Halt {
            ask_only: true,
            ..halt
        };
        for host in hosts {
            let open = open.clone();
            self.ask_host_soon(host, to_daemon::Body::Halt(ask_only), move |hub, result| {
                let mut open = open.borrow_mut();
                open.0 -= 1;
                if let Err(failure) = gone_is_done(result) {
                    open.1
                        .get_or_insert_with(|| there(failure, &hub.host_name(host)));
                }
                match (open.0, open.1.take()) {
                    (0, None) => hub.halt_all(asked),
                    (0, Some(failure)) => hub.conclude(asked, Err(failure)),
                    (_, failure) => open.1 = failure,
                }
            });
        }
        Ok(None)
    }

    /// Ends all hosts, this one last. One that does not answer, or whose answer is lost with it, is not
    /// waited for: with the hosts goes the majority that could find out that it is lost.
    fn halt_all(&mut self, asked: Asked) {
        let hosts: Vec<u16> = self.hosts.others.keys().copied().collect();
        let halt = Halt {
            force: true,
            everywhere: true,
            ..Halt::default()
        };
        self.ends_everywhere = true;
        let open = Rc::new(Cell::new(hosts.len()));
        if hosts.is_empty() {
            return self.halt(Some(asked), GRACE);
        }
        for host in hosts {
            let open = open.clone();
            self.ask_host_soon(host, to_daemon::Body::Halt(halt), move |hub, _| {
                // 0: it is too late.
                let left = open.get().saturating_sub(1);
                if open.replace(left) == 1 {
                    hub.halt(Some(asked), GRACE);
                }
            });
        }
        self.spawn(|hub| async move {
            tokio::time::sleep(HALT_ANSWERS).await;
            if open.replace(0) > 0 {
                hub.borrow_mut().halt(Some(asked), GRACE);
            }
        });
    }

    /// Ends this daemon alone.
    pub(super) fn halt_here(&mut self, asked: Asked, force: bool) -> Reply {
        if !force {
            // Another host asks for somebody else: what it has here does not make this host unused.
            let is_host = self.host_of_client(asked.client).is_some();
            self.check_unused((!is_host).then_some(asked))?;
        }
        self.halt(Some(asked), GRACE);
        Ok(None)
    }

    /// Whether nobody but the caller uses the daemon.
    fn check_unused(&self, asked: Option<Asked>) -> Result<(), Failure> {
        let caller = asked.map(|asked| asked.client);
        let is_other = |job: &JobEntry| caller.is_none() || job.lease != caller;
        let mut others = self.jobs.iter().filter(|(_, job)| is_other(job));
        let why = match others.next() {
            Some((id, entry)) => format!("{id} ({}) is running", entry.command),
            None => match self.tasks.iter().find(|(_, task)| task.job.is_none()) {
                Some((id, task)) => format!("task {id} ({}) is attached", task.program),
                None => return Ok(()),
            },
        };
        let next = "wait for it, or type: pvm halt --force";
        Err(failure(
            FailureCode::FailureBusy,
            "cannot halt pvmd",
            why,
            next,
        ))
    }
}
