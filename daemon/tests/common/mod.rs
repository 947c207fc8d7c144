//! A private daemon, and a client that speaks its protocol.
#![allow(dead_code, reason = "each test program uses a part")]

use pvm::session::{Answer, Link, LinkError, hello_tool};
use pvm::wire::control::{
    App, Failure, JobEnded, JobStarted, Launch, Run, Stream, TaskEnded, from_daemon, to_daemon,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest that anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon of this test alone; killed with all it has started when dropped.
pub struct Daemon {
    pub child: Child,
    pub dir: tempfile::TempDir,
}

impl Daemon {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = command(dir.path())
            .arg("--foreground")
            .args(arguments)
            .spawn()
            .unwrap();
        let daemon = Daemon { child, dir };
        wait_for(|| std::os::unix::net::UnixStream::connect(daemon.socket()).is_ok());
        daemon
    }

    pub fn socket(&self) -> PathBuf {
        self.runtime_dir().join("default.sock")
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn tool(&self) -> Client {
        Client::tool(&self.socket())
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pvmd command with a runtime directory below `dir`.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pvmd"));
    command.env(pvm::settings::RUNTIME_DIR, dir.join("run"));
    command
        .env_remove(pvm::settings::DAEMON)
        .stdin(Stdio::null());
    command
}

/// Waits for something that has no event.
pub fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited for too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One connection.
pub struct Client {
    pub link: Link,
}

/// What a job has done.
#[derive(Default)]
pub struct Story {
    pub started: JobStarted,
    pub output: BTreeMap<(u32, i32), Vec<u8>>,
    pub ended: Vec<TaskEnded>,
    pub end: JobEnded,
}

impl Story {
    pub fn stdout(&self, rank: u32) -> String {
        self.text(rank, Stream::Stdout)
    }

    pub fn text(&self, rank: u32, stream: Stream) -> String {
        let bytes = self
            .output
            .get(&(rank, stream as i32))
            .cloned()
            .unwrap_or_default();
        String::from_utf8(bytes).unwrap()
    }
}

impl Client {
    pub fn tool(socket: &Path) -> Self {
        let (link, ..) = Link::connect(socket, hello_tool()).unwrap();
        Client { link }
    }

    /// Waits for the next event.
    pub fn event(&mut self) -> from_daemon::Body {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.link.next_event() {
                return answer.body;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no event");
            let timeout = Timespec::try_from(left).unwrap();
            let _ = poll(
                &mut [PollFd::new(&self.link, PollFlags::IN)],
                Some(&timeout),
            )
            .unwrap();
            let any = self.link.read_now().unwrap();
            assert!(any || !self.link.is_lost(), "the daemon has gone");
        }
    }

    pub fn call(&mut self, body: to_daemon::Body) -> from_daemon::Body {
        self.link.call(body).unwrap().body
    }

    pub fn refusal(&mut self, body: to_daemon::Body) -> Failure {
        match self.link.call(body) {
            Err(LinkError::Refused(failure)) => failure,
            Err(other) => panic!("{other}"),
            Ok(Answer { body, .. }) => panic!("not refused: {body:?}"),
        }
    }

    pub fn start(&mut self, run: Run) -> JobStarted {
        self.start_with(run, &[])
    }

    pub fn start_with(&mut self, run: Run, fds: &[BorrowedFd<'_>]) -> JobStarted {
        let ticket = self.link.start(to_daemon::Body::Run(run), fds).unwrap();
        match self.link.wait(ticket, PATIENCE, "starting").unwrap().body {
            from_daemon::Body::JobStarted(started) => started,
            other => panic!("{other:?}"),
        }
    }

    /// Follows a job to its end.
    pub fn follow(&mut self, started: JobStarted) -> Story {
        let mut story = Story {
            started,
            ..Story::default()
        };
        loop {
            match self.event() {
                from_daemon::Body::Output(output) => {
                    let stream = story
                        .output
                        .entry((output.rank, output.stream))
                        .or_default();
                    stream.extend_from_slice(&output.data);
                }
                from_daemon::Body::TaskEnded(ended) => story.ended.push(ended),
                from_daemon::Body::JobEnded(end) => {
                    story.end = end;
                    return story;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn run(&mut self, run: Run) -> Story {
        let started = self.start(run);
        self.follow(started)
    }
}

/// A launch of one program.
pub fn launch(count: u32, program: &str, arguments: &[&str]) -> Launch {
    Launch {
        apps: vec![App {
            count,
            program: program.into(),
            arguments: arguments.iter().map(|a| (*a).into()).collect(),
            ..App::default()
        }],
        environment: vec![b"PATH=/usr/local/bin:/usr/bin:/bin".to_vec()],
        directory: "/".into(),
        umask: 0o022,
        ..Launch::default()
    }
}

pub fn run(count: u32, program: &str, arguments: &[&str]) -> Run {
    Run {
        launch: Some(launch(count, program, arguments)),
        ..Run::default()
    }
}

/// A job of shells.
pub fn shell(count: u32, script: &str) -> Run {
    run(count, "/bin/sh", &["-c", script])
}

pub fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

pub fn is_alive(pid: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_zombie = state
        .rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('Z'));
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() && !is_zombie
}

/// Processes whose command line holds `mark`.
pub fn marked(mark: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark) && is_alive(*pid)
    };
    pids.filter(is_marked).collect()
}
