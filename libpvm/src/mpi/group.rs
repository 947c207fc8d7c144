//! Groups as MPI's calls see them (MPI 5.0, 7.3): what they are is in [`crate::group`].

use super::comm::{PROC_NULL, UNDEFINED};
use super::error::{Class, Error, Result};
use crate::group::{Group, GroupError};
use crate::ids::Rank;

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        let class = match error {
            GroupError::NoStride => Class::Arg,
            GroupError::NoSuchRank { .. } | GroupError::Twice(_) => Class::Rank,
        };
        Self::new(class, error.to_string())
    }
}

/// Ranks of a group that a program has named.
///
/// # Errors
/// `MPI_ERR_RANK`.
pub fn ranks(group: &Group, numbers: &[i64]) -> Result<Vec<Rank>> {
    let size = group.size();
    let rank = |&number: &i64| match usize::try_from(number) {
        Ok(rank) if rank < size => Ok(rank),
        _ => Err(GroupError::NoSuchRank { rank: number, size }.into()),
    };
    numbers.iter().map(rank).collect()
}

/// What a rank of a group is called in another one; [`UNDEFINED`] if it is not there.
///
/// # Errors
/// `MPI_ERR_RANK`.
pub fn translate(group: &Group, number: i64, other: &Group) -> Result<i32> {
    if number == PROC_NULL.into() {
        return Ok(PROC_NULL);
    }
    let translated = group.translate(&ranks(group, &[number])?, other)?;
    let rank = translated.first().copied().flatten();
    Ok(rank
        .and_then(|rank| i32::try_from(rank).ok())
        .unwrap_or(UNDEFINED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TaskId;

    fn group(numbers: &[u32]) -> Group {
        let task = |n: &u32| TaskId::new(1, 1, *n).unwrap();
        Group::new(numbers.iter().map(task)).unwrap()
    }

    #[test]
    fn ranks_are_translated() {
        let (one, other) = (group(&[1, 2, 3]), group(&[3, 1]));
        let translated = |rank| translate(&one, rank, &other);
        assert_eq!(translated(0), Ok(1));
        assert_eq!(translated(1), Ok(UNDEFINED));
        assert_eq!(translated(2), Ok(0));
        assert_eq!(translated(PROC_NULL.into()), Ok(PROC_NULL));
        for rank in [3, -1, i64::MIN] {
            assert_eq!(translated(rank).unwrap_err().class(), Some(Class::Rank));
        }
    }

    #[test]
    fn errors_have_their_class() {
        let three = group(&[1, 2, 3]);
        let twice = Error::from(three.include(&[1, 1]).unwrap_err());
        assert_eq!(twice.class(), Some(Class::Rank));
        assert_eq!(Error::from(GroupError::NoStride).class(), Some(Class::Arg));
    }
}
