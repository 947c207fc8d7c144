//! `pvm ps`, `conf`, `kill`, `halt`, `version`.

use pvm_tests::{Machine, eventually};
use serde_json::Value;

fn tasks(machine: &Machine) -> Vec<Value> {
    let ps = machine.pvm(&["ps", "--json"]);
    serde_json::from_slice(&ps.out).unwrap_or_default()
}

#[test]
fn without_a_machine_none_is_started() {
    let machine = Machine::new();
    for words in [&["ps"][..], &["conf", "--json"], &["kill", "j1"]] {
        let run = machine.pvm(words);
        assert_eq!((run.code, run.text().as_str()), (3, ""), "{words:?}");
        assert!(
            run.err.contains("no virtual machine is running"),
            "{}",
            run.err
        );
        assert!(run.err.contains("default.sock"), "{}", run.err);
    }
    assert_eq!(machine.pvm(&["halt"]).code, 0);
    let version = machine.pvm(&["version"]).well();
    assert!(version.text().starts_with("pvm "), "{}", version.text());
    assert!(machine.processes().is_empty());
}

#[test]
fn tasks_are_listed_and_killed() {
    let machine = Machine::new();
    let words = ["run", "-n", "3", "--on-failure=continue", "sleep", "300"];
    let running = machine.start(&words);
    eventually("three tasks", || tasks(&machine).len() == 3);
    let list = tasks(&machine);
    let ranks: Vec<_> = list
        .iter()
        .map(|task| task["rank"].as_u64().unwrap())
        .collect();
    assert_eq!(ranks, [0, 1, 2]);
    assert!(
        list.iter()
            .all(|task| task["program"].as_str().unwrap().contains("sleep"))
    );

    let ids: Vec<&str> = list
        .iter()
        .map(|task| task["task"].as_str().unwrap())
        .collect();
    let plain = machine.pvm(&["ps"]).well().text();
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines[0].starts_with("JOB") && lines[1].contains(ids[0]),
        "{plain}"
    );

    let conf = machine.pvm(&["conf", "--json"]).well();
    let hosts: Vec<Value> = serde_json::from_slice(&conf.out).unwrap();
    assert_eq!((hosts.len(), hosts[0]["tasks"].as_u64()), (1, Some(3)));
    assert_eq!(hosts[0]["jobs"].as_u64(), Some(1));
    let format = &hosts[0]["data_format"];
    let order = if cfg!(target_endian = "big") {
        "big"
    } else {
        "little"
    };
    assert_eq!(format["byte_order"], order);
    let pointer = size_of::<usize>() as u64;
    assert_eq!(format["sizes"]["pointer"].as_u64(), Some(pointer));
    assert!(format["page_size"].as_u64().is_some_and(|size| size > 0));
    assert!(machine.pvm(&["conf"]).well().text().starts_with("HOST"));

    machine.pvm(&["kill", "-USR1", ids[1]]).well();
    eventually("one is gone", || tasks(&machine).len() == 2);
    let job = list[0]["job"].as_str().unwrap();
    machine.pvm(&["kill", job, "-s", "KILL"]).well();
    let run = running.finish();
    assert_eq!(run.code, 128 + libc::SIGUSR1, "{}", run.err);
    assert!(
        run.err.contains("rank 1 ") && run.err.contains("SIGUSR1"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("ranks 0,2 failed too: SIGKILL"),
        "{}",
        run.err
    );

    let gone = machine.pvm(&["kill", job]);
    assert_eq!(
        (gone.code, gone.err.lines().count()),
        (1, 1),
        "{}",
        gone.err
    );
    assert_eq!(machine.pvm(&["kill", "-s", "TREM", job]).code, 2);
}

#[test]
fn halt_spares_running_jobs_unless_forced() {
    let machine = Machine::new();
    let running = machine.start(&["run", "sleep", "300"]);
    eventually("a task", || tasks(&machine).len() == 1);
    let refused = machine.pvm(&["halt"]);
    assert_eq!(
        (refused.code, refused.err.lines().count()),
        (1, 1),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("--force"), "{}", refused.err);
    machine.pvm(&["halt", "--force"]).well();
    let run = running.finish();
    assert_eq!(run.code, 125, "{}", run.err);
    assert!(run.err.contains("halted"), "{}", run.err);
    machine.assert_gone("");
}

#[test]
fn help_has_examples_and_codes() {
    let machine = Machine::new();
    let help = machine.pvm(&["run", "--help"]).well().text();
    for part in ["Examples:", "-np", "Exit codes:", "130"] {
        assert!(help.contains(part), "{part}");
    }
    assert_eq!(machine.pvm(&["help", "run"]).well().text(), help);
    for verb in ["ps", "conf", "doctor", "kill", "halt", "version"] {
        let help = machine.pvm(&[verb, "-h"]).well().text();
        assert!(help.contains("Examples:"), "{verb}");
    }
}
