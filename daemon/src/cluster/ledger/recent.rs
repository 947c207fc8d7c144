//! The entries applied last, for the hosts that ask for them.

use super::log::weight;
use super::types::Entry;
use pvm::limits::{LEDGER_MESSAGE_BYTES_MAX, LEDGER_RECENT_BYTES_MAX};
use std::collections::VecDeque;

// All of them fit into one message.
const _: () = assert!(LEDGER_RECENT_BYTES_MAX <= LEDGER_MESSAGE_BYTES_MAX);

/// Entries without a gap up to the last one that was applied.
#[derive(Debug)]
pub(super) struct Recent {
    entries: VecDeque<Entry>,
    bytes: usize,
    most: usize,
}

impl Recent {
    /// Keeps so many.
    pub(super) fn new(most: u64) -> Self {
        Recent {
            entries: VecDeque::new(),
            bytes: 0,
            most: usize::try_from(most).unwrap_or(usize::MAX),
        }
    }

    /// Adds the next one; the oldest go.
    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > self.most || self.bytes > LEDGER_RECENT_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= weight(&oldest);
        }
    }

    /// Forgets all: what comes next does not follow.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// All from this one on; `None` when it is not kept.
    pub(super) fn from(&self, next: u64) -> Option<Vec<Entry>> {
        let first = self.entries.front()?.log_id.index;
        let skip = usize::try_from(next.checked_sub(first)?).ok()?;
        let entries: Vec<_> = self.entries.iter().skip(skip).cloned().collect();
        (!entries.is_empty()).then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::normal;
    use super::*;

    fn indices(recent: &Recent, next: u64) -> Option<Vec<u64>> {
        let entries = recent.from(next)?;
        Some(entries.iter().map(|entry| entry.log_id.index).collect())
    }

    #[test]
    fn the_oldest_go() {
        let mut recent = Recent::new(3);
        assert_eq!(indices(&recent, 0), None);
        for index in 0..5 {
            recent.push(normal(index, 10));
        }
        assert_eq!(indices(&recent, 1), None);
        assert_eq!(indices(&recent, 2), Some(vec![2, 3, 4]));
        assert_eq!(indices(&recent, 4), Some(vec![4]));
        assert_eq!(indices(&recent, 5), None);
        recent.clear();
        assert_eq!(indices(&recent, 4), None);
    }

    #[test]
    fn large_ones_are_few() {
        let mut recent = Recent::new(100);
        for index in 0..10 {
            recent.push(normal(index, LEDGER_RECENT_BYTES_MAX / 3));
        }
        assert_eq!(indices(&recent, 8), Some(vec![8, 9]));
        assert_eq!(indices(&recent, 7), None);
        // One that is larger than all that is kept is not kept: who asks is told all that is so.
        recent.push(normal(10, LEDGER_RECENT_BYTES_MAX));
        assert_eq!((indices(&recent, 10), recent.bytes), (None, 0));
    }
}
