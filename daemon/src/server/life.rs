//! One life of the daemon as a host: alone, or with its place among the others, until its end.
//!
//! A daemon that the others regard as lost, and that is to come back, has another life: a state, a
//! runtime and connections of its own. Of the former one only the lock, the socket's name, the log and
//! the handlers of signals are left, so that nothing of it can be mixed up with what comes.

use super::fabric;
use super::hub::{Facts, Hub, Shared};
use super::log::Log;
use super::place::Place;
use super::returning::{self, Home};
use super::{Join, Options, ServeError, cluster_place, connection, host_name, joining, shm};
use crate::cluster::mesh;
use crate::cluster::trust::DaemonId;
use crate::host::detach::Readiness;
use crate::host::facts;
use crate::host::stage::store;
use crate::job::life::GRACE;
use std::os::unix::net::UnixListener as StdListener;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

/// Pause after a failed accept: the system has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest time for the last words to clients.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What all lives have in common.
pub(super) struct Daemon<'a> {
    pub options: &'a Options,
    pub place: &'a Place,
    pub log: Log,
    pub since: Instant,
    pub open_files: Option<u64>,
    /// Made in the first life.
    pub signals: Option<Signals>,
    pub readiness: &'a mut Readiness,
}

/// How a life begins.
pub(super) enum Start {
    /// With a place in a virtual machine, or alone: before that nobody is served.
    Fresh(Option<Join>),
    /// Without a place, which is looked for while clients are served.
    Return(Home),
}

/// How a life ends.
pub(super) enum End {
    /// The daemon is halted, or idle.
    ForGood,
    /// The others go on without this host, which is to come back. Clients that come meanwhile wait at
    /// the listener.
    Expelled(Box<Home>, StdListener),
}

/// What the system tells the daemon. No signal is missed between two lives.
pub(super) struct Signals {
    children: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Taken so that the loss of a terminal does not end a daemon in the foreground silently.
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            children: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Daemon<'_> {
    /// Lives once.
    pub(super) fn live(&mut self, start: Start, listener: StdListener) -> Result<End, ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let local = LocalSet::new();
        let lived = local.block_on(&runtime, async {
            let signals = match self.signals.take() {
                Some(signals) => signals,
                None => Signals::new()?,
            };
            let hub = self.hub()?;
            match start {
                Start::Fresh(None) => {}
                Start::Fresh(Some(join)) => become_part(&hub, &join).await?,
                Start::Return(home) => returning::begin(&hub, home),
            }
            let mut server = Server {
                hub,
                place: self.place,
                listener: Some(UnixListener::from_std(listener)?),
                signals,
            };
            tracing::info!(
                "pvmd {} (pid {}) serves at {}",
                env!("CARGO_PKG_VERSION"),
                std::process::id(),
                self.place.socket.display()
            );
            let me = server.hub.borrow().hosts.me;
            self.readiness.ready(&joining::words(me));
            server.serve().await;
            let end = server.end().await?;
            self.signals = Some(server.signals);
            Ok(end)
        });
        drop(local);
        // What the system keeps waiting is not waited for.
        runtime.shutdown_background();
        lived
    }

    fn hub(&self) -> Result<Shared, ServeError> {
        let options = self.options;
        let host = options.host.clone();
        let facts = Facts {
            host: host.unwrap_or_else(|| host_name(&options.name)),
            daemon: DaemonId::random()?,
            socket: self.place.socket.clone(),
            cpus: facts::cpus(),
            since: self.since,
            idle: options.idle,
            plain_data: options.plain_data,
            open_files: self.open_files,
            log: self.log.clone(),
        };
        let page = shm::host_page(facts.cpus).map_err(std::io::Error::other)?;
        let place = cluster_place(options, self.place);
        Ok(Hub::new(facts, Rc::new(place), page))
    }
}

struct Server<'a> {
    hub: Shared,
    place: &'a Place,
    /// `None` once a halt is under way.
    listener: Option<UnixListener>,
    signals: Signals,
}

impl Server<'_> {
    async fn serve(&mut self) {
        let changes = self.hub.borrow().changes();
        let mut idle_since = Instant::now();
        loop {
            let (deadline, patience, is_halting) = {
                let hub = self.hub.borrow();
                if hub.is_over() {
                    break;
                }
                let is_for_good = hub.is_halting() && !hub.is_to_return();
                if is_for_good && self.listener.take().is_some() {
                    self.place.hide();
                }
                (hub.next_deadline(), hub.patience(), hub.is_halting())
            };
            if patience.is_none() {
                idle_since = Instant::now();
            }
            // `None` also when that is beyond all time.
            let leave_at = patience.and_then(|patience| idle_since.checked_add(patience));
            let signals = &mut self.signals;
            tokio::select! {
                accepted = accept(self.listener.as_ref()), if !is_halting => self.welcome(accepted).await,
                () = changes.notified() => {}
                () = sleep_until(deadline) => self.hub.borrow_mut().tick(Instant::now()),
                () = sleep_until(leave_at) => if self.may_leave() { break },
                _ = signals.children.recv() => self.hub.borrow_mut().reap(),
                _ = signals.terminate.recv() => self.hub.borrow_mut().halt(None, GRACE),
                _ = signals.interrupt.recv() => self.hub.borrow_mut().halt(None, GRACE),
                _ = signals.hangup.recv() => self.hub.borrow_mut().halt(None, GRACE),
            }
        }
    }

    async fn welcome(&self, accepted: std::io::Result<tokio::net::UnixStream>) {
        match accepted {
            Ok(stream) => {
                tokio::task::spawn_local(connection::serve(self.hub.clone(), stream));
            }
            Err(e) => {
                tracing::warn!("a client could not be accepted: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    /// Takes the socket's name away and looks whether somebody has come at the last moment; then
    /// the daemon stays.
    fn may_leave(&mut self) -> bool {
        self.place.hide();
        let Some(listener) = self.listener.take() else {
            return true;
        };
        let Ok(old) = listener.into_std() else {
            return true;
        };
        let mut late = Vec::new();
        while let Ok((stream, _)) = old.accept() {
            late.push(stream);
        }
        if late.is_empty() {
            return true;
        }
        let listener = self.place.listen().and_then(UnixListener::from_std);
        self.listener = listener
            .inspect_err(|e| tracing::error!("cannot listen: {e}"))
            .ok();
        for stream in late {
            let ready = stream.set_nonblocking(true);
            if let Ok(stream) = ready.and_then(|()| tokio::net::UnixStream::from_std(stream)) {
                tokio::task::spawn_local(connection::serve(self.hub.clone(), stream));
            }
        }
        false
    }

    /// Takes leave of everybody.
    async fn end(&mut self) -> std::io::Result<End> {
        let home = self.hub.borrow_mut().home.take();
        // First, or what arrives now would stay; and who is idle was not halted.
        self.hub.borrow().store.close();
        match home.zip(self.listener.take()) {
            Some((home, listener)) => {
                self.say_goodbye(false).await;
                store::clear(&self.place.socket);
                Ok(End::Expelled(home, listener.into_std()?))
            }
            None => {
                tracing::info!("pvmd leaves");
                self.place.leave();
                self.say_goodbye(true).await;
                Ok(End::ForGood)
            }
        }
    }

    /// `belongs`: the others still count on this host.
    async fn say_goodbye(&mut self, belongs: bool) {
        let (fabric, everywhere) = {
            let mut hub = self.hub.borrow_mut();
            (hub.fabric.take(), hub.ends_everywhere)
        };
        if let Some(fabric) = &fabric
            && belongs
            && !everywhere
        {
            fabric.leave().await;
        }
        let outboxes = self.hub.borrow_mut().say_goodbye();
        let flush = async {
            for outbox in outboxes {
                outbox.flushed().await;
            }
        };
        // A client that does not read is not waited for.
        let _ = tokio::time::timeout(LAST_WORDS, flush).await;
        if let Some(fabric) = fabric {
            fabric.shutdown().await;
        }
    }
}

async fn become_part(hub: &Shared, join: &Join) -> Result<(), ServeError> {
    let refused = |error: &dyn std::fmt::Display| ServeError::Join(error.to_string());
    let (secret, seeds, number, stays_with) = match join {
        Join::Secret {
            secret,
            seeds,
            number,
            stays_with,
        } => (secret.clone(), seeds.clone(), *number, *stays_with),
        Join::Token(token) => {
            let host = hub.borrow().facts.host.clone();
            let joined = mesh::join(token, &host).await.map_err(|e| refused(&e))?;
            (joined.secret, vec![joined.address], None, None)
        }
    };
    let options = fabric::FabricOptions {
        number,
        ..hub.borrow().fabric_options()
    };
    let joined = fabric::join(hub, secret, &seeds, options).await;
    joined.map_err(|error| refused(&error))?;
    hub.borrow_mut().stay_with(stays_with);
    Ok(())
}

async fn accept(listener: Option<&UnixListener>) -> std::io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
