//! Collectives of two groups: what one gives, the other gets.
//!
//! The ranks of the schedule are those of the own group, then those of the other one. Where a group
//! acts as one, its rank 0 speaks for it.

use super::algorithm::{barrier, broadcast, reduce, scatter};
use super::schedule::{Buffer, Schedule, Span};
use super::select::{Call, CallError, Vector};
use super::team::{Blocks, Team};
use crate::ids::Rank;

/// Who the root of a call is, as one rank sees it. The root that the call itself names is not looked
/// at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// The rank that calls.
    Here,
    /// Another one of its group: it has nothing to do.
    Beside,
    /// This one of the other group.
    There(Rank),
}

/// The rank that calls.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// Its number in its group.
    pub rank: Rank,
    /// Size of its group.
    pub size: usize,
    /// Size of the other group.
    pub others: usize,
    /// The root, where there is one.
    pub root: Root,
    /// Length of its input, which may differ from what the other group gives.
    pub input: usize,
}

/// Appends the steps of one rank.
///
/// # Errors
/// [`CallError::TwoGroups`] for calls that have no meaning here, [`CallError::BadBlocks`].
pub fn plan(plan: &mut Schedule, call: &Call<'_>, place: &Between) -> Result<(), CallError> {
    plan.operation = call.operation();
    let input = Span::of(Buffer::Input, place.input);
    match *call {
        Call::Barrier => place.barrier(plan),
        Call::Broadcast { len, .. } => place.broadcast(plan, len),
        Call::Gather { len, .. } => place.gather(plan, &Blocks::Equal { len })?,
        Call::Gatherv { blocks, .. } => place.gather(plan, &blocks)?,
        Call::Scatter { len, .. } => place.scatter(plan, len, &Blocks::Equal { len })?,
        Call::Scatterv { len, blocks, .. } => place.scatter(plan, len, &blocks)?,
        Call::Allgather { len } => place.exchange(plan, |_| input, &Blocks::Equal { len })?,
        Call::Allgatherv { blocks } => place.exchange(plan, |_| input, &blocks)?,
        Call::Alltoall { len } => {
            let each = Blocks::Equal {
                len: place.input / place.others.max(1),
            };
            place.exchange(plan, |to| each.of(input, to), &Blocks::Equal { len })?;
        }
        Call::Alltoallv {
            input: each,
            output,
        } => {
            check(&each, place.others)?;
            let whole = Span::of(Buffer::Input, 0);
            place.exchange(plan, |to| each.of(whole, to), &output)?;
        }
        Call::Reduce { vector, .. } => place.reduce(plan, len_of(vector)?),
        Call::Allreduce(vector) => place.allreduce(plan, len_of(vector)?),
        Call::ReduceScatter { vector, blocks } => {
            place.reduce_scatter(plan, len_of(vector)?, &blocks)?;
        }
        Call::Scan(_) | Call::Exscan(_) => return Err(CallError::TwoGroups),
    }
    Ok(())
}

type Planned = Result<(), CallError>;

impl Between {
    /// The own group.
    fn own(&self) -> Team<'static> {
        Team::all(self.rank, self.size)
    }

    /// Both groups, the other one behind the own.
    fn both(&self) -> Team<'static> {
        Team::all(self.rank, self.size + self.others)
    }

    fn send(&self, plan: &mut Schedule, to: Rank, from: Span) {
        if from.len > 0 {
            plan.send(&self.both(), self.size + to, from);
        }
    }

    fn receive(&self, plan: &mut Schedule, from: Rank, into: Span) {
        if into.len > 0 {
            plan.receive(&self.both(), self.size + from, into);
        }
    }

    fn barrier(&self, plan: &mut Schedule) {
        let (own, both) = (self.own(), self.both());
        barrier::fan_in(plan, &own);
        if self.rank == 0 {
            let nothing = Span::of(Buffer::Temporary, 0);
            plan.send(&both, self.size, nothing);
            plan.receive(&both, self.size, nothing);
            plan.fence();
        }
        barrier::fan_out(plan, &own);
    }

    fn broadcast(&self, plan: &mut Schedule, len: usize) {
        match self.root {
            _ if len == 0 => {}
            Root::Here => self.send(plan, 0, Span::of(Buffer::Input, len)),
            Root::Beside => {}
            Root::There(root) => {
                let data = Span::of(Buffer::Output, len);
                if self.rank == 0 {
                    self.receive(plan, root, data);
                }
                broadcast::binomial(plan, &self.own(), data);
            }
        }
    }

    fn gather(&self, plan: &mut Schedule, blocks: &Blocks<'_>) -> Planned {
        match self.root {
            Root::Here => {
                let output = Span::of(Buffer::Output, check(blocks, self.others)?);
                (0..self.others).for_each(|from| {
                    self.receive(plan, from, blocks.of(output, from));
                });
            }
            Root::Beside => {}
            Root::There(root) => self.send(plan, root, Span::of(Buffer::Input, self.input)),
        }
        Ok(())
    }

    fn scatter(&self, plan: &mut Schedule, len: usize, blocks: &Blocks<'_>) -> Planned {
        match self.root {
            Root::Here => {
                let input = Span::of(Buffer::Input, check(blocks, self.others)?);
                (0..self.others).for_each(|to| self.send(plan, to, blocks.of(input, to)));
            }
            Root::Beside => {}
            Root::There(root) => self.receive(plan, root, Span::of(Buffer::Output, len)),
        }
        Ok(())
    }

    /// With every rank of the other group, in rounds in which two ranks meet each other.
    fn exchange(
        &self,
        plan: &mut Schedule,
        outgoing: impl Fn(Rank) -> Span,
        incoming: &Blocks<'_>,
    ) -> Planned {
        let output = Span::of(Buffer::Output, check(incoming, self.others)?);
        let rounds = self.size.max(self.others);
        for round in 0..rounds {
            let other = (round + rounds - self.rank) % rounds;
            if other < self.others {
                self.receive(plan, other, incoming.of(output, other));
                self.send(plan, other, outgoing(other));
            }
        }
        Ok(())
    }

    /// The sum of the own group, at its rank 0.
    fn sum(&self, plan: &mut Schedule, len: usize) -> Span {
        let sum = plan.temporary(if self.rank == 0 { len } else { 0 });
        reduce::binomial(plan, &self.own(), Span::of(Buffer::Input, len), sum);
        sum
    }

    fn reduce(&self, plan: &mut Schedule, len: usize) {
        match self.root {
            _ if len == 0 => {}
            Root::Here => self.receive(plan, 0, Span::of(Buffer::Output, len)),
            Root::Beside => {}
            Root::There(root) => {
                let sum = self.sum(plan, len);
                if self.rank == 0 {
                    self.send(plan, root, sum);
                }
            }
        }
    }

    /// The sum of the own group is exchanged with that of the other one, at rank 0.
    fn exchange_sums(&self, plan: &mut Schedule, theirs: Span) {
        let sum = self.sum(plan, theirs.len);
        if self.rank == 0 {
            self.receive(plan, 0, theirs);
            self.send(plan, 0, sum);
        }
    }

    fn allreduce(&self, plan: &mut Schedule, len: usize) {
        if len > 0 {
            let output = Span::of(Buffer::Output, len);
            self.exchange_sums(plan, output);
            broadcast::binomial(plan, &self.own(), output);
        }
    }

    fn reduce_scatter(&self, plan: &mut Schedule, len: usize, blocks: &Blocks<'_>) -> Planned {
        if check(blocks, self.size)? > len {
            return Err(CallError::BadBlocks);
        }
        if len > 0 {
            let theirs = match self.rank {
                0 => plan.temporary(len),
                _ => Span::of(Buffer::Temporary, len),
            };
            self.exchange_sums(plan, theirs);
            let mine = Span::of(Buffer::Output, blocks.len(self.rank));
            scatter::linear(plan, &self.own(), theirs, blocks, mine);
        }
        Ok(())
    }
}

fn check(blocks: &Blocks<'_>, ranks: usize) -> Result<usize, CallError> {
    blocks.end(ranks).ok_or(CallError::BadBlocks)
}

fn len_of(vector: Vector) -> Result<usize, CallError> {
    let len = vector.count.checked_mul(vector.element);
    len.ok_or(CallError::BadBlocks)
}
