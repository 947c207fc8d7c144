//! What fingers know of other launchers, done: binding, files, environments, hosts, and programs of other MPIs.

use pvm_tests::{Finished, Machine, start};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SHELL_ALLOWED: &str = "grep Cpus_allowed_list /proc/self/status";

/// CPUs that this process may use, which are those that tasks may use.
fn cpus() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap();
    let all = 0..rustix::thread::CpuSet::MAX_CPU;
    all.filter(|cpu| set.is_set(*cpu)).collect()
}

/// Runs `mpiexec` in the machine's folder.
fn mpiexec(machine: &Machine, words: &[&str]) -> Finished {
    let link = machine.dir().join("mpiexec");
    if !link.exists() {
        std::os::unix::fs::symlink(pvm_tests::program("pvm"), &link).unwrap();
    }
    let mut command = machine.named(&link, words);
    start(command.current_dir(machine.dir())).finish()
}

#[test]
fn bound_tasks_run_where_they_are_told() {
    let machine = Machine::new();
    let cpus = cpus();
    let count = (cpus.len() + 1).to_string();
    let words = ["-n", &count, "-bind-to", "hwthread", "-report-bindings"];
    let run = mpiexec(
        &machine,
        &[&words[..], &["sh", "-c", SHELL_ALLOWED]].concat(),
    );
    let mut expected: Vec<String> = cpus
        .iter()
        .map(|cpu| format!("Cpus_allowed_list:\t{cpu}"))
        .collect();
    expected.push(expected[0].clone());
    expected.sort();
    assert_eq!((run.code, run.sorted()), (0, expected));
    assert_eq!(run.err.lines().count(), cpus.len() + 1, "{}", run.err);
    for line in run.err.lines() {
        assert!(
            line.starts_with("pvm run: rank ") && line.contains(" is bound to CPU "),
            "{line}"
        );
    }
}

#[test]
fn tasks_that_are_not_bound_may_run_everywhere() {
    let machine = Machine::new();
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list"))
        .unwrap();
    let run = mpiexec(&machine, &["-n", "1", "sh", "-c", SHELL_ALLOWED]).well();
    assert_eq!(run.text().trim(), own);
}

#[test]
fn bindings_that_cannot_be_are_told_before_anything_starts() {
    let machine = Machine::new();
    let mark = machine.dir().join("mark");
    let touch = ["touch", mark.to_str().unwrap()];
    for (words, part) in [
        (
            ["-bind-to", "user:4000"],
            "CPU 4000 is not among those that tasks may use",
        ),
        (["-map-by", "slot:PE=4000"], "each task is to have 4000 of "),
    ] {
        let run = mpiexec(&machine, &[&words[..], &touch].concat());
        assert_eq!((run.code, run.text().as_str()), (125, ""));
        assert!(
            run.err.contains(part) && run.err.lines().count() == 1,
            "{}",
            run.err
        );
    }
    assert!(!mark.exists());
}

#[test]
fn output_goes_to_files() {
    let machine = Machine::new();
    let script = "echo out $PVM_RANK; echo err $PVM_RANK >&2";
    let words = [
        "-n",
        "2",
        "-outfile-pattern",
        "sub/%r.out",
        "-errfile-pattern",
        "sub/%2r.err",
    ];
    let run = mpiexec(&machine, &[&words[..], &["sh", "-c", script]].concat()).well();
    assert_eq!(run.text(), "");
    let read = |name: &str| fs::read_to_string(machine.dir().join(name)).unwrap();
    assert_eq!(
        (read("sub/1.out"), read("sub/00.err")),
        ("out 1\n".into(), "err 0\n".into())
    );

    let words = ["-n", "2", "--output-filename", "logs", "sh", "-c", script];
    let run = mpiexec(&machine, &words);
    assert_eq!(
        (run.code, run.sorted()),
        (0, vec!["out 0".into(), "out 1".into()])
    );
    assert_eq!(read("logs/1/rank.1/stderr"), "err 1\n");
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let machine = Machine::new();
    fs::create_dir(machine.dir().join("taken")).unwrap();
    let words = [
        "-n",
        "1",
        "-outfile-pattern",
        "taken",
        "sh",
        "-c",
        "echo a; echo b",
    ];
    let run = mpiexec(&machine, &words);
    assert_eq!(run.code, 125);
    assert!(
        run.err.starts_with("pvm run: cannot write to taken: "),
        "{}",
        run.err
    );
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
}

#[test]
fn streams_are_merged() {
    let machine = Machine::new();
    let words = [
        "-n",
        "2",
        "--merge-stderr-to-stdout",
        "sh",
        "-c",
        "echo $PVM_RANK >&2",
    ];
    let run = mpiexec(&machine, &words).well();
    assert_eq!(run.sorted(), ["0", "1"]);
}

#[test]
fn lines_begin_as_they_are_told() {
    let machine = Machine::new();
    let run = mpiexec(
        &machine,
        &["-n", "2", "-prepend-pattern", "<%r> ", "echo", "x"],
    )
    .well();
    assert_eq!(run.sorted(), ["<0> x", "<1> x"]);
    let run = mpiexec(&machine, &["-n", "1", "-timestamp-output", "echo", "x"]).well();
    let text = run.text();
    assert!(
        text.len() == 27 && text.starts_with("20") && text.ends_with("Z x\n"),
        "{text}"
    );
}

#[test]
fn environments_are_chosen() {
    let machine = Machine::new();
    let script = "echo $A:$B:$C:$HOME";
    let home = std::env::var(pvm::settings::HOME).unwrap_or_default();
    for (words, expected) in [
        (
            &["-genv", "A", "1", "-env", "B=2"][..],
            format!("1:2::{home}\n"),
        ),
        (&["-genvnone", "-env", "B", "2"], ":2::\n".into()),
        (&["-genvlist", "HOME,NOT_SET"], format!(":::{home}\n")),
        (
            &["-x", "C=3,4", "--mca", "a", "b"],
            format!("::3,4:{home}\n"),
        ),
        (&["--export=NONE"], ":::\n".into()),
    ] {
        let run = mpiexec(&machine, &[words, &["sh", "-c", script]].concat()).well();
        assert_eq!(run.text(), expected, "{words:?}");
    }
}

#[test]
fn programs_are_looked_up_in_their_own_folders_first() {
    let machine = Machine::new();
    let script = machine.dir().join("hostname");
    fs::write(&script, "#!/bin/sh\necho mine\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("/nowhere:{}", machine.dir().display());
    assert_eq!(
        mpiexec(&machine, &["-path", &path, "hostname"])
            .well()
            .text(),
        "mine\n"
    );
}

#[test]
fn files_of_programs() {
    let machine = Machine::new();
    let text = "# two programs\n-n 1 sh -c 'echo \"a  $PVM_RANK\"'\n\n-n 2 -env B two \\\n  sh -c 'echo $B $PVM_RANK/$PVM_SIZE'\n";
    fs::write(machine.dir().join("programs"), text).unwrap();
    let run = mpiexec(&machine, &["-configfile", "programs"]).well();
    assert_eq!(run.sorted(), ["a  0", "two 1/3", "two 2/3"]);
}

#[test]
fn all_ends_are_told() {
    let machine = Machine::new();
    let words = [
        "-n",
        "3",
        "-disable-auto-cleanup",
        "-print-all-exitcodes",
        "sh",
        "-c",
        "exit $((PVM_RANK / 2))",
    ];
    let run = mpiexec(&machine, &words);
    assert_eq!(run.code, 1);
    let lines: Vec<&str> = run.err.lines().collect();
    let ends = &lines[lines.len() - 2..];
    assert_eq!(
        ends,
        [
            "pvm run: ranks 0-1: exit code 0",
            "pvm run: rank 2: exit code 1"
        ]
    );
}

#[test]
fn a_time_limit_of_the_environment() {
    let machine = Machine::new();
    let mut command = machine.command(&["run", "sleep", "100"]);
    let run = start(command.env(pvm::settings::MPIEXEC_TIMEOUT, "0.2")).finish();
    assert_eq!(run.code, 124);
    let mut command = machine.command(&["run", "--timeout", "60", "true"]);
    start(command.env(pvm::settings::MPIEXEC_TIMEOUT, "0.001"))
        .finish()
        .well();
    let mut command = machine.command(&["run", "true"]);
    let run = start(command.env(pvm::settings::MPIEXEC_TIMEOUT, "soon")).finish();
    assert!(
        run.code == 2 && run.err.contains(pvm::settings::MPIEXEC_TIMEOUT),
        "{}",
        run.err
    );
}

#[test]
fn hosts_are_mapped() {
    let machine = Machine::with_hosts(3);
    let map = |words: &[&str]| {
        let run = mpiexec(&machine, &[&["--display-map"], words].concat());
        assert_eq!((run.code, run.text().as_str()), (0, ""), "{}", run.err);
        let line = |line: &str| {
            let words = line.strip_prefix("pvm run: ").unwrap();
            let (ranks, host) = words.split_once(" on ").unwrap();
            let number = host
                .rsplit_once('-')
                .and_then(|(_, number)| number.parse().ok());
            (
                ranks.split_once(' ').unwrap().1.to_owned(),
                number.unwrap_or(1),
            )
        };
        run.err.lines().map(line).collect::<Vec<(String, u32)>>()
    };
    let at = |list: &[(&str, u32)]| {
        list.iter()
            .map(|(ranks, host)| ((*ranks).to_owned(), *host))
            .collect::<Vec<_>>()
    };
    let by_host = at(&[("0,3", 1), ("1", 2), ("2", 3)]);
    assert_eq!(map(&["-n", "4", "--map-by", "node", "true"]), by_host);
    let by_slot = at(&[("0-1", 1), ("2", 2), ("3", 3)]);
    assert_eq!(
        map(&["-n", "4", "--map-by", "node", "--rank-by", "slot", "true"]),
        by_slot
    );
    let each = at(&[("0-1", 1), ("2-3", 2), ("4-5", 3)]);
    assert_eq!(map(&["--map-by", "ppr:2:node", "true"]), each);
    let named = at(&[("0", 3), ("1", 2)]);
    assert_eq!(map(&["-pernode", "-H", "3,2", "true"]), named);
    let on = at(&[("0,2", 2), ("1,3", 3)]);
    assert_eq!(
        map(&[
            "-hosts", "2:1,3:1", "-n", "1", "true", ":", "-n", "3", "true"
        ]),
        on
    );
    let full = mpiexec(
        &machine,
        &["--nooversubscribe", "-H", "2:1,3:1", "-n", "3", "true"],
    );
    assert_eq!(full.code, 125);
    assert!(
        full.err.contains("the hosts take 2 by max-slots="),
        "{}",
        full.err
    );
}

#[test]
fn lines_are_explained_and_nothing_starts() {
    let machine = Machine::new();
    let run = mpiexec(
        &machine,
        &["--explain", "-n", "2", "-genv", "A", "1", "./not-there"],
    )
    .well();
    assert_eq!(run.text(), "2 tasks: ./not-there\n  variable A=1\n");
    assert_eq!(machine.daemon(), None);
    let run = mpiexec(&machine, &["--help"]).well();
    assert!(run.text().contains("--map-by") && !run.text().contains("allow-run-as-root"));
}

/// Makes a library with this name and soname, and a program that is linked with it.
fn linked(dir: &Path, library: &str) -> PathBuf {
    let gcc = |words: &[&str]| {
        let done = Command::new("gcc")
            .args(words)
            .current_dir(dir)
            .status()
            .unwrap();
        assert!(done.success());
    };
    fs::write(
        dir.join("library.c"),
        "int MPI_Init(void *a, void *b) { return 0; }",
    )
    .unwrap();
    fs::write(
        dir.join("program.c"),
        "int MPI_Init(void *, void *); int main(void) { return MPI_Init(0, 0); }",
    )
    .unwrap();
    let soname = format!("-Wl,-soname,{library}");
    gcc(&["-shared", "-fPIC", &soname, "-o", library, "library.c"]);
    let program = format!("with-{library}");
    gcc(&["-o", &program, "program.c", library, "-Wl,-rpath,$ORIGIN"]);
    dir.join(program)
}

#[test]
fn programs_of_another_mpi_are_told_of_in_one_line() {
    let machine = Machine::new();
    for (library, whose) in [
        ("libmpi.so.40", "the library of Open MPI"),
        (
            "libmpi.so.12",
            "the library of MPICH or of an MPI that is made from it",
        ),
        (
            "libmpi_abi.so.1",
            "another MPI's library of the standard ABI",
        ),
    ] {
        let program = linked(machine.dir(), library);
        let run = mpiexec(&machine, &["-n", "2", program.to_str().unwrap()]);
        assert_eq!((run.code, run.err.lines().count()), (0, 1), "{}", run.err);
        for part in [library, whose, "rank 0 of 1"] {
            assert!(run.err.contains(part), "{} lacks '{part}'", run.err);
        }
        mpiexec(&machine, &["-q", "-n", "2", program.to_str().unwrap()]).well();
    }
}

#[test]
fn programs_of_our_own_are_not() {
    let machine = Machine::new();
    let program = linked(machine.dir(), "libmpi_abi.so.1");
    // As it is installed: a link to the one shared object.
    let library = machine.dir().join("libmpi_abi.so.1");
    fs::rename(&library, machine.dir().join("libpvmcore.so.0")).unwrap();
    std::os::unix::fs::symlink("libpvmcore.so.0", &library).unwrap();
    mpiexec(&machine, &["-n", "2", program.to_str().unwrap()]).well();
}

#[test]
fn completion_is_a_script_that_shells_can_read() {
    let machine = Machine::new();
    let script = machine.pvm(&["completion", "bash"]).well().text();
    let file = machine.dir().join("pvm.bash");
    fs::write(&file, script).unwrap();
    let ask = "source \"$0\"; COMP_WORDS=(mpiexec --on-failure con); COMP_CWORD=2; _pvm mpiexec; echo ${COMPREPLY[@]}
        COMP_WORDS=(pvm do); COMP_CWORD=1; _pvm pvm; echo ${COMPREPLY[@]}
        COMP_WORDS=(pvm run --map); COMP_CWORD=2; _pvm pvm; echo ${COMPREPLY[@]}";
    let done = Command::new("bash")
        .args(["-c", ask])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text, "continue\ndoctor\n--map-by --mapby\n");
    let run = machine.pvm(&["completion", "bahs"]);
    assert!(
        run.code == 2 && run.err.contains("did you mean 'bash'?"),
        "{}",
        run.err
    );
}
