//! What a message of one line costs when nothing but the line is sent: the library's ring and doorbell
//! without an engine above them.

use anyhow::{Context as _, ensure};
use pvm::sync::shared::{AtomicU32, AtomicU64};
use pvm::transport::shm::{doorbell, ring};
use std::array::from_fn;
use std::sync::Arc;

/// Lines of a ring.
const COUNT: usize = 128;
/// As they are freed by the library.
const FREE: u64 = 32;

/// Looks for a line that does not come, for some seconds.
const LOOKS: u32 = 100_000_000;

/// One direction: its lines, and what its receiver tells.
struct Direction {
    lines: [OneLine; COUNT],
    head: Apart<AtomicU64>,
    arena_head: Apart<AtomicU64>,
    waiting: Apart<AtomicU64>,
    /// Of the receiver; 0: awake.
    mode: Apart<AtomicU32>,
    control: AtomicU32,
    bells: AtomicU64,
}

#[repr(align(64))]
struct OneLine([AtomicU64; 8]);

#[repr(align(128))]
struct Apart<T>(T);

/// A handle to a direction.
#[derive(Clone)]
struct Handle(Arc<Direction>);

impl Handle {
    fn new() -> Self {
        let zero = || Apart(AtomicU64::new(0));
        Self(Arc::new(Direction {
            lines: from_fn(|_| OneLine(from_fn(|_| AtomicU64::new(0)))),
            head: zero(),
            arena_head: zero(),
            waiting: zero(),
            mode: Apart(AtomicU32::new(doorbell::AWAKE)),
            control: AtomicU32::new(0),
            bells: AtomicU64::new(0),
        }))
    }
}

impl ring::Lines for Handle {
    type Word = AtomicU64;
    const COUNT: u64 = COUNT as u64;

    #[inline(always)]
    fn line(&self, position: u64) -> &[AtomicU64; 8] {
        &self.0.lines[position as usize % COUNT].0
    }

    fn head(&self) -> &AtomicU64 {
        &self.0.head.0
    }

    fn arena_head(&self) -> &AtomicU64 {
        &self.0.arena_head.0
    }

    fn waiting(&self) -> &AtomicU64 {
        &self.0.waiting.0
    }
}

impl doorbell::Board for Direction {
    type Half = AtomicU32;
    type Full = AtomicU64;

    #[inline(always)]
    fn mode(&self) -> &AtomicU32 {
        &self.mode.0
    }

    fn control(&self) -> &AtomicU32 {
        &self.control
    }

    fn summary(&self) -> &AtomicU64 {
        &self.bells
    }

    fn bells(&self, _: usize) -> &AtomicU64 {
        &self.bells
    }

    fn wake(&self) {}
}

/// One side of two directions.
pub struct Side {
    out: ring::Producer<Handle>,
    out_bell: Handle,
    into: ring::Consumer<Handle>,
}

impl Side {
    /// Two sides that reach each other.
    pub fn pair() -> (Self, Self) {
        let (there, back) = (Handle::new(), Handle::new());
        let side = |out: &Handle, into: &Handle| Self {
            out: ring::Producer::new(out.clone()),
            out_bell: out.clone(),
            into: ring::Consumer::new(into.clone()),
        };
        (side(&there, &back), side(&back, &there))
    }

    /// Sends a word in a line.
    #[inline]
    pub fn send(&mut self, word: u64) -> anyhow::Result<()> {
        let has_room = self.out.has_room().ok().context("the ring is broken")?;
        ensure!(has_room, "the ring is full");
        let mut line = ring::Line {
            mark: 1,
            ..Default::default()
        };
        line.body[0] = word;
        self.out.publish(&line, 1);
        doorbell::ring(&*self.out_bell.0, 0);
        Ok(())
    }

    /// Waits for a line and gives its word.
    #[inline]
    pub fn receive(&mut self) -> anyhow::Result<u64> {
        let mut looks = 0..LOOKS;
        let line = loop {
            if let Some(line) = self.into.take() {
                break line;
            }
            looks.next().context("no line came back")?;
            std::hint::spin_loop();
        };
        if self.into.unasked().0 >= FREE {
            // Nobody waits for room: whoever sends waits for the answer first.
            let _ = self.into.free();
        }
        Ok(line.body[0])
    }
}
