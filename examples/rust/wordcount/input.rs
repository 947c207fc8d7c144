//! Finds the input and cuts it into portions of about equal size.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A part of a file. It holds the words that *begin* between `start` and `end`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// The file. Names need not be UTF-8.
    pub path: OsString,
    /// First byte.
    pub start: u64,
    /// Byte after the last.
    pub end: u64,
}

/// What is handed to a task at a time: many small files, or a piece of a large one.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portion {
    /// The pieces; none: there is no more work.
    pub pieces: Vec<Piece>,
}

impl Portion {
    /// Size of all pieces, as far as it is known.
    pub fn bytes(&self) -> u64 {
        let known = self.pieces.iter().filter(|piece| piece.end != u64::MAX);
        known.map(|piece| piece.end - piece.start).sum()
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Input {
    /// All the work.
    pub portions: Vec<Portion>,
    /// Number of files.
    pub files: usize,
    /// Size of all files.
    pub bytes: u64,
    /// One line for each path that could not be looked at.
    pub errors: Vec<String>,
}

/// Looks at all paths. In folders it finds what `find -type f` does; a path that was given itself
/// may also be a link, a device or a pipe.
pub fn find(paths: &[PathBuf], portion: u64) -> Input {
    let mut input = Input::default();
    let mut open = Portion::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => walk(path, portion, &mut input, &mut open),
            Ok(meta) if meta.is_file() => add(path, meta.len(), portion, &mut input, &mut open),
            Ok(_) => add_stream(path, &mut input),
            Err(error) => input
                .errors
                .push(format!("cannot read {}: {error}", path.display())),
        }
    }
    if !open.pieces.is_empty() {
        input.portions.push(open);
    }
    input
}

/// Adds all plain files under a folder.
fn walk(folder: &Path, portion: u64, input: &mut Input, open: &mut Portion) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                input
                    .errors
                    .push(format!("cannot read {}: {error}", folder.display()));
                continue;
            }
        };
        for entry in entries.flatten() {
            // This metadata is the entry's own: links are not followed.
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) if meta.is_file() => add(&entry.path(), meta.len(), portion, input, open),
                Ok(_) => {}
                Err(error) => {
                    let path = entry.path();
                    input
                        .errors
                        .push(format!("cannot read {}: {error}", path.display()));
                }
            }
        }
    }
}

/// Adds a file of known size, filling up portions.
fn add(path: &Path, len: u64, portion: u64, input: &mut Input, open: &mut Portion) {
    input.files += 1;
    input.bytes += len;
    let mut start = 0;
    loop {
        let end = len.min(start + portion);
        open.pieces.push(Piece {
            path: path.into(),
            start,
            end,
        });
        if open.bytes() >= portion || open.pieces.len() >= PIECES_MAX {
            input.portions.push(std::mem::take(open));
        }
        start = end;
        if start == len {
            return;
        }
    }
}

/// Small files in one portion: opening each costs something too.
const PIECES_MAX: usize = 64;

/// Adds something that can only be read from its beginning to its end.
fn add_stream(path: &Path, input: &mut Input) {
    input.files += 1;
    let piece = Piece {
        path: path.into(),
        start: 0,
        end: u64::MAX,
    };
    input.portions.push(Portion {
        pieces: vec![piece],
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_cut_and_small_ones_are_packed_together() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("folder/large"), [b'x'; 25]).unwrap();
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "xyz").unwrap();
        }
        let missing = dir.path().join("missing");
        let input = find(&[dir.path().to_owned(), missing], 10);
        assert_eq!((input.files, input.bytes, input.errors.len()), (4, 34, 1));
        let mut pieces: Vec<Piece> = input
            .portions
            .into_iter()
            .flat_map(|portion| portion.pieces)
            .collect();
        pieces.sort_by_key(|piece| (piece.path.clone(), piece.start));
        let ranges: Vec<_> = pieces.iter().map(|piece| piece.start..piece.end).collect();
        assert_eq!(ranges, [0..3, 0..3, 0..3, 0..10, 10..20, 20..25]);
    }

    #[test]
    fn an_empty_file_is_still_a_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("empty"), "").unwrap();
        let input = find(&[dir.path().to_owned()], 10);
        assert_eq!((input.files, input.portions.len()), (1, 1));
    }
}
