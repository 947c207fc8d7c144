//! Ends of some ranks of a job that goes on (`--on-failure=continue`): whom they take with them, and who is told.

mod c_support;

use c_support::{Bench, text};

/// Runs the program; gives its exit code and its lines, in order of the ranks, and its words on stderr.
fn run(what: &str) -> (Option<i32>, Vec<String>, String) {
    let bench = Bench::new();
    let program = bench.mpi("tests/tests/c_support/ends.c");
    let mut command = bench.pvm("run");
    command.args(["-n", "4", "--on-failure=continue", "--timeout", "60"]);
    let output = command.arg(&program).arg(what).output();
    let output = output.expect("pvm runs");
    let out = text(&output.stdout);
    let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
    lines.sort();
    (output.status.code(), lines, text(&output.stderr))
}

#[test]
fn an_abort_ends_the_group_of_its_communicator() {
    for what in ["abort", "handler"] {
        let (code, lines, err) = run(what);
        assert_eq!(code, Some(6), "{what}: {err}");
        assert_eq!(lines, ["rank 2 went on", "rank 3 went on"], "{what}: {err}");
        assert!(!err.contains("failed too"), "{what}: {err}");
    }
}

#[test]
fn an_error_that_is_fatal_ends_all() {
    let (code, lines, err) = run("fatal");
    assert_eq!((code, lines.len()), (Some(6), 0), "{err}");
}

#[test]
fn who_waits_for_anybody_is_told_when_nobody_is_left() {
    for what in ["anybody", "anybody-threads"] {
        let (code, lines, err) = run(what);
        assert_eq!(code, Some(3), "{what}: {err}");
        assert_eq!(lines, ["rank 0 was told"], "{what}: {err}");
    }
}
