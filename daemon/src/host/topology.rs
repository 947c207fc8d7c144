//! How the CPUs of this host hang together.

use crate::job::binding::Cpu;
use rustix::thread::{CpuSet, sched_getaffinity};
use std::path::Path;

/// Where the system tells it.
const CPUS: &str = "/sys/devices/system/cpu";

/// The CPUs that tasks may use, in the order of their numbers.
pub fn of_this_host() -> Vec<Cpu> {
    let Ok(allowed) = sched_getaffinity(None) else {
        return Vec::new();
    };
    let ids = (0..CpuSet::MAX_CPU).filter(|id| allowed.is_set(*id));
    ids.map(|id| cpu(Path::new(CPUS), id as u32)).collect()
}

/// One CPU. What the system does not tell is as if each were a core of its own on one socket.
fn cpu(folder: &Path, id: u32) -> Cpu {
    let folder = folder.join(format!("cpu{id}"));
    let number = |name: &str| {
        let text = std::fs::read_to_string(folder.join("topology").join(name));
        // Some tell -1 for what they do not know.
        text.ok()?.trim().parse::<u32>().ok()
    };
    let socket = number("physical_package_id").unwrap_or(0);
    Cpu {
        id,
        core: (socket, number("core_id").unwrap_or(id)),
        socket,
        numa: numa(&folder).unwrap_or(0),
    }
}

/// The part of the memory that is nearest to a CPU: its folder has a link `nodeN`.
fn numa(folder: &Path) -> Option<u32> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.find_map(|name| name.to_str()?.strip_prefix("node")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cpu_that_we_may_use_is_there() {
        let cpus = of_this_host();
        let allowed = sched_getaffinity(None).unwrap();
        assert_eq!(cpus.len() as u32, allowed.count());
        assert!(cpus.iter().all(|cpu| allowed.is_set(cpu.id as usize)));
    }

    #[test]
    fn what_is_told_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let topology = dir.path().join("cpu5/topology");
        std::fs::create_dir_all(&topology).unwrap();
        std::fs::create_dir(dir.path().join("cpu5/node3")).unwrap();
        std::fs::write(topology.join("physical_package_id"), "1\n").unwrap();
        std::fs::write(topology.join("core_id"), "2\n").unwrap();
        let expected = Cpu {
            id: 5,
            core: (1, 2),
            socket: 1,
            numa: 3,
        };
        assert_eq!(cpu(dir.path(), 5), expected);
        let unknown = cpu(dir.path(), 6);
        assert_eq!((unknown.core, unknown.numa), ((0, 6), 0));
    }
}
