//! Whether packets of full size get to an address. QUIC finds out by itself what does. TCP, which tasks
//! use for direct connections, takes the word of the systems on the way for it: where one loses large
//! packets and says nothing, a connection stands still as soon as there is much to send.
//!
//! What is sent is the beginning of a conversation in a version of QUIC that nobody speaks. A daemon
//! answers with the versions that it does speak, whatever the size, and keeps nothing of it (RFC 9000, 6).

use super::endpoint::PAYLOAD_MAX;
use pvm::limits::{EXAM_SIZE_MS, EXAM_SIZE_TRIES};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Payload that every path has to take, and the least that is answered.
const SMALL: usize = 1200;
/// A long header with a version of those that are reserved for being unknown.
const UNKNOWN: [u8; 5] = [0xc0, 0x5a, 0x6a, 0x7a, 0x8a];
/// Length of the ids in it; ours says how large the packet is, and comes back.
const ID: usize = 8;
/// Room for an answer.
const ANSWER_MAX: usize = 256;

const WAIT: Duration = Duration::from_millis(EXAM_SIZE_MS);

/// What becomes of packets of full size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullSize {
    /// They arrive.
    Arrives,
    /// Those of so many bytes are lost, and nobody says so; small ones arrive.
    Lost(usize),
    /// There is no answer to tell it from.
    Unknown,
}

/// Tries an address.
pub(super) async fn full(address: SocketAddr) -> FullSize {
    match tried(address).await {
        Ok(found) => found,
        // The system says what is wrong, to everybody.
        Err(_) => FullSize::Unknown,
    }
}

async fn tried(address: SocketAddr) -> io::Result<FullSize> {
    let way = Way::to(address).await?;
    let mut full = way.full()?;
    let mut answered = way.answers(full).await;
    // The system may hear now that less fits: TCP hears it too.
    while let Err(error) = &answered
        && Errno::from_io_error(error) == Some(Errno::MSGSIZE)
        && way.full()? < full
    {
        full = way.full()?;
        answered = way.answers(full).await;
    }
    if answered? {
        return Ok(FullSize::Arrives);
    }
    let is_answered = full > SMALL && way.answers(SMALL).await?;
    // Once more, for it might have been chance.
    Ok(
        match (is_answered, is_answered && way.answers(full).await?) {
            (true, false) => FullSize::Lost(full + way.headers),
            (true, true) => FullSize::Arrives,
            (false, _) => FullSize::Unknown,
        },
    )
}

/// A socket for one address, of which nothing is sent in pieces.
struct Way {
    socket: UdpSocket,
    is_v6: bool,
    /// Bytes before the payload of a packet.
    headers: usize,
}

impl Way {
    async fn to(address: SocketAddr) -> io::Result<Self> {
        let is_v6 = address.is_ipv6();
        let (any, headers): (SocketAddr, usize) = match is_v6 {
            false => ((Ipv4Addr::UNSPECIFIED, 0).into(), 20 + 8),
            true => ((Ipv6Addr::UNSPECIFIED, 0).into(), 40 + 8),
        };
        let socket = UdpSocket::bind(any).await?;
        match is_v6 {
            false => sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?,
            true => sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?,
        }
        socket.connect(address).await?;
        Ok(Self {
            socket,
            is_v6,
            headers,
        })
    }

    /// The largest payload that the system sends there in one piece, of those that a daemon takes.
    fn full(&self) -> io::Result<usize> {
        let packet = match self.is_v6 {
            false => sockopt::ip_mtu(&self.socket)?,
            true => sockopt::ipv6_mtu(&self.socket)?,
        };
        let payload = (packet as usize).saturating_sub(self.headers);
        Ok(payload.clamp(SMALL, PAYLOAD_MAX.into()))
    }

    /// Whether a payload of this size is answered; some packets get lost by chance.
    async fn answers(&self, payload: usize) -> io::Result<bool> {
        let question = question(payload);
        for _ in 0..EXAM_SIZE_TRIES {
            self.socket.send(&question).await?;
            let until = Instant::now() + WAIT;
            while let Ok(answer) = timeout_at(until, self.answer()).await {
                if answer? == Some(payload as u64) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The size that the next answer is about, if it is one.
    async fn answer(&self) -> io::Result<Option<u64>> {
        let mut answer = [0; ANSWER_MAX];
        let len = self.socket.recv(&mut answer).await?;
        Ok(size_in(&answer[..len]))
    }
}

fn question(payload: usize) -> Vec<u8> {
    let mut question = UNKNOWN.to_vec();
    for id in [0, payload as u64] {
        question.push(ID as u8);
        question.extend(id.to_be_bytes());
    }
    question.resize(payload, 0);
    question
}

/// A list of versions is addressed to the id of who has asked.
fn size_in(answer: &[u8]) -> Option<u64> {
    let (version, rest) = answer.get(1..)?.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first()?;
    let id = rest.first_chunk::<ID>()?;
    let is_list = *version == [0; 4] && usize::from(*len) == ID;
    is_list.then(|| u64::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_none() {
        let mut answer = vec![0xc0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 4, 176, 0];
        assert_eq!(size_in(&answer), Some(1200));
        for len in 0..14 {
            assert_eq!(size_in(&answer[..len]), None, "{len}");
        }
        answer[5] = 7;
        assert_eq!(size_in(&answer), None);
        assert_eq!(size_in(&question(1200)), None);
        assert_eq!(question(1200).len(), 1200);
    }
}
