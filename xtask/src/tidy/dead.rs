//! No file is left behind: every source is reached from the root of a crate, every file beside
//! the examples and every expected output is named somewhere.

use std::collections::BTreeSet;

use super::Finding;
use super::files::{File, Tree};
use super::scan::Located;

/// Folders whose files must be named by another file.
const NAMED: &[&str] = &["examples", "tests/golden"];

/// Checks the whole tree.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = unreached(tree);
    findings.extend(unnamed(tree));
    findings
}

fn unreached(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    for manifest in tree.files().filter(|file| name(&file.path) == "Cargo.toml") {
        for root in roots(tree, manifest) {
            follow(tree, root, true, &mut reached);
        }
    }
    let message = "dead: no crate reaches it through a mod declaration or a target";
    let dead = tree
        .rust()
        .filter(|file| !reached.contains(file.path.as_str()));
    dead.map(|file| Finding::new(&file.path, 0, message))
        .collect()
}

/// Roots of the crates of a package: where cargo looks for them, and where the manifest points.
fn roots<'a>(tree: &'a Tree, manifest: &File) -> Vec<&'a File> {
    let package = folder(&manifest.path);
    let mut paths = ["src/lib.rs", "src/main.rs", "build.rs"]
        .map(|it| join(package, it))
        .to_vec();
    paths.extend(
        manifest
            .text
            .lines()
            .filter_map(target)
            .map(|path| join(package, path)),
    );
    let is_target = |file: &&File| {
        let found = ["src/bin", "tests", "examples", "benches"]
            .iter()
            .any(|it| {
                let place = join(package, it);
                folder(&file.path) == place
                    || (name(&file.path) == "main.rs" && folder(folder(&file.path)) == place)
            });
        found || paths.contains(&file.path)
    };
    tree.rust().filter(is_target).collect()
}

/// The file in a line `path = "file.rs"`.
fn target(line: &str) -> Option<&str> {
    let value = line
        .trim()
        .strip_prefix("path")?
        .trim_start()
        .strip_prefix('=')?;
    value
        .trim()
        .strip_prefix('"')?
        .strip_suffix('"')
        .filter(|path| path.ends_with(".rs"))
}

/// Marks a file and those that its mod declarations and includes name.
fn follow<'a>(tree: &'a Tree, file: &'a File, is_root: bool, reached: &mut BTreeSet<&'a str>) {
    if !reached.insert(&file.path) {
        return;
    }
    for candidates in children(file, is_root) {
        for child in candidates.iter().filter_map(|path| tree.get(path)) {
            follow(tree, child, false, reached);
        }
    }
}

/// Where each `mod name;` and `include!("..")` of a file may be.
fn children(file: &File, is_root: bool) -> Vec<Vec<String>> {
    let mut walk = Walk::new(file, is_root);
    for at in 0..file.tokens.len() {
        walk.step(&file.tokens[at..]);
    }
    walk.found
}

/// A walk over the tokens of a file.
struct Walk<'a> {
    /// Folder of the file.
    here: &'a str,
    /// Folder of its modules.
    own: String,
    /// Folders of the inline modules that are open, with the number of braces outside each.
    inline: Vec<(String, usize)>,
    braces: usize,
    /// Value of a path attribute that waits for its module.
    path: Option<&'a str>,
    found: Vec<Vec<String>>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a File, is_root: bool) -> Self {
        let here = folder(&file.path);
        let is_folder = is_root || name(&file.path) == "mod.rs";
        let own = if is_folder {
            here
        } else {
            file.path.trim_end_matches(".rs")
        };
        let own = own.to_owned();
        Self {
            here,
            own,
            inline: Vec::new(),
            braces: 0,
            path: None,
            found: Vec::new(),
        }
    }

    /// Looks at the first of the tokens that are left.
    fn step(&mut self, tokens: &'a [Located]) {
        let after = |distance: usize| tokens.get(distance);
        let is = |distance: usize, mark| after(distance).is_some_and(|it| it.is(mark));
        let text = |distance: usize| after(distance).and_then(Located::text);
        match tokens[0].word() {
            None if is(0, '{') => self.braces += 1,
            None if is(0, '}') => {
                self.braces = self.braces.saturating_sub(1);
                let braces = self.braces;
                self.inline.retain(|(_, outside)| *outside < braces);
            }
            Some("path") if is(1, '=') => self.path = text(2),
            Some("include") if is(1, '!') => {
                self.found
                    .extend(text(3).map(|path| vec![join(self.here, path)]));
            }
            Some("mod") => {
                let Some(module) = after(1).and_then(Located::word) else {
                    return;
                };
                if is(2, '{') {
                    let folder = match self.path.take() {
                        Some(path) => join(self.here, path),
                        None => join(self.folder(), module),
                    };
                    self.inline.push((folder, self.braces));
                } else if is(2, ';') {
                    self.module(module);
                }
            }
            _ => {}
        }
    }

    fn module(&mut self, module: &str) {
        if let Some(path) = self.path.take() {
            return self.found.push(vec![join(self.here, path)]);
        }
        let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let files = files.map(|file| join(self.folder(), &file)).to_vec();
        self.found.push(files);
    }

    /// Where a module that is declared here is looked for.
    fn folder(&self) -> &str {
        self.inline.last().map_or(&self.own, |(folder, _)| folder)
    }
}

fn unnamed(tree: &Tree) -> Vec<Finding> {
    let subjects = tree.files().filter(|file| {
        let is_code = file.is_rust() || name(&file.path) == "Cargo.toml";
        !is_code && NAMED.iter().any(|place| file.is_in(place))
    });
    let message = "dead: no other file names it";
    subjects
        .filter(|file| !is_named(tree, file))
        .map(|file| Finding::new(&file.path, 0, message))
        .collect()
}

/// Whether another file has the name of this one, or that name up to its first dot, as a word.
fn is_named(tree: &Tree, file: &File) -> bool {
    let name = name(&file.path);
    let stem = name.split('.').next().unwrap_or(name);
    tree.files()
        .filter(|other| other.path != file.path && speaks(other))
        .any(|other| other.text.contains(name) || words(&other.text).any(|word| word == stem))
}

/// Whether a file says what is used: sources and manifests do, not other expected outputs.
fn speaks(file: &File) -> bool {
    [".rs", ".toml", ".md", ".mk", ".sh"]
        .iter()
        .any(|end| file.path.ends_with(end))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c == '_' || c == '-' || c.is_alphanumeric()))
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Joins two paths and takes `..` out.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|finding| finding.file)
            .collect()
    }

    #[test]
    fn modules_are_followed() {
        let files = [
            ("a/Cargo.toml", "[package]"),
            (
                "a/src/lib.rs",
                "mod b; pub mod c; mod d { mod e; } #[path = \"x/y.rs\"] mod z; mod b2;
                 #[path = \"q\"] mod i { mod j; mod k { mod l; } }",
            ),
            ("a/src/b.rs", "mod f;"),
            ("a/src/b/f.rs", ""),
            ("a/src/c/mod.rs", "mod g; include!(\"h.rs\");"),
            ("a/src/c/g.rs", ""),
            ("a/src/c/h.rs", ""),
            ("a/src/d/e.rs", ""),
            ("a/src/x/y.rs", ""),
            ("a/src/b2.rs", ""),
            ("a/src/q/j.rs", ""),
            ("a/src/q/k/l.rs", ""),
            ("a/src/dead.rs", "// mod comment;"),
            ("a/src/b/comment.rs", ""),
        ];
        assert_eq!(dead(&files), ["a/src/b/comment.rs", "a/src/dead.rs"]);
    }

    #[test]
    fn targets_are_roots() {
        let files = [
            ("Cargo.toml", "[workspace]"),
            (
                "examples/Cargo.toml",
                "[[bin]]\nname = \"pi\"\npath = \"rust/pi.rs\"",
            ),
            ("examples/rust/pi.rs", "mod support;"),
            ("examples/rust/support.rs", ""),
            ("examples/rust/lost.rs", ""),
            ("tests/Cargo.toml", "[package]"),
            (
                "tests/tests/run.rs",
                "#[path = \"../common/mod.rs\"] mod common;",
            ),
            ("tests/common/mod.rs", ""),
            ("daemon/Cargo.toml", "[package]"),
            ("daemon/src/bin/pvm.rs", ""),
            ("daemon/build.rs", ""),
        ];
        assert_eq!(dead(&files), ["examples/rust/lost.rs"]);
    }

    #[test]
    fn inline_modules_end() {
        let files = [
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", "mod t { fn f() { if x { y } } } mod b;"),
            ("a/src/b.rs", ""),
        ];
        assert_eq!(dead(&files), [""; 0]);
    }

    #[test]
    fn expected_outputs_are_named() {
        let files = [
            ("examples/c/matmul.c", ""),
            ("examples/c/matmul.expected", ""),
            ("examples/c/lost.c", ""),
            ("tests/golden/verdict.txt", ""),
            ("tests/golden/old.txt", ""),
            ("tests/Cargo.toml", ""),
            ("tests/src/lib.rs", "[\"matmul\"]; golden(\"verdict.txt\")"),
        ];
        assert_eq!(dead(&files), ["examples/c/lost.c", "tests/golden/old.txt"]);
    }
}
