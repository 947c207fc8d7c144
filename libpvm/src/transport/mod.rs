//! How packets get from one task to another.
//!
//! A transport moves *packets* between this task and its *peers*, in order per peer, and never
//! blocks: what does not fit now is refused with [`SendError::Full`] and the engine tries again.
//! It knows nothing of matching, requests or ranks. [`route`] is the transport of a task, made of
//! [`shm`], that inside a host, and of [`net`], what tasks of different hosts say to each other.

use crate::datatype::{ShortSink, ShortSource, Sink, Source};
use crate::ids::TaskId;
use crate::sync::Ladder;
use std::time::Instant;

mod call;
pub mod net;
pub mod route;
pub mod shm;
pub mod sim;
#[cfg(all(test, not(loom)))]
pub(crate) mod standin;

pub use call::{Call, Operation};

/// A task that this task exchanges packets with, numbered locally; 0 is the task itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer(pub u32);

impl Peer {
    /// The task itself. Transports never see it: the engine delivers to itself.
    pub const SELF: Peer = Peer(0);

    /// As an index into per-peer tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a packet is. The engine gives these their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A whole message.
    Eager = 1,
    /// A message is ready: size and where it lies.
    Ready = 2,
    /// The receiver of a ready message wants its bytes.
    Clear = 3,
    /// Bytes of a cleared message.
    Data = 4,
    /// The receiver has all bytes, or has matched a synchronous message.
    Finish = 5,
}

impl Kind {
    /// Reads a kind from a byte that a peer wrote.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Eager,
            2 => Kind::Ready,
            3 => Kind::Clear,
            4 => Kind::Data,
            5 => Kind::Finish,
            _ => return None,
        })
    }
}

/// The fixed part of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// What the packet is.
    pub kind: Kind,
    /// Bits that the engine defines.
    pub flags: u8,
    /// The receiver's number of the matching context.
    pub context: u32,
    /// Message tag.
    pub tag: i32,
    /// Hash of the element type; 0: untyped.
    pub check: u32,
}

/// Arguments of a packet that has some. They take the place of a body in the packet's own line.
pub type Args = [u64; 4];

/// Bytes of a packet: a part of a message.
#[derive(Clone, Copy)]
pub struct Body<'a> {
    /// The message.
    pub source: &'a Source,
    /// First byte of the part, in the packed message.
    pub offset: usize,
    /// Length of the part.
    pub len: usize,
    /// Bytes of the message that later packets will bring.
    pub rest: usize,
}

impl<'a> Body<'a> {
    /// All bytes of a message.
    pub fn whole(source: &'a Source) -> Self {
        Self {
            source,
            offset: 0,
            len: source.len(),
            rest: 0,
        }
    }
}

/// Why a packet was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No room now; try again after the next poll.
    #[error("no room now")]
    Full,
    /// The peer has ended, or never was.
    #[error("the task has ended")]
    Gone,
}

/// Why bytes could not be read out of a peer's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer's memory cannot be read")]
pub struct PullError;

/// A packet that has arrived. Its bytes can be read only during the call that shows it.
pub trait Arrived {
    /// Length of the body.
    fn len(&self) -> usize;

    /// Whether there is no body.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts the body into `sink`, its first byte at `offset` of the packed message. Bytes beyond
    /// the sink's capacity are dropped.
    fn read_into(&self, sink: &mut Sink, offset: usize);

    /// A copy of the body.
    fn to_vec(&self) -> Vec<u8>;
}

impl Arrived for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn read_into(&self, sink: &mut Sink, offset: usize) {
        sink.write(offset, self);
    }

    fn to_vec(&self) -> Vec<u8> {
        <[u8]>::to_vec(self)
    }
}

/// Takes what a poll finds.
pub trait Receiver {
    /// A packet. `args` is all zero when the packet was sent without.
    fn packet<A: Arrived>(&mut self, from: Peer, head: Head, args: Args, body: A);

    /// The peer has ended; all its packets have been shown.
    fn gone(&mut self, peer: Peer);

    /// Something else has happened that a thread may wait for, such as an answer of the daemon.
    fn news(&mut self) {}
}

/// Takes one packet, or leaves it where it is.
pub trait Taker {
    /// Whether it has taken this packet. `args` is all zero when the packet was sent without.
    fn take<A: Arrived>(&mut self, head: &Head, args: &Args, body: A) -> bool;
}

/// What a look at the packets of one peer has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look<T = ()> {
    /// Nothing; it pays to look again.
    Nothing,
    /// A packet, and it was taken.
    Taken(T),
    /// Something that only a poll shows or finds out.
    Other,
}

impl<T> Look<T> {
    /// The same with something else in place of what was taken.
    #[inline(always)]
    pub fn map<U>(self, taken: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Look::Taken(found) => Look::Taken(taken(found)),
            Look::Nothing => Look::Nothing,
            Look::Other => Look::Other,
        }
    }
}

/// A way to exchange packets with peers.
pub trait Transport {
    /// The number of a task; the same for ever. Costs nothing but a table entry.
    fn peer(&mut self, task: TaskId) -> Peer;

    /// The task behind a number.
    fn task(&self, peer: Peer) -> TaskId;

    /// Sends one packet. At most [`Transport::chunk`] body bytes may come with arguments, and at
    /// most [`Transport::eager_max`] without. One of [`Kind::Data`] may wait for others until
    /// [`Transport::push`], and the body of one that is not the last may be [leased](Source::lease).
    fn send(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError>;

    /// Sends one packet without arguments if that is a matter of a few words. False: it was not sent.
    #[inline(always)]
    fn send_short(&mut self, _to: Peer, _head: &Head, _body: ShortSource<'_>) -> bool {
        false
    }

    /// Sends what waits for more of the same.
    fn push(&mut self) {}

    /// Shows what has arrived, in order per peer. Returns whether there was anything.
    fn poll<R: Receiver>(&mut self, receiver: &mut R) -> bool;

    /// Offers the next packet of one peer to `taker`, and does nothing else. One that is not taken
    /// is what the next poll shows. One that has not come is waited for as long as so many pauses of
    /// the processor take ([`std::hint::spin_loop`]).
    #[inline]
    fn look(&mut self, _from: Peer, _taker: &mut impl Taker, _pauses: u32) -> Look {
        Look::Other
    }

    /// As [`Transport::look`], for a packet with this head, whatever its check, without arguments, whose body is a few
    /// bytes that fit into `sink`. Gives their number and the check.
    #[inline(always)]
    fn look_short(
        &mut self,
        _from: Peer,
        _head: &Head,
        _sink: &mut ShortSink<'_>,
        _pauses: u32,
    ) -> Look<(usize, u32)> {
        Look::Other
    }

    /// Whether a poll would find something that [`Transport::look`] at this peer does not.
    #[inline]
    fn needs_poll(&mut self, _but: Peer) -> bool {
        true
    }

    /// Makes sure that the end of this peer will be shown: a receive waits for it alone.
    fn watch(&mut self, peer: Peer);

    /// Makes sure that the ends of these peers will be shown, without any other contact with them.
    fn watch_ends(&mut self, peers: &[Peer]) {
        peers.iter().for_each(|peer| self.watch(*peer));
    }

    /// Whether a peer that has ended is known to have left in good order.
    fn has_left(&self, _peer: Peer) -> bool {
        false
    }

    /// For a task that is about to leave: asks peers to confirm what they have. The number gets less
    /// with everything that goes out and that they confirm; 0: they have it all.
    fn flush(&mut self) -> u64 {
        0
    }

    /// Whether all peers are gone and no new one can come.
    fn is_lost(&self) -> bool {
        false
    }

    /// Largest message that is sent without asking.
    fn eager_max(&self, peer: Peer) -> usize;

    /// Largest body of a packet.
    fn chunk(&self, peer: Peer) -> usize;

    /// From what size on reading the peer's memory beats copying twice; `None`: never. For messages that are
    /// `crossing` the work counts more than the time of each: one goes the other way meanwhile.
    fn pull_min(&self, peer: Peer, crossing: bool) -> Option<usize>;

    /// Copies `len` bytes at `address` of the peer's memory into `sink` from `offset` on.
    fn pull(
        &mut self,
        from: Peer,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError>;
}

/// A transport on which a thread can sleep until there is something to poll.
pub trait Sleep: Transport {
    /// What a thread sleeps with, while another may hold the transport.
    type Sleeper: Sleeper;

    /// The sleeper of this transport.
    fn sleeper(&self) -> Self::Sleeper;

    /// Announces that this task is about to sleep, so that peers ring. False: something has come
    /// meanwhile, or may have; poll instead of sleeping.
    fn prepare_sleep(&mut self) -> bool;

    /// Takes the announcement back.
    fn finish_sleep(&mut self);

    /// Begins a wait: how to pass the time until something comes.
    fn ladder(&mut self) -> Ladder;

    /// Shows what a thread sleeps for to those who look; a call of operation 0: nothing any more.
    fn show_call(&self, _: &Call) {}
}

/// Puts a thread to sleep until a peer or the daemon rings.
pub trait Sleeper: Clone + Send + Sync {
    /// Sleeps until rung, at the latest until `deadline`; may return early.
    fn sleep(&self, deadline: Option<Instant>);

    /// Wakes every thread of this task that sleeps.
    fn wake(&self);
}
