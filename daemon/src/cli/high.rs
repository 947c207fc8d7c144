//! What a `pvm run` line means: typed text becomes numbers, paths and policies.

use super::nearest::nearest;
use super::{low, placing};
use crate::launch::problem::HostsError;
use crate::launch::spec::HostSpec;
use pvm::limits::TASKS_PER_LAUNCH_MAX;
use pvm::wire::control::Placement;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// A job to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The programs; ranks are numbered through them in order.
    pub apps: Vec<App>,
    /// Who reads our standard input.
    pub stdin: Stdin,
    /// What happens when a task fails.
    pub on_failure: OnFailure,
    /// How long the job may take.
    pub timeout: Option<Duration>,
    /// How output is passed on.
    pub output: Output,
    /// The final report as JSON on stderr.
    pub json: bool,
    /// The final report as JSON in a file.
    pub report: Option<PathBuf>,
    /// How much we say.
    pub voice: Voice,
    /// Programs are copied to hosts that do not have them.
    pub stage: bool,
}

impl Plan {
    /// Number of tasks of the job.
    pub fn size(&self) -> u32 {
        self.apps.iter().map(|app| app.count).sum()
    }
}

/// One program of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Number of tasks.
    pub count: u32,
    /// As typed.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables set for it, over the environment that all get: `NAME=value`, or `NAME` as it is here.
    pub environment: Vec<OsString>,
    /// Working directory, if it has its own; may be relative to ours.
    pub directory: Option<OsString>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Whole lines; each with its rank in front when `tag` is set.
    Lines {
        /// Whether lines begin with their rank.
        tag: bool,
    },
    /// Bytes as they come.
    Raw,
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

/// A line that was read and makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// No program.
    #[error("no program is named{}", part(.0))]
    NoProgram(Option<usize>),
    /// A value that its option does not know.
    #[error("'{value}' is not a value of {option}: {expected}")]
    Value {
        /// With its dashes.
        option: &'static str,
        /// As typed.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// More tasks than can be started.
    #[error("{0} tasks are asked for, a job has at most {TASKS_PER_LAUNCH_MAX}")]
    TooMany(u64),
    /// An option that is for the whole job.
    #[error("{0} is for the whole job: write it before the first program")]
    Global(&'static str),
    /// A list of hosts, or a file of them.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// Two that cannot go together.
    #[error("{0} and {1} cannot go together")]
    Conflict(&'static str, &'static str),
}

fn part(number: &Option<usize>) -> String {
    match number {
        Some(1) => " before the first ':'".to_owned(),
        Some(number) => format!(" in part {number} (after ':')"),
        None => String::new(),
    }
}

/// Splits a line into its parts between `:`. After `--` a `:` belongs to the program.
pub fn split(words: &[OsString]) -> Vec<&[OsString]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, word) in words.iter().enumerate() {
        match word.as_encoded_bytes() {
            b"--" => break,
            b":" => {
                parts.push(&words[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&words[start..]);
    parts
}

/// What the typed parts mean together.
///
/// # Errors
/// The first thing that makes no sense.
pub fn plan(parts: &[low::Run]) -> Result<Plan, MeaningError> {
    let first = parts.first().ok_or(MeaningError::NoProgram(None))?;
    let mut apps = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            refuse_global(part)?;
        }
        apps.push(app(part, (parts.len() > 1).then_some(index + 1))?);
    }
    let size: u64 = apps.iter().map(|app| u64::from(app.count)).sum();
    if size > u64::from(TASKS_PER_LAUNCH_MAX) {
        return Err(MeaningError::TooMany(size));
    }
    Ok(Plan {
        apps,
        stdin: stdin(first.stdin.as_deref(), size as u32)?,
        on_failure: on_failure(first.on_failure.as_deref())?,
        timeout: first.timeout.as_deref().map(timeout).transpose()?,
        output: output(first)?,
        json: first.json,
        report: first.report.as_ref().map(PathBuf::from),
        voice: voice(first)?,
        stage: first.stage,
    })
}

fn refuse_global(part: &low::Run) -> Result<(), MeaningError> {
    let globals = [
        (part.tag, "--tag-output"),
        (part.timeout.is_some(), "--timeout"),
        (part.stdin.is_some(), "--stdin"),
        (part.on_failure.is_some(), "--on-failure"),
        (part.output.is_some(), "--output"),
        (part.json, "--json"),
        (part.report.is_some(), "--report"),
        (part.quiet, "--quiet"),
        (part.verbose, "--verbose"),
        (part.stage, "--stage"),
    ];
    match globals.into_iter().find(|(given, _)| *given) {
        Some((_, option)) => Err(MeaningError::Global(option)),
        None => Ok(()),
    }
}

fn app(part: &low::Run, number: Option<usize>) -> Result<App, MeaningError> {
    // First, because `-n prog` takes the program for the number.
    let count = part.count.as_deref().map_or(Ok(1), count)?;
    let mut words = part.command.iter().cloned();
    let program = words
        .next()
        .filter(|word| !word.is_empty())
        .ok_or(MeaningError::NoProgram(number))?;
    let (placement, hosts) = placing::placement(part)?;
    Ok(App {
        count,
        program,
        arguments: words.collect(),
        environment: environment(&part.environment)?,
        directory: part.directory.clone(),
        placement,
        hosts,
    })
}

fn bad(option: &'static str, value: &OsStr, expected: impl Into<String>) -> MeaningError {
    let value = value.to_string_lossy().into_owned();
    MeaningError::Value {
        option,
        value,
        expected: expected.into(),
    }
}

fn count(value: &OsStr) -> Result<u32, MeaningError> {
    let number: Option<u64> = value.to_str().and_then(|text| text.parse().ok());
    match number {
        Some(number @ 1..) if number <= u64::from(TASKS_PER_LAUNCH_MAX) => Ok(number as u32),
        Some(number @ 1..) => Err(MeaningError::TooMany(number)),
        _ => Err(bad(
            "-n",
            value,
            format!("a job has 1 to {TASKS_PER_LAUNCH_MAX} tasks, for example -n 4"),
        )),
    }
}

fn environment(words: &[OsString]) -> Result<Vec<OsString>, MeaningError> {
    let mut set = Vec::with_capacity(words.len());
    for word in words {
        match word.as_encoded_bytes() {
            [] | [b'=', ..] => return Err(bad("-x", word, "NAME or NAME=VALUE")),
            // NAME alone: what it is here is found when the job is asked for.
            _ => set.push(word.clone()),
        }
    }
    Ok(set)
}

fn stdin(value: Option<&OsStr>, size: u32) -> Result<Stdin, MeaningError> {
    let Some(value) = value else {
        return Ok(Stdin::Rank(0));
    };
    match value.to_str() {
        Some("all") => return Ok(Stdin::All),
        Some("none") => return Ok(Stdin::None),
        _ => {}
    }
    let rank: Option<u32> = value.to_str().and_then(|text| text.parse().ok());
    match rank {
        Some(rank) if rank < size => Ok(Stdin::Rank(rank)),
        Some(_) => Err(bad(
            "--stdin",
            value,
            format!("this job has the ranks 0 to {}", size - 1),
        )),
        None => Err(choice(
            "--stdin",
            value,
            "a rank, 'all' or 'none'",
            &["all", "none"],
        )),
    }
}

fn on_failure(value: Option<&OsStr>) -> Result<OnFailure, MeaningError> {
    match value.map(|value| (value.to_str(), value)) {
        None | Some((Some("kill"), _)) => Ok(OnFailure::Kill),
        Some((Some("continue"), _)) => Ok(OnFailure::Continue),
        Some((_, value)) => Err(choice(
            "--on-failure",
            value,
            "'kill' or 'continue'",
            &["kill", "continue"],
        )),
    }
}

fn choice(option: &'static str, value: &OsStr, expected: &str, words: &[&str]) -> MeaningError {
    let near = nearest(&value.to_string_lossy(), words.iter().copied());
    let hint = near
        .map(|word| format!(" (did you mean '{word}'?)"))
        .unwrap_or_default();
    bad(option, value, format!("{expected}{hint}"))
}

/// Longest time limit: a thousand years, so that no sum overflows.
const TIMEOUT_MAX_S: f64 = 3.2e10;

fn timeout(value: &OsStr) -> Result<Duration, MeaningError> {
    time("--timeout", value)
}

/// Reads a time: seconds, or a number with a unit.
///
/// # Errors
/// When it is none; `option` is who had it.
pub fn time(option: &'static str, value: &OsStr) -> Result<Duration, MeaningError> {
    let expected = "a time such as 90, 2.5, 10m or 1h";
    let text = value.to_str().ok_or_else(|| bad(option, value, expected))?;
    let (digits, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1.0),
        Some(b'm') => (&text[..text.len() - 1], 60.0),
        Some(b'h') => (&text[..text.len() - 1], 3600.0),
        _ => (text, 1.0),
    };
    let seconds: f64 = digits.parse().map_err(|_| bad(option, value, expected))?;
    let seconds = seconds * unit;
    if !seconds.is_finite() || !(0.001..=TIMEOUT_MAX_S).contains(&seconds) {
        return Err(bad(option, value, expected));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn output(first: &low::Run) -> Result<Output, MeaningError> {
    match first.output.as_deref().map(|value| (value.to_str(), value)) {
        None | Some((Some("lines"), _)) => Ok(Output::Lines { tag: first.tag }),
        Some((Some("raw"), _)) if first.tag => {
            Err(MeaningError::Conflict("--tag-output", "--output=raw"))
        }
        Some((Some("raw"), _)) => Ok(Output::Raw),
        Some((_, value)) => Err(choice(
            "--output",
            value,
            "'lines' or 'raw'",
            &["lines", "raw"],
        )),
    }
}

fn voice(first: &low::Run) -> Result<Voice, MeaningError> {
    match (first.quiet, first.verbose) {
        (true, true) => Err(MeaningError::Conflict("--quiet", "--verbose")),
        (true, false) => Ok(Voice::Quiet),
        (false, true) => Ok(Voice::Verbose),
        (false, false) => Ok(Voice::Normal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn read(line: &str) -> Result<Plan, String> {
        crate::cli::run::read(&words(line)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plain_line() {
        let plan = read("hostname").unwrap();
        assert_eq!((plan.size(), plan.stdin), (1, Stdin::Rank(0)));
        assert_eq!(plan.apps[0].program, "hostname");
        assert!(!plan.stage && read("-stage prog").unwrap().stage);
        assert!(
            read("a : --stage b")
                .unwrap_err()
                .contains("--stage is for the whole job")
        );
        let plan =
            read("-n 4 -l -x A=b=c -x HOME -wdir /tmp --timeout=2m --stdin 3 prog -n 9").unwrap();
        let app = &plan.apps[0];
        assert_eq!(
            (app.count, app.arguments.join(OsStr::new(" "))),
            (4, "-n 9".into())
        );
        assert_eq!(app.environment, ["A=b=c", "HOME"]);
        assert_eq!(app.directory.as_deref(), Some(OsStr::new("/tmp")));
        assert_eq!(plan.timeout, Some(Duration::from_secs(120)));
        assert_eq!(
            (plan.stdin, plan.output),
            (Stdin::Rank(3), Output::Lines { tag: true })
        );
    }

    #[test]
    fn several_programs() {
        let plan = read("-n 1 master a : -np 3 -wdir /d worker b : last").unwrap();
        let shape: Vec<_> = plan
            .apps
            .iter()
            .map(|app| (app.count, app.program.to_str().unwrap()))
            .collect();
        assert_eq!(shape, [(1, "master"), (3, "worker"), (1, "last")]);
        let plan = read("-n 2 -- sh : -n 3").unwrap();
        assert_eq!(plan.apps[0].arguments, [":", "-n", "3"]);
    }

    #[test]
    fn lines_without_sense_say_why() {
        let cases = [
            (
                "-n 0 x",
                "'0' is not a value of -n: a job has 1 to 100000 tasks, for example -n 4",
            ),
            (
                "-n -3 x",
                "'-3' is not a value of -n: a job has 1 to 100000 tasks, for example -n 4",
            ),
            (
                "-n four x",
                "'four' is not a value of -n: a job has 1 to 100000 tasks, for example -n 4",
            ),
            (
                "-n 99999999 x",
                "99999999 tasks are asked for, a job has at most 100000",
            ),
            (
                "-n 99999 x : -n 99999 y",
                "199998 tasks are asked for, a job has at most 100000",
            ),
            ("-n 4", "no program is named"),
            ("-n 2 : b", "no program is named before the first ':'"),
            (
                "-n prog",
                "'prog' is not a value of -n: a job has 1 to 100000 tasks, for example -n 4",
            ),
            ("a : -n 2", "no program is named in part 2 (after ':')"),
            (
                "a : -l b",
                "--tag-output is for the whole job: write it before the first program",
            ),
            (
                "--stdin 4 -n 4 x",
                "'4' is not a value of --stdin: this job has the ranks 0 to 3",
            ),
            (
                "--stdin al x",
                "'al' is not a value of --stdin: a rank, 'all' or 'none' (did you mean 'all'?)",
            ),
            (
                "--timeout 0 x",
                "'0' is not a value of --timeout: a time such as 90, 2.5, 10m or 1h",
            ),
            ("-x =a x", "'=a' is not a value of -x: NAME or NAME=VALUE"),
            (
                "-l --output raw x",
                "--tag-output and --output=raw cannot go together",
            ),
            (
                "--wdri /tmp x",
                "unknown option '--wdri' (did you mean '--wdir'?)",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Err(expected.to_owned()), "{line}");
        }
    }
}
