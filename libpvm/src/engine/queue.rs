//! An ordered queue that is searched by source and tag.
//!
//! Entries keep the order in which they were pushed. Looking for an exact (source, tag) touches
//! only the entries of one bin; looking with a wildcard goes through all of them in order. The
//! bins double as the queue grows, so a hundred thousand entries stay cheap.

use crate::ids::Tag;
use crate::transport::Peer;

/// What an entry is found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub source: Peer,
    pub tag: Tag,
}

impl Key {
    /// Fibonacci hashing of both halves.
    #[inline]
    pub fn bin(self, mask: usize) -> usize {
        let mixed = (u64::from(self.source.0) << 32 | u64::from(self.tag as u32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize & mask
    }
}

/// Place of an entry, valid until the entry is removed.
pub(super) type Place = u32;

const NONE: Place = Place::MAX;
const BINS_AT_FIRST: usize = 8;

/// Links of one of the two lists that an entry is in.
#[derive(Clone, Copy)]
struct Links {
    before: Place,
    after: Place,
}

#[derive(Clone, Copy)]
struct Ends {
    first: Place,
    last: Place,
}

const EMPTY: Ends = Ends {
    first: NONE,
    last: NONE,
};

struct Node<V> {
    key: Key,
    /// `None`: the node is free.
    value: Option<V>,
    in_bin: Links,
    in_all: Links,
}

/// Which list to walk or mend.
#[derive(Clone, Copy)]
enum List {
    All,
    Bin(usize),
}

pub(super) struct Queue<V> {
    nodes: Vec<Node<V>>,
    free: Vec<Place>,
    all: Ends,
    bins: Vec<Ends>,
    len: usize,
}

impl<V> Default for Queue<V> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            all: EMPTY,
            bins: Vec::new(),
            len: 0,
        }
    }
}

impl<V> Queue<V> {
    /// Appends an entry.
    pub fn push(&mut self, key: Key, value: V) -> Place {
        if self.len >= self.bins.len() * 4 {
            self.grow();
        }
        let nowhere = Links {
            before: NONE,
            after: NONE,
        };
        let node = Node {
            key,
            value: Some(value),
            in_bin: nowhere,
            in_all: nowhere,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.nodes[place as usize] = node;
                place
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as Place
            }
        };
        self.len += 1;
        self.append(List::All, place);
        self.append(List::Bin(key.bin(self.bins.len() - 1)), place);
        place
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The oldest entry with exactly this key.
    #[inline]
    pub fn find_exact(&self, key: Key) -> Option<Place> {
        if self.is_empty() {
            return None;
        }
        let mut place = self.bins[key.bin(self.bins.len() - 1)].first;
        while place != NONE {
            let node = &self.nodes[place as usize];
            if node.key == key {
                return Some(place);
            }
            place = node.in_bin.after;
        }
        None
    }

    /// The oldest entry that a selector with wildcards accepts.
    pub fn find(&self, source: Option<Peer>, tag: Option<Tag>) -> Option<Place> {
        if let (Some(source), Some(tag)) = (source, tag) {
            return self.find_exact(Key { source, tag });
        }
        self.find_where(|key| {
            source.is_none_or(|source| source == key.source)
                && tag.map_or(key.tag >= 0, |tag| tag == key.tag)
        })
    }

    /// The oldest entry whose key `accepts`.
    pub fn find_where(&self, accepts: impl Fn(Key) -> bool) -> Option<Place> {
        let mut place = self.all.first;
        while place != NONE {
            let node = &self.nodes[place as usize];
            if accepts(node.key) {
                return Some(place);
            }
            place = node.in_all.after;
        }
        None
    }

    /// The entry at a place that a `find` or `push` returned.
    pub fn get(&self, place: Place) -> Option<(Key, &V)> {
        let node = self.nodes.get(place as usize)?;
        node.value.as_ref().map(|value| (node.key, value))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, place: Place) -> Option<(Key, V)> {
        let node = self.nodes.get_mut(place as usize)?;
        let value = node.value.take()?;
        let key = node.key;
        self.len -= 1;
        self.unlink(List::All, place);
        self.unlink(List::Bin(key.bin(self.bins.len() - 1)), place);
        self.free.push(place);
        Some((key, value))
    }

    /// Takes out every entry that `rejects` names, in order.
    pub fn drain_where(&mut self, rejects: impl Fn(Key, &V) -> bool) -> Vec<V> {
        let mut out = Vec::new();
        let mut place = self.all.first;
        while place != NONE {
            let node = &self.nodes[place as usize];
            let after = node.in_all.after;
            let gone = node
                .value
                .as_ref()
                .is_some_and(|value| rejects(node.key, value));
            if gone && let Some((_, value)) = self.remove(place) {
                out.push(value);
            }
            place = after;
        }
        out
    }

    fn grow(&mut self) {
        let bins = (self.bins.len() * 2).max(BINS_AT_FIRST);
        self.bins.clear();
        self.bins.resize(bins, EMPTY);
        let mut place = self.all.first;
        while place != NONE {
            let node = &mut self.nodes[place as usize];
            node.in_bin = Links {
                before: NONE,
                after: NONE,
            };
            let (bin, after) = (node.key.bin(bins - 1), node.in_all.after);
            self.append(List::Bin(bin), place);
            place = after;
        }
    }

    #[inline]
    fn ends(&mut self, list: List) -> &mut Ends {
        match list {
            List::All => &mut self.all,
            List::Bin(bin) => &mut self.bins[bin],
        }
    }

    #[inline]
    fn links(&mut self, list: List, place: Place) -> &mut Links {
        let node = &mut self.nodes[place as usize];
        match list {
            List::All => &mut node.in_all,
            List::Bin(_) => &mut node.in_bin,
        }
    }

    #[inline]
    fn append(&mut self, list: List, place: Place) {
        let last = std::mem::replace(&mut self.ends(list).last, place);
        *self.links(list, place) = Links {
            before: last,
            after: NONE,
        };
        match last {
            NONE => self.ends(list).first = place,
            last => self.links(list, last).after = place,
        }
    }

    #[inline]
    fn unlink(&mut self, list: List, place: Place) {
        let Links { before, after } = *self.links(list, place);
        match before {
            NONE => self.ends(list).first = after,
            before => self.links(list, before).after = after,
        }
        match after {
            NONE => self.ends(list).last = before,
            after => self.links(list, after).before = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u32, i32),
        Take(Option<u32>, Option<i32>),
        DrainSource(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let source = 0u32..3;
        let tag = -1i32..3;
        prop_oneof![
            4 => (source.clone(), tag.clone()).prop_map(|(s, t)| Step::Push(s, t)),
            3 => (proptest::option::of(source.clone()), proptest::option::of(tag))
                .prop_map(|(s, t)| Step::Take(s, t)),
            1 => source.prop_map(Step::DrainSource),
        ]
    }

    proptest! {
        /// The queue does what a plain vector searched from the front does.
        #[test]
        fn agrees_with_a_plain_list(steps in proptest::collection::vec(step(), 0..200)) {
            let mut queue = Queue::default();
            let mut naive: Vec<(Key, usize)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(source, tag) => {
                        let key = Key { source: Peer(source), tag };
                        queue.push(key, number);
                        naive.push((key, number));
                    }
                    Step::Take(source, tag) => {
                        let source = source.map(Peer);
                        let expected = naive.iter().position(|(key, _)| {
                            source.is_none_or(|s| s == key.source)
                                && match tag { Some(t) => t == key.tag, None => key.tag >= 0 }
                        }).map(|at| naive.remove(at));
                        let found = queue.find(source, tag).and_then(|place| queue.remove(place));
                        prop_assert_eq!(found, expected);
                    }
                    Step::DrainSource(source) => {
                        let gone = queue.drain_where(|key, _| key.source == Peer(source));
                        let (expected, rest) = naive.into_iter()
                            .partition::<Vec<_>, _>(|(key, _)| key.source == Peer(source));
                        naive = rest;
                        prop_assert_eq!(gone, expected.into_iter().map(|(_, v)| v).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(queue.len, naive.len());
            }
        }
    }
}
