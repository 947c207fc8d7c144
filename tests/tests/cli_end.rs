//! `pvm run`: how jobs end, what is said about it, and that nothing is left.

use pvm_tests::{DAEMON, GONE, Machine, Running, assert_golden, eventually, kill};
use std::process::Command;
use std::time::{Duration, Instant};

/// Starts a job of `count` tasks, and waits until all have set their traps.
fn begun(machine: &Machine, count: usize, traps: &str, script: &str) -> Running {
    let marks = machine.dir().join("marks");
    std::fs::create_dir_all(&marks).unwrap();
    let script = format!("{traps}: > {}/$PVM_RANK; {script}", marks.display());
    let running = machine.start(&["run", "-n", &count.to_string(), "sh", "-c", &script]);
    eventually("all tasks begin", || {
        std::fs::read_dir(&marks).unwrap().count() == count
    });
    // The daemon knows of all of them, and so does the launcher soon.
    let is_listed = |task: &&serde_json::Value| task["pid"].as_u64() > Some(0);
    eventually("all tasks are listed", || {
        let list = machine.pvm(&["ps", "--json"]).out;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap_or_default();
        list.iter().filter(is_listed).count() == count
    });
    let seen = machine.processes();
    let has_keeper = seen.iter().any(|(_, line)| line.contains("keeper"));
    assert!(has_keeper, "{seen:?}");
    running
}

#[test]
fn exit_codes_are_those_of_the_first_failure() {
    let machine = Machine::new();
    let run = machine.sh(4, "test $PVM_RANK = 2 && exit 3; exec sleep 60");
    assert_eq!((run.code, run.text().as_str()), (3, ""));
    assert_golden("exit_3", &run.err);
    for (signal, code, golden) in [("SEGV", 139, "segv"), ("KILL", 137, "kill")] {
        let script = format!("ulimit -c 0; test $PVM_RANK = 1 && kill -{signal} $$; exec sleep 60");
        let run = machine.sh(2, &script);
        assert_eq!(run.code, code);
        assert_golden(golden, &run.err);
    }
    machine.assert_gone(DAEMON);
}

#[test]
fn the_others_go_on_when_told_so() {
    let machine = Machine::new();
    let fifo = machine.dir().join("fifo");
    // Rank 1 ends only after rank 0 has failed: it waits for the end of rank 0's side of a pipe.
    let script = format!(
        "case $PVM_RANK in 0) exec 3> {f}; exit 5;; *) cat < {f}; echo done;; esac",
        f = fifo.display()
    );
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let run = machine.pvm(&[
        "run",
        "-n",
        "2",
        "--on-failure=continue",
        "sh",
        "-c",
        &script,
    ]);
    assert_eq!((run.code, run.text().as_str()), (5, "done\n"));
    assert_golden("continue", &run.err);
}

#[test]
fn quiet_means_quiet() {
    let machine = Machine::new();
    let run = machine.pvm(&["run", "-q", "sh", "-c", "exit 9"]);
    assert_eq!((run.code, run.err.as_str()), (9, ""));
}

#[test]
fn buried_last_words_are_repeated() {
    let machine = Machine::new();
    let fifo = machine.dir().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let script = format!(
        "if test $PVM_RANK = 0; then echo assertion failed >&2; echo $$ > {f}; exec sleep 60; fi
         read pid < {f}; for i in 1 2 3 4 5 6 7 8 9; do echo noise >&2; done; kill -ABRT $pid",
        f = fifo.display()
    );
    let words = [
        "run",
        "-n",
        "2",
        "--on-failure=continue",
        "sh",
        "-c",
        &script,
    ];
    let run = machine.pvm(&words);
    assert_eq!(run.code, 134);
    let verdict = run.err.split_once("pvm run: its last lines on stderr:\n");
    let (_, last) = verdict.unwrap_or_else(|| panic!("{}", run.err));
    assert!(last.starts_with("  | assertion failed\n"), "{last}");
}

#[test]
fn time_limits_are_kept() {
    let machine = Machine::new();
    let run = machine.pvm(&["run", "-n", "3", "--timeout", "0.5", "sleep", "60"]);
    assert_eq!(run.code, 124);
    assert_golden("timeout", &run.err);
    assert!(run.took >= Duration::from_millis(500), "{:?}", run.took);
    machine.assert_gone(DAEMON);
}

#[test]
fn one_interrupt_ends_gently() {
    let machine = Machine::new();
    let traps = "trap 'echo ended; exit 0' TERM; ";
    let running = begun(&machine, 4, traps, "while :; do sleep 60 & wait; done");
    running.signal(libc::SIGINT);
    let run = running.finish();
    assert_eq!(
        (run.code, run.text().as_str()),
        (130, "ended\nended\nended\nended\n")
    );
    assert_golden("interrupt_once", &run.err);
    machine.assert_gone(DAEMON);
    machine.assert_alive();
}

#[test]
fn two_interrupts_kill() {
    let machine = Machine::new();
    let running = begun(&machine, 2, "trap '' TERM; ", "while :; do sleep 60; done");
    running.signal(libc::SIGINT);
    // Two at the same moment would be one signal.
    std::thread::sleep(Duration::from_millis(300));
    running.signal(libc::SIGINT);
    let killed = Instant::now();
    let run = running.finish();
    assert!(killed.elapsed() < GONE, "{:?}", killed.elapsed());
    assert_eq!(run.code, 130);
    assert_golden("interrupt_twice", &run.err);
    machine.assert_gone(DAEMON);
}

#[test]
fn two_interrupts_kill_also_what_hides_and_is_deaf() {
    let machine = Machine::new();
    let traps = "trap '' TERM INT HUP; (setsid sh -c 'while :; do sleep 60; done' &); ";
    let running = begun(&machine, 2, traps, "while :; do sleep 60; done");
    running.signal(libc::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal(libc::SIGINT);
    let run = running.finish();
    assert_eq!(run.code, 130);
    assert_golden("interrupt_twice", &run.err);
    machine.assert_gone(DAEMON);
    machine.assert_alive();
}

#[test]
fn termination_has_its_own_code() {
    let machine = Machine::new();
    let running = begun(&machine, 2, "", "exec sleep 60");
    running.signal(libc::SIGTERM);
    let run = running.finish();
    assert_eq!(run.code, 143);
    assert_golden("terminated", &run.err);
}

#[test]
fn user_signals_are_passed_on() {
    let machine = Machine::new();
    let traps = "trap 'echo usr1; exit 0' USR1; ";
    // The shell tells of its killed child, too.
    let script = "exec 2> /dev/null; while :; do sleep 0.05; done";
    let running = begun(&machine, 2, traps, script);
    running.signal(libc::SIGUSR1);
    assert_eq!(running.finish().well().text(), "usr1\nusr1\n");
}

#[test]
fn a_stopped_launcher_stops_its_tasks() {
    let machine = Machine::new();
    let go = machine.dir().join("go");
    let script = format!(
        "until test -e {}; do sleep 0.05; done; echo end",
        go.display()
    );
    let running = begun(&machine, 1, "", &script);
    let state = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next())
    };
    let task = machine
        .processes()
        .into_iter()
        .find(|(_, line)| line.starts_with("sh -c "));
    let task = task.unwrap().0;
    running.signal(libc::SIGTSTP);
    eventually("the launcher stops", || state(running.pid()) == Some('T'));
    eventually("the task stops", || state(task) == Some('T'));
    std::fs::write(&go, "").unwrap();
    running.signal(libc::SIGCONT);
    assert_eq!(running.finish().well().text(), "end\n");
}

/// Each task, and beside it a process that has left its group and session.
const WITH_GRANDCHILDREN: &str = "setsid sleep 300 & exec sleep 300";

#[test]
fn a_killed_launcher_leaves_nothing() {
    let machine = Machine::new();
    let running = begun(&machine, 4, "", WITH_GRANDCHILDREN);
    running.signal(libc::SIGKILL);
    assert_eq!(running.finish().code, 137);
    machine.assert_gone(DAEMON);
    machine.assert_alive();
}

#[test]
fn a_killed_daemon_leaves_nothing() {
    let machine = Machine::new();
    let running = begun(&machine, 4, "", WITH_GRANDCHILDREN);
    kill(machine.daemon().unwrap(), libc::SIGKILL);
    let run = running.finish();
    assert_eq!(run.code, 125);
    assert_golden("daemon_killed", &run.err);
    machine.assert_gone("");
    machine.assert_alive();
}

#[test]
fn a_killed_keeper_leaves_nothing() {
    let machine = Machine::new();
    let running = begun(&machine, 4, "", WITH_GRANDCHILDREN);
    let keeper = machine
        .processes()
        .into_iter()
        .find(|(_, line)| line.contains("keeper"));
    kill(keeper.expect("a keeper").0, libc::SIGKILL);
    let run = running.finish();
    assert_eq!(run.code, 125, "{}", run.err);
    assert_golden("keeper_killed", &run.err);
    machine.assert_gone(DAEMON);
    machine.assert_alive();
}

#[test]
fn a_killed_parent_of_hidden_grandchildren_leaves_none() {
    let machine = Machine::new();
    let running = begun(&machine, 2, "", WITH_GRANDCHILDREN);
    let parent = machine.task(1);
    kill(parent, libc::SIGKILL);
    let run = running.finish();
    assert_eq!(run.code, 137);
    assert_golden("kill", &run.err);
    machine.assert_gone(DAEMON);
    machine.assert_alive();
}

#[test]
fn orphans_of_a_finished_job_are_ended() {
    let machine = Machine::new();
    let orphan = "setsid sleep 300 > /dev/null 2>&1 & ";
    let run = machine.sh(
        2,
        &format!("{orphan} test $PVM_RANK = 0 && exit 7; exec sleep 300"),
    );
    assert_eq!(run.code, 7);
    machine.assert_gone(DAEMON);
}

/// A shell without job control has what is behind `&` ignore SIGINT, and everything that this starts: a whole
/// run of tests, too. Launchers respect it, but not those that a test interrupts.
#[test]
fn tests_that_are_deaf_start_launchers_that_hear() {
    let machine = Machine::new();
    let hearing = machine.named("grep".as_ref(), &["SigIgn", "/proc/self/status"]);
    let mut deaf = Command::new("sh");
    deaf.args(["-c", "trap '' INT QUIT; exec \"$@\"", "sh"]);
    deaf.arg(hearing.get_program()).args(hearing.get_args());
    let output = deaf.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mask = text.split_whitespace().last().unwrap();
    let mask = u64::from_str_radix(mask, 16).unwrap();
    let ignored = [libc::SIGINT, libc::SIGQUIT].map(|signal| mask >> (signal - 1) & 1);
    assert_eq!(ignored, [0, 0], "{text}");
}
