//! What connects this daemon with those of other hosts: the mesh, the ledger, and the lines and streams
//! that go through the mesh. The hub decides, this moves.
//!
//! A daemon that is alone has none: no port is open and nothing is written down. It gets one when it
//! opens its virtual machine for others ([`found`]) or becomes part of one ([`join`]).

use super::hosts::Gone;
use super::hub::{Hub, Shared};
use super::line::{Carrier, Ended, Line};
use super::moving;
use super::outbox::Outbox;
use super::relay::Pair;
use super::stage;
use super::wire::{Directory, MeshWire};
use crate::cluster::ledger::{Admission, Config, Ledger, LedgerError, News, World};
use crate::cluster::mesh::proto::{self, Admit, Admitted};
use crate::cluster::mesh::{Head, Mesh, MeshEvent, MeshOptions, stream};
use crate::cluster::registry::{
    Command, Event, HostFacts, HostId, HostRecord, Outcome, Refusal, Registry,
};
use crate::cluster::trust::{DaemonId, Secret, Trust};
use pvm::ids::TaskId;
use pvm::limits::{
    ADMIT_DEADLINE_MS, ADMIT_PAUSE_MS, CONTROL_FRAME_MAX, LEDGER_FRAME_MAX, LEDGER_PROPOSE_MS,
    LINE_PAUSE_MAX_MS, LINE_PAUSE_MIN_MS, SEED_ATTEMPTS, SETTLE_MS,
};
use pvm::wire::control::{FromDaemon, Relay, ToDaemon};
use pvm::wire::value;
use quinn::RecvStream;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Longest time for the other hosts to agree that this one leaves.
const LEAVING: Duration = Duration::from_secs(2);
/// Of hosts whose end was missed.
const MEANWHILE: &str = "it was lost while this host was cut off";

/// Why this daemon is not connected with others.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// No credentials.
    #[error(transparent)]
    Trust(#[from] crate::cluster::trust::TrustError),
    /// No socket.
    #[error("cannot open a UDP port for other hosts: {0}")]
    Io(#[from] std::io::Error),
    /// No daemon of the virtual machine answers.
    #[error(transparent)]
    Connect(#[from] crate::cluster::mesh::ConnectError),
    /// The virtual machine does not take us.
    #[error("{0}")]
    Refused(String),
    /// The ledger does not run.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It took too long.
    #[error("not part of the virtual machine after {} s: {what}", after.as_secs())]
    TimedOut {
        /// How long it was tried.
        after: Duration,
        /// What has not happened.
        what: &'static str,
    },
}

/// How to take part.
#[derive(Debug, Clone, Default)]
pub struct FabricOptions {
    /// Where to listen.
    pub mesh: MeshOptions,
    /// By what this host is known when it comes back.
    pub key: String,
    /// Which host it would be, if anybody has said so.
    pub number: Option<u16>,
}

/// The connections of this daemon with others.
pub struct Fabric {
    /// What the hosts have in common.
    pub(super) secret: Secret,
    pub(super) mesh: Mesh,
    pub(super) ledger: Ledger,
    directory: Directory,
    /// Streams that carry what other hosts ask.
    carriers: RefCell<HashMap<HostId, UnboundedSender<Carrier>>>,
    /// Whether this host has been told that it is one of them. What it was told before is the past.
    belongs: Cell<bool>,
}

/// Opens the virtual machine of this daemon, which is alone, for others.
///
/// # Errors
/// See [`FabricError`].
pub async fn found(
    hub: &Shared,
    secret: Secret,
    options: FabricOptions,
) -> Result<(), FabricError> {
    let id = hub.borrow().daemon_id();
    let (mesh, events) = start_mesh(secret.clone(), id, &options)?;
    let directory = Directory::default();
    let facts = facts(hub, &mesh, &options);
    let world = world(&mesh, &directory);
    let groups = hub.borrow().registry.clone();
    let (ledger, news) = Ledger::found(Config::default(), facts, groups, world).await?;
    let fabric = Fabric {
        secret,
        mesh,
        ledger,
        directory,
        carriers: RefCell::default(),
        belongs: Cell::default(),
    };
    install(hub, Rc::new(fabric), events, news);
    Ok(())
}

/// Makes this daemon, which has no tasks, a host of the virtual machine that the seeds belong to.
///
/// # Errors
/// See [`FabricError`].
pub async fn join(
    hub: &Shared,
    secret: Secret,
    seeds: &[SocketAddr],
    options: FabricOptions,
) -> Result<(), FabricError> {
    let limit = Duration::from_millis(ADMIT_DEADLINE_MS);
    let id = hub.borrow().daemon_id();
    let (mesh, events) = start_mesh(secret.clone(), id, &options)?;
    let directory = Directory::default();
    let facts = facts(hub, &mesh, &options);
    let admitted = tokio::time::timeout(limit, admission(&mesh, seeds, &facts)).await;
    let late = |_| FabricError::TimedOut {
        after: limit,
        what: "no leader has admitted this host",
    };
    let (admission, hosts) = admitted.map_err(late)??;
    hosts.iter().for_each(|host| directory.learn(host));
    let id = admission.record.id;
    hub.borrow_mut().settle(id);
    let world = world(&mesh, &directory);
    let (ledger, news) = Ledger::join(Config::default(), &admission, world).await?;
    let fabric = Rc::new(Fabric {
        secret,
        mesh,
        ledger: ledger.clone(),
        directory,
        carriers: RefCell::default(),
        belongs: Cell::default(),
    });
    install(hub, fabric.clone(), events, news);
    let here = async {
        while !fabric.belongs.get() {
            // The ledger tells its news to the hub alone.
            tokio::time::sleep(Duration::from_millis(ADMIT_PAUSE_MS)).await;
        }
    };
    let late = |_| FabricError::TimedOut {
        after: limit,
        what: "the others have not told what has happened",
    };
    tokio::time::timeout(limit, here).await.map_err(late)?;
    let settled = async {
        while !ledger.is_settled() {
            tokio::time::sleep(Duration::from_millis(ADMIT_PAUSE_MS)).await;
        }
    };
    // When it takes long, because other hosts are in trouble, this one can serve all the same.
    let _ = tokio::time::timeout(Duration::from_millis(SETTLE_MS), settled).await;
    Ok(())
}

fn start_mesh(
    secret: Secret,
    id: DaemonId,
    options: &FabricOptions,
) -> Result<(Mesh, UnboundedReceiver<MeshEvent>), FabricError> {
    let trust = Trust::new(secret, id)?;
    Ok(Mesh::start(trust, options.mesh.clone())?)
}

fn world(mesh: &Mesh, directory: &Directory) -> World {
    let wire = Arc::new(MeshWire::new(mesh.clone(), directory.clone()));
    World {
        wire: wire.clone(),
        prober: wire,
    }
}

fn facts(hub: &Shared, mesh: &Mesh, options: &FabricOptions) -> HostFacts {
    let own = hub.borrow().own_facts();
    HostFacts {
        daemon: mesh.id().0,
        key: options.key.clone(),
        number: options.number,
        addresses: mesh.local_addresses(),
        ..own
    }
}

/// Asks to be admitted until it is decided. A former life of this host may have to be found dead first.
async fn admission(
    mesh: &Mesh,
    seeds: &[SocketAddr],
    facts: &HostFacts,
) -> Result<(Admission, Vec<HostRecord>), FabricError> {
    let mut attempts = 1;
    loop {
        let seed = match mesh.connect_seed(seeds).await {
            Err(error) if error.is_silence() && attempts < SEED_ATTEMPTS => {
                attempts += 1;
                continue;
            }
            reached => reached?,
        };
        match ask_admission(mesh, seed.id, facts).await {
            Ok(Ok(admitted)) => return Ok(admitted),
            Ok(Err(Refusal::HostLives(_))) | Err(_) => {}
            Ok(Err(refusal)) => return Err(FabricError::Refused(refusal.to_string())),
        }
        tokio::time::sleep(Duration::from_millis(ADMIT_PAUSE_MS)).await;
    }
}

type Verdict = Result<(Admission, Vec<HostRecord>), Refusal>;

async fn ask_admission(mesh: &Mesh, seed: DaemonId, facts: &HostFacts) -> Result<Verdict, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let facts = value::encode(facts).map_err(|e| text(&e))?;
    let opened = mesh.open_bi(seed, Head::Admit(Admit { facts })).await;
    let (_send, mut recv) = opened.map_err(|e| text(&e))?;
    let answer: Option<Admitted> = stream::receive(&mut recv, CONTROL_FRAME_MAX)
        .await
        .map_err(|e| text(&e))?;
    let verdict = answer.ok_or("no answer")?.verdict;
    let verdict: Option<Verdict> = value::decode(&verdict).map_err(|e| text(&e))?;
    verdict.ok_or_else(|| "no leader".to_owned())
}

fn install(
    hub: &Shared,
    fabric: Rc<Fabric>,
    events: UnboundedReceiver<MeshEvent>,
    news: UnboundedReceiver<News>,
) {
    hub.borrow_mut().connected(fabric.clone());
    tokio::task::spawn_local(watch_mesh(hub.clone(), fabric.clone(), events));
    tokio::task::spawn_local(moving::watch(hub.clone(), Rc::downgrade(&fabric)));
    tokio::task::spawn_local(follow_ledger(hub.clone(), fabric, news));
}

async fn watch_mesh(hub: Shared, fabric: Rc<Fabric>, mut events: UnboundedReceiver<MeshEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            MeshEvent::Connected(peer) => {
                tracing::debug!("connected with {} at {}", peer.host, peer.address);
            }
            MeshEvent::Lost { id, reason } => {
                if let Some(host) = fabric.directory.of(id) {
                    fabric.ledger.suspect(host, &reason.to_string());
                }
            }
            MeshEvent::Bi {
                from,
                head,
                send,
                recv,
            } => fabric.bi_stream(&hub, from, head, (send, recv)),
            MeshEvent::Uni { from, head, recv } => fabric.uni_stream(&hub, from, head, recv),
            MeshEvent::Invited { host, address } => {
                tracing::info!("{host} at {address} has used a token");
            }
        }
    }
}

impl Fabric {
    fn bi_stream(self: &Rc<Self>, hub: &Shared, from: DaemonId, head: Head, carrier: Carrier) {
        match head {
            Head::Control(_) => {
                let host = self.directory.of(from);
                let carriers = self.carriers.borrow();
                if let Some(line) = host.and_then(|host| carriers.get(&host)) {
                    // Its reader ends with the host.
                    let _ = line.send(carrier);
                }
            }
            Head::Rpc(_) => {
                tokio::spawn(answer_rpc(self.ledger.clone(), carrier));
            }
            Head::Admit(admit) => {
                tokio::task::spawn_local(admit_host(self.clone(), admit, carrier));
            }
            Head::Fetch(fetch) => {
                let host = self.directory.of(from);
                let path = host.and_then(|host| hub.borrow().offered(host, &fetch));
                tokio::task::spawn_local(stage::serve(path, carrier));
            }
            Head::Relay(_) => {}
        }
    }

    fn uni_stream(&self, hub: &Shared, from: DaemonId, head: Head, recv: RecvStream) {
        let Head::Relay(relay) = head else { return };
        let ends = TaskId::from_bits(relay.from).zip(TaskId::from_bits(relay.to));
        let Some((sender, to)) = ends else { return };
        let pair = Pair { from: sender, to };
        // A daemon speaks for its own tasks only.
        if self.directory.of(from) == Some(HostId::of(sender)) {
            tokio::task::spawn_local(take_relay(hub.clone(), pair, recv));
        }
    }

    /// Carries the messages of one task to another until their outbox is closed.
    pub(super) fn carry_relay(&self, hub: &Hub, host: HostId, pair: Pair, outbox: Outbox) {
        let (mesh, directory) = (self.mesh.clone(), self.directory.clone());
        hub.spawn(|hub| async move {
            if let Err(why) = send_relay(&mesh, &directory, host, pair, &outbox).await {
                tracing::debug!("messages from {} to {} are cut: {why}", pair.from, pair.to);
                outbox.break_off();
                // The task tries again at once: a host that is just leaving refuses as fast.
                tokio::time::sleep(Duration::from_millis(LINE_PAUSE_MIN_MS)).await;
                hub.borrow_mut().relay_lost(pair);
            }
        });
    }

    /// Another host belongs: both lines to it are drawn.
    fn host_added(self: &Rc<Self>, hub: &Shared, record: &HostRecord) {
        self.directory.learn(record);
        if record.id == self.ledger.me() {
            return;
        }
        let (carriers, accepted) = mpsc::unbounded_channel();
        self.carriers.borrow_mut().insert(record.id, carriers);
        let queues = hub.borrow_mut().host_added(record);
        tokio::task::spawn_local(ask(hub.clone(), self.clone(), record.id, queues.calls));
        tokio::task::spawn_local(answer(hub.clone(), record.id, queues.answers, accepted));
    }

    /// Whether a host belongs now, whatever is still to be told.
    fn lives(&self, host: HostId) -> bool {
        self.ledger
            .read(|registry| registry.hosts().is_living(host))
    }

    fn host_gone(&self, hub: &Shared, host: HostId, gone: Gone<'_>) {
        self.directory.forget(host);
        self.carriers.borrow_mut().remove(&host);
        hub.borrow_mut().host_gone(host, gone);
    }

    /// What the ledger says is so now, after events were missed.
    fn reset(self: &Rc<Self>, hub: &Shared, registry: &Registry) {
        if self.belongs.get() || registry.hosts().is_living(self.ledger.me()) {
            self.belongs.set(true);
            self.reset_hosts(hub, registry);
        }
        hub.borrow_mut().groups_reset(registry);
    }

    fn reset_hosts(self: &Rc<Self>, hub: &Shared, registry: &Registry) {
        // First, because a host that came back meanwhile has the index of its former life.
        for (gone, daemon) in self.directory.missing_in(registry) {
            let mut living = registry.hosts().living();
            let is_back = living.any(|record| record.facts.daemon == daemon.0);
            self.host_gone(hub, gone, Gone::Lost(MEANWHILE));
            if !is_back {
                self.mesh.close(daemon);
            }
        }
        let living = registry.hosts().living();
        living.for_each(|record| self.meet(hub, record));
    }

    /// This host belongs, and meets those that do.
    fn arrive(self: &Rc<Self>, hub: &Shared) {
        self.belongs.set(true);
        let living = |registry: &Registry| registry.hosts().living().cloned().collect();
        let living: Vec<HostRecord> = self.ledger.read(living);
        living.iter().for_each(|record| self.meet(hub, record));
    }

    /// Draws the lines to a host that belongs, unless they are drawn.
    fn meet(self: &Rc<Self>, hub: &Shared, record: &HostRecord) {
        // Where a host is may be known since this one was admitted, before anything was told.
        let is_drawn = self.carriers.borrow().contains_key(&record.id);
        match is_drawn {
            true => self.directory.learn(record),
            false => self.host_added(hub, record),
        }
    }

    /// The daemon of a host, and where it is.
    pub(super) fn find(&self, host: HostId) -> Option<(DaemonId, Vec<SocketAddr>)> {
        self.directory.find(host)
    }

    /// The daemons of the other hosts.
    pub(super) fn others(&self) -> Vec<(DaemonId, Vec<SocketAddr>)> {
        self.directory.all_but(self.ledger.me())
    }

    /// Addresses to tell others.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.mesh.local_addresses()
    }

    /// Takes leave of the other hosts.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.ledger.leave(LEAVING).await {
            tracing::warn!("the other hosts may think that this one was lost: {error}");
        }
    }

    /// Ends; to other hosts that are left this one is lost.
    pub(super) async fn shutdown(&self) {
        self.ledger.shutdown().await;
        self.mesh.shutdown().await;
    }
}

async fn follow_ledger(hub: Shared, fabric: Rc<Fabric>, mut news: UnboundedReceiver<News>) {
    while let Some(news) = news.recv().await {
        match news {
            News::Event { event, .. } => hear(&hub, &fabric, event),
            News::Reset { registry, .. } => fabric.reset(&hub, &registry),
            News::QuorumLost { silent } => hub.borrow_mut().quorum_lost(silent),
            News::QuorumRegained => hub.borrow_mut().quorum_regained(),
            News::TakenOver => tracing::warn!("the other host is silent: this one goes on alone"),
            News::Expelled => hub.borrow_mut().expelled(),
        }
    }
}

/// What an event is to a host that is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It was before this host belonged, which is told all that there was.
    Past,
    /// It belongs from here on.
    Arrival,
    /// It is news.
    News,
}

fn hear(hub: &Shared, fabric: &Rc<Fabric>, event: Event) {
    match told(&event, fabric.ledger.me(), fabric.belongs.get()) {
        Told::Past => had_happened(hub, fabric, event),
        Told::Arrival => fabric.arrive(hub),
        Told::News => happened(hub, fabric, event),
    }
}

fn told(event: &Event, me: HostId, belongs: bool) -> Told {
    match event {
        _ if belongs => Told::News,
        Event::HostAdded(record) if record.id == me => Told::Arrival,
        _ => Told::Past,
    }
}

/// Of hosts of the past only the names are kept: that they came, and how they ended, is no news.
fn had_happened(hub: &Shared, fabric: &Fabric, event: Event) {
    match event {
        Event::HostAdded(record) => hub.borrow_mut().host_was(&record),
        Event::HostLost { .. } | Event::HostLeft(_) => {}
        Event::AddressesChanged(record) if !fabric.lives(record.id) => {}
        Event::AddressesChanged(record) => fabric.directory.learn(&record),
        event => hub.borrow_mut().group_event(event),
    }
}

fn happened(hub: &Shared, fabric: &Rc<Fabric>, event: Event) {
    match event {
        // What is told may be behind what is known: of a host that is gone already only the name is kept, and its
        // end is no news.
        Event::HostAdded(record) if !fabric.lives(record.id) => hub.borrow_mut().host_was(&record),
        Event::HostAdded(record) => fabric.meet(hub, &record),
        Event::HostLost { record, why } if record.id != fabric.ledger.me() => {
            fabric.mesh.close(DaemonId(record.facts.daemon));
            fabric.host_gone(hub, record.id, Gone::Lost(&why));
        }
        Event::HostLeft(record) if record.id != fabric.ledger.me() => {
            fabric.mesh.close(DaemonId(record.facts.daemon));
            fabric.host_gone(hub, record.id, Gone::Left);
        }
        Event::AddressesChanged(record) => fabric.directory.learn(&record),
        event => hub.borrow_mut().group_event(event),
    }
}

async fn answer_rpc(ledger: Ledger, (mut send, mut recv): Carrier) {
    let limit = Duration::from_millis(LEDGER_PROPOSE_MS);
    let request = stream::receive_all(&mut recv, LEDGER_FRAME_MAX);
    if let Ok(Ok(request)) = tokio::time::timeout(limit, request).await {
        let bytes = ledger.handle(&request).await;
        // Who does not wait for it any more asks again.
        let _ = tokio::time::timeout(limit, stream::send_all(&mut send, &bytes)).await;
    }
}

async fn admit_host(fabric: Rc<Fabric>, admit: Admit, (mut send, _recv): Carrier) {
    let Ok(facts) = value::decode::<HostFacts>(&admit.facts) else {
        return;
    };
    let verdict = match fabric.ledger.admit(facts).await {
        Ok(admission) => {
            let living = |registry: &Registry| registry.hosts().living().cloned().collect();
            Some(Ok((admission, fabric.ledger.read(living))))
        }
        Err(LedgerError::Refused(refusal)) => {
            if let Refusal::HostLives(former) = refusal {
                fabric
                    .ledger
                    .suspect(former, "its daemon was started again");
            }
            Some(Err(refusal))
        }
        Err(_) => None,
    };
    let verdict: Option<Verdict> = verdict;
    if let Ok(verdict) = value::encode(&verdict) {
        let _ = stream::send(&mut send, &Admitted { verdict }).await;
        let _ = send.finish();
    }
}

async fn take_relay(hub: Shared, pair: Pair, mut recv: RecvStream) {
    hub.borrow_mut().relay_begun(pair);
    let cleanly = loop {
        match stream::receive::<Relay>(&mut recv, CONTROL_FRAME_MAX).await {
            Ok(Some(relay)) => {
                let receiver = hub.borrow().receiver(pair);
                if let Some(outbox) = receiver {
                    // Many senders must not overwhelm a task that does not look for messages.
                    outbox.room().await;
                }
                hub.borrow_mut().relayed(pair, relay.data);
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    hub.borrow_mut().relay_ended(pair, cleanly);
}

async fn send_relay(
    mesh: &Mesh,
    directory: &Directory,
    host: HostId,
    pair: Pair,
    outbox: &Outbox,
) -> Result<(), String> {
    let (daemon, addresses) = directory.find(host).ok_or("the host is gone")?;
    let connected = mesh.connect(daemon, &addresses).await;
    connected.map_err(|error| error.to_string())?;
    let head = Head::Relay(proto::Relay {
        from: pair.from.bits(),
        to: pair.to.bits(),
    });
    let opened = mesh.open_uni(daemon, head).await;
    let mut send = opened.map_err(|error| error.to_string())?;
    while let Some(parcel) = outbox.next().await {
        let written = send.write_all(&parcel.bytes).await;
        written.map_err(|error| error.to_string())?;
        outbox.written(&parcel);
    }
    if outbox.is_broken() {
        return Ok(());
    }
    send.finish().map_err(|error| error.to_string())?;
    // What was written is the connection's to deliver; the other side sees the end behind it.
    let _ = send.stopped().await;
    Ok(())
}

/// The line on which this daemon asks another.
async fn ask(hub: Shared, fabric: Rc<Fabric>, host: HostId, calls: Outbox) {
    let mut line = Line::new(calls.clone());
    if !line.has_work().await {
        return;
    }
    let mut pause = Pause::default();
    while !calls.is_broken() {
        let begun = Instant::now();
        let why = match open_line(&fabric, host).await {
            Ok(carrier) => {
                let deliver = |message: FromDaemon| hub.borrow_mut().host_said(host, message);
                match line.run(carrier, std::future::pending(), deliver).await {
                    Ended::Broken(why) => why,
                    Ended::Closed | Ended::Replaced(_) => return,
                }
            }
            Err(why) => {
                fabric.ledger.suspect(host, &why);
                why
            }
        };
        tracing::debug!("the line to host {host} is cut: {why}");
        pause.after(begun.elapsed()).await;
    }
}

async fn open_line(fabric: &Fabric, host: HostId) -> Result<Carrier, String> {
    let found = fabric.directory.find(host);
    let (daemon, addresses) = found.ok_or("its addresses are not known")?;
    let connected = fabric.mesh.connect(daemon, &addresses).await;
    connected.map_err(|error| error.to_string())?;
    let opened = fabric
        .mesh
        .open_bi(daemon, Head::Control(proto::Control {}));
    opened.await.map_err(|error| error.to_string())
}

/// The line on which another daemon asks this one.
async fn answer(
    hub: Shared,
    host: HostId,
    answers: Outbox,
    mut carriers: UnboundedReceiver<Carrier>,
) {
    let mut line = Line::new(answers);
    let mut next = carriers.recv().await;
    while let Some(carrier) = next {
        let deliver = |message: ToDaemon| hub.borrow_mut().host_asks(host, message);
        let replacement = async {
            match carriers.recv().await {
                Some(carrier) => carrier,
                None => std::future::pending().await,
            }
        };
        next = match line.run(carrier, replacement, deliver).await {
            Ended::Replaced(carrier) => Some(carrier),
            Ended::Broken(_) => carriers.recv().await,
            Ended::Closed => None,
        };
    }
}

/// Between two attempts: longer the more often they fail at once.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Pause(Duration::from_millis(LINE_PAUSE_MIN_MS))
    }
}

impl Pause {
    async fn after(&mut self, attempt: Duration) {
        if attempt > Duration::from_millis(LINE_PAUSE_MAX_MS) {
            *self = Pause::default();
        }
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(LINE_PAUSE_MAX_MS));
    }
}

/// A command that waits, and what is done when it has been put in order.
pub type Deferred = (Command, Box<dyn FnOnce(&mut Hub, Result<Outcome, String>)>);

impl Hub {
    /// Puts an event in the order of the virtual machine. What comes of it is an event of its own.
    pub(super) fn submit(
        &mut self,
        command: Command,
        then: impl FnOnce(&mut Hub, Result<Outcome, String>) + 'static,
    ) {
        let Some(fabric) = &self.fabric else {
            if !self.opening.is_empty() {
                // What there is so far is being taken over into the ledger.
                return self.deferred.push((command, Box::new(then)));
            }
            for event in self.registry.apply(&command).events {
                self.group_event(event);
            }
            return;
        };
        let proposed = fabric.ledger.propose(command);
        self.spawn(|hub| async move {
            let result = proposed.await.map_err(|error| error.to_string());
            then(&mut hub.borrow_mut(), result);
        });
    }

    /// The virtual machine has been opened, or cannot be: what came meanwhile has its turn.
    pub(super) fn submit_deferred(&mut self) {
        for (command, then) in std::mem::take(&mut self.deferred) {
            self.submit(command, then);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::alone;

    fn on_founder<F: Future<Output = ()>>(test: impl FnOnce(Shared, Rc<Fabric>) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime.unwrap(), async {
            let hub = alone();
            let options = hub.borrow().fabric_options();
            let secret = Secret::generate().unwrap();
            found(&hub, secret, options).await.unwrap();
            let fabric = hub.borrow().fabric.clone().unwrap();
            test(hub, fabric.clone()).await;
            fabric.shutdown().await;
        });
    }

    fn another(hub: &Shared) -> HostFacts {
        HostFacts {
            daemon: 7,
            key: "there".to_owned(),
            name: "there".to_owned(),
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
            ..hub.borrow().own_facts()
        }
    }

    /// A host that joins notes the others when it is admitted, so that it can reach them.
    #[test]
    fn hosts_that_are_only_noted_are_added_by_a_reset() {
        on_founder(async |hub, fabric| {
            let mut registry = fabric.ledger.read(Clone::clone);
            let added = registry.apply(&Command::AddHost(another(&hub)));
            let Outcome::Host(record) = added.outcome else {
                panic!("it is not added");
            };
            fabric.directory.learn(&record);
            fabric.reset(&hub, &registry);
            assert_eq!(hub.borrow().hosts.place(record.id.index), Some(record.id));
            let lines = fabric.carriers.borrow().len();
            fabric.reset(&hub, &registry);
            assert_eq!((lines, fabric.carriers.borrow().len()), (1, 1));
        });
    }

    /// The past is told in parts: a host that it lost may live in what is known so far.
    #[test]
    fn who_was_there_before_this_host_is_met_when_it_comes() {
        on_founder(async |hub, fabric| {
            let me = fabric.ledger.me();
            let own = fabric
                .ledger
                .read(|registry| registry.hosts().record(me).cloned());
            let arrival = Event::HostAdded(Box::new(own.expect("the founder")));
            while !fabric.belongs.replace(false) {
                tokio::task::yield_now().await;
            }
            assert_eq!(told(&arrival, me, false), Told::Arrival);
            assert_eq!(told(&arrival, me, true), Told::News);

            let there = fabric.ledger.admit(another(&hub)).await.expect("admitted");
            let id = there.record.id;
            let addition = Event::HostAdded(Box::new(there.record));
            assert_eq!(told(&addition, me, false), Told::Past);
            while hub.borrow().host_name(id.index) != "there" {
                tokio::task::yield_now().await;
            }
            assert!(fabric.lives(id) && fabric.carriers.borrow().is_empty());
            assert_eq!(hub.borrow().hosts.place(id.index), None);
            fabric.arrive(&hub);
            assert!(fabric.belongs.get());
            assert_eq!(hub.borrow().hosts.place(id.index), Some(id));
            assert_eq!(told(&addition, me, true), Told::News);
        });
    }
}
