//! Lengths of a grid for a number of processes (MPI 5.0, 8.5.2).

use crate::mpi::error::{Class, Error, Result};
use std::collections::HashSet;

/// Fills in the lengths that are 0, so that the grid has exactly so many places: the largest of them
/// is as small as can be, then the second largest, and so on; none is larger than the one before.
///
/// # Errors
/// `MPI_ERR_ARG` when there is no process; `MPI_ERR_DIMS` when a length is negative, or those that are
/// given do not divide the number.
pub fn dims_create(nodes: i32, dims: &mut [i32]) -> Result<()> {
    if nodes < 1 {
        return Err(Error::new(Class::Arg, format!("a grid of {nodes} places")));
    }
    if let Some(dim) = dims.iter().find(|dim| **dim < 0) {
        return Err(Error::new(Class::Dims, format!("a dimension of {dim}")));
    }
    let given = dims.iter().filter(|dim| **dim > 0);
    let given = given.fold(1u64, |all, dim| all.saturating_mul(*dim as u64));
    let nodes = nodes as u64;
    let free = dims.iter().filter(|dim| **dim == 0).count();
    if !nodes.is_multiple_of(given) || free == 0 && given != nodes && !dims.is_empty() {
        let detail = format!("{nodes} places, of which dimensions of {given} are given");
        return Err(Error::new(Class::Dims, detail));
    }
    let mut search = Search::new(nodes / given);
    search.fill(nodes / given, free, nodes);
    let found = search.found.into_iter();
    for (dim, len) in dims.iter_mut().filter(|dim| **dim == 0).zip(found) {
        *dim = len as i32;
    }
    Ok(())
}

/// Looks for factors, the largest first.
struct Search {
    divisors: Vec<u64>,
    found: Vec<u64>,
    /// What is known to have no such factors: number, how many, the largest allowed.
    hopeless: HashSet<(u64, usize, u64)>,
}

impl Search {
    fn new(number: u64) -> Self {
        let small = (1..).take_while(|d| d * d <= number);
        let small: Vec<u64> = small.filter(|d| number.is_multiple_of(*d)).collect();
        let large = small.iter().rev().map(|d| number / d);
        let mut divisors: Vec<u64> = small.iter().copied().chain(large).collect();
        divisors.dedup();
        Self {
            divisors,
            found: Vec::new(),
            hopeless: HashSet::new(),
        }
    }

    /// So many factors of the number, none above `max`.
    fn fill(&mut self, number: u64, count: usize, max: u64) -> bool {
        if count == 0 {
            return number == 1;
        }
        if self.hopeless.contains(&(number, count, max)) {
            return false;
        }
        for at in 0..self.divisors.len() {
            let factor = self.divisors[at];
            if factor > max {
                break;
            }
            let is_enough = power_reaches(factor, count, number);
            if is_enough && number.is_multiple_of(factor) {
                self.found.push(factor);
                if self.fill(number / factor, count - 1, factor) {
                    return true;
                }
                self.found.pop();
            }
        }
        self.hopeless.insert((number, count, max));
        false
    }
}

/// Whether `count` factors of this size make at least the number.
fn power_reaches(factor: u64, count: usize, number: u64) -> bool {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    factor
        .checked_pow(count)
        .is_none_or(|power| power >= number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dims<const N: usize>(nodes: i32, mut dims: [i32; N]) -> Result<[i32; N]> {
        dims_create(nodes, &mut dims).map(|()| dims)
    }

    #[test]
    fn lengths_are_balanced() {
        assert_eq!(dims(6, [0, 0]), Ok([3, 2]));
        assert_eq!(dims(7, [0, 0]), Ok([7, 1]));
        assert_eq!(dims(6, [0, 3, 0]), Ok([2, 3, 1]));
        assert_eq!(dims(24, [0; 3]), Ok([4, 3, 2]));
        assert_eq!(dims(16, [0; 3]), Ok([4, 2, 2]));
        assert_eq!(dims(36, [0; 3]), Ok([4, 3, 3]));
        assert_eq!(dims(1, [0; 4]), Ok([1; 4]));
        assert_eq!(
            dims(735_134_400, [0; 4]).map(|dims| dims.iter().product()),
            Ok(735_134_400)
        );
        assert_eq!(dims(i32::MAX, [0; 3]), Ok([i32::MAX, 1, 1]));
        assert_eq!(dims(5, []), Ok([]));
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for (nodes, given) in [(7, [0, 3, 0]), (6, [0, -1, 0]), (6, [1, 2, 2])] {
            assert_eq!(dims(nodes, given).unwrap_err().class(), Some(Class::Dims));
        }
        assert_eq!(dims(0, [0]).unwrap_err().class(), Some(Class::Arg));
    }

    proptest! {
        /// No other lengths have a smaller largest one.
        #[test]
        fn the_largest_is_smallest(nodes in 1i32..400) {
            let found = dims(nodes, [0; 3]).unwrap();
            prop_assert_eq!(found.iter().product::<i32>(), nodes);
            prop_assert!(found.is_sorted_by(|a, b| a >= b));
            let mut best = nodes;
            for a in 1..=nodes {
                for b in (1..=nodes / a).filter(|b| nodes % (a * b) == 0) {
                    best = best.min(a.max(b).max(nodes / a / b));
                }
            }
            prop_assert_eq!(found[0], best);
        }
    }
}
