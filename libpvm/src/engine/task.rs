//! A process attached to the daemon of its host: what all families of calls have in common.

use super::core::WaitError;
use super::request::Outcome;
use super::{Core, Engine, RequestId};
use crate::group::Group;
use crate::ids::{JobId, Rank, TaskId};
use crate::limits::LEAVE_CONFIRM_MS;
use crate::session::{Answer, LinkError};
use crate::sync::{GateError, Level};
use crate::transport::route::Routes;
use crate::wire::control::{Detach, Welcome, from_daemon, to_daemon};
use std::time::Duration;

/// The engine of a task.
pub type TaskEngine = Engine<Routes>;

/// Longest that leaving waits for what peers still need of this task: sends whose requests were
/// dropped, confirmations of what it has received.
const LEAVE_DEADLINE: Duration = Duration::from_secs(10);

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The engine could not be entered.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The daemon cannot be reached, or refuses.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<GateError> for AskError {
    fn from(error: GateError) -> Self {
        Self::Wait(error.into())
    }
}

/// A welcome of the daemon that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon's welcome has {0}")]
pub struct BadWelcome(pub &'static str);

/// One attached task.
pub struct Task {
    /// The engine, its gate and its bell.
    pub core: Core<Routes>,
    /// Its id.
    pub me: TaskId,
    /// Who spawned it; `None`: a launcher, or nobody.
    pub parent: Option<TaskId>,
    /// Its job.
    pub job: JobId,
    /// Its number among the tasks of its launch.
    pub rank: Rank,
    /// The tasks of its launch.
    pub world: Group,
    /// Processors of this host: the same number in all its tasks.
    pub cpus: usize,
}

impl Task {
    /// The task that the daemon has welcomed.
    ///
    /// # Errors
    /// When the welcome makes no sense.
    pub fn new(transport: Routes, welcome: &Welcome, level: Level) -> Result<Self, BadWelcome> {
        let me = TaskId::from_bits(welcome.task).ok_or(BadWelcome("no task id"))?;
        let tasks: Option<Vec<TaskId>> = welcome
            .world
            .iter()
            .map(|&bits| TaskId::from_bits(bits))
            .collect();
        let tasks = tasks
            .filter(|tasks| !tasks.is_empty())
            .unwrap_or_else(|| vec![me]);
        let world = Group::new(tasks).map_err(|_| BadWelcome("a task twice in the world"))?;
        let rank = world
            .rank_of(me)
            .ok_or(BadWelcome("a world without this task"))?;
        let cpus = transport.facts().cpus as usize;
        Ok(Self {
            core: Core::new(Engine::new(transport, me), level),
            me,
            parent: TaskId::from_bits(welcome.parent),
            job: JobId(welcome.job),
            rank,
            world,
            cpus,
        })
    }

    /// Waits until `ready` gives a result.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    #[inline]
    pub fn wait<R>(&self, ready: impl FnMut(&mut TaskEngine) -> Option<R>) -> Result<R, WaitError> {
        self.core.wait(None, ready)
    }

    /// Starts something in the engine and waits for its outcome.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    #[inline]
    pub fn run(
        &self,
        start: impl FnOnce(&mut TaskEngine) -> RequestId,
    ) -> Result<Outcome, WaitError> {
        let mut start = Some(start);
        let mut request = None;
        self.wait(|engine| {
            if let Some(start) = start.take() {
                request = Some(start(engine));
            }
            engine.finish(request?)
        })
    }

    /// Asks the daemon and waits for its answer, letting messages pass meanwhile.
    ///
    /// # Errors
    /// When the daemon cannot be reached, or refuses.
    pub fn ask(&self, body: to_daemon::Body) -> Result<from_daemon::Body, AskError> {
        let ticket = self
            .core
            .with(|engine| engine.transport().link().start(body, &[]))??;
        let Answer { body, .. } = self.wait(|engine| engine.transport().link().take(ticket))??;
        Ok(body)
    }

    /// Tells the daemon.
    ///
    /// # Errors
    /// When the daemon cannot be reached.
    pub fn tell(&self, body: to_daemon::Body) -> Result<(), AskError> {
        Ok(self
            .core
            .with(|engine| engine.transport().link().tell(body))??)
    }

    /// Waits until sends and confirmations that are under way have gone out; false: some have not.
    pub fn settle(&self) -> bool {
        let patience = Duration::from_millis(LEAVE_CONFIRM_MS);
        self.core.settle(LEAVE_DEADLINE, patience)
    }

    /// Leaves the virtual machine: sends and confirmations that are under way go out first.
    pub fn leave(&self) {
        if self.settle() {
            let _ = self.ask(to_daemon::Body::Detach(Detach {}));
        }
    }
}
