//! Matching spaces by context number.
//!
//! A number is given out again only much later, and never the same way: its low bits are a place in
//! the table, its high bits count how often the place was used. A message that comes late names a
//! number that is closed, also when its place is in use again. Closed places wait in a line until
//! there are [`IDLE_MIN`] of them, so a number comes back after some hundred thousand others: by
//! then no message of its first life is under way.

use super::matching::Matcher;
use super::progress::Message;
use super::request::RequestId;
use crate::ids::Context;
use std::collections::VecDeque;

/// Bits of a number that are its place.
const PLACE_BITS: u32 = 24;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;
/// Pairs of places that stay closed at least.
const IDLE_MIN: usize = 512;

/// An open matching space.
pub(super) struct Space {
    pub matcher: Matcher<RequestId, Message>,
    number: u32,
}

/// All spaces of an engine.
pub(super) struct Spaces {
    /// By place; `None`: closed.
    table: Vec<Option<Space>>,
    /// Numbers that the places that are free will have next, oldest first; the first of each pair.
    idle: VecDeque<u32>,
}

impl Space {
    fn new(number: u32) -> Self {
        Self {
            matcher: Matcher::default(),
            number,
        }
    }
}

impl Spaces {
    /// The well-known spaces, open.
    pub fn new() -> Self {
        let known = 0..Context::FIRST_FREE.0;
        Self {
            table: known.map(|number| Some(Space::new(number))).collect(),
            idle: VecDeque::new(),
        }
    }

    /// The open space with this number.
    #[inline]
    pub fn get(&mut self, number: u32) -> Option<&mut Space> {
        let space = self.table.get_mut((number & PLACE_MASK) as usize)?;
        space.as_mut().filter(|space| space.number == number)
    }

    /// All open spaces.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Space> {
        self.table.iter_mut().flatten()
    }

    /// Opens a pair; gives the first number.
    ///
    /// # Panics
    /// When millions are open.
    pub fn open(&mut self) -> Context {
        let reused = (self.idle.len() > IDLE_MIN).then(|| self.idle.pop_front());
        let first = reused.flatten().unwrap_or_else(|| {
            let place = self.table.len() as u32;
            assert!(place < PLACE_MASK, "too many open communicators");
            self.table.extend([None, None]);
            place
        });
        for number in [first, first + 1] {
            self.table[(number & PLACE_MASK) as usize] = Some(Space::new(number));
        }
        Context(first)
    }

    /// Closes a pair; gives what was in it.
    pub fn close(&mut self, context: Context) -> Vec<Matcher<RequestId, Message>> {
        let take = |number: u32| {
            self.get(number)?;
            self.table[(number & PLACE_MASK) as usize].take()
        };
        let pair = [context.0, context.0.wrapping_add(1)];
        let closed: Vec<Space> = pair.into_iter().filter_map(take).collect();
        if closed.len() == pair.len() && context.0 >= Context::FIRST_FREE.0 {
            self.idle.push_back(context.0.wrapping_add(PLACE_MASK + 1));
        }
        closed.into_iter().map(|space| space.matcher).collect()
    }

    /// Places of the table, open or closed.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.table.len()
    }
}
