//! Spawn: a task starts more tasks.

use super::run::template;
use super::{Reply, failure, malformed};
use crate::job::life::Rules;
use crate::server::assembly::Purpose;
use crate::server::hub::{Asked, Hub};
use crate::server::jobs::JobEntry;
use crate::server::keepers;
use crate::server::launch::{self, no_resources};
use crate::server::tasks::Origin;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{Failure, FailureCode, FailurePolicy, Launch, Spawn, SpawnFor, to_daemon};

impl Hub {
    pub(super) fn spawn_tasks(&mut self, asked: Asked, spawn: Spawn) -> Reply {
        let me = self.caller(asked, "spawning tasks")?;
        self.check_may_start("spawning tasks")?;
        let launch = spawn
            .launch
            .ok_or_else(|| malformed("spawning tasks", "it has no launch"))?;
        let launch = match spawn.inherit {
            true => self.inherited(me, launch),
            false => launch,
        };
        let job = self.tasks.get(&me).and_then(|task| task.job);
        if let Some((job, home)) = job.and_then(|job| Some((job, self.home_of(job)?))) {
            self.spawn_at_home(asked, home, me, job, launch);
            return Ok(None);
        }
        let purpose = Purpose::Spawn(asked);
        let assembly = self.plan(Some(me), &launch, purpose)?;
        if assembly.is_hopeless() {
            // Nothing starts: a caller without a job needs none.
            return Ok(Some(assembly.into_failures()));
        }
        let job = self.job_of_spawner(me, &launch)?;
        self.assemble(job, assembly, &launch);
        Ok(None)
    }

    /// The home of a job of which only a part is here.
    fn home_of(&self, job: JobId) -> Option<u16> {
        Some(self.jobs.get(&job)?.part.as_ref()?.home)
    }

    fn spawn_at_home(&mut self, asked: Asked, home: u16, me: TaskId, job: JobId, launch: Launch) {
        let spawn = SpawnFor {
            task: me.bits(),
            job: job.0,
            spawn: Some(Spawn {
                launch: Some(launch),
                inherit: false,
            }),
        };
        let body = to_daemon::Body::SpawnFor(spawn);
        self.ask_host(home, body, move |hub, result| hub.conclude(asked, result));
    }

    /// A task of another host spawns; its job has its home here.
    pub(super) fn spawn_for(&mut self, asked: Asked, spawn: SpawnFor) -> Reply {
        const WHAT: &str = "spawning tasks for another host";
        let host = self.host_of_client(asked.client);
        let me = TaskId::from_bits(spawn.task).filter(|id| Some(id.host()) == host);
        let me = me.ok_or_else(|| malformed(WHAT, "the task is not of the host that asks"))?;
        let launch = spawn.spawn.and_then(|spawn| spawn.launch);
        let launch = launch.ok_or_else(|| malformed(WHAT, "it has no launch"))?;
        self.check_may_start("spawning tasks")?;
        let job = JobId(spawn.job);
        let is_its = |entry: &&JobEntry| entry.part.is_none() && entry.numbers.contains_key(&me);
        let entry = self.jobs.get(&job).filter(is_its);
        if entry.is_none_or(|entry| entry.life.is_ending()) {
            return Err(ending());
        }
        let assembly = self.plan(Some(me), &launch, Purpose::Spawn(asked))?;
        self.ensure_keeper(job)?;
        self.assemble(job, assembly, &launch);
        Ok(None)
    }

    /// Fills in what the caller's job was started with.
    fn inherited(&self, me: TaskId, mut launch: Launch) -> Launch {
        let job = self.tasks.get(&me).and_then(|task| task.job);
        let Some(entry) = job.and_then(|job| self.jobs.get(&job)) else {
            return launch;
        };
        if launch.environment.is_empty() {
            launch.environment = entry.template.environment.clone();
            launch.umask = entry.template.umask;
        }
        if launch.directory.is_empty() {
            launch.directory = entry.template.directory.clone();
        }
        launch
    }

    /// The caller's job; a task without a keeper of its own gets one with its first spawn.
    fn job_of_spawner(&mut self, me: TaskId, launch: &Launch) -> Result<JobId, Failure> {
        let job = self.tasks.get(&me).and_then(|task| task.job);
        if let Some((job, entry)) = job.and_then(|job| Some((job, self.jobs.get_mut(&job)?))) {
            if entry.life.is_ending()
                && self
                    .tasks
                    .get(&me)
                    .is_some_and(|t| t.origin == Origin::Foreign)
            {
                return self.own_job(me, launch);
            }
            if entry.life.is_ending() {
                return Err(ending());
            }
            self.ensure_keeper(job)?;
            return Ok(job);
        }
        self.own_job(me, launch)
    }

    /// A job of adopted tasks has no keeper until processes are started in it.
    pub(in crate::server) fn ensure_keeper(&mut self, job: JobId) -> Result<(), Failure> {
        if self
            .jobs
            .get(&job)
            .is_none_or(|entry| entry.keeper.is_some())
        {
            return Ok(());
        }
        let keeper = keepers::start(self, job).map_err(|e| no_resources(1, &e))?;
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.life.keeper_started();
            entry.keeper = Some(keeper);
        }
        Ok(())
    }

    fn own_job(&mut self, me: TaskId, launch: &Launch) -> Result<JobId, Failure> {
        let job = self.next_job();
        let rules = Rules {
            on_failure: FailurePolicy::FailureContinue,
            timeout: None,
            has_keeper: true,
            is_part: false,
        };
        let command = launch::command_line(&launch.apps);
        let mut entry = launch::entry(job, rules, template(launch), command);
        entry.life.run();
        entry.keeper = Some(keepers::start(self, job).map_err(|e| no_resources(1, &e))?);
        self.jobs.insert(job, entry);
        if let Some(task) = self.tasks.get_mut(&me) {
            task.job = Some(job);
        }
        Ok(job)
    }
}

fn ending() -> Failure {
    failure(
        FailureCode::FailureEnding,
        "cannot spawn tasks",
        "its job is being ended",
        "",
    )
}
