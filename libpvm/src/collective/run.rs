//! Goes through a schedule with the engine's requests.
//!
//! # Failure
//! A rank that cannot go on (a peer has ended, a message has the wrong length) goes through the
//! rest of its schedule all the same: it sends *poison* in place of data, takes what is sent to it,
//! and computes nothing. So every rank whose result depends on the failure learns of it, nobody
//! waits for somebody who has given up, and no message is left over. Poison is an empty message
//! whose check has its highest bit set, then says what is wrong (two bits), and names the rank that
//! has ended or called otherwise.
//!
//! # Unlike hosts
//! What comes from a host of another form is made ours at once, before another step reads it, and
//! passed on in our own form. So steps cut no numbers.

mod hurry;
mod room;

pub use room::{Finished, Scratch};

use super::op::Op;
use super::schedule::{Span, Step};
use crate::datatype::{Form, LoanError, Sink, Source, Word};
use crate::engine::{
    Core, Engine, EngineError, Envelope, Mode, Operation, RequestId, Selector, WaitError,
};
use crate::ids::{Context, Rank, Tag};
use crate::transport::{Call, Peer, Sleep, Transport};
use room::Room;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// The bit of a check that says poison.
const POISON: u32 = 1 << 31;
/// The bits of a rank that poison names; those above say what is wrong. Nothing: the rank has ended.
const RANK: u32 = (1 << 29) - 1;
/// Ranks have made different calls, this one among them.
const CALLS_DIFFER: u32 = 1 << 29;
/// Ranks disagree on lengths, this one among them.
const LENGTHS_DIFFER: u32 = 2 << 29;
/// Something else is wrong, with no rank.
const NOBODY: u32 = 3 << 29;

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

impl Default for Setup {
    /// Of nobody.
    fn default() -> Self {
        Self {
            members: Arc::default(),
            context: Context(0),
            tag: 0,
            check: 0,
            word: || Word::Opaque,
            op: None,
            beyond: None,
        }
    }
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

    /// Whom a rank means with a number: of two groups each begins with its own.
    fn seen_by(&self, rank: Rank, number: usize) -> Rank {
        match &self.beyond {
            Some(beyond) if rank >= beyond.first => {
                let theirs = self.members.len() - beyond.first;
                match number.checked_sub(theirs) {
                    Some(ours) => ours,
                    None => number + beyond.first,
                }
            }
            _ => number,
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

/// Whether a blocking call with this tag came before another one, of which there were not half as many as
/// there are tags.
fn is_before(tag: Tag, other: Tag) -> bool {
    let since = other.wrapping_sub(tag) & (IN_BACKGROUND - 1);
    (0..IN_BACKGROUND).contains(&tag) && 0 < since && since < IN_BACKGROUND / 2
}

/// What ranks disagree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// The rank made another call: its [`Setup::check`].
    Call(u32),
    /// The rank sent so many bytes where this one expected another number of them.
    Length {
        /// What it sent.
        sent: u64,
        /// What there is to be.
        expected: u64,
    },
    /// The rank made another call in place of one that this one has behind it.
    Before(u32),
    /// Others have found that the rank, perhaps this one, does not call as another does.
    Elsewhere,
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
    room: Box<Room>,
    next: usize,
    /// What went wrong first, and as poison says it.
    failure: Option<(EngineError, u32)>,
    disagreement: Option<(Rank, Difference)>,
    delivery: Option<Delivery>,
    /// Calls in its context come one after another.
    is_in_order: bool,
}

impl Run {
    /// A run of the schedule in `scratch`. The output stands for the input too if that is absent.
    ///
    /// # Errors
    /// When a buffer is shorter than the schedule needs.
    pub fn new(
        setup: Setup,
        scratch: Scratch,
        input: Option<Source>,
        output: Option<Sink>,
    ) -> Result<Self, EngineError> {
        let mut room = scratch.0.unwrap_or_default();
        room.setup = setup;
        room.set_buffers(input, output).map_err(|_| SMALL_BUFFERS)?;
        Ok(Self {
            room,
            next: 0,
            failure: None,
            disagreement: None,
            delivery: None,
            is_in_order: false,
        })
    }

    /// Makes it the next call of the same kind; only after it [was cleared](Run::clear).
    ///
    /// # Errors
    /// As [`Run::new`].
    #[inline]
    pub fn again(
        &mut self,
        tag: Tag,
        input: Option<Source>,
        output: Option<Sink>,
    ) -> Result<(), EngineError> {
        self.next = 0;
        self.room.setup.tag = tag;
        let set = self.room.set_buffers(input, output);
        set.map_err(|_| SMALL_BUFFERS)
    }

    /// Leaves what it gives back in `delivery` when it is over: for [`Engine::start`].
    pub fn deliver_to(mut self, delivery: &Delivery) -> Self {
        self.delivery = Some(delivery.clone());
        self
    }

    /// Only such calls are in its context whose tags are [`Tags::next_tag`], and this is one: at its end
    /// it is seen whether those before were the same in all ranks.
    pub fn in_order(mut self) -> Self {
        self.is_in_order = true;
        self
    }

    /// Goes on as far as possible. Does not progress the engine.
    pub fn advance<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
    ) -> Poll<Result<(), EngineError>> {
        loop {
            while let Some(&step) = self.room.schedule.steps().get(self.next) {
                match self.start(engine, step) {
                    Started::Yes => self.next += 1,
                    Started::NotYet => break,
                }
            }
            let collected = self.collect(engine);
            if self.next < self.room.schedule.steps().len() {
                if !collected {
                    return Poll::Pending;
                }
            } else if self.room.pending.is_empty() {
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
    #[inline]
    pub fn wait<T: Sleep>(&mut self, core: &Core<T>) -> Result<Result<(), EngineError>, WaitError> {
        let doing = Call {
            operation: self.room.schedule.operation as u32,
            context: self.room.setup.context.0,
            tag: self.room.setup.tag,
            ..Call::default()
        };
        let waited = core.wait_after(
            self,
            |run, engine, awake| run.hurry(engine, awake),
            |_| doing,
            |run, engine| match run.advance(engine) {
                Poll::Ready(result) => Some(result.and_then(|()| run.look_back(engine))),
                Poll::Pending => None,
            },
        );
        if waited.is_err() {
            // The gate may let nobody in; then the requests stay, and their memory with them.
            let _ = core.with(|engine| self.give_up(engine));
        }
        waited
    }

    /// Whether a rank has sent what no earlier call of this one has received: they were not the same.
    #[inline]
    fn look_back<T: Transport>(&mut self, engine: &mut Engine<T>) -> Result<(), EngineError> {
        if !self.is_in_order {
            return Ok(());
        }
        let tag = self.room.setup.tag;
        match engine.drop_kept(self.room.setup.context, |left| is_before(left, tag)) {
            None => Ok(()),
            Some(left) => self.blame(left),
        }
    }

    #[cold]
    fn blame(&mut self, left: Envelope) -> Result<(), EngineError> {
        let members = &*self.room.setup.members;
        let rank = members.iter().position(|it| it.peer == left.source);
        let difference = match left.check & POISON {
            0 => Difference::Before(left.check),
            _ => Difference::Elsewhere,
        };
        self.disagreement = rank.map(|rank| (rank, difference));
        Err(WRONG_TYPE)
    }

    /// Gives the buffers back; only after [`Run::advance`] was ready.
    pub fn finish(self) -> Finished {
        self.room.finish(self.disagreement)
    }

    /// Which call it is.
    pub fn check(&self) -> u32 {
        self.room.setup.check
    }

    /// A rank with which others disagree, and on what.
    pub fn disagreement(&self) -> Option<(Rank, Difference)> {
        self.disagreement
    }

    /// Drops the buffers and keeps everything else for the next run; only after it has ended well.
    #[inline]
    pub fn clear(&mut self) {
        self.room.clear();
    }

    /// Takes back what is under way: receives are cancelled, sends go through by themselves.
    pub fn give_up<T: Transport>(&mut self, engine: &mut Engine<T>) {
        for pending in self.room.pending.drain(..) {
            engine.cancel(pending.request);
            engine.forget(pending.request);
        }
    }

    #[inline]
    fn start<T: Transport>(&mut self, engine: &mut Engine<T>, step: Step) -> Started {
        let started = match step {
            Step::Send { to, .. } if self.failure.is_some() => self.send_poison(engine, to),
            Step::Send { to, from } => self.part_to_send(from).map(|source| {
                self.send(engine, to, self.room.setup.check & !POISON, source);
            }),
            Step::Receive { from, into } => self
                .room_to_receive(into)
                .map(|sink| self.receive(engine, from, sink)),
            Step::Reduce { .. } | Step::Copy { .. } if self.failure.is_some() => Ok(()),
            Step::Reduce { from, into } => {
                let Some(op) = &self.room.setup.op else {
                    self.fail(NO_OPERATION, NOBODY);
                    return Started::Yes;
                };
                self.room.workspace.combine(
                    (from.buffer as usize, from.start),
                    (into.buffer as usize, into.start),
                    into.len,
                    |from, into| op.apply(from, into),
                )
            }
            Step::Copy { from, into } => self.room.workspace.copy(
                (from.buffer as usize, from.start),
                (into.buffer as usize, into.start),
                into.len,
            ),
            Step::Fence if self.room.pending.is_empty() => Ok(()),
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
        let workspace = &mut self.room.workspace;
        workspace.source(from.buffer as usize, range)
    }

    fn room_to_receive(&mut self, into: Span) -> Result<Sink, LoanError> {
        if into.len == 0 {
            return Ok(Sink::with_capacity(0));
        }
        let range = into.start..into.start + into.len;
        let workspace = &mut self.room.workspace;
        match workspace.sink(into.buffer as usize, range) {
            Err(LoanError::Outside) if self.failure.is_some() => Ok(Sink::with_capacity(into.len)),
            sink => sink,
        }
    }

    fn send<T: Transport>(&mut self, engine: &mut Engine<T>, to: Rank, check: u32, source: Source) {
        let member = self.room.setup.members[to];
        let (context, (_, tag)) = (member.context, self.room.setup.lane(to));
        let request = engine.send(member.peer, context, tag, check, source, Mode::Standard);
        self.follow(engine, request, to, None);
    }

    fn send_poison<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
        to: Rank,
    ) -> Result<(), LoanError> {
        let poison = self.failure.map_or(NOBODY, |(_, poison)| poison);
        self.send(engine, to, POISON | poison, Source::from_vec(Vec::new()));
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
        let (context, tag) = self.room.setup.lane(from);
        Selector {
            context,
            source: Some(self.room.setup.members[from].peer),
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
            self.room.pending.push(pending);
        }
    }

    /// Takes the outcomes of what is over; says whether anything was.
    fn collect<T: Transport>(&mut self, engine: &mut Engine<T>) -> bool {
        let mut pending = std::mem::take(&mut self.room.pending);
        let before = pending.len();
        pending.retain(|entry| !self.settle(engine, entry));
        let collected = pending.len() < before;
        self.room.pending = pending;
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
            Err(error @ EngineError::PeerGone(_)) => self.fail(error, named(rank)),
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
        match result {
            Ok(envelope) => self.taken(engine, rank, len, &envelope, |_| sink),
            Err(EngineError::Truncated { envelope, .. }) => {
                self.taken(engine, rank, len, &envelope, |_| None)
            }
            Err(error) => self.sent(rank, Err(error)),
        }
    }

    /// Takes a message of which there are to be `len` bytes, and which is in a sink.
    #[inline]
    fn taken<T: Transport>(
        &mut self,
        engine: &Engine<T>,
        rank: Rank,
        len: usize,
        envelope: &Envelope,
        sink: impl FnOnce(&mut Self) -> Option<Sink>,
    ) {
        let error = match self.judge(engine, rank, envelope, len) {
            None if envelope.form.is_foreign() => {
                let sink = sink(self);
                self.convert(envelope, sink)
            }
            error => error,
        };
        if let Some((error, poison)) = error {
            self.fail(error, poison);
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
            return Some(self.hear(engine, rank, envelope.check & !POISON));
        }
        if envelope.check != self.room.setup.check & !POISON {
            let difference = Difference::Call(envelope.check);
            self.disagreement.get_or_insert((rank, difference));
            return Some((WRONG_TYPE, CALLS_DIFFER | named(rank)));
        }
        let (sent, expected) = (envelope.len, len as u64);
        (sent != expected).then(|| {
            let difference = Difference::Length { sent, expected };
            self.disagreement.get_or_insert((rank, difference));
            (WRONG_LENGTH, LENGTHS_DIFFER | named(rank))
        })
    }

    /// What the poison of a rank says.
    #[cold]
    fn hear<T: Transport>(
        &mut self,
        engine: &Engine<T>,
        from: Rank,
        poison: u32,
    ) -> (EngineError, u32) {
        let about = self.room.setup.seen_by(from, (poison & RANK) as usize);
        let (kind, member) = (poison & !RANK, self.room.setup.members.get(about));
        let error = match (kind, member) {
            (0, Some(member)) => EngineError::PeerGone(engine.task(member.peer)),
            (CALLS_DIFFER, Some(_)) => WRONG_TYPE,
            (LENGTHS_DIFFER, Some(_)) => WRONG_LENGTH,
            _ => return (FAILED_ELSEWHERE, NOBODY),
        };
        if kind != 0 {
            let difference = Difference::Elsewhere;
            self.disagreement.get_or_insert((about, difference));
        }
        (error, kind | named(about))
    }

    /// Makes what has come from an unlike host ours.
    #[cold]
    fn convert(&self, envelope: &Envelope, sink: Option<Sink>) -> Option<(EngineError, u32)> {
        match (envelope.form.change((self.room.setup.word)()), sink) {
            _ if envelope.len == 0 => None,
            (Ok(change), Some(mut sink)) if change.keeps_size() => {
                change.apply_to_sink(&mut sink, envelope.len as usize);
                None
            }
            _ => Some((UNLIKE, NOBODY)),
        }
    }

    fn fail(&mut self, error: EngineError, poison: u32) {
        self.failure.get_or_insert((error, poison));
    }
}

/// A rank as poison names it.
fn named(rank: Rank) -> u32 {
    (rank as u32).min(RANK)
}

impl<T: Transport> Operation<T> for Run {
    fn advance(&mut self, engine: &mut Engine<T>) -> Poll<Result<Envelope, EngineError>> {
        let Poll::Ready(result) = Run::advance(self, engine) else {
            return Poll::Pending;
        };
        if let Some(delivery) = self.delivery.take() {
            let room = std::mem::take(&mut self.room);
            delivery.put(room.finish(self.disagreement));
        }
        let envelope = Envelope {
            source: Peer::SELF,
            tag: self.room.setup.tag,
            len: 0,
            check: self.room.setup.check,
            form: Form::HERE,
        };
        Poll::Ready(result.map(|()| envelope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_numbers_its_own_ranks_first() {
        let member = |peer| Member {
            peer: Peer(peer),
            context: Context(20),
        };
        let setup = Setup {
            // Two of the own group, three of the other.
            members: (0..5).map(member).collect(),
            context: Context(20),
            tag: 0,
            check: 0,
            word: || Word::Fixed(1),
            op: None,
            beyond: Some(Beyond {
                first: 2,
                context: Context(22),
                tag: 0,
            }),
        };
        assert_eq!(
            (0..5).map(|n| setup.seen_by(1, n)).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(
            (0..5).map(|n| setup.seen_by(4, n)).collect::<Vec<_>>(),
            [2, 3, 4, 0, 1]
        );
    }

    #[test]
    fn tags_are_before_others_also_when_they_begin_again() {
        assert!(is_before(4, 5) && !is_before(5, 5) && !is_before(6, 5));
        assert!(is_before(IN_BACKGROUND - 1, 0) && !is_before(0, IN_BACKGROUND - 1));
        assert!(!is_before(IN_BACKGROUND | 4, 5) && !is_before(-4, 5));
    }
}
