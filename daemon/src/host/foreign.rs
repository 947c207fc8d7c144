//! Whether a program is linked with the library of another MPI: such a program does not know our launcher, and
//! each of its tasks would take itself for the only one.
//!
//! Libraries are looked for where the system's loader looks: in the folders that the program names, in those
//! of the environment, in those that the system is set up for.

use super::elf::dynamic::{Dynamic, dynamic};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Beginnings of names of libraries that MPIs have.
const LIBRARIES: [&str; 5] = [
    "libmpi.so",
    "libmpich.so",
    "libmpi_abi.so",
    "libmpifort",
    "libmpi_mpifh.so",
];

/// Beginning of the name of our own, whatever it is linked as.
const OURS: &str = "libpvm";

/// Where the system says which folders it looks into.
const SYSTEM: &str = "/etc/ld.so.conf";

/// Folders that are looked into without being told.
const FOLDERS: [&str; 6] = [
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/local/lib64",
];

/// Largest file that says so, in bytes, and how deep such files name each other.
const SYSTEM_FILE_MAX: u64 = 64 << 10;
const SYSTEM_DEPTH_MAX: usize = 4;

/// The library of another MPI.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub kind: &'static str,
}

/// The library of another MPI that a program is linked with, if it is. `environment`: the folders of
/// LD_LIBRARY_PATH.
pub fn library(program: &Path, environment: &[u8]) -> Option<Library> {
    let file = read(program)?;
    let is_mpi = |name: &&String| LIBRARIES.iter().any(|begin| name.starts_with(begin));
    let mut wanted = file.needed.iter().filter(is_mpi);
    wanted.find_map(|name| {
        let path = search(name, program, &file, environment)?;
        Some(Library {
            kind: kind(&path, name)?,
            path,
        })
    })
}

fn read(path: &Path) -> Option<Dynamic> {
    let file = File::open(path).ok()?;
    dynamic(|offset, count| {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match file.read_at(&mut bytes[filled..], offset.checked_add(filled as u64)?) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        bytes.truncate(filled);
        Some(bytes)
    })
}

/// Where the loader finds a library.
fn search(name: &str, program: &Path, file: &Dynamic, environment: &[u8]) -> Option<PathBuf> {
    let origin = program.canonicalize().ok()?;
    let origin = origin.parent()?.to_string_lossy().into_owned();
    let own = |path: &Option<String>| {
        let path = path.clone().unwrap_or_default();
        let path = path
            .replace("${ORIGIN}", &origin)
            .replace("$ORIGIN", &origin);
        folders(path.as_bytes())
    };
    let before = match file.runpath {
        Some(_) => Vec::new(),
        None => own(&file.rpath),
    };
    let named = before
        .into_iter()
        .chain(folders(environment))
        .chain(own(&file.runpath));
    let named = named.chain(of_system());
    let mut files = named.map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

fn folders(path: &[u8]) -> Vec<PathBuf> {
    let parts = path.split(|byte| matches!(byte, b':' | b';'));
    let parts = parts.filter(|part| !part.is_empty());
    parts
        .map(|part| PathBuf::from(OsStr::from_bytes(part)))
        .collect()
}

/// The folders that the system is set up for.
fn of_system() -> Vec<PathBuf> {
    let mut found = Vec::new();
    configured(Path::new(SYSTEM), SYSTEM_DEPTH_MAX, &mut found);
    found.extend(FOLDERS.iter().map(PathBuf::from));
    found
}

fn configured(file: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let is_small = std::fs::metadata(file).is_ok_and(|data| data.len() <= SYSTEM_FILE_MAX);
    let Some(text) = is_small
        .then(|| std::fs::read_to_string(file))
        .and_then(Result::ok)
    else {
        return;
    };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ") {
            Some(pattern) if depth > 0 => {
                for file in matching(Path::new(pattern.trim())) {
                    configured(&file, depth - 1, found);
                }
            }
            None if line.starts_with('/') => found.push(line.into()),
            _ => {}
        }
    }
}

/// The files that `folder/*.conf` means, in their order.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Some(end) = name.strip_prefix('*') else {
        return vec![pattern.into()];
    };
    let entries = pattern.parent().and_then(|folder| folder.read_dir().ok());
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    files.sort();
    files
}

/// Whose library a file is; `None`: ours.
fn kind(path: &Path, name: &str) -> Option<&'static str> {
    let real = path.canonicalize().ok()?;
    let file = read(&real)?;
    let is_ours = |name: &str| name.starts_with(OURS);
    let real_name = real.file_name().unwrap_or_default().to_string_lossy();
    if is_ours(&real_name) || file.soname.as_deref().is_some_and(is_ours) {
        return None;
    }
    let is_open = |name: &String| name.starts_with("libopen-");
    Some(match name {
        _ if file.needed.iter().any(is_open) => "the library of Open MPI",
        "libmpi.so.40" | "libmpi.so.20" | "libmpi_mpifh.so.40" => "the library of Open MPI",
        "libmpi_abi.so.1" => "another MPI's library of the standard ABI",
        _ => "the library of MPICH or of an MPI that is made from it",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_programs_want_no_mpi() {
        assert_eq!(library(Path::new("/bin/sh"), b""), None);
        assert_eq!(library(Path::new("/nonexistent"), b""), None);
        assert_eq!(library(Path::new("/etc/passwd"), b""), None);
    }

    #[test]
    fn files_of_the_system_name_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("conf.d")).unwrap();
        let first = format!(
            "include {}/*.conf # more\n/first\n",
            path("conf.d").display()
        );
        std::fs::write(path("main"), first).unwrap();
        std::fs::write(path("conf.d/b.conf"), "/b\n").unwrap();
        std::fs::write(
            path("conf.d/a.conf"),
            format!("/a\ninclude {}\n", path("main").display()),
        )
        .unwrap();
        let mut found = Vec::new();
        configured(&path("main"), 1, &mut found);
        assert_eq!(found, ["/a", "/b", "/first"].map(PathBuf::from));
    }
}
