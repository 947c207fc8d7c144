//! Telling a task that something has arrived, without a lost wake-up.
//!
//! A task's *mode* says what it is doing; only the task itself changes it, except that a waker turns
//! `ASLEEP` into `NOTIFIED`. Bells are bits, one for each channel.
//!
//! Generic over where the words lie, so that loom can check this very code. The argument is in the
//! page of `transport::shm`.

use crate::sync::atomic::{Ordering, fence};
use crate::sync::shared::Word;

/// The task is awake and polls each of its rings: no bell needed.
pub const AWAKE: u32 = 0;
/// The task sleeps, or is about to: ring its bell and wake it.
pub const ASLEEP: u32 = 1;
/// Somebody is waking the task: ring its bell.
pub const NOTIFIED: u32 = 2;
/// The task is awake and has too many rings to poll them all: ring its bell.
pub const AWAKE_BY_BELL: u32 = 3;

/// Where the words of one inbox lie.
pub trait Board {
    /// Type of the mode word.
    type Half: Word<u32>;
    /// Type of the bell words.
    type Full: Word<u64>;

    /// What the task is doing.
    fn mode(&self) -> &Self::Half;
    /// Not 0: the daemon has written to the task's socket.
    fn control(&self) -> &Self::Half;
    /// Which bell words have bits.
    fn summary(&self) -> &Self::Full;
    /// The bells `64 * index` and on.
    fn bells(&self, index: usize) -> &Self::Full;
    /// Wakes whoever sleeps on the mode word.
    fn wake(&self);
}

/// Tells the task that something was published for it. Costs a fence and a load when it is awake.
#[inline]
pub fn ring(board: &impl Board, bell: u32) {
    fence(Ordering::SeqCst);
    if board.mode().load(Ordering::Relaxed) != AWAKE {
        ring_bell(board, bell);
    }
}

#[cold]
fn ring_bell(board: &impl Board, bell: u32) {
    let (word, bit) = ((bell / 64) as usize, bell % 64);
    board.bells(word).fetch_or(1 << bit, Ordering::AcqRel);
    board.summary().fetch_or(1 << word, Ordering::AcqRel);
    fence(Ordering::SeqCst);
    let mode = board.mode();
    if mode.load(Ordering::Relaxed) == ASLEEP && mode.replace(ASLEEP, NOTIFIED, Ordering::AcqRel) {
        board.wake();
    }
}

/// Tells the task that its daemon has written to its socket. Wakes it even if another waker says
/// that it is doing so: that one may have been killed.
pub fn ring_control(board: &impl Board) {
    board.control().store(1, Ordering::Release);
    fence(Ordering::SeqCst);
    let mode = board.mode();
    if matches!(mode.load(Ordering::Relaxed), ASLEEP | NOTIFIED) {
        mode.replace(ASLEEP, NOTIFIED, Ordering::AcqRel);
        board.wake();
    }
}

/// Says that the task is going to sleep. It looks at everything once more after this.
pub fn announce_sleep(board: &impl Board) {
    board.mode().store(ASLEEP, Ordering::Relaxed);
    fence(Ordering::SeqCst);
}

/// Says that the task is awake, in one of the two ways.
pub fn announce_awake(board: &impl Board, mode: u32) {
    board.mode().store(mode, Ordering::Release);
    fence(Ordering::SeqCst);
}

/// Whether a bell has been rung.
pub fn is_rung(board: &impl Board) -> bool {
    board.summary().load(Ordering::Acquire) != 0
}

/// Takes all bells that have been rung.
pub fn answer(board: &impl Board, mut each: impl FnMut(u32)) {
    let mut words = board.summary().swap(0, Ordering::AcqRel);
    while words != 0 {
        let word = words.trailing_zeros();
        words &= words - 1;
        let mut bits = board.bells(word as usize).swap(0, Ordering::AcqRel);
        while bits != 0 {
            each(word * 64 + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }
}
