//! Many more tasks than processors.

use pvm_tests::footprint::{own, processor_time, resident};
use pvm_tests::{DAEMON, Finished, Machine, Running, eventually};
use std::time::{Duration, Instant};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

/// Runs the subject as `count` tasks.
fn run(count: usize, mode: &str) -> Finished {
    let machine = Machine::new();
    let run = machine.pvm(&["run", "-n", &count.to_string(), SUBJECT, mode]);
    println!("{count} tasks, {mode}: {:?}", run.took);
    run.well()
}

#[test]
fn sixty_four_tasks_talk() {
    assert_eq!(run(64, "talk").text(), "sum 2016, token 64\n");
}

#[test]
fn sixty_four_tasks_exchange_with_each_other() {
    assert_eq!(run(64, "exchange").text(), "exchanged\n");
}

#[test]
fn two_hundred_tasks_meet() {
    assert_eq!(run(200, "leave").text(), "");
}

/// Starts `count` tasks, and waits until all of them wait.
fn blocked(machine: &Machine, count: usize) -> Running {
    let marks = machine.dir().join("marks");
    std::fs::create_dir(&marks).unwrap();
    let path = marks.to_str().unwrap();
    let running = machine.start(&["run", "-n", &count.to_string(), SUBJECT, "receive", path]);
    eventually("all tasks wait", || {
        std::fs::read_dir(&marks).unwrap().count() == count
    });
    running
}

#[test]
fn two_hundred_blocked_tasks_use_next_to_nothing() {
    const TASKS: usize = 200;
    const LOOK: Duration = Duration::from_secs(4);
    let machine = Machine::new();
    let running = blocked(&machine, TASKS);
    let tasks: Vec<i32> = machine
        .processes()
        .into_iter()
        .filter(|(_, line)| line.starts_with(SUBJECT))
        .map(|(pid, _)| pid)
        .collect();
    assert_eq!(tasks.len(), TASKS);
    let used = || {
        tasks
            .iter()
            .map(|&pid| processor_time(pid))
            .sum::<Duration>()
    };
    // Those that came last are still on their way down the ladder.
    std::thread::sleep(Duration::from_secs(1));
    let (start, before) = (Instant::now(), used());
    std::thread::sleep(LOOK);
    let share = (used() - before).as_secs_f64() / start.elapsed().as_secs_f64();
    let mean = |of: fn(i32) -> u64| tasks.iter().map(|&pid| of(pid)).sum::<u64>() / TASKS as u64;
    println!(
        "{TASKS} blocked tasks: {:.3} % of a core together; each {} KiB resident, {} KiB its own",
        share * 100.0,
        mean(resident) / 1024,
        mean(own) / 1024
    );
    assert!(share < 0.01, "{:.3} % of a core", share * 100.0);
    running.signal(libc::SIGTERM);
    assert_eq!(running.finish().code, 143);
    machine.assert_gone(DAEMON);
}
