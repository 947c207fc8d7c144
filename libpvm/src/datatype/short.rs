//! Ends of messages that are a few bytes in one run: what is copied in registers.
//!
//! Whoever sends or receives so few bytes spends more time on finding out what an end is made of than on
//! them. Both of these are found out once, before the message is waited for.

pub use super::copy::SHORT;
use super::{Sink, Source};
use std::marker::PhantomData;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// All of a source: a few bytes in one run.
#[derive(Clone, Copy)]
pub struct ShortSource<'a> {
    from: *const u8,
    len: usize,
    _bytes: PhantomData<&'a [u8]>,
}

/// All of a sink, in one run.
pub struct ShortSink<'a> {
    to: *mut u8,
    capacity: usize,
    _bytes: PhantomData<&'a mut [u8]>,
}

impl<'a> ShortSource<'a> {
    /// Bytes, if they are few.
    #[inline(always)]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        // SAFETY: a shared slice is readable for its length, and nobody writes there.
        unsafe { Self::borrowed(bytes.as_ptr(), bytes.len()) }
    }

    /// Bytes by address, if they are few.
    ///
    /// # Safety
    /// `base` is readable for `len` bytes, and nobody writes there, for as long as this is used.
    #[inline(always)]
    pub unsafe fn borrowed(base: *const u8, len: usize) -> Option<Self> {
        (len <= SHORT).then_some(Self {
            from: base,
            len,
            _bytes: PhantomData,
        })
    }
}

impl<'a> ShortSink<'a> {
    /// Room for bytes.
    #[inline(always)]
    pub fn of(bytes: &'a mut [u8]) -> Self {
        Self {
            to: bytes.as_mut_ptr(),
            capacity: bytes.len(),
            _bytes: PhantomData,
        }
    }
}

impl Source {
    /// Its bytes, if they are few and in one run.
    #[inline(always)]
    pub fn short(&self) -> Option<ShortSource<'_>> {
        // SAFETY: the maker of this source promised so for as long as there is one.
        unsafe { ShortSource::borrowed(self.contiguous()?, self.len()) }
    }
}

impl Sink {
    /// Its room, if it is in one run.
    #[inline(always)]
    pub fn short(&mut self) -> Option<ShortSink<'_>> {
        Some(ShortSink {
            to: self.contiguous()?,
            capacity: self.capacity(),
            _bytes: PhantomData,
        })
    }
}

impl ShortSource<'_> {
    /// Number of bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls `put(index, word)` for each word that they fill, as they lie in memory; what the last one has besides
    /// is zero.
    #[inline(always)]
    pub fn words(self, mut put: impl FnMut(usize, u64)) {
        let Self { from, len, .. } = self;
        let whole = len / WORD;
        for index in 0..whole {
            // SAFETY: `index < len / WORD`, and the source that this borrows has `len` readable bytes here.
            put(index, unsafe { read::<u64>(from, index * WORD) });
        }
        if len.is_multiple_of(WORD) {
            return;
        }
        let (mut at, mut last, mut bits) = (whole * WORD, 0u64, 0);
        // SAFETY: as above: what is read ends at `len` at the latest, since the bits of `len % WORD` are the sizes.
        unsafe {
            if len & 4 != 0 {
                last = u32::from_le(read(from, at)).into();
                (at, bits) = (at + 4, 32);
            }
            if len & 2 != 0 {
                last |= u64::from(u16::from_le(read(from, at))) << bits;
                (at, bits) = (at + 2, bits + 16);
            }
            if len & 1 != 0 {
                last |= u64::from(read::<u8>(from, at)) << bits;
            }
        }
        put(whole, u64::from_le(last));
    }
}

impl ShortSink<'_> {
    /// Bytes that fit.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writes `len` bytes, those of the words that `word(index)` gives.
    ///
    /// # Panics
    /// When they do not fit.
    #[inline(always)]
    pub fn fill(&mut self, len: usize, word: impl Fn(usize) -> u64) {
        assert!(len <= self.capacity, "more than fits");
        let to = self.to;
        let whole = len / WORD;
        for index in 0..whole {
            // SAFETY: `index < len / WORD`, and the sink that this borrows has room for `len` bytes here.
            unsafe { write(to, index * WORD, word(index)) };
        }
        if len.is_multiple_of(WORD) {
            return;
        }
        let mut last = word(whole).to_le();
        let mut at = whole * WORD;
        // SAFETY: as above: what is written ends at `len` at the latest, since the bits of `len % WORD` are the sizes.
        unsafe {
            if len & 4 != 0 {
                write(to, at, (last as u32).to_le());
                (at, last) = (at + 4, last >> 32);
            }
            if len & 2 != 0 {
                write(to, at, (last as u16).to_le());
                (at, last) = (at + 2, last >> 16);
            }
            if len & 1 != 0 {
                write(to, at, last as u8);
            }
        }
    }
}

/// # Safety
/// A `T`, for which all bytes are good, can be read `at` bytes after `from`, whatever its alignment.
#[inline(always)]
unsafe fn read<T: bytemuck::AnyBitPattern>(from: *const u8, at: usize) -> T {
    // SAFETY: the caller's promise.
    unsafe { from.add(at).cast::<T>().read_unaligned() }
}

/// # Safety
/// A `T` can be written `at` bytes after `to`, whatever its alignment.
#[inline(always)]
unsafe fn write<T: bytemuck::NoUninit>(to: *mut u8, at: usize, value: T) {
    // SAFETY: the caller's promise.
    unsafe { to.add(at).cast::<T>().write_unaligned(value) }
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, Run};
    use super::*;
    use std::sync::Arc;

    #[test]
    fn bytes_of_every_length_come_as_words_and_go_back() {
        for len in 0..=SHORT {
            let bytes: Vec<u8> = (1..=len as u8).collect();
            let source = Source::from_vec(bytes.clone());
            let short = source.short().unwrap();
            assert_eq!((short.len(), short.is_empty()), (len, len == 0));
            let mut words = [u64::MAX; SHORT / WORD];
            let mut count = 0;
            short.words(|index, word| {
                assert_eq!(index, count);
                (words[index], count) = (word, count + 1);
            });
            assert_eq!(count, len.div_ceil(WORD));
            let mut padded = bytes.clone();
            padded.resize(count * WORD, 0);
            assert_eq!(bytemuck::cast_slice::<u64, u8>(&words[..count]), padded);

            let mut sink = Sink::from_vec(vec![99; len + 1]);
            let mut room = sink.short().unwrap();
            assert_eq!(room.capacity(), len + 1);
            room.fill(len, |index| words[index]);
            let filled = sink.into_vec().unwrap();
            assert_eq!((&filled[..len], filled[len]), (&bytes[..], 99));
        }
    }

    #[test]
    fn what_is_long_or_in_pieces_is_not_short() {
        assert!(Source::from_vec(vec![0; SHORT + 1]).short().is_none());
        let runs = [Run { offset: 0, len: 1 }, Run { offset: 2, len: 1 }];
        let layout = Arc::new(Layout::new(runs, 4).unwrap());
        let mut bytes = [0u8; 3];
        // SAFETY: `bytes` holds an element and outlives the end.
        let source = unsafe { Source::typed(bytes.as_ptr(), &layout, 1) }.unwrap();
        assert!(source.short().is_none());
        drop(source);
        // SAFETY: as above.
        let mut sink = unsafe { Sink::typed(bytes.as_mut_ptr(), &layout, 1) }.unwrap();
        assert!(sink.short().is_none());
    }

    #[test]
    #[should_panic(expected = "more than fits")]
    fn what_does_not_fit_is_not_written() {
        Sink::from_vec(vec![0; 7]).short().unwrap().fill(8, |_| 0);
    }
}
