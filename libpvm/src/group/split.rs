//! Who comes together when a communicator is split.

use crate::ids::Rank;

/// What one rank says in a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Ranks with the same color come together; `None`: into no part.
    pub color: Option<i64>,
    /// Order inside the part; equal keys keep the old order.
    pub key: i64,
}

/// The ranks of the part that `rank` comes into, by their new ranks; `None` if it chose none.
/// Entry `i` of `choices` is what rank `i` said.
pub fn split(choices: &[Choice], rank: Rank) -> Option<Vec<Rank>> {
    let color = choices.get(rank)?.color?;
    Some(part(choices, Some(color)))
}

/// The ranks that chose this color, by their new ranks. Entry `i` of `choices` is what rank `i` said.
pub fn part(choices: &[Choice], color: Option<i64>) -> Vec<Rank> {
    let mut part: Vec<Rank> = (0..choices.len())
        .filter(|&rank| choices[rank].color == color)
        .collect();
    part.sort_by_key(|&rank| choices[rank].key);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The parts are disjoint, complete, and each is ordered by (key, old rank).
        #[test]
        fn parts_are_ordered(
            said in proptest::collection::vec((proptest::option::of(0i64..4), -3i64..3), 0..30),
        ) {
            let choices: Vec<Choice> =
                said.iter().map(|&(color, key)| Choice { color, key }).collect();
            for rank in 0..choices.len() {
                let part = split(&choices, rank);
                prop_assert_eq!(part.is_some(), choices[rank].color.is_some());
                let Some(part) = part else { continue };
                prop_assert!(part.contains(&rank));
                let order = |&r: &Rank| (choices[r].key, r);
                prop_assert!(part.windows(2).all(|w| order(&w[0]) < order(&w[1])));
                let color = choices[rank].color;
                let count = choices.iter().filter(|c| c.color == color).count();
                prop_assert_eq!(part.len(), count);
                prop_assert!(part.iter().all(|&r| choices[r].color == color));
            }
        }
    }

    #[test]
    fn strangers_have_no_part() {
        assert_eq!(split(&[], 0), None);
    }
}
