//! Entries that are found by source and tag, oldest first among those with the same.
//!
//! Each bin is a line in the order of pushing, and there are as many bins as keep lines short; so entries of
//! one key lie next to each other, and the oldest of them is most often the first of its line.

use super::queue::Key;
use std::collections::VecDeque;

const BINS_AT_FIRST: usize = 8;
/// Entries per bin from which on there are to be more bins.
const CROWD: usize = 4;

/// Place of an entry, valid until something is pushed or removed.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    bin: usize,
    at: usize,
}

pub(super) struct Bins<V> {
    bins: Vec<VecDeque<(Key, V)>>,
    len: usize,
}

impl<V> Default for Bins<V> {
    fn default() -> Self {
        Self {
            bins: Vec::new(),
            len: 0,
        }
    }
}

impl<V> Bins<V> {
    /// Appends an entry.
    #[inline]
    pub fn push(&mut self, key: Key, value: V) {
        if self.len >= self.bins.len() * CROWD {
            self.grow();
        }
        self.len += 1;
        let bin = key.bin(self.bins.len() - 1);
        self.bins[bin].push_back((key, value));
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The oldest entry with this key.
    #[inline]
    pub fn find(&self, key: Key) -> Option<Spot> {
        self.find_among(key, |_| true)
    }

    /// The oldest entry with this key that is `wanted`.
    #[inline]
    pub fn find_among(&self, key: Key, wanted: impl Fn(&V) -> bool) -> Option<Spot> {
        if self.is_empty() {
            return None;
        }
        let bin = key.bin(self.bins.len() - 1);
        let line = &self.bins[bin];
        let is_it = |(other, value): &(Key, V)| *other == key && wanted(value);
        let at = match line.front() {
            Some(entry) if is_it(entry) => 0,
            _ => line.iter().position(is_it)?,
        };
        Some(Spot { bin, at })
    }

    /// The entry at a spot.
    #[inline]
    pub fn get(&self, Spot { bin, at }: Spot) -> Option<&V> {
        self.bins[bin].get(at).map(|(_, value)| value)
    }

    /// Takes the entry at a spot out.
    #[inline]
    pub fn remove(&mut self, Spot { bin, at }: Spot) -> Option<V> {
        let line = &mut self.bins[bin];
        let (_, value) = match at {
            0 => line.pop_front(),
            at => line.remove(at),
        }?;
        self.len -= 1;
        Some(value)
    }

    /// Takes out every entry whose key `rejects`; those of one key in their order.
    pub fn drain_where(&mut self, rejects: impl Fn(Key) -> bool) -> Vec<V> {
        let mut out = Vec::new();
        for line in &mut self.bins {
            for (key, value) in std::mem::take(line) {
                match rejects(key) {
                    true => out.push(value),
                    false => line.push_back((key, value)),
                }
            }
        }
        self.len -= out.len();
        out
    }

    #[cold]
    fn grow(&mut self) {
        let bins = (self.bins.len() * 2).max(BINS_AT_FIRST);
        let before = std::mem::take(&mut self.bins);
        self.bins.resize_with(bins, VecDeque::new);
        for (key, value) in before.into_iter().flatten() {
            self.bins[key.bin(bins - 1)].push_back((key, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Peer;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u32, i32),
        Take(u32, i32),
        TakeEven(u32, i32),
        DrainSource(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let pair = || (0u32..3, -1i32..9);
        prop_oneof![
            4 => pair().prop_map(|(s, t)| Step::Push(s, t)),
            2 => pair().prop_map(|(s, t)| Step::Take(s, t)),
            1 => pair().prop_map(|(s, t)| Step::TakeEven(s, t)),
            1 => (0u32..3).prop_map(Step::DrainSource),
        ]
    }

    fn key(source: u32, tag: i32) -> Key {
        let source = Peer(source);
        Key { source, tag }
    }

    proptest! {
        /// The bins do what a plain vector searched from the front does.
        #[test]
        fn agree_with_a_plain_list(steps in proptest::collection::vec(step(), 0..300)) {
            let mut bins = Bins::default();
            let mut naive: Vec<(Key, usize)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(source, tag) => {
                        bins.push(key(source, tag), number);
                        naive.push((key(source, tag), number));
                    }
                    Step::Take(source, tag) => {
                        let at = naive.iter().position(|(k, _)| *k == key(source, tag));
                        let expected = at.map(|at| naive.remove(at).1);
                        let spot = bins.find(key(source, tag));
                        prop_assert_eq!(spot.and_then(|spot| bins.get(spot)), expected.as_ref());
                        prop_assert_eq!(spot.and_then(|spot| bins.remove(spot)), expected);
                    }
                    Step::TakeEven(source, tag) => {
                        let is_wanted = |n: &usize| n.is_multiple_of(2);
                        let at = naive.iter().position(|(k, n)| *k == key(source, tag) && is_wanted(n));
                        let expected = at.map(|at| naive.remove(at).1);
                        let spot = bins.find_among(key(source, tag), is_wanted);
                        prop_assert_eq!(spot.and_then(|spot| bins.remove(spot)), expected);
                    }
                    Step::DrainSource(source) => {
                        let mut gone = bins.drain_where(|key| key.source == Peer(source));
                        gone.sort_unstable();
                        let (expected, rest) = naive.into_iter()
                            .partition::<Vec<_>, _>(|(key, _)| key.source == Peer(source));
                        naive = rest;
                        prop_assert_eq!(gone, expected.into_iter().map(|(_, n)| n).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(bins.len, naive.len());
                prop_assert_eq!(bins.is_empty(), naive.is_empty());
            }
        }
    }
}
