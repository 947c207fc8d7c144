//! Buffered sends (MPI 5.0, 3.6): what they may occupy, and until when.
//!
//! A message that cannot go out at once is packed into memory of the library, for as long as it takes.
//! The program's buffer says how much that may be: every message in it counts with its length and
//! [`OVERHEAD`]. So no order of messages tears the buffer into pieces that nothing fits in.

use super::comm::Comm;
use super::error::{Class, Error, Result};
use super::object::lock;
use super::point::UNTYPED;
use super::process::Process;
use super::request::{Conclusion, Work};
use super::status::{Ended, Status};
use crate::collective::Member;
use crate::datatype::Source;
use crate::engine::{Engine, EngineError, Envelope, Mode, Operation, RequestId, TaskEngine};
use crate::ids::Tag;
use crate::transport::route::Routes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

/// What a message occupies besides its bytes (`MPI_BSEND_OVERHEAD`).
pub const OVERHEAD: u64 = 512;

/// What the program has attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// Where it is: given back when it is detached.
    pub address: usize,
    /// Its length in bytes; `None`: as much as is needed (`MPI_BUFFER_AUTOMATIC`).
    pub size: Option<u64>,
}

/// A place that a buffer can be attached to: a communicator, a session or the process. Clones are the
/// same place. It is locked inside the engine only.
#[derive(Clone, Default)]
pub struct Buffer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    attached: Option<Attached>,
    /// Messages that are under way, oldest first.
    messages: VecDeque<Message>,
    /// What they occupy.
    used: u64,
    /// How many have come so far.
    count: u64,
}

struct Message {
    number: u64,
    request: RequestId,
    room: u64,
}

impl State {
    /// Gives free what has gone.
    fn reclaim(&mut self, engine: &mut TaskEngine) {
        let mut freed = 0;
        // A message whose receiver has ended needs its room no more than one that has arrived.
        self.messages.retain(|message| {
            let is_over = engine.finish_envelope(message.request).is_some();
            freed += if is_over { message.room } else { 0 };
            !is_over
        });
        self.used -= freed;
    }

    /// Whether all messages have gone that had come before this one.
    fn is_gone_before(&mut self, engine: &mut TaskEngine, number: u64) -> bool {
        self.reclaim(engine);
        self.messages
            .front()
            .is_none_or(|oldest| oldest.number >= number)
    }

    /// Room for a message.
    fn reserve(&mut self, engine: &mut TaskEngine, len: u64) -> Result<u64> {
        let room = len.saturating_add(OVERHEAD);
        let attached = self.attached.ok_or_else(nothing_attached)?;
        let Some(size) = attached.size else {
            return Ok(room);
        };
        if room > size {
            return Err(does_not_fit(len, size, 0));
        }
        if self.used + room > size {
            engine.progress();
            self.reclaim(engine);
        }
        match self.used + room > size {
            true => Err(does_not_fit(len, size, self.used)),
            false => Ok(room),
        }
    }
}

#[cold]
fn nothing_attached() -> Error {
    Error::new(Class::Buffer, "no buffer is attached")
}

#[cold]
fn does_not_fit(len: u64, size: u64, used: u64) -> Error {
    let detail = format!(
        "a message of {len} bytes (and MPI_BSEND_OVERHEAD {OVERHEAD}) in a buffer of {size}, \
         of which {used} are in use"
    );
    Error::new(Class::Buffer, detail)
}

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Attaches a buffer.
    ///
    /// # Errors
    /// `MPI_ERR_BUFFER` when there is one.
    pub fn attach(&self, process: &Process, attached: Attached) -> Result<()> {
        process.with(|_| {
            let mut state = self.state();
            if state.attached.is_some() {
                return Err(Error::new(Class::Buffer, "a buffer is attached already"));
            }
            state.attached = Some(attached);
            Ok(())
        })?
    }

    /// Waits until all messages in it have gone, and detaches it.
    ///
    /// # Errors
    /// `MPI_ERR_BUFFER` when there is none.
    pub fn detach(&self, process: &Process) -> Result<Attached> {
        process.wait(|engine| {
            let mut state = self.state();
            if state.attached.is_none() {
                return Some(Err(nothing_attached()));
            }
            state.reclaim(engine);
            state.messages.is_empty().then_some(())?;
            state.attached.take().map(Ok)
        })?
    }

    /// Waits until the messages that are in it now have gone.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn flush(&self, process: &Process) -> Result<()> {
        let mut end = None;
        process.wait(|engine| {
            let mut state = self.state();
            let end = *end.get_or_insert(state.count);
            state.is_gone_before(engine, end).then_some(())
        })
    }

    /// Starts such a wait.
    ///
    /// # Errors
    /// As [`Buffer::flush`].
    pub fn iflush(&self, process: &Process) -> Result<Work> {
        let id = process.with(|engine| {
            let end = self.state().count;
            let buffer = self.clone();
            engine.start(Box::new(Flush { buffer, end }))
        })?;
        let conclusion: Conclusion = Box::new(|_| Ended::well(Status::EMPTY));
        Ok(Work::Running(id, conclusion))
    }
}

/// The wait for the messages that had come before one.
struct Flush {
    buffer: Buffer,
    end: u64,
}

impl Operation<Routes> for Flush {
    fn advance(
        &mut self,
        engine: &mut Engine<Routes>,
    ) -> Poll<std::result::Result<Envelope, EngineError>> {
        match self.buffer.state().is_gone_before(engine, self.end) {
            true => Poll::Ready(Ok(Envelope::NONE)),
            false => Poll::Pending,
        }
    }
}

/// The nearest place that has a buffer: the communicator, its session, the process.
fn place(comm: &Comm) -> &Buffer {
    let near = [Some(&comm.buffer), comm.process.session.as_ref()];
    let attached = |place: &&Buffer| place.state().attached.is_some();
    near.into_iter()
        .flatten()
        .find(attached)
        .unwrap_or(&comm.process.buffer)
}

/// Sends through the buffer of the communicator, or else of its session, or else of the process.
///
/// # Errors
/// `MPI_ERR_BUFFER` when there is none or it has no room; `MPI_ERR_PROC_ABORTED`.
pub fn send(comm: &Comm, to: Member, tag: Tag, source: &Source) -> Result<()> {
    comm.process.with(|engine| {
        let mut state = place(comm).state();
        let room = state.reserve(engine, source.len() as u64)?;
        if let Some(sent) = engine.send_at_once(to.peer, to.context, tag, UNTYPED, source) {
            return Ok(sent?);
        }
        let copy = Source::from_vec(source.to_vec(0, source.len()));
        let request = engine.send(to.peer, to.context, tag, UNTYPED, copy, Mode::Standard);
        let number = state.count;
        state.count += 1;
        state.used += room;
        state.messages.push_back(Message {
            number,
            request,
            room,
        });
        Ok(())
    })?
}
