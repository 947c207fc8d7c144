//! Which algorithm a collective runs.
//!
//! All ranks must choose the same one, so a choice depends only on what all of them know: sizes
//! that must be equal everywhere, the operation, the number of ranks and the [`Topology`], which
//! is the same value in all of them. Calls whose lengths only the root knows are linear.

use super::algorithm::{
    allgather, allreduce, alltoall, barrier, broadcast, gather, reduce, reduce_scatter, scan,
    scatter,
};
use super::by_host;
use super::schedule::{Buffer, Schedule, Span};
use super::team::{Blocks, Team};
use super::topology::{ByHost, Topology};
use crate::ids::Rank;
use crate::transport::Operation;

/// Longest message of a broadcast by a tree when the others could pass segments on meanwhile.
const BROADCAST_TREE_MAX: usize = 128 << 10;
/// Segments of a chain.
const CHAIN_SEGMENT: usize = 64 << 10;
/// Longest vector that a reduction sends whole.
const REDUCE_TREE_MAX: usize = 16 << 10;
/// Longest vector that an allreduce sends whole.
const ALLREDUCE_DOUBLING_MAX: usize = 4 << 10;
/// Segments of a reduction: what a processor's cache holds several of.
const REDUCE_SEGMENT: usize = 64 << 10;
/// Longest block that is passed on by others to save messages at the root.
const TREE_BLOCK_MAX: usize = 2 << 10;
/// Longest result of an allgather that doubles.
const ALLGATHER_DOUBLING_MAX: usize = 16 << 10;
/// Longest block of a gather, a scatter or an alltoall that goes through who speaks for a host: it crosses
/// the network no less often, in fewer messages, and is copied for that.
const HOST_BLOCK_MAX: usize = 1 << 10;
/// Longest block of an alltoall that is passed on by others.
const ALLTOALL_BRUCK_MAX: usize = 64;
/// Longest vector of which a reduce-scatter combines all at one rank, with many ranks.
const REDUCE_SCATTER_TREE_MAX: usize = 4 << 10;
/// Longest vector or block that ranks which take turns on their processors give to all others, or to one who
/// speaks for them.
const TURNS_MAX: usize = 4 << 10;
/// From how many ranks on `n - 1` messages of each are too many for small data.
const MANY: usize = 8;
/// From how many ranks on neighbours only talk with neighbours.
const CROWD: usize = 32;

/// A vector to be combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vector {
    /// Number of elements.
    pub count: usize,
    /// Bytes of an element.
    pub element: usize,
    /// Whether the operation is commutative.
    pub commutative: bool,
}

/// A collective, as one rank calls it. Lengths are in bytes of the packed buffers.
///
/// A rank reads [`Buffer::Input`] and writes [`Buffer::Output`]; *in place* it has no input.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    /// A block of every rank goes to all. In place: the own block is in the output.
    Allgather {
        /// Length of a block.
        len: usize,
    },
    /// As `Allgather` with blocks that all ranks know.
    Allgatherv {
        /// The blocks of the output.
        blocks: Blocks<'a>,
    },
    /// All inputs are combined; all ranks get the result. In place: the output is the input too.
    Allreduce(Vector),
    /// A block of every rank for every rank. In place: the output is the input too.
    Alltoall {
        /// Length of a block.
        len: usize,
    },
    /// As `Alltoall` with blocks of any length.
    Alltoallv {
        /// The blocks of the input, by receiver; not read in place.
        input: Blocks<'a>,
        /// The blocks of the output, by sender.
        output: Blocks<'a>,
    },
    /// No rank leaves before all have come.
    Barrier,
    /// The root's input goes to the others' outputs. In place: the root's data is its output.
    Broadcast {
        /// Who has the data.
        root: Rank,
        /// Length of the data.
        len: usize,
    },
    /// As `Scan` of the ranks before; the output of rank 0 is not touched.
    Exscan(Vector),
    /// A block of every rank goes to the root. In place: the root's own is in its output.
    Gather {
        /// Who gets the blocks.
        root: Rank,
        /// Length of a block.
        len: usize,
    },
    /// As `Gather` with blocks that only the root knows.
    Gatherv {
        /// Who gets the blocks.
        root: Rank,
        /// Length of the own block.
        len: usize,
        /// The blocks of the output; read at the root only.
        blocks: Blocks<'a>,
    },
    /// All inputs are combined; the root gets the result. In place: the root's output is its input.
    Reduce {
        /// Who gets the result.
        root: Rank,
        /// What is combined.
        vector: Vector,
    },
    /// All inputs are combined; every rank gets its block, at the start of its output. In place:
    /// the output is the input too.
    ReduceScatter {
        /// What is combined.
        vector: Vector,
        /// The blocks, in bytes: whole elements, one behind the other.
        blocks: Blocks<'a>,
    },
    /// Rank `r` gets the inputs of ranks 0 to `r` combined. In place: the output is the input too.
    Scan(Vector),
    /// Every rank gets its block of the root's input. In place: the root's own stays there.
    Scatter {
        /// Who has the blocks.
        root: Rank,
        /// Length of a block.
        len: usize,
    },
    /// As `Scatter` with blocks that only the root knows.
    Scatterv {
        /// Who has the blocks.
        root: Rank,
        /// Length of the own block.
        len: usize,
        /// The blocks of the input; read at the root only.
        blocks: Blocks<'a>,
    },
}

impl Call<'_> {
    /// Bytes that all ranks name alike; `None`: they need not, or there are none.
    pub fn common_len(&self) -> Option<usize> {
        match *self {
            Self::Allgather { len }
            | Self::Alltoall { len }
            | Self::Broadcast { len, .. }
            | Self::Gather { len, .. }
            | Self::Scatter { len, .. } => Some(len),
            Self::Allreduce(vector)
            | Self::Exscan(vector)
            | Self::Scan(vector)
            | Self::Reduce { vector, .. }
            | Self::ReduceScatter { vector, .. } => Some(vector.count * vector.element),
            Self::Allgatherv { .. }
            | Self::Alltoallv { .. }
            | Self::Barrier
            | Self::Gatherv { .. }
            | Self::Scatterv { .. } => None,
        }
    }

    /// What those who look at a rank are told of it.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Allgather { .. } | Self::Allgatherv { .. } => Operation::Allgather,
            Self::Allreduce(_) => Operation::Allreduce,
            Self::Alltoall { .. } | Self::Alltoallv { .. } => Operation::Alltoall,
            Self::Barrier => Operation::Barrier,
            Self::Broadcast { .. } => Operation::Broadcast,
            Self::Exscan(_) => Operation::Exscan,
            Self::Gather { .. } | Self::Gatherv { .. } => Operation::Gather,
            Self::Reduce { .. } => Operation::Reduce,
            Self::ReduceScatter { .. } => Operation::ReduceScatter,
            Self::Scan(_) => Operation::Scan,
            Self::Scatter { .. } | Self::Scatterv { .. } => Operation::Scatter,
        }
    }
}

/// The rank that calls.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its number.
    pub rank: Rank,
    /// Where all ranks are.
    pub topology: &'a Topology,
    /// Whether this rank gives no input but what is in its output.
    pub in_place: bool,
}

/// Why a call has no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The root, or the caller, is not a rank.
    #[error("rank {rank} is not in a communicator of {size}")]
    NoSuchRank {
        /// The rank.
        rank: Rank,
        /// Size of the communicator.
        size: usize,
    },
    /// Blocks are not one per rank, or they, or a vector, do not fit the address space.
    #[error("the blocks do not fit the communicator or the address space")]
    BadBlocks,
    /// It is a call of one group only.
    #[error("the call has no meaning between two groups")]
    TwoGroups,
}

/// Appends the steps of one rank.
pub fn plan(plan: &mut Schedule, call: &Call<'_>, place: &Place<'_>) -> Result<(), CallError> {
    plan.operation = call.operation();
    let builder = Builder {
        rank: place.rank,
        size: place.topology.size(),
        topology: place.topology,
        in_place: place.in_place,
    };
    builder.check_rank(place.rank)?;
    match *call {
        Call::Allgather { len } => builder.allgather(plan, len),
        Call::Allgatherv { blocks } => builder.allgatherv(plan, &blocks),
        Call::Allreduce(vector) => builder.allreduce(plan, vector),
        Call::Alltoall { len } => builder.alltoall(plan, len),
        Call::Alltoallv { input, output } => builder.alltoallv(plan, &input, &output),
        Call::Barrier => {
            builder.barrier(plan);
            Ok(())
        }
        Call::Broadcast { root, len } => builder.broadcast(plan, root, len),
        Call::Exscan(vector) => builder.scan(plan, vector, scan::exclusive),
        Call::Gather { root, len } => builder.gather(plan, root, len),
        Call::Gatherv { root, len, blocks } => builder.gatherv(plan, root, len, &blocks),
        Call::Reduce { root, vector } => builder.reduce(plan, root, vector),
        Call::ReduceScatter { vector, blocks } => builder.reduce_scatter(plan, vector, &blocks),
        Call::Scan(vector) => builder.scan(plan, vector, scan::inclusive),
        Call::Scatter { root, len } => builder.scatter(plan, root, len),
        Call::Scatterv { root, len, blocks } => builder.scatterv(plan, root, len, &blocks),
    }
}

type Planned = Result<(), CallError>;
type Scan = fn(&mut Schedule, &Team<'_>, Span, Span);

struct Builder<'a> {
    rank: Rank,
    size: usize,
    topology: &'a Topology,
    in_place: bool,
}

impl Builder<'_> {
    fn allgather(&self, plan: &mut Schedule, len: usize) -> Planned {
        let blocks = Blocks::Equal { len };
        let total = self.check_blocks(&blocks)?;
        let by_host = self.topology.by_host(self.rank, 0).is_some();
        let is_direct = self.size <= 2 || len == 0 || by_host || self.takes_turns(len);
        if total > ALLGATHER_DOUBLING_MAX || is_direct {
            return self.allgatherv(plan, &blocks);
        }
        let output = Span::of(Buffer::Output, total);
        let mine = self.own(&blocks);
        if self.size.is_power_of_two() {
            allgather::recursive_doubling(plan, &self.all(), mine, output);
        } else {
            allgather::bruck(plan, &self.all(), mine, output);
        }
        Ok(())
    }

    fn allgatherv(&self, plan: &mut Schedule, blocks: &Blocks<'_>) -> Planned {
        let output = Span::of(Buffer::Output, self.check_blocks(blocks)?);
        let mine = self.own(blocks);
        if let Some(teams) = self.topology.by_host(self.rank, 0) {
            by_host::allgather(plan, &teams, mine, (output, blocks), self.size);
        } else if self.size > CROWD && blocks.total(self.size) > ALLGATHER_DOUBLING_MAX {
            allgather::ring(plan, &self.all(), mine, blocks, output);
        } else {
            allgather::direct(plan, &self.all(), mine, blocks, output);
        }
        Ok(())
    }

    fn barrier(&self, plan: &mut Schedule) {
        let Some(ByHost {
            local, speakers, ..
        }) = self.topology.by_host(self.rank, 0)
        else {
            return match self.takes_turns(0) {
                true => barrier::central(plan, &self.all()),
                false => barrier::dissemination(plan, &self.all()),
            };
        };
        barrier::fan_in(plan, &local);
        if let Some(speakers) = speakers {
            barrier::dissemination(plan, &speakers);
        }
        barrier::fan_out(plan, &local);
    }

    fn allreduce(&self, plan: &mut Schedule, vector: Vector) -> Planned {
        let (input, output) = self.vectors(vector)?;
        if input.len == 0 {
            return Ok(());
        }
        let Some(ByHost {
            local, speakers, ..
        }) = self.by_host(vector, 0)
        else {
            match self.takes_turns(input.len) {
                true => allreduce::central(plan, &self.all(), input, output),
                false => combine_for_all(plan, &self.all(), input, output, vector),
            }
            return Ok(());
        };
        let sum = room(plan, speakers.is_some(), output);
        combine(plan, &local, input, sum, vector);
        if let Some(speakers) = speakers {
            combine_for_all(plan, &speakers, sum, output, vector);
        }
        broadcast::binomial(plan, &local, output);
        Ok(())
    }

    fn alltoall(&self, plan: &mut Schedule, len: usize) -> Planned {
        let blocks = Blocks::Equal { len };
        let total = self.check_blocks(&blocks)?;
        let (input, output) = (
            Span::of(self.input(), total),
            Span::of(Buffer::Output, total),
        );
        if let Some(teams) = self.small_by_host(0, len) {
            by_host::alltoall(plan, &teams, (input, output), len);
            return Ok(());
        }
        if len == 0 || len > ALLTOALL_BRUCK_MAX || self.size < MANY || self.takes_turns(len) {
            return self.alltoallv(plan, &blocks, &blocks);
        }
        alltoall::bruck(plan, &self.all(), input, output, len);
        Ok(())
    }

    fn alltoallv(&self, plan: &mut Schedule, input: &Blocks<'_>, output: &Blocks<'_>) -> Planned {
        let to = Span::of(Buffer::Output, self.check_blocks(output)?);
        let team = self.all();
        if !self.in_place {
            let from = Span::of(Buffer::Input, self.check_blocks(input)?);
            alltoall::direct(plan, &team, (from, input), (to, output));
            return Ok(());
        }
        // The blocks one behind the other, out of the way of what arrives.
        let lens: Vec<usize> = (0..self.size).map(|rank| output.len(rank)).collect();
        let starts: Vec<usize> = lens
            .iter()
            .scan(0, |end, len| {
                let start = *end;
                *end += len;
                Some(start)
            })
            .collect();
        let kept = Blocks::Listed {
            lens: &lens,
            starts: &starts,
        };
        let from = plan.temporary(kept.total(self.size));
        for rank in 0..self.size {
            plan.copy(output.of(to, rank), kept.of(from, rank));
        }
        alltoall::direct(plan, &team, (from, &kept), (to, output));
        Ok(())
    }

    fn broadcast(&self, plan: &mut Schedule, root: Rank, len: usize) -> Planned {
        let team = self.team_of(root)?;
        let buffer = if team.me == 0 {
            self.input()
        } else {
            Buffer::Output
        };
        let data = Span::of(buffer, len);
        if len == 0 || self.size == 1 {
            return Ok(());
        }
        if let Some(ByHost {
            local, speakers, ..
        }) = self.topology.by_host(self.rank, root)
        {
            if let Some(speakers) = speakers {
                self.pass_on(plan, &speakers, data);
            }
            broadcast::binomial(plan, &local, data);
        } else {
            self.pass_on(plan, &team, data);
        }
        Ok(())
    }

    /// From member 0 to all others, who share memory or not.
    fn pass_on(&self, plan: &mut Schedule, team: &Team<'_>, data: Span) {
        if self.takes_turns(data.len) {
            broadcast::direct(plan, team, data);
        } else if data.len <= BROADCAST_TREE_MAX || team.size <= 2 {
            broadcast::binomial(plan, team, data);
        } else if !self.topology.is_one_host() && team.size >= MANY {
            broadcast::scatter_allgather(plan, team, data);
        } else if self.topology.is_crowded() {
            broadcast::binomial(plan, team, data);
        } else {
            broadcast::chain(plan, team, data, CHAIN_SEGMENT);
        }
    }

    fn gather(&self, plan: &mut Schedule, root: Rank, len: usize) -> Planned {
        let blocks = Blocks::Equal { len };
        let team = self.team_of(root)?;
        let output = Span::of(Buffer::Output, self.check_blocks(&blocks)?);
        if let Some(teams) = self.small_by_host(root, len) {
            by_host::gather(plan, &teams, self.own_at(root, &blocks, len), output);
            return Ok(());
        }
        if len == 0 || len > TREE_BLOCK_MAX || self.size < MANY {
            return self.gatherv(plan, root, len, &blocks);
        }
        gather::binomial(plan, &team, self.own_at(root, &blocks, len), output);
        Ok(())
    }

    fn gatherv(&self, plan: &mut Schedule, root: Rank, len: usize, blocks: &Blocks<'_>) -> Planned {
        let team = self.team_of(root)?;
        let mut end = 0;
        let mut len = len;
        if team.me == 0 {
            end = self.check_blocks(blocks)?;
            len = blocks.len(self.rank);
        }
        let mine = self.own_at(root, blocks, len);
        gather::linear(plan, &team, mine, blocks, Span::of(Buffer::Output, end));
        Ok(())
    }

    fn reduce(&self, plan: &mut Schedule, root: Rank, vector: Vector) -> Planned {
        let root_team = self.team_of(root)?;
        let (mut input, output) = self.vectors(vector)?;
        if root_team.me > 0 {
            input = Span::of(Buffer::Input, input.len);
        }
        if input.len == 0 {
            return Ok(());
        }
        if let Some(ByHost {
            local, speakers, ..
        }) = self.by_host(vector, root)
        {
            let sum = room(plan, speakers.is_some(), output);
            combine(plan, &local, input, sum, vector);
            if let Some(speakers) = speakers {
                combine(plan, &speakers, sum, output, vector);
            }
        } else if is_long(input, vector, self.size) {
            let (all, blocks) = (self.all(), cut(vector, self.size));
            let vectors = (input, output);
            reduce::scattered(plan, &all, &root_team, vectors, &blocks, how(vector));
        } else if vector.commutative || root == 0 {
            reduce::binomial(plan, &root_team, input, output);
        } else {
            self.reduce_in_order(plan, root, input, output);
        }
        Ok(())
    }

    /// The tree keeps the order only from rank 0 on, which passes the result to the root.
    fn reduce_in_order(&self, plan: &mut Schedule, root: Rank, input: Span, output: Span) {
        let all = self.all();
        let at_zero = match self.rank {
            0 => plan.temporary(input.len),
            _ => output,
        };
        reduce::binomial(plan, &all, input, at_zero);
        if self.rank == 0 {
            plan.send(&all, root, at_zero);
        } else if self.rank == root {
            plan.receive(&all, 0, output);
        }
    }

    fn reduce_scatter(&self, plan: &mut Schedule, vector: Vector, blocks: &Blocks<'_>) -> Planned {
        let (input, _) = self.vectors(vector)?;
        if self.check_blocks(blocks)? > input.len {
            return Err(CallError::BadBlocks);
        }
        let team = self.all();
        let result = Span::of(Buffer::Output, blocks.len(self.rank));
        if let Some(teams) = self.by_host(vector, 0).filter(|_| input.len > 0) {
            // Who speaks for nobody has no sum.
            let sum = match teams.speakers {
                Some(_) => plan.temporary(input.len),
                None => Span::of(Buffer::Output, input.len),
            };
            combine(plan, &teams.local, input, sum, vector);
            by_host::reduce_scatter(plan, &teams, (sum, blocks), result, how(vector), self.size);
            return Ok(());
        }
        if self.size >= MANY && input.len <= REDUCE_SCATTER_TREE_MAX {
            let whole = plan.temporary(if self.rank == 0 { input.len } else { 0 });
            reduce::binomial(plan, &team, input, whole);
            scatter::linear(plan, &team, whole, blocks, result);
            return Ok(());
        }
        let mine = if self.in_place {
            plan.temporary(result.len)
        } else {
            result
        };
        reduce_scatter::direct(plan, &team, input, blocks, mine, how(vector));
        plan.copy(mine, result);
        Ok(())
    }

    fn scan(&self, plan: &mut Schedule, vector: Vector, scan: Scan) -> Planned {
        let (input, output) = self.vectors(vector)?;
        if input.len > 0 {
            scan(plan, &self.all(), input, output);
        }
        Ok(())
    }

    fn scatter(&self, plan: &mut Schedule, root: Rank, len: usize) -> Planned {
        let blocks = Blocks::Equal { len };
        let team = self.team_of(root)?;
        let input = Span::of(Buffer::Input, self.check_blocks(&blocks)?);
        if let Some(teams) = self.small_by_host(root, len) {
            by_host::scatter(plan, &teams, input, self.result_at(root, &blocks, len));
            return Ok(());
        }
        if len == 0 || len > TREE_BLOCK_MAX || self.size < MANY {
            return self.scatterv(plan, root, len, &blocks);
        }
        scatter::binomial(plan, &team, input, self.result_at(root, &blocks, len));
        Ok(())
    }

    fn scatterv(
        &self,
        plan: &mut Schedule,
        root: Rank,
        len: usize,
        blocks: &Blocks<'_>,
    ) -> Planned {
        let team = self.team_of(root)?;
        let mut end = 0;
        let mut len = len;
        if team.me == 0 {
            end = self.check_blocks(blocks)?;
            len = blocks.len(self.rank);
        }
        let mine = self.result_at(root, blocks, len);
        scatter::linear(plan, &team, Span::of(Buffer::Input, end), blocks, mine);
        Ok(())
    }

    /// Whether ranks wait for their turn on a processor rather than for messages: then the fewest turns one
    /// after the other are best, and not the fewest messages of each rank.
    fn takes_turns(&self, len: usize) -> bool {
        self.topology.is_crowded() && self.size < CROWD && len <= TURNS_MAX
    }

    fn all(&self) -> Team<'static> {
        Team::all(self.rank, self.size)
    }

    fn team_of(&self, root: Rank) -> Result<Team<'static>, CallError> {
        self.check_rank(root)?;
        Ok(Team::from_root(self.rank, self.size, root))
    }

    fn input(&self) -> Buffer {
        if self.in_place {
            Buffer::Output
        } else {
            Buffer::Input
        }
    }

    fn vectors(&self, vector: Vector) -> Result<(Span, Span), CallError> {
        let len = vector.count.checked_mul(vector.element);
        let len = len.ok_or(CallError::BadBlocks)?;
        Ok((Span::of(self.input(), len), Span::of(Buffer::Output, len)))
    }

    /// Host by host, when that keeps the order of the operands or it does not matter.
    fn by_host(&self, vector: Vector, root: Rank) -> Option<ByHost<'_>> {
        let teams = self.topology.by_host(self.rank, root);
        teams.filter(|_| vector.commutative)
    }

    /// Host by host, for small blocks of one length.
    fn small_by_host(&self, root: Rank, len: usize) -> Option<ByHost<'_>> {
        let teams = self.topology.by_host(self.rank, root);
        teams.filter(|_| (1..=HOST_BLOCK_MAX).contains(&len))
    }

    /// This rank's block of an allgather.
    fn own(&self, blocks: &Blocks<'_>) -> Span {
        if self.in_place {
            blocks.of(Span::of(Buffer::Output, 0), self.rank)
        } else {
            Span::of(Buffer::Input, blocks.len(self.rank))
        }
    }

    /// This rank's block of a gather to `root`.
    fn own_at(&self, root: Rank, blocks: &Blocks<'_>, len: usize) -> Span {
        if self.in_place && self.rank == root {
            blocks.of(Span::of(Buffer::Output, 0), root)
        } else {
            Span::of(Buffer::Input, len)
        }
    }

    /// Where this rank's block of a scatter from `root` goes.
    fn result_at(&self, root: Rank, blocks: &Blocks<'_>, len: usize) -> Span {
        if self.in_place && self.rank == root {
            blocks.of(Span::of(Buffer::Input, 0), root)
        } else {
            Span::of(Buffer::Output, len)
        }
    }

    fn check_rank(&self, rank: Rank) -> Planned {
        let size = self.size;
        if rank < size {
            Ok(())
        } else {
            Err(CallError::NoSuchRank { rank, size })
        }
    }

    fn check_blocks(&self, blocks: &Blocks<'_>) -> Result<usize, CallError> {
        blocks.end(self.size).ok_or(CallError::BadBlocks)
    }
}

/// Combines at member 0; the operation is commutative.
fn combine(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span, vector: Vector) {
    if is_long(input, vector, team.size) {
        let blocks = cut(vector, team.size);
        reduce::scattered(plan, team, team, (input, output), &blocks, how(vector));
    } else {
        reduce::binomial(plan, team, input, output);
    }
}

/// Combines for all members.
fn combine_for_all(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: Span,
    output: Span,
    vector: Vector,
) {
    let blocks = cut(vector, team.size);
    if team.size == 1 {
        plan.copy(input, output);
    } else if input.len <= ALLREDUCE_DOUBLING_MAX || vector.count < team.size {
        allreduce::recursive_doubling(plan, team, input, output, vector.commutative);
    } else if vector.commutative && team.size > CROWD {
        allreduce::ring(plan, team, input, output, &blocks);
    } else {
        allreduce::direct(plan, team, input, output, &blocks, how(vector));
    }
}

/// Where who speaks for a host has the sum of it; the others have none.
fn room(plan: &mut Schedule, speaks: bool, output: Span) -> Span {
    match speaks {
        true => plan.temporary(output.len),
        false => output,
    }
}

/// Whether every member had better combine a part of it.
fn is_long(input: Span, vector: Vector, members: usize) -> bool {
    members > 1 && input.len > REDUCE_TREE_MAX && vector.count >= members
}

fn cut(vector: Vector, parts: usize) -> Blocks<'static> {
    Blocks::Cut {
        count: vector.count,
        element: vector.element,
        parts,
    }
}

fn how(vector: Vector) -> reduce_scatter::How {
    let element = vector.element.max(1);
    reduce_scatter::How {
        commutative: vector.commutative,
        segment: (REDUCE_SEGMENT / element).max(1) * element,
    }
}
