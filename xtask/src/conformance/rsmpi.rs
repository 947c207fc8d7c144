//! The examples of rsmpi, MPI's bindings for Rust: built from the crate's source with our `mpicc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::record::Record;
use super::skips::Why;
use super::{Common, Installed, emptied, end, folder, judge, logged, report};
use crate::{needs, shell};

/// What is downloaded.
const VERSION: &str = "0.8.1";
/// A package that asks for it, so that cargo downloads and checks it.
const ASKS: &str = "[package]\nname = \"asks\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n[dependencies]\n";
const RANKS: &[usize] = &[2, 3, 4];
/// Examples that need what is not here.
const UNUSED: &[(&str, Why)] = &[
    ("spawn", Why::Processes),
    ("spawn_multiple", Why::Processes),
];
/// Examples that need more ranks than others: this one makes a grid of 2 times a quarter of them.
const MIN: &[(&str, usize)] = &[("cartesian_map", 4)];

/// What is run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// Only examples with this in their names; default: all
    examples: Vec<String>,
}

/// Builds rsmpi and runs its examples.
pub fn run(options: &Options) -> Result<()> {
    if let Some(need) = needs::provide(needs::BINDGEN, true).first() {
        bail!("{} is not there: {}", need.program, need.remedy());
    }
    let installed = Installed::with_hosts(&options.common)?;
    let rsmpi = Rsmpi(folder().join("rsmpi"));
    rsmpi.download()?;
    rsmpi.build(&installed)?;
    let examples = rsmpi.examples(options)?;
    emptied(&rsmpi.logs())?;
    let mut bad = 0;
    for &ranks in options.ranks() {
        println!("{}", options.common.title("rsmpi", ranks));
        let record = rsmpi.on(ranks, &examples, &installed, &options.common)?;
        report(&record, &options.common);
        bad += record.sum().failed;
    }
    installed.end()?;
    judge(bad, "examples of rsmpi", &rsmpi.logs())
}

impl Options {
    fn ranks(&self) -> &[usize] {
        match self.common.ranks.as_slice() {
            [] => RANKS,
            ranks => ranks,
        }
    }
}

/// The folder with its source and what is built of it.
struct Rsmpi(PathBuf);

impl Rsmpi {
    /// Downloads the source, unless an earlier job has.
    fn download(&self) -> Result<()> {
        if self.manifest().exists() {
            return Ok(());
        }
        let asks = self.0.join("asks");
        emptied(&asks.join("src"))?;
        fs::write(asks.join("src/lib.rs"), "")?;
        fs::write(
            asks.join("Cargo.toml"),
            format!("{ASKS}mpi = \"={VERSION}\"\n"),
        )?;
        let vendored = self.0.join("vendored");
        shell::run(
            cargo(&asks)
                .args(["vendor", "--quiet", "--versioned-dirs"])
                .arg(&vendored),
        )?;
        let crate_folder = format!("mpi-{VERSION}");
        fs::rename(vendored.join(&crate_folder), self.source())
            .with_context(|| format!("{crate_folder} was not downloaded"))?;
        // It is below a workspace that it is no member of.
        let manifest = fs::read_to_string(self.manifest())?;
        fs::write(self.manifest(), format!("{manifest}\n[workspace]\n"))?;
        Ok(())
    }

    /// Builds its examples; what it found in an earlier `mpi.h` is not used again.
    fn build(&self, installed: &Installed) -> Result<()> {
        shell::run(cargo(&self.source()).args(["clean", "--quiet", "--package=mpi-sys"]))?;
        shell::run(
            cargo(&self.source())
                .args([
                    "build",
                    "--quiet",
                    "--locked",
                    "--examples",
                    "--features=derive,complex",
                ])
                .env("MPICC", installed.program("mpicc")),
        )
    }

    fn source(&self) -> PathBuf {
        self.0.join("source")
    }

    fn manifest(&self) -> PathBuf {
        self.source().join("Cargo.toml")
    }

    /// What the examples wrote.
    fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Names of the examples that are run.
    fn examples(&self, options: &Options) -> Result<Vec<String>> {
        let sources = self.source().join("examples");
        let entries =
            fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let stems = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".rs")?.to_owned()));
        let is_wanted = |name: &String| {
            options.examples.is_empty() || options.examples.iter().any(|part| name.contains(part))
        };
        let mut examples: Vec<String> = stems.filter(is_wanted).collect();
        examples.sort();
        match examples.is_empty() {
            false => Ok(examples),
            true => bail!(
                "rsmpi has no example with {} in its name",
                options.examples.join(" or ")
            ),
        }
    }

    fn on(
        &self,
        ranks: usize,
        examples: &[String],
        installed: &Installed,
        common: &Common,
    ) -> Result<Record> {
        let mut record = Record::default();
        for name in examples {
            if let Some(why) = unused(name, ranks) {
                record.skip(name, why.word());
                continue;
            }
            let mut command = installed.mpiexec(ranks, common);
            command
                .arg(self.source().join("target/debug/examples").join(name))
                .env("LD_LIBRARY_PATH", installed.libraries());
            let began = Instant::now();
            let status = logged(
                &mut command,
                &self.logs().join(format!("{name}.{ranks}.txt")),
            )?;
            record.ran(name, &end(status, 0), began.elapsed());
        }
        Ok(record)
    }
}

/// Why an example is not run on so many ranks.
fn unused(example: &str, ranks: usize) -> Option<Why> {
    let unused = UNUSED.iter().find(|(name, _)| *name == example);
    let few = MIN
        .iter()
        .find(|(name, min)| *name == example && ranks < *min);
    unused.map(|(_, why)| *why).or(few.map(|_| Why::Ranks))
}

/// cargo, in a folder that is none of this workspace.
fn cargo(folder: &Path) -> Command {
    let mut cargo = shell::cargo();
    cargo
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    cargo
}
