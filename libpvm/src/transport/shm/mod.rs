//! The transport inside a host: shared memory.
//!
//! # What there is
//! - A *channel* for each pair of tasks that really talk: one sealed memfd, both directions. A
//!   direction is a `ring` of 128 packet headers, one cache line each, and an `arena` of 256 KiB
//!   for bodies. One producer, one consumer, nothing shared with a third task.
//! - An *inbox* for each task, one page: its `doorbell` and what it waits for (`inbox`).
//! - A *host page* (`host`): what was measured here (`calibration`, by `hand_over`) and how many tasks
//!   are awake.
//! - Large bodies are written past the caches where that was measured to be faster, since the receiver's
//!   have what was there before.
//! - `transport` puts them together; the daemon, seen as an `introducer`, makes the channels.
//!
//! Nothing has a name in a file system, so nothing is left behind by whoever is killed.
//!
//! # A packet
//! The sender writes the line's words, the stamp last (release); the stamp holds the sequence number
//! of this lap, so the receiver knows by one load (acquire) whether the line is new, and sees all of
//! it if it is. Small bodies travel in the line. Others lie in the arena, written before the stamp.
//! The receiver tells in batches what it has freed. The line of an 8-byte packet is all that moves.
//!
//! # Why nobody sleeps through a packet
//! Each pair of steps below is "write mine, full fence, read yours" on both sides, so at least one
//! side sees the other (Dekker). loom checks the first three in `tests/loom_shm.rs`.
//! - *Packet and sleep.* Sender: publish, fence, read the mode. Receiver: mode := `ASLEEP`, fence,
//!   look at every ring. Either the receiver sees the packet, or the sender sees `ASLEEP`, sets the
//!   bell, changes the mode to `NOTIFIED` and wakes; the kernel compares the mode before it sleeps.
//! - *Bell and sleep*, when there are too many rings to look at: the sender sees "awake by bell",
//!   sets its bell, fence, reads the mode *again*; the receiver: mode := `ASLEEP`, fence, looks at
//!   the bells. Bits are set word first, then summary, and taken summary first, then word: a bit may
//!   be found without a summary bit's help, never missed.
//! - *Room and sleep.* A producer without room: `waiting` := 1, fence, looks for room; it looks again
//!   between mode := `ASLEEP` and sleeping. Consumer: free, fence, read `waiting`; if set, it rings
//!   the producer's doorbell, which is the first case again. Only the producer clears `waiting`, so a
//!   late consumer cannot wipe out a second wait; and only when a poll has seen the room, so that a
//!   smaller packet that goes out meanwhile does not end the wait of a larger one.
//! - *Room that is never told.* A consumer that has taken everything may keep back, or have told without
//!   asking whether the producer waits, less than `FREE_LINES` lines and `FREE_BYTES` bytes. `layout`
//!   asserts that no producer needs those.
//! - *Change from polling to bells.* mode := "awake by bell", fence, look at every ring once. A sender
//!   that still read `AWAKE` published before that fence. The change back needs nothing: all rings
//!   are looked at from then on.
//! - *Sleep with sockets.* A task that has direct connections sleeps in epoll, with a `door` among them
//!   whose name is in the inbox from before the first such sleep until the last thread is back. Whoever
//!   wakes does both, futex and door: some threads of a task may sleep in one and some in the other. A
//!   knock before the thread is in epoll waits there: the door is emptied only when a thread has come
//!   back, before it wakes the others (`finish_sleep`). The kernel does not compare the mode there; the
//!   thread looks at it before, and a waker that was killed between mode and knock costs one nap, as
//!   does one that cannot reach the door.
//!   When the first socket comes, or the last one goes, all threads are woken to go to sleep the other
//!   way; none announces a sleep before all are back.
//! - *The daemon.* It writes to the socket, then sets `control`, fence, reads the mode and wakes. The
//!   task clears `control` before it reads the socket.
//!
//! # Whoever is killed, at any instruction
//! - A sender before the stamp: the packet never was. After the stamp, before the bell or the wake:
//!   the daemon rings every peer of a dead task, and wakes even where the mode says that another is
//!   waking (`NOTIFIED`), for that one may be the dead.
//! - A receiver: senders find the ring full; the daemon tells them of the death, and they forget the
//!   channel.
//! - The news of a death comes after the dead process is gone, so all it published is in memory: it
//!   is shown first, at most one ring of it, then `gone`.
//! - The daemon: once in a second a task looks at its socket, asleep or not. Without a daemon nobody
//!   tells of deaths, so all peers count as gone.
//!
//! # A bell before its channel is known
//! The daemon writes the event to this task's socket before it answers the peer, but the task may
//! read the socket later than the peer rings. Such a bell is dropped; a channel is looked at when it
//! is taken in, and `control` makes the task read the socket.
//!
//! # What a peer may do
//! Anything: its memory is ours to read and its own to write. Segments are sealed against shrinking
//! (`segment`). A line is copied once, then checked: kind, form, length, and the range in the arena
//! before an address is made of it; or it is compared with what it should be, and no word of it is read
//! twice. Positions that the consumer tells are checked to lie between what was told before and what was
//! published. Nonsense ends the channel; the peer counts as gone.
//!
//! # Why this is sound
//! Shared structures are atomics only, so references to them stay valid whatever a peer writes.
//! Arena bytes are never referenced: they are copied from and to by address, inside a range that was
//! checked and that the mapping, kept alive by the channel, covers. Between honest tasks a range
//! belongs to the producer until the stamp is stored, and to the consumer until it is freed. A
//! dishonest one that writes at the wrong time changes bytes while they are copied; that is a race
//! with another process, whose outcome is some bytes, of which nothing is believed.

mod arena;
mod attach;
mod calibration;
mod channel;
mod cma;
mod door;
pub mod doorbell;
pub mod hand_over;
mod host;
mod inbox;
mod introducer;
mod layout;
pub mod ring;
mod segment;
mod transport;

pub use crate::sync::WaitPolicy;
pub use attach::{AttachError, AttachOptions, Identity};
pub use calibration::calibrate;
pub use channel::Segment;
pub use cma::can_read_memory_of;
pub(super) use door::{Sockets, Watched};
pub use host::{HostFacts, HostPage};
pub use inbox::{Inbox, InboxBell, Sleeper};
pub use introducer::Introducer;
pub use segment::MapError;
pub use transport::ShmTransport;
pub(super) use transport::{FarNews, TRANSPORT_TOKEN};

#[cfg(all(test, not(loom)))]
mod tests;
