//! Measuring, when a daemon starts, how this host moves bytes best. Takes a few milliseconds.
//!
//! What a message costs is decided between two processors: the one whose cache holds what was just
//! written, and the one that wants it. Machines differ by an order of magnitude there (virtual
//! processors may be sockets apart, and be moved), and nothing that one processor does alone tells.
//! So a writer on one and a reader on another do what a sender and a receiver would.

use super::cma::Reach;
use super::host::HostFacts;
use crate::datatype::Sink;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::hint::{black_box, spin_loop};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Sizes from which pulling may pay, the largest first.
const SIZES: [usize; 4] = [1 << 20, 256 << 10, 64 << 10, 32 << 10];
/// Tries per size; the best counts, for others run on this machine too.
const TRIES: usize = 3;
/// Chunks between writer and reader.
const CHUNKS: usize = 8;
/// No more time than this is spent.
const BUDGET: Duration = Duration::from_millis(20);
/// Looks at a channel before others may have the processor.
const LOOKS: u32 = 200;

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
    let (give, given) = channel();
    let (give_back, free) = channel();
    for _ in 0..CHUNKS {
        give_back.send(vec![1u8; facts.chunk]).ok()?;
    }
    let writer = Writer { asked, free, give };
    let mut reader = Reader {
        ask,
        given,
        give_back,
        reach,
        room: Sink::from_vec(vec![1u8; SIZES[0]]),
    };
    let [here, there] = two_processors();
    thread::scope(|scope| {
        // Who cannot be bound to its processor measures what the system gives it.
        let write = thread::Builder::new().spawn_scoped(scope, move || {
            let _ = there.map(bind);
            writer.work(until)
        });
        let read = thread::Builder::new().spawn_scoped(scope, move || {
            let _ = here.map(bind);
            reader.least(until)
        });
        // A host without room for a thread has other worries.
        let (Ok(_), Ok(read)) = (write, read) else {
            return None;
        };
        read.join().ok().flatten()
    })
}

/// Two processors that this process may use; the same one twice when there is only one.
fn two_processors() -> [Option<usize>; 2] {
    let Ok(set) = sched_getaffinity(None) else {
        return [None; 2];
    };
    let mut usable = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu));
    let first = usable.next();
    [first, usable.next().or(first)]
}

fn bind(processor: usize) -> rustix::io::Result<()> {
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one)
}

/// How bytes are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The writer copies them into chunks, the reader out of them.
    Copied,
    /// The reader reads the writer's memory.
    Pulled,
}

/// What the reader is given.
enum Given {
    /// The writer has written, at this time, and this is where.
    Written(Instant, u64),
    /// Some of the bytes.
    Chunk(Vec<u8>),
}

/// The side that has the bytes.
struct Writer {
    asked: Receiver<(Way, usize)>,
    free: Receiver<Vec<u8>>,
    give: Sender<Given>,
}

impl Writer {
    /// Until the reader has gone, or time is up.
    fn work(self, until: Instant) -> Option<()> {
        let mut bytes = vec![0u8; SIZES[0]];
        loop {
            let (way, size) = take(&self.asked, until)?;
            let bytes = &mut bytes[..size];
            bytes.fill(bytes[0].wrapping_add(1));
            let at = black_box(&*bytes).as_ptr() as u64;
            self.give.send(Given::Written(Instant::now(), at)).ok()?;
            if way == Way::Pulled {
                continue;
            }
            let mut rest = &*bytes;
            while !rest.is_empty() {
                let mut chunk = take(&self.free, until)?;
                let (now, later) = rest.split_at(chunk.len().min(rest.len()));
                chunk[..now.len()].copy_from_slice(now);
                self.give.send(Given::Chunk(chunk)).ok()?;
                rest = later;
            }
        }
    }
}

/// The side that wants the bytes.
struct Reader {
    ask: Sender<(Way, usize)>,
    given: Receiver<Given>,
    give_back: Sender<Vec<u8>>,
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
        let Given::Written(start, at) = take(&self.given, until)? else {
            return None;
        };
        if way == Way::Pulled {
            self.reach.pull(at, size, &mut self.room, 0).ok()?;
            return Some(start.elapsed());
        }
        let mut offset = 0;
        while offset < size {
            let Given::Chunk(chunk) = take(&self.given, until)? else {
                return None;
            };
            let part = chunk.len().min(size - offset);
            self.room.write(offset, black_box(&chunk[..part]));
            offset += part;
            // The writer may need it no longer.
            let _ = self.give_back.send(chunk);
        }
        Some(start.elapsed())
    }
}

/// Waits awake, as tasks do in the middle of a message.
fn take<T>(channel: &Receiver<T>, until: Instant) -> Option<T> {
    for look in 1_u32.. {
        match channel.try_recv() {
            Ok(taken) => return Some(taken),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if look % LOOKS != 0 => spin_loop(),
            Err(TryRecvError::Empty) if Instant::now() >= until => return None,
            Err(TryRecvError::Empty) => thread::yield_now(),
        }
    }
    None
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

    #[test]
    fn it_ends_when_its_time_is_up() {
        let (ask, asked) = channel();
        let (give, _given) = channel();
        let (_give_back, free) = channel();
        let writer = Writer { asked, free, give };
        ask.send((Way::Copied, SIZES[0])).unwrap();
        // Nobody gives it a chunk.
        assert_eq!(writer.work(Instant::now()), None);
    }

    #[test]
    fn the_caller_keeps_its_processors() {
        let before = sched_getaffinity(None).unwrap();
        calibrate();
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
