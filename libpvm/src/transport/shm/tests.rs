//! The transport as a whole: over real segments, with a stand-in for the daemon.

use super::introducer::Introducer;
use super::*;
use crate::datatype::{ShortSink, ShortSource, Sink, Source};
use crate::ids::TaskId;
use crate::session::LinkError;
use crate::transport::Sleep as _;
use crate::transport::standin::{self, Desktop, Hub, Log, head};
use crate::transport::{
    Args, Arrived, Body, Head, Kind, Look, Peer, Receiver, SendError, Taker, Transport,
};
use crate::wire::control::Failure;
use proptest::prelude::*;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

type Shm = ShmTransport<Desktop>;

fn id(local: u32) -> TaskId {
    TaskId::new(1, 1, local).unwrap()
}

fn copy(fd: &impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

impl Hub {
    fn task(&self, local: u32) -> Shm {
        self.shm(id(local))
    }

    fn task_of_host(&self, local: u32, host: OwnedFd) -> Shm {
        self.shm_with_page(id(local), host)
    }

    /// Says whether a task has attached.
    fn attach(&self, local: u32, attached: bool) {
        let mut state = self.state();
        state.desks.get_mut(&id(local).bits()).unwrap().attached = attached;
    }

    fn is_asleep(&self, local: u32) -> bool {
        self.state().desks[&id(local).bits()].bell.is_asleep()
    }

    fn closed(&self, local: u32) -> Vec<u64> {
        self.state().desks[&id(local).bits()].closed.clone()
    }
}

fn send(
    to: Peer,
    shm: &mut Shm,
    tag: i32,
    args: Option<&Args>,
    bytes: &[u8],
) -> Result<(), SendError> {
    let source = Source::from_vec(bytes.to_vec());
    let (offset, len) = (0, bytes.len());
    let body = Body {
        rest: 0,
        source: &source,
        offset,
        len,
    };
    shm.send(to, &head(tag), args, (len > 0).then_some(body))
}

/// As [`standin::wait`]; nothing is slept through.
fn wait<R: Receiver>(shm: &mut Shm, log: &mut R, done: impl FnMut(&mut R) -> bool) {
    standin::wait(shm, log, done, ShmTransport::has_something);
}

/// Two tasks with a channel.
fn pair(hub: &Hub) -> (Shm, Peer, Shm, Peer) {
    let (mut a, mut b) = (hub.task(1), hub.task(2));
    let (to_b, to_a) = (a.peer(id(2)), b.peer(id(1)));
    send(to_b, &mut a, 0, None, &[]).unwrap();
    let mut log = Log::default();
    wait(&mut b, &mut log, |log| !log.packets.is_empty());
    (a, to_b, b, to_a)
}

/// Bytes that depend on their place.
fn pattern(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| (number * 31 + i * 7) as u8).collect()
}

#[test]
fn every_form_of_packet_arrives_whole() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let args = [1, u64::MAX, 3, 4];
    let mut log = Log::default();
    for len in [0, 1, 8, 39, 40, 41, 64, 4096, 16 << 10, 64 << 10] {
        for args in [None, Some(&args)] {
            let bytes = pattern(len, len);
            send(to_b, &mut a, len as i32, args, &bytes).unwrap();
            assert!(b.poll(&mut log));
            let expected = args.copied().unwrap_or_default();
            assert_eq!(
                log.packets.pop(),
                Some((to_a, head(len as i32), expected, bytes))
            );
        }
    }
    assert!(!b.poll(&mut log));
}

#[test]
fn both_may_ask_at_the_same_time() {
    let hub = Hub::default();
    let (mut a, mut b) = (hub.task(1), hub.task(2));
    let (to_b, to_a) = (a.peer(id(2)), b.peer(id(1)));
    send(to_b, &mut a, 1, None, b"from a").unwrap();
    send(to_a, &mut b, 2, None, b"from b").unwrap();
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.packets.len() == 1);
    wait(&mut b, &mut log, |log| log.packets.len() == 2);
    assert_eq!(
        (&*log.packets[0].3, &*log.packets[1].3),
        (&b"from b"[..], &b"from a"[..])
    );
}

#[test]
fn tasks_that_never_were_are_gone() {
    let hub = Hub::default();
    let mut a = hub.task(1);
    let nobody = a.peer(id(99));
    assert_eq!(send(nobody, &mut a, 0, None, &[]), Err(SendError::Gone));
    assert_eq!(send(Peer::SELF, &mut a, 0, None, &[]), Err(SendError::Gone));
}

#[test]
fn tasks_that_start_late_are_waited_for() {
    let hub = Hub::default();
    let (mut a, mut b) = (hub.task(1), hub.task(2));
    hub.attach(2, false);
    let to_b = a.peer(id(2));
    assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Full));
    assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Full));
    hub.attach(2, true);
    hub.state().desks[&id(1).bits()].bell.ring_control();
    let mut log = Log::default();
    assert!(a.poll(&mut log), "there is room now");
    send(to_b, &mut a, 0, None, &[]).unwrap();
    wait(&mut b, &mut log, |log| log.packets.len() == 1);
}

#[test]
fn a_task_that_ends_before_its_channel_is_known_is_heard_and_told_gone_once() {
    let hub = Hub::default();
    let (mut a, mut b) = (hub.task(1), hub.task(2));
    let (to_b, to_a) = (a.peer(id(2)), b.peer(id(1)));
    let dead = id(2).bits();
    hub.attach(2, false);
    assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Full));
    // The answer comes, a message, and the news of the end, all before the next poll.
    let answer = hub.state().introduce(id(1).bits(), dead);
    a.link().answers.insert(dead, Ok(answer));
    wait(&mut b, &mut Log::default(), |_| true);
    send(to_a, &mut b, 7, None, b"last words").unwrap();
    hub.end(id(2));
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| !log.gone.is_empty());
    for _ in 0..10 {
        a.poll(&mut log);
    }
    assert_eq!((log.packets.len(), log.gone), (1, vec![to_b]));
    assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Gone));
}

#[test]
fn a_refusal_does_not_hide_the_channel_that_the_dead_had_opened() {
    for polled_first in [false, true] {
        let hub = Hub::default();
        let (mut a, mut b) = (hub.task(1), hub.task(2));
        let (to_b, to_a) = (a.peer(id(2)), b.peer(id(1)));
        wait(&mut a, &mut Log::default(), |_| true);
        if polled_first {
            // It has asked before, and has had no answer yet.
            let dead = id(2).bits();
            hub.attach(2, false);
            assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Full));
            hub.attach(2, true);
            let refused = Err(LinkError::Refused(Failure::default()));
            a.link().answers.insert(dead, refused);
        }
        send(to_a, &mut b, 7, None, b"last words").unwrap();
        hub.end(id(2));
        if !polled_first {
            a.link().read();
            assert!(send(to_b, &mut a, 0, None, &[]).is_err());
        }
        let mut log = Log::default();
        wait(&mut a, &mut log, |log| !log.gone.is_empty());
        assert_eq!((log.packets.len(), log.gone), (1, vec![to_b]));
    }
}

#[test]
fn a_small_packet_does_not_take_back_the_wait_of_a_large_one() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    let large = pattern(1, 16 << 10);
    wait(&mut a, &mut Log::default(), |_| true);
    while send(to_b, &mut a, 1, None, &large).is_ok() {}
    send(to_b, &mut a, 2, None, b"small").unwrap();
    assert!(a.prepare_sleep(), "there is no room");
    let mut log = Log::default();
    while b.poll(&mut log) {}
    assert!(!hub.is_asleep(1), "there is room, and nobody said so");
    a.finish_sleep();
    assert!(a.poll(&mut log));
    send(to_b, &mut a, 1, None, &large).unwrap();
}

#[test]
fn a_sleeping_task_counts_once_however_many_threads_it_has() {
    let hub = Hub::default();
    let (host, page) = HostPage::create(&HostFacts::default()).unwrap();
    let mut tasks = [1, 2].map(|local| hub.task_of_host(local, copy(&host)));
    tasks
        .iter_mut()
        .for_each(|task| wait(task, &mut Log::default(), |_| true));
    assert_eq!(page.awake(), 2);
    for _ in 0..3 {
        assert!((0..3).all(|_| tasks[0].prepare_sleep()));
        assert_eq!(page.awake(), 1);
        (0..3).for_each(|_| tasks[0].finish_sleep());
        assert_eq!(page.awake(), 2);
    }
}

#[test]
fn the_dead_are_heard_to_the_end() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    for tag in 0..100 {
        send(to_a, &mut b, tag, None, &pattern(1, 100)).unwrap();
    }
    hub.end(id(2));
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| !log.gone.is_empty());
    let tags: Vec<i32> = log.packets.iter().map(|packet| packet.1.tag).collect();
    assert_eq!(tags, (0..100).collect::<Vec<_>>());
    assert_eq!(log.gone, [to_b]);
    assert_eq!(hub.closed(1), [id(2).bits()]);
    assert_eq!(send(to_b, &mut a, 0, None, &[]), Err(SendError::Gone));
    assert!(!a.poll(&mut log));
}

#[test]
fn interned_tasks_that_end_are_told_gone() {
    let hub = Hub::default();
    let (mut a, _b) = (hub.task(1), hub.task(2));
    let to_b = a.peer(id(2));
    hub.end(id(2));
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.gone == [to_b]);
}

#[test]
fn without_a_daemon_everybody_is_gone() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let other = a.peer(id(3));
    send(to_a, &mut b, 7, None, b"last words").unwrap();
    hub.state().lost = true;
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.gone.len() == 2);
    assert!(log.gone.contains(&to_b) && log.gone.contains(&other));
    assert_eq!(log.packets.len(), 1);
    assert!(a.is_daemon_lost());
}

#[test]
fn a_full_ring_refuses_and_recovers() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    let mut sent = 0;
    while send(to_b, &mut a, sent, None, &[]).is_ok() {
        sent += 1;
    }
    assert!(sent > 90, "{sent}");
    let mut log = Log::default();
    assert!(!a.poll(&mut log));
    while b.poll(&mut log) {}
    assert_eq!(log.packets.len() as i32, sent);
    assert!(a.poll(&mut log), "there is room now");
    send(to_b, &mut a, 0, None, &[]).unwrap();
}

/// One task streams to another; both sleep whenever they can.
fn stream(policy: WaitPolicy, count: usize, len_of: impl Fn(usize) -> usize + Sync) {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    (a.policy, b.policy) = (policy, policy);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = Log::default();
            for number in 0..count {
                let bytes = pattern(number, len_of(number));
                while send(to_b, &mut a, number as i32, None, &bytes).is_err() {
                    let mut tries = 0;
                    wait(&mut a, &mut log, |_| {
                        tries += 1;
                        tries > 1
                    });
                }
            }
        });
        let mut log = Log::default();
        for number in 0..count {
            wait(&mut b, &mut log, |log| log.packets.len() > number % 64);
            if number % 64 == 63 {
                check(&mut log, number + 1 - 64, &len_of);
            }
        }
    });
}

fn check(log: &mut Log, first: usize, len_of: impl Fn(usize) -> usize) {
    let rest = log.packets.split_off(64);
    for (at, packet) in std::mem::replace(&mut log.packets, rest)
        .into_iter()
        .enumerate()
    {
        let number = first + at;
        assert_eq!(packet.1, head(number as i32));
        assert!(
            packet.3 == pattern(number, len_of(number)),
            "packet {number}"
        );
    }
}

#[test]
fn streams_keep_order_and_bytes_while_both_sleep() {
    stream(WaitPolicy::Block, 6400, |number| number % 50);
    stream(WaitPolicy::Block, 1280, |number| (number * 7919) % 65536);
    stream(WaitPolicy::Adaptive, 12_800, |number| (number * 131) % 3000);
}

#[test]
fn a_sleeping_receiver_is_woken() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                let mut log = Log::default();
                b.policy = WaitPolicy::Block;
                wait(&mut b, &mut log, |log| !log.packets.is_empty());
                send(to_a, &mut b, 0, None, &[]).unwrap();
            }
        });
        let start = Instant::now();
        for _ in 0..200 {
            let mut log = Log::default();
            send(to_b, &mut a, 0, None, &[]).unwrap();
            wait(&mut a, &mut log, |log| !log.packets.is_empty());
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn many_peers_are_told_apart_by_bells_and_few_are_polled_again() {
    const PEERS: u32 = 40;
    let hub = Hub::default();
    let mut a = hub.task(1);
    let mut log = Log::default();
    let mut peers: Vec<Shm> = (2..2 + PEERS).map(|local| hub.task(local)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 {
                for peer in &mut peers {
                    let to_a = peer.peer(id(1));
                    for tag in 0..5 {
                        send(to_a, peer, round * 5 + tag, None, &[7; 100]).unwrap();
                    }
                }
            }
        });
        wait(&mut a, &mut log, |log| {
            log.packets.len() == PEERS as usize * 100
        });
    });
    for local in 2..2 + PEERS {
        let from = a.peer(id(local));
        let mine = log.packets.iter().filter(|packet| packet.0 == from);
        assert!(mine.map(|packet| packet.1.tag).eq(0..100));
    }
    for local in 8..2 + PEERS {
        hub.end(id(local));
    }
    wait(&mut a, &mut log, |log| log.gone.len() == PEERS as usize - 6);
    log.packets.clear();
    for peer in &mut peers[..6] {
        let to_a = peer.peer(id(1));
        send(to_a, peer, 0, None, &[]).unwrap();
        wait(&mut a, &mut log, |log| log.packets.len() == 1);
        log.packets.clear();
    }
}

#[test]
fn memory_of_a_peer_can_be_pulled_where_allowed() {
    let hub = Hub::default();
    let (mut a, to_b, ..) = pair(&hub);
    let bytes = pattern(3, 100_000);
    let mut sink = Sink::with_capacity(bytes.len());
    if a.pull(to_b, bytes.as_ptr() as u64, bytes.len(), &mut sink, 0)
        .is_ok()
    {
        assert_eq!(sink.into_vec().unwrap(), bytes);
    }
}

/// Checks a stream as it comes, without keeping it.
#[derive(Default)]
struct Stream {
    next: usize,
    gone: bool,
}

impl Receiver for Stream {
    fn packet<A: Arrived>(&mut self, _: Peer, head: Head, _: Args, body: A) {
        let (number, len) = (head.tag as usize, kill_len(head.tag as usize));
        assert_eq!((number, body.len()), (self.next, len));
        assert!(body.to_vec() == pattern(number, len));
        self.next += 1;
    }

    fn gone(&mut self, _: Peer) {
        self.gone = true;
    }
}

fn kill_len(number: usize) -> usize {
    if number.is_multiple_of(3) {
        (number * 97) % 5000
    } else {
        number % 41
    }
}

/// In a child process: sends for ever.
fn send_for_ever(mut shm: Shm, to: Peer) -> ! {
    let mut log = Log::default();
    for number in 0.. {
        let bytes = pattern(number, kill_len(number));
        while send(to, &mut shm, number as i32, None, &bytes).is_err() {
            let mut tries = 0;
            wait(&mut shm, &mut log, |_| {
                tries += 1;
                tries > 1
            });
        }
    }
    unreachable!()
}

#[test]
fn a_sender_that_is_killed_at_any_moment_leaves_a_whole_prefix() {
    for round in 0u64..200 {
        let hub = Hub::default();
        let (mut a, _, b, to_a) = pair(&hub);
        // SAFETY: the child uses only what it owns, its copy of `b`, takes no lock of the parent,
        // and ends by SIGKILL.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends this child with its parent; plain numbers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            send_for_ever(b, to_a);
        }
        let mut stream = Stream::default();
        let end = Instant::now() + Duration::from_micros(round * 7919 % 2500);
        if round % 2 == 0 {
            wait(&mut a, &mut stream, |_| Instant::now() > end);
        } else {
            std::thread::sleep(end - Instant::now()); // the ring runs full
        }
        let mut status = 0;
        // SAFETY: `child` is our own child, not waited for yet; the status is ours.
        let reaped = unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &mut status, 0)
        };
        assert_eq!((reaped, libc::WTERMSIG(status)), (child, libc::SIGKILL));
        hub.end(id(2));
        wait(&mut a, &mut stream, |stream| stream.gone);
        std::mem::forget(b); // its host page counts the child, too
    }
}

/// Writes words anywhere into the shared parts of a channel.
fn vandalize(hub: &Hub, writes: &[(usize, u64)]) {
    let state = hub.state();
    let (segment, _) = state.segments.values().next().unwrap();
    let map = segment::Mapping::<layout::Channel>::open(segment).unwrap();
    let words = layout::ARENAS / 8;
    for &(at, value) in writes {
        // SAFETY: inside the mapping, aligned, and all such words are atomics or unused.
        let word = unsafe {
            map.base()
                .cast::<crate::sync::shared::AtomicU64>()
                .add(at % words)
                .as_ref()
        };
        word.store(value, crate::sync::atomic::Ordering::Relaxed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any mixture of sizes, sends and polls keeps order and bytes.
    #[test]
    fn packets_keep_order_and_bytes(
        steps in proptest::collection::vec((0usize..=65536, any::<bool>(), 0usize..3, any::<bool>()), 1..300)
    ) {
        let hub = Hub::default();
        let (mut a, to_b, mut b, _) = pair(&hub);
        let (mut log, mut sent) = (Log::default(), Vec::new());
        for (number, (len, small, polls, extended)) in steps.into_iter().enumerate() {
            let bytes = pattern(number, if small { len % 64 } else { len });
            let args = extended.then_some([number as u64; 4]);
            match send(to_b, &mut a, number as i32, args.as_ref(), &bytes) {
                Ok(()) => sent.push((number as i32, args.unwrap_or_default(), bytes)),
                Err(error) => prop_assert_eq!(error, SendError::Full),
            }
            for _ in 0..polls {
                b.poll(&mut log);
                a.poll(&mut log);
            }
        }
        while b.poll(&mut log) {}
        let seen: Vec<_> = log.packets.into_iter().map(|p| (p.1.tag, p.2, p.3)).collect();
        prop_assert!(seen == sent);
    }

    /// Whatever a peer writes, nothing worse happens than that it counts as gone.
    #[test]
    fn nonsense_breaks_the_channel_and_nothing_else(
        wild in proptest::collection::vec((any::<usize>(), any::<u64>()), 0..200),
        stamps in proptest::collection::vec((0u64..140, any::<u32>(), 1u64..8, any::<u64>()), 0..40),
    ) {
        let hub = Hub::default();
        let (mut a, to_b, mut b, to_a) = pair(&hub);
        let mut writes = wild;
        for (position, mark, word, value) in stamps {
            for side in 0..2 {
                let slot = 512 + side * 1024 + (position as usize % 128) * 8;
                writes.push((slot, u64::from(mark) << 32 | (position + 1)));
                writes.push((slot + word as usize, value));
            }
        }
        vandalize(&hub, &writes);
        let (mut log_a, mut log_b) = (Log::default(), Log::default());
        for _ in 0..300 {
            let _ = send(to_b, &mut a, 0, None, &[1; 3000]);
            let _ = send(to_a, &mut b, 0, None, &[1; 30]);
            a.poll(&mut log_a);
            b.poll(&mut log_b);
            a.prepare_sleep().then(|| a.finish_sleep());
        }
        prop_assert!(log_a.gone.len() <= 1 && log_b.gone.len() <= 1);
    }
}

/// Takes packets without arguments.
#[derive(Default)]
struct Plain(Log);

impl Taker for Plain {
    fn take<A: Arrived>(&mut self, head: &Head, args: &Args, body: A) -> bool {
        if *args != [0; 4] {
            return false;
        }
        self.0.packet(Peer::SELF, *head, *args, body);
        true
    }
}

#[test]
fn a_look_at_one_peer_takes_what_it_wants_and_leaves_the_rest() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let (mut taken, mut log) = (Plain::default(), Log::default());
    assert_eq!(b.look(to_a, &mut taken, 0), Look::Nothing);
    // More than a ring and an arena hold at a time.
    for number in 0..1000 {
        let bytes = pattern(number, [0, 8, 40, 41, 16 << 10][number % 5]);
        send(to_b, &mut a, number as i32, None, &bytes).unwrap();
        assert_eq!(b.look(to_a, &mut taken, 0), Look::Taken(()), "{number}");
        let (_, found, _, body) = taken.0.packets.pop().unwrap();
        assert_eq!((found, body), (head(number as i32), bytes));
    }
    send(to_b, &mut a, 1, Some(&[1; 4]), &[1]).unwrap();
    send(to_b, &mut a, 2, None, &[2]).unwrap();
    for _ in 0..2 {
        assert_eq!(b.look(to_a, &mut taken, 0), Look::Other);
    }
    assert!(b.poll(&mut log) && log.tags() == [1, 2]);
    assert!(taken.0.packets.is_empty());
    hub.end(id(1));
    wait(&mut b, &mut log, |log| !log.gone.is_empty());
    assert_eq!(b.look(to_a, &mut taken, 0), Look::Other);
}

#[test]
fn a_look_for_a_few_bytes_takes_what_is_just_that() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let mut log = Log::default();
    let mut room = vec![0; 40];
    let mut look = |b: &mut Shm, wanted: &Head, capacity: usize| {
        room.fill(99);
        let found = b.look_short(to_a, wanted, &mut ShortSink::of(&mut room[..capacity]), 0);
        (found, room.clone())
    };
    assert_eq!(look(&mut b, &head(1), 40).0, Look::Nothing);
    // More than a ring holds at a time.
    for number in 0..1000 {
        let bytes = pattern(number, number % 41);
        let sent = Head {
            check: number as u32,
            ..head(1)
        };
        let short = ShortSource::of(&bytes).unwrap();
        assert!(a.send_short(to_b, &sent, short), "{number}");
        let (found, room) = look(&mut b, &head(1), 40);
        assert_eq!(found, Look::Taken((bytes.len(), number as u32)));
        assert_eq!(room[..bytes.len()], bytes);
        assert!(room[bytes.len()..].iter().all(|&byte| byte == 99));
    }
    let other_kind = Head {
        kind: Kind::Finish,
        ..head(1)
    };
    let flags = Head {
        flags: 1,
        ..head(1)
    };
    let context = Head {
        context: 1 + head(1).context,
        ..head(1)
    };
    for unlike in [other_kind, flags, context, head(2)] {
        let short = ShortSource::of(&[7; 8]).unwrap();
        assert!(a.send_short(to_b, &unlike, short));
        assert_eq!(look(&mut b, &head(1), 40).0, Look::Other, "{unlike:?}");
        assert!(b.poll(&mut log));
    }
    for (args, len, capacity) in [(None, 41, 40), (None, 8, 7), (Some(&[0; 4]), 8, 40)] {
        send(to_b, &mut a, 1, args, &pattern(0, len)).unwrap();
        let (found, room) = look(&mut b, &head(1), capacity);
        assert_eq!(found, Look::Other, "{args:?} {len} {capacity}");
        assert!(room.iter().all(|&byte| byte == 99));
        assert!(b.poll(&mut log));
    }
}

#[test]
fn a_ring_without_room_takes_no_few_bytes() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    let mut log = Log::default();
    let short = ShortSource::of(&[2]).unwrap();
    let sent = (0..)
        .take_while(|_| a.send_short(to_b, &head(1), short))
        .count();
    assert_eq!(send(to_b, &mut a, 1, None, &[2]), Err(SendError::Full));
    wait(&mut b, &mut log, |log| log.packets.len() == sent);
    assert!(a.send_short(to_b, &head(1), short), "there is room again");
    hub.end(id(2));
    wait(&mut a, &mut log, |log| !log.gone.is_empty());
    assert!(!a.send_short(to_b, &head(1), short), "it has gone");
}

#[test]
fn a_sender_without_room_is_told_when_its_packets_are_taken_one_by_one() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let (mut taken, mut log) = (Plain::default(), Log::default());
    wait(&mut a, &mut log, |_| true);
    for len in [8, 100, 1000, 16 << 10] {
        let bytes = pattern(len, len);
        while send(to_b, &mut a, 1, None, &bytes).is_ok() {}
        assert!(a.prepare_sleep(), "there is no room");
        while b.look(to_a, &mut taken, 0) == Look::Taken(()) {}
        assert!(
            !hub.is_asleep(1),
            "there is room, and nobody said so: {len}"
        );
        a.finish_sleep();
        assert!(a.poll(&mut log));
    }
}

#[test]
fn a_look_at_one_peer_is_not_enough_when_others_come() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let mut log = Log::default();
    while b.poll(&mut log) {}
    send(to_b, &mut a, 1, None, &[1]).unwrap();
    assert!(!b.needs_poll(to_a), "nothing else has come");
    let mut c = hub.task(3);
    let c_to_b = c.peer(id(2));
    send(c_to_b, &mut c, 2, None, &[2]).unwrap();
    assert!(b.needs_poll(to_a), "a channel is told");
    wait(&mut b, &mut log, |log| log.tags().contains(&2));
    while b.poll(&mut log) {}
    send(c_to_b, &mut c, 3, None, &[3]).unwrap();
    assert!(b.needs_poll(to_a), "another peer has sent");
    assert!(b.poll(&mut log) && !b.needs_poll(to_a));
    hub.end(id(3));
    assert!(b.needs_poll(to_a), "a task has ended");
}
