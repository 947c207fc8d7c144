//! Allreduce: the inputs of all members are combined, in the order of the members, in the outputs
//! of all.

use super::{allgather, broadcast, gather, powers_below, reduce_scatter};
use crate::collective::schedule::{Buffer, Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Recursive doubling: `log2 size` exchanges of the whole vector. Members above a power of two
/// first add theirs to a neighbour's, which keeps the order.
pub fn recursive_doubling(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: Span,
    output: Span,
    commutative: bool,
) {
    let core = 1 << team.size.ilog2();
    let extra = team.size - core;
    let folded = team.me < 2 * extra;
    if folded && team.me.is_multiple_of(2) {
        plan.send(team, team.me + 1, input);
        return plan.receive(team, team.me + 1, output);
    }
    let mut sum = Sum::new(plan, input, output, commutative);
    if folded {
        let room = sum.room(plan, false);
        plan.receive(team, team.me - 1, room);
        sum.add(plan, room, true, false);
    }
    let number = if folded { team.me / 2 } else { team.me - extra };
    for distance in powers_below(core) {
        let other = number ^ distance;
        let peer = if other < extra {
            2 * other + 1
        } else {
            other + extra
        };
        let last = distance * 2 == core;
        let room = sum.room(plan, last);
        plan.send(team, peer, sum.at);
        plan.receive(team, peer, room);
        sum.add(plan, room, other < number, last);
    }
    plan.copy(sum.at, output);
    if folded {
        plan.send(team, team.me - 1, output);
    }
}

/// Member 0 combines all inputs, in the order and with the brackets of [`recursive_doubling`], and sends the
/// result to all.
pub fn central(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span) {
    let len = input.len;
    if team.me > 0 {
        plan.send(team, 0, input);
        return plan.receive(team, 0, output);
    }
    let all = plan.temporary(team.size * len);
    gather::linear(plan, team, input, &Blocks::Equal { len }, all);
    let mut sums: Vec<Span> = all.chunks(len).collect();
    let extra = team.size - (1 << team.size.ilog2());
    let (folded, rest) = sums.split_at(2 * extra);
    let first = add_pairs(plan, folded);
    sums = first.into_iter().chain(rest.iter().copied()).collect();
    while sums.len() > 1 {
        sums = add_pairs(plan, &sums);
    }
    plan.copy(sums[0], output);
    broadcast::direct(plan, team, output);
}

/// Adds every second part to its neighbour.
fn add_pairs(plan: &mut Schedule, sums: &[Span]) -> Vec<Span> {
    let pairs = sums.chunks_exact(2);
    pairs
        .map(|pair| {
            plan.reduce(pair[0], pair[1]);
            pair[1]
        })
        .collect()
}

/// The sum so far, which moves from room to room so that no step waits for a send of it.
struct Sum {
    at: Span,
    output: Span,
    commutative: bool,
    rooms: [Option<Span>; 2],
}

impl Sum {
    fn new(plan: &mut Schedule, input: Span, output: Span, commutative: bool) -> Self {
        let mut at = input;
        if !commutative {
            plan.copy(input, output);
            at = output;
        }
        Self {
            at,
            output,
            commutative,
            rooms: [None; 2],
        }
    }

    /// Where the next message goes: the last one to the output, if that is free.
    fn room(&mut self, plan: &mut Schedule, last: bool) -> Span {
        if last && self.commutative && self.at.buffer != Buffer::Output {
            return self.output;
        }
        let index = usize::from(self.rooms[0] == Some(self.at));
        *self.rooms[index].get_or_insert_with(|| plan.temporary(self.output.len))
    }

    /// Adds what was received, from lower members (`left`) or higher ones.
    fn add(&mut self, plan: &mut Schedule, received: Span, left: bool, last: bool) {
        let stay = match self.commutative {
            true => last && self.at == self.output,
            false => left,
        };
        if stay {
            plan.reduce(received, self.at);
        } else {
            plan.reduce(self.at, received);
            self.at = received;
        }
    }
}

/// Everybody combines one block and sends it to all: for large vectors.
pub fn direct(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: Span,
    output: Span,
    blocks: &Blocks<'_>,
    how: reduce_scatter::How,
) {
    let mine = blocks.of(output, team.block(team.me));
    reduce_scatter::direct(plan, team, input, blocks, mine, how);
    allgather::direct(plan, team, mine, blocks, output);
}

/// Twice round a ring: for large vectors, commutative operations and many members.
pub fn ring(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span, blocks: &Blocks<'_>) {
    reduce_scatter::ring(plan, team, input, blocks, output);
    let mine = blocks.of(output, team.block(team.me));
    allgather::ring(plan, team, mine, blocks, output);
}
