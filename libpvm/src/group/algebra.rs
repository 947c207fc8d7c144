//! Groups made from groups.

use super::{Comparison, Group, GroupError};
use crate::ids::{Rank, TaskId};

/// Ranks `first`, `first + stride`, ... up to and perhaps including `last`; the stride may be
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankRange {
    /// The first rank.
    pub first: i64,
    /// The bound, itself included.
    pub last: i64,
    /// The step, not 0.
    pub stride: i64,
}

impl Group {
    /// The tasks of these ranks, in this order.
    pub fn include(&self, ranks: &[Rank]) -> Result<Group, GroupError> {
        self.marks(ranks)?;
        Ok(Self::of_distinct(
            ranks.iter().map(|&rank| self.tasks()[rank]).collect(),
        ))
    }

    /// The tasks of all other ranks, in the order of this group.
    pub fn exclude(&self, ranks: &[Rank]) -> Result<Group, GroupError> {
        let marks = self.marks(ranks)?;
        let kept = self.tasks().iter().zip(marks);
        Ok(Self::of_distinct(
            kept.filter(|(_, marked)| !marked)
                .map(|(&task, _)| task)
                .collect(),
        ))
    }

    /// [`Group::include`] of the ranks of ranges.
    pub fn include_ranges(&self, ranges: &[RankRange]) -> Result<Group, GroupError> {
        self.include(&self.expand(ranges)?)
    }

    /// [`Group::exclude`] of the ranks of ranges.
    pub fn exclude_ranges(&self, ranges: &[RankRange]) -> Result<Group, GroupError> {
        self.exclude(&self.expand(ranges)?)
    }

    /// The tasks of this group, then those that only the other has.
    pub fn union(&self, other: &Group) -> Group {
        let added = other.tasks().iter().filter(|&&task| !self.contains(task));
        Self::of_distinct(self.tasks().iter().chain(added).copied().collect())
    }

    /// The tasks of this group that the other has too.
    pub fn intersection(&self, other: &Group) -> Group {
        self.filtered(|task| other.contains(task))
    }

    /// The tasks of this group that the other has not.
    pub fn difference(&self, other: &Group) -> Group {
        self.filtered(|task| !other.contains(task))
    }

    /// Ranks in the other group of the tasks with these ranks here; `None` for tasks that are not
    /// in it.
    pub fn translate(
        &self,
        ranks: &[Rank],
        other: &Group,
    ) -> Result<Vec<Option<Rank>>, GroupError> {
        let translated = ranks.iter().map(|&rank| {
            let task = self.task(rank).ok_or(self.no_such(rank as i64))?;
            Ok(other.rank_of(task))
        });
        translated.collect()
    }

    /// How this group relates to the other.
    pub fn compare(&self, other: &Group) -> Comparison {
        if self == other {
            return Comparison::Identical;
        }
        let same =
            self.size() == other.size() && self.tasks().iter().all(|&task| other.contains(task));
        if same {
            Comparison::Similar
        } else {
            Comparison::Unequal
        }
    }

    fn filtered(&self, keep: impl Fn(TaskId) -> bool) -> Group {
        Self::of_distinct(
            self.tasks()
                .iter()
                .copied()
                .filter(|&task| keep(task))
                .collect(),
        )
    }

    fn no_such(&self, rank: i64) -> GroupError {
        GroupError::NoSuchRank {
            rank,
            size: self.size(),
        }
    }

    /// Which ranks are in the list; an error when one is there twice or not in the group.
    fn marks(&self, ranks: &[Rank]) -> Result<Vec<bool>, GroupError> {
        let mut marks = vec![false; self.size()];
        for &rank in ranks {
            let mark = marks.get_mut(rank).ok_or(self.no_such(rank as i64))?;
            if std::mem::replace(mark, true) {
                return Err(GroupError::Twice(self.tasks()[rank]));
            }
        }
        Ok(marks)
    }

    /// The ranks of ranges, each of which is in the group: so there are not more than ranges times
    /// tasks, whatever the ranges say.
    fn expand(&self, ranges: &[RankRange]) -> Result<Vec<Rank>, GroupError> {
        let mut ranks = Vec::new();
        for range in ranges {
            if range.stride == 0 {
                return Err(GroupError::NoStride);
            }
            let mut next = Some(range.first);
            while let Some(rank) = next.filter(|&rank| range.has(rank)) {
                let valid = Rank::try_from(rank).ok().filter(|&rank| rank < self.size());
                ranks.push(valid.ok_or(self.no_such(rank))?);
                next = rank.checked_add(range.stride);
            }
        }
        Ok(ranks)
    }
}

impl RankRange {
    fn has(&self, rank: i64) -> bool {
        if self.stride > 0 {
            rank <= self.last
        } else {
            rank >= self.last
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn task(n: u32) -> TaskId {
        TaskId::new(1, 1, n + 1).unwrap()
    }

    fn group(numbers: &[u32]) -> Group {
        Group::new(numbers.iter().map(|&n| task(n))).unwrap()
    }

    /// Different numbers below 60 in any order: small and large groups.
    fn members() -> impl Strategy<Value = Vec<u32>> {
        (
            Just((0..60).collect::<Vec<u32>>()).prop_shuffle(),
            0usize..40,
        )
            .prop_map(|(mut numbers, len)| {
                numbers.truncate(len);
                numbers
            })
    }

    #[test]
    fn doubles_and_strangers_are_refused() {
        assert_eq!(
            Group::new([task(1), task(2), task(1)]),
            Err(GroupError::Twice(task(1)))
        );
        let three = group(&[5, 6, 7]);
        assert_eq!(three.include(&[1, 1]), Err(GroupError::Twice(task(6))));
        let no_such = GroupError::NoSuchRank { rank: 3, size: 3 };
        assert_eq!(three.exclude(&[3]), Err(no_such));
        assert_eq!(three.translate(&[3], &three), Err(no_such));
        let range = |first, last, stride| RankRange {
            first,
            last,
            stride,
        };
        assert_eq!(
            three.include_ranges(&[range(0, 1, 0)]),
            Err(GroupError::NoStride)
        );
        assert_eq!(three.include_ranges(&[range(2, i64::MAX, 1)]), Err(no_such));
        assert_eq!(three.include_ranges(&[range(2, 0, -2)]), Ok(group(&[7, 5])));
        assert_eq!(three.exclude_ranges(&[range(1, 0, 1)]), Ok(three));
    }

    proptest! {
        #[test]
        fn ranks_and_tasks_agree(numbers in members()) {
            let group = group(&numbers);
            for n in 0..60 {
                let expected = numbers.iter().position(|&m| m == n);
                prop_assert_eq!(group.rank_of(task(n)), expected);
            }
            for (rank, &n) in numbers.iter().enumerate() {
                prop_assert_eq!(group.task(rank), Some(task(n)));
            }
        }

        #[test]
        fn set_operations_agree_with_lists(a in members(), b in members()) {
            let (left, right) = (group(&a), group(&b));
            let with = |keep: bool| -> Vec<u32> {
                a.iter().copied().filter(|n| b.contains(n) == keep).collect()
            };
            prop_assert_eq!(left.intersection(&right), group(&with(true)));
            prop_assert_eq!(left.difference(&right), group(&with(false)));
            let mut both = a.clone();
            both.extend(b.iter().filter(|n| !a.contains(n)));
            prop_assert_eq!(left.union(&right), group(&both));
            let (mut x, mut y) = (a.clone(), b.clone());
            x.sort();
            y.sort();
            let expected = match (a == b, x == y) {
                (true, _) => Comparison::Identical,
                (_, true) => Comparison::Similar,
                _ => Comparison::Unequal,
            };
            prop_assert_eq!(left.compare(&right), expected);
            let ranks: Vec<Rank> = (0..a.len()).collect();
            let expected: Vec<_> = a.iter().map(|n| b.iter().position(|m| m == n)).collect();
            prop_assert_eq!(left.translate(&ranks, &right), Ok(expected));
        }

        #[test]
        fn a_shuffled_group_is_similar(a in members(), turn in 1usize..39) {
            prop_assume!(a.len() > 1 && turn % a.len() != 0);
            let mut turned = a.clone();
            turned.rotate_left(turn % a.len());
            prop_assert_eq!(group(&a).compare(&group(&turned)), Comparison::Similar);
        }

        #[test]
        fn ranges_agree_with_lists(
            a in members(), ranges in vec((-2i64..40, -2i64..40, -3i64..4), 0..3),
        ) {
            let group = group(&a);
            let mut list = Vec::new();
            for &(first, last, stride) in &ranges {
                let mut at = first;
                while stride > 0 && at <= last || stride < 0 && at >= last {
                    list.push(at);
                    at += stride;
                }
            }
            let zero = ranges.iter().any(|&(_, _, stride)| stride == 0);
            let inside = list.iter().all(|&rank| rank >= 0 && rank < a.len() as i64);
            let mut sorted = list.clone();
            sorted.sort();
            sorted.dedup();
            let ranges: Vec<_> = ranges.iter()
                .map(|&(first, last, stride)| RankRange { first, last, stride }).collect();
            if zero || !inside || sorted.len() != list.len() {
                prop_assert!(group.include_ranges(&ranges).is_err());
                prop_assert!(group.exclude_ranges(&ranges).is_err());
            } else {
                let included: Vec<TaskId> = list.iter().map(|&r| task(a[r as usize])).collect();
                let excluded: Vec<TaskId> = a.iter().enumerate()
                    .filter(|(rank, _)| !list.contains(&(*rank as i64)))
                    .map(|(_, &n)| task(n)).collect();
                let inc = group.include_ranges(&ranges).unwrap();
                let exc = group.exclude_ranges(&ranges).unwrap();
                prop_assert_eq!(inc.tasks(), included);
                prop_assert_eq!(exc.tasks(), excluded);
            }
        }
    }
}
