//! The part of a job on this host, when the job's home is another: the home's orders.
//!
//! For this daemon a part is a job whose launcher is the home daemon. It differs in three things: its
//! tasks are prepared first and started when all hosts have answered; it ends when the home says so,
//! or is lost; and its output is paced by what the home's launcher takes, not by the connection.

use super::failure::job_ending;
use super::hub::{Asked, Hub};
use super::jobs::JobEntry;
use super::keepers;
use super::launch::{self, Birth, Newcomer, Ready, no_resources};
use super::request::{ADOPTED, Reply, malformed, no_such_job};
use super::stage::{self as copying, Copied, not_copied};
use super::tasks::{CAPABILITY, Origin};
use crate::host::limits;
use crate::host::stage::{self, store::Store};
use crate::job::environment;
use crate::job::life::Rules;
use pvm::ids::{JobId, TaskId};
use pvm::session::own_environment;
use pvm::wire::control::{
    App, Failure, FailurePolicy, Launch, OutputTaken, PreparePart, SpawnResult, Spawned, StartPart,
    TaskStarted, from_daemon,
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tokio::sync::Semaphore;

/// Bytes of a part's output that may be on their way to the launcher.
const OUTPUT_ALLOWANCE: usize = 512 << 10;

/// What is being done, for refusals.
const PREPARING: &str = "preparing tasks for another host";

/// What a job has besides when its home is another host.
pub struct Part {
    /// Its home.
    pub home: u16,
    /// Paces the output of its tasks.
    pub allowance: Rc<Semaphore>,
    /// Tasks that have an id and are not started yet.
    prepared: BTreeMap<TaskId, Prepared>,
}

struct Prepared {
    /// What is to be run; `None`: it is attached by somebody else.
    app: Option<Rc<Ready>>,
    parent: Option<TaskId>,
    capability: [u8; CAPABILITY],
}

impl Prepared {
    fn newcomer(&self, job: JobId, id: TaskId, place: (u32, u32)) -> (Birth, Newcomer) {
        let birth = Birth {
            job,
            parent: self.parent,
            origin: match self.app {
                Some(_) => Origin::Started,
                None => Origin::Adopted,
            },
        };
        let program = self.app.as_ref().map(|app| app.program());
        let new = Newcomer {
            id,
            rank: place.0,
            home_number: Some(place.1),
            program: program.unwrap_or_else(|| ADOPTED.to_owned()),
            capability: self.capability,
        };
        (birth, new)
    }
}

impl Part {
    /// Whether this task waits for its start.
    pub fn is_prepared(&self, task: TaskId) -> bool {
        self.prepared.contains_key(&task)
    }

    /// Takes out the tasks that are to be started now; all of them, or none.
    fn take_newcomers(
        &mut self,
        job: JobId,
        start: &StartPart,
    ) -> Result<Vec<(Prepared, Birth, Newcomer)>, Failure> {
        let wrong = |why| malformed("starting tasks", why);
        let places = start.ranks.iter().zip(&start.numbers);
        let each = start.tasks.iter().zip(places);
        let is_sound = |(bits, (rank, _)): &(&u64, (&u32, &u32))| {
            let id = TaskId::from_bits(**bits).filter(|id| self.is_prepared(*id));
            id.is_some() && start.world.get(**rank as usize) == Some(*bits)
        };
        if each.len() != start.tasks.len() || !each.clone().all(|it| is_sound(&it)) {
            return Err(wrong("they were not prepared so"));
        }
        let mut newcomers = Vec::with_capacity(each.len());
        for (bits, (&rank, &number)) in each {
            let found = TaskId::from_bits(*bits).and_then(|id| self.prepared.remove_entry(&id));
            let (id, task) = found.ok_or_else(|| wrong("one of them twice"))?;
            let (birth, new) = task.newcomer(job, id, (rank, number));
            newcomers.push((task, birth, new));
        }
        Ok(newcomers)
    }

    /// The tasks that wait for their start, which will not come.
    pub fn take_prepared(&mut self) -> impl Iterator<Item = TaskId> + use<> {
        std::mem::take(&mut self.prepared).into_keys()
    }
}

impl Hub {
    /// Looks programs up and gives out ids for tasks that another host wants to start here.
    pub(super) fn prepare_part(&mut self, asked: Asked, mut prepare: PreparePart) -> Reply {
        let home = self.host_of_client(asked.client);
        let only_daemons = || malformed(PREPARING, "only another daemon can ask for this");
        let home = home.ok_or_else(only_daemons)?;
        self.check_serves(PREPARING)?;
        let launch = prepare.launch.as_mut();
        let launch = launch.ok_or_else(|| malformed(PREPARING, "no launch"))?;
        let travelled = std::mem::take(&mut launch.environment);
        launch.environment = environment::arriving(travelled, own_environment());
        let launch = launch.clone();
        let count: u64 = launch.apps.iter().map(|app| u64::from(app.count)).sum();
        limits::check_count(count)?;
        let job = JobId(prepare.job);
        if self.home_elsewhere(job) != Some(home) {
            return Err(malformed(PREPARING, "the job is not of the host that asks"));
        }
        let mut copied = Copied {
            held: self.hold_programs(&launch),
            troubles: BTreeMap::new(),
        };
        let missing = self.missing(&launch);
        let origin = self.hosts.place(home);
        let origin = origin.map(|host| copying::Origin { host, job });
        match (self.fabric.clone(), origin) {
            (Some(fabric), Some(origin)) if !missing.is_empty() => {
                let store = self.store.clone();
                self.spawn(async move |hub| {
                    copied.troubles = copying::fetch(fabric, origin, &store, missing).await;
                    let hub = &mut *hub.borrow_mut();
                    // The host that has asked may be gone by now.
                    if hub.host_of_client(asked.client) == Some(home) {
                        let reply = hub.prepare_with(asked, home, &prepare, copied);
                        hub.conclude(asked, reply);
                    }
                });
                Ok(None)
            }
            _ => self.prepare_with(asked, home, &prepare, copied).map(Some),
        }
    }

    /// Prepares tasks whose programs are here, as far as they could be copied.
    fn prepare_with(
        &mut self,
        asked: Asked,
        home: u16,
        prepare: &PreparePart,
        copied: Copied,
    ) -> Result<from_daemon::Body, Failure> {
        self.check_serves(PREPARING)?;
        let launch = prepare.launch.clone().unwrap_or_default();
        let job = JobId(prepare.job);
        let count: u64 = launch.apps.iter().map(|app| u64::from(app.count)).sum();
        let parent = TaskId::from_bits(prepare.parent);
        let mut results = Vec::with_capacity(count as usize);
        let mut prepared = BTreeMap::new();
        for app in &launch.apps {
            let ready = match prepare.adopt {
                true => None,
                false => match ready(app, &launch, &self.store, &copied) {
                    Ok(ready) => Some(Rc::new(ready)),
                    Err(failure) => {
                        results.extend((0..app.count).map(|_| failed(failure.clone())));
                        continue;
                    }
                },
            };
            for id in self.allocate(app.count as usize)? {
                let capability = launch::capability()?;
                results.push(self.prepared_result(id, &capability, prepare.adopt));
                let app = ready.clone();
                let task = Prepared {
                    app,
                    parent,
                    capability,
                };
                prepared.insert(id, task);
            }
        }
        if !prepared.is_empty() {
            self.enter_part(job, home, asked, prepare, &launch)?;
        }
        if let Some(entry) = self.jobs.get_mut(&job)
            && let Some(part) = &mut entry.part
            && !prepared.is_empty()
        {
            part.prepared.extend(prepared);
            entry.programs.keep(copied.held);
        }
        Ok(from_daemon::Body::Spawned(Spawned { results }))
    }

    fn prepared_result(
        &self,
        id: TaskId,
        capability: &[u8; CAPABILITY],
        adopt: bool,
    ) -> SpawnResult {
        let adopted = adopt.then(|| self.adopted_task(id, capability));
        SpawnResult {
            task: id.bits(),
            failure: None,
            adopted,
        }
    }

    fn enter_part(
        &mut self,
        job: JobId,
        home: u16,
        asked: Asked,
        prepare: &PreparePart,
        launch: &Launch,
    ) -> Result<(), Failure> {
        if let Some(entry) = self.jobs.get(&job) {
            let is_its = entry.part.as_ref().is_some_and(|part| part.home == home);
            return match is_its && !entry.life.is_ending() {
                true if prepare.adopt => Ok(()),
                true => self.ensure_keeper(job),
                false => Err(job_ending(job)),
            };
        }
        let rules = Rules {
            on_failure: FailurePolicy::FailureContinue,
            timeout: None,
            has_keeper: !prepare.adopt,
            is_part: true,
        };
        let template = super::request::template(launch);
        let mut entry = launch::entry(job, rules, template, prepare.command.clone());
        entry.life.run();
        entry.lease = Some(asked.client);
        entry.part = Some(Part {
            home,
            allowance: Rc::new(Semaphore::new(OUTPUT_ALLOWANCE)),
            prepared: BTreeMap::new(),
        });
        if !prepare.adopt {
            entry.keeper = Some(keepers::start(self, job).map_err(|e| no_resources(1, &e))?);
        }
        tracing::info!("a part of {job} is prepared: {}", prepare.command);
        self.jobs.insert(job, entry);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether a task of this host has got its id and may be started. Tasks of hosts that have been told
    /// to start theirs can know it before this one has.
    pub(super) fn is_prepared(&self, task: TaskId) -> bool {
        let mut parts = self.jobs.values().filter_map(|entry| entry.part.as_ref());
        parts.any(|part| part.is_prepared(task))
    }

    /// Starts prepared tasks, and forgets those that the home does not want.
    pub(super) fn start_part(&mut self, asked: Asked, start: StartPart) -> Reply {
        let job = JobId(start.job);
        let entry = self.jobs.get_mut(&job);
        let entry = entry.filter(|entry| entry.lease == Some(asked.client));
        let entry = entry.ok_or_else(|| no_such_job(job, "start tasks of"))?;
        if entry.life.is_ending() {
            return Err(job_ending(job));
        }
        let Some(part) = &mut entry.part else {
            return Err(no_such_job(job, "start tasks of"));
        };
        let newcomers = part.take_newcomers(job, &start)?;
        let forgotten = start.forgotten.iter().copied();
        let forgotten = forgotten.filter_map(TaskId::from_bits);
        let forgotten: Vec<_> = forgotten
            .filter(|id| part.prepared.remove(id).is_some())
            .collect();
        forgotten.into_iter().for_each(|id| self.forget_task(id));
        if newcomers.is_empty() {
            return super::request::DONE;
        }
        let mut input = super::request::Input::none()?;
        let opened = input.open(&start.fed);
        let world = start.world.iter().copied();
        let world: Rc<[TaskId]> = world.filter_map(TaskId::from_bits).collect();
        let mut seats = Vec::with_capacity(newcomers.len());
        for (task, birth, new) in newcomers {
            let id = new.id;
            self.enter_task(birth, new, &world);
            seats.extend(task.app.map(|app| (id, app)));
        }
        let ordered = opened.and_then(|()| self.order_starts(job, &seats, &|rank| input.of(rank)));
        if let Err(failure) = ordered {
            for (id, _) in &seats {
                self.process_not_started(job, *id, failure.clone());
            }
        }
        self.feed_with(job, input, BTreeSet::new());
        super::request::DONE
    }

    /// The home's launcher has taken some of the part's output.
    pub(super) fn output_taken(&mut self, asked: Asked, taken: &OutputTaken) -> Reply {
        let entry = self.jobs.get(&JobId(taken.job));
        let part = entry
            .filter(|entry| entry.lease == Some(asked.client))
            .and_then(|entry| entry.part.as_ref());
        if let Some(part) = part {
            let free = part.allowance.available_permits();
            let room = OUTPUT_ALLOWANCE.saturating_sub(free);
            part.allowance.add_permits(room.min(taken.bytes as usize));
        }
        Ok(None)
    }

    /// Tells the home whether a task of a part has started.
    pub(super) fn tell_start(&self, job: JobId, id: TaskId, pid: u32, failure: Option<Failure>) {
        let entry = self.jobs.get(&job);
        let Some(JobEntry {
            part: Some(_),
            lease: Some(lease),
            ..
        }) = entry
        else {
            return;
        };
        let started = TaskStarted {
            job: job.0,
            task: id.bits(),
            pid,
            failure,
        };
        self.tell(*lease, from_daemon::Body::TaskStarted(started));
    }
}

/// An app with its program, which may have been copied here; or why it has not.
fn ready(app: &App, launch: &Launch, store: &Store, copied: &Copied) -> Result<Ready, Failure> {
    let hash = app.staged.as_ref().and_then(stage::hash);
    launch::prepare(app, launch, store).map_err(|failure| {
        let why = hash.and_then(|hash| copied.troubles.get(&hash));
        why.map_or(failure, |why| not_copied(app, why))
    })
}

fn failed(failure: Failure) -> SpawnResult {
    SpawnResult {
        failure: Some(failure),
        ..SpawnResult::default()
    }
}
