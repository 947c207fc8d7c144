//! The side that sends.

use super::{Hello, Shared, Side};
use crate::collective::Member;
use crate::datatype::{Sink, Source};
use crate::engine::{EngineError, Mode, RequestId, Selector, TaskEngine};
use crate::ids::{Context, Tag};
use crate::mpi::comm::library_tag;
use crate::mpi::error::{Class, Error, Result};
use crate::mpi::{Comm, Ended};
use std::sync::Arc;
use std::task::Poll;

/// The memory of a partition, by its number.
pub type Part = Box<dyn Fn(usize) -> Result<Source> + Send>;

/// Where the partitions go.
enum Remote {
    /// The answer is waited for.
    Asked(RequestId),
    /// There.
    Known(Context),
    Failed(EngineError),
}

/// Partitions that are sent.
pub struct Sender {
    to: Member,
    own: Context,
    remote: Remote,
    part: Part,
    is_active: bool,
    is_ready: Vec<bool>,
    /// Partitions that are not ready.
    missing: usize,
    /// Those that are, and are not sent.
    waiting: Vec<usize>,
    sends: Vec<RequestId>,
    failure: Option<EngineError>,
}

impl Sender {
    /// `partitions` of `bytes` each, for a member.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn start(
        comm: &Comm,
        (to, tag): (Member, Tag),
        (partitions, bytes): (usize, usize),
        part: Part,
    ) -> Result<Arc<Shared<Self>>> {
        let (own, answer) = comm.process.with(|engine| {
            let own = engine.open_context();
            let hello = Hello {
                context: own,
                partitions,
                bytes,
            };
            let from = Selector {
                context: own,
                source: Some(to.peer),
                tag: Some(0),
            };
            let room = Sink::with_capacity(size_of::<u32>());
            let answer = engine.receive(from, room);
            let hello = Source::from_vec(hello.encode());
            let tag = library_tag(tag);
            let sent = engine.send(to.peer, to.context, tag, 0, hello, Mode::Standard);
            engine.forget(sent);
            (own, answer)
        })?;
        let sender = Self {
            to,
            own,
            remote: Remote::Asked(answer),
            part,
            is_active: false,
            is_ready: vec![false; partitions],
            missing: partitions,
            waiting: Vec::new(),
            sends: Vec::new(),
            failure: None,
        };
        Ok(Shared::new(comm, sender))
    }

    pub(super) fn count(&self) -> usize {
        self.is_ready.len()
    }

    /// Marks a partition as ready.
    pub(super) fn mark(&mut self, partition: usize) -> Result<()> {
        if !self.is_active {
            return Err(Error::new(Class::Request, "the request is not active"));
        }
        if std::mem::replace(&mut self.is_ready[partition], true) {
            let detail = format!("partition {partition} is ready already");
            return Err(Error::new(Class::Arg, detail));
        }
        self.missing -= 1;
        self.waiting.push(partition);
        Ok(())
    }

    /// Sends what is ready, if the other side has answered.
    pub(super) fn push(&mut self, engine: &mut TaskEngine) -> Result<()> {
        self.look_for_answer(engine);
        let Remote::Known(context) = self.remote else {
            return Ok(());
        };
        for partition in std::mem::take(&mut self.waiting) {
            let source = (self.part)(partition)?;
            let tag = partition as Tag;
            let sent = engine.send_at_once(self.to.peer, context, tag, 0, &source);
            match sent {
                Some(Ok(())) => {}
                Some(Err(error)) => self.failure = Some(error),
                None => {
                    let mode = Mode::Standard;
                    let id = engine.send(self.to.peer, context, tag, 0, source, mode);
                    self.sends.push(id);
                }
            }
        }
        if self.missing == 0 && self.sends.is_empty() {
            // Nothing of it will end any more: the round itself is to look.
            engine.announce();
        }
        Ok(())
    }

    fn look_for_answer(&mut self, engine: &mut TaskEngine) {
        let Remote::Asked(answer) = self.remote else {
            return;
        };
        let Some(outcome) = engine.finish(answer) else {
            return;
        };
        let bytes = outcome.sink.and_then(Sink::into_vec);
        let context = bytes.and_then(|bytes| Some(u32::from_le_bytes(*bytes.first_chunk()?)));
        self.remote = match (outcome.result, context) {
            (Ok(_), Some(number)) => Remote::Known(Context(number)),
            (Ok(_), None) => Remote::Failed(EngineError::Operation("the answer makes no sense")),
            (Err(error), _) => Remote::Failed(error),
        };
    }
}

impl Side for Sender {
    fn start(&mut self, _: &mut TaskEngine) -> Result<()> {
        self.is_active = true;
        self.is_ready.fill(false);
        self.missing = self.is_ready.len();
        self.failure = None;
        Ok(())
    }

    fn advance(&mut self, engine: &mut TaskEngine) -> Poll<std::result::Result<(), EngineError>> {
        self.look_for_answer(engine);
        if let Remote::Failed(error) = self.remote {
            self.waiting.clear();
            self.failure = Some(error);
        }
        if !self.waiting.is_empty() && self.push(engine).is_err() {
            let error = EngineError::Operation("a partition is not to be read");
            self.failure = Some(error);
        }
        let failure = &mut self.failure;
        self.sends
            .retain(|send| match engine.finish_envelope(*send) {
                None => true,
                Some(result) => {
                    *failure = failure.or(result.err());
                    false
                }
            });
        let is_over = self.missing == 0 && self.waiting.is_empty() && self.sends.is_empty();
        // The program may only mark partitions as ready until the round is over.
        if !is_over {
            return Poll::Pending;
        }
        self.is_active = false;
        Poll::Ready(self.failure.map_or(Ok(()), Err))
    }

    fn ended(&self, comm: &Comm, result: std::result::Result<(), EngineError>) -> Ended {
        Ended::sent(comm, result)
    }

    fn close(&mut self, engine: &mut TaskEngine) {
        if let Remote::Asked(answer) = self.remote {
            engine.cancel(answer);
            engine.forget(answer);
        }
        self.sends.drain(..).for_each(|send| engine.forget(send));
        engine.close_context(self.own);
    }
}
