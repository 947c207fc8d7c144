//! What can be asked of the registry, and what it says.

use super::Registry;
use super::host::{HostFacts, HostId, HostRecord};
use super::mailbox::{MailEntry, MailError, MailPut};
use crate::job::group::GroupError;
use pvm::ids::TaskId;
use pvm::limits::{GROUP_NAME_MAX, REASON_MAX};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The request of a client that waits for an answer: on which host, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The daemon that asked.
    pub host: HostId,
    /// Chosen by that daemon.
    pub ticket: u64,
}

/// One event of the virtual machine that is to be put in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The virtual machine of one host is opened for others: its groups and mailboxes so far. Only
    /// before the first host.
    Begin(Box<Registry>),
    /// A daemon wants to belong.
    AddHost(HostFacts),
    /// A host no longer answers: its tasks are dead.
    LoseHost {
        /// Which.
        host: HostId,
        /// For users.
        why: String,
    },
    /// A host goes by itself.
    LeaveHost {
        /// Which.
        host: HostId,
    },
    /// A host is reached at other addresses now.
    UpdateAddresses {
        /// Which.
        host: HostId,
        /// All of them.
        addresses: Vec<SocketAddr>,
    },
    /// A task joins a group.
    Join {
        /// The group.
        name: String,
        /// Who.
        task: TaskId,
        /// Whom to answer.
        origin: Origin,
    },
    /// A task leaves a group.
    Leave {
        /// The group.
        name: String,
        /// Who.
        task: TaskId,
        /// Whom to answer.
        origin: Origin,
    },
    /// A task waits in the barrier of a group.
    Barrier {
        /// The group.
        name: String,
        /// Who.
        task: TaskId,
        /// For how many members; 0 means all.
        count: u32,
        /// Whom to answer.
        origin: Origin,
    },
    /// A task has ended.
    TaskGone {
        /// Which.
        task: TaskId,
    },
    /// Puts a message into a mailbox.
    Put {
        /// Who, what and where.
        put: MailPut,
        /// Whom to answer.
        origin: Origin,
    },
    /// Deletes a message from a mailbox.
    Delete {
        /// The mailbox.
        name: String,
        /// Which entry.
        index: u32,
        /// Who.
        task: TaskId,
        /// Whom to answer.
        origin: Origin,
    },
    /// Deletes a message from a mailbox; the reply, not the outcome, has the message.
    Take {
        /// The mailbox.
        name: String,
        /// Which entry, or the lowest from there on.
        index: u32,
        /// PVM's flags, see [`super::mailbox`].
        flags: u32,
        /// Who.
        task: TaskId,
        /// Whom to answer.
        origin: Origin,
    },
    /// Deletes the messages that have outlived their owners.
    DropOrphans {
        /// In this mailbox; `None`: in all.
        name: Option<String>,
    },
}

impl Command {
    /// About how many bytes it takes in the log.
    pub fn weight(&self) -> usize {
        let texts = match self {
            Command::Put { put, .. } => put.name.len() + put.bytes.len(),
            Command::Join { name, .. }
            | Command::Leave { name, .. }
            | Command::Barrier { name, .. }
            | Command::Delete { name, .. }
            | Command::Take { name, .. } => name.len(),
            Command::LoseHost { why, .. } => why.len(),
            Command::AddHost(facts) => facts.weight(),
            Command::UpdateAddresses { addresses, .. } => addresses.len() * size_of::<SocketAddr>(),
            Command::DropOrphans { name } => name.as_ref().map_or(0, String::len),
            Command::LeaveHost { .. } | Command::TaskGone { .. } => 0,
            Command::Begin(so_far) => so_far.weight(),
        };
        texts.saturating_add(size_of::<Command>())
    }

    /// Whom to answer, when a client waits.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Command::Join { origin, .. }
            | Command::Leave { origin, .. }
            | Command::Barrier { origin, .. }
            | Command::Put { origin, .. }
            | Command::Delete { origin, .. }
            | Command::Take { origin, .. } => Some(*origin),
            _ => None,
        }
    }

    /// The task on whose behalf it is.
    pub(super) fn task(&self) -> Option<TaskId> {
        match self {
            Command::Join { task, .. }
            | Command::Leave { task, .. }
            | Command::Barrier { task, .. }
            | Command::Delete { task, .. }
            | Command::Take { task, .. } => Some(*task),
            Command::Put { put, .. } => Some(put.owner),
            _ => None,
        }
    }

    /// Whether its texts are within their limits; mailboxes check their own.
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Command::AddHost(facts) => facts.is_bounded(),
            Command::UpdateAddresses { addresses, .. } => HostFacts::are_bounded(addresses),
            Command::LoseHost { why, .. } => why.len() <= REASON_MAX,
            Command::Join { name, .. } => !name.is_empty() && name.len() <= GROUP_NAME_MAX,
            _ => true,
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done, or was so before.
    Done,
    /// The host belongs, as this one.
    Host(Box<HostRecord>),
    /// Joined or left; the instance number that the task has or had.
    Instance(u32),
    /// The task waits in the barrier.
    Waiting,
    /// The barrier is passed.
    Passed,
    /// The message is in the mailbox, or was deleted, at this index.
    Index(u32),
    /// The message that was taken, and its index. In replies only: outcomes are kept for a while.
    Mail(u32, MailEntry),
    /// It has changed nothing.
    Refused(Refusal),
}

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The host with this key lives, with another daemon.
    #[error("host {0} has the same name and still lives")]
    HostLives(HostId),
    /// This daemon was here and is lost or gone; it must start anew.
    #[error("this daemon was host {0}, which is lost")]
    DaemonGone(HostId),
    /// All host numbers are taken.
    #[error("the virtual machine has as many hosts as it can have")]
    TooManyHosts,
    /// The host is not, or no longer, part of the virtual machine.
    #[error("host {0} is not part of the virtual machine")]
    NotLiving(HostId),
    /// The task's host is not, or no longer, part of the virtual machine.
    #[error("the host of task {0} is not part of the virtual machine")]
    TaskGone(TaskId),
    /// A text is empty or too long, or there are too many of something.
    #[error("the request is larger than allowed")]
    TooLarge,
    /// Messages of numbers could not be exchanged with the host.
    #[error("its numbers are not those of IEEE 754, or not of the usual sizes")]
    DataFormat,
    /// There are hosts already.
    #[error("the virtual machine has begun already")]
    Begun,
    /// There are too many groups.
    #[error("there are as many groups, or members of groups, as there can be")]
    TooManyGroups,
    /// A later command of the same daemon was applied first; this one never will be.
    #[error("the request was given up before it was applied")]
    Stale,
    /// By the rules of groups.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// By the rules of mailboxes.
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// What a daemon has to know; in the same order on every host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A host belongs.
    HostAdded(Box<HostRecord>),
    /// A host is lost; events about its tasks follow.
    HostLost {
        /// Which.
        record: Box<HostRecord>,
        /// For users.
        why: String,
    },
    /// A host has left; events about its tasks follow.
    HostLeft(Box<HostRecord>),
    /// A host is reached at other addresses now.
    AddressesChanged(Box<HostRecord>),
    /// The answer to a request; barriers that are passed or broken have events of their own.
    Reply {
        /// Whose.
        origin: Origin,
        /// What.
        outcome: Outcome,
    },
    /// The members of a group have changed.
    GroupChanged {
        /// Which.
        name: String,
    },
    /// A barrier is passed.
    BarrierPassed {
        /// Of this group.
        name: String,
        /// Whom to answer.
        origins: Vec<Origin>,
    },
    /// A barrier can no longer fill up.
    BarrierBroken {
        /// Of this group.
        name: String,
        /// Whom to answer.
        origins: Vec<Origin>,
        /// Who is gone.
        lost: TaskId,
        /// How many members it needs.
        needed: u32,
        /// How many there are.
        left: u32,
    },
    /// A message is in a mailbox.
    MailPut {
        /// Which mailbox.
        name: String,
        /// Where.
        index: u32,
        /// Whose.
        owner: TaskId,
    },
    /// A message is in a mailbox no longer.
    MailRemoved {
        /// Which mailbox.
        name: String,
        /// Where.
        index: u32,
    },
}

/// What applying a command gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// For who proposed it.
    pub outcome: Outcome,
    /// For everybody.
    pub events: Vec<Event>,
}
