//! Ways of copying bytes.
//!
//! Which one is used is a matter of time only. Short copies are words, since a call costs more than they do.
//! Long ones are loops of our own: what the system does for them is on some processors half as fast where
//! the target lies a little behind the source in its page (the string instructions of AMD's Zen), and that
//! is where allocators put large buffers. And stores may pass the caches by: an ordinary store needs its
//! cache line first, and when another processor has just read it, that one must give it up, line by line,
//! which can take ten times as long as the copy.

#[cfg(all(target_arch = "x86_64", not(miri)))]
use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_storeu_si128, _mm_stream_si128};

/// Up to this length bytes are copied word by word: with a call, the copy of a small message would cost
/// more than all else that its end does.
pub(super) const SHORT: usize = 40;

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

/// Copies bytes of which there may be many.
///
/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and they do not overlap.
#[inline]
pub(super) unsafe fn copy_long(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if len >= LONG {
        // SAFETY: the caller's promise.
        return unsafe { copy_lines(from, to, len, |at, word| _mm_storeu_si128(at, word)) };
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
    // SAFETY: the caller's promise. Streaming stores go to multiples of 16, as all words of `copy_lines` do;
    // the fence comes before anybody else is told of the bytes, and before this thread uses them.
    unsafe {
        copy_lines(from, to, len, |at, word| _mm_stream_si128(at, word));
        _mm_sfence();
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    // SAFETY: the caller's promise.
    unsafe {
        to.copy_from_nonoverlapping(from, len)
    }
}

/// Copies whole lines of the target with `store`, the rest as ever.
///
/// # Safety
/// As for [`copy_long`].
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
unsafe fn copy_lines(
    from: *const u8,
    to: *mut u8,
    len: usize,
    store: impl Fn(*mut __m128i, __m128i),
) {
    const WORDS: usize = LINE / size_of::<__m128i>();
    let lead = to.align_offset(LINE).min(len);
    let lines = (len - lead) / LINE;
    let rest = lead + lines * LINE;
    // SAFETY: all addresses are inside the two ranges: what comes before the first line, the lines, and what is
    // left are `len` bytes together. Loads need no alignment.
    unsafe {
        to.copy_from_nonoverlapping(from, lead);
        let source = from.add(lead).cast::<__m128i>();
        let target = to.add(lead).cast::<__m128i>();
        for line in 0..lines {
            let at = line * WORDS;
            let words: [_; WORDS] =
                std::array::from_fn(|word| _mm_loadu_si128(source.add(at + word)));
            for (word, value) in words.into_iter().enumerate() {
                store(target.add(at + word), value);
            }
        }
        to.add(rest)
            .copy_from_nonoverlapping(from.add(rest), len - rest);
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
