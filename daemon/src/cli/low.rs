//! What was typed: the options of every verb but `run`, as text.
//!
//! These declarations are the table of their options: parser, help, suggestions and completion come from
//! them. `pvm run` has a table of its own (`flags`).

use super::help;
use clap::{Args, Parser, Subcommand};
use pvm::ids::JobId;
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
    Run,
    /// Start the virtual machine, with more hosts if you like
    Up(Up),
    /// Add hosts to the virtual machine
    Add(Add),
    /// Remove hosts from the virtual machine
    Delete(Delete),
    /// Give out a token with which a host can join
    Token(Token),
    /// List the tasks
    Ps(Ps),
    /// Show what tasks wait for, and which is the odd one out
    Stacks(Stacks),
    /// List the hosts
    Conf(Conf),
    /// Find out what is wrong with the hosts and the ways between them
    Doctor(Doctor),
    /// Send a signal to tasks or jobs
    Kill(Kill),
    /// End the virtual machine
    Halt(Halt),
    /// Show versions
    Version(Version),
    /// Print what a shell needs to complete words of pvm and mpiexec
    Completion(Completion),
    /// Print the manual page of pvm run, for man(1)
    #[command(hide = true)]
    Manual,
}

/// `pvm up`.
#[derive(Debug, Args)]
#[command(after_help = help::UP)]
pub struct Up {
    /// Have this many hosts on this machine, this one included
    #[arg(long = "local-hosts", value_name = "N")]
    pub local_hosts: Option<OsString>,
    /// Add the hosts of this file: one on a line, as PVM's and MPI's host files have them
    #[arg(short = 'f', long = "hostfile", value_name = "FILE")]
    pub hostfile: Option<OsString>,
    /// Add these hosts: a,b,node[3-5],user@host
    #[arg(value_name = "HOST")]
    pub hosts: Vec<OsString>,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm add`.
#[derive(Debug, Args)]
#[command(after_help = help::ADD)]
pub struct Add {
    /// Hosts: a,b,node[3-5],user@host
    #[arg(value_name = "HOST", required = true)]
    pub hosts: Vec<OsString>,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm delete`.
#[derive(Debug, Args)]
#[command(after_help = help::DELETE)]
pub struct Delete {
    /// Hosts, by name or index, as 'pvm conf' shows them
    #[arg(value_name = "HOST", required = true)]
    pub hosts: Vec<OsString>,
    /// End what runs there too
    #[arg(short = 'f', long = "force")]
    pub force: bool,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm token`.
#[derive(Debug, Args)]
#[command(after_help = help::TOKEN)]
pub struct Token {
    /// How long it is good: seconds, or a number with s, m or h
    #[arg(long = "lifetime", value_name = "TIME", default_value = "10m")]
    pub lifetime: OsString,
    /// How many hosts can join with it
    #[arg(long = "uses", value_name = "N", default_value = "1")]
    pub uses: u32,
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm ps`.
#[derive(Debug, Args)]
#[command(after_help = help::PS)]
pub struct Ps {
    /// Print JSON
    #[arg(long = "json")]
    pub json: bool,
}

/// `pvm stacks`.
#[derive(Debug, Args)]
#[command(after_help = help::STACKS)]
pub struct Stacks {
    /// The job, e.g. j3 [default: all]
    #[arg(value_name = "JOB")]
    pub job: Option<JobId>,
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

/// `pvm doctor`.
#[derive(Debug, Args)]
#[command(after_help = help::DOCTOR)]
pub struct Doctor {
    /// Hosts that look at themselves and at their ways to the others [default: all]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<OsString>,
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

/// `pvm completion`.
#[derive(Debug, Args)]
#[command(after_help = help::COMPLETION)]
pub struct Completion {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    pub shell: String,
}
