//! How two tasks get a direct connection: one listens, the other dials all its addresses at once.
//!
//! Several attempts may succeed, and strangers may knock; the dialling side keeps the first
//! connection whose other end proves itself, and says so on it. Nothing here waits: the owner calls
//! [`Meeting::poll`] when a socket may be ready, or the deadline has passed.

use super::direct::{Credentials, Direct, DirectError};
use super::greeting::Side;
use super::path::Pace;
use crate::limits::DIRECT_CANDIDATES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// How far a meeting is.
pub enum Met {
    /// Not yet.
    NotYet,
    /// The connection; frames can go.
    Open(Box<Direct>),
    /// There will be none.
    Failed,
}

enum Candidate {
    /// The kernel is connecting it.
    Connecting(OwnedFd),
    /// The two ends greet each other.
    Greeting(Box<Direct>),
}

/// An attempt to connect two tasks.
pub struct Meeting {
    credentials: Credentials,
    deadline: Instant,
    listener: Option<TcpListener>,
    /// Of all its sockets.
    pace: Pace,
    candidates: Vec<Candidate>,
}

impl Meeting {
    /// Listens at one address of this host, or at all, until `deadline`. Returns the port, too.
    ///
    /// # Errors
    /// When the system gives no socket, or does not have the address.
    pub fn listen(
        credentials: Credentials,
        at: Option<IpAddr>,
        deadline: Instant,
    ) -> io::Result<(Self, u16)> {
        let listener = match at {
            Some(address) => TcpListener::bind((address, 0))?,
            // Where there is IPv6, its socket takes IPv4 as well.
            None => TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
                .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))?,
        };
        listener.set_nonblocking(true)?;
        let pace = Pace::put_by(&listener);
        let port = listener.local_addr()?.port();
        let meeting = Self {
            credentials,
            deadline,
            listener: Some(listener),
            pace,
            candidates: Vec::new(),
        };
        Ok((meeting, port))
    }

    /// Dials all these addresses, the first [`DIRECT_CANDIDATES_MAX`] of them.
    pub fn dial(credentials: Credentials, addresses: &[SocketAddr], deadline: Instant) -> Self {
        let addresses = addresses.iter().take(DIRECT_CANDIDATES_MAX);
        let mut meeting = Self {
            credentials,
            deadline,
            listener: None,
            pace: Pace::default(),
            candidates: Vec::new(),
        };
        for (socket, pace) in addresses.filter_map(|address| begin_to_connect(address).ok()) {
            meeting.candidates.push(Candidate::Connecting(socket));
            meeting.pace = pace;
        }
        meeting
    }

    /// Goes on as far as it goes without waiting. What it returns in the end it returns once.
    pub fn poll(&mut self, now: Instant) -> Met {
        self.accept();
        for candidate in std::mem::take(&mut self.candidates) {
            // What fails is dropped; others may do better.
            let Ok(candidate) = self.advance(candidate) else {
                continue;
            };
            match candidate {
                Candidate::Greeting(direct) if direct.is_open() => {
                    self.give_up();
                    return Met::Open(direct);
                }
                other => self.candidates.push(other),
            }
        }
        let is_hopeless = self.listener.is_none() && self.candidates.is_empty();
        if is_hopeless || now >= self.deadline {
            self.give_up();
            return Met::Failed;
        }
        Met::NotYet
    }

    /// What to wait for, and for what.
    pub fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let listener = self.listener.iter();
        let listener = listener.map(|listener| (listener.as_fd(), PollFlags::IN));
        listener.chain(self.candidates.iter().map(Candidate::interest))
    }

    /// When it fails at the latest.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    fn give_up(&mut self) {
        self.listener = None;
        self.candidates.clear();
    }

    /// Takes in who knocks, as long as there are not too many.
    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        while self.candidates.len() < DIRECT_CANDIDATES_MAX
            && let Ok((socket, _)) = listener.accept()
        {
            self.pace.take_up(&socket);
            if let Ok(direct) = Direct::begin(socket, Side::Listens, &self.credentials) {
                self.candidates.push(Candidate::Greeting(Box::new(direct)));
            }
        }
    }

    fn advance(&self, candidate: Candidate) -> Result<Candidate, DirectError> {
        let mut direct = match candidate {
            Candidate::Greeting(direct) => direct,
            Candidate::Connecting(socket) => match is_connected(&socket)? {
                false => return Ok(Candidate::Connecting(socket)),
                true => {
                    let socket = TcpStream::from(socket);
                    self.pace.take_up(&socket);
                    Box::new(Direct::begin(socket, Side::Dials, &self.credentials)?)
                }
            },
        };
        direct.work()?;
        if direct.is_proven() && self.listener.is_none() {
            direct.choose();
            direct.work()?;
        }
        Ok(Candidate::Greeting(direct))
    }
}

impl Candidate {
    fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        match self {
            Candidate::Connecting(socket) => (socket.as_fd(), PollFlags::OUT),
            Candidate::Greeting(direct) => (direct.as_fd(), direct.interest()),
        }
    }
}

fn begin_to_connect(address: &SocketAddr) -> rustix::io::Result<(OwnedFd, Pace)> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    let pace = Pace::put_by(&socket);
    match connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok((socket, pace)),
        Err(error) => Err(error),
    }
}

fn is_connected(socket: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(0) | Err(Errno::INTR) => Ok(false),
        Ok(_) => {
            socket_error(socket)??;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
