//! Named groups of tasks, as PVM has them: instance numbers, queries, barriers.

use super::barrier::{Barrier, BarrierEnd};
use pvm::ids::TaskId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Why a group request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum GroupError {
    /// Nobody is in a group of that name.
    #[error("there is no such group")]
    NoSuchGroup,
    /// The caller is not a member.
    #[error("the task is not in the group")]
    NotMember,
    /// The caller is a member already, with this instance number.
    #[error("the task is in the group already, as instance {0}")]
    AlreadyMember(u32),
    /// Others wait in the barrier for another count.
    #[error("others wait in the barrier for {waiting_for} members, this call for {asked}")]
    Mismatch {
        /// Count of those that wait.
        waiting_for: u32,
        /// Count of the caller.
        asked: u32,
    },
    /// The caller, in another thread, waits in the barrier.
    #[error("the task waits in the group's barrier")]
    AlreadyWaiting,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Group<R> {
    members: BTreeMap<u32, TaskId>,
    barrier: Option<Barrier<R>>,
}

impl<R> Group<R> {
    fn instance(&self, task: TaskId) -> Option<u32> {
        let found = self.members.iter().find(|(_, who)| **who == task);
        found.map(|(instance, _)| *instance)
    }

    fn lowest_free(&self) -> u32 {
        let mut free = 0;
        for &used in self.members.keys() {
            if used != free {
                break;
            }
            free += 1;
        }
        free
    }

    fn remove(&mut self, task: TaskId) -> Option<u32> {
        let instance = self.instance(task)?;
        self.members.remove(&instance);
        Some(instance)
    }

    /// Settles the barrier after `lost` has gone.
    fn settle_without(&mut self, lost: TaskId) -> Option<BarrierEnd<R>> {
        let left = self.members.len() as u32;
        let barrier = self.barrier.as_mut()?;
        barrier.withdraw(lost);
        let needed = barrier.needed(left);
        if barrier.is_empty() {
            self.barrier = None;
            None
        } else if barrier.is_full(left) {
            self.barrier
                .take()
                .map(|b| BarrierEnd::Passed(b.into_requests()))
        } else if needed > left {
            self.barrier.take().map(|b| BarrierEnd::Broken {
                waiting: b.into_requests(),
                lost,
                needed,
                left,
            })
        } else {
            None
        }
    }
}

/// All groups of the virtual machine. `R` names a barrier request that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTable<R> {
    groups: BTreeMap<String, Group<R>>,
}

impl<R> Default for GroupTable<R> {
    fn default() -> Self {
        GroupTable {
            groups: BTreeMap::new(),
        }
    }
}

impl<R> GroupTable<R> {
    /// Adds the task with the lowest free instance number, which is returned.
    ///
    /// # Errors
    /// [`GroupError::AlreadyMember`].
    pub fn join(&mut self, name: &str, task: TaskId) -> Result<u32, GroupError> {
        let group = self.groups.entry(name.to_owned()).or_insert_with(|| Group {
            members: BTreeMap::new(),
            barrier: None,
        });
        if let Some(instance) = group.instance(task) {
            return Err(GroupError::AlreadyMember(instance));
        }
        let instance = group.lowest_free();
        group.members.insert(instance, task);
        Ok(instance)
    }

    /// Takes the task out. Returns the instance number it had, and the barrier that this ends.
    ///
    /// # Errors
    /// No such group, not a member, or waiting in the barrier.
    pub fn leave(
        &mut self,
        name: &str,
        task: TaskId,
    ) -> Result<(u32, Option<BarrierEnd<R>>), GroupError> {
        let group = self.groups.get_mut(name).ok_or(GroupError::NoSuchGroup)?;
        if group.barrier.as_ref().is_some_and(|b| b.is_waiting(task)) {
            return Err(GroupError::AlreadyWaiting);
        }
        let instance = group.remove(task).ok_or(GroupError::NotMember)?;
        let end = group.settle_without(task);
        if group.members.is_empty() {
            self.groups.remove(name);
        }
        Ok((instance, end))
    }

    /// A task has ended: takes it out of all groups. Returns the barriers that this ends.
    pub fn forget(&mut self, task: TaskId) -> Vec<(String, BarrierEnd<R>)> {
        let mut ends = Vec::new();
        self.groups.retain(|name, group| {
            if group.remove(task).is_some()
                && let Some(end) = group.settle_without(task)
            {
                ends.push((name.clone(), end));
            }
            !group.members.is_empty()
        });
        ends
    }

    /// The members by instance number.
    ///
    /// # Errors
    /// [`GroupError::NoSuchGroup`].
    pub fn members(&self, name: &str) -> Result<&BTreeMap<u32, TaskId>, GroupError> {
        let group = self.groups.get(name).ok_or(GroupError::NoSuchGroup)?;
        Ok(&group.members)
    }

    /// Names of all groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Members of all groups; a task counts once for each that it is in.
    pub fn memberships(&self) -> usize {
        self.groups.values().map(|group| group.members.len()).sum()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Names of the groups that a task is in.
    pub fn names_with(&self, task: TaskId) -> Vec<String> {
        let groups = self.groups.iter();
        let with = groups.filter(|(_, group)| group.instance(task).is_some());
        with.map(|(name, _)| name.clone()).collect()
    }

    /// The tasks of a host that are in any group.
    pub fn tasks_of(&self, host: u16) -> BTreeSet<TaskId> {
        let members = self
            .groups
            .values()
            .flat_map(|group| group.members.values());
        members
            .copied()
            .filter(|task| task.host() == host)
            .collect()
    }

    /// The requests that wait in barriers.
    pub fn waiting(&self) -> impl Iterator<Item = &R> {
        let barriers = self
            .groups
            .values()
            .filter_map(|group| group.barrier.as_ref());
        barriers.flat_map(|barrier| barrier.waiting().iter().map(|(_, request)| request))
    }

    /// Instance number of a member.
    pub fn instance(&self, name: &str, task: TaskId) -> Option<u32> {
        self.groups.get(name)?.instance(task)
    }

    /// The task waits until `count` members (0: all) have come. Returns the requests to answer
    /// when that is now.
    ///
    /// # Errors
    /// No such group, not a member, another count than those who wait, or waiting already.
    pub fn barrier(
        &mut self,
        name: &str,
        task: TaskId,
        count: u32,
        request: R,
    ) -> Result<Vec<R>, GroupError> {
        let group = self.groups.get_mut(name).ok_or(GroupError::NoSuchGroup)?;
        if group.instance(task).is_none() {
            return Err(GroupError::NotMember);
        }
        let barrier = group.barrier.get_or_insert_with(|| Barrier::new(count));
        if barrier.count != count {
            return Err(GroupError::Mismatch {
                waiting_for: barrier.count,
                asked: count,
            });
        }
        let arrived = barrier.arrive(task, request);
        arrived.map_err(|_| GroupError::AlreadyWaiting)?;
        if !barrier.is_full(group.members.len() as u32) {
            return Ok(Vec::new());
        }
        Ok(group
            .barrier
            .take()
            .map_or_else(Vec::new, Barrier::into_requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(local: u32) -> TaskId {
        TaskId::new(1, 1, local).unwrap()
    }

    fn group_of(n: u32) -> GroupTable<u32> {
        let mut table = GroupTable::default();
        for local in 1..=n {
            assert_eq!(table.join("g", task(local)), Ok(local - 1));
        }
        table
    }

    #[test]
    fn instances_are_the_lowest_free() {
        let mut table = group_of(3);
        assert_eq!(table.join("g", task(2)), Err(GroupError::AlreadyMember(1)));
        assert_eq!(table.leave("g", task(2)).unwrap().0, 1);
        assert_eq!(
            table.leave("g", task(2)).unwrap_err(),
            GroupError::NotMember
        );
        assert_eq!(table.join("g", task(9)), Ok(1));
        assert_eq!(table.join("g", task(2)), Ok(3));
    }

    #[test]
    fn an_empty_group_is_gone() {
        let mut table = group_of(1);
        table.leave("g", task(1)).unwrap();
        assert_eq!(table.members("g").unwrap_err(), GroupError::NoSuchGroup);
        assert_eq!(
            table.leave("g", task(1)).unwrap_err(),
            GroupError::NoSuchGroup
        );
    }

    #[test]
    fn a_barrier_passes_when_the_last_has_come() {
        let mut table = group_of(3);
        assert_eq!(table.barrier("g", task(1), 0, 1), Ok(vec![]));
        assert_eq!(
            table.barrier("g", task(1), 0, 1),
            Err(GroupError::AlreadyWaiting)
        );
        assert_eq!(table.barrier("g", task(2), 0, 2), Ok(vec![]));
        assert_eq!(table.barrier("g", task(3), 0, 3), Ok(vec![1, 2, 3]));
        assert_eq!(table.barrier("g", task(3), 1, 4), Ok(vec![4]));
    }

    #[test]
    fn counts_must_agree() {
        let mut table = group_of(3);
        table.barrier("g", task(1), 2, 1).unwrap();
        let refused = table.barrier("g", task(2), 3, 2);
        let mismatch = GroupError::Mismatch {
            waiting_for: 2,
            asked: 3,
        };
        assert_eq!(refused, Err(mismatch));
        assert_eq!(
            table.barrier("g", task(9), 2, 2),
            Err(GroupError::NotMember)
        );
        assert_eq!(table.barrier("g", task(2), 2, 2), Ok(vec![1, 2]));
    }

    #[test]
    fn a_death_completes_a_barrier_of_all() {
        let mut table = group_of(3);
        table.barrier("g", task(1), 0, 1).unwrap();
        table.barrier("g", task(2), 0, 2).unwrap();
        let ends = table.forget(task(3));
        assert_eq!(ends, [("g".to_owned(), BarrierEnd::Passed(vec![1, 2]))]);
    }

    #[test]
    fn a_death_breaks_a_barrier_that_can_no_longer_fill() {
        let mut table = group_of(3);
        table.barrier("g", task(1), 3, 1).unwrap();
        table.barrier("g", task(2), 3, 2).unwrap();
        let broken = BarrierEnd::Broken {
            waiting: vec![1],
            lost: task(2),
            needed: 3,
            left: 2,
        };
        assert_eq!(table.forget(task(2)), [("g".to_owned(), broken)]);
        assert_eq!(table.barrier("g", task(1), 2, 3), Ok(vec![]));
        assert_eq!(table.barrier("g", task(3), 2, 4), Ok(vec![3, 4]));
    }

    proptest! {
        #[test]
        fn nobody_waits_in_a_barrier_that_is_full(
            steps in prop::collection::vec((0..4u8, 1..6u32), 0..60)
        ) {
            let mut table = GroupTable::default();
            let mut waiting = std::collections::BTreeSet::new();
            for (step, local) in steps {
                let who = task(local);
                let done = match step {
                    0 => { let _ = table.join("g", who); vec![] }
                    1 => {
                        waiting.remove(&local);
                        table.forget(who).into_iter().flat_map(|(_, end)| requests(end)).collect()
                    }
                    2 => match table.leave("g", who) {
                        Ok((_, end)) => {
                            end.map_or_else(Vec::new, requests)
                        }
                        Err(_) => vec![],
                    },
                    _ => match table.barrier("g", who, 0, local) {
                        Ok(done) => { waiting.insert(local); done }
                        Err(_) => vec![],
                    },
                };
                for local in done {
                    prop_assert!(waiting.remove(&local), "{local} answered but not waiting");
                }
                let members = table.members("g").map_or(0, |m| m.len());
                prop_assert!(waiting.is_empty() || waiting.len() < members);
            }
        }
    }

    fn requests(end: BarrierEnd<u32>) -> Vec<u32> {
        match end {
            BarrierEnd::Passed(waiting) | BarrierEnd::Broken { waiting, .. } => waiting,
        }
    }
}
