//! Where packet bodies lie: positions in the byte arena of one direction.
//!
//! Positions only grow; the offset is the position modulo the arena's size. A body is one run:
//! what does not fit before the end starts again at offset 0. When the arena is empty and the
//! cursor has left the first quarter, it jumps back to offset 0, so that a channel that never lags
//! uses the same, hot, few pages for ever.

use super::layout::{ARENA, HOT};
use super::ring::Nonsense;

/// Bodies begin at multiples of this.
const ALIGN: u64 = 64;

/// The first position after a body of `len` bytes at `position`.
pub fn end(position: u64, len: usize) -> u64 {
    position.wrapping_add((len as u64).next_multiple_of(ALIGN))
}

/// The producer's side.
#[derive(Default)]
pub struct Cursor {
    /// First position that was never used.
    tail: u64,
    /// Everything before this is free, as far as is known.
    head: u64,
}

impl Cursor {
    /// A place for `len` bytes, if there is one. `freed` reads the consumer's position; it is
    /// called only if it may help.
    #[inline]
    pub fn place(&mut self, len: usize, freed: impl Fn() -> u64) -> Result<Option<u64>, Nonsense> {
        debug_assert!(len as u64 <= ARENA / 4);
        if self.tail % ARENA >= HOT || self.free_at(len).is_none() {
            self.refresh(freed())?;
        }
        let Some(at) = self.free_at(len) else {
            return Ok(None);
        };
        self.tail = end(at, len);
        Ok(Some(at))
    }

    /// Whether there is a place for `len` bytes, now that the consumer is at `freed`.
    pub fn has_place(&mut self, len: usize, freed: u64) -> Result<bool, Nonsense> {
        self.refresh(freed)?;
        Ok(self.free_at(len).is_some())
    }

    /// Where `len` bytes would lie.
    fn free_at(&self, len: usize) -> Option<u64> {
        let len = end(0, len);
        let at = match self.tail % ARENA + len {
            to if to <= ARENA => self.tail,
            _ => self.tail.next_multiple_of(ARENA),
        };
        (at + len - self.head <= ARENA).then_some(at)
    }

    fn refresh(&mut self, freed: u64) -> Result<(), Nonsense> {
        if freed > self.tail {
            return Err(Nonsense);
        }
        // After a jump the consumer's position is behind: it never saw the bytes jumped over.
        self.head = self.head.max(freed);
        if freed == self.tail || self.head == self.tail {
            self.tail = self.tail.next_multiple_of(ARENA);
            self.head = self.tail;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::layout::PIECE_MAX;
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn an_empty_arena_goes_back_to_its_hot_pages() {
        let mut cursor = Cursor::default();
        let mut freed = 0;
        for _ in 0..1000 {
            let at = cursor.place(4096, || freed).unwrap().unwrap();
            assert!(at % ARENA <= HOT);
            freed = end(at, 4096);
        }
    }

    #[test]
    fn impossible_positions_are_refused() {
        let mut cursor = Cursor::default();
        while cursor.place(4096, || 0).unwrap().is_some() {}
        assert_eq!(cursor.place(4096, || u64::MAX), Err(Nonsense));
    }

    proptest! {
        /// Live bodies never overlap, stay inside, and an emptied arena always has room.
        #[test]
        fn bodies_never_overlap(steps in proptest::collection::vec((1..=PIECE_MAX, 0usize..4), 1..400)) {
            let mut cursor = Cursor::default();
            let mut live: VecDeque<(u64, usize)> = VecDeque::new();
            let mut freed = 0;
            for (len, take) in steps {
                match cursor.place(len, || freed).unwrap() {
                    Some(at) => {
                        let from = at % ARENA;
                        prop_assert!(from + len as u64 <= ARENA);
                        for &(other, size) in &live {
                            let other = other % ARENA;
                            prop_assert!(from + len as u64 <= other || other + size as u64 <= from);
                        }
                        live.push_back((at, len));
                    }
                    None => prop_assert!(!live.is_empty()),
                }
                for _ in 0..take {
                    if let Some((at, len)) = live.pop_front() {
                        freed = end(at, len);
                    }
                }
            }
        }
    }
}
