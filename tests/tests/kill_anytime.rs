//! Something is killed at any moment of a job's short life, mostly while it is being started.

use pvm_tests::{DAEMON, Finished, GONE, Machine, Running, kill};
use std::time::{Duration, Instant};

/// Each task, and beside it a process that has left its group and session.
const SCRIPT: &str = "(setsid sleep 300 &); setsid sleep 300 & sleep 300";
/// Moments that are tried.
const ROUNDS: u64 = 25;
/// Between them: all of them together reach from the launcher's first instruction into the job.
const STEP: Duration = Duration::from_micros(900);

/// Starts a job, kills what `victim` names after a while, and looks what is left of the job. The
/// launcher must end with one of `codes`.
#[track_caller]
fn besiege(codes: &[i32], victim: impl Fn(&Machine, i32) -> Option<i32>) {
    let machine = Machine::new();
    for round in 0..ROUNDS {
        // Whoever lives on is met, not started.
        machine.assert_alive();
        let running = machine.start(&["run", "-n", "4", "sh", "-c", SCRIPT]);
        let moment = STEP * round as u32;
        std::thread::sleep(moment);
        let victim = victim(&machine, running.pid());
        let since = Instant::now();
        match victim {
            Some(pid) => kill(pid, libc::SIGKILL),
            None => running.signal(libc::SIGINT),
        }
        let run = end(running, since);
        assert!(codes.contains(&run.code), "{moment:?}: {run:?}");
        // One that is interrupted before it listens just ends, as any program does.
        let is_signal = run.code > 128;
        assert!(is_signal || !run.err.is_empty(), "{moment:?}: {run:?}");
        machine.assert_gone(DAEMON);
        machine.assert_idle();
    }
    machine.assert_alive();
}

/// Waits for the end, which comes soon, unless the victim was killed so early that the launcher has
/// started another one: it is interrupted then.
#[track_caller]
fn end(mut running: Running, since: Instant) -> Finished {
    let has_ended = running.has_ended_by(since + GONE);
    if !has_ended {
        running.signal(libc::SIGINT);
    }
    let run = running.finish();
    assert!(has_ended || run.code == 130, "{run:?}");
    run
}

#[test]
fn the_launcher_can_be_killed_at_any_moment() {
    besiege(&[137], |_, launcher| Some(launcher));
}

#[test]
fn the_launcher_can_be_interrupted_at_any_moment() {
    besiege(&[130], |_, _| None);
}

#[test]
fn the_daemon_can_be_killed_at_any_moment() {
    besiege(&[125, 130], |machine, _| {
        let is_daemon = |line: &str| line.contains("pvmd") && !line.contains("keeper");
        let seen = machine.processes();
        let daemon = seen.into_iter().find(|(_, line)| is_daemon(line));
        daemon.map(|(pid, _)| pid)
    });
}

#[test]
fn the_keeper_can_be_killed_at_any_moment() {
    // Before there is one, the launcher is interrupted instead.
    besiege(&[125, 130], |machine, _| {
        let seen = machine.processes();
        let keeper = seen.into_iter().find(|(_, line)| line.contains("keeper"));
        keeper.map(|(pid, _)| pid)
    });
}
