//! Run: a launcher starts a job and stays with it. StdinData: it feeds the job's input.

use super::{Reply, failure, malformed, no_such_job};
use crate::host::limits;
use crate::job::life::Rules;
use crate::server::assembly::Purpose;
use crate::server::hub::{Asked, Hub};
use crate::server::jobs::Template;
use crate::server::keepers;
use crate::server::launch::{self, Stdin, no_resources};
use crate::server::stdio::Feeder;
use pvm::ids::JobId;
use pvm::wire::control::{Failure, FailureCode, Launch, Run, StdinData, StdinPolicy};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

impl Hub {
    pub(super) fn run(&mut self, asked: Asked, run: Run, mut fds: Vec<OwnedFd>) -> Reply {
        self.check_may_start("cannot start the job")?;
        let launch = run.launch.as_ref();
        let launch = launch.ok_or_else(|| malformed("starting a job", "it has no launch"))?;
        let count = launch.apps.iter().map(|app| u64::from(app.count)).sum();
        limits::check_count(count)?;
        if let Some(app) = launch.apps.iter().find(|app| app.count == 0) {
            limits::check_count(0).map_err(|f| Failure {
                what: format!(
                    "cannot start 0 tasks of '{}'",
                    String::from_utf8_lossy(&app.program)
                ),
                ..f
            })?;
        }
        let input = Input::new(&run, count as u32, fds.pop())?;
        self.start_job(asked, &run, launch, input)?;
        Ok(None)
    }

    fn start_job(
        &mut self,
        asked: Asked,
        run: &Run,
        launch: &Launch,
        input: Input,
    ) -> Result<(), Failure> {
        let purpose = Purpose::Launch(Box::new(input));
        let held = self.hold_programs(launch);
        let assembly = self.plan(None, launch, purpose)?;
        let job = self.next_job();
        let rules = Rules {
            on_failure: run.on_failure(),
            timeout: (run.timeout_ms > 0).then(|| Duration::from_millis(run.timeout_ms)),
            has_keeper: true,
            is_part: false,
        };
        let command = launch::command_line(&launch.apps);
        tracing::info!("{job} is started: {command}");
        let mut entry = launch::entry(job, rules, template(launch), command);
        entry.lease = Some(asked.client);
        entry.launch = Some(asked);
        entry.keeper = Some(keepers::start(self, job).map_err(|e| no_resources(1, &e))?);
        entry.programs.keep(held);
        entry.programs.offer(&launch.apps);
        self.jobs.insert(job, entry);
        self.assemble(job, assembly, launch);
        self.changed.notify_one();
        Ok(())
    }

    /// A job that has no tasks: only its keeper is to be ended.
    pub(in crate::server) fn abandon(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.launch = None;
            entry.lease = None;
            entry.life.run();
        }
        self.drive(job, |life, now, out| {
            let reason = pvm::wire::control::EndReason::EndTaskFailed;
            life.terminate(reason, Duration::ZERO, now, out);
        });
        self.release_output(job);
    }

    /// From now on the job's tasks are fed what the launcher, or the job's home, sends.
    pub(in crate::server) fn feed_with(&mut self, job: JobId, input: Input, hosts: BTreeSet<u16>) {
        let feeder = input.into_feeder(self, job, hosts);
        if let Some(entry) = self.jobs.get_mut(&job)
            && feeder.is_some()
        {
            entry.feeder = feeder;
        }
    }

    pub(super) fn feed_stdin(&mut self, asked: Asked, stdin: StdinData) -> Reply {
        let job = JobId(stdin.job);
        let entry = self
            .jobs
            .get_mut(&job)
            .filter(|entry| entry.lease == Some(asked.client));
        let entry = entry.ok_or_else(|| no_such_job(job, "feed"))?;
        if let Some(feeder) = &entry.feeder
            && !stdin.data.is_empty()
            && !feeder.take(stdin.data)
        {
            return Err(malformed("feeding a job", "no data was demanded"));
        }
        if stdin.eof {
            // What was given is still written; then the pipes are closed.
            entry.feeder = None;
        }
        super::DONE
    }
}

/// The launch's environment and directory, for tasks that are spawned later.
pub fn template(launch: &Launch) -> Template {
    Template {
        environment: launch.environment.clone(),
        directory: launch.directory.clone(),
        umask: launch.umask,
    }
}

/// The standard input of a job's tasks.
pub struct Input {
    none: Stdin,
    one: Option<(u32, Stdin)>,
    all: bool,
    /// Those that are fed here, by rank, and what feeds them.
    pipes: BTreeMap<u32, Stdin>,
    feeds: Vec<OwnedFd>,
}

impl Input {
    fn new(run: &Run, count: u32, passed: Option<OwnedFd>) -> Result<Self, Failure> {
        let mut input = Input::none()?;
        match run.stdin() {
            StdinPolicy::StdinNone => {}
            StdinPolicy::StdinOne => {
                if run.stdin_rank >= count {
                    return Err(failure(
                        FailureCode::FailureMalformed,
                        format!("cannot give standard input to rank {}", run.stdin_rank),
                        format!("the job has ranks 0 to {}", count - 1),
                        "give --stdin a rank of the job",
                    ));
                }
                let passed = passed.ok_or_else(|| {
                    malformed(
                        "starting a job",
                        "the launcher's standard input did not come",
                    )
                })?;
                input.one = Some((run.stdin_rank, Rc::new(passed)));
            }
            StdinPolicy::StdinAll => input.all = true,
        }
        Ok(input)
    }

    /// Nothing for anybody.
    ///
    /// # Errors
    /// When /dev/null cannot be opened.
    pub fn none() -> Result<Self, Failure> {
        Ok(Input {
            none: launch::null()?,
            one: None,
            all: false,
            pipes: BTreeMap::new(),
            feeds: Vec::new(),
        })
    }

    /// Whether a rank is fed when it runs here; else it reads what it was given.
    pub fn feeds_here(&self) -> bool {
        self.all
    }

    /// Whether a rank is fed when it runs on another host.
    pub fn feeds_elsewhere(&self, rank: u32) -> bool {
        self.all || self.one.as_ref().is_some_and(|(at, _)| *at == rank)
    }

    /// Makes the pipes of ranks that are fed here.
    ///
    /// # Errors
    /// When descriptors run out.
    pub fn open(&mut self, ranks: &[u32]) -> Result<(), Failure> {
        for rank in ranks {
            let made = pipe_with(PipeFlags::CLOEXEC);
            let (reader, writer) = made.map_err(|e| no_resources(ranks.len(), &e))?;
            let _ = rustix::io::ioctl_fionbio(&writer, true);
            self.pipes.insert(*rank, Rc::new(reader));
            self.feeds.push(writer);
        }
        Ok(())
    }

    /// That of one rank.
    pub fn of(&self, rank: u32) -> Stdin {
        let one = self
            .one
            .as_ref()
            .filter(|(at, _)| *at == rank)
            .map(|(_, fd)| fd);
        let fed = self.pipes.get(&rank);
        one.or(fed).unwrap_or(&self.none).clone()
    }

    /// What feeds the pipes here, and the tasks of other hosts.
    fn into_feeder(self, hub: &Hub, job: JobId, hosts: BTreeSet<u16>) -> Option<Feeder> {
        if self.feeds.is_empty() && hosts.is_empty() {
            return None;
        }
        Feeder::new(hub, job, self.feeds, hosts)
    }
}
