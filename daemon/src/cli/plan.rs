//! A job as a line of `pvm run` means it: numbers, paths and policies.

use super::high::{MeaningError, check_size};
use super::pattern::Pattern;
use crate::launch::spec::HostSpec;
use pvm::wire::control::{Binding, Placement};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A job to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The programs; ranks are numbered through them in order.
    pub apps: Vec<App>,
    /// What tasks are bound to, if they are.
    pub binding: Option<Binding>,
    /// Who reads our standard input.
    pub stdin: Stdin,
    /// What happens when a task fails.
    pub on_failure: OnFailure,
    /// How long the job may take.
    pub timeout: Option<Duration>,
    /// How long all tasks may wait while nothing comes to any.
    pub hang_timeout: Option<Duration>,
    /// How output is passed on.
    pub output: Output,
    /// Standard error of the tasks is passed on as standard output.
    pub merge: bool,
    /// Files that output goes to.
    pub files: Files,
    /// What is told at the start and at the end.
    pub told: Told,
    /// The final report as JSON on stderr.
    pub json: bool,
    /// The final report as JSON in a file.
    pub report: Option<PathBuf>,
    /// How much we say.
    pub voice: Voice,
    /// Programs are copied to hosts that do not have them.
    pub stage: bool,
    /// The line is explained, nothing runs.
    pub explain: bool,
    /// Options that have no effect, as typed.
    pub without_effect: Vec<String>,
}

impl Plan {
    /// Number of tasks of the job, once it is settled.
    pub fn size(&self) -> u32 {
        self.apps.iter().map(|app| app.count).sum()
    }

    /// Whether the number of tasks depends on how many hosts there are.
    pub fn is_open(&self) -> bool {
        self.apps.iter().any(|app| app.on_each_host)
    }

    /// Settles the number of tasks for a virtual machine of so many hosts.
    ///
    /// # Errors
    /// When they are too many.
    pub fn settle(&mut self, hosts: usize) -> Result<(), MeaningError> {
        let mut size = 0;
        for app in &mut self.apps {
            let named = app.hosts.len();
            let hosts = if named > 0 { named } else { hosts };
            let count = match std::mem::take(&mut app.on_each_host) {
                true => u64::from(app.count) * hosts as u64,
                false => u64::from(app.count),
            };
            size += count;
            check_size(size)?;
            app.count = count as u32;
        }
        Ok(())
    }
}

/// One program of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Number of tasks.
    pub count: u32,
    /// It is the number on each host.
    pub on_each_host: bool,
    /// As typed.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables set for it, over the environment that all get: `NAME=value`, or `NAME` as it is here.
    pub environment: Vec<OsString>,
    /// It gets none of our variables besides.
    pub bare: bool,
    /// Working directory, if it has its own; may be relative to ours.
    pub directory: Option<OsString>,
    /// Folders in which it is looked up first.
    pub path: Option<OsString>,
    /// Where its tasks go, if that is said.
    pub placement: Option<Placement>,
    /// What is said of the hosts that this names.
    pub hosts: Vec<HostSpec>,
}

/// Who reads our standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// This rank reads it itself.
    Rank(u32),
    /// Each task gets a copy.
    All,
    /// Nobody.
    None,
}

/// What happens when a task fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The others are ended.
    Kill,
    /// The others go on.
    Continue,
}

/// How output is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Whole lines, with something in front of each.
    Lines(Prefix),
    /// Bytes as they come.
    Raw,
}

/// What stands in front of each line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix {
    /// The time.
    pub time: bool,
    /// A text.
    pub text: Option<Pattern>,
}

/// Files that output goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Standard output.
    pub out: Option<Pattern>,
    /// Standard error.
    pub err: Option<Pattern>,
    /// It is passed on as well.
    pub copy: bool,
}

/// What is told at the start and at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Which rank runs where.
    pub map: bool,
    /// How each task has ended.
    pub exit_codes: bool,
}

/// How much we say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Nothing.
    Quiet,
    /// What went wrong and what takes long.
    Normal,
    /// What is being done.
    Verbose,
}
