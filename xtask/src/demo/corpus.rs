//! The text to count: what every Debian and every Rust installation has.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;

/// Longest command line that the list of files may make, in bytes; Linux allows 2 MiB with the
/// environment.
const ARGUMENTS_MAX: usize = 1 << 20;

/// Ends of the names of files that are text.
const TEXT: &[&str] = &["html", "md", "txt"];

/// One place where text was found.
struct Source {
    name: String,
    files: usize,
    bytes: u64,
}

/// Files, and where they came from.
pub struct Corpus {
    sources: Vec<Source>,
    files: Vec<PathBuf>,
    bytes_left: u64,
    arguments_left: usize,
    seen: HashSet<PathBuf>,
}

impl Corpus {
    /// Takes from each place what is there, up to `bytes_max` in all.
    pub fn collect(bytes_max: u64) -> Self {
        let mut corpus = Self::empty(bytes_max);
        let licences = Path::new("/usr/share/common-licenses");
        corpus.take(
            &licences.display().to_string(),
            files_below(licences, |_| true),
        );
        if let Some(doc) = rust_documentation() {
            for part in ["rust/licenses", "rust/html/book", "cargo", "clippy"] {
                let place = doc.join(part);
                corpus.take(&place.display().to_string(), files_below(&place, is_text));
            }
        }
        corpus.take(
            "/usr/share/doc/*/copyright",
            debian_copyrights(Path::new("/usr/share/doc")),
        );
        corpus
    }

    fn empty(bytes_max: u64) -> Self {
        Self {
            sources: Vec::new(),
            files: Vec::new(),
            bytes_left: bytes_max,
            arguments_left: ARGUMENTS_MAX,
            seen: HashSet::new(),
        }
    }

    /// The files, each once, none of them a link.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Bytes in all files.
    fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }

    fn take(&mut self, name: &str, files: Vec<PathBuf>) {
        let mut source = Source {
            name: name.to_owned(),
            files: 0,
            bytes: 0,
        };
        for file in files {
            if let Some(bytes) = self.take_file(file) {
                source.files += 1;
                source.bytes += bytes;
            }
        }
        if source.files > 0 {
            self.sources.push(source);
        }
    }

    /// Takes one file, when it is new, readable and fits; its length.
    fn take_file(&mut self, file: PathBuf) -> Option<u64> {
        let file = file.canonicalize().ok()?;
        let argument = file.as_os_str().len() + 1;
        let bytes = fs::File::open(&file).ok()?.metadata().ok()?.len();
        let fits = bytes <= self.bytes_left && argument <= self.arguments_left;
        if bytes == 0 || !fits || !self.seen.insert(file.clone()) {
            return None;
        }
        self.bytes_left -= bytes;
        self.arguments_left -= argument;
        self.files.push(file);
        Some(bytes)
    }
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "text: {} files, {:.1} MB",
            self.files.len(),
            megabytes(self.bytes())
        )?;
        for source in &self.sources {
            let size = megabytes(source.bytes);
            write!(
                f,
                "\n{:>8} files {size:>6.1} MB  {}",
                source.files, source.name
            )?;
        }
        Ok(())
    }
}

/// `share/doc` of the toolchain in use.
fn rust_documentation() -> Option<PathBuf> {
    let sysroot = shell::output(shell::command("rustc").args(["--print", "sysroot"])).ok()?;
    Some(Path::new(sysroot.trim()).join("share/doc"))
}

fn is_text(file: &Path) -> bool {
    match file.extension() {
        None => true,
        Some(end) => TEXT.iter().any(|text| end == *text),
    }
}

/// Regular files below a folder, by name; links are left out.
fn files_below(folder: &Path, wanted: impl Fn(&Path) -> bool + Copy) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (path, kind) in entries(folder) {
        if kind.is_dir() {
            found.extend(files_below(&path, wanted));
        } else if kind.is_file() && wanted(&path) {
            found.push(path);
        }
    }
    found
}

/// The copyright file of each package.
fn debian_copyrights(doc: &Path) -> Vec<PathBuf> {
    let packages = entries(doc).into_iter().filter(|(_, kind)| kind.is_dir());
    let copyrights = packages.map(|(package, _)| package.join("copyright"));
    copyrights
        .filter(|file| file.symlink_metadata().is_ok_and(|it| it.is_file()))
        .collect()
}

/// What is in a folder, by name; nothing when it cannot be read.
fn entries(folder: &Path) -> Vec<(PathBuf, fs::FileType)> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> = read
        .filter_map(|entry| Some((entry.path(), entry.file_type().ok()?)))
        .collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::Scratch;

    #[test]
    fn takes_each_regular_file_once_and_no_more_than_allowed() {
        let scratch = Scratch::new("corpus").unwrap();
        let dir = scratch.path();
        fs::create_dir(dir.join("sub")).unwrap();
        for (name, text) in [
            ("a", "one"),
            ("b.md", "two"),
            ("sub/c.js", "x"),
            ("sub/d", "long text"),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("a", dir.join("link")).unwrap();

        let mut corpus = Corpus::empty(6);
        corpus.take("here", files_below(dir, is_text));
        corpus.take("again", files_below(dir, is_text));
        let names: Vec<_> = corpus
            .files()
            .iter()
            .map(|it| it.file_name().unwrap())
            .collect();
        assert_eq!(names, ["a", "b.md"]);
        assert_eq!((corpus.bytes(), corpus.sources.len()), (6, 1));
    }
}
