//! Reduce: the inputs of all members are combined, in the order of the members, in the output of
//! member 0.

use super::{gather, parent, powers_below, reduce_scatter, subtree};
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Receives go this many rooms round: the sum so far, what is being added, what arrives.
const ROOMS: usize = 3;

/// Binomial tree. What a member has and receives are neighbours, so the order is kept.
pub fn binomial(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span) {
    let tree = subtree(team.me, team.size);
    let count = powers_below(tree).count();
    let is_root = team.me == 0;
    let mut sum = input;
    if is_root && input == output && count > 0 {
        sum = plan.temporary(input.len);
        plan.copy(input, sum);
    }
    let mut rooms = [output; ROOMS];
    for room in rooms.iter_mut().take(count).skip(usize::from(is_root)) {
        *room = plan.temporary(input.len);
    }
    // The last message of the root goes to `rooms[0]`, its output.
    let room = |index: usize| rooms[(count - 1 - index) % ROOMS];
    let mut arriving = powers_below(tree).enumerate();
    let mut receive = |plan: &mut Schedule| {
        if let Some((index, distance)) = arriving.next() {
            plan.receive(team, team.me + distance, room(index));
        }
    };
    receive(plan);
    for index in 0..count {
        receive(plan);
        plan.reduce(sum, room(index));
        sum = room(index);
    }
    if is_root {
        plan.copy(sum, output);
    } else {
        plan.send(team, parent(team.me), sum);
    }
}

/// Everybody combines one block and sends it to `root`: for large vectors. `team` is numbered by
/// rank; `blocks` cuts the vector among its members.
pub fn scattered(
    plan: &mut Schedule,
    team: &Team<'_>,
    root: &Team<'_>,
    vector: (Span, Span),
    blocks: &Blocks<'_>,
    how: reduce_scatter::How,
) {
    let (input, output) = vector;
    let block = blocks.of(output, team.block(team.me));
    let mine = if root.me == 0 {
        block
    } else {
        plan.temporary(block.len)
    };
    reduce_scatter::direct(plan, team, input, blocks, mine, how);
    gather::linear(plan, root, mine, blocks, output);
}
