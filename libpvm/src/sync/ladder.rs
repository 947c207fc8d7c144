//! How a task waits: awake while that pays, then politely, then asleep.

use crate::settings;
use std::time::{Duration, Instant};

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitPolicy {
    /// Spin while it pays, then sleep.
    #[default]
    Adaptive,
    /// Never sleep.
    Spin,
    /// Sleep at once.
    Block,
}

impl WaitPolicy {
    /// As the environment says; what it does not know counts as adaptive.
    pub fn from_environment() -> Self {
        match std::env::var(settings::WAIT).as_deref() {
            Ok("spin") => Self::Spin,
            Ok("block") => Self::Block,
            _ => Self::Adaptive,
        }
    }
}

/// What to do after a poll that found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Poll again, after [`std::hint::spin_loop`].
    Again,
    /// Give the processor away, then poll again.
    Yield,
    /// Sleep.
    Sleep,
}

/// Polls between two looks at the clock.
const POLLS: u32 = 32;
/// Times that the processor is offered to others before sleeping.
const YIELDS: u32 = 4;

/// One wait.
pub struct Ladder {
    policy: WaitPolicy,
    spin: Duration,
    began: Option<Instant>,
    polls: u32,
    yields: u32,
}

impl Ladder {
    /// A wait that stays awake for `spin` at first.
    pub fn new(policy: WaitPolicy, spin: Duration) -> Self {
        Self {
            policy,
            spin,
            began: None,
            polls: 0,
            yields: 0,
        }
    }

    /// Whether it begins with polls in a row.
    #[inline]
    pub fn spins(&self) -> bool {
        self.policy != WaitPolicy::Block && !self.spin.is_zero()
    }

    /// What to do after one more poll that found nothing.
    #[inline]
    pub fn climb(&mut self) -> Step {
        self.climb_by(1)
    }

    /// As [`Ladder::climb`], after so many of them.
    #[inline]
    pub fn climb_by(&mut self, polls: u32) -> Step {
        self.polls += polls;
        if self.policy == WaitPolicy::Block {
            return Step::Sleep;
        }
        if !self.spin.is_zero() && self.polls < POLLS {
            return Step::Again;
        }
        self.polls = 0;
        self.look_at_the_clock()
    }

    #[cold]
    fn look_at_the_clock(&mut self) -> Step {
        let began = *self.began.get_or_insert_with(Instant::now);
        if !self.spin.is_zero() && began.elapsed() < self.spin {
            return Step::Again;
        }
        if self.policy == WaitPolicy::Adaptive && self.yields == YIELDS {
            return Step::Sleep;
        }
        self.yields = (self.yields + 1).min(YIELDS);
        Step::Yield
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn steps(policy: WaitPolicy, spin: Duration) -> Option<usize> {
        let mut ladder = Ladder::new(policy, spin);
        (0..1_000_000).position(|_| ladder.climb() == Step::Sleep)
    }

    #[test]
    fn each_policy_climbs_its_own_way() {
        assert_eq!(steps(WaitPolicy::Block, Duration::from_micros(20)), Some(0));
        assert_eq!(
            steps(WaitPolicy::Adaptive, Duration::ZERO),
            Some(YIELDS as usize)
        );
        let spun = steps(WaitPolicy::Adaptive, Duration::from_micros(20)).unwrap();
        assert!(spun >= 2 * POLLS as usize);
        assert_eq!(steps(WaitPolicy::Spin, Duration::from_micros(1)), None);
        let spins = |policy, spin| Ladder::new(policy, spin).spins();
        assert!(spins(WaitPolicy::Adaptive, Duration::from_micros(20)));
        assert!(!spins(WaitPolicy::Adaptive, Duration::ZERO));
        assert!(!spins(WaitPolicy::Block, Duration::from_micros(20)));
    }
}
