//! `pvm kill`: a signal to tasks and jobs.

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::nearest::{hint, nearest};
use super::{failure, low, say, signal};
use pvm::ids::{JobId, TaskId};
use pvm::session::LinkError;
use pvm::wire::control::{Kill, to_daemon};
use serde_json::json;
use std::ffi::{OsStr, OsString};

/// A line that is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    /// Neither a task nor a job.
    #[error("'{0}' is neither a task (t40003) nor a job (j2); see: pvm ps")]
    Target(String),
    /// Not a signal.
    #[error("'{typed}' is no signal{}; for example: -s TERM", hint(*.near))]
    Signal {
        /// As typed.
        typed: String,
        /// The nearest that is one.
        near: Option<&'static str>,
    },
}

/// What gets the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Task(TaskId),
    Job(JobId),
}

/// `pvm kill -9 t40001`, as kill(1) has it: the signal becomes `--signal=9`.
pub fn with_signal_words(words: &[OsString]) -> Vec<OsString> {
    let as_option = |word: &OsString| {
        let name = word.to_str()?.strip_prefix('-')?;
        signal::parse(name)?;
        Some(OsString::from(format!("--signal={name}")))
    };
    words
        .iter()
        .map(|word| as_option(word).unwrap_or_else(|| word.clone()))
        .collect()
}

fn target(word: &OsStr) -> Result<Target, KillError> {
    let text = word.to_string_lossy();
    let task = || {
        text.starts_with('t')
            .then(|| text.parse().ok().map(Target::Task))
            .flatten()
    };
    let job = || {
        text.starts_with('j')
            .then(|| text.parse().ok().map(Target::Job))
            .flatten()
    };
    task()
        .or_else(job)
        .ok_or_else(|| KillError::Target(text.into_owned()))
}

fn signal_number(word: Option<&OsStr>) -> Result<i32, KillError> {
    let Some(word) = word else {
        return Ok(libc::SIGTERM);
    };
    let typed = word.to_string_lossy().into_owned();
    let bare = typed.to_ascii_uppercase();
    let near = || nearest(bare.strip_prefix("SIG").unwrap_or(&bare), signal::names());
    signal::parse(&typed).ok_or_else(|| KillError::Signal {
        near: near(),
        typed: typed.clone(),
    })
}

/// Does `pvm kill`.
///
/// # Errors
/// When no daemon answers.
pub fn main(typed: &low::Kill) -> Result<Exit, Trouble> {
    let targets: Result<Vec<Target>, _> = typed.targets.iter().map(|word| target(word)).collect();
    let (targets, signal) = match (targets, signal_number(typed.signal.as_deref())) {
        (Ok(targets), Ok(signal)) => (targets, signal),
        (Err(error), _) | (_, Err(error)) => {
            say::error("pvm kill", &error.to_string());
            return Ok(Exit::Usage);
        }
    };
    let mut connection = connect::existing()?;
    let mut exit = Exit::Success;
    let mut results = Vec::with_capacity(targets.len());
    for (target, word) in targets.into_iter().zip(&typed.targets) {
        let request = match target {
            Target::Task(task) => Kill {
                task: task.bits(),
                job: 0,
                signal,
                ..Kill::default()
            },
            Target::Job(job) => Kill {
                task: 0,
                job: job.0,
                signal,
                ..Kill::default()
            },
        };
        let refusal = match connection.link.call(to_daemon::Body::Kill(request)) {
            Ok(_) => None,
            Err(LinkError::Refused(failure)) => Some(failure::one_line(&failure)),
            Err(error) => return Err(error.into()),
        };
        if let Some(line) = &refusal {
            exit = Exit::Refused;
            if !typed.json {
                say::error("pvm kill", line);
            }
        }
        results.push(json!({ "target": word.to_string_lossy(), "signal": signal::name(signal), "error": refusal }));
    }
    match typed.json {
        true if exit == Exit::Success => Ok(say::json(&results.into())),
        true => {
            say::json(&results.into());
            Ok(exit)
        }
        false => Ok(exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_signals_are_read() {
        assert_eq!(target(OsStr::new("j2")), Ok(Target::Job(JobId(2))));
        assert_eq!(
            target(OsStr::new("t40003")),
            Ok(Target::Task(TaskId::new(1, 1, 3).unwrap()))
        );
        for bad in ["", "2", "40003", "x1", "j", "t0"] {
            assert!(target(OsStr::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(signal_number(None), Ok(15));
        assert_eq!(signal_number(Some(OsStr::new("sigkill"))), Ok(9));
        let error = signal_number(Some(OsStr::new("TREM"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "'TREM' is no signal (did you mean 'TERM'?); for example: -s TERM"
        );
    }

    #[test]
    fn signals_may_be_written_as_options() {
        let words: Vec<OsString> = ["-9", "j2", "-USR1", "--json", "-s"]
            .map(OsString::from)
            .into();
        let read = with_signal_words(&words);
        assert_eq!(read, ["--signal=9", "j2", "--signal=USR1", "--json", "-s"]);
    }
}
