//! A token goes round all tasks of the job: `pvm run -n 4 ring`
//!
//! Rank 0 sends it to rank 1, that one to rank 2, and so on until it is back; everybody adds one.

use anyhow::{Result, ensure};
use pvm::Vm;

const ROUNDS: u64 = 1000;
const TOKEN: pvm::Tag = 1;

fn main() -> Result<()> {
    let vm = Vm::attach()?;
    let world = vm.world();
    let (rank, size) = (world.rank(), world.size());
    let next = (rank + 1) % size;
    let previous = (rank + size - 1) % size;

    let mut token = [0u64];
    for _ in 0..ROUNDS {
        if rank == 0 {
            token[0] += 1;
            world.send(next, TOKEN, &token)?;
            world.recv_into(previous, TOKEN, &mut token)?;
        } else {
            world.recv_into(previous, TOKEN, &mut token)?;
            token[0] += 1;
            world.send(next, TOKEN, &token)?;
        }
    }

    if rank == 0 {
        ensure!(
            token[0] == ROUNDS * size as u64,
            "the token was miscounted: {}",
            token[0]
        );
        println!(
            "{ROUNDS} rounds through every task, each counted {} times",
            token[0] / size as u64
        );
    }
    Ok(())
}
