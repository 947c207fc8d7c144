//! Watching tasks end.

use super::error::{Error, Result};
use super::shared::Shared;
use super::vm::Vm;
use crate::ids::TaskId;
use crate::wire::control::{self, Notify, exit_status::How, to_daemon};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It left the virtual machine; its process may live on.
    Detached,
    /// Its host was lost, and the task with it.
    HostLost,
    /// Nobody knows: it was gone already, or never was.
    Unknown,
}

impl ExitStatus {
    /// Whether the task ended well: with code 0, or by leaving.
    pub fn is_success(self) -> bool {
        matches!(self, ExitStatus::Code(0) | ExitStatus::Detached)
    }

    pub(super) fn from_wire(status: Option<&control::ExitStatus>) -> Self {
        match status.and_then(|status| status.how.as_ref()) {
            Some(How::Code(code)) => ExitStatus::Code(*code),
            Some(How::Signal(signal)) => ExitStatus::Signal(*signal),
            Some(How::Detached(_)) => ExitStatus::Detached,
            Some(How::HostLost(_)) => ExitStatus::HostLost,
            Some(How::Unknown(_)) | None => ExitStatus::Unknown,
        }
    }
}

/// The end of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Which task.
    pub task: TaskId,
    /// How it ended.
    pub status: ExitStatus,
}

/// A subscription to the ends of some tasks: one [`Exit`] for each. Ends when dropped.
pub struct ExitWatch {
    shared: Arc<Shared>,
    token: u64,
    remaining: usize,
}

impl Vm {
    /// Asks to be told when each of these tasks ends; of those already gone at once.
    ///
    /// # Errors
    /// When the daemon cannot be reached.
    pub fn notify_exit(&self, tasks: &[TaskId]) -> Result<ExitWatch> {
        let shared = Arc::clone(&self.shared);
        let token = shared.open_mailbox();
        let watch = ExitWatch {
            shared,
            token,
            remaining: tasks.len(),
        };
        let tasks = tasks.iter().map(|task| task.bits()).collect();
        let notify = Notify {
            token,
            tasks,
            cancel: false,
        };
        watch.shared.ask(to_daemon::Body::Notify(notify))?;
        Ok(watch)
    }
}

impl ExitWatch {
    /// How many exits are still to come.
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// The next exit if one was told; waits for nothing.
    ///
    /// # Errors
    /// When this thread may not use the virtual machine.
    pub fn poll(&mut self) -> Result<Option<Exit>> {
        let token = self.token;
        let exit = self.shared.core.with(|engine| {
            engine.progress();
            self.shared.take_exit(engine, token)
        })?;
        self.remaining -= usize::from(exit.is_some());
        Ok(exit)
    }

    /// Waits for the next exit; `None` when all have been told.
    ///
    /// # Errors
    /// [`Error::LostDaemon`] when nobody is left to tell.
    pub fn wait(&mut self) -> Result<Option<Exit>> {
        self.wait_until(None)
    }

    /// As [`ExitWatch::wait`], at most for so long.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when it took longer; [`Error::LostDaemon`].
    pub fn wait_for(&mut self, limit: Duration) -> Result<Option<Exit>> {
        // `None` when that is beyond all time.
        self.wait_until(Instant::now().checked_add(limit))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Result<Option<Exit>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let exit = self.shared.core.wait(deadline, |engine| {
            match self.shared.take_exit(engine, self.token) {
                Some(exit) => Some(Ok(exit)),
                None if engine.transport().is_daemon_lost() => Some(Err(Error::LostDaemon)),
                None => None,
            }
        })??;
        self.remaining -= 1;
        Ok(Some(exit))
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.shared.close_mailbox(self.token);
    }
}
