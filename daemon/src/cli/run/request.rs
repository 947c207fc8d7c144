//! The request that starts a job: the plan together with what this process has.

use super::feed;
use crate::cli::high::{App, OnFailure, Plan, Stdin};
use pvm::settings;
use pvm::wire::control::{self, FailurePolicy, Launch, Run, StdinPolicy};
use rustix::fs::Mode;
use rustix::process::umask;
use rustix::termios::tcgetwinsize;
use std::collections::HashMap;
use std::path::Path;

/// Why a job cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The current directory has no name.
    #[error("cannot tell the current directory: {0}; go to one that exists: cd")]
    Here(std::io::Error),
    /// Paths travel as text.
    #[error("the current directory '{0}' is not valid UTF-8; start from another one")]
    NotText(String),
}

/// The request for a plan.
///
/// # Errors
/// When the current directory cannot be told.
pub fn request(plan: &Plan) -> Result<Run, RequestError> {
    let here = std::env::current_dir().map_err(RequestError::Here)?;
    let not_text = || RequestError::NotText(here.to_string_lossy().into_owned());
    let directory = here.to_str().ok_or_else(not_text)?.to_owned();
    let (stdin, stdin_rank) = match feed::effective(plan.stdin) {
        Stdin::None => (StdinPolicy::StdinNone, 0),
        Stdin::Rank(rank) => (StdinPolicy::StdinOne, rank),
        Stdin::All => (StdinPolicy::StdinAll, 0),
    };
    let on_failure = match plan.on_failure {
        OnFailure::Kill => FailurePolicy::FailureKill,
        OnFailure::Continue => FailurePolicy::FailureContinue,
    };
    Ok(Run {
        launch: Some(Launch {
            apps: plan.apps.iter().map(|app| message(app, &here)).collect(),
            environment: environment(),
            directory,
            umask: current_umask(),
        }),
        stdin: stdin.into(),
        stdin_rank,
        on_failure: on_failure.into(),
        timeout_ms: plan.timeout.map_or(0, |timeout| timeout.as_millis() as u64),
    })
}

fn message(app: &App, here: &Path) -> control::App {
    // Both are text, so is the joined path.
    let absolute = |dir: &String| here.join(dir).to_string_lossy().into_owned();
    control::App {
        count: app.count,
        program: app.program.clone(),
        arguments: app.arguments.clone(),
        extra_environment: app.environment.iter().cloned().collect(),
        directory: app.directory.as_ref().map(absolute).unwrap_or_default(),
    }
}

/// Our whole environment, and how wide our terminal is if stderr is one, for progress bars; what is
/// not text cannot travel and stays here.
fn environment() -> HashMap<String, String> {
    let width = tcgetwinsize(std::io::stderr())
        .ok()
        .filter(|size| size.ws_col > 0);
    let width = width.map(|size| (settings::TERMINAL.to_owned(), size.ws_col.to_string()));
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).chain(width).collect()
}

/// It can only be read by setting it.
fn current_umask() -> u32 {
    let mask = umask(Mode::empty());
    umask(mask);
    mask.bits()
}
