//! Ways of copying bytes.
//!
//! Which one is used is a matter of time only. Short copies are words, since a call costs more than they do.
//! Long ones are loops of our own: what the system does for them is on some processors half as fast where
//! the target lies a little behind the source in its page (the string instructions of AMD's Zen), and that
//! is where allocators put large buffers. And stores may pass the caches by: an ordinary store needs its
//! cache line first, and when another processor has just read it, that one must give it up, line by line,
//! which can take ten times as long as the copy.

#[cfg(all(target_arch = "x86_64", not(miri)))]
use std::arch::asm;

/// Up to this length bytes are copied word by word: with a call, the copy of a small message would cost
/// more than all else that its end does.
pub const SHORT: usize = 40;

/// Copies a few bytes in words, and never one word in two parts: what was written so can be read as
/// words again at once.
///
/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and they do not overlap.
#[inline]
pub(super) unsafe fn copy_short(from: *const u8, to: *mut u8, len: usize) {
    let mut at = 0;
    // SAFETY: `at + N <= len` wherever `N` bytes are copied.
    unsafe {
        while len - at >= 8 {
            copy_bytes::<8>(from.add(at), to.add(at));
            at += 8;
        }
        if len & 4 != 0 {
            copy_bytes::<4>(from.add(at), to.add(at));
            at += 4;
        }
        if len & 2 != 0 {
            copy_bytes::<2>(from.add(at), to.add(at));
            at += 2;
        }
        if len & 1 != 0 {
            copy_bytes::<1>(from.add(at), to.add(at));
        }
    }
}

/// Copies `N` bytes, whatever their alignment.
///
/// # Safety
/// As for [`copy_short`], with this length.
#[inline(always)]
unsafe fn copy_bytes<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; an array of bytes has no alignment.
    unsafe { *to.cast::<[u8; N]>() = *from.cast::<[u8; N]>() }
}

/// From this length on the system leaves its own loops.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LONG: usize = 2 << 10;
/// Bytes that caches move at a time.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Copies whole lines of the target with a store that needs a multiple of 16, the rest as ever. Written in the
/// machine's language, since compilers make a call to the system of a loop that copies.
#[cfg(all(target_arch = "x86_64", not(miri)))]
macro_rules! copy_lines {
    ($from:expr, $to:expr, $len:expr, $store:literal) => {{
        let (from, to, len): (*const u8, *mut u8, usize) = ($from, $to, $len);
        let lead = to.align_offset(LINE).min(len);
        let lines = (len - lead) / LINE;
        let rest = lead + lines * LINE;
        to.copy_from_nonoverlapping(from, lead);
        if lines > 0 {
            asm!(
                "2:",
                "movups {a}, [{from}]",
                "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + 32]",
                "movups {d}, [{from} + 48]",
                concat!($store, " [{to}], {a}"),
                concat!($store, " [{to} + 16], {b}"),
                concat!($store, " [{to} + 32], {c}"),
                concat!($store, " [{to} + 48], {d}"),
                "add {from}, 64",
                "add {to}, 64",
                "dec {lines}",
                "jnz 2b",
                from = inout(reg) from.add(lead) => _,
                to = inout(reg) to.add(lead) => _,
                lines = inout(reg) lines => _,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack),
            );
        }
        to.add(rest).copy_from_nonoverlapping(from.add(rest), len - rest);
    }};
}

/// Copies bytes of which there may be many.
///
/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and they do not overlap.
#[inline]
pub(super) unsafe fn copy_long(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if len >= LONG {
        // SAFETY: the caller's promise.
        return unsafe { copy_lines!(from, to, len, "movaps") };
    }
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(from, len) }
}

/// Copies past the caches, where the machine can. What this thread stores after that is seen after it.
///
/// # Safety
/// As for [`copy_long`].
pub(super) unsafe fn copy_past_caches(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the caller's promise. The fence comes before anybody else is told of the bytes, and before this
    // thread uses them.
    unsafe {
        copy_lines!(from, to, len, "movntdq");
        asm!("sfence", options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    // SAFETY: the caller's promise.
    unsafe {
        to.copy_from_nonoverlapping(from, len)
    }
}

/// Copies a slice to one of the same length past the caches.
///
/// # Panics
/// When their lengths are not the same.
pub fn copy_past(from: &[u8], to: &mut [u8]) {
    assert_eq!(from.len(), to.len(), "slices of two lengths");
    // SAFETY: slices are valid for their length, which is one, and one that may be written overlaps no other.
    unsafe { copy_past_caches(from.as_ptr(), to.as_mut_ptr(), from.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Copy = unsafe fn(*const u8, *mut u8, usize);

    #[test]
    fn all_bytes_are_copied_and_no_others() {
        let from: Vec<u8> = (0..9000).map(|i| i as u8 | 1).collect();
        for copy in [copy_long as Copy, copy_past_caches] {
            for start in [0, 1, 15, 16, 63, 64] {
                for len in [0, 1, 15, 64, 65, 127, 300, 2047, 2048, 2049, 4096, 5000] {
                    let mut to = vec![0u8; 9000];
                    // SAFETY: both have more bytes than that behind `start`.
                    unsafe { copy(from[start..].as_ptr(), to[start / 2..].as_mut_ptr(), len) };
                    let (before, rest) = to.split_at(start / 2);
                    let (copied, after) = rest.split_at(len);
                    assert_eq!(copied, &from[start..start + len], "{len} bytes at {start}");
                    assert!(before.iter().chain(after).all(|byte| *byte == 0));
                }
            }
        }
    }
}
