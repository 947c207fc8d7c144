//! Terminate and Halt: ending a job, ending the daemon.

use super::open::gone_is_done;
use super::{Reply, failure, no_such_job};
use crate::job::life::GRACE;
use crate::server::hub::{Asked, Hub};
use pvm::ids::JobId;
use pvm::limits::LIST_MS;
use pvm::wire::control::{EndReason, Failure, FailureCode, Halt, Terminate, to_daemon};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A host that is silent for so long does not keep the others from their end.
const LIST: Duration = Duration::from_millis(LIST_MS);

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
            self.check_unused(asked)?;
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
            self.halt_all(asked, hosts);
            return Ok(None);
        }
        self.check_unused(asked)?;
        let open = Rc::new(RefCell::new((hosts.len(), None::<Failure>)));
        let ask_only = Halt {
            ask_only: true,
            ..halt
        };
        for host in hosts.clone() {
            let (open, hosts) = (open.clone(), hosts.clone());
            self.ask_host_within(
                host,
                to_daemon::Body::Halt(ask_only),
                LIST,
                move |hub, result| {
                    let mut open = open.borrow_mut();
                    open.0 -= 1;
                    if let Err(failure) = gone_is_done(result) {
                        open.1.get_or_insert(failure);
                    }
                    match (open.0, open.1.take()) {
                        (0, None) => hub.halt_all(asked, hosts),
                        (0, Some(failure)) => hub.conclude(asked, Err(failure)),
                        (_, failure) => open.1 = failure,
                    }
                },
            );
        }
        Ok(None)
    }

    fn halt_all(&mut self, asked: Asked, hosts: Vec<u16>) {
        let halt = Halt {
            force: true,
            everywhere: true,
            ..Halt::default()
        };
        self.ends_everywhere = true;
        let open = Rc::new(Cell::new(hosts.len()));
        for host in hosts {
            let open = open.clone();
            self.ask_host_within(host, to_daemon::Body::Halt(halt), LIST, move |hub, _| {
                open.set(open.get() - 1);
                if open.get() == 0 {
                    hub.halt(Some(asked), GRACE);
                }
            });
        }
    }

    /// Ends this daemon alone.
    pub(super) fn halt_here(&mut self, asked: Asked, force: bool) -> Reply {
        if !force {
            self.check_unused(asked)?;
        }
        self.halt(Some(asked), GRACE);
        Ok(None)
    }

    /// Whether nobody but the caller uses the daemon.
    fn check_unused(&self, asked: Asked) -> Result<(), Failure> {
        let mut others = self
            .jobs
            .iter()
            .filter(|(_, job)| job.lease != Some(asked.client));
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
