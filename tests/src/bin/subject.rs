//! A task that the tests look at: it does what its first argument says.

use anyhow::{Context, Result, bail, ensure};
use pvm::{ANY, Communicator, Error, Vm};
use std::path::Path;

/// Tag of all messages here.
const TAG: pvm::Tag = 1;
/// Elements of the sums: each goes its own way through shared memory.
const LENGTHS: [usize; 4] = [1, 64, 4_000, 200_000];
/// Elements for one task in an exchange: small enough for one packet, and too large for it.
const BLOCKS: [usize; 2] = [1, 20_000];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let vm = Vm::attach()?;
    let world = vm.world();
    match words[..] {
        ["leave"] => Ok(world.barrier()?),
        ["talk"] => talk(&world),
        ["exchange"] => exchange(&world),
        ["receive", marks] => receive(&world, Path::new(marks)),
        ["reduce", marks] => reduce(&world, Path::new(marks)),
        ["outlive", marks] => outlive(&world, Path::new(marks)),
        _ => bail!("what is {words:?}?"),
    }
}

/// A barrier, a sum, and a token that goes round.
fn talk(world: &Communicator) -> Result<()> {
    world.barrier()?;
    let (rank, size) = (world.rank(), world.size());
    let sum = world.allreduce(&[rank as u64], pvm::Sum)?[0];
    ensure!(sum == (size * (size - 1) / 2) as u64, "the sum is {sum}");
    let next = (rank + 1) % size;
    let mut token = [1u64];
    if rank > 0 {
        world.recv_into(rank - 1, TAG, &mut token)?;
        token[0] += 1;
    }
    world.send(next, TAG, &token)?;
    if rank == 0 {
        world.recv_into(size - 1, TAG, &mut token)?;
        println!("sum {sum}, token {}", token[0]);
    }
    Ok(())
}

/// Everybody has something for everybody.
fn exchange(world: &Communicator) -> Result<()> {
    let (rank, size) = (world.rank(), world.size());
    for block in BLOCKS {
        let value = |from: usize, to: usize| (from * size + to) as u32;
        let out: Vec<u32> = (0..size)
            .flat_map(|to| vec![value(rank, to); block])
            .collect();
        let back = world.alltoall(&out)?;
        let expected: Vec<u32> = (0..size)
            .flat_map(|from| vec![value(from, rank); block])
            .collect();
        ensure!(back == expected, "rank {rank} got wrong blocks of {block}");
    }
    if rank == 0 {
        println!("exchanged");
    }
    Ok(())
}

/// Says that it has come as far as this, once all have.
fn mark(world: &Communicator, marks: &Path) -> Result<()> {
    world.barrier()?;
    let mark = marks.join(world.rank().to_string());
    std::fs::write(&mark, "").with_context(|| mark.display().to_string())
}

/// Waits for a message that nobody sends.
fn receive(world: &Communicator, marks: &Path) -> Result<()> {
    mark(world, marks)?;
    world.recv::<u8>(ANY, TAG)?;
    Ok(())
}

/// One collective after the other, for ever.
fn reduce(world: &Communicator, marks: &Path) -> Result<()> {
    mark(world, marks)?;
    loop {
        for len in LENGTHS {
            world.allreduce(&vec![world.rank() as u64; len], pvm::Sum)?;
        }
    }
}

/// The same until one has ended; goes well then.
fn outlive(world: &Communicator, marks: &Path) -> Result<()> {
    let error = reduce(world, marks).err().context("for ever has ended")?;
    match error.downcast_ref::<Error>() {
        Some(Error::PeerGone(_)) => println!("outlived"),
        _ => return Err(error),
    }
    Ok(())
}
