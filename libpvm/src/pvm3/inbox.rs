//! Messages that have arrived and wait for their receive, and which one a receive takes.

use super::tid::ANY;
use std::collections::{HashMap, VecDeque};

/// Which messages a receive or probe wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selector {
    /// Sender; [`ANY`] for every one.
    pub source: i32,
    /// Tag; -1 for every one.
    pub tag: i32,
    /// Context; -1 for every context that is not the library's own (those are negative).
    pub context: i32,
}

/// Source, tag and context that messages have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Sender.
    pub source: i32,
    /// Tag.
    pub tag: i32,
    /// Context.
    pub context: i32,
}

impl Selector {
    fn wants(self, lane: &Lane) -> bool {
        (self.source == ANY || self.source == lane.source)
            && (self.tag == ANY || self.tag == lane.tag)
            && match self.context {
                ANY => lane.context >= 0,
                context => context == lane.context,
            }
    }

    /// The only lane that this selects.
    fn exact(self) -> Option<Lane> {
        let wild = [self.source, self.tag, self.context].contains(&ANY);
        (!wild).then_some(Lane {
            source: self.source,
            tag: self.tag,
            context: self.context,
        })
    }
}

/// Buffer ids of waiting messages in order of arrival. A receive without wildcards finds its
/// message at once; one with wildcards looks at the first message of every lane.
#[derive(Debug, Default)]
pub struct Inbox {
    lanes: HashMap<Lane, VecDeque<(u64, i32)>>,
    arrivals: u64,
}

impl Inbox {
    /// Puts a message at the end.
    pub fn push(&mut self, lane: Lane, id: i32) {
        self.arrivals += 1;
        let entry = (self.arrivals, id);
        self.lanes.entry(lane).or_default().push_back(entry);
    }

    /// The first message that the selector wants; it stays.
    pub fn find(&self, selector: Selector) -> Option<i32> {
        self.locate(selector).map(|(_, id)| id)
    }

    /// Takes the first message that the selector wants.
    pub fn take(&mut self, selector: Selector) -> Option<i32> {
        let (lane, id) = self.locate(selector)?;
        let waiting = self.lanes.get_mut(&lane)?;
        waiting.pop_front();
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        }
        Some(id)
    }

    /// Forgets a message wherever it is.
    pub fn forget(&mut self, id: i32) {
        self.lanes.retain(|_, waiting| {
            waiting.retain(|(_, other)| *other != id);
            !waiting.is_empty()
        });
    }

    fn locate(&self, selector: Selector) -> Option<(Lane, i32)> {
        let first = |lane: &Lane, waiting: &VecDeque<(u64, i32)>| {
            waiting.front().map(|(arrival, id)| (*arrival, *lane, *id))
        };
        let found = match selector.exact() {
            Some(lane) => first(&lane, self.lanes.get(&lane)?),
            None => {
                let wanted = self.lanes.iter().filter(|(lane, _)| selector.wants(lane));
                wanted
                    .filter_map(|(lane, waiting)| first(lane, waiting))
                    .min_by_key(|(arrival, ..)| *arrival)
            }
        };
        found.map(|(_, lane, id)| (lane, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANYTHING: Selector = Selector {
        source: ANY,
        tag: ANY,
        context: 0,
    };

    fn lane(source: i32, tag: i32, context: i32) -> Lane {
        Lane {
            source,
            tag,
            context,
        }
    }

    #[test]
    fn contexts_are_kept_apart() {
        let mut inbox = Inbox::default();
        inbox.push(lane(5, 1, -7), 1);
        inbox.push(lane(5, 1, 9), 2);
        assert_eq!(inbox.find(ANYTHING), None);
        let any_context = Selector {
            context: ANY,
            ..ANYTHING
        };
        assert_eq!(inbox.find(any_context), Some(2));
        let own = Selector {
            context: -7,
            ..ANYTHING
        };
        assert_eq!(inbox.take(own), Some(1));
        assert_eq!(inbox.take(own), None);
    }

    #[test]
    fn freed_messages_are_forgotten() {
        let mut inbox = Inbox::default();
        inbox.push(lane(5, 1, 0), 1);
        inbox.push(lane(5, 1, 0), 2);
        inbox.forget(1);
        assert_eq!(inbox.take(ANYTHING), Some(2));
        assert!(inbox.lanes.is_empty());
    }

    proptest! {
        /// Against the plain list that PVM kept.
        #[test]
        fn takes_what_a_list_would(
            steps in proptest::collection::vec((any::<bool>(), -1..3i32, -1..3i32, -1..2i32), 0..200)
        ) {
            let mut inbox = Inbox::default();
            let mut list: Vec<(Lane, i32)> = Vec::new();
            for (id, (push, source, tag, context)) in (1..).zip(steps) {
                if push {
                    let lane = lane(source.max(0), tag.max(0), context);
                    inbox.push(lane, id);
                    list.push((lane, id));
                } else {
                    let selector = Selector { source, tag, context };
                    let at = list.iter().position(|(lane, _)| selector.wants(lane));
                    let expected = at.map(|at| list.remove(at).1);
                    prop_assert_eq!(inbox.find(selector), expected);
                    prop_assert_eq!(inbox.take(selector), expected);
                }
            }
        }
    }
}
