//! Puts files in their places, replacing what an earlier installation left there.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The directory that an installation goes to.
pub struct Tree(PathBuf);

impl Tree {
    /// Below this directory; nothing is made yet.
    pub fn new(destination: &Path) -> Self {
        Self(destination.to_owned())
    }

    /// A file that is executed.
    pub fn program(&self, from: &Path, to: &str) -> Result<()> {
        self.copy(from, to, 0o755)
    }

    /// A shared object.
    pub fn library(&self, from: &Path, to: &str) -> Result<()> {
        self.copy(from, to, 0o644)
    }

    /// A file that keeps its name, into a folder.
    pub fn document(&self, from: &Path, folder: &str) -> Result<()> {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        self.copy(from, &format!("{folder}/{name}"), 0o644)
    }

    /// A file with this text.
    pub fn text(&self, text: &str, to: &str) -> Result<()> {
        self.write(text, to, 0o644)
    }

    /// A script with this text.
    pub fn script(&self, text: &str, to: &str) -> Result<()> {
        self.write(text, to, 0o755)
    }

    fn write(&self, text: &str, to: &str, mode: u32) -> Result<()> {
        let place = self.place(to)?;
        let written = fs::write(&place, text)
            .and_then(|()| fs::set_permissions(&place, Permissions::from_mode(mode)));
        written.with_context(|| format!("cannot write {}", place.display()))
    }

    /// A link.
    pub fn link(&self, target: &str, to: &str) -> Result<()> {
        let place = self.place(to)?;
        symlink(target, &place).with_context(|| format!("cannot link {}", place.display()))
    }

    /// A link, unless something else has its name; whether it was made.
    pub fn link_unless_taken(&self, target: &str, to: &str) -> Result<bool> {
        let place = self.0.join(to);
        let is_ours = fs::read_link(&place).is_ok_and(|link| link == Path::new(target));
        if place.symlink_metadata().is_ok() && !is_ours {
            return Ok(false);
        }
        self.link(target, to).map(|()| true)
    }

    fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let place = self.place(to)?;
        let copied = fs::copy(from, &place)
            .and_then(|_| fs::set_permissions(&place, Permissions::from_mode(mode)));
        copied.with_context(|| format!("cannot copy {} to {}", from.display(), place.display()))
    }

    /// A free place: its folder exists, an older file is gone (writing into a program that runs
    /// would fail).
    fn place(&self, to: &str) -> Result<PathBuf> {
        let place = self.0.join(to);
        let folder = place.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        match fs::remove_file(&place) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot replace {}", place.display()))
            }
            _ => Ok(place),
        }
    }
}

/// Regular files of a folder, by name; none when there is no such folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::Scratch;

    #[test]
    fn an_older_installation_is_replaced() {
        let scratch = Scratch::new("tree").unwrap();
        let tree = Tree::new(&scratch.path().join("usr"));
        let source = scratch.path().join("tool");
        for text in ["first", "second"] {
            fs::write(&source, text).unwrap();
            tree.program(&source, "bin/tool").unwrap();
            tree.link("tool", "bin/other").unwrap();
            assert!(tree.link_unless_taken("tool", "bin/third").unwrap());
        }
        let installed = scratch.path().join("usr/bin/tool");
        assert_eq!(fs::read_to_string(&installed).unwrap(), "second");
        assert_eq!(
            fs::metadata(&installed).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(files(&scratch.path().join("usr/bin")).unwrap().len(), 3);
    }

    #[test]
    fn the_file_of_another_is_left() {
        let scratch = Scratch::new("tree").unwrap();
        let tree = Tree::new(scratch.path());
        tree.text("theirs", "bin/mpiexec").unwrap();
        assert!(!tree.link_unless_taken("pvm", "bin/mpiexec").unwrap());
        assert_eq!(
            fs::read_to_string(scratch.path().join("bin/mpiexec")).unwrap(),
            "theirs"
        );
    }

    #[test]
    fn no_folder_has_no_files() {
        assert!(files(Path::new("/nonexistent/folder")).unwrap().is_empty());
    }
}
