//! Broadcast: `data` of member 0 goes to `data` of all others.

use super::{parent, powers_below, subtree};
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Binomial tree: `log2 size` hops, and as few bytes in all as there can be.
pub fn binomial(plan: &mut Schedule, team: &Team<'_>, data: Span) {
    if team.me > 0 {
        plan.receive(team, parent(team.me), data);
    }
    for distance in powers_below(subtree(team.me, team.size)).rev() {
        plan.send(team, team.me + distance, data);
    }
}

/// Chain of segments: every link works at the same time, for large data and idle processors.
pub fn chain(plan: &mut Schedule, team: &Team<'_>, data: Span, segment: usize) {
    let mut arriving = data.chunks(segment);
    if team.me > 0
        && let Some(first) = arriving.next()
    {
        plan.receive(team, team.me - 1, first);
    }
    for leaving in data.chunks(segment) {
        if team.me > 0
            && let Some(next) = arriving.next()
        {
            plan.receive(team, team.me - 1, next);
        }
        if team.me + 1 < team.size {
            plan.send(team, team.me + 1, leaving);
        }
    }
}

/// Scatter down the binomial tree, then a ring that gives everybody what it lacks: nobody sends
/// much more than the data once. For large data and many members that share no memory.
pub fn scatter_allgather(plan: &mut Schedule, team: &Team<'_>, data: Span) {
    let blocks = Blocks::Cut {
        count: data.len,
        element: 1,
        parts: team.size,
    };
    let range = |first: usize, count: usize| {
        let (begin, end) = (blocks.of(data, first), blocks.of(data, first + count - 1));
        data.part(begin.start - data.start, end.start + end.len - begin.start)
    };
    if team.me > 0 {
        let mine = range(team.me, subtree(team.me, team.size));
        plan.receive(team, parent(team.me), mine);
    }
    for distance in powers_below(subtree(team.me, team.size)).rev() {
        let child = team.me + distance;
        plan.send(team, child, range(child, subtree(child, team.size)));
    }
    let has = |member: usize, block: usize| {
        (member..member + subtree(member, team.size)).contains(&block)
    };
    for round in 1..team.size {
        let (arriving, leaving) = (team.before(round), team.before(round - 1));
        if !has(team.me, arriving) {
            plan.receive(team, team.before(1), blocks.of(data, arriving));
        }
        if !has(team.after(1), leaving) {
            plan.send(team, team.after(1), blocks.of(data, leaving));
        }
    }
}
