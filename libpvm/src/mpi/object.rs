//! What objects of several kinds have.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest name of an object in bytes, with the end mark (`MPI_MAX_OBJECT_NAME`).
const MAX_NAME: usize = 128;

/// What changes in an object that several threads may use. The program's functions run with nothing
/// locked, so a panic leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of an object.
#[derive(Default)]
pub(super) struct ObjectName(Mutex<String>);

impl ObjectName {
    /// Names it; what is too long is cut.
    pub(super) fn set(&self, name: &str) {
        let end = name.floor_char_boundary(MAX_NAME - 1);
        name[..end].clone_into(&mut lock(&self.0));
    }

    /// The name; empty when it has none.
    pub(super) fn text(&self) -> String {
        lock(&self.0).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        let name = ObjectName::default();
        assert_eq!(name.text(), "");
        name.set(&"\u{e9}".repeat(100));
        assert_eq!(name.text(), "\u{e9}".repeat(63));
        name.set("short");
        assert_eq!(name.text(), "short");
    }
}
