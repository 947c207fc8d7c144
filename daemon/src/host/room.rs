//! How much room there is: memory, what its control group leaves of it, and file systems.

use super::groups::{self, Version};
use pvm::wire::control::{FileSystem, Room};
use rustix::fs::{StatFs, statfs};
use std::fs::read_to_string;
use std::path::Path;

/// Names of file systems by the numbers that the kernel gives them.
const KINDS: &[(u64, &str)] = &[
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0xef53, "ext"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0x794c_7630, "overlay"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x5346_414f, "afs"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
];

/// Above this a limit of control groups of version 1 is none.
const NO_LIMIT: u64 = 1 << 60;

/// Memory of this host, and what of it could be used now.
pub fn memory() -> Option<Room> {
    memory_of(&read_to_string("/proc/meminfo").ok()?)
}

fn memory_of(meminfo: &str) -> Option<Room> {
    let value = |name: &str| {
        let mut lines = meminfo.lines();
        let rest = lines.find_map(|line| line.strip_prefix(name))?;
        let digits = rest.strip_prefix(':')?.trim().strip_suffix("kB")?.trim();
        digits.parse().ok()
    };
    Some(Room {
        total_kib: value("MemTotal")?,
        free_kib: value("MemAvailable")?,
    })
}

/// What the control groups of this process leave of the memory, when they limit it: the tightest.
pub fn group_memory() -> Option<Room> {
    let groups = groups::own("memory");
    let rooms = groups.iter().flat_map(|group| {
        let folders = group.folders();
        folders.filter_map(|folder| group_room(folder, group.version))
    });
    rooms.min_by_key(|room| room.free_kib)
}

fn group_room(folder: &Path, version: Version) -> Option<Room> {
    let (limit, used) = match version {
        Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        Version::Two => ("memory.max", "memory.current"),
    };
    let number = |name: &str| -> Option<u64> {
        let text = read_to_string(folder.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let limit = number(limit).filter(|limit| *limit < NO_LIMIT)?;
    let stat = read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let used = number(used)?.saturating_sub(files_in(&stat));
    Some(Room {
        total_kib: limit >> 10,
        free_kib: limit.saturating_sub(used) >> 10,
    })
}

/// Bytes of files that are kept in memory and given up when there is need.
fn files_in(stat: &str) -> u64 {
    let mut lines = stat.lines();
    let found = lines.find_map(|line| line.strip_prefix("inactive_file "));
    found.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The file system that a path is on; `None`: it is not there. May take as long as that file system
/// does.
pub fn file_system(path: &Path) -> Option<FileSystem> {
    let found = statfs(path).ok()?;
    Some(FileSystem {
        path: path.to_string_lossy().into_owned(),
        kind: kind(found.f_type as u64 & 0xffff_ffff),
        room: Some(room_of(&found)),
        files: found.f_files,
        files_free: found.f_ffree,
    })
}

fn kind(number: u64) -> String {
    let known = KINDS.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("{number:#x}"), |(_, name)| (*name).to_owned())
}

fn room_of(found: &StatFs) -> Room {
    let block = found.f_bsize as u64;
    let kib = |blocks: u64| blocks.saturating_mul(block) >> 10;
    Room {
        total_kib: kib(found.f_blocks),
        free_kib: kib(found.f_bavail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_system_writes() {
        let text = "MemTotal:       2048 kB\nMemFree:  1 kB\nMemAvailable:    512 kB\n";
        let expected = Room {
            total_kib: 2048,
            free_kib: 512,
        };
        assert_eq!(memory_of(text), Some(expected));
        assert_eq!(memory_of("MemTotal: many\n"), None);
        assert!(memory().is_some_and(|room| room.free_kib <= room.total_kib));
    }

    #[test]
    fn a_group_has_its_limit_less_what_it_uses() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("memory.max", "max\n").unwrap();
        write("memory.current", "3145728\n").unwrap();
        assert_eq!(group_room(folder.path(), Version::Two), None);
        write("memory.max", "4194304\n").unwrap();
        write("memory.stat", "anon 5\ninactive_file 1048576\n").unwrap();
        let expected = Room {
            total_kib: 4096,
            free_kib: 2048,
        };
        assert_eq!(group_room(folder.path(), Version::Two), Some(expected));
    }

    #[test]
    fn file_systems_have_names() {
        assert_eq!(kind(0x6969), "nfs");
        assert_eq!(kind(0x1234), "0x1234");
        let proc = file_system(Path::new("/proc")).unwrap();
        assert_eq!(proc.kind, "0x9fa0");
        assert_eq!(file_system(Path::new("/proc/nothing/here")), None);
    }
}
