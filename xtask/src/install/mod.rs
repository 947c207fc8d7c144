//! Lays the release out as a package does: `bin`, `lib`, `include`, `share` below a prefix.
//!
//! All C symbols live in one shared object, `libpvmcore.so.0`. At run time the names that programs
//! ask for (`libpvm3.so.3` and its sisters, `libmpi_abi.so.1`) are links to it; what the linker finds
//! as `libpvm3.so` is a stub (`stubs`) with the right name inside, so that a program linked here runs
//! with any implementation of PVM, or of MPI.

mod check;
mod stubs;
mod tree;
mod wrappers;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

pub use check::check;

use crate::shell::{self, Profile};
use crate::vm::Scratch;
use tree::Tree;

/// The shared object that has everything.
const CORE: &str = "libpvmcore.so.0";

/// Where to install.
#[derive(Args)]
pub struct Options {
    /// Directory that bin, lib, include and share are made in
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// How the programs are compiled
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// Builds and installs; DESTDIR, when set, goes in front of the prefix.
pub fn run(options: &Options) -> Result<()> {
    let prefix = std::path::absolute(&options.prefix).context("the prefix")?;
    shell::build(options.profile)?;
    let destination = match env::var_os("DESTDIR").filter(|dir| !dir.is_empty()) {
        None => prefix.clone(),
        Some(dir) => {
            let inside = prefix
                .strip_prefix("/")
                .expect("an absolute path starts with /");
            std::path::absolute(dir).context("DESTDIR")?.join(inside)
        }
    };
    lay_out(options.profile, &prefix, &destination)?;
    println!("installed in {}", destination.display());
    Ok(())
}

/// Builds and installs below a directory, for other jobs.
pub fn into(profile: Profile, prefix: &Path) -> Result<()> {
    shell::build(profile)?;
    lay_out(profile, prefix, prefix)
}

/// Copies what is built to its places; `prefix` is written into files, `destination` is where they
/// go.
fn lay_out(profile: Profile, prefix: &Path, destination: &Path) -> Result<()> {
    let tree = Tree::new(destination);
    programs(&tree, profile)?;
    libraries(&tree, profile)?;
    headers(&tree)?;
    documents(&tree)?;
    told_by_pvm(&tree, profile)?;
    templates(&tree, prefix)
}

/// Names of `pvm run` by itself.
const LAUNCHERS: [&str; 2] = ["mpiexec", "mpirun"];

fn programs(tree: &Tree, profile: Profile) -> Result<()> {
    for program in ["pvm", "pvmd"] {
        tree.program(
            &profile.directory().join(program),
            &format!("bin/{program}"),
        )?;
    }
    LAUNCHERS
        .iter()
        .try_for_each(|other| link(tree, "pvm", &format!("bin/{other}")))
}

/// A name that another implementation may have, too.
fn link(tree: &Tree, target: &str, other: &str) -> Result<()> {
    if !tree.link_unless_taken(target, other)? {
        println!("{other} is there already, of another implementation: left as it is");
    }
    Ok(())
}

/// What pvm makes from its tables of options: the manual page of `pvm run`, and completion for shells.
fn told_by_pvm(tree: &Tree, profile: Profile) -> Result<()> {
    let pvm = profile.directory().join("pvm");
    let told = |words: &[&str]| shell::output(shell::command(&pvm).args(words));
    tree.text(&told(&["manual"])?, "share/man/man1/pvm-run.1")?;
    tree.text(
        &told(&["completion", "bash"])?,
        "share/bash-completion/completions/pvm",
    )?;
    tree.text(
        &told(&["completion", "zsh"])?,
        "share/zsh/site-functions/_pvm",
    )?;
    tree.text(
        &told(&["completion", "fish"])?,
        "share/fish/vendor_completions.d/pvm.fish",
    )?;
    for other in LAUNCHERS {
        link(tree, "pvm-run.1", &format!("share/man/man1/{other}.1"))?;
        for place in [
            format!("share/bash-completion/completions/{other}"),
            format!("share/fish/vendor_completions.d/{other}.fish"),
        ] {
            let end = if place.ends_with(".fish") {
                ".fish"
            } else {
                ""
            };
            link(tree, &format!("pvm{end}"), &place)?;
        }
    }
    Ok(())
}

fn libraries(tree: &Tree, profile: Profile) -> Result<()> {
    let core = profile.directory().join("libpvmcore.so");
    tree.library(&core, &format!("lib/{CORE}"))?;
    tree.link(CORE, "lib/libpvmcore.so")?;
    let scratch = Scratch::new("stubs")?;
    let exports = std::fs::read_to_string(shell::root().join("bindings-c/exports.txt"))?;
    for stub in stubs::make(&exports, scratch.path())? {
        tree.link(CORE, &format!("lib/{}", stub.soname))?;
        tree.library(&stub.file, &format!("lib/{}", stub.name))?;
    }
    Ok(())
}

fn headers(tree: &Tree) -> Result<()> {
    let folder = shell::root().join("bindings-c/include");
    let headers = tree::files(&folder)?;
    if headers.is_empty() {
        bail!("{} has no headers", folder.display());
    }
    headers
        .iter()
        .try_for_each(|file| tree.document(file, "include"))
}

fn documents(tree: &Tree) -> Result<()> {
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ] {
        tree.document(&shell::root().join(page), "share/doc/pvm")?;
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        tree.document(&shell::root().join(licence), "share/licenses/pvm")?;
    }
    for page in tree::files(&shell::root().join("deploy/man"))? {
        let section = page
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        tree.document(&page, &format!("share/man/man{section}"))?;
    }
    Ok(())
}

/// Files that name the prefix or the version.
fn templates(tree: &Tree, prefix: &Path) -> Result<()> {
    let prefix = prefix.to_str().context("the prefix is not valid UTF-8")?;
    for (template, place) in [
        ("systemd/pvmd.service.in", "lib/systemd/user/pvmd.service"),
        ("pkgconfig/pvm3.pc.in", "lib/pkgconfig/pvm3.pc"),
        // Under the names that build systems look for.
        ("pkgconfig/mpi.pc.in", "lib/pkgconfig/mpi.pc"),
        ("pkgconfig/mpi.pc.in", "lib/pkgconfig/mpi-c.pc"),
        ("pkgconfig/mpi.pc.in", "lib/pkgconfig/mpi-cxx.pc"),
        ("pkgconfig/mpi.pc.in", "lib/pkgconfig/mpi_abi.pc"),
    ] {
        tree.text(&filled(template, prefix)?, place)?;
    }
    wrappers::lay_out(tree, prefix)
}

/// A file of `deploy` with what belongs in it.
fn filled(template: &str, prefix: &str) -> Result<String> {
    let file = shell::root().join("deploy").join(template);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    // Where the system does not look for libraries, programs must be told.
    let rpath = match prefix {
        "/usr" | "/usr/local" => "",
        _ => "-Wl,-rpath,${libdir} ",
    };
    Ok(text
        .replace("@rpath@", rpath)
        .replace("@prefix@", prefix)
        .replace("@version@", env!("CARGO_PKG_VERSION")))
}
