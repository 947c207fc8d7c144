//! Memory of the program: strings, items with strides, results.

use libc::{c_char, c_int};
use pvm::pvm3::{Error, Result};
use std::ffi::CStr;

/// A count given by the program.
pub(crate) fn count(n: c_int) -> Result<usize> {
    usize::try_from(n).map_err(|_| Error::BadParam)
}

/// A string given by the program.
///
/// # Safety
/// `text` is NULL or leads to a NUL-terminated string that stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str> {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { bytes_of(text) }.ok_or(Error::BadParam)?;
    std::str::from_utf8(bytes).map_err(|_| Error::BadParam)
}

/// The characters of a string, without the NUL; `None` for NULL.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn bytes_of<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, so NUL-terminated, as promised by the caller.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// A NULL-terminated array of strings, which need not be text; none for NULL.
///
/// # Safety
/// `list` is NULL or leads to such an array.
pub(crate) unsafe fn strings(list: *const *const c_char) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if list.is_null() {
        return found;
    }
    loop {
        // SAFETY: the entries before and including the NULL one are readable, as promised; this
        // is at most the NULL one.
        let entry = unsafe { list.add(found.len()).read() };
        if entry.is_null() {
            return found;
        }
        // SAFETY: every entry but the last is a string, as promised.
        let string = unsafe { bytes_of(entry) };
        found.push(string.unwrap_or_default().to_vec());
    }
}

/// Stores a result where the program wants one.
///
/// # Safety
/// `to` is NULL or leads to a writable `T`.
pub(crate) unsafe fn put<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: not NULL, so writable, as promised by the caller.
        unsafe { to.write_unaligned(value) }
    }
}

/// `n` items in a row.
///
/// # Safety
/// `from` is NULL or leads to `n` initialised items that nobody changes for `'a`.
pub(crate) unsafe fn slice<'a, T>(from: *const T, n: usize) -> Result<&'a [T]> {
    match n {
        0 => Ok(&[]),
        _ if from.is_null() || !from.is_aligned() => Err(Error::BadParam),
        // SAFETY: not NULL and aligned; the items are there, as promised by the caller.
        _ => Ok(unsafe { std::slice::from_raw_parts(from, n) }),
    }
}

/// Every `stride`-th item, `n` of them.
pub(crate) struct Strided<T> {
    next: *const T,
    stride: isize,
    left: usize,
}

impl<T> Strided<T> {
    /// Items in the program's memory.
    ///
    /// # Safety
    /// `from` is NULL, which is refused unless `n` is zero, or the items are readable as long as
    /// the iterator is used.
    pub(crate) unsafe fn new(from: *const T, n: usize, stride: isize) -> Result<Self> {
        if from.is_null() && n > 0 {
            return Err(Error::BadParam);
        }
        Ok(Self {
            next: from,
            stride,
            left: n,
        })
    }
}

impl<T: Copy> Iterator for Strided<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: one of the items that the maker promised; their alignment is not asked for.
        let item = unsafe { self.next.read_unaligned() };
        self.next = self.next.wrapping_offset(self.stride);
        Some(item)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Copy> ExactSizeIterator for Strided<T> {}
