//! Frames and descriptors over a unix socket, on tokio.

use super::outbox::{Outbox, Parcel};
use prost::Message;
use pvm::limits::CONTROL_FDS_MAX;
use pvm::session::passing;
use pvm::wire::frame::{Decoder, FrameError};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// Longest that the last words of a closed connection may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why no further message comes.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other end has closed, or the connection is broken.
    #[error("the connection has ended")]
    Closed,
    /// The bytes make no sense.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// More descriptors than any message has.
    #[error("more descriptors than any message has")]
    Descriptors,
}

/// The reading half of a connection.
pub struct Reader {
    stream: Rc<UnixStream>,
    decoder: Decoder,
    fds: VecDeque<OwnedFd>,
}

impl Reader {
    /// Reads from `stream`.
    pub fn new(stream: Rc<UnixStream>) -> Self {
        Reader {
            stream,
            decoder: Decoder::default(),
            fds: VecDeque::new(),
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// The connection has ended, or must be.
    pub async fn next<M: Message + Default>(&mut self) -> Result<M, ReadError> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(message);
            }
            if !self.decoder.is_midframe() {
                self.fds.clear();
            }
            self.read().await?;
        }
    }

    /// Takes up to `count` of the descriptors that came beside the message just read.
    pub fn descriptors(&mut self, count: usize) -> Vec<OwnedFd> {
        self.fds.drain(..count.min(self.fds.len())).collect()
    }

    async fn read(&mut self) -> Result<(), ReadError> {
        let Reader {
            stream,
            decoder,
            fds,
        } = self;
        let read = stream.async_io(Interest::READABLE, || {
            let mut bytes = [0; READ_BYTES];
            let read = passing::receive(stream.as_fd(), &mut bytes, fds)?;
            decoder.extend(&bytes[..read]);
            Ok(read)
        });
        match read.await {
            Ok(0) | Err(_) => Err(ReadError::Closed),
            Ok(_) if self.fds.len() > CONTROL_FDS_MAX => Err(ReadError::Descriptors),
            Ok(_) => Ok(()),
        }
    }
}

/// Writes what the outbox is given until it is closed; then ends the connection. `after_write`
/// runs after each write.
pub async fn write(stream: Rc<UnixStream>, outbox: Outbox, after_write: impl Fn()) {
    while let Some(parcel) = outbox.next().await {
        if write_parcel(&stream, &parcel).await.is_err() {
            outbox.break_off();
            break;
        }
        outbox.written(&parcel);
        after_write();
    }
    // Wakes our own reading half too.
    let _ = rustix::net::shutdown(&*stream, rustix::net::Shutdown::Both);
}

/// Lets the last words be written, for a limited time.
pub async fn finish(outbox: &Outbox) {
    outbox.close();
    if tokio::time::timeout(LAST_WORDS, outbox.flushed())
        .await
        .is_err()
    {
        outbox.break_off();
    }
}

async fn write_parcel(stream: &UnixStream, parcel: &Parcel) -> io::Result<()> {
    let mut rest = &parcel.bytes[..];
    let mut fds: Vec<_> = parcel.fds.iter().map(|fd| fd.as_fd()).collect();
    while !rest.is_empty() {
        let sent = stream.async_io(Interest::WRITABLE, || {
            Ok(passing::send(stream.as_fd(), rest, &fds)?)
        });
        rest = &rest[sent.await?..];
        fds.clear();
    }
    Ok(())
}
