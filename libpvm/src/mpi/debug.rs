//! What programs are checked for at some cost, when they are asked to be (`PVM_DEBUG`).

use super::error::{Class, Error, Result};
use crate::settings;

/// The checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debug {
    /// Before each blocking collective of one group, all ranks tell each other which it is.
    pub collectives: bool,
    /// At the end it is told what was never freed or received.
    pub leaks: bool,
}

impl Debug {
    /// Those that the environment asks for.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for a check that there is not.
    pub fn from_environment() -> Result<Self> {
        Self::read(&std::env::var(settings::DEBUG).unwrap_or_default())
    }

    fn read(text: &str) -> Result<Self> {
        let mut debug = Self::default();
        for word in text.split(',').map(str::trim) {
            match word {
                "" => {}
                "collectives" => debug.collectives = true,
                "leaks" => debug.leaks = true,
                "all" => (debug.collectives, debug.leaks) = (true, true),
                _ => return Err(unknown(word)),
            }
        }
        Ok(debug)
    }
}

#[cold]
fn unknown(word: &str) -> Error {
    let name = settings::DEBUG;
    let detail = format!(
        "{name} has '{word}', which is no check: write collectives, leaks, both with a comma, or all"
    );
    Error::new(Class::Arg, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_named() {
        let all = Debug {
            collectives: true,
            leaks: true,
        };
        assert_eq!(Debug::read(""), Ok(Debug::default()));
        assert_eq!(Debug::read("all"), Ok(all));
        assert_eq!(Debug::read("leaks, collectives,"), Ok(all));
        let error = Debug::read("leaks,leeks").unwrap_err();
        assert!(error.detail().contains("'leeks'"), "{error}");
    }
}
