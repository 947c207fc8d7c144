//! The ways to the other nodes, as openraft wants them, and what is learned on them: who is silent,
//! and when a leader last had a majority.

use super::message::{self, Answer, Body, NoAnswer, Request};
use super::types::{Lineage, Types, Vote, host};
use super::wire::{Wire, WireError};
use crate::cluster::registry::HostId;
use openraft::error::{
    Fatal, RPCError, RaftError, RemoteError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{EmptyNode, OptionalSend, RaftNetwork, RaftNetworkFactory, Snapshot};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two attempts to reach a node that cannot be reached.
const RETRY: Duration = Duration::from_millis(300);

/// Why another ledger has not done what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the answer or the request has no bytes: {0}")]
    Value(#[from] pvm::wire::value::ValueError),
    #[error("the other ledger does not answer: {0}")]
    Refused(NoAnswer),
    #[error("the other ledger has answered something else")]
    OtherAnswer,
}

#[derive(Debug)]
struct Known {
    lineage: Lineage,
    /// When a leader last had a majority, as far as is known here.
    quorum: Instant,
    /// Since when a node has not answered.
    silent: BTreeMap<HostId, Instant>,
    /// When a host has last asked for news.
    asked: BTreeMap<HostId, Instant>,
    /// When a leader has last sent entries.
    appended: Option<Instant>,
}

/// The ways from this node to all others.
pub(super) struct Links {
    pub(super) me: HostId,
    wire: Arc<dyn Wire>,
    known: Mutex<Known>,
    /// Who leads, as the host above has told.
    pub(super) told: watch::Sender<Option<HostId>>,
}

impl Links {
    pub(super) fn new(me: HostId, lineage: Lineage, wire: Arc<dyn Wire>) -> Arc<Self> {
        let known = Known {
            lineage,
            quorum: Instant::now(),
            silent: BTreeMap::new(),
            asked: BTreeMap::new(),
            appended: None,
        };
        Arc::new(Links {
            me,
            wire,
            known: Mutex::new(known),
            told: watch::Sender::new(None),
        })
    }

    pub(super) fn lineage(&self) -> Lineage {
        self.lock().lineage
    }

    /// Begins a history of this node alone: nobody has been silent in it, and there is a majority.
    pub(super) fn begin(&self, lineage: Lineage) {
        let mut known = self.lock();
        known.lineage = lineage;
        known.quorum = Instant::now();
        known.silent.clear();
    }

    /// A leader had a majority so long ago.
    pub(super) fn note_quorum(&self, age: Duration) {
        let mut known = self.lock();
        if let Some(then) = Instant::now().checked_sub(age) {
            known.quorum = known.quorum.max(then);
        }
    }

    /// How long ago a leader last had a majority, as far as is known here.
    pub(super) fn quorum_age(&self) -> Duration {
        self.lock().quorum.elapsed()
    }

    /// A leader has sent entries.
    pub(super) fn note_append(&self) {
        self.lock().appended = Some(Instant::now());
    }

    /// Whether a leader has sent entries in this time.
    pub(super) fn is_appended_to(&self, within: Duration) -> bool {
        let appended = self.lock().appended;
        appended.is_some_and(|at| at.elapsed() < within)
    }

    /// A host has asked for news.
    pub(super) fn note_asked(&self, host: HostId) {
        self.lock().asked.insert(host, Instant::now());
    }

    /// Those of these hosts that have not asked for so long, or since they were to. They are noted as if
    /// they had just asked, and all others are forgotten.
    pub(super) fn take_mute(
        &self,
        hosts: &[HostId],
        since: Instant,
        least: Duration,
    ) -> Vec<HostId> {
        let mut known = self.lock();
        known.asked.retain(|host, _| hosts.contains(host));
        let is_mute = |host: &HostId| {
            let asked = known.asked.entry(*host).or_insert(since);
            let mute = asked.elapsed() >= least;
            if mute {
                *asked = Instant::now();
            }
            mute
        };
        hosts.iter().copied().filter(is_mute).collect()
    }

    /// For a leader: the nodes that have not answered for so long. They are silent anew from now on.
    pub(super) fn take_silent(&self, least: Duration) -> Vec<HostId> {
        let mut known = self.lock();
        let silent = known.silent.iter_mut();
        let silent = silent.filter(|(_, since)| since.elapsed() >= least);
        let renewed = silent.map(|(host, since)| {
            *since = Instant::now();
            *host
        });
        renewed.collect()
    }

    /// For a node that does not lead, and so does not call all others all the time: what failed so long
    /// ago says nothing of now.
    pub(super) fn forget_silent(&self, least: Duration) {
        let mut known = self.lock();
        known.silent.retain(|_, since| since.elapsed() < least);
    }

    /// What was noted of this node is settled: it lives, or does not belong any more.
    pub(super) fn forget(&self, host: HostId) {
        self.lock().silent.remove(&host);
    }

    /// Whether the last call to this node has failed.
    pub(super) fn is_silent(&self, host: HostId) -> bool {
        self.lock().silent.contains_key(&host)
    }

    /// Asks another ledger.
    pub(super) async fn call(
        &self,
        to: HostId,
        body: Body,
        deadline: Duration,
    ) -> Result<Answer, CallError> {
        let request = Request {
            lineage: self.lineage(),
            from: self.me,
            body,
        };
        let request = message::encode(&request)?;
        self.call_encoded(to, request, deadline).await
    }

    async fn call_encoded(
        &self,
        to: HostId,
        request: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, CallError> {
        let called = tokio::time::timeout(deadline, self.wire.call(to, request, deadline)).await;
        let bytes = called.unwrap_or(Err(WireError::Deadline(to)));
        self.note(to, bytes.is_ok());
        match message::decode(&bytes?)? {
            Answer::Refused(why) => Err(CallError::Refused(why)),
            answer => Ok(answer),
        }
    }

    fn note(&self, host: HostId, answers: bool) {
        let mut known = self.lock();
        if answers {
            known.silent.remove(&host);
        } else {
            known.silent.entry(host).or_insert_with(Instant::now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the way to each node, for openraft.
pub(super) struct Network(pub(super) Arc<Links>);

/// The way to one node, for openraft.
pub(super) struct Way {
    links: Arc<Links>,
    to: u64,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> Way {
        Way {
            links: self.0.clone(),
            to: target,
        }
    }
}

type Failed<E> = RPCError<u64, EmptyNode, RaftError<u64, E>>;

impl Way {
    async fn ask<E: std::error::Error>(
        &self,
        body: Body,
        deadline: Duration,
    ) -> Result<Answer, Failed<E>> {
        let called = self.links.call(host(self.to), body, deadline).await;
        called.map_err(|error| self.failed(&error))
    }

    fn failed<E: std::error::Error>(&self, error: &CallError) -> Failed<E> {
        match error {
            CallError::Refused(NoAnswer::Stopped) => {
                let stopped = RaftError::Fatal(Fatal::Stopped);
                RPCError::RemoteError(RemoteError::new(self.to, stopped))
            }
            other => RPCError::Unreachable(Unreachable::new(other)),
        }
    }
}

impl RaftNetwork<Types> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failed<openraft::error::Infallible>> {
        let age = self.links.quorum_age().as_millis();
        let quorum_age_ms = u64::try_from(age).unwrap_or(u64::MAX);
        let body = Body::Append { rpc, quorum_age_ms };
        match self.ask(body, option.hard_ttl()).await? {
            Answer::Append(response) => Ok(response),
            _ => Err(self.failed(&CallError::OtherAnswer)),
        }
    }

    async fn install_snapshot(
        &mut self,
        _rpc: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failed<openraft::error::InstallSnapshotError>> {
        // Only the default `full_snapshot` would call it.
        Err(self.failed(&CallError::OtherAnswer))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failed<openraft::error::Infallible>> {
        match self.ask(Body::Vote(rpc), option.hard_ttl()).await? {
            Answer::Vote(response) => Ok(response),
            _ => Err(self.failed(&CallError::OtherAnswer)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<Types, Fatal<u64>>> {
        let body = Body::Snapshot {
            vote,
            meta: snapshot.meta,
            bytes: snapshot.snapshot.into_inner(),
        };
        let call = self.links.call(host(self.to), body, option.hard_ttl());
        let answer = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = call => answer,
        };
        match answer {
            Ok(Answer::Snapshot(response)) => Ok(response),
            Ok(_) => Err(Unreachable::new(&CallError::OtherAnswer).into()),
            Err(error) => Err(Unreachable::new(&error).into()),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY))
    }
}
