//! `pvm run`: start a job, pass its output on, tell how it ended.

pub mod assembler;
pub mod outbox;
pub mod tail;
pub mod verdict;
pub mod waiting;

use super::high::{self, MeaningError, Plan};
use super::low;
use super::normal::{self, SpellingError, Words};
use clap::{Args, Command, FromArgMatches};
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
    let command = Command::new("run")
        .bin_name("pvm run")
        .about("Run a program as a job of N tasks");
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
