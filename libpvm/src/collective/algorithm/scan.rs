//! Scan: member `m` gets the inputs of members 0 to `m` combined, or of those before it only.

use super::powers_below;
use crate::collective::schedule::{Schedule, Span};
use crate::collective::team::Team;

/// After round `k` a member has the sum of `2^k` members up to itself; what arrives is always the
/// left neighbour of what it has, so the order is kept.
pub fn inclusive(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span) {
    plan.copy(input, output);
    let rooms = rooms(plan, team, input.len);
    for (round, distance) in powers_below(team.size).enumerate() {
        if team.me + distance < team.size {
            plan.send(
                team,
                team.me + distance,
                if round == 0 { input } else { output },
            );
        }
        if team.me >= distance {
            let room = rooms[round % 2];
            plan.receive(team, team.me - distance, room);
            plan.reduce(room, output);
        }
    }
}

/// As [`inclusive`], with a second sum that leaves out the member itself. The output of member 0
/// is not touched.
pub fn exclusive(plan: &mut Schedule, team: &Team<'_>, input: Span, output: Span) {
    let rooms = rooms(plan, team, input.len);
    let sum = plan.temporary(input.len);
    plan.copy(input, sum);
    for (round, distance) in powers_below(team.size).enumerate() {
        if team.me + distance < team.size {
            plan.send(team, team.me + distance, sum);
        }
        if team.me < distance {
            continue;
        }
        let room = if round == 0 { output } else { rooms[round % 2] };
        plan.receive(team, team.me - distance, room);
        if round > 0 {
            plan.reduce(room, output);
        }
        if team.me + 2 * distance < team.size {
            plan.reduce(room, sum);
        }
    }
}

fn rooms(plan: &mut Schedule, team: &Team<'_>, len: usize) -> [Span; 2] {
    let count = powers_below(team.me + 1).count();
    let first = plan.temporary(if count > 0 { len } else { 0 });
    [
        first,
        if count > 1 {
            plan.temporary(len)
        } else {
            first
        },
    ]
}
