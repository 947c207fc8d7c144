//! The micro-benchmark: what this machine can do, and what we make of it, side by side.
//!
//! Run by `cargo xtask bench micro`. Absolute times depend on the machine and on what else runs on
//! it; the ratios to the raw limits, measured in the same seconds, are what to look at.

#[path = "micro/line.rs"]
mod line;

use anyhow::{Context as _, bail, ensure};
use pvm::datatype::copy_past;
use pvm::sync::atomic::{AtomicU64, Ordering};
use pvm::testing::LocalVm;
use pvm::transport::shm::hand_over::{Giver, Taker, copy_plainly, hand_over};
use pvm::{Communicator, Options, Threads, Vm};
use pvm_tests::figures::{self, ROUNDS, best, heading, median, most, pin, processors, row};
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const TAG: i32 = 1;
/// Bytes that one processor hands to another at once.
const CHUNK: usize = 32 << 10;
/// Longest that handing bytes over may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = figures::arguments();
    let done = match arguments.next().as_deref() {
        None => drive(),
        Some("--bare") => {
            thread::sleep(Duration::from_secs(10));
            Ok(())
        }
        Some("--task") => task(&arguments.next().unwrap_or_default()),
        Some(other) => Err(anyhow::anyhow!(
            "unknown argument '{other}'; this takes none"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench micro: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a private virtual machine and runs every part on it.
fn drive() -> anyhow::Result<()> {
    let vm = LocalVm::start().context("cannot start a private virtual machine")?;
    let me = std::env::current_exe()?.to_string_lossy().into_owned();
    heading("", "limit");
    for (tasks, part) in [
        (2, "latency"),
        (2, "bandwidth"),
        (2, "rate"),
        (2, "barrier"),
        (8, "barrier"),
    ] {
        let output = vm.run(tasks, &me, ["--task", part])?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        if !output.status.success() {
            bail!(
                "part '{part}' failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    start_up(&vm)?;
    memory(&vm, &me)
}

/// One rank of one part.
fn task(part: &str) -> anyhow::Result<()> {
    let vm = Vm::attach_with(Options::new().threads(Threads::Single))?;
    let world = vm.world();
    match part {
        "latency" => latency(&world),
        "bandwidth" => [64 << 10, 1 << 20, 16 << 20]
            .iter()
            .try_for_each(|&n| bandwidth(&world, n)),
        "rate" => rate(&world),
        "barrier" => barrier(&world),
        "idle" => idle(&vm, &world),
        other => bail!("no part '{other}'"),
    }
}

/// A word alone on its cache lines.
#[repr(align(256))]
struct Line(AtomicU64);

/// One-way time of a cache line between two processors, in nanoseconds.
fn raw_ping_pong(trips: u64) -> anyhow::Result<f64> {
    let (ping, pong) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    let echo = || {
        for trip in 1..=trips {
            while ping.0.load(Ordering::Acquire) != trip {
                std::hint::spin_loop();
            }
            pong.0.store(trip, Ordering::Release);
        }
        Ok(())
    };
    let play = || {
        for trip in 1..=trips {
            ping.0.store(trip, Ordering::Release);
            while pong.0.load(Ordering::Acquire) != trip {
                std::hint::spin_loop();
            }
        }
        Ok(())
    };
    ping_pong(trips, echo, play)
}

/// One-way time of a line of the library's ring, with nothing above it, in nanoseconds.
fn line_ping_pong(trips: u64) -> anyhow::Result<f64> {
    let (mut here, mut there) = line::Side::pair();
    let echo = || {
        for _ in 0..trips {
            let word = there.receive()?;
            there.send(word)?;
        }
        Ok(())
    };
    let play = || {
        for trip in 1..=trips {
            here.send(trip)?;
            ensure!(here.receive()? == trip, "another word came back");
        }
        Ok(())
    };
    ping_pong(trips, echo, play)
}

/// One-way time of what `play` and `echo`, each on its own processor, send to and fro.
fn ping_pong(
    trips: u64,
    echo: impl FnOnce() -> anyhow::Result<()> + Send,
    play: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let (ready, is_ready) = mpsc::channel();
    pin(0)?;
    thread::scope(|scope| {
        let echo = scope.spawn(move || {
            // Whoever spins before both are bound may wait for one that has given up.
            let bound = pin(1);
            let is_bound = bound.is_ok();
            if ready.send(bound).is_err() || !is_bound {
                return Ok(());
            }
            echo()
        });
        is_ready.recv()??;
        let start = Instant::now();
        let played = play();
        let elapsed = start.elapsed();
        played?;
        let ended = echo.join();
        ended.map_err(|_| anyhow::anyhow!("the echo thread panicked"))??;
        Ok(elapsed.as_nanos() as f64 / trips as f64 / 2.0)
    })
}

fn latency(world: &Communicator) -> anyhow::Result<()> {
    const TRIPS: u32 = 20_000;
    let (mut ours, mut raw, mut line) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        if world.rank() == 0 {
            raw.push(raw_ping_pong(TRIPS.into())?);
            line.push(line_ping_pong(TRIPS.into())?);
        }
        pin(world.rank())?;
        world.barrier()?;
        ours.push(figures::one_way(world, TAG, TRIPS)?);
    }
    if world.rank() == 0 {
        row("8 B one way, best", best(&ours), best(&raw), "ns");
        row("8 B one way, median", median(&ours), median(&raw), "ns");
        row("8 B line alone, best", best(&line), best(&raw), "ns");
        row("8 B line alone, median", median(&line), median(&raw), "ns");
    }
    Ok(())
}

fn bandwidth(world: &Communicator, size: usize) -> anyhow::Result<()> {
    let messages = ((256 << 20) / size).clamp(8, 2000);
    pin(world.rank())?;
    let mut buffer = vec![1u8; size];
    let (mut ours, mut copy, mut handed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        world.barrier()?;
        let start = Instant::now();
        for _ in 0..messages {
            if world.rank() == 0 {
                world.send(1, TAG, &buffer)?;
            } else {
                world.recv_into(0, TAG, &mut buffer)?;
            }
        }
        world.barrier()?;
        ours.push((messages * size) as f64 / start.elapsed().as_secs_f64() / 1e9);
        if world.rank() == 0 {
            copy.push(memcpy(&buffer, messages));
            handed.push(handed_over(&buffer, messages)?);
        }
        world.barrier()?;
    }
    if world.rank() == 0 {
        let name = |limit: &str| format!("{} KiB messages, {limit}", size >> 10);
        row(&name("memcpy"), most(&ours), most(&copy), "GB/s");
        row(&name("hand-over"), most(&ours), most(&handed), "GB/s");
    }
    Ok(())
}

/// Copy speed of one processor for this size, in GB/s.
fn memcpy(from: &[u8], times: usize) -> f64 {
    let mut to = vec![0u8; from.len()];
    let start = Instant::now();
    for _ in 0..times {
        to.copy_from_slice(black_box(from));
        black_box(&mut to);
    }
    (times * from.len()) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Speed at which one processor copies this into chunks and another one out of them, in GB/s: what
/// memory that both see can do, in the better way of writing it. Processors whose caches are far apart
/// reach a small part of [`memcpy`].
fn handed_over(from: &[u8], times: usize) -> anyhow::Result<f64> {
    let plain = handed_over_by(copy_plainly, from, times)?;
    let streamed = handed_over_by(copy_past, from, times)?;
    Ok(plain.max(streamed))
}

fn handed_over_by(copy: fn(&[u8], &mut [u8]), from: &[u8], times: usize) -> anyhow::Result<f64> {
    let start = Instant::now();
    let give = |giver: Giver| (0..times).try_for_each(|_| giver.give(from, copy));
    let take = |taker: Taker| {
        let mut to = vec![0u8; from.len()];
        for _ in 0..times {
            taker.take(from.len(), |at, part| {
                to[at..][..part.len()].copy_from_slice(part);
            })?;
        }
        black_box(&to);
        Some(())
    };
    let until = start + PATIENCE;
    let done = hand_over(processors(), CHUNK, until, give, take);
    done.with_context(|| format!("bytes were not handed over within {PATIENCE:?}"))?;
    Ok((times * from.len()) as f64 / start.elapsed().as_secs_f64() / 1e9)
}

fn rate(world: &Communicator) -> anyhow::Result<()> {
    const MESSAGES: usize = 200_000;
    pin(world.rank())?;
    let mut word = [0u64];
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        world.barrier()?;
        let start = Instant::now();
        for _ in 0..MESSAGES {
            if world.rank() == 0 {
                world.send(1, TAG, &word)?;
            } else {
                world.recv_into(0, TAG, &mut word)?;
            }
        }
        world.barrier()?;
        rates.push(MESSAGES as f64 / start.elapsed().as_secs_f64() / 1e6);
    }
    if world.rank() == 0 {
        row("8 B messages, best", most(&rates), f64::NAN, "M/s");
    }
    Ok(())
}

fn barrier(world: &Communicator) -> anyhow::Result<()> {
    const TIMES: u32 = 2_000;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        world.barrier()?;
        let start = Instant::now();
        for _ in 0..TIMES {
            world.barrier()?;
        }
        times.push(start.elapsed().as_nanos() as f64 / 1e3 / f64::from(TIMES));
    }
    if world.rank() == 0 {
        row(
            &format!("barrier of {}, best", world.size()),
            best(&times),
            f64::NAN,
            "us",
        );
        row(
            &format!("barrier of {}, median", world.size()),
            median(&times),
            f64::NAN,
            "us",
        );
    }
    Ok(())
}

/// Waits in a receive until rank 0 has measured the memory of all.
fn idle(vm: &Vm, world: &Communicator) -> anyhow::Result<()> {
    let mut word = [0u64];
    if world.rank() > 0 {
        world.recv_into(0, TAG, &mut word)?;
        return Ok(());
    }
    // The first message of a pair opens its channel: an idle task has none.
    thread::sleep(Duration::from_millis(300));
    let mut own = Vec::new();
    for task in vm.tasks()? {
        if task.task != vm.task_id() {
            own.push(private_kib(&format!("/proc/{}/smaps_rollup", task.pid))?);
        }
    }
    let bare = bare_kib()?;
    row("private memory of an idle task", median(&own), bare, "KiB");
    for rank in 1..world.size() {
        world.send(rank, TAG, &word)?;
    }
    Ok(())
}

/// Private memory of the same program that never attaches, asleep.
fn bare_kib() -> anyhow::Result<f64> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--bare")
        .spawn()?;
    thread::sleep(Duration::from_millis(100));
    let kib = private_kib(&format!("/proc/{}/smaps_rollup", child.id()));
    child.kill()?;
    child.wait()?;
    kib
}

/// Private memory of a process from its `smaps_rollup`.
fn private_kib(path: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(path)?;
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(kib.sum())
}

fn memory(vm: &LocalVm, me: &str) -> anyhow::Result<()> {
    let output = vm.run(8, me, ["--task", "idle"])?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// Starting 64 tasks, against starting 64 processes one after another from a shell-like parent.
fn start_up(vm: &LocalVm) -> anyhow::Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        vm.run(64, "true", [] as [&str; 0])?;
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let children: Vec<_> = (0..64)
            .map(|_| Command::new("true").spawn())
            .collect::<Result<_, _>>()?;
        for mut child in children {
            child.wait()?;
        }
        bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    row("run -n 64 true, best", best(&ours), best(&bare), "ms");
    Ok(())
}
