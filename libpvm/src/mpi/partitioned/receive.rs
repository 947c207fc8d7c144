//! The side that receives.

use super::{Hello, Shared, Side};
use crate::collective::Member;
use crate::datatype::{Sink, Source};
use crate::engine::{EngineError, Mode, RequestId, Selector, TaskEngine};
use crate::ids::{Context, Tag};
use crate::mpi::comm::library_tag;
use crate::mpi::error::{Class, Error, Result};
use crate::mpi::{Comm, Ended, Status};
use std::sync::Arc;
use std::task::Poll;

/// The memory of elements: the first and how many.
pub type Room = Box<dyn Fn(usize, usize) -> Result<Sink> + Send>;

/// The memory that is received into.
pub struct Memory {
    /// Partitions, as the program sees them.
    pub partitions: usize,
    /// Elements of each.
    pub elements: usize,
    /// Bytes of an element.
    pub size: usize,
    /// Where they are.
    pub room: Room,
}

impl Memory {
    /// Bytes of it all.
    fn len(&self) -> usize {
        self.partitions * self.elements * self.size
    }
}

enum Remote {
    /// Its word is waited for.
    Awaited(RequestId),
    /// It was answered.
    Known(Hello),
    Failed(EngineError),
}

/// Partitions that are received.
pub struct Receiver {
    from: Member,
    rank: i32,
    tag: Tag,
    own: Context,
    remote: Remote,
    memory: Memory,
    is_active: bool,
    /// What is under way, by partition of the sender.
    receives: Vec<(usize, RequestId)>,
    has_arrived: Vec<bool>,
    failure: Option<EngineError>,
}

impl Receiver {
    /// What a member sends.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn start(
        comm: &Comm,
        (from, rank, tag): (Member, i32, Tag),
        memory: Memory,
    ) -> Result<Arc<Shared<Self>>> {
        let selector = Selector {
            context: comm.circle.context,
            source: Some(from.peer),
            tag: Some(library_tag(tag)),
        };
        let (own, word) = comm.process.with(|engine| {
            let room = Sink::with_capacity(Hello::LEN);
            (engine.open_context(), engine.receive(selector, room))
        })?;
        let receiver = Self {
            from,
            rank,
            tag,
            own,
            remote: Remote::Awaited(word),
            memory,
            is_active: false,
            receives: Vec::new(),
            has_arrived: Vec::new(),
            failure: None,
        };
        Ok(Shared::new(comm, receiver))
    }

    pub(super) fn count(&self) -> usize {
        self.memory.partitions
    }

    /// Whether all messages are there that have a part in a partition.
    pub(super) fn has_arrived(&mut self, engine: &mut TaskEngine, partition: usize) -> bool {
        if !self.is_active {
            return true;
        }
        self.take(engine);
        let Remote::Known(hello) = self.remote else {
            return false;
        };
        let bytes = self.memory.elements * self.memory.size;
        let (start, end) = (partition * bytes, (partition + 1) * bytes);
        if start == end {
            // Nothing comes for it, but the sender still says when it is ready.
            return match hello.partitions == self.memory.partitions {
                true => self.has_arrived[partition],
                false => self.has_arrived.iter().all(|arrived| *arrived),
            };
        }
        let mut messages = (0..hello.partitions).skip(start / hello.bytes.max(1));
        let overlaps = |message: &usize| message * hello.bytes < end;
        messages
            .by_ref()
            .take_while(overlaps)
            .all(|message| self.has_arrived[message])
    }

    /// Answers the sender when its word has come, and posts the receives of the round.
    fn meet(&mut self, engine: &mut TaskEngine) {
        let Remote::Awaited(word) = self.remote else {
            return;
        };
        let Some(outcome) = engine.finish(word) else {
            return;
        };
        let bytes = outcome.sink.and_then(Sink::into_vec);
        let hello = bytes.and_then(|bytes| Hello::decode(&bytes));
        self.remote = match (outcome.result, hello) {
            (Ok(_), Some(hello)) => Remote::Known(hello),
            (Ok(_), None) => Remote::Failed(EngineError::Operation("the sender makes no sense")),
            (Err(error), _) => Remote::Failed(error),
        };
        let Remote::Known(hello) = self.remote else {
            return;
        };
        let answer = Source::from_vec(self.own.0.to_le_bytes().to_vec());
        let peer = self.from.peer;
        let sent = engine.send(peer, hello.context, 0, 0, answer, Mode::Standard);
        engine.forget(sent);
        self.post(engine, hello);
    }

    /// Posts a receive for every partition of the sender.
    fn post(&mut self, engine: &mut TaskEngine, hello: Hello) {
        self.has_arrived = vec![false; hello.partitions];
        for number in 0..hello.partitions {
            let from = Selector {
                context: self.own,
                source: Some(self.from.peer),
                tag: Some(number as Tag),
            };
            let receive = match self.direct(hello, number) {
                Some(sink) => engine.receive(from, sink),
                None => engine.receive_any_size(from, hello.bytes as u64),
            };
            self.receives.push((number, receive));
        }
    }

    /// The memory of a message, if it is whole elements; others go through memory of their own.
    fn direct(&self, hello: Hello, number: usize) -> Option<Sink> {
        let size = self.memory.size;
        let end = (number + 1) * hello.bytes;
        let is_whole = size > 0 && hello.bytes.is_multiple_of(size) && end <= self.memory.len();
        let (first, count) = (number * hello.bytes, hello.bytes);
        let sink = is_whole.then(|| (self.memory.room)(first / size, count / size));
        sink?.ok()
    }

    /// Takes over what has come.
    fn take(&mut self, engine: &mut TaskEngine) {
        let Remote::Known(hello) = self.remote else {
            return;
        };
        let mut under_way = std::mem::take(&mut self.receives);
        under_way.retain(|(number, receive)| {
            let Some(outcome) = engine.finish(*receive) else {
                return true;
            };
            match outcome.result {
                Ok(_) => self.has_arrived[*number] = true,
                Err(error) => self.failure = Some(error),
            }
            if let Some(bytes) = outcome.sink.and_then(Sink::into_vec) {
                self.put(*number * hello.bytes, &bytes);
            }
            false
        });
        self.receives = under_way;
    }

    /// Puts bytes where they belong; what is beyond the end is told when the round is over.
    fn put(&self, at: usize, bytes: &[u8]) {
        let room = self.memory.len().saturating_sub(at);
        let elements = self.memory.partitions * self.memory.elements;
        if let Ok(mut sink) = (self.memory.room)(0, elements) {
            sink.write(at, &bytes[..bytes.len().min(room)]);
        }
    }

    /// What all partitions of the sender have.
    fn sent(&self) -> usize {
        match self.remote {
            Remote::Known(hello) => hello.partitions * hello.bytes,
            Remote::Awaited(_) | Remote::Failed(_) => 0,
        }
    }
}

impl Side for Receiver {
    fn start(&mut self, engine: &mut TaskEngine) -> Result<()> {
        self.is_active = true;
        self.failure = None;
        match self.remote {
            Remote::Known(hello) => self.post(engine, hello),
            Remote::Awaited(_) => self.meet(engine),
            Remote::Failed(_) => {}
        }
        Ok(())
    }

    fn advance(&mut self, engine: &mut TaskEngine) -> Poll<std::result::Result<(), EngineError>> {
        self.meet(engine);
        self.take(engine);
        let is_over = match self.remote {
            Remote::Awaited(_) => false,
            Remote::Known(_) => self.receives.is_empty(),
            Remote::Failed(error) => {
                self.failure = Some(error);
                true
            }
        };
        if !is_over {
            return Poll::Pending;
        }
        self.is_active = false;
        Poll::Ready(self.failure.map_or(Ok(()), Err))
    }

    fn ended(&self, comm: &Comm, result: std::result::Result<(), EngineError>) -> Ended {
        let (sent, room) = (self.sent(), self.memory.len());
        let status = Status {
            source: self.rank,
            tag: self.tag,
            bytes: sent.min(room) as u64,
            cancelled: false,
        };
        match result {
            Err(error) => Ended::badly(comm, Status::EMPTY, error),
            Ok(()) if sent > room => {
                let (rank, tag, me) = (self.rank, self.tag, comm.rank);
                let (group, place) = (comm.source_group(), comm.called());
                let detail = format!(
                    "the partitions of rank {rank}{group} with tag {tag} in {place} have {sent} bytes, \
                     those of rank {me} have room for {room}"
                );
                Ended::badly(comm, status, Error::new(Class::Truncate, detail))
            }
            Ok(()) => Ended::well(status),
        }
    }

    fn close(&mut self, engine: &mut TaskEngine) {
        if let Remote::Awaited(word) = self.remote {
            engine.cancel(word);
            engine.forget(word);
        }
        for (_, receive) in self.receives.drain(..) {
            engine.cancel(receive);
            engine.forget(receive);
        }
        engine.close_context(self.own);
    }
}
