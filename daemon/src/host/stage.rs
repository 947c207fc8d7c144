//! Programs that were copied here from other hosts, each under the SHA-256 of what is in it.
//!
//! They are in one directory of the daemon, which goes with it. What is found there has arrived whole:
//! until then it has another name.

use crate::hex;
use pvm::limits::STAGE_MAX;
use pvm::wire::control::StagedFile;
use ring::digest::{Context, SHA256};
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const PIECE: usize = 128 << 10;

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
    /// It is larger than any that is copied.
    #[error("it has {0} bytes, at most {STAGE_MAX} are copied")]
    TooLarge(u64),
    /// What is copied there cannot be run.
    #[error(
        "{} is mounted noexec; let {} name a directory from which programs can be run",
        .0.display(), pvm::settings::RUNTIME_DIR
    )]
    NoExec(PathBuf),
    /// More or less has come than was announced.
    #[error("it has changed while it was copied: its size is not {0} bytes any more")]
    OtherSize(u64),
    /// As much has come as was announced, but something else.
    #[error("what has arrived is not what was sent, or it has changed while it was copied")]
    OtherContent,
    /// Who asks for it makes no sense.
    #[error("the daemon that starts the job has sent no SHA-256")]
    NoHash,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StageError {
    let path = path.to_owned();
    |error| StageError::Io { path, error }
}

/// Reads a program through: what others need to get it, and to know it when they have it.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn measure(path: &Path) -> Result<StagedFile, StageError> {
    let mut file = File::open(path).map_err(io_error(path))?;
    let (mut digest, mut size) = (Context::new(&SHA256), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let len = file.read(&mut piece).map_err(io_error(path))?;
        if len == 0 {
            break;
        }
        size += len as u64;
        if size > STAGE_MAX {
            return Err(StageError::TooLarge(size));
        }
        digest.update(&piece[..len]);
    }
    Ok(StagedFile {
        sha256: digest.finish().as_ref().to_vec(),
        size,
        path: path.as_os_str().as_encoded_bytes().to_vec(),
    })
}

/// The hash of a program that somebody else has measured.
///
/// # Errors
/// When it has none, or is too large.
pub fn checked(staged: &StagedFile) -> Result<Hash, StageError> {
    if staged.size > STAGE_MAX {
        return Err(StageError::TooLarge(staged.size));
    }
    let hash = staged.sha256.as_slice();
    hash.try_into().map_err(|_| StageError::NoHash)
}

/// The programs that a daemon has got from others.
#[derive(Debug, Clone)]
pub struct Store(PathBuf);

impl Store {
    /// That of the daemon with this socket. It may not be there yet.
    pub fn beside(socket: &Path) -> Self {
        Self(socket.with_extension("staged"))
    }

    /// A program, if it is there.
    pub fn find(&self, hash: &Hash) -> Option<PathBuf> {
        let path = self.0.join(hex::encode(hash));
        path.is_file().then_some(path)
    }

    /// Begins to take one in.
    ///
    /// # Errors
    /// When there is no place for it, or it could not be run there.
    pub fn begin(&self, hash: Hash, size: u64) -> Result<Arriving, StageError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0);
        made.map_err(io_error(&self.0))?;
        let system = statvfs(&self.0).map_err(|error| io_error(&self.0)(error.into()))?;
        if system.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            return Err(StageError::NoExec(self.0.clone()));
        }
        let path = self.0.join(hex::encode(&hash));
        let mut salt = [0; 8];
        let random =
            getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()));
        random.map_err(io_error(&path))?;
        let temporary = path.with_extension(hex::encode(&salt));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&temporary).map_err(io_error(&temporary))?;
        Ok(Arriving {
            file,
            temporary,
            path,
            hash,
            size,
            left: size,
            digest: Context::new(&SHA256),
        })
    }

    /// Removes all of them.
    pub fn clear(&self) {
        // Most daemons have none.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that is on its way here; what has come of it is removed when it is dropped.
pub struct Arriving {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    hash: Hash,
    size: u64,
    left: u64,
    digest: Context,
}

impl Arriving {
    /// Takes in what has come.
    ///
    /// # Errors
    /// When it is too much, or the disk is full.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(StageError::OtherSize(self.size))?;
        self.digest.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(io_error(&self.temporary))
    }

    /// All has come: it can be run from now on.
    ///
    /// # Errors
    /// When it is not what was announced.
    pub fn finish(self) -> Result<PathBuf, StageError> {
        if self.left > 0 {
            return Err(StageError::OtherSize(self.size));
        }
        if self.digest.clone().finish().as_ref() != self.hash {
            return Err(StageError::OtherContent);
        }
        let mode = self.file.set_permissions(Permissions::from_mode(0o700));
        let named = mode.and_then(|()| std::fs::rename(&self.temporary, &self.path));
        named.map_err(io_error(&self.temporary))?;
        Ok(self.path.clone())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // It is not there any more when all went well.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(store: &Store) -> usize {
        std::fs::read_dir(&store.0).map_or(0, Iterator::count)
    }

    #[test]
    fn a_program_arrives_and_can_be_run_by_us_alone() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("program");
        let script = b"#!/bin/sh\necho staged\n";
        std::fs::write(&source, script).unwrap();
        let staged = measure(&source).unwrap();
        assert_eq!(
            (staged.size, staged.path),
            (
                script.len() as u64,
                source.as_os_str().as_encoded_bytes().to_vec()
            )
        );
        let hash: Hash = staged.sha256.as_slice().try_into().unwrap();
        let store = Store::beside(&dir.path().join("default.sock"));
        assert_eq!(store.find(&hash), None);
        let mut arriving = store.begin(hash, staged.size).unwrap();
        for piece in script.chunks(5) {
            assert_eq!(store.find(&hash), None);
            arriving.take(piece).unwrap();
        }
        let path = arriving.finish().unwrap();
        assert_eq!(store.find(&hash), Some(path.clone()));
        assert_eq!(files(&store), 1);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        let mode = std::fs::metadata(&store.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        store.clear();
        assert_eq!(store.find(&hash), None);
        assert!(!store.0.exists());
    }

    #[test]
    fn what_is_not_the_same_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::beside(&dir.path().join("x.sock"));
        let hash: Hash = ring::digest::digest(&SHA256, b"abc")
            .as_ref()
            .try_into()
            .unwrap();
        let other = |bytes: &[u8]| {
            let mut arriving = store.begin(hash, 3)?;
            arriving.take(bytes)?;
            arriving.finish()
        };
        assert!(matches!(other(b"ab"), Err(StageError::OtherSize(3))));
        assert!(matches!(other(b"abcd"), Err(StageError::OtherSize(3))));
        assert!(matches!(other(b"abd"), Err(StageError::OtherContent)));
        assert_eq!((files(&store), store.find(&hash)), (0, None));
        drop(store.begin(hash, 3).unwrap());
        assert_eq!(files(&store), 0);
        assert!(other(b"abc").is_ok());
        // Once more, as two jobs at a time do it.
        assert!(other(b"abc").is_ok());
        assert_eq!(files(&store), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        let staged = |len, size| StagedFile {
            sha256: vec![0; len],
            size,
            path: Vec::new(),
        };
        assert!(checked(&staged(32, STAGE_MAX)).is_ok());
        for (len, size) in [(0, 1), (31, 1), (33, 1), (32, STAGE_MAX + 1)] {
            assert!(checked(&staged(len, size)).is_err());
        }
        assert!(measure(Path::new("/proc/no/such/file")).is_err());
        assert!(measure(Path::new("/dev/zero")).is_err());
    }
}
