//! The kernel's counters of out-of-memory kills: what proves that a SIGKILL came from there.

use super::groups::{self, Group, Version};
use std::path::{Path, PathBuf};

/// A counter as it stood when a job began.
#[derive(Debug, Clone)]
pub struct OomCounter {
    sources: Vec<(PathBuf, &'static str, u64)>,
}

impl OomCounter {
    /// Reads the counters that are readable: those of the daemon's control groups and the whole
    /// system's.
    pub fn now() -> Self {
        let groups = groups::own("memory");
        let mut files: Vec<_> = groups
            .iter()
            .map(|it| (counter_file(it), "cgroup"))
            .collect();
        files.push((PathBuf::from("/proc/vmstat"), "system"));
        let sources = files.into_iter().filter_map(|(path, name)| {
            let count = read(&path)?;
            Some((path, name, count))
        });
        OomCounter {
            sources: sources.collect(),
        }
    }

    /// What has grown since, in words; `None` when nothing has.
    pub fn evidence(&self) -> Option<String> {
        self.sources.iter().find_map(|(path, name, before)| {
            let after = read(path)?;
            (after > *before).then(|| format!("out of memory: {name} oom_kill {before} > {after}"))
        })
    }
}

fn counter_file(group: &Group) -> PathBuf {
    group.folder.join(match group.version {
        Version::One => "memory.oom_control",
        Version::Two => "memory.events",
    })
}

fn read(path: &Path) -> Option<u64> {
    count(&std::fs::read_to_string(path).ok()?)
}

fn count(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_all_three_formats() {
        assert_eq!(
            count("low 0\noom 2\noom_kill 3\noom_group_kill 0\n"),
            Some(3)
        );
        assert_eq!(
            count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            Some(1)
        );
        assert_eq!(count("pgfault 7\n"), None);
        assert_eq!(OomCounter::now().evidence(), None);
    }
}
