//! A datatype flattened into runs of bytes.
//!
//! Runs that follow a pattern are kept as the pattern (`node`): a million blocks of a matrix' column
//! are one loop, not a million entries. Going through them costs the same, or less.

mod node;

use node::{Builder, Node};
use std::fmt;

/// Contiguous bytes of one element, relative to the element's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where the run starts; may be negative.
    pub offset: isize,
    /// Its length in bytes.
    pub len: usize,
}

/// Why something does not make a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The sum of the runs, or a run's end, does not fit the address space.
    #[error("the layout is larger than the address space")]
    TooLarge,
    /// Patterns of patterns without an end.
    #[error(
        "the layout is nested more than {} times",
        crate::limits::LAYOUT_DEPTH_MAX
    )]
    TooDeep,
}

/// One element of a message as runs of bytes in the order of the type map; element `i` lies
/// `i * extent` bytes after the first.
#[derive(Clone)]
pub struct Layout {
    /// The bytes, seen from the first one; `None`: there are none.
    node: Option<Node>,
    /// Where the first byte of the type map is.
    offset: isize,
    /// The lowest byte, and the one after the highest.
    span: (isize, isize),
    size: usize,
    extent: isize,
}

impl Layout {
    /// Makes a layout; runs that touch are joined, empty ones dropped.
    ///
    /// # Errors
    /// [`LayoutError::TooLarge`].
    pub fn new(runs: impl IntoIterator<Item = Run>, extent: isize) -> Result<Self, LayoutError> {
        let mut builder = LayoutBuilder::default();
        for run in runs {
            builder.push(run.offset, &Layout::contiguous(run.len))?;
        }
        Ok(builder.build()?.with_extent(extent))
    }

    /// `len` contiguous bytes.
    pub fn contiguous(len: usize) -> Self {
        Self {
            node: (len > 0).then_some(Node::Run(len)),
            offset: 0,
            span: (0, len as isize),
            size: len,
            extent: len as isize,
        }
    }

    /// `count` elements of this layout, `stride` bytes from one to the next, as one. The extent is as
    /// before.
    ///
    /// # Errors
    /// [`LayoutError`]
    pub fn repeat(&self, count: usize, stride: isize) -> Result<Self, LayoutError> {
        let (Some(node), 1..) = (&self.node, count) else {
            return Ok(Self::contiguous(0).with_extent(self.extent));
        };
        Ok(Self {
            node: Some(Node::repeat(node.clone(), count, stride)?),
            offset: self.offset,
            span: self.reach(count, stride).ok_or(LayoutError::TooLarge)?,
            size: total(self.size, count)?,
            extent: self.extent,
        })
    }

    /// The same bytes with another distance between elements.
    pub fn with_extent(mut self, extent: isize) -> Self {
        self.extent = extent;
        self
    }

    /// Data bytes of one element.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Distance between elements in memory.
    pub fn extent(&self) -> isize {
        self.extent
    }

    /// The offset of the lowest byte, and of the one after the highest; 0 and 0 when there are none.
    pub fn span(&self) -> (isize, isize) {
        self.span
    }

    /// Where `count` elements start if they are one run of memory.
    pub fn single_run(&self, count: usize) -> Option<isize> {
        match (&self.node, count) {
            (None, _) | (_, 0) => Some(0),
            (Some(Node::Run(_)), 1) => Some(self.offset),
            (Some(Node::Run(len)), _) if *len as isize == self.extent => Some(self.offset),
            _ => None,
        }
    }

    /// Bytes of `count` elements, if each is one run that begins where the element does and ends where the next
    /// one begins, as those of most messages; `None`: it is not so, or they do not fit the address space.
    #[inline]
    pub fn plain_size_of(&self, count: usize) -> Option<usize> {
        match self.node {
            Some(Node::Run(len)) if self.offset == 0 && len as isize == self.extent => {
                let len = len.checked_mul(count)?;
                isize::try_from(len).is_ok().then_some(len)
            }
            _ => None,
        }
    }

    /// Bytes of `count` elements; `None`: they, or their places, do not fit the address space.
    pub fn size_of(&self, count: usize) -> Option<usize> {
        if self.size == 0 || count == 0 {
            return Some(0);
        }
        self.reach(count, self.extent)?;
        total(self.size, count).ok()
    }

    /// Calls `each(address offset, length)` for the pieces that hold packed bytes
    /// `offset..offset + len` of an array of elements, in packed order.
    pub fn pieces(&self, offset: usize, len: usize, mut each: impl FnMut(isize, usize)) {
        if let Some(node) = &self.node {
            let packed = node::Packed { offset, len };
            node::walk_repeat(node, self.size, self.extent, self.offset, packed, &mut each);
        }
    }

    /// The span of `count` elements at such a distance.
    fn reach(&self, count: usize, stride: isize) -> Option<(isize, isize)> {
        let last = isize::try_from(count - 1).ok()?.checked_mul(stride)?;
        let low = self.span.0.checked_add(last.min(0))?;
        Some((low, self.span.1.checked_add(last.max(0))?))
    }
}

/// Puts layouts one after the other, in the order of the type map.
#[derive(Default)]
pub struct LayoutBuilder {
    parts: Builder,
    span: Option<(isize, isize)>,
}

impl LayoutBuilder {
    /// Adds an element of `part` at a displacement.
    ///
    /// # Errors
    /// [`LayoutError::TooLarge`]
    pub fn push(&mut self, displacement: isize, part: &Layout) -> Result<(), LayoutError> {
        let Some(node) = &part.node else {
            return Ok(());
        };
        let moved = |at: isize| at.checked_add(displacement).ok_or(LayoutError::TooLarge);
        let (low, high) = (moved(part.span.0)?, moved(part.span.1)?);
        let span = self.span.get_or_insert((low, high));
        *span = (span.0.min(low), span.1.max(high));
        self.parts.push(moved(part.offset)?, node.clone())
    }

    /// All of them; the extent is 0.
    ///
    /// # Errors
    /// [`LayoutError`]
    pub fn build(self) -> Result<Layout, LayoutError> {
        let size = self.parts.size();
        let (offset, node) = self.parts.finish()?.unzip();
        Ok(Layout {
            node,
            offset: offset.unwrap_or(0),
            span: self.span.unwrap_or((0, 0)),
            size,
            extent: 0,
        })
    }
}

/// `count` times `size` bytes, if nothing is as large.
fn total(size: usize, count: usize) -> Result<usize, LayoutError> {
    size.checked_mul(count)
        .filter(|&size| isize::try_from(size).is_ok())
        .ok_or(LayoutError::TooLarge)
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes from {} on every {}",
            self.size, self.offset, self.extent
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(layout: &Layout, count: usize) -> Vec<(isize, usize)> {
        let mut seen = Vec::new();
        layout.pieces(0, layout.size() * count, |at, len| seen.push((at, len)));
        seen
    }

    fn sequence(parts: impl IntoIterator<Item = (isize, Layout)>) -> Result<Layout, LayoutError> {
        let mut builder = LayoutBuilder::default();
        for (at, part) in parts {
            builder.push(at, &part)?;
        }
        builder.build()
    }

    #[test]
    fn touching_runs_join() {
        let runs = [
            Run { offset: 0, len: 4 },
            Run { offset: 4, len: 0 },
            Run { offset: 4, len: 4 },
        ];
        let layout = Layout::new(runs, 8).unwrap();
        assert_eq!(pieces(&layout, 1), [(0, 8)]);
        assert_eq!(layout.single_run(5), Some(0));
    }

    #[test]
    fn what_is_plain_is_one_run_of_all_its_bytes() {
        let late = Layout::new([Run { offset: 4, len: 4 }], 4).unwrap();
        let gaps = Layout::contiguous(4).with_extent(8);
        let counts = [0, 1, 5, isize::MAX as usize / 4, usize::MAX / 4, usize::MAX];
        for count in counts {
            let plain = Layout::contiguous(4);
            assert_eq!(plain.plain_size_of(count), plain.size_of(count));
            assert_eq!(plain.single_run(count), Some(0));
            for other in [&late, &gaps, &Layout::contiguous(0)] {
                assert_eq!(other.plain_size_of(count), None);
            }
        }
    }

    #[test]
    fn one_run_somewhere_else_is_one_run() {
        let layout = Layout::new([Run { offset: 24, len: 8 }], 64).unwrap();
        assert_eq!(layout.single_run(1), Some(24));
        assert_eq!(layout.single_run(2), None);
        assert_eq!(layout.span(), (24, 32));
    }

    #[test]
    fn impossible_layouts_are_refused() {
        let run = Run {
            offset: isize::MAX,
            len: 1,
        };
        let refused =
            |made: Result<Layout, LayoutError>| made.unwrap_err() == LayoutError::TooLarge;
        assert!(refused(Layout::new([run], 1)));
        let word = Layout::contiguous(8);
        assert!(refused(word.repeat(1 << 60, 8)));
        assert!(refused(word.repeat(1 << 60, 16)));
        assert!(refused(word.repeat(4, isize::MIN / 2)));
        assert_eq!(word.clone().with_extent(1 << 40).size_of(1 << 30), None);
        assert_eq!(word.size_of(3), Some(24));
    }

    #[test]
    fn blocks_without_gaps_are_one_run() {
        let layout = Layout::contiguous(8).repeat(4, 8).unwrap();
        let layout = layout.repeat(1 << 40, 32).unwrap();
        assert_eq!(layout.single_run(1), Some(0));
    }

    #[test]
    fn regular_runs_become_a_loop() {
        let runs = (0..1_000_000).map(|i| Run {
            offset: 16 * i,
            len: 8,
        });
        let layout = Layout::new(runs, 0).unwrap();
        assert!(matches!(layout.node, Some(Node::Repeat(_))));
        let mut seen = 0;
        layout.pieces(0, layout.size(), |at, len| {
            assert_eq!((at, len), (16 * seen, 8));
            seen += 1;
        });
        assert_eq!(seen, 1_000_000);
    }

    #[test]
    fn a_loop_costs_no_memory_for_its_blocks() {
        let layout = Layout::contiguous(8).repeat(1 << 50, 16).unwrap();
        let mut seen = Vec::new();
        layout.pieces((1 << 52) + 4, 16, |at, len| seen.push((at, len)));
        let at = 16 << 49;
        assert_eq!(seen, [(at + 4, 4), (at + 16, 8), (at + 32, 4)]);
    }

    #[test]
    fn endless_nesting_is_refused() {
        let mut layout = Layout::new([Run { offset: 0, len: 1 }], 0).unwrap();
        let end = (0..100_000).find_map(|i| {
            let last = Layout::contiguous(1 + i as usize % 2);
            match sequence([(0, layout.clone()), (3 * i + 2, last)]) {
                Ok(deeper) => {
                    layout = deeper;
                    None
                }
                Err(error) => Some(error),
            }
        });
        assert_eq!(end, Some(LayoutError::TooDeep));
        assert!(
            layout.size() > 10_000,
            "a chain of members nests only now and then"
        );
    }

    /// What a layout is made from, for the naive interpreter.
    #[derive(Clone, Debug)]
    enum Made {
        Run(usize),
        Repeat(Box<Made>, usize, isize),
        Sequence(Vec<(isize, Made)>),
    }

    impl Made {
        fn layout(&self) -> Layout {
            match self {
                Made::Run(len) => Layout::contiguous(*len),
                Made::Repeat(of, count, stride) => of.layout().repeat(*count, *stride).unwrap(),
                Made::Sequence(parts) => {
                    let parts = parts.iter().map(|(at, part)| (*at, part.layout()));
                    sequence(parts).unwrap()
                }
            }
        }

        /// Every byte's address, in order.
        fn bytes(&self, at: isize, out: &mut Vec<isize>) {
            match self {
                Made::Run(len) => out.extend((0..*len as isize).map(|i| at + i)),
                Made::Repeat(of, count, stride) => {
                    (0..*count as isize).for_each(|i| of.bytes(at + i * stride, out));
                }
                Made::Sequence(parts) => {
                    parts.iter().for_each(|(to, part)| part.bytes(at + to, out));
                }
            }
        }
    }

    fn made() -> impl Strategy<Value = Made> {
        (0usize..6)
            .prop_map(Made::Run)
            .prop_recursive(5, 40, 4, |inner| {
                let repeat = (inner.clone(), 0usize..5, -9isize..12)
                    .prop_map(|(of, count, stride)| Made::Repeat(Box::new(of), count, stride));
                let parts = proptest::collection::vec((-9isize..30, inner), 0..4);
                prop_oneof![repeat, parts.prop_map(Made::Sequence)]
            })
    }

    proptest! {
        /// Any cut of the packed bytes visits the same addresses as going byte by byte.
        #[test]
        fn pieces_agree_with_bytes(
            made in made(), extent in -20isize..40, count in 1usize..4,
            cut in 0.0f64..1.0, len in 0.0f64..1.0,
        ) {
            let layout = made.layout().with_extent(extent);
            let mut bytes = Vec::new();
            (0..count as isize).for_each(|element| made.bytes(element * extent, &mut bytes));
            prop_assert_eq!(Some(bytes.len()), layout.size_of(count));
            let cut = (cut * bytes.len() as f64) as usize;
            let len = (len * (bytes.len() - cut + 1) as f64) as usize;
            let mut seen = Vec::new();
            layout.pieces(cut, len, |address, piece| {
                seen.extend((0..piece as isize).map(|i| address + i));
            });
            prop_assert_eq!(seen, &bytes[cut..cut + len]);
            let one = &bytes[..layout.size()];
            let low = one.iter().min().map_or(0, |&at| at);
            let high = one.iter().max().map_or(0, |&at| at + 1);
            prop_assert_eq!(layout.span(), (low, high));
            if let Some(start) = layout.single_run(count) {
                let runs = (0..bytes.len() as isize).map(|i| start + i);
                prop_assert_eq!(runs.collect::<Vec<_>>(), bytes);
            }
        }
    }
}
