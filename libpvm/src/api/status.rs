//! What is known of a message, and "any".

use super::plain::Plain;
use crate::ids::{Rank, Tag, TaskId};

/// What is known of a message. `S` is how its sender is called: a rank, or a task id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<S = Rank> {
    /// Who sent it; for a send, who gets it.
    pub source: S,
    /// Its tag.
    pub tag: Tag,
    /// Its length in bytes, also when the buffer was shorter. Of a message that was not received yet, as
    /// its sender has it: numbers whose size hosts differ in, `usize`, may take more or less here.
    pub len: u64,
}

impl<S> Status<S> {
    /// Number of elements of type `T`, if it is a whole number.
    pub fn count<T: Plain>(&self) -> Option<usize> {
        const {
            assert!(
                size_of::<T>() > 0,
                "elements of messages need at least one byte"
            )
        };
        let size = size_of::<T>() as u64;
        self.len
            .is_multiple_of(size)
            .then_some((self.len / size) as usize)
    }
}

/// Stands for any source or any tag: `world.recv::<u8>(ANY, 7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Any;

/// Any source, or any tag.
pub const ANY: Any = Any;

impl From<Any> for Option<Rank> {
    fn from(_: Any) -> Self {
        None
    }
}

impl From<Any> for Option<Tag> {
    fn from(_: Any) -> Self {
        None
    }
}

impl From<Any> for Option<TaskId> {
    fn from(_: Any) -> Self {
        None
    }
}
