//! The C interface: every call with good and bad arguments, headers, names, symbols.

mod c_support;

use c_support::{Bench, assert_prints, has, make_stub, root, text, written_exports};
use pvm::limits::LEDGER_SNAPSHOT_ENTRIES;
use pvm::settings;
use pvm_tests::program;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn every_call_does_what_the_manual_says() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/calls.c", &[]);
    for tasks in [1, 2, 3, 8] {
        let output = bench.run(tasks, &program, &[]);
        assert_prints(&output, "all checks passed\n", &format!("{tasks} tasks"));
    }
}

/// Under the two spellings of external names that gfortran has.
#[test]
fn fortran_forms_take_fortran_arguments() {
    for spelling in ["-funderscoring", "-fno-underscoring"] {
        let bench = Bench::new();
        let source = "bindings-c/tests/fortran/fcalls.f90";
        let Some(program) = bench.fortran(source, &[spelling]) else {
            return;
        };
        let output = bench.run(1, &program, &[]);
        assert_eq!(text(&output.stdout), "all checks passed\n", "{spelling}");
        let complaint = without_ids(&text(&output.stderr));
        assert_eq!(complaint, "libpvm [tN]: fcalls: Bad parameter\n");
    }
}

/// A task that forks stays the task; its child is none, and becomes another one if it asks.
#[test]
fn a_forked_child_is_not_its_parent() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/forks.c", &[]);
    for _ in 0..3 {
        let output = bench.run(2, &program, &[]);
        assert_prints(&output, "all checks passed\n", "forks");
    }
}

/// Task numbers differ from run to run.
fn without_ids(text: &str) -> String {
    let anonymous = text.lines().map(|line| match line.split_once("[t") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            format!("{before}[tN{rest}\n")
        }
        None => format!("{line}\n"),
    });
    anonymous.collect()
}

#[test]
fn errors_are_reported_as_pvm_reports_them() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/complaints.c", &[]);
    let output = bench.run(1, &program, &[]);
    let expected = root().join("bindings-c/tests/c/complaints.txt");
    let expected = std::fs::read_to_string(expected).expect("the expected text");
    assert_eq!(without_ids(&text(&output.stderr)), expected);
    assert!(output.status.success());
}

#[test]
fn without_a_daemon_programs_are_told_so() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/complaints.c", &[]);
    let output = Command::new(&program)
        .env(pvm::settings::RUNTIME_DIR, bench.path("run"))
        .env_remove(pvm::settings::TASK)
        .output()
        .expect("the program runs");
    let complaint = text(&output.stderr);
    assert!(complaint.contains("no daemon at"), "{complaint}");
    assert!(
        complaint.contains("pvm_mytid(): Can't contact local daemon"),
        "{complaint}"
    );
}

#[test]
fn the_headers_suit_every_dialect() {
    let check = |header: &str, compiler: &str, flags: &[&str]| {
        let output = Command::new(compiler)
            .args(flags)
            .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-include"])
            .arg(root().join("bindings-c/include").join(header))
            .arg("/dev/null")
            .output()
            .expect("the compiler runs");
        assert!(
            output.status.success(),
            "{header} {flags:?}: {}",
            text(&output.stderr)
        );
    };
    for header in ["pvm3.h", "mpi.h"] {
        for standard in ["-std=c89", "-std=c99", "-std=c11", "-std=gnu2x"] {
            check(header, "gcc", &[standard, "-pedantic", "-x", "c"]);
        }
        if has("g++") {
            check(header, "g++", &["-pedantic", "-x", "c++"]);
        }
    }
}

#[test]
fn exactly_the_written_symbols_are_exported() {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(program("libpvmcore.so"))
        .output()
        .expect("nm runs");
    let listing = text(&output.stdout);
    let found = listing
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    let found: BTreeSet<&str> = found.collect();
    let written = written_exports();
    let written: BTreeSet<&str> = written.iter().map(|(_, name)| name.as_str()).collect();
    let missing: Vec<_> = written.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&written).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "bindings-c/exports.txt: missing {missing:?}, not listed {surplus:?}"
    );
}

/// A program built for another implementation asks for `libpvm3.so.3` and `libgpvm3.so.3`; both
/// are this library, loaded once.
#[test]
fn programs_built_for_other_implementations_run() {
    let bench = Bench::new();
    let program = {
        let stubs = bench.path("stubs");
        std::fs::create_dir(&stubs).expect("a new directory");
        for library in ["pvm3", "gpvm3"] {
            make_stub(&stubs, library, &format!("lib{library}.so.3"));
        }
        let program = bench.path("foreign");
        let status = Command::new("gcc")
            .args(["-D_DEFAULT_SOURCE", "-o"])
            .arg(&program)
            .arg(root().join("examples/c/matmul.c"))
            .arg("-I")
            .arg(root().join("bindings-c/include"))
            .arg("-L")
            .arg(&stubs)
            .args(["-lgpvm3", "-lpvm3", "-Wl,-z,now"])
            .arg(format!("-Wl,-rpath,{}", bench.path("lib").display()))
            .status();
        assert!(status.expect("gcc runs").success());
        program
    };
    for name in ["libpvm3.so.3", "libgpvm3.so.3"] {
        symlink(
            pvm_tests::program("libpvmcore.so"),
            bench.path("lib").join(name),
        )
        .expect("a new link");
    }
    let expected = std::fs::read_to_string(root().join("examples/c/expected/matmul.txt"));
    let output = bench.run(3, &program, &[]);
    assert_prints(&output, &expected.expect("an expected output"), "foreign");
}

/// Nobody keeps all events for ever: who comes after so many is told what is so, in one piece.
#[test]
fn a_host_that_comes_late_knows_all_others() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/busy.c", &[]);
    let up = |hosts: &str| {
        let up = bench.pvm("up").args(["--local-hosts", hosts]).output();
        let up = up.expect("pvm runs");
        assert!(up.status.success(), "{}", text(&up.stderr));
    };
    up("2");
    // Two events each.
    let turns = (LEDGER_SNAPSHOT_ENTRIES * 9 / 16).to_string();
    assert_prints(&bench.run(1, &program, &[&turns]), "busy no more\n", "busy");
    up("3");
    for daemon in ["default", "default.2", "default.3"] {
        let mut conf = bench.pvm("conf");
        conf.arg("--json").env(settings::DAEMON, daemon);
        let conf = text(&conf.output().expect("pvm runs").stdout);
        let hosts: Vec<serde_json::Value> = serde_json::from_str(&conf).expect("JSON");
        assert_eq!(hosts.len(), 3, "{daemon}: {conf}");
    }
}
