//! `cargo xtask gen`: everything that follows from the tables of `bindings-c/api`.
//!
//! What is generated is committed; `cargo xtask gen --check`, a part of `tidy`'s job in CI, says
//! whether it is what the tables say.

mod coverage;
mod entries;
mod header;
mod kinds;
mod table;
mod wrong;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::shell;
use crate::test::watched;
use entries::Chapters;
use table::{Constant, Function};

const BINDINGS: &str = "bindings-c";
const CHAPTERS: &str = "bindings-c/src/mpi/chapters";
/// Where test programs are that call functions of MPI.
const TESTS: &str = "bindings-c/tests/mpi";
/// The one that is generated: it only does what is wrong, and shows of no function that it works.
const WRONG: &str = "wrong.c";
/// Lines of the README between which the coverage stands.
const MARKS: (&str, &str) = ("<!-- coverage -->\n", "<!-- end of coverage -->\n");

/// What was typed behind `gen`.
#[derive(Args, Default)]
pub struct Options {
    /// Write nothing; fail if something differs
    #[arg(long)]
    pub check: bool,
}

/// What was typed behind `mpi`.
#[derive(Args)]
pub struct MpiOptions {
    #[command(subcommand)]
    job: MpiJob,
}

#[derive(Subcommand)]
enum MpiJob {
    /// Functions of each chapter: all, implemented, tested
    Coverage,
    /// The C programs of the tests while valgrind or sanitizers watch them
    Check(watched::Options),
}

/// Generates, or compares.
pub fn run(options: &Options) -> Result<()> {
    let files = Tables::read()?.files()?;
    let mut differ = Vec::new();
    for (path, text) in files {
        let old = fs::read_to_string(&path).unwrap_or_default();
        if old == text {
            continue;
        }
        if options.check {
            differ.push(path.display().to_string());
            continue;
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match differ.is_empty() {
        true => Ok(()),
        false => bail!(
            "not what the tables say; type: cargo xtask gen: {}",
            differ.join(", ")
        ),
    }
}

/// The jobs about MPI.
pub fn mpi(options: &MpiOptions) -> Result<()> {
    match &options.job {
        MpiJob::Coverage => print!("{}", Tables::read()?.coverage()?),
        MpiJob::Check(options) => watched::run(options)?,
    }
    Ok(())
}

/// The tables, and what the chapters define.
struct Tables {
    root: PathBuf,
    functions: Vec<Function>,
    constants: Vec<Constant>,
    chapters: Chapters,
}

impl Tables {
    fn read() -> Result<Self> {
        let root = shell::root().to_owned();
        let read = |path: &str| {
            fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
        };
        let functions = table::functions(&read("bindings-c/api/mpi.txt")?)?;
        let constants = table::constants(&read("bindings-c/api/constants.txt")?)?;
        let mut chapters = Chapters::new();
        for (module, source) in sources(&root.join(CHAPTERS), "rs")? {
            entries::implemented(&module, &source, &mut chapters);
        }
        Ok(Self {
            root,
            functions,
            constants,
            chapters,
        })
    }

    /// Every generated file with its text.
    fn files(&self) -> Result<Vec<(PathBuf, String)>> {
        let generated = |name: &str| {
            self.root
                .join(BINDINGS)
                .join("src/mpi/generated")
                .join(name)
        };
        let include = self.root.join(BINDINGS).join("include/mpi.h");
        Ok(vec![
            (include, header::text(&self.constants, &self.functions)),
            (
                generated("entries.rs"),
                entries::text(&self.functions, &self.chapters),
            ),
            (
                generated("constants.rs"),
                entries::constants(&self.constants),
            ),
            (
                self.root.join(TESTS).join(WRONG),
                wrong::text(&self.functions, &self.chapters),
            ),
            self.exports()?,
            self.readme()?,
        ])
    }

    /// The table of exported symbols: the rows of `libmpi_abi` are ours.
    fn exports(&self) -> Result<(PathBuf, String)> {
        let path = self.root.join(BINDINGS).join("exports.txt");
        let old = fs::read_to_string(&path).context("cannot read exports.txt")?;
        let mut lines: Vec<String> = old
            .lines()
            .filter(|line| !line.starts_with("mpi_abi "))
            .map(str::to_owned)
            .collect();
        let names = self
            .functions
            .iter()
            .flat_map(|f| [f.name.clone(), format!("P{}", f.name)]);
        let mut rows: Vec<String> = names.map(|name| format!("mpi_abi {name}")).collect();
        rows.sort();
        lines.extend(rows);
        Ok((path, lines.join("\n") + "\n"))
    }

    fn readme(&self) -> Result<(PathBuf, String)> {
        let path = self.root.join("README.md");
        let old = fs::read_to_string(&path).context("cannot read README.md")?;
        let (before, rest) = old
            .split_once(MARKS.0)
            .context("README.md has no coverage mark")?;
        let (_, behind) = rest
            .split_once(MARKS.1)
            .context("README.md has no end of coverage")?;
        let table = self.coverage()?;
        Ok((
            path,
            format!("{before}{}{table}{}{behind}", MARKS.0, MARKS.1),
        ))
    }

    fn coverage(&self) -> Result<String> {
        let mut named = BTreeSet::new();
        let programs = sources(&self.root.join(TESTS), "c")?;
        for (_, source) in programs
            .iter()
            .filter(|(stem, _)| format!("{stem}.c") != WRONG)
        {
            coverage::names_in(source, &mut named);
        }
        Ok(coverage::table(&self.functions, &self.chapters, &named))
    }
}

/// Stems and texts of the files of a folder with this extension, by name; folders in it too.
fn sources(folder: &Path, extension: &str) -> Result<Vec<(String, String)>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(sources(&path, extension)?);
        } else if path.extension().is_some_and(|e| e == extension) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            found.push((stem.into_owned(), text));
        }
    }
    found.sort();
    Ok(found)
}
