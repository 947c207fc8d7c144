//! What this host is and has.

use super::groups::{self, Version};
use std::path::Path;

/// Name of this host.
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// By what this machine, or this image of one, is known; empty when it has nothing of the kind.
pub fn machine_id() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    id.trim().to_owned()
}

/// CPUs that tasks may use at a time: the affinity mask, cut to a cgroup's quota.
pub fn cpus() -> u32 {
    let mask = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    quota().map_or(mask, |quota| quota.min(mask)).max(1)
}

/// What the control groups allow: the tightest.
fn quota() -> Option<u32> {
    let groups = groups::own("cpu");
    let quotas = groups.iter().flat_map(|group| {
        let folders = group.folders();
        folders.filter_map(|folder| quota_of(folder, group.version))
    });
    quotas.min()
}

fn quota_of(folder: &Path, version: Version) -> Option<u32> {
    let read = |name| std::fs::read_to_string(folder.join(name)).ok();
    let number = |name| read(name)?.trim().parse().ok();
    match version {
        Version::One => whole_cpus(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?),
        Version::Two => {
            let text = read("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            whole_cpus(quota.parse().ok()?, period.parse().ok()?)
        }
    }
}

fn whole_cpus(quota: i64, period: i64) -> Option<u32> {
    let is_limited = quota > 0 && period > 0;
    is_limited.then(|| quota.div_euclid(period).clamp(1, i64::from(u32::MAX)) as u32)
}

/// Number of processes that exist now.
pub fn processes() -> u64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let total = text
        .split_whitespace()
        .nth(3)
        .and_then(|s| s.split_once('/'));
    total.and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
}

/// Number of files that this process has open now.
pub fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

/// PVM's name of this architecture.
pub fn pvm_arch() -> &'static str {
    if cfg!(target_pointer_width = "64") {
        "LINUX64"
    } else {
        "LINUX"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_in_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        let quota = |version| quota_of(folder.path(), version);
        assert_eq!([quota(Version::One), quota(Version::Two)], [None; 2]);
        write("cpu.max", "max 100000\n").unwrap();
        assert_eq!(quota(Version::Two), None);
        write("cpu.max", "250000 100000\n").unwrap();
        write("cpu.cfs_quota_us", "300000\n").unwrap();
        write("cpu.cfs_period_us", "100000\n").unwrap();
        assert_eq!(quota(Version::One), Some(3));
        assert_eq!(quota(Version::Two), Some(2));
    }

    #[test]
    fn quotas_are_whole_cpus() {
        assert_eq!(whole_cpus(250_000, 100_000), Some(2));
        assert_eq!(whole_cpus(50_000, 100_000), Some(1));
        assert_eq!(whole_cpus(-1, 100_000), None);
        assert!(cpus() >= 1);
        assert!(processes() >= 1);
    }
}
