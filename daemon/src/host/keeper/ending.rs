//! Ending every descendant: SIGTERM, grace, SIGKILL until none is left.

use crate::host::cgroup::JobGroup;
use crate::host::descendants;
use rustix::process::{Signal, getpid};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// First pause between two rounds, of either signal, for what was forking meanwhile; it doubles.
const ROUND: Duration = Duration::from_millis(2);
/// Longest pause: something takes its time, or hangs in the kernel.
const ROUND_MAX: Duration = Duration::from_millis(200);

/// An ending under way.
pub struct Ending {
    kill_at: Instant,
    next_round: Instant,
    pause: Duration,
    is_killing: bool,
    /// Those that have been asked to end.
    asked: HashSet<i32>,
}

impl Ending {
    /// Asks every descendant to end; without grace they are killed in the first step.
    pub fn begin(grace: Duration) -> Self {
        let now = Instant::now();
        let mut ending = Ending {
            kill_at: now + grace,
            next_round: now,
            pause: ROUND,
            is_killing: false,
            asked: HashSet::new(),
        };
        if !grace.is_zero() {
            ending.ask();
        }
        ending
    }

    /// Shortens the grace.
    pub fn hurry(&mut self, grace: Duration) {
        let kill_at = Instant::now() + grace;
        if kill_at < self.kill_at {
            self.kill_at = kill_at;
        }
    }

    /// When [`Ending::go_on`] has something to do.
    pub fn next_step(&self) -> Instant {
        self.next_round.min(self.kill_at)
    }

    /// Asks those that have been left behind meanwhile; kills what is left once the grace is over.
    pub fn go_on(&mut self, group: Option<&JobGroup>) {
        let now = Instant::now();
        if now < self.next_step() {
            return;
        }
        if now < self.kill_at {
            self.ask();
        } else {
            if !std::mem::replace(&mut self.is_killing, true) {
                self.pause = ROUND;
            }
            group.into_iter().for_each(JobGroup::kill);
            let all = descendants::of(getpid(), &HashSet::new());
            descendants::signal(&all, Signal::KILL);
            self.kill_at = now + self.pause;
        }
        self.next_round = now + self.pause;
        self.pause = (self.pause * 2).min(ROUND_MAX);
    }

    /// Sends SIGTERM once to each. What a process starts after it was asked, to clean up, is its
    /// own affair as long as it lives: only orphans are asked in later rounds.
    fn ask(&mut self) {
        let new = descendants::of(getpid(), &self.asked);
        descendants::signal(&new, Signal::TERM);
        // A stopped process sees SIGTERM only when it goes on.
        descendants::signal(&new, Signal::CONT);
        self.asked
            .extend(new.iter().map(|pid| pid.as_raw_nonzero().get()));
    }
}
