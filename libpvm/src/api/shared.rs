//! What all handles of one attached task share: the engine, and what the daemon has told.

use super::error::{Error, Result};
use super::notify::{Exit, ExitStatus};
use crate::engine::{Core, Engine, Envelope, Outcome, RequestId};
use crate::group::Group;
use crate::ids::{JobId, Rank, TaskId};
use crate::limits::LEAVE_CONFIRM_MS;
use crate::session::Answer;
use crate::sync::Level;
use crate::transport::route::Routes;
use crate::wire::control::{Detach, Notify, Welcome, from_daemon, to_daemon};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The engine of a task.
pub type TaskEngine = Engine<Routes>;

/// One attached task.
pub(super) struct Shared {
    pub core: Core<Routes>,
    pub me: TaskId,
    pub parent: Option<TaskId>,
    pub job: JobId,
    pub rank: Rank,
    pub world: Group,
    /// Processors of this host: the same number in all its tasks.
    pub cpus: usize,
    mail: Mutex<Mail>,
}

/// What is kept for later.
#[derive(Default)]
struct Mail {
    last_token: u64,
    /// Exits that were told, by subscription.
    exits: HashMap<u64, VecDeque<Exit>>,
}

/// Longest that leaving waits for what peers still need of this task: sends whose requests were
/// dropped, confirmations of what it has received.
const LEAVE_DEADLINE: Duration = Duration::from_secs(10);

impl Shared {
    pub fn new(transport: Routes, welcome: &Welcome, level: Level) -> Result<Self> {
        let bad = |why: &'static str| Error::BadWelcome(why);
        let me = TaskId::from_bits(welcome.task).ok_or(bad("no task id"))?;
        let tasks: Option<Vec<TaskId>> = welcome
            .world
            .iter()
            .map(|&bits| TaskId::from_bits(bits))
            .collect();
        let tasks = tasks
            .filter(|tasks| !tasks.is_empty())
            .unwrap_or_else(|| vec![me]);
        let world = Group::new(tasks).map_err(|_| bad("a task twice in the world"))?;
        let rank = world.rank_of(me).ok_or(bad("a world without this task"))?;
        let cpus = transport.facts().cpus as usize;
        Ok(Self {
            core: Core::new(Engine::new(transport, me), level),
            me,
            parent: TaskId::from_bits(welcome.parent),
            job: JobId(welcome.job),
            rank,
            world,
            cpus,
            mail: Mutex::default(),
        })
    }

    /// Waits until `ready` gives a result.
    #[inline]
    pub fn wait<R>(&self, ready: impl FnMut(&mut TaskEngine) -> Option<R>) -> Result<R> {
        Ok(self.core.wait(None, ready)?)
    }

    /// Starts something in the engine and waits for its outcome.
    #[inline]
    pub fn run(&self, start: impl FnOnce(&mut TaskEngine) -> RequestId) -> Result<Outcome> {
        let mut start = Some(start);
        let mut request = None;
        self.wait(|engine| {
            if let Some(start) = start.take() {
                request = Some(start(engine));
            }
            engine.finish(request?)
        })
    }

    /// As [`Shared::run`], when all that is wanted from the outcome is the envelope.
    #[inline]
    pub fn run_for_envelope(
        &self,
        cut_off: &mut Option<Envelope>,
        start: impl FnOnce(&mut TaskEngine) -> RequestId,
    ) -> Result<Envelope> {
        let mut start = Some(start);
        let mut request = None;
        // The ends of the message, lent memory, are dropped in the engine.
        let ended = self.wait(|engine| {
            if let Some(start) = start.take() {
                request = Some(start(engine));
            }
            engine.finish_envelope(request?)
        })?;
        ended.map_err(|error| {
            *cut_off = error.cut_off();
            error.into()
        })
    }

    /// Asks the daemon and waits for its answer, letting messages pass meanwhile.
    pub fn ask(&self, body: to_daemon::Body) -> Result<from_daemon::Body> {
        let ticket = self
            .core
            .with(|engine| engine.transport().link().start(body, &[]))??;
        let Answer { body, .. } = self.wait(|engine| engine.transport().link().take(ticket))??;
        Ok(body)
    }

    /// Tells the daemon.
    pub fn tell(&self, body: to_daemon::Body) -> Result<()> {
        Ok(self
            .core
            .with(|engine| engine.transport().link().tell(body))??)
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

    /// Leaves the virtual machine: sends and confirmations that are under way go out first.
    fn leave(&self) {
        let patience = Duration::from_millis(LEAVE_CONFIRM_MS);
        if self.core.settle(LEAVE_DEADLINE, patience) {
            let _ = self.ask(to_daemon::Body::Detach(Detach {}));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.leave();
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
