//! Every developer command of the project: `cargo xtask <job>`.
//!
//! # Layout
//! - `demo`: the main job against `sort` and `uniq`, side by side
//! - `test`, `ci`: what must pass; a forge runs `ci` and nothing else
//! - `tidy`: the house rules that a compiler does not check
//! - `generate`, `mpi`: what follows from the tables of MPI's functions, and how much of it is done
//! - `install`: the files of a package
//! - `conformance`: the tests of software that others wrote, on our MPI
//! - `bench`: measurements
//! - `cluster`: hosts made of network namespaces, to try things with
//! - `shell`, `needs`, `vm`: how a job runs commands, what it needs, a private virtual machine

mod bench;
mod ci;
mod cluster;
mod conformance;
mod demo;
mod generate;
mod install;
mod needs;
mod shell;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What was typed.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Every developer command of the project",
    version
)]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

/// The jobs.
#[derive(Subcommand)]
enum Job {
    /// Count the words of real text with `pvm run`, and again with sort and uniq, side by side
    Demo(demo::Options),
    /// Run every test: units, models, whole systems, the installed package
    Test(test::Options),
    /// What a forge runs: formatting, lints, documentation, tidy, then `test`
    Ci(test::Options),
    /// Check the house rules: arrows between rooms, banned calls, dead files, settings
    Tidy,
    /// Write what follows from the tables of bindings-c/api: mpi.h, entry points, symbols, coverage
    Gen(generate::Options),
    /// About the MPI of this project
    Mpi(generate::MpiOptions),
    /// Build the release and lay it out as a package does; obeys DESTDIR
    Install(install::Options),
    /// Run the tests of software that others wrote on the MPI of this project; downloads it
    Conformance(conformance::Options),
    /// Measure
    Bench(bench::Options),
    /// Hosts made of network namespaces, with delays, cuts and firewalls; needs root
    Cluster(cluster::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().job {
        Job::Demo(options) => demo::run(&options),
        Job::Test(options) => test::run(&options),
        Job::Ci(options) => ci::run(&options),
        Job::Tidy => tidy::run(),
        Job::Gen(options) => generate::run(&options),
        Job::Mpi(options) => generate::mpi(&options),
        Job::Install(options) => install::run(&options),
        Job::Conformance(options) => conformance::run(&options),
        Job::Bench(options) => bench::run(&options),
        Job::Cluster(options) => cluster::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
