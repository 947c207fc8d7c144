//! The engine behind its gate, and waiting.
//!
//! # The wait ladder
//! A waiting thread polls for as long as a sleep and wake-up would cost, then gives its processor
//! away a few times, then sleeps until a peer or the daemon rings. When the host has more awake
//! tasks than processors the first rung is skipped: a spinning task would only keep the one that
//! it waits for from running. The transport knows the host and makes the [`Ladder`].
//!
//! # Several threads
//! All threads sleep on the task's one bell; a ring wakes all of them. A thread that takes in news
//! ([`Engine::news`]) while others sleep rings the bell itself: the completed request may be theirs.
//! It sees the sleepers, because both counting them and taking in happen inside the gate.
//!
//! A message that is kept for a later receive has woken all threads when its sender rang. One of
//! them may still be on its way to the bell, though, and would lie down if another announced the
//! next sleep meanwhile: before that, those who slept when the message came are rung.
//!
//! There is one place to show a call ([`Call`]): each thread writes its own there when it goes to sleep,
//! and takes away nothing but that.

use super::direct::LOOKS;
use super::progress::short_envelope;
use super::{Engine, EngineError, Envelope, Mode, RequestId, Selector};
use crate::datatype::{ShortSink, ShortSource, Sink, Source, lend, lend_mut};
use crate::ids::{Context, Tag};
use crate::sync::{Gate, GateError, Ladder, Level, Pass, Step, give_way};
use crate::transport::{Call, Operation, Peer, Sleep, Sleeper};
use std::time::{Duration, Instant};

/// Times in a row that a waiting thread goes on with other messages while threads want to come in.
const MOVES: u32 = 64;

/// Why a wait ended without its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The deadline has passed.
    #[error("timed out")]
    TimedOut,
    /// The engine could not be entered.
    #[error(transparent)]
    Gate(#[from] GateError),
}

/// An engine, its gate and its bell: what the layers above hold.
pub struct Core<T: Sleep> {
    gate: Gate<Inside<T>>,
    sleeper: T::Sleeper,
}

struct Inside<T: Sleep> {
    engine: Engine<T>,
    /// Threads that are asleep, or about to be.
    sleeping: usize,
    /// A message was kept while they slept.
    unseen: bool,
    /// What is shown: what the last of them sleeps for.
    shown: Call,
    /// Counts waits, and what has come to those who wait.
    turns: u64,
}

impl<T: Sleep> Inside<T> {
    /// What has come so far: news, and messages that were kept.
    fn come(&self) -> (u64, u64) {
        (self.engine.news(), self.engine.kept())
    }

    /// Rings for the other threads if there is news since `before`.
    fn ring_if_news(&mut self, (news, kept): (u64, u64), sleeper: &T::Sleeper) {
        if self.sleeping == 0 {
            return;
        }
        self.unseen |= self.engine.kept() != kept;
        if self.engine.news() != news {
            self.ring(sleeper);
        }
    }

    /// Rings for the other threads.
    fn ring(&mut self, sleeper: &T::Sleeper) {
        self.unseen = false;
        sleeper.wake();
    }

    /// Announces a sleep, unless something has come. Counts the sleeper.
    fn prepare_sleep(&mut self, sleeper: &T::Sleeper) -> bool {
        if self.unseen {
            self.ring(sleeper);
        }
        let sleeps = self.engine.transport().prepare_sleep();
        self.sleeping += usize::from(sleeps);
        sleeps
    }

    /// Begins to show a wait.
    fn begin(&mut self, call: impl Fn(&Engine<T>) -> Call) -> Call {
        self.turns = self.turns.wrapping_add(1);
        Call {
            since_ns: Call::now_ns(),
            ..call(&self.engine)
        }
    }

    /// Shows what a thread sleeps for, if that is known.
    fn show(&mut self, call: Call) {
        if call.operation != 0 && self.shown != call {
            self.engine.transport().show_call(&call);
            self.shown = call;
        }
    }

    /// The thread is not in this call any more. What another one sleeps for stays.
    fn hide(&mut self, call: Call) {
        if call.operation != 0 && self.shown == call {
            self.shown = Call::default();
            self.engine.transport().show_call(&self.shown);
        }
    }

    /// A sleeper is back.
    fn finish_sleep(&mut self) {
        self.sleeping -= 1;
        self.unseen &= self.sleeping > 0;
        self.engine.transport().finish_sleep();
    }
}

impl<T: Sleep> Core<T> {
    /// Puts an engine behind a gate for programs of this thread level. With
    /// [`Level::Single`] it is bound to the calling thread.
    pub fn new(engine: Engine<T>, level: Level) -> Self {
        let mut engine = engine;
        let sleeper = engine.transport().sleeper();
        Self {
            gate: Gate::new(
                Inside {
                    engine,
                    sleeping: 0,
                    unseen: false,
                    shown: Call::default(),
                    turns: 0,
                },
                level,
            ),
            sleeper,
        }
    }

    /// The thread level it was made for.
    pub fn level(&self) -> Level {
        self.gate.level()
    }

    /// Does something with the engine that does not wait.
    ///
    /// # Errors
    /// When this thread may not enter, or is inside already (in a callback).
    #[inline(always)]
    pub fn with<R>(&self, action: impl FnOnce(&mut Engine<T>) -> R) -> Result<R, GateError> {
        let mut inside = self.gate.enter()?;
        let before = inside.come();
        let result = action(&mut inside.engine);
        inside.ring_if_news(before, &self.sleeper);
        Ok(result)
    }

    /// Before this task leaves, waits at most for `limit` until its requests to peers are over, and
    /// then until peers have what was sent. A peer that confirms nothing for `patience` is busy with
    /// something else; it is not waited for any longer. False: requests were left.
    pub fn settle(&self, limit: Duration, patience: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let quiet = self.wait(Some(deadline), |engine| {
            (engine.is_quiet() || engine.is_lost()).then_some(())
        });
        if quiet.is_err() {
            return false;
        }
        let mut left = u64::MAX;
        while left > 0 {
            let until = deadline.min(Instant::now() + patience);
            let less = self.wait(Some(until), |engine| {
                let now = engine.transport().flush();
                (now < left).then_some(now)
            });
            left = less.unwrap_or(0);
        }
        true
    }

    /// Sends a message and waits for the end of the send. `context` is the receiver's number.
    ///
    /// # Errors
    /// When this thread may not enter; what becomes of the message is inside.
    #[inline(always)]
    pub fn send(
        &self,
        to: Peer,
        context: Context,
        tag: Tag,
        check: u32,
        source: Source,
        mode: Mode,
    ) -> Result<Result<(), EngineError>, WaitError> {
        let len = source.len();
        let mut inside = self.gate.enter()?;
        if mode == Mode::Standard
            && let Some(sent) = inside.engine.send_at_once(to, context, tag, check, &source)
        {
            return Ok(sent);
        }
        let start = |engine: &mut Engine<T>| engine.send(to, context, tag, check, source, mode);
        let call = |engine: &Engine<T>| Call {
            operation: Operation::Send as u32,
            context: context.0,
            peer: engine.task(to).bits(),
            tag,
            bytes: len as u64,
            ..Call::default()
        };
        let ended = self.run(inside, None, call, start)?;
        Ok(ended.map(drop))
    }

    /// As [`Core::send`], of bytes. What is small goes without anything being made of it.
    ///
    /// # Errors
    /// As [`Core::send`].
    #[inline(always)]
    pub fn send_bytes(
        &self,
        to: Peer,
        context: Context,
        tag: Tag,
        check: u32,
        bytes: &[u8],
        mode: Mode,
    ) -> Result<Result<(), EngineError>, WaitError> {
        if mode == Mode::Standard
            && let Some(body) = ShortSource::of(bytes)
        {
            let mut inside = self.gate.enter()?;
            if inside.engine.send_short(to, context, tag, check, body) {
                return Ok(Ok(()));
            }
        }
        self.send_lent((to, context), (tag, check), bytes, mode)
    }

    // Called: for a closure made in its caller, all this would be in memory on the short way, too, written in
    // other pieces than it is read in.
    #[inline(never)]
    fn send_lent(
        &self,
        (to, context): (Peer, Context),
        (tag, check): (Tag, u32),
        bytes: &[u8],
        mode: Mode,
    ) -> Result<Result<(), EngineError>, WaitError> {
        lend(bytes, |source| {
            self.send(to, context, tag, check, source, mode)
        })
    }

    /// Receives a message into `sink` and waits until it is there; what came is told in `envelope` (see
    /// [`Engine::receive_at_once`]).
    ///
    /// # Errors
    /// When this thread may not enter; what becomes of the message is inside.
    #[inline]
    pub fn receive(
        &self,
        selector: Selector,
        mut sink: Sink,
        envelope: &mut Envelope,
    ) -> Result<Result<(), EngineError>, WaitError> {
        let mut ladder = None;
        if let Some(short) = sink.short()
            && let Some(came) = self.receive_short(selector, short, &mut ladder)
        {
            *envelope = came;
            return Ok(Ok(()));
        }
        self.receive_any(selector, sink, envelope, ladder)
    }

    /// As [`Core::receive`], into bytes.
    ///
    /// # Errors
    /// As [`Core::receive`].
    #[inline(always)]
    pub fn receive_bytes(
        &self,
        selector: Selector,
        room: &mut [u8],
        envelope: &mut Envelope,
    ) -> Result<Result<(), EngineError>, WaitError> {
        let mut ladder = None;
        if let Some(came) = self.receive_short(selector, ShortSink::of(room), &mut ladder) {
            *envelope = came;
            return Ok(Ok(()));
        }
        lend_mut(room, |sink| {
            self.receive_any(selector, sink, envelope, ladder)
        })
    }

    /// Receives a message that is nothing but a few bytes. While nothing comes it is waited for; `ladder` is how far
    /// that has gone. `None`: nothing was received.
    #[inline(always)]
    fn receive_short(
        &self,
        selector: Selector,
        sink: ShortSink<'_>,
        ladder: &mut Option<Ladder>,
    ) -> Option<Envelope> {
        let (source, tag) = (selector.source?, selector.tag?);
        // Whoever may not enter is told so by the general way.
        let mut inside = self.gate.enter().ok()?;
        let again = |transport: &mut T| self.again(ladder, transport);
        let engine = &mut inside.engine;
        let came = engine.receive_short((source, tag), selector.context, sink, again);
        came.map(|came| short_envelope(source, tag, came))
    }

    #[inline(never)]
    fn receive_any(
        &self,
        selector: Selector,
        mut sink: Sink,
        envelope: &mut Envelope,
        mut ladder: Option<Ladder>,
    ) -> Result<Result<(), EngineError>, WaitError> {
        let mut inside = self.gate.enter()?;
        let again = |transport: &mut T| self.again(&mut ladder, transport);
        match (inside.engine).receive_at_once(selector, &mut sink, envelope, again) {
            Some(Ok(())) => return Ok(Ok(())),
            Some(Err(error)) => return Ok(Err(error)),
            None => {}
        }
        let bytes = sink.capacity() as u64;
        let call = |engine: &Engine<T>| engine.call(Operation::Receive, selector, bytes);
        let ended = self.run(inside, ladder, call, |engine| {
            engine.receive(selector, sink)
        })?;
        Ok(ended.map(|came| *envelope = came))
    }

    /// Whether to look once more. Before this thread sleeps, or lets another one in, the receive is posted.
    #[inline]
    fn again(&self, ladder: &mut Option<Ladder>, transport: &mut T) -> bool {
        let ladder = ladder.get_or_insert_with(|| transport.ladder());
        ladder.spins() && ladder.climb_by(LOOKS) == Step::Again && !self.gate.is_wanted()
    }

    /// Starts a request and waits for its end.
    #[inline(never)]
    fn run(
        &self,
        inside: Pass<'_, Inside<T>>,
        ladder: Option<Ladder>,
        call: impl Fn(&Engine<T>) -> Call,
        start: impl FnOnce(&mut Engine<T>) -> RequestId,
    ) -> Result<Result<Envelope, EngineError>, WaitError> {
        let mut start = Some(start);
        let mut request = None;
        // The ends of the message, often lent memory, are dropped in the engine.
        self.go_on(inside, ladder, None, call, |engine| {
            if let Some(start) = start.take() {
                request = Some(start(engine));
            }
            engine.finish_envelope(request?)
        })
    }

    /// Progresses until `ready` gives a result, at the latest until `deadline`.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`], or when this thread may not enter.
    #[inline]
    pub fn wait<R>(
        &self,
        deadline: Option<Instant>,
        ready: impl FnMut(&mut Engine<T>) -> Option<R>,
    ) -> Result<R, WaitError> {
        self.go_on(
            self.gate.enter()?,
            None,
            deadline,
            |_| Call::default(),
            ready,
        )
    }

    /// As [`Core::wait`] without a deadline; `call` says what for, to those who look (`pvm stacks`). It
    /// is asked when the thread goes to sleep for the first time.
    ///
    /// # Errors
    /// When this thread may not enter.
    #[inline]
    pub fn wait_in<R>(
        &self,
        call: impl Fn(&Engine<T>) -> Call,
        ready: impl FnMut(&mut Engine<T>) -> Option<R>,
    ) -> Result<R, WaitError> {
        self.go_on(self.gate.enter()?, None, None, call, ready)
    }

    /// As [`Core::wait_in`], of what `state` does; but first `begin` does what needs no request, and waits
    /// awake while that pays.
    ///
    /// # Errors
    /// When this thread may not enter.
    #[inline]
    pub fn wait_after<S, R>(
        &self,
        state: &mut S,
        begin: impl FnOnce(&mut S, &mut Engine<T>, &mut Awake<'_, T>),
        call: impl Fn(&Engine<T>) -> Call,
        mut ready: impl FnMut(&mut S, &mut Engine<T>) -> Option<R>,
    ) -> Result<R, WaitError> {
        let mut inside = self.gate.enter()?;
        let mut awake = Awake {
            gate: &self.gate,
            ladder: None,
        };
        begin(state, &mut inside.engine, &mut awake);
        let ladder = awake.ladder;
        self.go_on(inside, ladder, None, call, |engine| ready(state, engine))
    }

    /// As [`Core::wait`], for a thread that is inside and may have begun to wait.
    #[inline]
    fn go_on<'a, R>(
        &'a self,
        mut inside: Pass<'a, Inside<T>>,
        mut ladder: Option<Ladder>,
        deadline: Option<Instant>,
        call: impl Fn(&Engine<T>) -> Call,
        mut ready: impl FnMut(&mut Engine<T>) -> Option<R>,
    ) -> Result<R, WaitError> {
        let mut shown = None;
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let mut late = false;
        let mut moves = 0u32;
        loop {
            let before = inside.come();
            let found = ready(&mut inside.engine);
            let moved = found.is_none() && inside.engine.progress();
            inside.ring_if_news(before, &self.sleeper);
            if found.is_some() || late {
                if let Some(call) = shown {
                    inside.hide(call);
                }
                return found.ok_or(WaitError::TimedOut);
            }
            if moved {
                // Messages for others may come without end: neither the deadline nor other threads
                // wait for a pause.
                late = is_over();
                ladder = None;
                inside.turns = inside.turns.wrapping_add(1);
                moves = moves.wrapping_add(1);
                if moves.is_multiple_of(MOVES) && self.gate.is_wanted() {
                    drop(inside);
                    std::thread::yield_now();
                    inside = self.gate.enter()?;
                }
                continue;
            }
            let step = match &mut ladder {
                Some(ladder) => ladder.climb(),
                None => ladder.insert(inside.engine.transport().ladder()).climb(),
            };
            if step == Step::Again && !self.gate.is_wanted() {
                std::hint::spin_loop();
                continue;
            }
            if is_over() {
                // One last look.
                late = true;
                continue;
            }
            let sleeps = step == Step::Sleep && inside.prepare_sleep(&self.sleeper);
            if sleeps {
                let call = shown.get_or_insert_with(|| inside.begin(&call));
                call.turn = inside.turns;
                inside.show(*call);
            }
            drop(inside);
            if sleeps {
                self.sleeper.sleep(deadline);
            } else {
                give_way();
            }
            inside = self.gate.enter()?;
            if sleeps {
                inside.finish_sleep();
                // The ladder stays where it is: who was woken for nothing goes straight back to
                // sleep.
            }
        }
    }
}

/// The wait of a thread that stays inside, and looks instead of polling.
pub struct Awake<'a, T: Sleep> {
    gate: &'a Gate<Inside<T>>,
    ladder: Option<Ladder>,
}

impl<T: Sleep> Awake<'_, T> {
    /// After a look that has found nothing: passes the time until the next one. False: the thread is to
    /// wait otherwise, for another one wants to come in, or it is time to sleep.
    #[inline]
    pub fn again(&mut self, transport: &mut T) -> bool {
        let ladder = self.ladder.get_or_insert_with(|| transport.ladder());
        match ladder.climb() {
            Step::Again => std::hint::spin_loop(),
            // Others have the processor meanwhile, so nobody may wait for this thread to go out. Who has looked
            // in vain for long polls for everything.
            Step::Yield if self.gate.level() == Level::Single && !ladder.spins() => {
                give_way();
            }
            Step::Yield | Step::Sleep => return false,
        }
        !self.gate.is_wanted()
    }

    /// Something has come: the next wait begins anew.
    #[inline]
    pub fn restart(&mut self) {
        self.ladder = None;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ids::TaskId;
    use crate::sync::WaitPolicy;
    use crate::transport::{Args, Body, Head, PullError, Receiver, SendError, Transport};

    /// A transport on which something arrives all the time.
    struct Flood;

    impl Transport for Flood {
        fn peer(&mut self, _: TaskId) -> Peer {
            Peer(1)
        }

        fn task(&self, _: Peer) -> TaskId {
            unreachable!("there is no other task")
        }

        fn send(
            &mut self,
            _: Peer,
            _: &Head,
            _: Option<&Args>,
            _: Option<Body<'_>>,
        ) -> Result<(), SendError> {
            Err(SendError::Full)
        }

        fn poll<R: Receiver>(&mut self, _: &mut R) -> bool {
            true
        }

        fn watch(&mut self, _: Peer) {}

        fn eager_max(&self, _: Peer) -> usize {
            64
        }

        fn chunk(&self, _: Peer) -> usize {
            64
        }

        fn pull_min(&self, _: Peer, _: bool) -> Option<usize> {
            None
        }

        fn pull(
            &mut self,
            _: Peer,
            _: u64,
            _: usize,
            _: &mut Sink,
            _: usize,
        ) -> Result<(), PullError> {
            Err(PullError)
        }
    }

    impl Sleep for Flood {
        type Sleeper = Awake;

        fn sleeper(&self) -> Awake {
            Awake
        }

        fn prepare_sleep(&mut self) -> bool {
            false
        }

        fn finish_sleep(&mut self) {}

        fn ladder(&mut self) -> Ladder {
            Ladder::new(WaitPolicy::Adaptive, Duration::ZERO)
        }
    }

    #[derive(Clone)]
    struct Awake;

    impl Sleeper for Awake {
        fn sleep(&self, _: Option<Instant>) {}

        fn wake(&self) {}
    }

    /// Far more than anything here takes.
    const LONG: Duration = Duration::from_secs(5);

    fn flooded() -> Core<Flood> {
        let me = TaskId::new(1, 1, 1).expect("a task");
        Core::new(Engine::new(Flood, me), Level::Multiple)
    }

    #[test]
    fn a_deadline_holds_while_messages_for_others_come() {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(5);
        let waited = flooded().wait(Some(deadline), |_| (start.elapsed() > LONG).then_some(()));
        assert_eq!(waited, Err(WaitError::TimedOut));
    }

    #[test]
    fn other_threads_come_in_while_messages_come() {
        let core = flooded();
        let start = Instant::now();
        let mut entered = false;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| core.with(|_| ()));
            let waited = core.wait(None, |_| {
                entered |= other.is_finished();
                (entered || start.elapsed() > LONG).then_some(())
            });
            assert_eq!(waited, Ok(()));
        });
        assert!(entered, "it waited until the flood was over");
    }
}
