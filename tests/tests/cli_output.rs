//! `pvm run`: what the tasks write arrives, whole and in order.

use pvm_tests::{DAEMON, Machine, eventually, start};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

#[test]
fn many_lines_of_many_tasks_are_intact() {
    const TASKS: usize = 64;
    const LINES: usize = 10_000;
    let machine = Machine::new();
    let script = format!("seq -f \"$PVM_RANK %.0f abcdefghijklmnopqrstuvwxyz\" {LINES}");
    let run = machine.sh(TASKS, &script).well();
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for line in run.text().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let &[rank, number, "abcdefghijklmnopqrstuvwxyz"] = &words[..] else {
            panic!("torn: {line}");
        };
        let last = last.entry(rank.parse().unwrap()).or_default();
        *last += 1;
        assert_eq!(number.parse(), Ok(*last), "order of rank {rank}");
    }
    assert_eq!(last.len(), TASKS);
    assert!(last.values().all(|last| *last == LINES));
}

#[test]
fn long_lines_stay_whole() {
    let machine = Machine::new();
    let script = "head -c 1000000 /dev/zero | tr '\\0' $PVM_RANK; echo; echo end";
    let run = machine.sh(4, script).well();
    let lines = run.sorted();
    assert_eq!(lines.len(), 8);
    for (rank, line) in lines[..4].iter().enumerate() {
        assert!(*line == rank.to_string().repeat(1_000_000), "rank {rank}");
    }
}

#[test]
fn tags_name_the_task_of_each_line() {
    let machine = Machine::new();
    let script = "echo a; echo b >&2; printf c";
    let run = machine.pvm(&["run", "-n", "3", "-l", "sh", "-c", script]);
    assert_eq!(run.code, 0);
    assert_eq!(
        run.sorted(),
        ["[0] a", "[0] c", "[1] a", "[1] c", "[2] a", "[2] c"]
    );
    let mut err: Vec<&str> = run.err.lines().collect();
    err.sort_unstable();
    assert_eq!(err, ["[0] b", "[1] b", "[2] b"]);
}

#[test]
fn bytes_of_one_task_are_untouched() {
    let machine = Machine::new();
    let script = "printf 'a\\000\\377\\n\\nno newline'";
    assert_eq!(machine.sh(1, script).well().out, b"a\0\xff\n\nno newline");
    assert_eq!(machine.sh(3, "printf x").well().text(), "x\nx\nx");
    let raw = machine
        .pvm(&["run", "-n", "3", "--output=raw", "sh", "-c", "printf x"])
        .well();
    assert_eq!(raw.text(), "xxx");
}

#[test]
fn all_output_comes_before_the_end() {
    let machine = Machine::new();
    let bytes = machine.sh(1, "head -c 20000000 /dev/zero").well().out;
    assert_eq!(bytes.len(), 20_000_000);
    let bytes = machine.sh(2, "head -c 5000000 /dev/zero").well().out;
    assert_eq!(
        bytes.len(),
        10_000_001,
        "two tasks, and the newline between them"
    );
}

#[test]
fn a_prompt_is_shown_while_its_task_waits() {
    let machine = Machine::new();
    let script = "test $PVM_RANK = 1 && exit; printf 'name? '; read name; echo hello $name";
    let mut command = machine.command(&["run", "-n", "2", "sh", "-c", script]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut prompt = [0; 6];
    out.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"name? ");
    child.stdin.take().unwrap().write_all(b"Ann\n").unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "hello Ann\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_ends_the_job_quietly() {
    let machine = Machine::new();
    let mut command = machine.command(&["run", "-n", "2", "yes"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "y\n");
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), err.as_str()),
        (Some(141), "")
    );
    machine.assert_gone(DAEMON);
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let machine = Machine::new();
    let pvm = pvm_tests::program("pvm");
    let shell = "exec \"$0\" run -n 2 echo x > /dev/full";
    let mut command = machine.named("sh".as_ref(), &["-c", shell, pvm.to_str().unwrap()]);
    let run = start(&mut command).finish();
    assert_eq!((run.code, run.err.lines().count()), (125, 1), "{}", run.err);
    assert!(run.err.contains("cannot write to stdout"), "{}", run.err);
    machine.assert_alive();
}

#[test]
fn a_slow_reader_holds_the_tasks_not_our_memory() {
    const BYTES: usize = 100_000_000;
    let machine = Machine::new();
    let script = format!("yes | head -c {BYTES}");
    let mut command = machine.command(&["run", "-n", "2", "sh", "-c", &script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut rest = vec![0; 1];
    out.read_exact(&mut rest).unwrap();
    let rss = |pid: i32| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let (launcher, daemon) = (child.id() as i32, machine.daemon().unwrap());
    // Every chance to read ahead: their memory has to stop growing by itself.
    let mut seen = Vec::new();
    eventually("memory stops growing", || {
        seen.push((rss(launcher), rss(daemon)));
        let recent = &seen[seen.len().saturating_sub(50)..];
        recent.len() == 50 && recent.iter().all(|rss| rss == &recent[0])
    });
    let (launcher, daemon) = seen[seen.len() - 1];
    assert!(
        launcher < 60 << 10 && daemon < 80 << 10,
        "KiB: {launcher} {daemon}"
    );
    out.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 2 * BYTES);
    assert!(child.wait().unwrap().success());
}

#[test]
fn both_streams_in_one_file_keep_their_lines() {
    let machine = Machine::new();
    let script =
        "for i in 1 2 3 4 5 6 7 8 9; do echo $PVM_RANK out $i; echo $PVM_RANK err $i >&2; done";
    let pvm = pvm_tests::program("pvm");
    let shell = "\"$0\" run -n 4 sh -c \"$1\" 2>&1";
    let mut command = machine.named("sh".as_ref(), &["-c", shell, pvm.to_str().unwrap(), script]);
    let run = start(&mut command).finish().well();
    assert_eq!(run.text().lines().count(), 72);
    assert!(
        run.text().lines().all(|line| line.split(' ').count() == 3),
        "{}",
        run.text()
    );
}
