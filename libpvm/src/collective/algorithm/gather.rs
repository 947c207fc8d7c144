//! Gather: a block of every member comes together in the output of member 0.

use super::{parent, powers_below, subtree};
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Every member sends to member 0. The only way when only the root knows the lengths.
///
/// `mine` is the member's own block, `output` the root's room for all, by rank.
pub fn linear(plan: &mut Schedule, team: &Team<'_>, mine: Span, blocks: &Blocks<'_>, output: Span) {
    if team.me > 0 {
        if mine.len > 0 {
            plan.send(team, 0, mine);
        }
        return;
    }
    for member in 1..team.size {
        let block = blocks.of(output, team.block(member));
        if block.len > 0 {
            plan.receive(team, member, block);
        }
    }
    plan.copy(mine, blocks.of(output, team.block(0)));
}

/// Binomial tree of equal blocks: the root receives `log2 size` messages.
pub fn binomial(plan: &mut Schedule, team: &Team<'_>, mine: Span, output: Span) {
    let len = mine.len;
    let tree = subtree(team.me, team.size);
    if team.me > 0 && tree == 1 {
        return plan.send(team, parent(team.me), mine);
    }
    // Blocks of the members `me..me + tree`, in this order.
    let direct = team.me == 0 && team.block(0) == 0;
    let room = if direct {
        output
    } else {
        plan.temporary(tree * len)
    };
    for distance in powers_below(tree) {
        let child = team.me + distance;
        let count = subtree(child, team.size);
        plan.receive(team, child, room.part(distance * len, count * len));
    }
    plan.copy(mine, room.part(0, len));
    if team.me > 0 {
        plan.send(team, parent(team.me), room);
    } else if !direct {
        let before_wrap = (team.size - team.block(0)) * len;
        let after_wrap = team.block(0) * len;
        plan.copy(
            room.part(0, before_wrap),
            output.part(after_wrap, before_wrap),
        );
        plan.copy(
            room.part(before_wrap, after_wrap),
            output.part(0, after_wrap),
        );
    }
}
