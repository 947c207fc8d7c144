//! Exit codes of `pvm`: what scripts may rely on. The help pages (`help`) say the same.

use std::process::ExitCode;

/// How `pvm` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Success,
    /// The daemon said no: no such task, or jobs of others are running. `doctor`: there are problems.
    Refused,
    /// The command line makes no sense.
    Usage,
    /// `ps`, `conf` and `kill`: no virtual machine is running.
    NoMachine,
    /// All tasks waited, and nothing came to any of them for as long as `--hang-timeout` says.
    Hang,
    /// `--timeout` was reached, as timeout(1) says it.
    Timeout,
    /// We failed, not the program: no daemon, a lost daemon, no resources.
    Ours,
    /// The program is there and cannot be executed, as the shell says it.
    NotExecutable,
    /// The program was not found, as the shell says it.
    NotFound,
    /// The first task that failed exited with this code.
    Task(u8),
    /// The first task that failed was killed by this signal, or we were ended by it.
    Signal(i32),
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::NoMachine => 3,
            Exit::Hang => 123,
            Exit::Timeout => 124,
            Exit::Ours => 125,
            Exit::NotExecutable => 126,
            Exit::NotFound => 127,
            Exit::Task(code) => code,
            Exit::Signal(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes = [
            (Exit::Success, 0),
            (Exit::Usage, 2),
            (Exit::Hang, 123),
            (Exit::Timeout, 124),
            (Exit::Ours, 125),
            (Exit::NotExecutable, 126),
            (Exit::NotFound, 127),
            (Exit::Task(3), 3),
            (Exit::Signal(2), 130),
            (Exit::Signal(11), 139),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }
}
