//! Files that the output of tasks is written to, each task its own.

use super::outbox::Stream;
use crate::cli::pattern::Subject;
use crate::cli::plan;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Most files that are open at a time.
const OPEN_MAX: usize = 200;

/// The files of one job.
pub struct Files<'a> {
    wanted: &'a plan::Files,
    open: BTreeMap<OsString, File>,
    /// Those that are ours already: what is in them stays.
    begun: BTreeSet<OsString>,
    /// Those that cannot be written any more.
    broken: BTreeSet<OsString>,
}

impl<'a> Files<'a> {
    /// None is there yet.
    pub fn new(wanted: &'a plan::Files) -> Self {
        Self {
            wanted,
            open: BTreeMap::new(),
            begun: BTreeSet::new(),
            broken: BTreeSet::new(),
        }
    }

    /// Whether a stream is passed on to us alone.
    pub fn swallow(&self, stream: Stream) -> bool {
        !self.wanted.copy && self.pattern(stream).is_some()
    }

    fn pattern(&self, stream: Stream) -> Option<&'a crate::cli::pattern::Pattern> {
        match stream {
            Stream::Out => self.wanted.out.as_ref(),
            Stream::Err => self.wanted.err.as_ref(),
        }
    }

    /// Writes bytes of a task into its file, if it has one.
    ///
    /// # Errors
    /// Once for each file that cannot be written: its name, and why.
    pub fn write(
        &mut self,
        task: &Subject<'_>,
        stream: Stream,
        data: &[u8],
    ) -> Result<(), (OsString, io::Error)> {
        let Some(pattern) = self.pattern(stream).filter(|_| !data.is_empty()) else {
            return Ok(());
        };
        let name = pattern.of(task);
        if self.broken.contains(&name) {
            return Ok(());
        }
        let written = self.file(&name).and_then(|mut file| file.write_all(data));
        written.map_err(|error| {
            self.open.remove(&name);
            self.broken.insert(name.clone());
            (name, error)
        })
    }

    fn file(&mut self, name: &OsString) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            if self.open.len() >= OPEN_MAX {
                self.open.clear();
            }
            let is_new = !self.begun.contains(name);
            let file = open(Path::new(name), is_new)?;
            self.begun.insert(name.clone());
            self.open.insert(name.clone(), file);
        }
        Ok(&self.open[name])
    }
}

/// Opens a file; a new one with the folders that it needs.
fn open(path: &Path, is_new: bool) -> io::Result<File> {
    if let (true, Some(folder)) = (is_new, path.parent()) {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options
        .create(true)
        .truncate(is_new)
        .append(!is_new)
        .write(true);
    // Nothing that has no reader may hold us up.
    options.custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::pattern::Pattern;

    #[test]
    fn each_task_has_a_file_and_old_ones_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let pattern = |name: &str| Pattern::read(path(name).as_os_str());
        let wanted = plan::Files {
            out: pattern("d/%r.out"),
            err: None,
            copy: false,
        };
        fs::create_dir(path("d")).unwrap();
        fs::write(path("d/0.out"), "older and longer").unwrap();
        let mut files = Files::new(&wanted);
        let mut write = |rank, stream, data: &[u8]| {
            let task = Subject {
                rank,
                ..Subject::default()
            };
            files.write(&task, stream, data).unwrap();
        };
        let many = OPEN_MAX as u32 + 50;
        for rank in 0..many {
            write(rank, Stream::Out, b"a");
        }
        for rank in 0..many {
            write(rank, Stream::Out, b"b\n");
        }
        write(0, Stream::Err, b"nowhere");
        for rank in 0..many {
            let text = fs::read_to_string(path(&format!("d/{rank}.out"))).unwrap();
            assert_eq!(text, "ab\n");
        }
        assert!(files.swallow(Stream::Out) && !files.swallow(Stream::Err));
    }

    #[test]
    fn what_cannot_be_written_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = plan::Files {
            out: Pattern::read(dir.path().as_os_str()),
            ..plan::Files::default()
        };
        let mut files = Files::new(&wanted);
        let task = Subject::default();
        assert!(files.write(&task, Stream::Out, b"x").is_err());
        assert!(files.write(&task, Stream::Out, b"x").is_ok());
    }
}
