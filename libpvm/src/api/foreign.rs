//! Messages of plain data from hosts whose numbers lie otherwise in memory.
//!
//! They are received as they are, into memory for elements of ours, and changed there. Nothing of this
//! is on the way of messages between like hosts.

use super::error::{Error, Result};
use super::plain::{Plain, plain_hash, sent_word};
use super::port::{mismatch, not_whole};
use crate::datatype::{Change, Word};
use crate::engine::Envelope;

/// Bytes of memory for a message: before it is changed, and after.
///
/// # Errors
/// As [`open`].
#[cold]
pub(super) fn room_len<T: Plain>(envelope: &Envelope) -> Result<u64> {
    let here = len_here::<T>(change::<T>(envelope)?, envelope.len)?;
    let len = here.max(envelope.len);
    let whole = len.checked_next_multiple_of(size_of::<T>() as u64);
    whole.ok_or(Error::NoMemory { len })
}

/// Makes what has been received into the beginning of `data` ours; the envelope then tells its length
/// here.
///
/// # Errors
/// [`Error::TypeMismatch`] when something else was sent, [`Error::Unlike`] when it cannot be changed,
/// [`Error::Truncated`] when there is no room for what it becomes; its beginning is ours then.
#[cold]
pub(super) fn open<T: Plain>(envelope: Envelope, data: &mut [T]) -> Result<Envelope> {
    let change = change::<T>(&envelope)?;
    let len = len_here::<T>(change, envelope.len)?;
    if len > size_of_val(data) as u64 {
        return Err(open_beginning(&envelope, data));
    }
    let room: &mut [u8] = bytemuck::cast_slice_mut(data);
    let changed = change.apply(room, envelope.len as usize);
    changed.map_err(|why| Error::Unlike {
        got: std::any::type_name::<T>(),
        why,
    })?;
    Ok(Envelope { len, ..envelope })
}

/// Makes the whole words ours that are there of a message which is too large for `data`, before or
/// after it is changed. The error tells how long it would be here.
#[cold]
pub(super) fn open_beginning<T: Plain>(envelope: &Envelope, data: &mut [T]) -> Error {
    let room: &mut [u8] = bytemuck::cast_slice_mut(data);
    let capacity = room.len() as u64;
    let mut len = envelope.len;
    if envelope.form.is_foreign()
        && let Ok(change) = change::<T>(envelope)
    {
        // Words that shrink might have fitted, had they all been there: then it is as long as it came.
        let here = change.len_here(len).filter(|&here| here > capacity);
        let came = change.whole_words(len.min(capacity) as usize, room.len());
        // Of two reasons why not all is there, the first is told.
        let _ = change.apply(room, came);
        len = here.unwrap_or(len);
    }
    Error::Truncated { len, capacity }
}

/// What is to be done with a message for elements `T`.
fn change<T: Plain>(envelope: &Envelope) -> Result<Change> {
    let Envelope {
        check: sent, form, ..
    } = *envelope;
    let untyped_bytes = sent == 0 && plain_hash::<T>() == plain_hash::<u8>();
    let word = match untyped_bytes {
        true => Some(Word::Fixed(1)),
        false => sent_word::<T>(sent, form.address()),
    };
    let word = word.ok_or_else(|| mismatch::<T>(envelope))?;
    form.change(word).map_err(|why| Error::Unlike {
        got: std::any::type_name::<T>(),
        why,
    })
}

/// Bytes of a message here: whole elements.
fn len_here<T: Plain>(change: Change, len: u64) -> Result<u64> {
    let here = change.len_here(len);
    let whole = here.filter(|here| here.is_multiple_of(size_of::<T>() as u64));
    whole.ok_or_else(|| not_whole::<T>(len))
}
