//! Who passes events on to whom: a pure rule that every host applies to what it knows.
//!
//! The members of the consensus have everything first; they are the roots. All other hosts, by number,
//! fill a tree below them, so many to each. Hosts ask the one above for what is new ([`super::follow`]);
//! so nobody keeps a list of whom to serve, and when hosts disagree for a moment about who is where,
//! nothing is lost.

use crate::cluster::registry::HostId;
use std::collections::BTreeSet;

/// How many hosts ask one.
const FAN_OUT: usize = 8;

/// The place of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Whom it asks, the nearest first; nobody when it is a root.
    pub above: Vec<HostId>,
    /// Who asks it.
    pub below: Vec<HostId>,
}

impl Place {
    /// Of a host, when these are the roots and these the living. Roots need not live, others must.
    pub(super) fn of(me: HostId, roots: &BTreeSet<HostId>, living: &BTreeSet<HostId>) -> Self {
        let others = living.difference(roots).copied();
        let all: Vec<HostId> = roots.iter().copied().chain(others).collect();
        let Some(at) = all.iter().position(|host| *host == me) else {
            return Place::default();
        };
        let roots = roots.len();
        let above = |at: usize| at.checked_sub(roots).map(|nth| nth / FAN_OUT);
        let first = roots + at * FAN_OUT;
        let below = all.iter().skip(first).take(FAN_OUT).copied();
        Place {
            above: std::iter::successors(above(at), |at| above(*at))
                .map(|at| all[at])
                .collect(),
            below: below.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(index: u16) -> HostId {
        HostId::new(index, 1)
    }

    #[test]
    fn roots_have_nobody_above() {
        let living: BTreeSet<_> = (1..=30).map(host).collect();
        let roots = [2, 4, 6].map(host).into();
        let place = |index| Place::of(host(index), &roots, &living);
        assert_eq!(place(2).above, []);
        let first: Vec<_> = [1, 3, 5, 7, 8, 9, 10, 11].map(host).into();
        assert_eq!(place(2).below, first);
        assert_eq!(place(1).above, [host(2)]);
        assert_eq!(place(30).above, [host(1), host(2)]);
        assert_eq!(place(30).below, []);
        assert_eq!(place(99), Place::default());
    }

    proptest! {
        #[test]
        fn everybody_is_below_one_root_and_not_deep(
            hosts in 1..600u16,
            roots in prop::collection::btree_set(1..700u16, 1..6),
        ) {
            let living: BTreeSet<_> = (1..=hosts).map(host).collect();
            let roots: BTreeSet<_> = roots.into_iter().map(host).collect();
            let all: BTreeSet<_> = living.union(&roots).copied().collect();
            let mut asked = 0;
            for me in &all {
                let place = Place::of(*me, &roots, &living);
                prop_assert_eq!(place.above.is_empty(), roots.contains(me));
                prop_assert!(place.above.last().is_none_or(|last| roots.contains(last)));
                prop_assert!(place.above.len() <= 4 && place.below.len() <= FAN_OUT);
                for child in &place.below {
                    asked += 1;
                    prop_assert_eq!(Place::of(*child, &roots, &living).above[0], *me);
                }
            }
            prop_assert_eq!(asked, all.len() - roots.len());
        }
    }
}
