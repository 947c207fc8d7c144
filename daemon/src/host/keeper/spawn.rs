//! Starting a keeper, from the daemon.

use super::link::KEEPER_FD;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// A keeper that has been started.
pub struct KeeperProcess {
    /// Its process. The daemon's loop over ended children reaps it.
    pub pid: i32,
    /// The daemon's end of the socket.
    pub socket: OwnedFd,
}

/// Starts a keeper. `open_files` is the soft limit that its tasks get.
///
/// # Errors
/// When processes or descriptors run out.
pub fn start(job: &str, open_files: Option<u64>) -> io::Result<KeeperProcess> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("pvmd")
        .arg("keeper")
        .arg(format!("--job={job}"));
    command.args(open_files.map(|n| format!("--open-files={n}")));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_clear();
    let fd = theirs.as_raw_fd();
    let place = move || match fd {
        // dup2 to itself would leave the descriptor to be closed at the exec.
        // SAFETY: plain system calls on a descriptor that `theirs` keeps open until after the
        // spawn; nothing allocates.
        KEEPER_FD => match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        },
        // SAFETY: as above.
        _ => match unsafe { libc::dup2(fd, KEEPER_FD) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        },
    };
    // SAFETY: the closure only makes system calls that are safe between fork and exec.
    unsafe { command.pre_exec(place) };
    let child = command.spawn()?;
    Ok(KeeperProcess {
        pid: child.id() as i32,
        socket: ours,
    })
}
