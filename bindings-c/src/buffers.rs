//! Message buffers.

use crate::entry::{call, call_unit};
use crate::memory::put;
use libc::c_int;
use pvm::pvm3::Error;
use pvm::pvm3::encoding::Encoding;

/// `struct pvmminfo`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MessageInfo {
    len: c_int,
    ctx: c_int,
    tag: c_int,
    wid: c_int,
    enc: c_int,
    crc: c_int,
    src: c_int,
    dst: c_int,
}

/// A new active send buffer in place of the present one.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_initsend(enc: c_int) -> c_int {
    call("pvm_initsend", |task| {
        task.buffers().init_send(Encoding::from_number(enc)?)
    })
}

/// A new buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_mkbuf(enc: c_int) -> c_int {
    call("pvm_mkbuf", |task| {
        task.buffers().make(Encoding::from_number(enc)?)
    })
}

/// Releases a buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_freebuf(id: c_int) -> c_int {
    call_unit("pvm_freebuf", |task| task.free_buffer(id))
}

/// Id of the active send buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_getsbuf() -> c_int {
    call("pvm_getsbuf", |task| Ok(task.buffers().send_id()))
}

/// Id of the active receive buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_getrbuf() -> c_int {
    call("pvm_getrbuf", |task| Ok(task.buffers().receive_id()))
}

/// Switches the send buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_setsbuf(id: c_int) -> c_int {
    call("pvm_setsbuf", |task| task.buffers().set_send(id))
}

/// Switches the receive buffer.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_setrbuf(id: c_int) -> c_int {
    call("pvm_setrbuf", |task| task.buffers().set_receive(id))
}

/// Length, tag and sender of a message.
///
/// # Safety
/// The pointers are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_bufinfo(
    id: c_int,
    bytes: *mut c_int,
    tag: *mut c_int,
    tid: *mut c_int,
) -> c_int {
    call_unit("pvm_bufinfo", |task| {
        let (len, its_tag, its_tid) = task.buffer_info(id)?;
        // SAFETY: as promised by the caller.
        unsafe {
            put(bytes, len);
            put(tag, its_tag);
            put(tid, its_tid);
        }
        Ok(())
    })
}

/// All header fields of a message.
///
/// # Safety
/// `info` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_getminfo(id: c_int, info: *mut MessageInfo) -> c_int {
    call_unit("pvm_getminfo", |task| {
        let message = task.buffers().get(id)?;
        if info.is_null() {
            return Err(Error::BadParam);
        }
        let found = MessageInfo {
            len: message.len() as c_int,
            ctx: message.context,
            tag: message.tag,
            wid: message.wait_id,
            enc: message.word as c_int,
            crc: 0,
            src: message.source,
            dst: message.destination,
        };
        // SAFETY: as promised by the caller.
        unsafe { put(info, found) };
        Ok(())
    })
}

/// Sets context, tag, wait id, sender and receiver of a message.
///
/// # Safety
/// `info` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_setminfo(id: c_int, info: *const MessageInfo) -> c_int {
    call_unit("pvm_setminfo", |task| {
        let message = task.buffers().get_mut(id)?;
        if info.is_null() {
            return Err(Error::BadParam);
        }
        // SAFETY: not NULL, so readable, as promised by the caller.
        let wanted = unsafe { info.read_unaligned() };
        message.context = wanted.ctx;
        message.tag = wanted.tag;
        message.wait_id = wanted.wid;
        message.source = wanted.src;
        message.destination = wanted.dst;
        Ok(())
    })
}
