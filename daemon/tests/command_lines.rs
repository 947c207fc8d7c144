//! Real command lines of MPI users and what we take them for: `golden/lines`, a file for each family.
//!
//! In a file a line that begins with `$` is what is typed; up to the next empty line stands what it means, as
//! `pvm run --explain` says it, or what is wrong with it.

use pvm_daemon::cli::explain;
use pvm_daemon::cli::run::line::{self, LineError};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Words of a line; single quotes keep blanks.
fn words(line: &str) -> Vec<OsString> {
    let mut words: Vec<String> = vec![String::new()];
    let (mut is_quoted, mut is_word) = (false, false);
    for c in line.chars() {
        match c {
            '\'' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if is_word {
                    words.push(String::new());
                }
                is_word = false;
            }
            c => {
                is_word = true;
                words.iter_mut().last().unwrap().push(c);
            }
        }
    }
    words.into_iter().map(OsString::from).collect()
}

fn meaning(line: &str) -> String {
    let words = words(line);
    let skipped = if words[0] == "pvm" { 2 } else { 1 };
    match line::read(&words[skipped..]) {
        Ok(plan) => explain::text(&plan),
        Err(LineError::Help | LineError::Version) => "(told)\n".to_owned(),
        Err(error) => format!("error: {error}\n"),
    }
}

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lines");
    folder.join(format!("{name}.txt"))
}

/// Compares; returns how many lines there were.
fn check(name: &str) -> usize {
    let expected = std::fs::read_to_string(file(name)).unwrap();
    let lines: Vec<&str> = expected
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let all: Vec<String> = lines
        .iter()
        .map(|line| format!("$ {line}\n{}", meaning(line)))
        .collect();
    let text = all.join("\n");
    if text != expected {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
        std::fs::write(&place, text).unwrap();
        panic!(
            "{} should be, if this is better, as {}",
            file(name).display(),
            place.display()
        );
    }
    lines.len()
}

#[test]
fn lines_of_the_standard() {
    assert!(check("standard") >= 20);
}

#[test]
fn lines_of_mpich() {
    assert!(check("mpich") >= 30);
}

#[test]
fn lines_of_open_mpi() {
    assert!(check("openmpi") >= 40);
}

#[test]
fn lines_of_intel_mpi() {
    assert!(check("intel") >= 15);
}

#[test]
fn lines_of_slurm() {
    assert!(check("slurm") >= 12);
}

#[test]
fn lines_of_our_own() {
    assert!(check("pvm") >= 10);
}

#[test]
fn wrong_lines_say_what_to_write() {
    assert!(check("wrong") >= 50);
}
