//! Looking whether the job hangs.

use super::Live;
use crate::cli::run::hang::Watch;
use crate::cli::run::verdict::Push;
use crate::ui::text;
use pvm::wire::control::{ListTasks, from_daemon, to_daemon};
use std::time::Instant;

impl Live<'_> {
    /// Once the job runs: asks for its tasks when it is time, and ends it when they all hang.
    pub(super) fn watch_for_hang(&mut self, now: Instant) {
        self.take_listing(now);
        if self.next_look().is_none_or(|at| now < at) {
            return;
        }
        let list = ListTasks {
            job: self.job.id.unwrap_or_default(),
            ..ListTasks::default()
        };
        // A daemon that cannot be asked is lost; reading finds that out.
        let asked = self
            .connection
            .link
            .start(to_daemon::Body::ListTasks(list), &[]);
        self.listing = asked.ok();
    }

    /// When tasks are to be asked for; `None`: they are not, or they have been.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let is_idle = self.listing.is_none() && self.ending.is_none() && self.push == Push::None;
        self.watch
            .as_ref()
            .filter(|_| is_idle)
            .map(Watch::next_look)
    }

    fn take_listing(&mut self, now: Instant) {
        let answer = self
            .listing
            .and_then(|ticket| self.connection.link.take(ticket));
        let Some(answer) = answer else { return };
        self.listing = None;
        let tasks = match answer.map(|answer| answer.body) {
            Ok(from_daemon::Body::TaskList(list)) => list.tasks,
            // Nothing is known of the tasks.
            _ => Vec::new(),
        };
        let watch = self.watch.as_mut();
        let hangs = watch.is_some_and(|watch| watch.look(now, &self.job.open, &tasks));
        if hangs && self.push == Push::None {
            self.end_hung(tasks.len());
        }
    }

    fn end_hung(&mut self, tasks: usize) {
        let Some(job) = self.job.id else { return };
        let tasks = text::count(tasks, "task");
        self.tell(&format!("the job hangs, ending {tasks}"));
        self.push = Push::Hang;
        self.terminate(job, false, "it hangs".to_owned());
    }
}
