//! Sorts the lines of files by their bytes: `pvm run -n 4 sort FILE...`
//!
//! A *sample sort*: every task reads and sorts its part of the input and offers a few of its lines
//! as a sample. From all samples the tasks agree on the borders between them, send every line to
//! the task between whose borders it falls, and sort what they got. The output, in rank order, is
//! what `LC_ALL=C sort FILE...` writes.

use anyhow::{Context, Result};
use clap::Parser;
use pvm::{Communicator, Vm};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

const SORTED: pvm::Tag = 1;
/// Lines that each task offers for the choice of the borders.
const SAMPLES: usize = 64;

/// Sorts the lines of files by their bytes, as `LC_ALL=C sort` does.
#[derive(Parser)]
struct Args {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

type Lines = Vec<Vec<u8>>;

fn main() -> Result<()> {
    let args = Args::parse();
    let vm = Vm::attach()?;
    let world = vm.world();

    let mut lines = my_lines(&args.files, &world)?;
    lines.sort_unstable();
    let borders = choose_borders(&lines, &world)?;
    let parcels = sort_into_parcels(&lines, &borders, world.size());
    drop(lines);

    let mut mine: Lines = world
        .alltoallv(&parcels)?
        .iter()
        .flat_map(|text| split(text))
        .collect();
    mine.sort_unstable();
    write_in_rank_order(&join(&mine), &world)
}

/// Reads the lines that begin in this task's part of every file.
fn my_lines(files: &[PathBuf], world: &Communicator) -> Result<Lines> {
    let mut lines = Lines::new();
    for file in files {
        let named = || format!("cannot read {}", file.display());
        let mut reader = BufReader::new(File::open(file).with_context(named)?);
        let len = reader.get_ref().metadata().with_context(named)?.len();
        let border = |rank: usize| (u128::from(len) * rank as u128 / world.size() as u128) as u64;
        let part = border(world.rank())..border(world.rank() + 1);
        read_part(&mut reader, part, &mut lines).with_context(named)?;
    }
    Ok(lines)
}

/// Reads the lines that begin in `part`, without their newlines.
fn read_part(
    reader: &mut (impl BufRead + Seek),
    part: Range<u64>,
    lines: &mut Lines,
) -> io::Result<()> {
    let mut at = part.start;
    if at > 0 {
        // A line begins at `at` if the byte before is a newline: read from there to the next one.
        reader.seek(SeekFrom::Start(at - 1))?;
        at += reader.skip_until(b'\n')? as u64 - 1;
    }
    while at < part.end {
        let mut line = Vec::new();
        at += reader.read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            break;
        }
        line.pop_if(|last| *last == b'\n');
        lines.push(line);
    }
    Ok(())
}

/// Agrees with all tasks on the lines that divide their outputs, one less than there are tasks.
fn choose_borders(lines: &[Vec<u8>], world: &Communicator) -> Result<Lines> {
    let sample: Lines = (0..SAMPLES.min(lines.len()))
        .map(|i| lines[i * lines.len() / SAMPLES.min(lines.len())].clone())
        .collect();
    let mut samples: Lines = world.allgather_value(&sample)?.concat();
    samples.sort_unstable();
    let border = |rank: usize| samples.get(rank * samples.len() / world.size()).cloned();
    Ok((1..world.size()).filter_map(border).collect())
}

/// Cuts sorted lines at the borders: one text for each task.
fn sort_into_parcels(lines: &[Vec<u8>], borders: &[Vec<u8>], size: usize) -> Vec<Vec<u8>> {
    let mut parcels = Vec::new();
    let mut rest = lines;
    for border in borders {
        let (lower, upper) = rest.split_at(rest.partition_point(|line| line < border));
        parcels.push(join(lower));
        rest = upper;
    }
    parcels.push(join(rest));
    parcels.resize(size, Vec::new()); // without any lines there are no borders
    parcels
}

/// Rank 0 writes its lines and then those of the others, rank by rank.
fn write_in_rank_order(text: &[u8], world: &Communicator) -> Result<()> {
    if world.rank() > 0 {
        return Ok(world.send(0, SORTED, text)?);
    }
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    for rank in 1..world.size() {
        let (text, _) = world.recv::<u8>(rank, SORTED)?;
        out.write_all(&text)?;
    }
    Ok(out.flush()?)
}

fn join(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text
}

fn split(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|line| line[..line.len() - 1].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parcels_divide_at_the_borders() {
        let lines: Lines = [&b"a"[..], b"b", b"b", b"c"].map(<[u8]>::to_vec).into();
        let borders: Lines = [&b"b"[..], b"c"].map(<[u8]>::to_vec).into();
        let parcels = sort_into_parcels(&lines, &borders, 3);
        assert_eq!(parcels, [&b"a\n"[..], b"b\nb\n", b"c\n"]);
        assert!(split(&join(&lines)).eq(lines));
    }

    proptest! {
        /// However a file is cut into parts, every line is read exactly once.
        #[test]
        fn parts_hold_every_line_once(text in "[ab\n]{0,40}", size in 1u64..6) {
            let mut lines = Lines::new();
            let len = text.len() as u64;
            for rank in 0..size {
                let mut reader = io::Cursor::new(text.as_bytes());
                let part = len * rank / size..len * (rank + 1) / size;
                read_part(&mut reader, part, &mut lines).unwrap();
            }
            let expected: Lines = text.lines().map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
