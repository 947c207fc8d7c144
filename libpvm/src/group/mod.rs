//! Ordered sets of tasks.
//!
//! A [`Group`] never changes; the operations make new ones. It knows nothing of messages: a
//! communicator is a group plus contexts, made above. The order of [`split`] is here too, because
//! it is nothing but an order of ranks.

mod algebra;
mod split;

pub use algebra::RankRange;
pub use split::{Choice, part, split};

use crate::ids::{Rank, TaskId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Groups up to this size are searched from the front; larger ones have a map.
const LINEAR_MAX: usize = 16;

/// Why a group cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The rank is not below the size.
    #[error("rank {rank} is not in a group of {size}")]
    NoSuchRank {
        /// The rank asked for; negative ones come from ranges.
        rank: i64,
        /// Size of the group.
        size: usize,
    },
    /// The task or rank is there twice.
    #[error("{0} is twice in the group")]
    Twice(TaskId),
    /// A range of ranks has a stride of 0.
    #[error("a range of ranks has stride 0")]
    NoStride,
}

/// How two groups relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same tasks in the same order.
    Identical,
    /// The same tasks in another order.
    Similar,
    /// Other tasks.
    Unequal,
}

/// An ordered set of tasks; the position of a task is its rank. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

struct Inner {
    tasks: Box<[TaskId]>,
    /// Absent for small groups.
    ranks: Option<HashMap<TaskId, Rank>>,
}

impl Group {
    /// The group of no task.
    pub fn empty() -> Self {
        Self::of_distinct(Vec::new())
    }

    /// A group of tasks in this order; all must be different.
    pub fn new(tasks: impl IntoIterator<Item = TaskId>) -> Result<Self, GroupError> {
        let tasks: Vec<TaskId> = tasks.into_iter().collect();
        let mut sorted = tasks.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(GroupError::Twice(pair[0])),
            None => Ok(Self::of_distinct(tasks)),
        }
    }

    /// A group of tasks that are known to be different.
    fn of_distinct(tasks: Vec<TaskId>) -> Self {
        let ranks = (tasks.len() > LINEAR_MAX).then(|| tasks.iter().copied().zip(0..).collect());
        let tasks = tasks.into();
        Self {
            inner: Arc::new(Inner { tasks, ranks }),
        }
    }

    /// Number of tasks.
    pub fn size(&self) -> usize {
        self.inner.tasks.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.inner.tasks.is_empty()
    }

    /// The tasks by rank.
    pub fn tasks(&self) -> &[TaskId] {
        &self.inner.tasks
    }

    /// The task of a rank.
    pub fn task(&self, rank: Rank) -> Option<TaskId> {
        self.inner.tasks.get(rank).copied()
    }

    /// The rank of a task.
    pub fn rank_of(&self, task: TaskId) -> Option<Rank> {
        match &self.inner.ranks {
            Some(ranks) => ranks.get(&task).copied(),
            None => self.inner.tasks.iter().position(|&other| other == task),
        }
    }

    /// Whether the task is in the group.
    pub fn contains(&self, task: TaskId) -> bool {
        self.rank_of(task).is_some()
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) || self.tasks() == other.tasks()
    }
}

impl Eq for Group {}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tasks()).finish()
    }
}
