//! Models of the shared-memory ring and doorbell: loom tries every order of steps, and every value
//! that the memory model allows a load to see. A lost wake-up shows as a deadlock.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p libpvm --release --target-dir target/loom --test loom_shm`
#![cfg(loom)]

use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use pvm::transport::shm::doorbell::{
    ASLEEP, AWAKE, AWAKE_BY_BELL, Board, NOTIFIED, announce_awake, announce_sleep, answer, is_rung,
    ring as ring_at, ring_control,
};
use pvm::transport::shm::ring::{BODY_WORDS, Consumer, Line, Lines, Producer};

/// An inbox whose futex is a lock and a condition, as in the kernel.
struct Inbox {
    mode: AtomicU32,
    control: AtomicU32,
    summary: AtomicU64,
    bells: AtomicU64,
    kernel: Mutex<()>,
    woken: Condvar,
}

impl Inbox {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mode: AtomicU32::new(AWAKE),
            control: AtomicU32::new(0),
            summary: AtomicU64::new(0),
            bells: AtomicU64::new(0),
            kernel: Mutex::new(()),
            woken: Condvar::new(),
        })
    }

    /// The system call.
    fn futex_wait(&self) {
        let lock = self.kernel.lock().unwrap();
        if self.mode.load(Ordering::Relaxed) == ASLEEP {
            drop(self.woken.wait(lock).unwrap());
        }
    }

    /// Sleeps unless `something` is there.
    fn nap(&self, awake: u32, something: impl FnOnce() -> bool) {
        announce_sleep(self);
        if !something() {
            self.futex_wait();
        }
        announce_awake(self, awake);
    }
}

impl Board for Inbox {
    type Half = AtomicU32;
    type Full = AtomicU64;

    fn mode(&self) -> &AtomicU32 {
        &self.mode
    }
    fn control(&self) -> &AtomicU32 {
        &self.control
    }
    fn summary(&self) -> &AtomicU64 {
        &self.summary
    }
    fn bells(&self, index: usize) -> &AtomicU64 {
        assert_eq!(index, 0);
        &self.bells
    }
    fn wake(&self) {
        let _lock = self.kernel.lock().unwrap();
        self.woken.notify_all();
    }
}

/// A ring of `N` lines.
struct Words<const N: usize> {
    lines: [[AtomicU64; 8]; N],
    head: AtomicU64,
    arena_head: AtomicU64,
    waiting: AtomicU64,
}

struct Shared<const N: usize>(Arc<Words<N>>);

impl<const N: usize> Lines for Shared<N> {
    type Word = AtomicU64;
    const COUNT: u64 = N as u64;

    fn line(&self, position: u64) -> &[AtomicU64; 8] {
        &self.0.lines[position as usize % N]
    }
    fn head(&self) -> &AtomicU64 {
        &self.0.head
    }
    fn arena_head(&self) -> &AtomicU64 {
        &self.0.arena_head
    }
    fn waiting(&self) -> &AtomicU64 {
        &self.0.waiting
    }
}

fn ring<const N: usize>() -> (Producer<Shared<N>>, Consumer<Shared<N>>) {
    let zero = || AtomicU64::new(0);
    let words = Arc::new(Words {
        lines: std::array::from_fn(|_| std::array::from_fn(|_| zero())),
        head: zero(),
        arena_head: zero(),
        waiting: zero(),
    });
    let producer = Producer::new(Shared(Arc::clone(&words)));
    (producer, Consumer::new(Shared(words)))
}

/// A line that shows whether all of it belongs together.
fn line(number: u64) -> Line {
    let mut body = [0; BODY_WORDS];
    body[0] = number * 7;
    Line {
        mark: number as u32,
        fields: [number, !number],
        body,
    }
}

fn is_line(line: &Line, number: u64) -> bool {
    let whole = [number, !number, number * 7];
    line.mark == number as u32 && [line.fields[0], line.fields[1], line.body[0]] == whole
}

/// Takes the next line, which must be this one; `otherwise` is done while there is none.
fn take<const N: usize>(
    consumer: &mut Consumer<Shared<N>>,
    number: u64,
    mut otherwise: impl FnMut(&mut Consumer<Shared<N>>),
) {
    let seen = loop {
        match consumer.take() {
            Some(seen) => break seen,
            None => otherwise(consumer),
        }
    };
    assert!(is_line(&seen, number));
}

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(run);
}

/// Lines come whole and in order through several laps.
#[test]
fn lines_come_whole_and_in_order() {
    model(|| {
        let (mut producer, mut consumer) = ring::<2>();
        let thread = thread::spawn(move || {
            for number in 1..=4 {
                while !producer.has_room().unwrap() {
                    thread::yield_now();
                }
                producer.publish(&line(number), 1);
            }
        });
        for number in 1..=4 {
            take(&mut consumer, number, |_| thread::yield_now());
            consumer.free_quietly();
        }
        thread.join().unwrap();
    });
}

/// A receiver that sleeps whenever its ring is empty gets every line.
#[test]
fn a_sleeping_receiver_misses_nothing() {
    model(|| {
        let (mut producer, mut consumer) = ring::<2>();
        let inbox = Inbox::new();
        let theirs = Arc::clone(&inbox);
        let thread = thread::spawn(move || {
            for number in 1..=2 {
                assert_eq!(producer.has_room(), Ok(true));
                producer.publish(&line(number), 1);
                ring_at(&*theirs, 0);
            }
        });
        for number in 1..=2 {
            take(&mut consumer, number, |consumer| {
                inbox.nap(AWAKE, || consumer.is_ready());
            });
        }
        thread.join().unwrap();
    });
}

/// Publishes so many lines, and sleeps whenever the ring is full.
fn fill<const N: usize>(mut producer: Producer<Shared<N>>, mine: &Inbox, count: u64) {
    for number in 1..=count {
        if !producer.has_room().unwrap() {
            producer.announce();
            while !producer.has_room().unwrap() {
                mine.nap(AWAKE, || producer.has_room() != Ok(false));
            }
            producer.withdraw();
        }
        producer.publish(&line(number), 1);
    }
}

/// A producer that sleeps on a full ring is woken, also when it has waited before.
#[test]
fn a_sleeping_producer_is_told_of_room() {
    model(|| {
        let (producer, mut consumer) = ring::<1>();
        let inbox = Inbox::new();
        let mine = Arc::clone(&inbox);
        let thread = thread::spawn(move || fill(producer, &mine, 3));
        for number in 1..=3 {
            take(&mut consumer, number, |_| thread::yield_now());
            if consumer.free() {
                ring_at(&*inbox, 0);
            }
        }
        thread.join().unwrap();
    });
}

/// It is, too, when most of the room is told quietly, line by line, and it is asked only at times.
#[test]
fn a_sleeping_producer_is_told_of_room_that_is_told_quietly() {
    model(|| {
        let (producer, mut consumer) = ring::<2>();
        let inbox = Inbox::new();
        let mine = Arc::clone(&inbox);
        let thread = thread::spawn(move || fill(producer, &mine, 4));
        for number in 1..=4 {
            take(&mut consumer, number, |_| thread::yield_now());
            if consumer.unasked().0 >= 2 && consumer.free() {
                ring_at(&*inbox, 0);
            }
            consumer.free_quietly();
        }
        thread.join().unwrap();
    });
}

/// A receiver that goes by bells, and sleeps, hears two senders.
#[test]
fn bells_of_two_senders_are_heard() {
    model(|| {
        let inbox = Inbox::new();
        announce_awake(&*inbox, AWAKE_BY_BELL);
        let flags = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let senders = [0, 1].map(|bell| {
            let (inbox, flags) = (Arc::clone(&inbox), Arc::clone(&flags));
            thread::spawn(move || {
                flags[bell].store(1, Ordering::Release);
                ring_at(&*inbox, bell as u32);
            })
        });
        let mut heard = [false; 2];
        while heard != [true; 2] {
            answer(&*inbox, |bell| {
                assert_eq!(flags[bell as usize].load(Ordering::Acquire), 1);
                heard[bell as usize] = true;
            });
            if heard != [true; 2] {
                inbox.nap(AWAKE_BY_BELL, || is_rung(&*inbox));
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// A receiver that changes from polling to bells looks at everything once, and misses nothing.
#[test]
fn changing_to_bells_misses_nothing() {
    model(|| {
        let (mut producer, mut consumer) = ring::<2>();
        let inbox = Inbox::new();
        let theirs = Arc::clone(&inbox);
        let thread = thread::spawn(move || {
            assert_eq!(producer.has_room(), Ok(true));
            producer.publish(&line(1), 1);
            ring_at(&*theirs, 0);
        });
        inbox
            .mode
            .compare_exchange(AWAKE, AWAKE_BY_BELL, Ordering::SeqCst, Ordering::Relaxed)
            .unwrap();
        fence(Ordering::SeqCst);
        let mut look = true;
        loop {
            if look && let Some(seen) = consumer.take() {
                assert!(is_line(&seen, 1));
                break;
            }
            look = false;
            answer(&*inbox, |_| look = true);
            if !look {
                inbox.nap(AWAKE_BY_BELL, || is_rung(&*inbox));
            }
        }
        thread.join().unwrap();
    });
}

/// The daemon's bell wakes a sleeper although a waker was killed between saying and doing so.
#[test]
fn a_killed_waker_is_made_good_by_the_daemon() {
    model(|| {
        let inbox = Inbox::new();
        let theirs = Arc::clone(&inbox);
        let thread = thread::spawn(move || {
            // The waker, killed before it wakes.
            let _ =
                theirs
                    .mode
                    .compare_exchange(ASLEEP, NOTIFIED, Ordering::AcqRel, Ordering::Relaxed);
            ring_control(&*theirs);
        });
        while inbox.control.load(Ordering::Acquire) == 0 {
            inbox.nap(AWAKE, || inbox.control.load(Ordering::Acquire) != 0);
        }
        thread.join().unwrap();
    });
}
