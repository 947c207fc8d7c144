//! One producer, one consumer, lines of eight words: the ring of packet headers.
//!
//! The first word of a line is its *stamp*: the low half is the line's sequence number (position
//! plus one), so a line tells by itself whether it has been written in this lap, and nobody clears
//! anything. All other words are written before the stamp, which is stored with release.
//!
//! The ring is generic over where its words lie, so that loom can check this very code.

use crate::sync::atomic::{Ordering, fence};
use crate::sync::shared::Word;

/// Words of a line: one cache line.
pub const LINE_WORDS: usize = 8;
/// Words of a line after the stamp and the two words of fixed fields.
pub const BODY_WORDS: usize = 5;
/// Bytes that fit in them.
pub const BODY_BYTES: usize = BODY_WORDS * 8;

/// Where the words of one direction of a channel lie.
pub trait Lines {
    /// Their type.
    type Word: Word<u64>;
    /// How many lines; a power of two.
    const COUNT: u64;

    /// The words of the line at `position` (modulo the count).
    fn line(&self, position: u64) -> &[Self::Word; LINE_WORDS];
    /// How many lines the consumer has freed; written by the consumer.
    fn head(&self) -> &Self::Word;
    /// Up to where the arena is free again; written by the consumer.
    fn arena_head(&self) -> &Self::Word;
    /// Not 0: the producer waits for room; written by the producer.
    fn waiting(&self) -> &Self::Word;
}

/// A line without its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Line {
    /// What follows the sequence number in the stamp.
    pub mark: u32,
    /// Fixed fields.
    pub fields: [u64; 2],
    /// Bytes of a small packet, or what a larger one needs.
    pub body: [u64; BODY_WORDS],
}

/// The other side wrote what no honest one writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonsense;

/// The writing end.
pub struct Producer<L> {
    lines: L,
    tail: u64,
    /// The consumer's head as last seen.
    head: u64,
}

impl<L: Lines> Producer<L> {
    /// The writing end of a fresh ring.
    pub fn new(lines: L) -> Self {
        Self {
            lines,
            tail: 0,
            head: 0,
        }
    }

    /// Whether a line is free; looks at the consumer's line only if it must.
    #[inline]
    pub fn has_room(&mut self) -> Result<bool, Nonsense> {
        if self.tail - self.head < L::COUNT {
            return Ok(true);
        }
        self.refresh()
    }

    fn refresh(&mut self) -> Result<bool, Nonsense> {
        let head = self.lines.head().load(Ordering::Acquire);
        if head < self.head || head > self.tail {
            return Err(Nonsense);
        }
        self.head = head;
        Ok(self.tail - head < L::COUNT)
    }

    /// Writes a line, of its body the first `words`; the caller has seen that there is room.
    #[inline]
    pub fn publish(&mut self, line: &Line, words: usize) {
        self.publish_body(line.mark, line.fields, |body| {
            for (to, &word) in body.iter().zip(&line.body[..words]) {
                to.store(word, Ordering::Relaxed);
            }
        });
    }

    /// As [`Producer::publish`], with a body that `write` stores.
    #[inline(always)]
    pub fn publish_body(
        &mut self,
        mark: u32,
        fields: [u64; 2],
        write: impl FnOnce(&[L::Word; BODY_WORDS]),
    ) {
        debug_assert!(self.tail - self.head < L::COUNT);
        let [stamp, first, second, body @ ..] = self.lines.line(self.tail);
        write(body);
        first.store(fields[0], Ordering::Relaxed);
        second.store(fields[1], Ordering::Relaxed);
        self.tail += 1;
        let number = u64::from(self.tail as u32);
        stamp.store(u64::from(mark) << 32 | number, Ordering::Release);
    }

    /// The consumer's position in the arena.
    pub fn arena_head(&self) -> u64 {
        self.lines.arena_head().load(Ordering::Acquire)
    }

    /// Says that the producer waits for room. The caller looks for room once more after this.
    pub fn announce(&self) {
        self.lines.waiting().store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Takes that back.
    pub fn withdraw(&self) {
        self.lines.waiting().store(0, Ordering::Relaxed);
    }
}

/// The reading end.
pub struct Consumer<L> {
    lines: L,
    next: u64,
    arena_next: u64,
    /// Up to where the producer has been told that the arena is free.
    arena_told: u64,
    /// Where both were when the producer was last asked whether it waits.
    asked: (u64, u64),
}

impl<L: Lines> Consumer<L> {
    /// The reading end of a fresh ring.
    pub fn new(lines: L) -> Self {
        Self {
            lines,
            next: 0,
            arena_next: 0,
            arena_told: 0,
            asked: (0, 0),
        }
    }

    /// Whether a line has been published. One load.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.stamp() as u32 == (self.next + 1) as u32
    }

    #[inline]
    fn stamp(&self) -> u64 {
        self.lines.line(self.next)[0].load(Ordering::Acquire)
    }

    /// Copies the next line out, if one has been published. The line is not free before
    /// [`Consumer::free`].
    #[inline]
    pub fn take(&mut self) -> Option<Line> {
        let line = self.peek()?;
        self.skip();
        Some(line)
    }

    /// Passes over the line that [`Consumer::peek`] has copied.
    #[inline]
    pub fn skip(&mut self) {
        self.next += 1;
    }

    /// As [`Consumer::take`], but the next call sees the same line.
    #[inline]
    pub fn peek(&self) -> Option<Line> {
        self.mark().map(|mark| self.line(mark))
    }

    /// The mark of the next line, if one has been published.
    #[inline(always)]
    pub fn mark(&self) -> Option<u32> {
        let stamp = self.stamp();
        (stamp as u32 == (self.next + 1) as u32).then_some((stamp >> 32) as u32)
    }

    /// Copies the line that [`Consumer::mark`] has seen.
    #[inline]
    pub fn line(&self, mark: u32) -> Line {
        let word = |index| self.word(index);
        Line {
            mark,
            fields: self.fields(),
            // Spelled out: `from_fn` is five calls.
            body: [word(0), word(1), word(2), word(3), word(4)],
        }
    }

    /// The fixed fields of that line. A dishonest producer may change them, so they are read once.
    #[inline(always)]
    pub fn fields(&self) -> [u64; 2] {
        let line = self.lines.line(self.next);
        [
            line[1].load(Ordering::Relaxed),
            line[2].load(Ordering::Relaxed),
        ]
    }

    /// A word of the body of that line.
    #[inline(always)]
    pub fn word(&self, index: usize) -> u64 {
        let [_, _, _, body @ ..] = self.lines.line(self.next);
        body[index].load(Ordering::Relaxed)
    }

    /// Notes that the arena before `position` is not needed any more.
    #[inline]
    pub fn arena_done(&mut self, position: u64) {
        self.arena_next = position;
    }

    /// Lines and arena bytes that have become free since the producer was last asked whether it waits.
    #[inline]
    pub fn unasked(&self) -> (u64, u64) {
        let (line, arena) = self.asked;
        (self.next - line, self.arena_next.wrapping_sub(arena))
    }

    /// Whether a part of the arena is free and not told to be.
    #[inline]
    pub fn has_arena_to_tell(&self) -> bool {
        self.arena_next != self.arena_told
    }

    /// Tells the producer what is free. Returns whether it waits for room.
    #[must_use = "a waiting producer must be rung"]
    pub fn free(&mut self) -> bool {
        self.free_quietly();
        self.asked = (self.next, self.arena_next);
        fence(Ordering::SeqCst);
        self.lines.waiting().load(Ordering::Relaxed) != 0
    }

    /// Tells what is free without asking whether the producer waits. It may: what is told so counts as
    /// [`Consumer::unasked`].
    pub fn free_quietly(&mut self) {
        self.arena_told = self.arena_next;
        let lines = &self.lines;
        lines.arena_head().store(self.arena_told, Ordering::Release);
        lines.head().store(self.next, Ordering::Release);
    }
}
