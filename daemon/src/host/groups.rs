//! The control groups that this process is in, and where their files are. A system may have those of
//! version 1, of version 2, both, or neither.

use std::fs::read_to_string;
use std::path::{Component, Path, PathBuf};

/// Which files a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Each kind of resource has a tree of its own.
    One,
    /// There is one tree.
    Two,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its version.
    pub version: Version,
    /// Where its files are.
    pub folder: PathBuf,
    /// The topmost group that can be seen from here.
    top: PathBuf,
}

impl Group {
    /// The folders of the groups around it, which bind it too; its own is the first.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let around = self.folder.ancestors();
        around.take_while(|folder| folder.starts_with(&self.top))
    }

    /// Whether no other group is around it.
    pub fn is_top(&self) -> bool {
        self.folder == self.top
    }
}

/// Those of this process: the one of version 2, and of version 1 the one for a resource, as the kernel
/// calls it.
pub fn own(resource: &str) -> Vec<Group> {
    let read = |name: &str| read_to_string(Path::new("/proc/self").join(name)).unwrap_or_default();
    all_of(resource, &read("cgroup"), &read("mountinfo"))
}

fn all_of(resource: &str, groups: &str, mounts: &str) -> Vec<Group> {
    let trees = mounts.lines().filter_map(|line| tree(line, resource));
    let trees: Vec<Tree> = trees.collect();
    let found = groups.lines().filter_map(|line| membership(line, resource));
    found
        .filter_map(|(version, path)| {
            let mut trees = trees.iter().filter(|tree| tree.version == version);
            trees.find_map(|tree| tree.group(path))
        })
        .collect()
}

/// A line of `/proc/self/cgroup`: `0::/a/b`, or `9:cpu,memory:/a/b`.
fn membership<'a>(line: &'a str, resource: &str) -> Option<(Version, &'a Path)> {
    let mut parts = line.splitn(3, ':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let version = match id {
        "0" => Version::Two,
        _ if has(controllers, resource) => Version::One,
        _ => return None,
    };
    Some((version, Path::new(path)))
}

fn has(list: &str, resource: &str) -> bool {
    list.split(',').any(|name| name == resource)
}

/// A tree of groups, or a part of one, where it is mounted.
struct Tree {
    version: Version,
    /// The group that is at the top of it.
    root: PathBuf,
    top: PathBuf,
}

/// A line of `/proc/self/mountinfo`, if it is of such a tree.
fn tree(line: &str, resource: &str) -> Option<Tree> {
    let (mount, system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, top) = (fields.next()?, fields.next()?);
    let mut system = system.split(' ');
    let version = match (system.next()?, system.nth(1)?) {
        ("cgroup2", _) => Version::Two,
        ("cgroup", options) if has(options, resource) => Version::One,
        _ => return None,
    };
    Some(Tree {
        version,
        root: root.into(),
        top: top.into(),
    })
}

impl Tree {
    /// A group of this tree by its path; `None`: it is not in the part that is mounted.
    fn group(&self, path: &Path) -> Option<Group> {
        let inside = path.strip_prefix(&self.root).ok()?;
        // What is outside of a container begins with `..`.
        let is_inside = inside
            .components()
            .all(|it| matches!(it, Component::Normal(_)));
        is_inside.then(|| Group {
            version: self.version,
            folder: self.top.join(inside),
            top: self.top.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const ONE: &str = "\
        31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
        32 24 0:28 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";

    fn folders(groups: &str, mounts: &str) -> Vec<String> {
        let found = all_of("memory", groups, mounts).into_iter();
        found
            .map(|it| it.folder.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn groups_are_found_in_both_versions() {
        let both = [TWO, ONE].concat();
        let lines = "9:cpuacct,memory:/docker/x/y\n4:cpu:/x\nnonsense\n0::/user.slice/a\n";
        let found = all_of("memory", lines, &both);
        let versions: Vec<_> = found.iter().map(|it| it.version).collect();
        assert_eq!(versions, [Version::One, Version::Two]);
        let expected = ["/sys/fs/cgroup/memory/y", "/sys/fs/cgroup/user.slice/a"];
        assert_eq!(folders(lines, &both), expected);
        let around: Vec<_> = found[1].folders().collect();
        let expected = [
            "/sys/fs/cgroup/user.slice/a",
            "/sys/fs/cgroup/user.slice",
            "/sys/fs/cgroup",
        ];
        assert_eq!(around, expected.map(Path::new));
        assert!(found.iter().all(|group| !group.is_top()));
        assert!(all_of("memory", "0::/\n", TWO)[0].is_top());
        let cpu = all_of("cpu", lines, &both);
        assert_eq!(cpu[0].folder, Path::new("/sys/fs/cgroup/cpu/x"));
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_not_found() {
        assert_eq!(folders("0::/a\n", ""), [""; 0]);
        assert_eq!(folders("0::/a\n", ONE), [""; 0]);
        assert_eq!(folders("9:memory:/docker/other\n", ONE), [""; 0]);
        assert_eq!(folders("0::/../a\n", TWO), [""; 0]);
        let other = TWO.replace("- cgroup2", "- tmpfs");
        assert_eq!(folders("0::/a\n", &other), [""; 0]);
    }
}
