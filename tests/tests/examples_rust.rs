//! Every Rust example on 1 to 8 tasks, under the launcher, against its expected output.

use pvm::testing::{LocalVm, host_count};
use pvm_tests::program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TASKS: [usize; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn start() -> LocalVm {
    LocalVm::hosts(host_count()).unwrap_or_else(|error| panic!("{error}"))
}

fn run(vm: &LocalVm, tasks: usize, example: &str, arguments: &[&Path]) -> Output {
    vm.run(tasks, program(example), arguments).unwrap()
}

/// Runs an example on every number of tasks; nothing but the expected text may come out.
fn check(example: &str, arguments: &[&Path], expected: &[u8]) {
    let vm = start();
    for tasks in TASKS {
        let output = run(&vm, tasks, example, arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        let wanted = String::from_utf8_lossy(expected);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "", "{example} on {tasks} tasks complains");
        assert!(
            output.status.success(),
            "{example} on {tasks} tasks: {}",
            output.status
        );
        assert_eq!(text, wanted, "{example} on {tasks} tasks");
    }
}

fn expected(example: &str) -> Vec<u8> {
    fs::read(
        examples()
            .join("expected")
            .join(example)
            .with_extension("txt"),
    )
    .unwrap()
}

fn inputs(names: &[&str]) -> Vec<PathBuf> {
    names
        .iter()
        .map(|name| examples().join("input").join(name))
        .collect()
}

fn paths(owned: &[PathBuf]) -> Vec<&Path> {
    owned.iter().map(PathBuf::as_path).collect()
}

#[test]
fn pi() {
    check("pi", &[], &expected("pi"));
}

#[test]
fn ring() {
    check("ring", &[], &expected("ring"));
}

#[test]
fn heat2d() {
    check("heat2d", &[], &expected("heat2d"));
}

#[test]
fn heat2d_with_more_tasks_than_rows() {
    let rows = Path::new("--rows=3");
    let vm = start();
    let alone = run(&vm, 1, "heat2d", &[rows]);
    let crowd = run(&vm, 8, "heat2d", &[rows]);
    assert!(crowd.status.success());
    assert_eq!(crowd.stdout, alone.stdout);
}

#[test]
fn sort() {
    let files = inputs(&["voyage.txt", "folder/ledger.txt", "folder/last.txt"]);
    check("sort", &paths(&files), &expected("sort"));
}

/// Our own sources: some thousand real lines, many of them equal.
fn sources() -> Vec<PathBuf> {
    let libpvm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../libpvm/src");
    let mut files = Vec::new();
    let mut folders = vec![libpvm];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files
}

#[test]
fn sort_agrees_with_the_systems_sort() {
    let files = sources();
    let system = Command::new("sort")
        .env("LC_ALL", "C")
        .args(&files)
        .output()
        .unwrap();
    check("sort", &paths(&files), &system.stdout);
}

#[test]
fn sort_of_nothing_is_nothing() {
    check("sort", &[Path::new("/dev/null")], b"");
}

#[test]
fn wordcount() {
    let inputs = inputs(&["voyage.txt", "folder"]);
    check("wordcount", &paths(&inputs), &expected("wordcount"));
    // However small the portions, the result is the same.
    let mut arguments = vec![Path::new("--portion=3")];
    arguments.extend(paths(&inputs));
    check("wordcount", &arguments, &expected("wordcount"));
}

#[test]
fn wordcount_agrees_with_the_systems_tools() {
    let files = sources();
    let script = "cat \"$@\" | tr -cs A-Za-z '\\n' | tr A-Z a-z | grep . | sort | uniq -c \
                  | sort -k1,1nr -k2,2 | sed 's/^ *//'";
    let mut shell = Command::new("sh");
    shell
        .env("LC_ALL", "C")
        .args(["-c", script, "sh"])
        .args(&files);
    let counts = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    let words: u64 = counts
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    let mut wanted: String = counts
        .lines()
        .take(10)
        .map(|line| format!("{line}\n"))
        .collect();
    let distinct = counts.lines().count();
    wanted += &format!(
        "{words} words, {distinct} distinct, {} files\n",
        files.len()
    );
    check("wordcount", &paths(&files), wanted.as_bytes());
}

#[test]
fn wordcount_tells_of_files_that_it_cannot_read() {
    let vm = start();
    let mut inputs = inputs(&["voyage.txt", "folder"]);
    inputs.push(PathBuf::from("/no/such/file"));
    for tasks in [1, 4] {
        let output = run(&vm, tasks, "wordcount", &paths(&inputs));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, expected("wordcount"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(errors.matches("/no/such/file").count(), 1, "{errors}");
    }
}

#[test]
fn wordcount_without_a_path_says_how_to_use_it_once() {
    let output = run(&start(), 4, "wordcount", &[]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors.matches("Usage: wordcount").count(), 1, "{errors}");
}

#[test]
fn outside_a_virtual_machine_an_example_says_what_to_type() {
    let program = program("ring");
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.env(pvm::settings::RUNTIME_DIR, dir.path().join("run"));
    let output = command.env_remove(pvm::settings::TASK).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("type: pvm run -n 4 "), "{errors}");
}
