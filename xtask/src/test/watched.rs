//! `cargo xtask mpi check`: the C programs of MPI, with something that watches them.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::needs;
use crate::shell::{self, Profile};

/// What watches, as the tests read it (`PVM_CHECK`, `tests/tests/checker`).
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Checker {
    /// Memory errors and leaks, of the program and of the library
    Valgrind,
    /// Address and undefined behaviour sanitizer in the program
    Sanitizers,
}

/// What was typed behind `mpi check`.
#[derive(Args)]
pub struct Options {
    /// What watches them
    #[arg(value_enum)]
    with: Checker,
    /// Only programs with this in their name
    #[arg(default_value = "")]
    name: String,
}

/// Runs them on up to three ranks, one after the other: they are slow.
pub fn run(options: &Options) -> Result<()> {
    if options.with == Checker::Valgrind
        && let Some(need) = needs::provide(needs::WATCHED, true).first()
    {
        bail!("no {} here; {}", need.program, need.remedy());
    }
    shell::build(Profile::Dev)?;
    let name = match options.with {
        Checker::Valgrind => "valgrind",
        Checker::Sanitizers => "sanitizers",
    };
    let mut tests = shell::cargo();
    tests.args(["test", "--workspace", "--test=mpi_programs", "--"]);
    tests.args(["--test-threads=1", &options.name]);
    shell::run(tests.env("PVM_CHECK", name))
}
