//! The loop of `pvm run`: the daemon, our signals, our terminal and the clock, in one poll.

use super::assembler::{Assembler, Mode};
use super::feed::Feed;
use super::job::{self, Job};
use super::outbox::{Outbox, Stream};
use super::signals::{Meaning, Signals, meaning};
use super::sink::{self, Sink, Wrote};
use super::tail::Tail;
use super::verdict::{self, Ending, Facts, Push, Verdict};
use super::waiting::{Waiting, Word};
use crate::cli::connect::{self, Connection, Status, Trouble};
use crate::cli::exit::Exit;
use crate::cli::high::{OnFailure, Output, Plan, Voice};
use crate::cli::signal;
use crate::ui::text;
use pvm::ids::JobId;
use pvm::session::{LinkError, Ticket};
use pvm::wire::control::{self, from_daemon, to_daemon};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{getpid, kill_process};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// While this much waits to be written, nothing more is read from the daemon.
const BACKLOG: usize = 4 << 20;
/// Longest wait for the end of a job that was asked to end: the daemon's own grace is shorter.
const PATIENCE_GENTLE: Duration = Duration::from_secs(30);
/// The same after the second ^C.
const PATIENCE_FORCED: Duration = Duration::from_secs(5);
/// Longest wait for a job that is being started, once it is to be ended.
const PATIENCE_STARTING: Duration = Duration::from_secs(1);

/// Bytes read from the daemon before anything else is looked at.
const READ_AT_ONCE: usize = 256 << 10;

/// How the loop ended.
pub enum Outcome {
    /// With a job that ran.
    Judged(Verdict),
    /// The daemon would not start it.
    NotStarted(Trouble),
    /// A signal came before it had started.
    Interrupted(i32),
    /// The second signal came while output was being written.
    Abandoned(Exit),
    /// The daemon is going; another attempt finds another.
    Leaving(Connection),
}

/// The launcher while its job runs.
pub struct Live<'a> {
    plan: &'a Plan,
    connection: Connection,
    signals: Signals,
    assembler: Assembler,
    sinks: [Sink; 2],
    tail: Tail,
    one_file: bool,
    status: Status,
    job: Job,
    feed: Feed,
    started: Instant,
    /// The request, until it is answered.
    starting: Option<(Ticket, Waiting)>,
    /// Signals for the tasks that came while they were being started.
    held: Vec<i32>,
    push: Push,
    forced: bool,
    give_up: Option<Instant>,
    ending: Option<Ending>,
    verdict: Option<Verdict>,
    not_started: Option<Trouble>,
}

/// What a poll found ready.
#[derive(Debug, Default, Clone, Copy)]
struct Ready {
    stdin: bool,
    sinks: [bool; 2],
}

impl<'a> Live<'a> {
    /// For a job that `ticket` has asked for.
    pub fn new(plan: &'a Plan, connection: Connection, ticket: Ticket, signals: Signals) -> Self {
        let sinks = [Sink::open(Stream::Out), Sink::open(Stream::Err)];
        let mode = match plan.output {
            Output::Raw => Mode::Raw,
            Output::Lines { tag: false } if plan.size() == 1 => Mode::Raw,
            Output::Lines { tag } => Mode::Lines { tag },
        };
        let one_file = sink::one_file();
        let patience = [sinks[0].patience(), sinks[1].patience()];
        let now = Instant::now();
        let tasks = text::count(plan.size() as usize, "task");
        let waiting = Waiting::new(
            now,
            format!("{tasks} to start on {}", connection.welcome.host),
        );
        Self {
            plan,
            connection,
            signals,
            assembler: Assembler::new(mode, patience, Outbox::new(one_file)),
            sinks,
            tail: Tail::new(plan.size()),
            one_file,
            status: Status::new(std::io::stderr().is_terminal()),
            job: Job::default(),
            feed: Feed::default(),
            started: now,
            starting: Some((ticket, waiting)),
            held: Vec::new(),
            push: Push::None,
            forced: false,
            give_up: None,
            ending: None,
            verdict: None,
            not_started: None,
        }
    }

    /// Runs until the job has ended and everything is written.
    ///
    /// # Errors
    /// When the system does not let us wait.
    pub fn run(mut self) -> Result<Outcome, Trouble> {
        let mut ready = Ready::default();
        loop {
            if let Some(outcome) = self.take_signals() {
                return Ok(outcome);
            }
            self.read_daemon();
            self.take_answer();
            self.take_events();
            self.feed_stdin(ready);
            if self.ending.is_none() && self.lost() {
                self.ending = Some(Ending::DaemonLost);
            }
            self.timers(Instant::now());
            if let Some(trouble) = self.not_started.take() {
                self.status.clear();
                return Ok(self.refused(trouble));
            }
            if let (Push::Signal(signal), true) = (self.push, self.starting.is_some())
                && self.has_to_give_up(Instant::now())
            {
                self.status.clear();
                return Ok(Outcome::Interrupted(signal));
            }
            self.judge();
            self.write(ready);
            if self.assembler.outbox().waiting() == 0
                && let Some(verdict) = self.verdict.take()
            {
                return Ok(Outcome::Judged(verdict));
            }
            ready = self.poll()?;
        }
    }

    fn refused(self, trouble: Trouble) -> Outcome {
        match &trouble {
            Trouble::Refused(failure) if failure.code() == control::FailureCode::FailureEnding => {
                Outcome::Leaving(self.connection)
            }
            _ => Outcome::NotStarted(trouble),
        }
    }

    // ---------------------------------------------------------------- what comes in

    fn reading(&mut self) -> bool {
        self.ending.is_none() && self.assembler.outbox().waiting() < BACKLOG
    }

    fn read_daemon(&mut self) {
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

    fn lost(&self) -> bool {
        self.connection.link.is_lost()
            && !self.connection.link.has_event()
            && self.starting.is_none()
    }

    fn take_answer(&mut self) {
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

    fn job_started(&mut self, started: &control::JobStarted) {
        self.job.id = Some(started.job);
        self.started = Instant::now();
        self.tell_verbose(&format!(
            "job {} on {} (daemon pid {}): {} started",
            JobId(started.job),
            self.connection.welcome.host,
            self.connection.welcome.daemon_pid,
            text::count(started.tasks.len(), "task")
        ));
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

    fn take_events(&mut self) {
        while self.starting.is_none()
            && let Some(event) = self.connection.link.next_event()
        {
            match event.body {
                from_daemon::Body::Output(output) => self.output(&output),
                from_daemon::Body::StdinDemand(_) => self.feed.demand(),
                from_daemon::Body::TaskEnded(task) => {
                    let line = self.job.task_ended(task);
                    self.tell_verbose(&line);
                }
                from_daemon::Body::JobEnded(ended) => self.ending = Some(Ending::Told(ended)),
                from_daemon::Body::JobNews(news) => {
                    self.tell(&text::harmless(news.text.as_bytes()))
                }
                // Events for tasks, or from a newer daemon.
                _ => {}
            }
        }
    }

    fn output(&mut self, output: &control::Output) {
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
        self.assembler.feed(
            Instant::now(),
            output.rank,
            stream,
            &output.data,
            output.eof,
        );
    }

    fn feed_stdin(&mut self, ready: Ready) {
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

    // ---------------------------------------------------------------- signals

    fn take_signals(&mut self) -> Option<Outcome> {
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

    fn end(&mut self, signal: i32) -> Option<Outcome> {
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
    fn end_start(&mut self, signal: i32) -> Option<Outcome> {
        if let Push::Signal(first) = self.push {
            self.status.clear();
            return Some(Outcome::Interrupted(first));
        }
        self.push = Push::Signal(signal);
        self.give_up = Some(Instant::now() + PATIENCE_STARTING);
        None
    }

    fn announce_end(&mut self, signal: i32, force: bool) {
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

    fn terminate(&mut self, job: u64, force: bool, reason: String) {
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

    fn forward(&mut self, signal: i32) {
        if let (Some(job), None) = (self.job.id, &self.ending) {
            self.say_to_daemon(to_daemon::Body::Kill(control::Kill {
                task: 0,
                job,
                signal,
            }));
        }
    }

    /// ^Z: the tasks first, then ourselves; SIGCONT wakes both.
    fn stop(&mut self, signal: i32) {
        self.forward(signal);
        // It cannot fail: the process is ourselves.
        let _ = kill_process(getpid(), rustix::process::Signal::STOP);
    }

    fn say_to_daemon(&mut self, body: to_daemon::Body) {
        // A daemon that cannot be told is lost; reading finds that out.
        if let Err(LinkError::TimedOut { .. }) = self.connection.link.tell(body) {
            self.ending = Some(Ending::GaveUp);
        }
    }

    // ---------------------------------------------------------------- what goes out

    fn tell(&mut self, line: &str) {
        if self.plan.voice != Voice::Quiet {
            self.assembler.say(&verdict::signed(line));
        }
    }

    fn tell_verbose(&mut self, line: &str) {
        if self.plan.voice == Voice::Verbose {
            self.tell(line);
        }
    }

    fn timers(&mut self, now: Instant) {
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

    fn has_to_give_up(&self, now: Instant) -> bool {
        self.ending.is_none() && self.give_up.is_some_and(|deadline| deadline <= now)
    }

    /// Once the job has ended: the last output, then the last word.
    fn judge(&mut self) {
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
        self.verdict = Some(verdict);
    }

    fn facts(&self, ending: Ending) -> Facts {
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
            program: cause
                .map_or("", |rank| job::program(&self.plan.apps, rank))
                .to_owned(),
            last_words: cause
                .and_then(|rank| self.tail.buried(rank))
                .unwrap_or_default(),
            failed: self.job.failed.clone(),
        }
    }

    fn write(&mut self, ready: Ready) {
        for (at, stream) in [Stream::Out, Stream::Err, Stream::Out]
            .into_iter()
            .enumerate()
        {
            self.write_one(stream, ready.sinks[at % 2]);
        }
    }

    fn write_one(&mut self, stream: Stream, mut ready: bool) {
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
    fn reader_gone(&mut self, stream: Stream) {
        self.assembler.outbox().discard(stream);
        if let (Stream::Out, Push::None, None, Some(job)) =
            (stream, self.push, &self.ending, self.job.id)
        {
            self.push = Push::ReaderGone;
            self.terminate(job, false, "nobody reads the output".to_owned());
        }
    }

    fn write_failed(&mut self, stream: Stream, error: rustix::io::Errno) {
        let error = std::io::Error::from(error);
        if stream == Stream::Out {
            self.tell(&format!("cannot write to stdout: {error}; ending the job"));
        }
        self.reader_gone(stream);
    }

    // ---------------------------------------------------------------- waiting

    fn poll(&mut self) -> Result<Ready, Trouble> {
        let timeout = self
            .timeout()
            .and_then(|time| Timespec::try_from(time).ok());
        let reading = self.reading();
        let streams = [Stream::Out, Stream::Err];
        let writes = streams.map(|stream| !self.assembler.outbox().front(stream).is_empty());
        let stdin = rustix::stdio::stdin();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        for (sink, wanted) in self.sinks.iter().zip(writes) {
            let (fd, flags) = sink.poll_fd();
            fds.extend(wanted.then(|| PollFd::from_borrowed_fd(fd, flags)));
        }
        if reading {
            fds.push(PollFd::new(&self.connection.link, PollFlags::IN));
        }
        if self.feed.wants() {
            fds.push(PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let error = std::io::Error::from(error);
                return Err(Trouble::Other(format!(
                    "cannot wait for the job: poll: {error}"
                )));
            }
        }
        let is_ready = |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| !fd.revents().is_empty());
        let mut polled = fds.iter().skip(1);
        let sinks = writes.map(|wanted| wanted && is_ready(polled.next()));
        let stdin = self.feed.wants() && is_ready(fds.last());
        Ok(Ready { stdin, sinks })
    }

    /// How long nothing has to be done by the clock.
    fn timeout(&self) -> Option<Duration> {
        let give_up = self.give_up.filter(|_| self.ending.is_none());
        let waiting = self.starting.as_ref();
        let waiting = waiting.map(|(_, waiting)| waiting.deadline(self.status.rewrites()));
        let next = [self.assembler.deadline(), give_up, waiting]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}
