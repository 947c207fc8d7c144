//! The daemon's place on this host: its lock file and its socket.
//!
//! The lock is held as long as the daemon lives; who holds it owns the socket's name. So a socket
//! found by the holder of the lock is a dead daemon's, and of many starters exactly one wins.

use crate::host::stage::store;
use pvm::session::{PlaceError, runtime_dir, socket_path};
use rustix::fs::{FlockOperation, flock, fstat, stat};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for another daemon of the name to serve, or to leave.
const OTHER_DEADLINE: Duration = Duration::from_secs(8);
/// Longest path of a unix socket.
const SOCKET_PATH_MAX: usize = 107;

/// Why there is no place for this daemon.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// Another one is there and serves: for a starter that is as good.
    #[error("already running (pid {0})")]
    AlreadyRunning(String),
    /// The runtime directory cannot be used.
    #[error(transparent)]
    Directory(#[from] PlaceError),
    /// Another one is there and does not serve.
    #[error("another pvmd (pid {0}) holds {1} and does not answer; type: kill {0}")]
    Stuck(String, PathBuf),
    /// A daemon's name is part of file names.
    #[error("'{0}' cannot be a daemon's name; use letters, digits, '-', '_' and '.'")]
    Name(String),
    /// The kernel has a limit.
    #[error(
        "the path {0} is too long for a socket (at most {SOCKET_PATH_MAX} bytes); set {1} to a shorter directory"
    )]
    TooLong(PathBuf, &'static str),
    /// Anything else.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

/// A place that is held.
#[derive(Debug)]
pub struct Place {
    lock: File,
    lock_path: PathBuf,
    directory: PathBuf,
    /// Path of the socket.
    pub socket: PathBuf,
    /// Path for a log.
    pub log: PathBuf,
}

impl Place {
    /// Takes the place of daemon `name` and listens there.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn take(name: &str) -> Result<(Place, UnixListener), NoPlace> {
        check_name(name)?;
        let deadline = Instant::now() + OTHER_DEADLINE;
        loop {
            let directory = runtime_dir()?;
            let mut place = match Place::lock(directory, name, deadline) {
                // The directory has gone with another daemon that left just now.
                Err(NoPlace::Io(_, e)) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            place
                .sign()
                .map_err(|e| NoPlace::Io(place.lock_path.clone(), e))?;
            // Of a daemon that was killed.
            store::clear(&place.socket);
            let listener = place
                .listen()
                .map_err(|e| NoPlace::Io(place.socket.clone(), e))?;
            return Ok((place, listener));
        }
    }

    fn lock(directory: PathBuf, name: &str, deadline: Instant) -> Result<Place, NoPlace> {
        let socket = socket_path(&directory, name);
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(NoPlace::TooLong(socket, pvm::settings::RUNTIME_DIR));
        }
        let lock_path = directory.join(format!("{name}.lock"));
        let io = |e: io::Error| NoPlace::Io(lock_path.clone(), e);
        loop {
            let mut lock = open_lock(&lock_path).map_err(io)?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_still(&lock, &lock_path) => {
                    let log = directory.join(format!("{name}.log"));
                    return Ok(Place {
                        lock,
                        lock_path,
                        directory,
                        socket,
                        log,
                    });
                }
                Ok(()) => {}
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    let pid = read_pid(&mut lock);
                    if UnixStream::connect(&socket).is_ok() {
                        return Err(NoPlace::AlreadyRunning(pid));
                    }
                    if Instant::now() > deadline {
                        return Err(NoPlace::Stuck(pid, socket));
                    }
                    // It is about to serve or to leave; neither can be waited for.
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(e) => return Err(io(e.into())),
            }
        }
    }

    fn sign(&mut self) -> io::Result<()> {
        self.lock.set_len(0)?;
        self.lock.rewind()?;
        writeln!(self.lock, "{}", std::process::id())
    }

    /// Listens at the socket's path, in place of whatever a dead daemon has left there.
    pub fn listen(&self) -> io::Result<UnixListener> {
        match std::fs::remove_file(&self.socket) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Takes the socket's name away: nobody new can connect.
    pub fn hide(&self) {
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Leaves nothing behind. The lock's name goes before the lock itself: see [`is_still`].
    pub fn leave(&self) {
        self.hide();
        store::clear(&self.socket);
        let _ = std::fs::remove_file(&self.lock_path);
        // Fails when other daemons or a log are in it: as it should.
        let _ = std::fs::remove_dir(&self.directory);
    }
}

fn check_name(name: &str) -> Result<(), NoPlace> {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_name = !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_good);
    is_name
        .then_some(())
        .ok_or_else(|| NoPlace::Name(name.into()))
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW);
    options.open(path)
}

/// Whether the locked file still has its name; else another starter may hold a newer one.
fn is_still(lock: &File, path: &Path) -> bool {
    match (fstat(lock), stat(path)) {
        (Ok(ours), Ok(named)) => (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino),
        _ => false,
    }
}

fn read_pid(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock
        .rewind()
        .and_then(|()| lock.take(20).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), pid) if !pid.is_empty() => pid.to_owned(),
        _ => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_directory() {
        for bad in ["", "a/b", "..", ".x", "a b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("host-2.a_b").is_ok());
    }

    #[test]
    fn a_lock_whose_name_is_gone_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let lock = open_lock(&path).unwrap();
        assert!(is_still(&lock, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_still(&lock, &path));
        let _newer = open_lock(&path).unwrap();
        assert!(!is_still(&lock, &path));
    }
}
