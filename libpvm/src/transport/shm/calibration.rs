//! Measuring, when a daemon starts, how this host moves bytes best. Takes a few milliseconds.
//!
//! What a message costs is decided between two processors: the one whose cache holds what was just
//! written, and the one that wants it. Machines differ by an order of magnitude there (virtual
//! processors may be sockets apart, and be moved), and nothing that one processor does alone tells.
//! So a writer on one and a reader on another do what a sender and a receiver would.

use super::cma::Reach;
use super::hand_over::{Giver, Taker, await_next, copy_plainly, far_processors, hand_over};
use super::host::HostFacts;
use crate::datatype::{Sink, copy_past};
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Sizes from which pulling may pay, the largest first.
const SIZES: [usize; 4] = [1 << 20, 256 << 10, 64 << 10, 32 << 10];
/// The same for messages that cross. What is smaller lies in the caches of who has just written it, and pulling it out
/// of there costs its writer more than what is saved: an exchange of 64 KiB that is written each time took 15.6 us in
/// place of 13.3, of 256 KiB 54 in place of 45, of 512 KiB 84 in place of 87, of 1 MiB 104 in place of 150.
const CROSSING: [usize; 2] = [1 << 20, 512 << 10];
/// Sizes of bodies from which writing past the caches may pay, the largest first.
const STREAMED: [usize; 3] = [16 << 10, 8 << 10, 4 << 10];
/// So many times as long as an ordinary copy may writing past the caches take. Virtual processors are moved:
/// now they share a cache, and a minute later none. To write past it then costs a little more than need be, not
/// to do so when they share none can take ten times as long.
const TOLERANCE: f32 = 2.0;
/// The same for pulling, against writing past the caches, of messages that cross: both processors have enough to do,
/// and there are half as many copies.
const CROSSING_TOLERANCE: f32 = 2.0;
/// Tries per size; the best counts, for others run on this machine too.
const TRIES: usize = 3;
/// No more time than this is spent; on an idle machine much less is.
const BUDGET: Duration = Duration::from_millis(50);

/// Measures this host.
pub fn calibrate() -> HostFacts {
    let mut facts = HostFacts::default();
    let least = least_sizes(facts.chunk).unwrap_or_default();
    facts.stream_min = least.streamed;
    facts.pull_min = least.pulled;
    facts.pull_crossing_min = least.pulled_crossing;
    facts
}

/// From what size on a way pays, each for all sizes tried from there on.
#[derive(Default)]
struct Least {
    /// Writing bodies past the caches.
    streamed: Option<usize>,
    /// Pulling, against that.
    pulled: Option<usize>,
    /// The same while another message goes the other way.
    pulled_crossing: Option<usize>,
}

fn least_sizes(chunk: usize) -> Option<Least> {
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
            reach: Reach::probe(std::process::id()),
            room,
            until,
        };
        let streamed = reader.least(&STREAMED, Way::Streamed, (Way::Copied, TOLERANCE));
        let copied = streamed.map_or(Way::Copied, |_| Way::Streamed);
        let mut pulled = |sizes, times| reader.least(sizes, Way::Pulled, (copied, times));
        let (ever, crossing) = (pulled(&SIZES, 1.0), pulled(&CROSSING, CROSSING_TOLERANCE));
        Some(Least {
            streamed,
            pulled: ever,
            pulled_crossing: ever.into_iter().chain(crossing).min(),
        })
    };
    hand_over(far_processors(), chunk, until, write, read)
}

/// How bytes are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The writer copies them into chunks, the reader out of them.
    Copied,
    /// The same, and the writer's caches have no part in it.
    Streamed,
    /// The reader reads the writer's memory.
    Pulled,
}

/// The side that has the bytes.
struct Writer {
    asked: Receiver<(Way, usize)>,
    /// When writing them began, and where they are.
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
            // Programs write what they send. Bytes that the reader's caches have are dear to write.
            let start = Instant::now();
            bytes.fill(bytes[0].wrapping_add(1));
            let at = black_box(&*bytes).as_ptr() as u64;
            self.tell.send((start, at)).ok()?;
            match way {
                Way::Copied => self.giver.give(bytes, copy_plainly)?,
                Way::Streamed => self.giver.give(bytes, copy_past)?,
                Way::Pulled => {}
            }
        }
    }
}

/// The side that wants the bytes.
struct Reader {
    ask: Sender<(Way, usize)>,
    told: Receiver<(Instant, u64)>,
    taker: Taker,
    /// Absent where memory cannot be read.
    reach: Option<Reach>,
    room: Sink,
    until: Instant,
}

impl Reader {
    /// The smallest size for which one way takes less than so many times as long as the other, with all larger
    /// ones.
    fn least(&mut self, sizes: &[usize], way: Way, (other, times): (Way, f32)) -> Option<usize> {
        let pays = |size: &usize| {
            let (this, that) = (self.best(way, *size), self.best(other, *size));
            this.zip(that)
                .is_some_and(|(this, that)| this < that.mul_f32(times))
        };
        sizes.iter().copied().take_while(pays).last()
    }

    fn best(&mut self, way: Way, size: usize) -> Option<Duration> {
        let tries: Option<Vec<_>> = (0..TRIES).map(|_| self.once(way, size)).collect();
        tries?.into_iter().min()
    }

    /// How long it takes from before the bytes are written until they are here; `None` when time is up
    /// or memory cannot be read.
    fn once(&mut self, way: Way, size: usize) -> Option<Duration> {
        self.ask.send((way, size)).ok()?;
        let (start, at) = await_next(&self.told, self.until)?;
        let (reach, room) = (&self.reach, &mut self.room);
        match way {
            Way::Pulled => reach.as_ref()?.pull(at, size, room, 0).ok()?,
            Way::Copied | Way::Streamed => {
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
        let crossing = facts.pull_crossing_min;
        assert!(crossing.is_none_or(|min| SIZES.contains(&min) || CROSSING.contains(&min)));
        // What is always faster is so for messages that cross, too.
        assert!(
            facts
                .pull_min
                .is_none_or(|min| crossing.is_some_and(|crossing| crossing <= min))
        );
        assert!(facts.stream_min.is_none_or(|min| STREAMED.contains(&min)));
    }

    #[test]
    fn the_caller_keeps_its_processors() {
        let before = sched_getaffinity(None).unwrap();
        calibrate();
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
