//! The store as the state machine of the consensus.

use super::store::{State, Store};
use super::types::{Entry, LogId, SnapshotMeta, StorageError, StoredMembership, Types};
use crate::cluster::registry::Outcome;
use openraft::storage::RaftStateMachine;
use openraft::{AnyError, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError};
use pvm::wire::value;
use std::io::Cursor;
use std::sync::{Arc, MutexGuard};

fn snapshot((meta, bytes): &(SnapshotMeta, Arc<Vec<u8>>)) -> Snapshot<Types> {
    Snapshot {
        meta: meta.clone(),
        snapshot: Box::new(Cursor::new(bytes.as_ref().clone())),
    }
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
    /// As long as nobody else has been given a later reign.
    pub(super) fn new(store: Arc<Store>, reign: u64) -> Self {
        Machine { store, reign }
    }

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
        let mut state = self.state()?;
        let kept = state.keep_snapshot().map_err(MachineError::Value)?;
        Ok(snapshot(kept))
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
        let mut state = self.state()?;
        let version = state.version;
        let entries = entries.into_iter();
        let answers = entries.map(|entry| state.apply(entry)).collect();
        let changed = state.version != version;
        self.store.applied_more(state, changed);
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
        let mut state = self.state()?;
        let bytes = state.install(meta, bytes).map_err(MachineError::Value)?;
        state.snapshot = Some((meta.clone(), bytes));
        self.store.applied_more(state, true);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let state = self.state()?;
        Ok(state.snapshot.as_ref().map(snapshot))
    }
}
