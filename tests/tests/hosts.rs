//! Several hosts on one machine: what users see of a virtual machine that spans them.

use pvm_tests::{GONE, Machine, eventually, kill, program, start};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How soon a host that was killed has to be known as lost.
const LOST: Duration = Duration::from_secs(15);

/// The names of the hosts.
fn hosts(machine: &Machine) -> BTreeSet<String> {
    let conf = machine.pvm(&["conf", "--json"]).out;
    let conf: Vec<serde_json::Value> = serde_json::from_slice(&conf).unwrap_or_default();
    let name = |host: &serde_json::Value| host["host"].as_str().unwrap().to_owned();
    conf.iter().map(name).collect()
}

/// The name of host number `number`, as `pvm up --local-hosts` gives it.
fn name(number: usize) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    match number {
        1 => host,
        number => format!("{host}-{number}"),
    }
}

fn daemon_of(machine: &Machine, number: usize) -> i32 {
    let file = match number {
        1 => "default.lock".to_owned(),
        number => format!("default.{number}.lock"),
    };
    let pid = std::fs::read_to_string(machine.runtime_dir().join(file)).unwrap();
    pid.trim().parse().unwrap()
}

#[test]
fn hosts_come_with_one_command_and_leave_with_one() {
    let machine = Machine::with_hosts(3);
    assert_eq!(hosts(&machine), (1..=3).map(name).collect());
    let again = machine.pvm(&["up", "--local-hosts", "3"]).well();
    assert_eq!(again.text().lines().count(), 4, "{}", again.text());
    machine.pvm(&["halt"]).well();
    machine.assert_gone("");
    let files: Vec<_> = std::fs::read_dir(machine.runtime_dir())
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let log = std::fs::read_to_string(machine.runtime_dir().join("default.log"));
    assert!(files.is_empty(), "{files:?} {log:?}");
}

#[test]
fn tasks_run_where_they_are_wanted_and_all_their_output_arrives() {
    let machine = Machine::with_hosts(3);
    let where_am_i = "echo $PVM_RANK $PVM_SIZE $OMPI_COMM_WORLD_LOCAL_RANK ${PVM_SOCKET##*/}";
    let on = |arguments: &[&str]| {
        let mut line = vec!["run"];
        line.extend(arguments);
        line.extend(["sh", "-c", where_am_i]);
        machine.pvm(&line).well().sorted()
    };
    let (first, second, third) = ("default.sock", "default.2.sock", "default.3.sock");
    assert_eq!(
        on(&["-n", "4", "--map-by", "host"]),
        [
            format!("0 4 0 {first}"),
            format!("1 4 0 {second}"),
            format!("2 4 0 {third}"),
            format!("3 4 1 {first}"),
        ]
    );
    assert_eq!(
        on(&["-n", "3", "-ppn", "2"]),
        [
            format!("0 3 0 {first}"),
            format!("1 3 1 {first}"),
            format!("2 3 0 {second}"),
        ]
    );
    let list = format!("{},{}:2", name(3), name(2));
    assert_eq!(
        on(&["-n", "3", "-N", "1", "-host", &list]),
        [
            format!("0 3 0 {third}"),
            format!("1 3 0 {second}"),
            format!("2 3 1 {second}"),
        ]
    );
    let seq = machine.pvm(&["run", "-n", "6", "--map-by", "host", "seq", "20000"]);
    let out = seq.well().text();
    assert_eq!(out.lines().count(), 6 * 20_000);
    assert!(out.lines().all(|line| line.parse::<u32>().is_ok()), "torn");
}

#[test]
fn what_means_something_on_one_host_alone_does_not_travel() {
    let machine = Machine::new();
    let mut up = machine.command(&["up", "--local-hosts", "2"]);
    start(up.env("TMPDIR", "/there").env("DISPLAY", ":9"))
        .finish()
        .well();
    let script = "echo $PVM_RANK $TMPDIR $DISPLAY $SSH_TTY $PLAIN";
    let run = |more: &[&str]| {
        let line = [
            &["run", "-n", "2", "--map-by", "host"],
            more,
            &["sh", "-c", script],
        ]
        .concat();
        let mut run = machine.command(&line);
        let here = [
            ("TMPDIR", "/here"),
            ("DISPLAY", ":1"),
            ("SSH_TTY", "tty"),
            ("PLAIN", "x"),
        ];
        start(run.envs(here)).finish().well().sorted()
    };
    assert_eq!(run(&[]), ["0 /here :1 tty x", "1 /there x"]);
    let named = run(&["-x", "DISPLAY", "-x", "TMPDIR=/all", "-x", "UNSET_HERE"]);
    assert_eq!(named, ["0 /all :1 tty x", "1 /all :1 x"]);
}

#[test]
fn a_failure_on_another_host_has_its_name_and_ends_all() {
    let machine = Machine::with_hosts(2);
    let script = "test $PVM_RANK = 1 && exit 7; exec sleep 60";
    let line = ["run", "-n", "4", "--map-by", "host", "sh", "-c", script];
    let run = machine.pvm(&line);
    assert_eq!(run.code, 7, "{}", run.err);
    assert!(
        run.err.contains(&format!(" on {})", name(2))),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("3 other tasks were stopped"),
        "{}",
        run.err
    );
    let none = machine.pvm(&["run", "-n", "2", "--map-by", "host", "./no-such-program"]);
    assert_eq!(
        (none.code, none.err.lines().count()),
        (127, 1),
        "{}",
        none.err
    );
    let nowhere = machine.pvm(&["run", "-H", "nowhere", "true"]);
    // It is to be added, through ssh; with or without one that does not work.
    let told = nowhere.err.contains("cannot start pvmd on nowhere");
    assert!(told && nowhere.err.lines().count() == 1, "{}", nowhere.err);
    assert_eq!(nowhere.code, 125);
}

#[test]
fn the_examples_run_on_three_hosts() {
    let machine = Machine::with_hosts(3);
    let run = |tasks: &str, example: &str, arguments: &[&str]| {
        let path = program(example);
        let mut line = vec![
            "run",
            "-n",
            tasks,
            "--map-by",
            "host",
            path.to_str().unwrap(),
        ];
        line.extend(arguments);
        machine.pvm(&line).well().text()
    };
    assert!(run("6", "ring", &[]).contains("each counted 1000 times"));
    assert!(run("5", "pi", &[]).starts_with("pi is about 3.14159265"));
    assert!(run("6", "heat2d", &[]).contains("as in the serial run"));
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../LICENSE-APACHE");
    let counted = |tasks| run(tasks, "wordcount", &[text]);
    assert_eq!(counted("1"), counted("4"));
}

#[test]
fn a_host_that_is_killed_is_lost_and_the_others_go_on() {
    // Each of the three, the first included.
    for victim in 1..=3 {
        let machine = Machine::with_hosts(3);
        // From a host that lives on.
        let home = if victim == 1 { "default.2" } else { "default" };
        let mut line =
            machine.command(&["run", "-n", "6", "--map-by", "host", "--", "sleep", "60"]);
        line.env(pvm::settings::DAEMON, home);
        let running = pvm_tests::start(&mut line);
        eventually("six tasks run", || {
            machine
                .processes()
                .iter()
                .filter(|(_, line)| line.starts_with("sleep 60"))
                .count()
                == 6
        });
        let start = Instant::now();
        kill(daemon_of(&machine, victim), libc::SIGKILL);
        let end = running.finish();
        let took = start.elapsed();
        assert_eq!(end.code, 125, "{}", end.err);
        assert!(
            end.err.contains(&format!(" on {}) was lost", name(victim))),
            "{}",
            end.err
        );
        assert!(took < LOST, "{took:?}");
        eprintln!("host {victim} was known as lost after {took:?}");
        let left: BTreeSet<_> = (1..=3).filter(|it| *it != victim).map(name).collect();
        eventually("it is off the list", || hosts(&machine) == left);
        let tasks = machine.pvm(&["run", "-n", "4", "--map-by", "host", "echo", "on"]);
        assert_eq!(tasks.well().text(), "on\n".repeat(4));
        let since = Instant::now();
        eventually("nothing of it is left", || {
            !machine
                .processes()
                .iter()
                .any(|(_, line)| line.starts_with("sleep 60"))
        });
        assert!(since.elapsed() < GONE);
        machine.pvm(&["halt"]).well();
    }
}

#[test]
fn hosts_are_added_with_a_token_and_deleted_by_name() {
    let machine = Machine::new();
    let token = machine.pvm(&["token"]);
    assert_eq!(token.code, 3, "{}", token.err);
    machine.pvm(&["up"]).well();
    let token = machine.pvm(&["token", "--uses", "1"]).well().text();
    let join = |name: &str| {
        let mut command = machine.named(&program("pvmd"), &["join", "--token", token.trim()]);
        command.args(["--name", name]);
        // It has no secret, and is to get it.
        command.env(pvm::settings::SECRET, machine.dir().join("none"));
        pvm_tests::start(&mut command).finish()
    };
    assert_eq!(join("default.2").code, 0);
    assert_eq!(hosts(&machine).len(), 2);
    let used = join("default.3");
    assert_eq!(
        (used.code, used.err.lines().count()),
        (1, 1),
        "{}",
        used.err
    );
    assert!(used.err.contains("used"), "{}", used.err);
    let stranger = machine.pvm(&["delete", "nobody"]);
    assert_eq!(
        (stranger.code, stranger.err.lines().count()),
        (1, 1),
        "{}",
        stranger.err
    );
    machine.pvm(&["delete", &name(2)]).well();
    assert_eq!(hosts(&machine), [name(1)].into());
}
