//! Terminate and Halt: ending a job, ending the daemon.

use super::{Reply, failure, no_such_job};
use crate::job::life::GRACE;
use crate::server::hub::{Asked, Hub};
use pvm::ids::JobId;
use pvm::wire::control::{EndReason, Failure, FailureCode, Terminate, to_daemon};
use std::time::Duration;

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

    pub(super) fn ask_halt(&mut self, asked: Asked, force: bool) -> Reply {
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
