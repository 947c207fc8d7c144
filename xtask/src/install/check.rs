//! An installation is good when C and C++ programs can be compiled against it and run from it in an
//! environment that has nothing else, and CMake finds it by its programs alone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::lay_out;
use crate::shell::{self, Profile};
use crate::vm::{PrivateVm, Scratch};

/// Two tasks form a group; one broadcasts, the other prints what it got.
const PROGRAM: &str = include_str!("check.c");
/// Every rank says which it is; C and C++.
const MPI_PROGRAM: &str = include_str!("check_mpi.c");
/// A project that asks for MPI in the usual way.
const CMAKE_PROJECT: &str = include_str!("check.cmake");

/// Installs what is built into a directory of its own and uses it.
pub fn check(profile: Profile) -> Result<()> {
    let scratch = Scratch::new("install")?;
    let prefix = scratch.path();
    lay_out(profile, prefix, prefix)?;
    for place in [
        "bin/mpiexec",
        "lib/libpvm3.so.3",
        "lib/libmpi_abi.so.1",
        "lib/pkgconfig/mpi.pc",
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
    if written != "received 42\n" {
        bail!("the program wrote '{written}'");
    }
    for (compiler, source) in [("mpicc", "mpi.c"), ("mpicxx", "mpi.cpp")] {
        mpi(prefix, compiler, source, &vm)?;
    }
    cmake(prefix, &vm)?;
    vm.halt()
}

/// Compiles with a wrapper and nothing else, and runs with `mpiexec`.
fn mpi(prefix: &Path, compiler: &str, source: &str, vm: &PrivateVm) -> Result<()> {
    let path = prefix.join(source);
    fs::write(&path, MPI_PROGRAM).with_context(|| format!("cannot write {}", path.display()))?;
    let program = path.with_extension("out");
    let mut command = shell::command(prefix.join("bin").join(compiler));
    shell::run(
        command
            .args(["-Wall", "-Werror", "-o"])
            .args([&program, &path]),
    )?;
    runs(prefix, &program, vm)
}

/// Whether two ranks say what they have to.
fn runs(prefix: &Path, program: &Path, vm: &PrivateVm) -> Result<()> {
    let mut mpiexec = vm.command(&prefix.join("bin/mpiexec"));
    let written = shell::output(mpiexec.args(["-n", "2"]).arg(program))?;
    let mut lines: Vec<&str> = written.lines().collect();
    lines.sort_unstable();
    match lines == ["rank 0 of 2", "rank 1 of 2"] {
        true => Ok(()),
        false => bail!("{} wrote '{written}'", program.display()),
    }
}

/// A project finds the installation because its programs are in the path.
fn cmake(prefix: &Path, vm: &PrivateVm) -> Result<()> {
    if !shell::is_installed("cmake") || !shell::is_installed("make") {
        println!("cmake and make are not installed: not tried with them");
        return Ok(());
    }
    let project = prefix.join("project");
    fs::create_dir(&project)?;
    fs::write(project.join("CMakeLists.txt"), CMAKE_PROJECT)?;
    fs::write(project.join("check.c"), MPI_PROGRAM)?;
    fs::write(project.join("check.cpp"), MPI_PROGRAM)?;
    let build = project.join("build");
    let cmake = || {
        let mut path = prefix.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut cmake = vm.command(Path::new("cmake"));
        cmake.env("PATH", path);
        cmake
    };
    let said = shell::output(cmake().arg("-S").arg(&project).arg("-B").arg(&build))?;
    let mpiexec = format!("mpiexec is {}", prefix.join("bin/mpiexec").display());
    if !said.contains(&mpiexec) {
        bail!("CMake did not find {mpiexec}: {said}");
    }
    shell::output(cmake().arg("--build").arg(&build))?;
    runs(prefix, &build.join("check_c"), vm)?;
    runs(prefix, &build.join("check_cpp"), vm)
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
