//! The pattern of a layout: runs, loops over a pattern, and patterns one after the other.
//!
//! A pattern is seen from its own first byte, so that equal patterns at different places are the same
//! node. What fits together is joined when it is made: blocks that touch are one run, a loop whose
//! steps join the one inside is that loop, and parts at equal distances are a loop.

use super::{LayoutError, Run};
use crate::limits::LAYOUT_DEPTH_MAX;
use std::sync::Arc;

/// Up to so many parts of a part become parts of the whole: a chain of structures, each of them a
/// member of the next, is not a chain of nodes.
const SPLICED_MAX: usize = 64;

/// A pattern of bytes. Cheap to clone.
#[derive(Clone)]
pub(super) enum Node {
    /// Contiguous bytes, at least one.
    Run(usize),
    Repeat(Arc<Repeat>),
    Runs(Arc<Runs>),
    Sequence(Arc<Sequence>),
}

/// The same pattern several times.
pub(super) struct Repeat {
    count: usize,
    stride: isize,
    /// Bytes of one.
    size: usize,
    depth: usize,
    of: Node,
}

/// Runs without a pattern.
pub(super) struct Runs {
    runs: Box<[Run]>,
    /// Packed offset of each run.
    starts: Box<[usize]>,
    size: usize,
}

/// Different patterns.
pub(super) struct Sequence {
    parts: Box<[Part]>,
    size: usize,
    depth: usize,
}

/// A pattern at its place in another one.
struct Part {
    offset: isize,
    /// Packed offset.
    start: usize,
    node: Node,
}

/// The packed bytes that are gone through.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    pub offset: usize,
    pub len: usize,
}

impl Node {
    /// `count` times `of`, at least once; whoever calls knows that the bytes fit the address space.
    pub(super) fn repeat(of: Node, count: usize, stride: isize) -> Result<Self, LayoutError> {
        match &of {
            _ if count == 1 => return Ok(of),
            Node::Run(len) if *len as isize == stride => {
                let len = len.checked_mul(count).ok_or(LayoutError::TooLarge)?;
                return Ok(Node::Run(len));
            }
            Node::Repeat(inner) if inner.joins(stride) => {
                let count = count
                    .checked_mul(inner.count)
                    .ok_or(LayoutError::TooLarge)?;
                let (inner, stride) = (inner.of.clone(), inner.stride);
                return Self::looped(inner, count, stride);
            }
            _ => {}
        }
        Self::looped(of, count, stride)
    }

    fn looped(of: Node, count: usize, stride: isize) -> Result<Self, LayoutError> {
        Ok(Node::Repeat(Arc::new(Repeat {
            count,
            stride,
            size: of.size(),
            depth: deeper(of.depth())?,
            of,
        })))
    }

    fn size(&self) -> usize {
        match self {
            Node::Run(len) => *len,
            Node::Repeat(repeat) => repeat.count * repeat.size,
            Node::Runs(runs) => runs.size,
            Node::Sequence(sequence) => sequence.size,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Node::Run(_) | Node::Runs(_) => 0,
            Node::Repeat(repeat) => repeat.depth,
            Node::Sequence(sequence) => sequence.depth,
        }
    }

    /// Whether both are known to be the same pattern.
    fn is(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Run(one), Node::Run(other)) => one == other,
            (Node::Repeat(one), Node::Repeat(other)) => Arc::ptr_eq(one, other),
            (Node::Runs(one), Node::Runs(other)) => Arc::ptr_eq(one, other),
            (Node::Sequence(one), Node::Sequence(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn walk<F: FnMut(isize, usize)>(&self, at: isize, packed: Packed, each: &mut F) {
        match self {
            Node::Run(_) => each(at.wrapping_add_unsigned(packed.offset), packed.len),
            Node::Repeat(repeat) => {
                walk_repeat(&repeat.of, repeat.size, repeat.stride, at, packed, each);
            }
            Node::Runs(runs) => runs.walk(at, packed, each),
            Node::Sequence(sequence) => sequence.walk(at, packed, each),
        }
    }
}

impl Repeat {
    /// Whether a loop over this one with such a step is this one with more steps.
    fn joins(&self, stride: isize) -> bool {
        let whole = isize::try_from(self.count).ok();
        whole.and_then(|count| count.checked_mul(self.stride)) == Some(stride)
    }
}

/// Goes through packed bytes of a pattern that repeats every `stride` bytes from `at` on. Addresses
/// behind the last one may not exist, so they wrap; they are not used.
pub(super) fn walk_repeat<F: FnMut(isize, usize)>(
    of: &Node,
    size: usize,
    stride: isize,
    at: isize,
    packed: Packed,
    each: &mut F,
) {
    let (index, within) = (packed.offset / size, packed.offset % size);
    let mut at = at.wrapping_add((index as isize).wrapping_mul(stride));
    let mut left = packed.len;
    if within > 0 && left > 0 {
        let len = left.min(size - within);
        of.walk(
            at,
            Packed {
                offset: within,
                len,
            },
            each,
        );
        left -= len;
        at = at.wrapping_add(stride);
    }
    if let Node::Run(len) = of {
        while left >= *len {
            each(at, *len);
            left -= len;
            at = at.wrapping_add(stride);
        }
    } else {
        let whole = Packed {
            offset: 0,
            len: size,
        };
        while left >= size {
            of.walk(at, whole, each);
            left -= size;
            at = at.wrapping_add(stride);
        }
    }
    if left > 0 {
        of.walk(
            at,
            Packed {
                offset: 0,
                len: left,
            },
            each,
        );
    }
}

impl Runs {
    fn walk<F: FnMut(isize, usize)>(&self, at: isize, packed: Packed, each: &mut F) {
        let first = first(packed.offset, self.runs.len(), |index| self.starts[index]);
        let mut skip = packed.offset - self.starts[first];
        let mut left = packed.len;
        for run in &self.runs[first..] {
            if left == 0 {
                return;
            }
            let len = left.min(run.len - skip);
            each(at.wrapping_add(run.offset).wrapping_add_unsigned(skip), len);
            left -= len;
            skip = 0;
        }
    }
}

impl Sequence {
    fn walk<F: FnMut(isize, usize)>(&self, at: isize, packed: Packed, each: &mut F) {
        let first = first(packed.offset, self.parts.len(), |index| {
            self.parts[index].start
        });
        let mut offset = packed.offset - self.parts[first].start;
        let mut left = packed.len;
        for part in &self.parts[first..] {
            if left == 0 {
                return;
            }
            let len = left.min(part.node.size() - offset);
            part.node
                .walk(at.wrapping_add(part.offset), Packed { offset, len }, each);
            left -= len;
            offset = 0;
        }
    }
}

/// The last of `count` parts that starts at `offset` or before.
fn first(offset: usize, count: usize, start: impl Fn(usize) -> usize) -> usize {
    let (mut low, mut high) = (0, if offset == 0 { 1 } else { count });
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if start(middle) <= offset {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn deeper(depth: usize) -> Result<usize, LayoutError> {
    if depth < LAYOUT_DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Err(LayoutError::TooDeep)
    }
}

/// Puts patterns one after the other.
#[derive(Default)]
pub(super) struct Builder {
    parts: Vec<Part>,
    size: usize,
}

impl Builder {
    /// Bytes so far.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds a pattern; the places of all its bytes exist.
    pub(super) fn push(&mut self, offset: isize, node: Node) -> Result<(), LayoutError> {
        match &node {
            Node::Runs(runs) if runs.runs.len() <= SPLICED_MAX => runs
                .runs
                .iter()
                .try_for_each(|run| self.append(offset + run.offset, Node::Run(run.len))),
            Node::Sequence(sequence) if sequence.parts.len() <= SPLICED_MAX => sequence
                .parts
                .iter()
                .try_for_each(|part| self.append(offset + part.offset, part.node.clone())),
            _ => self.append(offset, node),
        }
    }

    fn append(&mut self, offset: isize, node: Node) -> Result<(), LayoutError> {
        let start = self.size;
        let size = start.checked_add(node.size());
        self.size = size
            .filter(|&size| isize::try_from(size).is_ok())
            .ok_or(LayoutError::TooLarge)?;
        if let (Node::Run(len), Some(last)) = (&node, self.parts.last_mut())
            && let Node::Run(before) = &mut last.node
            && last.offset.wrapping_add_unsigned(*before) == offset
        {
            *before += len;
            return Ok(());
        }
        self.parts.push(Part {
            offset,
            start,
            node,
        });
        Ok(())
    }

    /// The whole, and where its first byte is; `None`: nothing was added.
    pub(super) fn finish(mut self) -> Result<Option<(isize, Node)>, LayoutError> {
        let Some(offset) = self.parts.first().map(|part| part.offset) else {
            return Ok(None);
        };
        if let Some(stride) = self.stride() {
            let count = self.parts.len();
            let of = self.parts.swap_remove(0).node;
            return Ok(Some((offset, Node::repeat(of, count, stride)?)));
        }
        let distances = self
            .parts
            .iter()
            .map(|part| part.offset.checked_sub(offset));
        if distances.clone().any(|distance| distance.is_none()) {
            return Err(LayoutError::TooLarge);
        }
        for part in &mut self.parts {
            part.offset -= offset;
        }
        Ok(Some((offset, self.whole()?)))
    }

    /// The distance between parts when all are the same pattern at equal distances.
    fn stride(&self) -> Option<isize> {
        let [one, ..] = &*self.parts else {
            return None;
        };
        let Some(two) = self.parts.get(1) else {
            return Some(0);
        };
        let stride = two.offset.checked_sub(one.offset)?;
        let is_regular = self.parts.windows(2).all(|pair| {
            pair[0].node.is(&pair[1].node)
                && pair[1].offset.checked_sub(pair[0].offset) == Some(stride)
        });
        is_regular.then_some(stride)
    }

    fn whole(self) -> Result<Node, LayoutError> {
        let runs: Option<Box<[Run]>> = self
            .parts
            .iter()
            .map(|part| match part.node {
                Node::Run(len) => Some(Run {
                    offset: part.offset,
                    len,
                }),
                _ => None,
            })
            .collect();
        if let Some(runs) = runs {
            return Ok(Node::Runs(Arc::new(Runs {
                runs,
                starts: self.parts.iter().map(|part| part.start).collect(),
                size: self.size,
            })));
        }
        let deepest = self.parts.iter().map(|part| part.node.depth()).max();
        Ok(Node::Sequence(Arc::new(Sequence {
            depth: deeper(deepest.unwrap_or(0))?,
            size: self.size,
            parts: self.parts.into(),
        })))
    }
}
