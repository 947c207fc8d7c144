//! Collective communication (MPI 5.0, chapter 6): each call as it is, non-blocking, and persistent.

use pvm::mpi::Comm;
use pvm::mpi::collective::Shape;
use pvm::mpi::op::Elements;
use pvm::mpi::{Datatype, Op, Request};

use super::super::collective::{self, Parameter, again};
use super::super::failure::Outcome;
use super::super::raw::{self, Array, Buf, DatatypeOrNull, Numbers, Out, OutBuf};
use super::info::given;
use super::point::give;

/// The three forms of a call. `cargo xtask gen` reads the names from these lines, too.
macro_rules! forms {
    ($(collective fn $name:ident $start:ident $init:ident(
        $($parameter:ident: $type:ty),*
    ) on $comm:ident;)*) => {$(
        pub fn $name($($parameter: $type,)* $comm: &Comm) -> Outcome {
            #[allow(unused_mut, reason = "a barrier is what it is called")]
            let mut shape = Shape::new(stringify!($name));
            $(Parameter::describe(&$parameter, &mut shape);)*
            if let Some(result) = again($comm, &shape) {
                return Ok(result?);
            }
            Ok(collective::$name($($parameter,)* $comm)?.run(shape)?)
        }

        pub fn $start(
            $($parameter: $type,)*
            $comm: &Comm,
            request: Out<raw::Request>
        ) -> Outcome {
            let work = collective::$name($($parameter,)* $comm)?.start()?;
            give(request, Request::new(work))
        }

        pub fn $init(
            $($parameter: $type,)*
            $comm: &Comm,
            info: raw::Info,
            request: Out<raw::Request>
        ) -> Outcome {
            // There are no hints for this; the object must be one.
            given(&info)?;
            give(request, collective::$name($($parameter,)* $comm)?.persistent())
        }
    )*};
}

type Types = Array<raw::Datatype>;

forms! {
collective fn barrier ibarrier barrier_init() on comm;
collective fn bcast ibcast bcast_init(
    buffer: OutBuf, count: i64, datatype: &Datatype, root: i32
) on comm;
collective fn gather igather gather_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull, root: i32
) on comm;
collective fn gatherv igatherv gatherv_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcounts: Numbers, displs: Numbers, recvtype: DatatypeOrNull, root: i32
) on comm;
collective fn scatter iscatter scatter_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull, root: i32
) on comm;
collective fn scatterv iscatterv scatterv_init(
    sendbuf: Buf, sendcounts: Numbers, displs: Numbers, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull, root: i32
) on comm;
collective fn allgather iallgather allgather_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull
) on comm;
collective fn allgatherv iallgatherv allgatherv_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcounts: Numbers, displs: Numbers, recvtype: DatatypeOrNull
) on comm;
collective fn alltoall ialltoall alltoall_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull
) on comm;
collective fn alltoallv ialltoallv alltoallv_init(
    sendbuf: Buf, sendcounts: Numbers, sdispls: Numbers, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcounts: Numbers, rdispls: Numbers, recvtype: DatatypeOrNull
) on comm;
collective fn alltoallw ialltoallw alltoallw_init(
    sendbuf: Buf, sendcounts: Numbers, sdispls: Numbers, sendtypes: Types,
    recvbuf: OutBuf, recvcounts: Numbers, rdispls: Numbers, recvtypes: Types
) on comm;
collective fn reduce ireduce reduce_init(
    sendbuf: Buf, recvbuf: OutBuf, count: i64, datatype: Elements<'_>, op: &Op, root: i32
) on comm;
collective fn allreduce iallreduce allreduce_init(
    sendbuf: Buf, recvbuf: OutBuf, count: i64, datatype: Elements<'_>, op: &Op
) on comm;
collective fn scan iscan scan_init(
    sendbuf: Buf, recvbuf: OutBuf, count: i64, datatype: Elements<'_>, op: &Op
) on comm;
collective fn exscan iexscan exscan_init(
    sendbuf: Buf, recvbuf: OutBuf, count: i64, datatype: Elements<'_>, op: &Op
) on comm;
collective fn reduce_scatter ireduce_scatter reduce_scatter_init(
    sendbuf: Buf, recvbuf: OutBuf, recvcounts: Numbers, datatype: Elements<'_>, op: &Op
) on comm;
collective fn reduce_scatter_block ireduce_scatter_block reduce_scatter_block_init(
    sendbuf: Buf, recvbuf: OutBuf, recvcount: i64, datatype: Elements<'_>, op: &Op
) on comm;
collective fn neighbor_allgather ineighbor_allgather neighbor_allgather_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull
) on comm;
collective fn neighbor_allgatherv ineighbor_allgatherv neighbor_allgatherv_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcounts: Numbers, displs: Numbers, recvtype: DatatypeOrNull
) on comm;
collective fn neighbor_alltoall ineighbor_alltoall neighbor_alltoall_init(
    sendbuf: Buf, sendcount: i64, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcount: i64, recvtype: DatatypeOrNull
) on comm;
collective fn neighbor_alltoallv ineighbor_alltoallv neighbor_alltoallv_init(
    sendbuf: Buf, sendcounts: Numbers, sdispls: Numbers, sendtype: DatatypeOrNull,
    recvbuf: OutBuf, recvcounts: Numbers, rdispls: Numbers, recvtype: DatatypeOrNull
) on comm;
collective fn neighbor_alltoallw ineighbor_alltoallw neighbor_alltoallw_init(
    sendbuf: Buf, sendcounts: Numbers, sdispls: Numbers, sendtypes: Types,
    recvbuf: OutBuf, recvcounts: Numbers, rdispls: Numbers, recvtypes: Types
) on comm;
}
