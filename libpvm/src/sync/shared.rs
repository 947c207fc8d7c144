//! Atomics in memory that processes share.
//!
//! Their size and place are part of a layout, so they are std's even under loom. Algorithms that
//! loom checks are generic over [`Word`] and run on its atomics there.

pub use std::sync::atomic::{AtomicU32, AtomicU64};

use super::atomic::Ordering;

/// An atomic integer of std or of loom.
pub trait Word<V> {
    /// Reads it.
    fn load(&self, order: Ordering) -> V;
    /// Writes it.
    fn store(&self, value: V, order: Ordering);
    /// Writes it and returns what was there.
    fn swap(&self, value: V, order: Ordering) -> V;
    /// Sets bits and returns what was there.
    fn fetch_or(&self, bits: V, order: Ordering) -> V;
    /// Replaces `from` by `to`; returns whether it did.
    fn replace(&self, from: V, to: V, order: Ordering) -> bool;
}

macro_rules! words {
    ($($atomic:ty: $value:ty),*) => {$(
        impl Word<$value> for $atomic {
            #[inline(always)]
            fn load(&self, order: Ordering) -> $value {
                <$atomic>::load(self, order)
            }
            #[inline(always)]
            fn store(&self, value: $value, order: Ordering) {
                <$atomic>::store(self, value, order);
            }
            #[inline(always)]
            fn swap(&self, value: $value, order: Ordering) -> $value {
                <$atomic>::swap(self, value, order)
            }
            #[inline(always)]
            fn fetch_or(&self, bits: $value, order: Ordering) -> $value {
                <$atomic>::fetch_or(self, bits, order)
            }
            #[inline(always)]
            fn replace(&self, from: $value, to: $value, order: Ordering) -> bool {
                self.compare_exchange(from, to, order, Ordering::Relaxed).is_ok()
            }
        }
    )*};
}

words!(AtomicU32: u32, AtomicU64: u64);
#[cfg(loom)]
words!(super::atomic::AtomicU32: u32, super::atomic::AtomicU64: u64);
