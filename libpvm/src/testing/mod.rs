//! Private virtual machines for tests, ours and those of users.
//!
//! A [`LocalVm`] has a runtime directory and a daemon of its own, so tests may run side by side and
//! beside a virtual machine in use. It is taken down when it is dropped, also by a panic; when the
//! test process is killed, the daemon ends its tasks at once and leaves by itself soon after.
//!
//! The program `pvmd` is needed: beside the test program or one directory above, in PATH, or named
//! by `PVM_PVMD`; for [`LocalVm::run`], `pvm` is looked for at the same places.
//!
//! ```no_run
//! // In a test: four tasks, each a thread of this process.
//! let sums = pvm::testing::tasks(4, |vm| {
//!     let world = vm.world();
//!     world.allreduce(&[world.rank() as u64], pvm::Sum).unwrap()[0]
//! });
//! assert_eq!(sums, [6, 6, 6, 6]);
//! ```

mod network;

use crate::api::{Error, Options, Threads, Vm};
use crate::ids::TaskId;
use crate::limits::TASKS_PER_LAUNCH_MAX;
use crate::session::{
    DaemonOptions, Link, LinkError, StartError, hello_tool, socket_path, start_daemon,
};
use crate::settings;
use crate::wire::control::{Adopt, AdoptedTask, Halt, OpenVm, Placement, from_daemon, to_daemon};
use network::Network;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Name of the daemon of every local virtual machine; its directory makes it unique.
const DAEMON: &str = "test";
/// How long a daemon stays that nobody takes down.
const IDLE: Duration = Duration::from_secs(30);
/// How long a daemon may take to end when told to.
const HALT_DEADLINE: Duration = Duration::from_secs(5);

/// Why a local virtual machine does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalVmError {
    /// The daemon did not start.
    #[error("{0}, or have it in PATH (in the source of pvm: cargo build -p pvm-daemon)")]
    Start(#[from] StartError),
    /// The daemon did not do what it was asked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A task could not be attached.
    #[error(transparent)]
    Attach(#[from] Error),
    /// The daemon answered another question.
    #[error("the daemon gave a wrong answer")]
    WrongAnswer,
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A virtual machine of this machine alone, for one test.
pub struct LocalVm {
    /// Declared before the directory: the daemons go first, those that joined before the one that they
    /// have joined.
    others: Vec<Daemon>,
    daemon: Daemon,
    dir: PrivateDir,
    network: Network,
}

impl LocalVm {
    /// Starts one of one host.
    ///
    /// # Errors
    /// When the daemon program is not found (see [`settings::PVMD`]) or does not start.
    pub fn start() -> Result<Self, LocalVmError> {
        Self::hosts(1)
    }

    /// Starts one of several hosts: a daemon for each, on this machine. Tasks go to them in turn.
    ///
    /// # Errors
    /// When the daemon program is not found (see [`settings::PVMD`]) or does not start.
    ///
    /// # Panics
    /// With no host.
    pub fn hosts(count: usize) -> Result<Self, LocalVmError> {
        assert!(count > 0, "a virtual machine has a host");
        let dir = PrivateDir::new()?;
        let mut options = DaemonOptions {
            dir: dir.0.clone(),
            name: DAEMON.to_owned(),
            idle: Some(IDLE),
            pvmd: None,
            secret: Some(dir.0.join("vm.key")),
            join: Vec::new(),
        };
        let network = Network::from_environment();
        network.at(1, || start_daemon(&options))??;
        let daemon = Daemon::connect(socket_path(&dir.0, DAEMON))?;
        let mut vm = Self {
            others: Vec::new(),
            daemon,
            dir,
            network,
        };
        if count > 1 {
            options.join = vm.daemon.open()?;
        }
        for number in 2..=count {
            options.name = format!("{DAEMON}.{number}");
            vm.network.at(number, || start_daemon(&options))??;
            let socket = socket_path(&options.dir, &options.name);
            vm.others.push(Daemon::connect(socket)?);
        }
        Ok(vm)
    }

    /// How many hosts it was started with.
    pub fn host_count(&self) -> usize {
        self.others.len() + 1
    }

    /// The process of each host's daemon.
    pub fn daemon_pids(&self) -> Vec<u32> {
        let all = std::iter::once(&self.daemon).chain(&self.others);
        all.map(|daemon| daemon.pid).collect()
    }

    /// The socket of each host's daemon.
    pub fn sockets(&self) -> Vec<&Path> {
        let all = std::iter::once(&self.daemon).chain(&self.others);
        all.map(|daemon| daemon.socket.as_path()).collect()
    }

    /// Its runtime directory.
    pub fn runtime_dir(&self) -> &Path {
        &self.dir.0
    }

    /// The daemon's socket.
    pub fn socket(&self) -> &Path {
        &self.daemon.socket
    }

    /// The daemon's process.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.pid
    }

    /// The environment in which any program, `pvm` say, uses this virtual machine.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            (settings::RUNTIME_DIR, self.dir.0.clone()),
            (settings::DAEMON, PathBuf::from(DAEMON)),
        ]
    }

    /// Runs `n` tasks of a program under the launcher `pvm`, which is looked for where the daemon
    /// program is, and waits for its end.
    ///
    /// # Errors
    /// When the launcher cannot be started. How the program ended is in the output.
    pub fn run(
        &self,
        n: usize,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Output, LocalVmError> {
        let mut command = Command::new(beside_pvmd("pvm"));
        command
            .args(["run", "-n", &n.to_string(), "--map-by", "host", "--"])
            .arg(program)
            .args(arguments);
        command
            .envs(self.environment())
            .stdin(std::process::Stdio::null());
        Ok(command.output()?)
    }

    /// Runs `body` as `n` tasks of one world, each in a thread of this process; gives the results
    /// by rank.
    ///
    /// # Errors
    /// When the tasks cannot be made or attached.
    ///
    /// # Panics
    /// When one of the tasks does.
    pub fn tasks<R: Send>(
        &self,
        n: usize,
        body: impl Fn(Vm) -> R + Sync,
    ) -> Result<Vec<R>, LocalVmError> {
        self.tasks_by(n, &Options::new(), body)
    }

    /// As [`LocalVm::tasks`], for a thread level other than the default.
    ///
    /// # Errors
    /// When the tasks cannot be made or attached.
    ///
    /// # Panics
    /// When one of the tasks does.
    pub fn tasks_with<R: Send>(
        &self,
        n: usize,
        threads: Threads,
        body: impl Fn(Vm) -> R + Sync,
    ) -> Result<Vec<R>, LocalVmError> {
        self.tasks_by(n, &Options::new().threads(threads), body)
    }

    /// As [`LocalVm::tasks`], for tasks that attach with other options.
    ///
    /// # Errors
    /// When the tasks cannot be made or attached.
    ///
    /// # Panics
    /// When one of the tasks does.
    pub fn tasks_by<R: Send>(
        &self,
        n: usize,
        options: &Options,
        body: impl Fn(Vm) -> R + Sync,
    ) -> Result<Vec<R>, LocalVmError> {
        let identities = self.daemon.adopt(n)?;
        let sockets = self.sockets();
        let attach = |identity: AdoptedTask| -> Result<Vm, LocalVmError> {
            let task = TaskId::from_bits(identity.task).ok_or(Error::Stranger)?;
            let socket = PathBuf::from(identity.socket);
            let host = sockets.iter().position(|path| *path == socket);
            self.network
                .enter(1 + host.ok_or(LocalVmError::WrongAnswer)?)?;
            let options = options.clone().identity(socket, task, identity.capability);
            Ok(Vm::attach_with(options)?)
        };
        let (attach, body) = (&attach, &body);
        let results: Vec<Result<R, LocalVmError>> = std::thread::scope(|scope| {
            let spawn = |identity| scope.spawn(move || attach(identity).map(body));
            let threads: Vec<_> = identities.into_iter().map(spawn).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        });
        results.into_iter().collect()
    }
}

/// Runs `body` as `n` tasks of a virtual machine made for it: [`LocalVm::tasks`] for most tests. It has
/// one host, or as many as [`settings::TEST_HOSTS`] says.
///
/// # Panics
/// When the virtual machine does not start, or a task panics.
pub fn tasks<R: Send>(n: usize, body: impl Fn(Vm) -> R + Sync) -> Vec<R> {
    let vm = LocalVm::hosts(host_count()).unwrap_or_else(|error| panic!("{error}"));
    vm.tasks(n, body).unwrap_or_else(|error| panic!("{error}"))
}

/// How many hosts the virtual machines of [`tasks`] have.
pub fn host_count() -> usize {
    let hosts = std::env::var(settings::TEST_HOSTS).ok();
    hosts.and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

/// A program that is looked for as pvmd is: beside the set one, beside the caller or one directory
/// up, then in PATH.
fn beside_pvmd(name: &str) -> PathBuf {
    let set = std::env::var_os(settings::PVMD).map(PathBuf::from);
    let caller = std::env::current_exe().ok();
    let beside = |path: &Path| path.parent().map(|dir| dir.join(name));
    let up = |path: &Path| {
        path.parent()
            .and_then(Path::parent)
            .map(|dir| dir.join(name))
    };
    let places = [
        set.as_deref().and_then(beside),
        caller.as_deref().and_then(beside),
        caller.as_deref().and_then(up),
    ];
    let found = places.into_iter().flatten().find(|path| path.is_file());
    found.unwrap_or_else(|| PathBuf::from(name))
}

/// A running daemon, ended when dropped.
struct Daemon {
    socket: PathBuf,
    pid: u32,
    /// Names the process itself: its number could be another's later.
    process: OwnedFd,
    link: Mutex<Link>,
}

impl Daemon {
    fn connect(socket: PathBuf) -> Result<Self, LocalVmError> {
        let (link, welcome, _) = Link::connect(&socket, hello_tool())?;
        let pid = i32::try_from(welcome.daemon_pid)
            .ok()
            .and_then(Pid::from_raw);
        let process = pidfd_open(pid.ok_or(LocalVmError::WrongAnswer)?, PidfdFlags::empty())
            .map_err(io::Error::from)?;
        Ok(Self {
            socket,
            pid: welcome.daemon_pid,
            process,
            link: Mutex::new(link),
        })
    }

    /// Opens the virtual machine for other daemons. Returns where this one is reached.
    fn open(&self) -> Result<Vec<String>, LocalVmError> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match link
            .call(to_daemon::Body::OpenVm(OpenVm { stay: false }))?
            .body
        {
            from_daemon::Body::VmOpened(opened) => Ok(opened.addresses),
            _ => Err(LocalVmError::WrongAnswer),
        }
    }

    fn adopt(&self, n: usize) -> Result<Vec<AdoptedTask>, LocalVmError> {
        let count = u32::try_from(n).unwrap_or(TASKS_PER_LAUNCH_MAX + 1);
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let placement = Some(Placement {
            by_host: true,
            ..Placement::default()
        });
        let answer = link.call(to_daemon::Body::Adopt(Adopt { count, placement }))?;
        match answer.body {
            from_daemon::Body::Adopted(adopted) if adopted.tasks.len() == n => Ok(adopted.tasks),
            _ => Err(LocalVmError::WrongAnswer),
        }
    }

    /// Waits for the end of the process; false: it took too long.
    fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let mut fds = [PollFd::new(&self.process, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return false,
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => return true,
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let link = self.link.get_mut().unwrap_or_else(PoisonError::into_inner);
        let told = link.tell(to_daemon::Body::Halt(Halt {
            force: true,
            ..Halt::default()
        }));
        if told.is_err() || !self.wait(HALT_DEADLINE) {
            let _ = pidfd_send_signal(&self.process, Signal::KILL);
            self.wait(HALT_DEADLINE);
        }
    }
}

/// A directory that only this user can enter, removed when dropped.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn new() -> io::Result<Self> {
        let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("pvm-test-{number:016x}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
