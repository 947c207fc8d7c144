//! A task's inbox: the page by which others wake it, and see what it waits for.

use super::doorbell::{self, ASLEEP, Board, NOTIFIED};
use super::layout;
use super::segment::{MapError, Mapping, create};
use crate::sync::atomic::{AtomicU32, Ordering, fence};
use crate::sync::shared::Word;
use crate::sync::{futex, shared};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest sleep: once in this time a task looks whether its daemon is still there.
const NAP_MAX: Duration = Duration::from_secs(1);

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

/// A blocking call, as a task shows it to those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call {
    /// What it does, by a number of the upper layers; 0: nothing.
    pub operation: u32,
    /// Context of the message.
    pub context: u32,
    /// Bits of the task that it waits for; 0: any.
    pub peer: u64,
    /// Tag of the message.
    pub tag: i32,
    /// Size of the message.
    pub bytes: u64,
    /// When it began, in nanoseconds of the monotonic clock.
    pub since_ns: u64,
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
        slot.sequence.store(sequence + 1, Ordering::Release);
    }
}

/// Sleeps on the task's own inbox; usable while others hold the transport.
#[derive(Clone)]
pub struct Sleeper {
    inbox: InboxBell,
    /// Threads of this task that sleep or are about to.
    sleeping: Arc<AtomicU32>,
}

impl Sleeper {
    pub(super) fn new(inbox: InboxBell) -> Self {
        let sleeping = Arc::new(AtomicU32::new(0));
        Self { inbox, sleeping }
    }

    /// Sleeps, after the transport's `prepare_sleep` said yes, until something may have arrived or
    /// the deadline has come; a second at most. It may also return for no reason.
    pub fn sleep(&self, deadline: Option<Instant>) {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let nap = left.map_or(NAP_MAX, |left| left.min(NAP_MAX));
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        futex::wait(&self.inbox.map.mode.0.mode, ASLEEP, Some(nap));
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }

    /// Makes all threads of this task that sleep look again: what they wait for may be done. Costs
    /// little when there are none.
    pub fn wake(&self) {
        let mode = &self.inbox.map.mode.0.mode;
        Word::replace(mode, ASLEEP, NOTIFIED, Ordering::SeqCst);
        self.wake_others();
    }

    /// After the mode has left `ASLEEP`: other threads must look and go to sleep again.
    pub(super) fn wake_others(&self) {
        if self.sleeping.load(Ordering::SeqCst) != 0 {
            self.inbox.map.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
            let sleeper = Sleeper::new(inbox.clone());
            std::thread::scope(|scope| {
                let start = Instant::now();
                let thread = scope.spawn(|| sleeper.sleep(None));
                while sleeper.sleeping.load(Ordering::SeqCst) == 0 && !thread.is_finished() {
                    std::thread::yield_now();
                }
                if killed {
                    let mode = &inbox.map.mode.0.mode;
                    mode.store(doorbell::NOTIFIED, Ordering::SeqCst);
                }
                inbox.ring_control();
                thread.join().unwrap();
                assert!(killed || start.elapsed() < NAP_MAX);
            });
            assert!(!inbox.is_asleep());
        }
    }
}
