//! Buffers of many blocks.

use super::super::datatype::Datatype;
use super::super::datatype::basic::{Basic, Kind};
use super::super::error::{Class, Error, Result};
use crate::collective::Blocks;
use crate::datatype::{Layout, LayoutBuilder, LayoutError, Word};
use std::sync::Arc;

/// A block of elements for each rank, anywhere in one buffer, as one end of messages.
///
/// Blocks that are runs of memory are parts of the run from the first to the last of them. Others
/// are one layout; packed, they lie one behind the other.
pub struct Blocked {
    /// Where the memory is.
    pub layout: Arc<Layout>,
    /// Address of the layout, seen from the buffer's.
    pub offset: isize,
    lens: Vec<usize>,
    starts: Vec<usize>,
}

impl Blocked {
    /// `count(i)` elements of one datatype, `displacement(i)` elements from the buffer's address, for
    /// each of `ranks`.
    ///
    /// # Errors
    /// [`Class::Count`], [`Class::Type`], [`Class::ValueTooLarge`].
    pub fn of_one(
        ranks: usize,
        datatype: &Datatype,
        count: impl Fn(usize) -> i64,
        displacement: impl Fn(usize) -> i64,
    ) -> Result<Self> {
        let (layout, extent) = (datatype.layout()?, datatype.extent());
        let mut blocks = Vec::with_capacity(ranks);
        for rank in 0..ranks {
            let at = displacement(rank)
                .checked_mul(extent)
                .ok_or_else(too_large)?;
            blocks.push((in_memory(at)?, length(count(rank))?));
        }
        match layout.single_run(2) {
            Some(start) => Self::runs(layout.size(), start, &blocks),
            None => Self::scattered(blocks.into_iter().map(|block| (block, layout))),
        }
    }

    /// `count(i)` elements of datatype `i`, `displacement(i)` bytes from the buffer's address.
    ///
    /// # Errors
    /// As [`Blocked::of_one`].
    pub fn of_several(
        datatypes: &[&Datatype],
        count: impl Fn(usize) -> i64,
        displacement: impl Fn(usize) -> i64,
    ) -> Result<Self> {
        let mut blocks = Vec::with_capacity(datatypes.len());
        for (rank, datatype) in datatypes.iter().enumerate() {
            let at = in_memory(displacement(rank))?;
            blocks.push(((at, length(count(rank))?), datatype.layout()?));
        }
        Self::scattered(blocks.into_iter())
    }

    /// The blocks in the packed buffer, by rank.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::Listed {
            lens: &self.lens,
            starts: &self.starts,
        }
    }

    /// Bytes of a rank's block.
    pub fn len(&self, rank: usize) -> usize {
        self.lens[rank]
    }

    /// Where a rank's block is in the packed buffer, and its bytes.
    pub fn part(&self, rank: usize) -> (usize, usize) {
        (self.starts[rank], self.lens[rank])
    }

    /// Whether no block has bytes.
    pub fn is_empty(&self) -> bool {
        self.lens.iter().all(|len| *len == 0)
    }

    fn runs(size: usize, start: isize, blocks: &[(isize, usize)]) -> Result<Self> {
        let with_bytes = || blocks.iter().filter(|block| block.1 > 0 && size > 0);
        let first = with_bytes().map(|block| block.0).min().unwrap_or(0);
        let (mut lens, mut starts, mut end) = (Vec::new(), Vec::new(), 0);
        for &(at, count) in blocks {
            let len = count.checked_mul(size).ok_or_else(too_large)?;
            // Places of blocks without bytes mean nothing.
            let from_first = match len {
                0 => 0,
                _ => at.checked_sub(first).ok_or_else(too_large)? as usize,
            };
            lens.push(len);
            starts.push(from_first);
            end = end.max(from_first.checked_add(len).ok_or_else(too_large)?);
        }
        Ok(Self {
            layout: Arc::new(Layout::contiguous(end)),
            offset: first.checked_add(start).ok_or_else(too_large)?,
            lens,
            starts,
        })
    }

    fn scattered<'a>(
        blocks: impl Iterator<Item = ((isize, usize), &'a Arc<Layout>)>,
    ) -> Result<Self> {
        let mut builder = LayoutBuilder::default();
        let (mut lens, mut starts, mut end) = (Vec::new(), Vec::new(), 0usize);
        for ((at, count), layout) in blocks {
            let block = layout.repeat(count, layout.extent()).map_err(refused)?;
            builder.push(at, &block).map_err(refused)?;
            starts.push(end);
            lens.push(block.size());
            end = end.checked_add(block.size()).ok_or_else(too_large)?;
        }
        Ok(Self {
            layout: Arc::new(builder.build().map_err(refused)?),
            offset: 0,
            lens,
            starts,
        })
    }
}

/// What the elements of a datatype are made of, when a rank's host is unlike this one.
pub fn words(datatype: &Datatype) -> fn() -> Word {
    match datatype.signature().only().map(word) {
        Some(Word::Fixed(1)) => || Word::Fixed(1),
        Some(Word::Fixed(2)) => || Word::Fixed(2),
        Some(Word::Fixed(4)) => || Word::Fixed(4),
        Some(Word::Fixed(8)) => || Word::Fixed(8),
        Some(Word::Fixed(16)) => || Word::Fixed(16),
        Some(Word::Address { signed: true }) => || Word::Address { signed: true },
        Some(Word::Address { signed: false }) => || Word::Address { signed: false },
        _ => || Word::Opaque,
    }
}

fn word(basic: &Basic) -> Word {
    let signed = basic.kind == Kind::Signed;
    match basic.name {
        "MPI_AINT" | "MPI_LONG" | "MPI_UNSIGNED_LONG" => Word::Address { signed },
        _ => Word::Fixed(basic.word()),
    }
}

fn length(count: i64) -> Result<usize> {
    usize::try_from(count).map_err(|_| Error::new(Class::Count, format!("count {count}")))
}

fn in_memory(displacement: i64) -> Result<isize> {
    isize::try_from(displacement).map_err(|_| too_large())
}

#[cold]
fn too_large() -> Error {
    Error::new(
        Class::ValueTooLarge,
        "the blocks do not fit the address space",
    )
}

#[cold]
fn refused(error: LayoutError) -> Error {
    let class = match error {
        LayoutError::TooLarge => Class::ValueTooLarge,
        LayoutError::TooDeep => Class::Type,
    };
    Error::new(class, error.to_string())
}
