//! What comes in: answers and events of the daemon, bytes from our stdin.

use super::{Live, Ready};
use crate::cli::connect;
use crate::cli::plan::Output;
use crate::cli::run::hang::Watch;
use crate::cli::run::outbox::Stream;
use crate::cli::run::prefix::People;
use crate::cli::run::signals::{Meaning, meaning};
use crate::cli::run::verdict::{Ending, Push};
use crate::cli::signal;
use crate::ui::text;
use pvm::ids::JobId;
use pvm::wire::control::{self, from_daemon, to_daemon};
use std::time::Instant;

/// While this much waits to be written, nothing more is read from the daemon.
const BACKLOG: usize = 4 << 20;
/// Bytes read from the daemon before anything else is looked at.
const READ_AT_ONCE: usize = 256 << 10;

impl Live<'_> {
    pub(super) fn reading(&mut self) -> bool {
        self.ending.is_none() && self.assembler.outbox().waiting() < BACKLOG
    }

    pub(super) fn read_daemon(&mut self) {
        if !self.reading() {
            return;
        }
        // What was read before an error is still there; a link with an error is lost.
        if let Err(error) = self.connection.link.read_some(READ_AT_ONCE)
            && self.starting.is_some()
        {
            self.not_started = Some(error.into());
        }
    }

    pub(super) fn lost(&self) -> bool {
        self.connection.link.is_lost()
            && !self.connection.link.has_event()
            && self.starting.is_none()
    }

    pub(super) fn take_answer(&mut self) {
        let Some((ticket, _)) = &self.starting else {
            return;
        };
        let Some(answer) = self.connection.link.take(*ticket) else {
            return;
        };
        self.starting = None;
        self.status.clear();
        match answer.map(|answer| answer.body) {
            Ok(from_daemon::Body::JobStarted(started)) => self.job_started(&started),
            Ok(_) => self.not_started = Some(connect::nonsense()),
            Err(error) => self.not_started = Some(error.into()),
        }
    }

    pub(super) fn job_started(&mut self, started: &control::JobStarted) {
        self.job.started(started);
        self.started = Instant::now();
        let watch = self.plan.hang_timeout;
        self.watch = watch.map(|limit| Watch::new(limit, self.started));
        self.tell_verbose(&format!(
            "job {} on {} (daemon pid {}): {} started",
            JobId(started.job),
            self.connection.welcome.host,
            self.connection.welcome.daemon_pid,
            text::count(started.tasks.len(), "task")
        ));
        let people = People::of_job(started);
        if self.plan.told.map {
            people.map().iter().for_each(|line| self.tell(line));
        }
        self.assembler.prefixes().meet(people);
        if let Push::Signal(signal) = self.push {
            self.announce_end(signal, false);
            self.terminate(started.job, false, signal::name(signal));
        }
        for signal in std::mem::take(&mut self.held) {
            match meaning(signal) {
                Some(Meaning::Stop) => self.stop(signal),
                _ => self.forward(signal),
            }
        }
    }

    pub(super) fn take_events(&mut self) {
        while let Some(event) = self.connection.link.next_event() {
            match event.body {
                from_daemon::Body::Output(output) => self.output(&output),
                from_daemon::Body::StdinDemand(_) => self.feed.demand(),
                from_daemon::Body::TaskEnded(task) => {
                    if self.plan.told.exit_codes {
                        self.job.note_end(&task);
                    }
                    let line = self.job.task_ended(task);
                    self.tell_verbose(&line);
                }
                from_daemon::Body::JobEnded(ended) => self.ending = Some(Ending::Told(ended)),
                from_daemon::Body::JobNews(news) => self.news(&news.text),
                // Events for tasks, or from a newer daemon.
                _ => {}
            }
        }
    }

    /// News of a job that is being started are what it waits for; later ones are just told.
    pub(super) fn news(&mut self, words: &str) {
        let words = text::harmless(words.as_bytes());
        match &mut self.starting {
            Some((_, waiting)) => waiting.progress(Instant::now(), words),
            None => self.tell(&words),
        }
    }

    pub(super) fn output(&mut self, output: &control::Output) {
        let stream = match output.stream() {
            control::Stream::Stdout => Stream::Out,
            control::Stream::Stderr => Stream::Err,
        };
        if output.rank != 0 && self.plan.output != Output::Raw {
            self.assembler.keep_lines(); // a single task that has spawned others
        }
        if stream == Stream::Err {
            self.tail.feed(output.rank, &output.data);
        } else if self.one_file {
            self.tail.passed(output.rank, &output.data);
        }
        let outlet = if self.plan.merge { Stream::Out } else { stream };
        let people = self.assembler.prefixes().people();
        let written = self
            .files
            .write(&people.subject(output.rank), outlet, &output.data);
        if let Err((name, error)) = written {
            self.output_lost = true;
            let name = name.to_string_lossy();
            self.tell(&format!(
                "cannot write to {name}: {error}; name another file"
            ));
        }
        if self.files.swallow(outlet) {
            return;
        }
        self.assembler.feed(
            Instant::now(),
            output.rank,
            stream,
            &output.data,
            output.eof,
        );
    }

    pub(super) fn feed_stdin(&mut self, ready: Ready) {
        let (true, Some(job)) = (ready.stdin && self.feed.wants(), self.job.id) else {
            return;
        };
        if let Some((data, eof)) = self.feed.read() {
            self.say_to_daemon(to_daemon::Body::Stdin(control::StdinData {
                job,
                data: data.into(),
                eof,
            }));
        }
    }
}
