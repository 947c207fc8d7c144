//! The files of the project: those that git tracks or would track.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::paths::{self, Path as CodePath};
use super::scan::{self, Located};
use crate::shell;

/// A text file.
pub struct File {
    /// From the root of the workspace, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// Its tokens, when it is Rust.
    pub tokens: Vec<Located>,
    /// Its paths, when it is Rust.
    pub paths: Vec<CodePath>,
}

impl File {
    /// A file with this text.
    pub fn new(path: &str, text: &str) -> Self {
        let tokens = if path.ends_with(".rs") {
            scan::tokens(text)
        } else {
            Vec::new()
        };
        let paths = paths::paths(&tokens);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            paths,
        }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is in a folder or is that file.
    pub fn is_in(&self, place: &str) -> bool {
        is_in(&self.path, place)
    }
}

/// Whether a path is a place or below it.
pub fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All text files.
pub struct Tree(BTreeMap<String, File>);

impl Tree {
    /// Reads them; what is not UTF-8 is no text file.
    pub fn load(root: &Path) -> Result<Self> {
        let listing = shell::output(shell::command("git").current_dir(root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))
        .context("tidy needs a git work tree, to know which files are the project's")?;
        let names = listing.split('\0').filter(|name| !name.is_empty());
        let files = names.filter_map(|name| {
            let path = root.join(name);
            let is_file = path.symlink_metadata().is_ok_and(|it| it.is_file());
            let text = is_file.then(|| fs::read_to_string(path).ok()).flatten()?;
            Some(File::new(name, &text))
        });
        Ok(Self(files.map(|file| (file.path.clone(), file)).collect()))
    }

    /// A tree of these files.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), File::new(path, text)))
                .collect(),
        )
    }

    /// All files, by name.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.0.values()
    }

    /// All Rust files, by name.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.is_rust())
    }

    /// One file.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.0.get(path)
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
