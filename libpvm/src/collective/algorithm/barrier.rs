//! Barrier.

use super::powers_below;
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
