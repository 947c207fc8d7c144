//! Dialling: all addresses at a time, and the first that proves to be the right daemon is kept.

use super::Shared;
use super::error::{AddressError, ConnectError, Wanted, shown};
use super::peers::{DialNumber, Step};
use super::proto::{Greeting, Hello, HelloReply, Keep, Reason, Refusal, greeting};
use super::{Peer, endpoint, knock, serve, stream};
use crate::cluster::trust::{DaemonId, check_identity};
use pvm::limits::{ADDRESSES_MAX, GREETING_MAX, HANDSHAKE_DEADLINE_MS, MESH_VERSIONS};
use quinn::{Connection, Endpoint, SendStream};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A connection whose other end has proved who it is, and waits to hear whether we keep it.
pub(super) struct Reached {
    peer: Peer,
    connection: Connection,
    greeting: SendStream,
}

/// A connection to a known daemon: one that is there, one that somebody dials, or a new one.
pub(super) async fn connect(
    mesh: &Shared,
    id: DaemonId,
    addresses: &[SocketAddr],
) -> Result<Peer, ConnectError> {
    let addresses = distinct(addresses);
    if id == mesh.trust.id() {
        return Err(not_ourselves(id, &addresses));
    }
    loop {
        let step = mesh.peers().want(id, &addresses);
        let (dialled, mut outcome) = match step {
            Step::Connected(peer) => return Ok(peer),
            Step::Leave => return Err(ConnectError::Leaving),
            Step::Wait(dialled, outcome) => (dialled, outcome),
            Step::Dial(number, outcome) => {
                // A task of its own: others may wait for it when we do not any more.
                tokio::spawn(dial(mesh.clone(), id, number, addresses.clone()));
                (addresses.clone(), outcome)
            }
        };
        let ended = outcome.wait_for(Option::is_some).await;
        match ended.map(|it| it.clone()) {
            Ok(Some(Ok(peer))) => return Ok(peer),
            // Somebody else has failed with other addresses: ours are still to be tried.
            Ok(Some(Err(ConnectError::NoAddress(_) | ConnectError::NotReached { .. })))
                if addresses.iter().any(|it| !dialled.contains(it)) => {}
            Ok(Some(Err(error))) => return Err(error),
            Ok(None) | Err(_) => return Err(ConnectError::Leaving),
        }
    }
}

/// A connection to whatever daemon of this virtual machine is found first.
pub(super) async fn connect_seed(
    mesh: &Shared,
    addresses: &[SocketAddr],
) -> Result<Peer, ConnectError> {
    unless_leaving(mesh)?;
    let reached = find(mesh, Wanted::Anybody, &distinct(addresses)).await?;
    let peer = reached.peer.clone();
    keep(mesh, reached).await?;
    Ok(peer)
}

/// A new connection to a daemon, whether or not there is one.
pub(super) async fn redial(
    mesh: &Shared,
    id: DaemonId,
    addresses: &[SocketAddr],
) -> Result<(), ConnectError> {
    unless_leaving(mesh)?;
    let reached = find(mesh, Wanted::Daemon(id), &distinct(addresses)).await?;
    take(mesh, reached).await
}

fn unless_leaving(mesh: &Shared) -> Result<(), ConnectError> {
    match mesh.peers().is_leaving() {
        true => Err(ConnectError::Leaving),
        false => Ok(()),
    }
}

async fn dial(mesh: Shared, id: DaemonId, number: DialNumber, addresses: Vec<SocketAddr>) {
    let kept = match find(&mesh, Wanted::Daemon(id), &addresses).await {
        Ok(reached) => keep(&mesh, reached).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        mesh.peers().dial_failed(id, number, error);
    }
}

async fn find(
    mesh: &Shared,
    wanted: Wanted,
    addresses: &[SocketAddr],
) -> Result<Reached, ConnectError> {
    let own = mesh.own_addresses();
    let attempt = |address| {
        let mesh = mesh.clone();
        // Loopback, and bridges of container software, have the same address on every host.
        let is_own = own.contains(&address);
        async move {
            match is_own {
                true => Err(AddressError::Ourselves),
                false => reach(&mesh, wanted, address).await,
            }
        }
    };
    race(wanted, addresses, attempt).await.map(|(_, it)| it)
}

/// Says that the connection is kept, and uses it. When there is another one by now, it is not.
async fn keep(mesh: &Shared, reached: Reached) -> Result<(), ConnectError> {
    let is_there = mesh.peers().living(reached.peer.id).is_some();
    match is_there {
        true => Ok(()),
        false => take(mesh, reached).await,
    }
}

async fn take(mesh: &Shared, reached: Reached) -> Result<(), ConnectError> {
    let Reached {
        peer,
        connection,
        mut greeting,
    } = reached;
    if let Err(error) = stream::send(&mut greeting, &Keep {}).await {
        let failure = (peer.address, AddressError::Broken(error.to_string()));
        return Err(ConnectError::NotReached {
            wanted: Wanted::Daemon(peer.id),
            failures: vec![failure],
        });
    }
    match serve::take_in(mesh, &peer, &connection) {
        true => Ok(()),
        false => Err(ConnectError::Leaving),
    }
}

/// Makes attempts at all addresses, some at a time, until one succeeds. What is still under way then
/// is dropped.
pub(super) async fn race<T: Send + 'static, F>(
    wanted: Wanted,
    addresses: &[SocketAddr],
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<(SocketAddr, T), ConnectError>
where
    F: Future<Output = Result<T, AddressError>> + Send + 'static,
{
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress(wanted));
    }
    let mut attempts = JoinSet::new();
    let begin = |attempts: &mut JoinSet<_>, at: usize| {
        if let Some(&address) = addresses.get(at) {
            let attempt = attempt(address);
            attempts.spawn(async move {
                let made = match wanted {
                    // Somebody has typed it, and reads what comes of it.
                    Wanted::Anybody => knock::explained(address, attempt).await,
                    Wanted::Daemon(_) => attempt.await,
                };
                (at, made)
            });
        }
    };
    for at in 0..ADDRESSES_MAX {
        begin(&mut attempts, at);
    }
    let mut next = ADDRESSES_MAX;
    let mut failures = Vec::new();
    while let Some(ended) = attempts.join_next().await {
        match ended {
            Ok((at, Ok(reached))) => return Ok((addresses[at], reached)),
            Ok((at, Err(error))) => failures.push((at, error)),
            Err(_) => {}
        }
        begin(&mut attempts, next);
        next += 1;
    }
    failures.sort_by_key(|(at, _)| *at);
    let failures = failures.into_iter();
    Err(ConnectError::NotReached {
        wanted,
        failures: failures.map(|(at, error)| (addresses[at], error)).collect(),
    })
}

async fn reach(
    mesh: &Shared,
    wanted: Wanted,
    address: SocketAddr,
) -> Result<Reached, AddressError> {
    let limit = Duration::from_millis(HANDSHAKE_DEADLINE_MS);
    let reached = timeout(limit, async {
        let name = match wanted {
            Wanted::Daemon(id) => id.server_name(),
            Wanted::Anybody => DaemonId::any_server_name(),
        };
        let config = mesh.client_config();
        let connection = handshake(&mesh.endpoint, config, address, &name).await?;
        greet(mesh, wanted, address, connection).await
    });
    reached
        .await
        .unwrap_or(Err(AddressError::NoAnswer(HANDSHAKE_DEADLINE_MS)))
}

/// Makes a connection, and nothing more.
pub(super) async fn handshake(
    endpoint: &Endpoint,
    config: quinn::ClientConfig,
    address: SocketAddr,
    name: &str,
) -> Result<Connection, AddressError> {
    let begun = Instant::now();
    let connecting = endpoint
        .connect_with(config, address, name)
        .map_err(|error| AddressError::NotReachable(error.to_string()))?;
    let connected = connecting.await;
    connected.map_err(|error| AddressError::of(&error, begun.elapsed()))
}

/// Says who we are, and hears who is there.
pub(super) async fn greet(
    mesh: &Shared,
    wanted: Wanted,
    address: SocketAddr,
    connection: Connection,
) -> Result<Reached, AddressError> {
    let (version_min, version_max) = MESH_VERSIONS;
    let hello = Hello {
        version_min,
        version_max,
        daemon: mesh.trust.id().to_bytes().to_vec(),
        software: super::SOFTWARE.to_owned(),
        host: mesh.host.clone(),
    };
    let (greeting, reply) = ask::<HelloReply>(&connection, greeting::Kind::Hello(hello)).await?;
    if let Some(refusal) = reply.refusal {
        return Err(refused(&refusal));
    }
    let id = DaemonId::from_bytes(&reply.daemon)
        .map_err(|error| AddressError::Broken(error.to_string()))?;
    prove(&connection, id)?;
    if wanted != Wanted::Anybody && wanted != Wanted::Daemon(id) {
        return Err(AddressError::OtherDaemon);
    }
    let peer = Peer {
        id,
        address: endpoint::plain(address),
        host: shown(reply.host.as_bytes()),
        software: shown(reply.software.as_bytes()),
        version: reply.version,
    };
    Ok(Reached {
        peer,
        connection,
        greeting,
    })
}

/// Sends the first message of a connection and receives its answer.
pub(super) async fn ask<R: prost::Message + Default>(
    connection: &Connection,
    kind: greeting::Kind,
) -> Result<(SendStream, R), AddressError> {
    let begun = Instant::now();
    let asked = async {
        let (mut send, mut recv) = connection
            .open_bi()
            .await
            .map_err(|error| error.to_string())?;
        let greeting = Greeting { kind: Some(kind) };
        let sent = stream::send(&mut send, &greeting).await;
        sent.map_err(|error| error.to_string())?;
        let reply = stream::expect(&mut recv, GREETING_MAX).await;
        Ok((send, reply.map_err(|error| error.to_string())?))
    };
    asked.await.map_err(|error: String| {
        // The end of the connection says more than that of the stream.
        match connection.close_reason() {
            Some(reason) => AddressError::of(&reason, begun.elapsed()),
            None => AddressError::Broken(error),
        }
    })
}

/// Checks that the certificate of a connection is that of a daemon.
pub(super) fn prove(connection: &Connection, id: DaemonId) -> Result<(), AddressError> {
    let refused = |error: &dyn std::fmt::Display| AddressError::Refused(error.to_string());
    let leaf = leaf(connection).ok_or_else(|| refused(&"it shows no certificate"))?;
    check_identity(&leaf, id).map_err(|error| refused(&error))
}

/// The certificate of the other end; TLS has checked its chain.
pub(super) fn leaf(connection: &Connection) -> Option<CertificateDer<'static>> {
    let shown = connection.peer_identity()?;
    let chain = shown.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().next()
}

pub(super) fn refused(refusal: &Refusal) -> AddressError {
    let text = shown(refusal.text.as_bytes());
    match refusal.reason() {
        Reason::Version => AddressError::Version(text),
        Reason::Self_ => AddressError::Ourselves,
        _ => AddressError::Refused(text),
    }
}

/// Without doubles, in the same order.
pub(super) fn distinct(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut distinct: Vec<SocketAddr> = Vec::new();
    for &address in addresses {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    distinct
}

fn not_ourselves(id: DaemonId, addresses: &[SocketAddr]) -> ConnectError {
    let failures = addresses.iter().map(|it| (*it, AddressError::Ourselves));
    ConnectError::NotReached {
        wanted: Wanted::Daemon(id),
        failures: failures.collect(),
    }
}
