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
    pub(super) async fn heard(self) -> Option<AddressError> {
        let limit = Duration::from_millis(KNOCK_MS);
        let mut answer = [0];
        let error = timeout(limit, self.0.recv(&mut answer)).await.ok()?.err()?;
        Some(match error.kind() {
            io::ErrorKind::ConnectionRefused => AddressError::NobodyListens,
            _ => AddressError::NotReachable(error.to_string()),
        })
    }
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
