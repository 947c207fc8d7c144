//! What all handles of one attached task share: the engine, and what the daemon has told.

use super::error::Result;
use super::notify::{Exit, ExitStatus};
use crate::engine::{EngineError, Envelope, Outcome, RequestId, Task};
use crate::ids::TaskId;
use crate::session::Answer;
use crate::sync::Level;
use crate::transport::route::Routes;
use crate::wire::control::{Notify, Welcome, from_daemon, to_daemon};
use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use crate::engine::TaskEngine;

/// One attached task, and its mail.
pub(super) struct Shared {
    task: Task,
    mail: Mutex<Mail>,
}

/// It is the task, with more.
impl Deref for Shared {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.task
    }
}

/// What is kept for later.
#[derive(Default)]
struct Mail {
    last_token: u64,
    /// Exits that were told, by subscription.
    exits: HashMap<u64, VecDeque<Exit>>,
}

impl Shared {
    pub fn new(transport: Routes, welcome: &Welcome, level: Level) -> Result<Self> {
        Ok(Self {
            task: Task::new(transport, welcome, level)?,
            mail: Mutex::default(),
        })
    }

    /// As [`Task::wait`], with the errors of this API.
    #[inline]
    pub fn wait<R>(&self, ready: impl FnMut(&mut TaskEngine) -> Option<R>) -> Result<R> {
        Ok(self.task.wait(ready)?)
    }

    /// As [`Task::run`], with the errors of this API.
    #[inline]
    pub fn run(&self, start: impl FnOnce(&mut TaskEngine) -> RequestId) -> Result<Outcome> {
        Ok(self.task.run(start)?)
    }

    /// As [`Shared::run`], when all that is wanted from the outcome is the envelope.
    #[inline]
    pub fn run_for_envelope(
        &self,
        start: impl FnOnce(&mut TaskEngine) -> RequestId,
    ) -> Result<std::result::Result<Envelope, EngineError>> {
        let mut start = Some(start);
        let mut request = None;
        // The ends of the message, lent memory, are dropped in the engine.
        self.wait(|engine| {
            if let Some(start) = start.take() {
                request = Some(start(engine));
            }
            engine.finish_envelope(request?)
        })
    }

    /// As [`Task::ask`], with the errors of this API.
    pub fn ask(&self, body: to_daemon::Body) -> Result<from_daemon::Body> {
        Ok(self.task.ask(body)?)
    }

    /// As [`Task::tell`], with the errors of this API.
    pub fn tell(&self, body: to_daemon::Body) -> Result<()> {
        Ok(self.task.tell(body)?)
    }

    /// Opens a mailbox for exits.
    pub fn open_mailbox(&self) -> u64 {
        let mut mail = self.mail();
        mail.last_token += 1;
        let token = mail.last_token;
        mail.exits.insert(token, VecDeque::new());
        token
    }

    /// Forgets a mailbox, here and at the daemon.
    pub fn close_mailbox(&self, token: u64) {
        self.mail().exits.remove(&token);
        let cancel = Notify {
            token,
            tasks: Vec::new(),
            cancel: true,
        };
        // Without the daemon there is nothing to forget.
        let _ = self.tell(to_daemon::Body::Notify(cancel));
    }

    /// Takes the oldest exit from a mailbox, after a look at the daemon's events.
    pub fn take_exit(&self, engine: &mut TaskEngine, token: u64) -> Option<Exit> {
        let mut mail = self.mail();
        while let Some(event) = engine.transport().take_event() {
            mail.sort_in(event);
        }
        mail.exits.get_mut(&token)?.pop_front()
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.leave();
    }
}

impl Mail {
    fn sort_in(&mut self, event: Answer) {
        let from_daemon::Body::TaskExited(exited) = event.body else {
            return;
        };
        let Some(task) = TaskId::from_bits(exited.task) else {
            return;
        };
        let status = ExitStatus::from_wire(exited.status.as_ref());
        for token in exited.tokens {
            if let Some(mailbox) = self.exits.get_mut(&token) {
                mailbox.push_back(Exit { task, status });
            }
        }
    }
}
