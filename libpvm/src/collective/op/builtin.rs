//! The table of built-in operations.
//!
//! Integer sums and products wrap around, as C programs on every machine of today see them.
//! Minimum and maximum of floats ignore a NaN beside a number. Logical operations take any value
//! but zero as true and give one or zero.

use super::Combine;
use bytemuck::AnyBitPattern;

/// What an element is. Complex numbers are (real, imaginary); located values are a value and an
/// index of the second type, packed without gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Kind {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    /// One byte.
    Bool,
    /// Four bytes, as Fortran's default logical.
    Logical32,
    /// Two `f32`.
    Complex32,
    /// Two `f64`.
    Complex64,
    I16AndI32,
    I32AndI32,
    I64AndI32,
    I64AndI64,
    F32AndI32,
    F64AndI32,
    F32AndF32,
    F64AndF64,
}

impl Kind {
    /// Packed bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 | Kind::Logical32 => 4,
            Kind::I16AndI32 => 6,
            Kind::I64 | Kind::U64 | Kind::F64 | Kind::Complex32 => 8,
            Kind::I32AndI32 | Kind::F32AndI32 | Kind::F32AndF32 => 8,
            Kind::I64AndI32 | Kind::F64AndI32 => 12,
            Kind::Complex64 | Kind::I64AndI64 | Kind::F64AndF64 => 16,
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
pub(super) fn combine(kind: Kind, builtin: Builtin) -> Option<Combine> {
    match builtin {
        Builtin::First => return Some(|from, into| into.copy_from_slice(from)),
        Builtin::Last => return Some(|_, _| ()),
        _ => {}
    }
    match kind {
        Kind::I8 => integer::<i8>(builtin),
        Kind::I16 => integer::<i16>(builtin),
        Kind::I32 => integer::<i32>(builtin),
        Kind::I64 => integer::<i64>(builtin),
        Kind::U8 => integer::<u8>(builtin),
        Kind::U16 => integer::<u16>(builtin),
        Kind::U32 => integer::<u32>(builtin),
        Kind::U64 => integer::<u64>(builtin),
        Kind::F32 => float::<f32>(builtin),
        Kind::F64 => float::<f64>(builtin),
        Kind::Bool => logical::<u8>(builtin),
        Kind::Logical32 => logical::<i32>(builtin),
        Kind::Complex32 => complex::<f32>(builtin),
        Kind::Complex64 => complex::<f64>(builtin),
        Kind::I16AndI32 => located::<i16, i32>(builtin),
        Kind::I32AndI32 => located::<i32, i32>(builtin),
        Kind::I64AndI32 => located::<i64, i32>(builtin),
        Kind::I64AndI64 => located::<i64, i64>(builtin),
        Kind::F32AndI32 => located::<f32, i32>(builtin),
        Kind::F64AndI32 => located::<f64, i32>(builtin),
        Kind::F32AndF32 => located::<f32, f32>(builtin),
        Kind::F64AndF64 => located::<f64, f64>(builtin),
    }
}

/// A number as it lies in packed bytes.
trait Number: AnyBitPattern + bytemuck::NoUninit + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn smaller(self, other: Self) -> Self;
    fn larger(self, other: Self) -> Self;

    fn is_true(self) -> bool {
        self != Self::ZERO
    }

    fn of(truth: bool) -> Self {
        if truth { Self::ONE } else { Self::ZERO }
    }

    fn read(bytes: &[u8]) -> Self {
        bytemuck::pod_read_unaligned(bytes)
    }

    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(bytemuck::bytes_of(&self));
    }
}

trait Integer: Number {
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
            fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
            fn smaller(self, other: Self) -> Self { self.min(other) }
            fn larger(self, other: Self) -> Self { self.max(other) }
        }
        impl Integer for $type {
            fn and(self, other: Self) -> Self { self & other }
            fn or(self, other: Self) -> Self { self | other }
            fn xor(self, other: Self) -> Self { self ^ other }
        }
    )* };
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! floats {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn plus(self, other: Self) -> Self { self + other }
            fn minus(self, other: Self) -> Self { self - other }
            fn times(self, other: Self) -> Self { self * other }
            fn smaller(self, other: Self) -> Self { self.min(other) }
            fn larger(self, other: Self) -> Self { self.max(other) }
        }
    )* };
}
floats!(f32 f64);

fn integer<N: Integer>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::BitAnd => |from, into| each::<N>(from, into, N::and),
        Builtin::BitOr => |from, into| each::<N>(from, into, N::or),
        Builtin::BitXor => |from, into| each::<N>(from, into, N::xor),
        _ => return ordered::<N>(builtin).or(logical::<N>(builtin)),
    })
}

fn float<N: Number>(builtin: Builtin) -> Option<Combine> {
    ordered::<N>(builtin)
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
            pairs::<N, N>(from, into, |(a, b), (c, d)| {
                (a.times(c).minus(b.times(d)), a.times(d).plus(b.times(c)))
            });
        },
        _ => return None,
    })
}

fn located<V: Number, I: Number>(builtin: Builtin) -> Option<Combine> {
    Some(match builtin {
        Builtin::MaxLocated => |from, into| {
            pairs::<V, I>(from, into, |a, b| nearer(a, b, a.0 > b.0));
        },
        Builtin::MinLocated => |from, into| {
            pairs::<V, I>(from, into, |a, b| nearer(a, b, a.0 < b.0));
        },
        _ => return None,
    })
}

/// `left` if it wins, the lower index if nobody does.
fn nearer<V: Number, I: Number>(left: (V, I), right: (V, I), left_wins: bool) -> (V, I) {
    if left_wins || left.0 == right.0 && left.1 < right.1 {
        left
    } else {
        right
    }
}

/// Applies `f` to all elements. The compiler makes vector instructions of it: reads and writes of
/// a known length without alignment cost nothing.
#[inline(always)]
fn each<N: Number>(from: &[u8], into: &mut [u8], f: impl Fn(N, N) -> N) {
    let size = size_of::<N>();
    for (a, b) in from.chunks_exact(size).zip(into.chunks_exact_mut(size)) {
        f(N::read(a), N::read(b)).write(b);
    }
}

/// Applies `f` to all pairs.
#[inline(always)]
fn pairs<A: Number, B: Number>(from: &[u8], into: &mut [u8], f: impl Fn((A, B), (A, B)) -> (A, B)) {
    let (first, both) = (size_of::<A>(), size_of::<A>() + size_of::<B>());
    let read = |bytes: &[u8]| (A::read(&bytes[..first]), B::read(&bytes[first..]));
    for (a, b) in from.chunks_exact(both).zip(into.chunks_exact_mut(both)) {
        let (x, y) = f(read(a), read(b));
        x.write(&mut b[..first]);
        y.write(&mut b[first..]);
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
        assert_eq!(run(Kind::I8, Sum, &[127i8, -3], &[1, 5]), [-128, 2]);
        assert_eq!(run(Kind::U16, Product, &[300u16], &[300]), [24464]);
        assert_eq!(run(Kind::I64, Min, &[-5i64, 9], &[4, 2]), [-5, 2]);
        assert_eq!(run(Kind::U64, Max, &[u64::MAX], &[4]), [u64::MAX]);
        assert_eq!(run(Kind::U8, BitXor, &[0b1100u8], &[0b1010]), [0b0110]);
        assert_eq!(run(Kind::I32, BitAnd, &[12], &[10]), [8]);
        assert_eq!(run(Kind::U32, BitOr, &[12u32], &[10]), [14]);
    }

    #[test]
    fn truth_is_one_or_zero() {
        use Builtin::*;
        assert_eq!(run(Kind::I32, And, &[7, 7, 0], &[-1, 0, 0]), [1, 0, 0]);
        assert_eq!(run(Kind::Bool, Or, &[1u8, 0], &[0, 0]), [1, 0]);
        assert_eq!(run(Kind::Logical32, Xor, &[3, 3], &[0, 8]), [1, 0]);
    }

    #[test]
    fn floats_and_complex() {
        use Builtin::*;
        assert_eq!(run(Kind::F64, Sum, &[0.5, 1.0], &[0.25, -1.0]), [0.75, 0.0]);
        assert_eq!(
            run(Kind::F32, Max, &[f32::NAN, 2.0], &[1.0, 3.0]),
            [1.0, 3.0]
        );
        let product = run(Kind::Complex64, Product, &[1.0, 2.0], &[3.0, -1.0]);
        assert_eq!(product, [5.0, 5.0]);
        assert_eq!(
            run(Kind::Complex32, Sum, &[1f32, 2.0], &[3.0, -1.0]),
            [4.0, 1.0]
        );
    }

    #[test]
    fn located_values_prefer_the_lower_index() {
        use Builtin::*;
        let from = [3, 7, 5, 1];
        assert_eq!(
            run(Kind::I32AndI32, MinLocated, &from, &[3, 2, 6, 0]),
            [3, 2, 5, 1]
        );
        assert_eq!(
            run(Kind::I32AndI32, MaxLocated, &from, &[3, 9, 6, 0]),
            [3, 7, 6, 0]
        );
        let pack = |value: f64, index: i32| [bytes_of(&value), bytes_of(&index)].concat();
        let op = Op::builtin(Kind::F64AndI32, MaxLocated).unwrap();
        let mut into = pack(1.0, 4);
        op.apply(&pack(2.0, 9), &mut into);
        assert_eq!(into, pack(2.0, 9));
    }

    #[test]
    fn meaningless_pairs_are_refused() {
        assert!(Op::builtin(Kind::F32, Builtin::BitAnd).is_none());
        assert!(Op::builtin(Kind::F64, Builtin::And).is_none());
        assert!(Op::builtin(Kind::Complex32, Builtin::Max).is_none());
        assert!(Op::builtin(Kind::F64AndI32, Builtin::Sum).is_none());
        assert!(Op::builtin(Kind::Bool, Builtin::Sum).is_none());
        assert!(
            !Op::builtin(Kind::I8, Builtin::Last)
                .unwrap()
                .is_commutative()
        );
    }

    #[test]
    fn first_and_last_follow_the_operands() {
        assert_eq!(run(Kind::I32, Builtin::First, &[1], &[2]), [1]);
        assert_eq!(run(Kind::I32, Builtin::Last, &[1], &[2]), [2]);
    }
}
