//! Buffers of buffered sends, of the process, of sessions and of communicators (MPI 5.0, 3.6).

use pvm::mpi::buffered::{Attached, Buffer};
use pvm::mpi::{self, Class, Error, Process, Request, Session};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{self, Number, Out, OutBuf};
use super::super::state::any_process;
use super::point::give;

/// As large a buffer as is needed.
const AUTOMATIC: usize = abi::BUFFER_AUTOMATIC as usize;

fn attach(place: &Buffer, process: &Process, buffer: OutBuf, size: i64) -> Outcome {
    let address = buffer.0 as usize;
    if address == 0 && size > 0 {
        return Err(Error::new(Class::Buffer, "the buffer is NULL").into());
    }
    let size = (address != AUTOMATIC).then_some(size.unsigned_abs());
    Ok(place.attach(process, Attached { address, size })?)
}

/// Gives the buffer back: `buffer_addr` is where its address goes.
fn detach(place: &Buffer, process: &Process, buffer_addr: OutBuf, size: Number) -> Outcome {
    let place_of_address = buffer_addr.place()?;
    let Attached { address, size: len } = place.detach(process)?;
    place_of_address.set(address);
    size.put_or_undefined(len.map_or(0, |len| i64::try_from(len).unwrap_or(i64::MAX)));
    Ok(())
}

pub fn buffer_attach(buffer: OutBuf, size: i64) -> Outcome {
    let process = any_process()?;
    attach(&process.buffer, &process, buffer, size)
}

pub fn buffer_detach(buffer_addr: OutBuf, size: Number) -> Outcome {
    let process = any_process()?;
    detach(&process.buffer, &process, buffer_addr, size)
}

pub fn buffer_flush() -> Outcome {
    let process = any_process()?;
    Ok(process.buffer.flush(&process)?)
}

pub fn buffer_iflush(request: Out<raw::Request>) -> Outcome {
    let process = any_process()?;
    give(request, Request::new(process.buffer.iflush(&process)?))
}

pub fn comm_attach_buffer(comm: &mpi::Comm, buffer: OutBuf, size: i64) -> Outcome {
    attach(&comm.buffer, &comm.process, buffer, size)
}

pub fn comm_detach_buffer(comm: &mpi::Comm, buffer_addr: OutBuf, size: Number) -> Outcome {
    detach(&comm.buffer, &comm.process, buffer_addr, size)
}

pub fn comm_flush_buffer(comm: &mpi::Comm) -> Outcome {
    Ok(comm.buffer.flush(&comm.process)?)
}

pub fn comm_iflush_buffer(comm: &mpi::Comm, request: Out<raw::Request>) -> Outcome {
    give(request, Request::new(comm.buffer.iflush(&comm.process)?))
}

pub fn session_attach_buffer(session: &Session, buffer: OutBuf, size: i64) -> Outcome {
    attach(&session.buffer, &session.process, buffer, size)
}

pub fn session_detach_buffer(session: &Session, buffer_addr: OutBuf, size: Number) -> Outcome {
    detach(&session.buffer, &session.process, buffer_addr, size)
}

pub fn session_flush_buffer(session: &Session) -> Outcome {
    Ok(session.buffer.flush(&session.process)?)
}

pub fn session_iflush_buffer(session: &Session, request: Out<raw::Request>) -> Outcome {
    give(
        request,
        Request::new(session.buffer.iflush(&session.process)?),
    )
}
