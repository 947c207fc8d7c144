//! Tasks: who am I, who is there, start and end.

use crate::entry::{call, call_unit};
use crate::memory::{self, put};
use crate::tables::Table;
use libc::{c_char, c_int};
use pvm::pvm3::{Error, Result, SpawnPlace, SpawnRequest};
use pvm::settings;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

/// `struct pvmtaskinfo`
#[repr(C)]
pub struct TaskInfo {
    ti_tid: c_int,
    ti_ptid: c_int,
    ti_host: c_int,
    ti_flag: c_int,
    ti_a_out: *const c_char,
    ti_pid: c_int,
}

static TASKS: Mutex<Option<Table<TaskInfo>>> = Mutex::new(None);
static SIBLINGS: Mutex<Vec<c_int>> = Mutex::new(Vec::new());

/// Own id.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_mytid() -> c_int {
    call("pvm_mytid", |task| task.my_tid())
}

/// Id of the task that spawned this one. That there is none is no error to shout about.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_parent() -> c_int {
    let mut none = None;
    let parent = call("pvm_parent", |task| match task.parent() {
        Err(error @ (Error::NoParent | Error::ParentNotSet)) => {
            none = Some(error.code());
            Ok(error.code())
        }
        other => other,
    });
    none.into_iter().for_each(crate::errors::set_errno);
    parent
}

/// Leaves the virtual machine; the process goes on.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_exit() -> c_int {
    call_unit("pvm_exit", |task| task.exit())
}

/// Starts tasks; returns how many.
///
/// # Safety
/// `file` and `place` are NULL or strings, `argv` is NULL or a NULL-terminated array of strings,
/// `tids` is NULL or has room for `n` ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_spawn(
    file: *const c_char,
    argv: *const *const c_char,
    flags: c_int,
    place: *const c_char,
    n: c_int,
    tids: *mut c_int,
) -> c_int {
    call("pvm_spawn", |task| {
        // SAFETY: as promised by the caller.
        let request = unsafe {
            let place = match place.is_null() {
                true => "",
                false => memory::text(place)?,
            };
            let program = memory::bytes_of(file).ok_or(Error::BadParam)?;
            spawn_request(program, memory::strings(argv), flags, place, n)
        }?;
        let started = task.spawn(request)?;
        let mut count = 0;
        for (slot, result) in started.into_iter().enumerate() {
            count += c_int::from(result.is_ok());
            let value = result.unwrap_or_else(Error::code);
            if !tids.is_null() {
                // SAFETY: one of the `n` places that the caller promised.
                unsafe { put(tids.add(slot), value) }
            }
        }
        Ok(count)
    })
}

/// The arguments of a spawn, checked.
pub(crate) fn spawn_request(
    program: &[u8],
    arguments: Vec<Vec<u8>>,
    flags: c_int,
    place: &str,
    n: c_int,
) -> Result<SpawnRequest> {
    if n < 1 || program.is_empty() {
        return Err(Error::BadParam);
    }
    Ok(SpawnRequest {
        program: program.to_vec(),
        arguments,
        flags,
        place: SpawnPlace::parse(place),
        count: n as u32,
    })
}

/// Whether a task is alive.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_pstat(tid: c_int) -> c_int {
    let mut gone = None;
    let status = call("pvm_pstat", |task| match task.status(tid) {
        Err(error @ Error::NoTask) => {
            gone = Some(error.code());
            Ok(error.code())
        }
        other => other.map(|()| 0),
    });
    gone.into_iter().for_each(crate::errors::set_errno);
    status
}

/// Lists tasks; the array belongs to the library.
///
/// # Safety
/// The pointers are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_tasks(
    place: c_int,
    count: *mut c_int,
    infos: *mut *mut TaskInfo,
) -> c_int {
    call_unit("pvm_tasks", |task| {
        let entries = task.tasks(place)?;
        // SAFETY: as promised by the caller.
        unsafe { put(count, entries.len() as c_int) };
        if infos.is_null() {
            return Ok(());
        }
        let mut kept = TASKS.lock().unwrap_or_else(PoisonError::into_inner);
        let table = kept.insert(Table::new(
            &entries,
            |entry| [entry.program.as_str()],
            |entry, [ti_a_out]| TaskInfo {
                ti_tid: entry.tid,
                ti_ptid: entry.parent,
                ti_host: entry.host,
                ti_flag: entry.flag,
                ti_a_out,
                ti_pid: entry.pid,
            },
        ));
        // SAFETY: as promised by the caller.
        unsafe { put(infos, table.rows()) };
        Ok(())
    })
}

/// The tasks that were started together with this one; the array belongs to the library.
///
/// # Safety
/// `tids` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_siblings(tids: *mut *mut c_int) -> c_int {
    call("pvm_siblings", |task| {
        let siblings = task.siblings()?;
        if tids.is_null() {
            return Err(Error::BadParam);
        }
        let mut kept = SIBLINGS.lock().unwrap_or_else(PoisonError::into_inner);
        // They never change, and programs keep the address.
        if *kept != siblings {
            *kept = siblings;
        }
        // SAFETY: as promised by the caller.
        unsafe { put(tids, kept.as_mut_ptr()) };
        Ok(kept.len() as c_int)
    })
}

/// Sends SIGTERM to a task.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_kill(tid: c_int) -> c_int {
    call_unit("pvm_kill", |task| task.signal(tid, libc::SIGTERM))
}

/// Sends a signal to a task; a number that is none is no error.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_sendsig(tid: c_int, signal: c_int) -> c_int {
    call_unit("pvm_sendsig", |task| match signal {
        1..=64 => task.signal(tid, signal),
        _ => task.status(tid).or_else(|error| match error {
            Error::NoTask => Ok(()),
            other => Err(other),
        }),
    })
}

/// Adds a variable to those that spawned tasks inherit.
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_export(name: *const c_char) -> c_int {
    call_unit("pvm_export", |_| {
        // SAFETY: as promised by the caller.
        let name = unsafe { memory::text(name) }?;
        let mut names = exported();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        set_exported(&names)
    })
}

/// Removes a variable from those that spawned tasks inherit.
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_unexport(name: *const c_char) -> c_int {
    call_unit("pvm_unexport", |_| {
        // SAFETY: as promised by the caller.
        let name = unsafe { memory::text(name) }?;
        let mut names = exported();
        names.retain(|known| known != name);
        set_exported(&names)
    })
}

fn exported() -> Vec<String> {
    let names = std::env::var(settings::PVM_EXPORT).unwrap_or_default();
    let names = names.split(':').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn set_exported(names: &[String]) -> Result<()> {
    let name = CString::new(settings::PVM_EXPORT).map_err(|_| Error::BadParam)?;
    let value = CString::new(names.join(":")).map_err(|_| Error::BadParam)?;
    // SAFETY: two strings. As with every setenv, a program with several threads must not read its
    // environment meanwhile; pvm3.h says so.
    match unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) } {
        0 => Ok(()),
        _ => Err(Error::NoMem),
    }
}
