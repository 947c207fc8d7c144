//! Counts words of files and folders in parallel: `pvm run -n 4 wordcount /usr/share/doc`
//!
//! Rank 0 cuts the input into portions and hands them out; whoever is done with one gets the next,
//! so a slow task or a large file holds nobody up. Rank 0 counts too while it waits. At the end the
//! tables of all tasks are added up.
//!
//! A word is a run of ASCII letters, as long as possible, in lower case, as
//! `tr -cs A-Za-z '\n' | tr A-Z a-z` finds them.

mod bar;
mod input;
mod words;

use anyhow::Result;
use bar::Bar;
use clap::Parser;
use input::Portion;
use pvm::{ANY, Communicator, Rank, Vm};
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use words::Table;

/// From rank 0: a portion, or an empty one when there is no more.
const WORK: pvm::Tag = 1;
/// To rank 0: what became of a portion.
const REPORT: pvm::Tag = 2;
/// Portions that a task has at a time: one that it counts and one to go on with.
const AHEAD: usize = 2;

/// Counts the words of files and folders with all tasks of the job.
#[derive(Parser)]
struct Args {
    /// Show this many of the most frequent words.
    #[arg(long, default_value_t = 10, value_name = "N")]
    top: usize,
    /// Bytes of a portion of work.
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    portion: u64,
    /// Show no progress bar, not even on a terminal.
    #[arg(long)]
    quiet: bool,
    /// Files, and folders to be searched for files.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What became of a portion.
#[derive(Serialize, Deserialize)]
struct Report {
    /// Its size, for the progress bar.
    bytes: u64,
    /// Files that could not be read, and why.
    errors: Vec<(OsString, String)>,
}

/// All that one task found.
#[derive(Default, Serialize, Deserialize)]
struct Findings {
    table: Table,
}

fn main() -> Result<ExitCode> {
    let args = parse_args();
    let vm = Vm::attach()?;
    let world = vm.world();

    let mut findings = Findings::default();
    let mut failed = 0;
    let mut files = 0;
    if world.rank() == 0 {
        let found = input::find(&args.paths, args.portion);
        files = found.files;
        failed = found.errors.len();
        found
            .errors
            .iter()
            .for_each(|line| eprintln!("wordcount: {line}"));
        let bar = Bar::new(found.bytes, args.quiet);
        let unreadable = hand_out(found.portions, &world, &mut findings, &bar)?;
        failed += unreadable;
        files -= unreadable;
    } else {
        work(&world, &mut findings)?;
    }

    if let Some(all) = world.gather_value(0, &findings)? {
        print_result(all, args.top, files);
    }
    Ok(if failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Every task has the same command line: only rank 0 complains about it. The others leave in peace:
/// if one of them failed first, rank 0 might be stopped before it has said a word.
fn parse_args() -> Args {
    Args::try_parse().unwrap_or_else(|error| {
        let rank = std::env::var(pvm::settings::RANK).unwrap_or_default();
        if rank.is_empty() || rank == "0" {
            error.exit();
        }
        std::process::exit(0);
    })
}

/// Rank 0: keeps everybody supplied, and counts itself in between. Returns the number of files
/// that could not be read.
fn hand_out(
    portions: Vec<Portion>,
    world: &Communicator,
    findings: &mut Findings,
    bar: &Bar,
) -> Result<usize> {
    let mut waiting = VecDeque::from(portions);
    let mut under_way = vec![0; world.size()];
    let mut unreadable = HashSet::new();
    let mut take_in = |report: Report| {
        bar.advance(report.bytes);
        for (path, why) in report.errors {
            let line = format!("cannot read {}: {why}", path.display());
            // One line for each file, however many pieces it was cut into.
            if unreadable.insert(path) {
                bar.say(&line);
            }
        }
    };

    for _ in 0..AHEAD {
        for rank in 1..world.size() {
            give(rank, &mut waiting, &mut under_way, world)?;
        }
    }
    loop {
        while world.probe(ANY, REPORT)?.is_some() {
            let rank = receive_report(world, &mut under_way, &mut take_in)?;
            give(rank, &mut waiting, &mut under_way, world)?;
        }
        if let Some(portion) = waiting.pop_front() {
            take_in(count(&portion, findings));
        } else if under_way.iter().any(|&count| count > 0) {
            receive_report(world, &mut under_way, &mut take_in)?;
        } else {
            break;
        }
    }
    for rank in 1..world.size() {
        world.send_value(rank, WORK, &Portion::default())?;
    }
    bar.finish();
    Ok(unreadable.len())
}

/// Sends the next portion, if there is one.
fn give(
    rank: Rank,
    waiting: &mut VecDeque<Portion>,
    under_way: &mut [usize],
    world: &Communicator,
) -> Result<()> {
    if let Some(portion) = waiting.pop_front() {
        under_way[rank] += 1;
        world.send_value(rank, WORK, &portion)?;
    }
    Ok(())
}

fn receive_report(
    world: &Communicator,
    under_way: &mut [usize],
    take_in: &mut impl FnMut(Report),
) -> Result<Rank> {
    let (report, status) = world.recv_value::<Report>(ANY, REPORT)?;
    under_way[status.source] -= 1;
    take_in(report);
    Ok(status.source)
}

/// Every other rank: counts what it is given until there is no more.
fn work(world: &Communicator, findings: &mut Findings) -> Result<()> {
    loop {
        let (portion, _) = world.recv_value::<Portion>(0, WORK)?;
        if portion.pieces.is_empty() {
            return Ok(());
        }
        world.send_value(0, REPORT, &count(&portion, findings))?;
    }
}

fn count(portion: &Portion, findings: &mut Findings) -> Report {
    let mut errors = Vec::new();
    for piece in &portion.pieces {
        if let Err(error) = words::count_piece(piece, &mut findings.table) {
            errors.push((piece.path.clone(), error.to_string()));
        }
    }
    Report {
        bytes: portion.bytes(),
        errors,
    }
}

fn print_result(all: Vec<Findings>, top: usize, files: usize) {
    let mut total = Table::default();
    for findings in all {
        words::merge(&mut total, findings.table);
    }
    for (count, word) in words::most_frequent(&total, top) {
        println!("{count} {word}");
    }
    let words: u64 = total.values().sum();
    println!("{words} words, {} distinct, {files} files", total.len());
}
