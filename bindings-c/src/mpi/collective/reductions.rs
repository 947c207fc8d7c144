//! Calls that combine data.

use pvm::collective::{Blocks, Call, Vector};
use pvm::mpi::collective::{Ends, Name, Prepared, Root};
use pvm::mpi::op::Elements;
use pvm::mpi::{self, Class, Error, Op, Result};

use super::super::raw::{Buf, Numbers, OutBuf};
use super::{Request, ends, for_all, is_in_place, len_of, sink, source};

/// What is combined, and how.
struct Reduction<'a> {
    elements: Elements<'a>,
    op: &'a Op,
    combine: pvm::collective::Op,
}

impl<'a> Reduction<'a> {
    fn new(elements: Elements<'a>, op: &'a Op) -> Result<Self> {
        let combine = op.reduction(elements)?;
        Ok(Self {
            elements,
            op,
            combine,
        })
    }

    fn vector(&self, count: i64) -> Result<Vector> {
        // Checked: `count` elements fit.
        len_of(count, self.elements.datatype)?;
        Ok(Vector {
            count: count as usize,
            element: self.combine.size(),
            commutative: self.combine.is_commutative(),
        })
    }

    fn source(&self, buf: Buf, count: i64) -> Result<(Buf, pvm::datatype::Source)> {
        Ok((buf, source(buf, count, self.elements.datatype)?))
    }

    fn sink(&self, buf: OutBuf, count: i64) -> Result<(OutBuf, pvm::datatype::Sink)> {
        Ok((buf, sink(buf, count, self.elements.datatype)?))
    }

    /// A call of which all ranks get a result, with `room` elements for it.
    fn for_all(
        self,
        (comm, name): (&mpi::Comm, Name),
        (sendbuf, count): (Buf, i64),
        (recvbuf, room): (OutBuf, i64),
        call: impl FnOnce(Vector) -> Call<'a>,
    ) -> Result<Prepared> {
        let in_place = is_in_place(comm, sendbuf.0);
        let (input, room) = match in_place {
            false => (Some(self.source(sendbuf, count)?), room),
            true => (None, count),
        };
        let output = self.sink(recvbuf, room)?;
        let request = Request {
            ends: ends(input, Some(output))?,
            in_place,
            ..Request::new(comm, name).of(count, self.elements.datatype)
        };
        let vector = self.vector(count)?;
        request.reduce(call(vector), Some((self.op, self.combine)))
    }
}

pub(crate) fn reduce(
    sendbuf: Buf,
    recvbuf: OutBuf,
    count: i64,
    datatype: Elements<'_>,
    op: &Op,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let mut request = Request::rooted(comm, Name::Reduce, root, sendbuf.0)?;
    if request.root == Root::Beside {
        // Only the root of its group gets something: no other argument counts here.
        let vector = Vector {
            count: 0,
            element: 1,
            commutative: true,
        };
        return request.reduce(Call::Reduce { root: 0, vector }, None);
    }
    request = request.of(count, datatype.datatype);
    let reduction = Reduction::new(datatype, op)?;
    let input = match request.has_part() {
        true => Some(reduction.source(sendbuf, count)?),
        false => None,
    };
    request.ends = match request.root == Root::Here {
        true => ends(input, Some(reduction.sink(recvbuf, count)?))?,
        false => Ends {
            input: input.map(|(_, input)| input),
            output: None,
        },
    };
    let (root, vector) = (request.root_rank(), reduction.vector(count)?);
    let call = Call::Reduce { root, vector };
    request.reduce(call, Some((op, reduction.combine)))
}

/// Calls whose result is as long as what is given.
macro_rules! as_long {
    ($($name:ident = $call:ident;)*) => {$(
        pub(crate) fn $name(
            sendbuf: Buf,
            recvbuf: OutBuf,
            count: i64,
            datatype: Elements<'_>,
            op: &Op,
            comm: &mpi::Comm,
        ) -> Result<Prepared> {
            let reduction = Reduction::new(datatype, op)?;
            let (from, to) = ((sendbuf, count), (recvbuf, count));
            reduction.for_all((comm, Name::$call), from, to, Call::$call)
        }
    )*};
}
as_long! {
    allreduce = Allreduce;
    scan = Scan;
    exscan = Exscan;
}

pub(crate) fn reduce_scatter(
    sendbuf: Buf,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    datatype: Elements<'_>,
    op: &Op,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let reduction = Reduction::new(datatype, op)?;
    let counts = recvcounts.read(comm.size())?;
    let (mut lens, mut starts, mut all, mut end) = (Vec::new(), Vec::new(), 0i64, 0usize);
    for &count in &counts {
        let len = len_of(count, datatype.datatype)?;
        starts.push(end);
        lens.push(len);
        let sum = all.checked_add(count);
        all = sum.ok_or_else(|| Error::new(Class::Count, "the counts are too large"))?;
        end = len_of(all, datatype.datatype)?;
    }
    let blocks = Blocks::Listed {
        lens: &lens,
        starts: &starts,
    };
    let to = (recvbuf, counts[comm.rank]);
    let call = |vector| Call::ReduceScatter { vector, blocks };
    reduction.for_all((comm, Name::ReduceScatter), (sendbuf, all), to, call)
}

pub(crate) fn reduce_scatter_block(
    sendbuf: Buf,
    recvbuf: OutBuf,
    recvcount: i64,
    datatype: Elements<'_>,
    op: &Op,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let reduction = Reduction::new(datatype, op)?;
    let all = for_all(recvcount, comm.size())?;
    let blocks = Blocks::Equal {
        len: len_of(recvcount, datatype.datatype)?,
    };
    let call = |vector| Call::ReduceScatter { vector, blocks };
    let (from, to) = ((sendbuf, all), (recvbuf, recvcount));
    reduction.for_all((comm, Name::ReduceScatterBlock), from, to, call)
}
