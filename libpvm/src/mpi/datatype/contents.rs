//! How a datatype was made: its combiner and the arguments of the call, as `MPI_Type_get_envelope` and
//! `MPI_Type_get_contents` tell them (MPI 5.0, 5.1.13).

use super::Datatype;
use crate::mpi::{Class, Error, Result};

/// The call that made a datatype. The numbers are those of the standard ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs, reason = "each is named as its call")]
pub enum Combiner {
    Named = 101,
    Dup,
    Contiguous,
    Vector,
    Hvector,
    Indexed,
    Hindexed,
    IndexedBlock,
    HindexedBlock,
    Struct,
    Subarray,
    Darray,
    F90Real,
    F90Complex,
    F90Integer,
    Resized,
}

/// Which of its two forms a call had. It decides where its counts are told: among the integers and
/// addresses, or among the large counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The one with `int` and `MPI_Aint`.
    Int,
    /// The one with `MPI_Count`, whose name ends in `_c`.
    Count,
}

/// A combiner and the arguments of its call, in the order of the standard's tables.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The call.
    pub combiner: Combiner,
    /// `array_of_integers`.
    pub integers: Vec<i32>,
    /// `array_of_addresses`.
    pub addresses: Vec<i64>,
    /// `array_of_large_counts`.
    pub counts: Vec<i64>,
    /// `array_of_datatypes`.
    pub datatypes: Vec<Datatype>,
    width: Width,
}

impl Contents {
    /// A call without arguments so far.
    pub(super) fn new(combiner: Combiner, width: Width) -> Self {
        Self {
            combiner,
            integers: Vec::new(),
            addresses: Vec::new(),
            counts: Vec::new(),
            datatypes: Vec::new(),
            width,
        }
    }

    /// Arguments that are `int` in both forms.
    pub(super) fn integers(mut self, integers: &[i32]) -> Self {
        self.integers.extend(integers);
        self
    }

    /// Arguments that are `int` in one form and `MPI_Count` in the other.
    pub(super) fn counts(mut self, counts: &[i64]) -> Result<Self> {
        match self.width {
            Width::Count => self.counts.extend(counts),
            Width::Int => {
                for &count in counts {
                    self.integers.push(int(count)?);
                }
            }
        }
        Ok(self)
    }

    /// Arguments that are `MPI_Aint` in one form and `MPI_Count` in the other.
    pub(super) fn addresses(mut self, addresses: &[i64]) -> Self {
        match self.width {
            Width::Count => self.counts.extend(addresses),
            Width::Int => self.addresses.extend(addresses),
        }
        self
    }

    /// The datatypes of the call.
    pub(super) fn datatypes(mut self, datatypes: &[Datatype]) -> Self {
        self.datatypes.extend(datatypes.iter().cloned());
        self
    }
}

fn int(count: i64) -> Result<i32> {
    i32::try_from(count).map_err(|_| {
        let detail =
            format!("{count} does not fit an int; the call whose name ends in _c takes it");
        Error::new(Class::Count, detail)
    })
}

impl Datatype {
    /// How it was made.
    ///
    /// # Errors
    /// [`Class::Type`] for a named datatype, which was not made by a call.
    pub fn contents(&self) -> Result<&Contents> {
        match self.0.contents.combiner {
            Combiner::Named => Err(Error::new(Class::Type, "a named datatype has no contents")),
            _ => Ok(&self.0.contents),
        }
    }

    /// Its combiner, and how many arguments of each kind [`Datatype::contents`] has.
    pub fn envelope(&self) -> &Contents {
        &self.0.contents
    }

    /// [`Datatype::envelope`] for a caller that knows no large counts.
    ///
    /// # Errors
    /// [`Class::Type`] for a datatype that was made with large counts: only the calls whose names end
    /// in `_c` can tell of it.
    pub fn small_envelope(&self) -> Result<&Contents> {
        if self.0.contents.counts.is_empty() {
            return Ok(&self.0.contents);
        }
        Err(Error::new(
            Class::Type,
            "the datatype was made with large counts; ask with the call whose name ends in _c",
        ))
    }
}
