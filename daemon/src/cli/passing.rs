//! How output is passed on: the options of `pvm run` about it.

use super::flags::typed::Run;
use super::high::{MeaningError, bad, choice};
use super::pattern::{PLACES, Pattern};
use super::plan::{Files, Output, Prefix};
use std::ffi::{OsStr, OsString};

/// What the first part of a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    /// As lines or as they come.
    pub output: Output,
    /// Standard error becomes standard output.
    pub merge: bool,
    /// Files.
    pub files: Files,
}

/// Words of `--output`.
const WORDS: [&str; 5] = ["lines", "raw", "tag", "timestamp", "merge"];

/// What is said, text by text.
#[derive(Default)]
struct Said {
    raw: bool,
    tag: bool,
    time: bool,
    merge: bool,
    folder: Option<OsString>,
    file: Option<OsString>,
}

/// Reads the options.
///
/// # Errors
/// The first value that makes no sense, or two that cannot go together.
pub fn passing(first: &Run) -> Result<Passing, MeaningError> {
    let mut said = Said {
        tag: first.tag,
        time: first.timestamp,
        merge: first.merge,
        folder: first.output_folder.clone(),
        ..Said::default()
    };
    if let Some(value) = &first.output {
        output(&mut said, value)?;
    }
    Ok(Passing {
        output: lines(&said, first)?,
        merge: said.merge,
        files: files(&said, first)?,
    })
}

/// `tag,timestamp,dir=out`, also with ':' between.
fn output(said: &mut Said, value: &OsStr) -> Result<(), MeaningError> {
    let unknown = || {
        choice(
            "--output",
            value,
            "'lines' or 'raw', or tag, timestamp, merge, dir=DIR, file=FILE; a file for each task is --outfile-pattern FILE",
            &WORDS,
        )
    };
    let text = value.to_str().ok_or_else(unknown)?;
    for word in text.split([',', ':']).filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("dir" | "directory", folder)) => said.folder = Some(folder.into()),
            Some(("file" | "filename", file)) => said.file = Some(file.into()),
            None => match word {
                "lines" => {}
                "raw" => said.raw = true,
                "tag" | "rank" | "tag-detailed" | "tag-fullname" => said.tag = true,
                "timestamp" => said.time = true,
                "merge" => said.merge = true,
                "copy" | "nocopy" if said.folder.is_some() => {
                    let folder = said.folder.get_or_insert_default();
                    folder.push(":");
                    folder.push(word);
                }
                _ => return Err(unknown()),
            },
            Some(_) => return Err(unknown()),
        }
    }
    Ok(())
}

fn lines(said: &Said, first: &Run) -> Result<Output, MeaningError> {
    let text = match (&first.prefix, said.tag) {
        (Some(_), true) => return Err(MeaningError::Conflict("--tag-output", "--prepend-pattern")),
        (Some(text), false) => Some(pattern("--prepend-pattern", text)?),
        (None, true) => Some(Pattern::rank()),
        (None, false) => None,
    };
    let time = said.time;
    if !said.raw {
        return Ok(Output::Lines(Prefix { time, text }));
    }
    let other = match (said.tag, first.prefix.is_some(), time) {
        (true, ..) => "--tag-output",
        (_, true, _) => "--prepend-pattern",
        (.., true) => "--timestamp-output",
        _ => return Ok(Output::Raw),
    };
    Err(MeaningError::Conflict(other, "--output=raw"))
}

fn files(said: &Said, first: &Run) -> Result<Files, MeaningError> {
    let mut files = Files::default();
    if let Some(text) = &first.out_file {
        files.out = Some(pattern("--outfile-pattern", text)?);
    }
    if let Some(text) = &first.err_file {
        files.err = Some(pattern("--errfile-pattern", text)?);
    }
    let is_taken = files != Files::default();
    if let Some(file) = &said.file {
        if is_taken || said.folder.is_some() {
            return Err(MeaningError::Conflict(
                "--output file=",
                "another place for output",
            ));
        }
        let mut name = file.clone();
        name.push(".%r");
        let pattern = pattern("--output file=", &name)?;
        (files.out, files.err) = (Some(pattern.clone()), Some(pattern));
    }
    if let Some(folder) = &said.folder {
        if is_taken {
            return Err(MeaningError::Conflict(
                "--output-filename",
                "--outfile-pattern or --errfile-pattern",
            ));
        }
        let (folder, copy) = folder_and_copy(folder);
        if folder.is_empty() {
            return Err(bad(
                "--output-filename",
                &folder,
                "a folder, for example logs",
            ));
        }
        files = Files {
            out: Some(Pattern::in_folder(&folder, "stdout")),
            err: Some(Pattern::in_folder(&folder, "stderr")),
            copy,
        };
    }
    if said.merge && files.err.is_some() && files.out != files.err && first.err_file.is_some() {
        return Err(MeaningError::Conflict(
            "--merge-stderr-to-stdout",
            "--errfile-pattern",
        ));
    }
    Ok(files)
}

/// `DIR`, `DIR:copy` or `DIR:nocopy`.
fn folder_and_copy(text: &OsStr) -> (OsString, bool) {
    let bytes = text.to_string_lossy();
    match (bytes.strip_suffix(":nocopy"), bytes.strip_suffix(":copy")) {
        (Some(folder), _) => (folder.into(), false),
        (_, Some(folder)) => (folder.into(), true),
        _ => (text.to_owned(), true),
    }
}

fn pattern(option: &'static str, text: &OsStr) -> Result<Pattern, MeaningError> {
    let read = Pattern::read(text).filter(|_| !text.is_empty());
    read.ok_or_else(|| bad(option, text, format!("a text in which {PLACES}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(run: &Run) -> Result<Passing, String> {
        passing(run).map_err(|error| error.to_string())
    }

    #[test]
    fn words_of_output_are_as_the_options() {
        let run = Run {
            output: Some("tag,timestamp:merge".into()),
            ..Run::default()
        };
        let said = read(&run).unwrap();
        let prefix = Prefix {
            time: true,
            text: Some(Pattern::rank()),
        };
        assert_eq!((said.output, said.merge), (Output::Lines(prefix), true));
    }

    #[test]
    fn a_folder_of_files() {
        for (text, copy) in [("dir=d", true), ("dir=d:nocopy", false)] {
            let run = Run {
                output: Some(text.into()),
                ..Run::default()
            };
            let files = read(&run).unwrap().files;
            assert_eq!(files.out.unwrap().written(), "d/1/rank.%r/stdout");
            assert_eq!(files.copy, copy);
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        let run = Run {
            out_file: Some("out.%z".into()),
            ..Run::default()
        };
        assert!(read(&run).unwrap_err().contains("%r (or %t) is the rank"));
        let run = Run {
            output: Some("raw".into()),
            timestamp: true,
            ..Run::default()
        };
        assert_eq!(
            read(&run).unwrap_err(),
            "--timestamp-output and --output=raw cannot go together"
        );
    }
}
