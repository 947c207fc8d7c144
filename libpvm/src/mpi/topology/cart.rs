//! Grids (MPI 5.0, 8.5.1 to 8.5.7).

use crate::group::Choice;
use crate::ids::Rank;
use crate::mpi::comm::PROC_NULL;
use crate::mpi::error::{Class, Error, Result};

/// A grid. Ranks count the last dimension first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    axes: Vec<Axis>,
}

/// One dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Its length, not 0.
    pub len: i32,
    /// Whether its ends are neighbours.
    pub periodic: bool,
}

impl Cart {
    /// A grid of lengths and periods, which are equally many.
    ///
    /// # Errors
    /// `MPI_ERR_DIMS` when a length is not positive, or there are too many places.
    pub fn new(lens: &[i32], periods: &[bool]) -> Result<Self> {
        if let Some(len) = lens.iter().find(|len| **len < 1) {
            return Err(Error::new(Class::Dims, format!("a dimension of {len}")));
        }
        let places = lens.iter().try_fold(1i32, |all, len| all.checked_mul(*len));
        if places.is_none() {
            return Err(Error::new(Class::Dims, "more places than ranks"));
        }
        let axes = lens.iter().zip(periods);
        let axes = axes.map(|(&len, &periodic)| Axis { len, periodic });
        Ok(Self {
            axes: axes.collect(),
        })
    }

    /// Its dimensions.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The number of places.
    pub fn places(&self) -> usize {
        self.axes.iter().map(|axis| axis.len as usize).product()
    }

    /// Where a rank is.
    pub fn coords(&self, rank: Rank) -> Vec<i32> {
        let mut left = rank;
        let coords = self.axes.iter().rev().map(|axis| {
            let len = axis.len as usize;
            let coord = left % len;
            left /= len;
            coord as i32
        });
        let mut coords: Vec<i32> = coords.collect();
        coords.reverse();
        coords
    }

    /// Who is there.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for a place beyond the border.
    pub fn rank(&self, coords: &[i64]) -> Result<Rank> {
        self.at(coords).ok_or_else(|| {
            let detail = format!("the coordinates {coords:?} are outside of the grid");
            Error::new(Class::Arg, detail)
        })
    }

    fn at(&self, coords: &[i64]) -> Option<Rank> {
        let axes = self.axes.iter().zip(coords);
        axes.into_iter().try_fold(0, |rank, (axis, &coord)| {
            let len = i64::from(axis.len);
            let inside = match axis.periodic {
                true => coord.rem_euclid(len),
                false => coord,
            };
            let inside = Some(inside).filter(|at| (0..len).contains(at))?;
            Some(rank * axis.len as usize + inside as usize)
        })
    }

    /// Whom a rank gets from and gives to, when all give so many places up a dimension.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` when there is no such dimension.
    pub fn shift(&self, rank: Rank, direction: i32, steps: i32) -> Result<(i32, i32)> {
        let axis = usize::try_from(direction).ok();
        let axis = axis.filter(|axis| *axis < self.axes.len()).ok_or_else(|| {
            let detail = format!("direction {direction} in {} dimensions", self.axes.len());
            Error::new(Class::Arg, detail)
        })?;
        let steps = i64::from(steps);
        Ok((
            self.moved(rank, axis, -steps),
            self.moved(rank, axis, steps),
        ))
    }

    fn moved(&self, rank: Rank, axis: usize, steps: i64) -> i32 {
        let mut coords: Vec<i64> = self.coords(rank).into_iter().map(i64::from).collect();
        coords[axis] += steps;
        self.at(&coords).map_or(PROC_NULL, |rank| rank as i32)
    }

    /// For each dimension the neighbours down and up.
    pub fn neighbours(&self, rank: Rank) -> Vec<i32> {
        let axes = 0..self.axes.len();
        axes.flat_map(|axis| [-1, 1].map(|step| self.moved(rank, axis, step)))
            .collect()
    }

    /// The part of the grid that has these dimensions and the rank, and how ranks come together in it.
    pub fn sub(&self, rank: Rank, remain: &[bool]) -> (Choice, Self) {
        let mut choice = [0i64; 2];
        let places = self.axes.iter().zip(self.coords(rank)).zip(remain);
        for ((axis, coord), &stays) in places {
            let number = &mut choice[usize::from(stays)];
            *number = *number * i64::from(axis.len) + i64::from(coord);
        }
        let axes = self.axes.iter().zip(remain).filter(|(_, stays)| **stays);
        let [color, key] = choice;
        let color = Some(color);
        let axes = axes.map(|(axis, _)| *axis).collect();
        (Choice { color, key }, Self { axes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(lens: &[i32], periods: &[bool]) -> Cart {
        Cart::new(lens, periods).unwrap()
    }

    #[test]
    fn borders_and_rings() {
        let grid = grid(&[2, 3], &[false, true]);
        assert_eq!(grid.coords(4), [1, 1]);
        assert_eq!(grid.rank(&[1, -1]), Ok(5));
        let class = |error: Error| error.class().unwrap();
        assert_eq!(class(grid.rank(&[2, 0]).unwrap_err()), Class::Arg);
        assert_eq!(grid.shift(0, 0, 1), Ok((PROC_NULL, 3)));
        assert_eq!(grid.shift(0, 1, 1), Ok((2, 1)));
        assert_eq!(grid.shift(0, 1, -4), Ok((1, 2)));
        assert_eq!(class(grid.shift(0, 2, 1).unwrap_err()), Class::Arg);
        assert_eq!(grid.neighbours(0), [PROC_NULL, 3, 2, 1]);
    }

    #[test]
    fn a_grid_without_dimensions_has_one_place() {
        let point = grid(&[], &[]);
        assert_eq!((point.places(), point.rank(&[])), (1, Ok(0)));
        assert!(point.coords(0).is_empty() && point.neighbours(0).is_empty());
    }

    #[test]
    fn impossible_grids_are_refused() {
        for lens in [&[0][..], &[2, -1], &[65536, 65536]] {
            let error = Cart::new(lens, &[false; 2]).unwrap_err();
            assert_eq!(error.class(), Some(Class::Dims));
        }
    }

    proptest! {
        #[test]
        fn places_and_ranks_agree(lens in proptest::collection::vec(1i32..5, 0..4)) {
            let grid = grid(&lens, &vec![true; lens.len()]);
            for rank in 0..grid.places() {
                let coords: Vec<i64> = grid.coords(rank).into_iter().map(i64::from).collect();
                prop_assert_eq!(grid.rank(&coords), Ok(rank));
            }
        }

        #[test]
        fn parts_are_grids(lens in proptest::collection::vec(1i32..4, 3), bits in 0u32..8) {
            let grid = grid(&lens, &[false; 3]);
            let remain = [0, 1, 2].map(|bit| bits >> bit & 1 == 1);
            for rank in 0..grid.places() {
                let (choice, part) = grid.sub(rank, &remain);
                let stay = |coords: Vec<i32>| -> Vec<i32> {
                    let kept = coords.into_iter().zip(remain).filter(|(_, stays)| *stays);
                    kept.map(|(coord, _)| coord).collect()
                };
                prop_assert_eq!(part.coords(choice.key as usize), stay(grid.coords(rank)));
            }
        }
    }
}
