//! Programs that are copied from host to host: what is told of one, and why it cannot be.
//!
//! - [`store`]: those that were copied here; [`arriving`]: one that is on its way

pub mod arriving;
pub mod store;

use pvm::limits::{STAGE_FREE_MIN, STAGE_MAX, STAGE_STORE_MAX};
use pvm::wire::control::StagedFile;
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes that are read or written at once.
pub const PIECE: usize = 1 << 20;

/// SHA-256 of a file's bytes.
pub type Hash = [u8; 32];

/// Why a program is not copied.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A device, socket, pipe or directory.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// It is larger than any that is copied.
    #[error("it has {0} bytes, at most {STAGE_MAX} are copied")]
    TooLarge(u64),
    /// What is copied there cannot be run.
    #[error(
        "{} is mounted noexec; let {} name a directory from which programs can be run",
        .0.display(), pvm::settings::RUNTIME_DIR
    )]
    NoExec(PathBuf),
    /// The file system has no room for it.
    #[error(
        "it has {size} bytes, and {free} are left in {}, where {STAGE_FREE_MIN} stay free",
        path.display()
    )]
    NoSpace {
        /// Its size.
        size: u64,
        /// What is left.
        free: u64,
        /// Where.
        path: PathBuf,
    },
    /// Jobs use what the daemon has got already.
    #[error(
        "it has {0} bytes, and at most {STAGE_STORE_MAX} are kept of all programs; jobs use the others"
    )]
    StoreFull(u64),
    /// More or less has come than was announced.
    #[error("it has changed while it was copied: its size is not {0} bytes any more")]
    OtherSize(u64),
    /// As much has come as was announced, but something else.
    #[error("what has arrived is not what was sent, or it has changed while it was copied")]
    OtherContent,
    /// The daemon takes in nothing more.
    #[error("pvmd is being halted")]
    Halting,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StageError {
    let path = path.to_owned();
    |error| StageError::Io { path, error }
}

/// A program that is read.
pub struct Source {
    path: PathBuf,
    file: File,
}

impl Source {
    /// Opens it, at once: what is not a regular file could keep us waiting.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> Result<Self, StageError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = options.open(path).map_err(io_error(path))?;
        let path = path.to_owned();
        match file.metadata().map_err(io_error(&path))?.is_file() {
            true => Ok(Self { path, file }),
            false => Err(StageError::NotAFile(path)),
        }
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn piece(&mut self) -> Result<Vec<u8>, StageError> {
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece);
        piece.truncate(read.map_err(io_error(&self.path))?);
        Ok(piece)
    }

    fn size(&self) -> Result<u64, StageError> {
        let data = self.file.metadata();
        Ok(data.map_err(io_error(&self.path))?.len())
    }
}

/// Reads a program through: what others need to get it, and to know it when they have it.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn measure(path: &Path) -> Result<StagedFile, StageError> {
    let mut source = Source::open(path)?;
    check_size(source.size()?)?;
    let (mut digest, mut size) = (Context::new(&SHA256), 0);
    loop {
        let piece = source.piece()?;
        if piece.is_empty() {
            break;
        }
        // It may grow meanwhile.
        size += piece.len() as u64;
        check_size(size)?;
        digest.update(&piece);
    }
    Ok(StagedFile {
        sha256: digest.finish().as_ref().to_vec(),
        size,
        path: path.as_os_str().as_encoded_bytes().to_vec(),
    })
}

fn check_size(size: u64) -> Result<(), StageError> {
    match size <= STAGE_MAX {
        true => Ok(()),
        false => Err(StageError::TooLarge(size)),
    }
}

/// The hash of a program that somebody else has measured; `None`: what is told of it makes no sense, and
/// is as good as nothing.
pub fn hash(staged: &StagedFile) -> Option<Hash> {
    let hash = staged.sha256.as_slice().try_into().ok()?;
    (staged.size <= STAGE_MAX).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn nonsense_is_as_good_as_nothing() {
        let staged = |len, size| StagedFile {
            sha256: vec![0; len],
            size,
            path: Vec::new(),
        };
        assert_eq!(hash(&staged(32, STAGE_MAX)), Some([0; 32]));
        for (len, size) in [(0, 1), (31, 1), (33, 1), (32, STAGE_MAX + 1)] {
            assert_eq!(hash(&staged(len, size)), None, "{len} {size}");
        }
    }

    #[test]
    fn only_files_are_read_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let mode = Mode::from_raw_mode(0o700);
        mknodat(CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
        for path in [&pipe, dir.path(), Path::new("/dev/zero")] {
            let refused = measure(path).unwrap_err();
            assert!(matches!(refused, StageError::NotAFile(_)), "{refused}");
        }
        let nothing = measure(Path::new("/proc/no/such/file")).unwrap_err();
        assert!(matches!(nothing, StageError::Io { .. }), "{nothing}");
    }

    #[test]
    fn what_is_too_large_is_told_with_its_size() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(STAGE_MAX + 12345).unwrap();
        let refused = measure(file.path()).unwrap_err();
        let is_told = matches!(refused, StageError::TooLarge(size) if size == STAGE_MAX + 12345);
        assert!(is_told, "{refused}");
    }
}
