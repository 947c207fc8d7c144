//! What may be written only in some places, or nowhere.

use super::Finding;
use super::files::{File, Tree, is_in};

/// A path, the places that may name it, and what to write elsewhere.
struct Restricted {
    paths: &'static [&'static [&'static str]],
    places: &'static [&'static str],
    instead: &'static str,
}

const RESTRICTED: &[Restricted] = &[
    Restricted {
        paths: &[&["std", "sync", "atomic"], &["core", "sync", "atomic"]],
        places: &["libpvm/src/sync"],
        instead: "use crate::sync::atomic or pvm::sync::atomic, which loom can replace",
    },
    Restricted {
        paths: &[&["bincode"]],
        places: &["libpvm/src/wire/value.rs"],
        instead: "use wire::value, which owns the format and its limit",
    },
    Restricted {
        paths: &[&["anyhow"]],
        places: &[
            "daemon/src/cli",
            "daemon/src/bin",
            "examples",
            "tests",
            "xtask",
        ],
        instead: "libraries have small error enums; anyhow is for programs",
    },
];

/// Where `unsafe` may be written.
const UNSAFE: &[&str] = &[
    "libpvm/src/sync",
    "libpvm/src/datatype",
    "libpvm/src/session",
    "libpvm/src/transport/net/path.rs",
    "libpvm/src/transport/shm",
    "libpvm/tests",
    "daemon/src/host",
    "daemon/tests",
    "bindings-c",
    "tests/cluster/src/tap.rs",
];

/// Macros that may be written nowhere.
const MACROS: &[(&str, &str)] = &[
    ("todo", "finish it or leave it out"),
    ("unimplemented", "finish it or leave it out"),
    ("dbg", "use tracing, or remove it"),
];

/// Checks every Rust file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .flat_map(|file| [restricted(file), keyword(file), macros(file), ignored(file)])
        .flatten()
        .collect()
}

fn allowed(file: &File, places: &[&str]) -> bool {
    places.iter().any(|place| is_in(&file.path, place))
}

fn restricted(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RESTRICTED.iter().filter(|rule| !allowed(file, rule.places)) {
        for path in &file.paths {
            // A single word is a path only when something of it is used.
            let is_named =
                path.parts.len() > 1 && rule.paths.iter().any(|banned| path.starts_with(banned));
            if is_named {
                let message = format!(
                    "{} is not for this file: {}",
                    path.parts.join("::"),
                    rule.instead
                );
                findings.push(Finding::new(&file.path, path.line, message));
            }
        }
    }
    findings
}

fn keyword(file: &File) -> Vec<Finding> {
    if allowed(file, UNSAFE) {
        return Vec::new();
    }
    let words = file
        .tokens
        .iter()
        .filter(|token| token.word() == Some("unsafe"));
    words
        .map(|token| {
            let message = format!(
                "unsafe is not for this file, only for {}",
                UNSAFE.join(", ")
            );
            Finding::new(&file.path, token.line, message)
        })
        .collect()
}

fn macros(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pair in file.tokens.windows(2) {
        let Some((name, instead)) = MACROS
            .iter()
            .find(|(name, _)| pair[0].word() == Some(name) && pair[1].is('!'))
        else {
            continue;
        };
        findings.push(Finding::new(
            &file.path,
            pair[0].line,
            format!("{name}! is left: {instead}"),
        ));
    }
    findings
}

fn ignored(file: &File) -> Vec<Finding> {
    let is_bare = |four: &[super::scan::Located]| {
        four[0].is('#') && four[1].is('[') && four[2].word() == Some("ignore") && four[3].is(']')
    };
    let bare = file.tokens.windows(4).filter(|four| is_bare(four));
    bare.map(|four| {
        Finding::new(
            &file.path,
            four[0].line,
            "a test is ignored without a reason",
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn atomics_have_one_room() {
        let text = "use std::{\n    sync::{Arc, atomic::AtomicU32},\n};";
        assert_eq!(lines("libpvm/src/engine/mod.rs", text), [2]);
        assert_eq!(
            lines("daemon/src/server/mod.rs", "core::sync::atomic::fence(x)"),
            [1]
        );
        assert!(lines("libpvm/src/sync/mod.rs", text).is_empty());
        assert!(
            lines(
                "libpvm/src/engine/mod.rs",
                "use crate::sync::atomic::AtomicU32;"
            )
            .is_empty()
        );
    }

    #[test]
    fn unsafe_has_its_rooms() {
        let text = "// unsafe\nunsafe { f() }";
        assert_eq!(lines("libpvm/src/engine/mod.rs", text), [2]);
        assert_eq!(lines("libpvm/src/transport/mod.rs", text), [2]);
        assert!(lines("libpvm/src/transport/shm/ring.rs", text).is_empty());
        assert!(lines("bindings-c/src/lib.rs", text).is_empty());
        assert!(lines("libpvm/src/engine/mod.rs", "#![forbid(unsafe_code)]").is_empty());
    }

    #[test]
    fn bincode_and_anyhow_have_their_places() {
        assert_eq!(
            lines(
                "libpvm/src/api/mod.rs",
                "bincode::serde::encode(x); anyhow::Result"
            ),
            [1, 1]
        );
        assert!(lines("libpvm/src/wire/value.rs", "bincode::serde::encode(x)").is_empty());
        assert!(lines("libpvm/src/wire/mod.rs", "let bincode = 1; x.bincode()").is_empty());
    }

    #[test]
    fn leftovers_are_found() {
        let text = "todo!();\n\"todo!()\";\ntodo != 1;\n#[ignore]\n#[ignore = \"needs a cluster\"]\ndbg!(x)";
        assert_eq!(
            lines("tests/src/lib.rs", &text.replace("todo != 1", "todo -= 1")),
            [1, 6, 4]
        );
    }
}
