//! Intercommunicators (MPI 5.0, 7.6).

use super::make::{Opened, context, library_tag};
use super::talk::{Both, swap};
use super::{Comm, send_tag};
use crate::collective::Member;
use crate::group::Group;
use crate::ids::{Context, Rank, Tag, TaskId};
use crate::mpi::errhandler::Errhandler;
use crate::mpi::error::{Class, Error, Result};

/// How the leader of a group reaches that of the other.
#[derive(Clone, Copy)]
pub(in crate::mpi) struct Bridge {
    /// The other leader.
    pub leader: Member,
    /// Where this one receives.
    pub context: Context,
    /// Of both messages.
    pub tag: Tag,
}

impl Comm {
    /// Joins this communicator and another one that have nobody in common. `peer` counts at the
    /// leader only: a communicator with the leader of the other, and its rank there. A collective of
    /// both.
    ///
    /// # Errors
    /// `MPI_ERR_COMM`, `MPI_ERR_RANK`, `MPI_ERR_TAG`.
    pub fn create_inter(
        &self,
        local_leader: i32,
        peer: impl FnOnce() -> Result<(Comm, i32)>,
        tag: i32,
    ) -> Result<Self> {
        self.check_intra()?;
        let leader = self.own_rank(local_leader)?;
        let tag = library_tag(send_tag(tag)?);
        let bridge = || {
            let (comm, rank) = peer()?;
            let leader = comm
                .target(rank)?
                .ok_or_else(|| Error::new(Class::Rank, "the remote leader is MPI_PROC_NULL"))?;
            let context = comm.circle.context;
            Ok(Bridge {
                leader,
                context,
                tag,
            })
        };
        self.join(leader, bridge, self.errhandler())
    }

    /// Joins this communicator and another one over a bridge between their leaders.
    pub(in crate::mpi) fn join(
        &self,
        leader: Rank,
        bridge: impl FnOnce() -> Result<Bridge>,
        errhandler: Errhandler,
    ) -> Result<Self> {
        let own = Opened::new(&self.process)?;
        let ours = self.talk().all(&self.card(own.context))?;
        let theirs = self.talk().lead(leader, || {
            let Bridge {
                leader,
                context,
                tag,
            } = bridge()?;
            // The leaders exchange the cards of their groups.
            swap(&self.process, leader, context, tag, &ours)
        })?;
        let (group, contexts) = cards(&theirs)?;
        if !group.intersection(self.group()).is_empty() {
            let detail = "the two groups have a process in common";
            return Err(Error::new(Class::Comm, detail));
        }
        let local = self.dup()?;
        local.set_errhandler(errhandler.clone());
        own.into_comm(group, contexts, Some(local), errhandler)
    }

    /// Who this process is, and where it receives.
    fn card(&self, context: Context) -> [u64; 2] {
        [self.process.task.me.bits(), context.0.into()]
    }

    /// One communicator of both groups; that which says `high` comes last. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_COMM` when it has one group only; `MPI_ERR_ARG` when the processes of a group do not
    /// say the same.
    pub fn merge(&self, high: bool) -> Result<Self> {
        if !self.is_inter() {
            return Err(Error::new(Class::Comm, "it is no intercommunicator"));
        }
        let own = Opened::new(&self.process)?;
        let Both { ours, theirs } = self.both(&[high.into(), own.context.0.into()])?;
        let remote_high = one_mind(&theirs)?;
        one_mind(&ours)?;
        let (local, remote) = (self.group(), &self.circle.group);
        let remote_first = match high == remote_high {
            false => high,
            // Any order will do that both have.
            true => remote.task(0) < local.task(0),
        };
        let (group, said) = match remote_first {
            true => (remote.union(local), [theirs, ours].concat()),
            false => (local.union(remote), [ours, theirs].concat()),
        };
        let (said, _) = said.as_chunks::<2>();
        let contexts = said.iter().map(|said| context(said[1]));
        let contexts = contexts.collect::<Result<_>>()?;
        own.into_comm(group, contexts, None, self.errhandler())
    }
}

/// The group that has shown its cards, and where its processes receive.
fn cards(said: &[u64]) -> Result<(Group, Vec<Context>)> {
    let (cards, _) = said.as_chunks::<2>();
    let task = |card: &[u64; 2]| {
        let task = TaskId::from_bits(card[0]);
        task.ok_or_else(|| Error::new(Class::Other, "the remote leader names no task"))
    };
    let tasks = cards.iter().map(task).collect::<Result<Vec<_>>>()?;
    let contexts = cards.iter().map(|card| context(card[1]));
    Ok((Group::new(tasks)?, contexts.collect::<Result<_>>()?))
}

/// What all processes of a group say of `high`.
fn one_mind(said: &[u64]) -> Result<bool> {
    let (said, _) = said.as_chunks::<2>();
    match said.iter().all(|other| other[0] == said[0][0]) {
        true => Ok(said[0][0] != 0),
        false => Err(Error::new(
            Class::Arg,
            "the processes of a group give different values for high",
        )),
    }
}
