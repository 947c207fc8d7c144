//! The engine behind its gate, and waiting.
//!
//! # The wait ladder
//! A waiting thread polls for as long as a sleep and wake-up would cost, then gives its processor
//! away a few times, then sleeps until a peer or the daemon rings. When the host has more awake
//! tasks than processors the first rung is skipped: a spinning task would only keep the one that
//! it waits for from running. The transport knows the host and makes the [`Ladder`].
//!
//! # Several threads
//! All threads sleep on the task's one bell; a ring wakes all of them. A thread that completes
//! requests while others sleep rings the bell itself: the completed request may be theirs. It sees
//! the sleepers, because both counting them and completing happen inside the gate.

use super::Engine;
use crate::sync::{Gate, GateError, Ladder, Level, Step};
use crate::transport::{Sleep, Sleeper};
use std::time::Instant;

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
}

impl<T: Sleep> Inside<T> {
    /// Rings for the other threads if requests have ended since `before`.
    fn ring_if_news(&mut self, before: u64, sleeper: &T::Sleeper) {
        if self.sleeping > 0 && self.engine.completions() != before {
            sleeper.wake();
        }
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
    #[inline]
    pub fn with<R>(&self, action: impl FnOnce(&mut Engine<T>) -> R) -> Result<R, GateError> {
        let mut inside = self.gate.enter()?;
        let before = inside.engine.completions();
        let result = action(&mut inside.engine);
        inside.ring_if_news(before, &self.sleeper);
        Ok(result)
    }

    /// Progresses until `ready` gives a result, at the latest until `deadline`.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`], or when this thread may not enter.
    #[inline]
    pub fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut Engine<T>) -> Option<R>,
    ) -> Result<R, WaitError> {
        let mut ladder: Option<Ladder> = None;
        let mut inside = self.gate.enter()?;
        loop {
            let before = inside.engine.completions();
            let found = ready(&mut inside.engine);
            let moved = found.is_none() && inside.engine.progress();
            inside.ring_if_news(before, &self.sleeper);
            if let Some(result) = found {
                return Ok(result);
            }
            if moved {
                ladder = None;
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
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(WaitError::TimedOut);
            }
            let sleeps = step == Step::Sleep && inside.engine.transport().prepare_sleep();
            inside.sleeping += usize::from(sleeps);
            drop(inside);
            if sleeps {
                self.sleeper.sleep(deadline);
            } else {
                std::thread::yield_now();
            }
            inside = self.gate.enter()?;
            if sleeps {
                inside.sleeping -= 1;
                inside.engine.transport().finish_sleep();
                // The ladder stays where it is: who was woken for nothing goes straight back to
                // sleep.
            }
        }
    }
}
