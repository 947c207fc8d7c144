//! Every developer command of the project: `cargo xtask <job>`.
//!
//! # Layout
//! - `demo`: the main job against `sort` and `uniq`, side by side
//! - `test`, `ci`: what must pass; a forge runs `ci` and nothing else
//! - `tidy`: the house rules that a compiler does not check
//! - `install`: the files of a package
//! - `bench`: measurements
//! - `cluster`: hosts made of network namespaces, to try things with
//! - `shell`, `needs`, `vm`: how a job runs commands, what it needs, a private virtual machine

mod bench;
mod ci;
mod cluster;
mod demo;
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
    /// Build the release and lay it out as a package does; obeys DESTDIR
    Install(install::Options),
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
        Job::Install(options) => install::run(&options),
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
