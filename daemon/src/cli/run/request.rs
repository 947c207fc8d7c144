//! The request that starts a job: the plan together with what this process has.

use super::feed;
use crate::cli::plan::{App, OnFailure, Plan, Stdin};
use crate::host::stage::{self, StageError};
use crate::host::{foreign, program};
use pvm::session::{own_environment, own_umask, variable};
use pvm::settings;
use pvm::wire::control::{self, FailurePolicy, Launch, Run, StagedFile, StdinPolicy};
use rustix::termios::tcgetwinsize;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

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
    let message = |(number, app): (usize, &App)| -> Result<control::App, RequestError> {
        let mut message = message(app, number, &here, plan.on_failure);
        if let (true, Some(path)) = (plan.stage, find(&message, &environment, &here)) {
            message.staged = Some(staged(&app.program, &path)?);
        }
        Ok(message)
    };
    let apps = plan
        .apps
        .iter()
        .enumerate()
        .map(message)
        .collect::<Result<_, _>>()?;
    let mut launch = Launch {
        apps,
        environment,
        directory: here.into_os_string().into_vec(),
        umask: own_umask(),
        binding: plan.binding.clone(),
        ..Launch::default()
    };
    share_placement(&mut launch);
    Ok(Run {
        launch: Some(launch),
        stdin: stdin.into(),
        stdin_rank,
        on_failure: on_failure.into(),
        timeout_ms: plan.timeout.map_or(0, |timeout| timeout.as_millis() as u64),
    })
}

/// When all programs go to the same hosts in the same way, the later ones go on where the earlier ended.
fn share_placement(launch: &mut Launch) {
    let mut placements = launch.apps.iter().map(|app| &app.placement);
    let Some(first) = placements.next().cloned().flatten() else {
        return;
    };
    if placements.all(|other| other.as_ref() == Some(&first)) {
        launch.apps.iter_mut().for_each(|app| app.placement = None);
        launch.placement = Some(first);
    }
}

fn message(app: &App, number: usize, here: &Path, on_failure: OnFailure) -> control::App {
    let absolute = |dir: &OsString| here.join(dir).into_os_string().into_vec();
    let mut variables: Vec<Vec<u8>> = app.environment.iter().filter_map(given).collect();
    if on_failure == OnFailure::Continue {
        variables.push(variable(settings::ON_FAILURE, "continue"));
    }
    variables.push(variable(settings::APP, number.to_string()));
    control::App {
        count: app.count,
        program: app.program.clone().into_vec(),
        arguments: app
            .arguments
            .iter()
            .cloned()
            .map(OsString::into_vec)
            .collect(),
        extra_environment: variables,
        directory: app.directory.as_ref().map(absolute).unwrap_or_default(),
        placement: app.placement.clone(),
        staged: None,
        path: app.path.clone().unwrap_or_default().into_vec(),
        bare: app.bare,
    }
}

/// A variable that was given for a program; none: it is not set here.
fn given(word: &OsString) -> Option<Vec<u8>> {
    match word.as_bytes().contains(&b'=') {
        true => Some(word.clone().into_vec()),
        false => Some(variable(word, std::env::var_os(word)?)),
    }
}

/// A program as it is here; `None`: it is not here, which is told where it is looked for in vain.
fn find(app: &control::App, environment: &[Vec<u8>], here: &Path) -> Option<PathBuf> {
    let directory = here.join(OsStr::from_bytes(&app.directory));
    let folders = program::folders(environment, app);
    program::find(
        OsStr::from_bytes(&app.program),
        &directory,
        folders.as_deref(),
    )
    .ok()
}

/// What other hosts need to get a program.
fn staged(typed: &OsStr, path: &Path) -> Result<StagedFile, RequestError> {
    stage::measure(path).map_err(|why| RequestError::Stage {
        program: typed.to_owned(),
        why,
    })
}

/// Programs of a request that are here and linked with the library of another MPI: a line about each.
pub fn strangers(run: &Run) -> Vec<String> {
    let Some(launch) = &run.launch else {
        return Vec::new();
    };
    let here = Path::new(OsStr::from_bytes(&launch.directory));
    let mut lines = Vec::new();
    for app in &launch.apps {
        let found = find(app, &launch.environment, here);
        let inherited = launch.environment.iter().filter(|_| !app.bare);
        let all = inherited.chain(&app.extra_environment);
        let folders = program::value(all, settings::LD_LIBRARY_PATH).unwrap_or_default();
        let library = found.and_then(|path| foreign::library(&path, folders));
        if let Some(library) = library {
            let line = format!(
                "'{}' is linked with {}, {}: each of its tasks will say that it is rank 0 of 1; start it with the mpiexec of that MPI, or link it with this one",
                String::from_utf8_lossy(&app.program),
                library.path.display(),
                library.kind
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Our whole environment, and how wide our terminal is if stderr is one, for progress bars.
fn environment() -> Vec<Vec<u8>> {
    let width = tcgetwinsize(std::io::stderr())
        .ok()
        .filter(|size| size.ws_col > 0);
    let width = width.map(|size| variable(settings::TERMINAL, size.ws_col.to_string()));
    own_environment().into_iter().chain(width).collect()
}
