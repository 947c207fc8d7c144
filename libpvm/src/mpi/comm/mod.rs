//! Communicators (MPI 5.0, chapter 7).

mod hints;
mod inter;
mod make;
mod talk;

pub use hints::MEMORY_KINDS;
pub(super) use inter::Bridge;
pub(super) use make::Meeting;
use make::Opened;
pub use make::Relation;
pub(super) use make::library_tag;

use super::attribute::{Attributes, Holder};
use super::buffered::Buffer;
use super::collective::Calls;
use super::errhandler::Errhandler;
use super::error::{Class, Error, Result};
use super::object::{ObjectName, lock};
use super::process::{Process, Scope};
use super::request;
use super::topology::Topology;
use crate::collective::{Beyond, Circle, Member, Setup, Tags};
use crate::engine::{EngineError, RequestId, Selector, TaskEngine};
use crate::group::Group;
use crate::ids::{Context, Rank, Tag, TaskId};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::transport::{Peer, Transport};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// Any source.
pub const ANY_SOURCE: i32 = -1;
/// Any tag.
pub const ANY_TAG: i32 = -2;
/// The process that is none: messages to and from it are not sent.
pub const PROC_NULL: i32 = -3;
/// In collectives of intercommunicators: the root is this process.
pub const ROOT: i32 = -4;
/// A value that is none.
pub const UNDEFINED: i32 = -32766;
/// Greatest tag.
pub const TAG_UB: Tag = Tag::MAX;

/// A communicator. Clones are the same one; its contexts are closed with the last of them.
#[derive(Clone)]
pub struct Comm(Arc<Inner>);

/// What a communicator is made of.
pub struct Inner {
    /// The process that it is in, and the session.
    pub process: Scope,
    /// Whom messages go to and come from: all ranks, or those of the other group.
    pub circle: Circle,
    /// This process's rank in its own group.
    pub rank: Rank,
    /// The communicator of the own group, of an intercommunicator.
    pub local: Option<Comm>,
    /// Of an intercommunicator, for collectives: the own group, then the other one.
    both: Option<Arc<[Member]>>,
    /// Where its buffered sends go, when a buffer is attached.
    pub buffer: Buffer,
    /// What collectives leave for the next one.
    pub collectives: Mutex<Collectives>,
    /// What the program attached to it.
    pub attributes: Attributes,
    name: ObjectName,
    errhandler: Mutex<Errhandler>,
    hints: Mutex<hints::Hints>,
    topology: OnceLock<Topology>,
    /// The handle under which the program's interface knows it.
    handle: AtomicU64,
    /// The ends of its processes are told to this one.
    is_watched: AtomicBool,
}

/// What changes with every collective.
#[derive(Default)]
pub struct Collectives {
    /// The numbers of the calls.
    pub tags: Tags,
    /// What the last calls have left.
    pub calls: Calls,
}

impl std::ops::Deref for Comm {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What a communicator is made from.
pub struct Parts {
    /// The tasks that messages go to.
    pub group: Group,
    /// The own rank in the own group.
    pub rank: Rank,
    /// Where this process receives.
    pub context: Context,
    /// Where the tasks of `group` receive, by rank.
    pub contexts: Vec<Context>,
    /// The communicator of the own group, of an intercommunicator.
    pub local: Option<Comm>,
}

impl Comm {
    /// A communicator of known parts.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn new(process: &Scope, parts: Parts, errhandler: Errhandler) -> Result<Self> {
        let Parts {
            group,
            rank,
            context,
            contexts,
            local,
        } = parts;
        let cpus = process.task.cpus;
        let circle = process.with(|engine| Circle::new(engine, group, context, &contexts, cpus))?;
        let both = local.as_ref().map(|local: &Self| {
            let own = local.circle.collective_members.iter();
            own.chain(&*circle.collective_members).copied().collect()
        });
        Ok(Self(Arc::new(Inner {
            process: process.clone(),
            circle,
            rank,
            local,
            both,
            buffer: Buffer::default(),
            collectives: Mutex::default(),
            attributes: Attributes::new(Holder::Comm),
            name: ObjectName::default(),
            errhandler: Mutex::new(errhandler),
            hints: Mutex::default(),
            topology: OnceLock::new(),
            handle: AtomicU64::new(0),
            is_watched: AtomicBool::new(false),
        })))
    }

    /// `MPI_COMM_WORLD`: the tasks of the launch.
    ///
    /// # Errors
    /// As [`Comm::new`].
    pub fn world(process: &Arc<Process>) -> Result<Self> {
        let task = &process.task;
        let parts = Parts {
            group: task.world.clone(),
            rank: task.rank,
            context: Context::MPI_WORLD,
            contexts: vec![Context::MPI_WORLD; task.world.size()],
            local: None,
        };
        let world = Self::new(&Scope::world(process), parts, Errhandler::AreFatal)?;
        world.set_name("MPI_COMM_WORLD");
        Ok(world)
    }

    /// `MPI_COMM_SELF`: this process alone.
    ///
    /// # Errors
    /// As [`Comm::new`].
    pub fn alone(process: &Arc<Process>) -> Result<Self> {
        let own = Opened::new(&Scope::world(process))?;
        let (group, contexts) = (Group::new([process.task.me])?, vec![own.context]);
        let comm = own.into_comm(group, contexts, None, Errhandler::AreFatal)?;
        comm.set_name("MPI_COMM_SELF");
        Ok(comm)
    }

    /// Whether two handles are of one communicator.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Inner {
    /// Whether it has two groups.
    pub fn is_inter(&self) -> bool {
        self.local.is_some()
    }

    /// The number of processes in the own group.
    pub fn size(&self) -> usize {
        self.group().size()
    }

    /// The number of processes in the own group, if there is another one.
    pub(super) fn own_size(&self) -> Option<usize> {
        self.local.as_ref().map(|local| local.circle.group.size())
    }

    /// The number of processes that messages can go to.
    pub fn remote_size(&self) -> usize {
        self.circle.group.size()
    }

    /// The own group.
    pub fn group(&self) -> &Group {
        match &self.local {
            Some(local) => &local.circle.group,
            None => &self.circle.group,
        }
    }

    /// Where a message to a rank goes; `None`: to nobody ([`PROC_NULL`]).
    ///
    /// # Errors
    /// `MPI_ERR_RANK`.
    #[inline]
    pub fn target(&self, rank: i32) -> Result<Option<Member>> {
        match self.member(rank) {
            Some(member) => Ok(Some(member)),
            None if rank == PROC_NULL => Ok(None),
            None => Err(self.no_such_rank("destination", rank)),
        }
    }

    /// Whom messages of a rank come from.
    ///
    /// # Errors
    /// `MPI_ERR_RANK`.
    pub fn source(&self, rank: i32) -> Result<Member> {
        self.member(rank)
            .ok_or_else(|| self.no_such_rank("source", rank))
    }

    /// Which messages a receive from a rank with a tag takes, wildcards included; `None`: those of
    /// nobody ([`PROC_NULL`]).
    ///
    /// # Errors
    /// `MPI_ERR_RANK`, `MPI_ERR_TAG`.
    #[inline]
    pub fn selector(&self, rank: i32, tag: i32) -> Result<Option<Selector>> {
        let tag = match tag {
            ANY_TAG => None,
            tag if tag >= 0 => Some(tag),
            tag => return Err(bad_tag(tag)),
        };
        let source = match self.member(rank) {
            Some(member) => Some(member.peer),
            None if rank == ANY_SOURCE => None,
            None if rank == PROC_NULL => return Ok(None),
            None => return Err(self.no_such_rank("source", rank)),
        };
        Ok(Some(Selector {
            context: self.circle.context,
            source,
            tag,
        }))
    }

    /// What a status calls a peer.
    #[inline]
    pub fn source_of(&self, peer: Peer) -> i32 {
        // A stranger who knows the context can only confuse itself; it has no rank.
        self.circle
            .rank_of(peer)
            .and_then(|rank| i32::try_from(rank).ok())
            .unwrap_or(UNDEFINED)
    }

    /// Ends a receive from anybody, if nobody is left who could send to it; false: it is not one, or goes on.
    /// Who has left in good order counts when this process has no other thread that could send.
    pub(super) fn orphan(
        &self,
        engine: &mut TaskEngine,
        receive: RequestId,
        is_alone: bool,
    ) -> bool {
        if !engine.is_for_anybody(receive) {
            return false;
        }
        let Some(gone) = self.abandoned(engine, is_alone) else {
            return false;
        };
        engine.give_up(receive, EngineError::PeerGone(gone));
        engine.is_complete(receive)
    }

    /// One of the others, if all of them have ended, one at least not in good order, or `is_alone`.
    pub(super) fn abandoned(&self, engine: &mut TaskEngine, is_alone: bool) -> Option<TaskId> {
        if self.process.goes_on && !self.is_watched.swap(true, Ordering::Relaxed) {
            let peers: Vec<Peer> = self.circle.members.iter().map(|it| it.peer).collect();
            engine.transport().watch_ends(&peers);
        }
        let members = &self.circle.members;
        if engine.gone_count() + 1 < members.len() || engine.gone_count() == 0 {
            return None;
        }
        let mut others = members.iter().filter(|it| it.peer != Peer::SELF);
        if !others.clone().all(|it| engine.is_gone(it.peer)) {
            return None;
        }
        let found = others.find(|it| is_alone || !engine.transport().has_left(it.peer))?;
        Some(engine.task(found.peer))
    }

    /// A collective of all its processes, of both groups, whose number comes by [`Inner::number`].
    #[inline]
    pub(super) fn setup(&self) -> Setup {
        match (&self.local, &self.both) {
            (Some(local), Some(both)) => Setup {
                members: Arc::clone(both),
                beyond: Some(Beyond {
                    first: local.circle.group.size(),
                    context: self.circle.collective_context(),
                    tag: 0,
                }),
                ..local.circle.setup()
            },
            _ => self.circle.setup(),
        }
    }

    /// Gives a collective its number.
    #[inline]
    pub(super) fn number(&self, setup: &mut Setup, next: fn(&mut Tags) -> Tag) {
        let tag = self.next_tag(next);
        match (&self.local, &mut setup.beyond) {
            (Some(local), Some(beyond)) => {
                beyond.tag = tag;
                setup.tag = local.next_tag(next);
            }
            _ => setup.tag = tag,
        }
    }

    /// The number of the next collective, equal in all ranks because all make the same calls in the same
    /// order.
    fn next_tag(&self, next: fn(&mut Tags) -> Tag) -> Tag {
        next(&mut lock(&self.collectives).tags)
    }

    /// Waits until no message of this process is under way in it.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn settle(&self) -> Result<()> {
        let is_ours = |peer, context| {
            let rank = self.circle.rank_of(peer);
            rank.is_some_and(|rank| self.circle.members[rank].context == context)
        };
        request::wait(&self.process, |engine| {
            let is_quiet = engine.is_quiet_in(self.circle.context, is_ours);
            is_quiet.then_some(())
        })
    }

    /// A root of a collective.
    ///
    /// # Errors
    /// `MPI_ERR_ROOT`.
    pub fn root(&self, root: i32) -> Result<Rank> {
        self.rank_of(root).ok_or_else(|| {
            let detail = format!("root {root} in a communicator of {}", self.size());
            Error::new(Class::Root, detail)
        })
    }

    /// A rank of the own group that the program has named.
    ///
    /// # Errors
    /// `MPI_ERR_RANK`.
    pub fn own_rank(&self, rank: i32) -> Result<Rank> {
        self.rank_of(rank).ok_or_else(|| {
            let detail = format!("rank {rank} in a group of {}", self.size());
            Error::new(Class::Rank, detail)
        })
    }

    fn rank_of(&self, number: i32) -> Option<Rank> {
        let rank = usize::try_from(number).ok();
        rank.filter(|rank| *rank < self.size())
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.name.text()
    }

    /// What it is called in the text of an error.
    #[cold]
    pub(super) fn called(&self) -> String {
        match self.name() {
            name if name.is_empty() => format!("a communicator of {}", self.size()),
            name => name,
        }
    }

    /// What is to be added to the number of a sender in such a text.
    #[cold]
    pub(super) fn source_group(&self) -> &'static str {
        match self.is_inter() {
            true => " of the remote group",
            false => "",
        }
    }

    /// Names it; what is too long is cut.
    pub fn set_name(&self, name: &str) {
        self.name.set(name);
    }

    /// What happens when a call with it fails.
    pub fn errhandler(&self) -> Errhandler {
        lock(&self.errhandler).clone()
    }

    /// Sets what happens when a call with it fails.
    pub fn set_errhandler(&self, errhandler: Errhandler) {
        *lock(&self.errhandler) = errhandler;
    }

    /// How its processes are arranged, if they are.
    pub fn topology(&self) -> Option<&Topology> {
        self.topology.get()
    }

    /// Arranges the processes of a new communicator; it stays so.
    pub fn set_topology(&self, topology: Topology) {
        let _ = self.topology.set(topology);
    }

    /// The handle under which the program's interface knows it; 0: it has none yet.
    pub fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    /// Notes that handle.
    pub fn set_handle(&self, handle: u64) {
        self.handle.store(handle, Ordering::Relaxed);
    }

    #[inline]
    fn member(&self, rank: i32) -> Option<Member> {
        let rank = usize::try_from(rank).ok()?;
        self.circle.members.get(rank).copied()
    }

    #[cold]
    fn no_such_rank(&self, what: &str, rank: i32) -> Error {
        let size = self.remote_size();
        Error::new(
            Class::Rank,
            format!("{what} {rank} in a communicator of {size}"),
        )
    }
}

/// The tag of a message that is sent.
///
/// # Errors
/// `MPI_ERR_TAG` when it is negative.
#[inline]
pub fn send_tag(tag: i32) -> Result<Tag> {
    if tag >= 0 { Ok(tag) } else { Err(bad_tag(tag)) }
}

#[cold]
fn bad_tag(tag: i32) -> Error {
    Error::new(
        Class::Tag,
        format!("tag {tag} is not between 0 and {TAG_UB}"),
    )
}

impl Drop for Inner {
    fn drop(&mut self) {
        let context = self.circle.context;
        if context.0 >= Context::FIRST_FREE.0 {
            // Where this thread may not enter, the context just stays open.
            let _ = self.process.with(|engine| engine.close_context(context));
        }
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "communicator '{}' of {}", self.name(), self.size())
    }
}
