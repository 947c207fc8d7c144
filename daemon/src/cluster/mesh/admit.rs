//! Callers: who they are, and what they may do.
//!
//! A caller with a certificate of ours says `Hello` and becomes a peer. One without may ask to join,
//! with a token, and nothing else. Whatever else comes can only end its own connection.

use super::Shared;
use super::error::{CloseCode, shown};
use super::proto::{Greeting, Hello, HelloReply, Join, JoinReply, Keep, Reason, Refusal, greeting};
use super::{MeshEvent, Peer, dial, endpoint, serve, stream};
use crate::cluster::trust::{DaemonId, EXPORTER_LABEL, Redeemed, check_identity};
use pvm::limits::{
    GREETING_MAX, HALF_OPEN_MAX, HALF_OPEN_UNPROVED_MAX, HANDSHAKE_DEADLINE_MS, MESH_VERSIONS,
};
use quinn::{Connection, ConnectionError, Incoming, RecvStream, SendStream, TransportErrorCode};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Takes callers until the endpoint is closed.
pub(super) async fn run(mesh: Shared) {
    while let Some(caller) = mesh.endpoint.accept().await {
        begin(&mesh, caller);
    }
}

/// Begins with one caller, if there is room. When it becomes scarce, a caller first has to show that
/// answers reach it.
fn begin(mesh: &Shared, caller: Incoming) {
    let Ok(place) = mesh.half_open.clone().try_acquire_owned() else {
        mesh.nonsense
            .note(caller.remote_address(), &"too many callers at a time");
        return caller.refuse();
    };
    let taken = HALF_OPEN_MAX - mesh.half_open.available_permits();
    if taken > HALF_OPEN_UNPROVED_MAX && caller.may_retry() && !caller.remote_address_validated() {
        // An error gives the caller back, which is refused by dropping it.
        let _ = caller.retry();
        return;
    }
    let mesh = mesh.clone();
    tokio::spawn(async move {
        let address = endpoint::plain(caller.remote_address());
        if let Err(Away::Sent(what)) = admit(&mesh, caller, address).await {
            mesh.nonsense.note(address, &what);
        }
        drop(place);
    });
}

/// Why a caller does not become a peer.
enum Away {
    /// It has gone by itself: another address of ours was faster.
    Gone,
    /// It has been sent away.
    Sent(String),
}

impl<E: std::fmt::Display> From<E> for Away {
    fn from(error: E) -> Self {
        Away::Sent(error.to_string())
    }
}

async fn admit(mesh: &Shared, caller: Incoming, address: SocketAddr) -> Result<(), Away> {
    let limit = Duration::from_millis(HANDSHAKE_DEADLINE_MS);
    let mut connection = None;
    let admitted = timeout(limit, async {
        let made = caller.accept()?.await.map_err(|error| ended(&error))?;
        hear(mesh, connection.insert(made), address).await
    });
    let admitted = admitted.await.unwrap_or_else(|_| {
        let what = format!("it has not become a peer within {} s", limit.as_secs());
        Err(Away::Sent(what))
    });
    let Some(connection) = connection else {
        return admitted;
    };
    match (&admitted, connection.close_reason()) {
        (Err(Away::Sent(what)), None) => {
            connection.close(CloseCode::Nonsense.into(), what.as_bytes());
            admitted
        }
        // It says more than what a stream says of it.
        (Err(_), Some(reason)) => Err(ended(&reason)),
        _ => admitted,
    }
}

/// Hears the first message of a connection and does what it says.
async fn hear(mesh: &Shared, connection: &Connection, address: SocketAddr) -> Result<(), Away> {
    let accepted = connection.accept_bi().await;
    let (send, mut recv) = accepted.map_err(|error| ended(&error))?;
    let greeting: Greeting = stream::expect(&mut recv, GREETING_MAX).await?;
    let call = Call {
        connection,
        address,
        send,
        recv,
    };
    match (greeting.kind, dial::leaf(connection)) {
        (Some(greeting::Kind::Hello(hello)), Some(leaf)) => call.hello(mesh, &hello, &leaf).await,
        (Some(greeting::Kind::Join(join)), None) => call.join(mesh, &join).await,
        (Some(greeting::Kind::Hello(_)), None) => Err("a daemon needs a certificate".into()),
        (Some(greeting::Kind::Join(_)), Some(_)) => Err("it is a member already".into()),
        (None, _) => Err("its first message is not a greeting".into()),
    }
}

/// What the end of a connection says of a caller.
fn ended(error: &ConnectionError) -> Away {
    match error {
        ConnectionError::ApplicationClosed(_) => Away::Gone,
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::APPLICATION_ERROR =>
        {
            Away::Gone
        }
        other => Away::Sent(other.to_string()),
    }
}

/// A caller that has greeted.
struct Call<'a> {
    connection: &'a Connection,
    address: SocketAddr,
    send: SendStream,
    recv: RecvStream,
}

impl Call<'_> {
    /// Lets a daemon in, once it says that it keeps this connection.
    async fn hello(
        mut self,
        mesh: &Shared,
        hello: &Hello,
        leaf: &CertificateDer<'static>,
    ) -> Result<(), Away> {
        let id = DaemonId::from_bytes(&hello.daemon)?;
        check_identity(leaf, id)?;
        let mut reply = HelloReply {
            daemon: mesh.trust.id().to_bytes().to_vec(),
            software: super::SOFTWARE.to_owned(),
            host: mesh.host.clone(),
            ..HelloReply::default()
        };
        let common = match id == mesh.trust.id() {
            true => Err(refusal(Reason::Self_, "it has dialled itself")),
            false => common_version(hello.version_min, hello.version_max, &hello.software),
        };
        match common {
            Ok(version) => reply.version = version,
            Err(refusal) => {
                reply.refusal = Some(refusal);
                return self.last_words(&reply).await;
            }
        }
        self.say(&reply).await?;
        let kept = stream::receive::<Keep>(&mut self.recv, GREETING_MAX).await;
        if !matches!(kept, Ok(Some(Keep {}))) {
            return Err(Away::Gone);
        }
        let peer = Peer {
            id,
            address: self.address,
            host: shown(hello.host.as_bytes()),
            software: shown(hello.software.as_bytes()),
            version: reply.version,
        };
        serve::take_in(mesh, &peer, self.connection);
        Ok(())
    }

    /// Makes a host a member, if it has a token.
    async fn join(mut self, mesh: &Shared, join: &Join) -> Result<(), Away> {
        let reply = match redeem(mesh, self.connection, join) {
            Ok(()) => JoinReply {
                secret: mesh.trust.secret().bytes().to_vec(),
                daemon: mesh.trust.id().to_bytes().to_vec(),
                refusal: None,
            },
            Err(refusal) => {
                mesh.nonsense.note(self.address, &refusal.text);
                JoinReply {
                    refusal: Some(refusal),
                    ..JoinReply::default()
                }
            }
        };
        if reply.refusal.is_none() {
            let host = shown(join.host.as_bytes());
            tracing::info!("{host} at {} has got the secret with a token", self.address);
            let address = self.address;
            mesh.peers().tell(MeshEvent::Invited { host, address });
        }
        self.last_words(&reply).await
    }

    /// Says something, and waits until the caller has heard it and closes the connection.
    async fn last_words(&mut self, message: &impl prost::Message) -> Result<(), Away> {
        self.say(message).await?;
        // It may have closed the connection already.
        let _ = self.send.finish();
        self.connection.closed().await;
        Ok(())
    }

    async fn say(&mut self, message: &impl prost::Message) -> Result<(), Away> {
        Ok(stream::send(&mut self.send, message).await?)
    }
}

fn redeem(mesh: &Shared, connection: &Connection, join: &Join) -> Result<(), Refusal> {
    common_version(join.version_min, join.version_max, &join.software)?;
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, &[])
        .map_err(|_| refusal(Reason::Other, "no keys to prove a token with"))?;
    let redeemed = mesh.tokens().redeem(&join.proof, &exporter, Instant::now());
    redeemed.map_err(|error| {
        let reason = match error {
            Redeemed::Expired => Reason::TokenExpired,
            Redeemed::Used => Reason::TokenUsed,
            Redeemed::Unknown => Reason::TokenUnknown,
        };
        refusal(reason, &error.to_string())
    })
}

/// The highest version that both speak.
fn common_version(their_min: u32, their_max: u32, software: &str) -> Result<u32, Refusal> {
    let (min, max) = MESH_VERSIONS;
    let version = max.min(their_max);
    if version >= min.max(their_min) {
        return Ok(version);
    }
    let software = shown(software.as_bytes());
    let text = format!(
        "{software} speaks version {their_min} to {their_max} of the protocol between daemons, \
         {} {min} to {max}; use one release on all hosts",
        super::SOFTWARE
    );
    Err(refusal(Reason::Version, &text))
}

fn refusal(reason: Reason, text: &str) -> Refusal {
    Refusal {
        reason: reason.into(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken() {
        let (min, max) = MESH_VERSIONS;
        assert_eq!(common_version(min, max + 5, ""), Ok(max));
        assert_eq!(common_version(0, max, ""), Ok(max));
        assert!(common_version(0, 0, "").is_err());
        let error = common_version(max + 1, max + 5, "pvmd 9\n").unwrap_err();
        assert_eq!(error.reason(), Reason::Version);
        assert!(error.text.starts_with("pvmd 9 speaks version"));
    }
}
