//! An installation is good when a C program can be compiled against it and runs from it in an
//! environment that has nothing else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::lay_out;
use crate::shell::{self, Profile};
use crate::vm::{PrivateVm, Scratch};

/// Two tasks form a group; one broadcasts, the other prints what it got.
const PROGRAM: &str = include_str!("check.c");

/// Installs what is built into a directory of its own and uses it.
pub fn check(profile: Profile) -> Result<()> {
    let scratch = Scratch::new("install")?;
    let prefix = scratch.path();
    lay_out(profile, prefix, prefix)?;
    for place in [
        "bin/mpiexec",
        "lib/libpvm3.so.3",
        "include/pvm3.h",
        "share/licenses/pvm/LICENSE-MIT",
        "share/man/man1/mpiexec.1",
        "share/bash-completion/completions/mpiexec",
        "share/zsh/site-functions/_pvm",
        "share/fish/vendor_completions.d/mpirun.fish",
    ] {
        fs::metadata(prefix.join(place)).with_context(|| format!("{place} is not installed"))?;
    }
    compile(prefix)?;
    let vm = PrivateVm::new(&prefix.join("bin"))?;
    let written = shell::output(vm.pvm().args(["run", "-n", "2"]).arg(prefix.join("check")))?;
    vm.halt()?;
    if written != "received 42\n" {
        bail!("the program wrote '{written}'");
    }
    Ok(())
}

fn compile(prefix: &Path) -> Result<()> {
    let source = prefix.join("check.c");
    fs::write(&source, PROGRAM).with_context(|| format!("cannot write {}", source.display()))?;
    let library = prefix.join("lib");
    let mut gcc = shell::command("gcc");
    gcc.args(["-Wall", "-Werror", "-o"])
        .arg(prefix.join("check"))
        .arg(&source);
    gcc.arg("-I")
        .arg(prefix.join("include"))
        .arg("-L")
        .arg(&library);
    gcc.arg(format!("-Wl,-rpath,{}", library.display()))
        .args(["-lgpvm3", "-lpvm3"]);
    shell::run(&mut gcc)
}
