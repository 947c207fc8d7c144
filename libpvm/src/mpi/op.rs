//! Reduction operations (MPI 5.0, 6.9).

use super::datatype::basic::{Basic, Float, Kind as Meaning};
use super::datatype::{Datatype, Element};
use super::error::{Class, Error, Result};
use crate::collective::{self, Builtin, Kind, Scalar};
use std::fmt;
use std::sync::Arc;

/// An operation. Clones are the same one.
#[derive(Clone)]
pub enum Op {
    /// One of MPI's.
    Predefined(Predefined),
    /// A function of the program.
    User(Arc<UserOp>),
}

/// Elements of a reduction, as the program has named their datatype.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    /// What they are.
    pub datatype: &'a Datatype,
    /// The handle by which the program's interface knows the datatype.
    pub handle: u64,
}

/// `into = from op into` for so many packed elements.
pub type OpFunction = dyn Fn(&[u8], &mut [u8], usize, Elements<'_>) + Send + Sync;

/// An operation of the program.
pub struct UserOp {
    /// Whether the order of operands does not matter.
    pub commutative: bool,
    /// What is called.
    pub function: Box<OpFunction>,
}

macro_rules! predefined {
    ($($name:ident = $number:literal $symbol:literal, $builtin:ident;)*) => {
        /// The operations of MPI. The numbers are those of the standard ABI.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Predefined {
            $(#[doc = $symbol] $name = $number,)*
        }

        impl Predefined {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What the standard calls it.
            pub fn symbol(self) -> &'static str {
                match self {
                    $(Self::$name => $symbol,)*
                }
            }

            fn builtin(self) -> Builtin {
                match self {
                    $(Self::$name => Builtin::$builtin,)*
                }
            }
        }

        static OPS: &[Op] = &[$(Op::Predefined(Predefined::$name)),*];
    };
}

predefined! {
    Sum = 33 "MPI_SUM", Sum;
    Min = 34 "MPI_MIN", Min;
    Max = 35 "MPI_MAX", Max;
    Prod = 36 "MPI_PROD", Product;
    Band = 40 "MPI_BAND", BitAnd;
    Bor = 41 "MPI_BOR", BitOr;
    Bxor = 42 "MPI_BXOR", BitXor;
    Land = 48 "MPI_LAND", And;
    Lor = 49 "MPI_LOR", Or;
    Lxor = 50 "MPI_LXOR", Xor;
    Minloc = 56 "MPI_MINLOC", MinLocated;
    Maxloc = 57 "MPI_MAXLOC", MaxLocated;
    Replace = 60 "MPI_REPLACE", First;
    NoOp = 61 "MPI_NO_OP", Last;
}

impl Op {
    /// The operation of a constant; `None`: no operation has it (`MPI_OP_NULL`, too).
    pub fn named(number: i32) -> Option<&'static Op> {
        let at = Predefined::ALL.iter().position(|op| *op as i32 == number)?;
        Some(&OPS[at])
    }

    /// Whether the order of operands does not matter.
    pub fn is_commutative(&self) -> bool {
        match self {
            Op::Predefined(op) => op.builtin().is_commutative(),
            Op::User(op) => op.commutative,
        }
    }

    /// The operation on elements of a reduction.
    ///
    /// # Errors
    /// [`Class::Op`] when it has no meaning for them, or is for accumulation in windows only;
    /// [`Class::Type`] when their datatype is not committed.
    pub fn reduction(&self, elements: Elements<'_>) -> Result<collective::Op> {
        match self {
            Op::Predefined(op @ (Predefined::Replace | Predefined::NoOp)) => Err(Error::new(
                Class::Op,
                format!("{} is no operation of reductions", op.symbol()),
            )),
            _ => self.combination(elements),
        }
    }

    /// The operation on elements of a reduction or of an accumulation in a window.
    ///
    /// # Errors
    /// As [`Op::reduction`].
    pub fn combination(&self, elements: Elements<'_>) -> Result<collective::Op> {
        let datatype = elements.datatype;
        match self {
            Op::Predefined(op) => {
                let kind = datatype.element().and_then(|element| kind(element, *op));
                let known = kind.and_then(|kind| collective::Op::builtin(kind, op.builtin()));
                known.ok_or_else(|| meaningless(*op, datatype))
            }
            Op::User(op) => {
                datatype.layout()?;
                let (op, datatype) = (Arc::clone(op), datatype.clone());
                let (handle, commutative) = (elements.handle, op.commutative);
                let size = usize::try_from(datatype.size()).unwrap_or(0);
                let function = move |from: &[u8], into: &mut [u8], count: usize| {
                    let datatype = &datatype;
                    (op.function)(from, into, count, Elements { datatype, handle });
                };
                Ok(collective::Op::user(size, commutative, Arc::new(function)))
            }
        }
    }

    /// A number for it, below 64, by which ranks notice that theirs differ.
    pub(super) fn code(&self) -> u32 {
        match self {
            Op::Predefined(op) => *op as u32 - OP_NULL,
            Op::User(op) => 62 + u32::from(op.commutative),
        }
    }
}

/// The constant of the operation that is none.
const OP_NULL: u32 = 32;

/// The operation of a code, for people.
pub(super) fn name_of_code(code: u32) -> &'static str {
    let named = i32::try_from(code + OP_NULL).ok().and_then(Op::named);
    match named {
        Some(Op::Predefined(op)) => op.symbol(),
        _ if code == 62 => "an operation of the program that is not commutative",
        _ => "an operation of the program",
    }
}

#[cold]
fn meaningless(op: Predefined, datatype: &Datatype) -> Error {
    let what = match &*datatype.name() {
        _ if !datatype.is_predefined() => "a derived datatype".to_owned(),
        "" => "this datatype".to_owned(),
        name => name.to_owned(),
    };
    Error::new(
        Class::Op,
        format!("{} has no meaning for {what}", op.symbol()),
    )
}

/// What an operation sees in an element (MPI 5.0, 6.9.2); `None`: it may not be used.
fn kind(element: Element, op: Predefined) -> Option<Kind> {
    let basic = match element {
        Element::Basic(basic) => basic,
        Element::Pair { value, index, .. } => {
            return Some(Kind::Located(scalar(value)?, scalar(index)?));
        }
    };
    match basic.kind {
        Meaning::Byte if basic.name == "MPI_BYTE" => Some(Kind::Byte),
        Meaning::Signed | Meaning::Unsigned if is_logical(op) && !is_of_c(basic) => None,
        Meaning::Signed | Meaning::Unsigned | Meaning::Float(_) => {
            Some(Kind::Number(scalar(basic)?))
        }
        Meaning::Logical => Some(Kind::Logical(scalar(basic)?)),
        Meaning::Complex(part) => Some(Kind::Complex(float(part))),
        // In windows even what has no value can be replaced.
        _ if matches!(op, Predefined::Replace | Predefined::NoOp) => opaque(basic.size),
        _ => None,
    }
}

fn is_logical(op: Predefined) -> bool {
    matches!(op, Predefined::Land | Predefined::Lor | Predefined::Lxor)
}

/// Whether an integer is one of C's: others are no truth values.
fn is_of_c(integer: &Basic) -> bool {
    let is_address = matches!(integer.name, "MPI_AINT" | "MPI_COUNT" | "MPI_OFFSET");
    !is_address && !integer.name.starts_with("MPI_INTEGER")
}

fn opaque(size: usize) -> Option<Kind> {
    integer(size, false).map(Kind::Number)
}

fn scalar(basic: &Basic) -> Option<Scalar> {
    match basic.kind {
        Meaning::Float(format) => Some(float(format)),
        kind => integer(basic.size, kind == Meaning::Signed),
    }
}

fn float(format: Float) -> Scalar {
    match format {
        Float::Half => Scalar::F16,
        Float::Single => Scalar::F32,
        Float::Double => Scalar::F64,
        Float::Extended => Scalar::F80,
        Float::Quad => Scalar::F128,
    }
}

fn integer(size: usize, signed: bool) -> Option<Scalar> {
    Some(match (size, signed) {
        (1, true) => Scalar::I8,
        (2, true) => Scalar::I16,
        (4, true) => Scalar::I32,
        (8, true) => Scalar::I64,
        (16, true) => Scalar::I128,
        (1, false) => Scalar::U8,
        (2, false) => Scalar::U16,
        (4, false) => Scalar::U32,
        (8, false) => Scalar::U64,
        (16, false) => Scalar::U128,
        _ => return None,
    })
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of_code(self.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of MPI 5.0, 6.9.2, by groups of datatypes.
    fn allowed(name: &str) -> &'static [Predefined] {
        use Predefined::*;
        match name {
            "MPI_CHAR" | "MPI_WCHAR" | "MPI_CHARACTER" | "MPI_PACKED" => &[],
            "MPI_BYTE" => &[Band, Bor, Bxor],
            "MPI_AINT" | "MPI_COUNT" | "MPI_OFFSET" => &[Max, Min, Sum, Prod, Band, Bor, Bxor],
            "MPI_FLOAT" | "MPI_DOUBLE" | "MPI_LONG_DOUBLE" | "MPI_DOUBLE_PRECISION" => {
                &[Max, Min, Sum, Prod]
            }
            "MPI_2REAL" | "MPI_2DOUBLE_PRECISION" | "MPI_2INTEGER" | "MPI_2INT" => {
                &[Minloc, Maxloc]
            }
            pair if pair.ends_with("_INT") && !matches!(pair, "MPI_INT" | "MPI_LONG_LONG_INT") => {
                &[Minloc, Maxloc]
            }
            name if name.starts_with("MPI_INTEGER") => &[Max, Min, Sum, Prod, Band, Bor, Bxor],
            name if name.starts_with("MPI_REAL") => &[Max, Min, Sum, Prod],
            name if name.starts_with("MPI_LOGICAL") || name.ends_with("_BOOL") => {
                &[Land, Lor, Lxor]
            }
            name if name.contains("COMPLEX") => &[Sum, Prod],
            _ => &[Max, Min, Sum, Prod, Land, Lor, Lxor, Band, Bor, Bxor],
        }
    }

    #[test]
    fn operations_are_for_the_datatypes_of_the_standard() {
        for datatype in Datatype::all_named() {
            let name = datatype.name();
            for &op in Predefined::ALL {
                let elements = Elements {
                    datatype,
                    handle: 0,
                };
                let made = Op::Predefined(op).reduction(elements);
                assert_eq!(made.is_ok(), allowed(&name).contains(&op), "{op:?} {name}");
                match made {
                    Ok(made) => assert_eq!(made.size() as i64, datatype.size(), "{name}"),
                    Err(error) => assert_eq!(error.class(), Some(Class::Op)),
                }
            }
        }
    }

    #[test]
    fn everything_can_be_replaced_in_a_window() {
        for datatype in Datatype::all_named() {
            let elements = Elements {
                datatype,
                handle: 0,
            };
            for op in [Predefined::Replace, Predefined::NoOp] {
                let made = Op::Predefined(op).combination(elements);
                assert!(made.is_ok(), "{datatype:?}");
            }
        }
    }

    #[test]
    fn constants_are_found() {
        assert!(Op::named(32).is_none());
        assert!(matches!(
            Op::named(33),
            Some(Op::Predefined(Predefined::Sum))
        ));
        assert_eq!(format!("{:?}", Op::named(61).unwrap()), "MPI_NO_OP");
    }

    #[test]
    fn a_function_is_told_the_handle() {
        let function = Box::new(
            |from: &[u8], into: &mut [u8], count: usize, elements: Elements<'_>| {
                assert_eq!((count, elements.handle), (2, 77));
                into.copy_from_slice(from);
            },
        );
        let op = Op::User(Arc::new(UserOp {
            commutative: false,
            function,
        }));
        let datatype = Datatype::named(521).unwrap();
        let handle = 77;
        let made = op.reduction(Elements { datatype, handle }).unwrap();
        let mut into = [0; 8];
        made.apply(&[1; 8], &mut into);
        assert_eq!(into, [1; 8]);
        assert!(!made.is_commutative());
    }
}
