//! The log, in memory: a daemon that starts again is another one, with an empty log.

use super::types::{Entry, LogId, StorageError, Types, Vote};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use pvm::limits::LEDGER_MESSAGE_BYTES_MAX;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Stored {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
}

/// The log and the vote of one node; clones are the same log.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    stored: Arc<Mutex<Stored>>,
}

impl Log {
    /// The log with which the last host goes on alone: what has come after `applied`, without the
    /// memberships, so that the vote of this node alone is enough.
    pub(super) fn inherit(&self, applied: LogId, vote: Vote) -> Log {
        let mut heir = Stored {
            vote: Some(vote),
            purged: Some(applied),
            ..Stored::default()
        };
        for (_, entry) in self.lock().entries.range(applied.index + 1..) {
            let mut entry = entry.clone();
            if let EntryPayload::Membership(_) = entry.payload {
                entry.payload = EntryPayload::Blank;
            }
            heir.insert(entry);
        }
        Log {
            stored: Arc::new(Mutex::new(heir)),
        }
    }

    /// This log, for a node that has meanwhile been told what is decided up to `applied`: what the leader
    /// believes to be here is here still, but for what was decided otherwise.
    pub(super) fn resume(&self, applied: Option<LogId>) -> Log {
        let old = self.lock();
        let mut resumed = Stored {
            vote: old.vote,
            purged: applied,
            ..Stored::default()
        };
        let first = applied.map_or(0, |applied| applied.index + 1);
        let here = applied.and_then(|applied| old.entries.get(&applied.index));
        if here.map(|entry| entry.log_id).or(old.purged) == applied {
            let rest = old.entries.range(first..);
            rest.for_each(|(_, entry)| resumed.insert(entry.clone()));
        }
        Log {
            stored: Arc::new(Mutex::new(resumed)),
        }
    }

    /// About how many bytes the entries take.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The last entry after which the entries take no more than so many bytes.
    pub(super) fn index_before(&self, bytes: usize) -> Option<u64> {
        let stored = self.lock();
        let mut sum = 0;
        let mut newest = stored.entries.iter().rev();
        let older = newest.find(|(_, entry)| {
            sum += weight(entry);
            sum > bytes
        });
        older.map(|(index, _)| *index)
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    fn insert(&mut self, entry: Entry) {
        self.bytes += weight(&entry);
        self.entries.insert(entry.log_id.index, entry);
    }

    fn recount(&mut self) {
        self.bytes = self.entries.values().map(weight).sum();
    }
}

pub(super) fn weight(entry: &Entry) -> usize {
    let payload = match &entry.payload {
        EntryPayload::Blank => 0,
        EntryPayload::Normal(batch) => batch.weight(),
        EntryPayload::Membership(membership) => membership.nodes().count() * size_of::<u64>() * 2,
    };
    payload + size_of::<Entry>()
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let stored = self.lock();
        Ok(stored
            .entries
            .range(range)
            .map(|(_, e)| e.clone())
            .collect())
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in self.lock().entries.range(start..end).map(|(_, e)| e) {
            bytes += weight(entry);
            if bytes > LEDGER_MESSAGE_BYTES_MAX && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let stored = self.lock();
        let last = stored.entries.last_key_value().map(|(_, e)| e.log_id);
        Ok(LogState {
            last_purged_log_id: stored.purged,
            last_log_id: last.or(stored.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.lock().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.lock().vote)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        {
            let mut stored = self.lock();
            for entry in entries {
                stored.insert(entry);
            }
        }
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId) -> Result<(), StorageError> {
        let mut stored = self.lock();
        stored.entries.split_off(&from.index);
        stored.recount();
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let mut stored = self.lock();
        stored.entries = stored.entries.split_off(&(upto.index + 1));
        stored.purged = Some(upto);
        stored.recount();
        Ok(())
    }
}
