//! The host page: what all tasks of a host know about it.

use super::layout::{self, PIECE_MAX};
use super::segment::{MapError, Mapping, create};
use crate::sync::atomic::Ordering;
use crate::sync::shared::AtomicU64;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// What was measured when the daemon started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFacts {
    /// Processors that tasks may use.
    pub cpus: u32,
    /// Largest message that is sent without asking.
    pub eager_max: usize,
    /// Largest body of a packet.
    pub chunk: usize,
    /// From what size on reading the peer's memory beats copying twice; `None`: never.
    pub pull_min: Option<usize>,
    /// The same while a message of this size goes the other way.
    pub pull_crossing_min: Option<usize>,
    /// From what size on a body is written past the caches; `None`: never.
    pub stream_min: Option<usize>,
    /// How long waiting awake pays.
    pub spin: Duration,
}

impl HostFacts {
    /// Brings facts of another process within their bounds.
    fn sane(self) -> Self {
        Self {
            cpus: self.cpus.max(1),
            eager_max: self.eager_max.clamp(64, PIECE_MAX),
            chunk: self.chunk.clamp(4096, PIECE_MAX),
            pull_min: self.pull_min.map(|min| min.max(4096)),
            pull_crossing_min: self.pull_crossing_min.map(|min| min.max(4096)),
            stream_min: self.stream_min.map(|min| min.max(1024)),
            spin: self.spin.min(Duration::from_millis(1)),
        }
    }
}

impl Default for HostFacts {
    /// Good enough where nothing was measured.
    fn default() -> Self {
        Self {
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            eager_max: 16 << 10,
            chunk: 16 << 10,
            pull_min: None,
            pull_crossing_min: None,
            stream_min: None,
            spin: Duration::from_micros(20),
        }
    }
}

/// The host page.
pub struct HostPage {
    map: Mapping<layout::Host>,
}

impl HostPage {
    /// Makes the page of this host: the descriptor to pass to tasks, and the daemon's own end.
    ///
    /// # Errors
    /// When there are no descriptors or no memory left.
    pub fn create(facts: &HostFacts) -> Result<(OwnedFd, Self), MapError> {
        let (fd, map) = create::<layout::Host>()?;
        map.cpus.store(facts.cpus.into(), Ordering::Relaxed);
        map.eager_max
            .store(facts.eager_max as u64, Ordering::Relaxed);
        map.chunk.store(facts.chunk as u64, Ordering::Relaxed);
        let sizes = [
            (&map.pull_min, facts.pull_min),
            (&map.pull_crossing_min, facts.pull_crossing_min),
            (&map.stream_min, facts.stream_min),
        ];
        for (word, min) in sizes {
            word.store(min.unwrap_or(0) as u64, Ordering::Relaxed);
        }
        let spin = facts.spin.as_nanos() as u64;
        map.spin_ns.store(spin, Ordering::Release);
        Ok((fd, Self { map }))
    }

    /// Maps the page.
    ///
    /// # Errors
    /// When the descriptor is not a host page.
    pub fn map(fd: impl AsFd) -> Result<Self, MapError> {
        let map = Mapping::open(fd)?;
        Ok(Self { map })
    }

    /// What it says, within bounds.
    pub fn facts(&self) -> HostFacts {
        let size = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        let map = &self.map;
        let spin = map.spin_ns.load(Ordering::Acquire);
        // Of a size, 0 is never.
        let from =
            |word: &AtomicU64| Some(size(word.load(Ordering::Relaxed))).filter(|min| *min != 0);
        let facts = HostFacts {
            cpus: map.cpus.load(Ordering::Relaxed) as u32,
            eager_max: size(map.eager_max.load(Ordering::Relaxed)),
            chunk: size(map.chunk.load(Ordering::Relaxed)),
            pull_min: from(&map.pull_min),
            pull_crossing_min: from(&map.pull_crossing_min),
            stream_min: from(&map.stream_min),
            spin: Duration::from_nanos(spin),
        };
        facts.sane()
    }

    /// Whether more tasks are awake than there are processors: waiting awake then takes time from
    /// the very task that is waited for.
    pub fn is_crowded(&self) -> bool {
        u64::from(self.awake()) > self.map.cpus.load(Ordering::Relaxed)
    }

    /// Tasks that are not asleep in a wait. Tasks that are killed while awake stay counted until
    /// the daemon sets it right.
    pub fn awake(&self) -> u32 {
        self.map.awake.0.load(Ordering::Relaxed)
    }

    /// For the daemon, when a task has come or gone: sets the number right by what the inboxes of
    /// all tasks say ([`super::InboxBell::is_asleep`]).
    pub fn set_awake(&self, tasks: u32) {
        self.map.awake.0.store(tasks, Ordering::Relaxed);
    }

    pub(super) fn woke_up(&self) {
        self.map.awake.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn falls_asleep(&self) {
        if self.map.awake.0.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.set_awake(0); // the daemon has just counted
        }
    }
}
