//! Whose turn it is at a terminal.

use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether our process group is the one that may read from this terminal.
///
/// Compared as plain numbers: a group that began outside our process namespace (`docker exec`,
/// `unshare --pid`) is 0 here, which the safe wrappers take for impossible.
pub fn is_ours(terminal: BorrowedFd<'_>) -> bool {
    // SAFETY: both only ask the kernel; the borrow keeps the descriptor open meanwhile.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) == libc::getpgrp() }
}
