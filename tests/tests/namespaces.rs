//! Programs on the two sides of a process namespace, as with `docker exec` and `kubectl exec`.

use pvm_tests::{Machine, start};
use std::path::Path;
use std::process::Command;

/// Making a process namespace takes root.
fn may_unshare() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root makes process namespaces");
    }
    root
}

/// A command line of the machine, run in a process namespace of its own by `outer`.
fn contained(machine: &Machine, outer: &[&str], arguments: &[&str]) -> Command {
    let inner = machine.command(arguments);
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

const UNSHARE: [&str; 5] = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

#[test]
fn a_daemon_outside_the_process_namespace_serves() {
    if !may_unshare() {
        return;
    }
    let machine = Machine::new();
    machine.sh(1, "true").well();
    let run = start(&mut contained(
        &machine,
        &UNSHARE,
        &["run", "-n", "2", "echo", "x"],
    ))
    .finish();
    assert_eq!(run.well().text(), "x\nx\n");
}

#[test]
fn a_terminal_of_a_session_outside_the_process_namespace_is_read() {
    if !may_unshare() || !Path::new("/usr/bin/script").exists() {
        return;
    }
    let machine = Machine::new();
    let inner = contained(
        &machine,
        &UNSHARE,
        &["run", "-n", "1", "sh", "-c", "'test -t 0 && echo terminal'"],
    );
    // A terminal of its own for one command line.
    let mut line: Vec<&str> = vec![UNSHARE[0]];
    line.extend(inner.get_args().map(|argument| argument.to_str().unwrap()));
    let mut script = Command::new("script");
    script.args(["-qec", &line.join(" "), "/dev/null"]);
    script.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let run = start(script.stdin(std::process::Stdio::null())).finish();
    assert_eq!((run.code, run.text().trim()), (0, "terminal"));
}
