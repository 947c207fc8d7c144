//! Refusals in parts, so that every front end can say them in one line.

use pvm::ids::JobId;
use pvm::wire::control::{Failure, FailureCode};

/// Builds a refusal: what was being done, why it cannot be, what to do next.
pub fn failure(
    code: FailureCode,
    what: impl Into<String>,
    why: impl Into<String>,
    next: impl Into<String>,
) -> Failure {
    Failure {
        code: code.into(),
        what: what.into(),
        why: why.into(),
        next: next.into(),
    }
}

/// No tasks are started in a job that ends.
pub fn job_ending(job: JobId) -> Failure {
    failure(
        FailureCode::FailureEnding,
        format!("cannot start tasks of {job}"),
        "it is being ended",
        "",
    )
}
