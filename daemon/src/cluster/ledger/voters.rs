//! Who votes: a pure decision of the leader, one step at a time.
//!
//! One host votes alone, two vote both (see the page of the ledger), from three on three vote and
//! from five on five. Voters that live stay; the leader always. A host may vote when it has nearly
//! all entries and answers. Between the sizes the number of voters grows in odd steps: an even
//! number tolerates no more losses than the odd one below it.

use std::collections::BTreeSet;

/// What the leader sees.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub leader: u64,
    /// Of the newest configuration.
    pub voters: BTreeSet<u64>,
    /// A change of voters was left half done.
    pub is_joint: bool,
    /// Voters and learners.
    pub nodes: BTreeSet<u64>,
    /// Hosts that belong, by the registry.
    pub living: BTreeSet<u64>,
    /// Nodes that have nearly all entries and answer.
    pub ready: BTreeSet<u64>,
    /// Hosts that have not answered of late.
    pub silent: BTreeSet<u64>,
    /// Most voters.
    pub most: usize,
}

/// What the leader does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Add(BTreeSet<u64>),
    Vote(BTreeSet<u64>),
    Remove(BTreeSet<u64>),
}

/// The next step, when there is one.
pub(super) fn next_step(view: &View) -> Option<Step> {
    let target = target(view);
    if view.is_joint {
        return Some(Step::Vote(target));
    }
    if !view.nodes.contains(&view.leader) {
        // It has removed itself and is about to step down; the rest is its successor's.
        return None;
    }
    let new = candidates(view);
    if !new.is_empty() {
        return Some(Step::Add(new));
    }
    if target != view.voters {
        return Some(Step::Vote(target));
    }
    let is_needed =
        |node: &&u64| target.contains(node) || view.living.contains(node) && is_short(view);
    let others = view.nodes.iter().filter(|node| !is_needed(node));
    let others: BTreeSet<u64> = others.copied().collect();
    (!others.is_empty()).then_some(Step::Remove(others))
}

/// Whether fewer vote than should.
fn is_short(view: &View) -> bool {
    view.voters.len() < enough(view)
}

/// The hosts that are to learn, so that they can vote: as many as are missing, not counting those that
/// do not answer.
fn candidates(view: &View) -> BTreeSet<u64> {
    let is_able = |node: &&u64| view.living.contains(node) && !view.silent.contains(node);
    let able = view.nodes.iter().filter(is_able).count();
    let missing = enough(view).saturating_sub(able);
    let fresh = view.living.difference(&view.nodes);
    let fresh = fresh.filter(|node| !view.silent.contains(node));
    fresh.take(missing).copied().collect()
}

fn enough(view: &View) -> usize {
    wanted(view.living.len()).min(view.most.max(1))
}

fn target(view: &View) -> BTreeSet<u64> {
    let wanted = enough(view);
    let leader = [view.leader].into_iter();
    let others = view.voters.iter().copied().filter(|n| *n != view.leader);
    let stay = leader.chain(others).filter(|n| view.living.contains(n));
    let mut target: BTreeSet<u64> = stay.take(wanted).collect();
    let mut fresh = view
        .ready
        .iter()
        .filter(|n| view.living.contains(n) && !view.voters.contains(n));
    while target.len() < wanted {
        // One more makes an even number odd, two keep an odd one odd; the wanted one is right.
        let missing = wanted - target.len();
        let step = missing.min(1 + target.len() % 2);
        let chosen: Vec<u64> = fresh.by_ref().take(step).copied().collect();
        if chosen.len() < step {
            break;
        }
        target.extend(chosen);
    }
    match target.is_empty() {
        true => view.voters.clone(),
        false => target,
    }
}

/// How many vote when so many hosts live.
pub(super) fn wanted(living: usize) -> usize {
    match living {
        0 | 1 => 1,
        2 => 2,
        3 | 4 => 3,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(nodes: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
        nodes.into_iter().collect()
    }

    fn view(voters: &[u64], nodes: u64, living: &[u64]) -> View {
        View {
            leader: voters[0],
            voters: set(voters.iter().copied()),
            is_joint: false,
            nodes: set(1..=nodes),
            living: set(living.iter().copied()),
            ready: set(living.iter().copied()),
            silent: set([]),
            most: 5,
        }
    }

    #[test]
    fn voters_grow_with_the_machine() {
        assert_eq!(next_step(&view(&[1], 1, &[1])), None);
        assert_eq!(
            next_step(&view(&[1], 1, &[1, 2])),
            Some(Step::Add(set([2])))
        );
        assert_eq!(
            next_step(&view(&[1], 2, &[1, 2])),
            Some(Step::Vote(set([1, 2])))
        );
        assert_eq!(
            next_step(&view(&[1, 2], 3, &[1, 2, 3])),
            Some(Step::Vote(set([1, 2, 3])))
        );
        assert_eq!(next_step(&view(&[1, 2, 3], 3, &[1, 2, 3, 4])), None);
        assert_eq!(
            next_step(&view(&[1, 2, 3], 3, &[1, 2, 3, 4, 5, 6])),
            Some(Step::Add(set([4, 5])))
        );
        assert_eq!(
            next_step(&view(&[3, 1, 2], 9, &[1, 2, 3, 4, 5, 6, 7, 8, 9])),
            Some(Step::Vote(set(1..=5)))
        );
    }

    #[test]
    fn the_lost_are_replaced_then_removed() {
        let living = [1, 2, 4, 5, 6, 7];
        let mut short = view(&[1, 2, 3, 4, 5], 5, &living);
        assert_eq!(next_step(&short), Some(Step::Add(set([6]))));
        short.silent = set([6]);
        assert_eq!(next_step(&short), Some(Step::Add(set([7]))));
        short.nodes.insert(6);
        assert_eq!(next_step(&short), Some(Step::Add(set([7]))));
        short.nodes.insert(7);
        short.ready = set([1, 2, 4, 5, 7]);
        assert_eq!(next_step(&short), Some(Step::Vote(set([1, 2, 4, 5, 7]))));
        short.voters = set([1, 2, 4, 5, 7]);
        assert_eq!(next_step(&short), Some(Step::Remove(set([3, 6]))));
        assert_eq!(
            next_step(&view(&[1, 2, 3], 3, &[1, 3])),
            Some(Step::Vote(set([1, 3])))
        );
    }

    #[test]
    fn who_lags_does_not_vote() {
        let mut lagging = view(&[1], 3, &[1, 2, 3]);
        lagging.ready = set([1, 2]);
        assert_eq!(next_step(&lagging), None);
        lagging.ready = set([1, 2, 3]);
        assert_eq!(next_step(&lagging), Some(Step::Vote(set([1, 2, 3]))));
    }

    #[test]
    fn a_leader_that_leaves_hands_over() {
        assert_eq!(
            next_step(&view(&[1, 2], 2, &[2])),
            Some(Step::Vote(set([2])))
        );
        let mut handed_over = view(&[1, 2], 2, &[2]);
        handed_over.voters = set([2]);
        assert_eq!(next_step(&handed_over), Some(Step::Remove(set([1]))));
        handed_over.nodes = set([2]);
        assert_eq!(next_step(&handed_over), None);
        let mut alone = view(&[1], 1, &[]);
        assert_eq!(next_step(&alone), None);
        alone.is_joint = true;
        assert_eq!(next_step(&alone), Some(Step::Vote(set([1]))));
    }

    proptest! {
        #[test]
        fn it_settles(
            voters in prop::collection::btree_set(1..9u64, 1..6),
            living in prop::collection::btree_set(1..9u64, 1..9),
            leader in any::<prop::sample::Index>(),
        ) {
            let leader = *leader.get(&voters.iter().copied().collect::<Vec<_>>());
            let mut view = View {
                leader, nodes: voters.clone(), voters, is_joint: false,
                ready: living.clone(), silent: set([]), living, most: 5,
            };
            for _ in 0..10 {
                if !view.nodes.contains(&view.leader) {
                    view.leader = view.voters.first().copied().unwrap_or(0);
                }
                match next_step(&view) {
                    None => break,
                    Some(Step::Add(nodes)) => view.nodes.extend(nodes),
                    Some(Step::Vote(voters)) => view.voters = voters,
                    Some(Step::Remove(nodes)) => view.nodes.retain(|n| !nodes.contains(n)),
                }
            }
            prop_assert_eq!(next_step(&view), None);
            prop_assert!(view.voters.is_subset(&view.living));
            prop_assert_eq!(view.voters.len(), wanted(view.living.len()));
            prop_assert!(!view.living.contains(&leader) || view.voters.contains(&leader));
            prop_assert_eq!(view.nodes, view.voters);
        }
    }
}
