//! What goes wrong at once: one clear line, a code, and a daemon that lives.

use pvm_tests::{Machine, start};
use std::os::unix::fs::PermissionsExt;

/// Runs, and checks for one line on stderr, nothing on stdout, and a living daemon.
#[track_caller]
fn refused(machine: &Machine, words: &[&str], code: i32, parts: &[&str]) {
    let run = machine.pvm(words);
    assert_eq!(
        (run.code, run.text().as_str()),
        (code, ""),
        "{words:?}: {}",
        run.err
    );
    assert_eq!(run.err.lines().count(), 1, "{words:?}: {}", run.err);
    for part in parts {
        assert!(
            run.err.contains(part),
            "{words:?}: {} lacks '{part}'",
            run.err
        );
    }
    assert!(
        run.err.starts_with("pvm run: ") || run.err.starts_with("pvm: "),
        "{}",
        run.err
    );
    machine.assert_alive();
}

/// The start of a program for another processor.
fn foreign_elf() -> Vec<u8> {
    const MACHINE_S390: u8 = 22;
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 2, 1]);
    header[17] = 2; // an executable, big-endian
    header[19] = MACHINE_S390;
    header[23] = 1;
    header[53] = 64;
    header
}

#[test]
fn programs_that_cannot_run() {
    let machine = Machine::new();
    let missing = "no-such-program-here";
    refused(
        &machine,
        &["run", "-n", "2", missing],
        127,
        &[missing, "PATH"],
    );
    refused(&machine, &["run", "./no/such"], 127, &["./no/such"]);
    refused(&machine, &["run", "/tmp"], 126, &["/tmp", "directory"]);

    let plain = machine.dir().join("plain");
    std::fs::write(&plain, "#!/bin/sh\necho no\n").unwrap();
    refused(
        &machine,
        &["run", plain.to_str().unwrap()],
        126,
        &["plain", "chmod"],
    );

    let foreign = machine.dir().join("foreign");
    std::fs::write(&foreign, foreign_elf()).unwrap();
    std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o755)).unwrap();
    refused(
        &machine,
        &["run", foreign.to_str().unwrap()],
        126,
        &["foreign", "s390"],
    );
}

#[test]
fn lines_that_make_no_sense() {
    let machine = Machine::new();
    let cases: [(&[&str], &[&str]); 8] = [
        (&["run", "--wdri", "/", "true"], &["'--wdri'", "'--wdir'"]),
        (&["run", "-tag-ouput", "true"], &["'-tag-output'"]),
        (&["run", "-n", "0", "true"], &["'0'", "-n 4"]),
        (&["run", "-n", "99999999", "true"], &["99999999", "100000"]),
        (&["run", "-n", "2"], &["no program"]),
        (&["run", "--stdin", "2", "-n", "2", "true"], &["0 to 1"]),
        (&["run", "--timeout", "soon", "true"], &["'soon'", "10m"]),
        (&["rnu", "true"], &["'pvm run'"]),
    ];
    for (words, parts) in cases {
        refused(&machine, words, 2, parts);
    }
}

#[test]
fn directories_that_are_not_there() {
    let machine = Machine::new();
    refused(
        &machine,
        &["run", "-wdir", "/no/such/dir", "true"],
        125,
        &["/no/such/dir"],
    );
    let second = ["run", "true", ":", "-wdir", "/dev/null", "true"];
    refused(&machine, &second, 125, &["/dev/null"]);
}

#[test]
fn one_bad_program_of_many_starts_none() {
    let machine = Machine::new();
    let mark = machine.dir().join("mark");
    let missing = "no-such-program-here";
    refused(
        &machine,
        &["run", "touch", mark.to_str().unwrap(), ":", missing],
        127,
        &[missing],
    );
    assert!(!mark.exists());
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    let machine = Machine::new();
    let mut command = machine.command(&["run", "true"]);
    let run = start(command.env(pvm::settings::PVMD, "/no/such/pvmd")).finish();
    assert_eq!(run.code, 125);
    assert!(
        run.err.contains("/no/such/pvmd") && run.err.lines().count() == 1,
        "{}",
        run.err
    );
}
