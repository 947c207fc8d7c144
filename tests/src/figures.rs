//! What the benchmarks have in common: rounds, processors, and rows of a table.

use anyhow::Context as _;
use pvm::Communicator;
use pvm::ids::Tag;
use pvm::transport::shm::hand_over::{bind, far_processors};
use std::sync::OnceLock;
use std::time::Instant;

/// Rounds of every measurement; the best and the median are shown.
pub const ROUNDS: usize = 9;

/// What was typed, without what cargo adds for every benchmark.
pub fn arguments() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|word| word != "--bench")
}

/// The first and the last of the processors that this process could use when this was first asked: two
/// neighbours may be halves of one core.
pub fn processors() -> [Option<usize>; 2] {
    static FAR: OnceLock<[Option<usize>; 2]> = OnceLock::new();
    *FAR.get_or_init(far_processors)
}

/// Binds the calling thread to one of [`processors`]: rank 0 has the first, all others the last.
pub fn pin(rank: usize) -> anyhow::Result<()> {
    let processor = processors()[rank.min(1)].context("no processors")?;
    bind(processor).with_context(|| format!("processor {processor}"))
}

/// How long a message of 8 bytes takes from rank 0 to rank 1, or back, in nanoseconds: the mean of so
/// many round trips of the two.
pub fn one_way(world: &Communicator, tag: Tag, trips: u32) -> anyhow::Result<f64> {
    let mut word = [0u64];
    let start = Instant::now();
    for _ in 0..trips {
        if world.rank() == 0 {
            world.send(1, tag, &word)?;
            world.recv_into(1, tag, &mut word)?;
        } else {
            world.recv_into(0, tag, &mut word)?;
            world.send(0, tag, &word)?;
        }
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(trips) / 2.0)
}

/// The heading of rows whose last columns are `limit` and the ratio to it.
pub fn heading(title: &str, limit: &str) {
    println!("{title:<34} {:>12} {limit:>12} {:>9}", "ours", "ratio");
}

/// One measurement; a `limit` that is not a number is none.
pub fn row(name: &str, ours: f64, limit: f64, unit: &str) {
    let ours_text = format!("{ours:.2} {unit}");
    if limit.is_nan() {
        println!("{name:<34} {ours_text:>12}");
    } else {
        let limit_text = format!("{limit:.2} {unit}");
        println!(
            "{name:<34} {ours_text:>12} {limit_text:>12} {:>9.2}",
            ours / limit
        );
    }
}

/// The shortest time.
pub fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The highest rate.
pub fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
