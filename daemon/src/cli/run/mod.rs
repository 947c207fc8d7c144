//! `pvm run`: start a job, pass its output on, tell how it ended.
//!
//! # Layout
//! - pure: [`assembler`] and [`outbox`] (lines), [`tail`] and [`verdict`] (the last word),
//!   [`waiting`] (words about waiting), `job` (counts)
//! - at the edge: `hosts` (those that are to be added first), `request` (what this process has),
//!   `signals`, `sink`, `feed` (descriptors), `live` (the loop)

pub mod assembler;
mod feed;
mod hosts;
mod job;
mod live;
pub mod outbox;
mod request;
mod signals;
mod sink;
pub mod tail;
pub mod verdict;
pub mod waiting;

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::high::{self, MeaningError, Plan, Voice};
use super::normal::{self, SpellingError, Words};
use super::signal::name;
use super::{failure, low, say};
use clap::{Args, Command, FromArgMatches};
use live::{Live, Outcome};
use pvm::wire::control::{FailureCode, StdinPolicy, to_daemon};
use serde_json::{Value, json};
use signals::Signals;
use std::ffi::OsString;

/// A line that is not a job.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// An option is unknown or wrongly spelled.
    #[error(transparent)]
    Spelling(#[from] SpellingError),
    /// A value makes no sense.
    #[error(transparent)]
    Meaning(#[from] MeaningError),
    /// Help is asked for, or clap found what we did not.
    #[error("{0}")]
    Clap(#[from] clap::Error),
}

/// The options of `pvm run`.
pub fn command() -> Command {
    let command = Command::new("run").bin_name("pvm run");
    low::Run::augment_args(command)
}

/// Reads the words after `pvm run`.
///
/// # Errors
/// The first thing that makes no sense, or a request for help.
pub fn read(words: &[OsString]) -> Result<Plan, LineError> {
    let command = command();
    let mut parts = Vec::new();
    for part in high::split(words) {
        let spelled = normal::normalise(&command, Words::EndOptions, part)?;
        let words = std::iter::once(OsString::from("pvm run")).chain(spelled);
        let matches = command.clone().try_get_matches_from(words)?;
        parts.push(low::Run::from_arg_matches(&matches)?);
    }
    Ok(high::plan(&parts)?)
}

/// Attempts to find a daemon that is not just leaving.
const ATTEMPTS: usize = 3;

/// Does `pvm run` with the words after it.
pub fn main(words: &[OsString]) -> Exit {
    let plan = match read(words) {
        Ok(plan) => plan,
        Err(LineError::Clap(error)) => return say::clap_error("pvm run", &error),
        Err(error) => {
            say::error("pvm run", &format!("{error}; see: pvm run --help"));
            return Exit::Usage;
        }
    };
    let (exit, report) = match run(&plan) {
        Ok(Outcome::Judged(verdict)) => (verdict.exit, verdict.json),
        Ok(Outcome::Abandoned(exit)) => return exit,
        Ok(Outcome::Interrupted(signal)) => {
            let line = format!("ended by {} while the job was being started", name(signal));
            not_started(&plan, Exit::Signal(signal), &line)
        }
        Ok(Outcome::NotStarted(trouble)) | Err(trouble) => {
            not_started(&plan, exit_of(&trouble), &trouble.to_string())
        }
        Ok(Outcome::Leaving(_)) => {
            let line = "the virtual machine is being halted; wait until it is gone, then run the command again";
            not_started(&plan, Exit::Ours, line)
        }
    };
    match write_report(&plan, &report) {
        Ok(()) => exit,
        Err(line) => {
            say::error("pvm run", &line);
            if exit == Exit::Success {
                Exit::Ours
            } else {
                exit
            }
        }
    }
}

fn exit_of(trouble: &Trouble) -> Exit {
    match trouble {
        Trouble::Refused(failure) => failure::exit_of_run(failure),
        _ => Exit::Ours,
    }
}

/// Says why there is no job. Returns the exit code and the report.
fn not_started(plan: &Plan, exit: Exit, line: &str) -> (Exit, Value) {
    let report = json!({ "result": "not-started", "exit_code": exit.code(), "error": line });
    match plan.json {
        true => say::raw(&report.to_string()),
        false => line.lines().for_each(|line| say::error("pvm run", line)),
    }
    (exit, report)
}

fn write_report(plan: &Plan, report: &Value) -> Result<(), String> {
    let Some(path) = &plan.report else {
        return Ok(());
    };
    std::fs::write(path, format!("{report}\n")).map_err(|error| {
        format!(
            "cannot write the report to {}: {error}; name another file with --report",
            path.display()
        )
    })
}

fn run(plan: &Plan) -> Result<Outcome, Trouble> {
    let quiet = plan.voice == Voice::Quiet;
    let mut outcome = attempt(plan, quiet)?;
    for _ in 1..ATTEMPTS {
        let Outcome::Leaving(connection) = outcome else {
            return Ok(outcome);
        };
        connect::aloud("pvm run", quiet, "the old daemon to leave", || {
            connect::see_off(*connection)
        });
        outcome = attempt(plan, quiet)?;
    }
    Ok(outcome)
}

fn attempt(plan: &Plan, quiet: bool) -> Result<Outcome, Trouble> {
    // Only programs that are to be copied are read.
    let is_told = plan.stage && !quiet;
    let request = connect::aloud("pvm run", !is_told, "the programs to be read", || {
        request::request(plan)
    });
    let mut request = request.map_err(|error| Trouble::Other(error.to_string()))?;
    let mut connection = connect::aloud(
        "pvm run",
        quiet,
        "the daemon of this host to start and answer",
        connect::or_start,
    )?;
    match hosts::see_to(plan, &mut connection, &mut request) {
        Err(Trouble::Refused(failure)) if failure.code() == FailureCode::FailureEnding => {
            return Ok(Outcome::Leaving(Box::new(connection)));
        }
        settled => settled?,
    }
    let signals = Signals::take_over()
        .map_err(|error| Trouble::Other(format!("cannot watch for signals: {error}")))?;
    // Ours, for one rank to read itself.
    let stdin = rustix::stdio::stdin();
    let fds = match request.stdin() {
        StdinPolicy::StdinOne => &[stdin][..],
        _ => &[],
    };
    let ticket = connection.link.start(to_daemon::Body::Run(request), fds)?;
    Live::new(plan, connection, ticket, signals).run()
}
