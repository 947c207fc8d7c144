//! What all ranks must agree on.

use super::super::error::{Class, Error, Result};
use super::super::op::{self, Op};
use crate::collective::{Difference, Kind, Scalar, WRONG_LENGTH, WRONG_TYPE};
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
    Comparing = 24 "a collective with PVM_DEBUG=collectives";
    Disconnect = 25 "MPI_Comm_disconnect";
}

/// The bits of the name, and above it of the operation, of its elements, and of the root.
const NAME_BITS: u32 = 5;
const OP_BITS: u32 = 6;
const ELEMENT_BITS: u32 = 5;
const ROOT_BITS: u32 = 15;

/// Where they begin.
const OP: u32 = NAME_BITS;
const ELEMENT: u32 = OP + OP_BITS;
const ROOT: u32 = ELEMENT + ELEMENT_BITS;

/// A call as one number of 31 bits.
pub(super) fn check(
    name: Name,
    op: Option<&Op>,
    elements: Option<Kind>,
    root: Option<usize>,
) -> u32 {
    let op = op.map_or(0, Op::code);
    let elements = elements.map_or(0, element_code);
    let root = root.map_or(0, |root| (root as u32 & ((1 << ROOT_BITS) - 1)) + 1);
    let root = root & ((1 << ROOT_BITS) - 1);
    name as u32 | op << OP | elements << ELEMENT | root << ROOT
}

/// What elements are, as far as it must be the same: datatypes that differ in their name alone, or in
/// their sign, are one thing.
fn element_code(kind: Kind) -> u32 {
    let width = |scalar: Scalar| scalar.size().ilog2();
    match kind {
        Kind::Number(float) if float.is_float() => 6 + float_code(float),
        Kind::Number(integer) => 1 + width(integer),
        Kind::Complex(part) => 11 + float_code(part),
        Kind::Logical(scalar) => 16 + width(scalar),
        Kind::Byte => 21,
        Kind::Located(..) => 22,
    }
}

/// Two formats have 16 bytes.
fn float_code(float: Scalar) -> u32 {
    match float {
        Scalar::F80 => 0,
        float => float.size().ilog2(),
    }
}

/// What elements with such a code are, for people.
fn element_name(code: u32) -> String {
    let bytes = |first: u32| 1 << (code - first);
    let float = |first: u32| match code - first {
        0 => "80-bit".to_owned(),
        _ => format!("{}-byte", bytes(first)),
    };
    match code {
        0 => String::new(),
        1..6 => format!(" of {}-byte integers", bytes(1)),
        6..11 => format!(" of {} floating-point numbers", float(6)),
        11..16 => format!(" of complex numbers of {} parts", float(11)),
        16..21 => format!(" of {}-byte logical values", bytes(16)),
        21 => " of bytes".to_owned(),
        _ => " of values with an index".to_owned(),
    }
}

/// What a rank says of its call before anything is moved: the call, its bytes, and what they are made of.
pub(super) const SAID: usize = 4;

/// The first rank whose call is another than this one's.
///
/// # Errors
/// `MPI_ERR_NOT_SAME`, with both calls.
pub(super) fn compare(ours: &[u64; SAID], all: &[u64]) -> Result<()> {
    let (calls, _) = all.as_chunks::<SAID>();
    let Some(rank) = calls.iter().position(|theirs| theirs != ours) else {
        return Ok(());
    };
    let theirs = &calls[rank];
    let what = |said: &[u64; SAID]| {
        let call = describe(said[0] as u32);
        match said[1] {
            0 => call,
            more => format!("{call} of {} bytes", more - 1),
        }
    };
    let others = match theirs[..2] == ours[..2] {
        true => " with elements of other types",
        false => "",
    };
    let detail = format!(
        "rank {rank} is in {}{others}, this one in {}",
        what(theirs),
        what(ours)
    );
    Err(Error::new(Class::NotSame, detail))
}

/// A call that was made, for people.
fn describe(check: u32) -> String {
    let name = symbol(check & ((1 << NAME_BITS) - 1));
    let elements = element_name(check >> ELEMENT & ((1 << ELEMENT_BITS) - 1));
    let op = match check >> OP & ((1 << OP_BITS) - 1) {
        0 => String::new(),
        code => format!(" with {}", op::name_of_code(code)),
    };
    let root = match check >> ROOT {
        0 => String::new(),
        root => format!(" with root {}", root - 1),
    };
    format!("{name}{op}{elements}{root}")
}

/// Why a collective has failed here: on what ranks disagree, if they do. Of two groups the own one has so
/// many ranks.
#[cold]
pub(in crate::mpi) fn failure(
    error: EngineError,
    check: u32,
    disagreement: Option<(Rank, Difference)>,
    own: Option<usize>,
) -> Error {
    match (error, disagreement) {
        (WRONG_TYPE, None) => Error::new(Class::NotSame, "ranks have made different calls"),
        (WRONG_TYPE | WRONG_LENGTH, Some((rank, difference))) => {
            let rank = match own.and_then(|own| rank.checked_sub(own)) {
                Some(rank) => format!("rank {rank} of the remote group"),
                None => format!("rank {rank}"),
            };
            disagree(error, &rank, difference, &describe(check))
        }
        (error, _) => error.into(),
    }
}

/// Names both sides.
fn disagree(error: EngineError, rank: &str, difference: Difference, call: &str) -> Error {
    let (class, detail) = match difference {
        Difference::Call(theirs) => {
            let theirs = describe(theirs);
            let detail = format!("{rank} is in {theirs}, this one in {call}");
            (Class::NotSame, detail)
        }
        Difference::Length { sent, expected } if sent > expected => {
            let detail =
                format!("{rank} sent {sent} bytes in {call}, this one has room for {expected}");
            (Class::Truncate, detail)
        }
        Difference::Length { sent, expected } => {
            let detail = format!("{rank} sent {sent} bytes in {call}, this one expects {expected}");
            (Class::NotSame, detail)
        }
        Difference::Before(theirs) => {
            let theirs = describe(theirs);
            let detail =
                format!("{rank} was in {theirs} before, where this one was in another call");
            (Class::NotSame, detail)
        }
        Difference::Elsewhere => {
            let what = match error {
                WRONG_TYPE => "have made different calls",
                _ => "disagree on lengths",
            };
            let detail = format!("{rank} and another one {what}, this one is in {call}");
            (Class::NotSame, detail)
        }
    };
    Error::new(class, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_compared_before_anything_is_moved() {
        let bcast = u64::from(check(Name::Bcast, None, None, Some(0)));
        let (ours, other) = ([bcast, 41, 10, 7], [bcast, 21, 5, 7]);
        let all = |last: [u64; SAID]| [ours, ours, last].concat();
        assert_eq!(compare(&ours, &all(ours)), Ok(()));
        let error = compare(&ours, &all(other)).unwrap_err();
        assert_eq!(
            error.detail(),
            "rank 2 is in MPI_Bcast with root 0 of 20 bytes, this one in MPI_Bcast with root 0 of 40 bytes"
        );
        let error = compare(&ours, &all([bcast, 41, 10, 8])).unwrap_err();
        assert!(error.detail().contains("of other types"), "{error}");
    }

    #[test]
    fn both_sides_are_named() {
        let bcast = check(Name::Bcast, None, None, Some(0));
        let barrier = check(Name::Barrier, None, None, None);
        let told = |error, difference, own| {
            let error = failure(error, bcast, Some((5, difference)), own);
            (error.class(), error.detail().to_owned())
        };
        let (class, detail) = told(WRONG_TYPE, Difference::Call(barrier), None);
        assert_eq!(class, Some(Class::NotSame));
        assert_eq!(
            detail,
            "rank 5 is in MPI_Barrier, this one in MPI_Bcast with root 0"
        );
        let length = |sent| Difference::Length { sent, expected: 8 };
        let (class, detail) = told(WRONG_LENGTH, length(9), Some(4));
        assert_eq!(class, Some(Class::Truncate));
        assert_eq!(
            detail,
            "rank 1 of the remote group sent 9 bytes in MPI_Bcast with root 0, this one has room for 8"
        );
        let (class, detail) = told(WRONG_LENGTH, length(7), None);
        assert_eq!(class, Some(Class::NotSame));
        assert!(detail.ends_with("this one expects 8"), "{detail}");
        let (class, detail) = told(WRONG_LENGTH, Difference::Elsewhere, None);
        assert_eq!(class, Some(Class::NotSame));
        assert!(detail.contains("disagree on lengths"), "{detail}");
    }

    #[test]
    fn calls_are_named() {
        let sum = Op::named(33);
        let of = |kind| check(Name::Reduce, sum, Some(kind), Some(3));
        let reduce = of(Kind::Number(Scalar::I32));
        assert_eq!(
            describe(reduce),
            "MPI_Reduce with MPI_SUM of 4-byte integers with root 3"
        );
        assert_eq!(
            describe(check(Name::Barrier, None, None, None)),
            "MPI_Barrier"
        );
        let making = describe(Name::Making as u32);
        assert_eq!(making, "a call that makes a communicator");
        let there = check(Name::Reduce, sum, Some(Kind::Number(Scalar::I32)), Some(4));
        assert_ne!(reduce, there);
        let (op, byte) = (Op::named(61), Some(Kind::Byte));
        assert!(check(Name::Scatterv, op, byte, Some(usize::MAX)) < 1 << 31);
    }

    #[test]
    fn elements_are_told_apart() {
        use Scalar::*;
        let numbers = [I8, I16, I32, I64, I128, F16, F32, F64, F80, F128].map(Kind::Number);
        let complex = [F16, F32, F64, F80, F128].map(Kind::Complex);
        let logical = [I8, I16, I32, I64, I128].map(Kind::Logical);
        let others = [Kind::Byte, Kind::Located(F64, I32)];
        let all = [&numbers[..], &complex, &logical, &others].concat();
        let mut codes: Vec<u32> = all.iter().map(|kind| element_code(*kind)).collect();
        let names: Vec<String> = codes.iter().map(|code| element_name(*code)).collect();
        assert_eq!(names[5], " of 2-byte floating-point numbers");
        assert_eq!(names[13], " of complex numbers of 80-bit parts");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        assert!(
            codes
                .iter()
                .all(|code| (1..1 << ELEMENT_BITS).contains(code))
        );
        let unsigned = element_code(Kind::Number(U32));
        assert_eq!(unsigned, element_code(Kind::Number(I32)));
    }
}
