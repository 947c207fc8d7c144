//! Hundreds of jobs, one after the other: none fails, and nothing of them is left.

use pvm_tests::footprint::{Footprint, resident};
use pvm_tests::{Machine, eventually};

/// Runs before the first look: what is allocated once has been allocated then.
const WARM_UP: usize = 20;
/// What the daemon's memory may differ by from one look to the next, in bytes. A job that left as
/// little as two pages would show.
const NOISE: u64 = 1 << 20;

/// What is in a directory, by name.
fn files(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What the daemon of a machine holds once it has come to rest: it has noticed that the launcher
/// has left, a moment after that.
fn at_rest(machine: &Machine, expected: Option<Footprint>) -> (i32, Footprint) {
    let pid = machine.daemon().expect("the daemon runs");
    let mut before = None;
    eventually(&format!("the daemon holds {expected:?}"), || {
        let now = Footprint::of(pid);
        let steady = before.replace(now) == Some(now) && now.children == 0;
        steady && expected.is_none_or(|expected| now == expected)
    });
    (pid, Footprint::of(pid))
}

/// Runs `words` again and again; every run must go well without a word.
#[track_caller]
fn soak(runs: usize, words: &[&str]) {
    let machine = Machine::new();
    for _ in 0..WARM_UP {
        machine.pvm(words).well();
    }
    let (pid, footprint) = at_rest(&machine, None);
    let memory = resident(pid);
    for run in 0..runs {
        let run_of = machine.pvm(words);
        assert_eq!((run_of.code, run_of.err.as_str()), (0, ""), "run {run}");
    }
    let (same, _) = at_rest(&machine, Some(footprint));
    assert_eq!(same, pid, "another daemon");
    let grown = resident(pid).saturating_sub(memory);
    println!("{runs} runs of {words:?}: {footprint:?}, {memory} bytes, grown by {grown}");
    assert!(grown < NOISE, "grown by {grown} bytes in {runs} runs");
    assert_eq!(
        files(&machine.runtime_dir()),
        ["default.lock", "default.sock"]
    );
    assert_eq!(files(machine.dir()), ["run"]);
    let left = machine.processes();
    assert!(matches!(left[..], [(only, _)] if only == pid), "{left:?}");
    machine.pvm(&["halt"]).well();
    machine.assert_gone("");
    assert!(
        !machine.runtime_dir().exists(),
        "the runtime directory is left"
    );
}

#[test]
fn runs_of_any_program_leave_nothing() {
    soak(1000, &["run", "-n", "4", "true"]);
}

#[test]
fn runs_of_attached_programs_leave_nothing() {
    let subject = env!("CARGO_BIN_EXE_subject");
    soak(200, &["run", "-n", "4", subject, "leave"]);
}
