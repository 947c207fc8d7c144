//! `pvm doctor` on one machine.

use pvm_tests::Machine;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::time::Duration;

fn report(machine: &Machine, arguments: &[&str]) -> (i32, Value) {
    let doctor = machine.pvm(&[&["doctor", "--json"], arguments].concat());
    let report = serde_json::from_slice(&doctor.out);
    (
        doctor.code,
        report.unwrap_or_else(|error| panic!("{error}: {doctor:?}")),
    )
}

/// This machine may have problems of its own; they are those of any virtual machine on it.
fn expected_code(report: &Value) -> i32 {
    i32::from(report["problems"].as_u64().unwrap() > 0)
}

#[test]
fn without_a_machine_this_host_is_looked_at_and_none_is_started() {
    let machine = Machine::new();
    let (code, found) = report(&machine, &[]);
    assert_eq!(code, expected_code(&found), "{found}");
    assert_eq!(found["machine"], false);
    assert_eq!(found["hosts"].as_array().unwrap().len(), 1);
    let health = &found["hosts"][0]["health"];
    assert!(
        health["memory"]["total_kib"].as_u64().unwrap() > 0,
        "{health}"
    );
    let place = health["runtime_dir"]["path"].as_str().unwrap();
    assert_eq!(place, machine.runtime_dir().to_str().unwrap());
    let doctor = machine.pvm(&["doctor"]);
    assert!(
        doctor.err.contains("only this host was looked at"),
        "{doctor:?}"
    );
    assert_eq!(doctor.err.lines().count(), 1, "{doctor:?}");
    assert!(doctor.text().starts_with("HOST "), "{doctor:?}");
    let doctor = machine.pvm(&["doctor", "no-such-host.invalid"]);
    let both = "only this host was looked at, and no-such-host.invalid through ssh";
    assert!(doctor.err.contains(both), "{doctor:?}");
    assert!(machine.processes().is_empty());
}

#[test]
fn hosts_and_their_ways_are_shown() {
    let machine = Machine::with_hosts(3);
    let (code, found) = report(&machine, &[]);
    assert_eq!(code, expected_code(&found), "{found}");
    assert_eq!(found["machine"], true);
    let ways = found["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 6);
    assert!(ways.iter().all(|way| way["answered"] == true), "{found}");
    let text = machine.pvm(&["doctor"]).text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("FROM/TO "), "{text}");
    assert_eq!(
        lines[1..4]
            .iter()
            .filter(|line| line.contains(" ms"))
            .count(),
        3,
        "{text}"
    );
    assert!(lines[4].starts_with("HOST "), "{text}");
    assert!(text.contains("\n3 hosts, all 6 ways open, "), "{text}");
    let (_, second) = report(&machine, &["2"]);
    assert_eq!(second["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(second["hosts"][0]["index"], 2);
    assert_eq!(second["ways"].as_array().unwrap().len(), 2);
}

#[test]
fn a_daemon_that_is_stopped_is_told_of_in_time() {
    let machine = Machine::with_hosts(1);
    let daemons = machine.processes();
    let [(pid, _)] = daemons[..] else {
        panic!("{daemons:?}");
    };
    let signal = |signal| kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    let doctor = machine.pvm(&["doctor"]);
    signal(Signal::CONT);
    assert!(doctor.took < Duration::from_secs(10), "{doctor:?}");
    assert_eq!(doctor.code, 125, "{doctor:?}");
    assert!(doctor.err.contains("pgrep -a pvmd"), "{doctor:?}");
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let machine = Machine::new();
    for words in [&["doctor", "--no-such-option"][..], &["doctor", "node[3-"]] {
        let doctor = machine.pvm(words);
        assert_eq!(
            (doctor.code, doctor.err.lines().count()),
            (2, 1),
            "{doctor:?}"
        );
        assert!(doctor.err.contains("pvm doctor --help"), "{doctor:?}");
    }
    // A name that has no address is found without anybody waiting for ssh.
    let (code, found) = report(&machine, &["no-such-host.invalid"]);
    assert_eq!(code, 1, "{found}");
}
