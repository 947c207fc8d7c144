//! Who wants to be told of which task's end.

use pvm::ids::TaskId;
use std::collections::{BTreeMap, BTreeSet};

/// The token of the transport, which only stops talking with a task that has ended.
pub const TRANSPORT_TOKEN: u64 = u64::MAX;

/// Subscriptions of watchers (`W` names a connection). A token is told of a task at most once.
pub struct Watches<W> {
    by_task: BTreeMap<TaskId, BTreeSet<(W, u64)>>,
}

impl<W: Ord + Copy> Default for Watches<W> {
    fn default() -> Self {
        Watches {
            by_task: BTreeMap::new(),
        }
    }
}

impl<W: Ord + Copy> Watches<W> {
    /// Subscribes `watcher` to the end of a living task.
    pub fn add(&mut self, watcher: W, token: u64, task: TaskId) {
        self.by_task
            .entry(task)
            .or_default()
            .insert((watcher, token));
    }

    /// Forgets one token of a watcher.
    pub fn cancel(&mut self, watcher: W, token: u64) {
        self.retain(|&(who, what)| who != watcher || what != token);
    }

    /// Forgets a watcher that has gone.
    pub fn forget(&mut self, watcher: W) {
        self.by_task.retain(|_, watchers| {
            while let Some(&first) = watchers.range((watcher, 0)..=(watcher, u64::MAX)).next() {
                watchers.remove(&first);
            }
            !watchers.is_empty()
        });
    }

    /// The tasks with whose end a watcher deals.
    pub fn watched_by(&self, watcher: W) -> impl Iterator<Item = TaskId> {
        let own = (watcher, 0)..(watcher, TRANSPORT_TOKEN);
        let each = self.by_task.iter();
        each.filter(move |(_, watchers)| watchers.range(own.clone()).next().is_some())
            .map(|(task, _)| *task)
    }

    /// Whether anybody would be told of the task's end.
    pub fn has_watchers(&self, task: TaskId) -> bool {
        self.by_task.contains_key(&task)
    }

    /// Whether anybody would be told of the task's end who deals with it: not only the transport.
    pub fn is_watched(&self, task: TaskId) -> bool {
        let watchers = self.by_task.get(&task).into_iter().flatten();
        watchers
            .into_iter()
            .any(|(_, token)| *token != TRANSPORT_TOKEN)
    }

    /// The tasks that are watched.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.by_task.keys().copied()
    }

    /// The task has ended: takes its subscriptions, the tokens of each watcher together.
    pub fn take(&mut self, task: TaskId) -> BTreeMap<W, Vec<u64>> {
        let mut told: BTreeMap<W, Vec<u64>> = BTreeMap::new();
        for (watcher, token) in self.by_task.remove(&task).unwrap_or_default() {
            told.entry(watcher).or_default().push(token);
        }
        told
    }

    fn retain(&mut self, keep: impl Fn(&(W, u64)) -> bool) {
        self.by_task.retain(|_, watchers| {
            watchers.retain(&keep);
            !watchers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(local: u32) -> TaskId {
        TaskId::new(1, 1, local).unwrap()
    }

    #[test]
    fn every_token_is_told_once() {
        let mut watches = Watches::default();
        for (watcher, token) in [(1, 10), (1, 11), (2, 10), (1, 10)] {
            watches.add(watcher, token, task(5));
        }
        let told = watches.take(task(5));
        assert_eq!(told[&1], [10, 11]);
        assert_eq!(told[&2], [10]);
        assert!(watches.take(task(5)).is_empty());
    }

    #[test]
    fn cancelled_tokens_and_gone_watchers_are_not_told() {
        let mut watches = Watches::default();
        watches.add(1, 10, task(5));
        watches.add(1, 11, task(5));
        watches.add(2, 10, task(5));
        watches.cancel(1, 10);
        watches.forget(2);
        assert_eq!(watches.take(task(5)), BTreeMap::from([(1, vec![11])]));
        assert!(!watches.is_watched(task(5)));
    }

    #[test]
    fn the_transport_deals_with_no_end() {
        let mut watches = Watches::default();
        watches.add(1, TRANSPORT_TOKEN, task(5));
        assert!(watches.has_watchers(task(5)) && !watches.is_watched(task(5)));
        assert_eq!(watches.watched_by(1).count(), 0);
        watches.add(2, 3, task(5));
        assert!(watches.is_watched(task(5)));
        assert_eq!(watches.watched_by(2).collect::<Vec<_>>(), [task(5)]);
        watches.forget(2);
        assert!(watches.has_watchers(task(5)) && !watches.is_watched(task(5)));
    }
}
