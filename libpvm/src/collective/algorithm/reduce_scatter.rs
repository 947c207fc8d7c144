//! Reduce and scatter: the inputs of all members are combined; every member gets its block.

use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::{Blocks, Team};

/// How blocks are combined.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Operands may be exchanged.
    pub commutative: bool,
    /// Longest message, in bytes: a multiple of the element.
    pub segment: usize,
}

/// Messages that are under way before the oldest is combined.
const AHEAD: usize = 3;

/// Every member sends each block to its owner, who combines them: as few bytes as there can be and
/// no message that waits for another one.
pub fn direct(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: Span,
    blocks: &Blocks<'_>,
    mine: Span,
    how: How,
) {
    if how.commutative {
        commutative(plan, team, input, blocks, mine, how.segment);
    } else {
        ordered(plan, team, input, blocks, mine);
    }
}

fn commutative(
    plan: &mut Schedule,
    team: &Team<'_>,
    input: Span,
    blocks: &Blocks<'_>,
    mine: Span,
    segment: usize,
) {
    let own = blocks.of(input, team.block(team.me));
    let in_place = own == mine;
    if team.size == 1 {
        return plan.copy(own, mine);
    }
    let room_len = segment.min(mine.len);
    let rooms: Vec<Span> = if team.size > 2 || in_place {
        (0..=AHEAD).map(|_| plan.temporary(room_len)).collect()
    } else {
        Vec::new()
    };
    // What has to be added, oldest first: (left operand, right operand and sum).
    let mut waiting = std::collections::VecDeque::with_capacity(AHEAD + 1);
    let mut next_room = 0;
    for round in 1..team.size {
        let (to, from) = (team.after(round), team.before(round));
        let mut leaving = blocks.of(input, team.block(to)).chunks(segment);
        let mut arriving = own.chunks(segment).zip(mine.chunks(segment));
        loop {
            let (outgoing, incoming) = (leaving.next(), arriving.next());
            if outgoing.is_none() && incoming.is_none() {
                break;
            }
            if let Some((own, sum)) = incoming {
                // The first message goes where the sum will be.
                let first = round == 1 && !in_place;
                let room = if first {
                    sum
                } else {
                    rooms[next_room].part(0, sum.len)
                };
                if !first {
                    next_room = (next_room + 1) % rooms.len();
                }
                plan.receive(team, from, room);
                waiting.push_back(if first { (own, sum) } else { (room, sum) });
            }
            if let Some(outgoing) = outgoing {
                plan.send(team, to, outgoing);
            }
            if waiting.len() > AHEAD
                && let Some((from, into)) = waiting.pop_front()
            {
                plan.reduce(from, into);
            }
        }
    }
    for (from, into) in waiting {
        plan.reduce(from, into);
    }
}

/// Keeps all blocks until they can be combined in the order of the members.
fn ordered(plan: &mut Schedule, team: &Team<'_>, input: Span, blocks: &Blocks<'_>, mine: Span) {
    let own = blocks.of(input, team.block(team.me));
    let last = team.size - 1;
    let rooms: Vec<Span> = (0..team.size)
        .map(|member| match member {
            _ if member == team.me => own,
            _ if member == last && own != mine => mine,
            _ => plan.temporary(mine.len),
        })
        .collect();
    for round in 1..team.size {
        let (to, from) = (team.after(round), team.before(round));
        if mine.len > 0 {
            plan.receive(team, from, rooms[from]);
        }
        let leaving = blocks.of(input, team.block(to));
        if leaving.len > 0 {
            plan.send(team, to, leaving);
        }
    }
    let sum = if team.me == last { mine } else { rooms[last] };
    plan.copy(rooms[last], sum);
    for room in rooms[..last].iter().rev() {
        plan.reduce(*room, sum);
    }
    plan.copy(sum, mine);
}

/// Partial sums go round a ring, one block per step; in the end every member has its block in
/// `work`. For commutative operations and many members, each of which talks with its neighbours
/// only. `work` may be `input`.
pub fn ring(plan: &mut Schedule, team: &Team<'_>, input: Span, blocks: &Blocks<'_>, work: Span) {
    let in_place = input == work;
    let longest = (0..team.size)
        .map(|member| blocks.len(member))
        .max()
        .unwrap_or(0);
    let rooms = in_place.then(|| [plan.temporary(longest), plan.temporary(longest)]);
    for step in 1..team.size {
        let leaving = team.block(team.before(step));
        let arriving = team.block(team.before(step + 1));
        let own = blocks.of(input, arriving);
        let sum = blocks.of(work, arriving);
        let room = rooms.map_or(sum, |rooms| rooms[step % 2].part(0, sum.len));
        let source = if step == 1 { input } else { work };
        if room.len > 0 {
            plan.receive(team, team.before(1), room);
        }
        let leaving = blocks.of(source, leaving);
        if leaving.len > 0 {
            plan.send(team, team.after(1), leaving);
        }
        match in_place {
            true => plan.reduce(room, sum),
            false => plan.reduce(own, sum),
        }
    }
    if team.size == 1 {
        plan.copy(input, work);
    }
}
