//! Scatter: every member gets its block of the input of member 0.

use super::{parent, powers_below, subtree};
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Member 0 sends to every member. The only way when only the root knows the lengths.
///
/// `input` is the root's data for all, by rank; `mine` where the member's own block goes.
pub fn linear(plan: &mut Schedule, team: &Team<'_>, input: Span, blocks: &Blocks<'_>, mine: Span) {
    if team.me > 0 {
        if mine.len > 0 {
            plan.receive(team, 0, mine);
        }
        return;
    }
    for member in 1..team.size {
        let block = blocks.of(input, team.block(member));
        if block.len > 0 {
            plan.send(team, member, block);
        }
    }
    plan.copy(blocks.of(input, team.block(0)), mine);
}

/// Binomial tree of equal blocks: the root sends `log2 size` messages.
pub fn binomial(plan: &mut Schedule, team: &Team<'_>, input: Span, mine: Span) {
    let len = mine.len;
    let tree = subtree(team.me, team.size);
    if team.me > 0 && tree == 1 {
        return plan.receive(team, parent(team.me), mine);
    }
    // Blocks of the members `me..me + tree`, in this order.
    let room = if team.me == 0 && team.block(0) == 0 {
        input
    } else {
        plan.temporary(tree * len)
    };
    if team.me > 0 {
        plan.receive(team, parent(team.me), room);
    } else {
        let before_wrap = (team.size - team.block(0)) * len;
        let after_wrap = team.block(0) * len;
        if after_wrap > 0 {
            plan.copy(
                input.part(after_wrap, before_wrap),
                room.part(0, before_wrap),
            );
            plan.copy(
                input.part(0, after_wrap),
                room.part(before_wrap, after_wrap),
            );
        }
    }
    for distance in powers_below(tree).rev() {
        let child = team.me + distance;
        let count = subtree(child, team.size);
        plan.send(team, child, room.part(distance * len, count * len));
    }
    let own = match team.me {
        0 => input.part(team.block(0) * len, len),
        _ => room.part(0, len),
    };
    plan.copy(own, mine);
}
