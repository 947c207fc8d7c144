//! Every C and Fortran example on 1 to 8 tasks, against its expected output.

mod c_support;

use c_support::{Bench, assert_prints, root};
use std::path::Path;

fn expected(language: &str, name: &str) -> String {
    let path = format!("examples/{language}/expected/{name}.txt");
    std::fs::read_to_string(root().join(path)).expect("an expected output")
}

fn on_1_to_8_tasks(bench: &Bench, program: &Path, expected: &str) {
    for tasks in 1..=8 {
        let output = bench.run(tasks, program, &[]);
        assert_prints(
            &output,
            expected,
            &format!("{} -n {tasks}", program.display()),
        );
    }
}

fn c_example(name: &str) {
    let bench = Bench::new();
    let program = bench.c(&format!("examples/c/{name}.c"), &[]);
    on_1_to_8_tasks(&bench, &program, &expected("c", name));
}

fn fortran_example(file: &str) {
    let bench = Bench::new();
    let Some(program) = bench.fortran(&format!("examples/fortran/{file}"), &[]) else {
        return;
    };
    let name = Path::new(file).file_stem().expect("a name");
    on_1_to_8_tasks(
        &bench,
        &program,
        &expected("fortran", &name.to_string_lossy()),
    );
}

#[test]
fn c_master_worker() {
    c_example("master_worker");
}

#[test]
fn c_matmul() {
    c_example("matmul");
}

#[test]
fn fortran_spmd() {
    fortran_example("spmd.f");
}

#[test]
fn fortran_heat() {
    fortran_example("heat.f90");
}

#[test]
fn a_master_can_spawn_its_workers() {
    let bench = Bench::new();
    let program = bench.c("examples/c/master_worker.c", &[]);
    let expected = expected("c", "master_worker");
    for workers in ["1", "3", "7"] {
        let output = bench.run(1, &program, &[workers]);
        assert_prints(&output, &expected, &format!("{workers} workers"));
    }
}
