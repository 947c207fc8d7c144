//! What was typed: the options of every verb, as text. What they mean is found in `high`.
//!
//! These declarations are the one table of options: parser, help and suggestions come from them.

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
    Run(Box<Run>),
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

    /// Hosts for this program's tasks, in this order: a,b:2,node[3-5]; ":2" is the number of tasks
    /// that a host gets before the next one does; hosts that are not there yet are added
    /// [default: all hosts, this one first]
    #[arg(short = 'H', long = "host", aliases = ["hosts", "hostlist", "machine", "machines", "nodelist"], value_name = "HOST[:N],...")]
    pub hosts: Vec<OsString>,

    /// The same from a file: one host on a line, with slots=N or as PVM's host files have it
    #[arg(short = 'f', long = "hostfile", aliases = ["machinefile", "default-hostfile"], value_name = "FILE")]
    pub hostfile: Option<OsString>,

    /// Number of tasks that each host gets before the next one does [default: its CPUs]
    #[arg(short = 'N', long = "ppn", aliases = ["npernode", "perhost", "ntasks-per-node"], value_name = "N")]
    pub per_host: Option<OsString>,

    /// "slot" fills one host after the other, "host" gives one task to each in turn [default: slot]
    #[arg(long = "map-by", aliases = ["mapby"], value_name = "slot|host")]
    pub map_by: Option<OsString>,

    /// As --map-by host
    #[arg(long = "bynode", aliases = ["rr"], hide = true)]
    pub by_node: bool,

    /// As --map-by slot
    #[arg(long = "byslot", hide = true)]
    pub by_slot: bool,

    /// As --ppn 1
    #[arg(long = "pernode", hide = true)]
    pub one_per_host: bool,

    /// Set an environment variable for this program; without VALUE it is passed on as it is here
    /// (the environment is passed on anyway, but what means something on this host alone)
    #[arg(short = 'x', long = "env", value_name = "NAME[=VALUE]")]
    pub environment: Vec<OsString>,

    /// Begin each line of output with the rank of its task, as in `[3] text`
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

    /// Copy the programs to hosts that do not have them: the program files alone, no libraries, no data
    #[arg(long = "stage", aliases = ["preload-binary"])]
    pub stage: bool,

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
