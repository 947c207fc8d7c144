//! Ending every descendant: SIGTERM, grace, SIGKILL until none is left.

use crate::host::cgroup::JobGroup;
use crate::host::descendants;
use rustix::process::{Signal, getpid};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// First pause between two rounds of SIGKILL, for what was forking meanwhile; it doubles.
const ROUND: Duration = Duration::from_millis(2);
/// Longest pause: something hangs in the kernel.
const ROUND_MAX: Duration = Duration::from_millis(200);

/// An ending under way.
pub struct Ending {
    kill_at: Instant,
    pause: Duration,
}

impl Ending {
    /// Asks every descendant to end; without grace they are killed in the first step.
    pub fn begin(grace: Duration) -> Self {
        let ending = Ending {
            kill_at: Instant::now() + grace,
            pause: ROUND,
        };
        if !grace.is_zero() {
            let all = descendants::of(getpid(), &HashSet::new());
            descendants::signal(&all, Signal::TERM);
            // A stopped process sees SIGTERM only when it goes on.
            descendants::signal(&all, Signal::CONT);
        }
        ending
    }

    /// Shortens the grace.
    pub fn hurry(&mut self, grace: Duration) {
        self.kill_at = self.kill_at.min(Instant::now() + grace);
    }

    /// When [`Ending::go_on`] has something to do.
    pub fn next_step(&self) -> Instant {
        self.kill_at
    }

    /// Kills what is left once the grace is over.
    pub fn go_on(&mut self, group: Option<&JobGroup>) {
        let now = Instant::now();
        if now < self.kill_at {
            return;
        }
        group.into_iter().for_each(JobGroup::kill);
        descendants::signal(&descendants::of(getpid(), &HashSet::new()), Signal::KILL);
        self.kill_at = now + self.pause;
        self.pause = (self.pause * 2).min(ROUND_MAX);
    }
}
