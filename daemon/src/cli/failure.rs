//! What the daemon refuses, in one line.

use super::exit::Exit;
use crate::ui::text::harmless;
use pvm::wire::control::{Failure, FailureCode};

/// `<what>: <why>; <next>`.
pub fn one_line(failure: &Failure) -> String {
    let parts = [(": ", &failure.why), ("; ", &failure.next)];
    let mut line = failure.what.clone();
    for (separator, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(separator);
        }
        line.push_str(part);
    }
    harmless(line.as_bytes())
}

/// How `pvm run` ends when its job was refused.
pub fn exit_of_run(failure: &Failure) -> Exit {
    match failure.code() {
        FailureCode::FailureProgramNotFound => Exit::NotFound,
        FailureCode::FailureProgramNotExecutable
        | FailureCode::FailureProgramIsDirectory
        | FailureCode::FailureProgramWrongFormat => Exit::NotExecutable,
        _ => Exit::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_one_line() {
        let failure = |why: &str, next: &str| Failure {
            code: FailureCode::FailureProgramNotFound.into(),
            what: "cannot start x".into(),
            why: why.into(),
            next: next.into(),
        };
        assert_eq!(
            one_line(&failure("not in PATH", "try ./x")),
            "cannot start x: not in PATH; try ./x"
        );
        assert_eq!(one_line(&failure("", "")), "cannot start x");
        assert_eq!(exit_of_run(&failure("", "")), Exit::NotFound);
    }
}
