//! Spawn: a task starts more tasks.

use super::{Reply, failure, malformed};
use crate::host::limits;
use crate::job::life::Rules;
use crate::server::hub::{Asked, Hub};
use crate::server::keepers;
use crate::server::launch::{self, Birth, Ready, no_resources};
use crate::server::request::run::{Input, template};
use crate::server::tasks::Origin;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{
    Failure, FailureCode, FailurePolicy, Launch, Spawn, SpawnResult, Spawned, from_daemon,
};

impl Hub {
    pub(super) fn spawn_tasks(&mut self, asked: Asked, spawn: Spawn) -> Reply {
        let me = self.caller(asked, "spawning tasks")?;
        self.check_not_halting("spawning tasks")?;
        let launch = spawn
            .launch
            .ok_or_else(|| malformed("spawning tasks", "it has no launch"))?;
        let launch = match spawn.inherit {
            true => self.inherited(me, launch),
            false => launch,
        };
        let count: u64 = launch.apps.iter().map(|app| u64::from(app.count)).sum();
        limits::check_count(count)?;
        let (apps, results) = prepare_each(&launch);
        if apps.is_empty() {
            // Nothing starts: a caller without a job needs none.
            return Ok(Some(from_daemon::Body::Spawned(Spawned {
                results: results.into_iter().flatten().collect(),
            })));
        }
        let job = self.job_of_spawner(me, &launch)?;
        let birth = Birth {
            job,
            parent: Some(me),
            origin: Origin::Started,
        };
        let input = Input::none()?;
        let world = self.start_tasks(birth, &apps, &|rank| input.of(rank))?;
        self.note_batch(job, asked, results, &world);
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
                let why = "its job is being ended";
                return Err(failure(
                    FailureCode::FailureEnding,
                    "cannot spawn tasks",
                    why,
                    "",
                ));
            }
            if entry.keeper.is_none() {
                let keeper = keepers::start(self, job).map_err(|e| no_resources(1, &e))?;
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.life.keeper_started();
                    entry.keeper = Some(keeper);
                }
            }
            return Ok(job);
        }
        self.own_job(me, launch)
    }

    fn own_job(&mut self, me: TaskId, launch: &Launch) -> Result<JobId, Failure> {
        let job = self.next_job();
        let rules = Rules {
            on_failure: FailurePolicy::FailureContinue,
            timeout: None,
            has_keeper: true,
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

/// Checks each app; those that cannot be started have their results already.
fn prepare_each(launch: &Launch) -> (Vec<Ready>, Vec<Option<SpawnResult>>) {
    let (mut apps, mut results) = (Vec::new(), Vec::new());
    for app in &launch.apps {
        let result = match launch::prepare(app, launch) {
            Ok(ready) => {
                apps.push(ready);
                None
            }
            Err(failure) => Some(SpawnResult {
                task: 0,
                failure: Some(failure),
            }),
        };
        results.extend((0..app.count).map(|_| result.clone()));
    }
    (apps, results)
}
