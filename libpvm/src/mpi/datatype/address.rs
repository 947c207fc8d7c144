//! Sums and differences of addresses (MPI 5.0, 5.1.5). Addresses are numbers without a sign and wrap
//! as pointers do: whatever a program adds, there is a result.

/// The address `displacement` bytes from `base` on (`MPI_Aint_add`).
pub fn add(base: i64, displacement: i64) -> i64 {
    base.wrapping_add(displacement)
}

/// Bytes from `second` to `first` (`MPI_Aint_diff`).
pub fn difference(first: i64, second: i64) -> i64 {
    first.wrapping_sub(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_the_upper_half_have_sums_and_differences() {
        let (low, high) = (i64::MAX - 7, i64::MIN + 8);
        assert_eq!(difference(high, low), 16);
        assert_eq!(add(low, 16), high);
        assert_eq!(add(high, -16), low);
    }
}
