//! What the system is told of the path between two tasks.
//!
//! How a connection meets a full network is the system's choice, with one exception. BBR sends at the pace
//! that it has measured, and has no more under way than that makes in the shortest round trip. Between
//! neighbours, where the shortest one takes microseconds and each end now and then something else to do, that
//! keeps a stream at a third of what it could be. It was made for long paths that lose packets, and stays
//! there. Its place is taken by Reno, which every system has and every user may choose, and which on paths
//! this short is as good as its successors.
//!
//! A socket that has once been paced remains so: BBR is put by before the socket connects, and taken up again
//! when the path turns out to be long.

use rustix::net::sockopt::{set_tcp_congestion, tcp_congestion};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Longest round trip between neighbours.
const NEAR: Duration = Duration::from_millis(1);
const PACED: &str = "bbr";
const UNPACED: &str = "reno";

/// What was put by; `None`: nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pace(Option<String>);

impl Pace {
    /// Has a socket that will connect, or listen for some that do, not be paced. Where the system does not let
    /// us, messages come all the same.
    pub fn put_by(socket: impl AsFd) -> Self {
        let system = tcp_congestion(&socket).ok();
        let paced = system.filter(|name| name.starts_with(PACED));
        Self(paced.filter(|_| set_tcp_congestion(&socket, UNPACED).is_ok()))
    }

    /// Has a socket that was so connected be paced if the other end is far away.
    pub fn take_up(&self, socket: &TcpStream) {
        if self.0.is_some() {
            self.take_up_over(socket, round_trip(socket).unwrap_or_default());
        }
    }

    fn take_up_over(&self, socket: &TcpStream, round_trip: Duration) {
        if let Some(name) = self.0.as_ref().filter(|_| round_trip > NEAR) {
            // Else it goes on unpaced.
            let _ = set_tcp_congestion(socket, name);
        }
    }
}

/// What the system has measured while it connected.
fn round_trip(socket: &TcpStream) -> io::Result<Duration> {
    // SAFETY: it is made of whole numbers, of which zeros are some.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the system writes at most `len` bytes, as many as `info` has, and takes any for it.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    match status {
        0 => Ok(Duration::from_micros(info.tcpi_rtt.into())),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Whatever this system knows and lets us choose.
    #[test]
    fn what_paces_is_put_by_and_taken_up_on_long_paths_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
        let known = known.unwrap();
        let choose = |name: &&str| set_tcp_congestion(&listener, name).is_ok();
        for name in known.split_whitespace().filter(choose) {
            let pace = Pace::put_by(&listener);
            let paces = name.starts_with(PACED);
            assert_eq!(pace, Pace(paces.then(|| name.to_owned())));
            let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let expected = if paces { UNPACED } else { name };
            assert_eq!(tcp_congestion(&socket).unwrap(), expected);
            pace.take_up_over(&socket, NEAR);
            assert_eq!(tcp_congestion(&socket).unwrap(), expected);
            pace.take_up_over(&socket, 2 * NEAR);
            assert_eq!(tcp_congestion(&socket).unwrap(), name);
            let measured = round_trip(&other).unwrap();
            assert!(!measured.is_zero() && measured < Duration::from_secs(60));
        }
    }
}
