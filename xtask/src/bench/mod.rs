//! Measurements.

mod figures;
mod mpi;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::shell::{self, Profile};

/// What is measured.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Latency, bandwidth, message rate, barrier and start-up time on this host
    Micro {
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// This MPI beside MPICH and Open MPI, which are downloaded
    Mpi(mpi::Options),
    /// Latency and bandwidth between two hosts made of network namespaces, beside raw TCP; needs root
    Net {
        /// Which of plain, tls and relayed; default: all
        ways: Vec<String>,
    },
}

/// Builds the release and runs the benchmark.
pub fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Micro { arguments } => bench("micro", arguments),
        What::Mpi(options) => mpi::run(options),
        What::Net { ways } if shell::is_root() => bench("net", ways),
        What::Net { .. } => bail!("network namespaces need root: run it with sudo"),
    }
}

fn bench(name: &str, arguments: &[String]) -> Result<()> {
    shell::build(Profile::Release)?;
    let bench = ["bench", "--workspace", "--bench", name, "--"];
    shell::run(shell::cargo().args(bench).args(arguments))
}
