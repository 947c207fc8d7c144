//! Programs that some jobs need besides a Rust toolchain and gcc.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// A program that something needs, or a library that such a program loads.
pub struct Need {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// What the names of the tests that need it contain; none: they notice by themselves.
    pub tests: Option<&'static str>,
}

impl Need {
    fn is_there(&self) -> bool {
        shell::is_installed(self.program) || self.is_library()
    }

    /// Whether the loader knows it under a name without a version, as what is for developers has.
    fn is_library(&self) -> bool {
        let known = Command::new("/sbin/ldconfig").arg("-p").output();
        let known = known.map(|output| output.stdout).unwrap_or_default();
        let known = String::from_utf8_lossy(&known);
        let mut names = known
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        names.any(|name| {
            let rest = name.strip_prefix(self.program);
            rest.and_then(|rest| rest.strip_suffix(".so"))
                .is_some_and(|version| version.trim_start_matches('-').parse::<u32>().is_ok())
        })
    }

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

const LIBCLANG: Need = Need {
    program: "libclang",
    package: "libclang-dev",
    tests: None,
};

/// What the tests need.
pub const TESTS: &[&Need] = &[&FORTRAN, &IP, &NFT, &SSHD, &CMAKE, &MAKE];

/// What watches programs.
pub const WATCHED: &[&Need] = &[&VALGRIND];

/// What a cluster of network namespaces needs.
pub const CLUSTER: &[&Need] = &[&IP, &NFT, &SSHD];

/// What bindings for Rust are made with.
pub const BINDGEN: &[&Need] = &[&LIBCLANG];

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
    let is_missing = |need: &&&Need| !need.is_there();
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
