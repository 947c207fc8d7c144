//! Sessions: the use of MPI by one part of a program (MPI 5.0, 11.3), and communicators that are made
//! without another one.
//!
//! Processes that have no communicator yet meet in a context that all have, under a tag that their
//! string and their group give; that all mean the same string they tell each other.

use super::buffered::Buffer;
use super::comm::{Bridge, Comm, MEMORY_KINDS, Meeting};
use super::errhandler::Errhandler;
use super::error::{Class, Error, Result};
use super::group::Group;
use super::info::Info;
use super::object::lock;
use super::process::{Process, Scope};
use crate::collective::Member;
use crate::group;
use crate::ids::{Context, Tag, TaskId};
use crate::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The set of all processes of the launch.
pub const WORLD: &str = "mpi://WORLD";
/// The set of this process.
pub const ITSELF: &str = "mpi://SELF";
/// The set of the processes of the launch that are on the host of this one.
pub const HOST: &str = "pvm://host";

/// The names of the sets.
pub const PSETS: [&str; 3] = [WORLD, ITSELF, HOST];

/// Longest string that tells apart what is made at one time, with the end mark.
pub const MAX_STRING_TAG: usize = 1024;

/// A session.
pub struct Session {
    /// This process.
    pub process: Arc<Process>,
    /// Where buffered sends go whose communicator descends from it and has no buffer.
    pub buffer: Buffer,
    /// The thread level, as the program asked for it.
    pub thread_level: String,
    errhandler: Mutex<Errhandler>,
    handle: AtomicU64,
}

impl Session {
    /// A session in an attached process.
    pub fn new(process: Arc<Process>, thread_level: String, errhandler: Errhandler) -> Self {
        Self {
            process,
            buffer: Buffer::default(),
            thread_level,
            errhandler: Mutex::new(errhandler),
            handle: AtomicU64::new(0),
        }
    }

    /// Where its groups belong, and what is made of them.
    pub fn scope(&self) -> Scope {
        Scope {
            process: Arc::clone(&self.process),
            session: Some(self.buffer.clone()),
        }
    }

    /// The processes of a set.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` when there is no set of this name.
    pub fn pset(&self, name: &str) -> Result<group::Group> {
        let task = &self.process.task;
        let is = |pset: &str| name.eq_ignore_ascii_case(pset);
        let on_host = |other: &&TaskId| other.host() == task.me.host();
        if is(WORLD) {
            return Ok(task.world.clone());
        } else if is(ITSELF) {
            return Ok(group::Group::new([task.me])?);
        } else if is(HOST) {
            let near = task.world.tasks().iter().filter(on_host).copied();
            return Ok(group::Group::new(near)?);
        }
        let detail = format!("no process set is called '{name}'; there are {PSETS:?}");
        Err(Error::new(Class::Arg, detail))
    }

    /// What is known of a set.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` when there is no set of this name.
    pub fn pset_info(&self, name: &str) -> Result<Info> {
        let size = self.pset(name)?.size();
        Ok(Info::with([("mpi_size".to_owned(), size.to_string())]))
    }

    /// What is known of the session.
    pub fn info(&self) -> Info {
        let level = ("thread_level".to_owned(), self.thread_level.clone());
        let (kinds, known) = MEMORY_KINDS;
        Info::with([level, (kinds.to_owned(), known.to_owned())])
    }

    /// What happens when a call with it fails.
    pub fn errhandler(&self) -> Errhandler {
        lock(&self.errhandler).clone()
    }

    /// Sets what happens when a call with it fails.
    pub fn set_errhandler(&self, errhandler: Errhandler) {
        *lock(&self.errhandler) = errhandler;
    }

    /// The handle under which the program's interface knows it; 0: it has none yet.
    pub fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    /// Notes that handle.
    pub fn set_handle(&self, handle: u64) {
        self.handle.store(handle, Ordering::Relaxed);
    }
}

impl Comm {
    /// The communicator of a group, all of which call this with the same string. `None`: the group is
    /// empty.
    ///
    /// # Errors
    /// `MPI_ERR_ARG`: the string is too long; `MPI_ERR_GROUP`: this process is not in the group.
    pub fn from_group(group: &Group, string: &str, errhandler: Errhandler) -> Result<Option<Self>> {
        let (Some(process), false) = (&group.scope, group.is_empty()) else {
            return Ok(None);
        };
        let text = check_string(string)?;
        let tag = meeting_tag(&[group], string);
        let contexts = vec![Context::MPI_MEETING; group.size()];
        let meeting = Meeting::new(process, group, Context::MPI_MEETING, contexts, tag)?;
        let meeting =
            meeting.ok_or_else(|| Error::new(Class::Group, "this process is not in the group"))?;
        let all = meeting.talk().all(&text)?;
        if all.chunks_exact(text.len()).any(|other| other != text) {
            let detail = format!("others make a communicator with another string than '{string}'");
            return Err(Error::new(Class::Other, detail));
        }
        meeting.make(errhandler).map(Some)
    }

    /// The intercommunicator of two groups, all of which call this with the same string. The remote
    /// group, and the rank of its leader there, count at the leader only.
    ///
    /// # Errors
    /// As [`Comm::from_group`]; `MPI_ERR_RANK`; `MPI_ERR_COMM` when the groups have a process in
    /// common.
    pub fn inter_from_groups(
        local: (&Group, i32),
        remote: impl FnOnce() -> Result<(group::Group, i32)>,
        string: &str,
        errhandler: Errhandler,
    ) -> Result<Option<Self>> {
        let (group, leader) = local;
        let Some(comm) = Self::from_group(group, string, errhandler.clone())? else {
            return Ok(None);
        };
        let leader = comm.own_rank(leader)?;
        let bridge = || {
            let (remote, rank) = remote()?;
            let known = usize::try_from(rank)
                .ok()
                .and_then(|rank| remote.task(rank));
            let other = known.ok_or_else(|| {
                let detail = format!("leader {rank} in a remote group of {}", remote.size());
                Error::new(Class::Rank, detail)
            })?;
            Ok(Bridge {
                leader: Member {
                    peer: comm.process.with(|engine| engine.peer(other))?,
                    context: Context::MPI_MEETING,
                },
                context: Context::MPI_MEETING,
                tag: pair_tag(group, &remote, string),
            })
        };
        comm.join(leader, bridge, errhandler).map(Some)
    }
}

/// The string as numbers.
fn check_string(string: &str) -> Result<Vec<u64>> {
    if string.len() >= MAX_STRING_TAG {
        let detail = format!("the string has {} bytes", string.len());
        return Err(Error::new(Class::Arg, detail));
    }
    let words = string.as_bytes().chunks(size_of::<u64>()).map(|bytes| {
        let mut word = [0; size_of::<u64>()];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    });
    Ok(std::iter::once(string.len() as u64).chain(words).collect())
}

/// The tag of a meeting of groups; the same in all of their processes.
fn meeting_tag(groups: &[&group::Group], string: &str) -> Tag {
    let tasks = groups.iter().flat_map(|group| group.tasks());
    let bytes = tasks.flat_map(|task| task.bits().to_le_bytes());
    let mut hash = Fnv::default();
    bytes.chain(string.bytes()).for_each(|byte| hash.add(byte));
    hash.tag()
}

/// The tag of the leaders of two groups, whichever of them asks.
fn pair_tag(one: &group::Group, other: &group::Group, string: &str) -> Tag {
    let first = |group: &group::Group| group.task(0);
    match first(one) <= first(other) {
        true => meeting_tag(&[one, other], string),
        false => meeting_tag(&[other, one], string),
    }
}

/// The hash of Fowler, Noll and Vo: all hosts must have the same one.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn tag(&self) -> Tag {
        ((self.0 ^ self.0 >> 32) as u32 >> 1) as Tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(numbers: &[u32]) -> group::Group {
        let task = |n: &u32| TaskId::new(1, 1, *n).unwrap();
        group::Group::new(numbers.iter().map(task)).unwrap()
    }

    #[test]
    fn meetings_have_tags_of_their_own() {
        let (one, other) = (group(&[1, 2]), group(&[3]));
        let tags = [
            meeting_tag(&[&one], "a"),
            meeting_tag(&[&one], "b"),
            meeting_tag(&[&other], "a"),
            pair_tag(&one, &other, "a"),
        ];
        assert!(tags.iter().all(|tag| *tag >= 0), "{tags:?}");
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[..at].contains(tag), "{tags:?}");
        }
        assert_eq!(pair_tag(&one, &other, "a"), pair_tag(&other, &one, "a"));
    }

    #[test]
    fn strings_are_told_whole() {
        assert_eq!(check_string("").unwrap(), [0]);
        assert_eq!(check_string("abcdefghi").unwrap().len(), 3);
        assert_ne!(check_string("a").unwrap(), check_string("a\0").unwrap());
        let error = check_string(&"x".repeat(MAX_STRING_TAG)).unwrap_err();
        assert_eq!(error.class(), Some(Class::Arg));
    }
}
