//! One line in the log about those who send nonsense, at a bounded rate.

use super::error::shown;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Nonsense(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u32,
}

impl Nonsense {
    /// Notes somebody who has been turned away.
    pub(super) fn note(&self, address: SocketAddr, what: &dyn Display) {
        if let Some(suppressed) = self.count(Instant::now()) {
            // The reason can be the stranger's own words.
            let what = shown(what.to_string().as_bytes());
            tracing::warn!("turned {address} away: {what} ({suppressed} more before)");
        }
    }

    /// How many lines were left out before this one; `None`: this one is too.
    fn count(&self, now: Instant) -> Option<u32> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|at| now < at + PAUSE) {
            state.suppressed = state.suppressed.saturating_add(1);
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_left_out() {
        let (nonsense, now) = (Nonsense::default(), Instant::now());
        assert_eq!(nonsense.count(now), Some(0));
        assert_eq!(nonsense.count(now), None);
        assert_eq!(nonsense.count(now + PAUSE / 2), None);
        assert_eq!(nonsense.count(now + PAUSE), Some(2));
        assert_eq!(nonsense.count(now + 2 * PAUSE), Some(0));
    }
}
