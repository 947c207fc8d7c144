//! Floating-point formats that the compiler has no type of: halves, the 80 bits of x87, quads.
//!
//! Sums and products are those of IEEE 754, rounded to the nearest, ties to even. The same code for
//! singles and doubles gives what the processor does, which is how it is tested.

use super::number::Number;
use std::cmp::Ordering;

/// A number as its bits, in a format.
#[derive(Clone, Copy)]
pub(super) struct Soft<const FORMAT: usize>(u128);

/// IEEE 754 binary16.
pub(super) type Half = Soft<0>;
/// The 80 bits of x87, in 16 bytes.
pub(super) type Extended = Soft<1>;
/// IEEE 754 binary128.
pub(super) type Quad = Soft<2>;

/// A binary format.
#[derive(Clone, Copy)]
struct Format {
    /// Bytes in memory.
    size: usize,
    /// Bits of the exponent.
    exponent: u32,
    /// Bits of the significand, the highest one included.
    precision: u32,
    /// Whether the highest bit of the significand is written out.
    has_integer: bool,
}

const fn format(size: usize, exponent: u32, precision: u32, has_integer: bool) -> Format {
    Format {
        size,
        exponent,
        precision,
        has_integer,
    }
}

const FORMATS: [Format; 5] = [
    format(2, 5, 11, false),
    format(16, 15, 64, true),
    format(16, 15, 113, false),
    // Known to the processor too: for tests.
    format(4, 8, 24, false),
    format(8, 11, 53, false),
];

/// What the bits mean.
#[derive(Clone, Copy)]
enum Value {
    Nan,
    Infinite(bool),
    Finite(Finite),
}

/// `significand * 2^exponent`, negative or not. If it is not zero, the highest bit of the significand is
/// bit [`TOP`].
#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    exponent: i32,
    significand: u128,
}

/// Above it there is room for a carry, below 113 bits for what rounding has to know.
const TOP: u32 = 124;

impl Finite {
    fn new(negative: bool, exponent: i32, significand: u128) -> Self {
        if significand == 0 {
            return Self {
                negative,
                exponent: i32::MIN / 2,
                significand,
            };
        }
        let up = significand.leading_zeros() as i32 - (127 - TOP as i32);
        Self {
            negative,
            exponent: exponent - up,
            significand: if up >= 0 {
                significand << up
            } else {
                shift_right(significand, up.unsigned_abs())
            },
        }
    }

    fn plus(self, other: Self) -> Self {
        let magnitude = |value: &Self| (value.exponent, value.significand);
        let (large, small) = match magnitude(&self) >= magnitude(&other) {
            true => (self, other),
            false => (other, self),
        };
        let distance = large.exponent.abs_diff(small.exponent);
        let aligned = shift_right(small.significand, distance);
        if large.negative == small.negative {
            let sum = large.significand + aligned;
            return Self::new(large.negative, large.exponent, sum);
        }
        let difference = large.significand - aligned;
        // What cancels out is positive.
        Self::new(large.negative && difference > 0, large.exponent, difference)
    }

    fn times(self, other: Self) -> Self {
        let negative = self.negative != other.negative;
        let (high, low) = widening_mul(self.significand, other.significand);
        let significand = high | u128::from(low != 0);
        if significand == 0 {
            return Self::new(negative, 0, 0);
        }
        Self::new(negative, self.exponent + other.exponent + 128, significand)
    }
}

/// The lowest bit of the result says whether anything was lost.
fn shift_right(bits: u128, by: u32) -> u128 {
    match by {
        0 => bits,
        1..=127 => (bits >> by) | u128::from(bits << (128 - by) != 0),
        _ => u128::from(bits != 0),
    }
}

/// The upper and the lower half of a product.
fn widening_mul(a: u128, b: u128) -> (u128, u128) {
    let halves = |x: u128| (x >> 64, x & u128::from(u64::MAX));
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    let (middle, carry) = (a1 * b0).overflowing_add(a0 * b1);
    let (low, more) = (a0 * b0).overflowing_add(middle << 64);
    let high = a1 * b1 + (middle >> 64) + (u128::from(carry) << 64) + u128::from(more);
    (high, low)
}

impl<const FORMAT: usize> Soft<FORMAT> {
    const FORMAT: Format = FORMATS[FORMAT];
    /// Bits of the significand that are there.
    const STORED: u32 = Self::FORMAT.precision - 1 + Self::FORMAT.has_integer as u32;
    const SIGN: u128 = 1 << (Self::STORED + Self::FORMAT.exponent);
    const EXPONENTS: u32 = (1 << Self::FORMAT.exponent) - 1;
    const BIAS: i32 = (Self::EXPONENTS >> 1) as i32;
    /// The highest bit of the significand, written out or not.
    const INTEGER: u128 = 1 << (Self::FORMAT.precision - 1);
    /// The part of it that is written out.
    const WRITTEN: u128 = Self::INTEGER * Self::FORMAT.has_integer as u128;
    const NAN: Self = Self(Self::infinity(false).0 | 1 << (Self::FORMAT.precision - 2));

    const fn infinity(negative: bool) -> Self {
        let sign = if negative { Self::SIGN } else { 0 };
        Self(sign | (Self::EXPONENTS as u128) << Self::STORED | Self::WRITTEN)
    }

    fn value(self) -> Value {
        let negative = self.0 & Self::SIGN != 0;
        let field = (self.0 >> Self::STORED) as u32 & Self::EXPONENTS;
        let stored = self.0 & ((1 << Self::STORED) - 1);
        let fraction = stored & (Self::INTEGER - 1);
        // Of x87, whose patterns without this bit are no numbers.
        let lacks_integer = Self::FORMAT.has_integer && stored == fraction;
        match field {
            field if field == Self::EXPONENTS && fraction == 0 && !lacks_integer => {
                Value::Infinite(negative)
            }
            field if field == Self::EXPONENTS || field > 0 && lacks_integer => Value::Nan,
            _ => {
                let integer = if field > 0 { Self::INTEGER } else { 0 };
                let exponent = field.max(1) as i32 - Self::BIAS - Self::INTEGER.ilog2() as i32;
                Value::Finite(Finite::new(negative, exponent, stored | integer))
            }
        }
    }

    /// The nearest number.
    fn round(finite: Finite) -> Self {
        let below = Self::INTEGER.ilog2() as i32;
        let sign = if finite.negative { Self::SIGN } else { 0 };
        // Of the last bit that is kept; subnormal numbers keep fewer bits.
        let highest = finite.exponent.saturating_add(TOP as i32);
        let last = highest.max(1 - Self::BIAS) - below;
        // One bit more, and one that says whether there was anything below.
        let dropped = last.saturating_sub(finite.exponent) as u32 - 2;
        let kept = shift_right(finite.significand, dropped);
        let is_up = kept & 2 != 0 && kept & 5 != 0;
        let significand = (kept >> 2) + u128::from(is_up);
        let field = match significand {
            subnormal if subnormal < Self::INTEGER => 0,
            _ => last + below + Self::BIAS + i32::from(significand == Self::INTEGER << 1),
        };
        if field >= Self::EXPONENTS as i32 {
            return Self::infinity(finite.negative);
        }
        let significand = match significand == Self::INTEGER << 1 {
            true => Self::INTEGER,
            false => significand,
        };
        let stored = significand & ((1 << Self::STORED) - 1);
        Self(sign | (field as u128) << Self::STORED | stored)
    }

    fn negated(self) -> Self {
        Self(self.0 ^ Self::SIGN)
    }

    fn is_nan(self) -> bool {
        matches!(self.value(), Value::Nan)
    }
}

impl<const FORMAT: usize> PartialEq for Soft<FORMAT> {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl<const FORMAT: usize> PartialOrd for Soft<FORMAT> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |number: &Self| {
            let magnitude = (number.0 & (Self::SIGN - 1)) as i128;
            match number.0 & Self::SIGN {
                0 => magnitude,
                _ => -magnitude,
            }
        };
        let is_ordered = !self.is_nan() && !other.is_nan();
        is_ordered.then(|| key(self).cmp(&key(other)))
    }
}

impl<const FORMAT: usize> Number for Soft<FORMAT> {
    const SIZE: usize = Self::FORMAT.size;
    const ZERO: Self = Self(0);
    const ONE: Self = Self((Self::BIAS as u128) << Self::STORED | Self::WRITTEN);

    fn plus(self, other: Self) -> Self {
        match (self.value(), other.value()) {
            (Value::Nan, _) | (_, Value::Nan) => Self::NAN,
            (Value::Infinite(one), Value::Infinite(other)) if one != other => Self::NAN,
            (Value::Infinite(negative), _) | (_, Value::Infinite(negative)) => {
                Self::infinity(negative)
            }
            (Value::Finite(one), Value::Finite(other)) => Self::round(one.plus(other)),
        }
    }

    fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    fn times(self, other: Self) -> Self {
        match (self.value(), other.value()) {
            (Value::Nan, _) | (_, Value::Nan) => Self::NAN,
            (Value::Infinite(one), Value::Infinite(other)) => Self::infinity(one != other),
            (Value::Infinite(one), Value::Finite(other))
            | (Value::Finite(other), Value::Infinite(one)) => match other.significand {
                0 => Self::NAN,
                _ => Self::infinity(one != other.negative),
            },
            (Value::Finite(one), Value::Finite(other)) => Self::round(one.times(other)),
        }
    }

    fn smaller(self, other: Self) -> Self {
        if self < other || other.is_nan() {
            self
        } else {
            other
        }
    }

    fn larger(self, other: Self) -> Self {
        if self > other || other.is_nan() {
            self
        } else {
            other
        }
    }

    fn read(bytes: &[u8]) -> Self {
        let mut room = [0; 16];
        match cfg!(target_endian = "big") {
            true => room[16 - Self::SIZE..].copy_from_slice(bytes),
            false => room[..Self::SIZE].copy_from_slice(bytes),
        }
        // What is above the sign is of no format.
        Self(u128::from_ne_bytes(room) & (Self::SIGN | (Self::SIGN - 1)))
    }

    fn write(self, bytes: &mut [u8]) {
        let room = self.0.to_ne_bytes();
        match cfg!(target_endian = "big") {
            true => bytes.copy_from_slice(&room[16 - Self::SIZE..]),
            false => bytes.copy_from_slice(&room[..Self::SIZE]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Single = Soft<3>;
    type Double = Soft<4>;

    fn single(x: f32) -> Single {
        Soft(x.to_bits().into())
    }

    fn double(x: f64) -> Double {
        Soft(x.to_bits().into())
    }

    fn same_single(soft: Single, hard: f32) -> bool {
        soft.is_nan() && hard.is_nan() || soft.0 == u128::from(hard.to_bits())
    }

    fn same_double(soft: Double, hard: f64) -> bool {
        soft.is_nan() && hard.is_nan() || soft.0 == u128::from(hard.to_bits())
    }

    /// Bits near the limits of the exponent, and near each other, are where mistakes are.
    fn bits() -> impl Strategy<Value = (u64, u64)> {
        let special = prop_oneof![
            Just(0u64),
            Just(1),
            Just(0x7ff0_0000_0000_0000),
            Just(0x000f_ffff_ffff_ffff),
            Just(0x7fef_ffff_ffff_ffff),
            Just(0x3ff0_0000_0000_0000),
            any::<u64>(),
        ];
        let near = (any::<u64>(), -64i64..64, any::<u64>()).prop_map(|(one, away, fraction)| {
            let exponent = ((one >> 52 & 0x7ff) as i64 + away).clamp(0, 0x7fe) as u64;
            (one, (fraction & !(0x7ff << 52)) | exponent << 52)
        });
        prop_oneof![(special.clone(), special), near]
    }

    proptest! {
        #[test]
        fn doubles_are_as_the_processor_has_them((one, other) in bits()) {
            let (a, b) = (f64::from_bits(one), f64::from_bits(other));
            prop_assert!(same_double(double(a).plus(double(b)), a + b), "{} + {}", a, b);
            prop_assert!(same_double(double(a).minus(double(b)), a - b), "{} - {}", a, b);
            prop_assert!(same_double(double(a).times(double(b)), a * b), "{} * {}", a, b);
            prop_assert_eq!(double(a).partial_cmp(&double(b)), a.partial_cmp(&b));
        }

        #[test]
        fn singles_are_as_the_processor_has_them(one: u32, other: u32, away in -30i32..30) {
            let near = (one >> 23 & 0xff) as i32 + away;
            let near = other & !(0xff << 23) | (near.clamp(0, 0xfe) as u32) << 23;
            for other in [other, near] {
                let (a, b) = (f32::from_bits(one), f32::from_bits(other));
                prop_assert!(same_single(single(a).plus(single(b)), a + b), "{} + {}", a, b);
                prop_assert!(same_single(single(a).times(single(b)), a * b), "{} * {}", a, b);
            }
        }

        /// What two doubles give exactly, all wider formats give.
        #[test]
        fn small_integers_are_exact(a in -1000i64..1000, b in -1000i64..1000) {
            check_integers::<1>(a, b)?;
            check_integers::<2>(a, b)?;
            check_integers::<0>(a % 40, b % 40)?;
        }
    }

    fn check_integers<const FORMAT: usize>(a: i64, b: i64) -> Result<(), TestCaseError> {
        let of = |integer: i64| -> Soft<FORMAT> {
            let finite = Finite::new(integer < 0, 0, integer.unsigned_abs().into());
            Soft::round(finite)
        };
        prop_assert_eq!(of(a).plus(of(b)).0, of(a + b).0);
        prop_assert_eq!(of(a).minus(of(b)).0, of(a - b).0);
        prop_assert!(of(a).times(of(b)) == of(a * b));
        prop_assert_eq!(of(a).partial_cmp(&of(b)), a.partial_cmp(&b));
        Ok(())
    }

    #[test]
    fn well_known_bits() {
        assert_eq!(Half::ONE.0, 0x3c00);
        assert_eq!(Half::ONE.plus(Half::ONE).0, 0x4000);
        assert_eq!(Half::infinity(true).0, 0xfc00);
        assert_eq!(Soft::<0>(0x7bff).plus(Soft(0x7bff)).0, 0x7c00, "too large");
        assert_eq!(Extended::ONE.0, 0x3fff_8000_0000_0000_0000);
        let three = Extended::ONE.plus(Extended::ONE).plus(Extended::ONE);
        assert_eq!(three.0, 0x4000_c000_0000_0000_0000);
        assert_eq!(three.times(three).0, 0x4002_9000_0000_0000_0000);
        // The least number that differs from 1 needs all 64 bits.
        let least = Soft::<1>(0x3fff_8000_0000_0000_0001);
        assert_eq!(least.minus(Extended::ONE).0, 0x3fc0_8000_0000_0000_0000);
        assert_eq!(Quad::ONE.0, 0x3fff << 112);
        let least = Soft::<2>(0x3fff << 112 | 1);
        assert_eq!(least.minus(Quad::ONE).0, (0x3fff - 112) << 112);
        // (1 + e)^2 = 1 + 2e + e^2, of which the last is rounded away.
        assert_eq!(least.times(least).0, 0x3fff << 112 | 2);
        assert!(Quad::infinity(false).minus(Quad::infinity(false)).is_nan());
        assert!(
            Soft::<1>(0x3fff_0000_0000_0000_0000).is_nan(),
            "no number of x87"
        );
    }

    #[test]
    fn bytes_come_back() {
        let mut bytes = [0xff; 16];
        Extended::ONE.write(&mut bytes);
        assert!(Extended::read(&bytes) == Extended::ONE);
        bytes[15] = 7;
        assert!(
            Extended::read(&bytes) == Extended::ONE,
            "padding is no part of it"
        );
        assert_eq!(Half::read(&[0, 0x3c]).0, 0x3c00);
    }
}
