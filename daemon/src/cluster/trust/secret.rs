//! The secret of a virtual machine, in memory and in its file.

use crate::hex;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;
use std::fmt;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Permission bits of the file.
const MODE: u32 = 0o600;
/// Longest file that is read: the digits, an end of line, and some room for spaces.
const FILE_MAX: u64 = 256;

/// The 32 bytes that make a host a member of a virtual machine. Nothing shows them by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system has refused something.
    #[error("the secret of the virtual machine, {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is not a file.
    #[error("the secret of the virtual machine, {}: not a regular file; remove it", path.display())]
    NotAFile {
        /// What is no file.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error(
        "the secret of the virtual machine, {}: belongs to user {owner}, not to you",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others may read or write it.
    #[error(
        "the secret of the virtual machine, {}: others can reach it (mode {mode:o}); type: chmod 600 {}",
        path.display(), path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold a secret.
    #[error(
        "the secret of the virtual machine, {}: it does not hold 64 hexadecimal digits; \
         copy it again from another host",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("no random bytes for a secret: {0}")]
    NoRandom(String),
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, SecretError> {
        Ok(Secret(random()?))
    }

    /// The one in a file.
    ///
    /// # Errors
    /// When it is not a regular file of ours that only we can reach, or holds something else.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let io = |error| SecretError::Io {
            path: path.to_owned(),
            error,
        };
        // Not waiting: a pipe of that name would hold the daemon up.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)
            .map_err(io)?;
        // The open file is looked at, not its name: nobody can change it in between.
        check(path, &file.metadata().map_err(io)?)?;
        let mut text = String::new();
        match file.take(FILE_MAX).read_to_string(&mut text) {
            Err(error) if error.kind() != io::ErrorKind::InvalidData => Err(io(error)),
            _ => Self::from_hex(text.trim()).ok_or_else(|| SecretError::Malformed {
                path: path.to_owned(),
            }),
        }
    }

    /// The one in a file; if there is none, a new one, which is then in the file. Of several daemons
    /// that do this at the same time, all get the same.
    ///
    /// # Errors
    /// As [`Secret::load`], and when the file cannot be made.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        match Self::load(path) {
            Err(SecretError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let secret = Self::generate()?;
        let made = secret.create(path).map_err(|error| SecretError::Io {
            path: path.to_owned(),
            error,
        })?;
        match made {
            true => Ok(secret),
            false => Self::load(path),
        }
    }

    /// The one that 64 hexadecimal digits are.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).map(Secret)
    }

    /// The one that a message holds.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Secret)
    }

    /// For the standard input of another daemon, and for nothing that others can read.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }

    /// For a message to a new member.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Makes the file. False: somebody else was first, nothing is changed.
    fn create(&self, path: &Path) -> io::Result<bool> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut maker = DirBuilder::new();
        maker.mode(0o700).recursive(true).create(folder)?;

        let random: [u8; 8] = random().map_err(io::Error::other)?;
        let unfinished = format!(".{}.{}", name.to_string_lossy(), hex::encode(&random));
        let unfinished = folder.join(unfinished);
        let made = self
            .write(&unfinished)
            .and_then(|()| give_name(&unfinished, path));
        // Gone already when it was renamed.
        let _ = std::fs::remove_file(&unfinished);
        made
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path)?;
        file.write_all(format!("{}\n", self.to_hex()).as_bytes())?;
        file.sync_all()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| SecretError::NoRandom(error.to_string()))?;
    Ok(bytes)
}

/// Gives a finished file its name unless that is taken. A link does it on every file system of hosts,
/// also over NFS; a renaming that replaces nothing where there are no links.
fn give_name(unfinished: &Path, path: &Path) -> io::Result<bool> {
    let linked = std::fs::hard_link(unfinished, path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Err(error),
        _ => renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE)
            .map_err(io::Error::from),
    });
    match linked {
        Ok(()) => {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn check(path: &Path, at: &Metadata) -> Result<(), SecretError> {
    let path = || path.to_owned();
    if !at.is_file() {
        return Err(SecretError::NotAFile { path: path() });
    }
    if at.uid() != geteuid().as_raw() {
        let owner = at.uid();
        return Err(SecretError::NotOurs {
            path: path(),
            owner,
        });
    }
    match at.mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(SecretError::Open { path: path(), mode }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, read_dir, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret([0xab; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(Secret::from_hex(&secret.to_hex()), Some(secret.clone()));
        assert_eq!(Secret::from_bytes(secret.bytes()), Some(secret));
        assert_eq!(Secret::from_bytes(&[1; 31]), None);
    }

    #[test]
    fn a_file_is_made_private_and_taken_again() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("new/vm.key");
        let made = Secret::load_or_create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            path.parent().unwrap().metadata().unwrap().mode() & 0o777,
            0o700
        );
        assert!(Secret::load_or_create(&path).unwrap() == made);
        assert!(Secret::load(&path).unwrap() == made);
        assert_eq!(read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn daemons_that_race_get_the_same() {
        let base = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = base.path().join(format!("vm{round}.key"));
            let made: Vec<_> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| Secret::load_or_create(&path).unwrap()))
                    .collect();
                racers.into_iter().map(|it| it.join().unwrap()).collect()
            });
            assert!(made.iter().all(|it| *it == made[0]));
        }
        assert_eq!(read_dir(base.path()).unwrap().count(), 20);
    }

    #[test]
    fn a_renaming_replaces_nothing_either() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        for name in ["one", "two"] {
            write(path(name), name).unwrap();
        }
        assert!(give_name(&path("one"), &path("key")).unwrap());
        assert!(!give_name(&path("two"), &path("key")).unwrap());
        assert_eq!(std::fs::read(path("key")).unwrap(), b"one");
        let error = give_name(&path("none"), &path("other")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_not_private_is_refused_with_what_to_type() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("vm.key");
        Secret::load_or_create(&path).unwrap();
        set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let text = Secret::load(&path).unwrap_err().to_string();
        let at = path.display();
        assert_eq!(
            text,
            format!(
                "the secret of the virtual machine, {at}: others can reach it (mode 640); \
                 type: chmod 600 {at}"
            )
        );
        let refused = Secret::load_or_create(&path);
        assert!(matches!(refused, Err(SecretError::Open { .. })));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("vm.key");
        let digits = "ab".repeat(32);
        let long = format!("{digits}{}", " ".repeat(300));
        for text in [
            "",
            "nonsense",
            &digits[1..],
            &format!("{digits}0"),
            "\u{e9}",
        ] {
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let refused = Secret::load_or_create(&path);
            assert!(
                matches!(refused, Err(SecretError::Malformed { .. })),
                "{text}"
            );
        }
        write(&path, [0xff; 64]).unwrap();
        let refused = Secret::load(&path);
        assert!(matches!(refused, Err(SecretError::Malformed { .. })));
        write(&path, long).unwrap();
        assert!(Secret::load(&path).is_ok());
        let folder = base.path().join("folder");
        create_dir(&folder).unwrap();
        let refused = Secret::load(&folder);
        assert!(matches!(refused, Err(SecretError::NotAFile { .. })));
    }
}
