//! What every node does as time goes by: it watches the quorum, has suspects looked for, and takes
//! over when it is the last of two.

use super::config::TwoHosts;
use super::links::CallError;
use super::message::{Answer, Body, NoAnswer, Standing, Verdict};
use super::node::Node;
use super::once::Turn;
use super::store::News;
use crate::cluster::registry::{Command, HostId, HostRecord};
use openraft::ServerState;
use pvm::limits::REASON_MAX;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Longest that the prober may take.
const PROBE: Duration = Duration::from_secs(5);
/// Longest that the leader may take to judge.
const JUDGE: Duration = Duration::from_secs(8);
/// How long it counts that a host was not found: it may be there again. What is not in order by then
/// is given up.
const OPINION: Duration = Duration::from_secs(3);
/// How long a suspicion is kept alive.
const SUSPICION: Duration = Duration::from_secs(60);
/// Between two attempts to bring a suspicion to the leader.
const RETRY: Duration = Duration::from_millis(300);
/// Between two times of asking whether this host still belongs.
const ASK: Duration = Duration::from_secs(4);
/// How many hosts are asked each time.
const WITNESSES: usize = 3;
/// Longest that each may take.
const WITNESS: Duration = Duration::from_secs(1);

/// Watches, until the ledger stops.
pub(super) async fn run(node: Arc<Node>) {
    let mut is_lost = false;
    let mut asked = (Instant::now(), 0);
    loop {
        sleep(node.config.heartbeat).await;
        lead(&node);
        watch_below(&node);
        node.leave_consensus();
        let silent = node.links.quorum_age();
        if silent >= node.config.take_over {
            take_over_if_last(&node).await;
        }
        let silent = node.links.quorum_age().min(silent);
        let was_lost = std::mem::replace(&mut is_lost, silent >= node.config.quorum_lost);
        match (was_lost, is_lost) {
            (false, true) => node.store.tell(News::QuorumLost { silent }),
            (true, false) => node.store.tell(News::QuorumRegained),
            _ => {}
        }
        if is_lost && asked.0.elapsed() >= ASK {
            node.spawn(ask_standing(node.clone(), asked.1));
            asked = (Instant::now(), asked.1 + 1);
        }
    }
}

/// As a leader: notes the quorum, and has silent nodes looked for.
fn lead(node: &Arc<Node>) {
    let metrics = node.metrics();
    if metrics.state != ServerState::Leader {
        return node.links.forget_silent(node.config.silence);
    }
    if let Some(age) = metrics.millis_since_quorum_ack {
        node.links.note_quorum(Duration::from_millis(age));
    }
    for host in node.links.take_silent(node.config.silence) {
        look_for(node, host, "it takes no entries");
    }
}

/// Has hosts looked for that should ask for news here, and do not. Who has no news itself tells nothing
/// by their silence: they have gone to another.
fn watch_below(node: &Arc<Node>) {
    let (place, since) = node.place();
    let least = node.config.silence;
    for host in node.links.take_mute(&place.below, since, least) {
        if node.links.quorum_age() < least {
            node.suspect(host, "it asks for no news");
        }
    }
}

/// Whether there is no majority without just one other host, and which. So it is when the other is
/// the only one beside this one, and when the two of them are all voters, be it for the moment of a
/// change of voters. Nobody, when all others are lost already.
fn rival(node: &Node) -> Option<Option<HostRecord>> {
    let me = node.me();
    let is_pair = |config: &&BTreeSet<HostId>| config.len() == 2 && config.contains(&me);
    let configs = node.voter_configs();
    let voter = configs.iter().find(is_pair);
    let voter = voter.and_then(|pair| pair.iter().find(|id| **id != me));
    node.store.read(|registry| {
        let hosts = registry.hosts();
        if !hosts.is_living(me) {
            return None;
        }
        if let Some(voter) = voter {
            return Some(hosts.record(*voter).filter(|r| r.is_living()).cloned());
        }
        let mut others = hosts.living().filter(|r| r.id != me);
        let (one, more) = (others.next(), others.next());
        more.is_none().then(|| one.cloned())
    })
}

/// Goes on alone, without a quorum, when the one other host that it takes is not found.
async fn take_over_if_last(node: &Arc<Node>) {
    let Some(rival) = rival(node) else {
        return;
    };
    if let Some(rival) = &rival
        && (node.config.two_hosts == TwoHosts::Stop || is_alive(node, rival).await)
    {
        return;
    }
    // While it was looked for, it may have come back.
    if node.links.quorum_age() < node.config.take_over {
        return;
    }
    if let Err(error) = node.take_over().await {
        tracing::error!(%error, "cannot go on alone");
        return;
    }
    node.store.tell(News::TakenOver);
    // Whoever was just joining has the former history, and joins again.
    let others = node.store.read(|registry| {
        let living = registry.hosts().living().map(|record| record.id);
        living.filter(|id| *id != node.me()).collect::<Vec<_>>()
    });
    for host in others {
        let why = "another of two hosts went on alone".to_owned();
        let lose = Command::LoseHost { host, why };
        // The queue tries until it is done; nobody need wait.
        drop(node.queue.propose(lose, node.config.propose));
    }
}

async fn is_alive(node: &Node, host: &HostRecord) -> bool {
    let probe = node.world.prober.is_alive(host.clone());
    timeout(PROBE, probe).await.unwrap_or(false)
}

/// As the leader: looks for a host, beside.
pub(super) fn look_for(node: &Arc<Node>, host: HostId, why: &'static str) {
    let judging = node.clone();
    node.spawn(async move {
        judge(&judging, host, why).await;
    });
}

/// As the leader: finds out whether a host lives, and says that it is lost when it does not. What was
/// noted of it before is settled by that: of one that lives and is no member of the consensus, nobody
/// else would find out that it answers again.
pub(super) async fn judge(node: &Arc<Node>, host: HostId, why: &str) -> Verdict {
    let verdict = find_out(node, host, why).await;
    if verdict != Verdict::Open {
        node.links.forget(host);
    }
    verdict
}

async fn find_out(node: &Arc<Node>, host: HostId, why: &str) -> Verdict {
    let record = node
        .store
        .read(|registry| registry.hosts().record(host).cloned());
    let Some(record) = record.filter(HostRecord::is_living) else {
        return Verdict::Gone;
    };
    if host == node.me() {
        return Verdict::Alive;
    }
    let Some(_turn) = node.judge(host) else {
        return Verdict::Open;
    };
    if is_alive(node, &record).await {
        return Verdict::Alive;
    }
    if !may_lose(node, host) {
        return Verdict::Open;
    }
    let why = why.to_owned();
    let command = Command::LoseHost { host, why };
    match node.queue.propose(command, OPINION).await {
        Ok(_) => Verdict::Gone,
        Err(_) => Verdict::Open,
    }
}

/// Whether the voters that are left are a majority, so that they can choose others in time: a
/// suspect may be wrongly so and still vote for its own loss. Of two hosts one may always go.
fn may_lose(node: &Node, host: HostId) -> bool {
    let voters = node.voters();
    node.store.read(|registry| {
        let hosts = registry.hosts();
        let left = voters
            .iter()
            .filter(|id| **id != host && hosts.is_living(**id));
        !voters.contains(&host) || left.count() * 2 > voters.len() || hosts.living().count() <= 2
    })
}

/// Brings a suspicion to the leader, whoever that is, until it is judged.
pub(super) async fn suspect(node: &Arc<Node>, turn: Turn, why: &str) {
    let host = turn.host();
    let why = &why[..why.floor_char_boundary(REASON_MAX)];
    let begun = Instant::now();
    while begun.elapsed() < SUSPICION {
        let gone = node.store.read(|registry| registry.hosts().is_gone(host));
        if gone || accuse(node, host, why).await != Verdict::Open {
            return;
        }
        sleep(RETRY).await;
    }
}

async fn accuse(node: &Arc<Node>, host: HostId, why: &str) -> Verdict {
    match node.leader() {
        None => Verdict::Open,
        Some(leader) if leader == node.me() => judge(node, host, why).await,
        // An election finds out; a leader that is well is not lost.
        Some(leader) if leader == host && node.links.quorum_age() < node.config.election.0 => {
            Verdict::Alive
        }
        Some(leader) => {
            let why = why.to_owned();
            let judged = node.links.call(leader, Body::Suspect { host, why }, JUDGE);
            match judged.await {
                Ok(Answer::Verdict(verdict)) => verdict,
                _ => Verdict::Open,
            }
        }
    }
}

/// Without a quorum: asks a few others, in turn others each time, whether this host still belongs. A
/// lost host is told nothing by the leader, and of those that it knows many may be gone. One that has
/// heard nothing since it was admitted, and for which nobody vouches, has nothing to wait for either.
async fn ask_standing(node: Arc<Node>, turn: usize) {
    let others = node.store.read(|registry| {
        let living = registry.hosts().living().map(|record| record.id);
        let others = living.filter(|id| *id != node.me() && *id != node.door);
        others.collect::<Vec<_>>()
    });
    let first = turn * WITNESSES % others.len().max(1);
    let many = others.len().min(WITNESSES);
    let others = others.into_iter().cycle().skip(first).take(many);
    let mut standing = Standing::Unknown;
    let door = Some(node.door).filter(|door| *door != node.me());
    for other in others.chain(door) {
        standing = match node.links.call(other, Body::Standing, WITNESS).await {
            Ok(Answer::Standing(standing)) => standing,
            // It went on without this one.
            Err(CallError::Refused(NoAnswer::OtherLineage)) => Standing::Gone,
            _ => Standing::Unknown,
        };
        if standing != Standing::Unknown {
            break;
        }
    }
    let knows_nobody = node.store.applied().is_none();
    if standing == Standing::Gone || standing == Standing::Unknown && knows_nobody {
        node.store.expel();
    }
}
