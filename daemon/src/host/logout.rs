//! What becomes of this process and its children when the user logs out, where systemd sees to that.

use super::groups;
use pvm::wire::control::Logout;
use rustix::process::geteuid;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Folders with the settings of systemd, the one that counts most first.
const SETTINGS: [&str; 3] = ["etc/systemd", "run/systemd", "usr/lib/systemd"];

/// What becomes of them, as far as that can be told.
pub fn fate() -> Logout {
    // Systemd has a tree of its own among those of version 1.
    let groups = groups::own("name=systemd");
    let mut places = groups.iter().filter_map(|group| place(&group.folder));
    let name = user(&read_to_string("/etc/passwd").unwrap_or_default());
    let (Some(place), Some(name)) = (places.next(), name) else {
        return Logout::DoesNothing;
    };
    fate_at(Path::new("/"), place, &name)
}

/// Under what systemd has put a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Session,
    Service,
}

fn place(group: &Path) -> Option<Place> {
    let mut units = group.iter().filter_map(|unit| unit.to_str());
    units.find_map(|unit| {
        let is_session = unit.starts_with("session-") && unit.ends_with(".scope");
        let is_service = unit.starts_with("user@") && unit.ends_with(".service");
        match (is_session, is_service) {
            (true, _) => Some(Place::Session),
            (_, true) => Some(Place::Service),
            _ => None,
        }
    })
}

fn fate_at(root: &Path, place: Place, user: &str) -> Logout {
    let lingers = root.join("var/lib/systemd/linger").join(user).exists();
    match place {
        Place::Session if kills(&settings(root), user) => Logout::KillsSession,
        Place::Service if !lingers => Logout::EndsServices,
        _ => Logout::DoesNothing,
    }
}

/// The name of the user that we are, if it is one of this host alone.
fn user(passwd: &str) -> Option<String> {
    let id = geteuid().as_raw().to_string();
    let mut users = passwd.lines().map(|line| line.split(':'));
    users.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1) == Some(&id)).then(|| name.to_owned())
    })
}

/// The settings of logind, those that count most at the end.
fn settings(root: &Path) -> String {
    let folders = SETTINGS.map(|folder| root.join(folder));
    let whole = folders.iter().map(|folder| folder.join("logind.conf"));
    let mut files: Vec<PathBuf> = whole.filter(|file| file.exists()).take(1).collect();
    let parts = folders.iter().rev().flat_map(|folder| {
        let parts = read_dir(folder.join("logind.conf.d")).into_iter().flatten();
        parts.flatten().map(|entry| entry.path())
    });
    let mut parts: Vec<PathBuf> = parts.collect();
    // Stable: of two with the same name the last counts.
    parts.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    files.extend(parts);
    let texts = files.iter().filter_map(|file| read_to_string(file).ok());
    texts.collect::<Vec<_>>().join("\n")
}

/// Whether what a session has started is killed when it ends.
fn kills(settings: &str, user: &str) -> bool {
    let value = |name: &str| {
        let mut values = settings.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then_some(value.trim())
        });
        values.next_back()
    };
    // What it does when nobody has set it is told in a comment.
    let word = value("KillUserProcesses").or(value("#KillUserProcesses"));
    let is_on = word.is_some_and(|word| ["yes", "true", "on", "1"].contains(&word));
    let names = |list: &str| list.split_whitespace().any(|name| name == user);
    let only = value("KillOnlyUsers").filter(|list| !list.is_empty());
    let is_meant = only.is_none_or(names);
    let is_spared = names(value("KillExcludeUsers").unwrap_or("root"));
    is_on && is_meant && !is_spared
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    #[test]
    fn sessions_and_services_are_told_apart() {
        let cases = [
            ("user-7.slice/session-3.scope", Some(Place::Session)),
            (
                "user-7.slice/user@7.service/app.slice/pvmd.service",
                Some(Place::Service),
            ),
            ("system.slice/pvmd.service", None),
            ("", None),
        ];
        for (group, expected) in cases {
            let folder = Path::new("/sys/fs/cgroup/user.slice").join(group);
            assert_eq!(place(&folder), expected, "{group}");
        }
    }

    #[test]
    fn what_is_killed_is_what_the_settings_say() {
        let cases = [
            ("", false),
            ("#KillUserProcesses=no", false),
            ("#KillUserProcesses=yes", true),
            (
                "#KillUserProcesses=no\n[Login]\nKillUserProcesses = yes",
                true,
            ),
            ("KillUserProcesses=yes\nKillUserProcesses=no", false),
            ("KillUserProcesses=yes\n#KillExcludeUsers=root", true),
            ("KillUserProcesses=yes\nKillExcludeUsers=root bob", false),
            ("KillUserProcesses=yes\nKillOnlyUsers=eve", false),
            ("KillUserProcesses=yes\nKillOnlyUsers=eve bob", true),
        ];
        for (settings, expected) in cases {
            assert_eq!(kills(settings, "bob"), expected, "{settings}");
        }
        assert!(!kills("KillUserProcesses=yes", "root"));
    }

    #[test]
    fn a_part_counts_more_than_the_whole_and_who_lingers_has_services_that_stay() {
        let root = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let path = root.path().join(file);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, text).unwrap();
        };
        let fate = |place| fate_at(root.path(), place, "bob");
        assert_eq!(fate(Place::Session), Logout::DoesNothing);
        assert_eq!(fate(Place::Service), Logout::EndsServices);
        put("usr/lib/systemd/logind.conf", "KillUserProcesses=no");
        put(
            "usr/lib/systemd/logind.conf.d/7.conf",
            "KillUserProcesses=yes",
        );
        assert_eq!(fate(Place::Session), Logout::KillsSession);
        put("etc/systemd/logind.conf.d/7.conf", "KillUserProcesses=no");
        assert_eq!(fate(Place::Session), Logout::DoesNothing);
        put("var/lib/systemd/linger/bob", "");
        assert_eq!(fate(Place::Service), Logout::DoesNothing);
    }

    #[test]
    fn we_have_a_name() {
        let id = geteuid().as_raw();
        let passwd = format!("a:x:{}:0::/:\nbob:x:{id}:{id}::/:/bin/sh\n", id + 1);
        assert_eq!(user(&passwd).as_deref(), Some("bob"));
        assert_eq!(user("bob:x\n:::\n"), None);
    }
}
