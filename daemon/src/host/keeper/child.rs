//! Starting and reaping the processes of tasks.

use crate::host::cgroup::JobGroup;
use pvm::wire::control::KeeperStart;
use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// What a child failed at, and the error number.
pub type StartError = (&'static str, i32);

/// One started process.
pub struct Child {
    /// The task that it is.
    pub task: u64,
    /// It never became the program: the daemon has been told that it failed.
    pub is_void: bool,
    exec: Option<File>,
}

/// How an exec went.
pub enum Outcome {
    /// The program runs.
    Running,
    /// It does not.
    Failed {
        /// What failed.
        step: &'static str,
        /// Error number.
        errno: i32,
    },
}

/// The steps of a child before it becomes the program, as it reports them.
const STEPS: [&str; 5] = ["parent", "stdio", "directory", "exec", "binding"];

impl Child {
    /// The pipe to wait on while the exec is not decided.
    pub fn exec_pipe(&self) -> Option<BorrowedFd<'_>> {
        self.exec.as_ref().map(File::as_fd)
    }

    /// How the exec went, once, when that is known: the pipe's end without a word is success.
    pub fn new_outcome(&mut self) -> Option<Outcome> {
        let mut word = [0; 5];
        match self.exec.as_mut()?.read(&mut word) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            read => {
                self.exec = None;
                Some(match read {
                    Ok(5) => failed(word),
                    _ => Outcome::Running,
                })
            }
        }
    }

    /// As [`Child::new_outcome`], for a child that has ended: it is decided now.
    pub fn last_outcome(&mut self) -> Option<Outcome> {
        self.exec.as_ref()?;
        // Another process may hold the pipe's other end for a moment (a fork under way).
        Some(self.new_outcome().unwrap_or(Outcome::Running))
    }
}

fn failed([step, errno @ ..]: [u8; 5]) -> Outcome {
    Outcome::Failed {
        step: STEPS.get(usize::from(step)).unwrap_or(&"start"),
        errno: i32::from_le_bytes(errno),
    }
}

/// Everything a child needs, laid out before the fork so that it only makes system calls.
struct Plan<'a> {
    path: CString,
    directory: CString,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    stdio: [BorrowedFd<'a>; 3],
    umask: libc::mode_t,
    open_files: Option<libc::rlimit>,
    report: RawFd,
    /// Where the child enters the job's control group.
    group: Option<BorrowedFd<'a>>,
    keeper: libc::pid_t,
    /// What it is bound to.
    cpus: Option<libc::cpu_set_t>,
    /// What it says on its stderr.
    notice: &'a [u8],
}

/// Starts a process; whether its exec has worked is known later.
///
/// # Errors
/// The step and error number.
pub fn start(
    start: &KeeperStart,
    fds: Vec<OwnedFd>,
    open_files: Option<u64>,
    group: Option<&JobGroup>,
) -> Result<(i32, Child), StartError> {
    let [stdin, stdout, stderr] = &fds[..] else {
        return Err(("descriptors", libc::EBADF));
    };
    let arguments = c_strings(&start.arguments)?;
    let environment = c_strings(&start.environment)?;
    let (reader, writer) = report_pipe().map_err(|e| ("pipe", e.raw_os_error()))?;
    let plan = Plan {
        path: c_string(&start.path)?,
        directory: c_string(&start.directory)?,
        argv: pointers(&arguments),
        envp: pointers(&environment),
        stdio: [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        umask: start.umask as libc::mode_t & 0o777,
        open_files: open_files.and_then(limit_of_tasks),
        report: writer.as_raw_fd(),
        group: group.map(JobGroup::door),
        // SAFETY: no conditions.
        keeper: unsafe { libc::getpid() },
        cpus: cpu_set(&start.cpus)?,
        notice: &start.notice,
    };
    // SAFETY: the keeper has one thread, so the child is a full copy of it; it only runs
    // `become_program`, which never returns.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(("fork", last_errno())),
        0 => become_program(&plan),
        pid => {
            // Also here, so that a signal to the group never comes too early. It fails when the
            // child has done it and is the program already: just as well.
            // SAFETY: plain system call on our own child.
            unsafe { libc::setpgid(pid, pid) };
            let child = Child {
                task: start.task,
                is_void: false,
                exec: Some(File::from(reader)),
            };
            Ok((pid, child))
        }
    }
}

fn report_pipe() -> Result<(OwnedFd, OwnedFd), rustix::io::Errno> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((reader, writer))
}

fn limit_of_tasks(soft: u64) -> Option<libc::rlimit> {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    Some(libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard.unwrap_or(libc::RLIM_INFINITY),
    })
}

/// The set of these CPUs; `None`: there are none.
fn cpu_set(cpus: &[u32]) -> Result<Option<libc::cpu_set_t>, StartError> {
    if cpus.is_empty() {
        return Ok(None);
    }
    // SAFETY: `cpu_set_t` is plain data for which zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in cpus {
        if *cpu >= libc::CPU_SETSIZE as u32 {
            return Err(("binding", libc::EINVAL));
        }
        // SAFETY: the number is inside the set.
        unsafe { libc::CPU_SET(*cpu as usize, &mut set) };
    }
    Ok(Some(set))
}

fn c_string(text: &[u8]) -> Result<CString, StartError> {
    CString::new(text).map_err(|_| ("a zero byte in a text", libc::EINVAL))
}

fn c_strings(texts: &[Vec<u8>]) -> Result<Vec<CString>, StartError> {
    texts.iter().map(|text| c_string(text)).collect()
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts
        .iter()
        .map(|text| text.as_ptr())
        .chain([ptr::null()])
        .collect()
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// In the child: reports the failed step and ends.
fn give_up(plan: &Plan<'_>, step: u8) -> ! {
    let [a, b, c, d] = last_errno().to_le_bytes();
    let word = [step, a, b, c, d];
    // SAFETY: `word` lives through the call; _exit runs nothing of this copy of the keeper.
    unsafe {
        libc::write(plan.report, word.as_ptr().cast(), word.len());
        libc::_exit(127)
    }
}

/// In the child: everything up to the program.
fn become_program(plan: &Plan<'_>) -> ! {
    // SAFETY: system calls on valid arguments: the strings and descriptors of `plan` live in this
    // copy of the keeper until the exec, and the pointer arrays end with null.
    unsafe {
        libc::setpgid(0, 0);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != plan.keeper {
            give_up(plan, 0);
        }
        if let Some(group) = plan.group {
            libc::write(group.as_raw_fd(), c"0".as_ptr().cast(), 1);
        }
        reset_signals();
        if !place_stdio(plan) {
            give_up(plan, 1);
        }
        if libc::chdir(plan.directory.as_ptr()) != 0 {
            give_up(plan, 2);
        }
        libc::umask(plan.umask);
        if let Some(cpus) = &plan.cpus
            && libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), cpus) != 0
        {
            give_up(plan, 4);
        }
        // Nobody can be told that it cannot be written.
        libc::write(2, plan.notice.as_ptr().cast(), plan.notice.len());
        if let Some(limit) = &plan.open_files {
            libc::setrlimit(libc::RLIMIT_NOFILE, limit);
        }
        libc::execve(plan.path.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr());
    }
    give_up(plan, 3)
}

/// The descriptors given are all above 2, because the keeper has 0 to 2 open.
fn place_stdio(plan: &Plan<'_>) -> bool {
    // SAFETY: plain system calls on open descriptors.
    (0..3).all(|n| unsafe { libc::dup2(plan.stdio[n as usize].as_raw_fd(), n) == n })
}

fn reset_signals() {
    // SAFETY: `sigset_t` is plain data for which zero is a valid value that sigemptyset sets up;
    // SIG_DFL is a valid disposition for every signal (where it is not settable, the call fails).
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

/// Sends a signal to the process group of a child that has not been reaped, so that its number
/// still is its own.
pub fn signal_group(pid: i32, signal: i32) {
    // SAFETY: plain system call.
    unsafe {
        libc::kill(-pid, signal);
    }
}

/// Turns SIGCHLD into something to wait for, and keeps the keeper's own life apart from the
/// signals of terminals.
///
/// # Errors
/// When the system has no descriptor left.
pub fn block_and_watch_children() -> io::Result<OwnedFd> {
    // SAFETY: `sigset_t` is plain data set up by sigemptyset; the descriptor that signalfd
    // returns is new and owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in [
            libc::SIGCHLD,
            libc::SIGINT,
            libc::SIGHUP,
            libc::SIGTERM,
            libc::SIGQUIT,
        ] {
            libc::sigaddset(&mut set, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut());
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Forgets the signals that have come: the loop looks at its children in any case.
pub fn drain_signals(signals: &OwnedFd) {
    let mut buffer = [0u8; 4 * size_of::<libc::signalfd_siginfo>()];
    while rustix::io::read(signals, &mut buffer).is_ok_and(|n| n > 0) {}
}

/// The end of one process.
pub struct End {
    /// Which.
    pub pid: i32,
    /// Its exit code, when no signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It has left a core file.
    pub core_dumped: bool,
    /// Its largest resident set.
    pub max_rss_kib: u64,
}

/// What [`reap`] finds.
pub enum Reaped {
    /// One child has ended.
    Ended(End),
    /// All children live.
    NoneYet,
    /// There is no child.
    NoChild,
}

/// Collects one ended child.
pub fn reap() -> Reaped {
    let mut status = 0;
    // SAFETY: `rusage` is plain data that the call fills in; both pointers are valid for it.
    let (pid, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (
            libc::wait4(-1, &mut status, libc::WNOHANG, &mut usage),
            usage,
        )
    };
    match pid {
        0 => Reaped::NoneYet,
        -1 if last_errno() == libc::EINTR => Reaped::NoneYet,
        -1 => Reaped::NoChild,
        pid => Reaped::Ended(End {
            pid,
            code: libc::WEXITSTATUS(status),
            signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
            core_dumped: libc::WIFSIGNALED(status) && libc::WCOREDUMP(status),
            max_rss_kib: usage.ru_maxrss.max(0) as u64,
        }),
    }
}
