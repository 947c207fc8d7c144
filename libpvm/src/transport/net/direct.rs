//! A direct connection between two tasks: one TCP socket, TLS 1.3 or plain.
//!
//! It moves frames and never waits. Whoever owns it calls [`Direct::work`] when the socket may be
//! ready, fills what is to go out, and takes frames. In steady state nothing is allocated: both
//! buffers keep their memory.
//!
//! TLS is that of [`tls`](super::tls); what a plain connection protects is said in
//! [`greeting`](super::greeting).

use super::frame::{self, FrameError};
use super::greeting::{Greeting, GreetingError, Side, Token};
use super::tls::Certificates;
use crate::limits::{DIRECT_BUFFER, DIRECT_SILENCE_MS};
use rustix::event::PollFlags;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
    set_tcp_user_timeout,
};
use rustls::Connection;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Bytes that are read at once.
const READ_MAX: usize = 64 << 10;

/// What a task was told of a connection.
#[derive(Clone)]
pub struct Credentials {
    /// The token of this connection.
    pub token: Token,
    /// For TLS; `None`: plain.
    pub certificates: Option<Certificates>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// The other end has closed it.
    #[error("closed by the other end")]
    Closed,
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS says no.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The other end is not the one that was arranged.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// The other end sends no frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Bytes between the socket and the frames.
enum Layer {
    Plain,
    Tls(Box<Connection>),
}

/// A connection.
pub struct Direct {
    socket: TcpStream,
    layer: Layer,
    greeting: Greeting,
    /// To go out; what has gone is before `sent`.
    out: Vec<u8>,
    sent: usize,
    /// Has come; what was taken is before `taken`.
    came: Vec<u8>,
    taken: usize,
    room: Box<[u8]>,
}

impl Direct {
    /// Begins over a connected socket.
    ///
    /// # Errors
    /// When the socket or the credentials cannot be used.
    pub fn begin(
        socket: TcpStream,
        side: Side,
        credentials: &Credentials,
    ) -> Result<Self, DirectError> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        watch_over(&socket)?;
        let layer = match (&credentials.certificates, side) {
            (None, _) => Layer::Plain,
            (Some(certificates), Side::Dials) => Layer::Tls(Box::new(certificates.client()?)),
            (Some(certificates), Side::Listens) => Layer::Tls(Box::new(certificates.server()?)),
        };
        let mut out = Vec::new();
        let greeting = Greeting::begin(side, credentials.token, &mut out)?;
        Ok(Self {
            socket,
            layer,
            greeting,
            out,
            sent: 0,
            came: Vec::new(),
            taken: 0,
            room: vec![0; READ_MAX].into_boxed_slice(),
        })
    }

    /// Moves bytes as far as they move without waiting. Returns whether any did.
    ///
    /// # Errors
    /// The connection is over. Frames that came before can still be taken.
    pub fn work(&mut self) -> Result<bool, DirectError> {
        let read = self.read();
        let greeted = self.greet()?;
        let written = self.write()?;
        Ok(read? | greeted | written)
    }

    /// Sends as far as the socket takes it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn send(&mut self) -> Result<(), DirectError> {
        self.write().map(drop)
    }

    /// Whether so much has come that the rest was left for the next [`Direct::work`].
    pub fn is_full(&self) -> bool {
        self.came.len() >= DIRECT_BUFFER
    }

    /// Where frames to go out are appended; only when [`Direct::is_open`], and while
    /// [`Direct::wants_frames`].
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        if self.sent > 0 && self.sent >= self.out.len() - self.sent {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        &mut self.out
    }

    /// The next frame that has come, without its length.
    ///
    /// # Errors
    /// The connection is to be closed.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, DirectError> {
        if !self.is_open() {
            return Ok(None);
        }
        let mut rest = &self.came[self.taken..];
        let frame = frame::split(&mut rest)?;
        self.taken = self.came.len() - rest.len();
        Ok(frame)
    }

    /// The dialling side keeps this connection, which is proven.
    pub fn choose(&mut self) {
        self.greeting.choose(&mut self.out);
    }

    /// Whether the other end has proven itself.
    pub fn is_proven(&self) -> bool {
        self.greeting.is_proven()
    }

    /// Whether frames can go both ways.
    pub fn is_open(&self) -> bool {
        self.greeting.is_done()
    }

    /// Whether there is room for frames.
    pub fn wants_frames(&self) -> bool {
        self.out.len() - self.sent < DIRECT_BUFFER
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFlags {
        let hidden = match &self.layer {
            Layer::Plain => false,
            Layer::Tls(tls) => tls.wants_write(),
        };
        match hidden || self.sent < self.out.len() {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        }
    }

    /// Reads until nothing is there or enough has come.
    fn read(&mut self) -> Result<bool, DirectError> {
        self.came.drain(..self.taken);
        self.taken = 0;
        let mut any = false;
        while self.came.len() < DIRECT_BUFFER {
            let count = match &mut self.layer {
                Layer::Plain => ready(self.socket.read(&mut self.room))?,
                Layer::Tls(tls) => read_tls(tls, &mut self.socket, &mut self.room)?,
            };
            match count {
                None => break,
                Some(0) => return Err(DirectError::Closed),
                Some(count) => self.came.extend_from_slice(&self.room[..count]),
            }
            any = true;
            if matches!(self.layer, Layer::Plain) && count != Some(READ_MAX) {
                // The kernel had no more.
                break;
            }
        }
        Ok(any)
    }

    fn greet(&mut self) -> Result<bool, DirectError> {
        let before = self.taken;
        loop {
            match self
                .greeting
                .take(&self.came[self.taken..], &mut self.out)?
            {
                0 => return Ok(self.taken != before),
                count => self.taken += count,
            }
        }
    }

    /// Writes until the socket takes no more.
    fn write(&mut self) -> Result<bool, DirectError> {
        let mut any = false;
        loop {
            let left = &self.out[self.sent..];
            let count = match &mut self.layer {
                Layer::Plain if left.is_empty() => None,
                Layer::Plain => ready(self.socket.write(left))?,
                Layer::Tls(tls) => {
                    self.sent += tls.writer().write(left)?;
                    match tls.wants_write() {
                        true => ready(tls.write_tls(&mut self.socket))?,
                        false => None,
                    }
                }
            };
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
            let Some(count) = count else {
                return Ok(any);
            };
            if matches!(self.layer, Layer::Plain) {
                self.sent += count;
            }
            any = true;
        }
    }
}

impl AsFd for Direct {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Has the system find out when the other end cannot be reached any more.
fn watch_over(socket: &TcpStream) -> io::Result<()> {
    let silence = Duration::from_millis(DIRECT_SILENCE_MS);
    set_socket_keepalive(socket, true)?;
    set_tcp_keepidle(socket, silence / 2)?;
    set_tcp_keepintvl(socket, silence / 6)?;
    set_tcp_keepcnt(socket, 3)?;
    set_tcp_user_timeout(socket, DIRECT_SILENCE_MS as u32)?;
    Ok(())
}

/// Bytes out of TLS; `None`: not now, 0: the end.
fn read_tls(
    tls: &mut Connection,
    socket: &mut TcpStream,
    room: &mut [u8],
) -> Result<Option<usize>, DirectError> {
    loop {
        match ready(tls.reader().read(room)) {
            Ok(None) => {}
            Ok(some) => return Ok(some),
            // Cut off without a farewell; sessions do not depend on one.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(0)),
            Err(error) => return Err(error.into()),
        }
        match ready(tls.read_tls(socket))? {
            None => return Ok(None),
            Some(_) => {
                if let Err(error) = tls.process_new_packets() {
                    // The other end is told why, if it can be told at once.
                    let _ = tls.write_tls(socket);
                    return Err(error.into());
                }
            }
        }
    }
}

/// What a call that does not wait has moved; `None`: nothing now.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
