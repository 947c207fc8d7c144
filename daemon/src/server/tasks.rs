//! Tasks: who they are, how they are attached, and what happens when one ends.

use super::hub::{ClientId, Hub};
use super::shm::Bell;
use crate::job::life::Exit;
use pvm::ids::{JobId, TaskId};
use pvm::limits::BELLS_MAX;
use pvm::transport::Call;
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{BlockedCall, ExitStatus, TaskExited, from_daemon};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Longest wait between a process's end and that of its connection, which a forked child may
/// hold open.
const CONNECTION_LINGERS: Duration = Duration::from_millis(500);

/// Bytes of a capability.
pub const CAPABILITY: usize = 16;

/// Where a task comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A process that the daemon has started.
    Started,
    /// An id that its owner attaches itself.
    Adopted,
    /// It came by itself.
    Foreign,
}

/// A task's connection.
pub enum Link {
    /// It has not attached yet, and need not.
    Never,
    /// It is attached.
    Attached(Attachment),
    /// It has left the VM in good order; its process may live on.
    Left,
    /// Its connection ended without a word.
    Lost,
}

/// What an attached task has.
pub struct Attachment {
    /// Its connection.
    pub client: ClientId,
    /// The process that attached: the task's own or one below it.
    pub pid: u32,
    /// Its inbox, for its peers.
    pub inbox: Rc<OwnedFd>,
    /// Wakes it.
    pub bell: Rc<Bell>,
    /// Its channels by peer.
    pub channels: BTreeMap<TaskId, Channel>,
    /// Its connection has ended.
    pub is_silent: bool,
    used_bells: BTreeSet<u32>,
}

/// One side of a channel.
pub struct Channel {
    /// Bell in this side's inbox that the peer rings.
    pub bell: u32,
    /// The channel's memory; dropped when the peer has ended.
    pub segment: Option<Rc<OwnedFd>>,
}

impl Attachment {
    /// A fresh attachment.
    pub fn new(client: ClientId, pid: u32, inbox: Rc<OwnedFd>, bell: Rc<Bell>) -> Self {
        Attachment {
            client,
            pid,
            inbox,
            bell,
            channels: BTreeMap::new(),
            is_silent: false,
            used_bells: BTreeSet::new(),
        }
    }

    /// The lowest free bell.
    pub fn free_bell(&self) -> Option<u32> {
        (0..BELLS_MAX as u32).find(|bell| !self.used_bells.contains(bell))
    }

    /// Adds a channel on a free bell.
    pub fn add_channel(&mut self, peer: TaskId, bell: u32, segment: Rc<OwnedFd>) {
        self.used_bells.insert(bell);
        let segment = Some(segment);
        self.channels.insert(peer, Channel { bell, segment });
    }

    /// Removes a channel; its bell is free again.
    pub fn remove_channel(&mut self, peer: TaskId) {
        if let Some(channel) = self.channels.remove(&peer) {
            self.used_bells.remove(&channel.bell);
        }
    }
}

/// One task.
pub struct Task {
    /// The task whose spawn started it.
    pub parent: Option<TaskId>,
    /// Its job; `None` for one that came by itself and has none yet.
    pub job: Option<JobId>,
    /// Its number among the job's tasks that this daemon counts.
    pub number: u32,
    /// Its number in the job, as the job's home counts.
    pub home_number: u32,
    /// Its rank in its world.
    pub rank: u32,
    /// The tasks of its launch or spawn, by rank.
    pub world: Rc<[TaskId]>,
    /// What it must show to attach.
    pub capability: [u8; CAPABILITY],
    /// Program, for listings.
    pub program: String,
    /// Its process, once that runs.
    pub pid: u32,
    /// When it was started.
    pub since: Instant,
    /// Where it comes from.
    pub origin: Origin,
    /// Its connection.
    pub link: Link,
    /// How its process ended, while its connection is still open.
    pub exit: Option<(ExitStatus, u64)>,
    /// What it waited for when its job was told to end.
    pub last_call: Option<BlockedCall>,
}

impl Task {
    /// Its attachment, if it is attached.
    pub fn attachment(&self) -> Option<&Attachment> {
        match &self.link {
            Link::Attached(attachment) => Some(attachment),
            _ => None,
        }
    }

    /// Its attachment, to change.
    pub fn attachment_mut(&mut self) -> Option<&mut Attachment> {
        match &mut self.link {
            Link::Attached(attachment) => Some(attachment),
            _ => None,
        }
    }

    /// What it waits for, if it waits, as it says.
    pub fn call(&self) -> Option<BlockedCall> {
        self.attachment()?.bell.call().map(blocked)
    }

    /// Whether it takes part in the VM, now or later.
    pub fn is_present(&self) -> bool {
        matches!(self.link, Link::Never | Link::Attached(_)) && self.exit.is_none()
    }
}

fn blocked(call: Call) -> BlockedCall {
    BlockedCall {
        operation: call.operation,
        context: call.context,
        peer: call.peer,
        tag: call.tag,
        bytes: call.bytes,
        waiting_ms: call.waiting().as_millis() as u64,
        turn: call.turn,
    }
}

/// A status for ends of which nothing is known.
pub fn unknown() -> ExitStatus {
    ExitStatus {
        how: Some(How::Unknown(true)),
        core_dumped: false,
    }
}

impl Hub {
    /// The task's process has ended.
    pub(super) fn process_ended(&mut self, id: TaskId, status: ExitStatus, max_rss_kib: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.exit.is_some() {
            return;
        }
        task.exit = Some((status, max_rss_kib));
        if task.attachment().is_none_or(|a| a.is_silent) {
            return self.finish_task(id);
        }
        // What it sent before its end, perhaps Detach, is still to be read.
        self.spawn(|hub| async move {
            tokio::time::sleep(CONNECTION_LINGERS).await;
            hub.borrow_mut().finish_task(id);
        });
    }

    /// The task leaves in good order.
    pub(super) fn detach(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let origin = task.origin;
        let link = std::mem::replace(&mut task.link, Link::Left);
        let detached = ExitStatus {
            how: Some(How::Detached(true)),
            core_dumped: false,
        };
        self.announce_end(id, link, &detached);
        if origin != Origin::Started {
            self.remove_task(id, detached, false, 0);
        }
    }

    /// The task's connection has ended without a word.
    pub(super) fn connection_lost(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.exit.is_some() {
            return self.finish_task(id);
        }
        if task.origin != Origin::Started {
            let link = std::mem::replace(&mut task.link, Link::Lost);
            self.announce_end(id, link, &unknown());
            return self.remove_task(id, unknown(), true, 0);
        }
        if let Some(attachment) = task.attachment_mut() {
            attachment.is_silent = true;
        }
        // Its process is about to end, or is no longer the task that its peers know.
        self.spawn(|hub| async move {
            tokio::time::sleep(CONNECTION_LINGERS).await;
            hub.borrow_mut().forsake(id);
        });
    }

    /// A process that lives on without its connection is gone for its peers.
    fn forsake(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if let Link::Attached(_) = task.link {
            let link = std::mem::replace(&mut task.link, Link::Lost);
            self.announce_end(id, link, &unknown());
        }
    }

    /// Process and connection have ended.
    fn finish_task(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let Some((status, max_rss_kib)) = task.exit else {
            return;
        };
        let link = std::mem::replace(&mut task.link, Link::Lost);
        let while_attached = matches!(link, Link::Attached(_) | Link::Lost);
        let (watched, call) = (self.watches.is_watched(id), task.last_call);
        if !matches!(link, Link::Left | Link::Lost) {
            self.announce_end(id, link, &status);
        }
        let exit = Exit {
            status,
            while_attached,
            watched,
            max_rss_kib,
            call,
            ..Exit::default()
        };
        self.drop_task(id, exit);
    }

    /// Takes a task without a process of ours out of the tables.
    fn remove_task(&mut self, id: TaskId, status: ExitStatus, while_attached: bool, rss: u64) {
        let exit = Exit {
            status,
            while_attached,
            max_rss_kib: rss,
            ..Exit::default()
        };
        self.drop_task(id, exit);
    }

    fn drop_task(&mut self, id: TaskId, exit: Exit) {
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        self.refuse_awaiting(id);
        self.forget_relays(id);
        self.changed.notify_one();
        let Some(job) = task.job else { return };
        match task.origin {
            // The job of a foreign task is that of the tasks it has spawned. When it dies without
            // a word they have nobody left.
            Origin::Foreign if exit.while_attached => self.lease_lost(job),
            Origin::Foreign => {}
            _ => {
                let number = task.number;
                self.drive(job, |life, now, out| {
                    life.task_ended(number, exit, now, out)
                });
            }
        }
    }

    /// A task that could not be started leaves no trace.
    pub(super) fn forget_task(&mut self, id: TaskId) {
        self.announce_end(id, Link::Never, &unknown());
        self.tasks.remove(&id);
        self.refuse_awaiting(id);
    }

    /// Tells peers, subscribers and groups of a task's end, once.
    fn announce_end(&mut self, id: TaskId, link: Link, status: &ExitStatus) {
        let mut told = self.watches.take(id);
        if let Link::Attached(attachment) = link {
            for peer in attachment.channels.keys() {
                let peer = self.tasks.get_mut(peer).and_then(Task::attachment_mut);
                if let Some(peer) = peer
                    && let Some(channel) = peer.channels.get_mut(&id)
                {
                    channel.segment = None;
                    told.entry(peer.client).or_default();
                }
            }
        }
        self.close_relays(id);
        for (client, tokens) in told {
            let exited = TaskExited {
                task: id.bits(),
                status: Some(*status),
                tokens,
                relays: self.relays_to(id, client),
            };
            self.tell(client, from_daemon::Body::TaskExited(exited));
        }
        self.leave_groups(id);
        self.refuse_awaiting(id);
        // A task that leaves in good order counts itself out.
        if !matches!(status.how, Some(How::Detached(_))) {
            self.count_awake();
        }
    }

    /// Tasks that were killed awake would stay counted as such.
    fn count_awake(&self) {
        let attached = self.tasks.values().filter_map(Task::attachment);
        let awake = attached
            .filter(|a| !a.is_silent && !a.bell.is_asleep())
            .count();
        self.host_page.set_awake(awake as u32);
    }

    fn refuse_awaiting(&mut self, id: TaskId) {
        for (asked, _) in self.awaiting.remove(&id).unwrap_or_default() {
            self.conclude(asked, Err(super::request::no_such_task(id, "reach")));
        }
    }
}
