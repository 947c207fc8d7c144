//! Buffers, packing and unpacking.

use super::strings::fill;
use super::subroutines;
use crate::buffers::*;
use crate::entry::call_unit;
use crate::memory;
use crate::pack::*;
use libc::{c_char, c_int, c_void};
use pvm::pvm3::Error;
use pvm::pvm3::item::Kind;

subroutines! {
    /// See `pvm_initsend`.
    pvmfinitsend_ pvmfinitsend pvmfinitsend__ PVMFINITSEND (enc: *mut c_int, bufid: *mut c_int) {
        *bufid = pvm_initsend(*enc);
    }

    /// See `pvm_mkbuf`.
    pvmfmkbuf_ pvmfmkbuf pvmfmkbuf__ PVMFMKBUF (enc: *mut c_int, bufid: *mut c_int) {
        *bufid = pvm_mkbuf(*enc);
    }

    /// See `pvm_freebuf`.
    pvmffreebuf_ pvmffreebuf pvmffreebuf__ PVMFFREEBUF (bufid: *mut c_int, info: *mut c_int) {
        *info = pvm_freebuf(*bufid);
    }

    /// See `pvm_getsbuf`.
    pvmfgetsbuf_ pvmfgetsbuf pvmfgetsbuf__ PVMFGETSBUF (bufid: *mut c_int) {
        *bufid = pvm_getsbuf();
    }

    /// See `pvm_getrbuf`.
    pvmfgetrbuf_ pvmfgetrbuf pvmfgetrbuf__ PVMFGETRBUF (bufid: *mut c_int) {
        *bufid = pvm_getrbuf();
    }

    /// See `pvm_setsbuf`.
    pvmfsetsbuf_ pvmfsetsbuf pvmfsetsbuf__ PVMFSETSBUF (bufid: *mut c_int, old: *mut c_int) {
        *old = pvm_setsbuf(*bufid);
    }

    /// See `pvm_setrbuf`.
    pvmfsetrbuf_ pvmfsetrbuf pvmfsetrbuf__ PVMFSETRBUF (bufid: *mut c_int, old: *mut c_int) {
        *old = pvm_setrbuf(*bufid);
    }

    /// See `pvm_bufinfo`.
    pvmfbufinfo_ pvmfbufinfo pvmfbufinfo__ PVMFBUFINFO (bufid: *mut c_int, bytes: *mut c_int, tag: *mut c_int, tid: *mut c_int, info: *mut c_int) {
        *info = pvm_bufinfo(*bufid, bytes, tag, tid);
    }

    /// Packs items of any type; of a string, as many characters as given.
    pvmfpack_ pvmfpack pvmfpack__ PVMFPACK (what: *mut c_int, items: *mut c_void, n: *mut c_int, stride: *mut c_int, info: *mut c_int) {
        *info = pack_any(*what, items, *n, *stride);
    }

    /// Unpacks items of any type; a string is padded with blanks.
    pvmfunpack_ pvmfunpack pvmfunpack__ PVMFUNPACK (what: *mut c_int, items: *mut c_void, n: *mut c_int, stride: *mut c_int, info: *mut c_int) {
        *info = unpack_any(*what, items, *n, *stride);
    }
}

/// Packs items by the number of their type.
///
/// # Safety
/// As for the C calls.
unsafe fn pack_any(what: c_int, items: *const c_void, n: c_int, stride: c_int) -> c_int {
    // SAFETY: as promised by the caller; numbers have the sizes that C gives them.
    unsafe {
        match Kind::from_number(what) {
            Some(Kind::Str) => pack_characters(items.cast(), n),
            Some(Kind::Byte) => pvm_pkbyte(items.cast(), n, stride),
            Some(Kind::Short) => pvm_pkshort(items.cast(), n, stride),
            Some(Kind::Int) => pvm_pkint(items.cast(), n, stride),
            Some(Kind::Float) => pvm_pkfloat(items.cast(), n, stride),
            Some(Kind::Complex) => pvm_pkcplx(items.cast(), n, stride),
            Some(Kind::Double) => pvm_pkdouble(items.cast(), n, stride),
            Some(Kind::DoubleComplex) => pvm_pkdcplx(items.cast(), n, stride),
            Some(Kind::Long) => pack::<i64>("pvmfpack", items.cast(), n, stride),
            _ => call_unit("pvmfpack", |_| Err(Error::BadParam)),
        }
    }
}

/// Unpacks items by the number of their type.
///
/// # Safety
/// As for the C calls.
unsafe fn unpack_any(what: c_int, items: *mut c_void, n: c_int, stride: c_int) -> c_int {
    // SAFETY: as promised by the caller; numbers have the sizes that C gives them.
    unsafe {
        match Kind::from_number(what) {
            Some(Kind::Str) => unpack_characters(items.cast(), n),
            Some(Kind::Byte) => pvm_upkbyte(items.cast(), n, stride),
            Some(Kind::Short) => pvm_upkshort(items.cast(), n, stride),
            Some(Kind::Int) => pvm_upkint(items.cast(), n, stride),
            Some(Kind::Float) => pvm_upkfloat(items.cast(), n, stride),
            Some(Kind::Complex) => pvm_upkcplx(items.cast(), n, stride),
            Some(Kind::Double) => pvm_upkdouble(items.cast(), n, stride),
            Some(Kind::DoubleComplex) => pvm_upkdcplx(items.cast(), n, stride),
            Some(Kind::Long) => unpack::<i64>("pvmfunpack", items.cast(), n, stride),
            _ => call_unit("pvmfunpack", |_| Err(Error::BadParam)),
        }
    }
}

/// Packs characters as `pvm_pkstr` packs a string.
///
/// # Safety
/// `text` is NULL or leads to `n` characters.
unsafe fn pack_characters(text: *const u8, n: c_int) -> c_int {
    call_unit("pvmfpack", |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().sending()?;
        // SAFETY: as promised by the caller.
        buffer.pack_str(unsafe { memory::slice(text, n) }?)
    })
}

/// Unpacks a string: never more than `n` characters, padded with blanks.
///
/// # Safety
/// `to` is NULL or leads to `n` characters.
unsafe fn unpack_characters(to: *mut c_char, n: c_int) -> c_int {
    call_unit("pvmfunpack", |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().receiving()?;
        if to.is_null() && n > 0 {
            return Err(Error::BadParam);
        }
        let text = buffer.unpack_str()?;
        // SAFETY: as promised by the caller.
        unsafe { fill(to, n, text) };
        Ok(())
    })
}
