//! What the leader does: it keeps as many voters as there should be, has nobody else in the consensus but
//! those that are about to vote, and keeps the log small. See [`super::voters`].

use super::keeper;
use super::node::{Node, index};
use super::types::host;
use super::voters::{Step, View, next_step};
use openraft::{ChangeMembers, EmptyNode, ServerState};
use pvm::limits::LEDGER_LOG_BYTES_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Between two looks, when no host comes or goes.
const LOOK: Duration = Duration::from_millis(250);
/// Longest that one change of members is waited for.
const CHANGE: Duration = Duration::from_secs(3);
/// Entries that a node may be behind and still become a voter.
const LAG: u64 = 64;

/// Looks after the members, until the ledger stops.
pub(super) async fn run(node: Arc<Node>) {
    let mut former = None;
    loop {
        let _ = timeout(LOOK, node.store.hosts_changed.notified()).await;
        keep_log_small(&node).await;
        let leader = node.leader();
        if node.is_leader() {
            // A new leader has the old one looked for.
            if let Some(former) = former.filter(|former| *former != node.me()) {
                keeper::look_for(&node, former, "another leads in its place");
            }
            former = leader;
            while let Some(step) = next_step(&view(&node)) {
                if !change(&node, step).await {
                    break;
                }
            }
        } else {
            former = leader.or(former);
        }
    }
}

/// Takes a step; says whether it is done, so that the next can follow.
async fn change(node: &Node, step: Step) -> bool {
    let raft = node.raft();
    let changes = match step {
        Step::Add(nodes) => ChangeMembers::AddNodes(empty(nodes)),
        Step::Vote(voters) => ChangeMembers::ReplaceAllVoters(voters),
        Step::Remove(nodes) => ChangeMembers::RemoveNodes(nodes),
    };
    // Former voters stay as learners, so that they hear of it; the next step removes them.
    let changed = timeout(CHANGE, raft.change_membership(changes, true)).await;
    matches!(changed, Ok(Ok(_)))
}

fn empty(nodes: BTreeSet<u64>) -> BTreeMap<u64, EmptyNode> {
    nodes.into_iter().map(|id| (id, EmptyNode {})).collect()
}

fn view(node: &Node) -> View {
    let metrics = node.metrics();
    if metrics.state != ServerState::Leader {
        return View::default();
    }
    let membership = metrics.membership_config.membership();
    let configs = membership.get_joint_config();
    let last = metrics.last_log_index.unwrap_or(0);
    let progress = metrics.replication.iter().flatten();
    let near = progress.filter(|(id, matched)| {
        index(**matched) + LAG >= last && matched.is_some() && !node.links.is_silent(host(**id))
    });
    let (_, living, _) = node.store.everybody();
    let silent = living.iter().filter(|id| node.links.is_silent(**id));
    View {
        leader: node.me().node(),
        voters: configs.last().cloned().unwrap_or_default(),
        is_joint: configs.len() > 1,
        nodes: membership.nodes().map(|(id, _)| *id).collect(),
        silent: silent.map(|id| id.node()).collect(),
        living: living.iter().map(|id| id.node()).collect(),
        ready: near.map(|(id, _)| *id).collect(),
        most: node.config.voters,
    }
}

/// Entries are counted by openraft; large ones are counted here.
async fn keep_log_small(node: &Node) {
    if node.log_bytes() <= LEDGER_LOG_BYTES_MAX {
        return;
    }
    let Some(purge) = node.index_before(LEDGER_LOG_BYTES_MAX / 2) else {
        return;
    };
    let raft = node.raft();
    // A stopped consensus has no log to keep small.
    let _ = match index(node.metrics().snapshot) < purge {
        true => raft.trigger().snapshot().await,
        false => raft.trigger().purge_log(purge).await,
    };
}
