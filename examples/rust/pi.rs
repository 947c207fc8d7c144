//! Computes pi with all tasks of the job: `pvm run -n 4 pi`
//!
//! Pi is the area under 4 / (1 + x*x) between 0 and 1. The area is cut into thin strips; every
//! task adds up its share of them and one reduction adds up the shares.

use anyhow::Result;
use pvm::{Sum, Vm};

const STRIPS: u64 = 10_000_000;

fn main() -> Result<()> {
    let vm = Vm::attach()?;
    let world = vm.world();

    let width = 1.0 / STRIPS as f64;
    let mine = (world.rank() as u64..STRIPS).step_by(world.size());
    let share: f64 = mine
        .map(|strip| {
            let x = (strip as f64 + 0.5) * width;
            4.0 / (1.0 + x * x) * width
        })
        .sum();

    // Only the root, rank 0, gets the result.
    if let Some(total) = world.reduce(0, &[share], Sum)? {
        println!("pi is about {:.10}, from {STRIPS} strips", total[0]);
    }
    Ok(())
}
