//! Why nobody answers. QUIC does not hear what the system knows of an address, because its socket
//! is for all addresses; a socket for this one does.

use super::error::AddressError;
use pvm::limits::KNOCK_MS;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// What is sent: it makes no sense to anybody, and too little of it to be worth a line in a log.
const NOTHING: &[u8] = &[0];

/// A socket that hears what becomes of what is sent to one address.
pub(super) struct Knock(UdpSocket);

impl Knock {
    /// Knocks at an address.
    pub(super) async fn at(address: SocketAddr) -> io::Result<Self> {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        socket.send(NOTHING).await?;
        Ok(Self(socket))
    }

    /// What the system has heard; nothing, when there is only silence.
    pub(super) async fn heard(&self) -> Option<AddressError> {
        let limit = Duration::from_millis(KNOCK_MS);
        timeout(limit, self.hear()).await.ok()?
    }

    /// Waits for what the system hears; nothing, when something has answered.
    async fn hear(&self) -> Option<AddressError> {
        let mut answer = [0];
        let error = self.0.recv(&mut answer).await.err()?;
        Some(match error.kind() {
            io::ErrorKind::ConnectionRefused => AddressError::NobodyListens,
            _ => AddressError::NotReachable(error.to_string()),
        })
    }
}

/// Knocks at an address, and waits until the system says that nobody is there. It may never do so.
pub(super) async fn refusal(address: SocketAddr) -> AddressError {
    let knock = match Knock::at(address).await {
        Ok(knock) => knock,
        Err(error) if is_no_way(&error) => return AddressError::NotReachable(error.to_string()),
        // Without a socket there is just no better word than that of the connection.
        Err(_) => return std::future::pending().await,
    };
    match knock.hear().await {
        Some(refusal) => refusal,
        None => std::future::pending().await,
    }
}

/// Whether the system itself does not send there.
fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
    let ways = [HostUnreachable, NetworkUnreachable, PermissionDenied];
    ways.contains(&error.kind())
}

/// Makes an attempt at an address; when nothing answers, says why as far as the system knows.
pub(super) async fn explained<T>(
    address: SocketAddr,
    attempt: impl Future<Output = Result<T, AddressError>>,
) -> Result<T, AddressError> {
    // Without it there is just no better word.
    let knock = Knock::at(address).await.ok();
    let made = attempt.await;
    let (Err(AddressError::NoAnswer(_)), Some(knock)) = (&made, knock) else {
        return made;
    };
    knock.heard().await.map_or(made, Err)
}
