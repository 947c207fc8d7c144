//! The 80 bits of x87 and the 128 of IEEE 754 binary128: the same exponents, other fractions.
//!
//! x87: a sign, 15 bits of exponent, 64 bits of significand whose highest is written out. Binary128: a
//! sign, 15 bits of exponent, 112 bits of fraction, the highest bit goes without saying unless the
//! exponent is 0.

/// Bits of the fraction of one that the other has not.
const SHIFT: u32 = 112 - 63;
const INTEGER: u64 = 1 << 63;
const EXPONENTS: u16 = 0x7fff;
const FRACTION: u128 = (1 << 112) - 1;

/// An x87 number, as its significand and its sign with exponent, as binary128. Exact. Patterns that
/// are no numbers (the highest bit of the significand is missing) are NaN, as the processor has it.
pub(super) fn to_quad(significand: u64, head: u16) -> u128 {
    let (sign, exponent) = (head & !EXPONENTS, head & EXPONENTS);
    let has_integer = significand & INTEGER != 0;
    let fraction = u128::from(significand & !INTEGER) << SHIFT;
    let (exponent, fraction) = match exponent {
        // With the highest bit set the number is a normal one of the lowest exponent.
        0 => (u16::from(has_integer), fraction),
        _ if !has_integer => (EXPONENTS, 1 << 111),
        _ => (exponent, fraction),
    };
    u128::from(sign | exponent) << 112 | fraction
}

/// The nearest x87 number of a binary128 one: its significand, and its sign with exponent.
pub(super) fn from_quad(quad: u128) -> (u64, u16) {
    let (head, fraction) = ((quad >> 112) as u16, quad & FRACTION);
    let (sign, exponent) = (head & !EXPONENTS, head & EXPONENTS);
    let kept = (fraction >> SHIFT) as u64;
    if exponent == EXPONENTS {
        let quiet = if fraction == 0 { 0 } else { 1 << 62 };
        return (INTEGER | kept | quiet, head);
    }
    let significand = kept | if exponent == 0 { 0 } else { INTEGER };
    let (lost, half) = (fraction & ((1 << SHIFT) - 1), 1u128 << (SHIFT - 1));
    let is_up = lost > half || lost == half && kept & 1 == 1;
    match significand.checked_add(u64::from(is_up)) {
        // The greatest fraction became the next power of two, which may be infinity.
        None => (INTEGER, sign | (exponent + 1)),
        Some(up) if exponent == 0 && up & INTEGER != 0 => (up, sign | 1),
        Some(up) => (up, head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn well_known_numbers() {
        let numbers = [
            ((0, 0), 0),
            ((0, 0x8000), 0x8000 << 112),
            ((INTEGER, 0x3fff), 0x3fff << 112),
            ((0xc000_0000_0000_0000, 0xc000), 0xc000_8000_u128 << 96),
            ((INTEGER, 0x7fff), 0x7fff << 112),
            (
                (u64::MAX, 0x7ffe),
                (0x7ffe << 112) | (FRACTION >> SHIFT << SHIFT),
            ),
            ((1, 0), 1 << SHIFT),
        ];
        for ((significand, head), quad) in numbers {
            assert_eq!(to_quad(significand, head), quad, "{significand:x} {head:x}");
            assert_eq!(from_quad(quad), (significand, head), "{quad:x}");
        }
    }

    #[test]
    fn what_x87_cannot_hold_is_rounded_to_even() {
        let one = 0x3fffu128 << 112;
        let half = 1u128 << (SHIFT - 1);
        assert_eq!(from_quad(one | half), (INTEGER, 0x3fff));
        assert_eq!(from_quad(one | half | 1), (INTEGER | 1, 0x3fff));
        assert_eq!(from_quad(one | (3 * half)), (INTEGER | 2, 0x3fff));
        assert_eq!(from_quad(one | FRACTION), (INTEGER, 0x4000));
        assert_eq!(
            from_quad(0x7ffe << 112 | FRACTION),
            (INTEGER, 0x7fff),
            "infinity"
        );
        assert_eq!(from_quad(FRACTION), (INTEGER, 1), "the least normal number");
    }

    #[test]
    fn not_a_number_stays_so() {
        let (significand, head) = from_quad(0x7fff << 112 | 1);
        assert_eq!((significand, head), (INTEGER | 1 << 62, 0x7fff));
        assert_eq!(to_quad(1, 0x3fff) >> 111, 0xffff, "no number at all");
    }

    proptest! {
        #[test]
        fn numbers_of_x87_come_back(fraction in any::<u64>(), head in any::<u16>()) {
            let significand = match head & EXPONENTS {
                0 => fraction & !INTEGER,
                EXPONENTS => INTEGER | 1 << 62 | fraction,
                _ => INTEGER | fraction,
            };
            prop_assert_eq!(from_quad(to_quad(significand, head)), (significand, head));
        }
    }
}
