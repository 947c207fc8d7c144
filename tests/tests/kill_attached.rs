//! Something is killed while tasks are in the middle of a collective.

use pvm_tests::{DAEMON, Finished, GONE, Machine, Running, assert_golden, eventually, kill};
use std::time::{Duration, Instant};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
const TASKS: usize = 4;

/// Four tasks that add up numbers for ever; they have begun.
fn begun(machine: &Machine, mode: &str, options: &[&str]) -> Running {
    let marks = tempfile::Builder::new().tempdir_in(machine.dir()).unwrap();
    let path = marks.path().to_str().unwrap();
    let count = TASKS.to_string();
    let words = [&["run", "-n", &count], options, &[SUBJECT, mode, path]];
    let running = machine.start(&words.concat());
    eventually("all tasks begin", || {
        std::fs::read_dir(&marks).unwrap().count() == TASKS
    });
    // The keeper is known by sight only.
    let seen = machine.processes();
    let has_keeper = seen.iter().any(|(_, line)| line.contains("keeper"));
    assert!(has_keeper, "{seen:?}");
    running
}

/// Waits for the end, which must come soon and leave nothing but `spare`.
#[track_caller]
fn end(machine: &Machine, running: Running, spare: &str) -> Finished {
    let since = Instant::now();
    let run = running.finish();
    assert!(since.elapsed() < GONE, "{:?}", since.elapsed());
    machine.assert_gone(spare);
    assert!(since.elapsed() < GONE, "{:?}", since.elapsed());
    run
}

/// What the launcher says, without what the tasks said and where their program is.
fn said(run: &Finished) -> String {
    let lines = run.err.lines();
    let ours = lines.filter(|line| line.starts_with("pvm run: "));
    let text: String = ours.map(|line| format!("{line}\n")).collect();
    text.replace(SUBJECT, "subject")
}

#[test]
fn a_task_killed_in_a_collective_is_the_first_cause() {
    let machine = Machine::new();
    let running = begun(&machine, "reduce", &[]);
    kill(machine.task(2), libc::SIGKILL);
    let run = end(&machine, running, DAEMON);
    assert_eq!(run.code, 137, "{}", run.err);
    assert_golden("kill_collective", &said(&run));
    machine.assert_alive();
}

/// At whatever instruction a task is killed, the others learn of it and can go on.
#[test]
fn the_others_outlive_a_task_killed_in_a_collective() {
    let machine = Machine::new();
    for round in 0..20 {
        let running = begun(&machine, "outlive", &["--on-failure=continue"]);
        let victim = machine.task(round % TASKS as u64);
        std::thread::sleep(Duration::from_micros(round * 1700));
        kill(victim, libc::SIGKILL);
        let run = end(&machine, running, DAEMON);
        let outlived = "outlived\n".repeat(TASKS - 1);
        assert_eq!((run.code, run.text()), (137, outlived), "{}", run.err);
        assert_eq!(said(&run), run.err.replace(SUBJECT, "subject"));
        let rank = format!("rank {}", round % TASKS as u64);
        assert_golden(
            "kill_collective_continue",
            &said(&run).replace(&rank, "rank RANK"),
        );
    }
    machine.assert_alive();
}

#[test]
fn a_killed_launcher_leaves_no_task_in_a_collective() {
    let machine = Machine::new();
    let running = begun(&machine, "reduce", &[]);
    running.signal(libc::SIGKILL);
    assert_eq!(end(&machine, running, DAEMON).code, 137);
    machine.assert_alive();
}

#[test]
fn a_killed_daemon_leaves_no_task_in_a_collective() {
    let machine = Machine::new();
    let running = begun(&machine, "reduce", &[]);
    kill(machine.daemon().unwrap(), libc::SIGKILL);
    let run = end(&machine, running, "");
    assert_eq!(run.code, 125, "{}", run.err);
    assert_golden("daemon_killed", &said(&run));
    machine.assert_alive();
}

#[test]
fn a_killed_keeper_leaves_no_task_in_a_collective() {
    let machine = Machine::new();
    let running = begun(&machine, "reduce", &[]);
    let seen = machine.processes();
    let keeper = seen.iter().find(|(_, line)| line.contains("keeper"));
    kill(keeper.expect("a keeper").0, libc::SIGKILL);
    let run = end(&machine, running, DAEMON);
    assert_eq!(run.code, 125, "{}", run.err);
    assert_golden("keeper_killed", &said(&run));
    machine.assert_alive();
}

#[test]
fn two_interrupts_end_a_collective() {
    let machine = Machine::new();
    let running = begun(&machine, "reduce", &[]);
    running.signal(libc::SIGINT);
    running.signal(libc::SIGINT);
    let run = end(&machine, running, DAEMON);
    assert_eq!(run.code, 130, "{}", run.err);
    machine.assert_alive();
}
