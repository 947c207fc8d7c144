//! What goes out: output of the tasks, our own words, the verdict.

use super::{Live, Ready};
use crate::cli::connect::Trouble;
use crate::cli::plan::{OnFailure, Voice};
use crate::cli::run::job;
use crate::cli::run::outbox::Stream;
use crate::cli::run::sink::Wrote;
use crate::cli::run::verdict::{self, Ending, Facts, Push};
use crate::cli::run::waiting::Word;
use std::time::Instant;

impl Live<'_> {
    pub(super) fn tell(&mut self, line: &str) {
        if self.plan.voice != Voice::Quiet {
            self.assembler.say(&verdict::signed(line));
        }
    }

    pub(super) fn tell_verbose(&mut self, line: &str) {
        if self.plan.voice == Voice::Verbose {
            self.tell(line);
        }
    }

    pub(super) fn timers(&mut self, now: Instant) {
        self.assembler.tick(now);
        if self.has_to_give_up(now) && self.starting.is_none() {
            self.ending = Some(Ending::GaveUp);
        }
        let Some((_, waiting)) = &mut self.starting else {
            return;
        };
        match waiting.word(now, self.status.rewrites()) {
            Some(Word::Say(word)) if self.plan.voice != Voice::Quiet => self.status.show(&word),
            Some(Word::GiveUp(waited)) => {
                let line = format!(
                    "waited {} s for {}: the daemon (pid {}, {}) does not answer; see what it does with: pvm ps; end it with: pvm halt --force",
                    waited.as_secs(),
                    waiting.what(),
                    self.connection.welcome.daemon_pid,
                    self.connection.socket.display()
                );
                self.not_started = Some(Trouble::Other(line));
            }
            _ => {}
        }
    }

    pub(super) fn has_to_give_up(&self, now: Instant) -> bool {
        self.ending.is_none() && self.give_up.is_some_and(|deadline| deadline <= now)
    }

    /// Once the job has ended: the last output, then the last word.
    pub(super) fn judge(&mut self) {
        let (Some(ending), None) = (&self.ending, &self.verdict) else {
            return;
        };
        let verdict = verdict::judge(&self.facts(ending.clone()));
        self.assembler.finish();
        if self.plan.json {
            self.assembler.say(&verdict.json.to_string());
        } else {
            verdict.lines.iter().for_each(|line| self.tell(line));
        }
        if self.plan.told.exit_codes {
            self.job.ends().iter().for_each(|line| self.tell(line));
        }
        self.verdict = Some(verdict);
    }

    pub(super) fn facts(&self, ending: Ending) -> Facts {
        let cause = match &ending {
            Ending::Told(ended) => ended.first_cause.as_ref().map(|cause| cause.rank),
            _ => None,
        };
        Facts {
            ending,
            push: self.push,
            job: self.job.id.unwrap_or(0),
            size: self.plan.size(),
            continues: self.plan.on_failure == OnFailure::Continue,
            host: self.connection.welcome.host.clone(),
            daemon_pid: self.connection.welcome.daemon_pid,
            ran: self.started.elapsed(),
            timeout: self.plan.timeout,
            hang_timeout: self.plan.hang_timeout,
            waits: self.job.waits(),
            names: self.job.names.clone(),
            program: cause
                .map_or("".into(), |rank| job::program(&self.plan.apps, rank))
                .into_owned(),
            last_words: cause
                .and_then(|rank| self.tail.buried(rank))
                .unwrap_or_default(),
            failed: self.job.failed.clone(),
        }
    }

    pub(super) fn write(&mut self, ready: Ready) {
        for (at, stream) in [Stream::Out, Stream::Err, Stream::Out]
            .into_iter()
            .enumerate()
        {
            self.write_one(stream, ready.sinks[at % 2]);
        }
    }

    pub(super) fn write_one(&mut self, stream: Stream, mut ready: bool) {
        let sink = &mut self.sinks[stream as usize];
        loop {
            let bytes = self.assembler.outbox().front(stream);
            if bytes.is_empty() {
                return;
            }
            match sink.write(bytes, std::mem::take(&mut ready)) {
                Wrote::Bytes(count) => self.assembler.outbox().written(stream, count),
                Wrote::Full => return,
                Wrote::Gone => return self.reader_gone(stream),
                Wrote::Failed(error) => return self.write_failed(stream, error),
            }
        }
    }

    /// Nobody reads stdout: the job ends, quietly, as a pipeline does. Stderr is just dropped.
    pub(super) fn reader_gone(&mut self, stream: Stream) {
        self.assembler.outbox().discard(stream);
        if let (Stream::Out, Push::None, None, Some(job)) =
            (stream, self.push, &self.ending, self.job.id)
        {
            self.push = Push::ReaderGone;
            self.terminate(job, false, "nobody reads the output".to_owned());
        }
    }

    pub(super) fn write_failed(&mut self, stream: Stream, error: rustix::io::Errno) {
        let error = std::io::Error::from(error);
        if stream == Stream::Out {
            self.output_lost = true;
            self.tell(&format!(
                "cannot write to stdout: {error}; make room or write elsewhere, then run it again"
            ));
        }
        self.reader_gone(stream);
    }
}
