//! A direct connection between two tasks: one TCP socket, TLS 1.3 or plain.
//!
//! It moves frames and never waits. Whoever owns it calls [`Direct::work`] when the socket may be
//! ready, has it [carry](Direct::carry) what a session has, and takes frames that have come. Of those that
//! the socket does not take it keeps no more than one that was begun. In steady state
//! nothing is allocated: both buffers keep their memory.
//!
//! TLS is that of [`tls`](super::tls); what a plain connection protects is said in
//! [`greeting`](super::greeting).

use super::frame::{self, FrameError};
use super::greeting::{Greeting, GreetingError, Side, Token};
use super::kept::PARTS_MAX;
use super::records::Tls;
use super::session::Session;
use super::tls::Certificates;
use crate::limits::{DIRECT_BATCH, DIRECT_BUFFER, DIRECT_SILENCE_MS, TLS_BATCH};
use rustix::event::PollFlags;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
    set_tcp_user_timeout,
};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

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
    Tls(Box<Tls>),
}

/// A connection.
pub struct Direct {
    socket: TcpStream,
    layer: Layer,
    greeting: Greeting,
    /// To go out; what has gone is before `sent`.
    out: Vec<u8>,
    sent: usize,
    /// The socket has failed, perhaps in the middle of a frame: nothing may follow.
    is_broken: bool,
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
            (Some(certificates), Side::Dials) => Layer::Tls(Tls::over(certificates.client()?)),
            (Some(certificates), Side::Listens) => Layer::Tls(Tls::over(certificates.server()?)),
        };
        let mut out = Vec::new();
        let greeting = Greeting::begin(side, credentials.token, &mut out)?;
        Ok(Self {
            socket,
            layer,
            greeting,
            out,
            sent: 0,
            is_broken: false,
            came: Box::default(),
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
        let written = match self.write(&[], false) {
            Ok((written, _)) => written,
            // The other end may have written much before it ended: that comes first.
            Err(_) if self.is_full() => false,
            Err(error) => return Err(error),
        };
        Ok(read? | greeted | written)
    }

    /// Sends what the session has, as far as the socket takes it. Only when [`Direct::is_open`].
    ///
    /// # Errors
    /// The connection is over.
    pub fn carry(&mut self, session: &mut Session, now: Instant) -> Result<(), DirectError> {
        while self.wants_frames() && session.has_frames(now) {
            let batch = self.batch();
            let ready = session.frames_behind(now, batch, &mut self.out);
            let all = ready.len();
            let sent = self.write(ready.parts(), ready.is_followed());
            let sent = sent.map(|(_, taken)| taken);
            // What has gone on a connection that is over nobody knows: perhaps everything. The first frame
            // counts as begun even if none of it is taken: so the socket is waited for.
            let gone = *sent.as_ref().unwrap_or(&all);
            let rest = session.went(gone.max(1).min(all));
            sent?;
            self.out.extend_from_slice(rest[0]);
            self.out.extend_from_slice(rest[1]);
        }
        Ok(())
    }

    /// Bytes of frames that it is best given at once.
    pub fn batch(&self) -> usize {
        match self.layer {
            Layer::Plain => DIRECT_BATCH,
            Layer::Tls(_) => TLS_BATCH,
        }
    }

    /// Whether so much has come that the rest was left for the next [`Direct::work`].
    pub fn is_full(&self) -> bool {
        self.end > 0 && self.end == self.came.len()
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

    /// Whether the socket may take more.
    pub fn wants_frames(&self) -> bool {
        self.out.is_empty() && !self.is_broken
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFlags {
        let hidden = match &self.layer {
            Layer::Plain => false,
            Layer::Tls(tls) => tls.wants_write(),
        };
        match !self.is_broken && (hidden || !self.out.is_empty()) {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        }
    }

    /// Gives memory back, to be taken again when something comes or goes. False: something is in it, and
    /// nothing is given back.
    pub fn give_back(&mut self) -> bool {
        let is_empty = self.taken == self.end && self.out.is_empty();
        let gives = is_empty
            && match &mut self.layer {
                Layer::Plain => true,
                Layer::Tls(tls) => tls.give_back(),
            };
        if gives {
            (self.came, self.taken, self.end) = (Box::default(), 0, 0);
            self.out = Vec::new();
        }
        gives
    }

    /// Bytes of memory, without that of the TLS library.
    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        let layer = match &self.layer {
            Layer::Plain => 0,
            Layer::Tls(tls) => tls.memory(),
        };
        self.came.len() + self.out.capacity() + layer
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
                Layer::Tls(tls) => tls.read(&mut self.socket, room)?,
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
        if self.came.is_empty() {
            self.came = vec![0; DIRECT_BUFFER].into_boxed_slice();
        }
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
    /// any, and how much of `frames` has gone. If all has and `is_followed`, more must be written at once:
    /// the system may wait for it to fill its last segment.
    pub(super) fn write(
        &mut self,
        frames: &[&[u8]],
        is_followed: bool,
    ) -> Result<(bool, usize), DirectError> {
        if self.is_broken {
            return Err(DirectError::Closed);
        }
        let written = self.write_on(frames, is_followed);
        self.is_broken = written.is_err();
        written
    }

    fn write_on(
        &mut self,
        frames: &[&[u8]],
        is_followed: bool,
    ) -> Result<(bool, usize), DirectError> {
        let socket = &mut NoSignal {
            socket: &self.socket,
            is_followed,
        };
        let (mut any, mut taken) = (false, 0);
        loop {
            let first = &self.out[self.sent..];
            let mut parts = [IoSlice::new(&[]); 1 + PARTS_MAX];
            let parts = gather(&mut parts, first, frames, taken);
            let all: usize = parts.iter().map(|part| part.len()).sum();
            let (gone, moved) = match &mut self.layer {
                Layer::Plain if all == 0 => (0, false),
                Layer::Plain => {
                    let count = ready(socket.write_vectored(parts))?;
                    (count.unwrap_or(0), count.is_some())
                }
                Layer::Tls(tls) => tls.write(socket, parts)?,
            };
            let is_full = gone < all && matches!(self.layer, Layer::Plain);
            let ours = gone.min(first.len());
            taken += gone - ours;
            self.sent += ours;
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
            any |= moved;
            if !moved || is_full {
                return Ok((any, taken));
            }
        }
    }
}

/// What is not empty of `first` and, behind their first `taken` bytes, of `frames`.
fn gather<'p, 'a>(
    parts: &'p mut [IoSlice<'a>; 1 + PARTS_MAX],
    first: &'a [u8],
    frames: &[&'a [u8]],
    mut taken: usize,
) -> &'p [IoSlice<'a>] {
    let mut count = 0;
    let mut put = |part: &'a [u8]| {
        if !part.is_empty() {
            parts[count] = IoSlice::new(part);
            count += 1;
        }
    };
    put(first);
    for part in frames {
        let gone = taken.min(part.len());
        taken -= gone;
        put(&part[gone..]);
    }
    &parts[..count]
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

/// Writes to a socket that may be closed: that is an error, and no signal, which would be the end of a
/// program that does not care for signals.
pub(super) struct NoSignal<'a> {
    pub socket: &'a TcpStream,
    /// More is written at once.
    pub is_followed: bool,
}

impl Write for NoSignal<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut beside = SendAncillaryBuffer::default();
        let flags = match self.is_followed {
            true => SendFlags::NOSIGNAL | SendFlags::MORE,
            false => SendFlags::NOSIGNAL,
        };
        Ok(sendmsg(self.socket, parts, &mut beside, flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a call that does not wait has moved; `None`: nothing now.
pub(super) fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
