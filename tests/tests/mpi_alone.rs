//! Programs of MPI that no launcher of ours has started.

mod c_support;

use c_support::{Bench, assert_prints, text};
use pvm::settings;
use std::path::PathBuf;
use std::process::Output;

fn groups() -> (Bench, PathBuf) {
    let bench = Bench::new();
    let program = bench.mpi("bindings-c/tests/mpi/groups.c");
    (bench, program)
}

/// A daemon is started for the first one, and is there for the next.
#[test]
fn a_program_that_is_started_by_hand_is_a_world_of_one() {
    let (bench, program) = groups();
    for turn in ["the first", "the second"] {
        let output = bench.alone(&program).output().expect("the program runs");
        assert_prints(&output, "", turn);
    }
}

/// The program fails, and says this in one line.
fn assert_says(output: &Output, parts: &[&str]) {
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.lines().count() == 1,
        "{said}"
    );
    for part in parts {
        assert!(said.contains(part), "no '{part}' in: {said}");
    }
}

#[test]
fn where_no_daemon_can_be_started_that_is_said() {
    let (bench, program) = groups();
    if pvm::testing::host_count() > 1 {
        return; // There the daemons run.
    }
    let mut command = bench.alone(&program);
    let output = command.env(settings::PVMD, "/no/such/pvmd").output();
    let parts = ["MPI_Init", "/no/such/pvmd", settings::PVMD, "mpiexec -n 1"];
    assert_says(&output.expect("the program runs"), &parts);
}

#[test]
fn the_launcher_of_another_mpi_is_told_of() {
    let (bench, program) = groups();
    let started = |rank: &str| {
        let mut command = bench.alone(&program);
        command
            .env(settings::PMI_FD, "9")
            .env(settings::PMI_RANK, rank);
        let output = command.env(settings::PMI_SIZE, "3").output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let said = started("0");
    assert!(said.contains("-n 3") && said.lines().count() == 1, "{said}");
    assert_eq!(started("1"), "");
}
