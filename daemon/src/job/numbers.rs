//! Giving out task numbers.

use pvm::ids::{LOCAL_MAX, TaskId};

/// The counter of task ids of one host. A number is used again only after the counter has gone
/// round, so an old id names a new task as late as possible.
pub struct Numbers {
    host: u16,
    incarnation: u16,
    last: u32,
}

impl Numbers {
    /// Starts at 1.
    pub fn new(host: u16, incarnation: u16) -> Self {
        Numbers {
            host,
            incarnation,
            last: 0,
        }
    }

    /// The next id for which `is_used` says no; `None` when all are used.
    pub fn next(&mut self, is_used: impl Fn(TaskId) -> bool) -> Option<TaskId> {
        for _ in 0..LOCAL_MAX {
            self.last = self.last % LOCAL_MAX + 1;
            let id = TaskId::new(self.host, self.incarnation, self.last)?;
            if !is_used(id) {
                return Some(id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_skip_the_living() {
        let mut numbers = Numbers::new(1, 1);
        assert_eq!(numbers.next(|_| false).unwrap().local(), 1);
        numbers.last = LOCAL_MAX - 1;
        assert_eq!(numbers.next(|_| false).unwrap().local(), LOCAL_MAX);
        assert_eq!(numbers.next(|id| id.local() < 3).unwrap().local(), 3);
    }

    #[test]
    fn when_all_live_there_is_none() {
        assert_eq!(Numbers::new(1, 1).next(|_| true), None);
    }
}
