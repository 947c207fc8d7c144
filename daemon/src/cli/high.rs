//! What a `pvm run` line means: typed text becomes numbers, paths and policies.

use super::flags::typed::Run;
use super::nearest::{hint, nearest};
use super::plan::{App, OnFailure, Plan, Stdin, Told, Voice};
use super::soft::soft;
use super::{binding, passing, placing, variables};
use crate::launch::problem::HostsError;
use pvm::limits::TASKS_PER_LAUNCH_MAX;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

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
    /// A value that is known and not done.
    #[error("{option} {value}: {why}")]
    NotDone {
        /// With its dashes.
        option: &'static str,
        /// As typed.
        value: String,
        /// Why, and what to write.
        why: &'static str,
    },
    /// More tasks than can be started.
    #[error("{0} tasks are asked for, a job has at most {TASKS_PER_LAUNCH_MAX}")]
    TooMany(u64),
    /// No number that is asked for is good.
    #[error("-soft has no number from 1 to {0}: write one that is not larger than -n")]
    Soft(u32),
    /// An option that is for the whole job.
    #[error("{0} is for the whole job: write it before the first program")]
    Global(String),
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
pub fn plan(parts: &[Run]) -> Result<Plan, MeaningError> {
    let first = parts.first().ok_or(MeaningError::NoProgram(None))?;
    let later = parts.iter().skip(1);
    if let Some(option) = later.filter_map(|part| part.of_the_job.clone()).next() {
        return Err(MeaningError::Global(option));
    }
    // First, because an option that lacks its value takes the program for it.
    let display = display(first)?;
    launcher(first.launcher.as_deref())?;
    let passing = passing::passing(first)?;
    let binding = binding::binding(first, display.bindings)?;
    let on_failure = on_failure(first.on_failure.as_deref())?;
    let limit = |option, value: &Option<OsString>| {
        let value = value.as_deref();
        value.map(|value| time(option, value)).transpose()
    };
    let timeout = limit("--timeout", &first.timeout)?;
    let hang_timeout = limit("--hang-timeout", &first.hang_timeout)?;
    stdin(first.stdin.as_deref(), None)?;
    let given = variables::of_all(parts)?;
    let mut apps = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let number = (parts.len() > 1).then_some(index + 1);
        apps.push(app(part, first, &given, number)?);
    }
    let size = apps.iter().map(|app| u64::from(app.count)).sum();
    check_size(size)?;
    let is_open = apps.iter().any(|app| app.on_each_host);
    let ranks = (!is_open).then_some(size as u32);
    Ok(Plan {
        apps,
        binding,
        stdin: stdin(first.stdin.as_deref(), ranks)?,
        on_failure,
        timeout,
        hang_timeout,
        json: first.json,
        report: first.report.as_ref().map(PathBuf::from),
        voice: voice(first)?,
        stage: first.stage,
        explain: first.explain,
        without_effect: parts
            .iter()
            .flat_map(|part| part.without_effect.clone())
            .collect(),
        told: Told {
            map: display.map,
            exit_codes: first.exit_codes,
        },
        output: passing.output,
        merge: passing.merge,
        files: passing.files,
    })
}

/// Whether what is said of one program makes sense by itself.
///
/// # Errors
/// The first thing that does not.
pub fn check(part: &Run) -> Result<(), MeaningError> {
    app(part, part, &variables::Given::default(), None).map(|_| ())
}

/// Refuses more tasks than a job can have.
pub(super) fn check_size(size: u64) -> Result<(), MeaningError> {
    match size > u64::from(TASKS_PER_LAUNCH_MAX) {
        true => Err(MeaningError::TooMany(size)),
        false => Ok(()),
    }
}

fn app(
    part: &Run,
    first: &Run,
    given: &variables::Given,
    number: Option<usize>,
) -> Result<App, MeaningError> {
    let count = part.count.as_deref().map(count).transpose()?;
    let placed = placing::placement(part, first)?;
    let mut words = part.command.iter().cloned();
    let program = words
        .next()
        .filter(|word| !word.is_empty())
        .ok_or(MeaningError::NoProgram(number))?;
    let per_host = placed.per_host.filter(|_| count.is_none());
    let count = match &part.soft {
        Some(list) => soft(list, count)?,
        None => count.or(per_host).unwrap_or(1),
    };
    let (environment, bare) = variables::of_one(part, given)?;
    Ok(App {
        count,
        on_each_host: per_host.is_some() && part.soft.is_none(),
        program,
        arguments: words.collect(),
        environment,
        bare,
        directory: part.directory.clone(),
        path: part.path.clone(),
        placement: placed.placement,
        hosts: placed.hosts,
    })
}

/// Says that a value is none of its option's.
pub(super) fn bad(
    option: &'static str,
    value: &OsStr,
    expected: impl Into<String>,
) -> MeaningError {
    let value = value.to_string_lossy().into_owned();
    MeaningError::Value {
        option,
        value,
        expected: expected.into(),
    }
}

/// The same, where it should be one of some words.
pub(super) fn choice(
    option: &'static str,
    value: &OsStr,
    expected: &str,
    words: &[&str],
) -> MeaningError {
    let hint = hint(nearest(&value.to_string_lossy(), words.iter().copied()));
    bad(option, value, format!("{expected}{hint}"))
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

/// How hosts are reached is not chosen on the line.
fn launcher(value: Option<&OsStr>) -> Result<(), MeaningError> {
    match value.map(|value| (value.to_str(), value)) {
        None | Some((Some("ssh" | "fork"), _)) => Ok(()),
        Some((_, value)) => Err(MeaningError::NotDone {
            option: "-launcher",
            value: value.to_string_lossy().into_owned(),
            why: "hosts are reached with ssh: write ssh, or set PVM_SSH to the program to use",
        }),
    }
}

/// What is to be shown.
#[derive(Default)]
struct Display {
    map: bool,
    bindings: bool,
}

fn display(first: &Run) -> Result<Display, MeaningError> {
    let mut display = Display::default();
    for value in &first.display {
        let text = value.to_string_lossy().to_ascii_lowercase();
        for word in text.split([',', ':']) {
            match word {
                "map" | "map-devel" => display.map = true,
                "bind" | "bindings" => display.bindings = true,
                // `pvm conf` and `pvm doctor` tell of them; of forms there is one.
                "allocation" | "topo" | "parsable" | "parseable" => {}
                _ => return Err(choice("--display", value, "map or bind", &["map", "bind"])),
            }
        }
    }
    Ok(display)
}

fn stdin(value: Option<&OsStr>, size: Option<u32>) -> Result<Stdin, MeaningError> {
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
        Some(rank) => match size.filter(|size| rank >= *size) {
            None => Ok(Stdin::Rank(rank)),
            Some(size) => Err(bad(
                "--stdin",
                value,
                format!("this job has the ranks 0 to {}", size - 1),
            )),
        },
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

/// Longest time limit: a thousand years, so that no sum overflows.
const TIMEOUT_MAX_S: f64 = 3.2e10;

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

fn voice(first: &Run) -> Result<Voice, MeaningError> {
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
    use crate::cli::pattern::Pattern;
    use crate::cli::plan::{Output, Prefix};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn read(line: &str) -> Result<Plan, String> {
        crate::cli::run::line::read(&words(line)).map_err(|error| error.to_string())
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
            (
                Stdin::Rank(3),
                Output::Lines(Prefix {
                    time: false,
                    text: Some(Pattern::rank())
                })
            )
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
