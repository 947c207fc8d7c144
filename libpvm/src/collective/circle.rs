//! The tasks that talk in a communicator, as one of them sees them.

use super::run::{Member, Setup};
use super::topology::Topology;
use crate::datatype::Word;
use crate::engine::Engine;
use crate::group::Group;
use crate::ids::{Context, Rank};
use crate::transport::{Peer, Transport};
use std::sync::Arc;

/// Stands in the place of a rank for tasks that have none.
const NOBODY: u32 = u32::MAX;

/// Numbered tasks, and in which contexts they receive: what all kinds of communicators are made of.
pub struct Circle {
    /// The tasks by rank.
    pub group: Group,
    /// By rank: who it is, and where it receives messages.
    pub members: Box<[Member]>,
    /// The same for collectives, which have the next context.
    pub collective_members: Arc<[Member]>,
    /// Where the tasks are.
    pub topology: Topology,
    /// Where this task receives messages.
    pub context: Context,
    /// By the peer's number.
    ranks: Box<[u32]>,
}

impl Circle {
    /// The tasks of a group, which receive in `contexts`; this one in `context`, on a host of so many
    /// processors.
    pub fn new<T: Transport>(
        engine: &mut Engine<T>,
        group: Group,
        context: Context,
        contexts: &[Context],
        cpus: usize,
    ) -> Self {
        let tasks = group.tasks().iter().zip(contexts);
        let members: Box<[Member]> = tasks
            .map(|(&task, &context)| Member {
                peer: engine.peer(task),
                context,
            })
            .collect();
        let hosts: Vec<u32> = group
            .tasks()
            .iter()
            .map(|task| task.host().into())
            .collect();
        Self {
            ranks: ranks_by_peer(&members),
            collective_members: members.iter().map(for_collectives).collect(),
            topology: Topology::new(&hosts, cpus),
            group,
            members,
            context,
        }
    }

    /// The rank of a peer; `None`: it is not one of them.
    #[inline]
    pub fn rank_of(&self, peer: Peer) -> Option<Rank> {
        let rank = *self.ranks.get(peer.index())?;
        (rank != NOBODY).then_some(rank as Rank)
    }

    /// A collective of theirs. Its number, and what it agrees and works on, are still to be said.
    #[inline]
    pub fn setup(&self) -> Setup {
        Setup {
            members: Arc::clone(&self.collective_members),
            context: self.collective_context(),
            tag: 0,
            check: 0,
            word: || Word::Opaque,
            op: None,
            beyond: None,
        }
    }

    /// Where this task receives the messages of collectives.
    pub fn collective_context(&self) -> Context {
        Context(self.context.0 + 1)
    }
}

fn for_collectives(member: &Member) -> Member {
    Member {
        context: Context(member.context.0.wrapping_add(1)),
        ..*member
    }
}

fn ranks_by_peer(members: &[Member]) -> Box<[u32]> {
    let numbers = members.iter().map(|member| member.peer.index() + 1);
    let mut ranks = vec![NOBODY; numbers.max().unwrap_or(0)];
    for (rank, member) in (0u32..).zip(members) {
        ranks[member.peer.index()] = rank;
    }
    ranks.into()
}
