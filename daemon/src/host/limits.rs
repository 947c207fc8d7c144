//! How much this host lets us start.

use pvm::limits::TASKS_PER_LAUNCH_MAX;
use pvm::wire::control::{Failure, FailureCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of the daemon per started task (its two output pipes, and room for its socket).
const DESCRIPTORS_PER_TASK: u64 = 4;
/// Descriptors that the daemon keeps for itself and its clients.
const DESCRIPTORS_RESERVED: u64 = 64;

/// Raises the soft limit of open files to the hard one; returns the limits as they were, which
/// are those that tasks get.
pub fn raise_open_files() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() {
        tracing::debug!("the limit of open files cannot be raised");
    }
    before
}

/// What bounds the number of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The most tasks of one launch now.
    pub tasks: u64,
    /// Its reason, for the user.
    pub reason: &'static str,
    /// How to raise it.
    pub next: &'static str,
}

/// The tightest bound of now.
pub fn bound() -> Bound {
    let used = crate::host::facts::processes() + 16;
    let open = crate::host::facts::open_files();
    let user = getrlimit(Resource::Nproc)
        .current
        .filter(|_| !rustix::process::geteuid().is_root());
    let files = getrlimit(Resource::Nofile).current;
    let pids = read_number("/proc/sys/kernel/pid_max");
    let threads = read_number("/proc/sys/kernel/threads-max");
    let bounds = [
        (
            Some(u64::from(TASKS_PER_LAUNCH_MAX)),
            "the limit of one launch",
            "start fewer tasks",
        ),
        (
            user.map(|n| n.saturating_sub(used)),
            "the limit of processes per user (ulimit -u)",
            "raise 'ulimit -u' and restart pvmd, or start fewer tasks",
        ),
        (
            pids.map(|n| n.saturating_sub(used)),
            "the number of process ids (kernel.pid_max)",
            "start fewer tasks",
        ),
        (
            threads.map(|n| n.saturating_sub(used)),
            "the number of threads that the kernel allows (kernel.threads-max)",
            "start fewer tasks",
        ),
        (
            files.map(|n| n.saturating_sub(open + DESCRIPTORS_RESERVED) / DESCRIPTORS_PER_TASK),
            "the daemon's limit of open files (ulimit -Hn)",
            "raise 'ulimit -Hn' and restart pvmd, or start fewer tasks",
        ),
    ];
    let tightest = bounds
        .into_iter()
        .filter_map(|(n, reason, next)| n.map(|n| (n, reason, next)));
    let (tasks, reason, next) = tightest.min_by_key(|(n, ..)| *n).unwrap_or_default();
    Bound {
        tasks,
        reason,
        next,
    }
}

/// Checks a count of tasks against what the host can start.
///
/// # Errors
/// The failure to answer with.
pub fn check_count(count: u64) -> Result<(), Failure> {
    let failure = |why: String, next: &str| Failure {
        code: FailureCode::FailureCount.into(),
        what: format!("cannot start {count} tasks"),
        why,
        next: next.into(),
    };
    if count == 0 {
        return Err(failure(
            "a job has at least one task".into(),
            "give -n 1 or more",
        ));
    }
    let bound = bound();
    if count <= bound.tasks {
        return Ok(());
    }
    let why = format!(
        "at most {} more fit on this host, by {}",
        bound.tasks, bound.reason
    );
    Err(failure(why, bound.next))
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounded() {
        assert_eq!(
            check_count(0).unwrap_err().code(),
            FailureCode::FailureCount
        );
        assert!(check_count(64).is_ok());
        let refused = check_count(99_999_999).unwrap_err();
        assert!(refused.why.starts_with("at most "), "{refused:?}");
    }
}
