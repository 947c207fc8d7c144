//! What can go wrong between daemons, each in words that make one line.

use crate::cluster::trust::DaemonId;
use pvm::wire::frame::FrameError;
use quinn::{ConnectionError, TransportErrorCode};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Why one address did not lead to a daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The host is down, no daemon listens, or a firewall is in between.
    #[error("no answer within {0} ms; that host is off, or a firewall drops UDP packets")]
    NoAnswer(u64),
    /// The host says that its port is closed.
    #[error("nobody listens at this UDP port, or a firewall rejects it")]
    NobodyListens,
    /// The system here does not send to it.
    #[error("not reachable from here: {0}")]
    NotReachable(String),
    /// The daemon there has too many callers that have not said who they are.
    #[error("too busy to take connections")]
    Busy,
    /// Its certificate is of another authority.
    #[error("it belongs to another virtual machine")]
    OtherVirtualMachine,
    /// Of this virtual machine, but not who was wanted: the daemon has started anew, or the address
    /// is in use on several networks.
    #[error("another daemon is there")]
    OtherDaemon,
    /// We have dialled ourselves.
    #[error("that is this daemon itself")]
    Ourselves,
    /// No common version of the protocol.
    #[error("{0}")]
    Version(String),
    /// A certificate is past its days, or not yet in them.
    #[error("a certificate is out of its time; do the clocks of both hosts agree?")]
    OutOfTime,
    /// Something answers, but it is no daemon of ours.
    #[error("what answers there is not pvmd")]
    NotADaemon,
    /// It has said no.
    #[error("it refuses: {0}")]
    Refused(String),
    /// TLS has failed in another way.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The connection broke, or what came over it was nonsense.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody said where it is.
    #[error("{0} cannot be reached: no address of it is known")]
    NoAddress(Wanted),
    /// Every address has failed.
    #[error("{wanted} cannot be reached: {}", Listed(failures))]
    NotReached {
        /// Who was wanted.
        wanted: Wanted,
        /// What happened at each address, in the order in which they were given.
        failures: Vec<(SocketAddr, AddressError)>,
    },
    /// This daemon is about to leave.
    #[error("this daemon is leaving")]
    Leaving,
}

/// Who is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Daemon(DaemonId),
    /// Whoever is there.
    Anybody,
}

/// Why a daemon is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LostReason {
    /// It has said that it leaves.
    #[error("it has left")]
    Left,
    /// Nothing has come from it for too long.
    #[error("no sign of life for {} ms", pvm::limits::PEER_SILENCE_MS)]
    Silence,
    /// It runs no more, or has forgotten us.
    #[error("it does not know the connection any more")]
    Reset,
    /// We have closed the connection.
    #[error("closed from here")]
    ClosedHere,
    /// It has closed the connection.
    #[error("closed from there: {0}")]
    ClosedThere(String),
    /// Something else.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why there is no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no connection.
    #[error("daemon {0} is not connected")]
    NotConnected(DaemonId),
    /// The connection broke while the stream was opened.
    #[error("daemon {id}: {reason}")]
    Broken {
        /// The daemon.
        id: DaemonId,
        /// What happened.
        reason: LostReason,
    },
    /// The other daemon has too many open streams of ours, for too long.
    #[error("daemon {0} takes no more streams")]
    Full(DaemonId),
}

/// Why a message does not come over a stream, or does not go.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The stream or its connection has ended before its end.
    #[error("the stream broke: {0}")]
    Broken(String),
    /// It ends within a message.
    #[error("the stream ends within a message")]
    CutShort,
    /// The message is larger than this one may be.
    #[error("a message of {len} bytes is announced, the limit is {limit}")]
    TooLarge {
        /// What is announced.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Not a message.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Why a daemon says farewell, as the number that QUIC carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// The daemon leaves.
    Leaving = 1,
    /// This connection is not wanted any more.
    Closed = 2,
    /// The other side has sent nonsense, or claims what it does not prove.
    Nonsense = 3,
}

/// Alerts of TLS that say what is wrong with a certificate (RFC 8446, section 6).
mod alert {
    pub const BAD_CERTIFICATE: u8 = 42;
    pub const CERTIFICATE_EXPIRED: u8 = 45;
    pub const UNKNOWN_CA: u8 = 48;
    pub const NO_APPLICATION_PROTOCOL: u8 = 120;
}

/// Longest text of a peer in an error.
const TEXT_MAX: usize = 200;

impl ConnectError {
    /// Whether there was nothing but silence, which may be due to lost packets.
    pub fn is_silence(&self) -> bool {
        let is_silent = |(_, error): &(_, AddressError)| matches!(error, AddressError::NoAnswer(_));
        matches!(self, Self::NotReached { failures, .. } if failures.iter().any(is_silent))
    }
}

impl AddressError {
    /// What the end of a connection says of the address that was dialled `elapsed` ago.
    pub(super) fn of(error: &ConnectionError, elapsed: Duration) -> Self {
        match error {
            ConnectionError::TimedOut => AddressError::NoAnswer(elapsed.as_millis() as u64),
            ConnectionError::VersionMismatch => AddressError::NotADaemon,
            ConnectionError::TransportError(error) => Self::of_code(error.code, &error.reason),
            ConnectionError::ConnectionClosed(close) => {
                Self::of_code(close.error_code, &shown(&close.reason))
            }
            ConnectionError::ApplicationClosed(close) => Self::Refused(shown(&close.reason)),
            other => Self::Broken(shown(other.to_string().as_bytes())),
        }
    }

    fn of_code(code: TransportErrorCode, reason: &str) -> Self {
        if code == TransportErrorCode::CONNECTION_REFUSED {
            return Self::Busy;
        }
        let is = |alert| code == TransportErrorCode::crypto(alert);
        if is(alert::UNKNOWN_CA) {
            Self::OtherVirtualMachine
        } else if is(alert::BAD_CERTIFICATE) {
            Self::OtherDaemon
        } else if is(alert::CERTIFICATE_EXPIRED) {
            Self::OutOfTime
        } else if is(alert::NO_APPLICATION_PROTOCOL) {
            Self::NotADaemon
        } else if (0x100..0x200).contains(&u64::from(code)) {
            Self::Tls(reason.to_owned())
        } else {
            Self::Broken(format!("{code}: {reason}"))
        }
    }
}

impl LostReason {
    pub(super) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => LostReason::Silence,
            ConnectionError::Reset => LostReason::Reset,
            ConnectionError::LocallyClosed => LostReason::ClosedHere,
            ConnectionError::ApplicationClosed(close) => {
                match close.error_code == CloseCode::Leaving.into() {
                    true => LostReason::Left,
                    false => LostReason::ClosedThere(shown(&close.reason)),
                }
            }
            other => LostReason::Broken(shown(other.to_string().as_bytes())),
        }
    }
}

impl From<CloseCode> for quinn::VarInt {
    fn from(code: CloseCode) -> Self {
        quinn::VarInt::from_u32(code as u32)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Daemon(id) => write!(f, "daemon {id}"),
            Wanted::Anybody => f.write_str("the virtual machine"),
        }
    }
}

/// What happened at each address, in one line.
struct Listed<'a>(&'a [(SocketAddr, AddressError)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let semicolon = if index == 0 { "" } else { "; " };
            write!(f, "{semicolon}{address}: {error}")?;
        }
        Ok(())
    }
}

/// A text of a peer: cut, and without control characters.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.chars().filter(|it| !it.is_control());
    plain.take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line() {
        let error = ConnectError::NotReached {
            wanted: Wanted::Daemon(DaemonId(0xab)),
            failures: vec![
                (
                    "10.0.0.1:7000".parse().unwrap(),
                    AddressError::NoAnswer(2000),
                ),
                (
                    "[fd00::1]:7000".parse().unwrap(),
                    AddressError::OtherVirtualMachine,
                ),
            ],
        };
        assert_eq!(
            error.to_string(),
            "daemon 000000000000000000000000000000ab cannot be reached: \
             10.0.0.1:7000: no answer within 2000 ms; that host is off, or a firewall drops UDP packets; \
             [fd00::1]:7000: it belongs to another virtual machine"
        );
        let nobody = ConnectError::NoAddress(Wanted::Anybody).to_string();
        assert_eq!(
            nobody,
            "the virtual machine cannot be reached: no address of it is known"
        );
    }

    #[test]
    fn texts_of_peers_are_tamed() {
        assert_eq!(shown(b"a\x1b[2Jb\n\xff"), "a[2Jb\u{fffd}");
        assert_eq!(shown(&[b'x'; 1000]).len(), TEXT_MAX);
    }
}
