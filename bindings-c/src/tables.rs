//! Arrays that belong to the library and stay valid until the same call is made again.

use libc::c_char;
use std::ffi::CString;

/// Rows for the program, and the texts that they point to.
pub(crate) struct Table<T> {
    rows: Vec<T>,
    _texts: Vec<CString>,
}

// SAFETY: the addresses in the rows lead to the texts beside them, which move with the table
// without moving themselves; nobody writes them.
unsafe impl<T> Send for Table<T> {}

impl<T> Table<T> {
    /// Makes the rows; `row` gets each entry's texts as addresses.
    pub(crate) fn new<E, const N: usize>(
        entries: &[E],
        texts: impl Fn(&E) -> [&str; N],
        row: impl Fn(&E, [*const c_char; N]) -> T,
    ) -> Self {
        let mut kept = Vec::new();
        let rows = entries.iter().map(|entry| {
            let addresses = texts(entry).map(|text| {
                let owned = CString::new(text.replace('\0', " ")).unwrap_or_default();
                let address = owned.as_ptr();
                kept.push(owned);
                address
            });
            row(entry, addresses)
        });
        Self {
            rows: rows.collect(),
            _texts: kept,
        }
    }

    /// Address of the first row.
    pub(crate) fn rows(&mut self) -> *mut T {
        self.rows.as_mut_ptr()
    }
}
