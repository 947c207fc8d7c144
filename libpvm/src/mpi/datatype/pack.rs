//! Packing into memory and out of it (MPI 5.0, 5.2). Packed data are the bytes of the elements, one
//! after the other, as messages carry them: whoever receives `MPI_PACKED` may unpack them, and whoever
//! packs may send what is received as the datatype.

use super::Datatype;
use crate::datatype::{Sink, Source, transfer};
use crate::mpi::{Class, Error, Result};

impl Datatype {
    /// Bytes that `count` take when they are packed.
    ///
    /// # Errors
    /// [`Class::Count`] for a negative count, [`Class::ValueTooLarge`].
    pub fn packed_size(&self, count: i64) -> Result<i64> {
        times(self.size(), count)
    }
}

/// `size` bytes for each of `count`.
pub(super) fn times(size: i64, count: i64) -> Result<i64> {
    if count < 0 {
        return Err(Error::new(Class::Count, format!("a count of {count}")));
    }
    size.checked_mul(count).ok_or_else(|| {
        let detail = format!("{count} datatypes of {size} bytes do not fit MPI_Count");
        Error::new(Class::ValueTooLarge, detail)
    })
}

/// Packs all of `source` into `room`, from `position` on; returns the position behind it.
///
/// # Errors
/// [`Class::Truncate`] when there is not enough room; [`Class::Arg`] for a position outside.
pub fn pack(source: &Source, room: &mut Sink, position: usize) -> Result<usize> {
    let end = behind(position, source.len(), room.capacity())?;
    transfer(source, 0, room, position, source.len());
    Ok(end)
}

/// Fills all of `sink` from `packed`, from `position` on; returns the position behind it.
///
/// # Errors
/// [`Class::Truncate`] when there is not enough; [`Class::Arg`] for a position outside.
pub fn unpack(packed: &Source, position: usize, sink: &mut Sink) -> Result<usize> {
    let len = sink.capacity();
    let end = behind(position, len, packed.len())?;
    transfer(packed, position, sink, 0, len);
    Ok(end)
}

/// The position behind `len` bytes of a buffer of `size`.
pub(super) fn behind(position: usize, len: usize, size: usize) -> Result<usize> {
    let Some(left) = size.checked_sub(position) else {
        let detail = format!("position {position} of a buffer of {size} bytes");
        return Err(Error::new(Class::Arg, detail));
    };
    if len > left {
        let detail = format!("{len} bytes from position {position} on of a buffer of {size}");
        return Err(Error::new(Class::Truncate, detail));
    }
    Ok(position + len)
}
