//! Waiting for a word of shared memory, across processes.

use super::shared::AtomicU32;
use rustix::io::Errno;
use rustix::thread::futex::{Flags, Timespec, wait as futex_wait, wake as futex_wake};
use std::time::Duration;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Somebody woke it, the word had another value, or nothing at all: look again.
    Maybe,
    /// Time is up.
    TimedOut,
}

/// Sleeps while `word` holds `expected`, until woken or, if given, for `timeout`.
///
/// Wakes for no reason are possible.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Woken {
    let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
    match futex_wait(word, Flags::empty(), expected, timeout.as_ref()) {
        Err(Errno::TIMEDOUT) => Woken::TimedOut,
        _ => Woken::Maybe,
    }
}

/// Wakes everybody who waits for `word`. Returns how many there were.
pub fn wake_all(word: &AtomicU32) -> usize {
    futex_wake(word, Flags::empty(), i32::MAX as u32).unwrap_or(0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let word = AtomicU32::new(1);
        let start = Instant::now();
        while wait(&word, 1, Some(Duration::from_millis(5))) != Woken::TimedOut {}
        assert!(start.elapsed() >= Duration::from_millis(4));
    }

    #[test]
    fn a_wait_for_another_value_returns_at_once() {
        assert_eq!(wait(&AtomicU32::new(2), 1, None), Woken::Maybe);
    }

    #[test]
    fn a_sleeper_is_woken() {
        use crate::sync::atomic::Ordering;
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 0 {
                    wait(&word, 0, None);
                }
            });
            word.store(1, Ordering::Release);
            wake_all(&word);
        });
    }
}
