//! Who takes part in a piece of a schedule, and how data is cut among them.

use super::schedule::Span;
use crate::ids::Rank;

/// Ranks that do a piece of a schedule together, numbered from 0 as the algorithm likes it.
#[derive(Clone, Copy, Debug)]
pub struct Team<'a> {
    /// The number of this rank.
    pub me: usize,
    /// How many there are.
    pub size: usize,
    names: Names<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Names<'a> {
    /// Member `i` is rank `(i + root) % size`.
    From(Rank),
    /// Member `i` is `ranks[(i + first) % size]`, and two of the ranks have changed places.
    Listed {
        ranks: &'a [Rank],
        first: usize,
        exchanged: (Rank, Rank),
    },
}

impl<'a> Team<'a> {
    /// All ranks of a communicator, by rank.
    pub fn all(rank: Rank, size: usize) -> Self {
        Self {
            me: rank,
            size,
            names: Names::From(0),
        }
    }

    /// All ranks of a communicator, counted from `root` on.
    pub fn from_root(rank: Rank, size: usize, root: Rank) -> Self {
        Self {
            me: (rank + size - root) % size,
            size,
            names: Names::From(root),
        }
    }

    /// The ranks of a list, counted from its place `first` on, with two ranks exchanged, also if one of
    /// them is not in the list; `None` if `rank` is then not one of them.
    pub fn listed(
        rank: Rank,
        ranks: &'a [Rank],
        first: usize,
        exchanged: (Rank, Rank),
    ) -> Option<Self> {
        let rank = exchange(rank, exchanged);
        let at = ranks.iter().position(|&other| other == rank)?;
        Some(Self {
            me: (at + ranks.len() - first) % ranks.len(),
            size: ranks.len(),
            names: Names::Listed {
                ranks,
                first,
                exchanged,
            },
        })
    }

    /// The rank of a member.
    pub fn rank(&self, member: usize) -> Rank {
        match self.names {
            Names::From(root) if member + root < self.size => member + root,
            Names::From(root) => member + root - self.size,
            Names::Listed {
                ranks,
                first,
                exchanged,
            } => exchange(ranks[(member + first) % self.size], exchanged),
        }
    }

    /// Which block is a member's: blocks are in the order of the ranks, or of the members of a list.
    pub fn block(&self, member: usize) -> usize {
        match self.names {
            Names::From(_) => self.rank(member),
            Names::Listed { .. } => member,
        }
    }

    /// The member `distance` after this one, going round.
    pub fn after(&self, distance: usize) -> usize {
        (self.me + distance) % self.size
    }

    /// The member `distance` before this one, going round.
    pub fn before(&self, distance: usize) -> usize {
        (self.me + self.size - distance % self.size) % self.size
    }
}

/// The rank in whose place this one is when two have changed places.
fn exchange(rank: Rank, (one, other): (Rank, Rank)) -> Rank {
    match rank {
        rank if rank == one => other,
        rank if rank == other => one,
        rank => rank,
    }
}

/// How a buffer is cut into one block per rank.
#[derive(Clone, Copy, Debug)]
pub enum Blocks<'a> {
    /// Blocks of one length, in the order of the ranks.
    Equal {
        /// Bytes of a block.
        len: usize,
    },
    /// One vector, cut as evenly as its elements allow.
    Cut {
        /// Elements of the vector.
        count: usize,
        /// Bytes of an element.
        element: usize,
        /// Number of blocks.
        parts: usize,
    },
    /// Any blocks, in bytes.
    Listed {
        /// Length of each.
        lens: &'a [usize],
        /// Where each starts.
        starts: &'a [usize],
    },
}

impl Blocks<'_> {
    /// Block `index` in a buffer that begins where `whole` does.
    pub fn of(&self, whole: Span, index: usize) -> Span {
        let (start, len) = match *self {
            Blocks::Equal { len } => (index * len, len),
            Blocks::Cut {
                count,
                element,
                parts,
            } => {
                let (each, more) = (count / parts, count % parts);
                let start = each * index + index.min(more);
                let len = each + usize::from(index < more);
                (start * element, len * element)
            }
            Blocks::Listed { lens, starts } => (starts[index], lens[index]),
        };
        Span {
            start: whole.start + start,
            len,
            ..whole
        }
    }

    /// Length of block `index`.
    pub fn len(&self, index: usize) -> usize {
        let nowhere = Span::of(super::schedule::Buffer::Temporary, 0);
        self.of(nowhere, index).len
    }

    /// Bytes of all blocks of `size` ranks.
    pub fn total(&self, size: usize) -> usize {
        match *self {
            Blocks::Equal { len } => len * size,
            Blocks::Cut { count, element, .. } => count * element,
            Blocks::Listed { lens, .. } => lens.iter().sum(),
        }
    }

    /// Where the last block ends, of `size` ranks; `None` if the blocks make no sense.
    pub fn end(&self, size: usize) -> Option<usize> {
        match *self {
            Blocks::Equal { len } => len.checked_mul(size),
            Blocks::Cut {
                count,
                element,
                parts,
            } => count.checked_mul(element).filter(|_| parts == size),
            Blocks::Listed { lens, starts } => {
                if lens.len() != size || starts.len() != size {
                    return None;
                }
                lens.iter()
                    .try_fold(0usize, |sum, &len| sum.checked_add(len))?;
                let mut ends = lens
                    .iter()
                    .zip(starts)
                    .map(|(len, start)| len.checked_add(*start));
                ends.try_fold(0, |end: usize, block| Some(end.max(block?)))
            }
        }
    }
}

/// Blocks one behind the other. In bytes.
pub struct Packed {
    /// Length of each.
    pub lens: Vec<usize>,
    /// Where each starts.
    pub starts: Vec<usize>,
    /// Of all.
    pub total: usize,
}

impl Packed {
    /// Blocks of these lengths, which fit the address space together.
    pub fn new(lens: impl IntoIterator<Item = usize>) -> Self {
        let lens: Vec<usize> = lens.into_iter().collect();
        let mut total = 0;
        let place = |len: &usize| {
            let start = total;
            total += len;
            start
        };
        let starts = lens.iter().map(place).collect();
        Self {
            lens,
            starts,
            total,
        }
    }

    /// The blocks.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::Listed {
            lens: &self.lens,
            starts: &self.starts,
        }
    }

    /// Block `index` in a buffer that begins where `whole` does.
    pub fn of(&self, whole: Span, index: usize) -> Span {
        self.blocks().of(whole, index)
    }
}
