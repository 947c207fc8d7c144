//! `pvm_errno`, `pvm_perror` and the texts.

use crate::entry::enter;
use crate::memory;
use libc::{c_char, c_int};
use pvm::pvm3::{TEXT_COUNT, text};
use pvm::sync::atomic::{AtomicI32, Ordering};
use std::ffi::CString;
use std::sync::OnceLock;

/// Code of the last failure, or 0.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a C name")]
pub static pvm_errno: AtomicI32 = AtomicI32::new(0);

/// Number of error texts.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a C name")]
pub static pvm_nerr: c_int = TEXT_COUNT as c_int;

/// An address that may be looked at from any thread.
#[repr(transparent)]
pub struct Text(*const c_char);

// SAFETY: the address is that of a constant string.
unsafe impl Sync for Text {}

macro_rules! errlist {
    ($($text:literal)*) => {
        /// Error texts by the negated code.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "a C name")]
        pub static pvm_errlist: [Text; TEXT_COUNT] =
            [$(Text(concat!($text, "\0").as_ptr().cast()),)*];

        #[cfg(test)]
        const TEXTS: [&str; TEXT_COUNT] = [$($text,)*];
    };
}

errlist! {
    "Error 0" "Error 1" "Bad parameter" "Parameter mismatch" "Value too large" "End of buffer"
    "No such host" "No such file" "Permission denied" "Error 9" "Malloc failed" "Error 11"
    "Can't decode message" "Error 13" "Can't contact local daemon" "No current buffer"
    "No such buffer" "Null group name" "Already in group" "No such group" "Not in group"
    "No such instance" "Host failed" "No parent task" "Not implemented" "Pvmd system error"
    "Version mismatch" "Out of resources" "Duplicate host" "Can't start pvmd"
    "Already in progress" "No such task" "Not Found" "Already Exists"
    "Hoster must run on master host" "Spawning parent set PvmNoParent"
    "Master Host IP Address is Loopback! (See pvm3/Readme)."
}

/// Notes the code of a failure.
pub(crate) fn set_errno(code: c_int) {
    pvm_errno.store(code, Ordering::Relaxed);
}

/// How messages name this process.
pub(crate) fn who(tid: Option<c_int>) -> String {
    match tid {
        Some(tid) => format!("t{tid:x}"),
        None => format!("pid{}", std::process::id()),
    }
}

/// The text of a code, for printing.
pub(crate) fn describe(code: c_int) -> &'static str {
    text(code).unwrap_or("Unknown Error")
}

/// Prints the text of the last failure after `msg`.
///
/// # Safety
/// `msg` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_perror(msg: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { memory::bytes_of(msg) };
    perror(&String::from_utf8_lossy(bytes.unwrap_or_default()));
    0
}

/// Prints the text of the last failure.
pub(crate) fn perror(msg: &str) {
    let who = who(enter(|task| Ok(task.tid_if_enrolled())).unwrap_or(None));
    let code = pvm_errno.load(Ordering::Relaxed);
    match msg {
        "" => eprintln!("libpvm [{who}]: {}", describe(code)),
        msg => eprintln!("libpvm [{who}]: {msg}: {}", describe(code)),
    }
}

/// The text of the last failure.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_strerror() -> *const c_char {
    let code = pvm_errno.load(Ordering::Relaxed);
    let index = code.checked_neg().and_then(|i| usize::try_from(i).ok());
    match index.and_then(|index| pvm_errlist.get(index)) {
        Some(text) => text.0,
        None => c"Unknown Error".as_ptr(),
    }
}

/// Notes a failure and prints it after the name of a place; what programs use in place of
/// `pvm_perror`.
///
/// # Safety
/// `place` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lpvmerr(place: *const c_char, code: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { memory::bytes_of(place) };
    set_errno(code);
    let report = enter(|task| Ok((task.auto_err(), task.tid_if_enrolled())));
    if let Ok((auto_err, tid)) = report
        && auto_err != 0
    {
        let place = String::from_utf8_lossy(bytes.unwrap_or_default());
        eprintln!("libpvm [{}]: {place}(): {}", who(tid), describe(code));
    }
    code
}

/// Version of PVM that this is compatible with.
#[unsafe(no_mangle)]
pub extern "C" fn pvm_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    VERSION.get_or_init(|| c"3.4.6".to_owned()).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exported_texts_are_those_of_the_library() {
        for (index, text_here) in TEXTS.iter().enumerate() {
            assert_eq!(text(-(index as c_int)), Some(*text_here));
        }
    }
}
