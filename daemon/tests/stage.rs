//! Programs that are copied to hosts which do not have them.

mod common;

use common::{Client, Daemon, command, launch, wait_for};
use pvm::testing::LocalVm;
use pvm::wire::control::{
    FailureCode, Halt, HostSlots, Launch, Placement, Run, StagedFile, from_daemon, to_daemon,
};
use pvm_daemon::host::stage;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{DirBuilder, File, create_dir, read_dir, remove_file, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where no host has a program.
const NOWHERE: &str = "/no/such/place/hello";

/// A virtual machine of two hosts, and a program that only its first one is told of.
struct Machine {
    vm: LocalVm,
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let vm = LocalVm::hosts(2).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let machine = Self { vm, dir };
        write(machine.program(), "#!/bin/sh\necho \"staged $1\"\n").unwrap();
        machine
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("hello")
    }

    fn staged(&self) -> StagedFile {
        stage::measure(&self.program()).unwrap()
    }

    /// The same program, said to be somewhere else.
    fn staged_at(&self, path: &Path) -> StagedFile {
        StagedFile {
            path: path.as_os_str().as_bytes().to_vec(),
            ..self.staged()
        }
    }

    fn signal(&self, host: usize, signal: Signal) {
        let pid = self.vm.daemon_pids()[host - 1] as i32;
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn tool(&self) -> Client {
        Client::tool(self.vm.socket())
    }

    /// Where the second host keeps what it gets.
    fn store(&self) -> PathBuf {
        self.vm.sockets()[1].with_extension("staged")
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = read_dir(self.store()).into_iter().flatten();
        files.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Tasks on the second host.
fn run(count: u32, staged: Option<StagedFile>) -> Run {
    run_on("2", launch(count, NOWHERE, &["here"]), staged)
}

fn run_on(host: &str, mut launch: Launch, staged: Option<StagedFile>) -> Run {
    launch.apps[0].staged = staged;
    launch.placement = Some(Placement {
        hosts: vec![HostSlots {
            host: host.into(),
            ..HostSlots::default()
        }],
        ..Placement::default()
    });
    Run {
        launch: Some(launch),
        ..Run::default()
    }
}

#[test]
fn a_program_is_copied_once_and_goes_with_the_daemon() {
    let machine = Machine::new();
    let story = machine.tool().run(run(3, Some(machine.staged())));
    for rank in 0..3 {
        assert_eq!(story.stdout(rank), "staged here\n");
    }
    let [file] = &machine.files()[..] else {
        panic!("{:?}", machine.files());
    };
    let inode = file.metadata().unwrap().ino();
    // It is not needed any more.
    let staged = machine.staged();
    remove_file(machine.program()).unwrap();
    let story = machine.tool().run(run(1, Some(staged)));
    assert_eq!(story.stdout(0), "staged here\n");
    assert_eq!(file.metadata().unwrap().ino(), inode);
    machine.tool().call(to_daemon::Body::Halt(Halt {
        force: true,
        ..Halt::default()
    }));
    wait_for(|| !machine.store().exists());
}

#[test]
fn a_large_program_arrives_whole() {
    let machine = Machine::new();
    let mut script = b"#!/bin/sh\necho large\nexit 0\n".to_vec();
    // Larger than what is under way at a time, and not a multiple of it.
    script.extend((0..5_000_001u32).map(|n| n as u8));
    write(machine.program(), &script).unwrap();
    let story = machine.tool().run(run(1, Some(machine.staged())));
    assert_eq!(story.stdout(0), "large\n");
    assert_eq!(std::fs::read(&machine.files()[0]).unwrap(), script);
}

#[test]
fn what_does_not_arrive_as_it_was_announced_refuses_the_launch() {
    let machine = Machine::new();
    let well = machine.staged();
    let with = |change: fn(&mut StagedFile)| {
        let mut staged = well.clone();
        change(&mut staged);
        Some(staged)
    };
    let cases = [
        (with(|it| it.sha256[0] ^= 1), "is not what was sent"),
        (
            with(|it| it.size -= 1),
            "it has changed while it was copied",
        ),
        (
            with(|it| it.size += 1),
            "it has changed while it was copied",
        ),
        (
            with(|it| it.path = b"/no/such/file".to_vec()),
            "the copy broke off",
        ),
        (with(|it| it.path = b"/".to_vec()), "the copy broke off"),
        (with(|it| it.sha256 = vec![7; 31]), "does not exist"),
        (with(|it| it.size = u64::MAX), "does not exist"),
        (None, "does not exist"),
    ];
    for (staged, why) in cases {
        let refused = machine.tool().refusal(to_daemon::Body::Run(run(2, staged)));
        assert_eq!(refused.code(), FailureCode::FailureProgramNotFound);
        assert!(refused.why.contains(why), "{why}: {refused:?}");
        assert!(refused.what.contains(NOWHERE), "{refused:?}");
        assert!(!refused.next.is_empty(), "{refused:?}");
        assert_eq!(machine.files(), [] as [&Path; 0], "{refused:?}");
    }
    // Nothing of it stands in the way.
    let story = machine.tool().run(run(1, Some(well)));
    assert_eq!(story.stdout(0), "staged here\n");
}

#[test]
fn what_has_no_end_is_not_read() {
    let machine = Machine::new();
    let pipe = machine.dir.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o700), 0).unwrap();
    for path in [&pipe, Path::new("/dev/zero")] {
        let staged = Some(machine.staged_at(path));
        let refused = machine.tool().refusal(to_daemon::Body::Run(run(1, staged)));
        assert!(refused.why.contains("the copy broke off"), "{refused:?}");
    }
    assert!(machine.files().is_empty());
}

#[test]
fn jobs_offer_their_programs_apart_from_each_other() {
    let machine = Machine::new();
    let (mut first, mut second) = (machine.tool(), machine.tool());
    machine.signal(2, Signal::STOP);
    let waiting = to_daemon::Body::Run(run(1, Some(machine.staged())));
    let ticket = first.link.start(waiting, &[]).unwrap();
    // Another job has the same program, from another place, and comes to its end.
    let elsewhere = machine.staged_at(Path::new("/no/such/file"));
    let other = run_on("1", launch(1, "/bin/echo", &["done"]), Some(elsewhere));
    let story = second.run(other);
    machine.signal(2, Signal::CONT);
    assert_eq!(story.stdout(0), "done\n");
    let answer = first
        .link
        .wait(ticket, common::PATIENCE, "a start")
        .unwrap();
    let from_daemon::Body::JobStarted(started) = answer.body else {
        panic!("{:?}", answer.body);
    };
    assert_eq!(first.follow(started).stdout(0), "staged here\n");
}

#[test]
fn what_is_there_and_cannot_be_run_is_not_replaced() {
    let machine = Machine::new();
    machine.tool().run(run(1, Some(machine.staged())));
    assert_eq!(machine.files().len(), 1);
    let plain = machine.dir.path().join("plain");
    write(&plain, "no program").unwrap();
    let launch = launch(1, plain.to_str().unwrap(), &["here"]);
    let run = run_on("2", launch, Some(machine.staged()));
    let refused = machine.tool().refusal(to_daemon::Body::Run(run));
    assert_eq!(refused.code(), FailureCode::FailureProgramNotExecutable);
}

#[test]
fn a_daemon_that_is_halted_in_the_middle_of_a_copy_leaves_nothing() {
    let machine = Machine::new();
    // It has only holes, and more of them than can come soon.
    File::create(machine.program())
        .unwrap()
        .set_len(900 << 20)
        .unwrap();
    let staged = StagedFile {
        sha256: vec![7; 32],
        size: 900 << 20,
        path: machine.program().into_os_string().into_encoded_bytes(),
    };
    let mut tool = machine.tool();
    let run = to_daemon::Body::Run(run(1, Some(staged)));
    tool.link.start(run, &[]).unwrap();
    wait_for(|| !machine.files().is_empty());
    machine.signal(2, Signal::TERM);
    wait_for(|| !machine.vm.sockets()[1].with_extension("lock").exists());
    assert!(!machine.store().exists());
}

#[test]
fn where_the_program_is_nothing_is_copied() {
    let machine = Machine::new();
    let mut run = run(1, Some(machine.staged()));
    let launch = run.launch.as_mut().unwrap();
    launch.apps[0].program = "/bin/echo".into();
    let story = machine.tool().run(run);
    assert_eq!(story.stdout(0), "here\n");
    assert!(machine.files().is_empty() && !machine.store().exists());
}

#[test]
fn what_a_killed_daemon_has_left_is_removed_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    DirBuilder::new().mode(0o700).create(&run).unwrap();
    let left = run.join("default.staged");
    create_dir(&left).unwrap();
    write(left.join("program"), "old").unwrap();
    let child = command(dir.path()).arg("--foreground").spawn().unwrap();
    let daemon = Daemon { child, dir };
    wait_for(|| std::os::unix::net::UnixStream::connect(daemon.socket()).is_ok());
    assert!(!left.exists());
}
