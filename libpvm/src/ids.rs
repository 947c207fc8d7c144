//! Names of things: hosts, tasks, jobs, contexts, ranks and tags.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroU64;
use std::str::FromStr;

/// Number of a task inside its host, as far as PVM's 32-bit task ids can show it.
pub const LOCAL_BITS: u32 = 18;
/// Highest local task number; numbers are reused only after the counter has gone round.
pub const LOCAL_MAX: u32 = (1 << LOCAL_BITS) - 1;
/// Highest host index: what fits PVM's 32-bit task ids.
pub const HOST_MAX: u16 = 4095;

/// A task of the virtual machine: host index, the host's incarnation, number within the host.
///
/// A host that was lost and comes back has a new incarnation, so an old id never names a new task.
/// To serde it is its 64 bits, checked when they are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// Builds an id; `None` when host or local number is zero or out of range.
    pub fn new(host: u16, incarnation: u16, local: u32) -> Option<Self> {
        if host == 0 || host > HOST_MAX || local == 0 || local > LOCAL_MAX {
            return None;
        }
        let bits = u64::from(host) << 48 | u64::from(incarnation) << 32 | u64::from(local);
        NonZeroU64::new(bits).map(Self)
    }

    /// Reads an id from its 64 bits, as they travel on the wire.
    pub fn from_bits(bits: u64) -> Option<Self> {
        Self::new((bits >> 48) as u16, (bits >> 32) as u16, bits as u32)
    }

    /// The 64 bits that travel on the wire.
    pub fn bits(self) -> u64 {
        self.0.get()
    }

    /// Index of the host, from 1.
    pub fn host(self) -> u16 {
        (self.0.get() >> 48) as u16
    }

    /// Incarnation of the host.
    pub fn incarnation(self) -> u16 {
        (self.0.get() >> 32) as u16
    }

    /// Number within the host, from 1.
    pub fn local(self) -> u32 {
        self.0.get() as u32
    }

    /// PVM's 32-bit view: host index in bits 18 to 29, local number below.
    pub fn tid(self) -> i32 {
        (i32::from(self.host() as i16) << LOCAL_BITS) | self.local() as i32
    }
}

/// Shown as `t40001`, like PVM; an incarnation other than the first is appended as `.2`.
/// What is known by tasks. Daemons give out the ids, so nobody can choose some that collide, and a hash that
/// withstands that would take half of the time of a small message.
pub type TaskMap<V> = HashMap<TaskId, V, BuildHasherDefault<TaskHasher>>;

/// The hash of a [`TaskMap`].
#[derive(Debug, Default)]
pub struct TaskHasher(u64);

impl Hasher for TaskHasher {
    #[inline]
    fn write_u64(&mut self, bits: u64) {
        // Host and task are in the two halves; both are to be in the low and in the high bits.
        let product = (self.0 ^ bits ^ bits >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{:x}", self.tid())?;
        match self.incarnation() {
            1 => Ok(()),
            n => write!(f, ".{n}"),
        }
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that does not name what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an id")]
pub struct ParseIdError(pub String);

impl From<TaskId> for u64 {
    fn from(task: TaskId) -> u64 {
        task.bits()
    }
}

impl TryFrom<u64> for TaskId {
    type Error = ParseIdError;

    fn try_from(bits: u64) -> Result<Self, ParseIdError> {
        TaskId::from_bits(bits).ok_or_else(|| ParseIdError(format!("{bits:#x}")))
    }
}

/// Reads what `Display` writes, with or without the leading `t`.
impl FromStr for TaskId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bad = || ParseIdError(text.to_owned());
        let body = text.strip_prefix('t').unwrap_or(text);
        let (tid, incarnation) = match body.split_once('.') {
            Some((tid, n)) => (tid, n.parse().map_err(|_| bad())?),
            None => (body, 1),
        };
        let tid = u32::from_str_radix(tid, 16).map_err(|_| bad())?;
        TaskId::new((tid >> LOCAL_BITS) as u16, incarnation, tid & LOCAL_MAX).ok_or_else(bad)
    }
}

/// The tasks of one launch. Numbered by the host that it was started on: its *home*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub u64);

impl JobId {
    /// Job number `number` (from 1) of a host in its incarnation.
    pub fn new(host: u16, incarnation: u16, number: u32) -> Self {
        // Jobs of the first host are plain numbers.
        let high = match (host, incarnation) {
            (1, 1) => 0,
            _ => u64::from(host) << 48 | u64::from(incarnation) << 32,
        };
        Self(high | u64::from(number))
    }

    /// Index of its home.
    pub fn host(self) -> u16 {
        match (self.0 >> 48) as u16 {
            0 => 1,
            host => host,
        }
    }

    /// Incarnation of its home.
    pub fn incarnation(self) -> u16 {
        match self.0 >> 32 {
            0 => 1,
            high => high as u16,
        }
    }
}

/// Shown as `j3`; with the host in front, `j2.3`, for other hosts than the first, and with the
/// incarnation behind, `j2.3.2`, when it is not the first.
impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0 as u32;
        match (self.host(), self.incarnation()) {
            (1, 1) => write!(f, "j{number}"),
            (host, 1) => write!(f, "j{host}.{number}"),
            (host, incarnation) => write!(f, "j{host}.{number}.{incarnation}"),
        }
    }
}

/// Reads what `Display` writes, with or without the leading `j`.
impl FromStr for JobId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bad = || ParseIdError(text.to_owned());
        let body = text.strip_prefix('j').unwrap_or(text);
        let parts: Result<Vec<u32>, _> = body.split('.').map(str::parse).collect();
        let short = |number: u32| u16::try_from(number).map_err(|_| bad());
        match parts.map_err(|_| bad())?[..] {
            [number] => Ok(JobId::new(1, 1, number)),
            [host, number] => Ok(JobId::new(short(host)?, 1, number)),
            [host, number, incarnation] => {
                Ok(JobId::new(short(host)?, short(incarnation)?, number))
            }
            _ => Err(bad()),
        }
    }
}

/// A matching space, numbered by the task that receives in it: a message names the *receiver's*
/// number. Numbers below [`Context::FIRST_FREE`] mean the same in every task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Context(pub u32);

impl Context {
    /// Messages addressed by task id (Rust).
    pub const TASKS: Context = Context(0);
    /// All PVM messages; PVM's own contexts are matched above the engine.
    pub const PVM: Context = Context(1);
    /// Messages in the communicator of the tasks of one launch.
    pub const WORLD: Context = Context(2);
    /// Collectives in that communicator.
    pub const WORLD_COLLECTIVE: Context = Context(3);
    /// Messages in MPI's world communicator; its collectives have the next one.
    pub const MPI_WORLD: Context = Context(4);
    /// Messages by which tasks that have no communicator yet make one; collectives have the next one.
    pub const MPI_MEETING: Context = Context(6);
    /// First number that is given out.
    pub const FIRST_FREE: Context = Context(16);
}

/// Position in a group or communicator, from 0.
pub type Rank = usize;

/// Message tag chosen by the program; negative tags are kept for the library.
pub type Tag = i32;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::Hash;

    #[test]
    fn task_ids_round_trip() {
        let id = TaskId::new(3, 2, 77).unwrap();
        assert_eq!((id.host(), id.incarnation(), id.local()), (3, 2, 77));
        assert_eq!(TaskId::from_bits(id.bits()), Some(id));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(TaskId::new(1, 1, 1).unwrap().to_string(), "t40001");
    }

    #[test]
    fn hashes_of_tasks_differ_in_their_low_and_in_their_high_bits() {
        let ids = (1..=100).flat_map(|host| (1..=100).map(move |local| (host, local)));
        let hashes: Vec<u64> = ids
            .map(|(host, local)| {
                let mut hasher = TaskHasher::default();
                TaskId::new(host, 1, local).unwrap().hash(&mut hasher);
                hasher.finish()
            })
            .collect();
        // Of 10,000 balls in 16,384 boxes about 7,500 are in different ones, and in 128 boxes all are full.
        let boxes = |of: fn(&u64) -> u64| hashes.iter().map(of).collect::<HashSet<_>>().len();
        assert!(boxes(|hash| hash & 0x3fff) > 7_000);
        assert_eq!(boxes(|hash| hash >> 57), 128);
    }

    #[test]
    fn job_ids_name_their_home_unless_it_is_the_first_host() {
        for (host, incarnation, shown) in [(1, 1, "j7"), (2, 1, "j2.7"), (1, 3, "j1.7.3")] {
            let id = JobId::new(host, incarnation, 7);
            assert_eq!((id.host(), id.incarnation()), (host, incarnation));
            assert_eq!(id.to_string(), shown);
            assert_eq!(shown.parse(), Ok(id));
        }
        assert_eq!(JobId::new(1, 1, 7).0, 7);
        for bad in ["j", "j1.2.3.4", "jx", "j70000.1", "j-1"] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn impossible_task_ids_are_refused() {
        assert_eq!(TaskId::from_bits(0), None);
        assert_eq!(TaskId::new(0, 1, 1), None);
        assert_eq!(TaskId::new(1, 1, 0), None);
        assert_eq!(TaskId::new(4096, 1, 1), None);
        assert_eq!(TaskId::new(1, 1, LOCAL_MAX + 1), None);
        assert!("tx".parse::<TaskId>().is_err());
    }
}
