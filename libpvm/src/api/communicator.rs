//! Communicators: numbered tasks with messages of their own.

use super::error::{Error, Result};
use super::port::Names;
use super::shared::Shared;
use crate::collective::{Circle, Member, Scratch, Tags};
use crate::group::Group;
use crate::ids::{Context, Rank, TaskId};
use crate::transport::Peer;
use std::sync::{Arc, Mutex};

/// Some tasks, numbered from 0, whose messages are apart from those of all other communicators.
/// Clones are the same communicator.
///
/// - Messages: [`send`](Communicator::send), [`recv`](Communicator::recv),
///   [`recv_into`](Communicator::recv_into), their non-blocking forms
///   [`isend`](Communicator::isend) and [`irecv`](Communicator::irecv),
///   [`send_value`](Communicator::send_value) and [`recv_value`](Communicator::recv_value) for any
///   serde type, [`probe`](Communicator::probe), [`claim`](Communicator::claim)
/// - Collectives, to be called by all: [`barrier`](Communicator::barrier),
///   [`broadcast`](Communicator::broadcast), [`gather`](Communicator::gather),
///   [`allreduce`](Communicator::allreduce) and their kin
/// - More communicators: [`split`](Communicator::split), [`dup`](Communicator::dup)
///
/// Messages from one task to another arrive in the order in which they were sent, as far as one
/// receive could have taken either.
#[derive(Clone)]
pub struct Communicator {
    pub(super) shape: Arc<Shape>,
}

/// What a communicator is made of.
pub(super) struct Shape {
    pub shared: Arc<Shared>,
    pub rank: Rank,
    pub circle: Circle,
    pub state: Mutex<State>,
}

/// What changes with every collective.
#[derive(Default)]
pub(super) struct State {
    pub tags: Tags,
    pub scratch: Scratch,
}

impl Communicator {
    /// The communicator of the launch, whose contexts have the same number everywhere.
    pub(super) fn world(shared: &Arc<Shared>) -> Result<Self> {
        let contexts = vec![Context::WORLD; shared.world.size()];
        Self::new(
            shared,
            shared.world.clone(),
            shared.rank,
            Context::WORLD,
            &contexts,
        )
    }

    /// A communicator of known contexts: `context` of this task, `contexts` of all ranks.
    pub(super) fn new(
        shared: &Arc<Shared>,
        group: Group,
        rank: Rank,
        context: Context,
        contexts: &[Context],
    ) -> Result<Self> {
        let circle = shared
            .core
            .with(|engine| Circle::new(engine, group, context, contexts, shared.cpus))?;
        let shape = Shape {
            shared: Arc::clone(shared),
            rank,
            circle,
            state: Mutex::default(),
        };
        Ok(Self {
            shape: Arc::new(shape),
        })
    }

    /// The number of this task, from 0.
    pub fn rank(&self) -> Rank {
        self.shape.rank
    }

    /// The number of tasks.
    pub fn size(&self) -> usize {
        self.shape.circle.members.len()
    }

    /// The task behind a rank.
    ///
    /// # Errors
    /// [`Error::RankOutOfRange`].
    pub fn task_of(&self, rank: Rank) -> Result<TaskId> {
        self.member(rank)?;
        self.shape.circle.group.task(rank).ok_or(Error::Stranger)
    }

    /// The rank of a task; `None` if it is not in the communicator.
    pub fn rank_of(&self, task: TaskId) -> Option<Rank> {
        self.shape.circle.group.rank_of(task)
    }

    /// All tasks, by rank.
    pub fn tasks(&self) -> &[TaskId] {
        self.shape.circle.group.tasks()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shape.shared
    }

    #[inline]
    pub(super) fn member(&self, rank: Rank) -> Result<&Member> {
        // No error is made, and dropped again, where there is none: this is on the way of every message.
        match self.shape.circle.members.get(rank) {
            Some(member) => Ok(member),
            None => Err(self.out_of_range(rank)),
        }
    }

    #[cold]
    fn out_of_range(&self, rank: Rank) -> Error {
        let size = self.size();
        Error::RankOutOfRange { rank, size }
    }
}

impl Names for Communicator {
    type Name = Rank;

    fn shared(&self) -> &Arc<Shared> {
        &self.shape.shared
    }

    #[inline]
    fn name(&self, peer: Peer) -> Option<Rank> {
        self.shape.circle.rank_of(peer)
    }
}

impl Drop for Shape {
    fn drop(&mut self) {
        if self.circle.context.0 >= Context::FIRST_FREE.0 {
            // Where this thread may not enter, the context just stays open.
            let _ = self
                .shared
                .core
                .with(|engine| engine.close_context(self.circle.context));
        }
    }
}
