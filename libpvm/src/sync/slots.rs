//! Objects under numbers that detect staleness, at addresses that never move.
//!
//! # Why this is sound
//! Slots live in chunks that are made once and freed with the whole. A slot's value is written and
//! taken only inside the mutex, and only by `put` (when no key that is not stale names it)
//! and [`Slots::remove`]. Reading needs no lock: a key's generation is odd and was published, with
//! `Release`, after the value; a reader that sees it, with `Acquire`, sees the value. That nobody
//! removes an object while somebody reads it is the caller's promise: it is what programs promise
//! of their handles (MPI 5.0, 11.6.2: freeing an object that another thread uses is erroneous).

use std::cell::UnsafeCell;
use std::marker::PhantomData;
// Not part of an algorithm that loom models; loom's atomics have no place in statics.
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bits of an index.
pub const INDEX_BITS: u32 = 27;

/// Slots of the first chunk; each chunk has twice as many as the one before.
const FIRST_CHUNK: u32 = 64;
const CHUNKS: usize = (INDEX_BITS - FIRST_CHUNK.ilog2()) as usize;

/// Names an object; stale once it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Place, below 2 to the power of [`INDEX_BITS`].
    pub index: u32,
    /// Odd; another one for each object that has the place.
    pub generation: u32,
}

/// A place that waits for its object.
pub struct Reserved<T>(Key, PhantomData<fn(T)>);

impl<T> Reserved<T> {
    /// The key that the object will have.
    pub fn key(&self) -> Key {
        self.0
    }
}

struct Slot<T> {
    /// Even: free.
    generation: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

#[derive(Default)]
struct Places {
    free: Vec<u32>,
    /// Places that were ever used.
    used: u32,
}

/// Objects of one kind. Meant for statics.
pub struct Slots<T> {
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    places: Mutex<Places>,
    _owns: PhantomData<T>,
}

// SAFETY: the module page says who touches a value when; values move between threads (`Send`) and
// are read by several (`Sync`).
unsafe impl<T: Send + Sync> Sync for Slots<T> {}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slots<T> {
    /// No object.
    pub const fn new() -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            places: Mutex::new(Places {
                free: Vec::new(),
                used: 0,
            }),
            _owns: PhantomData,
        }
    }

    /// Keeps an object; `None`: there are too many.
    pub fn insert(&self, value: T) -> Option<Key> {
        let mut places = self.places();
        let reserved = self.take_place(&mut places)?;
        let key = reserved.key();
        self.put(&mut places, reserved, value);
        Some(key)
    }

    /// A place for an object that comes later; until then its key is stale. `None`: there are too many.
    pub fn reserve(&self) -> Option<Reserved<T>> {
        self.take_place(&mut self.places())
    }

    /// Keeps an object in the place that was reserved here for it.
    pub fn fill(&self, reserved: Reserved<T>, value: T) {
        self.put(&mut self.places(), reserved, value);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_place(&self, places: &mut Places) -> Option<Reserved<T>> {
        let index = match places.free.pop() {
            Some(index) => index,
            None if places.used < FIRST_CHUNK * ((1 << CHUNKS) - 1) => {
                places.used += 1;
                places.used - 1
            }
            None => return None,
        };
        let (chunk, at) = place(index);
        let chunk = self.chunks[chunk].get_or_init(|| new_chunk(FIRST_CHUNK << chunk));
        let generation = chunk[at].generation.load(Ordering::Relaxed).wrapping_add(1);
        let key = Key { index, generation };
        Some(Reserved(key, PhantomData))
    }

    /// `places` is what its caller has locked.
    fn put(&self, _places: &mut Places, reserved: Reserved<T>, value: T) {
        let Key { index, generation } = reserved.key();
        let (chunk, at) = place(index);
        let slot = self
            .chunks
            .get(chunk)
            .and_then(|chunk| chunk.get()?.get(at));
        let is_free =
            |slot: &&Slot<T>| slot.generation.load(Ordering::Relaxed) == generation.wrapping_sub(1);
        let Some(slot) = slot.filter(is_free) else {
            return;
        };
        // SAFETY: the place was free, so no key that is not stale names it and nobody reads it; others
        // who write are kept out by the mutex.
        unsafe { *slot.value.get() = Some(value) };
        slot.generation.store(generation, Ordering::Release);
    }

    /// The object of a key; `None`: it was removed, or never was.
    ///
    /// # Safety
    /// Nobody removes the object while the reference is used.
    #[inline]
    pub unsafe fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slot(key)?;
        // SAFETY: the generation says that the value was published; the caller promises that it
        // stays.
        unsafe { (*slot.value.get()).as_ref() }
    }

    /// Takes an object out; `None`: it was removed before.
    ///
    /// # Safety
    /// Nobody uses a reference to the object any more.
    pub unsafe fn remove(&self, key: Key) -> Option<T> {
        let mut places = self.places();
        let slot = self.slot(key)?;
        slot.generation
            .store(key.generation.wrapping_add(1), Ordering::Release);
        places.free.push(key.index);
        // SAFETY: the caller promises that nobody reads it; the mutex keeps out who would write.
        unsafe { (*slot.value.get()).take() }
    }

    /// The present key of a place.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let (chunk, at) = place(index);
        let slot = self.chunks.get(chunk)?.get()?.get(at)?;
        let generation = slot.generation.load(Ordering::Acquire);
        (generation % 2 == 1).then_some(Key { index, generation })
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        let places = self.places();
        places.used as usize - places.free.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn slot(&self, key: Key) -> Option<&Slot<T>> {
        let (chunk, at) = place(key.index);
        let slot = self.chunks.get(chunk)?.get()?.get(at)?;
        let is_current = slot.generation.load(Ordering::Acquire) == key.generation;
        (is_current && key.generation % 2 == 1).then_some(slot)
    }
}

/// Chunk and place in it.
#[inline]
fn place(index: u32) -> (usize, usize) {
    let from_one = index / FIRST_CHUNK + 1;
    let chunk = from_one.ilog2();
    let first = ((1 << chunk) - 1) * FIRST_CHUNK;
    (chunk as usize, (index - first) as usize)
}

fn new_chunk<T>(len: u32) -> Box<[Slot<T>]> {
    let slot = || Slot {
        generation: AtomicU32::new(0),
        value: UnsafeCell::new(None),
    };
    (0..len).map(|_| slot()).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Nobody removes while these look.
    fn get<T: Clone>(slots: &Slots<T>, key: Key) -> Option<T> {
        // SAFETY: one thread, which removes nothing meanwhile.
        unsafe { slots.get(key) }.cloned()
    }

    #[test]
    fn objects_keep_their_places() {
        let slots = Slots::new();
        let keys: Vec<Key> = (0..10_000).map(|n| slots.insert(n).unwrap()).collect();
        for (n, key) in (0..).zip(&keys) {
            assert_eq!(get(&slots, *key), Some(n));
            assert_eq!(slots.key_at(key.index), Some(*key));
        }
        assert_eq!(slots.len(), 10_000);
    }

    #[test]
    fn keys_of_removed_objects_are_stale() {
        let slots = Slots::new();
        let first = slots.insert("first").unwrap();
        // SAFETY: no reference lives.
        assert_eq!(unsafe { slots.remove(first) }, Some("first"));
        assert_eq!(slots.key_at(first.index), None);
        let second = slots.insert("second").unwrap();
        assert_eq!(second.index, first.index);
        assert_eq!(get(&slots, first), None);
        assert_eq!(get(&slots, second), Some("second"));
        // SAFETY: no reference lives.
        assert_eq!(unsafe { slots.remove(first) }, None);
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn nonsense_names_nothing() {
        let slots = Slots::<u8>::new();
        for index in [0, 1, 1 << 26, u32::MAX] {
            for generation in [0, 1, 7] {
                assert_eq!(get(&slots, Key { index, generation }), None);
            }
        }
    }

    #[test]
    fn a_reserved_key_is_stale_until_it_is_filled() {
        let slots = Slots::new();
        let reserved = slots.reserve().unwrap();
        let key = reserved.key();
        let other = slots.insert(7).unwrap();
        // SAFETY: nothing is removed here.
        assert_eq!(unsafe { slots.get(key) }, None);
        slots.fill(reserved, 5);
        // SAFETY: nothing is removed here.
        let found = unsafe { (slots.get(key), slots.get(other)) };
        assert_eq!(found, (Some(&5), Some(&7)));
    }
}
