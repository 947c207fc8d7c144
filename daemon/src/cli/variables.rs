//! The environment that tasks get: the options of `pvm run` about variables.

use super::flags::typed::{Inherited, Run};
use super::high::{MeaningError, bad};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What is said for all programs.
#[derive(Debug, Default)]
pub struct Given {
    variables: Vec<OsString>,
    inherited: Option<Inherited>,
}

/// What MPI may do with errors until the program has told it.
const HANDLERS: [&str; 3] = [
    "mpi_errors_are_fatal",
    "mpi_errors_abort",
    "mpi_errors_return",
];

/// What all parts of a line say for all programs.
///
/// # Errors
/// The first word that names no variable.
pub fn of_all(parts: &[Run]) -> Result<Given, MeaningError> {
    let mut given = Given::default();
    for part in parts {
        given.variables.extend(part.all_environment.iter().cloned());
        if let Some(inherited) = &part.all_inherited {
            given.inherited = Some(inherited.clone());
        }
        for list in &part.export {
            export(list, &mut given)?;
        }
        for (name, value) in passed_on(part)? {
            let variable = pvm::session::variable(name, value);
            given.variables.push(OsString::from_vec(variable));
        }
    }
    check("-genv", &given.variables)?;
    Ok(given)
}

/// The variables of one program, and whether it gets none of ours besides.
///
/// # Errors
/// The first word that names no variable.
pub fn of_one(part: &Run, given: &Given) -> Result<(Vec<OsString>, bool), MeaningError> {
    let inherited = part.inherited.as_ref().or(given.inherited.as_ref());
    let (bare, mut words) = match inherited {
        None | Some(Inherited::All) => (false, Vec::new()),
        Some(Inherited::Nothing) => (true, Vec::new()),
        Some(Inherited::Only(list)) => (true, names(list)),
    };
    if let Some(word) = words.iter().find(|word| word.as_bytes().contains(&b'=')) {
        return Err(bad("-envlist", word, "NAME,...; -env NAME VALUE sets one"));
    }
    words.extend(given.variables.iter().cloned());
    for word in &part.environment {
        match word.as_bytes().contains(&b'=') {
            true => words.push(word.clone()),
            // NAME alone: what it is here is found when the job is asked for.
            false if word.is_empty() => words.push(word.clone()),
            false => words.extend(names(word)),
        }
    }
    check("-x", &words)?;
    Ok((words, bare))
}

/// `ALL,NAME,NAME=VALUE`, as Slurm has it.
fn export(list: &OsStr, given: &mut Given) -> Result<(), MeaningError> {
    let mut only = Vec::new();
    let mut all = false;
    for word in names(list) {
        match word.as_bytes() {
            b"ALL" => all = true,
            b"NONE" | b"NIL" => {}
            bytes if bytes.contains(&b'=') => given.variables.push(word),
            _ => only.push(word),
        }
    }
    check("--export", &only)?;
    given.inherited = Some(match all {
        true => Inherited::All,
        false => Inherited::Only(only.join(OsStr::new(","))),
    });
    Ok(())
}

/// What is for MPI in the tasks: they find it in their environment.
fn passed_on(part: &Run) -> Result<Vec<(&'static str, OsString)>, MeaningError> {
    let mut all = Vec::new();
    if let Some(handler) = &part.error_handler {
        let lower = handler.to_ascii_lowercase();
        if !HANDLERS.iter().any(|name| lower == *name) {
            let expected = format!("one of {}", HANDLERS.join(", "));
            return Err(bad("-initial-errhandler", handler, expected));
        }
        all.push((pvm::settings::INITIAL_ERRHANDLER, lower));
    }
    if let Some(size) = &part.universe {
        let is_number = size
            .to_str()
            .is_some_and(|text| text.parse::<u32>().is_ok_and(|n| n > 0));
        match size.to_str() {
            Some("SYSTEM") => {}
            Some("INFINITE") => {
                all.push((pvm::settings::UNIVERSE_SIZE, i32::MAX.to_string().into()))
            }
            _ if is_number => all.push((pvm::settings::UNIVERSE_SIZE, size.clone())),
            _ => return Err(bad("-usize", size, "a number of tasks, SYSTEM or INFINITE")),
        }
    }
    Ok(all)
}

/// The words between commas.
fn names(list: &OsStr) -> Vec<OsString> {
    let words = list.as_bytes().split(|byte| *byte == b',');
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| OsStr::from_bytes(word).to_owned())
        .collect()
}

fn check(option: &'static str, words: &[OsString]) -> Result<(), MeaningError> {
    let wrong = words
        .iter()
        .find(|word| matches!(word.as_bytes(), [] | [b'=', ..]));
    match wrong {
        Some(word) => Err(bad(option, word, "NAME or NAME=VALUE")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(part: Run) -> (Vec<OsString>, bool) {
        let given = of_all(std::slice::from_ref(&part)).unwrap();
        of_one(&part, &given).unwrap()
    }

    #[test]
    fn what_is_said_last_and_nearest_counts() {
        let part = Run {
            environment: vec!["A=1,2".into(), "B,C".into()],
            all_environment: vec!["A=0".into()],
            all_inherited: Some(Inherited::Nothing),
            ..Run::default()
        };
        let (words, bare) = one(part.clone());
        assert_eq!(words, ["A=0", "A=1,2", "B", "C"]);
        assert!(bare);
        let inherited = Some(Inherited::All);
        assert!(!one(Run { inherited, ..part }).1);
    }

    #[test]
    fn slurm_lists() {
        let of = |list: &str| {
            one(Run {
                export: vec![list.into()],
                ..Run::default()
            })
        };
        assert_eq!(of("ALL,A=1"), (vec!["A=1".into()], false));
        assert_eq!(of("HOME,A=1"), (vec!["HOME".into(), "A=1".into()], true));
        assert_eq!(of("NONE"), (vec![], true));
    }
}
