//! Starting the daemon when none runs.

use super::link::{LinkError, dial};
use super::socket_path;
use crate::limits::{ADMIT_DEADLINE_MS, DAEMON_START_DEADLINE_MS, HELLO_DEADLINE_MS};
use crate::settings;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// Which daemon to start, and how.
#[derive(Debug, Clone)]
pub struct DaemonOptions {
    /// Runtime directory.
    pub dir: PathBuf,
    /// Name of the daemon.
    pub name: String,
    /// How long it stays with nothing to do; `None`: its own default.
    pub idle: Option<Duration>,
    /// The program; `None`: looked for.
    pub pvmd: Option<PathBuf>,
    /// The file of the virtual machine's secret; `None`: as the environment says.
    pub secret: Option<PathBuf>,
    /// Addresses of daemons whose virtual machine it becomes part of; none: its own.
    pub join: Vec<String>,
}

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be started.
    #[error("starting the daemon {}: {error}; set {} to the pvmd program", pvmd.display(), settings::PVMD)]
    NotStarted {
        /// The program.
        pvmd: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It ended without accepting connections.
    #[error("starting the daemon {}: {said}", pvmd.display())]
    Failed {
        /// The program.
        pvmd: PathBuf,
        /// Its own words, or how it ended.
        said: String,
    },
    /// It took too long.
    #[error(
        "starting the daemon {}: not ready after {} s; type: {} --foreground",
        pvmd.display(), after.as_secs(), pvmd.display()
    )]
    TimedOut {
        /// The program.
        pvmd: PathBuf,
        /// How long it was waited.
        after: Duration,
    },
}

/// Makes sure that the daemon runs: starts it if nobody accepts at its socket.
///
/// # Errors
/// When it cannot be started, or is not ready in time.
pub fn start_daemon(options: &DaemonOptions) -> Result<(), StartError> {
    let socket = socket_path(&options.dir, &options.name);
    if accepts(&socket) {
        return Ok(());
    }
    let pvmd = options.pvmd.clone().unwrap_or_else(find_pvmd);
    let mut child = spawn(options, &pvmd).map_err(|error| StartError::NotStarted {
        pvmd: pvmd.clone(),
        error,
    })?;
    let patience = match options.join.is_empty() {
        true => DAEMON_START_DEADLINE_MS,
        false => DAEMON_START_DEADLINE_MS + ADMIT_DEADLINE_MS,
    };
    let limit = Duration::from_millis(patience);
    let ended = wait(&child, limit).and_then(|ended| match ended {
        true => child.wait().map(Some),
        false => Ok(None),
    });
    match ended {
        Ok(Some(status)) if status.success() => Ok(()),
        // Somebody else was faster.
        _ if accepts(&socket) => Ok(()),
        Ok(Some(status)) => {
            let said = last_words(child.stderr.take());
            let said = said.unwrap_or_else(|| {
                format!(
                    "it ended without a word ({status}); see why: {} --foreground",
                    pvmd.display()
                )
            });
            Err(StartError::Failed { pvmd, said })
        }
        Ok(None) => {
            // It was ours and is not ready: do not leave it behind.
            let _ = child.kill();
            let _ = child.wait();
            Err(StartError::TimedOut { pvmd, after: limit })
        }
        Err(error) => Err(StartError::NotStarted { pvmd, error }),
    }
}

/// Whether somebody listens there: even one of no use is for the link to tell about.
fn accepts(socket: &Path) -> bool {
    let limit = Duration::from_millis(HELLO_DEADLINE_MS);
    !matches!(dial(socket, limit), Err(LinkError::NoDaemon { .. }))
}

fn spawn(options: &DaemonOptions, pvmd: &Path) -> io::Result<Child> {
    let mut command = Command::new(pvmd);
    if !options.join.is_empty() {
        command.arg("join").args(&options.join);
    }
    command.args(["--name", &options.name]);
    if let Some(idle) = options.idle {
        command.args(["--idle", &idle.as_secs().to_string()]);
    }
    if let Some(secret) = &options.secret {
        command.env(settings::SECRET, secret);
    }
    command
        .env(settings::RUNTIME_DIR, &options.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// The pvmd program: as set, beside the caller, or wherever PATH has it.
fn find_pvmd() -> PathBuf {
    if let Some(path) = std::env::var_os(settings::PVMD).filter(|path| !path.is_empty()) {
        return path.into();
    }
    let name = Path::new("pvmd");
    let caller = std::env::current_exe().ok();
    // Test and example programs lie one directory below the others.
    let places = caller
        .iter()
        .flat_map(|exe| exe.ancestors().skip(1).take(2));
    places
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| name.to_owned())
}

/// Waits until the child has ended; `false`: it has not within `limit`.
fn wait(child: &Child, limit: Duration) -> io::Result<bool> {
    let pid = Pid::from_child(child);
    let end = pidfd_open(pid, PidfdFlags::empty())?;
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(&end, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The last line that the child wrote, without waiting for whoever else holds the pipe.
fn last_words(pipe: Option<ChildStderr>) -> Option<String> {
    let mut pipe = pipe?;
    rustix::io::ioctl_fionbio(&pipe, true).ok()?;
    let mut bytes = [0; 4096];
    let len = pipe.read(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes[..len]);
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    fn script(dir: &Path, text: &str) -> DaemonOptions {
        let pvmd = dir.join("pvmd");
        write(&pvmd, format!("#!/bin/sh\n{text}\n")).unwrap();
        set_permissions(&pvmd, Permissions::from_mode(0o700)).unwrap();
        DaemonOptions {
            dir: dir.to_owned(),
            name: "x".into(),
            idle: Some(Duration::from_secs(3)),
            pvmd: Some(pvmd),
            secret: None,
            join: Vec::new(),
        }
    }

    /// Writing a program and starting it races with forks of other tests, which hold the file
    /// open for writing until they exec.
    fn start(options: &DaemonOptions) -> Result<(), StartError> {
        loop {
            match start_daemon(options) {
                Err(StartError::NotStarted { error, .. })
                    if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
                other => return other,
            }
        }
    }

    #[test]
    fn a_running_daemon_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("x.sock")).unwrap();
        start(&script(dir.path(), "exit 1")).unwrap();
    }

    #[test]
    fn the_daemons_own_words_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = start(&script(dir.path(), "echo no room, $1 $2 $3 $4 >&2; exit 3"));
        let text = error.unwrap_err().to_string();
        assert!(text.ends_with("no room, --name x --idle 3"), "{text}");
    }

    #[test]
    fn a_daemon_without_a_word_is_told_too() {
        let dir = tempfile::tempdir().unwrap();
        let text = start(&script(dir.path(), "exit 3"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("without a word (exit status: 3)"), "{text}");
        assert!(text.ends_with("pvmd --foreground"), "{text}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = script(dir.path(), "");
        options.pvmd = Some("/no/such/pvmd".into());
        let text = start_daemon(&options).unwrap_err().to_string();
        assert!(text.contains("/no/such/pvmd"), "{text}");
    }

    #[test]
    fn success_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        start(&script(dir.path(), "exit 0")).unwrap();
    }
}
