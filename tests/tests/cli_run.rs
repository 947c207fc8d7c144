//! `pvm run`: what is started, where, with which arguments, environment and input.

use pvm_tests::{Machine, start};
use std::fs::File;
use std::process::Command;

#[test]
fn any_program_runs_as_many_tasks() {
    let machine = Machine::new();
    let run = machine.pvm(&["run", "-n", "8", "hostname"]).well();
    let host = String::from_utf8(Command::new("hostname").output().unwrap().stdout).unwrap();
    assert_eq!(run.text(), host.repeat(8));
}

#[test]
fn the_count_is_obeyed() {
    let machine = Machine::new();
    for count in [1, 2, 64] {
        let run = machine.sh(count, "echo $PVM_RANK of $PVM_SIZE").well();
        let mut expected: Vec<String> = (0..count)
            .map(|rank| format!("{rank} of {count}"))
            .collect();
        expected.sort();
        assert_eq!(run.sorted(), expected);
    }
}

#[test]
fn several_programs_make_one_job() {
    let machine = Machine::new();
    let first = ["run", "-n", "1", "sh", "-c", "echo a $PVM_RANK $PVM_SIZE"];
    let second = [
        ":",
        "-n",
        "2",
        "-x",
        "V=w",
        "sh",
        "-c",
        "echo b $PVM_RANK $PVM_SIZE $V",
    ];
    let run = machine.pvm(&[&first[..], &second].concat()).well();
    assert_eq!(run.sorted(), ["a 0 3", "b 1 3 w", "b 2 3 w"]);
}

#[test]
fn directory_environment_and_umask_travel() {
    let machine = Machine::new();
    let sub = machine.dir().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let script =
        "umask 027; exec \"$0\" run -wdir sub -x A=1 -x B sh -c 'echo $(pwd -P):$A:$B:$(umask)'";
    let pvm = pvm_tests::program("pvm");
    let mut command = machine.named("sh".as_ref(), &["-c", script, pvm.to_str().unwrap()]);
    let run = start(command.current_dir(machine.dir()).env("B", "two words"))
        .finish()
        .well();
    let real = std::fs::canonicalize(&sub).unwrap();
    assert_eq!(run.text(), format!("{}:1:two words:0027\n", real.display()));
}

#[test]
fn stdin_goes_where_it_is_told() {
    let machine = Machine::new();
    let input = machine.dir().join("input");
    std::fs::write(&input, "one\ntwo\n").unwrap();
    let script = "echo $PVM_RANK:$(tr '\\n' ' ')";
    let cases = [
        (&[][..], ["0:one two", "1:", "2:"]),
        (&["--stdin", "1"], ["0:", "1:one two", "2:"]),
        (&["--stdin=none"], ["0:", "1:", "2:"]),
        (&["-stdin", "all"], ["0:one two", "1:one two", "2:one two"]),
    ];
    for (options, expected) in cases {
        let words = [&["run", "-n", "3"], options, &["sh", "-c", script]].concat();
        let mut command = machine.command(&words);
        let run = start(command.stdin(File::open(&input).unwrap()))
            .finish()
            .well();
        assert_eq!(run.sorted(), expected, "{options:?}");
    }
}

#[test]
fn big_input_arrives_unharmed() {
    let machine = Machine::new();
    let input = machine.dir().join("input");
    // Bytes without any order, so that nothing lost or doubled goes unseen.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    std::fs::write(&input, noise.take(20 << 20).collect::<Vec<u8>>()).unwrap();
    let sum = Command::new("sha256sum")
        .stdin(File::open(&input).unwrap())
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    for (options, count) in [(&["-n", "1"][..], 1), (&["-n", "3", "--stdin", "all"], 3)] {
        let words = [&["run"], options, &["sha256sum"]].concat();
        let mut command = machine.command(&words);
        let run = start(command.stdin(File::open(&input).unwrap()))
            .finish()
            .well();
        assert_eq!(run.text(), sum.repeat(count), "{options:?}");
    }
}

#[test]
fn input_that_nobody_reads_stays_unread() {
    let machine = Machine::new();
    let pvm = pvm_tests::program("pvm");
    let script = "printf 'a\\nb\\n' | { \"$0\" run true; cat; }";
    let mut command = machine.named("sh".as_ref(), &["-c", script, pvm.to_str().unwrap()]);
    assert_eq!(start(&mut command).finish().well().text(), "a\nb\n");
}

#[test]
fn other_names_are_run() {
    let machine = Machine::new();
    for name in ["mpiexec", "mpirun"] {
        let link = machine.dir().join(name);
        std::os::unix::fs::symlink(pvm_tests::program("pvm"), &link).unwrap();
        let mut command = machine.named(&link, &["-np", "2", "--allow-run-as-root", "echo", "hi"]);
        assert_eq!(start(&mut command).finish().well().text(), "hi\nhi\n");
    }
}

#[test]
fn reports_are_json() {
    let machine = Machine::new();
    let report = machine.dir().join("report");
    let options = [
        "run",
        "-n",
        "2",
        "--json",
        "--report",
        report.to_str().unwrap(),
    ];
    let run = machine.pvm(&[&options[..], &["sh", "-c", "exit $PVM_RANK"]].concat());
    assert_eq!(run.code, 1);
    let said: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    let written = std::fs::read(&report).unwrap();
    assert_eq!(
        said,
        serde_json::from_slice::<serde_json::Value>(&written).unwrap()
    );
    assert_eq!(
        (said["result"].as_str(), said["size"].as_u64()),
        (Some("failed"), Some(2))
    );
    let cause = &said["first_cause"];
    assert_eq!(
        (cause["rank"].as_u64(), cause["exit_code"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(cause["program"], "sh");
}
