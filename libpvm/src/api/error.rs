//! What can go wrong, by whose doing.

use super::plain;
use crate::datatype::UnlikeError;
use crate::engine::{AskError, BadWelcome, EngineError, WaitError};
use crate::ids::{Rank, Tag, TaskId};
use crate::session::LinkError;
use crate::sync::GateError;
use crate::wire::control::Failure;
use crate::wire::value::ValueError;
use std::fmt;

/// Result of most calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. The task stays in the virtual machine after every one of these, and may go
/// on, except after [`Error::LostDaemon`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- the caller's doing
    /// The communicator has no such rank.
    #[error("rank {rank} does not exist: the communicator has ranks 0 to {last}", last = size - 1)]
    RankOutOfRange {
        /// What was asked for.
        rank: Rank,
        /// Number of ranks.
        size: usize,
    },
    /// Tags are 0 or greater.
    #[error("tag {0} is negative: tags are 0 or greater")]
    NegativeTag(Tag),
    /// A buffer or list has the wrong number of elements for the call.
    #[error("{what} has {got} elements, {expected} are needed")]
    WrongLength {
        /// What the call calls it.
        what: &'static str,
        /// The right number.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// The message is longer than the buffer, which holds its beginning now.
    #[error("a message of {len} bytes does not fit in a buffer of {capacity}")]
    Truncated {
        /// Length of the message in bytes.
        len: u64,
        /// Length of the buffer in bytes.
        capacity: u64,
    },
    /// A value cannot be encoded, or is too large.
    #[error(transparent)]
    Unsendable(ValueError),
    /// The request was cancelled by the program.
    #[error("the request was cancelled")]
    Cancelled,
    /// The communicator was closed in this task.
    #[error("the communicator is closed")]
    Closed,
    /// The result of the request was given out before.
    #[error("the result of the request was given out before")]
    FinishedBefore,
    /// Requests of different attached tasks cannot be waited for together.
    #[error("the requests belong to different tasks: wait for those of one task at a time")]
    MixedTasks,
    /// This thread may not make the call.
    #[error(transparent)]
    Thread(#[from] GateError),
    /// The wait took longer than the program allowed.
    #[error("timed out")]
    TimedOut,

    // ---- another task's doing
    /// The other task sent something else than this one asked for. The message is consumed.
    #[error("the message holds {got}, not {expected}")]
    TypeMismatch {
        /// The type asked for.
        expected: &'static str,
        /// The type sent.
        got: SentType,
    },
    /// A message of the right type whose bytes are wrong.
    #[error("the message makes no sense: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// A message came from a host whose numbers lie otherwise in memory, and cannot be made ours. The
    /// message is consumed.
    #[error(
        "the message holds {got} of a host of another data format: {why}; send values \
         (`send_value`) to such hosts, or plain numbers that fit"
    )]
    Unlike {
        /// The type sent and asked for.
        got: &'static str,
        /// Why it cannot be converted.
        why: UnlikeError,
    },
    /// A message came from a task that is not in the communicator.
    #[error("a message came from a task that is not in the communicator")]
    Stranger,
    /// The message is larger than the memory that can be had.
    #[error("there is no memory for a message of {len} bytes")]
    NoMemory {
        /// Length that the sender announced.
        len: u64,
    },
    /// The other task has ended.
    #[error("task {0} has ended")]
    PeerGone(TaskId),
    /// A collective ended without its result.
    #[error("the collective failed: {0}")]
    Collective(&'static str),

    // ---- the surroundings'
    /// No daemon answers: the program was not started inside a virtual machine.
    #[error("{0}")]
    NotInVm(String),
    /// The daemon has ended; no new connections and no spawning from now on.
    #[error("the daemon of this host has ended")]
    LostDaemon,
    /// The daemon cannot do it, and says why.
    #[error("{}", Said(.0))]
    Refused(Box<Failure>),
    /// The daemon said something that makes no sense.
    #[error("the daemon sent {0}; use one release of daemon and program")]
    BadWelcome(&'static str),
    /// Anything else between this task and its daemon.
    #[error("{0}")]
    Link(LinkError),
}

/// What a message holds, as far as its hash tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SentType(pub u32);

impl fmt::Display for SentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, plain::name_of(self.0)) {
            (0, _) => f.write_str("untyped bytes"),
            (_, Some(name)) => f.write_str(name),
            (hash, None) => write!(f, "another type (hash {hash:08x})"),
        }
    }
}

impl fmt::Debug for SentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A failure as one line: "<what>: <why>; <next>".
struct Said<'a>(&'a Failure);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            what, why, next, ..
        } = self.0;
        write!(f, "{what}: {why}")?;
        if next.is_empty() {
            Ok(())
        } else {
            write!(f, "; {next}")
        }
    }
}

/// One line of a failure.
pub(super) fn said(failure: &Failure) -> String {
    Said(failure).to_string()
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::PeerGone(task) => Error::PeerGone(task),
            EngineError::Truncated { len, capacity, .. } => Error::Truncated { len, capacity },
            EngineError::Cancelled => Error::Cancelled,
            EngineError::NoSuchContext(_) => Error::Closed,
            EngineError::Lost => Error::LostDaemon,
            EngineError::Operation(what) => Error::Collective(what),
        }
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Lost => Error::LostDaemon,
            LinkError::Refused(failure) => Error::Refused(Box::new(failure)),
            other => Error::Link(other),
        }
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Wait(error) => error.into(),
            AskError::Link(error) => error.into(),
        }
    }
}

impl From<BadWelcome> for Error {
    fn from(BadWelcome(why): BadWelcome) -> Self {
        Error::BadWelcome(why)
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut => Error::TimedOut,
            WaitError::Gate(error) => Error::Thread(error),
        }
    }
}
