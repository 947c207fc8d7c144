//! Who is at the other end of a unix socket.

use rustix::io::{Errno, Result};
use rustix::process::Uid;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The user that the other end runs as, as the kernel noted it when the connection was made.
///
/// Only the user: the process id beside it is 0 for a process outside our process namespace (a daemon
/// of the host seen from a container), which the safe wrappers take for a failure.
pub fn user(socket: BorrowedFd<'_>) -> Result<Uid> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes into `peer`, which has that many and takes any
    // bit pattern; the borrow keeps the descriptor open meanwhile.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    match outcome {
        0 => Ok(Uid::from_raw(peer.uid)),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}
