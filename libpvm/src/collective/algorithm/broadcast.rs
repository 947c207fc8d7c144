//! Broadcast: `data` of member 0 goes to `data` of all others.

use super::{parent, powers_below, subtree};
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// Bytes of the largest number, and a multiple of all others: blocks of so many cut none.
const GRAIN: usize = 16;

/// Binomial tree: `log2 size` hops, and as few bytes in all as there can be.
pub fn binomial(plan: &mut Schedule, team: &Team<'_>, data: Span) {
    if team.me > 0 {
        plan.receive(team, parent(team.me), data);
    }
    for distance in powers_below(subtree(team.me, team.size)).rev() {
        plan.send(team, team.me + distance, data);
    }
}

/// Member 0 sends to all others.
pub fn direct(plan: &mut Schedule, team: &Team<'_>, data: Span) {
    if team.me > 0 {
        return plan.receive(team, 0, data);
    }
    for member in 1..team.size {
        plan.send(team, member, data);
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
        count: data.len.div_ceil(GRAIN),
        element: GRAIN,
        parts: team.size,
    };
    let range = |first: usize, count: usize| {
        let (begin, end) = (blocks.of(data, first), blocks.of(data, first + count - 1));
        let within = |at: usize| (at - data.start).min(data.len);
        let (begin, end) = (within(begin.start), within(end.start + end.len));
        data.part(begin, end - begin)
    };
    let block = |member: usize| range(member, 1);
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
            plan.receive(team, team.before(1), block(arriving));
        }
        if !has(team.after(1), leaving) {
            plan.send(team, team.after(1), block(leaving));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::schedule::{Buffer, Step};

    /// What is passed on between unlike hosts is converted on the way.
    #[test]
    fn no_part_cuts_a_number() {
        for (size, len) in [(2, 8 * 37), (3, 40), (5, 16 * 1000 + 8), (9, 24)] {
            for me in 0..size {
                let mut plan = Schedule::default();
                let data = Span::of(Buffer::Output, len);
                scatter_allgather(&mut plan, &Team::all(me, size), data);
                for step in plan.steps() {
                    let (Step::Send { from: span, .. } | Step::Receive { into: span, .. }) = step
                    else {
                        panic!("{step:?}");
                    };
                    assert!(span.start % 8 == 0 && span.len % 8 == 0, "{span:?}");
                }
            }
        }
    }
}
