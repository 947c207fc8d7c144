//! The daemon: its sockets, its state, and what it does with both.
//!
//! - `life`: the main loop; `returning`: another life, for a host that was regarded as lost
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
mod life;
mod line;
mod log;
mod moving;
mod outbox;
mod part;
mod place;
mod relay;
mod remote;
mod request;
mod returning;
mod route;
mod shm;
mod stage;
mod stdio;
mod stream;
mod tasks;
#[cfg(test)]
mod testing;
mod wire;

use crate::cluster::mesh::MeshOptions;
use crate::cluster::registry::HostId;
use crate::cluster::trust::{Secret, Token};
use crate::host::detach::{self, Readiness};
use crate::host::{facts, limits};
use hub::ClusterPlace;
use life::{Daemon, End, Start};
use log::Log;
use place::{NoPlace, Place};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixListener as StdListener;
use std::time::{Duration, Instant};

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
        /// The host with which this one leaves, when it has nothing to do.
        stays_with: Option<HostId>,
    },
    /// With a token, which says where.
    Token(Token),
}

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
    mut listener: StdListener,
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
    let mut daemon = Daemon {
        options,
        place,
        log,
        since: Instant::now(),
        open_files: limits::raise_open_files().current,
        signals: None,
        readiness,
    };
    let mut start = Start::Fresh(options.join.clone());
    loop {
        match daemon.live(start, listener)? {
            End::ForGood => return Ok(()),
            End::Expelled(home, kept) => (start, listener) = (Start::Return(*home), kept),
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
