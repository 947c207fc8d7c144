//! Memory of an operation that lends parts of itself to several requests at a time.
//!
//! # Why this is sound
//! A [`Workspace`] holds up to [`AREAS`] memories. Every part that it lends is written down (area,
//! range, reading or writing) beside a bit of `Shared::live`; the end that was made clears its bit
//! when it is dropped, from whatever thread. Only the owner lends, and it refuses what overlaps a
//! live part unless both only read. So between two ends, and between an end and the slices that
//! [`Workspace::combine`] makes, there is never a write beside another access. The `Release` of
//! the cleared bit and the owner's `Acquire` order what the end did before what comes next.
//! `Shared`, and with it the memories, is freed by whoever clears the last bit, one of which is
//! the owner's. Memories are exchanged only while the owner's bit is the only one.

use super::buffer::{Hold, Memory, gather};
use super::{Sink, Source};
use crate::sync::atomic::{AtomicU64, Ordering};
use std::ops::Range;
use std::ptr::NonNull;

/// Memories of a workspace.
pub const AREAS: usize = 3;

/// A memory of a workspace, below [`AREAS`].
pub type Area = usize;

/// The bit that says that the workspace itself lives.
const OWNER: u64 = 1 << 63;
/// Parts that can be lent at a time: one bit each, below the owner's.
const LOANS_MAX: u32 = 63;

/// Why a part is not lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoanError {
    /// A part that overlaps it, or too many parts, are lent; try again when one has come back.
    #[error("the memory is in use")]
    Busy,
    /// The range is not inside the memory, or the memory may not be written.
    #[error("the memory has no such part")]
    Outside,
}

/// Memories whose parts are message ends of several requests at a time.
pub struct Workspace {
    shared: NonNull<Shared>,
    /// What was lent; entry `i` counts while bit `i` of `Shared::live` is set.
    lent: Vec<Lent>,
}

struct Shared {
    live: AtomicU64,
    memories: [Option<Held>; AREAS],
}

struct Held {
    memory: Memory,
    len: usize,
    writable: bool,
}

#[derive(Clone, Copy)]
struct Lent {
    area: Area,
    start: usize,
    end: usize,
    writing: bool,
}

impl Lent {
    fn conflicts(&self, other: &Lent) -> bool {
        self.area == other.area
            && self.start < other.end
            && other.start < self.end
            && (self.writing || other.writing)
    }
}

/// One lent part; clears its bit when dropped.
pub(super) struct Loan {
    shared: NonNull<Shared>,
    /// Which bit; small, because every message end has room for a loan.
    index: u8,
}

impl Drop for Loan {
    fn drop(&mut self) {
        release(self.shared, 1 << self.index);
    }
}

/// Clears `bit`, and frees `shared` if it was the last.
fn release(shared: NonNull<Shared>, bit: u64) {
    // A subtraction, since that is one instruction; the bit is set, so it clears it.
    // SAFETY: `shared` is freed only after its last bit was cleared, and `bit` is still set.
    let before = unsafe { &shared.as_ref().live }.fetch_sub(bit, Ordering::AcqRel);
    if before == bit {
        // SAFETY: the pointer came from a box; no bit is set, so nobody else has it.
        drop(unsafe { Box::from_raw(shared.as_ptr()) });
    }
}

// SAFETY: the memories are `Send`, the rest is atomic or used through `&mut self` only.
unsafe impl Send for Workspace {}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        release(self.shared, OWNER);
    }
}

impl Workspace {
    /// A workspace without memory.
    pub fn new() -> Self {
        let shared = Box::new(Shared {
            live: AtomicU64::new(OWNER),
            memories: [const { None }; AREAS],
        });
        Self {
            shared: NonNull::from(Box::leak(shared)),
            lent: Vec::new(),
        }
    }

    /// Makes `source` a memory that can be read, in place of what was there.
    #[inline]
    pub fn set_source(
        &mut self,
        area: Area,
        source: impl Into<Option<Source>>,
    ) -> Result<(), LoanError> {
        let held = source.into().map(|source| Held {
            len: source.len,
            memory: source.memory,
            writable: false,
        });
        self.idle()?[area] = held;
        Ok(())
    }

    /// Makes `sink` a memory that can be written and read, in place of what was there.
    #[inline]
    pub fn set_sink(&mut self, area: Area, sink: impl Into<Option<Sink>>) -> Result<(), LoanError> {
        let held = sink.into().map(|sink| Held {
            len: sink.len,
            memory: sink.memory,
            writable: true,
        });
        self.idle()?[area] = held;
        Ok(())
    }

    /// Makes sure that a memory of its own has at least `len` bytes; keeps what is large enough.
    pub fn set_room(&mut self, area: Area, len: usize) -> Result<(), LoanError> {
        if self.len(area) >= len {
            return Ok(());
        }
        self.set_sink(area, Sink::with_capacity(len))
    }

    /// Takes back a memory that was given as a sink.
    pub fn take_sink(&mut self, area: Area) -> Option<Sink> {
        let held = self.idle().ok()?[area].take_if(|held| held.writable)?;
        Some(Sink {
            memory: held.memory,
            len: held.len,
        })
    }

    /// Takes back a memory that was given as a source.
    pub fn take_source(&mut self, area: Area) -> Option<Source> {
        let held = self.idle().ok()?[area].take_if(|held| !held.writable)?;
        Some(Source {
            memory: held.memory,
            len: held.len,
        })
    }

    /// Bytes of a memory; 0 if there is none.
    pub fn len(&self, area: Area) -> usize {
        self.memories()[area].as_ref().map_or(0, |held| held.len)
    }

    /// Whether no memory has bytes.
    pub fn is_empty(&self) -> bool {
        (0..AREAS).all(|area| self.len(area) == 0)
    }

    /// Whether no part is lent.
    pub fn is_idle(&self) -> bool {
        self.live() == 0
    }

    /// Lends a part to be sent.
    pub fn source(&mut self, area: Area, part: Range<usize>) -> Result<Source, LoanError> {
        let len = part.len();
        let memory = self.lend(area, part, false)?;
        Ok(Source { memory, len })
    }

    /// Lends a part to be received into.
    pub fn sink(&mut self, area: Area, part: Range<usize>) -> Result<Sink, LoanError> {
        let len = part.len();
        let memory = self.lend(area, part, true)?;
        Ok(Sink { memory, len })
    }

    /// A part to be read at once; `None`: it is not one run of memory, or somebody writes there.
    #[inline]
    pub fn bytes(&self, area: Area, part: Range<usize>) -> Option<&[u8]> {
        let base = self.run(area, part.clone(), false)?;
        // SAFETY: the part is inside a memory whose giver promised that it can be read; no live part writes there,
        // and none is lent while `self` is borrowed.
        Some(unsafe { std::slice::from_raw_parts(base, part.len()) })
    }

    /// A part to be written at once; `None`: it is not one run of memory, or somebody uses it.
    #[inline]
    pub fn bytes_mut(&mut self, area: Area, part: Range<usize>) -> Option<&mut [u8]> {
        let base = self.run(area, part.clone(), true)?;
        // SAFETY: the part is inside a memory whose giver promised that it can be written and that nobody else uses
        // it; no part of it is lent, and none is while `self` is borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(base, part.len()) })
    }

    /// Where a part begins that is one run, and free to be used in this way.
    #[inline]
    fn run(&self, area: Area, part: Range<usize>, writing: bool) -> Option<*mut u8> {
        if part.is_empty() {
            return Some(NonNull::dangling().as_ptr());
        }
        let lent = self.part(area, part.start, part.len(), writing).ok()?;
        self.check_free(&lent).ok()?;
        Some(self.memory(area).contiguous()?.wrapping_add(part.start))
    }

    /// Copies `len` bytes.
    pub fn copy(
        &mut self,
        from: (Area, usize),
        into: (Area, usize),
        len: usize,
    ) -> Result<(), LoanError> {
        self.combine(from, into, len, |from, into| into.copy_from_slice(from))
    }

    /// Shows `len` bytes of one part to `body`, and lets it change as many of another.
    pub fn combine(
        &mut self,
        from: (Area, usize),
        into: (Area, usize),
        len: usize,
        body: impl FnOnce(&[u8], &mut [u8]),
    ) -> Result<(), LoanError> {
        let read = self.part(from.0, from.1, len, false)?;
        let written = self.part(into.0, into.1, len, true)?;
        if read.conflicts(&written) {
            return Err(LoanError::Outside);
        }
        self.check_free(&read)?;
        self.check_free(&written)?;
        if len == 0 {
            body(&[], &mut []);
            return Ok(());
        }
        let source = self.memory(from.0);
        let target = self.memory(into.0);
        let from_bytes = source.contiguous().map(|base| {
            // SAFETY: the part is inside the memory, which whoever gave it promised to be
            // readable; no live part writes there, and `body` cannot lend: `self` is borrowed.
            unsafe { std::slice::from_raw_parts(base.add(from.1), len) }
        });
        let packed;
        let from_bytes = match from_bytes {
            Some(bytes) => bytes,
            None => {
                packed = gather(source, from.1, len);
                &packed
            }
        };
        match target.contiguous() {
            Some(base) => {
                // SAFETY: as above, writable, used by no live part, and disjoint from `from_bytes`:
                // another range, or another memory, whose giver promised that nobody else uses it.
                body(from_bytes, unsafe {
                    std::slice::from_raw_parts_mut(base.add(into.1), len)
                });
            }
            None => {
                let mut bytes = gather(target, into.1, len);
                body(from_bytes, &mut bytes);
                spread(target, into.1, &bytes);
            }
        }
        Ok(())
    }

    /// The memories, to be changed; only while no part is lent.
    fn idle(&mut self) -> Result<&mut [Option<Held>; AREAS], LoanError> {
        if !self.is_idle() {
            return Err(LoanError::Busy);
        }
        // SAFETY: no loan lives, so the owner alone uses `Shared`, and it is borrowed mutably.
        Ok(unsafe { &mut self.shared.as_mut().memories })
    }

    fn memories(&self) -> &[Option<Held>; AREAS] {
        // SAFETY: the owner's bit is set, so `Shared` lives; memories change only in `idle`.
        unsafe { &self.shared.as_ref().memories }
    }

    /// A memory in which `part` has found a range.
    fn memory(&self, area: Area) -> &Memory {
        &self.memories()[area]
            .as_ref()
            .expect("a range was found in it")
            .memory
    }

    /// Bits of the live parts.
    fn live(&self) -> u64 {
        // SAFETY: the owner's bit is set, so `Shared` lives.
        unsafe { &self.shared.as_ref().live }.load(Ordering::Acquire) & !OWNER
    }

    fn part(&self, area: Area, start: usize, len: usize, writing: bool) -> Result<Lent, LoanError> {
        let held = self.memories().get(area).and_then(Option::as_ref);
        let held = held.ok_or(LoanError::Outside)?;
        let end = start.checked_add(len).ok_or(LoanError::Outside)?;
        if end > held.len || writing && !held.writable {
            return Err(LoanError::Outside);
        }
        Ok(Lent {
            area,
            start,
            end,
            writing,
        })
    }

    fn check_free(&self, part: &Lent) -> Result<(), LoanError> {
        let mut live = self.live();
        while live != 0 {
            if self.lent[live.trailing_zeros() as usize].conflicts(part) {
                return Err(LoanError::Busy);
            }
            live &= live - 1;
        }
        Ok(())
    }

    fn lend(&mut self, area: Area, part: Range<usize>, writing: bool) -> Result<Memory, LoanError> {
        let part = self.part(area, part.start, part.len(), writing)?;
        self.check_free(&part)?;
        let index = self.live().trailing_ones();
        if index >= LOANS_MAX {
            return Err(LoanError::Busy);
        }
        match self.lent.get_mut(index as usize) {
            Some(entry) => *entry = part,
            None => self.lent.push(part),
        }
        // SAFETY: the owner's bit is set, so `Shared` lives.
        unsafe { &self.shared.as_ref().live }.fetch_or(1 << index, Ordering::Relaxed);
        let loan = Loan {
            shared: self.shared,
            index: index as u8,
        };
        Ok(self
            .memory(area)
            .part(part.start, Hold::Loan { _loan: loan }))
    }
}

/// Writes packed bytes to a part.
fn spread(memory: &Memory, start: usize, bytes: &[u8]) {
    memory.pieces(start, bytes.len(), |to, at, piece| {
        // SAFETY: the part is inside the memory, writable, and nobody else uses it.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr().add(at), piece) }
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, Run, lend, lend_mut};
    use super::*;
    use std::sync::Arc;

    fn space(len: usize) -> Workspace {
        let mut space = Workspace::new();
        space.set_room(0, len).unwrap();
        space
    }

    #[test]
    fn overlapping_parts_are_refused_while_one_writes() {
        let mut space = space(10);
        let reading = space.source(0, 0..4).unwrap();
        let second = space.source(0, 2..6).unwrap();
        assert_eq!(space.sink(0, 3..5).err(), Some(LoanError::Busy));
        assert_eq!(space.copy((0, 7), (0, 2), 2).err(), Some(LoanError::Busy));
        let writing = space.sink(0, 6..10).unwrap();
        assert_eq!(space.source(0, 9..10).err(), Some(LoanError::Busy));
        drop((reading, second));
        assert!(space.sink(0, 0..6).is_ok());
        assert_eq!(space.set_room(0, 20).err(), Some(LoanError::Busy));
        drop(writing);
        assert!(space.is_idle());
        assert_eq!(space.sink(0, 0..11).err(), Some(LoanError::Outside));
        assert_eq!(space.source(2, 0..0).err(), Some(LoanError::Outside));
    }

    #[test]
    fn memory_outlives_the_workspace_while_lent() {
        let mut space = space(4);
        let mut sink = space.sink(0, 1..3).unwrap();
        drop(space);
        sink.write(0, &[1, 2, 3]);
    }

    #[test]
    fn more_parts_than_bits_are_refused() {
        let mut space = space(100);
        let parts: Vec<_> = (0..63).map(|i| space.sink(0, i..i + 1).unwrap()).collect();
        assert_eq!(space.sink(0, 80..81).err(), Some(LoanError::Busy));
        drop(parts);
        assert!(space.sink(0, 80..81).is_ok());
    }

    #[test]
    fn lent_slices_come_back() {
        let mut output = [0u8; 6];
        lend(&[1u8, 2, 3], |source| {
            lend_mut(&mut output, |sink| {
                let mut space = Workspace::new();
                space.set_source(0, source).unwrap();
                space.set_sink(1, sink).unwrap();
                assert_eq!(space.sink(0, 0..1).err(), Some(LoanError::Outside));
                space.sink(1, 3..6).unwrap().write(0, &[7, 8, 9]);
                space.copy((0, 1), (1, 0), 2).unwrap();
                assert_eq!(space.source(1, 0..4).unwrap().to_vec(0, 4), [2, 3, 0, 7]);
                assert!(space.take_sink(0).is_none() && space.take_sink(1).is_some());
            })
        });
        assert_eq!(output, [2, 3, 0, 7, 8, 9]);
    }

    #[test]
    fn scattered_memory_is_addressed_by_packed_offsets() {
        let layout = Layout::new([Run { offset: 1, len: 2 }], 4).unwrap();
        let mut bytes: Vec<u8> = (0..12).collect();
        // SAFETY: `bytes` holds three elements and outlives the sink.
        let sink = unsafe { Sink::typed(bytes.as_mut_ptr(), &Arc::new(layout), 3) }.unwrap();
        let mut space = Workspace::new();
        space.set_sink(1, sink).unwrap();
        assert_eq!(space.source(1, 1..4).unwrap().to_vec(0, 3), [2, 5, 6]);
        space.sink(1, 3..5).unwrap().write(0, &[60, 90]);
        space.copy((1, 3), (1, 0), 2).unwrap();
        drop(space);
        assert_eq!(bytes, [0, 60, 90, 3, 4, 5, 60, 7, 8, 90, 10, 11]);
    }
}
