//! What a program promises of its use of a communicator (MPI 5.0, 7.4.4).

use super::Comm;
use crate::mpi::error::Result;
use crate::mpi::info::Info;
use crate::mpi::object::lock;

/// The promises that exist. All are `false` until the program makes them.
const PROMISES: [&str; 4] = [
    "mpi_assert_no_any_tag",
    "mpi_assert_no_any_source",
    "mpi_assert_exact_length",
    "mpi_assert_allow_overtaking",
];

/// Which kinds of memory the program may give (MPI 5.0, 12.4.3).
pub const MEMORY_KINDS: (&str, &str) = ("mpi_memory_alloc_kinds", "mpi,system");

/// Those that were made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints([bool; PROMISES.len()]);

impl Hints {
    /// Takes what is known of an info object; other keys and values have no effect.
    fn update(&mut self, info: &Info) -> Result<()> {
        for (promise, made) in PROMISES.iter().zip(&mut self.0) {
            match info.get(promise)?.as_deref() {
                Some("true") => *made = true,
                Some("false") => *made = false,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Comm {
    /// Takes what is known of an info object.
    ///
    /// # Errors
    /// None that a program can cause.
    pub fn set_info(&self, info: &Info) -> Result<()> {
        let mut hints = *lock(&self.hints);
        hints.update(info)?;
        *lock(&self.hints) = hints;
        Ok(())
    }

    /// All that is known, as it is now.
    pub fn info(&self) -> Info {
        let Hints(made) = *lock(&self.hints);
        let promises = PROMISES.iter().zip(made);
        let pairs = promises.map(|(promise, made)| (*promise, if made { "true" } else { "false" }));
        let pairs = pairs.chain([MEMORY_KINDS]);
        Info::with(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_has_an_effect() {
        let info = Info::default();
        for (key, value) in [
            ("mpi_assert_no_any_tag", "true"),
            ("mpi_assert_exact_length", "perhaps"),
            ("color", "red"),
        ] {
            info.set(key, value).unwrap();
        }
        let mut hints = Hints::default();
        hints.update(&info).unwrap();
        assert_eq!(hints.0, [true, false, false, false]);
        info.set("mpi_assert_no_any_tag", "false").unwrap();
        hints.update(&info).unwrap();
        assert_eq!(hints.0, [false; 4]);
    }
}
