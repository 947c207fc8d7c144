//! The type map of a datatype: which bytes, in which order, of which elements, and its bounds.
//!
//! # Bounds
//! The lower bound is the lowest byte and the upper bound the highest; that of a structure is rounded up
//! so that its extent is a multiple of the strictest alignment, as C lays out structures. What is made of
//! something reaches as far as that does, its padding included: so do it MPICH and Open MPI, where the
//! letter of the standard pads every datatype anew. All this unless there are *markers*. Markers are put by resizing, and
//! by subarrays and distributed arrays; what is made of something with a marker has the outermost of
//! its markers, and nothing else counts then (MPI 5.0, 5.1.6 and 5.1.7).

use super::basic::Basic;
use super::signature::Signature;
use crate::datatype::{Layout, LayoutBuilder, LayoutError};
use crate::mpi::{Class, Error, Result};

/// What a datatype describes. Its layout has the extent of the bounds.
#[derive(Clone)]
pub(super) struct TypeMap {
    pub layout: Layout,
    pub signature: Signature,
    lower: Option<i64>,
    upper: Option<i64>,
    /// Where it ends if no marker says so.
    end: i64,
    alignment: i64,
}

impl TypeMap {
    /// One element.
    pub fn basic(basic: &'static Basic) -> Self {
        Self {
            layout: Layout::contiguous(basic.size),
            signature: Signature::basic(basic),
            lower: None,
            upper: None,
            end: basic.size as i64,
            alignment: basic.alignment() as i64,
        }
    }

    /// `count` of these, `stride` bytes from one to the next.
    pub fn repeat(&self, count: i64, stride: i64) -> Result<Self> {
        if count == 0 {
            return Self::sequence(&[]);
        }
        let last = stride.checked_mul(count - 1).ok_or_else(too_large)?;
        let moved = |marker: Option<i64>, by: i64| {
            marker
                .map(|at| at.checked_add(by).ok_or_else(too_large))
                .transpose()
        };
        Self {
            layout: self.layout.repeat(word(count)? as usize, word(stride)?)?,
            signature: self.signature.repeat(count)?,
            lower: moved(self.lower, last.min(0))?,
            upper: moved(self.upper, last.max(0))?,
            end: match self.signature.elements() {
                0 => 0,
                _ => self.end.checked_add(last.max(0)).ok_or_else(too_large)?,
            },
            alignment: self.alignment,
        }
        .bounded()
    }

    /// A structure: maps one after the other, each at its displacement, and padding.
    pub fn sequence(members: &[(i64, TypeMap)]) -> Result<Self> {
        let mut builder = MapBuilder::default();
        for (displacement, map) in members {
            builder.push(*displacement, map)?;
        }
        let signatures = members
            .iter()
            .map(|(_, map)| map.signature.clone())
            .collect();
        builder.build(Signature::sequence(signatures)?)?.padded()
    }

    /// Blocks of contiguous elements of this map, each at its displacement in bytes.
    pub fn blocks(&self, blocks: impl IntoIterator<Item = Result<(i64, i64)>>) -> Result<Self> {
        let mut builder = MapBuilder::default();
        let mut count = 0i64;
        let mut block = (1, self.clone());
        for next in blocks {
            let (displacement, length) = next?;
            count = count.checked_add(length).ok_or_else(too_large)?;
            if block.0 != length {
                block = (length, self.repeat(length, self.extent())?);
            }
            builder.push(displacement, &block.1)?;
        }
        builder.build(self.signature.repeat(count)?)
    }

    /// This map at another place.
    pub fn moved(&self, displacement: i64) -> Result<Self> {
        self.blocks([Ok((displacement, 1))])
    }

    /// The same elements between new markers.
    pub fn resized(mut self, lower: i64, extent: i64) -> Result<Self> {
        self.lower = Some(lower);
        self.upper = Some(lower.checked_add(extent).ok_or_else(too_large)?);
        self.bounded()
    }

    pub fn lower(&self) -> i64 {
        self.lower.unwrap_or(self.layout.span().0 as i64)
    }

    pub fn extent(&self) -> i64 {
        self.layout.extent() as i64
    }

    /// Gives the layout the extent of the bounds.
    fn bounded(mut self) -> Result<Self> {
        let extent = self.upper.unwrap_or(self.end).checked_sub(self.lower());
        let extent = word(extent.ok_or_else(too_large)?)?;
        self.layout = self.layout.with_extent(extent);
        Ok(self)
    }

    /// The same with the padding of a structure.
    fn padded(mut self) -> Result<Self> {
        let extent = self.end.checked_sub(self.lower()).ok_or_else(too_large)?;
        let padding = (self.alignment - extent.rem_euclid(self.alignment)) % self.alignment;
        self.end = self.end.checked_add(padding).ok_or_else(too_large)?;
        self.bounded()
    }
}

/// Puts maps one after the other, all but their signatures.
#[derive(Default)]
struct MapBuilder {
    layout: LayoutBuilder,
    lower: Option<i64>,
    upper: Option<i64>,
    end: Option<i64>,
    alignment: i64,
}

impl MapBuilder {
    fn push(&mut self, displacement: i64, map: &TypeMap) -> Result<()> {
        let moved = |at: i64| at.checked_add(displacement).ok_or_else(too_large);
        if let Some(at) = map.lower {
            let at = moved(at)?;
            self.lower = Some(self.lower.map_or(at, |lowest| lowest.min(at)));
        }
        if let Some(at) = map.upper {
            let at = moved(at)?;
            self.upper = Some(self.upper.map_or(at, |highest| highest.max(at)));
        }
        if map.signature.elements() > 0 {
            self.alignment = self.alignment.max(map.alignment);
            let at = moved(map.end)?;
            self.end = Some(self.end.map_or(at, |highest| highest.max(at)));
        }
        Ok(self.layout.push(word(displacement)?, &map.layout)?)
    }

    fn build(self, signature: Signature) -> Result<TypeMap> {
        TypeMap {
            layout: self.layout.build()?,
            signature,
            lower: self.lower,
            upper: self.upper,
            end: self.end.unwrap_or(0),
            alignment: self.alignment.max(1),
        }
        .bounded()
    }
}

fn word(number: i64) -> Result<isize> {
    isize::try_from(number).map_err(|_| too_large())
}

#[cold]
pub(super) fn too_large() -> Error {
    Error::new(
        Class::ValueTooLarge,
        "the bounds or the size of the datatype do not fit the address space",
    )
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::TooLarge => too_large(),
            LayoutError::TooDeep => Error::new(Class::Type, error.to_string()),
        }
    }
}
