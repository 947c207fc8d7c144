//! `cargo xtask conformance`: software that others wrote runs on this project's MPI.
//!
//! Everything is kept in `target/conformance`: what is downloaded and built there stays for the next
//! time, the installation that it runs from is made anew.

pub mod mpi4py;
mod record;
mod rsmpi;
mod skips;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::install;
use crate::shell::{self, Profile};
use crate::vm::PrivateVm;
use record::Record;

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
    /// The examples of rsmpi, MPI's bindings for Rust (the crate mpi), built here with mpicc
    Rsmpi(rsmpi::Options),
}

/// Options of all.
#[derive(Args)]
struct Common {
    /// Counts of ranks
    #[arg(short = 'n', long, value_delimiter = ',', value_name = "N,...")]
    ranks: Vec<usize>,
    /// Spread the ranks over so many hosts, all on this machine
    #[arg(long, default_value_t = 1, value_name = "N")]
    hosts: usize,
    /// Seconds that one run may take
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    timeout: u64,
    /// How our programs are compiled
    #[arg(long, value_enum, default_value_t = Profile::Dev)]
    profile: Profile,
    /// List the tests that are skipped, with the reasons
    #[arg(long)]
    skipped: bool,
}

impl Common {
    /// What is said above a table.
    fn title(&self, what: &str, ranks: usize) -> String {
        let counted = |count, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let ranks = counted(ranks, "rank");
        match self.hosts {
            1 => format!("{what} on {ranks}"),
            hosts => format!("{what} on {ranks}, over {}", counted(hosts, "host")),
        }
    }
}

/// Runs it.
pub fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Mpi4py(options) => mpi4py::run(options),
        What::Rsmpi(options) => rsmpi::run(options),
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

    /// With a virtual machine of several hosts, if there are to be several.
    fn with_hosts(common: &Common) -> Result<Self> {
        let this = Self::new(common.profile)?;
        if common.hosts > 1 {
            let hosts = common.hosts.to_string();
            shell::output(this.vm.pvm().args(["up", "--local-hosts", &hosts]))?;
        }
        Ok(this)
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.prefix.join("bin").join(name)
    }

    /// Where its libraries are.
    pub fn libraries(&self) -> PathBuf {
        self.prefix.join("lib")
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
    fn mpiexec(&self, ranks: usize, common: &Common) -> Command {
        let mut command = self.command(Path::new("timeout"));
        command.args(["--kill-after=10", &(common.timeout + 20).to_string()]);
        command.arg(self.program("mpiexec"));
        let seconds = common.timeout.to_string();
        command.args(["-n", &ranks.to_string(), "--timeout", &seconds]);
        if common.hosts > 1 {
            command.args(["--map-by", "node"]);
        }
        command
    }
}

/// Runs a command; what it writes goes to a file.
fn logged(command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("mpiexec does not run")
}

/// An empty folder.
fn emptied(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// How a run ended, when that is not what its tests say; else nothing.
fn end(status: ExitStatus, failed: usize) -> String {
    match status.code() {
        Some(0) => String::new(),
        Some(1) if failed > 0 => String::new(),
        Some(124) => "took too long".to_owned(),
        _ => status.to_string(),
    }
}

/// Prints the sum of a table, what failed, what was skipped and why, and what took longest.
fn report(record: &Record, common: &Common) {
    println!("  {:<24}{}", "all", record.sum());
    for line in record.failed() {
        println!("  failed: {line}");
    }
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (test, why) in record.skipped() {
        *reasons.entry(why).or_default() += 1;
        if common.skipped {
            println!("  skipped: {test} because {}", skips::sentence(why));
        }
    }
    for (why, count) in reasons {
        println!("  skipped: {count} because {}", skips::sentence(why));
    }
    let slowest = record.slowest(SLOWEST).into_iter();
    let slowest: Vec<String> = slowest
        .map(|(test, seconds)| format!("{test} {seconds:.1} s"))
        .collect();
    println!("  slowest: {}", slowest.join(", "));
}

/// How many of the slowest tests are told.
const SLOWEST: usize = 3;

/// An error that says what is missing and how to get it.
pub fn require(program: &str, package: &str) -> Result<()> {
    if !shell::is_installed(program) {
        bail!("{program} is not installed: type: apt-get install {package}");
    }
    Ok(())
}

/// The end of a run in which so many have failed.
fn judge(bad: usize, what: &str, logs: &Path) -> Result<()> {
    match bad {
        0 => Ok(()),
        _ => bail!(
            "{bad} {what} failed; what they said is in {}",
            logs.display()
        ),
    }
}
