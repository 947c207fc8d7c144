//! `pvm stacks`: tasks that wait show what for, and the odd one out is named.

mod c_support;

use c_support::{Bench, text};
use pvm_tests::{eventually, start};
use serde_json::Value;

#[test]
fn the_rank_that_is_not_in_the_barrier_is_named() {
    let bench = Bench::new();
    let program = bench.mpi("tests/tests/c_support/stuck.c");
    let job = start(bench.pvm("run").args(["-n", "3"]).arg(&program));
    let stacks = |words: &[&str]| {
        let output = bench.pvm("stacks").args(words).output();
        output.expect("pvm runs")
    };
    // A task shows what it waits for when it goes to sleep.
    eventually("all ranks wait", || {
        let list: Value = serde_json::from_slice(&stacks(&["--json"]).stdout).unwrap_or_default();
        let waiting = |task: &&Value| !task["call"].is_null();
        list.as_array()
            .is_some_and(|tasks| tasks.iter().filter(waiting).count() == 3)
    });
    let output = stacks(&[]);
    let page = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        page.contains("  receive from rank 0, tag 7, 4 bytes\n"),
        "{page}"
    );
    assert_eq!(page.matches("  barrier\n").count(), 2, "{page}");
    let last = page.lines().last().unwrap_or_default();
    assert!(
        last.contains(": 2 of 3 ranks are in barrier; rank 2 (pid "),
        "{page}"
    );
    assert!(last.ends_with(") is not"), "{page}");
    job.signal(libc::SIGTERM);
    job.finish();
}

/// What a run of ranks says that wait for ever: two in a barrier, the third for a message of rank 0.
fn assert_tells_waits(err: &str) {
    let rows: Vec<&str> = err
        .lines()
        .filter(|line| line.starts_with("  | "))
        .collect();
    assert_eq!(rows.len(), 4, "{err}");
    let ends = [
        "IN",
        "barrier",
        "barrier",
        "receive from rank 0, tag 7, 4 bytes",
    ];
    let pairs = rows.iter().zip(ends);
    pairs.for_each(|(row, end)| assert!(row.ends_with(end), "{err}"));
    assert!(
        err.contains("pvm run: j1: 2 of 3 ranks are in barrier; rank 2 (pid "),
        "{err}"
    );
}

#[test]
fn a_job_that_hangs_is_ended_and_the_odd_one_is_named() {
    let bench = Bench::new();
    let program = bench.mpi("tests/tests/c_support/stuck.c");
    let run = |words: &[&str]| {
        let mut command = bench.pvm("run");
        command.args(["-n", "3", "--hang-timeout", "0.5"]);
        let output = command.args(words).arg(&program).output();
        output.expect("pvm runs")
    };
    let output = run(&["--timeout", "100"]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(123), "{err}");
    assert!(
        err.starts_with(
            "pvm run: the job hangs, ending 3 tasks\n\
             pvm run: job j1 hung: all its tasks waited, and nothing came to any of them for 0.5 s \
             (--hang-timeout); 3 tasks were stopped\n"
        ),
        "{err}"
    );
    assert_tells_waits(&err);
    let output = run(&["--json"]);
    let report = text(&output.stderr);
    let report: Value = serde_json::from_str(report.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(
        (&report["result"], &report["exit_code"]),
        (&"hung".into(), &123.into())
    );
    assert_eq!(
        report["waits"][2]["doing"],
        "receive from rank 0, tag 7, 4 bytes"
    );
}

#[test]
fn the_time_limit_tells_what_each_rank_waited_for() {
    let bench = Bench::new();
    let program = bench.mpi("tests/tests/c_support/stuck.c");
    let mut command = bench.pvm("run");
    command.args(["-n", "3", "--timeout", "3"]).arg(&program);
    let output = command.output().expect("pvm runs");
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(124), "{err}");
    let first = "pvm run: the time limit of 3.0 s (--timeout) was reached; 3 tasks were stopped\n";
    assert!(err.starts_with(first), "{err}");
    assert_tells_waits(&err);
}

#[test]
fn a_job_that_works_or_waits_for_something_else_does_not_hang() {
    let bench = Bench::new();
    let program = bench.mpi("tests/tests/c_support/slow.c");
    let mut command = bench.pvm("run");
    command
        .args(["-n", "3", "--hang-timeout", "0.4"])
        .arg(&program);
    let output = command.output().expect("pvm runs");
    let err = text(&output.stderr);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn what_is_no_job_is_told() {
    let bench = Bench::new();
    assert!(bench.pvm("up").output().expect("pvm runs").status.success());
    for (job, code, says) in [
        ("j99", 1, "pvm stacks: no tasks of job j99; see: pvm ps\n"),
        (
            "here",
            2,
            "pvm stacks: invalid value 'here' for '[JOB]': 'here' is not an id; see: pvm stacks --help\n",
        ),
    ] {
        let output = bench.pvm("stacks").arg(job).output().expect("pvm runs");
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(code), says)
        );
    }
}
