//! Groups as MPI's calls see them (MPI 5.0, 7.3): what they are is in [`crate::group`]. Those of a session,
//! and what is made of them, descend from it: buffered sends go where it says.

use super::comm::{PROC_NULL, UNDEFINED};
use super::error::{Class, Error, Result};
use super::process::Scope;
use crate::group::{self, GroupError};
use crate::ids::Rank;

/// A group, and what it descends from.
pub struct Group {
    set: group::Group,
    /// Where communicators that are made of it belong; `None`: it is the group of nobody.
    pub scope: Option<Scope>,
}

impl Group {
    /// A group that belongs where a communicator, a session or another group does.
    pub fn new(set: group::Group, scope: &Scope) -> Self {
        Self {
            set,
            scope: Some(scope.clone()),
        }
    }

    /// The group of nobody.
    pub fn empty() -> Self {
        Self {
            set: group::Group::empty(),
            scope: None,
        }
    }
}

impl std::ops::Deref for Group {
    type Target = group::Group;

    fn deref(&self) -> &group::Group {
        &self.set
    }
}

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
pub fn ranks(group: &group::Group, numbers: &[i64]) -> Result<Vec<Rank>> {
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
pub fn translate(group: &group::Group, number: i64, other: &group::Group) -> Result<i32> {
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

    fn group(numbers: &[u32]) -> group::Group {
        let task = |n: &u32| TaskId::new(1, 1, *n).unwrap();
        group::Group::new(numbers.iter().map(task)).unwrap()
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
