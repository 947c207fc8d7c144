//! Jobs: applying what their state machines decide.

use super::assembly::Assembly;
use super::hub::{Asked, ClientId, Hub, Role};
use super::outbox::Outbox;
use super::part::Part;
use super::remote::RemotePart;
use super::stage::Programs;
use super::stdio::{self, Feeder, Sink};
use super::tasks::Origin;
use crate::host::memory::OomCounter;
use crate::job::life::{Action, Exit, Job, Summary};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    EndReason, ExitStatus, Failure, JobEnded, JobNews, JobStarted, KeeperEnd, NamedHost, Output,
    SpawnResult, Spawned, StartedTask, Stream, TaskEnded, ToKeeper, from_daemon, to_keeper,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A job's keeper as the daemon holds it.
pub struct Keeper {
    /// Its process.
    pub pid: i32,
    /// Where orders go.
    pub outbox: Outbox,
    /// Its socket has ended.
    pub is_silent: bool,
    /// It has been reaped; whether it ended well.
    pub reaped: Option<bool>,
}

/// How the job's tasks are started when nothing else is said.
pub struct Template {
    /// Environment of the launch: `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// Working directory of the launch.
    pub directory: Vec<u8>,
    /// Its umask.
    pub umask: u32,
}

/// The spawn request that a task belongs to, until all of its tasks are decided.
pub struct Batch {
    /// Who wants to know.
    pub asked: Asked,
    /// What is known, by position.
    pub results: Vec<Option<SpawnResult>>,
    /// Position of each task that is not decided.
    pub open: BTreeMap<u32, usize>,
}

/// One job.
pub struct JobEntry {
    /// Its state machine.
    pub life: Job,
    /// The connection whose end ends the job, and where its events go.
    pub lease: Option<ClientId>,
    /// Its keeper; `None` for adopted tasks.
    pub keeper: Option<Keeper>,
    /// For tasks that are spawned later.
    pub template: Template,
    /// For listings.
    pub command: String,
    /// Its tasks by number, on all hosts when its home is here.
    pub tasks: Vec<TaskId>,
    /// The numbers of its tasks.
    pub numbers: HashMap<TaskId, u32>,
    /// Its home, when that is another host.
    pub part: Option<Part>,
    /// Where else it has tasks, when its home is here.
    pub parts: BTreeMap<u16, RemotePart>,
    /// Launches and spawns that wait for other hosts.
    pub assemblies: Vec<Assembly>,
    /// The launch that is not answered yet.
    pub launch: Option<Asked>,
    /// Ends of tasks that came before the launch was answered.
    pub held: Vec<TaskEnded>,
    /// Pipes that nobody reads yet, by number of the task.
    pub pipes: BTreeMap<u32, [OwnedFd; 2]>,
    /// Output of other hosts that came before the launch was answered.
    pub held_output: Vec<(u16, Output)>,
    /// Spawns that are not answered yet.
    pub batches: Vec<Batch>,
    /// Feeds the tasks' standard input.
    pub feeder: Option<Feeder>,
    /// The kernel's counters when the job began.
    pub oom: OomCounter,
    /// Programs of its launch that are copied.
    pub programs: Programs,
    /// Last number of an assembly.
    pub last_assembly: u64,
}

impl JobEntry {
    /// Whether the lease is told of what happens: not for adopted tasks, unless their home is elsewhere.
    fn is_followed(&self) -> bool {
        self.keeper.is_some() || self.part.is_some()
    }

    /// A number for an assembly.
    pub fn next_assembly(&mut self) -> u64 {
        self.last_assembly += 1;
        self.last_assembly
    }
}

impl Hub {
    /// Lets something happen to a job and does what its state machine decides.
    pub(super) fn drive(
        &mut self,
        job: JobId,
        event: impl FnOnce(&mut Job, Instant, &mut Vec<Action>),
    ) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let mut actions = Vec::new();
        event(&mut entry.life, Instant::now(), &mut actions);
        for action in actions {
            self.act(job, action);
        }
        self.changed.notify_one();
    }

    fn act(&mut self, job: JobId, action: Action) {
        match action {
            Action::Started => self.job_started(job),
            Action::Refused(failure) => self.job_refused(job, failure),
            Action::EndProcesses(grace) => self.end_processes(job, grace),
            Action::KillKeeper => self.kill_keeper(job),
            Action::News(text) => self.tell_news(job, text),
            Action::Report(ended) => self.report(job, ended),
            Action::Ended(summary) => self.job_ended(job, summary),
        }
    }

    fn job_started(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let asked = entry.launch.take();
        let held = std::mem::take(&mut entry.held);
        let numbers: Vec<_> = entry.pipes.keys().copied().collect();
        let feeder = entry.feeder.clone();
        let tasks = self.started_tasks(job);
        let hosts = tasks.iter().filter_map(|task| TaskId::from_bits(task.task));
        let hosts: BTreeSet<u16> = hosts.map(TaskId::host).collect();
        let named = hosts.into_iter().map(|host| NamedHost {
            index: host.into(),
            name: self.host_name(host),
        });
        let started = JobStarted {
            job: job.0,
            hosts: named.collect(),
            tasks,
        };
        if let Some(asked) = asked {
            self.answer(asked, from_daemon::Body::JobStarted(started));
        }
        self.release_output(job);
        // Also when the launcher has gone meanwhile: the job ends with the last of its pipes.
        for number in numbers {
            self.read_output(job, number);
        }
        for ended in held {
            self.report(job, ended);
        }
        if let Some(feeder) = feeder {
            feeder.demand(self, job);
        }
    }

    /// The tasks of a job that has just started.
    fn started_tasks(&self, job: JobId) -> Vec<StartedTask> {
        let Some(entry) = self.jobs.get(&job) else {
            return Vec::new();
        };
        let tasks = entry.tasks.iter().zip(0..).map(|(id, rank)| StartedTask {
            task: id.bits(),
            pid: entry.life.pid(rank),
            rank,
        });
        tasks.collect()
    }

    fn job_refused(&mut self, job: JobId, failure: Failure) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        // The launcher's part in the job is over with this answer.
        entry.lease = None;
        let unread = std::mem::take(&mut entry.pipes);
        if let Some(asked) = entry.launch.take() {
            self.conclude(asked, Err(failure));
        }
        // Nobody reads it, but the hosts that have sent it wait until it is taken.
        self.release_output(job);
        for _ in 0..unread.len() * 2 {
            self.drive(job, |life, now, out| life.stream_closed(now, out));
        }
    }

    /// Starts to pass on the output of one task.
    pub(super) fn read_output(&mut self, job: JobId, number: u32) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let Some([stdout, stderr]) = entry.pipes.remove(&number) else {
            return;
        };
        for (pipe, stream) in [(stdout, Stream::Stdout), (stderr, Stream::Stderr)] {
            let sink = self.sink(job, number, stream).unwrap_or(Sink::Nobody);
            self.spawn(|hub| stdio::pump(hub, job, pipe, sink));
        }
    }

    /// Where the output of a task goes; `None`: the job has gone.
    pub(super) fn sink(&self, job: JobId, number: u32, stream: Stream) -> Option<Sink> {
        let entry = self.jobs.get(&job)?;
        let task = entry.tasks.get(number as usize)?;
        let launcher = entry.lease.and_then(|lease| self.clients.get(&lease));
        Some(match (launcher, &entry.part) {
            (Some(client), None) => Sink::launcher(client.outbox.clone(), job, number, stream),
            (Some(client), Some(part)) => {
                let number = self.tasks.get(task).map_or(number, |task| task.home_number);
                let allowance = part.allowance.clone();
                Sink::home(client.outbox.clone(), allowance, job, number, stream)
            }
            (None, _) if entry.life.is_ending() => Sink::Nobody,
            (None, _) => Sink::log(self.facts.log.clone(), task.to_string()),
        })
    }

    fn end_processes(&mut self, job: JobId, grace: Duration) {
        self.note_calls(job);
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        if let Some(feeder) = entry.feeder.take() {
            feeder.stop();
        }
        if let Some(keeper) = &entry.keeper {
            let grace_ms = grace.as_millis() as u32;
            let body = Some(to_keeper::Body::End(KeeperEnd { grace_ms }));
            keeper.outbox.push(&ToKeeper { body }, Vec::new());
        }
        self.disconnect_tasks(job);
        self.end_parts(job, grace);
    }

    /// What its tasks wait for, before they are told to end: afterwards they do not.
    fn note_calls(&mut self, job: JobId) {
        let tasks = self.tasks.values_mut();
        for task in tasks.filter(|task| task.job == Some(job)) {
            task.last_call = task.last_call.or_else(|| task.call());
        }
    }

    /// Tasks that we have not started cannot be ended: their connections are.
    fn disconnect_tasks(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        for id in entry.tasks.clone() {
            let task = self.tasks.get(&id);
            let Some(task) = task.filter(|task| task.origin != Origin::Started) else {
                continue;
            };
            match task.attachment().and_then(|a| self.clients.get(&a.client)) {
                Some(client) => client.outbox.close(),
                None => {
                    let number = task.number;
                    self.forget_task(id);
                    self.drive(job, |life, now, out| {
                        life.task_ended(number, Exit::default(), now, out);
                    });
                }
            }
        }
    }

    fn kill_keeper(&mut self, job: JobId) {
        let Some(keeper) = self.jobs.get(&job).and_then(|entry| entry.keeper.as_ref()) else {
            return;
        };
        tracing::warn!(
            "the keeper of {job} (pid {}) does not end its processes",
            keeper.pid
        );
        if keeper.reaped.is_none()
            && let Some(pid) = rustix::process::Pid::from_raw(keeper.pid)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    fn tell_news(&self, job: JobId, text: String) {
        if let Some(lease) = self.jobs.get(&job).and_then(|entry| entry.lease) {
            let news = JobNews { job: job.0, text };
            self.tell(lease, from_daemon::Body::JobNews(news));
        }
    }

    fn report(&mut self, job: JobId, mut ended: TaskEnded) {
        ended.host = self.host_of(&ended);
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        if self.is_cut_off && entry.part.is_some() {
            // It was stopped for no fault of its own; the home may not know yet that it is cut off, too.
            ended.status = Some(ExitStatus {
                how: Some(How::HostLost(true)),
                core_dumped: false,
            });
        }
        if entry.launch.is_some() {
            entry.held.push(ended);
        } else if let Some(lease) = entry.lease
            && entry.is_followed()
        {
            tracing::debug!(
                "rank {} of {job} (pid {}) has ended: {:?}",
                ended.rank,
                ended.pid,
                ended.status.and_then(|status| status.how)
            );
            self.tell(lease, from_daemon::Body::TaskEnded(ended));
        }
    }

    /// Name of the host of a task that has ended.
    fn host_of(&self, ended: &TaskEnded) -> String {
        let id = TaskId::from_bits(ended.task);
        id.map_or_else(String::new, |id| self.host_name(id.host()))
    }

    fn job_ended(&mut self, job: JobId, mut summary: Summary) {
        let Some(mut entry) = self.jobs.remove(&job) else {
            return;
        };
        let prepared = entry.part.iter_mut().flat_map(Part::take_prepared);
        let prepared: Vec<_> = prepared.collect();
        for id in entry.tasks.iter().chain(&prepared) {
            if self.hosts.is_mine(*id) {
                self.forget_task(*id);
            }
        }
        if let Some(asked) = entry.launch.take() {
            self.conclude(asked, Err(super::request::no_such_job(job, "start")));
        }
        for assembly in std::mem::take(&mut entry.assemblies) {
            self.give_up(job, assembly);
        }
        let mut oom_evidence = String::new();
        if let Some(cause) = &mut summary.first_cause {
            cause.host = self.host_of(cause);
            // The counters are those of this host.
            let id = TaskId::from_bits(cause.task);
            if id.is_some_and(|id| self.hosts.is_mine(id)) {
                oom_evidence = evidence(&entry.oom, cause);
            }
        }
        tracing::info!("{job} has ended: {}", summary.reason.as_str_name());
        if let Some(lease) = entry.lease
            && entry.is_followed()
        {
            let ended = JobEnded {
                job: job.0,
                oom_evidence,
                first_cause: summary.first_cause,
                stopped: summary.stopped,
                reason: summary.reason.into(),
            };
            self.tell(lease, from_daemon::Body::JobEnded(ended));
        }
        self.changed.notify_one();
    }

    /// The connection that a job depends on has ended.
    pub(super) fn lease_lost(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.lease = None;
            entry.launch = None;
            if let Some(part) = &entry.part {
                // Nobody takes its output any more: what waits for that goes on.
                part.allowance.close();
            }
        }
        self.drive(job, |life, now, out| {
            life.terminate(EndReason::EndInterrupted, crate::job::life::GRACE, now, out);
        });
        self.release_output(job);
    }

    /// A connection has ended.
    pub(super) fn client_gone(&mut self, client: ClientId) {
        let Some(gone) = self.clients.remove(&client) else {
            return;
        };
        gone.outbox.close();
        self.unwatch(client, |watches| watches.forget(client));
        self.forget_tickets(client);
        if let Role::Task(task) = gone.role {
            self.connection_lost(task);
        }
        let is_leased = |entry: &&JobEntry| entry.lease == Some(client);
        let leased = self.jobs.iter().filter(|(_, entry)| is_leased(entry));
        let leased: Vec<_> = leased.map(|(id, _)| *id).collect();
        leased.into_iter().for_each(|job| self.lease_lost(job));
        self.changed.notify_one();
    }

    /// One start of a spawn is decided; answers the spawn when it was the last.
    pub(super) fn spawn_decided(&mut self, job: JobId, number: u32, result: SpawnResult) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let found = entry
            .batches
            .iter()
            .position(|batch| batch.open.contains_key(&number));
        let Some(index) = found else { return };
        let batch = &mut entry.batches[index];
        if let Some(at) = batch.open.remove(&number) {
            batch.results[at] = Some(result);
        }
        if batch.open.is_empty() {
            let batch = entry.batches.swap_remove(index);
            self.answer_spawn(batch);
        }
    }

    /// Answers a spawn of which everything is known.
    pub(super) fn answer_spawn(&self, batch: Batch) {
        let results = batch.results.into_iter().flatten().collect();
        self.answer(batch.asked, from_daemon::Body::Spawned(Spawned { results }));
    }

    /// Whether the task's end is known to the keeper or the system, not to a connection.
    pub(super) fn is_process_of(&self, id: TaskId, job: JobId) -> bool {
        self.tasks
            .get(&id)
            .is_some_and(|t| t.origin == Origin::Started && t.job == Some(job))
    }
}

/// A SIGKILL that we have not sent, and the kernel's counters have grown.
fn evidence(counter: &OomCounter, cause: &TaskEnded) -> String {
    match cause.status {
        Some(ExitStatus {
            how: Some(How::Signal(libc::SIGKILL)),
            ..
        }) => counter.evidence().unwrap_or_default(),
        _ => String::new(),
    }
}
