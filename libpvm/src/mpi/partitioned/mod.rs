//! Partitioned communication (MPI 5.0, chapter 4).
//!
//! # Protocol
//! Who sends opens a context of its own and says `Hello`: where it waits for an answer, and what its
//! partitions are. The tag of that message is not the program's own (`library_tag`), which no other
//! message has: so the two sides meet in the order of their calls, apart from all other messages. When who
//! receives starts for the first time it opens a context, and answers with its number. From then on each
//! partition of the sender is a message there, whose tag is the number of the partition; rounds keep
//! apart because messages of one tag stay in order.
//!
//! Partitions of the receiver are pieces of its memory only: one has arrived when all messages have
//! that have a part in it.

mod receive;
mod send;

pub use receive::{Memory, Receiver};
pub use send::Sender;

use super::error::{Class, Error, Result};
use super::object::lock;
use super::request::{Conclusion, Starter, Work};
use super::{Comm, Ended};
use crate::engine::{Engine, EngineError, Envelope, Operation, TaskEngine};
use crate::ids::Context;
use crate::transport::route::Routes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Most partitions of a request.
const PARTITIONS_MAX: usize = 1 << 24;

/// The partitioned side of a request.
#[derive(Clone)]
pub enum Partitioned {
    /// Of a send.
    Send(Arc<Shared<Sender>>),
    /// Of a receive.
    Receive(Arc<Shared<Receiver>>),
    /// Of a message to or from nobody: how many partitions.
    Nobody(usize),
}

/// One side, used inside the engine only.
pub struct Shared<S: Side> {
    comm: Comm,
    side: Mutex<S>,
}

/// What both sides have.
pub trait Side: Send + 'static {
    /// Starts a round.
    ///
    /// # Errors
    /// Those of the memory.
    fn start(&mut self, engine: &mut TaskEngine) -> Result<()>;
    /// Does what can be done; ready: the round is over.
    fn advance(&mut self, engine: &mut TaskEngine) -> Poll<std::result::Result<(), EngineError>>;
    /// How a round has ended.
    fn ended(&self, comm: &Comm, result: std::result::Result<(), EngineError>) -> Ended;
    /// Lets go of what it has in the engine.
    fn close(&mut self, engine: &mut TaskEngine);
}

impl<S: Side> Shared<S> {
    fn new(comm: &Comm, side: S) -> Arc<Self> {
        Arc::new(Self {
            comm: comm.clone(),
            side: Mutex::new(side),
        })
    }

    fn side(&self) -> MutexGuard<'_, S> {
        lock(&self.side)
    }

    /// Starts a round.
    fn start(self: &Arc<Self>) -> Result<Work> {
        let id = self.comm.process.with(|engine| {
            self.side().start(engine)?;
            Ok::<_, Error>(engine.start(Box::new(Round(Arc::clone(self)))))
        })??;
        let shared = Arc::clone(self);
        let conclusion: Conclusion =
            Box::new(move |result| shared.side().ended(&shared.comm, result));
        Ok(Work::Running(id, conclusion))
    }

    /// How its request starts rounds.
    pub fn starter(self: &Arc<Self>) -> Starter {
        let shared = Arc::clone(self);
        Box::new(move || shared.start())
    }
}

impl<S: Side> Drop for Shared<S> {
    fn drop(&mut self) {
        let side = self.side.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Where this thread may not enter, or is inside, the context just stays open.
        let _ = self.comm.process.with(|engine| side.close(engine));
    }
}

/// A round that goes on.
struct Round<S: Side>(Arc<Shared<S>>);

impl<S: Side> Operation<Routes> for Round<S> {
    fn advance(
        &mut self,
        engine: &mut Engine<Routes>,
    ) -> Poll<std::result::Result<Envelope, EngineError>> {
        let mut side = self.0.side();
        let Poll::Ready(result) = side.advance(engine) else {
            return Poll::Pending;
        };
        if Arc::strong_count(&self.0) == 1 {
            // The request was freed meanwhile.
            side.close(engine);
        }
        Poll::Ready(result.map(|()| Envelope::NONE))
    }
}

impl Partitioned {
    /// The number of a partition.
    fn check(partition: i32, count: usize) -> Result<usize> {
        let number = usize::try_from(partition).ok();
        number.filter(|number| *number < count).ok_or_else(|| {
            let detail = format!("partition {partition} of {count}");
            Error::new(Class::Arg, detail)
        })
    }

    /// Marks partitions of a send that goes on as ready.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` for receives and requests that are not active, `MPI_ERR_ARG` for partitions
    /// that do not exist or are ready.
    pub fn ready(&self, mut partitions: impl Iterator<Item = i32>) -> Result<()> {
        match self {
            Self::Send(shared) => shared.comm.process.with(|engine| {
                let mut side = shared.side();
                let count = side.count();
                let marked =
                    partitions.try_for_each(|number| side.mark(Self::check(number, count)?));
                side.push(engine).and(marked)
            })?,
            Self::Receive(_) => Err(Error::new(Class::Request, "a request that receives")),
            Self::Nobody(count) => {
                partitions.try_for_each(|number| Self::check(number, *count).map(drop))
            }
        }
    }

    /// Whether a partition of a receive that goes on has arrived.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` for sends, `MPI_ERR_ARG` for partitions that do not exist.
    pub fn has_arrived(&self, partition: i32) -> Result<bool> {
        match self {
            Self::Send(_) => Err(Error::new(Class::Request, "a request that sends")),
            Self::Receive(shared) => shared.comm.process.with(|engine| {
                let partition = Self::check(partition, shared.side().count())?;
                if shared.side().has_arrived(engine, partition) {
                    return Ok(true);
                }
                engine.progress();
                Ok(shared.side().has_arrived(engine, partition))
            })?,
            Self::Nobody(count) => Self::check(partition, *count).map(|_| true),
        }
    }
}

/// Checks a number of partitions.
///
/// # Errors
/// `MPI_ERR_ARG`.
pub fn count(partitions: i32) -> Result<usize> {
    let count = usize::try_from(partitions).ok();
    let count = count.filter(|count| (1..=PARTITIONS_MAX).contains(count));
    count.ok_or_else(|| {
        let detail = format!("{partitions} partitions: it must be 1 to {PARTITIONS_MAX}");
        Error::new(Class::Arg, detail)
    })
}

/// What the sender says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hello {
    context: Context,
    partitions: usize,
    /// Bytes of each.
    bytes: usize,
}

impl Hello {
    const LEN: usize = 20;

    fn encode(self) -> Vec<u8> {
        let mut bytes = self.context.0.to_le_bytes().to_vec();
        bytes.extend((self.partitions as u64).to_le_bytes());
        bytes.extend((self.bytes as u64).to_le_bytes());
        bytes
    }

    /// `None`: it makes no sense.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (context, rest) = bytes.split_first_chunk()?;
        let (partitions, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        let hello = Self {
            context: Context(u32::from_le_bytes(*context)),
            partitions: usize::try_from(u64::from_le_bytes(*partitions)).ok()?,
            bytes: usize::try_from(u64::from_le_bytes(*bytes)).ok()?,
        };
        hello.partitions.checked_mul(hello.bytes)?;
        let known = (1..=PARTITIONS_MAX).contains(&hello.partitions);
        (rest.is_empty() && known).then_some(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_out_as_it_went_in_and_nonsense_does_not() {
        let hello = Hello {
            context: Context(77),
            partitions: 12,
            bytes: 1 << 33,
        };
        let bytes = hello.encode();
        assert_eq!(bytes.len(), Hello::LEN);
        assert_eq!(Hello::decode(&bytes), Some(hello));
        assert_eq!(Hello::decode(&bytes[1..]), None);
        assert_eq!(Hello::decode(&[&bytes[..], &[0]].concat()), None);
        for (partitions, bytes) in [(0, 1), (PARTITIONS_MAX + 1, 1), (2, usize::MAX)] {
            let hello = Hello {
                partitions,
                bytes,
                ..hello
            };
            assert_eq!(Hello::decode(&hello.encode()), None);
        }
    }
}
