//! What all daemons of a virtual machine agree on: hosts, groups, mailboxes.
//!
//! A state machine without input, output, clock or chance: from the same commands in the same order
//! come the same registry and the same events, on every host. The order is the ledger's.
//!
//! - A command on behalf of a task or host that does not belong changes nothing.
//! - When a host goes, its tasks leave their groups and mailboxes in the same step.
//! - Everything is bounded (`limits.rs`), so a snapshot is.

pub(super) mod bytes;
mod command;
mod host;
pub mod mailbox;
mod session;
#[cfg(test)]
mod tests;

pub use command::{Applied, Command, Event, Origin, Outcome, Refusal};
pub use host::{HostFacts, HostId, HostRecord, HostState, HostTable};
pub use mailbox::{MailEntry, MailError, MailPut, Mailboxes};
pub use session::Batch;

use crate::job::barrier::BarrierEnd;
use crate::job::group::GroupTable;
use host::Admission;
use pvm::ids::TaskId;
use pvm::limits::{BARRIER_ENDS_KEPT, GROUPS_MAX, LEDGER_BATCH_MAX, MEMBERSHIPS_MAX};
use serde::{Deserialize, Serialize};
use session::{Sessions, Turn};
use std::collections::VecDeque;

/// How a barrier ended for one who waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarrierResult {
    /// Enough have come.
    Passed,
    /// It could no longer fill up.
    Broken,
}

/// The state that is replicated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    hosts: HostTable,
    groups: GroupTable<Origin>,
    mail: Mailboxes,
    sessions: Sessions,
    ended: VecDeque<(Origin, BarrierResult)>,
}

type Answer = Result<Outcome, Refusal>;

impl Registry {
    /// Applies a daemon's batch: once, and in the order of its numbers. Returns one outcome for each
    /// command.
    pub fn apply_batch(&mut self, batch: &Batch) -> (Vec<Outcome>, Vec<Event>) {
        let refuse = |why: Refusal| vec![Outcome::Refused(why); batch.commands.len()];
        let is_first = self.hosts.all().next().is_none();
        if !is_first && !self.hosts.is_living(batch.from) {
            return (refuse(Refusal::NotLiving(batch.from)), Vec::new());
        }
        if batch.commands.len() > LEDGER_BATCH_MAX {
            return (refuse(Refusal::TooLarge), Vec::new());
        }
        match self.sessions.turn(batch) {
            Turn::Repeated(outcomes) => return (outcomes, Vec::new()),
            Turn::Stale => return (refuse(Refusal::Stale), Vec::new()),
            Turn::New => {}
        }
        let mut outcomes = Vec::with_capacity(batch.commands.len());
        let mut events = Vec::new();
        for command in &batch.commands {
            let applied = self.apply(command);
            outcomes.push(applied.outcome);
            events.extend(applied.events);
        }
        if self.hosts.is_living(batch.from) {
            self.sessions.record(batch, outcomes.clone());
        }
        (outcomes, events)
    }

    /// Applies one command.
    pub fn apply(&mut self, command: &Command) -> Applied {
        let mut events = Vec::new();
        let answer = self.checked(command, &mut events);
        let outcome = answer.unwrap_or_else(Outcome::Refused);
        let has_event = matches!(outcome, Outcome::Waiting | Outcome::Passed);
        if let Some(origin) = command.origin().filter(|_| !has_event) {
            let outcome = outcome.clone();
            events.insert(0, Event::Reply { origin, outcome });
        }
        let outcome = match outcome {
            Outcome::Mail(index, _) => Outcome::Index(index),
            other => other,
        };
        Applied { outcome, events }
    }

    fn checked(&mut self, command: &Command, events: &mut Vec<Event>) -> Answer {
        if !command.is_bounded() {
            return Err(Refusal::TooLarge);
        }
        if let Some(task) = command.task().filter(|task| !self.is_current(*task)) {
            return Err(Refusal::TaskGone(task));
        }
        match command {
            Command::Begin(so_far) => self.begin(so_far),
            Command::AddHost(facts) => self.add_host(facts, events),
            Command::LoseHost { host, why } => Ok(self.lose_host(*host, why, events)),
            Command::LeaveHost { host } => Ok(self.leave_host(*host, events)),
            Command::UpdateAddresses { host, addresses } => {
                let changed = self.hosts.readdress(*host, addresses);
                let record = changed.ok_or(Refusal::NotLiving(*host))?;
                events.push(Event::AddressesChanged(Box::new(record)));
                Ok(Outcome::Done)
            }
            Command::Join { name, task, .. } => self.join(name, *task, events),
            Command::Leave { name, task, .. } => self.leave(name, *task, events),
            Command::Barrier {
                name,
                task,
                count,
                origin,
            } => self.barrier(name, (*task, *count, *origin), events),
            Command::TaskGone { task } => {
                self.forget(*task, events);
                Ok(Outcome::Done)
            }
            Command::Put { put, .. } => self.put(put, events),
            Command::Delete {
                name, index, task, ..
            } => {
                let (index, _) = self.take(name, *index, 0, *task, events)?;
                Ok(Outcome::Index(index))
            }
            Command::Take {
                name,
                index,
                flags,
                task,
                ..
            } => {
                let (index, entry) = self.take(name, *index, *flags, *task, events)?;
                Ok(Outcome::Mail(index, entry))
            }
            Command::DropOrphans { name } => {
                let removed = self.mail.drop_orphans(name.as_deref());
                events.extend(removed.into_iter().map(mail_removed));
                Ok(Outcome::Done)
            }
        }
    }

    /// About how many bytes it takes in the log.
    pub(super) fn weight(&self) -> usize {
        pvm::wire::value::encode(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    fn begin(&mut self, so_far: &Registry) -> Answer {
        if self.hosts.all().next().is_some() {
            return Err(Refusal::Begun);
        }
        let Registry {
            groups,
            mail,
            ended,
            ..
        } = so_far.clone();
        (self.groups, self.mail, self.ended) = (groups, mail, ended);
        Ok(Outcome::Done)
    }

    /// The hosts.
    pub fn hosts(&self) -> &HostTable {
        &self.hosts
    }

    /// The groups.
    pub fn groups(&self) -> &GroupTable<Origin> {
        &self.groups
    }

    /// The mailboxes.
    pub fn mail(&self) -> &Mailboxes {
        &self.mail
    }

    /// Whether the task's host belongs, in the task's incarnation. Whether the task itself lives is
    /// known to its daemon.
    pub fn is_current(&self, task: TaskId) -> bool {
        self.hosts.is_living(HostId::of(task))
    }

    /// Whether a request waits in a barrier.
    pub fn is_waiting(&self, origin: Origin) -> bool {
        self.groups.waiting().any(|waiting| *waiting == origin)
    }

    /// How a request's barrier ended, for a daemon that missed the event; the last few thousand are
    /// remembered.
    pub fn barrier_end(&self, origin: Origin) -> Option<BarrierResult> {
        let mut ended = self.ended.iter().rev();
        ended.find(|(who, _)| *who == origin).map(|(_, end)| *end)
    }

    fn add_host(&mut self, facts: &HostFacts, events: &mut Vec<Event>) -> Answer {
        match self.hosts.add(facts)? {
            Admission::Known(record) => Ok(Outcome::Host(Box::new(record))),
            Admission::New(record) => {
                events.push(Event::HostAdded(Box::new(record.clone())));
                Ok(Outcome::Host(Box::new(record)))
            }
        }
    }

    fn lose_host(&mut self, host: HostId, why: &str, events: &mut Vec<Event>) -> Outcome {
        if let Some(record) = self.hosts.end(host, HostState::Lost) {
            events.push(Event::HostLost {
                record: Box::new(record),
                why: why.to_owned(),
            });
            self.forget_host(host, events);
        }
        Outcome::Done
    }

    fn leave_host(&mut self, host: HostId, events: &mut Vec<Event>) -> Outcome {
        if let Some(record) = self.hosts.end(host, HostState::Left) {
            events.push(Event::HostLeft(Box::new(record)));
            self.forget_host(host, events);
        }
        Outcome::Done
    }

    fn forget_host(&mut self, host: HostId, events: &mut Vec<Event>) {
        self.sessions.forget(host);
        for task in self.groups.tasks_of(host.index) {
            self.forget_in_groups(task, events);
        }
        let removed = self.mail.forget(|owner| HostId::of(owner) == host);
        events.extend(removed.into_iter().map(mail_removed));
    }

    fn forget(&mut self, task: TaskId, events: &mut Vec<Event>) {
        self.forget_in_groups(task, events);
        let removed = self.mail.forget(|owner| owner == task);
        events.extend(removed.into_iter().map(mail_removed));
    }

    fn forget_in_groups(&mut self, task: TaskId, events: &mut Vec<Event>) {
        let names = self.groups.names_with(task);
        let ends = self.groups.forget(task);
        events.extend(names.into_iter().map(|name| Event::GroupChanged { name }));
        for (name, end) in ends {
            self.end_barrier(&name, end, events);
        }
    }

    fn join(&mut self, name: &str, task: TaskId, events: &mut Vec<Event>) -> Answer {
        let is_new = self.groups.members(name).is_err();
        let is_full = self.groups.memberships() >= MEMBERSHIPS_MAX;
        if is_full || is_new && self.groups.len() >= GROUPS_MAX {
            return Err(Refusal::TooManyGroups);
        }
        let instance = self.groups.join(name, task)?;
        events.push(Event::GroupChanged {
            name: name.to_owned(),
        });
        Ok(Outcome::Instance(instance))
    }

    fn leave(&mut self, name: &str, task: TaskId, events: &mut Vec<Event>) -> Answer {
        let (instance, end) = self.groups.leave(name, task)?;
        events.push(Event::GroupChanged {
            name: name.to_owned(),
        });
        if let Some(end) = end {
            self.end_barrier(name, end, events);
        }
        Ok(Outcome::Instance(instance))
    }

    fn barrier(
        &mut self,
        name: &str,
        (task, count, origin): (TaskId, u32, Origin),
        events: &mut Vec<Event>,
    ) -> Answer {
        let passed = self.groups.barrier(name, task, count, origin)?;
        if passed.is_empty() {
            return Ok(Outcome::Waiting);
        }
        self.end_barrier(name, BarrierEnd::Passed(passed), events);
        Ok(Outcome::Passed)
    }

    fn end_barrier(&mut self, name: &str, end: BarrierEnd<Origin>, events: &mut Vec<Event>) {
        let name = name.to_owned();
        match end {
            BarrierEnd::Passed(origins) => {
                self.remember(&origins, BarrierResult::Passed);
                events.push(Event::BarrierPassed { name, origins });
            }
            BarrierEnd::Broken {
                waiting: origins,
                lost,
                needed,
                left,
            } => {
                self.remember(&origins, BarrierResult::Broken);
                events.push(Event::BarrierBroken {
                    name,
                    origins,
                    lost,
                    needed,
                    left,
                });
            }
        }
    }

    fn remember(&mut self, origins: &[Origin], end: BarrierResult) {
        self.ended
            .extend(origins.iter().map(|origin| (*origin, end)));
        let excess = self.ended.len().saturating_sub(BARRIER_ENDS_KEPT);
        self.ended.drain(..excess);
    }

    fn put(&mut self, put: &MailPut, events: &mut Vec<Event>) -> Answer {
        let index = self.mail.put(put)?;
        events.push(Event::MailPut {
            name: put.name.clone(),
            index,
            owner: put.owner,
        });
        Ok(Outcome::Index(index))
    }

    fn take(
        &mut self,
        name: &str,
        index: u32,
        flags: u32,
        task: TaskId,
        events: &mut Vec<Event>,
    ) -> Result<(u32, MailEntry), Refusal> {
        let (index, entry) = self.mail.take(name, index, flags, task)?;
        events.push(mail_removed((name.to_owned(), index)));
        Ok((index, entry))
    }
}

fn mail_removed((name, index): (String, u32)) -> Event {
    Event::MailRemoved { name, index }
}
