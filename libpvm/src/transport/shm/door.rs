//! How a task sleeps that holds sockets, and is woken by those who share memory with it.
//!
//! A thread cannot wait for a futex and for sockets at once. So a task with sockets sleeps in epoll, and
//! one of its sockets is its *door*: a datagram socket with a random name that is in the inbox. Whoever
//! wakes the task *knocks*: sends an empty datagram there, beside waking the futex. The name is an
//! abstract one: nothing is left behind, but it means something inside one network namespace only. Who
//! knocks in vain says so in the inbox, and from then on the task naps: it looks by itself, after 1 ms
//! first and after 10 at most. Until somebody has, a nap is as long as [`NAP`]. When the last socket has
//! gone, so does the name: knocking costs the waker a system call.
//!
//! What a peer may do: the inbox has only a number, so the most that a wrong one does is an empty
//! datagram to the door of another task. Strangers of this machine may knock, too, which costs a look.

use super::layout;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, recv,
    sendto, socket_with,
};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longest sleep: deadlines of connections are looked at after it, and whether the daemon is there.
const NAP: Duration = Duration::from_millis(100);
/// First and longest sleep of a task that cannot hear everybody's knock.
const DEAF_NAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
/// Sockets that are told of at once.
const EVENTS_MAX: usize = 64;
/// The door among the sockets; peers have smaller numbers.
const DOOR: u64 = u64::MAX;

/// All sockets of a task, its door among them.
pub(in crate::transport) struct Sockets {
    epoll: OwnedFd,
    door: OwnedFd,
    /// Of the door.
    name: u64,
    /// There is something to be taken from the door.
    is_knocked: AtomicBool,
    /// Naps in a row that ended by themselves.
    naps: AtomicU32,
}

/// How a socket is watched at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::transport) struct Watched(Option<PollFlags>);

/// Knocks, if there is a door.
pub(super) fn knock(door: &layout::Door) {
    let name = door.name.load(Ordering::Acquire);
    if name != 0 && !send_knock(name) {
        door.is_deaf.store(1, Ordering::Relaxed);
    }
}

/// Nobody needs to knock any more: no thread sleeps with sockets, and none will before they are
/// shown again.
pub(super) fn hide(door: &layout::Door) {
    if door.name.load(Ordering::Relaxed) != 0 {
        door.name.store(0, Ordering::Release);
    }
}

#[cold]
fn send_knock(name: u64) -> bool {
    static SENDER: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let sender = SENDER.get_or_init(|| datagrams().ok());
    let (Some(sender), Ok(address)) = (sender, address(name)) else {
        return false;
    };
    loop {
        match sendto(sender, &[], SendFlags::DONTWAIT, &address) {
            // So many have knocked that there is no room for more.
            Ok(_) | Err(Errno::AGAIN) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn datagrams() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
}

fn address(name: u64) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new_abstract_name(format!("pvm-door-{name:016x}").as_bytes())
}

impl Sockets {
    /// Opens the door; nobody knows of it.
    pub(super) fn open() -> Result<Self, Errno> {
        let name = getrandom::u64().map_err(|_| Errno::NOSYS)?.max(1);
        let sockets = Self {
            name,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            door: datagrams()?,
            is_knocked: AtomicBool::new(false),
            naps: AtomicU32::new(0),
        };
        bind(&sockets.door, &address(name)?)?;
        let data = EventData::new_u64(DOOR);
        epoll::add(&sockets.epoll, &sockets.door, data, EventFlags::IN)?;
        Ok(sockets)
    }

    /// Tells those who wake the task where to knock.
    pub(super) fn show_door(&self, inbox: &layout::Door) {
        inbox.name.store(self.name, Ordering::Release);
        // Before any mode from which a waker learns that somebody sleeps here.
        fence(Ordering::SeqCst);
    }

    /// Watches a socket for `flags` on behalf of `owner`. A socket that is closed is not watched any
    /// more.
    pub fn watch(&self, socket: impl AsFd, owner: u32, flags: PollFlags, watched: &mut Watched) {
        if watched.0 == Some(flags) {
            return;
        }
        let mut events = EventFlags::empty();
        events.set(EventFlags::IN, flags.contains(PollFlags::IN));
        events.set(EventFlags::OUT, flags.contains(PollFlags::OUT));
        let data = EventData::new_u64(owner.into());
        let done = match epoll::modify(&self.epoll, &socket, data, events) {
            Err(Errno::NOENT) => epoll::add(&self.epoll, &socket, data, events),
            other => other,
        };
        // Without memory for it: tried again next time.
        watched.0 = done.ok().map(|()| flags);
    }

    /// Appends the owners of sockets that are ready, each as often as it has such sockets.
    pub fn ready(&self, owners: &mut Vec<u32>) {
        self.wait(Duration::ZERO, |owner| owners.push(owner));
    }

    /// Sleeps until a socket is ready or somebody knocks, at most a nap.
    pub(super) fn sleep(&self, inbox: &layout::Door, deadline: Option<Instant>) {
        let naps = self.naps.load(Ordering::Relaxed);
        let nap = match inbox.is_deaf.load(Ordering::Relaxed) {
            0 => NAP,
            _ => (DEAF_NAPS.0 * (1 << naps.min(8))).min(DEAF_NAPS.1),
        };
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let nap = left.map_or(nap, |left| left.min(nap));
        let naps = match self.wait(nap, |_| ()) {
            0 => naps.saturating_add(1),
            _ => 0,
        };
        self.naps.store(naps, Ordering::Relaxed);
    }

    /// Takes all knocks, if a thread was woken by one.
    pub(super) fn answer_door(&self) {
        if self.is_knocked.swap(false, Ordering::AcqRel) {
            while recv(&self.door, &mut [0u8; 1], RecvFlags::DONTWAIT).is_ok() {}
        }
    }

    /// Returns how many sockets are ready.
    fn wait(&self, limit: Duration, mut each: impl FnMut(u32)) -> usize {
        let limit = Timespec::try_from(limit).ok();
        let mut room = [const { std::mem::MaybeUninit::uninit() }; EVENTS_MAX];
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut room, limit.as_ref()) else {
            return 0;
        };
        for event in &*events {
            match event.data.u64() {
                DOOR => self.is_knocked.store(true, Ordering::Release),
                owner => each(owner as u32),
            }
        }
        events.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::shared::{AtomicU32 as Half, AtomicU64 as Full};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn page() -> layout::Door {
        layout::Door {
            name: Full::new(0),
            is_deaf: Half::new(0),
        }
    }

    #[test]
    fn a_knock_ends_a_sleep_until_it_is_answered() {
        let page = page();
        knock(&page);
        let sockets = Sockets::open().unwrap();
        sockets.show_door(&page);
        for _ in 0..100 {
            knock(&page);
        }
        for _ in 0..2 {
            assert_eq!(sockets.wait(Duration::from_secs(60), |_| ()), 1);
        }
        sockets.answer_door();
        assert_eq!(sockets.wait(Duration::ZERO, |_| ()), 0);
        assert_eq!(page.is_deaf.load(Ordering::Relaxed), 0);
        hide(&page);
        knock(&page);
        assert_eq!(sockets.wait(Duration::ZERO, |_| ()), 0);
        sockets.show_door(&page);
        drop(sockets);
        knock(&page);
        assert_eq!(page.is_deaf.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_task_that_cannot_hear_naps() {
        let page = page();
        let sockets = Sockets::open().unwrap();
        page.is_deaf.store(1, Ordering::Relaxed);
        let start = Instant::now();
        sockets.sleep(&page, None);
        assert!(start.elapsed() < NAP, "{:?}", start.elapsed());
        page.is_deaf.store(0, Ordering::Relaxed);
        sockets.sleep(&page, Some(start));
        assert!(start.elapsed() < NAP, "{:?}", start.elapsed());
    }

    #[test]
    fn sockets_are_told_of_by_their_owners() {
        let sockets = Sockets::open().unwrap();
        let (mine, mut other) = UnixStream::pair().unwrap();
        let mut watched = Watched::default();
        let mut ready = Vec::new();
        sockets.watch(&mine, 7, PollFlags::IN, &mut watched);
        sockets.ready(&mut ready);
        assert_eq!(ready, []);
        other.write_all(b"x").unwrap();
        sockets.ready(&mut ready);
        assert_eq!(ready, [7]);
        ready.clear();
        sockets.watch(&mine, 7, PollFlags::IN | PollFlags::OUT, &mut watched);
        sockets.ready(&mut ready);
        assert_eq!(ready, [7]);
        drop(mine);
        ready.clear();
        sockets.ready(&mut ready);
        assert_eq!(ready, [], "a closed socket");
    }
}
