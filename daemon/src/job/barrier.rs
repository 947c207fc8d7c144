//! A barrier of one group: who has come, and how many it waits for.

use pvm::ids::TaskId;
use serde::{Deserialize, Serialize};

/// Answer to a barrier request that is over. `R` names the request to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum BarrierEnd<R> {
    /// Enough members have come.
    Passed(Vec<R>),
    /// It can no longer fill up: `lost` has left or died and `left` members remain.
    Broken {
        /// Requests to answer.
        waiting: Vec<R>,
        /// The member that is gone.
        lost: TaskId,
        /// How many members the barrier needs.
        needed: u32,
        /// How many there are now.
        left: u32,
    },
}

/// The barrier of a group while members wait in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier<R> {
    /// As asked; 0 means all members of the moment.
    pub count: u32,
    waiting: Vec<(TaskId, R)>,
}

impl<R> Barrier<R> {
    /// An empty barrier that waits for `count` members.
    pub fn new(count: u32) -> Self {
        Barrier {
            count,
            waiting: Vec::new(),
        }
    }

    /// A member has come. Coming twice counts once; the earlier request stays the one answered.
    pub fn arrive(&mut self, task: TaskId, request: R) -> Result<(), R> {
        if self.is_waiting(task) {
            return Err(request);
        }
        self.waiting.push((task, request));
        Ok(())
    }

    /// A member has gone: it no longer counts as having come.
    pub fn withdraw(&mut self, task: TaskId) {
        self.waiting.retain(|(who, _)| *who != task);
    }

    /// Whether the member has come.
    pub fn is_waiting(&self, task: TaskId) -> bool {
        self.waiting.iter().any(|(who, _)| *who == task)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether enough members have come, of `members` in the group.
    pub fn is_full(&self, members: u32) -> bool {
        self.waiting.len() as u32 >= self.needed(members)
    }

    /// How many must come.
    pub fn needed(&self, members: u32) -> u32 {
        match self.count {
            0 => members,
            n => n,
        }
    }

    /// Who waits, and their requests.
    pub fn waiting(&self) -> &[(TaskId, R)] {
        &self.waiting
    }

    /// The requests to answer.
    pub fn into_requests(self) -> Vec<R> {
        self.waiting
            .into_iter()
            .map(|(_, request)| request)
            .collect()
    }
}
