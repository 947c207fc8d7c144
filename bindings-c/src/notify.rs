//! Notification.

use crate::entry::call_unit;
use crate::memory;
use libc::c_int;
use pvm::pvm3::Error;

/// Asks for messages about events.
///
/// # Safety
/// `tids` is NULL or leads to `n` ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_notify(
    what: c_int,
    tag: c_int,
    n: c_int,
    tids: *const c_int,
) -> c_int {
    call_unit("pvm_notify", |task| {
        // Only hosts and routes take a count without tasks.
        let tids = match (memory::count(n), tids.is_null()) {
            (Ok(n), false) => unsafe {
                // SAFETY: as promised by the caller.
                memory::slice(tids, n)
            }?,
            (Ok(1..), true) if what & 0xff == 1 => return Err(Error::BadParam),
            _ => &[],
        };
        task.notify(what, tag, tids)
    })
}
