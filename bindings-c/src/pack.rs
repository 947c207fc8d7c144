//! Packing and unpacking.

use crate::entry::call_unit;
use crate::memory::{self, Strided};
use libc::{c_char, c_double, c_float, c_int, c_long, c_short, c_uint, c_ulong, c_ushort};
use pvm::datatype::Source;
use pvm::pvm3::buffer::Buffer;
use pvm::pvm3::encoding::Encoding;
use pvm::pvm3::item::Item;
use pvm::pvm3::{Error, Result};

/// Appends `n` items, every `stride`-th, to the send buffer.
///
/// # Safety
/// `from` is NULL or leads to the items; with `PvmDataInPlace` until the buffer is freed.
pub(crate) unsafe fn pack<T: Item>(name: &str, from: *const T, n: c_int, stride: c_int) -> c_int {
    call_unit(name, |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().sending()?;
        // SAFETY: as promised by the caller.
        unsafe {
            match buffer.encoding() {
                Encoding::InPlace => in_place(buffer, from, n, stride),
                // The compiler makes a better loop of a stride that it knows.
                _ if stride == 1 => buffer.pack(Strided::new(from, n, 1)?),
                _ => buffer.pack(Strided::new(from, n, stride as isize)?),
            }
        }
    })
}

/// As [`pack`], for bytes, which XDR pads together.
unsafe fn pack_bytes(from: *const u8, n: c_int, stride: c_int) -> c_int {
    call_unit("pvm_pkbyte", |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().sending()?;
        // SAFETY: as promised by the caller.
        unsafe {
            match buffer.encoding() {
                Encoding::InPlace => in_place(buffer, from, n, stride),
                _ if stride == 1 => buffer.pack_bytes(Strided::new(from, n, 1)?),
                _ => buffer.pack_bytes(Strided::new(from, n, stride as isize)?),
            }
        }
    })
}

/// Notes where the items are; they are read when the message is sent.
///
/// # Safety
/// `from` is NULL or leads to `n` items until the buffer is freed.
unsafe fn in_place<T>(buffer: &mut Buffer, from: *const T, n: usize, stride: c_int) -> Result<()> {
    if stride != 1 {
        return Err(Error::NotImpl);
    }
    if from.is_null() && n > 0 {
        return Err(Error::BadParam);
    }
    let len = n.checked_mul(size_of::<T>()).ok_or(Error::BadParam)?;
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the program keeps the items where they are while the buffer lives, and does not
    // write them while a send copies them: sends copy before they return.
    buffer.pack_in_place(unsafe { Source::borrowed(from.cast(), len) })
}

/// Takes `n` items out of the receive buffer and puts them at every `stride`-th place.
///
/// # Safety
/// `to` is NULL or leads to the places.
pub(crate) unsafe fn unpack<T: Item>(name: &str, to: *mut T, n: c_int, stride: c_int) -> c_int {
    call_unit(name, |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().receiving()?;
        if to.is_null() && n > 0 {
            return Err(Error::BadParam);
        }
        if stride == 1 {
            // SAFETY: one of the `n` places that the caller promised.
            return buffer.unpack(n, |i, item| unsafe { to.add(i).write_unaligned(item) });
        }
        buffer.unpack(n, |i, item| {
            let place = to.wrapping_offset(i as isize * stride as isize);
            // SAFETY: as above.
            unsafe { place.write_unaligned(item) }
        })
    })
}

unsafe fn unpack_bytes(to: *mut u8, n: c_int, stride: c_int) -> c_int {
    call_unit("pvm_upkbyte", |task| {
        let n = memory::count(n)?;
        let buffer = task.buffers().receiving()?;
        if to.is_null() && n > 0 {
            return Err(Error::BadParam);
        }
        for (i, byte) in buffer.unpack_bytes(n)?.iter().enumerate() {
            let place = to.wrapping_offset(i as isize * stride as isize);
            // SAFETY: one of the `n` places that the caller promised.
            unsafe { place.write(*byte) }
        }
        Ok(())
    })
}

macro_rules! packs {
    ($($pk:ident $upk:ident $c:ty as $item:ty;)*) => {$(
        #[doc = concat!("Appends items to the send buffer.\n\n# Safety\n`from` is NULL or leads ",
            "to the items; with `PvmDataInPlace` until the buffer is freed.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $pk(from: *const $c, n: c_int, stride: c_int) -> c_int {
            // SAFETY: as promised by the caller.
            unsafe { pack::<$item>(stringify!($pk), from.cast(), n, stride) }
        }

        #[doc = concat!("Takes items out of the receive buffer.\n\n# Safety\n`to` is NULL or ",
            "leads to the places.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $upk(to: *mut $c, n: c_int, stride: c_int) -> c_int {
            // SAFETY: as promised by the caller.
            unsafe { unpack::<$item>(stringify!($upk), to.cast(), n, stride) }
        }
    )*};
}

packs! {
    pvm_pkshort pvm_upkshort c_short as c_short;
    pvm_pkushort pvm_upkushort c_ushort as c_ushort;
    pvm_pkint pvm_upkint c_int as c_int;
    pvm_pkuint pvm_upkuint c_uint as c_uint;
    pvm_pklong pvm_upklong c_long as c_long;
    pvm_pkulong pvm_upkulong c_ulong as c_ulong;
    pvm_pkfloat pvm_upkfloat c_float as c_float;
    pvm_pkdouble pvm_upkdouble c_double as c_double;
    pvm_pkcplx pvm_upkcplx c_float as [c_float; 2];
    pvm_pkdcplx pvm_upkdcplx c_double as [c_double; 2];
}

/// Appends bytes to the send buffer.
///
/// # Safety
/// `from` is NULL or leads to the items; with `PvmDataInPlace` until the buffer is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_pkbyte(from: *const c_char, n: c_int, stride: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { pack_bytes(from.cast(), n, stride) }
}

/// Takes bytes out of the receive buffer.
///
/// # Safety
/// `to` is NULL or leads to the places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_upkbyte(to: *mut c_char, n: c_int, stride: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { unpack_bytes(to.cast(), n, stride) }
}

/// Appends a string to the send buffer.
///
/// # Safety
/// `text` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_pkstr(text: *const c_char) -> c_int {
    call_unit("pvm_pkstr", |task| {
        let buffer = task.buffers().sending()?;
        // SAFETY: as promised by the caller.
        let text = unsafe { memory::bytes_of(text) }.ok_or(Error::BadParam)?;
        buffer.pack_str(text)
    })
}

/// Takes a string out of the receive buffer.
///
/// # Safety
/// `to` is NULL or leads to room for the string with its NUL, whose length its sender chose.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_upkstr(to: *mut c_char) -> c_int {
    call_unit("pvm_upkstr", |task| {
        let buffer = task.buffers().receiving()?;
        if to.is_null() {
            return Err(Error::BadParam);
        }
        let text = buffer.unpack_str()?;
        // SAFETY: the caller promised room for the string and its NUL.
        unsafe {
            to.cast::<u8>().copy_from(text.as_ptr(), text.len());
            to.add(text.len()).write(0);
        }
        Ok(())
    })
}
