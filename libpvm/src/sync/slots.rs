//! Objects under numbers that detect staleness, at addresses that never move.
//!
//! # Why this is sound
//! Slots live in chunks that are made once and freed with the whole. A slot is free and in the list of
//! free ones, or reserved by one thread, or has a value under a key. Only who has reserved it writes
//! the value, once, and who removes it takes it: both know that nobody else touches it, the one because
//! a place is in the list once and leaves it for one thread, the other because its caller promises it.
//! Reading needs no lock: a key's generation is odd and was published, with `Release`, after the value; a
//! reader that sees it, with `Acquire`, sees the value. That nobody removes an object while somebody
//! reads it is the caller's promise: it is what programs promise of their handles (MPI 5.0, 11.6.2:
//! freeing an object that another thread uses is erroneous).
//!
//! # The free places
//! They are a stack, linked through the slots. Its head has a number that changes whenever a place is taken,
//! so that who has read the link of a place that others have taken and put back meanwhile does not take it
//! for the present one. What was done to a slot before it was put back, with `Release`, is seen by
//! who takes it, with `Acquire`.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
// Not part of an algorithm that loom models; loom's atomics have no place in statics.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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
pub struct Reserved<'a, T> {
    slot: &'a Slot<T>,
    key: Key,
}

impl<T> Reserved<'_, T> {
    /// The key that the object will have.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Keeps the object; gives its key.
    #[inline]
    pub fn fill(self, value: T) -> Key {
        let Key { generation, .. } = self.key;
        // SAFETY: the place is reserved, so no key that is not stale names it and nobody reads it; nobody
        // else writes, since it was reserved for this caller alone, who gives that up.
        unsafe { *self.slot.value.get() = Some(value) };
        self.slot.generation.store(generation, Ordering::Release);
        self.key
    }
}

/// Objects that are taken out one after the other. Their places are free again when this is dropped, all of them in
/// one step: it costs as much as that of a single one.
pub struct Removal<'a, T> {
    slots: &'a Slots<T>,
    /// The first of the places, and the last one, in the order of the list.
    places: Option<(u32, &'a Slot<T>)>,
}

impl<T> Removal<'_, T> {
    /// Takes an object out that is `wanted`; `None`: it is not, or was removed before.
    ///
    /// # Safety
    /// As for [`Slots::remove`], of one that is wanted; nobody removes another one at the same time.
    #[inline]
    pub unsafe fn remove_if(&mut self, key: Key, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let slot = self.slots.slot(key)?;
        // SAFETY: the generation says that the value was published; nobody removes it, as for `get`.
        if !unsafe { (*slot.value.get()).as_ref() }.is_some_and(wanted) {
            return None;
        }
        // SAFETY: the caller promises that nobody reads it any more, or takes it. The place is in no list, so
        // nobody writes there.
        let value = unsafe { (*slot.value.get()).take() }?;
        let stale = key.generation.wrapping_add(1);
        slot.generation.store(stale, Ordering::Release);
        let last = match self.places {
            None => slot,
            Some((next, last)) => {
                slot.next.store(next, Ordering::Relaxed);
                last
            }
        };
        self.places = Some((key.index, last));
        Some(value)
    }
}

impl<T> Drop for Removal<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Some((first, last)) = self.places else {
            return;
        };
        let free = &self.slots.free;
        let mut head = free.load(Ordering::Relaxed);
        loop {
            last.next.store(head as u32, Ordering::Relaxed);
            let put = head >> 32 << 32 | u64::from(first);
            match free.compare_exchange_weak(head, put, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

struct Slot<T> {
    /// Even: free.
    generation: AtomicU32,
    /// Of a free one, the next of them.
    next: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the module page says who touches a value when; values move between threads (`Send`) and
// are read by several (`Sync`).
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

/// The end of the list of free places.
const NONE: u32 = u32::MAX;

/// Objects of one kind. Meant for statics.
pub struct Slots<T> {
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    /// The first free place, in the lower half, and how often one was taken.
    free: AtomicU64,
    /// Places that were ever used.
    used: AtomicU32,
    _owns: PhantomData<T>,
}

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
            free: AtomicU64::new(NONE as u64),
            used: AtomicU32::new(0),
            _owns: PhantomData,
        }
    }

    /// Keeps an object; `None`: there are too many.
    #[inline]
    pub fn insert(&self, value: T) -> Option<Key> {
        Some(self.reserve()?.fill(value))
    }

    /// A place for an object that comes later; until then its key is stale. `None`: there are too many.
    #[inline]
    pub fn reserve(&self) -> Option<Reserved<'_, T>> {
        let (index, slot) = match self.pop() {
            Some(place) => place,
            None => self.make_room()?,
        };
        let generation = slot.generation.load(Ordering::Relaxed).wrapping_add(1);
        let key = Key { index, generation };
        Some(Reserved { slot, key })
    }

    /// Takes the first free place.
    #[inline]
    fn pop(&self) -> Option<(u32, &Slot<T>)> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = head as u32;
            let slot = self.at(index)?;
            let next = slot.next.load(Ordering::Relaxed);
            let taken = ((head >> 32).wrapping_add(1)) << 32 | u64::from(next);
            match (self.free).compare_exchange_weak(
                head,
                taken,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((index, slot)),
                Err(now) => head = now,
            }
        }
    }

    /// A place that was never used.
    #[cold]
    fn make_room(&self) -> Option<(u32, &Slot<T>)> {
        let one_more = |used| (used < FIRST_CHUNK * ((1 << CHUNKS) - 1)).then_some(used + 1);
        let relaxed = Ordering::Relaxed;
        let index = self.used.fetch_update(relaxed, relaxed, one_more).ok()?;
        let (chunk, at) = place(index);
        let chunk = self.chunks[chunk].get_or_init(|| new_chunk(FIRST_CHUNK << chunk));
        Some((index, &chunk[at]))
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
    /// Nobody uses a reference to the object any more, and nobody else removes it at the same time.
    #[inline]
    pub unsafe fn remove(&self, key: Key) -> Option<T> {
        // SAFETY: as promised by the caller.
        unsafe { self.removal().remove_if(key, |_| true) }
    }

    /// Begins to take out objects.
    #[inline]
    pub fn removal(&self) -> Removal<'_, T> {
        Removal {
            slots: self,
            places: None,
        }
    }

    /// The present key of a place.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let generation = self.at(index)?.generation.load(Ordering::Acquire);
        (generation % 2 == 1).then_some(Key { index, generation })
    }

    /// How many objects there are. It looks at all places.
    pub fn len(&self) -> usize {
        let places = 0..self.used.load(Ordering::Relaxed);
        places.filter(|&index| self.key_at(index).is_some()).count()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn slot(&self, key: Key) -> Option<&Slot<T>> {
        let slot = self.at(key.index)?;
        let is_current = slot.generation.load(Ordering::Acquire) == key.generation;
        (is_current && key.generation % 2 == 1).then_some(slot)
    }

    /// What is at a place; `None`: it was never used.
    #[inline]
    fn at(&self, index: u32) -> Option<&Slot<T>> {
        let (chunk, at) = place(index);
        self.chunks.get(chunk)?.get()?.get(at)
    }
}

/// Chunk and place in it.
#[inline]
fn place(index: u32) -> (usize, usize) {
    let from_first = u64::from(index) + u64::from(FIRST_CHUNK);
    let bits = from_first.ilog2();
    let at = from_first - (1 << bits);
    ((bits - FIRST_CHUNK.ilog2()) as usize, at as usize)
}

fn new_chunk<T>(len: u32) -> Box<[Slot<T>]> {
    let slot = || Slot {
        generation: AtomicU32::new(0),
        next: AtomicU32::new(NONE),
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

    /// Each thread finds in its places what it has put there, whatever the others take and put back.
    #[test]
    fn threads_do_not_get_each_others_places() {
        const THREADS: usize = 4;
        let slots = Slots::new();
        let turn = |own: usize| {
            let values = own * 10..own * 10 + own + 3;
            let keys: Vec<Key> = values.clone().map(|n| slots.insert(n).unwrap()).collect();
            let mut removal = slots.removal();
            for (n, key) in values.zip(keys) {
                // SAFETY: the key is this thread's alone, and no reference lives.
                assert_eq!(unsafe { removal.remove_if(key, |_| true) }, Some(n));
            }
        };
        std::thread::scope(|scope| {
            for own in 0..THREADS {
                let turn = &turn;
                scope.spawn(move || (0..2000).for_each(|_| turn(own)));
            }
        });
        assert_eq!(slots.len(), 0);
        assert!(slots.used.load(Ordering::Relaxed) <= (0..THREADS).map(|own| own as u32 + 3).sum());
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
        assert_eq!(reserved.fill(5), key);
        // SAFETY: nothing is removed here.
        let found = unsafe { (slots.get(key), slots.get(other)) };
        assert_eq!(found, (Some(&5), Some(&7)));
    }
}
