//! The kernel's counters of out-of-memory kills: what proves that a SIGKILL came from there.

use std::path::{Path, PathBuf};

/// A counter as it stood when a job began.
#[derive(Debug, Clone)]
pub struct OomCounter {
    sources: Vec<(PathBuf, &'static str, u64)>,
}

impl OomCounter {
    /// Reads the counters that are readable: the daemon's memory cgroup (version 2 or 1) and the
    /// whole system's.
    pub fn now() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut files: Vec<_> = own.lines().filter_map(counter_file).collect();
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

fn counter_file(line: &str) -> Option<(PathBuf, &'static str)> {
    let mut parts = line.splitn(3, ':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let path = path.trim_start_matches('/');
    if id == "0" {
        return Some((
            Path::new("/sys/fs/cgroup").join(path).join("memory.events"),
            "cgroup",
        ));
    }
    let is_memory = controllers.split(',').any(|c| c == "memory");
    is_memory.then(|| {
        (
            Path::new("/sys/fs/cgroup/memory")
                .join(path)
                .join("memory.oom_control"),
            "cgroup",
        )
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
