//! Two processors that hand bytes over: one copies them into chunks, the other out of them, as sender
//! and receiver of a message do. What is measured at start and by the benchmark is this one piece.
//!
//! The two are the first and the last processor that may be used: neighbours are often two halves of
//! one core, whose cache both see.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::hint::spin_loop;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Instant;

/// Chunks between the two.
const CHUNKS: usize = 8;
/// Looks at a channel before others may have the processor.
const LOOKS: u32 = 200;

/// Two processors far apart that this thread may use; the same one twice when there is only one, none
/// when the system does not tell.
pub fn far_processors() -> [Option<usize>; 2] {
    let Ok(set) = sched_getaffinity(None) else {
        return [None; 2];
    };
    let mut usable = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu));
    let first = usable.next();
    [first, usable.next_back().or(first)]
}

/// Binds this thread to one processor.
///
/// # Errors
/// When it may not use it.
pub fn bind(processor: usize) -> std::io::Result<()> {
    let mut one = CpuSet::new();
    one.set(processor);
    Ok(sched_setaffinity(None, &one)?)
}

/// The side that has the bytes.
pub struct Giver {
    free: Receiver<Vec<u8>>,
    give: Sender<Vec<u8>>,
    until: Instant,
}

/// The side that wants them.
pub struct Taker {
    given: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
    until: Instant,
}

/// Copies as ever.
pub fn copy_plainly(from: &[u8], to: &mut [u8]) {
    to.copy_from_slice(from);
}

/// Lets one thread give what another takes, in chunks of so many bytes, each on its processor; one that
/// cannot be bound is where the system puts it. Returns what the taker does; `None` when there is no
/// room for threads. Neither waits for the other any longer than `until`.
pub fn hand_over<R: Send>(
    [gives, takes]: [Option<usize>; 2],
    chunk: usize,
    until: Instant,
    give: impl FnOnce(Giver) -> Option<()> + Send,
    take: impl FnOnce(Taker) -> Option<R> + Send,
) -> Option<R> {
    let (giver, taker) = ends(chunk, until)?;
    thread::scope(|scope| {
        let giving = thread::Builder::new().spawn_scoped(scope, move || {
            let _ = gives.map(bind);
            give(giver)
        });
        let taking = thread::Builder::new().spawn_scoped(scope, move || {
            let _ = takes.map(bind);
            take(taker)
        });
        // A host without room for a thread has other worries.
        let (Ok(_), Ok(taking)) = (giving, taking) else {
            return None;
        };
        taking.join().ok().flatten()
    })
}

fn ends(chunk: usize, until: Instant) -> Option<(Giver, Taker)> {
    let (give, given) = channel();
    let (give_back, free) = channel();
    for _ in 0..CHUNKS {
        give_back.send(vec![1u8; chunk]).ok()?;
    }
    let giver = Giver { free, give, until };
    let taker = Taker {
        given,
        give_back,
        until,
    };
    Some((giver, taker))
}

impl Giver {
    /// Gives these bytes: `copy` copies each part into a chunk. `None` when the taker has gone or time is up.
    pub fn give(&self, mut bytes: &[u8], copy: impl Fn(&[u8], &mut [u8])) -> Option<()> {
        while !bytes.is_empty() {
            let mut chunk = await_next(&self.free, self.until)?;
            let (now, later) = bytes.split_at(chunk.len().min(bytes.len()));
            copy(now, &mut chunk[..now.len()]);
            self.give.send(chunk).ok()?;
            bytes = later;
        }
        Some(())
    }
}

impl Taker {
    /// Takes so many bytes: `copy` is given each part and where it belongs. `None` when the giver has
    /// gone or time is up.
    pub fn take(&self, len: usize, mut copy: impl FnMut(usize, &[u8])) -> Option<()> {
        let mut offset = 0;
        while offset < len {
            let chunk = await_next(&self.given, self.until)?;
            let part = chunk.len().min(len - offset);
            copy(offset, &chunk[..part]);
            offset += part;
            // The giver may need it no longer.
            let _ = self.give_back.send(chunk);
        }
        Some(())
    }
}

/// Waits awake, as tasks do in the middle of a message.
pub(super) fn await_next<T>(channel: &Receiver<T>, until: Instant) -> Option<T> {
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
    use crate::datatype::copy_past;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_given_is_taken() {
        let bytes: Vec<u8> = (0..1000).map(|i| i as u8).collect();
        let mut to = vec![0; bytes.len()];
        let until = Instant::now() + LONG;
        let taken = hand_over(
            far_processors(),
            64,
            until,
            |giver| giver.give(&bytes, copy_past),
            |taker| {
                taker.take(bytes.len(), |at, part| {
                    to[at..][..part.len()].copy_from_slice(part)
                })
            },
        );
        assert_eq!(taken, Some(()));
        assert_eq!(to, bytes);
    }

    #[test]
    fn who_waits_for_nobody_ends_when_time_is_up() {
        let (giver, taker) = ends(64, Instant::now()).unwrap();
        assert_eq!(giver.give(&[0; 64 * (CHUNKS + 1)], copy_plainly), None);
        assert_eq!(taker.take(64 * (CHUNKS + 1), |_, _| ()), None);
    }

    #[test]
    fn the_processors_are_the_ends_of_those_that_may_be_used() {
        let set = sched_getaffinity(None).unwrap();
        let usable = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu));
        let ends = [usable.clone().min(), usable.max()];
        assert_eq!(far_processors(), ends);
        let both = thread::spawn(move || {
            ends.map(|cpu| {
                bind(cpu.unwrap()).unwrap();
                let alone = far_processors();
                sched_setaffinity(None, &set).unwrap();
                alone
            })
        });
        assert_eq!(both.join().unwrap(), ends.map(|cpu| [cpu; 2]));
    }
}
