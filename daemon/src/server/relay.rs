//! Relays: messages of tasks of this host to tasks of others, and back, through the daemons.
//!
//! For each ordered pair of tasks there is one stream between the two daemons, opened with the first
//! message. The tasks number and confirm their packets themselves; a daemon only has to tell them when
//! a stream has broken. What it holds for a slow task is bounded by the tasks' windows.
//!
//! The end of a task is told after its last message: with the news comes the number of its streams, and
//! it waits until so many have been read to their ends.

use super::hub::{Asked, ClientId, Hub, Role};
use super::outbox::Outbox;
use super::request::Reply;
use super::tasks::{Link, Task};
use crate::cluster::registry::HostId;
use pvm::ids::TaskId;
use pvm::wire::control::{Relay, RelayBroken, Relayed, TaskExited, from_daemon};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Longest that the end of a task waits for the last of its messages.
const STREAMS_LINGER: Duration = Duration::from_secs(2);

/// An ordered pair of tasks: sender and receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The sender.
    pub from: TaskId,
    /// The receiver.
    pub to: TaskId,
}

/// The end of a task that is told behind its last message.
struct Waiting {
    exited: TaskExited,
    /// Streams that have not come by now will not.
    is_late: bool,
}

/// All streams of relayed messages.
#[derive(Default)]
pub struct Relays {
    /// From tasks of this host.
    out: BTreeMap<Pair, Outbox>,
    /// How many streams a task of this host has opened to another host.
    opened: HashMap<(TaskId, u16), u32>,
    /// How many streams of a task of another host have been read to their ends.
    finished: HashMap<TaskId, u32>,
    /// How many of them are being read.
    reading: HashMap<TaskId, u32>,
    /// Ends of tasks that wait for streams.
    exits: HashMap<TaskId, Waiting>,
    /// For tasks that have not attached yet.
    held: HashMap<TaskId, Vec<from_daemon::Body>>,
}

impl Hub {
    /// A task sends to a task of another host.
    pub(super) fn relay(&mut self, asked: Asked, relay: Relay) -> Reply {
        let from = self.caller(asked, "sending to another host")?;
        let to = TaskId::from_bits(relay.peer);
        // Of a task that is not there its sender is told by its subscription.
        let reachable = to.and_then(|to| Some((to, self.hosts.of(to)?)));
        if let Some((to, host)) = reachable {
            let stream = self.relay_stream(Pair { from, to }, host);
            stream.push(&relay, Vec::new());
            if stream.is_broken() {
                // More waits than a task that keeps to its window sends.
                self.relay_lost(Pair { from, to });
            }
        }
        Ok(None)
    }

    fn relay_stream(&mut self, pair: Pair, host: u16) -> Outbox {
        if let Some(stream) = self.relays.out.get(&pair) {
            return stream.clone();
        }
        let stream = Outbox::default();
        self.relays.out.insert(pair, stream.clone());
        *self.relays.opened.entry((pair.from, host)).or_default() += 1;
        if let (Some(fabric), Some(place)) = (&self.fabric, self.hosts.place(host)) {
            fabric.carry_relay(self, place, pair, stream.clone());
        }
        stream
    }

    /// A stream of ours has ended before it was closed: frames may be lost.
    pub(super) fn relay_lost(&mut self, pair: Pair) {
        if self.relays.out.remove(&pair).is_some() {
            self.tell_broken(pair.from, pair.to);
        }
    }

    /// A stream of another host begins.
    pub(super) fn relay_begun(&mut self, pair: Pair) {
        *self.relays.reading.entry(pair.from).or_default() += 1;
    }

    /// Where the messages of a stream go, when their receiver is attached.
    pub(super) fn receiver(&self, pair: Pair) -> Option<Outbox> {
        let attachment = self.tasks.get(&pair.to)?.attachment()?;
        let client = self.clients.get(&attachment.client)?;
        Some(client.outbox.clone())
    }

    /// Messages of another host have come for a task here.
    pub(super) fn relayed(&mut self, pair: Pair, data: Vec<u8>) {
        let relayed = Relayed {
            peer: pair.from.bits(),
            data,
        };
        self.pass_to_task(pair.to, from_daemon::Body::Relayed(relayed));
    }

    /// Tells a task of this host something, as soon as it is attached.
    pub(super) fn pass_to_task(&mut self, to: TaskId, body: from_daemon::Body) {
        match self.tasks.get(&to).map(|task| &task.link) {
            Some(Link::Attached(attachment)) => self.tell(attachment.client, body),
            Some(Link::Never) => self.relays.held.entry(to).or_default().push(body),
            None if self.is_prepared(to) => self.relays.held.entry(to).or_default().push(body),
            // It has ended; its senders are told of that.
            Some(Link::Left | Link::Lost) | None => {}
        }
    }

    /// A stream of another host has ended, `cleanly` or not.
    pub(super) fn relay_ended(&mut self, pair: Pair, cleanly: bool) {
        if !cleanly {
            self.tell_broken(pair.to, pair.from);
        }
        if let Some(reading) = self.relays.reading.get_mut(&pair.from) {
            *reading -= 1;
            if *reading == 0 {
                self.relays.reading.remove(&pair.from);
            }
        }
        if !self.watches.has_watchers(pair.from) {
            // Nobody waits for its end, or it has been told.
            return;
        }
        *self.relays.finished.entry(pair.from).or_default() += 1;
        self.release_due_exit(pair.from);
    }

    /// A task has attached: what came for it before is its now.
    pub(super) fn release_held(&mut self, task: TaskId) {
        let client = self.tasks.get(&task).and_then(Task::attachment);
        let Some(client) = client.map(|attachment| attachment.client) else {
            return;
        };
        for body in self.relays.held.remove(&task).unwrap_or_default() {
            self.tell(client, body);
        }
    }

    /// A task of this host has ended: its streams end when they are written out.
    pub(super) fn close_relays(&mut self, task: TaskId) {
        self.relays.held.remove(&task);
        self.introductions.forget(task);
        let streams = self.relays.out.extract_if(.., |pair, _| pair.from == task);
        streams.for_each(|(_, stream)| stream.close());
    }

    /// How many streams a task of this host has opened to the host that is this client.
    pub(super) fn relays_to(&self, task: TaskId, client: ClientId) -> u32 {
        match self.clients.get(&client).map(|client| client.role) {
            Some(Role::Host(host)) => self.relays.opened.get(&(task, host)).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// A task of this host is out of the tables.
    pub(super) fn forget_relays(&mut self, task: TaskId) {
        self.relays.opened.retain(|(from, _), _| *from != task);
    }

    /// A watched task of another host has ended. Its last messages may still be on their way.
    pub(super) fn remote_task_exited(&mut self, host: u16, exited: TaskExited) {
        let id = TaskId::from_bits(exited.task);
        let Some(id) = id.filter(|id| self.hosts.of(*id) == Some(host)) else {
            return;
        };
        let waiting = Waiting {
            exited,
            is_late: false,
        };
        self.relays.exits.insert(id, waiting);
        self.release_due_exit(id);
        if !self.relays.exits.contains_key(&id) {
            return;
        }
        self.spawn(|hub| async move {
            tokio::time::sleep(STREAMS_LINGER).await;
            let mut hub = hub.borrow_mut();
            if let Some(waiting) = hub.relays.exits.get_mut(&id) {
                waiting.is_late = true;
                hub.release_due_exit(id);
            }
        });
    }

    /// Tells the end of a task when all of its messages have come.
    fn release_due_exit(&mut self, task: TaskId) {
        let relays = &self.relays;
        let Some(waiting) = relays.exits.get(&task) else {
            return;
        };
        let finished = relays.finished.get(&task).copied().unwrap_or(0);
        let have_come = waiting.is_late || finished >= waiting.exited.relays;
        // What is being read ends by itself, also when its receiver is slow.
        if have_come && !relays.reading.contains_key(&task) {
            self.release_exit(task);
        }
    }

    fn release_exit(&mut self, task: TaskId) {
        let Some(Waiting { exited, .. }) = self.relays.exits.remove(&task) else {
            return;
        };
        self.relays.finished.remove(&task);
        let streams = self.relays.out.extract_if(.., |pair, _| pair.to == task);
        streams.for_each(|(_, stream)| stream.break_off());
        self.tell_exit(task, &exited.status.unwrap_or_default());
    }

    /// A host is lost: nothing comes from it any more.
    pub(super) fn relays_lost(&mut self, place: HostId) {
        let is_there =
            |id: TaskId| id.host() == place.index && id.incarnation() == place.incarnation;
        let streams = self.relays.out.extract_if(.., |pair, _| is_there(pair.to));
        streams.for_each(|(_, stream)| stream.break_off());
        self.relays.finished.retain(|from, _| !is_there(*from));
        let opened = &mut self.relays.opened;
        opened.retain(|(_, host), _| *host != place.index);
        let waiting: Vec<_> = self
            .relays
            .exits
            .keys()
            .copied()
            .filter(|id| is_there(*id))
            .collect();
        waiting.into_iter().for_each(|id| self.release_exit(id));
    }

    fn tell_broken(&self, task: TaskId, peer: TaskId) {
        let attachment = self.tasks.get(&task).and_then(Task::attachment);
        if let Some(attachment) = attachment {
            let broken = RelayBroken { peer: peer.bits() };
            self.tell(attachment.client, from_daemon::Body::RelayBroken(broken));
        }
    }
}
