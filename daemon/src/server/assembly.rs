//! Launches and spawns, seen from the job's home: tasks are placed, prepared on all of their hosts,
//! and started when every host has answered. With one host alone that all happens at once.

use super::failure::{failure, job_ending};
use super::hub::{Asked, Hub};
use super::launch::{self, Birth, Ready};
use super::request::Input;
use super::tasks::Origin;
use crate::host::limits;
use crate::job::environment;
use crate::job::place::{PlaceError, place};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{
    App, Failure, FailureCode, Launch, Placement, PreparePart, SpawnResult, Spawned, StartPart,
    Terminate, from_daemon, to_daemon,
};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Characters of a job's command line that other hosts are told, for their listings.
const COMMAND_SHOWN: usize = 4096;

/// What the new tasks are for.
pub enum Purpose {
    /// A launch: all start, or none.
    Launch(Box<Input>),
    /// A spawn: those start that can, and the rest are failures of their own.
    Spawn(Asked),
    /// Tasks that somebody attaches himself.
    Adopt(Asked),
}

/// One task to be: where it goes and which app it runs.
#[derive(Clone, Copy)]
struct Seat {
    host: u16,
    app: usize,
}

/// New tasks of a job, from their placement until their start.
pub struct Assembly {
    number: u64,
    parent: Option<TaskId>,
    purpose: Purpose,
    programs: Vec<String>,
    /// Apps that have tasks on this host, by index.
    ready: BTreeMap<usize, Rc<Ready>>,
    seats: Vec<Seat>,
    /// What is known of each seat: a task, or why there is none.
    results: Vec<Option<SpawnResult>>,
    waiting: BTreeSet<u16>,
}

impl Hub {
    /// Where the tasks of a launch go, by rank.
    fn seats(&self, launch: &Launch, purpose: &Purpose) -> Result<Vec<Seat>, Failure> {
        let mut candidates = self.candidates();
        if let Purpose::Spawn(_) = purpose {
            // Each spawn goes on where the last one ended.
            let count: u32 = launch.apps.iter().map(|app| app.count).sum();
            let turn = self.turn.get();
            self.turn.set(turn.wrapping_add(count as usize));
            let all = candidates.len();
            candidates.rotate_left(turn % all);
        }
        let hosts_of = |count: u32, wanted: Option<&Placement>| {
            let wanted = wanted.cloned().unwrap_or_default();
            place(count, &wanted, &candidates).map_err(|error| cannot_place(&error))
        };
        let each = launch.apps.iter().enumerate();
        let apps = each.flat_map(|(at, app)| std::iter::repeat_n(at, app.count as usize));
        let hosts = match launch.apps.iter().any(|app| app.placement.is_some()) {
            false => {
                let count = launch.apps.iter().map(|app| app.count).sum();
                hosts_of(count, launch.placement.as_ref())?
            }
            true => {
                let mut hosts = Vec::new();
                for app in &launch.apps {
                    let wanted = app.placement.as_ref().or(launch.placement.as_ref());
                    hosts.extend(hosts_of(app.count, wanted)?);
                }
                hosts
            }
        };
        let seats = hosts.into_iter().zip(apps);
        Ok(seats.map(|(host, app)| Seat { host, app }).collect())
    }

    /// Places the tasks of a launch and looks up what this host is to start.
    ///
    /// # Errors
    /// When there are too many or too few, they cannot be placed, or a launch has an app that cannot
    /// be started here.
    pub(super) fn plan(
        &self,
        parent: Option<TaskId>,
        launch: &Launch,
        purpose: Purpose,
    ) -> Result<Assembly, Failure> {
        limits::check_count(launch.apps.iter().map(|app| u64::from(app.count)).sum())?;
        let seats = self.seats(launch, &purpose)?;
        let me = self.hosts.me.index;
        let mut assembly = Assembly {
            number: 0,
            parent,
            purpose,
            programs: launch.apps.iter().map(program).collect(),
            ready: BTreeMap::new(),
            results: vec![None; seats.len()],
            waiting: seats
                .iter()
                .map(|seat| seat.host)
                .filter(|h| *h != me)
                .collect(),
            seats,
        };
        self.prepare_here(&mut assembly, launch)?;
        Ok(assembly)
    }

    /// Begins to start planned tasks in a job that has been entered.
    pub(super) fn assemble(&mut self, job: JobId, mut assembly: Assembly, launch: &Launch) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        assembly.number = entry.next_assembly();
        if assembly.waiting.is_empty() {
            return self.assembled(job, assembly);
        }
        let parent = assembly.parent;
        let adopt = matches!(assembly.purpose, Purpose::Adopt(_));
        let (number, hosts) = (assembly.number, assembly.waiting.clone());
        let orders: Vec<_> = hosts
            .iter()
            .map(|host| (*host, self.part_launch(&assembly, launch, *host)))
            .collect();
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.assemblies.push(assembly);
        }
        self.show_awaited(job);
        for (host, launch) in orders {
            let order = PreparePart {
                job: job.0,
                launch: Some(launch),
                parent: parent.map_or(0, TaskId::bits),
                adopt,
                ..PreparePart::default()
            };
            self.ask_prepare(job, number, host, order);
        }
    }

    /// Resolves the programs that this host starts.
    fn prepare_here(&self, assembly: &mut Assembly, launch: &Launch) -> Result<(), Failure> {
        if let Purpose::Adopt(_) = assembly.purpose {
            return Ok(());
        }
        let me = self.hosts.me.index;
        for (at, app) in launch.apps.iter().enumerate() {
            let is_here = |seat: &Seat| seat.host == me && seat.app == at;
            if !assembly.seats.iter().any(is_here) {
                continue;
            }
            match (launch::prepare(app, launch, &self.store), &assembly.purpose) {
                (Ok(ready), _) => {
                    assembly.ready.insert(at, Rc::new(ready));
                }
                (Err(failure), Purpose::Launch(_) | Purpose::Adopt(_)) => return Err(failure),
                (Err(failure), Purpose::Spawn(_)) => {
                    let seats = assembly.seats.iter().zip(&mut assembly.results);
                    for (_, result) in seats.filter(|(seat, _)| is_here(seat)) {
                        *result = Some(failed(failure.clone()));
                    }
                }
            }
        }
        Ok(())
    }

    /// What one host has to start, its tasks in the order of their ranks.
    fn part_launch(&self, assembly: &Assembly, launch: &Launch, host: u16) -> Launch {
        let mut apps: Vec<(usize, App)> = Vec::new();
        for seat in assembly.seats.iter().filter(|seat| seat.host == host) {
            match apps.last_mut() {
                Some((at, app)) if *at == seat.app => app.count += 1,
                _ => {
                    let count = 1;
                    let app = launch.apps[seat.app].clone();
                    apps.push((seat.app, App { count, ..app }));
                }
            }
        }
        Launch {
            apps: apps.into_iter().map(|(_, app)| app).collect(),
            placement: None,
            environment: environment::leaving(&launch.environment),
            ..launch.clone()
        }
    }

    fn ask_prepare(&mut self, job: JobId, number: u64, host: u16, mut order: PreparePart) {
        self.add_part(job, host);
        if let Some(entry) = self.jobs.get(&job) {
            order.command = entry.command.chars().take(COMMAND_SHOWN).collect();
        }
        let body = to_daemon::Body::PreparePart(order);
        self.ask_host(host, body, move |hub, result| {
            hub.part_prepared(job, number, host, result);
        });
    }

    /// A host has answered, or is lost.
    fn part_prepared(
        &mut self,
        job: JobId,
        number: u64,
        host: u16,
        result: Result<from_daemon::Body, Failure>,
    ) {
        let result = match result {
            Ok(_) if !self.has_part(job, host) => {
                // The part has ended by itself just before, and another has begun that nobody follows.
                let terminate = Terminate {
                    job: job.0,
                    force: true,
                    ..Terminate::default()
                };
                self.tell_host(host, to_daemon::Body::Terminate(terminate));
                Err(job_ending(job))
            }
            result => result,
        };
        let name = self.host_name(host);
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let found = entry.assemblies.iter().position(|a| a.number == number);
        let Some(at) = found else { return };
        let assembly = &mut entry.assemblies[at];
        assembly.waiting.remove(&host);
        let mut results = match result {
            Ok(from_daemon::Body::Spawned(spawned)) => spawned.results.into_iter(),
            Ok(_) => Vec::new().into_iter(),
            Err(failure) => {
                let count = assembly
                    .seats
                    .iter()
                    .filter(|seat| seat.host == host)
                    .count();
                vec![failed(failure); count].into_iter()
            }
        };
        let seats = assembly.seats.iter().zip(&mut assembly.results);
        for (_, result) in seats.filter(|(seat, _)| seat.host == host) {
            let said = results.next().filter(|said| is_sound(said, host));
            let said = said.map(|said| SpawnResult {
                failure: said.failure.map(|failure| there(failure, &name)),
                ..said
            });
            *result = Some(said.unwrap_or_else(|| failed(no_answer(&name))));
        }
        match assembly.waiting.is_empty() {
            true => {
                let assembly = entry.assemblies.swap_remove(at);
                self.show_awaited(job);
                self.assembled(job, assembly);
            }
            false => self.show_awaited(job),
        }
    }

    /// Lets the job say which hosts it waits for.
    fn show_awaited(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        let waiting: BTreeSet<u16> = entry
            .assemblies
            .iter()
            .flat_map(|assembly| assembly.waiting.iter().copied())
            .collect();
        let names = waiting
            .into_iter()
            .map(|host| self.host_name(host))
            .collect();
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.life.awaits(names);
        }
    }

    /// Everything is known: starts what can be started.
    fn assembled(&mut self, job: JobId, mut assembly: Assembly) {
        let is_over = self
            .jobs
            .get(&job)
            .is_none_or(|entry| entry.life.is_ending());
        let failures = || {
            assembly
                .results
                .iter()
                .flatten()
                .filter_map(|r| r.failure.clone())
        };
        let refusal = match assembly.purpose {
            Purpose::Launch(_) | Purpose::Adopt(_) => failures().next(),
            Purpose::Spawn(_) => None,
        };
        let refusal = refusal.or_else(|| is_over.then(|| job_ending(job)));
        let refusal = refusal.map(|why| match (&assembly.purpose, why.code()) {
            // That would mean that the daemon leaves, and the launcher would try again.
            (Purpose::Launch(_), FailureCode::FailureEnding) => Failure {
                code: FailureCode::FailureInternal.into(),
                ..why
            },
            _ => why,
        });
        let refusal = refusal.or_else(|| self.allocate_here(&mut assembly).err());
        if let Some(refusal) = refusal {
            return self.disband(job, assembly, refusal);
        }
        let tasks = assembly.results.iter().flatten();
        let world: Option<Vec<_>> = tasks
            .filter(|result| result.failure.is_none())
            .map(|result| TaskId::from_bits(result.task))
            .collect();
        let world: Rc<[TaskId]> = world.unwrap_or_default().into();
        let birth = Birth {
            job,
            parent: assembly.parent,
            origin: match assembly.purpose {
                Purpose::Adopt(_) => Origin::Adopted,
                _ => Origin::Started,
            },
        };
        let programs: Vec<_> = assembly
            .started()
            .map(|(seat, _)| assembly.programs[seat.app].clone())
            .collect();
        if let Err(refusal) = self.enter_world(birth, &world, programs) {
            return self.disband(job, assembly, refusal);
        }
        self.start_assembled(job, assembly, &world);
    }

    /// Gives out the ids of this host's tasks.
    fn allocate_here(&mut self, assembly: &mut Assembly) -> Result<(), Failure> {
        let me = self.hosts.me.index;
        let seats = assembly.seats.iter().zip(&mut assembly.results);
        let open: Vec<_> = seats
            .filter(|(seat, result)| seat.host == me && result.is_none())
            .map(|(_, result)| result)
            .collect();
        let ids = self.allocate(open.len())?;
        for (result, id) in open.into_iter().zip(ids) {
            *result = Some(SpawnResult {
                task: id.bits(),
                ..SpawnResult::default()
            });
        }
        Ok(())
    }

    fn start_assembled(&mut self, job: JobId, assembly: Assembly, world: &Rc<[TaskId]>) {
        let me = self.hosts.me.index;
        let mut here = Vec::new();
        let mut ranks_here = Vec::new();
        let mut orders: BTreeMap<u16, StartPart> = BTreeMap::new();
        let started: Vec<_> = assembly.started().collect();
        let (input, adopted) = match assembly.purpose {
            Purpose::Launch(input) => (Some(*input), None),
            Purpose::Spawn(asked) => {
                self.note_batch(job, asked, assembly.results, world);
                (Input::none().ok(), None)
            }
            Purpose::Adopt(asked) => (None, Some((asked, assembly.results))),
        };
        for (rank, (seat, id)) in (0..).zip(started) {
            if seat.host == me {
                ranks_here.push(rank);
                if let Some(ready) = assembly.ready.get(&seat.app) {
                    here.push((id, ready.clone()));
                }
                continue;
            }
            let entry = self.jobs.get(&job);
            let number = entry.and_then(|entry| entry.numbers.get(&id).copied());
            let order = orders.entry(seat.host).or_insert_with(|| StartPart {
                job: job.0,
                world: world.iter().map(|id| id.bits()).collect(),
                ..StartPart::default()
            });
            order.tasks.push(id.bits());
            order.ranks.push(rank);
            order.numbers.push(number.unwrap_or_default());
            let input = input.as_ref();
            order.fed.extend(
                input
                    .is_some_and(|it| it.feeds_elsewhere(rank))
                    .then_some(rank),
            );
        }
        let is_fed = |(_, order): &(&u16, &StartPart)| !order.fed.is_empty();
        let fed = orders
            .iter()
            .filter(is_fed)
            .map(|(host, _)| *host)
            .collect();
        self.order_parts(job, orders, adopted);
        if let Some(mut input) = input {
            self.start_here(job, &here, &ranks_here, &mut input);
            self.feed_with(job, input, fed);
        }
        self.changed.notify_one();
    }

    /// Tells other hosts to start what they have prepared. Adopted tasks can attach when all have
    /// done so: then they are told.
    fn order_parts(
        &mut self,
        job: JobId,
        orders: BTreeMap<u16, StartPart>,
        adopted: Option<(Asked, Vec<Option<SpawnResult>>)>,
    ) {
        if orders.is_empty()
            && let Some((asked, results)) = adopted
        {
            return self.tell_adopted(job, asked, results);
        }
        let adopted = Rc::new(RefCell::new(adopted));
        let open = Rc::new(Cell::new(orders.len()));
        for (host, order) in orders {
            let (adopted, open) = (adopted.clone(), open.clone());
            let tasks = order.tasks.clone();
            self.ask_host(
                host,
                to_daemon::Body::StartPart(order),
                move |hub, result| {
                    open.set(open.get() - 1);
                    let is_last = open.get() == 0;
                    match (result, adopted.take()) {
                        (Err(why), adopted) => {
                            hub.part_not_started(job, &tasks, &why);
                            if let Some((asked, _)) = adopted {
                                hub.conclude(asked, Err(why));
                                hub.abandon(job);
                            }
                        }
                        (Ok(_), Some((asked, results))) if is_last => {
                            hub.tell_adopted(job, asked, results);
                        }
                        (Ok(_), waiting) => *adopted.borrow_mut() = waiting,
                    }
                },
            );
        }
    }

    /// A host has not done what it had prepared.
    fn part_not_started(&mut self, job: JobId, tasks: &[u64], why: &Failure) {
        for id in tasks.iter().copied().filter_map(TaskId::from_bits) {
            self.task_not_started(job, id, why.clone());
        }
    }

    fn start_here(
        &mut self,
        job: JobId,
        here: &[(TaskId, Rc<Ready>)],
        ranks: &[u32],
        input: &mut Input,
    ) {
        let opened = match input.feeds_here() {
            true => input.open(ranks),
            false => Ok(()),
        };
        let ordered = opened.and_then(|()| self.order_starts(job, here, &|rank| input.of(rank)));
        if let Err(failure) = ordered {
            for (id, _) in here {
                self.process_not_started(job, *id, failure.clone());
            }
        }
    }

    /// Nothing of it is started.
    fn disband(&mut self, job: JobId, assembly: Assembly, why: Failure) {
        let mut forgotten: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
        for (seat, id) in assembly.started() {
            forgotten.entry(seat.host).or_default().push(id.bits());
        }
        forgotten.remove(&self.hosts.me.index);
        for (host, forgotten) in forgotten {
            let order = StartPart {
                job: job.0,
                forgotten,
                ..StartPart::default()
            };
            self.tell_host(host, to_daemon::Body::StartPart(order));
        }
        match assembly.purpose {
            Purpose::Launch(_) => self.refuse_launch(job, why),
            Purpose::Spawn(asked) => self.conclude(asked, Err(why)),
            Purpose::Adopt(asked) => {
                self.conclude(asked, Err(why));
                self.abandon(job);
            }
        }
    }

    /// The job has ended before the hosts have answered.
    pub(super) fn give_up(&mut self, job: JobId, assembly: Assembly) {
        if let Purpose::Spawn(asked) | Purpose::Adopt(asked) = assembly.purpose {
            self.conclude(asked, Err(job_ending(job)));
        }
    }

    /// A launch that cannot be: its launcher is told, and the job ends.
    fn refuse_launch(&mut self, job: JobId, why: Failure) {
        let asked = self
            .jobs
            .get_mut(&job)
            .and_then(|entry| entry.launch.take());
        if let Some(asked) = asked {
            self.conclude(asked, Err(why));
        }
        self.abandon(job);
    }
}

impl Assembly {
    /// Whether none of its tasks can be started.
    pub fn is_hopeless(&self) -> bool {
        self.results.iter().all(Option::is_some)
    }

    /// Why: the answer to its spawn.
    pub fn into_failures(self) -> from_daemon::Body {
        let results = self.results.into_iter().flatten().collect();
        from_daemon::Body::Spawned(Spawned { results })
    }

    /// The seats that have a task, by rank.
    fn started(&self) -> impl Iterator<Item = (Seat, TaskId)> {
        let results = self.results.iter().map(Option::as_ref);
        self.seats.iter().zip(results).filter_map(|(seat, result)| {
            let result = result.filter(|result| result.failure.is_none())?;
            Some((*seat, TaskId::from_bits(result.task)?))
        })
    }
}

fn program(app: &App) -> String {
    String::from_utf8_lossy(&app.program).into_owned()
}

/// Whether an answer is a failure, or a task of the host that gives it.
fn is_sound(result: &SpawnResult, host: u16) -> bool {
    let is_its = TaskId::from_bits(result.task).is_some_and(|id| id.host() == host);
    result.failure.is_some() || is_its
}

fn failed(failure: Failure) -> SpawnResult {
    SpawnResult {
        failure: Some(failure),
        ..SpawnResult::default()
    }
}

/// Says on which host something went wrong.
pub fn there(mut failure: Failure, host: &str) -> Failure {
    if failure.code() != FailureCode::FailureHostLost {
        failure.what = format!("{} on {host}", failure.what);
    }
    failure
}

fn no_answer(host: &str) -> Failure {
    failure(
        FailureCode::FailureInternal,
        "cannot start tasks",
        format!("host {host} gave an answer that makes no sense"),
        "use one release of pvmd on all hosts",
    )
}

fn cannot_place(error: &PlaceError) -> Failure {
    failure(
        FailureCode::FailureNoSuchHost,
        "cannot place the tasks",
        error.to_string(),
        "'pvm conf' lists the hosts",
    )
}
