//! The registry as the state machine of the consensus, and the source of news.
//!
//! News are sent while the registry is locked, so they are in its order, and what is read after a
//! piece of news has come is at least as new.

use super::types::{Entry, LogId, Membership, SnapshotMeta, StorageError, StoredMembership, Types};
use crate::cluster::registry::{Event, Outcome, Registry};
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError,
};
use pvm::wire::value;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// What a ledger tells its daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The next event; those of one entry of the log have its index.
    Event {
        /// Of the entry.
        index: u64,
        /// What has happened.
        event: Event,
    },
    /// This host has missed events, up to this entry; the registry is now this.
    Reset {
        /// Of the last entry that is in it.
        index: u64,
        /// What is so.
        registry: Box<Registry>,
    },
    /// No leader that reaches a majority has been heard of for this time. Nothing can be put in
    /// order here; perhaps it is elsewhere.
    QuorumLost {
        /// How long.
        silent: Duration,
    },
    /// There is a leader again.
    QuorumRegained,
    /// The other one of two hosts is silent: this one goes on alone, with a history of its own. When
    /// the other is not lost already, an event that it is follows.
    TakenOver,
    /// The others regard this host as lost, or it was admitted and has never heard of them again;
    /// it must start anew.
    Expelled,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<(SnapshotMeta, Arc<Vec<u8>>)>,
    snapshots: u64,
    reign: u64,
    expelled: bool,
    news: mpsc::UnboundedSender<News>,
}

/// The registry and where it is in the log; outlives a change of history.
#[derive(Debug)]
pub(super) struct Store {
    state: Mutex<State>,
    /// Rung when hosts come or go.
    pub(super) hosts_changed: Notify,
}

impl Store {
    pub(super) fn new(news: mpsc::UnboundedSender<News>) -> Arc<Self> {
        let state = State {
            registry: Registry::default(),
            applied: None,
            membership: StoredMembership::default(),
            snapshot: None,
            snapshots: 0,
            reign: 0,
            expelled: false,
            news,
        };
        Arc::new(Store {
            state: Mutex::new(state),
            hosts_changed: Notify::new(),
        })
    }

    /// The state machine to give to a new consensus; one that was given before has no effect any
    /// longer.
    pub(super) fn machine(self: &Arc<Self>) -> Machine {
        let mut state = self.lock();
        state.reign += 1;
        Machine {
            store: self.clone(),
            reign: state.reign,
        }
    }

    /// Makes this node the only voter of what has been applied, in a history of its own.
    pub(super) fn inherit(self: &Arc<Self>, membership: Membership) -> Machine {
        {
            let mut state = self.lock();
            state.membership = StoredMembership::new(state.applied, membership);
            state.snapshot = None;
        }
        self.machine()
    }

    pub(super) fn read<T>(&self, reader: impl FnOnce(&Registry) -> T) -> T {
        reader(&self.lock().registry)
    }

    pub(super) fn applied(&self) -> Option<LogId> {
        self.lock().applied
    }

    /// Nobody may listen any longer; that is fine.
    pub(super) fn tell(&self, news: News) {
        let _ = self.lock().news.send(news);
    }

    /// The others regard this host as lost; that is told once.
    pub(super) fn expel(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.expelled, true) {
            let _ = state.news.send(News::Expelled);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, entry: Entry) -> (Vec<Outcome>, bool) {
        let index = entry.log_id.index;
        self.applied = Some(entry.log_id);
        let batch = match entry.payload {
            EntryPayload::Blank => return (Vec::new(), false),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                return (Vec::new(), false);
            }
            EntryPayload::Normal(batch) => batch,
        };
        let (outcomes, events) = self.registry.apply_batch(&batch);
        let changes_hosts = events.iter().any(is_about_hosts);
        for event in events {
            let _ = self.news.send(News::Event { index, event });
        }
        (outcomes, changes_hosts)
    }

    fn keep_snapshot(&mut self) -> Result<Snapshot<Types>, MachineError> {
        let bytes = value::encode(&self.registry)?;
        self.snapshots += 1;
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: format!("{}-{}", self.reign, self.snapshots),
        };
        let bytes = Arc::new(bytes);
        self.snapshot = Some((meta.clone(), bytes.clone()));
        Ok(snapshot(meta, &bytes))
    }
}

fn is_about_hosts(event: &Event) -> bool {
    matches!(
        event,
        Event::HostAdded(_) | Event::HostLost { .. } | Event::HostLeft(_)
    )
}

fn snapshot(meta: SnapshotMeta, bytes: &Arc<Vec<u8>>) -> Snapshot<Types> {
    let snapshot = Box::new(Cursor::new(bytes.as_ref().clone()));
    Snapshot { meta, snapshot }
}

/// Why the state machine does not do what its consensus wants; this ends that consensus.
#[derive(Debug, thiserror::Error)]
enum MachineError {
    #[error("another history goes on with this registry")]
    Superseded,
    #[error("the registry has no bytes, or the bytes are none: {0}")]
    Value(#[from] value::ValueError),
}

impl From<MachineError> for StorageError {
    fn from(error: MachineError) -> Self {
        StorageIOError::write_state_machine(AnyError::new(&error)).into()
    }
}

/// The store as one consensus sees it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    store: Arc<Store>,
    reign: u64,
}

impl Machine {
    /// The state, as long as it is this consensus that may change it.
    fn state(&self) -> Result<MutexGuard<'_, State>, MachineError> {
        let state = self.store.lock();
        match state.reign == self.reign {
            true => Ok(state),
            false => Err(MachineError::Superseded),
        }
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        Ok(self.state()?.keep_snapshot()?)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        let state = self.state()?;
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Vec<Outcome>>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        let mut hosts_changed = false;
        for entry in entries {
            let (outcomes, about_hosts) = self.state()?.apply(entry);
            answers.push(outcomes);
            hosts_changed |= about_hosts;
        }
        if hosts_changed {
            self.store.hosts_changed.notify_one();
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let bytes = snapshot.into_inner();
        let registry: Registry = value::decode(&bytes).map_err(MachineError::Value)?;
        let mut state = self.state()?;
        state.registry = registry.clone();
        state.applied = meta.last_log_id;
        state.membership = meta.last_membership.clone();
        state.snapshot = Some((meta.clone(), Arc::new(bytes)));
        let _ = state.news.send(News::Reset {
            index: meta.last_log_id.map_or(0, |id| id.index),
            registry: Box::new(registry),
        });
        drop(state);
        self.store.hosts_changed.notify_one();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let state = self.state()?;
        let kept = state.snapshot.as_ref();
        Ok(kept.map(|(meta, bytes)| snapshot(meta.clone(), bytes)))
    }
}
