//! A call that only has to be gone through.

use super::super::comm::{Comm, PROC_NULL, ROOT};
use super::super::datatype::Datatype;
use super::super::error::{Class, Error, Result};
use super::super::object::lock;
use super::super::op::Op;
use super::super::request::{Request, Work};
use super::super::status::{Ended, Status};
use super::super::topology::{Neighbours, Topology};
use super::agreement::{self, Name, SAID, failure};
use crate::collective::between::{self, Between, Root};
use crate::collective::{
    self, Buffer, Call, CallError, Delivery, Finished, Place, Run, Schedule, Scratch, Setup, Span,
    Tags, neighbours, plan,
};
use crate::datatype::{Sink, Source, Word};
use crate::engine::EngineError;
use crate::ids::Rank;
use std::sync::{Arc, Mutex};

/// The buffers of a call.
#[derive(Default)]
pub struct Ends {
    /// What is given. Absent where nothing is, and in place.
    pub input: Option<Source>,
    /// Where the result goes.
    pub output: Option<Sink>,
}

/// A call, besides its buffers.
pub struct Job<'a> {
    /// What it is called.
    pub name: Name,
    /// What it does.
    pub call: Call<'a>,
    /// Who the root is; [`Root::Beside`] where there is none.
    pub root: Root,
    /// Whether the output stands for the input.
    pub in_place: bool,
    /// How elements are combined, where they are: the operation, and on which elements.
    pub op: Option<(&'a Op, collective::Op)>,
    /// What elements are made of; asked when a rank's host is unlike this one.
    pub word: fn() -> Word,
    /// Elements that all ranks name alike, where they do.
    pub elements: Option<(i64, &'a Datatype)>,
}

/// Who the root of a call is.
///
/// # Errors
/// `MPI_ERR_ROOT`.
#[inline]
pub fn root_of(comm: &Comm, root: i32) -> Result<Root> {
    if comm.is_inter() {
        return root_between(comm, root);
    }
    let root = comm.root(root)?;
    Ok(match root == comm.rank {
        true => Root::Here,
        false => Root::There(root),
    })
}

fn root_between(comm: &Comm, root: i32) -> Result<Root> {
    let others = comm.remote_size();
    match usize::try_from(root) {
        Ok(rank) if rank < others => Ok(Root::There(rank)),
        _ if root == ROOT => Ok(Root::Here),
        _ if root == PROC_NULL => Ok(Root::Beside),
        _ => Err(Error::new(
            Class::Root,
            format!("root {root} in a remote group of {others}"),
        )),
    }
}

/// A call of which the schedule of this rank is made.
pub struct Prepared {
    pub(super) comm: Comm,
    setup: Setup,
    scratch: Scratch,
    pub(super) ends: Ends,
    /// What all ranks have to say of it.
    said: [u64; SAID],
}

impl Prepared {
    /// A call in a communicator of one group or two.
    ///
    /// # Errors
    /// `MPI_ERR_COMM` when it has no meaning between two groups; `MPI_ERR_ARG` when its blocks do not
    /// fit.
    pub fn new(comm: &Comm, job: Job<'_>, ends: Ends) -> Result<Self> {
        let mut scratch = begin(comm);
        let root = match job.root {
            Root::Here => Some(comm.rank),
            Root::There(root) => Some(root),
            Root::Beside => None,
        };
        // The sides of two groups call with different roots.
        let root = root.filter(|_| !comm.is_inter());
        let op = job.op.as_ref().map(|(op, _)| *op);
        let elements = job.op.as_ref().and_then(|(_, combine)| combine.kind());
        let check = agreement::check(job.name, op, elements, root);
        let said = said(comm, check, &job)?;
        let combine = job.op.map(|(_, combine)| combine);
        match &comm.local {
            Some(local) => {
                let between = Between {
                    rank: comm.rank,
                    size: local.size(),
                    others: comm.remote_size(),
                    root: job.root,
                    input: ends.input.as_ref().map_or(0, Source::len),
                };
                between::plan(scratch.schedule(), &job.call, &between)?;
            }
            None => {
                let place = Place {
                    rank: comm.rank,
                    topology: &comm.circle.topology,
                    in_place: job.in_place,
                };
                plan(scratch.schedule(), &job.call, &place)?;
            }
        }
        Ok(Self {
            comm: comm.clone(),
            setup: Setup {
                check,
                word: job.word,
                op: combine,
                ..comm.setup()
            },
            scratch,
            ends,
            said,
        })
    }

    /// A call among neighbours: by their places, which bytes of the packed input go to each
    /// destination, and where in the packed output those of each source come, as start and length.
    pub fn among_neighbours(
        comm: &Comm,
        (name, word): (Name, fn() -> Word),
        neighbours: &Neighbours,
        outgoing: impl Fn(usize) -> (usize, usize),
        incoming: impl Fn(usize) -> (usize, usize),
        ends: Ends,
    ) -> Self {
        let mut scratch = begin(comm);
        let Neighbours {
            sources,
            destinations,
        } = neighbours;
        // In a grid what is sent down comes from above, also when both are the same process: the
        // places of what comes are gone through in the order in which it was sent.
        let across = usize::from(matches!(comm.topology(), Some(Topology::Cart(_))));
        let span = |buffer, (start, len)| Span { buffer, start, len };
        let givers = (0..sources.len()).map(|place| place ^ across);
        let incoming: Vec<_> = givers
            .filter_map(|place| {
                let rank = Rank::try_from(sources[place]).ok()?;
                Some((rank, span(Buffer::Output, incoming(place))))
            })
            .collect();
        let outgoing: Vec<_> = destinations
            .iter()
            .enumerate()
            .filter_map(|(place, rank)| {
                let rank = Rank::try_from(*rank).ok()?;
                Some((rank, span(Buffer::Input, outgoing(place))))
            })
            .collect();
        let place = (comm.rank, comm.size());
        neighbours::exchange(scratch.schedule(), place, &outgoing, &incoming);
        let check = agreement::check(name, None, None, None);
        Self {
            comm: comm.clone(),
            setup: Setup {
                check,
                word,
                ..comm.setup()
            },
            scratch,
            ends,
            said: [check.into(), 0, 0, 0],
        }
    }

    /// Goes through it.
    ///
    /// # Errors
    /// Those of the collective: a rank that has ended, or made another call.
    #[inline]
    pub(super) fn go_through(mut self) -> Result<Run> {
        if self.is_compared() {
            self.compare()?;
        }
        self.comm.number(&mut self.setup, Tags::next_tag);
        let Ends { input, output } = self.ends;
        let run = Run::new(self.setup, self.scratch, input, output).map_err(unfit)?;
        let mut run = run.in_order();
        go(&self.comm, &mut run)?;
        Ok(run)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn start(mut self) -> Result<Work> {
        self.number_in_background();
        self.launch(|comm, finished| lock(&comm.collectives).calls.put_back(finished.scratch))
    }

    /// A request that starts it, again and again. The tag is the same each time: messages between two
    /// ranks stay in order.
    pub fn persistent(mut self) -> Request {
        self.number_in_background();
        let schedule = std::mem::take(self.scratch.schedule());
        let (comm, setup, said) = (self.comm, self.setup, self.said);
        let kept = Arc::new(Mutex::new(Some(self.ends)));
        let of = comm.clone();
        let starter = Box::new(move || {
            let ends = lock(&kept).take().ok_or_else(lost)?;
            let prepared = Self {
                comm: comm.clone(),
                setup: setup.clone(),
                scratch: Scratch::from(Schedule::clone(&schedule)),
                ends,
                said,
            };
            let kept = Arc::clone(&kept);
            prepared.launch(move |_, finished| {
                let Finished { input, output, .. } = finished;
                *lock(&kept) = Some(Ends { input, output });
            })
        });
        Request::persistent(&of, starter)
    }

    /// Tells all ranks which call this is, and hears which theirs are.
    #[cold]
    fn compare(&mut self) -> Result<()> {
        if self.comm.is_inter() {
            return Ok(());
        }
        let shown = self.scratch.schedule().operation;
        let all = self.comm.talk().compare(&self.said, shown)?;
        agreement::compare(&self.said, &all)
    }

    /// Whether its buffers can lie elsewhere the next time, and all else be the same.
    pub(super) fn can_come_again(&self) -> bool {
        !self.comm.is_inter() && !self.is_compared()
    }

    fn is_compared(&self) -> bool {
        self.comm.process.debug.collectives
    }

    fn number_in_background(&mut self) {
        let next = Tags::next_tag_in_background;
        self.comm.number(&mut self.setup, next);
    }

    /// Starts it; `after` gets what it leaves.
    fn launch(self, after: impl FnOnce(&Comm, Finished) + Send + 'static) -> Result<Work> {
        let check = self.setup.check;
        let Ends { input, output } = self.ends;
        let delivery = Delivery::default();
        let run = Run::new(self.setup, self.scratch, input, output).map_err(unfit)?;
        let run = run.deliver_to(&delivery);
        let comm = self.comm;
        let id = comm.process.with(|engine| engine.start(Box::new(run)))?;
        let conclusion = move |result: std::result::Result<(), EngineError>| {
            let finished = delivery.take();
            let disagreement = finished.as_ref().and_then(|left| left.disagreement);
            if let Some(finished) = finished {
                after(&comm, finished);
            }
            match result {
                Ok(()) => Ended::well(Status::EMPTY),
                Err(error) => {
                    let error = failure(error, check, disagreement, comm.own_size());
                    Ended::badly(&comm, Status::EMPTY, error)
                }
            }
        };
        Ok(Work::Running(id, Box::new(conclusion)))
    }
}

/// What a rank says of its call, where that is asked.
#[inline]
fn said(comm: &Comm, check: u32, job: &Job<'_>) -> Result<[u64; SAID]> {
    match comm.process.debug.collectives {
        false => Ok([0; SAID]),
        true => said_of(check, job),
    }
}

#[cold]
fn said_of(check: u32, job: &Job<'_>) -> Result<[u64; SAID]> {
    let len = job.call.common_len().map_or(0, |len| len as u64 + 1);
    let (elements, print) = match job.elements {
        Some((count, datatype)) => datatype.signature().repeat(count)?.fingerprint(),
        None => (0, 0),
    };
    Ok([check.into(), len, elements as u64, print])
}

/// Goes through the next blocking call of a communicator.
#[inline]
pub(super) fn go(comm: &Comm, run: &mut Run) -> Result<()> {
    match run.wait(&comm.process.task.core)? {
        Ok(()) => {
            run.clear();
            Ok(())
        }
        Err(error) => Err(failed(comm, run, error)),
    }
}

#[cold]
fn failed(comm: &Comm, run: &Run, error: EngineError) -> Error {
    failure(error, run.check(), run.disagreement(), comm.own_size())
}

fn begin(comm: &Comm) -> Scratch {
    lock(&comm.collectives).calls.begin()
}

impl From<CallError> for Error {
    /// Why there is no schedule.
    #[cold]
    fn from(error: CallError) -> Self {
        let class = match error {
            CallError::TwoGroups => Class::Comm,
            CallError::NoSuchRank { .. } | CallError::BadBlocks => Class::Arg,
        };
        Self::new(class, error.to_string())
    }
}

/// A buffer is shorter than what the other arguments say.
#[cold]
pub(super) fn unfit(_: EngineError) -> Error {
    Error::new(
        Class::Truncate,
        "this rank gives itself more, or less, than it has room for",
    )
}

#[cold]
fn lost() -> Error {
    Error::new(Class::Request, "the request's last run has not ended")
}
