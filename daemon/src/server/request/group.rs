//! Named groups: requests become events of the virtual machine, and what comes of them is told when
//! they have been put in order, on every host in the same one.

use super::{Reply, failure, malformed};
use crate::cluster::registry::{BarrierResult, Command, Event, Origin, Outcome, Refusal, Registry};
use crate::job::group::GroupError;
use crate::server::hub::{Asked, ClientId, Hub, Role};
use pvm::ids::TaskId;
use pvm::limits::GROUP_NAME_MAX;
use pvm::wire::control::{
    Failure, FailureCode, GroupBarrier, GroupMember, GroupReply, from_daemon,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long an event may come after it is known that it has been put in order.
const EVENT_LINGERS: Duration = Duration::from_secs(2);

/// Group requests whose events have not come, and who is in groups.
#[derive(Default)]
pub struct GroupDesk {
    last_ticket: u64,
    open: BTreeMap<u64, Ticket>,
    /// Tasks of this host that have asked to join a group.
    joined: BTreeSet<TaskId>,
}

/// One request.
#[derive(Clone)]
struct Ticket {
    asked: Asked,
    verb: &'static str,
    name: String,
}

impl Hub {
    pub(super) fn group_join(&mut self, asked: Asked, name: String) -> Reply {
        let me = self.caller(asked, "joining a group")?;
        if name.is_empty() || name.len() > GROUP_NAME_MAX {
            return Err(malformed(
                "joining a group",
                "its name is empty or too long",
            ));
        }
        self.desk.joined.insert(me);
        let origin = self.ticket(asked, "join", &name);
        self.put_in_order(Command::Join {
            name,
            task: me,
            origin,
        });
        Ok(None)
    }

    pub(super) fn group_leave(&mut self, asked: Asked, name: String) -> Reply {
        let me = self.caller(asked, "leaving a group")?;
        let origin = self.ticket(asked, "leave", &name);
        self.put_in_order(Command::Leave {
            name,
            task: me,
            origin,
        });
        Ok(None)
    }

    pub(super) fn group_query(&mut self, asked: Asked, name: &str) -> Reply {
        let me = match self.clients.get(&asked.client).map(|client| client.role) {
            Some(Role::Task(me)) => Some(me),
            _ => None,
        };
        let reply = self.look(|registry| {
            registry.groups().members(name)?;
            let instance = me.and_then(|me| registry.groups().instance(name, me));
            Ok(group_reply(registry, name, instance.unwrap_or(0)))
        });
        let reply = reply.map_err(|e: GroupError| refused("query", name, &e.into()))?;
        Ok(Some(reply))
    }

    pub(super) fn group_barrier(&mut self, asked: Asked, barrier: GroupBarrier) -> Reply {
        let me = self.caller(asked, "waiting in a barrier")?;
        let origin = self.ticket(asked, "wait in the barrier of", &barrier.name);
        self.put_in_order(Command::Barrier {
            name: barrier.name,
            task: me,
            count: barrier.count,
            origin,
        });
        Ok(None)
    }

    /// A task of this host has ended: it is in no group any more.
    pub(in crate::server) fn leave_groups(&mut self, task: TaskId) {
        if self.desk.joined.remove(&task) {
            self.submit(Command::TaskGone { task }, |_, result| {
                if let Err(error) = result {
                    tracing::warn!("the groups were not told of the end of a task: {error}");
                }
            });
        }
    }

    fn ticket(&mut self, asked: Asked, verb: &'static str, name: &str) -> Origin {
        self.desk.last_ticket += 1;
        let ticket = self.desk.last_ticket;
        let name = name.to_owned();
        self.desk.open.insert(ticket, Ticket { asked, verb, name });
        Origin {
            host: self.hosts.me,
            ticket,
        }
    }

    fn put_in_order(&mut self, command: Command) {
        let origin = command.origin();
        let Some(origin) = origin else { return };
        self.submit(command, move |hub, result| match result {
            Ok(Outcome::Waiting) => {}
            Ok(outcome) => hub.expect_reply(origin, outcome),
            Err(why) => {
                if let Some(Ticket { asked, verb, name }) = hub.take_ticket(origin) {
                    hub.conclude(asked, Err(no_order(verb, &name, why)));
                }
            }
        });
    }

    /// What has become of a request is told with its event, or without when that was missed.
    fn expect_reply(&mut self, origin: Origin, outcome: Outcome) {
        if !self.desk.open.contains_key(&origin.ticket) {
            return;
        }
        self.spawn(|hub| async move {
            tokio::time::sleep(EVENT_LINGERS).await;
            hub.borrow_mut().group_outcome(origin, outcome);
        });
    }

    /// Who has gone needs no answers.
    pub(in crate::server) fn forget_tickets(&mut self, client: ClientId) {
        let open = &mut self.desk.open;
        open.retain(|_, ticket| ticket.asked.client != client);
    }

    /// Looks at what is agreed.
    fn look<T>(&self, reader: impl FnOnce(&Registry) -> T) -> T {
        match &self.fabric {
            Some(fabric) => fabric.ledger.read(reader),
            None => reader(&self.registry),
        }
    }

    /// Something has happened in the groups of the virtual machine.
    pub(in crate::server) fn group_event(&mut self, event: Event) {
        match event {
            Event::Reply { origin, outcome } => self.group_outcome(origin, outcome),
            Event::BarrierPassed { origins, .. } => {
                for origin in origins {
                    self.barrier_ended(origin, BarrierResult::Passed, String::new());
                }
            }
            Event::BarrierBroken {
                origins,
                lost,
                needed,
                left,
                ..
            } => {
                let why = format!(
                    "{lost} has left or died: {left} members remain, it waits for {needed}"
                );
                for origin in origins {
                    self.barrier_ended(origin, BarrierResult::Broken, why.clone());
                }
            }
            _ => {}
        }
    }

    /// Events were missed: requests that are decided meanwhile are answered.
    pub(in crate::server) fn groups_reset(&mut self, registry: &Registry) {
        let host = self.hosts.me;
        for ticket in self.desk.open.keys().copied().collect::<Vec<_>>() {
            let origin = Origin { host, ticket };
            if let Some(end) = registry.barrier_end(origin) {
                self.barrier_ended(origin, end, "a member has left or died".to_owned());
            }
        }
    }

    fn take_ticket(&mut self, origin: Origin) -> Option<Ticket> {
        match origin.host == self.hosts.me {
            true => self.desk.open.remove(&origin.ticket),
            false => None,
        }
    }

    fn group_outcome(&mut self, origin: Origin, outcome: Outcome) {
        let Some(Ticket { asked, verb, name }) = self.take_ticket(origin) else {
            return;
        };
        let result = match outcome {
            Outcome::Instance(instance) => {
                Ok(self.look(|registry| group_reply(registry, &name, instance)))
            }
            Outcome::Refused(refusal) => Err(refused(verb, &name, &refusal)),
            _ => Ok(from_daemon::Body::GroupReply(GroupReply::default())),
        };
        self.conclude(asked, result);
    }

    fn barrier_ended(&mut self, origin: Origin, end: BarrierResult, why: String) {
        let Some(Ticket { asked, name, .. }) = self.take_ticket(origin) else {
            return;
        };
        let result = match end {
            BarrierResult::Passed => Ok(from_daemon::Body::GroupReply(GroupReply::default())),
            BarrierResult::Broken => Err(failure(
                FailureCode::FailureNoSuchTask,
                format!("barrier of group '{name}'"),
                why,
                "",
            )),
        };
        self.conclude(asked, result);
    }
}

/// Instance number of the caller and all members.
fn group_reply(registry: &Registry, name: &str, instance: u32) -> from_daemon::Body {
    let members = registry.groups().members(name).into_iter().flatten();
    let members = members.map(|(instance, task)| GroupMember {
        instance: *instance,
        task: task.bits(),
    });
    from_daemon::Body::GroupReply(GroupReply {
        instance,
        members: members.collect(),
    })
}

fn refused(verb: &str, name: &str, refusal: &Refusal) -> Failure {
    let code = match refusal {
        Refusal::Group(GroupError::NoSuchGroup) => FailureCode::FailureNoSuchGroup,
        Refusal::Group(GroupError::NotMember) => FailureCode::FailureNotInGroup,
        Refusal::Group(GroupError::AlreadyMember(_)) => FailureCode::FailureAlreadyInGroup,
        Refusal::Group(GroupError::Mismatch { .. }) => FailureCode::FailureMismatch,
        Refusal::Group(GroupError::AlreadyWaiting) | Refusal::TooLarge => {
            FailureCode::FailureMalformed
        }
        _ => FailureCode::FailureResources,
    };
    failure(
        code,
        format!("cannot {verb} group '{name}'"),
        refusal.to_string(),
        "",
    )
}

fn no_order(verb: &str, name: &str, why: String) -> Failure {
    failure(
        FailureCode::FailureInternal,
        format!("cannot {verb} group '{name}'"),
        why,
        "see which hosts are there: pvm conf",
    )
}
