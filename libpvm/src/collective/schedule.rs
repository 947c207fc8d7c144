//! A collective as data.
//!
//! A [`Schedule`] is what one rank does, as a *sequential program* of sends, receives, reductions
//! and copies on parts of three buffers. It is run asynchronously: a step starts, in program order,
//! as soon as the memory that it uses is not in use by a step before it, and steps that are under
//! way end in any order. So a builder is right when its program is right read from top to bottom;
//! pipelining comes from the parts being small and the receives standing early; and schedules are
//! combined by writing one behind the other. Rounds would wait where nothing depends on the round
//! before, and dependency counts would say again, by hand, what the ranges already say.
//!
//! Between two ranks, messages are matched in program order: the n-th send with the n-th receive.
//! A schedule may not rely on more than two steps being under way at a time, nor on a send being
//! over before its message is received.
//!
//! Ranges are in bytes of the packed buffers.

use super::team::Team;
use crate::ids::Rank;
use crate::transport::Operation;
use std::ops::Range;

/// Memory of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Buffer {
    /// What the program contributes; never written. Absent when it is the output too.
    Input = 0,
    /// Where the result goes.
    Output = 1,
    /// Room of the schedule itself.
    Temporary = 2,
}

/// Bytes of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The buffer.
    pub buffer: Buffer,
    /// First byte, in the packed buffer.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Span {
    /// The first `len` bytes of a buffer.
    pub fn of(buffer: Buffer, len: usize) -> Self {
        Self {
            buffer,
            start: 0,
            len,
        }
    }

    /// `len` bytes from `offset` on.
    pub fn part(self, offset: usize, len: usize) -> Self {
        debug_assert!(offset + len <= self.len);
        let start = self.start + offset;
        Self { start, len, ..self }
    }

    /// Which memory of a workspace it is in, and where there.
    pub fn place(self) -> (usize, Range<usize>) {
        (self.buffer as usize, self.start..self.start + self.len)
    }

    /// Whether a byte is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.buffer == other.buffer
            && self.start < other.start + other.len
            && other.start < self.start + self.len
    }

    /// Parts of at most `len` bytes.
    pub fn chunks(self, len: usize) -> impl Iterator<Item = Span> {
        let len = len.max(1);
        (0..self.len.div_ceil(len)).map(move |i| self.part(i * len, len.min(self.len - i * len)))
    }
}

/// One step of a schedule. Ranks are those of the communicator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Sends a part.
    Send {
        /// The receiver.
        to: Rank,
        /// What is sent.
        from: Span,
    },
    /// Receives exactly as many bytes.
    Receive {
        /// The sender.
        from: Rank,
        /// Where the message goes.
        into: Span,
    },
    /// `into = from op into`, element by element: `from` is the left operand.
    Reduce {
        /// The left operand.
        from: Span,
        /// The right operand and the result.
        into: Span,
    },
    /// Copies a part.
    Copy {
        /// What is copied.
        from: Span,
        /// Where it goes.
        into: Span,
    },
    /// Everything before must be over.
    Fence,
}

/// What one rank does in a collective.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    steps: Vec<Step>,
    needs: [usize; 3],
    /// What it is, for those who look at a rank that waits.
    pub operation: Operation,
}

impl Schedule {
    /// A schedule of no step.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Bytes that a buffer must have.
    pub fn needs(&self, buffer: Buffer) -> usize {
        self.needs[buffer as usize]
    }

    /// Removes all steps; their room is used again.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.needs = [0; 3];
    }

    /// More room of the schedule's own.
    pub fn temporary(&mut self, len: usize) -> Span {
        let start = self.needs(Buffer::Temporary);
        self.needs[Buffer::Temporary as usize] = start + len;
        Span {
            buffer: Buffer::Temporary,
            start,
            len,
        }
    }

    /// Appends a send to a member.
    pub fn send(&mut self, team: &Team<'_>, to: usize, from: Span) {
        self.need(from);
        let to = team.rank(to);
        self.steps.push(Step::Send { to, from });
    }

    /// Appends a receive from a member.
    pub fn receive(&mut self, team: &Team<'_>, from: usize, into: Span) {
        self.need(into);
        let from = team.rank(from);
        self.steps.push(Step::Receive { from, into });
    }

    /// Appends a reduction.
    pub fn reduce(&mut self, from: Span, into: Span) {
        debug_assert_eq!(from.len, into.len);
        if from.len > 0 {
            self.need(from);
            self.need(into);
            self.steps.push(Step::Reduce { from, into });
        }
    }

    /// Appends a copy, unless it is of a part to itself.
    pub fn copy(&mut self, from: Span, into: Span) {
        debug_assert_eq!(from.len, into.len);
        if from.len > 0 && from != into {
            self.need(from);
            self.need(into);
            self.steps.push(Step::Copy { from, into });
        }
    }

    /// Appends a fence.
    pub fn fence(&mut self) {
        self.steps.push(Step::Fence);
    }

    fn need(&mut self, span: Span) {
        let need = &mut self.needs[span.buffer as usize];
        *need = (*need).max(span.start + span.len);
    }
}
