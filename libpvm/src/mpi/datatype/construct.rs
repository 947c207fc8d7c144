//! The constructors of derived datatypes (MPI 5.0, 5.1.2).
//!
//! Counts, block lengths and displacements have 64 bits in all of them; [`Width`] says which form of
//! the call it is, which only its contents depend on.

use super::contents::{Combiner, Contents, Width};
use super::typemap::{TypeMap, too_large};
use super::{Datatype, Origin};
use crate::mpi::{Class, Error, Result};

impl Datatype {
    /// `count` of `old`, one after the other.
    ///
    /// # Errors
    /// [`Class::Count`], and for all constructors [`Class::ValueTooLarge`] when the size or a bound does
    /// not fit, [`Class::Type`] when it is nested too deeply.
    pub fn contiguous(count: i64, old: &Datatype, width: Width) -> Result<Self> {
        let contents = Contents::new(Combiner::Contiguous, width).counts(&[count])?;
        check_count(count)?;
        derived(contents, old, old.map().repeat(count, old.extent())?)
    }

    /// `count` blocks of `length`, `stride` elements apart.
    ///
    /// # Errors
    /// [`Class::Count`], [`Class::Arg`] for the length
    pub fn vector(
        count: i64,
        length: i64,
        stride: i64,
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::Vector, width).counts(&[count, length, stride])?;
        let stride = stride.checked_mul(old.extent()).ok_or_else(too_large)?;
        derived(contents, old, strided(count, length, stride, old)?)
    }

    /// `count` blocks of `length`, `stride` bytes apart.
    ///
    /// # Errors
    /// As [`Datatype::vector`].
    pub fn hvector(
        count: i64,
        length: i64,
        stride: i64,
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::Hvector, width)
            .counts(&[count, length])?
            .addresses(&[stride]);
        derived(contents, old, strided(count, length, stride, old)?)
    }

    /// Blocks of these lengths at these displacements, in elements.
    ///
    /// # Errors
    /// [`Class::Arg`] for a length, or when the slices are not of one length.
    pub fn indexed(
        lengths: &[i64],
        displacements: &[i64],
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::Indexed, width)
            .counts(&[lengths.len() as i64])?
            .counts(lengths)?
            .counts(displacements)?;
        let places = displacements.iter().map(|at| in_bytes(*at, old));
        derived(contents, old, blocks(lengths, places, old)?)
    }

    /// Blocks of these lengths at these displacements, in bytes.
    ///
    /// # Errors
    /// As [`Datatype::indexed`].
    pub fn hindexed(
        lengths: &[i64],
        displacements: &[i64],
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::Hindexed, width)
            .counts(&[lengths.len() as i64])?
            .counts(lengths)?
            .addresses(displacements);
        let places = displacements.iter().map(|at| Ok(*at));
        derived(contents, old, blocks(lengths, places, old)?)
    }

    /// Blocks of one length at these displacements, in elements.
    ///
    /// # Errors
    /// [`Class::Arg`] for the length.
    pub fn indexed_block(
        length: i64,
        displacements: &[i64],
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::IndexedBlock, width)
            .counts(&[displacements.len() as i64, length])?
            .counts(displacements)?;
        check_length(length)?;
        let places = displacements
            .iter()
            .map(|at| Ok((in_bytes(*at, old)?, length)));
        derived(contents, old, old.map().blocks(places)?)
    }

    /// Blocks of one length at these displacements, in bytes.
    ///
    /// # Errors
    /// [`Class::Arg`] for the length.
    pub fn hindexed_block(
        length: i64,
        displacements: &[i64],
        old: &Datatype,
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::HindexedBlock, width)
            .counts(&[displacements.len() as i64, length])?
            .addresses(displacements);
        check_length(length)?;
        let places = displacements.iter().map(|at| Ok((*at, length)));
        derived(contents, old, old.map().blocks(places)?)
    }

    /// Blocks of these lengths of different datatypes at these displacements, in bytes.
    ///
    /// # Errors
    /// [`Class::Arg`] for a length, or when the slices are not of one length.
    pub fn structure(
        lengths: &[i64],
        displacements: &[i64],
        types: &[Datatype],
        width: Width,
    ) -> Result<Self> {
        let contents = Contents::new(Combiner::Struct, width)
            .counts(&[lengths.len() as i64])?
            .counts(lengths)?
            .addresses(displacements)
            .datatypes(types);
        if lengths.len() != displacements.len() || lengths.len() != types.len() {
            return Err(unequal());
        }
        let mut members = Vec::with_capacity(types.len());
        for ((&length, &at), old) in lengths.iter().zip(displacements).zip(types) {
            check_length(length)?;
            members.push((at, old.map().repeat(length, old.extent())?));
        }
        Ok(Self::new(
            Origin::Derived,
            contents,
            TypeMap::sequence(&members)?,
        ))
    }

    /// The same elements between other bounds.
    ///
    /// # Errors
    /// See [`Datatype::contiguous`].
    pub fn resized(old: &Datatype, lower: i64, extent: i64, width: Width) -> Result<Self> {
        let contents = Contents::new(Combiner::Resized, width).addresses(&[lower, extent]);
        derived(contents, old, old.map().clone().resized(lower, extent)?)
    }

    /// The same once more; committed if `self` is. Its name is not taken over.
    pub fn duplicate(&self) -> Self {
        let contents = Contents::new(Combiner::Dup, Width::Int);
        let contents = contents.datatypes(std::slice::from_ref(self));
        let copy = Self::new(Origin::Derived, contents, self.map().clone());
        if self.is_committed() {
            copy.commit();
        }
        copy
    }
}

impl Datatype {
    /// A new datatype like this one, made of the same and in the same way; a predefined one is itself.
    /// What `MPI_Type_get_contents` gives.
    pub fn equivalent(&self) -> Self {
        match self.is_predefined() {
            true => self.clone(),
            false => Self::new(Origin::Derived, self.envelope().clone(), self.map().clone()),
        }
    }
}

/// A datatype that was made of one other.
pub(super) fn derived(contents: Contents, old: &Datatype, map: TypeMap) -> Result<Datatype> {
    let contents = contents.datatypes(std::slice::from_ref(old));
    Ok(Datatype::new(Origin::Derived, contents, map))
}

fn strided(count: i64, length: i64, stride: i64, old: &Datatype) -> Result<TypeMap> {
    check_count(count)?;
    check_length(length)?;
    old.map()
        .repeat(length, old.extent())?
        .repeat(count, stride)
}

fn blocks(
    lengths: &[i64],
    places: impl ExactSizeIterator<Item = Result<i64>>,
    old: &Datatype,
) -> Result<TypeMap> {
    if lengths.len() != places.len() {
        return Err(unequal());
    }
    let blocks = lengths.iter().zip(places).map(|(&length, place)| {
        check_length(length)?;
        Ok((place?, length))
    });
    old.map().blocks(blocks)
}

fn in_bytes(displacement: i64, old: &Datatype) -> Result<i64> {
    displacement.checked_mul(old.extent()).ok_or_else(too_large)
}

fn check_count(count: i64) -> Result<()> {
    match count {
        0.. => Ok(()),
        _ => Err(Error::new(Class::Count, format!("a count of {count}"))),
    }
}

fn check_length(length: i64) -> Result<()> {
    match length {
        0.. => Ok(()),
        _ => Err(Error::new(
            Class::Arg,
            format!("a block length of {length}"),
        )),
    }
}

#[cold]
fn unequal() -> Error {
    Error::new(Class::Arg, "arrays of different lengths for one datatype")
}
