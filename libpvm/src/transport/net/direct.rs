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
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Room for what is read next: what has come is moved to make it.
const READ_MIN: usize = DIRECT_BUFFER / 4;
// Behind a part of the longest frame there is room for its rest.
const _: () = assert!(frame::FRAME_MAX + READ_MIN <= DIRECT_BUFFER);

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
    /// Up to `end` has come; what was taken is before `taken`.
    came: Box<[u8]>,
    end: usize,
    taken: usize,
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
            came: vec![0; DIRECT_BUFFER].into_boxed_slice(),
            end: 0,
            taken: 0,
        })
    }

    /// Moves bytes as far as they move without waiting. Returns whether any did.
    ///
    /// # Errors
    /// The connection is over. Frames that came before can still be taken.
    pub fn work(&mut self) -> Result<bool, DirectError> {
        let read = self.read();
        let greeted = self.greet()?;
        let (written, _) = self.write(&[])?;
        Ok(read? | greeted | written)
    }

    /// Sends what is to go out, and these frames behind it, as far as the socket takes them; the rest is
    /// kept. Only when [`Direct::is_open`], and while [`Direct::wants_frames`].
    ///
    /// # Errors
    /// The connection is over.
    pub fn send(&mut self, frames: &[u8]) -> Result<(), DirectError> {
        let (_, taken) = self.write(frames)?;
        self.out.extend_from_slice(&frames[taken..]);
        Ok(())
    }

    /// Whether so much has come that the rest was left for the next [`Direct::work`].
    pub fn is_full(&self) -> bool {
        self.end == self.came.len()
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
        let mut rest = &self.came[self.taken..self.end];
        let frame = frame::split(&mut rest)?;
        self.taken = self.end - rest.len();
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
        self.make_room();
        let mut any = false;
        while self.end < self.came.len() {
            let room = &mut self.came[self.end..];
            let size = room.len();
            let count = match &mut self.layer {
                Layer::Plain => ready(self.socket.read(room))?,
                Layer::Tls(tls) => read_tls(tls, &mut self.socket, room)?,
            };
            match count {
                None => break,
                Some(0) => return Err(DirectError::Closed),
                Some(count) => self.end += count,
            }
            any = true;
            if matches!(self.layer, Layer::Plain) && count != Some(size) {
                // The kernel had no more.
                break;
            }
        }
        Ok(any)
    }

    /// Moves what has not been taken to the front, when little room is left behind it.
    fn make_room(&mut self) {
        if self.taken == self.end || self.came.len() - self.end < READ_MIN {
            self.came.copy_within(self.taken..self.end, 0);
            self.end -= self.taken;
            self.taken = 0;
        }
    }

    fn greet(&mut self) -> Result<bool, DirectError> {
        let before = self.taken;
        loop {
            match self
                .greeting
                .take(&self.came[self.taken..self.end], &mut self.out)?
            {
                0 => return Ok(self.taken != before),
                count => self.taken += count,
            }
        }
    }

    /// Writes what is to go out, then `frames`, until the socket takes no more. Returns whether it took
    /// any, and how much of `frames` has gone.
    fn write(&mut self, frames: &[u8]) -> Result<(bool, usize), DirectError> {
        let (mut any, mut taken) = (false, 0);
        loop {
            let (first, then) = (&self.out[self.sent..], &frames[taken..]);
            let (gone, moved) = match &mut self.layer {
                Layer::Plain if first.is_empty() && then.is_empty() => (0, false),
                Layer::Plain => {
                    let both = [IoSlice::new(first), IoSlice::new(then)];
                    let count = ready(self.socket.write_vectored(&both))?;
                    (count.unwrap_or(0), count.is_some())
                }
                Layer::Tls(tls) => {
                    let next = if first.is_empty() { then } else { first };
                    let gone = tls.writer().write(next)?;
                    let written = match tls.wants_write() {
                        true => ready(tls.write_tls(&mut self.socket))?,
                        false => None,
                    };
                    (gone, written.is_some())
                }
            };
            let ours = gone.min(first.len());
            taken += gone - ours;
            self.sent += ours;
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
            if !moved {
                return Ok((any, taken));
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
