//! Options and contexts.

use crate::entry::call;
use libc::c_int;

/// Sets an option; returns its old value.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_setopt(what: c_int, value: c_int) -> c_int {
    call("pvm_setopt", |task| task.set_option(what, value))
}

/// The value of an option.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_getopt(what: c_int) -> c_int {
    call("pvm_getopt", |task| task.option(what))
}

/// Switches the message context; returns the old one.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_setcontext(context: c_int) -> c_int {
    call("pvm_setcontext", |task| Ok(task.set_context(context)))
}

/// The message context.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_getcontext() -> c_int {
    call("pvm_getcontext", |task| Ok(task.context()))
}
