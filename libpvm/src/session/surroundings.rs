//! What tasks inherit from whoever starts them: environment and working directory, as bytes.

use crate::wire::control::{App, Launch};
use rustix::fs::Mode;
use rustix::process::umask;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A spawn of one program. A task that was started with a job inherits what the daemon knows of
/// it; one that was started by hand passes on what it has itself.
pub fn spawn_launch(app: App, has_job: bool) -> Launch {
    let mut launch = Launch {
        apps: vec![app],
        ..Launch::default()
    };
    if !has_job {
        launch.environment = own_environment();
        launch.directory = own_directory();
        launch.umask = own_umask();
    }
    launch
}

/// `NAME=value`, as a launch carries it.
pub fn variable(name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Vec<u8> {
    [name.as_ref().as_bytes(), value.as_ref().as_bytes()].join(&b'=')
}

/// Name and value of `NAME=value`; `None`: it has no name.
pub fn split_variable(variable: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = variable.iter().position(|byte| *byte == b'=')?;
    (at > 0).then(|| (&variable[..at], &variable[at + 1..]))
}

/// The environment of this process, for a launch.
pub fn own_environment() -> Vec<Vec<u8>> {
    let pairs = std::env::vars_os().map(|(name, value)| variable(name, value));
    // The system lets names begin with '=', which nothing can look up.
    pairs.filter(|pair| !pair.starts_with(b"=")).collect()
}

/// The working directory of this process, for a launch; the root when it has none.
pub fn own_directory() -> Vec<u8> {
    std::env::current_dir().map_or_else(
        |_| b"/".to_vec(),
        |directory| directory.into_os_string().into_vec(),
    )
}

/// The umask of this process; it can only be read by setting it.
pub fn own_umask() -> u32 {
    let mask = umask(Mode::empty());
    umask(mask);
    mask.bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_joined_and_split() {
        let odd = OsStr::from_bytes(b"\xff=\n");
        assert_eq!(variable("A", odd), b"A=\xff=\n");
        assert_eq!(
            split_variable(b"A=\xff=\n"),
            Some((&b"A"[..], &b"\xff=\n"[..]))
        );
        assert_eq!(split_variable(b"A="), Some((&b"A"[..], &b""[..])));
        assert_eq!(split_variable(b"=A"), None);
        assert_eq!(split_variable(b"A"), None);
    }

    #[test]
    fn the_own_environment_is_complete() {
        let path = std::env::var_os(crate::settings::PATH).unwrap_or_default();
        assert!(
            path.is_empty() || own_environment().contains(&variable(crate::settings::PATH, path))
        );
        assert!(own_directory().starts_with(b"/"));
    }
}
