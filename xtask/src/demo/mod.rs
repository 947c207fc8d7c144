//! The main job: `pvm run -n 4 wordcount` over text that every machine has, and the same totals
//! from cat, tr, sort, uniq and wc beside it.

mod corpus;
mod reference;
mod totals;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell::{self, Profile};
use crate::vm::PrivateVm;
use corpus::Corpus;
use totals::Totals;

/// Most text that is counted; sort needs some seconds for that much.
const TEXT_MAX_MB: u64 = 40;

/// How the demonstration is run.
#[derive(Args)]
pub struct Options {
    /// Number of tasks
    #[arg(short, long, default_value_t = 4)]
    n: u32,
    /// How the programs are compiled
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
    /// Megabytes of text at most
    #[arg(long, default_value_t = TEXT_MAX_MB)]
    megabytes: u64,
    /// The programs are built already
    #[arg(long)]
    no_build: bool,
}

impl Options {
    /// A quick run of what is already built, for the tests.
    pub fn quick(profile: Profile) -> Self {
        Self {
            n: 4,
            profile,
            megabytes: 4,
            no_build: true,
        }
    }
}

/// Builds, counts twice, compares.
pub fn run(options: &Options) -> Result<()> {
    if !options.no_build {
        shell::build(options.profile)?;
    }
    let corpus = Corpus::collect(options.megabytes << 20);
    if corpus.files().is_empty() {
        bail!("found no text to count: neither licence texts nor documentation is installed");
    }
    println!("{corpus}");

    let (ours, our_time) = timed(|| count_with_pvm(options, &corpus))?;
    let (theirs, their_time) = timed(|| reference::count(&corpus))?;
    println!("\n{}", totals::side_by_side(&ours, &theirs));
    println!(
        "time: {:.2} s with pvm, {:.2} s with the pipe",
        our_time.as_secs_f64(),
        their_time.as_secs_f64()
    );
    if ours != theirs {
        bail!("the totals differ");
    }
    println!("the totals are equal");
    Ok(())
}

fn count_with_pvm(options: &Options, corpus: &Corpus) -> Result<Totals> {
    let vm = PrivateVm::new(&options.profile.directory())?;
    println!(
        "\n$ pvm run -n {} wordcount <the {} files>",
        options.n,
        corpus.files().len()
    );
    let mut run = vm.pvm();
    run.args(["run", "-n", &options.n.to_string()]);
    run.arg(options.profile.directory().join("wordcount"))
        .args(corpus.files());
    // Its stderr stays ours: a terminal shows the progress bar and what went wrong.
    let output = run
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run pvm")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    if !output.status.success() {
        bail!("`pvm run` failed: {}", output.status);
    }
    let totals = Totals::from_wordcount(&text)?;
    vm.halt()?;
    Ok(totals)
}

fn timed<T>(job: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((job()?, start.elapsed()))
}
