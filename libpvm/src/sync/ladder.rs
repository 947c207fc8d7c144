//! How a task waits: awake while that pays, then politely, then asleep.
//!
//! Where others use the processors too, programs that have nothing to do with this virtual machine among
//! them, politeness does not pay: who gives the processor away gets it back when the others have used up
//! their time, and the scheduler may count the rest of its own as used. Who sleeps and is woken has it
//! sooner. So a thread that gets the processor back late sleeps at once, in this wait and the next ones.

use crate::settings;
use std::cell::Cell;
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
    /// Give the processor away ([`give_way`]), then poll again.
    Yield,
    /// Sleep.
    Sleep,
}

/// Polls between two looks at the clock.
const POLLS: u32 = 32;
/// Times that the processor is offered to others before sleeping.
const YIELDS: u32 = 4;
/// What comes back after this has been somebody's who does not wait: peers that do give it away sooner.
const LATE: Duration = Duration::from_millis(1);
/// Waits after which the processor is offered again.
const RESTS: u32 = 256;

thread_local! {
    /// Waits of this thread in which it still sleeps at once.
    static RESTS_LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Gives the processor away ([`Step::Yield`]), and notes when it comes back late.
pub fn give_way() {
    note_return(Instant::now, std::thread::yield_now);
}

fn note_return(clock: impl Fn() -> Instant, give: impl FnOnce()) {
    let given = clock();
    give();
    if clock() - given >= LATE {
        RESTS_LEFT.set(RESTS);
    }
}

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
        let rests = RESTS_LEFT.get();
        let policy = match policy {
            WaitPolicy::Adaptive if rests > 0 => {
                RESTS_LEFT.set(rests - 1);
                WaitPolicy::Block
            }
            policy => policy,
        };
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
        let is_in_vain = self.yields == YIELDS || RESTS_LEFT.get() > 0;
        if self.policy == WaitPolicy::Adaptive && is_in_vain {
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

    #[test]
    fn who_gets_the_processor_back_late_sleeps_at_once_for_a_while() {
        let time = Cell::new(Instant::now());
        let given_for = |time_away| note_return(|| time.get(), || time.set(time.get() + time_away));
        let adaptive = || Ladder::new(WaitPolicy::Adaptive, Duration::ZERO);
        let mut ladder = adaptive();
        assert_eq!(ladder.climb(), Step::Yield);
        given_for(LATE / 2);
        assert_eq!(ladder.climb(), Step::Yield);
        given_for(LATE);
        assert_eq!(ladder.climb(), Step::Sleep);
        for _ in 0..RESTS {
            assert_eq!(adaptive().climb(), Step::Sleep);
        }
        assert_eq!(adaptive().climb(), Step::Yield);
        given_for(LATE);
        let mut spinning = Ladder::new(WaitPolicy::Spin, Duration::ZERO);
        assert_eq!(spinning.climb(), Step::Yield, "it never sleeps");
    }
}
