//! Compiles C, C++ and Fortran programs against the shared object and runs them under `pvm run`.

#![allow(dead_code, reason = "each test program uses its part")]

use pvm::settings;
use pvm::testing::{LocalVm, host_count};
use pvm_tests::program;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the repository").into()
}

/// Whether programs that try how much is possible do it at full length.
pub fn is_longer() -> bool {
    is_set(settings::STRESS)
}

/// How long a program may take: what is at full length, or is watched, takes long.
fn patience() -> &'static str {
    match is_longer() || is_set(settings::CHECK) {
        true => "30m",
        false => "2m",
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Whether a compiler is there; says so if not.
pub fn has(compiler: &str) -> bool {
    let found = Command::new(compiler).arg("--version").output().is_ok();
    if !found {
        println!("skipped: no {compiler} here; install it with: apt-get install {compiler}");
    }
    found
}

/// A private directory with the libraries under the names that programs link with, the programs
/// made in it, and a virtual machine of its own that ends with it.
pub struct Bench {
    /// When it has several hosts, see [`host_count`]; else a daemon begins with the first command.
    vm: Option<LocalVm>,
    dir: TempDir,
}

impl Bench {
    /// An empty one.
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut bench = Self { vm: None, dir };
        DirBuilder::new()
            .mode(0o700)
            .create(bench.path("run"))
            .expect("a new directory");
        std::fs::create_dir(bench.path("lib")).expect("a new directory");
        let object = program("libpvmcore.so");
        for name in [
            "libpvm3.so",
            "libgpvm3.so",
            "libfpvm3.so",
            "libpvmcore.so.0",
            "libmpi_abi.so.1",
        ] {
            symlink(&object, bench.path("lib").join(name)).expect("a new link");
        }
        if host_count() > 1 {
            let vm = LocalVm::hosts(host_count());
            bench.vm = Some(vm.unwrap_or_else(|error| panic!("{error}")));
        }
        bench
    }

    /// A path in it.
    pub fn path(&self, part: &str) -> PathBuf {
        self.dir.path().join(part)
    }

    /// Compiles one source file with strict warnings; returns the program.
    pub fn c(&self, source: &str, flags: &[&str]) -> PathBuf {
        let strict = ["-std=c99", "-D_DEFAULT_SOURCE", "-O1", "-Wall", "-Wextra"];
        let strict = [&strict[..], &["-Werror", "-pedantic"], flags].concat();
        self.compile("gcc", source, &strict)
    }

    /// Compiles one Fortran source file; `None` without a compiler.
    pub fn fortran(&self, source: &str, flags: &[&str]) -> Option<PathBuf> {
        let usual = [
            "-O1",
            "-ffp-contract=off",
            "-fallow-argument-mismatch",
            "-w",
        ];
        let flags = [&usual, flags].concat();
        has("gfortran").then(|| self.compile("gfortran", source, &flags))
    }

    /// Compiles a C or C++ program of MPI with strict warnings, linked with a stub as an installation
    /// has it; returns the program.
    pub fn mpi(&self, source: &str) -> PathBuf {
        self.mpi_with(source, &[])
    }

    /// As [`Bench::mpi`], with more flags.
    pub fn mpi_with(&self, source: &str, flags: &[&str]) -> PathBuf {
        let lib = self.path("lib");
        if !lib.join("libmpi_abi.so").exists() {
            make_stub(&lib, "mpi_abi", "libmpi_abi.so.1");
        }
        let (compiler, standard) = match source.ends_with(".cpp") {
            true => ("g++", "-std=c++17"),
            false => ("gcc", "-std=c99"),
        };
        let strict = ["-D_DEFAULT_SOURCE", "-O1", "-pthread", "-Wall", "-Wextra"];
        let strict = [&[standard], &strict[..], &["-Werror", "-pedantic"], flags].concat();
        self.link(compiler, source, &strict, &["-lmpi_abi", "-lm"])
    }

    fn compile(&self, compiler: &str, source: &str, flags: &[&str]) -> PathBuf {
        let libraries = ["-lfpvm3", "-lgpvm3", "-lpvm3"];
        self.link(compiler, source, flags, &libraries)
    }

    fn link(&self, compiler: &str, source: &str, flags: &[&str], libraries: &[&str]) -> PathBuf {
        let source = root().join(source);
        let program = self.path(&source.file_stem().expect("a name").to_string_lossy());
        let lib = self.path("lib");
        let output = Command::new(compiler)
            .args(flags)
            .arg("-I")
            .arg(root().join("bindings-c/include"))
            .arg("-o")
            .args([&program, &source])
            .arg("-L")
            .arg(&lib)
            .args(libraries)
            .arg(format!("-Wl,-rpath,{}", lib.display()))
            .output()
            .unwrap_or_else(|error| panic!("{compiler}: {error}"));
        assert!(output.status.success(), "{}", text(&output.stderr));
        program
    }

    /// `pvm run -n tasks program args...`, for [`patience`] at most.
    pub fn run(&self, tasks: usize, program: &Path, args: &[&str]) -> Output {
        let mut command = self.pvm("run");
        command.args(["--timeout", patience(), "-n", &tasks.to_string()]);
        if self.vm.is_some() {
            command.args(["--map-by", "host"]);
        }
        command.arg(program).args(args);
        command.output().expect("pvm runs")
    }

    /// A `pvm` command that talks to this virtual machine.
    pub fn pvm(&self, what: &str) -> Command {
        let mut command = self.alone(&program("pvm"));
        command.arg(what);
        command
    }

    /// A program that is started by hand, and would find this virtual machine.
    pub fn alone(&self, program_path: &Path) -> Command {
        let mut command = Command::new(program_path);
        command
            .env_remove(settings::TASK)
            .env_remove(settings::SOCKET)
            .env_remove(settings::DAEMON)
            .env(settings::RUNTIME_DIR, self.path("run"))
            .env(settings::PVMD, program("pvmd"))
            .env(settings::IDLE, "20");
        if let Some(vm) = &self.vm {
            command.envs(vm.environment());
        }
        command
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.vm.is_none() {
            let _ = self.pvm("halt").arg("--force").output();
        }
    }
}

/// Library, symbol and perhaps size of every exported symbol, as written down.
pub fn written_exports() -> Vec<(String, String)> {
    let list = std::fs::read_to_string(root().join("bindings-c/exports.txt"));
    let list = list.expect("the list of exported symbols");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let parts = lines.map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    });
    parts.collect()
}

/// What a program is linked with: the names and nothing else.
pub fn make_stub(dir: &Path, library: &str, soname: &str) {
    let names = written_exports();
    let names = names.iter().filter(|(of, _)| of == library);
    let source: String = names
        .map(|(_, name)| format!(".globl {name}\n.type {name},@function\n{name}:\n"))
        .collect();
    let file = dir.join(format!("{library}.s"));
    std::fs::write(&file, source + "ret\n").expect("a stub's source");
    let status = Command::new("gcc")
        .args(["-shared", "-nostdlib", "-o"])
        .arg(dir.join(format!("lib{library}.so")))
        .arg(format!("-Wl,-soname,{soname}"))
        .arg(&file)
        .status();
    assert!(status.expect("gcc runs").success());
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Panics unless a run went well and printed exactly this, and nothing on stderr.
pub fn assert_prints(output: &Output, expected: &str, what: &str) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && out == expected && err.is_empty(),
        "{what}: {}\nstdout:\n{out}stderr:\n{err}",
        output.status
    );
}
