//! Process trees, from /proc.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::{HashMap, HashSet};

/// The living descendants of `root` (itself not included), skipping those in `spare` and all
/// below them. Zombies are left out. A snapshot: call again until none is left.
pub fn of(root: Pid, spare: &HashSet<i32>) -> Vec<Pid> {
    let children = children_by_parent();
    let mut found = Vec::new();
    let mut open = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = open.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if spare.contains(&child.pid) {
                continue;
            }
            open.push(child.pid);
            if !child.is_zombie {
                found.extend(Pid::from_raw(child.pid));
            }
        }
    }
    found
}

/// Sends a signal to each; those that are gone already do not matter.
pub fn signal(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill_process(*pid, signal);
    }
}

struct Child {
    pid: i32,
    is_zombie: bool,
}

fn children_by_parent() -> HashMap<i32, Vec<Child>> {
    let mut children: HashMap<i32, Vec<Child>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read(entry.path().join("stat")) else {
            continue;
        };
        if let Some((state, parent)) = state_and_parent(&stat) {
            let is_zombie = matches!(state, 'Z' | 'X');
            children
                .entry(parent)
                .or_default()
                .push(Child { pid, is_zombie });
        }
    }
    children
}

/// The fields after the program's name, which may hold anything, even ')'.
fn state_and_parent(stat: &[u8]) -> Option<(char, i32)> {
    let close = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn names_with_brackets_do_not_confuse() {
        assert_eq!(state_and_parent(b"7 (a) b (c)) S 42 7 7"), Some(('S', 42)));
        assert_eq!(state_and_parent(b"7 (a"), None);
    }

    #[test]
    fn grandchildren_are_found_and_spared() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & wait"])
            .spawn()
            .unwrap();
        let me = rustix::process::getpid();
        let pid = shell.id() as i32;
        let sleeper = loop {
            let below = of(Pid::from_raw(pid).unwrap(), &HashSet::new());
            if let [sleeper] = below[..] {
                break sleeper;
            }
            std::thread::yield_now();
        };
        let all = of(me, &HashSet::new());
        assert!(all.contains(&sleeper) && all.contains(&Pid::from_raw(pid).unwrap()));
        assert!(!of(me, &HashSet::from([pid])).contains(&sleeper));
        signal(&[sleeper], Signal::KILL);
        shell.kill().unwrap();
        shell.wait().unwrap();
    }
}
