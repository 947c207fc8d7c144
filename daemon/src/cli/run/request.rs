//! The request that starts a job: the plan together with what this process has.

use super::feed;
use crate::cli::high::{App, OnFailure, Plan, Stdin};
use crate::host::program;
use crate::host::stage::{self, StageError};
use pvm::session::{own_environment, own_umask, split_variable, variable};
use pvm::settings;
use pvm::wire::control::{self, FailurePolicy, Launch, Run, StagedFile, StdinPolicy};
use rustix::termios::tcgetwinsize;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Why a job cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The current directory has no name.
    #[error("cannot tell the current directory: {0}; go to one that exists: cd")]
    Here(std::io::Error),
    /// A program cannot be copied.
    #[error("cannot copy '{}': {why}; start without --stage where it is on all hosts", program.display())]
    Stage {
        /// As typed.
        program: OsString,
        /// Why.
        why: StageError,
    },
}

/// The request for a plan.
///
/// # Errors
/// When the current directory cannot be told, or a program cannot be read that is to be copied.
pub fn request(plan: &Plan) -> Result<Run, RequestError> {
    let here = std::env::current_dir().map_err(RequestError::Here)?;
    let (stdin, stdin_rank) = match feed::effective(plan.stdin) {
        Stdin::None => (StdinPolicy::StdinNone, 0),
        Stdin::Rank(rank) => (StdinPolicy::StdinOne, rank),
        Stdin::All => (StdinPolicy::StdinAll, 0),
    };
    let on_failure = match plan.on_failure {
        OnFailure::Kill => FailurePolicy::FailureKill,
        OnFailure::Continue => FailurePolicy::FailureContinue,
    };
    let environment = environment();
    let message = |app: &App| -> Result<control::App, RequestError> {
        let mut message = message(app, &here);
        if plan.stage {
            message.staged = staged(&message, &environment, &here)?;
        }
        Ok(message)
    };
    let apps = plan.apps.iter().map(message).collect::<Result<_, _>>()?;
    Ok(Run {
        launch: Some(Launch {
            apps,
            environment,
            directory: here.into_os_string().into_vec(),
            umask: own_umask(),
            placement: None,
        }),
        stdin: stdin.into(),
        stdin_rank,
        on_failure: on_failure.into(),
        timeout_ms: plan.timeout.map_or(0, |timeout| timeout.as_millis() as u64),
    })
}

fn message(app: &App, here: &Path) -> control::App {
    let absolute = |dir: &OsString| here.join(dir).into_os_string().into_vec();
    control::App {
        count: app.count,
        program: app.program.clone().into_vec(),
        arguments: app
            .arguments
            .iter()
            .cloned()
            .map(OsString::into_vec)
            .collect(),
        extra_environment: app.environment.iter().filter_map(given).collect(),
        directory: app.directory.as_ref().map(absolute).unwrap_or_default(),
        placement: app.placement.clone(),
        staged: None,
    }
}

/// A variable that was given for a program; none: it is not set here.
fn given(word: &OsString) -> Option<Vec<u8>> {
    match word.as_bytes().contains(&b'=') {
        true => Some(word.clone().into_vec()),
        false => Some(variable(word, std::env::var_os(word)?)),
    }
}

/// What other hosts need to get a program; `None`: it is not here either, which is told where it is
/// looked for in vain.
fn staged(
    app: &control::App,
    environment: &[Vec<u8>],
    here: &Path,
) -> Result<Option<StagedFile>, RequestError> {
    let variables = environment.iter().chain(&app.extra_environment);
    let pairs = variables.filter_map(|it| split_variable(it));
    let variables = pairs.map(|(name, value)| (name.to_vec(), value.to_vec()));
    let directory = here.join(OsStr::from_bytes(&app.directory));
    let program = OsStr::from_bytes(&app.program);
    let Ok(path) = program::find(program, &directory, &variables.collect()) else {
        return Ok(None);
    };
    let measured = stage::measure(&path).map_err(|why| RequestError::Stage {
        program: program.to_owned(),
        why,
    });
    measured.map(Some)
}

/// Our whole environment, and how wide our terminal is if stderr is one, for progress bars.
fn environment() -> Vec<Vec<u8>> {
    let width = tcgetwinsize(std::io::stderr())
        .ok()
        .filter(|size| size.ws_col > 0);
    let width = width.map(|size| variable(settings::TERMINAL, size.ws_col.to_string()));
    own_environment().into_iter().chain(width).collect()
}
