//! The daemon: its sockets, its state, and what it does with both.
//!
//! - `hub` holds all state; `tasks`, `jobs`, `launch` and `request` are its methods
//! - `connection`, `stream`, `outbox`: clients and their frames
//! - `keepers`, `stdio`: the processes of jobs and their output
//! - `relay`, `route`: messages between tasks of two hosts, and their direct connections
//! - `stage`: copying programs to hosts that do not have them
//! - `exam`: looking at this host and its ways to others
//! - `place`, `log`: the daemon's files

mod assembly;
mod connection;
mod exam;
mod fabric;
mod failure;
mod hosts;
mod hub;
mod jobs;
pub mod joining;
mod keepers;
mod launch;
mod line;
mod log;
mod moving;
mod outbox;
mod part;
mod place;
mod relay;
mod remote;
mod request;
mod route;
mod shm;
mod stage;
mod stdio;
mod stream;
mod tasks;
mod wire;

use crate::cluster::mesh::{self, MeshOptions};
use crate::cluster::trust::{DaemonId, Secret, Token};
use crate::host::detach::Readiness;
use crate::host::{detach, facts, limits};
use crate::job::life::GRACE;
use hub::{ClusterPlace, Facts, Hub, Shared};
use log::Log;
use place::{NoPlace, Place};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixListener as StdListener;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the daemon is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name.
    pub name: String,
    /// It leaves after this long with nothing to do.
    pub idle: Option<Duration>,
    /// It logs to standard error.
    pub foreground: bool,
    /// What it calls its host; `None`: as the system does.
    pub host: Option<String>,
    /// The virtual machine of other hosts that it becomes part of.
    pub join: Option<Join>,
    /// The one address to listen at, once there are other hosts; `None`: all.
    pub address: Option<IpAddr>,
    /// The UDP port for them; 0: any that is free.
    pub port: u16,
    /// Direct connections between tasks that it arranges are not encrypted.
    pub plain_data: bool,
}

/// A virtual machine to become part of.
#[derive(Debug, Clone)]
pub enum Join {
    /// With its secret, through any of its daemons.
    Secret {
        /// What its members have in common.
        secret: Secret,
        /// Some of its daemons.
        seeds: Vec<SocketAddr>,
        /// The number that this host would have.
        number: Option<u16>,
    },
    /// With a token, which says where.
    Token(Token),
}

/// Pause after a failed accept: the system has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest time for the last words to clients.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why the daemon does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no place for it.
    #[error("{0}")]
    NoPlace(String),
    /// The system has refused something.
    #[error("pvmd cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// It has not become part of the virtual machine.
    #[error("pvmd cannot join the virtual machine: {0}")]
    Join(String),
}

/// Takes the daemon's place, says so through `readiness`, and serves until it is halted or idle.
///
/// # Errors
/// When it cannot start; `readiness` has been told then. That another daemon serves already is
/// not an error: `readiness` is told, and the text returned.
pub fn run(options: &Options, mut readiness: Readiness) -> Result<Option<String>, ServeError> {
    let (place, listener) = match Place::take(&options.name) {
        Ok(taken) => taken,
        Err(running @ NoPlace::AlreadyRunning(_)) => {
            let text = running.to_string();
            readiness.already_running(&text);
            return Ok(Some(text));
        }
        Err(e) => {
            readiness.failed(&format!("pvmd: {e}"));
            return Err(ServeError::NoPlace(e.to_string()));
        }
    };
    let served = serve_at(options, &place, listener, &mut readiness);
    place.leave();
    if let Err(e) = &served {
        readiness.failed(&e.to_string());
    }
    served.map(|()| None)
}

fn serve_at(
    options: &Options,
    place: &Place,
    listener: StdListener,
    readiness: &mut Readiness,
) -> Result<(), ServeError> {
    let log = match options.foreground {
        true => Log::stderr(),
        false => Log::file(place.log.clone()),
    };
    log.install(std::env::var(pvm::settings::LOG).ok().as_deref());
    // Standard error leads nowhere: what we did wrong ourselves is to be found in the log.
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::force_capture();
        tracing::error!("a fault of pvmd itself, please report it: {panic}\n{trace}");
    }));
    detach::become_subreaper();
    let facts = Facts {
        host: options
            .host
            .clone()
            .unwrap_or_else(|| host_name(&options.name)),
        daemon: DaemonId::random()?,
        socket: place.socket.clone(),
        cpus: facts::cpus(),
        since: Instant::now(),
        plain_data: options.plain_data,
        open_files: limits::raise_open_files().current,
        log,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let served = local.block_on(&runtime, async {
        let page = shm::host_page(facts.cpus).map_err(std::io::Error::other)?;
        let hub = Hub::new(facts, Rc::new(cluster_place(options, place)), page);
        if let Some(join) = &options.join {
            become_part(&hub, join).await?;
        }
        let mut server = Server {
            hub,
            place,
            listener: Some(UnixListener::from_std(listener)?),
            idle: options.idle,
            children: signal(SignalKind::child())?,
            ends: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            ],
            hangups: signal(SignalKind::hangup())?,
        };
        tracing::info!(
            "pvmd {} (pid {}) serves at {}",
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            server.place.socket.display()
        );
        readiness.ready();
        server.serve().await;
        Ok(())
    });
    drop(local);
    // What the system keeps waiting is not waited for.
    runtime.shutdown_background();
    served
}

struct Server<'a> {
    hub: Shared,
    place: &'a Place,
    /// `None` once a halt is under way.
    listener: Option<UnixListener>,
    idle: Option<Duration>,
    children: Signal,
    ends: [Signal; 2],
    /// Taken so that the loss of a terminal does not end a daemon in the foreground silently.
    hangups: Signal,
}

impl Server<'_> {
    async fn serve(&mut self) {
        let changes = self.hub.borrow().changes();
        let mut idle_since = Instant::now();
        loop {
            let (deadline, is_idle) = {
                let hub = self.hub.borrow();
                if hub.is_over() {
                    break;
                }
                if hub.is_halting() && self.listener.take().is_some() {
                    self.place.hide();
                }
                (hub.next_deadline(), hub.is_idle())
            };
            if !is_idle {
                idle_since = Instant::now();
            }
            // `None` also when that is beyond all time.
            let idle = self.idle.filter(|_| is_idle);
            let leave_at = idle.and_then(|idle| idle_since.checked_add(idle));
            let [terminate, interrupt] = &mut self.ends;
            tokio::select! {
                accepted = accept(self.listener.as_ref()) => self.welcome(accepted).await,
                () = changes.notified() => {}
                () = sleep_until(deadline) => self.hub.borrow_mut().tick(Instant::now()),
                () = sleep_until(leave_at) => if self.may_leave() { break },
                _ = self.children.recv() => self.hub.borrow_mut().reap(),
                _ = terminate.recv() => self.hub.borrow_mut().halt(None, GRACE),
                _ = interrupt.recv() => self.hub.borrow_mut().halt(None, GRACE),
                _ = self.hangups.recv() => self.hub.borrow_mut().halt(None, GRACE),
            }
        }
        tracing::info!("pvmd leaves");
        self.say_goodbye().await;
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

    async fn say_goodbye(&mut self) {
        self.listener = None;
        // First, or what arrives now would stay; and who is idle was not halted.
        self.hub.borrow().store.close();
        self.place.leave();
        let (fabric, everywhere) = {
            let mut hub = self.hub.borrow_mut();
            (hub.fabric.take(), hub.ends_everywhere)
        };
        if let Some(fabric) = &fabric
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

/// What this host is called when the user does not say: daemons with numbers at the ends of their names
/// are several hosts on one machine.
fn host_name(daemon: &str) -> String {
    let host = facts::host_name();
    match daemon.rsplit_once('.') {
        Some((_, number)) if number.parse::<u16>().is_ok() => format!("{host}-{number}"),
        _ => host,
    }
}

fn cluster_place(options: &Options, place: &Place) -> ClusterPlace {
    ClusterPlace {
        secret: pvm::session::secret_path().map_err(|error| error.to_string()),
        mesh: MeshOptions {
            address: options.address,
            port: options.port,
            host: String::new(),
        },
        // The lock of this file name is held: there is no other daemon like this one.
        key: format!(
            "{}:{}:{}",
            facts::machine_id(),
            facts::host_name(),
            place.socket.display()
        ),
    }
}

async fn become_part(hub: &Shared, join: &Join) -> Result<(), ServeError> {
    let refused = |error: &dyn std::fmt::Display| ServeError::Join(error.to_string());
    let (secret, seeds, number) = match join {
        Join::Secret {
            secret,
            seeds,
            number,
        } => (secret.clone(), seeds.clone(), *number),
        Join::Token(token) => {
            let host = hub.borrow().facts.host.clone();
            let joined = mesh::join(token, &host).await.map_err(|e| refused(&e))?;
            (joined.secret, vec![joined.address], None)
        }
    };
    let options = fabric::FabricOptions {
        number,
        ..hub.borrow().fabric_options()
    };
    let joined = fabric::join(hub, secret, &seeds, options).await;
    joined.map_err(|error| refused(&error))
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
