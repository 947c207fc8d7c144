//! What was typed: the options of every verb, as text. What they mean is found in `high`.
//!
//! These declarations are the one table of options: parser, help and suggestions come from them.

use super::help;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;

/// The `pvm` program.
#[derive(Debug, Parser)]
#[command(
    name = "pvm",
    version,
    about = "The parallel virtual machine: run programs as many tasks, look at them, end them",
    after_help = help::PVM,
    disable_help_subcommand = true
)]
pub struct Pvm {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a program as a job of N tasks
    Run(Box<Run>),
    /// List the tasks
    Ps(Ps),
    /// List the hosts
    Conf(Conf),
    /// Send a signal to tasks or jobs
    Kill(Kill),
    /// End the virtual machine
    Halt(Halt),
    /// Show versions
    Version(Version),
}

/// Run a program as a job of N tasks
//
// One part of the line between `:`.
#[derive(Debug, Default, Clone, Args)]
#[command(
    override_usage = "pvm run [OPTIONS] PROGRAM [ARGUMENTS]... [: [-n N] [-wdir DIR] [-x NAME=VALUE] PROGRAM [ARGUMENTS]...]...",
    after_help = help::RUN,
)]
pub struct Run {
    /// Number of tasks of this program [default: 1]
    #[arg(short = 'n', long = "np", aliases = ["n", "ntasks"], value_name = "N")]
    pub count: Option<OsString>,

    /// Working directory of this program's tasks [default: where pvm runs]
    #[arg(long = "wdir", aliases = ["wd", "chdir"], value_name = "DIR")]
    pub directory: Option<OsString>,

    /// Set an environment variable for this program; without VALUE it is passed on as it is here
    /// (the whole environment is passed on anyway)
    #[arg(short = 'x', long = "env", value_name = "NAME[=VALUE]")]
    pub environment: Vec<OsString>,

    /// Begin each line of output with the rank of its task: "[3] "
    #[arg(short = 'l', long = "tag-output", aliases = ["label", "prepend-rank"])]
    pub tag: bool,

    /// End the job after this time: seconds, or a number with s, m or h
    #[arg(long = "timeout", aliases = ["time"], value_name = "TIME")]
    pub timeout: Option<OsString>,

    /// Who reads our standard input: one rank, "all" (each gets a copy) or "none" [default: 0]
    #[arg(long = "stdin", value_name = "RANK|all|none")]
    pub stdin: Option<OsString>,

    /// When a task fails: "kill" ends the others, "continue" lets them go on [default: kill]
    #[arg(long = "on-failure", value_name = "kill|continue")]
    pub on_failure: Option<OsString>,

    /// "lines" never mixes the lines of two tasks; "raw" passes bytes on as they come
    /// [default: lines]
    #[arg(long = "output", value_name = "lines|raw")]
    pub output: Option<OsString>,

    /// Print the final report as one line of JSON on stderr, in place of the verdict
    #[arg(long = "json")]
    pub json: bool,

    /// Write the final report as JSON to this file
    #[arg(long = "report", value_name = "FILE")]
    pub report: Option<OsString>,

    /// Say nothing about how the job went: the exit code tells
    #[arg(short = 'q', long = "quiet")]
    pub quiet: bool,

    /// Tell what is being done
    #[arg(short = 'v', long = "verbose")]
    pub verbose: bool,

    /// Accepted and ignored: root is welcome
    #[arg(long = "allow-run-as-root", hide = true)]
    pub allow_root: bool,

    /// Accepted and ignored: -n is always obeyed
    #[arg(long = "oversubscribe", hide = true)]
    pub oversubscribe: bool,

    /// The program and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM",
        hide = true
    )]
    pub command: Vec<OsString>,
}

/// `pvm ps`.
#[derive(Debug, Args)]
#[command(after_help = help::PS)]
pub struct Ps {
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm conf`.
#[derive(Debug, Args)]
#[command(after_help = help::CONF)]
pub struct Conf {
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm kill`.
#[derive(Debug, Args)]
#[command(after_help = help::KILL)]
pub struct Kill {
    /// Tasks (t40003) or jobs (j2), as 'pvm ps' shows them
    #[arg(value_name = "TASK|JOB", required = true)]
    pub targets: Vec<OsString>,
    /// Signal to send, by name or number [default: TERM]
    #[arg(short = 's', long = "signal", value_name = "SIGNAL")]
    pub signal: Option<OsString>,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm halt`.
#[derive(Debug, Args)]
#[command(after_help = help::HALT)]
pub struct Halt {
    /// End running jobs too
    #[arg(short = 'f', long = "force")]
    pub force: bool,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm version`.
#[derive(Debug, Args)]
#[command(after_help = help::VERSION)]
pub struct Version {
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}
