//! Joining: how a host that has a token gets the secret.

use super::error::{AddressError, ConnectError, Wanted};
use super::proto::{Join, JoinReply, Reason, greeting};
use super::{dial, endpoint};
use crate::cluster::trust::{
    DaemonId, EXPORTER_LABEL, Redeemed, Secret, Token, TrustError, joining_config,
};
use pvm::limits::{HANDSHAKE_DEADLINE_MS, MESH_VERSIONS};
use quinn::{Connection, Endpoint, TokioRuntime, VarInt};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What a host gets for its token.
#[derive(Debug)]
pub struct Joined {
    /// The secret of the virtual machine.
    pub secret: Secret,
    /// The daemon that has given it.
    pub from: DaemonId,
    /// Where it is: a seed to connect to.
    pub address: SocketAddr,
}

/// Why a host does not get the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// No socket.
    #[error("joining needs a UDP socket: {0}")]
    Io(#[from] io::Error),
    /// No TLS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The daemon that gave the token out is not found, or not the one that it was.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It does not take the token.
    #[error("{address}: {reason}; ask for a new one")]
    Token {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: Redeemed,
    },
    /// It does not take us for another reason.
    #[error("{address}: {reason}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: AddressError,
    },
}

/// Exchanges a token for the secret. `host` is the name of this host, for the other one's log.
///
/// # Errors
/// When the daemon of the token is not reached, or does not take it.
pub async fn join(token: &Token, host: &str) -> Result<Joined, JoinError> {
    let config = endpoint::client_config(Arc::new(joining_config(token.fingerprint)?))?;
    let socket = endpoint::socket(None, 0)?;
    let endpoint = Endpoint::new(
        endpoint::endpoint_config()?,
        None,
        socket,
        Arc::new(TokioRuntime),
    )?;
    let attempt = |address| {
        let (endpoint, config) = (endpoint.clone(), config.clone());
        async move {
            let limit = Duration::from_millis(HANDSHAKE_DEADLINE_MS);
            let name = DaemonId::any_server_name();
            let handshake = dial::handshake(&endpoint, config, address, &name);
            let late = AddressError::NoAnswer(HANDSHAKE_DEADLINE_MS);
            timeout(limit, handshake).await.unwrap_or(Err(late))
        }
    };
    let addresses = dial::distinct(&token.addresses);
    let (address, connection) = dial::race(Wanted::Anybody, &addresses, attempt).await?;
    let joined = exchange(token, host, address, &connection).await;
    connection.close(VarInt::from_u32(0), &[]);
    // So that the other side hears that, and does not wait.
    let _ = timeout(super::FAREWELL, endpoint.wait_idle()).await;
    joined
}

async fn exchange(
    token: &Token,
    host: &str,
    address: SocketAddr,
    connection: &Connection,
) -> Result<Joined, JoinError> {
    let refused = |reason| JoinError::Refused { address, reason };
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, &[])
        .map_err(|_| {
            refused(AddressError::Tls(
                "no keys to prove the token with".to_owned(),
            ))
        })?;
    let (version_min, version_max) = MESH_VERSIONS;
    let join = Join {
        version_min,
        version_max,
        proof: token.one_time.prove(&exporter).to_vec(),
        software: super::SOFTWARE.to_owned(),
        host: host.to_owned(),
    };
    let limit = Duration::from_millis(HANDSHAKE_DEADLINE_MS);
    let asked = dial::ask::<JoinReply>(connection, greeting::Kind::Join(join));
    let late = AddressError::NoAnswer(HANDSHAKE_DEADLINE_MS);
    let (_, reply) = timeout(limit, asked)
        .await
        .unwrap_or(Err(late))
        .map_err(refused)?;
    if let Some(refusal) = &reply.refusal {
        let reason = match refusal.reason() {
            Reason::TokenExpired => Redeemed::Expired,
            Reason::TokenUsed => Redeemed::Used,
            Reason::TokenUnknown => Redeemed::Unknown,
            _ => return Err(refused(dial::refused(refusal))),
        };
        return Err(JoinError::Token { address, reason });
    }
    let nonsense = || refused(AddressError::Broken("its answer makes no sense".to_owned()));
    let from = DaemonId::from_bytes(&reply.daemon).map_err(|_| nonsense())?;
    dial::prove(connection, from).map_err(refused)?;
    Ok(Joined {
        secret: Secret::from_bytes(&reply.secret).ok_or_else(nonsense)?,
        from,
        address,
    })
}
