//! `pvm_setopt` and `pvm_getopt`.

use super::{Error, Result};

/// How messages go; kept for programs that ask, every route is direct here.
pub const ROUTE: i32 = 1;
/// What happens on errors: 0 nothing, 1 print, 2 print and exit, 3 print and abort.
pub const AUTO_ERR: i32 = 3;
/// Reserved tags and receivers may be used.
pub const RESERVED: i32 = 11;

const COUNT: usize = 26;
const OUTPUT_TID: usize = 4;
const TRACE_TID: usize = 6;
const TRACE_OPTIONS: usize = 9;
const FRAGMENT: usize = 10;
const SELF_OUTPUT_TID: usize = 12;
const SELF_TRACE_TID: usize = 14;
const SHOW_TIDS: usize = 18;
const POLL_TYPE: usize = 19;
const POLL_TIME: usize = 20;
const SELF_OUTPUT_CONTEXT: usize = 23;
const SELF_TRACE_CONTEXT: usize = 24;

/// The values of all options, by number.
#[derive(Debug, Clone)]
pub struct Options([i32; COUNT]);

impl Default for Options {
    fn default() -> Self {
        let mut values = [0; COUNT];
        values[ROUTE as usize] = 2;
        values[AUTO_ERR as usize] = 1;
        values[FRAGMENT] = 4080;
        values[SHOW_TIDS] = 1;
        Self(values)
    }
}

impl Options {
    /// The value of an option.
    pub fn get(&self, what: i32) -> Result<i32> {
        match index(what)? {
            POLL_TYPE | POLL_TIME => Err(Error::BadParam),
            at => Ok(self.0[at]),
        }
    }

    /// Sets an option and returns its old value; `me` is the task's own id.
    pub fn set(&mut self, what: i32, value: i32, me: i32) -> Result<i32> {
        let at = index(what)?;
        let fits = match at {
            POLL_TYPE | POLL_TIME | SELF_OUTPUT_CONTEXT | SELF_TRACE_CONTEXT => {
                return Err(Error::NotImpl);
            }
            1 | TRACE_OPTIONS => (1..=3).contains(&value),
            FRAGMENT => (52..=1_048_576).contains(&value),
            OUTPUT_TID | TRACE_TID | SELF_OUTPUT_TID | SELF_TRACE_TID => {
                value == 0 || value == me || value == self.0[at]
            }
            _ => true,
        };
        if !fits {
            return Err(Error::BadParam);
        }
        Ok(std::mem::replace(&mut self.0[at], value))
    }
}

fn index(what: i32) -> Result<usize> {
    match usize::try_from(what) {
        Ok(at) if (1..COUNT).contains(&at) => Ok(at),
        _ => Err(Error::BadParam),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_bounds_are_those_of_pvm() {
        let mut options = Options::default();
        assert_eq!(options.get(AUTO_ERR), Ok(1));
        assert_eq!(options.get(10), Ok(4080));
        assert_eq!(options.set(AUTO_ERR, 0, 7), Ok(1));
        assert_eq!(options.set(AUTO_ERR, 77, 7), Ok(0));
        assert_eq!(options.set(ROUTE, 4, 7), Err(Error::BadParam));
        assert_eq!(options.set(4, 8, 7), Err(Error::BadParam));
        assert_eq!(options.set(4, 7, 7), Ok(0));
        assert_eq!(options.set(19, 1, 7), Err(Error::NotImpl));
        assert_eq!(options.get(19), Err(Error::BadParam));
        assert_eq!(options.get(0), Err(Error::BadParam));
        assert_eq!(options.get(26), Err(Error::BadParam));
    }
}
