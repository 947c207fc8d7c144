//! Rules for any text: no paths of one machine, no tabs, no spaces at the ends of lines.

use super::Finding;
use super::files::{File, Tree};

/// Lines above which a file is mentioned.
const LONG: usize = 1000;

/// Texts that are as others made them.
const FOREIGN: &[&str] = &["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

/// Folders that exist on the machine of one person only.
const PRIVATE: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
];

/// Checks every text.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree
        .files()
        .filter(|file| !FOREIGN.contains(&file.path.as_str()));
    files.flat_map(lines).collect()
}

/// Long Rust files and their lengths.
pub fn long_files(tree: &Tree) -> Vec<(&str, usize)> {
    let lengths = tree
        .rust()
        .map(|file| (file.path.as_str(), file.text.lines().count()));
    lengths.filter(|(_, lines)| *lines > LONG).collect()
}

fn lines(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.split('\n').enumerate() {
        let mut found = |message: &str| {
            findings.push(Finding::new(&file.path, index + 1, message));
        };
        if !is_exact(file) && line.contains('\t') {
            found("a tab: use spaces");
        }
        if !is_exact(file) && line.ends_with([' ', '\r']) {
            found("space at the end of the line");
        }
        if PRIVATE.iter().any(|place| names(line, place)) {
            found("a path of one machine");
        }
    }
    findings
}

/// Expected outputs are exact to the byte.
fn is_exact(file: &File) -> bool {
    file.path.contains("/golden/") || file.path.contains("expected")
}

/// Whether a line has the place as the start of a path.
fn names(line: &str, place: &str) -> bool {
    let is_start = |at: usize| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}~$*)".contains(c)))
    };
    line.match_indices(place).any(|(at, _)| is_start(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn spaces() {
        assert_eq!(found("a.c", "x\n\ty\nz \n"), 2);
        assert_eq!(found("tests/golden/a.txt", "x\n\ty\nz \n"), 0);
        assert_eq!(found("a.md", "x\r\n"), 1);
    }

    #[test]
    fn machine_paths() {
        let at = |place: &str| found("a.md", &format!("see {place}x"));
        assert_eq!(
            PRIVATE.iter().map(|place| at(place)).sum::<usize>(),
            PRIVATE.len()
        );
        assert_eq!(at(&format!("target{}", PRIVATE[0])), 0);
    }

    #[test]
    fn long_files_are_told() {
        let text = "\n".repeat(LONG + 1);
        assert_eq!(
            long_files(&Tree::of(&[("a.rs", &text), ("b.rs", "")])),
            [("a.rs", LONG + 1)]
        );
    }
}
