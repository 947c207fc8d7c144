//! What processes use, as /proc shows it.

use std::path::Path;
use std::time::Duration;

/// What a process holds of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Open descriptors.
    pub descriptors: usize,
    /// Those of them that are memory files.
    pub memory_files: usize,
    /// Mapped memory files.
    pub mapped_files: usize,
    /// Children, dead ones that nobody has waited for included.
    pub children: usize,
    /// Threads.
    pub threads: usize,
}

impl Footprint {
    /// Of a process that runs.
    pub fn of(pid: i32) -> Self {
        let tasks = entries(pid, "task");
        let children = |thread: &String| text(pid, &format!("task/{thread}/children"));
        Self {
            descriptors: entries(pid, "fd").len(),
            memory_files: entries(pid, "fd")
                .iter()
                .filter(|fd| target(pid, fd).contains("memfd:"))
                .count(),
            mapped_files: text(pid, "maps").matches("memfd:").count(),
            children: tasks
                .iter()
                .map(|thread| children(thread).split_whitespace().count())
                .sum(),
            threads: tasks.len(),
        }
    }
}

/// Memory of a process that is in core, in bytes.
pub fn resident(pid: i32) -> u64 {
    kibibytes(&text(pid, "status"), "VmRSS:")
}

/// The part of it that no other process shares, in bytes.
pub fn own(pid: i32) -> u64 {
    let rollup = text(pid, "smaps_rollup");
    kibibytes(&rollup, "Private_Dirty:") + kibibytes(&rollup, "Private_Clean:")
}

/// Processor time that all threads of a process have used.
pub fn processor_time(pid: i32) -> Duration {
    let of_thread = |thread: &String| {
        let schedstat = text(pid, &format!("task/{thread}/schedstat"));
        let ran = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
        Duration::from_nanos(ran.expect("schedstat begins with the time that the thread ran"))
    };
    entries(pid, "task").iter().map(of_thread).sum()
}

fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    number.map_or(0, |number| number.parse().unwrap_or(0)) * 1024
}

fn text(pid: i32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

fn target(pid: i32, fd: &str) -> String {
    let link = std::fs::read_link(Path::new("/proc").join(format!("{pid}/fd/{fd}")));
    link.unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(pid: i32, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/{folder}"));
    let entries = entries.unwrap_or_else(|error| panic!("process {pid}: {error}"));
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    entries.filter_map(name).collect()
}
