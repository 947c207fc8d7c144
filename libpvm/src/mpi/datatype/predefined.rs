//! Datatypes of the library that a call gives: those of Fortran kinds and sizes (MPI 5.0, 19.1.9), which
//! are committed, which nobody frees, and of which the same arguments give the same one; and pairs of a
//! value and an index, of which there are those with a constant.

use super::basic::{Basic, Float, LONG_DOUBLE};
use super::contents::{Combiner, Contents, Width};
use super::named::{basic, pair};
use super::typemap::TypeMap;
use super::{Datatype, Element, Origin};
use crate::mpi::comm::UNDEFINED;
use crate::mpi::object::lock;
use crate::mpi::{Class, Error, Result};
use std::collections::HashMap;
use std::sync::Mutex;

/// A class of Fortran's types. The numbers are those of the standard ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TypeClass {
    /// `LOGICAL`
    Logical = 191,
    /// `INTEGER`
    Integer = 192,
    /// `REAL`
    Real = 193,
    /// `COMPLEX`
    Complex = 194,
}

/// The call and its two arguments.
type Key = (Combiner, i32, i32);

/// Given so far. As many as a program has kinds: the arguments that are accepted are few.
static GIVEN: Mutex<Option<HashMap<Key, Datatype>>> = Mutex::new(None);

/// The floating-point kinds of gfortran: decimal digits, decimal exponents, format.
const REALS: &[(i32, i32, Float)] = &[
    (6, 37, Float::Single),
    (15, 307, Float::Double),
    (18, 4931, LONG_DOUBLE),
    (33, 4931, Float::Quad),
];

/// Its integer kinds: decimal digits, and the constant of the datatype.
const INTEGERS: &[(i32, i32)] = &[(2, 705), (4, 713), (9, 721), (18, 729), (38, 737)];

impl Element {
    /// A pair as C lays out a structure of the two.
    pub(super) fn pair(value: &'static Basic, index: &'static Basic) -> Self {
        Element::Pair {
            value,
            index,
            offset: value.size.next_multiple_of(index.alignment()),
        }
    }

    fn map(self) -> TypeMap {
        match self {
            Element::Basic(basic) => TypeMap::basic(basic),
            Element::Pair {
                value,
                index,
                offset,
            } => {
                let index = (offset as i64, TypeMap::basic(index));
                let members = [(0, TypeMap::basic(value)), index];
                TypeMap::sequence(&members).expect("two elements are small")
            }
        }
    }
}

impl Datatype {
    /// A datatype with a constant.
    pub(super) fn predefined(origin: Origin) -> Self {
        Self::given(origin, Contents::new(Combiner::Named, Width::Int))
    }

    fn given(origin: Origin, contents: Contents) -> Self {
        let (Origin::Named { element, .. } | Origin::Unnamed { element }) = origin else {
            unreachable!("derived datatypes are made by constructors");
        };
        Self::new(origin, contents, element.map())
    }

    /// Fortran's `REAL` of at least `p` decimal digits and `r` decimal exponents; one of them may be
    /// [`UNDEFINED`].
    ///
    /// # Errors
    /// [`Class::Arg`] when gfortran has no such kind.
    pub fn f90_real(p: i32, r: i32) -> Result<Self> {
        let number = match real_kind(p, r)? {
            Float::Half | Float::Single => 722,
            Float::Double => 730,
            Float::Extended => 544,
            Float::Quad => 738,
        };
        Ok(kind(Combiner::F90Real, number, &[p, r]))
    }

    /// Fortran's `COMPLEX` of two such numbers.
    ///
    /// # Errors
    /// As [`Datatype::f90_real`].
    pub fn f90_complex(p: i32, r: i32) -> Result<Self> {
        let number = match real_kind(p, r)? {
            Float::Half | Float::Single => 731,
            Float::Double => 739,
            Float::Extended => 548,
            Float::Quad => 747,
        };
        Ok(kind(Combiner::F90Complex, number, &[p, r]))
    }

    /// Fortran's `INTEGER` of at least `r` decimal digits.
    ///
    /// # Errors
    /// [`Class::Arg`] when gfortran has no such kind.
    pub fn f90_integer(r: i32) -> Result<Self> {
        let found = INTEGERS
            .iter()
            .find(|&&(digits, _)| (0..=digits).contains(&r));
        let Some(&(_, number)) = found else {
            let detail = format!("no integer kind has {r} decimal digits");
            return Err(Error::new(Class::Arg, detail));
        };
        Ok(kind(Combiner::F90Integer, number, &[r]))
    }

    /// The pair of a value and an index for `MPI_MINLOC` and `MPI_MAXLOC`; `None`: there is none of
    /// these. Pairs without a constant are not made: programs take the null handle for "none", and cannot
    /// decode what has a combiner of its own (mpi4py 4.1, for one).
    ///
    /// # Errors
    /// [`Class::Type`] for a datatype that is not predefined.
    pub fn value_index(value: &Datatype, index: &Datatype) -> Result<Option<&'static Self>> {
        let element = |datatype: &Datatype| {
            let detail = "a value or an index is a predefined datatype";
            datatype
                .element()
                .ok_or_else(|| Error::new(Class::Type, detail))
        };
        Ok(match (element(value)?, element(index)?) {
            (Element::Basic(value), Element::Basic(index)) => pair(value, index),
            _ => None,
        })
    }

    /// The datatype of the Fortran type of a class and a size in bytes.
    ///
    /// # Errors
    /// [`Class::Arg`] when there is none.
    pub fn match_size(class: TypeClass, size: i32) -> Result<&'static Self> {
        let number = match (class, size) {
            (TypeClass::Logical, 1) => 704,
            (TypeClass::Logical, 2) => 712,
            (TypeClass::Logical, 4) => 720,
            (TypeClass::Logical, 8) => 728,
            (TypeClass::Logical, 16) => 736,
            (TypeClass::Integer, 1) => 705,
            (TypeClass::Integer, 2) => 713,
            (TypeClass::Integer, 4) => 721,
            (TypeClass::Integer, 8) => 729,
            (TypeClass::Integer, 16) => 737,
            (TypeClass::Real, 2) => 714,
            (TypeClass::Real, 4) => 722,
            (TypeClass::Real, 8) => 730,
            (TypeClass::Real, 16) => 738,
            (TypeClass::Complex, 4) => 723,
            (TypeClass::Complex, 8) => 731,
            (TypeClass::Complex, 16) => 739,
            (TypeClass::Complex, 32) => 747,
            _ => {
                let detail = format!("no Fortran type of class {class:?} has {size} bytes");
                return Err(Error::new(Class::Arg, detail));
            }
        };
        Ok(Self::named(number).expect("a constant of the table"))
    }
}

impl TypeClass {
    /// The class of a constant.
    ///
    /// # Errors
    /// [`Class::Arg`]
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            191 => Ok(TypeClass::Logical),
            192 => Ok(TypeClass::Integer),
            193 => Ok(TypeClass::Real),
            194 => Ok(TypeClass::Complex),
            _ => Err(Error::new(Class::Arg, format!("type class {number}"))),
        }
    }
}

/// The smallest format with so many decimal digits and exponents.
fn real_kind(p: i32, r: i32) -> Result<Float> {
    let asked = |argument: i32| if argument == UNDEFINED { 0 } else { argument };
    let (digits, exponents) = (asked(p), asked(r));
    let found = REALS
        .iter()
        .find(|kind| digits <= kind.0 && exponents <= kind.1);
    match found {
        Some(kind) if digits >= 0 && exponents >= 0 && (p, r) != (UNDEFINED, UNDEFINED) => {
            Ok(kind.2)
        }
        _ => {
            let detail = format!("no real kind has {p} decimal digits and {r} exponents");
            Err(Error::new(Class::Arg, detail))
        }
    }
}

/// The datatype of a Fortran kind, which has the elements of a constant's; made when it is asked for the
/// first time.
fn kind(combiner: Combiner, number: i32, arguments: &[i32]) -> Datatype {
    let key = (
        combiner,
        arguments[0],
        arguments.get(1).copied().unwrap_or(0),
    );
    let mut given = lock(&GIVEN);
    let given = given.get_or_insert_default();
    let made = given.entry(key).or_insert_with(|| {
        let contents = Contents::new(combiner, Width::Int).integers(arguments);
        let element = Element::Basic(basic(number));
        Datatype::given(Origin::Unnamed { element }, contents)
    });
    made.clone()
}
