//! CHARACTER arguments.

use libc::c_char;
use std::ffi::CString;

/// A CHARACTER argument as a C string, without trailing blanks; it ends at a NUL.
///
/// # Safety
/// `text` is NULL or leads to `len` characters.
pub(super) unsafe fn trimmed(text: *const c_char, len: usize) -> CString {
    if text.is_null() {
        return CString::default();
    }
    // SAFETY: as promised by the caller.
    let all = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    let end = all.iter().position(|c| *c == 0).unwrap_or(len);
    let used = all[..end].trim_ascii_end();
    CString::new(used).unwrap_or_default()
}

/// Fills a CHARACTER argument: cut to its length, padded with blanks.
///
/// # Safety
/// `to` is NULL or leads to `len` characters.
pub(super) unsafe fn fill(to: *mut c_char, len: usize, text: &[u8]) {
    if to.is_null() {
        return;
    }
    for i in 0..len {
        let character = text.get(i).copied().unwrap_or(b' ');
        // SAFETY: one of the `len` characters that the caller promised.
        unsafe { to.add(i).cast::<u8>().write(character) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_come_and_go() {
        let mut room = [b'x'; 6];
        // SAFETY: six characters.
        unsafe {
            let at = room.as_mut_ptr().cast();
            fill(at, 6, b"ab c");
            assert_eq!(&room, b"ab c  ");
            assert_eq!(trimmed(room.as_ptr().cast(), 6).as_c_str(), c"ab c");
            fill(at, 6, b"longer than that");
            assert_eq!(&room, b"longer");
            assert_eq!(trimmed(std::ptr::null(), 6).as_c_str(), c"");
        }
    }
}
