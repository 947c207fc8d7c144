//! How a job runs commands: from the root of the workspace, announced, their failures collected.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

/// How the programs are compiled.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Quick to build
    Dev,
    /// Quick to run
    Release,
}

impl Profile {
    /// As cargo's `--profile` names it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Dev => "dev",
            Profile::Release => "release",
        }
    }

    /// Where cargo puts the programs.
    pub fn directory(self) -> PathBuf {
        target_dir().join(match self {
            Profile::Dev => "debug",
            Profile::Release => "release",
        })
    }
}

/// Root of the workspace that cargo runs this in: checkouts that share a target folder share this
/// program too.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        manifest
            .parent()
            .expect("the manifest of xtask is in a folder of the workspace")
            .to_owned()
    })
}

/// Cargo's output folder.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A command that runs in the root of the workspace.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs this job, without what it told this program of its package: build scripts look at
/// that, and would build anew what was built from the command line.
pub fn cargo() -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let names = env::vars_os().map(|(name, _)| name);
    let is_of_package = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    for name in names.filter(is_of_package) {
        cargo.env_remove(name);
    }
    cargo
}

/// The compiler flags of the caller's environment and one more.
pub fn flags_with(variable: &str, flag: &str) -> String {
    match env::var(variable) {
        Ok(flags) if !flags.is_empty() => format!("{flags} {flag}"),
        _ => flag.to_owned(),
    }
}

/// One line for a command: its program and arguments.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Announces and runs a command; an error when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("==> {}", shown(command));
    let line = shown(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Builds all programs and libraries: always all of them, because another set of packages has other features
/// of the same dependencies, which are then compiled once more.
pub fn build(profile: Profile) -> Result<()> {
    let what = ["build", "--workspace", "--bins", "--lib"];
    run(cargo().args(what).args(["--profile", profile.name()]))
}

/// Runs a command and returns what it wrote to stdout, which must be UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` wrote what is not UTF-8"))
}

/// Whether a program of this name is in PATH.
pub fn is_installed(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Whether this process is root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Failures of several steps, told together at the end.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    /// Notes the outcome of a step; its value, if it has one.
    pub fn take<T>(&mut self, outcome: Result<T>) -> Option<T> {
        outcome
            .map_err(|error| self.0.push(format!("{error:#}")))
            .ok()
    }

    /// An error that tells all of them, when there is one.
    pub fn into_result(self) -> Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => bail!("{one}"),
            many => bail!("{} steps failed:\n  {}", many.len(), many.join("\n  ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn failures_are_told_together() {
        let mut failures = Failures::default();
        assert_eq!(failures.take(Ok(1)), Some(1));
        assert_eq!(failures.take::<()>(Err(anyhow!("first"))), None);
        assert_eq!(failures.take::<()>(Err(anyhow!("second"))), None);
        let text = failures.into_result().unwrap_err().to_string();
        assert!(text.contains("2 steps") && text.contains("first") && text.contains("second"));
        assert!(Failures::default().into_result().is_ok());
    }

    #[test]
    fn a_failed_command_is_named() {
        let text = run(command("false").arg("--now")).unwrap_err().to_string();
        assert!(text.contains("`false --now` failed"), "{text}");
        assert!(output(&mut command("no-such-program-here")).is_err());
    }
}
