//! Requests of other ledgers.

use super::message::{self, Answer, Body, NoAnswer, Request, Standing};
use super::node::{Node, NotWritten};
use super::types::Types;
use super::{follow, keeper};
use crate::cluster::registry::{Batch, HostId};
use openraft::Snapshot;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use pvm::limits::{
    LEDGER_BATCH_BYTES_MAX, LEDGER_BATCH_MAX, LEDGER_COMMAND_MAX, LEDGER_HOLD_MS, REASON_MAX,
};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest that the leader works on a proposal before it says that it is busy. Shorter than the
/// patience of who asks.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// The answer to a request, as bytes.
pub(super) async fn handle(node: &Arc<Node>, request: &[u8]) -> Vec<u8> {
    let answer = match message::decode::<Request>(request) {
        Ok(request) => answer(node, request).await,
        Err(_) => Err(NoAnswer::Malformed),
    };
    message::encode_answer(&answer.unwrap_or_else(Answer::Refused))
}

async fn answer(node: &Arc<Node>, request: Request) -> Result<Answer, NoAnswer> {
    if request.lineage != node.links.lineage() {
        return Err(NoAnswer::OtherLineage);
    }
    match request.body {
        Body::Append { rpc, quorum_age_ms } => append(node, rpc, quorum_age_ms).await,
        Body::Vote(_) if is_gone(node, request.from) => Err(NoAnswer::Gone),
        Body::Vote(rpc) => {
            let voted = node.raft_at_rest().await.vote(rpc).await;
            voted.map(Answer::Vote).map_err(|_| NoAnswer::Stopped)
        }
        Body::Snapshot { vote, meta, bytes } => {
            let raft = node.join_consensus().await;
            let raft = raft.map_err(|_| NoAnswer::Stopped)?;
            let snapshot = Box::new(Cursor::new(bytes));
            let snapshot = Snapshot { meta, snapshot };
            let installed = raft.install_full_snapshot(vote, snapshot).await;
            installed
                .map(Answer::Snapshot)
                .map_err(|_| NoAnswer::Stopped)
        }
        Body::Follow { .. } if is_gone(node, request.from) => Err(NoAnswer::Gone),
        Body::Follow { after, hold_ms } => {
            node.links.note_asked(request.from);
            let hold = Duration::from_millis(hold_ms.min(LEDGER_HOLD_MS));
            follow::serve(node, after, hold).await
        }
        Body::Succeed => succeed(node, request.from).await,
        Body::Members => Ok(Answer::Members(node.store.membership())),
        Body::Propose(batch) => propose(node, batch).await,
        Body::Suspect { .. } if is_gone(node, request.from) => Err(NoAnswer::Gone),
        Body::Suspect { host, why } if why.len() <= REASON_MAX => {
            if !node.is_leader() {
                return Err(NoAnswer::NotLeader(node.leader()));
            }
            Ok(Answer::Verdict(keeper::judge(node, host, &why).await))
        }
        Body::Suspect { .. } => Err(NoAnswer::Malformed),
        Body::Standing => Ok(Answer::Standing(standing(node, request.from))),
    }
}

async fn append(
    node: &Node,
    rpc: AppendEntriesRequest<Types>,
    quorum_age_ms: u64,
) -> Result<Answer, NoAnswer> {
    let raft = node.join_consensus().await;
    let raft = raft.map_err(|_| NoAnswer::Stopped)?;
    let appended = raft.append_entries(rpc).await;
    let response = appended.map_err(|_| NoAnswer::Stopped)?;
    if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
        node.links.note_quorum(Duration::from_millis(quorum_age_ms));
    }
    Ok(Answer::Append(response))
}

/// Nobody else has to wait until it notices that there is no leader. The others still may.
async fn succeed(node: &Node, former: HostId) -> Result<Answer, NoAnswer> {
    if node.leader() != Some(former) {
        return Err(NoAnswer::NotLeader(node.leader()));
    }
    let elected = node.raft_at_rest().await.trigger().elect().await;
    elected
        .map(|()| Answer::Done)
        .map_err(|_| NoAnswer::Stopped)
}

async fn propose(node: &Node, batch: Batch) -> Result<Answer, NoAnswer> {
    let most = LEDGER_BATCH_BYTES_MAX + LEDGER_COMMAND_MAX + size_of::<Batch>();
    if batch.commands.len() > LEDGER_BATCH_MAX || batch.weight() > most {
        return Err(NoAnswer::Malformed);
    }
    match timeout(PATIENCE, node.write(batch)).await {
        Ok(Ok(outcomes)) => Ok(Answer::Proposed(outcomes)),
        Ok(Err(NotWritten::NotLeader(leader))) => Err(NoAnswer::NotLeader(leader)),
        Ok(Err(NotWritten::Stopped)) => Err(NoAnswer::Stopped),
        Err(_) => Err(NoAnswer::Busy),
    }
}

/// A host that is gone for certain must not disturb with elections. Its entries are taken as long
/// as it leads: a host that leaves leads until another can.
fn is_gone(node: &Node, host: HostId) -> bool {
    node.store.read(|registry| registry.hosts().is_gone(host))
}

fn standing(node: &Node, host: HostId) -> Standing {
    node.store.read(|registry| {
        if registry.hosts().is_living(host) {
            Standing::Member
        } else if registry.hosts().is_gone(host) {
            Standing::Gone
        } else {
            Standing::Unknown
        }
    })
}
