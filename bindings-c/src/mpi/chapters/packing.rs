//! Packing (MPI 5.0, 5.2 and 5.3).

use std::ffi::CStr;

use pvm::mpi::datatype::{external32, pack};
use pvm::mpi::{Class, Comm, Datatype, Error, Result};

use super::super::failure::Outcome;
use super::super::memory;
use super::super::raw::{Buf, Number, OutBuf};

/// Works from a position on and moves it.
fn advance(position: Number, work: impl FnOnce(usize) -> Result<usize>) -> Outcome {
    let at = position.get();
    let wrong = |_| Error::new(Class::Arg, format!("position {at}"));
    let end = work(usize::try_from(at).map_err(wrong)?)?;
    // It fits: it is not greater than the size of the buffer, which came in the same width.
    position.put(end as i64);
    Ok(())
}

/// Writes a size.
fn size(place: Number, size: i64) -> Outcome {
    match place.put(size) {
        true => Ok(()),
        false => {
            let detail = format!("{size} bytes; ask with the call whose name ends in _c");
            Err(Error::new(Class::ValueTooLarge, detail).into())
        }
    }
}

/// The portable form is the only one that packing has a name for.
fn check_name(datarep: &CStr) -> Outcome {
    if datarep.to_bytes() == external32::NAME.as_bytes() {
        return Ok(());
    }
    let detail = format!("{datarep:?} is not {:?}", external32::NAME);
    Err(Error::new(Class::UnsupportedDatarep, detail).into())
}

pub fn pack(
    inbuf: Buf,
    incount: i64,
    datatype: &Datatype,
    outbuf: OutBuf,
    outsize: i64,
    position: Number,
    _comm: &Comm,
) -> Outcome {
    // SAFETY: the program promises both buffers, until the call returns.
    let (source, mut room) = unsafe {
        (
            memory::source(inbuf, incount, datatype)?,
            memory::room(outbuf, outsize)?,
        )
    };
    advance(position, |at| pack::pack(&source, &mut room, at))
}

pub fn unpack(
    inbuf: Buf,
    insize: i64,
    position: Number,
    outbuf: OutBuf,
    outcount: i64,
    datatype: &Datatype,
    _comm: &Comm,
) -> Outcome {
    // SAFETY: the program promises both buffers, until the call returns.
    let (packed, mut sink) = unsafe {
        (
            memory::bytes(inbuf, insize)?,
            memory::sink(outbuf, outcount, datatype)?,
        )
    };
    advance(position, |at| pack::unpack(&packed, at, &mut sink))
}

pub fn pack_size(incount: i64, datatype: &Datatype, _comm: &Comm, place: Number) -> Outcome {
    size(place, datatype.packed_size(incount)?)
}

pub fn pack_external(
    datarep: &CStr,
    inbuf: Buf,
    incount: i64,
    datatype: &Datatype,
    outbuf: OutBuf,
    outsize: i64,
    position: Number,
) -> Outcome {
    check_name(datarep)?;
    // SAFETY: the program promises both buffers, until the call returns.
    let (source, mut room) = unsafe {
        (
            memory::source(inbuf, incount, datatype)?,
            memory::room(outbuf, outsize)?,
        )
    };
    advance(position, |at| {
        external32::pack(datatype, &source, &mut room, at)
    })
}

pub fn unpack_external(
    datarep: &CStr,
    inbuf: Buf,
    insize: i64,
    position: Number,
    outbuf: OutBuf,
    outcount: i64,
    datatype: &Datatype,
) -> Outcome {
    check_name(datarep)?;
    // SAFETY: the program promises both buffers, until the call returns.
    let (packed, mut sink) = unsafe {
        (
            memory::bytes(inbuf, insize)?,
            memory::sink(outbuf, outcount, datatype)?,
        )
    };
    advance(position, |at| {
        external32::unpack(datatype, &packed, at, &mut sink)
    })
}

pub fn pack_external_size(
    datarep: &CStr,
    incount: i64,
    datatype: &Datatype,
    place: Number,
) -> Outcome {
    check_name(datarep)?;
    size(place, datatype.external_size(incount)?)
}
