//! Collectives in which every rank exchanges blocks with its neighbours only.

use super::schedule::{Schedule, Span};
use super::team::Team;
use crate::ids::Rank;
use std::collections::VecDeque;

/// Appends the steps of one rank: blocks go to destinations, and come from sources. Between two ranks,
/// and from a rank to itself, the n-th block of a list is the n-th of the other's.
///
/// All ranks go through their neighbours by distance, so that those who wait for each other meet.
pub fn exchange(
    plan: &mut Schedule,
    (rank, size): (Rank, usize),
    outgoing: &[(Rank, Span)],
    incoming: &[(Rank, Span)],
) {
    let team = Team::all(rank, size);
    let mut kept: VecDeque<Span> = VecDeque::new();
    let mut steps = Vec::with_capacity(outgoing.len() + incoming.len());
    for &(from, into) in incoming {
        steps.push(((rank + size - from) % size, from, into, true));
    }
    for &(to, from) in outgoing {
        steps.push(((to + size - rank) % size, to, from, false));
    }
    // Stable: what goes to, or comes from, one rank stays in its order.
    steps.sort_by_key(|step| step.0);
    // Those at no distance come first, what arrives before what leaves.
    for (distance, other, span, arrives) in steps {
        match (distance, arrives) {
            (0, true) => kept.push_back(span),
            (0, false) => {
                if let Some(into) = kept.pop_front() {
                    let len = span.len.min(into.len);
                    plan.copy(span.part(0, len), into.part(0, len));
                }
            }
            (_, true) => plan.receive(&team, other, span),
            (_, false) => plan.send(&team, other, span),
        }
    }
}
