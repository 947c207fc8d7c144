//! What happens on other hosts to the jobs that have their home here, and to tasks that are watched.

use super::assembly::there;
use super::hub::{ClientId, Hub, Shared};
use super::stdio::Sink;
use crate::cluster::registry::HostId;
use crate::job::life::Exit;
use crate::job::watch::{TRANSPORT_TOKEN, Watches};
use prost::bytes::Bytes;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    ExitStatus, Notify, Output, OutputTaken, Stream, TaskEnded, TaskExited, TaskStarted, Terminate,
    from_daemon, to_daemon,
};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// The part of a job on another host, as the home sees it.
pub struct RemotePart {
    /// What it wrote, and at last its end, in order.
    news: mpsc::UnboundedSender<News>,
    /// Its end has been told. What is prepared there now is not of this part.
    is_over: bool,
}

/// What a part tells that has to wait for the launcher. The part's allowance bounds it.
enum News {
    Output(Output),
    Over,
}

impl Hub {
    /// The job has tasks on a host, from now until its end.
    pub(super) fn add_part(&mut self, job: JobId, host: u16) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        if entry.parts.contains_key(&host) {
            return;
        }
        let (news, waiting) = mpsc::unbounded_channel();
        entry.life.part_added();
        let part = RemotePart {
            news,
            is_over: false,
        };
        entry.parts.insert(host, part);
        self.spawn(|hub| pass_on(hub, job, host, waiting));
    }

    /// Whether the part on a host is there, as far as that has told.
    pub(super) fn has_part(&self, job: JobId, host: u16) -> bool {
        let part = self.jobs.get(&job).and_then(|entry| entry.parts.get(&host));
        part.is_some_and(|part| !part.is_over)
    }

    /// Tells all parts of a job to end.
    pub(super) fn end_parts(&mut self, job: JobId, grace: Duration) {
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        for host in entry.parts.keys().copied().collect::<Vec<_>>() {
            let terminate = Terminate {
                job: job.0,
                force: grace.is_zero(),
                reason: String::new(),
            };
            let order = to_daemon::Body::Terminate(terminate);
            self.ask_host(host, order, move |hub, result| {
                if result.is_err() {
                    // It has not prepared anything, or all of that has ended and been told.
                    hub.part_over(host, job.0);
                }
            });
        }
    }

    pub(super) fn part_task_started(&mut self, host: u16, started: TaskStarted) {
        let job = JobId(started.job);
        let id = TaskId::from_bits(started.task).filter(|id| id.host() == host);
        let Some(id) = id else { return };
        match started.failure {
            None => self.task_started(job, id, started.pid),
            Some(failure) => {
                let failure = there(failure, &self.host_name(host));
                self.task_not_started(job, id, failure);
            }
        }
    }

    pub(super) fn part_task_ended(&mut self, host: u16, ended: TaskEnded) {
        let id = TaskId::from_bits(ended.task).filter(|id| id.host() == host);
        let exit = Exit {
            status: ended.status.unwrap_or_default(),
            while_attached: ended.while_attached,
            watched: false,
            excused: ended.excused,
            max_rss_kib: ended.max_rss_kib,
            call: ended.call,
        };
        if let Some(id) = id {
            self.remote_task_ended(JobId(ended.job), id, exit);
        }
    }

    fn remote_task_ended(&mut self, job: JobId, id: TaskId, exit: Exit) {
        let entry = self.jobs.get(&job);
        if let Some(number) = entry.and_then(|entry| entry.numbers.get(&id).copied()) {
            self.drive(job, |life, now, out| {
                life.task_ended(number, exit, now, out)
            });
        }
    }

    pub(super) fn part_output(&mut self, host: u16, output: Output) {
        let Some(entry) = self.jobs.get_mut(&JobId(output.job)) else {
            return;
        };
        let task = entry.tasks.get(output.rank as usize);
        if task.is_none_or(|task| task.host() != host) {
            return;
        }
        if entry.launch.is_some() {
            entry.held_output.push((host, output));
        } else if let Some(part) = entry.parts.get(&host) {
            // Its reader ends with the part.
            let _ = part.news.send(News::Output(output));
        }
    }

    /// The launch has been answered: what other hosts have sent meanwhile can be passed on.
    pub(super) fn release_output(&mut self, job: JobId) {
        let entry = self.jobs.get_mut(&job);
        let held = entry.map(|entry| std::mem::take(&mut entry.held_output));
        for (host, output) in held.unwrap_or_default() {
            self.part_output(host, output);
        }
    }

    /// The tasks of a part have taken the input that they were sent.
    pub(super) fn part_demands(&self, host: u16, job: u64) {
        let entry = self.jobs.get(&JobId(job));
        if let Some(feeder) = entry.and_then(|entry| entry.feeder.as_ref()) {
            feeder.has_taken(host);
        }
    }

    pub(super) fn part_over(&mut self, host: u16, job: u64) {
        let entry = self.jobs.get_mut(&JobId(job));
        if let Some(part) = entry.and_then(|entry| entry.parts.get_mut(&host)) {
            part.is_over = true;
            let _ = part.news.send(News::Over);
        }
    }

    /// All output of a part has been passed on, and nothing of it is left.
    fn part_ended(&mut self, job: JobId, host: u16) {
        let gone = self.jobs.get_mut(&job).and_then(|e| e.parts.remove(&host));
        if gone.is_none() {
            return;
        }
        self.close_part(job, host, How::Unknown(true));
        self.drive(job, |life, now, out| life.part_gone(now, out));
    }

    /// A host is lost: its tasks are dead.
    pub(super) fn parts_lost(&mut self, place: HostId) {
        let has_part =
            |(_, entry): &(&JobId, &super::jobs::JobEntry)| entry.parts.contains_key(&place.index);
        let jobs: Vec<_> = self
            .jobs
            .iter()
            .filter(has_part)
            .map(|(id, _)| *id)
            .collect();
        for job in jobs {
            self.close_part(job, place.index, How::HostLost(true));
            self.part_over(place.index, job.0);
        }
    }

    /// Ends what is still open of a part that has gone.
    fn close_part(&mut self, job: JobId, host: u16, how: How) {
        let Some(entry) = self.jobs.get(&job) else {
            return;
        };
        if let Some(feeder) = &entry.feeder {
            feeder.forget(host);
        }
        let numbers = entry.numbers.iter();
        let open = numbers.filter(|(id, number)| id.host() == host && entry.life.is_open(**number));
        let mut open: Vec<_> = open.map(|(id, number)| (*number, *id)).collect();
        open.sort_unstable();
        let has_started: Vec<_> = open
            .iter()
            .map(|(number, _)| entry.life.has_started(*number))
            .collect();
        for ((number, id), has_started) in open.into_iter().zip(has_started) {
            if !has_started {
                let why = super::hosts::host_lost(&self.host_name(host), "it does not answer");
                self.task_not_started(job, id, why);
                continue;
            }
            let status = ExitStatus {
                how: Some(how),
                core_dumped: false,
            };
            let exit = Exit {
                status,
                ..Exit::default()
            };
            self.drive(job, |life, now, out| {
                life.task_ended(number, exit, now, out)
            });
        }
    }

    /// Makes sure that the end of a task on another host is told here.
    pub(super) fn watch_remote(&mut self, id: TaskId, token: u64) {
        let Some(host) = self.hosts.of(id) else {
            return;
        };
        // Whether anybody but the transport wants to know makes a difference there.
        let token = match token {
            TRANSPORT_TOKEN => token,
            _ => id.bits(),
        };
        let notify = Notify {
            token,
            tasks: vec![id.bits()],
            cancel: false,
        };
        self.tell_host(host, to_daemon::Body::Notify(notify));
    }

    /// Takes subscriptions away, here and on the hosts of the tasks: it makes a difference there
    /// whether anybody deals with a task's end.
    pub(super) fn unwatch(&mut self, client: ClientId, take: impl FnOnce(&mut Watches<ClientId>)) {
        let is_far = |id: &TaskId| self.hosts.of(*id).is_some();
        let far: Vec<_> = self.watches.watched_by(client).filter(is_far).collect();
        take(&mut self.watches);
        for id in far {
            let host = self.hosts.of(id);
            if let (Some(host), false) = (host, self.watches.is_watched(id)) {
                let notify = Notify {
                    token: id.bits(),
                    tasks: Vec::new(),
                    cancel: true,
                };
                self.tell_host(host, to_daemon::Body::Notify(notify));
            }
        }
    }

    /// The tasks of a lost host that are watched here have ended.
    pub(super) fn watched_lost(&mut self, place: HostId) {
        let status = ExitStatus {
            how: Some(How::HostLost(true)),
            core_dumped: false,
        };
        let is_there =
            |id: &TaskId| id.host() == place.index && id.incarnation() == place.incarnation;
        for id in self.watches.tasks().filter(is_there).collect::<Vec<_>>() {
            self.tell_exit(id, &status);
        }
    }

    /// Tells those who watch a task of its end.
    pub(super) fn tell_exit(&mut self, id: TaskId, status: &ExitStatus) {
        for (client, tokens) in self.watches.take(id) {
            let exited = TaskExited {
                task: id.bits(),
                status: Some(*status),
                tokens,
                relays: 0,
            };
            self.tell(client, from_daemon::Body::TaskExited(exited));
        }
    }
}

/// Passes on what a part writes, as fast as the launcher takes it, and then its end.
async fn pass_on(hub: Shared, job: JobId, host: u16, mut news: mpsc::UnboundedReceiver<News>) {
    let mut sinks: HashMap<(u32, i32), Sink> = HashMap::new();
    while let Some(News::Output(output)) = news.recv().await {
        let key = (output.rank, output.stream);
        let size = output.data.len();
        let is_last = output.eof;
        let sink = match sinks.remove(&key) {
            Some(sink) => Some(sink),
            None => {
                let stream = Stream::try_from(output.stream).unwrap_or(Stream::Stdout);
                hub.borrow().sink(job, output.rank, stream)
            }
        };
        let mut sink = sink.unwrap_or(Sink::Nobody);
        sink.take(output.data, is_last).await;
        if !is_last {
            sinks.insert(key, sink);
        }
        if size > 0 {
            let taken = OutputTaken {
                job: job.0,
                bytes: size as u64,
            };
            hub.borrow()
                .tell_host(host, to_daemon::Body::OutputTaken(taken));
        }
    }
    // Lines without an end, of tasks whose host was lost.
    for (_, mut sink) in sinks {
        sink.take(Bytes::new(), true).await;
    }
    hub.borrow_mut().part_ended(job, host);
}
