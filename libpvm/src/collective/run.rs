//! Goes through a schedule with the engine's requests.
//!
//! # Failure
//! A rank that cannot go on (a peer has ended, a message has the wrong length) goes through the
//! rest of its schedule all the same: it sends *poison* in place of data, takes what is sent to it,
//! and computes nothing. So every rank whose result depends on the failure learns of it, nobody
//! waits for somebody who has given up, and no message is left over. Poison is an empty message
//! whose check has its highest bit set and names the rank that has ended.
//!
//! # Unlike hosts
//! What comes from a host of another form is made ours at once, before another step reads it, and
//! passed on in our own form. So steps cut no numbers.

mod hurry;

use super::op::Op;
use super::schedule::{Buffer, Schedule, Span, Step};
use crate::datatype::{Form, LoanError, Sink, Source, Word, Workspace};
use crate::engine::{
    Core, Engine, EngineError, Envelope, Mode, Operation, RequestId, Selector, WaitError,
};
use crate::ids::{Context, Rank, Tag};
use crate::transport::{Call, Peer, Sleep, Transport};
use hurry::Awaited;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// The bit of a check that says poison.
const POISON: u32 = 1 << 31;
/// In place of a rank: no rank has ended, something else is wrong.
const NOBODY: u32 = POISON - 1;
/// In place of a rank: ranks have made different calls.
const DISAGREE: u32 = NOBODY - 1;

const FAILED_ELSEWHERE: EngineError = EngineError::Operation("it failed in another task");
const NO_OPERATION: EngineError = EngineError::Operation("it reduces without an operation");
const SMALL_BUFFERS: EngineError = EngineError::Operation("its buffers are too small");
/// A message is longer or shorter than the schedule says.
pub const WRONG_LENGTH: EngineError = EngineError::Operation("the ranks disagree on lengths");
/// Ranks have made different calls.
pub const WRONG_TYPE: EngineError =
    EngineError::Operation("the ranks disagree on the call or the element type");
const UNLIKE: EngineError = EngineError::Operation(
    "a rank's host has another data format, and the elements are of no type that can be converted: \
     use numbers or arrays of them, of sizes that are the same everywhere, or values",
);

/// A rank of a communicator, as this task sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The task.
    pub peer: Peer,
    /// Where it receives: that task's own number of the context.
    pub context: Context,
}

/// What the collective calls of a communicator have in common, and this call's own.
#[derive(Clone)]
pub struct Setup {
    /// All ranks.
    pub members: Arc<[Member]>,
    /// This task's own number of the context for collectives.
    pub context: Context,
    /// The tag of this call, from [`Tags`].
    pub tag: Tag,
    /// The call and what else must be equal in all ranks; the highest bit is not used.
    pub check: u32,
    /// What elements are made of; asked when a rank's host is unlike this one.
    pub word: fn() -> Word,
    /// How elements are combined, where they are.
    pub op: Option<Op>,
    /// Ranks that have a context and a tag of their own: in collectives of two groups, the other one.
    pub beyond: Option<Beyond>,
}

impl Setup {
    /// Where this task receives what a rank sends, and the tag of what they send each other.
    #[inline]
    fn lane(&self, rank: Rank) -> (Context, Tag) {
        match &self.beyond {
            Some(beyond) if rank >= beyond.first => (beyond.context, beyond.tag),
            _ => (self.context, self.tag),
        }
    }
}

/// The last ranks of a call, which this task talks with in another context.
#[derive(Clone, Copy, Debug)]
pub struct Beyond {
    /// The first of these ranks.
    pub first: Rank,
    /// This task's own number of the context.
    pub context: Context,
    /// The tag of this call there.
    pub tag: Tag,
}

/// Tags of the collective calls of a communicator: a number per call, equal in all ranks because
/// all make the same calls in the same order.
#[derive(Debug, Default)]
pub struct Tags {
    next: Tag,
    next_in_background: Tag,
}

/// Tags below are those of blocking calls.
const IN_BACKGROUND: Tag = 1 << 30;

impl Tags {
    /// The tag of the next call.
    pub fn next_tag(&mut self) -> Tag {
        let tag = self.next;
        self.next = (tag + 1) & (IN_BACKGROUND - 1);
        tag
    }

    /// The tag of the next call that does not block; these are counted apart, as blocking calls and others
    /// never match (MPI 5.0, 6.14).
    pub fn next_tag_in_background(&mut self) -> Tag {
        let tag = self.next_in_background;
        self.next_in_background = (tag + 1) & (IN_BACKGROUND - 1);
        tag | IN_BACKGROUND
    }
}

/// Most room of its own that a call leaves for the next, in bytes.
const ROOM_KEPT_MAX: usize = 1 << 20;

/// Memory that one call leaves for the next. A new one costs nothing.
#[derive(Default)]
pub struct Scratch {
    /// An empty schedule with room for steps.
    pub schedule: Schedule,
    workspace: Option<Workspace>,
    pending: Vec<Pending>,
    awaited: Vec<Awaited>,
}

impl From<Schedule> for Scratch {
    fn from(schedule: Schedule) -> Self {
        Self {
            schedule,
            ..Self::default()
        }
    }
}

impl Scratch {
    /// Separates the buffers of the program from what is kept.
    fn finish(mut self, mut workspace: Workspace, disagreement: Option<(Rank, u32)>) -> Finished {
        self.schedule.clear();
        if workspace.len(Buffer::Temporary as usize) > ROOM_KEPT_MAX {
            workspace.take_sink(Buffer::Temporary as usize);
        }
        Finished {
            input: workspace.take_source(Buffer::Input as usize),
            output: workspace.take_sink(Buffer::Output as usize),
            disagreement,
            scratch: Self {
                workspace: Some(workspace),
                ..self
            },
        }
    }
}

/// What a finished run gives back.
pub struct Finished {
    /// The input, if there was one.
    pub input: Option<Source>,
    /// The output, if there was one.
    pub output: Option<Sink>,
    /// A rank that made another call, and its [`Setup::check`].
    pub disagreement: Option<(Rank, u32)>,
    /// For the next call.
    pub scratch: Scratch,
}

/// Where a run inside the engine leaves what it gives back.
#[derive(Clone, Default)]
pub struct Delivery(Arc<Mutex<Option<Finished>>>);

impl Delivery {
    /// What the run has left, once it is over.
    pub fn take(&self) -> Option<Finished> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, finished: Finished) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(finished);
    }
}

/// A step under way.
struct Pending {
    request: RequestId,
    rank: Rank,
    /// Length of the message, of a receive.
    receives: Option<usize>,
}

/// What keeps a step from starting.
enum Started {
    Yes,
    NotYet,
}

/// A schedule that is being gone through.
pub struct Run {
    setup: Setup,
    scratch: Scratch,
    workspace: Workspace,
    next: usize,
    /// What went wrong first, and the rank that has ended.
    failure: Option<(EngineError, u32)>,
    disagreement: Option<(Rank, u32)>,
    delivery: Option<Delivery>,
}

impl Run {
    /// A run of the schedule in `scratch`. The output stands for the input too if that is absent.
    ///
    /// # Errors
    /// When a buffer is shorter than the schedule needs.
    pub fn new(
        setup: Setup,
        mut scratch: Scratch,
        input: Option<Source>,
        output: Option<Sink>,
    ) -> Result<Self, EngineError> {
        let mut run = Self {
            setup,
            workspace: scratch.workspace.take().unwrap_or_default(),
            scratch,
            next: 0,
            failure: None,
            disagreement: None,
            delivery: None,
        };
        run.set_buffers(input, output).map_err(|_| SMALL_BUFFERS)?;
        Ok(run)
    }

    /// Leaves what it gives back in `delivery` when it is over: for [`Engine::start`].
    pub fn deliver_to(mut self, delivery: &Delivery) -> Self {
        self.delivery = Some(delivery.clone());
        self
    }

    /// Goes on as far as possible. Does not progress the engine.
    pub fn advance<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
    ) -> Poll<Result<(), EngineError>> {
        loop {
            while let Some(&step) = self.scratch.schedule.steps().get(self.next) {
                match self.start(engine, step) {
                    Started::Yes => self.next += 1,
                    Started::NotYet => break,
                }
            }
            let collected = self.collect(engine);
            if self.next < self.scratch.schedule.steps().len() {
                if !collected {
                    return Poll::Pending;
                }
            } else if self.scratch.pending.is_empty() {
                return Poll::Ready(match self.failure {
                    Some((error, _)) => Err(error),
                    None => Ok(()),
                });
            } else if !collected {
                return Poll::Pending;
            }
        }
    }

    /// Goes through the whole schedule.
    ///
    /// # Errors
    /// The outer one when the engine cannot be entered; the inner one is the collective's own.
    pub fn wait<T: Sleep>(
        mut self,
        core: &Core<T>,
    ) -> Result<(Result<(), EngineError>, Finished), WaitError> {
        let doing = Call {
            operation: self.scratch.schedule.operation as u32,
            context: self.setup.context.0,
            tag: self.setup.tag,
            ..Call::default()
        };
        let waited = core.wait_after(
            &mut self,
            |run, engine, awake| run.hurry(engine, awake),
            |_| doing,
            |run, engine| match run.advance(engine) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            },
        );
        match waited {
            Ok(result) => Ok((result, self.finish())),
            Err(error) => {
                // The gate may let nobody in; then the requests stay, and their memory with them.
                let _ = core.with(|engine| self.give_up(engine));
                Err(error)
            }
        }
    }

    /// Gives the buffers back; only after [`Run::advance`] was ready.
    pub fn finish(self) -> Finished {
        self.scratch.finish(self.workspace, self.disagreement)
    }

    /// Takes back what is under way: receives are cancelled, sends go through by themselves.
    pub fn give_up<T: Transport>(&mut self, engine: &mut Engine<T>) {
        for pending in self.scratch.pending.drain(..) {
            engine.cancel(pending.request);
            engine.forget(pending.request);
        }
    }

    fn set_buffers(
        &mut self,
        input: Option<Source>,
        output: Option<Sink>,
    ) -> Result<(), LoanError> {
        let (workspace, schedule) = (&mut self.workspace, &self.scratch.schedule);
        if !workspace.is_idle() {
            *workspace = Workspace::new();
        }
        workspace.take_source(Buffer::Input as usize);
        workspace.take_sink(Buffer::Output as usize);
        if let Some(input) = input {
            workspace.set_source(Buffer::Input as usize, input)?;
        }
        if let Some(output) = output {
            workspace.set_sink(Buffer::Output as usize, output)?;
        }
        workspace.set_room(
            Buffer::Temporary as usize,
            schedule.needs(Buffer::Temporary),
        )?;
        let fits = |buffer| workspace.len(buffer as usize) >= schedule.needs(buffer);
        match fits(Buffer::Input) && fits(Buffer::Output) {
            true => Ok(()),
            false => Err(LoanError::Outside),
        }
    }

    #[inline]
    fn start<T: Transport>(&mut self, engine: &mut Engine<T>, step: Step) -> Started {
        let started = match step {
            Step::Send { to, .. } if self.failure.is_some() => self.send_poison(engine, to),
            Step::Send { to, from } => self.part_to_send(from).map(|source| {
                self.send(engine, to, self.setup.check & !POISON, source);
            }),
            Step::Receive { from, into } => self
                .room_to_receive(into)
                .map(|sink| self.receive(engine, from, sink)),
            Step::Reduce { .. } | Step::Copy { .. } if self.failure.is_some() => Ok(()),
            Step::Reduce { from, into } => {
                let Some(op) = &self.setup.op else {
                    self.fail(NO_OPERATION, NOBODY);
                    return Started::Yes;
                };
                self.workspace.combine(
                    (from.buffer as usize, from.start),
                    (into.buffer as usize, into.start),
                    into.len,
                    |from, into| op.apply(from, into),
                )
            }
            Step::Copy { from, into } => self.workspace.copy(
                (from.buffer as usize, from.start),
                (into.buffer as usize, into.start),
                into.len,
            ),
            Step::Fence if self.scratch.pending.is_empty() => Ok(()),
            Step::Fence => Err(LoanError::Busy),
        };
        match started {
            Ok(()) => Started::Yes,
            Err(LoanError::Busy) => Started::NotYet,
            Err(LoanError::Outside) => {
                // Tried again, the step sends poison, takes what comes, or does nothing.
                self.fail(SMALL_BUFFERS, NOBODY);
                self.start(engine, step)
            }
        }
    }

    fn part_to_send(&mut self, from: Span) -> Result<Source, LoanError> {
        if from.len == 0 {
            return Ok(Source::from_vec(Vec::new()));
        }
        let range = from.start..from.start + from.len;
        let workspace = &mut self.workspace;
        workspace.source(from.buffer as usize, range)
    }

    fn room_to_receive(&mut self, into: Span) -> Result<Sink, LoanError> {
        if into.len == 0 {
            return Ok(Sink::with_capacity(0));
        }
        let range = into.start..into.start + into.len;
        let workspace = &mut self.workspace;
        match workspace.sink(into.buffer as usize, range) {
            Err(LoanError::Outside) if self.failure.is_some() => Ok(Sink::with_capacity(into.len)),
            sink => sink,
        }
    }

    fn send<T: Transport>(&mut self, engine: &mut Engine<T>, to: Rank, check: u32, source: Source) {
        let member = self.setup.members[to];
        let (context, (_, tag)) = (member.context, self.setup.lane(to));
        let request = engine.send(member.peer, context, tag, check, source, Mode::Standard);
        self.follow(engine, request, to, None);
    }

    fn send_poison<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
        to: Rank,
    ) -> Result<(), LoanError> {
        let ended = self.failure.map_or(NOBODY, |(_, ended)| ended);
        self.send(engine, to, POISON | ended, Source::from_vec(Vec::new()));
        Ok(())
    }

    fn receive<T: Transport>(&mut self, engine: &mut Engine<T>, from: Rank, sink: Sink) {
        let selector = self.selector(from);
        let len = sink.capacity();
        let request = engine.receive(selector, sink);
        self.follow(engine, request, from, Some(len));
    }

    /// The messages of a rank in this call.
    #[inline]
    fn selector(&self, from: Rank) -> Selector {
        let (context, tag) = self.setup.lane(from);
        Selector {
            context,
            source: Some(self.setup.members[from].peer),
            tag: Some(tag),
        }
    }

    /// Keeps a request until it is over, which it may be already.
    fn follow<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
        request: RequestId,
        rank: Rank,
        receives: Option<usize>,
    ) {
        let pending = Pending {
            request,
            rank,
            receives,
        };
        if !self.settle(engine, &pending) {
            self.scratch.pending.push(pending);
        }
    }

    /// Takes the outcomes of what is over; says whether anything was.
    fn collect<T: Transport>(&mut self, engine: &mut Engine<T>) -> bool {
        let mut pending = std::mem::take(&mut self.scratch.pending);
        let before = pending.len();
        pending.retain(|entry| !self.settle(engine, entry));
        let collected = pending.len() < before;
        self.scratch.pending = pending;
        collected
    }

    /// Takes the outcome of a request if it is over.
    fn settle<T: Transport>(&mut self, engine: &mut Engine<T>, pending: &Pending) -> bool {
        let Some(outcome) = engine.finish(pending.request) else {
            return false;
        };
        let rank = pending.rank;
        match pending.receives {
            Some(len) => self.received(engine, rank, len, outcome.result, outcome.sink),
            None => self.sent(rank, outcome.result.map(drop)),
        }
        true
    }

    /// Takes the outcome of a send.
    fn sent(&mut self, rank: Rank, result: Result<(), EngineError>) {
        match result {
            Ok(()) => {}
            Err(error @ EngineError::PeerGone(_)) => self.fail(error, rank as u32),
            Err(error) => self.fail(error, NOBODY),
        }
    }

    /// Takes the outcome of a receive of `len` bytes.
    fn received<T: Transport>(
        &mut self,
        engine: &Engine<T>,
        rank: Rank,
        len: usize,
        result: Result<Envelope, EngineError>,
        sink: Option<Sink>,
    ) {
        let error = match result {
            Ok(envelope) => match self.judge(engine, rank, &envelope, len) {
                None if envelope.form.is_foreign() => self.convert(&envelope, sink),
                error => error,
            },
            Err(EngineError::Truncated { .. }) => Some((WRONG_LENGTH, NOBODY)),
            Err(error) => return self.sent(rank, Err(error)),
        };
        if let Some((error, ended)) = error {
            self.fail(error, ended);
        }
    }

    /// What is wrong with a message.
    fn judge<T: Transport>(
        &mut self,
        engine: &Engine<T>,
        rank: Rank,
        envelope: &Envelope,
        len: usize,
    ) -> Option<(EngineError, u32)> {
        if envelope.check & POISON != 0 {
            let ended = envelope.check & !POISON;
            let error = match self.setup.members.get(ended as usize) {
                Some(member) => EngineError::PeerGone(engine.task(member.peer)),
                None if ended == DISAGREE => WRONG_TYPE,
                None => FAILED_ELSEWHERE,
            };
            return Some((error, ended));
        }
        if envelope.check != self.setup.check & !POISON {
            self.disagreement.get_or_insert((rank, envelope.check));
            return Some((WRONG_TYPE, DISAGREE));
        }
        (envelope.len != len as u64).then_some((WRONG_LENGTH, NOBODY))
    }

    /// Makes what has come from an unlike host ours.
    #[cold]
    fn convert(&self, envelope: &Envelope, sink: Option<Sink>) -> Option<(EngineError, u32)> {
        match (envelope.form.change((self.setup.word)()), sink) {
            _ if envelope.len == 0 => None,
            (Ok(change), Some(mut sink)) if change.keeps_size() => {
                change.apply_to_sink(&mut sink, envelope.len as usize);
                None
            }
            _ => Some((UNLIKE, NOBODY)),
        }
    }

    fn fail(&mut self, error: EngineError, ended: u32) {
        self.failure.get_or_insert((error, ended));
    }
}

impl<T: Transport> Operation<T> for Run {
    fn advance(&mut self, engine: &mut Engine<T>) -> Poll<Result<Envelope, EngineError>> {
        let Poll::Ready(result) = Run::advance(self, engine) else {
            return Poll::Pending;
        };
        let scratch = std::mem::take(&mut self.scratch);
        if let Some(delivery) = self.delivery.take() {
            let workspace = std::mem::take(&mut self.workspace);
            delivery.put(scratch.finish(workspace, self.disagreement));
        }
        let envelope = Envelope {
            source: Peer::SELF,
            tag: self.setup.tag,
            len: 0,
            check: self.setup.check,
            form: Form::HERE,
        };
        Poll::Ready(result.map(|()| envelope))
    }
}
