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
/// runs whenever the system has taken bytes: who reads only when that tells it to must hear of a part
/// that fills the socket, or the rest waits for ever.
pub async fn write(stream: Rc<UnixStream>, outbox: Outbox, after_write: impl Fn()) {
    while let Some(parcel) = outbox.next().await {
        if write_parcel(&stream, &parcel, &after_write).await.is_err() {
            outbox.break_off();
            break;
        }
        outbox.written(&parcel);
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

async fn write_parcel(
    stream: &UnixStream,
    parcel: &Parcel,
    after_write: &impl Fn(),
) -> io::Result<()> {
    let mut rest = &parcel.bytes[..];
    let mut fds: Vec<_> = parcel.fds.iter().map(|fd| fd.as_fd()).collect();
    while !rest.is_empty() {
        let sent = stream.async_io(Interest::WRITABLE, || {
            Ok(passing::send(stream.as_fd(), rest, &fds)?)
        });
        rest = &rest[sent.await?..];
        fds.clear();
        after_write();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm::wire::control::Relayed;
    use tokio::sync::Notify;

    /// As a task does that is rung for what its daemon has written.
    async fn read_when_told(mut stream: UnixStream, told: &Notify) -> usize {
        use tokio::io::AsyncReadExt;
        let mut decoder = Decoder::default();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            told.notified().await;
            while let Ok(result) =
                tokio::time::timeout(Duration::ZERO, stream.read(&mut bytes)).await
            {
                decoder.extend(&bytes[..result.unwrap()]);
                if let Some(message) = decoder.take::<Relayed>().unwrap() {
                    return message.data.len();
                }
            }
        }
    }

    #[tokio::test]
    async fn who_reads_when_told_gets_more_than_the_socket_holds() {
        const LARGE: usize = 8 << 20;
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (outbox, told) = (Outbox::default(), Notify::new());
        let relayed = Relayed {
            peer: 1,
            data: vec![7; LARGE],
        };
        outbox.push(&relayed, Vec::new());
        let writing = write(Rc::new(ours), outbox, || told.notify_one());
        let reading = tokio::time::timeout(Duration::from_secs(20), read_when_told(theirs, &told));
        tokio::select! {
            () = writing => panic!("it is not closed"),
            read = reading => assert_eq!(read, Ok(LARGE)),
        }
    }
}
