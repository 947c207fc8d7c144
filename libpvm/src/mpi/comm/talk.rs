//! Numbers that processes tell each other while they make objects together.

use super::Comm;
use crate::collective::algorithm::allgather;
use crate::collective::{
    Blocks, Buffer, Call, Circle, Delivery, Member, Packed, Place, Run, Schedule, Scratch, Setup,
    Span, Tags, Team, plan,
};
use crate::datatype::{Sink, Source, Word};
use crate::engine::{EngineError, Mode, RequestId, Selector};
use crate::ids::{Context, Rank, Tag};
use crate::mpi::collective::{Name, failure};
use crate::mpi::error::{Class, Error, Result};
use crate::mpi::process::Process;
use crate::transport::Operation;

/// Equal in all calls of this kind, and in no other.
const CHECK: u32 = Name::Making as u32;
/// Most bytes that a process takes from another one here: some numbers of a million processes.
const TAKEN_MAX: u64 = 64 << 20;

/// Processes that talk: a collective of a circle under a tag.
#[derive(Clone, Copy)]
pub(in crate::mpi) struct Talk<'a> {
    /// This process.
    pub process: &'a Process,
    /// Those that talk.
    pub circle: &'a Circle,
    /// The own rank there.
    pub rank: Rank,
    /// Equal in all of them; no other talk of them has it at the same time.
    pub tag: Tag,
}

impl Talk<'_> {
    /// The numbers of all, by rank; all say equally many.
    ///
    /// # Errors
    /// `MPI_ERR_PROC_ABORTED`; `MPI_ERR_OTHER` when they do not call the same.
    pub fn all(&self, said: &[u64]) -> Result<Vec<u64>> {
        let len = size_of_val(said);
        let room = len * self.circle.group.size();
        self.run(Call::Allgather { len }, Some(encode(said)), vec![0; room])
    }

    /// The numbers of one, at all; `len` of them. Only `root` says something.
    ///
    /// # Errors
    /// As [`Talk::all`].
    pub fn one(&self, root: Rank, said: &[u64], len: usize) -> Result<Vec<u64>> {
        let len = len * size_of::<u64>();
        let mut room = encode(said);
        room.resize(len, 0);
        self.run(Call::Broadcast { root, len }, None, room)
    }

    /// What all say to this one, one behind the other by rank; each says something else to each.
    ///
    /// # Errors
    /// As [`Talk::all`].
    pub fn each(&self, said: &[Vec<u64>]) -> Result<Vec<u64>> {
        let lens: Vec<u64> = said.iter().map(|part| part.len() as u64).collect();
        let (len, room) = (size_of::<u64>(), size_of_val(&lens[..]));
        let heard = self.run(Call::Alltoall { len }, Some(encode(&lens)), vec![0; room])?;
        let (to, from) = (packed(&lens)?, packed(&heard)?);
        let call = Call::Alltoallv {
            input: to.blocks(),
            output: from.blocks(),
        };
        self.run(call, Some(encode(&said.concat())), vec![0; from.total])
    }

    /// What one of them finds out, at all; or why it failed.
    ///
    /// # Errors
    /// Those of the leader, and as [`Talk::all`].
    pub fn lead(&self, leader: Rank, find: impl FnOnce() -> Result<Vec<u64>>) -> Result<Vec<u64>> {
        let found = (self.rank == leader).then(find);
        let head = match &found {
            Some(Ok(numbers)) => [0, numbers.len() as u64],
            Some(Err(error)) => [error.code() as u64, 0],
            None => [0; 2],
        };
        let head = self.one(leader, &head, head.len())?;
        if let Some(Err(error)) = found {
            return Err(error);
        }
        if head[0] != 0 {
            let class = Class::from_number(head[0] as i32).unwrap_or(Class::Other);
            return Err(Error::new(
                class,
                format!("the leader, rank {leader}, failed"),
            ));
        }
        let len = length(head[1])? / size_of::<u64>();
        self.one(leader, &found.and_then(Result::ok).unwrap_or_default(), len)
    }

    /// As [`Talk::all`], while those who look are to see another call.
    ///
    /// # Errors
    /// As [`Talk::all`].
    pub fn compare(&self, said: &[u64], shown: Operation) -> Result<Vec<u64>> {
        let len = size_of_val(said);
        let call = Call::Allgather { len };
        let mut schedule = steps(self.circle, self.rank, &call, false)?;
        schedule.operation = shown;
        let room = vec![0; len * self.circle.group.size()];
        self.go(schedule, Name::Comparing, Some(encode(said)), room)
    }

    fn run(&self, call: Call<'_>, input: Option<Vec<u8>>, output: Vec<u8>) -> Result<Vec<u64>> {
        let schedule = steps(self.circle, self.rank, &call, input.is_none())?;
        self.go(schedule, Name::Making, input, output)
    }

    fn go(
        &self,
        schedule: Schedule,
        name: Name,
        input: Option<Vec<u8>>,
        output: Vec<u8>,
    ) -> Result<Vec<u64>> {
        let check = name as u32;
        let setup = Setup {
            tag: self.tag,
            check,
            ..of_numbers(self.circle.setup())
        };
        let (input, output) = (input.map(Source::from_vec), Sink::from_vec(output));
        let mut run = Run::new(setup, Scratch::from(schedule), input, Some(output))?;
        let ended = run.wait(&self.process.task.core)?;
        let finished = run.finish();
        ended.map_err(|error| failure(error, check, finished.disagreement, None))?;
        Ok(decode(finished.output))
    }
}

/// The steps of a rank.
fn steps(circle: &Circle, rank: Rank, call: &Call<'_>, in_place: bool) -> Result<Schedule> {
    let mut schedule = Schedule::default();
    let place = Place {
        rank,
        topology: &circle.topology,
        in_place,
    };
    plan(&mut schedule, call, &place)?;
    Ok(schedule)
}

/// What is equal in all collectives of this kind.
fn of_numbers(setup: Setup) -> Setup {
    Setup {
        check: CHECK,
        // Numbers are said byte by byte, in an order that does not depend on the host.
        word: || Word::Fixed(1),
        ..setup
    }
}

/// Where parts of so many numbers lie.
fn packed(numbers: &[u64]) -> Result<Packed> {
    let lens = numbers.iter().map(|number| length(*number));
    Ok(Packed::new(lens.collect::<Result<Vec<_>>>()?))
}

/// Bytes of so many numbers, which another process may have named.
fn length(numbers: u64) -> Result<usize> {
    let bytes = numbers.checked_mul(size_of::<u64>() as u64);
    let bytes = bytes.filter(|bytes| *bytes <= TAKEN_MAX);
    bytes.map(|bytes| bytes as usize).ok_or_else(|| {
        let detail = format!("a process says {numbers} numbers");
        Error::new(Class::Other, detail)
    })
}

/// Says numbers to one other process that says numbers to this one. `context` is where this one
/// receives.
///
/// # Errors
/// `MPI_ERR_PROC_ABORTED`.
pub(in crate::mpi) fn swap(
    process: &Process,
    with: Member,
    context: Context,
    tag: Tag,
    said: &[u64],
) -> Result<Vec<u64>> {
    let selector = Selector {
        context,
        source: Some(with.peer),
        tag: Some(tag),
    };
    let source = Source::from_vec(encode(said));
    let (send, receive) = process.with(|engine| {
        let receive = engine.receive_any_size(selector, TAKEN_MAX);
        let send = engine.send(with.peer, with.context, tag, CHECK, source, Mode::Standard);
        (send, receive)
    })?;
    let outcome = process.wait(|engine| engine.finish(receive))?;
    process.wait(|engine| engine.finish(send))?.result?;
    outcome.result?;
    Ok(decode(outcome.sink))
}

/// What both groups of an intercommunicator have said.
pub(super) struct Both {
    pub ours: Vec<u64>,
    pub theirs: Vec<u64>,
}

/// What both groups will have said.
pub(super) struct Heard(Delivery);

impl Heard {
    /// What they have said, when that has ended, of which so many numbers are of the own group.
    pub fn take(
        &self,
        ended: std::result::Result<(), EngineError>,
        ours: usize,
        own: Option<usize>,
    ) -> Result<Both> {
        let finished = self.0.take();
        let disagreement = finished.as_ref().and_then(|left| left.disagreement);
        ended.map_err(|error| failure(error, CHECK, disagreement, own))?;
        let finished = finished.ok_or_else(|| Error::new(Class::Intern, "nothing was heard"))?;
        let mut ours_and_theirs = decode(finished.output);
        let theirs = ours_and_theirs.split_off(ours.min(ours_and_theirs.len()));
        Ok(Both {
            ours: ours_and_theirs,
            theirs,
        })
    }
}

impl Comm {
    /// Starts telling numbers to all processes, of both groups; all say equally many.
    pub(super) fn start_both(&self, said: &[u64]) -> Result<(RequestId, Heard)> {
        let len = size_of_val(said);
        let mut setup = of_numbers(self.setup());
        self.number(&mut setup, Tags::next_tag_in_background);
        let processes = setup.members.len();
        let schedule = match self.is_inter() {
            true => all_to_all(self.rank, processes, len),
            false => steps(&self.circle, self.rank, &Call::Allgather { len }, false)?,
        };
        let scratch = Scratch::from(schedule);
        let (input, output) = (encode(said), vec![0; len * processes]);
        let (input, output) = (Source::from_vec(input), Sink::from_vec(output));
        let delivery = Delivery::default();
        let run = Run::new(setup, scratch, Some(input), Some(output))?.deliver_to(&delivery);
        let request = self.process.with(|engine| engine.start(Box::new(run)))?;
        Ok((request, Heard(delivery)))
    }

    /// All its processes talk: those of the own group, of an intercommunicator.
    pub(in crate::mpi) fn talk(&self) -> Talk<'_> {
        let own = self.local.as_ref().unwrap_or(self);
        Talk {
            process: &own.process,
            circle: &own.circle,
            rank: own.rank,
            tag: own.next_tag(Tags::next_tag),
        }
    }

    /// The numbers of both groups of an intercommunicator; all say equally many.
    pub(super) fn both(&self, said: &[u64]) -> Result<Both> {
        let ours = self.talk().all(said)?;
        let tag = self.next_tag(Tags::next_tag);
        let theirs = self.talk().lead(0, || {
            let leader = self.circle.collective_members.first();
            let leader = leader.ok_or_else(|| Error::new(Class::Comm, "nobody is remote"))?;
            let context = self.circle.collective_context();
            swap(&self.process, *leader, context, tag, &ours)
        })?;
        match theirs.len() == said.len() * self.remote_size() {
            true => Ok(Both { ours, theirs }),
            false => Err(Error::new(
                Class::Other,
                "the remote group makes another call",
            )),
        }
    }
}

/// Everybody sends its block to everybody: what two groups can do without speaking for each other.
fn all_to_all(rank: Rank, processes: usize, len: usize) -> Schedule {
    let mut schedule = Schedule::default();
    let (input, output) = (
        Span::of(Buffer::Input, len),
        Span::of(Buffer::Output, len * processes),
    );
    let (team, blocks) = (Team::all(rank, processes), Blocks::Equal { len });
    allgather::direct(&mut schedule, &team, input, &blocks, output);
    schedule
}

fn encode(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn decode(sink: Option<Sink>) -> Vec<u64> {
    let bytes = sink.and_then(Sink::into_vec).unwrap_or_default();
    let (words, _) = bytes.as_chunks();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
