//! Sending, receiving, probing.

use crate::entry::{call, call_unit};
use crate::memory::{self, put};
use libc::{c_int, c_void, timeval};
use pvm::pvm3::item::Kind;
use pvm::pvm3::{Error, Result};
use std::time::{Duration, Instant};

/// Sends the active send buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_send(tid: c_int, tag: c_int) -> c_int {
    call_unit("pvm_send", |task| task.send(tid, tag))
}

/// Sends the active send buffer to several tasks.
///
/// # Safety
/// `tids` is NULL or leads to `n` ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_mcast(tids: *const c_int, n: c_int, tag: c_int) -> c_int {
    call_unit("pvm_mcast", |task| {
        // SAFETY: as promised by the caller.
        let tids = unsafe { memory::slice(tids, memory::count(n)?) }?;
        task.mcast(tids, tag)
    })
}

/// Sends items without a buffer.
///
/// # Safety
/// `items` is NULL or leads to `n` items of the type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_psend(
    tid: c_int,
    tag: c_int,
    items: *const c_void,
    n: c_int,
    kind: c_int,
) -> c_int {
    call_unit("pvm_psend", |task| {
        // PVM takes a negative number for none.
        let len = bytes(n.max(0), kind)?;
        // SAFETY: as promised by the caller.
        let body = unsafe { memory::slice(items.cast::<u8>(), len) }?;
        task.psend(tid, tag, body)
    })
}

/// Waits for a message.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_recv(tid: c_int, tag: c_int) -> c_int {
    call("pvm_recv", |task| {
        task.receive(tid, tag, None)?.ok_or(Error::SysErr)
    })
}

/// Takes a message if there is one.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_nrecv(tid: c_int, tag: c_int) -> c_int {
    call("pvm_nrecv", |task| {
        let id = task.receive(tid, tag, Some(Instant::now()))?;
        Ok(id.unwrap_or(0))
    })
}

/// Waits for a message, but not for ever.
///
/// # Safety
/// `timeout` is NULL, which stands for ever, or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_trecv(tid: c_int, tag: c_int, timeout: *const timeval) -> c_int {
    let deadline = match timeout.is_null() {
        true => None,
        // SAFETY: not NULL, so readable, as promised by the caller.
        false => deadline(unsafe { timeout.read_unaligned() }),
    };
    call("pvm_trecv", |task| {
        Ok(task.receive(tid, tag, deadline)?.unwrap_or(0))
    })
}

/// Id of the message that a receive would take now, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_probe(tid: c_int, tag: c_int) -> c_int {
    call("pvm_probe", |task| Ok(task.probe(tid, tag)?.unwrap_or(0)))
}

/// Waits for a message and puts it into the program's memory; what does not fit is dropped.
///
/// # Safety
/// `items` is NULL or has room for `n` items of the type; the other pointers are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_precv(
    tid: c_int,
    tag: c_int,
    items: *mut c_void,
    n: c_int,
    kind: c_int,
    from_tid: *mut c_int,
    from_tag: *mut c_int,
    from_len: *mut c_int,
) -> c_int {
    call_unit("pvm_precv", |task| {
        let room = bytes(n.max(0), kind)?;
        if items.is_null() && room > 0 {
            return Err(Error::BadParam);
        }
        let received = task.precv(tid, tag)?;
        let body = received.message.body();
        // SAFETY: the room and the result pointers are as promised by the caller.
        unsafe {
            let len = body.len().min(room);
            items.cast::<u8>().copy_from(body.as_ptr(), len);
            put(from_tid, received.tid);
            put(from_tag, received.tag);
            put(from_len, body.len() as c_int);
        }
        Ok(())
    })
}

/// Length in memory of `n` items; strings are for packing only.
fn bytes(n: c_int, kind: c_int) -> Result<usize> {
    match Kind::from_number(kind) {
        None => Err(Error::BadParam),
        Some(Kind::Str) => Err(Error::NotImpl),
        Some(kind) => memory::count(n)?
            .checked_mul(kind.size())
            .filter(|len| *len <= c_int::MAX as usize)
            .ok_or(Error::BadParam),
    }
}

/// When a timeout that begins now is over; `None` if that cannot be told, so late it is. Odd
/// microseconds are taken at their word.
pub(crate) fn deadline(timeout: timeval) -> Option<Instant> {
    let micros = i128::from(timeout.tv_sec) * 1_000_000 + i128::from(timeout.tv_usec);
    let wait = Duration::from_micros(u64::try_from(micros.max(0)).ok()?);
    Instant::now().checked_add(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_timeouts_are_no_errors() {
        let of = |tv_sec, tv_usec| deadline(timeval { tv_sec, tv_usec });
        assert!(of(0, -1).unwrap() <= Instant::now());
        assert!(of(0, 2_000_000).unwrap() > Instant::now());
        assert!(of(i64::MAX, i64::MAX).is_none());
    }
}
