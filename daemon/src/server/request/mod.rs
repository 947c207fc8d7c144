//! What clients ask for: one file per kind of request.

mod adopt;
mod attach;
mod channel;
mod end;
mod examine;
mod group;
mod kill;
mod list;
mod notify;
mod open;
mod run;
mod spawn;

pub use adopt::ADOPTED;
pub use group::GroupDesk;
pub use run::{Input, template};

use super::failure::failure;
use super::hub::{Asked, Hub, Role};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{Done, Failure, FailureCode, StdinPolicy, from_daemon, to_daemon::Body};
use std::os::fd::OwnedFd;

/// What a request is answered with; `None`: later.
pub type Reply = Result<Option<from_daemon::Body>, Failure>;

/// That it is done.
pub const DONE: Reply = Ok(Some(from_daemon::Body::Done(Done {})));

/// Descriptors that come beside a request.
pub fn descriptors(body: Option<&Body>) -> usize {
    match body {
        Some(Body::Run(run)) if run.stdin() == StdinPolicy::StdinOne => 1,
        _ => 0,
    }
}

impl Hub {
    /// Takes one request.
    pub(super) fn request(&mut self, asked: Asked, body: Option<Body>, fds: Vec<OwnedFd>) {
        let reply = match body {
            Some(body) => self.obey(asked, body, fds),
            None => Err(malformed("reading a request", "this pvmd does not know it")),
        };
        match reply {
            Ok(Some(body)) => self.answer(asked, body),
            Ok(None) => {}
            Err(failure) => self.conclude(asked, Err(failure)),
        }
    }

    fn obey(&mut self, asked: Asked, body: Body, fds: Vec<OwnedFd>) -> Reply {
        match body {
            Body::Hello(_) => Err(malformed("reading a request", "a second Hello")),
            Body::OpenChannel(open) => self.open_channel(asked, open.peer),
            Body::CloseChannel(close) => self.close_channel(asked, close.peer),
            Body::Detach(_) => self.leave(asked),
            Body::Run(run) => self.run(asked, run, fds),
            Body::Spawn(spawn) => self.spawn_tasks(asked, spawn),
            Body::ListTasks(list) => {
                Ok(self.gather(asked, self.list_tasks(&list), Body::ListTasks(list)))
            }
            Body::ListHosts(list) if list.known => Ok(Some(self.list_known_hosts())),
            Body::ListHosts(list) => {
                Ok(self.gather(asked, self.list_hosts(), Body::ListHosts(list)))
            }
            Body::ListJobs(list) => Ok(self.gather(asked, self.list_jobs(), Body::ListJobs(list))),
            Body::Kill(kill) => self.kill(asked, kill),
            Body::Notify(notify) => self.notify(asked, notify),
            Body::Stdin(stdin) => self.feed_stdin(asked, stdin),
            Body::Terminate(terminate) => self.terminate(asked, terminate),
            Body::Halt(halt) => self.ask_halt(asked, halt),
            Body::GroupJoin(join) => self.group_join(asked, join.name),
            Body::GroupLeave(leave) => self.group_leave(asked, leave.name),
            Body::GroupQuery(query) => self.group_query(asked, &query.name),
            Body::GroupBarrier(barrier) => self.group_barrier(asked, barrier),
            Body::Adopt(adopt) => self.adopt(asked, adopt),
            Body::PreparePart(prepare) => self.prepare_part(asked, prepare),
            Body::StartPart(start) => self.start_part(asked, start),
            Body::OutputTaken(taken) => self.output_taken(asked, &taken),
            Body::OpenVm(open) => self.open_vm(asked, open.stay),
            Body::IssueToken(issue) => self.issue_token(&issue),
            Body::RemoveHost(remove) => self.remove_host(asked, remove),
            Body::Relay(relay) => self.relay(asked, relay),
            Body::OpenRoute(open) => self.open_route(asked, &open),
            Body::RouteListening(listening) => self.route_listening(asked, &listening),
            Body::RouteFor(route) => self.route_for(asked, route),
            Body::SpawnFor(spawn) => self.spawn_for(asked, spawn),
            Body::Examine(examine) => self.examine(asked, &examine),
        }
    }

    /// The task that asks.
    pub(super) fn caller(&self, asked: Asked, what: &str) -> Result<TaskId, Failure> {
        match self.clients.get(&asked.client).map(|client| client.role) {
            Some(Role::Task(task)) => Ok(task),
            _ => Err(malformed(what, "only an attached task can ask for this")),
        }
    }

    /// Whether tasks may be started: not where the virtual machine cannot decide.
    pub(super) fn check_may_start(&self, what: &str) -> Result<(), Failure> {
        self.check_serves(what)?;
        if !self.is_cut_off {
            return Ok(());
        }
        let why = format!(
            "{} is cut off from most hosts of the virtual machine",
            self.facts.host
        );
        let next = "see which answer: pvm conf";
        Err(failure(FailureCode::FailureHostLost, what, why, next))
    }

    /// No new work once a halt is under way, or while this host has no place.
    pub(super) fn check_serves(&self, what: &str) -> Result<(), Failure> {
        if self.is_halting() {
            let (why, next) = ("pvmd is being halted", "start another daemon");
            return Err(failure(FailureCode::FailureEnding, what, why, next));
        }
        if self.is_returning {
            let host = &self.facts.host;
            let why = format!("{host} was lost for the other hosts and is joining them again");
            let next = "see whether it is back: pvm conf";
            return Err(failure(FailureCode::FailureHostLost, what, why, next));
        }
        Ok(())
    }
}

/// A request that makes no sense.
pub fn malformed(what: &str, why: &str) -> Failure {
    failure(FailureCode::FailureMalformed, what, why, "")
}

/// A task that is not there.
pub fn no_such_task(task: TaskId, verb: &str) -> Failure {
    failure(
        FailureCode::FailureNoSuchTask,
        format!("cannot {verb} {task}"),
        "there is no such task, or it has ended",
        "'pvm ps' lists the tasks",
    )
}

fn task_id(bits: u64, verb: &str) -> Result<TaskId, Failure> {
    TaskId::from_bits(bits).ok_or_else(|| {
        failure(
            FailureCode::FailureNoSuchTask,
            format!("cannot {verb} task {bits:#x}"),
            "this is not a task id",
            "'pvm ps' lists the tasks",
        )
    })
}

/// A job that is not there.
pub fn no_such_job(job: JobId, verb: &str) -> Failure {
    failure(
        FailureCode::FailureNoSuchJob,
        format!("cannot {verb} {job}"),
        "there is no such job, or it has ended",
        "'pvm ps' lists the jobs",
    )
}
