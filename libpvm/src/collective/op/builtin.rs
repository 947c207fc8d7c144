//! The table of built-in operations.
//!
//! Integer sums and products wrap around, as C programs on every machine of today see them.
//! Minimum and maximum of floats ignore a NaN beside a number. Logical operations take any value
//! but zero as true and give one or zero.

use super::number::{Integer, Number};
use super::soft::{Extended, Half, Quad};
use super::{Combine, Function, Located};
use std::cmp::Ordering;

/// A number that elements are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Scalar {
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    /// IEEE 754 binary16.
    F16,
    F32,
    F64,
    /// The 80 bits of x87, in 16 bytes.
    F80,
    /// IEEE 754 binary128.
    F128,
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A number.
    Number(Scalar),
    /// An integer that is true or false.
    Logical(Scalar),
    /// A byte that is no number.
    Byte,
    /// Two numbers: the real and the imaginary part.
    Complex(Scalar),
    /// A value and an index, packed without gap.
    Located(Scalar, Scalar),
}

impl Scalar {
    /// Whether it is a floating-point number.
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Scalar::F16 | Scalar::F32 | Scalar::F64 | Scalar::F80 | Scalar::F128
        )
    }

    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 | Scalar::F16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
            Scalar::I128 | Scalar::U128 | Scalar::F80 | Scalar::F128 => 16,
        }
    }
}

impl Kind {
    /// Packed bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Kind::Number(scalar) | Kind::Logical(scalar) => scalar.size(),
            Kind::Byte => 1,
            Kind::Complex(part) => 2 * part.size(),
            Kind::Located(value, index) => value.size() + index.size(),
        }
    }
}

/// A built-in operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Builtin {
    /// Logical and.
    And,
    /// Bitwise and.
    BitAnd,
    /// Bitwise or.
    BitOr,
    /// Bitwise exclusive or.
    BitXor,
    /// The left operand: of all, that of the lowest rank.
    First,
    /// The right operand: of all, that of the highest rank.
    Last,
    /// Maximum.
    Max,
    /// Maximum and its index; of equal ones the lowest index.
    MaxLocated,
    /// Minimum.
    Min,
    /// Minimum and its index; of equal ones the lowest index.
    MinLocated,
    /// Logical or.
    Or,
    /// Product.
    Product,
    /// Sum.
    Sum,
    /// Logical exclusive or.
    Xor,
}

impl Builtin {
    /// Whether the order of operands does not matter.
    pub fn is_commutative(self) -> bool {
        !matches!(self, Builtin::First | Builtin::Last)
    }
}

/// The function of an operation on a kind; `None` if it has no meaning there.
pub(super) fn function(kind: Kind, builtin: Builtin) -> Option<Function> {
    match (kind, builtin) {
        (_, Builtin::First) => Some(Function::Builtin(|from, into| into.copy_from_slice(from))),
        (_, Builtin::Last) => Some(Function::Builtin(|_, _| ())),
        (Kind::Located(value, index), Builtin::MaxLocated | Builtin::MinLocated) => {
            let is_max = builtin == Builtin::MaxLocated;
            Some(Function::Located(Located {
                value: (value.size(), comparison(value)),
                index: (index.size(), comparison(index)),
                is_max,
            }))
        }
        _ => combine(kind, builtin).map(Function::Builtin),
    }
}

/// Calls a function of numbers for a scalar, which is an integer.
macro_rules! of_integer {
    ($scalar:expr, $function:ident ($($argument:expr)?), $others:expr) => {
        match $scalar {
            Scalar::I8 => $function::<i8>($($argument)?),
            Scalar::I16 => $function::<i16>($($argument)?),
            Scalar::I32 => $function::<i32>($($argument)?),
            Scalar::I64 => $function::<i64>($($argument)?),
            Scalar::I128 => $function::<i128>($($argument)?),
            Scalar::U8 => $function::<u8>($($argument)?),
            Scalar::U16 => $function::<u16>($($argument)?),
            Scalar::U32 => $function::<u32>($($argument)?),
            Scalar::U64 => $function::<u64>($($argument)?),
            Scalar::U128 => $function::<u128>($($argument)?),
            _ => $others,
        }
    };
}

/// The same when it is a floating-point number.
macro_rules! of_float {
    ($scalar:expr, $function:ident ($($argument:expr)?), $others:expr) => {
        match $scalar {
            Scalar::F16 => $function::<Half>($($argument)?),
            Scalar::F32 => $function::<f32>($($argument)?),
            Scalar::F64 => $function::<f64>($($argument)?),
            Scalar::F80 => $function::<Extended>($($argument)?),
            Scalar::F128 => $function::<Quad>($($argument)?),
            _ => $others,
        }
    };
}

fn combine(kind: Kind, builtin: Builtin) -> Option<Combine> {
    match kind {
        Kind::Number(scalar) => {
            of_integer!(
                scalar,
                integer(builtin),
                of_float!(scalar, ordered(builtin), None)
            )
        }
        Kind::Logical(scalar) => of_integer!(scalar, logical(builtin), None),
        Kind::Byte => bits::<u8>(builtin),
        Kind::Complex(part) => of_float!(part, complex(builtin), None),
        Kind::Located(..) => None,
    }
}

fn comparison(scalar: Scalar) -> Compare {
    of_integer!(
        scalar,
        compare_as(),
        of_float!(
            scalar,
            compare_as(),
            unreachable!("a scalar is one of these")
        )
    )
}

/// How two numbers in packed bytes compare.
pub(super) type Compare = fn(&[u8], &[u8]) -> Option<Ordering>;

fn compare_as<N: Number>() -> Compare {
    |one, other| N::read(one).partial_cmp(&N::read(other))
}

fn bits<N: Integer>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::BitAnd => |from, into| each::<N>(from, into, N::and),
        Builtin::BitOr => |from, into| each::<N>(from, into, N::or),
        Builtin::BitXor => |from, into| each::<N>(from, into, N::xor),
        _ => return None,
    })
}

fn integer<N: Integer>(builtin: Builtin) -> Option<Combine> {
    bits::<N>(builtin)
        .or(ordered::<N>(builtin))
        .or(logical::<N>(builtin))
}

fn ordered<N: Number>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::Max => |from, into| each::<N>(from, into, N::larger),
        Builtin::Min => |from, into| each::<N>(from, into, N::smaller),
        Builtin::Product => |from, into| each::<N>(from, into, N::times),
        Builtin::Sum => |from, into| each::<N>(from, into, N::plus),
        _ => return None,
    })
}

fn logical<N: Number>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::And => |from, into| {
            each::<N>(from, into, |a, b| N::of(a.is_true() & b.is_true()));
        },
        Builtin::Or => |from, into| {
            each::<N>(from, into, |a, b| N::of(a.is_true() | b.is_true()));
        },
        Builtin::Xor => |from, into| {
            each::<N>(from, into, |a, b| N::of(a.is_true() ^ b.is_true()));
        },
        _ => return None,
    })
}

fn complex<N: Number>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::Sum => |from, into| each::<N>(from, into, N::plus),
        Builtin::Product => |from, into| {
            pairs::<N>(from, into, |(a, b), (c, d)| {
                (a.times(c).minus(b.times(d)), a.times(d).plus(b.times(c)))
            });
        },
        _ => return None,
    })
}

/// Applies `f` to all elements. The compiler makes vector instructions of it: reads and writes of
/// a known length without alignment cost nothing.
#[inline(always)]
fn each<N: Number>(from: &[u8], into: &mut [u8], f: impl Fn(N, N) -> N) {
    let size = N::SIZE;
    for (a, b) in from.chunks_exact(size).zip(into.chunks_exact_mut(size)) {
        f(N::read(a), N::read(b)).write(b);
    }
}

/// Applies `f` to all pairs.
#[inline(always)]
fn pairs<N: Number>(from: &[u8], into: &mut [u8], f: impl Fn((N, N), (N, N)) -> (N, N)) {
    let size = N::SIZE;
    let read = |bytes: &[u8]| (N::read(&bytes[..size]), N::read(&bytes[size..]));
    let (lefts, rights) = (from.chunks_exact(2 * size), into.chunks_exact_mut(2 * size));
    for (a, b) in lefts.zip(rights) {
        let (x, y) = f(read(a), read(b));
        x.write(&mut b[..size]);
        y.write(&mut b[size..]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Op;
    use super::*;
    use bytemuck::{Pod, bytes_of};

    /// Combines arrays at an odd address.
    fn run<N: Pod>(kind: Kind, builtin: Builtin, from: &[N], into: &[N]) -> Vec<N> {
        let op = Op::builtin(kind, builtin).unwrap();
        assert_eq!(op.size(), kind.size());
        let shifted = |values: &[N]| [&[0u8], bytemuck::cast_slice::<N, u8>(values)].concat();
        let (from, mut into) = (shifted(from), shifted(into));
        op.apply(&from[1..], &mut into[1..]);
        into[1..]
            .chunks_exact(size_of::<N>())
            .map(bytemuck::pod_read_unaligned)
            .collect()
    }

    #[test]
    fn integers_wrap() {
        use Builtin::*;
        assert_eq!(
            run(Kind::Number(Scalar::I8), Sum, &[127i8, -3], &[1, 5]),
            [-128, 2]
        );
        assert_eq!(
            run(Kind::Number(Scalar::U16), Product, &[300u16], &[300]),
            [24464]
        );
        assert_eq!(
            run(Kind::Number(Scalar::I64), Min, &[-5i64, 9], &[4, 2]),
            [-5, 2]
        );
        assert_eq!(
            run(Kind::Number(Scalar::U64), Max, &[u64::MAX], &[4]),
            [u64::MAX]
        );
        assert_eq!(
            run(Kind::Number(Scalar::U8), BitXor, &[0b1100u8], &[0b1010]),
            [0b0110]
        );
        assert_eq!(run(Kind::Number(Scalar::I32), BitAnd, &[12], &[10]), [8]);
        assert_eq!(run(Kind::Number(Scalar::U32), BitOr, &[12u32], &[10]), [14]);
    }

    #[test]
    fn truth_is_one_or_zero() {
        use Builtin::*;
        assert_eq!(
            run(Kind::Number(Scalar::I32), And, &[7, 7, 0], &[-1, 0, 0]),
            [1, 0, 0]
        );
        assert_eq!(
            run(Kind::Logical(Scalar::U8), Or, &[1u8, 0], &[0, 0]),
            [1, 0]
        );
        assert_eq!(
            run(Kind::Logical(Scalar::I32), Xor, &[3, 3], &[0, 8]),
            [1, 0]
        );
    }

    #[test]
    fn floats_and_complex() {
        use Builtin::*;
        assert_eq!(
            run(Kind::Number(Scalar::F64), Sum, &[0.5, 1.0], &[0.25, -1.0]),
            [0.75, 0.0]
        );
        assert_eq!(
            run(
                Kind::Number(Scalar::F32),
                Max,
                &[f32::NAN, 2.0],
                &[1.0, 3.0]
            ),
            [1.0, 3.0]
        );
        let product = run(
            Kind::Complex(Scalar::F64),
            Product,
            &[1.0, 2.0],
            &[3.0, -1.0],
        );
        assert_eq!(product, [5.0, 5.0]);
        assert_eq!(
            run(Kind::Complex(Scalar::F32), Sum, &[1f32, 2.0], &[3.0, -1.0]),
            [4.0, 1.0]
        );
    }

    #[test]
    fn located_values_prefer_the_lower_index() {
        use Builtin::*;
        let from = [3, 7, 5, 1];
        assert_eq!(
            run(
                Kind::Located(Scalar::I32, Scalar::I32),
                MinLocated,
                &from,
                &[3, 2, 6, 0]
            ),
            [3, 2, 5, 1]
        );
        assert_eq!(
            run(
                Kind::Located(Scalar::I32, Scalar::I32),
                MaxLocated,
                &from,
                &[3, 9, 6, 0]
            ),
            [3, 7, 6, 0]
        );
        let pack = |value: f64, index: i32| [bytes_of(&value), bytes_of(&index)].concat();
        let op = Op::builtin(Kind::Located(Scalar::F64, Scalar::I32), MaxLocated).unwrap();
        let mut into = pack(1.0, 4);
        op.apply(&pack(2.0, 9), &mut into);
        assert_eq!(into, pack(2.0, 9));
    }

    #[test]
    fn meaningless_pairs_are_refused() {
        assert!(Op::builtin(Kind::Number(Scalar::F32), Builtin::BitAnd).is_none());
        assert!(Op::builtin(Kind::Number(Scalar::F64), Builtin::And).is_none());
        assert!(Op::builtin(Kind::Complex(Scalar::F32), Builtin::Max).is_none());
        assert!(Op::builtin(Kind::Located(Scalar::F64, Scalar::I32), Builtin::Sum).is_none());
        assert!(Op::builtin(Kind::Logical(Scalar::U8), Builtin::Sum).is_none());
        assert!(
            !Op::builtin(Kind::Number(Scalar::I8), Builtin::Last)
                .unwrap()
                .is_commutative()
        );
    }

    #[test]
    fn first_and_last_follow_the_operands() {
        assert_eq!(
            run(Kind::Number(Scalar::I32), Builtin::First, &[1], &[2]),
            [1]
        );
        assert_eq!(
            run(Kind::Number(Scalar::I32), Builtin::Last, &[1], &[2]),
            [2]
        );
    }
}
