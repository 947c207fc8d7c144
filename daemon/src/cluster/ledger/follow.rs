//! Hosts that do not vote ask for what is decided: the host above in the tree, and when it does not
//! answer, those above it, any voter, anybody. See [`super::tree`].

use super::links::CallError;
use super::message::{Answer, Body, Feed, Followed, NoAnswer};
use super::node::Node;
use super::store::Feeder;
use crate::cluster::registry::HostId;
use pvm::limits::LEDGER_HOLD_MS;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the host above may take longer than it was asked to wait.
const GRACE: Duration = Duration::from_millis(1_500);
/// How long a host that has not answered is gone round.
const DETOUR: Duration = Duration::from_secs(10);
/// Before another is asked, when one has no news to give. It may have said so at once.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks, until the ledger stops, as long as no leader feeds this node.
pub(super) async fn run(node: Arc<Node>) {
    let mut detours = Detours::default();
    for turn in 0.. {
        if node.store.feeder() != Feeder::Tree {
            sleep(node.config.heartbeat).await;
            if node.is_forsaken() {
                look_around(&node, &mut detours, turn).await;
            }
            continue;
        }
        let Some(host) = source(&node, &mut detours, turn) else {
            sleep(PAUSE).await;
            continue;
        };
        match ask(&node, host).await {
            Ok(()) => continue,
            Err(Failed::Expelled) => {
                node.store.expel();
                sleep(DETOUR).await;
            }
            Err(Failed::Silent) => {
                detours.avoid(host);
                node.suspect(host, "it passes no news on");
            }
            Err(Failed::Refused) => detours.avoid(host),
        }
        sleep(PAUSE).await;
    }
}

/// Asks somebody who the members of the consensus are.
async fn look_around(node: &Node, detours: &mut Detours, turn: usize) {
    let Some(host) = anybody(node, detours, turn) else {
        return;
    };
    match node.links.call(host, Body::Members, GRACE).await {
        Ok(Answer::Members(members)) => node.hear_of(&members).await,
        _ => detours.avoid(host),
    }
}

/// Why there is nothing new.
enum Failed {
    Silent,
    Refused,
    /// This host does not belong any more.
    Expelled,
}

async fn ask(node: &Node, host: HostId) -> Result<(), Failed> {
    let after = node.store.applied().map(|applied| applied.index);
    let body = Body::Follow {
        after,
        hold_ms: LEDGER_HOLD_MS,
    };
    let deadline = Duration::from_millis(LEDGER_HOLD_MS) + GRACE;
    let begun = Instant::now();
    let followed = match node.links.call(host, body, deadline).await {
        Ok(Answer::Followed(followed)) => followed,
        Err(CallError::Refused(NoAnswer::Gone)) => return Err(Failed::Expelled),
        Err(CallError::Wire(_)) => return Err(Failed::Silent),
        _ => return Err(Failed::Refused),
    };
    let is_early = matches!(followed.feed, Feed::Nothing) && begun.elapsed() < PAUSE;
    if let Err(error) = node.store.take(followed.feed) {
        tracing::warn!(%host, %error, "what another host passes on cannot be used");
        return Err(Failed::Refused);
    }
    node.links
        .note_quorum(Duration::from_millis(followed.quorum_age_ms));
    node.links.told.send_if_modified(|told| {
        let changed = *told != followed.leader;
        *told = followed.leader;
        changed
    });
    match is_early {
        true => Err(Failed::Refused),
        false => Ok(()),
    }
}

/// Answers who asks.
pub(super) async fn serve(
    node: &Node,
    after: Option<u64>,
    hold: Duration,
) -> Result<Answer, NoAnswer> {
    let feed = node.store.feed(after, hold).await;
    let age = node.links.quorum_age().as_millis();
    Ok(Answer::Followed(Followed {
        leader: node.leader(),
        quorum_age_ms: u64::try_from(age).unwrap_or(u64::MAX),
        // What has no bytes cannot be sent; who asks finds another.
        feed: feed.map_err(|_| NoAnswer::Busy)?,
    }))
}

/// Hosts that are not asked for a while.
#[derive(Default)]
struct Detours(BTreeMap<HostId, Instant>);

impl Detours {
    fn avoid(&mut self, host: HostId) {
        self.0.insert(host, Instant::now());
    }

    fn is_open(&mut self, host: HostId) -> bool {
        self.0.retain(|_, since| since.elapsed() < DETOUR);
        !self.0.contains_key(&host)
    }
}

/// Whom to ask: the nearest above that answers. When those above have no news themselves (in the moment
/// of a change hosts may even be above each other), a voter; when all fail, anybody.
fn source(node: &Node, detours: &mut Detours, turn: usize) -> Option<HostId> {
    let (place, _) = node.place();
    let is_stale = node.links.quorum_age() > 2 * node.config.silence;
    let mut above = place.above.iter().filter(|_| !is_stale).copied();
    if let Some(host) = above.find(|host| detours.is_open(*host)) {
        return Some(host);
    }
    anybody(node, detours, turn)
}

/// A member of the consensus, or any other host that lives: another one each time.
fn anybody(node: &Node, detours: &mut Detours, turn: usize) -> Option<HostId> {
    let (roots, living, _) = node.store.everybody();
    let others = |hosts: BTreeSet<HostId>| {
        let mut hosts: Vec<_> = hosts
            .into_iter()
            .filter(|host| *host != node.me())
            .collect();
        let start = turn % hosts.len().max(1);
        hosts.rotate_left(start);
        hosts
    };
    let (roots, living) = (others(roots), others(living));
    let door = Some(node.door).filter(|door| *door != node.me());
    let all = roots.iter().chain(&door).chain(&living).copied();
    let mut open = all.filter(|host| detours.is_open(*host));
    open.next().or(living.first().copied()).or(door)
}
