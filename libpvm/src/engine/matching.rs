//! Who gets which message: posted receives and unexpected messages of one context.
//!
//! A message goes to the oldest posted receive that accepts it; a receive takes the oldest
//! unexpected message that it accepts. Negative tags are the library's own: a receive for any tag
//! never takes them.

use super::bins::{Bins, Spot};
use super::queue::{Key, Place, Queue};
use crate::ids::{Context, Tag};
use crate::transport::Peer;
use std::collections::VecDeque;

/// Which messages a receive or probe accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Selector {
    /// The receiver's context.
    pub context: Context,
    /// Sender; `None`: any.
    pub source: Option<Peer>,
    /// Tag; `None`: any that is not negative.
    pub tag: Option<Tag>,
}

impl Selector {
    #[inline]
    pub(super) fn accepts(&self, key: Key) -> bool {
        self.source.is_none_or(|source| source == key.source)
            && self.tag.map_or(key.tag >= 0, |tag| tag == key.tag)
    }
}

/// The matching state of one context; `R` names receives, `M` is an unexpected message.
pub(super) struct Matcher<R, M> {
    exact: Bins<(u64, R)>,
    wild: VecDeque<(u64, Selector, R)>,
    unexpected: Queue<M>,
    posted_so_far: u64,
}

impl<R, M> Default for Matcher<R, M> {
    fn default() -> Self {
        Self {
            exact: Bins::default(),
            wild: VecDeque::new(),
            unexpected: Queue::default(),
            posted_so_far: 0,
        }
    }
}

impl<R: Copy + PartialEq, M> Matcher<R, M> {
    /// Takes the oldest unexpected message that `selector` accepts.
    #[inline]
    pub fn take_message(&mut self, selector: Selector) -> Option<(Key, M)> {
        if self.unexpected.is_empty() {
            return None;
        }
        let place = self.find_message(selector)?;
        self.unexpected.remove(place)
    }

    /// Looks at that message.
    pub fn peek_message(&self, selector: Selector) -> Option<(Key, &M)> {
        self.unexpected.get(self.find_message(selector)?)
    }

    fn find_message(&self, selector: Selector) -> Option<Place> {
        self.unexpected.find(selector.source, selector.tag)
    }

    /// Posts a receive.
    #[inline]
    pub fn post(&mut self, selector: Selector, receive: R) {
        self.posted_so_far += 1;
        match (selector.source, selector.tag) {
            (Some(source), Some(tag)) => {
                self.exact
                    .push(Key { source, tag }, (self.posted_so_far, receive));
            }
            _ => self.wild.push_back((self.posted_so_far, selector, receive)),
        }
    }

    /// Takes the oldest posted receive that accepts a message with this key.
    #[inline]
    pub fn take_receive(&mut self, key: Key) -> Option<R> {
        let exact = self.exact.find(key);
        if self.wild.is_empty() {
            return self.take_exact(exact?);
        }
        let wild = self
            .wild
            .iter()
            .position(|(_, selector, _)| selector.accepts(key));
        let exact_is_older = match (exact, wild) {
            (Some(spot), Some(at)) => {
                let exact = self.exact.get(spot);
                exact.is_some_and(|(number, _)| *number < self.wild[at].0)
            }
            (exact, _) => exact.is_some(),
        };
        match exact_is_older {
            true => self.take_exact(exact?),
            false => self.wild.remove(wild?).map(|(_, _, receive)| receive),
        }
    }

    #[inline]
    fn take_exact(&mut self, spot: Spot) -> Option<R> {
        self.exact.remove(spot).map(|(_, receive)| receive)
    }

    /// Whether a receive of just this key would get the next message with it: nothing is kept for it,
    /// nothing posted before it.
    #[inline]
    pub fn is_first(&self, key: Key) -> bool {
        self.unexpected.find_exact(key).is_none()
            && self.exact.find(key).is_none()
            && !self
                .wild
                .iter()
                .any(|(_, selector, _)| selector.accepts(key))
    }

    /// Whether nothing is kept or posted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.unexpected.is_empty() && self.exact.is_empty() && self.wild.is_empty()
    }

    /// How many messages are kept, and the oldest.
    pub fn kept(&self) -> (usize, Option<(Key, &M)>) {
        let oldest = self.unexpected.find_where(|_| true);
        let oldest = oldest.and_then(|place| self.unexpected.get(place));
        (self.unexpected.len(), oldest)
    }

    /// Takes out the oldest message with a key that `accepts` names.
    pub fn take_where(&mut self, accepts: impl Fn(Key) -> bool) -> Option<(Key, M)> {
        if self.unexpected.is_empty() {
            return None;
        }
        let place = self.unexpected.find_where(accepts)?;
        self.unexpected.remove(place)
    }

    /// Keeps a message for which no receive is posted.
    pub fn keep(&mut self, key: Key, message: M) {
        self.unexpected.push(key, message);
    }

    /// Takes back a posted receive; false when it is not posted (any more).
    pub fn withdraw(&mut self, selector: Selector, receive: R) -> bool {
        match (selector.source, selector.tag) {
            (Some(source), Some(tag)) => {
                let key = Key { source, tag };
                let spot = self.exact.find_among(key, |(_, r)| *r == receive);
                spot.and_then(|spot| self.exact.remove(spot)).is_some()
            }
            _ => {
                let at = self.wild.iter().position(|(_, _, r)| *r == receive);
                at.and_then(|at| self.wild.remove(at)).is_some()
            }
        }
    }

    /// Takes out what can never be fulfilled when `peer` has ended: receives from it alone, and its
    /// messages that `is_lost` names.
    pub fn drop_peer(&mut self, peer: Peer, is_lost: impl Fn(&M) -> bool) -> (Vec<R>, Vec<M>) {
        let mut receives: Vec<(u64, R)> = self.exact.drain_where(|key| key.source == peer);
        self.wild.retain(|(number, selector, receive)| {
            let lost = selector.source == Some(peer);
            if lost {
                receives.push((*number, *receive));
            }
            !lost
        });
        receives.sort_by_key(|(number, _)| *number);
        let messages = self
            .unexpected
            .drain_where(|key, message| key.source == peer && is_lost(message));
        (
            receives.into_iter().map(|(_, receive)| receive).collect(),
            messages,
        )
    }

    /// Takes out everything, for a context that is closed.
    pub fn drain(&mut self) -> (Vec<R>, Vec<(Key, M)>) {
        let mut receives: Vec<R> = self
            .exact
            .drain_where(|_| true)
            .into_iter()
            .map(|(_, r)| r)
            .collect();
        receives.extend(self.wild.drain(..).map(|(_, _, receive)| receive));
        let anything = std::iter::from_fn(|| {
            let place = self.unexpected.find_where(|_| true)?;
            self.unexpected.remove(place)
        });
        (receives, anything.collect())
    }

    /// Takes out the receives that wait for anybody.
    pub fn drain_any_source(&mut self) -> Vec<R> {
        let mut receives = Vec::new();
        self.wild.retain(|&(_, selector, receive)| {
            if selector.source.is_none() {
                receives.push(receive);
            }
            selector.source.is_some()
        });
        receives
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Arrive(u32, i32),
        Post(Option<u32>, Option<i32>),
        Withdraw(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let source = || 0u32..3;
        let tag = || -1i32..3;
        prop_oneof![
            (source(), tag()).prop_map(|(s, t)| Step::Arrive(s, t)),
            (proptest::option::of(source()), proptest::option::of(tag()))
                .prop_map(|(s, t)| Step::Post(s, t)),
            (0usize..200).prop_map(Step::Withdraw),
        ]
    }

    proptest! {
        /// Matching is what two plain lists searched from the front give.
        #[test]
        fn agrees_with_two_plain_lists(steps in proptest::collection::vec(step(), 0..200)) {
            let mut matcher: Matcher<usize, usize> = Matcher::default();
            let mut posted: Vec<(Selector, usize)> = Vec::new();
            let mut kept: Vec<(Key, usize)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Arrive(source, tag) => {
                        let key = Key { source: Peer(source), tag };
                        let at = posted.iter().position(|(selector, _)| selector.accepts(key));
                        let expected = at.map(|at| posted.remove(at).1);
                        prop_assert_eq!(matcher.take_receive(key), expected);
                        if expected.is_none() {
                            matcher.keep(key, number);
                            kept.push((key, number));
                        }
                    }
                    Step::Post(source, tag) => {
                        let context = Context::WORLD;
                        let selector = Selector { context, source: source.map(Peer), tag };
                        let at = kept.iter().position(|(key, _)| selector.accepts(*key));
                        let expected = at.map(|at| kept.remove(at));
                        prop_assert_eq!(matcher.peek_message(selector).map(|(k, m)| (k, *m)), expected);
                        prop_assert_eq!(matcher.take_message(selector), expected);
                        if expected.is_none() {
                            matcher.post(selector, number);
                            posted.push((selector, number));
                        }
                    }
                    Step::Withdraw(number) => {
                        let at = posted.iter().position(|(_, n)| *n == number);
                        let selector = at.map(|at| posted.remove(at).0);
                        if let Some(selector) = selector {
                            prop_assert!(matcher.withdraw(selector, number));
                            prop_assert!(!matcher.withdraw(selector, number));
                        }
                    }
                }
            }
        }
    }
}
