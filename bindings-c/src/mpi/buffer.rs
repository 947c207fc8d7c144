//! Message buffers of the program.

use pvm::datatype::{Sink, Source};
use pvm::mpi::point::too_long;
use pvm::mpi::{Class, Datatype, Error, Result};

use super::generated::constants as abi;
use super::raw::{Buf, OutBuf};

/// Addresses below this one are no memory: they stand for something, or are a mistake.
const FIRST_ADDRESS: usize = 4096;

/// `count` elements that are sent.
///
/// # Errors
/// `MPI_ERR_BUFFER`, `MPI_ERR_TYPE` (not committed), `MPI_ERR_COUNT`.
///
/// # Safety
/// The memory may be read, as the datatype says, until the source is dropped.
#[inline]
pub(crate) unsafe fn source(buf: Buf, count: i64, datatype: &Datatype) -> Result<Source> {
    let layout = datatype.layout()?;
    check(buf.0 as usize, count, datatype)?;
    let elements = usize::try_from(count).map_err(|_| too_long(count))?;
    // SAFETY: as promised by the caller.
    let source = unsafe { Source::typed(buf.0.cast(), layout, elements) };
    source.ok_or_else(|| too_long(count))
}

/// Room for `count` elements that are received.
///
/// # Errors
/// As [`source`].
///
/// # Safety
/// The memory may be written, as the datatype says, and nobody else touches it, until the sink is
/// dropped.
#[inline]
pub(crate) unsafe fn sink(buf: OutBuf, count: i64, datatype: &Datatype) -> Result<Sink> {
    let layout = datatype.layout()?;
    check(buf.0 as usize, count, datatype)?;
    let elements = usize::try_from(count).map_err(|_| too_long(count))?;
    // SAFETY: as promised by the caller.
    let sink = unsafe { Sink::typed(buf.0.cast(), layout, elements) };
    sink.ok_or_else(|| too_long(count))
}

/// Checks that an address is one. `MPI_BOTTOM` is NULL: with a datatype of absolute addresses it is
/// right.
#[inline]
fn check(address: usize, count: i64, datatype: &Datatype) -> Result<()> {
    match address >= FIRST_ADDRESS || count == 0 {
        true => Ok(()),
        false => check_special(address, datatype),
    }
}

#[cold]
fn check_special(address: usize, datatype: &Datatype) -> Result<()> {
    let begins = datatype.true_bounds().lower;
    let is_absolute = address == abi::BOTTOM as usize && begins >= FIRST_ADDRESS as i64;
    if datatype.size() == 0 || is_absolute {
        return Ok(());
    }
    let what = match address as isize {
        abi::BOTTOM => "the buffer is NULL".to_owned(),
        abi::IN_PLACE => "MPI_IN_PLACE is no buffer here".to_owned(),
        _ => format!("the buffer {address:#x} is no address"),
    };
    Err(Error::new(Class::Buffer, what))
}
