//! Every test: units and whole systems, the models under loom, then the demonstration and an
//! installed package. Runs to the end whatever fails, then tells all failures and the sum.

mod count;
mod hosts;
mod told;
pub mod watched;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::conformance::mpi4py;
use crate::shell::{self, Failures, Profile};
use crate::{demo, install, needs};
use count::Count;
use told::Told;

/// How the tests are run.
#[derive(Args)]
pub struct Options {
    /// Only report what is missing, do not install it
    #[arg(long)]
    no_install: bool,
}

/// One part of the run, for the summary.
struct Part {
    name: String,
    count: Count,
    told: Told,
}

impl Part {
    /// Runs a `cargo test`, passes its output through, counts its tests and keeps what it tells of failures.
    fn of(name: impl Into<String>, tests: &mut Command, failures: &mut Failures) -> Self {
        let mut part = Self {
            name: name.into(),
            count: Count::default(),
            told: Told::default(),
        };
        let outcome = part.pass_through(tests);
        let passed = failures.take(outcome).is_some();
        if !passed && part.count.failed == 0 {
            // Something did not compile, or a test program died before it could tell.
            part.count.failed = 1;
        }
        part
    }

    fn pass_through(&mut self, tests: &mut Command) -> Result<()> {
        let line = shell::shown(tests);
        eprintln!("==> {line}");
        let mut child = tests
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{line}`"))?;
        let stdout = child.stdout.take().context("the child has no stdout")?;
        let mut ours = std::io::stdout().lock();
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            ours.write_all(&bytes)?;
            let line = String::from_utf8_lossy(&bytes);
            self.count += Count::of_line(&line);
            self.told.take(&line);
            bytes.clear();
        }
        drop(ours);
        let status = child.wait()?;
        if !status.success() {
            bail!("{}: `{line}` failed: {status}", self.name);
        }
        Ok(())
    }
}

/// Runs everything.
pub fn run(options: &Options) -> Result<()> {
    let missing = needs::provide(needs::TESTS, !options.no_install);
    let mut failures = Failures::default();
    let mut parts = Vec::new();
    // Programs, the shared object and the examples, where the tests of whole systems find them.
    let built = shell::build(Profile::Dev);
    if failures.take(built).is_some() {
        parts.push(cargo_tests(&missing, &mut failures));
        parts.extend(hosts::run(&missing, &mut failures));
        parts.extend(models(&mut failures));
        parts.push(single("demonstration", &mut failures, demo_is_right));
        parts.push(single("installed package", &mut failures, || {
            install::check(Profile::Dev)
        }));
        parts.push(foreign(&mut failures));
    }
    report(&parts, &missing, failures)
}

fn demo_is_right() -> Result<()> {
    demo::run(&demo::Options::quick(Profile::Dev))
}

/// Some of what mpi4py tests itself with, on two ranks, where it can be had.
fn foreign(failures: &mut Failures) -> Part {
    let mut was_run = true;
    let mut part = single("part of mpi4py's tests", failures, || {
        was_run = mpi4py::run_quick()?;
        Ok(())
    });
    if !was_run {
        part.count = Count::one_skipped();
    }
    part
}

/// `cargo test` for the whole workspace.
fn cargo_tests(missing: &[&needs::Need], failures: &mut Failures) -> Part {
    let mut tests = shell::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    leave_out(&mut tests, missing);
    Part::of("cargo test", &mut tests, failures)
}

/// Tests of what this machine lacks are left out by name.
fn leave_out(tests: &mut Command, missing: &[&needs::Need]) {
    tests.arg("--");
    for name in missing.iter().filter_map(|need| need.tests) {
        tests.args(["--skip", name]);
    }
}

/// The model checks: libpvm compiled with loom's atomics, in a target folder of its own.
fn models(failures: &mut Failures) -> Option<Part> {
    let models = loom_tests();
    if models.is_empty() {
        return None;
    }
    let mut tests = shell::cargo();
    tests.args(["test", "--package=libpvm", "--release", "--no-fail-fast"]);
    for model in &models {
        tests.args(["--test", model]);
    }
    tests
        .env("RUSTFLAGS", shell::flags_with("RUSTFLAGS", "--cfg loom"))
        .env("CARGO_TARGET_DIR", shell::target_dir().join("loom"))
        // The models spend their time in loom, not in code that link-time optimisation improves.
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    Some(Part::of("loom models", &mut tests, failures))
}

/// Names of the test programs `libpvm/tests/loom*.rs`.
fn loom_tests() -> Vec<String> {
    let folder = std::fs::read_dir(shell::root().join("libpvm/tests"));
    let files = folder
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("loom"))
        .collect();
    names.sort();
    names
}

/// A check that is one test.
fn single(name: &str, failures: &mut Failures, check: impl FnOnce() -> Result<()>) -> Part {
    let outcome = check().with_context(|| format!("the {name}"));
    let passed = failures.take(outcome).is_some();
    Part {
        name: name.to_owned(),
        count: Count::one(passed),
        told: Told::default(),
    }
}

fn report(parts: &[Part], missing: &[&needs::Need], failures: Failures) -> Result<()> {
    let mut sum = Count::default();
    println!();
    for part in parts.iter().filter(|part| !part.told.text().is_empty()) {
        println!("{} failed:\n{}\n", part.name, part.told.text());
    }
    for part in parts {
        println!("{:<26} {}", part.name, part.count);
        sum += part.count;
    }
    for need in missing {
        let which = match need.tests {
            Some(name) => format!("tests with '{name}' in their name"),
            None => "tests that run it".to_owned(),
        };
        println!(
            "{} is not installed: {which} were skipped; {}",
            need.program,
            need.remedy()
        );
    }
    let outcome = failures.into_result();
    if let Err(error) = &outcome {
        println!("{error:#}");
        sum.failed = sum.failed.max(1);
    }
    println!("{sum}");
    outcome
}
