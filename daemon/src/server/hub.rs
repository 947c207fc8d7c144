//! The daemon's state and how events change it.
//!
//! Everything runs on one thread, so the hub is a plain structure behind `Rc<RefCell>`: connection,
//! pipe and keeper tasks borrow it for one event at a time and never across an await. What is to
//! be written goes to outboxes, which never block.

use super::fabric::{Deferred, Fabric};
use super::hosts::{FIRST, Hosts, answer_too_large};
use super::jobs::JobEntry;
use super::outbox::Outbox;
use super::relay::Relays;
use super::request::GroupDesk;
use super::returning::Home;
use super::route::Introductions;
use super::shm::HostPage;
use super::tasks::Task;
use crate::cluster::mesh::MeshOptions;
use crate::cluster::registry::{Command, HostFacts, HostId, Registry};
use crate::cluster::trust::DaemonId;
use crate::host::stage::store::Store;
use crate::job::numbers::Numbers;
use crate::job::watch::Watches;
use prost::Message as _;
use pvm::ids::{JobId, TaskId};
use pvm::limits::CONTROL_FRAME_MAX;
use pvm::wire::control::{EndReason, Failure, FromDaemon, from_daemon};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

use super::log::Log;

/// The hub as everybody holds it.
pub type Shared = Rc<RefCell<Hub>>;

/// Number of a connection, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// A request that is to be answered, perhaps later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Who asked.
    pub client: ClientId,
    /// The number to repeat; 0: no answer is wanted.
    pub request: u64,
}

/// What a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A command-line tool, or a task that has left.
    Tool,
    /// A task.
    Task(TaskId),
    /// The daemon of another host, by its index.
    Host(u16),
}

/// One connection that has introduced itself.
pub struct Client {
    /// Where its messages go.
    pub outbox: Outbox,
    /// Its process.
    pub pid: u32,
    /// What it is.
    pub role: Role,
}

/// What does not change while the daemon lives.
pub struct Facts {
    /// Name of this host.
    pub host: String,
    /// Path of the daemon's socket.
    pub socket: PathBuf,
    /// Which daemon this is.
    pub daemon: DaemonId,
    /// CPUs of this host.
    pub cpus: u32,
    /// When the daemon started.
    pub since: Instant,
    /// It leaves after this long with nothing to do.
    pub idle: Option<Duration>,
    /// Direct connections between tasks are not encrypted.
    pub plain_data: bool,
    /// Soft limit of open files that tasks get.
    pub open_files: Option<u64>,
    /// For output that nobody else takes.
    pub log: Log,
}

/// At most one line about nonsense from clients in this time.
const NONSENSE_PAUSE: Duration = Duration::from_secs(1);

/// What a virtual machine of several hosts is to know of this one.
pub struct ClusterPlace {
    /// Where the secret is, or why that is not known.
    pub secret: Result<PathBuf, String>,
    /// Where to listen.
    pub mesh: MeshOptions,
    /// By what this host is known when it comes back.
    pub key: String,
}

/// All state of the daemon.
pub struct Hub {
    pub(super) me: Weak<RefCell<Hub>>,
    pub(super) facts: Facts,
    pub(super) clients: HashMap<ClientId, Client>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) jobs: BTreeMap<JobId, JobEntry>,
    /// Groups, as long as this host is alone.
    pub(super) registry: Registry,
    pub(super) desk: GroupDesk,
    pub(super) watches: Watches<ClientId>,
    /// Channel requests that wait for their peer to attach.
    pub(super) awaiting: BTreeMap<TaskId, Vec<(Asked, TaskId)>>,
    pub(super) numbers: Numbers,
    /// The other hosts of the virtual machine, and this one's place among them.
    pub(super) hosts: Hosts,
    /// Messages to and from other hosts.
    pub(super) relays: Relays,
    /// Direct connections of tasks that are being arranged.
    pub(super) introductions: Introductions,
    /// What connects this host with others, once there are any.
    pub(super) fabric: Option<Rc<Fabric>>,
    /// For tasks: what they are to know of this host.
    pub(super) host_page_fd: Rc<OwnedFd>,
    pub(super) host_page: HostPage,
    /// Requests for the halt under way; `None`: the daemon goes on.
    pub(super) halting: Option<Vec<Asked>>,
    /// It does not leave when it has nothing to do.
    pub(super) stays: bool,
    /// The halt is one of all hosts.
    pub(super) ends_everywhere: bool,
    /// No majority of the hosts is heard.
    pub(super) is_cut_off: bool,
    /// This host was regarded as lost and has no new place yet.
    pub(super) is_returning: bool,
    /// The end that is under way is one of this life only: where it comes back to.
    pub(super) home: Option<Box<Home>>,
    /// The host with which this one leaves.
    pub(super) stays_with: Option<HostId>,
    /// That host has gone.
    pub(super) is_left_behind: bool,
    /// Something has changed that the main loop looks at.
    pub(super) changed: Rc<Notify>,
    /// Those who wait for the virtual machine to be opened for other hosts.
    pub(super) opening: Vec<Asked>,
    /// Commands that wait for the same.
    pub(super) deferred: Vec<Deferred>,
    /// How this daemon would take part in a virtual machine of several hosts.
    pub(super) place: Rc<ClusterPlace>,
    /// How many tasks have been spawned, for taking turns among the hosts.
    pub(super) turn: Cell<usize>,
    /// Programs that this host has got from others.
    pub(super) store: Store,
    /// Examinations of this host that are under way.
    pub(super) exams: usize,
    last_client: u64,
    last_job: u32,
    nonsense: (Option<Instant>, u32),
}

impl Hub {
    /// An empty hub. `page` is the host page and its descriptor.
    pub fn new(
        facts: Facts,
        place: Rc<ClusterPlace>,
        (page_fd, host_page): (OwnedFd, HostPage),
    ) -> Shared {
        let store = Store::beside(&facts.socket);
        let hub = Rc::new_cyclic(|me| {
            RefCell::new(Hub {
                me: me.clone(),
                facts,
                clients: HashMap::new(),
                tasks: BTreeMap::new(),
                jobs: BTreeMap::new(),
                registry: Registry::default(),
                desk: GroupDesk::default(),
                watches: Watches::default(),
                awaiting: BTreeMap::new(),
                numbers: Numbers::new(FIRST.index, FIRST.incarnation),
                hosts: Hosts::default(),
                relays: Relays::default(),
                introductions: Introductions::default(),
                fabric: None,
                host_page_fd: Rc::new(page_fd),
                host_page,
                halting: None,
                stays: false,
                ends_everywhere: false,
                is_cut_off: false,
                is_returning: false,
                home: None,
                stays_with: None,
                is_left_behind: false,
                changed: Rc::new(Notify::new()),
                opening: Vec::new(),
                deferred: Vec::new(),
                place,
                turn: Cell::new(0),
                store,
                exams: 0,
                last_client: 0,
                last_job: 0,
                nonsense: (None, 0),
            })
        });
        {
            // The first host of a virtual machine, which has no others yet.
            let hub = &mut *hub.borrow_mut();
            let facts = HostFacts {
                key: "first".to_owned(),
                ..hub.own_facts()
            };
            hub.registry.apply(&Command::AddHost(facts));
        }
        hub
    }

    /// Runs something on the daemon's thread that may wait.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(&self, run: impl FnOnce(Shared) -> F) {
        if let Some(me) = self.me.upgrade() {
            tokio::task::spawn_local(run(me));
        }
    }

    /// Signalled when [`Hub::next_deadline`], [`Hub::patience`] or [`Hub::is_over`] may differ.
    pub fn changes(&self) -> Rc<Notify> {
        self.changed.clone()
    }

    pub(super) fn next_client(&mut self) -> ClientId {
        self.last_client += 1;
        ClientId(self.last_client)
    }

    pub(super) fn next_job(&mut self) -> JobId {
        self.last_job += 1;
        let HostId { index, incarnation } = self.hosts.me;
        JobId::new(index, incarnation, self.last_job)
    }

    /// Answers a request.
    pub(super) fn answer(&self, to: Asked, body: from_daemon::Body) {
        self.answer_with(to, body, Vec::new());
    }

    pub(super) fn answer_with(&self, to: Asked, body: from_daemon::Body, fds: Vec<Rc<OwnedFd>>) {
        if to.request != 0 {
            self.send(to.client, to.request, body, fds);
        }
    }

    /// Answers a request with its result.
    pub(super) fn conclude(&self, to: Asked, result: Result<from_daemon::Body, Failure>) {
        self.answer(to, result.unwrap_or_else(from_daemon::Body::Failure));
    }

    /// Sends an event.
    pub(super) fn tell(&self, client: ClientId, body: from_daemon::Body) {
        self.send(client, 0, body, Vec::new());
    }

    pub(super) fn send(
        &self,
        client: ClientId,
        request: u64,
        body: from_daemon::Body,
        fds: Vec<Rc<OwnedFd>>,
    ) {
        if let Some(client) = self.clients.get(&client) {
            let body = Some(body);
            let mut message = FromDaemon { request, body };
            if request != 0 && message.encoded_len() > CONTROL_FRAME_MAX {
                // It would end the connection, and to another daemon take all that waits with it.
                message.body = Some(from_daemon::Body::Failure(answer_too_large()));
            }
            client.outbox.push(&message, fds);
        }
    }

    /// When [`Hub::tick`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.jobs
            .values()
            .filter_map(|job| job.life.next_deadline())
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        let due = |job: &JobEntry| job.life.next_deadline().is_some_and(|at| at <= now);
        let jobs: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, j)| due(j))
            .map(|(id, _)| *id)
            .collect();
        for job in jobs {
            self.drive(job, |life, now, out| life.tick(now, out));
        }
    }

    /// After how long the daemon leaves, if it has nothing to do and does leave then.
    pub fn patience(&self) -> Option<Duration> {
        let patience = match self.is_left_behind {
            true => Some(Duration::ZERO),
            false => self.facts.idle,
        };
        patience.filter(|_| self.is_idle())
    }

    /// Whether the daemon has nothing to do for anybody.
    fn is_idle(&self) -> bool {
        let is_host = |client: &Client| matches!(client.role, Role::Host(_));
        let nobody = self.clients.values().all(is_host);
        nobody && self.jobs.is_empty() && self.tasks.is_empty() && !self.stays
    }

    /// Whether a halt is under way.
    pub fn is_halting(&self) -> bool {
        self.halting.is_some()
    }

    /// Whether a halt has come to its end.
    pub fn is_over(&self) -> bool {
        self.is_halting() && self.jobs.is_empty()
    }

    /// Ends all jobs and then the daemon.
    pub fn halt(&mut self, asked: Option<Asked>, grace: Duration) {
        self.home = None;
        self.halting.get_or_insert_default().extend(asked);
        self.store.close();
        let jobs: Vec<_> = self.jobs.keys().copied().collect();
        for job in jobs {
            self.drive(job, |life, now, out| {
                life.terminate(EndReason::EndDaemonHalt, grace, now, out);
            });
        }
        self.changed.notify_one();
    }

    /// The daemon's last act: answers those who asked for the halt. Returns all outboxes, to be
    /// written out.
    pub fn say_goodbye(&mut self) -> Vec<Outbox> {
        for asked in self.halting.take().unwrap_or_default() {
            self.answer(asked, from_daemon::Body::Done(Default::default()));
        }
        self.clients
            .values()
            .map(|client| client.outbox.clone())
            .collect()
    }

    /// Notes a client that sent nonsense, at a bounded rate.
    pub fn note_nonsense(&mut self, pid: u32, what: &dyn std::fmt::Display) {
        let now = Instant::now();
        let (last, suppressed) = self.nonsense;
        if last.is_some_and(|at| now < at + NONSENSE_PAUSE) {
            self.nonsense.1 += 1;
            return;
        }
        tracing::warn!("closed the connection of process {pid}: {what} ({suppressed} more before)");
        self.nonsense = (Some(now), 0);
    }
}
