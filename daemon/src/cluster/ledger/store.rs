//! The registry with where it is in the log, and the source of news.
//!
//! News are sent while the registry is locked, so they are in its order, and what is read after a
//! piece of news has come is at least as new.

use super::machine::Machine;
use super::message::Feed;
use super::recent::Recent;
use super::types::{Entry, LogId, Membership, SnapshotMeta, StoredMembership, host};
use crate::cluster::registry::{Event, HostId, HostRecord, Outcome, Registry};
use openraft::EntryPayload;
use pvm::wire::value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

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

/// From where the entries come that are applied here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feeder {
    /// From the host above in the tree.
    Tree,
    /// From the consensus that runs here.
    Consensus,
}

#[derive(Debug)]
pub(super) struct State {
    feeder: Feeder,
    recent: Recent,
    /// The registry as bytes, as long as nothing has changed: many hosts ask for it at once.
    whole: Option<Arc<Vec<u8>>>,
    /// Counts changes of the hosts and of the members of the consensus.
    pub(super) version: u64,
    registry: Registry,
    pub(super) applied: Option<LogId>,
    pub(super) membership: StoredMembership,
    pub(super) snapshot: Option<(SnapshotMeta, Arc<Vec<u8>>)>,
    snapshots: u64,
    pub(super) reign: u64,
    expelled: bool,
    news: mpsc::UnboundedSender<News>,
}

/// The registry and where it is in the log; outlives a change of history.
#[derive(Debug)]
pub(super) struct Store {
    state: Mutex<State>,
    /// Rung when hosts come or go, and when the members of the consensus have changed.
    pub(super) hosts_changed: Notify,
    /// The entry after the last one that was applied.
    next: watch::Sender<u64>,
}

impl Store {
    /// Keeps so many entries for others.
    pub(super) fn new(keep: u64, news: mpsc::UnboundedSender<News>) -> Arc<Self> {
        let state = State {
            feeder: Feeder::Tree,
            recent: Recent::new(keep),
            whole: None,
            version: 0,
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
            next: watch::Sender::new(0),
        })
    }

    /// The state machine to give to a new consensus; one that was given before has no effect any
    /// longer.
    pub(super) fn machine(self: &Arc<Self>) -> Machine {
        let mut state = self.lock();
        state.reign += 1;
        Machine::new(self.clone(), state.reign)
    }

    /// Makes this node the only voter of what has been applied, in a history of its own.
    pub(super) fn inherit(self: &Arc<Self>, membership: Membership) -> Machine {
        {
            let mut state = self.lock();
            state.membership = StoredMembership::new(state.applied, membership);
            state.version += 1;
        }
        self.adopt().0
    }

    /// For a new consensus that goes on from what has been applied, up to this entry.
    pub(super) fn adopt(self: &Arc<Self>) -> (Machine, Option<LogId>) {
        let applied = {
            let mut state = self.lock();
            state.feeder = Feeder::Consensus;
            state.snapshot = None;
            state.applied
        };
        (self.machine(), applied)
    }

    /// Entries are the consensus' from now on, the one that was given its state machine first.
    pub(super) fn begin(&self) {
        self.lock().feeder = Feeder::Consensus;
    }

    /// Entries are the tree's from now on. A consensus that may still be about to apply some has no
    /// effect any longer: none is applied twice.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.feeder, Feeder::Tree) == Feeder::Consensus {
            state.reign += 1;
        }
    }

    /// From where entries are taken now.
    pub(super) fn feeder(&self) -> Feeder {
        self.lock().feeder
    }

    /// What has come from the host above. It has no effect when a consensus feeds this node by now.
    ///
    /// # Errors
    /// When something is missing before it, or it makes no sense.
    pub(super) fn take(&self, feed: Feed) -> Result<(), BadFeed> {
        let mut state = self.lock();
        let version = state.version;
        let taken = match state.feeder {
            Feeder::Consensus => Ok(()),
            Feeder::Tree => match feed {
                Feed::Nothing => Ok(()),
                Feed::Entries(entries) => state.take_entries(entries),
                Feed::Snapshot { meta, bytes } if meta.last_log_id > state.applied => {
                    let installed = state.install(&meta, bytes);
                    installed.map(drop).map_err(BadFeed::from)
                }
                // It is older than what is here.
                Feed::Snapshot { .. } => Ok(()),
            },
        };
        // What came before a gap has been applied.
        let changed = state.version != version;
        self.applied_more(state, changed);
        taken
    }

    /// What is new after this entry, as soon as something is; nothing when it takes longer than that.
    ///
    /// # Errors
    /// When the registry has no bytes.
    pub(super) async fn feed(
        &self,
        after: Option<u64>,
        hold: Duration,
    ) -> Result<Feed, value::ValueError> {
        let wanted = after.map_or(0, |after| after.saturating_add(1));
        let mut next = self.next.subscribe();
        // This store outlives the wait.
        let _ = timeout(hold, next.wait_for(|next| *next > wanted)).await;
        let mut state = self.lock();
        if *next.borrow() <= wanted {
            return Ok(Feed::Nothing);
        }
        match state.recent.from(wanted) {
            Some(entries) => Ok(Feed::Entries(entries)),
            None => Ok(Feed::Snapshot {
                bytes: state.whole()?.as_ref().clone(),
                meta: state.meta(String::new()),
            }),
        }
    }

    /// The members of the consensus, as far as is decided, the hosts that live, and how often either
    /// has changed.
    pub(super) fn everybody(&self) -> (BTreeSet<HostId>, BTreeSet<HostId>, u64) {
        let state = self.lock();
        let nodes = state.membership.membership().nodes();
        let living = state.registry.hosts().living();
        let living = living.map(|HostRecord { id, .. }| *id);
        (
            nodes.map(|(node, _)| host(*node)).collect(),
            living.collect(),
            state.version,
        )
    }

    /// How often the hosts or the members of the consensus have changed.
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }

    /// The members of the consensus, as far as is decided, with the entry that decided it.
    pub(super) fn membership(&self) -> StoredMembership {
        self.lock().membership.clone()
    }

    /// Tells whoever waits for entries, and for hosts.
    pub(super) fn applied_more(&self, state: MutexGuard<'_, State>, hosts_changed: bool) {
        let next = state.applied.map_or(0, |applied| applied.index + 1);
        drop(state);
        self.next
            .send_if_modified(|now| std::mem::replace(now, next) != next);
        if hosts_changed {
            self.hosts_changed.notify_one();
        }
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

    /// Whether the others regard this host as lost.
    pub(super) fn is_expelled(&self) -> bool {
        self.lock().expelled
    }

    /// The others regard this host as lost; that is told once.
    pub(super) fn expel(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.expelled, true) {
            let _ = state.news.send(News::Expelled);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn apply(&mut self, entry: Entry) -> Vec<Outcome> {
        let index = entry.log_id.index;
        self.applied = Some(entry.log_id);
        self.recent.push(entry.clone());
        self.whole = None;
        let batch = match entry.payload {
            EntryPayload::Blank => return Vec::new(),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                self.version += 1;
                return Vec::new();
            }
            EntryPayload::Normal(batch) => batch,
        };
        let (outcomes, events) = self.registry.apply_batch(&batch);
        if events.iter().any(is_about_hosts) {
            self.version += 1;
        }
        for event in events {
            let _ = self.news.send(News::Event { index, event });
        }
        outcomes
    }

    fn take_entries(&mut self, entries: Vec<Entry>) -> Result<(), BadFeed> {
        for entry in entries {
            let next = self.applied.map_or(0, |applied| applied.index + 1);
            match entry.log_id.index {
                index if index < next => {}
                index if index > next => return Err(BadFeed::Gap { next, index }),
                _ => drop(self.apply(entry)),
            }
        }
        Ok(())
    }

    /// Replaces all that was known.
    pub(super) fn install(
        &mut self,
        meta: &SnapshotMeta,
        bytes: Vec<u8>,
    ) -> Result<Arc<Vec<u8>>, value::ValueError> {
        let registry: Registry = value::decode(&bytes)?;
        self.registry = registry.clone();
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.recent.clear();
        self.version += 1;
        let _ = self.news.send(News::Reset {
            index: meta.last_log_id.map_or(0, |id| id.index),
            registry: Box::new(registry),
        });
        Ok(self.whole.insert(Arc::new(bytes)).clone())
    }

    /// The registry as bytes.
    fn whole(&mut self) -> Result<Arc<Vec<u8>>, value::ValueError> {
        let bytes = match self.whole.take() {
            Some(bytes) => bytes,
            None => Arc::new(value::encode(&self.registry)?),
        };
        Ok(self.whole.insert(bytes).clone())
    }

    fn meta(&self, snapshot_id: String) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id,
        }
    }

    /// A snapshot for the consensus, which is kept.
    pub(super) fn keep_snapshot(
        &mut self,
    ) -> Result<&(SnapshotMeta, Arc<Vec<u8>>), value::ValueError> {
        let bytes = self.whole()?;
        self.snapshots += 1;
        let meta = self.meta(format!("{}-{}", self.reign, self.snapshots));
        Ok(self.snapshot.insert((meta, bytes)))
    }
}

fn is_about_hosts(event: &Event) -> bool {
    matches!(
        event,
        Event::HostAdded(_) | Event::HostLost { .. } | Event::HostLeft(_)
    )
}

/// Why what has come from above is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadFeed {
    #[error("entry {next} is missing before entry {index}")]
    Gap { next: u64, index: u64 },
    #[error("the registry is damaged: {0}")]
    Value(#[from] value::ValueError),
}
