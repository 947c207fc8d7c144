//! One thread at a time, without a lock when there is only one.
//!
//! # Why this is sound
//! A [`Gate`] gives out `&mut T` through a shared reference, so at most one [`Pass`] may exist.
//! - A pass cannot leave the thread that made it (it holds a raw pointer, so it is not `Send`).
//! - [`Level::Single`]: only the thread that made the gate gets past the identity check. Identities
//!   are numbers given out once per thread and never again, so no later thread can be taken for the
//!   owner. `inside` is therefore read and written by the owner alone (relaxed loads and stores,
//!   plain moves on every machine), and it is set while a pass exists: the second `enter` fails.
//! - Other levels: the pass holds the mutex. `holder` is only compared with the caller's own
//!   identity, and only the caller itself ever writes that value, so a relaxed read cannot mislead.
//! - A pass that is leaked (`mem::forget`) leaves the gate shut for ever: `inside` stays set, or the
//!   mutex locked. That is a lost gate, not two passes.
//!
//! The value moves between threads, hence `T: Send`; it is never shared, hence no `T: Sync`.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
// Identities are process-wide numbers, not part of any algorithm that loom models, and loom's
// atomics cannot be statics.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who may come to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only the thread that made the gate.
    Single,
    /// Any thread; the program takes care that they come one after another.
    Serialized,
    /// Any thread at any time.
    Multiple,
}

/// Why a gate did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Another thread than the owner came to a single-threaded gate.
    #[error(
        "called from another thread than the one that started it, at thread level single; \
         ask for thread level multiple"
    )]
    WrongThread,
    /// The thread is inside already: a callback called back.
    #[error("called from inside one of its own callbacks; return from the callback first")]
    Reentered,
}

/// A value that one thread at a time may use.
pub struct Gate<T> {
    level: Level,
    /// Thread that made the gate.
    owner: u64,
    /// Thread that is inside; 0: nobody.
    inside: AtomicU64,
    /// Threads that wait to come in.
    queue: AtomicU32,
    lock: Mutex<()>,
    value: UnsafeCell<T>,
}

// SAFETY: the module page shows that at most one `Pass` exists, on one thread; moving the value
// from thread to thread needs `T: Send`.
unsafe impl<T: Send> Sync for Gate<T> {}

/// The right to use the value; given back when dropped.
pub struct Pass<'a, T> {
    gate: &'a Gate<T>,
    _lock: Option<MutexGuard<'a, ()>>,
    _stays_on_its_thread: PhantomData<*mut ()>,
}

/// A number that no other thread of this process ever has.
#[inline(always)]
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static ID: Cell<u64> = const { Cell::new(0) });
    ID.with(|id| {
        if id.get() == 0 {
            id.set(NEXT.fetch_add(1, Relaxed));
        }
        id.get()
    })
}

impl<T> Gate<T> {
    /// A gate owned by the calling thread.
    pub fn new(value: T, level: Level) -> Self {
        Self {
            level,
            owner: this_thread(),
            inside: AtomicU64::new(0),
            queue: AtomicU32::new(0),
            lock: Mutex::new(()),
            value: UnsafeCell::new(value),
        }
    }

    /// Who may come.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether other threads wait to come in: whoever goes in and out in a loop should let them.
    pub fn is_wanted(&self) -> bool {
        self.queue.load(Relaxed) != 0
    }

    /// Comes in; waits for other threads to leave if the level allows any.
    ///
    /// # Errors
    /// See [`GateError`].
    // On the way of every message; called, its result goes through memory that is read back in other
    // pieces than it was written in, which costs more than all of it.
    #[inline(always)]
    pub fn enter(&self) -> Result<Pass<'_, T>, GateError> {
        let me = this_thread();
        let lock = match self.level {
            Level::Single if self.owner != me => return Err(GateError::WrongThread),
            Level::Single if self.inside.load(Relaxed) != 0 => return Err(GateError::Reentered),
            Level::Single => None,
            _ => Some(self.lock(me)?),
        };
        self.inside.store(me, Relaxed);
        Ok(Pass {
            gate: self,
            _lock: lock,
            _stays_on_its_thread: PhantomData,
        })
    }

    #[inline(never)]
    fn lock(&self, me: u64) -> Result<MutexGuard<'_, ()>, GateError> {
        if self.inside.load(Relaxed) == me {
            return Err(GateError::Reentered);
        }
        if let Ok(lock) = self.lock.try_lock() {
            return Ok(lock);
        }
        self.queue.fetch_add(1, Relaxed);
        // A panic inside ends that call; the value itself is whole between engine steps.
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.queue.fetch_sub(1, Relaxed);
        Ok(lock)
    }

    /// The value, when nobody else holds the gate.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T> Drop for Pass<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // The lock, if any, is dropped after this.
        self.gate.inside.store(0, Relaxed);
    }
}

impl<T> Deref for Pass<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this is the only pass (module page), so nobody else has a reference.
        unsafe { &*self.gate.value.get() }
    }
}

impl<T> DerefMut for Pass<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only pass (module page), and it is borrowed mutably.
        unsafe { &mut *self.gate.value.get() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_single_gate_opens_for_its_owner_only() {
        let gate = Gate::new(1, Level::Single);
        *gate.enter().unwrap() += 1;
        let error = std::thread::scope(|s| s.spawn(|| gate.enter().err()).join().unwrap());
        assert_eq!(error, Some(GateError::WrongThread));
        assert_eq!(*gate.enter().unwrap(), 2);
    }

    #[test]
    fn coming_in_twice_is_an_error_not_a_deadlock() {
        for level in [Level::Single, Level::Serialized, Level::Multiple] {
            let gate = Gate::new((), level);
            let pass = gate.enter().unwrap();
            assert_eq!(gate.enter().err(), Some(GateError::Reentered));
            drop(pass);
            assert!(gate.enter().is_ok());
        }
    }

    #[test]
    fn threads_take_turns() {
        let gate = Gate::new(0u64, Level::Multiple);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        *gate.enter().unwrap() += 1;
                    }
                });
            }
        });
        assert_eq!(gate.into_inner(), 4000);
    }

    #[test]
    fn a_panic_inside_opens_the_gate_again() {
        for level in [Level::Single, Level::Multiple] {
            let gate = Gate::new((), level);
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _pass = gate.enter().unwrap();
                panic!("inside");
            }));
            assert!(panicked.is_err());
            assert!(gate.enter().is_ok());
        }
    }
}
