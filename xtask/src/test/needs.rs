//! What the tests need besides a Rust toolchain and gcc.

use anyhow::Result;

use crate::shell;

/// A program that some tests need.
pub struct Need {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// What the names of the tests that need it contain.
    pub tests: &'static str,
}

impl Need {
    /// What to type to have it.
    pub fn remedy(&self) -> String {
        let sudo = if shell::is_root() { "" } else { "sudo " };
        format!("install it with `{sudo}apt-get install {}`", self.package)
    }
}

const NEEDS: &[Need] = &[Need {
    program: "gfortran",
    package: "gfortran",
    tests: "fortran",
}];

/// Installs what is missing when it may; what is missing still.
pub fn provide(may_install: bool) -> Vec<&'static Need> {
    let wanted = missing();
    if wanted.is_empty() || !may_install || !shell::is_root() || !shell::is_installed("apt-get") {
        return wanted;
    }
    let packages: Vec<_> = wanted.iter().map(|need| need.package).collect();
    // A fresh container has no package lists yet, so a first failure is worth an update.
    let outcome = apt_get(&["install"], &packages).or_else(|_| {
        apt_get(&["update"], &[])?;
        apt_get(&["install"], &packages)
    });
    if let Err(error) = outcome {
        eprintln!("xtask: {error:#}");
    }
    missing()
}

fn missing() -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| !shell::is_installed(need.program))
        .collect()
}

fn apt_get(verb: &[&str], packages: &[&str]) -> Result<()> {
    let mut apt_get = shell::command("apt-get");
    apt_get
        .args(verb)
        .args(["--yes", "--no-install-recommends"])
        .args(packages);
    shell::run(apt_get.env("DEBIAN_FRONTEND", "noninteractive"))
}
