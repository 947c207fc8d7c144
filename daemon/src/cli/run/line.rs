//! The words after `pvm run`, and those of `-configfile`: what was typed, part by part.

use super::config::{self, ConfigError};
use crate::cli::flags::typed::Run;
use crate::cli::flags::{self, Flag, Noted};
use crate::cli::high::{self, MeaningError};
use crate::cli::normal::{self, Item, Known, SpellingError, Words};
use crate::cli::plan::Plan;
use std::ffi::OsString;
use std::path::Path;

/// A line that is not a job.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// An option is unknown or wrongly spelled.
    #[error(transparent)]
    Spelling(#[from] SpellingError),
    /// An option is refused, or given twice.
    #[error(transparent)]
    Noted(#[from] Noted),
    /// A value makes no sense.
    #[error(transparent)]
    Meaning(#[from] MeaningError),
    /// The file of programs cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A line of that file makes no sense.
    #[error("{place}:{line}: {error}")]
    InConfig {
        /// The file.
        place: String,
        /// Its line.
        line: usize,
        /// What is wrong.
        error: Box<LineError>,
    },
    /// A program beside that file.
    #[error("'{}' stands beside -configfile: write it into the file", .0.to_string_lossy())]
    BesideConfig(OsString),
    /// Help is asked for.
    #[error("help is asked for")]
    Help,
    /// The version is asked for.
    #[error("the version is asked for")]
    Version,
}

/// Reads the words after `pvm run`.
///
/// # Errors
/// The first thing that makes no sense, or a request for help.
pub fn read(words: &[OsString]) -> Result<Plan, LineError> {
    let reader = Reader::new();
    let mut parts = Vec::new();
    for words in high::split(words) {
        let part = reader.part(words, Run::default())?;
        match &part.config {
            None => parts.push(part),
            Some(_) => parts.extend(reader.config(part)?),
        }
    }
    Ok(high::plan(&parts)?)
}

struct Reader {
    flags: Vec<&'static Flag>,
    known: Vec<Known<'static>>,
}

impl Reader {
    fn new() -> Self {
        let flags: Vec<_> = flags::all().collect();
        let known = flags.iter().map(|flag| flag.known()).collect();
        Self { flags, known }
    }

    /// Notes the words of one part over what is noted already.
    fn part(&self, words: &[OsString], mut run: Run) -> Result<Run, LineError> {
        for item in normal::read(&self.known, Words::EndOptions, words)? {
            match item {
                Item::Option { at, typed, values } => {
                    self.flags[at].note(&mut run, &typed, values)?
                }
                Item::Word(word) => run.command.push(word),
                Item::Dashes => {}
            }
            if run.help {
                return Err(LineError::Help);
            }
            if run.version {
                return Err(LineError::Version);
            }
        }
        Ok(run)
    }

    /// The parts of a file; what was typed beside it is for its first line.
    fn config(&self, mut beside: Run) -> Result<Vec<Run>, LineError> {
        let file = beside.config.take().unwrap_or_default();
        if let Some(program) = beside.command.first() {
            return Err(LineError::BesideConfig(program.clone()));
        }
        let mut parts = Vec::new();
        for config::Line { number, words } in config::read(Path::new(&file))? {
            let wrong = |error| LineError::InConfig {
                place: file.to_string_lossy().into_owned(),
                line: number,
                error: Box::new(error),
            };
            for words in high::split(&words) {
                let part = self
                    .part(words, std::mem::take(&mut beside))
                    .map_err(wrong)?;
                if part.config.is_some() {
                    return Err(wrong(ConfigError::Nested.into()));
                }
                high::check(&part).map_err(|error| wrong(error.into()))?;
                parts.push(part);
            }
        }
        Ok(parts)
    }
}
