//! Buffers of the program as ends of messages.

use pvm::datatype::{Layout, ShortSource, Sink, Source};
use pvm::mpi::collective::Blocked;
use pvm::mpi::{Class, Datatype, Error, Result};

use super::generated::constants as abi;
use super::raw::{Buf, OutBuf};

/// Nothing of a program is at an address below.
pub(crate) const LOWEST: usize = 4096;

/// `count` elements of a datatype, to be read. Addresses of the special values (`MPI_IN_PLACE` and
/// others) are the business of those who allow them.
///
/// # Errors
/// `MPI_ERR_TYPE` when the datatype is not committed, `MPI_ERR_COUNT` when the elements do not fit the
/// address space, `MPI_ERR_BUFFER` for NULL.
///
/// # Safety
/// The program leaves the elements readable, and does not change them, until the source is dropped.
#[inline(always)]
pub(crate) unsafe fn source(buf: Buf, count: i64, datatype: &Datatype) -> Result<Source> {
    let layout = datatype.layout()?;
    check(buf.0 as usize, count, layout)?;
    // SAFETY: as promised by the caller.
    let source = unsafe { Source::typed(buf.0.cast(), layout, count as usize) };
    source.ok_or_else(|| too_many(count, layout))
}

/// `count` elements of a datatype, to be read, if they are a few bytes in one run and nothing is wrong with them.
///
/// # Safety
/// As for [`source`], as long as this is used.
#[inline(always)]
pub(crate) unsafe fn short<'a>(
    buf: Buf,
    count: i64,
    datatype: &Datatype,
) -> Option<ShortSource<'a>> {
    let len = datatype.layout().ok()?.plain_size_of(count as usize)?;
    let is_there = buf.0 as usize >= LOWEST;
    // SAFETY: as promised by the caller.
    unsafe { ShortSource::borrowed(buf.0.cast(), len) }.filter(|_| is_there)
}

/// `count` elements of a datatype, to be written.
///
/// # Errors
/// As [`source`].
///
/// # Safety
/// The program leaves the elements alone until the sink is dropped.
#[inline(always)]
pub(crate) unsafe fn sink(buf: OutBuf, count: i64, datatype: &Datatype) -> Result<Sink> {
    let layout = datatype.layout()?;
    check(buf.0 as usize, count, layout)?;
    // SAFETY: as promised by the caller.
    let sink = unsafe { Sink::typed(buf.0.cast(), layout, count as usize) };
    sink.ok_or_else(|| too_many(count, layout))
}

/// Blocks of elements, to be read.
///
/// # Errors
/// `MPI_ERR_BUFFER` for NULL.
///
/// # Safety
/// As for [`source`].
pub(crate) unsafe fn blocked_source(buf: Buf, blocks: &Blocked) -> Result<Source> {
    check_blocked(buf.0 as usize, blocks)?;
    let base = buf.0.cast::<u8>().wrapping_offset(blocks.offset);
    // SAFETY: as promised by the caller.
    let source = unsafe { Source::typed(base, &blocks.layout, 1) };
    source.ok_or_else(|| too_many(1, &blocks.layout))
}

/// Blocks of elements, to be written.
///
/// # Errors
/// As [`blocked_source`].
///
/// # Safety
/// As for [`sink`].
pub(crate) unsafe fn blocked_sink(buf: OutBuf, blocks: &Blocked) -> Result<Sink> {
    check_blocked(buf.0 as usize, blocks)?;
    let base = buf.0.cast::<u8>().wrapping_offset(blocks.offset);
    // SAFETY: as promised by the caller.
    let sink = unsafe { Sink::typed(base, &blocks.layout, 1) };
    sink.ok_or_else(|| too_many(1, &blocks.layout))
}

fn check_blocked(address: usize, blocks: &Blocked) -> Result<()> {
    match address >= LOWEST || blocks.is_empty() {
        true => Ok(()),
        false => check_special(address, blocks.offset + blocks.layout.span().0),
    }
}

/// `len` bytes, to be read.
///
/// # Errors
/// `MPI_ERR_ARG` for a negative length, `MPI_ERR_BUFFER` for NULL.
///
/// # Safety
/// As for [`source`].
pub(crate) unsafe fn bytes(buf: Buf, len: i64) -> Result<Source> {
    let len = length(buf.0 as usize, len)?;
    // SAFETY: as promised by the caller.
    Ok(unsafe { Source::borrowed(buf.0.cast(), len) })
}

/// Room for `len` bytes.
///
/// # Errors
/// As [`bytes`].
///
/// # Safety
/// As for [`sink`].
pub(crate) unsafe fn room(buf: OutBuf, len: i64) -> Result<Sink> {
    let len = length(buf.0 as usize, len)?;
    // SAFETY: as promised by the caller.
    Ok(unsafe { Sink::borrowed(buf.0.cast(), len) })
}

fn length(address: usize, len: i64) -> Result<usize> {
    let wrong = |_| Error::new(Class::Arg, format!("a buffer of {len} bytes"));
    let len = usize::try_from(len).map_err(wrong)?;
    match address == 0 && len > 0 {
        false => Ok(len),
        true => Err(Error::new(Class::Buffer, "the buffer is NULL")),
    }
}

#[inline]
fn check(address: usize, count: i64, layout: &Layout) -> Result<()> {
    match address >= LOWEST || count == 0 || layout.size() == 0 {
        true => Ok(()),
        false => check_special(address, layout.span().0),
    }
}

/// NULL is `MPI_BOTTOM`, from where on datatypes of whole addresses count.
#[cold]
fn check_special(address: usize, lowest: isize) -> Result<()> {
    let what = match address as isize {
        abi::BOTTOM if lowest.unsigned_abs() >= LOWEST => return Ok(()),
        abi::BOTTOM => "the buffer is NULL".to_owned(),
        abi::IN_PLACE => "MPI_IN_PLACE is no buffer here".to_owned(),
        _ => format!("{address:#x} is no address"),
    };
    Err(Error::new(Class::Buffer, what))
}

#[cold]
fn too_many(count: i64, layout: &Layout) -> Error {
    let detail = format!("{count} elements of {layout:?} do not fit the address space");
    Error::new(Class::Count, detail)
}
