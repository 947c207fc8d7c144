//! Parts of arrays: subarrays and the parts of distributed ones (MPI 5.0, 5.1.3 and 5.1.4).
//!
//! Both are built dimension by dimension, from the one whose elements lie next to each other on. Both
//! have the extent of the whole array, whichever part they are.

use super::Datatype;
use super::construct::derived;
use super::contents::{Combiner, Contents, Width};
use super::typemap::{TypeMap, too_large};
use crate::mpi::{Class, Error, Result};

/// Which dimension's elements lie next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Order {
    /// Those of the last one.
    C = 12,
    /// Those of the first one.
    Fortran = 15,
}

/// How a dimension is distributed over processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Distribution {
    /// Not at all.
    None = 16,
    /// Each process has one block.
    Block = 17,
    /// Blocks are dealt out round by round.
    Cyclic = 18,
}

/// The block size that goes without saying (`MPI_DISTRIBUTE_DFLT_DARG`).
pub const DEFAULT_BLOCK: i32 = 19;

/// One dimension of a distributed array.
#[derive(Clone, Copy, Debug)]
pub struct Dimension {
    /// Elements of the whole array.
    pub size: i64,
    /// How they are distributed.
    pub distribution: Distribution,
    /// Elements of a block, or [`DEFAULT_BLOCK`].
    pub block: i32,
    /// Processes of the grid.
    pub processes: i32,
}

impl Order {
    /// The order of a constant.
    ///
    /// # Errors
    /// [`Class::Arg`]
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            12 => Ok(Order::C),
            15 => Ok(Order::Fortran),
            _ => Err(argument(format!(
                "order {number} is neither that of C nor of Fortran"
            ))),
        }
    }

    /// Dimensions from the one whose elements lie next to each other on.
    fn inside_out(self, count: usize) -> Box<dyn Iterator<Item = usize>> {
        match self {
            Order::C => Box::new((0..count).rev()),
            Order::Fortran => Box::new(0..count),
        }
    }
}

impl Distribution {
    /// The distribution of a constant.
    ///
    /// # Errors
    /// [`Class::Arg`]
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            16 => Ok(Distribution::None),
            17 => Ok(Distribution::Block),
            18 => Ok(Distribution::Cyclic),
            _ => Err(argument(format!("distribution {number}"))),
        }
    }
}

impl Datatype {
    /// The part of `subsizes` elements from `starts` on of an array of `sizes`.
    ///
    /// # Errors
    /// [`Class::Dims`] without a dimension, [`Class::Arg`] for a part that is not inside the array or
    /// has nothing.
    pub fn subarray(
        sizes: &[i64],
        subsizes: &[i64],
        starts: &[i64],
        order: Order,
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let dimensions = dimensions(sizes.len())?;
        let contents = Contents::new(Combiner::Subarray, width)
            .integers(&[dimensions])
            .counts(sizes)?
            .counts(subsizes)?
            .counts(starts)?
            .integers(&[order as i32]);
        if sizes.len() != subsizes.len() || sizes.len() != starts.len() {
            return Err(argument(
                "arrays of different lengths for one subarray".into(),
            ));
        }
        let mut whole = old.extent();
        let mut map = old.map().clone();
        for axis in order.inside_out(sizes.len()) {
            let (size, part, start) = (sizes[axis], subsizes[axis], starts[axis]);
            check_part(axis, size, part, start)?;
            let displacement = start.checked_mul(whole).ok_or_else(too_large)?;
            map = map.repeat(part, whole)?.moved(displacement)?;
            whole = whole.checked_mul(size).ok_or_else(too_large)?;
        }
        derived(contents, old, map.resized(0, whole)?)
    }

    /// The part that process `rank` of `size` has of an array that is distributed over a grid of them.
    /// Ranks go through the grid as through an array of C.
    ///
    /// # Errors
    /// [`Class::Dims`] without a dimension, [`Class::Rank`] for a rank outside the grid, [`Class::Arg`]
    /// for a grid of another size and blocks that do not cover a dimension.
    pub fn darray(
        size: i32,
        rank: i32,
        array: &[Dimension],
        order: Order,
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = darray_contents(size, rank, array, order, width)?;
        let coordinates = coordinates(size, rank, array)?;
        let mut whole = old.extent();
        let mut map = old.map().clone();
        for axis in order.inside_out(array.len()) {
            map = array[axis].part(axis, i64::from(coordinates[axis]), &map, whole)?;
            whole = whole.checked_mul(array[axis].size).ok_or_else(too_large)?;
        }
        derived(contents, old, map.resized(0, whole)?)
    }
}

impl Dimension {
    /// Elements of a block of this dimension, which is the `axis`th.
    fn block(&self, axis: usize) -> Result<i64> {
        let processes = i64::from(self.processes);
        if self.size < 1 {
            return Err(argument(format!(
                "{} elements in dimension {axis}",
                self.size
            )));
        }
        let share = (self.size - 1) / processes + 1;
        match (self.distribution, i64::from(self.block)) {
            (Distribution::None, _) if self.processes != 1 => Err(argument(format!(
                "dimension {axis} is not distributed, but over {processes} processes"
            ))),
            (Distribution::None, _) => Ok(self.size),
            (Distribution::Block, _) if self.block == DEFAULT_BLOCK => Ok(share),
            (Distribution::Cyclic, _) if self.block == DEFAULT_BLOCK => Ok(1),
            (_, ..1) => Err(argument(format!(
                "blocks of {} in dimension {axis}",
                self.block
            ))),
            (Distribution::Block, block) if block < share => Err(argument(format!(
                "{processes} blocks of {block} do not cover the {} elements of dimension {axis}",
                self.size
            ))),
            (_, block) => Ok(block),
        }
    }

    /// What the process at `coordinate` has of this dimension, whose elements are `map`, every
    /// `stride` bytes.
    fn part(&self, axis: usize, coordinate: i64, map: &TypeMap, stride: i64) -> Result<TypeMap> {
        let block = self.block(axis)?;
        let bytes = |elements: i64| elements.checked_mul(stride).ok_or_else(too_large);
        let round = block.checked_mul(i64::from(self.processes));
        let first = block.checked_mul(coordinate).ok_or_else(too_large)?;
        let round = round.ok_or_else(too_large)?;
        // Elements from this process' first block on.
        let rest = (self.size - first).max(0);
        let (blocks, tail) = (rest / round, (rest % round).min(block));
        let whole_blocks = blocks + i64::from(tail == block);
        let one = map.repeat(block, stride)?;
        let step = if whole_blocks > 1 { bytes(round)? } else { 0 };
        let mut members = Vec::new();
        if whole_blocks > 0 {
            members.push((bytes(first)?, one.repeat(whole_blocks, step)?));
        }
        if 0 < tail && tail < block {
            let at = bytes(first + blocks * round)?;
            members.push((at, map.repeat(tail, stride)?));
        }
        TypeMap::sequence(&members)
    }
}

fn darray_contents(
    size: i32,
    rank: i32,
    array: &[Dimension],
    order: Order,
    width: Width,
) -> Result<Contents> {
    let dimensions = dimensions(array.len())?;
    let each = |integer: fn(&Dimension) -> i32| array.iter().map(integer).collect::<Vec<_>>();
    let sizes: Vec<i64> = array.iter().map(|dimension| dimension.size).collect();
    Ok(Contents::new(Combiner::Darray, width)
        .integers(&[size, rank, dimensions])
        .counts(&sizes)?
        .integers(&each(|dimension| dimension.distribution as i32))
        .integers(&each(|dimension| dimension.block))
        .integers(&each(|dimension| dimension.processes))
        .integers(&[order as i32]))
}

/// Where a process is in the grid.
fn coordinates(size: i32, rank: i32, array: &[Dimension]) -> Result<Vec<i32>> {
    if size < 1 {
        return Err(argument(format!("a grid of {size} processes")));
    }
    if !(0..size).contains(&rank) {
        let detail = format!("rank {rank} in a grid of {size} processes");
        return Err(Error::new(Class::Rank, detail));
    }
    let grid = array.iter().try_fold(1i32, |grid, dimension| {
        let processes = Some(dimension.processes).filter(|processes| *processes > 0)?;
        grid.checked_mul(processes)
    });
    if grid != Some(size) {
        let detail = format!("the dimensions of the grid do not make {size} processes");
        return Err(argument(detail));
    }
    let mut left = (size, rank);
    Ok(array
        .iter()
        .map(|dimension| {
            let below = left.0 / dimension.processes;
            let coordinate = left.1 / below;
            left = (below, left.1 % below);
            coordinate
        })
        .collect())
}

fn dimensions(count: usize) -> Result<i32> {
    match i32::try_from(count) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(Error::new(
            Class::Dims,
            format!("an array of {count} dimensions"),
        )),
    }
}

fn check_part(axis: usize, size: i64, part: i64, start: i64) -> Result<()> {
    if size >= 1 && part >= 1 && part <= size && (0..=size - part).contains(&start) {
        return Ok(());
    }
    Err(argument(format!(
        "{part} elements from {start} on in dimension {axis} of {size}"
    )))
}

#[cold]
fn argument(detail: String) -> Error {
    Error::new(Class::Arg, detail)
}
