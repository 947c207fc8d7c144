//! The way in: one state for the process, behind one lock.
//!
//! PVM is not thread-safe: calls of several threads take turns here, and one that waits keeps the
//! others out. A call made inside another call of the same thread (in a signal handler, say) fails
//! with `PvmSysErr`. Functions of the program are called outside the lock.

use crate::errors;
use libc::c_int;
use pvm::pvm3::attached::Attached;
use pvm::pvm3::{Error, Pvm, Result};
use pvm::sync::atomic::{AtomicBool, Ordering};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError, TryLockError};

/// The state of this process as a PVM task.
pub(crate) type Task = Pvm<Attached>;

static TASK: Mutex<Option<Task>> = Mutex::new(None);
static HOOKS: Once = Once::new();
/// This process was forked from one that had a state.
static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs one call. Its failure is noted in `pvm_errno` and reported as option `PvmAutoErr` says.
pub(crate) fn call(name: &str, body: impl FnOnce(&mut Task) -> Result<c_int>) -> c_int {
    match enter(body) {
        Ok(value) => value,
        Err(error) => fail(name, error),
    }
}

/// As [`call`], for calls that return zero.
pub(crate) fn call_unit(name: &str, body: impl FnOnce(&mut Task) -> Result<()>) -> c_int {
    call(name, |task| body(task).map(|()| 0))
}

/// Runs something with the state. A panic is our own error, not the program's end.
pub(crate) fn enter<R>(body: impl FnOnce(&mut Task) -> Result<R>) -> Result<R> {
    if INSIDE.replace(true) {
        return Err(Error::SysErr);
    }
    HOOKS.call_once(install_hooks);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut slot = TASK.lock().unwrap_or_else(PoisonError::into_inner);
        if FORKED.swap(false, Ordering::AcqRel) {
            // The parent's links must not be shut down from here.
            std::mem::forget(slot.replace(Task::forked()));
        }
        body(slot.get_or_insert_default())
    }));
    INSIDE.set(false);
    result.unwrap_or(Err(Error::SysErr))
}

/// Notes and reports a failure; returns its code.
pub(crate) fn fail(name: &str, error: Error) -> c_int {
    errors::set_errno(error.code());
    let report = enter(|task| {
        Ok((
            task.auto_err(),
            task.tid_if_enrolled(),
            task.take_complaint(),
        ))
    });
    let Ok((auto_err, tid, complaint)) = report else {
        return error.code();
    };
    if auto_err == 0 {
        return error.code();
    }
    let who = errors::who(tid);
    if let Some(complaint) = complaint {
        eprintln!("libpvm [{who}] {complaint}");
    }
    eprintln!("libpvm [{who}]: {name}(): {error}");
    match auto_err {
        2 => {
            let _ = enter(Task::exit);
            std::process::exit(error.code())
        }
        3 => std::process::abort(),
        _ => error.code(),
    }
}

fn install_hooks() {
    // SAFETY: both handlers are functions of this library, which is never unloaded: the state's
    // thread-locals and these very registrations keep it in use.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_forked_child));
        libc::atexit(at_exit);
    }
}

extern "C" fn in_forked_child() {
    FORKED.store(true, Ordering::Release);
    INSIDE.set(false);
}

/// A program that ends without `pvm_exit` has its messages delivered all the same.
/// Not while another thread waits inside: that may be for ever.
extern "C" fn at_exit() {
    if !matches!(TASK.try_lock(), Err(TryLockError::WouldBlock)) {
        let _ = enter(Task::exit);
    }
}
