//! Our stdout and stderr: written without ever blocking the loop, and without changing the mode of
//! descriptors that we share with others.

use super::outbox::Stream;
use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Quiet time after which an unfinished line is shown on a terminal.
const PATIENCE_TERMINAL: Duration = Duration::from_millis(200);
/// The same in a pipe, where somebody may wait for a prompt, but lines had better stay whole.
const PATIENCE_PIPE: Duration = Duration::from_secs(1);
/// What a pipe that polls writable takes without blocking, and at once.
const PIPE_ATOMIC: usize = 4096;

/// How a descriptor is written.
enum Way {
    /// Files never block.
    File,
    /// Our own non-blocking description of the same pipe or terminal.
    Own(OwnedFd),
    /// A socket can be told not to block, call by call.
    Socket,
    /// Only the shared description: small pieces, when it polls writable.
    Shared,
    /// Nobody reads it.
    Closed,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// This many bytes.
    Bytes(usize),
    /// None: it is full.
    Full,
    /// Nobody reads it any more.
    Gone,
    /// It cannot be written.
    Failed(Errno),
}

/// One of our two output descriptors.
pub struct Sink {
    stream: Stream,
    way: Way,
    patience: Option<Duration>,
}

impl Sink {
    /// Our stdout or stderr.
    pub fn open(stream: Stream) -> Self {
        let (way, patience) = match fstat(fd(stream)) {
            Err(_) => (Way::Closed, None),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile | FileType::BlockDevice | FileType::Directory => {
                    (Way::File, None)
                }
                FileType::Socket => (Way::Socket, Some(PATIENCE_PIPE)),
                FileType::CharacterDevice if rustix::termios::isatty(fd(stream)) => {
                    (own(stream), Some(PATIENCE_TERMINAL))
                }
                _ => (own(stream), Some(PATIENCE_PIPE)),
            },
        };
        Self {
            stream,
            way,
            patience,
        }
    }

    /// Quiet time after which an unfinished line is shown; `None`: never.
    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// What to poll for writing.
    pub fn poll_fd(&self) -> (BorrowedFd<'_>, PollFlags) {
        let descriptor = match &self.way {
            Way::Own(own) => own.as_fd(),
            _ => fd(self.stream),
        };
        (descriptor, PollFlags::OUT)
    }

    /// Writes some of `bytes`. `ready`: it polled writable.
    pub fn write(&mut self, bytes: &[u8], ready: bool) -> Wrote {
        let result = match &self.way {
            Way::Closed => return Wrote::Gone,
            Way::File => rustix::io::write(fd(self.stream), bytes),
            Way::Own(own) => rustix::io::write(own, bytes),
            Way::Socket => send(
                fd(self.stream),
                bytes,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ),
            Way::Shared if !ready => return Wrote::Full,
            Way::Shared => {
                rustix::io::write(fd(self.stream), &bytes[..bytes.len().min(PIPE_ATOMIC)])
            }
        };
        match result {
            Ok(count) => Wrote::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Wrote::Full,
            Err(Errno::PIPE | Errno::CONNRESET | Errno::IO) => {
                self.way = Way::Closed;
                Wrote::Gone
            }
            Err(error) => {
                self.way = Way::Closed;
                Wrote::Failed(error)
            }
        }
    }
}

fn fd(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Out => rustix::stdio::stdout(),
        Stream::Err => rustix::stdio::stderr(),
    }
}

/// Opens the same pipe or terminal anew: O_NONBLOCK on the old description would reach everybody
/// who shares it.
fn own(stream: Stream) -> Way {
    let path = match stream {
        Stream::Out => "/proc/self/fd/1",
        Stream::Err => "/proc/self/fd/2",
    };
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).map_or(Way::Shared, Way::Own)
}

/// Whether our stdout and stderr are one file, pipe or terminal.
pub fn one_file() -> bool {
    let same =
        |a: Stat, b: Stat| (a.st_dev, a.st_ino, a.st_rdev) == (b.st_dev, b.st_ino, b.st_rdev);
    match (fstat(fd(Stream::Out)), fstat(fd(Stream::Err))) {
        (Ok(out), Ok(err)) => same(out, err),
        _ => false,
    }
}
