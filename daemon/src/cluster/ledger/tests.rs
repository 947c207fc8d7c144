mod lonely;

use super::log::Log;
use super::machine::Machine;
use super::store::Store;
use super::types::{Entry, LogId, Membership, StorageError, Types, Vote};
use crate::cluster::registry::{Batch, Command, HostId};
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::testing::{StoreBuilder, Suite, blank_ent};
use openraft::{EmptyNode, EntryPayload, LogState, RaftLogReader};
use tokio::sync::mpsc;

struct Builder;

impl StoreBuilder<Types, Log, Machine> for Builder {
    async fn build(&self) -> Result<((), Log, Machine), StorageError> {
        let (news, _) = mpsc::unbounded_channel();
        Ok(((), Log::default(), {
            let store = Store::new(100, news);
            store.begin();
            store.machine()
        }))
    }
}

#[test]
fn openraft_finds_its_storage_in_order() {
    Suite::test_all(Builder).unwrap();
}

pub(super) fn normal(index: u64, bytes: usize) -> Entry {
    let command = Command::DropOrphans {
        name: Some("n".repeat(bytes)),
    };
    let batch = Batch {
        from: HostId::new(1, 1),
        number: index,
        commands: vec![command],
    };
    let mut entry = blank_ent::<Types>(1, 1, index);
    entry.payload = EntryPayload::Normal(batch);
    entry
}

fn membership(index: u64) -> Entry {
    let mut entry = blank_ent::<Types>(1, 1, index);
    let nodes = [1, 2].map(|id: u64| (id, EmptyNode {}));
    entry.payload =
        EntryPayload::Membership(Membership::from(std::collections::BTreeMap::from(nodes)));
    entry
}

async fn log_of(entries: Vec<Entry>) -> Log {
    let mut log = Log::default();
    log.blocking_append(entries).await.unwrap();
    log
}

#[tokio::test]
async fn an_heir_has_all_commands_and_no_memberships() {
    let applied: LogId = blank_ent::<Types>(1, 1, 1).log_id;
    let entries = vec![normal(1, 1), normal(2, 2), membership(3), normal(4, 4)];
    let mut heir = log_of(entries).await.inherit(applied, Vote::new(3, 2));
    let state: LogState<Types> = heir.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(applied));
    assert_eq!(state.last_log_id.map(|id| id.index), Some(4));
    assert_eq!(heir.read_vote().await.unwrap(), Some(Vote::new(3, 2)));
    let left = heir.try_get_log_entries(..).await.unwrap();
    let blank = blank_ent::<Types>(1, 1, 3);
    assert_eq!(left, [normal(2, 2), blank, normal(4, 4)]);
}

#[tokio::test]
async fn a_log_that_is_resumed_forgets_only_what_was_decided_otherwise() {
    let entries = (1..=5).map(|index| normal(index, 1)).collect();
    let mut log = log_of(entries).await;
    log.save_vote(&Vote::new(3, 2)).await.unwrap();
    let id = |term, index| blank_ent::<Types>(term, 1, index).log_id;
    for (applied, left) in [
        (Some(id(1, 3)), vec![normal(4, 1), normal(5, 1)]),
        (Some(id(2, 3)), vec![]),
        (Some(id(1, 5)), vec![]),
        (Some(id(1, 9)), vec![]),
        (None, (1..=5).map(|index| normal(index, 1)).collect()),
    ] {
        let mut resumed = log.resume(applied);
        let state: LogState<Types> = resumed.get_log_state().await.unwrap();
        assert_eq!(state.last_purged_log_id, applied);
        assert_eq!(resumed.read_vote().await.unwrap(), Some(Vote::new(3, 2)));
        assert_eq!(resumed.try_get_log_entries(..).await.unwrap(), left);
    }
    log.purge(id(1, 2)).await.unwrap();
    let mut resumed = log.resume(Some(id(1, 2)));
    assert_eq!(resumed.try_get_log_entries(..).await.unwrap().len(), 3);
}

#[tokio::test]
async fn bytes_are_counted() {
    let mut log = log_of((1..=5).map(|index| normal(index, 10_000)).collect()).await;
    assert!((50_000..60_000).contains(&log.bytes()));
    assert_eq!(log.index_before(25_000), Some(3));
    assert_eq!(log.index_before(100_000), None);
    log.purge(normal(3, 0).log_id).await.unwrap();
    assert!((20_000..25_000).contains(&log.bytes()));
    log.truncate(normal(5, 0).log_id).await.unwrap();
    assert!((10_000..12_000).contains(&log.bytes()));
}

#[tokio::test]
async fn a_message_is_not_larger_than_allowed() {
    let large = pvm::limits::LEDGER_MESSAGE_BYTES_MAX / 2 + 1;
    let mut log = log_of((1..=3).map(|index| normal(index, large)).collect()).await;
    assert_eq!(log.limited_get_log_entries(1, 4).await.unwrap().len(), 1);
    assert_eq!(log.limited_get_log_entries(3, 4).await.unwrap().len(), 1);
}
