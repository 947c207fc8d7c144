//! The other hosts of the virtual machine: what is known of them, and asking them.
//!
//! A daemon is a client of every other daemon, with the requests that its own clients use and some
//! more. What it asks is answered exactly once: by the other daemon or, when that host is lost, by a
//! failure. What the other daemon says by itself are events of job parts and of watched tasks.

use super::fabric::Fabric;
use super::failure::failure;
use super::hub::{Asked, ClientId, Hub, Role, Shared};
use super::outbox::Outbox;
use crate::cluster::registry::{HostFacts, HostId, HostRecord};
use crate::cluster::trust::DaemonId;
use crate::job::life::GRACE;
use crate::job::numbers::Numbers;
use crate::job::place::Candidate;
use prost::Message;
use pvm::ids::{JobId, TaskId};
use pvm::limits::{CONTROL_FRAME_MAX, HOST_ANSWER_MS, PEER_SILENCE_MS};
use pvm::wire::control::{
    DataFormat, EndReason, Failure, FailureCode, FromDaemon, ToDaemon, from_daemon, to_daemon,
};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

const HOST_ANSWER: Duration = Duration::from_millis(HOST_ANSWER_MS);

/// The place of a host that is alone.
pub const FIRST: HostId = HostId::new(1, 1);

/// What is done with an answer.
pub type Continuation = Box<dyn FnOnce(&mut Hub, Result<from_daemon::Body, Failure>)>;

/// How a host has come to be gone.
#[derive(Debug, Clone, Copy)]
pub enum Gone<'a> {
    /// Nobody could reach it; why it was looked for.
    Lost(&'a str),
    /// By itself, in good order.
    Left,
}

/// Another host that lives.
pub struct Other {
    pub(super) id: HostId,
    pub(super) facts: HostFacts,
    /// As whom it asks us.
    pub(super) client: ClientId,
    /// What we ask it.
    calls: Outbox,
    last_request: u64,
    pending: HashMap<u64, Continuation>,
}

/// All hosts.
pub struct Hosts {
    /// This one.
    pub(super) me: HostId,
    pub(super) others: BTreeMap<u16, Other>,
    /// Those that were silent when this host lost the majority.
    pub(super) unheard: Vec<HostId>,
    /// Names of all that ever were.
    names: BTreeMap<u16, String>,
}

impl Default for Hosts {
    fn default() -> Self {
        Hosts {
            me: FIRST,
            others: BTreeMap::new(),
            unheard: Vec::new(),
            names: BTreeMap::new(),
        }
    }
}

impl Hosts {
    /// Whether a task is, or was, one of this host.
    pub fn is_mine(&self, task: TaskId) -> bool {
        task.host() == self.me.index && task.incarnation() == self.me.incarnation
    }

    /// The place of a living other host.
    pub fn place(&self, index: u16) -> Option<HostId> {
        self.others.get(&index).map(|other| other.id)
    }

    /// The living other host that a task is on.
    pub fn of(&self, task: TaskId) -> Option<u16> {
        let other = self.others.get(&task.host())?;
        let is_current = other.id.incarnation == task.incarnation();
        (is_current && !self.is_mine(task)).then_some(task.host())
    }
}

/// The two queues of a host that has come: our questions to it, and our answers to its own.
pub struct Queues {
    /// Frames of [`ToDaemon`].
    pub calls: Outbox,
    /// Frames of [`FromDaemon`].
    pub answers: Outbox,
}

impl Hub {
    /// Another host is part of the virtual machine from now on.
    pub fn host_added(&mut self, record: &HostRecord) -> Queues {
        let (id, facts) = (record.id, record.facts.clone());
        let client = self.next_client();
        let queues = Queues {
            calls: Outbox::default(),
            answers: Outbox::default(),
        };
        let entry = super::hub::Client {
            outbox: queues.answers.clone(),
            pid: 0,
            role: Role::Host(id.index),
        };
        self.clients.insert(client, entry);
        let index = id.index;
        self.host_was(record);
        let other = Other {
            id,
            facts,
            client,
            calls: queues.calls.clone(),
            last_request: 0,
            pending: HashMap::new(),
        };
        self.hosts.others.insert(index, other);
        self.changed.notify_one();
        queues
    }

    /// Keeps the name of a host, which may be gone.
    pub(super) fn host_was(&mut self, record: &HostRecord) {
        let name = record.facts.name.clone();
        self.hosts.names.insert(record.id.index, name);
    }

    /// A host is lost, or has left: whatever was asked of it has failed, its tasks are dead, and what
    /// it had here ends.
    pub fn host_gone(&mut self, place: HostId, gone: Gone<'_>) {
        if self.stays_with == Some(place) {
            self.is_left_behind = true;
            self.changed.notify_one();
        }
        let other = self.hosts.others.get_mut(&place.index);
        let Some(other) = other.filter(|other| other.id == place) else {
            return;
        };
        let pending = std::mem::take(&mut other.pending);
        let (client, name) = (other.client, other.facts.name.clone());
        other.calls.break_off();
        let why = match gone {
            // The others may be faster than this one: it is their end that was asked for.
            Gone::Lost(why) if self.ends_everywhere => {
                tracing::info!("host {name} ({}) has ended: {why}", place.index);
                why
            }
            Gone::Lost(why) => {
                tracing::warn!("host {name} ({}) is lost: {why}", place.index);
                why
            }
            Gone::Left => {
                tracing::info!("host {name} ({}) has left", place.index);
                "it has left the virtual machine"
            }
        };
        self.hosts.others.remove(&place.index);
        self.client_gone(client);
        for then in pending.into_values() {
            then(self, Err(host_lost(&name, why)));
        }
        self.relays_lost(place);
        self.parts_lost(place);
        self.watched_lost(place);
        self.changed.notify_one();
    }

    /// Asks another host.
    pub(super) fn ask_host(
        &mut self,
        host: u16,
        body: to_daemon::Body,
        then: impl FnOnce(&mut Hub, Result<from_daemon::Body, Failure>) + 'static,
    ) {
        self.ask_numbered(host, body, then);
    }

    /// As [`Hub::ask_host`]. Returns the number of the request, unless it was refused at once.
    fn ask_numbered(
        &mut self,
        host: u16,
        body: to_daemon::Body,
        then: impl FnOnce(&mut Hub, Result<from_daemon::Body, Failure>) + 'static,
    ) -> Option<u64> {
        let Some(other) = self.hosts.others.get_mut(&host) else {
            let name = self.host_name(host);
            then(self, Err(host_lost(&name, "it is not there")));
            return None;
        };
        let request = other.last_request + 1;
        let message = ToDaemon {
            request,
            body: Some(body),
        };
        if message.encoded_len() > CONTROL_FRAME_MAX {
            let name = other.facts.name.clone();
            then(self, Err(too_large(&name)));
            return None;
        }
        other.last_request = request;
        other.pending.insert(request, Box::new(then));
        other.calls.push(&message, Vec::new());
        Some(request)
    }

    /// As [`Hub::ask_host`], for what users wait for: a host that is silent and not known to be lost
    /// has failed after a while. Its answer is not heard then.
    pub(super) fn ask_host_soon(
        &mut self,
        host: u16,
        body: to_daemon::Body,
        then: impl FnOnce(&mut Hub, Result<from_daemon::Body, Failure>) + 'static,
    ) {
        self.ask_host_within(host, body, HOST_ANSWER, then);
    }

    /// As [`Hub::ask_host_soon`], with another limit for the answer.
    pub(super) fn ask_host_within(
        &mut self,
        host: u16,
        body: to_daemon::Body,
        limit: Duration,
        then: impl FnOnce(&mut Hub, Result<from_daemon::Body, Failure>) + 'static,
    ) {
        let asked = self.ask_numbered(host, body, then);
        let (Some(request), Some(other)) = (asked, self.hosts.others.get(&host)) else {
            return;
        };
        let place = other.id;
        self.spawn(|hub| async move {
            tokio::time::sleep(limit).await;
            let hub = &mut *hub.borrow_mut();
            let other = hub.hosts.others.get_mut(&place.index);
            let Some(other) = other.filter(|other| other.id == place) else {
                return;
            };
            if let Some(then) = other.pending.remove(&request) {
                let why = format!("no answer for {} s", limit.as_secs_f64());
                let lost = host_lost(&other.facts.name, &why);
                then(hub, Err(lost));
            }
        });
    }

    /// Passes a request of a client on to another host, and its answer back.
    pub(super) fn ask_for(&mut self, asked: Asked, host: u16, body: to_daemon::Body) {
        self.ask_host_soon(host, body, move |hub, result| hub.conclude(asked, result));
    }

    /// The other host that is the home of a job.
    pub(super) fn home_elsewhere(&self, job: JobId) -> Option<u16> {
        let other = self.hosts.others.get(&job.host())?;
        let is_its = other.id.incarnation == job.incarnation();
        (is_its && job.host() != self.hosts.me.index).then_some(job.host())
    }

    /// Tells another host what needs no answer; nothing happens when it is lost.
    pub(super) fn tell_host(&self, host: u16, body: to_daemon::Body) {
        if let Some(other) = self.hosts.others.get(&host) {
            let message = ToDaemon {
                request: 0,
                body: Some(body),
            };
            other.calls.push(&message, Vec::new());
        }
    }

    /// Another host has answered or tells something.
    pub fn host_said(&mut self, place: HostId, message: FromDaemon) {
        let FromDaemon { request, body } = message;
        let other = self.hosts.others.get_mut(&place.index);
        let Some(other) = other.filter(|other| other.id == place) else {
            return;
        };
        let Some(body) = body else { return };
        if request == 0 {
            return self.host_event(place.index, body);
        }
        let Some(then) = other.pending.remove(&request) else {
            return;
        };
        match body {
            from_daemon::Body::Failure(failure) => then(self, Err(failure)),
            body => then(self, Ok(body)),
        }
    }

    fn host_event(&mut self, host: u16, body: from_daemon::Body) {
        match body {
            from_daemon::Body::TaskStarted(started) => self.part_task_started(host, started),
            from_daemon::Body::TaskEnded(ended) => self.part_task_ended(host, ended),
            from_daemon::Body::Output(output) => self.part_output(host, output),
            from_daemon::Body::StdinDemand(demand) => self.part_demands(host, demand.job),
            from_daemon::Body::JobEnded(ended) => self.part_over(host, ended.job),
            from_daemon::Body::TaskExited(exited) => self.remote_task_exited(host, exited),
            _ => tracing::debug!("host {host} tells something that nobody waits for"),
        }
    }

    /// A request of another host, as one of its clients would make it.
    pub fn host_asks(&mut self, place: HostId, message: ToDaemon) {
        let other = self.hosts.others.get(&place.index);
        let Some(other) = other.filter(|other| other.id == place) else {
            return;
        };
        let asked = Asked {
            client: other.client,
            request: message.request,
        };
        self.request(asked, message.body, Vec::new());
    }

    /// The host behind a client.
    pub(super) fn host_of_client(&self, client: ClientId) -> Option<u16> {
        match self.clients.get(&client)?.role {
            Role::Host(index) => Some(index),
            _ => None,
        }
    }

    /// Name of a host, for people.
    pub(super) fn host_name(&self, index: u16) -> String {
        if index == self.hosts.me.index {
            return self.facts.host.clone();
        }
        let name = self.hosts.names.get(&index).cloned();
        name.unwrap_or_else(|| format!("host {index}"))
    }

    /// Where tasks can be started, this host first.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = vec![Candidate {
            index: self.hosts.me.index,
            name: self.facts.host.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpus: self.facts.cpus,
        }];
        candidates.extend(self.hosts.others.values().map(|other| Candidate {
            index: other.id.index,
            name: other.facts.name.clone(),
            architecture: other.facts.architecture.clone(),
            cpus: other.facts.cpus,
        }));
        candidates
    }

    /// What this host says of itself; its daemon's key and addresses are the fabric's to fill in.
    pub(super) fn own_facts(&self) -> HostFacts {
        HostFacts {
            daemon: self.daemon_id().0,
            key: String::new(),
            name: self.facts.host.clone(),
            addresses: Vec::new(),
            architecture: std::env::consts::ARCH.to_owned(),
            format: DataFormat::here(),
            cpus: self.facts.cpus,
            number: None,
            software: concat!("pvmd ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Which daemon this is.
    pub(super) fn daemon_id(&self) -> DaemonId {
        self.facts.daemon
    }

    /// This host has got its place in the virtual machine. There are no tasks yet.
    pub(super) fn settle(&mut self, me: HostId) {
        self.hosts.me = me;
        self.numbers = Numbers::new(me.index, me.incarnation);
    }

    /// With which host this one leaves. That host may have gone before this is known.
    pub(super) fn stay_with(&mut self, host: Option<HostId>) {
        let fabric = self.fabric.as_ref();
        let is_there = |host| fabric.is_some_and(|fabric| fabric.find(host).is_some());
        self.is_left_behind = host.is_some_and(|host| !is_there(host));
        self.stays_with = host;
        self.changed.notify_one();
    }

    /// This host is connected with the others.
    pub(super) fn connected(&mut self, fabric: Rc<Fabric>) {
        self.fabric = Some(fabric);
        self.is_returning = false;
        self.is_cut_off = false;
    }

    /// No majority of the voters is heard: elsewhere this host may be regarded as lost. Its tasks must
    /// not go on as if nothing had happened.
    pub(super) fn quorum_lost(&mut self, silent: Duration) {
        tracing::error!(
            "no majority of the hosts answers for {} s: the tasks of this host are stopped",
            silent.as_secs()
        );
        self.is_cut_off = true;
        self.hosts.unheard = self.silent_hosts();
        self.end_all_jobs();
        self.spawn(forsake_silent);
    }

    /// Other hosts that no connection leads to.
    fn silent_hosts(&self) -> Vec<HostId> {
        let peers = self.fabric.as_ref().map(|fabric| fabric.mesh.peers());
        let peers = peers.unwrap_or_default();
        let is_silent = |other: &&Other| peers.iter().all(|peer| peer.id.0 != other.facts.daemon);
        let silent = self.hosts.others.values().filter(is_silent);
        silent.map(|other| other.id).collect()
    }

    /// A majority is heard again.
    pub(super) fn quorum_regained(&mut self) {
        tracing::info!("the virtual machine can decide again");
        self.is_cut_off = false;
    }

    fn end_all_jobs(&mut self) {
        for job in self.jobs.keys().copied().collect::<Vec<_>>() {
            self.drive(job, |life, now, out| {
                life.terminate(EndReason::EndPartitioned, GRACE, now, out);
            });
        }
    }
}

/// While this host is cut off nobody decides which hosts are lost. Its jobs, which end, do not wait for
/// their parts on hosts that are silent: there they end as well.
async fn forsake_silent(hub: Shared) {
    loop {
        {
            let mut hub = hub.borrow_mut();
            if !hub.is_cut_off || hub.jobs.is_empty() {
                return;
            }
            for host in hub.silent_hosts() {
                hub.parts_lost(host);
            }
        }
        tokio::time::sleep(Duration::from_millis(PEER_SILENCE_MS)).await;
    }
}

fn too_large(name: &str) -> Failure {
    failure(
        FailureCode::FailureResources,
        format!("cannot ask host {name}"),
        format!("the request has more than {CONTROL_FRAME_MAX} bytes"),
        "use fewer or shorter arguments and variables",
    )
}

/// What was asked for has an answer that does not go through a connection.
pub fn answer_too_large() -> Failure {
    failure(
        FailureCode::FailureResources,
        "cannot answer",
        format!("the answer has more than {CONTROL_FRAME_MAX} bytes"),
        "ask for less: name a job or a host",
    )
}

/// A host that does not answer any more.
pub fn host_lost(name: &str, why: &str) -> Failure {
    failure(
        FailureCode::FailureHostLost,
        format!("host {name} is lost"),
        why,
        "'pvm conf' lists the hosts",
    )
}
