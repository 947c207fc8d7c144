//! Where daemons of this user are found.

use crate::settings;
use rustix::process::geteuid;
use std::fs::{DirBuilder, Metadata, symlink_metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why the runtime directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It could not be made or looked at.
    #[error(
        "runtime directory {}: {error}; set {} to a directory of your own",
        path.display(), settings::RUNTIME_DIR
    )]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is not a directory, or a symbolic link to one.
    #[error(
        "runtime directory {}: not a directory; remove it, or set {} to another path",
        path.display(), settings::RUNTIME_DIR
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error(
        "runtime directory {}: belongs to user {owner}, not to you; set {} to a directory of your own",
        path.display(), settings::RUNTIME_DIR
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others can get in.
    #[error(
        "runtime directory {}: others can enter it (mode {mode:o}); type: chmod 700 {}",
        path.display(), path.display()
    )]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The directory of this user's daemon sockets; made if it is not there.
///
/// # Errors
/// When it cannot be made, or is not a directory that only this user can enter.
pub fn runtime_dir() -> Result<PathBuf, PlaceError> {
    let path = match std::env::var_os(settings::RUNTIME_DIR) {
        // Absolute, because the daemon and the tasks are elsewhere.
        Some(path) if !path.is_empty() => std::path::absolute(&path).unwrap_or(path.into()),
        _ => default_dir(),
    };
    private_dir(&path)?;
    Ok(path)
}

/// The sockets of a daemon and of those that are other hosts of its virtual machine on this machine
/// (`NAME.2.sock` and so on), as far as they are there; its own first.
pub fn sockets_of(dir: &Path, name: &str) -> Vec<PathBuf> {
    let others = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let number = |path: &Path| {
        let stem = path.file_stem()?.to_str()?.strip_prefix(name)?;
        let is_socket = path.extension()?.to_str()? == "sock";
        let number: u16 = stem.strip_prefix('.')?.parse().ok()?;
        is_socket.then_some(number)
    };
    let numbered = others.map(|entry| entry.path());
    let mut numbered: Vec<_> = numbered
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    numbered.sort();
    let own = socket_path(dir, name);
    std::iter::once(own)
        .chain(numbered.into_iter().map(|(_, path)| path))
        .collect()
}

/// There is no place for the secret of a virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "neither {}, {} nor {} is set: no place for the secret of the virtual machine; set the first to a file of your own",
    settings::SECRET,
    settings::XDG_CONFIG_HOME,
    settings::HOME
)]
pub struct NoSecretPlace;

/// The file with the secret that the hosts of this user's virtual machine share. It may not be there.
///
/// # Errors
/// When the environment names no place.
pub fn secret_path() -> Result<PathBuf, NoSecretPlace> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set(settings::SECRET) {
        return Ok(std::path::absolute(&path).unwrap_or(path.into()));
    }
    let config = set(settings::XDG_CONFIG_HOME).map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(set(settings::HOME)?).join(".config")));
    Ok(config.ok_or(NoSecretPlace)?.join("pvm").join("vm.key"))
}

fn default_dir() -> PathBuf {
    let user = geteuid().as_raw();
    // After `su` the variable can still name the other user's directory.
    std::env::var_os(settings::XDG_RUNTIME_DIR)
        .map(PathBuf::from)
        .filter(|dir| symlink_metadata(dir).is_ok_and(|at| at.is_dir() && at.uid() == user))
        .map_or_else(
            || PathBuf::from(format!("/tmp/pvm-{user}")),
            |dir| dir.join("pvm"),
        )
}

fn private_dir(path: &Path) -> Result<(), PlaceError> {
    let io = |error| PlaceError::Io {
        path: path.to_owned(),
        error,
    };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
        _ => check(path, &symlink_metadata(path).map_err(io)?),
    }
}

fn check(path: &Path, at: &Metadata) -> Result<(), PlaceError> {
    let path = || path.to_owned();
    if !at.is_dir() {
        return Err(PlaceError::NotADirectory { path: path() });
    }
    if at.uid() != geteuid().as_raw() {
        let owner = at.uid();
        return Err(PlaceError::NotOurs {
            path: path(),
            owner,
        });
    }
    match at.mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(PlaceError::Open { path: path(), mode }),
        _ => Ok(()),
    }
}

/// Name of the daemon to talk to on this host.
pub fn daemon_name() -> String {
    std::env::var(settings::DAEMON)
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".to_owned())
}

/// The socket of the daemon called `name`.
pub fn socket_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_directory_is_made_private_and_taken_again() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("run");
        private_dir(&path).unwrap();
        assert_eq!(symlink_metadata(&path).unwrap().mode() & 0o777, 0o700);
        private_dir(&path).unwrap();
    }

    #[test]
    fn links_files_and_open_directories_are_refused() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        create_dir(&real).unwrap();
        set_permissions(&real, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(private_dir(&real), Err(PlaceError::Open { .. })));
        set_permissions(&real, Permissions::from_mode(0o700)).unwrap();
        private_dir(&real).unwrap();

        let link = base.path().join("link");
        symlink(&real, &link).unwrap();
        let refused = private_dir(&link);
        assert!(matches!(refused, Err(PlaceError::NotADirectory { .. })));

        let file = base.path().join("file");
        write(&file, b"").unwrap();
        let refused = private_dir(&file);
        assert!(matches!(refused, Err(PlaceError::NotADirectory { .. })));
        let refused = private_dir(&base.path().join("no/such"));
        assert!(matches!(refused, Err(PlaceError::Io { .. })));
    }
}
