//! `cargo xtask conformance`: software that others wrote runs on this project's MPI.
//!
//! Everything is kept in `target/conformance`: what is downloaded and built there stays for the next
//! time, the installation that it runs from is made anew.

mod mpi4py;
mod record;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::install;
use crate::shell::{self, Profile};
use crate::vm::PrivateVm;

/// What is run.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The tests of mpi4py, built here from its source with the standard ABI
    Mpi4py(mpi4py::Options),
}

/// Options of all.
#[derive(Args)]
struct Common {
    /// Counts of ranks
    #[arg(short = 'n', long, value_delimiter = ',', value_name = "N,...")]
    ranks: Vec<usize>,
    /// Seconds that one run may take
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    timeout: u64,
    /// How our programs are compiled
    #[arg(long, value_enum, default_value_t = Profile::Dev)]
    profile: Profile,
}

/// Runs it.
pub fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Mpi4py(options) => mpi4py::run(options),
    }
}

/// Where everything is.
fn folder() -> PathBuf {
    shell::target_dir().join("conformance")
}

/// An installation of what was just built.
pub struct Installed {
    prefix: PathBuf,
    vm: PrivateVm,
}

impl Installed {
    /// Builds and installs it.
    pub fn new(profile: Profile) -> Result<Self> {
        let prefix = folder().join(profile.name());
        install::into(profile, &prefix)?;
        let vm = PrivateVm::new(&prefix.join("bin"))?;
        Ok(Self { prefix, vm })
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.prefix.join("bin").join(name)
    }

    /// Any program, in the environment of its virtual machine.
    pub fn command(&self, program: &Path) -> Command {
        self.vm.command(program)
    }

    /// Ends its virtual machine.
    pub fn end(self) -> Result<()> {
        self.vm.halt()
    }

    /// Its launcher. A run that takes too long is ended by it; should it hang itself, its process
    /// group is ended a little later.
    fn mpiexec(&self, ranks: usize, seconds: u64) -> Command {
        let mut command = self.command(Path::new("timeout"));
        command.args(["--kill-after=10", &(seconds + 20).to_string()]);
        command.arg(self.program("mpiexec"));
        command.args(["-n", &ranks.to_string(), "--timeout", &seconds.to_string()]);
        command
    }
}

/// An error that says what is missing and how to get it.
pub fn require(program: &str, package: &str) -> Result<()> {
    if !shell::is_installed(program) {
        bail!("{program} is not installed: type: apt-get install {package}");
    }
    Ok(())
}
