//! Measuring, when a daemon starts, how this host moves bytes best. Takes a few milliseconds.
//!
//! What a message costs is decided between two processors: the one whose cache holds what was just
//! written, and the one that wants it. Machines differ by an order of magnitude there (virtual
//! processors may be sockets apart, and be moved), and nothing that one processor does alone tells.
//! So a writer on one and a reader on another do what a sender and a receiver would.

use super::cma::Reach;
use super::hand_over::{Giver, Taker, await_next, far_processors, hand_over};
use super::host::HostFacts;
use crate::datatype::Sink;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Sizes from which pulling may pay, the largest first.
const SIZES: [usize; 4] = [1 << 20, 256 << 10, 64 << 10, 32 << 10];
/// Tries per size; the best counts, for others run on this machine too.
const TRIES: usize = 3;
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
    let until = Instant::now() + BUDGET;
    let (ask, asked) = channel();
    let (tell, told) = channel();
    let write = |giver| Writer { asked, tell, giver }.work(until);
    let read = |taker| {
        let room = Sink::from_vec(vec![1u8; SIZES[0]]);
        let mut reader = Reader {
            ask,
            told,
            taker,
            reach,
            room,
        };
        reader.least(until)
    };
    hand_over(far_processors(), facts.chunk, until, write, read)
}

/// How bytes are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The writer copies them into chunks, the reader out of them.
    Copied,
    /// The reader reads the writer's memory.
    Pulled,
}

/// The side that has the bytes.
struct Writer {
    asked: Receiver<(Way, usize)>,
    /// Since when they are written, and where.
    tell: Sender<(Instant, u64)>,
    giver: Giver,
}

impl Writer {
    /// Until the reader has gone, or time is up.
    fn work(self, until: Instant) -> Option<()> {
        let mut bytes = vec![0u8; SIZES[0]];
        loop {
            let (way, size) = await_next(&self.asked, until)?;
            let bytes = &mut bytes[..size];
            bytes.fill(bytes[0].wrapping_add(1));
            let at = black_box(&*bytes).as_ptr() as u64;
            self.tell.send((Instant::now(), at)).ok()?;
            if way == Way::Copied {
                self.giver.give(bytes)?;
            }
        }
    }
}

/// The side that wants the bytes.
struct Reader {
    ask: Sender<(Way, usize)>,
    told: Receiver<(Instant, u64)>,
    taker: Taker,
    reach: Reach,
    room: Sink,
}

impl Reader {
    /// The smallest size that pays, with all larger ones.
    fn least(&mut self, until: Instant) -> Option<usize> {
        let pays = |&size: &usize| {
            let copied = self.best(Way::Copied, size, until);
            let pulled = self.best(Way::Pulled, size, until);
            copied
                .zip(pulled)
                .is_some_and(|(copied, pulled)| pulled < copied)
        };
        SIZES.into_iter().take_while(pays).last()
    }

    fn best(&mut self, way: Way, size: usize, until: Instant) -> Option<Duration> {
        let tries: Option<Vec<_>> = (0..TRIES).map(|_| self.once(way, size, until)).collect();
        tries?.into_iter().min()
    }

    /// How long it takes from the moment when the bytes are there to be sent; `None` when time is up
    /// or memory cannot be read.
    fn once(&mut self, way: Way, size: usize, until: Instant) -> Option<Duration> {
        self.ask.send((way, size)).ok()?;
        let (start, at) = await_next(&self.told, until)?;
        let (reach, room) = (&self.reach, &mut self.room);
        match way {
            Way::Pulled => reach.pull(at, size, room, 0).ok()?,
            Way::Copied => {
                let copy = |offset, part: &[u8]| room.write(offset, black_box(part));
                self.taker.take(size, copy)?;
            }
        }
        Some(start.elapsed())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn facts_are_usable() {
        let facts = calibrate();
        assert!(facts.cpus >= 1 && facts.eager_max <= facts.chunk);
        assert!(facts.pull_min.is_none_or(|min| SIZES.contains(&min)));
    }

    #[test]
    fn the_caller_keeps_its_processors() {
        let before = sched_getaffinity(None).unwrap();
        calibrate();
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
