//! What programs of MPI find of what their launcher was told.

mod c_support;

use c_support::{Bench, assert_prints};

#[test]
fn each_program_of_a_line_finds_its_number_the_universe_and_the_first_handler() {
    let bench = Bench::new();
    let program = bench.mpi("bindings-c/tests/mpi/told.c");
    for handler in ["return", "abort"] {
        let mut command = bench.pvm("run");
        command.args(["-initial-errhandler", &format!("mpi_errors_{handler}")]);
        command.args(["-usize", "1234"]);
        for (number, count) in [("0", "1"), ("1", "2")] {
            if number != "0" {
                command.arg(":");
            }
            command.args(["-n", count]).arg(&program);
            command.args([number, "1234", handler]);
        }
        let output = command.output().expect("pvm runs");
        assert_prints(&output, "", handler);
    }
}
