//! A task's inbox: the page by which others wake it, and see what it waits for.

use super::super::Call;
use super::door::{self, Sockets};
use super::doorbell::{self, ASLEEP, Board, NOTIFIED};
use super::layout;
use super::segment::{MapError, Mapping, create};
use crate::session::Line;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use crate::sync::futex::{self, Woken};
use crate::sync::shared;
use crate::sync::shared::Word;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Longest sleep: once in this time a thread looks whether the daemon is still there. As rare as can
/// be, for hundreds of tasks may be waiting; but three seconds after the daemon all is to be over.
const NAP_MAX: Duration = Duration::from_secs(2);

/// Longest wait for the daemon to take what does not fit its socket: it is not long about that, and
/// meanwhile this task does not hear its bells.
const ROOM_WAIT: Duration = Duration::from_millis(1);

impl Board for Mapping<layout::Inbox> {
    type Half = shared::AtomicU32;
    type Full = shared::AtomicU64;

    #[inline(always)]
    fn mode(&self) -> &shared::AtomicU32 {
        &self.mode.0.mode
    }

    #[inline(always)]
    fn control(&self) -> &shared::AtomicU32 {
        &self.mode.0.control
    }

    #[inline(always)]
    fn summary(&self) -> &shared::AtomicU64 {
        &self.summary.0
    }

    #[inline(always)]
    fn bells(&self, index: usize) -> &shared::AtomicU64 {
        &self.bells[index]
    }

    fn wake(&self) {
        futex::wake_all(&self.mode.0.mode);
        // Some of its threads may sleep there, others here.
        door::knock(&self.door.0);
    }
}

/// Makes inboxes.
pub struct Inbox;

impl Inbox {
    /// Makes the inbox of a new task: the descriptor to pass on, and the daemon's own end.
    ///
    /// # Errors
    /// When there are no descriptors or no memory left.
    pub fn create() -> Result<(OwnedFd, InboxBell), MapError> {
        let (fd, map) = create::<layout::Inbox>()?;
        Ok((fd, InboxBell { map: Arc::new(map) }))
    }
}

/// Somebody's inbox, to ring.
#[derive(Clone)]
pub struct InboxBell {
    pub(super) map: Arc<Mapping<layout::Inbox>>,
}

impl InboxBell {
    /// Maps an inbox.
    ///
    /// # Errors
    /// When the descriptor is not an inbox.
    pub fn map(fd: impl AsFd) -> Result<Self, MapError> {
        let map = Arc::new(Mapping::open(fd)?);
        Ok(Self { map })
    }

    /// For the daemon, after it has written to the task's socket: makes the task read it, also when
    /// it sleeps.
    pub fn ring_control(&self) {
        doorbell::ring_control(&*self.map);
    }

    /// Wakes the task if it sleeps; it looks at everything once.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        Word::replace(&self.map.mode.0.mode, ASLEEP, NOTIFIED, Ordering::AcqRel);
        self.map.wake();
    }

    /// Whether the task sleeps in a wait.
    pub fn is_asleep(&self) -> bool {
        self.map.mode.0.mode.load(Ordering::Relaxed) == ASLEEP
    }

    /// The blocking call that the task is in; `None`: none, or it is changing just now.
    pub fn call(&self) -> Option<Call> {
        let slot = &self.map.call.0;
        let before = slot.sequence.load(Ordering::Acquire);
        let operation = slot.operation.load(Ordering::Relaxed);
        let call = Call {
            operation: operation as u32,
            context: (operation >> 32) as u32,
            peer: slot.peer.load(Ordering::Relaxed),
            tag: slot.tag.load(Ordering::Relaxed) as i32,
            bytes: slot.bytes.load(Ordering::Relaxed),
            since_ns: slot.since.load(Ordering::Relaxed),
            turn: slot.turn.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let after = slot.sequence.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2) && call.operation != 0).then_some(call)
    }

    /// Shows what the task waits for; for the task itself.
    pub(super) fn show_call(&self, call: &Call) {
        let slot = &self.map.call.0;
        let sequence = slot.sequence.load(Ordering::Relaxed) | 1;
        slot.sequence.store(sequence, Ordering::Relaxed);
        fence(Ordering::Release);
        let operation = u64::from(call.context) << 32 | u64::from(call.operation);
        slot.operation.store(operation, Ordering::Relaxed);
        slot.peer.store(call.peer, Ordering::Relaxed);
        slot.tag.store(call.tag as u32 as u64, Ordering::Relaxed);
        slot.bytes.store(call.bytes, Ordering::Relaxed);
        slot.since.store(call.since_ns, Ordering::Relaxed);
        slot.turn.store(call.turn, Ordering::Relaxed);
        slot.sequence.store(sequence + 1, Ordering::Release);
    }
}

/// Sleeps on the task's own inbox; usable while others hold the transport.
///
/// Several threads may sleep at a time, all on the one mode word. A thread that is between its
/// `prepare_sleep` and the system call must not be missed by [`wake`](crate::transport::Sleeper::wake)
/// because a third thread has announced its own sleep meanwhile: whoever was to be woken is *owed*,
/// and nobody announces a sleep before all of those have come back.
#[derive(Clone)]
pub struct Sleeper {
    inbox: InboxBell,
    threads: Arc<Threads>,
    /// To the daemon.
    line: Option<Line>,
}

/// Threads of this task that have prepared to sleep and not finished.
struct Threads {
    prepared: AtomicU32,
    /// How many of them have been woken and are not back yet.
    owed: AtomicU32,
    /// The daemon has not taken all that it was sent.
    line_is_full: AtomicBool,
    /// Where threads sleep while `has_sockets`.
    sockets: OnceLock<Arc<Sockets>>,
    has_sockets: AtomicBool,
}

impl Sleeper {
    pub(super) fn new(inbox: InboxBell, line: Option<Line>) -> Self {
        let threads = Arc::new(Threads {
            prepared: AtomicU32::new(0),
            owed: AtomicU32::new(0),
            line_is_full: AtomicBool::new(false),
            sockets: OnceLock::new(),
            has_sockets: AtomicBool::new(false),
        });
        Self {
            inbox,
            threads,
            line,
        }
    }

    /// Says whether threads that sleep wait for the daemon to take more, in place of a bell.
    pub(super) fn set_line_full(&self, is_full: bool) {
        self.threads.line_is_full.store(is_full, Ordering::Relaxed);
    }

    /// The sockets that threads may sleep with, made at the first call; `None`: that is not possible.
    pub(super) fn sockets(&self) -> Option<Arc<Sockets>> {
        if self.threads.sockets.get().is_none() {
            let sockets = Sockets::open().ok()?;
            // Only who holds the transport comes here.
            let _ = self.threads.sockets.set(Arc::new(sockets));
        }
        self.threads.sockets.get().cloned()
    }

    /// Says whether there are sockets to be heard. Threads that sleep the other way come back.
    pub(super) fn set_sockets(&self, any: bool) {
        if self.threads.has_sockets.load(Ordering::Relaxed) == any {
            return;
        }
        if let Some(sockets) = self.threads.sockets.get().filter(|_| any) {
            sockets.show_door(&self.inbox.map.door.0);
        }
        self.threads.has_sockets.store(any, Ordering::SeqCst);
        crate::transport::Sleeper::wake(self);
        self.hide_door();
    }

    /// Nobody needs to knock, once there are no sockets and the last thread has left them.
    fn hide_door(&self) {
        let threads = &self.threads;
        if !threads.has_sockets.load(Ordering::SeqCst)
            && threads.prepared.load(Ordering::SeqCst) == 0
        {
            door::hide(&self.inbox.map.door.0);
        }
    }

    /// A thread has left its sleep: what has woken it is taken, before others are woken.
    pub(super) fn empty_sockets(&self) {
        if let Some(sockets) = self.threads.sockets.get() {
            sockets.answer_door();
        }
    }

    /// Whether a thread may announce its sleep now.
    pub(super) fn may_prepare(&self) -> bool {
        self.threads.owed.load(Ordering::SeqCst) == 0
    }

    /// A thread has announced its sleep. Returns whether it is the only one.
    pub(super) fn prepared(&self) -> bool {
        self.threads.prepared.fetch_add(1, Ordering::SeqCst) == 0
    }

    /// It is back. Returns whether no other has announced one.
    pub(super) fn finished(&self) -> bool {
        let before = self.threads.prepared.fetch_sub(1, Ordering::SeqCst);
        let owed = self.threads.owed.load(Ordering::SeqCst);
        let left = owed.saturating_sub(1);
        self.threads.owed.store(left, Ordering::SeqCst);
        self.hide_door();
        before == 1
    }

    /// After the mode has left `ASLEEP`: other threads must look and go to sleep again.
    pub(super) fn wake_others(&self) {
        if self.threads.prepared.load(Ordering::SeqCst) != 0 {
            self.inbox.map.wake();
        }
    }
}

impl crate::transport::Sleeper for Sleeper {
    fn sleep(&self, deadline: Option<Instant>) {
        let mode = &self.inbox.map.mode.0.mode;
        if self.threads.line_is_full.load(Ordering::Relaxed) {
            return self
                .line
                .iter()
                .for_each(|line| line.wait_for_room(ROOM_WAIT));
        }
        if self.threads.has_sockets.load(Ordering::SeqCst)
            && let Some(sockets) = self.threads.sockets.get()
        {
            // Whoever changes the mode knocks after that.
            if mode.load(Ordering::SeqCst) == ASLEEP {
                sockets.sleep(&self.inbox.map.door.0, deadline);
            }
            return;
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let nap = left.map_or(NAP_MAX, |left| left.min(NAP_MAX));
            let woken = futex::wait(mode, ASLEEP, Some(nap));
            // Hundreds of tasks may be here: a nap that ends costs them no more than it has to.
            let goes_on = woken == Woken::TimedOut && nap == NAP_MAX;
            if !goes_on || !self.line.as_ref().is_some_and(Line::is_quiet) {
                return;
            }
        }
    }

    fn wake(&self) {
        let prepared = self.threads.prepared.load(Ordering::SeqCst);
        if prepared != 0 {
            self.threads.owed.store(prepared, Ordering::SeqCst);
            let mode = &self.inbox.map.mode.0.mode;
            Word::replace(mode, ASLEEP, NOTIFIED, Ordering::SeqCst);
            self.inbox.map.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::transport::Sleeper as _;

    #[test]
    fn a_call_is_shown() {
        let (_fd, inbox) = Inbox::create().unwrap();
        assert_eq!(inbox.call(), None);
        let call = Call {
            operation: 3,
            context: 16,
            peer: 99,
            tag: -7,
            bytes: 1 << 40,
            since_ns: 5,
            turn: 6,
        };
        inbox.show_call(&call);
        assert_eq!(inbox.call(), Some(call));
        inbox.show_call(&Call::default());
        assert_eq!(inbox.call(), None);
    }

    #[test]
    fn the_control_bell_wakes_a_sleeper_even_if_a_dead_waker_was_at_it() {
        let (_fd, inbox) = Inbox::create().unwrap();
        for killed in [false, true] {
            doorbell::announce_sleep(&*inbox.map);
            let sleeper = Sleeper::new(inbox.clone(), None);
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| sleeper.sleep(None));
                if killed {
                    let mode = &inbox.map.mode.0.mode;
                    mode.store(NOTIFIED, Ordering::SeqCst);
                }
                inbox.ring_control();
                thread.join().unwrap();
            });
            assert!(!inbox.is_asleep());
        }
    }

    #[test]
    fn a_door_is_shown_while_there_are_sockets_and_until_the_last_sleeper_is_back() {
        let (_fd, inbox) = Inbox::create().unwrap();
        let sleeper = Sleeper::new(inbox.clone(), None);
        let is_shown = || inbox.map.door.0.name.load(Ordering::Relaxed) != 0;
        sleeper.sockets().unwrap();
        assert!(!is_shown(), "nobody sleeps there yet");
        for _ in 0..2 {
            sleeper.set_sockets(true);
            assert!(is_shown());
            sleeper.set_sockets(false);
            assert!(!is_shown(), "knocked at for ever");
        }
        sleeper.set_sockets(true);
        sleeper.prepared();
        sleeper.prepared();
        sleeper.set_sockets(false);
        assert!(is_shown() && !sleeper.may_prepare());
        sleeper.finished();
        assert!(is_shown(), "one sleeps there still");
        sleeper.finished();
        assert!(!is_shown() && sleeper.may_prepare());
    }

    #[test]
    fn a_sleeper_comes_back_when_the_last_socket_goes() {
        let (_fd, inbox) = Inbox::create().unwrap();
        let sleeper = Sleeper::new(inbox.clone(), None);
        sleeper.sockets().unwrap();
        sleeper.set_sockets(true);
        doorbell::announce_sleep(&*inbox.map);
        sleeper.prepared();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| sleeper.sleep(None));
            sleeper.set_sockets(false);
            thread.join().unwrap();
        });
        assert!(!inbox.is_asleep());
    }

    #[test]
    fn nobody_announces_a_sleep_while_a_wake_is_owed() {
        let (_fd, inbox) = Inbox::create().unwrap();
        let sleeper = Sleeper::new(inbox.clone(), None);
        sleeper.wake();
        assert!(sleeper.may_prepare(), "nobody slept");
        doorbell::announce_sleep(&*inbox.map);
        sleeper.prepared();
        sleeper.wake();
        assert!(!inbox.is_asleep() && !sleeper.may_prepare());
        sleeper.finished();
        assert!(sleeper.may_prepare());
    }
}
