//! Communicators made from communicators (MPI 5.0, 7.4.2).
//!
//! Every process receives in a context with a number of its own; so making a communicator is opening
//! a context and telling the others its number.

use super::talk::{Both, Talk};
use super::{Comm, Parts, send_tag};
use crate::collective::Circle;
use crate::engine::EngineError;
use crate::group::{Choice, Comparison, Group, part, split};
use crate::ids::{Context, Rank, Tag};
use crate::mpi::errhandler::Errhandler;
use crate::mpi::error::{Class, Error, Result};
use crate::mpi::process::Scope;
use crate::mpi::request::Work;
use crate::mpi::status::{Ended, Status};

/// How two communicators relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are the same one.
    Same,
    /// Their groups relate like this.
    Groups(Comparison),
}

impl Comm {
    /// How another communicator relates to this one.
    pub fn compare(&self, other: &Self) -> Relation {
        if self.is_same(other) {
            return Relation::Same;
        }
        if self.is_inter() != other.is_inter() {
            return Relation::Groups(Comparison::Unequal);
        }
        let local = self.group().compare(other.group());
        let remote = self.circle.group.compare(&other.circle.group);
        Relation::Groups(match (local, remote) {
            (Comparison::Identical, remote) => remote,
            (local, Comparison::Identical) => local,
            (Comparison::Similar, Comparison::Similar) => Comparison::Similar,
            _ => Comparison::Unequal,
        })
    }

    /// The same processes; topology and error handler are those of this one. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_PROC_ABORTED`.
    pub fn dup(&self) -> Result<Self> {
        self.as_copy(self.split(EVERYBODY)?)
    }

    /// Starts [`Comm::dup`]; when the request ends, `then` gets the copy, or why there is none.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn idup(
        &self,
        then: impl FnOnce(Result<Self>) -> Result<()> + Send + 'static,
    ) -> Result<Work> {
        let opened = self.open()?;
        let (request, heard) = self.start_both(&opened.said(EVERYBODY))?;
        let comm = self.clone();
        let conclusion = move |ended: std::result::Result<(), EngineError>| {
            let both = heard.take(ended, comm.size() * SAID, comm.own_size());
            let made = both.and_then(|both| comm.as_copy(comm.form(EVERYBODY, opened, &both)?));
            match then(made) {
                Ok(()) => Ended::well(Status::EMPTY),
                Err(error) => Ended::badly(&comm, Status::EMPTY, error),
            }
        };
        Ok(Work::Running(request, Box::new(conclusion)))
    }

    fn as_copy(&self, made: Option<Self>) -> Result<Self> {
        let copy = made.ok_or_else(|| Error::new(Class::Intern, "a copy without this process"))?;
        if let Some(topology) = self.topology() {
            copy.set_topology(topology.clone());
        }
        Ok(copy)
    }

    /// The processes that choose the same color; in an intercommunicator those of both groups.
    /// `None`: this process chose none, or the remote group has nobody of its color. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_PROC_ABORTED`.
    pub fn split(&self, choice: Choice) -> Result<Option<Self>> {
        let opened = self.open()?;
        let said = opened.said(choice);
        let both = match self.is_inter() {
            true => self.both(&said)?,
            false => Both {
                ours: self.talk().all(&said)?,
                theirs: Vec::new(),
            },
        };
        self.form(choice, opened, &both)
    }

    fn open(&self) -> Result<Pair> {
        let inside = self.is_inter().then(|| Opened::new(&self.process));
        Ok(Pair {
            own: Opened::new(&self.process)?,
            inside: inside.transpose()?,
        })
    }

    /// The communicator of those who said the same color.
    fn form(&self, choice: Choice, opened: Pair, both: &Both) -> Result<Option<Self>> {
        let Some(ranks) = split(&choices(&both.ours), self.rank) else {
            return Ok(None);
        };
        let Pair { own, inside } = opened;
        let Some(inside) = inside else {
            let (group, contexts) = self.part_of(&self.circle.group, &ranks, &both.ours, 0)?;
            let made = own.into_comm(group, contexts, None, self.errhandler());
            return made.map(Some);
        };
        let remote = part(&choices(&both.theirs), choice.color);
        if remote.is_empty() {
            return Ok(None);
        }
        let (group, contexts) = self.part_of(self.group(), &ranks, &both.ours, 1)?;
        let local = inside.into_comm(group, contexts, None, self.errhandler())?;
        let (group, contexts) = self.part_of(&self.circle.group, &remote, &both.theirs, 0)?;
        let made = own.into_comm(group, contexts, Some(local), self.errhandler());
        made.map(Some)
    }

    /// Some processes of a group, and where they receive, as all have said.
    fn part_of(
        &self,
        group: &Group,
        ranks: &[Rank],
        all: &[u64],
        which: usize,
    ) -> Result<(Group, Vec<Context>)> {
        let contexts = ranks
            .iter()
            .map(|rank| context(all[rank * SAID + 3 + which]));
        Ok((group.include(ranks)?, contexts.collect::<Result<_>>()?))
    }

    /// The processes of a part of its group, which may be another one in other processes as long as
    /// they have nobody in common. `None`: this process is not in it. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_GROUP` when it is no part.
    pub fn create(&self, group: &Group) -> Result<Option<Self>> {
        self.check_part(group)?;
        let color = match self.is_inter() {
            true => Some(0),
            // Parts with nobody in common have different first processes.
            false => group.task(0).and_then(|first| self.group().rank_of(first)),
        };
        let rank = group.rank_of(self.process.task.me);
        self.split(Choice {
            color: color.filter(|_| rank.is_some()).map(|color| color as i64),
            key: rank.unwrap_or(0) as i64,
        })
    }

    /// As [`Comm::create`], but only the processes of the part call it.
    ///
    /// # Errors
    /// `MPI_ERR_GROUP`; `MPI_ERR_TAG`; `MPI_ERR_COMM` for intercommunicators.
    pub fn create_group(&self, group: &Group, tag: i32) -> Result<Option<Self>> {
        self.check_intra()?;
        let tag = library_tag(send_tag(tag)?);
        self.check_part(group)?;
        let contexts = group.tasks().iter().filter_map(|task| {
            let rank = self.circle.group.rank_of(*task)?;
            Some(self.circle.members[rank].context)
        });
        let (contexts, own) = (contexts.collect(), self.circle.context);
        Meeting::new(&self.process, group, own, contexts, tag)?
            .map(|meeting| meeting.make(self.errhandler()))
            .transpose()
    }

    pub(in crate::mpi) fn check_intra(&self) -> Result<()> {
        match self.is_inter() {
            false => Ok(()),
            true => Err(Error::new(Class::Comm, "it is an intercommunicator")),
        }
    }

    fn check_part(&self, group: &Group) -> Result<()> {
        match group.difference(self.group()).is_empty() {
            true => Ok(()),
            false => Err(Error::new(
                Class::Group,
                "processes of the group are not in the communicator",
            )),
        }
    }
}

/// The tag, of those that no receive of the program takes, that stands for one of the program.
pub(in crate::mpi) fn library_tag(tag: Tag) -> Tag {
    !tag
}

/// Processes that meet where each knows where the others receive.
pub(in crate::mpi) struct Meeting {
    process: Scope,
    circle: Circle,
    rank: Rank,
    tag: Tag,
}

impl Meeting {
    /// The processes of a group, which receive in `contexts`, this one in `own`; `None`: this process
    /// is none of them.
    pub fn new(
        process: &Scope,
        group: &Group,
        own: Context,
        contexts: Vec<Context>,
        tag: Tag,
    ) -> Result<Option<Self>> {
        let task = &process.task;
        let Some(rank) = group.rank_of(task.me) else {
            return Ok(None);
        };
        let (group, cpus) = (group.clone(), task.cpus);
        let circle = process.with(|engine| Circle::new(engine, group, own, &contexts, cpus))?;
        Ok(Some(Self {
            process: process.clone(),
            circle,
            rank,
            tag,
        }))
    }

    /// They talk.
    pub fn talk(&self) -> Talk<'_> {
        Talk {
            process: &self.process,
            circle: &self.circle,
            rank: self.rank,
            tag: self.tag,
        }
    }

    /// Their communicator.
    pub fn make(&self, errhandler: Errhandler) -> Result<Comm> {
        let own = Opened::new(&self.process)?;
        let all = self.talk().all(&[own.context.0.into()])?;
        let contexts = all.into_iter().map(context).collect::<Result<_>>()?;
        own.into_comm(self.circle.group.clone(), contexts, None, errhandler)
    }
}

/// How many numbers a process says in a split.
const SAID: usize = 5;

/// What all say when all come together.
const EVERYBODY: Choice = Choice {
    color: Some(0),
    key: 0,
};

/// Where this process will receive: what comes to the new communicator, and, of an
/// intercommunicator, what comes from its own group.
struct Pair {
    own: Opened,
    inside: Option<Opened>,
}

impl Pair {
    fn said(&self, choice: Choice) -> [u64; SAID] {
        let inside = self.inside.as_ref().map_or(0, |inside| inside.context.0);
        [
            choice.color.is_some().into(),
            choice.color.unwrap_or(0) as u64,
            choice.key as u64,
            self.own.context.0.into(),
            inside.into(),
        ]
    }
}

fn choices(all: &[u64]) -> Vec<Choice> {
    let choice = |said: &[u64]| Choice {
        color: (said[0] == 1).then_some(said[1] as i64),
        key: said[2] as i64,
    };
    all.chunks_exact(SAID).map(choice).collect()
}

/// A context that another process has named.
pub(super) fn context(number: u64) -> Result<Context> {
    let number = u32::try_from(number).ok().map(Context);
    let known = number.filter(|context| *context >= Context::FIRST_FREE);
    known.ok_or_else(|| Error::new(Class::Other, "a process named an impossible context"))
}

/// A context that is closed again unless a communicator takes it.
pub(super) struct Opened {
    process: Scope,
    pub context: Context,
}

impl Opened {
    pub fn new(process: &Scope) -> Result<Self> {
        Ok(Self {
            context: process.with(|engine| engine.open_context())?,
            process: process.clone(),
        })
    }

    /// The communicator of processes that receive in `contexts`, this one in its own.
    pub fn into_comm(
        mut self,
        group: Group,
        contexts: Vec<Context>,
        local: Option<Comm>,
        errhandler: Errhandler,
    ) -> Result<Comm> {
        let local_group = local.as_ref().map_or(&group, |local| &local.circle.group);
        let rank = local_group.rank_of(self.process.task.me);
        let rank = rank.ok_or_else(|| Error::new(Class::Intern, "this process is not in it"))?;
        let parts = Parts {
            group,
            rank,
            context: self.context,
            contexts,
            local,
        };
        let made = Comm::new(&self.process, parts, errhandler)?;
        // From now on the communicator closes it.
        self.context = Context(0);
        Ok(made)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.context >= Context::FIRST_FREE {
            // Where this thread may not enter, the context just stays open.
            let _ = self
                .process
                .with(|engine| engine.close_context(self.context));
        }
    }
}
