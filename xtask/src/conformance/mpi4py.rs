//! The tests of mpi4py, each of its files in a run of its own: what crashes or hangs costs its file.
//! After them its programs: benchmarks, and pools of processes that are there from the beginning.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::record::Record;
use super::skips::Why;
use super::{Common, Installed, emptied, end, folder, judge, logged, report, require, skips};
use crate::shell::{self, Profile};

/// What is downloaded, and what it has to be.
const RELEASE: &str = "mpi4py==4.1.2";
const SHA256: &str = "56860286dc45f20e8821e93cb06669e30462348bf866f685553fa4b712d58d02";
/// What it is built and tested with.
const TOOLS: &[&str] = &[
    "setuptools",
    "wheel",
    "cython",
    "numpy",
    "cffi",
    "dill",
    "pyyaml",
];
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

/// Programs: from how many ranks on, and the arguments of Python.
const PROGRAMS: &[(usize, &str)] = &[
    (1, "-m mpi4py.bench helloworld"),
    (1, "-m mpi4py.bench ringtest --loop 10"),
    (2, "-m mpi4py.bench pingpong --max-size 65536 --loop 50"),
    (2, "-m mpi4py.futures run_hello.py"),
    (2, "-m mpi4py.futures run_cpi.py"),
    (2, "-m mpi4py.futures run_primes.py"),
    (2, "-m mpi4py.futures run_julia.py"),
    (2, "-m mpi4py.futures run_mandelbrot.py"),
    (2, "-m mpi4py.futures test_futures.py"),
    (2, "run_julia.py"),
    (2, "run_mandelbrot.py"),
];
/// What the programs are called where test files are named.
const PROGRAMS_NAME: &str = "programs";

/// What is run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// Only files of the tests with this in their names, or "programs"; default: all
    files: Vec<String>,
    /// Only a part
    #[arg(long, value_enum)]
    subset: Option<Subset>,
    /// All files in one process instead of a run for each
    #[arg(long)]
    whole: bool,
}

/// Parts of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subset {
    /// What fits in some minutes: some files, on two ranks
    Quick,
}

/// Builds mpi4py when it is not there, and runs its tests.
pub fn run(options: &Options) -> Result<()> {
    let mpi4py = Mpi4py::fetch()?;
    mpi4py.run(options)
}

/// Runs what is soon done. Whether it was: mpi4py may be out of reach here, which is told.
pub fn run_quick() -> Result<bool> {
    let mpi4py = match Mpi4py::fetch() {
        Ok(mpi4py) => mpi4py,
        Err(why) => {
            println!("mpi4py is out of reach: {why:#}");
            return Ok(false);
        }
    };
    mpi4py.run(&Options::quick()).map(|()| true)
}

impl Options {
    fn quick() -> Self {
        Self {
            common: Common {
                ranks: Vec::new(),
                hosts: 1,
                timeout: 600,
                profile: Profile::Dev,
                skipped: false,
            },
            files: Vec::new(),
            subset: Some(Subset::Quick),
            whole: false,
        }
    }

    fn ranks(&self) -> Vec<usize> {
        match (self.common.ranks.as_slice(), self.subset) {
            ([], Some(Subset::Quick)) => vec![2],
            ([], None) => RANKS.to_vec(),
            (ranks, _) => ranks.to_vec(),
        }
    }

    fn has_programs(&self) -> bool {
        let is_named = self.files.iter().any(|part| part == PROGRAMS_NAME);
        self.subset.is_none() && (self.files.is_empty() || is_named)
    }
}

/// What is fetched and built.
fn wanted() -> String {
    format!("{RELEASE} {}", TOOLS.join(" "))
}

/// An mpi4py with its tests and a Python of its own.
struct Mpi4py(PathBuf);

impl Mpi4py {
    /// Gets its source and what it is built with, unless an earlier job has.
    fn fetch() -> Result<Self> {
        let this = Self(folder().join("mpi4py"));
        if this.has("fetched") {
            return Ok(this);
        }
        require("python3", "python3-venv")?;
        fs::create_dir_all(&this.0).with_context(|| format!("cannot make {}", this.0.display()))?;
        // What was built is in the old environment.
        let _ = fs::remove_file(this.0.join("built"));
        let venv = this.0.join("venv");
        shell::run(
            shell::command("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&venv),
        )?;
        let wanted = this.0.join("wanted.txt");
        fs::write(&wanted, format!("{RELEASE} --hash=sha256:{SHA256}\n"))?;
        shell::run(this.pip().args(["install", "--upgrade"]).args(TOOLS))?;
        let source = [
            "download",
            "--no-deps",
            "--no-binary=:all:",
            "--no-build-isolation",
        ];
        shell::run(
            this.pip()
                .args(source)
                .arg("--dest")
                .arg(&this.0)
                .arg("--requirement")
                .arg(&wanted),
        )?;
        shell::run(
            shell::command("tar")
                .arg("-xzf")
                .arg(this.archive())
                .arg("-C")
                .arg(&this.0),
        )?;
        this.note("fetched")?;
        Ok(this)
    }

    /// Builds it, unless an earlier job has.
    fn build(&self, installed: &Installed) -> Result<()> {
        if self.has("built") {
            return Ok(());
        }
        let mut install = self.pip();
        install
            .args(["install", "--no-deps", "--no-build-isolation"])
            .arg(self.archive());
        // It is tested, not measured: a build that is optimized takes ten times as long.
        install
            .env("MPICC", installed.program("mpicc"))
            .env("CFLAGS", "-O0 -g0");
        shell::run(&mut install)?;
        self.note("built")
    }

    fn run(&self, options: &Options) -> Result<()> {
        let installed = Installed::with_hosts(&options.common)?;
        self.build(&installed)?;
        let files = self.files(options)?;
        let mut bad = 0;
        for ranks in options.ranks() {
            bad += self.on(ranks, &files, &installed, options)?;
        }
        installed.end()?;
        judge(bad, "tests of mpi4py", &self.logs())
    }

    /// Whether a step was done for this release.
    fn has(&self, step: &str) -> bool {
        fs::read_to_string(self.0.join(step)).is_ok_and(|what| what == wanted())
    }

    fn note(&self, step: &str) -> Result<()> {
        let note = self.0.join(step);
        fs::write(&note, wanted()).with_context(|| format!("cannot write {}", note.display()))
    }

    fn archive(&self) -> PathBuf {
        self.0.join("mpi4py-4.1.2.tar.gz")
    }

    fn pip(&self) -> Command {
        let mut pip = shell::command(self.python());
        pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet"]);
        pip
    }

    fn python(&self) -> PathBuf {
        self.0.join("venv/bin/python")
    }

    fn main(&self) -> PathBuf {
        self.0.join("mpi4py-4.1.2/test/main.py")
    }

    fn demo(&self) -> PathBuf {
        self.0.join("mpi4py-4.1.2/demo")
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
        match files.is_empty() && !options.has_programs() {
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
        println!("{}", options.common.title("mpi4py", ranks));
        let mut all = Record::default();
        let runs: Vec<&[String]> = match options.whole {
            true => vec![files],
            false => files.chunks(1).collect(),
        };
        for run in runs.into_iter().filter(|run| !run.is_empty()) {
            let name = if options.whole { "all" } else { &run[0] };
            let record = self.tests(ranks, name, run, installed, &options.common)?;
            println!("  {name:<24}{}", record.sum());
            all.add(record);
        }
        if options.has_programs() {
            let record = self.programs(ranks, installed, &options.common)?;
            println!("  {PROGRAMS_NAME:<24}{}", record.sum());
            all.add(record);
        }
        report(&all, &options.common);
        Ok(all.sum().failed)
    }

    /// One run of test files.
    fn tests(
        &self,
        ranks: usize,
        name: &str,
        files: &[String],
        installed: &Installed,
        common: &Common,
    ) -> Result<Record> {
        let notes = self.logs().join(format!("{name}.{ranks}"));
        emptied(&notes)?;
        let (script, unused) = (self.0.join("record.py"), self.0.join("unused"));
        written(&script, RECORD)?;
        written(&unused, &unused_tests())?;
        let mut command = installed.mpiexec(ranks, common);
        // All tell what becomes of their tests, also when those of one have failed.
        command
            .arg("--on-failure=continue")
            .arg(self.python())
            .args([&script, &notes, &unused, &self.main()]);
        command.args(["-q", "-i", &format!("^({})\\.py$", files.join("|"))]);
        command.current_dir(self.main().with_file_name(""));
        let status = logged(&mut command, &notes.with_extension(format!("{ranks}.txt")))?;
        let mut record = Record::read(&notes)?;
        record.judge(|why| skips::known(why).is_some());
        let failed = record.sum().failed;
        let end = end(status, failed);
        // A run that ends badly after its last test is a failure too.
        if !end.is_empty() && failed == 0 {
            record.ran(name, &end, Duration::ZERO);
        }
        Ok(record)
    }

    /// The programs, each a test.
    fn programs(&self, ranks: usize, installed: &Installed, common: &Common) -> Result<Record> {
        let mut record = Record::default();
        for (number, (min, line)) in PROGRAMS.iter().enumerate() {
            if ranks < *min {
                record.skip(line, Why::Ranks.word());
                continue;
            }
            let log = self.logs().join(format!("program{number}.{ranks}.txt"));
            let mut command = installed.mpiexec(ranks, common);
            command
                .arg(self.python())
                .args(line.split(' '))
                .current_dir(self.demo().join("futures"));
            let began = Instant::now();
            let end = end(logged(&mut command, &log)?, 0);
            record.ran(line, &end, began.elapsed());
        }
        Ok(record)
    }
}

/// What is not run, for `record.py`.
fn unused_tests() -> String {
    let line = |(pattern, why): &(&str, Why)| format!("{pattern}\t{}\n", why.word());
    skips::MPI4PY.iter().map(line).collect()
}

fn written(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
