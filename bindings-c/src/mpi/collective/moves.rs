//! Calls that move data.

use pvm::collective::{Blocks, Call};
use pvm::mpi::collective::{Blocked, Ends, Name, Prepared, Root, root_of, words};
use pvm::mpi::{self, Datatype, Result};

use super::super::raw::{Array, Buf, Datatype as Handle, DatatypeOrNull, Numbers, OutBuf};
use super::{
    Request, blocked_sink, blocked_source, blocks, blocks_of_types, check_own, ends, for_all,
    given, is_in_place, len_of, sink, source,
};

pub(crate) fn barrier(comm: &mpi::Comm) -> Result<Prepared> {
    Request::new(comm, Name::Barrier).prepare(Call::Barrier)
}

/// All have come to the end of a communicator.
pub(crate) fn disconnect(comm: &mpi::Comm) -> Result<Prepared> {
    Request::new(comm, Name::Disconnect).prepare(Call::Barrier)
}

pub(crate) fn bcast(
    buffer: OutBuf,
    count: i64,
    datatype: &Datatype,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let root = root_of(comm, root)?;
    let len = len_of(count, datatype)?;
    let ends = match root {
        Root::Beside => Ends::default(),
        Root::Here => Ends {
            input: Some(source(Buf(buffer.0), count, datatype)?),
            output: None,
        },
        Root::There(_) => Ends {
            input: None,
            output: Some(sink(buffer, count, datatype)?),
        },
    };
    let request = Request {
        root,
        ends,
        ..Request::new(comm, Name::Bcast).of(count, datatype)
    };
    let root = request.root_rank();
    request.prepare(Call::Broadcast { root, len })
}

pub(crate) fn gather(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let mut request = Request::rooted(comm, Name::Gather, root, sendbuf.0)?;
    let is_root = request.root == Root::Here;
    let input = given(request.has_part(), sendbuf, sendcount, sendtype)?;
    let (mut output, mut len) = (None, 0);
    if is_root {
        let recvtype = recvtype.find()?;
        let count = for_all(recvcount, comm.remote_size())?;
        output = Some((recvbuf, sink(recvbuf, count, recvtype)?));
        len = len_of(recvcount, recvtype)?;
        request = request.of(recvcount, recvtype);
    } else if input.is_some() {
        len = len_of(sendcount, sendtype.find()?)?;
        request = request.of(sendcount, sendtype.find()?);
    }
    request.ends = ends(input, output)?;
    if is_root && !comm.is_inter() {
        request.check_given(len)?;
    }
    let root = request.root_rank();
    request.prepare(Call::Gather { root, len })
}

pub(crate) fn gatherv(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    displs: Numbers,
    recvtype: DatatypeOrNull,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let mut request = Request::rooted(comm, Name::Gatherv, root, sendbuf.0)?;
    let is_root = request.root == Root::Here;
    let input = given(request.has_part(), sendbuf, sendcount, sendtype)?;
    let root = request.root_rank();
    if !is_root {
        let len = input.as_ref().map_or(0, |(_, input)| input.len());
        if input.is_some() {
            request.word = words(sendtype.find()?);
        }
        request.ends = ends(input, None)?;
        let blocks = Blocks::Equal { len: 0 };
        return request.prepare(Call::Gatherv { root, len, blocks });
    }
    let recvtype = recvtype.find()?;
    let all = blocks(comm.remote_size(), recvtype, recvcounts, displs)?;
    let output = (recvbuf, blocked_sink(recvbuf, &all)?);
    request.word = words(recvtype);
    request.ends = ends(input, Some(output))?;
    if !comm.is_inter() {
        request.check_given(all.len(comm.rank))?;
    }
    request.prepare(Call::Gatherv {
        root,
        len: 0,
        blocks: all.blocks(),
    })
}

pub(crate) fn scatter(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let mut request = Request::rooted(comm, Name::Scatter, root, recvbuf.0)?;
    let is_root = request.root == Root::Here;
    let output = match request.has_part() {
        true => Some((recvbuf, sink(recvbuf, recvcount, recvtype.find()?)?)),
        false => None,
    };
    let (mut input, mut len) = (None, 0);
    if is_root {
        let sendtype = sendtype.find()?;
        let count = for_all(sendcount, comm.remote_size())?;
        input = Some((sendbuf, source(sendbuf, count, sendtype)?));
        len = len_of(sendcount, sendtype)?;
        request = request.of(sendcount, sendtype);
    } else if output.is_some() {
        len = len_of(recvcount, recvtype.find()?)?;
        request = request.of(recvcount, recvtype.find()?);
    }
    check_own(
        len,
        output.as_ref().map_or(len, |(_, room)| room.capacity()),
    )?;
    request.ends = ends(input, output)?;
    let root = request.root_rank();
    request.prepare(Call::Scatter { root, len })
}

pub(crate) fn scatterv(
    sendbuf: Buf,
    sendcounts: Numbers,
    displs: Numbers,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    root: i32,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let mut request = Request::rooted(comm, Name::Scatterv, root, recvbuf.0)?;
    let is_root = request.root == Root::Here;
    let output = match request.has_part() {
        true => Some((recvbuf, sink(recvbuf, recvcount, recvtype.find()?)?)),
        false => None,
    };
    let room = output.as_ref().map(|(_, room)| room.capacity());
    let root = request.root_rank();
    if !is_root {
        let len = room.unwrap_or(0);
        if output.is_some() {
            request.word = words(recvtype.find()?);
        }
        request.ends = ends(None, output)?;
        let blocks = Blocks::Equal { len: 0 };
        return request.prepare(Call::Scatterv { root, len, blocks });
    }
    let sendtype = sendtype.find()?;
    let all = blocks(comm.remote_size(), sendtype, sendcounts, displs)?;
    if let Some(room) = room {
        check_own(all.len(comm.rank), room)?;
    }
    let input = (sendbuf, blocked_source(sendbuf, &all)?);
    request.word = words(sendtype);
    request.ends = ends(Some(input), output)?;
    request.prepare(Call::Scatterv {
        root,
        len: 0,
        blocks: all.blocks(),
    })
}

pub(crate) fn allgather(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let in_place = is_in_place(comm, sendbuf.0);
    let input = given(!in_place, sendbuf, sendcount, sendtype)?;
    let recvtype = recvtype.find()?;
    let count = for_all(recvcount, comm.remote_size())?;
    let output = (recvbuf, sink(recvbuf, count, recvtype)?);
    let len = len_of(recvcount, recvtype)?;
    let request = Request {
        ends: ends(input, Some(output))?,
        in_place,
        ..Request::new(comm, Name::Allgather).of(recvcount, recvtype)
    };
    if !comm.is_inter() {
        request.check_given(len)?;
    }
    request.prepare(Call::Allgather { len })
}

pub(crate) fn allgatherv(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    displs: Numbers,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let in_place = is_in_place(comm, sendbuf.0);
    let input = given(!in_place, sendbuf, sendcount, sendtype)?;
    let recvtype = recvtype.find()?;
    let all = blocks(comm.remote_size(), recvtype, recvcounts, displs)?;
    let output = (recvbuf, blocked_sink(recvbuf, &all)?);
    let request = Request {
        ends: ends(input, Some(output))?,
        word: words(recvtype),
        in_place,
        ..Request::new(comm, Name::Allgatherv)
    };
    if !comm.is_inter() {
        request.check_given(all.len(comm.rank))?;
    }
    request.prepare(Call::Allgatherv {
        blocks: all.blocks(),
    })
}

pub(crate) fn alltoall(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let ranks = comm.remote_size();
    let in_place = is_in_place(comm, sendbuf.0);
    let input = match in_place {
        false => given(true, sendbuf, for_all(sendcount, ranks)?, sendtype)?,
        true => None,
    };
    let recvtype = recvtype.find()?;
    let output = sink(recvbuf, for_all(recvcount, ranks)?, recvtype)?;
    let (len, room) = (len_of(recvcount, recvtype)?, output.capacity());
    let request = Request {
        ends: ends(input, Some((recvbuf, output)))?,
        in_place,
        ..Request::new(comm, Name::Alltoall).of(recvcount, recvtype)
    };
    if !comm.is_inter() {
        request.check_given(room)?;
    }
    request.prepare(Call::Alltoall { len })
}

pub(crate) fn alltoallv(
    sendbuf: Buf,
    sendcounts: Numbers,
    sdispls: Numbers,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    rdispls: Numbers,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let ranks = comm.remote_size();
    let recvtype = recvtype.find()?;
    let incoming = blocks(ranks, recvtype, recvcounts, rdispls)?;
    let outgoing = match is_in_place(comm, sendbuf.0) {
        false => Some(blocks(ranks, sendtype.find()?, sendcounts, sdispls)?),
        true => None,
    };
    let request = Request {
        word: words(recvtype),
        ..Request::new(comm, Name::Alltoallv)
    };
    exchange(request, (sendbuf, outgoing), (recvbuf, incoming))
}

pub(crate) fn alltoallw(
    sendbuf: Buf,
    sendcounts: Numbers,
    sdispls: Numbers,
    sendtypes: Array<Handle>,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    rdispls: Numbers,
    recvtypes: Array<Handle>,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let ranks = comm.remote_size();
    let (incoming, word) = blocks_of_types(ranks, recvtypes, recvcounts, rdispls)?;
    let outgoing = match is_in_place(comm, sendbuf.0) {
        false => Some(blocks_of_types(ranks, sendtypes, sendcounts, sdispls)?.0),
        true => None,
    };
    let request = Request {
        word,
        ..Request::new(comm, Name::Alltoallw)
    };
    exchange(request, (sendbuf, outgoing), (recvbuf, incoming))
}

/// A block for each rank against one of each; without blocks to give, in place.
fn exchange(
    mut request: Request<'_>,
    (sendbuf, outgoing): (Buf, Option<Blocked>),
    (recvbuf, incoming): (OutBuf, Blocked),
) -> Result<Prepared> {
    let output = (recvbuf, blocked_sink(recvbuf, &incoming)?);
    let Some(outgoing) = outgoing else {
        request.in_place = true;
        request.ends = ends(None, Some(output))?;
        let each = incoming.blocks();
        return request.prepare(Call::Alltoallv {
            input: each,
            output: each,
        });
    };
    let input = (sendbuf, blocked_source(sendbuf, &outgoing)?);
    request.ends = ends(Some(input), Some(output))?;
    let rank = request.comm.rank;
    if !request.comm.is_inter() {
        check_own(outgoing.len(rank), incoming.len(rank))?;
    }
    request.prepare(Call::Alltoallv {
        input: outgoing.blocks(),
        output: incoming.blocks(),
    })
}
