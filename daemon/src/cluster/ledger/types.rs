//! The types of our consensus, with openraft's parameters filled in.

use crate::cluster::registry::{Batch, HostId, Outcome};
use openraft::{EmptyNode, TokioRuntime};
use serde::{Deserialize, Serialize};
use std::io::Cursor;

openraft::declare_raft_types!(
    /// What openraft is told of our ledger: entries are batches of commands.
    pub(super) Types:
        D = Batch,
        R = Vec<Outcome>,
        NodeId = u64,
        Node = EmptyNode,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = TokioRuntime,
);

pub(super) type Raft = openraft::Raft<Types>;
pub(super) type Entry = openraft::Entry<Types>;
pub(super) type LogId = openraft::LogId<u64>;
pub(super) type Vote = openraft::Vote<u64>;
pub(super) type Membership = openraft::Membership<u64, EmptyNode>;
pub(super) type StoredMembership = openraft::StoredMembership<u64, EmptyNode>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<u64, EmptyNode>;
pub(super) type StorageError = openraft::StorageError<u64>;

/// Which history a ledger is: it begins with a founding, or with a take-over. Ledgers of different
/// histories do not talk to each other, whatever their hosts are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Who began it.
    pub daemon: u128,
    /// The last entry before it.
    pub since: u64,
}

/// The host with this number; none that exists for a number that is none.
pub(super) fn host(node: u64) -> HostId {
    HostId::from_node(node).unwrap_or(HostId::new(0, 0))
}
