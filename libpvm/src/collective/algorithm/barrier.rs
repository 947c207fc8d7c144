//! Barrier.

use super::{broadcast, parent, powers_below, subtree};
use crate::collective::schedule::{Buffer, Schedule, Span};
use crate::collective::team::Team;

/// Dissemination: after round `k` everybody knows of `2^k` members before it. `ceil(log2 size)`
/// rounds, whatever the size.
pub fn dissemination(plan: &mut Schedule, team: &Team<'_>) {
    let nothing = Span::of(Buffer::Temporary, 0);
    for distance in powers_below(team.size) {
        plan.send(team, team.after(distance), nothing);
        plan.receive(team, team.before(distance), nothing);
        plan.fence();
    }
}

/// All tell member 0, which tells all: the fewest messages, and only one turn of member 0 between the others.
pub fn central(plan: &mut Schedule, team: &Team<'_>) {
    let nothing = Span::of(Buffer::Temporary, 0);
    if team.me > 0 {
        plan.send(team, 0, nothing);
        return plan.receive(team, 0, nothing);
    }
    for member in 1..team.size {
        plan.receive(team, member, nothing);
    }
    plan.fence();
    broadcast::direct(plan, team, nothing);
}

/// Member 0 knows that all have come.
pub fn fan_in(plan: &mut Schedule, team: &Team<'_>) {
    let nothing = Span::of(Buffer::Temporary, 0);
    for distance in powers_below(subtree(team.me, team.size)) {
        plan.receive(team, team.me + distance, nothing);
    }
    plan.fence();
    if team.me > 0 {
        plan.send(team, parent(team.me), nothing);
    }
}

/// All know what member 0 knows.
pub fn fan_out(plan: &mut Schedule, team: &Team<'_>) {
    let nothing = Span::of(Buffer::Temporary, 0);
    if team.me > 0 {
        plan.receive(team, parent(team.me), nothing);
        plan.fence();
    }
    for distance in powers_below(subtree(team.me, team.size)).rev() {
        plan.send(team, team.me + distance, nothing);
    }
}
