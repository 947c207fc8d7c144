//! Calls that move data.

use pvm::collective::Call;
use pvm::mpi::collective::{Ends, Name, Prepared, Root, root_of, words};
use pvm::mpi::{self, Datatype, Result};

use super::super::raw::{Array, Buf, Datatype as Handle, DatatypeOrNull, Numbers, OutBuf};
use super::{
    Request, blocked_sink, blocked_source, blocks, blocks_of_types, check_own, ends, find, for_all,
    is_in_place, len_of, sink, source,
};

pub(crate) fn barrier(comm: &mpi::Comm) -> Result<Prepared> {
    Request::new(comm, Name::Barrier).prepare(Call::Barrier)
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
        word: words(datatype),
        ..Request::new(comm, Name::Bcast)
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
    let mut request = Request {
        root: root_of(comm, root)?,
        ..Request::new(comm, Name::Gather)
    };
    let is_root = request.root == Root::Here;
    request.in_place = is_root && is_in_place(comm, sendbuf.0);
    let input = match request.gives_to_root() && !request.in_place {
        true => Some((sendbuf, source(sendbuf, sendcount, find(sendtype)?)?)),
        false => None,
    };
    let (mut output, mut len) = (None, 0);
    if is_root {
        let count = for_all(recvcount, comm.remote_size())?;
        output = Some((recvbuf, sink(recvbuf, count, find(recvtype)?)?));
        len = len_of(recvcount, find(recvtype)?)?;
        request.word = words(find(recvtype)?);
    } else if input.is_some() {
        len = len_of(sendcount, find(sendtype)?)?;
        request.word = words(find(sendtype)?);
    }
    request.ends = ends(input, output)?;
    if is_root && !comm.is_inter() {
        check_own(request.ends.input.as_ref(), len)?;
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
    let mut request = Request {
        root: root_of(comm, root)?,
        ..Request::new(comm, Name::Gatherv)
    };
    let is_root = request.root == Root::Here;
    request.in_place = is_root && is_in_place(comm, sendbuf.0);
    let input = match request.gives_to_root() && !request.in_place {
        true => Some((sendbuf, source(sendbuf, sendcount, find(sendtype)?)?)),
        false => None,
    };
    let root = request.root_rank();
    if !is_root {
        let len = input.as_ref().map_or(0, |(_, input)| input.len());
        if input.is_some() {
            request.word = words(find(sendtype)?);
        }
        request.ends = ends(input, None)?;
        let blocks = pvm::collective::Blocks::Equal { len: 0 };
        return request.prepare(Call::Gatherv { root, len, blocks });
    }
    let all = blocks(comm.remote_size(), find(recvtype)?, recvcounts, displs)?;
    let output = (recvbuf, blocked_sink(recvbuf, &all)?);
    request.word = words(find(recvtype)?);
    request.ends = ends(input, Some(output))?;
    if !comm.is_inter() {
        check_own(request.ends.input.as_ref(), all.len(comm.rank))?;
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
    let mut request = Request {
        root: root_of(comm, root)?,
        ..Request::new(comm, Name::Scatter)
    };
    let is_root = request.root == Root::Here;
    request.in_place = is_root && is_in_place(comm, recvbuf.0);
    let output = match request.gives_to_root() && !request.in_place {
        true => Some((recvbuf, sink(recvbuf, recvcount, find(recvtype)?)?)),
        false => None,
    };
    let (mut input, mut len) = (None, 0);
    if is_root {
        let count = for_all(sendcount, comm.remote_size())?;
        input = Some((sendbuf, source(sendbuf, count, find(sendtype)?)?));
        len = len_of(sendcount, find(sendtype)?)?;
        request.word = words(find(sendtype)?);
    } else if output.is_some() {
        len = len_of(recvcount, find(recvtype)?)?;
        request.word = words(find(recvtype)?);
    }
    check_room(
        &request,
        output.as_ref().map(|(_, room)| room.capacity()),
        len,
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
    let mut request = Request {
        root: root_of(comm, root)?,
        ..Request::new(comm, Name::Scatterv)
    };
    let is_root = request.root == Root::Here;
    request.in_place = is_root && is_in_place(comm, recvbuf.0);
    let output = match request.gives_to_root() && !request.in_place {
        true => Some((recvbuf, sink(recvbuf, recvcount, find(recvtype)?)?)),
        false => None,
    };
    let room = output.as_ref().map(|(_, room)| room.capacity());
    let root = request.root_rank();
    if !is_root {
        let len = room.unwrap_or(0);
        if output.is_some() {
            request.word = words(find(recvtype)?);
        }
        request.ends = ends(None, output)?;
        let blocks = pvm::collective::Blocks::Equal { len: 0 };
        return request.prepare(Call::Scatterv { root, len, blocks });
    }
    let all = blocks(comm.remote_size(), find(sendtype)?, sendcounts, displs)?;
    if !comm.is_inter() {
        check_room(&request, room, all.len(comm.rank))?;
    }
    let input = (sendbuf, blocked_source(sendbuf, &all)?);
    request.word = words(find(sendtype)?);
    request.ends = ends(Some(input), output)?;
    request.prepare(Call::Scatterv {
        root,
        len: 0,
        blocks: all.blocks(),
    })
}

/// What the root gives itself has to be what it has room for.
fn check_room(request: &Request<'_>, room: Option<usize>, len: usize) -> Result<()> {
    match room {
        Some(room) if request.root == Root::Here && room != len => Err(mpi::Error::new(
            mpi::Class::Truncate,
            format!("this rank gives itself {len} bytes and has room for {room}"),
        )),
        _ => Ok(()),
    }
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
    let input = match in_place {
        false => Some((sendbuf, source(sendbuf, sendcount, find(sendtype)?)?)),
        true => None,
    };
    let count = for_all(recvcount, comm.remote_size())?;
    let output = (recvbuf, sink(recvbuf, count, find(recvtype)?)?);
    let len = len_of(recvcount, find(recvtype)?)?;
    let request = Request {
        ends: ends(input, Some(output))?,
        word: words(find(recvtype)?),
        in_place,
        ..Request::new(comm, Name::Allgather)
    };
    if !comm.is_inter() {
        check_own(request.ends.input.as_ref(), len)?;
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
    let input = match in_place {
        false => Some((sendbuf, source(sendbuf, sendcount, find(sendtype)?)?)),
        true => None,
    };
    let all = blocks(comm.remote_size(), find(recvtype)?, recvcounts, displs)?;
    let output = (recvbuf, blocked_sink(recvbuf, &all)?);
    let request = Request {
        ends: ends(input, Some(output))?,
        word: words(find(recvtype)?),
        in_place,
        ..Request::new(comm, Name::Allgatherv)
    };
    if !comm.is_inter() {
        check_own(request.ends.input.as_ref(), all.len(comm.rank))?;
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
        false => Some((
            sendbuf,
            source(sendbuf, for_all(sendcount, ranks)?, find(sendtype)?)?,
        )),
        true => None,
    };
    let output = sink(recvbuf, for_all(recvcount, ranks)?, find(recvtype)?)?;
    let (len, room) = (len_of(recvcount, find(recvtype)?)?, output.capacity());
    let request = Request {
        ends: ends(input, Some((recvbuf, output)))?,
        word: words(find(recvtype)?),
        in_place,
        ..Request::new(comm, Name::Alltoall)
    };
    if !comm.is_inter() {
        check_own(request.ends.input.as_ref(), room)?;
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
    let incoming = blocks(ranks, find(recvtype)?, recvcounts, rdispls)?;
    let outgoing = match is_in_place(comm, sendbuf.0) {
        false => Some(blocks(ranks, find(sendtype)?, sendcounts, sdispls)?),
        true => None,
    };
    let request = Request {
        word: words(find(recvtype)?),
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
    (sendbuf, outgoing): (Buf, Option<pvm::mpi::collective::Blocked>),
    (recvbuf, incoming): (OutBuf, pvm::mpi::collective::Blocked),
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
    if !request.comm.is_inter() && outgoing.len(rank) != incoming.len(rank) {
        let (len, room) = (outgoing.len(rank), incoming.len(rank));
        return Err(mpi::Error::new(
            mpi::Class::Truncate,
            format!("this rank gives itself {len} bytes and has room for {room}"),
        ));
    }
    request.prepare(Call::Alltoallv {
        input: outgoing.blocks(),
        output: incoming.blocks(),
    })
}
