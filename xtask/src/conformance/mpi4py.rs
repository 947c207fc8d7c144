//! The tests of mpi4py, each of its files in a run of its own: what crashes or hangs costs its file.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::record::{Outcome, Record, Sum};
use super::{Common, Installed, folder, require};
use crate::shell;

/// What is downloaded, and what it has to be.
const RELEASE: &str = "mpi4py==4.1.2";
const SHA256: &str = "56860286dc45f20e8821e93cb06669e30462348bf866f685553fa4b712d58d02";
/// What it is built and tested with.
const TOOLS: &[&str] = &["setuptools", "wheel", "cython", "numpy", "cffi"];
const RECORD: &str = include_str!("record.py");
const RANKS: &[usize] = &[1, 2, 3, 4, 5];
/// Files that are soon done.
const QUICK: &[&str] = &[
    "test_address",
    "test_ctypes",
    "test_info",
    "test_mpiapi",
    "test_mpimem",
    "test_pack",
    "test_package",
    "test_pickle",
    "test_status",
    "test_threads",
    "test_toplevel",
];

/// What is run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// Only files of the tests with this in their names; default: all
    files: Vec<String>,
    /// Only a part
    #[arg(long, value_enum)]
    subset: Option<Subset>,
    /// All files in one process instead of a run for each
    #[arg(long)]
    whole: bool,
    /// List the tests that are skipped, with the reasons
    #[arg(long)]
    skipped: bool,
}

/// Parts of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subset {
    /// What fits in some minutes: some files, on two ranks
    Quick,
}

/// Builds mpi4py when it is not there, and runs its tests.
pub fn run(options: &Options) -> Result<()> {
    let installed = Installed::new(options.common.profile)?;
    let mpi4py = Mpi4py::provide(&installed)?;
    let files = mpi4py.files(options)?;
    let mut bad = 0;
    for ranks in options.ranks() {
        bad += mpi4py.on(ranks, &files, &installed, options)?;
    }
    match bad {
        0 => Ok(()),
        _ => bail!(
            "{bad} tests of mpi4py failed; what they said is in {}",
            mpi4py.logs().display()
        ),
    }
}

impl Options {
    fn ranks(&self) -> Vec<usize> {
        match (self.common.ranks.as_slice(), self.subset) {
            ([], Some(Subset::Quick)) => vec![2],
            ([], None) => RANKS.to_vec(),
            (ranks, _) => ranks.to_vec(),
        }
    }
}

/// An mpi4py that is built, with its tests and a Python of its own.
struct Mpi4py(PathBuf);

impl Mpi4py {
    /// Builds it, unless an earlier job has.
    fn provide(installed: &Installed) -> Result<Self> {
        let this = Self(folder().join("mpi4py"));
        let ready = this.0.join("ready");
        if fs::read_to_string(&ready).is_ok_and(|what| what == RELEASE) {
            return Ok(this);
        }
        require("python3", "python3-venv")?;
        fs::create_dir_all(&this.0).with_context(|| format!("cannot make {}", this.0.display()))?;
        this.build(installed)?;
        fs::write(&ready, RELEASE).with_context(|| format!("cannot write {}", ready.display()))?;
        Ok(this)
    }

    fn build(&self, installed: &Installed) -> Result<()> {
        let venv = self.0.join("venv");
        shell::run(
            shell::command("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&venv),
        )?;
        let wanted = self.0.join("wanted.txt");
        fs::write(&wanted, format!("{RELEASE} --hash=sha256:{SHA256}\n"))?;
        let pip = || {
            let mut pip = shell::command(self.python());
            pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet"]);
            pip
        };
        shell::run(pip().args(["install", "--upgrade"]).args(TOOLS))?;
        let source = [
            "download",
            "--no-deps",
            "--no-binary=:all:",
            "--no-build-isolation",
        ];
        shell::run(
            pip()
                .args(source)
                .arg("--dest")
                .arg(&self.0)
                .arg("--requirement")
                .arg(&wanted),
        )?;
        let archive = self.0.join("mpi4py-4.1.2.tar.gz");
        shell::run(
            shell::command("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(&self.0),
        )?;
        let mut install = pip();
        install
            .args(["install", "--no-deps", "--no-build-isolation"])
            .arg(&archive);
        // It is tested, not measured: a build that is optimized takes ten times as long.
        install
            .env("MPICC", installed.program("mpicc"))
            .env("CFLAGS", "-O0 -g0");
        shell::run(&mut install)
    }

    fn python(&self) -> PathBuf {
        self.0.join("venv/bin/python")
    }

    fn main(&self) -> PathBuf {
        self.0.join("mpi4py-4.1.2/test/main.py")
    }

    /// What the runs wrote.
    fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Names of the test files that are run, without `.py`.
    fn files(&self, options: &Options) -> Result<Vec<String>> {
        let is_wanted = |name: &String| match options.subset {
            Some(Subset::Quick) => QUICK.contains(&name.as_str()),
            None => {
                options.files.is_empty() || options.files.iter().any(|part| name.contains(part))
            }
        };
        let folder = self.main().with_file_name("");
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let stems = names.filter_map(|name| name.strip_suffix(".py").map(str::to_owned));
        let mut files: Vec<String> = stems
            .filter(|name| name.starts_with("test_"))
            .filter(is_wanted)
            .collect();
        files.sort();
        match files.is_empty() {
            false => Ok(files),
            true => bail!(
                "mpi4py has no test file with {} in its name",
                options.files.join(" or ")
            ),
        }
    }

    /// Runs files on so many ranks and prints a table; how many tests failed.
    fn on(
        &self,
        ranks: usize,
        files: &[String],
        installed: &Installed,
        options: &Options,
    ) -> Result<usize> {
        println!(
            "mpi4py on {ranks} {}",
            if ranks == 1 { "rank" } else { "ranks" }
        );
        let mut sum = Sum::default();
        let mut told = Vec::new();
        let runs: Vec<&[String]> = match options.whole {
            true => vec![files],
            false => files.chunks(1).collect(),
        };
        for run in runs {
            let name = if options.whole { "all" } else { &run[0] };
            let (record, status) = self.one(ranks, name, run, installed, options)?;
            let mut own = record.sum();
            let end = end(status, &own);
            // A run that ends badly after its last test is a failure too.
            own.failed += usize::from(!end.is_empty() && own.failed == 0);
            println!("  {name:<24}{own}{end}");
            told.extend(record.with(&[Outcome::Failed, Outcome::Unfinished]));
            if options.skipped {
                told.extend(
                    record
                        .with(&[Outcome::Skipped])
                        .map(|test| format!("skipped: {test}")),
                );
            }
            sum += own;
        }
        println!("  {:<24}{sum}", "all");
        told.iter().for_each(|line| println!("  {line}"));
        Ok(sum.failed)
    }

    fn one(
        &self,
        ranks: usize,
        name: &str,
        files: &[String],
        installed: &Installed,
        options: &Options,
    ) -> Result<(Record, ExitStatus)> {
        let notes = self.logs().join(format!("{name}.{ranks}"));
        if notes.exists() {
            fs::remove_dir_all(&notes)
                .with_context(|| format!("cannot empty {}", notes.display()))?;
        }
        fs::create_dir_all(&notes).with_context(|| format!("cannot make {}", notes.display()))?;
        let script = self.0.join("record.py");
        fs::write(&script, RECORD).with_context(|| format!("cannot write {}", script.display()))?;
        let log = notes.with_extension(format!("{ranks}.txt"));
        let log = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = installed.mpiexec(ranks, options.common.timeout);
        command
            .arg(self.python())
            .arg(&script)
            .arg(&notes)
            .arg(self.main())
            .arg("-q");
        command
            .arg("-i")
            .arg(format!("^({})\\.py$", files.join("|")));
        let status = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir(self.main().with_file_name(""))
            .status()
            .context("mpiexec does not run")?;
        Ok((Record::read(&notes)?, status))
    }
}

/// How a run ended, when that is not what its tests say.
fn end(status: ExitStatus, sum: &Sum) -> String {
    match status.code() {
        Some(0) => String::new(),
        Some(1) if sum.failed > 0 => String::new(),
        Some(124) => "  took too long".to_owned(),
        _ => format!("  {status}"),
    }
}
