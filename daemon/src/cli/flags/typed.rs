//! What was typed for one program of a `pvm run` line, as text. What it means is found in `high`.

use std::ffi::OsString;

/// An option that has one value was given two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    /// The one.
    pub first: OsString,
    /// The other.
    pub second: OsString,
}

/// Which variables tasks get before those that are set for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherited {
    /// All of ours.
    All,
    /// None of ours.
    Nothing,
    /// These, by name.
    Only(OsString),
}

/// One part of the line between `:`.
#[derive(Debug, Default, Clone)]
pub struct Run {
    /// Number of tasks.
    pub count: Option<OsString>,
    /// Numbers that are as good.
    pub soft: Option<OsString>,
    /// Working directory.
    pub directory: Option<OsString>,
    /// Folders in which the program is looked up first.
    pub path: Option<OsString>,
    /// Lists of hosts.
    pub hosts: Vec<OsString>,
    /// A file of hosts.
    pub hostfile: Option<OsString>,
    /// How hosts are reached.
    pub launcher: Option<OsString>,
    /// Architecture of the hosts.
    pub architecture: Option<OsString>,
    /// Tasks on each host.
    pub per_host: Option<OsString>,
    /// In what order hosts are filled.
    pub map_by: Option<OsString>,
    /// In what order ranks are given.
    pub rank_by: Option<OsString>,
    /// Whether a host may get more tasks than it has slots.
    pub oversubscribe: Option<bool>,
    /// What a task is bound to.
    pub bind_to: Option<OsString>,
    /// Cores of a task.
    pub cores: Option<OsString>,
    /// CPUs that tasks may be bound to.
    pub cpus: Option<OsString>,
    /// Bindings are told.
    pub report_bindings: bool,
    /// Variables of this program: `NAME=VALUE`, or `NAME,...` as they are here.
    pub environment: Vec<OsString>,
    /// What it gets of ours.
    pub inherited: Option<Inherited>,
    /// Variables of all programs.
    pub all_environment: Vec<OsString>,
    /// What all get of ours.
    pub all_inherited: Option<Inherited>,
    /// Lists in the form of `--export`.
    pub export: Vec<OsString>,
    /// Size of the universe that programs are told.
    pub universe: Option<OsString>,
    /// What MPI does with errors before it is told.
    pub error_handler: Option<OsString>,
    /// Lines begin with their rank.
    pub tag: bool,
    /// Lines begin with this.
    pub prefix: Option<OsString>,
    /// Lines begin with the time.
    pub timestamp: bool,
    /// Where standard output goes.
    pub out_file: Option<OsString>,
    /// Where standard error goes.
    pub err_file: Option<OsString>,
    /// A folder for both.
    pub output_folder: Option<OsString>,
    /// Both are one.
    pub merge: bool,
    /// How output is passed on.
    pub output: Option<OsString>,
    /// Who reads our standard input.
    pub stdin: Option<OsString>,
    /// How long the job may take.
    pub timeout: Option<OsString>,
    /// How long all tasks may wait for nothing.
    pub hang_timeout: Option<OsString>,
    /// What happens when a task fails.
    pub on_failure: Option<OsString>,
    /// All exit codes are told.
    pub exit_codes: bool,
    /// What is shown at the start.
    pub display: Vec<OsString>,
    /// The report as JSON.
    pub json: bool,
    /// The report in a file.
    pub report: Option<OsString>,
    /// Nothing is told.
    pub quiet: bool,
    /// Everything is told.
    pub verbose: bool,
    /// Programs are copied.
    pub stage: bool,
    /// A file with the rest of the line.
    pub config: Option<OsString>,
    /// The line is explained, nothing runs.
    pub explain: bool,
    /// Help is wanted.
    pub help: bool,
    /// Our version is wanted.
    pub version: bool,
    /// The first option that is for the whole job.
    pub of_the_job: Option<String>,
    /// Options without effect, as typed.
    pub without_effect: Vec<String>,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Notes the value of an option that has one.
pub fn once(slot: &mut Option<OsString>, value: OsString) -> Result<(), Twice> {
    match slot.replace(value.clone()) {
        Some(first) if first != value => Err(Twice {
            first,
            second: value,
        }),
        _ => Ok(()),
    }
}

/// Notes one of many.
pub fn many(list: &mut Vec<OsString>, value: OsString) -> Result<(), Twice> {
    list.push(value);
    Ok(())
}

/// Notes that something is wanted.
pub fn on(slot: &mut bool) -> Result<(), Twice> {
    *slot = true;
    Ok(())
}

/// Notes what tasks get of our variables; the last word counts.
pub fn inherit(slot: &mut Option<Inherited>, what: Inherited) -> Result<(), Twice> {
    *slot = Some(what);
    Ok(())
}
