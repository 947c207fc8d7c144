//! What ledgers say to each other: one request, one answer, as bytes.

use super::types::{Entry, Lineage, SnapshotMeta, StoredMembership, Types, Vote};
use crate::cluster::registry::{Batch, HostId, Outcome};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use pvm::limits::LEDGER_FRAME_MAX;
use pvm::wire::value::{self, ValueError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A request with who sends it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub lineage: Lineage,
    pub from: HostId,
    pub body: Body,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Body {
    /// To take entries from the leader, which had a majority so many milliseconds ago.
    Append {
        rpc: AppendEntriesRequest<Types>,
        quorum_age_ms: u64,
    },
    /// To vote for a leader.
    Vote(VoteRequest<u64>),
    /// To take a snapshot from the leader.
    Snapshot {
        vote: Vote,
        meta: SnapshotMeta,
        #[serde(with = "crate::cluster::registry::bytes")]
        bytes: Vec<u8>,
    },
    /// For what is new after this entry; when nothing is, to wait for it for so long.
    Follow { after: Option<u64>, hold_ms: u64 },
    /// To stand for leader at once: the one that asks leads no longer.
    Succeed,
    /// Who the members of the consensus are, as far as is decided.
    Members,
    /// Of the leader: to put commands in order.
    Propose(Batch),
    /// Of the leader: to see whether a host lives.
    Suspect { host: HostId, why: String },
    /// Whether the sender belongs.
    Standing,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Append(AppendEntriesResponse<u64>),
    Vote(VoteResponse<u64>),
    Snapshot(SnapshotResponse<u64>),
    Followed(Followed),
    Done,
    Members(StoredMembership),
    Proposed(Vec<Outcome>),
    Verdict(Verdict),
    Standing(Standing),
    Refused(NoAnswer),
}

/// What is new, and how the virtual machine is, as far as is known above.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Followed {
    pub leader: Option<HostId>,
    /// The leader had a majority so long ago.
    pub quorum_age_ms: u64,
    pub feed: Feed,
}

/// What is new. All of it is decided: a majority of the voters has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Feed {
    Nothing,
    /// What follows, without a gap.
    Entries(Vec<Entry>),
    /// All that is so, for who has missed too much.
    Snapshot {
        meta: SnapshotMeta,
        #[serde(with = "crate::cluster::registry::bytes")]
        bytes: Vec<u8>,
    },
}

/// Whether a host lives, as the leader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// It answers.
    Alive,
    /// It does not belong, perhaps since now.
    Gone,
    /// It is not known yet.
    Open,
}

/// Whether a host belongs, as another knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    /// It does.
    Member,
    /// It does no longer.
    Gone,
    /// Not known here.
    Unknown,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the request cannot be read")]
    Malformed,
    #[error("it has another history")]
    OtherLineage,
    #[error("the sender does not belong any longer")]
    Gone,
    #[error("it is not the leader")]
    NotLeader(Option<HostId>),
    #[error("it does not know in time")]
    Busy,
    #[error("its ledger has stopped")]
    Stopped,
}

pub(super) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ValueError> {
    let bytes = value::encode(message)?;
    if bytes.len() > LEDGER_FRAME_MAX {
        return Err(ValueError::TooLarge);
    }
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    if bytes.len() > LEDGER_FRAME_MAX {
        return Err(ValueError::TooLarge);
    }
    value::decode(bytes)
}

/// An answer is always possible: that there is none is short.
pub(super) fn encode_answer(answer: &Answer) -> Vec<u8> {
    encode(answer)
        .or_else(|_| encode(&Answer::Refused(NoAnswer::Busy)))
        .unwrap_or_default()
}
