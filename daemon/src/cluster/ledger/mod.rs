//! The ledger: the one order of events of a virtual machine, on all of its hosts.
//!
//! The registry is replicated by openraft among a few hosts, who vote; they are chosen by the leader as
//! hosts come and go (`voters`). All others ask for what is decided, each the host above it in a tree
//! whose roots are the voters (`tree`, `follow`): no host has more to do in a large virtual machine
//! than in a small one, as long as nothing happens. A daemon proposes commands on any host and hears
//! every event on its own, in the same order as everybody, each once.
//!
//! # What is promised
//! - A proposal that was answered with `Ok` is applied exactly once, on all hosts.
//! - Proposals of one daemon are applied in the order in which they were made. One that was given up
//!   ([`LedgerError::Deadline`]) may have been applied, but is never applied after a later one.
//! - A minority applies nothing. It is told so ([`News::QuorumLost`]) and can stop its tasks.
//! - The log and the snapshots are bounded.
//!
//! # Death is decided, not noticed
//! Whoever misses a host says so with [`Ledger::suspect`]; the leader also suspects voters that take
//! no entries, and every host those below it that no longer ask, and the one above that does not answer.
//! The leader asks its [`Prober`], and when that finds no life either, the loss becomes
//! an entry like any other. A leader that is gone is replaced by an election, and the new one looks
//! for the old one at once. A suspicion stays until the leader has judged it.
//!
//! # Two hosts
//! No majority of two survives a loss, and no rule can tell a dead host from one that cannot be
//! reached. The virtual machine must outlive the loss of any host, so of two hosts **both vote**,
//! and when one falls silent and the prober does not find it, the other **takes over**: it goes on
//! alone with all that it has, as a new history ([`Lineage`]). Because both voted, nothing that was
//! answered is missing. The same holds while a third host is joining and does not vote yet; it joins
//! again. From three voters on, majorities decide.
//!
//! The price: when in truth the line between the two was cut, both go on, as two virtual machines of
//! one host. They never mix: each regards the other host as lost, and ledgers of different histories
//! do not talk. A job with parts on both hosts ends, since its parts lose each other; jobs inside
//! one host go on. Who does not want that sets [`TwoHosts::Stop`]: then both sides stop like a
//! minority.
//!
//! What it does not cover: the second host between its admission and its becoming a voter, some
//! hundred milliseconds, in which the first may answer what only it has; and of three hosts two at
//! once, which leaves a minority.

mod config;
mod follow;
mod keeper;
mod links;
mod log;
mod machine;
mod message;
mod node;
mod once;
mod queue;
mod recent;
mod serve;
mod steward;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod voters;
mod wire;

pub use config::{Config, TwoHosts};
pub use store::News;
pub use types::Lineage;
pub use wire::{BoxFuture, Prober, Wire, WireError};

use crate::cluster::registry::{
    Command, HostFacts, HostId, HostRecord, Outcome, Refusal, Registry,
};
use node::{Identity, Node};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Why a ledger does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Too many proposals of this daemon wait.
    #[error("too many events of this host wait to be put in order")]
    Busy,
    /// The command is larger than allowed.
    #[error("the event is larger than allowed")]
    TooLarge,
    /// No leader has answered in time; whether the command was applied is not known.
    #[error("the virtual machine has not put the event in order in time")]
    Deadline,
    /// By the registry.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The others regard this host as lost; whether the command was applied before is not known.
    #[error("the virtual machine regards this host as lost")]
    Expelled,
    /// This ledger has stopped.
    #[error("the ledger of this host has stopped")]
    Stopped,
    /// The consensus cannot run.
    #[error("the ledger cannot go on: {0}")]
    Broken(String),
}

/// What a daemon that was admitted must know to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// It, as everybody knows it.
    pub record: HostRecord,
    /// The history that it becomes part of.
    pub lineage: Lineage,
    /// Who has admitted it; can be asked whether it still belongs, before it knows anybody else.
    pub door: HostId,
}

/// What a ledger needs of the world.
#[derive(Clone)]
pub struct World {
    /// The way to other ledgers.
    pub wire: Arc<dyn Wire>,
    /// A second opinion on who lives.
    pub prober: Arc<dyn Prober>,
}

/// One daemon's part of the ledger. Clones are the same; with the last one it stops.
#[derive(Clone)]
pub struct Ledger {
    node: Arc<Node>,
    life: Arc<Life>,
}

/// Ends the tasks of a ledger when it is dropped.
struct Life(watch::Sender<bool>);

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.0.send(true);
    }
}

impl Ledger {
    /// Begins a virtual machine of one host, this one, which is number 1. `so_far` are groups and
    /// mailboxes from the time when it needed no ledger.
    ///
    /// # Errors
    /// When the facts or what there is so far are larger than allowed, or the consensus does not start.
    pub async fn found(
        config: Config,
        facts: HostFacts,
        so_far: Registry,
        world: World,
    ) -> Result<(Ledger, mpsc::UnboundedReceiver<News>), LedgerError> {
        let me = HostId::new(1, 1);
        let lineage = Lineage {
            daemon: facts.daemon,
            since: 0,
        };
        let identity = Identity {
            me,
            daemon: facts.daemon,
            lineage,
            door: me,
        };
        let (ledger, news) = Self::start(config, identity, world).await?;
        ledger.node.initialize().await?;
        ledger.propose(Command::Begin(Box::new(so_far))).await?;
        ledger.admit(facts).await?;
        Ok((ledger, news))
    }

    /// Becomes part of a virtual machine that has admitted this daemon. It asks who has admitted it for
    /// everything that has happened, and from then on the hosts above it; a leader that wants it to vote
    /// brings the rest through [`Ledger::handle`].
    ///
    /// # Errors
    /// When the consensus does not start.
    pub async fn join(
        config: Config,
        admission: &Admission,
        world: World,
    ) -> Result<(Ledger, mpsc::UnboundedReceiver<News>), LedgerError> {
        let identity = Identity {
            me: admission.record.id,
            daemon: admission.record.facts.daemon,
            lineage: admission.lineage,
            door: admission.door,
        };
        Self::start(config, identity, world).await
    }

    async fn start(
        config: Config,
        identity: Identity,
        world: World,
    ) -> Result<(Ledger, mpsc::UnboundedReceiver<News>), LedgerError> {
        let (news, listener) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (queue, waiting) = queue::channel();
        let node = Node::start(config, identity, world, (queue, news), stopped.clone()).await?;
        let node = Arc::new(node);
        node.spawn(queue::run(node.clone(), waiting));
        node.spawn(keeper::run(node.clone()));
        node.spawn(steward::run(node.clone()));
        node.spawn(follow::run(node.clone()));
        tokio::spawn(close(stopped, node.clone()));
        let life = Arc::new(Life(stop));
        Ok((Ledger { node, life }, listener))
    }

    /// Lets a daemon become part of the virtual machine. The leader lets it vote by itself, when one more should.
    ///
    /// # Errors
    /// By the registry's rules, or when no leader answers in time.
    pub async fn admit(&self, facts: HostFacts) -> Result<Admission, LedgerError> {
        match self.propose(Command::AddHost(facts)).await? {
            Outcome::Host(record) => Ok(Admission {
                record: *record,
                lineage: self.node.links.lineage(),
                door: self.node.me(),
            }),
            Outcome::Refused(why) => Err(why.into()),
            _ => Err(LedgerError::Broken("AddHost has no host".to_owned())),
        }
    }

    /// Puts a command in order. It is queued behind this daemon's earlier ones when this is called,
    /// not when the future is first polled; dropping the future does not take it back.
    ///
    /// The outcome may be known before the event has come to this host.
    ///
    /// # Errors
    /// When it was not put in order in time. That the registry refuses it is an outcome.
    pub fn propose(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, LedgerError>> + Send + use<> {
        self.node.queue.propose(command, self.node.config.propose)
    }

    /// Says that a host seems to be gone. Returns at once; the leader will find out.
    pub fn suspect(&self, host: HostId, why: &str) {
        self.node.suspect(host, why);
    }

    /// Leaves: the others go on without this host. Then the ledger is at its end, as it is after `patience`
    /// even if they have not agreed.
    ///
    /// # Errors
    /// When they have not agreed in time: they will find out.
    pub async fn leave(&self, patience: Duration) -> Result<(), LedgerError> {
        let left = tokio::time::timeout(patience, self.take_leave()).await;
        self.shutdown().await;
        left.unwrap_or(Err(LedgerError::Deadline))
    }

    async fn take_leave(&self) -> Result<(), LedgerError> {
        // Nobody is left to take leave of.
        if self.node.store.is_expelled() {
            return Ok(());
        }
        let host = self.node.me();
        self.propose(Command::LeaveHost { host }).await?;
        self.node.handed_over().await;
        Ok(())
    }

    /// Stops at once; to the others this host is silent.
    pub async fn shutdown(&self) {
        let _ = self.life.0.send(true);
        self.node.shutdown().await;
    }

    /// Answers a request that another ledger has sent over its [`Wire`].
    pub async fn handle(&self, request: &[u8]) -> Vec<u8> {
        serve::handle(&self.node, request).await
    }

    /// Looks at the registry as it is here; nothing is applied meanwhile, so be short.
    pub fn read<T>(&self, reader: impl FnOnce(&Registry) -> T) -> T {
        self.node.store.read(reader)
    }

    /// This host.
    pub fn me(&self) -> HostId {
        self.node.me()
    }

    /// The history that this ledger is part of.
    pub fn lineage(&self) -> Lineage {
        self.node.links.lineage()
    }

    /// The leader, as far as is known here.
    pub fn leader(&self) -> Option<HostId> {
        self.node.leader()
    }

    /// The hosts that vote, as far as is known here.
    pub fn voters(&self) -> Vec<HostId> {
        self.node.voters()
    }

    /// Whether this host votes, and no change of voters is under way, as far as is known here.
    pub fn votes(&self) -> bool {
        matches!(&self.node.voter_configs()[..], [voters] if voters.contains(&self.me()))
    }

    /// Whether as many hosts vote as should, as far as is known here. While they do not, and while they
    /// change, the virtual machine survives less.
    pub fn is_settled(&self) -> bool {
        self.node.is_settled()
    }

    /// About how many bytes the entries take that are kept here.
    pub fn log_bytes(&self) -> usize {
        self.node.log_bytes()
    }

    /// Whether a leader that reaches a majority has been heard of lately.
    pub fn has_quorum(&self) -> bool {
        self.node.links.quorum_age() < self.node.config.quorum_lost
    }
}

/// Ends the consensus when the ledger stops.
async fn close(mut stopped: watch::Receiver<bool>, node: Arc<Node>) {
    let _ = stopped.wait_for(|stop| *stop).await;
    node.shutdown().await;
}
