//! Whole-system tests: the real programs, each test with a virtual machine of its own.

pub mod figures;
pub mod footprint;
pub mod site;

pub use pvm_cluster as cluster;

use pvm::settings;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Longest a command of a test may take.
pub const LIMIT: Duration = Duration::from_secs(120);
/// How soon everything has to be gone after something was killed.
pub const GONE: Duration = Duration::from_secs(3);
/// In the command line of a daemon that started by itself, and in no keeper's.
pub const DAEMON: &str = "pvmd --name";
/// Between two looks at what gives no event.
const LOOK: Duration = Duration::from_millis(10);

/// A program or an example of ours, or the shared object, beside the tests.
pub fn program(name: &str) -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(build).join(name)
}

/// What must be there.
const PROGRAMS: [&str; 4] = ["pvm", "pvmd", "ring", "libpvmcore.so"];

/// Builds the programs if some are missing (cargo builds only those of the tested package itself);
/// `cargo xtask test` builds them first, in the same way: another would have other features of the same
/// libraries, and take its time.
fn build() -> PathBuf {
    let own = std::env::current_exe().expect("this test is a file");
    let dir = own
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<test>")
        .to_owned();
    if PROGRAMS.iter().all(|name| dir.join(name).is_file()) {
        return dir;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--lib"]);
    cargo
        .arg("--target-dir")
        .arg(dir.parent().expect("target/"));
    if dir.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    assert!(
        built.expect("cargo runs").success(),
        "the programs do not build"
    );
    dir
}

/// A virtual machine of one test; nothing of it is left when it is dropped.
pub struct Machine {
    dir: tempfile::TempDir,
    /// Keepers that have been seen: they have no environment to be known by.
    keepers: Mutex<BTreeSet<i32>>,
}

/// A process as /proc shows it.
struct Process {
    pid: i32,
    parent: i32,
    line: String,
    environment: Vec<String>,
}

impl Process {
    /// `None` when it has gone, is no process, or is dead and not yet waited for.
    fn read(path: &Path) -> Option<Self> {
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        let mut after_name = stat.rsplit(") ").next()?.split(' ');
        if after_name.next()? == "Z" {
            return None;
        }
        let parent = after_name.next()?.parse().ok()?;
        let text = |file| {
            let bytes = std::fs::read(path.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let environment = text("environ").split('\0').map(str::to_owned).collect();
        let line = text("cmdline").replace('\0', " ");
        Some(Self {
            pid,
            parent,
            line,
            environment,
        })
    }
}

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; 128 + signal when it was killed.
    pub code: i32,
    /// Its stdout.
    pub out: Vec<u8>,
    /// Its stderr.
    pub err: String,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// Its stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The lines of its stdout, sorted.
    pub fn sorted(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.text().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Asserts success and silence on stderr.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(
            (self.code, self.err.as_str()),
            (0, ""),
            "stdout: {}",
            self.text()
        );
        self
    }
}

/// A command that is running.
pub struct Running {
    child: Child,
    out: Option<JoinHandle<Vec<u8>>>,
    err: Option<JoinHandle<Vec<u8>>>,
    start: Instant,
}

impl Machine {
    /// A machine that is not running yet.
    pub fn new() -> Self {
        Self {
            dir: tempfile::Builder::new()
                .prefix("pvm-test-")
                .tempdir()
                .expect("a directory"),
            keepers: Mutex::new(BTreeSet::new()),
        }
    }

    /// A directory for the test's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// One of several hosts on this machine.
    #[track_caller]
    pub fn with_hosts(count: usize) -> Self {
        let machine = Self::new();
        machine
            .pvm(&["up", "--local-hosts", &count.to_string()])
            .well();
        machine
    }

    /// Its runtime directory.
    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// `pvm` with arguments; nothing on stdin.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.named(&program("pvm"), arguments)
    }

    /// The same under another path. Signals are not ignored in it, even if they are in the tests: a shell
    /// without job control starts what is behind `&` so, and a launcher would respect it.
    pub fn named(&self, pvm: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal=INT,QUIT").arg(pvm);
        command.args(arguments).stdin(Stdio::null());
        command
            .env(settings::RUNTIME_DIR, self.runtime_dir())
            .env(settings::SECRET, self.dir.path().join("vm.key"))
            .env(settings::PVMD, program("pvmd"));
        without_settings(&mut command);
        command
    }

    /// Runs `pvm` to its end.
    #[track_caller]
    pub fn pvm(&self, arguments: &[&str]) -> Finished {
        start(&mut self.command(arguments)).finish()
    }

    /// Runs `pvm run -n N sh -c SCRIPT` to its end.
    #[track_caller]
    pub fn sh(&self, count: usize, script: &str) -> Finished {
        self.pvm(&["run", "-n", &count.to_string(), "sh", "-c", script])
    }

    /// Starts `pvm`.
    pub fn start(&self, arguments: &[&str]) -> Running {
        start(&mut self.command(arguments))
    }

    /// Process id of the daemon, when it runs.
    pub fn daemon(&self) -> Option<i32> {
        let conf = self.pvm(&["conf", "--json"]);
        let hosts: serde_json::Value = serde_json::from_slice(&conf.out).ok()?;
        hosts[0]["daemon_pid"].as_i64().map(|pid| pid as i32)
    }

    /// Process id of the task with this rank, of the only job.
    #[track_caller]
    pub fn task(&self, rank: u64) -> i32 {
        let list = self.pvm(&["ps", "--json"]).out;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list).expect("a list of tasks");
        let task = list.iter().find(|task| task["rank"].as_u64() == Some(rank));
        let pid = task.and_then(|task| task["pid"].as_i64());
        pid.unwrap_or_else(|| panic!("no rank {rank} in {list:?}")) as i32
    }

    /// Processes that were started inside this machine, by their environment; the daemon too, and
    /// its keepers, once they have been seen.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("{}={}", settings::RUNTIME_DIR, self.runtime_dir().display());
        let all: Vec<Process> = std::fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| Process::read(&entry.ok()?.path()))
            .collect();
        let marked = |process: &&Process| process.environment.contains(&mark);
        let inside: BTreeSet<i32> = all
            .iter()
            .filter(marked)
            .map(|process| process.pid)
            .collect();
        let mut keepers = self.keepers.lock().expect("no test thread has panicked");
        let is_keeper = |process: &&Process| {
            let known = inside.contains(&process.parent) || keepers.contains(&process.pid);
            known && process.line.starts_with("pvmd keeper")
        };
        *keepers = all
            .iter()
            .filter(is_keeper)
            .map(|process| process.pid)
            .collect();
        all.into_iter()
            .filter(|process| inside.contains(&process.pid) || keepers.contains(&process.pid))
            .map(|process| (process.pid, process.line))
            .collect()
    }

    /// Asserts that every process of this machine is gone soon, but those with `spare` in their
    /// command line.
    #[track_caller]
    pub fn assert_gone(&self, spare: &str) {
        let end = Instant::now() + GONE;
        loop {
            let mut left = self.processes();
            left.retain(|(_, line)| spare.is_empty() || !line.contains(spare));
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "still there: {left:?}");
            sleep(LOOK);
        }
    }

    /// Asserts that the daemon, if there is one, soon has no job and no task.
    #[track_caller]
    pub fn assert_idle(&self) {
        let end = Instant::now() + GONE;
        loop {
            let conf = self.pvm(&["conf", "--json"]);
            let hosts: serde_json::Value = serde_json::from_slice(&conf.out).unwrap_or_default();
            let left = |what: &str| hosts[0][what].as_u64().unwrap_or(0);
            if left("jobs") + left("tasks") == 0 {
                return;
            }
            assert!(Instant::now() < end, "the daemon is busy: {}", conf.text());
            sleep(LOOK);
        }
    }

    /// Asserts that the daemon lives and works.
    #[track_caller]
    pub fn assert_alive(&self) {
        let run = self.pvm(&["run", "echo", "alive"]).well();
        assert_eq!(run.text(), "alive\n");
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let mut halt = self.command(&["halt", "--force"]);
        // What it says is of no use here: what is left is killed by pid.
        let _ = halt.stdout(Stdio::null()).stderr(Stdio::null()).status();
        for (pid, _) in self.processes() {
            kill(pid, libc::SIGKILL);
        }
    }
}

/// Sends a signal to a process.
pub fn kill(pid: i32, signal: i32) {
    let process = rustix::process::Pid::from_raw(pid).expect("a process id");
    let signal = rustix::process::Signal::from_named_raw(signal).expect("a signal");
    // It may have gone meanwhile.
    let _ = rustix::process::kill_process(process, signal);
}

/// Starts a command with both outputs captured.
pub fn start(command: &mut Command) -> Running {
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pvm starts");
    fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
        spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).expect("a pipe can be read");
            bytes
        })
    }
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    Running {
        child,
        out,
        err,
        start,
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// Waits for its end until a moment; whether it has come.
    pub fn has_ended_by(&mut self, moment: Instant) -> bool {
        loop {
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() >= moment {
                return ended.is_some();
            }
            sleep(LOOK);
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        use std::os::unix::process::ExitStatusExt;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if self.start.elapsed() > LIMIT {
                kill(self.pid(), libc::SIGKILL);
                let err = self
                    .err
                    .take()
                    .map(|thread| thread.join().expect("a reader"));
                let err = String::from_utf8_lossy(&err.unwrap_or_default()).into_owned();
                panic!("not finished after {LIMIT:?}: {err}");
            }
            sleep(LOOK);
        };
        let took = self.start.elapsed();
        let take = |thread: &mut Option<JoinHandle<Vec<u8>>>| {
            thread
                .take()
                .map(|thread| thread.join().expect("a reader"))
                .unwrap_or_default()
        };
        let out = take(&mut self.out);
        let err = String::from_utf8_lossy(&take(&mut self.err)).into_owned();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Finished {
            code,
            out,
            err,
            took,
        }
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        sleep(LOOK);
    }
}

/// Text with its process ids, durations, host names and job numbers masked, for golden files.
pub fn masked(text: &str) -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let text = text.replace(&format!(" on {host}"), " on HOST");
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
            match words[at].as_str() {
                "pid" | "(pid" if at + 1 < words.len() => {
                    let tail = words[at + 1].trim_start_matches(|c: char| c.is_ascii_digit());
                    words[at + 1] = format!("PID{tail}");
                }
                "after" if at + 2 < words.len() && number(&words[at + 1]) => {
                    let unit = words[at + 2].trim_start_matches('s').to_owned();
                    words[at + 1] = "TIME".to_owned();
                    words[at + 2] = unit;
                }
                "used" if at + 2 < words.len() && number(&words[at + 1]) => {
                    words[at + 1] = "MEMORY".to_owned();
                    let tail = words[at + 2].trim_start_matches(|c: char| c.is_ascii_alphabetic());
                    words[at + 2] = tail.to_owned();
                }
                word if word.starts_with('j')
                    && word[1..].starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    let tail = word[1..].trim_start_matches(|c: char| c.is_ascii_digit());
                    words[at] = format!("JOB{tail}");
                }
                _ => {}
            }
        }
        out.push_str(
            &words
                .join(" ")
                .replace("TIME ", "TIME")
                .replace("MEMORY ", "MEMORY"),
        );
        out.push('\n');
    }
    out
}

/// Compares with `tests/golden/NAME.txt`.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let text = masked(text);
    assert!(
        text == expected,
        "{} should be, if this is better:\n{text}",
        path.display()
    );
}

/// Takes away what the caller's own environment may say to our programs.
pub(crate) fn without_settings(command: &mut Command) {
    for name in [
        settings::TASK,
        settings::SOCKET,
        settings::DAEMON,
        settings::IDLE,
        settings::PORT,
        settings::SSH,
    ] {
        command.env_remove(name);
    }
}
