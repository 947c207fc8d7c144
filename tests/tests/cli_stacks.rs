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
