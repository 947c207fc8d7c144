//! Programs that are copied to hosts which do not have them.

mod common;

use common::{Client, Daemon, command, launch, wait_for};
use pvm::testing::LocalVm;
use pvm::wire::control::{FailureCode, Halt, HostSlots, Placement, Run, StagedFile, to_daemon};
use pvm_daemon::host::stage;
use std::fs::{DirBuilder, create_dir, read_dir, remove_file, write};
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
    let mut launch = launch(count, NOWHERE, &["here"]);
    launch.apps[0].staged = staged;
    launch.placement = Some(Placement {
        hosts: vec![HostSlots {
            host: "2".into(),
            slots: 0,
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
