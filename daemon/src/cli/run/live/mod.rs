//! The loop of `pvm run`: the daemon, our signals, our terminal and the clock, in one poll.

mod ending;
mod hanging;
mod incoming;
mod outgoing;

use super::assembler::{Assembler, Mode};
use super::feed::Feed;
use super::files::Files;
use super::hang::Watch;
use super::job::Job;
use super::outbox::{Outbox, Stream};
use super::prefix::Prefixes;
use super::signals::Signals;
use super::sink::{self, Sink};
use super::tail::Tail;
use super::verdict::{Ending, Push, Verdict};
use super::waiting::Waiting;
use crate::cli::connect::{Connection, Status, Trouble};
use crate::cli::exit::Exit;
use crate::cli::plan::{Output, Plan, Prefix};
use crate::ui::text;
use pvm::session::Ticket;
use pvm::wire::control;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime};

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
    Leaving(Box<Connection>),
}

/// The launcher while its job runs.
pub struct Live<'a> {
    plan: &'a Plan,
    connection: Connection,
    signals: Signals,
    assembler: Assembler,
    files: Files<'a>,
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
    /// Our stdout could not be written.
    output_lost: bool,
    give_up: Option<Instant>,
    /// Whether the job hangs, when that matters.
    watch: Option<Watch>,
    /// The list of tasks that it has asked for.
    listing: Option<Ticket>,
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
        let (mode, prefix) = match &plan.output {
            Output::Raw => (Mode::Raw, Prefix::default()),
            Output::Lines(prefix) if *prefix == Prefix::default() && plan.size() == 1 => {
                (Mode::Raw, Prefix::default())
            }
            Output::Lines(prefix) => (Mode::Lines, prefix.clone()),
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
            assembler: Assembler::new(
                mode,
                Prefixes::new(prefix, now, SystemTime::now()),
                plan.merge,
                patience,
                Outbox::new(one_file),
            ),
            files: Files::new(&plan.files),
            sinks,
            tail: Tail::new(plan.size()),
            one_file,
            status: Status::new("pvm run", std::io::stderr().is_terminal()),
            job: Job::default(),
            feed: Feed::default(),
            started: now,
            starting: Some((ticket, waiting)),
            held: Vec::new(),
            push: Push::None,
            forced: false,
            output_lost: false,
            give_up: None,
            watch: None,
            listing: None,
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
            self.watch_for_hang(Instant::now());
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
                && let Some(mut verdict) = self.verdict.take()
            {
                if self.output_lost
                    && matches!(verdict.exit, Exit::Success | Exit::Signal(libc::SIGPIPE))
                {
                    verdict.exit = Exit::Ours;
                }
                return Ok(Outcome::Judged(verdict));
            }
            ready = self.poll()?;
        }
    }

    fn refused(self, trouble: Trouble) -> Outcome {
        match &trouble {
            Trouble::Refused(failure) if failure.code() == control::FailureCode::FailureEnding => {
                Outcome::Leaving(Box::new(self.connection))
            }
            _ => Outcome::NotStarted(trouble),
        }
    }

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
        let deadlines = [
            self.assembler.deadline(),
            give_up,
            waiting,
            self.next_look(),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}
