//! Buffers, packing and unpacking.

use super::subroutines;
use crate::buffers::*;
use crate::entry::call_unit;
use crate::pack::*;
use libc::{c_int, c_void};
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

    /// Packs items of any type; STRING stands for characters.
    pvmfpack_ pvmfpack pvmfpack__ PVMFPACK (what: *mut c_int, items: *mut c_void, n: *mut c_int, stride: *mut c_int, info: *mut c_int) {
        *info = pack_any(*what, items, *n, *stride);
    }

    /// Unpacks items of any type; STRING stands for characters.
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
            // As PVM does: characters without a length, not what `pvm_pkstr` packs.
            Some(Kind::Str | Kind::Byte) => pvm_pkbyte(items.cast(), n, stride),
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
            Some(Kind::Str | Kind::Byte) => pvm_upkbyte(items.cast(), n, stride),
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
