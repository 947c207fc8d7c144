//! What this host is and allows, as `pvm doctor` wants to know it.

use super::{cgroup, facts, limits, logout, room};
use pvm::limits::{CONTROL_VERSIONS, MESH_VERSIONS};
use pvm::transport::shm::{Inbox, can_read_memory_of};
use pvm::wire::control::{HostHealth, Limit};
use rustix::process::{Resource, Rlimit, getrlimit};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// No limit, as it is told to others.
pub const UNLIMITED: u64 = u64::MAX;

/// What is known already of this host, and where to look.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it calls itself.
    pub name: String,
    /// Where its daemon is reached.
    pub addresses: Vec<String>,
    /// CPUs that tasks may use.
    pub cpus: u32,
    /// Soft limit of open files that tasks get.
    pub open_files: Option<u64>,
    /// The directory of its sockets.
    pub runtime_dir: PathBuf,
}

/// Looks. It may take as long as the file systems do.
pub fn look(known: &Known) -> HostHealth {
    let bound = limits::bound();
    let mut open_files = limit(Resource::Nofile);
    open_files.soft = known.open_files.unwrap_or(UNLIMITED);
    HostHealth {
        name: known.name.clone(),
        software: concat!("pvmd ", env!("CARGO_PKG_VERSION")).to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        machine: machine(),
        addresses: known.addresses.clone(),
        cpus: known.cpus,
        cpus_online: cpus_online(),
        open_files: Some(open_files),
        processes: Some(limit(Resource::Nproc)),
        locked_memory: Some(limit(Resource::Memlock)),
        tasks_max: bound.tasks,
        tasks_bound: bound.reason.to_owned(),
        tasks_next: bound.next.to_owned(),
        memory: room::memory(),
        group_memory: room::group_memory(),
        no_shared_memory: no_shared_memory(),
        shm: room::file_system(Path::new("/dev/shm")),
        runtime_dir: room::file_system(&known.runtime_dir),
        delegated: cgroup::is_to_be_had(),
        reads_memory: can_read_memory_of(std::process::id()),
        ptrace_scope: ptrace_scope(),
        control_version: CONTROL_VERSIONS.1,
        mesh_version: MESH_VERSIONS.1,
        logout: logout::fate().into(),
    }
}

fn limit(resource: Resource) -> Limit {
    let Rlimit { current, maximum } = getrlimit(resource);
    Limit {
        soft: current.unwrap_or(UNLIMITED),
        hard: maximum.unwrap_or(UNLIMITED),
    }
}

/// This start of the system, and the network that it is in: what shares both has the same addresses.
fn machine() -> String {
    let boot = read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    format!("{} {}", boot.trim(), network.display())
}

fn cpus_online() -> u32 {
    let online = read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    count(online.trim()).unwrap_or_else(facts::cpus)
}

/// How many there are in a list like `0-3,8`.
fn count(list: &str) -> Option<u32> {
    list.split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn no_shared_memory() -> String {
    match Inbox::create() {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// The setting of Yama for processes that look into others; -1: there is no Yama.
fn ptrace_scope() -> i32 {
    let text = read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    text.trim().parse().unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_counted() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-3,8,10-11"), Some(7));
        for nonsense in ["", "3-1", "x", "0-4294967295"] {
            assert_eq!(count(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn this_host_is_seen() {
        let known = Known {
            name: "here".to_owned(),
            addresses: Vec::new(),
            cpus: 2,
            open_files: Some(1024),
            runtime_dir: "/proc".into(),
        };
        let health = look(&known);
        assert_eq!(health.open_files.unwrap().soft, 1024);
        assert_eq!(health.runtime_dir.unwrap().path, "/proc");
        assert_eq!(health.no_shared_memory, "");
        assert!(health.cpus_online >= 1 && health.tasks_max >= 1);
        assert!(health.machine.contains("net:["), "{}", health.machine);
    }
}
