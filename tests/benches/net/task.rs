//! One of the two tasks.

use super::raw::Raw;
use anyhow::{Context as _, ensure};
use pvm::{Communicator, Min, Options, Request, Threads, Vm};
use pvm_tests::figures::{self, best, median, most, pin, row};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub const TAG: i32 = 1;
/// Many short rounds: ours and raw ones are to find the same machine.
const ROUNDS: usize = 21;
const TRIPS: u32 = 2_000;
/// Sizes of messages, in bytes.
const SIZES: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];
/// Messages of ours that are under way at a time, as there is always something in the socket of raw TCP.
const UNDER_WAY: usize = 2;
/// Bytes of a round: about.
const VOLUME: usize = 64 << 20;
/// How long two tasks may take to connect directly.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures by a route; the first task is at an address.
pub fn run(mut words: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let route = words.next().context("no route")?;
    let address = words.next().context("no address")?;
    let vm = Vm::attach_with(Options::new().threads(Threads::Single))?;
    let world = vm.world();
    ensure!(world.size() == 2, "two tasks measure, not {}", world.size());
    pin(world.rank())?;
    if route == "direct" {
        connect(&vm, &world)?;
    }
    let mut raw = Raw::connect(&world, &address)?;
    latency(&world, &mut raw)?;
    for size in SIZES {
        bandwidth(&world, &mut raw, size)?;
    }
    ensure!(
        is_direct(&vm, &world)? == (route == "direct"),
        "another route than {route} was taken"
    );
    Ok(())
}

/// Talks until both have the direct connection.
fn connect(vm: &Vm, world: &Communicator) -> anyhow::Result<()> {
    let start = Instant::now();
    while world.allreduce(&[u8::from(is_direct(vm, world)?)], Min)? != [1] {
        ensure!(
            start.elapsed() < PATIENCE,
            "no direct connection within {PATIENCE:?}"
        );
    }
    Ok(())
}

fn is_direct(vm: &Vm, world: &Communicator) -> anyhow::Result<bool> {
    let other = world.tasks()[1 - world.rank()];
    Ok(vm.is_connected_directly(other)?)
}

fn latency(world: &Communicator, raw: &mut Raw) -> anyhow::Result<()> {
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        world.barrier()?;
        let start = Instant::now();
        raw.ping_pong(TRIPS)?;
        limit.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(TRIPS) / 2.0);
        world.barrier()?;
        ours.push(figures::one_way(world, TAG, TRIPS)? / 1e3);
    }
    if world.rank() == 0 {
        row("8 B one way, best", best(&ours), best(&limit), "us");
        row("8 B one way, median", median(&ours), median(&limit), "us");
    }
    Ok(())
}

fn bandwidth(world: &Communicator, raw: &mut Raw, size: usize) -> anyhow::Result<()> {
    let times = VOLUME / size;
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    let speed = |start: Instant| (times * size) as f64 / start.elapsed().as_secs_f64() / 1e9;
    let mut buffers = vec![vec![1u8; size]; UNDER_WAY];
    for _ in 0..ROUNDS {
        world.barrier()?;
        let start = Instant::now();
        raw.stream(&mut buffers, times)?;
        limit.push(speed(start));
        world.barrier()?;
        let start = Instant::now();
        stream(world, &mut buffers, times)?;
        world.barrier()?;
        ours.push(speed(start));
    }
    if world.rank() == 0 {
        let name = format!("{} KiB messages", size >> 10);
        row(&format!("{name}, best"), most(&ours), most(&limit), "GB/s");
        row(
            &format!("{name}, median"),
            median(&ours),
            median(&limit),
            "GB/s",
        );
    }
    Ok(())
}

/// Sends the buffers in turn, so many times in all, from the first task to the second.
fn stream(world: &Communicator, buffers: &mut Vec<Vec<u8>>, times: usize) -> anyhow::Result<()> {
    let mut under_way = VecDeque::new();
    for _ in 0..times {
        let buffer = match buffers.pop() {
            Some(buffer) => buffer,
            None => finish(&mut under_way)?,
        };
        under_way.push_back(match world.rank() {
            0 => world.isend(1, TAG, buffer)?,
            _ => world.irecv(0, TAG, buffer)?,
        });
    }
    while !under_way.is_empty() {
        buffers.push(finish(&mut under_way)?);
    }
    Ok(())
}

/// The buffer of the oldest message, when it is done.
fn finish(under_way: &mut VecDeque<Request<Vec<u8>>>) -> anyhow::Result<Vec<u8>> {
    let oldest = under_way.pop_front().context("nothing is under way")?;
    Ok(oldest.wait()?.0)
}
