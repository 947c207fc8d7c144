//! The daemon's side of its keepers, and of the orphans of lost ones.

use super::failure::failure;
use super::hub::{Hub, Shared};
use super::jobs::{JobEntry, Keeper};
use super::outbox::Outbox;
use super::stream::{self, Reader};
use crate::host::{cgroup, descendants, keeper};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    EndReason, ExitStatus, Failure, FailureCode, FromKeeper, KeeperFailed, SpawnResult, from_keeper,
};
use rustix::process::{Signal, WaitOptions, WaitStatus, getpid, wait};
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;

/// Pause between two rounds of killing orphans.
const SWEEP_PAUSE: Duration = Duration::from_millis(5);
/// Longest sweep: what hangs in the kernel is left to it.
const SWEEP_MAX: Duration = Duration::from_secs(10);

/// Starts a keeper for a job.
///
/// # Errors
/// When processes or descriptors run out.
pub fn start(hub: &Hub, job: JobId) -> io::Result<Keeper> {
    let process = keeper::start(&job.to_string(), hub.facts.open_files)?;
    let socket = std::os::unix::net::UnixStream::from(process.socket);
    socket.set_nonblocking(true)?;
    let stream = Rc::new(UnixStream::from_std(socket)?);
    let outbox = Outbox::default();
    tokio::task::spawn_local(stream::write(stream.clone(), outbox.clone(), || ()));
    hub.spawn(|hub| listen(hub, job, Reader::new(stream)));
    Ok(Keeper {
        pid: process.pid,
        outbox,
        is_silent: false,
        reaped: None,
    })
}

async fn listen(hub: Shared, job: JobId, mut reader: Reader) {
    while let Ok(message) = reader.next::<FromKeeper>().await {
        if let Some(body) = message.body {
            hub.borrow_mut().keeper_said(job, body);
        }
    }
    hub.borrow_mut().keeper_silent(job);
}

impl Hub {
    fn keeper_said(&mut self, job: JobId, body: from_keeper::Body) {
        let id = match &body {
            from_keeper::Body::Started(started) => started.task,
            from_keeper::Body::Failed(failed) => failed.task,
            from_keeper::Body::Exited(exited) => exited.task,
        };
        let Some(id) = TaskId::from_bits(id).filter(|id| self.is_process_of(*id, job)) else {
            return;
        };
        match body {
            from_keeper::Body::Started(started) => self.process_started(job, id, started.pid),
            from_keeper::Body::Failed(failed) => {
                let program = self
                    .tasks
                    .get(&id)
                    .map_or_else(String::new, |t| t.program.clone());
                self.process_not_started(job, id, start_failure(&program, &failed));
            }
            from_keeper::Body::Exited(exited) => {
                self.process_ended(id, exited.status.unwrap_or_default(), exited.max_rss_kib);
            }
        }
    }

    fn process_started(&mut self, job: JobId, id: TaskId, pid: u32) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        (task.pid, task.since) = (pid, Instant::now());
        self.tell_start(job, id, pid, None);
        self.task_started(job, id, pid);
    }

    /// A task of a job, on whatever host, is running.
    pub(super) fn task_started(&mut self, job: JobId, id: TaskId, pid: u32) {
        let entry = self.jobs.get(&job);
        let Some(number) = entry.and_then(|entry| entry.numbers.get(&id).copied()) else {
            return;
        };
        self.drive(job, |life, now, out| life.started(number, pid, now, out));
        if self
            .jobs
            .get(&job)
            .is_some_and(|entry| entry.launch.is_none())
        {
            self.read_output(job, number);
        }
        let task = id.bits();
        self.spawn_decided(
            job,
            number,
            SpawnResult {
                task,
                ..SpawnResult::default()
            },
        );
    }

    pub(super) fn process_not_started(&mut self, job: JobId, id: TaskId, why: Failure) {
        if self.tasks.contains_key(&id) {
            self.forget_task(id);
            self.tell_start(job, id, 0, Some(why.clone()));
            self.task_not_started(job, id, why);
        }
    }

    /// A task of a job, on whatever host, could not be started.
    pub(super) fn task_not_started(&mut self, job: JobId, id: TaskId, why: Failure) {
        let entry = self.jobs.get(&job);
        let Some(number) = entry.and_then(|entry| entry.numbers.get(&id).copied()) else {
            return;
        };
        let result = SpawnResult {
            failure: Some(why.clone()),
            ..SpawnResult::default()
        };
        self.spawn_decided(job, number, result);
        let pipes = self
            .jobs
            .get_mut(&job)
            .and_then(|entry| entry.pipes.remove(&number));
        if pipes.is_some() {
            for _ in 0..2 {
                self.drive(job, |life, now, out| life.stream_closed(now, out));
            }
        }
        self.drive(job, |life, now, out| {
            life.not_started(number, why, now, out)
        });
    }

    fn keeper_silent(&mut self, job: JobId) {
        if let Some(keeper) = self
            .jobs
            .get_mut(&job)
            .and_then(|entry| entry.keeper.as_mut())
        {
            keeper.is_silent = true;
            keeper.outbox.break_off();
        }
        self.check_keeper(job);
    }

    /// Reaps keepers, and orphans that have fallen to the daemon.
    pub fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            let is_keeper = |entry: &JobEntry| {
                entry
                    .keeper
                    .as_ref()
                    .is_some_and(|k| k.pid == pid && k.reaped.is_none())
            };
            match self.jobs.iter_mut().find(|(_, entry)| is_keeper(entry)) {
                Some((job, entry)) => {
                    let job = *job;
                    if let Some(keeper) = &mut entry.keeper {
                        keeper.reaped = Some(status.exit_status() == Some(0));
                    }
                    self.check_keeper(job);
                }
                None => self.orphan_ended(pid as u32, status),
            }
        }
    }

    fn orphan_ended(&mut self, pid: u32, status: WaitStatus) {
        let is_it = |id: &&TaskId| self.tasks[*id].pid == pid;
        if let Some(id) = self.tasks.keys().find(is_it).copied() {
            let how = match status.terminating_signal() {
                Some(signal) => How::Signal(signal),
                None => How::Code(status.exit_status().unwrap_or_default()),
            };
            let status = ExitStatus {
                how: Some(how),
                core_dumped: false,
            };
            if let Some(job) = self.tasks.get(&id).and_then(|task| task.job) {
                self.keeper_lost(job);
            }
            self.process_ended(id, status, 0);
        }
    }

    fn keeper_lost(&mut self, job: JobId) {
        self.drive(job, |life, now, out| {
            life.terminate(EndReason::EndKeeperLost, Duration::ZERO, now, out);
        });
    }

    /// A keeper that has ended as it should leaves nothing behind; else its orphans are ended.
    fn check_keeper(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        let Some(Keeper {
            is_silent: true,
            reaped: Some(is_clean),
            pid,
            ..
        }) = entry.keeper
        else {
            return;
        };
        let all_told = !entry.tasks.iter().any(|id| self.is_open(*id));
        if is_clean && all_told {
            return self.drive(job, |life, now, out| life.keeper_gone(now, out));
        }
        tracing::warn!("the keeper of {job} (pid {pid}) was lost: its processes are ended");
        self.keeper_lost(job);
        self.spawn(|hub| async move {
            sweep(&hub).await;
            cgroup::clear_after(pid);
            hub.borrow_mut().close_after_sweep(job);
        });
    }

    /// Whether the end of the task's process has not been told.
    fn is_open(&self, id: TaskId) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.exit.is_none())
    }

    /// No process of the job is left: what was not told by then was killed.
    fn close_after_sweep(&mut self, job: JobId) {
        self.drive(job, |life, now, out| life.keeper_gone(now, out));
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        for id in entry.tasks.clone() {
            if !self.is_open(id) {
                continue;
            }
            if self.tasks.get(&id).is_some_and(|task| task.pid == 0) {
                self.process_not_started(job, id, keeper_lost());
                continue;
            }
            let killed = ExitStatus {
                how: Some(How::Signal(libc::SIGKILL)),
                core_dumped: false,
            };
            self.process_ended(id, killed, 0);
        }
    }

    fn living_keepers(&self) -> HashSet<i32> {
        let keepers = self.jobs.values().filter_map(|entry| entry.keeper.as_ref());
        keepers
            .filter(|k| k.reaped.is_none())
            .map(|k| k.pid)
            .collect()
    }
}

/// Kills everything below the daemon that is not a living keeper's.
async fn sweep(hub: &Shared) {
    let deadline = Instant::now() + SWEEP_MAX;
    loop {
        let spare = hub.borrow().living_keepers();
        let orphans = descendants::of(getpid(), &spare);
        if orphans.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            tracing::error!("{} processes cannot be ended: {orphans:?}", orphans.len());
            return;
        }
        descendants::signal(&orphans, Signal::KILL);
        // What forks meanwhile is found in the next round; there is no event to wait for.
        tokio::time::sleep(SWEEP_PAUSE).await;
    }
}

fn keeper_lost() -> Failure {
    failure(
        FailureCode::FailureInternal,
        "cannot start the tasks",
        "the job's keeper process was killed",
        "try again",
    )
}

/// Says why a process could not be started although its program was found.
fn start_failure(program: &str, failed: &KeeperFailed) -> Failure {
    let (code, next) = match (failed.step.as_str(), failed.errno) {
        ("directory", _) => (FailureCode::FailureDirectory, "name another directory"),
        ("binding", _) => (FailureCode::FailureResources, "write --bind-to none"),
        (_, libc::ENOEXEC) => (
            FailureCode::FailureProgramWrongFormat,
            "build it for this host",
        ),
        (_, libc::EACCES) => (
            FailureCode::FailureProgramNotExecutable,
            "check its permissions",
        ),
        (_, libc::ENOENT) => (
            FailureCode::FailureProgramNotFound,
            "it, its interpreter or its loader is missing on this host",
        ),
        (_, libc::E2BIG) => (
            FailureCode::FailureResources,
            "shorten arguments or environment",
        ),
        (_, libc::ECANCELED) => (FailureCode::FailureEnding, ""),
        (_, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => (
            FailureCode::FailureResources,
            "start fewer tasks, or raise the limits",
        ),
        _ => (FailureCode::FailureInternal, ""),
    };
    let why = match failed.errno {
        libc::ECANCELED => "the job is being ended".to_owned(),
        errno => format!("{}: {}", failed.step, io::Error::from_raw_os_error(errno)),
    };
    failure(code, format!("cannot start '{program}'"), why, next)
}
