//! Shared memory that the daemon makes for its tasks.

use pvm::transport::shm::{HostFacts, Inbox, InboxBell, MapError, Segment, calibrate};
use std::os::fd::OwnedFd;

pub use pvm::transport::shm::{HostPage, InboxBell as Bell};

/// Makes a task's inbox: the descriptor for the task and its peers, and its bell.
///
/// # Errors
/// When descriptors or memory run out.
pub fn inbox() -> Result<(OwnedFd, InboxBell), MapError> {
    Inbox::create()
}

/// Makes the memory of one channel.
///
/// # Errors
/// When descriptors or memory run out.
pub fn segment() -> Result<OwnedFd, MapError> {
    Segment::create()
}

/// Measures the host and makes the page that all its tasks share.
///
/// # Errors
/// When descriptors or memory run out.
pub fn host_page(cpus: u32) -> Result<(OwnedFd, HostPage), MapError> {
    let facts = HostFacts {
        cpus,
        ..calibrate()
    };
    HostPage::create(&facts)
}
