//! Programs that some jobs need besides a Rust toolchain and gcc.

use anyhow::Result;

use crate::shell;

/// A program that something needs.
pub struct Need {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// What the names of the tests that need it contain; none: they notice by themselves.
    pub tests: Option<&'static str>,
}

impl Need {
    /// What to type to have it.
    pub fn remedy(&self) -> String {
        let sudo = if shell::is_root() { "" } else { "sudo " };
        format!("install it with `{sudo}apt-get install {}`", self.package)
    }
}

const FORTRAN: Need = Need {
    program: "gfortran",
    package: "gfortran",
    tests: Some("fortran"),
};
const IP: Need = Need {
    program: "ip",
    package: "iproute2",
    tests: None,
};
const NFT: Need = Need {
    program: "nft",
    package: "nftables",
    tests: None,
};
const SSHD: Need = Need {
    program: "sshd",
    package: "openssh-server",
    tests: None,
};

const CMAKE: Need = Need {
    program: "cmake",
    package: "cmake",
    tests: None,
};
const MAKE: Need = Need {
    program: "make",
    package: "make",
    tests: None,
};

const VALGRIND: Need = Need {
    program: "valgrind",
    package: "valgrind",
    tests: None,
};

/// What the tests need.
pub const TESTS: &[&Need] = &[&FORTRAN, &IP, &NFT, &SSHD, &CMAKE, &MAKE];

/// What watches programs.
pub const WATCHED: &[&Need] = &[&VALGRIND];

/// What a cluster of network namespaces needs.
pub const CLUSTER: &[&Need] = &[&IP, &NFT, &SSHD];

/// Installs what is missing when it may; what is missing still.
pub fn provide(needs: &[&'static Need], may_install: bool) -> Vec<&'static Need> {
    let wanted = missing(needs);
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
    missing(needs)
}

fn missing(needs: &[&'static Need]) -> Vec<&'static Need> {
    let is_missing = |need: &&&Need| !shell::is_installed(need.program);
    needs.iter().filter(is_missing).copied().collect()
}

fn apt_get(verb: &[&str], packages: &[&str]) -> Result<()> {
    let mut apt_get = shell::command("apt-get");
    apt_get
        .args(verb)
        .args(["--yes", "--no-install-recommends"])
        .args(packages);
    shell::run(apt_get.env("DEBIAN_FRONTEND", "noninteractive"))
}
