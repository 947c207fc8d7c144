//! The keeper's end of its socket: blocking writes, reads of what is there.

use pvm::limits::CONTROL_FDS_MAX;
use pvm::wire::control::{FromKeeper, ToKeeper, to_keeper};
use pvm::wire::frame::{self, Decoder};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Descriptor on which a keeper finds its socket.
pub const KEEPER_FD: i32 = 3;
/// stdin, stdout and stderr of a task.
const FDS_PER_START: usize = 3;
const READ_BYTES: usize = 64 << 10;

/// One end of the socket.
pub struct Link {
    socket: OwnedFd,
    decoder: Decoder,
    fds: VecDeque<OwnedFd>,
    buffer: Vec<u8>,
}

impl Link {
    /// Takes the socket that the daemon has left at [`KEEPER_FD`].
    pub fn inherited() -> io::Result<Self> {
        // SAFETY: the daemon starts keepers with exactly this descriptor open and this program
        // has not opened or taken it before; called once.
        let socket = unsafe { OwnedFd::from_raw_fd(KEEPER_FD) };
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Link {
            socket,
            decoder: Decoder::default(),
            fds: VecDeque::new(),
            buffer: vec![0; READ_BYTES],
        })
    }

    /// The descriptor to wait on.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// The daemon has gone.
    pub fn read_available(&mut self) -> io::Result<()> {
        loop {
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CONTROL_FDS_MAX))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let slices = &mut [IoSliceMut::new(&mut self.buffer)];
            let read = match recvmsg(&self.socket, slices, &mut ancillary, flags) {
                Ok(message) => message.bytes,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    self.fds.extend(fds);
                }
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.decoder.extend(&self.buffer[..read]);
        }
    }

    /// The next whole message with its descriptors.
    pub fn take(&mut self) -> io::Result<Option<(to_keeper::Body, Vec<OwnedFd>)>> {
        while let Some(message) = self.decoder.take::<ToKeeper>().map_err(io::Error::other)? {
            let Some(body) = message.body else { continue };
            let count = match body {
                to_keeper::Body::Start(_) => FDS_PER_START.min(self.fds.len()),
                _ => 0,
            };
            return Ok(Some((body, self.fds.drain(..count).collect())));
        }
        Ok(None)
    }

    /// Sends one message, waiting for room.
    pub fn send(&mut self, message: &FromKeeper) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::encode(message, &mut bytes).map_err(io::Error::other)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(n) => rest = &rest[n..],
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
