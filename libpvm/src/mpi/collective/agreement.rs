//! What all ranks must agree on.

use super::super::error::{Class, Error};
use super::super::op::{self, Op};
use crate::collective::{WRONG_LENGTH, WRONG_TYPE};
use crate::engine::EngineError;
use crate::ids::Rank;

macro_rules! names {
    ($($name:ident = $number:literal $symbol:literal;)*) => {
        /// A collective call. Its three forms agree with each other.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Name {
            $(#[doc = $symbol] $name = $number,)*
        }

        fn symbol(number: u32) -> &'static str {
            match number {
                $($number => $symbol,)*
                _ => "something else",
            }
        }
    };
}

names! {
    Allgather = 1 "MPI_Allgather";
    Allgatherv = 2 "MPI_Allgatherv";
    Allreduce = 3 "MPI_Allreduce";
    Alltoall = 4 "MPI_Alltoall";
    Alltoallv = 5 "MPI_Alltoallv";
    Alltoallw = 6 "MPI_Alltoallw";
    Barrier = 7 "MPI_Barrier";
    Bcast = 8 "MPI_Bcast";
    Exscan = 9 "MPI_Exscan";
    Gather = 10 "MPI_Gather";
    Gatherv = 11 "MPI_Gatherv";
    NeighborAllgather = 12 "MPI_Neighbor_allgather";
    NeighborAllgatherv = 13 "MPI_Neighbor_allgatherv";
    NeighborAlltoall = 14 "MPI_Neighbor_alltoall";
    NeighborAlltoallv = 15 "MPI_Neighbor_alltoallv";
    NeighborAlltoallw = 16 "MPI_Neighbor_alltoallw";
    Reduce = 17 "MPI_Reduce";
    ReduceScatter = 18 "MPI_Reduce_scatter";
    ReduceScatterBlock = 19 "MPI_Reduce_scatter_block";
    Scan = 20 "MPI_Scan";
    Scatter = 21 "MPI_Scatter";
    Scatterv = 22 "MPI_Scatterv";
    Making = 23 "a call that makes a communicator";
}

/// The bits of the name, and above it of the operation, and above that of the root.
const NAME_BITS: u32 = 5;
const OP_BITS: u32 = 6;
const ROOT_BITS: u32 = 20;

/// A call as one number of 31 bits.
pub(super) fn check(name: Name, op: Option<&Op>, root: Option<usize>) -> u32 {
    let op = op.map_or(0, Op::code);
    let root = root.map_or(0, |root| (root as u32 & ((1 << ROOT_BITS) - 1)) + 1);
    let root = root & ((1 << ROOT_BITS) - 1);
    name as u32 | op << NAME_BITS | root << (NAME_BITS + OP_BITS)
}

/// A call that was made, for people.
fn describe(check: u32) -> String {
    let name = symbol(check & ((1 << NAME_BITS) - 1));
    let op = match check >> NAME_BITS & ((1 << OP_BITS) - 1) {
        0 => String::new(),
        code => format!(" with {}", op::name_of_code(code)),
    };
    let root = match check >> (NAME_BITS + OP_BITS) {
        0 => String::new(),
        root => format!(" with root {}", root - 1),
    };
    format!("{name}{op}{root}")
}

/// Why a collective has failed here: on what ranks disagree, if they do.
#[cold]
pub(in crate::mpi) fn failure(
    error: EngineError,
    check: u32,
    disagreement: Option<(Rank, u32)>,
) -> Error {
    match (error, disagreement) {
        (EngineError::PeerGone(_) | EngineError::Lost, _) => error.into(),
        (_, Some((rank, theirs))) => {
            let (theirs, ours) = (describe(theirs), describe(check));
            let detail = format!("rank {rank} is in {theirs}, this one in {ours}");
            Error::new(Class::NotSame, detail)
        }
        (WRONG_TYPE, None) => Error::new(Class::NotSame, "ranks have made different calls"),
        (WRONG_LENGTH, None) => Error::new(Class::Truncate, error.to_string()),
        (error, None) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named() {
        let sum = Op::named(33);
        let reduce = check(Name::Reduce, sum, Some(3));
        assert_eq!(describe(reduce), "MPI_Reduce with MPI_SUM with root 3");
        assert_eq!(describe(check(Name::Barrier, None, None)), "MPI_Barrier");
        let making = describe(Name::Making as u32);
        assert_eq!(making, "a call that makes a communicator");
        assert_ne!(reduce, check(Name::Reduce, sum, Some(4)));
        assert!(check(Name::Scatterv, Op::named(61), Some(usize::MAX)) < 1 << 31);
    }
}
