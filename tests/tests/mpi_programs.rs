//! Every program of `bindings-c/tests/mpi` on the counts of ranks that it names.
//!
//! A program passes when it ends well and says nothing on stderr. Its first lines may say more:
//! ```c
//! /* ranks: 1 2 3 4 8 */
//! /* expect: abort => 7: MPI_Abort with code 7 */
//! /* longer: 60 */
//! ```
//! `ranks` are the counts of ranks (1, 2 and 4 without it). Each `expect` is a further run: with these arguments
//! it has to end with this code, and the text behind the colon has to be on stderr. `longer` are the arguments of
//! programs that are soon done without them: they run so when `PVM_STRESS` is set. `unchecked` says why a program
//! is left out when something watches them ([`checker`]).

mod c_support;
mod checker;

use c_support::{Bench, is_longer, root, text};
use checker::Checker;
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;
use std::process::{ExitCode, Output};
use std::sync::{Arc, OnceLock};

const FOLDER: &str = "bindings-c/tests/mpi";
const RANKS: [usize; 3] = [1, 2, 4];
/// How many lines at the beginning of a program may say how it is run.
const HEAD: usize = 12;

fn main() -> ExitCode {
    let checker = Checker::from_environment();
    let trials = sources()
        .into_iter()
        .flat_map(|source| trials(source, checker));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// The programs, by name.
fn sources() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(FOLDER)).expect("the folder of the programs");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_program = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end == "c" || end == "cpp")
    };
    let mut sources: Vec<PathBuf> = paths.filter(is_program).collect();
    sources.sort();
    assert!(!sources.is_empty(), "{FOLDER} has no programs");
    sources
}

/// One run of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    arguments: Vec<String>,
    code: i32,
    /// What stderr has in it; empty: nothing is there.
    says: String,
}

/// The tests of a program: it is compiled by the first one that runs.
fn trials(source: PathBuf, checker: Checker) -> Vec<Trial> {
    let head = std::fs::read_to_string(&source).expect("a program's source");
    let name = source
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let Plan {
        ranks,
        runs,
        unchecked,
    } = plan(&head).unwrap_or_else(|why| panic!("{}: {why}", source.display()));
    if unchecked && checker != Checker::None {
        return Vec::new();
    }
    let program = Arc::new(Program {
        source,
        checker,
        compiled: OnceLock::new(),
    });
    let each = ranks
        .iter()
        .filter(|ranks| checker.takes(**ranks))
        .flat_map(|n| runs.iter().map(move |run| (*n, run.clone())));
    let trial = |(ranks, run): (usize, Run)| {
        let words = [
            vec![name.clone()],
            run.arguments.clone(),
            vec![format!("-n {ranks}")],
        ];
        let program = Arc::clone(&program);
        Trial::test(words.concat().join(" "), move || program.run(ranks, &run))
    };
    each.map(trial).collect()
}

/// How a program is run, as its first lines say.
struct Plan {
    ranks: Vec<usize>,
    runs: Vec<Run>,
    /// Nothing watches it.
    unchecked: bool,
}

fn plan(source: &str) -> Result<Plan, String> {
    let mut unchecked = false;
    let mut ranks = RANKS.to_vec();
    let mut runs = vec![Run {
        arguments: Vec::new(),
        code: 0,
        says: String::new(),
    }];
    for line in source.lines().take(HEAD) {
        let said = line
            .strip_prefix("/* ")
            .and_then(|line| line.strip_suffix(" */"));
        let Some((word, value)) = said.and_then(|said| said.split_once(": ")) else {
            continue;
        };
        let wrong = || format!("'{line}' is not understood");
        match word {
            "ranks" => {
                let counts = value
                    .split_whitespace()
                    .map(|count| count.parse().map_err(|_| wrong()));
                ranks = counts.collect::<Result<_, _>>()?;
            }
            "expect" => runs.push(expected(value).ok_or_else(wrong)?),
            "longer" if is_longer() => runs[0].arguments = words(value),
            "longer" => {}
            "unchecked" => unchecked = true,
            // A sentence with a colon.
            _ if word.contains(|c: char| !c.is_ascii_lowercase()) => {}
            _ => return Err(wrong()),
        }
    }
    Ok(Plan {
        ranks,
        runs,
        unchecked,
    })
}

/// Reads `arguments => code: text`.
fn expected(value: &str) -> Option<Run> {
    let (arguments, outcome) = value.split_once("=>")?;
    let (code, says) = outcome.split_once(':')?;
    Some(Run {
        arguments: words(arguments),
        code: code.trim().parse().ok()?,
        says: says.trim().to_owned(),
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A program, compiled when it is first run, with a virtual machine of its own.
struct Program {
    source: PathBuf,
    checker: Checker,
    compiled: OnceLock<(Bench, PathBuf)>,
}

impl Program {
    fn run(&self, ranks: usize, run: &Run) -> Result<(), Failed> {
        let (bench, program) = self.compiled.get_or_init(|| self.compile());
        let ends_well = run.code == 0;
        let (program, before) = self.checker.command(program, &root(), ends_well);
        let arguments = before.iter().chain(&run.arguments);
        let arguments: Vec<&str> = arguments.map(String::as_str).collect();
        let mut output = bench.run(ranks, &program, &arguments);
        self.checker.leave_out(&mut output.stderr);
        match is_as_expected(&output, run) {
            true => Ok(()),
            false => Err(complaint(&output, run).into()),
        }
    }

    fn compile(&self) -> (Bench, PathBuf) {
        let bench = Bench::new();
        let program = bench.mpi_with(&self.source.to_string_lossy(), self.checker.flags());
        (bench, program)
    }
}

fn is_as_expected(output: &Output, run: &Run) -> bool {
    let said = text(&output.stderr);
    let says = match run.says.as_str() {
        "" => said.is_empty(),
        says => said.contains(says),
    };
    says && output.status.code() == Some(run.code)
}

fn complaint(output: &Output, run: &Run) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let Run { code, says, .. } = run;
    let says = match says.as_str() {
        "" => "nothing on stderr".to_owned(),
        says => format!("'{says}' on stderr"),
    };
    format!(
        "{}, expected code {code} and {says}\nstdout:\n{out}stderr:\n{err}",
        output.status
    )
}
