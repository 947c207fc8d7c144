//! A private virtual machine for one job: own runtime directory, halted and removed at the end.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Names of the settings that a job needs; `tidy` checks that settings.rs has them.
const RUNTIME_DIR: &str = "PVM_RUNTIME_DIR";
const IDLE: &str = "PVM_IDLE";
const SECRET: &str = "PVM_SECRET";

/// The rest of the environment that commands of a private machine get: nothing of the caller's
/// settings may reach them.
const KEPT: &[&str] = &["PATH", "TERM"];

/// How long processes of a halted machine may take to leave.
const LEAVING_MAX: Duration = Duration::from_secs(3);

/// A fresh private directory, removed with all that is in it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory; the name is short, for the sake of socket paths.
    pub fn new(purpose: &str) -> Result<Self> {
        let base = env::temp_dir();
        for attempt in 0..100 {
            let path = base.join(format!("pvm-{purpose}-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make {}", path.display()));
                }
            }
        }
        bail!("no free name for a directory in {}", base.display())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A virtual machine of this job alone.
pub struct PrivateVm {
    pvm: PathBuf,
    scratch: Scratch,
    halted: bool,
}

impl PrivateVm {
    /// For the programs in `bin`; the daemon starts with the first `run`.
    pub fn new(bin: &Path) -> Result<Self> {
        Ok(Self {
            pvm: bin.join("pvm"),
            scratch: Scratch::new("xtask")?,
            halted: false,
        })
    }

    /// `pvm`, talking to this machine, in an environment with nothing else in it.
    pub fn pvm(&self) -> Command {
        self.command(&self.pvm)
    }

    /// Any program, in the same environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = shell::command(program);
        command
            .env_clear()
            .env(RUNTIME_DIR, self.runtime_dir())
            .env(SECRET, self.scratch.path().join("secret"))
            .env(IDLE, "60");
        for name in KEPT {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Where the daemon's files are; the daemon removes it when it leaves.
    fn runtime_dir(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    /// Ends the daemon and looks for what it may have left.
    pub fn halt(mut self) -> Result<()> {
        self.halted = true;
        shell::output(self.pvm().arg("halt"))?;
        if let Ok(entries) = fs::read_dir(self.runtime_dir()) {
            let names = entries.flatten().map(|entry| entry.file_name());
            bail!("`pvm halt` left {:?} behind", names.collect::<Vec<_>>());
        }
        self.wait_until_empty()
    }

    /// Waits until no process of the machine is left.
    fn wait_until_empty(&self) -> Result<()> {
        let deadline = Instant::now() + LEAVING_MAX;
        while let Some(left) = processes_with(&self.runtime_dir()).next() {
            if Instant::now() > deadline {
                bail!(
                    "process {left} is left {} s after `pvm halt`",
                    LEAVING_MAX.as_secs()
                );
            }
            // The processes are not children of this one: there is no event to wait for.
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for PrivateVm {
    fn drop(&mut self) {
        if !self.halted {
            let _ = self
                .pvm()
                .args(["halt", "--force"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Processes of this user whose environment names the directory.
fn processes_with(directory: &Path) -> impl Iterator<Item = u32> {
    let needle = format!("{RUNTIME_DIR}={}", directory.display()).into_bytes();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid: &u32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|v| v == needle))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn scratch_is_private_and_removed() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new("unit").unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_process_is_found_by_its_environment() {
        let scratch = Scratch::new("unit").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "echo here; read line"])
            .env(RUNTIME_DIR, scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that is just being started has no environment yet: it says when it runs.
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert_eq!(said, "here\n");
        assert!(processes_with(scratch.path()).any(|pid| pid == child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(processes_with(scratch.path()).count(), 0);
    }
}
