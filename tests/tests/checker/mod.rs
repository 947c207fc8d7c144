//! What watches the C programs of MPI while they run: nothing, valgrind, or the sanitizers of the compiler, as
//! `PVM_CHECK` says (`cargo xtask mpi check`). A fault is said on stderr, where a program that passes says nothing.

use pvm::settings;
use std::path::{Path, PathBuf};

/// More ranks take long, and show nothing else.
const MAX_RANKS: usize = 3;
/// What is no fault, with its reason.
const SUPPRESSIONS: &str = "bindings-c/tests/mpi/valgrind.supp";

/// What watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checker {
    /// Nothing.
    None,
    /// Memory errors in the program and in the library, and what is lost in the end.
    Valgrind,
    /// The same and undefined behaviour, in the program, and in what the library does with `malloc`.
    Sanitizers,
}

impl Checker {
    /// What the environment asks for.
    ///
    /// # Panics
    /// When it asks for something else.
    pub fn from_environment() -> Self {
        match std::env::var(settings::CHECK).as_deref() {
            Ok("") | Err(_) => Self::None,
            Ok("valgrind") => Self::Valgrind,
            Ok("sanitizers") => Self::Sanitizers,
            Ok(other) => panic!("{}: valgrind or sanitizers, not '{other}'", settings::CHECK),
        }
    }

    /// Whether a program is run on so many ranks.
    pub fn takes(self, ranks: usize) -> bool {
        self == Self::None || ranks <= MAX_RANKS
    }

    /// What the compiler is told besides.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Valgrind => &["-g"],
            Self::Sanitizers => &[
                "-g",
                "-fsanitize=address,undefined",
                "-fno-sanitize-recover=undefined",
                "-fno-omit-frame-pointer",
            ],
        }
    }

    /// The command that runs a program: its first word, and what comes before the program's arguments.
    /// A program that is to end badly leaves what it has where it is.
    pub fn command(self, program: &Path, root: &Path, ends_well: bool) -> (PathBuf, Vec<String>) {
        if self != Self::Valgrind {
            return (program.to_owned(), Vec::new());
        }
        let mut arguments: Vec<String> = ["--quiet", "--error-exitcode=99", "--num-callers=30"]
            .map(str::to_owned)
            .to_vec();
        if ends_well {
            let leaks = ["--leak-check=full", "--show-leak-kinds=definite"];
            arguments.extend(leaks.map(str::to_owned));
            arguments.push("--errors-for-leak-kinds=definite".to_owned());
        }
        let suppressions = root.join(SUPPRESSIONS);
        arguments.push(format!("--suppressions={}", suppressions.display()));
        arguments.push(program.display().to_string());
        ("valgrind".into(), arguments)
    }

    /// Takes out of what was said on stderr what is no fault: valgrind before 3.20 does not know all calls of the
    /// system, and says so (`--12-- WARNING: unhandled amd64-linux syscall: 434`, and what to do about it).
    pub fn leave_out(self, stderr: &mut Vec<u8>) {
        if self != Self::Valgrind {
            return;
        }
        let said = String::from_utf8_lossy(stderr);
        let faults = said.split_inclusive('\n').filter(|line| !is_notice(line));
        *stderr = faults.collect::<String>().into_bytes();
    }
}

/// Whether valgrind speaks of itself.
fn is_notice(line: &str) -> bool {
    let Some((process, text)) = line.strip_prefix("--").and_then(|it| it.split_once("-- ")) else {
        return false;
    };
    let about = [
        "WARNING: unhandled ",
        "You may be able to write your own handler.",
        "Read the file README_MISSING_SYSCALL_OR_IOCTL.",
        "Nevertheless we consider this a bug.",
        "it at http://valgrind.org/support/bug_reports.html.",
    ];
    process.bytes().all(|byte| byte.is_ascii_digit())
        && about.iter().any(|words| text.starts_with(words))
}
