//! A control group (version 2) per job, where one can be had: it catches what escapes every other
//! net, and kills all at once, also what forks faster than it can be found.
//!
//! Only a subtree that was delegated to us is used, never the system's own groups. Elsewhere jobs
//! run without.

use super::groups::{self, Version};
use rustix::fs::{Mode, OFlags};
use std::fs::DirBuilder;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest time in which the kernel may still hold a group whose processes have ended.
const REMOVAL: Duration = Duration::from_millis(100);

/// A job's group; removed when dropped.
pub struct JobGroup {
    path: PathBuf,
    processes: OwnedFd,
}

impl JobGroup {
    /// Makes the group of the job that this process keeps, below its own group, if that was
    /// delegated to us.
    pub fn make() -> Option<Self> {
        let own = own_group()?;
        if !is_delegated(&own) {
            return None;
        }
        let path = own.join(name_of(rustix::process::getpid().as_raw_nonzero().get()));
        DirBuilder::new().create(&path).ok()?;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        match rustix::fs::open(path.join("cgroup.procs"), flags, Mode::empty()) {
            Ok(processes) => Some(JobGroup { path, processes }),
            Err(_) => {
                let _ = std::fs::remove_dir(&path);
                None
            }
        }
    }

    /// A process that writes "0" here enters the group.
    pub fn door(&self) -> BorrowedFd<'_> {
        self.processes.as_fd()
    }

    /// Kills all that is in it.
    pub fn kill(&self) {
        // Kernels before 5.14 cannot: then the processes are found one by one.
        let _ = std::fs::write(self.path.join("cgroup.kill"), "1");
    }
}

impl Drop for JobGroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Whether jobs get groups.
pub fn is_to_be_had() -> bool {
    own_group().is_some_and(|own| is_delegated(&own))
}

/// Ends what a keeper that was killed has left in its group, and the group.
pub fn clear_after(keeper: i32) {
    if let Some(path) = own_group().map(|own| own.join(name_of(keeper)))
        && path.exists()
    {
        drop(std::fs::write(path.join("cgroup.kill"), "1"));
        remove(&path);
    }
}

fn name_of(keeper: i32) -> String {
    format!("pvm-{keeper}")
}

/// The group is empty a moment after its last process was reaped; nothing tells when.
fn remove(path: &Path) {
    let deadline = Instant::now() + REMOVAL;
    while std::fs::remove_dir(path).is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The folder of this process's own group.
fn own_group() -> Option<PathBuf> {
    let mut groups = groups::own("memory").into_iter();
    let own = groups.find(|group| group.version == Version::Two)?;
    // The top is nobody's to give.
    (!own.is_top()).then_some(own.folder)
}

/// Users own what was delegated to them; for root, who may write everywhere, systemd leaves a
/// mark.
fn is_delegated(group: &Path) -> bool {
    let user = rustix::process::geteuid();
    if !user.is_root() {
        return std::fs::metadata(group).is_ok_and(|data| data.uid() == user.as_raw());
    }
    let is_marked = |name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, name, &mut value[..]).is_ok_and(|n| &value[..n] == b"1")
    };
    is_marked("trusted.delegate") || is_marked("user.delegate")
}
