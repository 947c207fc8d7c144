//! `pvm`: launcher and console of the parallel virtual machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    pvm_daemon::cli::main(&words).into()
}
