//! The virtual machine's hosts.

use crate::entry::{Task, call_unit};
use crate::memory::{self, put};
use crate::tables::Table;
use libc::{c_char, c_int};
use std::sync::{Mutex, PoisonError};

/// `struct pvmhostinfo`
#[repr(C)]
pub struct HostInfo {
    hi_tid: c_int,
    hi_name: *const c_char,
    hi_arch: *const c_char,
    hi_speed: c_int,
    hi_dsig: c_int,
}

static HOSTS: Mutex<Option<Table<HostInfo>>> = Mutex::new(None);

/// The hosts; the array belongs to the library.
///
/// # Safety
/// The pointers are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_config(
    hosts: *mut c_int,
    formats: *mut c_int,
    infos: *mut *mut HostInfo,
) -> c_int {
    call_unit("pvm_config", |task| {
        let table = task.config()?;
        // SAFETY: as promised by the caller.
        unsafe {
            put(hosts, table.hosts.len() as c_int);
            put(formats, table.formats as c_int);
        }
        if infos.is_null() {
            return Ok(());
        }
        let mut kept = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = kept.insert(Table::new(
            &table.hosts,
            |host| [host.name.as_str(), host.architecture.as_str()],
            |host, [hi_name, hi_arch]| HostInfo {
                hi_tid: host.tid,
                hi_name,
                hi_arch,
                hi_speed: host.speed,
                hi_dsig: host.signature,
            },
        ));
        // SAFETY: as promised by the caller.
        unsafe { put(infos, rows.rows()) };
        Ok(())
    })
}

/// Whether a host is part of the machine.
///
/// # Safety
/// `host` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_mstat(host: *const c_char) -> c_int {
    call_unit("pvm_mstat", |task| {
        // SAFETY: as promised by the caller.
        task.host_status(unsafe { memory::text(host) }?)
    })
}

/// The host part of an id.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_tidtohost(tid: c_int) -> c_int {
    Task::tid_to_host(tid)
}
