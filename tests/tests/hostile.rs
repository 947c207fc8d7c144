//! Nonsense on the daemon's socket, from this user and from others: the daemon goes on, and so do
//! its jobs.

use pvm::limits::CONTROL_FRAME_MAX;
use pvm::session::hello_tool;
use pvm::wire::control::{
    Adopt, App, Examine, GroupBarrier, Hello, Kill, Launch, Notify, Run, Spawn, StagedFile,
    StdinData, Terminate, ToDaemon, to_daemon,
};
use pvm::wire::frame;
use pvm_tests::footprint::{Footprint, resident};
use pvm_tests::{Machine, Running, eventually, start};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest that the daemon may take to answer nonsense.
const PATIENCE: Duration = Duration::from_secs(20);
/// A user that is not this one.
const NOBODY: u32 = 65534;

/// A machine with a job that has to come through whatever happens.
struct Besieged {
    machine: Machine,
    daemon: i32,
    job: Running,
}

impl Besieged {
    fn new() -> Self {
        let machine = Machine::new();
        let job = machine.start(&["run", "-n", "2", "cat", &fifo(&machine)]);
        eventually("a job runs", || {
            let ps = machine.pvm(&["ps", "--json"]).out;
            let tasks: Vec<serde_json::Value> = serde_json::from_slice(&ps).unwrap_or_default();
            tasks.len() == 2
        });
        let daemon = machine.daemon().unwrap();
        Self {
            machine,
            daemon,
            job,
        }
    }

    fn socket(&self) -> PathBuf {
        self.machine.runtime_dir().join("default.sock")
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes, and waits until the daemon has closed the connection.
    #[track_caller]
    fn send(&self, bytes: &[u8]) {
        let mut stream = self.connect();
        // The daemon may close before it has read everything.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            let kind = error.kind();
            assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "not closed");
        }
    }

    /// The same daemon serves, the job runs on, and ends well.
    #[track_caller]
    fn hold_out(self) {
        self.machine.assert_alive();
        assert_eq!(self.machine.daemon(), Some(self.daemon));
        std::fs::write(self.machine.dir().join("fifo"), "").unwrap();
        let run = self.job.finish();
        assert_eq!((run.code, run.err.as_str()), (0, ""));
    }
}

/// What holds the tasks of the job until it is opened.
fn fifo(machine: &Machine) -> String {
    let path = machine.dir().join("fifo");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, 0o600.into(), 0).unwrap();
    path.to_str().unwrap().to_owned()
}

fn encoded(body: to_daemon::Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    let message = ToDaemon {
        request: 1,
        body: Some(body),
    };
    frame::encode(&message, &mut bytes).unwrap();
    bytes
}

fn greeting() -> Vec<u8> {
    encoded(to_daemon::Body::Hello(hello_tool()))
}

/// A frame whose announced length is not that of its body.
fn mislabelled(len: u32, body: &[u8]) -> Vec<u8> {
    [&len.to_le_bytes(), body].concat()
}

/// Bytes in no order.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let next = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    next.take(len).collect()
}

#[test]
fn garbage_is_no_reason_to_end() {
    let besieged = Besieged::new();
    besieged.send(b"");
    besieged.send(b"GET / HTTP/1.1\r\n\r\n");
    besieged.send(&[0; 4096]);
    for seed in 0..100 {
        let bytes = noise(seed, 1 + 7 * seed as usize);
        besieged.send(&bytes);
        besieged.send(&[greeting(), bytes].concat());
    }
    besieged.hold_out();
}

#[test]
fn frames_of_absurd_lengths_are_no_reason_to_end() {
    let besieged = Besieged::new();
    let max = CONTROL_FRAME_MAX as u32;
    let before = resident(besieged.daemon);
    for len in [0, 1, 3, max - 1, max, max + 1, i32::MAX as u32, u32::MAX] {
        for body in [&[][..], &[0xff; 5], &noise(9, 100)] {
            besieged.send(&mislabelled(len, body));
            besieged.send(&[greeting(), mislabelled(len, body)].concat());
        }
    }
    // A length that is right, of a field whose own length is not.
    for tag in [0x12, 0x32, 0x6a] {
        let body = [tag, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3];
        let bytes = mislabelled(body.len() as u32, &body);
        besieged.send(&bytes);
        besieged.send(&[greeting(), bytes].concat());
    }
    let grown = resident(besieged.daemon).saturating_sub(before);
    assert!(grown < 8 << 20, "grown by {grown} bytes");
    besieged.hold_out();
}

/// Every number and list as large, or as small, as it can be.
fn absurd_requests() -> Vec<to_daemon::Body> {
    use to_daemon::Body;
    let app = |count| App {
        count,
        program: "true".into(),
        ..App::default()
    };
    let launch = |apps| Launch {
        apps,
        directory: "/".into(),
        umask: u32::MAX,
        ..Launch::default()
    };
    let run = |launch| Run {
        launch: Some(launch),
        stdin: i32::MAX,
        stdin_rank: u32::MAX,
        on_failure: i32::MIN,
        timeout_ms: u64::MAX,
    };
    let long = "x".repeat(1 << 20);
    let mut odd = launch(vec![app(1)]);
    odd.directory = "\0".into();
    odd.environment = vec![b"=\0".to_vec(), b"no equals sign".to_vec(), Vec::new()];
    let mut named = launch(vec![app(1)]);
    named.apps[0].program = long.clone().into();
    let mut arguments = launch(vec![app(1)]);
    arguments.apps[0].arguments = vec!["a\0b".into(); 10];
    let mut staged = launch(vec![app(1); 100]);
    for (at, app) in staged.apps.iter_mut().enumerate() {
        app.staged = Some(StagedFile {
            sha256: vec![0xff; at],
            size: u64::MAX >> at.min(63),
            path: vec![0; 100_000],
        });
    }
    vec![
        Body::Run(Run::default()),
        Body::Run(run(staged)),
        Body::Examine(Examine {
            hosts: vec![String::new(); 100_000],
        }),
        Body::Examine(Examine {
            hosts: vec![long.clone(); 4],
        }),
        Body::Run(run(launch(Vec::new()))),
        Body::Run(run(launch(vec![app(u32::MAX); 3]))),
        Body::Run(run(launch(vec![App::default(); 10_000]))),
        Body::Run(run(odd.clone())),
        Body::Run(run(named)),
        Body::Run(run(arguments.clone())),
        Body::Run(Run {
            launch: Some(arguments),
            ..Run::default()
        }),
        Body::Run(Run {
            launch: Some(odd),
            ..Run::default()
        }),
        Body::Spawn(Spawn {
            launch: Some(launch(vec![app(u32::MAX)])),
            inherit: true,
        }),
        Body::Adopt(Adopt::default()),
        Body::Adopt(Adopt {
            count: u32::MAX,
            ..Adopt::default()
        }),
        Body::Kill(Kill {
            task: u64::MAX,
            job: u64::MAX,
            signal: i32::MIN,
            ..Kill::default()
        }),
        Body::Kill(Kill {
            task: 0,
            job: 1,
            signal: i32::MAX,
            ..Kill::default()
        }),
        Body::Kill(Kill {
            task: 0,
            job: 0,
            signal: -1,
            ..Kill::default()
        }),
        Body::Notify(Notify {
            token: u64::MAX,
            tasks: vec![u64::MAX; 100_000],
            cancel: true,
        }),
        Body::Stdin(StdinData {
            job: u64::MAX,
            data: vec![0; 1 << 20].into(),
            eof: true,
        }),
        Body::Stdin(StdinData {
            job: 1,
            data: vec![0; 1 << 20].into(),
            eof: true,
        }),
        Body::Terminate(Terminate {
            job: u64::MAX,
            force: true,
            reason: long.clone(),
        }),
        Body::GroupBarrier(GroupBarrier {
            name: long,
            count: u32::MAX,
        }),
        Body::Halt(Default::default()),
        Body::OpenChannel(Default::default()),
        Body::CloseChannel(Default::default()),
        Body::Detach(Default::default()),
    ]
}

#[test]
fn requests_with_absurd_numbers_are_no_reason_to_end() {
    let besieged = Besieged::new();
    for request in absurd_requests() {
        besieged.send(&[greeting(), encoded(request)].concat());
    }
    for (version_min, version_max) in [(0, 0), (u32::MAX, 0), (u32::MAX, u32::MAX)] {
        let hello = Hello {
            version_min,
            version_max,
            software: "x".repeat(1 << 20),
            role: None,
        };
        besieged.send(&encoded(to_daemon::Body::Hello(hello)));
    }
    besieged.hold_out();
}

#[test]
fn those_that_say_nothing_keep_nobody_waiting() {
    let besieged = Besieged::new();
    let silent: Vec<UnixStream> = (0..200).map(|_| besieged.connect()).collect();
    let hello = greeting();
    for (at, mut stream) in silent.iter().enumerate() {
        stream.write_all(&hello[..at % hello.len()]).unwrap();
    }
    besieged.machine.assert_alive();
    drop(silent);
    let rest = |footprint: Footprint| footprint.descriptors < 50;
    eventually("their connections are closed", || {
        rest(Footprint::of(besieged.daemon))
    });
    besieged.hold_out();
}

/// One who asks and asks and never reads an answer.
#[test]
fn those_that_do_not_read_are_not_kept_in_memory() {
    let besieged = Besieged::new();
    let before = resident(besieged.daemon);
    let mut stream = besieged.connect();
    stream.write_all(&greeting()).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let many = encoded(to_daemon::Body::ListTasks(Default::default())).repeat(10_000);
    for _ in 0..100 {
        if stream.write_all(&many).is_err() {
            break;
        }
    }
    let grown = resident(besieged.daemon).saturating_sub(before);
    assert!(grown < 16 << 20, "grown by {grown} bytes");
    besieged.machine.assert_alive();
    drop(stream);
    besieged.hold_out();
}

/// Becomes another user for a moment; without that right there is nothing to test.
fn as_nobody(machine: &Machine, runtime_dir: &Path) -> Option<std::process::Command> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    // Programs that this other user can reach.
    let programs = machine.dir().join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    for name in ["pvm", "pvmd"] {
        let to = programs.join(name);
        if !to.exists() {
            std::fs::copy(pvm_tests::program(name), &to).unwrap();
        }
    }
    for dir in [machine.dir(), &programs] {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = machine.named(&programs.join("pvm"), &[]);
    command
        .uid(NOBODY)
        .gid(NOBODY)
        .env(pvm::settings::RUNTIME_DIR, runtime_dir)
        .env(pvm::settings::PVMD, programs.join("pvmd"))
        .current_dir("/");
    Some(command)
}

#[test]
fn another_user_is_told_in_one_line() {
    let besieged = Besieged::new();
    let machine = &besieged.machine;
    let ours = machine.runtime_dir();
    // As it is, the directory keeps others out; so does its owner once it does not.
    for mode in [0o700, 0o777] {
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(mode)).unwrap();
        for words in [
            &["ps"][..],
            &["kill", "j1"],
            &["halt", "--force"],
            &["run", "true"],
        ] {
            let Some(mut command) = as_nobody(machine, &ours) else {
                return;
            };
            let run = start(command.args(words)).finish();
            assert!(run.code != 0, "{words:?}");
            assert_eq!(run.err.lines().count(), 1, "{words:?}: {}", run.err);
            let parts = [
                ours.to_str().unwrap(),
                "belongs to user 0, not to you",
                "set ",
            ];
            for part in parts {
                assert!(run.err.contains(part), "{words:?}: {}", run.err);
            }
        }
    }
    // The socket itself, through a directory of the other user.
    let theirs = machine.dir().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(NOBODY), Some(NOBODY)).unwrap();
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(besieged.socket(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::symlink(besieged.socket(), theirs.join("default.sock")).unwrap();
    for words in [
        &["ps"][..],
        &["kill", "j1"],
        &["halt", "--force"],
        &["run", "true"],
    ] {
        let Some(mut command) = as_nobody(machine, &theirs) else {
            return;
        };
        let run = start(command.args(words)).finish();
        assert!(run.code != 0, "{words:?}");
        assert_eq!(run.err.lines().count(), 1, "{words:?}: {}", run.err);
        let part = "belongs to user 0, not to you";
        assert!(run.err.contains(part), "{words:?}: {}", run.err);
    }
    std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o700)).unwrap();
    besieged.hold_out();
}
