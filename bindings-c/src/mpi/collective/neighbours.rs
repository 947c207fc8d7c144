//! Calls among neighbours.

use pvm::mpi::collective::{Blocked, Name, Prepared, words};
use pvm::mpi::{self, Result};

use super::super::raw::{Array, Buf, Datatype as Handle, DatatypeOrNull, Numbers, OutBuf};
use super::{
    blocked_sink, blocked_source, blocks, blocks_of_types, ends, for_all, len_of, sink, source,
};

pub(crate) fn neighbor_allgather(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let neighbours = comm.neighbours()?;
    let (sendtype, recvtype) = (sendtype.find()?, recvtype.find()?);
    let input = source(sendbuf, sendcount, sendtype)?;
    let count = for_all(recvcount, neighbours.sources.len())?;
    let output = sink(recvbuf, count, recvtype)?;
    let (len, room) = (input.len(), len_of(recvcount, recvtype)?);
    Ok(Prepared::among_neighbours(
        comm,
        (Name::NeighborAllgather, words(recvtype)),
        &neighbours,
        |_| (0, len),
        |place| (place * room, room),
        ends(Some((sendbuf, input)), Some((recvbuf, output)))?,
    ))
}

pub(crate) fn neighbor_allgatherv(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcounts: Numbers,
    displs: Numbers,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let neighbours = comm.neighbours()?;
    let (sendtype, recvtype) = (sendtype.find()?, recvtype.find()?);
    let input = source(sendbuf, sendcount, sendtype)?;
    let all = blocks(neighbours.sources.len(), recvtype, recvcounts, displs)?;
    let output = blocked_sink(recvbuf, &all)?;
    let len = input.len();
    Ok(Prepared::among_neighbours(
        comm,
        (Name::NeighborAllgatherv, words(recvtype)),
        &neighbours,
        |_| (0, len),
        |place| all.part(place),
        ends(Some((sendbuf, input)), Some((recvbuf, output)))?,
    ))
}

pub(crate) fn neighbor_alltoall(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: DatatypeOrNull,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: DatatypeOrNull,
    comm: &mpi::Comm,
) -> Result<Prepared> {
    let neighbours = comm.neighbours()?;
    let (sendtype, recvtype) = (sendtype.find()?, recvtype.find()?);
    let count = for_all(sendcount, neighbours.destinations.len())?;
    let input = source(sendbuf, count, sendtype)?;
    let count = for_all(recvcount, neighbours.sources.len())?;
    let output = sink(recvbuf, count, recvtype)?;
    let (len, room) = (len_of(sendcount, sendtype)?, len_of(recvcount, recvtype)?);
    Ok(Prepared::among_neighbours(
        comm,
        (Name::NeighborAlltoall, words(recvtype)),
        &neighbours,
        |place| (place * len, len),
        |place| (place * room, room),
        ends(Some((sendbuf, input)), Some((recvbuf, output)))?,
    ))
}

pub(crate) fn neighbor_alltoallv(
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
    let neighbours = comm.neighbours()?;
    let (sendtype, recvtype) = (sendtype.find()?, recvtype.find()?);
    let outgoing = blocks(neighbours.destinations.len(), sendtype, sendcounts, sdispls)?;
    let incoming = blocks(neighbours.sources.len(), recvtype, recvcounts, rdispls)?;
    exchange(
        comm,
        (Name::NeighborAlltoallv, words(recvtype)),
        &neighbours,
        (sendbuf, outgoing),
        (recvbuf, incoming),
    )
}

pub(crate) fn neighbor_alltoallw(
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
    let neighbours = comm.neighbours()?;
    let (to, from) = (neighbours.destinations.len(), neighbours.sources.len());
    let (outgoing, _) = blocks_of_types(to, sendtypes, sendcounts, sdispls)?;
    let (incoming, word) = blocks_of_types(from, recvtypes, recvcounts, rdispls)?;
    exchange(
        comm,
        (Name::NeighborAlltoallw, word),
        &neighbours,
        (sendbuf, outgoing),
        (recvbuf, incoming),
    )
}

fn exchange(
    comm: &mpi::Comm,
    call: (Name, fn() -> pvm::datatype::Word),
    neighbours: &mpi::topology::Neighbours,
    (sendbuf, outgoing): (Buf, Blocked),
    (recvbuf, incoming): (OutBuf, Blocked),
) -> Result<Prepared> {
    let input = blocked_source(sendbuf, &outgoing)?;
    let output = blocked_sink(recvbuf, &incoming)?;
    Ok(Prepared::among_neighbours(
        comm,
        call,
        neighbours,
        |place| outgoing.part(place),
        |place| incoming.part(place),
        ends(Some((sendbuf, input)), Some((recvbuf, output)))?,
    ))
}
