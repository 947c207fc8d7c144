//! Alltoall: every member has a block for every other.

use super::powers_below;
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Every block goes straight to its receiver; in round `i` member `m` sends to `m + i`, so nobody
/// is everybody's receiver at once. Empty blocks are not sent.
pub fn direct(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: (Span, &Blocks<'_>),
    output: (Span, &Blocks<'_>),
) {
    let outgoing = |member: usize| input.1.of(input.0, team.block(member));
    let incoming = |member: usize| output.1.of(output.0, team.block(member));
    for round in 1..team.size {
        let (to, from) = (team.after(round), team.before(round));
        if incoming(from).len > 0 {
            plan.receive(team, from, incoming(from));
        }
        if outgoing(to).len > 0 {
            plan.send(team, to, outgoing(to));
        }
    }
    plan.copy(outgoing(team.me), incoming(team.me));
}

/// Bruck's algorithm: `log2 size` messages of half of all blocks, for small equal blocks.
pub fn bruck(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span, len: usize) {
    let (me, size) = (team.me, team.size);
    // Block `j` has still to go `j` members forward, less the distances that are done.
    let room = plan.temporary(size * len);
    let before_wrap = (size - me) * len;
    plan.copy(input.part(me * len, before_wrap), room.part(0, before_wrap));
    plan.copy(input.part(0, me * len), room.part(before_wrap, me * len));
    let half = size.div_ceil(2) * len;
    let (packed, arrived) = (plan.temporary(half), plan.temporary(half));
    for distance in powers_below(size) {
        let moving = || (0..size).filter(|block| block & distance != 0);
        for (at, block) in moving().enumerate() {
            plan.copy(room.part(block * len, len), packed.part(at * len, len));
        }
        let count = moving().count() * len;
        plan.send(team, team.after(distance), packed.part(0, count));
        plan.receive(team, team.before(distance), arrived.part(0, count));
        for (at, block) in moving().enumerate() {
            plan.copy(arrived.part(at * len, len), room.part(block * len, len));
        }
    }
    for block in 0..size {
        let from = team.before(block);
        plan.copy(room.part(block * len, len), output.part(from * len, len));
    }
}
