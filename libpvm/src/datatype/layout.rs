//! A datatype flattened into runs of bytes.

use std::fmt;

/// Contiguous bytes of one element, relative to the element's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where the run starts; may be negative.
    pub offset: isize,
    /// Its length in bytes, never 0.
    pub len: usize,
}

/// Why runs do not make a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The sum of the runs, or a run's end, does not fit the address space.
    #[error("the layout is larger than the address space")]
    TooLarge,
}

/// One element of a message as runs of bytes in the order of the type map; element `i` lies
/// `i * extent` bytes after the first.
#[derive(Clone, PartialEq, Eq)]
pub struct Layout {
    runs: Box<[Run]>,
    /// Packed offset of each run.
    starts: Box<[usize]>,
    size: usize,
    extent: isize,
}

impl Layout {
    /// Makes a layout; runs that touch are joined, empty ones dropped.
    pub fn new(runs: impl IntoIterator<Item = Run>, extent: isize) -> Result<Self, LayoutError> {
        let mut joined: Vec<Run> = Vec::new();
        let mut starts = Vec::new();
        let mut size = 0usize;
        for run in runs {
            if run.len == 0 {
                continue;
            }
            let len = isize::try_from(run.len).map_err(|_| LayoutError::TooLarge)?;
            run.offset.checked_add(len).ok_or(LayoutError::TooLarge)?;
            match joined.last_mut() {
                Some(last) if last.offset + last.len as isize == run.offset => last.len += run.len,
                _ => {
                    starts.push(size);
                    joined.push(run);
                }
            }
            size = size.checked_add(run.len).ok_or(LayoutError::TooLarge)?;
        }
        Ok(Self {
            runs: joined.into(),
            starts: starts.into(),
            size,
            extent,
        })
    }

    /// `len` contiguous bytes.
    pub fn contiguous(len: usize) -> Self {
        let runs: Box<[Run]> = if len == 0 {
            Box::default()
        } else {
            Box::new([Run { offset: 0, len }])
        };
        let starts = vec![0; runs.len()].into();
        Self {
            runs,
            starts,
            size: len,
            extent: len as isize,
        }
    }

    /// Data bytes of one element.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Distance between elements in memory.
    pub fn extent(&self) -> isize {
        self.extent
    }

    /// The runs, in type-map order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether `count` elements are one run of memory from the first byte on.
    pub fn is_contiguous(&self, count: usize) -> bool {
        match (&*self.runs, count) {
            ([], _) | (_, 0) => true,
            ([run], 1) => run.offset == 0,
            ([run], _) => run.offset == 0 && run.len as isize == self.extent,
            _ => false,
        }
    }

    /// Calls `each(address offset, length)` for the pieces that hold packed bytes
    /// `offset..offset + len` of an array of elements, in packed order.
    pub fn pieces(&self, offset: usize, len: usize, mut each: impl FnMut(isize, usize)) {
        if len == 0 || self.size == 0 {
            return;
        }
        let mut element = (offset / self.size) as isize;
        let mut within = offset % self.size;
        let mut left = len;
        let mut index = self.starts.partition_point(|&start| start <= within) - 1;
        while left > 0 {
            let run = self.runs[index];
            let skip = within - self.starts[index];
            let piece = left.min(run.len - skip);
            each(element * self.extent + run.offset + skip as isize, piece);
            left -= piece;
            within = self.starts[index] + run.len;
            index += 1;
            if index == self.runs.len() {
                (index, within, element) = (0, 0, element + 1);
            }
        }
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes in {} runs every {}",
            self.size,
            self.runs.len(),
            self.extent
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn touching_runs_join() {
        let runs = [
            Run { offset: 0, len: 4 },
            Run { offset: 4, len: 0 },
            Run { offset: 4, len: 4 },
        ];
        let layout = Layout::new(runs, 8).unwrap();
        assert_eq!(layout.runs(), [Run { offset: 0, len: 8 }]);
        assert!(layout.is_contiguous(5));
    }

    #[test]
    fn impossible_runs_are_refused() {
        let run = Run {
            offset: isize::MAX,
            len: 1,
        };
        assert_eq!(Layout::new([run], 1), Err(LayoutError::TooLarge));
    }

    proptest! {
        /// Any cut of the packed bytes visits the same addresses as going byte by byte.
        #[test]
        fn pieces_agree_with_bytes(
            lens in proptest::collection::vec((0usize..5, 0usize..4), 1..6),
            count in 1usize..4, cut in 0usize..64, len in 0usize..64,
        ) {
            let mut at = 0;
            let mut runs = Vec::new();
            for (len, gap) in lens {
                runs.push(Run { offset: at as isize, len });
                at += len + gap;
            }
            let layout = Layout::new(runs.clone(), at as isize + 1).unwrap();
            let mut bytes = Vec::new();
            for element in 0..count {
                for run in &runs {
                    for i in 0..run.len {
                        bytes.push(element as isize * layout.extent() + run.offset + i as isize);
                    }
                }
            }
            let cut = cut.min(bytes.len());
            let len = len.min(bytes.len() - cut);
            let mut seen = Vec::new();
            layout.pieces(cut, len, |address, piece| {
                seen.extend((0..piece as isize).map(|i| address + i));
            });
            prop_assert_eq!(seen, &bytes[cut..cut + len]);
        }
    }
}
