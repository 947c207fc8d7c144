//! The import arrows between the rooms of libpvm point down, and the daemon stays out of the
//! rooms of the message families.

use super::Finding;
use super::files::{File, Tree};

/// Rooms by floor, ground floor first; a room uses its own floor and those below.
const FLOORS: &[&[&str]] = &[
    &["ids", "limits", "error", "settings", "wire", "sync"],
    &["datatype", "session"],
    &["transport", "group"],
    &["engine"],
    &["collective"],
    &["pvm3", "mpi"],
    &["api", "testing"],
];

/// What the daemon may use of libpvm.
const DAEMON: &[&str] = &[
    "ids",
    "limits",
    "error",
    "settings",
    "wire",
    "sync",
    "session",
    "transport",
];

const LIBRARY: &str = "libpvm/src/";

/// Checks every source of the library and of the daemon.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = rooms_without_floor(tree);
    for file in tree.rust() {
        if let Some(room) = room(file) {
            findings.extend(library(file, room));
        } else if file.is_in("daemon/src") {
            findings.extend(daemon(file));
        }
    }
    findings
}

/// The room that a file of libpvm is in; none for lib.rs, which only names them.
fn room(file: &File) -> Option<&str> {
    let inside = file.path.strip_prefix(LIBRARY)?.strip_suffix(".rs")?;
    let room = inside.split('/').next()?;
    (room != "lib").then_some(room)
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Every module of lib.rs has its place in the order.
fn rooms_without_floor(tree: &Tree) -> Vec<Finding> {
    let Some(lib) = tree.get("libpvm/src/lib.rs") else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for three in lib.tokens.windows(3) {
        let [keyword, name, end] = three else {
            continue;
        };
        let Some(room) = name
            .word()
            .filter(|_| keyword.word() == Some("mod") && end.is(';'))
        else {
            continue;
        };
        if floor(room).is_none() {
            let message =
                format!("room '{room}' has no floor: give it one in xtask/src/tidy/arrows.rs");
            findings.push(Finding::new(&lib.path, name.line, message));
        }
    }
    findings
}

fn library(file: &File, room: &str) -> Vec<Finding> {
    let Some(own) = floor(room) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for path in &file.paths {
        let Some(used) = used_room(file, &path.parts, path.depth) else {
            continue;
        };
        let message = match floor(used) {
            Some(other) if other > own => {
                format!("'{room}' uses '{used}', which is above it: arrows only point down")
            }
            None if own + 1 < FLOORS.len() => {
                format!("'{used}' is not a room: name the room that it lives in")
            }
            _ => continue,
        };
        findings.push(Finding::new(&file.path, path.line, message));
    }
    findings
}

/// The first part of a path after the root of the crate, when it is written from there.
fn used_room<'a>(file: &File, parts: &'a [String], depth: usize) -> Option<&'a str> {
    let supers = parts.iter().take_while(|part| *part == "super").count();
    let is_root = match parts.first()?.as_str() {
        "crate" => return parts.get(1).map(String::as_str),
        _ => supers > 0 && supers == module_depth(&file.path) + depth,
    };
    is_root
        .then(|| parts.get(supers).map(String::as_str))
        .flatten()
}

/// Number of modules from the root of the crate to a file.
fn module_depth(path: &str) -> usize {
    let inside = path.strip_prefix(LIBRARY).unwrap_or(path);
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

fn daemon(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in &file.paths {
        let [krate, room, ..] = path.parts.as_slice() else {
            continue;
        };
        if krate == "pvm" && !DAEMON.contains(&room.as_str()) {
            let message = format!(
                "the daemon uses 'pvm::{room}'; it may use {}",
                DAEMON.join(", ")
            );
            findings.push(Finding::new(&file.path, path.line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|it| it.message)
            .collect()
    }

    #[test]
    fn down_is_fine() {
        assert_eq!(
            found(
                "libpvm/src/engine/mod.rs",
                "use crate::{ids::TaskId, transport};"
            ),
            [""; 0]
        );
        assert_eq!(found("libpvm/src/api/vm.rs", "use crate::Status;"), [""; 0]);
        assert_eq!(
            found(
                "libpvm/src/wire/mod.rs",
                "mod t { use super::super::limits; }"
            ),
            [""; 0]
        );
    }

    #[test]
    fn up_is_found() {
        let message = "'wire' uses 'engine', which is above it: arrows only point down";
        assert_eq!(
            found("libpvm/src/wire/mod.rs", "use crate::{ids, engine::X};"),
            [message]
        );
        assert_eq!(
            found("libpvm/src/wire/frame.rs", "use super::super::engine;"),
            [message]
        );
        assert_eq!(
            found("libpvm/src/wire/mod.rs", "fn f() { super::engine::g() }"),
            [message]
        );
        let nested = "mod tests { use super::super::engine; }";
        assert_eq!(found("libpvm/src/wire/mod.rs", nested), [message]);
    }

    #[test]
    fn names_of_the_root_hide_their_room() {
        assert_eq!(found("libpvm/src/engine/mod.rs", "crate::Vm").len(), 1);
    }

    #[test]
    fn comments_and_strings_are_not_arrows() {
        let text = "//! [`crate::engine`]\nconst A: &str = \"crate::engine\";";
        assert_eq!(found("libpvm/src/wire/mod.rs", text), [""; 0]);
    }

    #[test]
    fn the_daemon_has_its_rooms() {
        assert_eq!(
            found("daemon/src/server/mod.rs", "use pvm::{ids, wire::control};"),
            [""; 0]
        );
        assert_eq!(
            found("daemon/src/server/mod.rs", "use pvm::{ids, pvm3::Tid};").len(),
            1
        );
        assert_eq!(
            found("daemon/tests/run.rs", "use pvm::testing::LocalVm;"),
            [""; 0]
        );
    }

    #[test]
    fn new_rooms_need_a_floor() {
        assert_eq!(
            found("libpvm/src/lib.rs", "pub mod ids; pub mod attic;").len(),
            1
        );
    }
}
