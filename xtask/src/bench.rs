//! Measurements.

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
}

/// Builds the release and runs the benchmark.
pub fn run(options: &Options) -> Result<()> {
    let What::Micro { arguments } = &options.what;
    if !shell::root().join("examples/rust/bench_micro.rs").exists() {
        bail!("there is no examples/rust/bench_micro.rs: nothing to measure with");
    }
    shell::run(shell::cargo().args(["build", "--release"]).args([
        "--package=pvm-daemon",
        "--package=pvm-examples",
        "--bin=pvm",
        "--bin=pvmd",
        "--bin=bench_micro",
    ]))?;
    shell::run(shell::command(Profile::Release.directory().join("bench_micro")).args(arguments))
}
