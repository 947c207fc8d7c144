//! What lies where in the memory that processes share. Sizes and places are part of the protocol.

use crate::sync::shared::{AtomicU32, AtomicU64};
use std::mem::{offset_of, size_of};

/// A page; every segment is whole pages.
pub const PAGE: usize = 4096;
/// First word of every segment: says what it is, and in which version of this file.
pub const MAGIC_INBOX: u64 = 0x7076_6d49_0000_0003;
/// As [`MAGIC_INBOX`], for channels.
pub const MAGIC_CHANNEL: u64 = 0x7076_6d43_0000_0001;
/// As [`MAGIC_INBOX`], for host pages.
pub const MAGIC_HOST: u64 = 0x7076_6d48_0000_0003;

/// Packet lines of one direction of a channel.
pub const SLOTS: usize = 128;
/// Bytes of one direction's arena.
pub const ARENA: u64 = 256 << 10;
/// The part of it that a channel uses that never lags.
pub const HOT: u64 = ARENA / 4;
/// Largest body of one packet.
pub const PIECE_MAX: usize = 64 << 10;
/// Lines that a consumer frees at a time.
pub const FREE_LINES: u64 = 32;
/// Arena bytes that a consumer frees at a time.
pub const FREE_BYTES: u64 = 32 << 10;

// A consumer that has taken everything has asked at all but these; a producer must not need them, or it
// would wait for a consumer that has nothing to do (see the module page).
const _: () = assert!((FREE_LINES as usize) < SLOTS);
const _: () = assert!(FREE_BYTES + 2 * PIECE_MAX as u64 <= ARENA);
// What is sent in pieces of this transport fits the packets of the other, too.
const _: () = assert!(PIECE_MAX <= crate::limits::NET_BODY_MAX);
const _: () = assert!(ARENA.is_multiple_of(PAGE as u64));

/// Two cache lines: neighbours are fetched together.
#[repr(C, align(128))]
pub struct Apart<T>(pub T);

/// One packet header in one cache line: see the ring.
#[repr(C, align(64))]
pub struct Slot(pub [AtomicU64; 8]);

/// Written by the consumer of one direction.
#[repr(C)]
pub struct Freed {
    /// Lines freed.
    pub head: AtomicU64,
    /// Arena freed.
    pub arena_head: AtomicU64,
}

/// Control lines of one direction.
#[repr(C)]
pub struct Control {
    /// Written by the consumer.
    pub freed: Apart<Freed>,
    /// Not 0: the producer waits for room; written by the producer.
    pub waiting: Apart<AtomicU64>,
}

/// A channel up to its arenas, which follow: direction 0 is written by the lower task id.
#[repr(C)]
pub struct Channel {
    /// [`MAGIC_CHANNEL`].
    pub magic: Apart<AtomicU64>,
    /// By direction.
    pub control: [Control; 2],
    _rest: [u8; PAGE - 5 * 128],
    /// By direction.
    pub slots: [[Slot; SLOTS]; 2],
}

/// Where the arenas begin.
pub const ARENAS: usize = PAGE + 2 * SLOTS * 64;
/// Size of a channel's segment.
pub const CHANNEL_SIZE: usize = ARENAS + 2 * ARENA as usize;

const _: () = assert!(size_of::<Channel>() == ARENAS);
const _: () = assert!(offset_of!(Channel, control) == 128);
const _: () = assert!(size_of::<Control>() == 256);
const _: () = assert!(offset_of!(Channel, slots) == PAGE);
const _: () = assert!(CHANNEL_SIZE.is_multiple_of(PAGE));

/// Words of the bell bitmap.
pub const BELL_WORDS: usize = 64;

const _: () = assert!(BELL_WORDS * 64 == crate::limits::BELLS_MAX);

/// What senders look at.
#[repr(C)]
pub struct Mode {
    /// What the task is doing (see the doorbell); the futex that it sleeps on.
    pub mode: AtomicU32,
    /// Not 0: the daemon has written to the task's socket.
    pub control: AtomicU32,
}

/// The blocking call that the task is in, guarded by a sequence number (odd: being written).
#[repr(C)]
pub struct CallSlot {
    /// Changes with every write.
    pub sequence: AtomicU64,
    /// Low half operation, high half context.
    pub operation: AtomicU64,
    /// Peer.
    pub peer: AtomicU64,
    /// Tag.
    pub tag: AtomicU64,
    /// Bytes.
    pub bytes: AtomicU64,
    /// Monotonic clock, nanoseconds.
    pub since: AtomicU64,
    /// Changes with what comes.
    pub turn: AtomicU64,
}

/// How a task is woken that sleeps with sockets.
#[repr(C)]
pub struct Door {
    /// Not 0: says where to knock (see the door).
    pub name: AtomicU64,
    /// Not 0: somebody has knocked in vain.
    pub is_deaf: AtomicU32,
}

/// A task's inbox: one page.
#[repr(C)]
pub struct Inbox {
    /// [`MAGIC_INBOX`].
    pub magic: Apart<AtomicU64>,
    /// What senders look at.
    pub mode: Apart<Mode>,
    /// Which words of `bells` have bits.
    pub summary: Apart<AtomicU64>,
    /// One bit for each channel.
    pub bells: [AtomicU64; BELL_WORDS],
    /// What the task waits for.
    pub call: Apart<CallSlot>,
    /// How it is woken from sockets.
    pub door: Apart<Door>,
}

const _: () = assert!(offset_of!(Inbox, mode) == 128);
const _: () = assert!(offset_of!(Inbox, summary) == 256);
const _: () = assert!(offset_of!(Inbox, bells) == 384);
const _: () = assert!(offset_of!(Inbox, call) == 896);
const _: () = assert!(offset_of!(Inbox, door) == 1024);
const _: () = assert!(size_of::<Inbox>() <= PAGE);

/// The host page: facts of this host, one page for all its tasks.
#[repr(C)]
pub struct Host {
    /// [`MAGIC_HOST`].
    pub magic: AtomicU64,
    /// Processors that tasks may use.
    pub cpus: AtomicU64,
    /// Largest message that is sent without asking.
    pub eager_max: AtomicU64,
    /// Largest body of a packet.
    pub chunk: AtomicU64,
    /// From what size on reading the peer's memory pays; 0: never.
    pub pull_min: AtomicU64,
    /// The same while a message of this size goes the other way.
    pub pull_crossing_min: AtomicU64,
    /// From what size on a body is written past the caches; 0: never.
    pub stream_min: AtomicU64,
    /// How long waiting pays before sleeping does.
    pub spin_ns: AtomicU64,
    /// Tasks that are not asleep in a wait: in a line of its own.
    pub awake: Apart<AtomicU32>,
}

const _: () = assert!(offset_of!(Host, awake) == 128);
const _: () = assert!(size_of::<Host>() <= PAGE);
