//! Signals: ending, stopping and poking the job.

use super::{Live, Outcome};
use crate::cli::exit::Exit;
use crate::cli::run::signals::{Meaning, meaning};
use crate::cli::run::verdict::{Ending, Push};
use crate::cli::signal;
use crate::ui::text;
use pvm::session::LinkError;
use pvm::wire::control::{self, to_daemon};
use rustix::process::{getpid, kill_process};
use std::time::{Duration, Instant};

/// Longest wait for the end of a job that was asked to end: the daemon's own grace is shorter.
const PATIENCE_GENTLE: Duration = Duration::from_secs(30);
/// The same after the second ^C.
const PATIENCE_FORCED: Duration = Duration::from_secs(5);
/// Longest wait for a job that is being started, once it is to be ended.
const PATIENCE_STARTING: Duration = Duration::from_secs(1);

impl Live<'_> {
    pub(super) fn take_signals(&mut self) -> Option<Outcome> {
        for signal in self.signals.pending() {
            match meaning(signal) {
                Some(Meaning::End) => {
                    if let Some(outcome) = self.end(signal) {
                        return Some(outcome);
                    }
                }
                // The tasks are to get it: they have to be there first.
                Some(_) if self.starting.is_some() => self.held.push(signal),
                Some(Meaning::Stop) => self.stop(signal),
                Some(Meaning::Forward) => self.forward(signal),
                None => {}
            }
        }
        None
    }

    pub(super) fn end(&mut self, signal: i32) -> Option<Outcome> {
        if self.ending.is_some() {
            // Only output that somebody does not read is left.
            let exit = self
                .verdict
                .as_ref()
                .map_or(Exit::Signal(signal), |verdict| verdict.exit);
            return Some(Outcome::Abandoned(exit));
        }
        let Some(job) = self.job.id else {
            return self.end_start(signal);
        };
        let force = matches!(self.push, Push::Signal(_));
        if !(force && self.forced) {
            self.announce_end(signal, force);
        }
        self.forced |= force;
        if !force {
            self.push = Push::Signal(signal);
        }
        self.terminate(job, force, signal::name(signal));
        None
    }

    /// A signal while the job is being started: it has a moment to come up and be ended in good
    /// order; else our going ends it.
    pub(super) fn end_start(&mut self, signal: i32) -> Option<Outcome> {
        if let Push::Signal(first) = self.push {
            self.status.clear();
            return Some(Outcome::Interrupted(first));
        }
        self.push = Push::Signal(signal);
        self.give_up = Some(Instant::now() + PATIENCE_STARTING);
        None
    }

    pub(super) fn announce_end(&mut self, signal: i32, force: bool) {
        let left = self.plan.size() - self.job.ended.min(self.plan.size());
        let tasks = text::count(left as usize, "task");
        self.tell(&match (force, signal) {
            (true, _) => format!("killing {tasks} now"),
            (false, libc::SIGINT) => {
                format!("interrupted, ending {tasks}; press ^C again to kill them now")
            }
            (false, _) => {
                let name = signal::name(signal);
                format!("got {name}, ending {tasks}; a second one kills them now")
            }
        });
    }

    pub(super) fn terminate(&mut self, job: u64, force: bool, reason: String) {
        let patience = if force {
            PATIENCE_FORCED
        } else {
            PATIENCE_GENTLE
        };
        self.give_up = Some(Instant::now() + patience);
        self.say_to_daemon(to_daemon::Body::Terminate(control::Terminate {
            job,
            force,
            reason,
        }));
    }

    pub(super) fn forward(&mut self, signal: i32) {
        if let (Some(job), None) = (self.job.id, &self.ending) {
            self.say_to_daemon(to_daemon::Body::Kill(control::Kill {
                task: 0,
                job,
                signal,
                ..control::Kill::default()
            }));
        }
    }

    /// ^Z: the tasks first, then ourselves; SIGCONT wakes both.
    pub(super) fn stop(&mut self, signal: i32) {
        self.forward(signal);
        // It cannot fail: the process is ourselves.
        let _ = kill_process(getpid(), rustix::process::Signal::STOP);
    }

    pub(super) fn say_to_daemon(&mut self, body: to_daemon::Body) {
        // A daemon that cannot be told is lost; reading finds that out.
        if let Err(LinkError::TimedOut { .. }) = self.connection.link.tell(body) {
            self.ending = Some(Ending::GaveUp);
        }
    }
}
