//! One node of the consensus, with what its tasks share.

use super::config::Config;
use super::links::{Links, Network};
use super::log::Log;
use super::machine::Machine;
use super::message::Body;
use super::once::{Once, Turn};
use super::queue::Queue;
use super::store::{Feeder, News, Store};
use super::tree::Place;
use super::types::{Lineage, LogId, Membership, Raft, StoredMembership, Vote, host};
use super::{LedgerError, World, keeper, voters};
use crate::cluster::registry::{Batch, HostId, Outcome};
use openraft::error::{ClientWriteError, RaftError};
use openraft::{EmptyNode, RaftMetrics, ServerState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Without entries of a leader for so long, a node that does not vote asks the tree for them.
const APPEND_AGE: Duration = Duration::from_secs(2);
/// Longest that the next leader may take to know that it is to lead.
const SUCCEED: Duration = Duration::from_secs(1);
/// Longest that a host that leaves waits until another can lead.
const HAND_OVER: Duration = Duration::from_secs(5);

pub(super) type Metrics = RaftMetrics<u64, EmptyNode>;

/// The consensus that runs now; a take-over begins another.
struct Running {
    raft: Raft,
    log: Log,
}

/// What all tasks of a ledger know.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) links: Arc<Links>,
    pub(super) store: Arc<Store>,
    pub(super) world: World,
    pub(super) queue: Queue,
    /// Hosts that are being looked for.
    judging: Arc<Once>,
    /// Hosts of which a suspicion is being brought to the leader.
    suspected: Arc<Once>,
    /// Says when the ledger stops.
    stopped: watch::Receiver<bool>,
    /// Who has admitted this host.
    pub(super) door: HostId,
    running: Mutex<Running>,
    /// Held while one consensus makes room for another.
    changing: tokio::sync::Mutex<()>,
    place: Mutex<Placed>,
    daemon: u128,
}

/// Where this node is in the tree, since when, and by which version of everybody. It is not found out
/// anew for each host, when many come.
struct Placed {
    place: Arc<Place>,
    since: Instant,
    version: Option<u64>,
    looked: Instant,
}

/// Who this node is, and where it belongs.
pub(super) struct Identity {
    pub(super) me: HostId,
    pub(super) daemon: u128,
    pub(super) lineage: Lineage,
    pub(super) door: HostId,
}

/// Why this node has not written an entry.
pub(super) enum NotWritten {
    /// Another leads, perhaps this one.
    NotLeader(Option<HostId>),
    /// There is no consensus here any longer.
    Stopped,
}

impl Node {
    pub(super) async fn start(
        config: Config,
        identity: Identity,
        world: World,
        (queue, news): (Queue, mpsc::UnboundedSender<News>),
        stopped: watch::Receiver<bool>,
    ) -> Result<Node, LedgerError> {
        let me = identity.me;
        let links = Links::new(me, identity.lineage, world.wire.clone());
        let store = Store::new(config.keep, news);
        let log = Log::default();
        let settings = Arc::new(config.raft(me.node()).validate().map_err(broken)?);
        let network = Network(links.clone());
        let raft = Raft::new(me.node(), settings, network, log.clone(), store.machine());
        let raft = raft.await.map_err(broken)?;
        Ok(Node {
            config,
            links,
            store,
            world,
            queue,
            judging: Arc::default(),
            suspected: Arc::default(),
            stopped,
            door: identity.door,
            running: Mutex::new(Running { raft, log }),
            changing: tokio::sync::Mutex::default(),
            place: Mutex::new(Placed {
                place: Arc::default(),
                since: Instant::now(),
                version: None,
                looked: Instant::now(),
            }),
            daemon: identity.daemon,
        })
    }

    /// Does something beside, until the ledger stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut stopped = self.stopped.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => {}
                () = task => {}
            }
        });
    }

    /// Has a host looked for, which seems to be gone, until that is judged.
    pub(super) fn suspect(self: &Arc<Self>, host: HostId, why: &str) {
        if let Some(turn) = self.suspected.begin(host) {
            let (node, why) = (self.clone(), why.to_owned());
            self.spawn(async move { keeper::suspect(&node, turn, &why).await });
        }
    }

    /// The turn to look for a host; `None` when it is looked for already.
    pub(super) fn judge(&self, host: HostId) -> Option<Turn> {
        self.judging.begin(host)
    }

    /// Begins a consensus of this node alone, which leads it then.
    pub(super) async fn initialize(&self) -> Result<(), LedgerError> {
        // Until it leads, this node looks like one that no leader feeds.
        let _changing = self.changing.lock().await;
        let alone = [(self.me().node(), EmptyNode {})];
        let raft = self.raft();
        self.store.begin();
        let begun = raft.initialize(BTreeMap::from(alone)).await;
        begun.map_err(broken)?;
        let leads = raft.wait(Some(self.config.propose));
        let leads = leads.state(ServerState::Leader, "alone").await;
        leads.map(drop).map_err(broken)
    }

    /// Goes on alone with all that is here, as a history of its own.
    pub(super) async fn take_over(&self) -> Result<(), LedgerError> {
        let _changing = self.changing.lock().await;
        self.check_running()?;
        let (raft, log) = self.parts();
        let _ = raft.shutdown().await;
        let term = raft.metrics().borrow().vote.leader_id().term;
        let node = self.me().node();
        // From here on what the former consensus may still be doing has no effect.
        let machine = self.store.inherit(Membership::new(vec![[node].into()], ()));
        let Some(applied) = self.store.applied() else {
            return Err(LedgerError::Stopped);
        };
        let log = log.resume(Some(applied));
        let log = log.inherit(applied, Vote::new(term, node));
        self.links.begin(Lineage {
            daemon: self.daemon,
            since: applied.index,
        });
        self.run(log, machine).await
    }

    /// The consensus, once none makes room for another: who asked the former would be told that it has
    /// stopped, and never ask again.
    pub(super) async fn raft_at_rest(&self) -> Raft {
        let _changing = self.changing.lock().await;
        self.raft()
    }

    /// A leader feeds this node from now on: its consensus goes on from what the tree has brought.
    pub(super) async fn join_consensus(&self) -> Result<Raft, LedgerError> {
        let _changing = self.changing.lock().await;
        self.check_running()?;
        self.links.note_append();
        if self.store.feeder() == Feeder::Tree {
            let (raft, log) = self.parts();
            let _ = raft.shutdown().await;
            let (machine, applied) = self.store.adopt();
            self.run(log.resume(applied), machine).await?;
        }
        Ok(self.raft())
    }

    /// Lets the tree feed this node when no leader does any longer. Only who does not vote may: of what
    /// a voter has taken nothing may be forgotten.
    pub(super) fn leave_consensus(&self) {
        let Ok(_changing) = self.changing.try_lock() else {
            return;
        };
        if self.store.feeder() == Feeder::Tree {
            return;
        }
        let metrics = self.metrics();
        let node = self.me().node();
        let votes = metrics.membership_config.voter_ids().any(|n| n == node);
        let is_idle = !votes && metrics.state == ServerState::Learner;
        if is_idle && !self.links.is_appended_to(APPEND_AGE) {
            self.store.leave();
        }
    }

    /// Whether this node takes entries of a leader only, and none comes.
    pub(super) fn is_forsaken(&self) -> bool {
        let is_fed = self.store.feeder() == Feeder::Consensus;
        is_fed && !self.is_leader() && self.links.quorum_age() >= self.config.silence
    }

    /// Others say who the members are. When this node is none by a later decision than it knows of, it
    /// was removed while it was cut off: nobody tells it anything but the tree.
    pub(super) async fn hear_of(&self, members: &StoredMembership) {
        let _changing = self.changing.lock().await;
        let metrics = self.metrics();
        let is_later = members.log_id() > metrics.membership_config.log_id();
        let node = self.me().node();
        if is_later && members.membership().get_node(&node).is_none() {
            self.store.leave();
        }
    }

    async fn run(&self, log: Log, machine: Machine) -> Result<(), LedgerError> {
        let node = self.me().node();
        let settings = Arc::new(self.config.raft(node));
        let network = Network(self.links.clone());
        let raft = Raft::new(node, settings, network, log.clone(), machine).await;
        let raft = raft.map_err(broken)?;
        *self.lock() = Running { raft, log };
        Ok(())
    }

    /// Where this node is in the tree, and since when.
    pub(super) fn place(&self) -> (Arc<Place>, Instant) {
        let placed = self.place.lock();
        let mut placed = placed.unwrap_or_else(PoisonError::into_inner);
        let is_old = || placed.looked.elapsed() >= self.config.heartbeat;
        let version = self.store.version();
        if placed
            .version
            .is_none_or(|known| known != version && is_old())
        {
            let (roots, living, version) = self.store.everybody();
            let place = Place::of(self.me(), &roots, &living);
            if *placed.place != place {
                placed.since = Instant::now();
            }
            placed.place = Arc::new(place);
            placed.version = Some(version);
            placed.looked = Instant::now();
        }
        (placed.place.clone(), placed.since)
    }

    /// Ends the consensus, once the ledger has been told to stop: none begins after it.
    pub(super) async fn shutdown(&self) {
        let _changing = self.changing.lock().await;
        let _ = self.raft().shutdown().await;
    }

    fn check_running(&self) -> Result<(), LedgerError> {
        match *self.stopped.borrow() {
            true => Err(LedgerError::Stopped),
            false => Ok(()),
        }
    }

    /// Waits until this node neither leads nor votes, for a while.
    pub(super) async fn handed_over(&self) {
        let is_last = self
            .store
            .read(|registry| registry.hosts().living().next().is_none());
        if is_last {
            return;
        }
        let was_leader = self.is_leader();
        let mut metrics = self.raft().metrics();
        let node = self.me().node();
        let is_over = |metrics: &Metrics| {
            let votes = metrics.membership_config.voter_ids().any(|n| n == node);
            metrics.state != ServerState::Leader && !votes
        };
        let over = metrics.wait_for(is_over);
        // When the others cannot take over, waiting longer does not help them.
        let _ = tokio::time::timeout(HAND_OVER, over).await;
        if was_leader && let Some(heir) = self.voters().into_iter().find(|host| *host != self.me())
        {
            // One that does not hear of it notices by itself.
            let _ = self.links.call(heir, Body::Succeed, SUCCEED).await;
        }
    }

    /// Waits until this node knows of a leader that is not this one.
    pub(super) async fn other_leader(&self, than: HostId) {
        let mut told = self.links.told.subscribe();
        let mut metrics = self.raft().metrics();
        let is_other = |metrics: &Metrics| metrics.current_leader.is_some_and(|n| n != than.node());
        if self.store.feeder() == Feeder::Consensus {
            // The metrics end when this consensus does: then there is, or will be, another.
            let _ = metrics.wait_for(is_other).await;
            return;
        }
        while told.changed().await.is_ok() {
            if told
                .borrow_and_update()
                .is_some_and(|leader| leader != than)
            {
                return;
            }
        }
    }

    /// Puts a batch into the log, as the leader, and waits until it is applied.
    pub(super) async fn write(&self, batch: Batch) -> Result<Vec<Outcome>, NotWritten> {
        match self.raft().client_write(batch).await {
            Ok(written) => Ok(written.data),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
                Err(NotWritten::NotLeader(to.leader_id.map(host)))
            }
            Err(RaftError::APIError(_)) => Err(NotWritten::NotLeader(None)),
            Err(RaftError::Fatal(_)) => Err(NotWritten::Stopped),
        }
    }

    pub(super) fn raft(&self) -> Raft {
        self.lock().raft.clone()
    }

    /// About how many bytes the log takes.
    pub(super) fn log_bytes(&self) -> usize {
        self.lock().log.bytes()
    }

    /// The last entry after which the entries take no more than so many bytes.
    pub(super) fn index_before(&self, bytes: usize) -> Option<u64> {
        self.lock().log.index_before(bytes)
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.lock().raft.metrics().borrow().clone()
    }

    pub(super) fn me(&self) -> HostId {
        self.links.me
    }

    pub(super) fn leader(&self) -> Option<HostId> {
        match self.store.feeder() {
            Feeder::Consensus => self.metrics().current_leader.map(host),
            Feeder::Tree => *self.links.told.borrow(),
        }
    }

    /// The members of the consensus: the newest ones where it runs, the last that are decided elsewhere.
    fn membership(&self) -> Membership {
        match self.store.feeder() {
            Feeder::Consensus => self.metrics().membership_config.membership().clone(),
            Feeder::Tree => self.store.membership().membership().clone(),
        }
    }

    pub(super) fn is_leader(&self) -> bool {
        self.metrics().state == ServerState::Leader
    }

    pub(super) fn voters(&self) -> Vec<HostId> {
        self.membership().voter_ids().map(host).collect()
    }

    /// The sets of voters of which each must have a majority: two while voters change.
    pub(super) fn voter_configs(&self) -> Vec<BTreeSet<HostId>> {
        let membership = self.membership();
        let configs = membership.get_joint_config();
        let hosts = |config: &BTreeSet<u64>| config.iter().copied().map(host).collect();
        configs.iter().map(hosts).collect()
    }

    /// Whether as many hosts vote as should, and no change of voters is under way.
    pub(super) fn is_settled(&self) -> bool {
        let living = self
            .store
            .read(|registry| registry.hosts().living().count());
        let enough = voters::wanted(living).min(self.config.voters);
        matches!(&self.voter_configs()[..], [voters] if voters.len() >= enough)
    }

    fn parts(&self) -> (Raft, Log) {
        let running = self.lock();
        (running.raft.clone(), running.log.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of an entry, when there is one.
pub(super) fn index(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index)
}

pub(super) fn broken(error: impl std::error::Error) -> LedgerError {
    LedgerError::Broken(error.to_string())
}
