//! Allgather: a block of every member goes to all.
//!
//! `mine` is the member's own block, in the input or already in its place in `output`.

use super::powers_below;
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Every member sends its block to every other: no message waits for another one.
pub fn direct(plan: &mut Schedule, team: &Team<'_>, mine: Span, blocks: &Blocks<'_>, output: Span) {
    for round in 1..team.size {
        let from = team.before(round);
        let arriving = blocks.of(output, team.block(from));
        if arriving.len > 0 {
            plan.receive(team, from, arriving);
        }
        if mine.len > 0 {
            plan.send(team, team.after(round), mine);
        }
    }
    plan.copy(mine, blocks.of(output, team.block(team.me)));
}

/// Blocks go round a ring: each member talks with its neighbours only.
pub fn ring(plan: &mut Schedule, team: &Team<'_>, mine: Span, blocks: &Blocks<'_>, output: Span) {
    for round in 1..team.size {
        let arriving = blocks.of(output, team.block(team.before(round)));
        if arriving.len > 0 {
            plan.receive(team, team.before(1), arriving);
        }
        let leaving = match round {
            1 => mine,
            _ => blocks.of(output, team.block(team.before(round - 1))),
        };
        if leaving.len > 0 {
            plan.send(team, team.after(1), leaving);
        }
    }
    plan.copy(mine, blocks.of(output, team.block(team.me)));
}

/// Doubles what is known with every round; for equal blocks and a power of two of members.
pub fn recursive_doubling(plan: &mut Schedule, team: &Team<'_>, mine: Span, output: Span) {
    let len = mine.len;
    plan.copy(mine, output.part(team.me * len, len));
    for distance in powers_below(team.size) {
        let known = team.me & !(distance - 1);
        let wanted = known ^ distance;
        let leaving = match distance {
            1 => mine,
            _ => output.part(known * len, distance * len),
        };
        plan.send(team, team.me ^ distance, leaving);
        plan.receive(
            team,
            team.me ^ distance,
            output.part(wanted * len, distance * len),
        );
    }
}

/// Bruck's algorithm: doubles what is known with every round, for any number of members with equal
/// blocks, at the price of a copy.
pub fn bruck(plan: &mut Schedule, team: &Team<'_>, mine: Span, output: Span) {
    let (len, me, size) = (mine.len, team.me, team.size);
    // Blocks of the members from this one on, going round.
    let room = if me == 0 {
        output
    } else {
        plan.temporary(size * len)
    };
    plan.copy(mine, room.part(0, len));
    for distance in powers_below(size) {
        let count = distance.min(size - distance);
        plan.send(team, team.before(distance), room.part(0, count * len));
        plan.receive(
            team,
            team.after(distance),
            room.part(distance * len, count * len),
        );
    }
    if me > 0 {
        let before_wrap = (size - me) * len;
        plan.copy(
            room.part(0, before_wrap),
            output.part(me * len, before_wrap),
        );
        plan.copy(room.part(before_wrap, me * len), output.part(0, me * len));
    }
}
