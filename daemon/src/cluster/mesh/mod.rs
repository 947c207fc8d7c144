//! Connections between the daemons of a virtual machine.
//!
//! One QUIC endpoint per daemon. A connection is made when somebody asks for it, to all known
//! addresses at a time; the first that authenticates as the wanted daemon is kept. One that the other
//! side has made serves as well.
//!
//! ```text
//! caller                                   called
//!    |---- TLS 1.3, both certificates ------->|   or none, to join
//!    |---- Hello: who I am ------------------>|   checks it against the certificate
//!    |<--- HelloReply: who I am --------------|   checked likewise
//!    |---- Keep ----------------------------->|   of several that were dialled, only one is kept
//!    |==== streams, each begins with a head ==|
//! ```
//!
//! # Invariants
//! - [`MeshEvent::Connected`] and [`MeshEvent::Lost`] of a daemon alternate. Between the same two
//!   daemons there may be several connections, when both dialled at the same time: a stream can break
//!   while its daemon is not lost. Then open another.
//! - Streams are independent: those that are opened one after the other may arrive in another order.
//! - Whoever has not proved to be a daemon of this virtual machine can do nothing but end its own
//!   connection, or join with a token; how many such callers there are at a time is bounded.

mod admit;
mod dial;
mod endpoint;
mod error;
mod join;
mod knock;
mod nonsense;
mod peers;
mod probe;
pub mod proto;
mod serve;
mod size;
pub mod stream;
#[cfg(test)]
mod tests;

pub use error::{AddressError, ConnectError, LostReason, OpenError, StreamError, Wanted};
pub use join::{JoinError, Joined, join};
pub use probe::{Probed, Prober};
pub use proto::stream_head::Kind as Head;
pub use proto::{Control, Relay, Rpc};
pub use size::FullSize;

use crate::cluster::trust::{DaemonId, OneTime, Token, TokenTable, TooManyTokens, Trust};
use crate::host::addresses;
use error::CloseCode;
use nonsense::Nonsense;
use peers::Peers;
use pvm::limits::{ADDRESSES_MAX, FAREWELL_DEADLINE_MS, HALF_OPEN_MAX, LEAF_LOOK_S};
use quinn::{ClientConfig, Endpoint, RecvStream, SendStream, TokioRuntime};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What we say that we are.
const SOFTWARE: &str = concat!("pvmd ", env!("CARGO_PKG_VERSION"));
const FAREWELL: Duration = Duration::from_millis(FAREWELL_DEADLINE_MS);

/// How a daemon takes part in the mesh.
#[derive(Debug, Clone, Default)]
pub struct MeshOptions {
    /// The one address to use; all of them, IPv4 and IPv6, when there is none.
    pub address: Option<IpAddr>,
    /// UDP port; 0: any that is free.
    pub port: u16,
    /// Name of this host, for the texts of others.
    pub host: String,
}

/// Another daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Which; its certificate has proved it.
    pub id: DaemonId,
    /// Where the newest connection leads.
    pub address: SocketAddr,
    /// What it calls its host.
    pub host: String,
    /// What it says that it is.
    pub software: String,
    /// Version of the protocol that is spoken.
    pub version: u32,
}

/// What happens in the mesh.
#[derive(Debug)]
pub enum MeshEvent {
    /// There is a connection to a daemon, made by either side.
    Connected(Peer),
    /// The last connection to a daemon has ended.
    Lost {
        /// Which.
        id: DaemonId,
        /// Why.
        reason: LostReason,
    },
    /// A daemon has opened a stream in both directions.
    Bi {
        /// Which daemon.
        from: DaemonId,
        /// What it is for.
        head: Head,
        /// To answer.
        send: SendStream,
        /// What comes after the head.
        recv: RecvStream,
    },
    /// A daemon has opened a stream to us.
    Uni {
        /// Which daemon.
        from: DaemonId,
        /// What it is for.
        head: Head,
        /// What comes after the head.
        recv: RecvStream,
    },
    /// A host has got the secret for a token of ours. It will come back as a daemon.
    Invited {
        /// What it calls itself.
        host: String,
        /// Where it is.
        address: SocketAddr,
    },
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There are too many already.
    #[error(transparent)]
    TooMany(#[from] TooManyTokens),
    /// The system gives no random bytes.
    #[error("no random bytes for a token: {0}")]
    NoRandom(getrandom::Error),
}

/// The mesh as this daemon has it. Copies are the same mesh; it goes on until [`Mesh::shutdown`].
#[derive(Debug, Clone)]
pub struct Mesh(Shared);

type Shared = Arc<Inner>;

#[derive(Debug)]
struct Inner {
    trust: Trust,
    host: String,
    endpoint: Endpoint,
    bound: SocketAddr,
    client: Mutex<ClientConfig>,
    peers: Mutex<Peers>,
    tokens: Mutex<TokenTable>,
    /// Places for callers that have not said who they are.
    half_open: Arc<Semaphore>,
    nonsense: Nonsense,
}

impl Mesh {
    /// Opens the endpoint and takes calls. To be called within a tokio runtime, of any kind.
    ///
    /// # Errors
    /// When the port is taken, or the system or TLS refuse.
    pub fn start(
        trust: Trust,
        options: MeshOptions,
    ) -> io::Result<(Mesh, UnboundedReceiver<MeshEvent>)> {
        Self::start_at(trust, options, SystemTime::now())
    }

    /// As [`Mesh::start`], with a first certificate as it would be made at another time.
    fn start_at(
        trust: Trust,
        options: MeshOptions,
        now: SystemTime,
    ) -> io::Result<(Mesh, UnboundedReceiver<MeshEvent>)> {
        let credentials = trust.mint(now).map_err(io::Error::other)?;
        let endpoint = Endpoint::new(
            endpoint::endpoint_config()?,
            Some(endpoint::server_config(&credentials)?),
            endpoint::socket(options.address, options.port)?,
            Arc::new(TokioRuntime),
        )?;
        let (events, receiver) = unbounded_channel();
        let inner = Arc::new(Inner {
            trust,
            host: options.host,
            bound: endpoint.local_addr()?,
            endpoint,
            client: Mutex::new(endpoint::client_config(credentials.client_config())?),
            peers: Mutex::new(Peers::new(events)),
            tokens: Mutex::default(),
            half_open: Arc::new(Semaphore::new(HALF_OPEN_MAX)),
            nonsense: Nonsense::default(),
        });
        tokio::spawn(admit::run(inner.clone()));
        tokio::spawn(renew(Arc::downgrade(&inner), credentials.renew_at()));
        Ok((Mesh(inner), receiver))
    }

    /// Makes sure that there is a connection to a daemon. All who ask for the same daemon share one
    /// attempt.
    ///
    /// # Errors
    /// When no address leads to it; the error says what happened at each.
    pub async fn connect(
        &self,
        id: DaemonId,
        addresses: &[SocketAddr],
    ) -> Result<Peer, ConnectError> {
        dial::connect(&self.0, id, addresses).await
    }

    /// Makes a new connection to a daemon, even if there is one: for a daemon that knows that its old
    /// ones lead nowhere.
    ///
    /// # Errors
    /// As [`Mesh::connect`].
    pub async fn redial(&self, id: DaemonId, addresses: &[SocketAddr]) -> Result<(), ConnectError> {
        dial::redial(&self.0, id, addresses).await
    }

    /// Makes sure that there is a connection to any daemon of this virtual machine at these addresses.
    ///
    /// # Errors
    /// When there is none; the error says what happened at each address.
    pub async fn connect_seed(&self, addresses: &[SocketAddr]) -> Result<Peer, ConnectError> {
        dial::connect_seed(&self.0, addresses).await
    }

    /// For trying addresses of daemons; those of this host are looked for once.
    pub fn prober(&self) -> Prober {
        Prober::new(self.0.clone())
    }

    /// Opens a stream in both directions to a daemon that is connected. The other side sees it with
    /// its head, whether or not more is sent.
    ///
    /// # Errors
    /// When it is not connected, the connection breaks, or it takes no more streams.
    pub async fn open_bi(
        &self,
        id: DaemonId,
        head: Head,
    ) -> Result<(SendStream, RecvStream), OpenError> {
        serve::open_bi(&self.0, id, head).await
    }

    /// Opens a stream to a daemon that is connected.
    ///
    /// # Errors
    /// When it is not connected, the connection breaks, or it takes no more streams.
    pub async fn open_uni(&self, id: DaemonId, head: Head) -> Result<SendStream, OpenError> {
        serve::open_uni(&self.0, id, head).await
    }

    /// Gives out a token with which `uses` hosts can get the secret within `lifetime`, from this
    /// daemon alone.
    ///
    /// # Errors
    /// When too many are out already, or the system gives no random bytes.
    pub fn issue_token(&self, lifetime: Duration, uses: u32) -> Result<Token, TokenError> {
        let one_time = OneTime::random().map_err(TokenError::NoRandom)?;
        let now = Instant::now();
        let mut tokens = self.0.tokens();
        tokens.issue(one_time.clone(), lifetime, uses, now)?;
        Ok(Token {
            fingerprint: self.0.trust.ca_fingerprint(),
            one_time,
            addresses: self.local_addresses(),
        })
    }

    /// Closes all connections to a daemon. [`MeshEvent::Lost`] follows.
    pub fn close(&self, id: DaemonId) {
        self.0.peers().close(id);
    }

    /// Says farewell to all, and waits a moment until they have heard it. Nothing works any more
    /// then.
    pub async fn shutdown(&self) {
        self.0.peers().leave();
        let code = CloseCode::Leaving.into();
        self.0.endpoint.close(code, b"the daemon leaves");
        // Who does not answer hears nothing, and finds out.
        let _ = tokio::time::timeout(FAREWELL, self.0.endpoint.wait_idle()).await;
    }

    /// Which daemon this is.
    pub fn id(&self) -> DaemonId {
        self.0.trust.id()
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.0.bound.port()
    }

    /// Addresses to tell others, the most useful first.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        let mut all = self.0.own_addresses();
        all.truncate(ADDRESSES_MAX);
        all
    }

    /// The daemons that are connected.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.peers().all()
    }
}

impl Inner {
    /// All addresses at which this daemon is reached, the most useful first.
    fn own_addresses(&self) -> Vec<SocketAddr> {
        let bound = endpoint::plain(self.bound);
        if !bound.ip().is_unspecified() {
            return vec![bound];
        }
        let is_usable = |it: &IpAddr| bound.is_ipv6() || it.is_ipv4();
        let all = addresses::of_this_host().into_iter().filter(is_usable);
        all.map(|it| SocketAddr::new(it, bound.port())).collect()
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, TokenTable> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_config(&self) -> ClientConfig {
        self.client().clone()
    }

    fn client(&self) -> MutexGuard<'_, ClientConfig> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a new certificate for connections from now on. Returns when the next one is due.
    fn renew(&self, now: SystemTime) -> io::Result<SystemTime> {
        let credentials = self.trust.mint(now).map_err(io::Error::other)?;
        let server = endpoint::server_config(&credentials)?;
        *self.client() = endpoint::client_config(credentials.client_config())?;
        self.endpoint.set_server_config(Some(server));
        Ok(credentials.renew_at())
    }
}

/// Renews the certificate for as long as there is a mesh. It looks at the clock of the day again and
/// again, because a host that sleeps does not count the time.
async fn renew(mesh: Weak<Inner>, mut due: SystemTime) {
    loop {
        tokio::time::sleep(Duration::from_secs(LEAF_LOOK_S)).await;
        let Some(mesh) = mesh.upgrade() else {
            return;
        };
        let now = SystemTime::now();
        if now >= due {
            match mesh.renew(now) {
                Ok(next) => due = next,
                Err(error) => tracing::error!("no new certificate: {error}"),
            }
        }
    }
}
