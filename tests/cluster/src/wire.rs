//! Cables that take their time: a thread carries each frame between two network cards, after a
//! delay. Order is kept, also when the delay changes. `netem` would do the same in the kernel, but
//! many small kernels are built without it.

use crate::lab::Lab;
use crate::tap;
use crate::tool::{ip, run};
use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Frames that are under way in one direction at most; more are lost, as on a real network.
const FRAMES_MAX: usize = 20_000;
/// Longest that a network card may take to go.
const GONE: Duration = Duration::from_secs(5);
/// Largest frame.
const FRAME_MAX: usize = 65_536;
/// Frames that are taken before those that are due are given.
const BATCH: usize = 64;

/// A cable between a host and the switch; nothing carries on it yet.
pub struct Wire {
    ends: [File; 2],
}

impl Wire {
    /// Puts it in place of the host's own cable. Its addresses stay.
    ///
    /// # Errors
    /// When the network cards cannot be made.
    pub fn lay(lab: &Lab, host: usize) -> Result<Self> {
        let (namespace, switch, port) = (lab.namespace(host), lab.switch(), lab.port(host));
        // One end of a usual cable gone, both are; those of a wire go each for itself.
        remove(&switch, &port)?;
        remove(&namespace, "eth0")?;
        let ends = [tap::open(&namespace, "eth0")?, tap::open(&switch, &port)?];
        ip(
            &switch,
            &format!("link set {port} master br0\nlink set {port} up\n"),
        )?;
        ip(&namespace, &lab.up(host))?;
        Ok(Self { ends })
    }

    /// Begins to carry.
    pub fn carry(self, delay: Duration) -> Running {
        let delay = Arc::new(Mutex::new(delay));
        // Closing the writer is the word to stop.
        let (stop, stopper) = std::io::pipe().expect("there are descriptors");
        let stop = OwnedFd::from(stop);
        let shared = delay.clone();
        let thread = std::thread::spawn(move || carry(self.ends, &stop, &shared));
        Running {
            delay,
            stopper: Some(stopper),
            thread: Some(thread),
        }
    }
}

/// Removes a network card, also one whose carrier is just ending.
fn remove(namespace: &str, card: &str) -> Result<()> {
    let end = Instant::now() + GONE;
    while run("ip", &["-n", namespace, "link", "show", card], "").is_ok() {
        let removed = ip(namespace, &format!("link del {card}\n"));
        // Gone by itself in between is as good.
        if Instant::now() > end {
            return removed;
        }
    }
    Ok(())
}

/// A cable that carries until it is dropped.
pub struct Running {
    delay: Arc<Mutex<Duration>>,
    stopper: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Changes the delay for frames to come.
    pub fn set(&self, delay: Duration) {
        *self.delay.lock().expect("nobody panics with it") = delay;
    }

    /// Waits until the cable breaks: its host has gone.
    pub fn wait(mut self) {
        self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stopper.take());
        self.thread.take().map(JoinHandle::join);
    }
}

/// Frames of one direction, in order, each with the moment at which it arrives.
#[derive(Default)]
struct Lane(VecDeque<(Instant, Vec<u8>)>);

impl Lane {
    /// Takes what a card has sent; false when the card is gone.
    fn take(&mut self, from: &mut File, delay: Duration) -> bool {
        let mut frame = vec![0; FRAME_MAX];
        for _ in 0..BATCH {
            match from.read(&mut frame) {
                Ok(count) => {
                    let due = Instant::now() + delay;
                    let due = self.0.back().map_or(due, |(last, _)| due.max(*last));
                    if self.0.len() < FRAMES_MAX {
                        self.0.push_back((due, frame[..count].to_vec()));
                    }
                }
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Gives a card what is due.
    fn give(&mut self, to: &mut File, now: Instant) {
        while self.0.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, frame)) = self.0.pop_front() {
                // A card that is down or full loses frames.
                let _ = to.write(&frame);
            }
        }
    }
}

fn carry(mut ends: [File; 2], stop: &OwnedFd, delay: &Mutex<Duration>) {
    let mut lanes = [Lane::default(), Lane::default()];
    loop {
        let next = lanes
            .iter()
            .filter_map(|lane| lane.0.front())
            .map(|(due, _)| *due)
            .min();
        let wait = next.map(|due| due.saturating_duration_since(Instant::now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut polled = [
            PollFd::new(&ends[0], PollFlags::IN),
            PollFd::new(&ends[1], PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ];
        let outcome = poll(&mut polled, wait.as_ref());
        let events = polled.map(|it| it.revents());
        if !events[2].is_empty() || outcome.is_err_and(|error| error != rustix::io::Errno::INTR) {
            return;
        }
        let delay = *delay.lock().expect("nobody panics with it");
        for (lane, index) in lanes.iter_mut().zip([0, 1]) {
            let is_there = events[index].is_empty() || lane.take(&mut ends[index], delay);
            if !is_there {
                return;
            }
            lane.give(&mut ends[1 - index], Instant::now());
        }
    }
}
