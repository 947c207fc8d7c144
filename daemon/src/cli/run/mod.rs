//! `pvm run`: start a job, pass its output on, tell how it ended.
//!
//! # Layout
//! - [`mod@line`], `config`: the words of the line, and of files that have them
//! - pure: [`assembler`], [`prefix`] and [`outbox`] (lines), [`tail`] and [`verdict`] (the last word),
//!   [`waiting`] (words about waiting), [`hang`] (whether the job does), `job` (counts)
//! - at the edge: `hosts` (those that are to be added first), `request` (what this process has),
//!   `signals`, `sink`, `feed`, `files` (descriptors), `live` (the loop)

pub mod assembler;
mod config;
mod feed;
mod files;
pub mod hang;
mod hosts;
mod job;
pub mod line;
mod live;
pub mod outbox;
pub mod prefix;
mod request;
mod signals;
mod sink;
pub mod tail;
pub mod verdict;
pub mod waiting;

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::high;
use super::plan::{Plan, Voice};
use super::signal::name;
use super::{explain, failure, help, say};
use line::LineError;
use live::{Live, Outcome};
use pvm::settings;
use pvm::wire::control::{FailureCode, Run, StdinPolicy, to_daemon};
use serde_json::{Value, json};
use signals::Signals;
use std::ffi::OsString;

/// Attempts to find a daemon that is not just leaving.
const ATTEMPTS: usize = 3;

/// Does `pvm run` with the words after it.
pub fn main(words: &[OsString]) -> Exit {
    let mut plan = match planned(words) {
        Ok(plan) if plan.explain => return say::out(&explain::text(&plan)),
        Ok(plan) => plan,
        Err(LineError::Help) => return say::out(&help::of_run()),
        Err(LineError::Version) => return super::other("version", &[]),
        Err(error) => {
            say::error("pvm run", &format!("{error}; see: pvm run --help"));
            return Exit::Usage;
        }
    };
    let (exit, report) = match run(&mut plan) {
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

/// The plan of a line, with what our environment says where the line says nothing.
fn planned(words: &[OsString]) -> Result<Plan, LineError> {
    let mut plan = line::read(words)?;
    let limit = std::env::var_os(settings::MPIEXEC_TIMEOUT).filter(|limit| !limit.is_empty());
    if let (None, Some(limit)) = (plan.timeout, limit) {
        plan.timeout = Some(high::time(settings::MPIEXEC_TIMEOUT, &limit)?);
    }
    Ok(plan)
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

/// Settles how many tasks there are, when that depends on the hosts.
fn settle(plan: &mut Plan) -> Result<(), Trouble> {
    if !plan.is_open() {
        return Ok(());
    }
    let has_all = plan
        .apps
        .iter()
        .all(|app| !app.on_each_host || !app.hosts.is_empty());
    let hosts = match has_all {
        true => 0,
        false => hosts::count(&mut connect::or_start()?)?,
    };
    let settled = plan.settle(hosts);
    settled.map_err(|error| Trouble::Other(error.to_string()))
}

fn run(plan: &mut Plan) -> Result<Outcome, Trouble> {
    settle(plan)?;
    let quiet = plan.voice == Voice::Quiet;
    let mut outcome = attempt(plan, quiet, true)?;
    for _ in 1..ATTEMPTS {
        let Outcome::Leaving(connection) = outcome else {
            return Ok(outcome);
        };
        connect::aloud("pvm run", quiet, "the old daemon to leave", || {
            connect::see_off(*connection)
        });
        outcome = attempt(plan, quiet, false)?;
    }
    Ok(outcome)
}

/// What is worth knowing before anything starts.
fn tell_beforehand(plan: &Plan, request: &Run) {
    if plan.voice != Voice::Quiet {
        let strangers = request::strangers(request);
        strangers
            .iter()
            .for_each(|line| say::error("pvm run", line));
    }
    if plan.voice == Voice::Verbose && !plan.without_effect.is_empty() {
        let line = format!("without effect here: {}", plan.without_effect.join(" "));
        say::error("pvm run", &line);
    }
}

fn attempt(plan: &Plan, quiet: bool, is_first: bool) -> Result<Outcome, Trouble> {
    // Only programs that are to be copied are read.
    let is_told = plan.stage && !quiet;
    let request = connect::aloud("pvm run", !is_told, "the programs to be read", || {
        request::request(plan)
    });
    let mut request = request.map_err(|error| Trouble::Other(error.to_string()))?;
    if is_first {
        tell_beforehand(plan, &request);
    }
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
