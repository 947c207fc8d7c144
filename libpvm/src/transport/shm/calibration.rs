//! Measuring, when a daemon starts, how this host moves bytes best. Takes a few milliseconds.

use super::cma::Reach;
use super::host::HostFacts;
use crate::datatype::Sink;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Sizes from which pulling may pay.
const SIZES: [usize; 4] = [32 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Tries per size; the best counts, for others run on this machine too.
const TRIES: usize = 3;
/// With two processors the two copies of a message overlap: the pair takes this part of the time
/// that one processor needs for both, in hundredths.
const OVERLAP: u32 = 60;
/// No more time than this is spent.
const BUDGET: Duration = Duration::from_millis(20);

/// Measures this host.
pub fn calibrate() -> HostFacts {
    let facts = HostFacts::default();
    HostFacts {
        pull_min: pull_min(&facts),
        ..facts
    }
}

/// The smallest size from which on pulling is faster than copying twice, for all sizes tried.
fn pull_min(facts: &HostFacts) -> Option<usize> {
    let reach = Reach::probe(std::process::id())?;
    let largest = SIZES[SIZES.len() - 1];
    let from = vec![1u8; largest];
    let mut sink = Sink::from_vec(vec![1u8; largest]);
    let mut bounce = vec![1u8; facts.chunk];
    let overlap = if facts.cpus > 1 { OVERLAP } else { 100 };
    let start = Instant::now();
    let mut least = None;
    for &size in SIZES.iter().rev() {
        let copied = best(|| copy_twice(&from[..size], &mut bounce, &mut sink));
        let mut pulled_all = true;
        let pulled = best(|| {
            let address = from.as_ptr() as u64;
            pulled_all &= reach.pull(address, size, &mut sink, 0).is_ok();
        });
        if !pulled_all || pulled >= copied * overlap / 100 || start.elapsed() > BUDGET {
            break;
        }
        least = Some(size);
    }
    least
}

fn copy_twice(from: &[u8], bounce: &mut [u8], to: &mut Sink) {
    let mut offset = 0;
    for part in from.chunks(bounce.len()) {
        let bounce = &mut bounce[..part.len()];
        bounce.copy_from_slice(black_box(part));
        to.write(offset, black_box(bounce));
        offset += part.len();
    }
}

fn best(mut run: impl FnMut()) -> Duration {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..TRIES).map(once).min().unwrap_or_default()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn facts_are_usable() {
        let facts = calibrate();
        assert!(facts.cpus >= 1 && facts.eager_max <= facts.chunk);
        assert!(facts.pull_min.is_none_or(|min| SIZES.contains(&min)));
    }
}
